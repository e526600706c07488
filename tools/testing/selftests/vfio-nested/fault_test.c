// SPDX-License-Identifier: GPL-2.0
/*
 * Stalls: an access that stage 1 does not translate waits, the guest is told in its
 * own terms, and its answer decides what becomes of the access. None is lost, however
 * many there are. The ways to answer are answer_test's.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "faults.h"

static const struct vn_want wants[] = {
	{ .engine = VN_TESTDEV, .can_stall = VN_YES },
};

#define SIZE		256
#define RETRY		VFIO_NESTED_RESPONSE_RETRY
/* Input addresses of stage 1, a page each */
#define PAGE_AT(n)	(IOVA(0) + (n) * VN_PAGE)
/* PASIDs of a guest that has some, by log2 */
#define CDMAX		4

#define ENTRY_READ_ONLY		VN_BIT(7)
#define ENTRY_ACCESSED		VN_BIT(10)
#define ENTRY_UNPRIVILEGED	VN_BIT(6)

FIXTURE(fault) {
	struct vn_device *device;
	struct vn_guest guest;
};

FIXTURE_SETUP(fault)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_CAP(self->device, STALL);
	start_stalls(_metadata, &self->guest, self->device, STREAM, RING,
		     0);
}

FIXTURE_TEARDOWN(fault)
{
	ASSERT_OK(vn_testdev_quiet(self->device));
	stop_guest(_metadata, &self->guest);
}

/* What every stall's record must be */
static void check_stall(struct __test_metadata *_metadata,
			const struct vfio_nested_fault *fault, uint32_t stream,
			uint64_t iova, uint32_t flags, uint64_t after)
{
	unsigned int i;

	EXPECT_EQ(VFIO_NESTED_FAULT_STALL, fault->kind);
	EXPECT_EQ(stream, fault->virtual_id);
	EXPECT_NE(0, fault->cookie);
	EXPECT_EQ(VFIO_NESTED_FAULT_ADDRESS | flags, fault->flags);
	EXPECT_EQ(iova, fault->address);
	EXPECT_EQ(0, fault->ipa);
	EXPECT_EQ(0, fault->group);
	EXPECT_LE(after, fault->timestamp);
	EXPECT_GE(now_ns(), fault->timestamp);
	for (i = 0; i < VN_ARRAY_SIZE(fault->__reserved); i++)
		EXPECT_EQ(0, fault->__reserved[i]);

	/* The raw record, in the guest's namespace, says the same. */
	EXPECT_EQ(32, fault->raw_len);
	EXPECT_EQ(stream, vn_event_stream(fault));
	EXPECT_TRUE(vn_event_stall(fault));
	EXPECT_EQ(!!(flags & VFIO_NESTED_FAULT_PASID),
		  !!vn_event_pasid(fault));
	EXPECT_EQ(fault->pasid, vn_event_pasid(fault) & 0xfffff);
	EXPECT_EQ(!!(flags & VFIO_NESTED_FAULT_PRIV),
		  vn_get_field(le64toh(fault->raw[1]), 33, 1));
	EXPECT_EQ(!!(flags & VFIO_NESTED_FAULT_EXEC),
		  vn_get_field(le64toh(fault->raw[1]), 34, 1));
	EXPECT_EQ(!(flags & VFIO_NESTED_FAULT_WRITE),
		  vn_get_field(le64toh(fault->raw[1]), 35, 1));
	EXPECT_EQ(iova, le64toh(fault->raw[2]));
	EXPECT_EQ(0, fault->raw[3]);
}

/* --- The record, and what the answers do ----------------------------------- */

FIXTURE(access) {
	struct vn_device *device;
	struct vn_guest guest;
	struct vn_space space;
};

FIXTURE_VARIANT(access) {
	enum vn_operation op;
	uint32_t flags;
	bool pasid;
	uint32_t record;
};

FIXTURE_VARIANT_ADD(access, write) {
	.op = VN_OP_WRITE, .record = VFIO_NESTED_FAULT_WRITE,
};

FIXTURE_VARIANT_ADD(access, read) {
	.op = VN_OP_READ, .record = VFIO_NESTED_FAULT_READ,
};

FIXTURE_VARIANT_ADD(access, probe) {
	.op = VN_OP_PROBE, .record = VFIO_NESTED_FAULT_READ,
};

/* The hardware says write (IHI 0070, 7.3.13: RnW). */
FIXTURE_VARIANT_ADD(access, atomic) {
	.op = VN_OP_ATOMIC, .record = VFIO_NESTED_FAULT_WRITE,
};

FIXTURE_VARIANT_ADD(access, pasid_write) {
	.op = VN_OP_WRITE, .pasid = true,
	.record = VFIO_NESTED_FAULT_WRITE | VFIO_NESTED_FAULT_PASID,
};

FIXTURE_VARIANT_ADD(access, pasid_read) {
	.op = VN_OP_READ, .pasid = true,
	.record = VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_PASID,
};

