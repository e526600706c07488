// SPDX-License-Identifier: GPL-2.0
/*
 * Faults, answers and everything that ends faults, at once: threads make a device
 * stall and ask for pages, answer in all ways, rightly or not, bind, unbind, reset,
 * stop, save, set contexts, close, without any order. Whatever comes of a single call
 * must be something that the uAPI documents; afterwards the counters must fit and a
 * fault must be served as if nothing had been. Lock order, life times and leaks are for
 * the kernel's own checkers, which a laboratory kernel has on. How long a test takes:
 * see race.h.
 */
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#include "capability.h"
#include "fault.h"
#include "race.h"
#include "scene.h"
#include "test.h"

#define RESPONSES	16
/* Faults that were seen last */
#define SEEN		64

static char device_name[VN_PCI_NAME_LEN];

FIXTURE(race) {
	struct vn_scene scene;
	struct vn_response_ring responses;
	/* A second virtual IOMMU for the same device */
	int other_fd;
	/* The device may stall; it asks for pages in any case. */
	bool stalls;
	unsigned int deadline;
	struct vfio_nested_fault seen[SEEN];
	unsigned int nr_seen;
	struct vn_race race;
};

static FIXTURE_DATA(race) *self_of(struct vn_racer *thread)
{
	return thread->data;
}

/*
 * What can be wrong with a context: during a reset the kernel may have moved the
 * device away from its stage 2; it may be unbound while its memory is named.
 */
#define CONTEXT_ERRORS	-ENOENT, -ENODEV, -EINVAL

/* What can be wrong with an answer */
#define ANSWER_ERRORS	-ENOENT, -EALREADY, -ETIMEDOUT, -ECANCELED, -ESTALE,	\
			-EBUSY, -EINVAL, -ENODEV

/* --- The device, and its guest's right answers ---------------------------- */

/*
 * Only one thread uses the channels. Even ones stall, odd ones ask for pages; all of
 * them do where there are no stalls.
 */
static void access_step(struct vn_racer *thread)
{
	struct vn_scene *scene = &self_of(thread)->scene;
	unsigned int i = vn_choose(thread, VN_TESTDEV_CHANNELS);
	struct vn_channel_status status = vn_testdev_status(&scene->device, i);
	const struct vn_access access = {
		.op = VN_OP_WRITE,
		.flags = i % 2 || !self_of(thread)->stalls ?
			 VN_ACCESS_ATS | VN_ACCESS_PRI : VN_ACCESS_STALL,
		.iova = VN_SCENE_IOVA(i),
		.length = sizeof(uint32_t) << vn_choose(thread, 4),
		.pasid = VN_PASID(VN_SCENE_PASID),
		.outstanding = 1 << vn_choose(thread, 3),
	};

	if (status.error == VN_ERROR_DISABLED || vn_choose(thread, 200) == 0)
		vn_scene_enable(scene);
	if (status.state == VN_CHANNEL_STALLED ||
	    status.state == VN_CHANNEL_WAITING) {
		/* What an unbind has switched off does not come back by itself. */
		if (vn_choose(thread, 100) == 0)
			vn_testdev_stop(&scene->device, i);
		return;
	}
	if (vn_choose(thread, 4) == 0)
		vn_scene_unmap(scene, i);
	vn_testdev_start(&scene->device, i, &access);
	vn_race_count(thread, 1);
}

/* Only one thread reads the ring. */
static void read_step(struct vn_racer *thread)
{
	FIXTURE_DATA(race) *self = thread->data;
	struct pollfd readable = { .fd = self->scene.guest.fd, .events = POLLIN };
	struct vfio_nested_fault fault;
	unsigned int at;

	poll(&readable, 1, 1);
	while (vn_ring_get(&self->scene.guest.ring, &fault)) {
		if (!fault.cookie)
			continue;
		at = __atomic_fetch_add(&self->nr_seen, 1, __ATOMIC_RELAXED);
		self->seen[at % SEEN] = fault;
		vn_scene_map(&self->scene, (fault.address - VN_SCENE_IOVA(0)) >> 16 &
					   (VN_TESTDEV_CHANNELS - 1));
		if (vn_choose(thread, 2))
			EXPECTED(thread, vn_respond(self->scene.guest.fd,
						    fault.cookie,
						    VFIO_NESTED_RESPONSE_RETRY),
				 ANSWER_ERRORS);
	}
}

/* --- Answers -------------------------------------------------------------- */

