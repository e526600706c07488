// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "util.h"

#define PAGE_BITS	12
#define VA_BITS		48

const struct rig_arch *const rig_archs[] = { &rig_smmuv3, &rig_vtd, NULL };

/* The first makes accesses; the others need no engine, and no place in memory. */
static int open_device(struct rig *rig, unsigned int i, const char *name)
{
	struct vn_device *device = &rig->devices[i];
	int ret;

	if (!i)
		return vn_device_open(device, &rig->vm, name);
	device->fd = -1;
	device->group_fd = -1;
	device->vm = &rig->vm;
	ret = vn_pci_read(&device->pci, name);
	if (!ret)
		ret = rig->vm.ops->attach(&rig->vm, device);
	if (!ret)
		rig->vm.nr_devices++;
	return ret;
}

static int make_tables(struct rig *rig, bool faults)
{
	int ret;

	ret = vn_guest_stage1(&rig->guest, PAGE_BITS, VA_BITS, RIG_ASID);
	if (!ret && faults)
		rig->arch->prepare_faults(rig);
	return ret;
}

static int join(struct rig *rig, unsigned int i)
{
	const struct rig_arch *const *arch;
	int ret;

	ret = rig->driver->join(rig, i);
	if (ret)
		return ret;
	for (arch = rig_archs; *arch; arch++)
		if ((*arch)->backend == rig->guest.arch->backend)
			rig->arch = *arch;
	return 0;
}

struct vn_context rig_context(const struct rig *rig)
{
	struct vn_context context = {};

	rig->guest.arch->context(&rig->guest, &context);
	return context;
}

int rig_open(struct rig *rig, const struct rig_driver *driver,
	     char names[][VN_PCI_NAME_LEN], unsigned int num, bool faults)
{
	struct vn_context context;
	unsigned int i;
	int ret;

	memset(rig, 0, sizeof(*rig));
	rig->driver = driver;
	rig->guest.fd = -1;
	rig->fault_fd = -1;
	rig->guest.vm = &rig->vm;
	ret = driver->open(rig);
	if (!ret && faults)
		ret = driver->prepare_faults(rig);
	for (i = 0; i < num && !ret; i++) {
		ret = open_device(rig, i, names[i]);
		if (ret)
			break;
		rig->nr_devices++;
		ret = join(rig, i);
	}
	if (!ret)
		ret = make_tables(rig, faults);
	if (ret)
		return ret;
	context = rig_context(rig);
	for (i = 0; i < num && !ret; i++)
		ret = driver->set(rig, i, &context);
	return ret;
}

void rig_close(struct rig *rig)
{
	unsigned int i;

	vn_guest_close(&rig->guest);
	for (i = 0; i < rig->nr_devices; i++)
		vn_device_close(&rig->devices[i]);
	if (rig->fault_fd >= 0)
		close(rig->fault_fd);
	vn_vm_close(&rig->vm);
}
