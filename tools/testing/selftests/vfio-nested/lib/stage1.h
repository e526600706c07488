/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's page tables: VMSAv8-64 stage 1 in guest memory, built the way a
 * guest's own IOMMU driver would. All three granules, pages and blocks.
 *
 * Invariants: tables hold IPAs only; an entry is written with one store, so that
 * a walk that goes on meanwhile sees the old one or the new one.
 *
 * Arm DDI 0487, D8 "The AArch64 Virtual Memory System Architecture".
 */
#ifndef VN_STAGE1_H
#define VN_STAGE1_H

#include <stdint.h>

#include "vm.h"

#define VN_S1_LAST_LEVEL	3

struct vn_stage1 {
	struct vn_vm *vm;
	/* log2 of the granule: 12, 14 or 16 */
	unsigned int granule;
	/* Bits of an input address */
	unsigned int va_bits;
	unsigned int first_level;
	/* IPA of the first table */
	uint64_t table;
};

int vn_s1_init(struct vn_stage1 *s1, struct vn_vm *vm, unsigned int granule,
	       unsigned int va_bits);
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
