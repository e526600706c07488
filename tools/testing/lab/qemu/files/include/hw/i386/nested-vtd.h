/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VT-d as it is when it can nest: what QEMU's own model lacks in scalable mode.
 *
 * With one of the properties below set, all translation in scalable mode is
 * done by nested-vtd*.c, for every function: first stage, second stage, both
 * nested, and pass-through, per PASID, with caches that hold what they hold
 * until software invalidates it.  Legacy mode, interrupt remapping, the
 * registers and the queue itself stay with intel_iommu.c, which calls the
 * functions below from a few places (anchors/vtd.toml).
 *
 * Section numbers refer to the VT-d specification, revision 4.1.
 *
 * Everything here runs with the BQL held.
 */
#ifndef HW_I386_NESTED_VTD_H
#define HW_I386_NESTED_VTD_H

#include "exec/hwaddr.h"
#include "qemu/typedefs.h"
#include "hw/misc/nested-iommu.h"

struct IntelIOMMUState;
struct VTDAddressSpace;

typedef struct NestedVtd {
    /* Properties */
    bool nest;                  /* ECAP.NEST, with first and second stage */
    uint8_t pasid_bits;         /* ECAP.PASID and PSS; 0: requests have no PASIDs */
    bool prs;                   /* ECAP.PRS: page requests, and PDS */

    PCIBus *root;
    GHashTable *contexts;       /* context cache: NestedVtdContext by source id */
    GHashTable *pasids;         /* PASID cache: NestedVtdPasid by source id and PASID */
    GHashTable *tlb;            /* IOTLB and paging-structure cache: NestedVtdTlb */
    GHashTable *groups;         /* page request groups that wait for a response */
    bool timed_out;             /* a device-TLB invalidation has had no answer ... */
    uint16_t timed_out_sid;     /* ... from this function */
} NestedVtd;

#define NESTED_VTD_PROPERTIES \
    DEFINE_PROP_BOOL("nest", IntelIOMMUState, nested.nest, false), \
    DEFINE_PROP_UINT8("pasid-bits", IntelIOMMUState, nested.pasid_bits, 0), \
    DEFINE_PROP_BOOL("prs", IntelIOMMUState, nested.prs, false)

/* Of a queued invalidation descriptor */
typedef enum NestedVtdVerdict {
    NESTED_VTD_NOT_OURS,
    NESTED_VTD_DONE,
    NESTED_VTD_INVALID,         /* raises IQE */
} NestedVtdVerdict;

/* --- What intel_iommu.c calls ------------------------------------------------ */

/* Realize: checks the properties and makes the caches; false with an error. */
bool nested_vtd_prepare(struct IntelIOMMUState *s, Error **errp);
/* Realize: stands in front of all functions below @root. */
void nested_vtd_realize(struct IntelIOMMUState *s, PCIBus *root);
/* Adds to the capability registers' values. */
void nested_vtd_capabilities(struct IntelIOMMUState *s);
/* Adds to the registers, and forgets all state. */
void nested_vtd_reset(struct IntelIOMMUState *s);
/* Does a function with pass-through bypass the model?  Not with ours. */
void nested_vtd_bypass(struct VTDAddressSpace *as, bool *use_iommu, bool *bypass);
/* An access of a function that knows nothing of PASIDs; false: not ours. */
bool nested_vtd_access(struct VTDAddressSpace *as, hwaddr address,
                       IOMMUAccessFlags flags, IOMMUTLBEntry *entry);
/* A register write; true: dealt with. */
bool nested_vtd_write(struct IntelIOMMUState *s, hwaddr offset, uint64_t value,
                      unsigned size);
/* A descriptor of the invalidation queue, before intel_iommu.c looks at it. */
NestedVtdVerdict nested_vtd_descriptor(struct IntelIOMMUState *s, uint64_t *descriptor,
                                       uint8_t type);
/* One that intel_iommu.c has accepted. */
void nested_vtd_accepted(struct IntelIOMMUState *s, const uint64_t *descriptor,
                         uint8_t type);
/* Has the invalidation queue stopped because of a time-out? */
bool nested_vtd_stopped(struct IntelIOMMUState *s);
/* Error bits of the fault status register may have been cleared. */
void nested_vtd_status_written(struct IntelIOMMUState *s);

#endif
