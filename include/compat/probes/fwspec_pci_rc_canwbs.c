// SPDX-License-Identifier: GPL-2.0
/* Does IORT's word on cacheable write-back reach the IOMMU driver? */
#include <linux/iommu.h>

u32 probe = IOMMU_FWSPEC_PCI_RC_CANWBS;
