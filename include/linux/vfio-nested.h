/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Library for VFIO drivers whose devices can join a virtual IOMMU.
 */
#ifndef _LINUX_VFIO_NESTED_H
#define _LINUX_VFIO_NESTED_H

#include <linux/device.h>
#include <linux/iommu-nested.h>
#include <linux/mutex.h>
#include <linux/sysfs.h>
#include <linux/types.h>

struct vfio_device;
struct vfio_nested;

/**
 * struct vfio_nested_device - a VFIO device's part in nested translation
 * @vdev: VFIO's part of the device, constant
 * @dev: the physical device, constant
 * @lock: guards the members below. Taken inside VFIO's locks and the device
 *	lock, outside those of iommu-nested; nobody touches user memory under it,
 *	because a page fault may need a lock of VFIO that a reset holds.
 * @binding: the device's binding, or NULL; owned by this structure
 * @policy: what the administrator lets the device do, from the next binding on
 * @page_requests: how many the guest allows the device at a time, in this binding
 *	and the next ones, until a reset or the close of the device
 * @in_reset: between vfio_nested_device_reset_prepare() and
 *	vfio_nested_device_reset_done()
 * @in_attach: between vfio_nested_device_attach_prepare(), or
 *	vfio_nested_device_pasid_prepare(), and vfio_nested_device_attach_done()
 * @unmap_unseen: VFIO has unmapped memory, and there was none to see to it that the device
 *	is not bound meanwhile: not until it has been closed
 * @nested: what it is bound to, or still has to leave; set under the memory lock of that
 * @node: in the list of that, under its memory lock
 *
 * A VFIO driver embeds it in its own device structure.
 */
struct vfio_nested_device {
	struct vfio_device *vdev;
	struct device *dev;
	struct mutex lock; /* all that follows */
	struct iommu_nested_binding *binding;
	struct iommu_nested_policy policy;
	u32 page_requests;
	bool in_reset;
	bool in_attach;
	bool unmap_unseen;
	struct vfio_nested *nested;
	struct list_head node;
};

/**
 * enum vfio_nested_setting - what the administrator can set for each device
 * @VFIO_NESTED_MAY_STALL: struct iommu_nested_policy.may_stall: 0 or 1
 * @VFIO_NESTED_FAULT_QUOTA: .fault_quota: 0 to IOMMU_NESTED_MAX_PENDING
 * @VFIO_NESTED_FAULT_DEADLINE_MS: .fault_deadline_ms: 0 to 3600000
 */
enum vfio_nested_setting {
	VFIO_NESTED_MAY_STALL,
	VFIO_NESTED_FAULT_QUOTA,
	VFIO_NESTED_FAULT_DEADLINE_MS,
};

/**
 * struct vfio_nested_attribute - a setting of a device, in sysfs
 * @attr: shows and stores it
 * @setting: enum vfio_nested_setting
 * @from_dev: the VFIO driver's: what is part of the device that it is bound to
 */
struct vfio_nested_attribute {
	struct device_attribute attr;
	u32 setting;
	struct vfio_nested_device *(*from_dev)(struct device *dev);
};

/*
 * Initializer of a struct vfio_nested_attribute. A driver names it in its dev_groups,
 * in the directory "nested_iommu".
 */
#define VFIO_NESTED_ATTRIBUTE(_name, _setting, _from_dev) {		\
	.attr = __ATTR(_name, 0644, vfio_nested_attribute_show,		\
		       vfio_nested_attribute_store),			\
	.setting = (_setting),						\
	.from_dev = (_from_dev),					\
}

ssize_t vfio_nested_attribute_show(struct device *dev,
				   struct device_attribute *attr, char *buf);
ssize_t vfio_nested_attribute_store(struct device *dev,
				    struct device_attribute *attr,
				    const char *buf, size_t count);

void vfio_nested_device_init(struct vfio_nested_device *ndev,
			     struct vfio_device *vdev);
void vfio_nested_device_destroy(struct vfio_nested_device *ndev);
long vfio_nested_device_ioctl(struct vfio_nested_device *ndev,
			      unsigned int cmd, unsigned long arg);
void vfio_nested_device_info(struct vfio_nested_device *ndev,
			     struct iommu_nested_info *info);
int vfio_nested_device_set_page_requests(struct vfio_nested_device *ndev,
					 u32 credits);
bool vfio_nested_device_has_page_requests(struct vfio_nested_device *ndev);
void vfio_nested_device_close(struct vfio_nested_device *ndev);
void vfio_nested_device_reset_prepare(struct vfio_nested_device *ndev);
void vfio_nested_device_reset_done(struct vfio_nested_device *ndev);
void vfio_nested_device_attach_prepare(struct vfio_nested_device *ndev);
int vfio_nested_device_pasid_prepare(struct vfio_nested_device *ndev);
void vfio_nested_device_attach_done(struct vfio_nested_device *ndev);
void vfio_nested_device_dma_unmap(struct vfio_nested_device *ndev, u64 iova,
				  u64 length);

#endif /* _LINUX_VFIO_NESTED_H */
