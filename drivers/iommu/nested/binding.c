// SPDX-License-Identifier: GPL-2.0
/*
 * Bindings: one device in one virtual IOMMU.
 *
 * Invariants:
 *  - a binding is in viommu->bindings exactly while the backend knows it, and
 *    its virtual id is unique there;
 *  - it holds a reference to its virtual IOMMU;
 *  - its faults end with it, or with a reset: first none is taken any more, then the
 *    backend ends those that are in the hardware, then they are ended in the table;
 *  - one that is made during a reset is in reset before anybody can find it;
 *  - a failed bind leaves the device, the virtual IOMMU and the backend as they
 *    were.
 */
#include <linux/slab.h>

#include "private.h"
#include "trace.h"

/* A binding and its faults live and die together. */
struct binding_with_faults {
	struct iommu_nested_binding binding;
	struct iommu_nested_pending pending;
};

static struct iommu_nested_binding *alloc_binding(void)
{
	struct binding_with_faults *both;

	both = kzalloc_obj(*both, GFP_KERNEL_ACCOUNT);
	if (!both)
		return NULL;
	both->binding.pending = &both->pending;
	both->pending.binding = &both->binding;
	iommu_nested_pending_init(&both->pending);
	iommu_nested_deadline_init(&both->pending);
	return &both->binding;
}

static void free_binding(struct iommu_nested_binding *binding)
{
	iommu_nested_deadline_destroy(binding->pending);
	kfree(container_of(binding, struct binding_with_faults, binding));
}

/* Everything that can fail once the first binding has tied the backend. */
static int viommu_add(struct iommu_nested_viommu *viommu,
		      struct iommu_nested_binding *binding)
{
	u64 id = binding->virtual_id;
	int ret;

	if (viommu->info.virtual_id_bits < 64 &&
	    id >> viommu->info.virtual_id_bits)
		return -EINVAL;
	if (id > ULONG_MAX)
		return -EINVAL;

	/* -EBUSY: there is an entry. */
	ret = xa_insert(&viommu->bindings, id, binding, GFP_KERNEL);
	if (ret)
		return ret == -EBUSY ? -EEXIST : ret;

	ret = viommu->backend->bind(binding);
	if (ret) {
		xa_erase(&viommu->bindings, id);
		return ret;
	}
	WRITE_ONCE(viommu->nr_bindings, viommu->nr_bindings + 1);
	return 0;
}

static int viommu_bind(struct iommu_nested_viommu *viommu,
		       const struct iommu_nested_backend *backend,
		       struct iommu_nested_binding *binding)
{
	int ret;

	lockdep_assert_held_write(&viommu->sem);

	if (viommu->nr_bindings == IOMMU_NESTED_MAX_BINDINGS)
		return -ENOSPC;
	if (viommu->backend && viommu->backend != backend)
		return -EXDEV;

	if (!viommu->backend) {
		ret = iommu_nested_viommu_tie(viommu, backend, binding);
		if (ret)
			return ret;
	}

	ret = viommu_add(viommu, binding);
	if (ret && !viommu->nr_bindings)
		iommu_nested_viommu_untie(viommu);
	return ret;
}

/* @operation: of the backend, after which nothing is pending in the hardware */
static void end_faults(struct iommu_nested_binding *binding,
		       void (*operation)(struct iommu_nested_binding *binding))
{
	lockdep_assert_held_write(&binding->viommu->sem);

	iommu_nested_faults_close(binding);
	operation(binding);
	iommu_nested_faults_end(binding);
}

static int find_and_bind(struct iommu_nested_viommu *viommu,
			 struct iommu_nested_binding *binding, bool in_reset)
{
	const struct iommu_nested_backend *backend;
	int ret;

	backend = iommu_nested_backend_get(binding->dev);
	if (!backend)
		return -ENODEV;

	ret = down_write_killable(&viommu->sem);
	if (!ret) {
		ret = viommu_bind(viommu, backend, binding);
		if (!ret && in_reset)
			end_faults(binding, backend->reset_prepare);
		up_write(&viommu->sem);
	}
	iommu_nested_backend_put(backend);
	return ret;
}

/**
 * iommu_nested_bind - make a device part of a virtual IOMMU
 * @viommu: the virtual IOMMU, to which the caller has a reference
 * @dev: the device; the caller keeps it alive until iommu_nested_unbind()
 * @virtual_id: its id in the guest
 * @policy: what the administrator lets it do, copied
 * @in_reset: the device is being reset: as after iommu_nested_reset_prepare()
 *
 * The device's DMA does not change, unless it is being reset. The caller makes sure that
 * a device has at most one binding, and that a reset neither begins nor ends meanwhile.
 *
 * Context: process; takes @viommu->sem and the backend's locks.
 * Return: the binding, which the caller owns; ERR_PTR() of -ENODEV: no backend drives the
 * device's IOMMU, or it has no stage 2; -EOPNOTSUPP: its IOMMU cannot nest; -EXDEV: another
 * physical IOMMU or another stage 2 than the devices bound before; -EEXIST: @virtual_id is
 * taken; -EINVAL: @virtual_id is out of range; -ENOSPC: too many devices, or no hardware id
 * left; -EPERM: the device's DMA cannot be kept coherent, or (VT-d) it shares its IOMMU
 * group; -EBUSY: the backend has the device in use for something else; -ENOMEM; -EINTR: a
 * fatal signal arrived.
 */
