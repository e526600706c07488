// SPDX-License-Identifier: GPL-2.0
/*
 * Commands (4).  Every one is checked against the table below: an opcode that
 * the SMMU does not have, or a bit that the command does not have, raises
 * CERROR_ILL (4.1.3, 4.1.5).  TLB invalidations are then left to QEMU's model.
 *
 * Invariant: a command that raises an error has had no effect.
 */
#include "qemu/osdep.h"
#include "hw/irq.h"
#include "hw/pci/pci_bus.h"
#include "smmuv3-nested-internal.h"

typedef struct Command {
    uint64_t word[2];
} Command;

typedef enum Need {                     /* what the SMMU must have */
    NEED_NOTHING, NEED_S1, NEED_S2, NEED_STALL, NEED_ATS, NEED_PRI,
} Need;

typedef enum Result {
    DONE, LEAVE_TO_QEMU, ILLEGAL, TIMED_OUT,
} Result;

typedef struct Kind {
    bool present;
    uint64_t fields[2];                 /* bits that the command has */
    Need need;
    Result (*execute)(SMMUv3Nested *n, const Command *cmd);
} Kind;

#define BITS(last, first)   MAKE_64BIT_MASK(first, (last) - (first) + 1)
#define OPCODE              BITS(7, 0)
#define SSEC                BITS(10, 10)
#define SSV                 BITS(11, 11)
#define SSID                BITS(31, 12)
#define SID                 BITS(63, 32)
#define VMID                BITS(47, 32)
#define ASID                BITS(63, 48)
#define LEAF                BITS(0, 0)
#define RANGE_SCALE_NUM     (BITS(16, 12) | BITS(25, 20))
#define RANGE_TTL_TG        BITS(11, 8)
#define ADDRESS             BITS(63, 12)

static uint32_t sid_of(const Command *cmd)
{
    return cmd->word[0] >> 32;
}

static uint32_t ssid_of(const Command *cmd)
{
    return extract64(cmd->word[0], 12, 20);
}

static bool ssv_of(const Command *cmd)
{
    return cmd->word[0] & SSV;
}

/* --- Configuration -------------------------------------------------------- */

static Result cfgi_ste(SMMUv3Nested *n, const Command *cmd)
{
    smmu_nested_forget_stes(n, sid_of(cmd), sid_of(cmd));
    return DONE;
}

static Result cfgi_ste_range(SMMUv3Nested *n, const Command *cmd)
{
    uint32_t mask = MAKE_64BIT_MASK(0, extract64(cmd->word[1], 0, 5) + 1);

    smmu_nested_forget_stes(n, sid_of(cmd) & ~mask, sid_of(cmd) | mask);
    return DONE;
}

static Result cfgi_cd(SMMUv3Nested *n, const Command *cmd)
{
    smmu_nested_forget_cd(n, sid_of(cmd), ssid_of(cmd), cmd->word[1] & LEAF);
    return DONE;
}

static Result cfgi_cd_all(SMMUv3Nested *n, const Command *cmd)
{
    smmu_nested_forget_cds(n, sid_of(cmd), sid_of(cmd));
    return DONE;
}

/* --- TLB ------------------------------------------------------------------ */

/*
 * 4.4.1: without a granule there is no range and no level; with one, all three
 * at zero are reserved, and so is level 1 of 16 KiB.
 */
static Result tlbi_range(SMMUv3Nested *n, const Command *cmd)
{
    unsigned tg = extract64(cmd->word[1], 10, 2), ttl = extract64(cmd->word[1], 8, 2);
    bool range = cmd->word[0] & RANGE_SCALE_NUM;

    if (!FIELD_EX32(n->smmu->idr[3], IDR3, RIL)) {
        return range || tg || ttl ? ILLEGAL : LEAVE_TO_QEMU;
    }
    if (tg ? !range && !ttl : range || ttl) {
        return ILLEGAL;
    }
    return tg == 2 && ttl == 1 ? ILLEGAL : LEAVE_TO_QEMU;
}

/* --- ATS, PRI, stalls ----------------------------------------------------- */

static PCIDevice *function_of(SMMUv3Nested *n, const Command *cmd, const NestedDeviceOps **ops)
{
    if (!smmu_enabled(n->smmu) || sid_of(cmd) > UINT16_MAX) {
        return NULL;
    }
    return nested_device_find(n->smmu->smmu_state.primary_bus, sid_of(cmd), ops);
}

