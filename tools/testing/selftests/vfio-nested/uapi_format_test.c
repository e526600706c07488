// SPDX-License-Identifier: GPL-2.0
/*
 * The general format of the ioctls: sizes, flags, reserved members, pointers,
 * kinds of files. Every ioctl goes through the same tests, as a row of a table.
 * Built for 32 bits too, where a 64-bit kernel must do the same.
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fault.h"
#include "test.h"

static const struct vn_want wants[] = { {} };

/* What all structures begin with */
struct head {
	uint32_t size;
	uint32_t flags;
};

/* Room for a structure of the future, and of one too large */
#define ROOM	8192
/* A size that no structure will reach, and that the kernel need not look at */
#define HUGE	(1u << 20)

/* One ioctl on one kind of file */
struct ioctl_row {
	unsigned long request;
	size_t size;
	/* Of the first published form, where it has grown since */
	size_t first_size;
	bool on_device;
	/* The device must be bound, or must not be. */
	bool bound;
	/* Something is written back. */
	bool answers;
	/* Where a reserved member of 32 bits is, 0 without one */
	size_t reserved;
	/* Makes a zeroed structure one that succeeds */
	void (*fill)(int nested_fd, void *arg);
};

static void fill_nothing(int nested_fd, void *arg)
{
}

static void fill_bind(int nested_fd, void *arg)
{
	struct vfio_device_nested_bind *bind = arg;

	bind->nested_fd = nested_fd;
	bind->virtual_id = STREAM;
}

static void fill_context(int nested_fd, void *arg)
{
	struct vfio_nested_set_context *context = arg;

	context->virtual_id = STREAM;
	context->type = VFIO_NESTED_CONTEXT_CLEAR;
}

static void fill_invalidate(int nested_fd, void *arg)
{
	static struct vn_command command;
	struct vfio_nested_invalidate *invalidate = arg;
	const struct vn_arch *arch;
	struct vfio_nested_info info;

	vn_nested_info(nested_fd, &info, NULL);
	arch = vn_arch_of(info.backend);
	command = arch->all();
	invalidate->type = arch->command_type;
	invalidate->entry_len = sizeof(command);
	invalidate->entry_num = 1;
	invalidate->entries_uptr = (uintptr_t)&command;
}

static void fill_ring(int nested_fd, void *arg)
{
	struct vfio_nested_setup_ring *setup = arg;

	setup->entries = 8;
	setup->eventfd = -1;
}

static void fill_responses(int nested_fd, void *arg)
{
	struct vfio_nested_setup_ring *setup = arg;

	setup->type = VFIO_NESTED_RING_RESPONSE;
	setup->entries = 8;
	setup->eventfd = -1;
}

/* No answers succeed, whatever there is to be answered. */
static void fill_respond(int nested_fd, void *arg)
{
	struct vfio_nested_respond *respond = arg;

	respond->entry_len = sizeof(struct vfio_nested_response);
}

static void fill_run(int nested_fd, void *arg)
{
	struct vfio_nested_run *run = arg;

	run->virtual_id = STREAM;
	run->state = VFIO_NESTED_RUN;
}

static struct vfio_nested_state state;

static void fill_save(int nested_fd, void *arg)
{
	struct vfio_nested_migrate *migrate = arg;

	vn_nested_set_run(nested_fd, STREAM, VFIO_NESTED_STOP);
	migrate->virtual_id = STREAM;
	migrate->data_uptr = (uintptr_t)&state;
	migrate->data_len = sizeof(state);
}

static void fill_restore(int nested_fd, void *arg)
{
	uint32_t len = sizeof(state);

	fill_save(nested_fd, arg);
	vn_nested_save(nested_fd, STREAM, &state, &len);
}

static void fill_memory(int nested_fd, void *arg)
{
	struct vfio_nested_memory *memory = arg;

	memory->ipa = VN_RAM_IPA;
	memory->length = VN_PAGE;
	memory->vaddr = (uintptr_t)vn_session->devices[0].vm->ram;
}

