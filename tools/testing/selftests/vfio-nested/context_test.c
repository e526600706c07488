// SPDX-License-Identifier: GPL-2.0
/*
 * Stage-1 contexts: bind, set, replace, clear, bypass, abort, unbind; seen by
 * what the DMA of each kind of device does.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "test.h"

#include <linux/vfio.h>

static const struct vn_want wants[] = {
	{ .engine = "edu", .huge = true },
	{ .engine = "nvme", .huge = true },
	{ .engine = "iommu-testdev", .huge = true },
	{ .engine = "nested-testdev", .huge = true },
};

#define EDU	0

/* Some device, the best there is */
static struct vn_device *any_device(void)
{
	int i;

	for (i = VN_ARRAY_SIZE(wants) - 1; i > 0; i--)
		if (vn_session->devices[i].fd >= 0)
			break;
	return &vn_session->devices[i];
}

FIXTURE(context) {
	struct vn_device *device;
	struct vn_guest guest;
	/* Page that is mapped at IOVA(0) */
	uint64_t page;
};

FIXTURE_VARIANT(context) {
	unsigned int want;
};

FIXTURE_VARIANT_ADD(context, edu) { .want = EDU, };
FIXTURE_VARIANT_ADD(context, nvme) { .want = 1, };
FIXTURE_VARIANT_ADD(context, testdev) { .want = 2, };
FIXTURE_VARIANT_ADD(context, nested_testdev) { .want = 3, };

FIXTURE_SETUP(context)
{
	self->device = NEED_DEVICE(variant->want);
	unbind_all();
	start_guest(_metadata, &self->guest, self->device, 0);
	self->page = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);
	ASSERT_NE(IOVA(0), self->page);
}

FIXTURE_TEARDOWN(context)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

TEST_F(context, write_and_read_by_stage1)
{
	struct vn_guest *guest = &self->guest;
	struct vn_device *device = self->device;
	uint64_t from = map_page(_metadata, guest, IOVA(1), VN_PROT_READ);
	uint64_t other = vn_guest_page(guest);
	uint64_t *source = vn_vm_va(guest->vm, from);

	ASSERT_OK(vn_guest_translate(guest, STREAM));
	EXPECT_LANDS(device, IOVA(0), self->page);
	EXPECT_TRUE(vn_intact(guest->vm, from));
	EXPECT_TRUE(vn_intact(guest->vm, other));

	/* Nothing is mapped to itself. */
	EXPECT_REFUSED(device, self->page);
	EXPECT_TRUE(vn_intact(guest->vm, self->page));

	if (!(device->engine.caps & VN_ENGINE_COPY))
		return;
	*source = 0x0000567812345678ULL;
	EXPECT_NE(VN_DMA_FAULT, vn_dma_copy(device, IOVA(1), IOVA(0)));
	EXPECT_TRUE(device->ops->copied(device, source,
					vn_vm_va(guest->vm, self->page)));
}

TEST_F(context, binding_alone_changes_nothing)
{
	struct vn_device *device = self->device;

	EXPECT_LANDS(device, self->page, self->page);
	EXPECT_REFUSED(device, IOVA(0));
	EXPECT_TRUE(vn_intact(self->guest.vm, self->page));
}

TEST_F(context, clear_and_bypass_are_stage2_alone)
{
	static const uint32_t types[] = {
		VFIO_NESTED_CONTEXT_CLEAR, VFIO_NESTED_CONTEXT_BYPASS,
	};
	const uint64_t bypass[2] = {
		VN_STE0_V | VN_STE0_CONFIG(VN_STE_CONFIG_BYPASS), 0,
	};
	struct vn_guest *guest = &self->guest;
	struct vn_device *device = self->device;
	unsigned int i;

	for (i = 0; i < VN_ARRAY_SIZE(types); i++) {
		ASSERT_OK(vn_guest_translate(guest, STREAM));
		EXPECT_LANDS(device, IOVA(0), self->page);
		ASSERT_OK(vn_nested_set_context(guest->fd, STREAM, types[i]));
		EXPECT_LANDS(device, self->page, self->page);
		EXPECT_REFUSED(device, IOVA(0));
		EXPECT_TRUE(vn_intact(guest->vm, self->page));
	}
	/* The same, said by the guest's own entry */
	if (guest->arch != &vn_arch_smmuv3)
		return;
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	ASSERT_OK(vn_nested_set_ste(guest->fd, STREAM, bypass));
	EXPECT_LANDS(device, self->page, self->page);
}

