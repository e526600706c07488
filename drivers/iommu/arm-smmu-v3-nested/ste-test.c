// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of stream table entries: what the builders write, that a change of an
 * entry in use never shows the hardware a third thing, and which of a guest's
 * entries are let through.
 *
 * The expectations are written in bit numbers and lists of their own, after the
 * architecture's text (Arm IHI 0070, section 5.2): they share neither the field
 * definitions nor the tables of the code that they check.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/prandom.h>

/* The functions depend on nothing, so any kernel can run them. */
#include "ste.c"
#include "vste.c"

static u64 field_of(u64 word, unsigned int hi, unsigned int lo)
{
	return word << (63 - hi) >> (63 - hi + lo);
}

/* What the hardware makes of an entry: only the fields that it looks at */
struct view {
	bool valid;
	u8 config;
	u64 s1[8];
	u64 s2[10];
	u64 common[5];
};

static void view_of(const struct smmu_ste *ste, struct view *view)
{
	u64 word0 = le64_to_cpu(ste->data[0]), word1 = le64_to_cpu(ste->data[1]);
	u64 word2 = le64_to_cpu(ste->data[2]), word3 = le64_to_cpu(ste->data[3]);
	bool s1, s2;

	memset(view, 0, sizeof(*view));
	view->valid = word0 & 1;
	if (!view->valid)
		return;
	view->config = field_of(word0, 3, 1);
	if (view->config < 4) {
		view->config = 0;
		return;
	}
	s1 = view->config == 5 || view->config == 7;
	s2 = view->config == 6 || view->config == 7;

	view->common[0] = field_of(word1, 19, 19);		/* MEV */
	view->common[1] = field_of(word1, 51, 32);		/* MemAttr to INSTCFG */
	if (s1) {
		view->s1[0] = field_of(word0, 5, 4);		/* S1Fmt */
		view->s1[1] = field_of(word0, 55, 6);		/* S1ContextPtr */
		view->s1[2] = field_of(word0, 63, 59);		/* S1CDMax */
		view->s1[3] = field_of(word1, 1, 0);		/* S1DSS */
		view->s1[4] = field_of(word1, 7, 2);		/* S1CIR, S1COR, S1CSH */
		view->s1[5] = field_of(word1, 27, 27);		/* S1STALLD */
		view->s1[6] = field_of(word1, 31, 30);		/* STRW */
	}
	if (s2) {
		view->s2[0] = field_of(word1, 25, 25);		/* S2FWB */
		view->s2[1] = field_of(word2, 50, 32);		/* S2T0SZ to S2PS */
		view->s2[2] = field_of(word2, 58, 51);		/* S2AA64 to S2R */
		view->s2[3] = field_of(word3, 51, 4);		/* S2TTB */
	}
	if (s1 || s2) {
		view->common[2] = field_of(word1, 29, 28);	/* EATS */
		view->common[3] = field_of(word2, 15, 0);	/* S2VMID */
	}
}

static bool same_view(const struct smmu_ste *a, const struct smmu_ste *b)
{
	struct view view_a, view_b;

	view_of(a, &view_a);
	view_of(b, &view_b);
	return !memcmp(&view_a, &view_b, sizeof(view_a));
}

static bool is_valid(const struct smmu_ste *ste)
{
	return le64_to_cpu(ste->data[0]) & 1;
}

/*
 * Until a step is synchronised the hardware may use, of each word, what was there
 * before the step or what the step writes: words are read in any order, at any
 * time, and may be cached. Count the combinations that are neither @cur nor
 * @target, nor, if the plan does not claim to be hitless, invalid.
 */
static unsigned int count_violations(const struct smmu_ste *cur,
				     const struct smmu_ste *target,
				     const struct smmu_ste_plan *plan)
{
	struct smmu_ste synced = *cur, seen;
	unsigned int step, taken, i, bad = 0;

	for (step = 0; step < plan->nsteps; step++) {
		u8 mask = plan->step[step].mask;

		for (taken = 0; taken <= U8_MAX; taken++) {
			if (taken & ~mask)
				continue;
			for (i = 0; i < SMMU_STE_WORDS; i++)
				seen.data[i] = taken & BIT(i) ?
					smmu_ste_step_word(plan, step, i) :
					synced.data[i];
			if (!same_view(&seen, cur) && !same_view(&seen, target) &&
			    (plan->hitless || is_valid(&seen)))
				bad++;
		}
		for (i = 0; i < SMMU_STE_WORDS; i++)
			if (mask & BIT(i))
				synced.data[i] = smmu_ste_step_word(plan, step, i);
	}
	if (memcmp(&synced, target, sizeof(synced)))
		bad++;
	return bad;
}

