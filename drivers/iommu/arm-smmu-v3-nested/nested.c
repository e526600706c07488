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
 *  - an event is reported to the virtual IOMMU that its master was bound to when
 *    it happened: the event queue is drained before a master is bound, and after
 *    the last moment at which it could fault for a guest.
 */
#include <linux/iommu-nested.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "smmuv3.h"

static bool unsafe_assume_coherent;
module_param(unsafe_assume_coherent, bool, 0444);
MODULE_PARM_DESC(unsafe_assume_coherent,
		 "Let guests choose memory attributes for devices whose DMA may then bypass the CPUs' caches. A guest can then see stale data of the host. For laboratories only.");

static bool guest_ats;
module_param(guest_ats, bool, 0444);
MODULE_PARM_DESC(guest_ats,
		 "Let guests enable ATS: their devices are then trusted to use only addresses that they were given.");

static struct smmu_master *to_master(struct device *dev)
{
	return dev_iommu_priv_get(dev);
}

/*
 * With stage 1 a guest chooses memory attributes. Without help from the hardware
 * it could choose such that DMA does not look into the CPUs' caches, and read what
 * the host has written over but not written back.
 */
static int check_coherent(struct smmu_master *master)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(master->dev);

	if (smmu_uses_fwb(master->smmu) ||
	    fwspec->flags & IOMMU_FWSPEC_PCI_RC_CANWBS ||
	    unsafe_assume_coherent)
		return 0;
	dev_notice_ratelimited(master->dev, "cannot be given to a guest's stage 1: neither firmware (IORT CANWBS) nor the SMMU (IDR3.FWB, on a kernel that can use it) keeps its DMA coherent; in a laboratory load smmuv3-nested with unsafe_assume_coherent=1\n");
	return -EPERM;
}

/* Features of IDR0, IDR1, IDR3 and IDR5 that are a guest's to use as they are. */
#define GUEST_IDR0	(IDR0_S1P | IDR0_TTF | IDR0_HTTU | IDR0_ASID16 |	\
			 IDR0_CD2L | IDR0_TTENDIAN | IDR0_TERM_MODEL |	\
			 IDR0_ST_LEVEL)
#define GUEST_IDR1	(IDR1_SIDSIZE | IDR1_PRIQS | IDR1_EVENTQS |	\
			 IDR1_CMDQS | IDR1_ATTR_PERMS_OVR |		\
			 IDR1_ATTR_TYPES_OVR)
#define GUEST_IDR3	(IDR3_HAD | IDR3_PPS | IDR3_STT | IDR3_RIL |	\
			 IDR3_BBML | IDR3_E0PD)
#define GUEST_IDR5	(IDR5_GRAN4K | IDR5_GRAN16K | IDR5_GRAN64K | IDR5_VAX)
#define IDR5_OAS_48	5

static bool guest_may_have_ats(struct smmu_master *master)
{
	return guest_ats && smmu_ats_supported(master);
}

static void guest_id_registers(struct smmu_master *master,
			       struct vfio_nested_info_smmuv3 *regs)
{
	const u32 *idr = master->smmu->idr;
	u32 stall_model = smmu_stall_model(master->smmu);
	u32 oas = FIELD_GET(IDR5_OAS, idr[5]);

	/* Nobody may stall for a guest: unless nothing else is possible. */
	if (stall_model == IDR0_STALL_MODEL_BOTH)
		stall_model = IDR0_STALL_MODEL_TERMINATE;

	regs->idr[0] = (idr[0] & GUEST_IDR0) |
		       FIELD_PREP(IDR0_STALL_MODEL, stall_model);
	/* Firmware knows better than the SMMU how it is connected. */
	if (master->smmu->features & SMMU_FEAT_COHERENT)
		regs->idr[0] |= IDR0_COHACC;
	if (guest_may_have_ats(master))
		regs->idr[0] |= IDR0_ATS;
	regs->idr[1] = idr[1] & GUEST_IDR1;
	regs->idr[3] = idr[3] & GUEST_IDR3;
	regs->idr[5] = (idr[5] & GUEST_IDR5) |
		       FIELD_PREP(IDR5_OAS, min_t(u32, oas, IDR5_OAS_48));
	regs->iidr = master->smmu->iidr;
	regs->aidr = master->smmu->aidr;
}

static int smmu_nested_info(struct device *dev,
			    const struct iommu_nested_policy *policy,
			    struct iommu_nested_info *info)
{
	struct smmu_master *master = to_master(dev);
	struct smmu_device *smmu = master->smmu;

	info->virtual_id_bits = 32;
	info->msi_start = SMMU_MSI_WINDOW_START;
	info->msi_size = SMMU_MSI_WINDOW_SIZE;
	info->arch_len = sizeof(info->arch.smmuv3);
	guest_id_registers(master, &info->arch.smmuv3);

