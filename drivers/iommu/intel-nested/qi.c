// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's invalidation descriptors: what they ask for.
 *
 * Invariants:
 *  - every bit of a descriptor is known to its row of the table below, or has to be zero;
 *    so is every value of a field;
 *  - a descriptor for a feature that the guest was not told of is refused;
 *  - what comes out asks for at least what the descriptor does.
 */
#include <linux/bitfield.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <uapi/linux/vfio_nested.h>

#include "qi.h"

/* Larger than every address: all of the address space. */
#define ADDRESS_BITS_ALL	64

static void set_all(struct vtd_range *range)
{
	range->address = 0;
	range->pages = U64_MAX;
	range->leaf = false;
}

/* 1 << @bits bytes, 12 at least, around @address */
static void set_range(struct vtd_range *range, u64 address, u32 bits)
{
	if (bits >= ADDRESS_BITS_ALL) {
		set_all(range);
		return;
	}
	range->address = address & ~GENMASK_ULL(bits - 1, 0);
	range->pages = 1ULL << (bits - 12);
	range->leaf = false;
}

/*
 * 6.5.2.5: from bit 12 on, the lowest bit that is clear tells the size. Device TLBs have
 * nothing else than what maps pages.
 */
static void set_devtlb_range(struct vtd_range *range, u64 qw1, bool sized)
{
	u64 page = FIELD_GET(QI1_ADDR, qw1);
	u32 bits = 12;

	if (sized)
		bits += 1 + __builtin_ctzll(~page);
	set_range(range, qw1 & QI1_ADDR, bits);
	range->leaf = true;
}

static int set_masked_range(struct vtd_range *range, u64 qw1,
			    const struct vtd_limits *limits, const char **why)
{
	u32 mask = FIELD_GET(QI1_AM, qw1);

	if (mask > FIELD_GET(CAP_MAMV, limits->cap)) {
		*why = "the address mask is larger than CAP.MAMV";
		return -EINVAL;
	}
	set_range(range, qw1 & QI1_ADDR, 12 + mask);
	range->leaf = qw1 & QI1_IH;
	return 0;
}

static int bad_granularity(const char **why)
{
	*why = "this granularity is reserved";
	return -EINVAL;
}

/* The VMM sets contexts: it has seen this descriptor already. */
static int check_context(const u64 *qw, const struct vtd_limits *limits,
			 struct vtd_command *command, const char **why)
{
	switch (FIELD_GET(QI0_GRANULARITY, qw[0])) {
	case QI_CONTEXT_GLOBAL:
	case QI_CONTEXT_DOMAIN:
	case QI_CONTEXT_DEVICE:
		command->kind = VTD_CMD_NOTHING;
		return 0;
	}
	return bad_granularity(why);
}

static int check_pasid_cache(const u64 *qw, const struct vtd_limits *limits,
			     struct vtd_command *command, const char **why)
{
	command->did = FIELD_GET(QI0_DID, qw[0]);
	command->pasid = FIELD_GET(QI0_PASID, qw[0]);

	switch (FIELD_GET(QI0_GRANULARITY, qw[0])) {
	case QI_PASID_CACHE_DOMAIN:
		command->kind = VTD_CMD_SYNC_DOMAIN;
		return 0;
	case QI_PASID_CACHE_PASID:
		command->kind = VTD_CMD_SYNC_PASID;
		return 0;
	case QI_PASID_CACHE_GLOBAL:
		command->kind = VTD_CMD_SYNC_ALL;
		return 0;
	}
	return bad_granularity(why);
}

/*
 * Of what a guest has in its hands only pass-through uses no first stage, and that needs
 * no invalidation; but the domain- and the global-selective forms concern all PASIDs.
 */
static int check_iotlb(const u64 *qw, const struct vtd_limits *limits,
		       struct vtd_command *command, const char **why)
{
	struct vtd_range range;

	command->did = FIELD_GET(QI0_DID, qw[0]);
	set_all(&command->range);

	switch (FIELD_GET(QI0_GRANULARITY, qw[0])) {
	case QI_IOTLB_GLOBAL:
		command->kind = VTD_CMD_FLUSH_ALL;
		return 0;
	case QI_IOTLB_DOMAIN:
		command->kind = VTD_CMD_FLUSH_DOMAIN;
		return 0;
	case QI_IOTLB_PAGE:
		if (!(limits->cap & CAP_PSI)) {
			*why = "page-selective without CAP.PSI";
			return -EINVAL;
		}
		command->kind = VTD_CMD_FLUSH_DOMAIN;
		command->wider = true;
		return set_masked_range(&range, qw[1], limits, why);
	}
	return bad_granularity(why);
}

