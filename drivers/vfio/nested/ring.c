// SPDX-License-Identifier: GPL-2.0
/*
 * Rings of records in memory that is shared with the VMM.
 *
 * Invariants:
 *  - all that the kernel reads of a fault ring's memory is the consumer index, once
 *    for each record, and any value of it is safe;
 *  - of a response ring it reads the producer index and each record once, and any
 *    value of them is safe;
 *  - a record is complete in memory before the producer index covers it, and its result
 *    before the consumer index has passed it;
 *  - a fault over which the consumer has not passed is not written again.
 */
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "ring.h"

static void free_pages_array(struct page **pages, unsigned int num)
{
	while (num--)
		__free_page(pages[num]);
	kvfree(pages);
}

/*
 * Zeroed memory that can be mapped into user space, like vmalloc_user(), but
 * charged to the memory cgroup of the caller: anybody may open a nested fd.
 */
static void *alloc_shared(size_t size)
{
	unsigned int num = size >> PAGE_SHIFT, i;
	struct page **pages;
	void *memory;

	pages = kvmalloc_objs(*pages, num, GFP_KERNEL_ACCOUNT);
	if (!pages)
		return NULL;
	for (i = 0; i < num; i++) {
		pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!pages[i]) {
			free_pages_array(pages, i);
			return NULL;
		}
	}

	/* With VM_MAP_PUT_PAGES vfree() frees the pages and the array. */
	memory = vmap(pages, num, VM_MAP | VM_USERMAP | VM_MAP_PUT_PAGES,
		      PAGE_KERNEL);
	if (!memory)
		free_pages_array(pages, num);
	return memory;
}

/*
 * @eventfd: a file descriptor, or -1 for none. Returns ERR_PTR() of -EINVAL: not
 * a good number of entries, or not an eventfd; -EBADF: not open; -ENOMEM.
 */
struct vfio_nested_ring *vfio_nested_ring_create(u32 entries, u32 record_size,
						 s32 eventfd)
{
	struct vfio_nested_ring *ring;
	int ret;

	if (!vfio_nested_ring_entries_valid(entries))
		return ERR_PTR(-EINVAL);

	ring = kzalloc_obj(*ring, GFP_KERNEL_ACCOUNT);
	if (!ring)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&ring->lock);
	ring->entries = entries;
	ring->record_size = record_size;
	ring->size = vfio_nested_ring_bytes(entries, record_size);

	if (eventfd != -1) {
		ring->eventfd = eventfd_ctx_fdget(eventfd);
		if (IS_ERR(ring->eventfd)) {
			ret = PTR_ERR(ring->eventfd);
			goto free_ring;
		}
	}

	ring->memory = alloc_shared(ring->size);
	if (!ring->memory) {
		ret = -ENOMEM;
		goto put_eventfd;
	}
	return ring;

put_eventfd:
	if (ring->eventfd)
		eventfd_ctx_put(ring->eventfd);
free_ring:
	kfree(ring);
	return ERR_PTR(ret);
}

/* Nobody pushes any more. Pages that are still mapped live until munmap(). */
void vfio_nested_ring_destroy(struct vfio_nested_ring *ring)
{
	vfree(ring->memory);
	if (ring->eventfd)
		eventfd_ctx_put(ring->eventfd);
	kfree(ring);
}

/*
 * Add a record; false if there is no room. An event is lost then, and counted; others
 * are held back. Any context.
 */
bool vfio_nested_ring_push(struct vfio_nested_ring *ring,
			   const struct vfio_nested_fault *fault)
{
	struct vfio_nested_ring_memory *memory = ring->memory;
	unsigned long flags;
	u32 consumer;
	bool room;

	spin_lock_irqsave(&ring->lock, flags);
	/* Pairs with the VMM's store-release after it has read a record. */
	consumer = smp_load_acquire(&memory->consumer);
	room = !vfio_nested_ring_full(ring->index, consumer, ring->entries);
	if (room) {
		u32 slot = vfio_nested_ring_slot(ring->index, ring->entries);

		memory->faults[slot] = *fault;
		WRITE_ONCE(ring->index, ring->index + 1);
		/* Pairs with the VMM's load-acquire before it reads a record. */
		smp_store_release(&memory->producer, ring->index);
	} else if (fault->kind == VFIO_NESTED_FAULT_EVENT) {
		WRITE_ONCE(memory->lost, ++ring->lost);
	}
	spin_unlock_irqrestore(&ring->lock, flags);
	return room;
}

/* Tell the VMM how many records wait for room. Any context. */
void vfio_nested_ring_set_held(struct vfio_nested_ring *ring, u32 held)
{
	WRITE_ONCE(ring->memory->held, held);
}

/* How many responses there are, or -EINVAL: more than there can be. */
int vfio_nested_ring_available(const struct vfio_nested_ring *ring)
{
	/* Pairs with the VMM's store-release after it has written a record. */
	u32 producer = smp_load_acquire(&ring->memory->producer);
	u32 num = producer - ring->index;

	return num <= ring->entries ? num : -EINVAL;
}

/* Copy @num responses that are available. The VMM may be writing over them. */
void vfio_nested_ring_read(const struct vfio_nested_ring *ring,
			   struct vfio_nested_response *responses, u32 num)
{
	u32 i;

	for (i = 0; i < num; i++) {
		u32 slot = vfio_nested_ring_slot(ring->index + i, ring->entries);
		const struct vfio_nested_response *from =
			&ring->memory->responses[slot];

		responses[i].cookie = READ_ONCE(from->cookie);
		responses[i].code = READ_ONCE(from->code);
		responses[i].result = 0;
	}
}

/* Hand the results of @num responses back, and the room that they took. */
void vfio_nested_ring_consume(struct vfio_nested_ring *ring,
			      const struct vfio_nested_response *responses,
			      u32 num)
{
	u32 i;

	for (i = 0; i < num; i++) {
		u32 slot = vfio_nested_ring_slot(ring->index + i, ring->entries);

		WRITE_ONCE(ring->memory->responses[slot].result,
			   responses[i].result);
	}
	ring->index += num;
	/* Pairs with the VMM's load-acquire before it reads the results. */
	smp_store_release(&ring->memory->consumer, ring->index);
}

bool vfio_nested_ring_empty(const struct vfio_nested_ring *ring)
{
	return READ_ONCE(ring->index) == READ_ONCE(ring->memory->consumer);
}

void vfio_nested_ring_signal(struct vfio_nested_ring *ring)
{
	if (ring->eventfd)
		eventfd_signal(ring->eventfd);
}

/*
 * The whole ring, shared, not executable. Returns -EINVAL: not the whole ring,
 * or private; -EACCES: executable; -ENOMEM.
 */
int vfio_nested_ring_mmap(struct vfio_nested_ring *ring,
			  struct vm_area_struct *vma)
{
	if (vma->vm_end - vma->vm_start != ring->size)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;

	vm_flags_clear(vma, VM_MAYEXEC);
	return remap_vmalloc_range(vma, ring->memory, 0);
}
