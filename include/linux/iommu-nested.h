/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract between the core of nested translation (iommu-nested.ko), the
 * backends below it that drive a physical IOMMU, and the user interface above.
 * Dependencies point one way: user interface -> core <- backends.
 *
 * Objects and who ends them:
 *  - struct iommu_nested_viommu, one virtual IOMMU. Reference counted: one
 *    reference for the user interface, one for each binding.
 *  - struct iommu_nested_binding, one device in one virtual IOMMU. Owned by
 *    whoever called iommu_nested_bind(), ended by iommu_nested_unbind() alone.
 *
 * Lock order (outer first):
 *  the caller's locks (VFIO, device lock, that of guest memory) -> viommu->sem -> a
 *  backend's lock for one virtual IOMMU -> the IOMMU group's lock -> the backend's other
 *  locks -> the pending-fault table's lock -> the user interface's ring lock; the last
 *  two are spinlocks.
 * So a backend does not take viommu->sem in what the IOMMU core calls (attach,
 * release). The registry's lock takes only what the backend's @owns takes.
 * Reports come from the backend with the backend's event lock held and take the
 * two spinlocks only. Nobody waits for a page fault with viommu->sem held: it may need
 * locks of VFIO inside which a reset takes viommu->sem.
 */
#ifndef _LINUX_IOMMU_NESTED_H
#define _LINUX_IOMMU_NESTED_H

#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <uapi/linux/vfio_nested.h>

struct iommu_nested_binding;
struct iommu_nested_space;
struct iommu_nested_pending;
struct iommu_nested_table;
struct iommu_nested_viommu;

/* Devices that one virtual IOMMU may have: bounds memory and walk times. */
#define IOMMU_NESTED_MAX_BINDINGS	1024

/* Bytes of commands that a backend gets in one call; they lie on the caller's stack. */
#define IOMMU_NESTED_COMMAND_BATCH_LEN	1024
#define IOMMU_NESTED_COMMAND_MAX_LEN	32

/* Ranges of guest memory that one virtual IOMMU may know, see memory.c. */
#define IOMMU_NESTED_MAX_RANGES		1024

/* Pages that are pinned, and mapped by a backend, at once */
#define IOMMU_NESTED_PIN_BATCH		512

/* Recoverable faults that one virtual IOMMU may have outstanding, at most. */
#define IOMMU_NESTED_MAX_PENDING	1024

/* Answers that a backend gets in one call; they lie on the caller's stack. */
#define IOMMU_NESTED_ANSWER_BATCH	32

/* Largest structure of a context that a backend takes. */
#define IOMMU_NESTED_CONTEXT_MAX_LEN	64

/**
 * union iommu_nested_arch_info - the architecture's part of the information
 * @smmuv3: for VFIO_NESTED_BACKEND_SMMUV3
 * @vtd: for VFIO_NESTED_BACKEND_VTD
 */
union iommu_nested_arch_info {
	struct vfio_nested_info_smmuv3 smmuv3;
	struct vfio_nested_info_vtd vtd;
};

/**
 * struct iommu_nested_policy - what the administrator lets a device do
 * @may_stall: it may stall although firmware does not say so
 * @fault_quota: recoverable faults that may be outstanding, 1 to
 *	IOMMU_NESTED_MAX_PENDING; 0: as many as the IOMMU offers one virtual IOMMU
 * @fault_deadline_ms: milliseconds in which each has to be answered, else it is
 *	aborted; 0: any time
 */
struct iommu_nested_policy {
	bool may_stall;
	u32 fault_quota;
	u32 fault_deadline_ms;
};

/* What applies where the administrator has said nothing. */
#define IOMMU_NESTED_DEADLINE_MS	10000