FIXTURE(format) {
	struct vn_device *device;
	int nested_fd;
	int other_fd;
	uint8_t *arg;
};

FIXTURE_VARIANT(format) {
	struct ioctl_row row;
};

FIXTURE_VARIANT_ADD(format, device_info)
{
	.row = {
		.request = VFIO_NESTED_INFO,
		.size = sizeof(struct vfio_nested_info),
		.first_size = offsetof(struct vfio_nested_info,
				       fault_deadline_ms),
		.on_device = true,
		.answers = true,
		.fill = fill_nothing,
	},
};

FIXTURE_VARIANT_ADD(format, bind)
{
	.row = {
		.request = VFIO_DEVICE_NESTED_BIND,
		.size = sizeof(struct vfio_device_nested_bind),
		.on_device = true,
		.fill = fill_bind,
		.reserved = offsetof(struct vfio_device_nested_bind, __reserved),
	},
};

FIXTURE_VARIANT_ADD(format, unbind)
{
	.row = {
		.request = VFIO_DEVICE_NESTED_UNBIND,
		.size = sizeof(struct vfio_device_nested_unbind),
		.on_device = true,
		.bound = true,
		.fill = fill_nothing,
	},
};

FIXTURE_VARIANT_ADD(format, info)
{
	.row = {
		.request = VFIO_NESTED_INFO,
		.size = sizeof(struct vfio_nested_info),
		.first_size = offsetof(struct vfio_nested_info,
				       fault_deadline_ms),
		.bound = true,
		.answers = true,
		.fill = fill_nothing,
	},
};

FIXTURE_VARIANT_ADD(format, set_context)
{
	.row = {
		.request = VFIO_NESTED_SET_CONTEXT,
		.size = sizeof(struct vfio_nested_set_context),
		.bound = true,
		.fill = fill_context,
	},
};

FIXTURE_VARIANT_ADD(format, invalidate)
{
	.row = {
		.request = VFIO_NESTED_INVALIDATE,
		.size = sizeof(struct vfio_nested_invalidate),
		.bound = true,
		.answers = true,
		.fill = fill_invalidate,
		.reserved = offsetof(struct vfio_nested_invalidate, __reserved),
	},
};

FIXTURE_VARIANT_ADD(format, setup_ring)
{
	.row = {
		.request = VFIO_NESTED_SETUP_RING,
		.size = sizeof(struct vfio_nested_setup_ring),
		.first_size = offsetof(struct vfio_nested_setup_ring,
				       held_offset),
		.answers = true,
		.fill = fill_ring,
		.reserved = offsetof(struct vfio_nested_setup_ring, __reserved),
	},
};

FIXTURE_VARIANT_ADD(format, setup_response_ring)
{
	.row = {
		.request = VFIO_NESTED_SETUP_RING,
		.size = sizeof(struct vfio_nested_setup_ring),
		.first_size = offsetof(struct vfio_nested_setup_ring,
				       held_offset),
		.answers = true,
		.fill = fill_responses,
		.reserved = offsetof(struct vfio_nested_setup_ring, __reserved),
	},
};

FIXTURE_VARIANT_ADD(format, respond)
{
	.row = {
		.request = VFIO_NESTED_RESPOND,
		.size = sizeof(struct vfio_nested_respond),
		.bound = true,
		.answers = true,
		.fill = fill_respond,
	},
};

FIXTURE_VARIANT_ADD(format, kick)
{
	.row = {
		.request = VFIO_NESTED_KICK,
		.size = sizeof(struct vfio_nested_kick),
		.answers = true,
		.fill = fill_nothing,
	},
};

FIXTURE_VARIANT_ADD(format, set_run)
{
	.row = {
		.request = VFIO_NESTED_SET_RUN,
		.size = sizeof(struct vfio_nested_run),
		.bound = true,
		.fill = fill_run,
		.reserved = offsetof(struct vfio_nested_run, __reserved),
	},
};

