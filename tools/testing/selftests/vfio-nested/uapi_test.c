// SPDX-License-Identifier: GPL-2.0
/*
 * What each ioctl says to values that are wrong, and that it changes nothing then;
 * what it tells when they are right. Built for 32 bits too.
 */
#include <assert.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "test.h"

static const struct vn_want wants[] = {
	{},
	{},
	/* Of another virtual machine: on another stage 2 */
	{ .vm = 1 },
};

#define SECOND	1
#define FOREIGN	2

FIXTURE(uapi) {
	struct vn_device *device;
	const struct vn_arch *arch;
	int fd;
};

FIXTURE_SETUP(uapi)
{
	struct vfio_nested_info info;

	self->device = NEED_DEVICE(0);
	unbind_all();
	ASSERT_OK(vn_nested_info(self->device->fd, &info, NULL));
	self->arch = vn_arch_of(info.backend);
	ASSERT_NE(NULL, self->arch);
	self->fd = vn_nested_open();
	ASSERT_LE(0, self->fd) TH_LOG("%s", vn_reason());
}

static int command(FIXTURE_DATA(uapi) *self, struct vn_command command)
{
	uint32_t num = 1;

	return vn_nested_commands(self->fd, self->arch->command_type, &command,
				  sizeof(command), &num);
}

FIXTURE_TEARDOWN(uapi)
{
	unbind_all();
	close(self->fd);
}

static uint64_t bindings(int fd)
{
	struct vfio_nested_stats stats;

	return vn_nested_stats(fd, &stats) ? UINT64_MAX : stats.bindings;
}

/* Information */

#define INFO_ROOM	512

TEST_F(uapi, info_before_and_after_binding)
{
	uint8_t of_device[INFO_ROOM] = {}, of_fd[INFO_ROOM] = {};
	struct vfio_nested_info device, fd;

	ASSERT_OK(vn_nested_info(self->fd, &fd, NULL));
	EXPECT_EQ(VFIO_NESTED_BACKEND_NONE, fd.backend);
	EXPECT_EQ(0, fd.data_len);
	EXPECT_EQ(0, fd.caps);
	EXPECT_LT(0, fd.max_bindings);
	EXPECT_LE(8, fd.ring_entries_max);
	EXPECT_LE(sizeof(struct vfio_nested_fault), fd.ring_record_size);

	ASSERT_OK(vn_nested_registers(self->device->fd, &device, of_device,
				      sizeof(of_device)));
	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	ASSERT_OK(vn_nested_registers(self->fd, &fd, of_fd, sizeof(of_fd)));
	EXPECT_EQ(device.backend, fd.backend);
	EXPECT_EQ(device.caps, fd.caps);
	EXPECT_EQ(device.virtual_id_bits, fd.virtual_id_bits);
	EXPECT_EQ(device.pasid_bits, fd.pasid_bits);
	EXPECT_EQ(device.max_pending, fd.max_pending);
	EXPECT_EQ(device.max_bindings, fd.max_bindings);
	EXPECT_EQ(device.msi_start, fd.msi_start);
	EXPECT_EQ(device.msi_size, fd.msi_size);
	EXPECT_EQ(0, memcmp(of_device, of_fd, sizeof(of_fd)));

	/* It belongs to the devices, so it goes with the last one. */
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	ASSERT_OK(vn_nested_info(self->fd, &fd, NULL));
	EXPECT_EQ(VFIO_NESTED_BACKEND_NONE, fd.backend);
}

/* Features that a guest must not believe it has */
TEST_F(uapi, info_smmuv3)
{
	struct vfio_nested_info_smmuv3 smmu;
	struct vfio_nested_info info;

	ASSERT_OK(vn_nested_info(self->device->fd, &info, &smmu));
	if (info.backend != VFIO_NESTED_BACKEND_SMMUV3)
		SKIP(return, "not an SMMUv3");
	EXPECT_EQ(32, info.virtual_id_bits);
	EXPECT_EQ(sizeof(smmu), info.data_len);
	EXPECT_EQ(0, smmu.flags);
	EXPECT_EQ(0, smmu.__reserved);
	EXPECT_EQ(VFIO_NESTED_CAP_STAGE1 | VFIO_NESTED_CAP_INVALIDATE |
		  VFIO_NESTED_CAP_EVENTS,
		  info.caps & (VFIO_NESTED_CAP_STAGE1 |
			       VFIO_NESTED_CAP_INVALIDATE |
			       VFIO_NESTED_CAP_EVENTS));

	EXPECT_EQ(0, vn_get_field(smmu.idr[0], 0, 1)) TH_LOG("S2P");
	EXPECT_EQ(1, vn_get_field(smmu.idr[0], 1, 1)) TH_LOG("S1P");
	EXPECT_EQ(0, vn_get_field(smmu.idr[0], 5, 1)) TH_LOG("BTM");
	EXPECT_EQ(0, vn_get_field(smmu.idr[0], 9, 1)) TH_LOG("HYP");
	EXPECT_EQ(0, vn_get_field(smmu.idr[0], 13, 1)) TH_LOG("MSI");
	EXPECT_EQ(0, vn_get_field(smmu.idr[0], 18, 1)) TH_LOG("VMID16");
	/* The registers are about all devices, the capabilities about this one. */
	EXPECT_LE(!!(info.caps & VFIO_NESTED_CAP_ATS),
		  vn_get_field(smmu.idr[0], 10, 1)) TH_LOG("ATS");
	EXPECT_LE(!!(info.caps & VFIO_NESTED_CAP_PRI),
		  vn_get_field(smmu.idr[0], 16, 1)) TH_LOG("PRI");
	EXPECT_LE(vn_get_field(smmu.idr[0], 16, 1),
		  vn_get_field(smmu.idr[0], 10, 1)) TH_LOG("PRI without ATS");
	EXPECT_LE(info.pasid_bits, vn_get_field(smmu.idr[1], 6, 5));
	EXPECT_EQ(!!info.pasid_bits, !!(info.caps & VFIO_NESTED_CAP_PASID));
	if (info.caps & VFIO_NESTED_CAP_STALL)
		EXPECT_NE(1, vn_get_field(smmu.idr[0], 24, 2));
	EXPECT_EQ(vn_get_field(smmu.idr[0], 24, 2) != 1,
		  !!vn_get_field(smmu.idr[5], 16, 16)) TH_LOG("STALL_MAX");
	if (info.caps & (VFIO_NESTED_CAP_STALL | VFIO_NESTED_CAP_PRI))
		EXPECT_NE(0, info.max_pending);
	EXPECT_GE(1024, info.max_pending);
	EXPECT_NE(0, vn_get_field(smmu.idr[5], 4, 3)) TH_LOG("no granule");
	if (info.msi_size) {
		EXPECT_EQ(0, info.msi_start % VN_PAGE);
		EXPECT_EQ(0, info.msi_size % VN_PAGE);
	}
}