/**
 * struct iommu_nested_info - what a backend says of the IOMMU behind a device
 * @caps: VFIO_NESTED_CAP_* bits
 * @virtual_id_bits: virtual ids are smaller than 1 << this, 1 to 64
 * @pasid_bits: see struct vfio_nested_info
 * @max_pending: see struct vfio_nested_info; the same for all devices of an IOMMU, at
 *	most IOMMU_NESTED_MAX_PENDING
 * @msi_start: see struct vfio_nested_info
 * @msi_size: see struct vfio_nested_info
 * @arch_len: bytes of @arch that are valid
 * @arch: the architecture's own structure
 */
struct iommu_nested_info {
	u64 caps;
	u32 virtual_id_bits;
	u32 pasid_bits;
	u32 max_pending;
	u64 msi_start;
	u64 msi_size;
	u32 arch_len;
	union iommu_nested_arch_info arch;
};

/**
 * struct iommu_nested_context - a stage-1 context, copied from the user once
 * @type: enum vfio_nested_context_type
 * @data: what @type says, in the user's own words: it is as long as
 *	iommu_nested_context_len() says, and nothing else of it is checked yet
 */
struct iommu_nested_context {
	u32 type;
	union {
		struct vfio_nested_context_smmuv3 smmuv3;
		struct vfio_nested_context_vtd vtd;
		struct vfio_nested_context_table table;
		u8 bytes[IOMMU_NESTED_CONTEXT_MAX_LEN];
	} data;
};

/* Page request group indexes are smaller: PCIe, section 10.4.1. */
#define IOMMU_NESTED_GROUPS		512

/* The key of a group of page requests, and what it is made of. */
static inline u64 iommu_nested_group_key(bool pasid_valid, u32 pasid,
					 u32 group)
{
	return (u64)pasid_valid << 63 | (u64)(pasid_valid ? pasid : 0) << 16 |
	       group % IOMMU_NESTED_GROUPS;
}

static inline bool iommu_nested_key_has_pasid(u64 key)
{
	return key >> 63;
}

static inline u32 iommu_nested_key_pasid(u64 key)
{
	return key >> 16;
}

static inline u32 iommu_nested_key_group(u64 key)
{
	return key % IOMMU_NESTED_GROUPS;
}

/**
 * struct iommu_nested_answer - what is to be said to the hardware
 * @binding: whose fault it was
 * @kind: enum vfio_nested_fault_kind: STALL or PAGE_REQUEST
 * @code: enum vfio_nested_response_code
 * @key: STALL: what the backend gave iommu_nested_report_fault(); PAGE_REQUEST:
 *	iommu_nested_group_key()
 */
struct iommu_nested_answer {
	struct iommu_nested_binding *binding;
	u32 kind;
	u32 code;
	u64 key;
};

