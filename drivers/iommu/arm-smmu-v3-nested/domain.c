// SPDX-License-Identifier: GPL-2.0
/*
 * Domains: stage-2 page tables, and the two that have none.
 *
 * Every paging domain is stage 2, whatever it is for: the kernel gives no hint
 * whether a domain is for its own DMA or for VFIO when it asks for one, and a
 * virtual IOMMU can only be put on top of stage 2.
 *
 * Invariants:
 *  - a domain is complete when it is handed out, for one SMMU;
 *  - its VMID is its own until smmu_domain_free() has removed all that it tags.
 */
#include <linux/slab.h>

#include "smmuv3.h"

static u64 vtcr_of(const struct io_pgtable_cfg *cfg)
{
	const typeof(cfg->arm_lpae_s2_cfg.vtcr) *vtcr = &cfg->arm_lpae_s2_cfg.vtcr;

	return FIELD_PREP(STE_VTCR_S2T0SZ, vtcr->tsz) |
	       FIELD_PREP(STE_VTCR_S2SL0, vtcr->sl) |
	       FIELD_PREP(STE_VTCR_S2IR0, vtcr->irgn) |
	       FIELD_PREP(STE_VTCR_S2OR0, vtcr->orgn) |
	       FIELD_PREP(STE_VTCR_S2SH0, vtcr->sh) |
	       FIELD_PREP(STE_VTCR_S2TG, vtcr->tg) |
	       FIELD_PREP(STE_VTCR_S2PS, vtcr->ps);
}

static int smmu_domain_init_pgtbl(struct smmu_domain *domain)
{
	struct smmu_device *smmu = domain->smmu;
	struct io_pgtable_cfg cfg = {
		.pgsize_bitmap	= smmu->pgsize_bitmap,
		.ias		= smmu->oas,
		.oas		= smmu->oas,
		.coherent_walk	= smmu->features & SMMU_FEAT_COHERENT,
		.tlb		= &smmu_flush_ops,
		.iommu_dev	= smmu->dev,
	};

	domain->s2.fwb = smmu_uses_fwb(smmu);
	if (domain->s2.fwb)
		cfg.quirks |= IO_PGTABLE_QUIRK_ARM_S2FWB;
	domain->pgtbl = alloc_io_pgtable_ops(ARM_64_LPAE_S2, &cfg, domain);
	if (!domain->pgtbl)
		return -ENOMEM;

	domain->s2.vtcr = vtcr_of(&cfg);
	domain->s2.ttb = cfg.arm_lpae_s2_cfg.vttbr;
	domain->s2.stall = smmu_stall_model(smmu) == IDR0_STALL_MODEL_STALL;
	domain->s2.attr_types_ovr = smmu->features & SMMU_FEAT_ATTR_TYPES;
	domain->tg_shift = __ffs(cfg.pgsize_bitmap);
	domain->domain.pgsize_bitmap = cfg.pgsize_bitmap;
	domain->domain.geometry.aperture_end = (1ULL << cfg.ias) - 1;
	domain->domain.geometry.force_aperture = true;
	return 0;
}

/**
 * smmu_domain_alloc - a new, empty stage 2
 * @dev: a device behind the SMMU that it is for
 *
 * May sleep. Errors, as a pointer: ENOMEM; ENOSPC: no VMID left.
 */
struct iommu_domain *smmu_domain_alloc(struct device *dev)
{
	struct smmu_master *master = dev_iommu_priv_get(dev);
	struct smmu_device *smmu = master->smmu;
	struct smmu_domain *domain;
	int ret;

	domain = kzalloc_obj(*domain, GFP_KERNEL);
	if (!domain)
		return ERR_PTR(-ENOMEM);
	domain->smmu = smmu;
	spin_lock_init(&domain->lock);
	INIT_LIST_HEAD(&domain->ats_masters);
	INIT_LIST_HEAD(&domain->viommus);

	ret = smmu_vmid_alloc(smmu, &domain->s2.vmid);
	if (ret)
		goto err_free;
	ret = smmu_domain_init_pgtbl(domain);
	if (ret)
		goto err_vmid;
	domain->domain.ops = &smmu_paging_ops;
	return &domain->domain;

err_vmid:
	ida_free(&smmu->vmids, domain->s2.vmid);
err_free:
	kfree(domain);
	return ERR_PTR(ret);
}

/**
 * smmu_vmid_alloc - a VMID that tags nothing yet
 * @smmu: the SMMU
 * @vmid: where it goes
 *
 * May sleep. Give it back with smmu_vmid_free(). Errors: ENOSPC, ENOMEM.
 */
int smmu_vmid_alloc(struct smmu_device *smmu, u16 *vmid)
{
	/* 0 tags what has no stage 2. */
	int id = ida_alloc_range(&smmu->vmids, 1, (1U << smmu->vmid_bits) - 1,
				 GFP_KERNEL);

	if (id == -ENOSPC)
		dev_warn_ratelimited(smmu->dev, "all %u VMIDs are in use\n",
				     (1U << smmu->vmid_bits) - 1);
	if (id < 0)
		return id;
	*vmid = id;
	return 0;
}

