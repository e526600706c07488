// SPDX-License-Identifier: GPL-2.0
/*
 * Is there an operation for nested domains alone? Since then intel-iommu can attach them
 * to a PASID as well.
 */
#include <linux/iommu.h>

static struct iommu_domain *alloc(struct device *dev, struct iommu_domain *parent,
				  u32 flags, const struct iommu_user_data *data)
{
	return NULL;
}

const struct iommu_ops probe = { .domain_alloc_nested = alloc };
