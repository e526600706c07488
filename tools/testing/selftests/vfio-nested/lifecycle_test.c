// SPDX-License-Identifier: GPL-2.0
/*
 * What begins must end, in whatever order and at whatever moment: stage 2 unmapped
 * under a stage 1, resets, files closed in every order, owners killed at each
 * step, drivers unbound. Each test opens its device itself.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test.h"

/* The device of one test, and all that hangs on it */
struct life {
	char name[VN_PCI_NAME_LEN];
	struct vn_vm vm;
	struct vn_device device;
	struct vn_guest guest;
	uint64_t page;
};

/* How far a life has come */
enum step {
	OPENED,
	NESTED,
	BOUND,
	MAPPED,
	CONTEXT,
	TRANSLATED,
	FAULTED,
	STEPS,
};

static const char *const step_names[] = {
	[OPENED] = "the device is open",
	[NESTED] = "the nested fd is open",
	[BOUND] = "the device is bound",
	[MAPPED] = "the ring is mapped",
	[CONTEXT] = "the context is set",
	[TRANSLATED] = "DMA has been translated",
	[FAULTED] = "an event is in the ring",
};

#define HOLE		0x03000000ULL

static int open_device(struct life *life)
{
	int ret;

	ret = vn_vm_open(&life->vm);
	if (!ret)
		ret = vn_device_open(&life->device, &life->vm, life->name);
	return ret;
}

static int bind_device(struct life *life)
{
	struct vn_guest *guest = &life->guest;
	int ret;

	ret = vn_guest_bind(guest, &life->device, STREAM);
	if (!ret)
		ret = vn_guest_stage1(guest, vn_guest_granule(guest), VA_BITS,
				      ASID);
	if (ret)
		return ret;
	life->page = vn_guest_page(guest);
	return vn_s1_map_at(&guest->s1, IOVA(0), life->page, VN_PROT_RW,
			    VN_S1_LAST_LEVEL);
}

static int translate(struct life *life)
{
	if (vn_dma_write(&life->device, IOVA(0)) == VN_DMA_FAULT ||
	    !vn_landed(&life->device, life->page))
		return vn_fail(-EIO, "DMA was not translated");
	return 0;
}

/* Not every IOMMU tells of it. */
static bool tells(const struct life *life)
{
	return life->guest.info.caps & VFIO_NESTED_CAP_EVENTS;
}

static int fault(struct life *life)
{
	struct vfio_nested_fault record;

	vn_dma_write(&life->device, HOLE);
	if (!tells(life))
		return 0;
	if (!vn_ring_wait(&life->guest.ring, &record, VN_TIMEOUT_MS))
		return vn_fail(-EIO, "no event");
	return 0;
}

static int live(struct life *life, enum step last)
{
	struct vn_guest *guest = &life->guest;
	enum step step;
	int ret = 0;

	for (step = OPENED; step <= last && !ret; step++) {
		switch (step) {
		case OPENED:
			ret = open_device(life);
			break;
		case NESTED:
			ret = vn_guest_open(guest, &life->vm);
			break;
		case BOUND:
			ret = bind_device(life);
			break;
		case MAPPED:
			ret = vn_ring_open(&guest->ring, guest->fd, RING, -1);
			break;
		case CONTEXT:
			ret = vn_guest_translate(guest, STREAM);
			break;
		case TRANSLATED:
			ret = translate(life);
			break;
		default:
			ret = fault(life);
			break;
		}
	}
	return ret;
}

static void end(struct life *life)
{
	vn_guest_close(&life->guest);
	vn_device_close(&life->device);
	vn_vm_close(&life->vm);
}

/* Chosen before main(): tests run in children, each opens the device itself. */
static char device_name[VN_PCI_NAME_LEN];
static char resettable_name[VN_PCI_NAME_LEN];
/* One that can perhaps be reset alone: a PCI Express function, an NVMe drive */
static char express_name[VN_PCI_NAME_LEN];

FIXTURE(life) {
	struct life life;
	long references;
};

