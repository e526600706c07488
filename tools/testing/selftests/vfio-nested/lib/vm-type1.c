// SPDX-License-Identifier: GPL-2.0
/* Stage 2 by a VFIO container with a type1 IOMMU, devices by their groups. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"
#include "util.h"
#include "vm.h"

static int type1_open(struct vn_vm *vm)
{
	vm->fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (vm->fd < 0)
		return vn_fail(-errno,
			       "cannot open /dev/vfio/vfio: %m (modprobe vfio_iommu_type1)");
	if (ioctl(vm->fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1) {
		close(vm->fd);
		vm->fd = -1;
		return vn_fail(-ENODEV,
			       "VFIO has no type1 IOMMU (modprobe vfio_iommu_type1)");
	}
	return 0;
}

static int join_container(struct vn_vm *vm, struct vn_device *device)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	const char *name = device->pci.name;

	if (ioctl(device->group_fd, VFIO_GROUP_GET_STATUS, &status))
		return vn_fail(-errno, "%s: VFIO_GROUP_GET_STATUS: %m", name);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return vn_fail(-EBUSY,
			       "%s: another device of IOMMU group %d has a host driver",
			       name, device->pci.group);
	if (ioctl(device->group_fd, VFIO_GROUP_SET_CONTAINER, &vm->fd))
		return vn_fail(-errno, "%s: VFIO_GROUP_SET_CONTAINER: %m", name);
	if (vm->configured)
		return 0;
	if (ioctl(vm->fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return vn_fail(-errno, "%s: VFIO_SET_IOMMU: %m", name);
	vm->configured = true;
	return 0;
}

static int type1_attach(struct vn_vm *vm, struct vn_device *device)
{
	const char *name = device->pci.name;
	char path[32];
	int ret;

	if (device->pci.group < 0)
		return vn_fail(-ENODEV, "%s has no IOMMU group: no IOMMU driver took it",
			       name);
	snprintf(path, sizeof(path), "/dev/vfio/%d", device->pci.group);
	device->group_fd = open(path, O_RDWR | O_CLOEXEC);
	if (device->group_fd < 0)
		return vn_fail(-errno, "%s: cannot open %s: %m", name, path);

	ret = join_container(vm, device);
	if (ret)
		goto err_close;
	device->fd = ioctl(device->group_fd, VFIO_GROUP_GET_DEVICE_FD, name);
	if (device->fd < 0) {
		ret = vn_fail(-errno, "%s: VFIO_GROUP_GET_DEVICE_FD: %m", name);
		goto err_close;
	}
	return 0;

err_close:
	close(device->group_fd);
	device->group_fd = -1;
	return ret;
}

static void type1_detach(struct vn_vm *vm, struct vn_device *device)
{
	close(device->fd);
	close(device->group_fd);
	device->fd = -1;
	device->group_fd = -1;
	/* A container without groups has forgotten its IOMMU. */
	if (vm->nr_devices == 1)
		vm->configured = false;
}

static int type1_map(struct vn_vm *vm, uint64_t ipa, void *va, uint64_t size,
		     int prot)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = (prot & VN_PROT_READ ? VFIO_DMA_MAP_FLAG_READ : 0) |
			 (prot & VN_PROT_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = (uintptr_t)va,
		.iova = ipa,
		.size = size,
	};

	if (ioctl(vm->fd, VFIO_IOMMU_MAP_DMA, &map))
		return vn_fail(-errno, "VFIO_IOMMU_MAP_DMA of 0x%llx bytes at 0x%llx: %m",
			       (unsigned long long)size, (unsigned long long)ipa);
	return 0;
}

static int type1_unmap(struct vn_vm *vm, uint64_t ipa, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = ipa,
		.size = size,
	};

	if (ioctl(vm->fd, VFIO_IOMMU_UNMAP_DMA, &unmap))
		return vn_fail(-errno, "VFIO_IOMMU_UNMAP_DMA: %m");
	if (unmap.size != size)
		return vn_fail(-ENOENT, "VFIO_IOMMU_UNMAP_DMA: nothing was mapped at 0x%llx",
			       (unsigned long long)ipa);
	return 0;
}

const struct vn_vm_ops vn_vm_type1 = {
	.name = "type1",
	.open = type1_open,
	.attach = type1_attach,
	.detach = type1_detach,
	.map = type1_map,
	.unmap = type1_unmap,
};
