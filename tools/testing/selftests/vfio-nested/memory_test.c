// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory on VT-d, against whoever uses it badly: names that are refused take nothing
 * away, pages that VFIO has not charged for are not to be had, threads name what others
 * unmap, owners die while they name, other processes use the nested fd, and the memory in
 * which the guest's tables are comes and goes.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "vtd-test.h"

static const struct vn_want wants[] = {
	/* 1024 tables have 4 MiB. */
	{ .engine = VN_TESTDEV, .ram_size = 2 * VN_RAM_SIZE }, { .engine = VN_TESTDEV },
};

#define PAGE		((uint64_t)VN_PAGE)

static void *new_memory(struct __test_metadata *_metadata, size_t size, int flags)
{
	void *va = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_ANONYMOUS | flags, -1, 0);

	ASSERT_NE(MAP_FAILED, va);
	memset(va, POISON, size);
	return va;
}

/* Kilobytes of locked memory that this process is charged for */
static long locked(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	long value = -1;

	while (file && value < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, "VmLck:", 6))
			value = atol(line + 6);
	if (file)
		fclose(file);
	return value;
}

/* --- Names that are refused ------------------------------------------------------- */

/*
 * Where nothing is mapped, an IOMMU driver may find a hole that is as large as the table
 * that is not there, up to all of the address space; what else is in it stays.
 */
TEST_F(vtd, names_that_are_refused_take_nothing_away)
{
	struct vn_guest *guest = &self->guest;
	struct vn_vm *vm = guest->vm;
	uint64_t a = new_page(_metadata, guest);
	unsigned int bits;

	NEED_TYPE1();
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_EQ(-EINVAL, name(guest, VN_RAM_IPA - PAGE, PAGE, vm->ram));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_EQ(-EINVAL, name(guest, VN_RAM_IPA + vm->ram_size, PAGE, vm->ram));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_EQ(-EINVAL, name(guest, 0, PAGE, vm->ram));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);

	/* With nothing but the hole */
	ASSERT_OK(forget(guest, VN_RAM_IPA, vm->ram_size));
	for (bits = 30; bits < 47; bits++)
		EXPECT_EQ(-EINVAL, name(guest, 0, 1ULL << bits, NULL));
	for (bits = 30; bits < 57; bits++)
		EXPECT_EQ(-EINVAL, name(guest, (1ULL << bits) - PAGE, PAGE, vm->ram));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(0));
	ASSERT_OK(name_ram(guest));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	ASSERT_OK(vn_vtd_translate(guest, STREAM));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
}

TEST_F(vtd, what_is_mapped_for_reading_is_not_named)
{
	const uint64_t ipa = EXTRA_IPA, size = 8 * PAGE;
	struct vn_guest *guest = &self->guest;
	void *va = new_memory(_metadata, 2 * size, MAP_SHARED);
	uint64_t a = new_page(_metadata, guest);

	NEED_TYPE1();
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(1), ipa, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_vm_map(guest->vm, ipa, va, size, VN_PROT_RW));
	ASSERT_OK(vn_vm_map(guest->vm, ipa + size, va + size, size, VN_PROT_READ));
	EXPECT_EQ(-EPERM, name(guest, ipa + size, size, va + size));
	EXPECT_EQ(-EPERM, name(guest, ipa, 2 * size, va));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(1));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	ASSERT_OK(name(guest, ipa, size, va));
	EXPECT_EQ(VN_CHANNEL_OK, write_word(_metadata, self->device, VN_NO_PASID,
					    IOVA(1), 1).state);
	ASSERT_OK(vn_vm_unmap(guest->vm, ipa, size));
	ASSERT_OK(vn_vm_unmap(guest->vm, ipa + size, size));
	munmap(va, 2 * size);
}

