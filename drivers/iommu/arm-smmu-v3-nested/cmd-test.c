// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of commands: what the builders write, that the commands for a range cover
 * it exactly, and which of a guest's commands are let through.
 *
 * The expectations are written in bit numbers and tables of their own, after the
 * architecture's text (Arm IHI 0070, chapter 4): they share neither the field
 * definitions nor the tables of the code that they check.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

/* The functions depend on nothing, so any kernel can run them. */
#include "cmd.c"
#include "vcmd.c"

static u64 field_of(u64 word, unsigned int hi, unsigned int lo)
{
	return word << (63 - hi) >> (63 - hi + lo);
}

static void poison(__le64 cmd[CMD_DWORDS])
{
	memset(cmd, 0xff, CMD_DWORDS * sizeof(*cmd));
}

/* Leaves @cmd so that a builder which forgets a bit is found out. */
static void expect_cmd(struct kunit *test, __le64 cmd[CMD_DWORDS], u64 word0,
		       u64 word1)
{
	KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(cmd[0]), word0, "%#llx", word0);
	KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(cmd[1]), word1, "%#llx", word0);
	poison(cmd);
}

static void cmd_layout_cfgi(struct kunit *test)
{
	__le64 cmd[CMD_DWORDS];

	poison(cmd);
	smmu_cmd_cfgi_ste(cmd, 0xfedcba98, true);
	expect_cmd(test, cmd, 0xfedcba9800000003ULL, 1ULL);
	smmu_cmd_cfgi_ste(cmd, 0x100, false);
	expect_cmd(test, cmd, 0x10000000003ULL, 0ULL);
	smmu_cmd_cfgi_all(cmd);
	expect_cmd(test, cmd, 0x4ULL, 31ULL);
	smmu_cmd_cfgi_cd(cmd, 0x12345678, 0xabcde, true);
	expect_cmd(test, cmd, 0x12345678abcde005ULL, 1ULL);
	smmu_cmd_cfgi_cd(cmd, 0x12345678, 0, false);
	expect_cmd(test, cmd, 0x1234567800000005ULL, 0ULL);
	smmu_cmd_cfgi_cd_all(cmd, 0x12345678);
	expect_cmd(test, cmd, 0x1234567800000006ULL, 0ULL);
}

static void cmd_layout_tlbi(struct kunit *test)
{
	__le64 cmd[CMD_DWORDS];

	poison(cmd);
	smmu_cmd_tlbi_nh_all(cmd, 0xabcd);
	expect_cmd(test, cmd, 0xabcd00000010ULL, 0ULL);
	smmu_cmd_tlbi_s12_vmall(cmd, 0xabcd);
	expect_cmd(test, cmd, 0xabcd00000028ULL, 0ULL);
	smmu_cmd_tlbi_nsnh_all(cmd);
	expect_cmd(test, cmd, 0x30ULL, 0ULL);
	smmu_cmd_tlbi_el2_all(cmd);
	expect_cmd(test, cmd, 0x20ULL, 0ULL);
	smmu_cmd_tlbi_s2_ipa(cmd, 0xabcd, true);
	expect_cmd(test, cmd, 0xabcd0000002aULL, 1ULL);
	smmu_cmd_tlbi_s2_ipa(cmd, 1, false);
	expect_cmd(test, cmd, 0x10000002aULL, 0ULL);
}

static void cmd_layout_others(struct kunit *test)
{
	__le64 cmd[CMD_DWORDS];

	poison(cmd);
	smmu_cmd_atc_inv(cmd, 0x12345678, false, 0xabcde, true,
			 0xfffffffffffff000ULL, 52);
	expect_cmd(test, cmd, 0x1234567800000040ULL, 0xfffffffffffff034ULL);
	smmu_cmd_atc_inv(cmd, 0x12345678, true, 0xabcde, false, 0x5000, 0);
	expect_cmd(test, cmd, 0x12345678abcde840ULL, 0x5000ULL);
	smmu_cmd_atc_inv(cmd, 0x12345678, true, 0xabcde, true, 0x8000, 3);
	expect_cmd(test, cmd, 0x12345678abcdea40ULL, 0x8003ULL);
	smmu_cmd_pri_resp(cmd, 0x12345678, false, 0xabcde, 0x1ff,
			  CMD_PRI_RESP_FAILURE);
	expect_cmd(test, cmd, 0x1234567800000041ULL, 0x1ffULL);
	smmu_cmd_pri_resp(cmd, 0x12345678, true, 0xabcde, 0x155,
			  CMD_PRI_RESP_SUCCESS);
	expect_cmd(test, cmd, 0x12345678abcde841ULL, 0x2155ULL);
	smmu_cmd_resume(cmd, 0x12345678, 0xfedc, CMD_RESUME_TERMINATE);
	expect_cmd(test, cmd, 0x1234567800000044ULL, 0xfedcULL);
	smmu_cmd_resume(cmd, 0x12345678, 0xfedc, CMD_RESUME_RETRY);
	expect_cmd(test, cmd, 0x1234567800001044ULL, 0xfedcULL);
	smmu_cmd_resume(cmd, 0x12345678, 0xfedc, CMD_RESUME_ABORT);
	expect_cmd(test, cmd, 0x1234567800002044ULL, 0xfedcULL);
	smmu_cmd_stall_term(cmd, 0x12345678);
	expect_cmd(test, cmd, 0x1234567800000045ULL, 0ULL);
	smmu_cmd_sync(cmd);
	expect_cmd(test, cmd, 0x46ULL, 0ULL);
}

