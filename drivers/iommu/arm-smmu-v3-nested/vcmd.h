/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Check of the commands that a guest wrote, and their translation into what the
 * hardware gets. Pure functions.
 */
#ifndef _SMMU_NESTED_VCMD_H
#define _SMMU_NESTED_VCMD_H

#include "cmd.h"

/**
 * struct smmu_vcmd_limits - what the SMMU, as the guest sees it, implements
 * @asid16: IDR0.ASID16
 * @ril: IDR3.RIL: range invalidation and level hints
 * @ds: IDR5.DS: 52-bit addresses with small granules
 * @ats: IDR0.ATS
 * @pri: IDR0.PRI
 * @stall: IDR0.STALL_MODEL is not 0b01
 * @ssid_bits: IDR1.SSIDSIZE
 */
struct smmu_vcmd_limits {
	bool asid16;
	bool ril;
	bool ds;
	bool ats;
	bool pri;
	bool stall;
	u8 ssid_bits;
};

/**
 * enum smmu_vcmd_kind - what becomes of a guest's command
 * @SMMU_VCMD_DROP: legal, nothing to be done
 * @SMMU_VCMD_SYNC: to the hardware as it is: what follows may rely on it
 * @SMMU_VCMD_TLBI: smmu_vcmd_set_vmid(), then to the hardware
 * @SMMU_VCMD_CFGI: smmu_vcmd_set_sid(), then to the hardware
 * @SMMU_VCMD_ATC: as SMMU_VCMD_CFGI, where ATS is on for the device
 * @SMMU_VCMD_RESUME: the answer to a stall, smmu_vcmd_get_answer(); matched against
 *	what is pending, never to the hardware as it is
 * @SMMU_VCMD_PRI_RESP: the same for a group of page requests
 * @SMMU_VCMD_STALL_TERM: the same for all that a device has stalled
 */
enum smmu_vcmd_kind {
	SMMU_VCMD_DROP = 1,
	SMMU_VCMD_SYNC,
	SMMU_VCMD_TLBI,
	SMMU_VCMD_CFGI,
	SMMU_VCMD_ATC,
	SMMU_VCMD_RESUME,
	SMMU_VCMD_PRI_RESP,
	SMMU_VCMD_STALL_TERM,
};

/* Opcodes have 8 bits. */
#define SMMU_VCMD_OPS		256

/**
 * struct smmu_vcmd_plain - commands of one opcode that need no look but at their bits
 * @word0: bits of word 0 that are legal by themselves
 * @word1: bits of word 1 that are
 * @range0: more of them, if TG and TTL fit (struct smmu_vcmd_table): NUM and SCALE
 * @flip: what the hardware's word 0 differs in, but for ids
 * @kind: enum smmu_vcmd_kind, TLBI, CFGI or ATC; 0: none of them is plain
 */
struct smmu_vcmd_plain {
	u64 word0;
	u64 word1;
	u64 range0;
	u32 flip;
	u32 kind;
};

/**
 * struct smmu_vcmd_table - which commands need no look by smmu_vcmd_check()
 * @ops: by opcode
 * @ranged: legal combinations of TG and TTL in a command that has NUM or SCALE
 * @unranged: the same for commands without
 *
 * What is not in it is not illegal.
 */
struct smmu_vcmd_table {
	struct smmu_vcmd_plain ops[SMMU_VCMD_OPS];
	u16 ranged;
	u16 unranged;
};

/**
 * struct smmu_vcmd - what smmu_vcmd_check() found out
 * @kind: what to do
 * @has_sid: the command names a stream
 * @vsid: its id as the guest numbers it; zero without @has_sid
 */
struct smmu_vcmd {
	enum smmu_vcmd_kind kind;
	bool has_sid;
	u32 vsid;
};

/**
 * struct smmu_vcmd_answer - what a guest says to a recoverable fault
 * @code: enum vfio_nested_response_code
 * @tag: of the stall, for SMMU_VCMD_RESUME
 * @group: page request group index, for SMMU_VCMD_PRI_RESP
 * @ssv: the answer carries a PASID, for SMMU_VCMD_PRI_RESP
 * @ssid: the PASID
 */
struct smmu_vcmd_answer {
	u32 code;
	u16 tag;
	u16 group;
	bool ssv;
	u32 ssid;
};

void smmu_vcmd_table_init(struct smmu_vcmd_table *table,
			  const struct smmu_vcmd_limits *limits);

/**
 * smmu_vcmd_is_plain - is a command legal by its bits alone
 * @plain: of its opcode
 * @word0: of the command
 * @word1: of the command
 */
static inline bool smmu_vcmd_is_plain(const struct smmu_vcmd_plain *plain,
				      u64 word0, u64 word1)
{
	return !((word0 & ~plain->word0) | (word1 & ~plain->word1));
}

/**
 * smmu_vcmd_is_plain_range - is an invalidation of a range, or with hints, legal
 * @table: of the SMMU
 * @plain: of its opcode
 * @word0: of the command
 * @word1: of the command
 *
 * Return: false: smmu_vcmd_check() has to look, also for those without.
 */
static inline bool smmu_vcmd_is_plain_range(const struct smmu_vcmd_table *table,
					    const struct smmu_vcmd_plain *plain,
					    u64 word0, u64 word1)
{
	u32 forms = word0 & (CMD_TLBI0_NUM | CMD_TLBI0_SCALE) ? table->ranged :
								table->unranged;

	return plain->range0 &&
	       !((word0 & ~plain->word0 & ~plain->range0) |
		 (word1 & ~plain->word1 & ~(CMD_TLBI1_TTL | CMD_TLBI1_TG))) &&
	       forms >> FIELD_GET(CMD_TLBI1_TTL | CMD_TLBI1_TG, word1) & 1;
}

int smmu_vcmd_check(const __le64 cmd[CMD_DWORDS], const struct smmu_vcmd_limits *limits,
		    struct smmu_vcmd *out, const char **why);
void smmu_vcmd_set_vmid(__le64 cmd[CMD_DWORDS], u16 vmid);
void smmu_vcmd_get_answer(const __le64 cmd[CMD_DWORDS],
			  struct smmu_vcmd_answer *answer);
void smmu_vcmd_set_sid(__le64 cmd[CMD_DWORDS], u32 sid);

#endif /* _SMMU_NESTED_VCMD_H */
