/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual machine as the host's IOMMU sees it: guest memory at intermediate
 * physical addresses (IPA), which VFIO maps into stage 2, and the devices that
 * are attached to it.
 *
 * Invariants:
 *  - no address is equal to another of the same byte by accident: the IPA of
 *    guest memory is not its virtual address here, and tests use input addresses
 *    (IOVA) of stage 1 that are neither;
 *  - guest memory is shared with children of a fork, who may run tests on it;
 *  - the first VN_ENGINE_AREA bytes of guest memory belong to the devices' DMA
 *    engines; vn_vm_alloc() hands out the rest, until vn_vm_reset().
 */
#ifndef VN_VM_H
#define VN_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pci.h"

#define VN_PROT_READ	1
#define VN_PROT_WRITE	2
#define VN_PROT_RW	(VN_PROT_READ | VN_PROT_WRITE)

/*
 * Guest memory starts below 256 MiB, since a device that knows 28-bit addresses
 * must reach it without stage 1 too, and above the window that Arm hosts keep
 * for message-signalled interrupts.
 */
#define VN_RAM_IPA	0x0c000000ULL
#define VN_RAM_SIZE	0x00400000ULL
/* At most: the same limit of 256 MiB */
#define VN_RAM_MAX	0x04000000ULL
#define VN_ENGINE_AREA	0x00020000ULL

#define VN_VM_DEVICES	8

struct vn_device;
struct vn_vm;

/* How VFIO is asked for stage 2: type1 containers, or iommufd. */
struct vn_vm_ops {
	const char *name;
	int (*open)(struct vn_vm *vm);
	/* Opens the device and attaches it; sets the device's file descriptors. */
	int (*attach)(struct vn_vm *vm, struct vn_device *device);
	void (*detach)(struct vn_vm *vm, struct vn_device *device);
	int (*map)(struct vn_vm *vm, uint64_t ipa, void *va, uint64_t size,
		   int prot);
	int (*unmap)(struct vn_vm *vm, uint64_t ipa, uint64_t size);
	/*
	 * Attaches the device to a new, empty stage 2, which is that of the machine
	 * from now on. NULL where VFIO cannot do that while the device is open.
	 */
	int (*exchange)(struct vn_vm *vm, struct vn_device *device);
};

extern const struct vn_vm_ops vn_vm_type1;
extern const struct vn_vm_ops vn_vm_iommufd;

/*
 * The two halves of vn_vm_iommufd.attach(): opens the device, which is attached to
 * nothing yet; attaches it to an address space or a HWPT, in place of another.
 */
int vn_iommufd_bind(struct vn_vm *vm, struct vn_device *device);
int vn_iommufd_attach(struct vn_device *device, uint32_t pt);
/* The same beside that, for accesses with a PASID */
int vn_iommufd_attach_pasid(struct vn_device *device, uint32_t pt, uint32_t pasid);
int vn_iommufd_detach_pasid(struct vn_device *device, uint32_t pasid);
/* A HWPT of the machine's memory to nest on; @flags: 0, or what it can be used for, too */
#define VN_HWPT_PASID	8	/* IOMMU_HWPT_ALLOC_PASID; older headers lack it. */
int vn_iommufd_nest_parent(struct vn_vm *vm, struct vn_device *device,
			   uint32_t flags, uint32_t *pt);

struct vn_vm {
	const struct vn_vm_ops *ops;
	/* The container, or the iommufd. */
	int fd;
	/* iommufd: the address space, and the domain that can be nested on. */
	uint32_t ioas;
	uint32_t parent;
	unsigned int nr_devices;
	/* type1: the IOMMU is set with the first group. */
	bool configured;
	void *ram;
	/* May be changed before the first device: VN_RAM_SIZE to VN_RAM_MAX. */
	size_t ram_size;
	size_t used;
	/* Guest memory is to be of large pages if the host has some; it is. */
	bool want_huge;
	bool huge;
};

/*
 * Opens an address space without devices. The environment variable
 * VFIO_NESTED_IOMMU, "type1" (the default) or "iommufd", chooses how.
 */
int vn_vm_open(struct vn_vm *vm);
/* All devices must be closed before. */
void vn_vm_close(struct vn_vm *vm);
int vn_vm_map(struct vn_vm *vm, uint64_t ipa, void *va, uint64_t size, int prot);
int vn_vm_unmap(struct vn_vm *vm, uint64_t ipa, uint64_t size);
/* Makes guest memory and maps it; needs an attached device. */
int vn_vm_add_ram(struct vn_vm *vm);

/* Gives up all that vn_vm_alloc() handed out. */
void vn_vm_reset(struct vn_vm *vm);
/* Zeroed guest memory; 0 if there is no more. */
uint64_t vn_vm_alloc(struct vn_vm *vm, size_t size, size_t align);
/* Where guest memory is here; NULL for an address outside. */
void *vn_vm_va(struct vn_vm *vm, uint64_t ipa);

#endif /* VN_VM_H */
