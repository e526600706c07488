// SPDX-License-Identifier: GPL-2.0
/*
 * The PRI queue (chapter 8).
 *
 * Invariants:
 *  - every group of page requests that asks for an answer gets one, from here or
 *    from whoever has taken it;
 *  - after an overflow, in which the hardware has answered some by itself, nobody
 *    takes a group of before for one of after: those who wait are told in between.
 */
#include <linux/iommu-nested.h>

#include "smmuv3.h"

/* A stop marker is not a request (PCIe, section 10.4.1.2.1). */
static bool is_stop_marker(const u64 *pri)
{
	return !(pri[0] & (PRI0_READ | PRI0_WRITE));
}

/**
 * smmu_priq_refuse - say that a group of page requests is not valid
 * @smmu: the SMMU
 * @master: whose request it is, NULL if nobody knows
 * @pri: a request of the group; only the last one is answered
 */
void smmu_priq_refuse(struct smmu_device *smmu, const struct smmu_master *master,
		      const u64 *pri)
{
	bool ssv = pri[0] & PRI0_SSV && (!master || master->pri_pasid);
	__le64 cmd[CMD_DWORDS];

	if (!(pri[0] & PRI0_LAST) || is_stop_marker(pri))
		return;
	smmu_cmd_pri_resp(cmd, FIELD_GET(PRI0_SID, pri[0]), ssv,
			  FIELD_GET(PRI0_SSID, pri[0]),
			  FIELD_GET(PRI1_GRPID, pri[1]), CMD_PRI_RESP_INVALID);
	smmu_cmdq_issue(smmu, cmd, 1, SMMU_SYNC_NONE);
}

/**
 * smmu_priq_handle - one page request
 * @smmu: the SMMU
 * @pri: the record
 *
 * Called with the PRI queue's lock held, which keeps the master and its overlay in
 * place. No table of the host maps on demand, so that only a guest can do something
 * about a page request; without one the device is told that its request is invalid,
 * and knows at once instead of waiting.
 */
void smmu_priq_handle(struct smmu_device *smmu, const u64 *pri)
{
	u32 sid = FIELD_GET(PRI0_SID, pri[0]);
	struct smmu_master *master = smmu_evtq_master(smmu, &smmu->priq, sid);

	if (master && master->vdev &&
	    smmu_nested_page_request(master->vdev, pri))
		return;
	if (!master || !master->vdev)
		dev_warn_ratelimited(smmu->dev, "page request of %s StreamID 0x%x refused: address 0x%llx\n",
				     master ? dev_name(master->dev) :
					      "unknown device",
				     sid, pri[1] & PRI1_ADDR);
	smmu_priq_refuse(smmu, master, pri);
}

/**
 * smmu_priq_lost - the queue has overflowed, and what was in it has been handled
 * @smmu: the SMMU
 *
 * Called with the PRI queue's lock held, before the hardware may write more.
 */
void smmu_priq_lost(struct smmu_device *smmu)
{
	struct smmu_master *master;
	unsigned long sid;

	xa_for_each(&smmu->streams, sid, master)
		if (master->vdev && READ_ONCE(master->pri_limit))
			iommu_nested_requests_lost(master->vdev->binding);
}