FIXTURE_SETUP(life)
{
	snprintf(self->life.name, VN_PCI_NAME_LEN, "%s", device_name);
	self->life.device.fd = -1;
	self->life.guest.fd = -1;
	self->life.vm.fd = -1;
	self->references = vn_module_references();
}

FIXTURE_TEARDOWN(life)
{
	end(&self->life);
	/* Nothing is left behind, whatever the test did. */
	EXPECT_EQ(self->references, vn_module_references_settle(self->references));
}

TEST_F(life, whole)
{
	ASSERT_OK(live(&self->life, FAULTED));
}

/* How far an owner gets */
struct owner {
	struct life *life;
	enum step step;
};

static int live_until(void *data)
{
	struct owner *owner = data;

	return live(owner->life, owner->step);
}

static void do_everything(void *data)
{
	struct life *life = ((struct owner *)data)->life;

	for (;;) {
		vn_dma_write(&life->device, HOLE);
		vn_guest_forget(&life->guest);
		vn_guest_translate(&life->guest, STREAM);
	}
}

/* The owner is killed after each step; the next owner starts from nothing. */
static void kill_at(struct __test_metadata *_metadata, FIXTURE_DATA(life) *self,
		    enum step step, bool busy)
{
	struct owner owner = { .life = &self->life, .step = step };
	struct life next = {};
	pid_t child;

	child = start_vmm(_metadata, live_until, busy ? do_everything : NULL, &owner);
	if (busy)
		vn_sleep_ms(20);
	kill_vmm(_metadata, child);
	EXPECT_EQ(self->references, vn_module_references_settle(self->references))
		TH_LOG("when %s", step_names[step]);

	snprintf(next.name, VN_PCI_NAME_LEN, "%s", self->life.name);
	next.guest.fd = -1;
	ASSERT_OK(live(&next, BOUND));
	/* Nothing of the dead one's stage 1 is in force. */
	EXPECT_LANDS(&next.device, next.page, next.page);
	EXPECT_REFUSED(&next.device, IOVA(0));
	EXPECT_TRUE(vn_intact(&next.vm, next.page));
	end(&next);
}

TEST_F(life, killed_when_device_is_open)
{
	kill_at(_metadata, self, OPENED, false);
}

TEST_F(life, killed_when_nested_fd_is_open)
{
	kill_at(_metadata, self, NESTED, false);
}

TEST_F(life, killed_when_bound)
{
	kill_at(_metadata, self, BOUND, false);
}

TEST_F(life, killed_when_ring_is_mapped)
{
	kill_at(_metadata, self, MAPPED, false);
}

TEST_F(life, killed_when_context_is_set)
{
	kill_at(_metadata, self, CONTEXT, false);
}

TEST_F(life, killed_when_translating)
{
	kill_at(_metadata, self, TRANSLATED, false);
}

TEST_F(life, killed_when_events_wait)
{
	kill_at(_metadata, self, FAULTED, false);
}

TEST_F_TIMEOUT(life, killed_in_the_middle_of_everything, SLOW)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		kill_at(_metadata, self, FAULTED, true);
}

/* Files may be closed in any order: device, nested fd, mapping, container. */
static void close_one(struct life *life, unsigned int which)
{
	switch (which) {
	case 0:
		if (life->device.bar0)
			munmap((void *)life->device.bar0, life->device.bar0_size);
		life->device.bar0 = NULL;
		close(life->device.fd);
		life->device.fd = -1;
		break;
	case 1:
		close(life->guest.fd);
		life->guest.fd = -1;
		break;
	case 2:
		vn_ring_close(&life->guest.ring);
		break;
	case 3:
		if (life->device.group_fd >= 0)
			close(life->device.group_fd);
		life->device.group_fd = -1;
		close(life->vm.fd);
		life->vm.fd = -1;
		break;
	}
}

