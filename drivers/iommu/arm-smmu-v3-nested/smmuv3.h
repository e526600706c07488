/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The SMMUv3 host driver: objects, who owns them, and which lock guards what.
 *
 * Objects
 *  - struct smmu_device: one SMMU; lives as long as its platform device is bound.
 *  - struct smmu_master: one client device; from probe_device to release_device.
 *  - struct smmu_domain: one stage-2 page table; the IOMMU core frees it, never
 *    while a master is attached to it.
 *  - struct smmu_viommu, struct smmu_vdev: a virtual IOMMU and a device in it;
 *    the nested core creates and ends them (nested.c).
 *
 * Locks, outer first
 *  - smmu_master.lock (mutex): the master's stream table entries, its domain and
 *    its overlay (vdev). Taken inside the IOMMU core's group mutex and inside
 *    iommu_nested_viommu.sem.
 *  - smmu_evtq.lock (mutex), the event queue's before the PRI queue's: taking
 *    records out, and everything that a record is looked up in: smmu_device.streams
 *    is changed with both held, smmu_master.vdev with smmu_master.lock and both.
 *    So who takes either may use what it finds until it lets go. Always taken by
 *    smmu_evtq_lock(), which keeps the interrupt handler away as well: that one holds
 *    smmu_evtq.claim (spinlock), and does nothing where the mutex is held.
 *  - smmu_domain.lock (spinlock, interrupts off): writers of ats_masters;
 *    smmu_device.viommus_lock (the same): writers of smmu_domain.viommus and of
 *    smmu_viommu.s2, which a domain that is freed and a virtual IOMMU that is
 *    released both change. The invalidation path reads the lists under RCU and
 *    takes no lock.
 *  - smmu_device.strtab.lock (mutex): second-level stream tables come into being.
 *  - smmu_device.pri_lock (spinlock): smmu_device.pri_reserved. Innermost.
 *  - smmu_device.gerror_lock (raw spinlock): read-modify-write of SMMU_GERRORN.
 *  - the command queue has no lock, see cmdq.c.
 */
#ifndef _SMMUV3_H
#define _SMMUV3_H

#include <linux/hash.h>
#include <linux/idr.h>
#include <linux/io-pgtable.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "cmd.h"
#include "smmuv3-regs.h"
#include "ste.h"
#include "vcmd.h"
#include "vste.h"

struct iommu_nested_answer;
struct iommu_nested_binding;
struct iommu_nested_info;
struct iommu_nested_policy;
struct iommu_nested_viommu;
struct platform_driver;
struct smmu_device;
struct vfio_nested_info_smmuv3;

/* What this SMMU can do, after firmware and errata had their say */
#define SMMU_FEAT_2LVL_STRTAB	BIT(0)
#define SMMU_FEAT_PRI		BIT(1)
#define SMMU_FEAT_ATS		BIT(2)
#define SMMU_FEAT_SEV		BIT(3)
#define SMMU_FEAT_MSI		BIT(4)
#define SMMU_FEAT_COHERENT	BIT(5)
#define SMMU_FEAT_HYP		BIT(6)
#define SMMU_FEAT_NESTING	BIT(7)
#define SMMU_FEAT_ATTR_TYPES	BIT(8)
#define SMMU_FEAT_RIL		BIT(9)
#define SMMU_FEAT_FWB		BIT(10)

/* What this implementation needs done differently (errata.c) */
#define SMMU_OPT_PAGE0_ONLY	BIT(0)	/* no second register page */
#define SMMU_OPT_FORCE_SYNC	BIT(1)	/* every batch ends with a SYNC */
#define SMMU_OPT_REPEAT_INV	BIT(2)	/* TLBI and CFGI take effect when repeated */

/* Shares of the event queue: it is crowded; one device has too much of it then */
#define SMMU_EVTQ_CROWD		8
#define SMMU_EVTQ_SHARE		16

/* Commands that are written in one go; IRQs are off for so long */
#define SMMU_BATCH_MAX		64

