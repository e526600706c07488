// SPDX-License-Identifier: GPL-2.0
/*
 * The command queue: any number of CPUs write, the hardware reads.
 *
 * There is no lock. A producer
 *  1. reserves: moves @tail on by the number of its commands (one cmpxchg);
 *  2. writes its slots, which nobody else touches;
 *  3. publishes: waits until those before it have published, tells the hardware
 *     of a new producer index, and moves @published on. It leaves the telling to
 *     the next producer if one has reserved already, so that a crowd costs one
 *     register write, not one each.
 * Interrupts are off from 1 to 3, so the wait in 3 is for a CPU that does nothing
 * but copy at most SMMU_BATCH_MAX commands.
 *
 * Counters are 32 bits wide and count commands, not slots: index and wrap bit are
 * their low bits. Invariants, in the arithmetic of 32-bit differences:
 *  - cons <= rung <= published <= tail, and tail - cons <= number of slots;
 *  - @cons may lag behind the hardware, never lead it;
 *  - a command was carried out completely once a SYNC after it was consumed.
 * The next SYNC is waited for by reading the hardware's index, since then no two
 * waiters need to agree on anything.
 *
 * A command that the hardware rejects (CERROR_ILL) is replaced by a SYNC and the
 * queue goes on; see section 7.1 of Arm IHI 0070.
 *
 * Where a device does not answer an ATC_INV the hardware stops at the next SYNC, which
 * is that of whoever has sent it: others' commands never come between the two. Whoever
 * acknowledges the error writes down that SYNC before (@silent).
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/ktime.h>

#include "smmuv3.h"

/* Far more than any SYNC takes, except one that a device's ATC holds up. */
#define SMMU_CMDQ_TIMEOUT_US	(2 * USEC_PER_SEC)

/* A producer that could leave the telling to the next one does so this often. */
#define SMMU_CMDQ_QUIET_MAX	(4 * SMMU_BATCH_MAX)

/* What the PROD and CONS registers hold for a counter: index and wrap bit. */
static u32 cmdq_reg(const struct smmu_cmdq *cmdq, u32 count)
{
	return count & (2 * cmdq->q.slots - 1);
}

static __le64 *cmdq_slot(const struct smmu_cmdq *cmdq, u32 count)
{
	return cmdq->q.base + (count & (cmdq->q.slots - 1)) * CMD_DWORDS;
}

/*
 * Read how far the hardware has come; returns the counter. The register has only
 * the low bits: what is missing comes from @cons, which must not have moved in
 * between, because then the distance could be more than what the bits can tell.
 */
static u32 cmdq_poll_cons(struct smmu_cmdq *cmdq)
{
	u32 old = READ_ONCE(cmdq->cons);
	u32 new;

	do {
		u32 reg = readl(cmdq->q.cons);

		new = old + cmdq_reg(cmdq, reg - old);
	} while (new != old && !try_cmpxchg(&cmdq->cons, &old, new));
	return new;
}

static u32 *cmdq_silent(const struct smmu_cmdq *cmdq, u32 count)
{
	return &cmdq->silent[count & (cmdq->q.slots - 1)];
}

/* The hardware stands at the SYNC, and goes on when the error is acknowledged. */
static void cmdq_note_silence(struct smmu_cmdq *cmdq)
{
	u32 count = cmdq_poll_cons(cmdq);

	WRITE_ONCE(*cmdq_silent(cmdq, count), count);
}

/* What was noted of the SYNC at @count, once; it has been consumed. */
static bool cmdq_take_silence(struct smmu_cmdq *cmdq, u32 count)
{
	u32 *silent = cmdq_silent(cmdq, count);

	/* Another CPU may have read the index that says so. */
	smp_rmb();
	if (likely(READ_ONCE(*silent) != count))
		return false;
	/* Counters wrap. */
	cmpxchg(silent, count, ~count);
	return true;
}

static bool cmdq_passed(u32 cons, u32 count)
{
	return (s32)(cons - count) >= 0;
}

/* Whether the hardware has consumed the commands before @count. */
static bool cmdq_done(struct smmu_cmdq *cmdq, u32 count)
{
	return cmdq_passed(READ_ONCE(cmdq->cons), count) ||
	       cmdq_passed(cmdq_poll_cons(cmdq), count);
}

/* Apart from the first look, which is often enough and needs nothing of this. */
static noinline int cmdq_wait_more(struct smmu_device *smmu, u32 count)
{
	struct smmu_cmdq *cmdq = &smmu->cmdq;
	ktime_t timeout = 0;
	u32 spins = 0;

	do {
		cpu_relax();
		if (++spins % 256)
			continue;
		if (!timeout) {
			timeout = ktime_add_us(ktime_get(),
					       SMMU_CMDQ_TIMEOUT_US);
		} else if (ktime_after(ktime_get(), timeout)) {
			dev_err_ratelimited(smmu->dev,
					    "command queue stuck: PROD 0x%x CONS 0x%x GERROR 0x%x\n",
					    readl_relaxed(cmdq->q.prod),
					    readl_relaxed(cmdq->q.cons),
					    readl_relaxed(smmu->base + SMMU_GERROR));
			return -EIO;
		}
		/* Interrupts may be off, or the error's own interrupt lost. */
		smmu_cmdq_recover(smmu);
		udelay(1);
	} while (!cmdq_done(cmdq, count));
	return 0;
}

