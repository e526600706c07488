// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once: threads bind, unbind, set contexts, invalidate, map, set up
 * rings, reset and do DMA, without any order. Whatever comes of a single call must
 * be something that the uAPI documents; afterwards everything must work as if
 * nothing had been. Lock order, life times and leaks are for the kernel's own
 * checkers, which a laboratory kernel has on. How long a test takes: see race.h.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "race.h"
#include "test.h"

static const struct vn_want wants[] = {
	{ .caps = VN_ENGINE_FAST },
	{},
	{ .vm = 1, .caps = VN_ENGINE_FAST },
};

#define FIRST		0
#define FOREIGN		2
#define DEVICES		3
#define STREAMS		4
#define HOLE		0x03000000ULL
/* What can be wrong with a context, and with naming memory while devices go */
#define CONTEXT_ERRORS	-ENOENT, -ENODEV, -EINVAL

FIXTURE(race) {
	struct vn_guest guest;
	uint64_t page;
	/* A second virtual IOMMU for the devices of the first machine */
	int other_fd;
	struct vn_race race;
};

static FIXTURE_DATA(race) *self_of(struct vn_racer *thread)
{
	return thread->data;
}

static struct vn_device *some_device(struct vn_racer *thread)
{
	struct vn_device *device;

	do {
		device = &vn_session->devices[vn_choose(thread, DEVICES)];
	} while (device->fd < 0);
	return device;
}

static int some_fd(struct vn_racer *thread)
{
	return vn_choose(thread, 4) ? self_of(thread)->guest.fd : self_of(thread)->other_fd;
}

static void bind_step(struct vn_racer *thread)
{
	struct vn_device *device = some_device(thread);
	int fd = some_fd(thread);

	EXPECTED(thread, vn_nested_bind(device->fd, fd, vn_choose(thread, STREAMS)),
		 -EBUSY, -EEXIST, -EXDEV);
}

static void unbind_step(struct vn_racer *thread)
{
	EXPECTED(thread, vn_nested_unbind(some_device(thread)->fd), -ENOENT, -EBUSY);
	vn_sleep_ms(vn_choose(thread, 3));
}

static void context_step(struct vn_racer *thread)
{
	const struct vn_arch *arch = self_of(thread)->guest.arch;
	/* Reserved bits for both architectures; and what refuses all accesses */
	static const uint64_t bad[8] = { 1, ~0ULL }, invalid[8];
	uint64_t stream = vn_choose(thread, STREAMS);
	int fd = some_fd(thread);

	switch (vn_choose(thread, 6)) {
	case 0:
		EXPECTED(thread, vn_nested_set_context(fd, stream,
						       vn_choose(thread, 3)),
			 -ENOENT);
		break;
	case 1:
		EXPECTED(thread, vn_nested_set_data(fd, stream, arch->context_type,
						    bad, arch->context_len),
			 -EINVAL, -ENOENT);
		break;
	case 2:
		EXPECTED(thread, vn_nested_set_data(fd, stream, arch->context_type,
						    invalid, arch->context_len),
			 -ENOENT);
		break;
	default:
		EXPECTED(thread, vn_guest_translate(&self_of(thread)->guest, stream),
			 CONTEXT_ERRORS);
		break;
	}
}

static void invalidate_step(struct vn_racer *thread)
{
	const struct vn_arch *arch = self_of(thread)->guest.arch;
	struct vn_command list[100];
	uint32_t num = 1 + vn_choose(thread, VN_ARRAY_SIZE(list));
	int fd = some_fd(thread);
	uint32_t i;

	for (i = 0; i < num; i++) {
		switch (vn_choose(thread, 200)) {
		case 0:
			list[i] = arch->reread_all(vn_choose(thread, STREAMS));
			break;
		case 1:
			list[i].words[0] = htole64(vn_choose(thread, 256) | ~0ULL << 48);
			list[i].words[1] = ~0ULL;
			break;
		case 2:
			list[i] = arch->all();
			break;
		default:
			list[i] = arch->of_page(0, ASID, IOVA(vn_choose(thread, 16)));
			break;
		}
	}
	EXPECTED(thread, vn_nested_commands(fd, arch->command_type, list,
					    sizeof(*list), &num),
		 -ENODEV, -ENOENT, -EINVAL, -EOPNOTSUPP);
}

/* Only one thread uses the engine of a device. */
static void dma_step(struct vn_racer *thread)
{
	struct vn_device *device = &vn_session->devices[FIRST];
	unsigned int i;

	for (i = 0; i < 20; i++)
		vn_dma_write(device, i % 4 ? IOVA(0) : HOLE);
	vn_race_count(thread, 20);
}