TEST_F(context, abort_passes_nothing_and_reports_nothing)
{
	uint64_t abort[2] = { VN_STE0_V | VN_STE0_CONFIG(VN_STE_CONFIG_ABORT), 0 };
	struct vn_guest *guest = &self->guest;
	struct vn_device *device = self->device;

	ASSERT_OK(vn_nested_set_context(guest->fd, STREAM,
					VFIO_NESTED_CONTEXT_ABORT));
	EXPECT_REFUSED(device, self->page);
	EXPECT_REFUSED(device, IOVA(0));
	EXPECT_TRUE(vn_intact(guest->vm, self->page));
	EXPECT_EQ(0, vn_ring_drain(&guest->ring, 50));

	/* From abort to stage 1 and back by the guest's own entry */
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	EXPECT_LANDS(device, IOVA(0), self->page);
	if (guest->arch != &vn_arch_smmuv3)
		return;
	ASSERT_OK(vn_nested_set_ste(guest->fd, STREAM, abort));
	EXPECT_REFUSED(device, IOVA(0));
	EXPECT_TRUE(vn_intact(guest->vm, self->page));
	EXPECT_EQ(0, vn_ring_drain(&guest->ring, 50));
}

TEST_F(context, replace)
{
	struct vn_guest *guest = &self->guest;
	struct vn_device *device = self->device;
	struct vn_stage1 first = guest->s1;
	uint64_t first_cd = guest->cd;
	uint64_t page;

	/* A second stage 1, another ASID, the same address to another page */
	ASSERT_OK(vn_guest_stage1(guest, first.granule, VA_BITS, ASID + 1));
	page = map_page(_metadata, guest, IOVA(0), VN_PROT_RW);
	ASSERT_NE(first.table, guest->s1.table);

	ASSERT_OK(vn_guest_translate(guest, STREAM));
	EXPECT_LANDS(device, IOVA(0), page);
	guest->cd = first_cd;
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	EXPECT_LANDS(device, IOVA(0), self->page);
	EXPECT_TRUE(vn_intact(guest->vm, page));
}

TEST_F(context, unbind_and_bind_again)
{
	struct vn_guest *guest = &self->guest;
	struct vn_device *device = self->device;

	ASSERT_OK(vn_guest_translate(guest, STREAM));
	EXPECT_LANDS(device, IOVA(0), self->page);
	ASSERT_OK(vn_nested_unbind(device->fd));
	EXPECT_LANDS(device, self->page, self->page);
	EXPECT_REFUSED(device, IOVA(0));

	/* A new binding does not remember the old one's context. */
	ASSERT_OK(vn_nested_bind(device->fd, guest->fd, STREAM + 1));
	EXPECT_LANDS(device, self->page, self->page);
	ASSERT_OK(vn_guest_translate(guest, STREAM + 1));
	EXPECT_LANDS(device, IOVA(0), self->page);
	EXPECT_REFUSED(device, self->page);
	EXPECT_TRUE(vn_intact(guest->vm, self->page));
}

