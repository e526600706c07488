// SPDX-License-Identifier: GPL-2.0
/*
 * What a VT-d offers, and what the kernel's log says of what it lacks. For all VT-d, those
 * that cannot nest too.
 */
#include "test.h"

static const struct vn_want wants[] = {
	{ },
};

/* Bits of ECAP, and what the log calls them */
static const struct {
	unsigned int bit;
	/* It does not nest without it; else the guest has that much less. */
	bool needed;
	uint64_t cap;
	const char *name;
} bits[] = {
	{ 1,  true,  0, "(ECAP.QI)" },
	{ 26, true,  0, "(ECAP.NEST)" },
	{ 43, true,  0, "(ECAP.SMTS)" },
	{ 46, true,  0, "(ECAP.SSTS)" },
	{ 47, true,  0, "(ECAP.FSTS)" },
	{ 29, false, VFIO_NESTED_CAP_PRI, "(ECAP.PRS)" },
	{ 40, false, VFIO_NESTED_CAP_PASID, "(ECAP.PASID)" },
};

FIXTURE(info) {
	struct vn_device *device;
	struct vfio_nested_info info;
	uint64_t ecap;
	int log;
	int nested;
	/* What the kernel has said since the test began */
	char text[16384];
};

FIXTURE_SETUP(info)
{
	char path[256];

	self->nested = -1;
	self->device = NEED_DEVICE(0);
	if (vn_nested_info(self->device->fd, &self->info, NULL) ||
	    self->info.backend != VFIO_NESTED_BACKEND_VTD)
		SKIP(return, "the device is not behind a VT-d");
	snprintf(path, sizeof(path),
		 "/sys/bus/pci/devices/%s/iommu/intel-iommu/ecap",
		 self->device->pci.name);
	ASSERT_EQ(0, vn_read_hex(path, &self->ecap)) TH_LOG("%s", vn_reason());

	/* Messages of a call that is repeated are left out for some seconds. */
	vn_sleep_ms(5500);
	self->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, self->log);
	ASSERT_LE(0, lseek(self->log, 0, SEEK_END));
	self->nested = vn_nested_open();
	ASSERT_LE(0, self->nested);
}

FIXTURE_TEARDOWN(info)
{
	if (self->nested < 0)
		return;
	vn_nested_unbind(self->device->fd);
	close(self->nested);
	close(self->log);
}

/* One record of the log for each read */
static void read_log(FIXTURE_DATA(info) *self)
{
	size_t len = 0;
	ssize_t got;

	while (len < sizeof(self->text) - 1) {
		got = read(self->log, self->text + len,
			   sizeof(self->text) - 1 - len);
		if (got > 0)
			len += got;
		else if (errno != EPIPE)
			break;
	}
	self->text[len] = 0;
}

static bool can_nest(FIXTURE_DATA(info) *self)
{
	unsigned int i;

	for (i = 0; i < VN_ARRAY_SIZE(bits); i++)
		if (bits[i].needed && !(self->ecap & VN_BIT(bits[i].bit)))
			return false;
	return true;
}

TEST_F(info, what_is_missing_is_said)
{
	bool nests = can_nest(self);
	unsigned int i;
	int ret;

	EXPECT_EQ(nests, !!(self->info.caps & VFIO_NESTED_CAP_STAGE1));
	ret = vn_nested_bind(self->device->fd, self->nested, 1);
	EXPECT_EQ(nests ? 0 : -ENODEV, ret);
	read_log(self);
	for (i = 0; i < VN_ARRAY_SIZE(bits); i++) {
		bool there = self->ecap & VN_BIT(bits[i].bit);
		/* Nobody misses what depends on something that is missing. */
		bool said = !there && (bits[i].needed || (nests && self->info.pasid_bits));

		if (there)
			EXPECT_EQ(NULL, strstr(self->text, bits[i].name))
				TH_LOG("%s is there", bits[i].name);
		if (said)
			EXPECT_NE(NULL, strstr(self->text, bits[i].name))
				TH_LOG("%s: %s", bits[i].name, self->text);
		if (!there)
			EXPECT_EQ(0, self->info.caps & bits[i].cap);
	}
	if (nests && !(self->info.caps & VFIO_NESTED_CAP_PASID))
		EXPECT_NE(NULL, strstr(self->text, "no PASIDs for guests: "));
	if (nests && !(self->info.caps & VFIO_NESTED_CAP_PRI))
		EXPECT_NE(NULL, strstr(self->text, "no page requests for guests: "));
}

TEST_MAIN_WITH_DEVICES(wants)
