// SPDX-License-Identifier: GPL-2.0
/*
 * Configuration space as a guest finds it: where PASID, ATS and page requests are,
 * which bits can be written, that accesses of every size agree, and that none of
 * them reaches what the host has in the hardware. And the administrator's settings.
 */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "capability.h"
#include "race.h"
#include "test.h"

static const struct vn_want wants[] = {
	{ .engine = "nested-testdev" },
	{ .engine = "edu" },
	{ .engine = "nvme" },
};

#define SPACE	PCI_CFG_SPACE_EXP_SIZE

static const struct capability {
	const char *name;
	uint16_t id;
	unsigned int len;
	/* What the IOMMU has to offer for it */
	uint64_t offered;
	/* What a guest can change: registers and their bits, the rest is zero */
	struct {
		unsigned int reg;
		uint32_t bits;
	} control[2];
} capabilities[] = {
	{ "ATS", PCI_EXT_CAP_ID_ATS, PCI_EXT_CAP_ATS_SIZEOF, VFIO_NESTED_CAP_ATS,
	  { { PCI_ATS_CAP, 0x801f0000 } } },
	{ "PRI", PCI_EXT_CAP_ID_PRI, PCI_EXT_CAP_PRI_SIZEOF, VFIO_NESTED_CAP_PRI,
	  { { PCI_PRI_CTRL, 0x00000001 }, { PCI_PRI_ALLOC_REQ, 0xffffffff } } },
	{ "PASID", PCI_EXT_CAP_ID_PASID, PCI_EXT_CAP_PASID_SIZEOF,
	  VFIO_NESTED_CAP_PASID, { { PCI_PASID_CAP, 0x00070000 } } },
};

FIXTURE(config) {
	struct vn_device *device;
	struct vfio_nested_info info;
	unsigned int size;
	/* As the hardware is, and as VFIO shows it */
	uint8_t hardware[SPACE];
	uint8_t shown[SPACE];
};

FIXTURE_VARIANT(config) {
	unsigned int device;
};

FIXTURE_VARIANT_ADD(config, nested_testdev) { .device = 0 };
FIXTURE_VARIANT_ADD(config, edu) { .device = 1 };
FIXTURE_VARIANT_ADD(config, nvme) { .device = 2 };

static uint32_t get32(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Bytes that are there; the administrator sees all of them. */
static int read_hardware(const char *name, uint8_t *bytes)
{
	char path[128];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return vn_fail(-errno, "%s: %m", path);
	size = pread(fd, bytes, SPACE, 0);
	close(fd);
	return size < 0 ? vn_fail(-EIO, "%s cannot be read", path) : size;
}

/* Offset of the capability in @bytes, 0 without it; -1 if the chain has no end. */
static int find(const uint8_t *bytes, unsigned int size, uint16_t id)
{
	unsigned int at = PCI_CFG_SPACE_SIZE, steps;

	for (steps = 0; steps < SPACE / 4; steps++) {
		uint32_t header;

		if (at < PCI_CFG_SPACE_SIZE || at + 4 > size)
			return 0;
		header = get32(&bytes[at]);
		if (id && PCI_EXT_CAP_ID(header) == id)
			return at;
		at = PCI_EXT_CAP_NEXT(header);
	}
	return -1;
}

FIXTURE_SETUP(config)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};

	self->device = NEED_DEVICE(variant->device);
	vn_nested_unbind(self->device->fd);
	/* A reset, to find the registers as it leaves them. */
	ASSERT_OK(vn_device_reset(self->device, VN_RESET_SYSFS));
	ASSERT_OK(vn_nested_info(self->device->fd, &self->info, NULL));
	ASSERT_EQ(0, ioctl(self->device->fd, VFIO_DEVICE_GET_REGION_INFO,
			   &region));
	ASSERT_LE(region.size, SPACE);
	self->size = region.size;
	ASSERT_EQ(self->size, read_hardware(self->device->pci.name,
					    self->hardware));
	ASSERT_OK(vn_device_config_read(self->device, 0, self->shown,
					self->size));
}

FIXTURE_TEARDOWN(config)
{
	vn_nested_unbind(self->device->fd);
	vn_device_reset(self->device, VN_RESET_SYSFS);
	self->device->engine.stopped = true;
}

