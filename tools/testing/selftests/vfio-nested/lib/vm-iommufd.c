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

static int iommufd_open(struct vn_vm *vm)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	vm->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (vm->fd < 0)
		return vn_fail(-errno,
			       "cannot open /dev/iommu: %m (a kernel with CONFIG_IOMMUFD is needed)");
	if (ioctl(vm->fd, IOMMU_IOAS_ALLOC, &alloc)) {
		int err = vn_fail(-errno, "IOMMU_IOAS_ALLOC: %m");

		close(vm->fd);
		vm->fd = -1;
		return err;
	}
	vm->ioas = alloc.out_ioas_id;
	return 0;
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

static int iommufd_attach(struct vn_vm *vm, struct vn_device *device)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = vm->fd,
	};
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = vm->ioas,
	};
	int ret;

	device->fd = open_cdev(device);
	if (device->fd < 0)
		return device->fd;
	if (ioctl(device->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind)) {
		ret = vn_fail(-errno, "%s: VFIO_DEVICE_BIND_IOMMUFD: %m",
			      device->pci.name);
		goto err_close;
	}
	if (ioctl(device->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach)) {
		ret = vn_fail(-errno, "%s: VFIO_DEVICE_ATTACH_IOMMUFD_PT: %m",
			      device->pci.name);
		goto err_close;
	}
	return 0;

err_close:
	close(device->fd);
	device->fd = -1;
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

const struct vn_vm_ops vn_vm_iommufd = {
	.name = "iommufd",
	.open = iommufd_open,
	.attach = iommufd_attach,
	.detach = iommufd_detach,
	.map = iommufd_map,
	.unmap = iommufd_unmap,
};
