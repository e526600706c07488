// SPDX-License-Identifier: GPL-2.0
/*
 * Page requests: a device that translates by itself asks for pages that are not
 * there, in groups; the guest maps them and answers the group as a whole; the device
 * goes on. What the device does wrong harms nobody but its guest.
 */
#include <linux/pci_regs.h>
#include <poll.h>

#include "faults.h"

static const struct vn_want wants[] = {
	{ .engine = VN_TESTDEV },
	/* Of another virtual machine */
	{ .engine = VN_TESTDEV, .vm = 1 },
	/* Of the first one */
	{ .engine = VN_TESTDEV },
};

#define OTHER_STREAM	0x20
#define CREDITS		64
#define SIZE		256
#define PAGE_AT(n)	(IOVA(0) + (n) * VN_PAGE)

#define RETRY		VFIO_NESTED_RESPONSE_RETRY
#define ABORT		VFIO_NESTED_RESPONSE_ABORT
#define TERMINATE	VFIO_NESTED_RESPONSE_TERMINATE

FIXTURE(pri) {
	struct asking asking;
	struct vn_device *device;
	struct vn_guest *guest;
};

FIXTURE_SETUP(pri)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_CAP(self->device, PRI);
	start_asking(_metadata, &self->asking, self->device, STREAM, CREDITS);
	self->guest = &self->asking.guest;
}

FIXTURE_TEARDOWN(pri)
{
	stop_asking(_metadata, &self->asking);
}

/* What every page request must be; @pasid is VN_PASID() or VN_NO_PASID. */
static void check_request(struct __test_metadata *_metadata,
			  const struct vn_guest *guest,
			  const struct vfio_nested_fault *fault, uint32_t stream,
			  uint64_t iova, uint32_t flags, uint32_t pasid,
			  uint32_t group, uint64_t after)
{
	uint64_t raw[4];
	unsigned int i;

	if (pasid)
		flags |= VFIO_NESTED_FAULT_PASID;
	EXPECT_EQ(VFIO_NESTED_FAULT_PAGE_REQUEST, fault->kind);
	EXPECT_EQ(stream, fault->virtual_id);
	EXPECT_EQ(VFIO_NESTED_FAULT_ADDRESS | flags, fault->flags);
	EXPECT_EQ(!!(flags & VFIO_NESTED_FAULT_LAST), !!fault->cookie);
	EXPECT_EQ(iova, fault->address);
	EXPECT_EQ(0, fault->ipa);
	EXPECT_EQ(pasid & 0xfffff, fault->pasid);
	EXPECT_EQ(group, fault->group);
	EXPECT_EQ(VFIO_NESTED_REASON_UNKNOWN, fault->reason);
	EXPECT_LE(after, fault->timestamp);
	EXPECT_GE(now_ns(), fault->timestamp);
	for (i = 0; i < VN_ARRAY_SIZE(fault->__reserved); i++)
		EXPECT_EQ(0, fault->__reserved[i]);

	EXPECT_EQ(guest->arch->raw_page_request(fault, raw), fault->raw_len);
	for (i = 0; i < VN_ARRAY_SIZE(raw); i++)
		EXPECT_EQ(raw[i], fault->raw[i]) TH_LOG("word %u", i);
}

/* The guest maps the page and says so: the write of @channel arrives there, at the result. */
static uint64_t serve(struct __test_metadata *_metadata, struct asking *asking,
		      const struct vfio_nested_fault *fault, unsigned int channel)
{
	uint64_t ipa = map_for(_metadata, asking,
			       fault->flags & VFIO_NESTED_FAULT_PASID,
			       fault->address);

	ASSERT_OK(vn_respond(asking->guest.fd, fault->cookie, RETRY));
	EXPECT_DONE(asking->device, channel);
	EXPECT_TRUE(holds(asking->device->vm, ipa, channel, 0, SIZE));
	return ipa;
}

/* --- One request --- */

FIXTURE(request) {
	struct asking asking;
};

FIXTURE_VARIANT(request) {
	enum vn_operation op;
	uint32_t flags;
	uint32_t pasid;
	uint32_t record;
};

FIXTURE_VARIANT_ADD(request, write) {
	.op = VN_OP_WRITE, .record = VFIO_NESTED_FAULT_WRITE,
};

FIXTURE_VARIANT_ADD(request, read) {
	.op = VN_OP_READ, .record = VFIO_NESTED_FAULT_READ,
};

FIXTURE_VARIANT_ADD(request, atomic) {
	.op = VN_OP_ATOMIC,
	.record = VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_WRITE,
};

FIXTURE_VARIANT_ADD(request, pasid_write) {
	.op = VN_OP_WRITE, .pasid = VN_PASID(THE_PASID),
	.record = VFIO_NESTED_FAULT_WRITE,
};

FIXTURE_VARIANT_ADD(request, pasid_execute) {
	.op = VN_OP_READ, .pasid = VN_PASID(THE_PASID),
	.flags = VN_ACCESS_EXECUTE,
	.record = VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_EXEC,
};

FIXTURE_VARIANT_ADD(request, pasid_privileged) {
	.op = VN_OP_READ, .pasid = VN_PASID(THE_PASID),
	.flags = VN_ACCESS_PRIVILEGED,
	.record = VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_PRIV,
};

FIXTURE_SETUP(request)
{
	struct vn_device *device = NEED_DEVICE(0);

	unbind_all();
	NEED_CAP(device, PRI);
	if (variant->flags & VN_ACCESS_EXECUTE)
		NEED_SMMUV3(device, "a guest has no execute requests (ECAP.ERS)");
	if (variant->flags & VN_ACCESS_PRIVILEGED)
		NEED_SMMUV3(device, "the kernel's own driver refuses privileged ones");
	start_asking(_metadata, &self->asking, device, STREAM, CREDITS);
}

