// SPDX-License-Identifier: GPL-2.0
/* Are domains with flags allocated through an operation of their own? */
#include <linux/iommu.h>

static struct iommu_domain *alloc(struct device *dev, u32 flags,
				  const struct iommu_user_data *user_data)
{
	return NULL;
}

const struct iommu_ops probe = { .domain_alloc_paging_flags = alloc };
