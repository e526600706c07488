// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's context entry and PASID tables: what they say.
 *
 * Invariants:
 *  - every word is read once, into memory of the kernel, and then looked at: a guest
 *    that changes an entry meanwhile gets the one or the other, and what was checked is
 *    what is used. A mixture of both words can be had, as with hardware; it is checked
 *    like any other;
 *  - every bit is known: one that the architecture, or this guest's capabilities, do not
 *    define makes its entry illegal. Fields that hardware ignores for the type of an
 *    entry are ignored;
 *  - a walk reads each directory entry once and one table for each of them, however
 *    they refer to each other; it visits no PASID that is out of the context's range or
 *    of the guest's;
 *  - nothing here depends on what was there before.
 */
#include <linux/bitfield.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "pasid.h"

/* Bits of a guest physical address: 11.4.2, MGAW is one less than that. */
static u64 beyond_guest(const struct vtd_limits *limits)
{
	u32 bits = FIELD_GET(CAP_MGAW, limits->cap) + 1;

	return bits < 64 ? ~GENMASK_ULL(bits - 1, 0) : 0;
}

static u64 context_word0(const struct vtd_limits *limits)
{
	u64 known = CTX0_P | CTX0_FPD | CTX0_PDTS |
		    (CTX0_PASIDDIRPTR & ~beyond_guest(limits));

	if (limits->ecap & ECAP_DT)
		known |= CTX0_DTE;
	if (limits->ecap & ECAP_PASID)
		known |= CTX0_PASIDE;
	if (limits->ecap & ECAP_PRS)
		known |= CTX0_PRE;
	return known;
}

/**
 * vtd_context_check - what a guest's context entry says
 * @words: its four words, which nobody changes
 * @limits: the guest's
 * @context: filled in
 * @why: set where it is not legal
 *
 * Return: 0, also if it is not present; -EINVAL: it is not legal.
 */
int vtd_context_check(const __le64 *words, const struct vtd_limits *limits,
		      struct vtd_context *context, const char **why)
{
	u64 word0 = le64_to_cpu(words[0]);

	memset(context, 0, sizeof(*context));
	if (!(word0 & CTX0_P))
		return 0;
	/* RID_PASID and RID_PRIV depend on ECAP.RPS and on what the host sets. */
	if (word0 & ~context_word0(limits) || words[1] || words[2] || words[3]) {
		*why = "a reserved bit is set";
		return -EINVAL;
	}

	context->present = true;
	context->pasids = word0 & CTX0_PASIDE;
	context->page_requests = word0 & CTX0_PRE;
	context->directory = word0 & CTX0_PASIDDIRPTR;
	context->pasid_limit = PASIDS_PER_TABLE <<
			       (FIELD_GET(CTX0_PDTS, word0) + 7);
	return 0;
}

static int check_first_stage(const u64 *word, const struct vtd_limits *limits,
			     struct vtd_entry *entry, const char **why)
{
	u64 known = PTE2_FSPM | PTE2_FSPTPTR | PTE2_WPE;

	if (limits->ecap & ECAP_SRS)
		known |= PTE2_SRE;
	if (limits->ecap & ECAP_EAFS)
		known |= PTE2_EAFE;
	if (word[2] & ~known) {
		*why = "a reserved bit is set";
		return -EINVAL;
	}
	if (word[2] & PTE2_FSPTPTR & beyond_guest(limits)) {
		*why = "the table is outside of the guest's address space";
		return -EINVAL;
	}

	switch (FIELD_GET(PTE2_FSPM, word[2])) {
	case PTE_FSPM_4LEVEL:
		break;
	case PTE_FSPM_5LEVEL:
		if (limits->cap & CAP_FS5LP)
			break;
		fallthrough;
	default:
		*why = "this number of levels is not possible";
		return -EINVAL;
	}
	entry->kind = VTD_STAGE1;
	entry->five_levels = FIELD_GET(PTE2_FSPM, word[2]) == PTE_FSPM_5LEVEL;
	entry->sre = word[2] & PTE2_SRE;
	entry->wpe = word[2] & PTE2_WPE;
	entry->eafe = word[2] & PTE2_EAFE;
	entry->table = word[2] & PTE2_FSPTPTR;
	return 0;
}

static int check_present(const u64 *word, const struct vtd_limits *limits,
			 struct vtd_entry *entry, const char **why)
{
	const u64 known0 = PTE0_P | PTE0_FPD | PTE0_AW | PTE0_PGTT | PTE0_SSADE |
			   PTE0_SSPTPTR;
	const u64 known1 = PTE1_DID | PTE1_PWSNP | PTE1_PGSNP;

