/* SPDX-License-Identifier: GPL-2.0 */
/* What sysfs says of a PCI function. */
#ifndef VN_PCI_H
#define VN_PCI_H

#include <stdbool.h>
#include <stdint.h>

/* A name in sysfs: 0000:00:00.0 and room to spare. */
#define VN_PCI_NAME_LEN	16

struct vn_pci {
	char name[VN_PCI_NAME_LEN];
	uint16_t vendor;
	uint16_t device;
	uint32_t class;
	/* Number of its IOMMU group, -1 without one. */
	int group;
};

int vn_pci_read(struct vn_pci *pci, const char *name);
/* Name of the bound driver, an empty string without one. */
int vn_pci_driver(const char *name, char *driver, unsigned int size);
int vn_pci_unbind(const char *name);
/* Firmware says that the IOMMU may stall its accesses. */
bool vn_pci_can_stall(const char *name);
/* Binds to whichever driver driver_override names. */
int vn_pci_probe(const char *name);
int vn_pci_reset(const char *name);
/* As if it were pulled out; nobody has it open. */
int vn_pci_remove(const char *name);
/* Finds it again, and gives it to vfio-pci-nested. */
int vn_pci_return(const char *name);
/* The kernel finds out in which ways the function can be reset, by almost doing so. */
int vn_pci_probe_resets(const char *name);
/*
 * What the administrator lets the device do: @what is may_stall, fault_quota or
 * fault_deadline_ms. In force from the next binding on.
 */
int vn_pci_policy_value(const char *name, const char *what, unsigned int *value);
int vn_pci_policy(const char *name, const char *what, const char *text);

#endif /* VN_PCI_H */