TEST_F(context, refused_context_leaves_the_old_one)
{
	struct vn_guest *guest = &self->guest;
	struct vn_context bad = {};

	ASSERT_OK(vn_guest_translate(guest, STREAM));
	/* The highest bit of the second word is reserved for both architectures. */
	guest->arch->context(guest, &bad);
	((uint64_t *)&bad.data)[1] |= htole64(VN_BIT(63));
	EXPECT_EQ(-EINVAL, vn_nested_set_data(guest->fd, STREAM, bad.type,
					      &bad.data, bad.len));
	EXPECT_EQ(-EOPNOTSUPP, vn_nested_set_context(guest->fd, STREAM, 99));
	EXPECT_LANDS(self->device, IOVA(0), self->page);
}

/* Every granule that VMSAv8-64 has, on whichever device is best. */
FIXTURE(granule) {
	struct vn_device *device;
	struct vn_guest guest;
};

FIXTURE_VARIANT(granule) {
	unsigned int shift;
};

FIXTURE_VARIANT_ADD(granule, 4k) { .shift = 12, };
FIXTURE_VARIANT_ADD(granule, 16k) { .shift = 14, };
FIXTURE_VARIANT_ADD(granule, 64k) { .shift = 16, };

FIXTURE_SETUP(granule)
{
	struct vn_guest *guest = &self->guest;

	self->device = any_device();
	unbind_all();
	ASSERT_OK(vn_guest_open(guest, self->device->vm));
	ASSERT_OK(vn_guest_bind(guest, self->device, STREAM));
	if (!(guest->arch->granules(guest) & VN_BIT(variant->shift))) {
		unbind_all();
		vn_guest_close(guest);
		SKIP(return, "the %s has no %u KiB granule", guest->arch->name,
		     1u << (variant->shift - 10));
	}
	/*
	 * QEMU translates the address of a table by stage 2 and goes on from
	 * there, as if stage 2 kept neighbouring pages together.
	 */
	if (self->device->engine.caps & VN_ENGINE_EMULATED &&
	    variant->shift > 12 && !self->device->vm->huge)
		SKIP(return, "needs large pages here: echo 8 >/proc/sys/vm/nr_hugepages");
	vn_guest_close(guest);
	start_guest(_metadata, guest, self->device, variant->shift);
}

FIXTURE_TEARDOWN(granule)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

TEST_F(granule, pages_near_and_far)
{
	/* Far ones go through other tables at every level. */
	static const uint64_t iovas[] = {
		IOVA(0), IOVA(1), 0x40000000, 0x7fc0000000, 0xffff00000000,
		0xffffffff0000,
	};
	struct vn_guest *guest = &self->guest;
	uint64_t pages[VN_ARRAY_SIZE(iovas)];
	unsigned int n = VN_ARRAY_SIZE(iovas);
	unsigned int i, k;

	if (self->device->engine.caps & VN_ENGINE_28BIT)
		n = 2;
	for (i = 0; i < n; i++)
		pages[i] = map_page(_metadata, guest, iovas[i], VN_PROT_RW);
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	for (i = 0; i < n; i++) {
		EXPECT_LANDS(self->device, vn_s1_address(&guest->s1, iovas[i]),
			     pages[i]);
		for (k = 0; k < n; k++)
			EXPECT_TRUE(vn_intact(guest->vm, pages[k]));
	}
	/* The page behind one that is mapped is not. */
	EXPECT_REFUSED(self->device,
		       IOVA(1) + vn_s1_size(&guest->s1, VN_S1_LAST_LEVEL));
}

/* A block is larger than guest memory: it maps an aligned piece around it. */
static void check_block(struct __test_metadata *_metadata,
			struct vn_device *device, struct vn_guest *guest,
			unsigned int level)
{
	uint64_t size = vn_s1_size(&guest->s1, level);
	uint64_t iova = (uint64_t)(8 * level) << 30;
	uint64_t page = vn_guest_page(guest);
	uint64_t start = page & ~(size - 1);

	ASSERT_NE(0, page);
	ASSERT_OK(vn_s1_map_at(&guest->s1, iova, start, VN_PROT_RW, level));
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	EXPECT_LANDS(device, iova + (page - start), page);
	EXPECT_REFUSED(device, iova + size);
	ASSERT_OK(vn_nested_set_context(guest->fd, STREAM,
					VFIO_NESTED_CONTEXT_CLEAR));
}

