// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/vfio-nested: one open file is one virtual IOMMU.
 *
 * Invariants:
 *  - the file holds one reference to its virtual IOMMU, each binding another; the
 *    last of them frees everything, so that devices may outlive the file;
 *  - the file refers to no device and no device to the file: closing them in any
 *    order leaves nothing behind;
 *  - the code of this module outlives every binding, because bindings are owned
 *    by VFIO drivers that are linked to it.
 *
 * Anybody may open the file: without a device that VFIO lets the caller have, it
 * is some memory that the caller's memory cgroup is charged for.
 */
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "private.h"
#include "ring.h"

/* mmap() offset of a ring. */
#define RING_OFFSET(type)	((u64)(type) * SZ_256M)

static const u32 record_size[VFIO_NESTED_RINGS] = {
	[VFIO_NESTED_RING_FAULT] = sizeof(struct vfio_nested_fault),
	[VFIO_NESTED_RING_RESPONSE] = sizeof(struct vfio_nested_response),
};

/* False if there is a ring already, which then stays. */
static bool publish_ring(struct vfio_nested *nested, u32 type,
			 struct vfio_nested_ring *ring)
{
	return !cmpxchg_release(&nested->rings[type], NULL, ring);
}

static struct vfio_nested_ring *fault_ring(struct vfio_nested *nested)
{
	return vfio_nested_get_ring(nested, VFIO_NESTED_RING_FAULT);
}

static bool nested_deliver(void *data, const struct vfio_nested_fault *fault)
{
	struct vfio_nested_ring *ring = fault_ring(data);

	return ring && vfio_nested_ring_push(ring, fault);
}

static void nested_held(void *data, u32 num)
{
	struct vfio_nested_ring *ring = fault_ring(data);

	if (ring)
		vfio_nested_ring_set_held(ring, num);
}

static void nested_wake(void *data)
{
	struct vfio_nested *nested = data;

	vfio_nested_ring_signal(fault_ring(nested));
	/* A barrier is in it: the record comes before the look at @woken. */
	if (!wq_has_sleeper(&nested->wait) || READ_ONCE(nested->woken))
		return;
	WRITE_ONCE(nested->woken, true);
	wake_up_poll(&nested->wait, EPOLLIN | EPOLLRDNORM);
}

static void nested_free(struct vfio_nested *nested)
{
	mutex_destroy(&nested->kick);
	mutex_destroy(&nested->memory_lock);
	kfree(nested);
}

static void nested_release(void *data)
{
	struct vfio_nested *nested = data;
	u32 type;

	for (type = 0; type < VFIO_NESTED_RINGS; type++)
		if (nested->rings[type])
			vfio_nested_ring_destroy(nested->rings[type]);
	nested_free(nested);
}

static const struct iommu_nested_user nested_user = {
	.deliver = nested_deliver,
	.held = nested_held,
	.wake = nested_wake,
	.pin = vfio_nested_pin,
	.unpin = vfio_nested_unpin,
	.relax = vfio_nested_relax,
	.release = nested_release,
};

static int nested_ioctl_info(void *object, struct vfio_nested_call *call)
{
	struct vfio_nested *nested = object;
	struct iommu_nested_info info;
	u32 type;
	int ret;

	ret = iommu_nested_viommu_info(nested->viommu, &info, &type);
	if (ret)
		return ret;
	return vfio_nested_respond_info(call, &info, type);
}

/* The general format's rules for sizes, applied to the data of a context. */
static int copy_context(struct iommu_nested_context *context,
			const struct vfio_nested_set_context *cmd)
{
	int len = iommu_nested_context_len(cmd->type);

	if (len < 0)
		return len;
	context->type = cmd->type;
	if (!len)
		return cmd->data_len ? -EINVAL : 0;
	if (cmd->data_len < len)
		return -EINVAL;
	if (cmd->data_len > VFIO_NESTED_MAX_USER_SIZE)
		return -E2BIG;
	return copy_struct_from_user(&context->data, len,
				     u64_to_user_ptr(cmd->data_uptr),
				     cmd->data_len);
}

static int nested_ioctl_set_context(void *object,
				    struct vfio_nested_call *call)
{
	const struct vfio_nested_set_context *cmd = call->cmd;
	struct iommu_nested_context context = {};
	struct vfio_nested *nested = object;
	int ret;

	static_assert(sizeof(context.data) == IOMMU_NESTED_CONTEXT_MAX_LEN);

	ret = copy_context(&context, cmd);
	if (ret)
		return ret;
	return iommu_nested_set_context(nested->viommu, cmd->virtual_id,
					&context);
}

static int nested_ioctl_invalidate(void *object,
				   struct vfio_nested_call *call)
{
	struct vfio_nested_invalidate __user *user = call->uarg;
	const struct vfio_nested_invalidate *cmd = call->cmd;
	struct vfio_nested *nested = object;
	u32 consumed;
	int ret;