FIXTURE_TEARDOWN(request)
{
	stop_asking(_metadata, &self->asking);
}

static struct vfio_nested_fault raise_request(struct __test_metadata *_metadata,
					      struct asking *asking,
				      const FIXTURE_VARIANT(request) *variant)
{
	const struct vn_access access = {
		.op = variant->op,
		.flags = VN_ACCESS_ATS | VN_ACCESS_PRI | variant->flags,
		.iova = IOVA(0) + 64,
		.length = variant->op == VN_OP_ATOMIC ? 8 : SIZE,
		.buffer = BUFFER_OF(1), .pasid = variant->pasid, .operand = 1,
	};
	struct vfio_nested_fault fault;
	uint64_t before = now_ns();

	fill_buffer(asking->device, 1, SIZE);
	ASSERT_OK(vn_testdev_start(asking->device, 1, &access));
	fault = next_request(_metadata, &asking->guest);
	EXPECT_OK(vn_testdev_reach(asking->device, 1, VN_CHANNEL_WAITING,
				   VN_TIMEOUT_MS));
	check_request(_metadata, &asking->guest, &fault, STREAM, IOVA(0),
		      variant->record | VFIO_NESTED_FAULT_LAST, variant->pasid,
		      vn_testdev_group(asking->device, 1), before);
	EXPECT_STATS(asking->guest.fd, page_requests, 1);
	EXPECT_STATS(asking->guest.fd, faults_pending, 1);
	return fault;
}

TEST_F(request, is_answered)
{
	struct vn_device *device = self->asking.device;
	struct vfio_nested_stats stats;
	struct vfio_nested_fault fault;
	uint8_t got[SIZE];
	uint64_t ipa;

	fault = raise_request(_metadata, &self->asking, variant);
	ipa = map_for(_metadata, &self->asking, variant->pasid, IOVA(0));
	ASSERT_OK(vn_respond(self->asking.guest.fd, fault.cookie, RETRY));
	EXPECT_DONE(device, 1);
	switch (variant->op) {
	case VN_OP_WRITE:
		EXPECT_TRUE(holds(device->vm, ipa + 64, 1, 0, SIZE));
		break;
	case VN_OP_READ:
		vn_testdev_buffer_read(device, BUFFER_OF(1), got, SIZE);
		EXPECT_EQ(0, memcmp(got, vn_vm_va(device->vm, ipa + 64), SIZE));
		break;
	default:
		EXPECT_EQ(0xa5a5a5a5a5a5a5a5ULL, vn_testdev_result(device, 1));
		break;
	}
	stats = expect_balance(_metadata, self->asking.guest.fd);
	EXPECT_EQ(1, stats.faults);
	EXPECT_EQ(1, stats.faults_answered);
	EXPECT_EQ(1, stats.faults_delivered);
	EXPECT_EQ(0, stats.events);
}

TEST_F(request, is_invalid)
{
	struct vn_device *device = self->asking.device;
	struct vfio_nested_fault fault;
	uint64_t ipa;

	fault = raise_request(_metadata, &self->asking, variant);
	ipa = map_for(_metadata, &self->asking, variant->pasid, IOVA(0));
	ASSERT_OK(vn_respond(self->asking.guest.fd, fault.cookie, ABORT));
	EXPECT_FAILED(device, 1, VN_ERROR_PAGE_INVALID);
	EXPECT_TRUE(vn_intact(device->vm, ipa));
	/* It may ask again. */
	ask(_metadata, device, 2, IOVA(9), SIZE, VN_NO_PASID);
	fault = next_request(_metadata, &self->asking.guest);
	ASSERT_OK(vn_respond(self->asking.guest.fd, fault.cookie, ABORT));
	EXPECT_FAILED(device, 2, VN_ERROR_PAGE_INVALID);
}

/* The function asks no more, until its guest has started that anew. */
TEST_F(request, is_a_failure)
{
	struct vn_device *device = self->asking.device;
	struct vfio_nested_fault fault;
	uint16_t status;

	if (!self->asking.guest.arch->failure)
		SKIP(return, "Response Failure is carried out as Invalid Request");
	fault = raise_request(_metadata, &self->asking, variant);
	ASSERT_OK(vn_respond(self->asking.guest.fd, fault.cookie, TERMINATE));
	EXPECT_FAILED(device, 1, VN_ERROR_PAGE_FAILURE);
	ASSERT_OK(vn_device_pri_status(device, &status));
	EXPECT_TRUE(status & PCI_PRI_STATUS_RF);
	ask(_metadata, device, 2, IOVA(9), SIZE, VN_NO_PASID);
	EXPECT_FAILED(device, 2, VN_ERROR_DISABLED);
	EXPECT_STATS(self->asking.guest.fd, faults, 1);

	ASSERT_OK(vn_device_enable_pri(device, CREDITS));
	ASSERT_OK(vn_device_pri_status(device, &status));
	EXPECT_FALSE(status & PCI_PRI_STATUS_RF);
	ask(_metadata, device, 2, IOVA(9), SIZE, VN_NO_PASID);
	fault = next_request(_metadata, &self->asking.guest);
	serve(_metadata, &self->asking, &fault, 2);
}

/* --- Groups --- */

#define GROUP	7

