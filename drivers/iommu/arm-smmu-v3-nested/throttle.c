// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of a device that causes too many records.
 *
 * Invariants:
 *  - the queues are shared by all: a device that floods one has no DMA, and asks for no
 *    pages, until the VMM sets a context again;
 *  - records of recoverable faults that were taken cost nothing, since there is a
 *    bound for those already: they have to be answered.
 */
#include <linux/delay.h>
#include <linux/iommu-nested.h>

#include "smmuv3.h"

/* Records that a device may cause at once, and in each second after that. */
#define SMMU_FLOOD_BURST	4096
#define SMMU_FLOOD_RATE		2048
/* What setting a context costs a device that was stopped: some 100 records' time. */
#define SMMU_FLOOD_PAUSE_MS	50

static void flood_init(struct smmu_flood *flood)
{
	flood->tokens = SMMU_FLOOD_BURST;
	flood->refilled = jiffies;
}

/**
 * smmu_vdev_init_floods - let a device cause records
 * @vdev: the guest's overlay; nobody else knows of it yet
 */
void smmu_vdev_init_floods(struct smmu_vdev *vdev)
{
	flood_init(&vdev->events);
	flood_init(&vdev->requests);
}

/**
 * smmu_vdev_pause - keep a device that has been throttled from going on at once
 * @vdev: the guest's overlay
 *
 * Called without locks. Without this a guest could flood by setting contexts: there
 * are always some records that come before a device is stopped.
 */
void smmu_vdev_pause(struct smmu_vdev *vdev)
{
	if (READ_ONCE(vdev->throttled))
		msleep(SMMU_FLOOD_PAUSE_MS);
}

/**
 * smmu_vdev_forgive - let a device that has been throttled cause records again
 * @vdev: the guest's overlay
 *
 * Called with the locks of both queues held. Its accounts stay as they are: a new
 * context buys no new burst.
 */
void smmu_vdev_forgive(struct smmu_vdev *vdev)
{
	WRITE_ONCE(vdev->throttled, false);
}

/**
 * smmu_flood_take_token - whether a record may still be taken; tokens come back
 * @flood: the device's account
 *
 * Called with the queue's lock held.
 */
bool smmu_flood_take_token(struct smmu_flood *flood)
{
	unsigned long now = jiffies;
	u64 fresh = (u64)(now - flood->refilled) * SMMU_FLOOD_RATE / HZ;

	if (fresh) {
		flood->tokens = min_t(u64, flood->tokens + fresh, SMMU_FLOOD_BURST);
		flood->refilled = now;
	}
	if (!flood->tokens)
		return false;
	flood->tokens--;
	return true;
}

/**
 * smmu_flood_count - count one more record
 * @flood: the device's account
 * @evtq: the queue; its lock is held
 *
 * Return: how many records of the device were in the queue together.
 */
u32 smmu_flood_count(struct smmu_flood *flood, const struct smmu_evtq *evtq)
{
	if (flood->pass != evtq->pass) {
		flood->pass = evtq->pass;
		flood->in_pass = 0;
	}
	return ++flood->in_pass;
}

/**
 * smmu_vdev_throttle - take DMA away from a device
 * @vdev: the guest's overlay
 * @atomic: the queue is claimed, in its interrupt handler; else its lock is held
 *
 * The master's lock is an outer one, so it must not be waited for here; the queue fills
 * up while the work is on its way, so it is better to try, where one may sleep.
 *
 * Return: false if the handler of the other queue was first.
 */
bool smmu_vdev_throttle(struct smmu_vdev *vdev, bool atomic)
{
	struct smmu_master *master = vdev->master;

	if (xchg(&vdev->throttled, true))
		return false;
	iommu_nested_throttled(vdev->binding);
	if (atomic || !mutex_trylock(&master->lock)) {
		schedule_work(&vdev->throttle_work);
		return true;
	}
	smmu_master_update(master);
	mutex_unlock(&master->lock);
	return true;
}

/**
 * smmu_throttle_work - the same, when the lock could not be had
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