/**
 * struct cover - what the commands for a range do
 * @commands: their number
 * @first: first byte that they cover
 * @next: byte after the last
 * @bad: text about the first that is not as it should be
 */
struct cover {
	unsigned int commands;
	u64 first;
	u64 next;
	const char *bad;
};

/* The size of what one command invalidates; 0 if it is not legal */
static u64 command_span(const __le64 cmd[CMD_DWORDS], u8 unit_shift, bool ril,
			const char **bad)
{
	static const u8 tg_shift[] = { 0, 12, 14, 16 };
	u64 word0 = le64_to_cpu(cmd[0]), word1 = le64_to_cpu(cmd[1]);
	u64 num = field_of(word0, 16, 12), scale = field_of(word0, 25, 20);
	u64 ttl = field_of(word1, 9, 8), tg = field_of(word1, 11, 10);
	u64 addr = word1 & ~0xfffULL;
	u8 level_shift;

	if (!tg) {
		if (num || scale || ttl)
			*bad = "NUM, SCALE or TTL without TG";
		return 1ULL << unit_shift;
	}
	if (!ril)
		*bad = "TG without RIL";
	if (!num && !scale && !ttl)
		*bad = "the reserved combination";
	if (scale > 31)
		*bad = "SCALE of six bits";
	if (tg == 2 && ttl == 1)
		*bad = "level 1 of 16 KiB";
	if (tg_shift[tg] != unit_shift)
		*bad = "TG of another granule";
	level_shift = unit_shift + (ttl ? 3 - ttl : 0) * (unit_shift - 3);
	if (addr & ((1ULL << level_shift) - 1))
		*bad = "an address that is not aligned to TTL";
	return (num + 1) << scale << unit_shift;
}

static void cover_range(struct cover *cover, u64 addr, u64 size, u8 granule,
			u8 leaf, bool ril)
{
	u8 unit = ril ? granule : max(granule, leaf);
	struct smmu_tlbi_range range;
	__le64 cmd[CMD_DWORDS];

	memset(cover, 0, sizeof(*cover));
	smmu_cmd_tlbi_s2_ipa(cmd, 0xabcd, true);
	smmu_tlbi_range_init(&range, addr, size, granule, leaf, ril);
	while (smmu_tlbi_range_next(&range, cmd)) {
		u64 at = le64_to_cpu(cmd[1]) & ~0xfffULL;

		if ((le64_to_cpu(cmd[0]) & ~0x03f1f000ULL) != 0xabcd0000002aULL ||
		    (le64_to_cpu(cmd[1]) & 0xff) != 1)
			cover->bad = "the template was changed";
		if (!cover->commands)
			cover->first = at;
		else if (at != cover->next)
			cover->bad = "a gap or an overlap";
		cover->next = at + command_span(cmd, unit, ril, &cover->bad);
		cover->commands++;
		if (cover->bad || cover->commands > 100000)
			break;
	}
}

/*
 * Commands that a number of units may take: one for each digit of five bits that
 * is not zero, counted from the lowest bit set, and one for each 32 units of the
 * largest size, 1 << 31.
 */
static unsigned int max_commands(u64 units)
{
	u64 low = units & 0x7fffffff, high = units >> 31;
	unsigned int n = (high + 31) / 32;

	while (low) {
		low >>= __ffs64(low);
		low >>= 5;
		n++;
	}
	return n;
}

static void expect_exact(struct kunit *test, u64 addr, u64 size, u8 granule,
			 u8 leaf, bool ril)
{
	u8 unit = ril ? granule : max(granule, leaf);
	u64 first = addr >> unit << unit;
	u64 units = ((addr + size - 1) >> unit) - (addr >> unit) + 1;
	u64 next = first + (units << unit);
	struct cover cover;

	cover_range(&cover, addr, size, granule, leaf, ril);
	KUNIT_ASSERT_NULL_MSG(test, cover.bad,
			      "%llx+%llx granule %u leaf %u ril %u: %s", addr,
			      size, granule, leaf, ril, cover.bad);
	KUNIT_ASSERT_EQ_MSG(test, cover.first, first,
			    "%llx+%llx granule %u leaf %u ril %u", addr, size,
			    granule, leaf, ril);
	KUNIT_ASSERT_EQ_MSG(test, cover.next, next,
			    "%llx+%llx granule %u leaf %u ril %u", addr, size,
			    granule, leaf, ril);
	if (ril)
		KUNIT_ASSERT_LE_MSG(test, cover.commands, max_commands(units),
				    "%llx+%llx granule %u leaf %u", addr, size,
				    granule, leaf);
	else
		KUNIT_ASSERT_EQ(test, cover.commands, units);
}

static const u8 granules[] = { 12, 14, 16 };

