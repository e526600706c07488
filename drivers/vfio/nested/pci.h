/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VFIO_NESTED_PCI_H
#define _VFIO_NESTED_PCI_H

#include <linux/mutex.h>
#include <linux/vfio-nested.h>
#include <linux/vfio_pci_core.h>

#include "pci-overlay.h"

/**
 * struct vfio_pci_nested - one device
 * @core: has to be first, vfio-pci-core finds it as the driver's data
 * @nested: its part in nested translation
 * @config_lock: taken inside the device lock and VFIO's locks, outside of
 *	@nested.lock. The reset callbacks take it while user accesses to
 *	configuration space are blocked, so nobody makes one under it; and nobody
 *	touches user memory under it.
 * @overlay: where its windows are changes only while the device is being opened,
 *	what is in them under @config_lock
 * @in_reset: between the two reset callbacks: writes to the windows are lost
 */
struct vfio_pci_nested {
	struct vfio_pci_core_device core;
	struct vfio_nested_device nested;
	struct mutex config_lock; /* see above */
	struct pci_overlay overlay;
	bool in_reset;
};

void nested_pci_config_open(struct vfio_pci_nested *npdev);
ssize_t nested_pci_config_rw(struct vfio_pci_nested *npdev, char __user *buf,
			     size_t count, loff_t *ppos, bool is_write);
void nested_pci_config_reset_prepare(struct vfio_pci_nested *npdev);
void nested_pci_config_reset_done(struct vfio_pci_nested *npdev);

#endif /* _VFIO_NESTED_PCI_H */
