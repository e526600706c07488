// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's memory: what VFIO's type1 has mapped, made known to a virtual IOMMU.
 *
 * Invariants:
 *  - pages are pinned and unpinned through one of the devices that are bound: they have
 *    one container. A device is in the list of those from before its binding can need
 *    it until after nothing of the last binding is pinned any more;
 *  - when VFIO is about to unmap memory it is unpinned before dma_unmap returns: whoever
 *    pins or unpins holds the nested fd's memory lock, for which dma_unmap waits;
 *  - the memory lock is taken outside of vfio_nested_device.lock and of VFIO's own lock
 *    of the container, and never inside of a lock that a page fault takes.
 */
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/vfio.h>
#include <linux/vfio-nested.h>

#include "private.h"

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
	if (cmd->op == VFIO_NESTED_MEMORY_NAME)
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

/**
 * vfio_nested_device_dma_unmap - VFIO is about to unmap memory
 * @ndev: a device that is open
 * @iova: first address
 * @length: bytes
 *
 * For the VFIO driver's dma_unmap operation, which a driver needs for its devices to be
 * nested on VFIO's type1.
 *
 * Context: process; takes @ndev->lock and the memory lock of the nested fd.
 */
void vfio_nested_device_dma_unmap(struct vfio_nested_device *ndev, u64 iova,
				  u64 length)
{
	struct vfio_nested *nested = vfio_nested_lock_memory(ndev);

	if (!nested)
		return;
	iommu_nested_memory_unmapped(nested->viommu, iova, length);
	vfio_nested_unlock_memory(nested);
}
EXPORT_SYMBOL_GPL(vfio_nested_device_dma_unmap);