/* 4.5.1; a function without ATS answers with an error, which ends it as well. */
static Result atc_inv(SMMUv3Nested *n, const Command *cmd)
{
    unsigned size = extract64(cmd->word[1], 0, 6);
    const NestedDeviceOps *ops;
    PCIDevice *dev = function_of(n, cmd, &ops);
    NestedInvalidation what = {
        .pasid_valid = ssv_of(cmd),
        .pasid = ssv_of(cmd) ? ssid_of(cmd) : 0,
        .global = ssv_of(cmd) && (cmd->word[0] & BIT(9)),
    };

    if (size > 52) {
        return ILLEGAL;
    }
    what.mask = MAKE_64BIT_MASK(0, MIN(size + 12, 64));
    what.address = cmd->word[1] & ADDRESS & ~what.mask;
    if (dev && !ops->invalidate(dev, &what)) {
        n->atc_timeout = true;
    }
    return DONE;
}

/* 4.5.2 */
static Result pri_resp(SMMUv3Nested *n, const Command *cmd)
{
    static const NestedPageResponse codes[] = {
        NESTED_PRG_FAILURE, NESTED_PRG_INVALID, NESTED_PRG_SUCCESS,
    };
    unsigned response = extract64(cmd->word[1], 12, 2);
    const NestedDeviceOps *ops;
    PCIDevice *dev = function_of(n, cmd, &ops);

    if (response >= ARRAY_SIZE(codes)) {
        return ILLEGAL;
    }
    if (dev) {
        ops->page_response(dev, ssv_of(cmd), ssv_of(cmd) ? ssid_of(cmd) : 0,
                           extract64(cmd->word[1], 0, 9), codes[response]);
    }
    return DONE;
}

/* 4.7.1; without a choice (TERM_MODEL=1) Ab is ignored. */
static Result resume(SMMUv3Nested *n, const Command *cmd)
{
    bool retry = cmd->word[0] & BIT(12);
    bool abort = (cmd->word[0] & BIT(13)) || FIELD_EX32(n->smmu->idr[0], IDR0, TERM_MODEL);

    smmu_nested_resume(n, sid_of(cmd), extract64(cmd->word[1], 0, 16),
                       retry ? NESTED_RETRY : abort ? NESTED_ABORT : NESTED_TERMINATE);
    return DONE;
}

/* 4.7.2 */
static Result stall_term(SMMUv3Nested *n, const Command *cmd)
{
    SMMUNestedConfig config = {};

    if (smmu_enabled(n->smmu) &&
        !(smmu_nested_stream(n, sid_of(cmd), &config) && config.aborts)) {
        nested_violation("CMD_STALL_TERM for stream 0x%x, whose STE does not terminate "
                         "transactions", sid_of(cmd));
    }
    smmu_nested_end_stalls(n, sid_of(cmd));
    return DONE;
}

/* 4.7.3; 3.9.1.5: an invalidation that timed out shows at the next SYNC. */
static Result synchronize(SMMUv3Nested *n, const Command *cmd)
{
    SMMUv3State *s = n->smmu;
    unsigned signal = extract64(cmd->word[0], 12, 2);

    if (signal == 3) {
        return ILLEGAL;
    }
    if (n->atc_timeout) {
        n->atc_timeout = false;
        return TIMED_OUT;
    }
    if (signal == CMD_SYNC_SIG_IRQ) {
        qemu_irq_pulse(s->irq[SMMU_IRQ_CMD_SYNC]);
    }
    return DONE;
}

static Result leave(SMMUv3Nested *n, const Command *cmd)
{
    return LEAVE_TO_QEMU;
}

static Result ignore(SMMUv3Nested *n, const Command *cmd)
{
    return DONE;
}

