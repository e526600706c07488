// SPDX-License-Identifier: GPL-2.0
/*
 * A guest with a virtual VT-d. Tables of its PASID directory are made where they are
 * needed, and the number by which caches know an address space is the domain id of its
 * entry.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "guest.h"
#include "testdev.h"
#include "util.h"
#include "vtd.h"

/* Of PASIDs, that the smallest directory and the largest one have room for */
#define MIN_BITS		13
#define MAX_BITS		20

#define ECAP_SRS		VN_BIT(31)
/* PASID table entry, word 2: supervisor requests */
#define ENTRY_SRE		VN_BIT(0)

static int vtd_registers(struct vn_guest *guest, int device_fd)
{
	struct vfio_nested_info info;

	return vn_nested_registers(device_fd, &info, &guest->vtd,
				   sizeof(guest->vtd));
}

static uint32_t vtd_granules(const struct vn_guest *guest)
{
	return 1U << 12;
}

static int set_entry(struct vn_guest *guest, uint32_t pasid,
		     const struct vn_stage1 *s1, uint16_t asid)
{
	uint64_t words[VN_VTD_ENTRY_WORDS];

	vn_pte_first(words, s1->table, asid);
	/* Privileged accesses, too */
	if (guest->vtd.ecap & ECAP_SRS)
		words[2] |= ENTRY_SRE;
	return vn_vtd_set_entry(guest, pasid, words);
}

/* Accesses without PASID use the entry of PASID 0. */
static int vtd_pasids(struct vn_guest *guest, unsigned int bits)
{
	if (bits > MAX_BITS)
		return vn_fail(-EINVAL, "no room for PASIDs of %u bits", bits);
	guest->pdts = bits > MIN_BITS ? bits - MIN_BITS : 0;
	guest->cd = vn_vm_alloc(guest->vm, 8U << (guest->pdts + 7), VN_PAGE);
	if (!guest->cd)
		return vn_fail(-ENOMEM, "no guest memory for a PASID directory");
	return set_entry(guest, 0, &guest->s1, guest->asid);
}

static int vtd_stage1(struct vn_guest *guest)
{
	return vtd_pasids(guest, 0);
}

static int vtd_space(struct vn_guest *guest, const struct vn_space *space)
{
	return set_entry(guest, space->pasid, &space->s1, space->asid);
}

static void vtd_forget_space(struct vn_guest *guest, uint32_t pasid)
{
	vn_vtd_set_entry(guest, pasid, NULL);
}

static void vtd_context(const struct vn_guest *guest, struct vn_context *context)
{
	uint64_t word = vn_vtd_context(guest);

	if (!guest->ats)
		word &= ~(VN_CTX_DTE | VN_CTX_PRE);
	context->type = VFIO_NESTED_CONTEXT_VTD;
	context->len = sizeof(context->data.vtd);
	context->data.vtd.entry[0] = htole64(word);
}

static struct vn_command command(struct vfio_nested_command_vtd native)
{
	return (struct vn_command) { .words = { native.qw[0], native.qw[1] } };
}

static struct vn_command vtd_all(void)
{
	return command(vn_qi_iotlb_global());
}

static struct vn_command vtd_of_space(uint32_t pasid, uint16_t asid)
{
	return command(vn_qi_piotlb_all(asid, pasid));
}

static struct vn_command vtd_of_page(uint32_t pasid, uint16_t asid, uint64_t iova)
{
	return command(vn_qi_piotlb(asid, pasid, iova & ~(VN_PAGE - 1ULL), 0));
}

/* 6.5.2.5: the size is told by the lowest bit of the address that is clear. */
static struct vn_command vtd_of_device(uint32_t stream, uint32_t pasid,
				       uint64_t iova, unsigned int pages_shift)
{
	uint64_t size = pages_shift < 52 ? VN_BIT(12 + pages_shift) : 0;
	uint64_t word = (iova & ~(size - 1)) | ((size / 2 - 1) & ~(VN_PAGE - 1ULL));
	bool sized = pages_shift;

	if (pasid == VN_NO_PASID)
		return command(vn_qi(0x3 | vn_field(stream, 32, 16),
				     word | vn_field(sized, 0, 1)));
	return command(vn_qi(0x8 | vn_field(stream, 16, 16) |
			     vn_field(pasid, 32, 20),
			     word | vn_field(sized, 11, 1)));
}

static struct vn_command vtd_reread(uint32_t stream, uint32_t pasid, uint16_t asid)
{
	return command(vn_qi_pasid_cache(asid, pasid));
}

static struct vn_command vtd_reread_all(uint32_t stream)
{
	return command(vn_qi_pasid_cache_all());
}

static struct vn_command vtd_barrier(void)
{
	return command(vn_qi_wait());
}

static struct vn_command vtd_answer(const struct vfio_nested_fault *fault,
				    uint32_t code)
{
	static const unsigned int codes[] = {
		[VFIO_NESTED_RESPONSE_RETRY] = 0x0,
		[VFIO_NESTED_RESPONSE_ABORT] = 0x1,
		[VFIO_NESTED_RESPONSE_TERMINATE] = 0xf,
	};

	return command(vn_qi_response(fault->virtual_id,
				      fault->flags & VFIO_NESTED_FAULT_PASID,
				      fault->pasid, fault->group, codes[code]));
}

/* 7.4.1 */
static uint32_t vtd_page_request(const struct vfio_nested_fault *fault,
				 uint64_t raw[4])
{
	uint32_t flags = fault->flags;

	raw[0] = htole64(0x1 | vn_field(fault->virtual_id, 16, 16) |
			 vn_field(!!(flags & VFIO_NESTED_FAULT_PASID), 8, 1) |
			 vn_field(fault->pasid, 32, 20) |
			 vn_field(!!(flags & VFIO_NESTED_FAULT_EXEC), 52, 1) |
			 vn_field(!!(flags & VFIO_NESTED_FAULT_PRIV), 53, 1));
	raw[1] = htole64((fault->address & ~(VN_PAGE - 1ULL)) |
			 vn_field(!!(flags & VFIO_NESTED_FAULT_READ), 0, 1) |
			 vn_field(!!(flags & VFIO_NESTED_FAULT_WRITE), 1, 1) |
			 vn_field(!!(flags & VFIO_NESTED_FAULT_LAST), 2, 1) |
			 vn_field(fault->group, 3, 9));
	raw[2] = 0;
	raw[3] = 0;
	return 4 * sizeof(*raw);
}

const struct vn_arch vn_arch_vtd = {
	.name = "VT-d",
	.driver = "vtd_nested",
	.backend = VFIO_NESTED_BACKEND_VTD,
	.format = &vn_s1_x86,
	.command_type = VFIO_NESTED_COMMAND_VTD,
	.context_type = VFIO_NESTED_CONTEXT_VTD,
	.context_len = sizeof(struct vfio_nested_context_vtd),
	.registers = vtd_registers,
	.granules = vtd_granules,
	.stage1 = vtd_stage1,
	.pasids = vtd_pasids,
	.space = vtd_space,
	.forget_space = vtd_forget_space,
	.context = vtd_context,
	.all = vtd_all,
	.of_space = vtd_of_space,
	.of_page = vtd_of_page,
	.of_device = vtd_of_device,
	.reread = vtd_reread,
	.reread_all = vtd_reread_all,
	.barrier = vtd_barrier,
	.answer = vtd_answer,
	.raw_page_request = vtd_page_request,
};
