/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SMMUv3 features that QEMU's model lacks: PASIDs, the stall model, ATS and
 * PRI.  Each is a property of the device; without any of them the SMMU is
 * QEMU's own, untouched.  This is what QEMU's files see of it: one structure in
 * the SMMU's state, and the hooks.
 *
 * All hooks run with the BQL held; smmuv3_nested_command() with the SMMU's mutex
 * as well, the others without.
 */
#ifndef HW_ARM_SMMUV3_NESTED_H
#define HW_ARM_SMMUV3_NESTED_H

#include "exec/memory.h"
#include "hw/qdev-properties.h"

typedef struct SMMUv3State SMMUv3State;
typedef struct SMMUv3Nested SMMUv3Nested;

typedef struct SMMUv3NestedOptions {
    uint8_t ssidsize;       /* bits of SubstreamID, 0 to 20 */
    bool cd2l;              /* two-level tables of Context Descriptors */
    bool stall;             /* faults may stall or terminate */
    bool stall_force;       /* faults always stall (STALL_MODEL=0b10) */
    uint16_t stall_max;     /* stalled transactions at a time */
    bool razwi;             /* terminated transactions may read as zero */
    bool ats;
    bool pri;
    bool fwb;               /* IDR3.FWB: stage 2 can force write-back */
    uint8_t eventqs;        /* log2 of the longest Event queue */
    uint8_t priqs;          /* log2 of the longest PRI queue */
} SMMUv3NestedOptions;

/* Defaults are what QEMU's model does. */
#define SMMUV3_NESTED_PROPERTIES(type, member) \
    DEFINE_PROP_UINT8("ssidsize", type, member.ssidsize, 0), \
    DEFINE_PROP_BOOL("cd2l", type, member.cd2l, false), \
    DEFINE_PROP_BOOL("stall", type, member.stall, false), \
    DEFINE_PROP_BOOL("stall-force", type, member.stall_force, false), \
    DEFINE_PROP_UINT16("stall-max", type, member.stall_max, 32), \
    DEFINE_PROP_BOOL("raz-wi", type, member.razwi, false), \
    DEFINE_PROP_BOOL("ats", type, member.ats, false), \
    DEFINE_PROP_BOOL("pri", type, member.pri, false), \
    DEFINE_PROP_BOOL("fwb", type, member.fwb, false), \
    DEFINE_PROP_UINT8("eventqs", type, member.eventqs, 19), \
    DEFINE_PROP_UINT8("priqs", type, member.priqs, 19)

/* Check the properties; make the state, if any feature is wanted. */
void smmuv3_nested_realize(SMMUv3State *s, Error **errp);

/* After QEMU's own reset of the registers: what the properties change. */
void smmuv3_nested_reset(SMMUv3State *s);

/*
 * A transaction of a device that knows nothing of the above.  Returns false if
 * QEMU's own model shall translate it.
 */
bool smmuv3_nested_translate(SMMUv3State *s, uint32_t sid, IOMMUTLBEntry *entry,
                             IOMMUAccessFlags flag);

/*
 * A command of 16 bytes, before QEMU's own model looks at it.  Returns true if
 * it is dealt with; *@error is a command error or 0.
 */
bool smmuv3_nested_command(SMMUv3State *s, const uint32_t *word, int *error);

/* A register was written (QEMU's model has seen it), or is read. */
void smmuv3_nested_written(SMMUv3State *s, hwaddr offset, uint64_t data, unsigned size);
void smmuv3_nested_read(SMMUv3State *s, hwaddr offset, uint64_t *data, unsigned size);

/* Does the machine's SMMU do ATS?  Then its Root Complex does, too. */
bool smmuv3_nested_ats(void);

/*
 * What QEMU's walker does not keep of a descriptor: SMMU_NESTED_* of a stage 1
 * table or leaf descriptor, and of a stage 2 leaf.  A TLB entry has the union.
 */
#define SMMU_NESTED_PRIV_ONLY   0x01    /* no unprivileged access */
#define SMMU_NESTED_UXN         0x02    /* no unprivileged execution */
#define SMMU_NESTED_PXN         0x04    /* no privileged execution */
#define SMMU_NESTED_S2_UXN      0x08
#define SMMU_NESTED_S2_PXN      0x10

uint8_t smmuv3_nested_table_rights(uint64_t descriptor, bool had);
uint8_t smmuv3_nested_leaf_rights(uint64_t descriptor);
uint8_t smmuv3_nested_s2_rights(uint64_t descriptor);

#endif
