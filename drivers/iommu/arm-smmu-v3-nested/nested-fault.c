// SPDX-License-Identifier: GPL-2.0
/*
 * Recoverable faults: stalled accesses and page requests, and their answers.
 *
 * Invariants:
 *  - each is answered once: by the nested core, if that has taken it, and here at once
 *    if not. What the core has taken and not answered when a device is reset or leaves
 *    is ended in smmu_vdev_end_faults();
 *  - a stall is named by StreamID and STAG: of the event record, never of the guest;
 *  - CMD_RESUME is sent for an access that is stalled and for no other: after
 *    CMD_STALL_TERM nothing is answered, though records may still come out of the
 *    queue;
 *  - the counters of stalls are raised before the core can answer.
 */
#include <linux/iommu-nested.h>
#include <linux/pci.h>
#include <linux/property.h>

#include "record.h"
#include "share.h"
#include "smmuv3.h"

/* How the core refers to a stall */
#define STALL_KEY_STAG		GENMASK_ULL(15, 0)
#define STALL_KEY_SID		GENMASK_ULL(47, 16)

/**
 * smmu_may_stall - whether a device may stall for a guest
 * @master: the device
 * @policy: what the administrator says
 *
 * PCIe has no place for accesses that wait: a fabric of bridges may come to a halt.
 * So firmware or the administrator has to know better.
 *
 * Return: true if it may, and the SMMU can.
 */
bool smmu_may_stall(const struct smmu_master *master,
		    const struct iommu_nested_policy *policy)
{
	if (smmu_stall_model(master->smmu) == IDR0_STALL_MODEL_TERMINATE)
		return false;
	return policy->may_stall ||
	       device_property_read_bool(master->dev, "dma-can-stall");
}

static void count_stalls(struct smmu_vdev *vdev, int num)
{
	atomic_add(num, &vdev->stalls);
	atomic_add(num, &vdev->viommu->stalls);
	atomic_add(num, &vdev->master->smmu->stalls);
}

static bool stall_is_fair(const struct smmu_vdev *vdev)
{
	const struct smmu_device *smmu = vdev->master->smmu;

	return smmu_stall_is_fair(atomic_read(&smmu->stalls),
				  atomic_read(&vdev->viommu->stalls),
				  smmu->stall_max, smmu->stallers);
}

/* Whether the core will answer it. */
static bool take_stall(struct smmu_vdev *vdev, const u64 *evt)
{
	struct vfio_nested_fault fault = smmu_record_blank;
	bool taken;

	smmu_record_stall(&fault, evt, vdev->binding->virtual_id);
	if (!stall_is_fair(vdev)) {
		iommu_nested_refused(vdev->binding, &fault);
		return false;
	}
	count_stalls(vdev, 1);
	fault.timestamp = vdev->master->smmu->evtq.seen_ns;
	taken = iommu_nested_report_fault(vdev->binding, &fault,
					  FIELD_PREP(STALL_KEY_SID,
						     FIELD_GET(EVT0_SID, evt[0])) |
					  FIELD_PREP(STALL_KEY_STAG,
						     FIELD_GET(EVT1_STAG, evt[1])));
	if (!taken)
		count_stalls(vdev, -1);
	return taken;
}

/* The access is over by now: an event can say so. */
static void throttle(struct smmu_vdev *vdev, struct vfio_nested_fault *fault,
		     bool atomic)
{
	if (!smmu_vdev_throttle(vdev, atomic))
		return;
	fault->flags |= VFIO_NESTED_FAULT_THROTTLED;
	iommu_nested_report(vdev->binding, fault);
}

static noinline void refuse_stall(struct smmu_vdev *vdev, const u64 *evt,
				  bool atomic)
{
	struct vfio_nested_fault fault = smmu_record_blank;

	smmu_abort_stall(vdev->master->smmu, evt);
	if (READ_ONCE(vdev->throttled) || smmu_flood_take_token(&vdev->events))
		return;
	smmu_record_event(&fault, evt, vdev->binding->virtual_id);
	throttle(vdev, &fault, atomic);
}

/**
 * smmu_nested_stall - an access of a device that may stall for its guest
 * @vdev: the guest's overlay
 * @evt: the record
 * @atomic: in the interrupt handler, with the queue claimed; else with its lock held
 */
void smmu_nested_stall(struct smmu_vdev *vdev, const u64 *evt, bool atomic)
{
	if (!take_stall(vdev, evt) && !vdev->terminated)
		refuse_stall(vdev, evt, atomic);
}

/**
 * smmu_nested_page_request - a page request of a master that a guest has
 * @vdev: the guest's overlay
 * @pri: the record
 *
 * Called with the PRI queue's lock held. More requests in the queue than the device
 * may have outstanding show that it does not keep to its credits.
 *
 * Return: false if it is to be refused: the caller does that.
 */
bool smmu_nested_page_request(struct smmu_vdev *vdev, const u64 *pri)
{
	struct smmu_evtq *priq = &vdev->master->smmu->priq;
	u32 limit = READ_ONCE(vdev->master->pri_limit);
	struct vfio_nested_fault fault = smmu_record_blank;
	bool taken, floods;
	u64 key;

	smmu_record_request(&fault, pri, vdev->binding->virtual_id);
	key = iommu_nested_group_key(fault.flags & VFIO_NESTED_FAULT_PASID,
				     fault.pasid, fault.group);
	fault.timestamp = priq->seen_ns;
	taken = iommu_nested_report_fault(vdev->binding, &fault, key);
	floods = limit && smmu_flood_count(&vdev->requests, priq) > limit;
	if (!taken)
		floods |= !smmu_flood_take_token(&vdev->requests);
	if (floods && !READ_ONCE(vdev->throttled)) {
		fault = (struct vfio_nested_fault){
			.kind = VFIO_NESTED_FAULT_EVENT,
			.flags = fault.flags & VFIO_NESTED_FAULT_PASID,
			.pasid = fault.pasid,
		};
		throttle(vdev, &fault, false);
	}
	return taken;
}

