// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite of the overlay on configuration space: what a VMM finds when it walks
 * the chain of capabilities, and what reads and writes of any size and alignment do.
 */
#include <kunit/test.h>

/* The suite is a module of its own, and nothing of pci-overlay.c is exported. */
#include "pci-overlay.c"

#define SIZE	0x400U
#define OTHER	0x0003	/* a capability that nobody cares for: serial number */

/* A function: its configuration space without the overlay, and with it. */
struct function {
	u8 bytes[SIZE];
	struct pci_overlay_space space;
	struct pci_overlay overlay;
};

static int overlay_test_init(struct kunit *test)
{
	struct function *function = kunit_kzalloc(test, sizeof(*function),
						  GFP_KERNEL);

	if (!function)
		return -ENOMEM;
	function->space.bytes = function->bytes;
	function->space.size = SIZE;
	test->priv = function;
	return 0;
}

static u32 header(u16 id, u16 next)
{
	return id | 1 << 16 | (u32)next << NEXT_SHIFT;
}

/* Makes a chain of @num capabilities, ids and places in pairs. */
static void make_chain(struct function *function, const u16 (*caps)[2],
		       size_t num)
{
	size_t i;

	for (i = 0; i < num; i++)
		put_unaligned_le32(header(caps[i][0],
					  i + 1 < num ? caps[i + 1][1] : 0),
				   &function->bytes[caps[i][1]]);
}

static bool add(struct function *function, u16 id, u16 start, bool show)
{
	struct pci_overlay_cap cap = {
		.id = id,
		.start = start,
		.show = show,
		.pasid_bits = 16,
	};

	/* All registers full: what has to be zero is seen to be. */
	memset(cap.raw, 0xff, sizeof(cap.raw));
	put_unaligned_le32(header(id, 0x3f0), cap.raw);
	return pci_overlay_add_cap(&function->overlay, &function->space, &cap);
}

/* One byte as a VMM reads it. */
static u8 read_byte(struct function *function, u32 pos)
{
	struct pci_overlay_window *window;
	size_t count = 1;
	u8 byte;

	window = pci_overlay_piece(&function->overlay, pos, &count);
	if (!window)
		return function->bytes[pos];
	pci_overlay_read(window, pos, &byte, 1);
	return byte;
}

static u32 read32(struct function *function, u32 pos)
{
	return read_byte(function, pos) | read_byte(function, pos + 1) << 8 |
	       read_byte(function, pos + 2) << 16 |
	       (u32)read_byte(function, pos + 3) << 24;
}

/* The chain as a guest walks it: ids and places; false if it has no end. */
static bool walk_chain(struct function *function, u16 (*found)[2], size_t max,
		       size_t *num)
{
	u16 pos = PCI_CFG_SPACE_SIZE;

	for (*num = 0; pos >= PCI_CFG_SPACE_SIZE; (*num)++) {
		u32 value = read32(function, pos);

		if (*num == max)
			return false;
		found[*num][0] = PCI_EXT_CAP_ID(value);
		found[*num][1] = pos;
		pos = PCI_EXT_CAP_NEXT(value);
	}
	return true;
}

static void expect_chain(struct kunit *test, const u16 (*caps)[2], size_t num)
{
	u16 found[16][2];
	size_t count, i;

	KUNIT_ASSERT_TRUE(test, walk_chain(test->priv, found,
					   ARRAY_SIZE(found), &count));
	KUNIT_ASSERT_EQ(test, count, num);
	for (i = 0; i < num; i++) {
		KUNIT_EXPECT_EQ(test, found[i][0], caps[i][0]);
		KUNIT_EXPECT_EQ(test, found[i][1], caps[i][1]);
	}
}

#define EXPECT_CHAIN(test, ...) do {					\
	static const u16 __caps[][2] = { __VA_ARGS__ };			\
									\
	expect_chain(test, __caps, ARRAY_SIZE(__caps));			\
} while (0)

#define MAKE_CHAIN(test, ...) do {					\
	static const u16 __caps[][2] = { __VA_ARGS__ };			\
									\
	make_chain((test)->priv, __caps, ARRAY_SIZE(__caps));		\
} while (0)

