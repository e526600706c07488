/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of recoverable faults share: a guest whose device waits, data that
 * says which channel of the device wrote it, and the books that must agree when a
 * test is over.
 */
#ifndef VN_FAULTS_H
#define VN_FAULTS_H

#include <inttypes.h>
#include <time.h>

#include "capability.h"
#include "fault.h"
#include "test.h"
#include "testdev.h"

/* Each channel has a page of the buffer, behind that of the engine. */
#define BUFFER_OF(channel)	(VN_PAGE * ((channel) + 1))

/* A device may do what takes it longer than a test should wait. */
#define SOON_MS			50

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* What channel @channel writes at @offset; memory that nobody wrote holds neither. */
static inline uint8_t data_of(unsigned int channel, unsigned int offset)
{
	return 1 + (channel * 31 + offset * 7) % 160;
}

static inline void fill_buffer(struct vn_device *device, unsigned int channel,
			       unsigned int size)
{
	uint8_t data[VN_PAGE];
	unsigned int i;

	for (i = 0; i < size; i++)
		data[i] = data_of(channel, i);
	vn_testdev_buffer_write(device, BUFFER_OF(channel), data, size);
}

/* @size bytes of guest memory hold what the channel wrote from @offset on. */
static inline bool holds(struct vn_vm *vm, uint64_t ipa, unsigned int channel,
			 unsigned int offset, unsigned int size)
{
	const uint8_t *va = vn_vm_va(vm, ipa);
	unsigned int i;

	for (i = 0; i < size; i++)
		if (vn_read_once(&va[i]) != data_of(channel, offset + i))
			return false;
	return true;
}

/* Starts to write @size bytes; the device waits if the IOMMU stalls it. */
static inline void start_write(struct __test_metadata *_metadata,
			       struct vn_device *device, unsigned int channel,
			       uint64_t iova, unsigned int size, uint32_t pasid)
{
	const struct vn_access access = {
		.op = VN_OP_WRITE, .flags = VN_ACCESS_STALL, .iova = iova,
		.length = size, .buffer = BUFFER_OF(channel), .pasid = pasid,
	};

	fill_buffer(device, channel, size);
	ASSERT_OK(vn_testdev_start(device, channel, &access));
}

/* The next fault of the kind; the test is over without one. */
static inline struct vfio_nested_fault
next_fault(struct __test_metadata *_metadata, struct vn_guest *guest,
	   enum vfio_nested_fault_kind kind)
{
	struct vfio_nested_fault fault = {};

	ASSERT_EQ(1, vn_fault_wait(&guest->ring, kind, &fault, VN_TIMEOUT_MS))
		TH_LOG("no recoverable fault came");
	return fault;
}

/* The channel finishes now, in this way. */
#define EXPECT_CHANNEL(device, channel, wanted_state, wanted_error) do {	\
	struct vn_channel_status __status = {};					\
										\
	EXPECT_OK(vn_testdev_wait(device, channel, VN_TIMEOUT_MS, &__status));	\
	EXPECT_EQ(wanted_state, __status.state)					\
		TH_LOG("channel %u is %s: %s", channel,				\
		       vn_channel_state_name(__status.state),			\
		       vn_channel_error_name(__status.error));			\
	EXPECT_EQ(wanted_error, __status.error);				\
} while (0)

#define EXPECT_DONE(device, channel) \
	EXPECT_CHANNEL(device, channel, VN_CHANNEL_OK, VN_ERROR_NONE)
#define EXPECT_FAILED(device, channel, error) \
	EXPECT_CHANNEL(device, channel, VN_CHANNEL_ERROR, error)

/* Each fault that the hardware raised is counted exactly once. */
static inline struct vfio_nested_stats
expect_balance(struct __test_metadata *_metadata, int nested_fd)
{
	struct vfio_nested_stats stats = {};

	EXPECT_OK(vn_faults_balance(nested_fd, &stats));
	return stats;
}

/* Waits until @counter of the statistics is @want. */
#define EXPECT_STATS(nested_fd, counter, want) do {			\
	uint64_t __end = vn_now_ms() + VN_TIMEOUT_MS;			\
	struct vfio_nested_stats __stats;				\
									\
	do {								\
		ASSERT_OK(vn_nested_stats(nested_fd, &__stats));	\
	} while (__stats.counter != (want) && vn_now_ms() < __end);	\
	EXPECT_EQ(want, __stats.counter) TH_LOG(#counter);		\
} while (0)

/*
 * A guest whose device may stall, with a ring of @entries records and a table of
 * 1 << @cdmax PASIDs (0: none).
 */
