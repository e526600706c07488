// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of invalidation descriptors and of page requests: every bit of every type, and
 * that what comes out covers what the descriptor asks for.
 *
 * The expectations are written in bit numbers of their own, after the architecture's text
 * (Intel Virtualization Technology for Directed I/O, 6.5.2, 7.4.1 and 7.7.1): they do not
 * share the field definitions of the code that they check.
 */
#include <kunit/test.h>
#include <linux/prandom.h>

/* The functions depend on nothing, so any kernel can run them. */
#include "qi.c"
#include "prq.c"

#define B(n)		BIT_ULL(n)
#define MAMV		20

static const struct vtd_limits rich = {
	.cap = (u64)MAMV << 48 | B(39) | 47ULL << 16,
	.ecap = B(2) | B(6) | B(29) | B(40) | B(43) | B(47),
	.pasid_bits = 19,
};

static int check(u64 qw0, u64 qw1, u64 qw2, u64 qw3,
		 const struct vtd_limits *limits, struct vtd_command *command)
{
	const __le64 words[4] = {
		cpu_to_le64(qw0), cpu_to_le64(qw1), cpu_to_le64(qw2),
		cpu_to_le64(qw3),
	};
	const char *why = NULL;
	int ret;

	memset(command, 0xff, sizeof(*command));
	ret = vtd_qi_check(words, ARRAY_SIZE(words), limits, command, &why);
	return ret && !why ? -ENODATA : ret;
}

/* A legal descriptor of each form, what it becomes, and the bits that may be set too */
static const struct {
	const char *name;
	u64 qw0;
	u64 free0;
	u64 free1;
	enum vtd_command_kind kind;
	bool wider;
} forms[] = {
	{ "context, global", 0x1 | 1 << 4, 0x3ffffffff0000, 0, VTD_CMD_NOTHING },
	{ "context, domain", 0x1 | 2 << 4, 0x3ffffffff0000, 0, VTD_CMD_NOTHING },
	{ "context, device", 0x1 | 3 << 4, 0x3ffffffff0000, 0, VTD_CMD_NOTHING },
	{ "IOTLB, global", 0x2 | 1 << 4, 0xffff00c0, ~0xf80ULL, VTD_CMD_FLUSH_ALL },
	{ "IOTLB, domain", 0x2 | 2 << 4, 0xffff00c0, ~0xf80ULL,
	  VTD_CMD_FLUSH_DOMAIN },
	{ "IOTLB, page", 0x2 | 3 << 4, 0xffff00c0, ~0xfa0ULL,
	  VTD_CMD_FLUSH_DOMAIN, true },
	{ "device TLB", 0x3, 0xfff0ffff001ff000, ~0xffeULL,
	  VTD_CMD_FLUSH_DEVICE_PASID, true },
	{ "wait", 0x5, 0xffffffff000000c0, ~3ULL, VTD_CMD_NOTHING },
	{ "PASID IOTLB, all", 0x6 | 2 << 4, 0xfffffffff0000, ~0xf80ULL,
	  VTD_CMD_FLUSH_PASID },
	{ "PASID IOTLB, page", 0x6 | 3 << 4, 0xfffffffff0000, ~0xfa0ULL,
	  VTD_CMD_FLUSH_PASID },
	{ "PASID cache, domain", 0x7, 0xfffffffff0000, 0, VTD_CMD_SYNC_DOMAIN },
	{ "PASID cache, PASID", 0x7 | 1 << 4, 0xfffffffff0000, 0,
	  VTD_CMD_SYNC_PASID },
	{ "PASID cache, global", 0x7 | 3 << 4, 0xfffffffff0000, 0,
	  VTD_CMD_SYNC_ALL },
	{ "PASID device TLB", 0x8, 0xfffffffffffff1f0, ~0x7ffULL,
	  VTD_CMD_FLUSH_DEVICE_PASID, true },
	{ "response", 0x9, 0xfffffffff0010, 0xffc, VTD_CMD_RESPONSE },
};