/**
 * struct iommu_nested_backend - operations of a physical IOMMU's driver
 * @owner: module of the backend; the core holds a reference for each virtual
 *	IOMMU that uses it
 * @name: for messages
 * @type: enum vfio_nested_backend
 * @command_type: enum vfio_nested_command_type that @invalidate takes
 * @command_len: bytes of one command, at most IOMMU_NESTED_COMMAND_MAX_LEN
 * @command_len_short: zero, or what a command may have as well
 * @user_page: the calls for which iommu_nested_user_page() is said to work need it
 * @list: the core's
 * @owns: whether this backend drives the IOMMU of @dev. Called under the core's
 *	registry lock; must not sleep for long.
 * @info: fill in what is known of the IOMMU behind @dev. Errors: ENODEV.
 * @viommu_init: tie @viommu to the physical IOMMU of @dev and to the stage-2
 *	domain that @dev is attached to; sets viommu->backend_data. Called before
 *	the first @bind. Errors: ENODEV (no stage 2 to nest on), EOPNOTSUPP (the IOMMU
 *	cannot nest), ENOSPC (no VMID), ENOMEM.
 * @viommu_release: undo @viommu_init. Called after the last @unbind, and after
 *	a first @bind that failed: nothing of the virtual IOMMU is left in any
 *	cache when it returns.
 * @bind: make binding->dev part of binding->viommu; sets
 *	binding->backend_data. DMA of the device does not change. Errors: EXDEV,
 *	ENODEV, EBUSY (bound elsewhere), EPERM (not coherent, or not alone), ENOMEM.
 * @unbind: the opposite, cannot fail. The device is back on what the IOMMU core
 *	attached; when it returns, no report for this binding is in flight and
 *	none will come. May come between @reset_prepare and @reset_done, and then
 *	the latter does not follow.
 * @stop: the opposite of @run: no access passes and no report comes. What has
 *	been reported stays as it is in the hardware, unlike with @reset_prepare.
 *	Never called twice without a @run; each may come between @reset_prepare and
 *	@reset_done, and nothing passes until both @run and @reset_done have come.
 * @run: the context that was set last is in force again
 * @set_page_requests: the guest allows the device @credits page requests at a time,
 *	or none (0). They are enabled in the device when a context with ATS is in
 *	force as well. NULL where no device can ask. Errors, which change nothing:
 *	EOPNOTSUPP, EPERM, ENOSPC (others have been allowed all that there is room
 *	for).
 * @set_tag: put @tag, by which the guest will name a stall, into the raw record of
 *	@fault. Called with the table's lock held.
 * @restore_request: @fault is a page request of another binding, and comes from the
 *	user: check it, and make its raw record from the rest. NULL where none can
 *	be restored. Errors: EINVAL: this device cannot ask like that.
 * @unrestore: those that were restored are not pending after all. May be NULL.
 * @respond: carry out @num answers. Called with viommu->sem held for reading; the
 *	faults are the backend's and not pending any more. Errors: EIO.
 * @set_context: check and install a context; on error the old one stays. Between
 *	@reset_prepare and @reset_done it is checked and kept, and @reset_done
 *	installs it; between @stop and @run likewise. Errors: those of
 *	iommu_nested_set_context(); EAGAIN: see iommu_nested_user_page().
 * @reset_prepare: the device is about to be reset: no DMA passes and no report
 *	comes until @reset_done. Never called twice without a @reset_done. Follows @bind
 *	at once if the device is being reset already.
 * @reset_done: the context that was set last is in force again
 * @invalidate: check, translate and carry out @num commands of @len bytes each (one of
 *	the two above) at @cmds, a copy in kernel memory, aligned to 8 bytes, that may
 *	be overwritten. With @sync it waits until these commands, and all of earlier
 *	calls for this @viommu, are complete; @num may be zero then and @cmds NULL.
 *	Returns the number consumed. If that is less than @num, *@err is the error of
 *	the first command that was not (-EAGAIN: see iommu_nested_user_page()), and
 *	the core calls again with @sync to wait for those before it. *@err is -EIO if
 *	the hardware did not answer, else it is not written. Called with viommu->sem
 *	held for reading.
 * @invalidate_generic: as @invalidate, for commands that are struct
 *	vfio_nested_command_generic. NULL where there is no such.
 * @memory_map: if the backend has set viommu->mirror: let DMA through stage 1 reach
 *	@num pages from @ipa on, with IOMMU_READ and IOMMU_WRITE in @prot; nothing is
 *	mapped there. Called with viommu->sem held for reading, not concurrently. On
 *	error nothing of it is mapped. Errors: ENOMEM; EINVAL: VFIO has other pages
 *	there, or the address is beyond what can be mapped.
 * @memory_unmap: the opposite, for whole calls of @memory_map that follow each other;
 *	when it returns no DMA reaches the pages. May be as much as the guest has.
 * @stage2_leave: somebody is about to attach the device to another stage 2, or to none.
 *	What the context does ends as with @unbind, the binding stays and gets no other
 *	context. NULL where the backend sees for itself. May come twice.
 *
 * All but @owns, @info and @set_tag are called with viommu->sem held for writing,
 * except where stated. All but @set_tag may sleep. @stop, @run and @respond are required
 * where @info says that there are recoverable faults, @set_tag where one can be a stall.
 *
 * Recoverable faults, and who answers them: when @reset_prepare or @unbind has
 * returned, none that was reported before is in the hardware any more: the backend
 * has aborted them there, and the core then ends them in its table. The exception is
 * a binding that is stopped and saved (binding->saved): its page requests are left
 * unanswered.
 */
