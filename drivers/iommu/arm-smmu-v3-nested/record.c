// SPDX-License-Identifier: GPL-2.0
/*
 * From the hardware's records to those of the nested core, and from answers to what
 * the hardware calls them. Arm IHI 0070, sections 7.3 and 8.2.
 *
 * Invariant: a record says nothing that is the host's: StreamIDs are the guest's own,
 * and what may be a physical address is left out.
 */
#include <linux/align.h>
#include <linux/array_size.h>
#include <linux/errno.h>
#include <linux/sizes.h>
#include <asm/byteorder.h>

#include "cmd.h"
#include "record.h"
#include "smmuv3-regs.h"

/**
 * struct event_info - what an event means, in terms of no architecture
 * @reason: enum vfio_nested_fault_reason
 * @address: the record has an input address, and says what kind of access it was
 * @ipa: with S2 set, the record has an IPA. All other records that use the last
 *	word have a physical address there, which is not for guests.
 * @ssid: the record always has a SubstreamID, and no SSV to say so (section 7.3.9)
 */
struct event_info {
	u8 reason;
	bool address;
	bool ipa;
	bool ssid;
};

static const struct event_info event_infos[] = {
	[EVT_F_UUT]		= { VFIO_NESTED_REASON_TRANSACTION, true },
	[EVT_C_BAD_STREAMID]	= { VFIO_NESTED_REASON_STREAM },
	[EVT_F_STE_FETCH]	= { VFIO_NESTED_REASON_STREAM },
	[EVT_C_BAD_STE]		= { VFIO_NESTED_REASON_STREAM },
	[EVT_F_BAD_ATS_TREQ]	= { VFIO_NESTED_REASON_TRANSACTION, true },
	[EVT_F_STREAM_DISABLED]	= { VFIO_NESTED_REASON_PASID },
	[EVT_F_TRANSL_FORBIDDEN] = { VFIO_NESTED_REASON_TRANSACTION, true },
	[EVT_C_BAD_SUBSTREAMID]	= { VFIO_NESTED_REASON_PASID, .ssid = true },
	[EVT_F_CD_FETCH]	= { VFIO_NESTED_REASON_CONTEXT },
	[EVT_C_BAD_CD]		= { VFIO_NESTED_REASON_CONTEXT },
	[EVT_F_WALK_EABT]	= { VFIO_NESTED_REASON_WALK, true },
	[EVT_F_TRANSLATION]	= { VFIO_NESTED_REASON_TRANSLATION, true, true },
	[EVT_F_ADDR_SIZE]	= { VFIO_NESTED_REASON_ADDRESS_SIZE, true, true },
	[EVT_F_ACCESS]		= { VFIO_NESTED_REASON_ACCESS, true, true },
	[EVT_F_PERMISSION]	= { VFIO_NESTED_REASON_PERMISSION, true, true },
	[EVT_F_TLB_CONFLICT]	= { VFIO_NESTED_REASON_CONFLICT, true },
	[EVT_F_CFG_CONFLICT]	= { VFIO_NESTED_REASON_CONFLICT },
	[EVT_F_VMS_FETCH]	= { VFIO_NESTED_REASON_STREAM },
};

static u32 event_flags(const struct event_info *info, const u64 *evt)
{
	u32 flags = 0;

	if (info->ssid || evt[0] & EVT0_SSV)
		flags |= VFIO_NESTED_FAULT_PASID;
	if (!info->address)
		return flags;

	flags |= VFIO_NESTED_FAULT_ADDRESS;
	if (evt[1] & EVT1_IND)
		flags |= VFIO_NESTED_FAULT_EXEC;
	else if (evt[1] & EVT1_RNW)
		flags |= VFIO_NESTED_FAULT_READ;
	else
		flags |= VFIO_NESTED_FAULT_WRITE;
	if (evt[1] & EVT1_PNU)
		flags |= VFIO_NESTED_FAULT_PRIV;
	if (evt[1] & EVT1_S2)
		flags |= VFIO_NESTED_FAULT_STAGE2;
	if (info->ipa && evt[1] & EVT1_S2)
		flags |= VFIO_NESTED_FAULT_IPA;
	return flags;
}

