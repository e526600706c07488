// SPDX-License-Identifier: GPL-2.0
/*
 * PASIDs: one device works on many stage-1 tables at once, each access on that of
 * its PASID and on no other; the table of their descriptors may have any format
 * that the architecture has; and all of it is cached until the guest says so.
 */
#include "faults.h"

static const struct vn_want wants[] = {
	/* A linear table of 1 << 16 descriptors has 4 MiB. */
	{ .engine = VN_TESTDEV, .ram_size = 0x01000000 },
	{ .engine = VN_TESTDEV },
	/* Of another virtual machine */
	{ .engine = VN_TESTDEV, .vm = 1 },
};

#define SIZE		64
#define OTHER_STREAM	0x20
/* The first ASID of PASIDs: that of PASID n is this + n % 200 */
#define FIRST_ASID	20

static uint16_t asid_of(uint32_t pasid)
{
	return FIRST_ASID + pasid % 200;
}

/* A PASID with a stage 1 that maps IOVA(0) to a page of its own. */
struct pasid {
	struct vn_space space;
	uint64_t page;
};

static void add_pasid(struct __test_metadata *_metadata, struct vn_guest *guest,
		      struct pasid *pasid, uint32_t number)
{
	ASSERT_OK(vn_guest_space(guest, &pasid->space, number, asid_of(number)));
	pasid->page = vn_guest_page(guest);
	ASSERT_NE(0, pasid->page);
	ASSERT_OK(vn_s1_map_at(&pasid->space.s1, IOVA(0), pasid->page,
			       VN_PROT_RW, VN_S1_LAST_LEVEL));
}

/* One access of a channel that nothing holds up */
static struct vn_channel_status access_with(struct __test_metadata *_metadata,
					    struct vn_device *device,
					    unsigned int channel,
					    enum vn_operation op, uint32_t flags,
					    uint32_t pasid, uint64_t iova)
{
	const struct vn_access access = {
		.op = op, .flags = flags, .iova = iova, .length = SIZE,
		.pasid = pasid, .buffer = BUFFER_OF(channel),
	};
	struct vn_channel_status status = {};

	if (op == VN_OP_WRITE)
		fill_buffer(device, channel, SIZE);
	EXPECT_OK(vn_testdev_run(device, channel, &access, &status));
	return status;
}

/* A write with @pasid to @iova reaches @ipa, which is made ready again. */
#define EXPECT_REACHES(device, pasid, iova, ipa) do {			\
	struct vn_channel_status __s;					\
									\
	__s = access_with(_metadata, device, 1, VN_OP_WRITE, 0, pasid, iova); \
	EXPECT_EQ(VN_CHANNEL_OK, __s.state)				\
		TH_LOG("PASID 0x%x: %s", pasid,				\
		       vn_channel_error_name(__s.error));		\
	EXPECT_TRUE(holds((device)->vm, ipa, 1, 0, SIZE))		\
		TH_LOG("PASID 0x%x did not reach its page", pasid);	\
	vn_poison((device)->vm, ipa);					\
} while (0)

