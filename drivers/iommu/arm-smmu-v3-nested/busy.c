// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that have been running without us.
 *
 * A device whose driver gave up waiting for its SMMU does DMA with physical
 * addresses. Once the SMMU is enabled all of that would be aborted: the root disk,
 * the network, the console. Better to leave the SMMU alone and say how it is done.
 *
 * Invariant: an SMMU is only taken over while no device behind it has a driver.
 *
 * Only device trees make such devices: with ACPI, drivers wait without end.
 */
#include <linux/of.h>
#include <linux/pci.h>
#include <linux/platform_device.h>

#include "smmuv3.h"

static struct device_node *pci_iommu_node(struct pci_dev *pdev)
{
	struct of_phandle_args args = { 0 };
	struct pci_bus *bus = pdev->bus;

	while (bus->parent)
		bus = bus->parent;
	if (!bus->dev.of_node ||
	    of_map_iommu_id(bus->dev.of_node, pci_dev_id(pdev), &args))
		return NULL;
	return args.np;
}

static struct device_node *platform_iommu_node(struct device *dev)
{
	struct of_phandle_args args = { 0 };

	if (!dev->of_node ||
	    of_parse_phandle_with_args(dev->of_node, "iommus", "#iommu-cells", 0,
				       &args))
		return NULL;
	return args.np;
}

static int refuse_if_running(struct device *dev, void *data)
{
	struct smmu_device *smmu = data;
	struct device_node *np;

	if (!READ_ONCE(dev->driver) || device_iommu_mapped(dev))
		return 0;
	np = dev_is_pci(dev) ? pci_iommu_node(to_pci_dev(dev)) :
			       platform_iommu_node(dev);
	of_node_put(np);
	if (!np || np != smmu->dev->of_node)
		return 0;
	return dev_err_probe(smmu->dev, -EBUSY,
			     "%s runs without the SMMU and would be stopped: load smmuv3-nested from the initramfs, with deferred_probe_timeout=-1 on the kernel's command line\n",
			     dev_name(dev));
}

/**
 * smmu_check_not_busy - whether the SMMU can be enabled without harm
 * @smmu: the SMMU, not touched yet
 *
 * May sleep. Errors: EBUSY: a device behind it is running.
 */
int smmu_check_not_busy(struct smmu_device *smmu)
{
	int ret;

	if (!smmu->dev->of_node)
		return 0;
	ret = bus_for_each_dev(&pci_bus_type, NULL, smmu, refuse_if_running);
	if (ret)
		return ret;
	return bus_for_each_dev(&platform_bus_type, NULL, smmu,
				refuse_if_running);
}
