// SPDX-License-Identifier: GPL-2.0
/*
 * Faults that wait for an answer, and what they wait for goes away: the VMM, the
 * device, the context, the memory, the driver. Whatever it is, each ends once, nothing
 * is written that should not be, and the next one finds a device as new.
 *
 * Each test runs with stalls and with page requests, and opens its device itself.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "scene.h"
#include "test.h"

/* Faults that are pending when something happens */
#define PENDING		4
/* A channel that no pending fault uses */
#define FREE		7
/* Rounds of a test that wants many, unless that takes too long; then at least these */
#define ROUNDS		20
#define ROUNDS_MIN	5
#define ROUNDS_MS	8000

/* Chosen before main(): a device that may stall, and one that asks for pages */
static char stall_name[VN_PCI_NAME_LEN], request_name[VN_PCI_NAME_LEN];

static int bindings_settle(int fd, uint64_t want, struct vfio_nested_stats *stats)
{
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;
	int ret;

	do {
		ret = vn_nested_stats(fd, stats);
		if (ret || stats->bindings == want)
			return ret;
		vn_sleep_ms(1);
	} while (vn_now_ms() < end);
	return vn_fail(-ETIMEDOUT, "%" PRIu64 " devices are bound",
		       (uint64_t)stats->bindings);
}

/* A VMM that can have faults, or the reason why not */
#define OPEN_SCENE(scene, fd) do {					\
	int __ret = vn_scene_open(scene, fd, RING);			\
									\
	if (__ret == -EOPNOTSUPP)					\
		SKIP(return, "%s", vn_reason());			\
	ASSERT_EQ(0, __ret) TH_LOG("%s", vn_reason());			\
} while (0)

FIXTURE(pending) {
	struct vn_scene scene;
	struct vfio_nested_fault faults[PENDING];
	long references;
};

FIXTURE_VARIANT(pending) {
	enum vfio_nested_fault_kind kind;
};

FIXTURE_VARIANT_ADD(pending, stall) { .kind = VFIO_NESTED_FAULT_STALL, };
FIXTURE_VARIANT_ADD(pending, request) { .kind = VFIO_NESTED_FAULT_PAGE_REQUEST, };

FIXTURE_SETUP(pending)
{
	const char *name = variant->kind == VFIO_NESTED_FAULT_STALL ? stall_name :
								      request_name;

	self->references = vn_module_references();
	vn_scene_init(&self->scene, name, variant->kind);
	if (!name[0])
		SKIP(return, "no device here can wait for pages in this way");
	OPEN_SCENE(&self->scene, -1);
}

FIXTURE_TEARDOWN(pending)
{
	struct vfio_nested_stats stats;

	if (self->scene.guest.fd >= 0)
		EXPECT_OK(vn_faults_balance(self->scene.guest.fd, &stats));
	vn_scene_close(&self->scene);
	EXPECT_EQ(self->references, vn_module_references_settle(self->references));
}

static void raise_all(struct __test_metadata *_metadata, FIXTURE_DATA(pending) *self)
{
	struct vfio_nested_stats stats;
	unsigned int i;

	for (i = 0; i < PENDING; i++)
		ASSERT_OK(vn_scene_raise(&self->scene, i, &self->faults[i]));
	ASSERT_OK(vn_nested_stats(self->scene.guest.fd, &stats));
	EXPECT_EQ(PENDING, stats.faults_pending);
}

/* None of them is pending any more: all were aborted, each was delivered once. */
static void expect_aborted(struct __test_metadata *_metadata, int fd)
{
	struct vfio_nested_stats stats;

	ASSERT_OK(vn_nested_stats(fd, &stats));
	EXPECT_EQ(0, stats.faults_pending);
	EXPECT_EQ(PENDING, stats.faults_aborted);
	EXPECT_EQ(PENDING, stats.faults_delivered);
	EXPECT_EQ(PENDING, stats.faults);
}

/* Who answers them all the same is told why that has no effect. */
static void expect_answers(struct __test_metadata *_metadata,
			   FIXTURE_DATA(pending) *self, int result)
{
	struct vfio_nested_stats before, after;
	unsigned int i;

	ASSERT_OK(vn_nested_stats(self->scene.guest.fd, &before));
	for (i = 0; i < PENDING; i++)
		EXPECT_EQ(result, vn_respond(self->scene.guest.fd,
					     self->faults[i].cookie,
					     VFIO_NESTED_RESPONSE_RETRY));
	ASSERT_OK(vn_nested_stats(self->scene.guest.fd, &after));
	EXPECT_EQ(before.responses_refused + PENDING, after.responses_refused);
	EXPECT_EQ(before.faults_answered, after.faults_answered);
}

