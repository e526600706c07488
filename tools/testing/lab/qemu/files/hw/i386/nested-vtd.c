// SPDX-License-Identifier: GPL-2.0
/*
 * The entry points of the nesting VT-d: requests of functions, the properties,
 * and the registers.
 *
 * Invariants:
 *  - A request has at most one fault, which is reported unless an entry on its
 *    way disables that, and once.
 *  - Only scalable mode is ours: in legacy mode intel_iommu.c translates.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/i386/x86-iommu.h"
#include "hw/pci/pci_bus.h"
#include "nested-vtd-internal.h"

#define ECAP_NEST       BIT_ULL(26)
#define ECAP_PRS        BIT_ULL(29)
#define ECAP_ERS        BIT_ULL(30)
#define ECAP_PSS(bits)  ((uint64_t)((bits) - 1) << 35)
#define ECAP_PDS        BIT_ULL(42)
#define ECAP_SMPWC      BIT_ULL(48)

static bool has_model(IntelIOMMUState *s)
{
    return s->nested.tlb;
}

static bool in_charge(IntelIOMMUState *s)
{
    return has_model(s) && s->dmar_enabled && s->root_scalable;
}

/* --- Faults -------------------------------------------------------------------------- */

/* Faults on the way to the entry that could disable them are not disabled. */
static bool is_qualified(NestedVtdFault fault)
{
    return fault > VTD_CONTEXT_ACCESS;
}

void nested_vtd_report(const NestedVtdRequest *r, NestedVtdFault fault)
{
    const NestedAccess *access = r->access;
    uint64_t hi = r->sid | (uint64_t)fault << 32;

    if (r->fault_disabled && is_qualified(fault)) {
        return;
    }
    if (access->pasid_valid) {
        hi |= (uint64_t)access->pasid << 40 | BIT_ULL(31) |
              (uint64_t)access->execute << 30 | (uint64_t)access->privileged << 29;
    }
    if (!access->write) {
        hi |= BIT_ULL(62);                      /* T1: a read */
    } else if (access->read) {
        hi |= BIT_ULL(62) | BIT_ULL(28);        /* T1 and T2: an atomic operation */
    }
    if (r->translation) {
        hi |= 1ULL << 60;                       /* AT: a translation request */
    }
    nested_vtd_record(r->s, hi, access->address & VTD_PAGE_MASK_4K);
}

/*
 * What a function can have mended by a page request: translation requests
 * (7.1.2) are told "no access" then, and nothing is recorded.
 */
static bool is_recoverable(NestedVtdFault fault)
{
    switch (fault) {
    case VTD_FS_ABSENT:
    case VTD_FS_ROOT_READ:
    case VTD_FS_TABLE_READ:
    case VTD_FS_TABLE_WRITE:
    case VTD_SS_RIGHTS:
    case VTD_FS_USER:
    case VTD_FS_EXECUTE:
    case VTD_FS_WRITE:
        return true;
    default:
        return false;
    }
}

/* --- Requests of functions that know PASIDs -------------------------------------------- */

static NestedVtdFault find_page(NestedVtdRequest *r, NestedVtdPage *page)
{
    return nested_vtd_find_entry(r) ?: nested_vtd_walk(r, page);
}

static void set_translation(const NestedVtdRequest *r, const NestedVtdPage *page,
                            NestedTranslation *out)
{
    uint64_t offset = r->access->address & page->mask;

    *out = (NestedTranslation) {
        .address = page->address | offset,
        .length = page->mask - offset + 1,
        .page_mask = page->mask,
        .read = page->read,
        .write = page->write && page->dirty,
        .execute = page->execute && r->access->execute,
        .privileged = r->privileged,
    };
}