FIXTURE_VARIANT_ADD(access, pasid_execute) {
	.op = VN_OP_READ, .pasid = true, .flags = VN_ACCESS_EXECUTE,
	.record = VFIO_NESTED_FAULT_EXEC | VFIO_NESTED_FAULT_PASID,
};

FIXTURE_VARIANT_ADD(access, pasid_privileged) {
	.op = VN_OP_WRITE, .pasid = true, .flags = VN_ACCESS_PRIVILEGED,
	.record = VFIO_NESTED_FAULT_WRITE | VFIO_NESTED_FAULT_PRIV |
		  VFIO_NESTED_FAULT_PASID,
};

#define ACCESS_PASID	5

FIXTURE_SETUP(access)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_CAP(self->device, STALL);
	if (variant->pasid)
		NEED_CAP(self->device, PASID);
	start_stalls(_metadata, &self->guest, self->device, STREAM, RING,
		     variant->pasid ? CDMAX : 0);
	if (variant->pasid) {
		ASSERT_OK(vn_guest_space(&self->guest, &self->space,
					 ACCESS_PASID, ASID + 1));
		ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	}
}

FIXTURE_TEARDOWN(access)
{
	ASSERT_OK(vn_testdev_quiet(self->device));
	stop_guest(_metadata, &self->guest);
}

static struct vn_access access_of(const FIXTURE_VARIANT(access) *variant)
{
	return (struct vn_access) {
		.op = variant->op,
		.flags = variant->flags | VN_ACCESS_STALL,
		.iova = IOVA(0) + 64,
		.length = variant->op == VN_OP_ATOMIC ? 8 : SIZE,
		.pasid = variant->pasid ? VN_PASID(ACCESS_PASID) : VN_NO_PASID,
		.buffer = BUFFER_OF(1),
		.operand = 0x1000001,
	};
}

static struct vfio_nested_fault stall(struct __test_metadata *_metadata,
				      FIXTURE_DATA(access) *self,
				      const FIXTURE_VARIANT(access) *variant)
{
	const struct vn_access access = access_of(variant);
	struct vfio_nested_fault fault;
	uint64_t before = now_ns();

	fill_buffer(self->device, 1, SIZE);
	ASSERT_OK(vn_testdev_start(self->device, 1, &access));
	fault = next_fault(_metadata, &self->guest, VFIO_NESTED_FAULT_STALL);
	EXPECT_OK(vn_testdev_reach(self->device, 1, VN_CHANNEL_STALLED,
				   VN_TIMEOUT_MS));
	check_stall(_metadata, &fault, STREAM, access.iova, variant->record,
		    before);
	EXPECT_EQ(variant->pasid ? ACCESS_PASID : 0, fault.pasid);
	EXPECT_EQ(VN_EVENT_F_TRANSLATION, vn_event_id(&fault));
	EXPECT_EQ(VFIO_NESTED_REASON_TRANSLATION, fault.reason);
	return fault;
}

/* The data is where it should be, by the way that the operation has it. */
static void check_data(struct __test_metadata *_metadata,
		       FIXTURE_DATA(access) *self,
		       const FIXTURE_VARIANT(access) *variant, uint64_t ipa)
{
	uint8_t *va = vn_vm_va(self->guest.vm, ipa + 64);
	uint8_t got[SIZE];
	uint64_t word;

	switch (variant->op) {
	case VN_OP_WRITE:
		EXPECT_TRUE(holds(self->guest.vm, ipa + 64, 1, 0, SIZE));
		break;
	case VN_OP_READ:
		vn_testdev_buffer_read(self->device, BUFFER_OF(1), got, SIZE);
		EXPECT_EQ(0, memcmp(got, va, SIZE));
		break;
	case VN_OP_ATOMIC:
		memcpy(&word, va, sizeof(word));
		EXPECT_EQ(le64toh(word),
			  vn_testdev_result(self->device, 1) + 0x1000001);
		EXPECT_EQ(0xa5a5a5a5a5a5a5a5ULL,
			  vn_testdev_result(self->device, 1));
		break;
	case VN_OP_PROBE:
		break;
	}
}

/* The entry of what the access needs, of the stage 1 that it goes through */
static uint64_t map_access(struct __test_metadata *_metadata,
			   FIXTURE_DATA(access) *self,
			   const FIXTURE_VARIANT(access) *variant)
{
	struct vn_stage1 *s1 = variant->pasid ? &self->space.s1 :
						&self->guest.s1;
	uint64_t ipa = vn_guest_page(&self->guest);
	unsigned int level;
	uint64_t *entry;

	ASSERT_NE(0, ipa);
	ASSERT_OK(vn_s1_map_at(s1, IOVA(0), ipa, VN_PROT_RW, VN_S1_LAST_LEVEL));
	entry = vn_s1_entry(s1, IOVA(0), &level);
	if (variant->flags & VN_ACCESS_PRIVILEGED)
		vn_write_once(entry, *entry & ~ENTRY_UNPRIVILEGED);
	vn_barrier();
	return ipa;
}

