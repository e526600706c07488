// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's memory: what VFIO's type1 has mapped, made known to a virtual IOMMU.
 *
 * Invariants:
 *  - pages are pinned and unpinned through one of the devices that are bound: they have
 *    one container. A device is in the list of those from before its binding can need
 *    it until after nothing of the last binding is pinned any more;
 *  - whoever pins or unpins holds the nested fd's memory lock. It is taken outside of
 *    vfio_nested_device.lock and of VFIO's own locks of the container, and never inside
 *    of a lock that a page fault takes;
 *  - when VFIO is about to unmap memory the device has lost it before dma_unmap returns.
 *
 * VFIO calls dma_unmap with the lock of its list of devices held, and it waits for that
 * lock elsewhere (where another thread unmaps something, or a device is opened) with the
 * lock of the container held, which unpinning takes. To unpin in dma_unmap, or to wait
 * there until somebody else has, could be for ever. So it is done by a work item, and
 * dma_unmap returns without it if that makes no progress: then who has the lock of the
 * container goes on, the work item gets it and unpins some more, and VFIO calls dma_unmap
 * again if it still has to. It does so ten times at most, the eleventh it takes for a bug
 * and stops the kernel; so the last times dma_unmap waits without a limit, and nothing new
 * is pinned meanwhile. A VMM whose threads unmap large mappings at once can so still
 * block itself for ever, which VFIO does to all its drivers that pin memory.
 */
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/vfio.h>
#include <linux/vfio-nested.h>
#include <linux/workqueue.h>

#include "private.h"

/* So long dma_unmap waits without any progress, */
#define UNMAP_WAIT_MS		100

/* and so often. */
#define UNMAP_WAITS		8

/* So long nothing is pinned after VFIO has called dma_unmap again. */
#define UNMAP_QUIET_MS		1000

struct workqueue_struct *vfio_nested_workqueue;

static struct vfio_device *pinning_device(struct vfio_nested *nested)
{
	struct vfio_nested_device *ndev;

	lockdep_assert_held(&nested->memory_lock);

	ndev = list_first_entry_or_null(&nested->devices,
					struct vfio_nested_device, node);
	return ndev ? ndev->vdev : NULL;
}

/* The @pin of struct iommu_nested_user */
int vfio_nested_pin(void *data, u64 ipa, u32 num, int prot,
		    struct page **pages)
{
	struct vfio_device *vdev = pinning_device(data);
	int ret;

	static_assert(IOMMU_NESTED_PIN_BATCH <= VFIO_PIN_PAGES_MAX_ENTRIES);

	if (WARN_ON_ONCE(!vdev))
		return -ENODEV;
	ret = vfio_pin_pages(vdev, ipa, num, prot, pages);
	if (ret < 0)
		return ret;
	if (WARN_ON_ONCE(ret != num)) {
		if (ret)
			vfio_unpin_pages(vdev, ipa, ret);
		return -EINVAL;
	}
	return 0;
}

/* The @unpin of struct iommu_nested_user */
void vfio_nested_unpin(void *data, u64 ipa, u32 num)
{
	struct vfio_device *vdev = pinning_device(data);

	if (!WARN_ON_ONCE(!vdev))
		vfio_unpin_pages(vdev, ipa, num);
}

static bool must_be_quiet(struct vfio_nested *nested)
{
	return time_before64(get_jiffies_64(), READ_ONCE(nested->unmap.quiet));
}

int vfio_nested_ioctl_memory(void *object, struct vfio_nested_call *call)
{
	const struct vfio_nested_memory *cmd = call->cmd;
	struct vfio_nested *nested = object;
	int ret;

	if (cmd->__reserved)
		return -EINVAL;
	if (cmd->op > VFIO_NESTED_MEMORY_FORGET)
		return -EOPNOTSUPP;
	if (cmd->op == VFIO_NESTED_MEMORY_FORGET ? cmd->vaddr :
						   cmd->vaddr > ULONG_MAX)
		return -EINVAL;

	ret = mutex_lock_killable(&nested->memory_lock);
	if (ret)
		return ret;
	if (cmd->op == VFIO_NESTED_MEMORY_NAME && must_be_quiet(nested))
		ret = -EBUSY;
	else if (cmd->op == VFIO_NESTED_MEMORY_NAME)
		ret = iommu_nested_memory_add(nested->viommu, cmd->ipa,
					      cmd->length, cmd->vaddr);
	else
		ret = iommu_nested_memory_remove(nested->viommu, cmd->ipa,
						 cmd->length);
	mutex_unlock(&nested->memory_lock);
	return ret;
}

