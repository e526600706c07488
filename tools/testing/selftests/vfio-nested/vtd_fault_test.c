// SPDX-License-Identifier: GPL-2.0
/*
 * Page requests on VT-d: records in the guest's namespace, responses by cookie and as
 * the guest's own descriptors, and what ends requests that nobody answers.
 */
#include "faults.h"
#include "race.h"
#include "vtd-test.h"

static const struct vn_want wants[] = {
	{ .engine = VN_TESTDEV },
};

/* --- Page requests ---------------------------------------------------------------- */

#define NEED_REQUESTS() do {						\
	if (!(self->guest.info.caps & VFIO_NESTED_CAP_PRI))		\
		SKIP(return, "no page requests");			\
	ASSERT_OK(vn_device_enable_pasid(self->device));		\
	ASSERT_OK(vn_device_enable_ats(self->device, true));		\
	ASSERT_OK(vn_device_enable_pri(self->device, CREDITS));		\
} while (0)

#define SIZE		64
/* Requests that are pending when something ends them */
#define PENDING		3

/* Nobody answers them; the last one that is told of. */
static struct vfio_nested_fault leave_pending(struct __test_metadata *_metadata,
					      FIXTURE_DATA(vtd) *self)
{
	struct vfio_nested_fault fault;
	unsigned int i;

	for (i = 0; i < PENDING; i++)
		ask(_metadata, self->device, i, IOVA(3 + i), SIZE, VN_NO_PASID);
	for (i = 0; i < PENDING; i++)
		fault = next_request(_metadata, &self->guest);
	return fault;
}

static void expect_aborted(struct __test_metadata *_metadata, struct vn_guest *guest)
{
	struct vfio_nested_stats stats = expect_balance(_metadata, guest->fd);

	EXPECT_EQ(PENDING, stats.faults_aborted);
	EXPECT_EQ(0, stats.faults_pending);
}

static void expect_all_ended(struct __test_metadata *_metadata,
			     struct vn_device *device)
{
	unsigned int i;

	for (i = 0; i < PENDING; i++)
		expect_ended(_metadata, device, i);
	EXPECT_EQ(0, vn_testdev_count(device, VN_COUNT_BAD_RESPONSES));
}

/* A request with THE_PASID, which has a table that maps nothing */
static struct vfio_nested_fault request_of_pasid(struct __test_metadata *_metadata,
						 FIXTURE_DATA(vtd) *self)
{
	struct vn_stage1 fs;

	add_pasid(_metadata, &self->guest, THE_PASID, DID, &fs);
	ask(_metadata, self->device, 1, IOVA(3), SIZE, VN_PASID(THE_PASID));
	return next_request(_metadata, &self->guest);
}

static void page_request(struct __test_metadata *_metadata,
			 FIXTURE_DATA(vtd) *self, struct vn_stage1 *fs,
			 uint32_t pasid, bool native)
{
	struct vn_guest *guest = &self->guest;
	bool has_pasid = pasid != VN_NO_PASID;
	uint32_t number = pasid & 0xfffff;
	uint64_t a = new_page(_metadata, guest);
	struct vfio_nested_fault fault;
	int ret;

	ask(_metadata, self->device, 1, IOVA(3), SIZE, pasid);
	fault = next_request(_metadata, guest);
	EXPECT_EQ(IOVA(3), fault.address);
	EXPECT_EQ(has_pasid, !!(fault.flags & VFIO_NESTED_FAULT_PASID));
	EXPECT_EQ(number, fault.pasid);
	EXPECT_TRUE(fault.flags & VFIO_NESTED_FAULT_LAST);
	EXPECT_TRUE(fault.flags & VFIO_NESTED_FAULT_WRITE);
	EXPECT_NE(0, fault.cookie);
	EXPECT_EQ(32, fault.raw_len);
	EXPECT_EQ(0x1 | vn_field(has_pasid, 8, 1) | vn_field(STREAM, 16, 16) |
		  vn_field(number, 32, 20),
		  le64toh(fault.raw[0]) & 0x000fffffffffffffULL);
	EXPECT_EQ(IOVA(3), le64toh(fault.raw[1]) & ~0xfffULL);
	EXPECT_EQ(fault.group, vn_get_field(le64toh(fault.raw[1]), 3, 9));

	ASSERT_OK(vn_s1_map(fs, IOVA(3), a, VN_PAGE, VN_PROT_RW));
	EXPECT_OK(COMMAND(vn_qi_piotlb(DID, number, IOVA(3), 0)));
	ret = native ? COMMAND(vn_qi_response(STREAM, has_pasid, number,
					      fault.group, 0)) :
		       vn_respond(guest->fd, fault.cookie, VFIO_NESTED_RESPONSE_RETRY);
	EXPECT_EQ(0, ret) TH_LOG("%s", vn_reason());
	EXPECT_DONE(self->device, 1);
	EXPECT_EQ(-EALREADY, vn_respond(guest->fd, fault.cookie,
					VFIO_NESTED_RESPONSE_RETRY));
	EXPECT_EQ(-ENOENT, COMMAND(vn_qi_response(STREAM, has_pasid, number,
						  fault.group, 0)));
	vn_s1_unmap(fs, IOVA(3));
	EXPECT_OK(COMMAND(vn_qi_piotlb(DID, number, IOVA(3), 0)));
}

