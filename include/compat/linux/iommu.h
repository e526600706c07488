/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _COMPAT_LINUX_IOMMU_H
#define _COMPAT_LINUX_IOMMU_H

#include_next <linux/iommu.h>

/* The domain that the device was attached to before came later. */
#ifdef HAVE_ATTACH_DEV_OLD
#define COMPAT_ATTACH_DEV_ARGS(_domain, _dev)				\
	struct iommu_domain *_domain, struct device *_dev,		\
	struct iommu_domain *old
#else
#define COMPAT_ATTACH_DEV_ARGS(_domain, _dev)				\
	struct iommu_domain *_domain, struct device *_dev
#endif

/* Root complexes that make every access cacheable, as far as firmware says. */
#ifndef HAVE_FWSPEC_PCI_RC_CANWBS
#define IOMMU_FWSPEC_PCI_RC_CANWBS	0
#endif

/* Exported for IOMMU drivers, but declared in a header of the kernel's own. */
void iommu_dma_get_resv_regions(struct device *dev, struct list_head *list);

#endif /* _COMPAT_LINUX_IOMMU_H */
