// SPDX-License-Identifier: GPL-2.0
/*
 * Transactions and translation requests.  QEMU's own walker and TLB do the
 * work; what they do not know is checked here: privilege, execution, and reads
 * of what stage 2 lets be written only.
 *
 * Invariants:
 *  - At most one event for a transaction (7.2).
 *  - A fault of the four kinds that may stall or terminate (3.12) does what the
 *    stage at which it arose says; all else terminates with an abort.
 *  - A translation request leaves no event but F_BAD_ATS_TREQ (3.9.1.2).
 */
#include "qemu/osdep.h"
#include "hw/pci/pci_bus.h"
#include "smmuv3-nested-internal.h"

#define CR0_ATSCHK          BIT(4)
#define CR2_RECINVSID       BIT(1)

/* --- Rights that QEMU's walker ignores (Arm ARM, VMSAv8-64 descriptors) ----- */

uint8_t smmuv3_nested_table_rights(uint64_t descriptor, bool had)
{
    if (had) {
        return 0;
    }
    return (extract64(descriptor, 61, 1) ? SMMU_NESTED_PRIV_ONLY : 0) |  /* APTable[0] */
           (extract64(descriptor, 60, 1) ? SMMU_NESTED_UXN : 0) |
           (extract64(descriptor, 59, 1) ? SMMU_NESTED_PXN : 0);
}

uint8_t smmuv3_nested_leaf_rights(uint64_t descriptor)
{
    return (extract64(descriptor, 6, 1) ? 0 : SMMU_NESTED_PRIV_ONLY) |   /* AP[1] */
           (extract64(descriptor, 54, 1) ? SMMU_NESTED_UXN : 0) |
           (extract64(descriptor, 53, 1) ? SMMU_NESTED_PXN : 0);
}

/* XN[1:0] with IDR3.XNX: none, not privileged, neither, not unprivileged. */
uint8_t smmuv3_nested_s2_rights(uint64_t descriptor)
{
    static const uint8_t rights[] = {
        0, SMMU_NESTED_S2_PXN, SMMU_NESTED_S2_PXN | SMMU_NESTED_S2_UXN, SMMU_NESTED_S2_UXN,
    };

    return rights[extract64(descriptor, 53, 2)];
}

/* --- The walk ------------------------------------------------------------- */

typedef struct Walk {
    const NestedAccess *access;
    bool privileged;                    /* after STE.PRIVCFG */
    bool execute;                       /* after STE.INSTCFG */
    SMMUTLBEntry *entry;
    SMMUPTWEventInfo fault;
} Walk;

static IOMMUAccessFlags flags_of(const NestedAccess *access)
{
    return (access->read ? IOMMU_RO : 0) | (access->write ? IOMMU_WO : 0);
}

static bool walk_failed(Walk *walk, SMMUPTWEventType type, SMMUStage stage)
{
    walk->fault.type = type;
    walk->fault.stage = stage;
    return false;
}

/*
 * The TTBs of a nested configuration are IPAs, and QEMU's walker wants them
 * translated.  That is done for each walk, through the TLB, so that nothing
 * outlives an invalidation of stage 2.
 */
static bool translate_ttb(SMMUState *bs, SMMUTransCfg *cfg, uint64_t address, Walk *walk)
{
    SMMUTransTableInfo *tt = select_tt(cfg, address);
    SMMUTransCfg stage2 = *cfg;
    SMMUTLBEntry *entry;

    if (!tt || tt->disabled) {
        return true;
    }
    stage2.stage = SMMU_STAGE_2;
    stage2.asid = -1;
    entry = smmu_translate(bs, &stage2, tt->ttb, IOMMU_RO, &walk->fault);
    if (!entry) {
        walk->fault.is_ipa_descriptor = true;
        return false;
    }
    tt->ttb = CACHED_ENTRY_TO_ADDR(entry, tt->ttb);
    return true;
}