/* Without scalable mode there is no PASID, and QEMU's own model translates. */
static NestedStatus translate_legacy(IntelIOMMUState *s, PCIDevice *dev,
                                     const NestedAccess *access, NestedTranslation *out)
{
    NestedVtdRequest r = { .s = s, .sid = pci_requester_id(dev), .access = access };
    uint64_t mask = ~VTD_PAGE_MASK_4K;
    IOMMUTLBEntry entry = {
        .translated_addr = access->address & ~mask, .addr_mask = mask, .perm = IOMMU_RW,
    };

    if (access->pasid_valid) {
        if (s->dmar_enabled) {
            nested_vtd_report(&r, VTD_NO_PASID_IN_LEGACY);
        }
        return NESTED_ABORTED;
    }
    if (s->dmar_enabled &&
        !nested_vtd_legacy(s, pci_get_bus(dev), dev->devfn, access->address,
                           access->write, &entry)) {
        return NESTED_ABORTED;
    }
    *out = (NestedTranslation) {
        .address = entry.translated_addr | (access->address & entry.addr_mask),
        .length = entry.addr_mask - (access->address & entry.addr_mask) + 1,
        .page_mask = entry.addr_mask,
        .read = entry.perm & IOMMU_RO,
        .write = entry.perm & IOMMU_WO,
    };
    return NESTED_OK;
}

static bool is_interrupt(const NestedAccess *access)
{
    return !access->pasid_valid && access->address >= VTD_INTERRUPT_ADDR_FIRST &&
           access->address <= VTD_INTERRUPT_ADDR_LAST;
}

static NestedStatus translate(void *opaque, PCIDevice *dev, const NestedAccess *access,
                              void *token, NestedTranslation *out)
{
    IntelIOMMUState *s = opaque;
    NestedVtdRequest r = { .s = s, .sid = pci_requester_id(dev), .access = access };
    NestedVtdPage page;
    NestedVtdFault fault;

    if (is_interrupt(access)) {
        return NESTED_ABORTED;
    }
    if (!in_charge(s)) {
        return translate_legacy(s, dev, access, out);
    }
    fault = find_page(&r, &page);
    if (fault) {
        nested_vtd_report(&r, fault);
        return NESTED_ABORTED;
    }
    set_translation(&r, &page, out);
    return NESTED_OK;
}

/* No access ever waits here. */
static void forget(void *opaque, PCIDevice *dev, void *token)
{
}

/* A translated address (4.2.4) needs a context entry that permits it. */
static bool translated_access(void *opaque, PCIDevice *dev, const NestedAccess *access)
{
    IntelIOMMUState *s = opaque;
    NestedVtdRequest r = { .s = s, .sid = pci_requester_id(dev), .access = access };
    NestedVtdFault fault;

    if (!in_charge(s)) {
        return false;
    }
    fault = nested_vtd_find_context(&r);
    if (!fault && !(r.context.word[0] & VTD_CONTEXT_DTE)) {
        fault = VTD_CONTEXT_NO_DTE;
    }
    if (fault) {
        nested_vtd_report(&r, fault);
    }
    return !fault;
}

/* What cannot be mended: the tables forbid it, or they are broken. */
static NestedAtsStatus refuse(const NestedVtdRequest *r, NestedVtdFault fault)
{
    nested_vtd_report(r, fault);
    return fault < VTD_DIRECTORY_ACCESS ? NESTED_ATS_UR : NESTED_ATS_CA;
}

static NestedAtsStatus ats_request(void *opaque, PCIDevice *dev, const NestedAccess *access,
                                   NestedTranslation *out)
{
    IntelIOMMUState *s = opaque;
    NestedAccess wanted = *access;
    NestedVtdRequest r = {
        .s = s, .sid = pci_requester_id(dev), .access = &wanted, .translation = true,
    };
    NestedVtdPage page;
    NestedVtdFault fault;

    if (!in_charge(s) || is_interrupt(access)) {
        return NESTED_ATS_UR;
    }
    fault = find_page(&r, &page);
    if (is_recoverable(fault) && wanted.write && wanted.read) {
        wanted.write = false;
        fault = find_page(&r, &page);
    }
    if (is_recoverable(fault)) {
        *out = (NestedTranslation) { .length = 1, .page_mask = ~VTD_PAGE_MASK_4K };
        return NESTED_ATS_SUCCESS;
    }
    if (fault) {
        return refuse(&r, fault);
    }
    set_translation(&r, &page, out);
    out->write &= wanted.write;
    return NESTED_ATS_SUCCESS;
}

static void page_request(void *opaque, PCIDevice *dev, const NestedPageRequest *request)
{
    nested_vtd_page_request(opaque, dev, request);
}

