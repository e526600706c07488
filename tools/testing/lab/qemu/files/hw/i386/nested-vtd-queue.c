// SPDX-License-Identifier: GPL-2.0
/*
 * The queues of the nesting VT-d: invalidation descriptors (6.5.2) that
 * QEMU's model does not know or does not act on, page requests (7.4) and page
 * group responses (7.7).
 *
 * Invariants:
 *  - A descriptor has an effect only if all of its bits are valid.
 *  - When the tail of the page request queue moves, the descriptor is in memory.
 *  - After an overflow the queue takes nothing until software clears PRO, and
 *    every group whose last request came meanwhile is answered by the hardware.
 *  - A page group response goes to the function once for each group that the
 *    queue took.  One without a group is a violation, and goes nowhere.
 */
#include "qemu/osdep.h"
#include "nested-vtd-internal.h"
#include "system/dma.h"

#define FSTS_ITE            BIT(6)
#define IQER_REG            0xb0
#define PRS_PPR             BIT(0)
#define PRS_PRO             BIT(1)
#define PECTL_IM            BIT(31)
#define PECTL_IP            BIT(30)
#define PQ_ENTRY            32
#define WAIT_DRAIN          BIT_ULL(7)
#define DESCRIPTOR_RESPONSE 9

/* --- Page requests -------------------------------------------------------------------- */

static gpointer group_key(uint16_t sid, bool pasid_valid, uint32_t pasid, uint16_t group)
{
    return (gpointer)((uintptr_t)sid << 30 | (uintptr_t)pasid_valid << 29 |
                      (uintptr_t)(pasid_valid ? pasid : 0) << 9 | group);
}

/* Page request events (7.8) */
static void raise_event(IntelIOMMUState *s)
{
    uint32_t control = nested_vtd_get_long(s, DMAR_PECTL_REG);

    if (control & PECTL_IM) {
        nested_vtd_set_long(s, DMAR_PECTL_REG, control | PECTL_IP);
    } else {
        nested_vtd_send(s, DMAR_PEADDR_REG, DMAR_PEDATA_REG);
    }
}

/* An event is raised when the first status bit comes up. */
static void set_status(IntelIOMMUState *s, uint32_t bit)
{
    uint32_t status = nested_vtd_get_long(s, DMAR_PRS_REG);

    nested_vtd_set_long(s, DMAR_PRS_REG, status | bit);
    if (!(status & bit)) {
        raise_event(s);
    }
}

static uint64_t queue_mask(IntelIOMMUState *s)
{
    return (VTD_PAGE_SIZE << extract64(nested_vtd_get_quad(s, DMAR_PQA_REG), 0, 3)) - 1;
}

/* Writes the request where the tail is (7.4.1); false: there is no room. */
static bool enqueue(IntelIOMMUState *s, uint16_t sid, const NestedPageRequest *request)
{
    uint64_t base = nested_vtd_get_quad(s, DMAR_PQA_REG) & VTD_PAGE_MASK_4K;
    uint64_t mask = queue_mask(s);
    uint64_t tail = nested_vtd_get_quad(s, DMAR_PQT_REG) & mask;
    uint64_t next = (tail + PQ_ENTRY) & mask;
    uint64_t words[4] = {
        cpu_to_le64(1 | (uint64_t)request->pasid_valid << 8 | (uint64_t)sid << 16 |
                    (uint64_t)(request->pasid_valid ? request->pasid : 0) << 32 |
                    (uint64_t)request->execute << 52 | (uint64_t)request->privileged << 53),
        cpu_to_le64((request->address & VTD_PAGE_MASK_4K) | request->read |
                    request->write << 1 | request->last << 2 | request->group << 3),
    };

    if (next == (nested_vtd_get_quad(s, DMAR_PQH_REG) & mask)) {
        return false;
    }
    dma_memory_write(&address_space_memory, base + tail, words, sizeof(words),
                     MEMTXATTRS_UNSPECIFIED);
    nested_vtd_set_quad(s, DMAR_PQT_REG, next);
    return true;
}

static void answer(IntelIOMMUState *s, uint16_t sid, bool pasid_valid, uint32_t pasid,
                   uint16_t group, NestedPageResponse response)
{
    const NestedDeviceOps *ops;
    PCIDevice *dev = nested_device_find(s->nested.root, sid, &ops);

    if (dev) {
        ops->page_response(dev, pasid_valid, pasid, group, response);
    }
}

static bool is_stop_marker(const NestedPageRequest *request)
{
    return request->last && !request->read && !request->write;
}

static void answer_request(IntelIOMMUState *s, uint16_t sid,
                           const NestedPageRequest *request, NestedPageResponse response)
{
    if (request->last && !is_stop_marker(request)) {
        answer(s, sid, request->pasid_valid, request->pasid, request->group, response);
    }
}