static bool stage1_permits(Walk *walk)
{
    uint8_t rights = walk->entry->nested_rights;

    if (!walk->privileged && (rights & SMMU_NESTED_PRIV_ONLY)) {
        return false;
    }
    if (walk->execute &&
        (rights & (walk->privileged ? SMMU_NESTED_PXN : SMMU_NESTED_UXN))) {
        return false;
    }
    return (walk->entry->entry.perm & flags_of(walk->access)) == flags_of(walk->access);
}

static bool stage2_permits(Walk *walk)
{
    uint8_t rights = walk->entry->nested_rights;

    if (walk->execute &&
        (rights & (walk->privileged ? SMMU_NESTED_S2_PXN : SMMU_NESTED_S2_UXN))) {
        return false;
    }
    return (walk->entry->parent_perm & flags_of(walk->access)) == flags_of(walk->access);
}

/*
 * The TLB knows that stage 2 forbids the access, but not which IPA it is: walk
 * the tables for it.
 */
static void find_ipa(SMMUState *bs, SMMUTransCfg *cfg, Walk *walk)
{
    uint64_t address = walk->access->address;
    SMMUPTWEventInfo fault = {};
    SMMUTLBEntry entry = {};

    if (walk->fault.type != SMMU_PTW_ERR_PERMISSION || walk->fault.stage != SMMU_STAGE_2 ||
        walk->fault.addr) {
        return;
    }
    if (cfg->stage == SMMU_STAGE_2) {
        walk->fault.addr = address;
    } else if (smmu_ptw(bs, cfg, address, flags_of(walk->access), &entry, &fault) &&
               fault.stage == SMMU_STAGE_2) {
        walk->fault.addr = fault.addr;
    }
}

/* Look @walk->access up.  false: walk->fault says why not. */
static bool look_up(SMMUv3Nested *n, SMMUNestedConfig *config, Walk *walk)
{
    SMMUState *bs = ARM_SMMU(n->smmu);
    SMMUTransCfg cfg = config->cfg;
    uint64_t address = walk->access->address;

    if (cfg.stage == SMMU_NESTED && !translate_ttb(bs, &cfg, address, walk)) {
        return false;
    }
    walk->entry = smmu_translate(bs, &cfg, address, flags_of(walk->access), &walk->fault);
    if (!walk->entry) {
        /*
         * QEMU ascribes to stage 1 what its TLB finds forbidden by stage 2 alone,
         * and what stage 2 refuses for a table of stage 1.
         */
        if (cfg.stage == SMMU_STAGE_2 || walk->fault.is_ipa_descriptor) {
            walk->fault.stage = SMMU_STAGE_2;
        }
        find_ipa(bs, &cfg, walk);
        return false;
    }
    if ((cfg.stage & SMMU_STAGE_1) && !stage1_permits(walk)) {
        return walk_failed(walk, SMMU_PTW_ERR_PERMISSION, SMMU_STAGE_1);
    }
    if ((cfg.stage & SMMU_STAGE_2) && !stage2_permits(walk)) {
        walk_failed(walk, SMMU_PTW_ERR_PERMISSION, SMMU_STAGE_2);
        find_ipa(bs, &cfg, walk);
        return false;
    }
    return true;
}

static const SMMUEventType event_types[] = {
    [SMMU_PTW_ERR_WALK_EABT]   = SMMU_EVT_F_WALK_EABT,
    [SMMU_PTW_ERR_TRANSLATION] = SMMU_EVT_F_TRANSLATION,
    [SMMU_PTW_ERR_ADDR_SIZE]   = SMMU_EVT_F_ADDR_SIZE,
    [SMMU_PTW_ERR_ACCESS]      = SMMU_EVT_F_ACCESS,
    [SMMU_PTW_ERR_PERMISSION]  = SMMU_EVT_F_PERMISSION,
};

