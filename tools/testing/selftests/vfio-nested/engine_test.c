// SPDX-License-Identifier: GPL-2.0
/*
 * The DMA engines themselves, on stage 2 alone: what the other tests conclude
 * from DMA is worth nothing if an engine does not do what it says.
 */
#include "test.h"

static const struct vn_want wants[] = {
	{ .engine = "edu" },
	{ .engine = "nvme" },
	{ .engine = "iommu-testdev" },
};

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

FIXTURE_SETUP(engine)
{
	self->device = NEED_DEVICE(variant->want);
	self->vm = self->device->vm;
	unbind_all();
	vn_vm_reset(self->vm);
	self->a = vn_vm_alloc(self->vm, VN_PAGE, VN_PAGE);
	self->b = vn_vm_alloc(self->vm, VN_PAGE, VN_PAGE);
	ASSERT_NE(0, self->a);
	ASSERT_NE(0, self->b);
	vn_poison(self->vm, self->a);
	vn_poison(self->vm, self->b);
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

TEST_F(engine, copy_moves_what_it_says)
{
	uint64_t *from = vn_vm_va(self->vm, self->a);
	uint64_t *to = vn_vm_va(self->vm, self->b);

	if (!(self->device->engine.caps & VN_ENGINE_COPY))
		SKIP(return, "%s cannot read memory", self->device->pci.name);
	*from = 0x0000123456789abcULL;
	EXPECT_FALSE(self->device->ops->copied(self->device, from, to));
	ASSERT_NE(VN_DMA_FAULT, vn_dma_copy(self->device, self->a, self->b));
	EXPECT_TRUE(self->device->ops->copied(self->device, from, to));
}

TEST_F(engine, reset_and_again)
{
	if (!self->device->can_reset)
		SKIP(return, "%s has no way to be reset", self->device->pci.name);
	ASSERT_OK(vn_device_reset(self->device));
	ASSERT_NE(VN_DMA_BROKEN, vn_dma_write(self->device, self->a));
	EXPECT_TRUE(vn_landed(self->device, self->a));
}

TEST_MAIN_WITH_DEVICES(wants)
