// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics of a virtual IOMMU.
 *
 * Invariant: events is the sum of events_delivered and events_lost in every
 * answer, because it is computed from the two values that the answer carries.
 */
#include "private.h"

/**
 * iommu_nested_stats - read the counters
 * @viommu: the virtual IOMMU
 * @stats: all members but size and flags are filled in
 *
 * Context: any; takes no lock. The counters are read one after the other.
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
	stats->events_delivered = atomic64_read(&counters->events_delivered);
	stats->events_lost = atomic64_read(&counters->events_lost);
	stats->events = stats->events_delivered + stats->events_lost;
	stats->events_throttled = atomic64_read(&counters->events_throttled);
	stats->faults = 0;
	stats->faults_answered = 0;
	stats->faults_expired = 0;
	stats->faults_aborted = 0;
}
EXPORT_SYMBOL_GPL(iommu_nested_stats);
