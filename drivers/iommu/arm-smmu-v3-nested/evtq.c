// SPDX-License-Identifier: GPL-2.0
/*
 * Taking records out of the event queue (chapter 7) and of the PRI queue (chapter 8).
 *
 * Invariants:
 *  - records are taken out with the queue's lock held, each one once and in order;
 *  - a record is copied before it is looked at: the slot belongs to the hardware
 *    again as soon as the consumer index has passed it;
 *  - one call takes at most as many records as the queue holds, so that a device
 *    which never stops cannot keep anybody else from the lock;
 *  - who holds the lock has claimed the queue from the interrupt handler, too, which
 *    takes out what it can only while nobody has, and leaves the rest to its thread;
 *  - there is an interrupt when a record comes into an empty queue, and none when
 *    there are others before it (section 3.18): who was called by one goes on until he
 *    has seen the queue empty after the hardware had been given all room back;
 *  - an overflow is counted and acknowledged, whoever finds it. Page requests wait
 *    for that (section 8.1): what came before it has been dealt with by then.
 */
#include <linux/io.h>
#include <linux/ktime.h>

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
	return 2 * evtq->q.slots - 1;
}

/* The overflow flag of CONS says that we have seen that of PROD (7.4). */
static void evtq_write_cons(struct smmu_evtq *evtq)
{
	/* Slots have been read before they are given back. */
	dma_mb();
	writel_relaxed(evtq->ovackflg | evtq->cons, evtq->q.cons);
}

/* The read comes after a write of CONS, to the same device. */
static bool evtq_is_empty(const struct smmu_evtq *evtq)
{
	return (readl(evtq->q.prod) & evtq_index_mask(evtq)) == evtq->cons;
}

static void evtq_next(struct smmu_evtq *evtq)
{
	evtq->cons = (evtq->cons + 1) & evtq_index_mask(evtq);
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
	const __le64 *slot = evtq->q.base +
			     (evtq->cons & (evtq->q.slots - 1)) * evtq->q.dwords;
	u32 i;

	for (i = 0; i < evtq->q.dwords; i++)
		record[i] = le64_to_cpu(READ_ONCE(slot[i]));
}

/* Up to @prod; no more than the queue holds, whatever the register said. */
static void evtq_take(struct smmu_device *smmu, struct smmu_evtq *evtq, u32 prod)
{
	u32 slots = evtq->q.slots;
	u64 record[EVT_DWORDS];
	u32 todo;

	todo = ((prod & evtq_index_mask(evtq)) - evtq->cons) &
	       evtq_index_mask(evtq);
	evtq->pass++;
	evtq->seen_ns = ktime_get_ns();
	evtq->last = NULL;
	evtq->crowded = todo > slots / SMMU_EVTQ_CROWD;
	for (todo = min(todo, slots); todo; todo--) {
		evtq_read(evtq, record);
		evtq->handle(smmu, record);
		evtq_next(evtq);
		if (!(evtq->cons % SMMU_EVTQ_CHUNK)) {
			evtq_write_cons(evtq);
			cond_resched();
			evtq->seen_ns = ktime_get_ns();
		}
	}
}

/**
 * smmu_evtq_process - take records out, up to what is there now
 * @smmu: the SMMU
 * @evtq: the queue
 *
 * May sleep. Calls the queue's functions with its lock held.
 *
 * Return: false: more has come meanwhile.
 */
bool smmu_evtq_process(struct smmu_device *smmu, struct smmu_evtq *evtq)
{
	bool overflowed, empty;
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
	empty = evtq_is_empty(evtq);
	smmu_evtq_unlock(evtq);
	return empty;
}

/* As evtq_take(), as long as @quick does it; true if nothing is left. */
static bool evtq_take_quick(struct smmu_device *smmu, struct smmu_evtq *evtq)
{
	u32 num, prod = evtq->cons;
	u64 record[EVT_DWORDS];

	evtq->pass++;
	evtq->last = NULL;
	for (num = 0; num < SMMU_EVTQ_QUICK; num++) {
		if (evtq->cons == prod) {
			if (num)
				evtq_write_cons(evtq);
			prod = readl(evtq->q.prod);
			if ((prod ^ evtq->ovackflg) & Q_OVFLG)
				return false;
			prod &= evtq_index_mask(evtq);
			if (evtq->cons == prod)
				return true;
			evtq->seen_ns = ktime_get_ns();
		}
		evtq_read(evtq, record);
		if (!evtq->quick(smmu, record))
			break;
		evtq_next(evtq);
	}
	evtq_write_cons(evtq);
	return false;
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