TEST_F_TIMEOUT(life, closed_in_every_order, SLOW)
{
	unsigned int order, i;

	/* Four digits to the base of four, of which no two are the same */
	for (order = 0; order < 256; order++) {
		const unsigned int which[4] = {
			order >> 6, (order >> 4) & 3, (order >> 2) & 3, order & 3,
		};
		struct life life = {};
		unsigned int seen = 0;

		for (i = 0; i < 4; i++)
			seen |= 1u << which[i];
		if (seen != 0xf)
			continue;
		memcpy(life.name, self->life.name, VN_PCI_NAME_LEN);
		ASSERT_OK(live(&life, FAULTED));
		for (i = 0; i < 4; i++) {
			close_one(&life, which[i]);
			/* Whoever still has the device may still use it. */
			if (life.device.bar0)
				vn_dma_write(&life.device, HOLE);
		}
		munmap(life.vm.ram, VN_RAM_SIZE);
		EXPECT_EQ(self->references, vn_module_references_settle(self->references))
			TH_LOG("order %u %u %u %u", which[0], which[1], which[2],
			       which[3]);
	}
}

/* The device keeps the virtual IOMMU, without a user interface. */
TEST_F(life, nested_fd_is_closed_first)
{
	struct life *life = &self->life;

	ASSERT_OK(live(life, TRANSLATED));
	vn_guest_close(&life->guest);
	EXPECT_LANDS(&life->device, IOVA(0), life->page);
	vn_dma_write(&life->device, HOLE);
	ASSERT_OK(vn_nested_unbind(life->device.fd));
	EXPECT_LANDS(&life->device, life->page, life->page);

	/* Another virtual IOMMU, the same device */
	life->guest.fd = vn_nested_open();
	ASSERT_LE(0, life->guest.fd);
	ASSERT_OK(vn_nested_bind(life->device.fd, life->guest.fd, STREAM));
	ASSERT_OK(vn_guest_translate(&life->guest, STREAM));
	EXPECT_LANDS(&life->device, IOVA(0), life->page);
}

