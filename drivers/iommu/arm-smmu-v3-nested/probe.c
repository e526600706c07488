// SPDX-License-Identifier: GPL-2.0
/*
 * From firmware's description (device tree or IORT) to a working SMMU.
 *
 * Invariants:
 *  - the IOMMU core hears of an SMMU when it works, and no sooner;
 *  - what probing has taken is given back in the opposite order, by devm where
 *    there is nothing to do first.
 */
#include <linux/acpi.h>
#include <linux/acpi_iort.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/platform_device.h>

#include "smmuv3.h"

/* What lies beyond is not ours: a PMCG may be in the same page. */
#define SMMU_REGS_SIZE		0xe00

static const struct {
	const char *property;
	u32 option;
} smmu_of_options[] = {
	/* Cavium ThunderX2 erratum 74 */
	{ "cavium,cn9900-broken-page1-regspace", SMMU_OPT_PAGE0_ONLY },
};

static int smmu_probe_of(struct smmu_device *smmu)
{
	struct device_node *np = smmu->dev->of_node;
	u32 cells, i;

	if (of_property_read_u32(np, "#iommu-cells", &cells) || cells != 1)
		return dev_err_probe(smmu->dev, -EINVAL,
				     "#iommu-cells must be 1\n");
	for (i = 0; i < ARRAY_SIZE(smmu_of_options); i++)
		if (of_property_read_bool(np, smmu_of_options[i].property))
			smmu->options |= smmu_of_options[i].option;
	/* Invalidations have to be given twice there. */
	if (of_device_is_compatible(np, "nvidia,tegra264-smmu"))
		smmu->options |= SMMU_OPT_REPEAT_INV;
	if (of_dma_is_coherent(np))
		smmu->features |= SMMU_FEAT_COHERENT;
	return 0;
}

#ifdef CONFIG_ACPI
static int smmu_probe_acpi(struct smmu_device *smmu)
{
	struct acpi_iort_node *node =
		*(struct acpi_iort_node **)dev_get_platdata(smmu->dev);
	struct acpi_iort_smmu_v3 *iort = (void *)node->node_data;

	if (iort->model == ACPI_IORT_SMMU_V3_CAVIUM_CN99XX)
		smmu->options |= SMMU_OPT_PAGE0_ONLY;
	if (iort->flags & ACPI_IORT_SMMU_V3_COHACC_OVERRIDE)
		smmu->features |= SMMU_FEAT_COHERENT;
	return 0;
}
#else
static int smmu_probe_acpi(struct smmu_device *smmu)
{
	return -ENODEV;
}
#endif

static int smmu_map_registers(struct platform_device *pdev,
			      struct smmu_device *smmu)
{
	bool page0_only = smmu->options & SMMU_OPT_PAGE0_ONLY;
	struct resource *res = platform_get_resource(pdev, IORESOURCE_MEM, 0);

	if (!res || resource_size(res) < (page0_only ? SMMU_PAGE1 :
					  2 * SMMU_PAGE1))
		return dev_err_probe(smmu->dev, -EINVAL,
				     "register area missing or too small: %pr\n",
				     res);
	smmu->base = devm_ioremap(smmu->dev, res->start, SMMU_REGS_SIZE);
	smmu->page1 = page0_only ? smmu->base :
		      devm_ioremap(smmu->dev, res->start + SMMU_PAGE1,
				   SMMU_REGS_SIZE);
	if (!smmu->base || !smmu->page1)
		return -ENOMEM;
	return 0;
}

static int optional_irq(struct platform_device *pdev, const char *name)
{
	int irq = platform_get_irq_byname_optional(pdev, name);

	return max(irq, 0);
}

static void smmu_get_irqs(struct platform_device *pdev,
			  struct smmu_device *smmu)
{
	smmu->combined_irq = optional_irq(pdev, "combined");
	if (smmu->combined_irq)
		return;
	smmu->evtq.irq = optional_irq(pdev, "eventq");
	smmu->priq.irq = optional_irq(pdev, "priq");
	smmu->gerror_irq = optional_irq(pdev, "gerror");
}

/*
 * Devices that firmware has left running, with memory that it says has to stay
 * where it is (IORT RMR nodes), must not be stopped when the SMMU is enabled.
 */
static int smmu_preset_rmrs(struct smmu_device *smmu)
{
	struct iommu_resv_region *region;
	struct smmu_ste ste;
	LIST_HEAD(list);
	int ret = 0;

	smmu_ste_make_bypass(&ste, smmu->features & SMMU_FEAT_ATTR_TYPES);
	iort_get_rmr_sids(dev_fwnode(smmu->dev), &list);
	list_for_each_entry(region, &list, list) {
		struct iommu_iort_rmr_data *rmr =
			container_of(region, struct iommu_iort_rmr_data, rr);
		u32 i;

		for (i = 0; i < rmr->num_sids && !ret; i++) {
			ret = smmu_strtab_ensure(smmu, rmr->sids[i]);
			if (!ret)
				smmu_strtab_preset(smmu, rmr->sids[i], &ste);
		}
	}
	iort_put_rmr_sids(dev_fwnode(smmu->dev), &list);
	if (ret)
		dev_err(smmu->dev, "reserved memory ranges of firmware name a StreamID that has no entry: %d\n",
			ret);
	return ret;
}

