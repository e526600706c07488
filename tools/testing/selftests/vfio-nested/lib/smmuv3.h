/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a guest's SMMUv3 driver writes: stream table entry, context descriptor,
 * commands; and what it reads: ID registers, event records. Pure functions.
 *
 * Arm IHI 0070: chapter 4 commands, 5.2 stream table entry, 5.4 context
 * descriptor, 6.3 registers, 7.3 event records.
 */
#ifndef VN_SMMUV3_H
#define VN_SMMUV3_H

#include <linux/vfio_nested.h>
#include <stdbool.h>
#include <stdint.h>

#include "stage1.h"
#include "util.h"

/* Stream table entry, word 0 */
#define VN_STE0_V			VN_BIT(0)
#define VN_STE0_CONFIG(x)		vn_field(x, 1, 3)
#define VN_STE_CONFIG_ABORT		0
#define VN_STE_CONFIG_BYPASS		4
#define VN_STE_CONFIG_S1		5
#define VN_STE0_S1FMT(x)		vn_field(x, 4, 2)
#define VN_STE0_S1CONTEXTPTR		0x000fffffffffffc0ULL
#define VN_STE0_S1CDMAX(x)		vn_field(x, 59, 5)
/* Word 1 */
#define VN_STE1_S1DSS(x)		vn_field(x, 0, 2)
#define VN_S1DSS_TERMINATE		0
#define VN_S1DSS_BYPASS			1
#define VN_S1DSS_SSID0			2
#define VN_STE1_S1CIR(x)		vn_field(x, 2, 2)
#define VN_STE1_S1COR(x)		vn_field(x, 4, 2)
#define VN_STE1_S1CSH(x)		vn_field(x, 6, 2)
#define VN_STE1_S1STALLD		VN_BIT(27)
#define VN_STE1_EATS(x)			vn_field(x, 28, 2)
#define VN_EATS_FULL			1

/* Context descriptor, word 0 */
#define VN_CD0_T0SZ(x)			vn_field(x, 0, 6)
#define VN_CD0_TG0(x)			vn_field(x, 6, 2)
#define VN_CD0_IR0(x)			vn_field(x, 8, 2)
#define VN_CD0_OR0(x)			vn_field(x, 10, 2)
#define VN_CD0_SH0(x)			vn_field(x, 12, 2)
#define VN_CD0_EPD1			VN_BIT(30)
#define VN_CD0_V			VN_BIT(31)
#define VN_CD0_IPS(x)			vn_field(x, 32, 3)
#define VN_CD0_AA64			VN_BIT(41)
#define VN_CD0_S			VN_BIT(44)
#define VN_CD0_R			VN_BIT(45)
#define VN_CD0_A			VN_BIT(46)
#define VN_CD0_ASET			VN_BIT(47)
#define VN_CD0_ASID(x)			vn_field(x, 48, 16)
#define VN_CD_WORDS			8
#define VN_CD_SIZE			64

/* Commands */
#define VN_CMD_PREFETCH_CONFIG		0x01
#define VN_CMD_PREFETCH_ADDR		0x02
#define VN_CMD_CFGI_STE			0x03
#define VN_CMD_CFGI_CD			0x05
#define VN_CMD_CFGI_CD_ALL		0x06
#define VN_CMD_TLBI_NH_ALL		0x10
#define VN_CMD_TLBI_NH_ASID		0x11
#define VN_CMD_TLBI_NH_VA		0x12
#define VN_CMD_TLBI_NH_VAA		0x13
#define VN_CMD_TLBI_NSNH_ALL		0x30
#define VN_CMD_ATC_INV			0x40
#define VN_CMD_PRI_RESP			0x41
#define VN_CMD_RESUME			0x44
#define VN_CMD_STALL_TERM		0x45
#define VN_CMD_SYNC			0x46

#define VN_CMD0_GLOBAL			VN_BIT(9)
#define VN_CMD0_SSV			VN_BIT(11)
#define VN_CMD0_RESUME(x)		vn_field(x, 12, 2)
#define VN_RESUME_TERMINATE		0
#define VN_RESUME_RETRY			1
#define VN_RESUME_ABORT			2
#define VN_CMD0_NUM(x)			vn_field(x, 12, 5)
#define VN_CMD0_SCALE(x)		vn_field(x, 20, 6)
#define VN_CMD0_SSID(x)			vn_field(x, 12, 20)
#define VN_CMD0_SID(x)			vn_field(x, 32, 32)
#define VN_CMD0_VMID(x)			vn_field(x, 32, 16)
#define VN_CMD0_ASID(x)			vn_field(x, 48, 16)
#define VN_CMD1_LEAF			VN_BIT(0)
#define VN_CMD1_TTL(x)			vn_field(x, 8, 2)
#define VN_CMD1_TG(x)			vn_field(x, 10, 2)
#define VN_CMD1_ADDRESS			0xfffffffffffff000ULL
#define VN_CMD1_STAG(x)			vn_field(x, 0, 16)
#define VN_CMD1_GROUP(x)		vn_field(x, 0, 9)
#define VN_CMD1_PRI_RESP(x)		vn_field(x, 12, 2)
#define VN_PRI_RESP_FAILURE		0
#define VN_PRI_RESP_INVALID		1
#define VN_PRI_RESP_SUCCESS		2

