/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's table of context descriptors, one for each PASID, in all the formats
 * that the architecture has: linear, and of two levels with leaves of 4 or 64 KiB.
 *
 * Invariants: what is not set is not valid; an entry of either level is written so
 * that its valid bit changes last. Nobody tells the IOMMU.
 *
 * Arm IHI 0070, 5.2 "Stream Table Entry" (S1Fmt, S1ContextPtr), 5.3, 5.4.
 */
#ifndef VN_CDTABLE_H
#define VN_CDTABLE_H

#include <stdint.h>

#include "smmuv3.h"
#include "vm.h"

/* STE.S1Fmt */
enum vn_cdtable_format {
	VN_CDTABLE_LINEAR = 0,
	VN_CDTABLE_4K = 1,
	VN_CDTABLE_64K = 2,
};

struct vn_cdtable {
	struct vn_vm *vm;
	enum vn_cdtable_format format;
	/* STE.S1CDMax: there are 1 << cdmax descriptors. */
	unsigned int cdmax;
	/* IPA of the first level */
	uint64_t table;
};

int vn_cdtable_init(struct vn_cdtable *table, struct vn_vm *vm,
		    enum vn_cdtable_format format, unsigned int cdmax);
/* Sets or replaces a descriptor, and makes the leaf that it needs. */
int vn_cdtable_set(struct vn_cdtable *table, uint32_t ssid,
		   const uint64_t cd[VN_CD_WORDS]);
/* Where the descriptor is; NULL if there is no leaf for it. */
uint64_t *vn_cdtable_cd(struct vn_cdtable *table, uint32_t ssid);
/* Makes the descriptor invalid. */
void vn_cdtable_clear(struct vn_cdtable *table, uint32_t ssid);
/* The first-level descriptor of @ssid; NULL for a linear table. */
uint64_t *vn_cdtable_l1(struct vn_cdtable *table, uint32_t ssid);
/* The stream table entry for this table; @s1dss is VN_S1DSS_*. */
void vn_cdtable_ste(const struct vn_cdtable *table, unsigned int s1dss,
		    uint64_t ste[2]);

#endif /* VN_CDTABLE_H */