TEST_F(pri, group_of_several)
{
	uint64_t ipa[GROUP], before = now_ns();
	struct vfio_nested_fault fault = {};
	unsigned int i;
	uint32_t flags;

	ask(_metadata, self->device, 1, PAGE_AT(0), VN_PAGE,
	    VN_PASID(THE_PASID));
	fault = next_request(_metadata, self->guest);
	ASSERT_OK(vn_respond(self->guest->fd, fault.cookie, ABORT));
	EXPECT_FAILED(self->device, 1, VN_ERROR_PAGE_INVALID);

	/* One access to many pages: the buffer has room for a page each. */
	const struct vn_access access = {
		.op = VN_OP_WRITE, .flags = VN_ACCESS_ATS | VN_ACCESS_PRI,
		.iova = PAGE_AT(0) + 2048, .length = (GROUP - 1) * VN_PAGE,
		.buffer = BUFFER_OF(0), .pasid = VN_PASID(THE_PASID),
	};

	for (i = 0; i < GROUP - 1; i++)
		fill_buffer(self->device, i, VN_PAGE);
	ASSERT_OK(vn_testdev_start(self->device, 0, &access));
	for (i = 0; i < GROUP; i++) {
		fault = next_request(_metadata, self->guest);
		flags = VFIO_NESTED_FAULT_WRITE;
		if (i == GROUP - 1)
			flags |= VFIO_NESTED_FAULT_LAST;
		check_request(_metadata, self->guest, &fault, STREAM, PAGE_AT(i), flags,
			      VN_PASID(THE_PASID),
			      vn_testdev_group(self->device, 0), before);
		ipa[i] = map_for(_metadata, &self->asking, VN_PASID(THE_PASID),
				 PAGE_AT(i));
	}
	EXPECT_STATS(self->guest->fd, page_requests, 1 + GROUP);
	EXPECT_STATS(self->guest->fd, faults, 2);
	EXPECT_STATS(self->guest->fd, faults_pending, 1);
	EXPECT_EQ(VN_CHANNEL_WAITING, vn_testdev_status(self->device, 0).state);
	ASSERT_OK(vn_respond(self->guest->fd, fault.cookie, RETRY));
	EXPECT_DONE(self->device, 0);
	for (i = 0; i < GROUP - 1; i++) {
		EXPECT_TRUE(holds(self->device->vm, ipa[i] + 2048, i, 0, 2048));
		EXPECT_TRUE(holds(self->device->vm, ipa[i + 1], i, 2048, 2048));
	}
}

/* Success without the pages: the device finds out, and asks again. */
TEST_F(pri, success_that_is_none)
{
	struct vfio_nested_fault fault;
	uint64_t cookie = 0;
	unsigned int i;

	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	for (i = 0; i < 5; i++) {
		fault = next_request(_metadata, self->guest);
		EXPECT_NE(cookie, fault.cookie);
		cookie = fault.cookie;
		if (i == 4)
			break;
		ASSERT_OK(vn_respond(self->guest->fd, cookie, RETRY));
	}
	serve(_metadata, &self->asking, &fault, 1);
	EXPECT_STATS(self->guest->fd, faults_answered, 5);
}

/* All channels at once, with and without PASID; answered in another order */
TEST_F(pri, many_groups)
{
	struct vfio_nested_fault faults[VN_TESTDEV_CHANNELS];
	struct vfio_nested_response responses[VN_TESTDEV_CHANNELS] = {};
	uint64_t ipa[VN_TESTDEV_CHANNELS] = {};
	uint32_t num = VN_TESTDEV_CHANNELS;
	unsigned int i, channel;

	for (i = 0; i < VN_TESTDEV_CHANNELS; i++)
		ask(_metadata, self->device, i, PAGE_AT(i), SIZE,
		    i % 2 ? VN_PASID(THE_PASID) : VN_NO_PASID);
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++) {
		faults[i] = next_request(_metadata, self->guest);
		channel = (faults[i].address - IOVA(0)) / VN_PAGE;
		ASSERT_GT(VN_TESTDEV_CHANNELS, channel);
		EXPECT_EQ(vn_testdev_group(self->device, channel),
			  faults[i].group);
		EXPECT_EQ(channel % 2 ? VFIO_NESTED_FAULT_PASID : 0,
			  faults[i].flags & VFIO_NESTED_FAULT_PASID);
		ipa[channel] = map_for(_metadata, &self->asking, channel % 2,
				       PAGE_AT(channel));
		responses[(i * 3 + 1) % VN_TESTDEV_CHANNELS] =
			(struct vfio_nested_response) {
				.cookie = faults[i].cookie, .code = RETRY,
			};
	}
	ASSERT_OK(vn_nested_respond(self->guest->fd, responses, &num));
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++) {
		EXPECT_DONE(self->device, i);
		EXPECT_TRUE(holds(self->device->vm, ipa[i], i, 0, SIZE));
	}
	EXPECT_STATS(self->guest->fd, faults_answered, VN_TESTDEV_CHANNELS);
}

/* The device never has more outstanding than the guest gave it credits. */
TEST_F(pri, credits_are_kept)
{
	struct vfio_nested_stats stats;
	struct vfio_nested_fault fault;
	unsigned int i;

	if (!self->guest->arch->page_requests)
		SKIP(return, "the credits of the function are the host's");
	ASSERT_OK(vn_device_enable_pri(self->device, 2));
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++) {
		map_for(_metadata, &self->asking, VN_NO_PASID, PAGE_AT(i));
		vn_s1_unmap(&self->guest->s1, PAGE_AT(i));
		ask(_metadata, self->device, i, PAGE_AT(i), SIZE, VN_NO_PASID);
	}
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++) {
		fault = next_request(_metadata, self->guest);
		vn_sleep_ms(5);
		ASSERT_OK(vn_nested_stats(self->guest->fd, &stats));
		EXPECT_GE(2, stats.faults_pending);
		EXPECT_GE(i + 2, stats.faults);
		map_for(_metadata, &self->asking, VN_NO_PASID, fault.address);
		ASSERT_OK(vn_respond(self->guest->fd, fault.cookie, RETRY));
	}
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++)
		EXPECT_DONE(self->device, i);
}

/* --- What the device keeps --- */