/**
 * smmu_vmid_free - give a VMID back
 * @smmu: the SMMU
 * @vmid: no stream table entry has it any more
 *
 * Removes what it tags first, so that the next owner finds nothing.
 */
void smmu_vmid_free(struct smmu_device *smmu, u16 vmid)
{
	smmu_tlb_flush_vmid(smmu, vmid);
	ida_free(&smmu->vmids, vmid);
}

static void smmu_domain_free(struct iommu_domain *iommu_domain)
{
	struct smmu_domain *domain = to_smmu_domain(iommu_domain);
	struct smmu_viommu *viommu, *next;

	/* Whoever is still here has no master on this domain any more. */
	spin_lock_irq(&domain->smmu->viommus_lock);
	list_for_each_entry_safe(viommu, next, &domain->viommus, node) {
		list_del(&viommu->node);
		WRITE_ONCE(viommu->s2, NULL);
	}
	spin_unlock_irq(&domain->smmu->viommus_lock);

	smmu_vmid_free(domain->smmu, domain->s2.vmid);
	free_io_pgtable_ops(domain->pgtbl);
	kfree(domain);
}

static int smmu_map_pages(struct iommu_domain *domain, unsigned long iova,
			  phys_addr_t paddr, size_t pgsize, size_t pgcount,
			  int prot, gfp_t gfp, size_t *mapped)
{
	struct io_pgtable_ops *ops = to_smmu_domain(domain)->pgtbl;

	return ops->map_pages(ops, iova, paddr, pgsize, pgcount, prot, gfp,
			      mapped);
}

static size_t smmu_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	struct io_pgtable_ops *ops = to_smmu_domain(domain)->pgtbl;

	return ops->unmap_pages(ops, iova, pgsize, pgcount, gather);
}

static void smmu_flush_iotlb_all(struct iommu_domain *domain)
{
	smmu_tlb_flush_domain(to_smmu_domain(domain));
}

static void smmu_iotlb_sync(struct iommu_domain *domain,
			    struct iommu_iotlb_gather *gather)
{
	if (!gather->pgsize)
		return;
	smmu_tlb_flush_range(to_smmu_domain(domain), gather->start,
			     gather->end - gather->start + 1, gather->pgsize,
			     true);
}

static phys_addr_t smmu_iova_to_phys(struct iommu_domain *domain,
				     dma_addr_t iova)
{
	struct io_pgtable_ops *ops = to_smmu_domain(domain)->pgtbl;

	return ops->iova_to_phys(ops, iova);
}

static bool smmu_enforce_cache_coherency(struct iommu_domain *domain)
{
	return to_smmu_domain(domain)->s2.fwb;
}

static int smmu_attach_paging(struct iommu_domain *domain, struct device *dev,
			      struct iommu_domain *old)
{
	return smmu_master_attach(dev_iommu_priv_get(dev), SMMU_ATTACHED_PAGING,
				  to_smmu_domain(domain));
}

DEFINE_COMPAT_ATTACH_DEV(smmu_attach_paging)

static int smmu_attach_identity(struct iommu_domain *domain, struct device *dev,
				struct iommu_domain *old)
{
	return smmu_master_attach(dev_iommu_priv_get(dev),
				  SMMU_ATTACHED_IDENTITY, NULL);
}

DEFINE_COMPAT_ATTACH_DEV(smmu_attach_identity)

static int smmu_attach_blocked(struct iommu_domain *domain, struct device *dev,
			       struct iommu_domain *old)
{
	return smmu_master_attach(dev_iommu_priv_get(dev), SMMU_ATTACHED_BLOCKED,
				  NULL);
}

DEFINE_COMPAT_ATTACH_DEV(smmu_attach_blocked)

const struct iommu_domain_ops smmu_paging_ops = {
	.attach_dev			= compat_attach_dev(smmu_attach_paging),
	.map_pages			= smmu_map_pages,
	.unmap_pages			= smmu_unmap_pages,
	.flush_iotlb_all		= smmu_flush_iotlb_all,
	.iotlb_sync			= smmu_iotlb_sync,
	.iova_to_phys			= smmu_iova_to_phys,
	.enforce_cache_coherency	= smmu_enforce_cache_coherency,
	.free				= smmu_domain_free,
};

static const struct iommu_domain_ops smmu_identity_ops = {
	.attach_dev	= compat_attach_dev(smmu_attach_identity),
};

struct iommu_domain smmu_identity_domain = {
	.type	= IOMMU_DOMAIN_IDENTITY,
	.ops	= &smmu_identity_ops,
};

static const struct iommu_domain_ops smmu_blocked_ops = {
	.attach_dev	= compat_attach_dev(smmu_attach_blocked),
};

struct iommu_domain smmu_blocked_domain = {
	.type	= IOMMU_DOMAIN_BLOCKED,
	.ops	= &smmu_blocked_ops,
};