TEST_F(uapi, info_room)
{
	uint8_t room[INFO_ROOM], whole[sizeof(struct vfio_nested_info_smmuv3)];
	struct vfio_nested_info info = { .size = sizeof(info) };
	uint32_t full, len;

	ASSERT_OK(vn_ioctl(self->device->fd, VFIO_NESTED_INFO, &info));
	full = info.data_len;
	ASSERT_LT(0, full);
	ASSERT_GE(sizeof(whole), full);
	info.data_len = full;
	info.data_uptr = (uintptr_t)whole;
	ASSERT_OK(vn_ioctl(self->device->fd, VFIO_NESTED_INFO, &info));

	for (len = 0; len <= INFO_ROOM; len += 4) {
		uint32_t told = len < full ? len : full, i;
		bool zero = true;

		memset(room, 0xcc, sizeof(room));
		info.data_len = len;
		info.data_uptr = (uintptr_t)room;
		ASSERT_OK(vn_ioctl(self->device->fd, VFIO_NESTED_INFO, &info));
		EXPECT_EQ(full, info.data_len);
		EXPECT_EQ(0, memcmp(room, whole, told));
		/* Room that is left is cleared, what is beyond is not touched. */
		for (i = told; i < len; i++)
			zero &= !room[i];
		for (i = len; i < INFO_ROOM; i++)
			zero &= room[i] == 0xcc;
		EXPECT_TRUE(zero) TH_LOG("room for %u bytes", len);
	}
}

TEST_F(uapi, info_bad_room)
{
	struct vfio_nested_info info = { .size = sizeof(info) };

	info.data_len = 8;
	info.data_uptr = 8;
	EXPECT_EQ(-EFAULT, vn_ioctl(self->device->fd, VFIO_NESTED_INFO, &info));
	info.data_len = 8;
	info.data_uptr = UINT64_MAX - 3;
	EXPECT_EQ(-EFAULT, vn_ioctl(self->device->fd, VFIO_NESTED_INFO, &info));
	info.data_len = UINT32_MAX;
	info.data_uptr = (uintptr_t)&info;
	EXPECT_NE(0, vn_ioctl(self->device->fd, VFIO_NESTED_INFO, &info));
	/* No room, no pointer. */
	info.data_len = 0;
	info.data_uptr = UINT64_MAX;
	EXPECT_OK(vn_ioctl(self->device->fd, VFIO_NESTED_INFO, &info));
}

/* Binding */

TEST_F(uapi, bind_to_what_is_no_nested_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int path = open(VN_NESTED_PATH, O_PATH | O_CLOEXEC);
	struct pollfd end;
	int ends[2], i;

	ASSERT_LE(0, null);
	ASSERT_LE(0, path);
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	EXPECT_EQ(-EBADF, vn_nested_bind(self->device->fd, -1, STREAM));
	EXPECT_EQ(-EBADF, vn_nested_bind(self->device->fd, 12345, STREAM));
	EXPECT_EQ(-EBADF, vn_nested_bind(self->device->fd, INT32_MIN, STREAM));
	EXPECT_EQ(-EBADF, vn_nested_bind(self->device->fd, null, STREAM));
	EXPECT_EQ(-EBADF, vn_nested_bind(self->device->fd, path, STREAM));
	EXPECT_EQ(-EBADF, vn_nested_bind(self->device->fd, self->device->fd,
					 STREAM));
	for (i = 0; i < 100; i++)
		EXPECT_EQ(-EBADF, vn_nested_bind(self->device->fd, ends[1],
						 STREAM));
	/* The file was let go of: its other end tells. */
	close(ends[1]);
	end = (struct pollfd) { .fd = ends[0], .events = POLLIN };
	EXPECT_EQ(1, poll(&end, 1, 0));
	EXPECT_TRUE(end.revents & POLLHUP);
	EXPECT_EQ(-ENOENT, vn_nested_unbind(self->device->fd));
}

