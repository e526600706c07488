/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VFIO of older kernels: it attaches no PASIDs.
 */
#ifndef _COMPAT_LINUX_VFIO_H
#define _COMPAT_LINUX_VFIO_H

#include_next <linux/vfio.h>

/* Whether VFIO has attached PASIDs of the device. */
static inline bool compat_vfio_has_pasids(struct vfio_device *vdev)
{
#if defined(HAVE_VFIO_PASID_ATTACH_IOAS) && IS_ENABLED(CONFIG_IOMMUFD)
	return !ida_is_empty(&vdev->pasids);
#else
	return false;
#endif
}

#endif /* _COMPAT_LINUX_VFIO_H */