/* Level 2; with 4 KiB granules also level 1, where the others have no blocks. */
TEST_F(granule, blocks)
{
	if (self->device->engine.caps & VN_ENGINE_28BIT)
		SKIP(return, "%s reaches 28 bits of address only",
		     self->device->pci.name);
	check_block(_metadata, self->device, &self->guest, 2);
	if (variant->shift == 12)
		check_block(_metadata, self->device, &self->guest, 1);
}

TEST_F(granule, read_only_pages_are_not_written)
{
	struct vn_guest *guest = &self->guest;
	uint64_t page = map_page(_metadata, guest, IOVA(0), VN_PROT_READ);

	ASSERT_OK(vn_guest_translate(guest, STREAM));
	EXPECT_REFUSED(self->device, IOVA(0));
	EXPECT_TRUE(vn_intact(guest->vm, page));
}

/* Replacing a context while the device works, for so long */
#define LIVE_MS	1500

FIXTURE(live) {
	struct vn_device *device;
	struct vn_guest guest;
	uint64_t cds[2];
	uint64_t pages[2];
	/* What the thread counts */
	unsigned int writes;
	unsigned int refused;
	bool stop;
};

FIXTURE_SETUP(live)
{
	struct vn_guest *guest = &self->guest;
	unsigned int i;

	self->device = any_device();
	unbind_all();
	if (!(self->device->engine.caps & VN_ENGINE_FAST))
		SKIP(return, "%s is too slow", self->device->pci.name);
	start_guest(_metadata, guest, self->device, 0);
	for (i = 0; i < 2; i++) {
		if (i)
			ASSERT_OK(vn_guest_stage1(guest, guest->s1.granule,
						  VA_BITS, ASID + i));
		self->cds[i] = guest->cd;
		self->pages[i] = map_page(_metadata, guest, IOVA(0), VN_PROT_RW);
	}
}

FIXTURE_TEARDOWN(live)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

static void *write_until_stopped(void *data)
{
	FIXTURE_DATA(live) *self = data;

	while (!__atomic_load_n(&self->stop, __ATOMIC_RELAXED)) {
		enum vn_dma dma = vn_dma_write(self->device, IOVA(0));

		if (dma != VN_DMA_OK && dma != VN_DMA_DONE)
			self->refused++;
		__atomic_fetch_add(&self->writes, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 * From one table to another: every access is translated by one of the two, none
 * is refused and none lands elsewhere. A live entry that is updated in the wrong
 * order shows here.
 */
TEST_F(live, replacing_a_table_refuses_nothing)
{
	struct vn_guest *guest = &self->guest;
	uint64_t end = vn_now_ms() + LIVE_MS;
	unsigned int i, before;
	pthread_t thread;

	if (!guest->arch->hitless)
		SKIP(return, "accesses between two tables are refused");
	guest->cd = self->cds[0];
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_until_stopped, self));
	for (i = 0; i < 100 || vn_now_ms() < end; i++) {
		guest->cd = self->cds[i % 2];
		EXPECT_OK(vn_guest_translate(guest, STREAM));
		before = __atomic_load_n(&self->writes, __ATOMIC_RELAXED);
		/* Either table now and then, until it has been used. */
		if (i % 25 == 0)
			while (__atomic_load_n(&self->writes, __ATOMIC_RELAXED) -
			       before < 2)
				vn_sleep_ms(1);
	}
	self->stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	TH_LOG("%u writes during %u replacements", self->writes, i);
	EXPECT_EQ(0, self->refused);
	EXPECT_EQ(0, vn_ring_drain(&guest->ring, 20));
	EXPECT_TRUE(vn_landed(self->device, self->pages[0]));
	EXPECT_TRUE(vn_landed(self->device, self->pages[1]));
}

/* Between stage 1 and stage 2 alone, DMA is refused at worst. */
TEST_F(live, switching_stage1_on_and_off_harms_nothing_else)
{
	struct vn_guest *guest = &self->guest;
	uint64_t other = vn_guest_page(guest);
	pthread_t thread;
	unsigned int i;

	if (self->device->engine.caps & VN_ENGINE_QUEUES)
		SKIP(return, "%s stops when it is refused its queues",
		     self->device->pci.name);
	guest->cd = self->cds[0];
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_until_stopped, self));
	for (i = 0; i < 100; i++) {
		EXPECT_OK(vn_guest_translate(guest, STREAM));
		EXPECT_OK(vn_nested_set_context(guest->fd, STREAM,
						i % 2 ? VFIO_NESTED_CONTEXT_CLEAR :
						VFIO_NESTED_CONTEXT_ABORT));
	}
	EXPECT_OK(vn_guest_translate(guest, STREAM));
	self->stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(vn_intact(guest->vm, other));
	EXPECT_TRUE(vn_intact(guest->vm, self->pages[1]));
	vn_poison(guest->vm, self->pages[0]);
	EXPECT_LANDS(self->device, IOVA(0), self->pages[0]);
}

