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

#define GUEST_BATCH_MAX	(IOMMU_NESTED_COMMAND_BATCH_LEN / (CMD_DWORDS * sizeof(u64)))
static_assert(GUEST_BATCH_MAX <= SMMU_BATCH_MAX);

/**
 * struct guest_commands - commands that have been checked and translated
 * @smmu: the SMMU
 * @viommu: the virtual IOMMU
 * @cmds: the caller's array; they lie at its beginning, and never beyond the command
 *	that is looked at
 * @end: their number
 * @atc: they are CMD_ATC_INV, all of them, which are waited for together
 * @unordered: there is something in the queue that no SYNC follows
 * @bad: what was consumed before the ATC_INV that a device did not answer
 * @at: where each of @cmds, if they are CMD_ATC_INV, was in the guest's array
 */
struct guest_commands {
	struct smmu_device *smmu;
	struct smmu_viommu *viommu;
	__le64 *cmds;
	u32 end;
	bool atc;
	bool unordered;
	u32 bad;
	u8 at[GUEST_BATCH_MAX];
};

static void guest_commands_add(struct guest_commands *g, u64 word0, u64 word1)
{
	g->cmds[g->end * CMD_DWORDS] = cpu_to_le64(word0);
	g->cmds[g->end * CMD_DWORDS + 1] = cpu_to_le64(word1);
	g->end++;
}

/*
 * Some device did not answer: which one is seen when they are asked one by one. The
 * binding keeps the master in place.
 */
static int guest_atc_again(struct guest_commands *g, u32 num)
{
	struct smmu_master *master;
	u32 i;

	for (i = 0; i < num; i++) {
		const __le64 *cmd = g->cmds + i * CMD_DWORDS;

		master = xa_load(&g->smmu->streams,
				 FIELD_GET(CMD0_SID, le64_to_cpu(cmd[0])));
		if (smmu_atc_invalidate(master, cmd)) {
			g->bad = g->at[i];
			return -EIO;
		}
	}
	return 0;
}

static int guest_atc_issue(struct guest_commands *g, u32 num)
{
	int ret = smmu_cmdq_issue(g->smmu, g->cmds, num, SMMU_SYNC_ATC);

	if (ret == -ETIMEDOUT)
		return guest_atc_again(g, num);
	if (unlikely(ret))
		g->bad = g->at[0];
	return ret;
}

/* To the queue with them. Invalidations of ATCs are complete then, in any case. */
static int guest_commands_issue(struct guest_commands *g, enum smmu_sync sync)
{
	u32 num = g->end;

	g->end = 0;
	if (g->atc) {
		g->atc = false;
		return guest_atc_issue(g, num);
	}
	if (sync == SMMU_SYNC_NONE && !num)
		return 0;
	g->unordered = sync == SMMU_SYNC_NONE;
	return smmu_cmdq_issue(g->smmu, g->cmds, num, sync);
}

/* What follows is not an invalidation of an ATC. */
static int guest_atc_end(struct guest_commands *g)
{
	return unlikely(g->atc) ? guest_commands_issue(g, SMMU_SYNC_WAIT) : 0;
}

/* A configuration is cached for each StreamID of the device. */
static int guest_cfgi(struct guest_commands *g, struct smmu_master *master,
		      u64 word0, u64 word1)
{
	__le64 one[CMD_DWORDS] = { cpu_to_le64(word0), cpu_to_le64(word1) };
	u32 i;
	int ret;

	ret = guest_atc_end(g);
	if (unlikely(ret))
		return ret;
	guest_commands_add(g, word0 | FIELD_PREP(CMD0_SID, master->sids[0]),
			   word1);
	if (likely(master->num_sids == 1))
		return 0;

	ret = guest_commands_issue(g, SMMU_SYNC_NONE);
	for (i = 1; i < master->num_sids && !ret; i++) {
		smmu_vcmd_set_sid(one, master->sids[i]);
		ret = smmu_cmdq_issue(g->smmu, one, 1, SMMU_SYNC_NONE);
	}
	return ret;
}

/*
 * What comes before must be done, or the device fetches it again. All that an earlier
 * call has left in the queue has a SYNC behind it.
 */
static int guest_atc_begin(struct guest_commands *g)
{
	if (g->atc)
		return 0;
	return g->end || g->unordered ?
		       guest_commands_issue(g, SMMU_SYNC_ORDER) : 0;
}

