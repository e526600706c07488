/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Library for VFIO drivers whose devices can join a virtual IOMMU.
 */
#ifndef _LINUX_VFIO_NESTED_H
#define _LINUX_VFIO_NESTED_H

#include <linux/iommu-nested.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct device;

/**
 * struct vfio_nested_device - a VFIO device's part in nested translation
 * @dev: the physical device, constant
 * @lock: guards the members below. Taken inside VFIO's locks and the device
 *	lock, outside those of iommu-nested; nobody touches user memory under it,
 *	because a page fault may need a lock of VFIO that a reset holds.
 * @binding: the device's binding, or NULL; owned by this structure
 * @policy: what the administrator lets the device do, from the next binding on
 * @in_reset: between vfio_nested_device_reset_prepare() and
 *	vfio_nested_device_reset_done()
 *
 * A VFIO driver embeds it in its own device structure.
 */
struct vfio_nested_device {
	struct device *dev;
	struct mutex lock; /* all that follows */
	struct iommu_nested_binding *binding;
	struct iommu_nested_policy policy;
	bool in_reset;
};

void vfio_nested_device_init(struct vfio_nested_device *ndev,
			     struct device *dev);
void vfio_nested_device_destroy(struct vfio_nested_device *ndev);
long vfio_nested_device_ioctl(struct vfio_nested_device *ndev,
			      unsigned int cmd, unsigned long arg);
void vfio_nested_device_close(struct vfio_nested_device *ndev);
void vfio_nested_device_reset_prepare(struct vfio_nested_device *ndev);
void vfio_nested_device_reset_done(struct vfio_nested_device *ndev);

#endif /* _LINUX_VFIO_NESTED_H */
