// SPDX-License-Identifier: GPL-2.0
/*
 * Events: each way in which an access or its configuration can fail gives the
 * right record, in the guest's terms; none is lost without being counted; and a
 * device that floods the queue, which all guests share, harms its own guest only.
 */
#include <time.h>

#include "lib/testdev.h"
#include "test.h"

static const struct vn_want wants[] = {
	/* One event for each access, so that they can be counted */
	{ .caps = VN_ENGINE_ONE_EVENT | VN_ENGINE_FAST },
	{ .caps = VN_ENGINE_COPY },
	/* Of another virtual machine */
	{ .vm = 1, .caps = VN_ENGINE_FAST },
};

#define OTHER_STREAM	0x20
/*
 * Nothing is ever mapped there. Events that are equal may be merged into one, so
 * those that are to be counted have addresses of their own.
 */
#define HOLE		0x03000000ULL
#define HOLE_AT(n)	(HOLE + (n) % 4096 * VN_PAGE)
/* An IPA that stage 2 does not map */
#define NO_IPA		(VN_RAM_IPA + 16 * VN_RAM_SIZE)
#define PAGE_MASK	(~0xfffULL)

FIXTURE(event) {
	struct vn_device *device;
	struct vn_guest guest;
	uint64_t page;
};

FIXTURE_SETUP(event)
{
	self->device = vn_session->devices[0].fd >= 0 ? NEED_DEVICE(0) :
						      NEED_DEVICE(1);
	unbind_all();
	start_guest(_metadata, &self->guest, self->device, 0);
	self->page = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);
}