/* A write with @pasid fails, with this event if there are any. */
static struct vfio_nested_fault fail_with(struct __test_metadata *_metadata,
					  struct vn_guest *guest,
					  struct vn_device *device,
					  uint32_t pasid, uint64_t iova,
					  uint8_t event, uint32_t reason)
{
	struct vfio_nested_fault fault = {};
	struct vn_channel_status status;

	vn_ring_drain(&guest->ring, 0);
	status = access_with(_metadata, device, 1, VN_OP_WRITE, 0, pasid, iova);
	EXPECT_EQ(VN_ERROR_ABORTED, status.error);
	if (!(guest->info.caps & VFIO_NESTED_CAP_EVENTS))
		return fault;
	EXPECT_EQ(1, vn_ring_wait(&guest->ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(VFIO_NESTED_FAULT_EVENT, fault.kind);
	EXPECT_EQ(event, vn_event_id(&fault))
		TH_LOG("%s", vn_event_name(vn_event_id(&fault)));
	EXPECT_EQ(reason, fault.reason);
	/* This one does not say which it was (7.3.7). */
	if (event == VN_EVENT_F_STREAM_DISABLED)
		return fault;
	EXPECT_EQ(pasid & 0xfffff, fault.pasid);
	/* This one always has a PASID, and so no bit that says so (7.3.9). */
	if (event == VN_EVENT_C_BAD_SUBSTREAMID) {
		EXPECT_TRUE(fault.flags & VFIO_NESTED_FAULT_PASID);
		return fault;
	}
	EXPECT_EQ(pasid ? VFIO_NESTED_FAULT_PASID : 0,
		  fault.flags & VFIO_NESTED_FAULT_PASID);
	EXPECT_EQ(pasid, vn_event_pasid(&fault));
	return fault;
}

/* --- Formats ------------------------------------------------------------------ */

FIXTURE(format) {
	struct vn_device *device;
	struct vn_guest guest;
};

FIXTURE_VARIANT(format) {
	enum vn_cdtable_format format;
	unsigned int cdmax;
};

#define FORMAT(name, f, n) \
	FIXTURE_VARIANT_ADD(format, name) { .format = f, .cdmax = n, }

FORMAT(linear_1, VN_CDTABLE_LINEAR, 1);
FORMAT(linear_2, VN_CDTABLE_LINEAR, 2);
FORMAT(linear_6, VN_CDTABLE_LINEAR, 6);
FORMAT(linear_7, VN_CDTABLE_LINEAR, 7);
FORMAT(linear_10, VN_CDTABLE_LINEAR, 10);
FORMAT(linear_15, VN_CDTABLE_LINEAR, 15);
FORMAT(linear_16, VN_CDTABLE_LINEAR, 16);
FORMAT(leaves_4k_1, VN_CDTABLE_4K, 1);
FORMAT(leaves_4k_6, VN_CDTABLE_4K, 6);
FORMAT(leaves_4k_7, VN_CDTABLE_4K, 7);
FORMAT(leaves_4k_12, VN_CDTABLE_4K, 12);
FORMAT(leaves_4k_16, VN_CDTABLE_4K, 16);
FORMAT(leaves_64k_2, VN_CDTABLE_64K, 2);
FORMAT(leaves_64k_10, VN_CDTABLE_64K, 10);
FORMAT(leaves_64k_11, VN_CDTABLE_64K, 11);
FORMAT(leaves_64k_16, VN_CDTABLE_64K, 16);

FIXTURE_SETUP(format)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_CAP(self->device, PASID);
	NEED_SMMUV3(self->device, "its tables have several formats");
	start_guest(_metadata, &self->guest, self->device, 0);
	if (variant->cdmax > self->guest.smmu.ssid_bits)
		SKIP(return, "the SMMU has PASIDs of %u bits",
		     self->guest.smmu.ssid_bits);
	if (variant->format != VN_CDTABLE_LINEAR && !self->guest.smmu.cd2l)
		SKIP(return, "the SMMU has no tables of two levels");
	self->guest.cd_format = variant->format;
	ASSERT_OK(vn_guest_pasids(&self->guest, variant->cdmax));
}

FIXTURE_TEARDOWN(format)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

/* The first and the last, and both sides of what a leaf may hold */
TEST_F(format, each_pasid_has_its_table)
{
	static const uint32_t numbers[] = { 1, 2, 63, 64, 127, 128, 1023, 1024,
					    4095, 32767, 32768, 65535 };
	uint32_t last = (1U << variant->cdmax) - 1;
	struct pasid pasids[VN_ARRAY_SIZE(numbers) + 1];
	struct vn_guest *guest = &self->guest;
	unsigned int num = 0, i, k;
	uint64_t page0;

	page0 = map_page(_metadata, guest, IOVA(0), VN_PROT_RW);
	for (i = 0; i < VN_ARRAY_SIZE(numbers); i++)
		if (numbers[i] < last)
			add_pasid(_metadata, guest, &pasids[num++], numbers[i]);
	add_pasid(_metadata, guest, &pasids[num++], last);
	ASSERT_OK(vn_guest_translate(guest, STREAM));

	for (i = 0; i < num; i++) {
		EXPECT_REACHES(self->device, VN_PASID(pasids[i].space.pasid),
			       IOVA(0), pasids[i].page);
		for (k = 0; k < num; k++)
			EXPECT_TRUE(vn_intact(guest->vm, pasids[k].page));
		EXPECT_TRUE(vn_intact(guest->vm, page0));
	}
	EXPECT_REACHES(self->device, VN_NO_PASID, IOVA(0), page0);
	EXPECT_EQ(0, vn_ring_pending(&guest->ring));
}

TEST_F(format, beyond_the_table)
{
	uint32_t last = (1U << variant->cdmax) - 1;
	struct vn_guest *guest = &self->guest;
	struct pasid pasid;

	add_pasid(_metadata, guest, &pasid, last);
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	fail_with(_metadata, guest, self->device, VN_PASID(last + 1), IOVA(0),
		  VN_EVENT_C_BAD_SUBSTREAMID, VFIO_NESTED_REASON_PASID);
	EXPECT_REACHES(self->device, VN_PASID(last), IOVA(0), pasid.page);
}

/* No descriptor, or no leaf for it */
TEST_F(format, not_valid)
{
	uint32_t last = (1U << variant->cdmax) - 1;
	struct vn_guest *guest = &self->guest;
	bool leaf;

	ASSERT_OK(vn_guest_translate(guest, STREAM));
	/* Number 0 has a leaf: that of accesses without PASID. */
	leaf = vn_cdtable_cd(&guest->cds, last);
	fail_with(_metadata, guest, self->device, VN_PASID(last), IOVA(0),
		  leaf ? VN_EVENT_C_BAD_CD : VN_EVENT_C_BAD_SUBSTREAMID,
		  leaf ? VFIO_NESTED_REASON_CONTEXT : VFIO_NESTED_REASON_PASID);
	/* A leaf where stage 2 maps nothing */
	if (!leaf) {
		*vn_cdtable_l1(&guest->cds, last) =
			htole64((VN_RAM_IPA + 2 * VN_RAM_MAX) | 1);
		vn_barrier();
		ASSERT_OK(vn_nested_command(guest->fd,
					    vn_cmd_cfgi_cd_all(STREAM)));
		fail_with(_metadata, guest, self->device, VN_PASID(last),
			  IOVA(0), VN_EVENT_F_TRANSLATION,
			  VFIO_NESTED_REASON_TRANSLATION);
	}
}

/* --- Accesses without a PASID --------------------------------------------------- */

FIXTURE(dss) {
	struct vn_device *device;
	struct vn_guest guest;
	struct pasid pasid;
	/* At IOVA(0) of PASID 0 */
	uint64_t page;
};

FIXTURE_SETUP(dss)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_CAP(self->device, PASID);
	start_guest(_metadata, &self->guest, self->device, 0);
	ASSERT_OK(vn_guest_pasids(&self->guest, 3));
	self->page = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);
	add_pasid(_metadata, &self->guest, &self->pasid, 3);
}

