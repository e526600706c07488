// SPDX-License-Identifier: GPL-2.0
/*
 * The backend for the nested core: a guest's stage 1 on top of a master's stage 2.
 *
 * Invariants:
 *  - the domain that the IOMMU core sees never changes: what a guest has set is an
 *    overlay (struct smmu_vdev) on the master, see attach.c;
 *  - no word of a guest's reaches the hardware unchecked, and none that names a
 *    VMID or a StreamID reaches it at all: those are replaced by the virtual
 *    IOMMU's VMID and by the StreamIDs of a master that is bound to it;
 *  - a virtual IOMMU's VMID tags what its masters use and nothing else; it is free
 *    for others only after all that it tags has been removed;
 *  - a record is reported to the virtual IOMMU that its master was bound to when
 *    it happened: the queues are drained before a master is bound, and after the last
 *    moment at which it could fault for a guest. By then no access of the master
 *    waits for that guest (nested-fault.c).
 */
#include <linux/iommu-nested.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "record.h"
#include "smmuv3.h"

static struct smmu_master *to_master(struct device *dev)
{
	return dev_iommu_priv_get(dev);
}

static int check_coherent(struct smmu_master *master)
{
	if (smmu_keeps_coherent(master) || smmu_assume_coherent)
		return 0;
	dev_notice_ratelimited(master->dev, "cannot be given to a guest's stage 1: neither firmware (IORT CANWBS) nor the SMMU (IDR3.FWB, on a kernel that can use it) keeps its DMA coherent; in a laboratory load smmuv3-nested with unsafe_assume_coherent=1\n");
	return -EPERM;
}

/* Called with the master's lock held. */
static int viommu_join_domain(struct smmu_viommu *viommu,
			      struct smmu_master *master)
{
	struct smmu_domain *domain = master->domain;

	if (master->attachment != SMMU_ATTACHED_PAGING)
		return -ENODEV;
	spin_lock_irq(&viommu->smmu->viommus_lock);
	WRITE_ONCE(viommu->s2, domain);
	list_add_rcu(&viommu->node, &domain->viommus);
	spin_unlock_irq(&viommu->smmu->viommus_lock);
	/* Pairs with that in smmu_tlb_flush_range(): before any entry has the VMID. */
	smp_mb();
	return 0;
}

static int smmu_viommu_init(struct iommu_nested_viommu *core,
			    struct device *dev)
{
	struct smmu_master *master = to_master(dev);
	struct smmu_device *smmu = master->smmu;
	struct smmu_viommu *viommu;
	int ret;

	if (!(smmu->features & SMMU_FEAT_NESTING)) {
		dev_notice_ratelimited(smmu->dev, "this SMMU cannot nest (IDR0.S1P and S2P, or an erratum)\n");
		return -EOPNOTSUPP;
	}
	viommu = kzalloc_obj(*viommu, GFP_KERNEL_ACCOUNT);
	if (!viommu)
		return -ENOMEM;
	viommu->smmu = smmu;
	ret = smmu_vmid_alloc(smmu, &viommu->vmid);
	if (ret)
		goto err_free;

	mutex_lock(&master->lock);
	ret = viommu_join_domain(viommu, master);
	mutex_unlock(&master->lock);
	if (ret)
		goto err_vmid;
	core->backend_data = viommu;
	return 0;

err_vmid:
	smmu_vmid_free(smmu, viommu->vmid);
err_free:
	kfree(viommu);
	return ret;
}

static void smmu_viommu_release(struct iommu_nested_viommu *core)
{
	struct smmu_viommu *viommu = core->backend_data;

	core->backend_data = NULL;
	spin_lock_irq(&viommu->smmu->viommus_lock);
	if (viommu->s2)
		list_del_rcu(&viommu->node);
	spin_unlock_irq(&viommu->smmu->viommus_lock);
	/* An invalidation that still sees us may name the VMID: no harm in that. */
	smmu_vmid_free(viommu->smmu, viommu->vmid);
	kfree_rcu(viommu, rcu);
}

/* Called with the master's lock held. */
static int check_bindable(struct smmu_viommu *viommu,
			  struct smmu_master *master)
{
	if (master->smmu != viommu->smmu)
		return -EXDEV;
	if (master->attachment != SMMU_ATTACHED_PAGING)
		return -ENODEV;
	if (master->domain != READ_ONCE(viommu->s2))
		return -EXDEV;
	if (master->vdev)
		return -EBUSY;
	return check_coherent(master);
}

/* Who shares the places for stalls. Called with the event queue's lock held. */
static void count_staller(struct smmu_vdev *vdev, bool joins)
{
	struct smmu_viommu *viommu = vdev->viommu;

	if (!vdev->may_stall)
		return;
	if (joins ? !viommu->stallers++ : !--viommu->stallers)
		viommu->smmu->stallers += joins ? 1 : -1;
}