#define ATS	PCI_EXT_CAP_ID_ATS
#define PRI	PCI_EXT_CAP_ID_PRI
#define PASID	PCI_EXT_CAP_ID_PASID

/* In the chain already, wherever in it: it stays where it is. */
static void chain_shown_in_place(struct kunit *test)
{
	MAKE_CHAIN(test, { ATS, 0x100 }, { OTHER, 0x140 }, { PASID, 0x180 },
		   { OTHER, 0x120 }, { PRI, 0x200 });
	KUNIT_EXPECT_TRUE(test, add(test->priv, ATS, 0x100, true));
	KUNIT_EXPECT_TRUE(test, add(test->priv, PRI, 0x200, true));
	KUNIT_EXPECT_TRUE(test, add(test->priv, PASID, 0x180, true));
	EXPECT_CHAIN(test, { ATS, 0x100 }, { OTHER, 0x140 }, { PASID, 0x180 },
		     { OTHER, 0x120 }, { PRI, 0x200 });
}

/* In the chain, but not for the guest: a Null capability keeps its place. */
static void chain_hidden_in_place(struct kunit *test)
{
	u32 pos;

	MAKE_CHAIN(test, { ATS, 0x100 }, { OTHER, 0x140 }, { PASID, 0x180 },
		   { OTHER, 0x120 }, { PRI, 0x200 });
	KUNIT_EXPECT_TRUE(test, add(test->priv, ATS, 0x100, false));
	KUNIT_EXPECT_TRUE(test, add(test->priv, PRI, 0x200, false));
	KUNIT_EXPECT_TRUE(test, add(test->priv, PASID, 0x180, false));
	EXPECT_CHAIN(test, { 0, 0x100 }, { OTHER, 0x140 }, { 0, 0x180 },
		     { OTHER, 0x120 }, { 0, 0x200 });
	for (pos = 0x104; pos < 0x108; pos += 4)
		KUNIT_EXPECT_EQ(test, read32(test->priv, pos), 0);
	for (pos = 0x200; pos < 0x210; pos += 4)
		KUNIT_EXPECT_EQ(test, read32(test->priv, pos), 0);
}

/* Not in the chain, and not for the guest: nothing is there. */
static void chain_hidden_outside(struct kunit *test)
{
	struct function *function = test->priv;

	MAKE_CHAIN(test, { OTHER, 0x100 });
	memset(&function->bytes[0x180], 0xff, 8);
	KUNIT_EXPECT_TRUE(test, add(function, PASID, 0x180, false));
	EXPECT_CHAIN(test, { OTHER, 0x100 });
	KUNIT_EXPECT_EQ(test, read32(function, 0x180), 0);
	KUNIT_EXPECT_EQ(test, read32(function, 0x184), 0);
}

/* Not in the chain: it comes to the end, behind whatever is the last there. */
static void chain_appended(struct kunit *test)
{
	struct function *function = test->priv;

	MAKE_CHAIN(test, { OTHER, 0x100 }, { OTHER, 0x140 });
	KUNIT_EXPECT_TRUE(test, add(function, PASID, 0x180, true));
	EXPECT_CHAIN(test, { OTHER, 0x100 }, { OTHER, 0x140 },
		     { PASID, 0x180 });
	/* Only the pointer of the header before it has changed. */
	KUNIT_EXPECT_EQ(test, read32(function, 0x140), header(OTHER, 0x180));

	KUNIT_EXPECT_TRUE(test, add(function, PRI, 0x1c0, true));
	KUNIT_EXPECT_TRUE(test, add(function, ATS, 0x104, true));
	EXPECT_CHAIN(test, { OTHER, 0x100 }, { OTHER, 0x140 },
		     { PASID, 0x180 }, { PRI, 0x1c0 }, { ATS, 0x104 });
}

static void chain_appended_to_one(struct kunit *test)
{
	MAKE_CHAIN(test, { OTHER, 0x100 });
	KUNIT_EXPECT_TRUE(test, add(test->priv, PASID, 0x300, true));
	EXPECT_CHAIN(test, { OTHER, 0x100 }, { PASID, 0x300 });
}