/* Stage 2 goes away under a stage 1 that is in use, and in the caches. */
TEST_F(life, stage2_is_unmapped)
{
	struct life *life = &self->life;
	struct vn_guest *guest = &life->guest;
	struct vfio_nested_fault record;
	uint64_t ipa = VN_RAM_IPA + VN_RAM_SIZE;
	void *extra, *moved;

	extra = mmap(NULL, VN_PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	moved = mmap(NULL, VN_PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, extra);
	ASSERT_NE(MAP_FAILED, moved);
	ASSERT_OK(live(life, TRANSLATED));
	ASSERT_OK(vn_vm_map(&life->vm, ipa, extra, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_guest_name(guest, ipa, extra, VN_PAGE));
	ASSERT_OK(vn_s1_map_at(&guest->s1, IOVA(1), ipa, VN_PROT_RW,
			       VN_S1_LAST_LEVEL));
	ASSERT_NE(VN_DMA_FAULT, vn_dma_write(&life->device, IOVA(1)));
	ASSERT_TRUE(life->device.ops->wrote(&life->device, extra));

	memset(extra, 0, VN_PAGE);
	ASSERT_OK(vn_vm_unmap(&life->vm, ipa, VN_PAGE));
	vn_ring_drain(&guest->ring, 0);
	EXPECT_REFUSED(&life->device, IOVA(1));
	EXPECT_FALSE(life->device.ops->wrote(&life->device, extra));
	if (tells(life)) {
		ASSERT_EQ(1, vn_ring_wait(&guest->ring, &record, VN_TIMEOUT_MS));
		EXPECT_TRUE(record.flags & VFIO_NESTED_FAULT_STAGE2);
		EXPECT_EQ(IOVA(1), record.address & ~0xfffULL);
		EXPECT_EQ(ipa, record.ipa & ~0xfffULL);
	}
	/* Others are not touched, and the same IPA can get another page. */
	EXPECT_EQ(0, translate(life));
	ASSERT_OK(vn_guest_unname(guest, ipa, VN_PAGE));
	ASSERT_OK(vn_vm_map(&life->vm, ipa, moved, VN_PAGE, VN_PROT_RW));
	ASSERT_OK(vn_guest_name(guest, ipa, moved, VN_PAGE));
	EXPECT_NE(VN_DMA_FAULT, vn_dma_write(&life->device, IOVA(1)));
	EXPECT_TRUE(life->device.ops->wrote(&life->device, moved));
	EXPECT_FALSE(life->device.ops->wrote(&life->device, extra));

	/* All at once */
	ASSERT_OK(vn_vm_unmap(&life->vm, ipa, VN_PAGE));
	ASSERT_OK(vn_vm_unmap(&life->vm, VN_RAM_IPA, VN_RAM_SIZE));
	vn_poison(&life->vm, life->page);
	EXPECT_REFUSED(&life->device, IOVA(0));
	EXPECT_TRUE(vn_intact(&life->vm, life->page));
}

/* Again and again, with the device at work: nothing lands in a page that is gone. */
TEST_F_TIMEOUT(life, stage2_is_unmapped_many_times, SLOW)
{
	struct life *life = &self->life;
	uint64_t ipa = VN_RAM_IPA + VN_RAM_SIZE;
	unsigned int rounds = 50, i;

	ASSERT_OK(live(life, TRANSLATED));
	if (!(life->device.engine.caps & VN_ENGINE_FAST))
		SKIP(return, "%s is too slow", life->name);
	/* One with many events for each access would be cut off for flooding. */
	if (!(life->device.engine.caps & VN_ENGINE_ONE_EVENT))
		rounds = 8;
	ASSERT_OK(vn_s1_map_at(&life->guest.s1, IOVA(1), ipa, VN_PROT_RW,
			       VN_S1_LAST_LEVEL));
	for (i = 0; i < rounds; i++) {
		void *page = mmap(NULL, VN_PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		ASSERT_NE(MAP_FAILED, page);
		ASSERT_OK(vn_vm_map(&life->vm, ipa, page, VN_PAGE, VN_PROT_RW));
		ASSERT_OK(vn_guest_name(&life->guest, ipa, page, VN_PAGE));
		vn_dma_write(&life->device, IOVA(1));
		EXPECT_TRUE(life->device.ops->wrote(&life->device, page));
		ASSERT_OK(vn_vm_unmap(&life->vm, ipa, VN_PAGE));
		memset(page, 0, VN_PAGE);
		vn_dma_write(&life->device, IOVA(1));
		EXPECT_FALSE(life->device.ops->wrote(&life->device, page));
		ASSERT_OK(vn_guest_unname(&life->guest, ipa, VN_PAGE));
		munmap(page, VN_PAGE);
	}
}

static int give_up_admin(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[0].effective &= ~(1U << CAP_SYS_ADMIN);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/*
 * VFIO unmaps memory in a thread that cannot be followed, because the kernel has no file
 * left for it. The device loses the memory all the same, and gets none until it is closed.
 */
TEST_F(life, stage2_is_unmapped_when_files_run_out)
{
	static const char file_max[] = "/proc/sys/fs/file-max";
	struct life *life = &self->life;
	struct vn_guest *guest = &life->guest;
	struct vn_vm *vm = &life->vm;
	char before[32];
	pid_t child;
	int status;

	ASSERT_OK(live(life, TRANSLATED));
	if (!(guest->info.caps & VFIO_NESTED_CAP_MEMORY) || vm->ops != &vn_vm_type1)
		SKIP(return, "no memory has names here that VFIO takes away");
	ASSERT_OK(vn_read_text(file_max, before, sizeof(before)));
	ASSERT_OK(vn_write_text(file_max, "1"));
	child = fork();
	if (!child)
		_exit(give_up_admin() ? 1 :
		      open("/dev/null", O_RDONLY) >= 0 ? 2 :
		      vn_vm_unmap(vm, VN_RAM_IPA, vm->ram_size) ? 3 : 0);
	EXPECT_EQ(child, waitpid(child, &status, 0));
	EXPECT_OK(vn_write_text(file_max, before));
	EXPECT_EQ(0, status) TH_LOG("step %d", WEXITSTATUS(status));

	EXPECT_REFUSED(&life->device, IOVA(0));
	ASSERT_OK(vn_vm_map(vm, VN_RAM_IPA, vm->ram, vm->ram_size, VN_PROT_RW));
	EXPECT_EQ(-ENOMEM, vn_guest_name(guest, VN_RAM_IPA, vm->ram, vm->ram_size));
	EXPECT_OK(vn_nested_unbind(life->device.fd));
	EXPECT_EQ(-ENOMEM, vn_nested_bind(life->device.fd, guest->fd, STREAM));
	end(life);
	ASSERT_OK(live(life, TRANSLATED));
}

/* VFIO attaches the device to another stage 2, behind the guest's back. */
TEST_F(life, stage2_is_exchanged)
{
	struct life *life = &self->life;
	struct vn_guest *guest = &life->guest;

	ASSERT_OK(live(life, TRANSLATED));
	if (!life->vm.ops->exchange)
		SKIP(return, "VFIO does not do that with %s", life->vm.ops->name);
	vn_poison(&life->vm, life->page);
	ASSERT_OK(life->vm.ops->exchange(&life->vm, &life->device));

	/* The old stage 1 is not in force on it, nor can a new one be. */
	ASSERT_OK(vn_vm_map(&life->vm, VN_RAM_IPA, life->vm.ram, VN_RAM_SIZE,
			    VN_PROT_RW));
	EXPECT_REFUSED(&life->device, IOVA(0));
	EXPECT_TRUE(vn_intact(&life->vm, life->page));
	EXPECT_LANDS(&life->device, life->page, life->page);
	EXPECT_EQ(-ENODEV, vn_guest_translate(guest, STREAM));
	EXPECT_EQ(-ENODEV, vn_nested_set_context(guest->fd, STREAM,
						 VFIO_NESTED_CONTEXT_ABORT));
	EXPECT_LANDS(&life->device, life->page, life->page);

	/* It is when it has been bound again. */
	ASSERT_OK(vn_nested_unbind(life->device.fd));
	ASSERT_OK(vn_nested_bind(life->device.fd, guest->fd, STREAM));
	ASSERT_OK(vn_guest_translate(guest, STREAM));
	EXPECT_LANDS(&life->device, IOVA(0), life->page);
}

/* Resets */
FIXTURE(reset) {
	struct life life;
	long references;
};

FIXTURE_VARIANT(reset) {
	enum vn_reset how;
};

FIXTURE_VARIANT_ADD(reset, vfio) { .how = VN_RESET_VFIO, };
FIXTURE_VARIANT_ADD(reset, function) { .how = VN_RESET_FUNCTION, };
FIXTURE_VARIANT_ADD(reset, hot) { .how = VN_RESET_HOT, };
FIXTURE_VARIANT_ADD(reset, sysfs) { .how = VN_RESET_SYSFS, };

FIXTURE_SETUP(reset)
{
	const char *name = variant->how == VN_RESET_FUNCTION ? express_name :
						     resettable_name;

	self->references = vn_module_references();
	self->life.device.fd = -1;
	self->life.guest.fd = -1;
	self->life.vm.fd = -1;
	if (!name[0])
		SKIP(return, "no device here can be reset in this way");
	memcpy(self->life.name, name, VN_PCI_NAME_LEN);
	ASSERT_OK(live(&self->life, OPENED));
	if (vn_device_reset(&self->life.device, variant->how) == -EOPNOTSUPP) {
		char why[128];

		snprintf(why, sizeof(why), "%s", vn_reason());
		end(&self->life);
		SKIP(return, "%s", why);
	}
	end(&self->life);
	ASSERT_OK(live(&self->life, TRANSLATED));
}

FIXTURE_TEARDOWN(reset)
{
	end(&self->life);
	EXPECT_EQ(self->references, vn_module_references_settle(self->references));
}

TEST_F(reset, keeps_the_context)
{
	struct life *life = &self->life;
	struct vfio_nested_stats stats;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		vn_poison(&life->vm, life->page);
		ASSERT_OK(vn_device_reset(&life->device, variant->how));
		/* Stage 1 is in force, and stage 2 alone is not. */
		EXPECT_LANDS(&life->device, IOVA(0), life->page);
		EXPECT_REFUSED(&life->device, life->page);
		EXPECT_TRUE(vn_intact(&life->vm, life->page));
	}
	ASSERT_OK(vn_nested_stats(life->guest.fd, &stats));
	EXPECT_EQ(1, stats.bindings);
}

TEST_F(reset, keeps_abort)
{
	struct life *life = &self->life;

	vn_poison(&life->vm, life->page);
	ASSERT_OK(vn_nested_set_context(life->guest.fd, STREAM,
					VFIO_NESTED_CONTEXT_ABORT));
	ASSERT_OK(vn_device_reset(&life->device, variant->how));
	EXPECT_REFUSED(&life->device, IOVA(0));
	EXPECT_REFUSED(&life->device, life->page);
	EXPECT_TRUE(vn_intact(&life->vm, life->page));
}

/*
 * There is no moment of stage 2 alone: an access that stage 1 refuses, and that
 * comes some time during or after the reset, is still refused.
 */
TEST_F(reset, nothing_slips_through)
{
	struct life *life = &self->life;

	if (!life->device.ops->start_write)
		SKIP(return, "%s has no accesses that take their time", life->name);
	vn_poison(&life->vm, life->page);
	ASSERT_EQ(0, life->device.ops->start_write(&life->device, life->page));
	ASSERT_OK(vn_device_reset(&life->device, variant->how));
	vn_sleep_ms(300);
	EXPECT_TRUE(vn_intact(&life->vm, life->page));
	EXPECT_LANDS(&life->device, IOVA(0), life->page);
}

/* While everything else goes on */
TEST_F_TIMEOUT(reset, in_the_middle_of_everything, SLOW)
{
	struct life *life = &self->life;
	unsigned int i;
	pid_t child;

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		for (;;) {
			vn_guest_translate(&life->guest, STREAM);
			vn_guest_forget(&life->guest);
			vn_nested_unbind(life->device.fd);
			vn_nested_bind(life->device.fd, life->guest.fd, STREAM);
		}
	}
	for (i = 0; i < 5; i++)
		EXPECT_OK(vn_device_reset(&life->device, variant->how));
	kill_vmm(_metadata, child);

	vn_nested_unbind(life->device.fd);
	ASSERT_OK(vn_nested_bind(life->device.fd, life->guest.fd, STREAM));
	ASSERT_OK(vn_guest_translate(&life->guest, STREAM));
	vn_poison(&life->vm, life->page);
	EXPECT_LANDS(&life->device, IOVA(0), life->page);
}

struct resets {
	struct life *life;
	enum vn_reset how;
	bool stop;
	int error;
};

static void *reset_on(void *data)
{
	struct resets *resets = data;

	do {
		resets->error = vn_device_reset(&resets->life->device, resets->how);
	} while (!vn_read_once(&resets->stop) && !resets->error);
	return NULL;
}

/* What unbinding may have to wait for is not its caller's to wait for. */
TEST_F(reset, binding_stays_meanwhile)
{
	struct life *life = &self->life;
	struct resets resets = { .life = life, .how = variant->how };
	uint64_t end = vn_now_ms() + 10000;
	pthread_t thread;
	int ret;

	ASSERT_EQ(0, pthread_create(&thread, NULL, reset_on, &resets));
	while ((ret = vn_nested_unbind(life->device.fd)) != -EBUSY &&
	       vn_now_ms() < end) {
		ASSERT_EQ(0, ret);
		do {
			ret = vn_guest_bind(&life->guest, &life->device, STREAM);
		} while (ret == -EBUSY);
		ASSERT_EQ(0, ret);
		ASSERT_OK(vn_guest_translate(&life->guest, STREAM));
		vn_sleep_ms(1);
	}
	EXPECT_EQ(-EBUSY, ret);
	vn_write_once(&resets.stop, true);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, resets.error);

	vn_poison(&life->vm, life->page);
	EXPECT_LANDS(&life->device, IOVA(0), life->page);
	EXPECT_OK(vn_nested_unbind(life->device.fd));
	EXPECT_LANDS(&life->device, life->page, life->page);
}

/* To close the device is to wait for the end of the reset, and to have VFIO go on then. */
TEST_F(reset, device_is_closed_meanwhile)
{
	struct life *life = &self->life;
	struct resets resets = { .life = life, .how = variant->how, .stop = true };
	pthread_t thread;
	unsigned int i;

	if (variant->how != VN_RESET_SYSFS)
		SKIP(return, "who resets the device in this way has it open");
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, reset_on, &resets));
		vn_sleep_ms(20 * i);
		end(life);
		pthread_join(thread, NULL);
		EXPECT_EQ(0, resets.error);
		ASSERT_OK(live(life, TRANSLATED));
	}
}