FIXTURE_TEARDOWN(dss)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

/* PASID 0 is a PASID as any other then. */
TEST_F(dss, terminate)
{
	NEED_SMMUV3(self->device, "S1DSS says what accesses without PASID do");
	self->guest.s1dss = VN_S1DSS_TERMINATE;
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	fail_with(_metadata, &self->guest, self->device, VN_NO_PASID, IOVA(0),
		  VN_EVENT_F_STREAM_DISABLED, VFIO_NESTED_REASON_PASID);
	EXPECT_REACHES(self->device, VN_PASID(0), IOVA(0), self->page);
	EXPECT_REACHES(self->device, VN_PASID(3), IOVA(0), self->pasid.page);
}

TEST_F(dss, bypass)
{
	NEED_SMMUV3(self->device, "S1DSS says what accesses without PASID do");
	self->guest.s1dss = VN_S1DSS_BYPASS;
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	/* Stage 2 alone: the address is an IPA. */
	EXPECT_REACHES(self->device, VN_NO_PASID, self->page, self->page);
	EXPECT_REACHES(self->device, VN_PASID(0), IOVA(0), self->page);
	EXPECT_REACHES(self->device, VN_PASID(3), IOVA(0), self->pasid.page);
}

TEST_F(dss, pasid_0)
{
	NEED_SMMUV3(self->device, "S1DSS says what accesses without PASID do");
	self->guest.s1dss = VN_S1DSS_SSID0;
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	EXPECT_REACHES(self->device, VN_NO_PASID, IOVA(0), self->page);
	EXPECT_REACHES(self->device, VN_PASID(3), IOVA(0), self->pasid.page);
	fail_with(_metadata, &self->guest, self->device, VN_PASID(0), IOVA(0),
		  VN_EVENT_F_STREAM_DISABLED, VFIO_NESTED_REASON_PASID);
}

/* From one to the next, and to a table of one descriptor and back */
TEST_F(dss, replaced)
{
	static const unsigned int dss[] = {
		VN_S1DSS_SSID0, VN_S1DSS_BYPASS, VN_S1DSS_TERMINATE,
		VN_S1DSS_SSID0,
	};
	uint64_t ste[2];
	unsigned int i;

	NEED_SMMUV3(self->device, "S1DSS says what accesses without PASID do");
	for (i = 0; i < VN_ARRAY_SIZE(dss); i++) {
		self->guest.s1dss = dss[i];
		ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
		EXPECT_REACHES(self->device, VN_PASID(3), IOVA(0),
			       self->pasid.page);
		vn_ste_s1(ste, self->guest.cd);
		ASSERT_OK(vn_nested_set_ste(self->guest.fd, STREAM, ste));
		EXPECT_REACHES(self->device, VN_NO_PASID, IOVA(0), self->page);
		fail_with(_metadata, &self->guest, self->device, VN_PASID(3),
			  IOVA(0), VN_EVENT_C_BAD_SUBSTREAMID,
			  VFIO_NESTED_REASON_PASID);
	}
}

/* --- What is cached --------------------------------------------------------------- */

#define CACHED	4

FIXTURE(cache) {
	struct vn_device *device;
	struct vn_guest guest;
	struct pasid pasids[CACHED];
	/* What IOVA(0) of each is to be next */
	uint64_t next[CACHED];
};

FIXTURE_SETUP(cache)
{
	unsigned int i;

	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_CAP(self->device, PASID);
	start_guest(_metadata, &self->guest, self->device, 0);
	ASSERT_OK(vn_guest_pasids(&self->guest, 6));
	for (i = 0; i < CACHED; i++) {
		add_pasid(_metadata, &self->guest, &self->pasids[i], 10 + i);
		self->next[i] = vn_guest_page(&self->guest);
		ASSERT_NE(0, self->next[i]);
	}
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	for (i = 0; i < CACHED; i++)
		EXPECT_REACHES(self->device, VN_PASID(10 + i), IOVA(0),
			       self->pasids[i].page);
}