/* Where the guest has to find a capability: 0 if not at all. */
static int expected_at(FIXTURE_DATA(config) *self, const struct capability *cap)
{
	if (!(self->info.caps & cap->offered))
		return 0;
	return find(self->hardware, self->size, cap->id);
}

/* The first from @cap on that the guest has to find, and where; NULL after the last. */
static const struct capability *next_shown(FIXTURE_DATA(config) *self,
					   const struct capability *cap,
					   int *at)
{
	for (; cap < capabilities + VN_ARRAY_SIZE(capabilities); cap++) {
		*at = expected_at(self, cap);
		if (*at > 0)
			return cap;
	}
	return NULL;
}

#define FOR_EACH_SHOWN(self, cap, at)					\
	for (cap = next_shown(self, capabilities, &(at)); cap;		\
	     cap = next_shown(self, cap + 1, &(at)))

TEST_F(config, what_the_guest_finds)
{
	const struct capability *cap;
	int at;

	ASSERT_EQ(0, find(self->shown, self->size, 0))
		TH_LOG("the chain has no end");
	for (cap = capabilities;
	     cap < capabilities + VN_ARRAY_SIZE(capabilities); cap++) {
		at = expected_at(self, cap);
		EXPECT_EQ(at, find(self->shown, self->size, cap->id))
			TH_LOG("%s", cap->name);
		if (at > 0) {
			TH_LOG("%s at %#x", cap->name, at);
			EXPECT_EQ(get32(&self->hardware[at]) & 0xfffff,
				  get32(&self->shown[at]) & 0xfffff);
		}
	}
}

/* Of the laboratory's devices one has them all, and the others have none. */
TEST_F(config, only_what_the_hardware_has)
{
	bool has = variant->device == 0;
	unsigned int i;

	for (i = 0; i < VN_ARRAY_SIZE(capabilities); i++)
		EXPECT_EQ(has, !!find(self->hardware, self->size,
				      capabilities[i].id));
	if (!has)
		for (i = 0; i < VN_ARRAY_SIZE(capabilities); i++)
			EXPECT_EQ(0, find(self->shown, self->size,
					  capabilities[i].id));
}

/* What is not for the guest cannot be read or written past the chain either. */
TEST_F(config, hidden_is_out_of_reach)
{
	static const uint8_t ones[PCI_EXT_CAP_PRI_SIZEOF] = {
		[0 ... PCI_EXT_CAP_PRI_SIZEOF - 1] = 0xff,
	};
	uint8_t after[SPACE], before[SPACE];
	unsigned int hidden = 0, i;

	ASSERT_LT(0, read_hardware(self->device->pci.name, before));
	for (i = 0; i < VN_ARRAY_SIZE(capabilities); i++) {
		const struct capability *cap = &capabilities[i];
		int at = find(self->hardware, self->size, cap->id);
		unsigned int byte;

		if (at <= 0 || self->info.caps & cap->offered)
			continue;
		hidden++;
		for (byte = 4; byte < cap->len; byte++)
			EXPECT_EQ(0, self->shown[at + byte]);
		EXPECT_OK(vn_device_config_write(self->device, at, ones,
						 cap->len));
	}
	if (!hidden)
		SKIP(return, "the guest may have all that the device has");
	ASSERT_LT(0, read_hardware(self->device->pci.name, after));
	EXPECT_EQ(0, memcmp(before, after, self->size));
}

TEST_F(config, pasid_width)
{
	int at = expected_at(self, &capabilities[2]);
	unsigned int hardware, shown;

	if (at <= 0)
		SKIP(return, "no PASIDs for a guest");
	hardware = self->hardware[at + PCI_PASID_CAP + 1] & 0x1f;
	shown = self->shown[at + PCI_PASID_CAP + 1] & 0x1f;
	EXPECT_EQ(hardware < self->info.pasid_bits ? hardware :
						     self->info.pasid_bits,
		  shown);
	EXPECT_LT(0, shown);
}

