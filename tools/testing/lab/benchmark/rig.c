// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "util.h"

#define PAGE_BITS	12
#define VA_BITS		48
/* Of the first device */
#define CHANNEL		1

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

struct vn_context rig_context(const struct rig *rig, unsigned int i)
{
	struct vn_guest guest = rig->guest;
	struct vn_context context = {};

	guest.cd = rig->tables[i] ?: guest.cd;
	guest.arch->context(&guest, &context);
	return context;
}

/* The first device's are there. */
static int make_own_tables(struct rig *rig, unsigned int i)
{
	struct vn_guest guest = rig->guest;
	int ret;

	if (!i || !rig->arch->own_tables)
		return 0;
	guest.asid = RIG_DOMAIN(i);
	ret = vn_guest_pasids(&guest, 0);
	rig->tables[i] = guest.cd;
	return ret;
}

int rig_attach(struct rig *rig, const struct rig_driver *driver,
	       char names[][VN_PCI_NAME_LEN], unsigned int num)
{
	unsigned int i;
	int ret;

	memset(rig, 0, sizeof(*rig));
	rig->driver = driver;
	rig->guest.fd = -1;
	rig->fault_fd = -1;
	rig->guest.vm = &rig->vm;
	ret = driver->open(rig);
	for (i = 0; i < num && !ret; i++) {
		ret = open_device(rig, i, names[i]);
		if (!ret)
			rig->nr_devices++;
	}
	return ret;
}

int rig_nest(struct rig *rig, unsigned int first, unsigned int num, bool faults)
{
	struct vn_context context;
	unsigned int i;
	int ret = 0;

	if (!first)
		ret = rig->driver->make(rig, faults);
	for (i = first; i < first + num && !ret; i++)
		ret = join(rig, i);
	if (!first && !ret)
		ret = make_tables(rig, faults);
	if (ret)
		return ret;
	for (i = first; i < first + num && !ret; i++) {
		ret = make_own_tables(rig, i);
		if (ret)
			return ret;
		context = rig_context(rig, i);
		ret = rig->driver->set(rig, i, &context);
	}
	return ret;
}

int rig_open(struct rig *rig, const struct rig_driver *driver,
	     char names[][VN_PCI_NAME_LEN], unsigned int num, bool faults)
{
	int ret;

	ret = rig_attach(rig, driver, names, num);
	return ret ? ret : rig_nest(rig, 0, num, faults);
}

int rig_wait(struct rig *rig, uint64_t *faults, unsigned int num)
{
	unsigned int have = 0;

	while (have < num) {
		int got = rig->driver->wait(rig, faults + have, num - have);

		if (got < 0)
			return got;
		have += got;
	}
	return 0;
}

int rig_raise(struct rig *rig, uint64_t *faults, unsigned int num)
{
	struct vn_access access = {
		.op = VN_OP_WRITE,
		.flags = rig->arch->fault_flags,
		.iova = RIG_IOVA,
		.length = num * sizeof(uint64_t),
		.outstanding = num,
	};
	int ret;

	ret = vn_testdev_start(&rig->devices[0], CHANNEL, &access);
	return ret ? ret : rig_wait(rig, faults, num);
}

int rig_abort(struct rig *rig, const uint64_t *faults, unsigned int num)
{
	struct vn_channel_status status;
	int ret;

	ret = rig->driver->answer(rig, faults, num, false);
	if (!ret)
		ret = vn_testdev_wait(&rig->devices[0], CHANNEL, VN_TIMEOUT_MS,
				      &status);
	if (!ret && status.error != rig->arch->fault_error)
		ret = vn_fail(-EPROTO, "an access that was aborted ended otherwise: %s",
			      vn_channel_error_name(status.error));
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