/* Nothing is in the way of a new fault, on a channel that had one and on another. */
static void expect_served(struct __test_metadata *_metadata, struct vn_scene *scene)
{
	struct vfio_nested_stats stats;

	vn_ring_drain(&scene->guest.ring, 0);
	EXPECT_OK(vn_scene_serve(scene, FREE));
	EXPECT_OK(vn_scene_serve(scene, 0));
	EXPECT_OK(vn_nested_stats(scene->guest.fd, &stats));
	EXPECT_EQ(0, stats.faults_pending);
}

static void expect_untouched(struct __test_metadata *_metadata,
			     struct vn_scene *scene)
{
	unsigned int i;

	for (i = 0; i < PENDING; i++)
		EXPECT_TRUE(vn_intact(&scene->vm, scene->pages[i]))
			TH_LOG("page %u was written", i);
}

TEST_F(pending, is_served)
{
	raise_all(_metadata, self);
	expect_untouched(_metadata, &self->scene);
	for (unsigned int i = 0; i < PENDING; i++) {
		ASSERT_OK(vn_scene_map(&self->scene, i));
		ASSERT_OK(vn_respond(self->scene.guest.fd, self->faults[i].cookie,
				     VFIO_NESTED_RESPONSE_RETRY));
		EXPECT_OK(vn_scene_landed(&self->scene, i));
	}
	expect_answers(_metadata, self, -EALREADY);
}

/* --- The device goes ------------------------------------------------------ */

TEST_F(pending, device_is_unbound)
{
	struct vn_scene *scene = &self->scene;
	unsigned int i;

	raise_all(_metadata, self);
	ASSERT_OK(vn_nested_unbind(scene->device.fd));
	expect_aborted(_metadata, scene->guest.fd);
	EXPECT_EQ(-ENODEV, vn_respond(scene->guest.fd, self->faults[0].cookie,
				      VFIO_NESTED_RESPONSE_RETRY));
	for (i = 0; i < PENDING; i++)
		EXPECT_OK(vn_scene_failed(scene, i));

	/* The same device again, in the same guest: other faults */
	ASSERT_OK(vn_nested_bind(scene->device.fd, scene->guest.fd,
				 VN_SCENE_STREAM));
	ASSERT_OK(vn_guest_translate(&scene->guest, VN_SCENE_STREAM));
	expect_answers(_metadata, self, -ECANCELED);
	ASSERT_OK(vn_scene_enable(scene));
	expect_served(_metadata, scene);
}

TEST_F(pending, device_is_closed)
{
	struct vn_scene *scene = &self->scene;

	raise_all(_metadata, self);
	vn_device_close(&scene->device);
	expect_aborted(_metadata, scene->guest.fd);
	expect_untouched(_metadata, scene);
	EXPECT_EQ(-ENODEV, vn_respond(scene->guest.fd, self->faults[0].cookie,
				      VFIO_NESTED_RESPONSE_RETRY));
	/* Nobody answers for a device that is not there. */
	vn_ring_close(&scene->guest.ring);
	close(scene->guest.fd);
	scene->guest.fd = -1;
	vn_vm_close(&scene->vm);
	OPEN_SCENE(scene, -1);
	expect_served(_metadata, scene);
}

/* The user interface goes, the device stays: nobody can answer any more. */
TEST_F(pending, nested_fd_is_closed)
{
	struct vn_scene *scene = &self->scene;
	unsigned int i;

	raise_all(_metadata, self);
	vn_guest_close(&scene->guest);
	for (i = 0; i < PENDING; i++)
		EXPECT_OK(vn_scene_failed(scene, i));
	/* The next one fails at once. */
	EXPECT_OK(vn_scene_start(scene, FREE));
	EXPECT_OK(vn_scene_failed(scene, FREE));
	ASSERT_OK(vn_nested_unbind(scene->device.fd));
}

/* --- Resets --------------------------------------------------------------- */