struct iommu_nested_backend {
	struct module *owner;
	const char *name;
	u32 type;
	u32 command_type;
	u32 command_len;
	u32 command_len_short;
	bool user_page;
	struct list_head list;

	bool (*owns)(struct device *dev);
	int (*info)(struct device *dev,
		    const struct iommu_nested_policy *policy,
		    struct iommu_nested_info *info);
	int (*viommu_init)(struct iommu_nested_viommu *viommu,
			   struct device *dev);
	void (*viommu_release)(struct iommu_nested_viommu *viommu);
	int (*bind)(struct iommu_nested_binding *binding);
	void (*unbind)(struct iommu_nested_binding *binding);
	int (*set_context)(struct iommu_nested_binding *binding,
			   const struct iommu_nested_context *context);
	void (*stop)(struct iommu_nested_binding *binding);
	void (*run)(struct iommu_nested_binding *binding);
	int (*set_page_requests)(struct iommu_nested_binding *binding,
				 u32 credits);
	void (*set_tag)(struct vfio_nested_fault *fault, u16 tag);
	int (*restore_request)(struct iommu_nested_binding *binding,
			       struct vfio_nested_fault *fault);
	void (*unrestore)(struct iommu_nested_binding *binding);
	int (*respond)(struct iommu_nested_viommu *viommu,
		       const struct iommu_nested_answer *answers, u32 num);
	void (*reset_prepare)(struct iommu_nested_binding *binding);
	void (*reset_done)(struct iommu_nested_binding *binding);
	u32 (*invalidate)(struct iommu_nested_viommu *viommu, void *cmds,
			  u32 len, u32 num, bool sync, int *err);
	u32 (*invalidate_generic)(struct iommu_nested_viommu *viommu, void *cmds,
				  u32 num, bool sync, int *err);
	int (*memory_map)(struct iommu_nested_viommu *viommu, u64 ipa,
			  struct page **pages, u32 num, int prot);
	void (*memory_unmap)(struct iommu_nested_viommu *viommu, u64 ipa,
			     u64 length);
	void (*stage2_leave)(struct iommu_nested_binding *binding);
};

/**
 * struct iommu_nested_user - the user interface's side of a virtual IOMMU
 * @deliver: take one record; false if there is no room for it. Called with the
 *	backend's event lock held, or the table's, may not sleep, may be called from
 *	several threads at once.
 * @held: so many recoverable records are held back because @deliver had no room for
 *	them. Called with the table's lock held, may not sleep.
 * @wake: records have been delivered, tell the reader. Called once after one or
 *	more successful @deliver, in the same context.
 * @pin: hold the @num pages, at most IOMMU_NESTED_PIN_BATCH, that VFIO has mapped at
 *	@ipa, and say which they are. Returns 0 or an error; EPERM: one of them is not
 *	writable, and @prot says that they have to be.
 * @unpin: the opposite, of @num pages, at most IOMMU_NESTED_PIN_BATCH, from @ipa on. May
 *	be called by many threads at once, for which who holds the lock waits.
 * @relax: iommu_nested_memory_add() takes long: let somebody else have the lock that it
 *	was called with, and come back with it
 * @release: the virtual IOMMU is gone and calls nothing of this any more. May be
 *	called from whatever dropped the last reference, the user interface or
 *	the last binding; may sleep.
 */
struct iommu_nested_user {
	bool (*deliver)(void *data, const struct vfio_nested_fault *fault);
	void (*held)(void *data, u32 num);
	void (*wake)(void *data);
	int (*pin)(void *data, u64 ipa, u32 num, int prot, struct page **pages);
	void (*unpin)(void *data, u64 ipa, u32 num);
	void (*relax)(void *data);
	void (*release)(void *data);
};

/**
 * struct iommu_nested_counters - statistics of a virtual IOMMU
 *
 * One counter for each member of struct vfio_nested_stats of the same name. Those of
 * recoverable faults are in the table, since they have to add up at any time.
 */
