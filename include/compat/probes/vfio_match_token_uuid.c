// SPDX-License-Identifier: GPL-2.0
/* VFIO checks the token of a device that is opened by its own node. */
#include <linux/vfio_pci_core.h>

const struct vfio_device_ops probe = {
	.match_token_uuid = vfio_pci_core_match_token_uuid,
};
