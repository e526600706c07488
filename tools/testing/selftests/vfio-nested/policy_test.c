// SPDX-License-Identifier: GPL-2.0
/*
 * What the administrator lets a device do: who may stall at all, how many faults it
 * may have outstanding, how long it waits for an answer. And what happens to those
 * who go beyond: the device's own guest has less, and nobody else.
 */
#include "faults.h"

static const struct vn_want wants[] = {
	{ .engine = VN_TESTDEV },
	/* Firmware does not say that it may stall. */
	{ .engine = VN_TESTDEV, .can_stall = VN_NO },
	/* Of another virtual machine */
	{ .engine = VN_TESTDEV, .vm = 1 },
};

#define OTHER_STREAM	0x20
#define SIZE		64
#define PAGE_AT(n)	(IOVA(0) + (n) * VN_PAGE)
#define RETRY		VFIO_NESTED_RESPONSE_RETRY
#define ABORT		VFIO_NESTED_RESPONSE_ABORT

/* The settings of the tests' devices, to be put back */
struct settings {
	unsigned int may_stall;
	unsigned int fault_quota;
	unsigned int fault_deadline_ms;
};

static int read_settings(const struct vn_device *device,
			 struct settings *settings)
{
	int ret;

	ret = vn_pci_policy_value(device->pci.name, "may_stall",
				  &settings->may_stall);
	if (!ret)
		ret = vn_pci_policy_value(device->pci.name, "fault_quota",
					  &settings->fault_quota);
	if (!ret)
		ret = vn_pci_policy_value(device->pci.name, "fault_deadline_ms",
					  &settings->fault_deadline_ms);
	return ret;
}

static int set(const struct vn_device *device, const char *what,
	       unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	return vn_pci_policy(device->pci.name, what, text);
}

static void write_settings(struct __test_metadata *_metadata,
			   const struct vn_device *device,
			   const struct settings *settings)
{
	EXPECT_OK(set(device, "may_stall", settings->may_stall));
	EXPECT_OK(set(device, "fault_quota", settings->fault_quota));
	EXPECT_OK(set(device, "fault_deadline_ms", settings->fault_deadline_ms));
}

FIXTURE(policy) {
	struct vn_device *device;
	struct vn_guest guest;
	struct settings settings;
};

FIXTURE_SETUP(policy)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_WAITING(self->device);
	ASSERT_OK(read_settings(self->device, &self->settings));
	ASSERT_OK(vn_guest_open(&self->guest, self->device->vm));
}

FIXTURE_TEARDOWN(policy)
{
	write_settings(_metadata, self->device, &self->settings);
	ASSERT_OK(vn_testdev_quiet(self->device));
	stop_guest(_metadata, &self->guest);
}

/* Starts the guest with what has been set until now. */
static void start(struct __test_metadata *_metadata, FIXTURE_DATA(policy) *self)
{
	close(self->guest.fd);
	start_waiting(_metadata, &self->guest, self->device, STREAM, RING);
}

static struct vfio_nested_fault wait_on(struct __test_metadata *_metadata,
					FIXTURE_DATA(policy) *self,
					unsigned int channel)
{
	write_waiting(_metadata, &self->guest, self->device, channel,
		      PAGE_AT(channel), SIZE);
	return next_waiting(_metadata, &self->guest);
}

/* --- Who may stall -------------------------------------------------------------- */

FIXTURE(leave) {
	struct vn_device *device;
	struct vn_guest guest;
	struct settings settings;
};

FIXTURE_SETUP(leave)
{
	struct vfio_nested_info info;

	self->device = NEED_DEVICE(1);
	unbind_all();
	ASSERT_OK(read_settings(self->device, &self->settings));
	ASSERT_OK(vn_nested_info(self->device->fd, &info, NULL));
	if (!info.max_pending || info.backend != VFIO_NESTED_BACKEND_SMMUV3)
		SKIP(return, "the IOMMU stalls nothing");
	EXPECT_EQ(0, self->settings.may_stall);
}

