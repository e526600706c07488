// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of records and answers, and of how places are shared.
 *
 * The expectations are written in bit numbers, after the architecture's text (Arm IHI
 * 0070, sections 7.3 and 8.2): they do not share the field definitions of the code
 * that they check.
 */
#include <kunit/test.h>
#include <linux/module.h>

/* The functions depend on nothing, so any kernel can run them. */
#include "record.c"
#include "share.h"

#define VSID		0xfedcba98U
#define HOST_SID	0x12345678ULL

/* F_TRANSLATION of a privileged read: SSV, SSID 0xabcde, STAG 0x4321, stalled */
#define STALL0		(HOST_SID << 32 | 0xabcdeULL << 12 | BIT_ULL(11) | 0x10)
#define STALL1		(BIT_ULL(35) | BIT_ULL(33) | BIT_ULL(31) | 0x4321)

static void record_stall(struct kunit *test)
{
	const u64 evt[] = { STALL0, STALL1, 0x123456789abcULL, 0xdeadb000ULL };
	struct vfio_nested_fault fault = { 0 };

	smmu_record_stall(&fault, evt, VSID);
	KUNIT_EXPECT_EQ(test, fault.kind, VFIO_NESTED_FAULT_STALL);
	KUNIT_EXPECT_EQ(test, fault.reason, VFIO_NESTED_REASON_TRANSLATION);
	KUNIT_EXPECT_EQ(test, fault.flags,
			VFIO_NESTED_FAULT_PASID | VFIO_NESTED_FAULT_ADDRESS |
			VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_PRIV);
	KUNIT_EXPECT_EQ(test, fault.pasid, 0xabcde);
	KUNIT_EXPECT_EQ(test, fault.address, 0x123456789abcULL);
	KUNIT_EXPECT_EQ(test, fault.ipa, 0);
	KUNIT_EXPECT_EQ(test, fault.raw_len, 32);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[0]),
			(u64)VSID << 32 | (u32)STALL0);
	/* The hardware's tag is the host's. */
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[1]), STALL1 & ~0xffffULL);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[2]), 0x123456789abcULL);
	/* Without S2 this word is no IPA. */
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[3]), 0);

	smmu_record_set_tag(&fault, 0xffff);
	smmu_record_set_tag(&fault, 0x0123);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[1]),
			(STALL1 & ~0xffffULL) | 0x0123);
}

static void record_stage2(struct kunit *test)
{
	const u64 evt[] = { STALL0, STALL1 | BIT_ULL(39), 0x1000, 0x123456789fffULL };
	struct vfio_nested_fault fault = { 0 };

	smmu_record_stall(&fault, evt, VSID);
	KUNIT_EXPECT_TRUE(test, fault.flags & VFIO_NESTED_FAULT_STAGE2);
	KUNIT_EXPECT_TRUE(test, fault.flags & VFIO_NESTED_FAULT_IPA);
	KUNIT_EXPECT_EQ(test, fault.ipa, 0x123456789000ULL);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[3]), 0x123456789000ULL);
}

/* An access that is over has no tag, also where it was stalled for a moment. */
static void record_event(struct kunit *test)
{
	const u64 evt[] = { STALL0, STALL1, 0x1000, 0 };
	struct vfio_nested_fault fault = { 0 };
	u64 id;

	smmu_record_event(&fault, evt, VSID);
	KUNIT_EXPECT_EQ(test, fault.kind, VFIO_NESTED_FAULT_EVENT);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[1]),
			BIT_ULL(35) | BIT_ULL(33));

	/* Whatever the hardware says, nothing of the host's is passed on. */
	for (id = 0; id < 256; id++) {
		const u64 all[] = { ~0xffULL | id, ~BIT_ULL(39), ~0ULL, ~0ULL };

		memset(&fault, 0, sizeof(fault));
		smmu_record_event(&fault, all, 0);
		KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[0]) >> 32, 0);
		KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[1]) & 0x8000ffff, 0);
		KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[3]), 0);
		KUNIT_EXPECT_EQ(test, fault.ipa, 0);
	}
}