static struct vfio_nested_fault some_fault(struct vn_racer *thread)
{
	return self_of(thread)->seen[vn_choose(thread, SEEN)];
}

static void answer_step(struct vn_racer *thread)
{
	FIXTURE_DATA(race) *self = thread->data;
	struct vfio_nested_response list[4];
	uint32_t num = vn_choose(thread, VN_ARRAY_SIZE(list) + 1);
	uint32_t i;

	for (i = 0; i < num; i++)
		list[i] = (struct vfio_nested_response) {
			.cookie = some_fault(thread).cookie,
			.code = vn_choose(thread, 20) ? 1 + vn_choose(thread, 2) :
						     vn_choose(thread, 6),
		};
	EXPECTED(thread, vn_nested_respond(vn_choose(thread, 8) ? self->scene.guest.fd :
					   self->other_fd, list, &num),
		 ANSWER_ERRORS);
}

/* Only one thread writes the response ring. */
static void kick_step(struct vn_racer *thread)
{
	FIXTURE_DATA(race) *self = thread->data;
	unsigned int num = vn_choose(thread, RESPONSES);
	uint32_t taken;

	while (num-- && vn_response_ring_put(&self->responses,
					     some_fault(thread).cookie,
					     1 + vn_choose(thread, 3)))
		;
	EXPECTED(thread, vn_nested_kick(self->scene.guest.fd, &taken, NULL));
}

static void native_step(struct vn_racer *thread)
{
	struct vfio_nested_fault fault = some_fault(thread);
	struct vn_guest *guest = &self_of(thread)->scene.guest;

	if (self_of(thread)->stalls && vn_choose(thread, 20) == 0)
		EXPECTED(thread, vn_nested_command(guest->fd,
						   vn_cmd_stall_term(VN_SCENE_STREAM)),
			 ANSWER_ERRORS);
	else
		EXPECTED(thread, vn_guest_answer(guest, &fault,
						 1 + vn_choose(thread, 3)),
			 ANSWER_ERRORS);
	vn_sleep_ms(vn_choose(thread, 2));
}

/* --- What ends faults ----------------------------------------------------- */

static void bind_step(struct vn_racer *thread)
{
	FIXTURE_DATA(race) *self = thread->data;
	struct vn_scene *scene = &self->scene;

	if (vn_choose(thread, 8) == 0)
		EXPECTED(thread, vn_nested_bind(scene->device.fd, self->other_fd,
						VN_SCENE_STREAM), -EBUSY, -EEXIST);
	else if (!EXPECTED(thread, vn_nested_bind(scene->device.fd, scene->guest.fd,
						  VN_SCENE_STREAM),
			   -EBUSY, -EEXIST))
		EXPECTED(thread, vn_guest_translate(&scene->guest, VN_SCENE_STREAM),
			 CONTEXT_ERRORS);
	vn_sleep_ms(vn_choose(thread, 3));
}

static void unbind_step(struct vn_racer *thread)
{
	vn_sleep_ms(vn_choose(thread, 30));
	EXPECTED(thread, vn_nested_unbind(self_of(thread)->scene.device.fd),
		 -ENOENT, -EBUSY);
}

static void context_step(struct vn_racer *thread)
{
	struct vn_guest *guest = &self_of(thread)->scene.guest;

	if (vn_choose(thread, 3) == 0)
		EXPECTED(thread, vn_nested_set_context(guest->fd, VN_SCENE_STREAM,
						       vn_choose(thread, 3)),
			 CONTEXT_ERRORS);
	EXPECTED(thread, vn_guest_translate(guest, VN_SCENE_STREAM), CONTEXT_ERRORS);
	vn_sleep_ms(vn_choose(thread, 3));
}

static void reset_step(struct vn_racer *thread)
{
	static const enum vn_reset ways[] = {
		VN_RESET_VFIO, VN_RESET_FUNCTION, VN_RESET_HOT, VN_RESET_SYSFS,
	};

	EXPECTED(thread, vn_device_reset(&self_of(thread)->scene.device,
					 ways[vn_choose(thread, VN_ARRAY_SIZE(ways))]),
		 -EAGAIN, -EOPNOTSUPP);
	/* A device that is always in reset has no faults. */
	vn_sleep_ms(vn_choose(thread, 200));
}