static int check_pasid_iotlb(const u64 *qw, const struct vtd_limits *limits,
			     struct vtd_command *command, const char **why)
{
	command->kind = VTD_CMD_FLUSH_PASID;
	command->did = FIELD_GET(QI0_DID, qw[0]);
	command->pasid = FIELD_GET(QI0_PASID, qw[0]);

	switch (FIELD_GET(QI0_GRANULARITY, qw[0])) {
	case QI_PASID_IOTLB_ALL:
		set_all(&command->range);
		return 0;
	case QI_PASID_IOTLB_PAGE:
		return set_masked_range(&command->range, qw[1], limits, why);
	}
	return bad_granularity(why);
}

/*
 * In-tree drivers offer no invalidation of a device TLB by itself: that of the IOTLB
 * comes with it. PFSID and MIP are about the physical device, and the in-tree driver's.
 */
static int check_devtlb(const u64 *qw, const struct vtd_limits *limits,
			struct vtd_command *command, const char **why)
{
	command->kind = VTD_CMD_FLUSH_DEVICE_PASID;
	command->wider = true;
	command->virtual_id = FIELD_GET(QI0_DEVTLB_SID, qw[0]);
	command->pasid = VTD_RID_PASID;
	set_devtlb_range(&command->range, qw[1], qw[1] & QI1_DEVTLB_SIZE);
	return 0;
}

static int check_pasid_devtlb(const u64 *qw, const struct vtd_limits *limits,
			      struct vtd_command *command, const char **why)
{
	command->kind = qw[1] & QI1_PASID_DEVTLB_GLOBAL ?
			VTD_CMD_FLUSH_DEVICE : VTD_CMD_FLUSH_DEVICE_PASID;
	command->wider = true;
	command->virtual_id = FIELD_GET(QI0_PASID_DEVTLB_SID, qw[0]);
	command->pasid = FIELD_GET(QI0_PASID, qw[0]);
	set_devtlb_range(&command->range, qw[1],
			 qw[1] & QI1_PASID_DEVTLB_SIZE);
	return 0;
}

/*
 * Every command is complete when it has been carried out. That includes page requests for
 * what an invalidation of the PASID cache has taken away: they are in the ring, or wait
 * for room in it, so that the VMM can do what a wait with PD asks for.
 */
static int check_wait(const u64 *qw, const struct vtd_limits *limits,
		      struct vtd_command *command, const char **why)
{
	if (qw[0] & (QI0_WAIT_IF | QI0_WAIT_SW)) {
		*why = "a completion signal is the VMM's to give";
		return -EINVAL;
	}
	command->kind = VTD_CMD_NOTHING;
	return 0;
}

static int check_response(const u64 *qw, const struct vtd_limits *limits,
			  struct vtd_command *command, const char **why)
{
	command->kind = VTD_CMD_RESPONSE;
	command->virtual_id = FIELD_GET(QI0_RESPONSE_SID, qw[0]);
	command->pasid_valid = qw[0] & QI0_RESPONSE_PP;
	command->pasid = FIELD_GET(QI0_PASID, qw[0]);
	command->group = FIELD_GET(QI1_RESPONSE_GROUP, qw[1]);

	switch (FIELD_GET(QI0_RESPONSE_CODE, qw[0])) {
	case QI_RESPONSE_SUCCESS:
		command->code = VFIO_NESTED_RESPONSE_RETRY;
		return 0;
	case QI_RESPONSE_INVALID:
		command->code = VFIO_NESTED_RESPONSE_ABORT;
		return 0;
	case QI_RESPONSE_FAILURE:
		command->code = VFIO_NESTED_RESPONSE_TERMINATE;
		return 0;
	}
	*why = "this response code is reserved";
	return -EINVAL;
}

/**
 * struct descriptor - a type of descriptor
 * @check: looks at the values of its fields
 * @known: bits that it defines, beside the type, of the first two words; the others
 *	are zero
 * @needs: bits of ECAP
 */
struct descriptor {
	int (*check)(const u64 *qw, const struct vtd_limits *limits,
		     struct vtd_command *command, const char **why);
	u64 known[2];
	u64 needs;
};

