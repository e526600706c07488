/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recoverable faults: the records of them in the fault ring, and the VMM's answers
 * in all the ways that there are: by ioctl, by the response ring, and as the
 * guest's own commands (smmuv3.h builds these).
 */
#ifndef VN_FAULT_H
#define VN_FAULT_H

#include <linux/vfio_nested.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nested.h"

/* On return *@num is the number of answers that were carried out. */
int vn_nested_respond(int nested_fd, const struct vfio_nested_response *responses,
		      uint32_t *num);
int vn_respond(int nested_fd, uint64_t cookie, uint32_t code);
/* Either number may be NULL. */
int vn_nested_kick(int nested_fd, uint32_t *responses, uint32_t *delivered);
int vn_nested_set_run(int nested_fd, uint64_t virtual_id,
		      enum vfio_nested_run_state state);
/* *@len is the room, and then what there is. */
int vn_nested_save(int nested_fd, uint64_t virtual_id, void *data, uint32_t *len);
int vn_nested_restore(int nested_fd, uint64_t virtual_id, const void *data,
		      uint32_t len);

/* The writer's end of a response ring */
struct vn_response_ring {
	struct vfio_nested_setup_ring setup;
	void *map;
	uint32_t producer;
};

int vn_response_ring_open(struct vn_response_ring *ring, int nested_fd, uint32_t entries);
void vn_response_ring_close(struct vn_response_ring *ring);
/* Adds one; false if the ring is full. The kernel sees it with the next kick. */
bool vn_response_ring_put(struct vn_response_ring *ring, uint64_t cookie, uint32_t code);
/* The record of index @index, whose result the kernel has written. */
struct vfio_nested_response *vn_response_ring_record(const struct vn_response_ring *ring,
						     uint32_t index);
uint32_t *vn_response_ring_producer(const struct vn_response_ring *ring);
uint32_t *vn_response_ring_consumer(const struct vn_response_ring *ring);

/* Recoverable records that the kernel holds back because the ring was full */
uint32_t vn_ring_held(const struct vn_ring *ring);
/* Like vn_ring_wait(), but passes over records of other kinds. */
int vn_fault_wait(struct vn_ring *ring, enum vfio_nested_fault_kind kind,
		  struct vfio_nested_fault *fault, unsigned int timeout_ms);
/*
 * Waits until every fault that the hardware raised has gone the way that
 * struct vfio_nested_stats promises, and says in words what is wrong if it has not.
 */
int vn_faults_balance(int nested_fd, struct vfio_nested_stats *stats);

#endif /* VN_FAULT_H */
