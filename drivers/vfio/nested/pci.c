// SPDX-License-Identifier: GPL-2.0
/*
 * VFIO driver for PCI devices that can join a virtual IOMMU: vfio-pci-core, and
 * the library of vfio-nested.
 *
 * Invariants:
 *  - it drives the devices that name it in driver_override and no others;
 *  - a binding ends before the device is disabled, and a reset in whatever way
 *    (ioctl, a guest's write to config space, sysfs, of the whole bus) goes
 *    through the two reset callbacks, which the PCI core calls in pairs and with
 *    the device lock held;
 *  - a VMM reaches configuration space only through pci-config.c.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/vfio-nested.h>
#include <linux/vfio_pci_core.h>
#include <uapi/linux/vfio_nested.h>

#include "pci.h"

static struct vfio_pci_nested *from_vfio(struct vfio_device *vdev)
{
	return container_of(vdev, struct vfio_pci_nested, core.vdev);
}

static struct vfio_pci_nested *from_pci(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	return container_of(core, struct vfio_pci_nested, core);
}

static int nested_pci_init_dev(struct vfio_device *vdev)
{
	struct vfio_pci_nested *npdev = from_vfio(vdev);

	vfio_nested_device_init(&npdev->nested, vdev);
	mutex_init(&npdev->config_lock);
	return vfio_pci_core_init_dev(vdev);
}

static void nested_pci_release_dev(struct vfio_device *vdev)
{
	struct vfio_pci_nested *npdev = from_vfio(vdev);

	vfio_pci_core_release_dev(vdev);
	mutex_destroy(&npdev->config_lock);
	vfio_nested_device_destroy(&npdev->nested);
}

static int nested_pci_open_device(struct vfio_device *vdev)
{
	struct vfio_pci_nested *npdev = from_vfio(vdev);
	int ret;

	ret = vfio_pci_core_enable(&npdev->core);
	if (ret)
		return ret;
	nested_pci_config_open(npdev);
	vfio_pci_core_finish_enable(&npdev->core);
	return 0;
}

static void nested_pci_close_device(struct vfio_device *vdev)
{
	vfio_nested_device_close(&from_vfio(vdev)->nested);
	vfio_pci_core_close_device(vdev);
}

static long nested_pci_ioctl(struct vfio_device *vdev, unsigned int cmd,
			     unsigned long arg)
{
	if (_IOC_TYPE(cmd) == VFIO_NESTED_TYPE)
		return vfio_nested_device_ioctl(&from_vfio(vdev)->nested, cmd,
						arg);
	return vfio_pci_core_ioctl(vdev, cmd, arg);
}

static bool is_config(loff_t pos)
{
	return VFIO_PCI_OFFSET_TO_INDEX(pos) == VFIO_PCI_CONFIG_REGION_INDEX;
}

static ssize_t nested_pci_read(struct vfio_device *vdev, char __user *buf,
			       size_t count, loff_t *ppos)
{
	if (is_config(*ppos))
		return nested_pci_config_rw(from_vfio(vdev), buf, count, ppos,
					    false);
	return vfio_pci_core_read(vdev, buf, count, ppos);
}

static ssize_t nested_pci_write(struct vfio_device *vdev,
				const char __user *buf, size_t count,
				loff_t *ppos)
{
	if (is_config(*ppos))
		return nested_pci_config_rw(from_vfio(vdev),
					    (char __user *)buf, count, ppos,
					    true);
	return vfio_pci_core_write(vdev, buf, count, ppos);
}

static void nested_pci_dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	vfio_nested_device_dma_unmap(&from_vfio(vdev)->nested, iova, length);
}

#if IS_ENABLED(CONFIG_IOMMUFD)
static int nested_pci_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	struct vfio_nested_device *ndev = &from_vfio(vdev)->nested;
	int ret;

	vfio_nested_device_attach_prepare(ndev);
	ret = vfio_iommufd_physical_attach_ioas(vdev, pt_id);
	vfio_nested_device_attach_done(ndev);
	return ret;
}

static void nested_pci_detach_ioas(struct vfio_device *vdev)
{
	struct vfio_nested_device *ndev = &from_vfio(vdev)->nested;

	vfio_nested_device_attach_prepare(ndev);
	vfio_iommufd_physical_detach_ioas(vdev);
	vfio_nested_device_attach_done(ndev);
}
#else
#define nested_pci_attach_ioas	vfio_iommufd_physical_attach_ioas
#define nested_pci_detach_ioas	vfio_iommufd_physical_detach_ioas
#endif

static int __maybe_unused
nested_pci_pasid_attach_ioas(struct vfio_device *vdev, u32 pasid, u32 *pt_id)
{
	struct vfio_nested_device *ndev = &from_vfio(vdev)->nested;
	int ret;

	ret = vfio_nested_device_pasid_prepare(ndev);
	if (ret)
		return ret;
	ret = compat_vfio_pasid_attach_ioas(vdev, pasid, pt_id);
	vfio_nested_device_attach_done(ndev);
	return ret;
}

static const struct vfio_device_ops nested_pci_ops = {
	.name = "vfio-pci-nested",
	.init = nested_pci_init_dev,
	.release = nested_pci_release_dev,
	.open_device = nested_pci_open_device,
	.close_device = nested_pci_close_device,
	.ioctl = nested_pci_ioctl,
	.device_feature = vfio_pci_core_ioctl_feature,
	.read = nested_pci_read,
	.write = nested_pci_write,
	.mmap = vfio_pci_core_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = nested_pci_attach_ioas,
	.detach_ioas = nested_pci_detach_ioas,
	.dma_unmap = nested_pci_dma_unmap,
	COMPAT_GET_REGION_INFO_CAPS
	COMPAT_MATCH_TOKEN_UUID
	COMPAT_PASID_ATTACH_IOAS(nested_pci_pasid_attach_ioas)
};

/*
 * Functions that are not safe in the hands of a guest because of their errata;
 * vfio-pci refuses the same ones.
 */