static int guest_atc_inv(struct guest_commands *g, struct smmu_master *master,
			 u64 word0, u64 word1, u32 index)
{
	__le64 one[CMD_DWORDS] = { cpu_to_le64(word0), cpu_to_le64(word1) };
	int ret;

	if (!READ_ONCE(master->ats_enabled))
		return 0;
	ret = guest_atc_begin(g);
	if (unlikely(ret))
		return ret;
	if (likely(master->num_sids == 1 && !READ_ONCE(master->ats_dead))) {
		g->atc = true;
		g->at[g->end] = index;
		guest_commands_add(g, word0 | FIELD_PREP(CMD0_SID,
							 master->sids[0]),
				   word1);
		return 0;
	}
	ret = guest_atc_end(g);
	if (ret)
		return ret;
	return smmu_atc_invalidate(master, one);
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
	guest_commands_add(g, le64_to_cpu(cmd[0]), le64_to_cpu(cmd[1]));
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
	struct smmu_batch batch __uninitialized;
	__le64 cmd[CMD_DWORDS];
	int ret;

	ret = guest_commands_issue(g, SMMU_SYNC_NONE);
	if (ret)
		return ret;
	g->unordered = true;
	smmu_evtq_process(smmu, &smmu->evtq);
	batch.num = 0;
	while (iommu_nested_claim_any_stall(vdev->binding,
					    VFIO_NESTED_RESPONSE_ABORT,
					    &answer)) {
		smmu_answer_cmd(&answer, cmd);
		smmu_batch_add(smmu, &batch, cmd);
	}
	return smmu_cmdq_issue(smmu, batch.cmds, batch.num, SMMU_SYNC_NONE);
}

static struct smmu_vdev *find_vdev(const struct smmu_viommu *viommu, u32 vsid)
{
	u32 bucket = hash_32(vsid, SMMU_VDEV_HASH_BITS);
	struct smmu_vdev *vdev;

	hlist_for_each_entry(vdev, &viommu->vdevs[bucket], node)
		if (vdev->vsid == vsid)
			return vdev;
	return NULL;
}

static int guest_device_command(struct guest_commands *g,
				enum smmu_vcmd_kind kind, u64 word0, u64 word1,
				u32 index)
{
	struct smmu_vdev *vdev = find_vdev(g->viommu,
					   FIELD_GET(CMD0_SID, word0));

	if (unlikely(!vdev))
		return -ENOENT;
	word0 &= ~CMD0_SID;
	if (kind == SMMU_VCMD_CFGI)
		return guest_cfgi(g, vdev->master, word0, word1);
	return guest_atc_inv(g, vdev->master, word0, word1, index);
}

/* Whatever smmu_vcmd_table_init() did not know to be legal */
static int guest_odd_command(struct guest_commands *g, __le64 *cmd, u32 index)
{
	u64 word0 = le64_to_cpu(cmd[0]), word1 = le64_to_cpu(cmd[1]);
	struct smmu_vdev *vdev = NULL;
	struct smmu_vcmd vcmd;
	const char *why;
	int ret;

	ret = smmu_vcmd_check(cmd, &g->smmu->vcmd_limits, &vcmd, &why);
	if (unlikely(ret)) {
		dev_notice_ratelimited(g->smmu->dev,
				       "refused guest command 0x%016llx 0x%016llx: %s\n",
				       word0, word1, why);
		return ret;
	}
	if (vcmd.kind == SMMU_VCMD_CFGI || vcmd.kind == SMMU_VCMD_ATC)
		return guest_device_command(g, vcmd.kind, word0, word1, index);
	if (vcmd.has_sid) {
		vdev = find_vdev(g->viommu, vcmd.vsid);
		if (!vdev)
			return -ENOENT;
	}
	if (vcmd.kind == SMMU_VCMD_DROP)
		return 0;

	ret = guest_atc_end(g);
	if (ret)
		return ret;
	switch (vcmd.kind) {
	case SMMU_VCMD_TLBI:
		smmu_vcmd_set_vmid(cmd, g->viommu->vmid);
		fallthrough;
	case SMMU_VCMD_SYNC:
		guest_commands_add(g, le64_to_cpu(cmd[0]), word1);
		return 0;
	case SMMU_VCMD_RESUME:
	case SMMU_VCMD_PRI_RESP:
		return guest_answer(g, vdev, vcmd.kind, cmd);
	case SMMU_VCMD_STALL_TERM:
		return guest_stall_term(g, vdev);
	default:
		return -EOPNOTSUPP;
	}
}