/* Some bits belong to a value of which others are not legal. */
static bool is_value(u64 type, int word, int bit)
{
	if (word == 0)
		return bit < 4 || (bit >= 9 && bit <= 11) ||
		       (bit >= 4 && bit <= 5 && type != 3 && type != 9 &&
			type != 8) ||
		       (type == 9 && bit >= 12 && bit <= 15);
	return type == 8 && bit == 0;
}

static void qi_bits(struct kunit *test)
{
	struct vtd_command command;
	int i, word, bit;

	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		u64 type = forms[i].qw0 & 15;

		KUNIT_EXPECT_EQ_MSG(test, 0, check(forms[i].qw0, 0, 0, 0, &rich,
						   &command), "%s", forms[i].name);
		KUNIT_EXPECT_EQ_MSG(test, (int)forms[i].kind, (int)command.kind,
				    "%s", forms[i].name);
		KUNIT_EXPECT_EQ_MSG(test, forms[i].wider, command.wider, "%s",
				    forms[i].name);
		for (word = 0; word < 4; word++) {
			const u64 ok[4] = { forms[i].free0, forms[i].free1 };

			for (bit = 0; bit < 64; bit++) {
				u64 qw[4] = { forms[i].qw0 };

				if (word < 2 && is_value(type, word, bit))
					continue;
				qw[word] |= B(bit);
				KUNIT_EXPECT_EQ_MSG(test,
						    ok[word] & B(bit) ? 0 : -EINVAL,
						    check(qw[0], qw[1], qw[2],
							  qw[3], &rich, &command),
						    "%s: word %d bit %d",
						    forms[i].name, word, bit);
			}
		}
	}
}

static void qi_types(struct kunit *test)
{
	static const u16 known = B(1) | B(2) | B(3) | B(5) | B(6) | B(7) | B(8) | B(9);
	struct vtd_command command;
	int type, high, ret;

	for (high = 0; high < 8; high++) {
		for (type = 0; type < 16; type++) {
			ret = check(type | high << 9, 0, 0, 0, &rich, &command);
			if (high || !(known & B(type)))
				KUNIT_EXPECT_EQ_MSG(test, -EOPNOTSUPP, ret,
						    "type %d %d", high, type);
			else
				KUNIT_EXPECT_NE_MSG(test, -EOPNOTSUPP, ret,
						    "type %d", type);
		}
	}
}

static void qi_granularities(struct kunit *test)
{
	/* By type: granularities that there are */
	static const struct {
		u64 type;
		u8 legal;
	} types[] = {
		{ 1, B(1) | B(2) | B(3) }, { 2, B(1) | B(2) | B(3) },
		{ 6, B(2) | B(3) }, { 7, B(0) | B(1) | B(3) },
	};
	struct vtd_command command;
	int i, g;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		for (g = 0; g < 4; g++)
			KUNIT_EXPECT_EQ_MSG(test, types[i].legal & B(g) ? 0 : -EINVAL,
					    check(types[i].type | g << 4, 0, 0, 0,
						  &rich, &command),
					    "type %llu granularity %d",
					    types[i].type, g);
}

static void qi_features(struct kunit *test)
{
	struct vtd_limits limits = rich;
	struct vtd_command command;

	limits.ecap = rich.ecap & ~B(2);
	KUNIT_EXPECT_EQ(test, -EINVAL, check(0x3, 0, 0, 0, &limits, &command));
	KUNIT_EXPECT_EQ(test, -EINVAL, check(0x8, 0, 0, 0, &limits, &command));
	limits.ecap = rich.ecap & ~B(40);
	KUNIT_EXPECT_EQ(test, 0, check(0x3, 0, 0, 0, &limits, &command));
	KUNIT_EXPECT_EQ(test, -EINVAL, check(0x8, 0, 0, 0, &limits, &command));
	limits.ecap = rich.ecap & ~B(29);
	KUNIT_EXPECT_EQ(test, -EINVAL, check(0x9, 0, 0, 0, &limits, &command));
	limits = rich;
	limits.cap &= ~B(39);
	KUNIT_EXPECT_EQ(test, -EINVAL, check(0x32, 0, 0, 0, &limits, &command));
	KUNIT_EXPECT_EQ(test, 0, check(0x36, 0, 0, 0, &limits, &command));
}