/* Of all events one has a SubstreamID and no SSV: C_BAD_SUBSTREAMID. */
static void record_substream(struct kunit *test)
{
	u64 id;

	for (id = 0; id < 256; id++) {
		const u64 evt[] = { HOST_SID << 32 | 0xabcdeULL << 12 | id, 0, 0, 0 };
		struct vfio_nested_fault fault = { 0 };
		bool has = id == 0x08;

		smmu_record_event(&fault, evt, VSID);
		KUNIT_EXPECT_EQ(test, has, !!(fault.flags & VFIO_NESTED_FAULT_PASID));
		KUNIT_EXPECT_EQ(test, fault.pasid, has ? 0xabcde : 0);
	}
}

static void record_request(struct kunit *test)
{
	/* SSV, LAST, W, R, privileged; SSID 0xabcde */
	const u64 flags = BIT_ULL(63) | BIT_ULL(62) | BIT_ULL(61) | BIT_ULL(60) |
			  BIT_ULL(58) | 0xabcdeULL << 32;
	const u64 pri[] = { flags | HOST_SID, 0xfedcba9876543000ULL | 0x1a5 };
	struct vfio_nested_fault fault = { 0 };

	smmu_record_request(&fault, pri, VSID);
	KUNIT_EXPECT_EQ(test, fault.kind, VFIO_NESTED_FAULT_PAGE_REQUEST);
	KUNIT_EXPECT_EQ(test, fault.flags,
			VFIO_NESTED_FAULT_PASID | VFIO_NESTED_FAULT_LAST |
			VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_WRITE |
			VFIO_NESTED_FAULT_PRIV | VFIO_NESTED_FAULT_ADDRESS);
	KUNIT_EXPECT_EQ(test, fault.pasid, 0xabcde);
	KUNIT_EXPECT_EQ(test, fault.address, 0xfedcba9876543000ULL);
	KUNIT_EXPECT_EQ(test, fault.group, 0x1a5);
	KUNIT_EXPECT_EQ(test, fault.raw_len, 16);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[0]), flags | VSID);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[1]), pri[1]);
}

/* Each bit of the record says one thing. */
static void record_request_bits(struct kunit *test)
{
	static const struct {
		u8 bit;
		u32 flag;
	} bits[] = {
		{ 58, VFIO_NESTED_FAULT_PRIV }, { 59, VFIO_NESTED_FAULT_EXEC },
		{ 60, VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_ADDRESS },
		{ 61, VFIO_NESTED_FAULT_WRITE | VFIO_NESTED_FAULT_ADDRESS },
		{ 62, VFIO_NESTED_FAULT_LAST }, { 63, VFIO_NESTED_FAULT_PASID },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		const u64 pri[] = { BIT_ULL(bits[i].bit), 0x5000 };
		struct vfio_nested_fault fault = { 0 };

		smmu_record_request(&fault, pri, 0);
		KUNIT_EXPECT_EQ(test, fault.flags, bits[i].flag);
		KUNIT_EXPECT_EQ(test, fault.address,
				fault.flags & VFIO_NESTED_FAULT_ADDRESS ? 0x5000 : 0);
	}
}

static void record_stop_marker(struct kunit *test)
{
	const u64 pri[] = { BIT_ULL(63) | BIT_ULL(62) | 7ULL << 32 | HOST_SID, 0x3000 };
	struct vfio_nested_fault fault = { 0 };

	smmu_record_request(&fault, pri, VSID);
	KUNIT_EXPECT_EQ(test, fault.flags,
			VFIO_NESTED_FAULT_PASID | VFIO_NESTED_FAULT_LAST);
	KUNIT_EXPECT_EQ(test, fault.pasid, 7);
	KUNIT_EXPECT_EQ(test, fault.address, 0);
}