/* VFIO pins what is at the address now; it has mapped, and charged for, what was there. */
TEST_F(vtd, pages_are_those_that_vfio_has_mapped)
{
	const uint64_t ipa = EXTRA_IPA, size = 16 * PAGE, hole = 9 * PAGE;
	struct vn_guest *guest = &self->guest;
	void *va = new_memory(_metadata, size, MAP_PRIVATE);
	uint64_t a = new_page(_metadata, guest);
	long before;

	NEED_TYPE1();
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(1), ipa + hole, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(2), ipa, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_vm_map(guest->vm, ipa, va, size, VN_PROT_RW));
	before = locked();
	ASSERT_LT(0, before);
	/* The old page stays pinned, so that another one takes its place. */
	ASSERT_EQ(0, madvise(va + hole, PAGE, MADV_DONTNEED));
	memset(va + hole, POISON, PAGE);

	EXPECT_EQ(-EINVAL, name(guest, ipa, size, va));
	EXPECT_EQ(-EINVAL, name(guest, ipa + hole, PAGE, va + hole));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(1));
	EXPECT_ABORTS(VN_NO_PASID, IOVA(2));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	ASSERT_OK(name(guest, ipa, hole, va));
	EXPECT_EQ(VN_CHANNEL_OK, write_word(_metadata, self->device, VN_NO_PASID,
					    IOVA(2), 5).state);
	EXPECT_EQ(5, vn_read_once((uint32_t *)va));
	EXPECT_EQ(before, locked());
	ASSERT_OK(vn_vm_unmap(guest->vm, ipa, size));
	EXPECT_GT(before, locked());
	munmap(va, size);
}

TEST_F(vtd, ranges_are_limited)
{
	/* The guest's own memory is one of them. */
	const unsigned int max = 1023;
	const uint64_t ipa = EXTRA_IPA, size = (max + 1) * PAGE;
	struct vn_guest *guest = &self->guest;
	void *va = new_memory(_metadata, size, MAP_SHARED);
	unsigned int i, failed = 0;

	ASSERT_OK(vn_vm_map(guest->vm, ipa, va, size, VN_PROT_RW));
	for (i = 0; i < max; i++)
		failed += !!name(guest, ipa + i * PAGE, PAGE, va + i * PAGE);
	EXPECT_EQ(0, failed);
	EXPECT_EQ(-ENOSPC, name(guest, ipa + max * PAGE, PAGE, va + max * PAGE));
	EXPECT_OK(forget(guest, ipa + 500 * PAGE, PAGE));
	EXPECT_OK(name(guest, ipa + max * PAGE, PAGE, va + max * PAGE));
	EXPECT_EQ(-ENOSPC, name(guest, ipa + 500 * PAGE, PAGE, va + 500 * PAGE));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), ipa + max * PAGE, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(1), ipa + 500 * PAGE, VN_PAGE, VN_PROT_RW));
	EXPECT_EQ(VN_CHANNEL_OK, write_word(_metadata, self->device, VN_NO_PASID,
					    IOVA(0), 1).state);
	if (is_type1(self))
		EXPECT_ABORTS(VN_NO_PASID, IOVA(1));
	/* With type1 that takes all of the names away. */
	ASSERT_OK(vn_vm_unmap(guest->vm, ipa, size));
	EXPECT_EQ(is_type1(self) ? -ENOENT : 0, forget(guest, ipa, PAGE));
	munmap(va, size);
}

/* --- Names against unmaps ----------------------------------------------------------- */

#define RACE_MS		4000
#define RACE_PAGES	32
#define RACE_SIZE	(RACE_PAGES * PAGE)

struct race {
	struct vn_guest *guest;
	struct vn_device *device;
	void *va;
	void *other;
	bool stop;
	int error;
};

/* The first error that the others do not explain */
static void note(struct race *race, int ret, int expected)
{
	if (ret && ret != -EINVAL && ret != expected && !race->error)
		vn_write_once(&race->error, ret);
}

