/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual machine with a virtual IOMMU, on either of two host drivers: this
 * project's by /dev/vfio-nested, or the kernel's own by iommufd. What the guest has
 * (its tables, its commands) and what the devices do is the same.
 */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include <linux/vfio_nested.h>
#include <stdbool.h>
#include <stdint.h>

#include "guest.h"
#include "testdev.h"

/* The StreamID of device @i in the guest, on VT-d its source-id */
#define RIG_STREAM(i)		(0x100 + (i))
#define RIG_ASID		7
/* VT-d: the domain id of device @i in the guest */
#define RIG_DOMAIN(i)		(RIG_ASID + (i))
/* Nothing is mapped there. */
#define RIG_IOVA		0x40000000ULL

#define RIG_DEVICES		256
#define RIG_FAULTS		256

struct rig;

/**
 * struct rig_kind - a kind of a guest's commands
 * @name: for the names of cases
 * @make: number @i of a batch
 * @ats: of devices that translate by themselves, which is not so before
 * @alike: one is like the other, and this project would do them once
 */
struct rig_kind {
	const char *name;
	struct vn_command (*make)(const struct rig *rig, unsigned int i);
	bool ats;
	bool alike;
};

/**
 * struct rig_pace - how soon after an answer the next fault comes
 * @name: "at-once": while the VMM is still busy with its answer; "later": it waits
 * @latency_ns: what the device takes for that in addition to what it always takes
 */
struct rig_pace {
	const char *name;
	uint32_t latency_ns;
};

/**
 * struct rig_arch - what is different with the architecture
 * @backend: enum vfio_nested_backend
 * @kinds: those with @ats are the last
 * @nr_kinds: their number
 * @own_tables: each device has tables of its own for the one stage 1
 * @table_size: bytes of what guest.cd points to
 * @fault_flags: of an access that waits where nothing is mapped
 * @fault_error: how it ends if that is not to be tried again
 * @fault_burst: so many may wait at once
 * @fault_paces: the last one has no name
 * @prepare_faults: the guest's part of that
 * @hw_info: in-tree: type of the ID registers
 * @read_hw_info: they become the guest's
 * @join: in-tree: see struct rig_driver, after the device is attached to stage 2
 * @alloc: in-tree: a nested HWPT for a context of device @i
 * @invalidate: in-tree: see struct rig_driver
 */
struct rig_arch {
	uint32_t backend;
	const struct rig_kind *kinds;
	unsigned int nr_kinds;
	bool own_tables;
	size_t table_size;
	uint32_t fault_flags;
	enum vn_channel_error fault_error;
	unsigned int fault_burst;
	const struct rig_pace *fault_paces;
	void (*prepare_faults)(struct rig *rig);
	uint32_t hw_info;
	void (*read_hw_info)(struct rig *rig, const void *data);
	int (*join)(struct rig *rig, unsigned int i);
	int (*alloc)(struct rig *rig, unsigned int i,
		     const struct vn_context *context, uint32_t *hwpt);
	int (*invalidate)(struct rig *rig, const struct vn_command *commands,
			  uint32_t num);
};

/* In no order; the last one is NULL. */
extern const struct rig_arch *const rig_archs[];
extern const struct rig_arch rig_smmuv3;
extern const struct rig_arch rig_vtd;

/**
 * struct rig_driver - one of the two host drivers
 * @name: "ours" or "intree"
 * @vfio_driver: what devices have to be bound to
 * @open: an address space, with VFIO's interface that is asked for
 * @make: a virtual IOMMU without devices, as far as there is such a thing; recoverable
 *	faults are to be reported, or not
 * @join: a device that is open becomes number @i of the virtual machine's; the first
 *	time it also finds out what the IOMMU is and can do
 * @set: the device's context, in place of what was there
 * @clear: back to stage 2 alone
 * @invalidate: all of the guest's commands
 * @wait: waits for recoverable faults; returns how many, and a name of each
 * @answer: to be tried again, or aborted
 *
 * All return a negative errno after vn_fail().
 */
struct rig_driver {
	const char *name;
	const char *vfio_driver;
	int (*open)(struct rig *rig);
	int (*make)(struct rig *rig, bool faults);
	int (*join)(struct rig *rig, unsigned int i);
	int (*set)(struct rig *rig, unsigned int i,
		   const struct vn_context *context);
	int (*clear)(struct rig *rig, unsigned int i);
	int (*invalidate)(struct rig *rig, const struct vn_command *commands,
			  uint32_t num);
	int (*wait)(struct rig *rig, uint64_t *faults, unsigned int max);
	int (*answer)(struct rig *rig, const uint64_t *faults, unsigned int num,
		      bool retry);
};

extern const struct rig_driver rig_ours;
extern const struct rig_driver rig_intree;

struct rig {
	const struct rig_driver *driver;
	const struct rig_arch *arch;
	struct vn_vm vm;
	/* Its nested fd is for "ours" only. */
	struct vn_guest guest;
	struct vn_device devices[RIG_DEVICES];
	unsigned int nr_devices;
	/* What guest.cd is for a device; 0 for those that use that one */
	uint64_t tables[RIG_DEVICES];
	/* intree: objects of iommufd; 0 is none */
	uint32_t parent;
	uint32_t viommu;
	uint32_t hwpts[RIG_DEVICES];
	uint32_t fault_queue;
	int fault_fd;
};

/*
 * Opens @num devices out of @names, and a stage 1 that all of them use. The first
 * is one that can do DMA; the others are only bound. rig_close() also after errors.
 */
int rig_open(struct rig *rig, const struct rig_driver *driver,
	     char names[][VN_PCI_NAME_LEN], unsigned int num, bool faults);
/* The same in two steps: devices in stage 2; @num of them, from @first on, in stage 1 */
int rig_attach(struct rig *rig, const struct rig_driver *driver,
	       char names[][VN_PCI_NAME_LEN], unsigned int num);
int rig_nest(struct rig *rig, unsigned int first, unsigned int num, bool faults);
void rig_close(struct rig *rig);
/*
 * The first device makes @num accesses that wait, which are reported; all of these
 * reports, or as many of accesses that were tried again; and the accesses are aborted.
 */
int rig_raise(struct rig *rig, uint64_t *faults, unsigned int num);
int rig_wait(struct rig *rig, uint64_t *faults, unsigned int num);
int rig_abort(struct rig *rig, const uint64_t *faults, unsigned int num);
/* What the guest's tables are for device @i */
struct vn_context rig_context(const struct rig *rig, unsigned int i);
/* In-tree: a nested HWPT on @pt, for device @i; @data is the architecture's. */
int rig_alloc_nested(struct rig *rig, unsigned int i, uint32_t pt, uint32_t type,
		     const void *data, size_t len, uint32_t *hwpt);
/* In-tree: @num entries of @len bytes for a HWPT or a vIOMMU, all of which are taken */
int rig_hwpt_invalidate(struct rig *rig, uint32_t id, uint32_t type,
			const void *entries, size_t len, uint32_t num);

#endif /* BENCH_RIG_H */
