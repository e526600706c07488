/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much memory the kernel has allocated and not freed between two moments, to the
 * byte: its tracepoints say so (kmem), whatever process or interrupt it was for. Pages of
 * user space, page tables, and what the allocators keep for themselves do not count.
 */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stdint.h>

/*
 * Not to be nested. Needs tracefs in /sys/kernel/tracing. 0, or a negative errno after
 * vn_fail().
 */
int memory_start(void);
int memory_stop(uint64_t *bytes);

#endif /* BENCH_MEMORY_H */