static void foreign_dma_step(struct vn_racer *thread)
{
	unsigned int i;

	for (i = 0; i < 20; i++)
		vn_dma_write(&vn_session->devices[FOREIGN], HOLE);
	vn_race_count(thread, 20);
}

static void query_step(struct vn_racer *thread)
{
	struct vfio_nested_stats stats;
	struct vfio_nested_info info;
	uint8_t registers[64];
	int fd = some_fd(thread);

	EXPECTED(thread, vn_nested_stats(fd, &stats));
	EXPECTED(thread, vn_nested_registers(fd, &info, registers,
					     sizeof(registers)));
	EXPECTED(thread, vn_nested_registers(some_device(thread)->fd, &info,
					     registers, sizeof(registers)));
}

/* A life of its own: a nested fd, a ring, perhaps a device, and all of it closed */
static void life_step(struct vn_racer *thread)
{
	int event = vn_choose(thread, 2) ? eventfd(0, EFD_CLOEXEC) : -1;
	struct vn_device *device = some_device(thread);
	struct vn_ring ring = {};
	int fd = vn_nested_open();

	EXPECTED(thread, fd < 0 ? fd : 0);
	EXPECTED(thread, vn_nested_bind(device->fd, fd, vn_choose(thread, STREAMS)),
		 -EBUSY);
	EXPECTED(thread, vn_ring_open(&ring, fd, 8 << vn_choose(thread, 8), event));
	EXPECTED(thread, vn_nested_set_context(fd, 0, VFIO_NESTED_CONTEXT_ABORT),
		 -ENOENT);
	if (event >= 0)
		close(event);
	if (vn_choose(thread, 2))
		close(fd);
	vn_sleep_ms(vn_choose(thread, 3));
	if (vn_choose(thread, 2))
		EXPECTED(thread, vn_nested_unbind(device->fd), -ENOENT);
	vn_ring_close(&ring);
	/* Closed twice, or another thread's: neither matters here. */
	if (vn_nested_stats(fd, &(struct vfio_nested_stats) {}) == 0 &&
	    fd != self_of(thread)->guest.fd && fd != self_of(thread)->other_fd)
		close(fd);
}

static void ring_step(struct vn_racer *thread)
{
	struct vn_ring *ring = &self_of(thread)->guest.ring;
	struct pollfd fd = { .fd = self_of(thread)->guest.fd, .events = POLLIN };
	struct vfio_nested_fault fault;
	void *again;

	poll(&fd, 1, 1);
	while (vn_ring_get(ring, &fault))
		;
	again = mmap(NULL, ring->setup.mmap_size, PROT_READ, MAP_SHARED,
		     self_of(thread)->guest.fd, ring->setup.mmap_offset);
	if (again != MAP_FAILED)
		munmap(again, ring->setup.mmap_size);
	EXPECTED(thread, again == MAP_FAILED ? -errno : 0);
}

static void stage2_step(struct vn_racer *thread)
{
	struct vn_vm *vm = self_of(thread)->guest.vm;
	uint64_t ipa = VN_RAM_IPA + VN_RAM_SIZE;
	void *page = mmap(NULL, 4 * VN_PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	EXPECTED(thread, vn_vm_map(vm, ipa, page, 4 * VN_PAGE, VN_PROT_RW));
	EXPECTED(thread, vn_vm_unmap(vm, ipa, 4 * VN_PAGE));
	munmap(page, 4 * VN_PAGE);
}

static void reset_step(struct vn_racer *thread)
{
	struct vn_device *device = some_device(thread);

	if (device->can_reset)
		EXPECTED(thread, vn_device_reset(device, VN_RESET_VFIO), -EAGAIN);
	vn_sleep_ms(20);
}

/* Who tries to bind the device gets at it when its reset has just begun. */
static void unbind_and_reset_step(struct vn_racer *thread)
{
	struct vn_device *device = &vn_session->devices[FIRST];

	EXPECTED(thread, vn_nested_unbind(device->fd), -ENOENT);
	EXPECTED(thread, vn_device_reset(device, VN_RESET_VFIO), -EAGAIN);
}

static void bind_first_step(struct vn_racer *thread)
{
	EXPECTED(thread, vn_nested_bind(vn_session->devices[FIRST].fd,
					self_of(thread)->guest.fd, STREAM), -EBUSY);
	vn_sleep_ms(vn_choose(thread, 3));
}

/* Who wants to change a binding has to wait for the end of it. */
static void burst_step(struct vn_racer *thread)
{
	invalidate_step(thread);
	vn_sleep_ms(vn_choose(thread, 10));
}

static void clear_first_step(struct vn_racer *thread)
{
	EXPECTED(thread, vn_nested_set_context(self_of(thread)->guest.fd, STREAM,
					       VFIO_NESTED_CONTEXT_CLEAR),
		 -ENOENT);
}

static void race(struct __test_metadata *_metadata, FIXTURE_DATA(race) *self,
		 const vn_step *steps, unsigned int num)
{
	EXPECT_OK(vn_race_run(&self->race, self, steps, num));
	TH_LOG("%lu calls", self->race.calls);
}

FIXTURE_SETUP(race)
{
	NEED_DEVICE(FIRST);
	unbind_all();
	start_guest(_metadata, &self->guest, &vn_session->devices[FIRST], 0);
	self->page = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);
	self->other_fd = vn_nested_open();
	ASSERT_LE(0, self->other_fd);
}

