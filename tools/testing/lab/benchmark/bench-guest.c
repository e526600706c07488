// SPDX-License-Identifier: GPL-2.0
/* What a guest and its VMM cause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench.h"
#include "capability.h"
#include "meter.h"
#include "testdev.h"
#include "util.h"

#define SAMPLES		15
#define CALIBRATE_OPS	256
#define MAX_BATCH	256
/* Commands of one sample, at least */
#define FORWARD_OPS	512
#define BIND_OPS	16
/* Single faults are samples of their own, for the distribution. */
#define FAULT_SAMPLES	201
#define BURST_SAMPLES	101
#define SLEEP_NS	500000

static struct rig rig;

static int open_rig(const struct bench_options *options, unsigned int num,
		    bool faults)
{
	return rig_open(&rig, options->driver, (void *)options->names, num, faults);
}

/* --- Fixed costs ----------------------------------------------------------- */

static int empty_ioctls(void *data)
{
	int fd = *(int *)data;
	unsigned int i;

	meter_start();
	for (i = 0; i < CALIBRATE_OPS; i++)
		if (!ioctl(fd, 0, 0))
			return -EPROTO;
	meter_stop();
	return 0;
}

static int doorbells(void *data)
{
	struct vn_device *device = data;
	unsigned int i;

	meter_start();
	for (i = 0; i < CALIBRATE_OPS; i++)
		vn_testdev_misbehave(device, 0);
	meter_stop();
	return 0;
}

/* What it takes to wait in poll(), and to be woken by an interrupt */
static int sleeps(void *data)
{
	const struct itimerspec soon = { .it_value.tv_nsec = SLEEP_NS };
	struct pollfd wanted = { .fd = *(int *)data, .events = POLLIN };
	bool woken;

	if (timerfd_settime(wanted.fd, 0, &soon, NULL))
		return -EPROTO;
	meter_start();
	woken = poll(&wanted, 1, VN_TIMEOUT_MS) == 1;
	meter_stop();
	return woken ? 0 : -EPROTO;
}

static int calibrate_sleep(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	int ret;

	if (fd < 0)
		return vn_fail(-errno, "timerfd_create: %m");
	ret = meter_case("calibrate/sleep", FAULT_SAMPLES, 1, sleeps, &fd);
	close(fd);
	return ret;
}

int bench_calibrate(const struct bench_options *options)
{
	int fds[2];
	int ret;

	if (pipe(fds))
		return vn_fail(-errno, "pipe: %m");
	ret = meter_case("calibrate/empty-ioctl", SAMPLES, CALIBRATE_OPS,
			 empty_ioctls, &fds[0]);
	close(fds[0]);
	close(fds[1]);
	if (!ret)
		ret = calibrate_sleep();
	if (!ret)
		ret = open_rig(options, 1, false);
	if (!ret)
		ret = meter_case("calibrate/doorbell", SAMPLES, CALIBRATE_OPS,
				 doorbells, &rig.devices[0]);
	rig_close(&rig);
	return ret;
}

/* --- Invalidations --------------------------------------------------------- */

struct batch {
	struct vn_command commands[MAX_BATCH];
	unsigned int num;
	unsigned int repeat;
	unsigned int threads;
};

static const unsigned int batches[] = { 1, 8, 64, 256 };

static int send_batches(void *data)
{
	struct batch *batch = data;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < batch->repeat && !ret; i++)
		ret = rig.driver->invalidate(&rig, batch->commands, batch->num);
	return ret;
}

static int forward_sample(void *data)
{
	int ret;

	meter_start();
	ret = send_batches(data);
	meter_stop();
	return ret;
}

static int forward_threads_sample(void *data)
{
	struct batch *batch = data;

	return bench_threads(batch->threads, send_batches, batch);
}

static void fill(struct batch *batch, const struct rig_kind *kind, unsigned int num)
{
	unsigned int i;

	batch->num = num;
	batch->repeat = FORWARD_OPS / num;
	for (i = 0; i < num; i++)
		batch->commands[i] = kind->make(&rig, i);
}