/* A guest's stage 1; the numbers are only told apart, not used */
#define PTR_A		0x40080000ULL
#define PTR_B		0x7fff0040ULL
#define WORD0_S1(ptr)	(0x1ULL | 5ULL << 1 | (ptr))
#define WORD1_S1	(0x1ULL << 2 | 0x1ULL << 4 | 0x3ULL << 6)

static const struct smmu_s2_cfg s2_a = {
	.vmid = 0x1234, .vtcr = 0x3559e, .ttb = 0x123456789000,
	.attr_types_ovr = true,
};

static struct smmu_s2_cfg s2_variant(u16 vmid, u64 ttb, bool fwb, bool eats)
{
	struct smmu_s2_cfg s2 = s2_a;

	s2.vmid = vmid;
	s2.ttb = ttb;
	s2.fwb = fwb;
	s2.eats = eats;
	return s2;
}

static void nested(struct smmu_ste *ste, const struct smmu_s2_cfg *s2,
		   u64 word0, u64 word1, bool stalld)
{
	__le64 vste[2] = { cpu_to_le64(word0), cpu_to_le64(word1) };

	smmu_ste_make_nested(ste, s2, vste, stalld);
}

enum sample {
	INVALID, INVALID_GARBAGE, ABORT, ABORT_GARBAGE, BYPASS, S2, S2_VMID,
	S2_TTB, S2_OTHER, S2_FWB, S2_EATS, NESTED, NESTED_PTR, NESTED_ATTR,
	NESTED_STALLD, NESTED_PASIDS, NESTED_PTR_DSS, NESTED_EATS, NESTED_VMID,
	S1, NUM_SAMPLES
};

static void make_samples(struct smmu_ste *ste)
{
	struct smmu_s2_cfg vmid = s2_variant(0x4321, s2_a.ttb, false, false);
	struct smmu_s2_cfg ttb = s2_variant(s2_a.vmid, 0xabcdef000, false, false);
	struct smmu_s2_cfg other = s2_variant(7, 0xabcdef000, false, false);
	struct smmu_s2_cfg fwb = s2_variant(s2_a.vmid, s2_a.ttb, true, false);
	struct smmu_s2_cfg eats = s2_variant(s2_a.vmid, s2_a.ttb, false, true);

	smmu_ste_make_invalid(&ste[INVALID]);
	memset(&ste[INVALID_GARBAGE], 0xfe, sizeof(*ste));
	smmu_ste_make_abort(&ste[ABORT]);
	memset(&ste[ABORT_GARBAGE], 0xf1, sizeof(*ste));
	smmu_ste_make_bypass(&ste[BYPASS], true);
	smmu_ste_make_s2(&ste[S2], &s2_a);
	smmu_ste_make_s2(&ste[S2_VMID], &vmid);
	smmu_ste_make_s2(&ste[S2_TTB], &ttb);
	smmu_ste_make_s2(&ste[S2_OTHER], &other);
	smmu_ste_make_s2(&ste[S2_FWB], &fwb);
	smmu_ste_make_s2(&ste[S2_EATS], &eats);
	nested(&ste[NESTED], &s2_a, WORD0_S1(PTR_A), WORD1_S1, false);
	nested(&ste[NESTED_PTR], &s2_a, WORD0_S1(PTR_B), WORD1_S1, false);
	nested(&ste[NESTED_ATTR], &s2_a, WORD0_S1(PTR_A), 0, false);
	nested(&ste[NESTED_STALLD], &s2_a, WORD0_S1(PTR_A), WORD1_S1, true);
	nested(&ste[NESTED_PASIDS], &s2_a, WORD0_S1(PTR_A) | 8ULL << 59 | 2 << 4,
	       WORD1_S1, false);
	nested(&ste[NESTED_PTR_DSS], &s2_a, WORD0_S1(PTR_B) | 8ULL << 59,
	       WORD1_S1 | 2, false);
	nested(&ste[NESTED_EATS], &eats, WORD0_S1(PTR_A), WORD1_S1 | 1 << 28,
	       false);
	nested(&ste[NESTED_VMID], &vmid, WORD0_S1(PTR_A), WORD1_S1, false);
	/* There is no builder for stage 1 alone, but its bits have a meaning. */
	ste[S1] = ste[NESTED_VMID];
	ste[S1].data[0] &= ~cpu_to_le64(2 << 1);
}

