// SPDX-License-Identifier: GPL-2.0
/*
 * Which commands a guest may send: each of the 256 opcodes, and each of the 128
 * bits of those that are accepted. Whatever is refused must leave the command
 * queue, which all guests and the host share, working.
 *
 * The table is written from Arm IHI 0070, chapter 4, and from what the uAPI
 * promises, not from the kernel's code.
 */
#include "test.h"

static const struct vn_want wants[] = { {} };

#define BITS(high, low)	vn_field(~0ULL, low, (high) - (low) + 1)

#define SSID_BITS	BITS(31, 12)
#define SID_BITS	BITS(63, 32)
#define ASID_BITS	BITS(63, 48)
#define NUM_BITS	BITS(16, 12)
#define SCALE_BITS	BITS(24, 20)
#define ADDRESS_BITS	BITS(63, 12)
#define TTL_BITS	BITS(9, 8)
#define TG_BITS		BITS(11, 10)
#define PREFETCH_BITS	BITS(9, 0)

/* What setting, or clearing, one bit of a good command gives */
struct command_row {
	const char *name;
	/* A command that is accepted; the guest's StreamID is put in where... */
	uint64_t word0;
	uint64_t word1;
	/* ... it has one. */
	bool has_stream;
	/* Bits that may change without making it bad */
	uint64_t free0;
	uint64_t free1;
	/* Needs range invalidation, stalls, page requests */
	bool range;
	bool stall;
	bool pri;
	/* What a good one gives: an answer to what is not pending is none. */
	int result;
};

static const struct command_row rows[] = {
	{ "PREFETCH_CONFIG", VN_CMD_PREFETCH_CONFIG, .has_stream = true,
	  .free0 = VN_CMD0_SSV | SSID_BITS },
	{ "PREFETCH_ADDR", VN_CMD_PREFETCH_ADDR, .has_stream = true,
	  .free0 = VN_CMD0_SSV | SSID_BITS,
	  .free1 = ADDRESS_BITS | PREFETCH_BITS },
	{ "CFGI_CD", VN_CMD_CFGI_CD, .has_stream = true, .free0 = SSID_BITS,
	  .free1 = VN_CMD1_LEAF },
	{ "CFGI_CD_ALL", VN_CMD_CFGI_CD_ALL, .has_stream = true },
	{ "TLBI_NH_ALL", VN_CMD_TLBI_NH_ALL },
	{ "TLBI_NH_ASID", VN_CMD_TLBI_NH_ASID, .free0 = ASID_BITS },
	{ "TLBI_NH_VA", VN_CMD_TLBI_NH_VA, .free0 = ASID_BITS,
	  .free1 = ADDRESS_BITS | VN_CMD1_LEAF },
	{ "TLBI_NH_VAA", VN_CMD_TLBI_NH_VAA,
	  .free1 = ADDRESS_BITS | VN_CMD1_LEAF },
	/* With TG=4 KiB, TTL=3: one bit less of TG leaves none, of TTL another */
	{ "TLBI_NH_VA range", VN_CMD_TLBI_NH_VA,
	  VN_CMD1_TG(1) | VN_CMD1_TTL(3),
	  .free0 = ASID_BITS | NUM_BITS | SCALE_BITS,
	  .free1 = ADDRESS_BITS | VN_CMD1_LEAF | VN_CMD1_TG(2) | TTL_BITS,
	  .range = true },
	{ "TLBI_NH_VAA range", VN_CMD_TLBI_NH_VAA,
	  VN_CMD1_TG(1) | VN_CMD1_TTL(3), .free0 = NUM_BITS | SCALE_BITS,
	  .free1 = ADDRESS_BITS | VN_CMD1_LEAF | VN_CMD1_TG(2) | TTL_BITS,
	  .range = true },
	{ "TLBI_NSNH_ALL", VN_CMD_TLBI_NSNH_ALL },
	{ "PRI_RESP", VN_CMD_PRI_RESP, VN_CMD1_PRI_RESP(VN_PRI_RESP_FAILURE),
	  .has_stream = true, .free0 = VN_CMD0_SSV | SSID_BITS,
	  .free1 = BITS(8, 0) | BITS(13, 12), .pri = true, .result = -ENOENT },
	{ "RESUME", VN_CMD_RESUME, .has_stream = true, .free0 = BITS(13, 12),
	  .free1 = BITS(15, 0), .stall = true, .result = -ENOENT },
	{ "STALL_TERM", VN_CMD_STALL_TERM, .has_stream = true, .stall = true },
	{ "SYNC", VN_CMD_SYNC },
};

