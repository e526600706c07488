// SPDX-License-Identifier: GPL-2.0
/*
 * The caches of the nesting VT-d (chapter 6), and what invalidates them.
 *
 * Invariants:
 *  - Only entries that were present and valid are cached (CAP.CM is 0 for us).
 *  - An entry leaves a cache only because of an invalidation that covers it,
 *    because the cache is full, or on reset: what software forgets to
 *    invalidate stays.
 *  - Invalidating one cache leaves the others alone.
 *  - Translations are tagged as the hardware tags them, not by function.
 */
#include "qemu/osdep.h"
#include "nested-vtd-internal.h"

#define TLB_ENTRIES 4096

typedef struct TlbEntry {
    uint64_t address;           /* of the page, untranslated */
    uint32_t pasid;
    uint16_t did;
    uint8_t kind;
    uint8_t shift;
    NestedVtdPage page;
} TlbEntry;

static const uint8_t page_shifts[] = { 12, 21, 30 };

static guint tlb_hash(gconstpointer pointer)
{
    const TlbEntry *entry = pointer;
    uint64_t hash = entry->address >> entry->shift;

    hash = hash * 31 + entry->pasid;
    hash = hash * 31 + entry->did;
    hash = hash * 31 + entry->shift + entry->kind;
    return hash ^ (hash >> 32);
}

static gboolean tlb_equal(gconstpointer one, gconstpointer other)
{
    const TlbEntry *a = one, *b = other;

    return a->address == b->address && a->pasid == b->pasid && a->did == b->did &&
           a->kind == b->kind && a->shift == b->shift;
}

void nested_vtd_caches_init(NestedVtd *v)
{
    v->contexts = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    v->pasids = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    v->tlb = g_hash_table_new_full(tlb_hash, tlb_equal, g_free, NULL);
    v->groups = g_hash_table_new(NULL, NULL);
}

void nested_vtd_caches_reset(NestedVtd *v)
{
    g_hash_table_remove_all(v->contexts);
    g_hash_table_remove_all(v->pasids);
    g_hash_table_remove_all(v->tlb);
    g_hash_table_remove_all(v->groups);
}

/* --- IOTLB and paging-structure cache ------------------------------------------ */

/* Second-stage entries know no PASID. */
static TlbEntry tlb_key(NestedVtdKind kind, uint16_t did, uint32_t pasid,
                        uint64_t address, uint8_t shift)
{
    return (TlbEntry) {
        .address = address & ~MAKE_64BIT_MASK(0, shift),
        .pasid = kind == VTD_TLB_SECOND ? 0 : pasid,
        .did = did,
        .kind = kind,
        .shift = shift,
    };
}

const NestedVtdPage *nested_vtd_tlb_find(NestedVtd *v, NestedVtdKind kind, uint16_t did,
                                         uint32_t pasid, uint64_t address)
{
    for (int i = 0; i < ARRAY_SIZE(page_shifts); i++) {
        TlbEntry key = tlb_key(kind, did, pasid, address, page_shifts[i]);
        TlbEntry *entry = g_hash_table_lookup(v->tlb, &key);

        if (entry) {
            return &entry->page;
        }
    }
    return NULL;
}

void nested_vtd_tlb_add(NestedVtd *v, NestedVtdKind kind, uint16_t did, uint32_t pasid,
                        uint64_t address, const NestedVtdPage *page)
{
    TlbEntry *entry = g_new(TlbEntry, 1);

    if (g_hash_table_size(v->tlb) >= TLB_ENTRIES) {
        g_hash_table_remove_all(v->tlb);
    }
    *entry = tlb_key(kind, did, pasid, address, ctpop64(page->mask));
    entry->page = *page;
    g_hash_table_add(v->tlb, entry);
}

typedef struct TlbFlush {
    uint64_t address;
    uint64_t mask;
    uint32_t pasid;
    uint16_t did;
    bool leaf_only;
} TlbFlush;

static bool in_range(const TlbEntry *entry, const TlbFlush *flush)
{
    uint64_t common = flush->mask | MAKE_64BIT_MASK(0, entry->shift);

    return (entry->address & ~common) == (flush->address & ~common);
}

void nested_vtd_flush_all(NestedVtd *v)
{
    g_hash_table_remove_all(v->tlb);
}