/* Called with the master's lock held. */
static void set_overlay(struct smmu_master *master, struct smmu_vdev *vdev)
{
	struct smmu_device *smmu = master->smmu;

	/* What has happened so far belongs to what the overlay was until now. */
	smmu_records_drain(smmu);
	smmu_records_lock(smmu);
	if (master->vdev)
		count_staller(master->vdev, false);
	if (vdev)
		count_staller(vdev, true);
	WRITE_ONCE(master->vdev, vdev);
	smmu_records_unlock(smmu);
}

static int smmu_nested_bind(struct iommu_nested_binding *binding)
{
	struct smmu_viommu *viommu = binding->viommu->backend_data;
	struct smmu_master *master = to_master(binding->dev);
	struct smmu_vdev *vdev;
	int ret;

	vdev = kzalloc_obj(*vdev, GFP_KERNEL_ACCOUNT);
	if (!vdev)
		return -ENOMEM;
	vdev->vsid = binding->virtual_id;
	vdev->binding = binding;
	vdev->master = master;
	vdev->viommu = viommu;
	vdev->kind = SMMU_VSTE_BYPASS;
	vdev->may_stall = smmu_may_stall(master, &binding->policy);
	smmu_vdev_init_floods(vdev);
	INIT_WORK(&vdev->throttle_work, smmu_throttle_work);

	mutex_lock(&master->lock);
	ret = check_bindable(viommu, master);
	if (!ret) {
		binding->backend_data = vdev;
		hlist_add_head(&vdev->node,
			       &viommu->vdevs[hash_32(vdev->vsid,
						      SMMU_VDEV_HASH_BITS)]);
		set_overlay(master, vdev);
		/* One word of the entry changes, the VMID: no access is lost. */
		smmu_master_update(master);
	}
	mutex_unlock(&master->lock);
	if (ret)
		kfree(vdev);
	return ret;
}

/*
 * Nothing of the device passes, or waits, any more. Called with the master's lock held.
 */
static void quiesce(struct smmu_vdev *vdev)
{
	struct smmu_master *master = vdev->master;

	smmu_pri_disable(master);
	vdev->in_reset = true;
	smmu_master_install(master);
	smmu_vdev_end_faults(vdev);
	/* The ATC may hold translations of the guest's stage 1. */
	smmu_ats_disable(master);
}

static void smmu_nested_unbind(struct iommu_nested_binding *binding)
{
	struct smmu_vdev *vdev = binding->backend_data;
	struct smmu_master *master = vdev->master;

	mutex_lock(&master->lock);
	/* It goes on waiting for what the next owner is to answer. */
	master->pri_kept = binding->saved && master->pri_enabled;
	quiesce(vdev);
	smmu_pri_reserve(master, 0);
	set_overlay(master, NULL);
	smmu_master_update(master);
	mutex_unlock(&master->lock);

	cancel_work_sync(&vdev->throttle_work);
	binding->backend_data = NULL;
	hlist_del(&vdev->node);
	kfree(vdev);
}

static int check_context(struct smmu_vdev *vdev,
			 const struct iommu_nested_context *context,
			 enum smmu_vste_kind *kind)
{
	const struct vfio_nested_context_smmuv3 *data = &context->data.smmuv3;
	struct smmu_vste_limits limits = vdev->viommu->smmu->vste_limits;
	const char *why;
	int ret;

	switch (context->type) {
	case VFIO_NESTED_CONTEXT_CLEAR:
	case VFIO_NESTED_CONTEXT_BYPASS:
		*kind = SMMU_VSTE_BYPASS;
		return 0;
	case VFIO_NESTED_CONTEXT_ABORT:
		*kind = SMMU_VSTE_ABORT;
		return 0;
	case VFIO_NESTED_CONTEXT_SMMUV3:
		break;
	default:
		return -EOPNOTSUPP;
	}
	limits.eats_allowed = smmu_guest_may_have_ats(vdev->master);
	ret = smmu_vste_check(data->ste, &limits, kind, &why);
	if (ret)
		dev_notice_ratelimited(vdev->master->dev,
				       "refused stream table entry 0x%016llx 0x%016llx: %s\n",
				       le64_to_cpu(data->ste[0]),
				       le64_to_cpu(data->ste[1]), why);
	return ret;
}

static int smmu_nested_set_context(struct iommu_nested_binding *binding,
				   const struct iommu_nested_context *context)
{
	struct smmu_vdev *vdev = binding->backend_data;
	struct smmu_master *master = vdev->master;
	enum smmu_vste_kind kind;
	bool had_ats;
	int ret;

	ret = check_context(vdev, context, &kind);
	if (ret)
		return ret;

	smmu_vdev_pause(vdev);
	mutex_lock(&master->lock);
	/* For a reset newer kernels take a device with ATS off its stage 2. */
	if (!vdev->in_reset && !smmu_overlay_in_force(master)) {
		ret = -ENODEV;
		goto unlock;
	}
	vdev->kind = kind;
	if (kind == SMMU_VSTE_S1) {
		vdev->vste[0] = context->data.smmuv3.ste[0];
		vdev->vste[1] = context->data.smmuv3.ste[1];
	}
	smmu_records_lock(master->smmu);
	smmu_vdev_forgive(vdev);
	smmu_records_unlock(master->smmu);
	had_ats = master->ats_enabled;
	smmu_master_update(master);
	/* It has translations of what was in force until now. */
	if (had_ats && master->ats_enabled)
		smmu_atc_forget(master);
unlock:
	mutex_unlock(&master->lock);
	return ret;
}

