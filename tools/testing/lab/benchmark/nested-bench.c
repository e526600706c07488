// SPDX-License-Identifier: GPL-2.0
/*
 * Measures one host driver in one machine; what is measured is in bench-*.c, how in
 * meter.h. Whoever starts it boots the machine with each driver, and compares.
 *
 *	nested-bench [-w] [-t THREADS] [-c PATTERN] [-n TIMES] ours|intree GROUP...
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "meter.h"
#include "util.h"

static const struct {
	const char *name;
	int (*run)(const struct bench_options *options);
} groups[] = {
	{ "calibrate", bench_calibrate },
	{ "forward", bench_forward },
	{ "fault", bench_fault },
	{ "bind", bench_bind },
	{ "memory", bench_memory },
	{ "dma", bench_dma },
	{ "nvme", bench_nvme },
};

static const struct rig_driver *const drivers[] = { &rig_ours, &rig_intree };

/* --- Threads --------------------------------------------------------------- */

struct crew {
	pthread_barrier_t start;
	pthread_barrier_t end;
	int (*work)(void *data);
	void *data;
};

struct worker {
	struct crew *crew;
	pthread_t thread;
	unsigned int cpu;
	int ret;
};

static void *worker_main(void *data)
{
	struct worker *worker = data;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(worker->cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	pthread_barrier_wait(&worker->crew->start);
	worker->ret = worker->crew->work(worker->crew->data);
	pthread_barrier_wait(&worker->crew->end);
	return NULL;
}

int bench_threads(unsigned int num, int (*work)(void *data), void *data)
{
	struct crew crew = { .work = work, .data = data };
	struct worker workers[num];
	unsigned int i;
	int ret = 0;

	pthread_barrier_init(&crew.start, NULL, num + 1);
	pthread_barrier_init(&crew.end, NULL, num + 1);
	for (i = 0; i < num; i++) {
		workers[i] = (struct worker){ .crew = &crew, .cpu = i };
		ret = pthread_create(&workers[i].thread, NULL, worker_main,
				     &workers[i]);
		if (ret) {
			fprintf(stderr, "nested-bench: no thread: %s\n", strerror(ret));
			exit(1);
		}
	}
	meter_start();
	pthread_barrier_wait(&crew.start);
	pthread_barrier_wait(&crew.end);
	meter_stop();
	for (i = 0; i < num; i++) {
		pthread_join(workers[i].thread, NULL);
		if (!ret)
			ret = workers[i].ret;
	}
	pthread_barrier_destroy(&crew.start);
	pthread_barrier_destroy(&crew.end);
	return ret;
}

/* --- Options --------------------------------------------------------------- */

static int usage(void)
{
	unsigned int i;

	fprintf(stderr,
		"usage: nested-bench [-w] [-t THREADS] [-c PATTERN] [-n TIMES] ours|intree GROUP...\n"
		"  -w  nanoseconds instead of instructions\n"
		"  -t  up to so many threads at once (1)\n"
		"  -c  only cases whose names match, for instance 'forward/NH_VA/*'\n"
		"  -n  so many times as many samples (1)\n"
		"VFIO_NESTED_DEVICES names the PCI functions to use, NESTED_BENCH_DRIVE the drive\n"
		"for nvme (/dev/nvme0n1); GROUP is one of:");
	for (i = 0; i < VN_ARRAY_SIZE(groups); i++)
		fprintf(stderr, " %s", groups[i].name);
	fprintf(stderr, "\n");
	return 2;
}

static void take_names(struct bench_options *options)
{
	char *list = strdup(getenv("VFIO_NESTED_DEVICES") ?: "");
	char *name;

	for (name = strtok(list, " "); name && options->nr_names < RIG_DEVICES;
	     name = strtok(NULL, " "))
		snprintf(options->names[options->nr_names++], VN_PCI_NAME_LEN, "%s",
			 name);
	free(list);
}

static int run_group(const struct bench_options *options, const char *name)
{
	unsigned int i;
	int ret;

	for (i = 0; i < VN_ARRAY_SIZE(groups); i++) {
		if (strcmp(groups[i].name, name))
			continue;
		ret = groups[i].run(options);
		if (ret)
			fprintf(stderr, "nested-bench: %s: %s (%s)\n", name,
				vn_reason(), strerror(-ret));
		return ret ? 1 : 0;
	}
	return usage();
}

int main(int argc, char **argv)
{
	static struct bench_options options = { .threads = 1 };
	const char *pattern = NULL;
	unsigned int times = 1;
	int option, ret = 0;
	unsigned int i;

	while ((option = getopt(argc, argv, "wt:c:n:")) != -1) {
		if (option == 'w')
			options.wall = true;
		else if (option == 't')
			options.threads = atoi(optarg);
		else if (option == 'n')
			times = atoi(optarg);
		else if (option == 'c')
			pattern = optarg;
		else
			return usage();
	}
	if (argc - optind < 2)
		return usage();
	for (i = 0; i < VN_ARRAY_SIZE(drivers); i++)
		if (!strcmp(drivers[i]->name, argv[optind]))
			options.driver = drivers[i];
	if (!options.driver)
		return usage();
	take_names(&options);
	if (meter_open(options.wall, pattern, times)) {
		fprintf(stderr, "nested-bench: %s\n", vn_reason());
		return 1;
	}
	for (optind++; optind < argc && !ret; optind++)
		ret = run_group(&options, argv[optind]);
	return ret;
}