TEST_F(uapi, bind_twice)
{
	int other = vn_nested_open();

	ASSERT_LE(0, other);
	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	EXPECT_EQ(-EBUSY, vn_nested_bind(self->device->fd, self->fd, STREAM));
	EXPECT_EQ(-EBUSY, vn_nested_bind(self->device->fd, self->fd, STREAM + 1));
	EXPECT_EQ(-EBUSY, vn_nested_bind(self->device->fd, other, STREAM));
	EXPECT_EQ(1, bindings(self->fd));
	EXPECT_EQ(0, bindings(other));
	/* The first binding is what it was. */
	EXPECT_OK(vn_nested_set_context(self->fd, STREAM,
					VFIO_NESTED_CONTEXT_ABORT));
	EXPECT_EQ(-ENOENT, vn_nested_set_context(self->fd, STREAM + 1,
						 VFIO_NESTED_CONTEXT_ABORT));
	close(other);
}

TEST_F(uapi, virtual_ids)
{
	/* Ids that are good on any architecture, and ids that are on none */
	static const uint64_t good[] = { 0, 1, STREAM, 0xffff };
	static const uint64_t bad[] = {
		1ULL << 32, (1ULL << 32) + STREAM, 1ULL << 63, UINT64_MAX,
	};
	struct vfio_nested_info info;
	size_t i;

	for (i = 0; i < VN_ARRAY_SIZE(good); i++) {
		EXPECT_OK(vn_nested_bind(self->device->fd, self->fd, good[i]));
		EXPECT_OK(vn_nested_set_context(self->fd, good[i],
						VFIO_NESTED_CONTEXT_BYPASS));
		EXPECT_OK(vn_nested_unbind(self->device->fd));
	}
	for (i = 0; i < VN_ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, vn_nested_bind(self->device->fd, self->fd,
						  bad[i]));
		EXPECT_EQ(-ENOENT, vn_nested_set_context(self->fd, bad[i],
							 VFIO_NESTED_CONTEXT_BYPASS));
	}
	/* The largest that is told, and the one after it */
	ASSERT_OK(vn_nested_info(self->device->fd, &info, NULL));
	EXPECT_EQ(-EINVAL, vn_nested_bind(self->device->fd, self->fd,
					  1ULL << info.virtual_id_bits));
	EXPECT_OK(vn_nested_bind(self->device->fd, self->fd,
				 (1ULL << info.virtual_id_bits) - 1));
}

TEST_F(uapi, unbind_what_is_not_bound)
{
	EXPECT_EQ(-ENOENT, vn_nested_unbind(self->device->fd));
	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	EXPECT_EQ(1, bindings(self->fd));
	EXPECT_OK(vn_nested_unbind(self->device->fd));
	EXPECT_EQ(0, bindings(self->fd));
	EXPECT_EQ(-ENOENT, vn_nested_unbind(self->device->fd));
}

TEST_F(uapi, virtual_id_is_taken)
{
	struct vn_device *second = NEED_DEVICE(SECOND);

	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	EXPECT_EQ(-EEXIST, vn_nested_bind(second->fd, self->fd, STREAM));
	EXPECT_EQ(1, bindings(self->fd));
	EXPECT_OK(vn_nested_bind(second->fd, self->fd, STREAM + 1));
	EXPECT_EQ(2, bindings(self->fd));
	/* Free again when its owner has gone */
	EXPECT_OK(vn_nested_unbind(self->device->fd));
	EXPECT_OK(vn_nested_unbind(second->fd));
	EXPECT_OK(vn_nested_bind(second->fd, self->fd, STREAM));
}

TEST_F(uapi, device_of_another_stage2)
{
	struct vn_device *foreign = NEED_DEVICE(FOREIGN);

	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	EXPECT_EQ(-EXDEV, vn_nested_bind(foreign->fd, self->fd, STREAM + 1));
	EXPECT_EQ(1, bindings(self->fd));
	EXPECT_EQ(-ENOENT, vn_nested_unbind(foreign->fd));
	/* It is not the device's fault: the other way round it works. */
	EXPECT_OK(vn_nested_unbind(self->device->fd));
	EXPECT_OK(vn_nested_bind(foreign->fd, self->fd, STREAM + 1));
	EXPECT_EQ(-EXDEV, vn_nested_bind(self->device->fd, self->fd, STREAM));
}

/* Contexts */

/* @data is any number of 64 bits, also where pointers have 32. */
static int set_context(int fd, uint32_t type, uint32_t len, uint64_t data)
{
	struct vfio_nested_set_context context = {
		.size = sizeof(context),
		.virtual_id = STREAM,
		.type = type,
		.data_len = len,
		.data_uptr = data,
	};

	return vn_ioctl(fd, VFIO_NESTED_SET_CONTEXT, &context);
}

TEST_F(uapi, context_of_unknown_device)
{
	EXPECT_EQ(-ENOENT, vn_nested_set_context(self->fd, STREAM,
						 VFIO_NESTED_CONTEXT_CLEAR));
	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	EXPECT_EQ(-ENOENT, vn_nested_set_context(self->fd, STREAM + 1,
						 VFIO_NESTED_CONTEXT_CLEAR));
	EXPECT_EQ(-ENOENT, vn_nested_set_context(self->fd, UINT64_MAX,
						 VFIO_NESTED_CONTEXT_CLEAR));
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	EXPECT_EQ(-ENOENT, vn_nested_set_context(self->fd, STREAM,
						 VFIO_NESTED_CONTEXT_CLEAR));
}