FIXTURE_VARIANT_ADD(format, save)
{
	.row = {
		.request = VFIO_NESTED_SAVE,
		.size = sizeof(struct vfio_nested_migrate),
		.bound = true,
		.answers = true,
		.fill = fill_save,
		.reserved = offsetof(struct vfio_nested_migrate, __reserved),
	},
};

FIXTURE_VARIANT_ADD(format, restore)
{
	.row = {
		.request = VFIO_NESTED_RESTORE,
		.size = sizeof(struct vfio_nested_migrate),
		.bound = true,
		.fill = fill_restore,
		.reserved = offsetof(struct vfio_nested_migrate, __reserved),
	},
};

FIXTURE_VARIANT_ADD(format, memory)
{
	.row = {
		.request = VFIO_NESTED_MEMORY,
		.size = sizeof(struct vfio_nested_memory),
		.bound = true,
		.fill = fill_memory,
		.reserved = offsetof(struct vfio_nested_memory, __reserved),
	},
};

FIXTURE_VARIANT_ADD(format, stats)
{
	.row = {
		.request = VFIO_NESTED_STATS,
		.size = sizeof(struct vfio_nested_stats),
		.first_size = offsetof(struct vfio_nested_stats,
				       faults_refused),
		.answers = true,
		.fill = fill_nothing,
	},
};

/* A fresh nested fd, and the device bound to it or not, as the row needs it */
#define START() start(_metadata, self, &variant->row)

static void start(struct __test_metadata *_metadata, FIXTURE_DATA(format) *self,
		  const struct ioctl_row *row)
{
	vn_nested_unbind(self->device->fd);
	if (self->nested_fd >= 0)
		close(self->nested_fd);
	self->nested_fd = vn_nested_open();
	ASSERT_LE(0, self->nested_fd) TH_LOG("%s", vn_reason());
	if (row->bound)
		ASSERT_OK(vn_nested_bind(self->device->fd, self->nested_fd,
					 STREAM));

	memset(self->arg, 0, ROOM);
	((struct head *)self->arg)->size = row->size;
	row->fill(self->nested_fd, self->arg);
}

static int target(const FIXTURE_DATA(format) *self, const struct ioctl_row *row)
{
	return row->on_device ? self->device->fd : self->nested_fd;
}

static int call(const FIXTURE_DATA(format) *self, const struct ioctl_row *row,
		void *arg)
{
	return vn_ioctl(target(self, row), row->request, arg);
}

static bool is_bound(const FIXTURE_DATA(format) *self)
{
	struct vfio_nested_stats stats;

	return !vn_nested_stats(self->nested_fd, &stats) && stats.bindings == 1;
}

FIXTURE_SETUP(format)
{
	self->nested_fd = -1;
	self->device = NEED_DEVICE(0);
	unbind_all();
	self->arg = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->arg);
}

FIXTURE_TEARDOWN(format)
{
	unbind_all();
	close(self->nested_fd);
}

TEST_F(format, sizes)
{
	const struct ioctl_row *row = &variant->row;
	struct head *head = (void *)self->arg;
	size_t size, i;

	START();
	EXPECT_OK(call(self, row, head));

	START();
	head->size = 0;
	EXPECT_EQ(-EINVAL, call(self, row, head));
	head->size = (row->first_size ?: row->size) - 1;
	EXPECT_EQ(-EINVAL, call(self, row, head));
	head->size = sizeof(uint32_t);
	EXPECT_EQ(-EINVAL, call(self, row, head));
	EXPECT_EQ(row->bound, is_bound(self));

	/* A caller from the past, for whom nothing is written where it has no room */
	for (size = row->first_size; size && size < row->size; size += 4) {
		START();
		head->size = size;
		memset(self->arg + size, 0xcc, row->size - size);
		EXPECT_OK(call(self, row, head));
		for (i = size; i < row->size; i++)
			EXPECT_EQ(0xcc, self->arg[i]);
	}

	/* A caller from the future that asks for nothing new */
	START();
	head->size = row->size + 64;
	EXPECT_OK(call(self, row, head));

	/* ... and one that does */
	START();
	head->size = row->size + 64;
	self->arg[row->size + 63] = 1;
	EXPECT_EQ(-E2BIG, call(self, row, head));
	head->size = row->size + 1;
	self->arg[row->size] = 0x80;
	EXPECT_EQ(-E2BIG, call(self, row, head));
	EXPECT_EQ(row->bound, is_bound(self));

	START();
	head->size = UINT32_MAX;
	EXPECT_NE(0, call(self, row, head));
	head->size = HUGE;
	EXPECT_NE(0, call(self, row, head));
	EXPECT_EQ(row->bound, is_bound(self));

	/* None of the failures is in the way. */
	START();
	EXPECT_OK(call(self, row, head));
}

