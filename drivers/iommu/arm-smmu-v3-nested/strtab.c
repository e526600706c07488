// SPDX-License-Identifier: GPL-2.0
/*
 * The stream table (sections 3.3 and 5.1), linear or with two levels.
 *
 * Invariants:
 *  - every entry that the hardware can reach is valid. One that belongs to no
 *    master aborts, so that a device which the kernel does not know cannot do DMA;
 *  - a second-level table, once there, stays;
 *  - after the SMMU is enabled entries change through smmu_strtab_write() only,
 *    one word at a time, in the order that smmu_ste_plan() has worked out.
 */
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include "smmuv3.h"

/* StreamIDs of one second-level table: one PCI bus, 16 KiB. */
#define STRTAB_SPLIT		8
#define STRTAB_L2_ENTRIES	BIT(STRTAB_SPLIT)
/* 2 MiB of level-1 descriptors: more than that no system has. */
#define STRTAB_L1_MAX_LOG2	18
/* A linear table for StreamIDs beyond this would be 4 MiB and more. */
#define STRTAB_LINEAR_MAX_LOG2	16

static void strtab_fill_abort(struct smmu_ste *ste, size_t num)
{
	while (num--)
		smmu_ste_make_abort(ste++);
}

static int strtab_init_linear(struct smmu_device *smmu)
{
	struct smmu_strtab *tab = &smmu->strtab;
	u32 log2 = min_t(u32, smmu->sid_bits, STRTAB_LINEAR_MAX_LOG2);
	dma_addr_t dma;

	tab->linear = dmam_alloc_coherent(smmu->dev, sizeof(*tab->linear) << log2,
					  &dma, GFP_KERNEL);
	if (!tab->linear)
		return dev_err_probe(smmu->dev, -ENOMEM,
				     "no memory for a stream table of %u bits\n",
				     log2);
	if (log2 < smmu->sid_bits) {
		dev_warn(smmu->dev, "StreamIDs limited to %u bits of %u\n", log2,
			 smmu->sid_bits);
		smmu->sid_bits = log2;
	}
	strtab_fill_abort(tab->linear, BIT(log2));
	tab->base_reg = STRTAB_BASE_RA | (dma & STRTAB_BASE_ADDR);
	tab->cfg_reg = FIELD_PREP(STRTAB_BASE_CFG_FMT, STRTAB_BASE_CFG_FMT_LINEAR) |
		       FIELD_PREP(STRTAB_BASE_CFG_LOG2SIZE, log2);
	return 0;
}

static int strtab_init_2lvl(struct smmu_device *smmu)
{
	struct smmu_strtab *tab = &smmu->strtab;
	u32 log2 = min_t(u32, smmu->sid_bits - STRTAB_SPLIT, STRTAB_L1_MAX_LOG2);
	dma_addr_t dma;

	tab->num_l1 = BIT(log2);
	tab->l1 = dmam_alloc_coherent(smmu->dev, tab->num_l1 * sizeof(*tab->l1),
				      &dma, GFP_KERNEL);
	tab->l2 = devm_kcalloc(smmu->dev, tab->num_l1, sizeof(*tab->l2),
			       GFP_KERNEL);
	if (!tab->l1 || !tab->l2)
		return dev_err_probe(smmu->dev, -ENOMEM,
				     "no memory for %u level-1 descriptors\n",
				     tab->num_l1);
	smmu->sid_bits = log2 + STRTAB_SPLIT;
	tab->base_reg = STRTAB_BASE_RA | (dma & STRTAB_BASE_ADDR);
	tab->cfg_reg = FIELD_PREP(STRTAB_BASE_CFG_FMT, STRTAB_BASE_CFG_FMT_2LVL) |
		       FIELD_PREP(STRTAB_BASE_CFG_LOG2SIZE, smmu->sid_bits) |
		       FIELD_PREP(STRTAB_BASE_CFG_SPLIT, STRTAB_SPLIT);
	return 0;
}

/**
 * smmu_strtab_init - make the table
 * @smmu: its ID registers have been read; sid_bits may become smaller
 *
 * Errors: ENOMEM.
 */
int smmu_strtab_init(struct smmu_device *smmu)
{
	mutex_init(&smmu->strtab.lock);
	if (smmu->features & SMMU_FEAT_2LVL_STRTAB &&
	    smmu->sid_bits > STRTAB_SPLIT)
		return strtab_init_2lvl(smmu);
	return strtab_init_linear(smmu);
}

