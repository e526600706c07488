// SPDX-License-Identifier: GPL-2.0
/* What the devices of the soak do to memory, and what has become of it. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "capability.h"
#include "soak_vm.h"
#include "util.h"

#define PAGE_BITS		12
#define VA_BITS			48
#define CD_BITS			12
#define ASID(device, n)		((device)->number * 16 + (n) + 1)
#define CREDITS			32
/* Offset of a channel's part of the buffer, and what it holds at each page */
#define CHANNEL_BUFFER		(VN_TESTDEV_BUFFER / SOAK_CHANNELS)
#define BUFFER_PAGES		(CHANNEL_BUFFER / VN_PAGE)
/* Whatever a fault waits for, this is longer. */
#define STUCK_MS		30000
/* A device whose page request interface was switched off waits for nothing. */
#define DISTURBED_MS		1000

static const uint32_t pasids[SOAK_PASIDS] = { 1, 2, 63, 64, 65, 255, 256, 4095 };

/* --- The guest's tables --------------------------------------------------- */

int soak_device_tables(struct soak_vm *vm, struct soak_device *device)
{
	struct vn_guest *guest = &device->guest;
	unsigned int i, j;
	int ret;

	/* Linear for one, of two levels for the other */
	if (guest->smmu.cd2l && (device->number + vm->book->life) % 2)
		guest->cd_format = VN_CDTABLE_4K;
	guest->ats = device->requests;
	ret = vn_guest_stage1(guest, PAGE_BITS, VA_BITS, ASID(device, 0));
	if (!ret)
		ret = vn_guest_pasids(guest, CD_BITS);
	/* Who may not stall must not be told to: CD.S is illegal with STE.S1STALLD. */
	if (!ret && device->stalls)
		vn_guest_stalls(guest);
	for (i = 0; i < SOAK_PASIDS && !ret; i++)
		ret = vn_guest_space(guest, &device->spaces[i], pasids[i],
				     ASID(device, i + 1));
	for (i = 0; i < SOAK_CHANNELS && !ret; i++) {
		for (j = 0; j < SOAK_TARGETS && !ret; j++) {
			uint64_t page = vn_vm_alloc(&vm->vm, VN_PAGE, VN_PAGE);

			device->channels[i].targets[j] = page;
			if (!page)
				ret = vn_fail(-ENOMEM, "no guest memory");
		}
	}
	return ret;
}

/* Differs from page to page, channel to channel and device to device. */
static uint32_t mark(const struct soak_vm *vm, const struct soak_device *device,
		     unsigned int channel, unsigned int page)
{
	return vm->book->life << 16 | device->number << 8 | channel << 4 | page;
}

int soak_device_enable(struct soak_vm *vm, struct soak_device *device)
{
	unsigned int i, j;
	int ret;

	ret = vn_engine_revive(&device->device);
	if (!ret)
		ret = vn_device_enable_pasid(&device->device);
	if (!ret && device->requests)
		ret = vn_device_enable_ats(&device->device, true);
	if (!ret && device->requests)
		ret = vn_device_enable_pri(&device->device, CREDITS);
	for (i = 0; i < SOAK_CHANNELS && !ret; i++) {
		for (j = 0; j < BUFFER_PAGES; j++) {
			uint32_t word = mark(vm, device, i, j);

			vn_testdev_buffer_write(&device->device,
						i * CHANNEL_BUFFER + j * VN_PAGE,
						&word, sizeof(word));
		}
	}
	return ret;
}

uint64_t soak_window(const struct soak_vm *vm, const struct soak_device *device,
		     unsigned int channel)
{
	return (uint64_t)vm->book->life << 32 | (uint64_t)device->number << 28 |
	       (uint64_t)channel * SOAK_WINDOW * VN_PAGE;
}

/* Nothing of the window is mapped any more, and nobody remembers that it was. */
static int clear_window(struct soak_vm *vm, struct soak_device *device,
			unsigned int channel)
{
	const struct vn_arch *arch = device->guest.arch;
	struct vn_command list[2 * SOAK_PASIDS];
	uint64_t start = soak_window(vm, device, channel);
	uint32_t num = 0, count;
	unsigned int i, level;
	int ret;

	for (i = 0; i < SOAK_PASIDS; i++) {
		uint64_t *entry = vn_s1_entry(&device->spaces[i].s1, start, &level);

		if (level == VN_S1_LAST_LEVEL)
			memset(entry, 0, SOAK_WINDOW * sizeof(*entry));
	}
	vn_barrier();
	for (i = 0; i < SOAK_PASIDS; i++)
		list[num++] = arch->of_space(pasids[i], device->spaces[i].asid);
	for (i = 0; i < SOAK_PASIDS && device->requests; i++)
		list[num++] = arch->of_device(device->stream, VN_PASID(pasids[i]),
					      start, 9);
	count = num;
	ret = vn_guest_commands(&device->guest, list, &count);
	if (ret)
		return soak_fail(vm, "invalidation: command %u of %u: %s", count,
				 num, vn_reason());
	device->channels[channel].page = 0;
	return 0;
}

