// SPDX-License-Identifier: GPL-2.0
/*
 * More faults than there is room for, and neighbours: what the hardware or a queue
 * cannot take waits or is accounted for, and who floods, or does not read, or does not
 * answer, is the only one that is worse off.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault.h"
#include "scene.h"
#include "test.h"

#define SCENES		3
/* What a guest may notice of bad neighbours, in milliseconds for one fault */
#define SLOWEST_MS	2000
#define DEADLINE_MS	300
#define LONG_ENOUGH_MS	2500
/*
 * Accesses of each channel of a device that floods. All channels have more of them
 * together than the SMMU can stall.
 */
#define FLOOD_PIECES	8

static char names[SCENES][VN_PCI_NAME_LEN];
static unsigned int nr_names;

FIXTURE(load) {
	struct vn_scene scenes[SCENES];
	unsigned int deadlines[SCENES];
};

FIXTURE_SETUP(load)
{
	unsigned int i;

	for (i = 0; i < SCENES; i++) {
		vn_scene_init(&self->scenes[i], names[i], VFIO_NESTED_FAULT_STALL);
		if (i < nr_names)
			vn_pci_policy_value(names[i], "fault_deadline_ms",
					    &self->deadlines[i]);
	}
}

static int set_deadline(const char *name, unsigned int ms)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", ms);
	return vn_pci_policy(name, "fault_deadline_ms", text);
}

FIXTURE_TEARDOWN(load)
{
	struct vfio_nested_stats stats;
	unsigned int i;

	for (i = 0; i < SCENES; i++) {
		struct vn_scene *scene = &self->scenes[i];

		if (scene->device.fd >= 0 && scene->guest.fd >= 0) {
			EXPECT_OK(vn_nested_unbind(scene->device.fd));
			EXPECT_OK(vn_faults_balance(scene->guest.fd, &stats));
			EXPECT_EQ(0, stats.faults_pending);
		}
		vn_scene_close(scene);
		if (i < nr_names)
			set_deadline(names[i], self->deadlines[i]);
	}
}

/* Scene @i with faults of @kind, or the reason why not */
#define OPEN_SCENE(i, what, fd) do {					\
	int __ret;							\
									\
	if ((i) >= nr_names)						\
		SKIP(return, "needs %u devices that can wait", (i) + 1); \
	self->scenes[i].kind = what;					\
	__ret = vn_scene_open(&self->scenes[i], fd, RING);		\
	if (__ret == -EOPNOTSUPP)					\
		SKIP(return, "%s", vn_reason());			\
	ASSERT_EQ(0, __ret) TH_LOG("%s", vn_reason());			\
} while (0)

/* --- More stalls than the SMMU can hold ----------------------------------- */

#define PIECES		VN_TESTDEV_OUTSTANDING
#define PIECE_SIZE	1024
#define AREA_SIZE	(PIECES * PIECE_SIZE)
#define AREA_PAGES	(AREA_SIZE / VN_PAGE)
#define AREA_IOVA(n)	(0x50000000ULL + (n) * 0x100000ULL)
#define AREAS		2

static int start_pieces(struct vn_scene *scene, unsigned int n, uint32_t flags,
			unsigned int pieces)
{
	const struct vn_access access = {
		.op = VN_OP_WRITE,
		.flags = flags,
		.iova = AREA_IOVA(n),
		.length = pieces * PIECE_SIZE,
		.pasid = VN_PASID(VN_SCENE_PASID),
		.outstanding = pieces,
	};

	return vn_testdev_start(&scene->device, n, &access);
}

static int start_area(struct vn_scene *scene, unsigned int n, uint32_t flags)
{
	return start_pieces(scene, n, flags, PIECES);
}

static void fill_buffer(struct vn_scene *scene, uint8_t *data)
{
	unsigned int i;

	for (i = 0; i < AREA_SIZE; i++)
		data[i] = i ^ i >> 8;
	vn_testdev_buffer_write(&scene->device, 0, data, AREA_SIZE);
}

