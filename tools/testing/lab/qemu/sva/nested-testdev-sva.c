// SPDX-License-Identifier: GPL-2.0
/*
 * Gives programs the function nested-testdev together with their own address
 * space, by the kernel's SVA: open /dev/nested-testdev, read the PASID (32
 * bits), map BAR 0.  Closing it ends the binding.
 *
 * Invariant: an open file has one SVA binding, to the address space of who
 * opened it, and keeps the function from going away (its module and device).
 */
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include "../nested-testdev.h"

struct ntd_sva {
	struct pci_dev *pdev;
	struct miscdevice misc;
};

struct ntd_file {
	struct pci_dev *pdev;
	struct iommu_sva *handle;
};

static int ntd_open(struct inode *inode, struct file *file)
{
	struct ntd_sva *sva = container_of(file->private_data, struct ntd_sva, misc);
	struct ntd_file *binding = kzalloc(sizeof(*binding), GFP_KERNEL);

	if (!binding)
		return -ENOMEM;
	binding->pdev = sva->pdev;
	binding->handle = iommu_sva_bind_device(&sva->pdev->dev, current->mm);
	if (IS_ERR(binding->handle)) {
		int ret = PTR_ERR(binding->handle);

		kfree(binding);
		return ret;
	}
	file->private_data = binding;
	return 0;
}

static int ntd_release(struct inode *inode, struct file *file)
{
	struct ntd_file *binding = file->private_data;

	iommu_sva_unbind_device(binding->handle);
	kfree(binding);
	return 0;
}

static ssize_t ntd_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct ntd_file *binding = file->private_data;
	u32 pasid = iommu_sva_get_pasid(binding->handle);

	return simple_read_from_buffer(buf, count, pos, &pasid, sizeof(pasid));
}

static int ntd_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ntd_file *binding = file->private_data;

	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	return vm_iomap_memory(vma, pci_resource_start(binding->pdev, 0),
			       pci_resource_len(binding->pdev, 0));
}

static const struct file_operations ntd_fops = {
	.owner = THIS_MODULE,
	.open = ntd_open,
	.release = ntd_release,
	.read = ntd_read,
	.mmap = ntd_mmap,
};

static atomic_t taken;

static int ntd_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct ntd_sva *sva;
	int ret;

	/* Programs look for one, by its name. */
	if (atomic_xchg(&taken, 1))
		return -ENODEV;
	sva = devm_kzalloc(&pdev->dev, sizeof(*sva), GFP_KERNEL);
	if (!sva)
		return -ENOMEM;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	pci_set_master(pdev);
	sva->pdev = pdev;
	sva->misc.minor = MISC_DYNAMIC_MINOR;
	sva->misc.name = "nested-testdev";
	sva->misc.parent = &pdev->dev;
	sva->misc.fops = &ntd_fops;
	pci_set_drvdata(pdev, sva);
	return misc_register(&sva->misc);
}

static void ntd_remove(struct pci_dev *pdev)
{
	struct ntd_sva *sva = pci_get_drvdata(pdev);

	misc_deregister(&sva->misc);
	pci_clear_master(pdev);
}

static const struct pci_device_id ntd_ids[] = {
	{ PCI_DEVICE(NTD_VENDOR_ID, NTD_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, ntd_ids);

static struct pci_driver ntd_driver = {
	.name = "nested-testdev-sva",
	.id_table = ntd_ids,
	.probe = ntd_probe,
	.remove = ntd_remove,
	/* Open files use the device: it goes only when they have gone. */
	.driver = { .suppress_bind_attrs = true },
};
module_pci_driver(ntd_driver);

MODULE_DESCRIPTION("SVA for programs, with the function nested-testdev");
MODULE_LICENSE("GPL");
