// SPDX-License-Identifier: GPL-2.0
/*
 * ID registers, and switching the SMMU off and on (chapters 3.11 and 6.3).
 *
 * Invariant: from smmu_hw_reset() on, DMA that the stream table does not allow is
 * aborted; while the SMMU is off, all of it is (GBPA.ABORT). There is no moment at
 * which a device that was stopped may go through.
 */
#include <linux/crash_dump.h>
#include <linux/io.h>
#include <linux/iopoll.h>

#include "smmuv3.h"

#define SMMU_ACK_TIMEOUT_US	(USEC_PER_SEC)

static const u8 smmu_oas_bits[] = { 32, 36, 40, 42, 44, 48, 52, 56 };

static const struct {
	u32 idr0;
	u32 feature;
} smmu_idr0_features[] = {
	{ IDR0_PRI, SMMU_FEAT_PRI },
	{ IDR0_ATS, SMMU_FEAT_ATS },
	{ IDR0_SEV, SMMU_FEAT_SEV },
	{ IDR0_MSI, SMMU_FEAT_MSI },
	{ IDR0_HYP, SMMU_FEAT_HYP },
};

static void smmu_read_ids(struct smmu_device *smmu)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(smmu->idr); i++)
		smmu->idr[i] = readl_relaxed(smmu->base + SMMU_IDR0 + i * 4);
	smmu->iidr = readl_relaxed(smmu->base + SMMU_IIDR);
	smmu->aidr = readl_relaxed(smmu->base + SMMU_AIDR);
}

static void smmu_set_features(struct smmu_device *smmu)
{
	u32 idr0 = smmu->idr[0];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(smmu_idr0_features); i++)
		if (idr0 & smmu_idr0_features[i].idr0)
			smmu->features |= smmu_idr0_features[i].feature;
	if (FIELD_GET(IDR0_ST_LEVEL, idr0) == IDR0_ST_LEVEL_2)
		smmu->features |= SMMU_FEAT_2LVL_STRTAB;
	if ((idr0 & (IDR0_S1P | IDR0_S2P)) == (IDR0_S1P | IDR0_S2P))
		smmu->features |= SMMU_FEAT_NESTING;
	if (smmu->idr[1] & IDR1_ATTR_TYPES_OVR)
		smmu->features |= SMMU_FEAT_ATTR_TYPES;
	if (smmu->idr[3] & IDR3_RIL)
		smmu->features |= SMMU_FEAT_RIL;
	if (smmu->idr[3] & IDR3_FWB)
		smmu->features |= SMMU_FEAT_FWB;
	if (!!(idr0 & IDR0_COHACC) != !!(smmu->features & SMMU_FEAT_COHERENT))
		dev_warn(smmu->dev, "firmware says that table walks are %scoherent, the SMMU disagrees; firmware wins\n",
			 smmu->features & SMMU_FEAT_COHERENT ? "" : "not ");
}

static void smmu_set_sizes(struct smmu_device *smmu)
{
	u32 idr5 = smmu->idr[5];

	smmu->sid_bits = FIELD_GET(IDR1_SIDSIZE, smmu->idr[1]);
	smmu->ssid_bits = FIELD_GET(IDR1_SSIDSIZE, smmu->idr[1]);
	smmu->vmid_bits = smmu->idr[0] & IDR0_VMID16 ? 16 : 8;
	smmu->stall_max = FIELD_GET(IDR5_STALL_MAX, idr5);
	/* Stage-2 tables here are the 48-bit kind: no 52-bit descriptors. */
	smmu->oas = min_t(u8, smmu_oas_bits[FIELD_GET(IDR5_OAS, idr5)], 48);
	if (idr5 & IDR5_GRAN4K)
		smmu->pgsize_bitmap |= SZ_4K | SZ_2M | SZ_1G;
	if (idr5 & IDR5_GRAN16K)
		smmu->pgsize_bitmap |= SZ_16K | SZ_32M;
	if (idr5 & IDR5_GRAN64K)
		smmu->pgsize_bitmap |= SZ_64K | SZ_512M;
}