static void *name_pages(void *data)
{
	struct race *race = data;
	unsigned int seed = (uintptr_t)&seed;

	while (!vn_read_once(&race->stop)) {
		unsigned int i = rand_r(&seed) % RACE_PAGES;

		note(race, name(race->guest, EXTRA_IPA + i * PAGE, PAGE,
				race->va + i * PAGE), -EEXIST);
		if (rand_r(&seed) % 4)
			continue;
		note(race, forget(race->guest, EXTRA_IPA + i * PAGE, PAGE),
		     -ENOENT);
	}
	return NULL;
}

/* Keeps VFIO's lock of the container busy. */
static void *map_others(void *data)
{
	const uint64_t ipa = EXTRA_IPA + 0x1000000;
	struct race *race = data;

	while (!vn_read_once(&race->stop)) {
		note(race, vn_vm_map(race->guest->vm, ipa, race->other, 64 * PAGE,
				     VN_PROT_RW), 0);
		note(race, vn_vm_unmap(race->guest->vm, ipa, 64 * PAGE), 0);
	}
	return NULL;
}

/* Maps and unmaps while threads run: one that keeps the lock, and @num of @run */
static void race_with_unmaps(struct __test_metadata *_metadata,
			     FIXTURE_DATA(vtd) *self, void *(*run)(void *),
			     unsigned int num)
{
	struct race race = {
		.guest = &self->guest,
		.device = self->device,
		.va = new_memory(_metadata, RACE_SIZE, MAP_SHARED),
		.other = new_memory(_metadata, 64 * PAGE, MAP_SHARED),
	};
	struct vn_vm *vm = self->guest.vm;
	uint64_t end = vn_now_ms() + RACE_MS;
	unsigned int i, rounds = 0;
	pthread_t threads[1 + num];

	for (i = 0; i <= num; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, i ? run : map_others,
					    &race));
	while (vn_now_ms() < end && !vn_read_once(&race.error)) {
		ASSERT_OK(vn_vm_map(vm, EXTRA_IPA, race.va, RACE_SIZE, VN_PROT_RW));
		sched_yield();
		ASSERT_OK(vn_vm_unmap(vm, EXTRA_IPA, RACE_SIZE));
		rounds++;
	}
	vn_write_once(&race.stop, true);
	for (i = 0; i <= num; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, race.error);
	EXPECT_LT(0, rounds);
	ksft_print_msg("%u unmaps against %u threads\n", rounds, num);
}

/*
 * VFIO unmaps a mapping as soon as nothing of it is pinned, and stops the kernel where it
 * has asked for that too often. The names must not come that fast.
 */
TEST_F(vtd, names_race_with_unmaps)
{
	struct vn_guest *guest = &self->guest;
	uint64_t a = new_page(_metadata, guest);

	NEED_TYPE1();
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(1), EXTRA_IPA, VN_PAGE, VN_PROT_RW));
	race_with_unmaps(_metadata, self, name_pages, 12);
	EXPECT_ABORTS(VN_NO_PASID, IOVA(1));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
}

/* What one does, the other may undo at once: any of it can fail. */
static void *rebind(void *data)
{
	struct race *race = data;
	struct vn_guest other = *race->guest;

	while (!vn_read_once(&race->stop)) {
		other.fd = vn_nested_open();
		vn_nested_unbind(race->device->fd);
		vn_nested_bind(race->device->fd, other.fd, STREAM);
		name(&other, EXTRA_IPA, PAGE, race->va);
		close(other.fd);
	}
	return NULL;
}

/* The same, where each name comes from another virtual IOMMU. */
TEST_F(vtd, binding_races_with_unmaps)
{
	NEED_TYPE1();
	race_with_unmaps(_metadata, self, rebind, 6);
}

/* --- Names against unbinding -------------------------------------------------------- */

/* Many times what is pinned at once */
#define LARGE		0x4000000ULL

static void *name_large(void *data)
{
	struct race *race = data;

	race->error = name(race->guest, EXTRA_IPA, LARGE, race->va);
	return NULL;
}

