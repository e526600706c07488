// SPDX-License-Identifier: GPL-2.0
/*
 * The VMM's answers: from an array, or from the response ring.
 *
 * Invariants:
 *  - an answer is copied before it is looked at, and looked at once;
 *  - what a call does is bounded by what its caller asks for, and by the size of the
 *    ring, whatever another thread writes into it meanwhile; it can be killed.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "private.h"
#include "ring.h"

/*
 * Copy up to @num answers; fewer where the user's memory ends. Only the slow way can
 * tell which answer is the last that can be read.
 */
static u32 copy_responses(struct vfio_nested_response *to, u64 from, u32 num)
{
	u32 i;

	if (!copy_from_user(to, u64_to_user_ptr(from), num * sizeof(*to)))
		return num;
	for (i = 0; i < num; i++)
		if (copy_from_user(&to[i], u64_to_user_ptr(from) + i * sizeof(*to),
				   sizeof(*to)))
			break;
	return i;
}

/* @done counts answers that have been carried out, also on error. */
static int respond_batch(struct iommu_nested_viommu *viommu, u64 from, u32 num,
			 u32 *done)
{
	struct vfio_nested_response
		responses[IOMMU_NESTED_ANSWER_BATCH] __uninitialized;
	u32 have = copy_responses(responses, from, num);
	int good = 0;

	if (have) {
		good = iommu_nested_respond(viommu, responses, have, true);
		if (good < 0)
			return good;
		*done += good;
		if (good < have)
			return responses[good].result;
	}
	return have < num ? -EFAULT : 0;
}

static int respond_all(struct iommu_nested_viommu *viommu, u64 from, u32 num,
		       u32 *done)
{
	int ret = 0;

	while (*done < num && !ret) {
		u32 batch = min_t(u32, num - *done, IOMMU_NESTED_ANSWER_BATCH);

		ret = respond_batch(viommu,
				    from + (u64)*done *
				    sizeof(struct vfio_nested_response),
				    batch, done);
		cond_resched();
		if (!ret && *done < num && fatal_signal_pending(current))
			ret = -EINTR;
	}
	return ret;
}

/* VFIO_NESTED_RESPOND */
int vfio_nested_ioctl_respond(void *object, struct vfio_nested_call *call)
{
	struct vfio_nested_respond __user *user = call->uarg;
	const struct vfio_nested_respond *cmd = call->cmd;
	struct vfio_nested *nested = object;
	u32 done = 0;
	int ret;

	if (cmd->entry_len != sizeof(struct vfio_nested_response))
		return -EINVAL;
	ret = respond_all(nested->viommu, cmd->entries_uptr, cmd->entry_num,
			  &done);
	iommu_nested_flush(nested->viommu);
	/* Also on error: the caller has to know what has been carried out. */
	if (put_user(done, &user->entry_num))
		return -EFAULT;
	return ret;
}

/* Each answer has its result; that no device is bound is one, too. */
static int take_batch(struct iommu_nested_viommu *viommu,
		      struct vfio_nested_ring *ring, u32 num)
{
	struct vfio_nested_response
		responses[IOMMU_NESTED_ANSWER_BATCH] __uninitialized;
	int ret;
	u32 i;

	vfio_nested_ring_read(ring, responses, num);
	ret = iommu_nested_respond(viommu, responses, num, false);
	if (ret == -EINTR)
		return ret;
	for (i = 0; ret < 0 && i < num; i++)
		responses[i].result = ret;
	vfio_nested_ring_consume(ring, responses, num);
	return 0;
}

static int take_responses(struct vfio_nested *nested, u32 *taken)
{
	struct vfio_nested_ring *ring =
		vfio_nested_get_ring(nested, VFIO_NESTED_RING_RESPONSE);
	int num, ret = 0;

	lockdep_assert_held(&nested->kick);

	if (!ring)
		return 0;
	num = vfio_nested_ring_available(ring);
	if (num < 0)
		return num;
	while (*taken < num && !ret) {
		u32 batch = min_t(u32, num - *taken, IOMMU_NESTED_ANSWER_BATCH);

		ret = take_batch(nested->viommu, ring, batch);
		if (!ret)
			*taken += batch;
		cond_resched();
		if (!ret && *taken < num && fatal_signal_pending(current))
			ret = -EINTR;
	}
	return ret;
}

/* VFIO_NESTED_KICK */
int vfio_nested_ioctl_kick(void *object, struct vfio_nested_call *call)
{
	struct vfio_nested_kick *cmd = call->cmd;
	struct vfio_nested *nested = object;
	u32 taken = 0;
	int ret;

	ret = mutex_lock_killable(&nested->kick);
	if (ret)
		return ret;
	ret = take_responses(nested, &taken);
	mutex_unlock(&nested->kick);
	if (ret)
		return ret;

	cmd->responses = taken;
	cmd->delivered = iommu_nested_flush(nested->viommu);
	return vfio_nested_respond(call);
}
