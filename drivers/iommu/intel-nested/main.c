// SPDX-License-Identifier: GPL-2.0
/*
 * The module: a backend of the nested core, over what intel-iommu offers.
 */
#include <linux/iommu.h>
#include <linux/module.h>

#include "vtd.h"

static int __init vtd_init(void)
{
	return iommu_nested_register_backend(&vtd_backend);
}

static void __exit vtd_exit(void)
{
	iommu_nested_unregister_backend(&vtd_backend);
	vtd_keepers_exit();
}

module_init(vtd_init);
module_exit(vtd_exit);

MODULE_DESCRIPTION("Nested translation for guests on Intel VT-d");
MODULE_LICENSE("GPL");
/* To attach domains with a handle, to which page requests refer */
COMPAT_IMPORT_NS(IOMMUFD_INTERNAL);
