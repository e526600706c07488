/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How those who share an SMMU share what there is only once: places for stalled
 * accesses, and the PRI queue. Pure functions.
 */
#ifndef _SMMU_NESTED_SHARE_H
#define _SMMU_NESTED_SHARE_H

#include <linux/minmax.h>
#include <linux/types.h>

/* One device has at most this part of the PRI queue, */
#define SMMU_PRIQ_SHARE		16
/* or so many requests where that is less. */
#define SMMU_PRIQ_SHARE_MIN	8

/**
 * smmu_stall_is_fair - whether a virtual IOMMU may keep one more access stalled
 * @total: accesses stalled now by all that share the SMMU
 * @own: of these, by this virtual IOMMU, without the new one
 * @max: IDR5.STALL_MAX
 * @num: virtual IOMMUs that share it, 1 or more
 *
 * As long as there is plenty nobody is held to a share. One alone never is: the
 * hardware holds back by itself what is beyond @max.
 *
 * Return: false if the access is better aborted at once.
 */
static inline bool smmu_stall_is_fair(u32 total, u32 own, u32 max, u32 num)
{
	if (num <= 1 || total < max - max / 4)
		return true;
	return own < max(max / num, 1U);
}

/**
 * smmu_pri_grant - how many page requests a function may have outstanding
 * @wanted: as many as its owner gave it
 * @capacity: as many as it can have
 * @entries: size of the PRI queue
 * @reserved: places of the queue that others have been promised
 *
 * What has been promised to all together fits into the queue, so functions that
 * keep to it cannot make it overflow.
 *
 * Return: the number; 0: there is no place.
 */
static inline u32 smmu_pri_grant(u32 wanted, u32 capacity, u32 entries,
				 u32 reserved)
{
	u32 share = max(entries / SMMU_PRIQ_SHARE, SMMU_PRIQ_SHARE_MIN);
	u32 room = entries - min(entries, reserved);

	return min(min(wanted, capacity), min(share, room));
}

#endif /* _SMMU_NESTED_SHARE_H */