/* What it has translated while one context was in force it does not use in the next. */
TEST_F(pri, contexts_share_no_translations)
{
	uint64_t here = vn_guest_page(self->guest), there;

	ASSERT_NE(0, here);
	there = map_for(_metadata, &self->asking, VN_NO_PASID, here);
	ASSERT_OK(vn_nested_set_context(self->guest->fd, STREAM,
					VFIO_NESTED_CONTEXT_BYPASS));
	ask(_metadata, self->device, 1, here, SIZE, VN_NO_PASID);
	EXPECT_DONE(self->device, 1);
	EXPECT_TRUE(holds(self->device->vm, here, 1, 0, SIZE));

	ASSERT_OK(vn_guest_translate(self->guest, STREAM));
	ask(_metadata, self->device, 2, here, SIZE, VN_NO_PASID);
	EXPECT_DONE(self->device, 2);
	EXPECT_TRUE(holds(self->device->vm, there, 2, 0, SIZE));

	ASSERT_OK(vn_nested_set_context(self->guest->fd, STREAM,
					VFIO_NESTED_CONTEXT_BYPASS));
	ask(_metadata, self->device, 3, here, SIZE, VN_NO_PASID);
	EXPECT_DONE(self->device, 3);
	EXPECT_TRUE(holds(self->device->vm, here, 3, 0, SIZE));
}

/* --- Stop markers --- */

/* It says that all requests of a PASID are before it. Nobody answers it. */
TEST_F(pri, stop_marker)
{
	struct vfio_nested_fault request, marker, no_fault;
	struct vfio_nested_stats stats;
	uint64_t raw[4];

	NEED_SMMUV3(self->device, "the kernel's own driver keeps stop markers to itself");
	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_PASID(THE_PASID));
	EXPECT_OK(vn_testdev_reach(self->device, 1, VN_CHANNEL_WAITING,
				   VN_TIMEOUT_MS));
	vn_testdev_stop_marker(self->device, THE_PASID);
	request = next_request(_metadata, self->guest);
	marker = next_request(_metadata, self->guest);
	EXPECT_NE(0, request.cookie);
	EXPECT_EQ(0, marker.cookie);
	EXPECT_EQ(VFIO_NESTED_FAULT_PASID | VFIO_NESTED_FAULT_LAST, marker.flags);
	EXPECT_EQ(THE_PASID, marker.pasid);
	EXPECT_EQ(0, marker.address);
	EXPECT_EQ(STREAM, marker.virtual_id);
	EXPECT_EQ(self->guest->arch->raw_page_request(&marker, raw),
		  marker.raw_len);
	EXPECT_EQ(0, memcmp(raw, marker.raw, sizeof(raw)));

	/* It is no fault, and nothing can be said to it. */
	stats = expect_balance(_metadata, self->guest->fd);
	EXPECT_EQ(1, stats.faults);
	EXPECT_EQ(1, stats.page_requests);
	no_fault = marker;
	no_fault.group ^= 1;
	EXPECT_EQ(-ENOENT, vn_guest_answer(self->guest, &no_fault, RETRY));
	ASSERT_OK(vn_respond(self->guest->fd, request.cookie, ABORT));
	EXPECT_FAILED(self->device, 1, VN_ERROR_PAGE_INVALID);
}

/* --- The guest's own command --- */

/* Something is pending, and this is not it. */
static void expect_other(struct __test_metadata *_metadata,
			 FIXTURE_DATA(pri) *self, struct vfio_nested_fault other)
{
	EXPECT_EQ(-ENOENT, vn_guest_answer(self->guest, &other, RETRY));
	EXPECT_EQ(VN_CHANNEL_WAITING, vn_testdev_status(self->device, 1).state);
}

TEST_F(pri, by_command)
{
	const struct {
		uint32_t code;
		enum vn_channel_error error;
	} cases[] = {
		{ RETRY, VN_ERROR_NONE },
		{ ABORT, VN_ERROR_PAGE_INVALID },
		{ TERMINATE, self->guest->arch->failure ? VN_ERROR_PAGE_FAILURE :
							  VN_ERROR_PAGE_INVALID },
	};
	struct vfio_nested_fault fault, other;
	unsigned int i, k;
	uint64_t ipa;
	int ret;

	for (i = 0; i < 2 * VN_ARRAY_SIZE(cases); i++) {
		uint32_t pasid = i % 2 ? VN_PASID(THE_PASID) : VN_NO_PASID;

		k = i / 2;
		ASSERT_OK(vn_device_enable_pri(self->device, CREDITS));
		ask(_metadata, self->device, 1, PAGE_AT(i), SIZE, pasid);
		fault = next_request(_metadata, self->guest);
		ipa = map_for(_metadata, &self->asking, pasid, PAGE_AT(i));

		/* Another group, another PASID, another device: not pending */
		other = fault;
		other.group ^= 1;
		expect_other(_metadata, self, other);
		other = fault;
		other.flags |= VFIO_NESTED_FAULT_PASID;
		other.pasid = THE_PASID + 1;
		expect_other(_metadata, self, other);
		other = fault;
		other.flags ^= VFIO_NESTED_FAULT_PASID;
		other.pasid = 0;
		expect_other(_metadata, self, other);
		other = fault;
		other.virtual_id++;
		expect_other(_metadata, self, other);

		ASSERT_OK(vn_guest_answer(self->guest, &fault, cases[k].code));
		EXPECT_CHANNEL(self->device, 1, cases[k].error ?
			       VN_CHANNEL_ERROR : VN_CHANNEL_OK, cases[k].error);
		EXPECT_EQ(!cases[k].error,
			  holds(self->device->vm, ipa, 1, 0, SIZE));
		/* Once is enough, whichever way it came. */
		ret = vn_guest_answer(self->guest, &fault, cases[k].code);
		EXPECT_TRUE(ret == -ENOENT || ret == -EALREADY);
		EXPECT_EQ(-EALREADY, vn_respond(self->guest->fd, fault.cookie,
						RETRY));
	}
}

