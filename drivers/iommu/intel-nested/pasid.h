/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's context entry and PASID tables: what they say. Pure functions, which do not
 * trust a bit of what they look at.
 */
#ifndef _VTD_PASID_H
#define _VTD_PASID_H

#include <linux/types.h>

#include "vtd-regs.h"

/* Whose entry accesses without a PASID use, as long as ECAP.RPS is clear */
#define VTD_RID_PASID		0

/**
 * struct vtd_limits - what the guest was told, and is held to
 * @cap: Capability Register, as the guest may see it
 * @ecap: Extended Capability Register, likewise
 * @pasid_bits: PASIDs are smaller than 1 << this; 0: there are none
 */
struct vtd_limits {
	u64 cap;
	u64 ecap;
	u32 pasid_bits;
};

/**
 * struct vtd_context - a context entry that has been checked
 * @present: P; if it is clear the rest is zero
 * @pasids: accesses with a PASID are possible
 * @page_requests: the entry permits page requests
 * @directory: address of the PASID directory in the guest's memory
 * @pasid_limit: PASIDs that the directory has room for
 */
struct vtd_context {
	bool present;
	bool pasids;
	bool page_requests;
	u64 directory;
	u32 pasid_limit;
};

/**
 * enum vtd_kind - what becomes of accesses with a PASID, or without one
 * @VTD_BLOCKED: refused
 * @VTD_PASSTHROUGH: stage 2 alone
 * @VTD_STAGE1: the guest's page table, and stage 2
 */
enum vtd_kind {
	VTD_BLOCKED,
	VTD_PASSTHROUGH,
	VTD_STAGE1,
};

/**
 * struct vtd_entry - a PASID table entry that has been checked
 * @kind: what it says; BLOCKED if it is not present or not legal
 * @did: the guest's domain id
 * @five_levels: STAGE1: of the table, else four
 * @sre: STAGE1: supervisor requests are permitted
 * @wpe: STAGE1: they respect write protection
 * @eafe: STAGE1: the extended access flag is maintained
 * @table: STAGE1: address of the table in the guest's memory
 *
 * Two entries that are equal in all members ask the hardware for the same.
 */
struct vtd_entry {
	enum vtd_kind kind;
	u16 did;
	bool five_levels;
	bool sre;
	bool wpe;
	bool eafe;
	u64 table;
};

/**
 * struct vtd_memory - how to read the guest's memory
 * @read: copy @len bytes at @address, which do not cross a page, to @to; they may
 *	change at any time. Errors: ENXIO: there is no memory there; others end a walk.
 * @data: its first argument
 */
struct vtd_memory {
	int (*read)(void *data, u64 address, void *to, size_t len);
	void *data;
};

/**
 * struct vtd_visitor - what to do at each entry of a walk
 * @visit: @entry, never BLOCKED, is that of @pasid. An error ends the walk.
 * @data: its first argument
 */
struct vtd_visitor {
	int (*visit)(void *data, u32 pasid, const struct vtd_entry *entry);
	void *data;
};

int vtd_context_check(const __le64 *words, const struct vtd_limits *limits,
		      struct vtd_context *context, const char **why);
int vtd_entry_check(const __le64 *words, const struct vtd_limits *limits,
		    struct vtd_entry *entry, const char **why);
bool vtd_entry_equal(const struct vtd_entry *a, const struct vtd_entry *b);
int vtd_pasid_read(const struct vtd_memory *memory,
		   const struct vtd_context *context,
		   const struct vtd_limits *limits, u32 pasid,
		   struct vtd_entry *entry, const char **why);
int vtd_pasid_walk(const struct vtd_memory *memory,
		   const struct vtd_context *context,
		   const struct vtd_limits *limits,
		   const struct vtd_visitor *visitor);

#endif /* _VTD_PASID_H */