	if (!(smmu->features & SMMU_FEAT_NESTING))
		return 0;
	info->caps = VFIO_NESTED_CAP_STAGE1 | VFIO_NESTED_CAP_INVALIDATE |
		     VFIO_NESTED_CAP_EVENTS;
	if (smmu_uses_fwb(smmu) || dev_iommu_fwspec_get(dev)->flags &
				   IOMMU_FWSPEC_PCI_RC_CANWBS)
		info->caps |= VFIO_NESTED_CAP_COHERENT;
	if (guest_may_have_ats(master))
		info->caps |= VFIO_NESTED_CAP_ATS;
	return 0;
}

static void viommu_set_limits(struct smmu_viommu *viommu,
			      struct smmu_master *master)
{
	struct vfio_nested_info_smmuv3 regs = { 0 };

	/* What the guest was told is what it is held to. */
	guest_id_registers(master, &regs);
	viommu->vste_limits = (struct smmu_vste_limits) {
		.ipa_bits	= viommu->smmu->oas,
		.ssid_bits	= FIELD_GET(IDR1_SSIDSIZE, regs.idr[1]),
		.cd2l		= regs.idr[0] & IDR0_CD2L,
		.stall_model	= FIELD_GET(IDR0_STALL_MODEL, regs.idr[0]),
		.eats_allowed	= regs.idr[0] & IDR0_ATS,
	};
	viommu->vcmd_limits = (struct smmu_vcmd_limits) {
		.asid16		= regs.idr[0] & IDR0_ASID16,
		.ril		= regs.idr[3] & IDR3_RIL,
		.ats		= regs.idr[0] & IDR0_ATS,
		.ssid_bits	= FIELD_GET(IDR1_SSIDSIZE, regs.idr[1]),
	};
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
	viommu = kzalloc_obj(*viommu, GFP_KERNEL);
	if (!viommu)
		return -ENOMEM;
	viommu->smmu = smmu;
	viommu_set_limits(viommu, master);
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
	if (master->domain != viommu->s2)
		return -EXDEV;
	if (master->vdev)
		return -EBUSY;
	return check_coherent(master);
}

/* Called with the master's lock held. */
static void set_overlay(struct smmu_master *master, struct smmu_vdev *vdev)
{
	/* What has happened so far belongs to what the overlay was until now. */
	smmu_evtq_drain(master->smmu);
	mutex_lock(&master->smmu->evtq.lock);
	WRITE_ONCE(master->vdev, vdev);
	mutex_unlock(&master->smmu->evtq.lock);
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
	vdev->binding = binding;
	vdev->master = master;
	vdev->viommu = viommu;
	vdev->kind = SMMU_VSTE_BYPASS;
	smmu_vdev_refill(vdev);
	INIT_WORK(&vdev->throttle_work, smmu_throttle_work);

	mutex_lock(&master->lock);
	ret = check_bindable(viommu, master);
	if (!ret) {
		binding->backend_data = vdev;
		set_overlay(master, vdev);
		/* One word of the entry changes, the VMID: no access is lost. */
		smmu_master_update(master);
	}
	mutex_unlock(&master->lock);
	if (ret)
		kfree(vdev);
	return ret;
}

static void smmu_nested_unbind(struct iommu_nested_binding *binding)
{
	struct smmu_vdev *vdev = binding->backend_data;
	struct smmu_master *master = vdev->master;

	mutex_lock(&master->lock);
	/* The ATC may hold translations of the guest's stage 1. */
	smmu_ats_disable(master);
	/* Out of force first, so that draining finds all that the guest caused. */
	vdev->kind = SMMU_VSTE_ABORT;
	smmu_master_install(master);
	set_overlay(master, NULL);
	smmu_master_update(master);
	mutex_unlock(&master->lock);

	cancel_work_sync(&vdev->throttle_work);
	binding->backend_data = NULL;
	kfree(vdev);
}

static int check_context(struct smmu_vdev *vdev,
			 const struct iommu_nested_context *context,
			 enum smmu_vste_kind *kind)
{
	const struct vfio_nested_context_smmuv3 *data = &context->data.smmuv3;
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
	if (context->len != sizeof(*data))
		return -EINVAL;
	ret = smmu_vste_check(data->ste, &vdev->viommu->vste_limits, kind, &why);
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
	int ret;

	ret = check_context(vdev, context, &kind);
	if (ret)
		return ret;

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
	mutex_lock(&master->smmu->evtq.lock);
	smmu_vdev_refill(vdev);
	mutex_unlock(&master->smmu->evtq.lock);
	smmu_master_update(master);
unlock:
	mutex_unlock(&master->lock);
	return ret;
}

static void set_in_reset(struct smmu_vdev *vdev, bool in_reset)
{
	struct smmu_master *master = vdev->master;

	mutex_lock(&master->lock);
	vdev->in_reset = in_reset;
	smmu_master_update(master);
	mutex_unlock(&master->lock);
}

static void smmu_nested_reset_prepare(struct iommu_nested_binding *binding)
{
	struct smmu_vdev *vdev = binding->backend_data;

	set_in_reset(vdev, true);
	smmu_evtq_drain(vdev->master->smmu);
}

static void smmu_nested_reset_done(struct iommu_nested_binding *binding)
{
	set_in_reset(binding->backend_data, false);
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
	if (unsafe_assume_coherent)
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