/**
 * enum smmu_sync - how a call of smmu_cmdq_issue() ends
 * @SMMU_SYNC_NONE: with the last command; nothing is waited for
 * @SMMU_SYNC_ORDER: with a SYNC, which keeps what follows from overtaking
 * @SMMU_SYNC_WAIT: with a SYNC that is waited for
 * @SMMU_SYNC_ATC: the same, and the call fails if a device has not answered one of the
 *	CMD_ATC_INV that come before it
 */
enum smmu_sync {
	SMMU_SYNC_NONE,
	SMMU_SYNC_ORDER,
	SMMU_SYNC_WAIT,
	SMMU_SYNC_ATC,
};

/**
 * struct smmu_batch - commands on their way to the queue
 * @num: commands in @cmds
 * @cmds: two words each
 *
 * Lives on the stack of whoever fills it; __uninitialized there: clearing it would
 * cost as much as all the rest.
 */
struct smmu_batch {
	u32 num;
	__le64 cmds[SMMU_BATCH_MAX * CMD_DWORDS];
};

/**
 * struct smmu_queue - memory and registers of a queue
 * @base: entries
 * @base_reg: value of the BASE register
 * @slots: number of entries, a power of two
 * @dwords: 64-bit words of an entry
 * @prod: producer register
 * @cons: consumer register
 *
 * An index has one bit more than the number of entries needs: the wrap bit.
 */
struct smmu_queue {
	__le64 *base;
	u64 base_reg;
	u32 slots;
	u32 dwords;
	void __iomem *prod;
	void __iomem *cons;
};

/**
 * struct smmu_cmdq - the command queue; see cmdq.c for how its counters work
 * @q: memory and registers
 * @tail: commands that were ever reserved
 * @published: commands that were ever written, in order
 * @rung: commands that the hardware was told of
 * @cons: commands that the hardware has consumed, as far as we know
 * @silent: for each slot, the counter of the last SYNC there that found a device not
 *	answering an ATC_INV, until whoever waits for that has seen it
 */
struct smmu_cmdq {
	struct smmu_queue q;
	u32 tail ____cacheline_aligned_in_smp;
	u32 published ____cacheline_aligned_in_smp;
	u32 rung;
	u32 cons ____cacheline_aligned_in_smp;
	u32 *silent;
};

/**
 * struct smmu_evtq - a queue that the hardware writes: events, page requests
 * @q: memory and registers
 * @name: for messages
 * @handle: what is done with a record; called with @lock held
 * @lost: where the hardware writes nothing after an overflow until it is
 *	acknowledged: what is to be done before that; called with @lock held. Else NULL
 * @quick: what the interrupt handler itself does with a record, or NULL; false: it is
 *	for @handle. Called with @claim held
 * @lock: taking records out; see the top of this file
 * @claim: the same, in the interrupt handler
 * @claimed: @lock is held
 * @cons: consumer register's value, without the overflow flag
 * @ovackflg: the overflow flag there
 * @irq: interrupt, or 0
 * @overflows: times that the hardware found no room
 * @pass: number of the call that takes records out
 * @seen_ns: CLOCK_MONOTONIC when it saw the records that it takes out now
 * @crowded: this pass has found more than SMMU_EVTQ_CROWD of the queue in use
 * @last: whose record the last one of this pass was; records come in crowds
 * @last_sid: its StreamID
 */
struct smmu_evtq {
	struct smmu_queue q;
	const char *name;
	void (*handle)(struct smmu_device *smmu, const u64 *record);
	void (*lost)(struct smmu_device *smmu);
	bool (*quick)(struct smmu_device *smmu, const u64 *record);
	struct mutex lock;		/* see the top of this file */
	spinlock_t claim;		/* see the top of this file */
	bool claimed;
	u32 cons;
	u32 ovackflg;
	int irq;
	u64 overflows;
	u32 pass;
	u64 seen_ns;
	bool crowded;
	u32 last_sid;
	struct smmu_master *last;
};

