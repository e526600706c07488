// SPDX-License-Identifier: GPL-2.0
/*
 * Answers to accesses that wait, by all the ways that there are: whichever way one
 * comes, it has its effect once, and on a fault that is the answerer's. They are stalls
 * where there are any, and else page requests, of which pri_test has more.
 */
#include "faults.h"

static const struct vn_want wants[] = {
	{ .engine = VN_TESTDEV },
	/* Of another virtual machine */
	{ .engine = VN_TESTDEV, .vm = 1 },
	/* Of the first one */
	{ .engine = VN_TESTDEV },
};

#define OTHER_STREAM	0x20
#define SIZE		256
#define CHANNELS	6
/* Records that the response ring holds */
#define SMALL_RING	8
/* Input addresses of stage 1, a page each */
#define PAGE_AT(n)	(IOVA(0) + (n) * VN_PAGE)

/* --- The ways to answer --------------------------------------------------------- */

FIXTURE(answer) {
	struct vn_device *device;
	struct vn_guest guest;
	struct vn_response_ring responses;
	struct vfio_nested_fault faults[CHANNELS];
	uint64_t ipa[CHANNELS];
};

FIXTURE_SETUP(answer)
{
	unsigned int i, channel;

	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_WAITING(self->device);
	start_waiting(_metadata, &self->guest, self->device, STREAM, RING);
	ASSERT_OK(vn_response_ring_open(&self->responses, self->guest.fd,
					SMALL_RING));
	for (i = 0; i < CHANNELS; i++)
		write_waiting(_metadata, &self->guest, self->device, i, PAGE_AT(i), SIZE);
	for (i = 0; i < CHANNELS; i++) {
		struct vfio_nested_fault fault;

		fault = next_waiting(_metadata, &self->guest);
		channel = (fault.address - IOVA(0)) / VN_PAGE;
		ASSERT_GT(CHANNELS, channel);
		self->faults[channel] = fault;
		self->ipa[channel] = map_page(_metadata, &self->guest,
					      PAGE_AT(channel), VN_PROT_RW);
	}
}

FIXTURE_TEARDOWN(answer)
{
	ASSERT_OK(vn_testdev_quiet(self->device));
	vn_response_ring_close(&self->responses);
	stop_guest(_metadata, &self->guest);
}

#define RETRY	VFIO_NESTED_RESPONSE_RETRY
#define ABORT	VFIO_NESTED_RESPONSE_ABORT
#define TERMINATE	VFIO_NESTED_RESPONSE_TERMINATE

/* Channel @channel was retried, and its data has arrived. */
#define EXPECT_RETRIED(self, channel) do {				\
	EXPECT_DONE((self)->device, channel);				\
	EXPECT_TRUE(holds((self)->guest.vm, (self)->ipa[channel],	\
			  channel, 0, SIZE));				\
} while (0)

#define EXPECT_STILL(self, channel)					\
	EXPECT_WAITING((self)->device, channel)

TEST_F(answer, by_ring)
{
	uint32_t taken, delivered;
	unsigned int i;

	for (i = 0; i < CHANNELS; i++)
		ASSERT_TRUE(vn_response_ring_put(&self->responses,
						 self->faults[i].cookie, RETRY));
	/* The kernel looks when it is told to. */
	vn_sleep_ms(20);
	for (i = 0; i < CHANNELS; i++)
		EXPECT_STILL(self, i);
	ASSERT_OK(vn_nested_kick(self->guest.fd, &taken, &delivered));
	EXPECT_EQ(CHANNELS, taken);
	EXPECT_EQ(0, delivered);
	EXPECT_EQ(CHANNELS, *vn_response_ring_consumer(&self->responses));
	for (i = 0; i < CHANNELS; i++) {
		EXPECT_EQ(0, vn_response_ring_record(&self->responses,
						     i)->result);
		EXPECT_RETRIED(self, i);
	}
	ASSERT_OK(vn_nested_kick(self->guest.fd, &taken, &delivered));
	EXPECT_EQ(0, taken);
}

