// SPDX-License-Identifier: GPL-2.0
/*
 * Two devices of one virtual machine share what they should; two virtual machines
 * share nothing, though their guests use the same StreamIDs, ASIDs and addresses.
 */
#include <signal.h>

#include "test.h"

static const struct vn_want wants[] = {
	{ .caps = VN_ENGINE_FAST },
	{},
	{ .vm = 1, .caps = VN_ENGINE_FAST },
};

#define STREAM2		(STREAM + 1)
#define HOLE		0x03000000ULL

static bool certain(const struct vn_device *device)
{
	return device->engine.caps & VN_ENGINE_EMULATED;
}

static void remap(struct __test_metadata *_metadata, struct vn_guest *guest,
		  uint64_t ipa)
{
	ASSERT_OK(vn_s1_map_at(&guest->s1, IOVA(0), ipa, VN_PROT_RW,
			       VN_S1_LAST_LEVEL));
}

/* One virtual machine */
FIXTURE(devices) {
	struct vn_device *first;
	struct vn_device *second;
	struct vn_guest guest;
	uint64_t old;
	uint64_t new;
};

FIXTURE_SETUP(devices)
{
	self->first = NEED_DEVICE(0);
	self->second = NEED_DEVICE(1);
	unbind_all();
	start_guest(_metadata, &self->guest, self->first, 0);
	ASSERT_OK(vn_guest_bind(&self->guest, self->second, STREAM2));
	self->old = map_page(_metadata, &self->guest, IOVA(0), VN_PROT_RW);
	self->new = vn_guest_page(&self->guest);
}

FIXTURE_TEARDOWN(devices)
{
	unbind_all();
	vn_guest_close(&self->guest);
}

TEST_F(devices, share_a_table)
{
	struct vn_guest *guest = &self->guest;

	ASSERT_OK(vn_guest_translate(guest, STREAM));
	ASSERT_OK(vn_guest_translate(guest, STREAM2));
	EXPECT_LANDS(self->first, IOVA(0), self->old);
	EXPECT_LANDS(self->second, IOVA(0), self->old);

	/* One invalidation is for both. */
	remap(_metadata, guest, self->new);
	ASSERT_OK(vn_guest_forget_page(guest, IOVA(0)));
	EXPECT_LANDS(self->first, IOVA(0), self->new);
	EXPECT_LANDS(self->second, IOVA(0), self->new);
	EXPECT_TRUE(vn_intact(guest->vm, self->old));
}

TEST_F(devices, have_contexts_of_their_own)
{
	struct vn_guest *guest = &self->guest;
	struct vn_stage1 first = guest->s1;
	uint64_t page;

	ASSERT_OK(vn_guest_translate(guest, STREAM));
	/* The second one is still on stage 2 alone. */
	EXPECT_LANDS(self->second, self->old, self->old);

	ASSERT_OK(vn_guest_stage1(guest, first.granule, VA_BITS, ASID + 1));
	page = map_page(_metadata, guest, IOVA(0), VN_PROT_RW);
	ASSERT_OK(vn_guest_translate(guest, STREAM2));
	EXPECT_LANDS(self->first, IOVA(0), self->old);
	EXPECT_LANDS(self->second, IOVA(0), page);

	ASSERT_OK(vn_nested_set_context(guest->fd, STREAM2,
					VFIO_NESTED_CONTEXT_ABORT));
	EXPECT_REFUSED(self->second, IOVA(0));
	EXPECT_LANDS(self->first, IOVA(0), self->old);
	EXPECT_TRUE(vn_intact(guest->vm, page));
}

TEST_F(devices, one_leaves)
{
	struct vn_guest *guest = &self->guest;
	struct vfio_nested_stats stats;

	ASSERT_OK(vn_guest_translate(guest, STREAM));
	ASSERT_OK(vn_guest_translate(guest, STREAM2));
	ASSERT_OK(vn_nested_unbind(self->first->fd));
	EXPECT_LANDS(self->first, self->old, self->old);
	EXPECT_LANDS(self->second, IOVA(0), self->old);
	if (guest->arch == &vn_arch_smmuv3)
		EXPECT_EQ(-ENOENT, vn_nested_command(guest->fd,
						     vn_cmd_cfgi_cd_all(STREAM)));
	EXPECT_OK(vn_guest_command(guest, guest->arch->reread_all(STREAM2)));
	ASSERT_OK(vn_nested_stats(guest->fd, &stats));
	EXPECT_EQ(1, stats.bindings);

	/* It comes back under the other's id only when that one has left. */
	EXPECT_EQ(-EEXIST, vn_nested_bind(self->first->fd, guest->fd, STREAM2));
	ASSERT_OK(vn_nested_unbind(self->second->fd));
	ASSERT_OK(vn_nested_bind(self->first->fd, guest->fd, STREAM2));
	ASSERT_OK(vn_guest_translate(guest, STREAM2));
	EXPECT_LANDS(self->first, IOVA(0), self->old);
	EXPECT_LANDS(self->second, self->old, self->old);
}

