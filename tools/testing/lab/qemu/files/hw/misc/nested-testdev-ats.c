// SPDX-License-Identifier: GPL-2.0
/*
 * nested-testdev: address translation by itself.  The translations that it got
 * (its ATC), and the pages that it asks for (PRI).
 *
 * Invariants:
 *  - A group is in use from its first page request to its response, or to a
 *    reset; its pages are counted in pages_outstanding that long.
 *  - No more pages are outstanding than the allocation allows (unless told to
 *    behave badly).
 *  - After an invalidation was completed no entry that it covers is used
 *    (unless told so).
 */
#include "qemu/osdep.h"
#include "nested-testdev-internal.h"

#define PAGE                4096

/* --- Translations --------------------------------------------------------- */

static bool entry_covers(const AtcEntry *entry, const NestedAccess *access)
{
    return entry->valid && entry->pasid_valid == access->pasid_valid &&
           entry->pasid == access->pasid && entry->privileged == access->privileged &&
           (access->address & ~entry->mask) == entry->address;
}

static bool grants(bool read, bool write, bool execute, const NestedAccess *access)
{
    return (read || !access->read) && (write || !access->write) &&
           (execute || !access->execute);
}

static AtcEntry *atc_find(NestedTestdev *d, const NestedAccess *access)
{
    for (unsigned i = 0; i < NTD_ATC_SIZE; i++) {
        AtcEntry *entry = &d->atc[i];

        if (entry_covers(entry, access) &&
            grants(entry->read, entry->write, entry->execute, access)) {
            return entry;
        }
    }
    return NULL;
}

/* What the new entry overlaps goes: there is one entry for an address. */
static AtcEntry *atc_insert(NestedTestdev *d, const NestedAccess *access,
                            const NestedTranslation *got)
{
    AtcEntry *entry;

    for (unsigned i = 0; i < NTD_ATC_SIZE; i++) {
        if (entry_covers(&d->atc[i], access)) {
            d->atc[i].valid = false;
        }
    }
    entry = &d->atc[d->atc_next++ % NTD_ATC_SIZE];
    *entry = (AtcEntry) {
        .valid = true,
        .pasid_valid = access->pasid_valid, .pasid = access->pasid,
        .privileged = access->privileged,
        .read = got->read, .write = got->write, .execute = got->execute,
        .address = access->address & ~got->page_mask,
        .mask = got->page_mask,
        .translated = got->address & ~got->page_mask,
    };
    return entry;
}

void ntd_atc_flush(NestedTestdev *d, bool only_pasids)
{
    for (unsigned i = 0; i < NTD_ATC_SIZE; i++) {
        if (!only_pasids || d->atc[i].pasid_valid) {
            d->atc[i].valid = false;
        }
    }
}

uint32_t ntd_atc_entries(NestedTestdev *d)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < NTD_ATC_SIZE; i++) {
        count += d->atc[i].valid;
    }
    return count;
}

static bool invalidated(const AtcEntry *entry, const NestedInvalidation *what)
{
    bool same_space = entry->pasid_valid == what->pasid_valid &&
                      (!what->pasid_valid || what->global || entry->pasid == what->pasid);
    uint64_t common = ~(entry->mask | what->mask);

    return same_space && (entry->address & common) == (what->address & common);
}

bool ntd_invalidate(PCIDevice *pdev, const NestedInvalidation *what)
{
    NestedTestdev *d = NESTED_TESTDEV(pdev);

    d->invalidations++;
    if (!ntd_ats_enabled(d)) {
        return true;                    /* Unsupported Request: completes as well */
    }
    if (!(d->bad & (NTD_BAD_ATC_SILENT | NTD_BAD_ATC_KEEP))) {
        for (unsigned i = 0; i < NTD_ATC_SIZE; i++) {
            if (invalidated(&d->atc[i], what)) {
                d->atc[i].valid = false;
            }
        }
    }
    return !(d->bad & NTD_BAD_ATC_SILENT);
}

/* Ask the IOMMU.  ATS_WAIT here means: no access, a page request may help. */
static AtsResult ask(NestedTestdev *d, const NestedAccess *access, AtcEntry **entry,
                     uint8_t *error)
{
    NestedTranslation got = {};
    void *iommu;
    const NestedIommuOps *ops = nested_iommu_of(&d->pdev, &iommu);
    NestedAtsStatus status;

    d->ats_requests++;
    status = ops ? ops->ats_request(iommu, &d->pdev, access, &got) : NESTED_ATS_UR;
    if (status != NESTED_ATS_SUCCESS) {
        *error = status == NESTED_ATS_UR ? NTD_ERR_ATS_UR : NTD_ERR_ATS_CA;
        return ATS_ERROR;
    }
    if (!grants(got.read, got.write, got.execute, access)) {
        *error = NTD_ERR_NO_ACCESS;
        return ATS_WAIT;
    }
    *entry = atc_insert(d, access, &got);
    return ATS_GO;
}