/* May this function make this request? */
static NestedVtdFault check_request(NestedVtdRequest *r)
{
    uint64_t limit;
    NestedVtdFault fault;

    if (!r->s->root_scalable) {
        return VTD_NO_REQUEST_IN_LEGACY;
    }
    fault = nested_vtd_find_context(r);
    if (fault) {
        return fault;
    }
    if (!(r->context.word[0] & VTD_CONTEXT_PRE)) {
        return VTD_CONTEXT_NO_PRE;
    }
    limit = 64ULL << (VTD_CONTEXT_PDTS(r->context.word[0]) + 7);
    if (r->access->pasid_valid && !(r->context.word[0] & VTD_CONTEXT_PASIDE)) {
        return VTD_CONTEXT_NO_PASIDE;
    }
    return r->access->pasid_valid && r->access->pasid >= limit ?
           VTD_CONTEXT_PASID_LIMIT : VTD_OK;
}

void nested_vtd_page_request(IntelIOMMUState *s, PCIDevice *dev,
                             const NestedPageRequest *request)
{
    NestedAccess access = {
        .address = request->address, .pasid = request->pasid,
        .pasid_valid = request->pasid_valid, .privileged = request->privileged,
        .execute = request->execute, .read = request->read, .write = request->write,
    };
    NestedVtdRequest r = { .s = s, .sid = pci_requester_id(dev), .access = &access };
    NestedVtdFault fault;

    if (!s->nested.prs || !s->dmar_enabled) {
        answer_request(s, r.sid, request, NESTED_PRG_FAILURE);
        return;
    }
    fault = check_request(&r);
    if (fault) {
        nested_vtd_report(&r, fault);
        answer_request(s, r.sid, request, NESTED_PRG_FAILURE);
        return;
    }
    if (nested_vtd_get_long(s, DMAR_PRS_REG) & PRS_PRO) {
        answer_request(s, r.sid, request, NESTED_PRG_SUCCESS);
        return;
    }
    if (!enqueue(s, r.sid, request)) {
        set_status(s, PRS_PRO);
        answer_request(s, r.sid, request, NESTED_PRG_SUCCESS);
        return;
    }
    if (request->last && !is_stop_marker(request)) {
        gpointer key = group_key(r.sid, request->pasid_valid, request->pasid, request->group);
        gpointer count = g_hash_table_lookup(s->nested.groups, key);

        g_hash_table_insert(s->nested.groups, key, GUINT_TO_POINTER(GPOINTER_TO_UINT(count) + 1));
    }
    set_status(s, PRS_PPR);
}

/* Does a group wait for this response?  It does so no more. */
static bool take_group(IntelIOMMUState *s, gpointer key)
{
    unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(s->nested.groups, key));

    if (count > 1) {
        g_hash_table_insert(s->nested.groups, key, GUINT_TO_POINTER(count - 1));
    } else if (count == 1) {
        g_hash_table_remove(s->nested.groups, key);
    }
    return count;
}

static void write_status(IntelIOMMUState *s, uint32_t value)
{
    uint32_t status = nested_vtd_get_long(s, DMAR_PRS_REG);
    uint32_t control = nested_vtd_get_long(s, DMAR_PECTL_REG);
    bool pending = nested_vtd_get_quad(s, DMAR_PQH_REG) != nested_vtd_get_quad(s, DMAR_PQT_REG);

    if (value & status & PRS_PRO && pending) {
        nested_violation("PRO cleared while page requests wait in the queue");
    }
    status &= ~(value & (PRS_PPR | PRS_PRO));
    nested_vtd_set_long(s, DMAR_PRS_REG, status);
    if (!status) {
        nested_vtd_set_long(s, DMAR_PECTL_REG, control & ~PECTL_IP);
    }
}

static void write_control(IntelIOMMUState *s, uint32_t value)
{
    uint32_t pending = nested_vtd_get_long(s, DMAR_PECTL_REG) & PECTL_IP;

    if (pending && !(value & PECTL_IM)) {
        nested_vtd_send(s, DMAR_PEADDR_REG, DMAR_PEDATA_REG);
        pending = 0;
    }
    nested_vtd_set_long(s, DMAR_PECTL_REG, (value & PECTL_IM) | pending);
}

/* The registers that need more than being stored; true: dealt with */
bool nested_vtd_queue_write(IntelIOMMUState *s, hwaddr offset, uint64_t value, unsigned size)
{
    switch (offset) {
    case DMAR_PRS_REG:
        write_status(s, value);
        return true;
    case DMAR_PECTL_REG:
        write_control(s, value);
        return true;
    default:
        return false;
    }
}

/* --- Invalidation descriptors ----------------------------------------------------------- */

