// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "util.h"

static int region_info(struct vn_device *device, unsigned int index,
		       struct vfio_region_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->index = index;
	if (ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, info))
		return vn_fail(-errno, "%s: VFIO_DEVICE_GET_REGION_INFO: %m",
			       device->pci.name);
	return 0;
}

int vn_device_config_read(struct vn_device *device, unsigned int offset,
			  void *data, size_t size)
{
	struct vfio_region_info info;
	int ret;

	ret = region_info(device, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	if (ret)
		return ret;
	if (pread(device->fd, data, size, info.offset + offset) != (ssize_t)size)
		return vn_fail(-EIO, "%s: cannot read configuration space",
			       device->pci.name);
	return 0;
}

int vn_device_config_write(struct vn_device *device, unsigned int offset,
			   const void *data, size_t size)
{
	struct vfio_region_info info;
	int ret;

	ret = region_info(device, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	if (ret)
		return ret;
	if (pwrite(device->fd, data, size, info.offset + offset) != (ssize_t)size)
		return vn_fail(-EIO, "%s: cannot write configuration space",
			       device->pci.name);
	return 0;
}

int vn_device_enable(struct vn_device *device)
{
	uint16_t command;
	int ret;

	ret = vn_device_config_read(device, PCI_COMMAND, &command,
				    sizeof(command));
	if (ret)
		return ret;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	return vn_device_config_write(device, PCI_COMMAND, &command,
				      sizeof(command));
}

/* Offset of the PCI Express capability, 0 without one. */
static unsigned int express_capability(struct vn_device *device)
{
	uint8_t at = 0, id = 0;
	unsigned int i;

	if (vn_device_config_read(device, PCI_CAPABILITY_LIST, &at, 1))
		return 0;
	/* As many as have room: the list may not end. */
	for (i = 0; at && i < 48; i++) {
		if (vn_device_config_read(device, at, &id, 1))
			return 0;
		if (id == PCI_CAP_ID_EXP)
			return at;
		if (vn_device_config_read(device, at + PCI_CAP_LIST_NEXT, &at, 1))
			return 0;
	}
	return 0;
}

static int reset_function(struct vn_device *device)
{
	unsigned int cap = express_capability(device);
	uint32_t can = 0;
	uint16_t control;
	int ret;

	if (cap)
		vn_device_config_read(device, cap + PCI_EXP_DEVCAP, &can,
				      sizeof(can));
	if (!(can & PCI_EXP_DEVCAP_FLR))
		return vn_fail(-EOPNOTSUPP, "%s has no function level reset",
			       device->pci.name);
	ret = vn_device_config_read(device, cap + PCI_EXP_DEVCTL, &control,
				    sizeof(control));
	if (ret)
		return ret;
	control |= PCI_EXP_DEVCTL_BCR_FLR;
	return vn_device_config_write(device, cap + PCI_EXP_DEVCTL, &control,
				      sizeof(control));
}

/* Whoever is on the same bus must be ours too: here only the device itself is. */
static int reset_hot(struct vn_device *device)
{
	struct {
		struct vfio_pci_hot_reset reset;
		int32_t group_fd;
	} request = {
		.reset = {
			.argsz = sizeof(request),
			.count = device->group_fd >= 0,
		},
		.group_fd = device->group_fd,
	};

	if (ioctl(device->fd, VFIO_DEVICE_PCI_HOT_RESET, &request))
		return vn_fail(-EOPNOTSUPP, "%s: VFIO_DEVICE_PCI_HOT_RESET: %m",
			       device->pci.name);
	return 0;
}

static int reset_vfio(struct vn_device *device)
{
	if (ioctl(device->fd, VFIO_DEVICE_RESET))
		return vn_fail(-errno, "%s: VFIO_DEVICE_RESET: %m",
			       device->pci.name);
	return 0;
}

static int reset_sysfs(struct vn_device *device)
{
	return vn_pci_reset(device->pci.name);
}

int vn_device_reset(struct vn_device *device, enum vn_reset how)
{
	static int (*const ways[])(struct vn_device *device) = {
		[VN_RESET_VFIO] = reset_vfio,
		[VN_RESET_FUNCTION] = reset_function,
		[VN_RESET_HOT] = reset_hot,
		[VN_RESET_SYSFS] = reset_sysfs,
	};
	int ret = ways[how](device);

	/* Not earlier: another thread's access would start it before the reset. */
	device->engine.stopped = true;
	return ret;
}

int vn_device_set_irq(struct vn_device *device, unsigned int index, int eventfd)
{
	struct {
		struct vfio_irq_set set;
		int32_t eventfd;
	} request = {
		.set = {
			.argsz = sizeof(request),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD |
				 VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = index,
			.count = 1,
		},
		.eventfd = eventfd,
	};

	if (eventfd < 0) {
		request.set.argsz = sizeof(request.set);
		request.set.flags = VFIO_IRQ_SET_DATA_NONE |
				    VFIO_IRQ_SET_ACTION_TRIGGER;
		request.set.count = 0;
	}
	if (ioctl(device->fd, VFIO_DEVICE_SET_IRQS, &request))
		return vn_fail(-errno, "%s: VFIO_DEVICE_SET_IRQS of index %u: %m",
			       device->pci.name, index);
	return 0;
}

static int map_bar0(struct vn_device *device)
{
	struct vfio_region_info info;
	int ret;

	ret = region_info(device, VFIO_PCI_BAR0_REGION_INDEX, &info);
	if (ret)
		return ret;
	if (!info.size || !(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return vn_fail(-ENODEV, "%s: BAR 0 cannot be mapped",
			       device->pci.name);
	device->bar0 = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    device->fd, info.offset);
	if (device->bar0 == MAP_FAILED) {
		device->bar0 = NULL;
		return vn_fail(-errno, "%s: mmap of BAR 0: %m", device->pci.name);
	}
	device->bar0_size = info.size;
	return 0;
}

/* The engine's part of guest memory, and its first preparation. */
static int start_engine(struct vn_device *device)
{
	struct vn_engine *engine = &device->engine;
	struct vn_vm *vm = device->vm;
	uint64_t slot = vm->nr_devices * VN_ENGINE_SLOT;

	device->ops = vn_engine_find(&device->pci);
	if (!device->ops)
		return vn_fail(-ENODEV,
			       "%s (%04x:%04x, class %06x): no DMA engine knows this device",
			       device->pci.name, device->pci.vendor,
			       device->pci.device, device->pci.class);
	memset(engine, 0, sizeof(*engine));
	engine->caps = device->ops->caps;
	engine->area_ipa = VN_RAM_IPA + slot;
	engine->area = vm->ram + slot;
	return device->ops->init(device);
}

int vn_device_open(struct vn_device *device, struct vn_vm *vm, const char *name)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int ret;

	memset(device, 0, sizeof(*device));
	device->fd = -1;
	device->group_fd = -1;
	device->vm = vm;
	if (vm->nr_devices == VN_VM_DEVICES)
		return vn_fail(-ENOSPC, "more than %u devices in one machine",
			       VN_VM_DEVICES);
	ret = vn_pci_read(&device->pci, name);
	if (ret)
		return ret;
	ret = vm->ops->attach(vm, device);
	if (ret)
		return ret;
	vm->nr_devices++;

	if (ioctl(device->fd, VFIO_DEVICE_GET_INFO, &info)) {
		ret = vn_fail(-errno, "%s: VFIO_DEVICE_GET_INFO: %m", name);
		goto err_close;
	}
	device->can_reset = info.flags & VFIO_DEVICE_FLAGS_RESET;

	ret = vm->ram ? 0 : vn_vm_add_ram(vm);
	if (!ret)
		ret = map_bar0(device);
	if (!ret)
		ret = vn_device_enable(device);
	if (!ret)
		ret = start_engine(device);
	if (ret)
		goto err_close;
	return 0;

err_close:
	vn_device_close(device);
	return ret;
}

void vn_device_close(struct vn_device *device)
{
	if (device->fd < 0)
		return;
	if (device->bar0)
		munmap((void *)device->bar0, device->bar0_size);
	device->bar0 = NULL;
	device->vm->ops->detach(device->vm, device);
	device->vm->nr_devices--;
}
