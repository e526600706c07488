// SPDX-License-Identifier: GPL-2.0
/*
 * The fault ring: set-up, mapping, delivery, and what a VMM may do to the memory
 * that it shares with the kernel without harming anybody but itself.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "test.h"

static const struct vn_want wants[] = {
	/* One event for each access, so that they can be counted */
	{ .caps = VN_ENGINE_ONE_EVENT },
	/* Any will do for what needs none. */
	{},
};

#define ENTRIES		8
/* Nothing is ever mapped there; each event has an address of its own. */
#define HOLE(n)		(0x03000000ULL + (n) * 0x1000ULL)

/* Set-up and mapping need no device. */
FIXTURE(setup) {
	int fd;
};

FIXTURE_SETUP(setup)
{
	self->fd = vn_nested_open();
	ASSERT_LE(0, self->fd) TH_LOG("%s", vn_reason());
}

FIXTURE_TEARDOWN(setup)
{
	close(self->fd);
}

static int set_up(int fd, uint32_t type, uint32_t entries, int eventfd)
{
	struct vfio_nested_setup_ring setup = {
		.size = sizeof(setup),
		.type = type,
		.entries = entries,
		.eventfd = eventfd,
	};

	return vn_ioctl(fd, VFIO_NESTED_SETUP_RING, &setup);
}

TEST_F(setup, layout)
{
	struct vfio_nested_setup_ring *setup;
	struct vn_ring ring;

	ASSERT_OK(vn_ring_open(&ring, self->fd, 64, -1));
	setup = &ring.setup;
	EXPECT_LE(sizeof(struct vfio_nested_fault), setup->record_size);
	EXPECT_EQ(0, setup->record_size % 8);
	EXPECT_EQ(0, setup->producer_offset % sizeof(uint32_t));
	EXPECT_EQ(0, setup->consumer_offset % sizeof(uint32_t));
	EXPECT_EQ(0, setup->lost_offset % sizeof(uint64_t));
	EXPECT_EQ(0, setup->records_offset % sizeof(uint64_t));
	EXPECT_LE(setup->records_offset + 64ULL * setup->record_size,
		  setup->mmap_size);
	EXPECT_EQ(0, vn_read_once(vn_ring_producer(&ring)));
	EXPECT_EQ(0, vn_read_once(vn_ring_consumer(&ring)));
	EXPECT_EQ(0, vn_ring_lost(&ring));
	vn_ring_close(&ring);
}

TEST_F(setup, numbers_of_entries)
{
	static const uint32_t bad[] = {
		0, 1, 2, 4, 7, 9, 12, 63, 65, 100, 0x80000000, UINT32_MAX,
	};
	struct vfio_nested_info info;
	struct vn_ring ring;
	uint32_t entries;
	size_t i;

	ASSERT_OK(vn_nested_info(self->fd, &info, NULL));
	EXPECT_LE(8, info.ring_entries_max);
	for (i = 0; i < VN_ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, set_up(self->fd, VFIO_NESTED_RING_FAULT,
					  bad[i], -1))
			TH_LOG("%u entries", bad[i]);
	EXPECT_EQ(-EINVAL, set_up(self->fd, VFIO_NESTED_RING_FAULT,
				  info.ring_entries_max * 2, -1));
	for (entries = 8; entries <= info.ring_entries_max; entries *= 2) {
		ASSERT_OK(vn_ring_open(&ring, self->fd, entries, -1));
		EXPECT_LE((uint64_t)entries * ring.setup.record_size,
			  ring.setup.mmap_size);
		/* All of it is there. */
		vn_ring_record(&ring, entries - 1)->kind = 1;
		vn_ring_close(&ring);
		close(self->fd);
		self->fd = vn_nested_open();
		ASSERT_LE(0, self->fd);
	}
}

TEST_F(setup, types)
{
	EXPECT_OK(set_up(self->fd, VFIO_NESTED_RING_RESPONSE, 8, -1));
	EXPECT_EQ(-EOPNOTSUPP, set_up(self->fd, 2, 8, -1));
	EXPECT_EQ(-EOPNOTSUPP, set_up(self->fd, UINT32_MAX, 8, -1));
	EXPECT_OK(set_up(self->fd, VFIO_NESTED_RING_FAULT, 8, -1));
}