/* A bad one has its own result, and does not keep the next from its effect. */
TEST_F(answer, by_ring_with_bad_ones)
{
	const struct {
		uint64_t cookie;
		uint32_t code;
		int result;
	} answers[] = {
		{ self->faults[0].cookie, RETRY, 0 },
		{ self->faults[0].cookie, RETRY, -EALREADY },
		{ 0, RETRY, -ENOENT },
		{ self->faults[1].cookie, 0, -EINVAL },
		{ self->faults[1].cookie, 4, -EINVAL },
		{ self->faults[1].cookie, ABORT, 0 },
		{ ~0ULL, ABORT, -ENOENT },
		{ self->faults[2].cookie, RETRY, 0 },
	};
	uint32_t taken;
	unsigned int i;

	for (i = 0; i < VN_ARRAY_SIZE(answers); i++) {
		ASSERT_TRUE(vn_response_ring_put(&self->responses,
						 answers[i].cookie,
						 answers[i].code));
		/* What was there before does not matter. */
		vn_response_ring_record(&self->responses, i)->result = 77;
	}
	EXPECT_FALSE(vn_response_ring_put(&self->responses, 0, RETRY));
	ASSERT_OK(vn_nested_kick(self->guest.fd, &taken, NULL));
	EXPECT_EQ(VN_ARRAY_SIZE(answers), taken);
	for (i = 0; i < VN_ARRAY_SIZE(answers); i++) {
		EXPECT_EQ(answers[i].result,
			  vn_response_ring_record(&self->responses, i)->result)
			TH_LOG("answer %u", i);
	}
	EXPECT_RETRIED(self, 0);
	EXPECT_ABORTED(&self->guest, self->device, 1);
	EXPECT_RETRIED(self, 2);
	EXPECT_STILL(self, 3);
	EXPECT_STATS(self->guest.fd, faults_answered, 3);
	EXPECT_STATS(self->guest.fd, responses_refused, 5);
}

/* The indexes wrap many times. */
TEST_F(answer, by_ring_many_rounds)
{
	uint64_t cookie = self->faults[0].cookie;
	struct vn_response_ring *ring = &self->responses;
	struct vfio_nested_fault fault;
	unsigned int round, i, n;
	uint32_t taken;

	vn_s1_unmap(&self->guest.s1, PAGE_AT(0));
	for (round = 0; round < 3 * SMALL_RING; round++) {
		uint32_t first = ring->producer;

		n = 1 + round % (SMALL_RING - 1);
		for (i = 0; i < n; i++)
			ASSERT_TRUE(vn_response_ring_put(ring, cookie, RETRY));
		ASSERT_OK(vn_nested_kick(self->guest.fd, &taken, NULL));
		ASSERT_EQ(n, taken);
		ASSERT_EQ(0, vn_response_ring_record(ring, first)->result);
		for (i = 1; i < n; i++)
			ASSERT_EQ(-EALREADY,
				  vn_response_ring_record(ring,
							  first + i)->result);
		fault = next_waiting(_metadata, &self->guest);
		cookie = fault.cookie;
	}
	EXPECT_OK(vn_respond(self->guest.fd, cookie, ABORT));
}

/* A producer index that cannot be: nothing is taken. */
TEST_F(answer, by_ring_with_a_bad_index)
{
	uint32_t *producer = vn_response_ring_producer(&self->responses);
	const uint32_t bad[] = { SMALL_RING + 1, 0x80000000, ~0U };
	unsigned int i;
	uint32_t taken;

	ASSERT_TRUE(vn_response_ring_put(&self->responses,
					 self->faults[0].cookie, RETRY));
	for (i = 0; i < VN_ARRAY_SIZE(bad); i++) {
		__atomic_store_n(producer, bad[i], __ATOMIC_RELEASE);
		EXPECT_EQ(-EINVAL, vn_nested_kick(self->guest.fd, NULL, NULL));
		EXPECT_STILL(self, 0);
	}
	__atomic_store_n(producer, 1, __ATOMIC_RELEASE);
	ASSERT_OK(vn_nested_kick(self->guest.fd, &taken, NULL));
	EXPECT_EQ(1, taken);
	EXPECT_RETRIED(self, 0);
	/* The consumer index is the kernel's. */
	__atomic_store_n(vn_response_ring_consumer(&self->responses), 0,
			 __ATOMIC_RELEASE);
	ASSERT_OK(vn_nested_kick(self->guest.fd, &taken, NULL));
	EXPECT_EQ(0, taken);
}

/*
 * A command for a fault that is over: @err says how, if the command names that fault and
 * no other. The number of a group may be another one's by now, so it names none.
 */
