/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The soak: virtual machines live and die with recoverable faults pending, and the
 * books of everybody who counts must agree.
 *
 * There are two parties. The director (soak_test.c) opens the nested fds and their
 * rings, starts a process as the VMM of each virtual machine, stops it in whatever
 * way, and then compares. The VMM (soak_vm.c) opens devices, makes them access
 * memory that is not mapped, and answers the faults, rightly and wrongly. A VMM may
 * be killed at any moment.
 *
 * Invariants:
 *  - what the director needs afterwards is in memory that it shares with the VMM
 *    (struct soak_book), or in the kernel, which it can ask because the nested fd is
 *    open in the director too;
 *  - the VMM counts what it has done after it has done it, and says before how much
 *    it is about to do: so a book is off by at most what was under way.
 */
#ifndef SOAK_H
#define SOAK_H

#include <stdbool.h>
#include <stdint.h>

#include "fault.h"
#include "nested.h"
#include "pci.h"

#define SOAK_VMS		3
#define SOAK_DEVICES		4
/* Devices that one virtual machine has at a time */
#define SOAK_VM_DEVICES		2

enum soak_state {
	/* Devices are being opened. */
	SOAK_BIRTH,
	SOAK_ALIVE,
	/* Everything that was under way has come to its end, and agrees. */
	SOAK_SETTLED,
};

/* What one life of a virtual machine has seen. Written by its VMM. */
struct soak_count {
	/* Records read, by kind */
	uint64_t stalls;
	uint64_t groups;
	uint64_t requests;
	uint64_t events;
	/* Answers that were taken, and those that were refused */
	uint64_t answered;
	uint64_t refused;
	/* Answers, and records, that are under way now */
	uint64_t answering;
	uint64_t reading;
	/* What devices did: finished, of these failed, of these without a reason */
	uint64_t accesses;
	uint64_t failed;
	uint64_t unexplained;
	/* What happened to the virtual machine */
	uint64_t resets;
	uint64_t contexts;
	uint64_t expired;
};

/* One life of a virtual machine */
struct soak_book {
	/* The director's, constant during the life */
	unsigned int life;
	uint64_t seed;
	unsigned int deadline_ms;
	/* Only right answers, no resets: the last life of each device */
	bool calm;
	unsigned int nr_devices;
	char devices[SOAK_VM_DEVICES][VN_PCI_NAME_LEN];
	int fd;
	struct vn_ring ring;
	struct vn_response_ring responses;

	/* The director's, read by the VMM */
	volatile bool stop;
	/* The VMM's, read by the director at any time */
	volatile enum soak_state state;
	struct soak_count count;
	/* Stage 2 alone or no stage 1 at all was in force for a while. */
	bool disturbed;
	/* Why it failed; empty if it did not */
	char failure[256];
};

/* Reproducible as far as the machine is: the order of things is the machine's. */
struct soak_random {
	uint64_t state;
};

static inline uint64_t soak_random(struct soak_random *random)
{
	/* xorshift64*, whose state must not be 0 */
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * 0x2545f4914f6cdd1dULL;
}

static inline void soak_seed(struct soak_random *random, uint64_t seed)
{
	random->state = seed ?: 1;
	soak_random(random);
}

static inline unsigned int soak_choose(struct soak_random *random,
				       unsigned int limit)
{
	return (soak_random(random) >> 32) % limit;
}

/* Something that happens @percent times of a hundred */
static inline bool soak_maybe(struct soak_random *random, unsigned int percent)
{
	return soak_choose(random, 100) < percent;
}

/* Lives until it is told to stop: 0, or a negative errno and a failure in @book. */
int soak_live(struct soak_book *book);

#endif /* SOAK_H */
