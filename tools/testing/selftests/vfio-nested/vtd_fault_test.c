// SPDX-License-Identifier: GPL-2.0
/*
 * Page requests on VT-d: records in the guest's namespace, responses by cookie and as
 * the guest's own descriptors, and what ends requests that nobody answers.
 */
#include "vtd-test.h"

static const struct vn_want wants[] = {
	{ .engine = VN_TESTDEV },
};

/* --- Page requests ---------------------------------------------------------------- */

static void next_request(struct __test_metadata *_metadata, struct vn_vtd *guest,
			 struct vfio_nested_fault *fault)
{
	ASSERT_EQ(1, vn_ring_wait(&guest->ring, fault, VN_TIMEOUT_MS))
		TH_LOG("no page request came");
	EXPECT_EQ(VFIO_NESTED_FAULT_PAGE_REQUEST, fault->kind);
	EXPECT_EQ(ID, fault->virtual_id);
}

#define NEED_REQUESTS() do {						\
	if (!(self->guest.info.caps & VFIO_NESTED_CAP_PRI))		\
		SKIP(return, "no page requests");			\
	ASSERT_OK(vn_device_enable_pasid(self->device));		\
	ASSERT_OK(vn_device_enable_ats(self->device, true));		\
	ASSERT_OK(vn_device_enable_pri(self->device, CREDITS));		\
} while (0)

static void ask(struct __test_metadata *_metadata, struct vn_device *device,
		unsigned int channel, uint32_t pasid, uint64_t iova)
{
	const struct vn_access access = {
		.op = VN_OP_WRITE, .flags = VN_ACCESS_ATS | VN_ACCESS_PRI,
		.iova = iova, .length = 64, .pasid = pasid,
		.buffer = BUFFER * (channel + 1),
	};

	ASSERT_OK(vn_testdev_start(device, channel, &access));
}

static int answer(struct vn_vtd *guest, uint64_t cookie, uint32_t code)
{
	struct vfio_nested_response response = { .cookie = cookie, .code = code };
	struct vfio_nested_respond respond = {
		.size = sizeof(respond),
		.entry_len = sizeof(response),
		.entry_num = 1,
		.entries_uptr = (uintptr_t)&response,
	};

	return vn_ioctl(guest->fd, VFIO_NESTED_RESPOND, &respond);
}

static void page_request(struct __test_metadata *_metadata,
			 FIXTURE_DATA(vtd) *self, struct vn_fs *fs,
			 uint32_t pasid, bool native)
{
	struct vn_vtd *guest = &self->guest;
	bool has_pasid = pasid != VN_NO_PASID;
	uint32_t number = pasid & 0xfffff;
	uint64_t a = new_page(_metadata, guest);
	struct vn_channel_status status;
	struct vfio_nested_fault fault;
	int ret;

	ask(_metadata, self->device, 1, pasid, IOVA(3));
	next_request(_metadata, guest, &fault);
	EXPECT_EQ(IOVA(3), fault.address);
	EXPECT_EQ(has_pasid, !!(fault.flags & VFIO_NESTED_FAULT_PASID));
	EXPECT_EQ(number, fault.pasid);
	EXPECT_TRUE(fault.flags & VFIO_NESTED_FAULT_LAST);
	EXPECT_TRUE(fault.flags & VFIO_NESTED_FAULT_WRITE);
	EXPECT_NE(0, fault.cookie);
	EXPECT_EQ(32, fault.raw_len);
	EXPECT_EQ(0x1 | vn_field(has_pasid, 8, 1) | vn_field(ID, 16, 16) |
		  vn_field(number, 32, 20),
		  le64toh(fault.raw[0]) & 0x000fffffffffffffULL);
	EXPECT_EQ(IOVA(3), le64toh(fault.raw[1]) & ~0xfffULL);
	EXPECT_EQ(fault.group, vn_get_field(le64toh(fault.raw[1]), 3, 9));

	ASSERT_OK(vn_fs_map(fs, IOVA(3), a, VN_PROT_RW));
	EXPECT_OK(COMMAND(vn_qi_piotlb(DID, number, IOVA(3), 0)));
	ret = native ? COMMAND(vn_qi_response(ID, has_pasid, number,
					      fault.group, 0)) :
		       answer(guest, fault.cookie, VFIO_NESTED_RESPONSE_RETRY);
	EXPECT_EQ(0, ret) TH_LOG("%s", vn_reason());
	ASSERT_OK(vn_testdev_wait(self->device, 1, VN_TIMEOUT_MS, &status));
	EXPECT_EQ(VN_CHANNEL_OK, status.state)
		TH_LOG("%s", vn_channel_error_name(status.error));
	EXPECT_EQ(-EALREADY, answer(guest, fault.cookie, VFIO_NESTED_RESPONSE_RETRY));
	EXPECT_EQ(-ENOENT, COMMAND(vn_qi_response(ID, has_pasid, number,
						  fault.group, 0)));
	vn_fs_unmap(fs, IOVA(3));
	EXPECT_OK(COMMAND(vn_qi_piotlb(DID, number, IOVA(3), 0)));
}

