// SPDX-License-Identifier: GPL-2.0
/*
 * Construction of commands. Arm IHI 0070, chapter 4.
 *
 * Invariants:
 *  - a builder writes both words; what it does not name is zero, as the
 *    architecture demands of reserved fields (section 4.1.5);
 *  - the commands for a range cover all of it, and nothing that shares no unit
 *    with it; none is one of the reserved forms that stop the command queue.
 */
#include <linux/bitops.h>
#include <linux/minmax.h>

#include "cmd.h"

static void cmd_set(__le64 cmd[CMD_DWORDS], u64 word0, u64 word1)
{
	cmd[0] = cpu_to_le64(word0);
	cmd[1] = cpu_to_le64(word1);
}

static u64 cmd_stream(u8 op, u32 sid)
{
	return FIELD_PREP(CMD0_OP, op) | FIELD_PREP(CMD0_SID, sid);
}

static u64 cmd_substream(u8 op, u32 sid, bool ssv, u32 ssid)
{
	u64 word0 = cmd_stream(op, sid);

	if (ssv)
		word0 |= CMD0_SSV | FIELD_PREP(CMD0_SSID, ssid);
	return word0;
}

static u64 cmd_vmid(u8 op, u16 vmid)
{
	return FIELD_PREP(CMD0_OP, op) | FIELD_PREP(CMD_TLBI0_VMID, vmid);
}

/**
 * smmu_cmd_cfgi_ste - forget a stream table entry, and what was found through it
 * @cmd: the command
 * @sid: StreamID
 * @leaf: keep the level-1 descriptor
 */
void smmu_cmd_cfgi_ste(__le64 cmd[CMD_DWORDS], u32 sid, bool leaf)
{
	cmd_set(cmd, cmd_stream(CMD_OP_CFGI_STE, sid),
		FIELD_PREP(CMD_CFGI1_LEAF, leaf));
}

/**
 * smmu_cmd_cfgi_all - forget all configuration
 * @cmd: the command
 */
void smmu_cmd_cfgi_all(__le64 cmd[CMD_DWORDS])
{
	cmd_set(cmd, cmd_stream(CMD_OP_CFGI_STE_RANGE, 0),
		FIELD_PREP(CMD_CFGI1_RANGE, CMD_CFGI_RANGE_ALL));
}

/**
 * smmu_cmd_cfgi_cd - forget a context descriptor
 * @cmd: the command
 * @sid: StreamID
 * @ssid: SubstreamID, index into the table of descriptors
 * @leaf: keep the level-1 descriptor
 */
void smmu_cmd_cfgi_cd(__le64 cmd[CMD_DWORDS], u32 sid, u32 ssid, bool leaf)
{
	cmd_set(cmd, cmd_stream(CMD_OP_CFGI_CD, sid) | FIELD_PREP(CMD0_SSID, ssid),
		FIELD_PREP(CMD_CFGI1_LEAF, leaf));
}

/**
 * smmu_cmd_cfgi_cd_all - forget all context descriptors of a stream
 * @cmd: the command
 * @sid: StreamID
 */
void smmu_cmd_cfgi_cd_all(__le64 cmd[CMD_DWORDS], u32 sid)
{
	cmd_set(cmd, cmd_stream(CMD_OP_CFGI_CD_ALL, sid), 0);
}

/**
 * smmu_cmd_tlbi_nh_all - forget stage 1, also combined with stage 2, of a VMID
 * @cmd: the command
 * @vmid: VMID
 */
void smmu_cmd_tlbi_nh_all(__le64 cmd[CMD_DWORDS], u16 vmid)
{
	cmd_set(cmd, cmd_vmid(CMD_OP_TLBI_NH_ALL, vmid), 0);
}

/**
 * smmu_cmd_tlbi_s12_vmall - forget all translations of a VMID
 * @cmd: the command
 * @vmid: VMID
 */
void smmu_cmd_tlbi_s12_vmall(__le64 cmd[CMD_DWORDS], u16 vmid)
{
	cmd_set(cmd, cmd_vmid(CMD_OP_TLBI_S12_VMALL, vmid), 0);
}

/**
 * smmu_cmd_tlbi_nsnh_all - forget all translations but those of EL2
 * @cmd: the command
 */
void smmu_cmd_tlbi_nsnh_all(__le64 cmd[CMD_DWORDS])
{
	cmd_set(cmd, FIELD_PREP(CMD0_OP, CMD_OP_TLBI_NSNH_ALL), 0);
}

