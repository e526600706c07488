// SPDX-License-Identifier: GPL-2.0
/*
 * The table of recoverable faults.
 *
 * Invariants, whenever the lock is free:
 *  - a slot is free, or it has an owner, in one of whose two lists it is;
 *  - the records that are not delivered are in the backlog, or in the parked list of
 *    an owner that is stopped; a record that needs no answer gives its slot back when
 *    it is delivered;
 *  - what needs an answer has a cookie. The cookie of a fault that was refused has
 *    never existed;
 *  - faults == pending + refused + all of ended;
 *  - of one group of a device at most one last request is pending;
 *  - a group of which the guest does not get every request has its last one refused,
 *    so that the device is told, except where a gap says that requests were lost.
 * Everything but what walks one device's records is O(1).
 */
#include <linux/err.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/nospec.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "table.h"

static const int end_errno[IOMMU_NESTED_ENDS] = {
	[IOMMU_NESTED_ANSWERED] = -EALREADY,
	[IOMMU_NESTED_EXPIRED] = -ETIMEDOUT,
	[IOMMU_NESTED_ABORTED] = -ECANCELED,
	[IOMMU_NESTED_MOVED] = -ECANCELED,
};

/* A table without slots, in which nothing is found and which takes nothing. */
void iommu_nested_table_init(struct iommu_nested_table *table)
{
	spin_lock_init(&table->lock);
	INIT_LIST_HEAD(&table->free);
	INIT_LIST_HEAD(&table->backlog);
	table->seed = get_random_u32();
	table->tag = get_random_u32_inclusive(1, BIT(IOMMU_NESTED_COOKIE_TAG_BITS) - 1);
}

void iommu_nested_table_destroy(struct iommu_nested_table *table)
{
	WARN_ON(table->pending || table->num_backlog);
	kvfree(table->slots);
	kvfree(table->groups);
}

/* Fates outlive devices: what the old slots remember goes on. */
static void adopt(struct iommu_nested_table *table,
		  struct iommu_nested_slot **slots, u32 num,
		  struct hlist_head **groups, u32 groups_bits)
{
	memcpy(*slots, table->slots, table->num_slots * sizeof(**slots));
	swap(table->slots, *slots);
	swap(table->groups, *groups);
	table->num_slots = num;
	table->groups_bits = groups_bits;
}

static int grow(struct iommu_nested_table *table, u32 num)
{
	u32 groups_bits = order_base_2(num);
	struct iommu_nested_slot *slots;
	struct hlist_head *groups;
	int ret = -ENOMEM;

	slots = kvzalloc_objs(*slots, num, GFP_KERNEL_ACCOUNT);
	groups = kvzalloc_objs(*groups, 1U << groups_bits, GFP_KERNEL_ACCOUNT);
	if (slots && groups) {
		spin_lock_irq(&table->lock);
		adopt(table, &slots, num, &groups, groups_bits);
		spin_unlock_irq(&table->lock);
		ret = 0;
	}
	kvfree(slots);
	kvfree(groups);
	return ret;
}

/*
 * Let @num faults be pending, and no more. The caller knows that no slot is in use and
 * that nobody adds one meanwhile; those who look for cookies, or count, may go on.
 * Returns -EINVAL: too many; -ENOMEM.
 */
int iommu_nested_table_size(struct iommu_nested_table *table, u32 num)
{
	int ret = 0;
	u32 i;

	if (num > IOMMU_NESTED_MAX_PENDING)
		return -EINVAL;
	if (num > table->num_slots)
		ret = grow(table, num);
	if (ret)
		return ret;

	spin_lock_irq(&table->lock);
	INIT_LIST_HEAD(&table->free);
	for (i = 0; i < num; i++)
		list_add_tail(&table->slots[i].queue, &table->free);
	spin_unlock_irq(&table->lock);
	return 0;
}

void iommu_nested_pending_init(struct iommu_nested_pending *pending)
{
	INIT_LIST_HEAD(&pending->stalls);
	INIT_LIST_HEAD(&pending->requests);
	INIT_LIST_HEAD(&pending->parked);
}

static u64 make_cookie(const struct iommu_nested_table *table,
		       const struct iommu_nested_slot *slot)
{
	u64 tagged = (u64)table->tag << (64 - IOMMU_NESTED_COOKIE_TAG_BITS);

	return tagged |
	       (u64)slot->generation << IOMMU_NESTED_COOKIE_INDEX_BITS |
	       iommu_nested_slot_index(table, slot);
}

static bool is_stall(const struct vfio_nested_fault *fault)
{
	return fault->kind == VFIO_NESTED_FAULT_STALL;
}

