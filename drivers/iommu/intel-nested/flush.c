// SPDX-License-Identifier: GPL-2.0
/*
 * Invalidations of what nested domains have in the IOTLB and in device TLBs. Those that go
 * to the same domains are gathered, and handed to intel-iommu together.
 *
 * Invariants:
 *  - vtd_viommu.in_force has the shadows that a guest's first stage is in force by, and no
 *    others: hashed by domain id, so that devices with one each make no difference, and
 *    each bucket a tree in the order of domain ids and PASIDs, so that neither do many
 *    PASIDs of one domain id. Who attaches and detaches them keeps it (attach.c), with
 *    vtd_viommu.lock held;
 *  - what is gathered is carried out before anything else is done for the guest, and
 *    before its call returns: nothing stays here when vtd_viommu.lock is released;
 *  - a command counts when it, and all that came before it, is complete;
 *  - of addresses nothing is added to what is asked for, and nothing is left out. An
 *    invalidation of the IOTLB that intel-iommu carries out includes device TLBs: so one
 *    of a device TLB that follows it, of the same addresses, is complete with it. Where a
 *    range is too much for the kernel, all that belongs to the guest's memory is
 *    invalidated, by its domain, and once for all shadows that are meant;
 *  - that can be repeated, and is, from the first command that does not count.
 */
#include <linux/bitfield.h>
#include <linux/iommu.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "vtd.h"

/* --- What is in force --------------------------------------------------------- */

#define KEY_DID		GENMASK_ULL(63, 32)
#define KEY_PASID	GENMASK_ULL(31, 0)

static u64 make_key(u16 did, u32 pasid)
{
	return FIELD_PREP(KEY_DID, did) | pasid;
}

static u64 key_of(const struct rb_node *node)
{
	const struct vtd_shadow *shadow = rb_entry(node, struct vtd_shadow,
						   in_force);

	return make_key(shadow->entry.did, shadow->pasid);
}

static bool is_before(struct rb_node *a, const struct rb_node *b)
{
	return key_of(a) < key_of(b);
}

/* Those whose keys are @key in the bits of @mask, which are the upper ones */
struct selection {
	u64 key;
	u64 mask;
};

static int compare(const void *data, const struct rb_node *node)
{
	const struct selection *selection = data;
	u64 key = key_of(node) & selection->mask;

	if (selection->key < key)
		return -1;
	return selection->key > key;
}

static struct rb_root *bucket_of(struct vtd_viommu *viommu, u16 did)
{
	return &viommu->in_force[did % ARRAY_SIZE(viommu->in_force)];
}

/**
 * vtd_flush_add - invalidations are for this shadow as well
 * @shadow: VTD_STAGE1, has been attached
 *
 * Context: with vtd_viommu.lock held.
 */
void vtd_flush_add(struct vtd_shadow *shadow)
{
	rb_add(&shadow->in_force,
	       bucket_of(shadow->vdev->viommu, shadow->entry.did), is_before);
}

/**
 * vtd_flush_remove - the opposite
 * @shadow: has been added, and is detached
 *
 * Context: with vtd_viommu.lock held.
 */
void vtd_flush_remove(struct vtd_shadow *shadow)
{
	rb_erase(&shadow->in_force,
		 bucket_of(shadow->vdev->viommu, shadow->entry.did));
}

/* --- Carrying it out ---------------------------------------------------------- */

static u64 max_pages(const struct vtd_viommu *viommu)
{
	return 1ULL << FIELD_GET(CAP_MAMV, viommu->limits.cap);
}

/* Whether intel-iommu gives the hardware a descriptor that it takes. */
static bool can_flush(const struct vtd_viommu *viommu,
		      const struct iommu_hwpt_vtd_s1_invalidate *entry)
{
	u64 last = entry->addr + (entry->npages << 12) - 1;

	return entry->npages <= max_pages(viommu) &&
	       (entry->addr ^ last) >> 12 < max_pages(viommu);
}

static bool can_flush_all(const struct vtd_viommu *viommu)
{
	const struct vtd_ranges *ranges = &viommu->gather.ranges;
	u32 i;

	if (compat_iommu_flushes_any_range)
		return true;
	for (i = 0; i < ranges->num; i++)
		if (!can_flush(viommu, &ranges->list[i]))
			return false;
	return true;
}