/**
 * smmu_cmd_tlbi_el2_all - forget all translations of EL2
 * @cmd: the command
 *
 * Illegal where IDR0.HYP is 0.
 */
void smmu_cmd_tlbi_el2_all(__le64 cmd[CMD_DWORDS])
{
	cmd_set(cmd, FIELD_PREP(CMD0_OP, CMD_OP_TLBI_EL2_ALL), 0);
}

/**
 * smmu_cmd_tlbi_s2_ipa - forget stage 2 of a VMID, by address
 * @cmd: the command, without an address: smmu_tlbi_range_next() puts it in
 * @vmid: VMID
 * @leaf: keep table descriptors
 *
 * Not required to affect what is combined with stage 1 (section 4.4.3.1).
 */
void smmu_cmd_tlbi_s2_ipa(__le64 cmd[CMD_DWORDS], u16 vmid, bool leaf)
{
	cmd_set(cmd, cmd_vmid(CMD_OP_TLBI_S2_IPA, vmid),
		FIELD_PREP(CMD_TLBI1_LEAF, leaf));
}

/* Largest exponent that all SMMUs with range invalidation have */
#define TLBI_SCALE_MAX	31
#define TLBI_NUM_MAX	32

/* Address bits that one level of a table resolves: entries of 8 bytes */
static u8 tlbi_level_bits(u8 granule_shift)
{
	return granule_shift - 3;
}

/*
 * The level at which entries of a size are, 0 if the commands cannot say it:
 * level 0, and level 1 of the 16 KiB granule, which needs IDR5.DS. Contiguous
 * entries are at the level of one of them.
 */
static u8 tlbi_level(u8 granule_shift, u8 leaf_shift)
{
	u8 up = (leaf_shift - granule_shift) / tlbi_level_bits(granule_shift);

	if (up > 2 || (up == 2 && granule_shift == 14))
		return 0;
	return 3 - up;
}

/*
 * A level may be given only if addresses are aligned to the size of an entry at
 * that level; what is invalidated otherwise is unpredictable (section 4.4.1.1).
 */
static u8 tlbi_ttl(u64 addr, u64 size, u8 granule_shift, u8 leaf_shift)
{
	u8 level, entry_shift;

	if (leaf_shift < granule_shift)
		return 0;
	level = tlbi_level(granule_shift, leaf_shift);
	entry_shift = granule_shift + (3 - level) * tlbi_level_bits(granule_shift);
	if (level && (addr | size) & GENMASK_ULL(entry_shift - 1, 0))
		return 0;
	return level;
}

/**
 * smmu_tlbi_range_init - prepare the commands for a range of addresses
 * @r: the state
 * @addr: first address
 * @size: bytes; 0: no command. A range that would pass the end of the 64-bit
 *	address space ends there.
 * @granule_shift: log2 of the translation granule: 12, 14 or 16
 * @leaf_shift: log2 of the size of the last-level entries that can be cached for
 *	this range; 0: not known, or not all of one size
 * @ril: IDR3.RIL
 *
 * With @ril the range is in granules, without it in entries of 1 << @leaf_shift
 * bytes, for which one command each is enough; it is rounded outwards to these.
 */
void smmu_tlbi_range_init(struct smmu_tlbi_range *r, u64 addr, u64 size,
			  u8 granule_shift, u8 leaf_shift, bool ril)
{
	u8 shift = ril ? granule_shift : max(granule_shift, leaf_shift);
	u64 last = addr + size - 1;

	if (last < addr)
		last = U64_MAX;
	*r = (struct smmu_tlbi_range){
		.addr = addr & ~GENMASK_ULL(shift - 1, 0),
		.pages = size ? (last >> shift) - (addr >> shift) + 1 : 0,
		.shift = shift,
	};
	if (ril) {
		r->tg = CMD_TLBI_TG_4K + (granule_shift - 12) / 2;
		r->ttl = tlbi_ttl(addr, size, granule_shift, leaf_shift);
	}
}

/**
 * smmu_tlbi_range_next - the next command
 * @r: what is left; advanced by what the command covers
 * @cmd: a command with its other fields set (opcode, VMID, ASID, leaf), which
 *	can be given again and again
 *
 * A command covers (NUM + 1) << SCALE granules, so the number of granules is
 * taken apart into digits of five bits, the lowest first.
 *
 * Return: false if there is none, and @cmd was not touched.
 */