TEST_F(uapi, context_types_and_sizes)
{
	/* An entry of zeroes is legal: all accesses are refused. */
	uint8_t arg[64] = {};
	uint64_t at = (uintptr_t)arg;
	uint32_t size = self->arch->context_len;
	struct vfio_nested_stats stats;
	uint32_t type, len;

	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	for (type = 0; type < 3; type++) {
		EXPECT_OK(set_context(self->fd, type, 0, 0));
		/* No data, no pointer. */
		EXPECT_OK(set_context(self->fd, type, 0, 8));
		EXPECT_EQ(-EINVAL, set_context(self->fd, type, 1, at));
		EXPECT_EQ(-EINVAL, set_context(self->fd, type, 16, at));
	}
	for (; type < 40; type++)
		if (type != self->arch->context_type)
			EXPECT_EQ(-EOPNOTSUPP, set_context(self->fd, type,
							   sizeof(arg), at))
				TH_LOG("type %u", type);
	EXPECT_EQ(-EOPNOTSUPP, set_context(self->fd, UINT32_MAX, 16, at));

	type = self->arch->context_type;
	for (len = 0; len < size; len++)
		EXPECT_EQ(-EINVAL, set_context(self->fd, type, len, at));
	EXPECT_OK(set_context(self->fd, type, size, at));
	/* The general rule for sizes holds for the data too. */
	EXPECT_OK(set_context(self->fd, type, size + 16, at));
	arg[size + 15] = 1;
	EXPECT_EQ(-E2BIG, set_context(self->fd, type, size + 16, at));
	EXPECT_OK(set_context(self->fd, type, size + 15, at));
	EXPECT_NE(0, set_context(self->fd, type, UINT32_MAX, at));
	EXPECT_EQ(-EFAULT, set_context(self->fd, type, size, 0));
	EXPECT_EQ(-EFAULT, set_context(self->fd, type, size, UINT64_MAX - 7));

	/* Only what succeeded has been counted. */
	ASSERT_OK(vn_nested_stats(self->fd, &stats));
	EXPECT_EQ(3 * 2 + 3, stats.contexts);
}

/* A valid entry, and each of its bits changed */
TEST_F(uapi, ste_by_bit)
{
	static const uint64_t free0 = VN_STE0_V | VN_STE0_S1CONTEXTPTR;
	struct vfio_nested_info_smmuv3 registers;
	struct vfio_nested_info info;
	struct vn_smmuv3 smmu;
	uint64_t good[2];
	unsigned int bit;

	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	ASSERT_OK(vn_nested_info(self->device->fd, &info, &registers));
	if (info.backend != VFIO_NESTED_BACKEND_SMMUV3)
		SKIP(return, "not an SMMUv3: see vtd_test");
	vn_smmuv3_parse(&smmu, &registers);

	vn_ste_s1(good, VN_RAM_IPA);
	ASSERT_OK(vn_nested_set_ste(self->fd, STREAM, good));
	for (bit = 0; bit < 64; bit++) {
		uint64_t ste[2] = { good[0] ^ VN_BIT(bit), good[1] };
		int want = free0 & VN_BIT(bit) ? 0 : -EINVAL;

		/* A pointer beyond the IPA size is one that can never be. */
		if (bit >= smmu.output_bits && bit < 52)
			want = -EINVAL;
		/* Config 0b100 is a bypass, 0b001 an abort; 0b111 is not ours. */
		if (bit == 1 || bit == 3)
			want = 0;
		/* S1Fmt does not matter for one descriptor, unless reserved. */
		if (bit == 4 || bit == 5)
			want = 0;
		/* As many PASIDs as there are: a power of two here. */
		if (bit >= 59 && 1U << (bit - 59) <= smmu.ssid_bits)
			want = 0;
		EXPECT_EQ(want, vn_nested_set_ste(self->fd, STREAM, ste))
			TH_LOG("word 0 bit %u", bit);
	}
	for (bit = 0; bit < 64; bit++) {
		uint64_t ste[2] = { good[0], good[1] ^ VN_BIT(bit) };
		/* S1DSS, S1CIR, S1COR, S1CSH */
		int want = bit < 8 ? 0 : -EINVAL;

		/* S1CSH 0b01 is reserved. */
		if (bit == 7)
			want = -EINVAL;
		if (bit == 27)
			want = smmu.stall_model ? -EINVAL : 0;
		/* Full ATS needs leave; split-stage ATS is not offered. */
		if (bit == 28)
			want = info.caps & VFIO_NESTED_CAP_ATS ? 0 : -EPERM;
		EXPECT_EQ(want, vn_nested_set_ste(self->fd, STREAM, ste))
			TH_LOG("word 1 bit %u", bit);
	}
	EXPECT_OK(vn_nested_set_ste(self->fd, STREAM, good));
}

