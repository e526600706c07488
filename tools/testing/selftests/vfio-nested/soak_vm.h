/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside a VMM of the soak: devices, what their channels do, and how what they ask
 * for is answered.
 *
 * Invariants:
 *  - a channel does one access at a time; the access has addresses of its own, that
 *    no access had before it in this life and that only answers map;
 *  - an access may fail only if somebody has decided so (struct soak_access.may_*),
 *    or because the kernel has refused its fault, which the kernel counts;
 *  - every answer has a set of results that are right for it, by what was done before.
 *
 * An address: the life in bits 47:32, the device's number in 31:28, the channel in
 * 23:21, and the page in its window.
 */
#ifndef SOAK_VM_H
#define SOAK_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "guest.h"
#include "soak.h"
#include "testdev.h"

#define SOAK_PASIDS		8
#define SOAK_CHANNELS		VN_TESTDEV_CHANNELS
/* Pages of a channel's window, which is what one table of the last level maps */
#define SOAK_WINDOW		512
/* Pages of guest memory that a channel's accesses are mapped to, in turn */
#define SOAK_TARGETS		2
#define SOAK_ACCESS_PAGES	16
/* Faults that wait to be answered late, or not at all */
#define SOAK_LATE		4
#define SOAK_BATCH		64

/* What a channel does now */
struct soak_access {
	bool running;
	struct vn_access access;
	unsigned int pasid_index;
	unsigned int pages;
	/* Names it among all of this life. */
	uint64_t serial;
	/* Time of the VMM's own, in which it does not stand still */
	uint64_t started_ms;
	/* It may fail: it was told to, or its fault may have expired; */
	bool may_fail;
	/* the entry changed meanwhile, and nothing is known. */
	bool disturbed;
	/* Atomic: what memory held before */
	uint64_t before;
};

struct soak_channel {
	struct soak_access now;
	/* Next page of the window */
	unsigned int page;
	/* IPA */
	uint64_t targets[SOAK_TARGETS];
};

struct soak_device {
	unsigned int number;
	uint64_t stream;
	struct vn_device device;
	struct vn_guest guest;
	struct vn_space spaces[SOAK_PASIDS];
	struct soak_channel channels[SOAK_CHANNELS];
	bool stalls;
	bool requests;
	/* Faults raised before are over, and their records are old. */
	uint64_t reset_ns;
	bool was_reset;
	/* So are page requests from before the entry was taken away last. */
	uint64_t away_ns;
	/* Page requests got Response Failure: it asks no more until it is reset. */
	bool failed;
};

/* A fault, and what is said to it */
struct soak_answer {
	struct soak_device *device;
	struct soak_channel *channel;
	uint64_t serial;
	struct vfio_nested_fault fault;
	uint32_t code;
};

/* One that is answered some time later */
struct soak_late {
	struct soak_answer answer;
	uint64_t due_ms;
};

struct soak_vm {
	struct soak_book *book;
	struct soak_random rng;
	struct vn_vm vm;
	struct soak_device devices[SOAK_VM_DEVICES];
	unsigned int nr_devices;
	uint64_t serial;
	/* As of the clock, and without the time that the VMM was not running */
	uint64_t clock_ms;
	uint64_t now_ms;
	struct soak_answer batch[SOAK_BATCH];
	unsigned int nr_batch;
	struct soak_late late[SOAK_LATE];
	unsigned int nr_late;
	/* Only right answers, and nothing new: it comes to its end. */
	bool ending;
};

/* Leaves the reason in the book; the first one counts. */
int soak_fail(struct soak_vm *vm, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The clock of records */
uint64_t soak_now_ns(void);
/* Who is away for long finds that faults have expired: marks their accesses. */
void soak_tick(struct soak_vm *vm);

/* soak_access.c: what devices do */
int soak_device_tables(struct soak_vm *vm, struct soak_device *device);
/* Lets the device use PASIDs and ask for pages, as a guest's driver does. */
int soak_device_enable(struct soak_vm *vm, struct soak_device *device);
uint64_t soak_window(const struct soak_vm *vm, const struct soak_device *device,
		     unsigned int channel);
/* Starts an access, or begins the window anew. */
int soak_start(struct soak_vm *vm, struct soak_device *device, unsigned int channel);
/* Looks whether it has finished, and whether it should have ended so. */
int soak_look(struct soak_vm *vm, struct soak_device *device, unsigned int channel);
/* Maps pages of the access, from the one of @iova on. */
int soak_map(struct soak_vm *vm, struct soak_device *device,
	     struct soak_channel *channel, uint64_t iova, unsigned int pages);
/* All that was under way is gone. */
void soak_forget(struct soak_device *device);

/* soak_answer.c: what the VMM answers */
/* Reads all records there are and answers them; their number, or an error. */
int soak_read(struct soak_vm *vm);
int soak_answer_late(struct soak_vm *vm);

#endif /* SOAK_VM_H */