/*
 * The range that a device-TLB invalidation names (6.5.2.5): with the size bit,
 * the lowest clear bit of the address, from bit 12 on, says how much.
 */
static void set_range(NestedInvalidation *what, uint64_t address, bool size)
{
    unsigned shift = size ? 13 + cto64(address >> 12) : 12;

    what->mask = shift >= 64 ? ~0ULL : MAKE_64BIT_MASK(0, shift);
    what->address = address & ~what->mask;
}

/* A function that is not there or never answers makes the invalidation time out. */
static NestedVtdVerdict invalidate_function(IntelIOMMUState *s, uint16_t sid,
                                            const NestedInvalidation *what)
{
    const NestedDeviceOps *ops;
    PCIDevice *dev = nested_device_find(s->nested.root, sid, &ops);

    if (dev ? ops->invalidate(dev, what) :
              !!pci_find_device(s->nested.root, sid >> 8, sid & 0xff)) {
        return dev ? NESTED_VTD_DONE : NESTED_VTD_NOT_OURS;
    }
    s->nested.timed_out = true;
    s->nested.timed_out_sid = sid;
    return NESTED_VTD_DONE;
}

static NestedVtdVerdict device_tlb(IntelIOMMUState *s, const uint64_t *d)
{
    NestedInvalidation what = { };

    set_range(&what, d[1] & VTD_PAGE_MASK_4K, d[1] & 1);
    return invalidate_function(s, extract64(d[0], 32, 16), &what);
}

static NestedVtdVerdict device_tlb_of_pasid(IntelIOMMUState *s, const uint64_t *d)
{
    NestedInvalidation what = {
        .pasid_valid = true,
        .pasid = extract64(d[0], 32, 20),
        .global = d[1] & 1,
    };

    set_range(&what, d[1] & VTD_PAGE_MASK_4K, extract64(d[1], 11, 1));
    return invalidate_function(s, extract64(d[0], 16, 16), &what);
}

static NestedVtdVerdict pasid_cache(IntelIOMMUState *s, const uint64_t *d)
{
    unsigned granularity = extract64(d[0], 4, 2);

    if (granularity == 2) {
        return NESTED_VTD_INVALID;
    }
    nested_vtd_flush_pasids(&s->nested, granularity == 3, extract64(d[0], 16, 16),
                            granularity == 1, extract64(d[0], 32, 20));
    return NESTED_VTD_DONE;
}

static NestedVtdVerdict group_response(IntelIOMMUState *s, const uint64_t *d)
{
    bool pasid_valid = extract64(d[0], 4, 1);
    unsigned code = extract64(d[0], 12, 4);
    uint16_t sid = extract64(d[0], 16, 16);
    uint32_t pasid = extract64(d[0], 32, 20);
    uint16_t group = extract64(d[1], 3, 9);

    if (code != NESTED_PRG_SUCCESS && code != NESTED_PRG_INVALID &&
        code != NESTED_PRG_FAILURE) {
        nested_violation("page group response with the reserved code %u", code);
    } else if (!take_group(s, group_key(sid, pasid_valid, pasid, group))) {
        nested_violation("page group response for a group that does not wait: "
                         "function %04x, PASID %" PRId32 ", group %u",
                         sid, pasid_valid ? pasid : -1, group);
    } else {
        answer(s, sid, pasid_valid, pasid, group, code);
    }
    return NESTED_VTD_DONE;
}

static bool is_pure_fence(uint64_t word)
{
    return word & VTD_INV_DESC_WAIT_FN &&
           !(word & (VTD_INV_DESC_WAIT_SW | VTD_INV_DESC_WAIT_IF | VTD_INV_DESC_WAIT_RSVD_LO));
}

/*
 * A wait descriptor comes after what it waits for.  Nothing is ever on its way
 * here, so there is nothing to drain, and one that only fences has no effect;
 * but if an invalidation has timed out, the wait is aborted: its status is not
 * written.
 */
static NestedVtdVerdict wait_reached(IntelIOMMUState *s, uint64_t *d)
{
    uint32_t status = nested_vtd_get_long(s, DMAR_FSTS_REG);

    if (s->nested.prs) {
        d[0] &= ~WAIT_DRAIN;
    }
    if (!s->nested.timed_out) {
        return is_pure_fence(d[0]) ? NESTED_VTD_DONE : NESTED_VTD_NOT_OURS;
    }
    s->nested.timed_out = false;
    nested_vtd_set_quad(s, IQER_REG, (uint64_t)s->nested.timed_out_sid << 32);
    nested_vtd_set_long(s, DMAR_FSTS_REG, status | FSTS_ITE);
    nested_vtd_fault_event(s, status);
    return NESTED_VTD_DONE;
}

