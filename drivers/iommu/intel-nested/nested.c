// SPDX-License-Identifier: GPL-2.0
/*
 * The backend for the nested core: devices that are bound, and their contexts.
 *
 * Invariants:
 *  - a device is on VFIO's domain, attached as VFIO has attached it, before it is bound,
 *    after it is unbound, and while it has a context that does not need anything else;
 *  - a context is in force as a whole, or not at all: the new one is complete before the
 *    old one is detached, and if it cannot be attached the old one comes back. In
 *    between accesses are refused;
 *  - a device does not share its IOMMU group, because the group's domain changes.
 */
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "vtd.h"

static int count_device(struct device *dev, void *data)
{
	(*(u32 *)data)++;
	return 0;
}

static int check_group(struct vtd_dev *vdev)
{
	u32 num = 0;

	iommu_group_for_each_dev(vdev->group, &num, count_device);
	if (num == 1)
		return 0;
	dev_notice_ratelimited(vdev->dev, "cannot be given to a guest's stage 1: it shares IOMMU group %d with %u others\n",
			       iommu_group_id(vdev->group), num - 1);
	return -EPERM;
}

static int check_bindable(struct vtd_dev *vdev)
{
	struct vtd_viommu *viommu = vdev->viommu;
	struct iommu_domain *domain;

	if (!vdev->group)
		return -ENODEV;
	if (vdev->dev->iommu->iommu_dev != viommu->hw)
		return -EXDEV;
	domain = iommu_get_domain_for_dev(vdev->dev);
	if (!domain || domain->type != IOMMU_DOMAIN_UNMANAGED)
		return -ENODEV;
	if (domain != viommu->stage2)
		return -EXDEV;
	/* It may be another one in the same place, if all devices have left the first. */
	if (!viommu->core->mirror && !vtd_is_nest_parent(viommu, vdev->dev))
		return -EXDEV;
	return check_group(vdev);
}

/* Descriptors name no device, or any; what each of them has may be used there. */
static void widen_limits(struct vtd_viommu *viommu, const struct vtd_limits *more)
{
	viommu->limits.cap |= more->cap;
	viommu->limits.ecap |= more->ecap;
	viommu->limits.pasid_bits = max(viommu->limits.pasid_bits,
					more->pasid_bits);
}

static void free_dev(struct vtd_dev *vdev)
{
	if (vdev->state)
		vtd_state_destroy(vdev, vdev->state);
	iommu_group_put(vdev->group);
	kfree(vdev);
}

static int vtd_bind(struct iommu_nested_binding *binding)
{
	struct iommu_attach_handle *handle;
	struct vtd_dev *vdev;
	int ret;

	vdev = kzalloc_obj(*vdev, GFP_KERNEL_ACCOUNT);
	if (!vdev)
		return -ENOMEM;
	vdev->binding = binding;
	vdev->viommu = binding->viommu->backend_data;
	vdev->dev = binding->dev;
	vdev->group = iommu_group_get(binding->dev);
	vdev->rid = VTD_RID_STAGE2;
	INIT_LIST_HEAD(&vdev->undrained);
	vdev->state = vtd_state_create();
	ret = vdev->state ? check_bindable(vdev) : -ENOMEM;
	if (!ret)
		ret = vtd_limits_of(vdev->dev, &vdev->limits);
	if (ret) {
		free_dev(vdev);
		return ret;
	}
	handle = iommu_attach_handle_get(vdev->group, IOMMU_NO_PASID, 0);
	vdev->vfio_handle = IS_ERR(handle) ? NULL : handle;
	vdev->pri = vdev->limits.ecap & ECAP_PRS;
	widen_limits(vdev->viommu, &vdev->limits);
	vtd_explain(vdev->dev, &vdev->limits);
	list_add(&vdev->node, &vdev->viommu->devices);
	binding->backend_data = vdev;
	return 0;
}

/* Back to how VFIO has attached the device. */
static void leave(struct vtd_dev *vdev)
{
	struct vtd_viommu *viommu = vdev->viommu;

	mutex_lock(&viommu->lock);
	if (!vdev->orphan) {
		if (vdev->rid != VTD_RID_STAGE2 || vdev->state->num_shadows ||
		    !list_empty(&vdev->undrained))
			vtd_silence(vdev);
		vtd_keeper_detach(vdev);
		vtd_end_faults(vdev);
		/* VFIO's domain, of which they are children, may go next. */
		vtd_state_clear(vdev, vdev->state);
		vtd_free_undrained(vdev);
		vtd_keeper_retire(vdev);
		vtd_detach_finally(vdev);
		vdev->orphan = true;
	}
	mutex_unlock(&viommu->lock);
}

static void vtd_unbind(struct iommu_nested_binding *binding)
{
	struct vtd_dev *vdev = binding->backend_data;

	leave(vdev);
	binding->backend_data = NULL;
	list_del(&vdev->node);
	free_dev(vdev);
}

