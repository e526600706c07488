// SPDX-License-Identifier: GPL-2.0
/* vfio-pci-core asks its drivers for the physical address of a region. */
#include <linux/vfio_pci_core.h>

const struct vfio_pci_device_ops probe = {
	.get_dmabuf_phys = vfio_pci_core_get_dmabuf_phys,
};