FIXTURE_TEARDOWN(leave)
{
	write_settings(_metadata, self->device, &self->settings);
	ASSERT_OK(vn_testdev_quiet(self->device));
	stop_guest(_metadata, &self->guest);
}

static bool has_stall(struct __test_metadata *_metadata,
		      struct vn_device *device)
{
	struct vfio_nested_info info = {};

	EXPECT_OK(vn_nested_info(device->fd, &info, NULL));
	return info.caps & VFIO_NESTED_CAP_STALL;
}

/*
 * Without leave a guest that asks for stalls gets none: its accesses are aborted,
 * and said to be, however long the device would wait.
 */
static void expect_no_stall(struct __test_metadata *_metadata,
			    FIXTURE_DATA(leave) *self)
{
	struct vfio_nested_fault fault;

	EXPECT_FALSE(has_stall(_metadata, self->device));
	start_stalls(_metadata, &self->guest, self->device, STREAM, RING, 0);
	start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);
	ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(VFIO_NESTED_FAULT_EVENT, fault.kind);
	EXPECT_EQ(0, fault.cookie);
	EXPECT_FALSE(vn_event_stall(&fault));
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_STALLS));
	EXPECT_STATS(self->guest.fd, faults, 0);
}

TEST_F(leave, none)
{
	ASSERT_OK(vn_engine_revive(self->device));
	expect_no_stall(_metadata, self);
}

/* A guest that does not ask gets the event of what it did. */
TEST_F(leave, none_and_none_asked)
{
	struct vfio_nested_fault fault;

	start_guest(_metadata, &self->guest, self->device, 0);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);
	ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(VN_EVENT_F_TRANSLATION, vn_event_id(&fault));
	EXPECT_STATS(self->guest.fd, faults, 0);
}

TEST_F(leave, given_by_the_administrator)
{
	struct vfio_nested_fault fault;
	uint64_t ipa;

	ASSERT_OK(set(self->device, "may_stall", 1));
	EXPECT_TRUE(has_stall(_metadata, self->device));
	start_stalls(_metadata, &self->guest, self->device, STREAM, RING, 0);
	start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	fault = next_fault(_metadata, &self->guest, VFIO_NESTED_FAULT_STALL);
	ipa = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);
	ASSERT_OK(vn_respond(self->guest.fd, fault.cookie, RETRY));
	EXPECT_DONE(self->device, 1);
	EXPECT_TRUE(holds(self->guest.vm, ipa, 1, 0, SIZE));

	/* Taken back, it holds until the binding is over. */
	ASSERT_OK(set(self->device, "may_stall", 0));
	start_write(_metadata, self->device, 2, IOVA(1), SIZE, VN_NO_PASID);
	fault = next_fault(_metadata, &self->guest, VFIO_NESTED_FAULT_STALL);
	ASSERT_OK(vn_respond(self->guest.fd, fault.cookie, ABORT));
	EXPECT_FAILED(self->device, 2, VN_ERROR_ABORTED);
	vn_guest_close(&self->guest);
	ASSERT_OK(vn_device_reset(self->device, VN_RESET_VFIO));
	ASSERT_OK(vn_engine_revive(self->device));
	unbind_all();
	expect_no_stall(_metadata, self);
}

/* --- How long it waits -------------------------------------------------------------- */

#define SHORT_MS	300