/* All memory is forgotten with the last device, also what is being named. */
TEST_F(vtd, unbinding_ends_names)
{
	struct vn_guest *guest = &self->guest;
	struct race race = { .guest = guest };
	uint64_t a = new_page(_metadata, guest);
	unsigned int round, ended = 0;
	pthread_t thread;

	race.va = new_memory(_metadata, LARGE, MAP_SHARED);
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(1), EXTRA_IPA, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_vm_map(guest->vm, EXTRA_IPA, race.va, LARGE, VN_PROT_RW));
	for (round = 0; round < 8; round++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, name_large, &race));
		vn_sleep_ms(7 * round);
		EXPECT_OK(vn_nested_unbind(self->device->fd));
		pthread_join(thread, NULL);
		EXPECT_TRUE(!race.error || race.error == -EINVAL ||
			    race.error == -ENODEV) TH_LOG("%d", race.error);
		ended += !!race.error;
		ASSERT_OK(vn_guest_bind(guest, self->device, STREAM));
		EXPECT_EQ(-ENOENT, forget(guest, EXTRA_IPA, LARGE));
		ASSERT_OK(vn_vtd_translate(guest, STREAM));
		EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
		if (is_type1(self))
			EXPECT_ABORTS(VN_NO_PASID, IOVA(1));
	}
	ASSERT_OK(vn_vm_unmap(guest->vm, EXTRA_IPA, LARGE));
	munmap(race.va, LARGE);
	ksft_print_msg("%u of %u names were ended\n", ended, round);
}

/* The device through which pages are pinned leaves; what it has begun goes on. */
TEST_F(vtd, names_outlive_the_first_device)
{
	struct vn_device *second = NEED_DEVICE(1);
	struct vn_guest *guest = &self->guest;
	struct race race = { .guest = guest };
	unsigned int round;
	pthread_t thread;

	race.va = new_memory(_metadata, LARGE, MAP_SHARED);
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), EXTRA_IPA + LARGE - PAGE, VN_PAGE,
			    VN_PROT_RW));
	ASSERT_OK(vn_nested_bind(second->fd, guest->fd, OTHER_STREAM));
	for (round = 0; round < 4; round++) {
		struct vn_device *first = round % 2 ? second : self->device;
		struct vn_device *other = round % 2 ? self->device : second;
		uint64_t stream = round % 2 ? OTHER_STREAM : STREAM;

		ASSERT_OK(vn_vm_map(guest->vm, EXTRA_IPA, race.va, LARGE, VN_PROT_RW));
		ASSERT_EQ(0, pthread_create(&thread, NULL, name_large, &race));
		vn_sleep_ms(5 + 10 * round);
		EXPECT_OK(vn_nested_unbind(first->fd));
		pthread_join(thread, NULL);
		EXPECT_EQ(0, race.error);
		ASSERT_OK(vn_vtd_translate(guest, STREAM + OTHER_STREAM - stream));
		EXPECT_EQ(VN_CHANNEL_OK, write_word(_metadata, other, VN_NO_PASID,
						    IOVA(0), round).state);
		EXPECT_EQ(round, vn_read_once((uint32_t *)(race.va + LARGE - PAGE)));
		ASSERT_OK(vn_vm_unmap(guest->vm, EXTRA_IPA, LARGE));
		EXPECT_EQ(VN_CHANNEL_ERROR, write_word(_metadata, other, VN_NO_PASID,
						       IOVA(0), 0xbad).state);
		EXPECT_EQ(is_type1(self) ? -ENOENT : 0, forget(guest, EXTRA_IPA, LARGE));
		ASSERT_OK(vn_nested_bind(first->fd, guest->fd, stream));
	}
	EXPECT_OK(vn_nested_unbind(second->fd));
	munmap(race.va, LARGE);
}

/* --- PASIDs of VFIO's ------------------------------------------------------------- */