/* Bits that the command does not define */
TEST_F(pri, by_pri_resp_that_is_not_legal)
{
	struct vfio_nested_command_smmuv3 command;
	struct vfio_nested_fault fault;
	unsigned int word, bit;

	NEED_SMMUV3(self->device, "see vtd_test");
	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_PASID(THE_PASID));
	fault = next_request(_metadata, self->guest);
	for (word = 0; word < 2; word++) {
		for (bit = 0; bit < 64; bit++) {
			if (!word && (bit < 8 || bit >= 32 || bit == 11 ||
				      (bit >= 12 && bit < 32)))
				continue;
			if (word && (bit < 9 || bit == 12 || bit == 13))
				continue;
			command = vn_cmd_pri_resp(STREAM, VN_PASID(THE_PASID),
						  fault.group,
						  VN_PRI_RESP_SUCCESS);
			command.cmd[word] |= htole64(VN_BIT(bit));
			EXPECT_EQ(-EINVAL, vn_nested_command(self->guest->fd,
							     command))
				TH_LOG("bit %u of word %u", bit, word);
		}
	}
	/* A code that there is not, and a PASID without SSV */
	EXPECT_EQ(-EINVAL, vn_nested_command(self->guest->fd,
					     vn_cmd_pri_resp(STREAM, VN_PASID(THE_PASID),
							     fault.group, 3)));
	command = vn_cmd_pri_resp(STREAM, VN_PASID(THE_PASID), fault.group,
				  VN_PRI_RESP_SUCCESS);
	command.cmd[0] &= ~htole64(VN_CMD0_SSV);
	EXPECT_GT(0, vn_nested_command(self->guest->fd, command));
	EXPECT_EQ(VN_CHANNEL_WAITING, vn_testdev_status(self->device, 1).state);
	EXPECT_STATS(self->guest->fd, faults_pending, 1);
}

/* --- Whom the answer reaches --- */

FIXTURE(two) {
	struct asking a;
	struct asking b;
	struct vfio_nested_fault fault_a;
	struct vfio_nested_fault fault_b;
};

FIXTURE_SETUP(two)
{
	struct vn_device *a = NEED_DEVICE(0);
	struct vn_device *b = NEED_DEVICE(1);

	unbind_all();
	NEED_CAP(a, PRI);
	NEED_CAP(b, PRI);
	start_asking(_metadata, &self->a, a, STREAM, CREDITS);
	start_asking(_metadata, &self->b, b, OTHER_STREAM, CREDITS);
	ask(_metadata, a, 1, IOVA(0), SIZE, VN_PASID(THE_PASID));
	ask(_metadata, b, 1, IOVA(0), SIZE, VN_PASID(THE_PASID));
	self->fault_a = next_request(_metadata, &self->a.guest);
	self->fault_b = next_request(_metadata, &self->b.guest);
}

FIXTURE_TEARDOWN(two)
{
	stop_asking(_metadata, &self->a);
	stop_asking(_metadata, &self->b);
}

TEST_F(two, of_another_machine)
{
	struct vn_guest *a = &self->a.guest, *b = &self->b.guest;

	EXPECT_EQ(STREAM, self->fault_a.virtual_id);
	EXPECT_EQ(OTHER_STREAM, self->fault_b.virtual_id);
	EXPECT_EQ(-ENOENT, vn_respond(b->fd, self->fault_a.cookie, RETRY));
	EXPECT_EQ(-ENOENT, vn_respond(a->fd, self->fault_b.cookie, RETRY));
	EXPECT_EQ(-ENOENT, vn_guest_answer(b, &self->fault_a, RETRY));
	/* My answer to my group of this number does not reach the other one's. */
	ASSERT_OK(vn_guest_answer(b, &self->fault_b, ABORT));
	EXPECT_FAILED(self->b.device, 1, VN_ERROR_PAGE_INVALID);
	EXPECT_EQ(VN_CHANNEL_WAITING,
		  vn_testdev_status(self->a.device, 1).state);
	serve(_metadata, &self->a, &self->fault_a, 1);
}

/* Two devices of one machine may use the same group and PASID. */
TEST_F(pri, of_another_device)
{
	struct vn_device *second = NEED_DEVICE(2);
	struct vfio_nested_fault fault, other;
	unsigned int tries;

	ASSERT_OK(vn_guest_bind(self->guest, second, OTHER_STREAM));
	ASSERT_OK(vn_device_enable_pasid(second));
	ASSERT_OK(vn_device_enable_ats(second, true));
	ASSERT_OK(vn_guest_translate(self->guest, OTHER_STREAM));
	ASSERT_OK(vn_device_enable_pri(second, CREDITS));

	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_PASID(THE_PASID));
	fault = next_request(_metadata, self->guest);
	/* Group numbers go round. */
	for (tries = 0; tries < 1024; tries++) {
		ask(_metadata, second, 1, IOVA(0), SIZE, VN_PASID(THE_PASID));
		other = next_request(_metadata, self->guest);
		if (other.group == fault.group)
			break;
		ASSERT_OK(vn_respond(self->guest->fd, other.cookie, ABORT));
		EXPECT_FAILED(second, 1, VN_ERROR_PAGE_INVALID);
	}
	ASSERT_EQ(fault.group, other.group);
	ASSERT_OK(vn_guest_answer(self->guest, &other, ABORT));
	EXPECT_FAILED(second, 1, VN_ERROR_PAGE_INVALID);
	EXPECT_EQ(VN_CHANNEL_WAITING, vn_testdev_status(self->device, 1).state);
	ASSERT_OK(vn_respond(self->guest->fd, fault.cookie, ABORT));
	EXPECT_FAILED(self->device, 1, VN_ERROR_PAGE_INVALID);
	EXPECT_EQ(0, vn_testdev_count(second, VN_COUNT_BAD_RESPONSES));
}