static void expect_ste(struct kunit *test, const struct smmu_ste *ste, u64 word0,
		       u64 word1, u64 word2, u64 word3)
{
	const u64 want[SMMU_STE_WORDS] = { word0, word1, word2, word3 };
	unsigned int i;

	for (i = 0; i < SMMU_STE_WORDS; i++)
		KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(ste->data[i]), want[i],
				    "word %u, where word 0 should be %#llx", i,
				    word0);
}

/* S2AA64, S2PTW, S2R; S2ENDI where the CPU is big-endian */
#define WORD2_BITS	(BIT_ULL(51) | BIT_ULL(54) | BIT_ULL(58) |	\
			 (u64)IS_ENABLED(CONFIG_CPU_BIG_ENDIAN) << 52)

static void ste_layout(struct kunit *test)
{
	struct smmu_s2_cfg s2 = s2_a;
	const u64 word2 = 0x1234ULL | 0x3559eULL << 32 | WORD2_BITS;
	struct smmu_ste ste;

	KUNIT_EXPECT_EQ(test, sizeof(ste), 64);

	/* A builder leaves nothing of what was there. */
	memset(&ste, 0xff, sizeof(ste));
	smmu_ste_make_invalid(&ste);
	expect_ste(test, &ste, 0, 0, 0, 0);
	memset(&ste, 0xff, sizeof(ste));
	smmu_ste_make_abort(&ste);
	expect_ste(test, &ste, 1, 0, 0, 0);
	memset(&ste, 0xff, sizeof(ste));
	smmu_ste_make_bypass(&ste, false);
	expect_ste(test, &ste, 0x9, 1ULL << 19, 0, 0);
	smmu_ste_make_bypass(&ste, true);
	expect_ste(test, &ste, 0x9, 1ULL << 19 | 1ULL << 44, 0, 0);
	memset(&ste, 0xff, sizeof(ste));
	smmu_ste_make_s2(&ste, &s2);
	expect_ste(test, &ste, 0xd, 1ULL << 19 | 1ULL << 44, word2,
		   0x123456789000);
	s2.attr_types_ovr = false;
	s2.fwb = true;
	s2.eats = true;
	smmu_ste_make_s2(&ste, &s2);
	expect_ste(test, &ste, 0xd, 1ULL << 19 | 1ULL << 25 | 1ULL << 28, word2,
		   0x123456789000);
	s2.ppar = true;
	smmu_ste_make_s2(&ste, &s2);
	expect_ste(test, &ste, 0xd, 1ULL << 18 | 1ULL << 19 | 1ULL << 25 |
		   1ULL << 28, word2, 0x123456789000);
	s2.ppar = false;

	memset(&ste, 0xff, sizeof(ste));
	nested(&ste, &s2_a, WORD0_S1(PTR_A), WORD1_S1, false);
	expect_ste(test, &ste, 0xf | PTR_A, WORD1_S1 | 1ULL << 19 | 1ULL << 44,
		   word2, 0x123456789000);
}

/* The host's fields stay the host's, whatever the guest's words say. */
static void ste_nested_fields(struct kunit *test)
{
	struct smmu_s2_cfg eats = s2_variant(1, 0x1000, false, true);
	const u64 guest0 = 0xf80ffffffffffff0ULL;	/* S1Fmt to S1CDMax */
	const u64 guest1 = 0x080000ffULL;		/* S1DSS to S1CSH, S1STALLD */
	struct smmu_ste none, all;

	nested(&none, &s2_a, 0, 0, false);
	nested(&all, &s2_a, ~0ULL, ~0ULL, false);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(none.data[0] ^ all.data[0]), guest0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(none.data[1] ^ all.data[1]), guest1);
	KUNIT_EXPECT_MEMEQ(test, &none.data[2], &all.data[2], 48);

	/* ATS needs both to want it. */
	nested(&none, &eats, 0, 0, false);
	KUNIT_EXPECT_EQ(test, field_of(le64_to_cpu(none.data[1]), 29, 28), 0);
	nested(&none, &eats, 0, 1ULL << 28, false);
	KUNIT_EXPECT_EQ(test, field_of(le64_to_cpu(none.data[1]), 29, 28), 1);
	nested(&none, &s2_a, 0, 1ULL << 28, false);
	KUNIT_EXPECT_EQ(test, field_of(le64_to_cpu(none.data[1]), 29, 28), 0);

	/* Either is enough to forbid stalls. */
	nested(&none, &s2_a, 0, 0, true);
	KUNIT_EXPECT_EQ(test, field_of(le64_to_cpu(none.data[1]), 27, 27), 1);
	nested(&none, &s2_a, 0, 1ULL << 27, false);
	KUNIT_EXPECT_EQ(test, field_of(le64_to_cpu(none.data[1]), 27, 27), 1);
	nested(&none, &s2_a, 0, 0, false);
	KUNIT_EXPECT_EQ(test, field_of(le64_to_cpu(none.data[1]), 27, 27), 0);
}

