// SPDX-License-Identifier: GPL-2.0
/*
 * Invalidation: what the IOMMU has cached stays until the guest's command comes,
 * and is gone when the call returns.
 */
#include "cached.h"

static const struct vn_want wants[] = { {} };

FIXTURE(tlb) {
	struct vn_device *device;
	struct vn_guest guest;
	uint64_t old;
	uint64_t new;
};

/* A command that makes the IOMMU forget the page at IOVA(0) */
struct tlbi {
	uint8_t opcode;
	bool leaf;
	/* Pages of a range, 0 for the form without a range */
	unsigned int pages;
};

FIXTURE_VARIANT(tlb) {
	struct tlbi tlbi;
};

#define TLBI(name, ...) \
	FIXTURE_VARIANT_ADD(tlb, name) { .tlbi = { __VA_ARGS__ } }

TLBI(va, VN_CMD_TLBI_NH_VA);
TLBI(va_leaf, VN_CMD_TLBI_NH_VA, .leaf = true);
TLBI(va_level, VN_CMD_TLBI_NH_VA, .pages = 1);
TLBI(va_range, VN_CMD_TLBI_NH_VA, .pages = 32);
TLBI(vaa, VN_CMD_TLBI_NH_VAA);
TLBI(vaa_leaf, VN_CMD_TLBI_NH_VAA, .leaf = true);
TLBI(vaa_range, VN_CMD_TLBI_NH_VAA, .pages = 8);
TLBI(asid, VN_CMD_TLBI_NH_ASID);
TLBI(all, VN_CMD_TLBI_NH_ALL);
TLBI(nsnh_all, VN_CMD_TLBI_NSNH_ALL);

static bool takes_asid(uint8_t opcode)
{
	return opcode == VN_CMD_TLBI_NH_VA || opcode == VN_CMD_TLBI_NH_ASID;
}

static bool takes_address(uint8_t opcode)
{
	return opcode == VN_CMD_TLBI_NH_VA || opcode == VN_CMD_TLBI_NH_VAA;
}

static int invalidate(struct vn_guest *guest, const struct tlbi *tlbi,
		      uint16_t asid, uint64_t iova)
{
	struct vfio_nested_command_smmuv3 command;

	if (!takes_asid(tlbi->opcode))
		asid = 0;
	if (!takes_address(tlbi->opcode))
		iova = 0;
	if (tlbi->pages)
		command = vn_cmd_tlbi_range(tlbi->opcode, asid, iova,
					    guest->s1.granule, tlbi->pages);
	else
		command = vn_cmd_tlbi(tlbi->opcode, asid, iova);
	if (tlbi->leaf)
		command.cmd[1] |= htole64(VN_CMD1_LEAF);
	return vn_nested_command(guest->fd, command);
}

FIXTURE_SETUP(tlb)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	start_translating(_metadata, &self->guest, self->device, &self->old,
			  &self->new);
	if (variant->tlbi.pages && !self->guest.smmu.range)
		SKIP(return, "the SMMU has no range invalidation (IDR3 0x%x)",
		     self->guest.smmu.idr[3]);
}

FIXTURE_TEARDOWN(tlb)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

TEST_F(tlb, remap_is_seen_after_it)
{
	remap(_metadata, &self->guest, IOVA(0), self->new);
	EXPECT_STALE(self->device, IOVA(0), self->old, self->new);
	ASSERT_OK(invalidate(&self->guest, &variant->tlbi, ASID, IOVA(0)));
	EXPECT_LANDS(self->device, IOVA(0), self->new);
	EXPECT_TRUE(vn_intact(self->guest.vm, self->old));
}

TEST_F(tlb, unmap_is_seen_after_it)
{
	vn_s1_unmap(&self->guest.s1, IOVA(0));
	EXPECT_STALE(self->device, IOVA(0), self->old, self->new);
	ASSERT_OK(invalidate(&self->guest, &variant->tlbi, ASID, IOVA(0)));
	EXPECT_REFUSED(self->device, IOVA(0));
	EXPECT_TRUE(vn_intact(self->guest.vm, self->old));
}

/* The fields of the command reach the hardware: others are not forgotten. */
TEST_F(tlb, does_not_forget_another_address_or_asid)
{
	const struct tlbi *tlbi = &variant->tlbi;

	if (!certain(self->device))
		SKIP(return, "hardware may forget more than it must");
	remap(_metadata, &self->guest, IOVA(0), self->new);
	if (takes_address(tlbi->opcode)) {
		ASSERT_OK(invalidate(&self->guest, tlbi, ASID, IOVA(64)));
		EXPECT_STALE(self->device, IOVA(0), self->old, self->new);
	}
	if (takes_asid(tlbi->opcode)) {
		ASSERT_OK(invalidate(&self->guest, tlbi, ASID + 1, IOVA(0)));
		EXPECT_STALE(self->device, IOVA(0), self->old, self->new);
	}
	ASSERT_OK(invalidate(&self->guest, tlbi, ASID, IOVA(0)));
	EXPECT_LANDS(self->device, IOVA(0), self->new);
}

