/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _COMPAT_LINUX_IO_PGTABLE_H
#define _COMPAT_LINUX_IO_PGTABLE_H

#include_next <linux/io-pgtable.h>

/* Attributes for S2FWB came later; no bit means that they are not there. */
#ifndef HAVE_IO_PGTABLE_S2FWB
#define IO_PGTABLE_QUIRK_ARM_S2FWB	0
#endif

#endif /* _COMPAT_LINUX_IO_PGTABLE_H */
