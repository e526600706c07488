/* SPDX-License-Identifier: GPL-2.0 */
/* The groups of cases. Each returns 0, or a negative errno after vn_fail(). */
#ifndef BENCH_H
#define BENCH_H

#include "rig.h"

struct bench_options {
	const struct rig_driver *driver;
	/* Functions that the groups may use, bound to the driver's VFIO driver */
	char names[RIG_DEVICES][VN_PCI_NAME_LEN];
	unsigned int nr_names;
	unsigned int threads;
	/* Time is measured, and what devices take counts. */
	bool wall;
};

/* An empty ioctl, a write to a device's register */
int bench_calibrate(const struct bench_options *options);
/* The guest's commands, by their kind and number */
int bench_forward(const struct bench_options *options);
/* From a stalled access to its answer */
int bench_fault(const struct bench_options *options);
/* Stream table entries set, replaced and cleared */
int bench_bind(const struct bench_options *options);
/* What the kernel allocates for all of that */
int bench_memory(const struct bench_options *options);
/* The host's own mappings */
int bench_dma(const struct bench_options *options);
/* Random reads of an NVMe drive that the host itself uses */
int bench_nvme(const struct bench_options *options);

/*
 * Runs @work in @num threads at once, each on a CPU of its own, as one part of a
 * sample; returns the first error.
 */
int bench_threads(unsigned int num, int (*work)(void *data), void *data);

#endif /* BENCH_H */
