// SPDX-License-Identifier: GPL-2.0
/*
 * The Page Request Interface of a PCI function (PCIe, section 10.5.2).
 *
 * Invariants:
 *  - a function has page requests enabled only while it has ATS, except between the
 *    two owners of a device that has been saved (smmu_master.pri_kept);
 *  - before they are enabled, whatever is left of an earlier time is forgotten, unless
 *    somebody has come to answer it;
 *  - the credits that have been promised to all functions together fit into the PRI
 *    queue. They are promised to an owner who wants page requests, whether they can be
 *    enabled yet or not, so that he is told at once when there are none.
 *
 * The PCI core offers a module no function that enables them, so the capability is
 * written here, and the PCI core does not know: it restores nothing after a reset,
 * which is the owner's to want again.
 *
 * A virtual function has no such capability. It makes use of its physical function's,
 * whose owner alone decides whether it is enabled, and with how many credits.
 */
#include <linux/delay.h>
#include <linux/pci-ats.h>

#include "share.h"
#include "smmuv3.h"

/* A function that has all its answers says so by then. */
#define PRI_STOP_TRIES		10
#define PRI_STOP_STEP_MS	1

static struct pci_dev *pri_function(const struct smmu_master *master)
{
	return pci_physfn(to_pci_dev(master->dev));
}

static u16 pri_read(const struct smmu_master *master, u32 reg)
{
	u16 val = 0;

	pci_read_config_word(pri_function(master), master->pri_cap + reg, &val);
	return val;
}

static void pri_write(const struct smmu_master *master, u32 reg, u16 val)
{
	pci_write_config_word(pri_function(master), master->pri_cap + reg, val);
}

static u32 pri_read_long(const struct smmu_master *master, u32 reg)
{
	u32 val = 0;

	pci_read_config_dword(pri_function(master), master->pri_cap + reg, &val);
	return val;
}

/**
 * smmu_pri_init - find out whether a master has page requests
 * @master: nobody else knows of it yet
 *
 * An answer goes to one requester id, so a master with several StreamIDs has none.
 */
void smmu_pri_init(struct smmu_master *master)
{
	if (!(master->smmu->features & SMMU_FEAT_PRI) ||
	    !dev_is_pci(master->dev) || master->num_sids != 1)
		return;
	master->pri_cap = pci_find_ext_capability(pri_function(master),
						  PCI_EXT_CAP_ID_PRI);
	if (master->pri_cap)
		master->pri_pasid = pri_read(master, PCI_PRI_STATUS) &
				    PCI_PRI_STATUS_PASID;
}

/**
 * smmu_pri_supported - whether a master can have page requests
 * @master: the master
 *
 * Return: true if the SMMU and the device can, and nobody else decides against it.
 */
bool smmu_pri_supported(const struct smmu_master *master)
{
	if (!master->pri_cap || !smmu_ats_supported(master))
		return false;
	return !to_pci_dev(master->dev)->is_virtfn ||
	       pri_read(master, PCI_PRI_CTRL) & PCI_PRI_CTRL_ENABLE;
}

/**
 * smmu_pri_is_shared - whether an answer can hurt another function
 * @master: the master
 *
 * Return: true if a Response Failure would end the page requests of others.
 */
bool smmu_pri_is_shared(const struct smmu_master *master)
{
	struct pci_dev *pdev = to_pci_dev(master->dev);

	return pdev->is_virtfn || pci_num_vf(pdev);
}

/* A reset ends what was kept for the next owner. */
static bool pri_still_kept(struct smmu_master *master)
{
	if (!master->pri_kept)
		return false;
	if (pri_read(master, PCI_PRI_CTRL) & PCI_PRI_CTRL_ENABLE)
		return true;
	master->pri_kept = false;
	master->pri_enabled = false;
	return false;
}

/* Enabling an interface that has not stopped has indeterminate results. */
static void pri_forget(struct smmu_master *master)
{
	u32 tries = PRI_STOP_TRIES;

	while (!(pri_read(master, PCI_PRI_STATUS) & PCI_PRI_STATUS_STOPPED) &&
	       tries--)
		msleep(PRI_STOP_STEP_MS);
	pri_write(master, PCI_PRI_CTRL, PCI_PRI_CTRL_RESET);
	/* These are cleared by writing them. */
	pri_write(master, PCI_PRI_STATUS, PCI_PRI_STATUS_RF | PCI_PRI_STATUS_UPRGI);
}

