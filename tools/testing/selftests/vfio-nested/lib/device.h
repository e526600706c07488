/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A PCI function that VFIO hands out, and the engine that makes it do DMA.
 *
 * A device is opened by one process and may be used by that process or by one
 * child of it at a time; the state of the engine must therefore lie in shared
 * memory where tests run in children (see session.h).
 */
#ifndef VN_DEVICE_H
#define VN_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "pci.h"
#include "vm.h"

struct vn_device {
	struct vn_pci pci;
	struct vn_vm *vm;
	/* The VFIO device, and with type1 its group. */
	int fd;
	int group_fd;
	/* With iommufd, its id there */
	uint32_t iommufd_id;
	bool can_reset;
	volatile void *bar0;
	size_t bar0_size;
	const struct vn_engine_ops *ops;
	struct vn_engine engine;
};

/* Opens, attaches and enables; makes the memory of @vm with its first device. */
int vn_device_open(struct vn_device *device, struct vn_vm *vm, const char *name);
void vn_device_close(struct vn_device *device);
/* Lets the device decode its memory and master the bus. */
int vn_device_enable(struct vn_device *device);
/*
 * Ways to reset a device. Its engine starts it again with the next access. Errors:
 * -EOPNOTSUPP: this device cannot be reset in this way.
 */
enum vn_reset {
	/* VFIO_DEVICE_RESET */
	VN_RESET_VFIO,
	/* Function level reset, by the guest through configuration space */
	VN_RESET_FUNCTION,
	/* VFIO_DEVICE_PCI_HOT_RESET: its bus, or slot */
	VN_RESET_HOT,
	/* By the administrator, in sysfs */
	VN_RESET_SYSFS,
};

int vn_device_reset(struct vn_device *device, enum vn_reset how);
int vn_device_config_read(struct vn_device *device, unsigned int offset,
			  void *data, size_t size);
int vn_device_config_write(struct vn_device *device, unsigned int offset,
			   const void *data, size_t size);
/* Has the first vector of @index (VFIO_PCI_*_IRQ_INDEX) signal @eventfd, or none if -1. */
int vn_device_set_irq(struct vn_device *device, unsigned int index, int eventfd);

#endif /* VN_DEVICE_H */
