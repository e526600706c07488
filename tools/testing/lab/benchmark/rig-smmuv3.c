// SPDX-License-Identifier: GPL-2.0
/*
 * A virtual SMMUv3. By iommufd a vIOMMU is the SMMU, a vDEVICE gives a device its
 * StreamID, and a nested HWPT is a stream table entry.
 */
#include <errno.h>
#include <linux/iommufd.h>
#include <string.h>
#include <sys/ioctl.h>

#include "rig.h"
#include "smmuv3.h"
#include "util.h"

/* Headers of Linux before 6.13 have none of these. */
#ifndef IOMMU_VIOMMU_ALLOC
#define IOMMU_VIOMMU_ALLOC	_IO(IOMMUFD_TYPE, 0x90)
#define IOMMU_VDEVICE_ALLOC	_IO(IOMMUFD_TYPE, 0x91)
#define IOMMU_VIOMMU_TYPE_ARM_SMMUV3			1
#define IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3		1
#define IOMMU_HWPT_DATA_ARM_SMMUV3			2
#define IOMMU_HW_INFO_TYPE_ARM_SMMUV3			2

struct iommu_viommu_alloc {
	__u32 size;
	__u32 flags;
	__u32 type;
	__u32 dev_id;
	__u32 hwpt_id;
	__u32 out_viommu_id;
};

struct iommu_vdevice_alloc {
	__u32 size;
	__u32 viommu_id;
	__u32 dev_id;
	__u32 out_vdevice_id;
	__aligned_u64 virt_id;
};

struct iommu_hwpt_arm_smmuv3 {
	__aligned_le64 ste[2];
};

struct iommu_hw_info_arm_smmuv3 {
	__u32 flags;
	__u32 __reserved;
	__u32 idr[6];
	__u32 iidr;
	__u32 aidr;
};
#endif

static struct vn_command command(struct vfio_nested_command_smmuv3 native)
{
	return (struct vn_command) { .words = { native.cmd[0], native.cmd[1] } };
}

static struct vn_command nh_va(const struct rig *rig, unsigned int i)
{
	return command(vn_cmd_tlbi(VN_CMD_TLBI_NH_VA, RIG_ASID,
				   RIG_IOVA + i * VN_PAGE));
}

static struct vn_command nh_vaa(const struct rig *rig, unsigned int i)
{
	return command(vn_cmd_tlbi(VN_CMD_TLBI_NH_VAA, 0, RIG_IOVA + i * VN_PAGE));
}

static struct vn_command nh_va_range(const struct rig *rig, unsigned int i)
{
	return command(vn_cmd_tlbi_range(VN_CMD_TLBI_NH_VA, RIG_ASID,
					 RIG_IOVA + i * 16 * VN_PAGE, 12, 16));
}

static struct vn_command nh_asid(const struct rig *rig, unsigned int i)
{
	return command(vn_cmd_tlbi(VN_CMD_TLBI_NH_ASID, RIG_ASID, 0));
}

static struct vn_command nh_all(const struct rig *rig, unsigned int i)
{
	return command(vn_cmd_tlbi(VN_CMD_TLBI_NH_ALL, 0, 0));
}

static struct vn_command nsnh_all(const struct rig *rig, unsigned int i)
{
	return command(vn_cmd_tlbi(VN_CMD_TLBI_NSNH_ALL, 0, 0));
}

static struct vn_command cfgi_cd(const struct rig *rig, unsigned int i)
{
	return command(vn_cmd_cfgi_cd(RIG_STREAM(i % rig->nr_devices), 0));
}

static struct vn_command cfgi_cd_all(const struct rig *rig, unsigned int i)
{
	return command(vn_cmd_cfgi_cd_all(RIG_STREAM(i % rig->nr_devices)));
}

static struct vn_command atc_inv(const struct rig *rig, unsigned int i)
{
	return command(vn_cmd_atc_inv(RIG_STREAM(i % rig->nr_devices), VN_NO_PASID,
				      RIG_IOVA + i * VN_PAGE, 0));
}