TEST_F(vtd, page_requests_are_answered)
{
	struct vn_vtd *guest = &self->guest;
	struct vfio_nested_stats stats;
	struct vn_fs fs;

	NEED_REQUESTS();
	add_pasid(_metadata, guest, THE_PASID, DID, &fs);
	page_request(_metadata, self, &guest->fs, VN_NO_PASID, false);
	page_request(_metadata, self, &guest->fs, VN_NO_PASID, true);
	page_request(_metadata, self, &fs, VN_PASID(THE_PASID), false);
	page_request(_metadata, self, &fs, VN_PASID(THE_PASID), true);
	ASSERT_OK(vn_nested_stats(guest->fd, &stats));
	EXPECT_EQ(4, stats.faults);
	EXPECT_EQ(4, stats.faults_answered);
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_BAD_RESPONSES));
}

TEST_F(vtd, page_requests_are_refused)
{
	struct vn_vtd *guest = &self->guest;
	const uint32_t codes[] = {
		VFIO_NESTED_RESPONSE_ABORT, VFIO_NESTED_RESPONSE_TERMINATE,
	};
	struct vn_channel_status status;
	struct vfio_nested_fault fault;
	unsigned int i;

	NEED_REQUESTS();
	for (i = 0; i < VN_ARRAY_SIZE(codes); i++) {
		ask(_metadata, self->device, 1, VN_NO_PASID, IOVA(3));
		next_request(_metadata, guest, &fault);
		EXPECT_EQ(-EINVAL, answer(guest, fault.cookie, 77));
		EXPECT_OK(answer(guest, fault.cookie, codes[i]));
		ASSERT_OK(vn_testdev_wait(self->device, 1, VN_TIMEOUT_MS, &status));
		EXPECT_EQ(VN_ERROR_PAGE_INVALID, status.error);
	}
}

/* Nobody has said that the device may ask. */
TEST_F(vtd, page_requests_need_the_guests_word)
{
	struct vn_channel_status status;
	struct vfio_nested_fault fault;

	NEED_REQUESTS();
	ASSERT_OK(vn_vtd_set_context(&self->guest, ID,
				     (uint64_t[4]){ vn_vtd_context(&self->guest) &
						    ~VN_CTX_PRE }));
	ask(_metadata, self->device, 1, VN_NO_PASID, IOVA(3));
	ASSERT_OK(vn_testdev_wait(self->device, 1, VN_TIMEOUT_MS, &status));
	EXPECT_EQ(VN_ERROR_PAGE_INVALID, status.error);
	EXPECT_EQ(0, vn_ring_get(&self->guest.ring, &fault));
}