/* A bit that changes what the hardware sees is used. */
static void ste_used(struct kunit *test)
{
	struct smmu_ste *samples, used, changed;
	unsigned int i, bit;

	samples = kunit_kcalloc(test, NUM_SAMPLES, sizeof(*samples), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, samples);
	make_samples(samples);
	for (i = 0; i < NUM_SAMPLES; i++) {
		smmu_ste_get_used(&samples[i], &used);
		for (bit = 0; bit < 64 * SMMU_STE_WORDS; bit++) {
			__le64 mask = cpu_to_le64(BIT_ULL(bit % 64));

			changed = samples[i];
			changed.data[bit / 64] ^= mask;
			if (same_view(&samples[i], &changed))
				continue;
			KUNIT_EXPECT_TRUE_MSG(test, used.data[bit / 64] & mask,
					      "sample %u bit %u", i, bit);
		}
	}

	/* What makes the usual changes hitless is not. */
	smmu_ste_get_used(&samples[S2], &used);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(used.data[0]) & 0xf80ffffffffffff0ULL, 0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(used.data[1]) & 0x080000ffULL, 0);
	smmu_ste_get_used(&samples[BYPASS], &used);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(used.data[2]) & 0xffff, 0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(used.data[3]) & 0xffffffffff000ULL, 0);
	smmu_ste_get_used(&samples[ABORT_GARBAGE], &used);
	expect_ste(test, &used, 0xf, 0, 0, 0);
	smmu_ste_get_used(&samples[INVALID_GARBAGE], &used);
	expect_ste(test, &used, 0x1, 0, 0, 0);
}

/* Every change from every sample to every other */
static void ste_plan_pairs(struct kunit *test)
{
	struct smmu_ste *samples;
	struct smmu_ste_plan plan;
	unsigned int i, j, step;

	samples = kunit_kcalloc(test, NUM_SAMPLES, sizeof(*samples), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, samples);
	make_samples(samples);
	for (i = 0; i < NUM_SAMPLES; i++) {
		for (j = 0; j < NUM_SAMPLES; j++) {
			smmu_ste_plan(&samples[i], &samples[j], &plan);
			KUNIT_EXPECT_EQ_MSG(test, 0,
					    count_violations(&samples[i],
							     &samples[j], &plan),
					    "sample %u to %u", i, j);
			KUNIT_ASSERT_LE(test, plan.nsteps, SMMU_STE_MAX_STEPS);
			KUNIT_EXPECT_EQ_MSG(test, plan.nsteps == 0, i == j,
					    "sample %u to %u", i, j);
			for (step = 0; step < plan.nsteps; step++)
				KUNIT_EXPECT_NE(test, plan.step[step].mask, 0);
		}
	}
}

/* Which changes disrupt nothing, and how many synchronisations they take */
static void ste_plan_hitless(struct kunit *test)
{
	static const struct {
		u8 from, to;
		bool hitless;
		u8 nsteps;
	} cases[] = {
		/* the life of an assigned device */
		{ ABORT, BYPASS, true, 2 },
		{ ABORT, S2, true, 2 },
		{ S2, S2_VMID, true, 1 },
		{ S2, NESTED, true, 2 },
		{ NESTED, NESTED_PTR, true, 1 },
		{ NESTED, NESTED_ATTR, true, 1 },
		{ NESTED, NESTED_STALLD, true, 1 },
		{ NESTED, NESTED_PASIDS, true, 1 },
		{ NESTED, INVALID, true, 2 },
		{ INVALID, NESTED, true, 2 },
		{ NESTED, ABORT, true, 2 },
		{ NESTED, S2, true, 2 },
		{ S2_VMID, S2, true, 1 },
		{ S2, ABORT, true, 2 },
		{ S2, BYPASS, true, 2 },
		{ BYPASS, S2, true, 2 },
		{ INVALID, ABORT, true, 1 },
		{ ABORT, INVALID, true, 1 },
		{ S2, S2_TTB, true, 1 },
		{ S2, S2_FWB, true, 1 },
		{ S2, S2_EATS, true, 1 },
		{ INVALID_GARBAGE, ABORT_GARBAGE, true, 2 },
		/* two words at once */
		{ S2, S2_OTHER, false, 3 },
		{ NESTED, NESTED_PTR_DSS, false, 3 },
		{ S2, NESTED_EATS, false, 3 },
		{ S2, NESTED_VMID, false, 3 },
		{ NESTED_EATS, S2, false, 3 },
	};
	struct smmu_ste *samples;
	struct smmu_ste_plan plan;
	unsigned int i;

	samples = kunit_kcalloc(test, NUM_SAMPLES, sizeof(*samples), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, samples);
	make_samples(samples);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		smmu_ste_plan(&samples[cases[i].from], &samples[cases[i].to], &plan);
		KUNIT_EXPECT_EQ_MSG(test, plan.hitless, cases[i].hitless,
				    "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, plan.nsteps, cases[i].nsteps,
				    "case %u", i);
	}
	KUNIT_EXPECT_LE(test, sizeof(plan), 160);
}

