/* SPDX-License-Identifier: GPL-2.0 */
/* What all test programs share: the harness, and how they get their devices. */
#ifndef VN_TEST_H
#define VN_TEST_H

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "guest.h"
#include "session.h"
#include "util.h"

/*
 * Seconds for a test, on a kernel that checks itself, in an emulated machine whose
 * host is busy; and for one that does the same thing many times.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	120
#define SLOW			240

/*
 * A library call that must succeed; shows the library's own reason. One statement
 * each, so that they are good for the body of a loop.
 */
#define ASSERT_OK(call) do {						\
	int __ret = call;						\
									\
	ASSERT_EQ(0, __ret) TH_LOG("%s: %s", #call, vn_reason());		\
} while (0)
#define EXPECT_OK(call) do {						\
	int __ret = call;						\
									\
	EXPECT_EQ(0, __ret) TH_LOG("%s: %s", #call, vn_reason());		\
} while (0)

/* The device of wish number @index; skips the test without it. */
#define NEED_DEVICE(index) ({						\
	if (vn_session->devices[index].fd < 0)				\
		SKIP(return, "%s", vn_session->missing[index]);		\
	&vn_session->devices[index];					\
})

/* Skips the test unless the guest may use what VFIO_NESTED_CAP_@cap stands for. */
#define NEED_CAP(device, cap) do {					\
	struct vfio_nested_info __info;					\
									\
	ASSERT_OK(vn_nested_info((device)->fd, &__info, NULL));		\
	if (!(__info.caps & VFIO_NESTED_CAP_##cap))			\
		SKIP(return, "%.15s: a guest has no " #cap " here",	\
		     (device)->pci.name);				\
} while (0)

/* Skips the test unless VFIO can reset the device. */
#define NEED_RESET(device) do {						\
	if (!(device)->can_reset)					\
		SKIP(return, "%s has no way to be reset",		\
		     (device)->pci.name);				\
} while (0)

/* Skips a test that is about what only an SMMUv3 has, or does: @why others do not. */
#define NEED_SMMUV3(device, why) do {					\
	struct vfio_nested_info __info;					\
									\
	ASSERT_OK(vn_nested_info((device)->fd, &__info, NULL));		\
	if (__info.backend != VFIO_NESTED_BACKEND_SMMUV3)		\
		SKIP(return, "not an SMMUv3: " why);			\
} while (0)

/* Devices may still be bound by a test that was killed. */
static inline void unbind_all(void)
{
	unsigned int i;

	for (i = 0; i < vn_session->nr_devices; i++)
		if (vn_session->devices[i].fd >= 0)
			vn_nested_unbind(vn_session->devices[i].fd);
}

/* The id (StreamID, source-id) of a guest's first device, which has another one in hardware */
#define STREAM		0x10
/* Input addresses of stage 1 that every engine can use, and that no IPA is */
#define IOVA(n)		(0x02000000ULL + (n) * 0x10000ULL)
#define VA_BITS		48
#define ASID		7
#define THE_PASID	5
/* Records that the ring of start_guest() holds */
#define RING		64

/*
 * A guest with one device and a stage 1 that is not in force yet. Granule 0 is the
 * smallest that the IOMMU has.
 */
static inline void open_guest(struct __test_metadata *_metadata,
			      struct vn_guest *guest, struct vn_device *device,
			      uint32_t stream, unsigned int granule)
{
	vn_nested_unbind(device->fd);
	ASSERT_OK(vn_guest_open(guest, device->vm));
	ASSERT_OK(vn_guest_bind(guest, device, stream));
	ASSERT_OK(vn_guest_stage1(guest, granule ?: vn_guest_granule(guest),
				  VA_BITS, ASID));
}

/* The same, with a ring */
static inline void start_guest(struct __test_metadata *_metadata,
			       struct vn_guest *guest,
			       struct vn_device *device, unsigned int granule)
{
	open_guest(_metadata, guest, device, STREAM, granule);
	ASSERT_OK(vn_ring_open(&guest->ring, guest->fd, RING, -1));
}

/* A page of guest memory that stage 1 maps at @iova. */
static inline uint64_t map_page(struct __test_metadata *_metadata,
				struct vn_guest *guest, uint64_t iova, int prot)
{
	uint64_t ipa = vn_guest_page(guest);

	ASSERT_NE(0, ipa);
	ASSERT_OK(vn_s1_map_at(&guest->s1, iova, ipa, prot, VN_S1_LAST_LEVEL));
	return ipa;
}

/* A write to @iova reaches the memory at @ipa, which is made ready again. */
#define EXPECT_LANDS(device, at, ipa) do {				\
	enum vn_dma __dma = vn_dma_write(device, at);			\
									\
	EXPECT_TRUE(__dma == VN_DMA_OK || __dma == VN_DMA_DONE)		\
		TH_LOG("write: %s", vn_dma_name(__dma));		\
	EXPECT_TRUE(vn_landed(device, ipa))				\
		TH_LOG("not at IPA 0x%llx", (unsigned long long)(ipa));	\
	vn_poison((device)->vm, ipa);					\
} while (0)

/* A write to @iova does not succeed, and the device lives. */
#define EXPECT_REFUSED(device, at) do {					\
	enum vn_dma __dma = vn_dma_write(device, at);			\
									\
	EXPECT_TRUE(__dma == VN_DMA_FAULT || __dma == VN_DMA_DONE)	\
		TH_LOG("write: %s", vn_dma_name(__dma));		\
} while (0)

/*
 * A process that plays a VMM: it does what @begin says, and when that has succeeded,
 * @then, or nothing, until it is killed.
 */
static inline pid_t start_vmm(struct __test_metadata *_metadata, int (*begin)(void *),
			      void (*then)(void *), void *data)
{
	int ends[2];
	pid_t child;
	char ok = 1;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		if (begin(data))
			fprintf(stderr, "# %s\n", vn_reason());
		else if (write(ends[1], &ok, 1) == 1)
			then ? then(data) : (void)pause();
		_exit(1);
	}
	close(ends[1]);
	EXPECT_EQ(1, read(ends[0], &ok, 1)) TH_LOG("the VMM did not come up");
	close(ends[0]);
	return child;
}

/* Ends a process that plays a VMM, and that nothing else has ended so far. */
static inline void kill_vmm(struct __test_metadata *_metadata, pid_t child)
{
	int status;

	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status)) TH_LOG("it had failed before");
}

/* Opens the devices of @wants and runs the tests on them. */
static inline int run_with_devices(int argc, char **argv,
				   const struct vn_want *wants, unsigned int num)
{
	/* Asking for help or for a list of the tests needs no devices. */
	if (argc == 2 && (!strcmp(argv[1], "-l") || !strcmp(argv[1], "-h")))
		return test_harness_run(argc, argv);
	if (vn_session_open(wants, num)) {
		ksft_print_header();
		ksft_exit_skip("%s\n", vn_reason());
	}
	return test_harness_run(argc, argv);
}

#define TEST_MAIN_WITH_DEVICES(wants)					\
	int main(int argc, char **argv)					\
	{								\
		return run_with_devices(argc, argv, wants,		\
					VN_ARRAY_SIZE(wants));		\
	}

#endif /* VN_TEST_H */