static void chain_appended_to_shown(struct kunit *test)
{
	MAKE_CHAIN(test, { OTHER, 0x100 }, { PRI, 0x140 });
	KUNIT_EXPECT_TRUE(test, add(test->priv, PRI, 0x140, true));
	KUNIT_EXPECT_TRUE(test, add(test->priv, PASID, 0x180, true));
	EXPECT_CHAIN(test, { OTHER, 0x100 }, { PRI, 0x140 }, { PASID, 0x180 });
}

static void chain_appended_to_hidden(struct kunit *test)
{
	MAKE_CHAIN(test, { OTHER, 0x100 }, { PRI, 0x140 });
	KUNIT_EXPECT_TRUE(test, add(test->priv, PRI, 0x140, false));
	KUNIT_EXPECT_TRUE(test, add(test->priv, PASID, 0x180, true));
	EXPECT_CHAIN(test, { OTHER, 0x100 }, { 0, 0x140 }, { PASID, 0x180 });
}

/* The others are hidden, and the place where a chain starts is empty. */
static void chain_appended_to_nothing(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, add(test->priv, PASID, 0x180, true));
	EXPECT_CHAIN(test, { 0, 0x100 }, { PASID, 0x180 });
}

/* vfio-pci-core hides the first one by taking its id. */
static void chain_first_and_only(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, add(test->priv, PASID, 0x100, true));
	EXPECT_CHAIN(test, { PASID, 0x100 });
}

static void chain_first_of_two(struct kunit *test)
{
	struct function *function = test->priv;

	put_unaligned_le32(0x14000000, &function->bytes[0x100]);
	put_unaligned_le32(header(OTHER, 0), &function->bytes[0x140]);
	KUNIT_EXPECT_TRUE(test, add(function, PASID, 0x100, true));
	EXPECT_CHAIN(test, { PASID, 0x100 }, { OTHER, 0x140 });
}

static void chain_without_end(struct kunit *test)
{
	struct function *function = test->priv;
	u16 found[16][2];
	size_t num;

	put_unaligned_le32(header(OTHER, 0x140), &function->bytes[0x100]);
	put_unaligned_le32(header(ATS, 0x100), &function->bytes[0x140]);
	KUNIT_EXPECT_FALSE(test, add(function, PASID, 0x180, true));
	KUNIT_EXPECT_TRUE(test, add(function, ATS, 0x140, true));
	KUNIT_EXPECT_FALSE(test, walk_chain(function, found, 16, &num));
	KUNIT_EXPECT_EQ(test, read32(function, 0x140), header(ATS, 0x100));
	KUNIT_EXPECT_EQ(test, read32(function, 0x180), 0);
	KUNIT_EXPECT_EQ(test, read32(function, 0x184), 0);
}

/* Pointers to where no capability can be end the chain, as for the guest. */
static void chain_with_bad_end(struct kunit *test)
{
	static const u16 ends[] = { 0x04, 0x40, 0xfc, 0x400, 0xffc };
	struct function *function = test->priv;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		function->overlay.num = 0;
		put_unaligned_le32(header(OTHER, ends[i]),
				   &function->bytes[0x100]);
		KUNIT_EXPECT_TRUE(test, add(function, PASID, 0x180, true));
		EXPECT_CHAIN(test, { OTHER, 0x100 }, { PASID, 0x180 });
	}
}