TEST_F(devices, events_name_the_device)
{
	struct vn_guest *guest = &self->guest;
	struct vfio_nested_fault fault;

	NEED_CAP(self->first, EVENTS);
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	ASSERT_OK(vn_guest_translate(guest, STREAM2));
	vn_dma_write(self->second, HOLE);
	ASSERT_EQ(1, vn_ring_wait(&guest->ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(STREAM2, fault.virtual_id);
	EXPECT_EQ(STREAM2, vn_event_stream(&fault));
	vn_ring_drain(&guest->ring, 50);
	vn_dma_write(self->first, HOLE);
	ASSERT_EQ(1, vn_ring_wait(&guest->ring, &fault, VN_TIMEOUT_MS));
	EXPECT_EQ(STREAM, fault.virtual_id);
	EXPECT_EQ(STREAM, vn_event_stream(&fault));
}

/* A descriptor that both use: CFGI_CD is for one of them. */
TEST_F(devices, cfgi_cd_names_the_device)
{
	struct vn_guest *guest = &self->guest;
	uint64_t words[VN_CD_WORDS], cd = guest->cd;

	NEED_SMMUV3(self->first, "its descriptors are cached for each device");
	if (!certain(self->first) || !certain(self->second))
		SKIP(return, "hardware may forget more than it must");
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	ASSERT_OK(vn_guest_translate(guest, STREAM2));
	EXPECT_LANDS(self->first, IOVA(0), self->old);
	EXPECT_LANDS(self->second, IOVA(0), self->old);

	ASSERT_OK(vn_guest_stage1(guest, guest->s1.granule, VA_BITS, ASID + 1));
	remap(_metadata, guest, self->new);
	vn_cd_fill(words, &guest->s1, &guest->smmu, ASID + 1);
	vn_cd_write(vn_vm_va(guest->vm, cd), words);
	ASSERT_OK(vn_nested_command(guest->fd, vn_cmd_cfgi_cd(STREAM, 0)));
	EXPECT_LANDS(self->first, IOVA(0), self->new);
	EXPECT_LANDS(self->second, IOVA(0), self->old);
	ASSERT_OK(vn_nested_command(guest->fd, vn_cmd_cfgi_cd(STREAM2, 0)));
	EXPECT_LANDS(self->second, IOVA(0), self->new);
}

/* Two virtual machines with the same StreamID, ASID and addresses */
FIXTURE(machines) {
	struct vn_device *device[2];
	struct vn_guest guest[2];
	uint64_t old[2];
	uint64_t new[2];
};

FIXTURE_SETUP(machines)
{
	unsigned int i;

	self->device[0] = NEED_DEVICE(0);
	self->device[1] = NEED_DEVICE(2);
	unbind_all();
	for (i = 0; i < 2; i++) {
		start_guest(_metadata, &self->guest[i], self->device[i], 0);
		self->old[i] = map_page(_metadata, &self->guest[i], IOVA(0),
					VN_PROT_RW);
		self->new[i] = vn_guest_page(&self->guest[i]);
		ASSERT_OK(vn_guest_translate(&self->guest[i], STREAM));
	}
	/* The same numbers all over: only the host tells them apart. */
	ASSERT_EQ(self->old[0], self->old[1]);
	ASSERT_EQ(self->guest[0].cd, self->guest[1].cd);
	ASSERT_NE(self->guest[0].vm->ram, self->guest[1].vm->ram);
}

FIXTURE_TEARDOWN(machines)
{
	unbind_all();
	vn_guest_close(&self->guest[0]);
	vn_guest_close(&self->guest[1]);
}

TEST_F(machines, reach_their_own_memory)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		EXPECT_LANDS(self->device[i], IOVA(0), self->old[i]);
		EXPECT_TRUE(vn_intact(self->guest[!i].vm, self->old[!i]));
		EXPECT_TRUE(vn_intact(self->guest[!i].vm, self->new[!i]));
	}
}

