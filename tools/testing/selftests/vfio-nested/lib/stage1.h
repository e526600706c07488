/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's page tables: stage 1 in guest memory, built the way a guest's own IOMMU
 * driver would, of VMSAv8-64 (all three granules, pages and blocks) or of VT-d's first
 * stage, which is that of x86-64 CPUs. With pages of 4 KiB both have the same shape.
 *
 * Invariants: tables hold IPAs only; an entry is written with one store, so that
 * a walk that goes on meanwhile sees the old one or the new one.
 *
 * Arm DDI 0487, D8 "The AArch64 Virtual Memory System Architecture"; Intel
 * Virtualization Technology for Directed I/O, 9.7 and 9.8.
 */
#ifndef VN_STAGE1_H
#define VN_STAGE1_H

#include <stdbool.h>
#include <stdint.h>

#include "vm.h"

#define VN_S1_LAST_LEVEL	3

/* The bits of entries */
struct vn_s1_format {
	/* Of one that refers to a table, and by which it is known above the last level */
	uint64_t table;
	uint64_t table_mask;
	uint64_t table_value;
	/* Of one that maps; at the last level, and above it */
	uint64_t leaf;
	uint64_t page;
	uint64_t block;
	/* One of these, too */
	uint64_t read_only;
	uint64_t writable;
	/* Addresses are extended by their highest bit. */
	bool sign_extended;
};

extern const struct vn_s1_format vn_s1_vmsa;
extern const struct vn_s1_format vn_s1_x86;

struct vn_stage1 {
	struct vn_vm *vm;
	const struct vn_s1_format *format;
	/* log2 of the granule: 12, 14 or 16 */
	unsigned int granule;
	/* Bits of an input address */
	unsigned int va_bits;
	unsigned int first_level;
	/* IPA of the first table */
	uint64_t table;
};

int vn_s1_init(struct vn_stage1 *s1, struct vn_vm *vm,
	       const struct vn_s1_format *format, unsigned int granule,
	       unsigned int va_bits);
/* @iova as a device has to use it, if va_bits of it are to be translated */
uint64_t vn_s1_address(const struct vn_stage1 *s1, uint64_t iova);
/* Bytes that one entry of @level maps. */
uint64_t vn_s1_size(const struct vn_stage1 *s1, unsigned int level);
/*
 * Maps one page (level 3) or block (level 2; level 1 with the 4 KiB granule) of
 * vn_s1_size() bytes. What is mapped there is replaced. Does not tell the IOMMU.
 */
int vn_s1_map_at(struct vn_stage1 *s1, uint64_t iova, uint64_t ipa, int prot,
		 unsigned int level);
/* Maps a range by pages; @iova, @ipa and @size are multiples of the granule. */
int vn_s1_map(struct vn_stage1 *s1, uint64_t iova, uint64_t ipa, uint64_t size,
	      int prot);
/* Clears the entry that maps @iova, if there is one. Does not tell the IOMMU. */
void vn_s1_unmap(struct vn_stage1 *s1, uint64_t iova);
/* The last entry on the walk for @iova and its level. */
uint64_t *vn_s1_entry(struct vn_stage1 *s1, uint64_t iova, unsigned int *level);

#endif /* VN_STAGE1_H */
