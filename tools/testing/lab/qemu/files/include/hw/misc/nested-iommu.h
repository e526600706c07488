/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What goes between a PCIe function and an IOMMU in front of the memory: the
 * requests of a function that knows PASIDs, ATS, page requests and stalls, and
 * the answers of the IOMMU.  It stands beside QEMU's IOMMU memory regions,
 * which carry an address and a direction only; an IOMMU model offers both.
 *
 * Rules:
 *  - Everything is called with the BQL held.
 *  - A function calls the IOMMU (NestedIommuOps) from timers and from register
 *    accesses.  The IOMMU calls the function (NestedDeviceOps) from the
 *    middle of its command processing, with locks held: the function notes what
 *    it is told, sets a timer, and never calls back from there.
 *  - The function guards its own enable bits: no request with a PASID while the
 *    PASID capability is off, no translation request while ATS is off, and so
 *    on.  The IOMMU trusts none of it and checks what its tables say.
 *  - A stalled access belongs to the IOMMU until it has called resume() for it,
 *    or the function has called forget().  It calls resume() exactly once.
 */
#ifndef HW_MISC_NESTED_IOMMU_H
#define HW_MISC_NESTED_IOMMU_H

#include "hw/pci/pci_device.h"

/* One access to memory, or one question about it (a translation request). */
typedef struct NestedAccess {
    uint64_t address;       /* as the function says it; untranslated */
    uint32_t pasid;         /* 20 bits; 0 without pasid_valid */
    bool pasid_valid;
    bool privileged;        /* only with a PASID */
    bool execute;           /* only with a PASID, and only for reads */
    bool read;              /* both for an atomic operation */
    bool write;
    bool may_stall;         /* the function waits if the IOMMU wants it to */
} NestedAccess;

/* A piece of the address space, from the address asked for onwards. */
typedef struct NestedTranslation {
    hwaddr address;         /* in address_space_memory */
    uint64_t length;        /* contiguous bytes from there; at least 1 */
    uint64_t page_mask;     /* size - 1 of the naturally aligned entry */
    bool read;
    bool write;
    bool execute;
    bool privileged;        /* the rights are those of privileged accesses */
    bool global;            /* the entry holds for all PASIDs */
} NestedTranslation;

typedef enum NestedStatus {
    NESTED_OK,
    NESTED_ABORTED,         /* the access is answered with an error */
    NESTED_IGNORED,         /* reads give zero, writes do nothing */
    NESTED_STALLED,         /* wait for resume() */
} NestedStatus;

/* Answers to an ATS translation request (PCIe, Translation Completion). */
typedef enum NestedAtsStatus {
    NESTED_ATS_SUCCESS,     /* read and write may both be false: no access */
    NESTED_ATS_UR,          /* Unsupported Request: ATS is not for this function */
    NESTED_ATS_CA,          /* Completer Abort */
} NestedAtsStatus;

typedef struct NestedPageRequest {
    uint64_t address;       /* of the page */
    uint32_t pasid;
    uint16_t group;         /* Page Request Group Index, 9 bits */
    bool pasid_valid;
    bool privileged;
    bool execute;
    bool read;              /* neither read nor write, with last: stop marker */
    bool write;
    bool last;              /* of its group */
} NestedPageRequest;

/* Page Request Group Response codes, as PCIe encodes them. */
typedef enum NestedPageResponse {
    NESTED_PRG_SUCCESS = 0,
    NESTED_PRG_INVALID = 1,
    NESTED_PRG_FAILURE = 15,
} NestedPageResponse;

/* What became of a stalled access. */
typedef enum NestedVerdict {
    NESTED_RETRY,           /* make the same access again */
    NESTED_ABORT,           /* it ended with an error */
    NESTED_TERMINATE,       /* it ended as if ignored */
} NestedVerdict;

typedef struct NestedInvalidation {
    uint64_t address;
    uint64_t mask;          /* size - 1; naturally aligned; ~0: everything */
    uint32_t pasid;
    bool pasid_valid;       /* false: translations got without a PASID */
    bool global;            /* with pasid_valid: of all PASIDs */
} NestedInvalidation;

/* What an IOMMU model offers.  @iommu is what it registered with. */
typedef struct NestedIommuOps {
    /*
     * Translate @access.  On NESTED_OK @out is filled.  On NESTED_STALLED the
     * IOMMU keeps @token (not NULL), which it will name in resume(); only if
     * access->may_stall.  Faults are recorded where the architecture says so.
     */
    NestedStatus (*translate)(void *iommu, PCIDevice *dev, const NestedAccess *access,
                              void *token, NestedTranslation *out);
    /* The function does not wait for the stalled @token any more (its reset). */
    void (*forget)(void *iommu, PCIDevice *dev, void *token);
    /*
     * May @dev use the translated @address for a read or @write?  false: the
     * access is answered with an error.
     */
    bool (*translated_access)(void *iommu, PCIDevice *dev, const NestedAccess *access);
    /* An ATS translation request; "no write" is access->write == false. */
    NestedAtsStatus (*ats_request)(void *iommu, PCIDevice *dev, const NestedAccess *access,
                                   NestedTranslation *out);
    /* A page request message.  The answer comes by page_response(). */
    void (*page_request)(void *iommu, PCIDevice *dev, const NestedPageRequest *request);
} NestedIommuOps;

/* What a function offers. */
typedef struct NestedDeviceOps {
    void (*resume)(PCIDevice *dev, void *token, NestedVerdict verdict);
    /*
     * An ATS invalidation request.  Returns true when the completion message
     * is on its way: no translation that it covers is used from then on.
     * false: the function never answers, and the IOMMU times out.
     */
    bool (*invalidate)(PCIDevice *dev, const NestedInvalidation *what);
    void (*page_response)(PCIDevice *dev, bool pasid_valid, uint32_t pasid,
                          uint16_t group, NestedPageResponse response);
} NestedDeviceOps;

/* An IOMMU says that it stands in front of all functions below @root. */
void nested_iommu_register(PCIBus *root, const NestedIommuOps *ops, void *iommu);

/* The IOMMU in front of @dev: its operations and @iommu, or NULL. */
const NestedIommuOps *nested_iommu_of(PCIDevice *dev, void **iommu);

/* A function says (in its realize and exit) that it can be talked to. */
void nested_device_register(PCIDevice *dev, const NestedDeviceOps *ops);
void nested_device_unregister(PCIDevice *dev);

/*
 * The function behind a requester id on the root bus @root, with its
 * operations; NULL if there is none that registered.
 */
PCIDevice *nested_device_find(PCIBus *root, uint16_t rid, const NestedDeviceOps **ops);

/*
 * Say on stderr that software broke the architecture's rules in a way that
 * hardware need not notice: one line, "protocol violation: ...".  A test during
 * which that is said has failed.
 */
void nested_violation(const char *format, ...) G_GNUC_PRINTF(1, 2);

#endif
