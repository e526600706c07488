// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of what a guest's context entry and PASID tables say: every bit of an entry, and
 * walks through memory that a guest has made, compared with a model.
 *
 * The expectations are written in bit numbers of their own, after the architecture's text
 * (Intel Virtualization Technology for Directed I/O, 9.4 to 9.6): they do not share the
 * field definitions of the code that they check.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

/* The functions depend on nothing, so any kernel can run them. */
#include "pasid.c"

#define B(n)		BIT_ULL(n)
/* MGAW of 47 bits: addresses have 48 */
#define CAP_48		((u64)47 << 16)
#define CAP_LA57	B(60)
#define ALL_ECAP	(B(2) | B(6) | B(29) | B(31) | B(34) | B(40) | B(43) | B(47))

static const struct vtd_limits rich = {
	.cap = CAP_48 | CAP_LA57,
	.ecap = ALL_ECAP,
	.pasid_bits = 19,
};

/* First stage alone, four levels, no PASIDs */
static const struct vtd_limits poor = {
	.cap = CAP_48,
	.ecap = B(43) | B(47),
};

/* --- Context entries ------------------------------------------------------- */

static void set_words(__le64 *to, const u64 *from, u32 num)
{
	while (num--)
		to[num] = cpu_to_le64(from[num]);
}

static int check_context(u64 word0, u64 word1, u64 word2, u64 word3,
			 const struct vtd_limits *limits,
			 struct vtd_context *context)
{
	const u64 from[4] = { word0, word1, word2, word3 };
	const char *why = NULL;
	__le64 words[4];
	int ret;

	set_words(words, from, 4);
	memset(context, 0xff, sizeof(*context));
	ret = vtd_context_check(words, limits, context, &why);
	return ret && !why ? -ENODATA : ret;
}

static void context_fields(struct kunit *test)
{
	struct vtd_context context;

	KUNIT_EXPECT_EQ(test, 0, check_context(0x123456789000ULL | 3 << 9 | 0x1d,
					       0, 0, 0, &rich, &context));
	KUNIT_EXPECT_TRUE(test, context.present);
	KUNIT_EXPECT_TRUE(test, context.pasids);
	KUNIT_EXPECT_TRUE(test, context.page_requests);
	KUNIT_EXPECT_EQ(test, 0x123456789000ULL, context.directory);
	KUNIT_EXPECT_EQ(test, 64U << 10, context.pasid_limit);

	KUNIT_EXPECT_EQ(test, 0, check_context(0x1003, 0, 0, 0, &poor, &context));
	KUNIT_EXPECT_TRUE(test, context.present);
	KUNIT_EXPECT_FALSE(test, context.pasids);
	KUNIT_EXPECT_FALSE(test, context.page_requests);
	KUNIT_EXPECT_EQ(test, 64U << 7, context.pasid_limit);
}

/* Without P nothing else is looked at. */
static void context_absent(struct kunit *test)
{
	struct vtd_context context;

	KUNIT_EXPECT_EQ(test, 0, check_context(~B(0), ~0ULL, ~0ULL, ~0ULL, &poor,
					       &context));
	KUNIT_EXPECT_FALSE(test, context.present);
	KUNIT_EXPECT_EQ(test, 0U, context.pasid_limit);
}

static void context_bits(struct kunit *test)
{
	/* P FPD DTE PASIDE PRE PDTS and an address of 48 bits; poor: not DTE to PRE */
	const u64 known_rich = 0x0000ffffffffffffULL & ~0x1e0ULL;
	const u64 known_poor = known_rich & ~0x1cULL;
	struct vtd_context context;
	int bit, word;

	for (bit = 1; bit < 64; bit++) {
		KUNIT_EXPECT_EQ_MSG(test, known_rich & B(bit) ? 0 : -EINVAL,
				    check_context(1 | B(bit), 0, 0, 0, &rich,
						  &context), "bit %d", bit);
		KUNIT_EXPECT_EQ_MSG(test, known_poor & B(bit) ? 0 : -EINVAL,
				    check_context(1 | B(bit), 0, 0, 0, &poor,
						  &context), "bit %d", bit);
	}
	for (word = 1; word < 4; word++)
		for (bit = 0; bit < 64; bit++)
			KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
					    check_context(1, word == 1 ? B(bit) : 0,
							  word == 2 ? B(bit) : 0,
							  word == 3 ? B(bit) : 0,
							  &rich, &context),
					    "word %d bit %d", word, bit);
}

