/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest with a virtual IOMMU, as its VMM plays it: a nested fd, a stage 1 in
 * guest memory, devices that joined. It is of the architecture of the machine, which
 * vn_guest_bind() finds out; before that only memory and files are there.
 *
 * Every stage 1 maps the engine area and the MSI window to themselves: devices
 * read their commands through the one and send their interrupts through the
 * other.
 */
#ifndef VN_GUEST_H
#define VN_GUEST_H

#include "arch.h"
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
	const struct vn_arch *arch;
	struct vfio_nested_info info;
	struct vn_ring ring;
	struct vn_stage1 s1;
	uint16_t asid;
	/*
	 * IPA of what says where stage 1 is, 0 before there is one: a table of context
	 * descriptors; on VT-d the PASID directory
	 */
	uint64_t cd;
	/* The entry lets the device translate by itself. */
	bool ats;

	/* SMMUv3: */
	struct vn_smmuv3 smmu;
	/* Format of a table of more than one descriptor, and that table */
	enum vn_cdtable_format cd_format;
	struct vn_cdtable cds;
	/* VN_S1DSS_*: accesses without a PASID, where there are PASIDs */
	unsigned int s1dss;
	/* What else word 0 of every descriptor has */
	uint64_t cd_flags;

	/* VT-d: the directory has 1 << (pdts + 7) entries. */
	struct vfio_nested_info_vtd vtd;
	unsigned int pdts;
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
/* Binds, and names the machine's memory where that has to be. */
int vn_guest_bind(struct vn_guest *guest, struct vn_device *device,
		  uint64_t stream);
/* Names memory beside that, where it has to be. */
int vn_guest_name(struct vn_guest *guest, uint64_t ipa, void *va, uint64_t size);
/* The opposite; with type1, unmapping it was enough. */
int vn_guest_unname(struct vn_guest *guest, uint64_t ipa, uint64_t size);
/* Builds an almost empty stage 1 and what refers to it; needs a device. */
int vn_guest_stage1(struct vn_guest *guest, unsigned int granule,
		    unsigned int va_bits, uint16_t asid);
/*
 * Makes room for 1 << @bits PASIDs. The guest's stage 1, if it has one, is that of
 * accesses without PASID, and on SMMUv3 of PASID 0.
 */
int vn_guest_pasids(struct vn_guest *guest, unsigned int bits);
/* Makes an empty stage 1 for a PASID. */
int vn_guest_space(struct vn_guest *guest, struct vn_space *space, uint32_t pasid,
		   uint16_t asid);
/* Nothing is translated for the PASID any more. Does not tell the IOMMU. */
void vn_guest_forget_space(struct vn_guest *guest, uint32_t pasid);
/* SMMUv3: accesses stall that the stage 1, or one made later, does not translate. */
void vn_guest_stalls(struct vn_guest *guest);
/* SMMUv3: the entry for the guest's stage 1 and its PASIDs */
void vn_guest_ste(const struct vn_guest *guest, uint64_t ste[2]);
/* Makes the stage 1, and those of its PASIDs, that of device @stream. */
int vn_guest_translate(struct vn_guest *guest, uint64_t stream);
/* The same, of another nested fd */
int vn_guest_translate_by(struct vn_guest *guest, int nested_fd, uint64_t stream);
/* The smallest granule that the IOMMU has. */
unsigned int vn_guest_granule(const struct vn_guest *guest);

/* Commands, made by guest->arch; on return *@num is the number consumed. */
int vn_guest_commands(const struct vn_guest *guest, const struct vn_command *commands,
		      uint32_t *num);
int vn_guest_command(const struct vn_guest *guest, struct vn_command command);
/* The guest's own command that answers @fault; @code is VFIO_NESTED_RESPONSE_*. */
int vn_guest_answer(const struct vn_guest *guest, const struct vfio_nested_fault *fault,
		    uint32_t code);
/* All translations are forgotten. */
int vn_guest_forget(const struct vn_guest *guest);
/* A page of the stage 1 without PASID is, and one of @space; but not by devices */
int vn_guest_forget_page(const struct vn_guest *guest, uint64_t iova);
int vn_space_forget_page(const struct vn_guest *guest, const struct vn_space *space,
			 uint64_t iova);

/* Guest memory for one page of stage 1, filled for vn_landed() and vn_intact(). */
uint64_t vn_guest_page(struct vn_guest *guest);
void vn_poison(struct vn_vm *vm, uint64_t ipa);
/* The first 4096 bytes at @ipa are as vn_poison() left them. */
bool vn_intact(struct vn_vm *vm, uint64_t ipa);
/* They hold what the engine writes, and behind that what vn_poison() left. */
bool vn_landed(struct vn_device *device, uint64_t ipa);

#endif /* VN_GUEST_H */
