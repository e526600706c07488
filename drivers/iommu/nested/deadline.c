// SPDX-License-Identifier: GPL-2.0
/*
 * Deadlines: a fault that nobody answers does not hold its device for ever.
 *
 * Invariants:
 *  - while a binding that runs has something that expires, its work is queued for then
 *    or earlier, or is running;
 *  - the work waits for viommu->sem, however many of the VMM's threads want it for
 *    writing: so nobody waits for the work with it held;
 *  - the faults of a device that is stopped do not expire.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>

#include "private.h"
#include "trace.h"

/* Under the table's lock. */
void iommu_nested_deadline_arm(struct iommu_nested_pending *pending)
{
	unsigned long delay;
	u64 now, when;

	/* If it is queued already, then for something that was there before. */
	if (delayed_work_pending(&pending->deadline))
		return;
	when = iommu_nested_table_earliest(pending);
	if (when == U64_MAX || pending->stopped || pending->closed)
		return;
	now = ktime_get_ns();
	delay = when > now ? nsecs_to_jiffies(when - now) + 1 : 0;
	queue_delayed_work(iommu_nested_workqueue, &pending->deadline, delay);
}

/* Nobody is there who could answer: everything has expired. */
static u64 time_of(const struct iommu_nested_table *table)
{
	return table->orphan ? U64_MAX : ktime_get_ns();
}

static u32 expire_some(struct iommu_nested_table *table,
		       struct iommu_nested_pending *pending,
		       struct iommu_nested_answer *answers)
{
	enum iommu_nested_end end = table->orphan ? IOMMU_NESTED_ABORTED :
						    IOMMU_NESTED_EXPIRED;
	u64 now = time_of(table);
	struct iommu_nested_slot *slot;
	u32 num = 0;

	if (pending->stopped)
		return 0;
	while (num < IOMMU_NESTED_ANSWER_BATCH) {
		bool answerable;

		slot = iommu_nested_table_expired(pending, now);
		if (!slot)
			break;
		answerable = iommu_nested_slot_answerable(slot);
		iommu_nested_end_slot(table, slot, end,
				      VFIO_NESTED_RESPONSE_ABORT,
				      &answers[num]);
		num += answerable;
	}
	return num;
}

static void expire(struct iommu_nested_pending *pending)
{
	struct iommu_nested_answer answers[IOMMU_NESTED_ANSWER_BATCH] __uninitialized;
	struct iommu_nested_viommu *viommu = pending->binding->viommu;
	struct iommu_nested_table *table = viommu->table;
	u32 num;

	do {
		spin_lock_irq(&table->lock);
		num = expire_some(table, pending, answers);
		iommu_nested_deadline_arm(pending);
		spin_unlock_irq(&table->lock);

		/* An error is the hardware's end, which the backend has logged. */
		if (num)
			viommu->backend->respond(viommu, answers, num);
	} while (num == IOMMU_NESTED_ANSWER_BATCH);
	iommu_nested_flush(viommu);
}

static void deadline_work(struct work_struct *work)
{
	struct iommu_nested_pending *pending =
		container_of(to_delayed_work(work),
			     struct iommu_nested_pending, deadline);
	struct iommu_nested_viommu *viommu = pending->binding->viommu;

	down_read(&viommu->sem);
	expire(pending);
	up_read(&viommu->sem);
}

void iommu_nested_deadline_init(struct iommu_nested_pending *pending)
{
	INIT_DELAYED_WORK(&pending->deadline, deadline_work);
}

/* @pending is empty, closed and known to nobody else. Without viommu->sem. */
void iommu_nested_deadline_destroy(struct iommu_nested_pending *pending)
{
	cancel_delayed_work_sync(&pending->deadline);
}

/**
 * iommu_nested_viommu_close - the user interface answers no more
 * @viommu: the virtual IOMMU, to which the caller still has its reference
 *
 * Devices may stay bound. Their pending faults are aborted, later ones are refused;
 * those of a device that is stopped stay until it is unbound.
 *
 * Context: process; takes @viommu->sem and the table's lock.
 */
void iommu_nested_viommu_close(struct iommu_nested_viommu *viommu)
{
	struct iommu_nested_table *table = viommu->table;
	struct iommu_nested_binding *binding;
	unsigned long id;

	iommu_nested_space_close(viommu->space);
	spin_lock_irq(&table->lock);
	table->orphan = true;
	spin_unlock_irq(&table->lock);

	down_read(&viommu->sem);
	xa_for_each(&viommu->bindings, id, binding)
		mod_delayed_work(iommu_nested_workqueue,
				 &binding->pending->deadline, 0);
	up_read(&viommu->sem);
}
EXPORT_SYMBOL_GPL(iommu_nested_viommu_close);
