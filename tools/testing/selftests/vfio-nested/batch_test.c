// SPDX-License-Identifier: GPL-2.0
/*
 * Many commands in one call: all are carried out up to the first that is bad or cannot be
 * read, none after it, and the call says how many.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "cached.h"

static const struct vn_want wants[] = { {} };

FIXTURE(batch) {
	struct vn_device *device;
	struct vn_guest guest;
	/* What IOVA(0) is, and what it is going to be */
	uint64_t old;
	uint64_t new;
};

FIXTURE_SETUP(batch)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	start_translating(_metadata, &self->guest, self->device, &self->old,
			  &self->new);
}

FIXTURE_TEARDOWN(batch)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

static struct vn_command page_at(FIXTURE_DATA(batch) *self, uint64_t iova)
{
	return self->guest.arch->of_page(0, ASID, iova);
}

/* More than the kernel takes at once */
TEST_F(batch, of_many)
{
	static struct vn_command list[5000];
	struct vfio_nested_stats before, after;
	uint32_t num = VN_ARRAY_SIZE(list);
	unsigned int i;

	for (i = 0; i < num; i++)
		list[i] = page_at(self, IOVA(64 + i));
	/* The one that matters is the last. */
	list[num - 1] = page_at(self, IOVA(0));
	remap(_metadata, &self->guest, IOVA(0), self->new);
	ASSERT_OK(vn_nested_stats(self->guest.fd, &before));
	ASSERT_OK(vn_guest_commands(&self->guest, list, &num));
	EXPECT_EQ(VN_ARRAY_SIZE(list), num);
	EXPECT_LANDS(self->device, IOVA(0), self->new);
	ASSERT_OK(vn_nested_stats(self->guest.fd, &after));
	EXPECT_EQ(VN_ARRAY_SIZE(list), after.commands - before.commands);
	EXPECT_EQ(1, after.invalidate_calls - before.invalidate_calls);
	EXPECT_EQ(0, after.commands_refused - before.commands_refused);
}

/* Commands before a bad one take effect, none after it does. */
static void bad_at(struct __test_metadata *_metadata, FIXTURE_DATA(batch) *self,
		   unsigned int good)
{
	static struct vn_command list[300];
	struct vn_guest *guest = &self->guest;
	uint64_t other = map_page(_metadata, guest, IOVA(1), VN_PROT_RW);
	uint64_t spare = vn_guest_page(guest);
	uint32_t num = VN_ARRAY_SIZE(list);
	struct vfio_nested_stats before, after;
	unsigned int i;

	EXPECT_LANDS(self->device, IOVA(1), other);
	for (i = 0; i < num; i++)
		list[i] = guest->arch->barrier();
	if (good)
		list[good - 1] = page_at(self, IOVA(0));
	/* A bit that is reserved for both architectures */
	list[good] = guest->arch->all();
	list[good].words[0] |= htole64(VN_BIT(8));
	list[good + 1] = page_at(self, IOVA(1));
	remap(_metadata, guest, IOVA(0), self->new);
	remap(_metadata, guest, IOVA(1), spare);

	ASSERT_OK(vn_nested_stats(guest->fd, &before));
	EXPECT_EQ(-EINVAL, vn_guest_commands(guest, list, &num));
	EXPECT_EQ(good, num);
	ASSERT_OK(vn_nested_stats(guest->fd, &after));
	EXPECT_EQ(good, after.commands - before.commands);
	EXPECT_EQ(1, after.commands_refused - before.commands_refused);
	if (good)
		EXPECT_LANDS(self->device, IOVA(0), self->new);
	EXPECT_STALE(self->device, IOVA(1), other, spare);
	/* Another guest's commands, or this one's next, are not affected. */
	ASSERT_OK(vn_guest_forget(guest));
	EXPECT_LANDS(self->device, IOVA(1), spare);
}

TEST_F(batch, first_is_bad)
{
	bad_at(_metadata, self, 0);
}

TEST_F(batch, one_in_the_middle_is_bad)
{
	bad_at(_metadata, self, 5);
}

/* Behind what the kernel takes at once */
TEST_F(batch, one_far_behind_is_bad)
{
	bad_at(_metadata, self, 200);
}

/* The array ends in memory that cannot be read. */
static void unreadable_at(struct __test_metadata *_metadata,
			  FIXTURE_DATA(batch) *self, unsigned int good,
			  unsigned int piece)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct vn_guest *guest = &self->guest;
	struct vn_command *list;
	uint32_t num = 1000000;
	uint8_t *two;
	unsigned int i;

	two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, two);
	ASSERT_EQ(0, mprotect(two + page, page, PROT_NONE));
	list = (void *)(two + page - good * sizeof(*list) - piece);
	for (i = 0; i < good; i++)
		list[i] = guest->arch->barrier();
	if (good)
		list[good - 1] = page_at(self, IOVA(0));
	remap(_metadata, guest, IOVA(0), self->new);

	EXPECT_EQ(-EFAULT, vn_guest_commands(guest, list, &num));
	EXPECT_EQ(good, num);
	if (good)
		EXPECT_LANDS(self->device, IOVA(0), self->new);
	munmap(two, 2 * page);
}

TEST_F(batch, nothing_is_readable)
{
	unreadable_at(_metadata, self, 0, 0);
	unreadable_at(_metadata, self, 0, 15);
}

TEST_F(batch, some_are_readable)
{
	unreadable_at(_metadata, self, 7, 0);
}

TEST_F(batch, many_and_a_half_are_readable)
{
	unreadable_at(_metadata, self, 150, 8);
}

TEST_MAIN_WITH_DEVICES(wants)