/* What one invalidates, the other still has in the cache. Both ways. */
TEST_F(machines, invalidate_their_own_translations)
{
	const struct vn_arch *arch = self->guest[0].arch;
	const struct vn_command commands[] = {
		arch->of_page(0, ASID, IOVA(0)), arch->of_space(0, ASID),
		arch->all(),
	};
	unsigned int i, k;

	if (!certain(self->device[0]) && !certain(self->device[1]))
		SKIP(return, "hardware may forget more than it must");
	for (i = 0; i < 2; i++) {
		struct vn_guest *victim = &self->guest[i];

		if (!certain(self->device[i]))
			continue;
		EXPECT_LANDS(self->device[i], IOVA(0), self->old[i]);
		remap(_metadata, victim, self->new[i]);
		for (k = 0; k < VN_ARRAY_SIZE(commands); k++) {
			ASSERT_OK(vn_guest_command(&self->guest[!i], commands[k]));
			EXPECT_LANDS(self->device[i], IOVA(0), self->old[i]);
		}
		/* Its own does it. */
		ASSERT_OK(vn_guest_forget_page(victim, IOVA(0)));
		EXPECT_LANDS(self->device[i], IOVA(0), self->new[i]);
	}
}

/* Each has one device of this number: CFGI_CD finds one's own. */
TEST_F(machines, invalidate_their_own_descriptors)
{
	struct vn_guest *victim = &self->guest[0];
	uint64_t words[VN_CD_WORDS], cd = victim->cd;

	NEED_SMMUV3(self->device[0], "its descriptors are cached");
	if (!certain(self->device[0]))
		SKIP(return, "hardware may forget more than it must");
	EXPECT_LANDS(self->device[0], IOVA(0), self->old[0]);
	ASSERT_OK(vn_guest_stage1(victim, victim->s1.granule, VA_BITS, ASID + 1));
	remap(_metadata, victim, self->new[0]);
	vn_cd_fill(words, &victim->s1, &victim->smmu, ASID + 1);
	vn_cd_write(vn_vm_va(victim->vm, cd), words);

	ASSERT_OK(vn_nested_command(self->guest[1].fd,
				    vn_cmd_cfgi_cd_all(STREAM)));
	EXPECT_LANDS(self->device[0], IOVA(0), self->old[0]);
	ASSERT_OK(vn_nested_command(victim->fd, vn_cmd_cfgi_cd_all(STREAM)));
	EXPECT_LANDS(self->device[0], IOVA(0), self->new[0]);
}

TEST_F(machines, get_their_own_events)
{
	struct vfio_nested_stats stats;
	struct vfio_nested_fault fault;
	unsigned int i;

	NEED_CAP(self->device[0], EVENTS);
	for (i = 0; i < 2; i++) {
		vn_dma_write(self->device[i], HOLE + i * VN_PAGE);
		ASSERT_EQ(1, vn_ring_wait(&self->guest[i].ring, &fault,
					  VN_TIMEOUT_MS));
		EXPECT_EQ(HOLE + i * VN_PAGE, fault.address & ~0xfffULL);
		EXPECT_EQ(STREAM, fault.virtual_id);
		vn_ring_drain(&self->guest[i].ring, 20);
		if (!i) {
			ASSERT_OK(vn_nested_stats(self->guest[1].fd, &stats));
			EXPECT_EQ(0, stats.events);
		}
	}
	EXPECT_EQ(0, vn_ring_pending(&self->guest[0].ring));
}

