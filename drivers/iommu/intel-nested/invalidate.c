// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's invalidation descriptors, carried out on the domains that it has in force.
 *
 * Invariants:
 *  - a descriptor reaches the domains of this guest's devices and no others: those that
 *    have its domain id and PASID now, as far as the guest's tables were read;
 *  - each is complete before the next one is looked at;
 *  - one that fails has done nothing, or some of what it asks for. All can be repeated.
 *
 * Domain ids are the guest's own: the host has others for each domain. Several devices, or
 * PASIDs, with one domain id are that many domains here.
 */
#include <linux/iommu.h>
#include <linux/sched.h>

#include "vtd.h"

/* Whatever domain id an entry has; others are 16 bits wide. */
#define ANY_DID		-1

static int flush_shadow(struct vtd_dev *vdev, const struct vtd_shadow *shadow,
			int did, const struct vtd_range *range)
{
	if (did != ANY_DID && did != shadow->entry.did)
		return 0;
	/* What is not in force, or has no stage 1, has nothing in caches. */
	if (shadow->entry.kind != VTD_STAGE1 ||
	    (!shadow->attached && vdev->rid_shadow != shadow))
		return 0;
	return vtd_flush(vdev->viommu, shadow->domain, range);
}

static int flush_pasid(struct vtd_dev *vdev, u32 pasid, int did,
		       const struct vtd_range *range)
{
	struct vtd_shadow *shadow = xa_load(&vdev->state->shadows, pasid);

	return shadow ? flush_shadow(vdev, shadow, did, range) : 0;
}

static int flush_device(struct vtd_dev *vdev, int did,
			const struct vtd_range *range)
{
	struct vtd_shadow *shadow;
	unsigned long pasid;
	int ret;

	xa_for_each(&vdev->state->shadows, pasid, shadow) {
		ret = flush_shadow(vdev, shadow, did, range);
		if (ret)
			return ret;
	}
	return 0;
}

/* What a command that names no device does to each of them. */
static int each_device(struct vtd_dev *vdev, const struct vtd_command *command)
{
	switch (command->kind) {
	case VTD_CMD_SYNC_ALL:
	case VTD_CMD_SYNC_DOMAIN:
		return vtd_sync_all(vdev);
	case VTD_CMD_SYNC_PASID:
		return vtd_sync_pasid(vdev, command->pasid);
	case VTD_CMD_FLUSH_ALL:
		return flush_device(vdev, ANY_DID, &command->range);
	case VTD_CMD_FLUSH_DOMAIN:
		return flush_device(vdev, command->did, &command->range);
	case VTD_CMD_FLUSH_PASID:
		return flush_pasid(vdev, command->pasid, command->did,
				   &command->range);
	default:
		return -EOPNOTSUPP;
	}
}

static int all_devices(struct vtd_viommu *viommu,
		       const struct vtd_command *command)
{
	struct iommu_nested_binding *binding;
	unsigned long id;
	int err, ret = 0;

	/* An error of one keeps nothing in force for another. */
	xa_for_each(&viommu->core->bindings, id, binding) {
		err = each_device(binding->backend_data, command);
		ret = ret ?: err;
		cond_resched();
	}
	return ret;
}

static int answer(struct vtd_viommu *viommu,
		  struct iommu_nested_binding *binding,
		  const struct vtd_command *command)
{
	struct iommu_nested_answer answer;
	int ret;

	ret = iommu_nested_claim_group(binding, command->pasid_valid,
				       command->pasid, command->group,
				       command->code, &answer);
	return ret ?: vtd_respond(viommu->core, &answer, 1);
}

static int one_device(struct vtd_viommu *viommu,
		      const struct vtd_command *command)
{
	struct iommu_nested_binding *binding;
	struct vtd_dev *vdev;

	binding = iommu_nested_find(viommu->core, command->virtual_id);
	if (!binding)
		return -ENOENT;
	vdev = binding->backend_data;

	switch (command->kind) {
	case VTD_CMD_FLUSH_DEVICE:
		return flush_device(vdev, ANY_DID, &command->range);
	case VTD_CMD_FLUSH_DEVICE_PASID:
		return flush_pasid(vdev, command->pasid, ANY_DID,
				   &command->range);
	case VTD_CMD_RESPONSE:
		return answer(viommu, binding, command);
	default:
		return -EOPNOTSUPP;
	}
}

