/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the test programs for VT-d share: a guest with tables that are in force, and what
 * its device can reach.
 */
#ifndef VN_VTD_TEST_H
#define VN_VTD_TEST_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "capability.h"
#include "session.h"
#include "testdev.h"
#include "util.h"
#include "vtd.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	120

#define ASSERT_OK(call) ASSERT_EQ(0, call) TH_LOG("%s", vn_reason())
#define EXPECT_OK(call) EXPECT_EQ(0, call) TH_LOG("%s", vn_reason())

/* The device's source-id in the guest, which has another one in hardware */
#define ID		0x1234
#define OTHER_ID	0x1235
#define DID		7
#define THE_PASID	5
#define RING		64
#define CREDITS		16
#define POISON		0xa5
/* Input addresses that are no intermediate ones */
#define IOVA(n)		(0x7f1230000000ULL + (n) * 0x10000ULL)
#define BUFFER		256

static inline void unbind_all(void)
{
	unsigned int i;

	for (i = 0; i < vn_session->nr_devices; i++)
		if (vn_session->devices[i].fd >= 0)
			vn_nested_unbind(vn_session->devices[i].fd);
}

FIXTURE(vtd) {
	struct vn_device *device;
	struct vn_vtd guest;
};

static inline void check_vtd(struct __test_metadata *_metadata,
			     FIXTURE_DATA(vtd) *self)
{
	struct vfio_nested_info info = { .size = sizeof(info) };

	self->device = &vn_session->devices[0];
	if (self->device->fd < 0)
		SKIP(return, "%s", vn_session->missing[0]);
	ASSERT_OK(vn_ioctl(self->device->fd, VFIO_NESTED_INFO, &info));
	if (info.backend != VFIO_NESTED_BACKEND_VTD)
		SKIP(return, "the device is not behind a VT-d");
	if (!(info.caps & VFIO_NESTED_CAP_STAGE1))
		SKIP(return, "this VT-d cannot nest, see the log of the kernel");
}

/* A guest with tables, one for accesses without PASID, that are in force. */
FIXTURE_SETUP(vtd)
{
	uint64_t words[VN_VTD_ENTRY_WORDS];
	struct vn_vtd *guest = &self->guest;

	guest->fd = -1;
	unbind_all();
	check_vtd(_metadata, self);
	ASSERT_OK(vn_vtd_open(guest, self->device->vm));
	ASSERT_OK(vn_vtd_bind(guest, self->device, ID));
	ASSERT_OK(vn_vtd_name_memory(guest));
	ASSERT_OK(vn_vtd_tables(guest, 0));
	ASSERT_OK(vn_ring_open(&guest->ring, guest->fd, RING, -1));
	vn_pte_first(words, guest->fs.table, DID);
	ASSERT_OK(vn_vtd_set_entry(guest, 0, words));
	ASSERT_OK(vn_vtd_translate(guest, ID));
}

FIXTURE_TEARDOWN(vtd)
{
	if (self->guest.fd < 0)
		return;
	vn_nested_unbind(self->device->fd);
	vn_vtd_close(&self->guest);
	EXPECT_OK(vn_testdev_quiet(self->device));
}

static inline uint64_t new_page(struct __test_metadata *_metadata, struct vn_vtd *guest)
{
	uint64_t ipa = vn_vm_alloc(guest->vm, VN_VTD_PAGE, VN_VTD_PAGE);

	ASSERT_NE(0, ipa);
	memset(vn_vm_va(guest->vm, ipa), POISON, VN_VTD_PAGE);
	return ipa;
}

static inline bool word_is(struct vn_vtd *guest, uint64_t ipa, uint32_t word)
{
	return vn_read_once((uint32_t *)vn_vm_va(guest->vm, ipa)) == word;
}

static const uint32_t poison_word = 0xa5a5a5a5;

