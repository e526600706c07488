// SPDX-License-Identifier: GPL-2.0
/*
 * Stream Table Entries and Context Descriptors: fetched, cached, checked and
 * decoded.
 *
 * Invariants:
 *  - What was fetched is used until software invalidates it, valid or not, and
 *    is decoded anew for each transaction: a missing CMD_CFGI_* shows.
 *  - Each kind of structure is cached by itself (4.3).  Level 1 Stream Table
 *    Descriptors are not cached.
 *  - An ILLEGAL structure is never used in part.
 */
#include "qemu/osdep.h"
#include "smmuv3-nested-internal.h"

#define CACHE_LIMIT         4096        /* entries, then all are dropped */
#define SSID_INDEX_BITS     20

typedef struct Entry {                  /* an STE or a CD, in words of 64 bits */
    uint64_t word[8];
} Entry;

/* STE.S1Fmt and the bits of SubstreamID that index a leaf table. */
enum { S1FMT_LINEAR, S1FMT_4K, S1FMT_64K };
static const uint8_t leaf_bits[] = { [S1FMT_4K] = 6, [S1FMT_64K] = 10 };

/* STE.S1DSS: transactions without a SubstreamID, where there are substreams. */
enum { S1DSS_TERMINATE, S1DSS_BYPASS, S1DSS_SSID0 };

#define STALL_MODEL_BOTH    0
#define STALL_MODEL_NONE    1
#define STALL_MODEL_FORCE   2

/* --- Caches --------------------------------------------------------------- */

static uint64_t cache_key(uint32_t sid, uint32_t index)
{
    return (uint64_t)sid << SSID_INDEX_BITS | index;
}

static void *cache_get(GHashTable *cache, uint64_t key)
{
    return g_hash_table_lookup(cache, &key);
}

static void cache_put(GHashTable *cache, uint64_t key, const void *data, size_t size)
{
    if (g_hash_table_size(cache) >= CACHE_LIMIT) {
        g_hash_table_remove_all(cache);
    }
    g_hash_table_insert(cache, g_memdup2(&key, sizeof(key)), g_memdup2(data, size));
}

typedef struct KeyRange {
    uint64_t first, last;
} KeyRange;

static gboolean in_range(gpointer key, gpointer value, gpointer range)
{
    uint64_t number = *(uint64_t *)key;
    KeyRange *r = range;

    return number >= r->first && number <= r->last;
}

static void cache_drop(GHashTable *cache, uint32_t first, uint32_t last)
{
    KeyRange range = {
        cache_key(first, 0), cache_key(last, MAKE_64BIT_MASK(0, SSID_INDEX_BITS))
    };

    g_hash_table_foreach_remove(cache, in_range, &range);
}

static GHashTable *cache_new(void)
{
    return g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
}

void smmu_nested_config_init(SMMUv3Nested *n)
{
    n->stes = cache_new();
    n->l1cds = cache_new();
    n->cds = cache_new();
}

void smmu_nested_config_reset(SMMUv3Nested *n)
{
    g_hash_table_remove_all(n->stes);
    g_hash_table_remove_all(n->l1cds);
    g_hash_table_remove_all(n->cds);
}

void smmu_nested_forget_cds(SMMUv3Nested *n, uint32_t first, uint32_t last)
{
    cache_drop(n->l1cds, first, last);
    cache_drop(n->cds, first, last);
}

void smmu_nested_forget_stes(SMMUv3Nested *n, uint32_t first, uint32_t last)
{
    cache_drop(n->stes, first, last);
    smmu_nested_forget_cds(n, first, last);
}

/*
 * The level 1 descriptors are indexed by what the STE said when they were
 * fetched, which may have changed: drop all that may have led to the CD.
 */
void smmu_nested_forget_cd(SMMUv3Nested *n, uint32_t sid, uint32_t ssid, bool leaf)
{
    uint64_t key = cache_key(sid, ssid);

    g_hash_table_remove(n->cds, &key);
    if (!leaf) {
        for (unsigned format = S1FMT_4K; format <= S1FMT_64K; format++) {
            key = cache_key(sid, ssid >> leaf_bits[format]);
            g_hash_table_remove(n->l1cds, &key);
        }
    }
}