static void describe_fault(const SMMUPTWEventInfo *fault, SMMUTranslationClass class,
                           SMMUNestedEvent *event)
{
    event->type = event_types[fault->type];
    event->s2 = fault->stage == SMMU_STAGE_2;
    event->class = fault->is_ipa_descriptor ||
                   (fault->type == SMMU_PTW_ERR_WALK_EABT && !event->s2) ?
                   SMMU_CLASS_TT : class;
    event->ipa = event->s2 || fault->type == SMMU_PTW_ERR_WALK_EABT ?
                 fault->addr & ~0xfffULL : 0;
}

bool smmu_nested_stage2(SMMUv3Nested *n, SMMUNestedConfig *config, uint64_t ipa,
                        SMMUTranslationClass class, uint64_t *pa, SMMUNestedEvent *event)
{
    SMMUTransCfg cfg = config->cfg;
    SMMUPTWEventInfo fault = {};
    SMMUTLBEntry *entry;

    cfg.stage = SMMU_STAGE_2;
    cfg.asid = -1;
    entry = smmu_translate(ARM_SMMU(n->smmu), &cfg, ipa, IOMMU_RO, &fault);
    if (entry && !(entry->parent_perm & IOMMU_RO)) {
        entry = NULL;
        fault.type = SMMU_PTW_ERR_PERMISSION;
        fault.stage = SMMU_STAGE_2;
        fault.addr = ipa;
    }
    if (!entry) {
        describe_fault(&fault, class, event);
        return false;
    }
    *pa = CACHED_ENTRY_TO_ADDR(entry, ipa);
    return true;
}

/* --- Transactions --------------------------------------------------------- */

static NestedStatus identity(const NestedAccess *access, NestedTranslation *out)
{
    *out = (NestedTranslation) {
        .address = access->address,
        .length = 4096 - (access->address & 4095),
        .page_mask = 4095,
        .read = true, .write = true, .execute = true,
        .privileged = access->privileged,
    };
    return NESTED_OK;
}

/* 13.7: without a PASID an access is unprivileged and to data. */
static Walk walk_of(const SMMUNestedConfig *config, const NestedAccess *access)
{
    Walk walk = { .access = access };

    walk.privileged = config->privcfg == SMMU_PRIVCFG_PRIVILEGED ||
                      (config->privcfg != SMMU_PRIVCFG_UNPRIVILEGED &&
                       access->pasid_valid && access->privileged);
    walk.execute = access->read && !access->write &&
                   (config->instcfg == 3 || (config->instcfg != 2 &&
                    access->pasid_valid && access->execute));
    return walk;
}

static SMMUNestedEvent event_of(uint32_t sid, const NestedAccess *access)
{
    return (SMMUNestedEvent) {
        .sid = sid,
        .ssv = access->pasid_valid,
        .ssid = access->pasid_valid ? access->pasid : 0,
    };
}

static bool is_fault(SMMUEventType type)
{
    return type >= SMMU_EVT_F_TRANSLATION && type <= SMMU_EVT_F_PERMISSION;
}

/* The fields that only some events have. */
static void complete_event(SMMUNestedEvent *event, const Walk *walk)
{
    if (is_fault(event->type) || event->type == SMMU_EVT_F_WALK_EABT) {
        event->address = walk->access->address;
        event->rnw = !walk->access->write;
        event->pnu = walk->privileged;
        event->ind = walk->execute;
    }
    if (event->type == SMMU_EVT_C_BAD_SUBSTREAMID) {
        event->ssv = false;             /* the format has no SSV */
    }
}

