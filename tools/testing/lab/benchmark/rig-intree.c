// SPDX-License-Identifier: GPL-2.0
/*
 * The virtual machine by iommufd: a parent HWPT is stage 2, a vIOMMU is the virtual
 * SMMU, a vDEVICE gives a device its StreamID, a nested HWPT is a stream table entry,
 * and a fault queue reports recoverable faults.
 */
#include <errno.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "rig.h"
#include "util.h"

/* Headers of Linux before 6.13 have none of these. */
#ifndef IOMMU_VIOMMU_ALLOC
#define IOMMU_VIOMMU_ALLOC	_IO(IOMMUFD_TYPE, 0x90)
#define IOMMU_VDEVICE_ALLOC	_IO(IOMMUFD_TYPE, 0x91)
#define IOMMU_VIOMMU_TYPE_ARM_SMMUV3			1
#define IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3		1
#define IOMMU_HWPT_DATA_ARM_SMMUV3			2

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

static struct vn_vm_ops intree_vm;
static struct rig *the_rig;

static int alloc_hwpt(struct rig *rig, struct vn_device *device, uint32_t pt,
		      uint32_t flags, const struct iommu_hwpt_arm_smmuv3 *data,
		      uint32_t *id)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.flags = flags,
		.dev_id = device->iommufd_id,
		.pt_id = pt,
		.data_type = data ? IOMMU_HWPT_DATA_ARM_SMMUV3 :
				    IOMMU_HWPT_DATA_NONE,
		.data_len = data ? sizeof(*data) : 0,
		.data_uptr = (uintptr_t)data,
		.fault_id = flags & IOMMU_HWPT_FAULT_ID_VALID ?
				    rig->fault_queue : 0,
	};

	if (ioctl(rig->vm.fd, IOMMU_HWPT_ALLOC, &alloc))
		return vn_fail(-errno, "%s: IOMMU_HWPT_ALLOC: %m", device->pci.name);
	*id = alloc.out_hwpt_id;
	return 0;
}

static int destroy(struct rig *rig, uint32_t id)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = id };

	if (ioctl(rig->vm.fd, IOMMU_DESTROY, &destroy))
		return vn_fail(-errno, "IOMMU_DESTROY: %m");
	return 0;
}

/* Stage 2 is made with the first device. */
static int intree_attach(struct vn_vm *vm, struct vn_device *device)
{
	struct rig *rig = the_rig;
	int ret;

	ret = vn_iommufd_bind(vm, device);
	if (!ret && !rig->parent)
		ret = alloc_hwpt(rig, device, vm->ioas,
				 IOMMU_HWPT_ALLOC_NEST_PARENT, NULL, &rig->parent);
	return ret ? ret : vn_iommufd_attach(device, rig->parent);
}

static int intree_open(struct rig *rig)
{
	int ret;

	setenv("VFIO_NESTED_IOMMU", vn_vm_iommufd.name, 1);
	ret = vn_vm_open(&rig->vm);
	intree_vm = vn_vm_iommufd;
	intree_vm.attach = intree_attach;
	rig->vm.ops = &intree_vm;
	the_rig = rig;
	return ret;
}

static int get_info(struct rig *rig)
{
	struct iommu_hw_info_arm_smmuv3 smmu = {};
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = rig->devices[0].iommufd_id,
		.data_len = sizeof(smmu),
		.data_uptr = (uintptr_t)&smmu,
	};
	struct vfio_nested_info_smmuv3 same = {};

	if (ioctl(rig->vm.fd, IOMMU_GET_HW_INFO, &info))
		return vn_fail(-errno, "IOMMU_GET_HW_INFO: %m");
	memcpy(same.idr, smmu.idr, sizeof(same.idr));
	rig->guest.arch = vn_arch_of(VFIO_NESTED_BACKEND_SMMUV3);
	vn_smmuv3_parse(&rig->guest.smmu, &same);
	return 0;
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