/* Every number of pages, to where the digits repeat */
static void tlbi_range_pages(struct kunit *test)
{
	static const u64 starts[] = { 0, 0x10000, 0x7fff0000, 0xffff80000000ULL };
	unsigned int g, s;
	u64 pages;

	for (g = 0; g < ARRAY_SIZE(granules); g++) {
		for (s = 0; s < ARRAY_SIZE(starts); s++) {
			for (pages = 1; pages <= 2100; pages++) {
				u64 size = pages << granules[g];

				expect_exact(test, starts[s], size, granules[g],
					     granules[g], true);
				expect_exact(test, starts[s], size, granules[g],
					     0, true);
			}
			for (pages = 1; pages <= 300; pages += 23)
				expect_exact(test, starts[s],
					     pages << granules[g], granules[g],
					     granules[g], false);
		}
	}
}

/* Blocks: the hint is given, and every address is aligned to it. */
static void tlbi_range_blocks(struct kunit *test)
{
	unsigned int g, level, n;
	struct smmu_tlbi_range range;

	for (g = 0; g < ARRAY_SIZE(granules); g++) {
		u8 granule = granules[g];

		for (level = 1; level < 3; level++) {
			u8 leaf = granule + (3 - level) * (granule - 3);
			bool hint = !(granule == 14 && level == 1);

			for (n = 1; n <= 100; n++) {
				u64 addr = 5ULL << leaf, size = (u64)n << leaf;

				expect_exact(test, addr, size, granule, leaf, true);
				expect_exact(test, addr, size, granule, leaf,
					     false);
				smmu_tlbi_range_init(&range, addr, size, granule,
						     leaf, true);
				KUNIT_ASSERT_EQ(test, range.ttl, hint ? level : 0);
				/* No hint that the hardware cannot take */
				smmu_tlbi_range_init(&range,
						     addr + BIT_ULL(granule),
						     size, granule, leaf, true);
				KUNIT_ASSERT_EQ(test, range.ttl, 0);
				smmu_tlbi_range_init(&range, addr,
						     size + BIT_ULL(granule),
						     granule, leaf, true);
				KUNIT_ASSERT_EQ(test, range.ttl, 0);
			}
		}
	}

	/* Contiguous entries are where a single one is. */
	smmu_tlbi_range_init(&range, SZ_64K, SZ_64K, 12, 16, true);
	KUNIT_EXPECT_EQ(test, range.ttl, 3);
	smmu_tlbi_range_init(&range, SZ_32M, SZ_32M, 12, 25, true);
	KUNIT_EXPECT_EQ(test, range.ttl, 2);
	/* There is no word for level 0. */
	smmu_tlbi_range_init(&range, 0, BIT_ULL(39), 12, 39, true);
	KUNIT_EXPECT_EQ(test, range.ttl, 0);
	expect_exact(test, 0, BIT_ULL(39), 12, 39, true);
	/* Not known: no hint */
	smmu_tlbi_range_init(&range, 0, SZ_4K, 12, 0, true);
	KUNIT_EXPECT_EQ(test, range.ttl, 0);
}

/* Ranges from one byte to the whole address space */
static void tlbi_range_random(struct kunit *test)
{
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, 0x1b1);
	for (i = 0; i < 100000; i++) {
		u8 granule = granules[i % 3];
		u8 leaf = prandom_u32_state(&rnd) % 2 ? granule : 0;
		u64 addr = (u64)prandom_u32_state(&rnd) << 32 |
			   prandom_u32_state(&rnd);
		u64 size = (u64)prandom_u32_state(&rnd) << 32 |
			   prandom_u32_state(&rnd);

		addr >>= 12 + prandom_u32_state(&rnd) % 20;
		size = (size >> prandom_u32_state(&rnd) % 20 % 64 >> 13) + 1;
		size >>= prandom_u32_state(&rnd) % 48;
		size += !size;
		expect_exact(test, addr, size, granule, leaf, true);
	}
}