/* As many as the ID register says, and no more, however long one waits */
static void expect_full(struct __test_metadata *_metadata, struct vn_scene *scene,
			unsigned int max)
{
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;
	struct vfio_nested_stats stats;

	do {
		ASSERT_OK(vn_nested_stats(scene->guest.fd, &stats));
		vn_sleep_ms(1);
	} while (stats.faults_pending < max && vn_now_ms() < end);
	vn_sleep_ms(50);
	ASSERT_OK(vn_nested_stats(scene->guest.fd, &stats));
	EXPECT_EQ(max, stats.faults_pending);
	EXPECT_EQ(max, stats.faults);
}

/* Accesses of the areas that are not finished */
static unsigned int pending(struct vn_scene *scene)
{
	unsigned int i, sum = 0;

	for (i = 0; i < AREAS; i++)
		sum += vn_testdev_status(&scene->device, i).pending;
	return sum;
}

/* The last answer needs a moment as well: no fault comes after it. */
static bool wait_for_fault(struct vn_scene *scene, struct vfio_nested_fault *fault)
{
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;

	while (pending(scene) && vn_now_ms() < end)
		if (vn_ring_wait(&scene->guest.ring, fault, 1))
			return true;
	return false;
}

TEST_F_TIMEOUT(load, stall_max_is_reached, SLOW)
{
	struct vn_scene *scene = &self->scenes[0];
	static uint8_t data[AREA_SIZE];
	uint64_t pages[AREAS][AREA_PAGES];
	struct vfio_nested_fault fault;
	struct vfio_nested_stats stats;
	unsigned int max, i, j;

	OPEN_SCENE(0, VFIO_NESTED_FAULT_STALL, -1);
	max = vn_get_field(scene->guest.smmu.idr[5], 16, 16);
	if (max > AREAS * PIECES - AREA_PAGES)
		SKIP(return, "STALL_MAX is %u, more than the device has accesses", max);
	ASSERT_LT(0, max);
	fill_buffer(scene, data);
	for (i = 0; i < AREAS; i++) {
		for (j = 0; j < AREA_PAGES; j++) {
			pages[i][j] = vn_guest_page(&scene->guest);
			ASSERT_NE(0, pages[i][j]);
		}
		ASSERT_OK(start_area(scene, i, VN_ACCESS_STALL));
	}
	expect_full(_metadata, scene, max);

	/* Each answer makes room for another one. */
	while (pending(scene)) {
		unsigned int area, page;

		if (!wait_for_fault(scene, &fault)) {
			ASSERT_EQ(0, pending(scene)) TH_LOG("waiting for ever");
			break;
		}
		ASSERT_EQ(VFIO_NESTED_FAULT_STALL, fault.kind);
		area = fault.address >= AREA_IOVA(1);
		page = (fault.address - AREA_IOVA(area)) / VN_PAGE;
		ASSERT_LT(page, AREA_PAGES);
		ASSERT_OK(vn_s1_map_at(&scene->space.s1,
				       fault.address & ~(VN_PAGE - 1ULL),
				       pages[area][page], VN_PROT_RW,
				       VN_S1_LAST_LEVEL));
		ASSERT_OK(vn_respond(scene->guest.fd, fault.cookie,
				     VFIO_NESTED_RESPONSE_RETRY));
		ASSERT_OK(vn_nested_stats(scene->guest.fd, &stats));
		EXPECT_GE(max, stats.faults_pending);
	}
	for (i = 0; i < AREAS; i++) {
		EXPECT_EQ(VN_CHANNEL_OK, vn_testdev_status(&scene->device, i).state);
		for (j = 0; j < AREA_PAGES; j++)
			EXPECT_EQ(0, memcmp(vn_vm_va(&scene->vm, pages[i][j]),
					    data + j * VN_PAGE, VN_PAGE))
				TH_LOG("area %u, page %u", i, j);
	}
	ASSERT_OK(vn_nested_stats(scene->guest.fd, &stats));
	EXPECT_LT(max, stats.faults);
	EXPECT_EQ(stats.faults, stats.faults_answered);
	EXPECT_EQ(0, stats.faults_refused);
}