/* 3.12, 5.5: what the stage of the fault says. */
static NestedStatus terminate_or_stall(SMMUv3Nested *n, PCIDevice *dev, void *token,
                                       const NestedAccess *access,
                                       const SMMUNestedConfig *config, SMMUNestedEvent *event)
{
    bool fault = is_fault(event->type);
    bool stall = fault && (event->s2 ? config->s2_stall : config->s1_stall);
    bool record = !fault || stall || (event->s2 ? config->s2_record : config->s1_record);

    if (stall && dev && access->may_stall) {
        smmu_nested_stall(n, dev, token, event);
        return NESTED_STALLED;
    }
    if (event->type == SMMU_EVT_C_BAD_STREAMID && !(n->smmu->cr[2] & CR2_RECINVSID)) {
        record = false;
    }
    if (record) {
        smmu_nested_record(n, event);
    }
    /* A stalling configuration terminates with an abort where stalls cannot be. */
    return fault && !event->s2 && !stall && !config->s1_abort ? NESTED_IGNORED : NESTED_ABORTED;
}

static void fill(const Walk *walk, NestedTranslation *out)
{
    const IOMMUTLBEntry *entry = &walk->entry->entry;
    uint64_t address = walk->access->address;

    *out = (NestedTranslation) {
        .address = CACHED_ENTRY_TO_ADDR(walk->entry, address),
        .page_mask = entry->addr_mask,
        .length = entry->addr_mask + 1 - (address & entry->addr_mask),
        .read = true, .write = walk->access->write,
    };
}

NestedStatus smmu_nested_transaction(SMMUv3Nested *n, uint32_t sid, PCIDevice *dev,
                                     const NestedAccess *access, void *token,
                                     NestedTranslation *out)
{
    SMMUv3State *s = n->smmu;
    SMMUNestedConfig config = {};
    SMMUNestedEvent event = event_of(sid, access);
    Walk walk;

    if (!smmu_enabled(s)) {
        return FIELD_EX32(s->gbpa, GBPA, ABORT) ? NESTED_ABORTED : identity(access, out);
    }
    if (smmu_nested_config(n, sid, access, &config, &event)) {
        if (config.aborts) {
            return NESTED_ABORTED;
        }
        if (config.bypass) {
            if (!access->pasid_valid) {
                return identity(access, out);
            }
            event.type = SMMU_EVT_C_BAD_SUBSTREAMID;
        }
    }
    walk = walk_of(&config, access);
    if (!event.type) {
        if (look_up(n, &config, &walk)) {
            fill(&walk, out);
            return NESTED_OK;
        }
        describe_fault(&walk.fault, SMMU_CLASS_IN, &event);
    }
    complete_event(&event, &walk);
    return terminate_or_stall(n, dev, token, access, &config, &event);
}

static NestedStatus translate(void *iommu, PCIDevice *dev, const NestedAccess *access,
                              void *token, NestedTranslation *out)
{
    SMMUv3Nested *n = iommu;
    NestedStatus status;

    qemu_mutex_lock(&n->smmu->mutex);
    status = smmu_nested_transaction(n, pci_requester_id(dev), dev, access, token, out);
    qemu_mutex_unlock(&n->smmu->mutex);
    return status;
}

/* --- ATS ------------------------------------------------------------------ */

static void record(SMMUv3Nested *n, SMMUNestedEvent *event, SMMUEventType type,
                   const NestedAccess *access)
{
    event->type = type;
    event->address = access->address;
    event->rnw = !access->write;
    smmu_nested_record(n, event);
}

/* 3.9.1.3 */
static bool translated_access(void *iommu, PCIDevice *dev, const NestedAccess *access)
{
    SMMUv3Nested *n = iommu;
    SMMUv3State *s = n->smmu;
    SMMUNestedConfig config = {};
    SMMUNestedEvent event = { .sid = pci_requester_id(dev) };
    bool allowed = true;

    qemu_mutex_lock(&s->mutex);
    if (!smmu_enabled(s)) {
        allowed = false;
        record(n, &event, SMMU_EVT_F_TRANS_FORBIDDEN, access);
    } else if (s->cr[0] & CR0_ATSCHK) {
        allowed = smmu_nested_stream(n, event.sid, &config) && config.ats;
        event.may_merge = config.may_merge;
        if (!allowed && !config.aborts) {
            record(n, &event, SMMU_EVT_F_TRANS_FORBIDDEN, access);
        }
    }
    qemu_mutex_unlock(&s->mutex);
    return allowed;
}

