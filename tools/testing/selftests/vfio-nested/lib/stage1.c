// SPDX-License-Identifier: GPL-2.0
#include <errno.h>

#include "stage1.h"
#include "util.h"

/* Of both formats; each has bits of its own above 48 and below 12. */
#define ENTRY_ADDRESS		0x0000fffffffff000ULL

#define VMSA_VALID		VN_BIT(0)
/* At levels above the last one: a table and not a block. */
#define VMSA_TABLE		VN_BIT(1)
/* At the last level: a page. */
#define VMSA_PAGE		VN_BIT(1)
#define VMSA_UNPRIVILEGED	VN_BIT(6)
#define VMSA_READ_ONLY		VN_BIT(7)
#define VMSA_INNER_SHAREABLE	(3ULL << 8)
#define VMSA_ACCESSED		VN_BIT(10)
#define VMSA_NOT_GLOBAL		VN_BIT(11)

const struct vn_s1_format vn_s1_vmsa = {
	.table = VMSA_VALID | VMSA_TABLE,
	.table_mask = VMSA_VALID | VMSA_TABLE,
	.table_value = VMSA_VALID | VMSA_TABLE,
	.leaf = VMSA_VALID | VMSA_ACCESSED | VMSA_INNER_SHAREABLE |
		VMSA_UNPRIVILEGED | VMSA_NOT_GLOBAL,
	.page = VMSA_PAGE,
	.read_only = VMSA_READ_ONLY,
};

#define X86_PRESENT		VN_BIT(0)
#define X86_WRITE		VN_BIT(1)
#define X86_USER		VN_BIT(2)
/* Above the last level: a large page and not a table. */
#define X86_LARGE		VN_BIT(7)

const struct vn_s1_format vn_s1_x86 = {
	.table = X86_PRESENT | X86_WRITE | X86_USER,
	.table_mask = X86_PRESENT | X86_LARGE,
	.table_value = X86_PRESENT,
	.leaf = X86_PRESENT | X86_USER,
	.block = X86_LARGE,
	.writable = X86_WRITE,
	.sign_extended = true,
};

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

uint64_t vn_s1_address(const struct vn_stage1 *s1, uint64_t iova)
{
	if (s1->format->sign_extended && iova & VN_BIT(s1->va_bits - 1))
		iova |= ~0ULL << s1->va_bits;
	return iova;
}

int vn_s1_init(struct vn_stage1 *s1, struct vn_vm *vm,
	       const struct vn_s1_format *format, unsigned int granule,
	       unsigned int va_bits)
{
	unsigned int levels;
	size_t size;

	s1->vm = vm;
	s1->format = format;
	s1->granule = granule;
	s1->va_bits = va_bits;
	levels = (va_bits - granule + granule - 4) / (granule - 3);
	s1->first_level = VN_S1_LAST_LEVEL + 1 - levels;
	size = (size_t)1 << granule;
	s1->table = vn_vm_alloc(vm, size, size);
	return s1->table ? 0 : vn_fail(-ENOMEM, "no guest memory for a page table");
}

static bool is_table(const struct vn_stage1 *s1, uint64_t entry)
{
	return (entry & s1->format->table_mask) == s1->format->table_value;
}

static int next_table(struct vn_stage1 *s1, uint64_t *entry, uint64_t *table)
{
	size_t size = (size_t)1 << s1->granule;

	if (is_table(s1, *entry)) {
		*table = *entry & ENTRY_ADDRESS;
		return 0;
	}
	*table = vn_vm_alloc(s1->vm, size, size);
	if (!*table)
		return vn_fail(-ENOMEM, "no guest memory for a page table");
	write_entry(entry, *table | s1->format->table);
	return 0;
}

int vn_s1_map_at(struct vn_stage1 *s1, uint64_t iova, uint64_t ipa, int prot,
		 unsigned int level)
{
	const struct vn_s1_format *format = s1->format;
	uint64_t value = format->leaf;
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
	value |= level == VN_S1_LAST_LEVEL ? format->page : format->block;
	value |= prot & VN_PROT_WRITE ? format->writable : format->read_only;
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
		if (at == VN_S1_LAST_LEVEL || !is_table(s1, *entry))
			return entry;
		table = *entry & ENTRY_ADDRESS;
	}
}

void vn_s1_unmap(struct vn_stage1 *s1, uint64_t iova)
{
	unsigned int level;

	write_entry(vn_s1_entry(s1, iova, &level), 0);
}
