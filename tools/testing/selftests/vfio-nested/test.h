/* SPDX-License-Identifier: GPL-2.0 */
/* What all test programs share: the harness, and how they get their devices. */
#ifndef VN_TEST_H
#define VN_TEST_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"

#include "guest.h"
#include "session.h"
#include "util.h"

/* A library call that must succeed; shows the library's own reason. */
#define ASSERT_OK(call) ASSERT_EQ(0, call) TH_LOG("%s", vn_reason())
#define EXPECT_OK(call) EXPECT_EQ(0, call) TH_LOG("%s", vn_reason())

/* The device of wish number @index; skips the test without it. */
#define NEED_DEVICE(index) ({						\
	if (vn_session->devices[index].fd < 0)				\
		SKIP(return, "%s", vn_session->missing[index]);		\
	&vn_session->devices[index];					\
})

/* Devices may still be bound by a test that was killed. */
static inline void unbind_all(void)
{
	unsigned int i;

	for (i = 0; i < vn_session->nr_devices; i++)
		if (vn_session->devices[i].fd >= 0)
			vn_nested_unbind(vn_session->devices[i].fd);
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
