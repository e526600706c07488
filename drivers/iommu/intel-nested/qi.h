/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest's invalidation descriptors: what they ask for. Pure functions.
 */
#ifndef _VTD_QI_H
#define _VTD_QI_H

#include <linux/iommu-nested.h>
#include <linux/limits.h>
#include <linux/types.h>
#include <uapi/linux/iommufd.h>

#include "pasid.h"

/**
 * enum vtd_command_kind - what is to be done
 * @VTD_CMD_NOTHING: nothing
 * @VTD_CMD_SYNC_ALL: read all PASID tables again
 * @VTD_CMD_SYNC_DOMAIN: read all PASID tables again, for the entries of one domain id
 * @VTD_CMD_SYNC_PASID: read the entries of one PASID again
 * @VTD_CMD_FLUSH_ALL: invalidate what all entries have in caches
 * @VTD_CMD_FLUSH_DOMAIN: ... those of one domain id
 * @VTD_CMD_FLUSH_PASID: ... those of one PASID and domain id, in a range
 * @VTD_CMD_FLUSH_DEVICE: ... those of one device, in a range
 * @VTD_CMD_FLUSH_DEVICE_PASID: ... that of one device and PASID, in a range
 * @VTD_CMD_RESPONSE: answer a group of page requests
 */
enum vtd_command_kind {
	VTD_CMD_NOTHING,
	VTD_CMD_SYNC_ALL,
	VTD_CMD_SYNC_DOMAIN,
	VTD_CMD_SYNC_PASID,
	VTD_CMD_FLUSH_ALL,
	VTD_CMD_FLUSH_DOMAIN,
	VTD_CMD_FLUSH_PASID,
	VTD_CMD_FLUSH_DEVICE,
	VTD_CMD_FLUSH_DEVICE_PASID,
	VTD_CMD_RESPONSE,
};

/**
 * struct vtd_range - what is invalidated, in the terms of cache_invalidate_user
 * @address: first address; zero for all
 * @pages: number of 4 KiB pages; U64_MAX for all
 * @leaf: only entries that map pages have changed
 */
struct vtd_range {
	u64 address;
	u64 pages;
	bool leaf;
};

/**
 * struct vtd_command - a descriptor that has been checked
 * @kind: what is to be done; says which of the others are set
 * @wider: more than the descriptor asks for
 * @did: the guest's domain id
 * @pasid: a PASID
 * @virtual_id: the guest's source-id of a device
 * @range: of addresses
 * @pasid_valid: RESPONSE: the group has a PASID
 * @group: RESPONSE: page request group index
 * @code: RESPONSE: enum vfio_nested_response_code
 */
struct vtd_command {
	enum vtd_command_kind kind;
	bool wider;
	u16 did;
	u32 pasid;
	u16 virtual_id;
	union {
		struct vtd_range range;
		struct {
			bool pasid_valid;
			u32 group;
			u32 code;
		};
	};
};

/* As many as a call of the backend's has commands */
#define VTD_MAX_RANGES \
	(IOMMU_NESTED_COMMAND_BATCH_LEN / (QI_WORDS_SHORT * sizeof(u64)))

/**
 * struct vtd_ranges - what is invalidated in the same place
 * @num: number of @list
 * @list: as cache_invalidate_user takes it
 */
struct vtd_ranges {
	u32 num;
	struct iommu_hwpt_vtd_s1_invalidate list[VTD_MAX_RANGES];
};

/**
 * vtd_ranges_have - whether a range need not be added
 * @ranges: what there is; only the last one is looked at
 * @range: of addresses
 *
 * Return: yes.
 */
static inline bool vtd_ranges_have(const struct vtd_ranges *ranges,
				   const struct vtd_range *range)
{
	const struct iommu_hwpt_vtd_s1_invalidate *last;

	if (!ranges->num)
		return false;
	last = &ranges->list[ranges->num - 1];
	if (last->flags & IOMMU_VTD_INV_FLAGS_LEAF && !range->leaf)
		return false;
	if (last->npages == U64_MAX)
		return true;
	return range->pages <= last->npages &&
	       range->address - last->addr <=
	       (last->npages - range->pages) << 12;
}

void vtd_ranges_add(struct vtd_ranges *ranges, const struct vtd_range *range,
		    u64 max_pages);

int vtd_qi_check(const __le64 *words, u32 num, const struct vtd_limits *limits,
		 struct vtd_command *command, const char **why);

#endif /* _VTD_QI_H */
