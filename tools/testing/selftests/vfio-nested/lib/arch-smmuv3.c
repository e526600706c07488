// SPDX-License-Identifier: GPL-2.0
/* A guest with a virtual SMMUv3 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "guest.h"
#include "testdev.h"
#include "util.h"

static int smmuv3_registers(struct vn_guest *guest, int device_fd)
{
	struct vfio_nested_info_smmuv3 registers = {};
	struct vfio_nested_info info;
	int ret;

	ret = vn_nested_info(device_fd, &info, &registers);
	if (!ret)
		vn_smmuv3_parse(&guest->smmu, &registers);
	return ret;
}

static uint32_t smmuv3_granules(const struct vn_guest *guest)
{
	return guest->smmu.granules;
}

static void fill(const struct vn_guest *guest, uint64_t cd[VN_CD_WORDS],
		 const struct vn_stage1 *s1, uint16_t asid)
{
	vn_cd_fill(cd, s1, &guest->smmu, asid);
	cd[0] |= guest->cd_flags;
}

static int smmuv3_stage1(struct vn_guest *guest)
{
	uint64_t cd[VN_CD_WORDS];

	memset(&guest->cds, 0, sizeof(guest->cds));
	guest->cd = vn_vm_alloc(guest->vm, VN_CD_SIZE, VN_PAGE);
	if (!guest->cd)
		return vn_fail(-ENOMEM, "no guest memory for a context descriptor");
	fill(guest, cd, &guest->s1, guest->asid);
	vn_cd_write(vn_vm_va(guest->vm, guest->cd), cd);
	return 0;
}

static int smmuv3_pasids(struct vn_guest *guest, unsigned int bits)
{
	uint64_t cd[VN_CD_WORDS];
	int ret;

	ret = vn_cdtable_init(&guest->cds, guest->vm, guest->cd_format, bits);
	if (ret)
		return ret;
	if (guest->cd) {
		fill(guest, cd, &guest->s1, guest->asid);
		ret = vn_cdtable_set(&guest->cds, 0, cd);
		if (ret)
			return ret;
	}
	guest->cd = guest->cds.table;
	guest->s1dss = VN_S1DSS_SSID0;
	return 0;
}

static int smmuv3_space(struct vn_guest *guest, const struct vn_space *space)
{
	uint64_t cd[VN_CD_WORDS];

	fill(guest, cd, &space->s1, space->asid);
	return vn_cdtable_set(&guest->cds, space->pasid, cd);
}

static void smmuv3_forget_space(struct vn_guest *guest, uint32_t pasid)
{
	vn_cdtable_clear(&guest->cds, pasid);
}

void vn_guest_stalls(struct vn_guest *guest)
{
	uint64_t *cd = guest->cds.vm ? vn_cdtable_cd(&guest->cds, 0) :
				       vn_vm_va(guest->vm, guest->cd);

	guest->cd_flags |= VN_CD0_S;
	vn_write_once(&cd[0], cd[0] | htole64(VN_CD0_S));
	vn_barrier();
}

void vn_guest_ste(const struct vn_guest *guest, uint64_t ste[2])
{
	vn_ste_s1(ste, guest->cd);
	ste[0] |= VN_STE0_S1FMT(guest->cds.format) |
		  VN_STE0_S1CDMAX(guest->cds.cdmax);
	ste[1] |= VN_STE1_S1DSS(guest->s1dss) |
		  VN_STE1_EATS(guest->ats ? VN_EATS_FULL : 0);
}

static void smmuv3_context(const struct vn_guest *guest, struct vn_context *context)
{
	uint64_t ste[2];

	vn_guest_ste(guest, ste);
	context->type = VFIO_NESTED_CONTEXT_SMMUV3;
	context->len = sizeof(context->data.smmuv3);
	context->data.smmuv3.ste[0] = htole64(ste[0]);
	context->data.smmuv3.ste[1] = htole64(ste[1]);
}

static struct vn_command command(struct vfio_nested_command_smmuv3 native)
{
	return (struct vn_command) { .words = { native.cmd[0], native.cmd[1] } };
}

static struct vn_command smmuv3_all(void)
{
	return command(vn_cmd_tlbi(VN_CMD_TLBI_NH_ALL, 0, 0));
}

static struct vn_command smmuv3_of_space(uint32_t pasid, uint16_t asid)
{
	return command(vn_cmd_tlbi(VN_CMD_TLBI_NH_ASID, asid, 0));
}

static struct vn_command smmuv3_of_page(uint32_t pasid, uint16_t asid, uint64_t iova)
{
	return command(vn_cmd_tlbi(VN_CMD_TLBI_NH_VA, asid, iova));
}

static struct vn_command smmuv3_of_device(uint32_t stream, uint32_t pasid,
					  uint64_t iova, unsigned int pages_shift)
{
	return command(vn_cmd_atc_inv(stream, pasid, iova, pages_shift));
}

static struct vn_command smmuv3_reread(uint32_t stream, uint32_t pasid, uint16_t asid)
{
	return command(vn_cmd_cfgi_cd(stream, pasid));
}

static struct vn_command smmuv3_reread_all(uint32_t stream)
{
	return command(vn_cmd_cfgi_cd_all(stream));
}

static struct vn_command smmuv3_barrier(void)
{
	return command(vn_cmd_sync());
}

static struct vn_command smmuv3_answer(const struct vfio_nested_fault *fault,
				       uint32_t code)
{
	static const unsigned int resume[] = {
		[VFIO_NESTED_RESPONSE_RETRY] = VN_RESUME_RETRY,
		[VFIO_NESTED_RESPONSE_ABORT] = VN_RESUME_ABORT,
		[VFIO_NESTED_RESPONSE_TERMINATE] = VN_RESUME_TERMINATE,
	};
	static const unsigned int response[] = {
		[VFIO_NESTED_RESPONSE_RETRY] = VN_PRI_RESP_SUCCESS,
		[VFIO_NESTED_RESPONSE_ABORT] = VN_PRI_RESP_INVALID,
		[VFIO_NESTED_RESPONSE_TERMINATE] = VN_PRI_RESP_FAILURE,
	};
	uint32_t pasid = fault->flags & VFIO_NESTED_FAULT_PASID ?
			 VN_PASID(fault->pasid) : VN_NO_PASID;

	if (fault->kind == VFIO_NESTED_FAULT_STALL)
		return command(vn_cmd_resume(fault->virtual_id, vn_event_stag(fault),
					     resume[code]));
	return command(vn_cmd_pri_resp(fault->virtual_id, pasid, fault->group,
				       response[code]));
}

static uint32_t smmuv3_page_request(const struct vfio_nested_fault *fault,
				    uint64_t raw[4])
{
	static const struct {
		uint32_t flag;
		uint64_t raw;
	} rights[] = {
		{ VFIO_NESTED_FAULT_READ, VN_PRI0_READ },
		{ VFIO_NESTED_FAULT_WRITE, VN_PRI0_WRITE },
		{ VFIO_NESTED_FAULT_EXEC, VN_PRI0_EXECUTE },
		{ VFIO_NESTED_FAULT_PRIV, VN_PRI0_PRIVILEGED },
		{ VFIO_NESTED_FAULT_LAST, VN_PRI0_LAST },
	};
	uint32_t pasid = fault->flags & VFIO_NESTED_FAULT_PASID ?
			 VN_PASID(fault->pasid) : VN_NO_PASID;
	uint64_t bits = 0;
	unsigned int i;

	for (i = 0; i < VN_ARRAY_SIZE(rights); i++)
		if (fault->flags & rights[i].flag)
			bits |= rights[i].raw;
	memset(raw, 0, 4 * sizeof(*raw));
	vn_page_request(raw, fault->virtual_id, pasid, bits, fault->address,
			fault->group);
	return 2 * sizeof(*raw);
}

const struct vn_arch vn_arch_smmuv3 = {
	.name = "SMMUv3",
	.driver = "smmuv3_nested",
	.backend = VFIO_NESTED_BACKEND_SMMUV3,
	.format = &vn_s1_vmsa,
	.command_type = VFIO_NESTED_COMMAND_SMMUV3,
	.context_type = VFIO_NESTED_CONTEXT_SMMUV3,
	.context_len = sizeof(struct vfio_nested_context_smmuv3),
	.hitless = true,
	.failure = true,
	.page_requests = true,
	.registers = smmuv3_registers,
	.granules = smmuv3_granules,
	.stage1 = smmuv3_stage1,
	.pasids = smmuv3_pasids,
	.space = smmuv3_space,
	.forget_space = smmuv3_forget_space,
	.context = smmuv3_context,
	.all = smmuv3_all,
	.of_space = smmuv3_of_space,
	.of_page = smmuv3_of_page,
	.of_device = smmuv3_of_device,
	.reread = smmuv3_reread,
	.reread_all = smmuv3_reread_all,
	.barrier = smmuv3_barrier,
	.answer = smmuv3_answer,
	.raw_page_request = smmuv3_page_request,
};
