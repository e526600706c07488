// SPDX-License-Identifier: GPL-2.0
/*
 * Forgetting translations of stage 2 (sections 3.17 and 4.4).
 *
 * Invariants:
 *  - when smmu_tlb_flush_range() returns, neither the SMMU nor the ATC of any
 *    device uses a translation of that range, be it of stage 2 alone or combined
 *    with a guest's stage 1, under the domain's own VMID or that of any virtual
 *    IOMMU on it;
 *  - a master or a virtual IOMMU that joins the domain is put on the list before
 *    its entry lets the hardware use the tables; the full barrier between taking
 *    an address out of the tables and reading the list, and its counterpart where
 *    the list is written (smmu_master_attach(), nested.c), make sure that one of
 *    the two sees the other.
 *
 * No locks and no allocation. Any context.
 */
#include <linux/rculist.h>

#include "smmuv3.h"

/* Without range commands: from here on, one command for all is cheaper. */
#define SMMU_TLBI_MAX_COMMANDS	256

static void tlb_add_vmid_all(struct smmu_device *smmu, struct smmu_batch *batch,
			     u16 vmid)
{
	__le64 cmd[CMD_DWORDS];

	smmu_cmd_tlbi_s12_vmall(cmd, vmid);
	smmu_batch_add(smmu, batch, cmd);
}

static void tlb_add_vmid_range(struct smmu_device *smmu,
			       struct smmu_batch *batch, u16 vmid,
			       const struct smmu_tlbi_range *range, bool leaf)
{
	struct smmu_tlbi_range r = *range;
	__le64 cmd[CMD_DWORDS];

	smmu_cmd_tlbi_s2_ipa(cmd, vmid, leaf);
	while (smmu_tlbi_range_next(&r, cmd))
		smmu_batch_add(smmu, batch, cmd);
}

/* Every device whose ATC may hold translations of this domain. RCU is held. */
static void tlb_flush_atcs(struct smmu_domain *domain, unsigned long iova,
			   size_t size)
{
	struct smmu_master *master;
	__le64 cmd[CMD_DWORDS];
	u64 addr;
	u8 span;

	list_for_each_entry_rcu(master, &domain->ats_masters, ats_node) {
		/*
		 * With a stage 1 on top, the addresses that the device knows are
		 * not those of stage 2.
		 */
		if (!size || READ_ONCE(master->vdev)) {
			smmu_atc_forget(master);
			continue;
		}
		smmu_atc_inv_span(iova, iova + size - 1, &addr, &span);
		smmu_cmd_atc_inv(cmd, 0, false, 0, false, addr, span);
		smmu_atc_invalidate(master, cmd);
	}
}

/**
 * smmu_tlb_flush_vmid - forget everything that a VMID tags
 * @smmu: the SMMU
 * @vmid: the VMID
 *
 * Any context. After this the VMID can be given to another owner.
 */
void smmu_tlb_flush_vmid(struct smmu_device *smmu, u16 vmid)
{
	__le64 cmd[CMD_DWORDS];

	smmu_cmd_tlbi_s12_vmall(cmd, vmid);
	smmu_cmdq_issue(smmu, cmd, 1, SMMU_SYNC_WAIT);
}

/**
 * smmu_tlb_flush_domain - forget all translations of a domain
 * @domain: the domain
 *
 * Any context.
 */
void smmu_tlb_flush_domain(struct smmu_domain *domain)
{
	struct smmu_device *smmu = domain->smmu;
	struct smmu_batch batch __uninitialized;
	struct smmu_viommu *viommu;

	batch.num = 0;
	/* See the top of this file. */
	smp_mb();
	rcu_read_lock();
	tlb_add_vmid_all(smmu, &batch, domain->s2.vmid);
	list_for_each_entry_rcu(viommu, &domain->viommus, node)
		tlb_add_vmid_all(smmu, &batch, viommu->vmid);
	smmu_batch_finish(smmu, &batch);
	tlb_flush_atcs(domain, 0, 0);
	rcu_read_unlock();
}

/* What a virtual IOMMU's VMID tags is stage 2, and stage 1 on top of it. */
static void tlb_add_viommu_range(struct smmu_viommu *viommu,
				 struct smmu_batch *batch,
				 const struct smmu_tlbi_range *range, bool leaf)
{
	__le64 cmd[CMD_DWORDS];

	tlb_add_vmid_range(viommu->smmu, batch, viommu->vmid, range, leaf);
	/*
	 * Combined entries are tagged with stage-1 addresses, which nobody can
	 * tell from those of stage 2: all of them go.
	 */
	smmu_cmd_tlbi_nh_all(cmd, viommu->vmid);
	smmu_batch_add(viommu->smmu, batch, cmd);
}

/**
 * smmu_tlb_flush_range - forget the translations of a range
 * @domain: the domain
 * @iova: first address, aligned to @granule
 * @size: bytes, a multiple of @granule
 * @granule: page or block size of the entries that were there; without @leaf,
 *	that of the smallest
 * @leaf: only leaf entries have changed, tables have not
 *
 * Any context. May forget more than it was asked to.
 */
void smmu_tlb_flush_range(struct smmu_domain *domain, unsigned long iova,
			  size_t size, size_t granule, bool leaf)
{
	struct smmu_device *smmu = domain->smmu;
	bool ril = smmu->features & SMMU_FEAT_RIL;
	struct smmu_tlbi_range range;
	struct smmu_batch batch __uninitialized;
	struct smmu_viommu *viommu;

	if (!ril && size / granule > SMMU_TLBI_MAX_COMMANDS) {
		smmu_tlb_flush_domain(domain);
		return;
	}

	batch.num = 0;
	/* Below a table that has gone there may have been leaves of any size. */
	smmu_tlbi_range_init(&range, iova, size, domain->tg_shift,
			     leaf ? __ffs(granule) : 0, ril);
	/* See the top of this file. */
	smp_mb();
	rcu_read_lock();
	tlb_add_vmid_range(smmu, &batch, domain->s2.vmid, &range, leaf);
	list_for_each_entry_rcu(viommu, &domain->viommus, node)
		tlb_add_viommu_range(viommu, &batch, &range, leaf);
	smmu_batch_finish(smmu, &batch);
	tlb_flush_atcs(domain, iova, size);
	rcu_read_unlock();
}

static void flush_all(void *cookie)
{
	smmu_tlb_flush_domain(cookie);
}

static void flush_walk(unsigned long iova, size_t size, size_t granule,
		       void *cookie)
{
	smmu_tlb_flush_range(cookie, iova, size, granule, false);
}

static void flush_add_page(struct iommu_iotlb_gather *gather,
			   unsigned long iova, size_t granule, void *cookie)
{
	struct smmu_domain *domain = cookie;

	iommu_iotlb_gather_add_page(&domain->domain, gather, iova, granule);
}

const struct iommu_flush_ops smmu_flush_ops = {
	.tlb_flush_all	= flush_all,
	.tlb_flush_walk	= flush_walk,
	.tlb_add_page	= flush_add_page,
};