/* --- Fetching ------------------------------------------------------------- */

static bool fetch(uint64_t address, uint64_t *words, unsigned count)
{
    if (dma_memory_read(&address_space_memory, address, words, count * sizeof(*words),
                        MEMTXATTRS_UNSPECIFIED) != MEMTX_OK) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        words[i] = le64_to_cpu(words[i]);
    }
    return true;
}

static bool fail(SMMUNestedEvent *event, SMMUEventType type, uint64_t address)
{
    event->type = type;
    event->ipa = address;
    return false;
}

/* 3.3.1: where the STE is. */
static bool locate_ste(SMMUv3State *s, uint32_t sid, uint64_t *address, SMMUNestedEvent *event)
{
    unsigned log2size = FIELD_EX32(s->strtab_base_cfg, STRTAB_BASE_CFG, LOG2SIZE);
    unsigned split = FIELD_EX32(s->strtab_base_cfg, STRTAB_BASE_CFG, SPLIT);
    bool two_levels = FIELD_EX32(s->strtab_base_cfg, STRTAB_BASE_CFG, FMT) == 1;
    uint64_t base = s->strtab_base & SMMU_BASE_ADDR_MASK;
    uint64_t l1std, l1ptr;
    unsigned span;

    if (sid >= BIT_ULL(MIN(log2size, SMMU_IDR1_SIDSIZE))) {
        return fail(event, SMMU_EVT_C_BAD_STREAMID, 0);
    }
    if (!two_levels) {
        base &= ~MAKE_64BIT_MASK(0, log2size + 6);
        *address = base + sid * sizeof(Entry);
        return true;
    }
    base &= ~MAKE_64BIT_MASK(0, MAX(6, (int)(log2size - split) + 3));
    l1ptr = base + (sid >> split) * sizeof(l1std);
    if (!fetch(l1ptr, &l1std, 1)) {
        return fail(event, SMMU_EVT_F_STE_FETCH, l1ptr);
    }
    span = extract64(l1std, 0, 5);
    if (!span || span > split + 1 || extract32(sid, 0, split) >= BIT_ULL(span - 1)) {
        return fail(event, SMMU_EVT_C_BAD_STREAMID, 0);
    }
    *address = (l1std & MAKE_64BIT_MASK(6, 50)) + extract32(sid, 0, split) * sizeof(Entry);
    return true;
}

static const Entry *get_ste(SMMUv3Nested *n, uint32_t sid, SMMUNestedEvent *event)
{
    uint64_t key = cache_key(sid, 0), address;
    Entry *ste = cache_get(n->stes, key);
    Entry fresh;

    if (ste) {
        return ste;
    }
    if (!locate_ste(n->smmu, sid, &address, event)) {
        return NULL;
    }
    if (!fetch(address, fresh.word, ARRAY_SIZE(fresh.word))) {
        fail(event, SMMU_EVT_F_STE_FETCH, address);
        return NULL;
    }
    cache_put(n->stes, key, &fresh, sizeof(fresh));
    return cache_get(n->stes, key);
}

/* A table or descriptor of stage 1: in IPA space if stage 2 is on. */
static bool fetch_stage1(SMMUv3Nested *n, SMMUNestedConfig *config, uint64_t address,
                         uint64_t *words, unsigned count, SMMUNestedEvent *event)
{
    if (config->cfg.stage == SMMU_NESTED &&
        !smmu_nested_stage2(n, config, address, SMMU_CLASS_CD, &address, event)) {
        return false;
    }
    if (!fetch(address, words, count)) {
        return fail(event, SMMU_EVT_F_CD_FETCH, address);
    }
    return true;
}

static bool get_l1cd(SMMUv3Nested *n, SMMUNestedConfig *config, uint32_t sid, uint64_t table,
                     uint32_t index, uint64_t *l1cd, SMMUNestedEvent *event)
{
    uint64_t key = cache_key(sid, index);
    uint64_t *cached = cache_get(n->l1cds, key);

    if (cached) {
        *l1cd = *cached;
        return true;
    }
    if (!fetch_stage1(n, config, table + index * sizeof(*l1cd), l1cd, 1, event)) {
        return false;
    }
    cache_put(n->l1cds, key, l1cd, sizeof(*l1cd));
    return true;
}

