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

int smmu_vcmd_check(const __le64 cmd[CMD_DWORDS], const struct smmu_vcmd_limits *limits,
		    struct smmu_vcmd *out, const char **why);
void smmu_vcmd_set_vmid(__le64 cmd[CMD_DWORDS], u16 vmid);
void smmu_vcmd_get_answer(const __le64 cmd[CMD_DWORDS],
			  struct smmu_vcmd_answer *answer);
void smmu_vcmd_set_sid(__le64 cmd[CMD_DWORDS], u32 sid);

#endif /* _SMMU_NESTED_VCMD_H */
