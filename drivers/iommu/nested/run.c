// SPDX-License-Identifier: GPL-2.0
/*
 * What a device may do: run or not, and ask for pages or not.
 *
 * Invariants:
 *  - while a binding is stopped its pending faults stay what they are: none comes, none
 *    is delivered, answered or expired, until it runs or ends;
 *  - a binding that is saved is stopped.
 */
#include <linux/ktime.h>

#include "private.h"
#include "trace.h"

static void stop(struct iommu_nested_binding *binding)
{
	struct iommu_nested_table *table = binding->viommu->table;

	/* What it still reports until it has stopped is taken. */
	binding->viommu->backend->stop(binding);
	spin_lock_irq(&table->lock);
	iommu_nested_table_park(table, binding->pending, ktime_get_ns());
	spin_unlock_irq(&table->lock);
	iommu_nested_faults_flush(table);
}

static void run(struct iommu_nested_binding *binding)
{
	struct iommu_nested_table *table = binding->viommu->table;

	binding->saved = false;
	spin_lock_irq(&table->lock);
	iommu_nested_table_unpark(table, binding->pending, ktime_get_ns());
	iommu_nested_deadline_arm(binding->pending);
	spin_unlock_irq(&table->lock);
	binding->viommu->backend->run(binding);
	iommu_nested_faults_flush(table);
}

static int set_run(struct iommu_nested_viommu *viommu, u64 virtual_id,
		   u32 state)
{
	struct iommu_nested_binding *binding;

	lockdep_assert_held_write(&viommu->sem);

	binding = iommu_nested_find(viommu, virtual_id);
	if (!binding)
		return -ENOENT;
	if (state == (binding->pending->stopped ? VFIO_NESTED_STOP :
						  VFIO_NESTED_RUN))
		return 0;
	if (!viommu->backend->stop || !viommu->backend->run)
		return -EOPNOTSUPP;
	if (state == VFIO_NESTED_STOP)
		stop(binding);
	else
		run(binding);
	return 0;
}

/**
 * iommu_nested_set_run - stop a device, or let it run again
 * @viommu: the virtual IOMMU
 * @virtual_id: the device's id in the guest
 * @state: enum vfio_nested_run_state
 *
 * Context: process; takes @viommu->sem, the backend's locks and the table's.
 * Return: 0; -ENOENT: no such device is bound; -EOPNOTSUPP: @state is none, or the
 * backend cannot do that; -EINTR: a fatal signal arrived.
 */
int iommu_nested_set_run(struct iommu_nested_viommu *viommu, u64 virtual_id,
			 u32 state)
{
	int ret;

	if (state != VFIO_NESTED_RUN && state != VFIO_NESTED_STOP)
		return -EOPNOTSUPP;
	ret = down_write_killable(&viommu->sem);
	if (!ret) {
		ret = set_run(viommu, virtual_id, state);
		up_write(&viommu->sem);
	}
	trace_iommu_nested_set_run(viommu, virtual_id, state, ret);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_nested_set_run);

/* The caller holds viommu->sem for writing. */
int iommu_nested_binding_set_page_requests(struct iommu_nested_binding *binding,
					   u32 credits)
{
	const struct iommu_nested_backend *backend = binding->viommu->backend;
	int ret;

	lockdep_assert_held_write(&binding->viommu->sem);

	if (!backend->set_page_requests)
		return credits ? -EOPNOTSUPP : 0;
	ret = backend->set_page_requests(binding, credits);
	if (!ret)
		binding->page_requests = credits;
	return ret;
}

/**
 * iommu_nested_set_page_requests - the guest lets its device ask for pages, or not
 * @binding: the device's
 * @credits: requests that may be outstanding at a time; 0: none
 *
 * Context: process; takes viommu->sem and the backend's locks.
 * Return: 0; -EOPNOTSUPP: the device, the IOMMU or the backend cannot do that; -EPERM:
 * the administrator has not allowed it; -ENOSPC: the IOMMU has no room for them. No
 * error where @credits is 0.
 */
int iommu_nested_set_page_requests(struct iommu_nested_binding *binding,
				   u32 credits)
{
	struct iommu_nested_viommu *viommu = binding->viommu;
	int ret;

	down_write(&viommu->sem);
	ret = iommu_nested_binding_set_page_requests(binding, credits);
	up_write(&viommu->sem);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_nested_set_page_requests);

/**
 * iommu_nested_has_page_requests - whether a device waits for pages
 * @binding: the device's
 *
 * Context: process; takes the table's lock.
 * Return: whether a page request of it has no answer yet.
 */
bool iommu_nested_has_page_requests(struct iommu_nested_binding *binding)
{
	struct iommu_nested_table *table = binding->viommu->table;
	bool any;

	spin_lock_irq(&table->lock);
	any = !list_empty(&binding->pending->requests);
	spin_unlock_irq(&table->lock);
	return any;
}
EXPORT_SYMBOL_GPL(iommu_nested_has_page_requests);
