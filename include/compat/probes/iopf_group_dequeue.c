// SPDX-License-Identifier: GPL-2.0
/* Can a group of page requests be taken away from the IOMMU driver? */
#include <linux/iommu.h>

void probe(struct iopf_group *group)
{
	iopf_group_dequeue(group);
}
