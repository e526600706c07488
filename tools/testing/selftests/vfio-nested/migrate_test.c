// SPDX-License-Identifier: GPL-2.0
/*
 * A device that is stopped: what it had outstanding stays, and can be taken to
 * another virtual IOMMU, where its guest goes on as if nothing had been. What cannot
 * be taken there is said; what comes from there is not believed.
 */
#include <stdlib.h>

#include "faults.h"

static const struct vn_want wants[] = {
	{ .engine = VN_TESTDEV },
};

/* All of them are outstanding when the device is stopped. */
#define PENDING		3
#define CREDITS		PENDING
#define SIZE		128
#define PAGE_AT(n)	(IOVA(0) + (n) * VN_PAGE)
#define RETRY		VFIO_NESTED_RESPONSE_RETRY
#define ABORT		VFIO_NESTED_RESPONSE_ABORT
#define RUN		VFIO_NESTED_RUN
#define STOP		VFIO_NESTED_STOP

struct saved {
	struct vfio_nested_state state;
	struct vfio_nested_fault records[16];
};

/* --- Stopped ------------------------------------------------------------------- */

FIXTURE(stop) {
	struct vn_device *device;
	struct vn_guest guest;
	uint64_t page;
};

FIXTURE_SETUP(stop)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_CAP(self->device, STALL);
	ASSERT_OK(vn_engine_revive(self->device));
	start_stalls(_metadata, &self->guest, self->device, STREAM, RING, 0);
	self->page = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);
}

FIXTURE_TEARDOWN(stop)
{
	vn_pci_policy(self->device->pci.name, "fault_deadline_ms", "10000");
	ASSERT_OK(vn_testdev_quiet(self->device));
	stop_guest(_metadata, &self->guest);
}

TEST_F(stop, no_access_passes)
{
	struct vfio_nested_stats stats;
	unsigned int round;

	for (round = 0; round < 3; round++) {
		ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, STOP));
		/* What is so already */
		ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, STOP));
		start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
		EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);
		start_write(_metadata, self->device, 1, IOVA(1), SIZE, VN_NO_PASID);
		EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);
		EXPECT_TRUE(vn_intact(self->guest.vm, self->page));
		EXPECT_EQ(0, vn_ring_drain(&self->guest.ring, SOON_MS));
		stats = expect_balance(_metadata, self->guest.fd);
		EXPECT_EQ(0, stats.faults);
		EXPECT_EQ(0, stats.events);

		ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, RUN));
		ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, RUN));
		start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
		EXPECT_DONE(self->device, 1);
		EXPECT_TRUE(holds(self->guest.vm, self->page, 1, 0, SIZE));
		vn_poison(self->guest.vm, self->page);
	}
	EXPECT_EQ(-ENOENT, vn_nested_set_run(self->guest.fd, STREAM + 1, STOP));
}

/* What is pending stays pending: no answer, no deadline. */
TEST_F(stop, pending_faults_stay)
{
	struct vfio_nested_fault fault;
	struct vfio_nested_stats stats;
	uint64_t ipa;

	ASSERT_OK(vn_nested_unbind(self->device->fd));
	ASSERT_OK(vn_pci_policy(self->device->pci.name, "fault_deadline_ms",
				"3000"));
	ASSERT_OK(vn_guest_bind(&self->guest, self->device, STREAM));
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	start_write(_metadata, self->device, 1, IOVA(1), SIZE, VN_NO_PASID);
	fault = next_fault(_metadata, &self->guest, VFIO_NESTED_FAULT_STALL);
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, STOP));
	EXPECT_EQ(-EBUSY, vn_respond(self->guest.fd, fault.cookie, RETRY));
	EXPECT_EQ(-EBUSY, vn_guest_answer(&self->guest, &fault, RETRY));
	vn_sleep_ms(4500);
	EXPECT_EQ(VN_CHANNEL_STALLED, vn_testdev_status(self->device, 1).state);
	stats = expect_balance(_metadata, self->guest.fd);
	EXPECT_EQ(1, stats.faults_pending);
	EXPECT_EQ(0, stats.faults_expired);

	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, RUN));
	ipa = map_page(_metadata, &self->guest, IOVA(1), VN_PROT_RW);
	ASSERT_OK(vn_respond(self->guest.fd, fault.cookie, RETRY));
	EXPECT_DONE(self->device, 1);
	EXPECT_TRUE(holds(self->guest.vm, ipa, 1, 0, SIZE));

	/* And the deadline goes on where it stood. */
	start_write(_metadata, self->device, 1, IOVA(2), SIZE, VN_NO_PASID);
	fault = next_fault(_metadata, &self->guest, VFIO_NESTED_FAULT_STALL);
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, STOP));
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, RUN));
	EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);
	EXPECT_EQ(-ETIMEDOUT, vn_respond(self->guest.fd, fault.cookie, RETRY));
	EXPECT_STATS(self->guest.fd, faults_expired, 1);
}

