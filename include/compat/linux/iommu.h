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

#ifdef CONFIG_X86
#include <linux/err.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <uapi/linux/iommufd.h>

/* Exported for iommufd, likewise */
struct iommu_attach_handle *iommu_attach_handle_get(struct iommu_group *group,
						    ioasid_t pasid,
						    unsigned int type);
int iommu_attach_group_handle(struct iommu_domain *domain,
			      struct iommu_group *group,
			      struct iommu_attach_handle *handle);
void iommu_detach_group_handle(struct iommu_domain *domain,
			       struct iommu_group *group);

/* Symbol namespaces used to be bare words. */
#ifdef HAVE_IMPORT_NS_BARE
#define COMPAT_IMPORT_NS(ns) MODULE_IMPORT_NS(ns)
#else
#define COMPAT_IMPORT_NS(ns) MODULE_IMPORT_NS(__stringify(ns))
#endif

/*
 * The registers of the VT-d behind a device, to be freed with kfree(); ERR_PTR(-ENODEV) if
 * another IOMMU is there.
 */
static inline struct iommu_hw_info_vtd *
compat_iommu_hw_info_vtd(const struct iommu_ops *ops, struct device *dev)
{
#ifdef HAVE_IOMMU_HW_INFO_TYPE
	enum iommu_hw_info_type type = IOMMU_HW_INFO_TYPE_INTEL_VTD;
#else
	u32 type = IOMMU_HW_INFO_TYPE_NONE;
#endif
	u32 length = 0;
	void *data;

	if (!ops->hw_info)
		return ERR_PTR(-ENODEV);
	data = ops->hw_info(dev, &length, &type);
	if (PTR_ERR_OR_ZERO(data) == -EOPNOTSUPP)
		return ERR_PTR(-ENODEV);
	if (IS_ERR(data))
		return data;
	if (type != IOMMU_HW_INFO_TYPE_INTEL_VTD ||
	    length < sizeof(struct iommu_hw_info_vtd)) {
		kfree(data);
		return ERR_PTR(-ENODEV);
	}
	return data;
}

/* Nested domains, and domains that can be their parents: with them came PASIDs. */
#ifdef HAVE_IOMMU_DOMAIN_ALLOC_NESTED
#define compat_iommu_nests_pasids	true
#define compat_iommu_nests_ats		true
#define compat_iommu_flushes_any_range	true

static inline struct iommu_domain *
compat_iommu_alloc_nested(const struct iommu_ops *ops, struct device *dev,
			  struct iommu_domain *parent,
			  const struct iommu_user_data *data)
{
	if (!ops->domain_alloc_nested)
		return ERR_PTR(-EOPNOTSUPP);
	return ops->domain_alloc_nested(dev, parent, IOMMU_HWPT_ALLOC_PASID,
					data);
}

static inline struct iommu_domain *
compat_iommu_alloc_nest_parent(struct device *dev)
{
	return iommu_paging_domain_alloc_flags(dev,
					       IOMMU_HWPT_ALLOC_NEST_PARENT);
}
#else
/*
 * Older ones also turn ATS off when a nested domain is attached, and invalidate ranges of
 * nested domains with address masks that are larger than the hardware's.
 */
#define compat_iommu_nests_pasids	false
#define compat_iommu_nests_ats		false
#define compat_iommu_flushes_any_range	false

static inline struct iommu_domain *
compat_iommu_alloc_nested(const struct iommu_ops *ops, struct device *dev,
			  struct iommu_domain *parent,
			  const struct iommu_user_data *data)
{
	if (!ops->domain_alloc_user)
		return ERR_PTR(-EOPNOTSUPP);
	return ops->domain_alloc_user(dev, 0, parent, data);
}

static inline struct iommu_domain *
compat_iommu_alloc_nest_parent(struct device *dev)
{
	const struct iommu_ops *ops = dev->iommu->iommu_dev->ops;
	struct iommu_domain *domain;

	if (!ops->domain_alloc_user)
		return ERR_PTR(-EOPNOTSUPP);
	domain = ops->domain_alloc_user(dev, IOMMU_HWPT_ALLOC_NEST_PARENT, NULL,
					NULL);
	if (!IS_ERR(domain))
		domain->owner = ops;
	return domain;
}
#endif

/* Older kernels do not tell iommufd's domains from VFIO's own. */
static inline bool
compat_iommu_domain_is_iommufd(const struct iommu_domain *domain)
{
#ifdef HAVE_IOMMU_DOMAIN_COOKIE_TYPE
	return domain->cookie_type == IOMMU_COOKIE_IOMMUFD;
#else
	return false;
#endif
}

/*
 * Without it the IOMMU driver frees groups that somebody else still has in hands: there
 * no page requests can be handled.
 */
#ifdef HAVE_IOPF_GROUP_DEQUEUE
#define compat_iommu_has_iopf_dequeue	true
#else
#define compat_iommu_has_iopf_dequeue	false

static inline void iopf_group_dequeue(struct iopf_group *group)
{
}
#endif
#endif /* CONFIG_X86 */

#include <linux/pci.h>

/* The kernel, or its IOMMU driver, has enabled page requests in the function. */
static inline bool compat_pci_pri_enabled(const struct pci_dev *pdev)
{
#ifdef CONFIG_PCI_PRI
	/* One of many flags in a word, of which others change meanwhile. */
	return data_race(!!pdev->pri_enabled);
#else
	return false;
#endif
}

#endif /* _COMPAT_LINUX_IOMMU_H */
