// SPDX-License-Identifier: GPL-2.0
/*
 * Recoverable faults: from a backend into the table, and from there to the user.
 *
 * Invariants:
 *  - a report allocates nothing and sleeps nowhere, and holds the table's lock for a
 *    bounded time: other guests have tables of their own;
 *  - a fault that has been taken is in the hardware until it is ended here: answered,
 *    expired, or aborted. Whoever ends it takes it out of the table first, so that
 *    there is one answer;
 *  - records reach the user in the order in which they came. While there is no room
 *    for the first of them, all wait, and the backlog is looked at whenever there may be
 *    room again: at every report, answer, poll and kick, and else by and by;
 *  - a binding that is closed has no fault, and one that is gone has no work queued.
 */
#include <linux/ktime.h>
#include <linux/slab.h>

#include "private.h"
#include "trace.h"

/* How long a user who does not say that there is room may have to wait. */
#define FLUSH_INTERVAL_MS	50

/* Records that are copied with interrupts off, at most. */
#define FLUSH_BATCH		32

/* Deliver some of the backlog; the number of records. Under the table's lock. */
static u32 flush_some(struct iommu_nested_table *table)
{
	struct iommu_nested_viommu *viommu = table->viommu;
	struct iommu_nested_slot *slot;
	u32 num;

	lockdep_assert_held(&table->lock);

	for (num = 0; num < FLUSH_BATCH && table->num_backlog; num++) {
		slot = list_first_entry(&table->backlog,
					struct iommu_nested_slot, queue);
		if (!viommu->user->deliver(viommu->user_data, &slot->record))
			break;
		iommu_nested_table_delivered(table, slot);
	}
	return num;
}

/* To be called whenever the backlog has changed. */
static u32 flush_and_tell(struct iommu_nested_table *table)
{
	struct iommu_nested_viommu *viommu = table->viommu;
	u32 num = flush_some(table);

	if (table->num_backlog != table->num_told) {
		WRITE_ONCE(table->num_told, table->num_backlog);
		viommu->user->held(viommu->user_data, table->num_backlog);
	}
	if (table->num_backlog)
		queue_delayed_work(iommu_nested_workqueue, &table->flush,
				   msecs_to_jiffies(FLUSH_INTERVAL_MS));
	return num;
}

/*
 * Deliver what is held back, as far as there is room. Returns the number of records.
 * Context: any.
 */
u32 iommu_nested_faults_flush(struct iommu_nested_table *table)
{
	struct iommu_nested_viommu *viommu = table->viommu;
	unsigned long flags;
	u32 num, total = 0;

	do {
		spin_lock_irqsave(&table->lock, flags);
		num = flush_and_tell(table);
		spin_unlock_irqrestore(&table->lock, flags);
		total += num;
	} while (num == FLUSH_BATCH && total < IOMMU_NESTED_MAX_PENDING);

	if (total)
		viommu->user->wake(viommu->user_data);
	return total;
}

static void backlog_work(struct work_struct *work)
{
	struct iommu_nested_table *table =
		container_of(to_delayed_work(work), struct iommu_nested_table,
			     flush);

	iommu_nested_faults_flush(table);
}

/**
 * iommu_nested_flush - deliver records that have been held back
 * @viommu: the virtual IOMMU
 *
 * For when there is room for records that the user's @deliver has refused.
 *
 * Context: any; takes the table's lock and calls the user's operations.
 * Return: the number of records that have been delivered.
 */
u32 iommu_nested_flush(struct iommu_nested_viommu *viommu)
{
	struct iommu_nested_table *table = viommu->table;

	/* What is missed here has been told, or has the work queued. */
	if (!READ_ONCE(table->num_told))
		return 0;
	return iommu_nested_faults_flush(table);
}
EXPORT_SYMBOL_GPL(iommu_nested_flush);

/* When a fault of @binding expires that is raised at @now. */
u64 iommu_nested_expiry(const struct iommu_nested_binding *binding, u64 now)
{
	u32 ms = binding->policy.fault_deadline_ms;

	return ms ? now + (u64)ms * NSEC_PER_MSEC : U64_MAX;
}

static bool add_fault(struct iommu_nested_table *table,
		      struct iommu_nested_binding *binding,
		      struct vfio_nested_fault *fault, u64 key)
{
	const struct iommu_nested_backend *backend = binding->viommu->backend;
	struct iommu_nested_pending *pending = binding->pending;
	struct iommu_nested_slot *slot;

	slot = iommu_nested_table_add(table, pending,
				      binding->policy.fault_quota, fault, key,
				      iommu_nested_expiry(binding, fault->timestamp));
	if (!slot)
		return false;
	if (fault->kind == VFIO_NESTED_FAULT_STALL)
		backend->set_tag(&slot->record,
				 iommu_nested_slot_index(table, slot));
	fault->cookie = slot->record.cookie;
	iommu_nested_deadline_arm(pending);
	return true;
}