static void random_sample(struct rnd_state *rnd, struct smmu_ste *ste)
{
	struct smmu_s2_cfg s2 = {
		/* few values, so that words are often the same */
		.vmid = prandom_u32_state(rnd) % 2 + 1,
		.vtcr = 0x3559e,
		.ttb = (prandom_u32_state(rnd) % 2 + 1) << 12,
		.fwb = prandom_u32_state(rnd) % 2,
		.eats = prandom_u32_state(rnd) % 2,
	};
	u64 ptr = (u64)(prandom_u32_state(rnd) % 3 + 1) << 6;
	u64 word1 = prandom_u32_state(rnd) % 4 |
		    (u64)(prandom_u32_state(rnd) % 2) << 28;

	switch (prandom_u32_state(rnd) % 6) {
	case 0:
		smmu_ste_make_invalid(ste);
		break;
	case 1:
		smmu_ste_make_abort(ste);
		break;
	case 2:
		smmu_ste_make_bypass(ste, prandom_u32_state(rnd) % 2);
		break;
	case 3:
		smmu_ste_make_s2(ste, &s2);
		break;
	default:
		nested(ste, &s2, WORD0_S1(ptr), word1,
		       prandom_u32_state(rnd) % 2);
		break;
	}
}

/* A long life of one entry */
static void ste_plan_random(struct kunit *test)
{
	struct smmu_ste cur, target;
	struct smmu_ste_plan plan;
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, 0x5733);
	smmu_ste_make_abort(&cur);
	for (i = 0; i < 2000; i++) {
		random_sample(&rnd, &target);
		smmu_ste_plan(&cur, &target, &plan);
		KUNIT_ASSERT_EQ_MSG(test, 0,
				    count_violations(&cur, &target, &plan),
				    "change %u", i);
		cur = target;
	}
}

/* The check above does notice plans that are wrong. */
static void ste_plan_check_works(struct kunit *test)
{
	struct smmu_ste *samples;
	struct smmu_ste_plan good, bad;

	samples = kunit_kcalloc(test, NUM_SAMPLES, sizeof(*samples), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, samples);
	make_samples(samples);

	/* The switch before what it switches to is there */
	smmu_ste_plan(&samples[S2], &samples[NESTED], &good);
	bad = good;
	swap(bad.step[0], bad.step[1]);
	KUNIT_EXPECT_GT(test, count_violations(&samples[S2], &samples[NESTED],
					       &bad), 0);
	/* both at once: no synchronisation in between */
	bad = good;
	bad.step[0] = (struct smmu_ste_step){
		.mask = good.step[0].mask | good.step[1].mask,
	};
	bad.nsteps = 1;
	KUNIT_EXPECT_GT(test, count_violations(&samples[S2], &samples[NESTED],
					       &bad), 0);

	/* V set again together with the rest */
	smmu_ste_plan(&samples[S2], &samples[S2_OTHER], &good);
	bad = good;
	bad.step[1].mask |= bad.step[2].mask;
	bad.nsteps = 2;
	KUNIT_EXPECT_GT(test, count_violations(&samples[S2], &samples[S2_OTHER],
					       &bad), 0);
	/* V not cleared first */
	bad = good;
	bad.step[0] = good.step[1];
	bad.step[1] = good.step[2];
	bad.nsteps = 2;
	KUNIT_EXPECT_GT(test, count_violations(&samples[S2], &samples[S2_OTHER],
					       &bad), 0);
	/* a disruption that is not owned up to */
	bad = good;
	bad.hitless = true;
	KUNIT_EXPECT_GT(test, count_violations(&samples[S2], &samples[S2_OTHER],
					       &bad), 0);
	/* an entry left half done */
	bad = good;
	bad.nsteps = 2;
	KUNIT_EXPECT_GT(test, count_violations(&samples[S2], &samples[S2_OTHER],
					       &bad), 0);
}

