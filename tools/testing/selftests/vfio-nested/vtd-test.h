/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the test programs for VT-d share: a guest with tables that are in force, and what
 * its device can reach.
 */
#ifndef VN_VTD_TEST_H
#define VN_VTD_TEST_H

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "capability.h"
#include "fault.h"
#include "test.h"
#include "testdev.h"
#include "vtd.h"

#define OTHER_STREAM	0x20
/* What the number of an address space is called here */
#define DID		ASID
#define CREDITS		16
#define POISON		0xa5
#define BUFFER		256
/* Input addresses that only this engine, and a table of four levels, can reach */
#undef IOVA
#define IOVA(n)		(0x7f1230000000ULL + (n) * 0x10000ULL)

FIXTURE(vtd) {
	struct vn_device *device;
	struct vn_guest guest;
};

/* Skips the test unless a guest can nest on this VT-d. */
static inline void check_vtd(struct __test_metadata *_metadata,
			     FIXTURE_DATA(vtd) *self)
{
	struct vfio_nested_info info;

	self->device = NEED_DEVICE(0);
	ASSERT_OK(vn_nested_info(self->device->fd, &info, NULL));
	if (info.backend != VFIO_NESTED_BACKEND_VTD)
		SKIP(return, "the device is not behind a VT-d");
	if (!(info.caps & VFIO_NESTED_CAP_STAGE1))
		SKIP(return, "this VT-d cannot nest, see the log of the kernel");
}

/* A guest with tables, one for accesses without PASID, that are in force. */
FIXTURE_SETUP(vtd)
{
	struct vn_guest *guest = &self->guest;

	guest->fd = -1;
	unbind_all();
	check_vtd(_metadata, self);
	start_guest(_metadata, guest, self->device, 0);
	ASSERT_OK(vn_vtd_translate(guest, STREAM));
}

FIXTURE_TEARDOWN(vtd)
{
	if (self->guest.fd < 0)
		return;
	vn_nested_unbind(self->device->fd);
	vn_guest_close(&self->guest);
	EXPECT_OK(vn_testdev_quiet(self->device));
}

static inline uint64_t new_page(struct __test_metadata *_metadata, struct vn_guest *guest)
{
	uint64_t ipa = vn_guest_page(guest);

	ASSERT_NE(0, ipa);
	return ipa;
}

static inline bool word_is(struct vn_guest *guest, uint64_t ipa, uint32_t word)
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
#define EXPECT_REACHES(pasid, iova, ipa) do {				\
	static uint32_t __word = 0x10000;				\
	struct vn_channel_status __status;				\
									\
	__word++;							\
	__status = write_word(_metadata, self->device, pasid, iova, __word);\
	EXPECT_EQ(VN_CHANNEL_OK, __status.state)			\
		TH_LOG("%s", vn_channel_error_name(__status.error));	\
	EXPECT_TRUE(word_is(&self->guest, ipa, __word));		\
	vn_poison(self->guest.vm, ipa);					\
} while (0)

#define EXPECT_ABORTS(pasid, iova) do {				\
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

/*
 * Unbinds the device, and attaches it to a domain that VFIO can attach with PASIDs as
 * well: that domain.
 */
static inline uint32_t attach_for_pasids(struct __test_metadata *_metadata,
					 FIXTURE_DATA(vtd) *self)
{
	uint32_t pt;

	ASSERT_OK(vn_nested_unbind(self->device->fd));
	ASSERT_OK(vn_iommufd_nest_parent(self->guest.vm, self->device, VN_HWPT_PASID,
					 &pt));
	ASSERT_OK(vn_iommufd_attach(self->device, pt));
	return pt;
}

/* Gives @pasid a table of its own, and tells the IOMMU. */
static inline void add_pasid(struct __test_metadata *_metadata, struct vn_guest *guest,
			     uint32_t pasid, uint16_t did, struct vn_stage1 *fs)
{
	uint64_t words[VN_VTD_ENTRY_WORDS];

	ASSERT_OK(vn_s1_init(fs, guest->vm, &vn_s1_x86, 12, VA_BITS));
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

#define NEED_IOMMUFD() do {						\
	if (is_type1(self))						\
		SKIP(return, "only iommufd attaches PASIDs");		\
} while (0)

#define NEED_TYPE1() do {						\
	if (!is_type1(self))						\
		SKIP(return, "iommufd's own domain is nested on: nothing has to follow it");\
} while (0)

static inline int name(struct vn_guest *guest, uint64_t ipa, uint64_t size, void *va)
{
	return vn_nested_memory(guest->fd, VFIO_NESTED_MEMORY_NAME, ipa, size, va);
}

/* All of the machine's memory */
static inline int name_ram(struct vn_guest *guest)
{
	return name(guest, VN_RAM_IPA, guest->vm->ram_size, guest->vm->ram);
}

static inline int forget(struct vn_guest *guest, uint64_t ipa, uint64_t size)
{
	return vn_nested_memory(guest->fd, VFIO_NESTED_MEMORY_FORGET, ipa, size,
				NULL);
}

/* For start_vmm(): the tables of a test are those of another process's nested fd. */
static inline int take_over(void *data)
{
	FIXTURE_DATA(vtd) *self = data;
	struct vn_guest *guest = &self->guest;
	int ret;

	guest->fd = vn_nested_open();
	ret = guest->fd < 0 ? guest->fd :
	      vn_guest_bind(guest, self->device, STREAM);
	return ret ?: vn_vtd_translate(guest, STREAM);
}

#endif /* VN_VTD_TEST_H */