/* One machine cannot reach the other's memory by any IPA either. */
TEST_F(machines, do_not_see_each_others_stage2)
{
	void *secret;

	secret = mmap(NULL, VN_PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, secret);
	memset(secret, 0x5a, VN_PAGE);
	/* Something that only the second one has, at an address of its own */
	ASSERT_OK(vn_vm_map(self->guest[1].vm, VN_RAM_IPA + VN_RAM_SIZE, secret,
			    VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_guest_name(&self->guest[1], VN_RAM_IPA + VN_RAM_SIZE, secret,
				VN_PAGE));
	remap(_metadata, &self->guest[0], VN_RAM_IPA + VN_RAM_SIZE);
	EXPECT_REFUSED(self->device[0], IOVA(0));
	EXPECT_EQ(0x5a, *(uint8_t *)secret);
	ASSERT_OK(vn_s1_map_at(&self->guest[1].s1, IOVA(0),
			       VN_RAM_IPA + VN_RAM_SIZE, VN_PROT_RW,
			       VN_S1_LAST_LEVEL));
	EXPECT_NE(VN_DMA_FAULT, vn_dma_write(self->device[1], IOVA(0)));
	EXPECT_TRUE(self->device[1]->ops->wrote(self->device[1], secret));
	EXPECT_OK(vn_vm_unmap(self->guest[1].vm, VN_RAM_IPA + VN_RAM_SIZE,
			      VN_PAGE));
}

TEST_F(machines, one_goes_the_other_stays)
{
	unsigned int i;

	EXPECT_LANDS(self->device[1], IOVA(0), self->old[1]);
	for (i = 0; i < 10; i++) {
		ASSERT_OK(vn_nested_unbind(self->device[0]->fd));
		EXPECT_LANDS(self->device[1], IOVA(0), self->old[1]);
		ASSERT_OK(vn_nested_bind(self->device[0]->fd, self->guest[0].fd,
					 STREAM));
		ASSERT_OK(vn_guest_translate(&self->guest[0], STREAM));
		EXPECT_LANDS(self->device[0], IOVA(0), self->old[0]);
		EXPECT_LANDS(self->device[1], IOVA(0), self->old[1]);
	}
}

/*
 * A virtual machine that goes takes its translations with it: the next one may
 * get the same tag (VMID) in the hardware.
 */
TEST_F(machines, next_one_finds_nothing_in_the_caches)
{
	struct vn_guest *guest = &self->guest[0];
	struct vn_device *device = self->device[0];
	unsigned int i;

	for (i = 0; i < 20; i++) {
		EXPECT_LANDS(device, IOVA(0), self->old[0]);
		ASSERT_OK(vn_nested_unbind(device->fd));
		vn_guest_close(guest);
		/* The same numbers, another page, no invalidation */
		start_guest(_metadata, guest, device, 0);
		vn_guest_page(guest);
		self->old[0] = map_page(_metadata, guest, IOVA(0), VN_PROT_RW);
		ASSERT_OK(vn_guest_translate(guest, STREAM));
		EXPECT_LANDS(device, IOVA(0), self->old[0]);
	}
}

/* More commands than can be done in a moment, again and again until killed */
static void invalidate_for_ever(const struct vn_guest *guest)
{
	static struct vn_command list[1 << 20];
	uint32_t i, num;

	for (i = 0; i < VN_ARRAY_SIZE(list); i++)
		list[i] = guest->arch->of_page(0, ASID, IOVA(i % 64));
	do {
		num = VN_ARRAY_SIZE(list);
	} while (!vn_guest_commands(guest, list, &num));
	_exit(1);
}

/* A call that takes long blocks nobody, not even its own guest, and can be killed. */
TEST_F_TIMEOUT(machines, one_is_busy_for_long, SLOW)
{
	uint64_t start;
	unsigned int i;
	pid_t child;
	int status;

	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		invalidate_for_ever(&self->guest[0]);
	vn_sleep_ms(300);
	for (i = 0; i < 2; i++) {
		struct vn_guest *guest = &self->guest[i];

		ASSERT_OK(vn_guest_command(guest, guest->arch->barrier()));
		ASSERT_OK(vn_guest_translate(guest, STREAM));
		EXPECT_LANDS(self->device[i], IOVA(0), self->old[i]);
	}
	ASSERT_OK(vn_nested_unbind(self->device[1]->fd));
	ASSERT_OK(vn_nested_bind(self->device[1]->fd, self->guest[1].fd, STREAM));
	EXPECT_EQ(0, waitpid(child, &status, WNOHANG));

	start = vn_now_ms();
	kill_vmm(_metadata, child);
	EXPECT_GT(VN_TIMEOUT_MS, vn_now_ms() - start);
	EXPECT_LANDS(self->device[0], IOVA(0), self->old[0]);
}

TEST_MAIN_WITH_DEVICES(wants)