TEST_F(policy, deadline)
{
	struct vfio_nested_fault fault;
	struct vfio_nested_stats stats;
	struct vfio_nested_info info;
	uint64_t begin, took;

	ASSERT_OK(set(self->device, "fault_deadline_ms", SHORT_MS));
	start(_metadata, self);
	ASSERT_OK(vn_nested_info(self->device->fd, &info, NULL));
	EXPECT_EQ(SHORT_MS, info.fault_deadline_ms);

	begin = vn_now_ms();
	fault = wait_on(_metadata, self, 1);
	EXPECT_ABORTED(&self->guest, self->device, 1);
	took = vn_now_ms() - begin;
	EXPECT_LE(SHORT_MS, took);
	/* The host may be busy; a deadline of another setting is not taken for it. */
	EXPECT_GT(SHORT_MS + 3000, took);
	EXPECT_STATS(self->guest.fd, faults_expired, 1);

	/* Too late, in each way to say it */
	EXPECT_EQ(-ETIMEDOUT, vn_respond(self->guest.fd, fault.cookie, RETRY));
	/* A group's number names none any more. */
	EXPECT_EQ(has_stalls(&self->guest) ? -ETIMEDOUT : -ENOENT,
		  vn_guest_answer(&self->guest, &fault, RETRY));
	stats = expect_balance(_metadata, self->guest.fd);
	EXPECT_EQ(2, stats.responses_refused);
	EXPECT_EQ(0, stats.faults_answered);
}

/* What is answered in time does not expire, and does not change the others' time. */
TEST_F(policy, deadline_of_each)
{
	struct vfio_nested_fault faults[4];
	uint64_t begin[4], took;
	unsigned int i;

	ASSERT_OK(set(self->device, "fault_deadline_ms", 3000));
	start(_metadata, self);
	for (i = 0; i < 4; i++) {
		begin[i] = vn_now_ms();
		faults[i] = wait_on(_metadata, self, i);
		vn_sleep_ms(150);
	}
	ASSERT_OK(vn_respond(self->guest.fd, faults[1].cookie, ABORT));
	EXPECT_ABORTED(&self->guest, self->device, 1);
	for (i = 0; i < 4; i++) {
		if (i == 1)
			continue;
		EXPECT_ABORTED(&self->guest, self->device, i);
		took = vn_now_ms() - begin[i];
		EXPECT_LE(3000, took) TH_LOG("channel %u", i);
	}
	EXPECT_STATS(self->guest.fd, faults_expired, 3);
	EXPECT_STATS(self->guest.fd, faults_answered, 1);
}

/* A fault that its guest was never told of expires too. */
TEST_F(policy, deadline_of_what_is_held_back)
{
	unsigned int i;

	NEED_CAP(self->device, STALL);
	ASSERT_OK(set(self->device, "fault_deadline_ms", SHORT_MS));
	close(self->guest.fd);
	start_waiting(_metadata, &self->guest, self->device, STREAM, 8);
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++) {
		const struct vn_access access = {
			.op = VN_OP_WRITE, .flags = VN_ACCESS_STALL,
			.iova = PAGE_AT(2 * i + 1) - 8, .length = 8,
			.outstanding = 2, .buffer = BUFFER_OF(i),
		};

		ASSERT_OK(vn_testdev_start(self->device, i, &access));
	}
	EXPECT_STATS(self->guest.fd, faults, 2 * VN_TESTDEV_CHANNELS);
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++)
		EXPECT_ABORTED(&self->guest, self->device, i);
	EXPECT_STATS(self->guest.fd, faults_expired, 2 * VN_TESTDEV_CHANNELS);
	EXPECT_STATS(self->guest.fd, faults_delivered, 8);
	EXPECT_EQ(8, vn_ring_drain(&self->guest.ring, 3 * SOON_MS));
}

TEST_F(policy, deadline_off)
{
	struct vfio_nested_fault fault;
	struct vfio_nested_info info;
	uint64_t ipa;

	ASSERT_OK(set(self->device, "fault_deadline_ms", 0));
	start(_metadata, self);
	ASSERT_OK(vn_nested_info(self->device->fd, &info, NULL));
	EXPECT_EQ(0, info.fault_deadline_ms);
	fault = wait_on(_metadata, self, 1);
	/* Longer than the default */
	vn_sleep_ms(11000);
	EXPECT_WAITING(self->device, 1);
	ipa = map_page(_metadata, &self->guest, PAGE_AT(1), VN_PROT_RW);
	ASSERT_OK(vn_respond(self->guest.fd, fault.cookie, RETRY));
	EXPECT_DONE(self->device, 1);
	EXPECT_TRUE(holds(self->guest.vm, ipa, 1, 0, SIZE));
}

