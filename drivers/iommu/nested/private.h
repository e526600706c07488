/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the core share with each other and with nobody else.
 */
#ifndef _IOMMU_NESTED_PRIVATE_H
#define _IOMMU_NESTED_PRIVATE_H

#include <linux/iommu-nested.h>

const struct iommu_nested_backend *
iommu_nested_backend_get(struct device *dev);
void iommu_nested_backend_put(const struct iommu_nested_backend *backend);

int iommu_nested_viommu_tie(struct iommu_nested_viommu *viommu,
			    const struct iommu_nested_backend *backend,
			    const struct iommu_nested_binding *binding);
void iommu_nested_viommu_untie(struct iommu_nested_viommu *viommu);

#endif /* _IOMMU_NESTED_PRIVATE_H */