TEST_F(setup, only_once)
{
	EXPECT_OK(set_up(self->fd, VFIO_NESTED_RING_FAULT, 8, -1));
	EXPECT_EQ(-EEXIST, set_up(self->fd, VFIO_NESTED_RING_FAULT, 8, -1));
	EXPECT_EQ(-EEXIST, set_up(self->fd, VFIO_NESTED_RING_FAULT, 64, -1));
}

/* Whether the other end of a pipe is still open somewhere. */
static bool somebody_writes(int read_end)
{
	struct pollfd poll_end = { .fd = read_end, .events = POLLIN };

	return poll(&poll_end, 1, 0) == 0;
}

/* What is refused is let go of: a pipe's end tells. */
TEST_F(setup, bad_eventfds)
{
	int ends[2];
	int i;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	for (i = 0; i < 100; i++)
		EXPECT_EQ(-EINVAL, set_up(self->fd, VFIO_NESTED_RING_FAULT, 8,
					  ends[1]));
	EXPECT_EQ(-EINVAL, set_up(self->fd, VFIO_NESTED_RING_FAULT, 8, self->fd));
	EXPECT_EQ(-EBADF, set_up(self->fd, VFIO_NESTED_RING_FAULT, 8, 12345));
	EXPECT_EQ(-EBADF, set_up(self->fd, VFIO_NESTED_RING_FAULT, 8, -2));
	EXPECT_EQ(-EBADF, set_up(self->fd, VFIO_NESTED_RING_FAULT, 8, INT32_MIN));
	EXPECT_TRUE(somebody_writes(ends[0]));
	close(ends[1]);
	EXPECT_FALSE(somebody_writes(ends[0]));
	/* Nothing of it is in the way of a good one. */
	EXPECT_OK(set_up(self->fd, VFIO_NESTED_RING_FAULT, 8, -1));
}

TEST_F(setup, refused_before_the_eventfd_is_kept)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	int i;

	ASSERT_LE(0, fd);
	for (i = 0; i < 1000; i++)
		EXPECT_EQ(-EINVAL, set_up(self->fd, VFIO_NESTED_RING_FAULT, 9, fd));
	EXPECT_OK(set_up(self->fd, VFIO_NESTED_RING_FAULT, 8, fd));
}

FIXTURE(map) {
	int fd;
	struct vfio_nested_setup_ring setup;
};

FIXTURE_SETUP(map)
{
	struct vn_ring ring;

	self->fd = vn_nested_open();
	ASSERT_LE(0, self->fd) TH_LOG("%s", vn_reason());
	EXPECT_EQ(MAP_FAILED, mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ,
				   MAP_SHARED, self->fd, 0));
	ASSERT_OK(vn_ring_open(&ring, self->fd, 1024, -1));
	self->setup = ring.setup;
	vn_ring_close(&ring);
}

FIXTURE_TEARDOWN(map)
{
	close(self->fd);
}

static void *try_map(const FIXTURE_DATA(map) *self, size_t size, int prot,
		     int flags, uint64_t offset)
{
	return mmap(NULL, size, prot, flags, self->fd, offset);
}

#define RW	(PROT_READ | PROT_WRITE)

TEST_F(map, what_is_refused)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t size = self->setup.mmap_size;
	uint64_t at = self->setup.mmap_offset;
	struct {
		size_t size;
		int prot;
		int flags;
		uint64_t offset;
		const char *what;
	} bad[] = {
		{ size + page, RW, MAP_SHARED, at, "larger" },
		{ size * 2, RW, MAP_SHARED, at, "twice as large" },
		{ size, RW, MAP_SHARED, at + page, "a page behind" },
		{ size, RW, MAP_SHARED, at + size, "behind the end" },
		{ size, RW, MAP_SHARED, at + 0x10000000, "another ring" },
		{ size, RW, MAP_SHARED, 0x7ffffff000ULL, "far off" },
		{ size, RW, MAP_PRIVATE, at, "private" },
		{ size, PROT_READ, MAP_PRIVATE, at, "private, to read" },
		{ size, RW | PROT_EXEC, MAP_SHARED, at, "executable" },
		{ size, PROT_READ | PROT_EXEC, MAP_SHARED, at, "executable" },
	};
	size_t i;

	for (i = 0; i < VN_ARRAY_SIZE(bad); i++) {
		const char *what = bad[i].what;

		EXPECT_EQ(MAP_FAILED, try_map(self, bad[i].size, bad[i].prot,
					      bad[i].flags, bad[i].offset))
			TH_LOG("%s", what);
	}
}