/* Nobody has said anything: 10 s (include/linux/iommu-nested.h) */
TEST_F(policy, deadline_default)
{
	struct vfio_nested_info info;
	struct vfio_nested_fault fault;
	uint64_t begin, took;

	ASSERT_OK(vn_nested_info(self->device->fd, &info, NULL));
	EXPECT_EQ(self->settings.fault_deadline_ms, info.fault_deadline_ms);
	if (info.fault_deadline_ms != 10000)
		SKIP(return, "somebody has set another deadline: %u ms",
		     info.fault_deadline_ms);
	start(_metadata, self);
	begin = vn_now_ms();
	fault = wait_on(_metadata, self, 1);
	vn_sleep_ms(7000);
	EXPECT_WAITING(self->device, 1);
	EXPECT_ABORTED(&self->guest, self->device, 1);
	took = vn_now_ms() - begin;
	EXPECT_LE(10000, took);
	EXPECT_EQ(-ETIMEDOUT, vn_respond(self->guest.fd, fault.cookie, RETRY));
}

/* A setting is for the next binding. */
TEST_F(policy, deadline_of_this_binding)
{
	struct vfio_nested_fault fault;

	ASSERT_OK(set(self->device, "fault_deadline_ms", 0));
	start(_metadata, self);
	ASSERT_OK(set(self->device, "fault_deadline_ms", SHORT_MS));
	fault = wait_on(_metadata, self, 1);
	vn_sleep_ms(4 * SHORT_MS);
	EXPECT_WAITING(self->device, 1);
	EXPECT_OK(vn_respond(self->guest.fd, fault.cookie, ABORT));
	EXPECT_ABORTED(&self->guest, self->device, 1);
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	ASSERT_OK(vn_nested_bind(self->device->fd, self->guest.fd, STREAM));
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	wait_on(_metadata, self, 1);
	EXPECT_ABORTED(&self->guest, self->device, 1);
	EXPECT_STATS(self->guest.fd, faults_expired, 1);
}

/* A page request that nobody answers is told to be invalid. */
TEST_F(policy, deadline_of_page_requests)
{
	const struct vn_access access = {
		.op = VN_OP_PROBE, .flags = VN_ACCESS_ATS | VN_ACCESS_PRI,
		.iova = IOVA(0), .length = 4,
	};
	struct vfio_nested_fault fault;

	NEED_CAP(self->device, PRI);
	ASSERT_OK(set(self->device, "fault_deadline_ms", SHORT_MS));
	close(self->guest.fd);
	start_guest(_metadata, &self->guest, self->device, 0);
	self->guest.ats = true;
	ASSERT_OK(vn_device_enable_ats(self->device, true));
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	ASSERT_OK(vn_device_enable_pri(self->device, 8));
	ASSERT_OK(vn_testdev_start(self->device, 1, &access));
	fault = next_fault(_metadata, &self->guest,
			   VFIO_NESTED_FAULT_PAGE_REQUEST);
	EXPECT_FAILED(self->device, 1, VN_ERROR_PAGE_INVALID);
	EXPECT_EQ(-ETIMEDOUT, vn_respond(self->guest.fd, fault.cookie, RETRY));
	EXPECT_STATS(self->guest.fd, faults_expired, 1);
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_BAD_RESPONSES));
}

/* --- How many -------------------------------------------------------------------------- */

