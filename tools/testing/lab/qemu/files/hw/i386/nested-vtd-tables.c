// SPDX-License-Identifier: GPL-2.0
/*
 * From a request to its PASID table entry: root table, context table, PASID
 * directory, PASID table (3.4.3), through the context and PASID caches.
 *
 * Invariants:
 *  - Each entry is read from memory once for a request.
 *  - What is cached has been checked; what depends on the request is checked
 *    for every request.
 */
#include "qemu/osdep.h"
#include "nested-vtd-internal.h"
#include "system/dma.h"

bool nested_vtd_load(hwaddr address, uint64_t *words, size_t count)
{
    if (dma_memory_read(&address_space_memory, address, words, count * sizeof(*words),
                        MEMTXATTRS_UNSPECIFIED)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        le64_to_cpus(&words[i]);
    }
    return true;
}

/* Address bits that the hardware does not have */
static uint64_t beyond(IntelIOMMUState *s)
{
    return ~VTD_HAW_MASK(s->aw_bits);
}

/* Each half of a bus has a context table of its own. */
static NestedVtdFault load_root(const NestedVtdRequest *r, uint64_t *root)
{
    hwaddr address = r->s->root + (r->sid >> 8) * 16 + (r->sid & 0x80 ? 8 : 0);

    if (!nested_vtd_load(address, root, 1)) {
        return VTD_ROOT_ACCESS;
    }
    if (!(*root & 1)) {
        return VTD_ROOT_ABSENT;
    }
    return *root & (0xffe | beyond(r->s)) ? VTD_ROOT_RESERVED : VTD_OK;
}

static NestedVtdFault check_context(const NestedVtdRequest *r, const uint64_t *words)
{
    uint64_t reserved = MAKE_64BIT_MASK(5, 4) | beyond(r->s);

    if (!(words[0] & VTD_CONTEXT_P)) {
        return VTD_CONTEXT_ABSENT;
    }
    if (!(r->s->ecap & VTD_ECAP_DT)) {
        reserved |= VTD_CONTEXT_DTE;
    }
    if (!r->s->nested.pasid_bits) {
        reserved |= VTD_CONTEXT_PASIDE;
    }
    if (!r->s->nested.prs) {
        reserved |= VTD_CONTEXT_PRE;
    }
    return words[0] & reserved || words[1] >> 21 || words[2] || words[3] ?
           VTD_CONTEXT_RESERVED : VTD_OK;
}

/* Fills r->context. */
NestedVtdFault nested_vtd_find_context(NestedVtdRequest *r)
{
    gpointer key = GUINT_TO_POINTER(r->sid);
    NestedVtdContext *cached = g_hash_table_lookup(r->s->nested.contexts, key);
    uint64_t root, words[4];
    NestedVtdFault fault;

    if (cached) {
        r->context = *cached;
        r->fault_disabled = r->context.word[0] & VTD_CONTEXT_FPD;
        return VTD_OK;
    }
    fault = load_root(r, &root);
    if (fault) {
        return fault;
    }
    if (!nested_vtd_load((root & VTD_PAGE_MASK_4K) + (r->sid & 0x7f) * 32, words, 4)) {
        return VTD_CONTEXT_ACCESS;
    }
    r->fault_disabled = words[0] & VTD_CONTEXT_FPD;
    fault = check_context(r, words);
    if (fault) {
        return fault;
    }
    r->context.word[0] = words[0];
    r->context.word[1] = words[1];
    g_hash_table_replace(r->s->nested.contexts, key,
                         g_memdup2(&r->context, sizeof(r->context)));
    return VTD_OK;
}

/* What a request asks for that the context entry does not permit */
static NestedVtdFault check_request(NestedVtdRequest *r)
{
    bool has_pasid = r->access->pasid_valid;
    uint64_t limit = 64ULL << (VTD_CONTEXT_PDTS(r->context.word[0]) + 7);

    if (r->translation && !(r->context.word[0] & VTD_CONTEXT_DTE)) {
        return VTD_CONTEXT_NO_DTE;
    }
    if (has_pasid && !(r->context.word[0] & VTD_CONTEXT_PASIDE)) {
        return VTD_CONTEXT_NO_PASIDE;
    }
    r->pasid = has_pasid ? r->access->pasid : VTD_CONTEXT_RID_PASID_OF(r->context.word[1]);
    r->privileged = has_pasid ? r->access->privileged :
                    r->context.word[1] & VTD_CONTEXT_RID_PRIV;
    if (r->pasid >= limit) {
        return has_pasid ? VTD_CONTEXT_PASID_LIMIT : VTD_CONTEXT_RID_PASID;
    }
    return VTD_OK;
}