static void qi_fields(struct kunit *test)
{
	struct vtd_command command;

	KUNIT_EXPECT_EQ(test, 0, check(0x36 | 0xbeefULL << 16 | 0xabcdeULL << 32,
				       0x12345678f000ULL | 1 << 6 | 4, 0, 0, &rich,
				       &command));
	KUNIT_EXPECT_EQ(test, 0xbeef, (int)command.did);
	KUNIT_EXPECT_EQ(test, 0xabcde, command.pasid);
	KUNIT_EXPECT_EQ(test, 0x123456780000ULL, command.range.address);
	KUNIT_EXPECT_EQ(test, 16ULL, command.range.pages);
	KUNIT_EXPECT_TRUE(test, command.range.leaf);

	KUNIT_EXPECT_EQ(test, 0, check(0x3 | 0xcafeULL << 32, 0x5000, 0, 0, &rich,
				       &command));
	KUNIT_EXPECT_EQ(test, 0xcafe, (int)command.virtual_id);
	KUNIT_EXPECT_EQ(test, 0, command.pasid);
	KUNIT_EXPECT_EQ(test, 0x5000ULL, command.range.address);
	KUNIT_EXPECT_EQ(test, 1ULL, command.range.pages);

	KUNIT_EXPECT_EQ(test, 0, check(0x8 | 0xcafeULL << 16 | 0x54321ULL << 32,
				       1, 0, 0, &rich, &command));
	KUNIT_EXPECT_EQ(test, (int)VTD_CMD_FLUSH_DEVICE, (int)command.kind);
	KUNIT_EXPECT_EQ(test, 0xcafe, (int)command.virtual_id);

	KUNIT_EXPECT_EQ(test, 0, check(0x9 | 1 << 4 | 0xf << 12 | 0xcafeULL << 16 |
				       0x54321ULL << 32, 0x1ff << 3, 0, 0, &rich,
				       &command));
	KUNIT_EXPECT_TRUE(test, command.pasid_valid);
	KUNIT_EXPECT_EQ(test, 0xcafe, (int)command.virtual_id);
	KUNIT_EXPECT_EQ(test, 0x54321, command.pasid);
	KUNIT_EXPECT_EQ(test, 0x1ff, command.group);
	KUNIT_EXPECT_EQ(test, (int)VFIO_NESTED_RESPONSE_TERMINATE,
			(int)command.code);
}

static void qi_response_codes(struct kunit *test)
{
	struct vtd_command command;
	int code, ret;

	for (code = 0; code < 16; code++) {
		ret = check(0x9 | code << 12, 0, 0, 0, &rich, &command);
		KUNIT_EXPECT_EQ_MSG(test, code <= 1 || code == 15 ? 0 : -EINVAL,
				    ret, "code %d", code);
		if (code == 0)
			KUNIT_EXPECT_EQ(test, (int)VFIO_NESTED_RESPONSE_RETRY,
					(int)command.code);
		if (code == 1)
			KUNIT_EXPECT_EQ(test, (int)VFIO_NESTED_RESPONSE_ABORT,
					(int)command.code);
	}
}

static void qi_waits(struct kunit *test)
{
	struct vtd_command command;

	KUNIT_EXPECT_EQ(test, 0, check(0x5 | B(6) | B(7), 0, 0, 0, &rich, &command));
	KUNIT_EXPECT_EQ(test, -EINVAL, check(0x5 | B(4), 0, 0, 0, &rich, &command));
	KUNIT_EXPECT_EQ(test, -EINVAL, check(0x5 | B(5), 4, 0, 0, &rich, &command));
}