static int smmu_start(struct platform_device *pdev, struct smmu_device *smmu)
{
	int ret;

	ret = smmu_map_registers(pdev, smmu);
	if (ret)
		return ret;
	smmu_get_irqs(pdev, smmu);
	ret = smmu_hw_probe(smmu);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(smmu->dev, DMA_BIT_MASK(smmu->oas));
	if (ret)
		dev_warn(smmu->dev, "DMA mask of %u bits refused\n", smmu->oas);
	ret = smmu_queues_init(smmu);
	if (ret)
		return ret;
	smmu_guest_limits_init(smmu);
	ret = smmu_strtab_init(smmu);
	if (ret)
		return ret;
	ret = smmu_preset_rmrs(smmu);
	if (ret)
		return ret;
	return smmu_hw_reset(smmu);
}

static int smmu_register(struct smmu_device *smmu, struct resource *res)
{
	int ret;

	ret = iommu_device_sysfs_add(&smmu->iommu, smmu->dev, NULL, "smmu3.%pa",
				     &res->start);
	if (ret)
		return ret;
	ret = iommu_device_register(&smmu->iommu, &smmu_iommu_ops, smmu->dev);
	if (ret)
		iommu_device_sysfs_remove(&smmu->iommu);
	return ret;
}

static int smmu_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct smmu_device *smmu;
	int ret;

	smmu = devm_kzalloc(dev, sizeof(*smmu), GFP_KERNEL);
	if (!smmu)
		return -ENOMEM;
	smmu->dev = dev;
	raw_spin_lock_init(&smmu->gerror_lock);
	spin_lock_init(&smmu->viommus_lock);
	spin_lock_init(&smmu->pri_lock);
	xa_init(&smmu->streams);
	ida_init(&smmu->vmids);
	/* Interrupt set-up and the IOMMU core find us by this. */
	platform_set_drvdata(pdev, smmu);

	ret = smmu_check_not_busy(smmu);
	if (ret)
		return ret;
	ret = dev->of_node ? smmu_probe_of(smmu) : smmu_probe_acpi(smmu);
	if (ret)
		return ret;
	ret = smmu_start(pdev, smmu);
	if (!ret)
		ret = smmu_register(smmu, platform_get_resource(pdev,
								IORESOURCE_MEM,
								0));
	if (ret && smmu->base)
		smmu_hw_disable(smmu);
	return ret;
}

static void smmu_shutdown(struct platform_device *pdev)
{
	smmu_hw_disable(platform_get_drvdata(pdev));
}

static void smmu_remove(struct platform_device *pdev)
{
	struct smmu_device *smmu = platform_get_drvdata(pdev);

	iommu_device_unregister(&smmu->iommu);
	iommu_device_sysfs_remove(&smmu->iommu);
	smmu_hw_disable(smmu);
	WARN_ON(!xa_empty(&smmu->streams));
	ida_destroy(&smmu->vmids);
}

static const struct of_device_id smmu_of_match[] = {
	{ .compatible = "arm,smmu-v3" },
	{ }
};
MODULE_DEVICE_TABLE(of, smmu_of_match);

static const struct platform_device_id smmu_id_table[] = {
	{ .name = "arm-smmu-v3" },
	{ }
};
MODULE_DEVICE_TABLE(platform, smmu_id_table);

struct platform_driver smmu_driver = {
	.driver = {
		.name			= "smmuv3-nested",
		.of_match_table		= smmu_of_match,
		.suppress_bind_attrs	= true,
	},
	.id_table	= smmu_id_table,
	.probe		= smmu_probe,
	.remove		= smmu_remove,
	.shutdown	= smmu_shutdown,
};

static int __init smmuv3_nested_init(void)
{
	int ret;

	ret = smmu_nested_register();
	if (ret)
		return ret;
	ret = platform_driver_register(&smmu_driver);
	if (ret)
		smmu_nested_unregister();
	return ret;
}
module_init(smmuv3_nested_init);

static void __exit smmuv3_nested_exit(void)
{
	platform_driver_unregister(&smmu_driver);
	smmu_nested_unregister();
}
module_exit(smmuv3_nested_exit);

MODULE_DESCRIPTION("Arm SMMUv3 driver with nested translation for guests");
MODULE_LICENSE("GPL");