/* A context that is set meanwhile is in force when it runs. */
TEST_F(stop, context_meanwhile)
{
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, STOP));
	ASSERT_OK(vn_nested_set_context(self->guest.fd, STREAM,
					VFIO_NESTED_CONTEXT_BYPASS));
	start_write(_metadata, self->device, 1, self->page, SIZE, VN_NO_PASID);
	EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);
	EXPECT_TRUE(vn_intact(self->guest.vm, self->page));
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, RUN));
	start_write(_metadata, self->device, 1, self->page, SIZE, VN_NO_PASID);
	EXPECT_DONE(self->device, 1);
	EXPECT_TRUE(holds(self->guest.vm, self->page, 1, 0, SIZE));
}

/* Unbinding and closing need no run before. */
TEST_F(stop, unbind)
{
	start_write(_metadata, self->device, 1, IOVA(1), SIZE, VN_NO_PASID);
	next_fault(_metadata, &self->guest, VFIO_NESTED_FAULT_STALL);
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, STOP));
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);
	EXPECT_STATS(self->guest.fd, faults_aborted, 1);
	ASSERT_OK(vn_guest_bind(&self->guest, self->device, STREAM));
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	EXPECT_DONE(self->device, 1);
}

TEST_F(stop, reset)
{
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, STOP));
	ASSERT_OK(vn_device_reset(self->device, VN_RESET_VFIO));
	start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, RUN));
	start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	EXPECT_DONE(self->device, 1);
	EXPECT_TRUE(holds(self->guest.vm, self->page, 1, 0, SIZE));
}

/* --- Saved ------------------------------------------------------------------------ */

TEST_F(stop, save_when)
{
	struct saved saved = {};
	struct vfio_nested_fault fault;
	uint32_t len = sizeof(saved);

	EXPECT_EQ(-EBUSY, vn_nested_save(self->guest.fd, STREAM, &saved, &len));
	EXPECT_EQ(-ENOENT, vn_nested_save(self->guest.fd, STREAM + 1, &saved, &len));

	/* A stall is in the SMMU itself. */
	start_write(_metadata, self->device, 1, IOVA(1), SIZE, VN_NO_PASID);
	fault = next_fault(_metadata, &self->guest, VFIO_NESTED_FAULT_STALL);
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, STOP));
	EXPECT_EQ(-EBUSY, vn_nested_save(self->guest.fd, STREAM, &saved, &len));
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, RUN));
	ASSERT_OK(vn_respond(self->guest.fd, fault.cookie, ABORT));
	EXPECT_FAILED(self->device, 1, VN_ERROR_ABORTED);

	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, STOP));
	for (len = 0; len < sizeof(saved.state); len += 8) {
		uint32_t needed = len;

		EXPECT_EQ(-ENOSPC, vn_nested_save(self->guest.fd, STREAM, &saved,
						  &needed));
		EXPECT_EQ(sizeof(saved.state), needed);
	}
	len = sizeof(saved);
	ASSERT_OK(vn_nested_save(self->guest.fd, STREAM, &saved, &len));
	EXPECT_EQ(sizeof(saved.state), len);
	EXPECT_EQ(sizeof(saved.state), saved.state.size);
	EXPECT_EQ(self->guest.arch->backend, saved.state.backend);
	EXPECT_EQ(self->guest.arch->context_type, saved.state.context_type);
	EXPECT_EQ(self->guest.arch->context_len, saved.state.context_len);
	EXPECT_EQ(sizeof(struct vfio_nested_fault), saved.state.fault_len);
	EXPECT_EQ(0, saved.state.fault_num);
	/* It has not been taken away. */
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, RUN));
	start_write(_metadata, self->device, 1, IOVA(0), SIZE, VN_NO_PASID);
	EXPECT_DONE(self->device, 1);
}