static inline void start_stalls(struct __test_metadata *_metadata,
				struct vn_guest *guest, struct vn_device *device,
				uint32_t stream, uint32_t entries,
				unsigned int cdmax)
{
	open_guest(_metadata, guest, device, stream, 0);
	if (cdmax)
		ASSERT_OK(vn_guest_pasids(guest, cdmax));
	vn_guest_stalls(guest);
	ASSERT_OK(vn_ring_open(&guest->ring, guest->fd, entries, -1));
	ASSERT_OK(vn_guest_translate(guest, stream));
}

/*
 * The end of every test: the device is quiet, what was pending is aborted, and the
 * books agree, before as after.
 */
static inline void stop_guest(struct __test_metadata *_metadata,
			      struct vn_guest *guest)
{
	struct vfio_nested_stats before, after;

	before = expect_balance(_metadata, guest->fd);
	unbind_all();
	after = expect_balance(_metadata, guest->fd);
	EXPECT_EQ(0, after.faults_pending);
	EXPECT_LE(before.faults_aborted + before.faults_pending,
		  after.faults_aborted + after.faults_moved +
		  (after.faults_expired - before.faults_expired));
	vn_guest_close(guest);
}

/* --- Page requests ---------------------------------------------------------- */

/* A guest whose device asks for pages, for itself and for one PASID */
struct asking {
	struct vn_device *device;
	struct vn_guest guest;
	struct vn_space space;
	uint32_t bad_responses;
};

static inline void start_asking(struct __test_metadata *_metadata,
				struct asking *asking, struct vn_device *device,
				uint32_t stream, uint32_t credits)
{
	struct vn_guest *guest = &asking->guest;

	asking->device = device;
	/* Behaviour that a test asks for would go with the device's start. */
	ASSERT_OK(vn_engine_revive(device));
	asking->bad_responses = vn_testdev_count(device, VN_COUNT_BAD_RESPONSES);
	open_guest(_metadata, guest, device, stream, 0);
	ASSERT_OK(vn_ring_open(&guest->ring, guest->fd, RING, -1));
	ASSERT_OK(vn_guest_pasids(guest, 4));
	ASSERT_OK(vn_guest_space(guest, &asking->space, THE_PASID, ASID + 1));
	guest->ats = true;
	ASSERT_OK(vn_device_enable_pasid(device));
	ASSERT_OK(vn_device_enable_ats(device, true));
	ASSERT_OK(vn_guest_translate(guest, stream));
	ASSERT_OK(vn_device_enable_pri(device, credits));
}

/*
 * All that the device has asked for is answered when it is taken away; no answer
 * was to something that it has not asked for. (A reset clears its counter.)
 */
static inline void stop_asking(struct __test_metadata *_metadata,
			       struct asking *asking)
{
	unsigned int i;

	for (i = 0; i < VN_TESTDEV_CHANNELS; i++)
		vn_testdev_stop(asking->device, i);
	stop_guest(_metadata, &asking->guest);
	EXPECT_GE(asking->bad_responses,
		  vn_testdev_count(asking->device, VN_COUNT_BAD_RESPONSES));
	EXPECT_OK(vn_testdev_quiet(asking->device));
}

/* Starts to write where no page is; 0 or a negative error. */
static inline int start_request(struct vn_device *device, unsigned int channel,
				uint64_t iova, uint32_t size, uint32_t pasid)
{
	const struct vn_access access = {
		.op = VN_OP_WRITE, .flags = VN_ACCESS_ATS | VN_ACCESS_PRI,
		.iova = iova, .length = size, .buffer = BUFFER_OF(channel),
		.pasid = pasid,
	};

	fill_buffer(device, channel, size);
	return vn_testdev_start(device, channel, &access);
}

static inline void ask(struct __test_metadata *_metadata,
		       struct vn_device *device, unsigned int channel,
		       uint64_t iova, uint32_t size, uint32_t pasid)
{
	ASSERT_OK(start_request(device, channel, iova, size, pasid));
}

static inline struct vfio_nested_fault
next_request(struct __test_metadata *_metadata, struct vn_guest *guest)
{
	return next_fault(_metadata, guest, VFIO_NESTED_FAULT_PAGE_REQUEST);
}

/*
 * The device's requests ended with its binding: it is told at once, but may find that
 * its translation services are off before it looks at the answer.
 */
static inline void expect_ended(struct __test_metadata *_metadata,
				struct vn_device *device, unsigned int channel)
{
	struct vn_channel_status status = {};

	EXPECT_OK(vn_testdev_wait(device, channel, VN_TIMEOUT_MS, &status));
	EXPECT_EQ(VN_CHANNEL_ERROR, status.state);
	EXPECT_TRUE(status.error == VN_ERROR_PAGE_INVALID ||
		    status.error == VN_ERROR_DISABLED)
		TH_LOG("channel %u: %s", channel,
		       vn_channel_error_name(status.error));
}