TEST_F(access, stalls_and_is_retried)
{
	struct vfio_nested_fault fault = stall(_metadata, self, variant);
	struct vfio_nested_stats stats;
	uint64_t ipa;

	stats = expect_balance(_metadata, self->guest.fd);
	EXPECT_EQ(1, stats.faults);
	EXPECT_EQ(1, stats.faults_delivered);
	EXPECT_EQ(1, stats.faults_pending);
	EXPECT_EQ(0, stats.events);

	ipa = map_access(_metadata, self, variant);
	EXPECT_EQ(VN_CHANNEL_STALLED,
		  vn_testdev_status(self->device, 1).state);
	ASSERT_OK(vn_respond(self->guest.fd, fault.cookie,
			     RETRY));
	EXPECT_DONE(self->device, 1);
	check_data(_metadata, self, variant, ipa);

	stats = expect_balance(_metadata, self->guest.fd);
	EXPECT_EQ(1, stats.faults);
	EXPECT_EQ(1, stats.faults_answered);
	EXPECT_EQ(0, stats.faults_pending);
	EXPECT_EQ(0, stats.responses_refused);
}

TEST_F(access, stalls_and_is_aborted)
{
	struct vfio_nested_fault fault = stall(_metadata, self, variant);
	uint64_t ipa = map_access(_metadata, self, variant);

	ASSERT_OK(vn_respond(self->guest.fd, fault.cookie,
			     VFIO_NESTED_RESPONSE_ABORT));
	EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);
	EXPECT_TRUE(vn_intact(self->guest.vm, ipa));
	EXPECT_EQ(0, vn_ring_pending(&self->guest.ring));
	EXPECT_STATS(self->guest.fd, faults_answered, 1);
}

/* Without effect: reads are zero, where the SMMU can do that. */
TEST_F(access, stalls_and_is_terminated)
{
	struct vfio_nested_fault fault = stall(_metadata, self, variant);
	uint64_t ipa = map_access(_metadata, self, variant);
	static const uint8_t zeroes[SIZE];
	uint8_t got[SIZE];

	ASSERT_OK(vn_respond(self->guest.fd, fault.cookie,
			     VFIO_NESTED_RESPONSE_TERMINATE));
	if (self->guest.smmu.terminates) {
		EXPECT_FAILED(self->device, 1, VN_ERROR_IGNORED);
		if (variant->op == VN_OP_READ) {
			vn_testdev_buffer_read(self->device, BUFFER_OF(1), got,
					       SIZE);
			EXPECT_EQ(0, memcmp(got, zeroes, SIZE));
		}
	} else {
		EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);
	}
	EXPECT_TRUE(vn_intact(self->guest.vm, ipa));
	EXPECT_STATS(self->guest.fd, faults_answered, 1);
}

/* --- Reasons ---------------------------------------------------------------- */

static void change_entry(struct vn_guest *guest, uint64_t iova, uint64_t set,
			 uint64_t clear)
{
	unsigned int level;
	uint64_t *entry = vn_s1_entry(&guest->s1, iova, &level);

	vn_write_once(entry, (*entry & ~clear) | set);
	vn_barrier();
}

/* A write that stalls for one reason after the other, until none is left. */
TEST_F(fault, each_reason)
{
	struct vn_guest *guest = &self->guest;
	struct vfio_nested_fault fault;
	uint64_t before = now_ns();
	uint64_t last = 0, ipa;

	start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	fault = next_fault(_metadata, guest, VFIO_NESTED_FAULT_STALL);
	check_stall(_metadata, &fault, STREAM, IOVA(0), VFIO_NESTED_FAULT_WRITE,
		    before);
	EXPECT_EQ(VN_EVENT_F_TRANSLATION, vn_event_id(&fault));
	EXPECT_EQ(VFIO_NESTED_REASON_TRANSLATION, fault.reason);
	last = fault.cookie;

	ipa = map_page(_metadata, guest, IOVA(0), VN_PROT_READ);
	change_entry(guest, IOVA(0), 0, ENTRY_ACCESSED);
	ASSERT_OK(vn_respond(guest->fd, last, RETRY));
	fault = next_fault(_metadata, guest, VFIO_NESTED_FAULT_STALL);
	check_stall(_metadata, &fault, STREAM, IOVA(0), VFIO_NESTED_FAULT_WRITE,
		    before);
	EXPECT_EQ(VN_EVENT_F_ACCESS, vn_event_id(&fault));
	EXPECT_EQ(VFIO_NESTED_REASON_ACCESS, fault.reason);
	EXPECT_NE(last, fault.cookie);
	last = fault.cookie;

	change_entry(guest, IOVA(0), ENTRY_ACCESSED, 0);
	ASSERT_OK(vn_nested_command(guest->fd,
				    vn_cmd_tlbi(VN_CMD_TLBI_NH_ASID, ASID, 0)));
	ASSERT_OK(vn_respond(guest->fd, last, RETRY));
	fault = next_fault(_metadata, guest, VFIO_NESTED_FAULT_STALL);
	check_stall(_metadata, &fault, STREAM, IOVA(0), VFIO_NESTED_FAULT_WRITE,
		    before);
	EXPECT_EQ(VN_EVENT_F_PERMISSION, vn_event_id(&fault));
	EXPECT_EQ(VFIO_NESTED_REASON_PERMISSION, fault.reason);
	last = fault.cookie;

	change_entry(guest, IOVA(0), 0, ENTRY_READ_ONLY);
	ASSERT_OK(vn_nested_command(guest->fd,
				    vn_cmd_tlbi(VN_CMD_TLBI_NH_ASID, ASID, 0)));
	ASSERT_OK(vn_respond(guest->fd, last, RETRY));
	EXPECT_DONE(self->device, 1);
	EXPECT_TRUE(holds(guest->vm, ipa, 1, 0, SIZE));
	EXPECT_STATS(guest->fd, faults_answered, 3);
}