static void expect_late(struct __test_metadata *_metadata,
			FIXTURE_DATA(answer) *self, unsigned int channel, int err)
{
	EXPECT_EQ(has_stalls(&self->guest) ? err : -ENOENT,
		  vn_guest_answer(&self->guest, &self->faults[channel], RETRY));
}

/* The guest's own command names the fault in its own way: by STAG, or by group. */
TEST_F(answer, by_command)
{
	static const uint32_t codes[] = { RETRY, ABORT, TERMINATE };
	const struct vn_guest *guest = &self->guest;
	enum vn_channel_error terminated = guest->arch->failure ?
		VN_ERROR_PAGE_FAILURE : VN_ERROR_PAGE_INVALID;
	unsigned int i;

	if (has_stalls(guest))
		terminated = guest->smmu.terminates ? VN_ERROR_IGNORED :
						      VN_ERROR_ABORTED;
	for (i = 0; i < VN_ARRAY_SIZE(codes); i++)
		ASSERT_OK(vn_guest_answer(guest, &self->faults[i], codes[i]));
	EXPECT_RETRIED(self, 0);
	EXPECT_ABORTED(guest, self->device, 1);
	EXPECT_FAILED(self->device, 2, terminated);
	EXPECT_STILL(self, 3);

	/* Once is enough, whichever way it came. */
	expect_late(_metadata, self, 0, -EALREADY);
	EXPECT_EQ(-EALREADY, vn_respond(guest->fd, self->faults[1].cookie, RETRY));
	ASSERT_OK(vn_respond(guest->fd, self->faults[3].cookie, RETRY));
	expect_late(_metadata, self, 3, -EALREADY);
	EXPECT_STATS(guest->fd, faults_answered, 4);
	EXPECT_STATS(guest->fd, responses_refused, 3);
}

/* Among others, in their order */
TEST_F(answer, by_command_among_invalidations)
{
	const struct vn_arch *arch = self->guest.arch;
	const struct vn_command commands[] = {
		arch->of_space(0, ASID),
		arch->barrier(),
		arch->answer(&self->faults[0], RETRY),
		arch->all(),
		arch->answer(&self->faults[1], RETRY),
		arch->barrier(),
		/* The first bad one: none after it has an effect. */
		arch->answer(&self->faults[0], RETRY),
		arch->answer(&self->faults[2], RETRY),
	};
	uint32_t num = VN_ARRAY_SIZE(commands);

	EXPECT_EQ(has_stalls(&self->guest) ? -EALREADY : -ENOENT,
		  vn_guest_commands(&self->guest, commands, &num));
	EXPECT_EQ(6, num);
	EXPECT_RETRIED(self, 0);
	EXPECT_RETRIED(self, 1);
	vn_sleep_ms(20);
	EXPECT_STILL(self, 2);
}

/* Bits that the command does not define, and codes that it does not have */
TEST_F(answer, by_resume_that_is_not_legal)
{
	uint16_t stag = vn_event_stag(&self->faults[0]);
	struct vfio_nested_command_smmuv3 command;
	unsigned int word, bit;

	NEED_CAP(self->device, STALL);
	for (word = 0; word < 2; word++) {
		for (bit = 0; bit < 64; bit++) {
			/* Opcode, StreamID and STAG mean something else then. */
			if ((!word && (bit < 8 || bit >= 32)) ||
			    (word && bit < 16))
				continue;
			if (!word && (bit == 12 || bit == 13))
				continue;
			command = vn_cmd_resume(STREAM, stag, VN_RESUME_RETRY);
			command.cmd[word] |= htole64(VN_BIT(bit));
			EXPECT_EQ(-EINVAL, vn_nested_command(self->guest.fd,
							     command))
				TH_LOG("bit %u of word %u", bit, word);
		}
	}
	EXPECT_EQ(-ENOENT, vn_nested_command(self->guest.fd,
					     vn_cmd_resume(STREAM + 1, stag, VN_RESUME_RETRY)));
	EXPECT_EQ(-ENOENT, vn_nested_command(self->guest.fd,
					     vn_cmd_resume(STREAM, 0xffff, VN_RESUME_RETRY)));
	vn_sleep_ms(20);
	EXPECT_STILL(self, 0);
	EXPECT_STATS(self->guest.fd, faults_pending, CHANNELS);
}

