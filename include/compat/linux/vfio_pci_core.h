/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vfio-pci-core of older kernels: operations that they do not have are left out.
 * Each line of a driver's table of operations carries its own comma.
 */
#ifndef _COMPAT_LINUX_VFIO_PCI_CORE_H
#define _COMPAT_LINUX_VFIO_PCI_CORE_H

#include_next <linux/vfio_pci_core.h>

#ifdef HAVE_VFIO_GET_REGION_INFO_CAPS
#define COMPAT_GET_REGION_INFO_CAPS \
	.get_region_info_caps = vfio_pci_ioctl_get_region_info,
#else
#define COMPAT_GET_REGION_INFO_CAPS
#endif

#ifdef HAVE_VFIO_MATCH_TOKEN_UUID
#define COMPAT_MATCH_TOKEN_UUID \
	.match_token_uuid = vfio_pci_core_match_token_uuid,
#else
#define COMPAT_MATCH_TOKEN_UUID
#endif

/* VFIO attaches a PASID to an address space: by the driver's function of this name. */
#if defined(HAVE_VFIO_PASID_ATTACH_IOAS) && IS_ENABLED(CONFIG_IOMMUFD)
#define COMPAT_PASID_ATTACH_IOAS(attach) \
	.pasid_attach_ioas = attach, \
	.pasid_detach_ioas = vfio_iommufd_physical_pasid_detach_ioas,
#define compat_vfio_pasid_attach_ioas vfio_iommufd_physical_pasid_attach_ioas
#else
#define COMPAT_PASID_ATTACH_IOAS(attach)
static inline int compat_vfio_pasid_attach_ioas(struct vfio_device *vdev,
						u32 pasid, u32 *pt_id)
{
	return -EOPNOTSUPP;
}
#endif

/* Let the device's BARs be exported as DMA buffers where the kernel can. */
static inline void
compat_vfio_pci_set_device_ops(struct vfio_pci_core_device *core)
{
#ifdef HAVE_VFIO_PCI_DEVICE_OPS
	static const struct vfio_pci_device_ops ops = {
		.get_dmabuf_phys = vfio_pci_core_get_dmabuf_phys,
	};

	core->pci_ops = &ops;
#endif
}

#endif /* _COMPAT_LINUX_VFIO_PCI_CORE_H */