/* PCIe, section 10.4.1: what was sent before it has been received, and no more. */
static bool is_stop_marker(const struct vfio_nested_fault *fault)
{
	return !is_stall(fault) && (fault->flags & VFIO_NESTED_FAULT_LAST) &&
	       !(fault->flags & (VFIO_NESTED_FAULT_READ |
				 VFIO_NESTED_FAULT_WRITE));
}

/* Whether it is a fault of its own, that is counted and needs an answer. */
static bool is_fault(const struct vfio_nested_fault *fault)
{
	return is_stall(fault) || ((fault->flags & VFIO_NESTED_FAULT_LAST) &&
				   !is_stop_marker(fault));
}

static u64 group_key(const struct vfio_nested_fault *fault)
{
	return iommu_nested_group_key(fault->flags & VFIO_NESTED_FAULT_PASID,
				      fault->pasid, fault->group);
}

static struct hlist_head *group_bucket(struct iommu_nested_table *table,
				       const struct iommu_nested_pending *owner,
				       u64 key)
{
	u32 hash = jhash_3words(lower_32_bits(key), upper_32_bits(key),
				(u32)((uintptr_t)owner >> 4), table->seed);

	return &table->groups[hash & ((1U << table->groups_bits) - 1)];
}

static struct iommu_nested_slot *
look_up_group(struct iommu_nested_table *table,
	      const struct iommu_nested_pending *owner, u64 key)
{
	struct iommu_nested_slot *slot;

	hlist_for_each_entry(slot, group_bucket(table, owner, key), node)
		if (slot->owner == owner && slot->key == key)
			return slot;
	return NULL;
}

static bool has_room(const struct iommu_nested_table *table,
		     const struct iommu_nested_pending *pending, u32 quota)
{
	return !list_empty(&table->free) && (!quota || pending->num < quota);
}

static bool is_open(const struct iommu_nested_table *table,
		    const struct iommu_nested_pending *pending)
{
	return !table->orphan && !pending->closed && !pending->stopped;
}

/*
 * Whether the rules for groups let a request in, @room being what all others say. A
 * second last request of a group whose first one is pending is the device's mistake.
 */
static bool admit_request(struct iommu_nested_table *table,
			  struct iommu_nested_pending *pending,
			  const struct vfio_nested_fault *fault, bool room)
{
	u64 key = group_key(fault);
	u32 group = iommu_nested_key_group(key);
	bool ok;

	ok = room && !test_bit(group, pending->poisoned) &&
	     !look_up_group(table, pending, key);
	if (fault->flags & VFIO_NESTED_FAULT_LAST)
		__clear_bit(group, pending->poisoned);
	else if (!ok)
		__set_bit(group, pending->poisoned);
	return ok;
}

static bool admit(struct iommu_nested_table *table,
		  struct iommu_nested_pending *pending, u32 quota,
		  const struct vfio_nested_fault *fault)
{
	bool ok = is_open(table, pending) && has_room(table, pending, quota);

	if (is_stall(fault))
		return ok;
	if (!is_stop_marker(fault))
		ok = admit_request(table, pending, fault, ok);
	if (!ok)
		pending->gap = true;
	return ok;
}

/* Give @fault a slot; there is one. The caller puts it into a queue. */
static struct iommu_nested_slot *
fill_slot(struct iommu_nested_table *table,
	  struct iommu_nested_pending *pending,
	  const struct vfio_nested_fault *fault, u64 key, u64 expires)
{
	struct iommu_nested_slot *slot =
		list_first_entry(&table->free, struct iommu_nested_slot, queue);

	list_del_init(&slot->queue);
	slot->owner = pending;
	slot->expires = expires;
	slot->held = true;
	slot->record = *fault;
	slot->record.cookie = 0;
	list_add_tail(&slot->siblings,
		      is_stall(fault) ? &pending->stalls : &pending->requests);
	pending->num++;

	slot->key = is_stall(fault) ? key : group_key(fault);
	if (!is_fault(fault))
		return slot;
	if (!is_stall(fault))
		hlist_add_head(&slot->node,
			       group_bucket(table, pending, slot->key));
	if (!++slot->generation)
		slot->generation = 1;
	slot->fate = 0;
	slot->record.cookie = make_cookie(table, slot);
	table->pending++;
	return slot;
}

/*
 * Count a fault and take it, into the backlog; NULL if it has to be refused. @quota
 * is the number of slots that the device may have, or 0.
 */
