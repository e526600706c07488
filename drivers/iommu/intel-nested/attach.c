// SPDX-License-Identifier: GPL-2.0
/*
 * What is in force for a device: its group's domain, and those of its PASIDs.
 *
 * Invariants:
 *  - one domain is never exchanged for another: the old one is taken off before the new
 *    one comes, and what intel-iommu was doing for it is waited for (keeper.c). The one
 *    exception are accesses without PASID: there that is waited for with the next one that
 *    is taken off, and until then the old one is kept (block_rid());
 *  - VFIO finds its own domain, with its own handle, whenever it changes something by
 *    itself: when the device is closed, and where vtd_detach_finally() was called
 *    before;
 *  - taking off cannot fail. If something cannot be attached, accesses are refused.
 *
 * All of it is called with vtd_viommu.lock held.
 */
#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/pci.h>

#include "vtd.h"

/*
 * The PCI core gives a device up that has not come back from a reset after 65 seconds.
 * Nothing can be attached meanwhile.
 */
#define RESET_TIMEOUT_MS	100000
/* The kernel also resets for a moment, without telling drivers, to find out whether it can. */
#define PROBE_TIMEOUT_MS	1000
#define RESET_POLL_MS		20

/* VFIO's type1 attaches without a handle. */
static int attach_group(struct vtd_dev *vdev, struct iommu_domain *domain,
			struct iommu_attach_handle *handle)
{
	return handle ? iommu_attach_group_handle(domain, vdev->group, handle) :
			iommu_attach_group(domain, vdev->group);
}

static void detach_group(struct vtd_dev *vdev, struct iommu_domain *domain,
			 struct iommu_attach_handle *handle)
{
	if (handle)
		iommu_detach_group_handle(domain, vdev->group);
	else
		iommu_detach_group(domain, vdev->group);
}

static void shadow_attached(struct vtd_shadow *shadow)
{
	shadow->attached = true;
	if (shadow->entry.kind == VTD_STAGE1)
		vtd_flush_add(shadow);
}

static void shadow_detached(struct vtd_shadow *shadow)
{
	shadow->attached = false;
	if (shadow->entry.kind == VTD_STAGE1)
		vtd_flush_remove(shadow);
}

/*
 * intel-iommu waits for page requests while it takes a domain off, and then forgets the
 * handle of the attachment. Who has found that in between has it until the next time that
 * something is taken off here.
 */
static void block_rid(struct vtd_dev *vdev)
{
	struct vtd_shadow *shadow = vdev->rid_shadow;

	switch (vdev->rid) {
	case VTD_RID_BLOCKED:
		return;
	case VTD_RID_STAGE2:
		detach_group(vdev, vdev->viommu->stage2, vdev->vfio_handle);
		break;
	case VTD_RID_STAGE1:
		detach_group(vdev, shadow->domain, &shadow->handle);
		shadow_detached(shadow);
		vdev->rid_shadow = NULL;
		break;
	}
	if (vtd_keeper_waits(vdev))
		vtd_free_drained(vdev, VTD_RID_PASID);
	if (shadow)
		shadow->undrained = vdev->pri;
	/* VFIO owns the DMA of the group: so it is on a domain that blocks. */
	vdev->rid = VTD_RID_BLOCKED;
}

/* As vtd_drain(); and what @pasid had before that is freed. */
static bool drain(struct vtd_dev *vdev, u32 pasid)
{
	if (!vtd_drain(vdev, pasid))
		return false;
	vtd_free_drained(vdev, pasid);
	return true;
}

/* With accesses without PASID blocked: do not wait for the next time. */
static void drain_rid(struct vtd_dev *vdev)
{
	struct vtd_shadow *shadow = xa_load(&vdev->state->shadows, VTD_RID_PASID);

	if (shadow && shadow->undrained)
		shadow->undrained = !drain(vdev, VTD_RID_PASID);
	else if (!list_empty(&vdev->undrained))
		drain(vdev, VTD_RID_PASID);
}

static int attach_stage2(struct vtd_dev *vdev)
{
	int ret;

	if (vdev->rid == VTD_RID_STAGE2)
		return 0;
	block_rid(vdev);
	ret = attach_group(vdev, vdev->viommu->stage2, vdev->vfio_handle);
	if (!ret)
		vdev->rid = VTD_RID_STAGE2;
	return ret;
}

static int attach_stage1(struct vtd_dev *vdev, struct vtd_shadow *shadow)
{
	int ret;

	if (vdev->rid == VTD_RID_STAGE1 && vdev->rid_shadow == shadow)
		return 0;
	block_rid(vdev);
	ret = attach_group(vdev, shadow->domain, &shadow->handle);
	if (!ret) {
		shadow_attached(shadow);
		vdev->rid = VTD_RID_STAGE1;
		vdev->rid_shadow = shadow;
	}
	return ret;
}

static bool is_active(const struct vtd_dev *vdev)
{
	return !vdev->in_reset && !vdev->stopped && !vdev->orphan;
}

static int attach_rid(struct vtd_dev *vdev)
{
	struct vtd_shadow *shadow;

	if (!is_active(vdev) || vdev->state->mode == VTD_MODE_ABORT) {
		block_rid(vdev);
		return 0;
	}
	if (vdev->state->mode == VTD_MODE_STAGE2)
		return attach_stage2(vdev);

	shadow = xa_load(&vdev->state->shadows, VTD_RID_PASID);
	if (!shadow) {
		block_rid(vdev);
		return 0;
	}
	return shadow->entry.kind == VTD_PASSTHROUGH ?
	       attach_stage2(vdev) : attach_stage1(vdev, shadow);
}