static void run_step(struct vn_racer *thread)
{
	int fd = self_of(thread)->scene.guest.fd;

	EXPECTED(thread, vn_nested_set_run(fd, VN_SCENE_STREAM, VFIO_NESTED_STOP),
		 -ENOENT);
	vn_sleep_ms(vn_choose(thread, 5));
	EXPECTED(thread, vn_nested_set_run(fd, VN_SCENE_STREAM, VFIO_NESTED_RUN),
		 -ENOENT);
	vn_sleep_ms(vn_choose(thread, 10));
}

static void save_step(struct vn_racer *thread)
{
	uint64_t data[2048];
	uint32_t len = vn_choose(thread, 4) ? sizeof(data) : 128;
	int fd = self_of(thread)->scene.guest.fd;

	if (!EXPECTED(thread, vn_nested_save(fd, VN_SCENE_STREAM, data, &len),
		      -ENOENT, -EBUSY, -ENOSPC) && vn_choose(thread, 2))
		EXPECTED(thread, vn_nested_restore(fd, VN_SCENE_STREAM, data, len),
			 -ENOENT, -EBUSY, -ENOSPC);
}

/* The guest's driver switches page requests off and on. */
static void request_step(struct vn_racer *thread)
{
	struct vn_device *device = &self_of(thread)->scene.device;

	vn_device_enable_pri(device, vn_choose(thread, 3) ? VN_SCENE_CREDITS : 0);
	vn_sleep_ms(vn_choose(thread, 10));
}

static void query_step(struct vn_racer *thread)
{
	FIXTURE_DATA(race) *self = thread->data;
	struct vfio_nested_stats stats;
	struct vfio_nested_info info;

	EXPECTED(thread, vn_nested_stats(self->scene.guest.fd, &stats));
	EXPECTED(thread, vn_nested_info(self->scene.guest.fd, &info, NULL));
	EXPECTED(thread, vn_nested_info(self->scene.device.fd, &info, NULL));
	vn_sleep_ms(1);
}

/* A virtual IOMMU that is closed with whatever is in it */
static void life_step(struct vn_racer *thread)
{
	struct vn_scene *scene = &self_of(thread)->scene;
	struct vn_response_ring responses = {};
	struct vn_ring ring = {};
	struct vfio_nested_fault fault;
	int fd = vn_nested_open();

	if (EXPECTED(thread, fd < 0 ? fd : 0))
		return;
	vn_nested_unbind(scene->device.fd);
	EXPECTED(thread, vn_nested_bind(scene->device.fd, fd, VN_SCENE_STREAM),
		 -EBUSY);
	EXPECTED(thread, vn_ring_open(&ring, fd, 8, -1));
	EXPECTED(thread, vn_response_ring_open(&responses, fd, 8));
	if (ring.map) {
		EXPECTED(thread, vn_guest_translate_by(&scene->guest, fd,
						       VN_SCENE_STREAM),
			 CONTEXT_ERRORS);
		if (vn_ring_wait(&ring, &fault, vn_choose(thread, 10)) && fault.cookie)
			EXPECTED(thread, vn_respond(fd, fault.cookie,
						    1 + vn_choose(thread, 2)),
				 ANSWER_ERRORS);
	}
	/* Else it stays bound to what is closed, and nobody can have it before the next life. */
	if (vn_choose(thread, 2))
		vn_nested_unbind(scene->device.fd);
	vn_response_ring_close(&responses);
	vn_ring_close(&ring);
	close(fd);
	vn_sleep_ms(vn_choose(thread, 5));
}

/* --- Races ---------------------------------------------------------------- */

static void race(struct __test_metadata *_metadata, FIXTURE_DATA(race) *self,
		 const vn_step *steps, unsigned int num)
{
	unsigned int round;

	/* Where a device is never bound for long a fault may take its time. */
	for (round = 0; round < 5 && (!round || !self->nr_seen); round++)
		EXPECT_OK(vn_race_run(&self->race, self, steps, num));
	TH_LOG("%lu calls, %u faults seen", self->race.calls, self->nr_seen);
	EXPECT_LT(0, self->nr_seen);
}

static int set_deadline(unsigned int ms)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", ms);
	return vn_pci_policy(device_name, "fault_deadline_ms", text);
}

FIXTURE_SETUP(race)
{
	int ret;

	self->other_fd = -1;
	vn_scene_init(&self->scene, device_name, VFIO_NESTED_FAULT_PAGE_REQUEST);
	vn_pci_policy_value(device_name, "fault_deadline_ms", &self->deadline);
	ASSERT_OK(set_deadline(20));
	ret = vn_scene_open(&self->scene, -1, RING);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "%s", vn_reason());
	ASSERT_EQ(0, ret) TH_LOG("%s", vn_reason());
	self->stalls = self->scene.guest.info.caps & VFIO_NESTED_CAP_STALL;
	ASSERT_OK(vn_response_ring_open(&self->responses, self->scene.guest.fd,
					RESPONSES));
	self->other_fd = vn_nested_open();
	ASSERT_LE(0, self->other_fd);
}