struct iommu_nested_slot *
iommu_nested_table_add(struct iommu_nested_table *table,
		       struct iommu_nested_pending *pending, u32 quota,
		       const struct vfio_nested_fault *fault, u64 key,
		       u64 expires)
{
	struct iommu_nested_slot *slot;
	bool taken = table->num_slots &&
		     admit(table, pending, quota, fault);

	if (!is_stall(fault) && !is_stop_marker(fault))
		table->page_requests++;
	if (is_fault(fault)) {
		table->faults++;
		if (!taken)
			table->refused++;
	}
	if (!taken)
		return NULL;

	slot = fill_slot(table, pending, fault, key, expires);
	if (pending->gap && !is_stall(fault)) {
		slot->record.flags |= VFIO_NESTED_FAULT_GAP;
		pending->gap = false;
	}
	list_add_tail(&slot->queue, &table->backlog);
	table->num_backlog++;
	return slot;
}

/*
 * Take a page request that somebody else has raised, for a device that is stopped.
 * It is counted as if it had been raised here. ERR_PTR() of -ENOSPC: no room;
 * -EINVAL: there are two last requests of its group.
 */
struct iommu_nested_slot *
iommu_nested_table_restore(struct iommu_nested_table *table,
			   struct iommu_nested_pending *pending, u32 quota,
			   const struct vfio_nested_fault *fault, u64 expires)
{
	struct iommu_nested_slot *slot;

	if (!has_room(table, pending, quota))
		return ERR_PTR(-ENOSPC);
	if (is_fault(fault) && look_up_group(table, pending, group_key(fault)))
		return ERR_PTR(-EINVAL);

	slot = fill_slot(table, pending, fault, 0, expires);
	list_add_tail(&slot->queue, &pending->parked);
	if (!is_stop_marker(fault))
		table->page_requests++;
	if (is_fault(fault))
		table->faults++;
	return slot;
}

static void leave_queue(struct iommu_nested_table *table,
			struct iommu_nested_slot *slot)
{
	if (slot->held && !slot->owner->stopped)
		table->num_backlog--;
	slot->held = false;
	list_del_init(&slot->queue);
}

static void vacate(struct iommu_nested_table *table,
		   struct iommu_nested_slot *slot)
{
	leave_queue(table, slot);
	if (!hlist_unhashed(&slot->node))
		hlist_del_init(&slot->node);
	list_del(&slot->siblings);
	slot->owner->num--;
	slot->owner = NULL;
	list_add_tail(&slot->queue, &table->free);
}

/* Take back what iommu_nested_table_restore() did. */
void iommu_nested_table_unrestore(struct iommu_nested_table *table,
				  struct iommu_nested_pending *pending)
{
	struct iommu_nested_slot *slot, *next;

	list_for_each_entry_safe(slot, next, &pending->requests, siblings) {
		if (!is_stop_marker(&slot->record))
			table->page_requests--;
		if (is_fault(&slot->record)) {
			table->faults--;
			table->pending--;
			slot->fate = -ECANCELED;
		}
		vacate(table, slot);
	}
}

/* The record of @slot, the first in the backlog, is in the user's ring. */
void iommu_nested_table_delivered(struct iommu_nested_table *table,
				  struct iommu_nested_slot *slot)
{
	if (!iommu_nested_slot_answerable(slot)) {
		vacate(table, slot);
		return;
	}
	leave_queue(table, slot);
	table->delivered++;
}

/* A record that needs no answer is dropped: that leaves a gap. */
static void drop(struct iommu_nested_table *table,
		 struct iommu_nested_slot *slot)
{
	struct iommu_nested_pending *owner = slot->owner;

	owner->gap = true;
	if (!is_stop_marker(&slot->record) &&
	    !look_up_group(table, owner, slot->key))
		__set_bit(iommu_nested_key_group(slot->key), owner->poisoned);
	vacate(table, slot);
}

/* The fault in @slot is over. What the slot contains stays valid under the lock. */
void iommu_nested_table_end(struct iommu_nested_table *table,
			    struct iommu_nested_slot *slot,
			    enum iommu_nested_end end)
{
	if (!iommu_nested_slot_answerable(slot)) {
		drop(table, slot);
		return;
	}
	vacate(table, slot);
	slot->fate = end_errno[end];
	table->ended[end]++;
	table->pending--;
}

/* No request of @pending is left, and its device starts anew. */
void iommu_nested_table_forget(struct iommu_nested_pending *pending)
{
	bitmap_zero(pending->poisoned, IOMMU_NESTED_GROUPS);
	pending->gap = false;
}

