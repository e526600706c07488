// SPDX-License-Identifier: GPL-2.0
/*
 * The paging structures of VT-d in scalable mode (3.6, 3.7, 3.8): first stage,
 * second stage, and the first on top of the second.
 *
 * Invariants:
 *  - Under nesting, every address that the first stage holds (of its tables
 *    and of pages) is translated by the second stage before it is used.
 *  - Accessed and dirty flags are set by compare and exchange: an entry that a
 *    CPU changes at the same time is never overwritten, but read again.
 *  - A write that no dirty flag records does not happen: cached translations
 *    whose dirty flag is clear are not used for writes.
 *  - A cached translation that does not permit an access is not the last word:
 *    the structures in memory are.
 */
#include "qemu/osdep.h"
#include "nested-vtd-internal.h"
#include "system/dma.h"

#define LEVELS_FIRST    4
#define LEVEL_SHIFT(level) (12 + 9 * ((level) - 1))
#define ENTRY_ADDRESS   MAKE_64BIT_MASK(12, 40)
#define ENTRY_LARGE     BIT_ULL(7)
#define RESERVED_HIGH(aw) (MAKE_64BIT_MASK(0, 52) & ~VTD_HAW_MASK(aw))

#define FS_PRESENT      BIT_ULL(0)
#define FS_WRITE        BIT_ULL(1)
#define FS_USER         BIT_ULL(2)
#define FS_ACCESSED     BIT_ULL(5)
#define FS_DIRTY        BIT_ULL(6)
#define FS_NO_EXECUTE   BIT_ULL(63)

#define SS_READ         BIT_ULL(0)
#define SS_WRITE        BIT_ULL(1)

/* What it is called when the second stage refuses. */
typedef struct Refusal {
    NestedVtdFault beyond;
    NestedVtdFault read;
    NestedVtdFault write;
} Refusal;

static const Refusal of_page = { VTD_SS_BEYOND, VTD_SS_RIGHTS, VTD_SS_RIGHTS };
static const Refusal of_root = { VTD_FS_TABLE_BEYOND, VTD_FS_ROOT_READ, VTD_FS_TABLE_WRITE };
static const Refusal of_table = { VTD_FS_TABLE_BEYOND, VTD_FS_TABLE_READ, VTD_FS_TABLE_WRITE };

static uint16_t domain_of(const NestedVtdRequest *r)
{
    return VTD_PASID_DID(r->entry.word[1]);
}

static hwaddr entry_at(hwaddr table, uint64_t address, int level)
{
    return table + extract64(address, LEVEL_SHIFT(level), 9) * 8;
}

/* Is an entry that is the last one on its way a page of this level? */
static bool is_page(uint64_t entry, int level)
{
    return level == 1 || (level <= 3 && entry & ENTRY_LARGE);
}

/* Address bits below the size of a large page, and what the level does not have */
static uint64_t reserved_bits(const IntelIOMMUState *s, uint64_t entry, int level)
{
    uint64_t reserved = RESERVED_HIGH(s->aw_bits);

    if (level == LEVELS_FIRST) {
        reserved |= ENTRY_LARGE;
    } else if (level > 1 && entry & ENTRY_LARGE) {
        reserved |= MAKE_64BIT_MASK(13, LEVEL_SHIFT(level) - 13);
    }
    return reserved;
}

static void set_page(NestedVtdPage *page, uint64_t entry, int level)
{
    page->mask = MAKE_64BIT_MASK(0, LEVEL_SHIFT(level));
    page->address = entry & ENTRY_ADDRESS & ~page->mask;
}

/* --- Second stage ------------------------------------------------------------------ */

static NestedVtdFault walk_second(const NestedVtdRequest *r, uint64_t address,
                                  const Refusal *refusal, bool read, bool write,
                                  NestedVtdPage *page)
{
    hwaddr table = r->entry.word[0] & ENTRY_ADDRESS;
    uint64_t entry;

    page->read = page->write = true;
    for (int level = VTD_PASID_AW(r->entry.word[0]) + 2; ; level--) {
        if (!nested_vtd_load(entry_at(table, address, level), &entry, 1)) {
            return VTD_SS_ACCESS;
        }
        page->read &= !!(entry & SS_READ);
        page->write &= !!(entry & SS_WRITE);
        if ((read && !page->read) || (!page->read && !page->write)) {
            return refusal->read;
        }
        if (write && !page->write) {
            return refusal->write;
        }
        if (entry & reserved_bits(r->s, entry, level)) {
            return VTD_SS_RESERVED;
        }
        if (is_page(entry, level)) {
            set_page(page, entry, level);
            return VTD_OK;
        }
        table = entry & ENTRY_ADDRESS;
    }
}