/* As long as the device is bound they are the guest's, and it cannot be while they are not. */
TEST_F(vtd, vfio_attaches_no_pasids)
{
	struct vn_guest *guest = &self->guest;
	struct vn_device *device = self->device;
	uint32_t pt;

	NEED_IOMMUFD();
	NEED_PASIDS();
	pt = attach_for_pasids(_metadata, self);
	ASSERT_OK(vn_guest_bind(guest, device, STREAM));
	EXPECT_EQ(-EBUSY, vn_iommufd_attach_pasid(device, pt, THE_PASID));
	ASSERT_OK(vn_nested_unbind(device->fd));
	EXPECT_OK(vn_iommufd_attach_pasid(device, pt, THE_PASID));
	EXPECT_EQ(-EBUSY, vn_guest_bind(guest, device, STREAM));
	EXPECT_OK(vn_iommufd_detach_pasid(device, THE_PASID));
	EXPECT_OK(vn_guest_bind(guest, device, STREAM));
}

/* --- Processes ---------------------------------------------------------------------- */

/* What a child finds, as its exit code: 0 or a negative error */
static int exit_code(struct __test_metadata *_metadata, pid_t child)
{
	int status;

	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

#define IN_CHILD(call) ({						\
	pid_t __child = fork();						\
									\
	if (!__child)							\
		_exit(-(call));						\
	exit_code(_metadata, __child);					\
})

/* Guest memory is that of the process that has named it, also when that is gone. */
TEST_F(vtd, memory_is_that_of_who_has_named_it)
{
	struct vn_guest *guest = &self->guest;
	struct vn_vm *vm = guest->vm;
	uint64_t a = new_page(_metadata, guest);

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	EXPECT_EQ(-EFAULT, IN_CHILD(vn_vtd_translate(guest, STREAM)));
	EXPECT_EQ(-EFAULT, IN_CHILD(COMMAND(vn_qi_pasid_cache_all())));
	/* What does not read it can be done from anywhere. */
	EXPECT_EQ(0, IN_CHILD(COMMAND(vn_qi_piotlb_all(DID, 0))));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_OK(vn_vtd_translate(guest, STREAM));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);

	EXPECT_EQ(0, IN_CHILD(forget(guest, VN_RAM_IPA, vm->ram_size)));
	EXPECT_EQ(0, IN_CHILD(name_ram(guest)));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_EQ(-EFAULT, vn_vtd_translate(guest, STREAM));
	EXPECT_EQ(-EEXIST, name_ram(guest));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	EXPECT_OK(forget(guest, VN_RAM_IPA, vm->ram_size));
	EXPECT_OK(name_ram(guest));
	EXPECT_OK(vn_vtd_translate(guest, STREAM));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
}

/* Ends when @go is closed; what the call has returned is in @done before. */
static pid_t child_that_calls(struct vn_guest *guest, int go[2], int done[2])
{
	pid_t child = fork();
	int ret;
	char c;

	if (child)
		return child;
	close(go[1]);
	ret = vn_vtd_command(guest->fd, vn_qi_piotlb(DID, 0, IOVA(0), 0));
	if (write(done[1], &ret, sizeof(ret)) != sizeof(ret))
		_exit(1);
	_exit(read(go[0], &c, 1) != 0);
}

