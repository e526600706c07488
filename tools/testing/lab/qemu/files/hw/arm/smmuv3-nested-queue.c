// SPDX-License-Identifier: GPL-2.0
/*
 * The queues that the SMMU writes: events (7) and page requests (8).
 *
 * Invariants:
 *  - A record is in memory before PROD passes it.
 *  - Records of stalled transactions are never dropped here: smmu_nested_record()
 *    says that there was no room, and the transaction waits.
 *  - OVFLG is toggled only when it equals OVACKFLG: one overflow at a time.
 */
#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "hw/irq.h"
#include "hw/pci/pci_bus.h"
#include "smmuv3-nested-internal.h"

#define OVERFLOW_FLAG       BIT(31)     /* of PROD, acknowledged in CONS */
#define CR0_PRIQEN          BIT(1)
#define MERGE_NS            (1 * SCALE_MS)

/* As stored: sixteen bytes, little-endian. */
typedef struct PriRecord {
    uint64_t word[2];
} PriRecord;

void smmu_nested_gerror(SMMUv3Nested *n, uint32_t bits)
{
    SMMUv3State *s = n->smmu;
    uint32_t fresh = bits & ~(s->gerror ^ s->gerrorn);

    if (!fresh) {
        return;
    }
    s->gerror ^= fresh;
    if (smmuv3_gerror_irq_enabled(s)) {
        qemu_irq_pulse(s->irq[SMMU_IRQ_GERROR]);
    }
}

static bool error_active(SMMUv3State *s, uint32_t bit)
{
    return (s->gerror ^ s->gerrorn) & bit;
}

static bool overflow_active(const SMMUQueue *q)
{
    return (q->prod ^ q->cons) & OVERFLOW_FLAG;
}

static void overflow(SMMUQueue *q)
{
    if (!overflow_active(q)) {
        q->prod ^= OVERFLOW_FLAG;
    }
}

/* QEMU's own increment loses OVFLG. */
static void advance(SMMUQueue *q)
{
    q->prod = (q->prod & OVERFLOW_FLAG) | ((q->prod + 1) & WRAP_INDEX_MASK(q));
}

/* --- Events --------------------------------------------------------------- */

bool smmu_nested_evtq_writable(SMMUv3Nested *n)
{
    SMMUv3State *s = n->smmu;

    return smmuv3_eventq_enabled(s) && !smmuv3_q_full(&s->eventq) &&
           !error_active(s, R_GERROR_EVENTQ_ABT_ERR_MASK);
}

static Evt encode(const SMMUNestedEvent *event)
{
    Evt evt = {};

    EVT_SET_TYPE(&evt, event->type);
    EVT_SET_SSV(&evt, event->ssv);
    EVT_SET_SSID(&evt, event->ssid);
    EVT_SET_SID(&evt, event->sid);
    EVT_SET_STAG(&evt, event->stag);
    EVT_SET_STALL(&evt, event->stall);
    EVT_SET_PNU(&evt, event->pnu);
    EVT_SET_IND(&evt, event->ind);
    EVT_SET_RNW(&evt, event->rnw);
    EVT_SET_S2(&evt, event->s2);
    EVT_SET_CLASS(&evt, event->class);
    EVT_SET_ADDR(&evt, event->address);
    EVT_SET_ADDR2(&evt, event->ipa);
    return evt;
}

/*
 * 7.3.1: identical events in quick succession may be one record, as long as
 * software has not taken that record.
 */
static bool merge(SMMUv3Nested *n, const SMMUNestedEvent *event, const Evt *evt)
{
    SMMUv3State *s = n->smmu;
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    if (event->may_merge && !event->stall && !smmuv3_q_empty(&s->eventq) &&
        now - n->last_event_time < MERGE_NS &&
        !memcmp(evt, &n->last_event, sizeof(*evt))) {
        return true;
    }
    n->last_event = *evt;
    n->last_event_time = now;
    return false;
}

