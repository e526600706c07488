// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts (section 3.18): wired, one for all, or message-signalled.
 *
 * Invariants:
 *  - handlers are installed before the SMMU may raise anything, and are gone (devm)
 *    after it has been switched off;
 *  - the handler of a queue leaves it empty, see evtq.c.
 */
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/msi.h>

#include "smmuv3.h"

enum smmu_msi {
	SMMU_MSI_EVENTQ,
	SMMU_MSI_GERROR,
	SMMU_MSI_PRIQ,
	SMMU_MSI_NUM,
};

static const u32 smmu_msi_cfg0[SMMU_MSI_NUM] = {
	[SMMU_MSI_EVENTQ] = SMMU_EVENTQ_IRQ_CFG0,
	[SMMU_MSI_GERROR] = SMMU_GERROR_IRQ_CFG0,
	[SMMU_MSI_PRIQ]   = SMMU_PRIQ_IRQ_CFG0,
};

/* Whoever else wants the queue gets it in between. */
static void process_all(struct smmu_device *smmu, struct smmu_evtq *evtq)
{
	while (!smmu_evtq_process(smmu, evtq))
		cond_resched();
}

static irqreturn_t smmu_evtq_thread(int irq, void *data)
{
	struct smmu_device *smmu = data;

	process_all(smmu, &smmu->evtq);
	return IRQ_HANDLED;
}

static irqreturn_t smmu_priq_thread(int irq, void *data)
{
	struct smmu_device *smmu = data;

	process_all(smmu, &smmu->priq);
	return IRQ_HANDLED;
}

static const struct {
	u32 bit;
	const char *text;
} gerror_texts[] = {
	{ GERROR_EVENTQ_ABT_ERR, "event queue write aborted, events are lost" },
	{ GERROR_PRIQ_ABT_ERR, "PRI queue write aborted, page requests are lost" },
	{ GERROR_MSI_CMDQ_ABT_ERR, "command queue MSI aborted" },
	{ GERROR_MSI_EVENTQ_ABT_ERR, "event queue MSI aborted" },
	{ GERROR_MSI_PRIQ_ABT_ERR, "PRI queue MSI aborted" },
	{ GERROR_MSI_GERROR_ABT_ERR, "global error MSI aborted" },
	{ GERROR_SFM_ERR, "the SMMU has entered service failure mode, all DMA stops" },
};

static irqreturn_t smmu_gerror_handler(int irq, void *data)
{
	struct smmu_device *smmu = data;
	u32 gerror = readl_relaxed(smmu->base + SMMU_GERROR);
	u32 gerrorn = readl_relaxed(smmu->base + SMMU_GERRORN);
	u32 active = (gerror ^ gerrorn) & GERROR_ALL;
	u32 i;

	if (!active)
		return IRQ_NONE;
	/* First, because it acknowledges its own bit. */
	smmu_cmdq_recover(smmu);
	active &= ~GERROR_CMDQ_ERR;
	if (!active)
		return IRQ_HANDLED;

	for (i = 0; i < ARRAY_SIZE(gerror_texts); i++)
		if (active & gerror_texts[i].bit)
			dev_err_ratelimited(smmu->dev, "%s\n",
					    gerror_texts[i].text);
	smmu_gerror_ack(smmu, active);
	return IRQ_HANDLED;
}

/*
 * Its interrupt is an edge (section 3.18): it need not be masked until the thread has
 * run. And where handlers are to be preemptible this one is a thread as well.
 */
static irqreturn_t smmu_evtq_handler(int irq, void *data)
{
	struct smmu_device *smmu = data;

	return smmu_evtq_process_quick(smmu, &smmu->evtq) ? IRQ_HANDLED :
							    IRQ_WAKE_THREAD;
}

static irqreturn_t smmu_combined_handler(int irq, void *data)
{
	smmu_gerror_handler(irq, data);
	return IRQ_WAKE_THREAD;
}

static irqreturn_t smmu_combined_thread(int irq, void *data)
{
	struct smmu_device *smmu = data;

	smmu_evtq_thread(irq, data);
	if (smmu->features & SMMU_FEAT_PRI)
		smmu_priq_thread(irq, data);
	return IRQ_HANDLED;
}