/* --- PASID table entries --------------------------------------------------- */

static int check_entry(const u64 *from, const struct vtd_limits *limits,
		       struct vtd_entry *entry)
{
	__le64 words[PTE_WORDS];
	const char *why = NULL;
	int ret;

	set_words(words, from, PTE_WORDS);
	memset(entry, 0xff, sizeof(*entry));
	ret = vtd_entry_check(words, limits, entry, &why);
	return ret && !why ? -ENODATA : ret;
}

static void entry_first_stage(struct kunit *test)
{
	/* 5 levels, SRE, WPE, EAFE; AW, PWSNP and PGSNP, which do not matter */
	const u64 words[PTE_WORDS] = {
		1 | 2 << 2 | 1 << 6, 0xbeef | B(23) | B(24),
		0xabcdef123000ULL | 1 << 2 | B(0) | B(4) | B(7), 0, ~0ULL, ~0ULL,
	};
	struct vtd_entry entry;

	KUNIT_EXPECT_EQ(test, 0, check_entry(words, &rich, &entry));
	KUNIT_EXPECT_EQ(test, (int)VTD_STAGE1, (int)entry.kind);
	KUNIT_EXPECT_EQ(test, 0xbeef, (int)entry.did);
	KUNIT_EXPECT_EQ(test, 0xabcdef123000ULL, entry.table);
	KUNIT_EXPECT_TRUE(test, entry.five_levels);
	KUNIT_EXPECT_TRUE(test, entry.sre);
	KUNIT_EXPECT_TRUE(test, entry.wpe);
	KUNIT_EXPECT_TRUE(test, entry.eafe);
	KUNIT_EXPECT_EQ(test, -EINVAL, check_entry(words, &poor, &entry));
	KUNIT_EXPECT_EQ(test, (int)VTD_BLOCKED, (int)entry.kind);
}

static void entry_types(struct kunit *test)
{
	u64 words[PTE_WORDS] = { 0, 5 };
	struct vtd_limits no_first = rich;
	struct vtd_entry entry;
	int type;

	for (type = 0; type < 8; type++) {
		words[0] = 1 | type << 6;
		KUNIT_EXPECT_EQ_MSG(test, type == 1 || type == 4 ? 0 : -EINVAL,
				    check_entry(words, &rich, &entry),
				    "type %d", type);
		KUNIT_EXPECT_EQ_MSG(test, type == 1 ? 0 : -EINVAL,
				    check_entry(words, &poor, &entry),
				    "type %d", type);
	}
	words[0] = 1 | 4 << 6;
	KUNIT_EXPECT_EQ(test, 0, check_entry(words, &rich, &entry));
	KUNIT_EXPECT_EQ(test, (int)VTD_PASSTHROUGH, (int)entry.kind);
	KUNIT_EXPECT_EQ(test, 5, (int)entry.did);
	no_first.ecap &= ~B(47);
	words[0] = 1 | 1 << 6;
	KUNIT_EXPECT_EQ(test, -EINVAL, check_entry(words, &no_first, &entry));
	words[0] = 1 << 6;
	KUNIT_EXPECT_EQ(test, 0, check_entry(words, &rich, &entry));
	KUNIT_EXPECT_EQ(test, (int)VTD_BLOCKED, (int)entry.kind);
}

