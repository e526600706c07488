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

#include "cdtable.h"
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
	/* IPA of the table of context descriptors, 0 before there is one */
	uint64_t cd;
	/* That table, if it is of more than one descriptor */
	struct vn_cdtable cds;
	/* VN_S1DSS_*: accesses without a PASID, where there are PASIDs */
	unsigned int s1dss;
	/* The entry lets the device translate by itself (EATS). */
	bool ats;
	/* What else word 0 of every descriptor has */
	uint64_t cd_flags;
};

/* A stage 1 for accesses with one PASID; it maps nothing by itself. */
struct vn_space {
	struct vn_stage1 s1;
	uint32_t pasid;
	uint16_t asid;
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
/*
 * Makes a table for 1 << @cdmax PASIDs. The guest's stage 1, if it has one, is that
 * of accesses without PASID, and of PASID 0.
 */
int vn_guest_pasids(struct vn_guest *guest, enum vn_cdtable_format format,
		    unsigned int cdmax);
/* Makes an empty stage 1 and its descriptor in that table. */
int vn_guest_space(struct vn_guest *guest, struct vn_space *space, uint32_t pasid,
		   uint16_t asid);
/* Accesses stall that the stage 1, or one made later, does not translate. */
void vn_guest_stalls(struct vn_guest *guest);
/* The entry for the guest's stage 1 and its PASIDs */
void vn_guest_ste(const struct vn_guest *guest, uint64_t ste[2]);
/* Makes the stage 1, and those of its PASIDs, that of device @stream. */
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