TEST_F(policy, quota)
{
	struct vn_access access = {
		.op = VN_OP_WRITE, .iova = PAGE_AT(8), .length = SIZE,
		.buffer = BUFFER_OF(3),
	};
	struct vfio_nested_fault faults[3], fault;
	struct vfio_nested_info info;
	unsigned int i;

	ASSERT_OK(set(self->device, "fault_quota", 3));
	start(_metadata, self);
	access.flags = waiting_flags(&self->guest);
	ASSERT_OK(vn_nested_info(self->device->fd, &info, NULL));
	EXPECT_EQ(3, info.fault_quota);
	for (i = 0; i < 3; i++)
		faults[i] = wait_on(_metadata, self, i);

	/* One more is aborted at once, and counted; its guest is not asked. */
	ASSERT_OK(vn_testdev_start(self->device, 3, &access));
	EXPECT_ABORTED(&self->guest, self->device, 3);
	EXPECT_STATS(self->guest.fd, faults_refused, 1);
	EXPECT_EQ(0, vn_ring_drain(&self->guest.ring, SOON_MS));
	for (i = 0; i < 3; i++)
		EXPECT_WAITING(self->device, i);

	/* An answer makes room. */
	ASSERT_OK(vn_respond(self->guest.fd, faults[0].cookie, ABORT));
	EXPECT_ABORTED(&self->guest, self->device, 0);
	ASSERT_OK(vn_testdev_start(self->device, 3, &access));
	fault = next_waiting(_metadata, &self->guest);
	EXPECT_EQ(access.iova, fault.address);
	EXPECT_STATS(self->guest.fd, faults, 5);
	EXPECT_STATS(self->guest.fd, faults_pending, 3);
}

TEST_F(policy, quota_of_page_requests)
{
	struct vn_access access = {
		.op = VN_OP_PROBE, .flags = VN_ACCESS_ATS | VN_ACCESS_PRI,
		.length = 4,
	};
	struct vfio_nested_fault faults[2];
	unsigned int i;

	NEED_CAP(self->device, PRI);
	ASSERT_OK(set(self->device, "fault_quota", 2));
	close(self->guest.fd);
	start_guest(_metadata, &self->guest, self->device, 0);
	self->guest.ats = true;
	ASSERT_OK(vn_device_enable_ats(self->device, true));
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	ASSERT_OK(vn_device_enable_pri(self->device, 32));
	for (i = 0; i < 3; i++) {
		access.iova = PAGE_AT(i);
		ASSERT_OK(vn_testdev_start(self->device, i, &access));
		if (i < 2)
			faults[i] = next_fault(_metadata, &self->guest,
					       VFIO_NESTED_FAULT_PAGE_REQUEST);
	}
	EXPECT_FAILED(self->device, 2, VN_ERROR_PAGE_INVALID);
	EXPECT_STATS(self->guest.fd, faults_refused, 1);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(VN_CHANNEL_WAITING,
			  vn_testdev_status(self->device, i).state);
		ASSERT_OK(vn_respond(self->guest.fd, faults[i].cookie, ABORT));
		EXPECT_FAILED(self->device, i, VN_ERROR_PAGE_INVALID);
	}
	EXPECT_STATS(self->guest.fd, faults, 3);
}

/* --- What can be set ---------------------------------------------------------------------- */

