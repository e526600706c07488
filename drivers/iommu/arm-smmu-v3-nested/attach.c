// SPDX-License-Identifier: GPL-2.0
/*
 * From what a master is attached to, and what a guest has put on top of it, to its
 * stream table entries.
 *
 * Invariants:
 *  - the entries of a master are a function of its state (smmu_master_make_ste()):
 *    whoever changes the state calls smmu_master_update() before letting go of
 *    the master's lock;
 *  - an overlay is in force only while the master is attached to the stage 2 that
 *    the virtual IOMMU is on: any other attachment puts it out of force by itself,
 *    without its co-operation;
 *  - a master that is being reset, or on its way out of a virtual IOMMU, has no DMA,
 *    whatever it is attached to.
 */
#include <linux/rculist.h>

#include "smmuv3.h"

static bool overlay_in_force(const struct smmu_master *master)
{
	return master->vdev && master->attachment == SMMU_ATTACHED_PAGING &&
	       READ_ONCE(master->vdev->viommu->s2) == master->domain;
}

static void make_overlay_ste(const struct smmu_master *master,
			     const struct smmu_s2_cfg *domain_s2,
			     struct smmu_ste *ste)
{
	const struct smmu_vdev *vdev = master->vdev;
	struct smmu_s2_cfg s2 = *domain_s2;
	bool stalld;

	s2.vmid = vdev->viommu->vmid;
	if (vdev->stopped || READ_ONCE(vdev->throttled)) {
		smmu_ste_make_abort(ste);
		return;
	}

	switch (vdev->kind) {
	case SMMU_VSTE_INVALID:
		smmu_ste_make_invalid(ste);
		break;
	case SMMU_VSTE_ABORT:
		smmu_ste_make_abort(ste);
		break;
	case SMMU_VSTE_BYPASS:
		smmu_ste_make_s2(ste, &s2);
		break;
	case SMMU_VSTE_S1:
		/* Only who has leave to stall may: a guest can ask for it by itself. */
		stalld = smmu_stall_model(master->smmu) == IDR0_STALL_MODEL_BOTH &&
			 !vdev->may_stall;
		smmu_ste_make_nested(ste, &s2, vdev->vste, stalld);
		break;
	}
}

static void smmu_master_make_ste(const struct smmu_master *master,
				 struct smmu_ste *ste)
{
	bool attr_types = master->smmu->features & SMMU_FEAT_ATTR_TYPES;
	struct smmu_s2_cfg s2;

	if (master->vdev && master->vdev->in_reset) {
		smmu_ste_make_abort(ste);
		return;
	}
	switch (master->attachment) {
	case SMMU_ATTACHED_BLOCKED:
		smmu_ste_make_abort(ste);
		return;
	case SMMU_ATTACHED_IDENTITY:
		smmu_ste_make_bypass(ste, attr_types);
		return;
	case SMMU_ATTACHED_PAGING:
		break;
	}
	s2 = master->domain->s2;
	s2.eats = master->ats_enabled && !READ_ONCE(master->ats_dead);
	s2.ppar = s2.eats && master->pri_pasid;
	if (overlay_in_force(master))
		make_overlay_ste(master, &s2, ste);
	else
		smmu_ste_make_s2(ste, &s2);
}

static void write_entries(struct smmu_master *master)
{
	u32 i;

	for (i = 0; i < master->num_sids; i++)
		smmu_strtab_write(master->smmu, master->sids[i], &master->ste);
}

/**
 * smmu_master_install - bring the entries in line with the state
 * @master: its lock is held
 *
 * May sleep. On return the hardware follows the state.
 */
void smmu_master_install(struct smmu_master *master)
{
	lockdep_assert_held(&master->lock);
	smmu_master_make_ste(master, &master->ste);
	write_entries(master);
}

/**
 * smmu_master_clear_eats - stop answering translation requests
 * @master: its lock is held
 *
 * May sleep. Nothing else of the entries changes: one word at a time can be
 * replaced without refusing an access, two cannot.
 */