TEST_F(map, stays_as_it_was_made)
{
	size_t size = self->setup.mmap_size;
	void *map = try_map(self, size, RW, MAP_SHARED, self->setup.mmap_offset);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_NE(0, mprotect(map, size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(MAP_FAILED, mremap(map, size, size * 2, MREMAP_MAYMOVE));
	EXPECT_EQ(0, munmap(map, size));
}

TEST_F(map, two_show_the_same)
{
	size_t size = self->setup.mmap_size;
	uint64_t at = self->setup.mmap_offset;
	uint32_t *one = try_map(self, size, RW, MAP_SHARED, at);
	uint32_t *two = try_map(self, size, PROT_READ, MAP_SHARED, at);
	size_t consumer = self->setup.consumer_offset / sizeof(uint32_t);

	ASSERT_NE(MAP_FAILED, (void *)one);
	ASSERT_NE(MAP_FAILED, (void *)two);
	vn_write_once(&one[consumer], 0x1234);
	EXPECT_EQ(0x1234, vn_read_once(&two[consumer]));
	EXPECT_EQ(0, munmap(one, size));
	EXPECT_EQ(0x1234, vn_read_once(&two[consumer]));
}

TEST_F(map, outlives_the_file)
{
	size_t size = self->setup.mmap_size;
	uint8_t *map = try_map(self, size, RW, MAP_SHARED,
			       self->setup.mmap_offset);

	ASSERT_NE(MAP_FAILED, (void *)map);
	close(self->fd);
	memset(map, 0x55, size);
	EXPECT_EQ(0x55, map[size - 1]);
}

/* Delivery */
FIXTURE(ring) {
	struct vn_device *device;
	struct vn_guest guest;
	int eventfd;
	uint64_t page;
};

FIXTURE_SETUP(ring)
{
	struct vn_guest *guest = &self->guest;

	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_CAP(self->device, EVENTS);
	open_guest(_metadata, guest, self->device, STREAM, 0);
	self->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->eventfd);
	ASSERT_OK(vn_ring_open(&guest->ring, guest->fd, ENTRIES, self->eventfd));
	self->page = map_page(_metadata, guest, IOVA(0), VN_PROT_RW);
	ASSERT_OK(vn_guest_translate(guest, STREAM));
}

FIXTURE_TEARDOWN(ring)
{
	struct vfio_nested_stats stats;

	EXPECT_OK(vn_nested_stats(self->guest.fd, &stats));
	EXPECT_EQ(stats.events, stats.events_delivered + stats.events_lost);
	/* Whatever was done to the ring: DMA goes on. */
	EXPECT_LANDS(self->device, IOVA(0), self->page);
	unbind_all();
	vn_guest_close(&self->guest);
	close(self->eventfd);
}

static uint64_t events(struct vn_guest *guest)
{
	struct vfio_nested_stats stats;

	return vn_nested_stats(guest->fd, &stats) ? 0 : stats.events;
}

/* One event, at HOLE(@n), and waits until the kernel has counted it. */
static bool cause_event(const FIXTURE_DATA(ring) *self, unsigned int n)
{
	struct vn_guest guest = self->guest;
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;
	uint64_t before = events(&guest);

	vn_dma_write(self->device, HOLE(n));
	while (events(&guest) == before) {
		if (vn_now_ms() > end)
			return false;
		vn_sleep_ms(1);
	}
	return events(&guest) == before + 1;
}

#define CAUSE_EVENTS(from, to) do {					\
	unsigned int __n;						\
									\
	for (__n = from; __n < (to); __n++)				\
		ASSERT_TRUE(cause_event(self, __n))			\
			TH_LOG("event %u", __n);			\
} while (0)

static uint64_t eventfd_count(const FIXTURE_DATA(ring) *self)
{
	uint64_t count;

	return read(self->eventfd, &count, sizeof(count)) == sizeof(count) ?
	       count : 0;
}

static bool is_at(const struct vfio_nested_fault *fault, unsigned int n)
{
	return fault->kind == VFIO_NESTED_FAULT_EVENT &&
	       fault->virtual_id == STREAM && fault->address == HOLE(n);
}