static void qi_masks(struct kunit *test)
{
	struct vtd_command command;
	u64 mask;

	for (mask = 0; mask < 64; mask++) {
		int ret = check(0x36, 0xffffffffff000ULL | mask, 0, 0, &rich,
				&command);

		KUNIT_EXPECT_EQ_MSG(test, mask <= MAMV ? 0 : -EINVAL, ret,
				    "mask %llu", mask);
		if (ret)
			continue;
		KUNIT_EXPECT_EQ(test, 1ULL << mask, command.range.pages);
		KUNIT_EXPECT_EQ(test, 0xffffffffff000ULL >> (12 + mask) << (12 + mask),
				command.range.address);
	}
}

/* What a device TLB invalidation names lies in what comes out, and at its start. */
static void expect_device_range(struct kunit *test, u64 address, u64 bytes,
				const struct vtd_range *range)
{
	if (!bytes) {
		KUNIT_EXPECT_EQ(test, 0ULL, range->address);
		KUNIT_EXPECT_EQ(test, U64_MAX, range->pages);
		return;
	}
	KUNIT_EXPECT_EQ(test, bytes >> 12, range->pages);
	KUNIT_EXPECT_EQ(test, address & ~(bytes - 1), range->address);
}

static void qi_device_sizes(struct kunit *test)
{
	struct vtd_command command;
	int ones;

	for (ones = 0; ones <= 52; ones++) {
		/* The lowest bits are set up to one that is clear. */
		u64 low = ones ? GENMASK_ULL(11 + ones, 12) : 0;
		u64 high = ones < 40 ? B(63) | B(13 + ones) : 0;
		u64 address = (low | high) & ~(ones < 52 ? B(12 + ones) : 0);
		u64 bytes = ones < 51 ? 8192ULL << ones : 0;

		KUNIT_EXPECT_EQ(test, 0, check(0x3, address | 1, 0, 0, &rich,
					       &command));
		expect_device_range(test, address, bytes, &command.range);
		KUNIT_EXPECT_EQ(test, 0, check(0x8, address | B(11), 0, 0, &rich,
					       &command));
		expect_device_range(test, address, bytes, &command.range);
		KUNIT_EXPECT_EQ(test, 0, check(0x3, address, 0, 0, &rich,
					       &command));
		expect_device_range(test, address, 4096, &command.range);
	}
}

/* --- Page requests ---------------------------------------------------------- */

static void prq_record(struct kunit *test)
{
	const struct iommu_fault_page_request request = {
		.flags = IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
			 IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE,
		.pasid = 0xabcde,
		.grpid = 0x155,
		.perm = IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_EXEC,
		.addr = 0x7f1234567abcULL,
		.private_data = { ~0ULL, ~0ULL },
	};
	struct vfio_nested_fault fault;

	memset(&fault, 0xff, sizeof(fault));
	vtd_prq_to_fault(&request, 0xbeef, &fault);
	KUNIT_EXPECT_EQ(test, (int)VFIO_NESTED_FAULT_PAGE_REQUEST, fault.kind);
	KUNIT_EXPECT_EQ(test, VFIO_NESTED_FAULT_PASID | VFIO_NESTED_FAULT_ADDRESS |
			VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_EXEC |
			VFIO_NESTED_FAULT_LAST, fault.flags);
	KUNIT_EXPECT_EQ(test, 0xabcde, fault.pasid);
	KUNIT_EXPECT_EQ(test, 0x155, fault.group);
	KUNIT_EXPECT_EQ(test, 0x7f1234567000ULL, fault.address);
	KUNIT_EXPECT_EQ(test, 32, fault.raw_len);
	KUNIT_EXPECT_EQ(test, 0x1 | B(8) | 0xbeefULL << 16 | 0xabcdeULL << 32 | B(52),
			le64_to_cpu(fault.raw[0]));
	KUNIT_EXPECT_EQ(test, 0x7f1234567000ULL | 0x155 << 3 | B(0) | B(2),
			le64_to_cpu(fault.raw[1]));
	KUNIT_EXPECT_EQ(test, 0ULL, le64_to_cpu(fault.raw[2]));
	KUNIT_EXPECT_EQ(test, 0ULL, le64_to_cpu(fault.raw[3]));
	KUNIT_EXPECT_EQ(test, 0ULL, fault.ipa);
	KUNIT_EXPECT_EQ(test, 0ULL, fault.cookie);
	KUNIT_EXPECT_EQ(test, 0ULL, fault.__reserved[3]);
}

