// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual IOMMUs: the parent of nested domains, and these themselves.
 *
 * Invariants:
 *  - the parent is a domain on which intel-iommu nests. With iommufd that is the one
 *    that the VMM has made and attached (IOMMU_HWPT_ALLOC_NEST_PARENT). VFIO's type1
 *    cannot make one: then there is one of our own, into which the core puts the guest
 *    memory that the VMM names, as long as VFIO holds its pages;
 *  - a nested domain is freed before its parent;
 *  - the parent, if it is not our own, is kept by VFIO's attachment of each device, which
 *    a device leaves (vtd_unbind(), vtd_stage2_leave()) before it ends;
 *  - page faults are off while user memory is handed to intel-iommu, and a VMM that
 *    changes that memory meanwhile gets a nested domain with another table, or other
 *    flags of its entry: whatever these are, the parent bounds what can be reached.
 *
 * The registers that a PASID entry can hold, and so what intel-iommu is told, are checked
 * by it again when it attaches the domain.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vtd.h"

/* -EFAULT: @uptr is not in memory. */
static struct iommu_domain *alloc_nested(struct vtd_viommu *viommu,
					 struct device *dev, void __user *uptr)
{
	struct iommu_user_data data = {
		.type = IOMMU_HWPT_DATA_VTD_S1,
		.uptr = uptr,
		.len = sizeof(struct iommu_hwpt_vtd_s1),
	};
	struct iommu_domain *domain;

	pagefault_disable();
	domain = compat_iommu_alloc_nested(viommu->ops, dev, viommu->parent,
					   &data);
	pagefault_enable();
	return domain;
}

/*
 * Whether @viommu's parent can be nested on. intel-iommu looks at that before it looks at
 * its user's data, which is nowhere.
 */
bool vtd_is_nest_parent(struct vtd_viommu *viommu, struct device *dev)
{
	void __user *nowhere = (void __user *)-PAGE_SIZE;

	return alloc_nested(viommu, dev, nowhere) == ERR_PTR(-EFAULT);
}

static int make_parent(struct vtd_viommu *viommu, struct device *dev)
{
	struct iommu_domain *parent;

	if (compat_iommu_domain_is_iommufd(viommu->stage2)) {
		dev_notice_ratelimited(dev, "its address space cannot be nested on: attach one that was allocated with IOMMU_HWPT_ALLOC_NEST_PARENT\n");
		return -ENODEV;
	}
	parent = compat_iommu_alloc_nest_parent(dev);
	if (IS_ERR(parent))
		return PTR_ERR(parent);
	/*
	 * As VFIO does for its domain: devices that do not snoop are made to. As long as
	 * no device is attached, intel-iommu does not look whether the hardware can.
	 */
	if (viommu->limits.ecap & ECAP_SC && parent->ops->enforce_cache_coherency)
		parent->ops->enforce_cache_coherency(parent);
	viommu->parent = parent;
	viommu->core->mirror = true;
	return 0;
}

static int find_parent(struct vtd_viommu *viommu, struct device *dev)
{
	viommu->stage2 = iommu_get_domain_for_dev(dev);
	if (!viommu->stage2 || viommu->stage2->type != IOMMU_DOMAIN_UNMANAGED)
		return -ENODEV;
	viommu->parent = viommu->stage2;
	if (vtd_is_nest_parent(viommu, dev))
		return 0;
	return make_parent(viommu, dev);
}

/* The backend's @viommu_init. */
int vtd_viommu_init(struct iommu_nested_viommu *core, struct device *dev)
{
	struct vtd_viommu *viommu;
	int ret;

	if (!vtd_can_nest(dev))
		return -ENODEV;
	viommu = kzalloc_obj(*viommu, GFP_KERNEL_ACCOUNT);
	if (!viommu)
		return -ENOMEM;
	viommu->core = core;
	viommu->hw = dev->iommu->iommu_dev;
	viommu->ops = vtd_ops(dev);
	mutex_init(&viommu->lock);
	INIT_LIST_HEAD(&viommu->devices);

	ret = vtd_limits_of(dev, &viommu->limits);
	if (!ret)
		ret = find_parent(viommu, dev);
	if (ret) {
		kfree(viommu);
		return ret;
	}
	core->backend_data = viommu;
	return 0;
}

/* The backend's @viommu_release: no device is left, and no nested domain. */
void vtd_viommu_release(struct iommu_nested_viommu *core)
{
	struct vtd_viommu *viommu = core->backend_data;

	core->backend_data = NULL;
	WARN_ON(viommu->num_shadows);
	if (core->mirror)
		iommu_domain_free(viommu->parent);
	mutex_destroy(&viommu->lock);
	kfree(viommu);
}

/* As much is unmapped at once, without looking whether somebody else wants to run. */
#define UNMAP_STEP	SZ_1G