/*
 * What @ndev is bound to, with its memory lock and a reference to its virtual IOMMU, to be
 * ended with vfio_nested_unlock_memory(); NULL if it is not bound.
 */
struct vfio_nested *vfio_nested_lock_memory(struct vfio_nested_device *ndev)
{
	struct vfio_nested *nested;
	bool same;

	for (;;) {
		mutex_lock(&ndev->lock);
		nested = ndev->nested;
		if (nested)
			iommu_nested_viommu_get(nested->viommu);
		mutex_unlock(&ndev->lock);
		if (!nested)
			return NULL;

		mutex_lock(&nested->memory_lock);
		mutex_lock(&ndev->lock);
		same = ndev->nested == nested;
		mutex_unlock(&ndev->lock);
		/* It changes under the memory lock only. */
		if (same)
			return nested;
		vfio_nested_unlock_memory(nested);
	}
}

void vfio_nested_unlock_memory(struct vfio_nested *nested)
{
	mutex_unlock(&nested->memory_lock);
	iommu_nested_viommu_put(nested->viommu);
}

static void reap_work(struct work_struct *work)
{
	struct vfio_nested *nested = container_of(work, struct vfio_nested,
						  reap);

	mutex_lock(&nested->memory_lock);
	iommu_nested_memory_reap(nested->viommu);
	vfio_nested_unlock_memory(nested);
}

/* Before @nested is used. */
void vfio_nested_memory_init(struct vfio_nested *nested)
{
	mutex_init(&nested->memory_lock);
	INIT_LIST_HEAD(&nested->devices);
	INIT_WORK(&nested->reap, reap_work);
}

/* How long to wait this time. VFIO calls dma_unmap of a container one at a time. */
static long unmap_timeout(struct vfio_nested *nested, u64 iova, u64 length)
{
	struct vfio_nested_unmap *unmap = &nested->unmap;

	if (unmap->iova != iova || unmap->length != length)
		unmap->calls = 0;
	unmap->iova = iova;
	unmap->length = length;
	if (unmap->calls)
		WRITE_ONCE(unmap->quiet, get_jiffies_64() +
					 msecs_to_jiffies(UNMAP_QUIET_MS));
	if (unmap->calls == UNMAP_WAITS)
		return MAX_SCHEDULE_TIMEOUT;
	unmap->calls++;
	return msecs_to_jiffies(UNMAP_WAIT_MS);
}

static void reap_in_time(struct vfio_nested *nested, u64 iova, u64 length)
{
	/* For the work item, which may come to an end later */
	iommu_nested_viommu_get(nested->viommu);
	if (!queue_work(vfio_nested_workqueue, &nested->reap))
		iommu_nested_viommu_put(nested->viommu);
	if (iommu_nested_memory_wait(nested->viommu,
				     unmap_timeout(nested, iova, length)))
		nested->unmap.length = 0;
}

/**
 * vfio_nested_device_dma_unmap - VFIO is about to unmap memory
 * @ndev: a device that is open
 * @iova: first address
 * @length: bytes
 *
 * For the VFIO driver's dma_unmap operation, which a driver needs for its devices to be
 * nested on VFIO's type1.
 *
 * Context: process; takes @ndev->lock and viommu->sem.
 */
void vfio_nested_device_dma_unmap(struct vfio_nested_device *ndev, u64 iova,
				  u64 length)
{
	struct vfio_nested *nested;

	mutex_lock(&ndev->lock);
	nested = ndev->nested;
	if (nested)
		iommu_nested_viommu_get(nested->viommu);
	mutex_unlock(&ndev->lock);
	if (!nested)
		return;

	iommu_nested_memory_unmapped(nested->viommu, iova, length);
	if (!iommu_nested_memory_wait(nested->viommu, 0))
		reap_in_time(nested, iova, length);
	iommu_nested_viommu_put(nested->viommu);
}
EXPORT_SYMBOL_GPL(vfio_nested_device_dma_unmap);