/* Wait until the hardware has consumed the commands before @count. */
static int cmdq_wait(struct smmu_device *smmu, u32 count)
{
	return cmdq_done(&smmu->cmdq, count) ? 0 : cmdq_wait_more(smmu, count);
}

/*
 * Reserve @num slots; on success interrupts are off, @flags to be restored by
 * whoever publishes.
 */
static int cmdq_reserve(struct smmu_device *smmu, u32 num, u32 *start,
			unsigned long *flags)
{
	struct smmu_cmdq *cmdq = &smmu->cmdq;
	u32 slots = cmdq->q.slots;
	u32 tail;

	local_irq_save(*flags);
	tail = READ_ONCE(cmdq->tail);
	do {
		while (unlikely(tail + num - READ_ONCE(cmdq->cons) > slots)) {
			int ret;

			local_irq_restore(*flags);
			ret = cmdq_wait(smmu, tail + num - slots);
			if (ret)
				return ret;
			local_irq_save(*flags);
			tail = READ_ONCE(cmdq->tail);
		}
	} while (!try_cmpxchg(&cmdq->tail, &tail, tail + num));
	*start = tail;
	return 0;
}

static void cmdq_publish(struct smmu_cmdq *cmdq, u32 start, u32 end)
{
	/* The hardware must not see the index before the commands. */
	dma_wmb();
	smp_cond_load_acquire(&cmdq->published, VAL == start);
	if (READ_ONCE(cmdq->tail) == end ||
	    end - cmdq->rung > SMMU_CMDQ_QUIET_MAX) {
		cmdq->rung = end;
		writel_relaxed(cmdq_reg(cmdq, end), cmdq->q.prod);
	}
	/* Orders the register write before that of the next producer. */
	smp_store_release(&cmdq->published, end);
}

static void cmdq_write(struct smmu_cmdq *cmdq, u32 count, const __le64 *cmds,
		       u32 num)
{
	const __le64 *end = cmdq->q.base + cmdq->q.slots * CMD_DWORDS;
	__le64 *slot = cmdq_slot(cmdq, count);

	for (; num; num--, cmds += CMD_DWORDS) {
		slot[0] = cmds[0];
		slot[1] = cmds[1];
		slot += CMD_DWORDS;
		if (slot == end)
			slot = cmdq->q.base;
	}
}

static int cmdq_issue_once(struct smmu_device *smmu, const __le64 *cmds,
			   u32 num, enum smmu_sync sync)
{
	struct smmu_cmdq *cmdq = &smmu->cmdq;
	u32 total = num + (sync != SMMU_SYNC_NONE);
	unsigned long flags;
	u32 start;
	int ret;

	/* No place of its own: others may publish past it before it looks. */
	if (unlikely(!total))
		return 0;
	ret = cmdq_reserve(smmu, total, &start, &flags);
	if (ret)
		return ret;
	cmdq_write(cmdq, start, cmds, num);
	if (sync != SMMU_SYNC_NONE)
		smmu_cmd_sync(cmdq_slot(cmdq, start + num));
	cmdq_publish(cmdq, start, start + total);
	local_irq_restore(flags);

	if (sync < SMMU_SYNC_WAIT)
		return 0;
	ret = cmdq_wait(smmu, start + total);
	if (sync == SMMU_SYNC_ATC && !ret && cmdq_take_silence(cmdq, start + num))
		ret = -ETIMEDOUT;
	return ret;
}

/* What an erratum asks for. */
static noinline int cmdq_issue_odd(struct smmu_device *smmu, const __le64 *cmds,
				   u32 num, enum smmu_sync sync)
{
	int ret;

	sync = max(sync, SMMU_SYNC_WAIT);
	ret = cmdq_issue_once(smmu, cmds, num, sync);
	if (!ret && smmu->options & SMMU_OPT_REPEAT_INV)
		ret = cmdq_issue_once(smmu, cmds, num, sync);
	return ret;
}

/**
 * smmu_cmdq_issue - write commands, and wait for them if asked to
 * @smmu: the SMMU
 * @cmds: two words each
 * @num: at most SMMU_BATCH_MAX; 0 with SMMU_SYNC_NONE does nothing
 * @sync: end with a SYNC or not, and return when it was consumed or at once
 *
 * Any context. The commands stay together and in order. Errors: EIO: the
 * hardware does not consume commands; what was waited for may not have happened;
 * ETIMEDOUT, for SMMU_SYNC_ATC: a device does not answer.
 */
int smmu_cmdq_issue(struct smmu_device *smmu, const __le64 *cmds, u32 num,
		    enum smmu_sync sync)
{
	if (unlikely(smmu->options & (SMMU_OPT_FORCE_SYNC | SMMU_OPT_REPEAT_INV)))
		return cmdq_issue_odd(smmu, cmds, num, sync);
	return cmdq_issue_once(smmu, cmds, num, sync);
}