TEST_F(vtd, page_requests_are_answered)
{
	struct vn_guest *guest = &self->guest;
	struct vfio_nested_stats stats;
	struct vn_stage1 fs;

	NEED_REQUESTS();
	add_pasid(_metadata, guest, THE_PASID, DID, &fs);
	page_request(_metadata, self, &guest->s1, VN_NO_PASID, false);
	page_request(_metadata, self, &guest->s1, VN_NO_PASID, true);
	page_request(_metadata, self, &fs, VN_PASID(THE_PASID), false);
	page_request(_metadata, self, &fs, VN_PASID(THE_PASID), true);
	ASSERT_OK(vn_nested_stats(guest->fd, &stats));
	EXPECT_EQ(4, stats.faults);
	EXPECT_EQ(4, stats.faults_answered);
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_BAD_RESPONSES));
}

TEST_F(vtd, page_requests_are_refused)
{
	struct vn_guest *guest = &self->guest;
	const uint32_t codes[] = {
		VFIO_NESTED_RESPONSE_ABORT, VFIO_NESTED_RESPONSE_TERMINATE,
	};
	struct vfio_nested_fault fault;
	unsigned int i;

	NEED_REQUESTS();
	for (i = 0; i < VN_ARRAY_SIZE(codes); i++) {
		ask(_metadata, self->device, 1, IOVA(3), SIZE, VN_NO_PASID);
		fault = next_request(_metadata, guest);
		EXPECT_EQ(-EINVAL, vn_respond(guest->fd, fault.cookie, 77));
		EXPECT_OK(vn_respond(guest->fd, fault.cookie, codes[i]));
		EXPECT_FAILED(self->device, 1, VN_ERROR_PAGE_INVALID);
	}
}

/* Nobody has said that the device may ask. */
TEST_F(vtd, page_requests_need_the_guests_word)
{
	struct vfio_nested_fault fault;

	NEED_REQUESTS();
	ASSERT_OK(vn_vtd_set_context(&self->guest, STREAM,
				     (uint64_t[4]){ vn_vtd_context(&self->guest) &
						    ~VN_CTX_PRE }));
	ask(_metadata, self->device, 1, IOVA(3), SIZE, VN_NO_PASID);
	EXPECT_FAILED(self->device, 1, VN_ERROR_PAGE_INVALID);
	EXPECT_EQ(0, vn_ring_get(&self->guest.ring, &fault));
}

/* Whatever ends the binding answers what is pending. */
TEST_F(vtd, pending_requests_end_with_the_binding)
{
	NEED_REQUESTS();
	leave_pending(_metadata, self);
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	expect_all_ended(_metadata, self->device);
	expect_aborted(_metadata, &self->guest);
}

/* The table goes, and with it the PASID; the answer comes after that. */
TEST_F(vtd, a_request_outlives_its_pasid)
{
	struct vn_guest *guest = &self->guest;
	struct vn_channel_status status;
	struct vfio_nested_fault fault;

	NEED_REQUESTS();
	fault = request_of_pasid(_metadata, self);
	ASSERT_OK(vn_vtd_set_entry(guest, THE_PASID, NULL));
	EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, THE_PASID)));
	EXPECT_OK(vn_respond(guest->fd, fault.cookie, VFIO_NESTED_RESPONSE_RETRY));
	ASSERT_OK(vn_testdev_wait(self->device, 1, VN_TIMEOUT_MS, &status));
	EXPECT_EQ(VN_CHANNEL_ERROR, status.state);
}

