/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _COMPAT_LINUX_IOMMU_H
#define _COMPAT_LINUX_IOMMU_H

#include_next <linux/iommu.h>

/*
 * Which domain the device was attached to before is told since later. An attach
 * function is written for that; DEFINE_COMPAT_ATTACH_DEV() after it, and
 * compat_attach_dev() where it is named, do what is left to be done.
 */
#ifdef HAVE_ATTACH_DEV_OLD
#define DEFINE_COMPAT_ATTACH_DEV(fn)
#define compat_attach_dev(fn) fn
#else
#define DEFINE_COMPAT_ATTACH_DEV(fn)					\
static int fn##_without_old(struct iommu_domain *domain,		\
			    struct device *dev)				\
{									\
	return fn(domain, dev, NULL);					\
}

#define compat_attach_dev(fn) fn##_without_old
#endif

/* Root complexes that make every access cacheable, as far as firmware says. */
#ifndef HAVE_FWSPEC_PCI_RC_CANWBS
#define IOMMU_FWSPEC_PCI_RC_CANWBS	0
#endif

/* Exported for IOMMU drivers, but declared in a header of the kernel's own. */
void iommu_dma_get_resv_regions(struct device *dev, struct list_head *list);

#endif /* _COMPAT_LINUX_IOMMU_H */
