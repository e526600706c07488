// SPDX-License-Identifier: GPL-2.0
#include <errno.h>

#include "stage1.h"
#include "util.h"

#define ENTRY_VALID		VN_BIT(0)
/* At levels above the last one: a table and not a block. */
#define ENTRY_TABLE		VN_BIT(1)
/* At the last level: a page. */
#define ENTRY_PAGE		VN_BIT(1)
#define ENTRY_UNPRIVILEGED	VN_BIT(6)
#define ENTRY_READ_ONLY		VN_BIT(7)
#define ENTRY_INNER_SHAREABLE	(3ULL << 8)
#define ENTRY_ACCESSED		VN_BIT(10)
#define ENTRY_NOT_GLOBAL	VN_BIT(11)
#define ENTRY_ADDRESS		0x0000fffffffff000ULL

/* Bits of the address that one level of tables resolves. */
static unsigned int level_bits(const struct vn_stage1 *s1)
{
	return s1->granule - 3;
}

static unsigned int level_shift(const struct vn_stage1 *s1, unsigned int level)
{
	return s1->granule + (VN_S1_LAST_LEVEL - level) * level_bits(s1);
}

/* The first table may be smaller than a granule, never larger. */
static unsigned int index_bits(const struct vn_stage1 *s1, unsigned int level)
{
	if (level == s1->first_level)
		return s1->va_bits - level_shift(s1, level);
	return level_bits(s1);
}

static uint64_t *entry_at(struct vn_stage1 *s1, uint64_t table, uint64_t iova,
			  unsigned int level)
{
	uint64_t *entries = vn_vm_va(s1->vm, table);

	return &entries[vn_get_field(iova, level_shift(s1, level),
				     index_bits(s1, level))];
}

static void write_entry(uint64_t *entry, uint64_t value)
{
	vn_barrier();
	vn_write_once(entry, value);
	vn_barrier();
}

uint64_t vn_s1_size(const struct vn_stage1 *s1, unsigned int level)
{
	return 1ULL << level_shift(s1, level);
}

int vn_s1_init(struct vn_stage1 *s1, struct vn_vm *vm, unsigned int granule,
	       unsigned int va_bits)
{
	unsigned int levels;
	size_t size;

	s1->vm = vm;
	s1->granule = granule;
	s1->va_bits = va_bits;
	levels = (va_bits - granule + granule - 4) / (granule - 3);
	s1->first_level = VN_S1_LAST_LEVEL + 1 - levels;
	size = (size_t)1 << granule;
	s1->table = vn_vm_alloc(vm, size, size);
	return s1->table ? 0 : vn_fail(-ENOMEM, "no guest memory for a page table");
}

static int next_table(struct vn_stage1 *s1, uint64_t *entry, uint64_t *table)
{
	size_t size = (size_t)1 << s1->granule;

	if ((*entry & (ENTRY_VALID | ENTRY_TABLE)) == (ENTRY_VALID | ENTRY_TABLE)) {
		*table = *entry & ENTRY_ADDRESS;
		return 0;
	}
	*table = vn_vm_alloc(s1->vm, size, size);
	if (!*table)
		return vn_fail(-ENOMEM, "no guest memory for a page table");
	write_entry(entry, *table | ENTRY_VALID | ENTRY_TABLE);
	return 0;
}

int vn_s1_map_at(struct vn_stage1 *s1, uint64_t iova, uint64_t ipa, int prot,
		 unsigned int level)
{
	uint64_t value = ENTRY_VALID | ENTRY_ACCESSED | ENTRY_INNER_SHAREABLE |
			 ENTRY_UNPRIVILEGED | ENTRY_NOT_GLOBAL;
	uint64_t table = s1->table;
	unsigned int at;
	int ret;

	if ((iova | ipa) & (vn_s1_size(s1, level) - 1))
		return vn_fail(-EINVAL, "not aligned for level %u", level);
	for (at = s1->first_level; at < level; at++) {
		ret = next_table(s1, entry_at(s1, table, iova, at), &table);
		if (ret)
			return ret;
	}
	if (level == VN_S1_LAST_LEVEL)
		value |= ENTRY_PAGE;
	if (!(prot & VN_PROT_WRITE))
		value |= ENTRY_READ_ONLY;
	write_entry(entry_at(s1, table, iova, level), value | ipa);
	return 0;
}

int vn_s1_map(struct vn_stage1 *s1, uint64_t iova, uint64_t ipa, uint64_t size,
	      int prot)
{
	uint64_t page = vn_s1_size(s1, VN_S1_LAST_LEVEL);
	uint64_t done;
	int ret;

	for (done = 0; done < size; done += page) {
		ret = vn_s1_map_at(s1, iova + done, ipa + done, prot,
				   VN_S1_LAST_LEVEL);
		if (ret)
			return ret;
	}
	return 0;
}

uint64_t *vn_s1_entry(struct vn_stage1 *s1, uint64_t iova, unsigned int *level)
{
	uint64_t table = s1->table;
	uint64_t *entry;
	unsigned int at;

	for (at = s1->first_level;; at++) {
		entry = entry_at(s1, table, iova, at);
		*level = at;
		if (at == VN_S1_LAST_LEVEL || !(*entry & ENTRY_VALID) ||
		    !(*entry & ENTRY_TABLE))
			return entry;
		table = *entry & ENTRY_ADDRESS;
	}
}

void vn_s1_unmap(struct vn_stage1 *s1, uint64_t iova)
{
	unsigned int level;

	write_entry(vn_s1_entry(s1, iova, &level), 0);
}