FIXTURE(allowed) {
	struct vn_device *device;
	struct vn_guest guest;
	uint64_t page;
};

FIXTURE_SETUP(allowed)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	start_guest(_metadata, &self->guest, self->device, 0);
	self->page = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
}

FIXTURE_TEARDOWN(allowed)
{
	/* The queue carries this guest's commands, and the host's unmapping. */
	EXPECT_OK(vn_nested_command(self->guest.fd,
				    vn_cmd_tlbi(VN_CMD_TLBI_NH_ALL, 0, 0)));
	EXPECT_LANDS(self->device, IOVA(0), self->page);
	unbind_all();
	vn_guest_close(&self->guest);
}

static int send(struct vn_guest *guest, uint64_t word0, uint64_t word1)
{
	struct vfio_nested_command_smmuv3 command = {
		.cmd = { htole64(word0), htole64(word1) },
	};

	return vn_nested_command(guest->fd, command);
}

/* Opcodes, and forms of them, that this SMMU has */
static bool exists(const struct vn_guest *guest, const struct command_row *row)
{
	return (!row->range || guest->smmu.range) &&
	       (!row->stall || guest->smmu.stall_model != 1) &&
	       (!row->pri || guest->smmu.pri);
}

static bool in_table(const struct vn_guest *guest, unsigned int opcode)
{
	unsigned int i;

	for (i = 0; i < VN_ARRAY_SIZE(rows); i++)
		if (rows[i].word0 == opcode && exists(guest, &rows[i]))
			return true;
	return false;
}

TEST_F(allowed, opcodes)
{
	/* The same operands for all: legal for any command that has them. */
	static const uint64_t operands[][2] = {
		{ 0, 0 },
		{ VN_CMD0_SID(STREAM), 0 },
		{ VN_CMD0_ASID(ASID), IOVA(0) & VN_CMD1_ADDRESS },
	};
	unsigned int opcode, i;

	for (opcode = 0; opcode < 256; opcode++) {
		/* Depends on the device, see below */
		if (in_table(&self->guest, opcode) || opcode == VN_CMD_ATC_INV)
			continue;
		for (i = 0; i < VN_ARRAY_SIZE(operands); i++) {
			EXPECT_EQ(-EOPNOTSUPP,
				  send(&self->guest, opcode | operands[i][0],
				       operands[i][1]))
				TH_LOG("opcode 0x%02x, operands %u", opcode, i);
		}
		EXPECT_EQ(0, send(&self->guest, VN_CMD_TLBI_NH_ALL, 0))
			TH_LOG("after opcode 0x%02x", opcode);
	}
}

static uint64_t free_bits0(const struct vn_guest *guest,
			   const struct command_row *row)
{
	uint64_t bits = row->free0;

	if (!guest->smmu.asid16 && !row->has_stream)
		bits &= ~BITS(63, 56);
	/* Other commands have a range there. */
	if (!row->has_stream)
		return bits;
	/* Without PASIDs, and beyond those that there are */
	if (!guest->smmu.ssid_bits)
		bits &= ~(VN_CMD0_SSV | SSID_BITS);
	else
		bits &= ~(SSID_BITS & ~VN_CMD0_SSID((1U << guest->smmu.ssid_bits) - 1));
	return bits;
}

