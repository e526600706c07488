// SPDX-License-Identifier: GPL-2.0
/*
 * The state of a stopped device, out of one binding and into another.
 *
 * Invariants:
 *  - what is restored comes from a user: it is checked as if a guest had made it up,
 *    and the raw part of a record is made anew by the backend;
 *  - a restore that fails leaves the binding as it was.
 */
#include <linux/ktime.h>
#include <linux/string.h>

#include "private.h"
#include "trace.h"

/* What a record that can be restored may have. */
#define REQUEST_FLAGS	(VFIO_NESTED_FAULT_PASID | VFIO_NESTED_FAULT_ADDRESS | \
			 VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_WRITE | \
			 VFIO_NESTED_FAULT_EXEC | VFIO_NESTED_FAULT_PRIV | \
			 VFIO_NESTED_FAULT_LAST | VFIO_NESTED_FAULT_GAP | \
			 VFIO_NESTED_FAULT_RESTORED)

#define PASID_BITS	20

/* As of any structure of the uAPI. */
#define MAX_STATE_SIZE	4096

static int find_stopped(struct iommu_nested_viommu *viommu, u64 virtual_id,
			struct iommu_nested_binding **found)
{
	struct iommu_nested_binding *binding;

	binding = iommu_nested_find(viommu, virtual_id);
	if (!binding)
		return -ENOENT;
	if (!binding->pending->stopped)
		return -EBUSY;
	*found = binding;
	return 0;
}

static void save_header(struct vfio_nested_state *state,
			const struct iommu_nested_binding *binding)
{
	static_assert(sizeof(state->context) == IOMMU_NESTED_CONTEXT_MAX_LEN);

	*state = (struct vfio_nested_state) {
		.size = sizeof(*state),
		.backend = binding->viommu->backend->type,
		.context_type = binding->context.type,
		.context_len = iommu_nested_context_len(binding->context.type),
		.fault_len = sizeof(struct vfio_nested_fault),
		.page_requests = binding->page_requests,
	};
	memcpy(state->context, binding->context.data.bytes,
	       sizeof(state->context));
}

static void save_request(struct vfio_nested_fault *record,
			 const struct iommu_nested_slot *slot)
{
	*record = slot->record;
	record->cookie = 0;
	if (!slot->held)
		record->flags |= VFIO_NESTED_FAULT_RESTORED;
}

/* While the binding is stopped its records do not change. */
static int save(struct iommu_nested_binding *binding, void *data, u32 room,
		u32 *len)
{
	struct iommu_nested_pending *pending = binding->pending;
	struct vfio_nested_fault *records =
		data + sizeof(struct vfio_nested_state);
	struct vfio_nested_state *state = data;
	const struct iommu_nested_slot *slot;

	if (!list_empty(&pending->stalls))
		return -EBUSY;
	*len = sizeof(*state) +
	       list_count_nodes(&pending->requests) * sizeof(*records);
	if (room < *len)
		return -ENOSPC;

	save_header(state, binding);
	list_for_each_entry(slot, &pending->requests, siblings)
		save_request(&records[state->fault_num++], slot);
	binding->saved = true;
	return 0;
}

/**
 * iommu_nested_save - read the state of a stopped device
 * @viommu: the virtual IOMMU
 * @virtual_id: the device's id in the guest
 * @data: where struct vfio_nested_state and the records go; aligned to 8 bytes
 * @room: bytes of room at @data
 * @len: set to the bytes of the state, also where that is more than the room; else not
 *	written
 *
 * From then on, until it runs again, the device's page requests are not answered when
 * it is unbound.
 *
 * Context: process; takes @viommu->sem and the table's lock.
 * Return: 0; -ENOENT: no such device is bound; -EBUSY: it is not stopped, or has a stall
 * pending; -ENOSPC: @room is too small; -EINTR: a fatal signal arrived.
 */
int iommu_nested_save(struct iommu_nested_viommu *viommu, u64 virtual_id,
		      void *data, u32 room, u32 *len)
{
	struct iommu_nested_binding *binding;
	int ret;

	ret = down_write_killable(&viommu->sem);
	if (ret)
		return ret;
	ret = find_stopped(viommu, virtual_id, &binding);
	if (!ret)
		ret = save(binding, data, room, len);
	up_write(&viommu->sem);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_nested_save);

/**
 * iommu_nested_unsave - the state that was read has been lost
 * @viommu: the virtual IOMMU
 * @virtual_id: as iommu_nested_save() was told
 *
 * The opposite of what iommu_nested_save() says of an unbind.
 *
 * Context: process; takes @viommu->sem.
 */
void iommu_nested_unsave(struct iommu_nested_viommu *viommu, u64 virtual_id)
{
	struct iommu_nested_binding *binding;

	down_write(&viommu->sem);
	binding = iommu_nested_find(viommu, virtual_id);
	if (binding)
		binding->saved = false;
	up_write(&viommu->sem);
}
EXPORT_SYMBOL_GPL(iommu_nested_unsave);

/* A state from the user, taken apart. */
struct restore {
	const struct vfio_nested_state *state;
	struct vfio_nested_fault *records;
	struct iommu_nested_context context;
};

static int parse_context(struct restore *restore)
{
	const struct vfio_nested_state *state = restore->state;
	int len = iommu_nested_context_len(state->context_type);

	if (len < 0)
		return len;
	if (state->context_len != len ||
	    memchr_inv(state->context + len, 0, sizeof(state->context) - len))
		return -EINVAL;
	restore->context.type = state->context_type;
	memcpy(restore->context.data.bytes, state->context,
	       sizeof(restore->context.data.bytes));
	return 0;
}