TEST_F(policy, values_that_are_refused)
{
	static const struct {
		const char *what;
		const char *text;
	} bad[] = {
		{ "may_stall", "2" }, { "may_stall", "-1" }, { "may_stall", "x" },
		{ "fault_quota", "1025" }, { "fault_quota", "-1" },
		{ "fault_quota", "4294967297" }, { "fault_quota", "many" },
		{ "fault_deadline_ms", "3600001" }, { "fault_deadline_ms", "-1" },
		{ "fault_deadline_ms", "4294967296" },
		{ "fault_deadline_ms", "1s" },
	};
	struct settings before, after;
	unsigned int i;

	ASSERT_OK(read_settings(self->device, &before));
	for (i = 0; i < VN_ARRAY_SIZE(bad); i++) {
		EXPECT_GT(0, vn_pci_policy(self->device->pci.name, bad[i].what,
					   bad[i].text))
			TH_LOG("%s: '%s'", bad[i].what, bad[i].text);
	}
	ASSERT_OK(read_settings(self->device, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	EXPECT_OK(set(self->device, "fault_quota", 1024));
	EXPECT_OK(set(self->device, "fault_quota", 0));
	EXPECT_OK(set(self->device, "fault_deadline_ms", 3600000));
}

/* --- Floods --------------------------------------------------------------------------------- */

/* What a device may cause at once, and in each second after that */
#define FLOOD_BURST	4096
#define FLOOD_RATE	2048
#define FLOOD_MS	20000

static void stop_neighbour(struct __test_metadata *_metadata,
			   struct vn_guest *guest, struct vn_device *device)
{
	expect_balance(_metadata, guest->fd);
	EXPECT_OK(vn_nested_unbind(device->fd));
	vn_guest_close(guest);
}

/* Stalls over the quota, again and again: it is stopped, and others are not. */
TEST_F_TIMEOUT(policy, flood_and_recovery, SLOW)
{
	struct vn_device *other = NEED_DEVICE(2);
	uint64_t end = vn_now_ms() + FLOOD_MS;
	struct vfio_nested_fault fault;
	struct vfio_nested_stats stats;
	struct vn_access access = {
		.op = VN_OP_PROBE, .length = VN_TESTDEV_OUTSTANDING,
		.flags = VN_ACCESS_STALL | VN_ACCESS_FLOOD,
		.outstanding = VN_TESTDEV_OUTSTANDING,
	};
	struct vn_guest good;
	uint64_t ipa, quiet;
	unsigned int i, rounds = 0, throttled = 0;

	NEED_CAP(self->device, STALL);
	ASSERT_OK(set(self->device, "fault_quota", 1));
	start(_metadata, self);
	start_stalls(_metadata, &good, other, OTHER_STREAM, RING, 0);
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++) {
		access.iova = PAGE_AT(i);
		ASSERT_OK(vn_testdev_start(self->device, i, &access));
	}
	ipa = vn_guest_page(&good);
	do {
		/* The other guest's faults come, and are answered. */
		vn_s1_unmap(&good.s1, IOVA(0));
		ASSERT_OK(vn_guest_forget(&good));
		vn_poison(good.vm, ipa);
		start_write(_metadata, other, 1, IOVA(0), SIZE, VN_NO_PASID);
		fault = next_fault(_metadata, &good, VFIO_NESTED_FAULT_STALL);
		EXPECT_EQ(OTHER_STREAM, fault.virtual_id);
		ASSERT_OK(vn_s1_map_at(&good.s1, IOVA(0), ipa, VN_PROT_RW,
				       VN_S1_LAST_LEVEL));
		ASSERT_OK(vn_respond(good.fd, fault.cookie, RETRY));
		EXPECT_DONE(other, 1);
		EXPECT_TRUE(holds(good.vm, ipa, 1, 0, SIZE));
		rounds++;
		while (vn_ring_get(&self->guest.ring, &fault))
			throttled += !!(fault.flags & VFIO_NESTED_FAULT_THROTTLED);
		ASSERT_OK(vn_nested_stats(self->guest.fd, &stats));
	} while (!stats.events_throttled && vn_now_ms() < end);
	TH_LOG("%u rounds, %llu refused", rounds,
	       (unsigned long long)stats.faults_refused);
	if (!stats.events_throttled &&
	    stats.faults_refused < FLOOD_BURST + FLOOD_RATE * FLOOD_MS / 1000) {
		stop_neighbour(_metadata, &good, other);
		SKIP(return, "no flood: this kernel is slower than %u faults/s",
		     FLOOD_RATE);
	}
	EXPECT_EQ(1, stats.events_throttled);

	/* Quiet until there is a new context, also for its counters */
	do {
		quiet = stats.faults;
		vn_sleep_ms(200);
		ASSERT_OK(vn_nested_stats(self->guest.fd, &stats));
	} while (stats.faults != quiet && vn_now_ms() < end + FLOOD_MS);
	vn_sleep_ms(200);
	ASSERT_OK(vn_nested_stats(self->guest.fd, &stats));
	EXPECT_EQ(quiet, stats.faults);
	while (vn_ring_get(&self->guest.ring, &fault)) {
		throttled += !!(fault.flags & VFIO_NESTED_FAULT_THROTTLED);
		if (fault.cookie)
			vn_respond(self->guest.fd, fault.cookie, ABORT);
	}
	EXPECT_EQ(1, throttled);
	ASSERT_OK(vn_nested_stats(good.fd, &stats));
	EXPECT_EQ(0, stats.events_throttled);
	EXPECT_EQ(0, stats.faults_refused);
	EXPECT_EQ(rounds, stats.faults_answered);

	ASSERT_OK(vn_testdev_quiet(self->device));
	vn_nested_command(self->guest.fd, vn_cmd_stall_term(STREAM));
	EXPECT_STATS(self->guest.fd, faults_pending, 0);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	vn_ring_drain(&self->guest.ring, SOON_MS);
	fault = wait_on(_metadata, self, 1);
	ipa = map_page(_metadata, &self->guest, PAGE_AT(1), VN_PROT_RW);
	ASSERT_OK(vn_respond(self->guest.fd, fault.cookie, RETRY));
	EXPECT_DONE(self->device, 1);
	EXPECT_TRUE(holds(self->guest.vm, ipa, 1, 0, SIZE));

	stop_neighbour(_metadata, &good, other);
}

/* --- A fair share of what the SMMU can stall ------------------------------------------------- */

/*
 * One machine alone may have all of it; as soon as another one stalls too, who has
 * more than a fair share gets no more, and the other one is served.
 */
TEST_F_TIMEOUT(policy, fair_share, SLOW)
{
	struct vn_device *other = NEED_DEVICE(2);
	const unsigned int pieces = 16;
	struct vfio_nested_stats stats;
	struct vfio_nested_fault fault;
	struct vn_access access = {
		.op = VN_OP_PROBE, .flags = VN_ACCESS_STALL,
		.length = pieces, .outstanding = pieces,
	};
	struct vn_guest good;
	unsigned int i, served = 0;
	uint64_t ipa;

	NEED_CAP(self->device, STALL);
	start(_metadata, self);
	start_stalls(_metadata, &good, other, OTHER_STREAM, RING, 0);
	/* All that there is, and more: the hardware holds the rest itself. */
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++) {
		access.iova = PAGE_AT(i);
		ASSERT_OK(vn_testdev_start(self->device, i, &access));
	}
	vn_sleep_ms(SOON_MS);
	ipa = map_page(_metadata, &good, IOVA(0), VN_PROT_RW);
	for (i = 0; i < 20; i++) {
		vn_s1_unmap(&good.s1, IOVA(0));
		ASSERT_OK(vn_guest_forget(&good));
		vn_poison(good.vm, ipa);
		start_write(_metadata, other, 1, IOVA(0), SIZE, VN_NO_PASID);
		fault = next_fault(_metadata, &good, VFIO_NESTED_FAULT_STALL);
		ASSERT_OK(vn_s1_map_at(&good.s1, IOVA(0), ipa, VN_PROT_RW,
				       VN_S1_LAST_LEVEL));
		ASSERT_OK(vn_respond(good.fd, fault.cookie, RETRY));
		EXPECT_DONE(other, 1);
		served += holds(good.vm, ipa, 1, 0, SIZE);
	}
	EXPECT_EQ(20, served);
	stats = expect_balance(_metadata, good.fd);
	EXPECT_EQ(0, stats.faults_refused);
	stats = expect_balance(_metadata, self->guest.fd);
	EXPECT_NE(0, stats.faults_refused);
	EXPECT_NE(0, stats.faults_pending);
	stop_neighbour(_metadata, &good, other);
}

TEST_MAIN_WITH_DEVICES(wants)