TEST_F(answer, by_stall_term)
{
	unsigned int i;

	NEED_CAP(self->device, STALL);
	ASSERT_OK(vn_nested_command(self->guest.fd, vn_cmd_stall_term(STREAM)));
	for (i = 0; i < CHANNELS; i++) {
		EXPECT_FAILED(self->device, i, VN_ERROR_ABORTED);
		EXPECT_TRUE(vn_intact(self->guest.vm, self->ipa[i]));
		EXPECT_EQ(-EALREADY, vn_respond(self->guest.fd,
						self->faults[i].cookie, RETRY));
	}
	/* There may be nothing to end. */
	EXPECT_OK(vn_nested_command(self->guest.fd, vn_cmd_stall_term(STREAM)));
	EXPECT_EQ(-ENOENT, vn_nested_command(self->guest.fd,
					     vn_cmd_stall_term(STREAM + 1)));
	EXPECT_STATS(self->guest.fd, faults_answered, CHANNELS);
	/* And the device works on. */
	write_waiting(_metadata, &self->guest, self->device, 0, PAGE_AT(0), SIZE);
	EXPECT_RETRIED(self, 0);
}

/* --- Answers that are refused ----------------------------------------------------- */

TEST_F(answer, twice)
{
	ASSERT_OK(vn_respond(self->guest.fd, self->faults[0].cookie, ABORT));
	EXPECT_EQ(-EALREADY, vn_respond(self->guest.fd, self->faults[0].cookie,
					ABORT));
	EXPECT_EQ(-EALREADY, vn_respond(self->guest.fd, self->faults[0].cookie,
					RETRY));
	EXPECT_ABORTED(&self->guest, self->device, 0);
	EXPECT_TRUE(vn_intact(self->guest.vm, self->ipa[0]));
	EXPECT_STATS(self->guest.fd, faults_answered, 1);
	EXPECT_STATS(self->guest.fd, responses_refused, 2);
}

/* No bit of a cookie can be changed, and still name a fault. */
TEST_F(answer, forged)
{
	struct vfio_nested_stats before, after;
	unsigned int i, bit;
	uint64_t cookie;
	int ret;

	before = expect_balance(_metadata, self->guest.fd);
	for (bit = 0; bit < 64; bit++) {
		cookie = self->faults[0].cookie ^ VN_BIT(bit);
		for (i = 0; i < CHANNELS; i++)
			if (cookie == self->faults[i].cookie)
				break;
		if (i < CHANNELS)
			continue;
		ret = vn_respond(self->guest.fd, cookie, ABORT);
		EXPECT_TRUE(ret == -ENOENT || ret == -ESTALE)
			TH_LOG("bit %u: %d", bit, ret);
	}
	EXPECT_EQ(-ENOENT, vn_respond(self->guest.fd, 0, ABORT));
	EXPECT_EQ(-ENOENT, vn_respond(self->guest.fd, ~0ULL, ABORT));
	EXPECT_EQ(-ENOENT, vn_respond(self->guest.fd, 1, ABORT));
	after = expect_balance(_metadata, self->guest.fd);
	EXPECT_EQ(before.faults_pending, after.faults_pending);
	EXPECT_EQ(0, after.faults_answered);
	EXPECT_LE(before.responses_refused + 60, after.responses_refused);
	for (i = 0; i < CHANNELS; i++)
		EXPECT_STILL(self, i);
}

TEST_F(answer, codes_that_there_are_not)
{
	static const uint32_t codes[] = { 0, 4, 5, 0x80000001, ~0U };
	unsigned int i;

	for (i = 0; i < VN_ARRAY_SIZE(codes); i++)
		EXPECT_EQ(-EINVAL, vn_respond(self->guest.fd,
					      self->faults[0].cookie, codes[i]));
	/* It has not been used up. */
	EXPECT_STILL(self, 0);
	EXPECT_OK(vn_respond(self->guest.fd, self->faults[0].cookie, RETRY));
	EXPECT_RETRIED(self, 0);
}