/* --- Page requests -------------------------------------------------------- */

static int free_group(NestedTestdev *d)
{
    for (unsigned i = 0; i < NTD_GROUPS; i++) {
        unsigned index = (d->group_next + i) % NTD_GROUPS;

        if (!d->groups[index].in_use) {
            d->group_next = index + 1;
            return index;
        }
    }
    return -1;
}

/* The pages of @piece that are not there, from its address onwards. */
static unsigned missing_pages(NestedTestdev *d, const Piece *piece, unsigned limit,
                              uint64_t *pages)
{
    NestedAccess access = ntd_access(d, piece);
    uint64_t end = piece->address + piece->remaining;
    unsigned count = 0;
    AtcEntry *entry;
    uint8_t error;

    for (access.address &= ~(uint64_t)(PAGE - 1); access.address < end && count < limit;
         access.address += PAGE) {
        if (!atc_find(d, &access) && ask(d, &access, &entry, &error) == ATS_WAIT) {
            pages[count++] = access.address;
        }
    }
    return count;
}

static void send_group(NestedTestdev *d, const Piece *piece, uint16_t index,
                       const uint64_t *pages, unsigned count)
{
    NestedAccess access = ntd_access(d, piece);
    void *iommu;
    const NestedIommuOps *ops = nested_iommu_of(&d->pdev, &iommu);

    for (unsigned i = 0; i < count; i++) {
        NestedPageRequest request = {
            .address = pages[i],
            .pasid_valid = access.pasid_valid, .pasid = access.pasid,
            .privileged = access.privileged, .execute = access.execute,
            .read = access.read, .write = access.write,
            .group = index,
            .last = i + 1 == count && !(d->bad & NTD_BAD_PRI_NO_LAST),
        };

        d->page_requests++;
        ops->page_request(iommu, &d->pdev, &request);
    }
}

/* Gives software time. */
static AtsResult back_off(NestedTestdev *d, Piece *piece)
{
    piece->state = PIECE_BACKS_OFF;
    timer_mod(&d->later, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + NTD_BACKOFF_NS);
    return ATS_WAIT;
}

/*
 * The response may come while the requests are sent (the IOMMU answers some by
 * itself), so all is in place before.
 */
static AtsResult request_pages(NestedTestdev *d, Piece *piece, uint8_t *error)
{
    uint32_t allowed = ntd_pri_allocation(d);
    uint64_t pages[NTD_GROUP_PAGES];
    unsigned count, limit;
    Group *group;
    int index;

    if (!ntd_pri_enabled(d)) {
        *error = NTD_ERR_DISABLED;
        return ATS_ERROR;
    }
    if (d->bad & NTD_BAD_PRI_CREDIT) {
        allowed = d->pages_outstanding + NTD_GROUP_PAGES;
    }
    index = free_group(d);
    if (index < 0 || d->pages_outstanding >= allowed) {
        piece->state = PIECE_WAITS_CREDIT;
        return ATS_WAIT;
    }
    limit = MIN(allowed - d->pages_outstanding, NTD_GROUP_PAGES);
    count = missing_pages(d, piece, limit, pages);
    if (!count) {
        return back_off(d, piece);      /* all there by now */
    }
    group = &d->groups[index];
    *group = (Group) {
        .in_use = true, .piece = piece, .pages = count,
        .pasid_valid = d->channels[piece->channel].setup.pasid & NTD_PASID_VALID,
        .pasid = d->channels[piece->channel].setup.pasid & 0xfffff,
    };
    d->pages_outstanding += count;
    d->channels[piece->channel].group = index;
    piece->state = PIECE_WAITS_PAGE;
    send_group(d, piece, index, pages, count);
    return ATS_WAIT;
}

static void unexpected(NestedTestdev *d, const Group *group, uint16_t index,
                       const char *why)
{
    d->bad_responses++;
    if (!group->forgotten) {
        ntd_pri_status(d, PCI_PRI_STATUS_UPRGI);
        nested_violation("page request group response to %04x, group %u: %s",
                         pci_requester_id(&d->pdev), index, why);
    }
}

