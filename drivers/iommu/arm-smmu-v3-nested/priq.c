// SPDX-License-Identifier: GPL-2.0
/*
 * The PRI queue (chapter 8).
 *
 * Invariant: every group of page requests that asks for an answer gets one.
 */
#include "smmuv3.h"

/**
 * smmu_priq_handle - one page request
 * @smmu: the SMMU
 * @pri: the record
 *
 * Called with the PRI queue's lock held. No table of the host maps on demand, so
 * there is nothing that a page request could bring about: the device is told that
 * its request is invalid, and knows at once instead of waiting.
 */
void smmu_priq_handle(struct smmu_device *smmu, const u64 *pri)
{
	u32 sid = FIELD_GET(PRI0_SID, pri[0]);
	struct smmu_master *master = xa_load(&smmu->streams, sid);
	__le64 cmd[CMD_DWORDS];

	dev_warn_ratelimited(smmu->dev, "page request of %s StreamID 0x%x refused: address 0x%llx\n",
			     master ? dev_name(master->dev) : "unknown device",
			     sid, pri[1] & PRI1_ADDR);
	if (!(pri[0] & PRI0_LAST))
		return;
	/* A stop marker is not a request (PCIe, section 10.4.1). */
	if (!(pri[0] & (PRI0_READ | PRI0_WRITE)))
		return;
	smmu_cmd_pri_resp(cmd, sid, pri[0] & PRI0_SSV,
			  FIELD_GET(PRI0_SSID, pri[0]),
			  FIELD_GET(PRI1_GRPID, pri[1]), CMD_PRI_RESP_INVALID);
	smmu_cmdq_issue(smmu, cmd, 1, false);
}
