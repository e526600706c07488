// SPDX-License-Identifier: GPL-2.0
/*
 * Masters: the devices behind an SMMU.
 *
 * Invariants:
 *  - a StreamID belongs to one master, in smmu_device.streams from the end of
 *    smmu_probe_device() to the start of smmu_release_device();
 *  - every StreamID of a master has a stream table entry, aborting until the IOMMU
 *    core attaches something.
 */
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "smmuv3.h"

static void smmu_remove_streams(struct smmu_master *master, u32 num)
{
	struct smmu_device *smmu = master->smmu;

	smmu_records_lock(smmu);
	while (num--)
		xa_erase(&smmu->streams, master->sids[num]);
	smmu_records_unlock(smmu);
}

static int smmu_insert_stream(struct smmu_master *master, u32 sid)
{
	struct smmu_device *smmu = master->smmu;
	int ret;

	ret = smmu_strtab_ensure(smmu, sid);
	if (ret == -ERANGE)
		dev_err(master->dev, "StreamID 0x%x is more than the SMMU's %u bits\n",
			sid, smmu->sid_bits);
	if (ret)
		return ret;
	ret = xa_insert(&smmu->streams, sid, master, GFP_KERNEL);
	if (ret == -EBUSY)
		dev_err(master->dev, "StreamID 0x%x is that of another device already\n",
			sid);
	return ret;
}

/* Firmware may list a StreamID twice, for instance for an alias (IORT). */
static bool sid_is_listed(const struct smmu_master *master, u32 sid)
{
	u32 i;

	for (i = 0; i < master->num_sids; i++)
		if (master->sids[i] == sid)
			return true;
	return false;
}

static int smmu_insert_streams(struct smmu_master *master,
			       const struct iommu_fwspec *fwspec)
{
	u32 i;
	int ret;

	for (i = 0; i < fwspec->num_ids; i++) {
		u32 sid = fwspec->ids[i];

		if (sid_is_listed(master, sid))
			continue;
		ret = smmu_insert_stream(master, sid);
		if (ret) {
			smmu_remove_streams(master, master->num_sids);
			return ret;
		}
		/* The array is as long as this says. */
		master->num_sids++;
		master->sids[master->num_sids - 1] = sid;
	}
	return 0;
}

/*
 * The IOMMU core asks while it registers an SMMU, from inside its probe function:
 * the driver's own list of devices does not have it yet.
 */
static struct smmu_device *smmu_of_fwspec(const struct iommu_fwspec *fwspec)
{
	struct device *dev = bus_find_device_by_fwnode(&platform_bus_type,
						       fwspec->iommu_fwnode);
	struct smmu_device *smmu = NULL;

	if (dev && dev->driver == &smmu_driver.driver)
		smmu = dev_get_drvdata(dev);
	put_device(dev);
	return smmu;
}

/**
 * smmu_probe_device - the IOMMU core has found a device that may be ours
 * @dev: it has a fwspec, which names us
 *
 * May sleep. Return: the IOMMU. Errors, as a pointer: ENODEV: our SMMU is not
 * there; EBUSY: StreamID in use; ERANGE: no such StreamID; ENOMEM.
 */
struct iommu_device *smmu_probe_device(struct device *dev)
{
	struct iommu_fwspec *fwspec = dev_iommu_fwspec_get(dev);
	struct smmu_device *smmu = smmu_of_fwspec(fwspec);
	struct smmu_master *master;
	int ret;

	if (!smmu)
		return ERR_PTR(-ENODEV);
	master = kzalloc(struct_size(master, sids, fwspec->num_ids), GFP_KERNEL);
	if (!master)
		return ERR_PTR(-ENOMEM);
	master->smmu = smmu;
	master->dev = dev;
	master->attachment = SMMU_ATTACHED_BLOCKED;
	mutex_init(&master->lock);
	INIT_WORK(&master->ats_dead_work, smmu_ats_dead_work);
	ret = smmu_insert_streams(master, fwspec);
	if (ret) {
		kfree(master);
		return ERR_PTR(ret);
	}
	smmu_pasid_enable(master);
	smmu_ats_init(master);
	smmu_pri_init(master);
	dev_iommu_priv_set(dev, master);
	return &smmu->iommu;
}

/**
 * smmu_release_device - a device goes away
 * @dev: the device; nothing of ours is attached but the release domain
 *
 * May sleep.
 */
void smmu_release_device(struct device *dev)
{
	struct smmu_master *master = dev_iommu_priv_get(dev);

	WARN_ON(master->vdev);
	smmu_pri_release(master);
	smmu_master_attach(master, SMMU_ATTACHED_BLOCKED, NULL);
	smmu_pasid_disable(master);
	cancel_work_sync(&master->ats_dead_work);
	smmu_remove_streams(master, master->num_sids);
	mutex_destroy(&master->lock);
	kfree(master);
}