/* --- When there are none --- */

/* What becomes of a request while the guest has none enabled */
static enum vn_channel_error off(const struct vn_guest *guest)
{
	return guest->arch->page_requests ? VN_ERROR_DISABLED :
					    VN_ERROR_PAGE_INVALID;
}

/* PCIe 10.5.2.2: it has stopped when what it has asked for is answered. */
TEST_F(pri, disabled_with_one_pending)
{
	struct vfio_nested_fault fault;
	uint16_t status;

	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	fault = next_request(_metadata, self->guest);
	ASSERT_OK(vn_device_enable_pri(self->device, 0));
	ASSERT_OK(vn_device_pri_status(self->device, &status));
	EXPECT_FALSE(status & PCI_PRI_STATUS_STOPPED);
	ask(_metadata, self->device, 2, IOVA(9), SIZE, VN_NO_PASID);
	EXPECT_FAILED(self->device, 2, off(self->guest));
	ASSERT_OK(vn_respond(self->guest->fd, fault.cookie, ABORT));
	EXPECT_FAILED(self->device, 1, VN_ERROR_PAGE_INVALID);
	ASSERT_OK(vn_device_pri_status(self->device, &status));
	EXPECT_TRUE(status & PCI_PRI_STATUS_STOPPED);
}

TEST_F(pri, only_while_the_guest_wants_them)
{
	uint16_t status;

	ASSERT_OK(vn_device_enable_pri(self->device, 0));
	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	EXPECT_FAILED(self->device, 1, off(self->guest));
	ASSERT_OK(vn_device_pri_status(self->device, &status));
	EXPECT_TRUE(status & PCI_PRI_STATUS_STOPPED);

	/* Not without translation services either */
	ASSERT_OK(vn_device_enable_pri(self->device, CREDITS));
	self->guest->ats = false;
	ASSERT_OK(vn_guest_translate(self->guest, STREAM));
	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	EXPECT_FAILED(self->device, 1, off(self->guest));
	EXPECT_STATS(self->guest->fd, page_requests, 0);

	/* With them again, what the guest has set is in force. */
	self->guest->ats = true;
	ASSERT_OK(vn_guest_translate(self->guest, STREAM));
	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	ASSERT_OK(vn_respond(self->guest->fd,
			     next_request(_metadata, self->guest).cookie, ABORT));
	EXPECT_FAILED(self->device, 1, VN_ERROR_PAGE_INVALID);
}

/* Whoever finds the PRI queue promised to others sees that they stay off. */
TEST_F(pri, no_room)
{
	struct vn_device *second = NEED_DEVICE(1);
	struct vn_device *third = NEED_DEVICE(2);
	struct vn_guest guest;
	bool full;

	EXPECT_TRUE(vn_device_has_pri(self->device));
	/* Another test may have left them on, which would count from the binding on. */
	ASSERT_OK(vn_device_enable_pri(second, 0));
	ASSERT_OK(vn_device_enable_pri(third, 0));
	ASSERT_OK(vn_guest_open(&guest, second->vm));
	ASSERT_OK(vn_guest_bind(&guest, second, STREAM));
	ASSERT_OK(vn_device_enable_pri(second, CREDITS));
	EXPECT_TRUE(vn_device_has_pri(second));
	ASSERT_OK(vn_guest_bind(self->guest, third, OTHER_STREAM));
	ASSERT_OK(vn_device_enable_pri(third, CREDITS));
	full = !vn_device_has_pri(third);
	if (full) {
		ASSERT_OK(vn_guest_translate(self->guest, OTHER_STREAM));
		ask(_metadata, third, 1, IOVA(0), SIZE, VN_NO_PASID);
		EXPECT_FAILED(third, 1, VN_ERROR_DISABLED);

		/* The guest gives them back, */
		ASSERT_OK(vn_device_enable_pri(second, 0));
		ASSERT_OK(vn_device_enable_pri(third, CREDITS));
		EXPECT_TRUE(vn_device_has_pri(third));
		ASSERT_OK(vn_device_enable_pri(second, CREDITS));
		EXPECT_FALSE(vn_device_has_pri(second));
		/* ... or a reset does, */
		ASSERT_OK(vn_device_reset(third, VN_RESET_VFIO));
		ASSERT_OK(vn_device_enable_pri(second, CREDITS));
		EXPECT_TRUE(vn_device_has_pri(second));
		ASSERT_OK(vn_device_enable_pri(third, CREDITS));
		EXPECT_FALSE(vn_device_has_pri(third));
		/* ... or the end of the binding, which cannot have them back then. */
		ASSERT_OK(vn_nested_unbind(second->fd));
		ASSERT_OK(vn_device_enable_pri(third, CREDITS));
		EXPECT_TRUE(vn_device_has_pri(third));
		EXPECT_EQ(-ENOSPC, vn_nested_bind(second->fd, guest.fd, STREAM));
	}
	vn_device_enable_pri(second, 0);
	vn_device_enable_pri(third, 0);
	vn_nested_unbind(second->fd);
	vn_nested_unbind(third->fd);
	vn_guest_close(&guest);
	if (!full)
		SKIP(return, "the PRI queue has room for all");
}