static const struct pci_device_id unsafe_functions[] = {
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C3XXX) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C3XXX_VF) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C62X) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C62X_VF) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_DH895XCC) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_DH895XCC_VF) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_DSA_SPR0) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_IAX_SPR0) },
	{}
};

static int nested_pci_probe(struct pci_dev *pdev,
			    const struct pci_device_id *id)
{
	struct vfio_pci_nested *npdev;
	int ret;

	if (pci_match_id(unsafe_functions, pdev)) {
		pci_err(pdev, "refused: errata of this function make it unsafe to assign\n");
		return -EINVAL;
	}

	npdev = vfio_alloc_device(vfio_pci_nested, core.vdev, &pdev->dev,
				  &nested_pci_ops);
	if (IS_ERR(npdev))
		return PTR_ERR(npdev);

	dev_set_drvdata(&pdev->dev, &npdev->core);
	compat_vfio_pci_set_device_ops(&npdev->core);
	ret = vfio_pci_core_register_device(&npdev->core);
	if (ret)
		vfio_put_device(&npdev->core.vdev);
	return ret;
}

static void nested_pci_remove(struct pci_dev *pdev)
{
	struct vfio_pci_nested *npdev = from_pci(pdev);

	vfio_pci_core_unregister_device(&npdev->core);
	vfio_put_device(&npdev->core.vdev);
}

static void nested_pci_reset_prepare(struct pci_dev *pdev)
{
	nested_pci_config_reset_prepare(from_pci(pdev));
}

static void nested_pci_reset_done(struct pci_dev *pdev)
{
	nested_pci_config_reset_done(from_pci(pdev));
}

static struct vfio_nested_device *from_dev(struct device *dev)
{
	return &from_pci(to_pci_dev(dev))->nested;
}

static struct vfio_nested_attribute may_stall =
	VFIO_NESTED_ATTRIBUTE(may_stall, VFIO_NESTED_MAY_STALL, from_dev);
static struct vfio_nested_attribute fault_quota =
	VFIO_NESTED_ATTRIBUTE(fault_quota, VFIO_NESTED_FAULT_QUOTA, from_dev);
static struct vfio_nested_attribute fault_deadline_ms =
	VFIO_NESTED_ATTRIBUTE(fault_deadline_ms, VFIO_NESTED_FAULT_DEADLINE_MS,
			      from_dev);

static struct attribute *nested_pci_attrs[] = {
	&may_stall.attr.attr,
	&fault_quota.attr.attr,
	&fault_deadline_ms.attr.attr,
	NULL
};

static const struct attribute_group nested_pci_group = {
	.name = "nested_iommu",
	.attrs = nested_pci_attrs,
};

static const struct attribute_group *nested_pci_groups[] = {
	&nested_pci_group,
	NULL
};

static const struct pci_error_handlers nested_pci_err_handlers = {
	.error_detected = vfio_pci_core_aer_err_detected,
	.reset_prepare = nested_pci_reset_prepare,
	.reset_done = nested_pci_reset_done,
};

/*
 * No table of ids, and so no alias either: neither the kernel nor a tool that
 * looks for the best VFIO driver of a device picks this one by itself. The PCI
 * core binds a driver that driver_override names without a table.
 */
static struct pci_driver nested_pci_driver = {
	.name = "vfio-pci-nested",
	.probe = nested_pci_probe,
	.remove = nested_pci_remove,
	.dev_groups = nested_pci_groups,
	.err_handler = &nested_pci_err_handlers,
	.driver_managed_dma = true,
};

module_pci_driver(nested_pci_driver);

MODULE_DESCRIPTION("VFIO driver for PCI devices with nested IOMMU translation");
MODULE_LICENSE("GPL");