static void tlbi_range_extremes(struct kunit *test)
{
	struct smmu_tlbi_range range;
	__le64 cmd[CMD_DWORDS] = { cpu_to_le64(0x12), cpu_to_le64(0x34) };
	unsigned int g, shift;

	/* Nothing to do, and nothing done */
	smmu_tlbi_range_init(&range, 0x1000, 0, 12, 12, true);
	KUNIT_EXPECT_FALSE(test, smmu_tlbi_range_next(&range, cmd));
	smmu_tlbi_range_init(&range, 0, 0, 12, 12, false);
	KUNIT_EXPECT_FALSE(test, smmu_tlbi_range_next(&range, cmd));
	expect_cmd(test, cmd, 0x12ULL, 0x34ULL);

	for (g = 0; g < ARRAY_SIZE(granules); g++) {
		for (shift = granules[g]; shift < 56; shift++) {
			expect_exact(test, 0, BIT_ULL(shift), granules[g], 0, true);
			expect_exact(test, 0, BIT_ULL(shift) - 1, granules[g], 0,
				     true);
			expect_exact(test, 0, BIT_ULL(shift) + 1, granules[g], 0,
				     true);
		}
		/* up to the last byte, and no further */
		expect_exact(test, 0, U64_MAX, granules[g], 0, true);
		expect_exact(test, U64_MAX - 0xfffff, SZ_1M, granules[g], 0, true);
		smmu_tlbi_range_init(&range, U64_MAX - 0xfffff, SZ_2M,
				     granules[g], 0, true);
		KUNIT_EXPECT_EQ(test, range.pages, SZ_1M >> granules[g]);
	}

	/* The one page of unknown level takes the form without a range. */
	smmu_cmd_tlbi_s2_ipa(cmd, 1, false);
	smmu_tlbi_range_init(&range, 0x5000, SZ_4K, 12, 0, true);
	KUNIT_EXPECT_TRUE(test, smmu_tlbi_range_next(&range, cmd));
	expect_cmd(test, cmd, 0x10000002aULL, 0x5000ULL);
	KUNIT_EXPECT_FALSE(test, smmu_tlbi_range_next(&range, cmd));
	/* of known level it takes the hint: TG=1, TTL=3 */
	smmu_cmd_tlbi_s2_ipa(cmd, 1, false);
	smmu_tlbi_range_init(&range, 0x5000, SZ_4K, 12, 12, true);
	KUNIT_EXPECT_TRUE(test, smmu_tlbi_range_next(&range, cmd));
	expect_cmd(test, cmd, 0x10000002aULL, 0x5700ULL);
	/* 2 MiB in pages: NUM=0, SCALE=9 */
	smmu_cmd_tlbi_s2_ipa(cmd, 1, true);
	smmu_tlbi_range_init(&range, SZ_2M, SZ_2M, 12, 12, true);
	KUNIT_EXPECT_TRUE(test, smmu_tlbi_range_next(&range, cmd));
	expect_cmd(test, cmd, 0x10090002aULL, 0x200701ULL);
}

static void atc_span(struct kunit *test)
{
	u64 first, last, addr, want;
	u8 size, want_size;

	for (first = 0; first < 70; first++) {
		for (last = first; last < 140; last++) {
			for (want_size = 0;; want_size++) {
				want = first >> want_size << want_size;
				if (want + (1 << want_size) > last)
					break;
			}
			smmu_atc_inv_span(first << 12, (last << 12) + 0xfff,
					  &addr, &size);
			KUNIT_ASSERT_EQ(test, size, want_size);
			KUNIT_ASSERT_EQ(test, addr, want << 12);
			smmu_atc_inv_span((first << 12) + 0x123, last << 12,
					  &addr, &size);
			KUNIT_ASSERT_EQ(test, size, want_size);
			KUNIT_ASSERT_EQ(test, addr, want << 12);
		}
	}

	smmu_atc_inv_span(0, U64_MAX, &addr, &size);
	KUNIT_EXPECT_EQ(test, addr, 0);
	KUNIT_EXPECT_EQ(test, size, 52);
	/* On both sides of the middle only everything will do. */
	smmu_atc_inv_span(BIT_ULL(63) - 1, BIT_ULL(63), &addr, &size);
	KUNIT_EXPECT_EQ(test, addr, 0);
	KUNIT_EXPECT_EQ(test, size, 52);
	smmu_atc_inv_span(BIT_ULL(63), U64_MAX, &addr, &size);
	KUNIT_EXPECT_EQ(test, addr, BIT_ULL(63));
	KUNIT_EXPECT_EQ(test, size, 51);
	smmu_atc_inv_span(U64_MAX, U64_MAX, &addr, &size);
	KUNIT_EXPECT_EQ(test, addr, U64_MAX - 0xfff);
	KUNIT_EXPECT_EQ(test, size, 0);
}

static struct kunit_case cmd_cases[] = {
	KUNIT_CASE(cmd_layout_cfgi),
	KUNIT_CASE(cmd_layout_tlbi),
	KUNIT_CASE(cmd_layout_others),
	KUNIT_CASE(tlbi_range_pages),
	KUNIT_CASE(tlbi_range_blocks),
	KUNIT_CASE(tlbi_range_random),
	KUNIT_CASE(tlbi_range_extremes),
	KUNIT_CASE(atc_span),
	{}
};

static struct kunit_suite cmd_suite = {
	.name = "smmuv3-nested-cmd",
	.test_cases = cmd_cases,
};

/* An SMMU with all options, and one with none */
static const struct smmu_vcmd_limits rich = {
	.asid16 = true, .ril = true, .ds = true, .ats = true, .pri = true,
	.stall = true, .ssid_bits = 20,
};

static const struct smmu_vcmd_limits plain;