/*
 * Response Failure would end the page requests of all functions that share the interface.
 * The device is told that the request was invalid, and goes on.
 */
TEST_F(vtd, failure_does_not_reach_the_device)
{
	struct vn_guest *guest = &self->guest;
	struct vfio_nested_fault fault;
	unsigned int code;

	NEED_REQUESTS();
	ask(_metadata, self->device, 1, IOVA(3), SIZE, VN_NO_PASID);
	fault = next_request(_metadata, guest);
	for (code = 2; code < 15; code++)
		EXPECT_EQ(-EINVAL, COMMAND(vn_qi_response(STREAM, false, 0,
							  fault.group, code)));
	EXPECT_OK(COMMAND(vn_qi_response(STREAM, false, 0, fault.group, 15)));
	EXPECT_FAILED(self->device, 1, VN_ERROR_PAGE_INVALID);
	page_request(_metadata, self, &guest->s1, VN_NO_PASID, true);
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_BAD_RESPONSES));
}

/*
 * In earlier revisions of the specification word 1 has a bit that says whether the last
 * page of the group is meant, and drivers set it.
 */
TEST_F(vtd, responses_of_older_guests)
{
	struct vfio_nested_command_vtd command;
	struct vfio_nested_fault fault;

	NEED_REQUESTS();
	fault = request_of_pasid(_metadata, self);
	command = vn_qi_response(STREAM, true, THE_PASID, fault.group, 1);
	command.qw[1] |= htole64(VN_BIT(2));
	EXPECT_OK(COMMAND(command));
	EXPECT_FAILED(self->device, 1, VN_ERROR_PAGE_INVALID);
}

/* A group of another device, PASID or number is nobody's to answer. */
TEST_F(vtd, responses_for_others_are_refused)
{
	struct vfio_nested_fault fault;

	NEED_REQUESTS();
	fault = request_of_pasid(_metadata, self);
	EXPECT_EQ(-ENOENT, COMMAND(vn_qi_response(OTHER_STREAM, true, THE_PASID,
						  fault.group, 0)));
	EXPECT_EQ(-ENOENT, COMMAND(vn_qi_response(STREAM, true, THE_PASID + 1,
						  fault.group, 0)));
	EXPECT_EQ(-ENOENT, COMMAND(vn_qi_response(STREAM, false, 0, fault.group, 0)));
	EXPECT_EQ(-ENOENT, COMMAND(vn_qi_response(STREAM, true, THE_PASID,
						  fault.group ^ 1, 0)));
	EXPECT_OK(COMMAND(vn_qi_response(STREAM, true, THE_PASID, fault.group, 1)));
	EXPECT_FAILED(self->device, 1, VN_ERROR_PAGE_INVALID);
}

TEST_F(vtd, a_reset_ends_pending_requests)
{
	struct vn_guest *guest = &self->guest;
	struct vfio_nested_fault fault;

	NEED_REQUESTS();
	fault = leave_pending(_metadata, self);
	ASSERT_OK(vn_device_reset(self->device, VN_RESET_VFIO));
	expect_aborted(_metadata, guest);
	EXPECT_EQ(-ECANCELED, vn_respond(guest->fd, fault.cookie,
					 VFIO_NESTED_RESPONSE_RETRY));
	/* The guest begins anew. */
	NEED_REQUESTS();
	page_request(_metadata, self, &guest->s1, VN_NO_PASID, false);
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_BAD_RESPONSES));
}

/* --- Floods -------------------------------------------------------------------------- */

#define FLOOD_CHANNELS	4

/* Requests with THE_PASID and without, and a thread that answers them in some way */
struct flood {
	struct vn_guest *guest;
	struct vn_device *device;
	pthread_t thread;
	bool stop;
	unsigned int answers;
	int error;
};

static int answer_somehow(struct vn_guest *guest, const struct vfio_nested_fault *fault,
			  unsigned int n)
{
	if (n % 3)
		return vn_respond(guest->fd, fault->cookie,
				  n % 2 ? VFIO_NESTED_RESPONSE_RETRY :
					  VFIO_NESTED_RESPONSE_ABORT);
	return vn_guest_answer(guest, fault, n % 2 ? VFIO_NESTED_RESPONSE_RETRY :
						     VFIO_NESTED_RESPONSE_ABORT);
}