/* Nothing was mapped: it stalls again, and again is not the same fault. */
TEST_F(fault, retry_without_mapping)
{
	struct vn_guest *guest = &self->guest;
	uint64_t cookies[10] = {};
	unsigned int i, k;
	uint64_t ipa;

	start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	for (i = 0; i < VN_ARRAY_SIZE(cookies); i++) {
		cookies[i] = next_fault(_metadata, guest,
					VFIO_NESTED_FAULT_STALL).cookie;
		for (k = 0; k < i; k++)
			ASSERT_NE(cookies[i], cookies[k]);
		if (i == VN_ARRAY_SIZE(cookies) - 1)
			break;
		ASSERT_OK(vn_respond(guest->fd, cookies[i],
				     RETRY));
	}
	ipa = map_page(_metadata, guest, IOVA(0), VN_PROT_RW);
	ASSERT_OK(vn_respond(guest->fd, cookies[i], RETRY));
	EXPECT_DONE(self->device, 1);
	EXPECT_TRUE(holds(guest->vm, ipa, 1, 0, SIZE));
}

/* An access that crosses pages stalls at each that is not there. */
TEST_F(fault, page_after_page)
{
	struct vn_guest *guest = &self->guest;
	struct vfio_nested_fault fault;
	uint64_t ipa[3];
	unsigned int i;

	start_write(_metadata, self->device, 1, PAGE_AT(1) - SIZE, 2 * SIZE,
		    VN_NO_PASID);
	for (i = 0; i < 2; i++) {
		fault = next_fault(_metadata, guest, VFIO_NESTED_FAULT_STALL);
		EXPECT_EQ(i ? PAGE_AT(1) : PAGE_AT(1) - SIZE, fault.address);
		ipa[i] = map_page(_metadata, guest, PAGE_AT(i), VN_PROT_RW);
		ASSERT_OK(vn_respond(guest->fd, fault.cookie,
				     RETRY));
	}
	EXPECT_DONE(self->device, 1);
	EXPECT_TRUE(holds(guest->vm, ipa[0] + VN_PAGE - SIZE, 1, 0, SIZE));
	EXPECT_TRUE(holds(guest->vm, ipa[1], 1, SIZE, SIZE));
}

/*
 * What a guest cannot mend in its page tables, and what is the VMM's to mend, is
 * never stalled.
 */