int soak_map(struct soak_vm *vm, struct soak_device *device,
	     struct soak_channel *channel, uint64_t iova, unsigned int pages)
{
	const struct soak_access *now = &channel->now;
	struct vn_stage1 *s1 = &device->spaces[now->pasid_index].s1;
	uint64_t first = now->access.iova & ~(VN_PAGE - 1ULL);
	uint64_t at = iova & ~(VN_PAGE - 1ULL);
	unsigned int i;

	for (i = 0; i < pages; i++, at += VN_PAGE) {
		unsigned int target = (at - first) / VN_PAGE % SOAK_TARGETS;

		if (vn_s1_map_at(s1, at, channel->targets[target], VN_PROT_RW,
				 VN_S1_LAST_LEVEL))
			return soak_fail(vm, "%s", vn_reason());
	}
	return 0;
}

/* --- Accesses ------------------------------------------------------------- */

/* 8 bytes, added to: whoever does it twice is found out. */
static void plan_atomic(struct soak_vm *vm, struct soak_channel *channel)
{
	struct vn_access *access = &channel->now.access;
	uint64_t *memory = vn_vm_va(&vm->vm, channel->targets[0]);
	unsigned int offset = soak_choose(&vm->rng, VN_PAGE / 8) * 8;

	access->op = VN_OP_ATOMIC;
	access->iova += offset;
	access->length = sizeof(uint64_t);
	access->operand = soak_random(&vm->rng);
	channel->now.before = soak_random(&vm->rng);
	memory[offset / 8] = channel->now.before;
	channel->now.pages = 1;
}

/* Some pages with the marks of the buffer, all at once or one after the other */
static void plan_write(struct soak_vm *vm, struct soak_channel *channel)
{
	struct vn_access *access = &channel->now.access;
	unsigned int i, pages = 1 + soak_choose(&vm->rng, BUFFER_PAGES);

	access->op = VN_OP_WRITE;
	access->length = pages * VN_PAGE;
	access->outstanding = soak_maybe(&vm->rng, 50) ? pages : 1;
	for (i = 0; i < SOAK_TARGETS; i++)
		memset(vn_vm_va(&vm->vm, channel->targets[i]), 0, VN_PAGE);
	channel->now.pages = pages;
}

/* Many pages, read and thrown away */
static void plan_probe(struct soak_vm *vm, struct soak_channel *channel)
{
	struct vn_access *access = &channel->now.access;
	unsigned int pages = 1 << soak_choose(&vm->rng, 5);

	access->op = VN_OP_PROBE;
	access->length = pages * VN_PAGE;
	access->buffer = 0;
	access->outstanding = soak_maybe(&vm->rng, 50) ? pages : 1;
	channel->now.pages = pages;
}

static bool asks(const struct soak_access *now)
{
	return now->access.flags & VN_ACCESS_PRI;
}

int soak_start(struct soak_vm *vm, struct soak_device *device, unsigned int index)
{
	static void (*const plans[])(struct soak_vm *, struct soak_channel *) = {
		plan_atomic, plan_atomic, plan_write, plan_probe,
	};
	struct soak_channel *channel = &device->channels[index];
	struct soak_access *now = &channel->now;

	if (channel->page + SOAK_ACCESS_PAGES > SOAK_WINDOW)
		return clear_window(vm, device, index);
	memset(now, 0, sizeof(*now));
	now->pasid_index = soak_choose(&vm->rng, SOAK_PASIDS);
	now->access.pasid = VN_PASID(pasids[now->pasid_index]);
	now->access.iova = soak_window(vm, device, index) + channel->page * VN_PAGE;
	now->access.buffer = index * CHANNEL_BUFFER;
	if (device->requests && (!device->stalls || soak_maybe(&vm->rng, 50)))
		now->access.flags = VN_ACCESS_ATS | VN_ACCESS_PRI;
	else
		now->access.flags = VN_ACCESS_STALL;
	plans[soak_choose(&vm->rng, VN_ARRAY_SIZE(plans))](vm, channel);
	channel->page += now->pages;
	now->serial = ++vm->serial;
	now->started_ms = vm->now_ms;
	now->disturbed = device->failed && asks(now);
	vn_barrier();
	if (vn_testdev_start(&device->device, index, &now->access))
		return soak_fail(vm, "%s", vn_reason());
	now->running = true;
	return 0;
}