static void *answer_all(void *data)
{
	struct flood *flood = data;
	struct vfio_nested_fault fault;
	unsigned int n = 0;
	int ret;

	while (!vn_read_once(&flood->stop) && !flood->error) {
		if (!vn_ring_get(&flood->guest->ring, &fault)) {
			vn_sleep_ms(1);
			continue;
		}
		if (fault.kind != VFIO_NESTED_FAULT_PAGE_REQUEST ||
		    !(fault.flags & VFIO_NESTED_FAULT_LAST))
			continue;
		ret = answer_somehow(flood->guest, &fault, n++);
		/* Whatever ends the binding, or a context, is faster now and then. */
		if (!ret)
			flood->answers++;
		else if (ret != -ECANCELED && ret != -EALREADY && ret != -ESTALE &&
			 ret != -ENOENT && ret != -ENODEV)
			flood->error = ret;
	}
	return NULL;
}

/* A channel stops when a request of its is refused: it begins again. */
static void flood_again(struct flood *flood)
{
	unsigned int i;

	for (i = 1; i <= FLOOD_CHANNELS; i++) {
		const struct vn_access access = {
			.op = VN_OP_WRITE,
			.flags = VN_ACCESS_ATS | VN_ACCESS_PRI | VN_ACCESS_FLOOD,
			.iova = IOVA(3 + i), .length = SIZE,
			.pasid = i % 2 ? VN_PASID(THE_PASID) : VN_NO_PASID,
			.buffer = BUFFER_OF(i),
		};

		vn_testdev_stop(flood->device, i);
		vn_testdev_start(flood->device, i, &access);
	}
}

static void start_flood(struct __test_metadata *_metadata, FIXTURE_DATA(vtd) *self,
			struct flood *flood)
{
	*flood = (struct flood) { .guest = &self->guest, .device = self->device };
	ASSERT_EQ(0, pthread_create(&flood->thread, NULL, answer_all, flood));
	flood_again(flood);
}

/* All that has been asked is answered, by somebody. */
static void stop_flood(struct __test_metadata *_metadata, struct flood *flood)
{
	struct vfio_nested_fault fault;
	struct vfio_nested_stats stats;
	unsigned int i;

	for (i = 1; i <= FLOOD_CHANNELS; i++)
		vn_testdev_stop(flood->device, i);
	vn_write_once(&flood->stop, true);
	pthread_join(flood->thread, NULL);
	EXPECT_EQ(0, flood->error);
	EXPECT_LT(0, flood->answers);

	ASSERT_OK(vn_nested_unbind(flood->device->fd));
	while (vn_ring_get(&flood->guest->ring, &fault))
		;
	stats = expect_balance(_metadata, flood->guest->fd);
	EXPECT_EQ(0, stats.faults_pending);
	EXPECT_EQ(0, vn_testdev_count(flood->device, VN_COUNT_BAD_RESPONSES));
	ksft_print_msg("%u answers\n", flood->answers);
}

/* While all that requests depend on comes and goes */
TEST_F(vtd, requests_under_changes)
{
	struct vn_guest *guest = &self->guest;
	uint64_t end = vn_now_ms() + 3000;
	uint64_t words[VN_VTD_ENTRY_WORDS];
	unsigned int rounds;
	struct vn_stage1 fs;
	struct flood flood;

	NEED_REQUESTS();
	add_pasid(_metadata, guest, THE_PASID, DID, &fs);
	vn_pte_first(words, fs.table, DID);
	start_flood(_metadata, self, &flood);
	for (rounds = 0; vn_now_ms() < end; rounds++) {
		flood_again(&flood);
		EXPECT_OK(vn_vtd_set_entry(guest, THE_PASID, NULL));
		EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, THE_PASID)));
		EXPECT_OK(vn_vtd_set_entry(guest, THE_PASID, words));
		EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, THE_PASID)));
		if (rounds % 4 == 1) {
			EXPECT_OK(vn_nested_set_context(guest->fd, STREAM,
							VFIO_NESTED_CONTEXT_BYPASS));
			EXPECT_OK(vn_vtd_translate(guest, STREAM));
		}
		if (rounds % 4 == 3) {
			EXPECT_OK(vn_nested_unbind(self->device->fd));
			EXPECT_OK(vn_guest_bind(guest, self->device, STREAM));
			EXPECT_OK(vn_vtd_translate(guest, STREAM));
		}
	}
	stop_flood(_metadata, &flood);
	ksft_print_msg("%u rounds\n", rounds);
}