FIXTURE_TEARDOWN(cache)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

/* Gives every PASID another table, in which IOVA(0) is the next page. */
static void change_tables(struct __test_metadata *_metadata,
			  FIXTURE_DATA(cache) *self)
{
	unsigned int i;

	for (i = 0; i < CACHED; i++) {
		struct vn_space *space = &self->pasids[i].space;

		ASSERT_OK(vn_guest_space(&self->guest, space, space->pasid,
					 100 + space->asid));
		ASSERT_OK(vn_s1_map_at(&space->s1, IOVA(0), self->next[i],
				       VN_PROT_RW, VN_S1_LAST_LEVEL));
	}
}

/* PASID number @i of the fixture reaches its old page still, or its new one. */
#define EXPECT_OLD(self, i)						\
	EXPECT_REACHES((self)->device, VN_PASID(10 + (i)), IOVA(0),	\
		       (self)->pasids[i].page)
#define EXPECT_NEW(self, i)						\
	EXPECT_REACHES((self)->device, VN_PASID(10 + (i)), IOVA(0),	\
		       (self)->next[i])

/* The guest says that the descriptor of PASID number @i has changed. */
static int reread(const FIXTURE_DATA(cache) *self, unsigned int i)
{
	const struct vn_space *space = &self->pasids[i].space;

	return vn_guest_command(&self->guest,
				self->guest.arch->reread(STREAM, space->pasid,
							 space->asid));
}

static int forget_space(const struct vn_guest *guest, uint32_t pasid, uint16_t asid)
{
	return vn_guest_command(guest, guest->arch->of_space(pasid, asid));
}

/* Descriptors are cached each for itself. */
TEST_F(cache, one_descriptor)
{
	change_tables(_metadata, self);
	EXPECT_OLD(self, 0);
	EXPECT_OLD(self, 1);
	ASSERT_OK(reread(self, 1));
	EXPECT_NEW(self, 1);
	EXPECT_OLD(self, 0);
	EXPECT_OLD(self, 2);
	ASSERT_OK(reread(self, 2));
	EXPECT_NEW(self, 2);
	EXPECT_OLD(self, 3);
}

TEST_F(cache, all_descriptors)
{
	unsigned int i;

	change_tables(_metadata, self);
	for (i = 0; i < CACHED; i++)
		EXPECT_OLD(self, i);
	ASSERT_OK(vn_guest_command(&self->guest,
				   self->guest.arch->reread_all(STREAM)));
	for (i = 0; i < CACHED; i++)
		EXPECT_NEW(self, i);
}

/* A context that is set forgets them all, as CMD_CFGI_STE does. */
TEST_F(cache, context)
{
	unsigned int i;

	change_tables(_metadata, self);
	EXPECT_OLD(self, 0);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	for (i = 0; i < CACHED; i++)
		EXPECT_NEW(self, i);
}

/* A descriptor that goes, and comes back */
TEST_F(cache, descriptor_goes)
{
	vn_guest_forget_space(&self->guest, 10);
	EXPECT_OLD(self, 0);
	ASSERT_OK(reread(self, 0));
	fail_with(_metadata, &self->guest, self->device, VN_PASID(10), IOVA(0),
		  VN_EVENT_C_BAD_CD, VFIO_NESTED_REASON_CONTEXT);
	EXPECT_OLD(self, 1);
	ASSERT_OK(vn_guest_space(&self->guest, &self->pasids[0].space, 10,
				 asid_of(10)));
	ASSERT_OK(vn_s1_map_at(&self->pasids[0].space.s1, IOVA(0),
			       self->next[0], VN_PROT_RW, VN_S1_LAST_LEVEL));
	/* Those that are not valid are cached too. */
	ASSERT_OK(reread(self, 0));
	ASSERT_OK(forget_space(&self->guest, 10, asid_of(10)));
	EXPECT_NEW(self, 0);
}

/* Bits that CFGI_CD has not, and PASIDs that there are not */
TEST_F(cache, descriptor_commands_that_are_not_legal)
{
	struct vfio_nested_command_smmuv3 command;

	NEED_SMMUV3(self->device, "see vtd_test");
	EXPECT_EQ(-ENOENT, vn_nested_command(self->guest.fd,
					     vn_cmd_cfgi_cd(STREAM + 1, 10)));
	EXPECT_EQ(-ENOENT, vn_nested_command(self->guest.fd,
					     vn_cmd_cfgi_cd_all(STREAM + 1)));
	if (self->guest.smmu.ssid_bits < 20)
		EXPECT_EQ(-EINVAL,
			  vn_nested_command(self->guest.fd,
					    vn_cmd_cfgi_cd(STREAM,
							   1U << self->guest.smmu.ssid_bits)));
	command = vn_cmd_cfgi_cd(STREAM, 10);
	command.cmd[0] |= htole64(VN_BIT(9));
	EXPECT_EQ(-EINVAL, vn_nested_command(self->guest.fd, command));
}