/* What lies at @address of the second stage, through the cache */
static NestedVtdFault second_stage(const NestedVtdRequest *r, uint64_t address,
                                   const Refusal *refusal, bool read, bool write,
                                   NestedVtdPage *page)
{
    unsigned width = MIN(30 + 9 * VTD_PASID_AW(r->entry.word[0]), r->s->aw_bits);
    const NestedVtdPage *cached;
    NestedVtdFault fault;

    if (address >> width) {
        return refusal->beyond;
    }
    cached = nested_vtd_tlb_find(&r->s->nested, VTD_TLB_SECOND, domain_of(r), 0, address);
    if (cached && (cached->read || !read) && (cached->write || !write)) {
        *page = *cached;
        return VTD_OK;
    }
    *page = (NestedVtdPage) { .user = true, .execute = true, .dirty = true };
    fault = walk_second(r, address, refusal, read, write, page);
    if (!fault) {
        nested_vtd_tlb_add(&r->s->nested, VTD_TLB_SECOND, domain_of(r), 0, address, page);
    }
    return fault;
}

/* --- First stage --------------------------------------------------------------------- */

static bool is_nested(const NestedVtdRequest *r)
{
    return VTD_PASID_PGTT(r->entry.word[0]) == VTD_PGTT_NESTED;
}

/* Where in memory a first-stage entry is, when it is to be read or @write-n */
static NestedVtdFault locate(const NestedVtdRequest *r, uint64_t address, int level,
                             bool write, hwaddr *where)
{
    NestedVtdPage page;
    NestedVtdFault fault;

    *where = address;
    if (!is_nested(r)) {
        return VTD_OK;
    }
    fault = second_stage(r, address, level == LEVELS_FIRST ? &of_root : &of_table,
                         true, write, &page);
    *where = page.address | (address & page.mask);
    return fault;
}

/* Sets @flags in *@entry at @where; false if the entry has changed meanwhile. */
static bool set_flags(hwaddr where, uint64_t *entry, uint64_t flags, bool *readable)
{
    dma_addr_t length = sizeof(*entry);
    uint64_t old = cpu_to_le64(*entry);
    uint64_t new = cpu_to_le64(*entry | flags);
    uint64_t *mapped = dma_memory_map(&address_space_memory, where, &length,
                                      DMA_DIRECTION_FROM_DEVICE, MEMTXATTRS_UNSPECIFIED);
    uint64_t seen;

    *readable = mapped && length == sizeof(*entry);
    seen = *readable ? qatomic_cmpxchg(mapped, old, new) : 0;
    if (mapped) {
        dma_memory_unmap(&address_space_memory, mapped, length,
                         DMA_DIRECTION_FROM_DEVICE, *readable ? length : 0);
    }
    if (*readable && seen == old) {
        *entry |= flags;
        return true;
    }
    return false;
}

/* Do the rights found so far permit the access? */
static NestedVtdFault check_rights(const NestedVtdRequest *r, const NestedVtdPage *page)
{
    bool write_protected = !r->privileged || r->entry.word[2] & VTD_PASID_WPE;

    if (!r->privileged && !page->user) {
        return VTD_FS_USER;
    }
    if (r->access->execute && !page->execute) {
        return VTD_FS_EXECUTE;
    }
    return r->access->write && !page->write && write_protected ? VTD_FS_WRITE : VTD_OK;
}

static NestedVtdFault check_entry(const NestedVtdRequest *r, uint64_t entry, int level,
                                  NestedVtdPage *page)
{
    if (!(entry & FS_PRESENT)) {
        return VTD_FS_ABSENT;
    }
    if (entry & reserved_bits(r->s, entry, level) ||
        (level == 3 && entry & ENTRY_LARGE && !(r->s->cap & VTD_CAP_FS1GP))) {
        return VTD_FS_RESERVED;
    }
    page->write &= !!(entry & FS_WRITE);
    page->user &= !!(entry & FS_USER);
    page->execute &= !(entry & FS_NO_EXECUTE);
    return check_rights(r, page);
}

/*
 * One step: reads and checks the entry at @address, and sets its flags.
 * @again: a CPU has changed it meanwhile.
 */
static NestedVtdFault step(const NestedVtdRequest *r, uint64_t address, int level,
                           uint64_t *entry, NestedVtdPage *page, bool *again)
{
    NestedVtdPage before = *page;
    uint64_t flags = FS_ACCESSED;
    bool readable;
    hwaddr where;
    NestedVtdFault fault = locate(r, address, level, false, &where);

    *again = false;
    if (fault) {
        return fault;
    }
    if (!nested_vtd_load(where, entry, 1)) {
        return level == LEVELS_FIRST ? VTD_FS_ROOT_ACCESS : VTD_FS_ACCESS;
    }
    fault = check_entry(r, *entry, level, page);
    if (fault) {
        return fault;
    }
    if (is_page(*entry, level) && r->access->write) {
        flags |= FS_DIRTY;
    }
    if ((*entry & flags) == flags) {
        return VTD_OK;
    }
    fault = locate(r, address, level, true, &where);
    if (!fault && !set_flags(where, entry, flags, &readable)) {
        *page = before;
        *again = readable;
        fault = readable ? VTD_OK : VTD_FS_ACCESS;
    }
    return fault;
}