/* All of them are given up at once, and all places are free again. */
TEST_F(load, stall_max_is_reached_and_left)
{
	struct vn_scene *scene = &self->scenes[0];
	struct vfio_nested_stats stats;
	unsigned int max, i;

	OPEN_SCENE(0, VFIO_NESTED_FAULT_STALL, -1);
	max = vn_get_field(scene->guest.smmu.idr[5], 16, 16);
	if (max > AREAS * PIECES)
		SKIP(return, "STALL_MAX is %u, more than the device has accesses", max);
	for (i = 0; i < 3; i++) {
		ASSERT_OK(start_area(scene, 0, VN_ACCESS_STALL));
		ASSERT_OK(start_area(scene, 1, VN_ACCESS_STALL));
		expect_full(_metadata, scene, max);
		vn_scene_close(scene);
		OPEN_SCENE(0, VFIO_NESTED_FAULT_STALL, -1);
	}
	EXPECT_OK(vn_scene_serve(scene, 0));
	ASSERT_OK(vn_nested_stats(scene->guest.fd, &stats));
	EXPECT_EQ(1, stats.faults);
}

/* --- Queues that overflow ------------------------------------------------- */

/*
 * Accesses that do not wait fill the event queue, faster than anybody can read it. The
 * stalls of a neighbour are among the events, and none of them may be lost.
 */
TEST_F_TIMEOUT(load, event_queue_overflows, SLOW)
{
	struct vn_scene *bad = &self->scenes[0], *good = &self->scenes[1];
	struct vfio_nested_stats stats;
	unsigned int failed = 0, i, round;
	uint64_t reported = 0;

	OPEN_SCENE(0, VFIO_NESTED_FAULT_STALL, -1);
	OPEN_SCENE(1, VFIO_NESTED_FAULT_STALL, -1);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < VN_TESTDEV_CHANNELS; i++) {
			ASSERT_OK(vn_scene_start(good, i));
			ASSERT_OK(start_area(bad, i, 0));
		}
		for (i = 0; i < VN_TESTDEV_CHANNELS; i++) {
			struct vfio_nested_fault fault;
			unsigned int channel;

			ASSERT_OK(vn_testdev_wait(&bad->device, i, VN_TIMEOUT_MS,
						  NULL));
			failed += PIECES;
			ASSERT_EQ(1, vn_ring_wait(&good->guest.ring, &fault,
						  VN_TIMEOUT_MS))
				TH_LOG("stall %u of %u is lost", i,
				       VN_TESTDEV_CHANNELS);
			ASSERT_EQ(VFIO_NESTED_FAULT_STALL, fault.kind);
			channel = (fault.address - VN_SCENE_IOVA(0)) >> 16;
			ASSERT_OK(vn_scene_map(good, channel));
			ASSERT_OK(vn_respond(good->guest.fd, fault.cookie,
					     VFIO_NESTED_RESPONSE_RETRY));
			EXPECT_OK(vn_scene_landed(good, channel));
			ASSERT_OK(vn_scene_unmap(good, channel));
		}
		vn_ring_drain(&bad->guest.ring, 0);
		/* Its records may have been switched off. */
		ASSERT_OK(vn_guest_translate(&bad->guest, VN_SCENE_STREAM));
	}
	ASSERT_OK(vn_faults_balance(good->guest.fd, &stats));
	EXPECT_EQ(5 * VN_TESTDEV_CHANNELS, stats.faults);
	EXPECT_EQ(stats.faults, stats.faults_answered);
	EXPECT_EQ(0, stats.events);
	ASSERT_OK(vn_faults_balance(bad->guest.fd, &stats));
	reported = stats.events;
	EXPECT_GT(reported, 0);
	EXPECT_GE(failed, reported);
	/* The last of them may have come after the end. */
	vn_ring_drain(&bad->guest.ring, 0);
	EXPECT_OK(vn_scene_serve(bad, 0));
	if (reported == failed)
		SKIP(return, "all %u events had room in the queue of this SMMU", failed);
}

