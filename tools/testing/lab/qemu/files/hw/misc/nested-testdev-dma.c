// SPDX-License-Identifier: GPL-2.0
/*
 * nested-testdev: channels and their accesses.
 *
 * Invariants:
 *  - Accesses are made by a timer only, so that the IOMMU can wake pieces from
 *    wherever it is.  The timer is of the machine's time: where that is counted in
 *    instructions, what happens when does not depend on the host.
 *  - A channel is finished when all its pieces are done; then, and only then, it
 *    counts, interrupts, and can be started again.
 *  - A stalled piece is the IOMMU's until it resumes it or is told to forget it.
 */
#include "qemu/osdep.h"
#include "hw/pci/msix.h"
#include "exec/memory.h"
#include "exec/address-spaces.h"
#include "nested-testdev-internal.h"

static bool bus_master(NestedTestdev *d)
{
    return pci_get_word(d->pdev.config + PCI_COMMAND) & PCI_COMMAND_MASTER;
}

static uint16_t pasid_control(NestedTestdev *d)
{
    return d->has_pasid ? pci_get_word(d->pdev.config + d->pasid_cap + PCI_PASID_CTRL) : 0;
}

NestedAccess ntd_access(NestedTestdev *d, const Piece *piece)
{
    const struct ChannelSetup *setup = &d->channels[piece->channel].setup;
    unsigned op = setup->flags & NTD_OP_MASK;
    bool pasid = setup->pasid & NTD_PASID_VALID;

    return (NestedAccess) {
        .address = piece->address,
        .pasid_valid = pasid,
        .pasid = pasid ? setup->pasid & 0xfffff : 0,
        .privileged = setup->flags & NTD_FLAG_PRIVILEGED,
        .execute = setup->flags & NTD_FLAG_EXECUTE,
        .read = op != NTD_OP_WRITE,
        .write = op == NTD_OP_WRITE || op == NTD_OP_ATOMIC,
        .may_stall = d->can_stall && (setup->flags & NTD_FLAG_STALL),
    };
}

/* --- The end of pieces and channels --------------------------------------- */

static unsigned pending(const Channel *channel)
{
    unsigned count = 0;

    for (unsigned i = 0; i < NTD_MAX_OUTSTANDING; i++) {
        count += channel->pieces[i].state != PIECE_DONE;
    }
    return count;
}

static bool busy(const Channel *channel)
{
    return channel->state == NTD_STATE_RUNNING;
}

static void finish_channel(NestedTestdev *d, unsigned index)
{
    Channel *channel = &d->channels[index];

    channel->completed++;
    channel->errors += channel->error != NTD_ERR_NONE;
    channel->state = channel->error ? NTD_STATE_ERROR : NTD_STATE_OK;
    if (channel->setup.flags & NTD_FLAG_IRQ) {
        msix_notify(&d->pdev, index);
    }
    if (channel->setup.flags & NTD_FLAG_FLOOD) {
        timer_mod(&d->later, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + NTD_BACKOFF_NS);
    }
}

static void finish_piece(NestedTestdev *d, Piece *piece, uint8_t error)
{
    Channel *channel = &d->channels[piece->channel];

    if (error && !channel->error) {
        channel->error = error;
        channel->error_address = piece->address;
    }
    piece->state = PIECE_DONE;
    if (!pending(channel)) {
        finish_channel(d, piece->channel);
    }
}

/* --- Accesses ------------------------------------------------------------- */

/*
 * What translate() gave is an address of memory itself.  An IOMMU that does not
 * know this interface is part of the address space that QEMU has for us.
 */
static AddressSpace *memory_of(NestedTestdev *d)
{
    void *iommu;

    return nested_iommu_of(&d->pdev, &iommu) ? &address_space_memory :
                                               pci_get_address_space(&d->pdev);
}

static bool fetch_add(NestedTestdev *d, Channel *channel, hwaddr address, uint32_t size)
{
    uint64_t old = 0, sum;

    if (address_space_read(memory_of(d), address, MEMTXATTRS_UNSPECIFIED,
                           &old, size) != MEMTX_OK) {
        return false;
    }
    channel->result = le64_to_cpu(old);
    sum = cpu_to_le64(channel->result + channel->setup.operand);
    return address_space_write(memory_of(d), address, MEMTXATTRS_UNSPECIFIED,
                               &sum, size) == MEMTX_OK;
}

static bool move(NestedTestdev *d, Piece *piece, hwaddr address, uint32_t size)
{
    Channel *channel = &d->channels[piece->channel];
    uint8_t *data = d->buffer + piece->buffer, scratch[256];
    unsigned op = channel->setup.flags & NTD_OP_MASK;

    switch (op) {
    case NTD_OP_ATOMIC:
        return fetch_add(d, channel, address, size);
    case NTD_OP_PROBE:
        return address_space_read(memory_of(d), address, MEMTXATTRS_UNSPECIFIED,
                                  scratch, MIN(size, sizeof(scratch))) == MEMTX_OK;
    default:
        return address_space_rw(memory_of(d), address, MEMTXATTRS_UNSPECIFIED,
                                data, size, op == NTD_OP_WRITE) == MEMTX_OK;
    }
}

