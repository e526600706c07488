// SPDX-License-Identifier: GPL-2.0
/*
 * Device tree nodes for those nested-testdev whose accesses may stall: Linux
 * lets a device stall when its node says "dma-can-stall".
 *
 * A function has a node below that of each bridge on the way to it.  Bus numbers
 * are not known yet, and need not be: Linux compares the device and function
 * number only.
 */
#include "qemu/osdep.h"
#include <libfdt.h>
#include "hw/pci/pci_bus.h"
#include "hw/pci/pci_bridge.h"
#include "system/device_tree.h"
#include "hw/arm/nested-testdev-fdt.h"

static char *node_of(void *fdt, const char *host, PCIDevice *dev)
{
    PCIBus *bus = pci_get_bus(dev);
    g_autofree char *parent = pci_bus_is_root(bus) ? g_strdup(host) :
                              node_of(fdt, host, bus->parent_dev);
    char *path = g_strdup_printf("%s/%s@%x,%x", parent, IS_PCI_BRIDGE(dev) ? "pcie" : "device",
                                 PCI_SLOT(dev->devfn), PCI_FUNC(dev->devfn));

    if (fdt_path_offset(fdt, path) >= 0) {
        return path;
    }
    qemu_fdt_add_subnode(fdt, path);
    qemu_fdt_setprop_cells(fdt, path, "reg", dev->devfn << 8, 0, 0, 0, 0);
    if (IS_PCI_BRIDGE(dev)) {
        qemu_fdt_setprop_string(fdt, path, "device_type", "pci");
        qemu_fdt_setprop_cell(fdt, path, "#address-cells", 3);
        qemu_fdt_setprop_cell(fdt, path, "#size-cells", 2);
        qemu_fdt_setprop(fdt, path, "ranges", NULL, 0);
    }
    return path;
}

typedef struct Tree {
    void *fdt;
    const char *host;
} Tree;

static int describe(Object *object, void *opaque)
{
    Tree *tree = opaque;
    g_autofree char *path = NULL;

    if (object_dynamic_cast(object, "nested-testdev") &&
        object_property_get_bool(object, "can-stall", &error_abort) &&
        object_property_get_bool(object, "dt-can-stall", &error_abort)) {
        path = node_of(tree->fdt, tree->host, PCI_DEVICE(object));
        qemu_fdt_setprop(tree->fdt, path, "dma-can-stall", NULL, 0);
    }
    return 0;
}

void nested_testdev_describe(void *fdt, const char *host)
{
    Tree tree = { fdt, host };

    object_child_foreach_recursive(object_get_root(), describe, &tree);
}
