// SPDX-License-Identifier: GPL-2.0
/*
 * Finds the IOMMU of a function and the function behind a requester id.
 *
 * Invariants:
 *  - A root bus has at most one IOMMU, which is never taken away.
 *  - A function is in the list from its realize to its exit.
 *  - Only the BQL protects the lists.
 */
#include "qemu/osdep.h"
#include "qemu/queue.h"
#include "qemu/error-report.h"
#include "hw/pci/pci_bus.h"
#include "hw/misc/nested-iommu.h"

typedef struct NestedIommu {
    PCIBus *root;
    const NestedIommuOps *ops;
    void *iommu;
    QLIST_ENTRY(NestedIommu) next;
} NestedIommu;

typedef struct NestedDevice {
    PCIDevice *dev;
    const NestedDeviceOps *ops;
    QLIST_ENTRY(NestedDevice) next;
} NestedDevice;

static QLIST_HEAD(, NestedIommu) iommus = QLIST_HEAD_INITIALIZER(iommus);
static QLIST_HEAD(, NestedDevice) devices = QLIST_HEAD_INITIALIZER(devices);

static PCIBus *root_of(PCIDevice *dev)
{
    PCIBus *bus = pci_get_bus(dev);

    while (!pci_bus_is_root(bus)) {
        bus = pci_get_bus(bus->parent_dev);
    }
    return bus;
}

void nested_iommu_register(PCIBus *root, const NestedIommuOps *ops, void *iommu)
{
    NestedIommu *entry = g_new(NestedIommu, 1);

    entry->root = root;
    entry->ops = ops;
    entry->iommu = iommu;
    QLIST_INSERT_HEAD(&iommus, entry, next);
}

const NestedIommuOps *nested_iommu_of(PCIDevice *dev, void **iommu)
{
    PCIBus *root = root_of(dev);
    NestedIommu *entry;

    QLIST_FOREACH(entry, &iommus, next) {
        if (entry->root == root) {
            *iommu = entry->iommu;
            return entry->ops;
        }
    }
    return NULL;
}

void nested_device_register(PCIDevice *dev, const NestedDeviceOps *ops)
{
    NestedDevice *entry = g_new(NestedDevice, 1);

    entry->dev = dev;
    entry->ops = ops;
    QLIST_INSERT_HEAD(&devices, entry, next);
}

void nested_device_unregister(PCIDevice *dev)
{
    NestedDevice *entry, *following;

    QLIST_FOREACH_SAFE(entry, &devices, next, following) {
        if (entry->dev == dev) {
            QLIST_REMOVE(entry, next);
            g_free(entry);
        }
    }
}

PCIDevice *nested_device_find(PCIBus *root, uint16_t rid, const NestedDeviceOps **ops)
{
    NestedDevice *entry;

    QLIST_FOREACH(entry, &devices, next) {
        if (pci_requester_id(entry->dev) == rid && root_of(entry->dev) == root) {
            *ops = entry->ops;
            return entry->dev;
        }
    }
    return NULL;
}

void nested_violation(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("protocol violation: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    fflush(stderr);
}
