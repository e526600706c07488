// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "session.h"
#include "util.h"

struct vn_session *vn_session;

int vn_session_names(char names[][VN_PCI_NAME_LEN], unsigned int max)
{
	const char *list = getenv("VFIO_NESTED_DEVICES");
	unsigned int num = 0;
	size_t len;

	if (!list || !list[strspn(list, " ")])
		return vn_fail(-ENODEV,
			       "VFIO_NESTED_DEVICES names no PCI function; start with run.sh 0000:01:00.0");
	for (list += strspn(list, " "); *list; list += strspn(list, " ")) {
		len = strcspn(list, " ");
		if (len >= VN_PCI_NAME_LEN)
			return vn_fail(-EINVAL, "'%.*s' is not a PCI address",
				       (int)len, list);
		if (num == max)
			break;
		memcpy(names[num], list, len);
		names[num][len] = '\0';
		num++;
		list += len;
	}
	return num;
}

static bool is_taken(const char *name, char taken[][VN_PCI_NAME_LEN],
		     unsigned int nr_taken)
{
	unsigned int i;

	for (i = 0; i < nr_taken; i++)
		if (!strcmp(taken[i], name))
			return true;
	return false;
}

static bool suits(const struct vn_want *want, const char *name,
		  const struct vn_engine_ops *ops)
{
	if (!ops || (ops->caps & want->caps) != want->caps)
		return false;
	if (want->engine && strcmp(want->engine, ops->name))
		return false;
	return want->can_stall == VN_EITHER ||
	       vn_pci_can_stall(name) == (want->can_stall == VN_YES);
}

/* How well one likes to work with an engine: few waits, clear answers. */
static int rank(const struct vn_engine_ops *ops)
{
	return !!(ops->caps & VN_ENGINE_FAST) * 4 +
	       !!(ops->caps & VN_ENGINE_ONE_EVENT) * 2 +
	       !!(ops->caps & VN_ENGINE_TELLS);
}

int vn_session_pick(const struct vn_want *want, char taken[][VN_PCI_NAME_LEN],
		    unsigned int nr_taken, char *name)
{
	char names[VN_SESSION_DEVICES][VN_PCI_NAME_LEN];
	const struct vn_engine_ops *ops;
	struct vn_pci pci;
	int best = -1;
	int num, i;

	num = vn_session_names(names, VN_SESSION_DEVICES);
	if (num < 0)
		return num;
	for (i = 0; i < num; i++) {
		if (is_taken(names[i], taken, nr_taken))
			continue;
		if (vn_pci_read(&pci, names[i]))
			return -ENODEV;
		ops = vn_engine_find(&pci);
		if (!suits(want, names[i], ops) || rank(ops) <= best)
			continue;
		best = rank(ops);
		memcpy(name, names[i], VN_PCI_NAME_LEN);
	}
	if (best < 0)
		return vn_fail(-ENODEV,
			       "needs another device%s%s%s%s%s: VFIO_NESTED_DEVICES has none left",
			       want->engine ? " of kind " : "",
			       want->engine ? want->engine : "",
			       want->caps & VN_ENGINE_COPY ? " that can read memory" : "",
			       want->can_stall == VN_YES ? " that may stall" : "",
			       want->can_stall == VN_NO ? " that may not stall" : "");
	return 0;
}

static int open_wanted(const struct vn_want *want, struct vn_device *device,
		       char taken[][VN_PCI_NAME_LEN], unsigned int *nr_taken)
{
	struct vn_vm *vm = &vn_session->vms[want->vm];
	char *name = taken[*nr_taken];
	int ret;

	ret = vn_session_pick(want, taken, *nr_taken, name);
	if (ret)
		return ret;
	if (!vm->ops) {
		ret = vn_vm_open(vm);
		if (ret)
			return ret;
		vm->want_huge = want->huge;
		vm->ram_size = want->ram_size ?: VN_RAM_SIZE;
	}
	(*nr_taken)++;
	return vn_device_open(device, vm, name);
}

int vn_session_open(const struct vn_want *wants, unsigned int num)
{
	char taken[VN_SESSION_DEVICES][VN_PCI_NAME_LEN];
	unsigned int nr_taken = 0, opened = 0;
	unsigned int i;
	int ret = 0;

	vn_session = mmap(NULL, sizeof(*vn_session), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vn_session == MAP_FAILED) {
		vn_session = NULL;
		return vn_fail(-errno, "no memory: %m");
	}
	vn_session->nr_devices = num;
	for (i = 0; i < num; i++) {
		struct vn_device *device = &vn_session->devices[i];

		device->fd = -1;
		ret = open_wanted(&wants[i], device, taken, &nr_taken);
		if (!ret) {
			opened++;
			continue;
		}
		snprintf(vn_session->missing[i], sizeof(vn_session->missing[i]),
			 "%s", vn_reason());
	}
	return opened ? 0 : ret;
}

void vn_session_close(void)
{
	unsigned int i;

	if (!vn_session)
		return;
	for (i = 0; i < vn_session->nr_devices; i++)
		vn_device_close(&vn_session->devices[i]);
	for (i = 0; i < VN_SESSION_VMS; i++)
		if (vn_session->vms[i].ops)
			vn_vm_close(&vn_session->vms[i]);
	munmap(vn_session, sizeof(*vn_session));
	vn_session = NULL;
}
