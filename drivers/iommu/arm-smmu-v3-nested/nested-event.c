// SPDX-License-Identifier: GPL-2.0
/*
 * Events of devices that guests have: from the hardware's record to the nested
 * core's, and what becomes of a device that causes too many.
 *
 * Invariants:
 *  - a record says nothing that is the host's: StreamIDs are the guest's own, and
 *    physical addresses are left out;
 *  - a device that floods the event queue, which all share, has no DMA until the VMM
 *    sets a context again.
 */
#include <linux/iommu-nested.h>

#include "smmuv3.h"

/* Events that a device may cause at once, and in each second after that. */
#define SMMU_EVENT_BURST	4096
#define SMMU_EVENT_RATE		2048

/**
 * struct event_info - what an event means, in terms of no architecture
 * @reason: enum vfio_nested_fault_reason
 * @address: the record has an input address, and says what kind of access it was
 * @ipa: with S2 set, the record has an IPA. All other records that use the last
 *	word have a physical address there, which is not for guests.
 */
struct event_info {
	u8 reason;
	bool address;
	bool ipa;
};

static const struct event_info event_infos[] = {
	[EVT_F_UUT]		= { VFIO_NESTED_REASON_TRANSACTION, true },
	[EVT_C_BAD_STREAMID]	= { VFIO_NESTED_REASON_STREAM },
	[EVT_F_STE_FETCH]	= { VFIO_NESTED_REASON_STREAM },
	[EVT_C_BAD_STE]		= { VFIO_NESTED_REASON_STREAM },
	[EVT_F_BAD_ATS_TREQ]	= { VFIO_NESTED_REASON_TRANSACTION, true },
	[EVT_F_STREAM_DISABLED]	= { VFIO_NESTED_REASON_PASID },
	[EVT_F_TRANSL_FORBIDDEN] = { VFIO_NESTED_REASON_TRANSACTION, true },
	[EVT_C_BAD_SUBSTREAMID]	= { VFIO_NESTED_REASON_PASID },
	[EVT_F_CD_FETCH]	= { VFIO_NESTED_REASON_CONTEXT },
	[EVT_C_BAD_CD]		= { VFIO_NESTED_REASON_CONTEXT },
	[EVT_F_WALK_EABT]	= { VFIO_NESTED_REASON_WALK, true },
	[EVT_F_TRANSLATION]	= { VFIO_NESTED_REASON_TRANSLATION, true, true },
	[EVT_F_ADDR_SIZE]	= { VFIO_NESTED_REASON_ADDRESS_SIZE, true, true },
	[EVT_F_ACCESS]		= { VFIO_NESTED_REASON_ACCESS, true, true },
	[EVT_F_PERMISSION]	= { VFIO_NESTED_REASON_PERMISSION, true, true },
	[EVT_F_TLB_CONFLICT]	= { VFIO_NESTED_REASON_CONFLICT, true },
	[EVT_F_CFG_CONFLICT]	= { VFIO_NESTED_REASON_CONFLICT },
	[EVT_F_VMS_FETCH]	= { VFIO_NESTED_REASON_STREAM },
};

static u32 event_flags(const struct event_info *info, const u64 *evt)
{
	u32 flags = 0;

	if (evt[0] & EVT0_SSV)
		flags |= VFIO_NESTED_FAULT_PASID;
	if (!info->address)
		return flags;

	flags |= VFIO_NESTED_FAULT_ADDRESS;
	if (evt[1] & EVT1_IND)
		flags |= VFIO_NESTED_FAULT_EXEC;
	else if (evt[1] & EVT1_RNW)
		flags |= VFIO_NESTED_FAULT_READ;
	else
		flags |= VFIO_NESTED_FAULT_WRITE;
	if (evt[1] & EVT1_PNU)
		flags |= VFIO_NESTED_FAULT_PRIV;
	if (evt[1] & EVT1_S2)
		flags |= VFIO_NESTED_FAULT_STAGE2;
	if (info->ipa && evt[1] & EVT1_S2)
		flags |= VFIO_NESTED_FAULT_IPA;
	return flags;
}