TEST_F(fault, stage2_does_not_stall)
{
	struct vn_guest *guest = &self->guest;
	struct vfio_nested_fault fault;

	ASSERT_OK(vn_s1_map_at(&guest->s1, IOVA(0),
			       VN_RAM_IPA + 16 * VN_RAM_SIZE, VN_PROT_RW,
			       VN_S1_LAST_LEVEL));
	start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);
	ASSERT_EQ(1, vn_ring_wait(&guest->ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(VFIO_NESTED_FAULT_EVENT, fault.kind);
	EXPECT_EQ(0, fault.cookie);
	EXPECT_TRUE(fault.flags & VFIO_NESTED_FAULT_STAGE2);
	EXPECT_STATS(guest->fd, faults, 0);
}

/* A device that does not want to wait is aborted by the IOMMU, as an event. */
TEST_F(fault, who_does_not_wait)
{
	const struct vn_access access = {
		.op = VN_OP_WRITE, .iova = IOVA(0), .length = SIZE,
		.buffer = BUFFER_OF(1),
	};
	struct vn_channel_status status;
	struct vfio_nested_fault fault;

	ASSERT_OK(vn_testdev_run(self->device, 1, &access, &status));
	EXPECT_EQ(VN_ERROR_ABORTED, status.error);
	ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(VFIO_NESTED_FAULT_EVENT, fault.kind);
	EXPECT_FALSE(vn_event_stall(&fault));
}

/* --- Many at once ------------------------------------------------------------ */

#define CHANNELS	6
#define PIECES		4
#define MANY		(CHANNELS * PIECES)

/*
 * Every channel writes PIECES pages at once, all of them to addresses of its own;
 * the data of a channel is the same for each page.
 */
static void start_many(struct __test_metadata *_metadata,
		       struct vn_device *device)
{
	struct vn_access access = {
		.op = VN_OP_WRITE, .flags = VN_ACCESS_STALL,
		.length = PIECES * 4, .outstanding = PIECES,
	};
	unsigned int i;

	/* Four bytes each, on both sides of a boundary of pages */
	for (i = 0; i < CHANNELS; i++) {
		access.iova = PAGE_AT(2 * i + 1) - PIECES * 2;
		access.buffer = BUFFER_OF(i);
		fill_buffer(device, i, access.length);
		ASSERT_OK(vn_testdev_start(device, i, &access));
	}
}

/* The MANY records, each address once. */
static void read_many(struct __test_metadata *_metadata, struct vn_guest *guest,
		      struct vfio_nested_fault *faults)
{
	unsigned int i, k;

	for (i = 0; i < MANY; i++) {
		faults[i] = next_fault(_metadata, guest,
				       VFIO_NESTED_FAULT_STALL);
		for (k = 0; k < i; k++) {
			ASSERT_NE(faults[i].address, faults[k].address);
			ASSERT_NE(faults[i].cookie, faults[k].cookie);
			ASSERT_NE(vn_event_stag(&faults[i]),
				  vn_event_stag(&faults[k]));
		}
	}
	EXPECT_EQ(0, vn_ring_pending(&guest->ring));
}

static void map_many(struct __test_metadata *_metadata, struct vn_guest *guest,
		     uint64_t *ipa)
{
	unsigned int i;

	for (i = 0; i < 2 * CHANNELS; i++)
		ipa[i] = map_page(_metadata, guest, PAGE_AT(i), VN_PROT_RW);
}

static void check_many(struct __test_metadata *_metadata,
		       struct vn_device *device, const uint64_t *ipa)
{
	unsigned int i;

	for (i = 0; i < CHANNELS; i++) {
		EXPECT_DONE(device, i);
		EXPECT_TRUE(holds(device->vm, ipa[2 * i] + VN_PAGE - PIECES * 2,
				  i, 0, PIECES * 2));
		EXPECT_TRUE(holds(device->vm, ipa[2 * i + 1], i, PIECES * 2,
				  PIECES * 2));
	}
}

TEST_F(fault, batch)
{
	struct vfio_nested_response responses[MANY] = {};
	struct vfio_nested_fault faults[MANY];
	struct vfio_nested_stats stats;
	uint64_t ipa[2 * CHANNELS];
	uint32_t num = MANY;
	unsigned int i;

	start_many(_metadata, self->device);
	read_many(_metadata, &self->guest, faults);
	stats = expect_balance(_metadata, self->guest.fd);
	EXPECT_EQ(MANY, stats.faults_pending);
	EXPECT_LE(MANY, self->guest.info.max_pending);

	map_many(_metadata, &self->guest, ipa);
	/* In another order than they came */
	for (i = 0; i < MANY; i++) {
		responses[i].cookie = faults[(i * 7 + 3) % MANY].cookie;
		responses[i].code = RETRY;
	}
	ASSERT_OK(vn_nested_respond(self->guest.fd, responses, &num));
	EXPECT_EQ(MANY, num);
	check_many(_metadata, self->device, ipa);
	EXPECT_STATS(self->guest.fd, faults_answered, MANY);
}

/* Each gets what was said of it, and of no other. */
TEST_F(fault, batch_of_all_codes)
{
	struct vfio_nested_response responses[CHANNELS] = {};
	struct vfio_nested_fault fault;
	uint64_t ipa[CHANNELS];
	uint32_t num = CHANNELS;
	unsigned int i, channel;

	for (i = 0; i < CHANNELS; i++)
		start_write(_metadata, self->device, i, PAGE_AT(i), SIZE,
			    VN_NO_PASID);
	for (i = 0; i < CHANNELS; i++) {
		fault = next_fault(_metadata, &self->guest,
				   VFIO_NESTED_FAULT_STALL);
		channel = (fault.address - IOVA(0)) / VN_PAGE;
		ASSERT_GT(CHANNELS, channel);
		responses[i].cookie = fault.cookie;
		responses[i].code = 1 + channel % 3;
		ipa[channel] = map_page(_metadata, &self->guest,
					PAGE_AT(channel), VN_PROT_RW);
	}
	ASSERT_OK(vn_nested_respond(self->guest.fd, responses, &num));
	for (i = 0; i < CHANNELS; i++) {
		if (i % 3 == 0) {
			EXPECT_DONE(self->device, i);
			EXPECT_TRUE(holds(self->guest.vm, ipa[i], i, 0, SIZE));
			continue;
		}
		if (i % 3 == 1 || !self->guest.smmu.terminates)
			EXPECT_FAILED(self->device, i, VN_ERROR_ABORTED);
		else
			EXPECT_FAILED(self->device, i, VN_ERROR_IGNORED);
		EXPECT_TRUE(vn_intact(self->guest.vm, ipa[i]));
	}
}

/* Answers that can be read are carried out, whatever comes behind them. */
TEST_F(fault, batch_that_ends_early)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct vfio_nested_response *responses;
	struct vfio_nested_fault fault;
	uint32_t num = CHANNELS;
	unsigned int i;
	uint8_t *two;

	two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, two);
	ASSERT_EQ(0, mprotect(two + page, page, PROT_NONE));
	/* One and a half of them are beyond the end. */
	responses = (void *)(two + page + sizeof(*responses) * 3 / 2) -
		    CHANNELS * sizeof(*responses);
	for (i = 0; i < CHANNELS; i++) {
		start_write(_metadata, self->device, i, PAGE_AT(i), SIZE,
			    VN_NO_PASID);
		fault = next_fault(_metadata, &self->guest,
				   VFIO_NESTED_FAULT_STALL);
		if (i < CHANNELS - 2) {
			responses[i].cookie = fault.cookie;
			responses[i].code = VFIO_NESTED_RESPONSE_ABORT;
		}
	}
	EXPECT_EQ(-EFAULT, vn_nested_respond(self->guest.fd, responses, &num));
	EXPECT_EQ(CHANNELS - 2, num);
	for (i = 0; i < CHANNELS - 2; i++)
		EXPECT_FAILED(self->device, i, VN_ERROR_ABORTED);
	EXPECT_STATS(self->guest.fd, faults_pending, 2);
	EXPECT_OK(vn_respond(self->guest.fd, fault.cookie,
			     VFIO_NESTED_RESPONSE_ABORT));
	EXPECT_FAILED(self->device, CHANNELS - 1, VN_ERROR_ABORTED);
	munmap(two, 2 * page);
}