static const Kind kinds[] = {
    [SMMU_CMD_PREFETCH_CONFIG] = { true, { OPCODE | SSEC | SSV | SSID | SID, 0 },
                                   NEED_NOTHING, ignore },
    [SMMU_CMD_PREFETCH_ADDR]   = { true, { OPCODE | SSV | SSID | SID | BITS(9, 8) | SSEC,
                                           ADDRESS | BITS(4, 0) | RANGE_TTL_TG },
                                   NEED_NOTHING, ignore },
    [SMMU_CMD_CFGI_STE]        = { true, { OPCODE | SSEC | SID, LEAF }, NEED_NOTHING, cfgi_ste },
    [SMMU_CMD_CFGI_STE_RANGE]  = { true, { OPCODE | SSEC | SID, BITS(4, 0) },
                                   NEED_NOTHING, cfgi_ste_range },
    [SMMU_CMD_CFGI_CD]         = { true, { OPCODE | SSEC | SSID | SID, LEAF }, NEED_S1, cfgi_cd },
    [SMMU_CMD_CFGI_CD_ALL]     = { true, { OPCODE | SSEC | SID, 0 }, NEED_S1, cfgi_cd_all },
    [SMMU_CMD_TLBI_NH_ALL]     = { true, { OPCODE | VMID, 0 }, NEED_S1, leave },
    [SMMU_CMD_TLBI_NH_ASID]    = { true, { OPCODE | VMID | ASID, 0 }, NEED_S1, leave },
    [SMMU_CMD_TLBI_NH_VA]      = { true, { OPCODE | VMID | ASID | RANGE_SCALE_NUM,
                                           LEAF | RANGE_TTL_TG | ADDRESS },
                                   NEED_S1, tlbi_range },
    [SMMU_CMD_TLBI_NH_VAA]     = { true, { OPCODE | VMID | RANGE_SCALE_NUM,
                                           LEAF | RANGE_TTL_TG | ADDRESS },
                                   NEED_S1, tlbi_range },
    [SMMU_CMD_TLBI_S12_VMALL]  = { true, { OPCODE | VMID, 0 }, NEED_S2, leave },
    [SMMU_CMD_TLBI_S2_IPA]     = { true, { OPCODE | VMID | RANGE_SCALE_NUM,
                                           LEAF | RANGE_TTL_TG | BITS(55, 12) },
                                   NEED_S2, tlbi_range },
    [SMMU_CMD_TLBI_NSNH_ALL]   = { true, { OPCODE, 0 }, NEED_NOTHING, leave },
    [SMMU_CMD_ATC_INV]         = { true, { OPCODE | BITS(9, 9) | SSV | SSID | SID,
                                           BITS(5, 0) | ADDRESS }, NEED_ATS, atc_inv },
    [SMMU_CMD_PRI_RESP]        = { true, { OPCODE | SSV | SSID | SID, BITS(8, 0) | BITS(13, 12) },
                                   NEED_PRI, pri_resp },
    [SMMU_CMD_RESUME]          = { true, { OPCODE | SSEC | BITS(13, 12) | SID, BITS(15, 0) },
                                   NEED_STALL, resume },
    [SMMU_CMD_STALL_TERM]      = { true, { OPCODE | SSEC | SID, 0 }, NEED_STALL, stall_term },
    [SMMU_CMD_SYNC]            = { true, { OPCODE | BITS(13, 12) | BITS(27, 22) | BITS(63, 32),
                                           BITS(55, 2) | BITS(63, 63) }, NEED_NOTHING,
                                   synchronize },
};

static bool have(SMMUv3State *s, Need need)
{
    switch (need) {
    case NEED_S1:
        return STAGE1_SUPPORTED(s);
    case NEED_S2:
        return STAGE2_SUPPORTED(s);
    case NEED_STALL:
        return smmu_nested_stall_supported(s);
    case NEED_ATS:
        return FIELD_EX32(s->idr[0], IDR0, ATS);
    case NEED_PRI:
        return FIELD_EX32(s->idr[0], IDR0, PRI);
    default:
        return true;
    }
}

static bool well_formed(SMMUv3State *s, const Command *cmd)
{
    unsigned opcode = extract64(cmd->word[0], 0, 8);
    const Kind *kind;

    if (opcode >= ARRAY_SIZE(kinds) || !kinds[opcode].present) {
        return false;
    }
    kind = &kinds[opcode];
    if ((cmd->word[0] & ~kind->fields[0]) || (cmd->word[1] & ~kind->fields[1])) {
        return false;
    }
    /* 4.1.6: the Non-secure queue must not say Secure. */
    return !((kind->fields[0] & SSEC) && (cmd->word[0] & SSEC)) && have(s, kind->need);
}

bool smmuv3_nested_command(SMMUv3State *s, const uint32_t *word, int *error)
{
    Command cmd = {
        { word[0] | (uint64_t)word[1] << 32, word[2] | (uint64_t)word[3] << 32 }
    };
    Result result = ILLEGAL;

    if (!s->nested) {
        return false;
    }
    if (well_formed(s, &cmd)) {
        result = kinds[extract64(cmd.word[0], 0, 8)].execute(s->nested, &cmd);
    }
    if (result == ILLEGAL) {
        *error = SMMU_CERROR_ILL;
    } else if (result == TIMED_OUT) {
        *error = SMMU_CERROR_ATC_INV_SYNC;
    }
    return result != LEAVE_TO_QEMU;
}