static void reset_pending(struct __test_metadata *_metadata,
			  FIXTURE_DATA(pending) *self, enum vn_reset how)
{
	struct vn_scene *scene = &self->scene;
	unsigned int i;
	int ret;

	raise_all(_metadata, self);
	ret = vn_device_reset(&scene->device, how);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "%s", vn_reason());
	ASSERT_EQ(0, ret) TH_LOG("%s", vn_reason());
	expect_aborted(_metadata, scene->guest.fd);
	expect_answers(_metadata, self, -ECANCELED);
	expect_untouched(_metadata, scene);
	for (i = 0; i < PENDING; i++)
		EXPECT_EQ(VN_CHANNEL_IDLE,
			  vn_testdev_status(&scene->device, i).state);
	ASSERT_OK(vn_scene_enable(scene));
	expect_served(_metadata, scene);
	/* Mapped now, and still nobody writes. */
	for (i = 1; i < PENDING; i++)
		ASSERT_OK(vn_scene_map(scene, i));
	vn_sleep_ms(20);
	for (i = 1; i < PENDING; i++)
		EXPECT_TRUE(vn_intact(&scene->vm, scene->pages[i]));
}

TEST_F(pending, device_is_reset)
{
	reset_pending(_metadata, self, VN_RESET_VFIO);
}

TEST_F(pending, function_is_reset_by_the_guest)
{
	reset_pending(_metadata, self, VN_RESET_FUNCTION);
}

TEST_F(pending, bus_is_reset)
{
	reset_pending(_metadata, self, VN_RESET_HOT);
}

TEST_F(pending, device_is_reset_by_the_administrator)
{
	reset_pending(_metadata, self, VN_RESET_SYSFS);
}

/* --- Contexts ------------------------------------------------------------- */

/* The same tables again: nothing happens. */
TEST_F(pending, context_is_set_again)
{
	struct vn_scene *scene = &self->scene;
	unsigned int i;

	raise_all(_metadata, self);
	ASSERT_OK(vn_guest_translate(&scene->guest, VN_SCENE_STREAM));
	for (i = 0; i < PENDING; i++) {
		ASSERT_OK(vn_scene_map(scene, i));
		ASSERT_OK(vn_respond(scene->guest.fd, self->faults[i].cookie,
				     VFIO_NESTED_RESPONSE_RETRY));
		EXPECT_OK(vn_scene_landed(scene, i));
	}
}

/* Other tables: what was pending goes on under them. */
TEST_F(pending, context_is_replaced)
{
	struct vn_scene *scene = &self->scene;
	struct vn_space space;
	unsigned int i;

	raise_all(_metadata, self);
	ASSERT_OK(vn_guest_pasids(&scene->guest, 6));
	ASSERT_OK(vn_guest_space(&scene->guest, &space, VN_SCENE_PASID,
				 VN_SCENE_ASID + 1));
	ASSERT_OK(vn_guest_translate(&scene->guest, VN_SCENE_STREAM));
	for (i = 0; i < PENDING; i++) {
		/* To the next one's page: one can see that these are the new tables. */
		ASSERT_OK(vn_s1_map_at(&space.s1, VN_SCENE_IOVA(i),
				       scene->pages[i + 1], VN_PROT_RW,
				       VN_S1_LAST_LEVEL));
		ASSERT_OK(vn_respond(scene->guest.fd, self->faults[i].cookie,
				     VFIO_NESTED_RESPONSE_RETRY));
		ASSERT_OK(vn_testdev_wait(&scene->device, i, VN_TIMEOUT_MS, NULL));
	}
	EXPECT_TRUE(vn_intact(&scene->vm, scene->pages[0]));
	for (i = 1; i <= PENDING; i++)
		EXPECT_FALSE(vn_intact(&scene->vm, scene->pages[i]));
}

static void take_context(struct __test_metadata *_metadata,
			 FIXTURE_DATA(pending) *self, uint32_t type)
{
	struct vn_scene *scene = &self->scene;
	struct vfio_nested_stats stats;
	unsigned int i;

	raise_all(_metadata, self);
	ASSERT_OK(vn_nested_set_context(scene->guest.fd, VN_SCENE_STREAM, type));
	ASSERT_OK(vn_nested_stats(scene->guest.fd, &stats));
	EXPECT_EQ(PENDING, stats.faults_pending);
	/* Mapped, but the tables do not count: what is tried again fails. */
	for (i = 0; i < PENDING; i++) {
		ASSERT_OK(vn_scene_map(scene, i));
		EXPECT_OK(vn_respond(scene->guest.fd, self->faults[i].cookie,
				     VFIO_NESTED_RESPONSE_RETRY));
		EXPECT_OK(vn_scene_failed(scene, i));
	}
	expect_answers(_metadata, self, -EALREADY);
	for (i = 0; i < PENDING; i++)
		ASSERT_OK(vn_scene_unmap(scene, i));
	ASSERT_OK(vn_guest_translate(&scene->guest, VN_SCENE_STREAM));
	expect_served(_metadata, scene);
}

