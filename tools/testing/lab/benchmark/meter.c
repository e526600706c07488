// SPDX-License-Identifier: GPL-2.0
/*
 * An emulator that counts instructions has one count for all CPUs, and the counter
 * of one CPU shows it: CPU 0's is read, whichever CPU the caller is on.
 *
 * On x86 the emulator has no counter of instructions, but a clock that goes on by one with
 * each (TSC). It also goes on while all CPUs wait for something: so one never does, but
 * has a loop, of lowest priority, whose instructions are taken off again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fnmatch.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "meter.h"
#include "util.h"

#define OVERHEAD_SAMPLES	101

static bool by_clock;
static uint64_t overhead, started, sum;
static const char *wanted;
static unsigned int factor = 1;

#ifdef __x86_64__
#define LOOPS		1000
/* Instructions of one round of each of the loops below */
#define PER_LOOP	2
/* Around the first loop, at most */
#define READ_COST	16

static volatile uint64_t spins;

static uint64_t instructions(void)
{
	return __builtin_ia32_rdtsc() - PER_LOOP * spins;
}

static void *spin(void *unused)
{
	asm volatile("1: incq %0; jmp 1b" : "+m" (spins));
	return NULL;
}

/* Of some tries that which no interrupt has come into */
static uint64_t cost_of_loop(void)
{
	uint64_t least = UINT64_MAX, before, took;
	unsigned int i, n;

	for (i = 0; i < OVERHEAD_SAMPLES; i++) {
		n = LOOPS;
		before = instructions();
		asm volatile("1: dec %0; jnz 1b" : "+r" (n));
		took = instructions() - before;
		if (took < least)
			least = took;
	}
	return least;
}

static int open_counter(void)
{
	struct sched_param param = {};
	uint64_t cost = cost_of_loop();
	pthread_t thread;
	cpu_set_t set;

	if (cost < PER_LOOP * LOOPS || cost > PER_LOOP * LOOPS + READ_COST)
		return vn_fail(-ENODEV,
			       "%u instructions took %llu ticks of the TSC: needs QEMU's -icount shift=0, or use -w",
			       PER_LOOP * LOOPS, (unsigned long long)cost);
	if (pthread_create(&thread, NULL, spin, NULL))
		return vn_fail(-EAGAIN, "no thread");
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	pthread_setaffinity_np(thread, sizeof(set), &set);
	if (pthread_setschedparam(thread, SCHED_IDLE, &param))
		return vn_fail(-EPERM, "no thread of lowest priority");
	return 0;
}
#else
static int counter = -1;

static uint64_t instructions(void)
{
	uint64_t value = 0;

	if (read(counter, &value, sizeof(value)) != sizeof(value)) {
		perror("nested-bench: the instruction counter cannot be read");
		exit(1);
	}
	return value;
}

static int open_counter(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.pinned = 1,
	};

	counter = syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);
	if (counter < 0)
		return vn_fail(-errno,
			       "no instruction counter (perf_event_open: %m): needs QEMU's -icount, or use -w");
	return 0;
}
#endif

static uint64_t now(void)
{
	struct timespec ts;

	if (!by_clock)
		return instructions();
	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/*
 * Where a profiler of the emulator has to look (HINTs that the architecture does not
 * define do nothing).
 */
static void mark(bool start)
{
#ifdef __aarch64__
	if (start)
		asm volatile("hint #0x70" : : : "memory");
	else
		asm volatile("hint #0x71" : : : "memory");
#endif
}

void meter_start(void)
{
	started = now();
	mark(true);
}

void meter_stop(void)
{
	uint64_t took;

	mark(false);
	took = now() - started;

	sum += took > overhead ? took - overhead : 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int meter_open(bool wall, const char *pattern, unsigned int times)
{
	double took[OVERHEAD_SAMPLES];
	unsigned int i;
	int ret;

	wanted = pattern;
	factor = times;
	by_clock = wall;
	if (!wall) {
		ret = open_counter();
		if (ret)
			return ret;
	}
	for (i = 0; i < OVERHEAD_SAMPLES; i++) {
		sum = 0;
		meter_start();
		meter_stop();
		took[i] = sum;
	}
	qsort(took, OVERHEAD_SAMPLES, sizeof(took[0]), by_value);
	overhead = took[OVERHEAD_SAMPLES / 2];
	return 0;
}

static const char *unit(void)
{
	return by_clock ? "ns" : "instructions";
}

/* @sorted are @num samples. */
static void print_figure(const char *name, const char *unit, const double *sorted,
			 unsigned int num)
{
	static const unsigned int percent[] = METER_PERCENT;
	unsigned int i;

	printf("bench %s %s %u", name, unit, num);
	for (i = 0; i < VN_ARRAY_SIZE(percent); i++)
		printf(" %.2f", sorted[(num - 1) * percent[i] / 100]);
	printf("\n");
	fflush(stdout);
}

int meter_case(const char *name, unsigned int samples, unsigned int ops,
	       meter_sample sample, void *data)
{
	unsigned int i;
	double *took;
	int ret;

	if (wanted && fnmatch(wanted, name, 0))
		return 0;
	samples *= factor;
	took = calloc(samples, sizeof(*took));
	if (!took)
		return vn_fail(-ENOMEM, "no memory");
	printf("# %s\n", name);
	fflush(stdout);
	ret = sample(data);
	for (i = 0; i < samples && !ret; i++) {
		sum = 0;
		ret = sample(data);
		took[i] = (double)sum / ops;
	}
	if (!ret) {
		qsort(took, samples, sizeof(*took), by_value);
		print_figure(name, unit(), took, samples);
	}
	free(took);
	return ret;
}

void meter_figure(const char *name, const char *unit, double value)
{
	print_figure(name, unit, &value, 1);
}
