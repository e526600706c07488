// SPDX-License-Identifier: GPL-2.0
/*
 * Registry of backends: which driver drives the IOMMU behind a device.
 *
 * Invariants:
 *  - a backend is in the list from its registration until the end of its
 *    unregistration, and nobody calls @owns outside the registry lock;
 *  - whoever was given a backend by iommu_nested_backend_get() holds a reference
 *    to its module, so that unregistering, which only the module's exit does,
 *    finds it unused.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/list.h>
#include <linux/mutex.h>

#include "private.h"

/* Guards the list. Inside it @owns takes the backend's own locks, no others. */
static DEFINE_MUTEX(registry_lock);
static LIST_HEAD(registry);

static bool backend_is_complete(const struct iommu_nested_backend *backend)
{
	return backend->name && backend->owns && backend->info &&
	       backend->viommu_init && backend->viommu_release &&
	       backend->bind && backend->unbind && backend->set_context &&
	       backend->reset_prepare && backend->reset_done &&
	       backend->invalidate &&
	       backend->type != VFIO_NESTED_BACKEND_NONE &&
	       backend->command_len &&
	       backend->command_len_short <= backend->command_len &&
	       backend->command_len <= IOMMU_NESTED_COMMAND_MAX_LEN;
}

/**
 * iommu_nested_register_backend - let devices behind an IOMMU be bound
 * @backend: operations, of which those may be NULL that struct iommu_nested_backend
 *	says; the caller keeps it until iommu_nested_unregister_backend()
 *
 * Context: process; may be called with no lock that @owns takes.
 * Return: 0; -EINVAL: an operation is missing, or a length of commands out of range;
 * -EEXIST: there is a backend of this type.
 */
int iommu_nested_register_backend(struct iommu_nested_backend *backend)
{
	struct iommu_nested_backend *other;
	int ret = 0;

	if (WARN_ON(!backend_is_complete(backend)))
		return -EINVAL;

	mutex_lock(&registry_lock);
	list_for_each_entry(other, &registry, list) {
		if (other->type == backend->type) {
			ret = -EEXIST;
			break;
		}
	}
	if (!ret)
		list_add_tail(&backend->list, &registry);
	mutex_unlock(&registry_lock);

	if (ret)
		pr_err("%s: a backend of this type is registered already\n",
		       backend->name);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_nested_register_backend);

/**
 * iommu_nested_unregister_backend - the opposite of registering
 * @backend: as registered
 *
 * For the exit of the backend's module, which runs when no virtual IOMMU uses
 * the backend any more. No operation is running when it returns.
 *
 * Context: process; with no lock that @owns takes.
 */
void iommu_nested_unregister_backend(struct iommu_nested_backend *backend)
{
	mutex_lock(&registry_lock);
	list_del(&backend->list);
	mutex_unlock(&registry_lock);
}
EXPORT_SYMBOL_GPL(iommu_nested_unregister_backend);

/* The backend of @dev with a reference to its module, or NULL. */
const struct iommu_nested_backend *iommu_nested_backend_get(struct device *dev)
{
	struct iommu_nested_backend *backend, *found = NULL;

	mutex_lock(&registry_lock);
	list_for_each_entry(backend, &registry, list) {
		if (backend->owns(dev)) {
			if (try_module_get(backend->owner))
				found = backend;
			break;
		}
	}
	mutex_unlock(&registry_lock);
	return found;
}

void iommu_nested_backend_put(const struct iommu_nested_backend *backend)
{
	module_put(backend->owner);
}

/**
 * iommu_nested_device_info - what the IOMMU behind a device can do
 * @dev: any device
 * @policy: what the administrator lets it do
 * @info: filled in
 * @type: set to the enum vfio_nested_backend of the IOMMU
 *
 * Context: process; takes the locks of the backend's @info.
 * Return: 0; -ENODEV: no registered backend drives the IOMMU of @dev; what the
 * backend's @info returns.
 */
int iommu_nested_device_info(struct device *dev,
			     const struct iommu_nested_policy *policy,
			     struct iommu_nested_info *info, u32 *type)
{
	const struct iommu_nested_backend *backend;
	int ret;

	backend = iommu_nested_backend_get(dev);
	if (!backend)
		return -ENODEV;

	memset(info, 0, sizeof(*info));
	ret = backend->info(dev, policy, info);
	if (!ret)
		*type = backend->type;
	iommu_nested_backend_put(backend);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_nested_device_info);
