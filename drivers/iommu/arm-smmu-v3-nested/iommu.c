// SPDX-License-Identifier: GPL-2.0
/*
 * The operations that the IOMMU core calls.
 *
 * Invariant: nothing here depends on what a domain will be used for.
 */
#include <linux/fsl/mc.h>
#include <linux/iommu.h>
#include <linux/of.h>
#include <linux/pci.h>
#include <uapi/linux/iommufd.h>

#include "smmuv3.h"

static bool smmu_capable(struct device *dev, enum iommu_cap cap)
{
	struct smmu_master *master = dev_iommu_priv_get(dev);

	switch (cap) {
	case IOMMU_CAP_CACHE_COHERENCY:
		/* Who walks coherently is connected coherently. */
		return master->smmu->features & SMMU_FEAT_COHERENT;
	case IOMMU_CAP_ENFORCE_CACHE_COHERENCY:
		return smmu_uses_fwb(master->smmu);
	case IOMMU_CAP_NOEXEC:
	case IOMMU_CAP_DEFERRED_FLUSH:
		return true;
#ifdef HAVE_CAP_PCI_ATS_SUPPORTED
	case IOMMU_CAP_PCI_ATS_SUPPORTED:
		return smmu_ats_supported(master);
#endif
	default:
		return false;
	}
}

/*
 * Stage 2 is what every domain is; so each can be the parent of a guest's stage 1,
 * and none of them has PASIDs of the host's.
 */
static struct iommu_domain *
smmu_domain_alloc_flags(struct device *dev, u32 flags,
			const struct iommu_user_data *user_data)
{
	struct iommu_domain *domain;

	if (flags & ~IOMMU_HWPT_ALLOC_NEST_PARENT || user_data)
		return ERR_PTR(-EOPNOTSUPP);
	domain = smmu_domain_alloc(dev);
	/* iommufd calls this without the core, which sets the type otherwise. */
	if (!IS_ERR(domain))
		domain->type = IOMMU_DOMAIN_UNMANAGED;
	return domain;
}

#ifndef HAVE_DOMAIN_ALLOC_PAGING_FLAGS
static struct iommu_domain *
smmu_domain_alloc_user(struct device *dev, u32 flags,
		       struct iommu_domain *parent,
		       const struct iommu_user_data *user_data)
{
	if (parent)
		return ERR_PTR(-EOPNOTSUPP);
	return smmu_domain_alloc_flags(dev, flags, user_data);
}
#endif

static struct iommu_group *smmu_device_group(struct device *dev)
{
	if (dev_is_pci(dev))
		return pci_device_group(dev);
	if (dev_is_fsl_mc(dev))
		return fsl_mc_device_group(dev);
	return generic_device_group(dev);
}

static void smmu_get_resv_regions(struct device *dev, struct list_head *list)
{
	int prot = IOMMU_WRITE | IOMMU_NOEXEC | IOMMU_MMIO;
	struct iommu_resv_region *region;

	region = iommu_alloc_resv_region(SMMU_MSI_WINDOW_START,
					 SMMU_MSI_WINDOW_SIZE, prot,
					 IOMMU_RESV_SW_MSI, GFP_KERNEL);
	if (region)
		list_add_tail(&region->list, list);
	iommu_dma_get_resv_regions(dev, list);
}

static int smmu_of_xlate(struct device *dev, const struct of_phandle_args *args)
{
	return iommu_fwspec_add_ids(dev, args->args, 1);
}

const struct iommu_ops smmu_iommu_ops = {
	.owner				= THIS_MODULE,
	.capable			= smmu_capable,
	.domain_alloc_paging		= smmu_domain_alloc,
#ifdef HAVE_DOMAIN_ALLOC_PAGING_FLAGS
	.domain_alloc_paging_flags	= smmu_domain_alloc_flags,
#else
	.domain_alloc_user		= smmu_domain_alloc_user,
#endif
	.probe_device			= smmu_probe_device,
	.release_device			= smmu_release_device,
	.device_group			= smmu_device_group,
	.get_resv_regions		= smmu_get_resv_regions,
	.of_xlate			= smmu_of_xlate,
	.identity_domain		= &smmu_identity_domain,
	.blocked_domain			= &smmu_blocked_domain,
	.release_domain			= &smmu_blocked_domain,
	.default_domain_ops		= &smmu_paging_ops,
};

/**
 * smmu_owns - whether a device is behind an SMMU of ours
 * @dev: any device
 *
 * Return: true if dev_iommu_priv_get() gives a struct smmu_master.
 */
bool smmu_owns(struct device *dev)
{
	return dev->iommu && dev->iommu->iommu_dev &&
	       dev->iommu->iommu_dev->ops == &smmu_iommu_ops;
}