static void remap_all(struct __test_metadata *_metadata,
		      FIXTURE_DATA(cache) *self)
{
	unsigned int i;

	for (i = 0; i < CACHED; i++) {
		ASSERT_OK(vn_s1_map_at(&self->pasids[i].space.s1, IOVA(0),
				       self->next[i], VN_PROT_RW,
				       VN_S1_LAST_LEVEL));
		EXPECT_OLD(self, i);
	}
}

/* Translations are cached by ASID, and only that of the command is forgotten. */
TEST_F(cache, translations_of_an_asid)
{
	remap_all(_metadata, self);
	ASSERT_OK(forget_space(&self->guest, 11, asid_of(11)));
	EXPECT_NEW(self, 1);
	EXPECT_OLD(self, 0);
	EXPECT_OLD(self, 2);
	ASSERT_OK(vn_space_forget_page(&self->guest, &self->pasids[2].space,
				       IOVA(0)));
	EXPECT_NEW(self, 2);
	EXPECT_OLD(self, 0);
	EXPECT_OLD(self, 3);
	/* Of an ASID that nobody has, and of an address that is not there */
	ASSERT_OK(forget_space(&self->guest, 13, 7777));
	ASSERT_OK(vn_space_forget_page(&self->guest, &self->pasids[3].space,
				       IOVA(9)));
	EXPECT_OLD(self, 0);
	EXPECT_OLD(self, 3);
}

TEST_F(cache, translations_of_all_asids)
{
	static const uint8_t opcodes[] = {
		VN_CMD_TLBI_NH_VAA, VN_CMD_TLBI_NH_ALL, VN_CMD_TLBI_NSNH_ALL,
	};
	unsigned int i, k;

	NEED_SMMUV3(self->device, "it has several commands for that");
	for (i = 0; i < VN_ARRAY_SIZE(opcodes); i++) {
		remap_all(_metadata, self);
		ASSERT_OK(vn_nested_command(self->guest.fd,
					    vn_cmd_tlbi(opcodes[i], 0,
							opcodes[i] == VN_CMD_TLBI_NH_VAA ?
				      IOVA(0) : 0)));
		for (k = 0; k < CACHED; k++) {
			uint64_t old = self->pasids[k].page;

			EXPECT_NEW(self, k);
			self->pasids[k].page = self->next[k];
			self->next[k] = old;
		}
	}
}

/* --- Rights that only accesses with a PASID have ------------------------------------ */

#define ENTRY_UNPRIVILEGED	VN_BIT(6)
#define ENTRY_PXN		VN_BIT(53)
#define ENTRY_UXN		VN_BIT(54)

static void set_rights(struct pasid *pasid, uint64_t set, uint64_t clear)
{
	unsigned int level;
	uint64_t *entry = vn_s1_entry(&pasid->space.s1, IOVA(0), &level);

	vn_write_once(entry, (*entry & ~clear) | set);
	vn_barrier();
}

