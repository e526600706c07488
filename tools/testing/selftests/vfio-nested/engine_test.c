// SPDX-License-Identifier: GPL-2.0
/*
 * The DMA engines themselves, on stage 2 alone: what the other tests conclude
 * from DMA is worth nothing if an engine does not do what it says, or what it is told
 * does not get there.
 */
#include <linux/pci_regs.h>

#include "engine.h"
#include "race.h"
#include "test.h"
#include "testdev.h"

static const struct vn_want wants[] = {
	{ .engine = "edu" },
	{ .engine = "nvme" },
	{ .engine = "iommu-testdev" },
	{ .engine = "nested-testdev" },
	{ .engine = "nested-testdev" },
};

/* Two pages of guest memory and a device, whatever kind it is of */
static void prepare(struct __test_metadata *_metadata, struct vn_device *device,
		    uint64_t *a, uint64_t *b)
{
	unbind_all();
	vn_vm_reset(device->vm);
	*a = vn_vm_alloc(device->vm, VN_PAGE, VN_PAGE);
	*b = vn_vm_alloc(device->vm, VN_PAGE, VN_PAGE);
	ASSERT_NE(0, *a);
	ASSERT_NE(0, *b);
	vn_poison(device->vm, *a);
	vn_poison(device->vm, *b);
}

FIXTURE(engine) {
	struct vn_device *device;
	struct vn_vm *vm;
	uint64_t a;
	uint64_t b;
};

FIXTURE_VARIANT(engine) {
	unsigned int want;
};

FIXTURE_VARIANT_ADD(engine, edu) { .want = 0, };
FIXTURE_VARIANT_ADD(engine, nvme) { .want = 1, };
FIXTURE_VARIANT_ADD(engine, testdev) { .want = 2, };
FIXTURE_VARIANT_ADD(engine, nested_testdev) { .want = 3, };

FIXTURE_SETUP(engine)
{
	self->device = NEED_DEVICE(variant->want);
	self->vm = self->device->vm;
	prepare(_metadata, self->device, &self->a, &self->b);
}

FIXTURE_TEARDOWN(engine)
{
}

TEST_F(engine, write_changes_what_it_says)
{
	ASSERT_NE(VN_DMA_FAULT, vn_dma_write(self->device, self->a));
	EXPECT_TRUE(vn_landed(self->device, self->a));
	EXPECT_TRUE(vn_intact(self->vm, self->b));
}

TEST_F(engine, write_to_nothing_is_refused)
{
	/* Between guest memory and the first page after it. */
	enum vn_dma dma = vn_dma_write(self->device, VN_RAM_IPA + VN_RAM_SIZE);

	EXPECT_EQ(self->device->engine.caps & VN_ENGINE_TELLS ? VN_DMA_FAULT :
		  VN_DMA_DONE, dma);
	/* The engine is as good as before. */
	EXPECT_NE(VN_DMA_BROKEN, vn_dma_write(self->device, self->a));
	EXPECT_TRUE(vn_landed(self->device, self->a));
}

TEST_F(engine, reset_and_again)
{
	NEED_RESET(self->device);
	ASSERT_OK(vn_device_reset(self->device, VN_RESET_VFIO));
	ASSERT_NE(VN_DMA_BROKEN, vn_dma_write(self->device, self->a));
	EXPECT_TRUE(vn_landed(self->device, self->a));
}

/* Engines that read memory too */
FIXTURE(copying) {
	struct vn_device *device;
	uint64_t a;
	uint64_t b;
};

FIXTURE_VARIANT(copying) {
	unsigned int want;
};

FIXTURE_VARIANT_ADD(copying, edu) { .want = 0, };
FIXTURE_VARIANT_ADD(copying, nvme) { .want = 1, };
FIXTURE_VARIANT_ADD(copying, nested_testdev) { .want = 3, };

FIXTURE_SETUP(copying)
{
	self->device = NEED_DEVICE(variant->want);
	prepare(_metadata, self->device, &self->a, &self->b);
	if (!(self->device->engine.caps & VN_ENGINE_COPY))
		SKIP(return, "%s keeps no timestamp", self->device->pci.name);
}

FIXTURE_TEARDOWN(copying)
{
}

TEST_F(copying, moves_what_it_says)
{
	struct vn_device *device = self->device;
	uint64_t *from = vn_vm_va(device->vm, self->a);
	uint64_t *to = vn_vm_va(device->vm, self->b);

	*from = 0x0000123456789abcULL;
	EXPECT_FALSE(device->ops->copied(device, from, to));
	ASSERT_NE(VN_DMA_FAULT, vn_dma_copy(device, self->a, self->b));
	EXPECT_TRUE(device->ops->copied(device, from, to));
}

/* Two devices, whose registers are next to each other */
FIXTURE(registers) {
	struct vn_device *comes_and_goes;
	struct vn_device *stays;
	struct vn_race race;
};

FIXTURE_SETUP(registers)
{
	self->comes_and_goes = NEED_DEVICE(3);
	self->stays = NEED_DEVICE(4);
	unbind_all();
	ASSERT_OK(vn_engine_revive(self->comes_and_goes));
	ASSERT_OK(vn_engine_revive(self->stays));
}

FIXTURE_TEARDOWN(registers)
{
}

static int enable_memory(struct vn_device *device, bool enable)
{
	uint16_t command = PCI_COMMAND_MASTER |
			   (enable ? PCI_COMMAND_MEMORY : 0);

	return vn_device_config_write(device, PCI_COMMAND, &command,
				      sizeof(command));
}

static void come_and_go(struct vn_racer *thread)
{
	FIXTURE_DATA(registers) *self = thread->data;

	EXPECTED(thread, enable_memory(self->comes_and_goes, false));
	EXPECTED(thread, enable_memory(self->comes_and_goes, true));
}

static int keep_word(struct vn_device *device, uint32_t word)
{
	uint32_t is;

	vn_testdev_buffer_write(device, 0, &word, sizeof(word));
	vn_testdev_buffer_read(device, 0, &is, sizeof(is));
	return is == word ? 0 : -EIO;
}

static void stay(struct vn_racer *thread)
{
	FIXTURE_DATA(registers) *self = thread->data;
	unsigned int i;

	for (i = 0; i < 1000; i++)
		EXPECTED(thread, keep_word(self->stays, thread->seed++));
}

/* As others do when they reset their devices */
TEST_F(registers, stay_while_those_of_another_come_and_go)
{
	static const vn_step steps[] = { come_and_go, stay };

	ASSERT_OK(vn_race_run(&self->race, self, steps, VN_ARRAY_SIZE(steps)));
}

TEST_MAIN_WITH_DEVICES(wants)