	if (cmd->__reserved)
		return -EINVAL;
	ret = iommu_nested_invalidate(nested->viommu, cmd->type,
				      cmd->entry_len,
				      u64_to_user_ptr(cmd->entries_uptr),
				      cmd->entry_num, &consumed);
	/* The guest's answers may have been among the commands. */
	iommu_nested_flush(nested->viommu);
	/* Also on error: the caller has to know what has taken effect. */
	if (put_user(consumed, &user->entry_num))
		return -EFAULT;
	return ret;
}

static void describe_ring(struct vfio_nested_setup_ring *cmd,
			  const struct vfio_nested_ring *ring)
{
	cmd->record_size = ring->record_size;
	cmd->mmap_offset = RING_OFFSET(cmd->type);
	cmd->mmap_size = ring->size;
	cmd->producer_offset = offsetof(struct vfio_nested_ring_memory,
					producer);
	cmd->consumer_offset = offsetof(struct vfio_nested_ring_memory,
					consumer);
	cmd->records_offset = VFIO_NESTED_RING_RECORDS;
	cmd->lost_offset = 0;
	cmd->held_offset = 0;
	if (cmd->type != VFIO_NESTED_RING_FAULT)
		return;
	cmd->lost_offset = offsetof(struct vfio_nested_ring_memory, lost);
	cmd->held_offset = offsetof(struct vfio_nested_ring_memory, held);
}

static int nested_ioctl_setup_ring(void *object,
				   struct vfio_nested_call *call)
{
	struct vfio_nested_setup_ring *cmd = call->cmd;
	struct vfio_nested *nested = object;
	struct vfio_nested_ring *ring;
	u32 type = cmd->type;
	int ret;

	if (type >= VFIO_NESTED_RINGS)
		return -EOPNOTSUPP;
	type = array_index_nospec(type, VFIO_NESTED_RINGS);
	if (cmd->__reserved ||
	    (type == VFIO_NESTED_RING_RESPONSE && cmd->eventfd != -1))
		return -EINVAL;
	if (vfio_nested_get_ring(nested, type))
		return -EEXIST;

	ring = vfio_nested_ring_create(cmd->entries, record_size[type],
				       cmd->eventfd);
	if (IS_ERR(ring))
		return PTR_ERR(ring);

	/* Nothing can be undone once the ring is there: first tell, then do. */
	describe_ring(cmd, ring);
	ret = vfio_nested_respond(call);
	if (!ret && !publish_ring(nested, type, ring))
		ret = -EEXIST;
	if (ret)
		vfio_nested_ring_destroy(ring);
	else
		iommu_nested_flush(nested->viommu);
	return ret;
}

static int nested_ioctl_stats(void *object, struct vfio_nested_call *call)
{
	struct vfio_nested *nested = object;

	iommu_nested_stats(nested->viommu, call->cmd);
	return vfio_nested_respond(call);
}

/* The first ones are what a guest causes all the time. */
static const struct vfio_nested_ioctl nested_ioctls[] = {
	VFIO_NESTED_IOCTL(VFIO_NESTED_INVALIDATE,
			  struct vfio_nested_invalidate, entries_uptr,
			  nested_ioctl_invalidate),
	VFIO_NESTED_IOCTL(VFIO_NESTED_RESPOND, struct vfio_nested_respond,
			  entries_uptr, vfio_nested_ioctl_respond),
	VFIO_NESTED_IOCTL(VFIO_NESTED_INFO, struct vfio_nested_info, msi_size,
			  nested_ioctl_info),
	VFIO_NESTED_IOCTL(VFIO_NESTED_SET_CONTEXT,
			  struct vfio_nested_set_context, data_uptr,
			  nested_ioctl_set_context),
	VFIO_NESTED_IOCTL(VFIO_NESTED_SETUP_RING,
			  struct vfio_nested_setup_ring, records_offset,
			  nested_ioctl_setup_ring),
	VFIO_NESTED_IOCTL(VFIO_NESTED_STATS, struct vfio_nested_stats,
			  faults_aborted, nested_ioctl_stats),
	VFIO_NESTED_IOCTL(VFIO_NESTED_KICK, struct vfio_nested_kick, delivered,
			  vfio_nested_ioctl_kick),
	VFIO_NESTED_IOCTL(VFIO_NESTED_SET_RUN, struct vfio_nested_run,
			  __reserved, vfio_nested_ioctl_set_run),
	VFIO_NESTED_IOCTL(VFIO_NESTED_SAVE, struct vfio_nested_migrate,
			  __reserved, vfio_nested_ioctl_save),
	VFIO_NESTED_IOCTL(VFIO_NESTED_RESTORE, struct vfio_nested_migrate,
			  __reserved, vfio_nested_ioctl_restore),
	VFIO_NESTED_IOCTL(VFIO_NESTED_MEMORY, struct vfio_nested_memory, vaddr,
			  vfio_nested_ioctl_memory),
};