FIXTURE_TEARDOWN(event)
{
	struct vfio_nested_stats stats;

	EXPECT_OK(vn_nested_stats(self->guest.fd, &stats));
	EXPECT_EQ(stats.events, stats.events_delivered + stats.events_lost);
	unbind_all();
	vn_guest_close(&self->guest);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* What every record must be, whatever happened */
static void check_record(struct __test_metadata *_metadata,
			 const struct vfio_nested_fault *fault, uint32_t stream,
			 uint64_t after)
{
	unsigned int i;

	EXPECT_EQ(VFIO_NESTED_FAULT_EVENT, fault->kind);
	EXPECT_EQ(stream, fault->virtual_id);
	EXPECT_EQ(0, fault->cookie);
	EXPECT_EQ(0, fault->pasid);
	EXPECT_EQ(0, fault->group);
	EXPECT_EQ(0, fault->flags & VFIO_NESTED_FAULT_PASID);
	EXPECT_EQ(32, fault->raw_len);
	EXPECT_EQ(stream, vn_event_stream(fault));
	EXPECT_LE(after, fault->timestamp);
	EXPECT_GE(now_ns(), fault->timestamp);
	for (i = 0; i < VN_ARRAY_SIZE(fault->__reserved); i++)
		EXPECT_EQ(0, fault->__reserved[i]);
	/* What is not valid is not filled in. */
	if (!(fault->flags & VFIO_NESTED_FAULT_ADDRESS))
		EXPECT_EQ(0, fault->address);
	if (!(fault->flags & VFIO_NESTED_FAULT_IPA)) {
		EXPECT_EQ(0, fault->ipa);
		EXPECT_EQ(0, fault->raw[3]);
	}
}

/*
 * A write to @iova that fails gives a record of this event and this reason. Where
 * nothing at all is translated it need not be about @iova: a device that fetches
 * its commands from memory does not get that far.
 */
static struct vfio_nested_fault fail_write(struct __test_metadata *_metadata,
					   FIXTURE_DATA(event) *self,
					   uint64_t iova, uint8_t id,
					   uint32_t reason)
{
	struct vfio_nested_fault fault = {};
	uint64_t before;

	/* What a stopped device causes while it is started again is not ours. */
	vn_ring_drain(&self->guest.ring, 20);
	before = now_ns();
	EXPECT_REFUSED(self->device, iova);
	EXPECT_EQ(1, vn_ring_wait(&self->guest.ring, &fault, VN_TIMEOUT_MS));
	check_record(_metadata, &fault, STREAM, before);
	EXPECT_EQ(id, vn_event_id(&fault))
		TH_LOG("%s", vn_event_name(vn_event_id(&fault)));
	EXPECT_EQ(reason, fault.reason);
	EXPECT_TRUE(vn_intact(self->guest.vm, self->page));
	return fault;
}

/* Changes the entry that maps IOVA(0), before it was ever used. */
static void change_entry(FIXTURE_DATA(event) *self, uint64_t set, uint64_t clear)
{
	unsigned int level;
	uint64_t *entry = vn_s1_entry(&self->guest.s1, IOVA(0), &level);

	vn_write_once(entry, (*entry & ~clear) | set);
	vn_barrier();
}

#define ENTRY_READ_ONLY	VN_BIT(7)
#define ENTRY_ACCESSED	VN_BIT(10)
#define ENTRY_VALID	VN_BIT(0)

#define STAGE1_WRITE	(VFIO_NESTED_FAULT_ADDRESS | VFIO_NESTED_FAULT_WRITE)

TEST_F(event, translation)
{
	struct vfio_nested_fault fault;

	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	fault = fail_write(_metadata, self, HOLE, VN_EVENT_F_TRANSLATION,
			   VFIO_NESTED_REASON_TRANSLATION);
	EXPECT_EQ(STAGE1_WRITE, fault.flags);
	EXPECT_EQ(HOLE, fault.address & PAGE_MASK);
}

/* An address that has more bits than the tables translate */
TEST_F(event, beyond_the_tables)
{
	struct vfio_nested_fault fault;

	if (self->device->engine.caps & VN_ENGINE_28BIT)
		SKIP(return, "%s reaches 28 bits of address only",
		     self->device->pci.name);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	fault = fail_write(_metadata, self, 1ULL << VA_BITS,
			   VN_EVENT_F_TRANSLATION, VFIO_NESTED_REASON_TRANSLATION);
	EXPECT_EQ(1ULL << VA_BITS, fault.address & PAGE_MASK);
}

TEST_F(event, permission)
{
	struct vfio_nested_fault fault;

	change_entry(self, ENTRY_READ_ONLY, 0);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	fault = fail_write(_metadata, self, IOVA(0), VN_EVENT_F_PERMISSION,
			   VFIO_NESTED_REASON_PERMISSION);
	EXPECT_EQ(STAGE1_WRITE, fault.flags);
	EXPECT_EQ(IOVA(0), fault.address & PAGE_MASK);
}

TEST_F(event, access_flag)
{
	struct vfio_nested_fault fault;

	change_entry(self, 0, ENTRY_ACCESSED);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	fault = fail_write(_metadata, self, IOVA(0), VN_EVENT_F_ACCESS,
			   VFIO_NESTED_REASON_ACCESS);
	EXPECT_EQ(STAGE1_WRITE, fault.flags);
}

TEST_F(event, address_size)
{
	struct vfio_nested_fault fault;

	if (self->guest.smmu.output_bits >= 48)
		SKIP(return, "an entry cannot name an address that is too large");
	change_entry(self, VN_BIT(self->guest.smmu.output_bits), 0);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	fault = fail_write(_metadata, self, IOVA(0), VN_EVENT_F_ADDR_SIZE,
			   VFIO_NESTED_REASON_ADDRESS_SIZE);
	EXPECT_EQ(IOVA(0), fault.address & PAGE_MASK);
}

/* Stage 1 leads to an IPA that the VMM has not mapped. */
TEST_F(event, stage2)
{
	struct vfio_nested_fault fault;

	ASSERT_OK(vn_s1_map_at(&self->guest.s1, IOVA(2), NO_IPA, VN_PROT_RW,
			       VN_S1_LAST_LEVEL));
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	fault = fail_write(_metadata, self, IOVA(2), VN_EVENT_F_TRANSLATION,
			   VFIO_NESTED_REASON_TRANSLATION);
	EXPECT_EQ(STAGE1_WRITE | VFIO_NESTED_FAULT_STAGE2 | VFIO_NESTED_FAULT_IPA,
		  fault.flags);
	EXPECT_EQ(IOVA(2), fault.address & PAGE_MASK);
	EXPECT_EQ(NO_IPA, fault.ipa & PAGE_MASK);
}

/* A table of stage 1 lies where stage 2 maps nothing. */
TEST_F(event, stage2_of_a_table)
{
	struct vfio_nested_fault fault;
	uint64_t cd[VN_CD_WORDS];
	struct vn_stage1 s1 = self->guest.s1;

	s1.table = NO_IPA;
	vn_cd_fill(cd, &s1, &self->guest.smmu, ASID);
	vn_cd_write(vn_vm_va(self->guest.vm, self->guest.cd), cd);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	fault = fail_write(_metadata, self, IOVA(0), VN_EVENT_F_TRANSLATION,
			   VFIO_NESTED_REASON_TRANSLATION);
	EXPECT_TRUE(fault.flags & VFIO_NESTED_FAULT_STAGE2);
	if (!(self->device->engine.caps & VN_ENGINE_QUEUES))
		EXPECT_EQ(IOVA(0), fault.address & PAGE_MASK);
	EXPECT_EQ(NO_IPA, fault.ipa & PAGE_MASK);
}

/* The context descriptor lies there. */
TEST_F(event, stage2_of_the_descriptor)
{
	struct vfio_nested_fault fault;

	self->guest.cd = NO_IPA;
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	fault = fail_write(_metadata, self, IOVA(0), VN_EVENT_F_TRANSLATION,
			   VFIO_NESTED_REASON_TRANSLATION);
	EXPECT_TRUE(fault.flags & VFIO_NESTED_FAULT_STAGE2);
	EXPECT_EQ(NO_IPA, fault.ipa & PAGE_MASK);
}

TEST_F(event, bad_stream_table_entry)
{
	const uint64_t ste[2] = { 0, 0 };
	struct vfio_nested_fault fault;

	ASSERT_OK(vn_nested_set_ste(self->guest.fd, STREAM, ste));
	fault = fail_write(_metadata, self, IOVA(0), VN_EVENT_C_BAD_STE,
			   VFIO_NESTED_REASON_STREAM);
	EXPECT_EQ(0, fault.flags);
	/* What else is in an entry that is not valid does not matter. */
	ASSERT_OK(vn_nested_set_ste(self->guest.fd, STREAM,
				    (uint64_t[2]) { ~VN_STE0_V, ~0ULL }));
	fail_write(_metadata, self, IOVA(0), VN_EVENT_C_BAD_STE,
		   VFIO_NESTED_REASON_STREAM);
}

TEST_F(event, bad_context_descriptor)
{
	uint64_t *cd = vn_vm_va(self->guest.vm, self->guest.cd);

	vn_write_once(&cd[0], cd[0] & ~htole64(VN_CD0_V));
	vn_barrier();
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	fail_write(_metadata, self, IOVA(0), VN_EVENT_C_BAD_CD,
		   VFIO_NESTED_REASON_CONTEXT);
}

/* A guest that asks for stalls without leave gets none of its DMA stalled. */
TEST_F(event, stall_without_leave)
{
	uint64_t *cd = vn_vm_va(self->guest.vm, self->guest.cd);
	struct vfio_nested_fault fault;

	if (self->guest.info.caps & VFIO_NESTED_CAP_STALL)
		SKIP(return, "the guest may use stalls here");
	vn_write_once(&cd[0], cd[0] | htole64(VN_CD0_S));
	vn_barrier();
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	EXPECT_REFUSED(self->device, HOLE);
	ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(VFIO_NESTED_FAULT_EVENT, fault.kind);
	EXPECT_EQ(0, le64toh(fault.raw[1]) & VN_BIT(31));
}

TEST_F(event, every_one_is_counted)
{
	unsigned int total = self->device->engine.caps & VN_ENGINE_FAST ? 300 : 70;
	struct vfio_nested_stats stats;
	uint64_t end;
	unsigned int n;

	if (!(self->device->engine.caps & VN_ENGINE_ONE_EVENT))
		SKIP(return, "%s causes more than one event for an access",
		     self->device->pci.name);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	for (n = 0; n < total; n++)
		EXPECT_REFUSED(self->device, HOLE_AT(n));
	end = vn_now_ms() + VN_TIMEOUT_MS;
	do {
		vn_sleep_ms(1);
		ASSERT_OK(vn_nested_stats(self->guest.fd, &stats));
	} while (stats.events < total && vn_now_ms() < end);
	EXPECT_EQ(total, stats.events);
	EXPECT_EQ(RING, stats.events_delivered);
	EXPECT_EQ(total - RING, stats.events_lost);
	EXPECT_EQ(total - RING, vn_ring_lost(&self->guest.ring));
}

TEST_F(event, none_after_unbind)
{
	struct vfio_nested_stats before, after;
	unsigned int i;

	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	for (i = 0; i < 10; i++)
		vn_dma_write(self->device, HOLE_AT(i));
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	/* All that were on their way have arrived when unbind returns. */
	ASSERT_OK(vn_nested_stats(self->guest.fd, &before));
	EXPECT_LE(10, before.events);
	EXPECT_REFUSED(self->device, HOLE);
	vn_sleep_ms(50);
	ASSERT_OK(vn_nested_stats(self->guest.fd, &after));
	EXPECT_EQ(before.events, after.events);
}

/* What the old owner's DMA caused does not reach the next one. */
TEST_F(event, none_of_the_owner_before)
{
	struct vfio_nested_stats stats;
	struct vn_guest next = {};
	unsigned int i, round;

	for (round = 0; round < 20; round++) {
		ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
		for (i = 0; i < 5; i++)
			vn_dma_write(self->device, HOLE_AT(i));
		ASSERT_OK(vn_nested_unbind(self->device->fd));

		next.fd = vn_nested_open();
		ASSERT_LE(0, next.fd);
		ASSERT_OK(vn_nested_bind(self->device->fd, next.fd, STREAM + 1));
		ASSERT_OK(vn_nested_unbind(self->device->fd));
		ASSERT_OK(vn_nested_stats(next.fd, &stats));
		EXPECT_EQ(0, stats.events);
		close(next.fd);
		ASSERT_OK(vn_nested_bind(self->device->fd, self->guest.fd,
					 STREAM));
	}
}

/* Reads fail too: with an engine that reads memory. */
FIXTURE(reader) {
	struct vn_device *device;
	struct vn_guest guest;
};

FIXTURE_SETUP(reader)
{
	self->device = NEED_DEVICE(1);
	unbind_all();
	start_guest(_metadata, &self->guest, self->device, 0);
}

FIXTURE_TEARDOWN(reader)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

TEST_F(reader, read_fault)
{
	struct vfio_nested_fault fault;
	uint64_t page = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);

	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	vn_dma_copy(self->device, HOLE, IOVA(0));
	ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(VN_EVENT_F_TRANSLATION, vn_event_id(&fault));
	EXPECT_EQ(VFIO_NESTED_FAULT_ADDRESS | VFIO_NESTED_FAULT_READ, fault.flags);
	EXPECT_EQ(HOLE, fault.address & PAGE_MASK);
	EXPECT_FALSE(self->device->ops->wrote(self->device,
					      vn_vm_va(self->guest.vm, page)));
}