/*
 * Hardware may refuse an entry that is legal (the IOMMU of another device can do less);
 * then it is as good as one that is not: accesses are refused. What may succeed the next
 * time is an error.
 */
static int judge(struct vtd_dev *vdev, u32 pasid, int err)
{
	if (!err || err == -ENOMEM || err == -ENOSPC || err == -EBUSY)
		return err;
	dev_notice_ratelimited(vdev->dev, "the guest's entry of PASID %u could not be put in force (%d)\n",
			       pasid, err);
	return 0;
}

static int attach_pasid(struct vtd_dev *vdev, struct vtd_shadow *shadow)
{
	int ret;

	if (shadow->attached)
		return 0;
	ret = iommu_attach_device_pasid(shadow->domain, vdev->dev,
					shadow->pasid, &shadow->handle);
	if (!ret)
		shadow_attached(shadow);
	return judge(vdev, shadow->pasid, ret);
}

/**
 * vtd_attach - put the state of a device in force, as far as it may be
 * @vdev: the device
 *
 * What is in force already stays. On error some of it is not in force; what is not, is
 * refused.
 *
 * Return: 0; errors of the IOMMU core and of intel-iommu.
 */
int vtd_attach(struct vtd_dev *vdev)
{
	struct vtd_shadow *shadow;
	unsigned long pasid;
	int err, ret;

	if (!is_active(vdev) || vdev->state->mode != VTD_MODE_SHADOWS)
		return attach_rid(vdev);
	ret = vtd_keeper_attach(vdev);
	if (ret)
		return ret;
	ret = attach_rid(vdev);
	xa_for_each_start(&vdev->state->shadows, pasid, shadow,
			  VTD_RID_PASID + 1) {
		err = attach_pasid(vdev, shadow);
		ret = ret ?: err;
	}
	return ret;
}

/**
 * vtd_attach_pasid - put the shadow of one PASID in force, or its absence
 * @vdev: the device
 * @pasid: which
 *
 * Return: 0, also if hardware refuses it; -ENOMEM, -ENOSPC; -EBUSY: somebody else has that
 * PASID, or the kernel resets the device.
 */
int vtd_attach_pasid(struct vtd_dev *vdev, u32 pasid)
{
	struct vtd_shadow *shadow = xa_load(&vdev->state->shadows, pasid);
	int ret;

	if (shadow && is_active(vdev)) {
		ret = vtd_keeper_attach(vdev);
		if (ret)
			return ret;
	}
	if (pasid == VTD_RID_PASID)
		return judge(vdev, pasid, attach_rid(vdev));
	return shadow && is_active(vdev) ? attach_pasid(vdev, shadow) : 0;
}

/**
 * vtd_detach_shadow - take one shadow out of force
 * @vdev: the device
 * @shadow: of it
 */
void vtd_detach_shadow(struct vtd_dev *vdev, struct vtd_shadow *shadow)
{
	if (shadow->pasid == VTD_RID_PASID) {
		/* For pass-through VFIO's domain is there, not the shadow's. */
		if (vdev->state->mode == VTD_MODE_SHADOWS)
			block_rid(vdev);
		return;
	}
	if (!shadow->attached)
		return;
	iommu_detach_device_pasid(shadow->domain, vdev->dev, shadow->pasid);
	shadow_detached(shadow);
	if (shadow->entry.kind == VTD_STAGE1)
		shadow->undrained = !drain(vdev, shadow->pasid);
}

/**
 * vtd_detach - refuse all accesses of a device
 * @vdev: the device
 *
 * Its state stays, and nothing of it is in force. The handler of what was there for
 * accesses without PASID may still run.
 */
void vtd_detach(struct vtd_dev *vdev)
{
	struct vtd_shadow *shadow;
	unsigned long pasid;

	block_rid(vdev);
	xa_for_each(&vdev->state->shadows, pasid, shadow)
		vtd_detach_shadow(vdev, shadow);
}

/**
 * vtd_silence - refuse all accesses of a device, and see that it reports nothing
 * @vdev: the device
 *
 * As vtd_detach(); and no handler runs any more, but for that of a shadow that is undrained.
 */
void vtd_silence(struct vtd_dev *vdev)
{
	vtd_detach(vdev);
	drain_rid(vdev);
}

/**
 * vtd_detach_finally - give the device back to VFIO
 * @vdev: the device, detached
 *
 * During a reset of the device newer kernels do not attach anything (EBUSY). They cannot
 * be told to do it afterwards; so this waits for the end of the reset.
 */
void vtd_detach_finally(struct vtd_dev *vdev)
{
	const unsigned int limit = vdev->in_reset ? RESET_TIMEOUT_MS :
						    PROBE_TIMEOUT_MS;
	unsigned int waited;
	int ret;

	for (waited = 0; waited < limit; waited += RESET_POLL_MS) {
		ret = attach_stage2(vdev);
		if (ret != -EBUSY)
			break;
		msleep(RESET_POLL_MS);
	}
	if (ret)
		dev_err(vdev->dev, "its DMA is blocked until all files of it are closed: VFIO's domain could not be attached again (%d)\n",
			ret);
}