static void smmu_nested_reset_prepare(struct iommu_nested_binding *binding)
{
	struct smmu_vdev *vdev = binding->backend_data;
	struct smmu_master *master = vdev->master;

	mutex_lock(&master->lock);
	master->pri_kept = false;
	quiesce(vdev);
	mutex_unlock(&master->lock);
}

static void smmu_nested_reset_done(struct iommu_nested_binding *binding)
{
	struct smmu_vdev *vdev = binding->backend_data;
	struct smmu_master *master = vdev->master;

	mutex_lock(&master->lock);
	smmu_evtq_lock(&master->smmu->evtq);
	vdev->terminated = false;
	smmu_evtq_unlock(&master->smmu->evtq);
	vdev->in_reset = false;
	smmu_master_update(master);
	mutex_unlock(&master->lock);
}

/*
 * ATS and page requests stay as they are: a page request that is not answered yet will
 * be, after run.
 */
static void set_stopped(struct smmu_vdev *vdev, bool stopped)
{
	struct smmu_master *master = vdev->master;

	mutex_lock(&master->lock);
	vdev->stopped = stopped;
	smmu_master_update(master);
	mutex_unlock(&master->lock);
}

static void smmu_nested_stop(struct iommu_nested_binding *binding)
{
	struct smmu_vdev *vdev = binding->backend_data;

	set_stopped(vdev, true);
	smmu_records_drain(vdev->master->smmu);
}

static void smmu_nested_run(struct iommu_nested_binding *binding)
{
	set_stopped(binding->backend_data, false);
}

static int smmu_nested_set_page_requests(struct iommu_nested_binding *binding,
					 u32 credits)
{
	struct smmu_vdev *vdev = binding->backend_data;
	struct smmu_master *master = vdev->master;
	int ret;

	if (credits && !smmu_guest_ats)
		return -EPERM;
	if (credits && !smmu_pri_supported(master))
		return -EOPNOTSUPP;

	mutex_lock(&master->lock);
	if (!credits)
		master->pri_kept = false;
	if (vdev->credits != credits)
		smmu_pri_disable(master);
	ret = smmu_pri_reserve(master, credits);
	if (!ret)
		vdev->credits = credits;
	smmu_master_update(master);
	mutex_unlock(&master->lock);
	return ret;
}

static void set_restored(struct smmu_vdev *vdev, bool restored)
{
	mutex_lock(&vdev->master->lock);
	vdev->restored = restored;
	mutex_unlock(&vdev->master->lock);
}

static int smmu_nested_restore_request(struct iommu_nested_binding *binding,
				       struct vfio_nested_fault *fault)
{
	struct smmu_vdev *vdev = binding->backend_data;
	int ret;

	ret = smmu_record_restore(fault, binding->virtual_id,
				  vdev->master->pasid_bits);
	if (!ret)
		set_restored(vdev, true);
	return ret;
}

static void smmu_nested_unrestore(struct iommu_nested_binding *binding)
{
	set_restored(binding->backend_data, false);
}

static struct iommu_nested_backend smmu_nested_backend = {
	.owner		= THIS_MODULE,
	.name		= "SMMUv3",
	.type		= VFIO_NESTED_BACKEND_SMMUV3,
	.command_type	= VFIO_NESTED_COMMAND_SMMUV3,
	.command_len	= sizeof(struct vfio_nested_command_smmuv3),
	.owns		= smmu_owns,
	.info		= smmu_nested_info,
	.viommu_init	= smmu_viommu_init,
	.viommu_release	= smmu_viommu_release,
	.bind		= smmu_nested_bind,
	.unbind		= smmu_nested_unbind,
	.set_context	= smmu_nested_set_context,
	.stop		= smmu_nested_stop,
	.run		= smmu_nested_run,
	.set_page_requests = smmu_nested_set_page_requests,
	.set_tag	= smmu_record_set_tag,
	.restore_request = smmu_nested_restore_request,
	.unrestore	= smmu_nested_unrestore,
	.respond	= smmu_nested_respond,
	.reset_prepare	= smmu_nested_reset_prepare,
	.reset_done	= smmu_nested_reset_done,
	.invalidate	= smmu_nested_invalidate,
};

/**
 * smmu_nested_register - become a backend of the nested core
 *
 * Errors: those of iommu_nested_register_backend().
 */
int smmu_nested_register(void)
{
	if (smmu_assume_coherent)
		pr_warn("smmuv3-nested: unsafe_assume_coherent: guests can see stale data of the host\n");
	return iommu_nested_register_backend(&smmu_nested_backend);
}

/**
 * smmu_nested_unregister - stop being one; no virtual IOMMU is left
 */
void smmu_nested_unregister(void)
{
	iommu_nested_unregister_backend(&smmu_nested_backend);
}
