// SPDX-License-Identifier: GPL-2.0
/*
 * Stream table entries. Arm IHI 0070, sections 5.2 and 3.21.3.
 *
 * Invariants:
 *  - a builder writes the whole entry; what it does not name is zero;
 *  - smmu_ste_get_used() may call a bit used that the hardware ignores (which
 *    costs a disruption), but never the other way round. So it starts from "all
 *    bits" and takes away what the architecture says is ignored: a field that
 *    this file does not know counts as used;
 *  - what is used depends on V and Config alone, which are in word 0: as long as
 *    word 0 stays, so does the meaning of the other words.
 */
#include <linux/bitfield.h>
#include <linux/bitops.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#include "ste.h"

/* Page tables are in the byte order of the CPU. */
#ifdef __BIG_ENDIAN
#define STE2_S2ENDI_CPU		STE2_S2ENDI
#else
#define STE2_S2ENDI_CPU		0
#endif

static void ste_set(struct smmu_ste *ste, u64 word0, u64 word1, u64 word2,
		    u64 word3)
{
	*ste = (struct smmu_ste){ .data = {
		cpu_to_le64(word0), cpu_to_le64(word1),
		cpu_to_le64(word2), cpu_to_le64(word3),
	} };
}

/**
 * smmu_ste_make_invalid - refuse every access and report C_BAD_STE
 * @ste: the entry
 */
void smmu_ste_make_invalid(struct smmu_ste *ste)
{
	ste_set(ste, 0, 0, 0, 0);
}

/**
 * smmu_ste_make_abort - refuse every access, without a record
 * @ste: the entry
 */
void smmu_ste_make_abort(struct smmu_ste *ste)
{
	ste_set(ste, STE0_V | FIELD_PREP(STE0_CONFIG, STE_CONFIG_ABORT), 0, 0, 0);
}

static u64 ste_word1(bool attr_types_ovr)
{
	u64 word1 = STE1_MEV;

	/* RES0, and "incoming" anyway, where there is nothing to override. */
	if (attr_types_ovr)
		word1 |= FIELD_PREP(STE1_SHCFG, STE_SHCFG_INCOMING);
	return word1;
}

/**
 * smmu_ste_make_bypass - addresses pass as they are
 * @ste: the entry
 * @attr_types_ovr: IDR1.ATTR_TYPES_OVR
 *
 * There is no ATS in this configuration: the hardware ignores EATS and refuses
 * translation requests.
 */
void smmu_ste_make_bypass(struct smmu_ste *ste, bool attr_types_ovr)
{
	ste_set(ste, STE0_V | FIELD_PREP(STE0_CONFIG, STE_CONFIG_BYPASS),
		ste_word1(attr_types_ovr), 0, 0);
}

static u64 ste_s2_word1(const struct smmu_s2_cfg *s2, bool eats)
{
	u64 word1 = ste_word1(s2->attr_types_ovr);

	if (s2->fwb)
		word1 |= STE1_S2FWB;
	if (s2->ppar)
		word1 |= STE1_PPAR;
	if (eats)
		word1 |= FIELD_PREP(STE1_EATS, STE_EATS_FULL);
	return word1;
}

static u64 ste_s2_word2(const struct smmu_s2_cfg *s2)
{
	return FIELD_PREP(STE2_S2VMID, s2->vmid) |
	       FIELD_PREP(STE2_VTCR, s2->vtcr) |
	       (s2->stall ? STE2_S2S : 0) |
	       STE2_S2AA64 | STE2_S2ENDI_CPU | STE2_S2PTW | STE2_S2R;
}

/**
 * smmu_ste_make_s2 - stage 2 alone
 * @ste: the entry
 * @s2: the stage 2
 */
void smmu_ste_make_s2(struct smmu_ste *ste, const struct smmu_s2_cfg *s2)
{
	ste_set(ste, STE0_V | FIELD_PREP(STE0_CONFIG, STE_CONFIG_S2),
		ste_s2_word1(s2, s2->eats), ste_s2_word2(s2),
		s2->ttb & STE3_S2TTB);
}

/**
 * smmu_ste_make_nested - a guest's stage 1 on a stage 2
 * @ste: the entry
 * @s2: the stage 2; ATS is on if both @s2->eats and the guest say so
 * @vste: the guest's entry, for which smmu_vste_check() said SMMU_VSTE_S1
 * @stalld: accesses must not stall, whatever the guest's context descriptor
 *	says. The guest may ask for that as well. Legal only with STALL_MODEL=0.
 */
void smmu_ste_make_nested(struct smmu_ste *ste, const struct smmu_s2_cfg *s2,
			  const __le64 vste[2], bool stalld)
{
	u64 vword0 = le64_to_cpu(vste[0]), vword1 = le64_to_cpu(vste[1]);
	bool eats = s2->eats && FIELD_GET(STE1_EATS, vword1) == STE_EATS_FULL;

	ste_set(ste, STE0_V | FIELD_PREP(STE0_CONFIG, STE_CONFIG_NESTED) |
		     (vword0 & STE0_S1_FIELDS),
		ste_s2_word1(s2, eats) | (vword1 & STE1_S1_FIELDS) |
		(stalld ? STE1_S1STALLD : 0),
		ste_s2_word2(s2), s2->ttb & STE3_S2TTB);
}