TEST_F(pending, context_is_cleared)
{
	take_context(_metadata, self, VFIO_NESTED_CONTEXT_CLEAR);
}

TEST_F(pending, context_becomes_abort)
{
	take_context(_metadata, self, VFIO_NESTED_CONTEXT_ABORT);
}

/* --- Memory --------------------------------------------------------------- */

/*
 * The page is promised by stage 1, and stage 2 loses it before the access is tried
 * again: the VMM is told, the memory is not touched.
 */
TEST_F(pending, stage2_is_unmapped)
{
	struct vn_scene *scene = &self->scene;
	uint64_t ipa = VN_RAM_IPA + VN_RAM_SIZE;
	struct vfio_nested_fault fault;
	unsigned int i;
	bool told = false;
	void *page;

	page = mmap(NULL, VN_PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_OK(vn_vm_map(&scene->vm, ipa, page, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_guest_name(&scene->guest, ipa, page, VN_PAGE));
	raise_all(_metadata, self);
	ASSERT_OK(vn_s1_map_at(&scene->space.s1, VN_SCENE_IOVA(0), ipa, VN_PROT_RW,
			       VN_S1_LAST_LEVEL));
	ASSERT_OK(vn_vm_unmap(&scene->vm, ipa, VN_PAGE));
	ASSERT_OK(vn_respond(scene->guest.fd, self->faults[0].cookie,
			     VFIO_NESTED_RESPONSE_RETRY));
	/* Who asks for pages may ask again; then it is told that there is none. */
	for (i = 0; i < 10 && !told &&
	     vn_ring_wait(&scene->guest.ring, &fault, VN_TIMEOUT_MS); i++) {
		if (fault.cookie)
			EXPECT_OK(vn_respond(scene->guest.fd, fault.cookie,
					     VFIO_NESTED_RESPONSE_ABORT));
		told = fault.cookie || fault.flags & VFIO_NESTED_FAULT_STAGE2;
		if (fault.cookie)
			continue;
		EXPECT_EQ(VFIO_NESTED_FAULT_EVENT, fault.kind);
		EXPECT_EQ(VN_SCENE_IOVA(0), fault.address & ~0xfffULL);
		EXPECT_EQ(ipa, fault.ipa & ~0xfffULL);
	}
	EXPECT_TRUE(told);
	EXPECT_OK(vn_scene_failed(scene, 0));
	for (i = 0; i < VN_PAGE; i++)
		ASSERT_EQ(0, ((uint8_t *)page)[i]);
	munmap(page, VN_PAGE);

	/* The others' pages are there. */
	for (i = 1; i < PENDING; i++) {
		ASSERT_OK(vn_scene_map(scene, i));
		ASSERT_OK(vn_respond(scene->guest.fd, self->faults[i].cookie,
				     VFIO_NESTED_RESPONSE_RETRY));
		EXPECT_OK(vn_scene_landed(scene, i));
	}
}

/* --- The VMM goes --------------------------------------------------------- */

/* A child with the device of the scene, which is closed here. */
static pid_t fork_vmm(struct __test_metadata *_metadata, struct vn_scene *scene,
		      void (*run)(struct vn_scene *scene, int to), int *from)
{
	int ends[2];
	pid_t child;

	vn_scene_close(scene);
	scene->guest.fd = vn_nested_open();
	ASSERT_LE(0, scene->guest.fd);
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(ends[0]);
		if (vn_scene_open(scene, scene->guest.fd, RING))
			fprintf(stderr, "# %s\n", vn_reason());
		else
			run(scene, ends[1]);
		_exit(1);
	}
	close(ends[1]);
	*from = ends[0];
	return child;
}

/* Has faults, tells of them, and never answers. */
static void have_faults(struct vn_scene *scene, int to)
{
	struct vfio_nested_fault fault;
	unsigned int i;

	for (i = 0; i < PENDING; i++) {
		if (vn_scene_raise(scene, i, &fault)) {
			fprintf(stderr, "# %s\n", vn_reason());
			return;
		}
		if (write(to, &fault, sizeof(fault)) != sizeof(fault))
			return;
	}
	pause();
}

TEST_F(pending, vmm_is_killed)
{
	struct vn_scene *scene = &self->scene, next;
	struct vfio_nested_stats stats;
	unsigned int i;
	pid_t child;
	int from;

	child = fork_vmm(_metadata, scene, have_faults, &from);
	for (i = 0; i < PENDING; i++)
		EXPECT_EQ(sizeof(self->faults[i]),
			  read(from, &self->faults[i], sizeof(self->faults[i])));
	close(from);
	ASSERT_OK(vn_nested_stats(scene->guest.fd, &stats));
	EXPECT_EQ(PENDING, stats.faults_pending);
	kill_vmm(_metadata, child);
	ASSERT_OK(bindings_settle(scene->guest.fd, 0, &stats));
	expect_aborted(_metadata, scene->guest.fd);
	EXPECT_EQ(-ENODEV, vn_respond(scene->guest.fd, self->faults[0].cookie,
				      VFIO_NESTED_RESPONSE_RETRY));

	/* The next one has the device, and nothing of the old one's faults. */
	vn_scene_init(&next, scene->name, scene->kind);
	ASSERT_OK(vn_scene_open(&next, -1, RING));
	EXPECT_EQ(0, vn_ring_drain(&next.guest.ring, 20));
	for (i = 0; i < PENDING; i++)
		EXPECT_EQ(-ENOENT, vn_respond(next.guest.fd,
					      self->faults[i].cookie,
					      VFIO_NESTED_RESPONSE_RETRY));
	expect_served(_metadata, &next);
	vn_scene_close(&next);
}

/* Has faults as fast as it can, answers some. */
static void have_many_faults(struct vn_scene *scene, int to)
{
	struct vfio_nested_fault fault;
	unsigned int i;
	char ok = 1;

	if (write(to, &ok, 1) != 1)
		return;
	for (;;) {
		for (i = 0; i < VN_TESTDEV_CHANNELS; i++)
			if (vn_testdev_is_free(&scene->device, i))
				vn_scene_start(scene, i);
		if (vn_ring_get(&scene->guest.ring, &fault) && fault.timestamp % 3)
			vn_respond(scene->guest.fd, fault.cookie,
				   1 + fault.timestamp % 2);
	}
}

static int faults_begin(int fd)
{
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;
	struct vfio_nested_stats stats;
	int ret;

	do {
		ret = vn_nested_stats(fd, &stats);
		if (ret || stats.faults)
			return ret;
	} while (vn_now_ms() < end);
	return vn_fail(-ETIMEDOUT, "it has no faults");
}

/* Killed at any moment, again and again; the next owner must never see a fault. */
TEST_F_TIMEOUT(pending, next_owner_sees_nothing, SLOW)
{
	struct vn_scene *scene = &self->scene, next;
	uint64_t end = vn_now_ms() + ROUNDS_MS;
	struct vfio_nested_stats stats;
	unsigned int i;
	pid_t child;
	int from;
	char ok;

	for (i = 0; i < ROUNDS && (i < ROUNDS_MIN || vn_now_ms() < end); i++) {
		child = fork_vmm(_metadata, scene, have_many_faults, &from);
		EXPECT_EQ(1, read(from, &ok, 1));
		close(from);
		EXPECT_OK(faults_begin(scene->guest.fd));
		vn_sleep_ms(i * 3 % 20);
		kill_vmm(_metadata, child);
		ASSERT_OK(bindings_settle(scene->guest.fd, 0, &stats));
		EXPECT_EQ(0, stats.faults_pending);
		EXPECT_LT(0, stats.faults);
		EXPECT_EQ(stats.faults, stats.faults_answered +
			  stats.faults_aborted + stats.faults_refused);

		vn_scene_init(&next, scene->name, scene->kind);
		ASSERT_OK(vn_scene_open(&next, -1, RING));
		EXPECT_EQ(0, vn_ring_drain(&next.guest.ring, 5));
		EXPECT_OK(vn_scene_serve(&next, i % VN_TESTDEV_CHANNELS));
		ASSERT_OK(vn_nested_stats(next.guest.fd, &stats));
		EXPECT_EQ(1, stats.faults);
		EXPECT_EQ(1, stats.faults_answered);
		EXPECT_EQ(0, stats.events);
		vn_scene_close(&next);
	}
}

/* --- The driver goes ------------------------------------------------------ */

/* Somebody writes to sysfs, which waits for us; -1 on failure. */
static pid_t fork_sysfs(struct vn_scene *scene, const char *path, const char *text)
{
	pid_t child = fork();

	if (child)
		return child;
	/* The child must not be one of those who have the files open. */
	close(scene->device.fd);
	close(scene->device.group_fd);
	close(scene->guest.fd);
	close(scene->vm.fd);
	munmap((void *)scene->device.bar0, scene->device.bar0_size);
	vn_ring_close(&scene->guest.ring);
	_exit(!!vn_write_text(path, text));
}

/*
 * sysfs takes the device away. Its owner is asked, and may answer what is pending;
 * when it lets go, the rest is over.
 */
static void take_device(struct __test_metadata *_metadata,
			FIXTURE_DATA(pending) *self, const char *path,
			const char *text)
{
	struct vn_scene *scene = &self->scene;
	struct pollfd request = {
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.events = POLLIN,
	};
	struct vfio_nested_stats stats;
	int status;
	pid_t child;

	ASSERT_LE(0, request.fd);
	ASSERT_OK(vn_device_set_irq(&scene->device, VFIO_PCI_REQ_IRQ_INDEX,
				    request.fd));
	raise_all(_metadata, self);
	child = fork_sysfs(scene, path, text);
	ASSERT_LE(0, child);
	EXPECT_EQ(1, poll(&request, 1, VN_TIMEOUT_MS))
		TH_LOG("nobody asked for the device");
	close(request.fd);
	ASSERT_OK(vn_scene_map(scene, 0));
	EXPECT_OK(vn_respond(scene->guest.fd, self->faults[0].cookie,
			     VFIO_NESTED_RESPONSE_RETRY));
	EXPECT_OK(vn_scene_landed(scene, 0));
	EXPECT_EQ(0, waitpid(child, &status, WNOHANG))
		TH_LOG("it went while the device was open");

	vn_device_close(&scene->device);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_OK(bindings_settle(scene->guest.fd, 0, &stats));
	EXPECT_EQ(0, stats.faults_pending);
	EXPECT_EQ(1, stats.faults_answered);
	EXPECT_EQ(PENDING - 1, stats.faults_aborted);
	vn_scene_close(scene);
}

TEST_F(pending, driver_is_unbound)
{
	struct vn_scene *scene = &self->scene;
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind",
		 scene->name);
	take_device(_metadata, self, path, scene->name);
	ASSERT_OK(vn_pci_probe(scene->name));
	OPEN_SCENE(scene, -1);
	expect_served(_metadata, scene);
}

