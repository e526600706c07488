// SPDX-License-Identifier: GPL-2.0
/* What a guest and its VMM cause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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
#define BURST		64
#define BURST_SAMPLES	31
#define CHANNEL		1

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
		ret = open_rig(options, 1, false);
	if (!ret)
		ret = meter_case("calibrate/doorbell", SAMPLES, CALIBRATE_OPS,
				 doorbells, &rig.devices[0]);
	rig_close(&rig);
	return ret;
}

/* --- Invalidations --------------------------------------------------------- */

struct batch {
	struct vfio_nested_command_smmuv3 commands[MAX_BATCH];
	unsigned int num;
	unsigned int repeat;
	unsigned int threads;
};

static struct vfio_nested_command_smmuv3 nh_va(unsigned int i)
{
	return vn_cmd_tlbi(VN_CMD_TLBI_NH_VA, RIG_ASID, RIG_IOVA + i * VN_PAGE);
}

static struct vfio_nested_command_smmuv3 nh_vaa(unsigned int i)
{
	return vn_cmd_tlbi(VN_CMD_TLBI_NH_VAA, 0, RIG_IOVA + i * VN_PAGE);
}

static struct vfio_nested_command_smmuv3 nh_va_range(unsigned int i)
{
	return vn_cmd_tlbi_range(VN_CMD_TLBI_NH_VA, RIG_ASID,
				 RIG_IOVA + i * 16 * VN_PAGE, 12, 16);
}

static struct vfio_nested_command_smmuv3 nh_asid(unsigned int i)
{
	return vn_cmd_tlbi(VN_CMD_TLBI_NH_ASID, RIG_ASID, 0);
}

static struct vfio_nested_command_smmuv3 nh_all(unsigned int i)
{
	return vn_cmd_tlbi(VN_CMD_TLBI_NH_ALL, 0, 0);
}

static struct vfio_nested_command_smmuv3 nsnh_all(unsigned int i)
{
	return vn_cmd_tlbi(VN_CMD_TLBI_NSNH_ALL, 0, 0);
}

static struct vfio_nested_command_smmuv3 cfgi_cd(unsigned int i)
{
	return vn_cmd_cfgi_cd(RIG_STREAM(i % rig.nr_devices), 0);
}

static struct vfio_nested_command_smmuv3 cfgi_cd_all(unsigned int i)
{
	return vn_cmd_cfgi_cd_all(RIG_STREAM(i % rig.nr_devices));
}

static struct vfio_nested_command_smmuv3 atc_inv(unsigned int i)
{
	return vn_cmd_atc_inv(RIG_STREAM(i % rig.nr_devices), VN_NO_PASID,
			      RIG_IOVA + i * VN_PAGE, 0);
}

