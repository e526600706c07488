/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stream table entries of the SMMUv3: layout, construction, and the order of
 * writes that takes an entry in use by the hardware from one content to another.
 * Arm IHI 0070, sections 5.2 (STE) and 3.21.3 (update of structures).
 *
 * Everything here is a pure function: no hardware access, no allocation, no
 * locks, callable from any context.
 */
#ifndef _SMMU_NESTED_STE_H
#define _SMMU_NESTED_STE_H

#include <linux/bits.h>
#include <linux/types.h>

#define SMMU_STE_WORDS			8

/**
 * struct smmu_ste - one stream table entry
 * @data: 64-bit words as the hardware reads them. The table that an entry lies
 *	in is aligned to its size, so that an entry is aligned to 64 bytes and
 *	each word can be written with a single store.
 */
struct smmu_ste {
	__le64 data[SMMU_STE_WORDS];
};

/* Word 0 */
#define STE0_V				BIT_ULL(0)
#define STE0_CONFIG			GENMASK_ULL(3, 1)
#define STE0_S1FMT			GENMASK_ULL(5, 4)
#define STE0_S1CONTEXTPTR		GENMASK_ULL(51, 6)
#define STE0_S1CDMAX			GENMASK_ULL(63, 59)
#define STE0_S1_FIELDS			(STE0_S1FMT | STE0_S1CONTEXTPTR | STE0_S1CDMAX)

/* STE0_CONFIG; below 4 no traffic passes */
#define STE_CONFIG_ABORT		0
#define STE_CONFIG_BYPASS		4
#define STE_CONFIG_S1			5
#define STE_CONFIG_S2			6
#define STE_CONFIG_NESTED		7
/* What the bits of STE0_CONFIG say */
#define STE_CONFIG_BIT_S1		BIT(0)
#define STE_CONFIG_BIT_S2		BIT(1)
#define STE_CONFIG_BIT_PASS		BIT(2)

/* STE0_S1FMT */
#define STE_S1FMT_LINEAR		0
#define STE_S1FMT_4K_L2			1
#define STE_S1FMT_64K_L2		2
#define STE_S1FMT_RESERVED		3

/* Word 1 */
#define STE1_S1DSS			GENMASK_ULL(1, 0)
#define STE1_S1CIR			GENMASK_ULL(3, 2)
#define STE1_S1COR			GENMASK_ULL(5, 4)
#define STE1_S1CSH			GENMASK_ULL(7, 6)
#define STE1_PPAR			BIT_ULL(18)
#define STE1_MEV			BIT_ULL(19)
#define STE1_S2FWB			BIT_ULL(25)
#define STE1_S1STALLD			BIT_ULL(27)
#define STE1_EATS			GENMASK_ULL(29, 28)
#define STE1_STRW			GENMASK_ULL(31, 30)
#define STE1_SHCFG			GENMASK_ULL(45, 44)
#define STE1_S1_FIELDS			(STE1_S1DSS | STE1_S1CIR | STE1_S1COR | \
					 STE1_S1CSH | STE1_S1STALLD)

/* STE1_S1DSS */
#define STE_S1DSS_TERMINATE		0
#define STE_S1DSS_BYPASS		1
#define STE_S1DSS_SSID0			2
#define STE_S1DSS_RESERVED		3

/* STE1_S1CSH */
#define STE_S1CSH_RESERVED		1

/* STE1_EATS */
#define STE_EATS_ABORT			0
#define STE_EATS_FULL			1

/* STE1_SHCFG */
#define STE_SHCFG_INCOMING		1

/* Word 2 */
#define STE2_S2VMID			GENMASK_ULL(15, 0)
#define STE2_VTCR			GENMASK_ULL(50, 32)
#define STE2_S2AA64			BIT_ULL(51)
#define STE2_S2ENDI			BIT_ULL(52)
#define STE2_S2AFFD			BIT_ULL(53)
#define STE2_S2PTW			BIT_ULL(54)
#define STE2_S2S			BIT_ULL(57)
#define STE2_S2R			BIT_ULL(58)