/* The device's interrupts pass stage 1, through the window that is told. */
FIXTURE(interrupt) {
	struct vn_device *device;
	struct vn_guest guest;
	int eventfd;
};

FIXTURE_SETUP(interrupt)
{
	self->device = NEED_DEVICE(EDU);
	unbind_all();
	self->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->eventfd);
	if (vn_device_set_irq(self->device, VFIO_PCI_MSI_IRQ_INDEX,
			      self->eventfd))
		SKIP(return, "no message-signalled interrupts here: %s",
		     vn_reason());
	start_guest(_metadata, &self->guest, self->device, 0);
}

FIXTURE_TEARDOWN(interrupt)
{
	vn_device_set_irq(self->device, VFIO_PCI_MSI_IRQ_INDEX, -1);
	unbind_all();
	vn_guest_close(&self->guest);
}

static bool arrives(const FIXTURE_DATA(interrupt) *self, int timeout_ms)
{
	struct pollfd poll_eventfd = { .fd = self->eventfd, .events = POLLIN };
	uint64_t count;

	if (self->device->ops->interrupt(self->device))
		return false;
	if (poll(&poll_eventfd, 1, timeout_ms) != 1)
		return false;
	return read(self->eventfd, &count, sizeof(count)) == sizeof(count) &&
	       count == 1;
}

TEST_F(interrupt, passes_the_window)
{
	EXPECT_TRUE(arrives(self, VN_TIMEOUT_MS));
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	EXPECT_TRUE(arrives(self, VN_TIMEOUT_MS));
}

TEST_F(interrupt, does_not_pass_without_the_window)
{
	struct vfio_nested_info *info = &self->guest.info;
	struct vfio_nested_fault fault;
	uint64_t at;

	if (!info->msi_size)
		SKIP(return, "interrupts do not pass stage 1 here");
	for (at = info->msi_start; at < info->msi_start + info->msi_size;
	     at += vn_s1_size(&self->guest.s1, VN_S1_LAST_LEVEL))
		vn_s1_unmap(&self->guest.s1, at);
	ASSERT_OK(vn_guest_translate(&self->guest, STREAM));
	EXPECT_FALSE(arrives(self, 100));
	ASSERT_EQ(1, vn_ring_wait(&self->guest.ring, &fault, VN_TIMEOUT_MS));
	EXPECT_LE(info->msi_start, fault.address);
	EXPECT_GT(info->msi_start + info->msi_size, fault.address);
}

TEST_MAIN_WITH_DEVICES(wants)