static void prq_without_pasid(struct kunit *test)
{
	const struct iommu_fault_page_request request = {
		.pasid = 0x12345,
		.perm = IOMMU_FAULT_PERM_WRITE | IOMMU_FAULT_PERM_PRIV,
		.addr = 0x1000,
	};
	struct vfio_nested_fault fault;

	vtd_prq_to_fault(&request, 1, &fault);
	KUNIT_EXPECT_EQ(test, VFIO_NESTED_FAULT_ADDRESS | VFIO_NESTED_FAULT_WRITE |
			VFIO_NESTED_FAULT_PRIV, fault.flags);
	KUNIT_EXPECT_EQ(test, 0, fault.pasid);
	KUNIT_EXPECT_EQ(test, 0x1 | 1ULL << 16 | B(53), le64_to_cpu(fault.raw[0]));
	KUNIT_EXPECT_EQ(test, 0x1000 | B(1), le64_to_cpu(fault.raw[1]));
}

/* --- Ranges ------------------------------------------------------------------- */

#define WINDOW		64

/* Which pages of a window, from page @base on, an invalidation of @ranges reaches */
static u64 pages_of(const struct vtd_ranges *ranges, u64 base, bool leaf)
{
	u64 pages = 0, page;
	u32 i;

	for (i = 0; i < ranges->num; i++) {
		const struct iommu_hwpt_vtd_s1_invalidate *entry = &ranges->list[i];

		for (page = 0; page < WINDOW; page++)
			if (!(entry->flags & 1) == !leaf &&
			    ((base + page) << 12) - entry->addr < entry->npages << 12)
				pages |= B(page);
	}
	return pages;
}

static void add_pages(struct vtd_ranges *ranges, u64 page, u64 num, bool leaf)
{
	const struct vtd_range range = { page << 12, num, leaf };

	vtd_ranges_add(ranges, &range, 1 << MAMV);
}

/* The pages of a region, in either direction: one range of all of it */
static void ranges_join(struct kunit *test)
{
	struct vtd_ranges ranges = {};
	int i;

	for (i = 0; i < 32; i++)
		add_pages(&ranges, 64 + i, 1, true);
	KUNIT_EXPECT_EQ(test, 1, ranges.num);
	KUNIT_EXPECT_EQ(test, 64ULL << 12, ranges.list[0].addr);
	KUNIT_EXPECT_EQ(test, 32ULL, ranges.list[0].npages);
	KUNIT_EXPECT_EQ(test, 1, ranges.list[0].flags);

	ranges.num = 0;
	for (i = 31; i >= 0; i--)
		add_pages(&ranges, 64 + i, 1, false);
	KUNIT_EXPECT_EQ(test, 1, ranges.num);
	KUNIT_EXPECT_EQ(test, 64ULL << 12, ranges.list[0].addr);
	KUNIT_EXPECT_EQ(test, 32ULL, ranges.list[0].npages);
	KUNIT_EXPECT_EQ(test, 0, ranges.list[0].flags);
}