/* What a guest may send, and the bits of it on an SMMU with all options */
static const struct {
	u8 op;
	u8 kind;
	bool has_sid;
	u64 bits0;
	u64 bits1;
} guest_commands[] = {
	{ 0x01, SMMU_VCMD_DROP, true, 0xfffffffffffff800ULL, 0 },
	{ 0x02, SMMU_VCMD_DROP, true, 0xfffffffffffff800ULL, 0xfffffffffffff3ffULL },
	{ 0x05, SMMU_VCMD_CFGI, true, 0xfffffffffffff000ULL, 0x1 },
	{ 0x06, SMMU_VCMD_CFGI, true, 0xffffffff00000000ULL, 0 },
	{ 0x10, SMMU_VCMD_TLBI, false, 0, 0 },
	{ 0x11, SMMU_VCMD_TLBI, false, 0xffff000000000000ULL, 0 },
	{ 0x12, SMMU_VCMD_TLBI, false, 0xffff000003f1f000ULL, 0xffffffffffffff01ULL },
	{ 0x13, SMMU_VCMD_TLBI, false, 0x0000000003f1f000ULL, 0xffffffffffffff01ULL },
	{ 0x30, SMMU_VCMD_TLBI, false, 0, 0 },
	{ 0x40, SMMU_VCMD_ATC, true, 0xfffffffffffffa00ULL, 0xfffffffffffff03fULL },
	{ 0x41, SMMU_VCMD_PRI_RESP, true, 0xfffffffffffff800ULL, 0x31ff },
	{ 0x44, SMMU_VCMD_RESUME, true, 0xffffffff00003000ULL, 0xffff },
	{ 0x45, SMMU_VCMD_STALL_TERM, true, 0xffffffff00000000ULL, 0 },
	{ 0x46, SMMU_VCMD_SYNC, false, 0, 0 },
};

static int check(u64 word0, u64 word1, const struct smmu_vcmd_limits *limits,
		 struct smmu_vcmd *out, const char **why)
{
	__le64 cmd[CMD_DWORDS] = { cpu_to_le64(word0), cpu_to_le64(word1) };
	int ret;

	memset(out, 0xff, sizeof(*out));
	*why = NULL;
	ret = smmu_vcmd_check(cmd, limits, out, why);
	/* Always a reason, and always one or the other */
	if (!!ret != !!*why)
		return -EUCLEAN;
	return ret;
}

static int result(u64 word0, u64 word1, const struct smmu_vcmd_limits *limits)
{
	struct smmu_vcmd out;
	const char *why;

	return check(word0, word1, limits, &out, &why);
}

/* Every opcode is either on the list, or refused whatever else is set. */
static void vcmd_opcodes(struct kunit *test)
{
	struct smmu_vcmd out;
	const char *why;
	unsigned int op, i;

	for (op = 0; op < 256; op++) {
		for (i = 0; i < ARRAY_SIZE(guest_commands); i++)
			if (guest_commands[i].op == op)
				break;
		if (i == ARRAY_SIZE(guest_commands)) {
			KUNIT_EXPECT_EQ_MSG(test, result(op, 0, &rich),
					    -EOPNOTSUPP, "opcode %#x", op);
			KUNIT_EXPECT_EQ_MSG(test, result(op | ~0xffULL, ~0ULL,
							 &rich),
					    -EOPNOTSUPP, "opcode %#x", op);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, check(op, 0, &rich, &out, &why), 0,
				    "opcode %#x", op);
		KUNIT_EXPECT_EQ(test, out.kind, guest_commands[i].kind);
		KUNIT_EXPECT_EQ(test, out.has_sid, guest_commands[i].has_sid);
		KUNIT_EXPECT_EQ(test, out.vsid, 0);
		/* Some are for an SMMU with ATS, PRI or stalls, the others for any. */
		KUNIT_EXPECT_EQ_MSG(test, result(op, 0, &plain),
				    op == 0x40 || op == 0x41 || op == 0x44 ||
				    op == 0x45 ? -EOPNOTSUPP : 0, "opcode %#x", op);
	}
}

static void vcmd_features(struct kunit *test)
{
	struct smmu_vcmd_limits limits = plain;

	limits.ats = true;
	KUNIT_EXPECT_EQ(test, result(0x40, 0, &limits), 0);
	KUNIT_EXPECT_EQ(test, result(0x41, 0, &limits), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, result(0x44, 0, &limits), -EOPNOTSUPP);
	limits = plain;
	limits.pri = true;
	KUNIT_EXPECT_EQ(test, result(0x40, 0, &limits), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, result(0x41, 0, &limits), 0);
	KUNIT_EXPECT_EQ(test, result(0x45, 0, &limits), -EOPNOTSUPP);
	limits = plain;
	limits.stall = true;
	KUNIT_EXPECT_EQ(test, result(0x41, 0, &limits), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, result(0x44, 0, &limits), 0);
	KUNIT_EXPECT_EQ(test, result(0x45, 0, &limits), 0);
}

static struct smmu_vcmd_answer answer_of(u64 word0, u64 word1)
{
	__le64 cmd[CMD_DWORDS] = { cpu_to_le64(word0), cpu_to_le64(word1) };
	struct smmu_vcmd_answer answer;

	memset(&answer, 0xff, sizeof(answer));
	smmu_vcmd_get_answer(cmd, &answer);
	return answer;
}