static struct vfio_nested_fault saved_request(void)
{
	return (struct vfio_nested_fault){
		.kind = VFIO_NESTED_FAULT_PAGE_REQUEST,
		.flags = VFIO_NESTED_FAULT_PASID | VFIO_NESTED_FAULT_LAST |
			 VFIO_NESTED_FAULT_WRITE | VFIO_NESTED_FAULT_ADDRESS,
		.pasid = 0xffff, .address = 0x123456000, .group = 511,
		.raw_len = 32, .raw = { ~0ULL, ~0ULL, ~0ULL, ~0ULL },
	};
}

static int restore(struct vfio_nested_fault fault, u32 pasid_bits)
{
	return smmu_record_restore(&fault, VSID, pasid_bits);
}

static void record_restore(struct kunit *test)
{
	struct vfio_nested_fault fault = saved_request();

	KUNIT_EXPECT_EQ(test, smmu_record_restore(&fault, VSID, 16), 0);
	KUNIT_EXPECT_EQ(test, fault.raw_len, 16);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[0]),
			BIT_ULL(63) | BIT_ULL(62) | BIT_ULL(61) |
			0xffffULL << 32 | VSID);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[1]), 0x123456000 | 511);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[2]), 0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fault.raw[3]), 0);

	/* What the device could not have said */
	KUNIT_EXPECT_EQ(test, restore(fault, 15), -EINVAL);
	KUNIT_EXPECT_EQ(test, restore(fault, 0), -EINVAL);
	fault.group = 512;
	KUNIT_EXPECT_EQ(test, restore(fault, 16), -EINVAL);
	fault = saved_request();
	fault.address |= 8;
	KUNIT_EXPECT_EQ(test, restore(fault, 16), -EINVAL);
	fault = saved_request();
	fault.kind = VFIO_NESTED_FAULT_STALL;
	KUNIT_EXPECT_EQ(test, restore(fault, 16), -EINVAL);
	fault = saved_request();
	fault.flags &= ~VFIO_NESTED_FAULT_ADDRESS;
	KUNIT_EXPECT_EQ(test, restore(fault, 16), -EINVAL);
	fault = saved_request();
	fault.flags &= ~VFIO_NESTED_FAULT_PASID;
	KUNIT_EXPECT_EQ(test, restore(fault, 16), -EINVAL);
	fault.pasid = 0;
	KUNIT_EXPECT_EQ(test, restore(fault, 16), 0);
	KUNIT_EXPECT_EQ(test, restore(fault, 0), 0);
	/* A stop marker, and one that is not the last of anything */
	fault.flags = VFIO_NESTED_FAULT_PASID | VFIO_NESTED_FAULT_LAST;
	KUNIT_EXPECT_EQ(test, restore(fault, 16), -EINVAL);
	fault.address = 0;
	KUNIT_EXPECT_EQ(test, restore(fault, 16), 0);
	fault.flags = VFIO_NESTED_FAULT_PASID;
	KUNIT_EXPECT_EQ(test, restore(fault, 16), -EINVAL);
}

static void answer_codes(struct kunit *test)
{
	bool yes;

	for (yes = false;; yes = true) {
		KUNIT_EXPECT_EQ(test, smmu_resume_of(VFIO_NESTED_RESPONSE_RETRY, yes), 1);
		KUNIT_EXPECT_EQ(test, smmu_resume_of(VFIO_NESTED_RESPONSE_ABORT, yes), 2);
		KUNIT_EXPECT_EQ(test, smmu_resume_of(VFIO_NESTED_RESPONSE_TERMINATE, yes),
				yes ? 2 : 0);
		KUNIT_EXPECT_EQ(test, smmu_pri_resp_of(VFIO_NESTED_RESPONSE_RETRY, yes), 2);
		KUNIT_EXPECT_EQ(test, smmu_pri_resp_of(VFIO_NESTED_RESPONSE_ABORT, yes), 1);
		/* A failure would hurt those who share the interface. */
		KUNIT_EXPECT_EQ(test, smmu_pri_resp_of(VFIO_NESTED_RESPONSE_TERMINATE, yes),
				yes ? 1 : 0);
		if (yes)
			break;
	}
	/* What nobody knows does the least. */
	KUNIT_EXPECT_EQ(test, smmu_resume_of(99, false), 2);
	KUNIT_EXPECT_EQ(test, smmu_pri_resp_of(99, false), 1);
}

