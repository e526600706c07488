// SPDX-License-Identifier: GPL-2.0
/*
 * Memory and register addresses of the three queues (section 3.5).
 *
 * Invariant: a queue's memory is aligned to its size and lives as long as the
 * platform device is bound.
 */
#include <linux/dma-mapping.h>
#include <linux/log2.h>

#include "smmuv3.h"

/* 4096 commands: no producer waits for room unless the hardware is stuck. */
#define SMMU_CMDQ_SHIFT		12
/*
 * At least this many events; more where stalls need a slot each. Room for several
 * devices that flood the queue until they are stopped (nested.c).
 */
#define SMMU_EVENTQ_SHIFT	14
#define SMMU_PRIQ_SHIFT		12
/* Slots for events that do not stall, on top of those that do. */
#define SMMU_EVENTQ_SLACK	1024

/**
 * smmu_queue_init - allocate a queue
 * @smmu: the SMMU
 * @q: the queue
 * @name: for messages
 * @shift: log2 of the wanted number of entries; less if memory is short
 * @dwords: 64-bit words of an entry
 * @page: register page of the indexes
 * @prod_off: offset of the producer register there
 * @cons_off: offset of the consumer register there
 *
 * Errors: ENOMEM.
 */
int smmu_queue_init(struct smmu_device *smmu, struct smmu_queue *q,
		    const char *name, u32 shift, u32 dwords, void __iomem *page,
		    u32 prod_off, u32 cons_off)
{
	dma_addr_t dma;

	for (;; shift--) {
		size_t size = (size_t)dwords * sizeof(u64) << shift;

		/* Whole pages come with the alignment that the size has. */
		q->base = dmam_alloc_coherent(smmu->dev, size, &dma,
					      GFP_KERNEL | __GFP_NOWARN);
		if (q->base)
			break;
		if (size <= PAGE_SIZE)
			return dev_err_probe(smmu->dev, -ENOMEM,
					     "no memory for the %s queue\n", name);
	}

	q->slots = 1U << shift;
	q->dwords = dwords;
	q->prod = page + prod_off;
	q->cons = page + cons_off;
	q->base_reg = Q_BASE_ALLOC_HINT | (dma & Q_BASE_ADDR) |
		      FIELD_PREP(Q_BASE_LOG2SIZE, shift);
	dev_dbg(smmu->dev, "%s queue: %u entries\n", name, q->slots);
	return 0;
}

/**
 * smmu_queues_init - allocate all queues that this SMMU has
 * @smmu: its ID registers have been read
 *
 * Errors: ENOMEM.
 */
int smmu_queues_init(struct smmu_device *smmu)
{
	u32 idr1 = smmu->idr[1];
	u32 shift;
	int ret;

	shift = min_t(u32, FIELD_GET(IDR1_CMDQS, idr1), SMMU_CMDQ_SHIFT);
	ret = smmu_queue_init(smmu, &smmu->cmdq.q, "command", shift, CMD_DWORDS,
			      smmu->base, SMMU_CMDQ_PROD, SMMU_CMDQ_CONS);
	if (ret)
		return ret;
	smmu->cmdq.silent = devm_kcalloc(smmu->dev, smmu->cmdq.q.slots,
					 sizeof(*smmu->cmdq.silent), GFP_KERNEL);
	if (!smmu->cmdq.silent)
		return -ENOMEM;

	shift = max_t(u32, SMMU_EVENTQ_SHIFT,
		      order_base_2(smmu->stall_max + SMMU_EVENTQ_SLACK));
	shift = min_t(u32, FIELD_GET(IDR1_EVENTQS, idr1), shift);
	mutex_init(&smmu->evtq.lock);
	spin_lock_init(&smmu->evtq.claim);
	smmu->evtq.name = "event";
	smmu->evtq.handle = smmu_event_handle;
	smmu->evtq.quick = smmu_event_quick;
	ret = smmu_queue_init(smmu, &smmu->evtq.q, "event", shift, EVT_DWORDS,
			      smmu->page1, SMMU_EVENTQ_PROD, SMMU_EVENTQ_CONS);
	if (ret)
		return ret;

	mutex_init(&smmu->priq.lock);
	spin_lock_init(&smmu->priq.claim);
	smmu->priq.name = "page request";
	smmu->priq.handle = smmu_priq_handle;
	smmu->priq.lost = smmu_priq_lost;
	if (!(smmu->features & SMMU_FEAT_PRI))
		return 0;
	shift = min_t(u32, FIELD_GET(IDR1_PRIQS, idr1), SMMU_PRIQ_SHIFT);
	return smmu_queue_init(smmu, &smmu->priq.q, "page request", shift,
			       PRI_DWORDS, smmu->page1, SMMU_PRIQ_PROD,
			       SMMU_PRIQ_CONS);
}