static void expect_permission(struct __test_metadata *_metadata,
			      FIXTURE_DATA(dss) *self, enum vn_operation op,
			      uint32_t flags, uint32_t record)
{
	struct vfio_nested_fault fault = {};
	struct vn_channel_status status;

	status = access_with(_metadata, self->device, 1, op, flags, VN_PASID(3),
			     IOVA(0));
	EXPECT_EQ(VN_ERROR_ABORTED, status.error);
	EXPECT_EQ(1, vn_ring_wait(&self->guest.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(VN_EVENT_F_PERMISSION, vn_event_id(&fault));
	EXPECT_EQ(VFIO_NESTED_FAULT_ADDRESS | VFIO_NESTED_FAULT_PASID | record,
		  fault.flags);
	EXPECT_EQ(3, fault.pasid);
}

TEST_F(dss, privileged)
{
	struct vn_channel_status status;

	NEED_SMMUV3(self->device, "rights are tested with its tables");
	self->guest.s1dss = VN_S1DSS_SSID0;
	set_rights(&self->pasid, 0, ENTRY_UNPRIVILEGED);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	expect_permission(_metadata, self, VN_OP_WRITE, 0,
			  VFIO_NESTED_FAULT_WRITE);
	status = access_with(_metadata, self->device, 1, VN_OP_WRITE,
			     VN_ACCESS_PRIVILEGED, VN_PASID(3), IOVA(0));
	EXPECT_EQ(VN_CHANNEL_OK, status.state);
	EXPECT_TRUE(holds(self->guest.vm, self->pasid.page, 1, 0, SIZE));
}

TEST_F(dss, execute)
{
	struct vn_channel_status status;

	NEED_SMMUV3(self->device, "rights are tested with its tables");
	self->guest.s1dss = VN_S1DSS_SSID0;
	set_rights(&self->pasid, ENTRY_UXN | ENTRY_PXN, 0);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	expect_permission(_metadata, self, VN_OP_READ, VN_ACCESS_EXECUTE,
			  VFIO_NESTED_FAULT_EXEC);
	status = access_with(_metadata, self->device, 1, VN_OP_READ, 0,
			     VN_PASID(3), IOVA(0));
	EXPECT_EQ(VN_CHANNEL_OK, status.state);

	set_rights(&self->pasid, 0, ENTRY_UXN);
	ASSERT_OK(vn_nested_command(self->guest.fd,
				    vn_cmd_tlbi(VN_CMD_TLBI_NH_ASID, asid_of(3), 0)));
	status = access_with(_metadata, self->device, 1, VN_OP_READ,
			     VN_ACCESS_EXECUTE, VN_PASID(3), IOVA(0));
	EXPECT_EQ(VN_CHANNEL_OK, status.state);
	expect_permission(_metadata, self, VN_OP_READ,
			  VN_ACCESS_EXECUTE | VN_ACCESS_PRIVILEGED,
			  VFIO_NESTED_FAULT_EXEC | VFIO_NESTED_FAULT_PRIV);
}

/* --- What is refused ------------------------------------------------------------------ */

TEST_F(dss, entries_that_are_not_legal)
{
	unsigned int bits = self->guest.smmu.ssid_bits;
	uint64_t good[2], ste[2];

	NEED_SMMUV3(self->device, "see vtd_test");
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	vn_guest_ste(&self->guest, good);

	/* More PASIDs than there are, and formats that there are not */
	for (; bits < 31; bits++) {
		ste[0] = (good[0] & ~VN_STE0_S1CDMAX(31)) |
			 VN_STE0_S1CDMAX(bits + 1);
		ste[1] = good[1];
		EXPECT_EQ(-EINVAL, vn_nested_set_ste(self->guest.fd, STREAM, ste))
			TH_LOG("S1CDMax %u", bits + 1);
	}
	ste[0] = good[0] | VN_STE0_S1FMT(3);
	EXPECT_EQ(-EINVAL, vn_nested_set_ste(self->guest.fd, STREAM, ste));
	ste[0] = good[0];
	ste[1] = good[1] | VN_STE1_S1DSS(3);
	EXPECT_EQ(-EINVAL, vn_nested_set_ste(self->guest.fd, STREAM, ste));
	if (!self->guest.smmu.cd2l) {
		ste[0] = good[0] | VN_STE0_S1FMT(VN_CDTABLE_4K);
		ste[1] = good[1];
		EXPECT_EQ(-EINVAL, vn_nested_set_ste(self->guest.fd, STREAM, ste));
	}
	/* The one that was there is in force. */
	EXPECT_REACHES(self->device, VN_PASID(3), IOVA(0), self->pasid.page);
	EXPECT_REACHES(self->device, VN_NO_PASID, IOVA(0), self->page);
}

TEST_F(dss, info_says_how_many)
{
	const struct vfio_nested_info *info = &self->guest.info;
	struct vfio_nested_info none;

	EXPECT_GE(20, info->pasid_bits);
	if (self->guest.arch == &vn_arch_smmuv3)
		EXPECT_LE(info->pasid_bits, self->guest.smmu.ssid_bits);
	EXPECT_NE(0, info->pasid_bits);
	ASSERT_OK(vn_nested_info(self->guest.fd, &none, NULL));
	EXPECT_EQ(info->pasid_bits, none.pasid_bits);
}

/* --- Many ----------------------------------------------------------------------------- */

#define MANY_PASIDS	64

/* All channels at once, each on another PASID, round by round */
TEST_F_TIMEOUT(dss, many_at_once, SLOW)
{
	struct vn_device *device = self->device;
	struct pasid many[MANY_PASIDS];
	unsigned int i, k;

	if (self->guest.smmu.cd2l)
		self->guest.cd_format = VN_CDTABLE_4K;
	ASSERT_OK(vn_guest_pasids(&self->guest, 12));
	for (i = 0; i < MANY_PASIDS; i++)
		add_pasid(_metadata, &self->guest, &many[i], 1 + i * 61);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	for (i = 0; i < MANY_PASIDS; i += VN_TESTDEV_CHANNELS) {
		for (k = 0; k < VN_TESTDEV_CHANNELS; k++) {
			const struct vn_access access = {
				.op = VN_OP_WRITE, .iova = IOVA(0),
				.length = SIZE, .buffer = BUFFER_OF(k),
				.pasid = VN_PASID(1 + (i + k) * 61),
			};

			fill_buffer(device, k, SIZE);
			ASSERT_OK(vn_testdev_start(device, k, &access));
		}
		for (k = 0; k < VN_TESTDEV_CHANNELS; k++)
			EXPECT_DONE(device, k);
	}
	for (i = 0; i < MANY_PASIDS; i++) {
		EXPECT_TRUE(holds(device->vm, many[i].page,
				  i % VN_TESTDEV_CHANNELS, 0, SIZE))
			TH_LOG("PASID %u", 1 + i * 61);
	}
}

/* Two devices of a machine have tables of their own: the same PASID is not the same. */
TEST_F(dss, two_devices)
{
	struct vn_device *second = NEED_DEVICE(1);
	struct vn_guest *guest = &self->guest;
	struct vn_guest first = *guest;
	struct pasid other, missing;

	ASSERT_OK(vn_guest_translate(guest, STREAM));
	ASSERT_OK(vn_guest_bind(guest, second, OTHER_STREAM));
	ASSERT_OK(vn_guest_pasids(guest, 4));
	ASSERT_OK(vn_guest_space(guest, &other.space, 3, asid_of(3) + 100));
	other.page = vn_guest_page(guest);
	ASSERT_OK(vn_s1_map_at(&other.space.s1, IOVA(0), other.page, VN_PROT_RW,
			       VN_S1_LAST_LEVEL));
	add_pasid(_metadata, guest, &missing, 9);
	ASSERT_OK(vn_guest_translate(guest, OTHER_STREAM));

	EXPECT_REACHES(self->device, VN_PASID(3), IOVA(0), self->pasid.page);
	EXPECT_REACHES(second, VN_PASID(3), IOVA(0), other.page);
	EXPECT_REACHES(second, VN_PASID(9), IOVA(0), missing.page);
	fail_with(_metadata, guest, self->device, VN_PASID(9), IOVA(0),
		  VN_EVENT_C_BAD_SUBSTREAMID, VFIO_NESTED_REASON_PASID);

	/* The first one's descriptor goes; the second one's does not. */
	vn_guest_forget_space(&first, 3);
	ASSERT_OK(vn_guest_command(guest, guest->arch->reread(STREAM, 3, asid_of(3))));
	fail_with(_metadata, guest, self->device, VN_PASID(3), IOVA(0),
		  VN_EVENT_C_BAD_CD, VFIO_NESTED_REASON_CONTEXT);
	EXPECT_REACHES(second, VN_PASID(3), IOVA(0), other.page);
}

/* The same PASID and ASID of two machines are not the same either. */
TEST_F(dss, two_machines)
{
	struct vn_device *second = NEED_DEVICE(2);
	struct vn_guest other;
	struct pasid theirs;

	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	start_guest(_metadata, &other, second, 0);
	ASSERT_OK(vn_guest_pasids(&other, 3));
	add_pasid(_metadata, &other, &theirs, 3);
	ASSERT_OK(vn_guest_translate(&other, STREAM));

	EXPECT_REACHES(self->device, VN_PASID(3), IOVA(0), self->pasid.page);
	EXPECT_REACHES(second, VN_PASID(3), IOVA(0), theirs.page);
	/* What one forgets the other one keeps. */
	ASSERT_OK(vn_s1_map_at(&self->pasid.space.s1, IOVA(0), self->page,
			       VN_PROT_RW, VN_S1_LAST_LEVEL));
	ASSERT_OK(forget_space(&other, 3, asid_of(3)));
	EXPECT_REACHES(self->device, VN_PASID(3), IOVA(0), self->pasid.page);
	ASSERT_OK(forget_space(&self->guest, 3, asid_of(3)));
	EXPECT_REACHES(self->device, VN_PASID(3), IOVA(0), self->page);
	ASSERT_OK(vn_nested_unbind(second->fd));
	vn_guest_close(&other);
}

/* --- The device's own cache of translations -------------------------------------------- */

FIXTURE(ats) {
	struct vn_device *device;
	struct vn_guest guest;
	struct pasid pasids[2];
	uint64_t next[2];
	uint64_t page;
	uint64_t next_page;
};

FIXTURE_SETUP(ats)
{
	unsigned int i;

	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_CAP(self->device, PASID);
	NEED_CAP(self->device, ATS);
	NEED_SMMUV3(self->device, "others forget what the device has with what the IOMMU has");
	start_guest(_metadata, &self->guest, self->device, 0);
	ASSERT_OK(vn_guest_pasids(&self->guest, 5));
	self->page = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);
	self->next_page = vn_guest_page(&self->guest);
	for (i = 0; i < 2; i++) {
		add_pasid(_metadata, &self->guest, &self->pasids[i], 20 + i);
		self->next[i] = vn_guest_page(&self->guest);
	}
	self->guest.ats = true;
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_ATC_ENTRIES));
}