TEST_F(uapi, ste_fields)
{
	struct vfio_nested_info_smmuv3 registers;
	struct vfio_nested_info info;
	struct vn_smmuv3 smmu;
	uint64_t good[2], ste[2];
	unsigned int config;

	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	ASSERT_OK(vn_nested_info(self->device->fd, &info, &registers));
	if (info.backend != VFIO_NESTED_BACKEND_SMMUV3)
		SKIP(return, "not an SMMUv3: see vtd_test");
	vn_smmuv3_parse(&smmu, &registers);
	vn_ste_s1(good, VN_RAM_IPA);

	for (config = 0; config < 8; config++) {
		ste[0] = (good[0] & ~VN_STE0_CONFIG(7)) | VN_STE0_CONFIG(config);
		EXPECT_EQ(config < 6 ? 0 : -EINVAL,
			  vn_nested_set_ste(self->fd, STREAM,
					    (uint64_t[2]) { ste[0], good[1] }))
			TH_LOG("Config %u", config);
	}
	/* More substreams than there are, reserved formats */
	ste[0] = good[0] | VN_STE0_S1CDMAX(smmu.ssid_bits + 1);
	EXPECT_EQ(-EINVAL, vn_nested_set_ste(self->fd, STREAM,
					     (uint64_t[2]) { ste[0], good[1] }));
	ste[0] = good[0] | VN_STE0_S1CDMAX(31);
	EXPECT_EQ(-EINVAL, vn_nested_set_ste(self->fd, STREAM,
					     (uint64_t[2]) { ste[0], good[1] }));
	ste[0] = good[0] | VN_STE0_S1FMT(3);
	EXPECT_EQ(-EINVAL, vn_nested_set_ste(self->fd, STREAM,
					     (uint64_t[2]) { ste[0], good[1] }));
	ste[1] = good[1] | VN_STE1_EATS(3);
	EXPECT_EQ(-EINVAL, vn_nested_set_ste(self->fd, STREAM,
					     (uint64_t[2]) { good[0], ste[1] }));
	/* The host's own fields, all of them, in a row */
	EXPECT_EQ(-EINVAL, vn_nested_set_ste(self->fd, STREAM,
					     (uint64_t[2]) { good[0], ~0ULL }));
}

/* Invalidation */

/* So is @entries. */
static int invalidate(int fd, uint32_t type, uint32_t entry_len, uint32_t *num,
		      uint64_t entries)
{
	struct vfio_nested_invalidate arg = {
		.size = sizeof(arg),
		.type = type,
		.entry_len = entry_len,
		.entry_num = *num,
		.entries_uptr = entries,
	};
	int ret = vn_ioctl(fd, VFIO_NESTED_INVALIDATE, &arg);

	*num = arg.entry_num;
	return ret;
}

TEST_F(uapi, invalidate_without_devices)
{
	struct vn_command command = self->arch->barrier();
	uint64_t at = (uintptr_t)&command;
	uint32_t num = 1;

	EXPECT_EQ(-ENODEV, invalidate(self->fd, self->arch->command_type, 16,
				      &num, at));
	EXPECT_EQ(0, num);
	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	num = 1;
	EXPECT_OK(invalidate(self->fd, self->arch->command_type, 16, &num, at));
	EXPECT_EQ(1, num);
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	num = 1;
	EXPECT_EQ(-ENODEV, invalidate(self->fd, self->arch->command_type, 16,
				      &num, at));
	EXPECT_EQ(0, num);
}

TEST_F(uapi, invalidate_format)
{
	const struct vn_command commands[4] = {
		self->arch->barrier(), self->arch->barrier(),
	};
	bool vtd = self->arch == &vn_arch_vtd;
	uint64_t at = (uintptr_t)commands;
	uint32_t num, type, len;

	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	for (type = 0; type < 40; type++) {
		/* VT-d knows the generic form, which is longer. */
		bool known = vtd && type == VFIO_NESTED_COMMAND_GENERIC;

		if (type == self->arch->command_type)
			continue;
		num = 1;
		EXPECT_EQ(known ? -EINVAL : -EOPNOTSUPP,
			  invalidate(self->fd, type, 16, &num, at))
			TH_LOG("type %u", type);
		EXPECT_EQ(0, num);
	}
	for (len = 0; len < 70; len++) {
		/* VT-d has queues of two widths. */
		if (len == 16 || (len == 32 && vtd))
			continue;
		num = 1;
		EXPECT_EQ(-EINVAL, invalidate(self->fd, self->arch->command_type,
					      len, &num, at))
			TH_LOG("entries of %u bytes", len);
		EXPECT_EQ(0, num);
	}
	num = 1;
	EXPECT_EQ(-EINVAL, invalidate(self->fd, VFIO_NESTED_COMMAND_SMMUV3,
				      UINT32_MAX, &num, at));
}

TEST_F(uapi, invalidate_pointers)
{
	uint32_t num;

	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	/* No commands, no pointer. */
	num = 0;
	EXPECT_OK(invalidate(self->fd, self->arch->command_type, 16, &num, 8));
	EXPECT_EQ(0, num);
	num = 1;
	EXPECT_EQ(-EFAULT, invalidate(self->fd, self->arch->command_type, 16,
				      &num, 0));
	EXPECT_EQ(0, num);
	num = UINT32_MAX;
	EXPECT_EQ(-EFAULT, invalidate(self->fd, self->arch->command_type, 16,
				      &num, UINT64_MAX - 31));
	EXPECT_EQ(0, num);
	num = 1;
	EXPECT_EQ(-EFAULT, invalidate(self->fd, self->arch->command_type, 16,
				      &num, 0xffff000000000000ULL));
	EXPECT_EQ(0, num);
}

/* Answers: what they say of faults is fault_test's and pri_test's. */