static bool second_stage_possible(IntelIOMMUState *s, uint64_t width)
{
    return (s->ecap & VTD_ECAP_SLTS) && width >= 1 && width <= 3 &&
           extract64(s->cap, VTD_CAP_SAGAW_SHIFT + width, 1);
}

/* First-stage tables of four levels are all there is. */
static bool first_stage_possible(IntelIOMMUState *s, const uint64_t *words)
{
    return (s->ecap & VTD_ECAP_FLTS) && VTD_PASID_FSPM(words[2]) == 0;
}

static bool type_possible(IntelIOMMUState *s, const uint64_t *words)
{
    uint64_t width = VTD_PASID_AW(words[0]);

    switch (VTD_PASID_PGTT(words[0])) {
    case VTD_PGTT_FIRST:
        return first_stage_possible(s, words);
    case VTD_PGTT_SECOND:
        return second_stage_possible(s, width);
    case VTD_PGTT_NESTED:
        return s->nested.nest && first_stage_possible(s, words) &&
               second_stage_possible(s, width);
    case VTD_PGTT_PASS:
        return s->ecap & VTD_ECAP_PT;
    default:
        return false;
    }
}

/* Second-stage dirty tracking (bit 9) and extended access flags are not there. */
static NestedVtdFault check_pasid(IntelIOMMUState *s, const uint64_t *words)
{
    if (!(words[0] & VTD_PASID_P)) {
        return VTD_PASID_ABSENT;
    }
    if (words[0] & (MAKE_64BIT_MASK(9, 3) | beyond(s)) ||
        words[1] & MAKE_64BIT_MASK(16, 7) || words[2] & MAKE_64BIT_MASK(7, 5) ||
        words[3] || words[4] || words[5] || words[6] || words[7]) {
        return VTD_PASID_RESERVED;
    }
    return type_possible(s, words) ? VTD_OK : VTD_PASID_INVALID;
}

static NestedVtdFault load_pasid(NestedVtdRequest *r, uint64_t *words)
{
    uint64_t directory = r->context.word[0] & VTD_PAGE_MASK_4K;
    uint64_t entry;

    if (!nested_vtd_load(directory + (r->pasid >> 6) * 8, &entry, 1)) {
        return VTD_DIRECTORY_ACCESS;
    }
    r->fault_disabled |= entry & VTD_PASID_FPD;
    if (!(entry & 1)) {
        return VTD_DIRECTORY_ABSENT;
    }
    if (entry & (0xffc | beyond(r->s))) {
        return VTD_DIRECTORY_RESERVED;
    }
    if (!nested_vtd_load((entry & VTD_PAGE_MASK_4K) + (r->pasid & 0x3f) * 64, words, 8)) {
        return VTD_PASID_ACCESS;
    }
    r->fault_disabled |= words[0] & VTD_PASID_FPD;
    return check_pasid(r->s, words);
}

static NestedVtdFault find_pasid(NestedVtdRequest *r)
{
    gpointer key = (gpointer)((uintptr_t)r->sid << 20 | r->pasid);
    NestedVtdPasid *cached = g_hash_table_lookup(r->s->nested.pasids, key);
    uint64_t words[8];
    NestedVtdFault fault;

    if (cached) {
        r->entry = *cached;
        r->fault_disabled |= r->entry.word[0] & VTD_PASID_FPD;
        return VTD_OK;
    }
    fault = load_pasid(r, words);
    if (fault) {
        return fault;
    }
    memcpy(r->entry.word, words, sizeof(r->entry.word));
    g_hash_table_replace(r->s->nested.pasids, key, g_memdup2(&r->entry, sizeof(r->entry)));
    return VTD_OK;
}

/* Fills all of @r. */
NestedVtdFault nested_vtd_find_entry(NestedVtdRequest *r)
{
    NestedVtdFault fault = nested_vtd_find_context(r);

    fault = fault ?: check_request(r);
    fault = fault ?: find_pasid(r);
    if (fault) {
        return fault;
    }
    if (r->privileged && !(r->entry.word[2] & VTD_PASID_SRE)) {
        return VTD_PASID_NO_SRE;
    }
    if (r->access->execute && !(r->entry.word[2] & VTD_PASID_ERE)) {
        return VTD_PASID_NO_ERE;
    }
    return VTD_OK;
}