FIXTURE_TEARDOWN(ats)
{
	EXPECT_OK(vn_testdev_quiet(self->device));
	unbind_all();
	vn_guest_close(&self->guest);
}

static void ats_write(struct __test_metadata *_metadata,
		      FIXTURE_DATA(ats) *self, uint32_t pasid, uint64_t ipa)
{
	struct vn_channel_status status;

	status = access_with(_metadata, self->device, 1, VN_OP_WRITE,
			     VN_ACCESS_ATS, pasid, IOVA(0));
	EXPECT_EQ(VN_CHANNEL_OK, status.state)
		TH_LOG("%s", vn_channel_error_name(status.error));
	EXPECT_TRUE(holds(self->guest.vm, ipa, 1, 0, SIZE))
		TH_LOG("PASID 0x%x", pasid);
	vn_poison(self->guest.vm, ipa);
}

/* New pages in the tables, which neither the SMMU nor the device has noticed */
static void ats_remap(struct __test_metadata *_metadata, FIXTURE_DATA(ats) *self)
{
	unsigned int i;

	ats_write(_metadata, self, VN_NO_PASID, self->page);
	for (i = 0; i < 2; i++)
		ats_write(_metadata, self, VN_PASID(20 + i),
			  self->pasids[i].page);
	EXPECT_EQ(3, vn_testdev_count(self->device, VN_COUNT_ATC_ENTRIES));
	ASSERT_OK(vn_s1_map_at(&self->guest.s1, IOVA(0), self->next_page,
			       VN_PROT_RW, VN_S1_LAST_LEVEL));
	for (i = 0; i < 2; i++)
		ASSERT_OK(vn_s1_map_at(&self->pasids[i].space.s1, IOVA(0),
				       self->next[i], VN_PROT_RW,
				       VN_S1_LAST_LEVEL));
	ASSERT_OK(vn_nested_command(self->guest.fd,
				    vn_cmd_tlbi(VN_CMD_TLBI_NH_ALL, 0, 0)));
	ats_write(_metadata, self, VN_NO_PASID, self->page);
	for (i = 0; i < 2; i++)
		ats_write(_metadata, self, VN_PASID(20 + i),
			  self->pasids[i].page);
}