/* The IOMMU acts as if it had been done: reads give zero. */
static void ignore(NestedTestdev *d, Piece *piece)
{
    if ((d->channels[piece->channel].setup.flags & NTD_OP_MASK) == NTD_OP_READ) {
        memset(d->buffer + piece->buffer, 0, piece->remaining);
    }
    finish_piece(d, piece, NTD_ERR_IGNORED);
}

/* Untranslated.  Returns true if *@out can be accessed. */
static bool translate(NestedTestdev *d, Piece *piece, NestedTranslation *out)
{
    NestedAccess access = ntd_access(d, piece);
    void *iommu;
    const NestedIommuOps *ops = nested_iommu_of(&d->pdev, &iommu);

    if (!ops) {
        /* Who does not know this interface does not know PASIDs. */
        if (access.pasid_valid) {
            finish_piece(d, piece, NTD_ERR_ABORTED);
            return false;
        }
        *out = (NestedTranslation) { .address = access.address, .length = UINT32_MAX };
        return true;
    }
    switch (ops->translate(iommu, &d->pdev, &access, piece, out)) {
    case NESTED_OK:
        return true;
    case NESTED_STALLED:
        d->stalls++;
        piece->state = PIECE_STALLED;
        return false;
    case NESTED_IGNORED:
        ignore(d, piece);
        return false;
    default:
        finish_piece(d, piece, NTD_ERR_ABORTED);
        return false;
    }
}

/* By ATS: translated by itself, and the IOMMU may only forbid it. */
static bool translate_first(NestedTestdev *d, Piece *piece, NestedTranslation *out)
{
    NestedAccess access = ntd_access(d, piece);
    void *iommu;
    const NestedIommuOps *ops = nested_iommu_of(&d->pdev, &iommu);
    uint8_t error = NTD_ERR_NONE;

    if (d->bad & NTD_BAD_TRANSLATED) {
        *out = (NestedTranslation) { .address = access.address, .length = UINT32_MAX };
    } else {
        switch (ntd_ats_translate(d, piece, out, &error)) {
        case ATS_WAIT:
            return false;
        case ATS_ERROR:
            finish_piece(d, piece, error);
            return false;
        case ATS_GO:
            break;
        }
    }
    access.address = out->address;
    if (ops && !ops->translated_access(iommu, &d->pdev, &access)) {
        finish_piece(d, piece, NTD_ERR_ABORTED);
        return false;
    }
    return true;
}

/* What the capabilities forbid does not go out. */
static bool enabled(NestedTestdev *d, const Channel *channel)
{
    uint32_t flags = channel->setup.flags;
    uint16_t control = pasid_control(d);

    if (!bus_master(d)) {
        return false;
    }
    if (!(channel->setup.pasid & NTD_PASID_VALID) || (d->bad & NTD_BAD_PASID_ANY)) {
        return true;
    }
    return (control & PCI_PASID_CTRL_ENABLE) &&
           ((control & PCI_PASID_CTRL_EXEC) || !(flags & NTD_FLAG_EXECUTE)) &&
           ((control & PCI_PASID_CTRL_PRIV) || !(flags & NTD_FLAG_PRIVILEGED));
}

static bool take_verdict(NestedTestdev *d, Piece *piece)
{
    if (!piece->resumed) {
        return true;
    }
    piece->resumed = false;
    if (piece->verdict == NESTED_ABORT) {
        finish_piece(d, piece, NTD_ERR_ABORTED);
    } else if (piece->verdict == NESTED_TERMINATE) {
        ignore(d, piece);
    }
    return piece->verdict == NESTED_RETRY;
}

static void run_piece(NestedTestdev *d, Piece *piece)
{
    Channel *channel = &d->channels[piece->channel];
    bool ats = channel->setup.flags & NTD_FLAG_ATS;
    NestedTranslation out;
    uint32_t size;

    if (!take_verdict(d, piece)) {
        return;
    }
    while (piece->remaining) {
        if (!enabled(d, channel)) {
            finish_piece(d, piece, NTD_ERR_DISABLED);
            return;
        }
        if (!(ats ? translate_first(d, piece, &out) : translate(d, piece, &out))) {
            return;
        }
        size = MIN(piece->remaining, out.length);
        if (!move(d, piece, out.address, size)) {
            finish_piece(d, piece, memory_of(d) == &address_space_memory ?
                                   NTD_ERR_MEMORY : NTD_ERR_ABORTED);
            return;
        }
        piece->address += size;
        piece->buffer += size;
        piece->remaining -= size;
    }
    finish_piece(d, piece, NTD_ERR_NONE);
}

/* --- Who runs when -------------------------------------------------------- */

void ntd_schedule(NestedTestdev *d)
{
    timer_mod_anticipate(&d->run, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + d->latency);
}

