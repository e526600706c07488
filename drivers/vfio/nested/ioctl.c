// SPDX-License-Identifier: GPL-2.0
/*
 * The general format of ioctls: from the user's structure to a handler and back.
 *
 * Invariants:
 *  - a handler gets a whole structure, whatever part of it the caller knows;
 *  - user memory is read once: what has been checked cannot change any more;
 *  - flags, the second member of every structure, has no bits yet, so that none
 *    reaches a handler.
 */
#include <linux/uaccess.h>

#include "private.h"

struct call_header {
	u32 size;
	u32 flags;
};

union call_buffer {
	struct call_header header;
	struct vfio_nested_info info;
	struct vfio_device_nested_bind bind;
	struct vfio_device_nested_unbind unbind;
	struct vfio_nested_set_context set_context;
	struct vfio_nested_invalidate invalidate;
	struct vfio_nested_setup_ring setup_ring;
	struct vfio_nested_stats stats;
	struct vfio_nested_respond respond;
	struct vfio_nested_kick kick;
	struct vfio_nested_run run;
	struct vfio_nested_migrate migrate;
	struct vfio_nested_memory memory;
};

static long run_ioctl(const struct vfio_nested_ioctl *ioctl, void *object,
		      void __user *uarg)
{
	/* Neither a handler nor the user sees more than ioctl->size bytes. */
	union call_buffer buffer __uninitialized;
	struct vfio_nested_call call = { .cmd = &buffer, .uarg = uarg };
	u32 user_size;
	int ret;

	if (get_user(user_size, (u32 __user *)uarg))
		return -EFAULT;
	if (user_size < ioctl->min_size)
		return -EINVAL;
	if (user_size > VFIO_NESTED_MAX_USER_SIZE)
		return -E2BIG;

	ret = copy_struct_from_user(&buffer, ioctl->size, uarg, user_size);
	if (ret)
		return ret;
	buffer.header.size = user_size;
	if (buffer.header.flags)
		return -EOPNOTSUPP;

	call.size = min(user_size, ioctl->size);
	return ioctl->handler(object, &call);
}

/* Find @cmd in @table and carry it out; -ENOTTY if it is not there. */
long vfio_nested_dispatch(const struct vfio_nested_ioctl *table, size_t num,
			  void *object, unsigned int cmd, unsigned long arg)
{
	size_t i;

	for (i = 0; i < num; i++) {
		if (table[i].cmd != cmd)
			continue;
		if (WARN_ON_ONCE(table[i].size > sizeof(union call_buffer)))
			return -EINVAL;
		return run_ioctl(&table[i], object, (void __user *)arg);
	}
	return -ENOTTY;
}

/* Hand the structure back, as far as the user knows it. */
int vfio_nested_respond(const struct vfio_nested_call *call)
{
	return copy_to_user(call->uarg, call->cmd, call->size) ? -EFAULT : 0;
}