static void vcmd_answers(struct kunit *test)
{
	static const u32 resume[] = {
		VFIO_NESTED_RESPONSE_TERMINATE, VFIO_NESTED_RESPONSE_RETRY,
		VFIO_NESTED_RESPONSE_ABORT, VFIO_NESTED_RESPONSE_RETRY,
	};
	static const u32 pri[] = {
		VFIO_NESTED_RESPONSE_TERMINATE, VFIO_NESTED_RESPONSE_ABORT,
		VFIO_NESTED_RESPONSE_RETRY,
	};
	struct smmu_vcmd_answer answer;
	u64 i;

	for (i = 0; i < ARRAY_SIZE(resume); i++) {
		u64 word0 = 0xffffffff00000044ULL | i << 12;

		KUNIT_EXPECT_EQ(test, result(word0, 0xfedc, &rich), 0);
		answer = answer_of(word0, 0xfedc);
		KUNIT_EXPECT_EQ(test, answer.code, resume[i]);
		KUNIT_EXPECT_EQ(test, answer.tag, 0xfedc);
		KUNIT_EXPECT_FALSE(test, answer.ssv);
		KUNIT_EXPECT_EQ(test, answer.ssid, 0);
	}
	for (i = 0; i < ARRAY_SIZE(pri); i++) {
		u64 word0 = 0xffffffffabcde841ULL;

		KUNIT_EXPECT_EQ(test, result(word0, i << 12 | 0x1a5, &rich), 0);
		answer = answer_of(word0, i << 12 | 0x1a5);
		KUNIT_EXPECT_EQ(test, answer.code, pri[i]);
		KUNIT_EXPECT_EQ(test, answer.group, 0x1a5);
		KUNIT_EXPECT_TRUE(test, answer.ssv);
		KUNIT_EXPECT_EQ(test, answer.ssid, 0xabcde);
		/* Without SSV there is no PASID, whatever the field says. */
		answer = answer_of(word0 & ~BIT_ULL(11), i << 12);
		KUNIT_EXPECT_FALSE(test, answer.ssv);
		KUNIT_EXPECT_EQ(test, answer.ssid, 0);
	}
	/* The fourth response is reserved, and would stop the queue. */
	KUNIT_EXPECT_EQ(test, result(0x41, 3 << 12, &rich), -EINVAL);
}

/* Every bit of every command. Fields with rules of their own have other tests. */
static void vcmd_bits(struct kunit *test)
{
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(guest_commands); i++) {
		for (bit = 8; bit < 128; bit++) {
			u64 words[2] = { guest_commands[i].op, 0 };
			u64 allowed = bit < 64 ? guest_commands[i].bits0 :
						 guest_commands[i].bits1;
			u64 mask = BIT_ULL(bit % 64);

			words[bit / 64] |= mask;
			if (!(allowed & mask)) {
				KUNIT_EXPECT_EQ_MSG(test,
						    result(words[0], words[1],
							   &rich),
						    -EINVAL, "opcode %#x bit %u",
						    guest_commands[i].op, bit);
				continue;
			}
			/* The range fields go together. */
			if (guest_commands[i].op == 0x12 ||
			    guest_commands[i].op == 0x13) {
				if (words[0] & 0x03f1f000 || words[1] & 0x300)
					words[1] |= 1 << 10;
				else if (words[1] & 0xc00)
					words[0] |= 1 << 12;
			}
			KUNIT_EXPECT_EQ_MSG(test,
					    result(words[0], words[1], &rich), 0,
					    "opcode %#x bit %u",
					    guest_commands[i].op, bit);
		}
	}
}

/* Bits 7:0 of word 1 are not the opcode's. */
static void vcmd_word1_low(struct kunit *test)
{
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(guest_commands); i++)
		for (bit = 0; bit < 8; bit++)
			KUNIT_EXPECT_EQ_MSG(test,
					    result(guest_commands[i].op,
						   BIT_ULL(bit), &rich),
					    guest_commands[i].bits1 & BIT_ULL(bit) ?
					    0 : -EINVAL,
					    "opcode %#x bit %u",
					    guest_commands[i].op, bit);
}

/* Section 4.4.1.1, said in another way: what is legal */
static bool range_is_legal(u64 tg, u64 ttl, u64 num, u64 scale, bool ril, bool ds)
{
	if (tg == 0)
		return ttl == 0 && num == 0 && scale == 0;
	return ril && (ttl > 0 || num > 0 || scale > 0) &&
	       scale <= (ds ? 39 : 31) && (tg != 2 || ttl != 1 || ds);
}

static void vcmd_ranges(struct kunit *test)
{
	struct smmu_vcmd_limits limits = rich;
	u64 tg, ttl, num, scale;
	unsigned int i, legal = 0;

	for (i = 0; i < 8; i++) {
		u64 op = i & 1 ? 0x12 : 0x13;

		limits.ril = i & 2;
		limits.ds = i & 4;
		for (tg = 0; tg < 4; tg++) {
			for (ttl = 0; ttl < 4; ttl++) {
				for (num = 0; num < 32; num += num < 2 ? 1 : 29) {
					for (scale = 0; scale < 64; scale++) {
						bool want = range_is_legal(tg, ttl, num, scale,
									   limits.ril, limits.ds);
						int ret = result(op | num << 12 | scale << 20,
								 0x1000 | ttl << 8 | tg << 10,
								 &limits);

						KUNIT_ASSERT_EQ_MSG(test, ret, want ? 0 : -EINVAL,
								    "tg %llu ttl %llu num %llu scale %llu limits %u",
								    tg, ttl, num, scale, i);
						legal += want;
					}
				}
			}
		}
	}
	KUNIT_EXPECT_GT(test, legal, 100);
}