/* Writes @word at @iova, with @pasid if that is VN_PASID(); what became of it. */
static inline struct vn_channel_status
write_word(struct __test_metadata *_metadata, struct vn_device *device,
	   uint32_t pasid, uint64_t iova, uint32_t word)
{
	const struct vn_access access = {
		.op = VN_OP_WRITE, .iova = iova, .length = sizeof(word),
		.pasid = pasid, .buffer = BUFFER,
	};
	struct vn_channel_status status = {};

	vn_testdev_buffer_write(device, BUFFER, &word, sizeof(word));
	EXPECT_OK(vn_testdev_run(device, 1, &access, &status));
	return status;
}

/* A write reaches @ipa and nothing else; it is poisoned again. */
#define EXPECT_LANDS(pasid, iova, ipa) do {				\
	static uint32_t __word = 0x10000;				\
	struct vn_channel_status __status;				\
									\
	__word++;							\
	__status = write_word(_metadata, self->device, pasid, iova, __word);\
	EXPECT_EQ(VN_CHANNEL_OK, __status.state)			\
		TH_LOG("%s", vn_channel_error_name(__status.error));	\
	EXPECT_TRUE(word_is(&self->guest, ipa, __word));		\
	memset(vn_vm_va(self->guest.vm, ipa), POISON, 4);		\
} while (0)

#define EXPECT_REFUSED(pasid, iova) do {				\
	struct vn_channel_status __status =				\
		write_word(_metadata, self->device, pasid, iova, 0xbad);\
									\
	EXPECT_EQ(VN_CHANNEL_ERROR, __status.state);			\
	EXPECT_EQ(VN_ERROR_ABORTED, __status.error)			\
		TH_LOG("%s", vn_channel_error_name(__status.error));	\
} while (0)

#define COMMAND(command) vn_vtd_command(self->guest.fd, command)

static inline bool has_pasids(FIXTURE_DATA(vtd) *self)
{
	return self->guest.info.caps & VFIO_NESTED_CAP_PASID;
}

#define NEED_PASIDS() do {						\
	if (!has_pasids(self))						\
		SKIP(return, "this kernel or device cannot nest PASIDs");\
	ASSERT_OK(vn_device_enable_pasid(self->device));		\
} while (0)

/* Gives @pasid a table of its own, and tells the IOMMU. */
static inline void add_pasid(struct __test_metadata *_metadata, struct vn_vtd *guest,
			     uint32_t pasid, uint16_t did, struct vn_fs *fs)
{
	uint64_t words[VN_VTD_ENTRY_WORDS];

	ASSERT_OK(vn_fs_init(fs, guest->vm));
	vn_pte_first(words, fs->table, did);
	ASSERT_OK(vn_vtd_set_entry(guest, pasid, words));
	ASSERT_OK(vn_vtd_command(guest->fd, vn_qi_pasid_cache(did, pasid)));
}

/* Beyond the machine's own memory; at a boundary of the largest pages it may have */
#define EXTRA_IPA	(VN_RAM_IPA + 0x14000000ULL)

static inline bool is_type1(FIXTURE_DATA(vtd) *self)
{
	return self->guest.vm->ops == &vn_vm_type1;
}

#define NEED_TYPE1() do {						\
	if (!is_type1(self))						\
		SKIP(return, "iommufd's own domain is nested on: nothing has to follow it");\
} while (0)

static inline int name(struct vn_vtd *guest, uint64_t ipa, uint64_t size, void *va)
{
	return vn_nested_memory(guest->fd, VFIO_NESTED_MEMORY_NAME, ipa, size, va);
}

static inline int forget(struct vn_vtd *guest, uint64_t ipa, uint64_t size)
{
	return vn_nested_memory(guest->fd, VFIO_NESTED_MEMORY_FORGET, ipa, size,
				NULL);
}

/* The main() of a program that has these wishes. */
static inline int run_vtd_tests(const struct vn_want *wants, unsigned int num,
				int argc, char **argv)
{
	if (argc == 2 && (!strcmp(argv[1], "-l") || !strcmp(argv[1], "-h")))
		return test_harness_run(argc, argv);
	if (vn_session_open(wants, num)) {
		ksft_print_header();
		ksft_exit_skip("%s\n", vn_reason());
	}
	return test_harness_run(argc, argv);
}

#endif /* VN_VTD_TEST_H */
