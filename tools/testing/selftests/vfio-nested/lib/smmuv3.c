// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <string.h>

#include "smmuv3.h"

/* Attributes of walks: write-back, read- and write-allocate; inner shareable */
#define CACHED			1
#define INNER_SHAREABLE		3

/* Normal memory, write-back, for attribute index 0 */
#define MAIR_WRITE_BACK		0xffULL

void vn_smmuv3_parse(struct vn_smmuv3 *smmu,
		     const struct vfio_nested_info_smmuv3 *info)
{
	/* IDR5.OAS */
	static const unsigned int sizes[] = { 32, 36, 40, 42, 44, 48, 52, 56 };
	const uint32_t *idr = info->idr;

	memcpy(smmu->idr, info->idr, sizeof(smmu->idr));
	smmu->ats = vn_get_field(idr[0], 10, 1);
	smmu->pri = vn_get_field(idr[0], 16, 1);
	smmu->terminates = !vn_get_field(idr[0], 26, 1);
	smmu->asid16 = vn_get_field(idr[0], 12, 1);
	smmu->cd2l = vn_get_field(idr[0], 19, 1);
	smmu->stall_model = vn_get_field(idr[0], 24, 2);
	smmu->ssid_bits = vn_get_field(idr[1], 6, 5);
	smmu->range = vn_get_field(idr[3], 10, 1);
	smmu->output_bits = sizes[vn_get_field(idr[5], 0, 3)];
	smmu->granules = 0;
	if (vn_get_field(idr[5], 4, 1))
		smmu->granules |= 1u << 12;
	if (vn_get_field(idr[5], 5, 1))
		smmu->granules |= 1u << 14;
	if (vn_get_field(idr[5], 6, 1))
		smmu->granules |= 1u << 16;
}

void vn_ste_s1(uint64_t ste[2], uint64_t cd_table)
{
	ste[0] = VN_STE0_V | VN_STE0_CONFIG(VN_STE_CONFIG_S1) |
		 (cd_table & VN_STE0_S1CONTEXTPTR);
	ste[1] = VN_STE1_S1CIR(CACHED) | VN_STE1_S1COR(CACHED) |
		 VN_STE1_S1CSH(INNER_SHAREABLE);
}

static uint64_t cd_granule(unsigned int granule)
{
	switch (granule) {
	case 14:
		return 2;
	case 16:
		return 1;
	default:
		return 0;
	}
}

/* CD.IPS has the same codes as IDR5.OAS; 48 bits are enough for 48-bit tables. */
static uint64_t cd_ips(const struct vn_smmuv3 *smmu)
{
	uint64_t oas = vn_get_field(smmu->idr[5], 0, 3);

	return oas > 5 ? 5 : oas;
}

void vn_cd_fill(uint64_t cd[VN_CD_WORDS], const struct vn_stage1 *s1,
		const struct vn_smmuv3 *smmu, uint16_t asid)
{
	memset(cd, 0, VN_CD_SIZE);
	/*
	 * A: a fault aborts the access and does not make up data. R: it is
	 * recorded. ASET: broadcast TLB maintenance does not apply.
	 */
	cd[0] = VN_CD0_T0SZ(64 - s1->va_bits) | VN_CD0_TG0(cd_granule(s1->granule)) |
		VN_CD0_IR0(CACHED) | VN_CD0_OR0(CACHED) |
		VN_CD0_SH0(INNER_SHAREABLE) | VN_CD0_EPD1 | VN_CD0_V |
		VN_CD0_IPS(cd_ips(smmu)) | VN_CD0_AA64 | VN_CD0_R | VN_CD0_A |
		VN_CD0_ASET | VN_CD0_ASID(asid);
	cd[1] = s1->table;
	cd[3] = MAIR_WRITE_BACK;
}

void vn_cd_write(uint64_t *to, const uint64_t cd[VN_CD_WORDS])
{
	unsigned int i;

	for (i = 1; i < VN_CD_WORDS; i++)
		vn_write_once(&to[i], htole64(cd[i]));
	vn_barrier();
	vn_write_once(&to[0], htole64(cd[0]));
	vn_barrier();
}

static struct vfio_nested_command_smmuv3 command(uint64_t word0, uint64_t word1)
{
	struct vfio_nested_command_smmuv3 cmd = {
		.cmd = { htole64(word0), htole64(word1) },
	};

	return cmd;
}

struct vfio_nested_command_smmuv3 vn_cmd_tlbi(uint8_t opcode, uint16_t asid,
					      uint64_t address)
{
	return command(opcode | VN_CMD0_ASID(asid), address & VN_CMD1_ADDRESS);
}

/* Pages in the range: (NUM + 1) << SCALE; a single page needs a level (TTL). */
struct vfio_nested_command_smmuv3 vn_cmd_tlbi_range(uint8_t opcode, uint16_t asid,
						    uint64_t address,
						    unsigned int granule,
						    unsigned int pages)
{
	return command(opcode | VN_CMD0_ASID(asid) | VN_CMD0_NUM(pages - 1),
		       (address & VN_CMD1_ADDRESS) |
		       VN_CMD1_TG((granule - 10) / 2) |
		       VN_CMD1_TTL(VN_S1_LAST_LEVEL));
}

