/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Page requests as the kernel has them, and as a guest's VT-d driver reads them. Pure
 * functions.
 */
#ifndef _VTD_PRQ_H
#define _VTD_PRQ_H

#include <linux/iommu.h>
#include <uapi/linux/vfio_nested.h>

#include "vtd-regs.h"

void vtd_prq_to_fault(const struct iommu_fault_page_request *request,
		      u64 virtual_id, struct vfio_nested_fault *fault);
void vtd_prq_fill_raw(struct vfio_nested_fault *fault, u64 virtual_id);

#endif /* _VTD_PRQ_H */