/* Everything is written with ones and with zeroes: only controls change. */
TEST_F(config, writable_bits)
{
	uint8_t ones[SPACE], zeroes[SPACE] = {}, now[SPACE], hardware[SPACE];
	const struct capability *cap;
	int at;

	memset(ones, 0xff, sizeof(ones));
	FOR_EACH_SHOWN(self, cap, at) {
		unsigned int reg, i;

		EXPECT_OK(vn_device_config_write(self->device, at, ones,
						 cap->len));
		EXPECT_OK(vn_device_config_read(self->device, at, now,
						cap->len));
		for (reg = 0; reg < cap->len; reg += 4) {
			uint32_t first = get32(&self->shown[at + reg]);
			uint32_t bits = 0, stopped = 0;

			/* Where the hardware has them enabled already they run now. */
			if (cap->id == PCI_EXT_CAP_ID_PRI && reg == PCI_PRI_CTRL)
				stopped = PCI_PRI_STATUS_STOPPED << 16;
			for (i = 0; i < VN_ARRAY_SIZE(cap->control); i++)
				if (reg && cap->control[i].reg == reg)
					bits = cap->control[i].bits;
			EXPECT_EQ(0, first & bits)
				TH_LOG("%s+%u after a reset", cap->name, reg);
			EXPECT_EQ((first | bits) & ~stopped, get32(&now[reg]) & ~stopped)
				TH_LOG("%s+%u", cap->name, reg);
		}

		EXPECT_OK(vn_device_config_write(self->device, at, zeroes,
						 cap->len));
		EXPECT_OK(vn_device_config_read(self->device, at, now,
						cap->len));
		EXPECT_EQ(0, memcmp(now, &self->shown[at], cap->len));
	}
	/* The device is in no virtual IOMMU: the hardware is as it was. */
	ASSERT_LT(0, read_hardware(self->device->pci.name, hardware));
	EXPECT_EQ(0, memcmp(hardware, self->hardware, self->size));
}

/* Reads of every size, aligned or not, show the same bytes. */
TEST_F(config, reads_of_every_size)
{
	const struct capability *cap;
	uint8_t bytes[24];
	unsigned int size;
	int at, pos;

	for (pos = 0; pos < (int)self->size; pos++) {
		ASSERT_OK(vn_device_config_read(self->device, pos, bytes, 1));
		ASSERT_EQ(self->shown[pos], bytes[0])
			TH_LOG("byte %#x", pos);
	}
	FOR_EACH_SHOWN(self, cap, at) {
		for (pos = at - 8; pos < at + (int)cap->len + 4; pos++) {
			for (size = 1; size <= sizeof(bytes); size++) {
				if (pos < PCI_CFG_SPACE_SIZE ||
				    pos + size > self->size)
					continue;
				ASSERT_OK(vn_device_config_read(self->device,
								pos, bytes,
								size));
				ASSERT_EQ(0, memcmp(bytes, &self->shown[pos],
						    size))
					TH_LOG("%u bytes at %#x", size, pos);
			}
		}
	}
}

/* One register written by bytes, by words, and as part of more than it. */
TEST_F(config, writes_of_every_size)
{
	int at = expected_at(self, &capabilities[1]);
	uint32_t value = 0x12345678, now;
	uint8_t around[8];
	unsigned int size, i;

	if (at <= 0)
		SKIP(return, "no page requests for a guest");
	at += PCI_PRI_ALLOC_REQ;
	for (size = 1; size <= 4; size *= 2) {
		value = ~value;
		for (i = 0; i < 4; i += size)
			ASSERT_OK(vn_device_config_write(self->device, at + i,
							 (uint8_t *)&value + i,
							 size));
		ASSERT_OK(vn_device_config_read(self->device, at, &now, 4));
		EXPECT_EQ(value, now) TH_LOG("by %u bytes", size);
	}

	/* Not aligned: the last two bytes before it, which are constant, and three. */
	memset(around, 0xa5, sizeof(around));
	ASSERT_OK(vn_device_config_write(self->device, at - 2, around, 5));
	ASSERT_OK(vn_device_config_read(self->device, at, &now, 4));
	EXPECT_EQ((value & 0xff000000) | 0xa5a5a5, now);
	ASSERT_OK(vn_device_config_read(self->device, at - 4, &now, 4));
	EXPECT_EQ(get32(&self->shown[at - 4]), now);
}

TEST_F(config, beyond_the_end)
{
	uint8_t bytes[8];

	EXPECT_NE(0, vn_device_config_read(self->device, self->size, bytes, 1));
	EXPECT_NE(0, vn_device_config_read(self->device, self->size - 4, bytes,
					   8));
	EXPECT_NE(0, vn_device_config_write(self->device, self->size, bytes, 1));
}