static struct kunit_case ste_cases[] = {
	KUNIT_CASE(ste_layout),
	KUNIT_CASE(ste_nested_fields),
	KUNIT_CASE(ste_used),
	KUNIT_CASE(ste_plan_pairs),
	KUNIT_CASE(ste_plan_hitless),
	KUNIT_CASE(ste_plan_random),
	KUNIT_CASE(ste_plan_check_works),
	{}
};

static struct kunit_suite ste_suite = {
	.name = "smmuv3-nested-ste",
	.test_cases = ste_cases,
};

/* An SMMU without any option */
static const struct smmu_vste_limits plain = {
	.ipa_bits = 40, .stall_model = 1,
};

/* and one with all of them */
static const struct smmu_vste_limits rich = {
	.ipa_bits = 48, .ssid_bits = 20, .cd2l = true, .stall_model = 0,
	.eats_allowed = true,
};

static int check(u64 word0, u64 word1, const struct smmu_vste_limits *limits,
		 enum smmu_vste_kind *kind, const char **why)
{
	__le64 vste[2] = { cpu_to_le64(word0), cpu_to_le64(word1) };

	*why = NULL;
	return smmu_vste_check(vste, limits, kind, why);
}

static void expect_kind(struct kunit *test, u64 word0, u64 word1,
			const struct smmu_vste_limits *limits,
			enum smmu_vste_kind want)
{
	enum smmu_vste_kind kind = -1;
	const char *why;

	KUNIT_EXPECT_EQ_MSG(test, check(word0, word1, limits, &kind, &why), 0,
			    "%#llx %#llx: %s", word0, word1, why);
	KUNIT_EXPECT_EQ_MSG(test, kind, want, "%#llx %#llx", word0, word1);
	KUNIT_EXPECT_NULL_MSG(test, why, "%#llx %#llx: %s", word0, word1, why);
}

/* Refused for the reason @field, with nothing else said */
static void expect_refused(struct kunit *test, u64 word0, u64 word1,
			   const struct smmu_vste_limits *limits, int err,
			   const char *field)
{
	enum smmu_vste_kind kind = -1;
	const char *why;

	KUNIT_EXPECT_EQ_MSG(test, check(word0, word1, limits, &kind, &why), err,
			    "%#llx %#llx", word0, word1);
	KUNIT_EXPECT_EQ_MSG(test, (int)kind, -1, "%#llx %#llx", word0, word1);
	KUNIT_ASSERT_NOT_NULL_MSG(test, why, "%#llx %#llx", word0, word1);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(why, field), "%#llx %#llx: %s",
				  word0, word1, why);
}

static void vste_config(struct kunit *test)
{
	u64 config;

	/* The hardware looks at nothing else where V is 0. */
	expect_kind(test, 0, 0, &plain, SMMU_VSTE_INVALID);
	expect_kind(test, ~1ULL, ~0ULL, &plain, SMMU_VSTE_INVALID);
	for (config = 0; config < 4; config++)
		expect_kind(test, 1 | config << 1, 0, &plain, SMMU_VSTE_ABORT);
	expect_kind(test, 1 | 4 << 1, 0, &plain, SMMU_VSTE_BYPASS);
	expect_kind(test, 1 | 5 << 1 | PTR_A, WORD1_S1, &plain, SMMU_VSTE_S1);
	expect_refused(test, 1 | 6 << 1, 0, &rich, -EINVAL, "Config");
	expect_refused(test, 1 | 7 << 1 | PTR_A, 0, &rich, -EINVAL, "Config");

	/* Without stage 1 its fields are ignored; EATS is, without translation. */
	expect_kind(test, 1 | 0xf80ffffffffffff0ULL, 0x380000ff, &plain,
		    SMMU_VSTE_ABORT);
	expect_kind(test, 1 | 4 << 1 | 0xf80ffffffffffff0ULL, 0x380000ff, &plain,
		    SMMU_VSTE_BYPASS);
}