/**
 * struct smmu_strtab - the stream table
 * @lock: @l2 entries, and the level-1 descriptors that point to them
 * @linear: the table, where it has one level
 * @l1: level-1 descriptors, where it has two
 * @l2: second-level tables, NULL where not there yet
 * @num_l1: number of level-1 descriptors
 * @base_reg: value of STRTAB_BASE
 * @cfg_reg: value of STRTAB_BASE_CFG
 */
struct smmu_strtab {
	struct mutex lock;		/* l1, l2 */
	struct smmu_ste *linear;
	__le64 *l1;
	struct smmu_ste **l2;
	u32 num_l1;
	u64 base_reg;
	u32 cfg_reg;
};

struct smmu_device {
	struct device *dev;
	void __iomem *base;
	void __iomem *page1;
	u32 features;
	u32 options;
	u32 idr[6];
	u32 iidr;
	u32 aidr;
	u8 sid_bits;
	u8 ssid_bits;
	u8 vmid_bits;
	u8 oas;
	u16 stall_max;
	unsigned long pgsize_bitmap;
	int gerror_irq;
	int combined_irq;
	raw_spinlock_t gerror_lock;	/* SMMU_GERRORN */
	spinlock_t viommus_lock;	/* smmu_domain.viommus, smmu_viommu.s2 */
	spinlock_t pri_lock;		/* pri_reserved */
	u32 pri_reserved;		/* places of the PRI queue, promised */
	atomic_t stalls;		/* accesses that wait for a guest's answer */
	u32 stallers;			/* virtual IOMMUs that may stall; evtq.lock */

	/* For guests; constant after probe. Not every device has ATS. */
	struct smmu_vste_limits vste_limits;
	struct smmu_vcmd_limits vcmd_limits;
	struct smmu_vcmd_table vcmd_table;

	bool cmdq_on;		/* ours: firmware may have left one on */
	struct smmu_cmdq cmdq;
	struct smmu_evtq evtq;
	struct smmu_evtq priq;
	struct smmu_strtab strtab;
	struct ida vmids;
	struct xarray streams;		/* StreamID -> struct smmu_master */
	struct iommu_device iommu;
};

/* What the IOMMU core has attached a master to */
enum smmu_attachment {
	SMMU_ATTACHED_BLOCKED,
	SMMU_ATTACHED_IDENTITY,
	SMMU_ATTACHED_PAGING,
};

struct smmu_domain {
	struct iommu_domain domain;
	struct smmu_device *smmu;
	struct io_pgtable_ops *pgtbl;
	struct smmu_s2_cfg s2;
	u32 tg_shift;			/* log2 of the granule */
	spinlock_t lock;		/* ats_masters */
	struct list_head ats_masters;	/* RCU; smmu_master.ats_node */
	struct list_head viommus;	/* RCU; smmu_viommu.node */
};

struct smmu_master {
	struct smmu_device *smmu;
	struct device *dev;
	struct mutex lock;		/* all that follows */
	enum smmu_attachment attachment;
	struct smmu_domain *domain;	/* for SMMU_ATTACHED_PAGING */
	struct smmu_vdev *vdev;
	struct list_head ats_node;
	struct smmu_ste ste;		/* what is installed */
	struct work_struct ats_dead_work;
	bool ats_capable;		/* constant after probe */
	bool ats_enabled;
	bool ats_dead;
	bool pri_pasid;			/* answers to page requests have PASIDs */
	bool pri_enabled;		/* the function may ask for pages */
	bool pri_kept;			/* enabled, and its next owner will answer */
	u32 pri_granted;		/* credits that it has been promised */
	u32 pri_limit;			/* the most that it ever had of these */
	u16 pri_cap;			/* offset in config space, 0: none */
	u8 pasid_bits;
	u32 num_sids;
	u32 sids[] __counted_by(num_sids);
};

/* Buckets for devices of a guest: enough for hundreds */
#define SMMU_VDEV_HASH_BITS	8