/* In whatever way the function is reset, the guest has to enable all again. */
TEST_F(config, reset_clears)
{
	static const struct {
		enum vn_reset how;
		const char *name;
	} resets[] = {
		{ VN_RESET_VFIO, "VFIO_DEVICE_RESET" },
		{ VN_RESET_FUNCTION, "function level reset" },
		{ VN_RESET_HOT, "hot reset" },
		{ VN_RESET_SYSFS, "sysfs" },
	};
	uint8_t ones[SPACE], now[SPACE];
	const struct capability *cap;
	unsigned int i;
	int at, ret;

	memset(ones, 0xff, sizeof(ones));
	for (i = 0; i < VN_ARRAY_SIZE(resets); i++) {
		FOR_EACH_SHOWN(self, cap, at)
			ASSERT_OK(vn_device_config_write(self->device, at, ones,
							 cap->len));
		ret = vn_device_reset(self->device, resets[i].how);
		if (ret == -EOPNOTSUPP)
			continue;
		ASSERT_EQ(0, ret) TH_LOG("%s: %s", resets[i].name, vn_reason());
		FOR_EACH_SHOWN(self, cap, at) {
			ASSERT_OK(vn_device_config_read(self->device, at, now,
							cap->len));
			EXPECT_EQ(0, memcmp(now, &self->shown[at], cap->len))
				TH_LOG("%s after %s", cap->name,
				       resets[i].name);
		}
	}
}

/* What is enabled in the hardware: PCI_PRI_CTRL_ENABLE, and the allocation. */
static void read_pri(struct __test_metadata *_metadata,
		     FIXTURE_DATA(config) *self, bool *enabled,
		     uint32_t *allocation)
{
	uint8_t now[SPACE];
	int at = find(self->hardware, self->size, PCI_EXT_CAP_ID_PRI);

	ASSERT_LT(0, at);
	ASSERT_LT(0, read_hardware(self->device->pci.name, now));
	*enabled = now[at + PCI_PRI_CTRL] & PCI_PRI_CTRL_ENABLE;
	*allocation = get32(&now[at + PCI_PRI_ALLOC_REQ]);
}

/* On VT-d the kernel's own driver has page requests enabled all the time. */
#define EXPECT_PRI(on) do {						\
	bool __enabled;							\
	uint32_t __allocation;						\
									\
	if (self->info.backend == VFIO_NESTED_BACKEND_VTD)		\
		break;							\
	read_pri(_metadata, self, &__enabled, &__allocation);		\
	EXPECT_EQ(on, __enabled);					\
	if (__enabled) {						\
		EXPECT_LT(0, __allocation);				\
		EXPECT_GE(CREDITS, __allocation);			\
	}								\
} while (0)

#define CREDITS	6

/*
 * The guest's PRI Enable reaches the hardware where there is something behind it: a
 * stage 1 with ATS.
 */
TEST_F(config, page_requests_follow_the_guest)
{
	struct vn_device *device = self->device;
	struct vn_guest guest;

	if (expected_at(self, &capabilities[1]) <= 0)
		SKIP(return, "no page requests for a guest");
	NEED_SMMUV3(device, "page requests of the function are the host's");

	/* Before the device is bound ... */
	ASSERT_OK(vn_device_enable_pri(device, CREDITS));
	EXPECT_PRI(false);
	start_guest(_metadata, &guest, device, 0);
	EXPECT_PRI(false);
	guest.ats = true;
	ASSERT_OK(vn_guest_translate(&guest, STREAM));
	EXPECT_PRI(true);

	/* ... while it is, */
	ASSERT_OK(vn_device_enable_pri(device, 0));
	EXPECT_PRI(false);
	ASSERT_OK(vn_device_enable_pri(device, CREDITS));
	EXPECT_PRI(true);
	guest.ats = false;
	ASSERT_OK(vn_guest_translate(&guest, STREAM));
	EXPECT_PRI(false);
	guest.ats = true;
	ASSERT_OK(vn_guest_translate(&guest, STREAM));
	EXPECT_PRI(true);

	/* ... until a reset, which leaves the context as it is, */
	ASSERT_OK(vn_device_reset(device, VN_RESET_VFIO));
	EXPECT_PRI(false);
	ASSERT_OK(vn_device_enable_pri(device, CREDITS));
	EXPECT_PRI(true);

	/* ... or until it is unbound. */
	ASSERT_OK(vn_nested_unbind(device->fd));
	EXPECT_PRI(false);
	vn_guest_close(&guest);
}

