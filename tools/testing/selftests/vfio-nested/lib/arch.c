// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>

#include "arch.h"
#include "util.h"

static const struct vn_arch *const archs[] = {
	&vn_arch_smmuv3,
	&vn_arch_vtd,
};

const struct vn_arch *vn_arch_of(uint32_t backend)
{
	size_t i;

	for (i = 0; i < VN_ARRAY_SIZE(archs); i++)
		if (archs[i]->backend == backend)
			return archs[i];
	return NULL;
}
