// SPDX-License-Identifier: GPL-2.0
/*
 * Modules: none goes while something of it is in use, and each comes back as new.
 *
 * Modules are loaded by modprobe, or from the directory VFIO_NESTED_MODULES.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test.h"

#define PCI_MODULE	"vfio_pci_nested"
#define USER_MODULE	"vfio_nested"
#define CORE_MODULE	"iommu_nested"

static char device_name[VN_PCI_NAME_LEN];

/* Uses of a loaded module; negative if it is not one. */
static long uses(const char *module)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	if (vn_read_text(path, text, sizeof(text)))
		return -1;
	return atol(text);
}

static int unload(const char *module)
{
	if (syscall(__NR_delete_module, module, O_NONBLOCK))
		return vn_fail(-errno, "cannot remove %s: %m", module);
	return 0;
}

/* The file of a module is named with dashes. */
static int load_file(const char *directory, const char *module)
{
	char path[256];
	int fd, len, i, ret = 0;

	len = snprintf(path, sizeof(path), "%s/", directory);
	snprintf(path + len, sizeof(path) - len, "%s.ko", module);
	for (i = len; path[i]; i++)
		if (path[i] == '_')
			path[i] = '-';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return vn_fail(-errno, "cannot open %s: %m", path);
	if (syscall(__NR_finit_module, fd, "", 0))
		ret = vn_fail(-errno, "cannot load %s: %m", path);
	close(fd);
	return ret;
}

static int load(const char *module)
{
	const char *directory = getenv("VFIO_NESTED_MODULES");
	char command[64];

	if (directory)
		return load_file(directory, module);
	snprintf(command, sizeof(command), "modprobe %s", module);
	return system(command) ? vn_fail(-EIO, "%s failed", command) : 0;
}

FIXTURE(module) {
	struct vn_vm vm;
	struct vn_device device;
	struct vn_guest guest;
};

FIXTURE_SETUP(module)
{
	self->vm.fd = -1;
	self->device.fd = -1;
	self->guest.fd = -1;
	if (uses(PCI_MODULE) < 0 || uses(USER_MODULE) < 0 || uses(CORE_MODULE) < 0)
		SKIP(return, "built into the kernel, or not loaded");
	if (uses(PCI_MODULE) || uses(USER_MODULE) != 1)
		SKIP(return, "in use by others");
}

FIXTURE_TEARDOWN(module)
{
	vn_guest_close(&self->guest);
	vn_device_close(&self->device);
	vn_vm_close(&self->vm);
	if (uses(PCI_MODULE) < 0)
		load(PCI_MODULE);
}

/* A device that translates, and has an event in the ring if there are any */
static void use(struct __test_metadata *_metadata, FIXTURE_DATA(module) *self)
{
	struct vfio_nested_fault fault;
	uint64_t page;

	ASSERT_OK(vn_vm_open(&self->vm));
	ASSERT_OK(vn_device_open(&self->device, &self->vm, device_name));
	start_guest(_metadata, &self->guest, &self->device, 0);
	page = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	EXPECT_LANDS(&self->device, IOVA(0), page);
	vn_dma_write(&self->device, IOVA(1));
	if (self->guest.info.caps & VFIO_NESTED_CAP_EVENTS)
		EXPECT_EQ(1, vn_ring_wait(&self->guest.ring, &fault,
					  VN_TIMEOUT_MS));
}

static void unuse(FIXTURE_DATA(module) *self)
{
	vn_guest_close(&self->guest);
	vn_device_close(&self->device);
	vn_vm_close(&self->vm);
}

TEST_F(module, does_not_go_while_in_use)
{
	int fd = vn_nested_open();
	void *map;

	/* An open file, */
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EAGAIN, unload(USER_MODULE));
	close(fd);
	/* another module that needs it, */
	EXPECT_EQ(-EAGAIN, unload(USER_MODULE));
	EXPECT_EQ(-EAGAIN, unload(CORE_MODULE));
	/* a device, */
	use(_metadata, self);
	EXPECT_EQ(-EAGAIN, unload(PCI_MODULE));
	EXPECT_EQ(-EAGAIN, unload(USER_MODULE));
	EXPECT_EQ(-EAGAIN, unload(CORE_MODULE));
	/* a mapping of which everything else is closed. */
	map = self->guest.ring.map;
	self->guest.ring.map = NULL;
	vn_guest_close(&self->guest);
	vn_device_close(&self->device);
	EXPECT_LT(1, uses(USER_MODULE));
	EXPECT_EQ(-EAGAIN, unload(USER_MODULE));
	munmap(map, self->guest.ring.setup.mmap_size);
	EXPECT_EQ(1, uses(USER_MODULE));
	EXPECT_EQ(0, uses(PCI_MODULE));
}

TEST_F(module, comes_back)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		use(_metadata, self);
		unuse(self);
		ASSERT_OK(unload(PCI_MODULE));
		EXPECT_EQ(0, uses(USER_MODULE));
		/* Its devices have no driver now, until it comes back. */
		EXPECT_NE(0, vn_pci_unbind(device_name));
		if (i) {
			ASSERT_OK(unload(USER_MODULE));
			EXPECT_NE(0, access(VN_NESTED_PATH, F_OK));
			ASSERT_OK(load(USER_MODULE));
		}
		ASSERT_OK(load(PCI_MODULE));
	}
	use(_metadata, self);
}

/* Whatever drives the IOMMU cannot go at all while it has devices. */
TEST_F(module, iommu_driver_is_held_by_its_devices)
{
	if (uses("smmuv3_nested") < 0)
		SKIP(return, "smmuv3-nested is not a module here");
	EXPECT_LT(0, uses("smmuv3_nested"));
}

int main(int argc, char **argv)
{
	struct vn_want want = {};

	if (vn_session_pick(&want, NULL, 0, device_name)) {
		ksft_print_header();
		ksft_exit_skip("%s\n", vn_reason());
	}
	return test_harness_run(argc, argv);
}