/* Not what is next to each other, but belongs to two larger ones; nor what differs */
static void ranges_stay(struct kunit *test)
{
	struct vtd_ranges ranges = {};

	add_pages(&ranges, 3, 1, true);
	add_pages(&ranges, 4, 1, true);
	add_pages(&ranges, 5, 1, false);
	add_pages(&ranges, 6, 2, false);
	add_pages(&ranges, 0, 1 << MAMV, false);
	add_pages(&ranges, 1 << MAMV, 1 << MAMV, false);
	/* These differ in the bits of their length, and overlap. */
	add_pages(&ranges, 1, 3, false);
	add_pages(&ranges, 2, 3, false);
	KUNIT_EXPECT_EQ(test, 8, ranges.num);
}

static void ranges_have(struct kunit *test)
{
	static const struct {
		struct vtd_range range;
		bool answer;
	} rows[] = {
		{ { 0x10000, 4, true }, true },
		{ { 0x10000, 4, false }, false },
		{ { 0x13000, 1, true }, true },
		{ { 0x13000, 2, true }, false },
		{ { 0x14000, 1, true }, false },
		{ { 0xf000, 1, true }, false },
		{ { 0x10000, 8, true }, false },
		{ { 0, U64_MAX, true }, false },
	};
	const struct vtd_range all = { 0, U64_MAX, false };
	struct vtd_ranges ranges = {};
	int i;

	KUNIT_EXPECT_FALSE(test, vtd_ranges_have(&ranges, &all));
	add_pages(&ranges, 0x10, 4, true);
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, rows[i].answer,
				    vtd_ranges_have(&ranges, &rows[i].range),
				    "row %d", i);
	vtd_ranges_add(&ranges, &all, 1 << MAMV);
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_TRUE_MSG(test,
				      vtd_ranges_have(&ranges, &rows[i].range),
				      "row %d", i);
}

/* Whatever comes: the pages that were asked for, and no others */
static void ranges_random(struct kunit *test)
{
	struct rnd_state rnd;
	int round, i;

	prandom_seed_state(&rnd, 1);
	for (round = 0; round < 20000; round++) {
		u64 base = prandom_u32_state(&rnd) * (u64)WINDOW;
		u64 want[2] = {}, got;
		struct vtd_ranges ranges = {};

		for (i = 0; i < VTD_MAX_RANGES; i++) {
			u32 random = prandom_u32_state(&rnd);
			u64 num = 1 << (random >> 16) % 4;
			u64 page = random % WINDOW & ~(num - 1);
			bool leaf = random >> 30 & (round & 1);

			want[leaf] |= (B(num) - 1) << page;
			add_pages(&ranges, base + page, num, leaf);
		}
		got = pages_of(&ranges, base, false);
		KUNIT_ASSERT_EQ_MSG(test, want[0], got, "round %d", round);
		got = pages_of(&ranges, base, true);
		KUNIT_ASSERT_EQ_MSG(test, want[1], got, "round %d", round);
	}
}

static struct kunit_case qi_cases[] = {
	KUNIT_CASE(qi_bits),
	KUNIT_CASE(qi_types),
	KUNIT_CASE(qi_granularities),
	KUNIT_CASE(qi_features),
	KUNIT_CASE(qi_fields),
	KUNIT_CASE(qi_response_codes),
	KUNIT_CASE(qi_waits),
	KUNIT_CASE(qi_masks),
	KUNIT_CASE(qi_device_sizes),
	KUNIT_CASE(ranges_join),
	KUNIT_CASE(ranges_stay),
	KUNIT_CASE(ranges_have),
	KUNIT_CASE(ranges_random),
	{}
};

static struct kunit_suite qi_suite = {
	.name = "vtd-nested-qi",
	.test_cases = qi_cases,
};

static struct kunit_case prq_cases[] = {
	KUNIT_CASE(prq_record),
	KUNIT_CASE(prq_without_pasid),
	{}
};

static struct kunit_suite prq_suite = {
	.name = "vtd-nested-prq",
	.test_cases = prq_cases,
};

kunit_test_suites(&qi_suite, &prq_suite);