struct vfio_nested_command_smmuv3 vn_cmd_cfgi_cd(uint32_t stream, uint32_t ssid)
{
	return command(VN_CMD_CFGI_CD | VN_CMD0_SSID(ssid) | VN_CMD0_SID(stream),
		       VN_CMD1_LEAF);
}

struct vfio_nested_command_smmuv3 vn_cmd_cfgi_cd_all(uint32_t stream)
{
	return command(VN_CMD_CFGI_CD_ALL | VN_CMD0_SID(stream), 0);
}

struct vfio_nested_command_smmuv3 vn_cmd_sync(void)
{
	return command(VN_CMD_SYNC, 0);
}

/* SSV and SSID of commands, from what struct vn_access has */
static uint64_t substream(uint32_t pasid)
{
	return pasid ? VN_CMD0_SSV | VN_CMD0_SSID(pasid) : 0;
}

struct vfio_nested_command_smmuv3 vn_cmd_atc_inv(uint32_t stream, uint32_t pasid,
						 uint64_t address,
						 unsigned int pages_shift)
{
	return command(VN_CMD_ATC_INV | substream(pasid) | VN_CMD0_SID(stream),
		       (address & VN_CMD1_ADDRESS) | pages_shift);
}

struct vfio_nested_command_smmuv3 vn_cmd_resume(uint32_t stream, uint16_t stag,
						unsigned int code)
{
	return command(VN_CMD_RESUME | VN_CMD0_RESUME(code) | VN_CMD0_SID(stream),
		       VN_CMD1_STAG(stag));
}

struct vfio_nested_command_smmuv3 vn_cmd_stall_term(uint32_t stream)
{
	return command(VN_CMD_STALL_TERM | VN_CMD0_SID(stream), 0);
}

struct vfio_nested_command_smmuv3 vn_cmd_pri_resp(uint32_t stream, uint32_t pasid,
						  uint16_t group,
						  unsigned int code)
{
	return command(VN_CMD_PRI_RESP | substream(pasid) | VN_CMD0_SID(stream),
		       VN_CMD1_GROUP(group) | VN_CMD1_PRI_RESP(code));
}

uint8_t vn_event_id(const struct vfio_nested_fault *fault)
{
	return le64toh(fault->raw[0]);
}

uint32_t vn_event_stream(const struct vfio_nested_fault *fault)
{
	return le64toh(fault->raw[0]) >> 32;
}

const char *vn_event_name(uint8_t id)
{
	static const char *const names[] = {
		[VN_EVENT_C_BAD_STREAMID] = "C_BAD_STREAMID",
		[VN_EVENT_F_STE_FETCH] = "F_STE_FETCH",
		[VN_EVENT_C_BAD_STE] = "C_BAD_STE",
		[VN_EVENT_F_STREAM_DISABLED] = "F_STREAM_DISABLED",
		[VN_EVENT_C_BAD_SUBSTREAMID] = "C_BAD_SUBSTREAMID",
		[VN_EVENT_F_CD_FETCH] = "F_CD_FETCH",
		[VN_EVENT_C_BAD_CD] = "C_BAD_CD",
		[VN_EVENT_F_WALK_EABT] = "F_WALK_EABT",
		[VN_EVENT_F_TRANSLATION] = "F_TRANSLATION",
		[VN_EVENT_F_ADDR_SIZE] = "F_ADDR_SIZE",
		[VN_EVENT_F_ACCESS] = "F_ACCESS",
		[VN_EVENT_F_PERMISSION] = "F_PERMISSION",
	};

	if (id < VN_ARRAY_SIZE(names) && names[id])
		return names[id];
	return "another event";
}

bool vn_event_stall(const struct vfio_nested_fault *fault)
{
	return vn_get_field(le64toh(fault->raw[1]), 31, 1);
}

uint16_t vn_event_stag(const struct vfio_nested_fault *fault)
{
	return le64toh(fault->raw[1]);
}

uint32_t vn_event_pasid(const struct vfio_nested_fault *fault)
{
	uint64_t word = le64toh(fault->raw[0]);

	return word & VN_CMD0_SSV ?
	       0x80000000U | (uint32_t)vn_get_field(word, 12, 20) : 0;
}

void vn_page_request(uint64_t raw[2], uint32_t stream, uint32_t pasid,
		     uint64_t rights, uint64_t address, uint16_t group)
{
	uint64_t word = stream | rights;

	if (pasid)
		word |= VN_PRI0_SSV | vn_field(pasid, 32, 20);
	raw[0] = htole64(word);
	raw[1] = htole64((address & ~0xfffULL) | VN_CMD1_GROUP(group));
}