/* @array: what is handed to intel-iommu; NULL: that is too much for the kernel. */
static int flush_shadow(const struct vtd_shadow *shadow,
			const struct iommu_user_data_array *array)
{
	struct vtd_viommu *viommu = shadow->vdev->viommu;
	struct iommu_user_data_array copy;
	int ret;

	/* What is not in force, or has no stage 1, has nothing in caches. */
	if (!shadow->attached || shadow->entry.kind != VTD_STAGE1)
		return 0;
	if (!array) {
		viommu->gather.whole = true;
		return 0;
	}
	/* How much has been done is written there. */
	copy = *array;
	pagefault_disable();
	ret = shadow->domain->ops->cache_invalidate_user(shadow->domain, &copy);
	pagefault_enable();
	return ret == -EFAULT ?
	       iommu_nested_user_page_missing(viommu->core) : ret;
}

static int flush_device_pasid(struct vtd_dev *vdev, u32 pasid,
			      const struct iommu_user_data_array *array)
{
	const struct vtd_shadow *shadow = xa_load(&vdev->state->shadows, pasid);

	return shadow ? flush_shadow(shadow, array) : 0;
}

static int flush_device(struct vtd_dev *vdev,
			const struct iommu_user_data_array *array)
{
	struct vtd_shadow *shadow;
	unsigned long pasid;
	int err, ret = 0;

	/* An error of one keeps nothing in caches for another. */
	xa_for_each(&vdev->state->shadows, pasid, shadow) {
		err = flush_shadow(shadow, array);
		ret = ret ?: err;
	}
	return ret;
}

static int flush_all(struct vtd_viommu *viommu,
		     const struct iommu_user_data_array *array)
{
	struct vtd_dev *vdev;
	int err, ret = 0;

	list_for_each_entry(vdev, &viommu->devices, node) {
		err = flush_device(vdev, array);
		ret = ret ?: err;
		cond_resched();
	}
	return ret;
}

/* One PASID of a domain id, or all */
static int flush_domain(struct vtd_viommu *viommu,
			const struct iommu_user_data_array *array)
{
	const struct vtd_command *target = &viommu->gather.target;
	const u64 mask = target->kind == VTD_CMD_FLUSH_PASID ?
			 KEY_DID | KEY_PASID : KEY_DID;
	const struct selection selection = {
		.key = make_key(target->did, target->pasid) & mask,
		.mask = mask,
	};
	struct rb_node *node;
	int err, ret = 0;

	rb_for_each(node, &selection, bucket_of(viommu, target->did), compare) {
		err = flush_shadow(rb_entry(node, struct vtd_shadow, in_force),
				   array);
		ret = ret ?: err;
		cond_resched();
	}
	return ret;
}

/* The device that an invalidation names; it has been looked for before. */
static struct vtd_dev *target_device(struct vtd_viommu *viommu)
{
	return iommu_nested_find(viommu->core,
				 viommu->gather.target.virtual_id)->backend_data;
}

static int flush_target(struct vtd_viommu *viommu,
			const struct iommu_user_data_array *array)
{
	const struct vtd_command *target = &viommu->gather.target;

	switch (target->kind) {
	case VTD_CMD_FLUSH_DOMAIN:
	case VTD_CMD_FLUSH_PASID:
		return flush_domain(viommu, array);
	case VTD_CMD_FLUSH_DEVICE:
		return flush_device(target_device(viommu), array);
	case VTD_CMD_FLUSH_DEVICE_PASID:
		return flush_device_pasid(target_device(viommu), target->pasid,
					  array);
	default:
		return flush_all(viommu, array);
	}
}

static int flush_ranges(struct vtd_viommu *viommu)
{
	const struct vtd_ranges *ranges = &viommu->gather.ranges;
	struct iommu_user_data_array array = {
		.type = IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
		.entry_len = sizeof(ranges->list[0]),
		.entry_num = ranges->num,
	};
	int ret;

	ret = vtd_write_user_page(viommu, ranges->list,
				  ranges->num * sizeof(ranges->list[0]),
				  &array.uptr);
	return ret ?: flush_target(viommu, &array);
}

