// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's memory: what VFIO's type1 has mapped, made known to a virtual IOMMU.
 *
 * Invariants:
 *  - pages are pinned and unpinned through one of the devices that are bound: they have
 *    one container. A device is in the list of those from before its binding can need
 *    it until after nothing of the last binding is pinned any more;
 *  - whoever pins or unpins holds the nested fd's memory lock, or is waited for by who
 *    does. It is taken outside of vfio_nested_device.lock and of VFIO's own locks of the
 *    container, and never inside of a lock that a page fault takes;
 *  - when VFIO is about to unmap memory the device has lost it before dma_unmap returns.
 *
 * VFIO calls dma_unmap with the lock of its list of devices held, and it waits for that
 * lock elsewhere (where another thread unmaps something, or a device is opened) with the
 * lock of the container held, which unpinning takes. To unpin in dma_unmap, or to wait
 * there until somebody else has, could be for ever. So it is done by a work item, and
 * dma_unmap returns without it if that makes no progress: then who has the lock of the
 * container goes on, the work item gets it and unpins some more, and VFIO calls dma_unmap
 * again if it still has to. It does so ten times at most, the eleventh it takes for a bug
 * and stops the kernel; so the last times dma_unmap waits without a limit. A VMM whose
 * threads unmap hundreds of MiB at once can so still block itself for ever, which VFIO does
 * to all its drivers that pin memory.
 *
 * From the first call of dma_unmap until the thread that unmaps is back in user mode no
 * range is named in the virtual IOMMU of the device, and the device is not bound to another
 * one: each name could be the reason for another call. That a thread goes back to user
 * mode is seen by a file that nobody else knows: its last reference is dropped in
 * dma_unmap, and the kernel releases files there, with the module held until that is over.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vfio.h>
#include <linux/vfio-nested.h>
#include <linux/workqueue.h>

#include "private.h"

/* So long dma_unmap waits without any progress, */
#define UNMAP_WAIT_MS		100

/* and so often. */
#define UNMAP_WAITS		8

/**
 * struct unmap - a thread in which VFIO unmaps memory of a device
 * @node: in the list of all
 * @task: the thread; it is in the kernel, and compared only
 * @ndev: the device, which may be gone; compared only
 * @nested: what that is bound to, or NULL; holds a reference to its virtual IOMMU. Used
 *	by @task only, like the rest.
 * @iova: what VFIO has called dma_unmap for
 * @length: likewise
 * @waits: how often it has been waited for that
 */
struct unmap {
	struct list_head node;
	struct task_struct *task;
	const struct vfio_nested_device *ndev;
	struct vfio_nested *nested;
	u64 iova;
	u64 length;
	u32 waits;
};

static DEFINE_SPINLOCK(unmaps_lock); /* the list; takes nothing */
static LIST_HEAD(unmaps);
static DECLARE_WAIT_QUEUE_HEAD(unmaps_changed);

struct workqueue_struct *vfio_nested_workqueue;

/* Called with the memory lock held, if not by the caller then by who waits for it. */
static struct vfio_device *pinning_device(struct vfio_nested *nested)
{
	struct vfio_nested_device *ndev;

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
	/* iommu_nested_memory_add() means something else by -EAGAIN. */
	if (ret < 0)
		return ret == -EAGAIN ? -EBUSY : ret;
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

/* The @relax of struct iommu_nested_user */
void vfio_nested_relax(void *data)
{
	struct vfio_nested *nested = data;

	mutex_unlock(&nested->memory_lock);
	cond_resched();
	mutex_lock(&nested->memory_lock);
}

static int change_memory(struct vfio_nested *nested,
			 const struct vfio_nested_memory *cmd)
{
	int ret;

	ret = mutex_lock_killable(&nested->memory_lock);
	if (ret)
		return ret;
	if (cmd->op == VFIO_NESTED_MEMORY_NAME)
		ret = iommu_nested_memory_add(nested->viommu, cmd->ipa,
					      cmd->length, cmd->vaddr);
	else
		ret = iommu_nested_memory_remove(nested->viommu, cmd->ipa,
						 cmd->length);
	mutex_unlock(&nested->memory_lock);
	return ret;
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

	/* Others unmap memory: after that. */
	while ((ret = change_memory(nested, cmd)) == -EAGAIN) {
		if (READ_ONCE(nested->unmap_unseen))
			return -ENOMEM;
		ret = iommu_nested_memory_wait_unblocked(nested->viommu);
		if (ret)
			return ret;
	}
	return ret;
}

/* The virtual IOMMU of @ndev, with a reference, or NULL. */
static struct vfio_nested *get_nested(struct vfio_nested_device *ndev)
{
	struct vfio_nested *nested;

	lockdep_assert_held(&ndev->lock);

