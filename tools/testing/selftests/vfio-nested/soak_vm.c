// SPDX-License-Identifier: GPL-2.0
/* A VMM of the soak: it keeps its devices busy until it is stopped or killed. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "soak_vm.h"
#include "util.h"

/* Of a device in its guest; the hardware's is another one. */
#define STREAM(number)		(0x20 + (number))
/* A step longer than this is one in which somebody else had the processor. */
#define STEP_MS			50

/* The process has one virtual machine; it is large. */
static struct soak_vm the_vm;

int soak_fail(struct soak_vm *vm, const char *format, ...)
{
	char *text = vm->book->failure;
	va_list args;

	if (text[0])
		return -EIO;
	va_start(args, format);
	vsnprintf(text, sizeof(vm->book->failure), format, args);
	va_end(args);
	return -EIO;
}

uint64_t soak_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* --- The beginning -------------------------------------------------------- */

static int open_device(struct soak_vm *vm, struct soak_device *device,
		       unsigned int number)
{
	struct soak_book *book = vm->book;
	struct vn_guest *guest = &device->guest;
	int ret;

	device->number = number;
	device->stream = STREAM(number);
	guest->vm = &vm->vm;
	guest->fd = book->fd;
	ret = vn_device_open(&device->device, &vm->vm, book->devices[number]);
	if (!ret)
		ret = vn_guest_bind(guest, &device->device, device->stream);
	if (ret)
		return ret;
	device->stalls = guest->info.caps & VFIO_NESTED_CAP_STALL;
	device->requests = guest->info.caps & VFIO_NESTED_CAP_PRI;
	ret = soak_device_tables(vm, device);
	if (!ret)
		ret = vn_guest_translate(guest, device->stream);
	if (!ret)
		ret = soak_device_enable(vm, device);
	return ret;
}

static int open_all(struct soak_vm *vm)
{
	unsigned int i;
	int ret;

	ret = vn_vm_open(&vm->vm);
	for (i = 0; i < vm->book->nr_devices && !ret; i++) {
		ret = open_device(vm, &vm->devices[i], i);
		vm->nr_devices++;
	}
	return ret ? soak_fail(vm, "%s", vn_reason()) : 0;
}

/* --- What happens to a guest ---------------------------------------------- */

static int reset_device(struct soak_vm *vm, struct soak_device *device)
{
	static const enum vn_reset ways[] = {
		VN_RESET_VFIO, VN_RESET_FUNCTION, VN_RESET_HOT,
	};
	enum vn_reset how = ways[soak_choose(&vm->rng, VN_ARRAY_SIZE(ways))];
	int ret;

	ret = vn_device_reset(&device->device, how);
	if (ret == -EOPNOTSUPP)
		return 0;
	if (ret)
		return soak_fail(vm, "%s", vn_reason());
	soak_forget(device);
	device->reset_ns = soak_now_ns();
	device->was_reset = true;
	device->failed = false;
	vm->book->count.resets++;
	if (soak_device_enable(vm, device))
		return soak_fail(vm, "after a reset: %s", vn_reason());
	return 0;
}

/* What runs now may fail for another reason than its faults. */
static void disturb(struct soak_device *device)
{
	unsigned int i;

	for (i = 0; i < SOAK_CHANNELS; i++)
		device->channels[i].now.disturbed = true;
}

/* Another entry for the same tables: nothing must be seen of it, where that can be. */
static int replace_context(struct soak_vm *vm, struct soak_device *device)
{
	if (!device->guest.arch->hitless)
		disturb(device);
	vm->book->count.contexts++;
	if (vn_guest_translate(&device->guest, device->stream))
		return soak_fail(vm, "%s", vn_reason());
	return 0;
}