FIXTURE(commands) {
	struct vn_device *device;
	struct vn_guest guest;
	uint64_t old;
	uint64_t new;
};

FIXTURE_SETUP(commands)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	start_translating(_metadata, &self->guest, self->device, &self->old,
			  &self->new);
}

FIXTURE_TEARDOWN(commands)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

/* A range of 32 pages forgets each of them and none after. */
TEST_F(commands, range_is_the_range)
{
	struct vn_guest *guest = &self->guest;
	struct vn_stage1 *s1 = &guest->s1;
	uint64_t size = 1ULL << s1->granule;
	uint64_t start = IOVA(16);
	uint64_t pages[3], others[3];
	const uint64_t at[3] = { start, start + 31 * size, start + 32 * size };
	unsigned int i;

	if (!guest->smmu.range)
		SKIP(return, "the SMMU has no range invalidation (IDR3 0x%x)",
		     guest->smmu.idr[3]);
	for (i = 0; i < 3; i++) {
		pages[i] = map_page(_metadata, guest, at[i], VN_PROT_RW);
		others[i] = vn_guest_page(guest);
		EXPECT_LANDS(self->device, at[i], pages[i]);
		remap(_metadata, guest, at[i], others[i]);
	}
	ASSERT_OK(vn_nested_command(guest->fd,
				    vn_cmd_tlbi_range(VN_CMD_TLBI_NH_VA, ASID,
						      start, s1->granule, 32)));
	EXPECT_LANDS(self->device, at[0], others[0]);
	EXPECT_LANDS(self->device, at[1], others[1]);
	EXPECT_STALE(self->device, at[2], pages[2], others[2]);
}

/* The context descriptor is cached too, and has commands of its own. */
static void change_descriptor(struct __test_metadata *_metadata,
			      FIXTURE_DATA(commands) *self,
			      struct vfio_nested_command_smmuv3 command)
{
	struct vn_guest *guest = &self->guest;
	uint64_t cd = guest->cd;
	uint64_t words[VN_CD_WORDS];

	/* Another table and another ASID, in the same descriptor */
	ASSERT_OK(vn_guest_stage1(guest, guest->s1.granule, VA_BITS, ASID + 1));
	remap(_metadata, guest, IOVA(0), self->new);
	vn_cd_fill(words, &guest->s1, &guest->smmu, ASID + 1);
	vn_cd_write(vn_vm_va(guest->vm, cd), words);
	EXPECT_STALE(self->device, IOVA(0), self->old, self->new);
	ASSERT_OK(vn_nested_command(guest->fd, command));
	EXPECT_LANDS(self->device, IOVA(0), self->new);
}

TEST_F(commands, cfgi_cd)
{
	change_descriptor(_metadata, self, vn_cmd_cfgi_cd(STREAM, 0));
}

TEST_F(commands, cfgi_cd_all)
{
	change_descriptor(_metadata, self, vn_cmd_cfgi_cd_all(STREAM));
}

/* Hints and barriers are taken and do nothing. */
TEST_F(commands, without_effect)
{
	const struct vfio_nested_command_smmuv3 list[] = {
		vn_cmd_sync(),
		{ { htole64(VN_CMD_PREFETCH_CONFIG | VN_CMD0_SID(STREAM)) } },
		{ { htole64(VN_CMD_PREFETCH_ADDR | VN_CMD0_SID(STREAM)),
		    htole64(IOVA(0)) } },
		vn_cmd_sync(),
	};
	uint32_t num = VN_ARRAY_SIZE(list);

	remap(_metadata, &self->guest, IOVA(0), self->new);
	ASSERT_OK(vn_nested_invalidate(self->guest.fd, list, &num));
	EXPECT_EQ(VN_ARRAY_SIZE(list), num);
	EXPECT_STALE(self->device, IOVA(0), self->old, self->new);
}

/* A StreamID that is not bound, in each command that has one */
TEST_F(commands, unknown_stream)
{
	struct vn_guest *guest = &self->guest;
	uint32_t stream;

	for (stream = STREAM - 1; stream <= STREAM + 1; stream += 2) {
		EXPECT_EQ(-ENOENT,
			  vn_nested_command(guest->fd,
					    vn_cmd_cfgi_cd(stream, 0)));
		EXPECT_EQ(-ENOENT,
			  vn_nested_command(guest->fd,
					    vn_cmd_cfgi_cd_all(stream)));
	}
	EXPECT_EQ(-ENOENT, vn_nested_command(guest->fd,
					     vn_cmd_cfgi_cd_all(UINT32_MAX)));
	EXPECT_LANDS(self->device, IOVA(0), self->old);
}

TEST_MAIN_WITH_DEVICES(wants)