struct all {
	FIXTURE_DATA(config) *self;
	struct vn_device *device;
	struct vn_guest guest;
};

/* Any bytes to any place in a capability, and back. */
static void write_step(struct vn_racer *thread)
{
	struct all *all = thread->data;
	const struct capability *cap;
	unsigned int pos, size, i;
	uint8_t bytes[16];
	int at;

	FOR_EACH_SHOWN(all->self, cap, at) {
		pos = vn_choose(thread, cap->len);
		size = 1 + vn_choose(thread, cap->len - pos);
		for (i = 0; i < size; i++)
			bytes[i] = vn_choose(thread, 256);
		EXPECTED(thread, vn_device_config_write(all->device, at + pos,
							bytes, size));
		EXPECTED(thread, vn_device_config_read(all->device, at, bytes,
						       cap->len));
	}
}

static void request_step(struct vn_racer *thread)
{
	struct all *all = thread->data;

	EXPECTED(thread, vn_device_enable_pri(all->device,
					      vn_choose(thread, 3) * CREDITS));
}

/* VFIO does not wait for a reset by somebody else. */
static void reset_step(struct vn_racer *thread)
{
	static const enum vn_reset ways[] = {
		VN_RESET_VFIO, VN_RESET_FUNCTION, VN_RESET_SYSFS,
	};
	struct all *all = thread->data;

	EXPECTED(thread, vn_device_reset(all->device,
					 ways[vn_choose(thread, VN_ARRAY_SIZE(ways))]),
		 -EAGAIN);
	vn_sleep_ms(vn_choose(thread, 20));
}

static void bind_step(struct vn_racer *thread)
{
	struct all *all = thread->data;

	if (EXPECTED(thread, vn_nested_bind(all->device->fd, all->guest.fd, STREAM),
		     -EBUSY))
		return;
	all->guest.ats = vn_choose(thread, 4);
	EXPECTED(thread, vn_guest_translate(&all->guest, STREAM));
	vn_sleep_ms(vn_choose(thread, 5));
	while (EXPECTED(thread, vn_nested_unbind(all->device->fd), -EBUSY) == -EBUSY)
		vn_sleep_ms(5);
}

static void policy_step(struct vn_racer *thread)
{
	struct vn_device *device = ((struct all *)thread->data)->device;
	struct vfio_nested_info info;

	EXPECTED(thread, vn_pci_policy(device->pci.name, "fault_quota",
				       vn_choose(thread, 2) ? "0" : "7"));
	EXPECTED(thread, vn_nested_info(device->fd, &info, NULL));
	if (info.fault_quota != 7)
		EXPECTED(thread, info.fault_quota == info.max_pending ? 0 : -ERANGE);
}

/* All of it at once; and then it is as if nothing had been. */
TEST_F_TIMEOUT(config, races, SLOW)
{
	static const vn_step steps[] = {
		write_step, write_step, request_step, reset_step, bind_step,
		policy_step,
	};
	struct all all = { .self = self, .device = self->device };
	struct vn_guest *guest = &all.guest;
	struct vn_race race;
	uint8_t now[SPACE];
	unsigned int i;

	if (expected_at(self, &capabilities[1]) <= 0)
		SKIP(return, "no page requests for a guest");
	start_guest(_metadata, guest, self->device, 0);
	ASSERT_OK(vn_nested_unbind(self->device->fd));

	EXPECT_OK(vn_race_run(&race, &all, steps, VN_ARRAY_SIZE(steps)));
	for (i = 0; i < VN_ARRAY_SIZE(steps); i++)
		EXPECT_LT(1, race.racers[i].steps) TH_LOG("thread %u", i);

	vn_pci_policy(self->device->pci.name, "fault_quota", "0");
	ASSERT_OK(vn_device_reset(self->device, VN_RESET_SYSFS));
	EXPECT_PRI(false);
	ASSERT_OK(vn_device_config_read(self->device, PCI_CFG_SPACE_SIZE, now,
					self->size - PCI_CFG_SPACE_SIZE));
	EXPECT_EQ(0, memcmp(now, &self->shown[PCI_CFG_SPACE_SIZE],
			    self->size - PCI_CFG_SPACE_SIZE));
	ASSERT_OK(vn_nested_bind(self->device->fd, guest->fd, STREAM));
	guest->ats = true;
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	ASSERT_OK(vn_device_enable_pri(self->device, CREDITS));
	EXPECT_PRI(true);
	vn_guest_close(guest);
}