TEST_F(vtd, four_processes_can_use_it)
{
	enum { CHILDREN = 4 };
	struct vn_guest *guest = &self->guest;
	pid_t children[CHILDREN];
	int go[CHILDREN][2], done[2], ret, i;

	ASSERT_EQ(0, pipe(done));
	ASSERT_OK(COMMAND(vn_qi_piotlb(DID, 0, IOVA(0), 0)));
	for (i = 0; i < CHILDREN; i++) {
		ASSERT_EQ(0, pipe2(go[i], O_CLOEXEC));
		children[i] = child_that_calls(guest, go[i], done);
		ASSERT_LT(0, children[i]);
		ASSERT_EQ(sizeof(ret), read(done[0], &ret, sizeof(ret)));
		/* This process is the first of four. */
		EXPECT_EQ(i < CHILDREN - 1 ? 0 : -EBUSY, ret);
	}
	/* One that is gone makes room, */
	kill(children[0], SIGKILL);
	ASSERT_EQ(children[0], waitpid(children[0], NULL, 0));
	EXPECT_EQ(0, IN_CHILD(COMMAND(vn_qi_piotlb(DID, 0, IOVA(0), 0))));
	/* and who was there before stays. */
	EXPECT_OK(COMMAND(vn_qi_piotlb(DID, 0, IOVA(0), 0)));
	for (i = 1; i < CHILDREN; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	for (i = 0; i < CHILDREN; i++) {
		close(go[i][0]);
		close(go[i][1]);
	}
	close(done[0]);
	close(done[1]);
}

struct namer {
	FIXTURE_DATA(vtd) *self;
	void *va;
	uint64_t size;
};

static int become_namer(void *data)
{
	return take_over(((struct namer *)data)->self);
}

static void name_for_ever(void *data)
{
	struct namer *namer = data;
	struct vn_guest *guest = &namer->self->guest;

	while (!name(guest, EXTRA_IPA, namer->size, namer->va) &&
	       !forget(guest, EXTRA_IPA, namer->size))
		;
}

/* Who names memory is killed, in whatever it does: nothing stays pinned. */
TEST_F(vtd, killed_while_it_names)
{
	const uint64_t size = 0x400000;
	struct vn_guest *guest = &self->guest;
	struct namer namer = {
		.self = self,
		.va = new_memory(_metadata, size, MAP_SHARED),
		.size = size,
	};
	uint64_t a = new_page(_metadata, guest);
	unsigned int round;
	pid_t child;

	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	for (round = 0; round < 8; round++) {
		vn_nested_unbind(self->device->fd);
		vn_guest_close(guest);
		ASSERT_OK(vn_vm_map(guest->vm, EXTRA_IPA, namer.va, size, VN_PROT_RW));
		child = start_vmm(_metadata, become_namer, name_for_ever, &namer);
		vn_sleep_ms(7 * round);
		kill_vmm(_metadata, child);
		EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
		/* Once while the device is still bound, and once when it is not */
		if (round % 2)
			ASSERT_OK(vn_nested_unbind(self->device->fd));
		ASSERT_OK(vn_vm_unmap(guest->vm, EXTRA_IPA, size));
	}
	EXPECT_REACHES(VN_NO_PASID, a, a);
	munmap(namer.va, size);
}

/* --- Memory that is missing ------------------------------------------------------------ */

static void *drop_memory(void *data)
{
	struct race *race = data;
	struct vn_vm *vm = race->guest->vm;

	while (!vn_read_once(&race->stop)) {
		/* It is shared: only the mapping goes. */
		madvise(vm->ram, vm->ram_size, MADV_DONTNEED);
		usleep(500);
	}
	return NULL;
}

static void *follow_tables(void *data)
{
	struct race *race = data;
	unsigned int i = 0;
	int ret;

	while (!vn_read_once(&race->stop) && !race->error) {
		ret = i++ % 2 ? vn_vtd_translate(race->guest, STREAM) :
		      vn_vtd_command(race->guest->fd, vn_qi_pasid_cache_all());
		if (ret)
			vn_write_once(&race->error, ret);
	}
	return NULL;
}

/* A guest's tables can be read however often their pages are taken away. */
TEST_F(vtd, tables_that_are_not_present)
{
	struct vn_guest *guest = &self->guest;
	struct race race = { .guest = guest };
	uint64_t a = new_page(_metadata, guest);
	uint64_t words[VN_VTD_ENTRY_WORDS];
	pthread_t threads[4];
	struct vn_stage1 fs;
	unsigned int i;

	/* 96 pages of tables, with 6 PASIDs that translate */
	ASSERT_OK(vn_s1_init(&fs, guest->vm, &vn_s1_x86, 12, VA_BITS));
	ASSERT_OK(vn_s1_map(&fs, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	for (i = 1; i <= 96 && has_pasids(self); i++) {
		vn_pte_first(words, fs.table, DID);
		ASSERT_OK(vn_vtd_set_entry(guest, i * VN_VTD_PASIDS_PER_TABLE,
					   i % 16 == 1 ? words : NULL));
	}
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	for (i = 0; i < VN_ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL,
					    i ? follow_tables : drop_memory, &race));
	vn_sleep_ms(2000);
	vn_write_once(&race.stop, true);
	for (i = 0; i < VN_ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, race.error);
	EXPECT_OK(vn_vtd_translate(guest, STREAM));
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
	if (!has_pasids(self))
		return;
	ASSERT_OK(vn_device_enable_pasid(self->device));
	EXPECT_REACHES(VN_PASID(VN_VTD_PASIDS_PER_TABLE), IOVA(0), a);
	EXPECT_ABORTS(VN_PASID(2 * VN_VTD_PASIDS_PER_TABLE), IOVA(0));
}

/* How long it takes to read all tables again, and how many page faults */
static uint64_t reread(struct __test_metadata *_metadata, struct vn_guest *guest,
		       long *faults)
{
	uint64_t start = vn_now_ms();
	struct rusage before, after;

	ASSERT_EQ(0, getrusage(RUSAGE_THREAD, &before));
	ASSERT_EQ(0, vn_vtd_command(guest->fd, vn_qi_pasid_cache_all()));
	ASSERT_EQ(0, getrusage(RUSAGE_THREAD, &after));
	*faults = after.ru_minflt - before.ru_minflt;
	return vn_now_ms() - start;
}

/*
 * What is missing is brought in many pages at a time: reading begins anew a few times,
 * and not for each page.
 */
TEST_F(vtd, an_invalidation_without_any_table)
{
	enum { TABLES = 1024 };
	struct vn_guest *guest = &self->guest;
	uint64_t a, there, absent;
	struct vn_vm *vm = guest->vm;
	long faults;
	unsigned int i;

	NEED_PASIDS();
	vn_vm_reset(vm);
	ASSERT_OK(vn_guest_stage1(guest, 12, VA_BITS, ASID));
	ASSERT_OK(vn_guest_pasids(guest, 16));
	for (i = 0; i < TABLES; i++)
		ASSERT_NE(NULL, vn_vtd_entry(guest, i * VN_VTD_PASIDS_PER_TABLE));
	a = new_page(_metadata, guest);
	ASSERT_OK(vn_s1_map(&guest->s1, IOVA(0), a, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_vtd_translate(guest, STREAM));
	there = reread(_metadata, guest, &faults);
	EXPECT_EQ(0, faults);
	ASSERT_EQ(0, madvise(vm->ram, vm->ram_size, MADV_DONTNEED));
	absent = reread(_metadata, guest, &faults);
	EXPECT_LT(0, faults);
	EXPECT_GE(TABLES + 8, faults);
	EXPECT_GT(100 * (there + 1), absent);
	ksft_print_msg("%u tables: %llu ms, and when they are absent %llu ms and %ld faults\n",
		       TABLES, (unsigned long long)there, (unsigned long long)absent,
		       faults);
	EXPECT_REACHES(VN_NO_PASID, IOVA(0), a);
}

/* What the guest has taken away is not in force, whatever is wrong with others. */
TEST_F(vtd, an_error_leaves_nothing_in_force)
{
	const uint32_t below = VN_VTD_PASIDS_PER_TABLE;
	const uint32_t above = 2 * VN_VTD_PASIDS_PER_TABLE + THE_PASID;
	struct vn_guest *guest = &self->guest;
	void *va = new_memory(_metadata, PAGE, MAP_SHARED);
	uint64_t b = new_page(_metadata, guest);
	uint64_t *directory, words[VN_VTD_ENTRY_WORDS];
	struct vn_stage1 fs;

	NEED_PASIDS();
	add_pasid(_metadata, guest, above, DID, &fs);
	ASSERT_OK(vn_s1_map(&fs, IOVA(0), b, VN_PAGE, VN_PROT_RW));
	EXPECT_REACHES(VN_PASID(above), IOVA(0), b);

	/* The table of a lower one is in memory that the VMM loses. */
	memset(va, 0, PAGE);
	ASSERT_OK(vn_vm_map(guest->vm, EXTRA_IPA, va, PAGE, VN_PROT_RW));
	ASSERT_OK(name(guest, EXTRA_IPA, PAGE, va));
	directory = vn_vm_va(guest->vm, guest->cd);
	vn_write_once(&directory[1], htole64(EXTRA_IPA | 1));
	vn_pte_first(words, fs.table, DID);
	memcpy(va, words, sizeof(words));
	ASSERT_OK(COMMAND(vn_qi_pasid_cache_all()));
	EXPECT_REACHES(VN_PASID(below), IOVA(0), b);
	ASSERT_EQ(0, munmap(va, PAGE));

	ASSERT_OK(vn_vtd_set_entry(guest, above, NULL));
	EXPECT_EQ(-EFAULT, COMMAND(vn_qi_pasid_cache_all()));
	EXPECT_ABORTS(VN_PASID(above), IOVA(0));
	ASSERT_OK(vn_vm_unmap(guest->vm, EXTRA_IPA, PAGE));
	vn_write_once(&directory[1], 0);
	ASSERT_OK(COMMAND(vn_qi_pasid_cache_all()));
	EXPECT_ABORTS(VN_PASID(below), IOVA(0));
}

/* Pages that this process has mapped, from /proc/self/maps */
struct maps {
	unsigned int num;
	struct {
		uint64_t start, end;
	} area[256];
};

static void read_maps(struct maps *maps)
{
	static char text[65536];
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t len = 0;
	ssize_t got;
	char *line;

	maps->num = 0;
	while (fd >= 0 && (got = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += got;
	close(fd);
	text[len] = 0;
	for (line = text; *line && maps->num < 256; line = strchr(line, '\n') + 1) {
		char *end;

		maps->area[maps->num].start = strtoull(line, &end, 16);
		maps->area[maps->num++].end = strtoull(end + 1, NULL, 16);
	}
}

static bool is_mapped(const struct maps *maps, uint64_t page)
{
	unsigned int i;

	for (i = 0; i < maps->num; i++)
		if (page >= maps->area[i].start && page < maps->area[i].end)
			return true;
	return false;
}

/* The one page that is mapped now and was not @before; NULL: it is not one */
static void *new_page_since(const struct maps *before)
{
	static struct maps after;
	uint64_t page, found = 0;
	unsigned int i, num = 0;

	read_maps(&after);
	for (i = 0; i < after.num; i++)
		for (page = after.area[i].start; page < after.area[i].end;
		     page += PAGE)
			if (!is_mapped(before, page)) {
				found = page;
				num++;
			}
	return num == 1 ? (void *)found : NULL;
}

/* A call that needs the page, and where that is then; NULL: the call has failed */
static void *page_of_a_call(int fd, const struct maps *before)
{
	return vn_vtd_command(fd, vn_qi_piotlb(DID, 0, IOVA(0), 0)) ?
	       NULL : new_page_since(before);
}

/* The step that has failed; each process has a page of its own. */
static int abuse_the_page(int fd)
{
	static struct maps before;
	void *page;

	read_maps(&before);
	page = page_of_a_call(fd, &before);
	if (!page || madvise(page, PAGE, MADV_DONTNEED))
		return 1;
	/* It is the same one, */
	if (page_of_a_call(fd, &before) != page || munmap(page, PAGE))
		return 2;
	/* and then another. */
	page = page_of_a_call(fd, &before);
	if (!page || mprotect(page, PAGE, PROT_READ))
		return 3;
	read_maps(&before);
	page = page_of_a_call(fd, &before);
	if (!page)
		return 4;
	read_maps(&before);
	return page_of_a_call(fd, &before) ? 5 : 0;
}

TEST_F(vtd, the_callers_page)
{
	EXPECT_EQ(0, -IN_CHILD(-abuse_the_page(self->guest.fd)));
	EXPECT_OK(COMMAND(vn_qi_piotlb_all(DID, 0)));
}

TEST_MAIN_WITH_DEVICES(wants)
