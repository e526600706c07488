/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocation by object, for kernels that know only allocation by size.
 */
#ifndef _COMPAT_LINUX_SLAB_H
#define _COMPAT_LINUX_SLAB_H

#include_next <linux/slab.h>

#ifndef kzalloc_obj
#define kzalloc_obj(P, GFP) kzalloc(sizeof(P), GFP)
#define kmalloc_obj(P, GFP) kmalloc(sizeof(P), GFP)
#define kvzalloc_objs(P, COUNT, GFP) kvcalloc(COUNT, sizeof(P), GFP)
#define kvmalloc_objs(P, COUNT, GFP) kvmalloc_array(COUNT, sizeof(P), GFP)
#endif

#endif /* _COMPAT_LINUX_SLAB_H */
