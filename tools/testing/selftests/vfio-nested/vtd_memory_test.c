// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory on VT-d: what VFIO has mapped, made known to a virtual IOMMU, and taken
 * away again by VFIO, by the VMM, or by its death. Most of it is for type1, where the
 * IOMMU's second stage for nested translation has to follow VFIO's.
 */
#include "vtd-test.h"

static const struct vn_want wants[] = {
	{ .engine = VN_TESTDEV },
};

/* --- Guest memory ---------------------------------------------------------------- */

static void *extra_memory(struct __test_metadata *_metadata, size_t size)
{
	const size_t huge = 0x200000;
	void *va = mmap(NULL, size + huge, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, va);
	return (void *)vn_align((uintptr_t)va, huge);
}

TEST_F(vtd, memory_is_named_once)
{
	struct vn_guest *guest = &self->guest;
	struct vn_vm *vm = guest->vm;
	const uint32_t name = VFIO_NESTED_MEMORY_NAME;
	const uint32_t forget = VFIO_NESTED_MEMORY_FORGET;

	EXPECT_EQ(-EEXIST, name_ram(guest));
	EXPECT_EQ(-EEXIST, vn_nested_memory(guest->fd, name, VN_RAM_IPA, 4096, vm->ram));
	EXPECT_EQ(-ENOENT, vn_nested_memory(guest->fd, forget, VN_RAM_IPA, 4096, NULL));
	EXPECT_EQ(-EINVAL, vn_nested_memory(guest->fd, name, 1, 4096, vm->ram));
	EXPECT_EQ(-EINVAL, vn_nested_memory(guest->fd, name, 0, 0, vm->ram));
	EXPECT_EQ(-EINVAL, vn_nested_memory(guest->fd, name, 0, 4095, vm->ram));
	EXPECT_EQ(-EINVAL, vn_nested_memory(guest->fd, name, 0, -4096ULL, vm->ram));
	EXPECT_EQ(-EINVAL,
		  vn_nested_memory(guest->fd, name, 0, 4096, vm->ram + 1));
	EXPECT_EQ(-EINVAL, vn_nested_memory(guest->fd, name, -8192ULL, 16384, vm->ram));
	EXPECT_EQ(-EOPNOTSUPP, vn_nested_memory(guest->fd, 2, 0, 4096, NULL));
	EXPECT_OK(vn_nested_memory(guest->fd, forget, VN_RAM_IPA, vm->ram_size, NULL));
	EXPECT_EQ(-ENOENT, vn_nested_memory(guest->fd, forget, VN_RAM_IPA,
					    vm->ram_size, NULL));
	EXPECT_OK(name_ram(guest));
}

/* Where VFIO unmaps memory the device loses it, and gets it back when it is named. */
TEST_F(vtd, unmapped_memory_is_out_of_reach)
{
	const uint64_t ipa = VN_RAM_IPA + 0x10000000, size = 0x200000;
	struct vn_guest *guest = &self->guest;
	unsigned int round;
	void *va;

	va = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		  -1, 0);
	ASSERT_NE(MAP_FAILED, va);
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), ipa + 0x5000, VN_PAGE, VN_PROT_RW));
	for (round = 0; round < 3; round++) {
		ASSERT_OK(vn_vm_map(guest->vm, ipa, va, size, VN_PROT_RW));
		ASSERT_OK(vn_nested_memory(guest->fd, VFIO_NESTED_MEMORY_NAME,
					   ipa, size, va));
		EXPECT_EQ(VN_CHANNEL_OK,
			  write_word(_metadata, self->device, VN_NO_PASID,
				     IOVA(0), round).state);
		EXPECT_EQ(round, vn_read_once((uint32_t *)(va + 0x5000)));
		ASSERT_OK(vn_vm_unmap(guest->vm, ipa, size));
		EXPECT_ABORTS(VN_NO_PASID, IOVA(0));
		/* type1 has told; with iommufd the name is still there. */
		EXPECT_EQ(is_type1(self) ? -ENOENT : 0, forget(guest, ipa, size));
	}
	munmap(va, size);
}

/* Only type1 has to have it mapped; elsewhere it is of no use to the device. */
TEST_F(vtd, memory_that_vfio_has_not_mapped)
{
	struct vn_guest *guest = &self->guest;
	void *va = guest->vm->ram;
	uint64_t a = new_page(_metadata, guest);

	NEED_TYPE1();
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), EXTRA_IPA, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(1), a, VN_PAGE, VN_PROT_RW));
	EXPECT_EQ(-EINVAL, name(guest, EXTRA_IPA, 4096, va));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(0));
	EXPECT_REACHES(VN_NO_PASID, IOVA(1), a);
	/* What is beside it, or the hole around it, has nothing to fear. */
	EXPECT_EQ(-EINVAL, name(guest, VN_RAM_IPA - 4096, 4096, va));
	EXPECT_REACHES(VN_NO_PASID, IOVA(1), a);
	EXPECT_EQ(-EINVAL, name(guest, 0, 4096, va));
	EXPECT_REACHES(VN_NO_PASID, IOVA(1), a);
}

