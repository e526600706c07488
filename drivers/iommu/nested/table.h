/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of recoverable faults of a virtual IOMMU: which are pending, where their
 * records are, and what became of those that are over. Pure: it knows no hardware and
 * no user, and allocates only when it is sized.
 */
#ifndef _IOMMU_NESTED_TABLE_H
#define _IOMMU_NESTED_TABLE_H

#include <linux/bitmap.h>
#include <linux/iommu-nested.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

/*
 * A cookie, from the top: 20 bits that tell virtual IOMMUs apart and are never zero,
 * the generation of the slot, and the slot's index.
 */
#define IOMMU_NESTED_COOKIE_INDEX_BITS	12
#define IOMMU_NESTED_COOKIE_TAG_BITS	20

/**
 * enum iommu_nested_end - what became of a fault
 * @IOMMU_NESTED_ANSWERED: the VMM has answered it
 * @IOMMU_NESTED_EXPIRED: it has been aborted at its deadline
 * @IOMMU_NESTED_ABORTED: a reset, an unbind or the end of the user was first
 * @IOMMU_NESTED_MOVED: as @IOMMU_NESTED_ABORTED, but somebody else will answer it
 * @IOMMU_NESTED_ENDS: number of these
 */
enum iommu_nested_end {
	IOMMU_NESTED_ANSWERED,
	IOMMU_NESTED_EXPIRED,
	IOMMU_NESTED_ABORTED,
	IOMMU_NESTED_MOVED,
	IOMMU_NESTED_ENDS
};

/**
 * struct iommu_nested_slot - one recoverable record
 * @queue: in the table's @free or @backlog or its owner's @parked; empty while the
 *	record is in the user's ring and its answer is awaited
 * @siblings: in its owner's @stalls or @requests
 * @node: in the table's @groups, if it is the last request of its group
 * @owner: NULL while the slot is free
 * @key: for the backend
 * @expires: CLOCK_MONOTONIC nanoseconds; U64_MAX: never
 * @generation: number of cookies that were given out for this slot, not counting
 *	zero when it wraps
 * @fate: what became of the fault that the last cookie names: zero while it is
 *	pending, else a negative errno
 * @held: the record has not been delivered
 * @record: as the user gets it
 */
struct iommu_nested_slot {
	struct list_head queue;
	struct list_head siblings;
	struct hlist_node node;
	struct iommu_nested_pending *owner;
	u64 key;
	u64 expires;
	u32 generation;
	int fate;
	bool held;
	struct vfio_nested_fault record;
};

/**
 * struct iommu_nested_pending - the recoverable faults of one binding
 * @binding: whose they are
 * @stalls: slots, in the order of arrival
 * @requests: slots, in the order of arrival
 * @parked: those that are held back while the device is stopped
 * @num: number of slots
 * @closed: no fault is taken: the device is in reset or being unbound
 * @stopped: no fault is taken, none is delivered and none can be answered
 * @stopped_at: since when, CLOCK_MONOTONIC nanoseconds
 * @gap: the next page request has to say that some before it were lost
 * @poisoned: groups of which a request was refused, so that the last one has to be
 * @deadline: looks for those that have expired
 *
 * All but @binding and @deadline are under the table's lock.
 */
struct iommu_nested_pending {
	struct iommu_nested_binding *binding;
	struct list_head stalls;
	struct list_head requests;
	struct list_head parked;
	u32 num;
	bool closed;
	bool stopped;
	u64 stopped_at;
	bool gap;
	DECLARE_BITMAP(poisoned, IOMMU_NESTED_GROUPS);
	struct delayed_work deadline;
};

