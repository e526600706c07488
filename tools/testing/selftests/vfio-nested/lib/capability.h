/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The PASID, ATS and page request capabilities of a device, as a guest finds them
 * in the configuration space that VFIO shows, and sets them.
 */
#ifndef VN_CAPABILITY_H
#define VN_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"

/* Offset of an extended capability (PCI_EXT_CAP_ID_*), 0 without it. */
unsigned int vn_extended_capability(struct vn_device *device, uint16_t id);
/* Lets the device use as many PASIDs as it can, with all rights. */
int vn_device_enable_pasid(struct vn_device *device);
int vn_device_enable_ats(struct vn_device *device, bool on);
/* Lets it have @credits page requests outstanding; 0 switches them off. */
int vn_device_enable_pri(struct vn_device *device, uint32_t credits);
/* Whether they are on, as the guest sees it */
bool vn_device_has_pri(struct vn_device *device);
/* PCI_PRI_STATUS_* */
int vn_device_pri_status(struct vn_device *device, uint16_t *status);

#endif /* VN_CAPABILITY_H */
