// SPDX-License-Identifier: GPL-2.0
/*
 * Invalidation: the guest's commands to the physical caches.
 *
 * Invariants:
 *  - commands pass through one batch on the stack;
 *  - the user's memory is not touched with viommu->sem held. A page fault there
 *    takes mmap_lock and may take locks of VFIO inside which a reset waits for
 *    viommu->sem;
 *  - viommu->sem is held for one batch at a time: however many commands there
 *    are, a bind, a reset or another guest's call waits for one batch at most;
 *  - when the call returns, every command that counts as consumed is complete.
 *    Batches in between are not waited for: the backend keeps their order.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "private.h"
#include "trace.h"

/*
 * Copy up to @num commands; fewer where the user's memory ends. Only the slow
 * way can tell which command is the last that can be read.
 */
static u32 copy_commands(void *to, const void __user *from, u32 num, u32 len)
{
	u32 i;

	if (!copy_from_user(to, from, (size_t)num * len))
		return num;
	for (i = 0; i < num; i++)
		if (copy_from_user(to + i * len, from + i * len, len))
			break;
	return i;
}

/**
 * struct invalidation - one call
 * @viommu: the virtual IOMMU
 * @type: enum vfio_nested_command_type, not checked yet
 * @len: bytes of one command, at most IOMMU_NESTED_COMMAND_MAX_LEN
 * @entries: the commands
 * @num: number of commands
 * @done: of these, carried out
 * @attempt: memory that was missing
 */
struct invalidation {
	struct iommu_nested_viommu *viommu;
	u32 type;
	u32 len;
	const void __user *entries;
	u32 num;
	u32 done;
	struct iommu_nested_attempt attempt;
};

static int check_format(const struct iommu_nested_backend *backend, u32 type,
			u32 len)
{
	bool right_len;

	if (!backend)
		return -ENODEV;
	if (type == backend->command_type)
		right_len = len == backend->command_len ||
			    len == backend->command_len_short;
	else if (type == VFIO_NESTED_COMMAND_GENERIC &&
		 backend->invalidate_generic)
		right_len = len == sizeof(struct vfio_nested_command_generic);
	else
		return -EOPNOTSUPP;
	return right_len ? 0 : -EINVAL;
}

static int backend_invalidate(struct invalidation *inv, void *cmds, u32 num,
			      bool sync)
{
	struct iommu_nested_viommu *viommu = inv->viommu;
	struct iommu_nested_counters *counters = &viommu->counters;
	int err = 0;
	u32 done;

	if (inv->type == VFIO_NESTED_COMMAND_GENERIC)
		done = viommu->backend->invalidate_generic(viommu, cmds, num,
							   sync, &err);
	else
		done = viommu->backend->invalidate(viommu, cmds, inv->len, num,
						   sync, &err);
	if (WARN_ON_ONCE(done < num && !err))
		err = -EIO;

	atomic64_add(done, &counters->commands);
	if (err && err != -EIO && err != -EAGAIN)
		atomic64_inc(&counters->commands_refused);
	inv->done += done;
	return err;
}

/* Which backend there is can change from one batch to the next. */
static int run_batch(struct invalidation *inv, void *cmds, u32 num, bool sync)
{
	struct iommu_nested_viommu *viommu = inv->viommu;
	u32 before = inv->done;
	int err;

	err = down_read_killable(&viommu->sem);
	if (!err) {
		err = check_format(viommu->backend, inv->type, inv->len);
		if (!err)
			err = backend_invalidate(inv, cmds, num, sync);
		up_read(&viommu->sem);
	}
	trace_iommu_nested_invalidate(viommu, inv->type, num,
				      inv->done - before, sync, err);
	return err;
}

static int run_batches(struct invalidation *inv)
{
	/* Only what has been copied is looked at. */
	u64 cmds[IOMMU_NESTED_COMMAND_BATCH_LEN / sizeof(u64)] __uninitialized;
	int err;

	for (;;) {
		u32 left = inv->num - inv->done;
		u32 want = min_t(u32, left, sizeof(cmds) / inv->len);
		u32 done = inv->done;
		u32 have;

		err = iommu_nested_attempt_prepare(&inv->attempt);
		if (err)
			return err;
		have = copy_commands(cmds,
				     inv->entries + (size_t)inv->done * inv->len,
				     want, inv->len);
		if (have) {
			err = run_batch(inv, cmds, have, have == left);
			if (likely(!err && have == left))
				return 0;
			if (inv->done != done)
				iommu_nested_attempt_progress(&inv->attempt);
			if (err == -EAGAIN)
				continue;
			if (err)
				return err;
		}
		if (have < want)
			return -EFAULT;

		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	}
}

/* Wait for batches that went before without being waited for. */
static int complete_batches(struct iommu_nested_viommu *viommu)
{
	int err = 0;

	down_read(&viommu->sem);
	/* A backend that was released has left nothing in the caches. */
	if (viommu->backend)
		viommu->backend->invalidate(viommu, NULL, 0, 0, true, &err);
	up_read(&viommu->sem);
	return err;
}

/**
 * iommu_nested_invalidate - carry a guest's commands to the hardware
 * @viommu: the virtual IOMMU
 * @type: enum vfio_nested_command_type of the commands
 * @entry_len: bytes of one command
 * @entries: the commands, an array in the caller's memory
 * @num: number of commands, any
 * @consumed: set to the number of commands that were carried out
 *
 * When the call returns, also with an error, the first @consumed commands are
 * complete. Of the others none has been carried out, but for invalidations that a
 * backend had begun with, and that can be repeated.
 *
 * Context: process, in the address space of @entries and without a lock that a
 * page fault takes; takes @viommu->sem and the backend's locks.
 * Return: 0: all commands; -ENODEV: no device is bound; -EOPNOTSUPP: @type or
 * a command is not this architecture's; -EINVAL: @entry_len or a command is not
 * valid; -ENOENT: a command names a device that is not bound; -EFAULT: a
 * command cannot be read, or memory that the guest's tables are in; -ENOMEM, -ENOSPC:
 * not all that these tables say could be put in force; -EBUSY: too many address spaces
 * use @viommu, or somebody else a PASID of a device; -EIO: the hardware did not answer,
 * and of @consumed nothing is certain;
 * -EINTR: a fatal signal arrived.
 */
int iommu_nested_invalidate(struct iommu_nested_viommu *viommu, u32 type,
			    u32 entry_len, const void __user *entries,
			    u32 num, u32 *consumed)
{
	/* Clearing its addresses would cost a tenth of a short call. */
	struct invalidation inv __uninitialized;
	int err, sync_err;

	*consumed = 0;
	if (!num)
		return 0;
	atomic64_inc(&viommu->counters.invalidate_calls);
	if (!entry_len || entry_len > IOMMU_NESTED_COMMAND_MAX_LEN)
		return -EINVAL;

	inv.viommu = viommu;
	inv.type = type;
	inv.len = entry_len;
	inv.entries = entries;
	inv.num = num;
	inv.done = 0;
	iommu_nested_attempt_begin(&inv.attempt, viommu);
	err = run_batches(&inv);
	iommu_nested_attempt_end(&inv.attempt);
	if (err && inv.done) {
		sync_err = complete_batches(viommu);
		if (sync_err)
			err = sync_err;
	}
	*consumed = inv.done;
	return err;
}
EXPORT_SYMBOL_GPL(iommu_nested_invalidate);