/* No entry for a while: what comes meanwhile fails, what waits goes on waiting. */
static int take_context_away(struct soak_vm *vm, struct soak_device *device)
{
	static const uint32_t types[] = {
		VFIO_NESTED_CONTEXT_CLEAR, VFIO_NESTED_CONTEXT_BYPASS,
		VFIO_NESTED_CONTEXT_ABORT,
	};
	uint32_t type = types[soak_choose(&vm->rng, VN_ARRAY_SIZE(types))];

	vm->book->disturbed = true;
	disturb(device);
	if (vn_nested_set_context(vm->book->fd, device->stream, type))
		return soak_fail(vm, "context %u: %s", type, vn_reason());
	if (soak_maybe(&vm->rng, 50))
		vn_sleep_ms(1);
	if (replace_context(vm, device))
		return -EIO;
	device->away_ns = soak_now_ns();
	return 0;
}

/*
 * Stopped for a moment, perhaps saved as for a migration that is called off. What waits
 * goes on waiting; what comes meanwhile is refused.
 */
static int stop_device(struct soak_vm *vm, struct soak_device *device)
{
	static uint64_t state[0x4000];
	uint32_t len = sizeof(state);
	int ret;

	disturb(device);
	if (vn_nested_set_run(vm->book->fd, device->stream, VFIO_NESTED_STOP))
		return soak_fail(vm, "stop: %s", vn_reason());
	if (soak_maybe(&vm->rng, 50)) {
		/* Who has stalls cannot be saved. */
		ret = vn_nested_save(vm->book->fd, device->stream, state, &len);
		if (ret && (ret != -EBUSY || !device->stalls))
			return soak_fail(vm, "save: %s", vn_reason());
	}
	if (vn_nested_set_run(vm->book->fd, device->stream, VFIO_NESTED_RUN))
		return soak_fail(vm, "run: %s", vn_reason());
	vm->book->count.contexts++;
	device->away_ns = soak_now_ns();
	return 0;
}

/* Commands that change nothing, among faults that are pending */
static int invalidate(struct soak_vm *vm, struct soak_device *device)
{
	const struct vn_space *space =
		&device->spaces[soak_choose(&vm->rng, SOAK_PASIDS)];
	const struct vn_arch *arch = device->guest.arch;
	const struct vn_command list[] = {
		arch->of_space(space->pasid, space->asid),
		arch->reread(device->stream, space->pasid, space->asid),
		arch->reread_all(device->stream), arch->all(), arch->barrier(),
	};
	uint32_t num = 1 + soak_choose(&vm->rng, VN_ARRAY_SIZE(list));

	if (vn_guest_commands(&device->guest, list, &num))
		return soak_fail(vm, "%s", vn_reason());
	return 0;
}

static int something_happens(struct soak_vm *vm)
{
	struct soak_device *device =
		&vm->devices[soak_choose(&vm->rng, vm->nr_devices)];
	unsigned int dice = soak_choose(&vm->rng, 1000);

	if (device->failed && dice < 100)
		return reset_device(vm, device);
	if (dice < 2)
		return reset_device(vm, device);
	if (dice < 4)
		return take_context_away(vm, device);
	if (dice < 6)
		return stop_device(vm, device);
	if (dice < 10)
		return replace_context(vm, device);
	if (dice < 50)
		return invalidate(vm, device);
	return 0;
}

/* --- Life ----------------------------------------------------------------- */

void soak_tick(struct soak_vm *vm)
{
	uint64_t clock = vn_now_ms(), step = clock - vm->clock_ms;
	unsigned int i, j;

	vm->clock_ms = clock;
	vm->now_ms += step < STEP_MS ? step : STEP_MS;
	if (step + 1 < vm->book->deadline_ms / 4)
		return;
	for (i = 0; i < vm->nr_devices; i++)
		for (j = 0; j < SOAK_CHANNELS; j++)
			vm->devices[i].channels[j].now.may_fail = true;
}

/* Looks at what runs and starts what does not; counts what runs now. */
static int drive(struct soak_vm *vm, unsigned int *running)
{
	unsigned int i, j;

	*running = 0;
	for (i = 0; i < vm->nr_devices; i++) {
		struct soak_device *device = &vm->devices[i];

		for (j = 0; j < SOAK_CHANNELS; j++) {
			struct soak_access *now = &device->channels[j].now;
			int ret = 0;

			if (now->running)
				ret = soak_look(vm, device, j);
			else if (!vm->ending)
				ret = soak_start(vm, device, j);
			if (ret)
				return ret;
			*running += now->running;
		}
	}
	return 0;
}

