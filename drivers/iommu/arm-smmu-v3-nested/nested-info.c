// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest is told of the SMMU and of a device, and what it is held to.
 *
 * Invariants:
 *  - the ID registers are the same for all devices behind an SMMU: they are its own, and
 *    what a single device may or may not do is in its capability bits;
 *  - nothing is promised that the hardware does not have, or that is the host's.
 */
#include <linux/iommu-nested.h>
#include <linux/module.h>

#include "smmuv3.h"

bool smmu_assume_coherent;
module_param_named(unsafe_assume_coherent, smmu_assume_coherent, bool, 0444);
MODULE_PARM_DESC(unsafe_assume_coherent,
		 "Let guests choose memory attributes for devices whose DMA may then bypass the CPUs' caches. A guest can then see stale data of the host. For laboratories only.");

bool smmu_guest_ats;
module_param_named(guest_ats, smmu_guest_ats, bool, 0444);
MODULE_PARM_DESC(guest_ats,
		 "Let guests enable ATS, and with it page requests: their devices are then trusted to use only addresses that they were given.");

/* Features of IDR0, IDR1, IDR3 and IDR5 that are a guest's to use as they are. */
#define GUEST_IDR0	(IDR0_S1P | IDR0_TTF | IDR0_HTTU | IDR0_ASID16 |	\
			 IDR0_CD2L | IDR0_TTENDIAN | IDR0_STALL_MODEL |	\
			 IDR0_TERM_MODEL | IDR0_ST_LEVEL)
#define GUEST_IDR1	(IDR1_SIDSIZE | IDR1_SSIDSIZE | IDR1_PRIQS |	\
			 IDR1_EVENTQS | IDR1_CMDQS |			\
			 IDR1_ATTR_PERMS_OVR | IDR1_ATTR_TYPES_OVR)
#define GUEST_IDR3	(IDR3_HAD | IDR3_PPS | IDR3_STT | IDR3_RIL |	\
			 IDR3_BBML | IDR3_E0PD)
#define GUEST_IDR5	(IDR5_GRAN4K | IDR5_GRAN16K | IDR5_GRAN64K | IDR5_VAX |	\
			 IDR5_STALL_MAX)
#define IDR5_OAS_48	5

static bool smmu_has_ats(const struct smmu_device *smmu)
{
	return smmu->features & SMMU_FEAT_ATS &&
	       smmu_stall_model(smmu) != IDR0_STALL_MODEL_STALL;
}

static bool smmu_has_pri(const struct smmu_device *smmu)
{
	return smmu_has_ats(smmu) && smmu->features & SMMU_FEAT_PRI;
}

/**
 * smmu_guest_may_have_ats - whether a guest may enable ATS for a device
 * @master: the device
 */
bool smmu_guest_may_have_ats(const struct smmu_master *master)
{
	return smmu_guest_ats && smmu_ats_supported(master);
}

/**
 * smmu_keeps_coherent - whether a device can be given to a guest's stage 1
 * @master: the device
 *
 * With stage 1 a guest chooses memory attributes. Without help from the hardware
 * it could choose such that DMA does not look into the CPUs' caches, and read what
 * the host has written over but not written back.
 */
bool smmu_keeps_coherent(const struct smmu_master *master)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(master->dev);

	return smmu_uses_fwb(master->smmu) ||
	       fwspec->flags & IOMMU_FWSPEC_PCI_RC_CANWBS;
}

/**
 * smmu_guest_id_registers - the ID registers as a guest may see them
 * @smmu: the SMMU
 * @regs: filled in; zero before
 */
void smmu_guest_id_registers(const struct smmu_device *smmu,
			     struct vfio_nested_info_smmuv3 *regs)
{
	const u32 *idr = smmu->idr;
	u32 oas = FIELD_GET(IDR5_OAS, idr[5]);

	regs->idr[0] = idr[0] & GUEST_IDR0;
	/* Firmware knows better than the SMMU how it is connected. */
	if (smmu->features & SMMU_FEAT_COHERENT)
		regs->idr[0] |= IDR0_COHACC;
	if (smmu_guest_ats && smmu_has_ats(smmu))
		regs->idr[0] |= IDR0_ATS;
	if (smmu_guest_ats && smmu_has_pri(smmu))
		regs->idr[0] |= IDR0_PRI;
	regs->idr[1] = idr[1] & GUEST_IDR1;
	regs->idr[3] = idr[3] & GUEST_IDR3;
	regs->idr[5] = (idr[5] & GUEST_IDR5) |
		       FIELD_PREP(IDR5_OAS, min_t(u32, oas, IDR5_OAS_48));
	regs->iidr = smmu->iidr;
	regs->aidr = smmu->aidr;
}

