// SPDX-License-Identifier: GPL-2.0
/*
 * Page requests as the kernel has them, and as a guest's VT-d driver reads them.
 *
 * Invariants: the record holds nothing but what the request says and the guest's own id
 * of the device; what it leaves out is zero.
 */
#include <linux/bitfield.h>
#include <linux/kernel.h>

#include "prq.h"

static u32 rights(u32 perm)
{
	static const struct {
		u32 perm;
		u32 flag;
	} map[] = {
		{ IOMMU_FAULT_PERM_READ,	VFIO_NESTED_FAULT_READ },
		{ IOMMU_FAULT_PERM_WRITE,	VFIO_NESTED_FAULT_WRITE },
		{ IOMMU_FAULT_PERM_EXEC,	VFIO_NESTED_FAULT_EXEC },
		{ IOMMU_FAULT_PERM_PRIV,	VFIO_NESTED_FAULT_PRIV },
	};
	u32 i, flags = 0;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (perm & map[i].perm)
			flags |= map[i].flag;
	return flags;
}

/**
 * vtd_prq_fill_raw - make the hardware's record from the rest of a record
 * @fault: a page request; @raw and @raw_len are filled in
 * @virtual_id: the device's source-id in the guest
 *
 * 7.4.1, as a guest finds it in its page request queue.
 */
void vtd_prq_fill_raw(struct vfio_nested_fault *fault, u64 virtual_id)
{
	u32 flags = fault->flags;
	u64 word0, word1;

	word0 = FIELD_PREP(PRQ0_TYPE, PRQ_TYPE) |
		FIELD_PREP(PRQ0_SID, virtual_id & 0xffff);
	if (flags & VFIO_NESTED_FAULT_PASID)
		word0 |= PRQ0_PP | FIELD_PREP(PRQ0_PASID, fault->pasid & 0xfffff);
	if (flags & VFIO_NESTED_FAULT_EXEC)
		word0 |= PRQ0_EXEC;
	if (flags & VFIO_NESTED_FAULT_PRIV)
		word0 |= PRQ0_PRIV;

	word1 = (fault->address & PRQ1_ADDR) |
		FIELD_PREP(PRQ1_GROUP, fault->group & 0x1ff);
	if (flags & VFIO_NESTED_FAULT_READ)
		word1 |= PRQ1_READ;
	if (flags & VFIO_NESTED_FAULT_WRITE)
		word1 |= PRQ1_WRITE;
	if (flags & VFIO_NESTED_FAULT_LAST)
		word1 |= PRQ1_LAST;

	memset(fault->raw, 0, sizeof(fault->raw));
	fault->raw[0] = cpu_to_le64(word0);
	fault->raw[1] = cpu_to_le64(word1);
	fault->raw_len = PRQ_WORDS * sizeof(u64);
}

/**
 * vtd_prq_to_fault - a record for a page request
 * @request: as the kernel has it
 * @virtual_id: the device's source-id in the guest
 * @fault: filled in, but for what the core fills in
 */
void vtd_prq_to_fault(const struct iommu_fault_page_request *request,
		      u64 virtual_id, struct vfio_nested_fault *fault)
{
	memset(fault, 0, sizeof(*fault));
	fault->kind = VFIO_NESTED_FAULT_PAGE_REQUEST;
	fault->flags = VFIO_NESTED_FAULT_ADDRESS | rights(request->perm);
	if (request->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE)
		fault->flags |= VFIO_NESTED_FAULT_LAST;
	if (request->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID) {
		fault->flags |= VFIO_NESTED_FAULT_PASID;
		fault->pasid = request->pasid;
	}
	fault->address = request->addr & PRQ1_ADDR;
	fault->group = request->grpid;
	vtd_prq_fill_raw(fault, virtual_id);
}