/*
 * Find what @cookie names. -ENOENT: it was never given out, or not by this table, or
 * the user cannot know it yet, or so many generations ago that it is not to be told from
 * that; -ESTALE: the slot has been used again since then; else what became of the fault,
 * if it is over.
 */
int iommu_nested_table_find(struct iommu_nested_table *table, u64 cookie,
			    struct iommu_nested_slot **found)
{
	u32 index = cookie & (BIT(IOMMU_NESTED_COOKIE_INDEX_BITS) - 1);
	u32 generation = cookie >> IOMMU_NESTED_COOKIE_INDEX_BITS;
	struct iommu_nested_slot *slot;

	if (cookie >> (64 - IOMMU_NESTED_COOKIE_TAG_BITS) != table->tag ||
	    index >= table->num_slots)
		return -ENOENT;
	slot = &table->slots[array_index_nospec(index, table->num_slots)];
	if (!generation || generation > slot->generation)
		return -ENOENT;
	if (generation < slot->generation)
		return -ESTALE;
	if (slot->fate)
		return slot->fate;
	if (slot->held)
		return -ENOENT;
	*found = slot;
	return 0;
}

/*
 * Find the stall of a device that the guest calls @tag. A slot remembers by its record
 * whose stall was in it, as long as no other record has been there.
 */
int iommu_nested_table_find_stall(struct iommu_nested_table *table,
				  struct iommu_nested_pending *pending, u64 tag,
				  struct iommu_nested_slot **found)
{
	struct iommu_nested_slot *slot;

	if (tag >= table->num_slots)
		return -ENOENT;
	slot = &table->slots[array_index_nospec(tag, table->num_slots)];
	if (!slot->generation || !is_stall(&slot->record) ||
	    slot->record.virtual_id != pending->binding->virtual_id)
		return -ENOENT;
	return iommu_nested_table_find(table, slot->record.cookie, found);
}

/* Find the group of a device that iommu_nested_group_key() names. */
int iommu_nested_table_find_group(struct iommu_nested_table *table,
				  struct iommu_nested_pending *pending, u64 key,
				  struct iommu_nested_slot **found)
{
	struct iommu_nested_slot *slot;

	if (!table->num_slots)
		return -ENOENT;
	slot = look_up_group(table, pending, key);
	if (!slot || slot->held)
		return -ENOENT;
	*found = slot;
	return 0;
}

static u64 expires_first(struct list_head *siblings)
{
	const struct iommu_nested_slot *slot =
		list_first_entry_or_null(siblings, struct iommu_nested_slot,
					 siblings);

	return slot ? slot->expires : U64_MAX;
}

/* When something of @pending expires; U64_MAX: never. A deadline is as long as another. */
u64 iommu_nested_table_earliest(struct iommu_nested_pending *pending)
{
	return min(expires_first(&pending->stalls),
		   expires_first(&pending->requests));
}

static struct iommu_nested_slot *expired_first(struct list_head *siblings,
					       u64 now)
{
	struct iommu_nested_slot *slot =
		list_first_entry_or_null(siblings, struct iommu_nested_slot,
					 siblings);

	return slot && slot->expires <= now ? slot : NULL;
}

/* A slot of @pending that has expired at @now, or NULL; at U64_MAX all have. */
struct iommu_nested_slot *
iommu_nested_table_expired(struct iommu_nested_pending *pending, u64 now)
{
	return expired_first(&pending->stalls, now) ?:
	       expired_first(&pending->requests, now);
}

static void shift_deadlines(struct list_head *siblings, u64 by)
{
	struct iommu_nested_slot *slot;

	list_for_each_entry(slot, siblings, siblings)
		if (slot->expires != U64_MAX)
			slot->expires += by;
}

/* The device is stopped: what is held back stays back, and deadlines do not run. */
void iommu_nested_table_park(struct iommu_nested_table *table,
			     struct iommu_nested_pending *pending, u64 now)
{
	struct iommu_nested_slot *slot, *next;

	list_for_each_entry_safe(slot, next, &table->backlog, queue) {
		if (slot->owner != pending)
			continue;
		list_move_tail(&slot->queue, &pending->parked);
		table->num_backlog--;
	}
	pending->stopped = true;
	pending->stopped_at = now;
}

/* The opposite. */
void iommu_nested_table_unpark(struct iommu_nested_table *table,
			       struct iommu_nested_pending *pending, u64 now)
{
	u64 by = now - pending->stopped_at;

	table->num_backlog += list_count_nodes(&pending->parked);
	list_splice_tail_init(&pending->parked, &table->backlog);
	shift_deadlines(&pending->stalls, by);
	shift_deadlines(&pending->requests, by);
	pending->stopped = false;
}