static u32 pri_capacity(const struct smmu_master *master)
{
	if (to_pci_dev(master->dev)->is_virtfn)
		return pri_read_long(master, PCI_PRI_ALLOC_REQ);
	return pri_read_long(master, PCI_PRI_MAX_REQ);
}

/* Nobody but its owner can hold a physical function to less than it has. */
static u32 pri_grant(const struct smmu_master *master, u32 credits, u32 capacity,
		     u32 reserved)
{
	bool is_virtfn = to_pci_dev(master->dev)->is_virtfn;
	u32 granted = smmu_pri_grant(is_virtfn ? capacity : credits, capacity,
				     master->smmu->priq.q.slots, reserved);

	return is_virtfn && granted < capacity ? 0 : granted;
}

static void pri_unreserve(struct smmu_master *master)
{
	struct smmu_device *smmu = master->smmu;

	spin_lock(&smmu->pri_lock);
	smmu->pri_reserved -= master->pri_granted;
	spin_unlock(&smmu->pri_lock);
	master->pri_granted = 0;
}

/**
 * smmu_pri_reserve - promise places of the PRI queue to a function
 * @master: smmu_pri_supported(), if @credits is not 0; its lock is held
 * @credits: page requests that it may have outstanding; it may get less. 0: it gives
 *	back what it has
 *
 * What was kept for the next owner stays as it is. Errors, which change nothing:
 * ENOSPC: all places are promised to others.
 */
int smmu_pri_reserve(struct smmu_master *master, u32 credits)
{
	struct smmu_device *smmu = master->smmu;
	u32 capacity, others, granted;

	lockdep_assert_held(&master->lock);
	if (pri_still_kept(master))
		return 0;
	if (!credits) {
		pri_unreserve(master);
		return 0;
	}

	capacity = pri_capacity(master);
	spin_lock(&smmu->pri_lock);
	others = smmu->pri_reserved - master->pri_granted;
	granted = pri_grant(master, credits, capacity, others);
	if (granted) {
		smmu->pri_reserved = others + granted;
		master->pri_granted = granted;
	}
	spin_unlock(&smmu->pri_lock);
	if (granted)
		return 0;
	dev_notice_ratelimited(master->dev, "no page requests: the PRI queue has no room for them\n");
	return -ENOSPC;
}

/**
 * smmu_pri_enable - let a function ask for pages
 * @master: smmu_pri_supported(), with ATS enabled and credits from
 *	smmu_pri_reserve(); its lock is held
 * @forget: nobody will answer what it may still be waiting for
 *
 * May sleep.
 */
void smmu_pri_enable(struct smmu_master *master, bool forget)
{
	lockdep_assert_held(&master->lock);
	if (pri_still_kept(master))
		master->pri_kept = false;
	if (master->pri_enabled)
		return;
	master->pri_enabled = true;
	WRITE_ONCE(master->pri_limit,
		   max(master->pri_limit, master->pri_granted));
	if (to_pci_dev(master->dev)->is_virtfn)
		return;
	if (forget)
		pri_forget(master);
	pci_write_config_dword(pri_function(master),
			       master->pri_cap + PCI_PRI_ALLOC_REQ,
			       master->pri_granted);
	pri_write(master, PCI_PRI_CTRL, PCI_PRI_CTRL_ENABLE);
}

/**
 * smmu_pri_disable - stop a function from asking for pages
 * @master: its lock is held
 *
 * May sleep. On return all that it has asked for is in the PRI queue. It still waits
 * for the answers to these, and keeps its credits.
 */
void smmu_pri_disable(struct smmu_master *master)
{
	lockdep_assert_held(&master->lock);
	if (pri_still_kept(master) || !master->pri_enabled)
		return;
	if (!to_pci_dev(master->dev)->is_virtfn)
		pri_write(master, PCI_PRI_CTRL, 0);
	/* The completion of a read comes after what was sent before it. */
	pri_read(master, PCI_PRI_STATUS);
	master->pri_enabled = false;
}

/**
 * smmu_pri_release - nobody is left who could want page requests
 * @master: on its way out
 *
 * May sleep.
 */
void smmu_pri_release(struct smmu_master *master)
{
	mutex_lock(&master->lock);
	master->pri_kept = false;
	smmu_pri_disable(master);
	pri_unreserve(master);
	mutex_unlock(&master->lock);
}