static gboolean of_domain(gpointer key, gpointer value, gpointer opaque)
{
    const TlbEntry *entry = key;
    const TlbFlush *flush = opaque;

    return entry->did == flush->did;
}

void nested_vtd_flush_domain(NestedVtd *v, uint16_t did)
{
    TlbFlush flush = { .did = did };

    g_hash_table_foreach_remove(v->tlb, of_domain, &flush);
}

/*
 * A page-selective invalidation of a domain (6.5.2.3) is for second-stage
 * addresses: of first-stage and nested translations all of the domain go,
 * because nobody knows which of them went through that page.
 */
static gboolean of_domain_range(gpointer key, gpointer value, gpointer opaque)
{
    const TlbEntry *entry = key;
    const TlbFlush *flush = opaque;

    return entry->did == flush->did &&
           (entry->kind == VTD_TLB_SECOND ? in_range(entry, flush) :
            entry->kind == VTD_TLB_FIRST || !flush->leaf_only);
}

void nested_vtd_flush_domain_range(NestedVtd *v, uint16_t did, uint64_t address,
                                   uint64_t mask, bool leaf_only)
{
    TlbFlush flush = {
        .did = did, .address = address, .mask = mask, .leaf_only = leaf_only,
    };

    g_hash_table_foreach_remove(v->tlb, of_domain_range, &flush);
}

static gboolean of_pasid(gpointer key, gpointer value, gpointer opaque)
{
    const TlbEntry *entry = key;
    const TlbFlush *flush = opaque;

    return entry->kind != VTD_TLB_SECOND && entry->did == flush->did &&
           entry->pasid == flush->pasid;
}

void nested_vtd_flush_pasid(NestedVtd *v, uint16_t did, uint32_t pasid)
{
    TlbFlush flush = { .did = did, .pasid = pasid };

    g_hash_table_foreach_remove(v->tlb, of_pasid, &flush);
}

static gboolean of_pasid_range(gpointer key, gpointer value, gpointer opaque)
{
    const TlbEntry *entry = key;
    const TlbFlush *flush = opaque;

    return of_pasid(key, value, opaque) && in_range(entry, flush) &&
           (entry->kind == VTD_TLB_FIRST || !flush->leaf_only);
}

void nested_vtd_flush_pasid_range(NestedVtd *v, uint16_t did, uint32_t pasid,
                                  uint64_t address, uint64_t mask, bool leaf_only)
{
    TlbFlush flush = {
        .did = did, .pasid = pasid, .address = address, .mask = mask,
        .leaf_only = leaf_only,
    };

    g_hash_table_foreach_remove(v->tlb, of_pasid_range, &flush);
}

/* --- Context cache and PASID cache ------------------------------------------------ */

void nested_vtd_flush_contexts(NestedVtd *v)
{
    g_hash_table_remove_all(v->contexts);
}

typedef struct FunctionFlush {
    uint16_t sid;
    uint16_t mask;
} FunctionFlush;

static gboolean of_function(gpointer key, gpointer value, gpointer opaque)
{
    const FunctionFlush *flush = opaque;

    return !((GPOINTER_TO_UINT(key) ^ flush->sid) & ~flush->mask & 0xffff);
}

/* @mask: the bits of the source id that do not matter */
void nested_vtd_flush_function(NestedVtd *v, uint16_t sid, uint16_t mask)
{
    FunctionFlush flush = { .sid = sid, .mask = mask };

    g_hash_table_foreach_remove(v->contexts, of_function, &flush);
}

typedef struct PasidFlush {
    uint32_t pasid;
    uint16_t did;
    bool all;
    bool one;
} PasidFlush;

static gboolean pasid_matches(gpointer key, gpointer value, gpointer opaque)
{
    const NestedVtdPasid *entry = value;
    const PasidFlush *flush = opaque;

    return flush->all ||
           (VTD_PASID_DID(entry->word[1]) == flush->did &&
            (!flush->one || extract64((uintptr_t)key, 0, 20) == flush->pasid));
}

/* @all of them, or those of domain @did, of which perhaps only @one @pasid */
void nested_vtd_flush_pasids(NestedVtd *v, bool all, uint16_t did, bool one, uint32_t pasid)
{
    PasidFlush flush = { .all = all, .did = did, .one = one, .pasid = pasid };

    g_hash_table_foreach_remove(v->pasids, pasid_matches, &flush);
}