static int forward_kind(const struct rig_kind *kind)
{
	static struct batch batch;
	char name[64];
	unsigned int i;
	int ret = 0;

	for (i = 0; i < VN_ARRAY_SIZE(batches) && !ret; i++) {
		if (kind->alike && batches[i] > 1)
			break;
		fill(&batch, kind, batches[i]);
		snprintf(name, sizeof(name), "forward/%s/batch-%u/devices-%u",
			 kind->name, batches[i], rig.nr_devices);
		ret = meter_case(name, SAMPLES, batch.num * batch.repeat,
				 forward_sample, &batch);
	}
	return ret;
}

/* The same number of commands, by each of 1 and 2 threads */
static int forward_threads(const struct bench_options *options)
{
	const struct rig_kind *kind = &rig.arch->kinds[0];
	static struct batch batch;
	char name[64];
	unsigned int i;
	int ret = 0;

	for (i = 0; i < VN_ARRAY_SIZE(batches) && !ret; i++) {
		for (batch.threads = 1; batch.threads <= options->threads && !ret;
		     batch.threads++) {
			fill(&batch, kind, batches[i]);
			batch.repeat *= 4;
			snprintf(name, sizeof(name),
				 "forward/%s/batch-%u/threads-%u", kind->name,
				 batches[i], batch.threads);
			ret = meter_case(name, SAMPLES,
					 batch.num * batch.repeat * batch.threads,
					 forward_threads_sample, &batch);
		}
	}
	return ret;
}

/* The guest's entry lets the device translate, so that there is an ATC. */
static int enable_ats(void)
{
	struct vn_context context;
	unsigned int i;
	int ret;

	ret = vn_device_enable_ats(&rig.devices[0], true);
	if (ret)
		return ret;
	rig.guest.ats = true;
	for (i = 0; i < rig.nr_devices && !ret; i++) {
		context = rig_context(&rig, i);
		ret = rig.driver->set(&rig, i, &context);
	}
	return ret;
}

static int forward_devices(const struct bench_options *options, unsigned int num)
{
	const struct rig_kind *kind;
	unsigned int i;
	int ret;

	ret = open_rig(options, num, false);
	for (i = 0; !ret && i < rig.arch->nr_kinds; i++) {
		kind = &rig.arch->kinds[i];
		if (kind->ats && !rig.guest.ats)
			ret = enable_ats();
		if (!ret)
			ret = forward_kind(kind);
		/* What is bound need not be the laboratory's device. */
		if (ret == -EOPNOTSUPP && kind->ats) {
			printf("# forward/%s: %s\n", kind->name, vn_reason());
			ret = 0;
		}
		if (!i && !ret && options->threads > 1 && num == 1)
			ret = forward_threads(options);
	}
	rig_close(&rig);
	return ret;
}

int bench_forward(const struct bench_options *options)
{
	static const unsigned int numbers[] = { 1, 16, 256 };
	unsigned int i;
	int ret = 0;

	for (i = 0; i < VN_ARRAY_SIZE(numbers) && !ret; i++)
		if (numbers[i] <= options->nr_names)
			ret = forward_devices(options, numbers[i]);
	return ret;
}

/* --- Faults ---------------------------------------------------------------- */

struct faults {
	uint64_t names[RIG_FAULTS];
	unsigned int num;
};

/*
 * What is tried again where nothing is mapped stalls again: one answer and the next
 * report are a whole round, from event to event.
 */
static int fault_round(void *data)
{
	struct faults *faults = data;
	int ret;

	meter_start();
	ret = rig.driver->answer(&rig, faults->names, faults->num, true);
	if (!ret)
		ret = rig_wait(&rig, faults->names, faults->num);
	meter_stop();
	return ret;
}

static int fault_case(const char *name, unsigned int num, unsigned int samples)
{
	struct faults faults = { .num = num };
	int ret;

	ret = rig_raise(&rig, faults.names, num);
	if (!ret)
		ret = meter_case(name, samples, num, fault_round, &faults);
	return ret ? ret : rig_abort(&rig, faults.names, num);
}

