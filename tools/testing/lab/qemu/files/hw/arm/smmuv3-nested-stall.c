// SPDX-License-Identifier: GPL-2.0
/*
 * Stalled transactions (3.12.2).
 *
 * Invariants:
 *  - A stall is in exactly one list, and goes by exactly one resume() of its
 *    function, or because that does not want it any more.
 *  - recorded_count is the length of "recorded", and at most stall_max.
 *  - A STAG names at most one stall.  It is not given again soon after, so that
 *    an answer which comes late or twice names none.
 */
#include "qemu/osdep.h"
#include "hw/pci/pci_bus.h"
#include "smmuv3-nested-internal.h"

static SMMUNestedStall *find(SMMUNestedStalls *list, uint16_t stag)
{
    SMMUNestedStall *stall;

    QTAILQ_FOREACH(stall, list, next) {
        if (stall->stag == stag) {
            return stall;
        }
    }
    return NULL;
}

static bool room(SMMUv3Nested *n)
{
    return n->recorded_count < n->smmu->nested_options.stall_max;
}

static void finish(SMMUv3Nested *n, SMMUNestedStalls *list, SMMUNestedStall *stall,
                   NestedVerdict verdict)
{
    const NestedDeviceOps *ops;

    QTAILQ_REMOVE(list, stall, next);
    if (list == &n->recorded) {
        n->recorded_count--;
    }
    if (stall->token &&
        nested_device_find(n->smmu->smmu_state.primary_bus, stall->sid, &ops)) {
        ops->resume(stall->dev, stall->token, verdict);
    }
    g_free(stall);
}

void smmu_nested_stall(SMMUv3Nested *n, PCIDevice *dev, void *token, SMMUNestedEvent *event)
{
    SMMUNestedStall *stall = g_new0(SMMUNestedStall, 1);

    stall->sid = event->sid;
    stall->dev = dev;
    stall->token = token;
    if (room(n)) {
        while (find(&n->recorded, n->next_stag)) {
            n->next_stag++;
        }
        stall->stag = n->next_stag;
        event->stag = stall->stag;
        event->stall = true;
        if (smmu_nested_record(n, event)) {
            n->next_stag++;
            n->recorded_count++;
            QTAILQ_INSERT_TAIL(&n->recorded, stall, next);
            return;
        }
    }
    QTAILQ_INSERT_TAIL(&n->held, stall, next);
}

/*
 * 7.2.1: as though they had just arrived.  They come back here if they stall
 * again and there is not room for all.
 */
void smmu_nested_release_held(SMMUv3Nested *n)
{
    SMMUNestedStall *stall, *following;

    if (!room(n) || !smmu_nested_evtq_writable(n)) {
        return;
    }
    QTAILQ_FOREACH_SAFE(stall, &n->held, next, following) {
        finish(n, &n->held, stall, NESTED_RETRY);
    }
}

/* 4.7.1 */
void smmu_nested_resume(SMMUv3Nested *n, uint32_t sid, uint16_t stag, NestedVerdict verdict)
{
    SMMUNestedStall *stall = find(&n->recorded, stag);

    if (!stall) {
        nested_violation("CMD_RESUME for stream 0x%x names STAG 0x%x, and no transaction "
                         "is stalled with it", sid, stag);
        return;
    }
    if (stall->sid != sid) {
        nested_violation("CMD_RESUME names stream 0x%x and STAG 0x%x, which is of "
                         "stream 0x%x", sid, stag, stall->sid);
        return;
    }
    finish(n, &n->recorded, stall, verdict);
    smmu_nested_release_held(n);
}

static void end(SMMUv3Nested *n, SMMUNestedStalls *list, bool all, uint32_t sid)
{
    SMMUNestedStall *stall, *following;

    QTAILQ_FOREACH_SAFE(stall, list, next, following) {
        if (all || stall->sid == sid) {
            finish(n, list, stall, NESTED_ABORT);
        }
    }
}

void smmu_nested_end_stalls(SMMUv3Nested *n, uint32_t sid)
{
    end(n, &n->recorded, false, sid);
    end(n, &n->held, false, sid);
    smmu_nested_release_held(n);
}

void smmu_nested_end_all_stalls(SMMUv3Nested *n)
{
    end(n, &n->recorded, true, 0);
    end(n, &n->held, true, 0);
}

static bool drop(SMMUv3Nested *n, SMMUNestedStalls *list, PCIDevice *dev, void *token)
{
    SMMUNestedStall *stall;

    QTAILQ_FOREACH(stall, list, next) {
        if (stall->dev == dev && stall->token == token) {
            QTAILQ_REMOVE(list, stall, next);
            g_free(stall);
            return true;
        }
    }
    return false;
}

/*
 * The function was reset.  What software was told about stays named until
 * software answers: only who waits for the answer is gone.
 */
void smmu_nested_forget_stall(SMMUv3Nested *n, PCIDevice *dev, void *token)
{
    SMMUNestedStall *stall;

    if (drop(n, &n->held, dev, token)) {
        return;
    }
    QTAILQ_FOREACH(stall, &n->recorded, next) {
        if (stall->dev == dev && stall->token == token) {
            stall->dev = NULL;
            stall->token = NULL;
            return;
        }
    }
}
