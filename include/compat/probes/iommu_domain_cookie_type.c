// SPDX-License-Identifier: GPL-2.0
/* Does a domain say whose it is? */
#include <linux/iommu.h>

bool probe(const struct iommu_domain *domain)
{
	return domain->cookie_type == IOMMU_COOKIE_IOMMUFD;
}
