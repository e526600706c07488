// SPDX-License-Identifier: GPL-2.0
/*
 * Check of the commands that a guest wrote. Arm IHI 0070, chapter 4.
 *
 * Invariant: a command that passes, after smmu_vcmd_set_vmid() or
 * smmu_vcmd_set_sid(), is legal for the SMMU that the limits describe. It cannot
 * stop the command queue, and cannot touch what another guest has cached.
 *
 * A command is first looked up by its opcode: the table says which bits it may
 * have at all. A second table, made for an SMMU, has those bits only that are legal
 * there whatever the other bits are: most commands have no others.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <uapi/linux/vfio_nested.h>

#include "cmd.h"
#include "vcmd.h"

#define VCMD_ASID	BIT(0)
#define VCMD_RANGE	BIT(1)
#define VCMD_SID	BIT(2)
#define VCMD_SSID	BIT(3)

#define VCMD_RANGE0	(CMD_TLBI0_NUM | CMD_TLBI0_SCALE_DS)
#define VCMD_RANGE1	(CMD_TLBI1_TTL | CMD_TLBI1_TG)

#define VCMD_ADDR1	(CMD_TLBI1_LEAF | VCMD_RANGE1 | CMD_TLBI1_ADDR)

/* ASIDs have 8 bits without IDR0.ASID16 */
#define VCMD_ASID_HIGH	GENMASK_ULL(63, 56)

/* A larger exponent means the same as this one, but is not to be relied upon */
#define VCMD_SCALE_MAX	39

/**
 * struct vcmd_rule - what a command may be
 * @word0: bits of word 0 that it may have
 * @word1: bits of word 1 that it may have
 * @kind: enum smmu_vcmd_kind; 0: not for guests
 * @flags: VCMD_*
 */
struct vcmd_rule {
	u64 word0;
	u64 word1;
	u8 kind;
	u8 flags;
};

/*
 * The VMID is in none of them: the guest has none. Nor is SSec, nor the NS bit of
 * PREFETCH_ADDR: the guest has no Secure state.
 */
static const struct vcmd_rule vcmd_rules[U8_MAX + 1] = {
	[CMD_OP_PREFETCH_CONFIG] = {
		CMD0_OP | CMD0_SSV | CMD0_SSID | CMD0_SID, 0,
		SMMU_VCMD_DROP, VCMD_SID | VCMD_SSID },
	[CMD_OP_PREFETCH_ADDR] = {
		CMD0_OP | CMD0_SSV | CMD0_SSID | CMD0_SID,
		CMD_PREFETCH1_SIZE | CMD_PREFETCH1_STRIDE | CMD_PREFETCH1_ADDR,
		SMMU_VCMD_DROP, VCMD_SID | VCMD_SSID },
	[CMD_OP_CFGI_CD] = {
		CMD0_OP | CMD0_SSID | CMD0_SID, CMD_CFGI1_LEAF,
		SMMU_VCMD_CFGI, VCMD_SID | VCMD_SSID },
	[CMD_OP_CFGI_CD_ALL] = {
		CMD0_OP | CMD0_SID, 0,
		SMMU_VCMD_CFGI, VCMD_SID },
	[CMD_OP_TLBI_NH_ALL] = {
		CMD0_OP, 0,
		SMMU_VCMD_TLBI, 0 },
	[CMD_OP_TLBI_NH_ASID] = {
		CMD0_OP | CMD_TLBI0_ASID, 0,
		SMMU_VCMD_TLBI, VCMD_ASID },
	[CMD_OP_TLBI_NH_VA] = {
		CMD0_OP | CMD_TLBI0_ASID | VCMD_RANGE0, VCMD_ADDR1,
		SMMU_VCMD_TLBI, VCMD_ASID | VCMD_RANGE },
	[CMD_OP_TLBI_NH_VAA] = {
		CMD0_OP | VCMD_RANGE0, VCMD_ADDR1,
		SMMU_VCMD_TLBI, VCMD_RANGE },
	[CMD_OP_TLBI_NSNH_ALL] = {
		CMD0_OP, 0,
		SMMU_VCMD_TLBI, 0 },
	[CMD_OP_ATC_INV] = {
		CMD0_OP | CMD_ATC0_GLOBAL | CMD0_SSV | CMD0_SSID | CMD0_SID,
		CMD_ATC1_SIZE | CMD_ATC1_ADDR,
		SMMU_VCMD_ATC, VCMD_SID | VCMD_SSID },
	[CMD_OP_PRI_RESP] = {
		CMD0_OP | CMD0_SSV | CMD0_SSID | CMD0_SID,
		CMD_PRI1_GROUP | CMD_PRI1_RESP,
		SMMU_VCMD_PRI_RESP, VCMD_SID | VCMD_SSID },
	[CMD_OP_RESUME] = {
		CMD0_OP | CMD_RESUME0_RESP | CMD0_SID, CMD_RESUME1_STAG,
		SMMU_VCMD_RESUME, VCMD_SID },
	[CMD_OP_STALL_TERM] = {
		CMD0_OP | CMD0_SID, 0,
		SMMU_VCMD_STALL_TERM, VCMD_SID },
	/* A signal would go to the host; without one there is no message. */
	[CMD_OP_SYNC] = {
		CMD0_OP, 0,
		SMMU_VCMD_SYNC, 0 },
};

