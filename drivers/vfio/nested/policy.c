// SPDX-License-Identifier: GPL-2.0
/*
 * What the administrator lets a device do: attributes in sysfs, and the defaults.
 *
 * Invariants:
 *  - a policy in a vfio_nested_device is in range: nothing else is ever stored;
 *  - a binding keeps the policy that was there when it was made.
 */
#include <linux/device.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sysfs.h>
#include <linux/vfio-nested.h>

#include "private.h"

/* One hour: whoever wants to wait longer wants no deadline. */
#define DEADLINE_MAX_MS	(60 * 60 * 1000)

static unsigned int fault_deadline_ms = IOMMU_NESTED_DEADLINE_MS;

static int set_fault_deadline(const char *text, const struct kernel_param *param)
{
	return param_set_uint_minmax(text, param, 0, DEADLINE_MAX_MS);
}

static const struct kernel_param_ops fault_deadline_ops = {
	.set = set_fault_deadline,
	.get = param_get_uint,
};

module_param_cb(fault_deadline_ms, &fault_deadline_ops, &fault_deadline_ms,
		0644);
MODULE_PARM_DESC(fault_deadline_ms,
		 "Milliseconds, up to 3600000, in which a recoverable fault has to be answered before it is aborted; 0: any time. For devices that get their driver from now on (default: 10000)");

/* What applies to a device of which the administrator has said nothing. */
void vfio_nested_policy_init(struct iommu_nested_policy *policy)
{
	*policy = (struct iommu_nested_policy) {
		.fault_deadline_ms = READ_ONCE(fault_deadline_ms),
	};
}

static u32 get_may_stall(const struct iommu_nested_policy *policy)
{
	return policy->may_stall;
}

/* The rule that PCI Express has against it is there for a reason. */
static void set_may_stall(struct vfio_nested_device *ndev, u32 value)
{
	ndev->policy.may_stall = value;
	if (value && dev_is_pci(ndev->dev) && pci_is_pcie(to_pci_dev(ndev->dev)))
		dev_warn(ndev->dev,
			 "the administrator lets this PCI Express function stall: unless its accesses are known to be independent of all others, the machine may hang until its faults are answered\n");
}

static u32 get_fault_quota(const struct iommu_nested_policy *policy)
{
	return policy->fault_quota;
}

static void set_fault_quota(struct vfio_nested_device *ndev, u32 value)
{
	ndev->policy.fault_quota = value;
}

static u32 get_fault_deadline_ms(const struct iommu_nested_policy *policy)
{
	return policy->fault_deadline_ms;
}

static void set_fault_deadline_ms(struct vfio_nested_device *ndev, u32 value)
{
	ndev->policy.fault_deadline_ms = value;
}

static const struct setting {
	u32 max;
	u32 (*get)(const struct iommu_nested_policy *policy);
	void (*set)(struct vfio_nested_device *ndev, u32 value);
} settings[] = {
	[VFIO_NESTED_MAY_STALL] = {
		.max = 1,
		.get = get_may_stall,
		.set = set_may_stall,
	},
	[VFIO_NESTED_FAULT_QUOTA] = {
		.max = IOMMU_NESTED_MAX_PENDING,
		.get = get_fault_quota,
		.set = set_fault_quota,
	},
	[VFIO_NESTED_FAULT_DEADLINE_MS] = {
		.max = DEADLINE_MAX_MS,
		.get = get_fault_deadline_ms,
		.set = set_fault_deadline_ms,
	},
};

static const struct vfio_nested_attribute *
to_attribute(const struct device_attribute *attr)
{
	return container_of(attr, struct vfio_nested_attribute, attr);
}

/**
 * vfio_nested_attribute_show - read a setting in sysfs
 * @dev: the physical device
 * @attr: in a struct vfio_nested_attribute
 * @buf: a page
 *
 * Context: process; takes the lock of the device's part in nested translation.
 * Return: number of bytes.
 */
ssize_t vfio_nested_attribute_show(struct device *dev,
				   struct device_attribute *attr, char *buf)
{
	const struct vfio_nested_attribute *attribute = to_attribute(attr);
	struct vfio_nested_device *ndev = attribute->from_dev(dev);
	u32 value;

	mutex_lock(&ndev->lock);
	value = settings[attribute->setting].get(&ndev->policy);
	mutex_unlock(&ndev->lock);
	return sysfs_emit(buf, "%u\n", value);
}
EXPORT_SYMBOL_GPL(vfio_nested_attribute_show);

/**
 * vfio_nested_attribute_store - write a setting in sysfs
 * @dev: the physical device
 * @attr: in a struct vfio_nested_attribute
 * @buf: what the administrator wrote
 * @count: bytes of it
 *
 * Context: process; takes the lock of the device's part in nested translation.
 * Return: @count; -EINVAL: not a number; -ERANGE: too large.
 */
ssize_t vfio_nested_attribute_store(struct device *dev,
				    struct device_attribute *attr,
				    const char *buf, size_t count)
{
	const struct vfio_nested_attribute *attribute = to_attribute(attr);
	const struct setting *setting = &settings[attribute->setting];
	struct vfio_nested_device *ndev = attribute->from_dev(dev);
	u32 value;
	int ret;

	ret = kstrtou32(buf, 0, &value);
	if (ret)
		return ret;
	if (value > setting->max)
		return -ERANGE;

	mutex_lock(&ndev->lock);
	setting->set(ndev, value);
	mutex_unlock(&ndev->lock);
	return count;
}
EXPORT_SYMBOL_GPL(vfio_nested_attribute_store);