static void event_to_fault(struct smmu_vdev *vdev, const u64 *evt,
			   struct vfio_nested_fault *fault)
{
	static const struct event_info unknown;
	u32 id = FIELD_GET(EVT0_ID, evt[0]);
	const struct event_info *info = id < ARRAY_SIZE(event_infos) ?
					&event_infos[id] : &unknown;
	u64 sid = vdev->binding->virtual_id;

	fault->kind = VFIO_NESTED_FAULT_EVENT;
	fault->reason = info->reason;
	fault->flags = event_flags(info, evt);
	if (fault->flags & VFIO_NESTED_FAULT_PASID)
		fault->pasid = FIELD_GET(EVT0_SSID, evt[0]);
	if (fault->flags & VFIO_NESTED_FAULT_ADDRESS)
		fault->address = evt[2];
	if (fault->flags & VFIO_NESTED_FAULT_IPA)
		fault->ipa = evt[3] & EVT3_IPA;

	fault->raw_len = sizeof(fault->raw);
	fault->raw[0] = cpu_to_le64((evt[0] & ~EVT0_SID) |
				    FIELD_PREP(EVT0_SID, sid));
	/* Nothing stalls for a guest: there is no tag to be told. */
	fault->raw[1] = cpu_to_le64(evt[1] & ~(EVT1_STALL | EVT1_STAG));
	fault->raw[2] = cpu_to_le64(fault->address);
	fault->raw[3] = cpu_to_le64(fault->ipa);
}

/* Whether this event may still be reported; tokens run out, and come back. */
static bool vdev_take_token(struct smmu_vdev *vdev)
{
	unsigned long now = jiffies;
	u64 fresh = (u64)(now - vdev->refilled) * SMMU_EVENT_RATE / HZ;

	if (fresh) {
		vdev->tokens = min_t(u64, vdev->tokens + fresh, SMMU_EVENT_BURST);
		vdev->refilled = now;
	}
	if (!vdev->tokens)
		return false;
	vdev->tokens--;
	return true;
}

/*
 * Rates say nothing where we are slower than the devices: then the queue fills up,
 * and who has filled it is stopped before the events of others are lost.
 */
static bool vdev_crowds_out(struct smmu_vdev *vdev, const struct smmu_evtq *evtq)
{
	if (likely(!evtq->crowded))
		return false;
	if (vdev->pass != evtq->pass) {
		vdev->pass = evtq->pass;
		vdev->in_pass = 0;
	}
	return ++vdev->in_pass > (1U << evtq->q.shift) / SMMU_EVTQ_SHARE;
}

/*
 * Takes DMA away. The lock is an outer one, so it must not be waited for here; the
 * queue fills up while the work is on its way, so it is better to try.
 */
static void vdev_throttle(struct smmu_vdev *vdev)
{
	struct smmu_master *master = vdev->master;

	if (!mutex_trylock(&master->lock)) {
		schedule_work(&vdev->throttle_work);
		return;
	}
	smmu_master_update(master);
	mutex_unlock(&master->lock);
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
	struct vfio_nested_fault fault = { 0 };

	event_to_fault(vdev, evt, &fault);
	if (!vdev->throttled &&
	    (!vdev_take_token(vdev) ||
	     vdev_crowds_out(vdev, &vdev->master->smmu->evtq))) {
		fault.flags |= VFIO_NESTED_FAULT_THROTTLED;
		WRITE_ONCE(vdev->throttled, true);
		iommu_nested_throttled(vdev->binding);
		vdev_throttle(vdev);
	}
	iommu_nested_report(vdev->binding, &fault);
}

/**
 * smmu_vdev_refill - let a device cause events again
 * @vdev: the guest's overlay
 *
 * Called with the event queue's lock held, or before anybody else knows of @vdev.
 */
void smmu_vdev_refill(struct smmu_vdev *vdev)
{
	vdev->tokens = SMMU_EVENT_BURST;
	vdev->refilled = jiffies;
	WRITE_ONCE(vdev->throttled, false);
}

/**
 * smmu_throttle_work - take DMA away from a device that has caused too many events
 * @work: smmu_vdev.throttle_work
 */
void smmu_throttle_work(struct work_struct *work)
{
	struct smmu_vdev *vdev = container_of(work, struct smmu_vdev,
					      throttle_work);

	mutex_lock(&vdev->master->lock);
	smmu_master_update(vdev->master);
	mutex_unlock(&vdev->master->lock);
}