/**
 * struct iommu_nested_table - the recoverable faults of one virtual IOMMU
 * @lock: guards all that follows; taken with interrupts off
 * @slots: the slots
 * @num_slots: number of @slots, at most IOMMU_NESTED_MAX_PENDING
 * @groups: hash of the groups whose last request is pending
 * @groups_bits: number of @groups, as a power of two
 * @seed: of that hash
 * @tag: of the cookies
 * @free: slots; the one that has been free for longest is used first, so that fates
 *	are remembered for as long as possible
 * @backlog: slots whose records wait for room in the user's ring, oldest first
 * @num_backlog: number of slots in @backlog
 * @num_told: what the user was told last of @num_backlog
 * @orphan: there is no user any more who could answer
 * @faults: stalls and groups raised
 * @refused: of these, refused
 * @delivered: of these, delivered
 * @ended: of these, ended in each way
 * @pending: of these, neither refused nor ended
 * @page_requests: page requests raised
 * @bad_answers: answers refused
 * @viommu: whose table it is, constant
 * @flush: delivers what is in @backlog when nothing else does
 */
struct iommu_nested_table {
	spinlock_t lock; /* all that follows */
	struct iommu_nested_slot *slots;
	u32 num_slots;
	struct hlist_head *groups;
	u32 groups_bits;
	u32 seed;
	u32 tag;
	struct list_head free;
	struct list_head backlog;
	u32 num_backlog;
	u32 num_told;
	bool orphan;

	u64 faults;
	u64 refused;
	u64 delivered;
	u64 ended[IOMMU_NESTED_ENDS];
	u64 pending;
	u64 page_requests;
	u64 bad_answers;

	struct iommu_nested_viommu *viommu;
	struct delayed_work flush;
};

void iommu_nested_table_init(struct iommu_nested_table *table);
int iommu_nested_table_size(struct iommu_nested_table *table, u32 num);
void iommu_nested_table_destroy(struct iommu_nested_table *table);
void iommu_nested_pending_init(struct iommu_nested_pending *pending);

/* With table->lock held: */
struct iommu_nested_slot *
iommu_nested_table_add(struct iommu_nested_table *table,
		       struct iommu_nested_pending *pending, u32 quota,
		       const struct vfio_nested_fault *fault, u64 key,
		       u64 expires);
struct iommu_nested_slot *
iommu_nested_table_restore(struct iommu_nested_table *table,
			   struct iommu_nested_pending *pending, u32 quota,
			   const struct vfio_nested_fault *fault, u64 expires);
void iommu_nested_table_unrestore(struct iommu_nested_table *table,
				  struct iommu_nested_pending *pending);
void iommu_nested_table_delivered(struct iommu_nested_table *table,
				  struct iommu_nested_slot *slot);
void iommu_nested_table_end(struct iommu_nested_table *table,
			    struct iommu_nested_slot *slot,
			    enum iommu_nested_end end);
void iommu_nested_table_forget(struct iommu_nested_pending *pending);
int iommu_nested_table_find(struct iommu_nested_table *table, u64 cookie,
			    struct iommu_nested_slot **slot);
int iommu_nested_table_find_stall(struct iommu_nested_table *table,
				  struct iommu_nested_pending *pending, u64 tag,
				  struct iommu_nested_slot **slot);
int iommu_nested_table_find_group(struct iommu_nested_table *table,
				  struct iommu_nested_pending *pending, u64 key,
				  struct iommu_nested_slot **slot);
struct iommu_nested_slot *
iommu_nested_table_expired(struct iommu_nested_pending *pending, u64 now);
u64 iommu_nested_table_earliest(struct iommu_nested_pending *pending);
void iommu_nested_table_park(struct iommu_nested_table *table,
			     struct iommu_nested_pending *pending, u64 now);
void iommu_nested_table_unpark(struct iommu_nested_table *table,
			       struct iommu_nested_pending *pending, u64 now);

static inline u32
iommu_nested_slot_index(const struct iommu_nested_table *table,
			const struct iommu_nested_slot *slot)
{
	return slot - table->slots;
}

/* The VMM is to answer it; else the record is all there is. */
static inline bool iommu_nested_slot_answerable(const struct iommu_nested_slot *slot)
{
	return slot->record.cookie;
}

#endif /* _IOMMU_NESTED_TABLE_H */
