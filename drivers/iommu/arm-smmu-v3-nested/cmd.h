/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands of the SMMUv3: layout and construction. Arm IHI 0070, chapter 4.
 * Pure functions: no hardware access, no locks, callable from any context.
 */
#ifndef _SMMU_NESTED_CMD_H
#define _SMMU_NESTED_CMD_H

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/types.h>
#include <asm/byteorder.h>

#define CMD_DWORDS			2

/* Common to all commands, word 0 */
#define CMD0_OP				GENMASK_ULL(7, 0)
/* Common to all that name a stream, word 0 */
#define CMD0_SSV			BIT_ULL(11)
#define CMD0_SSID			GENMASK_ULL(31, 12)
#define CMD0_SID			GENMASK_ULL(63, 32)

/* CMD0_OP */
#define CMD_OP_PREFETCH_CONFIG		0x01
#define CMD_OP_PREFETCH_ADDR		0x02
#define CMD_OP_CFGI_STE			0x03
#define CMD_OP_CFGI_STE_RANGE		0x04
#define CMD_OP_CFGI_CD			0x05
#define CMD_OP_CFGI_CD_ALL		0x06
#define CMD_OP_TLBI_NH_ALL		0x10
#define CMD_OP_TLBI_NH_ASID		0x11
#define CMD_OP_TLBI_NH_VA		0x12
#define CMD_OP_TLBI_NH_VAA		0x13
#define CMD_OP_TLBI_EL2_ALL		0x20
#define CMD_OP_TLBI_S12_VMALL		0x28
#define CMD_OP_TLBI_S2_IPA		0x2a
#define CMD_OP_TLBI_NSNH_ALL		0x30
#define CMD_OP_ATC_INV			0x40
#define CMD_OP_PRI_RESP			0x41
#define CMD_OP_RESUME			0x44
#define CMD_OP_STALL_TERM		0x45
#define CMD_OP_SYNC			0x46

/* CMD_PREFETCH_ADDR */
#define CMD_PREFETCH1_SIZE		GENMASK_ULL(4, 0)
#define CMD_PREFETCH1_STRIDE		GENMASK_ULL(9, 5)
#define CMD_PREFETCH1_ADDR		GENMASK_ULL(63, 12)

/* CMD_CFGI_* */
#define CMD_CFGI1_LEAF			BIT_ULL(0)
#define CMD_CFGI1_RANGE			GENMASK_ULL(4, 0)
#define CMD_CFGI_RANGE_ALL		31

/* CMD_TLBI_* */
#define CMD_TLBI0_NUM			GENMASK_ULL(16, 12)
#define CMD_TLBI0_SCALE			GENMASK_ULL(24, 20)
#define CMD_TLBI0_SCALE_DS		GENMASK_ULL(25, 20)	/* IDR5.DS */
#define CMD_TLBI0_VMID			GENMASK_ULL(47, 32)
#define CMD_TLBI0_ASID			GENMASK_ULL(63, 48)
#define CMD_TLBI1_LEAF			BIT_ULL(0)
#define CMD_TLBI1_TTL			GENMASK_ULL(9, 8)
#define CMD_TLBI1_TG			GENMASK_ULL(11, 10)
#define CMD_TLBI1_ADDR			GENMASK_ULL(63, 12)

/* CMD_TLBI1_TG */
#define CMD_TLBI_TG_NONE		0
#define CMD_TLBI_TG_4K			1
#define CMD_TLBI_TG_16K			2
#define CMD_TLBI_TG_64K			3

/* CMD_ATC_INV */
#define CMD_ATC0_GLOBAL			BIT_ULL(9)
#define CMD_ATC1_SIZE			GENMASK_ULL(5, 0)
#define CMD_ATC1_ADDR			GENMASK_ULL(63, 12)
#define CMD_ATC_SIZE_ALL		52

/* CMD_PRI_RESP */
#define CMD_PRI1_GROUP			GENMASK_ULL(8, 0)
#define CMD_PRI1_RESP			GENMASK_ULL(13, 12)

/* CMD_PRI1_RESP; a failure makes the device turn page requests off */
#define CMD_PRI_RESP_FAILURE		0
#define CMD_PRI_RESP_INVALID		1
#define CMD_PRI_RESP_SUCCESS		2