/* As if it had been pulled out, and put in again */
TEST_F(pending, device_is_removed)
{
	struct vn_scene *scene = &self->scene;
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", scene->name);
	take_device(_metadata, self, path, "1");
	EXPECT_NE(0, access(path, F_OK));
	ASSERT_OK(vn_pci_return(scene->name));
	ASSERT_EQ(0, access(path, F_OK));
	OPEN_SCENE(scene, -1);
	expect_served(_metadata, scene);
}

/* Modules stay while faults are pending in them. */
TEST_F(pending, modules_stay)
{
	const char *const modules[] = {
		"vfio_pci_nested", "vfio_nested", "iommu_nested",
		self->scene.guest.arch->driver,
	};
	unsigned int i;

	raise_all(_metadata, self);
	for (i = 0; i < VN_ARRAY_SIZE(modules); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/module/%s/refcnt", modules[i]);
		if (access(path, F_OK))
			continue;
		EXPECT_NE(0, syscall(__NR_delete_module, modules[i], O_NONBLOCK))
			TH_LOG("%s", modules[i]);
		EXPECT_TRUE(errno == EAGAIN || errno == EWOULDBLOCK ||
			    errno == EBUSY)
			TH_LOG("%s: %m", modules[i]);
	}
	vn_device_close(&self->scene.device);
	expect_aborted(_metadata, self->scene.guest.fd);
}

int main(int argc, char **argv)
{
	struct vn_want stalls = { .engine = VN_TESTDEV, .can_stall = VN_YES };
	struct vn_want requests = { .engine = VN_TESTDEV };

	if (vn_session_pick(&stalls, NULL, 0, stall_name))
		stall_name[0] = '\0';
	if (vn_session_pick(&requests, NULL, 0, request_name)) {
		ksft_print_header();
		ksft_exit_skip("%s\n", vn_reason());
	}
	return test_harness_run(argc, argv);
}
