// SPDX-License-Identifier: GPL-2.0
/* Is hw_info told which type of information its caller wants? */
#include <linux/iommu.h>

static void *info(struct device *dev, u32 *length, enum iommu_hw_info_type *type)
{
	return NULL;
}

const struct iommu_ops probe = { .hw_info = info };