/* sysfs takes the driver away: it asks the owner, and waits for him. */
TEST_F(life, driver_is_unbound)
{
	struct life *life = &self->life;
	struct pollfd request;
	uint64_t count;
	int status;
	pid_t child;

	ASSERT_OK(live(life, FAULTED));
	request = (struct pollfd) {
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.events = POLLIN,
	};
	ASSERT_LE(0, request.fd);
	ASSERT_OK(vn_device_set_irq(&life->device, VFIO_PCI_REQ_IRQ_INDEX,
				    request.fd));

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		/* The child must not be one of those who have the files open. */
		close(life->device.fd);
		close(life->device.group_fd);
		close(life->guest.fd);
		close(life->vm.fd);
		munmap((void *)life->device.bar0, life->device.bar0_size);
		vn_ring_close(&life->guest.ring);
		_exit(!!vn_pci_unbind(life->name));
	}
	EXPECT_EQ(1, poll(&request, 1, VN_TIMEOUT_MS))
		TH_LOG("nobody asked for the device");
	EXPECT_EQ(sizeof(count), read(request.fd, &count, sizeof(count)));
	EXPECT_EQ(0, waitpid(child, &status, WNOHANG))
		TH_LOG("the driver went while the device was open");
	/* The guest works until its VMM lets go. */
	vn_poison(&life->vm, life->page);
	EXPECT_LANDS(&life->device, IOVA(0), life->page);

	end(life);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_OK(vn_pci_probe(life->name));
	ASSERT_OK(live(life, FAULTED));
	close(request.fd);
}