static void check_row(struct __test_metadata *_metadata, struct vn_guest *guest,
		      const struct command_row *row)
{
	uint64_t word0 = row->word0;
	uint64_t free0 = free_bits0(guest, row);
	unsigned int bit;
	int want;

	if (row->has_stream)
		word0 |= VN_CMD0_SID(STREAM);
	EXPECT_EQ(row->result, send(guest, word0, row->word1))
		TH_LOG("%s", row->name);

	/* The opcode, bits 7 to 0, is another test's. */
	for (bit = 8; bit < 64; bit++) {
		want = free0 & VN_BIT(bit) ? row->result : -EINVAL;
		if (row->has_stream && SID_BITS & VN_BIT(bit))
			want = -ENOENT;
		EXPECT_EQ(want, send(guest, word0 ^ VN_BIT(bit), row->word1))
			TH_LOG("%s, word 0 bit %u", row->name, bit);
		EXPECT_OK(send(guest, VN_CMD_SYNC, 0));
	}
	for (bit = 0; bit < 64; bit++) {
		want = row->free1 & VN_BIT(bit) ? row->result : -EINVAL;
		EXPECT_EQ(want, send(guest, word0, row->word1 ^ VN_BIT(bit)))
			TH_LOG("%s, word 1 bit %u", row->name, bit);
	}
	EXPECT_EQ(0, send(guest, VN_CMD_TLBI_NH_ALL, 0))
		TH_LOG("after %s", row->name);
}

TEST_F(allowed, bits)
{
	unsigned int i;

	for (i = 0; i < VN_ARRAY_SIZE(rows); i++)
		if (exists(&self->guest, &rows[i]))
			check_row(_metadata, &self->guest, &rows[i]);
}

/* Each combination of the fields of a range, against the rules of 4.4.1.1 */
TEST_F(allowed, ranges)
{
	struct vn_guest *guest = &self->guest;
	unsigned int fields;

	for (fields = 0; fields < 64; fields++) {
		unsigned int tg = fields & 3, ttl = (fields >> 2) & 3;
		unsigned int num = (fields >> 4) & 1, scale = fields >> 5;
		bool any = num || scale || ttl;
		/* All or nothing; TTL 1 is no level of 16 KiB blocks. */
		bool good = tg ? guest->smmu.range && any && !(tg == 2 && ttl == 1) :
			    !any;

		EXPECT_EQ(good ? 0 : -EINVAL,
			  send(guest,
			       VN_CMD_TLBI_NH_VA | VN_CMD0_ASID(ASID) |
			       VN_CMD0_NUM(num) | VN_CMD0_SCALE(scale),
			       VN_CMD1_TG(tg) | VN_CMD1_TTL(ttl) | IOVA(0)))
			TH_LOG("TG %u TTL %u NUM %u SCALE %u", tg, ttl, num,
			       scale);
	}
}

/* Without ATS there are no translations in the device to invalidate. */
TEST_F(allowed, atc_inv_without_ats)
{
	if (self->guest.info.caps & VFIO_NESTED_CAP_ATS)
		SKIP(return, "the guest may use ATS here");
	EXPECT_EQ(-EOPNOTSUPP,
		  send(&self->guest, VN_CMD_ATC_INV | VN_CMD0_SID(STREAM), 52));
	EXPECT_EQ(-EOPNOTSUPP, send(&self->guest, VN_CMD_ATC_INV, 52));
}

/* SYNC with a signal would interrupt, or write to, the host. */
TEST_F(allowed, sync_with_a_signal)
{
	EXPECT_EQ(-EINVAL, send(&self->guest, VN_CMD_SYNC | vn_field(1, 12, 2),
				self->page));
	EXPECT_EQ(-EINVAL, send(&self->guest, VN_CMD_SYNC | vn_field(2, 12, 2), 0));
	EXPECT_EQ(-EINVAL, send(&self->guest, VN_CMD_SYNC, self->page));
	EXPECT_TRUE(vn_intact(self->guest.vm, self->page));
}

/* Many bad ones in a row, alone and among good ones */
TEST_F(allowed, a_storm_of_bad_commands)
{
	struct vfio_nested_stats before, after;
	unsigned int i;

	ASSERT_OK(vn_nested_stats(self->guest.fd, &before));
	for (i = 0; i < 2000; i++)
		EXPECT_NE(0, send(&self->guest, i | VN_BIT(10), ~0ULL));
	ASSERT_OK(vn_nested_stats(self->guest.fd, &after));
	EXPECT_EQ(2000, after.commands_refused - before.commands_refused);
	EXPECT_EQ(before.commands, after.commands);
}

TEST_MAIN_WITH_DEVICES(wants)