static void expect_over(struct __test_metadata *_metadata, int fd)
{
	struct vfio_nested_stats stats;

	EXPECT_OK(vn_faults_balance(fd, &stats));
	EXPECT_EQ(0, stats.bindings);
	EXPECT_EQ(0, stats.faults_pending);
	EXPECT_GE(stats.faults, stats.faults_delivered);
	EXPECT_GE(stats.faults_delivered, stats.faults_answered);
}

FIXTURE_TEARDOWN(race)
{
	struct vn_scene *scene = &self->scene;
	unsigned int i;

	if (self->other_fd < 0)
		goto out;
	/* As if nothing had been */
	vn_nested_unbind(scene->device.fd);
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++)
		vn_testdev_stop(&scene->device, i);
	EXPECT_EQ(0, vn_testdev_count(&scene->device, VN_COUNT_BAD_RESPONSES));
	expect_over(_metadata, scene->guest.fd);
	expect_over(_metadata, self->other_fd);
	EXPECT_OK(vn_device_reset(&scene->device, VN_RESET_VFIO));
	EXPECT_OK(vn_nested_bind(scene->device.fd, scene->guest.fd,
				 VN_SCENE_STREAM));
	EXPECT_OK(vn_guest_translate(&scene->guest, VN_SCENE_STREAM));
	EXPECT_OK(vn_scene_enable(scene));
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++)
		EXPECT_OK(vn_scene_unmap(scene, i));
	vn_ring_drain(&scene->guest.ring, 0);
	vn_nested_kick(scene->guest.fd, NULL, NULL);
	vn_ring_drain(&scene->guest.ring, 0);
	/* The deadline is short, and what else runs here is not. */
	EXPECT_OK(vn_nested_unbind(scene->device.fd));
	EXPECT_OK(set_deadline(self->deadline));
	EXPECT_OK(vn_nested_bind(scene->device.fd, scene->guest.fd,
				 VN_SCENE_STREAM));
	EXPECT_OK(vn_guest_translate(&scene->guest, VN_SCENE_STREAM));
	EXPECT_OK(vn_scene_serve(scene, 1));
	if (self->stalls)
		scene->kind = VFIO_NESTED_FAULT_STALL;
	EXPECT_OK(vn_scene_serve(scene, 2));
	close(self->other_fd);
out:
	set_deadline(self->deadline);
	vn_response_ring_close(&self->responses);
	vn_scene_close(scene);
}

TEST_F_TIMEOUT(race, answers_and_deadlines, SLOW)
{
	static const vn_step steps[] = {
		access_step, read_step, answer_step, answer_step, kick_step,
		native_step, query_step,
	};

	race(_metadata, self, steps, VN_ARRAY_SIZE(steps));
}

TEST_F_TIMEOUT(race, bindings_and_contexts, SLOW)
{
	static const vn_step steps[] = {
		access_step, read_step, answer_step, kick_step, native_step,
		bind_step, bind_step, unbind_step, context_step, query_step,
	};

	race(_metadata, self, steps, VN_ARRAY_SIZE(steps));
}

TEST_F_TIMEOUT(race, resets, SLOW)
{
	static const vn_step steps[] = {
		access_step, read_step, answer_step, kick_step, native_step,
		reset_step, reset_step, bind_step, unbind_step, context_step,
	};

	race(_metadata, self, steps, VN_ARRAY_SIZE(steps));
}

TEST_F_TIMEOUT(race, stopped_and_saved, SLOW)
{
	static const vn_step steps[] = {
		access_step, read_step, answer_step, kick_step, native_step,
		run_step, run_step, save_step, bind_step, unbind_step, request_step,
		reset_step,
	};

	race(_metadata, self, steps, VN_ARRAY_SIZE(steps));
}

TEST_F_TIMEOUT(race, lives, SLOW)
{
	static const vn_step steps[] = {
		access_step, read_step, answer_step, life_step, life_step,
		bind_step, context_step, reset_step, request_step,
	};

	race(_metadata, self, steps, VN_ARRAY_SIZE(steps));
}

