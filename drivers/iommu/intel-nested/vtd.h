/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of vtd-nested share: the objects, and who may touch them.
 *
 * intel-iommu owns the hardware. A guest's stage 1 becomes nested domains of its, one for
 * each device and PASID, and one for each device without PASID. All of them have one
 * parent, the guest's memory. While a context is in force, the domain that VFIO has
 * attached is taken off the device's group, and put back afterwards:
 *
 *	group of a device
 *	  without PASID		VFIO's domain, or none, or a nested domain
 *	  PASID 1 ...		nothing, or a nested domain, or the parent
 *	  the keeper's PASID	a domain in which nothing is mapped (keeper.c)
 *
 * Locks, outer first: viommu->sem of the core; vtd_viommu.lock; the IOMMU group's;
 * those of intel-iommu. What intel-iommu calls (fault.c) takes none of the first two.
 * vtd_viommu.lock serialises everything that one guest does here; it is needed beside
 * viommu->sem because invalidations, which hold that for reading, change shadows.
 */
#ifndef _VTD_H
#define _VTD_H

#include <linux/iommu.h>
#include <linux/iommu-nested.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/xarray.h>

#include "pasid.h"
#include "qi.h"

struct vtd_keeper;

/* PASIDs of all its devices that one virtual IOMMU may have in use. */
#define VTD_MAX_SHADOWS		1024

/*
 * PASID bits that a guest has at most: they bound the tables that are looked at for one
 * invalidation, and locks are held meanwhile.
 */
#define VTD_MAX_PASID_BITS	16

/* So many devices with a domain id of their own are found at once. */
#define VTD_DID_BUCKETS		256

/* Recoverable faults that one virtual IOMMU may have outstanding. */
#define VTD_MAX_PENDING		512

/**
 * struct vtd_gather - invalidations that have not been carried out yet, see flush.c
 * @target: the first one, which says where; the others are for the same domains
 * @ranges: what; none: there are no such invalidations
 * @commands: of the guest, that are complete when these are
 * @flushes: of @commands, those that are about @ranges
 * @wider: of @flushes, those that have asked for less
 * @whole: the kernel cannot take them, and they are not for nothing
 */
struct vtd_gather {
	struct vtd_command target;
	struct vtd_ranges ranges;
	u32 commands;
	u32 flushes;
	u32 wider;
	bool whole;
};

/**
 * struct vtd_viommu - a virtual IOMMU
 * @core: the core's part, constant
 * @hw: the physical IOMMU of its devices, constant
 * @ops: its operations, constant
 * @stage2: the domain that VFIO has attached; compared only, once the devices have left
 * @parent: of nested domains: @stage2, or if @core->mirror is set a domain of our own
 * @limits: what guests were told of any of its devices; changes under @core->sem, held
 *	for writing
 * @lock: see above
 * @devices: that are bound, under @core->sem
 * @num_shadows: number of struct vtd_shadow, also of those in vtd_dev.undrained; under @lock
 * @in_force: struct vtd_shadow of kind VTD_STAGE1 that are attached, by domain id, see
 *	flush.c; likewise
 * @gather: likewise
 */
struct vtd_viommu {
	struct iommu_nested_viommu *core;
	struct iommu_device *hw;
	const struct iommu_ops *ops;
	struct iommu_domain *stage2;
	struct iommu_domain *parent;
	struct vtd_limits limits;
	struct mutex lock; /* all that this guest has here */
	struct list_head devices;
	u32 num_shadows;
	struct rb_root in_force[VTD_DID_BUCKETS];
	struct vtd_gather gather;
};

/**
 * struct vtd_shadow - a guest's PASID table entry, as the host has it in force
 * @vdev: whose it is, constant
 * @pasid: which, VTD_RID_PASID for accesses without one; constant
 * @entry: what the guest's says, constant; never VTD_BLOCKED
 * @domain: nested, and owned by this; or for VTD_PASSTHROUGH the parent; constant
 * @handle: of the attachment
 * @attached: it is; never where VTD_RID_PASID is VTD_PASSTHROUGH
 * @in_force: in struct vtd_viommu.in_force, if it is VTD_STAGE1 and @attached
 * @undrained: not @attached, and its handler may still run
 * @node: in struct vtd_dev.undrained
 */
struct vtd_shadow {
	struct vtd_dev *vdev;
	u32 pasid;
	struct vtd_entry entry;
	struct iommu_domain *domain;
	struct iommu_attach_handle handle;
	bool attached;
	struct rb_node in_force;
	bool undrained;
	struct list_head node;
};

/**
 * enum vtd_mode - what the context says
 * @VTD_MODE_STAGE2: VFIO's domain, no PASIDs
 * @VTD_MODE_ABORT: nothing
 * @VTD_MODE_SHADOWS: the shadows
 */
enum vtd_mode {
	VTD_MODE_STAGE2,
	VTD_MODE_ABORT,
	VTD_MODE_SHADOWS,
};

/**
 * struct vtd_state - a context
 * @mode: what it says
 * @tables: @context is valid: the shadows follow the guest's tables
 * @context: the guest's context entry
 * @shadows: by PASID
 * @num_shadows: their number
 */
struct vtd_state {
	enum vtd_mode mode;
	bool tables;
	struct vtd_context context;
	struct xarray shadows;
	u32 num_shadows;
};

/**
 * enum vtd_rid - where accesses without PASID go
 * @VTD_RID_STAGE2: VFIO's domain, as VFIO has attached it
 * @VTD_RID_BLOCKED: nowhere
 * @VTD_RID_STAGE1: vtd_dev.rid_shadow
 */