static int check_atomic(struct soak_vm *vm, struct soak_device *device,
			unsigned int index, bool done)
{
	struct soak_channel *channel = &device->channels[index];
	const struct vn_access *access = &channel->now.access;
	uint64_t *memory = vn_vm_va(&vm->vm, channel->targets[0]);
	uint64_t is = vn_read_once(&memory[access->iova % VN_PAGE / 8]);
	uint64_t want = channel->now.before + (done ? access->operand : 0);

	if (is != want)
		return soak_fail(vm, "an atomic access that %s left 0x%" PRIx64
				 ", not 0x%" PRIx64, done ? "is done" : "failed",
				 is, want);
	return 0;
}

static int check_write(struct soak_vm *vm, struct soak_device *device,
		       unsigned int index)
{
	struct soak_channel *channel = &device->channels[index];
	unsigned int i;

	for (i = 0; i < channel->now.pages; i++) {
		uint32_t *memory = vn_vm_va(&vm->vm, channel->targets[i]);

		if (vn_read_once(memory) != mark(vm, device, index, i))
			return soak_fail(vm, "page %u of a write holds 0x%x, not 0x%x",
					 i, vn_read_once(memory),
					 mark(vm, device, index, i));
	}
	return 0;
}

/* What an access can end with when its fault was not answered with a retry */
static bool possible(const struct soak_access *now, enum vn_channel_error error)
{
	if (now->disturbed)
		return error != VN_ERROR_PARAMETER && error != VN_ERROR_MEMORY;
	if (asks(now))
		return error == VN_ERROR_PAGE_INVALID ||
		       error == VN_ERROR_PAGE_FAILURE;
	return error == VN_ERROR_ABORTED || error == VN_ERROR_IGNORED;
}

static int finish(struct soak_vm *vm, struct soak_device *device,
		  unsigned int index, struct vn_channel_status status)
{
	struct soak_access *now = &device->channels[index].now;
	bool done = status.state == VN_CHANNEL_OK;

	now->running = false;
	vm->book->count.accesses++;
	if (now->access.op == VN_OP_ATOMIC &&
	    check_atomic(vm, device, index, done))
		return -EIO;
	if (done)
		return now->access.op == VN_OP_WRITE ?
		       check_write(vm, device, index) : 0;
	vm->book->count.failed++;
	/* Perhaps the VMM was stopped since it looked at the clock. */
	soak_tick(vm);
	if (!possible(now, status.error))
		return soak_fail(vm, "an access (%u) that %s failed at 0x%" PRIx64
				 " of 0x%" PRIx64 ": %s; %" PRIu64 " resets, %" PRIu64
				 " contexts%s", now->access.op, asks(now) ?
				 "asks for pages" : "stalls",
				 vn_testdev_error_address(&device->device, index),
				 now->access.iova,
				 vn_channel_error_name(status.error),
				 vm->book->count.resets, vm->book->count.contexts,
				 vm->book->disturbed ? ", disturbed" : "");
	if (!now->may_fail && !now->disturbed)
		vm->book->count.unexplained++;
	return 0;
}

int soak_look(struct soak_vm *vm, struct soak_device *device, unsigned int index)
{
	struct soak_access *now = &device->channels[index].now;
	uint64_t age_ms = vm->now_ms - now->started_ms;
	struct vn_channel_status status;

	status = vn_testdev_status(&device->device, index);
	if (status.state == VN_CHANNEL_OK || status.state == VN_CHANNEL_ERROR)
		return finish(vm, device, index, status);
	if (status.state == VN_CHANNEL_IDLE)
		return soak_fail(vm, "channel %u has forgotten what it does", index);
	if (now->disturbed && asks(now) && age_ms > DISTURBED_MS) {
		vn_testdev_stop(&device->device, index);
		now->running = false;
		return 0;
	}
	if (age_ms > STUCK_MS)
		return soak_fail(vm, "channel %u of %s at 0x%" PRIx64
				 " is %s after %u s, %u of %u accesses left", index,
				 device->device.pci.name, now->access.iova,
				 vn_channel_state_name(status.state),
				 STUCK_MS / 1000, status.pending,
				 now->access.outstanding ?: 1);
	return 0;
}

void soak_forget(struct soak_device *device)
{
	unsigned int i;

	for (i = 0; i < SOAK_CHANNELS; i++)
		device->channels[i].now.running = false;
}