	if (word[0] & ~known0 || word[1] & ~known1 || word[3]) {
		*why = "a reserved bit is set";
		return -EINVAL;
	}
	entry->did = FIELD_GET(PTE1_DID, word[1]);

	switch (FIELD_GET(PTE0_PGTT, word[0])) {
	case PTE_PGTT_FIRST:
		if (limits->ecap & ECAP_FSTS)
			return check_first_stage(word, limits, entry, why);
		break;
	case PTE_PGTT_PASSTHROUGH:
		if (!(limits->ecap & ECAP_PT))
			break;
		entry->kind = VTD_PASSTHROUGH;
		return 0;
	}
	*why = "this type of translation is not possible";
	return -EINVAL;
}

/**
 * vtd_entry_check - what a guest's PASID table entry says
 * @words: its eight words, which nobody changes; the last four are software's
 * @limits: the guest's
 * @entry: filled in
 * @why: set where it is not legal
 *
 * Return: 0; -EINVAL: it is not legal, and @entry is VTD_BLOCKED.
 */
int vtd_entry_check(const __le64 *words, const struct vtd_limits *limits,
		    struct vtd_entry *entry, const char **why)
{
	u64 word[4];
	int i, ret;

	memset(entry, 0, sizeof(*entry));
	for (i = 0; i < ARRAY_SIZE(word); i++)
		word[i] = le64_to_cpu(words[i]);
	if (!(word[0] & PTE0_P))
		return 0;
	ret = check_present(word, limits, entry, why);
	if (ret)
		memset(entry, 0, sizeof(*entry));
	return ret;
}

/**
 * vtd_entry_equal - whether two entries ask the hardware for the same
 * @a: one
 * @b: the other
 */
bool vtd_entry_equal(const struct vtd_entry *a, const struct vtd_entry *b)
{
	return a->kind == b->kind && a->did == b->did && a->sre == b->sre &&
	       a->wpe == b->wpe && a->eafe == b->eafe &&
	       a->five_levels == b->five_levels && a->table == b->table;
}

/* The PASIDs that both the context and the hardware have. */
static u32 pasid_end(const struct vtd_context *context,
		     const struct vtd_limits *limits)
{
	if (!context->present)
		return 0;
	if (!context->pasids || !limits->pasid_bits)
		return VTD_RID_PASID + 1;
	return min(1U << limits->pasid_bits, context->pasid_limit);
}

/* -ENXIO: the directory entry is not present, or not legal. */
static int check_directory(__le64 word, const struct vtd_limits *limits,
			   u64 *table)
{
	u64 known = PDE_P | PDE_FPD | (PDE_SMPTBLPTR & ~beyond_guest(limits));
	u64 pde = le64_to_cpu(word);

	if (!(pde & PDE_P) || pde & ~known)
		return -ENXIO;
	*table = pde & PDE_SMPTBLPTR;
	return 0;
}

/* Directory entries from that for @pasid on. -ENXIO: they are not in memory. */
static int read_directory(const struct vtd_memory *memory,
			  const struct vtd_context *context, u32 pasid,
			  __le64 *words, u32 num)
{
	u64 where = context->directory +
		    (u64)(pasid >> PASID_TABLE_SHIFT) * PDE_SIZE;

	return memory->read(memory->data, where, words, num * PDE_SIZE);
}

static int read_entry(const struct vtd_memory *memory, u64 table,
		      const struct vtd_limits *limits, u32 pasid,
		      struct vtd_entry *entry, const char **why)
{
	__le64 words[PTE_WORDS];
	int ret;

	ret = memory->read(memory->data,
			   table + (u64)(pasid % PASIDS_PER_TABLE) * PTE_SIZE,
			   words, sizeof(words));
	return ret ?: vtd_entry_check(words, limits, entry, why);
}

/**
 * vtd_pasid_read - the entry of one PASID, as it is now
 * @memory: the guest's
 * @context: where its tables are
 * @limits: the guest's
 * @pasid: any number
 * @entry: filled in; VTD_BLOCKED also for what is not legal, or cannot be read
 * @why: set where it is not legal, else NULL
 *
 * Return: 0; an error of @memory other than -ENXIO.
 */
