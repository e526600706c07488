// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's invalidation descriptors, carried out on the domains that it has in force.
 *
 * Invariants:
 *  - a descriptor reaches the domains of this guest's devices and no others: those that
 *    have its domain id and PASID now, as far as the guest's tables were read;
 *  - invalidations are gathered (flush.c). All else is done when those that came before
 *    are complete;
 *  - one that fails has done nothing, or some of what it asks for. All can be repeated.
 *
 * Domain ids are the guest's own: the host has others for each domain. Several devices, or
 * PASIDs, with one domain id are that many domains here.
 */
#include <linux/iommu.h>
#include <linux/sched.h>

#include "vtd.h"

/* The guest's tables have changed. */
static int sync_device(struct vtd_dev *vdev, const struct vtd_command *command)
{
	return command->kind == VTD_CMD_SYNC_PASID ?
	       vtd_sync_pasid(vdev, command->pasid) : vtd_sync_all(vdev);
}

/*
 * Descriptors name no device, and an entry that is new may be any's: so all devices' tables
 * are looked at.
 */
static int sync_devices(struct vtd_viommu *viommu,
			const struct vtd_command *command)
{
	struct vtd_dev *vdev;
	int err, ret;

	ret = vtd_flush_complete(viommu);
	if (ret)
		return ret;
	/* An error of one keeps nothing in force for another. */
	list_for_each_entry(vdev, &viommu->devices, node) {
		err = sync_device(vdev, command);
		ret = ret ?: err;
		cond_resched();
	}
	return ret;
}

static int answer(struct vtd_viommu *viommu, const struct vtd_command *command)
{
	struct iommu_nested_binding *binding;
	struct iommu_nested_answer answer;
	int ret;

	ret = vtd_flush_complete(viommu);
	if (ret)
		return ret;
	binding = iommu_nested_find(viommu->core, command->virtual_id);
	if (!binding)
		return -ENOENT;
	ret = iommu_nested_claim_group(binding, command->pasid_valid,
				       command->pasid, command->group,
				       command->code, &answer);
	return ret ?: vtd_respond(viommu->core, &answer, 1);
}

static int carry_out(struct vtd_viommu *viommu,
		     const struct vtd_command *command)
{
	switch (command->kind) {
	case VTD_CMD_NOTHING:
		return 0;
	case VTD_CMD_RESPONSE:
		return answer(viommu, command);
	case VTD_CMD_SYNC_ALL:
	case VTD_CMD_SYNC_DOMAIN:
	case VTD_CMD_SYNC_PASID:
		return sync_devices(viommu, command);
	default:
		return vtd_flush(viommu, command);
	}
}

static int guest_command(struct vtd_viommu *viommu, const void *words, u32 len,
			 bool *long_one)
{
	struct vtd_command command;
	const __le64 *qw = words;
	const char *why;
	int ret;

	ret = vtd_qi_check(qw, len / sizeof(*qw), &viommu->limits, &command, &why);
	if (unlikely(ret)) {
		dev_notice_ratelimited(viommu->hw->dev, "refused guest descriptor 0x%016llx 0x%016llx: %s\n",
				       le64_to_cpu(qw[0]), le64_to_cpu(qw[1]),
				       why);
		return ret;
	}
	*long_one = command.kind == VTD_CMD_SYNC_ALL ||
		    command.kind == VTD_CMD_SYNC_DOMAIN;
	return carry_out(viommu, &command);
}

/*
 * Nothing is ever left to wait for. After a command that takes long the others have to be
 * handed in again, so that locks of the core are not held for several of them.
 */
static u32 run(struct vtd_viommu *viommu, const void *cmds, u32 len, u32 num,
	       int (*command)(struct vtd_viommu *viommu, const void *cmd, u32 len,
			      bool *long_one), int *err)
{
	struct vtd_gather *gather = &viommu->gather;
	bool long_one = false;
	int err_flush, ret = 0;
	u32 i;

	mutex_lock(&viommu->lock);
	gather->commands = 0;
	for (i = 0; i < num; i++) {
		if (long_one)
			ret = -EAGAIN;
		else
			ret = command(viommu, cmds + i * len, len, &long_one);
		if (ret)
			break;
		if (gather->ranges.num)
			gather->commands++;
	}
	err_flush = vtd_flush_complete(viommu);
	i -= gather->commands;
	mutex_unlock(&viommu->lock);
	if (err_flush)
		ret = err_flush;
	if (ret)
		*err = ret;
	return i;
}

/* The backend's @invalidate */
u32 vtd_invalidate(struct iommu_nested_viommu *core, void *cmds, u32 len,
		   u32 num, bool sync, int *err)
{
	return run(core->backend_data, cmds, len, num, guest_command, err);
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

static int generic_command(struct vtd_viommu *viommu, const void *data, u32 len,
			   bool *long_one)
{
	const struct vfio_nested_command_generic *cmd = data;
	struct vtd_command command = {
		.kind = VTD_CMD_FLUSH_DEVICE_PASID,
		.virtual_id = cmd->virtual_id,
		.pasid = VTD_RID_PASID,
	};
	struct iommu_nested_binding *binding;
	struct vtd_dev *vdev;
	int ret;

	ret = generic_range(cmd, &command.range);
	if (ret)
		return ret;
	binding = iommu_nested_find(viommu->core, cmd->virtual_id);
	if (!binding)
		return -ENOENT;
	vdev = binding->backend_data;
	if (vdev->state->mode != VTD_MODE_SHADOWS || vdev->state->tables)
		return -EINVAL;
	return vtd_flush(viommu, &command);
}

/* The backend's @invalidate_generic */
u32 vtd_invalidate_generic(struct iommu_nested_viommu *core, void *cmds,
			   u32 num, bool sync, int *err)
{
	return run(core->backend_data, cmds,
		   sizeof(struct vfio_nested_command_generic), num,
		   generic_command, err);
}