/* CMD_RESUME */
#define CMD_RESUME0_RESP		GENMASK_ULL(13, 12)
#define CMD_RESUME1_STAG		GENMASK_ULL(15, 0)

/* CMD_RESUME0_RESP: the bits Ac and Ab; see IDR0.TERM_MODEL for the first */
#define CMD_RESUME_TERMINATE		0
#define CMD_RESUME_RETRY		1
#define CMD_RESUME_ABORT		2

/* CMD_SYNC */
#define CMD_SYNC0_CS			GENMASK_ULL(13, 12)

/* CMD_SYNC0_CS */
#define CMD_SYNC_CS_NONE		0
#define CMD_SYNC_CS_IRQ			1
#define CMD_SYNC_CS_SEV			2

static inline u8 smmu_cmd_op(const __le64 cmd[CMD_DWORDS])
{
	return le64_to_cpu(cmd[0]) & CMD0_OP;
}

/* Configuration caches, section 4.3 */
void smmu_cmd_cfgi_ste(__le64 cmd[CMD_DWORDS], u32 sid, bool leaf);
void smmu_cmd_cfgi_all(__le64 cmd[CMD_DWORDS]);
void smmu_cmd_cfgi_cd(__le64 cmd[CMD_DWORDS], u32 sid, u32 ssid, bool leaf);
void smmu_cmd_cfgi_cd_all(__le64 cmd[CMD_DWORDS], u32 sid);

/* Translation caches, section 4.4 */
void smmu_cmd_tlbi_nh_all(__le64 cmd[CMD_DWORDS], u16 vmid);
void smmu_cmd_tlbi_s12_vmall(__le64 cmd[CMD_DWORDS], u16 vmid);
void smmu_cmd_tlbi_nsnh_all(__le64 cmd[CMD_DWORDS]);
void smmu_cmd_tlbi_el2_all(__le64 cmd[CMD_DWORDS]);
/* A template: smmu_tlbi_range_next() puts the addresses in. */
void smmu_cmd_tlbi_s2_ipa(__le64 cmd[CMD_DWORDS], u16 vmid, bool leaf);

/**
 * struct smmu_tlbi_range - a range of addresses on its way into commands
 * @addr: first address that is not covered yet
 * @pages: units of 1 << @shift that are not covered yet
 * @shift: log2 of a unit
 * @tg: CMD_TLBI_TG_* of the unit, for commands with a range;
 *	CMD_TLBI_TG_NONE: one command for each unit
 * @ttl: level of the leaf entries, 0: any
 */
struct smmu_tlbi_range {
	u64 addr;
	u64 pages;
	u8 shift;
	u8 tg;
	u8 ttl;
};

void smmu_tlbi_range_init(struct smmu_tlbi_range *r, u64 addr, u64 size,
			  u8 granule_shift, u8 leaf_shift, bool ril);
bool smmu_tlbi_range_next(struct smmu_tlbi_range *r, __le64 cmd[CMD_DWORDS]);

/* ATS and PRI, section 4.5 */
void smmu_atc_inv_span(u64 first, u64 last, u64 *addr, u8 *size);
void smmu_cmd_atc_inv(__le64 cmd[CMD_DWORDS], u32 sid, bool ssv, u32 ssid,
		      bool global, u64 addr, u8 size);
void smmu_cmd_pri_resp(__le64 cmd[CMD_DWORDS], u32 sid, bool ssv, u32 ssid,
		       u16 group, u8 resp);

/* Stalls and completion, section 4.7 */
void smmu_cmd_resume(__le64 cmd[CMD_DWORDS], u32 sid, u16 stag, u8 resp);
void smmu_cmd_stall_term(__le64 cmd[CMD_DWORDS], u32 sid);
/**
 * smmu_cmd_sync - complete all earlier commands
 * @cmd: the command
 *
 * No signal: that the queue has consumed it says that it is complete.
 */
static inline void smmu_cmd_sync(__le64 cmd[CMD_DWORDS])
{
	cmd[0] = cpu_to_le64(FIELD_PREP(CMD0_OP, CMD_OP_SYNC) |
			     FIELD_PREP(CMD_SYNC0_CS, CMD_SYNC_CS_NONE));
	cmd[1] = 0;
}

#endif /* _SMMU_NESTED_CMD_H */
