// SPDX-License-Identifier: GPL-2.0
/* What the host itself does with the IOMMU */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench.h"
#include "dma-bench.h"
#include "meter.h"
#include "util.h"

#define SAMPLES		15
#define DMA_OPS		512
#define NVME_OPS	64
#define NVME_BLOCK	4096
#define NVME_BLOCKS	1024

struct dma {
	int fd;
	struct dma_bench cmd;
	unsigned int threads;
};

static const struct {
	const char *name;
	unsigned int order;
	unsigned int nents;
} maps[] = {
	{ "4K", 0, 0 },
	{ "64K", 4, 0 },
	{ "2M", 9, 0 },
	{ "list-16", 0, 16 },
	{ "list-256", 0, 256 },
};

static int dma_run(void *data)
{
	struct dma *dma = data;

	return ioctl(dma->fd, DMA_BENCH_RUN, &dma->cmd) ?
		       vn_fail(-errno, "DMA_BENCH_RUN: %m") : 0;
}

static int dma_sample(void *data)
{
	struct dma *dma = data;

	return bench_threads(dma->threads, dma_run, dma);
}

static int dma_map(const struct bench_options *options, struct dma *dma,
		   unsigned int map)
{
	char name[64];
	int ret = 0;

	dma->cmd.order = maps[map].order;
	dma->cmd.nents = maps[map].nents;
	dma->cmd.count = maps[map].nents ? DMA_OPS / 16 : DMA_OPS;
	for (dma->threads = 1; dma->threads <= options->threads && !ret;
	     dma->threads++) {
		snprintf(name, sizeof(name), "dma/%s/threads-%u", maps[map].name,
			 dma->threads);
		ret = meter_case(name, SAMPLES, dma->cmd.count * dma->threads,
				 dma_sample, dma);
	}
	return ret;
}

int bench_dma(const struct bench_options *options)
{
	struct dma dma;
	unsigned int i;
	int ret = 0;

	dma.fd = open("/dev/dma-bench", O_RDWR);
	if (dma.fd < 0)
		return vn_fail(-errno,
			       "/dev/dma-bench: %m (load dma-bench and bind a device to it)");
	for (i = 0; i < VN_ARRAY_SIZE(maps) && !ret; i++)
		ret = dma_map(options, &dma, i);
	close(dma.fd);
	return ret;
}

struct drive {
	int fd;
	void *buffer;
};

/* The same places in the same order each time */
static int nvme_sample(void *data)
{
	struct drive *drive = data;
	uint32_t place = 1;
	unsigned int i;

	meter_start();
	for (i = 0; i < NVME_OPS; i++) {
		place = place * 1664525 + 1013904223;
		if (pread(drive->fd, drive->buffer, NVME_BLOCK,
			  (off_t)(place >> 8) % NVME_BLOCKS * NVME_BLOCK) !=
		    NVME_BLOCK)
			return vn_fail(-EIO, "NVMe drive: %m");
	}
	meter_stop();
	return 0;
}

int bench_nvme(const struct bench_options *options)
{
	const char *name = getenv("NESTED_BENCH_DRIVE") ?: "/dev/nvme0n1";
	struct drive drive;
	int ret;

	drive.fd = open(name, O_RDONLY | O_DIRECT);
	if (drive.fd < 0)
		return vn_fail(-errno, "%s: %m (load nvme)", name);
	if (posix_memalign(&drive.buffer, NVME_BLOCK, NVME_BLOCK))
		ret = vn_fail(-ENOMEM, "no memory");
	else
		ret = meter_case("nvme/random-read", SAMPLES, NVME_OPS,
				 nvme_sample, &drive);
	close(drive.fd);
	return ret;
}