static const struct descriptor descriptors[] = {
	[QI_CONTEXT] = {
		.check = check_context,
		.known = { QI0_GRANULARITY | QI0_DID | QI0_CONTEXT_SID |
			   QI0_CONTEXT_FM },
	},
	[QI_IOTLB] = {
		.check = check_iotlb,
		.known = { QI0_GRANULARITY | QI0_IOTLB_DW | QI0_IOTLB_DR | QI0_DID,
			   QI1_AM | QI1_IH | QI1_ADDR },
	},
	[QI_DEVTLB] = {
		.check = check_devtlb,
		.known = { QI0_DEVTLB_PFSID | QI0_DEVTLB_MIP | QI0_DEVTLB_SID,
			   QI1_DEVTLB_SIZE | QI1_ADDR },
		.needs = ECAP_DT,
	},
	[QI_WAIT] = {
		.check = check_wait,
		.known = { QI0_WAIT_IF | QI0_WAIT_SW | QI0_WAIT_FN | QI0_WAIT_PD |
			   QI0_WAIT_STATUS, QI1_WAIT_ADDR },
	},
	[QI_PASID_IOTLB] = {
		.check = check_pasid_iotlb,
		.known = { QI0_GRANULARITY | QI0_DID | QI0_PASID,
			   QI1_AM | QI1_IH | QI1_ADDR },
	},
	[QI_PASID_CACHE] = {
		.check = check_pasid_cache,
		.known = { QI0_GRANULARITY | QI0_DID | QI0_PASID },
	},
	[QI_PASID_DEVTLB] = {
		.check = check_pasid_devtlb,
		.known = { QI0_PASID_DEVTLB_MIP | QI0_DEVTLB_PFSID |
			   QI0_PASID_DEVTLB_SID | QI0_PASID,
			   QI1_PASID_DEVTLB_GLOBAL | QI1_PASID_DEVTLB_SIZE |
			   QI1_ADDR },
		.needs = ECAP_DT | ECAP_PASID,
	},
	[QI_GROUP_RESPONSE] = {
		.check = check_response,
		.known = { QI0_RESPONSE_PP | QI0_RESPONSE_CODE | QI0_RESPONSE_SID |
			   QI0_PASID, QI1_RESPONSE_LPIG | QI1_RESPONSE_GROUP },
		.needs = ECAP_PRS,
	},
};

/**
 * vtd_qi_check - what a guest's descriptor asks for
 * @words: its words, which nobody changes
 * @num: how many: QI_WORDS or QI_WORDS_SHORT
 * @limits: the guest's
 * @command: filled in
 * @why: set where it is refused
 *
 * Return: 0; -EOPNOTSUPP: its type is not known here; -EINVAL: it is not legal.
 */
int vtd_qi_check(const __le64 *words, u32 num, const struct vtd_limits *limits,
		 struct vtd_command *command, const char **why)
{
	const struct descriptor *descriptor;
	u64 qw[2] = { le64_to_cpu(words[0]), le64_to_cpu(words[1]) };
	u32 type = FIELD_GET(QI0_TYPE_HIGH, qw[0]) << 4 |
		   FIELD_GET(QI0_TYPE_LOW, qw[0]);

	memset(command, 0, sizeof(*command));
	if (type >= ARRAY_SIZE(descriptors) || !descriptors[type].check) {
		*why = "unknown type";
		return -EOPNOTSUPP;
	}
	descriptor = &descriptors[type];
	if ((limits->ecap & descriptor->needs) != descriptor->needs) {
		*why = "the guest does not have what it is for";
		return -EINVAL;
	}
	if (qw[0] & ~(descriptor->known[0] | QI0_TYPE_LOW) ||
	    qw[1] & ~descriptor->known[1] ||
	    (num == QI_WORDS && (words[2] || words[3]))) {
		*why = "a reserved bit is set";
		return -EINVAL;
	}
	return descriptor->check(qw, limits, command, why);
}

/*
 * Whether they are the two halves of one range that is aligned. Generic commands have any
 * number of pages, so that others may differ in the same bits, and overlap.
 */
static bool are_halves(const struct iommu_hwpt_vtd_s1_invalidate *a,
		       const struct iommu_hwpt_vtd_s1_invalidate *b)
{
	u64 size = a->npages << 12;

	return a->npages == b->npages && a->flags == b->flags &&
	       (a->addr ^ b->addr) == size &&
	       (a->addr - b->addr == size || b->addr - a->addr == size);
}

/**
 * vtd_ranges_add - one more
 * @ranges: where there is room for it
 * @range: of addresses
 * @max_pages: what hardware can do at once
 *
 * Where the last ones are the halves of a larger one that is in their place. What comes
 * out is what has been put in, not more.
 */
void vtd_ranges_add(struct vtd_ranges *ranges, const struct vtd_range *range,
		    u64 max_pages)
{
	struct iommu_hwpt_vtd_s1_invalidate *last = &ranges->list[ranges->num++];

	last->addr = range->address;
	last->npages = range->pages;
	last->flags = range->leaf ? IOMMU_VTD_INV_FLAGS_LEAF : 0;
	last->__reserved = 0;

	for (; last > ranges->list && are_halves(last - 1, last); last--) {
		if (last->npages * 2 > max_pages)
			return;
		last[-1].addr = min(last[-1].addr, last->addr);
		last[-1].npages *= 2;
		ranges->num--;
	}
}