/* --- And restored --------------------------------------------------------------------- */

FIXTURE(migrate) {
	struct asking asking;
	struct vn_device *device;
	struct vn_guest *guest;
	/* The same guest with another virtual IOMMU */
	struct vn_guest next;
	struct saved saved;
	uint32_t len;
};

FIXTURE_SETUP(migrate)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	NEED_CAP(self->device, PRI);
	self->next.fd = -1;
	start_asking(_metadata, &self->asking, self->device, STREAM, CREDITS);
	self->guest = &self->asking.guest;
}

FIXTURE_TEARDOWN(migrate)
{
	if (self->next.fd >= 0) {
		expect_balance(_metadata, self->next.fd);
		vn_guest_close(&self->next);
	}
	stop_asking(_metadata, &self->asking);
}

/* Some groups are asked for, of which the guest has seen the first @seen. */
static void ask_and_save(struct __test_metadata *_metadata,
			 FIXTURE_DATA(migrate) *self, unsigned int seen,
			 struct vfio_nested_fault *faults)
{
	unsigned int i;

	for (i = 0; i < PENDING; i++) {
		ask(_metadata, self->device, i, PAGE_AT(i), SIZE,
		    i % 2 ? VN_PASID(THE_PASID) : VN_NO_PASID);
		EXPECT_STATS(self->guest->fd, page_requests, i + 1);
		if (i < seen)
			faults[i] = next_request(_metadata, self->guest);
	}
	ASSERT_OK(vn_nested_set_run(self->guest->fd, STREAM, STOP));
	self->len = sizeof(self->saved);
	ASSERT_OK(vn_nested_save(self->guest->fd, STREAM, &self->saved,
				 &self->len));
	EXPECT_EQ(sizeof(self->saved.state) +
		  PENDING * sizeof(self->saved.records[0]), self->len);
	EXPECT_EQ(PENDING, self->saved.state.fault_num);
	EXPECT_EQ(CREDITS, self->saved.state.page_requests);
}

/* Another virtual IOMMU for the same guest; the memory is as it was. */
static void move(struct __test_metadata *_metadata, FIXTURE_DATA(migrate) *self,
		 uint32_t stream)
{
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	self->next = *self->guest;
	memset(&self->next.ring, 0, sizeof(self->next.ring));
	self->next.fd = vn_nested_open();
	ASSERT_LE(0, self->next.fd);
	ASSERT_OK(vn_guest_bind(&self->next, self->device, stream));
	ASSERT_OK(vn_nested_set_run(self->next.fd, stream, STOP));
	ASSERT_OK(vn_ring_open(&self->next.ring, self->next.fd, RING, -1));
}

#define NEXT_STREAM	0x31

