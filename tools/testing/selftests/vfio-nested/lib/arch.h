/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the driver of a guest does with its IOMMU, in terms of no architecture: there is
 * one of these for each, which vn_guest_bind() chooses by what VFIO_NESTED_INFO says.
 * What only one architecture has is in its own header (smmuv3.h, cdtable.h; vtd.h).
 *
 * An address space is named by its PASID and by the number by which caches know it: the
 * ASID, on VT-d the domain id. That of accesses without PASID has PASID 0.
 */
#ifndef VN_ARCH_H
#define VN_ARCH_H

#include <linux/vfio_nested.h>
#include <stdbool.h>
#include <stdint.h>

#include "stage1.h"

struct vn_guest;
struct vn_space;

/* A guest's command, as it wrote it: both architectures have 16 bytes. */
struct vn_command {
	uint64_t words[2];
};

/* A context, as VFIO_NESTED_SET_CONTEXT takes it */
struct vn_context {
	uint32_t type;
	uint32_t len;
	union {
		struct vfio_nested_context_smmuv3 smmuv3;
		struct vfio_nested_context_vtd vtd;
	} data;
};

/**
 * struct vn_arch - one architecture
 * @name: for people
 * @driver: the module that drives it
 * @backend: enum vfio_nested_backend
 * @format: of stage-1 tables
 * @command_type: enum vfio_nested_command_type, of what the functions below make
 * @context_type: enum vfio_nested_context_type, of what @context makes
 * @context_len: bytes of its data
 * @hitless: a context can be set again, and no access notices
 * @failure: page requests can be answered with Response Failure
 * @page_requests: the hardware's page request capability follows the guest's, with its
 *	credits; else it is the host's, and what the guest did not ask for is refused
 * @registers: reads the ID registers through the device fd
 * @granules: of stage-1 tables, a set of log2
 * @stage1: makes guest->cd, by which accesses without PASID use guest->s1
 * @pasids: makes it anew, with room for 1 << @bits PASIDs
 * @space: the PASID of @space uses its tables
 * @forget_space: nothing uses the PASID
 * @context: what is to be in force: guest->cd and the rest of @guest
 * @all: forget all translations
 * @of_space: forget those of one address space
 * @of_page: forget those of one page of it
 * @of_device: the device's cache forgets 1 << @pages_shift pages; @pasid is VN_PASID()
 *	or VN_NO_PASID
 * @reread: what guest->cd says of one PASID has changed
 * @reread_all: what it says of any
 * @barrier: wait for the others
 * @answer: to a fault; @code is VFIO_NESTED_RESPONSE_*
 * @raw_page_request: the raw record of @fault, and its length
 */
struct vn_arch {
	const char *name;
	const char *driver;
	uint32_t backend;
	const struct vn_s1_format *format;
	uint32_t command_type;
	uint32_t context_type;
	uint32_t context_len;
	bool hitless;
	bool failure;
	bool page_requests;

	int (*registers)(struct vn_guest *guest, int device_fd);
	uint32_t (*granules)(const struct vn_guest *guest);
	int (*stage1)(struct vn_guest *guest);
	int (*pasids)(struct vn_guest *guest, unsigned int bits);
	int (*space)(struct vn_guest *guest, const struct vn_space *space);
	void (*forget_space)(struct vn_guest *guest, uint32_t pasid);
	void (*context)(const struct vn_guest *guest, struct vn_context *context);

	struct vn_command (*all)(void);
	struct vn_command (*of_space)(uint32_t pasid, uint16_t asid);
	struct vn_command (*of_page)(uint32_t pasid, uint16_t asid, uint64_t iova);
	struct vn_command (*of_device)(uint32_t stream, uint32_t pasid,
				       uint64_t iova, unsigned int pages_shift);
	struct vn_command (*reread)(uint32_t stream, uint32_t pasid, uint16_t asid);
	struct vn_command (*reread_all)(uint32_t stream);
	struct vn_command (*barrier)(void);
	struct vn_command (*answer)(const struct vfio_nested_fault *fault,
				    uint32_t code);
	uint32_t (*raw_page_request)(const struct vfio_nested_fault *fault,
				     uint64_t raw[4]);
};

extern const struct vn_arch vn_arch_smmuv3;
extern const struct vn_arch vn_arch_vtd;

/* The one of @backend, NULL for one that is not known here. */
const struct vn_arch *vn_arch_of(uint32_t backend);

#endif /* VN_ARCH_H */