/* Each bit in addition to a legal entry for the first stage of four levels */
static void entry_bits(struct kunit *test)
{
	const u64 known[4] = {
		/* P, FPD, AW, PGTT, SSADE, SSPTPTR; PGTT is a matter of its own */
		~0ULL & ~(B(5) | B(10) | B(11)),
		GENMASK_ULL(15, 0) | B(23) | B(24),
		GENMASK_ULL(47, 12) | B(0) | B(2) | B(4) | B(7),
		0,
	};
	struct vtd_entry entry;
	int word, bit;

	for (word = 0; word < PTE_WORDS; word++) {
		for (bit = 0; bit < 64; bit++) {
			u64 words[PTE_WORDS] = { 1 | 1 << 6 };
			u64 ok = word < 4 ? known[word] : ~0ULL;

			if (word == 0 && (bit == 0 || (bit >= 6 && bit <= 8)))
				continue;
			words[word] |= B(bit);
			KUNIT_EXPECT_EQ_MSG(test, ok & B(bit) ? 0 : -EINVAL,
					    check_entry(words, &rich, &entry),
					    "word %d bit %d", word, bit);
		}
	}
}

static void entry_comparison(struct kunit *test)
{
	const struct vtd_entry base = {
		.kind = VTD_STAGE1, .did = 1, .table = SZ_4K,
	};
	struct vtd_entry other[8];
	int i;

	for (i = 0; i < ARRAY_SIZE(other); i++)
		other[i] = base;
	other[1].kind = VTD_PASSTHROUGH;
	other[2].did = 2;
	other[3].five_levels = true;
	other[4].sre = true;
	other[5].wpe = true;
	other[6].eafe = true;
	other[7].table = SZ_8K;
	for (i = 0; i < ARRAY_SIZE(other); i++)
		KUNIT_EXPECT_EQ_MSG(test, i == 0,
				    vtd_entry_equal(&base, &other[i]), "%d", i);
}

/* --- Walks ----------------------------------------------------------------- */

#define PAGES		64
#define MODEL_PASIDS	8192

/* Guest memory: PAGES pages from address 1 << 20 on */
struct model {
	__le64 *words;
	u64 num_reads;
	u64 fail_at;
	u8 *visited;
	u32 last;
	u32 num_visits;
	u32 stop_after;
	struct kunit *test;
};

#define MODEL_BASE	SZ_1M

static int model_read(void *data, u64 address, void *to, size_t len)
{
	struct model *model = data;
	u64 offset = address - MODEL_BASE;

	KUNIT_EXPECT_LE(model->test, (address & 4095) + len, 4096);
	if (++model->num_reads == model->fail_at)
		return -EAGAIN;
	if (offset >= PAGES * SZ_4K)
		return -ENXIO;
	memcpy(to, (void *)model->words + offset, len);
	return 0;
}

static int model_visit(void *data, u32 pasid, const struct vtd_entry *entry)
{
	struct model *model = data;

	KUNIT_EXPECT_NE(model->test, (int)VTD_BLOCKED, (int)entry->kind);
	KUNIT_ASSERT_LT(model->test, pasid, MODEL_PASIDS);
	/* In order, and so each at most once */
	if (model->num_visits)
		KUNIT_EXPECT_GT(model->test, pasid, model->last);
	model->last = pasid;
	model->visited[pasid] = entry->kind;
	return ++model->num_visits == model->stop_after ? -ENOSPC : 0;
}

static struct model *make_model(struct kunit *test)
{
	struct model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, model);
	model->test = test;
	model->words = kunit_kzalloc(test, PAGES * SZ_4K, GFP_KERNEL);
	model->visited = kunit_kzalloc(test, MODEL_PASIDS, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, model->words);
	KUNIT_ASSERT_NOT_NULL(test, model->visited);
	return model;
}

static u64 page_address(u32 page)
{
	return MODEL_BASE + (u64)page * SZ_4K;
}