static int fault_cases(const char *pace)
{
	unsigned int burst = rig.arch->fault_burst;
	char name[64];
	int ret;

	snprintf(name, sizeof(name), "fault/single/%s/devices-%u", pace,
		 rig.nr_devices);
	ret = fault_case(name, 1, FAULT_SAMPLES);
	if (ret)
		return ret;
	snprintf(name, sizeof(name), "fault/burst-%u/%s/devices-%u", burst, pace,
		 rig.nr_devices);
	return fault_case(name, burst, BURST_SAMPLES);
}

static int fault_paces(const struct bench_options *options)
{
	const struct rig_pace *pace;
	int ret = 0;

	for (pace = rig.arch->fault_paces; pace->name && !ret; pace++) {
		if (options->wall && pace->latency_ns)
			continue;
		vn_testdev_latency(&rig.devices[0], pace->latency_ns);
		ret = fault_cases(pace->name);
	}
	return ret;
}

static int fault_devices(const struct bench_options *options, unsigned int num)
{
	int ret;

	ret = open_rig(options, num, true);
	if (!ret)
		ret = fault_paces(options);
	rig_close(&rig);
	return ret;
}

int bench_fault(const struct bench_options *options)
{
	static const unsigned int numbers[] = { 1, 16, 256 };
	unsigned int i;
	int ret = 0;

	for (i = 0; i < VN_ARRAY_SIZE(numbers) && !ret; i++)
		if (numbers[i] <= options->nr_names)
			ret = fault_devices(options, numbers[i]);
	return ret;
}

/* --- Contexts -------------------------------------------------------------- */

/* Which of the three is measured; all have to be done. */
struct steps {
	struct vn_context one;
	struct vn_context other;
	bool set;
	bool replace;
	bool clear;
};

static int set_step(bool measured, const struct vn_context *context)
{
	int ret;

	if (measured)
		meter_start();
	ret = rig.driver->set(&rig, 0, context);
	if (measured)
		meter_stop();
	return ret;
}

static int clear_step(bool measured)
{
	int ret;

	if (measured)
		meter_start();
	ret = rig.driver->clear(&rig, 0);
	if (measured)
		meter_stop();
	return ret;
}

static int bind_sample(void *data)
{
	struct steps *steps = data;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < BIND_OPS && !ret; i++) {
		ret = set_step(steps->set, &steps->one);
		if (!ret)
			ret = set_step(steps->replace, &steps->other);
		if (!ret)
			ret = clear_step(steps->clear);
	}
	return ret;
}

static int bind_case(const char *name, struct steps *steps)
{
	int ret;

	ret = meter_case(name, SAMPLES, BIND_OPS, bind_sample, steps);
	steps->set = false;
	steps->replace = false;
	steps->clear = false;
	return ret;
}

static int bind_cases(const struct bench_options *options, const char *what,
		      bool faults)
{
	struct steps steps = {};
	char name[64];
	uint64_t table;
	size_t size;
	int ret;

	ret = open_rig(options, 1, faults);
	if (ret)
		goto out;
	steps.one = rig_context(&rig, 0);
	table = rig.guest.cd;
	size = rig.arch->table_size;
	/* Another table that says the same */
	rig.guest.cd = vn_vm_alloc(&rig.vm, size, VN_PAGE);
	memcpy(vn_vm_va(&rig.vm, rig.guest.cd), vn_vm_va(&rig.vm, table), size);
	steps.other = rig_context(&rig, 0);
	ret = rig.driver->clear(&rig, 0);
	steps.set = true;
	snprintf(name, sizeof(name), "bind/%sset", what);
	if (!ret)
		ret = bind_case(name, &steps);
	steps.replace = true;
	snprintf(name, sizeof(name), "bind/%sreplace", what);
	if (!ret)
		ret = bind_case(name, &steps);
	steps.clear = true;
	snprintf(name, sizeof(name), "bind/%sclear", what);
	if (!ret)
		ret = bind_case(name, &steps);
out:
	rig_close(&rig);
	return ret;
}

int bench_bind(const struct bench_options *options)
{
	int ret;

	ret = bind_cases(options, "", false);
	/* To take page requests is what the in-tree driver has to be asked for. */
	if (!ret && rig.arch->fault_flags & VN_ACCESS_PRI)
		ret = bind_cases(options, "requests-", true);
	return ret;
}