/**
 * iommu_nested_report_fault - hand a recoverable fault to the user
 * @binding: of the device that raised it
 * @fault: the record: a stall or a page request; virtual_id and cookie are filled in
 *	here, and timestamp where it is 0
 * @key: of a stall, for the backend's @respond
 *
 * A page request without VFIO_NESTED_FAULT_LAST is over when it has been delivered; so
 * is a stop marker, a page request with VFIO_NESTED_FAULT_LAST that asks for no access.
 *
 * Context: any in which a spinlock can be taken. The backend keeps @binding from
 * being unbound meanwhile, by a lock that its @unbind takes.
 * Return: true: the fault is pending, and the backend's @respond will be called for it,
 * or @unbind or @reset_prepare; false: the backend aborts it at once (a page request
 * without VFIO_NESTED_FAULT_LAST, and a stop marker: does nothing).
 */
bool iommu_nested_report_fault(struct iommu_nested_binding *binding,
			       struct vfio_nested_fault *fault, u64 key)
{
	struct iommu_nested_viommu *viommu = binding->viommu;
	struct iommu_nested_table *table = viommu->table;
	unsigned long flags;
	u32 num = 0;
	bool taken;

	fault->virtual_id = binding->virtual_id;
	fault->timestamp = fault->timestamp ?: ktime_get_ns();
	fault->cookie = 0;

	spin_lock_irqsave(&table->lock, flags);
	taken = add_fault(table, binding, fault, key);
	trace_iommu_nested_fault(binding, fault, taken);
	if (taken)
		num = flush_and_tell(table);
	spin_unlock_irqrestore(&table->lock, flags);

	if (num)
		viommu->user->wake(viommu->user_data);
	return taken;
}
EXPORT_SYMBOL_GPL(iommu_nested_report_fault);

/**
 * iommu_nested_refused - the backend has refused a stall by itself
 * @binding: of the device that raised it
 * @fault: the record
 *
 * For faults that the backend does not want to have pending, because what the IOMMU
 * offers to all is running short.
 *
 * Context: as iommu_nested_report_fault().
 */
void iommu_nested_refused(struct iommu_nested_binding *binding,
			  const struct vfio_nested_fault *fault)
{
	struct iommu_nested_table *table = binding->viommu->table;
	unsigned long flags;

	spin_lock_irqsave(&table->lock, flags);
	table->faults++;
	table->refused++;
	spin_unlock_irqrestore(&table->lock, flags);
	trace_iommu_nested_fault(binding, fault, false);
}
EXPORT_SYMBOL_GPL(iommu_nested_refused);

/**
 * iommu_nested_next_pending - walk the pending faults of a device
 * @binding: the device's
 * @kind: enum vfio_nested_fault_kind: STALL or PAGE_REQUEST
 * @pos: zero for the first call, and else as the call before has left it
 * @key: set to the key of a fault that has to be answered
 *
 * For the backend's @unbind and @reset_prepare, which have to end them in the hardware.
 * They come in no particular order.
 *
 * Context: process; viommu->sem is held for writing.
 * Return: false: there are no more.
 */
bool iommu_nested_next_pending(struct iommu_nested_binding *binding, u32 kind,
			       u32 *pos, u64 *key)
{
	struct iommu_nested_table *table = binding->viommu->table;
	const struct iommu_nested_slot *slot;
	bool found = false;

	lockdep_assert_held_write(&binding->viommu->sem);

	spin_lock_irq(&table->lock);
	while (!found && *pos < table->num_slots) {
		slot = &table->slots[(*pos)++];
		found = slot->owner == binding->pending &&
			slot->record.kind == kind &&
			iommu_nested_slot_answerable(slot);
		if (found)
			*key = slot->key;
	}
	spin_unlock_irq(&table->lock);
	return found;
}
EXPORT_SYMBOL_GPL(iommu_nested_next_pending);

/**
 * iommu_nested_requests_lost - page requests of a device were lost
 * @binding: of the device
 *
 * The hardware has answered those that needed an answer. The guest is told with the
 * next page request.
 *
 * Context: as iommu_nested_report_fault().
 */
void iommu_nested_requests_lost(struct iommu_nested_binding *binding)
{
	struct iommu_nested_table *table = binding->viommu->table;
	unsigned long flags;

	spin_lock_irqsave(&table->lock, flags);
	/* The last request of a poisoned group may be one of those. */
	iommu_nested_table_forget(binding->pending);
	binding->pending->gap = true;
	spin_unlock_irqrestore(&table->lock, flags);
}
EXPORT_SYMBOL_GPL(iommu_nested_requests_lost);

