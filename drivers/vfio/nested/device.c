// SPDX-License-Identifier: GPL-2.0
/*
 * Library for VFIO drivers: a VFIO device's part in nested translation.
 *
 * Invariants:
 *  - a device has at most one binding, which its vfio_nested_device owns and
 *    which is gone when the last file of the device has been closed;
 *  - between reset_prepare and reset_done every binding, also one made
 *    meanwhile, is in reset; a backend sees the two in pairs;
 *  - a binding allows as many page requests as the guest does, and none is allowed
 *    by a guest that has not said so since the last reset;
 *  - a binding keeps its virtual IOMMU, not the nested fd: no file refers to
 *    another file.
 */
#include <linux/file.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <linux/vfio-nested.h>

#include "private.h"
#include "ring.h"

/* The architecture's part of the answer; room that is left over is cleared. */
static int copy_arch_info(const struct vfio_nested_info *cmd,
			  const struct iommu_nested_info *info)
{
	void __user *to = u64_to_user_ptr(cmd->data_uptr);
	u32 len = min(cmd->data_len, info->arch_len);

	if (cmd->data_len > VFIO_NESTED_MAX_USER_SIZE)
		return -EINVAL;
	if (copy_to_user(to, &info->arch, len))
		return -EFAULT;
	if (clear_user(to + len, cmd->data_len - len))
		return -EFAULT;
	return 0;
}

static int fill_info(struct vfio_nested_info *cmd,
		     const struct iommu_nested_info *info, u32 type)
{
	int ret;

	ret = copy_arch_info(cmd, info);
	if (ret)
		return ret;
	cmd->backend = type;
	cmd->data_len = info->arch_len;
	cmd->caps = info->caps;
	cmd->virtual_id_bits = info->virtual_id_bits;
	cmd->pasid_bits = info->pasid_bits;
	cmd->max_pending = info->max_pending;
	cmd->max_bindings = IOMMU_NESTED_MAX_BINDINGS;
	cmd->ring_entries_max = VFIO_NESTED_RING_ENTRIES_MAX;
	cmd->ring_record_size = sizeof(struct vfio_nested_fault);
	cmd->msi_start = info->msi_start;
	cmd->msi_size = info->msi_size;
	cmd->fault_deadline_ms = 0;
	cmd->fault_quota = 0;
	return 0;
}

/* Answer VFIO_NESTED_INFO on a nested fd. */
int vfio_nested_respond_info(const struct vfio_nested_call *call,
			     const struct iommu_nested_info *info, u32 type)
{
	return fill_info(call->cmd, info, type) ?: vfio_nested_respond(call);
}

static struct iommu_nested_policy read_policy(struct vfio_nested_device *ndev)
{
	struct iommu_nested_policy policy;

	mutex_lock(&ndev->lock);
	policy = ndev->policy;
	mutex_unlock(&ndev->lock);
	return policy;
}

static int device_ioctl_info(void *object, struct vfio_nested_call *call)
{
	struct vfio_nested_device *ndev = object;
	struct vfio_nested_info *cmd = call->cmd;
	struct iommu_nested_policy policy;
	struct iommu_nested_info info;
	u32 type;
	int ret;

	policy = read_policy(ndev);
	ret = iommu_nested_device_info(ndev->dev, &policy, &info, &type);
	if (ret)
		return ret;
	ret = fill_info(cmd, &info, type);
	if (ret)
		return ret;
	if (info.max_pending) {
		cmd->fault_deadline_ms = policy.fault_deadline_ms;
		cmd->fault_quota = min(policy.fault_quota ?: info.max_pending,
				       info.max_pending);
	}
	return vfio_nested_respond(call);
}

/* What the guest has allowed the device before it was bound. */
static int restore_page_requests(struct vfio_nested_device *ndev,
				 struct iommu_nested_binding *binding)
{
	if (!ndev->page_requests)
		return 0;
	return iommu_nested_set_page_requests(binding, ndev->page_requests);
}

static int device_bind(struct vfio_nested_device *ndev,
		       struct vfio_nested *nested, u64 virtual_id)
{
	struct iommu_nested_binding *binding;
	int ret;

	lockdep_assert_held(&ndev->lock);