TEST_F(ring, wraps)
{
	struct vfio_nested_fault fault;
	uint64_t last = 0;
	unsigned int n;

	for (n = 0; n < 5 * ENTRIES + 3; n++) {
		CAUSE_EVENTS(n, n + 1);
		ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &fault,
					  VN_TIMEOUT_MS));
		EXPECT_TRUE(is_at(&fault, n)) TH_LOG("record %u", n);
		EXPECT_LT(last, fault.timestamp);
		last = fault.timestamp;
	}
	EXPECT_EQ(n, vn_read_once(vn_ring_producer(&self->guest.ring)));
	EXPECT_EQ(0, vn_ring_lost(&self->guest.ring));
}

TEST_F(ring, counts_what_it_loses)
{
	struct vn_ring *ring = &self->guest.ring;
	struct vfio_nested_fault fault;
	struct vfio_nested_stats stats;
	unsigned int n;

	/* Full to the brim is not too full. */
	CAUSE_EVENTS(0, ENTRIES);
	EXPECT_EQ(ENTRIES, vn_ring_pending(ring));
	EXPECT_EQ(0, vn_ring_lost(ring));

	CAUSE_EVENTS(ENTRIES, ENTRIES + 5);
	EXPECT_EQ(ENTRIES, vn_ring_pending(ring));
	EXPECT_EQ(5, vn_ring_lost(ring));
	ASSERT_OK(vn_nested_stats(self->guest.fd, &stats));
	EXPECT_EQ(ENTRIES + 5, stats.events);
	EXPECT_EQ(ENTRIES, stats.events_delivered);
	EXPECT_EQ(5, stats.events_lost);

	/* The old ones are what stayed. */
	for (n = 0; n < ENTRIES; n++) {
		ASSERT_EQ(1, vn_ring_get(ring, &fault));
		EXPECT_TRUE(is_at(&fault, n)) TH_LOG("record %u", n);
	}
	EXPECT_EQ(0, vn_ring_get(ring, &fault));

	/* Room for one: one is delivered, at the right place. */
	CAUSE_EVENTS(20, 21);
	ASSERT_EQ(1, vn_ring_wait(ring, &fault, VN_TIMEOUT_MS));
	EXPECT_TRUE(is_at(&fault, 20));
	EXPECT_EQ(5, vn_ring_lost(ring));
}

TEST_F(ring, one_place_is_used_again)
{
	struct vn_ring *ring = &self->guest.ring;
	struct vfio_nested_fault fault;

	CAUSE_EVENTS(0, ENTRIES);
	ASSERT_EQ(1, vn_ring_get(ring, &fault));
	EXPECT_TRUE(is_at(&fault, 0));
	CAUSE_EVENTS(30, 32);
	EXPECT_EQ(ENTRIES, vn_ring_pending(ring));
	EXPECT_EQ(1, vn_ring_lost(ring));
	/* The newest is where the oldest was, and nothing else moved. */
	EXPECT_TRUE(is_at(vn_ring_record(ring, ENTRIES), 30));
	EXPECT_TRUE(is_at(vn_ring_record(ring, 1), 1));
}

/* A consumer index that cannot be is a full ring, for as long as it is there. */
TEST_F(ring, nonsense_in_the_consumer_index)
{
	static const uint32_t nonsense[] = {
		/* ahead by one, by many; behind by one too many, by very many */
		1, 1000, -(ENTRIES + 1), -1000, 0x80000000, 0x7fffffff,
	};
	struct vn_ring *ring = &self->guest.ring;
	struct vfio_nested_fault fault;
	uint32_t producer;
	unsigned int i;

	for (i = 0; i < VN_ARRAY_SIZE(nonsense); i++) {
		producer = vn_read_once(vn_ring_producer(ring));
		vn_write_once(vn_ring_consumer(ring), producer + nonsense[i]);
		vn_barrier();
		CAUSE_EVENTS(i, i + 1);
		EXPECT_EQ(i + 1, vn_ring_lost(ring))
			TH_LOG("producer %+d", (int32_t)nonsense[i]);
		EXPECT_EQ(producer, vn_read_once(vn_ring_producer(ring)));

		vn_write_once(vn_ring_consumer(ring), ring->consumer);
		vn_barrier();
		CAUSE_EVENTS(40 + i, 41 + i);
		ASSERT_EQ(1, vn_ring_wait(ring, &fault, VN_TIMEOUT_MS));
		EXPECT_TRUE(is_at(&fault, 40 + i));
	}
}

