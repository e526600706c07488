// SPDX-License-Identifier: GPL-2.0
/*
 * A virtual VT-d. By iommufd a nested HWPT is a PASID table entry, and the VMM is who
 * reads the guest's tables and descriptors. An invalidation of a HWPT includes device
 * TLBs, so that the guest's own of these come to nothing there.
 *
 * As with Linux as the guest, each device has a domain of its own.
 *
 * Intel Virtualization Technology for Directed I/O: 6.5.2 descriptors, 9.4 to 9.6 tables.
 */
#include <endian.h>
#include <errno.h>
#include <linux/iommufd.h>
#include <stdint.h>

#include "rig.h"
#include "util.h"
#include "vtd.h"

#define ENTRIES		256

#define TABLE_ADDRESS	(~0ULL << 12)
#define QI_TYPE(qw0)	vn_get_field(qw0, 0, 4)
#define QI_IOTLB	0x2
#define QI_PIOTLB	0x6
#define QI_GRAN(qw0)	vn_get_field(qw0, 4, 2)
#define QI_GRAN_GLOBAL	1
#define QI_GRAN_PAGE	3
#define QI_DID(qw0)	vn_get_field(qw0, 16, 16)
#define QI_AM(qw1)	vn_get_field(qw1, 0, 6)
#define QI_IH		VN_BIT(6)

static struct vn_command command(struct vfio_nested_command_vtd native)
{
	return (struct vn_command) { .words = { native.qw[0], native.qw[1] } };
}

/* What is not about all of them is about the last device. */
static uint16_t domain(const struct rig *rig)
{
	return RIG_DOMAIN(rig->nr_devices - 1);
}

/* Pages no two of which are next to each other */
static uint64_t apart(unsigned int i)
{
	return RIG_IOVA + i * 512 * VN_PAGE;
}

static struct vn_command piotlb(const struct rig *rig, unsigned int i)
{
	return command(vn_qi_piotlb(domain(rig), 0, RIG_IOVA + i * VN_PAGE, 0));
}

static struct vn_command piotlb_range(const struct rig *rig, unsigned int i)
{
	return command(vn_qi_piotlb(domain(rig), 0, RIG_IOVA + i * 16 * VN_PAGE, 4));
}

static struct vn_command piotlb_apart(const struct rig *rig, unsigned int i)
{
	return command(vn_qi_piotlb(domain(rig), 0, apart(i), 0));
}

/* Each is about another device, as long as there are any. */
static struct vn_command piotlb_spread(const struct rig *rig, unsigned int i)
{
	return command(vn_qi_piotlb(RIG_DOMAIN(i % rig->nr_devices), 0, apart(i), 0));
}

static struct vn_command piotlb_all(const struct rig *rig, unsigned int i)
{
	return command(vn_qi_piotlb_all(domain(rig), 0));
}

static struct vn_command iotlb_domain(const struct rig *rig, unsigned int i)
{
	return command(vn_qi_iotlb_domain(domain(rig)));
}

static struct vn_command iotlb_global(const struct rig *rig, unsigned int i)
{
	return command(vn_qi_iotlb_global());
}

/* What a guest does for a page that it has unmapped, where devices have TLBs */
static struct vn_command unmap(const struct rig *rig, unsigned int i)
{
	uint64_t iova = apart(i / 3);

	switch (i % 3) {
	case 0:
		return command(vn_qi_piotlb(domain(rig), 0, iova, 0));
	case 1:
		return command(vn_qi_devtlb(RIG_STREAM(rig->nr_devices - 1), iova));
	}
	return command(vn_qi_wait());
}

static const struct rig_kind kinds[] = {
	{ "PIOTLB-page", piotlb },
	{ "PIOTLB-apart", piotlb_apart },
	{ "PIOTLB-spread", piotlb_spread },
	{ "PIOTLB-range", piotlb_range },
	{ "PIOTLB-all", piotlb_all, .alike = true },
	{ "IOTLB-domain", iotlb_domain, .alike = true },
	{ "IOTLB-global", iotlb_global, .alike = true },
	{ "unmap", unmap },
};

/* What was told that a page is there, and does not find it, waits before it asks again. */
static const struct rig_pace paces[] = { { "later", 0 }, {} };

/* Page requests come from devices that translate by themselves. */
static void vtd_prepare_faults(struct rig *rig)
{
	rig->guest.ats = true;
}

static void vtd_read_hw_info(struct rig *rig, const void *data)
{
	const struct iommu_hw_info_vtd *vtd = data;

	rig->guest.vtd.cap = vtd->cap_reg;
	rig->guest.vtd.ecap = vtd->ecap_reg;
}

static uint64_t guest_word(struct rig *rig, uint64_t ipa)
{
	const uint64_t *word = vn_vm_va(&rig->vm, ipa);

	return word ? le64toh(vn_read_once(word)) : 0;
}

