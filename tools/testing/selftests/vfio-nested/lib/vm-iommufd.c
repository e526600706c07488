// SPDX-License-Identifier: GPL-2.0
/* Stage 2 by an iommufd address space, devices by their own character devices. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"
#include "util.h"
#include "vm.h"

/* VFIO_DEVICE_ATTACH_PASID; older headers lack it. */
#define ATTACH_PASID		1

static int new_ioas(struct vn_vm *vm)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	if (ioctl(vm->fd, IOMMU_IOAS_ALLOC, &alloc))
		return vn_fail(-errno, "IOMMU_IOAS_ALLOC: %m");
	vm->ioas = alloc.out_ioas_id;
	vm->parent = 0;
	return 0;
}

static int iommufd_open(struct vn_vm *vm)
{
	int ret;

	vm->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (vm->fd < 0)
		return vn_fail(-errno,
			       "cannot open /dev/iommu: %m (a kernel with CONFIG_IOMMUFD is needed)");
	ret = new_ioas(vm);
	if (ret) {
		close(vm->fd);
		vm->fd = -1;
	}
	return ret;
}

/* The one entry of the function's vfio-dev directory names its character device. */
static int open_cdev(struct vn_device *device)
{
	char path[320];
	struct dirent *entry;
	DIR *dir;
	int fd = -ENOENT;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev",
		 device->pci.name);
	dir = opendir(path);
	if (!dir)
		return vn_fail(-errno, "%s is not bound to a VFIO driver: %m",
			       device->pci.name);
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
		break;
	}
	closedir(dir);
	if (fd < 0)
		return vn_fail(fd, "%s: cannot open %s (needs CONFIG_VFIO_DEVICE_CDEV)",
			       device->pci.name, path);
	return fd;
}

int vn_iommufd_nest_parent(struct vn_vm *vm, struct vn_device *device,
			   uint32_t flags, uint32_t *pt)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT | flags,
		.dev_id = device->iommufd_id,
		.pt_id = vm->ioas,
	};

	if (ioctl(vm->fd, IOMMU_HWPT_ALLOC, &alloc))
		return vn_fail(-errno, "%s: IOMMU_HWPT_ALLOC of a nest parent: %m",
			       device->pci.name);
	*pt = alloc.out_hwpt_id;
	return 0;
}

/* An attachment of the device, or with a PASID */
static int attach(struct vn_device *device, uint32_t flags, uint32_t pt, uint32_t pasid)
{
	struct {
		uint32_t argsz;
		uint32_t flags;
		uint32_t pt_id;
		uint32_t pasid;
	} attach = { sizeof(attach), flags, pt, pasid };

	if (ioctl(device->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
		return vn_fail(-errno, "%s: VFIO_DEVICE_ATTACH_IOMMUFD_PT: %m",
			       device->pci.name);
	return 0;
}

int vn_iommufd_attach(struct vn_device *device, uint32_t pt)
{
	return attach(device, 0, pt, 0);
}

int vn_iommufd_attach_pasid(struct vn_device *device, uint32_t pt, uint32_t pasid)
{
	return attach(device, ATTACH_PASID, pt, pasid);
}

int vn_iommufd_detach_pasid(struct vn_device *device, uint32_t pasid)
{
	uint32_t detach[3] = { sizeof(detach), ATTACH_PASID, pasid };

	if (ioctl(device->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, detach))
		return vn_fail(-errno, "%s: VFIO_DEVICE_DETACH_IOMMUFD_PT: %m",
			       device->pci.name);
	return 0;
}

/*
 * A VT-d nests on a domain that was made for it, which takes the place of the one that
 * VFIO makes by itself. All devices of the machine have the same.
 */
static int domain_of(struct vn_vm *vm, struct vn_device *device, uint32_t *pt)
{
#ifdef __x86_64__
	int ret = 0;

	if (!vm->parent)
		ret = vn_iommufd_nest_parent(vm, device, 0, &vm->parent);
	*pt = vm->parent;
	return ret;
#else
	*pt = vm->ioas;
	return 0;
#endif
}

static int attach_ioas(struct vn_vm *vm, struct vn_device *device)
{
	uint32_t pt = 0;
	int ret;

	ret = domain_of(vm, device, &pt);
	return ret ? ret : vn_iommufd_attach(device, pt);
}

int vn_iommufd_bind(struct vn_vm *vm, struct vn_device *device)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = vm->fd,
	};
	int ret;

	device->fd = open_cdev(device);
	if (device->fd < 0)
		return device->fd;
	if (ioctl(device->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind)) {
		ret = vn_fail(-errno, "%s: VFIO_DEVICE_BIND_IOMMUFD: %m",
			      device->pci.name);
		close(device->fd);
		device->fd = -1;
		return ret;
	}
	device->iommufd_id = bind.out_devid;
	return 0;
}

static int iommufd_attach(struct vn_vm *vm, struct vn_device *device)
{
	int ret;

	ret = vn_iommufd_bind(vm, device);
	if (ret)
		return ret;
	ret = attach_ioas(vm, device);
	if (ret) {
		close(device->fd);
		device->fd = -1;
	}
	return ret;
}

static void iommufd_detach(struct vn_vm *vm, struct vn_device *device)
{
	close(device->fd);
	device->fd = -1;
}

static int iommufd_map(struct vn_vm *vm, uint64_t ipa, void *va, uint64_t size,
		       int prot)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA |
			 (prot & VN_PROT_READ ? IOMMU_IOAS_MAP_READABLE : 0) |
			 (prot & VN_PROT_WRITE ? IOMMU_IOAS_MAP_WRITEABLE : 0),
		.ioas_id = vm->ioas,
		.user_va = (uintptr_t)va,
		.length = size,
		.iova = ipa,
	};

	if (ioctl(vm->fd, IOMMU_IOAS_MAP, &map))
		return vn_fail(-errno, "IOMMU_IOAS_MAP of 0x%llx bytes at 0x%llx: %m",
			       (unsigned long long)size, (unsigned long long)ipa);
	return 0;
}

static int iommufd_unmap(struct vn_vm *vm, uint64_t ipa, uint64_t size)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = vm->ioas,
		.iova = ipa,
		.length = size,
	};

	if (ioctl(vm->fd, IOMMU_IOAS_UNMAP, &unmap))
		return vn_fail(-errno, "IOMMU_IOAS_UNMAP: %m");
	return 0;
}

static int iommufd_exchange(struct vn_vm *vm, struct vn_device *device)
{
	int ret;

	ret = new_ioas(vm);
	return ret ? ret : attach_ioas(vm, device);
}

const struct vn_vm_ops vn_vm_iommufd = {
	.name = "iommufd",
	.open = iommufd_open,
	.attach = iommufd_attach,
	.detach = iommufd_detach,
	.map = iommufd_map,
	.unmap = iommufd_unmap,
	.exchange = iommufd_exchange,
};