/**
 * struct smmu_viommu - one virtual IOMMU on one SMMU
 * @node: in @s2's list of those that share its page table
 * @rcu: the list is read under RCU
 * @smmu: the SMMU, held by the masters of the bindings
 * @s2: the stage 2; NULL when it was freed under us, which means that no master
 *	is attached to it any more
 * @vmid: tags everything that the hardware caches for this virtual IOMMU. It is
 *	not that of @s2, so that two virtual IOMMUs that share guest memory cannot
 *	hit each other's ASIDs.
 * @stallers: devices in it that may stall; event queue's lock
 * @stalls: accesses that are stalled until it answers
 * @vdevs: its devices by their StreamIDs in the guest; written with the semaphore of
 *	the core's virtual IOMMU held for writing, read with it held
 */
struct smmu_viommu {
	struct list_head node;
	struct rcu_head rcu;
	struct smmu_device *smmu;
	struct smmu_domain *s2;
	u16 vmid;
	u32 stallers;
	atomic_t stalls;
	struct hlist_head vdevs[1 << SMMU_VDEV_HASH_BITS];
};

/**
 * struct smmu_flood - how many records a device may cause in one of the queues
 * @tokens: records that may still be taken before it is throttled
 * @refilled: jiffies at which @tokens was last topped up
 * @pass: pass of the queue that @in_pass is about
 * @in_pass: records of this device in that pass
 *
 * Guarded by the queue's lock.
 */
struct smmu_flood {
	u32 tokens;
	unsigned long refilled;
	u32 pass;
	u32 in_pass;
};

/**
 * struct smmu_vdev - one master's overlay: the guest's stage 1 on its stage 2
 * @node: in smmu_viommu.vdevs
 * @vsid: the StreamID in the guest
 * @binding: the nested core's side
 * @master: the master, whose lock guards this structure
 * @viommu: where it belongs
 * @kind: what @vste asks for; SMMU_VSTE_BYPASS also where no context is set
 * @vste: the guest's entry, checked
 * @may_stall: its accesses may wait for the guest, constant
 * @in_reset: between reset_prepare and reset_done, or on its way out: no DMA, whatever
 *	the master is attached to
 * @stopped: between stop and run: no DMA
 * @credits: page requests that the guest lets it have outstanding
 * @restored: it has some outstanding already, from elsewhere
 * @terminated: what it had stalled has been ended in the hardware, so that stalls of
 *	which there still is a record must not be answered; event queue's lock
 * @stalls: accesses that are stalled until the guest answers
 * @throttled: flooded us with records: no DMA until a new context comes; set with the
 *	lock of either queue held, cleared with those of both, read without
 * @events: how many events it may cause
 * @requests: how many page requests, of those that are refused
 * @throttle_work: takes DMA away where a handler of records cannot at once
 */
struct smmu_vdev {
	struct hlist_node node;
	u32 vsid;
	struct iommu_nested_binding *binding;
	struct smmu_master *master;
	struct smmu_viommu *viommu;
	enum smmu_vste_kind kind;
	__le64 vste[2];
	bool may_stall;
	bool in_reset;
	bool stopped;
	u32 credits;
	bool restored;
	bool terminated;
	atomic_t stalls;
	bool throttled;
	struct smmu_flood events;
	struct smmu_flood requests;
	struct work_struct throttle_work;
};

/* Stage 2 decides the memory type: the SMMU and io-pgtable have to know how. */
static inline bool smmu_uses_fwb(const struct smmu_device *smmu)
{
	return IO_PGTABLE_QUIRK_ARM_S2FWB && smmu->features & SMMU_FEAT_FWB;
}

static inline u32 smmu_stall_model(const struct smmu_device *smmu)
{
	return FIELD_GET(IDR0_STALL_MODEL, smmu->idr[0]);
}

static inline struct smmu_domain *to_smmu_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct smmu_domain, domain);
}

/* queue.c */
int smmu_queue_init(struct smmu_device *smmu, struct smmu_queue *q,
		    const char *name, u32 shift, u32 dwords, void __iomem *page,
		    u32 prod_off, u32 cons_off);