static void vcmd_asid(struct kunit *test)
{
	struct smmu_vcmd_limits limits = rich;
	unsigned int bit;
	u64 op;

	limits.asid16 = false;
	for (op = 0x11; op <= 0x12; op++) {
		for (bit = 48; bit < 64; bit++) {
			KUNIT_EXPECT_EQ(test, result(op | BIT_ULL(bit), 0, &rich), 0);
			KUNIT_EXPECT_EQ(test, result(op | BIT_ULL(bit), 0, &limits),
					bit < 56 ? 0 : -EINVAL);
		}
	}
	/* What is an ASID there is a StreamID elsewhere. */
	KUNIT_EXPECT_EQ(test, result(0x06 | BIT_ULL(63), 0, &limits), 0);
}

static void vcmd_ssid(struct kunit *test)
{
	static const u64 ops[] = { 0x01, 0x02, 0x05, 0x40, 0x41 };
	struct smmu_vcmd_limits limits = rich;
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		u64 op = ops[i], ssv = op == 0x05 ? 0 : BIT_ULL(11);

		for (limits.ssid_bits = 0; limits.ssid_bits <= 20;
		     limits.ssid_bits++) {
			for (bit = 0; bit < 20; bit++)
				KUNIT_ASSERT_EQ(test,
						result(op | ssv | BIT_ULL(12 + bit),
						       0, &limits),
						bit < limits.ssid_bits ? 0 : -EINVAL);
			if (ssv)
				KUNIT_ASSERT_EQ(test, result(op | ssv, 0, &limits),
						limits.ssid_bits ? 0 : -EINVAL);
			KUNIT_ASSERT_EQ(test, result(op, 0, &limits), 0);
		}
	}
	limits.ssid_bits = 0;
	KUNIT_EXPECT_EQ(test, result(0x40 | BIT_ULL(9), 0, &limits), -EINVAL);
	limits.ssid_bits = 1;
	KUNIT_EXPECT_EQ(test, result(0x40 | BIT_ULL(9), 0, &limits), 0);
}

static void vcmd_atc_size(struct kunit *test)
{
	u64 size;

	for (size = 0; size < 64; size++)
		KUNIT_EXPECT_EQ(test, result(0x40, 0x1000 | size, &rich),
				size <= 52 ? 0 : -EINVAL);
	/* A bad SubstreamID is not forgiven for a good size. */
	KUNIT_EXPECT_EQ(test, result(0x40 | BIT_ULL(12), 52, &plain), -EOPNOTSUPP);
}

static void vcmd_sid(struct kunit *test)
{
	struct smmu_vcmd out;
	__le64 cmd[CMD_DWORDS];
	const char *why;

	KUNIT_EXPECT_EQ(test, check(0xfedcba9800000006ULL, 0, &plain, &out, &why), 0);
	KUNIT_EXPECT_TRUE(test, out.has_sid);
	KUNIT_EXPECT_EQ(test, out.vsid, 0xfedcba98);
	/* An ASID is none. */
	KUNIT_EXPECT_EQ(test, check(0x00ff000000000011ULL, 0, &plain, &out, &why), 0);
	KUNIT_EXPECT_FALSE(test, out.has_sid);
	KUNIT_EXPECT_EQ(test, out.vsid, 0);

	cmd[0] = cpu_to_le64(0xfedcba98abcdea40ULL);
	cmd[1] = cpu_to_le64(0xfffffffffffff034ULL);
	smmu_vcmd_set_sid(cmd, 0x12345678);
	expect_cmd(test, cmd, 0x12345678abcdea40ULL, 0xfffffffffffff034ULL);
}

static void vcmd_vmid(struct kunit *test)
{
	__le64 cmd[CMD_DWORDS];

	cmd[0] = cpu_to_le64(0x4321000003f1f012ULL);
	cmd[1] = cpu_to_le64(0xffffffffffffff01ULL);
	smmu_vcmd_set_vmid(cmd, 0xabcd);
	expect_cmd(test, cmd, 0x4321abcd03f1f012ULL, 0xffffffffffffff01ULL);
	/* Not even by mistake the one that it had */
	cmd[0] = cpu_to_le64(0xffff00000010ULL);
	cmd[1] = 0;
	smmu_vcmd_set_vmid(cmd, 0);
	expect_cmd(test, cmd, 0x10ULL, 0ULL);
	/* All of the machine is not all machines. */
	cmd[0] = cpu_to_le64(0x30);
	cmd[1] = 0;
	smmu_vcmd_set_vmid(cmd, 0xabcd);
	expect_cmd(test, cmd, 0xabcd00000010ULL, 0ULL);
}

/* A command with few bits, so that some pass; half of them with a guest's opcode */
static void random_command(struct rnd_state *rnd, unsigned int i, u64 *word0,
			   u64 *word1)
{
	unsigned int thin, j;

	*word0 = (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);
	*word1 = (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);
	thin = prandom_u32_state(rnd) % 4;
	while (thin--) {
		*word0 &= (u64)prandom_u32_state(rnd) << 32 |
			  prandom_u32_state(rnd);
		*word1 &= (u64)prandom_u32_state(rnd) << 32 |
			  prandom_u32_state(rnd);
	}
	j = prandom_u32_state(rnd) % (2 * ARRAY_SIZE(guest_commands));
	if (j < ARRAY_SIZE(guest_commands)) {
		*word0 &= guest_commands[j].bits0 | BIT_ULL(32 + i % 16);
		*word1 &= guest_commands[j].bits1;
		*word0 |= guest_commands[j].op;
	}
}