struct iommu_nested_binding *
iommu_nested_bind(struct iommu_nested_viommu *viommu, struct device *dev,
		  u64 virtual_id, const struct iommu_nested_policy *policy,
		  bool in_reset)
{
	struct iommu_nested_binding *binding;
	int ret;

	binding = alloc_binding();
	if (!binding)
		return ERR_PTR(-ENOMEM);
	kref_get(&viommu->kref);
	binding->viommu = viommu;
	binding->dev = dev;
	binding->virtual_id = virtual_id;
	binding->policy = *policy;

	ret = find_and_bind(viommu, binding, in_reset);
	trace_iommu_nested_bind(viommu, dev, virtual_id, ret);
	if (ret) {
		free_binding(binding);
		iommu_nested_viommu_put(viommu);
		return ERR_PTR(ret);
	}
	if (in_reset)
		trace_iommu_nested_reset_prepare(viommu, dev, virtual_id);
	return binding;
}
EXPORT_SYMBOL_GPL(iommu_nested_bind);

/**
 * iommu_nested_unbind - end a binding
 * @binding: from iommu_nested_bind(); freed
 *
 * The device is back on what the IOMMU core attached; no report for it is in
 * flight and none will come. Its pending faults are over. May be called between
 * iommu_nested_reset_prepare() and iommu_nested_reset_done(), and then the latter
 * must not follow.
 *
 * Context: process; takes viommu->sem and the backend's locks; may end the
 * last reference to the virtual IOMMU.
 */
void iommu_nested_unbind(struct iommu_nested_binding *binding)
{
	struct iommu_nested_viommu *viommu = binding->viommu;

	down_write(&viommu->sem);
	end_faults(binding, viommu->backend->unbind);
	xa_erase(&viommu->bindings, binding->virtual_id);
	WRITE_ONCE(viommu->nr_bindings, viommu->nr_bindings - 1);
	if (!viommu->nr_bindings)
		iommu_nested_viommu_untie(viommu);
	up_write(&viommu->sem);

	trace_iommu_nested_unbind(viommu, binding->dev, binding->virtual_id);
	free_binding(binding);
	iommu_nested_viommu_put(viommu);
}
EXPORT_SYMBOL_GPL(iommu_nested_unbind);

/**
 * iommu_nested_stage2_leave - the device is about to be attached to another stage 2
 * @binding: the device's
 *
 * For a VFIO driver, before VFIO changes the domain of a device that is bound. Pending
 * faults are over, the context ends, and no other can be set: the device has to be
 * unbound and bound again. May be called more than once.
 *
 * Context: process; takes viommu->sem and the backend's locks.
 */
void iommu_nested_stage2_leave(struct iommu_nested_binding *binding)
{
	struct iommu_nested_viommu *viommu = binding->viommu;

	if (!viommu->backend->stage2_leave)
		return;
	down_write(&viommu->sem);
	end_faults(binding, viommu->backend->stage2_leave);
	up_write(&viommu->sem);
}
EXPORT_SYMBOL_GPL(iommu_nested_stage2_leave);

/**
 * iommu_nested_find - look a device up by its id in the guest
 * @viommu: the virtual IOMMU
 * @virtual_id: any number
 *
 * Context: any; the caller holds @viommu->sem, for reading or for writing, as
 * long as it uses the answer.
 * Return: the binding, or NULL.
 */
struct iommu_nested_binding *
iommu_nested_find(struct iommu_nested_viommu *viommu, u64 virtual_id)
{
	lockdep_assert_held(&viommu->sem);

	if (virtual_id > ULONG_MAX)
		return NULL;
	return xa_load(&viommu->bindings, virtual_id);
}
EXPORT_SYMBOL_GPL(iommu_nested_find);

/**
 * iommu_nested_reset_prepare - the device is about to be reset
 * @binding: the device's
 *
 * No DMA of the device passes, and no report comes, until
 * iommu_nested_reset_done(). Its pending faults are over. A context that is set
 * meanwhile is checked and kept, and is used from then on.
 *
 * Context: process; takes viommu->sem and the backend's locks.
 */
void iommu_nested_reset_prepare(struct iommu_nested_binding *binding)
{
	struct iommu_nested_viommu *viommu = binding->viommu;

	down_write(&viommu->sem);
	end_faults(binding, viommu->backend->reset_prepare);
	up_write(&viommu->sem);
	trace_iommu_nested_reset_prepare(viommu, binding->dev,
					 binding->virtual_id);
}
EXPORT_SYMBOL_GPL(iommu_nested_reset_prepare);

/**
 * iommu_nested_reset_done - the device has been reset
 * @binding: the device's, for which iommu_nested_reset_prepare() was called
 *
 * The context is in force again.
 *
 * Context: process; takes viommu->sem and the backend's locks.
 */
void iommu_nested_reset_done(struct iommu_nested_binding *binding)
{
	struct iommu_nested_viommu *viommu = binding->viommu;

	down_write(&viommu->sem);
	iommu_nested_faults_open(binding);
	viommu->backend->reset_done(binding);
	up_write(&viommu->sem);
	trace_iommu_nested_reset_done(viommu, binding->dev,
				      binding->virtual_id);
}
EXPORT_SYMBOL_GPL(iommu_nested_reset_done);