/* One direction of a request: what it grants, or NONE; -1 for a Completer Abort. */
static int ats_look_up(SMMUv3Nested *n, SMMUNestedConfig *config, const NestedAccess *access,
                       bool write, NestedTranslation *out)
{
    NestedAccess part = *access;
    Walk walk;

    part.read = !write;
    part.write = write;
    walk = walk_of(config, &part);
    if (look_up(n, config, &walk)) {
        fill(&walk, out);
        return write ? IOMMU_WO : IOMMU_RO;
    }
    return walk.fault.type == SMMU_PTW_ERR_WALK_EABT ? -1 : IOMMU_NONE;
}

/* 3.9.1.2 */
static NestedAtsStatus request(SMMUv3Nested *n, uint32_t sid, const NestedAccess *access,
                               NestedTranslation *out)
{
    SMMUNestedConfig config = {};
    SMMUNestedEvent event = event_of(sid, access);
    bool configured;
    int read, write = 0;

    *out = (NestedTranslation) { .page_mask = 4095 };
    configured = smmu_enabled(n->smmu) &&
                 smmu_nested_config(n, sid, access, &config, &event);
    event.may_merge = config.may_merge;
    if (config.aborts) {
        return NESTED_ATS_UR;
    }
    if (!smmu_enabled(n->smmu) || (configured && !config.ats)) {
        record(n, &event, SMMU_EVT_F_BAD_ATS_TREQ, access);
        return NESTED_ATS_UR;
    }
    if (!configured) {
        return is_fault(event.type) ? NESTED_ATS_SUCCESS : NESTED_ATS_CA;
    }
    if (config.bypass) {
        identity(access, out);
        return NESTED_ATS_SUCCESS;
    }
    read = ats_look_up(n, &config, access, false, out);
    if (access->write && read >= 0) {
        write = ats_look_up(n, &config, access, true, out);
    }
    if (read < 0 || write < 0) {
        return NESTED_ATS_CA;
    }
    out->read = read & IOMMU_RO;
    out->write = write & IOMMU_WO;
    out->execute = out->read && access->execute;
    out->privileged = access->privileged;
    return NESTED_ATS_SUCCESS;
}

static NestedAtsStatus ats_request(void *iommu, PCIDevice *dev, const NestedAccess *access,
                                   NestedTranslation *out)
{
    SMMUv3Nested *n = iommu;
    NestedAtsStatus status;

    /* Without ATS in the SMMU there is none in the Root Complex. */
    if (!FIELD_EX32(n->smmu->idr[0], IDR0, ATS)) {
        return NESTED_ATS_UR;
    }
    qemu_mutex_lock(&n->smmu->mutex);
    status = request(n, pci_requester_id(dev), access, out);
    qemu_mutex_unlock(&n->smmu->mutex);
    return status;
}

/* --- PRI, and what the function gives up ---------------------------------- */

static void page_request(void *iommu, PCIDevice *dev, const NestedPageRequest *request)
{
    SMMUv3Nested *n = iommu;

    if (!FIELD_EX32(n->smmu->idr[0], IDR0, PRI)) {
        return;                         /* nobody takes the message */
    }
    qemu_mutex_lock(&n->smmu->mutex);
    smmu_nested_page_request(n, dev, request);
    qemu_mutex_unlock(&n->smmu->mutex);
}

static void forget(void *iommu, PCIDevice *dev, void *token)
{
    SMMUv3Nested *n = iommu;

    qemu_mutex_lock(&n->smmu->mutex);
    smmu_nested_forget_stall(n, dev, token);
    qemu_mutex_unlock(&n->smmu->mutex);
}

const NestedIommuOps smmu_nested_iommu_ops = {
    .translate = translate,
    .forget = forget,
    .translated_access = translated_access,
    .ats_request = ats_request,
    .page_request = page_request,
};