/* A device that asks without PRI only gets its translation refused. */
TEST_F(pri, who_does_not_ask)
{
	const struct vn_access access = {
		.op = VN_OP_WRITE, .flags = VN_ACCESS_ATS, .iova = IOVA(0),
		.length = SIZE, .buffer = BUFFER_OF(1),
	};
	struct vn_channel_status status;

	ASSERT_OK(vn_testdev_run(self->device, 1, &access, &status));
	EXPECT_EQ(VN_ERROR_NO_ACCESS, status.error);
	EXPECT_EQ(0, vn_ring_drain(&self->guest->ring, SOON_MS));
	EXPECT_STATS(self->guest->fd, faults, 0);
}

/* Translation requests never stall, whatever the descriptor says (IHI 0070, 3.9.1.2). */
TEST_F(pri, translation_requests_do_not_stall)
{
	struct vfio_nested_fault fault;

	NEED_CAP(self->device, STALL);
	vn_guest_stalls(self->guest);
	ASSERT_OK(vn_nested_command(self->guest->fd, vn_cmd_cfgi_cd_all(STREAM)));
	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	fault = next_request(_metadata, self->guest);
	serve(_metadata, &self->asking, &fault, 1);
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_STALLS));
}

/* --- The end of a binding --- */

TEST_F(pri, unbind)
{
	struct vfio_nested_fault fault;

	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_PASID(THE_PASID));
	fault = next_request(_metadata, self->guest);
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	expect_ended(_metadata, self->device, 1);
	EXPECT_STATS(self->guest->fd, faults_aborted, 1);
	EXPECT_EQ(-ENODEV, vn_respond(self->guest->fd, fault.cookie, RETRY));
}

TEST_F(pri, reset)
{
	struct vfio_nested_fault fault;

	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_PASID(THE_PASID));
	fault = next_request(_metadata, self->guest);
	ASSERT_OK(vn_device_reset(self->device, VN_RESET_VFIO));
	EXPECT_STATS(self->guest->fd, faults_aborted, 1);
	EXPECT_EQ(-ECANCELED, vn_respond(self->guest->fd, fault.cookie, RETRY));

	/* The guest's driver sets the capability again, as after any reset. */
	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_PASID(THE_PASID));
	EXPECT_FAILED(self->device, 1, off(self->guest));
	ASSERT_OK(vn_device_enable_pri(self->device, CREDITS));
	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_PASID(THE_PASID));
	fault = next_request(_metadata, self->guest);
	serve(_metadata, &self->asking, &fault, 1);
}

/* --- Devices that do it wrong --- */

/* The last one of a group never comes: nothing is pending, nothing is stuck. */
TEST_F(pri, group_without_end)
{
	struct vfio_nested_stats stats;
	struct vfio_nested_fault fault;
	unsigned int i;

	NEED_SMMUV3(self->device, "the kernel's own driver tells of groups that are complete");
	vn_testdev_misbehave(self->device, VN_BAD_PRI_NO_LAST);
	for (i = 0; i < 4; i++) {
		ask(_metadata, self->device, i, PAGE_AT(i), SIZE, VN_NO_PASID);
		fault = next_request(_metadata, self->guest);
		EXPECT_EQ(0, fault.cookie);
		EXPECT_EQ(0, fault.flags & VFIO_NESTED_FAULT_LAST);
		EXPECT_EQ(-ENOENT,
			  vn_guest_answer(self->guest, &fault, RETRY));
	}
	stats = expect_balance(_metadata, self->guest->fd);
	EXPECT_EQ(4, stats.page_requests);
	EXPECT_EQ(0, stats.faults);
	EXPECT_EQ(0, stats.faults_pending);

	/* When it is good again it works, and the others are still waiting. */
	vn_testdev_misbehave(self->device, 0);
	ask(_metadata, self->device, 5, PAGE_AT(5), SIZE, VN_NO_PASID);
	fault = next_request(_metadata, self->guest);
	serve(_metadata, &self->asking, &fault, 5);
	EXPECT_EQ(VN_CHANNEL_WAITING, vn_testdev_status(self->device, 0).state);
	ASSERT_OK(vn_device_reset(self->device, VN_RESET_VFIO));
}

/* Whatever it is told, it asks again: each time is a fault of its own. */
TEST_F(pri, insists)
{
	struct vfio_nested_fault fault;
	unsigned int i;

	vn_testdev_misbehave(self->device, VN_BAD_PRI_INSIST);
	ask(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	for (i = 0; i < 20; i++) {
		fault = next_request(_metadata, self->guest);
		ASSERT_OK(vn_respond(self->guest->fd, fault.cookie, ABORT));
	}
	fault = next_request(_metadata, self->guest);
	serve(_metadata, &self->asking, &fault, 1);
	EXPECT_STATS(self->guest->fd, faults_answered, 21);
}

/* Page requests of a device that floods the queue, which all guests share */
static void flood_requests(struct __test_metadata *_metadata,
			   struct vn_device *device)
{
	struct vn_access access = {
		.op = VN_OP_PROBE, .flags = VN_ACCESS_ATS | VN_ACCESS_PRI,
		.length = VN_TESTDEV_OUTSTANDING,
		.outstanding = VN_TESTDEV_OUTSTANDING,
	};
	unsigned int i;

	vn_testdev_misbehave(device, VN_BAD_PRI_CREDIT);
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++) {
		access.iova = IOVA(64) + i * VN_PAGE;
		ASSERT_OK(vn_testdev_start(device, i, &access));
	}
}