bool smmu_tlbi_range_next(struct smmu_tlbi_range *r, __le64 cmd[CMD_DWORDS])
{
	u64 word0 = 0, word1 = r->addr & CMD_TLBI1_ADDR;
	u64 num = 1;
	u8 scale = 0;

	if (!r->pages)
		return false;
	if (r->tg) {
		scale = min(__ffs64(r->pages), TLBI_SCALE_MAX);
		num = r->pages >> scale;
		num = scale < TLBI_SCALE_MAX ? num % TLBI_NUM_MAX :
					       min(num, TLBI_NUM_MAX);
		/* A single granule at any level is reserved in the range form. */
		if (num > 1 || scale || r->ttl) {
			word0 |= FIELD_PREP(CMD_TLBI0_NUM, num - 1) |
				 FIELD_PREP(CMD_TLBI0_SCALE, scale);
			word1 |= FIELD_PREP(CMD_TLBI1_TTL, r->ttl) |
				 FIELD_PREP(CMD_TLBI1_TG, r->tg);
		}
	}
	cmd[0] &= ~cpu_to_le64(CMD_TLBI0_NUM | CMD_TLBI0_SCALE_DS);
	cmd[0] |= cpu_to_le64(word0);
	cmd[1] &= ~cpu_to_le64(CMD_TLBI1_TTL | CMD_TLBI1_TG | CMD_TLBI1_ADDR);
	cmd[1] |= cpu_to_le64(word1);
	r->pages -= num << scale;
	r->addr += num << (scale + r->shift);
	return true;
}

/**
 * smmu_atc_inv_span - the smallest span of an ATC_INV that covers a range
 * @first: first address
 * @last: last address, inclusive; 0 to U64_MAX is everything
 * @addr: first address of the span, which is aligned to its size
 * @size: log2 of its size in units of 4 KiB, 0 to CMD_ATC_SIZE_ALL
 */
void smmu_atc_inv_span(u64 first, u64 last, u64 *addr, u8 *size)
{
	*size = fls64((first ^ last) >> 12);
	*addr = first & ~GENMASK_ULL(*size + 11, 0);
}

/**
 * smmu_cmd_atc_inv - make a device forget translations
 * @cmd: the command
 * @sid: StreamID
 * @ssv: with a PASID; without, the device forgets the range for all PASIDs
 * @ssid: the PASID
 * @global: with @ssv: also translations that are shared by all PASIDs
 * @addr: see smmu_atc_inv_span()
 * @size: see smmu_atc_inv_span()
 */
void smmu_cmd_atc_inv(__le64 cmd[CMD_DWORDS], u32 sid, bool ssv, u32 ssid,
		      bool global, u64 addr, u8 size)
{
	cmd_set(cmd, cmd_substream(CMD_OP_ATC_INV, sid, ssv, ssid) |
		     (ssv && global ? CMD_ATC0_GLOBAL : 0),
		(addr & CMD_ATC1_ADDR) | FIELD_PREP(CMD_ATC1_SIZE, size));
}

/**
 * smmu_cmd_pri_resp - answer a page request group
 * @cmd: the command
 * @sid: StreamID
 * @ssv: the answer carries a PASID
 * @ssid: the PASID
 * @group: page request group index
 * @resp: CMD_PRI_RESP_*
 */
void smmu_cmd_pri_resp(__le64 cmd[CMD_DWORDS], u32 sid, bool ssv, u32 ssid,
		       u16 group, u8 resp)
{
	cmd_set(cmd, cmd_substream(CMD_OP_PRI_RESP, sid, ssv, ssid),
		FIELD_PREP(CMD_PRI1_GROUP, group) |
		FIELD_PREP(CMD_PRI1_RESP, resp));
}

/**
 * smmu_cmd_resume - answer a stalled access
 * @cmd: the command
 * @sid: StreamID
 * @stag: the tag of the event record
 * @resp: CMD_RESUME_*
 *
 * Illegal where IDR0.STALL_MODEL is 1.
 */
void smmu_cmd_resume(__le64 cmd[CMD_DWORDS], u32 sid, u16 stag, u8 resp)
{
	cmd_set(cmd, cmd_stream(CMD_OP_RESUME, sid) |
		     FIELD_PREP(CMD_RESUME0_RESP, resp),
		FIELD_PREP(CMD_RESUME1_STAG, stag));
}

/**
 * smmu_cmd_stall_term - abort all stalled accesses of a stream
 * @cmd: the command
 * @sid: StreamID; its entry must be one of smmu_ste_make_abort() already
 *
 * Illegal where IDR0.STALL_MODEL is 1.
 */
void smmu_cmd_stall_term(__le64 cmd[CMD_DWORDS], u32 sid)
{
	cmd_set(cmd, cmd_stream(CMD_OP_STALL_TERM, sid), 0);
}
