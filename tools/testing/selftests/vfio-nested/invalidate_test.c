// SPDX-License-Identifier: GPL-2.0
/*
 * Invalidation: what the IOMMU has cached stays until the guest's command comes,
 * and is gone when the call returns.
 *
 * That a cached translation stays is certain on an emulated SMMU only. On others
 * it is told and not tested, and what is forgotten too much is not either.
 */
#include "test.h"

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

static bool certain(const struct vn_device *device)
{
	return device->engine.caps & VN_ENGINE_EMULATED;
}

/* A write to @iova still goes where the tables led it before. */
#define EXPECT_STALE(device, iova, old, new) do {			\
	if (certain(device)) {						\
		EXPECT_LANDS(device, iova, old);			\
		EXPECT_TRUE(vn_intact((device)->vm, new));		\
	} else {							\
		vn_dma_write(device, iova);				\
		TH_LOG("without an invalidation: the %s page",		\
		       vn_landed(device, old) ? "old" : "new");		\
		vn_poison((device)->vm, old);				\
		vn_poison((device)->vm, new);				\
	}								\
} while (0)

static void start_translating(struct __test_metadata *_metadata,
			      struct vn_guest *guest, struct vn_device *device,
			      uint64_t *old, uint64_t *new)
{
	start_guest(_metadata, guest, device, 0);
	*old = map_page(_metadata, guest, IOVA(0), VN_PROT_RW);
	*new = vn_guest_page(guest);
	ASSERT_NE(0, *new);
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	/* The first access brings the translation into the cache. */
	EXPECT_LANDS(device, IOVA(0), *old);
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

static void remap(struct __test_metadata *_metadata, struct vn_guest *guest,
		  uint64_t iova, uint64_t ipa)
{
	ASSERT_OK(vn_s1_map_at(&guest->s1, iova, ipa, VN_PROT_RW,
			       VN_S1_LAST_LEVEL));
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

/* More commands in one call than the kernel takes at once */
TEST_F(commands, many_in_one_call)
{
	static struct vfio_nested_command_smmuv3 list[5000];
	struct vfio_nested_stats before, after;
	uint32_t num = VN_ARRAY_SIZE(list);
	unsigned int i;

	for (i = 0; i < num; i++)
		list[i] = vn_cmd_tlbi(VN_CMD_TLBI_NH_VA, ASID, IOVA(64 + i));
	/* The one that matters is the last. */
	list[num - 1] = vn_cmd_tlbi(VN_CMD_TLBI_NH_VA, ASID, IOVA(0));
	remap(_metadata, &self->guest, IOVA(0), self->new);
	ASSERT_OK(vn_nested_stats(self->guest.fd, &before));
	ASSERT_OK(vn_nested_invalidate(self->guest.fd, list, &num));
	EXPECT_EQ(VN_ARRAY_SIZE(list), num);
	EXPECT_LANDS(self->device, IOVA(0), self->new);
	ASSERT_OK(vn_nested_stats(self->guest.fd, &after));
	EXPECT_EQ(VN_ARRAY_SIZE(list), after.commands - before.commands);
	EXPECT_EQ(1, after.invalidate_calls - before.invalidate_calls);
	EXPECT_EQ(0, after.commands_refused - before.commands_refused);
}

/* Commands before a bad one take effect, none after it does. */
static void bad_at(struct __test_metadata *_metadata,
		   FIXTURE_DATA(commands) *self, unsigned int good)
{
	static struct vfio_nested_command_smmuv3 list[300];
	struct vn_guest *guest = &self->guest;
	uint64_t other = map_page(_metadata, guest, IOVA(1), VN_PROT_RW);
	uint64_t spare = vn_guest_page(guest);
	uint32_t num = VN_ARRAY_SIZE(list);
	struct vfio_nested_stats before, after;
	unsigned int i;

	EXPECT_LANDS(self->device, IOVA(1), other);
	for (i = 0; i < num; i++)
		list[i] = vn_cmd_sync();
	if (good)
		list[good - 1] = vn_cmd_tlbi(VN_CMD_TLBI_NH_VA, ASID, IOVA(0));
	list[good].cmd[0] = htole64(VN_CMD_TLBI_NH_ALL | VN_BIT(8));
	list[good + 1] = vn_cmd_tlbi(VN_CMD_TLBI_NH_VA, ASID, IOVA(1));
	remap(_metadata, guest, IOVA(0), self->new);
	remap(_metadata, guest, IOVA(1), spare);

	ASSERT_OK(vn_nested_stats(guest->fd, &before));
	EXPECT_EQ(-EINVAL, vn_nested_invalidate(guest->fd, list, &num));
	EXPECT_EQ(good, num);
	ASSERT_OK(vn_nested_stats(guest->fd, &after));
	EXPECT_EQ(good, after.commands - before.commands);
	EXPECT_EQ(1, after.commands_refused - before.commands_refused);
	if (good)
		EXPECT_LANDS(self->device, IOVA(0), self->new);
	EXPECT_STALE(self->device, IOVA(1), other, spare);
	/* Another guest's commands, or this one's next, are not affected. */
	ASSERT_OK(vn_nested_command(guest->fd,
				    vn_cmd_tlbi(VN_CMD_TLBI_NH_ALL, 0, 0)));
	EXPECT_LANDS(self->device, IOVA(1), spare);
}

TEST_F(commands, first_is_bad)
{
	bad_at(_metadata, self, 0);
}

TEST_F(commands, one_in_the_middle_is_bad)
{
	bad_at(_metadata, self, 5);
}

/* Behind what the kernel takes at once */
TEST_F(commands, one_far_behind_is_bad)
{
	bad_at(_metadata, self, 200);
}

/* The array ends in memory that cannot be read. */
static void unreadable_at(struct __test_metadata *_metadata,
			  FIXTURE_DATA(commands) *self, unsigned int good,
			  unsigned int piece)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct vfio_nested_command_smmuv3 *list;
	struct vn_guest *guest = &self->guest;
	uint32_t num = 1000000;
	uint8_t *two;
	unsigned int i;

	two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, two);
	ASSERT_EQ(0, mprotect(two + page, page, PROT_NONE));
	list = (void *)(two + page - good * sizeof(*list) - piece);
	for (i = 0; i < good; i++)
		list[i] = vn_cmd_sync();
	if (good)
		list[good - 1] = vn_cmd_tlbi(VN_CMD_TLBI_NH_VA, ASID, IOVA(0));
	remap(_metadata, guest, IOVA(0), self->new);

	EXPECT_EQ(-EFAULT, vn_nested_invalidate(guest->fd, list, &num));
	EXPECT_EQ(good, num);
	if (good)
		EXPECT_LANDS(self->device, IOVA(0), self->new);
	munmap(two, 2 * page);
}

TEST_F(commands, nothing_is_readable)
{
	unreadable_at(_metadata, self, 0, 0);
	unreadable_at(_metadata, self, 0, 15);
}

TEST_F(commands, some_are_readable)
{
	unreadable_at(_metadata, self, 7, 0);
}

TEST_F(commands, many_and_a_half_are_readable)
{
	unreadable_at(_metadata, self, 150, 8);
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