/* None after the first bad one has an effect. */
TEST_F(answer, up_to_the_first_bad_one)
{
	const struct vfio_nested_response responses[] = {
		{ .cookie = self->faults[0].cookie, .code = RETRY },
		{ .cookie = self->faults[1].cookie, .code = RETRY },
		{ .cookie = self->faults[0].cookie, .code = RETRY },
		{ .cookie = self->faults[2].cookie, .code = RETRY },
	};
	uint32_t num = VN_ARRAY_SIZE(responses);

	EXPECT_EQ(-EALREADY, vn_nested_respond(self->guest.fd, responses, &num));
	EXPECT_EQ(2, num);
	EXPECT_RETRIED(self, 0);
	EXPECT_RETRIED(self, 1);
	vn_sleep_ms(20);
	EXPECT_STILL(self, 2);
}

TEST_F(answer, after_unbind)
{
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	EXPECT_EQ(-ENODEV, vn_respond(self->guest.fd, self->faults[0].cookie,
				      RETRY));
	EXPECT_ENDED(&self->guest, self->device, 0);
	EXPECT_STATS(self->guest.fd, faults_aborted, CHANNELS);
	ASSERT_OK(vn_nested_bind(self->device->fd, self->guest.fd, STREAM));
	EXPECT_GT(0, vn_respond(self->guest.fd, self->faults[0].cookie, RETRY));
}

TEST_F(answer, after_reset)
{
	unsigned int i;

	NEED_RESET(self->device);
	ASSERT_OK(vn_device_reset(self->device, VN_RESET_VFIO));
	for (i = 0; i < CHANNELS; i++)
		EXPECT_EQ(-ECANCELED, vn_respond(self->guest.fd,
						 self->faults[i].cookie, RETRY));
	expect_late(_metadata, self, 0, -ECANCELED);
	EXPECT_STATS(self->guest.fd, faults_aborted, CHANNELS);
	/* The binding, and stage 1, are as before. */
	if (!has_stalls(&self->guest))
		ASSERT_OK(vn_device_enable_pri(self->device, WAITING_CREDITS));
	write_waiting(_metadata, &self->guest, self->device, 0, PAGE_AT(0), SIZE);
	EXPECT_RETRIED(self, 0);
}

FIXTURE(one) {
	struct vn_device *device;
	struct vn_guest guest;
};

FIXTURE_SETUP(one)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_WAITING(self->device);
	start_waiting(_metadata, &self->guest, self->device, STREAM, RING);
}

FIXTURE_TEARDOWN(one)
{
	ASSERT_OK(vn_testdev_quiet(self->device));
	stop_guest(_metadata, &self->guest);
}

/* So late that the kernel does not know any more */
TEST_F_TIMEOUT(one, so_late, SLOW)
{
	unsigned int rounds = 2 * self->guest.info.max_pending + 8, i;
	struct vfio_nested_fault first = {}, fault;
	int ret;

	write_waiting(_metadata, &self->guest, self->device, 1, IOVA(0), SIZE);
	first = next_waiting(_metadata, &self->guest);
	ASSERT_OK(vn_respond(self->guest.fd, first.cookie, RETRY));
	for (i = 0; i < rounds; i++) {
		fault = next_waiting(_metadata, &self->guest);
		ASSERT_NE(first.cookie, fault.cookie);
		ASSERT_OK(vn_respond(self->guest.fd, fault.cookie, RETRY));
		ret = vn_respond(self->guest.fd, first.cookie, RETRY);
		ASSERT_TRUE(ret == -EALREADY || ret == -ESTALE);
		if (ret == -ESTALE)
			break;
	}
	EXPECT_GT(rounds, i) TH_LOG("remembered after %u faults", rounds);
}

/* --- Others --------------------------------------------------------------------- */

FIXTURE(others) {
	struct vn_device *device;
	struct vn_device *second;
	struct vn_guest guest;
	struct vn_guest other;
	struct vfio_nested_fault fault;
	struct vfio_nested_fault others_fault;
};

FIXTURE_SETUP(others)
{
	self->device = NEED_DEVICE(0);
	self->second = NEED_DEVICE(1);
	unbind_all();
	NEED_WAITING(self->device);
	start_waiting(_metadata, &self->guest, self->device, STREAM, RING);
	start_waiting(_metadata, &self->other, self->second, OTHER_STREAM, RING);
	write_waiting(_metadata, &self->guest, self->device, 1, IOVA(0), SIZE);
	write_waiting(_metadata, &self->other, self->second, 1, IOVA(0), SIZE);
	self->fault = next_waiting(_metadata, &self->guest);
	self->others_fault = next_waiting(_metadata, &self->other);
}

