// SPDX-License-Identifier: GPL-2.0
/* What a guest and its VMM make the kernel allocate */
#include <errno.h>
#include <stdio.h>

#include "bench.h"
#include "memory.h"
#include "meter.h"
#include "util.h"

static struct rig rig;

/*
 * Device @i becomes part of the virtual machine, with a context and reports of faults; the
 * first with the virtual IOMMU.
 */
static int nest(unsigned int i, uint64_t *bytes)
{
	int ret, stop;

	ret = memory_start();
	if (ret)
		return ret;
	ret = rig_nest(&rig, i, 1, true);
	stop = memory_stop(bytes);
	return ret ? ret : stop;
}

static int raise_faults(unsigned int num, uint64_t *bytes)
{
	uint64_t names[RIG_FAULTS];
	int ret, stop;

	ret = memory_start();
	if (ret)
		return ret;
	ret = rig_raise(&rig, names, num);
	stop = memory_stop(bytes);
	if (!ret)
		ret = rig_abort(&rig, names, num);
	return ret ? ret : stop;
}

/* The second burst: what the first one needs besides may be kept. */
static int faults(void)
{
	unsigned int num = rig.arch->fault_burst;
	uint64_t bytes;
	int ret;

	ret = raise_faults(num, &bytes);
	if (!ret)
		ret = raise_faults(num, &bytes);
	if (!ret)
		meter_figure("memory/pending-fault", "bytes", (double)bytes / num);
	return ret;
}

int bench_memory(const struct bench_options *options)
{
	uint64_t first, second;
	int ret;

	if (options->nr_names < 2)
		return vn_fail(-EINVAL, "needs two devices in VFIO_NESTED_DEVICES");
	ret = rig_attach(&rig, options->driver, (void *)options->names, 2);
	if (!ret)
		ret = nest(0, &first);
	if (!ret)
		ret = nest(1, &second);
	if (!ret) {
		meter_figure("memory/virtual-iommu", "bytes", first - second);
		meter_figure("memory/device", "bytes", second);
		ret = faults();
	}
	rig_close(&rig);
	return ret;
}