/* Section 4.4.1.1 */
static const char *vcmd_bad_range(u64 word0, u64 word1,
				  const struct smmu_vcmd_limits *limits)
{
	u8 tg = FIELD_GET(CMD_TLBI1_TG, word1);
	u8 ttl = FIELD_GET(CMD_TLBI1_TTL, word1);
	u8 scale = FIELD_GET(CMD_TLBI0_SCALE_DS, word0);

	if (!(word0 & VCMD_RANGE0) && !(word1 & VCMD_RANGE1))
		return NULL;
	if (!limits->ril)
		return "NUM, SCALE, TTL or TG is set, but IDR3.RIL is 0";
	if (tg == CMD_TLBI_TG_NONE)
		return "NUM, SCALE or TTL is set, but TG is 0";
	if (!(word0 & VCMD_RANGE0) && !ttl)
		return "TG is set, but NUM, SCALE and TTL are 0";
	if (!limits->ds && word0 & CMD_TLBI0_SCALE_DS & ~CMD_TLBI0_SCALE)
		return "SCALE has 6 bits, but IDR5.DS is 0";
	if (scale > VCMD_SCALE_MAX)
		return "SCALE is out of range";
	if (!limits->ds && tg == CMD_TLBI_TG_16K && ttl == 1)
		return "TTL is 1 for 16 KiB granules, but IDR5.DS is 0";
	return NULL;
}

static const char *vcmd_bad_ssid(u64 word0,
				 const struct smmu_vcmd_limits *limits)
{
	if (FIELD_GET(CMD0_SSID, word0) >> limits->ssid_bits)
		return "SubstreamID is out of range";
	/* The opcodes that have no SSV or G have refused these bits already. */
	if (!limits->ssid_bits && word0 & (CMD0_SSV | CMD_ATC0_GLOBAL))
		return "SSV or G is set, but IDR1.SSIDSIZE is 0";
	return NULL;
}

static const char *vcmd_bad(u64 word0, u64 word1, const struct vcmd_rule *rule,
			    const struct smmu_vcmd_limits *limits)
{
	const char *bad = NULL;

	if ((word0 & ~rule->word0) | (word1 & ~rule->word1))
		return "a bit is set that the command does not have";
	if (rule->flags & VCMD_ASID && !limits->asid16 &&
	    word0 & VCMD_ASID_HIGH)
		return "ASID has more than 8 bits, but IDR0.ASID16 is 0";
	if (rule->flags & VCMD_RANGE)
		bad = vcmd_bad_range(word0, word1, limits);
	if (!bad && rule->flags & VCMD_SSID)
		bad = vcmd_bad_ssid(word0, limits);
	if (!bad && rule->kind == SMMU_VCMD_ATC &&
	    FIELD_GET(CMD_ATC1_SIZE, word1) > CMD_ATC_SIZE_ALL)
		bad = "Size is out of range";
	if (!bad && rule->kind == SMMU_VCMD_PRI_RESP &&
	    FIELD_GET(CMD_PRI1_RESP, word1) > CMD_PRI_RESP_SUCCESS)
		bad = "Resp is reserved";
	return bad;
}

/* Sizes below it need no look. */
#define VCMD_ATC_SIZE_HIGH	BIT_ULL(5)