/**
 * smmu_batch_add - one more command
 * @smmu: the SMMU
 * @batch: initialised with num = 0
 * @cmd: the command
 *
 * A full batch goes to the hardware without waiting for it.
 */
void smmu_batch_add(struct smmu_device *smmu, struct smmu_batch *batch,
		    const __le64 cmd[CMD_DWORDS])
{
	if (batch->num == SMMU_BATCH_MAX) {
		smmu_cmdq_issue(smmu, batch->cmds, batch->num, SMMU_SYNC_NONE);
		batch->num = 0;
	}
	batch->cmds[batch->num * CMD_DWORDS] = cmd[0];
	batch->cmds[batch->num * CMD_DWORDS + 1] = cmd[1];
	batch->num++;
}

/**
 * smmu_batch_finish - the rest of the commands, and wait for all of them
 * @smmu: the SMMU
 * @batch: empty afterwards
 *
 * Errors: EIO, see smmu_cmdq_issue().
 */
int smmu_batch_finish(struct smmu_device *smmu, struct smmu_batch *batch)
{
	int ret = smmu_cmdq_issue(smmu, batch->cmds, batch->num,
				  SMMU_SYNC_WAIT);

	batch->num = 0;
	return ret;
}

static const char * const cerror_names[] = {
	[CERROR_NONE]		= "no error",
	[CERROR_ILL]		= "illegal command",
	[CERROR_ABT]		= "abort when fetching a command",
	[CERROR_ATC_INV_SYNC]	= "a device did not answer an ATC invalidation",
};

/* The hardware stands at the bad command and reads it again when we are done. */
static void cmdq_replace_bad(struct smmu_device *smmu, u32 index)
{
	__le64 *slot = cmdq_slot(&smmu->cmdq, index);

	dev_err_ratelimited(smmu->dev, "replaced illegal command 0x%016llx 0x%016llx\n",
			    le64_to_cpu(slot[0]), le64_to_cpu(slot[1]));
	smmu_cmd_sync(slot);
	dma_wmb();
}

/**
 * smmu_cmdq_recover - get a queue that stopped at an error going again
 * @smmu: the SMMU
 *
 * Any context. Called from the error interrupt and by those who wait for the
 * queue, at once: the error is acknowledged by whoever finds it, others find
 * nothing left to do.
 */
void smmu_cmdq_recover(struct smmu_device *smmu)
{
	unsigned long flags;
	u32 gerror, gerrorn, cons, err;

	gerror = readl_relaxed(smmu->base + SMMU_GERROR);
	gerrorn = readl_relaxed(smmu->base + SMMU_GERRORN);
	if (likely(!((gerror ^ gerrorn) & GERROR_CMDQ_ERR)))
		return;

	raw_spin_lock_irqsave(&smmu->gerror_lock, flags);
	gerror = readl(smmu->base + SMMU_GERROR);
	gerrorn = readl_relaxed(smmu->base + SMMU_GERRORN);
	if ((gerror ^ gerrorn) & GERROR_CMDQ_ERR) {
		cons = readl_relaxed(smmu->cmdq.q.cons);
		err = FIELD_GET(CMDQ_CONS_ERR, cons);
		if (err == CERROR_ATC_INV_SYNC)
			cmdq_note_silence(&smmu->cmdq);
		else
			dev_err_ratelimited(smmu->dev, "command queue: %s (CONS 0x%08x)\n",
					    err < ARRAY_SIZE(cerror_names) ?
					    cerror_names[err] : "unknown error",
					    cons);
		if (err == CERROR_ILL)
			cmdq_replace_bad(smmu, cons);
		writel(gerrorn ^ GERROR_CMDQ_ERR, smmu->base + SMMU_GERRORN);
	}
	raw_spin_unlock_irqrestore(&smmu->gerror_lock, flags);
}

/**
 * smmu_gerror_ack - acknowledge global errors other than the command queue's
 * @smmu: the SMMU
 * @bits: bits of SMMU_GERROR that are active and have been dealt with
 */
void smmu_gerror_ack(struct smmu_device *smmu, u32 bits)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&smmu->gerror_lock, flags);
	writel(readl_relaxed(smmu->base + SMMU_GERRORN) ^ bits,
	       smmu->base + SMMU_GERRORN);
	raw_spin_unlock_irqrestore(&smmu->gerror_lock, flags);
}

/**
 * smmu_cmdq_reset - put the registers and the counters at the start
 * @smmu: the SMMU; its command queue is off and nobody issues commands
 */
void smmu_cmdq_reset(struct smmu_device *smmu)
{
	struct smmu_cmdq *cmdq = &smmu->cmdq;
	u32 i;

	/* Of no slot it is the counter of a command there. */
	for (i = 0; i < cmdq->q.slots; i++)
		cmdq->silent[i] = ~i;
	cmdq->tail = 0;
	cmdq->published = 0;
	cmdq->rung = 0;
	cmdq->cons = 0;
	writeq_relaxed(cmdq->q.base_reg, smmu->base + SMMU_CMDQ_BASE);
	writel_relaxed(0, cmdq->q.prod);
	writel_relaxed(0, cmdq->q.cons);
}