/**
 * smmu_guest_limits_init - what a guest's entries and commands may say
 * @smmu: its registers and queues are known
 *
 * What the guest is told is what it is held to.
 */
void smmu_guest_limits_init(struct smmu_device *smmu)
{
	struct vfio_nested_info_smmuv3 regs = { 0 };

	smmu_guest_id_registers(smmu, &regs);
	smmu->vste_limits = (struct smmu_vste_limits) {
		.ipa_bits	= smmu->oas,
		.ssid_bits	= FIELD_GET(IDR1_SSIDSIZE, regs.idr[1]),
		.cd2l		= regs.idr[0] & IDR0_CD2L,
		.stall_model	= FIELD_GET(IDR0_STALL_MODEL, regs.idr[0]),
	};
	smmu->vcmd_limits = (struct smmu_vcmd_limits) {
		.asid16		= regs.idr[0] & IDR0_ASID16,
		.ril		= regs.idr[3] & IDR3_RIL,
		.ats		= regs.idr[0] & IDR0_ATS,
		.pri		= regs.idr[0] & IDR0_PRI,
		.stall		= FIELD_GET(IDR0_STALL_MODEL, regs.idr[0]) !=
				  IDR0_STALL_MODEL_TERMINATE,
		.ssid_bits	= FIELD_GET(IDR1_SSIDSIZE, regs.idr[1]),
	};
	smmu_vcmd_table_init(&smmu->vcmd_table, &smmu->vcmd_limits);
}

/*
 * As many as the hardware can have: one virtual IOMMU may be alone. It is the same for
 * all devices, since the table is made when the first of them comes.
 */
static u32 max_pending(const struct smmu_device *smmu)
{
	u32 num = 0;

	if (smmu_stall_model(smmu) != IDR0_STALL_MODEL_TERMINATE)
		num = smmu->stall_max;
	if (smmu_guest_ats && smmu_has_pri(smmu))
		num += smmu->priq.q.slots;
	return min_t(u32, num, IOMMU_NESTED_MAX_PENDING);
}

static u64 caps_of(const struct smmu_master *master,
		   const struct iommu_nested_policy *policy)
{
	u64 caps = VFIO_NESTED_CAP_STAGE1 | VFIO_NESTED_CAP_INVALIDATE |
		   VFIO_NESTED_CAP_EVENTS;

	if (smmu_keeps_coherent(master))
		caps |= VFIO_NESTED_CAP_COHERENT;
	if (master->pasid_bits)
		caps |= VFIO_NESTED_CAP_PASID;
	if (smmu_may_stall(master, policy))
		caps |= VFIO_NESTED_CAP_STALL;
	if (smmu_guest_may_have_ats(master))
		caps |= VFIO_NESTED_CAP_ATS;
	if (smmu_guest_may_have_ats(master) && smmu_pri_supported(master))
		caps |= VFIO_NESTED_CAP_PRI;
	return caps;
}

/**
 * smmu_nested_info - iommu_nested_backend.info
 * @dev: a device behind an SMMU of ours
 * @policy: what the administrator lets it do
 * @info: filled in
 */
int smmu_nested_info(struct device *dev,
		     const struct iommu_nested_policy *policy,
		     struct iommu_nested_info *info)
{
	struct smmu_master *master = dev_iommu_priv_get(dev);
	struct smmu_device *smmu = master->smmu;

	info->virtual_id_bits = 32;
	info->msi_start = SMMU_MSI_WINDOW_START;
	info->msi_size = SMMU_MSI_WINDOW_SIZE;
	info->arch_len = sizeof(info->arch.smmuv3);
	smmu_guest_id_registers(smmu, &info->arch.smmuv3);

	if (!(smmu->features & SMMU_FEAT_NESTING))
		return 0;
	info->caps = caps_of(master, policy);
	info->pasid_bits = master->pasid_bits;
	info->max_pending = max_pending(smmu);
	return 0;
}
