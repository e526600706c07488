/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the files of the SMMUv3 features that QEMU lacks.
 *
 *   smmuv3-nested.c            the pieces put together: properties, registers
 *   smmuv3-nested-config.c     STEs and CDs: fetched, cached, checked, decoded
 *   smmuv3-nested-translate.c  transactions, translation requests
 *   smmuv3-nested-stall.c      stalled transactions
 *   smmuv3-nested-queue.c      the Event queue and the PRI queue
 *   smmuv3-nested-cmd.c        commands
 *
 * Section numbers are those of the SMMUv3 architecture, Arm IHI 0070.
 *
 * Everything here runs with the BQL and the SMMU's mutex held.  The callbacks
 * of functions (NestedDeviceOps) are called with both held.
 */
#ifndef HW_ARM_SMMUV3_NESTED_INTERNAL_H
#define HW_ARM_SMMUV3_NESTED_INTERNAL_H

#include "hw/arm/smmuv3.h"
#include "smmuv3-internal.h"
#include "hw/misc/nested-iommu.h"

/* --- Events (7.3) --------------------------------------------------------- */

typedef struct SMMUNestedEvent {
    SMMUEventType type;
    uint32_t sid;
    uint32_t ssid;
    bool ssv;
    bool stall;
    uint16_t stag;
    bool rnw, pnu, ind, s2;
    uint8_t class;
    uint64_t address;
    uint64_t ipa;           /* or the address that could not be fetched */
    bool may_merge;         /* STE.MEV */
} SMMUNestedEvent;

/* --- Configuration (5.2, 5.4) --------------------------------------------- */

typedef struct SMMUNestedConfig {
    SMMUTransCfg cfg;       /* for QEMU's walker; TTBs are untranslated */
    bool aborts;            /* STE.Config is 0b0xx: silently */
    bool bypass;            /* both stages are off, or stage 1 is skipped */
    bool s1_stall, s1_abort, s1_record;
    bool s2_stall;
    bool s2_record;
    bool may_merge;
    bool ats;               /* the effective STE.EATS is "full ATS" */
    bool ppar;
    uint8_t privcfg;
    uint8_t instcfg;
} SMMUNestedConfig;

typedef enum SMMUNestedPriv {
    SMMU_PRIVCFG_UNPRIVILEGED = 2,
    SMMU_PRIVCFG_PRIVILEGED = 3,
} SMMUNestedPriv;

/* --- State ---------------------------------------------------------------- */

typedef struct SMMUNestedStall {
    uint32_t sid;
    uint16_t stag;
    PCIDevice *dev;
    void *token;
    QTAILQ_ENTRY(SMMUNestedStall) next;
} SMMUNestedStall;

typedef QTAILQ_HEAD(, SMMUNestedStall) SMMUNestedStalls;

struct SMMUv3Nested {
    SMMUv3State *smmu;

    /* What was fetched, valid or not, until software invalidates it. */
    GHashTable *stes;       /* by StreamID */
    GHashTable *l1cds;      /* by StreamID and index */
    GHashTable *cds;        /* by StreamID and index */

    /*
     * Stalled transactions.  Those of "recorded" have a STAG that software was
     * told, at most stall_max; those of "held" wait for a place in the Event
     * queue, or for one of the former to go, and are then retried.
     */
    SMMUNestedStalls recorded;
    SMMUNestedStalls held;
    unsigned recorded_count;
    uint16_t next_stag;

    SMMUQueue priq;
    uint64_t priq_irq_cfg0;
    uint32_t priq_irq_cfg1;
    uint32_t priq_irq_cfg2;

    /* For merging: the event that was written last, and when. */
    Evt last_event;
    int64_t last_event_time;

    bool enabled;           /* CR0.SMMUEN as of the last look */
    bool atc_timeout;       /* an invalidation since the last SYNC timed out */
};

static inline bool smmu_nested_stall_supported(SMMUv3State *s)
{
    return FIELD_EX32(s->idr[0], IDR0, STALL_MODEL) != 1;
}

/* --- smmuv3-nested-config.c ----------------------------------------------- */

/*
 * The configuration for a transaction.  Returns false, with @event filled, if
 * it is terminated.
 */
bool smmu_nested_config(SMMUv3Nested *n, uint32_t sid, const NestedAccess *access,
                        SMMUNestedConfig *config, SMMUNestedEvent *event);

/* The STE alone: is the stream set to terminate transactions? Has it PPAR? */
bool smmu_nested_stream(SMMUv3Nested *n, uint32_t sid, SMMUNestedConfig *config);

void smmu_nested_forget_stes(SMMUv3Nested *n, uint32_t first, uint32_t last);
void smmu_nested_forget_cd(SMMUv3Nested *n, uint32_t sid, uint32_t ssid, bool leaf);
void smmu_nested_forget_cds(SMMUv3Nested *n, uint32_t first, uint32_t last);
void smmu_nested_config_init(SMMUv3Nested *n);
void smmu_nested_config_reset(SMMUv3Nested *n);

/* --- smmuv3-nested-translate.c -------------------------------------------- */

extern const NestedIommuOps smmu_nested_iommu_ops;

/* Stage 2 of an address that a CD fetch needs; false: @event is filled. */
bool smmu_nested_stage2(SMMUv3Nested *n, SMMUNestedConfig *config, uint64_t ipa,
                        SMMUTranslationClass class, uint64_t *pa, SMMUNestedEvent *event);

/* A transaction; @dev is NULL if it cannot stall. */
NestedStatus smmu_nested_transaction(SMMUv3Nested *n, uint32_t sid, PCIDevice *dev,
                                     const NestedAccess *access, void *token,
                                     NestedTranslation *out);

/* --- smmuv3-nested-stall.c ------------------------------------------------ */

/* Stall a transaction, and record @event, now or when there is room. */
void smmu_nested_stall(SMMUv3Nested *n, PCIDevice *dev, void *token, SMMUNestedEvent *event);

/* Try the held transactions again, if any of them could be recorded now. */
void smmu_nested_release_held(SMMUv3Nested *n);

void smmu_nested_resume(SMMUv3Nested *n, uint32_t sid, uint16_t stag, NestedVerdict verdict);

/* End the stalls of one stream, or of all; @verdict NESTED_ABORT. */
void smmu_nested_end_stalls(SMMUv3Nested *n, uint32_t sid);
void smmu_nested_end_all_stalls(SMMUv3Nested *n);
void smmu_nested_forget_stall(SMMUv3Nested *n, PCIDevice *dev, void *token);

/* --- smmuv3-nested-queue.c ------------------------------------------------ */

bool smmu_nested_evtq_writable(SMMUv3Nested *n);

/* false: it was not written, and not counted as lost either (stalls). */
bool smmu_nested_record(SMMUv3Nested *n, const SMMUNestedEvent *event);
void smmu_nested_page_request(SMMUv3Nested *n, PCIDevice *dev,
                              const NestedPageRequest *request);
void smmu_nested_gerror(SMMUv3Nested *n, uint32_t bits);

#endif
