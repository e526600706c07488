// SPDX-License-Identifier: GPL-2.0
/*
 * What the VT-d behind a device can do for a guest, and what is missing.
 *
 * Invariant: what the guest is told is what it is held to. Both come from
 * vtd_limits_of(), whose result is the same each time for one device.
 */
#include <linux/bitfield.h>
#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "vtd.h"

/*
 * Features that are a guest's to use as they are. What a VMM emulates (registers,
 * interrupts, faults) it adds by itself.
 */
#define GUEST_CAP	(CAP_ND | CAP_SAGAW | CAP_MGAW | CAP_PSI | CAP_MAMV |	\
			 CAP_DWD | CAP_DRD | CAP_FS1GP | CAP_FS5LP)
#define GUEST_ECAP	(ECAP_C | ECAP_QI | ECAP_PT | ECAP_SC | ECAP_SRS |	\
			 ECAP_NWFS | ECAP_EAFS | ECAP_SMTS | ECAP_FSTS |	\
			 ECAP_SMPWC)

/* ECAP.PSS is one less than the number of bits. */
#define PSS(bits)	FIELD_PREP(ECAP_PSS, (bits) - 1)

static const struct {
	u64 bit;
	const char *what;
} needed[] = {
	{ ECAP_SMTS, "scalable mode (ECAP.SMTS)" },
	{ ECAP_NEST, "nested translation (ECAP.NEST)" },
	{ ECAP_FSTS, "first-stage translation (ECAP.FSTS)" },
	{ ECAP_SSTS, "second-stage translation (ECAP.SSTS)" },
	{ ECAP_QI, "queued invalidation (ECAP.QI)" },
};

static int read_registers(struct device *dev, struct iommu_hw_info_vtd *regs)
{
	struct iommu_hw_info_vtd *data;

	if (!dev_is_pci(dev) || !dev->iommu || !dev->iommu->iommu_dev)
		return -ENODEV;
	data = compat_iommu_hw_info_vtd(vtd_ops(dev), dev);
	if (IS_ERR(data))
		return PTR_ERR(data);
	*regs = *data;
	kfree(data);
	return 0;
}

/* Whether @dev is behind a VT-d. Called with the core's registry lock held. */
bool vtd_owns(struct device *dev)
{
	struct iommu_hw_info_vtd regs;

	return !read_registers(dev, &regs);
}

/*
 * Whether intel-iommu can make the domains that are needed; if not, the log says why.
 * What the registers do not tell is whether it uses scalable mode.
 */
bool vtd_can_nest(struct device *dev)
{
	struct iommu_hw_info_vtd regs;
	struct iommu_domain *domain;
	bool all = true;
	int i;

	if (read_registers(dev, &regs))
		return false;
	for (i = 0; i < ARRAY_SIZE(needed); i++) {
		if (regs.ecap_reg & needed[i].bit)
			continue;
		dev_notice_ratelimited(dev, "cannot be given to a guest's stage 1: its IOMMU has no %s\n",
				       needed[i].what);
		all = false;
	}
	if (!all)
		return false;
	domain = compat_iommu_alloc_nest_parent(dev);
	if (IS_ERR(domain)) {
		dev_notice_ratelimited(dev, "cannot be given to a guest's stage 1: intel-iommu does not nest (%ld); scalable mode has to be on (intel_iommu=on,sm_on)\n",
				       PTR_ERR(domain));
		return false;
	}
	iommu_domain_free(domain);
	return true;
}

/* The guest has half of the PASIDs at most: the keeper (keeper.c) needs one of the others. */
static u32 guest_pasid_bits(struct device *dev)
{
	u32 max = dev->iommu->max_pasids;

	if (!compat_iommu_nests_pasids || max < 2 * PASIDS_PER_TABLE)
		return 0;
	return min_t(u32, ilog2(max) - 1, VTD_MAX_PASID_BITS);
}

/*
 * intel-iommu has enabled page requests in the function if it can handle them. Those of
 * a virtual function come through the physical one, and are not handled.
 */
static bool has_page_requests(struct device *dev)
{
	struct pci_dev *pdev = to_pci_dev(dev);

	return compat_iommu_has_iopf_dequeue && guest_pasid_bits(dev) &&
	       !pdev->is_virtfn && compat_pci_pri_enabled(pdev);
}

