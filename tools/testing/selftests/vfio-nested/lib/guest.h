/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest with a virtual SMMUv3, as its VMM plays it: a nested fd, a stage 1 in
 * guest memory, devices that joined.
 *
 * Every stage 1 maps the engine area and the MSI window to themselves: devices
 * read their commands through the one and send their interrupts through the
 * other.
 */
#ifndef VN_GUEST_H
#define VN_GUEST_H

#include "device.h"
#include "nested.h"
#include "smmuv3.h"
#include "stage1.h"
#include "vm.h"

#define VN_PAGE		4096

struct vn_guest {
	struct vn_vm *vm;
	int fd;
	struct vfio_nested_info info;
	struct vn_smmuv3 smmu;
	struct vn_ring ring;
	struct vn_stage1 s1;
	uint16_t asid;
	/* IPA of the table of one context descriptor, 0 before there is one */
	uint64_t cd;
};

/* Takes back all guest memory of @vm and opens a nested fd. */
int vn_guest_open(struct vn_guest *guest, struct vn_vm *vm);
/* Closes the nested fd; devices stay bound. */
void vn_guest_close(struct vn_guest *guest);
int vn_guest_bind(struct vn_guest *guest, struct vn_device *device,
		  uint64_t stream);
/* Builds an almost empty stage 1 and its context descriptor; needs a device. */
int vn_guest_stage1(struct vn_guest *guest, unsigned int granule,
		    unsigned int va_bits, uint16_t asid);
/* Makes the stage 1 that of device @stream. */
int vn_guest_translate(struct vn_guest *guest, uint64_t stream);
/* The smallest granule that the SMMU has. */
unsigned int vn_guest_granule(const struct vn_guest *guest);

/* Guest memory for one page of stage 1, filled for vn_landed() and vn_intact(). */
uint64_t vn_guest_page(struct vn_guest *guest);
void vn_poison(struct vn_vm *vm, uint64_t ipa);
/* The first 4096 bytes at @ipa are as vn_poison() left them. */
bool vn_intact(struct vn_vm *vm, uint64_t ipa);
/* They hold what the engine writes, and behind that what vn_poison() left. */
bool vn_landed(struct vn_device *device, uint64_t ipa);

#endif /* VN_GUEST_H */
