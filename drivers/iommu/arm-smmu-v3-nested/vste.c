// SPDX-License-Identifier: GPL-2.0
/*
 * Check of the stream table entry that a guest wrote. Arm IHI 0070, section 5.2.
 *
 * Invariant: of an entry that passes with SMMU_VSTE_S1, the fields that
 * smmu_ste_make_nested() takes are legal for the SMMU that the limits describe:
 * the hardware will not find the entry ILLEGAL, and does nothing with it that the
 * architecture calls unpredictable.
 *
 * Fields that the hardware ignores (all if V=0, those of stage 1 where there is
 * none) are not checked, since a guest may leave anything there.
 */
#include <linux/bitfield.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <asm/byteorder.h>

#include "ste.h"
#include "vste.h"

#define VSTE0_GUEST	(STE0_V | STE0_CONFIG | STE0_S1_FIELDS)
#define VSTE1_GUEST	(STE1_S1_FIELDS | STE1_EATS)

/* log2 of the alignment that the pointer to a guest's table must have */
static u8 vste_table_shift(u8 fmt, u8 cdmax)
{
	switch (fmt) {
	case STE_S1FMT_4K_L2:
		/* pointers of 8 bytes to tables of 64 descriptors */
		return max(cdmax, 9) - 3;
	case STE_S1FMT_64K_L2:
		/* pointers of 8 bytes to tables of 1024 descriptors */
		return max(cdmax, 13) - 7;
	default:
		/* descriptors of 64 bytes */
		return cdmax + 6;
	}
}

/* Fields that matter only where there is more than one context descriptor */
static const char *vste_bad_table(u64 word0, u64 word1,
				  const struct smmu_vste_limits *limits)
{
	u8 fmt = FIELD_GET(STE0_S1FMT, word0);
	u8 cdmax = FIELD_GET(STE0_S1CDMAX, word0);
	u64 ptr = word0 & STE0_S1CONTEXTPTR;

	if (!cdmax)
		return NULL;
	if (cdmax > limits->ssid_bits)
		return "S1CDMax is larger than IDR1.SSIDSIZE";
	if (fmt != STE_S1FMT_LINEAR && !limits->cd2l)
		return "S1Fmt is two-level, but IDR0.CD2L is 0";
	if (FIELD_GET(STE1_S1DSS, word1) == STE_S1DSS_RESERVED)
		return "S1DSS is reserved";
	if (ptr & GENMASK_ULL(vste_table_shift(fmt, cdmax) - 1, 0))
		return "S1ContextPtr is not aligned to the size of its table";
	return NULL;
}

static const char *vste_bad_s1(u64 word0, u64 word1,
			       const struct smmu_vste_limits *limits)
{
	if ((word0 & STE0_S1CONTEXTPTR) >> limits->ipa_bits)
		return "S1ContextPtr is beyond the size of an IPA";
	if (FIELD_GET(STE0_S1FMT, word0) == STE_S1FMT_RESERVED)
		return "S1Fmt is reserved";
	if (FIELD_GET(STE1_S1CSH, word1) == STE_S1CSH_RESERVED)
		return "S1CSH is reserved";
	if (word1 & STE1_S1STALLD && limits->stall_model)
		return "S1STALLD is set, but IDR0.STALL_MODEL is not 0";
	if (FIELD_GET(STE1_EATS, word1) > STE_EATS_FULL)
		return "EATS is neither off nor full ATS";
	return vste_bad_table(word0, word1, limits);
}

/**
 * smmu_vste_check - is a guest's entry legal, and what does it ask for
 * @vste: the first two words; the others are the host's
 * @limits: what the SMMU can do
 * @kind: what the entry asks for; set on success only
 * @why: a constant string for the log, which names the field; set on error only
 *
 * Return: 0; -EINVAL: the entry is illegal, or sets a bit that is not the
 * guest's; -EPERM: EATS is set, but not allowed.
 */
int smmu_vste_check(const __le64 vste[2],
		    const struct smmu_vste_limits *limits,
		    enum smmu_vste_kind *kind, const char **why)
{
	u64 word0 = le64_to_cpu(vste[0]), word1 = le64_to_cpu(vste[1]);
	u8 config = FIELD_GET(STE0_CONFIG, word0);
	const char *bad = NULL;

	if (!(word0 & STE0_V)) {
		*kind = SMMU_VSTE_INVALID;
		return 0;
	}
	if (word0 & ~VSTE0_GUEST || word1 & ~VSTE1_GUEST) {
		bad = "a bit is set that is not the guest's";
	} else if (!(config & STE_CONFIG_BIT_PASS)) {
		*kind = SMMU_VSTE_ABORT;
	} else if (config & STE_CONFIG_BIT_S2) {
		bad = "Config names stage 2";
	} else if (config == STE_CONFIG_BYPASS) {
		*kind = SMMU_VSTE_BYPASS;
	} else {
		bad = vste_bad_s1(word0, word1, limits);
		if (!bad && word1 & STE1_EATS && !limits->eats_allowed) {
			*why = "EATS is set, but ATS is not allowed";
			return -EPERM;
		}
		if (!bad)
			*kind = SMMU_VSTE_S1;
	}
	if (bad) {
		*why = bad;
		return -EINVAL;
	}
	return 0;
}