/* Of every bit: it is the guest's, or setting it is refused. */
static void vste_bits(struct kunit *test)
{
	const u64 guest[2] = { 0xf80fffffffffffffULL, 0x380000ffULL };
	static const u8 configs[] = { 0, 4, 5 };
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(configs); i++) {
		for (bit = 0; bit < 128; bit++) {
			u64 words[2] = { 1 | configs[i] << 1, 0 };

			if (guest[bit / 64] & BIT_ULL(bit % 64))
				continue;
			words[bit / 64] |= BIT_ULL(bit % 64);
			expect_refused(test, words[0], words[1], &rich, -EINVAL,
				       "not the guest's");
		}
	}
}

static void vste_s1(struct kunit *test)
{
	struct smmu_vste_limits limits = rich;
	const u64 s1 = 1 | 5 << 1;
	u64 v;

	/* S1ContextPtr */
	expect_kind(test, s1 | 0xffffffffffc0ULL, 0, &rich, SMMU_VSTE_S1);
	expect_refused(test, s1 | BIT_ULL(48), 0, &rich, -EINVAL, "S1ContextPtr");
	expect_refused(test, s1 | BIT_ULL(51), 0, &rich, -EINVAL, "S1ContextPtr");
	expect_kind(test, s1 | BIT_ULL(39), 0, &plain, SMMU_VSTE_S1);
	expect_refused(test, s1 | BIT_ULL(40), 0, &plain, -EINVAL, "S1ContextPtr");
	limits.ipa_bits = 52;
	expect_kind(test, s1 | BIT_ULL(51), 0, &limits, SMMU_VSTE_S1);

	/* Cacheability has no illegal value, shareability has one. */
	for (v = 0; v < 16; v++)
		expect_kind(test, s1, v << 2, &plain, SMMU_VSTE_S1);
	for (v = 0; v < 4; v++) {
		if (v == 1)
			expect_refused(test, s1, v << 6, &rich, -EINVAL, "S1CSH");
		else
			expect_kind(test, s1, v << 6, &plain, SMMU_VSTE_S1);
	}

	/* S1STALLD */
	for (v = 0; v < 4; v++) {
		limits.stall_model = v;
		if (v == 0)
			expect_kind(test, s1, 1 << 27, &limits, SMMU_VSTE_S1);
		else
			expect_refused(test, s1, 1 << 27, &limits, -EINVAL,
				       "S1STALLD");
		expect_kind(test, s1, 0, &limits, SMMU_VSTE_S1);
	}

	/* EATS: an illegal value is illegal with and without leave. */
	expect_kind(test, s1, 1 << 28, &rich, SMMU_VSTE_S1);
	expect_refused(test, s1, 1 << 28, &plain, -EPERM, "EATS");
	for (v = 2; v < 4; v++) {
		expect_refused(test, s1, v << 28, &rich, -EINVAL, "EATS");
		expect_refused(test, s1, v << 28, &plain, -EINVAL, "EATS");
	}
}

static void vste_pasids(struct kunit *test)
{
	struct smmu_vste_limits limits = rich;
	const u64 s1 = 1 | 5 << 1;
	u64 cdmax, fmt;

	/* S1CDMax */
	for (cdmax = 0; cdmax < 32; cdmax++) {
		for (limits.ssid_bits = 0; limits.ssid_bits <= 20;
		     limits.ssid_bits++) {
			if (cdmax <= limits.ssid_bits)
				expect_kind(test, s1 | cdmax << 59, 0, &limits,
					    SMMU_VSTE_S1);
			else
				expect_refused(test, s1 | cdmax << 59, 0,
					       &limits, -EINVAL, "S1CDMax");
		}
	}

	/* S1Fmt and S1DSS matter only where there are substreams. */
	for (fmt = 1; fmt < 3; fmt++) {
		expect_kind(test, s1 | 8ULL << 59 | fmt << 4, 0, &rich,
			    SMMU_VSTE_S1);
		expect_kind(test, s1 | fmt << 4, 0, &plain, SMMU_VSTE_S1);
	}
	limits = rich;
	limits.cd2l = false;
	expect_refused(test, s1 | 8ULL << 59 | 1 << 4, 0, &limits, -EINVAL,
		       "S1Fmt");
	expect_refused(test, s1 | 8ULL << 59 | 2 << 4, 0, &limits, -EINVAL,
		       "S1Fmt");
	expect_kind(test, s1 | 8ULL << 59, 0, &limits, SMMU_VSTE_S1);
	expect_refused(test, s1 | 8ULL << 59 | 3 << 4, 0, &rich, -EINVAL, "S1Fmt");
	expect_refused(test, s1 | 3 << 4, 0, &rich, -EINVAL, "S1Fmt");
	expect_kind(test, s1 | 8ULL << 59, 2, &rich, SMMU_VSTE_S1);
	expect_refused(test, s1 | 8ULL << 59, 3, &rich, -EINVAL, "S1DSS");
	expect_kind(test, s1, 3, &rich, SMMU_VSTE_S1);
}