static long nested_fops_ioctl(struct file *file, unsigned int cmd,
			      unsigned long arg)
{
	return vfio_nested_dispatch(nested_ioctls, ARRAY_SIZE(nested_ioctls),
				    file->private_data, cmd, arg);
}

static int nested_fops_open(struct inode *inode, struct file *file)
{
	struct vfio_nested *nested;
	int ret;

	nested = kzalloc_obj(*nested, GFP_KERNEL_ACCOUNT);
	if (!nested)
		return -ENOMEM;
	mutex_init(&nested->kick);
	vfio_nested_memory_init(nested);
	init_waitqueue_head(&nested->wait);

	nested->viommu = iommu_nested_viommu_create(&nested_user, nested);
	if (IS_ERR(nested->viommu)) {
		ret = PTR_ERR(nested->viommu);
		nested_free(nested);
		return ret;
	}
	file->private_data = nested;
	return nonseekable_open(inode, file);
}

static int nested_fops_release(struct inode *inode, struct file *file)
{
	struct vfio_nested *nested = file->private_data;

	iommu_nested_viommu_close(nested->viommu);
	iommu_nested_viommu_put(nested->viommu);
	return 0;
}

static int nested_fops_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vfio_nested *nested = file->private_data;
	struct vfio_nested_ring *ring;
	u32 type;

	for (type = 0; type < VFIO_NESTED_RINGS; type++) {
		ring = vfio_nested_get_ring(nested, type);
		if (ring && vma->vm_pgoff == RING_OFFSET(type) >> PAGE_SHIFT)
			return vfio_nested_ring_mmap(ring, vma);
	}
	return -EINVAL;
}

static __poll_t nested_fops_poll(struct file *file,
				 struct poll_table_struct *table)
{
	struct vfio_nested *nested = file->private_data;
	struct vfio_nested_ring *ring;

	poll_wait(file, &nested->wait, table);
	WRITE_ONCE(nested->woken, false);
	/* Pairs with the barrier in nested_wake(): either sees what the other did. */
	smp_mb();
	/* Who waits for records has made room for them. */
	iommu_nested_flush(nested->viommu);
	ring = fault_ring(nested);
	if (!ring || vfio_nested_ring_empty(ring))
		return 0;
	return EPOLLIN | EPOLLRDNORM;
}

#define SHOWN(counter) { #counter, offsetof(struct vfio_nested_stats, counter) }

static const struct {
	const char *name;
	size_t offset;
} shown_counters[] = {
	SHOWN(bindings),
	SHOWN(contexts),
	SHOWN(invalidate_calls),
	SHOWN(commands),
	SHOWN(commands_refused),
	SHOWN(commands_widened),
	SHOWN(events),
	SHOWN(events_delivered),
	SHOWN(events_lost),
	SHOWN(events_throttled),
	SHOWN(faults),
	SHOWN(faults_answered),
	SHOWN(faults_expired),
	SHOWN(faults_aborted),
	SHOWN(faults_refused),
	SHOWN(faults_pending),
	SHOWN(faults_delivered),
	SHOWN(faults_moved),
	SHOWN(page_requests),
	SHOWN(responses_refused),
};

static void nested_fops_show_fdinfo(struct seq_file *seq, struct file *file)
{
	struct vfio_nested *nested = file->private_data;
	struct vfio_nested_stats stats;
	size_t i;

	iommu_nested_stats(nested->viommu, &stats);
	seq_printf(seq, "viommu:\t%u\n", nested->viommu->id);
	for (i = 0; i < ARRAY_SIZE(shown_counters); i++)
		seq_printf(seq, "%s:\t%llu\n", shown_counters[i].name,
			   *(u64 *)((void *)&stats + shown_counters[i].offset));
}

static const struct file_operations nested_fops = {
	.owner = THIS_MODULE,
	.open = nested_fops_open,
	.release = nested_fops_release,
	.unlocked_ioctl = nested_fops_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = nested_fops_mmap,
	.poll = nested_fops_poll,
	.show_fdinfo = nested_fops_show_fdinfo,
};

/* What @file stands for, as long as the caller holds @file; NULL if not ours. */
struct vfio_nested *vfio_nested_from_file(struct file *file)
{
	return file->f_op == &nested_fops ? file->private_data : NULL;
}

static struct miscdevice nested_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vfio-nested",
	.fops = &nested_fops,
	.mode = 0666,
};

static int __init nested_init(void)
{
	int ret;

	vfio_nested_workqueue = alloc_workqueue("vfio-nested", WQ_UNBOUND, 0);
	if (!vfio_nested_workqueue)
		return -ENOMEM;
	ret = misc_register(&nested_misc);
	if (ret)
		destroy_workqueue(vfio_nested_workqueue);
	return ret;
}

static void __exit nested_exit(void)
{
	misc_deregister(&nested_misc);
	destroy_workqueue(vfio_nested_workqueue);
}

module_init(nested_init);
module_exit(nested_exit);

MODULE_DESCRIPTION("User interface for nested IOMMU translation");
MODULE_LICENSE("GPL");