static const Entry *get_cd(SMMUv3Nested *n, SMMUNestedConfig *config, uint32_t sid,
                           const Entry *ste, uint32_t index, SMMUNestedEvent *event)
{
    uint64_t table = ste->word[0] & MAKE_64BIT_MASK(6, 50);
    unsigned cdmax = extract64(ste->word[0], 59, 5);
    unsigned format = cdmax ? extract64(ste->word[0], 4, 2) : S1FMT_LINEAR;
    uint64_t key = cache_key(sid, index), l1cd;
    Entry *cd = cache_get(n->cds, key);
    Entry fresh;

    if (cd) {
        return cd;
    }
    if (format == S1FMT_4K || format == S1FMT_64K) {
        unsigned bits = leaf_bits[format];

        if (!get_l1cd(n, config, sid, table, index >> bits, &l1cd, event)) {
            return NULL;
        }
        if (!(l1cd & 1)) {
            event->ssid = index;
            fail(event, SMMU_EVT_C_BAD_SUBSTREAMID, 0);
            return NULL;
        }
        table = l1cd & MAKE_64BIT_MASK(12, 44);
        if (!fetch_stage1(n, config, table + extract32(index, 0, bits) * sizeof(fresh),
                          fresh.word, ARRAY_SIZE(fresh.word), event)) {
            return NULL;
        }
    } else if (!fetch_stage1(n, config, table + index * sizeof(fresh), fresh.word,
                             ARRAY_SIZE(fresh.word), event)) {
        return NULL;
    }
    cache_put(n->cds, key, &fresh, sizeof(fresh));
    return cache_get(n->cds, key);
}

/* --- Stream Table Entries (5.2) ------------------------------------------- */

static unsigned stall_model(SMMUv3State *s)
{
    return FIELD_EX32(s->idr[0], IDR0, STALL_MODEL);
}

static bool supported_granule(unsigned shift)
{
    return shift == 12 || shift == 14 || shift == 16;
}

/* How many tables stand side by side where stage 2 starts. */
static bool stage2_start_valid(const SMMUS2Cfg *s2)
{
    unsigned stride = s2->granule_sz - 3;
    int level = s2->granule_sz == 12 ? 2 - s2->sl0 : 3 - s2->sl0;
    unsigned resolved = s2->granule_sz + (4 - level) * stride;
    unsigned ipa_bits = 64 - s2->tsz;

    return s2->sl0 != 3 && ipa_bits <= resolved + 4 && ipa_bits + stride > resolved;
}

static bool decode_stage2(SMMUv3State *s, const Entry *ste, SMMUNestedConfig *config)
{
    static const uint8_t granules[] = { 12, 16, 14, 0 };
    SMMUS2Cfg *s2 = &config->cfg.s2cfg;
    unsigned oas = FIELD_EX32(s->idr[5], IDR5, OAS);
    uint64_t w2 = ste->word[2];
    bool fwb = extract64(ste->word[1], 25, 1);

    s2->granule_sz = granules[extract64(w2, 46, 2)];
    s2->sl0 = extract64(w2, 38, 2);
    s2->tsz = extract64(w2, 32, 6);
    s2->eff_ps = oas2bits(MIN(extract64(w2, 48, 3), oas));
    s2->vttb = ste->word[3] & MAKE_64BIT_MASK(4, 48);
    s2->affd = extract64(w2, 53, 1);
    s2->record_faults = extract64(w2, 58, 1);
    config->s2_stall = extract64(w2, 57, 1);
    config->s2_record = s2->record_faults;
    config->cfg.oas = oas2bits(oas);

    return extract64(w2, 51, 1) &&              /* S2AA64: no AArch32 tables */
           !extract64(w2, 52, 1) &&             /* S2ENDI: little-endian */
           !extract64(w2, 55, 2) &&             /* S2HD, S2HA: no HTTU */
           supported_granule(s2->granule_sz) &&
           s2->tsz >= 64 - s2->eff_ps && s2->tsz <= 39 && s2->tsz >= 16 &&
           stage2_start_valid(s2) &&
           !(s2->vttb & ~MAKE_64BIT_MASK(0, s2->eff_ps)) &&
           (!fwb || FIELD_EX32(s->idr[3], IDR3, FWB)) &&
           !(config->s2_stall && stall_model(s) == STALL_MODEL_NONE) &&
           !(!config->s2_stall && stall_model(s) == STALL_MODEL_FORCE);
}

