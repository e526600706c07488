/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Threads that do one thing each, again and again, all at once and without any order.
 * Of each call they say which errors it may end with; the first one that ends in
 * another way is kept.
 *
 * VFIO_NESTED_RACE_MS is how long a race takes, 1000 without it.
 */
#ifndef VN_RACE_H
#define VN_RACE_H

#include <pthread.h>
#include <stdbool.h>

#define VN_RACERS	12

struct vn_race;

/* One of the threads; it alone uses the structure while it runs. */
struct vn_racer {
	struct vn_race *race;
	/* The test's own, the same for all */
	void *data;
	void (*step)(struct vn_racer *racer);
	unsigned int seed;
	unsigned long steps;
	pthread_t thread;
};

typedef void (*vn_step)(struct vn_racer *racer);

struct vn_race {
	bool stop;
	int bad_result;
	const char *bad_call;
	unsigned long calls;
	unsigned int num;
	struct vn_racer racers[VN_RACERS];
};

unsigned int vn_race_ms(void);
/* One thread for each of @steps */
int vn_race_start(struct vn_race *race, void *data, const vn_step *steps,
		  unsigned int num);
/* Waits for the threads. Returns the first result that should not be. */
int vn_race_stop(struct vn_race *race);
/* Both, with vn_race_ms() between them */
int vn_race_run(struct vn_race *race, void *data, const vn_step *steps,
		unsigned int num);

/* For steps: a number below @limit, the same ones in every run */
unsigned int vn_choose(struct vn_racer *racer, unsigned int limit);
void vn_race_count(struct vn_racer *racer, unsigned int calls);
int vn_race_expect(struct vn_racer *racer, const char *call, int ret, ...);

/* A call that succeeds, or fails with one of the errors that follow it; its result */
#define EXPECTED(racer, call, ...) \
	vn_race_expect(racer, #call, call, ##__VA_ARGS__, 0)

#endif /* VN_RACE_H */