static void remember_table(const NestedVtdRequest *r, uint64_t entry, const NestedVtdPage *page)
{
    NestedVtdPage table = *page;

    table.address = entry & ENTRY_ADDRESS;
    table.mask = MAKE_64BIT_MASK(0, LEVEL_SHIFT(2));
    nested_vtd_tlb_add(&r->s->nested, VTD_TLB_TABLE, domain_of(r), r->pasid,
                       r->access->address, &table);
}

/* The first stage's own result; under nesting that is an address of the second. */
static NestedVtdFault walk_first(const NestedVtdRequest *r, NestedVtdPage *page)
{
    uint64_t address = r->access->address, entry = 0;
    const NestedVtdPage *table = nested_vtd_tlb_find(&r->s->nested, VTD_TLB_TABLE,
                                                     domain_of(r), r->pasid, address);
    hwaddr base = r->entry.word[2] & ENTRY_ADDRESS;
    int level = LEVELS_FIRST;
    NestedVtdFault fault;
    bool again;

    *page = (NestedVtdPage) { .read = true, .write = true, .user = true, .execute = true };
    if (sextract64(address, 0, 48) != address) {
        return VTD_NOT_CANONICAL;
    }
    if (table) {
        *page = *table;
        base = table->address;
        level = 1;
    }
    for (;;) {
        fault = step(r, entry_at(base, address, level), level, &entry, page, &again);
        if (fault) {
            return fault;
        }
        if (again) {
            continue;
        }
        if (is_page(entry, level)) {
            break;
        }
        base = entry & ENTRY_ADDRESS;
        if (--level == 1) {
            remember_table(r, entry, page);
        }
    }
    set_page(page, entry, level);
    page->dirty = entry & FS_DIRTY;
    return VTD_OK;
}

/* Puts the second stage's page under the first one's: the smaller one counts. */
static NestedVtdFault combine(const NestedVtdRequest *r, NestedVtdPage *page)
{
    uint64_t address = page->address | (r->access->address & page->mask);
    NestedVtdPage second;
    NestedVtdFault fault = second_stage(r, address, &of_page, r->access->read,
                                        r->access->write, &second);

    if (fault) {
        return fault;
    }
    page->mask &= second.mask;
    page->address = (second.address | (address & second.mask)) & ~page->mask;
    page->read &= second.read;
    page->write &= second.write;
    return VTD_OK;
}

static bool permits(const NestedVtdRequest *r, const NestedVtdPage *page)
{
    return !check_rights(r, page) && (page->read || !r->access->read) &&
           (page->write || !r->access->write) && (page->dirty || !r->access->write);
}

static NestedVtdFault first_stage(const NestedVtdRequest *r, NestedVtdPage *page)
{
    const NestedVtdPage *cached = nested_vtd_tlb_find(&r->s->nested, VTD_TLB_FIRST,
                                                      domain_of(r), r->pasid,
                                                      r->access->address);
    NestedVtdFault fault;

    if (cached && permits(r, cached)) {
        *page = *cached;
        return VTD_OK;
    }
    fault = walk_first(r, page);
    if (!fault && is_nested(r)) {
        fault = combine(r, page);
    }
    if (!fault) {
        nested_vtd_tlb_add(&r->s->nested, VTD_TLB_FIRST, domain_of(r), r->pasid,
                           r->access->address, page);
    }
    return fault;
}

static NestedVtdFault pass_through(const NestedVtdRequest *r, NestedVtdPage *page)
{
    if (r->access->address & ~VTD_HAW_MASK(r->s->aw_bits)) {
        return VTD_BEYOND_HOST;
    }
    *page = (NestedVtdPage) {
        .address = r->access->address & VTD_PAGE_MASK_4K, .mask = ~VTD_PAGE_MASK_4K,
        .read = true, .write = true, .user = true, .execute = true, .dirty = true,
    };
    return VTD_OK;
}

/* The page that @r is about, as its PASID table entry says */
NestedVtdFault nested_vtd_walk(NestedVtdRequest *r, NestedVtdPage *page)
{
    NestedVtdFault fault;

    switch (VTD_PASID_PGTT(r->entry.word[0])) {
    case VTD_PGTT_PASS:
        fault = pass_through(r, page);
        break;
    case VTD_PGTT_SECOND:
        fault = second_stage(r, r->access->address, &of_page, r->access->read,
                             r->access->write, page);
        break;
    default:
        fault = first_stage(r, page);
        break;
    }
    if (!fault && page->address <= VTD_INTERRUPT_ADDR_LAST &&
        page->address + page->mask >= VTD_INTERRUPT_ADDR_FIRST) {
        hwaddr where = page->address | (r->access->address & page->mask);

        if (where >= VTD_INTERRUPT_ADDR_FIRST && where <= VTD_INTERRUPT_ADDR_LAST) {
            fault = VTD_INTERRUPT_RANGE;
        }
    }
    return fault;
}