/* One guest floods the event queue; another one works. */
FIXTURE(flood) {
	struct vn_device *flooder;
	struct vn_device *victim;
	struct vn_guest bad;
	struct vn_guest good;
	uint64_t page;
};

FIXTURE_SETUP(flood)
{
	self->flooder = vn_session->devices[0].fd >= 0 ? NEED_DEVICE(0) :
						       NEED_DEVICE(1);
	self->victim = NEED_DEVICE(2);
	unbind_all();
	start_guest(_metadata, &self->bad, self->flooder, 0);
	open_guest(_metadata, &self->good, self->victim, OTHER_STREAM, 0);
	ASSERT_OK(vn_ring_open(&self->good.ring, self->good.fd, RING, -1));
	self->page = map_page(_metadata, &self->good, IOVA(0), VN_PROT_RW);
	ASSERT_OK(vn_guest_translate(&self->bad, STREAM));
	ASSERT_OK(vn_guest_translate(&self->good, OTHER_STREAM));
}

FIXTURE_TEARDOWN(flood)
{
	unbind_all();
	vn_guest_close(&self->bad);
	vn_guest_close(&self->good);
}

/* What the kernel takes from one device: at once, and in each second after that. */
#define BURST		4096
#define PER_SECOND	2048

/* As many refused accesses as the device can make at once; how many that is */
static unsigned int be_refused(struct vn_device *device, unsigned int n)
{
	const struct vn_access all = {
		.op = VN_OP_WRITE,
		.iova = HOLE_AT(n),
		.length = VN_TESTDEV_OUTSTANDING * sizeof(uint32_t),
		.outstanding = VN_TESTDEV_OUTSTANDING,
	};
	struct vn_channel_status status;

	if (!vn_testdev_is(&device->pci)) {
		vn_dma_write(device, HOLE_AT(n));
		return 1;
	}
	vn_testdev_run(device, 0, &all, &status);
	return all.outstanding;
}