struct iommu_nested_counters {
	/* private: no order among counters is promised to readers */
	atomic64_t contexts;
	atomic64_t invalidate_calls;
	atomic64_t commands;
	atomic64_t commands_refused;
	atomic64_t commands_widened;
	atomic64_t events_delivered;
	atomic64_t events_lost;
	atomic64_t events_throttled;
};

/**
 * struct iommu_nested_viommu - one virtual IOMMU
 * @kref: one for the user interface, one for each binding
 * @id: names it in traces, constant
 * @sem: for writing: @backend, @backend_data, @bindings, contexts; for reading:
 *	look-ups by virtual id, invalidation
 * @backend: of the devices that are bound, NULL while there are none
 * @backend_data: the backend's own
 * @info: what the backend said at the first binding, zero while there is none
 * @bindings: by virtual id
 * @nr_bindings: number of entries in @bindings
 * @mirror: guest memory is mapped by @memory_map of the backend; set by it in
 *	@viommu_init
 * @user_page: as of the backend
 * @space: the guest's memory, and the caller's; the core's, constant
 * @user: operations of the user interface, constant
 * @user_data: its argument, constant
 * @counters: statistics
 * @table: the recoverable faults that are pending; the core's, constant
 */
struct iommu_nested_viommu {
	struct kref kref;
	u32 id;
	struct rw_semaphore sem;
	const struct iommu_nested_backend *backend;
	void *backend_data;
	struct iommu_nested_info info;
	struct xarray bindings;
	u32 nr_bindings;
	bool mirror;
	bool user_page;
	struct iommu_nested_space *space;
	const struct iommu_nested_user *user;
	void *user_data;
	struct iommu_nested_counters counters;
	struct iommu_nested_table *table;
};

/**
 * struct iommu_nested_binding - one device in one virtual IOMMU
 * @viommu: holds a reference
 * @dev: the device; the owner of the binding keeps it alive
 * @virtual_id: the device's id in the guest
 * @policy: what the administrator lets it do, constant
 * @context: the one that was set last; under viommu->sem
 * @page_requests: credits that were set last, 0: none; under viommu->sem
 * @saved: it is stopped, and its state has been saved; under viommu->sem
 * @pending: its recoverable faults; the core's, constant
 * @backend_data: the backend's own
 */
struct iommu_nested_binding {
	struct iommu_nested_viommu *viommu;
	struct device *dev;
	u64 virtual_id;
	struct iommu_nested_policy policy;
	struct iommu_nested_context context;
	u32 page_requests;
	bool saved;
	struct iommu_nested_pending *pending;
	void *backend_data;
};

/* For backends */
int iommu_nested_register_backend(struct iommu_nested_backend *backend);
void iommu_nested_unregister_backend(struct iommu_nested_backend *backend);
void iommu_nested_report(struct iommu_nested_binding *binding,
			 struct vfio_nested_fault *fault);
void iommu_nested_throttled(struct iommu_nested_binding *binding);
bool iommu_nested_report_fault(struct iommu_nested_binding *binding,
			       struct vfio_nested_fault *fault, u64 key);
void iommu_nested_refused(struct iommu_nested_binding *binding,
			  const struct vfio_nested_fault *fault);
bool iommu_nested_next_pending(struct iommu_nested_binding *binding, u32 kind,
			       u32 *pos, u64 *key);
bool iommu_nested_abort_request(struct iommu_nested_binding *binding,
				struct iommu_nested_answer *answer);
void iommu_nested_requests_lost(struct iommu_nested_binding *binding);
int iommu_nested_claim_stall(struct iommu_nested_binding *binding, u16 tag,
			     u32 code, struct iommu_nested_answer *answer);
int iommu_nested_claim_group(struct iommu_nested_binding *binding,
			     bool pasid_valid, u32 pasid, u32 group, u32 code,
			     struct iommu_nested_answer *answer);