/*
 * Whatever a guest writes: what passes has the bits of the list and no other,
 * and a legal range.
 */
static void vcmd_random(struct kunit *test)
{
	unsigned int i, j, passed = 0;
	struct rnd_state rnd;
	struct smmu_vcmd out;
	const char *why;

	prandom_seed_state(&rnd, 0xc3d);
	for (i = 0; i < 200000; i++) {
		u64 word0, word1;

		random_command(&rnd, i, &word0, &word1);
		if (check(word0, word1, &rich, &out, &why))
			continue;
		passed++;
		for (j = 0; j < ARRAY_SIZE(guest_commands); j++)
			if (guest_commands[j].op == (word0 & 0xff))
				break;
		KUNIT_ASSERT_LT(test, j, ARRAY_SIZE(guest_commands));
		KUNIT_ASSERT_EQ(test, word0 & ~guest_commands[j].bits0 & ~0xffULL, 0);
		KUNIT_ASSERT_EQ(test, word1 & ~guest_commands[j].bits1, 0);
		KUNIT_ASSERT_EQ(test, out.kind, guest_commands[j].kind);
		if (guest_commands[j].op == 0x12 || guest_commands[j].op == 0x13)
			KUNIT_ASSERT_TRUE(test,
					  range_is_legal(field_of(word1, 11, 10),
							 field_of(word1, 9, 8),
							 field_of(word0, 16, 12),
							 field_of(word0, 25, 20),
							 true, true));
	}
	KUNIT_EXPECT_GT(test, passed, 1000);
}

/* Which of the commands with a range does smmu_vcmd_check() have to look at? */
static bool is_odd(u64 word0, u64 word1)
{
	/* SCALE of 6 bits, Size of 32 and more */
	return (((word0 & 0xff) == 0x12 || (word0 & 0xff) == 0x13) &&
		word0 & BIT_ULL(25)) ||
	       ((word0 & 0xff) == 0x40 && word1 & BIT_ULL(5));
}

/* The table knows what smmu_vcmd_check() would say, and nearly all that is legal. */
static void vcmd_table(struct kunit *test)
{
	static const u8 ssid_bits[] = { 0, 5, 20 };
	struct smmu_vcmd_table *table;
	unsigned int i, passed = 0;
	struct rnd_state rnd;

	table = kunit_kmalloc(test, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	prandom_seed_state(&rnd, 0x7ab1e);
	for (i = 0; i < 400000; i++) {
		struct smmu_vcmd_limits limits = {
			.asid16 = i >> 13 & 1, .ril = i >> 14 & 1,
			.ds = i >> 15 & 1, .ats = i >> 16 & 1,
			.ssid_bits = ssid_bits[(i >> 13) % ARRAY_SIZE(ssid_bits)],
		};
		const struct smmu_vcmd_plain *p;
		struct smmu_vcmd out;
		const char *why;
		u64 word0, word1;
		bool plain, legal;

		if (!(i & 0x1fff)) {
			memset(table, 0, sizeof(*table));
			smmu_vcmd_table_init(table, &limits);
		}
		random_command(&rnd, i, &word0, &word1);
		p = &table->ops[word0 & 0xff];
		plain = p->kind && (smmu_vcmd_is_plain(p, word0, word1) ||
				    smmu_vcmd_is_plain_range(table, p, word0, word1));
		legal = !check(word0, word1, &limits, &out, &why) &&
			(out.kind == SMMU_VCMD_TLBI || out.kind == SMMU_VCMD_CFGI ||
			 out.kind == SMMU_VCMD_ATC);
		if (plain) {
			KUNIT_ASSERT_TRUE(test, legal);
			KUNIT_ASSERT_EQ(test, p->kind, out.kind);
			KUNIT_ASSERT_EQ(test, p->flip,
					(word0 & 0xff) == 0x30 ? 0x30 ^ 0x10 : 0);
			passed++;
		} else if (legal) {
			KUNIT_ASSERT_TRUE(test, is_odd(word0, word1));
		}
	}
	KUNIT_EXPECT_GT(test, passed, 1000);
}

static struct kunit_case vcmd_cases[] = {
	KUNIT_CASE(vcmd_opcodes),
	KUNIT_CASE(vcmd_features),
	KUNIT_CASE(vcmd_answers),
	KUNIT_CASE(vcmd_bits),
	KUNIT_CASE(vcmd_word1_low),
	KUNIT_CASE(vcmd_ranges),
	KUNIT_CASE(vcmd_asid),
	KUNIT_CASE(vcmd_ssid),
	KUNIT_CASE(vcmd_atc_size),
	KUNIT_CASE(vcmd_sid),
	KUNIT_CASE(vcmd_vmid),
	KUNIT_CASE(vcmd_random),
	KUNIT_CASE(vcmd_table),
	{}
};

static struct kunit_suite vcmd_suite = {
	.name = "smmuv3-nested-vcmd",
	.test_cases = vcmd_cases,
};

kunit_test_suites(&cmd_suite, &vcmd_suite);