	nested = ndev->nested;
	if (nested)
		iommu_nested_viommu_get(nested->viommu);
	return nested;
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
		nested = get_nested(ndev);
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

/* Of @task, or of any thread if that is NULL. */
static struct unmap *find_unmap(const struct vfio_nested_device *ndev,
				const struct task_struct *task)
{
	struct unmap *unmap, *found = NULL;

	spin_lock(&unmaps_lock);
	list_for_each_entry(unmap, &unmaps, node)
		if (unmap->ndev == ndev && (!task || unmap->task == task))
			found = unmap;
	spin_unlock(&unmaps_lock);
	return found;
}

/* Whether VFIO unmaps memory of the device, so that it cannot be bound. */
bool vfio_nested_device_unmaps(struct vfio_nested_device *ndev)
{
	return find_unmap(ndev, NULL);
}

/* Until it can. -EINTR: a fatal signal arrived. */
int vfio_nested_device_wait_unmaps(struct vfio_nested_device *ndev)
{
	return wait_event_killable(unmaps_changed,
				   !vfio_nested_device_unmaps(ndev)) ?
	       -EINTR : 0;
}

/* The thread is back in user mode, or exits. */
static int unmap_release(struct inode *inode, struct file *file)
{
	struct unmap *unmap = file->private_data;
	struct vfio_nested *nested = unmap->nested;

	spin_lock(&unmaps_lock);
	list_del(&unmap->node);
	spin_unlock(&unmaps_lock);
	wake_up_all(&unmaps_changed);
	kfree(unmap);
	if (nested) {
		iommu_nested_memory_unblock(nested->viommu);
		iommu_nested_viommu_put(nested->viommu);
	}
	return 0;
}

static const struct file_operations unmap_fops = {
	.owner = THIS_MODULE,
	.release = unmap_release,
};

static struct unmap *create_unmap(struct vfio_nested_device *ndev)
{
	struct unmap *unmap;
	struct file *file;

	unmap = kzalloc_obj(*unmap, GFP_KERNEL_ACCOUNT);
	if (!unmap)
		return NULL;
	file = anon_inode_getfile("[vfio-nested-unmap]", &unmap_fops, unmap, 0);
	if (IS_ERR(file)) {
		kfree(unmap);
		return NULL;
	}
	unmap->task = current;
	unmap->ndev = ndev;
	spin_lock(&unmaps_lock);
	list_add(&unmap->node, &unmaps);
	spin_unlock(&unmaps_lock);
	/* Is released when this thread goes back to user mode. */
	fput(file);
	return unmap;
}

/* No name comes in between from here on. */
static void block_names(struct vfio_nested *nested, struct unmap *unmap)
{
	if (!unmap) {
		/* There is no memory to see when the thread is back: never again. */
		if (!xchg(&nested->unmap_unseen, true))
			iommu_nested_memory_block(nested->viommu);
	} else if (!unmap->nested) {
		unmap->nested = nested;
		iommu_nested_viommu_get(nested->viommu);
		iommu_nested_memory_block(nested->viommu);
	}
}

/* How long to wait this time. */
static long unmap_timeout(struct unmap *unmap, u64 iova, u64 length)
{
	if (!unmap)
		return MAX_SCHEDULE_TIMEOUT;
	if (unmap->iova != iova || unmap->length != length)
		unmap->waits = 0;
	unmap->iova = iova;
	unmap->length = length;
	if (unmap->waits == UNMAP_WAITS)
		return MAX_SCHEDULE_TIMEOUT;
	unmap->waits++;
	return msecs_to_jiffies(UNMAP_WAIT_MS);
}

static void reap_in_time(struct vfio_nested *nested, long timeout)
{
	/* For the work item, which may come to an end later */
	iommu_nested_viommu_get(nested->viommu);
	if (!queue_work(vfio_nested_workqueue, &nested->reap))
		iommu_nested_viommu_put(nested->viommu);
	iommu_nested_memory_wait(nested->viommu, timeout);
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
	struct unmap *unmap;

	/* First: who binds it from now on sees that. */
	unmap = find_unmap(ndev, current) ?: create_unmap(ndev);
	mutex_lock(&ndev->lock);
	if (!unmap)
		ndev->unmap_unseen = true;
	nested = get_nested(ndev);
	mutex_unlock(&ndev->lock);
	if (!nested)
		return;
	block_names(nested, unmap);
	iommu_nested_memory_unmapped(nested->viommu, iova, length);
	if (!iommu_nested_memory_wait(nested->viommu, 0))
		reap_in_time(nested, unmap_timeout(unmap, iova, length));
	iommu_nested_viommu_put(nested->viommu);
}
EXPORT_SYMBOL_GPL(vfio_nested_device_dma_unmap);
