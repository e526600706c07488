// SPDX-License-Identifier: GPL-2.0
/* Can io-pgtable write stage-2 attributes for S2FWB? */
#include <linux/io-pgtable.h>

unsigned long probe = IO_PGTABLE_QUIRK_ARM_S2FWB;
