// SPDX-License-Identifier: GPL-2.0
/*
 * SMMUv3 features that QEMU's model lacks, put together: properties, ID
 * registers, the registers of the PRI queue, and what follows from writes to
 * others.
 *
 * Invariants:
 *  - Without any of the properties there is no state, and no hook does anything.
 *  - The ID registers say what the properties say, and nothing else decides
 *    what the SMMU does.
 *  - A write to a register takes effect before it returns (CR0ACK is at once).
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/pci/pci_bus.h"
#include "smmuv3-nested-internal.h"

#define A_PRIQ_BASE         0xc0
#define A_PRIQ_PROD         0xc8
#define A_PRIQ_CONS         0xcc
#define A_PRIQ_IRQ_CFG0     0xd0
#define A_PRIQ_IRQ_CFG1     0xd8
#define A_PRIQ_IRQ_CFG2     0xdc

#define MAX_QUEUE_LOG2      19
#define STALL_MODEL_NONE    1
#define STALL_MODEL_FORCE   2

/* --- Properties and ID registers ------------------------------------------ */

static bool wanted(const SMMUv3NestedOptions *o)
{
    return o->ssidsize || o->cd2l || o->stall || o->stall_force || o->razwi || o->ats ||
           o->pri || o->fwb || o->eventqs != MAX_QUEUE_LOG2;
}

static bool check_options(const SMMUv3NestedOptions *o, Error **errp)
{
    const struct {
        bool wrong;
        const char *why;
    } rules[] = {
        { o->ssidsize > 20, "ssidsize is at most 20" },
        { o->cd2l && !o->ssidsize, "cd2l needs ssidsize" },
        { o->pri && !o->ats, "pri needs ats" },
        { o->eventqs > MAX_QUEUE_LOG2 || o->priqs > MAX_QUEUE_LOG2,
          "eventqs and priqs are at most 19" },
        { (o->stall || o->stall_force) && !o->stall_max, "stall-max is at least 1" },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
        if (rules[i].wrong) {
            error_setg(errp, "arm-smmuv3: %s", rules[i].why);
            return false;
        }
    }
    return true;
}

void smmuv3_nested_realize(SMMUv3State *s, Error **errp)
{
    SMMUv3Nested *n;

    if (!wanted(&s->nested_options) || !check_options(&s->nested_options, errp)) {
        return;
    }
    n = g_new0(SMMUv3Nested, 1);
    n->smmu = s;
    n->priq.entry_size = 16;
    smmu_nested_config_init(n);
    QTAILQ_INIT(&n->recorded);
    QTAILQ_INIT(&n->held);
    s->nested = n;
    nested_iommu_register(s->smmu_state.primary_bus, &smmu_nested_iommu_ops, n);
}

bool smmuv3_nested_ats(void)
{
    Object *smmu = object_resolve_type_unambiguous(TYPE_ARM_SMMUV3, NULL);

    return smmu && ARM_SMMUV3(smmu)->nested_options.ats;
}

static void set_id_registers(SMMUv3State *s)
{
    const SMMUv3NestedOptions *o = &s->nested_options;
    uint32_t *idr = s->idr;

    if (o->stall || o->stall_force) {
        idr[0] = FIELD_DP32(idr[0], IDR0, STALL_MODEL, o->stall_force ? STALL_MODEL_FORCE : 0);
        idr[5] = FIELD_DP32(idr[5], IDR5, STALL_MAX, o->stall_max);
    }
    idr[0] = FIELD_DP32(idr[0], IDR0, CD2L, o->cd2l);
    idr[0] = FIELD_DP32(idr[0], IDR0, TERM_MODEL, !o->razwi);
    idr[0] = FIELD_DP32(idr[0], IDR0, ATS, o->ats);
    idr[0] = FIELD_DP32(idr[0], IDR0, NS1ATS, o->ats);  /* no split-stage ATS */
    idr[0] = FIELD_DP32(idr[0], IDR0, PRI, o->pri);
    idr[1] = FIELD_DP32(idr[1], IDR1, SSIDSIZE, o->ssidsize);
    idr[1] = FIELD_DP32(idr[1], IDR1, EVENTQS, o->eventqs);
    idr[1] = FIELD_DP32(idr[1], IDR1, PRIQS, o->pri ? o->priqs : 0);
    idr[3] = FIELD_DP32(idr[3], IDR3, FWB, o->fwb && STAGE2_SUPPORTED(s));
}

void smmuv3_nested_reset(SMMUv3State *s)
{
    SMMUv3Nested *n = s->nested;

    if (!n) {
        return;
    }
    set_id_registers(s);
    smmu_nested_end_all_stalls(n);
    smmu_nested_config_reset(n);
    n->priq.base = n->priq.prod = n->priq.cons = n->priq.log2size = 0;
    n->priq_irq_cfg0 = n->priq_irq_cfg1 = n->priq_irq_cfg2 = 0;
    n->enabled = n->atc_timeout = false;
}

