// SPDX-License-Identifier: GPL-2.0
/*
 * Reports from a backend to the user of a virtual IOMMU.
 *
 * Invariants:
 *  - a report allocates nothing, sleeps nowhere and writes no log: a guest can
 *    cause as many as its device can make accesses;
 *  - every one is counted, as delivered or as lost, and as one of them only;
 *  - the id in the record is the binding's, whatever the hardware said.
 */
#include <linux/ktime.h>

#include "private.h"
#include "trace.h"

/**
 * iommu_nested_report - hand a non-recoverable fault to the user
 * @binding: of the device that caused it
 * @fault: the record; virtual_id and timestamp are filled in here
 *
 * Context: any in which a spinlock can be taken. The backend keeps @binding from
 * being unbound meanwhile, by a lock that its @unbind takes.
 */
void iommu_nested_report(struct iommu_nested_binding *binding,
			 struct vfio_nested_fault *fault)
{
	struct iommu_nested_viommu *viommu = binding->viommu;
	bool delivered;

	fault->virtual_id = binding->virtual_id;
	fault->timestamp = ktime_get_ns();

	delivered = viommu->user->deliver(viommu->user_data, fault);
	if (delivered) {
		atomic64_inc(&viommu->counters.events_delivered);
		viommu->user->wake(viommu->user_data);
	} else {
		atomic64_inc(&viommu->counters.events_lost);
	}
	trace_iommu_nested_event(viommu, fault, delivered);
}
EXPORT_SYMBOL_GPL(iommu_nested_report);

/**
 * iommu_nested_throttled - a device's records were switched off for flooding
 * @binding: of the device
 *
 * Context: as iommu_nested_report().
 */
void iommu_nested_throttled(struct iommu_nested_binding *binding)
{
	struct iommu_nested_viommu *viommu = binding->viommu;

	atomic64_inc(&viommu->counters.events_throttled);
	trace_iommu_nested_throttled(viommu, binding->dev,
				     binding->virtual_id);
}
EXPORT_SYMBOL_GPL(iommu_nested_throttled);
