// SPDX-License-Identifier: GPL-2.0
/*
 * Stopping a device, and its state on the way to another binding.
 *
 * Invariant: user memory is touched before or after the binding is, never meanwhile, and
 * what is allocated is bounded and charged to the caller.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "private.h"

#define MAX_RECORDS_SIZE	\
	(IOMMU_NESTED_MAX_PENDING * sizeof(struct vfio_nested_fault))

/* VFIO_NESTED_SET_RUN */
int vfio_nested_ioctl_set_run(void *object, struct vfio_nested_call *call)
{
	const struct vfio_nested_run *cmd = call->cmd;
	struct vfio_nested *nested = object;

	if (cmd->__reserved)
		return -EINVAL;
	return iommu_nested_set_run(nested->viommu, cmd->virtual_id, cmd->state);
}

/* VFIO_NESTED_SAVE */
int vfio_nested_ioctl_save(void *object, struct vfio_nested_call *call)
{
	struct vfio_nested_migrate *cmd = call->cmd;
	struct vfio_nested *nested = object;
	u32 room, len = 0;
	void *data;
	int ret;

	if (cmd->__reserved)
		return -EINVAL;
	room = min_t(u32, cmd->data_len,
		     sizeof(struct vfio_nested_state) + MAX_RECORDS_SIZE);
	data = kvzalloc(room, GFP_KERNEL_ACCOUNT);
	if (!data)
		return -ENOMEM;

	ret = iommu_nested_save(nested->viommu, cmd->virtual_id, data, room,
				&len);
	if (ret && ret != -ENOSPC)
		goto free;
	cmd->data_len = len;
	if (ret) {
		ret = vfio_nested_respond(call) ?: ret;
		goto free;
	}
	if (copy_to_user(u64_to_user_ptr(cmd->data_uptr), data, len) ||
	    vfio_nested_respond(call)) {
		iommu_nested_unsave(nested->viommu, cmd->virtual_id);
		ret = -EFAULT;
	}
free:
	kvfree(data);
	return ret;
}

/* VFIO_NESTED_RESTORE */
int vfio_nested_ioctl_restore(void *object, struct vfio_nested_call *call)
{
	const struct vfio_nested_migrate *cmd = call->cmd;
	struct vfio_nested *nested = object;
	void *data;
	int ret;

	if (cmd->__reserved || !cmd->data_len)
		return -EINVAL;
	if (cmd->data_len > VFIO_NESTED_MAX_USER_SIZE + MAX_RECORDS_SIZE)
		return -EINVAL;
	data = kvzalloc(cmd->data_len, GFP_KERNEL_ACCOUNT);
	if (!data)
		return -ENOMEM;
	if (copy_from_user(data, u64_to_user_ptr(cmd->data_uptr),
			   cmd->data_len))
		ret = -EFAULT;
	else
		ret = iommu_nested_restore(nested->viommu, cmd->virtual_id,
					   data, cmd->data_len);
	kvfree(data);
	return ret;
}