int smmu_queues_init(struct smmu_device *smmu);

/* cmdq.c */
void smmu_cmdq_reset(struct smmu_device *smmu);
int smmu_cmdq_issue(struct smmu_device *smmu, const __le64 *cmds, u32 num,
		    enum smmu_sync sync);
void smmu_cmdq_recover(struct smmu_device *smmu);
void smmu_gerror_ack(struct smmu_device *smmu, u32 bits);
void smmu_batch_add(struct smmu_device *smmu, struct smmu_batch *batch,
		    const __le64 cmd[CMD_DWORDS]);
int smmu_batch_finish(struct smmu_device *smmu, struct smmu_batch *batch);

/* evtq.c */
void smmu_evtq_reset(struct smmu_evtq *evtq);
struct smmu_master *smmu_evtq_master(struct smmu_device *smmu,
				     struct smmu_evtq *evtq, u32 sid);
void smmu_evtq_lock(struct smmu_evtq *evtq);
void smmu_evtq_unlock(struct smmu_evtq *evtq);
bool smmu_evtq_process_quick(struct smmu_device *smmu, struct smmu_evtq *evtq);
bool smmu_evtq_process(struct smmu_device *smmu, struct smmu_evtq *evtq);
void smmu_records_drain(struct smmu_device *smmu);
void smmu_records_lock(struct smmu_device *smmu);
void smmu_records_unlock(struct smmu_device *smmu);

/* event.c */
void smmu_abort_stall(struct smmu_device *smmu, const u64 *evt);
bool smmu_event_quick(struct smmu_device *smmu, const u64 *evt);
void smmu_event_handle(struct smmu_device *smmu, const u64 *evt);

/* priq.c */
void smmu_priq_refuse(struct smmu_device *smmu, const struct smmu_master *master,
		      const u64 *pri);
void smmu_priq_handle(struct smmu_device *smmu, const u64 *pri);
void smmu_priq_lost(struct smmu_device *smmu);

/* irq.c */
int smmu_irq_setup(struct smmu_device *smmu);

/* strtab.c */
int smmu_strtab_init(struct smmu_device *smmu);
int smmu_strtab_ensure(struct smmu_device *smmu, u32 sid);
void smmu_strtab_preset(struct smmu_device *smmu, u32 sid,
			const struct smmu_ste *ste);
void smmu_strtab_write(struct smmu_device *smmu, u32 sid,
		       const struct smmu_ste *target);

/* hw.c */
int smmu_hw_probe(struct smmu_device *smmu);
int smmu_hw_reset(struct smmu_device *smmu);
int smmu_hw_disable(struct smmu_device *smmu);
int smmu_reg_write_ack(struct smmu_device *smmu, u32 val, u32 reg, u32 ack);

/* busy.c */
int smmu_check_not_busy(struct smmu_device *smmu);

/* errata.c */
void smmu_errata_apply(struct smmu_device *smmu);

/* domain.c */
struct iommu_domain *smmu_domain_alloc(struct device *dev);
extern const struct iommu_domain_ops smmu_paging_ops;
int smmu_vmid_alloc(struct smmu_device *smmu, u16 *vmid);
void smmu_vmid_free(struct smmu_device *smmu, u16 vmid);
extern struct iommu_domain smmu_identity_domain;
extern struct iommu_domain smmu_blocked_domain;

/* tlb.c */
extern const struct iommu_flush_ops smmu_flush_ops;
void smmu_tlb_flush_domain(struct smmu_domain *domain);
void smmu_tlb_flush_range(struct smmu_domain *domain, unsigned long iova,
			  size_t size, size_t granule, bool leaf);
void smmu_tlb_flush_vmid(struct smmu_device *smmu, u16 vmid);

/* attach.c */
int smmu_master_attach(struct smmu_master *master,
		       enum smmu_attachment attachment,
		       struct smmu_domain *domain);