TEST_F(migrate, to_another)
{
	struct vfio_nested_fault faults[PENDING], fault;
	struct vfio_nested_stats stats;
	uint64_t ipa[PENDING], raw[4];
	unsigned int i;
	int ret;

	ask_and_save(_metadata, self, PENDING, faults);
	move(_metadata, self, NEXT_STREAM);
	/* The device has not been told anything. */
	for (i = 0; i < PENDING; i++)
		EXPECT_EQ(VN_CHANNEL_WAITING,
			  vn_testdev_status(self->device, i).state);
	stats = expect_balance(_metadata, self->guest->fd);
	EXPECT_EQ(PENDING, stats.faults_moved);
	EXPECT_EQ(0, stats.faults_aborted);
	EXPECT_EQ(0, stats.faults_pending);
	EXPECT_EQ(-ENODEV, vn_respond(self->guest->fd, faults[0].cookie, RETRY));

	ASSERT_OK(vn_nested_restore(self->next.fd, NEXT_STREAM, &self->saved,
				    self->len));
	EXPECT_EQ(0, vn_ring_drain(&self->next.ring, SOON_MS));
	ASSERT_OK(vn_nested_set_run(self->next.fd, NEXT_STREAM, RUN));
	for (i = 0; i < PENDING; i++) {
		fault = next_request(_metadata, &self->next);
		EXPECT_EQ(faults[i].address, fault.address);
		EXPECT_EQ(faults[i].group, fault.group);
		EXPECT_EQ(faults[i].pasid, fault.pasid);
		EXPECT_EQ(faults[i].flags | VFIO_NESTED_FAULT_RESTORED,
			  fault.flags);
		EXPECT_EQ(NEXT_STREAM, fault.virtual_id);
		self->next.arch->raw_page_request(&fault, raw);
		EXPECT_EQ(0, memcmp(raw, fault.raw, sizeof(raw)));
		EXPECT_NE(0, fault.cookie);
		EXPECT_NE(faults[i].cookie, fault.cookie);
		EXPECT_EQ(-ENOENT, vn_respond(self->next.fd, faults[i].cookie,
					      RETRY));
		ipa[i] = map_for(_metadata, &self->asking, i % 2, PAGE_AT(i));
		ret = i == 1 ? vn_guest_answer(&self->next, &fault, RETRY) :
			       vn_respond(self->next.fd, fault.cookie, RETRY);
		ASSERT_EQ(0, ret) TH_LOG("%s", vn_reason());
		EXPECT_DONE(self->device, i);
		EXPECT_TRUE(holds(self->device->vm, ipa[i], i, 0, SIZE));
	}
	EXPECT_STATS(self->next.fd, faults, PENDING);
	EXPECT_STATS(self->next.fd, faults_answered, PENDING);

	/* The context, and page requests, are in force. */
	ask(_metadata, self->device, 5, PAGE_AT(5), SIZE, VN_PASID(THE_PASID));
	fault = next_request(_metadata, &self->next);
	EXPECT_EQ(0, fault.flags & VFIO_NESTED_FAULT_RESTORED);
	ipa[0] = map_for(_metadata, &self->asking, THE_PASID, PAGE_AT(5));
	ASSERT_OK(vn_respond(self->next.fd, fault.cookie, RETRY));
	EXPECT_DONE(self->device, 5);
	EXPECT_TRUE(holds(self->device->vm, ipa[0], 5, 0, SIZE));
}

/* Of the same one, as when a VMM has been replaced */
TEST_F(migrate, to_the_same)
{
	struct vfio_nested_fault faults[PENDING], fault;
	unsigned int i;

	ask_and_save(_metadata, self, PENDING, faults);
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	ASSERT_OK(vn_guest_bind(self->guest, self->device, STREAM));
	ASSERT_OK(vn_nested_set_run(self->guest->fd, STREAM, STOP));
	ASSERT_OK(vn_nested_restore(self->guest->fd, STREAM, &self->saved,
				    self->len));
	ASSERT_OK(vn_nested_set_run(self->guest->fd, STREAM, RUN));
	for (i = 0; i < PENDING; i++) {
		fault = next_request(_metadata, self->guest);
		EXPECT_EQ(faults[i].group, fault.group);
		ASSERT_OK(vn_respond(self->guest->fd, fault.cookie, ABORT));
		EXPECT_FAILED(self->device, i, VN_ERROR_PAGE_INVALID);
	}
	EXPECT_STATS(self->guest->fd, faults, 2 * PENDING);
	EXPECT_STATS(self->guest->fd, faults_moved, PENDING);
	EXPECT_STATS(self->guest->fd, faults_answered, PENDING);
}

/* Once more, before it has run */
TEST_F(migrate, twice)
{
	struct vfio_nested_fault faults[PENDING], fault;
	struct saved again = {};
	uint32_t len = sizeof(again);
	unsigned int i;

	ask_and_save(_metadata, self, PENDING, faults);
	move(_metadata, self, NEXT_STREAM);
	ASSERT_OK(vn_nested_restore(self->next.fd, NEXT_STREAM, &self->saved,
				    self->len));
	ASSERT_OK(vn_nested_save(self->next.fd, NEXT_STREAM, &again, &len));
	EXPECT_EQ(self->len, len);
	EXPECT_EQ(0, memcmp(&self->saved.state, &again.state,
			    sizeof(again.state)));
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	EXPECT_STATS(self->next.fd, faults_moved, PENDING);
	ASSERT_OK(vn_guest_bind(&self->next, self->device, STREAM));
	ASSERT_OK(vn_nested_set_run(self->next.fd, STREAM, STOP));
	ASSERT_OK(vn_nested_restore(self->next.fd, STREAM, &again, len));
	ASSERT_OK(vn_nested_set_run(self->next.fd, STREAM, RUN));
	for (i = 0; i < PENDING; i++) {
		fault = next_request(_metadata, &self->next);
		EXPECT_EQ(faults[i].group, fault.group);
		ASSERT_OK(vn_respond(self->next.fd, fault.cookie, ABORT));
		EXPECT_FAILED(self->device, i, VN_ERROR_PAGE_INVALID);
	}
}