	if (ndev->unmap_unseen)
		return -ENOMEM;
	/* Also one that has just ended, and has left something to be undone. */
	if (ndev->nested || ndev->in_attach ||
	    compat_vfio_has_pasids(ndev->vdev))
		return -EBUSY;
	binding = iommu_nested_bind(nested->viommu, ndev->dev, virtual_id,
				    &ndev->policy, ndev->in_reset);
	/* Newer kernels take a device with ATS off its stage 2 during a reset. */
	if (binding == ERR_PTR(-ENODEV) && ndev->in_reset)
		return -EBUSY;
	if (IS_ERR(binding))
		return PTR_ERR(binding);
	ret = restore_page_requests(ndev, binding);
	if (ret) {
		iommu_nested_unbind(binding);
		return ret;
	}
	ndev->binding = binding;
	ndev->nested = nested;
	list_add(&ndev->node, &nested->devices);
	return 0;
}

/* -EAGAIN: VFIO unmaps memory meanwhile. */
static int lock_and_bind(struct vfio_nested_device *ndev,
			 struct vfio_nested *nested, u64 virtual_id)
{
	int ret;

	ret = mutex_lock_killable(&nested->memory_lock);
	if (ret)
		return ret;
	ret = mutex_lock_killable(&ndev->lock);
	if (!ret) {
		ret = vfio_nested_device_unmaps(ndev) ? -EAGAIN :
		      device_bind(ndev, nested, virtual_id);
		mutex_unlock(&ndev->lock);
	}
	mutex_unlock(&nested->memory_lock);
	return ret;
}

static int device_ioctl_bind(void *object, struct vfio_nested_call *call)
{
	const struct vfio_device_nested_bind *cmd = call->cmd;
	struct vfio_nested_device *ndev = object;
	struct vfio_nested *nested;
	struct file *file;
	int ret;

	if (cmd->__reserved)
		return -EINVAL;
	file = fget(cmd->nested_fd);
	if (!file)
		return -EBADF;
	nested = vfio_nested_from_file(file);
	if (!nested) {
		ret = -EBADF;
		goto put_file;
	}

	do {
		ret = vfio_nested_device_wait_unmaps(ndev);
		if (!ret)
			ret = lock_and_bind(ndev, nested, cmd->virtual_id);
	} while (ret == -EAGAIN && !fatal_signal_pending(current));
put_file:
	fput(file);
	return ret;
}

/*
 * Pages are unpinned without @ndev->lock. Until that is done dma_unmap finds that there is
 * something to wait for.
 *
 * A backend may have to wait for the end of a reset, which can take a minute. Only who
 * closes the device has to.
 */
static int device_unbind(struct vfio_nested_device *ndev, bool closing)
{
	struct vfio_nested *nested = vfio_nested_lock_memory(ndev);
	struct iommu_nested_binding *binding;

	if (!nested)
		return -ENOENT;
	mutex_lock(&ndev->lock);
	if (ndev->in_reset && !closing) {
		mutex_unlock(&ndev->lock);
		vfio_nested_unlock_memory(nested);
		return -EBUSY;
	}
	binding = ndev->binding;
	ndev->binding = NULL;
	iommu_nested_unbind(binding);
	mutex_unlock(&ndev->lock);

	iommu_nested_memory_reap(nested->viommu);
	list_del(&ndev->node);
	mutex_lock(&ndev->lock);
	/* From here on it can be bound to another. */
	ndev->nested = NULL;
	mutex_unlock(&ndev->lock);
	vfio_nested_unlock_memory(nested);
	return 0;
}

static int device_ioctl_unbind(void *object, struct vfio_nested_call *call)
{
	return device_unbind(object, false);
}

static const struct vfio_nested_ioctl device_ioctls[] = {
	VFIO_NESTED_IOCTL(VFIO_NESTED_INFO, struct vfio_nested_info, msi_size,
			  device_ioctl_info),
	VFIO_NESTED_IOCTL(VFIO_DEVICE_NESTED_BIND,
			  struct vfio_device_nested_bind, virtual_id,
			  device_ioctl_bind),
	VFIO_NESTED_IOCTL(VFIO_DEVICE_NESTED_UNBIND,
			  struct vfio_device_nested_unbind, flags,
			  device_ioctl_unbind),
};