/*
 * Fields that are ignored when Config has none of the bits in @unless. S2S is
 * not among them: the check of EATS may look at it in every configuration.
 */
static const struct {
	u8 unless;
	u64 words[4];
} ste_ignored[] = {
	{ STE_CONFIG_BIT_S1, { STE0_S1_FIELDS, STE1_S1_FIELDS } },
	{ STE_CONFIG_BIT_S2, { 0, STE1_S2FWB,
			       STE2_VTCR | STE2_S2AA64 | STE2_S2ENDI |
			       STE2_S2AFFD | STE2_S2PTW | STE2_S2R,
			       STE3_S2TTB } },
	{ STE_CONFIG_BIT_S1 | STE_CONFIG_BIT_S2, { 0, STE1_EATS, STE2_S2VMID } },
};

/**
 * smmu_ste_get_used - which bits of an entry the hardware looks at
 * @ste: the entry
 * @used: a mask of the same form
 */
void smmu_ste_get_used(const struct smmu_ste *ste, struct smmu_ste *used)
{
	u64 word0 = le64_to_cpu(ste->data[0]);
	u8 config = FIELD_GET(STE0_CONFIG, word0);
	unsigned int i, j;

	if (!(word0 & STE0_V)) {
		ste_set(used, STE0_V, 0, 0, 0);
		return;
	}
	if (!(config & STE_CONFIG_BIT_PASS)) {
		ste_set(used, STE0_V | STE0_CONFIG, 0, 0, 0);
		return;
	}
	memset(used, 0xff, sizeof(*used));
	for (i = 0; i < ARRAY_SIZE(ste_ignored); i++) {
		if (config & ste_ignored[i].unless)
			continue;
		for (j = 0; j < ARRAY_SIZE(ste_ignored[i].words); j++)
			used->data[j] &= ~cpu_to_le64(ste_ignored[i].words[j]);
	}
}

static void plan_add(struct smmu_ste_plan *plan, u8 mask, bool staged)
{
	if (mask)
		plan->step[plan->nsteps++] =
			(struct smmu_ste_step){ .mask = mask, .staged = staged };
}

static u8 ste_diff(const struct smmu_ste *a, const struct smmu_ste *b)
{
	unsigned int i;
	u8 diff = 0;

	for (i = 0; i < SMMU_STE_WORDS; i++)
		if (a->data[i] != b->data[i])
			diff |= BIT(i);
	return diff;
}

/*
 * The hardware reads the words of an entry in any order and may keep what it
 * read, so neither "V last" nor "V first" is enough by itself: each step has to
 * be over, caches included, before the next one.
 */
static void plan_break(const struct smmu_ste *cur, struct smmu_ste_plan *plan)
{
	plan->staged.data[0] = 0;
	plan_add(plan, BIT(0), true);
	plan_add(plan, ste_diff(cur, &plan->target) & ~BIT(0), false);
	plan_add(plan, BIT(0), false);
}

/* @critical: no word, or the one in which a bit that both use changes */
static void plan_hitless(const struct smmu_ste *cur, u8 critical,
			 struct smmu_ste_plan *plan)
{
	plan->hitless = true;
	/* What the old configuration ignores can be there before the switch */
	plan_add(plan, ste_diff(cur, &plan->staged) & ~critical, true);
	/* the switch */
	plan_add(plan, critical, false);
	/* and what the new one ignores can go after it. */
	plan_add(plan, ste_diff(&plan->staged, &plan->target) & ~critical, false);
}

/**
 * smmu_ste_plan - how to replace the content of an entry in use
 * @cur: what it is now; nothing older is in any cache
 * @target: what it shall be
 * @plan: the answer, see struct smmu_ste_plan
 *
 * A single word can be replaced at once, two cannot. So the change is hitless if
 * all bits that matter both before and after, and differ, are in one word.
 */
void smmu_ste_plan(const struct smmu_ste *cur, const struct smmu_ste *target,
		   struct smmu_ste_plan *plan)
{
	struct smmu_ste cur_used, target_used;
	__le64 staged;
	u8 critical = 0;
	unsigned int i;

	*plan = (struct smmu_ste_plan){ .target = *target };
	smmu_ste_get_used(cur, &cur_used);
	smmu_ste_get_used(target, &target_used);
	for (i = 0; i < SMMU_STE_WORDS; i++) {
		staged = (cur->data[i] & cur_used.data[i]) |
			 (target->data[i] & ~cur_used.data[i]);
		if ((staged ^ target->data[i]) & target_used.data[i])
			critical |= BIT(i);
		plan->staged.data[i] = staged;
	}
	if (hweight8(critical) > 1)
		plan_break(cur, plan);
	else
		plan_hitless(cur, critical, plan);
}
