// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics of a virtual IOMMU.
 *
 * Invariants, of every answer:
 *  - events is the sum of events_delivered and events_lost, because it is computed from
 *    the two values that the answer carries;
 *  - the counters of recoverable faults add up, because they are read under the lock
 *    that they are changed under.
 */
#include "private.h"

static void fault_stats(struct iommu_nested_table *table,
			struct vfio_nested_stats *stats)
{
	unsigned long flags;

	spin_lock_irqsave(&table->lock, flags);
	stats->faults = table->faults;
	stats->faults_answered = table->ended[IOMMU_NESTED_ANSWERED];
	stats->faults_expired = table->ended[IOMMU_NESTED_EXPIRED];
	stats->faults_aborted = table->ended[IOMMU_NESTED_ABORTED];
	stats->faults_moved = table->ended[IOMMU_NESTED_MOVED];
	stats->faults_refused = table->refused;
	stats->faults_pending = table->pending;
	stats->faults_delivered = table->delivered;
	stats->page_requests = table->page_requests;
	stats->responses_refused = table->bad_answers;
	spin_unlock_irqrestore(&table->lock, flags);
}

/**
 * iommu_nested_stats - read the counters
 * @viommu: the virtual IOMMU
 * @stats: all members but size and flags are filled in
 *
 * Context: any; takes the table's lock. Counters of other things than recoverable
 * faults are read one after the other.
 */
void iommu_nested_stats(struct iommu_nested_viommu *viommu,
			struct vfio_nested_stats *stats)
{
	struct iommu_nested_counters *counters = &viommu->counters;

	stats->bindings = READ_ONCE(viommu->nr_bindings);
	stats->contexts = atomic64_read(&counters->contexts);
	stats->invalidate_calls = atomic64_read(&counters->invalidate_calls);
	stats->commands = atomic64_read(&counters->commands);
	stats->commands_refused = atomic64_read(&counters->commands_refused);
	stats->commands_widened = atomic64_read(&counters->commands_widened);
	stats->events_delivered = atomic64_read(&counters->events_delivered);
	stats->events_lost = atomic64_read(&counters->events_lost);
	stats->events = stats->events_delivered + stats->events_lost;
	stats->events_throttled = atomic64_read(&counters->events_throttled);
	fault_stats(viommu->table, stats);
}
EXPORT_SYMBOL_GPL(iommu_nested_stats);