/* The value in STE2_VTCR */
#define STE_VTCR_S2T0SZ			GENMASK_ULL(5, 0)
#define STE_VTCR_S2SL0			GENMASK_ULL(7, 6)
#define STE_VTCR_S2IR0			GENMASK_ULL(9, 8)
#define STE_VTCR_S2OR0			GENMASK_ULL(11, 10)
#define STE_VTCR_S2SH0			GENMASK_ULL(13, 12)
#define STE_VTCR_S2TG			GENMASK_ULL(15, 14)
#define STE_VTCR_S2PS			GENMASK_ULL(18, 16)

/* Word 3 */
#define STE3_S2TTB			GENMASK_ULL(51, 4)

/**
 * struct smmu_s2_cfg - what an entry says about stage 2
 * @vmid: VMID that tags the translations
 * @vtcr: value of the VTCR field: STE_VTCR_*
 * @ttb: physical address of the translation table
 * @fwb: stage 2 decides the memory type, whatever stage 1 asks for
 * @eats: ATS translation requests are answered
 * @ppar: the answers that the SMMU itself gives to page requests, when the queue has
 *	overflowed, have PASIDs
 * @stall: accesses that stage 2 refuses stall: with STALL_MODEL=0b10 there is no
 *	other way, and the entry has to say so. Then there is no ATS.
 * @attr_types_ovr: IDR1.ATTR_TYPES_OVR: attributes of a transaction can be
 *	overridden, so the entry has to say that they should not be
 */
struct smmu_s2_cfg {
	u16 vmid;
	u64 vtcr;
	u64 ttb;
	bool fwb;
	bool eats;
	bool ppar;
	bool stall;
	bool attr_types_ovr;
};

void smmu_ste_make_invalid(struct smmu_ste *ste);
void smmu_ste_make_abort(struct smmu_ste *ste);
void smmu_ste_make_bypass(struct smmu_ste *ste, bool attr_types_ovr);
void smmu_ste_make_s2(struct smmu_ste *ste, const struct smmu_s2_cfg *s2);
void smmu_ste_make_nested(struct smmu_ste *ste, const struct smmu_s2_cfg *s2,
			  const __le64 vste[2], bool stalld);
void smmu_ste_get_used(const struct smmu_ste *ste, struct smmu_ste *used);

#define SMMU_STE_MAX_STEPS		3

/**
 * struct smmu_ste_step - words to be written before one synchronisation
 * @mask: bit i: word i is to be written
 * @staged: the words come from the staged image, else from the target
 */
struct smmu_ste_step {
	u8 mask;
	bool staged;
};

/**
 * struct smmu_ste_plan - how to get from one content of an entry to another
 * @nsteps: number of valid members of @step; 0: the contents are the same
 * @hitless: at every moment the hardware sees the old or the new configuration;
 *	if not, it refuses accesses in between with C_BAD_STE
 * @step: to be done in this order. For each: write the words of the mask, in any
 *	order, each with a single store of smmu_ste_step_word(); make the stores
 *	visible to the SMMU; CMD_CFGI_STE of the stream; CMD_SYNC; wait for it.
 * @staged: image for steps before the target is complete
 * @target: the new content
 */
struct smmu_ste_plan {
	u8 nsteps;
	bool hitless;
	struct smmu_ste_step step[SMMU_STE_MAX_STEPS];
	struct smmu_ste staged;
	struct smmu_ste target;
};

void smmu_ste_plan(const struct smmu_ste *cur, const struct smmu_ste *target,
		   struct smmu_ste_plan *plan);

/**
 * smmu_ste_step_word - the value that a step writes
 * @plan: the plan
 * @step: number of the step, smaller than plan->nsteps
 * @word: number of a word in the mask of the step
 *
 * Return: the value for this word of the entry.
 */
static inline __le64 smmu_ste_step_word(const struct smmu_ste_plan *plan,
					unsigned int step, unsigned int word)
{
	return plan->step[step].staged ? plan->staged.data[word] :
					 plan->target.data[word];
}

#endif /* _SMMU_NESTED_STE_H */