TEST_F(ats, invalidation_of_one_pasid)
{
	ats_remap(_metadata, self);
	ASSERT_OK(vn_nested_command(self->guest.fd,
				    vn_cmd_atc_inv(STREAM, VN_PASID(20), IOVA(0), 0)));
	ats_write(_metadata, self, VN_PASID(20), self->next[0]);
	ats_write(_metadata, self, VN_PASID(21), self->pasids[1].page);
	ats_write(_metadata, self, VN_NO_PASID, self->page);
	ASSERT_OK(vn_nested_command(self->guest.fd,
				    vn_cmd_atc_inv(STREAM, VN_PASID(21), 0, 52)));
	ats_write(_metadata, self, VN_PASID(21), self->next[1]);
	ats_write(_metadata, self, VN_NO_PASID, self->page);
}

TEST_F(ats, invalidation_without_pasid)
{
	ats_remap(_metadata, self);
	ASSERT_OK(vn_nested_command(self->guest.fd,
				    vn_cmd_atc_inv(STREAM, VN_NO_PASID, IOVA(0), 4)));
	ats_write(_metadata, self, VN_NO_PASID, self->next_page);
	ats_write(_metadata, self, VN_PASID(20), self->pasids[0].page);
}

TEST_F(ats, invalidation_of_all_pasids)
{
	struct vfio_nested_command_smmuv3 command;

	ats_remap(_metadata, self);
	command = vn_cmd_atc_inv(STREAM, VN_PASID(0), 0, 52);
	command.cmd[0] |= htole64(VN_CMD0_GLOBAL);
	ASSERT_OK(vn_nested_command(self->guest.fd, command));
	ats_write(_metadata, self, VN_PASID(20), self->next[0]);
	ats_write(_metadata, self, VN_PASID(21), self->next[1]);
	ats_write(_metadata, self, VN_NO_PASID, self->page);
}

/* A context without ATS leaves nothing in the device, and no access translated. */
TEST_F(ats, gone_with_the_context)
{
	uint32_t invalidations;
	struct vn_channel_status status;

	ats_write(_metadata, self, VN_PASID(20), self->pasids[0].page);
	EXPECT_NE(0, vn_testdev_count(self->device, VN_COUNT_ATC_ENTRIES));
	self->guest.ats = false;
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_ATC_ENTRIES));
	status = access_with(_metadata, self->device, 1, VN_OP_WRITE,
			     VN_ACCESS_ATS, VN_PASID(20), IOVA(0));
	EXPECT_EQ(VN_ERROR_DISABLED, status.error);
	EXPECT_REACHES(self->device, VN_PASID(20), IOVA(0),
		       self->pasids[0].page);
	/* Nor is there anything to forget, and nobody who is asked to. */
	invalidations = vn_testdev_count(self->device,
					 VN_COUNT_ATC_INVALIDATIONS);
	EXPECT_OK(vn_nested_command(self->guest.fd,
				    vn_cmd_atc_inv(STREAM, VN_PASID(20), IOVA(0), 0)));
	EXPECT_EQ(invalidations, vn_testdev_count(self->device,
						  VN_COUNT_ATC_INVALIDATIONS));
}

/* After a reset PASIDs, and ATS, are as the context says. */
TEST_F(ats, reset)
{
	ats_write(_metadata, self, VN_PASID(20), self->pasids[0].page);
	ASSERT_OK(vn_device_reset(self->device, VN_RESET_VFIO));
	ats_write(_metadata, self, VN_PASID(20), self->pasids[0].page);
	ats_write(_metadata, self, VN_PASID(21), self->pasids[1].page);
	EXPECT_REACHES(self->device, VN_PASID(21), IOVA(0),
		       self->pasids[1].page);
}

TEST_MAIN_WITH_DEVICES(wants)