static bool write_event(SMMUv3Nested *n, const Evt *evt)
{
    SMMUv3State *s = n->smmu;
    SMMUQueue *q = &s->eventq;
    Evt stored;

    for (unsigned i = 0; i < ARRAY_SIZE(stored.word); i++) {
        stored.word[i] = cpu_to_le32(evt->word[i]);
    }
    if (dma_memory_write(&address_space_memory, Q_PROD_ENTRY(q), &stored, sizeof(stored),
                         MEMTXATTRS_UNSPECIFIED) != MEMTX_OK) {
        smmu_nested_gerror(n, R_GERROR_EVENTQ_ABT_ERR_MASK);
        return false;
    }
    advance(q);
    if (smmuv3_eventq_irq_enabled(s)) {
        qemu_irq_pulse(s->irq[SMMU_IRQ_EVTQ]);
    }
    return true;
}

bool smmu_nested_record(SMMUv3Nested *n, const SMMUNestedEvent *event)
{
    SMMUv3State *s = n->smmu;
    Evt evt = encode(event);

    if (!smmu_nested_evtq_writable(n)) {
        if (!event->stall && smmuv3_eventq_enabled(s) && smmuv3_q_full(&s->eventq)) {
            overflow(&s->eventq);
        }
        return false;
    }
    return merge(n, event, &evt) || write_event(n, &evt);
}

/* --- Page requests -------------------------------------------------------- */

static PriRecord encode_request(uint16_t rid, const NestedPageRequest *request)
{
    uint64_t word0 = rid | (uint64_t)request->pasid << 32 |
                     (uint64_t)request->privileged << 58 |
                     (uint64_t)request->execute << 59 |
                     (uint64_t)request->read << 60 |
                     (uint64_t)request->write << 61 |
                     (uint64_t)request->last << 62 |
                     (uint64_t)request->pasid_valid << 63;
    uint64_t word1 = (request->address & ~0xfffULL) | (request->group & 0x1ff);

    return (PriRecord) { { cpu_to_le64(word0), cpu_to_le64(word1) } };
}

static void respond(SMMUv3Nested *n, PCIDevice *dev, const NestedPageRequest *request,
                    bool pasid, NestedPageResponse response)
{
    const NestedDeviceOps *ops;
    bool stop_marker = request->pasid_valid && request->last &&
                       !request->read && !request->write;

    if (stop_marker ||
        !nested_device_find(n->smmu->smmu_state.primary_bus, pci_requester_id(dev), &ops)) {
        return;
    }
    ops->page_response(dev, pasid, pasid ? request->pasid : 0, request->group, response);
}

/* 8.1: only the last request of a group is answered, with success. */
static void request_overflow(SMMUv3Nested *n, PCIDevice *dev, const NestedPageRequest *request)
{
    SMMUNestedConfig config = {};

    overflow(&n->priq);
    if (!request->last) {
        return;
    }
    if (!request->pasid_valid) {
        respond(n, dev, request, false, NESTED_PRG_SUCCESS);
    } else if (smmu_nested_stream(n, pci_requester_id(dev), &config)) {
        respond(n, dev, request, config.ppar, NESTED_PRG_SUCCESS);
    } else {
        respond(n, dev, request, false, NESTED_PRG_FAILURE);
    }
}

void smmu_nested_page_request(SMMUv3Nested *n, PCIDevice *dev,
                              const NestedPageRequest *request)
{
    SMMUv3State *s = n->smmu;
    SMMUQueue *q = &n->priq;
    PriRecord record = encode_request(pci_requester_id(dev), request);

    /* 8.2: SMMUEN=0 implies PRIQEN=0. */
    if (!smmu_enabled(s) || !(s->cr[0] & CR0_PRIQEN) ||
        error_active(s, R_GERROR_PRIQ_ABT_ERR_MASK)) {
        respond(n, dev, request, false, NESTED_PRG_FAILURE);
        return;
    }
    if (smmuv3_q_full(q) || overflow_active(q)) {
        request_overflow(n, dev, request);
        return;
    }
    if (dma_memory_write(&address_space_memory, Q_PROD_ENTRY(q), &record, sizeof(record),
                         MEMTXATTRS_UNSPECIFIED) != MEMTX_OK) {
        smmu_nested_gerror(n, R_GERROR_PRIQ_ABT_ERR_MASK);
        respond(n, dev, request, false, NESTED_PRG_FAILURE);
        return;
    }
    advance(q);
    if (FIELD_EX32(s->irq_ctrl, IRQ_CTRL, PRI_IRQEN)) {
        qemu_irq_pulse(s->irq[SMMU_IRQ_PRIQ]);
    }
}
