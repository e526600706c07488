/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rings of records in memory that is shared with the VMM.
 */
#ifndef _VFIO_NESTED_RING_H
#define _VFIO_NESTED_RING_H

#include <linux/eventfd.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/stddef.h>
#include <uapi/linux/vfio_nested.h>

#define VFIO_NESTED_RING_ENTRIES_MIN	8
/* 1 MiB, which the memory cgroup of the VMM is charged for. */
#define VFIO_NESTED_RING_ENTRIES_MAX	8192

/**
 * struct vfio_nested_ring_memory - the mapping, as the VMM finds it by offsets
 * @producer: fault ring: written by the kernel, never read; response ring: written by
 *	the VMM: any value
 * @consumer: the other way round
 * @lost: fault ring: written by the kernel, never read
 * @held: fault ring: written by the kernel, never read
 * @faults: records of a fault ring: written by the kernel, never read
 * @responses: records of a response ring: written by the VMM; the kernel writes the
 *	result
 *
 * What different sides write lies in different cache lines.
 */
struct vfio_nested_ring_memory {
	__aligned(64) u32 producer;
	__aligned(64) u32 consumer;
	__aligned(64) u64 lost;
	u32 held;
	union {
		DECLARE_FLEX_ARRAY(struct vfio_nested_fault, faults);
		DECLARE_FLEX_ARRAY(struct vfio_nested_response, responses);
	} __aligned(64);
};

/**
 * struct vfio_nested_ring - a ring
 * @lock: of a fault ring. Taken with interrupts off, because reports come from any
 *	context; takes no other. A response ring is used by one thread at a time: by
 *	the lock of its owner.
 * @memory: the shared memory
 * @size: its bytes, a multiple of PAGE_SIZE
 * @entries: number of records, a power of two
 * @record_size: bytes of a record
 * @index: of the next record to be written (fault ring), or to be read; under @lock
 * @lost: records for which there was no room; under @lock
 * @eventfd: signalled after records were added, or NULL
 */
struct vfio_nested_ring {
	spinlock_t lock; /* index, lost, and what the kernel writes to memory */
	struct vfio_nested_ring_memory *memory;
	size_t size;
	u32 entries;
	u32 record_size;
	u32 index;
	u64 lost;
	struct eventfd_ctx *eventfd;
};

static inline bool vfio_nested_ring_entries_valid(u32 entries)
{
	return is_power_of_2(entries) &&
	       entries >= VFIO_NESTED_RING_ENTRIES_MIN &&
	       entries <= VFIO_NESTED_RING_ENTRIES_MAX;
}

/*
 * Indexes count modulo 1 << 32. @consumer is the VMM's word: one that is ahead
 * of @producer or more than @entries behind it makes the ring full, which hurts
 * nobody but the VMM.
 */
static inline bool vfio_nested_ring_full(u32 producer, u32 consumer,
					 u32 entries)
{
	return producer - consumer >= entries;
}

static inline u32 vfio_nested_ring_slot(u32 index, u32 entries)
{
	return index & (entries - 1);
}

/* Where the records are. */
#define VFIO_NESTED_RING_RECORDS	offsetof(struct vfio_nested_ring_memory, faults)

/* Bytes of a mapping that holds @entries records. */
static inline size_t vfio_nested_ring_bytes(u32 entries, u32 record_size)
{
	return PAGE_ALIGN(VFIO_NESTED_RING_RECORDS +
			  (size_t)entries * record_size);
}

struct vfio_nested_ring *vfio_nested_ring_create(u32 entries, u32 record_size,
						 s32 eventfd);
void vfio_nested_ring_destroy(struct vfio_nested_ring *ring);
bool vfio_nested_ring_push(struct vfio_nested_ring *ring,
			   const struct vfio_nested_fault *fault);
void vfio_nested_ring_set_held(struct vfio_nested_ring *ring, u32 held);
int vfio_nested_ring_available(const struct vfio_nested_ring *ring);
void vfio_nested_ring_read(const struct vfio_nested_ring *ring,
			   struct vfio_nested_response *responses, u32 num);
void vfio_nested_ring_consume(struct vfio_nested_ring *ring,
			      const struct vfio_nested_response *responses,
			      u32 num);
bool vfio_nested_ring_empty(const struct vfio_nested_ring *ring);
void vfio_nested_ring_signal(struct vfio_nested_ring *ring);
int vfio_nested_ring_mmap(struct vfio_nested_ring *ring,
			  struct vm_area_struct *vma);

#endif /* _VFIO_NESTED_RING_H */