int vtd_pasid_read(const struct vtd_memory *memory,
		   const struct vtd_context *context,
		   const struct vtd_limits *limits, u32 pasid,
		   struct vtd_entry *entry, const char **why)
{
	__le64 word;
	u64 table;
	int ret;

	*why = NULL;
	memset(entry, 0, sizeof(*entry));
	if (pasid >= pasid_end(context, limits))
		return 0;
	ret = read_directory(memory, context, pasid, &word, 1);
	if (!ret)
		ret = check_directory(word, limits, &table);
	if (!ret)
		ret = read_entry(memory, table, limits, pasid, entry, why);
	return ret == -ENXIO || ret == -EINVAL ? 0 : ret;
}

/*
 * The first entry that is present, from @i on, of @num that are @step words each; @num:
 * there is none. Most of a guest's tables is empty.
 */
static u32 next_present(const __le64 *words, u32 step, u32 i, u32 num)
{
	static_assert(PDE_P == PTE0_P);

	while (i < num && !(words[i * step] & cpu_to_le64(PTE0_P)))
		i++;
	return i;
}

/* The words of a table that lie in one page of the guest's are read at once. */
static int walk_table(const struct vtd_memory *memory, u64 table,
		      const struct vtd_limits *limits, u32 first, u32 num,
		      __le64 *words, const struct vtd_visitor *visitor)
{
	struct vtd_entry entry;
	const char *why;
	int ret;
	u32 i;

	ret = memory->read(memory->data, table, words,
			   PASIDS_PER_TABLE * PTE_SIZE);
	if (ret)
		return ret;
	for (i = 0; (i = next_present(words, PTE_WORDS, i, num)) < num; i++) {
		if (vtd_entry_check(&words[i * PTE_WORDS], limits, &entry, &why))
			continue;
		ret = visitor->visit(visitor->data, first + i, &entry);
		if (ret)
			return ret;
	}
	return 0;
}

/* What a walk has in its hands; both parts lie in one page of the guest's. */
struct walk_buffer {
	__le64 directory[64];
	__le64 table[PASIDS_PER_TABLE * PTE_WORDS];
};

/* What the tables say of which @num directory entries have been read, for @first to @end */
static int walk_directory(const struct vtd_memory *memory,
			  const struct vtd_limits *limits, u32 first, u32 end,
			  u32 num, struct walk_buffer *buffer,
			  const struct vtd_visitor *visitor)
{
	u32 i, pasid;
	u64 table;
	int ret;

	for (i = 0; (i = next_present(buffer->directory, 1, i, num)) < num; i++) {
		if (check_directory(buffer->directory[i], limits, &table))
			continue;
		pasid = first + i * PASIDS_PER_TABLE;
		ret = walk_table(memory, table, limits, pasid,
				 min(PASIDS_PER_TABLE, end - pasid),
				 buffer->table, visitor);
		if (ret && ret != -ENXIO)
			return ret;
		cond_resched();
	}
	return 0;
}

static int walk(const struct vtd_memory *memory,
		const struct vtd_context *context,
		const struct vtd_limits *limits, struct walk_buffer *buffer,
		const struct vtd_visitor *visitor)
{
	const u32 step = ARRAY_SIZE(buffer->directory) * PASIDS_PER_TABLE;
	u32 end = pasid_end(context, limits);
	u32 first, last, num;
	int ret;

	for (first = 0; first < end; first += step) {
		last = min(first + step, end);
		num = DIV_ROUND_UP(last - first, PASIDS_PER_TABLE);
		ret = read_directory(memory, context, first, buffer->directory,
				     num);
		if (!ret)
			ret = walk_directory(memory, limits, first, last, num,
					     buffer, visitor);
		if (ret && ret != -ENXIO)
			return ret;
		cond_resched();
	}
	return 0;
}

/**
 * vtd_pasid_walk - visit all entries that are legal and present, in order of PASIDs
 * @memory: the guest's
 * @context: where its tables are
 * @limits: the guest's
 * @visitor: gets them
 *
 * Context: may sleep.
 * Return: 0; an error of @memory other than -ENXIO, or of @visitor; -ENOMEM.
 */
int vtd_pasid_walk(const struct vtd_memory *memory,
		   const struct vtd_context *context,
		   const struct vtd_limits *limits,
		   const struct vtd_visitor *visitor)
{
	struct walk_buffer *buffer;
	int ret;

	buffer = kmalloc_obj(*buffer, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	ret = walk(memory, context, limits, buffer, visitor);
	kfree(buffer);
	return ret;
}
