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
 *  - who holds the lock has claimed the queue from the interrupt handler, too, which
 *    takes out what it can only while nobody has, and leaves the rest to its thread;
 *  - an overflow is counted and acknowledged, whoever finds it. Page requests wait
 *    for that (section 8.1): what came before it has been dealt with by then.
 */
#include <linux/io.h>

#include "smmuv3.h"

/* Records after which the hardware is told of the room. */
#define SMMU_EVTQ_CHUNK		32

/* Records that an interrupt handler takes out, at most */
#define SMMU_EVTQ_QUICK		64

/**
 * smmu_evtq_lock - keep everybody else from taking records out
 * @evtq: the queue
 *
 * May sleep.
 */
void smmu_evtq_lock(struct smmu_evtq *evtq)
{
	mutex_lock(&evtq->lock);
	spin_lock_irq(&evtq->claim);
	evtq->claimed = true;
	spin_unlock_irq(&evtq->claim);
}

/**
 * smmu_evtq_unlock - the opposite of smmu_evtq_lock()
 * @evtq: the queue
 */
void smmu_evtq_unlock(struct smmu_evtq *evtq)
{
	spin_lock_irq(&evtq->claim);
	evtq->claimed = false;
	spin_unlock_irq(&evtq->claim);
	mutex_unlock(&evtq->lock);
}

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

/**
 * smmu_evtq_master - whose record it is
 * @smmu: the SMMU
 * @evtq: the queue; its lock is held, which keeps the master in place
 * @sid: the StreamID that the record names
 *
 * Return: the master, or NULL.
 */
struct smmu_master *smmu_evtq_master(struct smmu_device *smmu,
				     struct smmu_evtq *evtq, u32 sid)
{
	if (!evtq->last || evtq->last_sid != sid) {
		evtq->last = xa_load(&smmu->streams, sid);
		evtq->last_sid = sid;
	}
	return evtq->last;
}

static void evtq_read(struct smmu_evtq *evtq, u64 record[EVT_DWORDS])
{
	u32 slots = 1U << evtq->q.shift;
	const __le64 *slot = evtq->q.base +
			     (evtq->cons & (slots - 1)) * evtq->q.dwords;
	u32 i;

	for (i = 0; i < evtq->q.dwords; i++)
		record[i] = le64_to_cpu(READ_ONCE(slot[i]));
}

/* Up to @prod; no more than the queue holds, whatever the register said. */
static void evtq_take(struct smmu_device *smmu, struct smmu_evtq *evtq, u32 prod)
{
	u32 slots = 1U << evtq->q.shift;
	u64 record[EVT_DWORDS];
	u32 todo;

	todo = ((prod & evtq_index_mask(evtq)) - evtq->cons) &
	       evtq_index_mask(evtq);
	evtq->pass++;
	evtq->last = NULL;
	evtq->crowded = todo > slots / SMMU_EVTQ_CROWD;
	for (todo = min(todo, slots); todo; todo--) {
		evtq_read(evtq, record);
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

	smmu_evtq_lock(evtq);
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
	smmu_evtq_unlock(evtq);
}

/* As evtq_take(), as long as @quick does it; true if that was all. */
static bool evtq_take_quick(struct smmu_device *smmu, struct smmu_evtq *evtq)
{
	u32 prod = readl(evtq->q.prod);
	u64 record[EVT_DWORDS];
	u32 num;

	if ((prod ^ evtq->ovackflg) & Q_OVFLG)
		return false;
	prod &= evtq_index_mask(evtq);
	evtq->pass++;
	evtq->last = NULL;
	for (num = 0; num < SMMU_EVTQ_QUICK && evtq->cons != prod; num++) {
		evtq_read(evtq, record);
		if (!evtq->quick(smmu, record))
			break;
		evtq->cons = (evtq->cons + 1) & evtq_index_mask(evtq);
	}
	if (num)
		evtq_write_cons(evtq);
	return evtq->cons == prod;
}

/**
 * smmu_evtq_process_quick - take out the records that somebody waits for
 * @smmu: the SMMU
 * @evtq: the queue, with a function @quick
 *
 * In the interrupt handler: a thread would cost more than all the rest, twice.
 *
 * Return: true: nothing is left; false: smmu_evtq_process() is to be called.
 */
bool smmu_evtq_process_quick(struct smmu_device *smmu, struct smmu_evtq *evtq)
{
	bool done = false;

	spin_lock(&evtq->claim);
	if (!evtq->claimed)
		done = evtq_take_quick(smmu, evtq);
	spin_unlock(&evtq->claim);
	return done;
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
	smmu_evtq_lock(&smmu->evtq);
	smmu_evtq_lock(&smmu->priq);
}

/**
 * smmu_records_unlock - the opposite of smmu_records_lock()
 * @smmu: the SMMU
 */
void smmu_records_unlock(struct smmu_device *smmu)
{
	smmu_evtq_unlock(&smmu->priq);
	smmu_evtq_unlock(&smmu->evtq);
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