static int intree_join(struct rig *rig, unsigned int i)
{
	struct iommu_vdevice_alloc alloc = {
		.size = sizeof(alloc),
		.dev_id = rig->devices[i].iommufd_id,
		.virt_id = RIG_STREAM(i),
	};
	int ret;

	if (!rig->viommu) {
		ret = get_info(rig);
		if (!ret)
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

static int move_to(struct rig *rig, unsigned int i, uint32_t hwpt)
{
	uint32_t old = rig->hwpts[i];
	int ret;

	ret = vn_iommufd_attach(&rig->devices[i], hwpt ?: rig->parent);
	if (ret)
		return ret;
	rig->hwpts[i] = hwpt;
	return old ? destroy(rig, old) : 0;
}

static int intree_set(struct rig *rig, unsigned int i, const uint64_t ste[2])
{
	const struct iommu_hwpt_arm_smmuv3 data = { .ste = { ste[0], ste[1] } };
	uint32_t hwpt = 0;
	int ret;

	ret = alloc_hwpt(rig, &rig->devices[i], rig->viommu,
			 rig->fault_queue ? IOMMU_HWPT_FAULT_ID_VALID : 0, &data,
			 &hwpt);
	return ret ? ret : move_to(rig, i, hwpt);
}

static int intree_clear(struct rig *rig, unsigned int i)
{
	return move_to(rig, i, 0);
}

static int intree_invalidate(struct rig *rig,
			     const struct vfio_nested_command_smmuv3 *commands,
			     uint32_t num)
{
	struct iommu_hwpt_invalidate invalidate = {
		.size = sizeof(invalidate),
		.hwpt_id = rig->viommu,
		.data_uptr = (uintptr_t)commands,
		.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
		.entry_len = sizeof(*commands),
		.entry_num = num,
	};

	if (ioctl(rig->vm.fd, IOMMU_HWPT_INVALIDATE, &invalidate))
		return vn_fail(-errno, "IOMMU_HWPT_INVALIDATE: %m");
	return invalidate.entry_num == num ? 0 : -EIO;
}

static int intree_prepare_faults(struct rig *rig)
{
	struct iommu_fault_alloc alloc = { .size = sizeof(alloc) };

	if (ioctl(rig->vm.fd, IOMMU_FAULT_QUEUE_ALLOC, &alloc))
		return vn_fail(-errno, "IOMMU_FAULT_QUEUE_ALLOC: %m");
	rig->fault_queue = alloc.out_fault_id;
	rig->fault_fd = alloc.out_fault_fd;
	return 0;
}

static int intree_wait(struct rig *rig, uint64_t *faults, unsigned int max)
{
	struct pollfd wanted = { .fd = rig->fault_fd, .events = POLLIN };
	struct iommu_hwpt_pgfault records[RIG_FAULTS];
	unsigned int num, i;
	ssize_t got;

	if (poll(&wanted, 1, VN_TIMEOUT_MS) != 1)
		return vn_fail(-ETIMEDOUT, "no fault was reported");
	got = read(rig->fault_fd, records, max * sizeof(records[0]));
	if (got < 0)
		return vn_fail(-errno, "fault queue: %m");
	num = got / sizeof(records[0]);
	for (i = 0; i < num; i++)
		faults[i] = records[i].cookie;
	return num;
}

static int intree_answer(struct rig *rig, const uint64_t *faults,
			 unsigned int num, bool retry)
{
	struct iommu_hwpt_page_response responses[RIG_FAULTS];
	unsigned int i;
	ssize_t size = num * sizeof(responses[0]);

	for (i = 0; i < num; i++) {
		responses[i].cookie = faults[i];
		responses[i].code = retry ? IOMMUFD_PAGE_RESP_SUCCESS :
					    IOMMUFD_PAGE_RESP_INVALID;
	}
	if (write(rig->fault_fd, responses, size) != size)
		return vn_fail(-EIO, "fault queue: not all answers were taken");
	return 0;
}

const struct rig_driver rig_intree = {
	.name = "intree",
	.vfio_driver = "vfio-pci",
	.open = intree_open,
	.join = intree_join,
	.set = intree_set,
	.clear = intree_clear,
	.invalidate = intree_invalidate,
	.prepare_faults = intree_prepare_faults,
	.wait = intree_wait,
	.answer = intree_answer,
};