/* What the kernel writes it does not read back. */
TEST_F(ring, scribbling_over_what_the_kernel_writes)
{
	struct vn_ring *ring = &self->guest.ring;
	uint64_t *lost = ring->map + ring->setup.lost_offset;

	CAUSE_EVENTS(0, 2);
	vn_write_once(vn_ring_producer(ring), 0xdeadbeef);
	vn_write_once(lost, 12345);
	memset(vn_ring_record(ring, 0), 0xff,
	       (size_t)ENTRIES * ring->setup.record_size);
	vn_barrier();

	CAUSE_EVENTS(2, 3);
	EXPECT_EQ(3, vn_read_once(vn_ring_producer(ring)));
	EXPECT_TRUE(is_at(vn_ring_record(ring, 2), 2));
	/* Records that nobody read are not written again. */
	EXPECT_EQ(UINT32_MAX, vn_ring_record(ring, 1)->kind);
	EXPECT_EQ(UINT32_MAX, vn_ring_record(ring, 3)->kind);

	CAUSE_EVENTS(3, ENTRIES + 1);
	EXPECT_EQ(1, vn_ring_lost(ring));
	EXPECT_EQ(ENTRIES, vn_read_once(vn_ring_producer(ring)));
}

/* All of the mapping, by another thread, all the time */
TEST_F(ring, scribbling_all_the_time)
{
	struct vn_ring *ring = &self->guest.ring;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		for (unsigned int byte = 0;; byte += 37)
			memset(ring->map, byte, ring->setup.mmap_size);
	}
	CAUSE_EVENTS(0, 2 * ENTRIES);
	kill_vmm(_metadata, child);
	EXPECT_EQ(2 * ENTRIES, events(&self->guest));
}

TEST_F(ring, eventfd_is_signalled)
{
	struct vfio_nested_fault fault;

	EXPECT_EQ(0, eventfd_count(self));
	CAUSE_EVENTS(0, 1);
	ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(1, eventfd_count(self));
	CAUSE_EVENTS(1, 4);
	EXPECT_EQ(3, eventfd_count(self));
	/* Not for an access that succeeds */
	EXPECT_LANDS(self->device, IOVA(0), self->page);
	EXPECT_EQ(0, eventfd_count(self));
}

/* An eventfd at its largest value cannot be signalled; the kernel must not care. */
TEST_F(ring, eventfd_is_full)
{
	uint64_t most = UINT64_MAX - 1;
	struct vfio_nested_fault fault;

	ASSERT_EQ(sizeof(most), write(self->eventfd, &most, sizeof(most)));
	CAUSE_EVENTS(0, 3);
	ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_TRUE(is_at(&fault, 0));
}

TEST_F(ring, eventfd_is_closed)
{
	struct vfio_nested_fault fault;

	close(self->eventfd);
	self->eventfd = -1;
	CAUSE_EVENTS(0, 1);
	ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_TRUE(is_at(&fault, 0));
}

TEST_F(ring, poll)
{
	struct pollfd poll_fd = { .fd = self->guest.fd, .events = POLLIN };
	struct vfio_nested_fault fault;
	uint64_t start;
	pid_t child;

	EXPECT_EQ(0, poll(&poll_fd, 1, 0));
	CAUSE_EVENTS(0, 1);
	EXPECT_EQ(1, poll(&poll_fd, 1, VN_TIMEOUT_MS));
	EXPECT_EQ(POLLIN, poll_fd.revents);
	ASSERT_EQ(1, vn_ring_get(&self->guest.ring, &fault));
	EXPECT_EQ(0, poll(&poll_fd, 1, 0));

	/* One who waits already is woken. */
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		vn_sleep_ms(100);
		vn_dma_write(self->device, HOLE(1));
		_exit(0);
	}
	start = vn_now_ms();
	EXPECT_EQ(1, poll(&poll_fd, 1, VN_TIMEOUT_MS));
	EXPECT_GT(VN_TIMEOUT_MS, vn_now_ms() - start);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
}

/* Also who has been told before, and has left what there was in the ring */
TEST_F(ring, everybody_who_waits_is_told_of_each)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epolls[2];
	unsigned int i, n;

	for (i = 0; i < VN_ARRAY_SIZE(epolls); i++) {
		epolls[i] = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_LE(0, epolls[i]);
		ASSERT_EQ(0, epoll_ctl(epolls[i], EPOLL_CTL_ADD, self->guest.fd,
				       &event));
		EXPECT_EQ(0, epoll_wait(epolls[i], &event, 1, 0));
	}
	for (n = 0; n < ENTRIES; n++) {
		CAUSE_EVENTS(n, n + 1);
		for (i = 0; i < VN_ARRAY_SIZE(epolls); i++) {
			EXPECT_EQ(1, epoll_wait(epolls[i], &event, 1, VN_TIMEOUT_MS))
				TH_LOG("event %u, waiter %u", n, i);
			EXPECT_EQ(0, epoll_wait(epolls[i], &event, 1, 0));
		}
	}
	for (i = 0; i < VN_ARRAY_SIZE(epolls); i++)
		close(epolls[i]);
}