/* One round; *@idle if nothing was to do. */
static int step(struct soak_vm *vm, bool *idle)
{
	struct pollfd readable = { .fd = vm->book->fd, .events = POLLIN };
	unsigned int running;
	int records;

	soak_tick(vm);
	if (drive(vm, &running))
		return -EIO;
	records = soak_read(vm);
	if (records < 0 || soak_answer_late(vm))
		return -EIO;
	if (!vm->ending && !vm->book->calm && something_happens(vm))
		return -EIO;
	*idle = !running && !records && !vm->nr_late &&
		!vn_ring_pending(&vm->book->ring) &&
		!vn_ring_held(&vm->book->ring);
	if (!records)
		poll(&readable, 1, 1);
	return 0;
}

/* --- The end, if nobody kills it ------------------------------------------ */

/*
 * Every request of a device has reached the books, and every group was answered
 * once. A reset takes both counts back, so this is for lives without any.
 */
static int check_devices(struct soak_vm *vm)
{
	uint64_t requests = 0, responses = 0, stalls = 0;
	struct vfio_nested_stats stats;
	unsigned int i;

	for (i = 0; i < vm->nr_devices; i++) {
		struct vn_device *device = &vm->devices[i].device;

		requests += vn_testdev_count(device, VN_COUNT_PAGE_REQUESTS);
		responses += vn_testdev_count(device, VN_COUNT_PAGE_RESPONSES);
		stalls += vn_testdev_count(device, VN_COUNT_STALLS);
		if (vn_testdev_count(device, VN_COUNT_BAD_RESPONSES))
			return soak_fail(vm, "%s got responses that it waits not for; %"
					 PRIu64 " resets, %" PRIu64 " contexts%s",
					 device->pci.name, vm->book->count.resets,
					 vm->book->count.contexts,
					 vm->book->disturbed ? ", disturbed" : "");
	}
	if (vm->book->count.resets || vm->book->disturbed)
		return 0;
	if (vn_nested_stats(vm->book->fd, &stats))
		return soak_fail(vm, "%s", vn_reason());
	if (stats.page_requests != requests)
		return soak_fail(vm, "devices sent %" PRIu64
				 " page requests, the kernel saw %" PRIu64, requests,
				 (uint64_t)stats.page_requests);
	if (stats.faults > stalls + responses)
		return soak_fail(vm, "%" PRIu64 " faults, but devices saw %" PRIu64
				 " stalls and %" PRIu64 " responses",
				 (uint64_t)stats.faults, stalls, responses);
	if (vm->book->count.groups > responses)
		return soak_fail(vm, "%" PRIu64 " groups, %" PRIu64 " responses",
				 vm->book->count.groups, responses);
	return 0;
}

static int settle(struct soak_vm *vm)
{
	bool idle = false;
	int ret = 0;

	vm->ending = true;
	while (!ret && !idle)
		ret = step(vm, &idle);
	return ret ?: check_devices(vm);
}

/* Who has bound a device may unbind it, close it, or leave that to exit. */
static int leave(struct soak_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_devices; i++) {
		struct vn_device *device = &vm->devices[i].device;

		switch (soak_choose(&vm->rng, 3)) {
		case 0:
			if (vn_nested_unbind(device->fd))
				return soak_fail(vm, "%s", vn_reason());
			break;
		case 1:
			vn_device_close(device);
			break;
		}
	}
	return 0;
}

int soak_live(struct soak_book *book)
{
	struct soak_vm *vm = &the_vm;
	bool idle;
	int ret;

	vm->book = book;
	soak_seed(&vm->rng, book->seed);
	ret = open_all(vm);
	vm->clock_ms = vn_now_ms();
	book->state = SOAK_ALIVE;
	while (!ret && !book->stop)
		ret = step(vm, &idle);
	if (!ret)
		ret = settle(vm);
	if (!ret)
		ret = leave(vm);
	if (!ret)
		book->state = SOAK_SETTLED;
	return ret;
}
