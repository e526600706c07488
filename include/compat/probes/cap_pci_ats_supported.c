// SPDX-License-Identifier: GPL-2.0
/* Does anybody ask the IOMMU driver whether a device may have ATS? */
#include <linux/iommu.h>

enum iommu_cap probe = IOMMU_CAP_PCI_ATS_SUPPORTED;