TEST_F(ring, unmapped_while_events_come)
{
	struct vn_ring *ring = &self->guest.ring;
	struct vfio_nested_fault fault;
	unsigned int n;

	CAUSE_EVENTS(0, 2);
	ASSERT_EQ(0, munmap(ring->map, ring->setup.mmap_size));
	CAUSE_EVENTS(2, 4);
	ring->map = mmap(NULL, ring->setup.mmap_size, RW, MAP_SHARED,
			 self->guest.fd, ring->setup.mmap_offset);
	ASSERT_NE(MAP_FAILED, ring->map);
	for (n = 0; n < 4; n++) {
		ASSERT_EQ(1, vn_ring_get(ring, &fault));
		EXPECT_TRUE(is_at(&fault, n));
	}
}

/* The mapping keeps the virtual IOMMU: who has only that still gets records. */
TEST_F(ring, file_is_closed_while_it_is_mapped)
{
	struct vn_ring *ring = &self->guest.ring;
	struct vfio_nested_fault fault;
	int again = dup(self->guest.fd);

	ASSERT_LE(0, again);
	close(self->guest.fd);
	self->guest.fd = again;
	CAUSE_EVENTS(0, 1);
	ASSERT_EQ(1, vn_ring_wait(ring, &fault, VN_TIMEOUT_MS));

	close(again);
	vn_dma_write(self->device, HOLE(1));
	EXPECT_EQ(1, vn_ring_wait(ring, &fault, VN_TIMEOUT_MS));
	EXPECT_TRUE(is_at(&fault, 1));

	/* For the teardown */
	unbind_all();
	vn_guest_close(&self->guest);
	start_guest(_metadata, &self->guest, self->device, 0);
	self->page = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
}

TEST_F(ring, child_reads)
{
	struct vfio_nested_fault fault;
	int status;
	pid_t child;

	CAUSE_EVENTS(0, 3);
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(!(vn_ring_get(&self->guest.ring, &fault) &&
			is_at(&fault, 0)));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	/* The index is shared memory: the parent goes on where the child was. */
	EXPECT_EQ(1, vn_read_once(vn_ring_consumer(&self->guest.ring)));
	CAUSE_EVENTS(3, 4);
	EXPECT_EQ(4, vn_read_once(vn_ring_producer(&self->guest.ring)));
}

/* Without a ring all are counted as lost, and none comes later. */
FIXTURE(no_ring) {
	struct vn_device *device;
	struct vn_guest guest;
};

FIXTURE_SETUP(no_ring)
{
	struct vn_guest *guest = &self->guest;

	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_CAP(self->device, EVENTS);
	open_guest(_metadata, guest, self->device, STREAM, 0);
	ASSERT_OK(vn_guest_translate(guest, STREAM));
}

FIXTURE_TEARDOWN(no_ring)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

TEST_F(no_ring, events_are_lost_and_counted)
{
	struct pollfd poll_fd = { .fd = self->guest.fd, .events = POLLIN };
	struct vfio_nested_stats stats;
	struct vfio_nested_fault fault;
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;
	unsigned int n;

	for (n = 0; n < 5; n++)
		vn_dma_write(self->device, HOLE(n));
	while (events(&self->guest) < 5 && vn_now_ms() < end)
		vn_sleep_ms(1);
	ASSERT_OK(vn_nested_stats(self->guest.fd, &stats));
	EXPECT_EQ(5, stats.events);
	EXPECT_EQ(5, stats.events_lost);
	EXPECT_EQ(0, stats.events_delivered);
	EXPECT_EQ(0, poll(&poll_fd, 1, 0));

	ASSERT_OK(vn_ring_open(&self->guest.ring, self->guest.fd, 8, -1));
	EXPECT_EQ(0, vn_ring_lost(&self->guest.ring));
	vn_dma_write(self->device, HOLE(7));
	ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_TRUE(is_at(&fault, 7));
}

TEST_MAIN_WITH_DEVICES(wants)