static void refuses_nonsense(struct kunit *test)
{
	struct function *function = test->priv;

	MAKE_CHAIN(test, { OTHER, 0x100 });
	KUNIT_EXPECT_FALSE(test, add(function, OTHER, 0x200, true));
	KUNIT_EXPECT_FALSE(test, add(function, PASID, 0x102, true));
	KUNIT_EXPECT_FALSE(test, add(function, PASID, 0xfc, true));
	KUNIT_EXPECT_FALSE(test, add(function, PASID, SIZE - 4, true));
	KUNIT_EXPECT_FALSE(test, add(function, PASID, SIZE, true));
	KUNIT_EXPECT_FALSE(test, add(function, PASID, 0xffff, true));
	KUNIT_EXPECT_EQ(test, function->overlay.num, 0);

	KUNIT_EXPECT_TRUE(test, add(function, PRI, 0x200, true));
	KUNIT_EXPECT_FALSE(test, add(function, PASID, 0x1fc, true));
	KUNIT_EXPECT_FALSE(test, add(function, PASID, 0x20c, true));
	KUNIT_EXPECT_FALSE(test, add(function, PASID, 0x200, true));
	EXPECT_CHAIN(test, { OTHER, 0x100 }, { PRI, 0x200 });

	KUNIT_EXPECT_TRUE(test, add(function, PASID, SIZE - 8, true));
	EXPECT_CHAIN(test, { OTHER, 0x100 }, { PRI, 0x200 },
		     { PASID, SIZE - 8 });
}

/* What a guest can change, and what it finds after it has tried to change all. */
static void registers(struct kunit *test)
{
	static const struct {
		u16 id;
		u32 reg;
		u32 first;
		u32 written;
	} expected[] = {
		/* Capability, which cannot be written, and Control */
		{ ATS, PCI_ATS_CAP, 0x0000ffff, 0x801fffff },
		/* Enable; Status is not kept here */
		{ PRI, PCI_PRI_CTRL, 0x00000000, 0x00000001 },
		{ PRI, PCI_PRI_MAX_REQ, 0xffffffff, 0xffffffff },
		{ PRI, PCI_PRI_ALLOC_REQ, 0x00000000, 0xffffffff },
		/* 16 bits of PASIDs, with the two rights, and nothing newer */
		{ PASID, PCI_PASID_CAP, 0x00001006, 0x00071006 },
	};
	struct function *function = test->priv;
	struct pci_overlay_window *window;
	u8 ones[PCI_OVERLAY_BYTES];
	size_t i, count;
	u16 start;

	MAKE_CHAIN(test, { OTHER, 0x100 });
	memset(ones, 0xff, sizeof(ones));
	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		function->overlay.num = 0;
		start = 0x140;
		KUNIT_ASSERT_TRUE(test, add(function, expected[i].id, start,
					    true));
		KUNIT_EXPECT_EQ(test, read32(function,
					     start + expected[i].reg),
				expected[i].first);

		count = SIZE;
		window = pci_overlay_piece(&function->overlay, start, &count);
		KUNIT_ASSERT_NOT_NULL(test, window);
		KUNIT_EXPECT_EQ(test, count,
				pci_overlay_cap_len(expected[i].id));
		pci_overlay_write(window, start, ones, count);
		KUNIT_EXPECT_EQ(test, read32(function, start),
				header(expected[i].id, 0));
		KUNIT_EXPECT_EQ(test, read32(function,
					     start + expected[i].reg),
				expected[i].written);

		pci_overlay_reset(&function->overlay);
		KUNIT_EXPECT_EQ(test, read32(function,
					     start + expected[i].reg),
				expected[i].first);
	}
}

/* The smaller of what the device and the IOMMU have. */
static void pasid_width(struct kunit *test)
{
	static const struct {
		u8 device, iommu, shown;
	} widths[] = { { 20, 16, 16 }, { 8, 16, 8 }, { 0, 16, 0 }, { 20, 1, 1 } };
	struct function *function = test->priv;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(widths); i++) {
		struct pci_overlay_cap cap = {
			.id = PASID,
			.start = 0x140,
			.show = true,
			.pasid_bits = widths[i].iommu,
		};

		function->overlay.num = 0;
		put_unaligned_le16(widths[i].device << 8 | PCI_PASID_CAP_PRIV,
				   &cap.raw[PCI_PASID_CAP]);
		KUNIT_ASSERT_TRUE(test,
				  pci_overlay_add_cap(&function->overlay,
						      &function->space, &cap));
		KUNIT_EXPECT_EQ(test, read32(function, 0x144),
				widths[i].shown << 8 | PCI_PASID_CAP_PRIV);
	}
}

