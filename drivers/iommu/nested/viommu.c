// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual IOMMUs.
 *
 * Invariants:
 *  - a virtual IOMMU lives as long as the user interface or a binding refers to
 *    it, and the user's @release is the last thing that is called for it;
 *  - it is tied to a backend, and to one stage-2 domain, exactly while it has
 *    bindings: VFIO may attach the devices to another domain afterwards, so
 *    nothing of the tie can be kept;
 *  - a tie holds a reference to the backend's module.
 */
#include <linux/slab.h>

#include "private.h"

/**
 * iommu_nested_viommu_create - make a virtual IOMMU without devices
 * @user: operations of the user interface
 * @user_data: argument of @user's operations
 *
 * The code of @user has to stay loaded until its @release has been called.
 *
 * Context: process.
 * Return: the virtual IOMMU with one reference, which the caller ends with
 * iommu_nested_viommu_put(); ERR_PTR(-ENOMEM), and then @release is not called.
 */
struct iommu_nested_viommu *
iommu_nested_viommu_create(const struct iommu_nested_user *user,
			   void *user_data)
{
	static atomic_t last_id;
	struct iommu_nested_viommu *viommu;

	viommu = kzalloc_obj(*viommu, GFP_KERNEL_ACCOUNT);
	if (!viommu)
		return ERR_PTR(-ENOMEM);
	viommu->space = iommu_nested_space_create();
	if (!viommu->space)
		goto err_free;
	viommu->table = iommu_nested_faults_create(viommu);
	if (!viommu->table)
		goto err_space;

	kref_init(&viommu->kref);
	init_rwsem(&viommu->sem);
	xa_init_flags(&viommu->bindings, XA_FLAGS_ACCOUNT);
	viommu->id = atomic_inc_return(&last_id);
	viommu->user = user;
	viommu->user_data = user_data;
	return viommu;

err_space:
	iommu_nested_space_destroy(viommu->space);
err_free:
	kfree(viommu);
	return ERR_PTR(-ENOMEM);
}
EXPORT_SYMBOL_GPL(iommu_nested_viommu_create);

static void viommu_release(struct kref *kref)
{
	struct iommu_nested_viommu *viommu =
		container_of(kref, struct iommu_nested_viommu, kref);

	WARN_ON(viommu->nr_bindings || viommu->backend);
	iommu_nested_faults_destroy(viommu->table);
	iommu_nested_space_destroy(viommu->space);
	viommu->user->release(viommu->user_data);
	xa_destroy(&viommu->bindings);
	kfree(viommu);
}

/**
 * iommu_nested_viommu_get - one reference more
 * @viommu: to which the caller has one, or is kept from being released otherwise
 *
 * Context: any.
 */
void iommu_nested_viommu_get(struct iommu_nested_viommu *viommu)
{
	kref_get(&viommu->kref);
}
EXPORT_SYMBOL_GPL(iommu_nested_viommu_get);

/**
 * iommu_nested_viommu_put - end one reference
 * @viommu: not to be used by the caller any more
 *
 * Context: process; not under @viommu->sem or a lock that @release takes.
 */
void iommu_nested_viommu_put(struct iommu_nested_viommu *viommu)
{
	kref_put(&viommu->kref, viommu_release);
}
EXPORT_SYMBOL_GPL(iommu_nested_viommu_put);

/**
 * iommu_nested_viommu_info - what the IOMMU of the bound devices can do
 * @viommu: the virtual IOMMU
 * @info: filled in; all zero if no device is bound
 * @type: set to the enum vfio_nested_backend, NONE if no device is bound
 *
 * Context: process; takes @viommu->sem.
 * Return: 0; -EINTR: a fatal signal arrived.
 */
int iommu_nested_viommu_info(struct iommu_nested_viommu *viommu,
			     struct iommu_nested_info *info, u32 *type)
{
	int ret;

	ret = down_read_killable(&viommu->sem);
	if (ret)
		return ret;
	*info = viommu->info;
	*type = viommu->backend ? viommu->backend->type :
				  VFIO_NESTED_BACKEND_NONE;
	up_read(&viommu->sem);
	return 0;
}
EXPORT_SYMBOL_GPL(iommu_nested_viommu_info);

static bool can_have_faults(const struct iommu_nested_backend *backend,
			    const struct iommu_nested_info *info)
{
	return backend->respond && backend->stop && backend->run &&
	       (backend->set_tag || !(info->caps & VFIO_NESTED_CAP_STALL));
}

static int tie(struct iommu_nested_viommu *viommu,
	       const struct iommu_nested_backend *backend,
	       const struct iommu_nested_binding *binding)
{
	struct iommu_nested_info *info = &viommu->info;
	int ret;

	ret = backend->info(binding->dev, &binding->policy, info);
	if (ret)
		return ret;
	if (WARN_ON_ONCE(info->max_pending && !can_have_faults(backend, info)))
		return -ENODEV;
	ret = iommu_nested_table_size(viommu->table, info->max_pending);
	if (ret)
		return ret;
	return backend->viommu_init(viommu, binding->dev);
}

/*
 * Tie @viommu to the physical IOMMU and the stage 2 of its first @binding's device. The
 * caller holds viommu->sem for writing and a reference to the backend's module.
 */
int iommu_nested_viommu_tie(struct iommu_nested_viommu *viommu,
			    const struct iommu_nested_backend *backend,
			    const struct iommu_nested_binding *binding)
{
	int ret;

	lockdep_assert_held_write(&viommu->sem);

	ret = tie(viommu, backend, binding);
	if (ret) {
		memset(&viommu->info, 0, sizeof(viommu->info));
		viommu->backend_data = NULL;
		viommu->mirror = false;
		return ret;
	}
	__module_get(backend->owner);
	WRITE_ONCE(viommu->user_page, backend->user_page);
	viommu->backend = backend;
	return 0;
}

/* The last binding is gone. The caller holds viommu->sem for writing. */
void iommu_nested_viommu_untie(struct iommu_nested_viommu *viommu)
{
	const struct iommu_nested_backend *backend = viommu->backend;

	lockdep_assert_held_write(&viommu->sem);

	iommu_nested_space_untie(viommu);
	backend->viommu_release(viommu);
	viommu->mirror = false;
	WRITE_ONCE(viommu->user_page, false);
	viommu->backend = NULL;
	viommu->backend_data = NULL;
	memset(&viommu->info, 0, sizeof(viommu->info));
	module_put(backend->owner);
}