/* The directory is in the first page. */
static const struct vtd_context model_context = {
	.present = true,
	.pasids = true,
	.directory = MODEL_BASE,
	.pasid_limit = MODEL_PASIDS,
};

static int run_walk(struct model *model, const struct vtd_context *context,
		    const struct vtd_limits *limits)
{
	const struct vtd_memory memory = { model_read, model };
	const struct vtd_visitor visitor = { model_visit, model };

	model->num_visits = 0;
	model->num_reads = 0;
	memset(model->visited, 0, MODEL_PASIDS);
	return vtd_pasid_walk(&memory, context, limits, &visitor);
}

/* What the tables say for a PASID, in the words of the architecture */
static int model_kind(struct model *model, u32 pasid)
{
	u64 pde = le64_to_cpu(model->words[pasid / 64]);
	u64 table = pde & GENMASK_ULL(47, 12);
	u64 offset = table - MODEL_BASE + pasid % 64 * 64;
	u64 words[PTE_WORDS];
	struct vtd_entry entry;
	int i;

	if (!(pde & 1) || pde & (GENMASK_ULL(11, 2) | GENMASK_ULL(63, 48)) ||
	    offset >= PAGES * SZ_4K)
		return VTD_BLOCKED;
	for (i = 0; i < PTE_WORDS; i++)
		words[i] = le64_to_cpu(model->words[offset / 8 + i]);
	return check_entry(words, &rich, &entry) ? VTD_BLOCKED : entry.kind;
}

static void compare_with_model(struct model *model)
{
	const struct vtd_memory memory = { model_read, model };
	struct vtd_entry entry;
	const char *why;
	u32 pasid;

	for (pasid = 0; pasid < MODEL_PASIDS; pasid++) {
		int kind = model_kind(model, pasid);

		if (model->visited[pasid] != kind)
			KUNIT_FAIL(model->test, "walk, PASID %u: %d, not %d",
				   pasid, model->visited[pasid], kind);
		KUNIT_ASSERT_EQ(model->test, 0,
				vtd_pasid_read(&memory, &model_context, &rich,
					       pasid, &entry, &why));
		if (entry.kind != kind)
			KUNIT_FAIL(model->test, "read, PASID %u: %d, not %d",
				   pasid, entry.kind, kind);
	}
}

static u64 random_entry_word(struct rnd_state *rnd, int word)
{
	static const u64 usual[4] = { 1 | 1 << 6, 7, SZ_1M, 0 };

	if (word >= 4 || prandom_u32_state(rnd) % 64)
		return word < 4 ? usual[word] : 0;
	return (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);
}

static void walk_random(struct kunit *test)
{
	struct model *model = make_model(test);
	struct rnd_state rnd;
	int round, i, j;

	prandom_seed_state(&rnd, 5);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 128; i++) {
			u32 what = prandom_u32_state(&rnd) % 8;
			u64 pde = page_address(prandom_u32_state(&rnd) % PAGES) | 1;

			if (what == 0)
				pde &= ~1ULL;
			else if (what == 1)
				pde |= B(prandom_u32_state(&rnd) % 64);
			else if (what == 2)
				pde = page_address(PAGES + i) | 1;
			model->words[i] = cpu_to_le64(pde);
		}
		for (i = 1; i < PAGES; i++)
			for (j = 0; j < 512; j++)
				model->words[i * 512 + j] =
					cpu_to_le64(random_entry_word(&rnd, j % 8));
		KUNIT_ASSERT_EQ(test, 0, run_walk(model, &model_context, &rich));
		/* Each directory entry once, one table at most for each */
		KUNIT_EXPECT_LE(test, model->num_reads, 256);
		KUNIT_EXPECT_GT(test, model->num_visits, 1000);
		compare_with_model(model);
	}
}