/**
 * vfio_nested_device_ioctl - ioctls of nested translation on a VFIO device
 * @ndev: the device's
 * @cmd: number, of type VFIO_NESTED_TYPE
 * @arg: the user's pointer
 *
 * For the VFIO driver's ioctl operation.
 *
 * Context: process, without any lock that @ndev->lock is inside of.
 * Return: 0; -ENOTTY: no ioctl of a device; else what the uAPI says of the ioctl.
 */
long vfio_nested_device_ioctl(struct vfio_nested_device *ndev,
			      unsigned int cmd, unsigned long arg)
{
	return vfio_nested_dispatch(device_ioctls, ARRAY_SIZE(device_ioctls),
				    ndev, cmd, arg);
}
EXPORT_SYMBOL_GPL(vfio_nested_device_ioctl);

/**
 * vfio_nested_device_init - the device is not bound
 * @ndev: in the VFIO driver's device structure
 * @vdev: VFIO's part of the device, which the driver keeps as long as @ndev
 *
 * Context: any.
 */
void vfio_nested_device_init(struct vfio_nested_device *ndev,
			     struct vfio_device *vdev)
{
	ndev->vdev = vdev;
	ndev->dev = vdev->dev;
	ndev->binding = NULL;
	ndev->in_attach = false;
	ndev->unmap_unseen = false;
	ndev->nested = NULL;
	ndev->page_requests = 0;
	ndev->in_reset = false;
	vfio_nested_policy_init(&ndev->policy);
	mutex_init(&ndev->lock);
}
EXPORT_SYMBOL_GPL(vfio_nested_device_init);

/**
 * vfio_nested_device_destroy - the opposite of vfio_nested_device_init()
 * @ndev: without a binding, see vfio_nested_device_close()
 *
 * Context: any.
 */
void vfio_nested_device_destroy(struct vfio_nested_device *ndev)
{
	WARN_ON(ndev->nested);
	mutex_destroy(&ndev->lock);
}
EXPORT_SYMBOL_GPL(vfio_nested_device_destroy);

/**
 * vfio_nested_device_info - what the IOMMU has to offer to a guest for the device
 * @ndev: the device's
 * @info: all zero where no backend drives the device's IOMMU
 *
 * For a VFIO driver that shows the guest what the device can do with the IOMMU.
 *
 * Context: process; takes @ndev->lock.
 */
void vfio_nested_device_info(struct vfio_nested_device *ndev,
			     struct iommu_nested_info *info)
{
	struct iommu_nested_policy policy = read_policy(ndev);
	u32 type;

	if (iommu_nested_device_info(ndev->dev, &policy, info, &type))
		*info = (struct iommu_nested_info) {};
}
EXPORT_SYMBOL_GPL(vfio_nested_device_info);

/**
 * vfio_nested_device_set_page_requests - the guest allows page requests
 * @ndev: the device's
 * @credits: how many at a time; 0: none
 *
 * For a VFIO driver that shows the guest a control for them (PCI: PRI). It holds for
 * a binding that is there and for those that follow, until the device is reset or
 * closed.
 *
 * Context: process; takes @ndev->lock.
 * Return: 0, always if @credits is 0; -EBUSY: the device is being reset;
 * -EOPNOTSUPP: the IOMMU or the device cannot do it; -EPERM: it may not; -ENOSPC: the
 * IOMMU has no room for them.
 */