/* The first device that can be reset; opening it is how one knows. */
static void find_resettable(void)
{
	static const char *const engines[] = { "edu", "nvme", "iommu-testdev" };
	struct vn_device device;
	struct vn_vm vm;
	size_t i;

	for (i = 0; i < VN_ARRAY_SIZE(engines) && !resettable_name[0]; i++) {
		struct vn_want want = { .engine = engines[i] };
		char taken[VN_SESSION_DEVICES][VN_PCI_NAME_LEN];
		unsigned int num;

		for (num = 0; num < VN_SESSION_DEVICES && !resettable_name[0] &&
		     !vn_session_pick(&want, taken, num, taken[num]); num++) {
			if (vn_vm_open(&vm))
				return;
			if (!vn_device_open(&device, &vm, taken[num])) {
				if (device.can_reset)
					memcpy(resettable_name, taken[num],
					       VN_PCI_NAME_LEN);
				vn_device_close(&device);
			}
			vn_vm_close(&vm);
		}
	}
}

int main(int argc, char **argv)
{
	struct vn_want want = {}, nvme = { .engine = "nvme" };

	if (vn_session_pick(&want, NULL, 0, device_name)) {
		ksft_print_header();
		ksft_exit_skip("%s\n", vn_reason());
	}
	find_resettable();
	vn_session_pick(&nvme, NULL, 0, express_name);
	return test_harness_run(argc, argv);
}