/* VFIO attaches the PASID whenever the guest does not have it. */
struct attacher {
	struct vn_device *device;
	uint32_t pt;
	bool stop;
	unsigned int attached;
	int error;
};

static void *attach_often(void *data)
{
	struct attacher *job = data;
	int ret;

	while (!vn_read_once(&job->stop) && !job->error) {
		ret = vn_iommufd_attach_pasid(job->device, job->pt, THE_PASID);
		if (!ret) {
			job->attached++;
			ret = vn_iommufd_detach_pasid(job->device, THE_PASID);
		}
		if (ret != -EBUSY)
			job->error = ret;
	}
	return NULL;
}

TEST_F(vtd, vfio_attaches_the_pasid_of_a_flood)
{
	struct vn_guest *guest = &self->guest;
	struct attacher job = { .device = self->device };
	uint64_t words[VN_VTD_ENTRY_WORDS], end;
	unsigned int rounds, busy = 0;
	struct vn_stage1 fs;
	struct flood flood;
	pthread_t thread;
	int ret;

	NEED_IOMMUFD();
	NEED_REQUESTS();
	add_pasid(_metadata, guest, THE_PASID, DID, &fs);
	vn_pte_first(words, fs.table, DID);
	job.pt = attach_for_pasids(_metadata, self);
	ASSERT_OK(vn_guest_bind(guest, self->device, STREAM));
	start_flood(_metadata, self, &flood);
	ASSERT_EQ(0, pthread_create(&thread, NULL, attach_often, &job));
	for (rounds = 0, end = vn_now_ms() + 3000; vn_now_ms() < end; rounds++) {
		EXPECT_OK(vn_vtd_translate(guest, STREAM));
		flood_again(&flood);
		EXPECT_OK(vn_vtd_set_entry(guest, THE_PASID, NULL));
		EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, THE_PASID)));
		EXPECT_OK(vn_vtd_set_entry(guest, THE_PASID, words));
		EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, THE_PASID)));
		EXPECT_OK(vn_nested_unbind(self->device->fd));
		do {
			ret = vn_guest_bind(guest, self->device, STREAM);
			busy += ret == -EBUSY;
		} while (ret == -EBUSY);
		ASSERT_OK(ret);
	}
	vn_write_once(&job.stop, true);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, job.error);
	EXPECT_LT(0, job.attached);
	ksft_print_msg("%u rounds, VFIO has had the PASID %u times, and bound was not %u times\n",
		       rounds, job.attached, busy);
	stop_flood(_metadata, &flood);
}

/* The device asks on while it changes hands. */
TEST_F(vtd, bindings_end_under_requests)
{
	struct vn_guest *guest = &self->guest;
	uint64_t end = vn_now_ms() + 3 * vn_race_ms();
	unsigned int rounds;
	struct vn_stage1 fs;
	struct flood flood;

	NEED_REQUESTS();
	add_pasid(_metadata, guest, THE_PASID, DID, &fs);
	start_flood(_metadata, self, &flood);
	for (rounds = 0; vn_now_ms() < end; rounds++) {
		flood_again(&flood);
		/* Some of the requests are answered before that. */
		vn_sleep_ms(rounds % 4);
		EXPECT_OK(vn_nested_unbind(self->device->fd));
		EXPECT_OK(vn_guest_bind(guest, self->device, STREAM));
		EXPECT_OK(vn_vtd_translate(guest, STREAM));
	}
	stop_flood(_metadata, &flood);
	ksft_print_msg("%u bindings\n", rounds);
}

/* --- Blocked for a moment ------------------------------------------------------------- */

static void *probe_resets(void *data)
{
	struct flood *flood = data;

	while (!vn_read_once(&flood->stop) && !flood->error)
		flood->error = vn_pci_probe_resets(flood->device->pci.name);
	return NULL;
}

/*
 * Newer kernels detach all of a device's domains and attach them again, and refuse what
 * others attach meanwhile, where nobody has been told of a reset.
 */
