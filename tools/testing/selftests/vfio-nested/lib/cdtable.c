// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <errno.h>

#include "cdtable.h"
#include "util.h"

#define L1_VALID	VN_BIT(0)
#define L1_POINTER	0x000ffffffffff000ULL
#define L1_SIZE		sizeof(uint64_t)

/* Descriptors of a leaf, by log2 */
static unsigned int leaf_bits(const struct vn_cdtable *table)
{
	switch (table->format) {
	case VN_CDTABLE_4K:
		return 6;
	case VN_CDTABLE_64K:
		return 10;
	default:
		return table->cdmax;
	}
}

/* Tables are aligned to their size, at least to 64 bytes. */
static uint64_t alloc(struct vn_vm *vm, size_t size)
{
	return vn_vm_alloc(vm, size, size < VN_CD_SIZE ? VN_CD_SIZE : size);
}

int vn_cdtable_init(struct vn_cdtable *table, struct vn_vm *vm,
		    enum vn_cdtable_format format, unsigned int cdmax)
{
	size_t size = (size_t)VN_CD_SIZE << cdmax;

	table->vm = vm;
	table->format = format;
	table->cdmax = cdmax;
	if (format != VN_CDTABLE_LINEAR)
		size = cdmax > leaf_bits(table) ?
		       L1_SIZE << (cdmax - leaf_bits(table)) : L1_SIZE;
	table->table = alloc(vm, size);
	return table->table ? 0 :
	       vn_fail(-ENOMEM, "no guest memory for 1 << %u context descriptors",
		       cdmax);
}

uint64_t *vn_cdtable_l1(struct vn_cdtable *table, uint32_t ssid)
{
	uint64_t *entries = vn_vm_va(table->vm, table->table);

	return table->format == VN_CDTABLE_LINEAR ? NULL :
	       &entries[ssid >> leaf_bits(table)];
}

uint64_t *vn_cdtable_cd(struct vn_cdtable *table, uint32_t ssid)
{
	uint64_t *l1 = vn_cdtable_l1(table, ssid);
	uint64_t leaf = table->table;
	uint64_t *cds;

	if (l1) {
		if (!(le64toh(*l1) & L1_VALID))
			return NULL;
		leaf = le64toh(*l1) & L1_POINTER;
	}
	cds = vn_vm_va(table->vm, leaf);
	return &cds[vn_get_field(ssid, 0, leaf_bits(table) ?: 1) * VN_CD_WORDS];
}

static int make_leaf(struct vn_cdtable *table, uint64_t *l1)
{
	uint64_t leaf = alloc(table->vm, (size_t)VN_CD_SIZE << leaf_bits(table));

	if (!leaf)
		return vn_fail(-ENOMEM, "no guest memory for context descriptors");
	vn_barrier();
	vn_write_once(l1, htole64(leaf | L1_VALID));
	vn_barrier();
	return 0;
}

int vn_cdtable_set(struct vn_cdtable *table, uint32_t ssid,
		   const uint64_t cd[VN_CD_WORDS])
{
	uint64_t *l1 = vn_cdtable_l1(table, ssid);
	int ret;

	if (ssid >> table->cdmax)
		return vn_fail(-EINVAL, "PASID %u is not below 1 << %u", ssid,
			       table->cdmax);
	if (l1 && !(le64toh(*l1) & L1_VALID)) {
		ret = make_leaf(table, l1);
		if (ret)
			return ret;
	}
	vn_cd_write(vn_cdtable_cd(table, ssid), cd);
	return 0;
}

void vn_cdtable_clear(struct vn_cdtable *table, uint32_t ssid)
{
	uint64_t *cd = vn_cdtable_cd(table, ssid);

	if (!cd)
		return;
	vn_write_once(&cd[0], cd[0] & ~htole64(VN_CD0_V));
	vn_barrier();
}

void vn_cdtable_ste(const struct vn_cdtable *table, unsigned int s1dss,
		    uint64_t ste[2])
{
	vn_ste_s1(ste, table->table);
	ste[0] |= VN_STE0_S1FMT(table->format) | VN_STE0_S1CDMAX(table->cdmax);
	ste[1] |= VN_STE1_S1DSS(s1dss);
}