static int respond(int fd, uint32_t entry_len, uint32_t *num, uint64_t entries)
{
	struct vfio_nested_respond arg = {
		.size = sizeof(arg),
		.entry_len = entry_len,
		.entry_num = *num,
		.entries_uptr = entries,
	};
	int ret = vn_ioctl(fd, VFIO_NESTED_RESPOND, &arg);

	*num = arg.entry_num;
	return ret;
}

TEST_F(uapi, respond_format)
{
	struct vfio_nested_response response = {
		.cookie = 1, .code = VFIO_NESTED_RESPONSE_RETRY,
	};
	uint64_t at = (uintptr_t)&response;
	uint32_t num = 1, len;

	EXPECT_EQ(-ENODEV, respond(self->fd, 16, &num, at));
	EXPECT_EQ(0, num);
	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	for (len = 0; len < 70; len++) {
		num = 1;
		EXPECT_EQ(len == 16 ? -ENOENT : -EINVAL,
			  respond(self->fd, len, &num, at));
	}
	num = 1;
	EXPECT_EQ(-EINVAL, respond(self->fd, UINT32_MAX, &num, at));
	/* No answers, no pointer. */
	num = 0;
	EXPECT_OK(respond(self->fd, 16, &num, 8));
	num = 1;
	EXPECT_EQ(-EFAULT, respond(self->fd, 16, &num, 0));
	EXPECT_EQ(0, num);
	num = UINT32_MAX;
	EXPECT_EQ(-EFAULT, respond(self->fd, 16, &num, UINT64_MAX - 31));
	EXPECT_EQ(0, num);
	num = UINT32_MAX;
	EXPECT_EQ(-ENOENT, respond(self->fd, 16, &num, at));
	EXPECT_EQ(0, num);
	num = 1;
	EXPECT_EQ(-EFAULT, respond(self->fd, 16, &num, 0xffff000000000000ULL));
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	num = 1;
	EXPECT_EQ(-ENODEV, respond(self->fd, 16, &num, at));
}

/* With any ring missing, and with no device */
TEST_F(uapi, kick)
{
	struct vn_response_ring ring;
	uint32_t responses = 7, delivered = 7;

	EXPECT_OK(vn_nested_kick(self->fd, &responses, &delivered));
	EXPECT_EQ(0, responses);
	EXPECT_EQ(0, delivered);
	ASSERT_OK(vn_response_ring_open(&ring, self->fd, 8));
	ASSERT_TRUE(vn_response_ring_put(&ring, 1, VFIO_NESTED_RESPONSE_RETRY));
	EXPECT_OK(vn_nested_kick(self->fd, &responses, &delivered));
	EXPECT_EQ(1, responses);
	EXPECT_EQ(-ENODEV, vn_response_ring_record(&ring, 0)->result);
	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	ASSERT_TRUE(vn_response_ring_put(&ring, 1, VFIO_NESTED_RESPONSE_RETRY));
	EXPECT_OK(vn_nested_kick(self->fd, &responses, &delivered));
	EXPECT_EQ(-ENOENT, vn_response_ring_record(&ring, 1)->result);
	vn_response_ring_close(&ring);
}

TEST_F(uapi, response_ring)
{
	static const uint32_t bad[] = { 0, 1, 4, 7, 9, 24, UINT32_MAX };
	struct vfio_nested_setup_ring setup;
	struct vn_response_ring ring;
	struct vn_ring faults;
	struct vfio_nested_info info;
	size_t i;

	ASSERT_OK(vn_nested_info(self->fd, &info, NULL));
	for (i = 0; i < VN_ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, vn_response_ring_open(&ring, self->fd, bad[i]));
	EXPECT_EQ(-EINVAL, vn_response_ring_open(&ring, self->fd,
						 2 * info.ring_entries_max));
	/* Nobody is told when there are answers: the VMM writes them itself. */
	setup = (struct vfio_nested_setup_ring) {
		.size = sizeof(setup), .type = VFIO_NESTED_RING_RESPONSE,
		.entries = 8, .eventfd = 0,
	};
	EXPECT_EQ(-EINVAL, vn_ioctl(self->fd, VFIO_NESTED_SETUP_RING, &setup));
	setup.eventfd = -1;
	for (setup.type = 2; setup.type < 10; setup.type++)
		EXPECT_EQ(-EOPNOTSUPP, vn_ioctl(self->fd, VFIO_NESTED_SETUP_RING,
						&setup));

	ASSERT_OK(vn_response_ring_open(&ring, self->fd, 8));
	EXPECT_EQ(0, ring.setup.lost_offset);
	EXPECT_EQ(0, ring.setup.held_offset);
	EXPECT_LE(sizeof(struct vfio_nested_response), ring.setup.record_size);
	/* There is one of a kind, */
	setup.type = VFIO_NESTED_RING_RESPONSE;
	EXPECT_EQ(-EEXIST, vn_ioctl(self->fd, VFIO_NESTED_SETUP_RING, &setup));
	/* of each kind. */
	ASSERT_OK(vn_ring_open(&faults, self->fd, 8, -1));
	EXPECT_NE(faults.setup.mmap_offset, ring.setup.mmap_offset);
	EXPECT_NE(0, faults.setup.held_offset);
	EXPECT_EQ(0, vn_ring_held(&faults));
	vn_ring_close(&faults);
	vn_response_ring_close(&ring);
}

/* Stopping, saving, restoring */

