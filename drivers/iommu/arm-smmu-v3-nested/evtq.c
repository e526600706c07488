// SPDX-License-Identifier: GPL-2.0
/*
 * The event queue (chapter 7), and what it shares with the PRI queue: taking
 * records out.
 *
 * Invariants, for both queues:
 *  - records are taken out with the queue's lock held, each one once and in order;
 *  - a record is copied before it is looked at: the slot belongs to the hardware
 *    again as soon as the consumer index has passed it;
 *  - one call takes at most as many records as the queue holds, so that a device
 *    which never stops cannot keep anybody else from the lock;
 *  - an overflow is counted and acknowledged, whoever finds it. Page requests wait
 *    for that (section 8.1): what came before it has been dealt with by then.
 */
#include <linux/io.h>

#include "smmuv3.h"

/* Records after which the hardware is told of the room. */
#define SMMU_EVTQ_CHUNK		32

static u32 evtq_index_mask(const struct smmu_evtq *evtq)
{
	return (2U << evtq->q.shift) - 1;
}

/* The overflow flag of CONS says that we have seen that of PROD (7.4). */
static void evtq_write_cons(struct smmu_evtq *evtq)
{
	/* Slots have been read before they are given back. */
	dma_mb();
	writel_relaxed(evtq->ovackflg | evtq->cons, evtq->q.cons);
}

static bool evtq_has_overflowed(struct smmu_device *smmu,
				struct smmu_evtq *evtq, u32 prod)
{
	if (likely(!((prod ^ evtq->ovackflg) & Q_OVFLG)))
		return false;
	evtq->overflows++;
	dev_warn_ratelimited(smmu->dev, "%s queue overflowed, %llu times so far\n",
			     evtq->name, evtq->overflows);
	return true;
}

/* Up to @prod; no more than the queue holds, whatever the register said. */
static void evtq_take(struct smmu_device *smmu, struct smmu_evtq *evtq, u32 prod)
{
	u32 slots = 1U << evtq->q.shift;
	u64 record[EVT_DWORDS];
	u32 todo, i;

	todo = ((prod & evtq_index_mask(evtq)) - evtq->cons) &
	       evtq_index_mask(evtq);
	evtq->pass++;
	evtq->crowded = todo > slots / SMMU_EVTQ_CROWD;
	for (todo = min(todo, slots); todo; todo--) {
		const __le64 *slot = evtq->q.base +
			(evtq->cons & (slots - 1)) * evtq->q.dwords;

		for (i = 0; i < evtq->q.dwords; i++)
			record[i] = le64_to_cpu(READ_ONCE(slot[i]));
		evtq->handle(smmu, record);
		evtq->cons = (evtq->cons + 1) & evtq_index_mask(evtq);
		if (!(evtq->cons % SMMU_EVTQ_CHUNK)) {
			evtq_write_cons(evtq);
			cond_resched();
		}
	}
}

/**
 * smmu_evtq_process - take records out, up to what is there now
 * @smmu: the SMMU
 * @evtq: the queue
 *
 * May sleep. Calls the queue's functions with its lock held.
 */
void smmu_evtq_process(struct smmu_device *smmu, struct smmu_evtq *evtq)
{
	bool overflowed;
	u32 prod;

	mutex_lock(&evtq->lock);
	/* readl() orders the records after the index that announces them. */
	prod = readl(evtq->q.prod);
	overflowed = evtq_has_overflowed(smmu, evtq, prod);
	if (!evtq->lost)
		evtq->ovackflg = prod & Q_OVFLG;
	evtq_take(smmu, evtq, prod);
	if (overflowed && evtq->lost)
		evtq->lost(smmu);
	evtq->ovackflg = prod & Q_OVFLG;
	evtq_write_cons(evtq);
	mutex_unlock(&evtq->lock);
}

/**
 * smmu_records_drain - take out every event and page request that has happened
 * @smmu: the SMMU
 *
 * May sleep. After a configuration was changed and synchronised, this leaves no
 * record of the old one behind.
 */
void smmu_records_drain(struct smmu_device *smmu)
{
	smmu_evtq_process(smmu, &smmu->evtq);
	if (smmu->features & SMMU_FEAT_PRI)
		smmu_evtq_process(smmu, &smmu->priq);
}

/**
 * smmu_records_lock - keep records from being handled
 * @smmu: the SMMU
 *
 * May sleep. For what they are looked up in: see the top of smmuv3.h.
 */
void smmu_records_lock(struct smmu_device *smmu)
{
	mutex_lock(&smmu->evtq.lock);
	mutex_lock(&smmu->priq.lock);
}

/**
 * smmu_records_unlock - the opposite of smmu_records_lock()
 * @smmu: the SMMU
 */
void smmu_records_unlock(struct smmu_device *smmu)
{
	mutex_unlock(&smmu->priq.lock);
	mutex_unlock(&smmu->evtq.lock);
}

/**
 * smmu_evtq_reset - put the indexes at the start
 * @evtq: the queue; the hardware has it off
 */
void smmu_evtq_reset(struct smmu_evtq *evtq)
{
	evtq->cons = 0;
	evtq->ovackflg = 0;
	writel_relaxed(0, evtq->q.prod);
	writel_relaxed(0, evtq->q.cons);
}

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
	smmu_cmdq_issue(smmu, cmd, 1, false);
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
	struct smmu_master *master = xa_load(&smmu->streams,
					     FIELD_GET(EVT0_SID, evt[0]));

	if (master && master->vdev) {
		smmu_nested_event(master->vdev, evt);
		return;
	}
	event_log(smmu, master, evt);
	if (evt[1] & EVT1_STALL)
		smmu_abort_stall(smmu, evt);
}