/* Fill in @limits. Errors: ENODEV. */
int vtd_limits_of(struct device *dev, struct vtd_limits *limits)
{
	struct iommu_hw_info_vtd regs;
	int ret;

	ret = read_registers(dev, &regs);
	if (ret)
		return ret;
	limits->pasid_bits = guest_pasid_bits(dev);
	limits->cap = (regs.cap_reg & GUEST_CAP) | CAP_CM;
	limits->ecap = regs.ecap_reg & GUEST_ECAP;
	if (compat_iommu_nests_ats && to_pci_dev(dev)->ats_enabled)
		limits->ecap |= ECAP_DT;
	if (limits->pasid_bits)
		limits->ecap |= ECAP_PASID | PSS(limits->pasid_bits);
	if (has_page_requests(dev))
		limits->ecap |= ECAP_PRS;
	return 0;
}

static const char *why_no_pasids(struct device *dev, u64 ecap)
{
	if (!compat_iommu_nests_pasids)
		return "this kernel cannot nest them";
	if (!(ecap & ECAP_PASID))
		return "its IOMMU has no PASIDs (ECAP.PASID)";
	return "the function has none, or too few";
}

static const char *why_no_page_requests(struct device *dev, u64 ecap)
{
	if (!compat_iommu_has_iopf_dequeue)
		return "this kernel cannot hand them on";
	if (!(ecap & ECAP_PRS))
		return "its IOMMU has no page requests (ECAP.PRS)";
	if (to_pci_dev(dev)->is_virtfn)
		return "intel-iommu does not tell those of virtual functions apart";
	return "the function has none, or no PASIDs";
}

/* Tell the administrator what a guest will not have, although it can nest. */
void vtd_explain(struct device *dev, const struct vtd_limits *limits)
{
	struct iommu_hw_info_vtd regs;

	if (read_registers(dev, &regs))
		return;
	if (!(limits->ecap & ECAP_PASID))
		dev_info_ratelimited(dev, "no PASIDs for guests: %s\n",
				     why_no_pasids(dev, regs.ecap_reg));
	if (!(limits->ecap & ECAP_PRS))
		dev_info_ratelimited(dev, "no page requests for guests: %s\n",
				     why_no_page_requests(dev, regs.ecap_reg));
}

/* The same for all devices of an IOMMU, some of which may have no page requests. */
static u32 vtd_max_pending(struct device *dev)
{
	struct iommu_hw_info_vtd regs;

	if (!compat_iommu_has_iopf_dequeue || read_registers(dev, &regs) ||
	    !(regs.ecap_reg & ECAP_PRS))
		return 0;
	return VTD_MAX_PENDING;
}

/* The backend's @info. */
int vtd_info(struct device *dev, const struct iommu_nested_policy *policy,
	     struct iommu_nested_info *info)
{
	struct vtd_limits limits;
	int ret;

	ret = vtd_limits_of(dev, &limits);
	if (ret)
		return ret;
	info->virtual_id_bits = 16;
	info->arch_len = sizeof(info->arch.vtd);
	info->arch.vtd.cap = limits.cap;
	info->arch.vtd.ecap = limits.ecap;
	if (!vtd_can_nest(dev))
		return 0;

	info->max_pending = vtd_max_pending(dev);
	info->caps = VFIO_NESTED_CAP_STAGE1 | VFIO_NESTED_CAP_INVALIDATE |
		     VFIO_NESTED_CAP_TABLE | VFIO_NESTED_CAP_MEMORY;
	if (limits.ecap & ECAP_SC)
		info->caps |= VFIO_NESTED_CAP_COHERENT;
	if (limits.ecap & ECAP_DT)
		info->caps |= VFIO_NESTED_CAP_ATS;
	if (limits.pasid_bits) {
		info->caps |= VFIO_NESTED_CAP_PASID;
		info->pasid_bits = limits.pasid_bits;
	}
	if (limits.ecap & ECAP_PRS)
		info->caps |= VFIO_NESTED_CAP_PRI;
	return 0;
}