void smmu_master_clear_eats(struct smmu_master *master)
{
	lockdep_assert_held(&master->lock);
	master->ste.data[1] &= ~cpu_to_le64(STE1_EATS);
	write_entries(master);
}

static bool guest_has_ats(const struct smmu_vdev *vdev)
{
	return vdev->kind == SMMU_VSTE_S1 &&
	       FIELD_GET(STE1_EATS, le64_to_cpu(vdev->vste[1]));
}

/*
 * ATS is for stage 2 alone, and for a guest that asks for it. A device that is being
 * reset answers no invalidation.
 */
static bool master_wants_ats(const struct smmu_master *master)
{
	const struct smmu_vdev *vdev = master->vdev;

	if (master->attachment != SMMU_ATTACHED_PAGING ||
	    !smmu_ats_supported(master) || (vdev && vdev->in_reset))
		return false;
	if (!overlay_in_force(master) || vdev->kind == SMMU_VSTE_BYPASS)
		return true;
	return guest_has_ats(vdev);
}

/* Whether the guest wants them, and is one that could answer. */
static bool master_wants_pri(const struct smmu_master *master)
{
	const struct smmu_vdev *vdev = master->vdev;

	return overlay_in_force(master) && !READ_ONCE(vdev->throttled) &&
	       guest_has_ats(vdev) && vdev->credits;
}

/* Not called with a queue's lock held: who throttles a device does not get here. */
static void enable_requests(struct smmu_master *master)
{
	struct smmu_vdev *vdev = master->vdev;
	bool forget = !vdev->restored;

	/* Nobody has come to answer what the owner before has left. */
	if (forget && master->pri_kept) {
		master->pri_kept = false;
		smmu_pri_disable(master);
		smmu_pri_reserve(master, vdev->credits);
	}
	if (!master->pri_enabled) {
		/* What comes before run nobody would take. */
		if (vdev->stopped)
			return;
		/* The guest has not waited for the end of those of before. */
		if (forget)
			smmu_vdev_abort_requests(vdev);
	}
	vdev->restored = false;
	smmu_pri_enable(master, forget);
}

/**
 * smmu_master_update - bring entries, ATS and page requests in line with the state
 * @master: its lock is held
 *
 * May sleep. On return the hardware follows the state.
 */
void smmu_master_update(struct smmu_master *master)
{
	bool ats = master_wants_ats(master);
	bool pri = ats && master_wants_pri(master);

	/* A flood is not to be waited out. */
	if (master->vdev && READ_ONCE(master->vdev->throttled))
		master->pri_kept = false;
	if (!pri)
		smmu_pri_disable(master);
	if (!ats)
		smmu_ats_disable(master);
	smmu_master_install(master);
	if (ats)
		smmu_ats_enable(master);
	if (pri && master->ats_enabled)
		enable_requests(master);
}

/**
 * smmu_overlay_in_force - whether the guest's context reaches the hardware
 * @master: its lock is held, and it has an overlay
 *
 * Return: false if VFIO has moved the master to another domain.
 */
bool smmu_overlay_in_force(struct smmu_master *master)
{
	lockdep_assert_held(&master->lock);
	return overlay_in_force(master);
}

/**
 * smmu_master_attach - what an attach operation of the IOMMU core does
 * @master: the master; the IOMMU core holds its group's lock
 * @attachment: to what
 * @domain: the domain for SMMU_ATTACHED_PAGING, else NULL
 *
 * May sleep. Errors: EINVAL: the domain is of another SMMU.
 */
int smmu_master_attach(struct smmu_master *master,
		       enum smmu_attachment attachment,
		       struct smmu_domain *domain)
{
	if (domain && domain->smmu != master->smmu)
		return -EINVAL;

	mutex_lock(&master->lock);
	/* The ATC has nothing of the old domain when it is switched on again. */
	smmu_ats_disable(master);
	master->attachment = attachment;
	master->domain = domain;
	smmu_master_update(master);
	mutex_unlock(&master->lock);
	return 0;
}
