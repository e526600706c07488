/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the files of nested-testdev.
 *
 *   nested-testdev.c       the PCI function: capabilities, registers
 *   nested-testdev-dma.c   channels and their accesses
 *   nested-testdev-ats.c   translations kept (ATC), page requests
 *
 * Everything runs with the BQL held, which is the only lock.
 */
#ifndef NESTED_TESTDEV_INTERNAL_H
#define NESTED_TESTDEV_INTERNAL_H

#include "hw/pci/pci_device.h"
#include "hw/misc/nested-iommu.h"
#include "nested-testdev.h"
#include "qemu/timer.h"

#define NTD_ATC_SIZE        64
#define NTD_GROUPS          512         /* Page Request Group Indexes */
#define NTD_GROUP_PAGES     32          /* of one request, at most */
#define NTD_PRI_CAPACITY    256
#define NTD_BACKOFF_NS      (100 * SCALE_US)

typedef struct NestedTestdev NestedTestdev;

typedef enum PieceState {
    PIECE_DONE,
    PIECE_READY,            /* the timer "run" takes it from here */
    PIECE_STALLED,          /* the IOMMU has it */
    PIECE_WAITS_PAGE,       /* for the response to its group */
    PIECE_WAITS_CREDIT,     /* for other groups to end */
    PIECE_BACKS_OFF,        /* for the timer "later" */
} PieceState;

/* One access; what is left of it. */
typedef struct Piece {
    unsigned channel;
    PieceState state;
    uint64_t address;
    uint32_t buffer;
    uint32_t remaining;
    bool resumed;           /* and the verdict is: */
    NestedVerdict verdict;
    bool answered;          /* and the response is: */
    NestedPageResponse response;
} Piece;

typedef struct Channel {
    /* What software writes, and what was taken at the start. */
    struct ChannelSetup {
        uint64_t address, operand;
        uint32_t length, pasid, flags, buffer, outstanding;
    } next, setup;
    uint8_t state, error;
    uint32_t completed, errors, group;
    uint64_t result, error_address;
    Piece pieces[NTD_MAX_OUTSTANDING];
} Channel;

typedef struct AtcEntry {
    bool valid, pasid_valid, privileged, read, write, execute;
    uint32_t pasid;
    uint64_t address, mask, translated;
} AtcEntry;

typedef struct Group {
    bool in_use;
    bool forgotten;         /* by a reset: an answer may still come */
    bool pasid_valid;
    uint32_t pasid;
    uint32_t pages;
    Piece *piece;           /* NULL: nobody waits any more */
} Group;

struct NestedTestdev {
    PCIDevice pdev;
    MemoryRegion bar;
    QEMUTimer run;          /* pieces that are ready */
    QEMUTimer later;        /* pieces that back off, channels that flood */
    uint32_t latency;

    bool has_pasid, has_ats, has_pri, can_stall, dt_can_stall;
    uint16_t pasid_cap, pri_cap;

    Channel channels[NTD_CHANNELS];
    uint8_t buffer[NTD_BUFFER_SIZE];

    AtcEntry atc[NTD_ATC_SIZE];
    unsigned atc_next;
    Group groups[NTD_GROUPS];
    unsigned group_next;
    uint32_t pages_outstanding;

    uint32_t bad;
    uint32_t invalidations, page_requests, page_responses, bad_responses;
    uint32_t ats_requests, stalls;
};

#define TYPE_NESTED_TESTDEV "nested-testdev"
OBJECT_DECLARE_SIMPLE_TYPE(NestedTestdev, NESTED_TESTDEV)

/* --- nested-testdev.c ----------------------------------------------------- */

bool ntd_ats_enabled(NestedTestdev *d);
bool ntd_pri_enabled(NestedTestdev *d);
uint32_t ntd_pri_allocation(NestedTestdev *d);
void ntd_pri_status(NestedTestdev *d, uint16_t set);

/* --- nested-testdev-dma.c ------------------------------------------------- */

void ntd_run(void *opaque);
void ntd_later(void *opaque);
/* A piece is ready: it runs NTD_LATENCY later, not now. */
void ntd_schedule(NestedTestdev *d);
void ntd_start(NestedTestdev *d, unsigned channel);
void ntd_stop(NestedTestdev *d, unsigned channel);
uint32_t ntd_status(NestedTestdev *d, unsigned channel);
void ntd_resume(PCIDevice *pdev, void *token, NestedVerdict verdict);

/* The access that a piece makes next, of @length bytes at most. */
NestedAccess ntd_access(NestedTestdev *d, const Piece *piece);

/* --- nested-testdev-ats.c ------------------------------------------------- */

typedef enum AtsResult { ATS_GO, ATS_WAIT, ATS_ERROR } AtsResult;

/*
 * Translate what @piece accesses next.  ATS_WAIT: its state says for what;
 * ATS_ERROR: *@error is an NTD_ERR_*.
 */
AtsResult ntd_ats_translate(NestedTestdev *d, Piece *piece, NestedTranslation *out,
                            uint8_t *error);
bool ntd_invalidate(PCIDevice *pdev, const NestedInvalidation *what);
void ntd_page_response(PCIDevice *pdev, bool pasid_valid, uint32_t pasid, uint16_t group,
                       NestedPageResponse response);
void ntd_atc_flush(NestedTestdev *d, bool only_pasids);
uint32_t ntd_atc_entries(NestedTestdev *d);
void ntd_forget_groups(NestedTestdev *d);
void ntd_abandon_groups(NestedTestdev *d, Piece *piece);
void ntd_stop_marker(NestedTestdev *d, uint32_t pasid);

#endif
