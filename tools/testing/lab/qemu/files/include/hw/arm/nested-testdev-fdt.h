/* SPDX-License-Identifier: GPL-2.0 */
#ifndef HW_ARM_NESTED_TESTDEV_FDT_H
#define HW_ARM_NESTED_TESTDEV_FDT_H

/* Describe all nested-testdev below the PCI host bridge at the path @host. */
void nested_testdev_describe(void *fdt, const char *host);

#endif