/*
 * Faults until the kernel has had enough; false if it takes all there is. In @events
 * is how many that are, and in @limit how many are allowed.
 */
static bool flood_until_throttled(struct __test_metadata *_metadata,
				  FIXTURE_DATA(flood) *self, uint64_t *events,
				  uint64_t *limit)
{
	uint64_t start = vn_now_ms(), end = start + 4 * VN_TIMEOUT_MS;
	struct vfio_nested_stats stats = {};
	unsigned int i;

	while (!stats.events_throttled && vn_now_ms() < end) {
		for (i = 0; i < 512; i += be_refused(self->flooder, i))
			;
		/* The other guest neither loses its DMA... */
		EXPECT_LANDS(self->victim, IOVA(0), self->page);
		if (vn_nested_stats(self->bad.fd, &stats))
			return false;
	}
	*events = stats.events;
	*limit = BURST + (vn_now_ms() - start) * PER_SECOND / 1000;
	return stats.events_throttled;
}

TEST_F_TIMEOUT(flood, harms_the_flooder_only, SLOW)
{
	struct vfio_nested_fault fault;
	struct vfio_nested_stats stats;
	uint64_t events = 0, limit = 0;
	uint64_t quiet;
	unsigned int i;

	if (!flood_until_throttled(_metadata, self, &events, &limit)) {
		ASSERT_NE(0, events);
		ASSERT_LT(events, limit);
		SKIP(return, "%llu events, where %llu are allowed, are no flood",
		     (unsigned long long)events, (unsigned long long)limit);
	}

	/* The flooder is quiet until its VMM sets a context. */
	do {
		quiet = events;
		vn_sleep_ms(200);
		ASSERT_OK(vn_nested_stats(self->bad.fd, &stats));
		events = stats.events;
	} while (events != quiet);
	EXPECT_EQ(1, stats.events_throttled);
	EXPECT_EQ(stats.events, stats.events_delivered + stats.events_lost);

	/*
	 * ... nor its events, as soon as the hardware has room for them: a queue that has
	 * overflowed is full until what the flooder left there has been taken out.
	 */
	vn_dma_write(self->victim, HOLE);
	ASSERT_EQ(1, vn_ring_wait(&self->good.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(OTHER_STREAM, fault.virtual_id);
	EXPECT_EQ(HOLE, fault.address & PAGE_MASK);
	ASSERT_OK(vn_nested_stats(self->good.fd, &stats));
	EXPECT_EQ(0, stats.events_throttled);
	/* Others cause many at once, more than the ring has room for. */
	if (self->victim->engine.caps & VN_ENGINE_ONE_EVENT)
		EXPECT_EQ(0, stats.events_lost);

	for (i = 0; i < 100; i++)
		vn_dma_write(self->flooder, HOLE);
	vn_sleep_ms(20);
	ASSERT_OK(vn_nested_stats(self->bad.fd, &stats));
	EXPECT_EQ(quiet, stats.events);

	ASSERT_OK(vn_guest_translate(&self->bad, STREAM));
	vn_ring_drain(&self->bad.ring, 0);
	vn_dma_write(self->flooder, HOLE);
	EXPECT_EQ(1, vn_ring_wait(&self->bad.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(STREAM, fault.virtual_id);
}

/* Reads all records; returns how many of them say that it was too many. */
static unsigned int read_flood(struct vn_ring *ring, unsigned int *records)
{
	struct vfio_nested_fault fault;
	unsigned int throttled = 0;

	for (; vn_ring_get(ring, &fault); (*records)++)
		throttled += !!(fault.flags & VFIO_NESTED_FAULT_THROTTLED);
	return throttled;
}

/*
 * One record says so, to a VMM that reads all of them: it has the largest ring,
 * and the device waits when the kernel is far behind.
 */
TEST_F_TIMEOUT(flood, one_record_says_so, SLOW)
{
	uint64_t end = vn_now_ms() + 4 * VN_TIMEOUT_MS;
	unsigned int writes = 0, records = 0, told = 0, i;
	struct vfio_nested_stats stats;

	if (!(self->flooder->engine.caps & VN_ENGINE_ONE_EVENT))
		SKIP(return, "%s causes more than one event for an access",
		     self->flooder->pci.name);
	vn_guest_close(&self->bad);
	ASSERT_OK(vn_nested_unbind(self->flooder->fd));
	open_guest(_metadata, &self->bad, self->flooder, STREAM, 0);
	ASSERT_OK(vn_ring_open(&self->bad.ring, self->bad.fd,
			       self->bad.info.ring_entries_max, -1));
	ASSERT_OK(vn_guest_translate(&self->bad, STREAM));

	do {
		for (i = 0; i < 256; i += be_refused(self->flooder, i))
			;
		writes += i;
		do {
			told += read_flood(&self->bad.ring, &records);
			ASSERT_OK(vn_nested_stats(self->bad.fd, &stats));
		} while (writes - records > self->bad.info.ring_entries_max / 2 &&
			 !stats.events_throttled && vn_now_ms() < end);
	} while (!stats.events_throttled && vn_now_ms() < end);
	if (!stats.events_throttled)
		SKIP(return, "%u events in %u s are no flood", records,
		     4 * VN_TIMEOUT_MS / 1000);

	/* The kernel may be behind. */
	end = vn_now_ms() + VN_TIMEOUT_MS;
	do {
		vn_sleep_ms(50);
		ASSERT_OK(vn_nested_stats(self->bad.fd, &stats));
		told += read_flood(&self->bad.ring, &records);
	} while (stats.events != records && vn_now_ms() < end);
	EXPECT_EQ(1, told);
	EXPECT_EQ(stats.events, records);
	EXPECT_EQ(0, stats.events_lost);
	EXPECT_EQ(1, stats.events_throttled);
	EXPECT_LANDS(self->victim, IOVA(0), self->page);
}

/* Unbinding, closing and binding again in the middle of it */
TEST_F_TIMEOUT(flood, and_leave, SLOW)
{
	unsigned int round, i;

	for (round = 0; round < 10; round++) {
		for (i = 0; i < 256; i += be_refused(self->flooder, i))
			;
		ASSERT_OK(vn_nested_unbind(self->flooder->fd));
		vn_guest_close(&self->bad);
		start_guest(_metadata, &self->bad, self->flooder, 0);
		ASSERT_OK(vn_guest_translate(&self->bad, STREAM));
	}
	EXPECT_LANDS(self->victim, IOVA(0), self->page);
}

TEST_MAIN_WITH_DEVICES(wants)