/* A function that asks for more than it may, so that requests are lost. */
TEST_F_TIMEOUT(load, page_request_queue_overflows, SLOW)
{
	struct vn_scene *bad = &self->scenes[0], *good = &self->scenes[1];
	struct vfio_nested_stats stats;
	struct vfio_nested_fault fault;
	unsigned int gaps = 0, round, i;
	uint64_t end;

	OPEN_SCENE(0, VFIO_NESTED_FAULT_PAGE_REQUEST, -1);
	OPEN_SCENE(1, VFIO_NESTED_FAULT_PAGE_REQUEST, -1);
	vn_testdev_misbehave(&bad->device, VN_BAD_PRI_CREDIT);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 4; i++)
			ASSERT_OK(start_area(bad, i, VN_ACCESS_ATS | VN_ACCESS_PRI));
		/* What is seen of it is refused; the neighbour is served meanwhile. */
		EXPECT_OK(vn_scene_serve(good, round));
		end = vn_now_ms() + 200;
		while (vn_now_ms() < end) {
			if (!vn_ring_wait(&bad->guest.ring, &fault, 1))
				continue;
			gaps += !!(fault.flags & VFIO_NESTED_FAULT_GAP);
			if (fault.cookie)
				vn_respond(bad->guest.fd, fault.cookie,
					   VFIO_NESTED_RESPONSE_ABORT);
		}
		for (i = 0; i < 4; i++)
			vn_testdev_stop(&bad->device, i);
		EXPECT_OK(vn_scene_serve(good, round));
		ASSERT_OK(vn_guest_translate(&bad->guest, VN_SCENE_STREAM));
		while (vn_ring_wait(&bad->guest.ring, &fault, 20))
			if (fault.cookie)
				vn_respond(bad->guest.fd, fault.cookie,
					   VFIO_NESTED_RESPONSE_ABORT);
	}
	ASSERT_OK(vn_nested_stats(good->guest.fd, &stats));
	EXPECT_EQ(10, stats.faults);
	EXPECT_EQ(10, stats.faults_answered);
	EXPECT_EQ(0, vn_testdev_count(&good->device, VN_COUNT_BAD_RESPONSES));
	EXPECT_EQ(0, vn_testdev_count(&bad->device, VN_COUNT_BAD_RESPONSES));

	/* After a reset it behaves, and is served as well. */
	ASSERT_OK(vn_device_reset(&bad->device, VN_RESET_VFIO));
	ASSERT_OK(vn_guest_translate(&bad->guest, VN_SCENE_STREAM));
	ASSERT_OK(vn_scene_enable(bad));
	vn_ring_drain(&bad->guest.ring, 0);
	EXPECT_OK(vn_scene_serve(bad, 0));
	if (!gaps)
		SKIP(return, "all requests had room in the queue of this SMMU");
}

/* --- Neighbours ----------------------------------------------------------- */

/* How many faults a guest gets done, and how long the worst of them takes. */
struct pace {
	unsigned int rounds;
	uint64_t slowest_ms;
};

static void measure(struct __test_metadata *_metadata, struct vn_scene *scene,
		    unsigned int ms, struct pace *pace)
{
	uint64_t end = vn_now_ms() + ms, start, took;

	memset(pace, 0, sizeof(*pace));
	do {
		start = vn_now_ms();
		ASSERT_OK(vn_scene_serve(scene, pace->rounds % VN_TESTDEV_CHANNELS));
		took = vn_now_ms() - start;
		if (took > pace->slowest_ms)
			pace->slowest_ms = took;
		pace->rounds++;
	} while (vn_now_ms() < end);
}

/* A VMM of its own: @run() on scene @i, whose nested fd the test has open as well. */
static pid_t fork_vmm(struct __test_metadata *_metadata, FIXTURE_DATA(load) *self,
		      unsigned int i, enum vfio_nested_fault_kind kind,
		      void (*run)(struct vn_scene *scene, int to), int *from)
{
	struct vn_scene *scene = &self->scenes[i];
	int ends[2];
	pid_t child;
	char ok = 1;

	scene->kind = kind;
	scene->guest.fd = vn_nested_open();
	ASSERT_LE(0, scene->guest.fd);
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(ends[0]);
		if (vn_scene_open(scene, scene->guest.fd, RING)) {
			fprintf(stderr, "# %s\n", vn_reason());
			_exit(1);
		}
		if (write(ends[1], &ok, 1) == 1)
			run(scene, ends[1]);
		_exit(1);
	}
	close(ends[1]);
	EXPECT_EQ(1, read(ends[0], &ok, 1));
	*from = ends[0];
	return child;
}

