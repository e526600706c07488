/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From the hardware's records to those of the nested core. Pure functions.
 */
#ifndef _SMMU_NESTED_RECORD_H
#define _SMMU_NESTED_RECORD_H

#include <linux/types.h>
#include <uapi/linux/vfio_nested.h>

extern const struct vfio_nested_fault smmu_record_blank;

void smmu_record_event(struct vfio_nested_fault *fault, const u64 *evt, u32 vsid);
void smmu_record_stall(struct vfio_nested_fault *fault, const u64 *evt, u32 vsid);
void smmu_record_set_tag(struct vfio_nested_fault *fault, u16 tag);
void smmu_record_request(struct vfio_nested_fault *fault, const u64 *pri, u32 vsid);
int smmu_record_restore(struct vfio_nested_fault *fault, u32 vsid, u32 pasid_bits);
u8 smmu_resume_of(u32 code, bool term_model);
u8 smmu_pri_resp_of(u32 code, bool shared);

#endif /* _SMMU_NESTED_RECORD_H */