static struct smmu_ste *strtab_entry(struct smmu_device *smmu, u32 sid)
{
	struct smmu_strtab *tab = &smmu->strtab;

	if (tab->linear)
		return &tab->linear[sid];
	return &tab->l2[sid >> STRTAB_SPLIT][sid & (STRTAB_L2_ENTRIES - 1)];
}

/* tab->lock is held. */
static int strtab_add_l2(struct smmu_device *smmu, u32 index)
{
	struct smmu_strtab *tab = &smmu->strtab;
	struct smmu_ste *l2;
	__le64 cmd[CMD_DWORDS];
	dma_addr_t dma;

	l2 = dmam_alloc_coherent(smmu->dev, STRTAB_L2_ENTRIES * sizeof(*l2), &dma,
				 GFP_KERNEL);
	if (!l2)
		return -ENOMEM;
	strtab_fill_abort(l2, STRTAB_L2_ENTRIES);
	tab->l2[index] = l2;
	/* The entries are there before the hardware can find them. */
	dma_wmb();
	WRITE_ONCE(tab->l1[index],
		   cpu_to_le64(FIELD_PREP(STRTAB_L1_SPAN, STRTAB_SPLIT + 1) |
			       (dma & STRTAB_L1_L2PTR)));

	/* A descriptor that was invalid may be cached as such (section 4.3.1). */
	if (smmu->cmdq_on) {
		smmu_cmd_cfgi_ste(cmd, index << STRTAB_SPLIT, false);
		return smmu_cmdq_issue(smmu, cmd, 1, SMMU_SYNC_WAIT);
	}
	return 0;
}

/**
 * smmu_strtab_ensure - make sure that a StreamID has an entry
 * @smmu: the SMMU
 * @sid: any number
 *
 * May sleep. Errors: ERANGE: this SMMU has no such StreamID; ENOMEM.
 */
int smmu_strtab_ensure(struct smmu_device *smmu, u32 sid)
{
	struct smmu_strtab *tab = &smmu->strtab;
	int ret = 0;

	if ((u64)sid >> smmu->sid_bits)
		return -ERANGE;
	if (tab->linear)
		return 0;
	mutex_lock(&tab->lock);
	if (!tab->l2[sid >> STRTAB_SPLIT])
		ret = strtab_add_l2(smmu, sid >> STRTAB_SPLIT);
	mutex_unlock(&tab->lock);
	return ret;
}

/**
 * smmu_strtab_preset - set an entry while the SMMU is off
 * @smmu: not enabled yet
 * @sid: smmu_strtab_ensure() has been there
 * @ste: the entry
 */
void smmu_strtab_preset(struct smmu_device *smmu, u32 sid,
			const struct smmu_ste *ste)
{
	*strtab_entry(smmu, sid) = *ste;
}

static void strtab_sync(struct smmu_device *smmu, u32 sid)
{
	__le64 cmd[CMD_DWORDS];

	smmu_cmd_cfgi_ste(cmd, sid, true);
	smmu_cmdq_issue(smmu, cmd, 1, SMMU_SYNC_WAIT);
}

/**
 * smmu_strtab_write - change a live entry
 * @smmu: the SMMU
 * @sid: smmu_strtab_ensure() has been there
 * @target: what the entry shall be
 *
 * May sleep. Called with the lock of the master that owns @sid held. On return
 * the hardware uses @target and nothing of what was there before.
 */
void smmu_strtab_write(struct smmu_device *smmu, u32 sid,
		       const struct smmu_ste *target)
{
	struct smmu_ste *live = strtab_entry(smmu, sid);
	struct smmu_ste_plan plan;
	u32 step, i;

	smmu_ste_plan(live, target, &plan);
	for (step = 0; step < plan.nsteps; step++) {
		for (i = 0; i < ARRAY_SIZE(live->data); i++)
			if (plan.step[step].mask & BIT(i))
				WRITE_ONCE(live->data[i],
					   smmu_ste_step_word(&plan, step, i));
		/* smmu_cmdq_issue() orders these before the command. */
		strtab_sync(smmu, sid);
	}
	/* What the entry points to may have changed although it has not. */
	if (!plan.nsteps)
		strtab_sync(smmu, sid);
}