/* STU belongs to the physical function. */
static void virtual_function(struct kunit *test)
{
	static const u8 ones[2] = { 0xff, 0xff };
	struct function *function = test->priv;
	struct pci_overlay_cap cap = {
		.id = ATS,
		.start = 0x140,
		.show = true,
		.is_virtfn = true,
	};
	struct pci_overlay_window *window;
	size_t count = 2;

	KUNIT_ASSERT_TRUE(test, pci_overlay_add_cap(&function->overlay,
						    &function->space, &cap));
	window = pci_overlay_piece(&function->overlay, 0x146, &count);
	KUNIT_ASSERT_NOT_NULL(test, window);
	pci_overlay_write(window, 0x146, ones, count);
	KUNIT_EXPECT_EQ(test, read32(function, 0x144), 0x80000000);
}

/*
 * Accesses of all sizes at all places, in the pieces that pci_overlay_piece() makes
 * of them, do what the same accesses do byte by byte.
 */
static void pieces(struct kunit *test)
{
	struct function *function = test->priv, *model;
	struct pci_overlay_window *window;
	size_t num, count, done, i;
	u8 bytes[40];
	u32 pos;

	model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, model);
	MAKE_CHAIN(test, { OTHER, 0x100 });
	KUNIT_ASSERT_TRUE(test, add(function, PRI, 0x110, true));
	KUNIT_ASSERT_TRUE(test, add(function, PASID, 0x120, true));
	KUNIT_ASSERT_TRUE(test, add(function, ATS, 0x12c, false));

	for (pos = 0xf0; pos < 0x140; pos++) {
		for (count = 1; count <= sizeof(bytes); count++) {
			memcpy(model, function, sizeof(*model));
			for (i = 0; i < count; i++) {
				bytes[i] = pos * 7 + count * 13 + i * 29;
				num = 1;
				window = pci_overlay_piece(&model->overlay,
							   pos + i, &num);
				KUNIT_ASSERT_EQ(test, num, 1);
				if (window)
					pci_overlay_write(window, pos + i,
							  &bytes[i], 1);
			}
			for (done = 0; done < count; done += num) {
				num = count - done;
				window = pci_overlay_piece(&function->overlay,
							   pos + done, &num);
				KUNIT_ASSERT_GT(test, num, 0);
				KUNIT_ASSERT_LE(test, num, count - done);
				if (window)
					pci_overlay_write(window, pos + done,
							  &bytes[done], num);
			}
			KUNIT_ASSERT_EQ(test, memcmp(&function->overlay,
						     &model->overlay,
						     sizeof(model->overlay)),
					0);
		}
	}
}

/* A file position is larger than an offset: it must not wrap into a window. */
static void piece_far_away(struct kunit *test)
{
	struct function *function = test->priv;
	size_t count = 8;

	KUNIT_ASSERT_TRUE(test, add(function, PASID, 0x140, true));
	KUNIT_EXPECT_NULL(test, pci_overlay_piece(&function->overlay,
						  0x100000140ULL, &count));
	KUNIT_EXPECT_EQ(test, count, 8);
}

static struct kunit_case overlay_test_cases[] = {
	KUNIT_CASE(chain_shown_in_place),
	KUNIT_CASE(chain_hidden_in_place),
	KUNIT_CASE(chain_hidden_outside),
	KUNIT_CASE(chain_appended),
	KUNIT_CASE(chain_appended_to_one),
	KUNIT_CASE(chain_appended_to_shown),
	KUNIT_CASE(chain_appended_to_hidden),
	KUNIT_CASE(chain_appended_to_nothing),
	KUNIT_CASE(chain_first_and_only),
	KUNIT_CASE(chain_first_of_two),
	KUNIT_CASE(chain_without_end),
	KUNIT_CASE(chain_with_bad_end),
	KUNIT_CASE(refuses_nonsense),
	KUNIT_CASE(registers),
	KUNIT_CASE(pasid_width),
	KUNIT_CASE(virtual_function),
	KUNIT_CASE(pieces),
	KUNIT_CASE(piece_far_away),
	{}
};

static struct kunit_suite overlay_test_suite = {
	.name = "vfio-nested-pci-overlay",
	.init = overlay_test_init,
	.test_cases = overlay_test_cases,
};

kunit_test_suite(overlay_test_suite);