TEST_F(format, flags_and_reserved)
{
	const struct ioctl_row *row = &variant->row;
	uint32_t *reserved = (void *)(self->arg + row->reserved);
	struct head *head = (void *)self->arg;
	unsigned int bit;

	START();
	for (bit = 0; bit < 32; bit++) {
		head->flags = 1u << bit;
		EXPECT_EQ(-EOPNOTSUPP, call(self, row, head))
			TH_LOG("flag %u", bit);
	}
	head->flags = 0;
	for (bit = 0; bit < 32 && row->reserved; bit++) {
		*reserved = 1u << bit;
		EXPECT_EQ(-EINVAL, call(self, row, self->arg))
			TH_LOG("reserved bit %u", bit);
		*reserved = 0;
	}
	EXPECT_EQ(row->bound, is_bound(self));
	EXPECT_OK(call(self, row, head));
}

TEST_F(format, pointers)
{
	const struct ioctl_row *row = &variant->row;
	size_t page = sysconf(_SC_PAGESIZE);
	uint8_t *two, *edge;

	two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, two);
	ASSERT_EQ(0, mprotect(two + page, page, PROT_NONE));

	START();
	EXPECT_EQ(-EFAULT, call(self, row, NULL));
	EXPECT_EQ(-EFAULT, call(self, row, (void *)(uintptr_t)8));
	EXPECT_EQ(-EFAULT, call(self, row, two + page));
	EXPECT_EQ(-EFAULT, call(self, row, (void *)(UINTPTR_MAX - 15)));

	/* The size can be read, the rest cannot. */
	edge = two + page - sizeof(uint32_t);
	memcpy(edge, self->arg, sizeof(uint32_t));
	EXPECT_EQ(-EFAULT, call(self, row, edge));
	/* All but the last byte can be read. */
	edge = two + page - (row->size - 1);
	memcpy(edge, self->arg, row->size - 1);
	EXPECT_EQ(-EFAULT, call(self, row, edge));
	EXPECT_EQ(row->bound, is_bound(self));

	/* To the last byte of a page is fine, and need not be aligned. */
	edge = two + page - row->size;
	memcpy(edge, self->arg, row->size);
	EXPECT_OK(call(self, row, edge));
	START();
	memcpy(two + 1, self->arg, row->size);
	EXPECT_OK(call(self, row, two + 1));
}

TEST_F(format, answer_cannot_be_written)
{
	const struct ioctl_row *row = &variant->row;
	struct vfio_nested_stats stats;
	int ret;

	START();
	ASSERT_EQ(0, mprotect(self->arg, ROOM, PROT_READ));
	ret = call(self, row, self->arg);
	/* Those without an answer do not care; those with one leave no ring. */
	EXPECT_EQ(row->answers ? -EFAULT : 0, ret);
	ASSERT_EQ(0, mprotect(self->arg, ROOM, PROT_READ | PROT_WRITE));
	if (row->request == VFIO_NESTED_SETUP_RING)
		EXPECT_OK(call(self, row, self->arg));
	EXPECT_OK(vn_nested_stats(self->nested_fd, &stats));
}

