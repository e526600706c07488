// SPDX-License-Identifier: GPL-2.0
/* Region information of VFIO devices has an operation of its own. */
#include <linux/vfio_pci_core.h>

const struct vfio_device_ops probe = {
	.get_region_info_caps = vfio_pci_ioctl_get_region_info,
};