void smmu_master_install(struct smmu_master *master);
void smmu_master_clear_eats(struct smmu_master *master);
void smmu_master_update(struct smmu_master *master);
bool smmu_overlay_in_force(struct smmu_master *master);

/* ats.c */
void smmu_ats_init(struct smmu_master *master);
bool smmu_ats_supported(const struct smmu_master *master);
void smmu_ats_enable(struct smmu_master *master);
void smmu_ats_disable(struct smmu_master *master);
int smmu_atc_invalidate(struct smmu_master *master,
			const __le64 cmd[CMD_DWORDS]);
void smmu_atc_forget(struct smmu_master *master);
void smmu_ats_dead_work(struct work_struct *work);

/* pasid.c */
void smmu_pasid_enable(struct smmu_master *master);
void smmu_pasid_disable(struct smmu_master *master);

/* pri.c */
void smmu_pri_init(struct smmu_master *master);
bool smmu_pri_supported(const struct smmu_master *master);
bool smmu_pri_is_shared(const struct smmu_master *master);
int smmu_pri_reserve(struct smmu_master *master, u32 credits);
void smmu_pri_enable(struct smmu_master *master, bool forget);
void smmu_pri_disable(struct smmu_master *master);
void smmu_pri_release(struct smmu_master *master);

/* master.c */
struct iommu_device *smmu_probe_device(struct device *dev);
void smmu_release_device(struct device *dev);

/* probe.c */
extern struct platform_driver smmu_driver;

/* iommu.c */
#define SMMU_MSI_WINDOW_START	0x8000000
#define SMMU_MSI_WINDOW_SIZE	0x100000
extern const struct iommu_ops smmu_iommu_ops;
bool smmu_owns(struct device *dev);

/* nested-command.c */
u32 smmu_nested_invalidate(struct iommu_nested_viommu *core, void *cmds,
			   u32 len, u32 num, bool sync, int *err);

/* nested-event.c */
void smmu_nested_event(struct smmu_vdev *vdev, const u64 *evt);

/* nested-fault.c */
bool smmu_may_stall(const struct smmu_master *master,
		    const struct iommu_nested_policy *policy);
void smmu_nested_stall(struct smmu_vdev *vdev, const u64 *evt, bool atomic);
bool smmu_nested_page_request(struct smmu_vdev *vdev, const u64 *pri);
void smmu_answer_cmd(const struct iommu_nested_answer *answer,
		     __le64 cmd[CMD_DWORDS]);
int smmu_nested_respond(struct iommu_nested_viommu *core,
			const struct iommu_nested_answer *answers, u32 num);
void smmu_vdev_abort_requests(struct smmu_vdev *vdev);
void smmu_vdev_end_faults(struct smmu_vdev *vdev);

/* nested-info.c */
extern bool smmu_assume_coherent;
extern bool smmu_guest_ats;
bool smmu_guest_may_have_ats(const struct smmu_master *master);
void smmu_guest_limits_init(struct smmu_device *smmu);
void smmu_guest_id_registers(const struct smmu_device *smmu,
			     struct vfio_nested_info_smmuv3 *regs);
bool smmu_keeps_coherent(const struct smmu_master *master);
int smmu_nested_info(struct device *dev,
		     const struct iommu_nested_policy *policy,
		     struct iommu_nested_info *info);

/* throttle.c */
void smmu_vdev_init_floods(struct smmu_vdev *vdev);
void smmu_vdev_pause(struct smmu_vdev *vdev);
void smmu_vdev_forgive(struct smmu_vdev *vdev);
bool smmu_flood_take_token(struct smmu_flood *flood);
u32 smmu_flood_count(struct smmu_flood *flood, const struct smmu_evtq *evtq);
bool smmu_vdev_throttle(struct smmu_vdev *vdev, bool atomic);
void smmu_throttle_work(struct work_struct *work);

/* nested.c */
int smmu_nested_register(void);
void smmu_nested_unregister(void);

#endif /* _SMMUV3_H */
