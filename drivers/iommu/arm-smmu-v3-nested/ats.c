// SPDX-License-Identifier: GPL-2.0
/*
 * Address translation services: devices that keep translations of their own
 * (section 3.9).
 *
 * Invariants:
 *  - a master that may hold translations of a domain is on the domain's list, from
 *    before its entry answers the first request until after its ATC is off;
 *  - page requests are off whenever ATS is (pri.c);
 *  - a device that does not answer an invalidation loses ATS, and everybody else
 *    goes on: its entry stops answering, and with EATS clear also refuses accesses
 *    that the device says are translated already.
 */
#include <linux/log2.h>
#include <linux/pci-ats.h>
#include <linux/rculist.h>

#include "smmuv3.h"

/**
 * smmu_ats_init - find out whether a master can have ATS
 * @master: nobody else knows of it yet
 *
 * Not later: others change flags beside those that the PCI core looks at.
 */
void smmu_ats_init(struct smmu_master *master)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(master->dev);

	master->ats_capable = master->smmu->features & SMMU_FEAT_ATS &&
			      smmu_stall_model(master->smmu) !=
				      IDR0_STALL_MODEL_STALL &&
			      fwspec->flags & IOMMU_FWSPEC_PCI_RC_ATS &&
			      dev_is_pci(master->dev) &&
			      pci_ats_supported(to_pci_dev(master->dev));
}

/**
 * smmu_ats_supported - whether a master can have ATS
 * @master: the master
 *
 * Return: true if the SMMU, the root complex and the device can do it, and the device
 * does what it is told.
 */
bool smmu_ats_supported(const struct smmu_master *master)
{
	return master->ats_capable && !READ_ONCE(master->ats_dead);
}

/**
 * smmu_ats_enable - switch ATS on
 * @master: supports it and is attached to a paging domain; its lock is held
 *
 * May sleep.
 */
void smmu_ats_enable(struct smmu_master *master)
{
	struct smmu_domain *domain = master->domain;
	unsigned long flags;

	lockdep_assert_held(&master->lock);
	if (master->ats_enabled)
		return;

	spin_lock_irqsave(&domain->lock, flags);
	list_add_rcu(&master->ats_node, &domain->ats_masters);
	spin_unlock_irqrestore(&domain->lock, flags);
	/* Pairs with that in smmu_tlb_flush_range(). */
	smp_mb();
	WRITE_ONCE(master->ats_enabled, true);
	smmu_master_install(master);
	/* Smallest translation unit: the smallest that a guest's tables may have. */
	if (!pci_enable_ats(to_pci_dev(master->dev), ilog2(SZ_4K)))
		return;
	dev_warn(master->dev, "ATS cannot be enabled\n");
	smmu_ats_disable(master);
	smmu_master_install(master);
}

/**
 * smmu_ats_disable - switch ATS off
 * @master: its lock is held
 *
 * May sleep.
 */
void smmu_ats_disable(struct smmu_master *master)
{
	struct smmu_domain *domain = master->domain;
	struct pci_dev *pdev;
	unsigned long flags;

	lockdep_assert_held(&master->lock);
	/* Without ATS nothing could be done with the pages. */
	smmu_pri_disable(master);
	if (!master->ats_enabled)
		return;
	pdev = to_pci_dev(master->dev);
	/* Off means that the device forgets all translations (PCIe 10.5.1.3). */
	if (pdev->ats_enabled)
		pci_disable_ats(pdev);
	WRITE_ONCE(master->ats_enabled, false);
	/* Entries say so before invalidations stop being sent. */
	smmu_master_clear_eats(master);

	spin_lock_irqsave(&domain->lock, flags);
	list_del_rcu(&master->ats_node);
	spin_unlock_irqrestore(&domain->lock, flags);
	synchronize_rcu();
}

/* One device's invalidation, alone, so that an error is this device's. */
static bool atc_answers(struct smmu_master *master,
			const __le64 cmd[CMD_DWORDS])
{
	bool answers = true;
	u32 i;

	for (i = 0; i < master->num_sids && answers; i++) {
		__le64 one[CMD_DWORDS] = { cmd[0], cmd[1] };

		smmu_vcmd_set_sid(one, master->sids[i]);
		answers = !smmu_cmdq_issue(master->smmu, one, 1, SMMU_SYNC_ATC);
	}
	return answers;
}

/**
 * smmu_atc_invalidate - invalidate in one master's ATC, and wait for it
 * @master: the master
 * @cmd: CMD_ATC_INV; its StreamID is replaced
 *
 * Any context. Errors: EIO: the device does not answer; it has lost ATS.
 */
int smmu_atc_invalidate(struct smmu_master *master, const __le64 cmd[CMD_DWORDS])
{
	if (READ_ONCE(master->ats_dead))
		return -EIO;
	if (likely(atc_answers(master, cmd)))
		return 0;

	WRITE_ONCE(master->ats_dead, true);
	schedule_work(&master->ats_dead_work);
	return -EIO;
}

/**
 * smmu_atc_forget - invalidate everything in one master's ATC, and wait for it
 * @master: the master
 *
 * Any context.
 */
void smmu_atc_forget(struct smmu_master *master)
{
	__le64 cmd[CMD_DWORDS];

	smmu_cmd_atc_inv(cmd, 0, false, 0, false, 0, CMD_ATC_SIZE_ALL);
	smmu_atc_invalidate(master, cmd);
	/* What was translated for a PASID may have to be named. */
	if (!master->pasid_bits)
		return;
	smmu_cmd_atc_inv(cmd, 0, true, 0, true, 0, CMD_ATC_SIZE_ALL);
	smmu_atc_invalidate(master, cmd);
}

/**
 * smmu_ats_dead_work - take ATS away from a device that does not answer
 * @work: smmu_master.ats_dead_work
 */
void smmu_ats_dead_work(struct work_struct *work)
{
	struct smmu_master *master = container_of(work, struct smmu_master,
						  ats_dead_work);

	dev_err(master->dev, "does not answer ATC invalidations: ATS is off until the device is removed\n");
	mutex_lock(&master->lock);
	smmu_master_update(master);
	mutex_unlock(&master->lock);
}
