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

/* Events that a device may cause at once, and in each second after that. */
#define SMMU_EVENT_BURST	4096
#define SMMU_EVENT_RATE		2048

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

static void smmu_throttle_work(struct work_struct *work)
{
	struct smmu_vdev *vdev = container_of(work, struct smmu_vdev,
					      throttle_work);

	mutex_lock(&vdev->master->lock);
	smmu_master_update(vdev->master);
	mutex_unlock(&vdev->master->lock);
}

static void vdev_refill(struct smmu_vdev *vdev)
{
	vdev->tokens = SMMU_EVENT_BURST;
	vdev->refilled = jiffies;
	WRITE_ONCE(vdev->throttled, false);
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
	vdev_refill(vdev);
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
	vdev_refill(vdev);
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

/*
 * Commands of a guest that have been checked and translated, in the caller's
 * array: they lie in @first ... @end - 1, where @end is never beyond the command
 * that is looked at.
 */
struct guest_commands {
	struct smmu_device *smmu;
	__le64 *cmds;
	u32 end;
};

static int guest_commands_issue(struct guest_commands *g, bool sync)
{
	u32 num = g->end;

	g->end = 0;
	if (!num && !sync)
		return 0;
	return smmu_cmdq_issue(g->smmu, g->cmds, num, sync);
}

static void guest_commands_add(struct guest_commands *g, const __le64 *cmd)
{
	g->cmds[g->end * CMD_DWORDS] = cmd[0];
	g->cmds[g->end * CMD_DWORDS + 1] = cmd[1];
	g->end++;
}

/* A configuration is cached for each StreamID of the device. */
static int guest_cfgi(struct guest_commands *g, struct smmu_master *master,
		      __le64 *cmd)
{
	u32 i;
	int ret;

	smmu_vcmd_set_sid(cmd, master->sids[0]);
	guest_commands_add(g, cmd);
	if (likely(master->num_sids == 1))
		return 0;

	ret = guest_commands_issue(g, false);
	for (i = 1; i < master->num_sids && !ret; i++) {
		__le64 one[CMD_DWORDS] = { cmd[0], cmd[1] };

		smmu_vcmd_set_sid(one, master->sids[i]);
		ret = smmu_cmdq_issue(g->smmu, one, 1, false);
	}
	return ret;
}

static int guest_atc_inv(struct guest_commands *g, struct smmu_master *master,
			 const __le64 *cmd)
{
	int ret;

	/* What comes before must be done, or the device fetches it again. */
	ret = guest_commands_issue(g, true);
	if (ret || !READ_ONCE(master->ats_enabled))
		return ret;
	return smmu_atc_invalidate(master, cmd);
}

static int guest_command(struct iommu_nested_viommu *core,
			 struct guest_commands *g, __le64 *cmd)
{
	struct smmu_viommu *viommu = core->backend_data;
	struct iommu_nested_binding *binding;
	struct smmu_vdev *vdev = NULL;
	struct smmu_vcmd vcmd;
	const char *why;
	int ret;

	ret = smmu_vcmd_check(cmd, &viommu->vcmd_limits, &vcmd, &why);
	if (unlikely(ret)) {
		dev_notice_ratelimited(g->smmu->dev,
				       "refused guest command 0x%016llx 0x%016llx: %s\n",
				       le64_to_cpu(cmd[0]), le64_to_cpu(cmd[1]),
				       why);
		return ret;
	}
	if (vcmd.has_sid) {
		binding = iommu_nested_find(core, vcmd.vsid);
		if (!binding)
			return -ENOENT;
		vdev = binding->backend_data;
	}

	switch (vcmd.kind) {
	case SMMU_VCMD_DROP:
		return 0;
	case SMMU_VCMD_SYNC:
		guest_commands_add(g, cmd);
		return 0;
	case SMMU_VCMD_TLBI:
		smmu_vcmd_set_vmid(cmd, viommu->vmid);
		guest_commands_add(g, cmd);
		return 0;
	case SMMU_VCMD_CFGI:
		return guest_cfgi(g, vdev->master, cmd);
	case SMMU_VCMD_ATC:
		return guest_atc_inv(g, vdev->master, cmd);
	}
	return -EOPNOTSUPP;
}

/*
 * The order of a guest's commands, its SYNCs included, is kept in the queue: what
 * comes after a SYNC may rely on what comes before it.
 */
static u32 smmu_nested_invalidate(struct iommu_nested_viommu *core, void *cmds,
				  u32 num, bool sync, int *err)
{
	struct smmu_viommu *viommu = core->backend_data;
	struct guest_commands g = { .smmu = viommu->smmu, .cmds = cmds };
	u32 i;
	int ret = 0;

	for (i = 0; i < num && !ret; i++)
		ret = guest_command(core, &g, g.cmds + i * CMD_DWORDS);
	if (ret)
		i--;
	/* What was consumed is complete, also where the next one is refused. */
	if (guest_commands_issue(&g, sync || ret)) {
		ret = -EIO;
		i = 0;
	}
	if (ret)
		*err = ret;
	return i;
}

/**
 * struct event_info - what an event means, in terms of no architecture
 * @reason: enum vfio_nested_fault_reason
 * @address: the record has an input address, and says what kind of access it was
 * @ipa: with S2 set, the record has an IPA. All other records that use the last
 *	word have a physical address there, which is not for guests.
 */
struct event_info {
	u8 reason;
	bool address;
	bool ipa;
};

static const struct event_info event_infos[] = {
	[EVT_F_UUT]		= { VFIO_NESTED_REASON_TRANSACTION, true },
	[EVT_C_BAD_STREAMID]	= { VFIO_NESTED_REASON_STREAM },
	[EVT_F_STE_FETCH]	= { VFIO_NESTED_REASON_STREAM },
	[EVT_C_BAD_STE]		= { VFIO_NESTED_REASON_STREAM },
	[EVT_F_BAD_ATS_TREQ]	= { VFIO_NESTED_REASON_TRANSACTION, true },
	[EVT_F_STREAM_DISABLED]	= { VFIO_NESTED_REASON_PASID },
	[EVT_F_TRANSL_FORBIDDEN] = { VFIO_NESTED_REASON_TRANSACTION, true },
	[EVT_C_BAD_SUBSTREAMID]	= { VFIO_NESTED_REASON_PASID },
	[EVT_F_CD_FETCH]	= { VFIO_NESTED_REASON_CONTEXT },
	[EVT_C_BAD_CD]		= { VFIO_NESTED_REASON_CONTEXT },
	[EVT_F_WALK_EABT]	= { VFIO_NESTED_REASON_WALK, true },
	[EVT_F_TRANSLATION]	= { VFIO_NESTED_REASON_TRANSLATION, true, true },
	[EVT_F_ADDR_SIZE]	= { VFIO_NESTED_REASON_ADDRESS_SIZE, true, true },
	[EVT_F_ACCESS]		= { VFIO_NESTED_REASON_ACCESS, true, true },
	[EVT_F_PERMISSION]	= { VFIO_NESTED_REASON_PERMISSION, true, true },
	[EVT_F_TLB_CONFLICT]	= { VFIO_NESTED_REASON_CONFLICT, true },
	[EVT_F_CFG_CONFLICT]	= { VFIO_NESTED_REASON_CONFLICT },
	[EVT_F_VMS_FETCH]	= { VFIO_NESTED_REASON_STREAM },
};

static u32 event_flags(const struct event_info *info, const u64 *evt)
{
	u32 flags = 0;

	if (evt[0] & EVT0_SSV)
		flags |= VFIO_NESTED_FAULT_PASID;
	if (!info->address)
		return flags;

	flags |= VFIO_NESTED_FAULT_ADDRESS;
	if (evt[1] & EVT1_IND)
		flags |= VFIO_NESTED_FAULT_EXEC;
	else if (evt[1] & EVT1_RNW)
		flags |= VFIO_NESTED_FAULT_READ;
	else
		flags |= VFIO_NESTED_FAULT_WRITE;
	if (evt[1] & EVT1_PNU)
		flags |= VFIO_NESTED_FAULT_PRIV;
	if (evt[1] & EVT1_S2)
		flags |= VFIO_NESTED_FAULT_STAGE2;
	if (info->ipa && evt[1] & EVT1_S2)
		flags |= VFIO_NESTED_FAULT_IPA;
	return flags;
}

static void event_to_fault(struct smmu_vdev *vdev, const u64 *evt,
			   struct vfio_nested_fault *fault)
{
	static const struct event_info unknown;
	u32 id = FIELD_GET(EVT0_ID, evt[0]);
	const struct event_info *info = id < ARRAY_SIZE(event_infos) ?
					&event_infos[id] : &unknown;
	u64 sid = vdev->binding->virtual_id;

	fault->kind = VFIO_NESTED_FAULT_EVENT;
	fault->reason = info->reason;
	fault->flags = event_flags(info, evt);
	if (fault->flags & VFIO_NESTED_FAULT_PASID)
		fault->pasid = FIELD_GET(EVT0_SSID, evt[0]);
	if (fault->flags & VFIO_NESTED_FAULT_ADDRESS)
		fault->address = evt[2];
	if (fault->flags & VFIO_NESTED_FAULT_IPA)
		fault->ipa = evt[3] & EVT3_IPA;

	fault->raw_len = sizeof(fault->raw);
	fault->raw[0] = cpu_to_le64((evt[0] & ~EVT0_SID) |
				    FIELD_PREP(EVT0_SID, sid));
	/* Nothing stalls for a guest: there is no tag to be told. */
	fault->raw[1] = cpu_to_le64(evt[1] & ~(EVT1_STALL | EVT1_STAG));
	fault->raw[2] = cpu_to_le64(fault->address);
	fault->raw[3] = cpu_to_le64(fault->ipa);
}

/* Whether this event may still be reported; tokens run out, and come back. */
static bool vdev_take_token(struct smmu_vdev *vdev)
{
	unsigned long now = jiffies;
	u64 fresh = (u64)(now - vdev->refilled) * SMMU_EVENT_RATE / HZ;

	if (fresh) {
		vdev->tokens = min_t(u64, vdev->tokens + fresh, SMMU_EVENT_BURST);
		vdev->refilled = now;
	}
	if (!vdev->tokens)
		return false;
	vdev->tokens--;
	return true;
}

/*
 * Rates say nothing where we are slower than the devices: then the queue fills up,
 * and who has filled it is stopped before the events of others are lost.
 */
static bool vdev_crowds_out(struct smmu_vdev *vdev, const struct smmu_evtq *evtq)
{
	if (likely(!evtq->crowded))
		return false;
	if (vdev->pass != evtq->pass) {
		vdev->pass = evtq->pass;
		vdev->in_pass = 0;
	}
	return ++vdev->in_pass > (1U << evtq->q.shift) / SMMU_EVTQ_SHARE;
}

/*
 * Takes DMA away. The lock is an outer one, so it must not be waited for here; the
 * queue fills up while the work is on its way, so it is better to try.
 */
static void vdev_throttle(struct smmu_vdev *vdev)
{
	struct smmu_master *master = vdev->master;

	if (!mutex_trylock(&master->lock)) {
		schedule_work(&vdev->throttle_work);
		return;
	}
	smmu_master_update(master);
	mutex_unlock(&master->lock);
}

/**
 * smmu_nested_event - an event of a master that a guest has
 * @vdev: the guest's overlay
 * @evt: the record
 *
 * Called with the event queue's lock held. A device that floods the queue, which
 * all share, has its accesses refused without records until the VMM sets a context
 * again.
 */
void smmu_nested_event(struct smmu_vdev *vdev, const u64 *evt)
{
	struct vfio_nested_fault fault = { 0 };

	event_to_fault(vdev, evt, &fault);
	if (!vdev->throttled &&
	    (!vdev_take_token(vdev) ||
	     vdev_crowds_out(vdev, &vdev->master->smmu->evtq))) {
		fault.flags |= VFIO_NESTED_FAULT_THROTTLED;
		WRITE_ONCE(vdev->throttled, true);
		iommu_nested_throttled(vdev->binding);
		vdev_throttle(vdev);
	}
	iommu_nested_report(vdev->binding, &fault);
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