/* Its own registers do not answer to what it accesses meanwhile. */
void ntd_run(void *opaque)
{
    NestedTestdev *d = opaque;
    MemReentrancyGuard *guard = &DEVICE(d)->mem_reentrancy_guard;

    guard->engaged_in_io = true;
    for (unsigned c = 0; c < NTD_CHANNELS; c++) {
        for (unsigned p = 0; p < NTD_MAX_OUTSTANDING; p++) {
            Piece *piece = &d->channels[c].pieces[p];

            if (piece->state == PIECE_READY) {
                run_piece(d, piece);
            }
        }
    }
    guard->engaged_in_io = false;
}

void ntd_later(void *opaque)
{
    NestedTestdev *d = opaque;

    for (unsigned c = 0; c < NTD_CHANNELS; c++) {
        Channel *channel = &d->channels[c];

        for (unsigned p = 0; p < NTD_MAX_OUTSTANDING; p++) {
            if (channel->pieces[p].state == PIECE_BACKS_OFF) {
                channel->pieces[p].state = PIECE_READY;
                ntd_schedule(d);
            }
        }
        if ((channel->setup.flags & NTD_FLAG_FLOOD) &&
            (channel->state == NTD_STATE_OK || channel->state == NTD_STATE_ERROR)) {
            ntd_start(d, c);
        }
    }
}

void ntd_resume(PCIDevice *pdev, void *token, NestedVerdict verdict)
{
    NestedTestdev *d = NESTED_TESTDEV(pdev);
    Piece *piece = token;

    piece->resumed = true;
    piece->verdict = verdict;
    piece->state = PIECE_READY;
    ntd_schedule(d);
}

/* --- Control -------------------------------------------------------------- */

static bool sensible(const struct ChannelSetup *setup)
{
    uint32_t pieces = setup->outstanding;

    if (pieces < 1 || pieces > NTD_MAX_OUTSTANDING || !setup->length ||
        setup->length > NTD_BUFFER_SIZE || setup->length % pieces ||
        setup->buffer > NTD_BUFFER_SIZE - setup->length ||
        setup->address + (setup->length - 1) < setup->address) {
        return false;
    }
    if (!(setup->pasid & NTD_PASID_VALID) &&
        (setup->flags & (NTD_FLAG_PRIVILEGED | NTD_FLAG_EXECUTE))) {
        return false;
    }
    if ((setup->flags & NTD_FLAG_PRI) && !(setup->flags & NTD_FLAG_ATS)) {
        return false;
    }
    if ((setup->flags & NTD_OP_MASK) == NTD_OP_ATOMIC) {
        uint32_t size = setup->length / pieces;

        return (size == 4 || size == 8) && !(setup->address & (size - 1));
    }
    return true;
}

void ntd_start(NestedTestdev *d, unsigned index)
{
    Channel *channel = &d->channels[index];
    struct ChannelSetup *setup = &channel->setup;
    uint32_t size;

    if (busy(channel)) {
        return;
    }
    *setup = channel->next;
    setup->outstanding = MAX(setup->outstanding, 1);
    channel->error = NTD_ERR_NONE;
    channel->error_address = 0;
    channel->state = NTD_STATE_RUNNING;
    if (!sensible(setup)) {
        channel->error = NTD_ERR_PARAMETER;
        setup->flags &= ~NTD_FLAG_FLOOD;
        finish_channel(d, index);
        return;
    }
    size = setup->length / setup->outstanding;
    for (unsigned i = 0; i < setup->outstanding; i++) {
        channel->pieces[i] = (Piece) {
            .channel = index,
            .state = PIECE_READY,
            .address = setup->address + i * size,
            .buffer = setup->buffer + i * size,
            .remaining = size,
        };
    }
    ntd_schedule(d);
}

void ntd_stop(NestedTestdev *d, unsigned index)
{
    Channel *channel = &d->channels[index];
    void *iommu;
    const NestedIommuOps *ops = nested_iommu_of(&d->pdev, &iommu);

    for (unsigned i = 0; i < NTD_MAX_OUTSTANDING; i++) {
        Piece *piece = &channel->pieces[i];

        if (piece->state == PIECE_STALLED && ops && ops->forget) {
            ops->forget(iommu, &d->pdev, piece);
        }
        if (piece->state != PIECE_DONE) {
            ntd_abandon_groups(d, piece);
        }
        piece->state = PIECE_DONE;
    }
    channel->setup.flags = 0;
    channel->state = NTD_STATE_IDLE;
}

uint32_t ntd_status(NestedTestdev *d, unsigned index)
{
    const Channel *channel = &d->channels[index];
    unsigned state = channel->state, left = pending(channel), stalled = 0, waiting = 0;

    for (unsigned i = 0; i < NTD_MAX_OUTSTANDING; i++) {
        PieceState piece = channel->pieces[i].state;

        stalled += piece == PIECE_STALLED;
        waiting += piece == PIECE_WAITS_PAGE || piece == PIECE_WAITS_CREDIT;
    }
    if (state == NTD_STATE_RUNNING && left == stalled + waiting) {
        state = waiting ? NTD_STATE_WAITING : NTD_STATE_STALLED;
    }
    return state | channel->error << 8 | left << 16;
}