/* Bits of word 0 that are legal or not, as the limits say */
static u64 vcmd_bad_bits(const struct vcmd_rule *rule,
			 const struct smmu_vcmd_limits *limits)
{
	u64 bad = 0;

	if (rule->flags & VCMD_ASID && !limits->asid16)
		bad |= VCMD_ASID_HIGH;
	if (rule->flags & VCMD_SSID) {
		bad |= CMD0_SSID & ~FIELD_PREP(CMD0_SSID,
					       (1U << limits->ssid_bits) - 1);
		if (!limits->ssid_bits)
			bad |= CMD0_SSV | CMD_ATC0_GLOBAL;
	}
	return bad;
}

/* Opcodes that only some SMMUs have */
static const char *vcmd_missing(enum smmu_vcmd_kind kind,
				const struct smmu_vcmd_limits *limits)
{
	switch (kind) {
	case SMMU_VCMD_ATC:
		return limits->ats ? NULL : "ATC_INV, but IDR0.ATS is 0";
	case SMMU_VCMD_PRI_RESP:
		return limits->pri ? NULL : "PRI_RESP, but IDR0.PRI is 0";
	case SMMU_VCMD_RESUME:
	case SMMU_VCMD_STALL_TERM:
		return limits->stall ? NULL :
		       "RESUME or STALL_TERM, but IDR0.STALL_MODEL is 1";
	default:
		return NULL;
	}
}

static void vcmd_plain_init(struct smmu_vcmd_plain *plain,
			    const struct vcmd_rule *rule,
			    const struct smmu_vcmd_limits *limits)
{
	if (rule->kind != SMMU_VCMD_TLBI && rule->kind != SMMU_VCMD_CFGI &&
	    rule->kind != SMMU_VCMD_ATC)
		return;
	if (vcmd_missing(rule->kind, limits))
		return;
	plain->kind = rule->kind;
	plain->word0 = rule->word0 & ~vcmd_bad_bits(rule, limits);
	plain->word1 = rule->word1;
	if (rule->flags & VCMD_RANGE) {
		/* Longer SCALEs may be too long. */
		plain->range0 = CMD_TLBI0_NUM | CMD_TLBI0_SCALE;
		plain->word0 &= ~VCMD_RANGE0;
		plain->word1 &= ~VCMD_RANGE1;
	}
	if (rule->kind == SMMU_VCMD_ATC)
		plain->word1 &= ~VCMD_ATC_SIZE_HIGH;
}

/* Combinations of TG and TTL, as they lie in word 1 */
#define VCMD_FORMS		16

/**
 * smmu_vcmd_table_init - which commands need no look by smmu_vcmd_check()
 * @table: filled in; zero before
 * @limits: what the SMMU can do
 */
void smmu_vcmd_table_init(struct smmu_vcmd_table *table,
			  const struct smmu_vcmd_limits *limits)
{
	u64 form, word1;
	u32 op;

	for (op = 0; op < SMMU_VCMD_OPS; op++)
		vcmd_plain_init(&table->ops[op], &vcmd_rules[op], limits);
	table->ops[CMD_OP_TLBI_NSNH_ALL].flip =
		CMD_OP_TLBI_NSNH_ALL ^ CMD_OP_TLBI_NH_ALL;

	for (form = 0; form < VCMD_FORMS; form++) {
		word1 = FIELD_PREP(CMD_TLBI1_TTL | CMD_TLBI1_TG, form);
		if (!vcmd_bad_range(FIELD_PREP(CMD_TLBI0_NUM, 1), word1, limits))
			table->ranged |= BIT(form);
		if (!vcmd_bad_range(0, word1, limits))
			table->unranged |= BIT(form);
	}
}

/**
 * smmu_vcmd_check - is a guest's command legal, and what is to be done with it
 * @cmd: the command
 * @limits: what the SMMU can do
 * @out: what the command is; set on success only
 * @why: a constant string for the log, which names the field; set on error only
 *
 * Return: 0; -EOPNOTSUPP: not a command for guests, or one that this SMMU does
 * not have; -EINVAL: a bit or a value is not legal.
 */
int smmu_vcmd_check(const __le64 cmd[CMD_DWORDS],
		    const struct smmu_vcmd_limits *limits,
		    struct smmu_vcmd *out, const char **why)
{
	u64 word0 = le64_to_cpu(cmd[0]), word1 = le64_to_cpu(cmd[1]);
	const struct vcmd_rule *rule = &vcmd_rules[word0 & CMD0_OP];
	const char *bad;