enum vtd_rid {
	VTD_RID_STAGE2,
	VTD_RID_BLOCKED,
	VTD_RID_STAGE1,
};

/**
 * struct vtd_dev - a device that is bound
 * @binding: the core's part, constant
 * @viommu: constant
 * @node: in @viommu->devices
 * @dev: constant
 * @group: its group, with no other device in it; holds a reference, constant
 * @vfio_handle: with which VFIO has attached its domain, or NULL; constant until
 *	@orphan
 * @limits: what the guest was told of it, constant
 * @pri: page requests can be reported, constant
 * @credits: of the guest, under viommu->sem; read by fault.c without a lock
 * @may_request: the context permits page requests, likewise
 * @keeper: keeps page requests going, or NULL; under @viommu->lock
 * @undrained: shadows that are in no state any more, but their handlers may still run;
 *	likewise
 * @state: the context that was set last, likewise
 * @rid: what is in force, likewise
 * @rid_shadow: likewise, for VTD_RID_STAGE1
 * @in_reset: nothing is to be in force, likewise
 * @stopped: likewise
 * @orphan: VFIO has moved the device to another stage 2, likewise
 */
struct vtd_dev {
	struct iommu_nested_binding *binding;
	struct vtd_viommu *viommu;
	struct list_head node;
	struct device *dev;
	struct iommu_group *group;
	struct iommu_attach_handle *vfio_handle;
	struct vtd_limits limits;
	bool pri;
	u32 credits;
	bool may_request;
	struct vtd_keeper *keeper;
	struct list_head undrained;
	struct vtd_state *state;
	enum vtd_rid rid;
	struct vtd_shadow *rid_shadow;
	bool in_reset;
	bool stopped;
	bool orphan;
};

static inline const struct iommu_ops *vtd_ops(struct device *dev)
{
	return dev->iommu->iommu_dev->ops;
}

/* info.c */
bool vtd_owns(struct device *dev);
int vtd_info(struct device *dev, const struct iommu_nested_policy *policy,
	     struct iommu_nested_info *info);
int vtd_limits_of(struct device *dev, struct vtd_limits *limits);
bool vtd_can_nest(struct device *dev);
void vtd_explain(struct device *dev, const struct vtd_limits *limits);

/* viommu.c */
int vtd_viommu_init(struct iommu_nested_viommu *core, struct device *dev);
void vtd_viommu_release(struct iommu_nested_viommu *core);
bool vtd_is_nest_parent(struct vtd_viommu *viommu, struct device *dev);
int vtd_memory_map(struct iommu_nested_viommu *core, u64 ipa,
		   struct page **pages, u32 num, int prot);
void vtd_memory_unmap(struct iommu_nested_viommu *core, u64 ipa, u64 length);
struct iommu_domain *vtd_nested_alloc(struct vtd_viommu *viommu,
				      struct device *dev,
				      const struct vtd_entry *entry,
				      int (*handler)(struct iopf_group *group));
int vtd_write_user_page(struct vtd_viommu *viommu, const void *data, size_t len,
			void __user **page);

/* attach.c */
int vtd_attach(struct vtd_dev *vdev);
int vtd_attach_pasid(struct vtd_dev *vdev, u32 pasid);
void vtd_detach(struct vtd_dev *vdev);
void vtd_silence(struct vtd_dev *vdev);
void vtd_detach_shadow(struct vtd_dev *vdev, struct vtd_shadow *shadow);
void vtd_detach_finally(struct vtd_dev *vdev);

/* shadow.c */
struct vtd_state *vtd_state_create(void);
void vtd_free_drained(struct vtd_dev *vdev, u32 pasid);
void vtd_free_undrained(struct vtd_dev *vdev);
void vtd_state_clear(struct vtd_dev *vdev, struct vtd_state *state);
void vtd_state_destroy(struct vtd_dev *vdev, struct vtd_state *state);
int vtd_state_build(struct vtd_dev *vdev, struct vtd_state *state,
		    const struct iommu_nested_context *context);
int vtd_sync_all(struct vtd_dev *vdev);
int vtd_sync_pasid(struct vtd_dev *vdev, u32 pasid);

/* nested.c */
extern struct iommu_nested_backend vtd_backend;

/* flush.c */
void vtd_flush_add(struct vtd_shadow *shadow);
void vtd_flush_remove(struct vtd_shadow *shadow);
int vtd_flush(struct vtd_viommu *viommu, const struct vtd_command *command);
int vtd_flush_complete(struct vtd_viommu *viommu);

/* invalidate.c */
u32 vtd_invalidate(struct iommu_nested_viommu *core, void *cmds, u32 len,
		   u32 num, bool sync, int *err);
u32 vtd_invalidate_generic(struct iommu_nested_viommu *core, void *cmds,
			   u32 num, bool sync, int *err);

/* keeper.c */
int vtd_keeper_create(struct vtd_dev *vdev);
int vtd_keeper_attach(struct vtd_dev *vdev);
void vtd_keeper_detach(struct vtd_dev *vdev);
void vtd_keeper_retire(struct vtd_dev *vdev);
void vtd_keepers_exit(void);
bool vtd_keeper_waits(const struct vtd_dev *vdev);
bool vtd_drain(struct vtd_dev *vdev, u32 pasid);

/* fault.c */
int vtd_fault(struct iopf_group *group);
void vtd_end_faults(struct vtd_dev *vdev);
int vtd_respond(struct iommu_nested_viommu *core,
		const struct iommu_nested_answer *answers, u32 num);
int vtd_set_page_requests(struct iommu_nested_binding *binding, u32 credits);
int vtd_restore_request(struct iommu_nested_binding *binding,
			struct vfio_nested_fault *fault);

#endif /* _VTD_H */