/*
 * End the fault in @slot, and say in @answer what the hardware is to be told, if it is
 * to be told something. Under the table's lock.
 */
void iommu_nested_end_slot(struct iommu_nested_table *table,
			   struct iommu_nested_slot *slot,
			   enum iommu_nested_end end, u32 code,
			   struct iommu_nested_answer *answer)
{
	lockdep_assert_held(&table->lock);

	if (answer)
		*answer = (struct iommu_nested_answer) {
			.binding = slot->owner->binding,
			.kind = slot->record.kind,
			.code = code,
			.key = slot->key,
		};
	if (iommu_nested_slot_answerable(slot))
		trace_iommu_nested_fault_end(table->viommu, &slot->record, end,
					     code);
	iommu_nested_table_end(table, slot, end);
}

/**
 * iommu_nested_abort_request - end a page request that the device has forgotten
 * @binding: of the device
 * @answer: what the backend is to tell the hardware, if that still makes sense
 *
 * For when the backend resets the device's page request interface: it calls this until
 * there are no more. Records that nobody has to answer, and which have not been
 * delivered, go as well.
 *
 * Context: as iommu_nested_report_fault().
 * Return: true: one has been aborted; false: there are none.
 */
bool iommu_nested_abort_request(struct iommu_nested_binding *binding,
				struct iommu_nested_answer *answer)
{
	struct iommu_nested_table *table = binding->viommu->table;
	struct list_head *requests = &binding->pending->requests;
	struct iommu_nested_slot *slot, *next;
	unsigned long flags;
	bool found = false;

	spin_lock_irqsave(&table->lock, flags);
	list_for_each_entry_safe(slot, next, requests, siblings) {
		found = iommu_nested_slot_answerable(slot);
		iommu_nested_end_slot(table, slot, IOMMU_NESTED_ABORTED,
				      VFIO_NESTED_RESPONSE_ABORT, answer);
		if (found)
			break;
	}
	spin_unlock_irqrestore(&table->lock, flags);

	if (!found)
		iommu_nested_faults_flush(table);
	return found;
}
EXPORT_SYMBOL_GPL(iommu_nested_abort_request);

/* Faults of @binding are taken from now on. */
void iommu_nested_faults_open(struct iommu_nested_binding *binding)
{
	struct iommu_nested_table *table = binding->viommu->table;

	spin_lock_irq(&table->lock);
	binding->pending->closed = false;
	spin_unlock_irq(&table->lock);
}

/* The opposite: the backend, which is about to abort those that are there, is told. */
void iommu_nested_faults_close(struct iommu_nested_binding *binding)
{
	struct iommu_nested_table *table = binding->viommu->table;

	spin_lock_irq(&table->lock);
	binding->pending->closed = true;
	spin_unlock_irq(&table->lock);
}

static void end_all(struct iommu_nested_table *table,
		    struct list_head *siblings, enum iommu_nested_end end)
{
	struct iommu_nested_slot *slot, *next;

	list_for_each_entry_safe(slot, next, siblings, siblings)
		iommu_nested_end_slot(table, slot, end, 0, NULL);
}

/*
 * The backend has ended all faults of @binding, which is closed, in the hardware. The
 * caller holds viommu->sem for writing.
 */
void iommu_nested_faults_end(struct iommu_nested_binding *binding)
{
	struct iommu_nested_table *table = binding->viommu->table;
	struct iommu_nested_pending *pending = binding->pending;

	lockdep_assert_held_write(&binding->viommu->sem);

	spin_lock_irq(&table->lock);
	end_all(table, &pending->stalls, IOMMU_NESTED_ABORTED);
	end_all(table, &pending->requests,
		binding->saved ? IOMMU_NESTED_MOVED : IOMMU_NESTED_ABORTED);
	iommu_nested_table_forget(pending);
	spin_unlock_irq(&table->lock);
	iommu_nested_faults_flush(table);
}

/* A table without room: that comes with the first device. */
struct iommu_nested_table *
iommu_nested_faults_create(struct iommu_nested_viommu *viommu)
{
	struct iommu_nested_table *table;

	table = kzalloc_obj(*table, GFP_KERNEL_ACCOUNT);
	if (!table)
		return NULL;
	iommu_nested_table_init(table);
	table->viommu = viommu;
	INIT_DELAYED_WORK(&table->flush, backlog_work);
	return table;
}

/* No binding is left, nor a user who flushes. */
void iommu_nested_faults_destroy(struct iommu_nested_table *table)
{
	cancel_delayed_work_sync(&table->flush);
	iommu_nested_table_destroy(table);
	kfree(table);
}