/* More answers than the kernel takes at once, most of them to nothing */
TEST_F(fault, as_many_answers_as_there_may_be)
{
	uint32_t num = self->guest.info.max_pending;
	struct vfio_nested_response *responses;
	struct vfio_nested_fault faults[MANY];
	uint64_t ipa[2 * CHANNELS];
	uint32_t done;
	unsigned int i;

	ASSERT_LE(MANY, num);
	responses = calloc(num, sizeof(*responses));
	ASSERT_NE(NULL, responses);
	start_many(_metadata, self->device);
	read_many(_metadata, &self->guest, faults);
	map_many(_metadata, &self->guest, ipa);
	for (i = 0; i < MANY; i++) {
		responses[i].cookie = faults[i].cookie;
		responses[i].code = RETRY;
	}
	for (; i < num; i++) {
		responses[i].cookie = faults[0].cookie;
		responses[i].code = RETRY;
	}
	done = num;
	EXPECT_EQ(num == MANY ? 0 : -EALREADY,
		  vn_nested_respond(self->guest.fd, responses, &done));
	EXPECT_EQ(MANY, done);
	check_many(_metadata, self->device, ipa);
	free(responses);
}

/* --- A ring that is full ------------------------------------------------------ */

#define SMALL_RING	8

FIXTURE(small) {
	struct vn_device *device;
	struct vn_guest guest;
	struct vfio_nested_fault faults[MANY];
	uint64_t ipa[2 * CHANNELS];
	int eventfd;
};

FIXTURE_SETUP(small)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_CAP(self->device, STALL);
	self->eventfd = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->eventfd);
	start_stalls(_metadata, &self->guest, self->device, STREAM, SMALL_RING,
		     0);
	start_many(_metadata, self->device);
	EXPECT_STATS(self->guest.fd, faults, MANY);
}

FIXTURE_TEARDOWN(small)
{
	close(self->eventfd);
	ASSERT_OK(vn_testdev_quiet(self->device));
	stop_guest(_metadata, &self->guest);
}

/* Ends what is pending, and looks whether it was the right thing. */
static void finish_small(struct __test_metadata *_metadata,
			 FIXTURE_DATA(small) *self)
{
	struct vfio_nested_response responses[MANY] = {};
	struct vfio_nested_stats stats;
	uint32_t num = MANY;
	unsigned int i, k;

	for (i = 0; i < MANY; i++) {
		for (k = 0; k < i; k++)
			ASSERT_NE(self->faults[i].address,
				  self->faults[k].address);
		responses[i].cookie = self->faults[i].cookie;
		responses[i].code = RETRY;
	}
	map_many(_metadata, &self->guest, self->ipa);
	ASSERT_OK(vn_nested_respond(self->guest.fd, responses, &num));
	check_many(_metadata, self->device, self->ipa);
	stats = expect_balance(_metadata, self->guest.fd);
	EXPECT_EQ(MANY, stats.faults);
	EXPECT_EQ(MANY, stats.faults_delivered);
	EXPECT_EQ(MANY, stats.faults_answered);
	EXPECT_EQ(0, vn_ring_lost(&self->guest.ring));
	EXPECT_EQ(0, vn_ring_held(&self->guest.ring));
}

