// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci.h"
#include "util.h"

#define SYSFS_DEVICES	"/sys/bus/pci/devices"

static int attribute(const char *name, const char *file, uint64_t *value)
{
	char path[128];

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/%s", name, file);
	return vn_read_hex(path, value);
}

static int write_attribute(const char *name, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/%s", name, file);
	return vn_write_text(path, text);
}

/* The last component of what the link @file of the function points to. */
static int link_name(const char *name, const char *file, char *out,
		     unsigned int size)
{
	char path[128], target[512];
	const char *last;
	ssize_t len;

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/%s", name, file);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = '\0';
	last = strrchr(target, '/');
	snprintf(out, size, "%s", last ? last + 1 : target);
	return 0;
}

int vn_pci_read(struct vn_pci *pci, const char *name)
{
	uint64_t vendor, device, class;
	char group[16];

	if (strlen(name) >= sizeof(pci->name))
		return vn_fail(-EINVAL, "'%s' is not a PCI address (0000:01:00.0)",
			       name);
	if (attribute(name, "vendor", &vendor) ||
	    attribute(name, "device", &device) ||
	    attribute(name, "class", &class))
		return vn_fail(-ENODEV, "no PCI function %s", name);

	snprintf(pci->name, sizeof(pci->name), "%s", name);
	pci->vendor = vendor;
	pci->device = device;
	pci->class = class;
	pci->group = -1;
	if (!link_name(name, "iommu_group", group, sizeof(group)))
		pci->group = atoi(group);
	return 0;
}

int vn_pci_driver(const char *name, char *driver, unsigned int size)
{
	int ret;

	ret = link_name(name, "driver", driver, size);
	if (ret == -ENOENT) {
		driver[0] = '\0';
		return 0;
	}
	return ret;
}

int vn_pci_unbind(const char *name)
{
	return write_attribute(name, "driver/unbind", name);
}

int vn_pci_probe(const char *name)
{
	return vn_write_text("/sys/bus/pci/drivers_probe", name);
}

int vn_pci_reset(const char *name)
{
	return write_attribute(name, "reset", "1");
}

int vn_pci_remove(const char *name)
{
	return write_attribute(name, "remove", "1");
}

/* It is another device for the kernel, which has forgotten whose it was. */
int vn_pci_return(const char *name)
{
	int ret;

	ret = vn_write_text("/sys/bus/pci/rescan", "1");
	if (!ret)
		ret = write_attribute(name, "driver_override", "vfio-pci-nested");
	return ret ?: vn_pci_probe(name);
}

int vn_pci_probe_resets(const char *name)
{
	return write_attribute(name, "reset_method", "default");
}

bool vn_pci_can_stall(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/of_node/dma-can-stall",
		 name);
	return !access(path, F_OK);
}

static void policy_path(char *path, size_t size, const char *name,
			const char *what)
{
	snprintf(path, size, SYSFS_DEVICES "/%s/nested_iommu/%s", name, what);
}

int vn_pci_policy_value(const char *name, const char *what, unsigned int *value)
{
	char path[128], text[32], *end;
	int ret;

	policy_path(path, sizeof(path), name, what);
	ret = vn_read_text(path, text, sizeof(text));
	if (ret)
		return ret;
	*value = strtoul(text, &end, 10);
	if (end == text || *end)
		return vn_fail(-EINVAL, "%s holds '%s', not a number", path, text);
	return 0;
}

int vn_pci_policy(const char *name, const char *what, const char *text)
{
	char path[128];

	policy_path(path, sizeof(path), name, what);
	return vn_write_text(path, text);
}