TEST_F(format, kinds_of_files)
{
	const struct ioctl_row *row = &variant->row;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, null);
	START();
	EXPECT_EQ(-ENOTTY, vn_ioctl(null, row->request, self->arg));
	if (row->request != VFIO_NESTED_INFO) {
		int wrong = row->on_device ? self->nested_fd : self->device->fd;

		EXPECT_EQ(-ENOTTY, vn_ioctl(wrong, row->request, self->arg));
	}
	EXPECT_EQ(-EBADF, vn_ioctl(-1, row->request, self->arg));
	EXPECT_EQ(row->bound, is_bound(self));
	close(null);
}

FIXTURE(numbers) {
	struct vn_device *device;
	int nested_fd;
};

FIXTURE_SETUP(numbers)
{
	self->device = NEED_DEVICE(0);
	unbind_all();
	self->nested_fd = vn_nested_open();
	ASSERT_LE(0, self->nested_fd) TH_LOG("%s", vn_reason());
}

FIXTURE_TEARDOWN(numbers)
{
	close(self->nested_fd);
}

static bool is_known(unsigned int nr, const unsigned long *known, size_t num)
{
	size_t i;

	for (i = 0; i < num; i++)
		if (_IOC_NR(known[i]) == nr)
			return true;
	return false;
}

TEST_F(numbers, unknown_ones)
{
	static const unsigned long on_nested[] = {
		VFIO_NESTED_INFO, VFIO_NESTED_SET_CONTEXT, VFIO_NESTED_INVALIDATE,
		VFIO_NESTED_SETUP_RING, VFIO_NESTED_STATS, VFIO_NESTED_RESPOND,
		VFIO_NESTED_KICK, VFIO_NESTED_SET_RUN, VFIO_NESTED_SAVE,
		VFIO_NESTED_RESTORE, VFIO_NESTED_MEMORY,
	};
	static const unsigned long on_device[] = {
		VFIO_NESTED_INFO, VFIO_DEVICE_NESTED_BIND,
		VFIO_DEVICE_NESTED_UNBIND,
	};
	uint32_t arg[64] = { sizeof(arg) };
	unsigned int nr;

	for (nr = 0; nr < 256; nr++) {
		unsigned long request = _IO(VFIO_NESTED_TYPE, nr);

		if (!is_known(nr, on_nested, VN_ARRAY_SIZE(on_nested))) {
			EXPECT_EQ(-ENOTTY,
				  vn_ioctl(self->nested_fd, request, arg))
				TH_LOG("number %u on a nested fd", nr);
		}
		if (!is_known(nr, on_device, VN_ARRAY_SIZE(on_device))) {
			EXPECT_EQ(-ENOTTY,
				  vn_ioctl(self->device->fd, request, arg))
				TH_LOG("number %u on a device fd", nr);
		}
	}
}

/* Direction and size are part of the number; ours have none. */
TEST_F(numbers, other_directions_and_types)
{
	uint32_t arg[64] = { sizeof(struct vfio_nested_stats) };

	EXPECT_EQ(-ENOTTY, vn_ioctl(self->nested_fd,
				    _IOWR(VFIO_NESTED_TYPE, 0x13, uint32_t), arg));
	EXPECT_EQ(-ENOTTY, vn_ioctl(self->nested_fd, _IO(';', 0x13), arg));
}

/* VFIO's own interface is all there. */
TEST_F(numbers, vfio_is_still_there)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	EXPECT_OK(vn_ioctl(self->device->fd, VFIO_DEVICE_GET_INFO, &info));
	EXPECT_TRUE(info.flags & VFIO_DEVICE_FLAGS_PCI);
	EXPECT_EQ(VFIO_PCI_NUM_IRQS, info.num_irqs);
	EXPECT_EQ(VFIO_PCI_NUM_REGIONS, info.num_regions);
}

TEST_MAIN_WITH_DEVICES(wants)
