// SPDX-License-Identifier: GPL-2.0
/*
 * Events of devices that guests have.
 *
 * Invariant: an access that is stalled is taken by somebody who will answer it, or is
 * aborted at once.
 */
#include <linux/iommu-nested.h>

#include "record.h"
#include "smmuv3.h"

/*
 * Rates say nothing where we are slower than the devices: then the queue fills up,
 * and who has filled it is stopped before the events of others are lost.
 */
static bool vdev_crowds_out(struct smmu_vdev *vdev, const struct smmu_evtq *evtq)
{
	if (likely(!evtq->crowded))
		return false;
	return smmu_flood_count(&vdev->events, evtq) >
	       evtq->q.slots / SMMU_EVTQ_SHARE;
}

static noinline void report_event(struct smmu_vdev *vdev, const u64 *evt)
{
	struct smmu_device *smmu = vdev->master->smmu;
	struct vfio_nested_fault fault = smmu_record_blank;

	/* The SMMU stalls whatever faults (STALL_MODEL=0b10); nobody asked for it. */
	if (evt[1] & EVT1_STALL && !vdev->terminated)
		smmu_abort_stall(smmu, evt);

	smmu_record_event(&fault, evt, vdev->binding->virtual_id);
	if (!READ_ONCE(vdev->throttled) &&
	    (!smmu_flood_take_token(&vdev->events) ||
	     vdev_crowds_out(vdev, &smmu->evtq)) &&
	    smmu_vdev_throttle(vdev, false))
		fault.flags |= VFIO_NESTED_FAULT_THROTTLED;
	iommu_nested_report(vdev->binding, &fault);
}

/**
 * smmu_nested_event - an event of a master that a guest has
 * @vdev: the guest's overlay
 * @evt: the record
 *
 * Called with the event queue's lock held. A device that floods the queue, which
 * all share, has its accesses refused without records until the VMM sets a context
 * again.
 */
void smmu_nested_event(struct smmu_vdev *vdev, const u64 *evt)
{
	if (evt[1] & EVT1_STALL && vdev->may_stall)
		smmu_nested_stall(vdev, evt, false);
	else
		report_event(vdev, evt);
}