struct load {
	struct vn_guest *guest;
	void *va;
	uint64_t ipa;
	uint64_t size;
	bool stop;
	unsigned int rounds;
	int error;
	/* A write arrived when the memory was unmapped already. */
	bool late;
};

static void *unmap_load(void *data)
{
	struct load *load = data;
	uint32_t word;
	uint64_t i;

	while (!vn_read_once(&load->stop) && !load->error) {
		load->error = vn_vm_map(load->guest->vm, load->ipa, load->va,
					load->size, VN_PROT_RW);
		if (!load->error)
			load->error = vn_nested_memory(load->guest->fd,
						       VFIO_NESTED_MEMORY_NAME,
						       load->ipa, load->size, load->va);
		if (!load->error)
			load->error = vn_vm_unmap(load->guest->vm, load->ipa,
						  load->size);
		forget(load->guest, load->ipa, load->size);
		load->rounds++;
		/* Nothing comes any more. */
		memset(load->va, POISON, load->size);
		vn_sleep_ms(3);
		for (i = 0; i < load->size && !load->late; i += sizeof(word))
			load->late = vn_read_once((uint32_t *)(load->va + i)) !=
				     poison_word;
	}
	return NULL;
}

/* Memory comes and goes under DMA, invalidations and changes of the tables. */
TEST_F(vtd, memory_goes_under_load)
{
	struct vn_guest *guest = &self->guest;
	struct load load = {
		.guest = guest,
		.ipa = VN_RAM_IPA + 0x10000000,
		.size = 0x400000,
	};
	const struct vn_access flood = {
		.op = VN_OP_WRITE, .flags = VN_ACCESS_FLOOD, .iova = IOVA(1),
		.length = 64, .buffer = BUFFER,
	};
	uint64_t a = new_page(_metadata, guest);
	uint64_t end = vn_now_ms() + 3000;
	pthread_t thread;

	load.va = mmap(NULL, load.size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, load.va);
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(1), load.ipa + 0x1000, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_testdev_start(self->device, 2, &flood));
	ASSERT_EQ(0, pthread_create(&thread, NULL, unmap_load, &load));
	while (vn_now_ms() < end) {
		EXPECT_OK(COMMAND(vn_qi_piotlb_all(DID, 0)));
		EXPECT_OK(COMMAND(vn_qi_pasid_cache_all()));
		EXPECT_OK(vn_vtd_translate(guest, STREAM));
		EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	}
	vn_write_once(&load.stop, true);
	pthread_join(thread, NULL);
	vn_testdev_stop(self->device, 2);
	EXPECT_EQ(0, load.error);
	EXPECT_NE(0, load.rounds);
	EXPECT_FALSE(load.late);
	munmap(load.va, load.size);
}

TEST_F(vtd, a_name_that_is_refused_leaves_nothing)
{
	const uint64_t ipa = EXTRA_IPA, half = 0x80000;
	struct vn_guest *guest = &self->guest;
	void *va = extra_memory(_metadata, 2 * half);

	NEED_TYPE1();
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), ipa, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_vm_map(guest->vm, ipa, va, half, VN_PROT_RW));
	EXPECT_EQ(-EINVAL, name(guest, ipa, 2 * half, va));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(0));
	EXPECT_EQ(-ENOENT, forget(guest, ipa, 2 * half));
	EXPECT_OK(name(guest, ipa, half, va));
	EXPECT_EQ(VN_CHANNEL_OK, write_word(_metadata, self->device, VN_NO_PASID,
					    IOVA(0), 7).state);
	ASSERT_OK(vn_vm_unmap(guest->vm, ipa, half));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(0));
	EXPECT_EQ(-ENOENT, forget(guest, ipa, half));
}