/*
 * The TLB invalidations from @index on that nothing is to be said about, which is what
 * guests send most; returns the index of the first other command, or @num.
 */
static u32 guest_plain_tlbis(struct guest_commands *g, u32 index, u32 num)
{
	const struct smmu_vcmd_table *table = &g->smmu->vcmd_table;
	const u64 vmid = FIELD_PREP(CMD_TLBI0_VMID, g->viommu->vmid);
	const __le64 *cmd = g->cmds + index * CMD_DWORDS;
	const __le64 *end = g->cmds + num * CMD_DWORDS;
	__le64 *to = g->cmds + g->end * CMD_DWORDS;

	for (; cmd < end; cmd += CMD_DWORDS, to += CMD_DWORDS) {
		u64 word0 = le64_to_cpu(cmd[0]), word1 = le64_to_cpu(cmd[1]);
		const struct smmu_vcmd_plain *plain =
			&table->ops[FIELD_GET(CMD0_OP, word0)];

		if (plain->kind != SMMU_VCMD_TLBI ||
		    (!smmu_vcmd_is_plain(plain, word0, word1) &&
		     !smmu_vcmd_is_plain_range(table, plain, word0, word1)))
			break;
		to[0] = cpu_to_le64((word0 ^ plain->flip) | vmid);
		to[1] = cpu_to_le64(word1);
	}
	g->end = (u32)(to - g->cmds) / CMD_DWORDS;
	return (u32)(cmd - g->cmds) / CMD_DWORDS;
}

/* One command, or more; @index is moved on to the last of them. */
static int guest_command(struct guest_commands *g, u32 *index, u32 num)
{
	__le64 *cmd = g->cmds + *index * CMD_DWORDS;
	u64 word0 = le64_to_cpu(cmd[0]), word1 = le64_to_cpu(cmd[1]);
	const struct smmu_vcmd_plain *plain =
		&g->smmu->vcmd_table.ops[FIELD_GET(CMD0_OP, word0)];

	if (plain->kind == SMMU_VCMD_TLBI && !g->atc) {
		u32 next = guest_plain_tlbis(g, *index, num);

		if (next != *index) {
			*index = next - 1;
			return 0;
		}
	}
	if ((plain->kind == SMMU_VCMD_CFGI || plain->kind == SMMU_VCMD_ATC) &&
	    smmu_vcmd_is_plain(plain, word0, word1))
		return guest_device_command(g, plain->kind, word0, word1,
					    *index);
	return guest_odd_command(g, cmd, *index);
}

/* The rest of them. What was consumed is complete, also where the next is refused. */
static int guest_commands_finish(struct guest_commands *g, bool wait)
{
	int ret;

	/* With these all that came before them is complete, too. */
	if (g->atc)
		return guest_atc_end(g);
	ret = guest_commands_issue(g, wait ? SMMU_SYNC_WAIT : SMMU_SYNC_ORDER);
	if (ret)
		g->bad = 0;
	return ret;
}

/**
 * smmu_nested_invalidate - iommu_nested_backend.invalidate
 * @core: the virtual IOMMU
 * @cmds: the commands, which are overwritten
 * @len: bytes of each; there is one length only
 * @num: number of commands, at most GUEST_BATCH_MAX
 * @sync: wait until they are complete
 * @err: set to the error of the first command that was not consumed
 *
 * Return: number of commands consumed.
 */
u32 smmu_nested_invalidate(struct iommu_nested_viommu *core, void *cmds,
			   u32 len, u32 num, bool sync, int *err)
{
	struct smmu_viommu *viommu = core->backend_data;
	struct guest_commands g __uninitialized;
	u32 i;
	int ret = 0;

	g.smmu = viommu->smmu;
	g.viommu = viommu;
	g.cmds = cmds;
	g.end = 0;
	g.atc = false;
	g.unordered = false;
	g.bad = U32_MAX;
	/* Most calls have nothing else. */
	for (i = guest_plain_tlbis(&g, 0, num); i < num && !ret; i++)
		ret = guest_command(&g, &i, num);
	if (ret)
		i--;
	if (guest_commands_finish(&g, sync || ret))
		ret = -EIO;
	/* The hardware's refusal comes after the fact. */
	if (g.bad < i)
		i = g.bad;
	if (ret)
		*err = ret;
	return i;
}