static int parse(struct restore *restore, void *data, u32 len)
{
	const struct vfio_nested_state *state = data;

	if (len < sizeof(*state) || state->size < sizeof(*state) ||
	    state->size > len || state->size % sizeof(u64))
		return -EINVAL;
	if (state->size > MAX_STATE_SIZE)
		return -E2BIG;
	if (memchr_inv(state + 1, 0, state->size - sizeof(*state)))
		return -E2BIG;
	if (state->flags)
		return -EOPNOTSUPP;
	if (state->fault_len != sizeof(struct vfio_nested_fault))
		return -EINVAL;
	if (state->fault_num > IOMMU_NESTED_MAX_PENDING)
		return -ENOSPC;
	if (len - state->size != state->fault_num * state->fault_len)
		return -EINVAL;
	restore->state = state;
	restore->records = data + state->size;
	return parse_context(restore);
}

static bool request_valid(const struct vfio_nested_fault *fault)
{
	bool pasid = fault->flags & VFIO_NESTED_FAULT_PASID;

	return fault->kind == VFIO_NESTED_FAULT_PAGE_REQUEST &&
	       !(fault->flags & ~REQUEST_FLAGS) &&
	       fault->pasid < (pasid ? 1U << PASID_BITS : 1) &&
	       fault->group < IOMMU_NESTED_GROUPS &&
	       !fault->ipa &&
	       !memchr_inv(fault->__reserved, 0, sizeof(fault->__reserved));
}

static int restore_request(struct iommu_nested_binding *binding,
			   struct vfio_nested_fault *fault)
{
	struct iommu_nested_table *table = binding->viommu->table;
	const struct iommu_nested_backend *backend = binding->viommu->backend;
	struct iommu_nested_pending *pending = binding->pending;
	struct iommu_nested_slot *slot;
	int ret;

	if (!backend->restore_request)
		return -EOPNOTSUPP;
	if (!request_valid(fault))
		return -EINVAL;
	fault->virtual_id = binding->virtual_id;
	fault->timestamp = ktime_get_ns();
	fault->raw_len = 0;
	memset(fault->raw, 0, sizeof(fault->raw));
	ret = backend->restore_request(binding, fault);
	if (ret)
		return ret;

	/* Deadlines have not run since the device was stopped. */
	spin_lock_irq(&table->lock);
	slot = iommu_nested_table_restore(table, pending,
					  binding->policy.fault_quota, fault,
					  iommu_nested_expiry(binding, pending->stopped_at));
	spin_unlock_irq(&table->lock);
	return PTR_ERR_OR_ZERO(slot);
}

static int restore_context(struct iommu_nested_binding *binding,
			   const struct restore *restore)
{
	u32 credits = binding->page_requests;
	int ret;

	ret = iommu_nested_binding_set_page_requests(binding,
						     restore->state->page_requests);
	if (ret)
		return ret;
	ret = iommu_nested_binding_set_context(binding, &restore->context);
	if (ret)
		iommu_nested_binding_set_page_requests(binding, credits);
	return ret;
}

static int restore(struct iommu_nested_binding *binding,
		   const struct restore *restore)
{
	struct iommu_nested_table *table = binding->viommu->table;
	struct iommu_nested_pending *pending = binding->pending;
	int ret = 0;
	u32 i;

	if (restore->state->backend != binding->viommu->backend->type)
		return -EOPNOTSUPP;
	if (pending->closed || pending->num ||
	    binding->context.type != VFIO_NESTED_CONTEXT_CLEAR)
		return -EBUSY;

	for (i = 0; i < restore->state->fault_num && !ret; i++)
		ret = restore_request(binding, &restore->records[i]);
	if (!ret)
		ret = restore_context(binding, restore);
	if (ret) {
		spin_lock_irq(&table->lock);
		iommu_nested_table_unrestore(table, pending);
		spin_unlock_irq(&table->lock);
		if (binding->viommu->backend->unrestore)
			binding->viommu->backend->unrestore(binding);
	}
	return ret;
}

/**
 * iommu_nested_restore - put a state into a device that has been bound and stopped
 * @viommu: the virtual IOMMU
 * @virtual_id: the device's id in the guest
 * @data: struct vfio_nested_state and the records, in kernel memory and aligned to 8
 *	bytes; written to
 * @len: bytes of @data
 *
 * The records are delivered when the device runs.
 *
 * Context: process; takes @viommu->sem, the backend's locks and the table's.
 * Return: 0; -ENOENT: no such device is bound; -EBUSY: it is not stopped, is in reset, or
 * has a context or pending faults; -EINVAL: @data is not consistent, or not legal
 * for this device; -E2BIG: non-zero bytes that are not known; -EOPNOTSUPP: of another
 * backend, or unknown; -ENOSPC: more faults than may be pending; what the backend's
 * @set_context and @set_page_requests return; -EINTR: a fatal signal arrived.
 */
int iommu_nested_restore(struct iommu_nested_viommu *viommu, u64 virtual_id,
			 void *data, u32 len)
{
	struct iommu_nested_binding *binding;
	struct iommu_nested_attempt attempt __uninitialized;
	struct restore state = {};
	int ret;

	ret = parse(&state, data, len);
	if (ret)
		return ret;
	iommu_nested_attempt_begin(&attempt, viommu);
	do {
		ret = iommu_nested_attempt_lock(&attempt);
		if (ret)
			break;
		ret = find_stopped(viommu, virtual_id, &binding);
		if (!ret)
			ret = restore(binding, &state);
		up_write(&viommu->sem);
	} while (ret == -EAGAIN);
	iommu_nested_attempt_end(&attempt);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_nested_restore);