/* What runs on after it was saved is its own again. */
TEST_F(migrate, not_after_all)
{
	struct vfio_nested_fault faults[PENDING];
	unsigned int i;

	ask_and_save(_metadata, self, PENDING, faults);
	ASSERT_OK(vn_nested_set_run(self->guest->fd, STREAM, RUN));
	ASSERT_OK(vn_respond(self->guest->fd, faults[0].cookie, ABORT));
	EXPECT_FAILED(self->device, 0, VN_ERROR_PAGE_INVALID);
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	for (i = 1; i < PENDING; i++)
		expect_ended(_metadata, self->device, i);
	EXPECT_STATS(self->guest->fd, faults_moved, 0);
	EXPECT_STATS(self->guest->fd, faults_aborted, PENDING - 1);
}

/* --- And left behind ------------------------------------------------------------------ */

/* The device can ask for as much as ever, and its new owner does not wait for the rest. */
static void expect_forgotten(struct __test_metadata *_metadata,
			     FIXTURE_DATA(migrate) *self)
{
	struct vfio_nested_fault fault;
	uint64_t ipa;

	ASSERT_OK(vn_guest_translate(&self->next, NEXT_STREAM));
	ASSERT_OK(vn_nested_set_run(self->next.fd, NEXT_STREAM, RUN));
	ask(_metadata, self->device, PENDING, PAGE_AT(PENDING), SIZE,
	    VN_NO_PASID);
	fault = next_request(_metadata, &self->next);
	EXPECT_EQ(PAGE_AT(PENDING), fault.address);
	EXPECT_EQ(0, fault.flags & VFIO_NESTED_FAULT_RESTORED);
	ipa = map_for(_metadata, &self->asking, 0, PAGE_AT(PENDING));
	ASSERT_OK(vn_respond(self->next.fd, fault.cookie, RETRY));
	EXPECT_DONE(self->device, PENDING);
	EXPECT_TRUE(holds(self->device->vm, ipa, PENDING, 0, SIZE));
	EXPECT_STATS(self->next.fd, faults, 1);
}

TEST_F(migrate, never_restored)
{
	struct vfio_nested_fault faults[PENDING];

	ask_and_save(_metadata, self, PENDING, faults);
	move(_metadata, self, NEXT_STREAM);
	expect_forgotten(_metadata, self);
}

TEST_F(migrate, restored_in_vain)
{
	struct vfio_nested_fault faults[PENDING];

	ask_and_save(_metadata, self, PENDING, faults);
	move(_metadata, self, NEXT_STREAM);
	/* The others are as they should be. */
	self->saved.records[PENDING - 1].ipa = 1;
	EXPECT_EQ(-EINVAL, vn_nested_restore(self->next.fd, NEXT_STREAM,
					     &self->saved, self->len));
	expect_forgotten(_metadata, self);
}

/* --- What is refused --------------------------------------------------------------------- */

TEST_F(migrate, restore_when)
{
	struct vfio_nested_fault faults[PENDING];
	unsigned int i;

	ask_and_save(_metadata, self, PENDING, faults);
	/* It has faults, and a context. */
	EXPECT_EQ(-EBUSY, vn_nested_restore(self->guest->fd, STREAM, &self->saved,
					    self->len));
	move(_metadata, self, NEXT_STREAM);
	EXPECT_EQ(-ENOENT, vn_nested_restore(self->next.fd, STREAM, &self->saved,
					     self->len));
	ASSERT_OK(vn_nested_set_context(self->next.fd, NEXT_STREAM,
					VFIO_NESTED_CONTEXT_BYPASS));
	EXPECT_EQ(-EBUSY, vn_nested_restore(self->next.fd, NEXT_STREAM,
					    &self->saved, self->len));
	ASSERT_OK(vn_nested_set_context(self->next.fd, NEXT_STREAM,
					VFIO_NESTED_CONTEXT_CLEAR));
	ASSERT_OK(vn_nested_restore(self->next.fd, NEXT_STREAM, &self->saved,
				    self->len));
	EXPECT_EQ(-EBUSY, vn_nested_restore(self->next.fd, NEXT_STREAM,
					    &self->saved, self->len));
	/* Its end aborts them, for nobody else will answer. */
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	for (i = 0; i < PENDING; i++)
		expect_ended(_metadata, self->device, i);
	EXPECT_STATS(self->next.fd, faults_aborted, PENDING);
	/* Not while it runs */
	ASSERT_OK(vn_guest_bind(&self->next, self->device, NEXT_STREAM));
	EXPECT_EQ(-EBUSY, vn_nested_restore(self->next.fd, NEXT_STREAM,
					    &self->saved, self->len));
}