FIXTURE(settings) {
	struct vn_device *device;
	const char *name;
};

FIXTURE_SETUP(settings)
{
	self->device = NEED_DEVICE(vn_session->devices[0].fd < 0 ? 1 : 0);
	self->name = self->device->pci.name;
}

FIXTURE_TEARDOWN(settings)
{
	vn_pci_policy(self->name, "may_stall", "0");
	vn_pci_policy(self->name, "fault_quota", "0");
	vn_pci_policy(self->name, "fault_deadline_ms", "10000");
}

TEST_F(settings, defaults)
{
	unsigned int value;

	ASSERT_OK(vn_pci_policy_value(self->name, "may_stall", &value));
	EXPECT_EQ(0, value);
	ASSERT_OK(vn_pci_policy_value(self->name, "fault_quota", &value));
	EXPECT_EQ(0, value);
	ASSERT_OK(vn_pci_policy_value(self->name, "fault_deadline_ms", &value));
	EXPECT_EQ(10000, value);
}

TEST_F(settings, ranges)
{
	static const struct {
		const char *what;
		const char *text;
		int ret;
		unsigned int value;
	} cases[] = {
		{ "may_stall", "1", 0, 1 },
		{ "may_stall", "2", -ERANGE, 1 },
		{ "may_stall", "-1", -EINVAL, 1 },
		{ "may_stall", "0\n", 0, 0 },
		{ "fault_quota", "1", 0, 1 },
		{ "fault_quota", "1024", 0, 1024 },
		{ "fault_quota", "1025", -ERANGE, 1024 },
		{ "fault_quota", "0x10", 0, 16 },
		{ "fault_quota", "many", -EINVAL, 16 },
		{ "fault_quota", "\n", -EINVAL, 16 },
		{ "fault_deadline_ms", "0", 0, 0 },
		{ "fault_deadline_ms", "3600000", 0, 3600000 },
		{ "fault_deadline_ms", "3600001", -ERANGE, 3600000 },
		{ "fault_deadline_ms", "4294967296", -ERANGE, 3600000 },
		{ "fault_deadline_ms", "1 2", -EINVAL, 3600000 },
	};
	unsigned int i, value;

	for (i = 0; i < VN_ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(cases[i].ret, vn_pci_policy(self->name, cases[i].what,
						      cases[i].text))
			TH_LOG("%s: '%s'", cases[i].what, cases[i].text);
		ASSERT_OK(vn_pci_policy_value(self->name, cases[i].what,
					      &value));
		EXPECT_EQ(cases[i].value, value)
			TH_LOG("%s: '%s'", cases[i].what, cases[i].text);
	}
}

/* A VMM learns of them on the device fd; the nested fd has no device's settings. */
TEST_F(settings, info)
{
	struct vfio_nested_info info;
	int fd;

	ASSERT_OK(vn_nested_info(self->device->fd, &info, NULL));
	if (!info.max_pending) {
		EXPECT_EQ(0, info.fault_deadline_ms);
		EXPECT_EQ(0, info.fault_quota);
		SKIP(return, "no recoverable faults here");
	}
	EXPECT_EQ(10000, info.fault_deadline_ms);
	EXPECT_EQ(info.max_pending, info.fault_quota);

	ASSERT_OK(vn_pci_policy(self->name, "fault_quota", "1"));
	ASSERT_OK(vn_pci_policy(self->name, "fault_deadline_ms", "20"));
	ASSERT_OK(vn_nested_info(self->device->fd, &info, NULL));
	EXPECT_EQ(20, info.fault_deadline_ms);
	EXPECT_EQ(1, info.fault_quota);

	fd = vn_nested_open();
	ASSERT_LE(0, fd);
	ASSERT_OK(vn_nested_info(fd, &info, NULL));
	EXPECT_EQ(0, info.fault_deadline_ms);
	EXPECT_EQ(0, info.fault_quota);
	close(fd);
}

TEST_MAIN_WITH_DEVICES(wants)