TEST_F(vtd, probes_for_resets)
{
	struct vn_guest *guest = &self->guest;
	struct flood flood = { .guest = guest, .device = self->device };
	uint64_t a = new_page(_metadata, guest), b = new_page(_metadata, guest);
	uint64_t end = vn_now_ms() + vn_race_ms();
	uint64_t words[VN_VTD_ENTRY_WORDS], rid[VN_VTD_ENTRY_WORDS];
	unsigned int busy = 0, rounds, i;
	struct vn_stage1 fs;
	int ret;

	NEED_REQUESTS();
	add_pasid(_metadata, guest, THE_PASID, DID, &fs);
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_s1_map(&fs, IOVA(0), b, VN_PAGE, VN_PROT_RW));
	vn_pte_first(words, fs.table, DID);
	vn_pte_first(rid, guest->s1.table, DID);
	ASSERT_EQ(0, pthread_create(&flood.thread, NULL, probe_resets, &flood));
	for (rounds = 0; vn_now_ms() < end; rounds++) {
		for (i = 0; i < 4; i++) {
			uint32_t pasid = i % 2 ? THE_PASID : 0;

			EXPECT_OK(vn_vtd_set_entry(guest, pasid, i < 2 ? NULL :
						   i % 2 ? words : rid));
			/* Who is told that it has failed can do it again. */
			while ((ret = COMMAND(vn_qi_pasid_cache(DID, pasid))) == -EBUSY)
				busy++;
			EXPECT_EQ(0, ret);
		}
	}
	vn_write_once(&flood.stop, true);
	pthread_join(flood.thread, NULL);
	EXPECT_EQ(0, flood.error);
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_REACHES(VN_PASID(THE_PASID), IOVA(0), b);

	flood.stop = false;
	ASSERT_EQ(0, pthread_create(&flood.thread, NULL, probe_resets, &flood));
	EXPECT_OK(vn_nested_unbind(self->device->fd));
	vn_write_once(&flood.stop, true);
	pthread_join(flood.thread, NULL);
	EXPECT_REACHES(VN_NO_PASID, a, a);
	ksft_print_msg("%u rounds, %u times it was busy\n", rounds, busy);
}

/* --- Owners that die ------------------------------------------------------------------ */

static int ask_and_wait(void *data)
{
	FIXTURE_DATA(vtd) *self = data;
	struct vn_guest *guest = &self->guest;
	struct vfio_nested_fault fault;
	int ret = take_over(self);
	unsigned int i;

	ret = ret ?: vn_ring_open(&guest->ring, guest->fd, RING, -1);
	for (i = 0; i < PENDING && !ret; i++)
		ret = start_request(self->device, i, IOVA(3 + i), SIZE, VN_NO_PASID);
	for (i = 0; i < PENDING && !ret; i++)
		if (!vn_ring_wait(&guest->ring, &fault, VN_TIMEOUT_MS))
			ret = vn_fail(-ETIMEDOUT, "no page request came");
	return ret;
}

/* Who has the ring is killed, with requests pending. */
TEST_F(vtd, requests_of_the_killed_are_ended)
{
	NEED_REQUESTS();
	vn_nested_unbind(self->device->fd);
	vn_guest_close(&self->guest);
	kill_vmm(_metadata, start_vmm(_metadata, ask_and_wait, NULL, self));
	EXPECT_OK(vn_nested_unbind(self->device->fd));
	expect_all_ended(_metadata, self->device);
}

static int ask_for_ever(void *data)
{
	FIXTURE_DATA(vtd) *self = data;
	struct flood flood = { .guest = &self->guest, .device = self->device };
	int ret = take_over(self);

	if (!ret)
		flood_again(&flood);
	return ret;
}

/* The device asks on when nobody has the ring any more, and while the binding ends. */
TEST_F(vtd, owners_are_killed_under_requests)
{
	struct vn_guest *guest = &self->guest;
	struct vn_stage1 fs;
	unsigned int i;

	NEED_REQUESTS();
	add_pasid(_metadata, guest, THE_PASID, DID, &fs);
	for (i = 0; i < 8; i++) {
		vn_nested_unbind(self->device->fd);
		vn_guest_close(guest);
		kill_vmm(_metadata, start_vmm(_metadata, ask_for_ever, NULL, self));
		EXPECT_OK(vn_nested_unbind(self->device->fd));
		EXPECT_OK(vn_testdev_quiet(self->device));
	}
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_BAD_RESPONSES));
}

TEST_MAIN_WITH_DEVICES(wants)