/* VFIO lets go of two mappings at once: the names of parts of both are gone. */
TEST_F(vtd, names_end_with_the_mappings)
{
	const uint64_t ipa = EXTRA_IPA, size = 0x40000;
	struct vn_guest *guest = &self->guest;
	void *va = extra_memory(_metadata, 2 * size);
	unsigned int i;

	NEED_TYPE1();
	for (i = 0; i < 2; i++)
		ASSERT_OK(vn_vm_map(guest->vm, ipa + i * size, va + i * size,
				    size, VN_PROT_RW));
	/* One across the boundary, and one that stays clear of it */
	ASSERT_OK(name(guest, ipa + size - 0x1000, 0x2000, va + size - 0x1000));
	ASSERT_OK(name(guest, ipa + 0x3000, 0x1000, va + 0x3000));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), ipa + size, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(1), ipa + 0x3000, VN_PAGE, VN_PROT_RW));
	EXPECT_EQ(VN_CHANNEL_OK, write_word(_metadata, self->device, VN_NO_PASID,
					    IOVA(0), 1).state);
	ASSERT_OK(vn_vm_unmap(guest->vm, ipa + size, size));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(0));
	EXPECT_EQ(VN_CHANNEL_OK, write_word(_metadata, self->device, VN_NO_PASID,
					    IOVA(1), 1).state);
	EXPECT_EQ(-ENOENT, forget(guest, ipa + size - 0x1000, 0x2000));
	ASSERT_OK(vn_vm_unmap(guest->vm, ipa, size));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(1));
	EXPECT_EQ(-ENOENT, forget(guest, ipa + 0x3000, 0x1000));
}

/* Kilobytes that /proc/self/status, or /proc/meminfo, gives for @what */
static long kilobytes(const char *path, const char *what)
{
	size_t len = strlen(what);
	char line[256];
	long value = -1;
	FILE *file = fopen(path, "r");

	if (!file)
		return -1;
	while (value < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, what, len) && line[len] == ':')
			value = atol(line + len + 1);
	fclose(file);
	return value;
}

/* VFIO has charged the caller for it: names cost nothing of that limit. */
TEST_F(vtd, memory_is_charged_once)
{
	const uint64_t ipa = EXTRA_IPA, size = 0x100000;
	struct vn_guest *guest = &self->guest;
	void *va = extra_memory(_metadata, size);
	long before, mapped;

	NEED_TYPE1();
	before = kilobytes("/proc/self/status", "VmLck");
	ASSERT_LE(0, before);
	ASSERT_OK(vn_vm_map(guest->vm, ipa, va, size, VN_PROT_RW));
	mapped = kilobytes("/proc/self/status", "VmLck");
	EXPECT_EQ(size / 1024, mapped - before);
	ASSERT_OK(name(guest, ipa, size, va));
	EXPECT_EQ(mapped, kilobytes("/proc/self/status", "VmLck"));
	ASSERT_OK(forget(guest, ipa, size));
	EXPECT_EQ(mapped, kilobytes("/proc/self/status", "VmLck"));
	ASSERT_OK(vn_vm_unmap(guest->vm, ipa, size));
	EXPECT_EQ(before, kilobytes("/proc/self/status", "VmLck"));
}

/* Shows what names cost; VFIO_NESTED_MIB is how much memory to name. */
TEST_F(vtd, a_large_range)
{
	const char *text = getenv("VFIO_NESTED_MIB");
	const uint64_t size = (text ? strtoul(text, NULL, 0) : 16) << 20;
	const uint64_t ipa = EXTRA_IPA;
	struct vn_guest *guest = &self->guest;
	void *va = mmap(NULL, size + 0x200000, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t start, mapped, named, unmapped;
	long slab, tables;

	ASSERT_NE(MAP_FAILED, va);
	va = (void *)vn_align((uintptr_t)va, 0x200000);
	madvise(va, size, MADV_HUGEPAGE);
	memset(va, 0, size);

	start = vn_now_ms();
	ASSERT_OK(vn_vm_map(guest->vm, ipa, va, size, VN_PROT_RW));
	mapped = vn_now_ms();
	slab = kilobytes("/proc/meminfo", "SUnreclaim");
	tables = kilobytes("/proc/meminfo", "SecPageTables");
	ASSERT_OK(name(guest, ipa, size, va));
	named = vn_now_ms();
	slab = kilobytes("/proc/meminfo", "SUnreclaim") - slab;
	tables = kilobytes("/proc/meminfo", "SecPageTables") - tables;

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), ipa, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(1), ipa + size - 0x1000, VN_PAGE, VN_PROT_RW));
	EXPECT_EQ(VN_CHANNEL_OK, write_word(_metadata, self->device, VN_NO_PASID,
					    IOVA(0), 11).state);
	EXPECT_EQ(VN_CHANNEL_OK, write_word(_metadata, self->device, VN_NO_PASID,
					    IOVA(1), 12).state);
	EXPECT_EQ(11, vn_read_once((uint32_t *)va));
	EXPECT_EQ(12, vn_read_once((uint32_t *)(va + size - 0x1000)));

	unmapped = vn_now_ms();
	ASSERT_OK(vn_vm_unmap(guest->vm, ipa, size));
	unmapped = vn_now_ms() - unmapped;
	EXPECT_ABORTS(VN_NO_PASID, IOVA(0));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(1));
	ksft_print_msg("%llu MiB: VFIO maps them in %llu ms and unmaps them in %llu ms\n",
		       (unsigned long long)size >> 20,
		       (unsigned long long)(mapped - start),
		       (unsigned long long)unmapped);
	ksft_print_msg("to name them: %llu ms, %ld KiB of slabs, %ld KiB of page tables\n",
		       (unsigned long long)(named - mapped), slab, tables);
}