/* A table is aligned to its size, and to 64 bytes. */
static void vste_alignment(struct kunit *test)
{
	const u64 s1 = 1 | 5 << 1;
	u64 cdmax, fmt, size, bit;

	for (fmt = 0; fmt < 3; fmt++) {
		for (cdmax = 1; cdmax <= 20; cdmax++) {
			if (fmt == 0)
				size = 64ULL << cdmax;
			else if (fmt == 1)
				size = 8ULL * max(1ULL << cdmax, 64ULL) / 64;
			else
				size = 8ULL * max(1ULL << cdmax, 1024ULL) / 1024;
			for (bit = 6; bit < 48; bit++) {
				u64 word0 = s1 | cdmax << 59 | fmt << 4 |
					    BIT_ULL(bit);

				if (BIT_ULL(bit) < size)
					expect_refused(test, word0, 0, &rich,
						       -EINVAL, "aligned");
				else
					expect_kind(test, word0, 0, &rich,
						    SMMU_VSTE_S1);
			}
		}
	}
}

/* Nothing that passes makes an entry that the hardware finds illegal. */
static void vste_random(struct kunit *test)
{
	enum smmu_vste_kind kind;
	struct rnd_state rnd;
	struct smmu_ste ste;
	unsigned int i, passed = 0;
	const char *why;

	prandom_seed_state(&rnd, 0x5734);
	for (i = 0; i < 20000; i++) {
		struct smmu_vste_limits limits = {
			.ipa_bits = 32 + prandom_u32_state(&rnd) % 21,
			.ssid_bits = prandom_u32_state(&rnd) % 21,
			.cd2l = prandom_u32_state(&rnd) % 2,
			.stall_model = prandom_u32_state(&rnd) % 3,
			.eats_allowed = prandom_u32_state(&rnd) % 2,
		};
		u64 ptr = 64ULL << prandom_u32_state(&rnd) % 48;
		u64 word0 = 1 | 5 << 1 | prandom_u32_state(&rnd) % 4 << 4 | ptr |
			    (u64)(prandom_u32_state(&rnd) % 32) << 59;
		u64 word1 = prandom_u32_state(&rnd) & 0x380000ff;
		__le64 vste[2] = { cpu_to_le64(word0), cpu_to_le64(word1) };
		u64 cdmax = word0 >> 59;

		if (check(word0, word1, &limits, &kind, &why))
			continue;
		passed++;
		KUNIT_ASSERT_EQ(test, kind, SMMU_VSTE_S1);
		smmu_ste_make_nested(&ste, &s2_a, vste, false);
		word0 = le64_to_cpu(ste.data[0]);
		word1 = le64_to_cpu(ste.data[1]);
		KUNIT_ASSERT_EQ(test, field_of(word0, 3, 0), 0xf);
		KUNIT_ASSERT_LE(test, cdmax, limits.ssid_bits);
		KUNIT_ASSERT_TRUE(test, !cdmax || !field_of(word0, 5, 4) ||
				  limits.cd2l);
		KUNIT_ASSERT_EQ(test, field_of(word0, 55, 6) << 6 >> limits.ipa_bits,
				0);
		KUNIT_ASSERT_TRUE(test, !field_of(word1, 27, 27) ||
				  !limits.stall_model);
		KUNIT_ASSERT_EQ(test, field_of(word1, 29, 28), 0);
		KUNIT_ASSERT_EQ(test, field_of(word1, 31, 30), 0);
	}
	KUNIT_EXPECT_GT(test, passed, 100);
}

static struct kunit_case vste_cases[] = {
	KUNIT_CASE(vste_config),
	KUNIT_CASE(vste_bits),
	KUNIT_CASE(vste_s1),
	KUNIT_CASE(vste_pasids),
	KUNIT_CASE(vste_alignment),
	KUNIT_CASE(vste_random),
	{}
};

static struct kunit_suite vste_suite = {
	.name = "smmuv3-nested-vste",
	.test_cases = vste_cases,
};

kunit_test_suites(&ste_suite, &vste_suite);

MODULE_DESCRIPTION("KUnit tests of smmuv3-nested");
MODULE_LICENSE("GPL");