/* Commands that turn out to be nothing for the hardware, beside others that are */
static void stall_term_step(struct vn_racer *thread)
{
	EXPECTED(thread, vn_nested_command(self_of(thread)->scene.guest.fd,
					   vn_cmd_stall_term(VN_SCENE_STREAM)));
}

static void tlbi_step(struct vn_racer *thread)
{
	EXPECTED(thread, vn_nested_command(self_of(thread)->scene.guest.fd,
					   vn_cmd_tlbi(VN_CMD_TLBI_NH_ALL, 0, 0)));
}

TEST_F_TIMEOUT(race, nothing_to_terminate, SLOW)
{
	static const vn_step steps[] = { stall_term_step, tlbi_step, tlbi_step };

	if (!self->stalls)
		SKIP(return, "nothing stalls here");
	EXPECT_OK(vn_race_run(&self->race, self, steps, VN_ARRAY_SIZE(steps)));
}

/* --- A deadline, and a VMM that does all to be in its way ------------------ */

#define DEADLINE_MS	100
/* Late on a busy machine, but not when the VMM likes it to be */
#define LATE_MS		VN_TIMEOUT_MS

static void set_context_step(struct vn_racer *thread)
{
	EXPECTED(thread, vn_guest_translate(&self_of(thread)->scene.guest,
					    VN_SCENE_STREAM));
}

static void deadline(struct __test_metadata *_metadata, FIXTURE_DATA(race) *self,
		     enum vfio_nested_fault_kind kind,
		     const vn_step *steps, unsigned int num)
{
	struct vn_scene *scene = &self->scene;
	struct vfio_nested_fault fault;
	struct vfio_nested_stats stats;
	uint64_t raised, end;

	/* What is set is in force from the next binding on. */
	ASSERT_OK(vn_nested_unbind(scene->device.fd));
	ASSERT_OK(set_deadline(DEADLINE_MS));
	ASSERT_OK(vn_nested_bind(scene->device.fd, scene->guest.fd,
				 VN_SCENE_STREAM));
	ASSERT_OK(vn_guest_translate(&scene->guest, VN_SCENE_STREAM));
	ASSERT_OK(vn_scene_enable(scene));
	scene->kind = kind;
	/* While a context is replaced VT-d refuses accesses: so this one is first. */
	ASSERT_OK(vn_scene_raise(scene, 0, &fault));
	ASSERT_OK(vn_race_start(&self->race, self, steps, num));
	raised = fault.timestamp / 1000000;
	end = vn_now_ms() + LATE_MS;
	do {
		EXPECT_OK(vn_nested_stats(scene->guest.fd, &stats));
		vn_sleep_ms(1);
	} while (!stats.faults_expired && vn_now_ms() < end);
	end = vn_now_ms();
	EXPECT_OK(vn_race_stop(&self->race));
	TH_LOG("expired after %" PRIu64 " ms, beside %lu calls", end - raised,
	       self->race.calls);
	EXPECT_EQ(1, stats.faults_expired);
	EXPECT_LE(DEADLINE_MS, end - raised + 1);
	EXPECT_LT(0, self->race.calls);
	EXPECT_EQ(-ETIMEDOUT, vn_respond(scene->guest.fd, fault.cookie,
					 VFIO_NESTED_RESPONSE_RETRY));
	EXPECT_OK(vn_scene_failed(scene, 0));
}

static const vn_step busy_steps[] = {
	set_context_step, set_context_step, set_context_step, set_context_step,
	set_context_step, set_context_step, set_context_step, set_context_step,
	set_context_step, set_context_step, set_context_step, set_context_step,
};

TEST_F_TIMEOUT(race, deadline_of_a_stall_holds, SLOW)
{
	if (!self->stalls)
		SKIP(return, "%s may not stall", device_name);
	deadline(_metadata, self, VFIO_NESTED_FAULT_STALL, busy_steps,
		 VN_ARRAY_SIZE(busy_steps));
}

TEST_F_TIMEOUT(race, deadline_of_a_request_holds, SLOW)
{
	deadline(_metadata, self, VFIO_NESTED_FAULT_PAGE_REQUEST, busy_steps,
		 VN_ARRAY_SIZE(busy_steps));
}

int main(int argc, char **argv)
{
	struct vn_want want = { .engine = VN_TESTDEV };

	if (vn_session_pick(&want, NULL, 0, device_name)) {
		ksft_print_header();
		ksft_exit_skip("%s\n", vn_reason());
	}
	return test_harness_run(argc, argv);
}