int vfio_nested_device_set_page_requests(struct vfio_nested_device *ndev,
					 u32 credits)
{
	int ret = 0;

	mutex_lock(&ndev->lock);
	if (ndev->in_reset && credits)
		ret = -EBUSY;
	else if (ndev->binding)
		ret = iommu_nested_set_page_requests(ndev->binding, credits);
	if (!ret)
		ndev->page_requests = credits;
	mutex_unlock(&ndev->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_nested_device_set_page_requests);

/**
 * vfio_nested_device_has_page_requests - whether the device waits for pages
 * @ndev: the device's
 *
 * Context: process; takes @ndev->lock.
 * Return: whether a page request of it has no answer yet.
 */
bool vfio_nested_device_has_page_requests(struct vfio_nested_device *ndev)
{
	bool any;

	mutex_lock(&ndev->lock);
	any = ndev->binding && iommu_nested_has_page_requests(ndev->binding);
	mutex_unlock(&ndev->lock);
	return any;
}
EXPORT_SYMBOL_GPL(vfio_nested_device_has_page_requests);

/**
 * vfio_nested_device_close - the last file of the device is being closed
 * @ndev: the device's
 *
 * Ends the binding, after a reset that may be under way. For the VFIO driver's
 * close_device operation, before the device is disabled and reset.
 *
 * Context: process; takes the memory lock of what it is bound to, and @ndev->lock.
 */
void vfio_nested_device_close(struct vfio_nested_device *ndev)
{
	device_unbind(ndev, true);
	mutex_lock(&ndev->lock);
	ndev->unmap_unseen = false;
	ndev->page_requests = 0;
	mutex_unlock(&ndev->lock);
}
EXPORT_SYMBOL_GPL(vfio_nested_device_close);

/**
 * vfio_nested_device_reset_prepare - the device is about to be reset
 * @ndev: the device's
 *
 * No DMA of a bound device passes until vfio_nested_device_reset_done(), and no
 * page requests are allowed any more. The two are called in pairs, under a lock
 * that excludes another reset; binding and unbinding may come in between.
 *
 * Context: process, usually with the device lock held; takes @ndev->lock.
 */
void vfio_nested_device_reset_prepare(struct vfio_nested_device *ndev)
{
	mutex_lock(&ndev->lock);
	ndev->in_reset = true;
	if (ndev->binding) {
		iommu_nested_reset_prepare(ndev->binding);
		/* The reset forgets what the guest allowed, or what was restored. */
		iommu_nested_set_page_requests(ndev->binding, 0);
	}
	ndev->page_requests = 0;
	mutex_unlock(&ndev->lock);
}
EXPORT_SYMBOL_GPL(vfio_nested_device_reset_prepare);

/**
 * vfio_nested_device_reset_done - the device has been reset
 * @ndev: the device's
 *
 * Context: process, as vfio_nested_device_reset_prepare(); takes @ndev->lock.
 */
void vfio_nested_device_reset_done(struct vfio_nested_device *ndev)
{
	mutex_lock(&ndev->lock);
	ndev->in_reset = false;
	if (ndev->binding)
		iommu_nested_reset_done(ndev->binding);
	mutex_unlock(&ndev->lock);
}
EXPORT_SYMBOL_GPL(vfio_nested_device_reset_done);

/**
 * vfio_nested_device_attach_prepare - VFIO is about to change the device's stage 2
 * @ndev: the device's
 *
 * If the device is bound it goes back to the stage 2 that it has. Until
 * vfio_nested_device_attach_done() it cannot be bound. The two are called in pairs, by
 * the VFIO driver's attach_ioas and detach_ioas operations.
 *
 * Context: process; takes @ndev->lock.
 */
void vfio_nested_device_attach_prepare(struct vfio_nested_device *ndev)
{
	mutex_lock(&ndev->lock);
	ndev->in_attach = true;
	if (ndev->binding)
		iommu_nested_stage2_leave(ndev->binding);
	mutex_unlock(&ndev->lock);
}
EXPORT_SYMBOL_GPL(vfio_nested_device_attach_prepare);

/**
 * vfio_nested_device_pasid_prepare - VFIO is about to attach a PASID of the device
 * @ndev: the device's
 *
 * While the device is bound its PASIDs are the guest's. On success
 * vfio_nested_device_attach_done() has to follow, until which it cannot be bound.
 *
 * Context: process; takes @ndev->lock.
 * Return: 0; -EBUSY: it is bound.
 */
int vfio_nested_device_pasid_prepare(struct vfio_nested_device *ndev)
{
	int ret = 0;

	mutex_lock(&ndev->lock);
	if (ndev->nested)
		ret = -EBUSY;
	else
		ndev->in_attach = true;
	mutex_unlock(&ndev->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_nested_device_pasid_prepare);

/**
 * vfio_nested_device_attach_done - VFIO has changed the device's stage 2, or failed to
 * @ndev: the device's
 *
 * Context: process; takes @ndev->lock.
 */
void vfio_nested_device_attach_done(struct vfio_nested_device *ndev)
{
	mutex_lock(&ndev->lock);
	ndev->in_attach = false;
	mutex_unlock(&ndev->lock);
}
EXPORT_SYMBOL_GPL(vfio_nested_device_attach_done);