/* All of the directory refers to itself, or to one table that is full. */
static void walk_loops(struct kunit *test)
{
	struct model *model = make_model(test);
	int i;

	for (i = 0; i < 512; i++)
		model->words[i] = cpu_to_le64(page_address(0) | 1);
	KUNIT_EXPECT_EQ(test, 0, run_walk(model, &model_context, &rich));
	KUNIT_EXPECT_LE(test, model->num_reads, 256);

	for (i = 0; i < 128; i++)
		model->words[i] = cpu_to_le64(page_address(1) | 1);
	for (i = 0; i < 512; i += 8)
		model->words[512 + i] = cpu_to_le64(1 | 1 << 6);
	KUNIT_EXPECT_EQ(test, 0, run_walk(model, &model_context, &rich));
	KUNIT_EXPECT_EQ(test, MODEL_PASIDS, model->num_visits);
	KUNIT_EXPECT_LE(test, model->num_reads, 256);
	compare_with_model(model);

	/* A visitor that has enough, and memory that is not there yet */
	model->stop_after = 100;
	KUNIT_EXPECT_EQ(test, -ENOSPC, run_walk(model, &model_context, &rich));
	KUNIT_EXPECT_EQ(test, 100, model->num_visits);
	model->stop_after = 0;
	model->fail_at = 7;
	KUNIT_EXPECT_EQ(test, -EAGAIN, run_walk(model, &model_context, &rich));
}

/* PASIDs beyond what the context, the guest or the entry permits */
static void walk_limits(struct kunit *test)
{
	const struct vtd_memory memory = { NULL, NULL };
	struct vtd_context context = model_context;
	struct model *model = make_model(test);
	struct vtd_limits limits = rich;
	struct vtd_entry entry;
	const char *why;
	int i;

	for (i = 0; i < 128; i++)
		model->words[i] = cpu_to_le64(page_address(1) | 1);
	for (i = 0; i < 512; i += 8)
		model->words[512 + i] = cpu_to_le64(1 | 1 << 6);

	limits.pasid_bits = 7;
	KUNIT_EXPECT_EQ(test, 0, run_walk(model, &context, &limits));
	KUNIT_EXPECT_EQ(test, 128, model->num_visits);
	/* Nothing is read for what is out of range. */
	KUNIT_EXPECT_EQ(test, 0, vtd_pasid_read(&memory, &context, &limits, 128,
						&entry, &why));
	KUNIT_EXPECT_EQ(test, (int)VTD_BLOCKED, (int)entry.kind);
	KUNIT_EXPECT_EQ(test, 0, vtd_pasid_read(&memory, &context, &limits, ~0U,
						&entry, &why));

	context.pasids = false;
	KUNIT_EXPECT_EQ(test, 0, run_walk(model, &context, &limits));
	KUNIT_EXPECT_EQ(test, 1, model->num_visits);
	KUNIT_EXPECT_EQ(test, 0, model->last);
	context.present = false;
	KUNIT_EXPECT_EQ(test, 0, run_walk(model, &context, &limits));
	KUNIT_EXPECT_EQ(test, 0, model->num_visits);
	KUNIT_EXPECT_EQ(test, 0, model->num_reads);
}

static struct kunit_case pasid_cases[] = {
	KUNIT_CASE(context_fields),
	KUNIT_CASE(context_absent),
	KUNIT_CASE(context_bits),
	KUNIT_CASE(entry_first_stage),
	KUNIT_CASE(entry_types),
	KUNIT_CASE(entry_bits),
	KUNIT_CASE(entry_comparison),
	KUNIT_CASE(walk_random),
	KUNIT_CASE(walk_loops),
	KUNIT_CASE(walk_limits),
	{}
};

static struct kunit_suite pasid_suite = {
	.name = "vtd-nested-pasid",
	.test_cases = pasid_cases,
};

kunit_test_suites(&pasid_suite);

MODULE_DESCRIPTION("KUnit tests of vtd-nested");
MODULE_LICENSE("GPL");
