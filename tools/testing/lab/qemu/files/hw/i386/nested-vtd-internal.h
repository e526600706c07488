/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the nesting VT-d share.
 *
 *   nested-vtd.c         the entry points: functions' requests, properties
 *   nested-vtd-tables.c  finds the PASID table entry of a request
 *   nested-vtd-walk.c    walks the paging structures of both stages
 *   nested-vtd-cache.c   the caches, and what invalidates them
 *   nested-vtd-queue.c   invalidation descriptors, page requests and responses
 *   nested-vtd-intel.c.inc  what needs the insides of intel_iommu.c; it is
 *                        included there
 */
#ifndef HW_I386_NESTED_VTD_INTERNAL_H
#define HW_I386_NESTED_VTD_INTERNAL_H

#include "intel_iommu_internal.h"
#include "hw/misc/nested-iommu.h"

/* Fault reasons (7.1.3); zero is not one of them. */
typedef enum NestedVtdFault {
    VTD_OK = 0,
    VTD_NO_PASID_IN_LEGACY = 0x31,
    VTD_NO_REQUEST_IN_LEGACY = 0x32,
    VTD_ROOT_ACCESS = 0x38,
    VTD_ROOT_ABSENT = 0x39,
    VTD_ROOT_RESERVED = 0x3a,
    VTD_CONTEXT_ACCESS = 0x40,
    VTD_CONTEXT_ABSENT = 0x41,
    VTD_CONTEXT_RESERVED = 0x42,
    VTD_CONTEXT_NO_DTE = 0x44,
    VTD_CONTEXT_NO_PASIDE = 0x45,
    VTD_CONTEXT_PASID_LIMIT = 0x46,
    VTD_CONTEXT_NO_PRE = 0x47,
    VTD_CONTEXT_RID_PASID = 0x48,
    VTD_DIRECTORY_ACCESS = 0x50,
    VTD_DIRECTORY_ABSENT = 0x51,
    VTD_DIRECTORY_RESERVED = 0x52,
    VTD_PASID_ACCESS = 0x58,
    VTD_PASID_ABSENT = 0x59,
    VTD_PASID_RESERVED = 0x5a,
    VTD_PASID_INVALID = 0x5b,
    VTD_PASID_NO_ERE = 0x5c,
    VTD_PASID_NO_SRE = 0x5d,
    VTD_FS_ACCESS = 0x70,
    VTD_FS_ABSENT = 0x71,
    VTD_FS_RESERVED = 0x72,
    VTD_FS_ROOT_ACCESS = 0x73,
    VTD_FS_TABLE_BEYOND = 0x74,
    VTD_FS_ROOT_READ = 0x75,
    VTD_FS_TABLE_READ = 0x76,
    VTD_FS_TABLE_WRITE = 0x77,
    VTD_SS_ACCESS = 0x78,
    VTD_SS_RIGHTS = 0x79,
    VTD_SS_RESERVED = 0x7a,
    VTD_NOT_CANONICAL = 0x80,
    VTD_FS_USER = 0x81,
    VTD_FS_EXECUTE = 0x82,
    VTD_BEYOND_HOST = 0x83,
    VTD_SS_BEYOND = 0x84,
    VTD_FS_WRITE = 0x85,
    VTD_INTERRUPT_RANGE = 0x87,
} NestedVtdFault;

/* Scalable-mode context entry (9.4), the first two of its words */
typedef struct NestedVtdContext {
    uint64_t word[2];
} NestedVtdContext;

#define VTD_CONTEXT_P                   BIT_ULL(0)
#define VTD_CONTEXT_FPD                 BIT_ULL(1)
#define VTD_CONTEXT_DTE                 BIT_ULL(2)
#define VTD_CONTEXT_PASIDE              BIT_ULL(3)
#define VTD_CONTEXT_PRE                 BIT_ULL(4)
#define VTD_CONTEXT_PDTS(word)          extract64(word, 9, 3)
#define VTD_CONTEXT_RID_PASID_OF(word)  extract64(word, 0, 20)
#define VTD_CONTEXT_RID_PRIV            BIT_ULL(20)

/* Scalable-mode PASID table entry (9.6), the first three of its words */
typedef struct NestedVtdPasid {
    uint64_t word[3];
} NestedVtdPasid;

#define VTD_PASID_P                     BIT_ULL(0)
#define VTD_PASID_FPD                   BIT_ULL(1)
#define VTD_PASID_AW(word)              extract64(word, 2, 3)
#define VTD_PASID_PGTT(word)            extract64(word, 6, 3)
#define VTD_PASID_DID(word)             extract64(word, 0, 16)
#define VTD_PASID_SRE                   BIT_ULL(0)
#define VTD_PASID_ERE                   BIT_ULL(1)
#define VTD_PASID_FSPM(word)            extract64(word, 2, 2)
#define VTD_PASID_WPE                   BIT_ULL(4)