static int smmu_check_usable(struct smmu_device *smmu)
{
	u32 ttf = FIELD_GET(IDR0_TTF, smmu->idr[0]);
	u32 endian = FIELD_GET(IDR0_TTENDIAN, smmu->idr[0]);
	const char *why = NULL;

	if (!(smmu->idr[0] & IDR0_S2P))
		why = "it has no stage 2 (IDR0.S2P), which every domain of this driver is";
	else if (ttf != IDR0_TTF_AARCH64 && ttf != IDR0_TTF_AARCH32_64)
		why = "it has no AArch64 tables (IDR0.TTF)";
	else if (endian != IDR0_TTENDIAN_MIXED && endian != IDR0_TTENDIAN_LE)
		why = "it has no little-endian tables (IDR0.TTENDIAN)";
	else if (smmu->idr[1] & (IDR1_TABLES_PRESET | IDR1_QUEUES_PRESET |
				 IDR1_REL))
		why = "its tables or queues are fixed (IDR1.TABLES_PRESET, QUEUES_PRESET, REL)";
	else if (!smmu->pgsize_bitmap)
		why = "it has no translation granule (IDR5)";
	else if (FIELD_GET(IDR1_CMDQS, smmu->idr[1]) < order_base_2(SMMU_BATCH_MAX + 1))
		why = "its command queue is too small (IDR1.CMDQS)";
	if (!why)
		return 0;
	dev_err(smmu->dev, "this SMMU cannot be driven: %s\n", why);
	return -ENXIO;
}

/**
 * smmu_hw_probe - read the ID registers
 * @smmu: registers are mapped; what firmware says is in features and options
 *
 * Errors: ENXIO: the SMMU lacks something that this driver cannot do without.
 */
int smmu_hw_probe(struct smmu_device *smmu)
{
	int ret;

	smmu_read_ids(smmu);
	smmu_set_features(smmu);
	smmu_set_sizes(smmu);
	ret = smmu_check_usable(smmu);
	if (ret)
		return ret;
	smmu_errata_apply(smmu);
	dev_info(smmu->dev, "%u-bit addresses, page sizes 0x%lx, %u-bit StreamIDs, %u-bit SubstreamIDs%s%s%s%s\n",
		 smmu->oas, smmu->pgsize_bitmap, smmu->sid_bits, smmu->ssid_bits,
		 smmu->features & SMMU_FEAT_NESTING ? ", nesting" : "",
		 smmu->features & SMMU_FEAT_RIL ? ", range invalidation" : "",
		 smmu->features & SMMU_FEAT_ATS ? ", ATS" : "",
		 smmu->features & SMMU_FEAT_PRI ? ", PRI" : "");
	return 0;
}

/**
 * smmu_reg_write_ack - write a register and wait until the SMMU follows
 * @smmu: the SMMU
 * @val: value
 * @reg: offset of the register
 * @ack: offset of its acknowledge register
 *
 * Errors: EIO.
 */
int smmu_reg_write_ack(struct smmu_device *smmu, u32 val, u32 reg, u32 ack)
{
	u32 seen;

	writel_relaxed(val, smmu->base + reg);
	if (!readl_relaxed_poll_timeout(smmu->base + ack, seen, seen == val, 1,
					SMMU_ACK_TIMEOUT_US))
		return 0;
	dev_err(smmu->dev, "register 0x%x does not become 0x%x (0x%x)\n", reg,
		val, seen);
	return -EIO;
}

/* What happens to DMA while the SMMU is off (section 6.3.14). */
static int smmu_abort_while_off(struct smmu_device *smmu)
{
	void __iomem *gbpa = smmu->base + SMMU_GBPA;
	u32 reg;

	if (readl_relaxed_poll_timeout(gbpa, reg, !(reg & GBPA_UPDATE), 1,
				       SMMU_ACK_TIMEOUT_US))
		return -EIO;
	writel_relaxed((reg | GBPA_ABORT) | GBPA_UPDATE, gbpa);
	if (readl_relaxed_poll_timeout(gbpa, reg, !(reg & GBPA_UPDATE), 1,
				       SMMU_ACK_TIMEOUT_US))
		return -EIO;
	return 0;
}

/**
 * smmu_hw_disable - switch the SMMU off
 * @smmu: the SMMU
 *
 * Errors: EIO.
 */
int smmu_hw_disable(struct smmu_device *smmu)
{
	return smmu_reg_write_ack(smmu, 0, SMMU_CR0, SMMU_CR0ACK);
}