/* Whatever ends the binding answers what is pending. */
TEST_F(vtd, pending_requests_end_with_the_binding)
{
	struct vn_vtd *guest = &self->guest;
	struct vn_channel_status status;
	struct vfio_nested_stats stats;
	struct vfio_nested_fault fault;
	unsigned int i;

	NEED_REQUESTS();
	for (i = 1; i < 4; i++)
		ask(_metadata, self->device, i, VN_NO_PASID, IOVA(3 + i));
	for (i = 1; i < 4; i++)
		next_request(_metadata, guest, &fault);
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	for (i = 1; i < 4; i++) {
		ASSERT_OK(vn_testdev_wait(self->device, i, VN_TIMEOUT_MS, &status));
		EXPECT_EQ(VN_CHANNEL_ERROR, status.state);
	}
	ASSERT_OK(vn_nested_stats(guest->fd, &stats));
	EXPECT_EQ(3, stats.faults_aborted);
	EXPECT_EQ(0, stats.faults_pending);
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_BAD_RESPONSES));
}

/* The table goes, and with it the PASID; the answer comes after that. */
TEST_F(vtd, a_request_outlives_its_pasid)
{
	struct vn_vtd *guest = &self->guest;
	struct vn_channel_status status;
	struct vfio_nested_fault fault;
	struct vn_fs fs;

	NEED_REQUESTS();
	add_pasid(_metadata, guest, THE_PASID, DID, &fs);
	ask(_metadata, self->device, 1, VN_PASID(THE_PASID), IOVA(3));
	next_request(_metadata, guest, &fault);
	ASSERT_OK(vn_vtd_set_entry(guest, THE_PASID, NULL));
	EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, THE_PASID)));
	EXPECT_OK(answer(guest, fault.cookie, VFIO_NESTED_RESPONSE_RETRY));
	ASSERT_OK(vn_testdev_wait(self->device, 1, VN_TIMEOUT_MS, &status));
	EXPECT_EQ(VN_CHANNEL_ERROR, status.state);
}

/*
 * Response Failure would end the page requests of all functions that share the interface.
 * The device is told that the request was invalid, and goes on.
 */
TEST_F(vtd, failure_does_not_reach_the_device)
{
	struct vn_vtd *guest = &self->guest;
	struct vn_channel_status status;
	struct vfio_nested_fault fault;
	unsigned int code;

	NEED_REQUESTS();
	ask(_metadata, self->device, 1, VN_NO_PASID, IOVA(3));
	next_request(_metadata, guest, &fault);
	for (code = 2; code < 15; code++)
		EXPECT_EQ(-EINVAL, COMMAND(vn_qi_response(ID, false, 0,
							  fault.group, code)));
	EXPECT_OK(COMMAND(vn_qi_response(ID, false, 0, fault.group, 15)));
	ASSERT_OK(vn_testdev_wait(self->device, 1, VN_TIMEOUT_MS, &status));
	EXPECT_EQ(VN_ERROR_PAGE_INVALID, status.error);
	page_request(_metadata, self, &guest->fs, VN_NO_PASID, true);
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_BAD_RESPONSES));
}

/* A group of another device, PASID or number is nobody's to answer. */
TEST_F(vtd, responses_for_others_are_refused)
{
	struct vn_vtd *guest = &self->guest;
	struct vn_channel_status status;
	struct vfio_nested_fault fault;
	struct vn_fs fs;

	NEED_REQUESTS();
	add_pasid(_metadata, guest, THE_PASID, DID, &fs);
	ask(_metadata, self->device, 1, VN_PASID(THE_PASID), IOVA(3));
	next_request(_metadata, guest, &fault);
	EXPECT_EQ(-ENOENT, COMMAND(vn_qi_response(OTHER_ID, true, THE_PASID,
						  fault.group, 0)));
	EXPECT_EQ(-ENOENT, COMMAND(vn_qi_response(ID, true, THE_PASID + 1,
						  fault.group, 0)));
	EXPECT_EQ(-ENOENT, COMMAND(vn_qi_response(ID, false, 0, fault.group, 0)));
	EXPECT_EQ(-ENOENT, COMMAND(vn_qi_response(ID, true, THE_PASID,
						  fault.group ^ 1, 0)));
	EXPECT_OK(COMMAND(vn_qi_response(ID, true, THE_PASID, fault.group, 1)));
	ASSERT_OK(vn_testdev_wait(self->device, 1, VN_TIMEOUT_MS, &status));
	EXPECT_EQ(VN_ERROR_PAGE_INVALID, status.error);
}

