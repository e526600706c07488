/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What something costs: instructions of all CPUs of an emulated machine that counts
 * them, or nanoseconds.
 *
 * One line is printed for each case:
 *
 *	bench NAME UNIT SAMPLES VALUE...
 *
 * where the values are the percentiles METER_PERCENT of the samples.
 * A case is run once before anything is measured. The price of measuring itself is
 * taken off.
 */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <stdbool.h>
#include <stdint.h>

/* The smallest, the median, the largest, and what lies between */
#define METER_PERCENT	{ 0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100 }

/*
 * Measures by the hardware's instruction counter, else (@wall) by the clock; only
 * cases whose names match @pattern (see glob(7)), if there is one; with @times as many
 * samples as they have by themselves. 0, or a negative errno after vn_fail().
 */
int meter_open(bool wall, const char *pattern, unsigned int times);

/* Around what is to be measured; as often as one likes within one sample. */
void meter_start(void);
void meter_stop(void);

/* One sample: carries out the case's operations, and measures them. */
typedef int (*meter_sample)(void *data);

/*
 * Takes @samples samples of @ops operations each, and prints the price of one
 * operation. 0, or what @sample returned.
 */
int meter_case(const char *name, unsigned int samples, unsigned int ops,
	       meter_sample sample, void *data);
/* Prints a figure that needs no samples. */
void meter_figure(const char *name, const char *unit, double value);

#endif /* BENCH_METER_H */