FIXTURE_TEARDOWN(others)
{
	ASSERT_OK(vn_testdev_quiet(self->device));
	ASSERT_OK(vn_testdev_quiet(self->second));
	stop_guest(_metadata, &self->guest);
	stop_guest(_metadata, &self->other);
}

/* Each sees its own fault, and answers no other. */
TEST_F(others, of_another_machine)
{
	uint16_t stag;

	EXPECT_EQ(STREAM, self->fault.virtual_id);
	EXPECT_EQ(OTHER_STREAM, self->others_fault.virtual_id);
	EXPECT_EQ(0, vn_ring_pending(&self->guest.ring));
	EXPECT_EQ(0, vn_ring_pending(&self->other.ring));

	EXPECT_EQ(-ENOENT, vn_respond(self->other.fd, self->fault.cookie, ABORT));
	EXPECT_EQ(-ENOENT, vn_respond(self->guest.fd, self->others_fault.cookie,
				      ABORT));
	/* The stream of the other one is none of mine. */
	EXPECT_EQ(-ENOENT, vn_guest_answer(&self->other, &self->fault, ABORT));
	if (has_stalls(&self->other))
		EXPECT_EQ(-ENOENT, vn_nested_command(self->other.fd,
						     vn_cmd_stall_term(STREAM)));
	/* Tags are numbers of the guest: no number of mine names its fault. */
	for (stag = 0; has_stalls(&self->other) && stag < 64; stag++)
		if (stag != vn_event_stag(&self->others_fault))
			EXPECT_EQ(-ENOENT, vn_nested_command(self->other.fd,
							     vn_cmd_resume(OTHER_STREAM, stag,
									   VN_RESUME_ABORT)));
	EXPECT_WAITING(self->device, 1);
	EXPECT_WAITING(self->second, 1);

	ASSERT_OK(vn_guest_answer(&self->other, &self->others_fault, ABORT));
	EXPECT_ABORTED(&self->other, self->second, 1);
	EXPECT_WAITING(self->device, 1);
	ASSERT_OK(vn_respond(self->guest.fd, self->fault.cookie, ABORT));
	EXPECT_ABORTED(&self->guest, self->device, 1);
	EXPECT_STATS(self->guest.fd, faults, 1);
	EXPECT_STATS(self->other.fd, faults, 1);
}

/* Two devices of one machine: a tag is good for the device that it came from. */
TEST_F(one, of_another_device)
{
	struct vn_device *second = NEED_DEVICE(2);
	struct vfio_nested_fault fault, other;

	ASSERT_OK(vn_guest_bind(&self->guest, second, OTHER_STREAM));
	ASSERT_OK(vn_guest_translate(&self->guest, OTHER_STREAM));
	if (!has_stalls(&self->guest)) {
		ASSERT_OK(vn_device_enable_ats(second, true));
		ASSERT_OK(vn_device_enable_pri(second, WAITING_CREDITS));
	}
	write_waiting(_metadata, &self->guest, self->device, 1, IOVA(0), SIZE);
	fault = next_waiting(_metadata, &self->guest);
	write_waiting(_metadata, &self->guest, second, 1, IOVA(1), SIZE);
	other = next_waiting(_metadata, &self->guest);
	EXPECT_EQ(STREAM, fault.virtual_id);
	EXPECT_EQ(OTHER_STREAM, other.virtual_id);

	if (has_stalls(&self->guest))
		EXPECT_EQ(-ENOENT,
			  vn_nested_command(self->guest.fd,
					    vn_cmd_resume(OTHER_STREAM,
							  vn_event_stag(&fault),
							  VN_RESUME_ABORT)));
	ASSERT_OK(vn_guest_answer(&self->guest, &fault, ABORT));
	EXPECT_ABORTED(&self->guest, self->device, 1);
	EXPECT_WAITING(second, 1);

	/* Its end is the end of its faults. */
	ASSERT_OK(vn_nested_unbind(second->fd));
	EXPECT_ENDED(&self->guest, second, 1);
	EXPECT_EQ(-ECANCELED, vn_respond(self->guest.fd, other.cookie, RETRY));
	EXPECT_STATS(self->guest.fd, faults_aborted, 1);
	ASSERT_OK(vn_testdev_quiet(second));
}

TEST_MAIN_WITH_DEVICES(wants)