/* The entry for accesses without PASID */
static int vtd_alloc(struct rig *rig, unsigned int i,
		     const struct vn_context *context, uint32_t *hwpt)
{
	uint64_t directory = le64toh(context->data.vtd.entry[0]) & TABLE_ADDRESS;
	uint64_t entry = guest_word(rig, directory) & TABLE_ADDRESS;
	uint64_t word = guest_word(rig, entry + 2 * sizeof(word));
	const struct iommu_hwpt_vtd_s1 data = {
		.flags = word & VN_BIT(0) ? IOMMU_VTD_S1_SRE : 0,
		.pgtbl_addr = word & TABLE_ADDRESS,
		.addr_width = 48,
	};

	if (!(guest_word(rig, entry) & VN_PTE_P))
		return vn_fail(-EINVAL, "the guest has no stage 1");
	return rig_alloc_nested(rig, i, rig->parent, IOMMU_HWPT_DATA_VTD_S1, &data,
				sizeof(data), hwpt);
}

/* Entries for one device, not handed over yet */
struct gathered {
	unsigned int device;
	uint32_t num;
	struct iommu_hwpt_vtd_s1_invalidate entries[ENTRIES];
};

static int hand_over(struct rig *rig, struct gathered *gathered)
{
	uint32_t num = gathered->num;

	gathered->num = 0;
	return num ? rig_hwpt_invalidate(rig, rig->hwpts[gathered->device],
					 IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
					 gathered->entries,
					 sizeof(gathered->entries[0]), num) : 0;
}

static int gather(struct rig *rig, struct gathered *gathered, unsigned int device,
		  const struct iommu_hwpt_vtd_s1_invalidate *entry)
{
	int ret = 0;

	if (gathered->device != device || gathered->num == ENTRIES)
		ret = hand_over(rig, gathered);
	gathered->device = device;
	gathered->entries[gathered->num++] = *entry;
	return ret;
}

static struct iommu_hwpt_vtd_s1_invalidate to_entry(uint64_t qw0, uint64_t qw1)
{
	if (QI_GRAN(qw0) != QI_GRAN_PAGE)
		return (struct iommu_hwpt_vtd_s1_invalidate){ .npages = UINT64_MAX };
	return (struct iommu_hwpt_vtd_s1_invalidate){
		.addr = qw1 & TABLE_ADDRESS,
		.npages = 1ULL << QI_AM(qw1),
		.flags = qw1 & QI_IH ? IOMMU_VTD_INV_FLAGS_LEAF : 0,
	};
}

/* Device TLBs need nothing, and a wait is over when the others are done. */
static int take(struct rig *rig, struct gathered *gathered,
		const struct vn_command *command)
{
	uint64_t qw0 = le64toh(command->words[0]);
	struct iommu_hwpt_vtd_s1_invalidate entry;
	unsigned int type = QI_TYPE(qw0), first, last, i;
	int ret = 0;

	if (type != QI_IOTLB && type != QI_PIOTLB)
		return 0;
	entry = to_entry(qw0, le64toh(command->words[1]));
	first = QI_DID(qw0) - RIG_DOMAIN(0);
	last = first;
	if (type == QI_IOTLB && QI_GRAN(qw0) == QI_GRAN_GLOBAL) {
		first = 0;
		last = rig->nr_devices - 1;
	}
	for (i = first; i <= last && i < rig->nr_devices && !ret; i++)
		ret = gather(rig, gathered, i, &entry);
	return ret;
}

static int vtd_invalidate(struct rig *rig, const struct vn_command *commands,
			  uint32_t num)
{
	struct gathered gathered;
	unsigned int i;
	int ret = 0;

	gathered.device = 0;
	gathered.num = 0;
	for (i = 0; i < num && !ret; i++)
		ret = take(rig, &gathered, &commands[i]);
	return ret ? ret : hand_over(rig, &gathered);
}

const struct rig_arch rig_vtd = {
	.backend = VFIO_NESTED_BACKEND_VTD,
	.kinds = kinds,
	.nr_kinds = VN_ARRAY_SIZE(kinds),
	.own_tables = true,
	.table_size = 4096,
	.fault_flags = VN_ACCESS_ATS | VN_ACCESS_PRI,
	.fault_error = VN_ERROR_PAGE_INVALID,
	/* So many page requests the in-tree driver lets a function have. */
	.fault_burst = 32,
	.fault_paces = paces,
	.prepare_faults = vtd_prepare_faults,
	.hw_info = IOMMU_HW_INFO_TYPE_INTEL_VTD,
	.read_hw_info = vtd_read_hw_info,
	.alloc = vtd_alloc,
	.invalidate = vtd_invalidate,
};