/* The backend's @memory_unmap. */
void vtd_memory_unmap(struct iommu_nested_viommu *core, u64 ipa, u64 length)
{
	struct vtd_viommu *viommu = core->backend_data;
	u64 end = ipa + length;
	size_t step;

	/* intel-iommu invalidates what nested domains have cached of it as well. */
	for (; ipa < end; ipa += step) {
		step = min_t(u64, UNMAP_STEP - ipa % UNMAP_STEP, end - ipa);
		iommu_unmap(viommu->parent, ipa, step);
		cond_resched();
	}
}

/*
 * Accesses that pass stage 1 reach what all others do: the pages that VFIO has mapped for
 * the device, and been charged for. What is in the VMM's memory by now may differ.
 */
static bool is_mapped_by_vfio(struct vtd_viommu *viommu, u64 ipa,
			      struct page **pages, u32 num)
{
	u32 i;

	for (i = 0; i < num; i++)
		if (iommu_iova_to_phys(viommu->stage2, ipa + (u64)i * PAGE_SIZE) !=
		    page_to_phys(pages[i]))
			return false;
	return true;
}

/* How many of the pages follow each other */
static u32 run_length(struct page **pages, u32 num)
{
	u32 run = 1;

	while (run < num && page_to_pfn(pages[run]) == page_to_pfn(pages[0]) + run)
		run++;
	return run;
}

/* The backend's @memory_map: runs of pages that are contiguous are mapped at once. */
int vtd_memory_map(struct iommu_nested_viommu *core, u64 ipa,
		   struct page **pages, u32 num, int prot)
{
	struct vtd_viommu *viommu = core->backend_data;
	u32 done, run;
	int ret;

	if (ipa + (u64)num * PAGE_SIZE - 1 > viommu->parent->geometry.aperture_end ||
	    !is_mapped_by_vfio(viommu, ipa, pages, num))
		return -EINVAL;

	for (done = 0; done < num; done += run) {
		run = run_length(pages + done, num - done);
		ret = iommu_map(viommu->parent, ipa + (u64)done * PAGE_SIZE,
				page_to_phys(pages[done]),
				(size_t)run * PAGE_SIZE, prot | IOMMU_CACHE,
				GFP_KERNEL_ACCOUNT);
		if (ret) {
			vtd_memory_unmap(core, ipa, (u64)done * PAGE_SIZE);
			return ret;
		}
	}
	return 0;
}

/**
 * vtd_write_user_page - give intel-iommu what it takes from user memory only
 * @viommu: whose user page it is
 * @data: what
 * @len: bytes, at most a page
 * @page: set to where it is
 *
 * Context: process, with @viommu->lock and viommu->sem held.
 * Return: 0; -EAGAIN: see iommu_nested_user_page().
 */
int vtd_write_user_page(struct vtd_viommu *viommu, const void *data, size_t len,
			void __user **page)
{
	bool missing;
	int ret;

	lockdep_assert_held(&viommu->lock);

	ret = iommu_nested_user_page(viommu->core, page);
	if (ret)
		return ret;
	pagefault_disable();
	missing = __copy_to_user_inatomic(*page, data, len);
	pagefault_enable();
	return missing ? iommu_nested_user_page_missing(viommu->core) : 0;
}

/**
 * vtd_nested_alloc - a nested domain
 * @viommu: on whose parent
 * @dev: for which device
 * @entry: VTD_STAGE1
 * @handler: for page requests, or NULL
 *
 * Context: process, with @viommu->lock and viommu->sem held.
 * Return: the domain, to be freed with iommu_domain_free(); ERR_PTR() of -EAGAIN: see
 * iommu_nested_user_page(); -ENOMEM; errors of intel-iommu.
 */
struct iommu_domain *vtd_nested_alloc(struct vtd_viommu *viommu,
				      struct device *dev,
				      const struct vtd_entry *entry,
				      int (*handler)(struct iopf_group *group))
{
	struct iommu_hwpt_vtd_s1 data = {
		.flags = (entry->sre ? IOMMU_VTD_S1_SRE : 0) |
			 (entry->wpe ? IOMMU_VTD_S1_WPE : 0) |
			 (entry->eafe ? IOMMU_VTD_S1_EAFE : 0),
		.pgtbl_addr = entry->table,
		.addr_width = entry->five_levels ? 57 : 48,
	};
	struct iommu_domain *domain;
	void __user *page;
	int ret;

	ret = vtd_write_user_page(viommu, &data, sizeof(data), &page);
	if (ret)
		return ERR_PTR(ret);
	domain = alloc_nested(viommu, dev, page);
	if (domain == ERR_PTR(-EFAULT))
		return ERR_PTR(iommu_nested_user_page_missing(viommu->core));
	if (IS_ERR(domain))
		return domain;
	domain->owner = viommu->ops;
	domain->iopf_handler = handler;
	return domain;
}