static bool stage1_legal(SMMUv3State *s, const Entry *ste, bool stage2)
{
    unsigned cdmax = extract64(ste->word[0], 59, 5);
    unsigned format = extract64(ste->word[0], 4, 2);
    bool stalld = extract64(ste->word[1], 27, 1);

    return cdmax <= FIELD_EX32(s->idr[1], IDR1, SSIDSIZE) &&
           (!cdmax || format == S1FMT_LINEAR ||
            (format <= S1FMT_64K && FIELD_EX32(s->idr[0], IDR0, CD2L))) &&
           (stage2 || !extract64(ste->word[1], 30, 2)) &&   /* STRW: IDR0.HYP=0 */
           !(stalld && stall_model(s) != STALL_MODEL_BOTH);
}

static bool decode_ste(SMMUv3State *s, const Entry *ste, SMMUNestedConfig *config)
{
    unsigned what = extract64(ste->word[0], 1, 3);
    bool stage1 = what & 1, stage2 = what & 2;
    unsigned eats = extract64(ste->word[1], 28, 2);

    if (!(ste->word[0] & 1)) {
        return false;
    }
    config->may_merge = extract64(ste->word[1], 19, 1);
    config->ppar = extract64(ste->word[1], 18, 1);
    config->privcfg = extract64(ste->word[1], 48, 2);
    config->instcfg = extract64(ste->word[1], 50, 2);
    config->cfg.asid = -1;
    config->cfg.s2cfg.vmid = STAGE2_SUPPORTED(s) ? extract64(ste->word[2], 0, 16) : -1;
    config->aborts = !(what & 4);
    config->bypass = what == 4;
    if (config->aborts || config->bypass) {
        return true;
    }
    config->ats = FIELD_EX32(s->idr[0], IDR0, ATS) && eats == 1;
    config->cfg.stage = what & 3;
    return (!stage1 || (STAGE1_SUPPORTED(s) && stage1_legal(s, ste, stage2))) &&
           (!stage2 || (STAGE2_SUPPORTED(s) && decode_stage2(s, ste, config))) &&
           !(FIELD_EX32(s->idr[0], IDR0, ATS) && eats > 1);     /* NS1ATS, no DPT */
}

/* --- Context Descriptors (5.4) -------------------------------------------- */

static bool decode_table(SMMUv3State *s, const Entry *cd, unsigned i, SMMUNestedConfig *config)
{
    SMMUTransTableInfo *tt = &config->cfg.tt[i];
    uint64_t w0 = cd->word[0];

    tt->disabled = extract64(w0, 14 + 16 * i, 1);
    if (tt->disabled) {
        return true;
    }
    tt->tsz = extract64(w0, 16 * i, 6);
    tt->granule_sz = tg2granule(extract64(w0, 6 + 16 * i, 2), i);
    tt->ttb = cd->word[1 + i] & MAKE_64BIT_MASK(4, 48);
    tt->had = extract64(cd->word[1 + i], 1, 1);
    return tt->tsz >= 16 && tt->tsz <= 39 && supported_granule(tt->granule_sz) &&
           !(tt->ttb & ~MAKE_64BIT_MASK(0, config->cfg.oas));
}