static void end_group(NestedTestdev *d, Group *group)
{
    d->pages_outstanding -= group->pages;
    group->in_use = false;
    for (unsigned c = 0; c < NTD_CHANNELS; c++) {
        for (unsigned p = 0; p < NTD_MAX_OUTSTANDING; p++) {
            Piece *piece = &d->channels[c].pieces[p];

            if (piece->state == PIECE_WAITS_CREDIT) {
                piece->state = PIECE_READY;
            }
        }
    }
    ntd_schedule(d);
}

/* The IOMMU is in the middle of something: note the answer, and leave. */
void ntd_page_response(PCIDevice *pdev, bool pasid_valid, uint32_t pasid, uint16_t index,
                       NestedPageResponse response)
{
    NestedTestdev *d = NESTED_TESTDEV(pdev);
    Group *group = &d->groups[index % NTD_GROUPS];

    d->page_responses++;
    if (!group->in_use) {
        unexpected(d, group, index, "it is not outstanding");
        group->forgotten = false;
        return;
    }
    /* A failure that the IOMMU reports by itself has no PASID. */
    if (response != NESTED_PRG_FAILURE &&
        (pasid_valid != group->pasid_valid || (pasid_valid && pasid != group->pasid))) {
        unexpected(d, group, index, "its PASID is not that of the requests");
        return;
    }
    if (response == NESTED_PRG_FAILURE) {
        ntd_pri_status(d, PCI_PRI_STATUS_RF);
    }
    if (group->piece) {
        group->piece->answered = true;
        group->piece->response = response;
        group->piece->state = PIECE_READY;
    }
    end_group(d, group);
    ntd_pri_status(d, 0);
}

/* A reset: what was asked for is not wanted, but may still be answered. */
void ntd_forget_groups(NestedTestdev *d)
{
    for (unsigned i = 0; i < NTD_GROUPS; i++) {
        d->groups[i] = (Group) { .forgotten = d->groups[i].in_use || d->groups[i].forgotten };
    }
    d->pages_outstanding = 0;
}

/* @piece does not wait any more.  Its groups end when they are answered. */
void ntd_abandon_groups(NestedTestdev *d, Piece *piece)
{
    for (unsigned i = 0; i < NTD_GROUPS; i++) {
        if (d->groups[i].piece == piece) {
            d->groups[i].piece = NULL;
        }
    }
}

void ntd_stop_marker(NestedTestdev *d, uint32_t pasid)
{
    NestedPageRequest marker = {
        .pasid_valid = true, .pasid = pasid & 0xfffff, .last = true,
    };
    void *iommu;
    const NestedIommuOps *ops = nested_iommu_of(&d->pdev, &iommu);

    if (ops && ntd_pri_enabled(d)) {
        ops->page_request(iommu, &d->pdev, &marker);
    }
}

/* --- Together ------------------------------------------------------------- */

/* A response decides, unless the function insists. */
static bool denied(NestedTestdev *d, Piece *piece, uint8_t *error)
{
    if (!piece->answered) {
        return false;
    }
    piece->answered = false;
    if (piece->response == NESTED_PRG_SUCCESS || (d->bad & NTD_BAD_PRI_INSIST)) {
        return false;
    }
    *error = piece->response == NESTED_PRG_INVALID ? NTD_ERR_PAGE_INVALID
                                                   : NTD_ERR_PAGE_FAILURE;
    return true;
}

AtsResult ntd_ats_translate(NestedTestdev *d, Piece *piece, NestedTranslation *out,
                            uint8_t *error)
{
    NestedAccess access = ntd_access(d, piece);
    bool answered = piece->answered;
    AtcEntry *entry;
    AtsResult result = ATS_GO;

    if (!ntd_ats_enabled(d)) {
        *error = NTD_ERR_DISABLED;
        return ATS_ERROR;
    }
    if (denied(d, piece, error)) {
        return ATS_ERROR;
    }
    entry = atc_find(d, &access);
    if (!entry) {
        result = ask(d, &access, &entry, error);
    }
    if (result == ATS_GO) {
        uint64_t offset = access.address & entry->mask;

        *out = (NestedTranslation) {
            .address = entry->translated + offset,
            .length = entry->mask - offset + 1,
        };
        return ATS_GO;
    }
    if (result == ATS_ERROR || !(d->channels[piece->channel].setup.flags & NTD_FLAG_PRI)) {
        return ATS_ERROR;
    }
    if (answered) {
        return back_off(d, piece);      /* it was said to be there, and is not */
    }
    return request_pages(d, piece, error);
}