static const struct {
	const char *name;
	struct vfio_nested_command_smmuv3 (*make)(unsigned int i);
} kinds[] = {
	{ "NH_VA", nh_va },
	{ "NH_VA-range", nh_va_range },
	{ "NH_VAA", nh_vaa },
	{ "NH_ASID", nh_asid },
	{ "NH_ALL", nh_all },
	{ "NSNH_ALL", nsnh_all },
	{ "CFGI_CD", cfgi_cd },
	{ "CFGI_CD_ALL", cfgi_cd_all },
	{ "ATC_INV", atc_inv },
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

static void fill(struct batch *batch, unsigned int kind, unsigned int num)
{
	unsigned int i;

	batch->num = num;
	batch->repeat = FORWARD_OPS / num;
	for (i = 0; i < num; i++)
		batch->commands[i] = kinds[kind].make(i);
}

static int forward_kind(const struct bench_options *options, unsigned int kind)
{
	static struct batch batch;
	char name[64];
	unsigned int i;
	int ret = 0;

	for (i = 0; i < VN_ARRAY_SIZE(batches) && !ret; i++) {
		fill(&batch, kind, batches[i]);
		snprintf(name, sizeof(name), "forward/%s/batch-%u/devices-%u",
			 kinds[kind].name, batches[i], rig.nr_devices);
		ret = meter_case(name, SAMPLES, batch.num * batch.repeat,
				 forward_sample, &batch);
	}
	return ret;
}

/* The same number of commands, by each of 1 and 2 threads */
static int forward_threads(const struct bench_options *options)
{
	static struct batch batch;
	char name[64];
	unsigned int i;
	int ret = 0;

	for (i = 0; i < VN_ARRAY_SIZE(batches) && !ret; i++) {
		for (batch.threads = 1; batch.threads <= options->threads && !ret;
		     batch.threads++) {
			fill(&batch, 0, batches[i]);
			batch.repeat *= 4;
			snprintf(name, sizeof(name),
				 "forward/NH_VA/batch-%u/threads-%u", batches[i],
				 batch.threads);
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
	uint64_t ste[2];
	unsigned int i;
	int ret;

	rig.guest.ats = true;
	vn_guest_ste(&rig.guest, ste);
	ret = vn_device_enable_ats(&rig.devices[0], true);
	for (i = 0; i < rig.nr_devices && !ret; i++)
		ret = rig.driver->set(&rig, i, ste);
	return ret;
}

static bool is_atc(unsigned int kind)
{
	return kinds[kind].make == atc_inv;
}

static int forward_devices(const struct bench_options *options, unsigned int num)
{
	unsigned int i;
	int ret;

	ret = open_rig(options, num, false);
	for (i = 0; i < VN_ARRAY_SIZE(kinds) && !ret; i++) {
		if (is_atc(i))
			ret = enable_ats();
		if (!ret)
			ret = forward_kind(options, i);
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
	uint64_t names[BURST];
	unsigned int num;
};

static int wait_all(struct faults *faults)
{
	unsigned int have = 0;

	while (have < faults->num) {
		int got = rig.driver->wait(&rig, faults->names + have,
					   faults->num - have);

		if (got < 0)
			return got;
		have += got;
	}
	return 0;
}

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
		ret = wait_all(faults);
	meter_stop();
	return ret;
}

static int fault_case(const char *name, unsigned int num, unsigned int samples)
{
	struct vn_device *device = &rig.devices[0];
	struct faults faults = { .num = num };
	struct vn_access access = {
		.op = VN_OP_WRITE,
		.flags = VN_ACCESS_STALL,
		.iova = RIG_IOVA,
		.length = num * sizeof(uint64_t),
		.outstanding = num,
	};
	struct vn_channel_status status;
	int ret;

	ret = vn_testdev_start(device, CHANNEL, &access);
	if (!ret)
		ret = wait_all(&faults);
	if (!ret)
		ret = meter_case(name, samples, num, fault_round, &faults);
	if (!ret)
		ret = rig.driver->answer(&rig, faults.names, num, false);
	if (!ret)
		ret = vn_testdev_wait(device, CHANNEL, VN_TIMEOUT_MS, &status);
	if (!ret && status.error != VN_ERROR_ABORTED)
		ret = vn_fail(-EPROTO, "an access that was aborted ended otherwise: %s",
			      vn_channel_error_name(status.error));
	return ret;
}

static int fault_devices(const struct bench_options *options, unsigned int num)
{
	char name[64];
	int ret;

	ret = open_rig(options, num, true);
	snprintf(name, sizeof(name), "fault/single/devices-%u", num);
	if (!ret)
		ret = fault_case(name, 1, FAULT_SAMPLES);
	snprintf(name, sizeof(name), "fault/burst-%u/devices-%u", BURST, num);
	if (!ret)
		ret = fault_case(name, BURST, BURST_SAMPLES);
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

/* --- Stream table entries --------------------------------------------------- */

/* Which of the three is measured; all have to be done. */
struct steps {
	uint64_t one[2];
	uint64_t other[2];
	bool set;
	bool replace;
	bool clear;
};

static int set_step(bool measured, const uint64_t ste[2])
{
	int ret;

	if (measured)
		meter_start();
	ret = rig.driver->set(&rig, 0, ste);
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
		ret = set_step(steps->set, steps->one);
		if (!ret)
			ret = set_step(steps->replace, steps->other);
		if (!ret)
			ret = clear_step(steps->clear);
	}
	return ret;
}

int bench_bind(const struct bench_options *options)
{
	struct steps steps = { .set = true };
	uint64_t table;
	int ret;

	ret = open_rig(options, 1, false);
	if (ret)
		goto out;
	vn_guest_ste(&rig.guest, steps.one);
	table = rig.guest.cd;
	/* Another table with the same descriptor */
	rig.guest.cd = vn_vm_alloc(&rig.vm, VN_CD_SIZE, VN_PAGE);
	memcpy(vn_vm_va(&rig.vm, rig.guest.cd), vn_vm_va(&rig.vm, table), VN_CD_SIZE);
	vn_guest_ste(&rig.guest, steps.other);
	ret = rig.driver->clear(&rig, 0);
	if (!ret)
		ret = meter_case("bind/set", SAMPLES, BIND_OPS, bind_sample, &steps);
	steps = (struct steps){
		.one = { steps.one[0], steps.one[1] },
		.other = { steps.other[0], steps.other[1] },
		.replace = true,
	};
	if (!ret)
		ret = meter_case("bind/replace", SAMPLES, BIND_OPS, bind_sample,
				 &steps);
	steps.replace = false;
	steps.clear = true;
	if (!ret)
		ret = meter_case("bind/clear", SAMPLES, BIND_OPS, bind_sample, &steps);
out:
	rig_close(&rig);
	return ret;
}