/* Everybody stalls what is allowed, one after the other: nobody is shut out. */
static void share_stalls(struct kunit *test)
{
	static const u32 maxima[] = { 1, 2, 3, 4, 8, 31, 32, 1000, 65535 };
	u32 i, num, own;

	for (i = 0; i < ARRAY_SIZE(maxima); i++) {
		u32 max = maxima[i];

		/* Alone: all there is, and what the hardware holds back */
		for (own = 0; own < max + 2; own++)
			KUNIT_ASSERT_TRUE(test, smmu_stall_is_fair(own, own, max, 1));
		for (num = 2; num < 20; num++) {
			/* One who has nothing gets something, however full it is. */
			KUNIT_ASSERT_TRUE(test, smmu_stall_is_fair(max, 0, max, num));
			/* One who has it all gets no more. */
			KUNIT_ASSERT_FALSE(test, smmu_stall_is_fair(max, max, max, num));
		}
	}
	/* Below three quarters nobody counts. */
	KUNIT_EXPECT_TRUE(test, smmu_stall_is_fair(23, 23, 32, 4));
	KUNIT_EXPECT_FALSE(test, smmu_stall_is_fair(24, 24, 32, 4));
	KUNIT_EXPECT_FALSE(test, smmu_stall_is_fair(24, 8, 32, 4));
	KUNIT_EXPECT_TRUE(test, smmu_stall_is_fair(24, 7, 32, 4));
}

static void share_page_requests(struct kunit *test)
{
	u32 shift, granted, reserved;

	/* All who want as much as they can get: it is never more than the queue. */
	for (shift = 0; shift <= 19; shift++) {
		u32 entries = 1U << shift, served = 0;

		reserved = 0;
		while ((granted = smmu_pri_grant(U32_MAX, U32_MAX, entries,
						 reserved))) {
			reserved += granted;
			served++;
			KUNIT_ASSERT_LE(test, reserved, entries);
		}
		KUNIT_EXPECT_EQ(test, reserved, entries);
		KUNIT_EXPECT_LE(test, served, 16);
	}
	KUNIT_EXPECT_EQ(test, smmu_pri_grant(100, 1000, 4096, 0), 100);
	KUNIT_EXPECT_EQ(test, smmu_pri_grant(1000, 100, 4096, 0), 100);
	KUNIT_EXPECT_EQ(test, smmu_pri_grant(1000, 1000, 4096, 0), 256);
	KUNIT_EXPECT_EQ(test, smmu_pri_grant(1000, 1000, 4096, 4000), 96);
	KUNIT_EXPECT_EQ(test, smmu_pri_grant(1000, 1000, 4096, 4096), 0);
	KUNIT_EXPECT_EQ(test, smmu_pri_grant(1000, 1000, 4096, 5000), 0);
	KUNIT_EXPECT_EQ(test, smmu_pri_grant(0, 1000, 4096, 0), 0);
	KUNIT_EXPECT_EQ(test, smmu_pri_grant(1000, 1000, 16, 0), 8);
}

static struct kunit_case record_cases[] = {
	KUNIT_CASE(record_stall),
	KUNIT_CASE(record_stage2),
	KUNIT_CASE(record_event),
	KUNIT_CASE(record_substream),
	KUNIT_CASE(record_request),
	KUNIT_CASE(record_request_bits),
	KUNIT_CASE(record_stop_marker),
	KUNIT_CASE(record_restore),
	KUNIT_CASE(answer_codes),
	KUNIT_CASE(share_stalls),
	KUNIT_CASE(share_page_requests),
	{}
};

static struct kunit_suite record_suite = {
	.name = "smmuv3-nested-record",
	.test_cases = record_cases,
};

kunit_test_suite(record_suite);
