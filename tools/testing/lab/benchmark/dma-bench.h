/* SPDX-License-Identifier: GPL-2.0 */
/* Between the module dma-bench and nested-bench */
#ifndef DMA_BENCH_H
#define DMA_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct dma_bench - map and unmap, again and again
 * @order: of the pages to map; each is in one piece
 * @nents: entries of the scatter list; 0: dma_map_page() instead of a list
 * @count: how often
 */
struct dma_bench {
	__u32 order;
	__u32 nents;
	__u32 count;
};

#define DMA_BENCH_RUN		_IO('d', 0x42)
#define DMA_BENCH_MAX_NENTS	256

#endif