	if (unlikely(!rule->kind)) {
		*why = "not a command for guests";
		return -EOPNOTSUPP;
	}
	bad = vcmd_missing(rule->kind, limits);
	if (unlikely(bad)) {
		*why = bad;
		return -EOPNOTSUPP;
	}
	bad = vcmd_bad(word0, word1, rule, limits);
	if (unlikely(bad)) {
		*why = bad;
		return -EINVAL;
	}
	out->kind = rule->kind;
	out->has_sid = rule->flags & VCMD_SID;
	out->vsid = out->has_sid ? FIELD_GET(CMD0_SID, word0) : 0;
	return 0;
}

/**
 * smmu_vcmd_set_vmid - confine a command to a virtual machine
 * @cmd: smmu_vcmd_check() said SMMU_VCMD_TLBI
 * @vmid: the virtual machine's VMID
 *
 * TLBI_NSNH_ALL, which to the guest means all of its machine, becomes
 * TLBI_NH_ALL, since it would mean all machines here.
 */
void smmu_vcmd_set_vmid(__le64 cmd[CMD_DWORDS], u16 vmid)
{
	u64 word0 = le64_to_cpu(cmd[0]);

	if (FIELD_GET(CMD0_OP, word0) == CMD_OP_TLBI_NSNH_ALL)
		word0 = FIELD_PREP(CMD0_OP, CMD_OP_TLBI_NH_ALL);
	word0 &= ~CMD_TLBI0_VMID;
	word0 |= FIELD_PREP(CMD_TLBI0_VMID, vmid);
	cmd[0] = cpu_to_le64(word0);
}

/**
 * smmu_vcmd_set_sid - direct a command to a device
 * @cmd: smmu_vcmd_check() said SMMU_VCMD_CFGI or SMMU_VCMD_ATC
 * @sid: the device's StreamID in the hardware
 */
void smmu_vcmd_set_sid(__le64 cmd[CMD_DWORDS], u32 sid)
{
	cmd[0] &= ~cpu_to_le64(CMD0_SID);
	cmd[0] |= cpu_to_le64(FIELD_PREP(CMD0_SID, sid));
}

/* The bit Ac alone says whether the access is tried again (section 4.7.1). */
static u32 resume_code(u64 word0)
{
	switch (FIELD_GET(CMD_RESUME0_RESP, word0)) {
	case CMD_RESUME_TERMINATE:
		return VFIO_NESTED_RESPONSE_TERMINATE;
	case CMD_RESUME_ABORT:
		return VFIO_NESTED_RESPONSE_ABORT;
	default:
		return VFIO_NESTED_RESPONSE_RETRY;
	}
}

static u32 pri_resp_code(u64 word1)
{
	switch (FIELD_GET(CMD_PRI1_RESP, word1)) {
	case CMD_PRI_RESP_SUCCESS:
		return VFIO_NESTED_RESPONSE_RETRY;
	case CMD_PRI_RESP_INVALID:
		return VFIO_NESTED_RESPONSE_ABORT;
	default:
		return VFIO_NESTED_RESPONSE_TERMINATE;
	}
}

/**
 * smmu_vcmd_get_answer - what a guest's answer says
 * @cmd: smmu_vcmd_check() said SMMU_VCMD_RESUME or SMMU_VCMD_PRI_RESP
 * @answer: filled in
 */
void smmu_vcmd_get_answer(const __le64 cmd[CMD_DWORDS],
			  struct smmu_vcmd_answer *answer)
{
	u64 word0 = le64_to_cpu(cmd[0]), word1 = le64_to_cpu(cmd[1]);

	*answer = (struct smmu_vcmd_answer){ 0 };
	if (FIELD_GET(CMD0_OP, word0) == CMD_OP_RESUME) {
		answer->code = resume_code(word0);
		answer->tag = FIELD_GET(CMD_RESUME1_STAG, word1);
		return;
	}
	answer->code = pri_resp_code(word1);
	answer->group = FIELD_GET(CMD_PRI1_GROUP, word1);
	answer->ssv = word0 & CMD0_SSV;
	if (answer->ssv)
		answer->ssid = FIELD_GET(CMD0_SSID, word0);
}