static void vtd_stage2_leave(struct iommu_nested_binding *binding)
{
	leave(binding->backend_data);
}

static void use_state(struct vtd_dev *vdev, struct vtd_state *state)
{
	vdev->state = state;
	WRITE_ONCE(vdev->may_request,
		   !state->tables || state->context.page_requests);
}

/* The old state is detached and @state takes its place; on error it is back again. */
static int exchange_state(struct vtd_dev *vdev, struct vtd_state *state)
{
	struct vtd_state *old = vdev->state;
	int ret, err;

	if (old->mode == VTD_MODE_SHADOWS)
		vtd_detach(vdev);
	use_state(vdev, state);
	ret = vtd_attach(vdev);
	if (!ret)
		return 0;

	vtd_detach(vdev);
	use_state(vdev, old);
	err = vtd_attach(vdev);
	if (err)
		dev_err(vdev->dev, "some of its DMA is blocked: the context could not be put back in force (%d)\n",
			err);
	return ret;
}

static int set_context(struct vtd_dev *vdev,
		       const struct iommu_nested_context *context)
{
	struct vtd_state *state, *old = vdev->state;
	int ret;

	if (vdev->orphan)
		return -ENODEV;
	state = vtd_state_create();
	if (!state)
		return -ENOMEM;
	ret = vtd_state_build(vdev, state, context);
	if (!ret)
		ret = exchange_state(vdev, state);
	vtd_state_destroy(vdev, ret ? state : old);
	return ret;
}

static int vtd_set_context(struct iommu_nested_binding *binding,
			   const struct iommu_nested_context *context)
{
	struct vtd_dev *vdev = binding->backend_data;
	int ret;

	mutex_lock(&vdev->viommu->lock);
	ret = set_context(vdev, context);
	mutex_unlock(&vdev->viommu->lock);
	return ret;
}

/* Nothing passes. What the guest does to its tables meanwhile is followed. */
static void pause_device(struct vtd_dev *vdev, bool *why)
{
	mutex_lock(&vdev->viommu->lock);
	*why = true;
	if (!vdev->orphan) {
		vtd_silence(vdev);
		if (vdev->in_reset) {
			/* The kernel ends its page requests, and we do. */
			vtd_keeper_detach(vdev);
			vtd_end_faults(vdev);
		}
	}
	mutex_unlock(&vdev->viommu->lock);
}

static void resume_device(struct vtd_dev *vdev, bool *why)
{
	int ret = 0;

	mutex_lock(&vdev->viommu->lock);
	*why = false;
	if (!vdev->orphan)
		ret = vtd_attach(vdev);
	mutex_unlock(&vdev->viommu->lock);
	if (ret)
		dev_err(vdev->dev, "some of its DMA is blocked: the context could not be put in force (%d)\n",
			ret);
}

static void vtd_reset_prepare(struct iommu_nested_binding *binding)
{
	struct vtd_dev *vdev = binding->backend_data;

	pause_device(vdev, &vdev->in_reset);
}

static void vtd_reset_done(struct iommu_nested_binding *binding)
{
	struct vtd_dev *vdev = binding->backend_data;

	resume_device(vdev, &vdev->in_reset);
}

static void vtd_stop(struct iommu_nested_binding *binding)
{
	struct vtd_dev *vdev = binding->backend_data;

	pause_device(vdev, &vdev->stopped);
}

static void vtd_run(struct iommu_nested_binding *binding)
{
	struct vtd_dev *vdev = binding->backend_data;

	resume_device(vdev, &vdev->stopped);
}

struct iommu_nested_backend vtd_backend = {
	.owner			= THIS_MODULE,
	.name			= "VT-d",
	.type			= VFIO_NESTED_BACKEND_VTD,
	.command_type		= VFIO_NESTED_COMMAND_VTD,
	.command_len		= sizeof(struct vfio_nested_command_vtd),
	.command_len_short	= QI_WORDS_SHORT * sizeof(u64),
	.user_page		= true,
	.owns			= vtd_owns,
	.info			= vtd_info,
	.viommu_init		= vtd_viommu_init,
	.viommu_release		= vtd_viommu_release,
	.bind			= vtd_bind,
	.unbind			= vtd_unbind,
	.stage2_leave		= vtd_stage2_leave,
	.set_context		= vtd_set_context,
	.stop			= vtd_stop,
	.run			= vtd_run,
	.set_page_requests	= vtd_set_page_requests,
	.restore_request	= vtd_restore_request,
	.respond		= vtd_respond,
	.reset_prepare		= vtd_reset_prepare,
	.reset_done		= vtd_reset_done,
	.invalidate		= vtd_invalidate,
	.invalidate_generic	= vtd_invalidate_generic,
	.memory_map		= vtd_memory_map,
	.memory_unmap		= vtd_memory_unmap,
};