/* Each of these is refused, and leaves the binding as it was. */
TEST_F_TIMEOUT(migrate, what_is_not_consistent, SLOW)
{
	struct vfio_nested_fault faults[PENDING], fault;
	struct vfio_nested_stats stats;
	struct saved bad;
	unsigned int i, bit;
	uint32_t len;

	ask_and_save(_metadata, self, PENDING, faults);
	move(_metadata, self, NEXT_STREAM);

#define EXPECT_BAD(err, change) do {					\
	bad = self->saved;						\
	change;								\
	EXPECT_EQ(err, vn_nested_restore(self->next.fd, NEXT_STREAM,	\
					 &bad, self->len))		\
		TH_LOG("%s", #change);					\
} while (0)

	EXPECT_BAD(-EINVAL, bad.state.size = 0);
	EXPECT_BAD(-EINVAL, bad.state.size -= 8);
	EXPECT_BAD(-EINVAL, bad.state.size += 4);
	EXPECT_BAD(-EINVAL, bad.state.size = ~0U);
	EXPECT_BAD(-EOPNOTSUPP, bad.state.flags = 1);
	EXPECT_BAD(-EOPNOTSUPP, bad.state.backend ^= VFIO_NESTED_BACKEND_SMMUV3 ^
						     VFIO_NESTED_BACKEND_VTD);
	EXPECT_BAD(-EOPNOTSUPP, bad.state.context_type = 77);
	EXPECT_BAD(-EINVAL, bad.state.context_len += 8);
	EXPECT_BAD(-EINVAL, bad.state.context_len = ~0U);
	EXPECT_BAD(-EINVAL, bad.state.context[63] = 1);
	EXPECT_BAD(-EINVAL, bad.state.fault_len -= 8);
	EXPECT_BAD(-EINVAL, bad.state.fault_num--);
	EXPECT_BAD(-EINVAL, bad.state.fault_num++);
	/* Whatever the number, and whatever it is multiplied with */
	EXPECT_BAD(-ENOSPC, bad.state.fault_num = ~0U);
	EXPECT_BAD(-ENOSPC, bad.state.fault_num = 0x10000000);

	EXPECT_BAD(-EINVAL, bad.records[1].kind = VFIO_NESTED_FAULT_STALL);
	EXPECT_BAD(-EINVAL, bad.records[1].kind = VFIO_NESTED_FAULT_EVENT);
	EXPECT_BAD(-EINVAL, bad.records[1].group = 512);
	EXPECT_BAD(-EINVAL, bad.records[1].pasid = 1 << 20);
	EXPECT_BAD(-EINVAL, bad.records[0].pasid = 1);
	EXPECT_BAD(-EINVAL, bad.records[2].address++);
	EXPECT_BAD(-EINVAL, bad.records[2].ipa = 1);
	EXPECT_BAD(-EINVAL, bad.records[2].__reserved[3] = 1);
	EXPECT_BAD(-EINVAL, bad.records[2].flags |= VFIO_NESTED_FAULT_STAGE2);
	EXPECT_BAD(-EINVAL, bad.records[2].flags |= 1U << 31);
	/* The same group twice */
	EXPECT_BAD(-EINVAL, bad.records[2] = bad.records[0]);
	/* A context that is not legal: reserved for both architectures */
	EXPECT_BAD(-EINVAL, bad.state.context[15] = 0x80);

	/* Lengths of all sizes */
	for (len = 0; len < self->len; len += 40)
		EXPECT_GT(0, vn_nested_restore(self->next.fd, NEXT_STREAM,
					       &self->saved, len));
	EXPECT_GT(0, vn_nested_restore(self->next.fd, NEXT_STREAM, &self->saved,
				       ~0U));

	/* Nothing of all that has left anything. */
	stats = expect_balance(_metadata, self->next.fd);
	EXPECT_EQ(0, stats.faults);
	EXPECT_EQ(0, stats.faults_pending);
	ASSERT_OK(vn_nested_restore(self->next.fd, NEXT_STREAM, &self->saved,
				    self->len));
	ASSERT_OK(vn_nested_set_run(self->next.fd, NEXT_STREAM, RUN));
	for (i = 0; i < PENDING; i++) {
		fault = next_request(_metadata, &self->next);
		ASSERT_OK(vn_respond(self->next.fd, fault.cookie, ABORT));
		EXPECT_FAILED(self->device, i, VN_ERROR_PAGE_INVALID);
	}

	/*
	 * Every bit of it, one at a time, for a device that has nothing outstanding:
	 * whatever the answer is, the kernel lives, and the device can be taken back.
	 */
	for (bit = 0; bit < 8 * sizeof(bad.state); bit++) {
		ASSERT_OK(vn_nested_unbind(self->device->fd));
		ASSERT_OK(vn_nested_bind(self->device->fd, self->next.fd,
					 NEXT_STREAM));
		ASSERT_OK(vn_nested_set_run(self->next.fd, NEXT_STREAM, STOP));
		bad = self->saved;
		bad.state.fault_num = 0;
		((uint8_t *)&bad)[bit / 8] ^= 1 << bit % 8;
		vn_nested_restore(self->next.fd, NEXT_STREAM, &bad,
				  sizeof(bad.state));
	}
}