/* Has a fault on every channel, and says so; then it finds that all are over. */
static void sleep_on_faults(struct vn_scene *scene, int to)
{
	struct vfio_nested_fault faults[VN_TESTDEV_CHANNELS];
	unsigned int i;
	char ok = 1;

	for (i = 0; i < VN_TESTDEV_CHANNELS; i++)
		if (vn_scene_raise(scene, i, &faults[i]))
			goto failed;
	if (write(to, &ok, 1) != 1)
		_exit(1);
	/* It is stopped here, for longer than the deadline. */
	vn_sleep_ms(DEADLINE_MS * 2);
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++) {
		int ret = vn_respond(scene->guest.fd, faults[i].cookie,
				     VFIO_NESTED_RESPONSE_RETRY);

		if (ret != -ETIMEDOUT) {
			vn_fail(ret, "a late answer: %s", strerror(-ret));
			goto failed;
		}
		if (vn_scene_failed(scene, i))
			goto failed;
	}
	if (vn_scene_serve(scene, 0))
		goto failed;
	_exit(0);
failed:
	fprintf(stderr, "# %s\n", vn_reason());
	_exit(1);
}

static void suspended_reader(struct __test_metadata *_metadata,
			     FIXTURE_DATA(load) *self,
			     enum vfio_nested_fault_kind kind)
{
	struct vn_scene *asleep = &self->scenes[0], *awake = &self->scenes[1];
	struct vfio_nested_stats stats;
	struct pace pace;
	pid_t child;
	int status, from;
	char ok;

	OPEN_SCENE(1, kind, -1);
	ASSERT_OK(set_deadline(names[0], DEADLINE_MS));
	child = fork_vmm(_metadata, self, 0, kind, sleep_on_faults, &from);
	EXPECT_EQ(1, read(from, &ok, 1));
	close(from);
	kill(child, SIGSTOP);
	ASSERT_OK(vn_nested_stats(asleep->guest.fd, &stats));
	EXPECT_EQ(VN_TESTDEV_CHANNELS, stats.faults);

	measure(_metadata, awake, LONG_ENOUGH_MS, &pace);
	EXPECT_GT(SLOWEST_MS, pace.slowest_ms);
	EXPECT_LT(LONG_ENOUGH_MS / SLOWEST_MS + 5, pace.rounds);
	ASSERT_OK(vn_nested_stats(asleep->guest.fd, &stats));
	EXPECT_EQ(0, stats.faults_pending);
	EXPECT_EQ(VN_TESTDEV_CHANNELS, stats.faults_expired);

	kill(child, SIGCONT);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_OK(vn_faults_balance(asleep->guest.fd, &stats));
	EXPECT_EQ(1, stats.faults_answered);
	EXPECT_EQ(VN_TESTDEV_CHANNELS, stats.responses_refused);
}

TEST_F_TIMEOUT(load, reader_is_suspended_with_stalls, SLOW)
{
	suspended_reader(_metadata, self, VFIO_NESTED_FAULT_STALL);
}

TEST_F_TIMEOUT(load, reader_is_suspended_with_requests, SLOW)
{
	suspended_reader(_metadata, self, VFIO_NESTED_FAULT_PAGE_REQUEST);
}

/* All channels, for ever. Nothing is answered, but what is switched off goes on. */
static void flood(struct vn_scene *scene, int to, uint32_t flags)
{
	unsigned int i;

	for (;;) {
		for (i = 0; i < VN_TESTDEV_CHANNELS; i++)
			if (vn_testdev_is_free(&scene->device, i))
				start_pieces(scene, i, flags, FLOOD_PIECES);
		vn_ring_drain(&scene->guest.ring, 0);
		vn_guest_translate(&scene->guest, VN_SCENE_STREAM);
		vn_sleep_ms(5);
	}
}

static void flood_stalls(struct vn_scene *scene, int to)
{
	flood(scene, to, VN_ACCESS_STALL);
}

static void flood_requests(struct vn_scene *scene, int to)
{
	vn_testdev_misbehave(&scene->device, VN_BAD_PRI_CREDIT);
	flood(scene, to, VN_ACCESS_ATS | VN_ACCESS_PRI);
}

static void flood_events(struct vn_scene *scene, int to)
{
	flood(scene, to, 0);
}

