// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of a guest, on their way to the hardware.
 *
 * Invariants:
 *  - a command reaches the hardware only after smmu_vcmd_check(), and with the
 *    VMID and the StreamIDs of the virtual IOMMU that it came from;
 *  - the order of a guest's commands, its SYNCs included, is kept in the queue:
 *    what comes after a SYNC may rely on what comes before it;
 *  - an answer to a fault reaches the hardware only for a fault of this device that is
 *    pending, and in the hardware's own terms.
 */
#include <linux/iommu-nested.h>

#include "smmuv3.h"

/*
 * Commands of a guest that have been checked and translated, in the caller's
 * array: they lie in @first ... @end - 1, where @end is never beyond the command
 * that is looked at.
 */
struct guest_commands {
	struct smmu_device *smmu;
	__le64 *cmds;
	u32 end;
};

static int guest_commands_issue(struct guest_commands *g, bool sync)
{
	u32 num = g->end;

	g->end = 0;
	if (!num && !sync)
		return 0;
	return smmu_cmdq_issue(g->smmu, g->cmds, num, sync);
}

static void guest_commands_add(struct guest_commands *g, const __le64 *cmd)
{
	g->cmds[g->end * CMD_DWORDS] = cmd[0];
	g->cmds[g->end * CMD_DWORDS + 1] = cmd[1];
	g->end++;
}

/* A configuration is cached for each StreamID of the device. */
static int guest_cfgi(struct guest_commands *g, struct smmu_master *master,
		      __le64 *cmd)
{
	u32 i;
	int ret;

	smmu_vcmd_set_sid(cmd, master->sids[0]);
	guest_commands_add(g, cmd);
	if (likely(master->num_sids == 1))
		return 0;

	ret = guest_commands_issue(g, false);
	for (i = 1; i < master->num_sids && !ret; i++) {
		__le64 one[CMD_DWORDS] = { cmd[0], cmd[1] };

		smmu_vcmd_set_sid(one, master->sids[i]);
		ret = smmu_cmdq_issue(g->smmu, one, 1, false);
	}
	return ret;
}

static int guest_atc_inv(struct guest_commands *g, struct smmu_master *master,
			 const __le64 *cmd)
{
	int ret;

	/* What comes before must be done, or the device fetches it again. */
	ret = guest_commands_issue(g, true);
	if (ret || !READ_ONCE(master->ats_enabled))
		return ret;
	return smmu_atc_invalidate(master, cmd);
}

/* The answer takes the place of the command. */
static int guest_answer(struct guest_commands *g, struct smmu_vdev *vdev,
			enum smmu_vcmd_kind kind, __le64 *cmd)
{
	struct smmu_vcmd_answer said;
	struct iommu_nested_answer answer;
	int ret;

	smmu_vcmd_get_answer(cmd, &said);
	if (kind == SMMU_VCMD_RESUME)
		ret = iommu_nested_claim_stall(vdev->binding, said.tag,
					       said.code, &answer);
	else
		ret = iommu_nested_claim_group(vdev->binding, said.ssv,
					       said.ssid, said.group, said.code,
					       &answer);
	if (ret)
		return ret;
	smmu_answer_cmd(&answer, cmd);
	guest_commands_add(g, cmd);
	return 0;
}

/*
 * Everything that the device has stalled, also what nobody has looked at yet. The
 * hardware's own command would need an entry that refuses all accesses.
 */
static int guest_stall_term(struct guest_commands *g, struct smmu_vdev *vdev)
{
	struct smmu_device *smmu = vdev->master->smmu;
	struct iommu_nested_answer answer;
	struct smmu_batch batch;
	__le64 cmd[CMD_DWORDS];
	int ret;

	ret = guest_commands_issue(g, false);
	if (ret)
		return ret;
	smmu_evtq_process(smmu, &smmu->evtq);
	batch.num = 0;
	while (iommu_nested_claim_any_stall(vdev->binding,
					    VFIO_NESTED_RESPONSE_ABORT,
					    &answer)) {
		smmu_answer_cmd(&answer, cmd);
		smmu_batch_add(smmu, &batch, cmd);
	}
	return smmu_cmdq_issue(smmu, batch.cmds, batch.num, false);
}

static int guest_command(struct iommu_nested_viommu *core,
			 struct guest_commands *g, __le64 *cmd)
{
	struct smmu_viommu *viommu = core->backend_data;
	struct iommu_nested_binding *binding;
	struct smmu_vdev *vdev = NULL;
	struct smmu_vcmd vcmd;
	const char *why;
	int ret;

	ret = smmu_vcmd_check(cmd, &viommu->vcmd_limits, &vcmd, &why);
	if (unlikely(ret)) {
		dev_notice_ratelimited(g->smmu->dev,
				       "refused guest command 0x%016llx 0x%016llx: %s\n",
				       le64_to_cpu(cmd[0]), le64_to_cpu(cmd[1]),
				       why);
		return ret;
	}
	if (vcmd.has_sid) {
		binding = iommu_nested_find(core, vcmd.vsid);
		if (!binding)
			return -ENOENT;
		vdev = binding->backend_data;
	}

	switch (vcmd.kind) {
	case SMMU_VCMD_DROP:
		return 0;
	case SMMU_VCMD_SYNC:
		guest_commands_add(g, cmd);
		return 0;
	case SMMU_VCMD_TLBI:
		smmu_vcmd_set_vmid(cmd, viommu->vmid);
		guest_commands_add(g, cmd);
		return 0;
	case SMMU_VCMD_CFGI:
		return guest_cfgi(g, vdev->master, cmd);
	case SMMU_VCMD_ATC:
		return guest_atc_inv(g, vdev->master, cmd);
	case SMMU_VCMD_RESUME:
	case SMMU_VCMD_PRI_RESP:
		return guest_answer(g, vdev, vcmd.kind, cmd);
	case SMMU_VCMD_STALL_TERM:
		return guest_stall_term(g, vdev);
	}
	return -EOPNOTSUPP;
}

/**
 * smmu_nested_invalidate - iommu_nested_backend.invalidate
 * @core: the virtual IOMMU
 * @cmds: the commands, which are overwritten
 * @num: number of commands
 * @sync: wait until they are complete
 * @err: set to the error of the first command that was not consumed
 *
 * Return: number of commands consumed.
 */
u32 smmu_nested_invalidate(struct iommu_nested_viommu *core, void *cmds,
			   u32 num, bool sync, int *err)
{
	struct smmu_viommu *viommu = core->backend_data;
	struct guest_commands g = { .smmu = viommu->smmu, .cmds = cmds };
	u32 i;
	int ret = 0;

	for (i = 0; i < num && !ret; i++)
		ret = guest_command(core, &g, g.cmds + i * CMD_DWORDS);
	if (ret)
		i--;
	/* What was consumed is complete, also where the next one is refused. */
	if (guest_commands_issue(&g, sync || ret)) {
		ret = -EIO;
		i = 0;
	}
	if (ret)
		*err = ret;
	return i;
}