static void smmu_write_tables(struct smmu_device *smmu)
{
	u32 cr1 = FIELD_PREP(CR1_TABLE_SH, CR1_SH_ISH) |
		  FIELD_PREP(CR1_TABLE_OC, CR1_CACHE_WB) |
		  FIELD_PREP(CR1_TABLE_IC, CR1_CACHE_WB) |
		  FIELD_PREP(CR1_QUEUE_SH, CR1_SH_ISH) |
		  FIELD_PREP(CR1_QUEUE_OC, CR1_CACHE_WB) |
		  FIELD_PREP(CR1_QUEUE_IC, CR1_CACHE_WB);

	writel_relaxed(cr1, smmu->base + SMMU_CR1);
	/*
	 * PTM: the CPUs' broadcast invalidations name VMIDs that are not ours.
	 * RECINVSID: an unknown StreamID is worth a record.
	 */
	writel_relaxed(CR2_PTM | CR2_RECINVSID, smmu->base + SMMU_CR2);
	writeq_relaxed(smmu->strtab.base_reg, smmu->base + SMMU_STRTAB_BASE);
	writel_relaxed(smmu->strtab.cfg_reg, smmu->base + SMMU_STRTAB_BASE_CFG);
}

/* Whatever firmware or an earlier kernel left in the caches goes. */
static int smmu_invalidate_everything(struct smmu_device *smmu)
{
	struct smmu_batch batch = { 0 };
	__le64 cmd[CMD_DWORDS];

	smmu_cmd_cfgi_all(cmd);
	smmu_batch_add(smmu, &batch, cmd);
	if (smmu->features & SMMU_FEAT_HYP) {
		smmu_cmd_tlbi_el2_all(cmd);
		smmu_batch_add(smmu, &batch, cmd);
	}
	smmu_cmd_tlbi_nsnh_all(cmd);
	smmu_batch_add(smmu, &batch, cmd);
	return smmu_batch_finish(smmu, &batch);
}

/**
 * smmu_hw_reset - bring the SMMU from any state to an enabled one
 * @smmu: tables and queues are there
 *
 * Interrupts are installed on the way, when the queues are on and nothing has
 * been enabled yet. Errors: EIO, and those of smmu_irq_setup().
 */
int smmu_hw_reset(struct smmu_device *smmu)
{
	u32 cr0 = CR0_CMDQEN;
	int ret;

	if (readl_relaxed(smmu->base + SMMU_CR0) & CR0_SMMUEN)
		dev_info(smmu->dev, "found enabled, resetting\n");
	ret = smmu_abort_while_off(smmu);
	if (ret) {
		dev_err(smmu->dev, "GBPA does not update\n");
		return ret;
	}
	ret = smmu_hw_disable(smmu);
	if (ret)
		return ret;

	smmu_write_tables(smmu);
	smmu_cmdq_reset(smmu);
	ret = smmu_reg_write_ack(smmu, cr0, SMMU_CR0, SMMU_CR0ACK);
	if (ret)
		return ret;
	smmu->cmdq_on = true;
	ret = smmu_invalidate_everything(smmu);
	if (ret)
		return ret;

	writeq_relaxed(smmu->evtq.q.base_reg, smmu->base + SMMU_EVENTQ_BASE);
	smmu_evtq_reset(&smmu->evtq);
	cr0 |= CR0_EVENTQEN;
	if (smmu->features & SMMU_FEAT_PRI) {
		writeq_relaxed(smmu->priq.q.base_reg,
			       smmu->base + SMMU_PRIQ_BASE);
		smmu_evtq_reset(&smmu->priq);
		cr0 |= CR0_PRIQEN;
	}
	if (smmu->features & SMMU_FEAT_ATS)
		cr0 |= CR0_ATSCHK;
	/*
	 * A crash kernel finds devices that are still running for the old one:
	 * their faults are of no interest and could be too many.
	 */
	if (is_kdump_kernel())
		cr0 &= ~(CR0_EVENTQEN | CR0_PRIQEN);
	ret = smmu_reg_write_ack(smmu, cr0, SMMU_CR0, SMMU_CR0ACK);
	if (ret)
		return ret;

	ret = smmu_irq_setup(smmu);
	if (ret)
		return ret;
	return smmu_reg_write_ack(smmu, cr0 | CR0_SMMUEN, SMMU_CR0, SMMU_CR0ACK);
}