/* --- What there is without faults ------------------------------------------------------------ */

FIXTURE(context) {
	struct vn_device *device;
	struct vn_guest guest;
	uint64_t page;
};

#define STAGE1	~0U

FIXTURE_VARIANT(context) {
	uint32_t type;
};

FIXTURE_VARIANT_ADD(context, clear) { .type = VFIO_NESTED_CONTEXT_CLEAR, };
FIXTURE_VARIANT_ADD(context, bypass) { .type = VFIO_NESTED_CONTEXT_BYPASS, };
FIXTURE_VARIANT_ADD(context, abort) { .type = VFIO_NESTED_CONTEXT_ABORT, };
/* The guest's own, of whichever architecture */
FIXTURE_VARIANT_ADD(context, stage1) { .type = STAGE1, };

FIXTURE_SETUP(context)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	ASSERT_OK(vn_engine_revive(self->device));
	start_guest(_metadata, &self->guest, self->device, 0);
	self->page = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);
}

FIXTURE_TEARDOWN(context)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

TEST_F(context, is_in_force_again)
{
	struct saved saved = {};
	uint32_t len = sizeof(saved);

	if (variant->type == STAGE1)
		ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	else
		ASSERT_OK(vn_nested_set_context(self->guest.fd, STREAM,
						variant->type));
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, STOP));
	ASSERT_OK(vn_nested_save(self->guest.fd, STREAM, &saved, &len));
	EXPECT_EQ(variant->type == STAGE1 ? self->guest.arch->context_type :
		  variant->type, saved.state.context_type);
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	ASSERT_OK(vn_guest_bind(&self->guest, self->device, STREAM));
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, STOP));
	ASSERT_OK(vn_nested_restore(self->guest.fd, STREAM, &saved, len));
	EXPECT_REFUSED(self->device, IOVA(0));
	EXPECT_REFUSED(self->device, self->page);
	ASSERT_OK(vn_nested_set_run(self->guest.fd, STREAM, RUN));
	switch (variant->type) {
	case STAGE1:
		EXPECT_LANDS(self->device, IOVA(0), self->page);
		break;
	case VFIO_NESTED_CONTEXT_ABORT:
		EXPECT_REFUSED(self->device, self->page);
		EXPECT_TRUE(vn_intact(self->guest.vm, self->page));
		break;
	default:
		EXPECT_LANDS(self->device, self->page, self->page);
		break;
	}
}

TEST_MAIN_WITH_DEVICES(wants)