static void smmu_write_msi_msg(struct msi_desc *desc, struct msi_msg *msg)
{
	struct device *dev = msi_desc_to_dev(desc);
	struct smmu_device *smmu = dev_get_drvdata(dev);
	void __iomem *cfg = smmu->base + smmu_msi_cfg0[desc->msi_index];
	u64 addr = (u64)msg->address_hi << 32 | msg->address_lo;

	writeq_relaxed(addr & IRQ_CFG0_ADDR, cfg);
	writel_relaxed(msg->data, cfg + SMMU_IRQ_CFG1);
	writel_relaxed(IRQ_CFG2_MEMATTR_DEVICE_NGNRE, cfg + SMMU_IRQ_CFG2);
}

static void smmu_free_msis(void *data)
{
	platform_device_msi_free_irqs_all(data);
}

/* MSIs are better than wires where there are both; without them wires will do. */
static void smmu_try_msis(struct smmu_device *smmu)
{
	bool pri = smmu->features & SMMU_FEAT_PRI;
	struct device *dev = smmu->dev;

	writeq_relaxed(0, smmu->base + SMMU_GERROR_IRQ_CFG0);
	writeq_relaxed(0, smmu->base + SMMU_EVENTQ_IRQ_CFG0);
	if (pri)
		writeq_relaxed(0, smmu->base + SMMU_PRIQ_IRQ_CFG0);
	if (!(smmu->features & SMMU_FEAT_MSI) || !dev->msi.domain)
		return;
	if (platform_device_msi_init_and_alloc_irqs(dev, SMMU_MSI_PRIQ + pri,
						    smmu_write_msi_msg)) {
		dev_warn(dev, "no MSIs to be had, using wired interrupts\n");
		return;
	}
	smmu->combined_irq = 0;
	smmu->evtq.irq = msi_get_virq(dev, SMMU_MSI_EVENTQ);
	smmu->gerror_irq = msi_get_virq(dev, SMMU_MSI_GERROR);
	smmu->priq.irq = pri ? msi_get_virq(dev, SMMU_MSI_PRIQ) : 0;
	/* Fails only by running the action, which leaves no vector behind. */
	if (devm_add_action_or_reset(dev, smmu_free_msis, dev)) {
		smmu->evtq.irq = 0;
		smmu->gerror_irq = 0;
		smmu->priq.irq = 0;
	}
}

static int smmu_request(struct smmu_device *smmu, int irq, const char *name,
			irq_handler_t handler, irq_handler_t thread,
			unsigned long flags)
{
	int ret;

	if (!irq) {
		dev_warn(smmu->dev, "no %s interrupt: these go unnoticed until something else looks\n",
			 name);
		return 0;
	}
	ret = devm_request_threaded_irq(smmu->dev, irq, handler, thread,
					flags, name, smmu);
	if (ret)
		return dev_err_probe(smmu->dev, ret, "cannot have %s interrupt %d\n",
				     name, irq);
	return 0;
}

/**
 * smmu_irq_setup - install handlers and let the SMMU interrupt
 * @smmu: queues are on
 *
 * Errors: those of request_irq(); EIO: the SMMU does not take the setting.
 */
int smmu_irq_setup(struct smmu_device *smmu)
{
	u32 enable = IRQ_CTRL_GERROR_IRQEN | IRQ_CTRL_EVENTQ_IRQEN;
	int ret;

	ret = smmu_reg_write_ack(smmu, 0, SMMU_IRQ_CTRL, SMMU_IRQ_CTRLACK);
	if (ret)
		return ret;
	smmu_try_msis(smmu);
	if (smmu->features & SMMU_FEAT_PRI)
		enable |= IRQ_CTRL_PRIQ_IRQEN;

	if (smmu->combined_irq) {
		ret = smmu_request(smmu, smmu->combined_irq, "smmuv3-nested",
				   smmu_combined_handler, smmu_combined_thread,
				   IRQF_ONESHOT);
	} else {
		ret = smmu_request(smmu, smmu->evtq.irq, "smmuv3-nested-event",
				   smmu_evtq_handler, smmu_evtq_thread, 0);
		if (!ret)
			ret = smmu_request(smmu, smmu->gerror_irq,
					   "smmuv3-nested-gerror",
					   smmu_gerror_handler, NULL, 0);
		if (!ret && smmu->features & SMMU_FEAT_PRI)
			ret = smmu_request(smmu, smmu->priq.irq,
					   "smmuv3-nested-pri", NULL,
					   smmu_priq_thread, IRQF_ONESHOT);
	}
	if (ret)
		return ret;
	return smmu_reg_write_ack(smmu, enable, SMMU_IRQ_CTRL, SMMU_IRQ_CTRLACK);
}
