/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Check of the stream table entry that a guest wrote. Pure functions.
 */
#ifndef _SMMU_NESTED_VSTE_H
#define _SMMU_NESTED_VSTE_H

#include <linux/types.h>

/**
 * struct smmu_vste_limits - what the SMMU, as the guest sees it, implements
 * @ipa_bits: size of the guest's physical address space in bits, 32 to 52
 * @ssid_bits: IDR1.SSIDSIZE
 * @cd2l: IDR0.CD2L: two-level tables of context descriptors
 * @stall_model: IDR0.STALL_MODEL
 * @eats_allowed: the guest may enable ATS for this device
 */
struct smmu_vste_limits {
	u8 ipa_bits;
	u8 ssid_bits;
	bool cd2l;
	u8 stall_model;
	bool eats_allowed;
};

/**
 * enum smmu_vste_kind - what a guest's entry asks for
 * @SMMU_VSTE_INVALID: refuse every access with C_BAD_STE
 * @SMMU_VSTE_ABORT: refuse every access, without a record
 * @SMMU_VSTE_BYPASS: no stage 1: stage 2 alone
 * @SMMU_VSTE_S1: stage 1 as the entry says: smmu_ste_make_nested()
 */
enum smmu_vste_kind {
	SMMU_VSTE_INVALID,
	SMMU_VSTE_ABORT,
	SMMU_VSTE_BYPASS,
	SMMU_VSTE_S1,
};

int smmu_vste_check(const __le64 vste[2],
		    const struct smmu_vste_limits *limits,
		    enum smmu_vste_kind *kind, const char **why);

#endif /* _SMMU_NESTED_VSTE_H */
