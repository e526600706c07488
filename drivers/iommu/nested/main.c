// SPDX-License-Identifier: GPL-2.0
/*
 * The module of the core, and the queues for its work.
 *
 * Invariant: whatever queues work cancels it before it is gone, and holds a reference
 * to this module, so that the queues are empty when the module goes.
 */
#include "private.h"

/* Not bound to a CPU: to answer for a guest may take as long as the hardware does. */
struct workqueue_struct *iommu_nested_workqueue;

/* A VMM can keep what unpins its memory from its end, and so nothing else is there. */
struct workqueue_struct *iommu_nested_unpin_workqueue;

static int __init iommu_nested_init(void)
{
	iommu_nested_workqueue = alloc_workqueue("iommu-nested", WQ_UNBOUND, 0);
	if (!iommu_nested_workqueue)
		return -ENOMEM;
	iommu_nested_unpin_workqueue = alloc_workqueue("iommu-nested-unpin",
						       WQ_UNBOUND, 0);
	if (iommu_nested_unpin_workqueue)
		return 0;
	destroy_workqueue(iommu_nested_workqueue);
	return -ENOMEM;
}

static void __exit iommu_nested_exit(void)
{
	destroy_workqueue(iommu_nested_unpin_workqueue);
	destroy_workqueue(iommu_nested_workqueue);
}

module_init(iommu_nested_init);
module_exit(iommu_nested_exit);

MODULE_DESCRIPTION("Nested IOMMU translation for guests");
MODULE_LICENSE("GPL");
