// SPDX-License-Identifier: GPL-2.0
/*
 * Stage-1 contexts.
 *
 * Invariant: the core looks at no bit of a context; what it got from the user
 * is what the backend checks, and the user cannot change it any more.
 */
#include <linux/nospec.h>

#include "private.h"
#include "trace.h"

/* Bytes of data that each type of context has; those that are not here have no form. */
static const u8 context_len[] = {
	[VFIO_NESTED_CONTEXT_CLEAR] = 0,
	[VFIO_NESTED_CONTEXT_BYPASS] = 0,
	[VFIO_NESTED_CONTEXT_ABORT] = 0,
	[VFIO_NESTED_CONTEXT_SMMUV3] = sizeof(struct vfio_nested_context_smmuv3),
	[VFIO_NESTED_CONTEXT_VTD] = sizeof(struct vfio_nested_context_vtd),
	[VFIO_NESTED_CONTEXT_TABLE] = sizeof(struct vfio_nested_context_table),
};

/**
 * iommu_nested_context_len - how much data a context has
 * @type: enum vfio_nested_context_type, or anything
 *
 * Context: any.
 * Return: bytes; -EOPNOTSUPP: there is no such type.
 */
int iommu_nested_context_len(u32 type)
{
	if (type >= ARRAY_SIZE(context_len))
		return -EOPNOTSUPP;
	return context_len[array_index_nospec(type, ARRAY_SIZE(context_len))];
}
EXPORT_SYMBOL_GPL(iommu_nested_context_len);

/* The caller holds viommu->sem for writing. */
int iommu_nested_binding_set_context(struct iommu_nested_binding *binding,
				     const struct iommu_nested_context *context)
{
	struct iommu_nested_viommu *viommu = binding->viommu;
	int ret;

	lockdep_assert_held_write(&viommu->sem);

	ret = viommu->backend->set_context(binding, context);
	if (ret)
		return ret;
	binding->context = *context;
	atomic64_inc(&viommu->counters.contexts);
	return 0;
}

static int set_context(struct iommu_nested_viommu *viommu, u64 virtual_id,
		       const struct iommu_nested_context *context)
{
	struct iommu_nested_binding *binding;

	binding = iommu_nested_find(viommu, virtual_id);
	if (!binding)
		return -ENOENT;
	return iommu_nested_binding_set_context(binding, context);
}

/**
 * iommu_nested_set_context - set, replace or clear a device's stage 1
 * @viommu: the virtual IOMMU
 * @virtual_id: the device's id in the guest
 * @context: the context, in kernel memory
 *
 * Context: process; takes @viommu->sem and the backend's locks.
 * Return: 0; -ENOENT: no such device is bound; -EINTR: a fatal signal arrived;
 * -EINVAL: the context is not legal; -EOPNOTSUPP: it is not of this architecture; -EPERM:
 * it is not allowed; -ENODEV: the device is on another stage 2 by now; -ENOSPC: there are
 * too many PASIDs; -EFAULT: guest memory cannot be read; -EBUSY: somebody else uses the
 * device or its PASIDs, or too many address spaces use @viommu; -ENOMEM. On error the old
 * context stays.
 */
int iommu_nested_set_context(struct iommu_nested_viommu *viommu,
			     u64 virtual_id,
			     const struct iommu_nested_context *context)
{
	struct iommu_nested_attempt attempt __uninitialized;
	int ret;

	iommu_nested_attempt_begin(&attempt, viommu);
	do {
		ret = iommu_nested_attempt_lock(&attempt);
		if (ret)
			break;
		ret = set_context(viommu, virtual_id, context);
		up_write(&viommu->sem);
	} while (ret == -EAGAIN);
	iommu_nested_attempt_end(&attempt);
	trace_iommu_nested_set_context(viommu, virtual_id, context->type, ret);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_nested_set_context);