static bool decode_cd(SMMUv3State *s, const Entry *ste, const Entry *cd,
                      SMMUNestedConfig *config)
{
    uint64_t w0 = cd->word[0];
    unsigned oas = FIELD_EX32(s->idr[5], IDR5, OAS);
    bool stalld = extract64(ste->word[1], 27, 1);
    bool stall = extract64(w0, 44, 1);
    bool abort = extract64(w0, 46, 1);

    config->cfg.aa64 = true;
    config->cfg.oas = MIN(oas2bits(MIN(extract64(w0, 32, 3), 5)), oas2bits(oas));
    config->cfg.affd = extract64(w0, 35, 1);
    config->cfg.tbi = extract64(w0, 38, 2);
    config->cfg.asid = extract64(w0, 48, 16);
    config->s1_stall = stall;
    config->s1_abort = abort;
    config->s1_record = extract64(w0, 45, 1);
    config->cfg.record_faults = config->s1_record;

    return extract64(w0, 31, 1) &&              /* V */
           extract64(w0, 41, 1) &&              /* AA64 */
           !extract64(w0, 15, 1) &&             /* ENDI */
           !extract64(w0, 42, 2) &&             /* HD, HA: no HTTU */
           (abort || !FIELD_EX32(s->idr[0], IDR0, TERM_MODEL)) &&
           !(stall && stalld) &&
           !(stall && stall_model(s) == STALL_MODEL_NONE) &&
           !(!stall && stall_model(s) == STALL_MODEL_FORCE) &&
           decode_table(s, cd, 0, config) && decode_table(s, cd, 1, config);
}

/* --- Together ------------------------------------------------------------- */

/*
 * Which CD a transaction uses.  Returns false, with @event filled, if it is
 * terminated; sets config->bypass or drops stage 1 if it uses none.
 */
static bool select_cd(SMMUv3State *s, const Entry *ste, const NestedAccess *access,
                      SMMUNestedConfig *config, uint32_t *index, SMMUNestedEvent *event)
{
    unsigned cdmax = extract64(ste->word[0], 59, 5);
    unsigned s1dss = extract64(ste->word[1], 0, 2);
    bool stage1 = config->cfg.stage & SMMU_STAGE_1;

    *index = 0;
    if (access->pasid_valid) {
        if (!stage1 || !cdmax || access->pasid >= BIT(cdmax)) {
            return fail(event, SMMU_EVT_C_BAD_SUBSTREAMID, 0);
        }
        if (!access->pasid && s1dss == S1DSS_SSID0) {
            return fail(event, SMMU_EVT_F_STREAM_DISABLED, 0);
        }
        *index = access->pasid;
        return true;
    }
    if (!stage1 || !cdmax || s1dss == S1DSS_SSID0) {
        return true;
    }
    if (s1dss != S1DSS_BYPASS) {
        return fail(event, SMMU_EVT_F_STREAM_DISABLED, 0);
    }
    if (config->cfg.stage == SMMU_NESTED) {
        config->cfg.stage = SMMU_STAGE_2;
    } else {
        config->bypass = true;
    }
    return true;
}

bool smmu_nested_config(SMMUv3Nested *n, uint32_t sid, const NestedAccess *access,
                        SMMUNestedConfig *config, SMMUNestedEvent *event)
{
    SMMUv3State *s = n->smmu;
    const Entry *cached = get_ste(n, sid, event), *cd;
    Entry ste;
    uint32_t index;

    if (!cached) {
        return false;
    }
    ste = *cached;
    if (!decode_ste(s, &ste, config)) {
        return fail(event, SMMU_EVT_C_BAD_STE, 0);
    }
    event->may_merge = config->may_merge;
    if (config->aborts) {
        return true;
    }
    if (!select_cd(s, &ste, access, config, &index, event)) {
        return false;
    }
    if (config->bypass || !(config->cfg.stage & SMMU_STAGE_1)) {
        return true;
    }
    cd = get_cd(n, config, sid, &ste, index, event);
    if (!cd) {
        return false;
    }
    if (!decode_cd(s, &ste, cd, config)) {
        return fail(event, SMMU_EVT_C_BAD_CD, 0);
    }
    return true;
}

bool smmu_nested_stream(SMMUv3Nested *n, uint32_t sid, SMMUNestedConfig *config)
{
    SMMUNestedEvent ignored = {};
    const Entry *ste = smmu_enabled(n->smmu) ? get_ste(n, sid, &ignored) : NULL;

    return ste && decode_ste(n->smmu, ste, config);
}
