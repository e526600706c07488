// SPDX-License-Identifier: GPL-2.0
/*
 * Events (section 7.3): whose they are, and those of the host's own devices.
 *
 * Invariant: an access that is stalled is answered, by a guest or with an abort.
 */
#include "smmuv3.h"

static const char * const event_names[] = {
	[EVT_F_UUT]		= "F_UUT",
	[EVT_C_BAD_STREAMID]	= "C_BAD_STREAMID",
	[EVT_F_STE_FETCH]	= "F_STE_FETCH",
	[EVT_C_BAD_STE]		= "C_BAD_STE",
	[EVT_F_BAD_ATS_TREQ]	= "F_BAD_ATS_TREQ",
	[EVT_F_STREAM_DISABLED]	= "F_STREAM_DISABLED",
	[EVT_F_TRANSL_FORBIDDEN] = "F_TRANSL_FORBIDDEN",
	[EVT_C_BAD_SUBSTREAMID]	= "C_BAD_SUBSTREAMID",
	[EVT_F_CD_FETCH]	= "F_CD_FETCH",
	[EVT_C_BAD_CD]		= "C_BAD_CD",
	[EVT_F_WALK_EABT]	= "F_WALK_EABT",
	[EVT_F_TRANSLATION]	= "F_TRANSLATION",
	[EVT_F_ADDR_SIZE]	= "F_ADDR_SIZE",
	[EVT_F_ACCESS]		= "F_ACCESS",
	[EVT_F_PERMISSION]	= "F_PERMISSION",
	[EVT_F_TLB_CONFLICT]	= "F_TLB_CONFLICT",
	[EVT_F_CFG_CONFLICT]	= "F_CFG_CONFLICT",
	[EVT_E_PAGE_REQUEST]	= "E_PAGE_REQUEST",
	[EVT_F_VMS_FETCH]	= "F_VMS_FETCH",
};

static void event_log(struct smmu_device *smmu, struct smmu_master *master,
		      const u64 *evt)
{
	u32 id = FIELD_GET(EVT0_ID, evt[0]);
	const char *name = id < ARRAY_SIZE(event_names) ? event_names[id] : NULL;

	dev_warn_ratelimited(smmu->dev,
			     "event %s (0x%02x) %s StreamID 0x%llx: %s%s%s address 0x%016llx: %016llx %016llx %016llx\n",
			     name ?: "unknown", id,
			     master ? dev_name(master->dev) : "unknown device",
			     FIELD_GET(EVT0_SID, evt[0]),
			     evt[1] & EVT1_RNW ? "read" : "write",
			     evt[1] & EVT1_PNU ? " privileged" : "",
			     evt[1] & EVT1_S2 ? " stage 2" : "",
			     evt[2], evt[0], evt[1], evt[3]);
}

/**
 * smmu_abort_stall - an access that nobody will answer must not wait for ever
 * @smmu: the SMMU
 * @evt: the record of the access
 */
void smmu_abort_stall(struct smmu_device *smmu, const u64 *evt)
{
	__le64 cmd[CMD_DWORDS];

	smmu_cmd_resume(cmd, FIELD_GET(EVT0_SID, evt[0]),
			FIELD_GET(EVT1_STAG, evt[1]), CMD_RESUME_ABORT);
	smmu_cmdq_issue(smmu, cmd, 1, SMMU_SYNC_NONE);
}

/**
 * smmu_event_handle - one event
 * @smmu: the SMMU
 * @evt: the record
 *
 * Called with the event queue's lock held, which keeps the master and its overlay
 * in place.
 */
void smmu_event_handle(struct smmu_device *smmu, const u64 *evt)
{
	struct smmu_master *master = smmu_evtq_master(smmu, &smmu->evtq,
						      FIELD_GET(EVT0_SID, evt[0]));

	if (master && master->vdev) {
		smmu_nested_event(master->vdev, evt);
		return;
	}
	event_log(smmu, master, evt);
	if (evt[1] & EVT1_STALL)
		smmu_abort_stall(smmu, evt);
}

/**
 * smmu_event_quick - one event, if it is an access that waits for a guest's answer
 * @smmu: the SMMU
 * @evt: the record
 *
 * Called in the interrupt handler, with the queue claimed. Return: false: it is for
 * smmu_event_handle().
 */
bool smmu_event_quick(struct smmu_device *smmu, const u64 *evt)
{
	struct smmu_master *master;
	struct smmu_vdev *vdev;

	if (!(evt[1] & EVT1_STALL))
		return false;
	master = smmu_evtq_master(smmu, &smmu->evtq, FIELD_GET(EVT0_SID, evt[0]));
	vdev = master ? master->vdev : NULL;
	if (!vdev || !vdev->may_stall || vdev->terminated)
		return false;
	smmu_nested_stall(vdev, evt, true);
	return true;
}