struct unmapper {
	struct vn_guest *guest;
	uint64_t ipa;
	void *va;
	uint64_t end;
	unsigned int rounds;
	int error;
};

/* More than is unpinned at once */
#define UNMAPPED	0x201000ULL

static void *unmapper(void *data)
{
	struct unmapper *job = data;
	const uint64_t size = UNMAPPED;
	struct vn_vm *vm = job->guest->vm;
	int ret;

	while (vn_now_ms() < job->end && !job->error) {
		job->error = vn_vm_map(vm, job->ipa, job->va, size, VN_PROT_RW);
		if (job->error)
			break;
		job->error = name(job->guest, job->ipa, size, job->va);
		ret = vn_vm_unmap(vm, job->ipa, size);
		job->error = job->error ?: ret;
		job->rounds++;
	}
	return NULL;
}

/*
 * VFIO tells of two mappings that go at once: whoever unpins one of them needs a lock that
 * who waits to be told of the other holds.
 */
TEST_F(vtd, two_unmap_at_once)
{
	enum { THREADS = 3 };
	void *va = extra_memory(_metadata, THREADS * 2 * UNMAPPED);
	struct unmapper jobs[THREADS] = {};
	pthread_t threads[THREADS];
	unsigned int i;

	NEED_TYPE1();
	for (i = 0; i < THREADS; i++) {
		jobs[i].guest = &self->guest;
		jobs[i].ipa = EXTRA_IPA + 2 * i * UNMAPPED;
		jobs[i].va = va + 2 * i * UNMAPPED;
		jobs[i].end = vn_now_ms() + 2000;
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, unmapper, &jobs[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, jobs[i].error);
		EXPECT_LT(0, jobs[i].rounds);
		ksft_print_msg("thread %u: %u rounds\n", i, jobs[i].rounds);
	}
}

static void *unmap_once(void *data)
{
	struct unmapper *job = data;

	job->error = vn_vm_unmap(job->guest->vm, job->ipa, job->end);
	return NULL;
}

/*
 * Each time that something has been unpinned one of the threads comes in between, and VFIO
 * calls no driver more than ten times. VFIO_NESTED_MIB is how much each unmaps.
 */
TEST_F(vtd, many_unmap_much_at_once)
{
	enum { THREADS = 6 };
	const char *text = getenv("VFIO_NESTED_MIB");
	const uint64_t size = (text ? strtoul(text, NULL, 0) : 16) << 20;
	void *va = extra_memory(_metadata, THREADS * size);
	struct unmapper jobs[THREADS] = {};
	pthread_t threads[THREADS];
	uint64_t start;
	unsigned int i;

	NEED_TYPE1();
	for (i = 0; i < THREADS; i++) {
		jobs[i].guest = &self->guest;
		jobs[i].ipa = EXTRA_IPA + i * size;
		jobs[i].va = va + i * size;
		jobs[i].end = size;
		ASSERT_OK(vn_vm_map(self->guest.vm, jobs[i].ipa, jobs[i].va, size,
				    VN_PROT_RW));
		ASSERT_OK(name(&self->guest, jobs[i].ipa, size, jobs[i].va));
	}
	start = vn_now_ms();
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, unmap_once, &jobs[i]));
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, jobs[i].error);
	}
	ksft_print_msg("%llu MiB each: %llu ms\n", (unsigned long long)size >> 20,
		       (unsigned long long)(vn_now_ms() - start));
}

static void translate_for_ever(void *data)
{
	FIXTURE_DATA(vtd) *self = data;

	for (;;)
		vn_vtd_translate(&self->guest, STREAM);
}

/* Who has named the memory, and has the nested fd, is killed; others have the device. */
TEST_F(vtd, the_owner_is_killed)
{
	struct vn_guest *guest = &self->guest, heir;
	uint64_t a = new_page(_metadata, guest);

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	vn_nested_unbind(self->device->fd);
	vn_guest_close(guest);
	kill_vmm(_metadata, start_vmm(_metadata, take_over, translate_for_ever, self));

	EXPECT_OK(vn_nested_unbind(self->device->fd));
	EXPECT_REACHES(VN_NO_PASID, a, a);
	heir = *guest;
	heir.fd = vn_nested_open();
	ASSERT_LE(0, heir.fd);
	ASSERT_OK(vn_guest_bind(&heir, self->device, STREAM));
	ASSERT_OK(vn_vtd_translate(&heir, STREAM));
	EXPECT_ABORTS(VN_NO_PASID, a);
	EXPECT_OK(vn_nested_unbind(self->device->fd));
	close(heir.fd);
}

TEST_MAIN_WITH_DEVICES(wants)