/* What records begin with: to copy it takes a third of what memset() does. */
const struct vfio_nested_fault smmu_record_blank;

static void record_fields(struct vfio_nested_fault *fault, const u64 *evt)
{
	static const struct event_info unknown;
	u32 id = FIELD_GET(EVT0_ID, evt[0]);
	const struct event_info *info = id < ARRAY_SIZE(event_infos) ?
					&event_infos[id] : &unknown;

	fault->reason = info->reason;
	fault->flags = event_flags(info, evt);
	if (fault->flags & VFIO_NESTED_FAULT_PASID)
		fault->pasid = FIELD_GET(EVT0_SSID, evt[0]);
	if (fault->flags & VFIO_NESTED_FAULT_ADDRESS)
		fault->address = evt[2];
	if (fault->flags & VFIO_NESTED_FAULT_IPA)
		fault->ipa = evt[3] & EVT3_IPA;
}

static void record_raw(struct vfio_nested_fault *fault, const u64 *evt,
		       u64 host_only, u32 vsid)
{
	fault->raw_len = EVT_DWORDS * sizeof(u64);
	fault->raw[0] = cpu_to_le64((evt[0] & ~EVT0_SID) |
				    FIELD_PREP(EVT0_SID, (u64)vsid));
	fault->raw[1] = cpu_to_le64(evt[1] & ~host_only);
	fault->raw[2] = cpu_to_le64(fault->address);
	fault->raw[3] = cpu_to_le64(fault->ipa);
}

/**
 * smmu_record_event - an access that is over
 * @fault: filled in; zero before
 * @evt: the event record. If it says that the access is stalled, nobody is told.
 * @vsid: the device's StreamID in the guest
 */
void smmu_record_event(struct vfio_nested_fault *fault, const u64 *evt, u32 vsid)
{
	fault->kind = VFIO_NESTED_FAULT_EVENT;
	record_fields(fault, evt);
	record_raw(fault, evt, EVT1_STALL | EVT1_STAG, vsid);
}

/**
 * smmu_record_stall - an access that waits for an answer
 * @fault: filled in, but for the tag; zero before
 * @evt: the event record
 * @vsid: the device's StreamID in the guest
 */
void smmu_record_stall(struct vfio_nested_fault *fault, const u64 *evt, u32 vsid)
{
	fault->kind = VFIO_NESTED_FAULT_STALL;
	record_fields(fault, evt);
	record_raw(fault, evt, EVT1_STAG, vsid);
}

/**
 * smmu_record_set_tag - by what the guest will name a stall
 * @fault: smmu_record_stall() has filled it in
 * @tag: the guest's STAG
 */
void smmu_record_set_tag(struct vfio_nested_fault *fault, u16 tag)
{
	fault->raw[1] &= ~cpu_to_le64(EVT1_STAG);
	fault->raw[1] |= cpu_to_le64(FIELD_PREP(EVT1_STAG, (u64)tag));
}

/* Bits of a page request that mean the same in a fault's flags */
static const struct {
	u64 pri0;
	u32 flag;
} request_flags[] = {
	{ PRI0_SSV, VFIO_NESTED_FAULT_PASID },
	{ PRI0_LAST, VFIO_NESTED_FAULT_LAST },
	{ PRI0_READ, VFIO_NESTED_FAULT_READ },
	{ PRI0_WRITE, VFIO_NESTED_FAULT_WRITE },
	{ PRI0_EXEC, VFIO_NESTED_FAULT_EXEC },
	{ PRI0_PRIV, VFIO_NESTED_FAULT_PRIV },
};