bool iommu_nested_claim_any_stall(struct iommu_nested_binding *binding,
				  u32 code,
				  struct iommu_nested_answer *answer);
struct iommu_nested_binding *
iommu_nested_find(struct iommu_nested_viommu *viommu, u64 virtual_id);

int iommu_nested_user_page(struct iommu_nested_viommu *viommu,
			   void __user **page);
int iommu_nested_user_page_missing(struct iommu_nested_viommu *viommu);
int iommu_nested_read(struct iommu_nested_viommu *viommu, u64 ipa, void *to,
		      size_t len);

/* For the user interface */
struct iommu_nested_viommu *
iommu_nested_viommu_create(const struct iommu_nested_user *user,
			   void *user_data);
void iommu_nested_viommu_close(struct iommu_nested_viommu *viommu);
void iommu_nested_viommu_get(struct iommu_nested_viommu *viommu);
void iommu_nested_viommu_put(struct iommu_nested_viommu *viommu);
int iommu_nested_device_info(struct device *dev,
			     const struct iommu_nested_policy *policy,
			     struct iommu_nested_info *info, u32 *type);
int iommu_nested_viommu_info(struct iommu_nested_viommu *viommu,
			     struct iommu_nested_info *info, u32 *type);
struct iommu_nested_binding *
iommu_nested_bind(struct iommu_nested_viommu *viommu, struct device *dev,
		  u64 virtual_id, const struct iommu_nested_policy *policy,
		  bool in_reset);
void iommu_nested_unbind(struct iommu_nested_binding *binding);
int iommu_nested_context_len(u32 type);
int iommu_nested_set_context(struct iommu_nested_viommu *viommu,
			     u64 virtual_id,
			     const struct iommu_nested_context *context);
void iommu_nested_reset_prepare(struct iommu_nested_binding *binding);
void iommu_nested_reset_done(struct iommu_nested_binding *binding);
int iommu_nested_invalidate(struct iommu_nested_viommu *viommu, u32 type,
			    u32 entry_len, const void __user *entries,
			    u32 num, u32 *consumed);
int iommu_nested_set_page_requests(struct iommu_nested_binding *binding,
				   u32 credits);
bool iommu_nested_has_page_requests(struct iommu_nested_binding *binding);
u32 iommu_nested_flush(struct iommu_nested_viommu *viommu);
int iommu_nested_respond(struct iommu_nested_viommu *viommu,
			 struct vfio_nested_response *responses, u32 num,
			 bool stop_on_error);
int iommu_nested_set_run(struct iommu_nested_viommu *viommu, u64 virtual_id,
			 u32 state);
int iommu_nested_save(struct iommu_nested_viommu *viommu, u64 virtual_id,
		      void *data, u32 room, u32 *len);
void iommu_nested_unsave(struct iommu_nested_viommu *viommu, u64 virtual_id);
int iommu_nested_restore(struct iommu_nested_viommu *viommu, u64 virtual_id,
			 void *data, u32 len);
int iommu_nested_memory_add(struct iommu_nested_viommu *viommu, u64 ipa,
			    u64 length, unsigned long vaddr);
int iommu_nested_memory_remove(struct iommu_nested_viommu *viommu, u64 ipa,
			       u64 length);
void iommu_nested_memory_unmapped(struct iommu_nested_viommu *viommu, u64 ipa,
				  u64 length);
void iommu_nested_memory_reap(struct iommu_nested_viommu *viommu);
bool iommu_nested_memory_wait(struct iommu_nested_viommu *viommu, long timeout);
void iommu_nested_memory_block(struct iommu_nested_viommu *viommu);
void iommu_nested_memory_unblock(struct iommu_nested_viommu *viommu);
int iommu_nested_memory_wait_unblocked(struct iommu_nested_viommu *viommu);
void iommu_nested_stage2_leave(struct iommu_nested_binding *binding);
void iommu_nested_stats(struct iommu_nested_viommu *viommu,
			struct vfio_nested_stats *stats);

#endif /* _LINUX_IOMMU_NESTED_H */
