// SPDX-License-Identifier: GPL-2.0
/*
 * The virtual machine by iommufd: a parent HWPT is stage 2, a nested HWPT is a context,
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

static struct vn_vm_ops intree_vm;
static struct rig *the_rig;

static int alloc_hwpt(struct rig *rig, struct iommu_hwpt_alloc *alloc,
		      uint32_t *id)
{
	alloc->size = sizeof(*alloc);
	if (ioctl(rig->vm.fd, IOMMU_HWPT_ALLOC, alloc))
		return vn_fail(-errno, "IOMMU_HWPT_ALLOC: %m");
	*id = alloc->out_hwpt_id;
	return 0;
}

int rig_alloc_nested(struct rig *rig, unsigned int i, uint32_t pt, uint32_t type,
		     const void *data, size_t len, uint32_t *hwpt)
{
	struct iommu_hwpt_alloc alloc = {
		.flags = rig->fault_queue ? IOMMU_HWPT_FAULT_ID_VALID : 0,
		.dev_id = rig->devices[i].iommufd_id,
		.pt_id = pt,
		.data_type = type,
		.data_len = len,
		.data_uptr = (uintptr_t)data,
		.fault_id = rig->fault_queue,
	};

	return alloc_hwpt(rig, &alloc, hwpt);
}

int rig_hwpt_invalidate(struct rig *rig, uint32_t id, uint32_t type,
			const void *entries, size_t len, uint32_t num)
{
	struct iommu_hwpt_invalidate invalidate = {
		.size = sizeof(invalidate),
		.hwpt_id = id,
		.data_uptr = (uintptr_t)entries,
		.data_type = type,
		.entry_len = len,
		.entry_num = num,
	};

	if (ioctl(rig->vm.fd, IOMMU_HWPT_INVALIDATE, &invalidate))
		return vn_fail(-errno, "IOMMU_HWPT_INVALIDATE: %m");
	return invalidate.entry_num == num ? 0 : -EIO;
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
	struct iommu_hwpt_alloc alloc = {
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
		.pt_id = vm->ioas,
	};
	int ret;

	ret = vn_iommufd_bind(vm, device);
	alloc.dev_id = device->iommufd_id;
	if (!ret && !rig->parent)
		ret = alloc_hwpt(rig, &alloc, &rig->parent);
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

/* Which IOMMU there is, and what the guest is told of it */
static int get_info(struct rig *rig)
{
	const struct rig_arch *const *arch;
	uint64_t data[16] = {};
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = rig->devices[0].iommufd_id,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)data,
	};

	if (ioctl(rig->vm.fd, IOMMU_GET_HW_INFO, &info))
		return vn_fail(-errno, "IOMMU_GET_HW_INFO: %m");
	for (arch = rig_archs; *arch; arch++) {
		if ((*arch)->hw_info != info.out_data_type)
			continue;
		rig->arch = *arch;
		rig->guest.arch = vn_arch_of(rig->arch->backend);
		rig->arch->read_hw_info(rig, data);
		return 0;
	}
	return vn_fail(-EOPNOTSUPP, "an IOMMU of an unknown kind (%u)",
		       info.out_data_type);
}

static int intree_join(struct rig *rig, unsigned int i)
{
	int ret;

	if (!i) {
		ret = get_info(rig);
		if (ret)
			return ret;
	}
	return rig->arch->join ? rig->arch->join(rig, i) : 0;
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

static int intree_set(struct rig *rig, unsigned int i,
		      const struct vn_context *context)
{
	uint32_t hwpt = 0;
	int ret;

	ret = rig->arch->alloc(rig, i, context, &hwpt);
	return ret ? ret : move_to(rig, i, hwpt);
}

static int intree_clear(struct rig *rig, unsigned int i)
{
	return move_to(rig, i, 0);
}

static int intree_invalidate(struct rig *rig, const struct vn_command *commands,
			     uint32_t num)
{
	return rig->arch->invalidate(rig, commands, num);
}

static int intree_make(struct rig *rig, bool faults)
{
	struct iommu_fault_alloc alloc = { .size = sizeof(alloc) };

	if (!faults)
		return 0;
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
	.make = intree_make,
	.join = intree_join,
	.set = intree_set,
	.clear = intree_clear,
	.invalidate = intree_invalidate,
	.wait = intree_wait,
	.answer = intree_answer,
};