TEST_F(uapi, run_states)
{
	uint32_t state;

	EXPECT_EQ(-ENOENT, vn_nested_set_run(self->fd, STREAM, VFIO_NESTED_STOP));
	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	EXPECT_EQ(-ENOENT, vn_nested_set_run(self->fd, STREAM + 1,
					     VFIO_NESTED_STOP));
	for (state = 2; state < 40; state++)
		EXPECT_EQ(-EOPNOTSUPP, vn_nested_set_run(self->fd, STREAM, state));
	EXPECT_EQ(-EOPNOTSUPP, vn_nested_set_run(self->fd, STREAM, UINT32_MAX));
	EXPECT_OK(vn_nested_set_run(self->fd, STREAM, VFIO_NESTED_RUN));
}

TEST_F(uapi, state_pointers)
{
	struct vfio_nested_state state = {}, before;
	uint32_t len = sizeof(state);
	void *bad[] = { NULL, (void *)(UINTPTR_MAX - 15) };
	size_t i;

	EXPECT_EQ(-ENOENT, vn_nested_save(self->fd, STREAM, &state, &len));
	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	ASSERT_OK(vn_nested_set_run(self->fd, STREAM, VFIO_NESTED_STOP));
	for (i = 0; i < VN_ARRAY_SIZE(bad); i++) {
		len = sizeof(state);
		EXPECT_EQ(-EFAULT, vn_nested_save(self->fd, STREAM, bad[i], &len));
		EXPECT_EQ(-EFAULT, vn_nested_restore(self->fd, STREAM, bad[i],
						     sizeof(state)));
	}
	/* Nothing is written where there is not enough room, or too much. */
	before = state;
	len = sizeof(state) - 1;
	EXPECT_EQ(-ENOSPC, vn_nested_save(self->fd, STREAM, &state, &len));
	EXPECT_EQ(sizeof(state), len);
	EXPECT_EQ(0, memcmp(&before, &state, sizeof(state)));
	len = UINT32_MAX;
	EXPECT_OK(vn_nested_save(self->fd, STREAM, &state, &len));
	EXPECT_EQ(sizeof(state), len);
	EXPECT_EQ(-EINVAL, vn_nested_restore(self->fd, STREAM, &state, 0));
	EXPECT_GT(0, vn_nested_restore(self->fd, STREAM, &state, UINT32_MAX));
	EXPECT_OK(vn_nested_restore(self->fd, STREAM, &state, len));
}

/* Statistics */

/* All members of struct vfio_nested_stats after the first two, in their order */
static const char *const counters[] = {
	"bindings", "contexts", "invalidate_calls", "commands", "commands_refused",
	"events", "events_delivered", "events_lost", "events_throttled",
	"faults", "faults_answered", "faults_expired", "faults_aborted",
	"faults_refused", "faults_pending", "faults_delivered", "faults_moved",
	"page_requests", "responses_refused", "commands_widened",
};

/* The line @name of the file's entry in /proc; UINT64_MAX: there is none. */
static uint64_t shown_in_proc(int fd, const char *name)
{
	uint64_t value = UINT64_MAX;
	char path[64], line[128];
	size_t len = strlen(name);
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "r");
	while (info && fgets(line, sizeof(line), info))
		if (!strncmp(line, name, len) && line[len] == ':')
			value = strtoull(line + len + 1, NULL, 10);
	if (info)
		fclose(info);
	return value;
}

TEST_F(uapi, statistics)
{
	/* No opcode of either architecture */
	const struct vn_command bad = { .words = { htole64(0xff) } };
	struct vfio_nested_stats stats;
	unsigned int i;

	ASSERT_OK(vn_nested_stats(self->fd, &stats));
	for (i = 2; i < sizeof(stats) / sizeof(uint32_t); i++)
		EXPECT_EQ(0, ((uint32_t *)&stats)[i]) TH_LOG("word %u", i);

	ASSERT_OK(vn_nested_bind(self->device->fd, self->fd, STREAM));
	for (i = 0; i < 3; i++)
		ASSERT_OK(vn_nested_set_context(self->fd, STREAM, i));
	for (i = 0; i < 5; i++)
		ASSERT_OK(command(self, self->arch->barrier()));
	EXPECT_NE(0, command(self, bad));
	EXPECT_NE(0, vn_nested_set_context(self->fd, STREAM + 1, 0));

	ASSERT_OK(vn_nested_stats(self->fd, &stats));
	EXPECT_EQ(sizeof(stats), stats.size);
	EXPECT_EQ(1, stats.bindings);
	EXPECT_EQ(3, stats.contexts);
	EXPECT_EQ(5, stats.commands);
	EXPECT_EQ(1, stats.commands_refused);
	EXPECT_EQ(6, stats.invalidate_calls);
	EXPECT_EQ(0, stats.events);
	EXPECT_EQ(0, stats.faults);
	static_assert(sizeof(counters) / sizeof(*counters) ==
		      sizeof(stats) / sizeof(uint64_t) - 1, "one is missing");
	for (i = 0; i < VN_ARRAY_SIZE(counters); i++)
		EXPECT_EQ(((uint64_t *)&stats)[1 + i],
			  shown_in_proc(self->fd, counters[i]))
			TH_LOG("counter %u", i);

	/* They are the file's, and outlive the devices. */
	ASSERT_OK(vn_nested_unbind(self->device->fd));
	ASSERT_OK(vn_nested_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.bindings);
	EXPECT_EQ(3, stats.contexts);
	EXPECT_EQ(5, stats.commands);
}