FIXTURE_TEARDOWN(race)
{
	struct vn_device *device = &vn_session->devices[FIRST];
	struct vfio_nested_stats stats;

	/* As if nothing had been */
	unbind_all();
	EXPECT_OK(vn_nested_stats(self->guest.fd, &stats));
	EXPECT_EQ(0, stats.bindings);
	EXPECT_EQ(stats.events, stats.events_delivered + stats.events_lost);
	EXPECT_OK(vn_nested_stats(self->other_fd, &stats));
	EXPECT_EQ(0, stats.bindings);
	EXPECT_OK(vn_nested_bind(device->fd, self->guest.fd, STREAM));
	EXPECT_OK(vn_guest_translate(&self->guest, STREAM));
	EXPECT_OK(vn_device_enable(device));
	vn_poison(self->guest.vm, self->page);
	EXPECT_LANDS(device, IOVA(0), self->page);
	unbind_all();
	vn_guest_close(&self->guest);
	close(self->other_fd);
}

TEST_F_TIMEOUT(race, one_machine, SLOW)
{
	static const vn_step steps[] = {
		bind_step, unbind_step, context_step, context_step,
		invalidate_step, dma_step, query_step, ring_step,
	};

	race(_metadata, self, steps, VN_ARRAY_SIZE(steps));
}

TEST_F_TIMEOUT(race, lives_and_stage2, SLOW)
{
	static const vn_step steps[] = {
		bind_step, unbind_step, life_step, context_step, stage2_step,
		dma_step, foreign_dma_step, invalidate_step,
	};

	if (vn_session->devices[FOREIGN].fd < 0)
		SKIP(return, "%s", vn_session->missing[FOREIGN]);
	race(_metadata, self, steps, VN_ARRAY_SIZE(steps));
}

TEST_F_TIMEOUT(race, resets, SLOW)
{
	static const vn_step steps[] = {
		bind_step, unbind_step, context_step, reset_step, reset_step,
		dma_step, invalidate_step, stage2_step,
	};

	race(_metadata, self, steps, VN_ARRAY_SIZE(steps));
}

/* A binding that is made during a reset is in reset before anyone finds it. */
TEST_F_TIMEOUT(race, bindings_in_resets, SLOW)
{
	static const vn_step steps[] = {
		unbind_and_reset_step, bind_first_step, bind_first_step,
		bind_first_step, clear_first_step, clear_first_step, burst_step,
		burst_step,
	};

	NEED_RESET(&vn_session->devices[FIRST]);
	race(_metadata, self, steps, VN_ARRAY_SIZE(steps));
}

/* Reports that are on their way while their virtual IOMMU goes away */
TEST_F_TIMEOUT(race, events_and_the_end, SLOW)
{
	struct vn_device *device = &vn_session->devices[FIRST];
	static const vn_step steps[] = { dma_step };
	unsigned int rounds = 0;
	uint64_t end;

	ASSERT_OK(vn_race_start(&self->race, self, steps, VN_ARRAY_SIZE(steps)));
	end = vn_now_ms() + vn_race_ms();
	while (rounds < 3 || vn_now_ms() < end) {
		struct vn_ring ring;
		int fd = vn_nested_open();
		int event = eventfd(0, EFD_CLOEXEC);

		ASSERT_LE(0, fd);
		vn_nested_unbind(device->fd);
		EXPECT_OK(vn_ring_open(&ring, fd, 8, event));
		EXPECT_OK(vn_nested_bind(device->fd, fd, STREAM));
		EXPECT_OK(vn_nested_set_context(fd, STREAM,
						VFIO_NESTED_CONTEXT_CLEAR));
		/* All users go first, in the middle of the reports. */
		if (rounds % 3 == 0)
			vn_sleep_ms(1);
		close(event);
		vn_ring_close(&ring);
		close(fd);
		if (rounds % 2)
			vn_sleep_ms(1);
		rounds++;
	}
	EXPECT_OK(vn_race_stop(&self->race));
}

TEST_MAIN_WITH_DEVICES(wants)