/* For kernels that cannot take the ranges */
static int flush_parent(struct vtd_viommu *viommu)
{
	struct vtd_gather *gather = &viommu->gather;

	gather->whole = false;
	flush_target(viommu, NULL);
	if (gather->whole) {
		iommu_flush_iotlb_all(viommu->parent);
		gather->wider = gather->flushes;
	}
	return 0;
}

/**
 * vtd_flush_complete - carry out what is gathered
 * @viommu: whose
 *
 * On error @viommu->gather.commands says how many commands have to be repeated.
 *
 * Context: process, with @viommu->lock and viommu->sem held.
 * Return: 0; -EAGAIN: see iommu_nested_user_page(); errors of intel-iommu.
 */
int vtd_flush_complete(struct vtd_viommu *viommu)
{
	struct vtd_gather *gather = &viommu->gather;
	int ret;

	if (!gather->ranges.num)
		return 0;
	ret = can_flush_all(viommu) ? flush_ranges(viommu) :
				      flush_parent(viommu);
	if (!ret) {
		if (gather->wider)
			atomic64_add(gather->wider,
				     &viommu->core->counters.commands_widened);
		gather->commands = 0;
	}
	gather->ranges.num = 0;
	return ret;
}

/* --- Gathering ---------------------------------------------------------------- */

static bool is_same_target(const struct vtd_command *a,
			   const struct vtd_command *b)
{
	return a->kind == b->kind && a->did == b->did && a->pasid == b->pasid &&
	       a->virtual_id == b->virtual_id;
}

static bool names_device(const struct vtd_command *command)
{
	return command->kind == VTD_CMD_FLUSH_DEVICE ||
	       command->kind == VTD_CMD_FLUSH_DEVICE_PASID;
}

/* An invalidation of a device TLB: does that of the IOTLB do it as well? */
static bool is_included(const struct vtd_gather *gather,
			const struct vtd_dev *vdev,
			const struct vtd_command *command)
{
	const struct vtd_command *target = &gather->target;
	struct vtd_shadow *shadow;

	if (target->kind != VTD_CMD_FLUSH_PASID ||
	    command->kind != VTD_CMD_FLUSH_DEVICE_PASID ||
	    command->pasid != target->pasid ||
	    !vtd_ranges_have(&gather->ranges, &command->range))
		return false;
	shadow = xa_load(&vdev->state->shadows, target->pasid);
	return !shadow || shadow->entry.did == target->did;
}

/* Out of line, for what is gathered has to do without */
static noinline int flush_begin(struct vtd_viommu *viommu,
				const struct vtd_command *command)
{
	struct vtd_gather *gather = &viommu->gather;
	int ret;

	ret = vtd_flush_complete(viommu);
	if (ret)
		return ret;
	gather->target = *command;
	gather->flushes = 0;
	gather->wider = 0;
	return 0;
}

/**
 * vtd_flush - an invalidation, to be carried out with others
 * @viommu: whose guest's
 * @command: VTD_CMD_FLUSH_*
 *
 * If it cannot be gathered with what there is, that is completed first.
 *
 * Context: process, with @viommu->lock and viommu->sem held.
 * Return: 0; -ENOENT: it names a device that is not bound; errors of
 * vtd_flush_complete().
 */
int vtd_flush(struct vtd_viommu *viommu, const struct vtd_command *command)
{
	struct vtd_gather *gather = &viommu->gather;
	struct vtd_ranges *ranges = &gather->ranges;
	struct iommu_nested_binding *binding;
	int ret;

	if (names_device(command)) {
		binding = iommu_nested_find(viommu->core, command->virtual_id);
		if (!binding)
			return -ENOENT;
		if (ranges->num &&
		    is_included(gather, binding->backend_data, command))
			return 0;
	}
	if (!ranges->num || !is_same_target(&gather->target, command) ||
	    ranges->num == VTD_MAX_RANGES) {
		ret = flush_begin(viommu, command);
		if (ret)
			return ret;
	}
	gather->flushes++;
	gather->wider += command->wider;
	if (!vtd_ranges_have(ranges, &command->range))
		vtd_ranges_add(ranges, &command->range, max_pages(viommu));
	return 0;
}