enum {
    VTD_PGTT_FIRST = 1,
    VTD_PGTT_SECOND = 2,
    VTD_PGTT_NESTED = 3,
    VTD_PGTT_PASS = 4,
};

/* A request on its way through the tables */
typedef struct NestedVtdRequest {
    IntelIOMMUState *s;
    const NestedAccess *access;
    uint16_t sid;
    bool translation;           /* an ATS translation request */
    /* From here on: what was found out. */
    bool fault_disabled;        /* FPD was set somewhere */
    bool privileged;
    uint32_t pasid;             /* RID_PASID for requests without one */
    NestedVtdContext context;
    NestedVtdPasid entry;
} NestedVtdRequest;

/* A translation of a whole page, as it is cached */
typedef struct NestedVtdPage {
    hwaddr address;             /* of the page (or of the table, for tables) */
    uint64_t mask;              /* its size - 1 */
    bool read;
    bool write;
    bool user;                  /* U/S allows user accesses */
    bool execute;
    bool dirty;                 /* the dirty flag is set in memory */
} NestedVtdPage;

/*
 * What is cached under which tags (6.2): first-stage and nested translations,
 * and first-stage tables, by domain and PASID; second-stage ones by domain.
 */
typedef enum NestedVtdKind {
    VTD_TLB_SECOND,
    VTD_TLB_FIRST,              /* and nested */
    VTD_TLB_TABLE,              /* the last table of the first stage */
} NestedVtdKind;

/* Caches */
void nested_vtd_caches_init(NestedVtd *v);
void nested_vtd_caches_reset(NestedVtd *v);
const NestedVtdPage *nested_vtd_tlb_find(NestedVtd *v, NestedVtdKind kind, uint16_t did,
                                         uint32_t pasid, uint64_t address);
void nested_vtd_tlb_add(NestedVtd *v, NestedVtdKind kind, uint16_t did, uint32_t pasid,
                        uint64_t address, const NestedVtdPage *page);
void nested_vtd_flush_contexts(NestedVtd *v);
void nested_vtd_flush_function(NestedVtd *v, uint16_t sid, uint16_t mask);
void nested_vtd_flush_pasids(NestedVtd *v, bool all, uint16_t did, bool one, uint32_t pasid);
void nested_vtd_flush_all(NestedVtd *v);
void nested_vtd_flush_domain(NestedVtd *v, uint16_t did);
void nested_vtd_flush_domain_range(NestedVtd *v, uint16_t did, uint64_t address,
                                   uint64_t mask, bool leaf_only);
void nested_vtd_flush_pasid(NestedVtd *v, uint16_t did, uint32_t pasid);
void nested_vtd_flush_pasid_range(NestedVtd *v, uint16_t did, uint32_t pasid,
                                  uint64_t address, uint64_t mask, bool leaf_only);

/* Tables */
bool nested_vtd_load(hwaddr address, uint64_t *words, size_t count);
NestedVtdFault nested_vtd_find_context(NestedVtdRequest *r);
NestedVtdFault nested_vtd_find_entry(NestedVtdRequest *r);

/* Paging structures; @r has its PASID table entry. */
NestedVtdFault nested_vtd_walk(NestedVtdRequest *r, NestedVtdPage *page);

/* Queues */
void nested_vtd_page_request(IntelIOMMUState *s, PCIDevice *dev,
                             const NestedPageRequest *request);
bool nested_vtd_queue_write(IntelIOMMUState *s, hwaddr offset, uint64_t value,
                            unsigned size);

/* The insides of intel_iommu.c */
void nested_vtd_record(IntelIOMMUState *s, uint64_t hi, uint64_t lo);
void nested_vtd_fault_event(IntelIOMMUState *s, uint32_t status);
void nested_vtd_send(IntelIOMMUState *s, hwaddr address_register, hwaddr data_register);
bool nested_vtd_legacy(IntelIOMMUState *s, PCIBus *bus, int devfn, uint64_t address,
                       bool write, IOMMUTLBEntry *entry);

/* Says that a request of @r was refused because of @fault, unless FPD is set. */
void nested_vtd_report(const NestedVtdRequest *r, NestedVtdFault fault);

static inline uint32_t nested_vtd_get_long(IntelIOMMUState *s, hwaddr offset)
{
    return ldl_le_p(&s->csr[offset]);
}

static inline void nested_vtd_set_long(IntelIOMMUState *s, hwaddr offset, uint32_t value)
{
    stl_le_p(&s->csr[offset], value);
}

static inline uint64_t nested_vtd_get_quad(IntelIOMMUState *s, hwaddr offset)
{
    return ldq_le_p(&s->csr[offset]);
}

static inline void nested_vtd_set_quad(IntelIOMMUState *s, hwaddr offset, uint64_t value)
{
    stq_le_p(&s->csr[offset], value);
}

#endif