/* Those for which there is no room wait in the kernel; a kick brings them. */
TEST_F(small, kick_brings_what_was_held_back)
{
	struct vn_ring *ring = &self->guest.ring;
	uint32_t delivered, responses;
	struct vfio_nested_stats stats;
	unsigned int got = 0;

	while (got < MANY) {
		unsigned int in_ring = MANY - got < SMALL_RING ? MANY - got :
								 SMALL_RING;
		unsigned int held = MANY - got - in_ring, i;

		ASSERT_EQ(in_ring, vn_ring_pending(ring));
		EXPECT_EQ(held, vn_ring_held(ring));
		stats = expect_balance(_metadata, self->guest.fd);
		EXPECT_EQ(MANY, stats.faults_pending);
		EXPECT_EQ(got + in_ring, stats.faults_delivered);
		EXPECT_EQ(0, vn_ring_lost(ring));

		/*
		 * Copied before there is room for any: the kernel brings some by
		 * itself after a while.
		 */
		for (i = 0; i < in_ring; i++)
			self->faults[got + i] = *vn_ring_record(ring,
								ring->consumer + i);
		ring->consumer += in_ring;
		__atomic_store_n(vn_ring_consumer(ring), ring->consumer,
				 __ATOMIC_RELEASE);
		ASSERT_OK(vn_nested_kick(self->guest.fd, &responses, &delivered));
		EXPECT_EQ(0, responses);
		EXPECT_GE(held < SMALL_RING ? held : SMALL_RING, delivered);
		got += in_ring;
	}
	EXPECT_EQ(0, vn_ring_pending(ring));
	finish_small(_metadata, self);
}

/* poll() does the same. */
TEST_F(small, poll_brings_what_was_held_back)
{
	struct pollfd pollfd = { .fd = self->guest.fd, .events = POLLIN };
	struct vn_ring *ring = &self->guest.ring;
	unsigned int got = 0;

	while (got < MANY) {
		EXPECT_EQ(1, poll(&pollfd, 1, 0));
		EXPECT_EQ(POLLIN, pollfd.revents);
		while (vn_ring_pending(ring)) {
			ASSERT_GT(MANY, got);
			ASSERT_EQ(1, vn_ring_get(ring, &self->faults[got]));
			got++;
		}
	}
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
	finish_small(_metadata, self);
}

/* And who does neither gets them a little later. */
TEST_F(small, they_come_by_themselves)
{
	unsigned int i;

	for (i = 0; i < MANY; i++)
		ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &self->faults[i],
					  VN_TIMEOUT_MS));
	finish_small(_metadata, self);
}

/* In the order in which they came, also with those that come later */
TEST_F(small, order_is_kept)
{
	uint64_t last = 0;
	unsigned int i;

	/* An answer makes room in the device, and more faults come behind. */
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &self->faults[i],
					  VN_TIMEOUT_MS));
		EXPECT_LE(last, self->faults[i].timestamp);
		last = self->faults[i].timestamp;
	}
	finish_small(_metadata, self);
}

/* Nobody has seen them, so nobody can answer them, except all at once. */
TEST_F(small, held_back_cannot_be_answered)
{
	struct vfio_nested_command_smmuv3 term = vn_cmd_stall_term(STREAM);
	unsigned int i, stag, refused = 0;

	for (stag = 0; stag < self->guest.info.max_pending; stag++) {
		bool seen = false;

		for (i = 0; i < SMALL_RING; i++)
			seen |= vn_event_stag(vn_ring_record(&self->guest.ring,
							     i)) == stag;
		if (seen)
			continue;
		EXPECT_EQ(-ENOENT, vn_nested_command(self->guest.fd,
						     vn_cmd_resume(STREAM, stag,
								   VN_RESUME_ABORT)));
		refused++;
	}
	EXPECT_STATS(self->guest.fd, faults_pending, MANY);
	EXPECT_STATS(self->guest.fd, responses_refused, refused);

	ASSERT_OK(vn_nested_command(self->guest.fd, term));
	for (i = 0; i < CHANNELS; i++)
		EXPECT_FAILED(self->device, i, VN_ERROR_ABORTED);
	EXPECT_STATS(self->guest.fd, faults_pending, 0);
	EXPECT_STATS(self->guest.fd, faults_answered, MANY);
	/* What was not delivered is not any more. */
	EXPECT_EQ(SMALL_RING, vn_ring_drain(&self->guest.ring, 2 * SOON_MS));
	EXPECT_EQ(0, vn_ring_held(&self->guest.ring));
}