static unsigned int has_flooded(struct __test_metadata *_metadata,
				const struct vn_scene *scene)
{
	struct vfio_nested_stats stats;

	ASSERT_OK(vn_nested_stats(scene->guest.fd, &stats));
	return stats.faults + stats.events + stats.page_requests >
	       VN_TESTDEV_CHANNELS;
}

static void two_flood(struct __test_metadata *_metadata, FIXTURE_DATA(load) *self,
		      enum vfio_nested_fault_kind kind,
		      void (*first)(struct vn_scene *, int),
		      void (*second)(struct vn_scene *, int))
{
	struct vn_scene *works = &self->scenes[2];
	struct vfio_nested_stats stats;
	struct pace alone, beside;
	unsigned int flooded;
	pid_t floods[2];
	int from[2];

	OPEN_SCENE(2, kind, -1);
	if (!(works->guest.info.caps & VFIO_NESTED_CAP_STALL) &&
	    (first != flood_requests || second != flood_requests))
		SKIP(return, "no stalls, and no events, to flood with");
	measure(_metadata, works, LONG_ENOUGH_MS / 2, &alone);
	ASSERT_OK(set_deadline(names[0], DEADLINE_MS));
	floods[0] = fork_vmm(_metadata, self, 0, first == flood_requests ?
			     VFIO_NESTED_FAULT_PAGE_REQUEST :
			     VFIO_NESTED_FAULT_STALL, first, &from[0]);
	floods[1] = fork_vmm(_metadata, self, 1, second == flood_requests ?
			     VFIO_NESTED_FAULT_PAGE_REQUEST :
			     VFIO_NESTED_FAULT_STALL, second, &from[1]);
	vn_sleep_ms(100);
	measure(_metadata, works, LONG_ENOUGH_MS, &beside);
	TH_LOG("alone %u in %u ms, the slowest %" PRIu64
	       " ms; beside two that flood %u in %u ms, %" PRIu64 " ms",
	       alone.rounds, LONG_ENOUGH_MS / 2, alone.slowest_ms, beside.rounds,
	       LONG_ENOUGH_MS, beside.slowest_ms);
	kill_vmm(_metadata, floods[0]);
	kill_vmm(_metadata, floods[1]);
	close(from[0]);
	close(from[1]);
	EXPECT_GT(SLOWEST_MS, beside.slowest_ms);
	/*
	 * Processors and emulator have more to do as well, so this only tells apart
	 * one who is slower from one who stands still.
	 */
	EXPECT_LT(alone.rounds / 20, beside.rounds);
	ASSERT_OK(vn_faults_balance(works->guest.fd, &stats));
	EXPECT_EQ(alone.rounds + beside.rounds, stats.faults);
	EXPECT_EQ(stats.faults, stats.faults_answered);
	/* They did flood, but for who found no room in a small page request queue. */
	flooded = has_flooded(_metadata, &self->scenes[0]) +
		  has_flooded(_metadata, &self->scenes[1]);
	EXPECT_LE(first == flood_requests && second == flood_requests ? 1 : 2, flooded);
}

TEST_F_TIMEOUT(load, stalls_and_events_flood_beside_stalls, SLOW)
{
	two_flood(_metadata, self, VFIO_NESTED_FAULT_STALL, flood_stalls,
		  flood_events);
}

TEST_F_TIMEOUT(load, stalls_and_requests_flood_beside_stalls, SLOW)
{
	two_flood(_metadata, self, VFIO_NESTED_FAULT_STALL, flood_stalls,
		  flood_requests);
}

TEST_F_TIMEOUT(load, requests_and_events_flood_beside_requests, SLOW)
{
	two_flood(_metadata, self, VFIO_NESTED_FAULT_PAGE_REQUEST, flood_requests,
		  flood_events);
}

TEST_F_TIMEOUT(load, requests_flood_beside_requests, SLOW)
{
	two_flood(_metadata, self, VFIO_NESTED_FAULT_PAGE_REQUEST, flood_requests,
		  flood_requests);
}

int main(int argc, char **argv)
{
	struct vn_want want = { .engine = VN_TESTDEV };

	while (nr_names < SCENES &&
	       !vn_session_pick(&want, names, nr_names, names[nr_names]))
		nr_names++;
	if (!nr_names) {
		ksft_print_header();
		ksft_exit_skip("%s\n", vn_reason());
	}
	return test_harness_run(argc, argv);
}
