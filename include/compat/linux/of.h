/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _COMPAT_LINUX_OF_H
#define _COMPAT_LINUX_OF_H

#include_next <linux/of.h>

#ifndef HAVE_OF_MAP_IOMMU_ID
static inline int of_map_iommu_id(struct device_node *np, u32 id,
				  struct of_phandle_args *arg)
{
	arg->np = NULL;
	arg->args_count = 1;
	return of_map_id(np, id, "iommu-map", "iommu-map-mask", &arg->np,
			 arg->args);
}
#endif

#endif /* _COMPAT_LINUX_OF_H */