TEST_F(vtd, a_reset_ends_pending_requests)
{
	struct vn_vtd *guest = &self->guest;
	struct vfio_nested_stats stats;
	struct vfio_nested_fault fault;
	unsigned int i;

	NEED_REQUESTS();
	for (i = 1; i < 4; i++)
		ask(_metadata, self->device, i, VN_NO_PASID, IOVA(3 + i));
	for (i = 1; i < 4; i++)
		next_request(_metadata, guest, &fault);
	ASSERT_OK(vn_device_reset(self->device, VN_RESET_VFIO));
	ASSERT_OK(vn_nested_stats(guest->fd, &stats));
	EXPECT_EQ(3, stats.faults_aborted);
	EXPECT_EQ(0, stats.faults_pending);
	EXPECT_EQ(-ECANCELED, answer(guest, fault.cookie, VFIO_NESTED_RESPONSE_RETRY));
	/* The guest begins anew. */
	NEED_REQUESTS();
	page_request(_metadata, self, &guest->fs, VN_NO_PASID, false);
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_BAD_RESPONSES));
}

/* Answers everything that comes, in one of three ways, until it is told to stop. */
struct answerer {
	struct vn_vtd *guest;
	bool stop;
	unsigned int answers;
	int error;
};

static void *answerer(void *data)
{
	struct answerer *job = data;
	struct vn_vtd *guest = job->guest;
	struct vfio_nested_fault fault;
	unsigned int n = 0;
	int ret;

	while (!vn_read_once(&job->stop) && !job->error) {
		if (!vn_ring_get(&guest->ring, &fault)) {
			vn_sleep_ms(1);
			continue;
		}
		if (fault.kind != VFIO_NESTED_FAULT_PAGE_REQUEST ||
		    !(fault.flags & VFIO_NESTED_FAULT_LAST))
			continue;
		if (n++ % 3)
			ret = answer(guest, fault.cookie, n % 2 ?
				     VFIO_NESTED_RESPONSE_RETRY :
				     VFIO_NESTED_RESPONSE_ABORT);
		else
			ret = vn_vtd_command(guest->fd,
					     vn_qi_response(ID,
							    fault.flags & VFIO_NESTED_FAULT_PASID,
							    fault.pasid, fault.group,
							    n % 2));
		/* Whatever ends the binding, or a context, is faster now and then. */
		if (!ret)
			job->answers++;
		else if (ret != -ECANCELED && ret != -EALREADY && ret != -ESTALE &&
			 ret != -ENOENT && ret != -ENODEV)
			job->error = ret;
	}
	return NULL;
}

