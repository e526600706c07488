// SPDX-License-Identifier: GPL-2.0
/*
 * Maps and unmaps memory for a device that it is bound to, as often as it is told,
 * and nothing else: what that costs is the IOMMU driver's. The kernel's own DMA map
 * benchmark runs for a number of seconds, and so cannot tell the price in
 * instructions.
 *
 * Each call has pages of its own, so that there can be any number at a time.
 */
#include <linux/dma-mapping.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/uaccess.h>

#include "dma-bench.h"

/* The one function that is bound; NULL before */
static struct device *target;

static int map_page(struct page *page, size_t size)
{
	dma_addr_t dma = dma_map_page(target, page, 0, size, DMA_BIDIRECTIONAL);

	if (dma_mapping_error(target, dma))
		return -ENOMEM;
	dma_unmap_page(target, dma, size, DMA_BIDIRECTIONAL);
	return 0;
}

static int map_list(struct sg_table *table)
{
	int ret = dma_map_sgtable(target, table, DMA_BIDIRECTIONAL, 0);

	if (!ret)
		dma_unmap_sgtable(target, table, DMA_BIDIRECTIONAL, 0);
	return ret;
}

static int run_list(const struct dma_bench *cmd, struct page *page)
{
	struct sg_table table;
	struct scatterlist *sg;
	u32 i;
	int ret;

	ret = sg_alloc_table(&table, cmd->nents, GFP_KERNEL);
	if (ret)
		return ret;
	/* Every other page, so that no two entries become one. */
	for_each_sgtable_sg(&table, sg, i)
		sg_set_page(sg, page + 2 * i, PAGE_SIZE, 0);
	for (i = 0; i < cmd->count && !ret; i++)
		ret = map_list(&table);
	sg_free_table(&table);
	return ret;
}

static int run(const struct dma_bench *cmd)
{
	u32 order = cmd->nents ? order_base_2(2 * cmd->nents) : cmd->order;
	struct page *page;
	int ret = 0;
	u32 i;

	page = alloc_pages(GFP_KERNEL | __GFP_COMP, order);
	if (!page)
		return -ENOMEM;
	if (cmd->nents)
		ret = run_list(cmd, page);
	else
		for (i = 0; i < cmd->count && !ret; i++)
			ret = map_page(page, PAGE_SIZE << order);
	__free_pages(page, order);
	return ret;
}

static long dma_bench_ioctl(struct file *file, unsigned int request,
			    unsigned long arg)
{
	struct dma_bench cmd;

	if (request != DMA_BENCH_RUN)
		return -ENOTTY;
	if (copy_from_user(&cmd, (void __user *)arg, sizeof(cmd)))
		return -EFAULT;
	if (cmd.order > MAX_PAGE_ORDER || cmd.nents > DMA_BENCH_MAX_NENTS)
		return -EINVAL;
	return run(&cmd);
}

static const struct file_operations dma_bench_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dma_bench_ioctl,
};

static struct miscdevice dma_bench_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dma-bench",
	.fops = &dma_bench_fops,
	.mode = 0600,
};

static int dma_bench_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret;

	if (target)
		return -EBUSY;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	target = &pdev->dev;
	ret = misc_register(&dma_bench_misc);
	if (ret)
		target = NULL;
	return ret;
}

static void dma_bench_remove(struct pci_dev *pdev)
{
	misc_deregister(&dma_bench_misc);
	target = NULL;
}

/* It is bound by driver_override. */
static struct pci_driver dma_bench_driver = {
	.name = "dma-bench",
	.probe = dma_bench_probe,
	.remove = dma_bench_remove,
	.driver.suppress_bind_attrs = true,
};

module_pci_driver(dma_bench_driver);

MODULE_DESCRIPTION("Price of DMA mappings");
MODULE_LICENSE("GPL");