TEST_F_TIMEOUT(two, flood, SLOW)
{
	struct vn_device *bad = self->a.device, *good = self->b.device;
	uint64_t end = vn_now_ms() + 4 * VN_TIMEOUT_MS;
	struct vfio_nested_fault fault;
	struct vfio_nested_stats stats = {};
	unsigned int rounds = 0, records = 0, throttled = 0, i;
	bool stops = self->a.guest.arch->page_requests;
	uint64_t ipa;

	/* Nobody can switch off a function there, but its neighbour must not suffer. */
	if (!stops)
		end = vn_now_ms() + VN_TIMEOUT_MS;
	/* The other one is asking, and is answered, all the time. */
	ipa = serve(_metadata, &self->b, &self->fault_b, 1);
	vn_testdev_stop(bad, 1);
	do {
		flood_requests(_metadata, bad);
		vn_s1_unmap(&self->b.space.s1, IOVA(0));
		vn_testdev_atc_flush(good);
		ASSERT_OK(vn_guest_forget(&self->b.guest));
		vn_poison(good->vm, ipa);
		ask(_metadata, good, 1, IOVA(0), SIZE, VN_PASID(THE_PASID));
		fault = next_request(_metadata, &self->b.guest);
		ASSERT_OK(vn_s1_map_at(&self->b.space.s1, IOVA(0), ipa,
				       VN_PROT_RW, VN_S1_LAST_LEVEL));
		ASSERT_OK(vn_respond(self->b.guest.fd, fault.cookie, RETRY));
		EXPECT_DONE(good, 1);
		EXPECT_TRUE(holds(good->vm, ipa, 1, 0, SIZE));
		for (i = 0; i < VN_TESTDEV_CHANNELS; i++)
			vn_testdev_stop(bad, i);
		while (vn_ring_get(&self->a.guest.ring, &fault)) {
			records++;
			throttled += !!(fault.flags & VFIO_NESTED_FAULT_THROTTLED);
			if (fault.cookie)
				vn_respond(self->a.guest.fd, fault.cookie, ABORT);
		}
		ASSERT_OK(vn_nested_stats(self->a.guest.fd, &stats));
		rounds++;
	} while (!stats.events_throttled && vn_now_ms() < end);
	TH_LOG("%u rounds, %u records", rounds, records);
	EXPECT_EQ(stops, stats.events_throttled);
	EXPECT_GE(1, throttled);
	ASSERT_OK(vn_nested_stats(self->b.guest.fd, &stats));
	EXPECT_EQ(0, stats.events_throttled);
	EXPECT_EQ(0, stats.faults_refused);

	/* Its guest starts it anew. */
	ASSERT_OK(vn_device_reset(bad, VN_RESET_VFIO));
	ASSERT_OK(vn_guest_translate(&self->a.guest, STREAM));
	ASSERT_OK(vn_device_enable_pri(bad, CREDITS));
	vn_ring_drain(&self->a.guest.ring, SOON_MS);
	ask(_metadata, bad, 1, IOVA(0), SIZE, VN_PASID(THE_PASID));
	fault = next_request(_metadata, &self->a.guest);
	serve(_metadata, &self->a, &fault, 1);
}

/* --- A ring that is full --- */

/* All requests of all groups come, in their order, to a reader of a small ring. */
TEST_F(pri, small_ring)
{
	const struct vn_access access = {
		.op = VN_OP_PROBE, .flags = VN_ACCESS_ATS | VN_ACCESS_PRI,
		.iova = PAGE_AT(0), .length = 5 * VN_PAGE,
	};
	uint64_t next[VN_TESTDEV_CHANNELS] = {};
	struct vfio_nested_fault fault;
	unsigned int i, channel, last = 0;
	uint32_t before;
	uint64_t page;

	before = vn_testdev_count(self->device, VN_COUNT_PAGE_REQUESTS);
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	vn_guest_close(self->guest);
	open_guest(_metadata, self->guest, self->device, STREAM, 0);
	self->guest->ats = true;
	ASSERT_OK(vn_ring_open(&self->guest->ring, self->guest->fd, 8, -1));
	ASSERT_OK(vn_guest_translate(self->guest, STREAM));
	ASSERT_OK(vn_device_enable_pri(self->device, CREDITS));

	for (i = 0; i < VN_TESTDEV_CHANNELS; i++) {
		struct vn_access one = access;

		one.iova += i * 16 * VN_PAGE;
		next[i] = one.iova;
		ASSERT_OK(vn_testdev_start(self->device, i, &one));
	}
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++)
		ASSERT_OK(vn_testdev_reach(self->device, i, VN_CHANNEL_WAITING,
					   VN_TIMEOUT_MS));
	if (vn_testdev_count(self->device, VN_COUNT_PAGE_REQUESTS) - before <
	    5 * VN_TESTDEV_CHANNELS)
		SKIP(return, "the PRI queue has no room for that many requests");
	EXPECT_STATS(self->guest->fd, page_requests, 5 * VN_TESTDEV_CHANNELS);
	EXPECT_EQ(5 * VN_TESTDEV_CHANNELS - 8, vn_ring_held(&self->guest->ring));
	for (i = 0; i < 5 * VN_TESTDEV_CHANNELS; i++) {
		fault = next_request(_metadata, self->guest);
		channel = (fault.address - PAGE_AT(0)) / (16 * VN_PAGE);
		ASSERT_GT(VN_TESTDEV_CHANNELS, channel);
		EXPECT_EQ(next[channel], fault.address);
		next[channel] += VN_PAGE;
		page = (fault.address - PAGE_AT(0)) / VN_PAGE % 16;
		EXPECT_EQ(page == 4, !!(fault.flags & VFIO_NESTED_FAULT_LAST));
		if (!fault.cookie)
			continue;
		last++;
		ASSERT_OK(vn_respond(self->guest->fd, fault.cookie, ABORT));
		EXPECT_FAILED(self->device, channel, VN_ERROR_PAGE_INVALID);
	}
	EXPECT_EQ(VN_TESTDEV_CHANNELS, last);
	EXPECT_EQ(0, vn_ring_lost(&self->guest->ring));
	EXPECT_EQ(0, vn_ring_held(&self->guest->ring));
}

TEST_MAIN_WITH_DEVICES(wants)