/* Requests with and without PASID, while all that they depend on comes and goes */
TEST_F(vtd, requests_under_changes)
{
	struct vn_vtd *guest = &self->guest;
	struct answerer job = { .guest = guest };
	uint64_t words[VN_VTD_ENTRY_WORDS];
	struct vfio_nested_stats stats;
	struct vfio_nested_fault fault;
	pthread_t thread;
	uint64_t end;
	unsigned int i, rounds = 0;
	struct vn_fs fs;

	NEED_REQUESTS();
	add_pasid(_metadata, guest, THE_PASID, DID, &fs);
	vn_pte_first(words, fs.table, DID);
	ASSERT_EQ(0, pthread_create(&thread, NULL, answerer, &job));
	for (end = vn_now_ms() + 3000; vn_now_ms() < end; rounds++) {
		for (i = 1; i < 5; i++) {
			const struct vn_access flood = {
				.op = VN_OP_WRITE,
				.flags = VN_ACCESS_ATS | VN_ACCESS_PRI | VN_ACCESS_FLOOD,
				.iova = IOVA(3 + i), .length = 64,
				.pasid = i % 2 ? VN_PASID(THE_PASID) : VN_NO_PASID,
				.buffer = BUFFER * (i + 1),
			};

			vn_testdev_stop(self->device, i);
			vn_testdev_start(self->device, i, &flood);
		}
		EXPECT_OK(vn_vtd_set_entry(guest, THE_PASID, NULL));
		EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, THE_PASID)));
		EXPECT_OK(vn_vtd_set_entry(guest, THE_PASID, words));
		EXPECT_OK(COMMAND(vn_qi_pasid_cache(DID, THE_PASID)));
		if (rounds % 4 == 1) {
			EXPECT_OK(vn_nested_set_context(guest->fd, ID,
							VFIO_NESTED_CONTEXT_BYPASS));
			EXPECT_OK(vn_vtd_translate(guest, ID));
		}
		if (rounds % 4 == 3) {
			EXPECT_OK(vn_nested_unbind(self->device->fd));
			EXPECT_OK(vn_vtd_bind(guest, self->device, ID));
			EXPECT_OK(vn_vtd_name_memory(guest));
			EXPECT_OK(vn_vtd_translate(guest, ID));
		}
	}
	for (i = 1; i < 5; i++)
		vn_testdev_stop(self->device, i);
	vn_write_once(&job.stop, true);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, job.error);
	EXPECT_LT(0, job.answers);
	ksft_print_msg("%u rounds, %u answers\n", rounds, job.answers);

	/* All that has been asked is answered, by somebody. */
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	while (vn_ring_get(&guest->ring, &fault))
		;
	ASSERT_OK(vn_nested_stats(guest->fd, &stats));
	EXPECT_EQ(0, stats.faults_pending);
	EXPECT_EQ(stats.faults, stats.faults_answered + stats.faults_expired +
				stats.faults_aborted + stats.faults_refused);
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_BAD_RESPONSES));
}

/* Who has the ring is killed, with requests pending. */
TEST_F(vtd, requests_of_the_killed_are_ended)
{
	struct vn_vtd *guest = &self->guest;
	struct vn_channel_status status;
	int ready[2], wait_status;
	unsigned int i;
	pid_t child;
	char ok;

	NEED_REQUESTS();
	vn_nested_unbind(self->device->fd);
	vn_vtd_close(guest);
	ASSERT_EQ(0, pipe(ready));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		struct vfio_nested_fault fault;

		guest->fd = vn_nested_open();
		ok = guest->fd >= 0 && !vn_vtd_bind(guest, self->device, ID) &&
		     !vn_vtd_name_memory(guest) && !vn_vtd_translate(guest, ID) &&
		     !vn_ring_open(&guest->ring, guest->fd, RING, -1);
		for (i = 1; i < 4; i++)
			ask(_metadata, self->device, i, VN_NO_PASID, IOVA(3 + i));
		for (i = 1; i < 4 && ok; i++)
			ok = vn_ring_wait(&guest->ring, &fault, VN_TIMEOUT_MS) == 1;
		if (write(ready[1], &ok, 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	ASSERT_EQ(1, read(ready[0], &ok, 1));
	EXPECT_EQ(1, ok);
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &wait_status, 0));
	close(ready[0]);
	close(ready[1]);
	EXPECT_OK(vn_nested_unbind(self->device->fd));
	for (i = 1; i < 4; i++) {
		ASSERT_OK(vn_testdev_wait(self->device, i, VN_TIMEOUT_MS, &status));
		EXPECT_EQ(VN_CHANNEL_ERROR, status.state);
	}
	EXPECT_EQ(0, vn_testdev_count(self->device, VN_COUNT_BAD_RESPONSES));
}

int main(int argc, char **argv)
{
	return run_vtd_tests(wants, VN_ARRAY_SIZE(wants), argc, argv);
}