typedef struct Descriptor {
    NestedVtdVerdict (*handle)(IntelIOMMUState *s, const uint64_t *d);
    uint64_t reserved[2];       /* the other two words are reserved */
    uint64_t needs;             /* in ECAP */
    bool wide;                  /* only in a queue of 256-bit descriptors */
} Descriptor;

#define ECAP_PRS BIT_ULL(29)

static const Descriptor descriptors[] = {
    [VTD_INV_DESC_DEVICE] = {
        device_tlb, { 0xffff0000ffe0f1f0, 0xffe }, VTD_ECAP_DT,
    },
    [VTD_INV_DESC_PC] = {
        pasid_cache, { 0xfff000000000f1c0, ~0ULL }, VTD_ECAP_SMTS, true,
    },
    [VTD_INV_DESC_DEV_PIOTLB] = {
        device_tlb_of_pasid, { 0xfff000000000f000, 0x7fe }, VTD_ECAP_DT | VTD_ECAP_PASID, true,
    },
    [DESCRIPTOR_RESPONSE] = {
        group_response, { 0xfff00000000001e0, 0xfffffffffffff003 }, ECAP_PRS, true,
    },
};

static bool is_valid(IntelIOMMUState *s, const Descriptor *descriptor, const uint64_t *d)
{
    return (s->ecap & descriptor->needs) == descriptor->needs &&
           (s->iq_dw || !descriptor->wide) &&
           !(d[0] & descriptor->reserved[0]) && !(d[1] & descriptor->reserved[1]) &&
           !(s->iq_dw && (d[2] || d[3]));
}

NestedVtdVerdict nested_vtd_descriptor(IntelIOMMUState *s, uint64_t *d, uint8_t type)
{
    const Descriptor *descriptor;

    if (!s->nested.tlb) {
        return NESTED_VTD_NOT_OURS;
    }
    if (type == VTD_INV_DESC_WAIT) {
        return wait_reached(s, d);
    }
    if (type >= ARRAY_SIZE(descriptors) || !descriptors[type].handle) {
        return NESTED_VTD_NOT_OURS;
    }
    descriptor = &descriptors[type];
    return is_valid(s, descriptor, d) ? descriptor->handle(s, d) : NESTED_VTD_INVALID;
}

/* Context-cache invalidation (6.5.2.1): in scalable mode no entry has a domain. */
static void context_accepted(NestedVtd *v, const uint64_t *d)
{
    static const uint16_t masks[] = { 0, 4, 6, 7 };

    if (extract64(d[0], 4, 2) == 3) {
        nested_vtd_flush_function(v, extract64(d[0], 32, 16), masks[extract64(d[0], 48, 2)]);
    } else {
        nested_vtd_flush_contexts(v);
    }
}

static void iotlb_accepted(NestedVtd *v, const uint64_t *d)
{
    uint16_t did = extract64(d[0], 16, 16);

    switch (extract64(d[0], 4, 2)) {
    case 1:
        nested_vtd_flush_all(v);
        break;
    case 2:
        nested_vtd_flush_domain(v, did);
        break;
    default:
        nested_vtd_flush_domain_range(v, did, d[1] & VTD_PAGE_MASK_4K,
                                      MAKE_64BIT_MASK(0, 12 + extract64(d[1], 0, 6)),
                                      extract64(d[1], 6, 1));
        break;
    }
}

static void piotlb_accepted(NestedVtd *v, const uint64_t *d)
{
    uint16_t did = extract64(d[0], 16, 16);
    uint32_t pasid = extract64(d[0], 32, 20);

    if (extract64(d[0], 4, 2) == 2) {
        nested_vtd_flush_pasid(v, did, pasid);
    } else {
        nested_vtd_flush_pasid_range(v, did, pasid, d[1] & VTD_PAGE_MASK_4K,
                                     MAKE_64BIT_MASK(0, 12 + extract64(d[1], 0, 6)),
                                     extract64(d[1], 6, 1));
    }
}

/* intel_iommu.c has found these valid and invalidated its own caches. */
void nested_vtd_accepted(IntelIOMMUState *s, const uint64_t *d, uint8_t type)
{
    static void (*const handlers[])(NestedVtd *, const uint64_t *) = {
        [VTD_INV_DESC_CC] = context_accepted,
        [VTD_INV_DESC_IOTLB] = iotlb_accepted,
        [VTD_INV_DESC_PIOTLB] = piotlb_accepted,
    };

    if (s->nested.tlb && type < ARRAY_SIZE(handlers) && handlers[type]) {
        handlers[type](&s->nested, d);
    }
}

bool nested_vtd_stopped(IntelIOMMUState *s)
{
    return s->nested.tlb && nested_vtd_get_long(s, DMAR_FSTS_REG) & FSTS_ITE;
}