/* From the rest of the record, so that one says what the other does. */
static void request_raw(struct vfio_nested_fault *fault, u32 vsid)
{
	u64 word0 = FIELD_PREP(PRI0_SID, (u64)vsid) |
		    FIELD_PREP(PRI0_SSID, (u64)fault->pasid);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(request_flags); i++)
		if (fault->flags & request_flags[i].flag)
			word0 |= request_flags[i].pri0;
	fault->raw_len = PRI_DWORDS * sizeof(u64);
	fault->raw[0] = cpu_to_le64(word0);
	fault->raw[1] = cpu_to_le64((fault->address & PRI1_ADDR) |
				    FIELD_PREP(PRI1_GRPID, (u64)fault->group));
	fault->raw[2] = 0;
	fault->raw[3] = 0;
}

/**
 * smmu_record_request - a page request, or a stop marker
 * @fault: filled in; zero before
 * @pri: the page request record
 * @vsid: the device's StreamID in the guest
 */
void smmu_record_request(struct vfio_nested_fault *fault, const u64 *pri, u32 vsid)
{
	u32 i;

	fault->kind = VFIO_NESTED_FAULT_PAGE_REQUEST;
	for (i = 0; i < ARRAY_SIZE(request_flags); i++)
		if (pri[0] & request_flags[i].pri0)
			fault->flags |= request_flags[i].flag;
	if (pri[0] & PRI0_SSV)
		fault->pasid = FIELD_GET(PRI0_SSID, pri[0]);
	/* A stop marker has none: PCIe, section 10.4.1.2.1. */
	if (pri[0] & (PRI0_READ | PRI0_WRITE)) {
		fault->flags |= VFIO_NESTED_FAULT_ADDRESS;
		fault->address = pri[1] & PRI1_ADDR;
	}
	fault->group = FIELD_GET(PRI1_GRPID, pri[1]);
	request_raw(fault, vsid);
}

/**
 * smmu_record_restore - a page request that is not from the hardware
 * @fault: from a user; its raw record is made anew
 * @vsid: the device's StreamID in the guest
 * @pasid_bits: PASIDs that the device has
 *
 * Return: 0; -EINVAL: the device cannot ask like that.
 */
int smmu_record_restore(struct vfio_nested_fault *fault, u32 vsid, u32 pasid_bits)
{
	if (fault->kind != VFIO_NESTED_FAULT_PAGE_REQUEST ||
	    fault->group > FIELD_MAX(PRI1_GRPID) || fault->pasid >> pasid_bits ||
	    !IS_ALIGNED(fault->address, SZ_4K))
		return -EINVAL;
	if (fault->flags & VFIO_NESTED_FAULT_PASID ? !pasid_bits : fault->pasid)
		return -EINVAL;
	/* What asks for nothing is a stop marker. */
	if (!(fault->flags & (VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_WRITE)) ?
	    !(fault->flags & VFIO_NESTED_FAULT_LAST) || fault->address :
	    !(fault->flags & VFIO_NESTED_FAULT_ADDRESS))
		return -EINVAL;
	request_raw(fault, vsid);
	return 0;
}

/**
 * smmu_resume_of - what CMD_RESUME calls an answer
 * @code: enum vfio_nested_response_code
 * @term_model: IDR0.TERM_MODEL: what ends without being tried again is aborted
 *
 * Return: CMD_RESUME_*.
 */
u8 smmu_resume_of(u32 code, bool term_model)
{
	if (code == VFIO_NESTED_RESPONSE_RETRY)
		return CMD_RESUME_RETRY;
	if (code == VFIO_NESTED_RESPONSE_TERMINATE && !term_model)
		return CMD_RESUME_TERMINATE;
	return CMD_RESUME_ABORT;
}

/**
 * smmu_pri_resp_of - what CMD_PRI_RESP calls an answer
 * @code: enum vfio_nested_response_code
 * @shared: others use the same interface: a failure would end their page requests
 *
 * Return: CMD_PRI_RESP_*.
 */
u8 smmu_pri_resp_of(u32 code, bool shared)
{
	if (code == VFIO_NESTED_RESPONSE_RETRY)
		return CMD_PRI_RESP_SUCCESS;
	if (code == VFIO_NESTED_RESPONSE_TERMINATE && !shared)
		return CMD_PRI_RESP_FAILURE;
	return CMD_PRI_RESP_INVALID;
}