static int carry_out(struct vtd_viommu *viommu,
		     const struct vtd_command *command)
{
	switch (command->kind) {
	case VTD_CMD_NOTHING:
		return 0;
	case VTD_CMD_FLUSH_DEVICE:
	case VTD_CMD_FLUSH_DEVICE_PASID:
	case VTD_CMD_RESPONSE:
		return one_device(viommu, command);
	default:
		return all_devices(viommu, command);
	}
}

static int guest_command(struct vtd_viommu *viommu, const void *words,
			 bool *long_one)
{
	struct vtd_command command;
	const __le64 *qw = words;
	const char *why;
	int ret;

	ret = vtd_qi_check(qw, &viommu->limits, &command, &why);
	if (unlikely(ret)) {
		dev_notice_ratelimited(viommu->hw->dev, "refused guest descriptor 0x%016llx 0x%016llx: %s\n",
				       le64_to_cpu(qw[0]), le64_to_cpu(qw[1]),
				       why);
		return ret;
	}
	*long_one = command.kind == VTD_CMD_SYNC_ALL ||
		    command.kind == VTD_CMD_SYNC_DOMAIN;
	viommu->widened = command.wider;
	ret = carry_out(viommu, &command);
	if (!ret && viommu->widened)
		atomic64_inc(&viommu->core->counters.commands_widened);
	return ret;
}

/*
 * Nothing is ever left to wait for. After a command that takes long the others have to be
 * handed in again, so that locks of the core are not held for several of them.
 */
static u32 run(struct vtd_viommu *viommu, const void *cmds, size_t len, u32 num,
	       int (*command)(struct vtd_viommu *viommu, const void *cmd,
			      bool *long_one), int *err)
{
	bool long_one = false;
	int ret = 0;
	u32 i;

	mutex_lock(&viommu->lock);
	for (i = 0; i < num; i++) {
		if (long_one)
			ret = -EAGAIN;
		else
			ret = command(viommu, cmds + i * len, &long_one);
		if (ret)
			break;
	}
	mutex_unlock(&viommu->lock);
	if (ret)
		*err = ret;
	return i;
}

/* The backend's @invalidate */
u32 vtd_invalidate(struct iommu_nested_viommu *core, void *cmds, u32 num,
		   bool sync, int *err)
{
	return run(core->backend_data, cmds, QI_WORDS * sizeof(u64), num,
		   guest_command, err);
}

static int generic_range(const struct vfio_nested_command_generic *cmd,
			 struct vtd_range *range)
{
	const u64 page = 4096;

	if (cmd->flags & ~VFIO_NESTED_GENERIC_LEAF)
		return -EOPNOTSUPP;
	range->leaf = cmd->flags & VFIO_NESTED_GENERIC_LEAF;

	switch (cmd->op) {
	case VFIO_NESTED_GENERIC_ALL:
		if (cmd->address || cmd->length)
			return -EINVAL;
		range->address = 0;
		range->pages = U64_MAX;
		return 0;
	case VFIO_NESTED_GENERIC_RANGE:
		if (!cmd->length || (cmd->address | cmd->length) % page ||
		    cmd->address + cmd->length - 1 < cmd->address)
			return -EINVAL;
		range->address = cmd->address;
		range->pages = cmd->length / page;
		return 0;
	}
	return -EOPNOTSUPP;
}

static int generic_command(struct vtd_viommu *viommu, const void *data,
			   bool *long_one)
{
	const struct vfio_nested_command_generic *cmd = data;
	struct iommu_nested_binding *binding;
	struct vtd_range range;
	struct vtd_dev *vdev;
	int ret;

	ret = generic_range(cmd, &range);
	if (ret)
		return ret;
	binding = iommu_nested_find(viommu->core, cmd->virtual_id);
	if (!binding)
		return -ENOENT;
	vdev = binding->backend_data;
	if (vdev->state->mode != VTD_MODE_SHADOWS || vdev->state->tables)
		return -EINVAL;
	return flush_pasid(vdev, VTD_RID_PASID, ANY_DID, &range);
}

/* The backend's @invalidate_generic */
u32 vtd_invalidate_generic(struct iommu_nested_viommu *core, void *cmds,
			   u32 num, bool sync, int *err)
{
	return run(core->backend_data, cmds,
		   sizeof(struct vfio_nested_command_generic), num,
		   generic_command, err);
}