/* --- Devices that know nothing of all this -------------------------------- */

bool smmuv3_nested_translate(SMMUv3State *s, uint32_t sid, IOMMUTLBEntry *entry,
                             IOMMUAccessFlags flag)
{
    NestedAccess access = { .address = entry->iova };
    NestedTranslation out;

    if (!s->nested) {
        return false;
    }
    /* IOMMU_NONE asks for whatever there is. */
    access.read = flag == IOMMU_NONE || (flag & IOMMU_RO);
    access.write = flag & IOMMU_WO;
    entry->addr_mask = 4095;
    qemu_mutex_lock(&s->mutex);
    if (smmu_nested_transaction(s->nested, sid, NULL, &access, NULL, &out) == NESTED_OK) {
        entry->translated_addr = out.address;
        entry->addr_mask = out.page_mask;
        entry->perm = (access.read ? IOMMU_RO : 0) | (access.write ? IOMMU_WO : 0);
    }
    qemu_mutex_unlock(&s->mutex);
    return true;
}

/* --- Registers ------------------------------------------------------------ */

/* 6.3.9.6: clearing SMMUEN terminates what is stalled. */
static void look_at_enable(SMMUv3Nested *n)
{
    bool enabled = smmu_enabled(n->smmu);

    if (n->enabled && !enabled) {
        smmu_nested_end_all_stalls(n);
    }
    n->enabled = enabled;
}

static void write_priq(SMMUv3Nested *n, hwaddr offset, uint64_t data, unsigned size)
{
    unsigned shift = offset & 4 ? 32 : 0, bits = size * 8;

    switch (offset) {
    case A_PRIQ_BASE:
    case A_PRIQ_BASE + 4:
        n->priq.base = deposit64(n->priq.base, shift, bits, data);
        n->priq.log2size = MIN(extract64(n->priq.base, 0, 5), n->smmu->nested_options.priqs);
        break;
    case A_PRIQ_PROD:
        n->priq.prod = data;
        break;
    case A_PRIQ_CONS:
        n->priq.cons = data;
        break;
    case A_PRIQ_IRQ_CFG0:
    case A_PRIQ_IRQ_CFG0 + 4:
        n->priq_irq_cfg0 = deposit64(n->priq_irq_cfg0, shift, bits, data);
        break;
    case A_PRIQ_IRQ_CFG1:
        n->priq_irq_cfg1 = data;
        break;
    case A_PRIQ_IRQ_CFG2:
        n->priq_irq_cfg2 = data;
        break;
    }
}

static bool is_priq(SMMUv3State *s, hwaddr offset)
{
    return FIELD_EX32(s->idr[0], IDR0, PRI) && offset >= A_PRIQ_BASE &&
           offset <= A_PRIQ_IRQ_CFG2;
}

void smmuv3_nested_written(SMMUv3State *s, hwaddr offset, uint64_t data, unsigned size)
{
    SMMUv3Nested *n = s->nested;

    if (!n) {
        return;
    }
    qemu_mutex_lock(&s->mutex);
    if (is_priq(s, offset)) {
        write_priq(n, offset, data, size);
    }
    switch (offset) {
    case A_CR0:
        look_at_enable(n);
        smmu_nested_release_held(n);
        break;
    case A_EVENTQ_BASE:
    case A_EVENTQ_BASE + 4:
        s->eventq.log2size = MIN(s->eventq.log2size, s->nested_options.eventqs);
        break;
    case A_EVENTQ_PROD:
    case A_EVENTQ_CONS:
    case A_GERRORN:
        smmu_nested_release_held(n);
        break;
    }
    qemu_mutex_unlock(&s->mutex);
}

static uint64_t read_priq(SMMUv3Nested *n, hwaddr offset)
{
    switch (offset & ~7) {
    case A_PRIQ_BASE:
        return n->priq.base;
    case A_PRIQ_PROD:
        return n->priq.prod | (uint64_t)n->priq.cons << 32;
    case A_PRIQ_IRQ_CFG0:
        return n->priq_irq_cfg0;
    default:
        return n->priq_irq_cfg1 | (uint64_t)n->priq_irq_cfg2 << 32;
    }
}

void smmuv3_nested_read(SMMUv3State *s, hwaddr offset, uint64_t *data, unsigned size)
{
    if (s->nested && is_priq(s, offset)) {
        *data = extract64(read_priq(s->nested, offset), offset & 4 ? 32 : 0, size * 8);
    }
}