/*
 * Memory that a page fault in the middle of an ioctl waits for. A kernel that
 * holds a lock meanwhile stops whoever needs that lock.
 */
FIXTURE(stuck) {
	struct vn_device *device;
	struct vn_guest guest;
	int uffd;
	void *page;
	pthread_t thread;
	int result;
	bool waiting;
};

FIXTURE_SETUP(stuck)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg;
	size_t size = sysconf(_SC_PAGESIZE);
	uint32_t word = 0;

	self->device = NEED_DEVICE(0);
	unbind_all();
	/* Of 32 bits; it wakes nobody. */
	if (syscall(SYS_futex, &word, FUTEX_WAKE, 0, NULL, NULL, 0) < 0)
		SKIP(return, "no threads without CONFIG_COMPAT_32BIT_TIME");
	self->uffd = syscall(__NR_userfaultfd, O_CLOEXEC);
	if (self->uffd < 0)
		SKIP(return, "no userfaultfd here: %m");
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	self->page = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	reg = (struct uffdio_register) {
		.range = { .start = (uintptr_t)self->page, .len = size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &reg));
	start_guest(_metadata, &self->guest, self->device, 0);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
}

FIXTURE_TEARDOWN(stuck)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

/* The page comes: with zeros, that is with a command of opcode 0. */
static int release(const FIXTURE_DATA(stuck) *self)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)self->page,
			   .len = sysconf(_SC_PAGESIZE) },
	};

	return ioctl(self->uffd, UFFDIO_ZEROPAGE, &zero);
}

static void *run_stuck_invalidate(void *data)
{
	FIXTURE_DATA(stuck) *self = data;
	uint32_t num = 4;

	self->result = invalidate(self->guest.fd, self->guest.arch->command_type,
				  16, &num, (uintptr_t)self->page);
	return NULL;
}

static void *run_stuck_respond(void *data)
{
	FIXTURE_DATA(stuck) *self = data;
	uint32_t num = 4;

	self->result = respond(self->guest.fd, 16, &num, (uintptr_t)self->page);
	return NULL;
}

static void *run_stuck_restore(void *data)
{
	FIXTURE_DATA(stuck) *self = data;

	self->result = vn_nested_restore(self->guest.fd, STREAM, self->page,
					 sizeof(struct vfio_nested_state));
	return NULL;
}

static void *run_stuck_stats(void *data)
{
	FIXTURE_DATA(stuck) *self = data;

	self->result = vn_ioctl(self->guest.fd, VFIO_NESTED_STATS, self->page);
	return NULL;
}

static void *run_stuck_info(void *data)
{
	FIXTURE_DATA(stuck) *self = data;
	struct vfio_nested_info info = {
		.size = sizeof(info),
		.data_len = sizeof(struct vfio_nested_info_smmuv3),
		.data_uptr = (uintptr_t)self->page,
	};

	self->result = vn_ioctl(self->device->fd, VFIO_NESTED_INFO, &info);
	return NULL;
}

/* Everybody else goes on while the thread is stuck. */
static void check_others(struct __test_metadata *_metadata,
			 FIXTURE_DATA(stuck) *self, void *(*run)(void *),
			 int want)
{
	struct pollfd fault = { .fd = self->uffd, .events = POLLIN };
	struct vfio_nested_fault record;
	struct vn_device *foreign = &vn_session->devices[FOREIGN];
	int other = vn_nested_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, run, self));
	ASSERT_EQ(1, poll(&fault, 1, VN_TIMEOUT_MS))
		TH_LOG("the ioctl did not touch the page");

	/* Faults of the same guest are delivered, */
	vn_dma_write(self->device, 0x03000000);
	if (self->guest.info.caps & VFIO_NESTED_CAP_EVENTS)
		EXPECT_EQ(1, vn_ring_wait(&self->guest.ring, &record,
					  VN_TIMEOUT_MS));
	/* its other threads are served, */
	EXPECT_OK(vn_guest_translate(&self->guest, STREAM));
	EXPECT_OK(vn_guest_command(&self->guest, self->guest.arch->barrier()));
	/* other guests come and go, */
	if (foreign->fd >= 0) {
		EXPECT_OK(vn_nested_bind(foreign->fd, other, STREAM));
		EXPECT_OK(vn_nested_set_context(other, STREAM,
						VFIO_NESTED_CONTEXT_ABORT));
		EXPECT_OK(vn_nested_unbind(foreign->fd));
	}
	/* and so does the device. */
	EXPECT_OK(vn_nested_unbind(self->device->fd));
	EXPECT_OK(vn_nested_bind(self->device->fd, self->guest.fd, STREAM));

	ASSERT_EQ(0, release(self));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(want, self->result);
	close(other);
}

TEST_F(stuck, invalidate)
{
	check_others(_metadata, self, run_stuck_invalidate, -EOPNOTSUPP);
}

/* No cookie, and no code */
TEST_F(stuck, respond)
{
	check_others(_metadata, self, run_stuck_respond, -EINVAL);
}

TEST_F(stuck, restore)
{
	check_others(_metadata, self, run_stuck_restore, -EINVAL);
}

TEST_F(stuck, statistics)
{
	check_others(_metadata, self, run_stuck_stats, -EINVAL);
}

TEST_F(stuck, information)
{
	check_others(_metadata, self, run_stuck_info, 0);
}

TEST_MAIN_WITH_DEVICES(wants)