/* Without any ring they wait for one. */
TEST_F(fault, before_the_ring)
{
	struct vn_guest *guest = &self->guest;
	struct vfio_nested_stats stats;
	struct vfio_nested_fault fault;
	uint64_t ipa;

	vn_guest_close(guest);
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	open_guest(_metadata, guest, self->device, STREAM, 0);
	vn_guest_stalls(guest);
	ASSERT_OK(vn_guest_translate(guest, STREAM));

	start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	EXPECT_STATS(guest->fd, faults_pending, 1);
	stats = expect_balance(_metadata, guest->fd);
	EXPECT_EQ(0, stats.faults_delivered);
	ASSERT_OK(vn_ring_open(&guest->ring, guest->fd, RING, -1));
	fault = next_fault(_metadata, guest, VFIO_NESTED_FAULT_STALL);
	ipa = map_page(_metadata, guest, IOVA(0), VN_PROT_RW);
	ASSERT_OK(vn_respond(guest->fd, fault.cookie, RETRY));
	EXPECT_DONE(self->device, 1);
	EXPECT_TRUE(holds(guest->vm, ipa, 1, 0, SIZE));
}

/* --- Who is told ---------------------------------------------------------------- */

TEST_F(fault, eventfd_and_poll)
{
	struct pollfd pollfd = { .fd = self->guest.fd, .events = POLLIN };
	struct vn_guest *guest = &self->guest;
	struct vfio_nested_fault fault;
	int event = eventfd(0, EFD_NONBLOCK);
	uint64_t count;

	ASSERT_LE(0, event);
	vn_guest_close(guest);
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	open_guest(_metadata, guest, self->device, STREAM, 0);
	vn_guest_stalls(guest);
	ASSERT_OK(vn_ring_open(&guest->ring, guest->fd, RING, event));
	ASSERT_OK(vn_guest_translate(guest, STREAM));

	pollfd.fd = guest->fd;
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
	EXPECT_EQ(-1, read(event, &count, sizeof(count)));
	start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	EXPECT_EQ(1, poll(&pollfd, 1, VN_TIMEOUT_MS));
	pollfd.fd = event;
	EXPECT_EQ(1, poll(&pollfd, 1, VN_TIMEOUT_MS));
	EXPECT_EQ(sizeof(count), read(event, &count, sizeof(count)));
	ASSERT_EQ(1, vn_ring_get(&guest->ring, &fault));
	EXPECT_OK(vn_respond(guest->fd, fault.cookie, VFIO_NESTED_RESPONSE_ABORT));
	EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);
	close(event);
}

/* --- Two who answer the same ------------------------------------------------------ */

struct answerer {
	pthread_t thread;
	int fd;
	pthread_barrier_t *barrier;
	const struct vfio_nested_fault *faults;
	unsigned int won;
	unsigned int wrong;
};

static void *answer_all(void *data)
{
	struct answerer *answerer = data;
	unsigned int i;
	int ret;

	pthread_barrier_wait(answerer->barrier);
	for (i = 0; i < MANY; i++) {
		ret = vn_respond(answerer->fd, answerer->faults[i].cookie, RETRY);
		answerer->won += !ret;
		answerer->wrong += ret && ret != -EALREADY;
	}
	return NULL;
}

TEST_F(fault, only_one_wins)
{
	struct vfio_nested_fault faults[MANY];
	uint64_t ipa[2 * CHANNELS];
	pthread_barrier_t barrier;
	struct answerer two[2];
	unsigned int round, i;

	map_many(_metadata, &self->guest, ipa);
	for (round = 0; round < 10; round++) {
		for (i = 0; i < 2 * CHANNELS; i++)
			vn_s1_unmap(&self->guest.s1, PAGE_AT(i));
		ASSERT_OK(vn_nested_command(self->guest.fd,
					    vn_cmd_tlbi(VN_CMD_TLBI_NH_ALL, 0, 0)));
		start_many(_metadata, self->device);
		read_many(_metadata, &self->guest, faults);
		for (i = 0; i < 2 * CHANNELS; i++)
			ASSERT_OK(vn_s1_map_at(&self->guest.s1, PAGE_AT(i),
					       ipa[i], VN_PROT_RW,
					       VN_S1_LAST_LEVEL));
		pthread_barrier_init(&barrier, NULL, 2);
		for (i = 0; i < 2; i++) {
			two[i] = (struct answerer) {
				.fd = self->guest.fd, .barrier = &barrier,
				.faults = faults,
			};
			ASSERT_EQ(0, pthread_create(&two[i].thread, NULL,
						    answer_all, &two[i]));
		}
		for (i = 0; i < 2; i++)
			pthread_join(two[i].thread, NULL);
		pthread_barrier_destroy(&barrier);
		EXPECT_EQ(MANY, two[0].won + two[1].won);
		EXPECT_EQ(0, two[0].wrong + two[1].wrong);
		check_many(_metadata, self->device, ipa);
	}
	EXPECT_STATS(self->guest.fd, faults_answered, 10 * MANY);
}

TEST_MAIN_WITH_DEVICES(wants)