/* Event records */
#define VN_EVENT_C_BAD_STREAMID		0x02
#define VN_EVENT_F_STE_FETCH		0x03
#define VN_EVENT_C_BAD_STE		0x04
#define VN_EVENT_F_STREAM_DISABLED	0x06
#define VN_EVENT_C_BAD_SUBSTREAMID	0x08
#define VN_EVENT_F_CD_FETCH		0x09
#define VN_EVENT_C_BAD_CD		0x0a
#define VN_EVENT_F_WALK_EABT		0x0b
#define VN_EVENT_F_TRANSLATION		0x10
#define VN_EVENT_F_ADDR_SIZE		0x11
#define VN_EVENT_F_ACCESS		0x12
#define VN_EVENT_F_PERMISSION		0x13

/* What of the ID registers the tests need. */
struct vn_smmuv3 {
	uint32_t idr[6];
	bool asid16;
	bool ats;
	bool pri;
	/* A stalled access can be ended without an error. */
	bool terminates;
	bool cd2l;
	/* Range and level hints in TLB invalidations */
	bool range;
	unsigned int ssid_bits;
	unsigned int stall_model;
	unsigned int output_bits;
	/* Granules, by log2 */
	uint32_t granules;
};

void vn_smmuv3_parse(struct vn_smmuv3 *smmu,
		     const struct vfio_nested_info_smmuv3 *info);

/* The entry for one context descriptor, no substreams. */
void vn_ste_s1(uint64_t ste[2], uint64_t cd_table);
void vn_cd_fill(uint64_t cd[VN_CD_WORDS], const struct vn_stage1 *s1,
		const struct vn_smmuv3 *smmu, uint16_t asid);
/* Writes a descriptor so that V changes last. */
void vn_cd_write(uint64_t *to, const uint64_t cd[VN_CD_WORDS]);

struct vfio_nested_command_smmuv3 vn_cmd_tlbi(uint8_t opcode, uint16_t asid,
					      uint64_t address);
/* One command for @pages pages (at most 32) of granule 1 << @granule. */
struct vfio_nested_command_smmuv3 vn_cmd_tlbi_range(uint8_t opcode, uint16_t asid,
						    uint64_t address,
						    unsigned int granule,
						    unsigned int pages);
struct vfio_nested_command_smmuv3 vn_cmd_cfgi_cd(uint32_t stream, uint32_t ssid);
struct vfio_nested_command_smmuv3 vn_cmd_cfgi_cd_all(uint32_t stream);
struct vfio_nested_command_smmuv3 vn_cmd_sync(void);
/* @pasid as in struct vn_access; 1 << @pages_shift pages, all if it is 52. */
struct vfio_nested_command_smmuv3 vn_cmd_atc_inv(uint32_t stream, uint32_t pasid,
						 uint64_t address,
						 unsigned int pages_shift);
/* The guest's answers: @code is VN_RESUME_*, VN_PRI_RESP_*. */
struct vfio_nested_command_smmuv3 vn_cmd_resume(uint32_t stream, uint16_t stag,
						unsigned int code);
struct vfio_nested_command_smmuv3 vn_cmd_stall_term(uint32_t stream);
struct vfio_nested_command_smmuv3 vn_cmd_pri_resp(uint32_t stream, uint32_t pasid,
						  uint16_t group,
						  unsigned int code);

/* Fields of the raw record */
uint8_t vn_event_id(const struct vfio_nested_fault *fault);
uint32_t vn_event_stream(const struct vfio_nested_fault *fault);
const char *vn_event_name(uint8_t id);
bool vn_event_stall(const struct vfio_nested_fault *fault);
/* Names a stall in CMD_RESUME. */
uint16_t vn_event_stag(const struct vfio_nested_fault *fault);
/* VN_PASID(), or VN_NO_PASID */
uint32_t vn_event_pasid(const struct vfio_nested_fault *fault);

/* Fields of a raw page request (7.4), 16 bytes */
#define VN_PRI0_PRIVILEGED		VN_BIT(58)
#define VN_PRI0_EXECUTE			VN_BIT(59)
#define VN_PRI0_READ			VN_BIT(60)
#define VN_PRI0_WRITE			VN_BIT(61)
#define VN_PRI0_LAST			VN_BIT(62)
#define VN_PRI0_SSV			VN_BIT(63)

/* The raw record of a page request: @rights are VN_PRI0_*. */
void vn_page_request(uint64_t raw[2], uint32_t stream, uint32_t pasid,
		     uint64_t rights, uint64_t address, uint16_t group);

#endif /* VN_SMMUV3_H */