/**
 * smmu_answer_cmd - the command that carries an answer
 * @answer: the answer; the core has forgotten the fault
 * @cmd: the command
 *
 * Once for each answer: it also settles the accounts.
 */
void smmu_answer_cmd(const struct iommu_nested_answer *answer,
		     __le64 cmd[CMD_DWORDS])
{
	struct smmu_vdev *vdev = answer->binding->backend_data;
	struct smmu_master *master = vdev->master;
	u64 key = answer->key;

	if (answer->kind == VFIO_NESTED_FAULT_STALL) {
		count_stalls(vdev, -1);
		smmu_cmd_resume(cmd, FIELD_GET(STALL_KEY_SID, key),
				FIELD_GET(STALL_KEY_STAG, key),
				smmu_resume_of(answer->code,
					       master->smmu->idr[0] &
					       IDR0_TERM_MODEL));
		return;
	}
	smmu_cmd_pri_resp(cmd, master->sids[0],
			  iommu_nested_key_has_pasid(key) && master->pri_pasid,
			  iommu_nested_key_pasid(key),
			  iommu_nested_key_group(key),
			  smmu_pri_resp_of(answer->code,
					   smmu_pri_is_shared(master)));
}

/**
 * smmu_nested_respond - iommu_nested_backend.respond
 * @core: the virtual IOMMU
 * @answers: the answers
 * @num: number of answers
 *
 * Nothing has to be waited for: whatever ends these faults in another way comes
 * after them in the command queue.
 */
int smmu_nested_respond(struct iommu_nested_viommu *core,
			const struct iommu_nested_answer *answers, u32 num)
{
	struct smmu_viommu *viommu = core->backend_data;
	struct smmu_batch batch __uninitialized;
	__le64 cmd[CMD_DWORDS];
	u32 i;

	batch.num = 0;
	for (i = 0; i < num; i++) {
		smmu_answer_cmd(&answers[i], cmd);
		smmu_batch_add(viommu->smmu, &batch, cmd);
	}
	return smmu_cmdq_issue(viommu->smmu, batch.cmds, batch.num, SMMU_SYNC_NONE);
}

/*
 * With the event queue's lock held nobody is about to answer a stall, and who gets the
 * lock next knows that it must not.
 */
static void terminate_stalls(struct smmu_vdev *vdev)
{
	struct smmu_master *master = vdev->master;
	struct smmu_device *smmu = master->smmu;
	struct smmu_batch batch __uninitialized;
	__le64 cmd[CMD_DWORDS];
	u32 i;

	if (smmu_stall_model(smmu) == IDR0_STALL_MODEL_TERMINATE)
		return;
	batch.num = 0;
	smmu_evtq_lock(&smmu->evtq);
	vdev->terminated = true;
	for (i = 0; i < master->num_sids; i++) {
		smmu_cmd_stall_term(cmd, master->sids[i]);
		smmu_batch_add(smmu, &batch, cmd);
	}
	smmu_batch_finish(smmu, &batch);
	count_stalls(vdev, -atomic_read(&vdev->stalls));
	smmu_evtq_unlock(&smmu->evtq);
}

static void refuse_requests(struct smmu_vdev *vdev)
{
	struct iommu_nested_answer answer = {
		.binding = vdev->binding,
		.kind = VFIO_NESTED_FAULT_PAGE_REQUEST,
		.code = VFIO_NESTED_RESPONSE_ABORT,
	};
	struct smmu_device *smmu = vdev->master->smmu;
	struct smmu_batch batch __uninitialized;
	__le64 cmd[CMD_DWORDS];
	u32 pos = 0;

	batch.num = 0;
	while (iommu_nested_next_pending(vdev->binding, answer.kind, &pos,
					 &answer.key)) {
		smmu_answer_cmd(&answer, cmd);
		smmu_batch_add(smmu, &batch, cmd);
	}
	if (batch.num)
		smmu_batch_finish(smmu, &batch);
}

/**
 * smmu_vdev_abort_requests - end page requests that the device is about to forget
 * @vdev: the guest's overlay; its master's lock is held
 *
 * Answers that come later find nothing: a group's number may be another one's then.
 * Also those go that nobody has looked at yet. May sleep.
 */
void smmu_vdev_abort_requests(struct smmu_vdev *vdev)
{
	struct smmu_device *smmu = vdev->master->smmu;
	struct iommu_nested_answer answer;
	struct smmu_batch batch __uninitialized;
	__le64 cmd[CMD_DWORDS];

	smmu_evtq_process(smmu, &smmu->priq);
	batch.num = 0;
	while (iommu_nested_abort_request(vdev->binding, &answer)) {
		smmu_answer_cmd(&answer, cmd);
		smmu_batch_add(smmu, &batch, cmd);
	}
	if (!batch.num)
		return;
	smmu_batch_finish(smmu, &batch);
	iommu_nested_requests_lost(vdev->binding);
}

/**
 * smmu_vdev_end_faults - leave nothing of a device waiting in the hardware
 * @vdev: the guest's overlay; its master's lock is held, its entries refuse every
 *	access, its page requests are off, and the core takes no report any more
 *
 * May sleep. On return no record of the device is in the queues, and none will come.
 */
void smmu_vdev_end_faults(struct smmu_vdev *vdev)
{
	terminate_stalls(vdev);
	smmu_records_drain(vdev->master->smmu);
	if (!vdev->binding->saved)
		refuse_requests(vdev);
}
