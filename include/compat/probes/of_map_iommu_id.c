// SPDX-License-Identifier: GPL-2.0
/* Is there a function that looks an id up in iommu-map? */
#include <linux/of.h>

int probe(const struct device_node *np, u32 id, struct of_phandle_args *args);

int probe(const struct device_node *np, u32 id, struct of_phandle_args *args)
{
	return of_map_iommu_id(np, id, args);
}