/* A page of guest memory at @iova of the stage 1 for @pasid */
static inline uint64_t map_for(struct __test_metadata *_metadata,
			       struct asking *asking, uint32_t pasid,
			       uint64_t iova)
{
	struct vn_stage1 *s1 = pasid ? &asking->space.s1 : &asking->guest.s1;
	uint64_t ipa = vn_guest_page(&asking->guest);

	ASSERT_NE(0, ipa);
	ASSERT_OK(vn_s1_map_at(s1, iova, ipa, VN_PROT_RW, VN_S1_LAST_LEVEL));
	return ipa;
}

/* --- Waiting, in whichever way a device can ---------------------------------- */

/* Credits that the guest gives for page requests */
#define WAITING_CREDITS	64

/* Skips the test unless the device may stall, or ask for pages. */
#define NEED_WAITING(device) do {					\
	struct vfio_nested_info __info;					\
									\
	ASSERT_OK(vn_nested_info((device)->fd, &__info, NULL));		\
	if (!(__info.caps & (VFIO_NESTED_CAP_STALL | VFIO_NESTED_CAP_PRI)))\
		SKIP(return, "%.15s: a guest has no recoverable faults here",\
		     (device)->pci.name);				\
} while (0)

static inline bool has_stalls(const struct vn_guest *guest)
{
	return guest->info.caps & VFIO_NESTED_CAP_STALL;
}

/* A guest whose device stalls if it may, and else asks for pages, without PASID */
static inline void start_waiting(struct __test_metadata *_metadata,
				 struct vn_guest *guest, struct vn_device *device,
				 uint32_t stream, uint32_t entries)
{
	vn_nested_unbind(device->fd);
	ASSERT_OK(vn_engine_revive(device));
	open_guest(_metadata, guest, device, stream, 0);
	ASSERT_OK(vn_ring_open(&guest->ring, guest->fd, entries, -1));
	if (has_stalls(guest))
		vn_guest_stalls(guest);
	else
		guest->ats = true;
	ASSERT_OK(vn_guest_translate(guest, stream));
	if (has_stalls(guest))
		return;
	ASSERT_OK(vn_device_enable_ats(device, true));
	ASSERT_OK(vn_device_enable_pri(device, WAITING_CREDITS));
}

static inline uint32_t waiting_flags(const struct vn_guest *guest)
{
	return has_stalls(guest) ? VN_ACCESS_STALL : VN_ACCESS_ATS | VN_ACCESS_PRI;
}

/* Starts to write @size bytes; the device waits if nothing is mapped there. */
static inline void write_waiting(struct __test_metadata *_metadata,
				 const struct vn_guest *guest,
				 struct vn_device *device, unsigned int channel,
				 uint64_t iova, unsigned int size)
{
	const struct vn_access access = {
		.op = VN_OP_WRITE, .flags = waiting_flags(guest), .iova = iova,
		.length = size, .buffer = BUFFER_OF(channel),
	};

	fill_buffer(device, channel, size);
	ASSERT_OK(vn_testdev_start(device, channel, &access));
}

static inline struct vfio_nested_fault
next_waiting(struct __test_metadata *_metadata, struct vn_guest *guest)
{
	return next_fault(_metadata, guest, has_stalls(guest) ?
			  VFIO_NESTED_FAULT_STALL :
			  VFIO_NESTED_FAULT_PAGE_REQUEST);
}

#define EXPECT_WAITING(device, channel) do {				\
	enum vn_channel_state __state =					\
		vn_testdev_status(device, channel).state;		\
									\
	EXPECT_TRUE(__state == VN_CHANNEL_STALLED ||			\
		    __state == VN_CHANNEL_WAITING)			\
		TH_LOG("channel %u is %s", channel,			\
		       vn_channel_state_name(__state));			\
} while (0)

/* What the device is told when its access is aborted; when nobody can answer any more */
static inline enum vn_channel_error aborted(const struct vn_guest *guest)
{
	return has_stalls(guest) ? VN_ERROR_ABORTED : VN_ERROR_PAGE_INVALID;
}

#define EXPECT_ABORTED(guest, device, channel)				\
	EXPECT_FAILED(device, channel, aborted(guest))
#define EXPECT_ENDED(guest, device, channel) do {			\
	if (has_stalls(guest))						\
		EXPECT_FAILED(device, channel, VN_ERROR_ABORTED);	\
	else								\
		expect_ended(_metadata, device, channel);		\
} while (0)

#endif /* VN_FAULTS_H */
