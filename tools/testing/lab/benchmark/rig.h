/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual machine with a virtual SMMUv3, on either of two host drivers: this
 * project's by /dev/vfio-nested, or the kernel's own by iommufd. What the guest has
 * (its tables, its commands) and what the devices do is the same.
 */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include <linux/vfio_nested.h>
#include <stdbool.h>
#include <stdint.h>

#include "guest.h"

/* The StreamID of device @i in the guest */
#define RIG_STREAM(i)		(0x100 + (i))
#define RIG_ASID		7
/* Nothing is mapped there. */
#define RIG_IOVA		0x40000000ULL

#define RIG_DEVICES		256
#define RIG_FAULTS		256

struct rig;

/**
 * struct rig_driver - one of the two host drivers
 * @name: "ours" or "intree"
 * @vfio_driver: what devices have to be bound to
 * @open: an address space, with VFIO's interface that is asked for
 * @join: a device that is open becomes number @i of the virtual machine's; the first
 *	time it also finds out what the SMMU can do
 * @set: the device's stream table entry, in place of what was there
 * @clear: back to stage 2 alone
 * @invalidate: all of the guest's commands
 * @prepare_faults: recoverable faults are to be reported from now on; before the
 *	first device joins
 * @wait: waits for recoverable faults; returns how many, and a name of each
 * @answer: to be tried again, or aborted
 *
 * All return a negative errno after vn_fail().
 */
struct rig_driver {
	const char *name;
	const char *vfio_driver;
	int (*open)(struct rig *rig);
	int (*join)(struct rig *rig, unsigned int i);
	int (*set)(struct rig *rig, unsigned int i, const uint64_t ste[2]);
	int (*clear)(struct rig *rig, unsigned int i);
	int (*invalidate)(struct rig *rig,
			  const struct vfio_nested_command_smmuv3 *commands,
			  uint32_t num);
	int (*prepare_faults)(struct rig *rig);
	int (*wait)(struct rig *rig, uint64_t *faults, unsigned int max);
	int (*answer)(struct rig *rig, const uint64_t *faults, unsigned int num,
		      bool retry);
};

extern const struct rig_driver rig_ours;
extern const struct rig_driver rig_intree;

struct rig {
	const struct rig_driver *driver;
	struct vn_vm vm;
	/* Its nested fd is for "ours" only. */
	struct vn_guest guest;
	struct vn_device devices[RIG_DEVICES];
	unsigned int nr_devices;
	/* intree: objects of iommufd; 0 is none */
	uint32_t parent;
	uint32_t viommu;
	uint32_t hwpts[RIG_DEVICES];
	uint32_t fault_queue;
	int fault_fd;
};

/*
 * Opens @num devices out of @names, and a stage 1 that all of them use. The first
 * is one that can do DMA; the others are only bound.
 */
int rig_open(struct rig *rig, const struct rig_driver *driver,
	     char names[][VN_PCI_NAME_LEN], unsigned int num, bool faults);
void rig_close(struct rig *rig);

#endif /* BENCH_RIG_H */