static const struct rig_kind kinds[] = {
	{ "NH_VA", nh_va },
	{ "NH_VA-range", nh_va_range },
	{ "NH_VAA", nh_vaa },
	{ "NH_ASID", nh_asid },
	{ "NH_ALL", nh_all },
	{ "NSNH_ALL", nsnh_all },
	{ "CFGI_CD", cfgi_cd },
	{ "CFGI_CD_ALL", cfgi_cd_all },
	{ "ATC_INV", atc_inv, .ats = true },
};

static const struct rig_pace paces[] = { { "at-once", 0 }, { "later", 500000 }, {} };

static void smmuv3_prepare_faults(struct rig *rig)
{
	vn_guest_stalls(&rig->guest);
}

static void smmuv3_read_hw_info(struct rig *rig, const void *data)
{
	const struct iommu_hw_info_arm_smmuv3 *smmu = data;
	struct vfio_nested_info_smmuv3 same = {};

	memcpy(same.idr, smmu->idr, sizeof(same.idr));
	vn_smmuv3_parse(&rig->guest.smmu, &same);
}

static int make_viommu(struct rig *rig)
{
	struct iommu_viommu_alloc alloc = {
		.size = sizeof(alloc),
		.type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
		.dev_id = rig->devices[0].iommufd_id,
		.hwpt_id = rig->parent,
	};

	if (ioctl(rig->vm.fd, IOMMU_VIOMMU_ALLOC, &alloc))
		return vn_fail(-errno,
			       "IOMMU_VIOMMU_ALLOC: %m (the in-tree driver wants stage-2 force-write-back, or CANWBS)");
	rig->viommu = alloc.out_viommu_id;
	return 0;
}

static int smmuv3_join(struct rig *rig, unsigned int i)
{
	struct iommu_vdevice_alloc alloc = {
		.size = sizeof(alloc),
		.dev_id = rig->devices[i].iommufd_id,
		.virt_id = RIG_STREAM(i),
	};
	int ret;

	if (!rig->viommu) {
		ret = make_viommu(rig);
		if (ret)
			return ret;
	}
	alloc.viommu_id = rig->viommu;
	if (ioctl(rig->vm.fd, IOMMU_VDEVICE_ALLOC, &alloc))
		return vn_fail(-errno, "%s: IOMMU_VDEVICE_ALLOC: %m",
			       rig->devices[i].pci.name);
	return 0;
}

static int smmuv3_alloc(struct rig *rig, unsigned int i,
			const struct vn_context *context, uint32_t *hwpt)
{
	const struct iommu_hwpt_arm_smmuv3 data = {
		.ste = { context->data.smmuv3.ste[0], context->data.smmuv3.ste[1] },
	};

	return rig_alloc_nested(rig, i, rig->viommu, IOMMU_HWPT_DATA_ARM_SMMUV3,
				&data, sizeof(data), hwpt);
}

static int smmuv3_invalidate(struct rig *rig, const struct vn_command *commands,
			     uint32_t num)
{
	return rig_hwpt_invalidate(rig, rig->viommu,
				   IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
				   commands, sizeof(*commands), num);
}

const struct rig_arch rig_smmuv3 = {
	.backend = VFIO_NESTED_BACKEND_SMMUV3,
	.kinds = kinds,
	.nr_kinds = VN_ARRAY_SIZE(kinds),
	.table_size = VN_CD_SIZE,
	.fault_flags = VN_ACCESS_STALL,
	.fault_error = VN_ERROR_ABORTED,
	.fault_burst = 64,
	.fault_paces = paces,
	.prepare_faults = smmuv3_prepare_faults,
	.hw_info = IOMMU_HW_INFO_TYPE_ARM_SMMUV3,
	.read_hw_info = smmuv3_read_hw_info,
	.join = smmuv3_join,
	.alloc = smmuv3_alloc,
	.invalidate = smmuv3_invalidate,
};