static const NestedIommuOps iommu_ops = {
    .translate = translate,
    .forget = forget,
    .translated_access = translated_access,
    .ats_request = ats_request,
    .page_request = page_request,
};

/* --- Accesses of all other functions ------------------------------------------------------ */

bool nested_vtd_access(VTDAddressSpace *as, hwaddr address, IOMMUAccessFlags flags,
                       IOMMUTLBEntry *entry)
{
    NestedAccess access = {
        .address = address, .read = flags & IOMMU_RO, .write = flags & IOMMU_WO,
    };
    NestedVtdRequest r = {
        .s = as->iommu_state, .access = &access,
        .sid = PCI_BUILD_BDF(pci_bus_num(as->bus), as->devfn),
    };
    NestedVtdPage page;
    NestedVtdFault fault;

    if (!in_charge(as->iommu_state)) {
        return false;
    }
    fault = find_page(&r, &page);
    if (fault) {
        nested_vtd_report(&r, fault);
        return true;
    }
    entry->iova = address & ~page.mask;
    entry->translated_addr = page.address;
    entry->addr_mask = page.mask;
    entry->perm = IOMMU_ACCESS_FLAG(page.read, page.write && page.dirty);
    return true;
}

/* Pass-through is a property of a PASID table entry, which the cache may hold. */
void nested_vtd_bypass(VTDAddressSpace *as, bool *use_iommu, bool *bypass)
{
    if (in_charge(as->iommu_state)) {
        *use_iommu = true;
        *bypass = false;
    }
}

/* --- Properties and registers ------------------------------------------------------------- */

bool nested_vtd_prepare(IntelIOMMUState *s, Error **errp)
{
    NestedVtd *v = &s->nested;

    if (!v->nest && !v->prs && !v->pasid_bits) {
        return true;
    }
    if (!s->scalable_mode) {
        error_setg(errp, "nest, prs and pasid-bits need x-scalable-mode=on");
    } else if (s->caching_mode || s->snoop_control) {
        error_setg(errp, "nest, prs and pasid-bits know neither caching-mode nor snoop-control");
    } else if (v->pasid_bits > 20) {
        error_setg(errp, "pasid-bits is at most 20");
    } else if (v->prs && !X86_IOMMU_DEVICE(s)->dt_supported) {
        error_setg(errp, "prs needs device-iotlb=on");
    } else {
        nested_vtd_caches_init(v);
        return true;
    }
    return false;
}

void nested_vtd_realize(IntelIOMMUState *s, PCIBus *root)
{
    if (has_model(s)) {
        s->nested.root = root;
        nested_iommu_register(root, &iommu_ops, s);
    }
}

void nested_vtd_capabilities(IntelIOMMUState *s)
{
    NestedVtd *v = &s->nested;

    if (!has_model(s)) {
        return;
    }
    s->ecap |= VTD_ECAP_SRS | ECAP_ERS | ECAP_SMPWC;
    if (v->nest) {
        s->ecap |= ECAP_NEST | VTD_ECAP_FLTS | VTD_ECAP_SLTS;
        if (s->fs1gp) {
            s->cap |= VTD_CAP_FS1GP;
        }
    }
    if (v->pasid_bits) {
        s->ecap |= VTD_ECAP_PASID | ECAP_PSS(v->pasid_bits);
    }
    if (v->prs) {
        s->ecap |= ECAP_PRS | ECAP_PDS;
    }
}

/* A register in scalable mode must not be used to invalidate (6.5.1). */
static void check_register_invalidation(IntelIOMMUState *s, hwaddr offset, uint64_t value,
                                        unsigned size)
{
    bool starts = size == 8 ? value >> 63 : value >> 31;

    if (s->root_scalable && starts &&
        (offset == DMAR_CCMD_REG + 8 - size || offset == DMAR_IOTLB_REG + 8 - size)) {
        nested_violation("invalidation by register %03x in scalable mode", (unsigned)offset);
    }
}

bool nested_vtd_write(IntelIOMMUState *s, hwaddr offset, uint64_t value, unsigned size)
{
    if (!has_model(s)) {
        return false;
    }
    check_register_invalidation(s, offset, value, size);
    return s->nested.prs && nested_vtd_queue_write(s, offset, value, size);
}
