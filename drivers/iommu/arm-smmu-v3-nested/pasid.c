// SPDX-License-Identifier: GPL-2.0
/*
 * PASIDs of a device: SubstreamIDs of its accesses (section 3.9.3).
 *
 * Invariant: a PCI function that can have PASIDs has them enabled from the moment at
 * which it becomes a master until it ceases to be one, so always before ATS, as PCIe
 * demands (section 10.5.1.3). Where nobody has given it a table of contexts, an
 * access with a PASID is refused.
 */
#include <linux/log2.h>
#include <linux/pci-ats.h>
#include <linux/property.h>

#include "smmuv3.h"

static u32 pci_pasid_bits(struct pci_dev *pdev)
{
	int features = pci_pasid_features(pdev);
	int num = pci_max_pasids(pdev);

	if (features < 0 || num <= 0)
		return 0;
	if (pci_enable_pasid(pdev, features)) {
		pci_notice(pdev, "PASIDs stay off: a bridge above does not carry them, or does not send everything upstream (ACS); with a device tree some kernels need pci=config_acs=xx111x1@pci:VENDOR:DEVICE for it\n");
		return 0;
	}
	return ilog2(num);
}

/**
 * smmu_pasid_enable - let a master use PASIDs, as far as it can
 * @master: nobody else knows of it yet
 *
 * Sets smmu_master.pasid_bits. May sleep.
 */
void smmu_pasid_enable(struct smmu_master *master)
{
	u32 bits = 0;

	if (!master->smmu->ssid_bits)
		return;
	if (dev_is_pci(master->dev))
		bits = pci_pasid_bits(to_pci_dev(master->dev));
	else
		device_property_read_u32(master->dev, "pasid-num-bits", &bits);
	master->pasid_bits = min_t(u32, bits, master->smmu->ssid_bits);
}

/**
 * smmu_pasid_disable - the opposite
 * @master: its ATS is off, and nobody else knows of it any more
 */
void smmu_pasid_disable(struct smmu_master *master)
{
	if (master->pasid_bits && dev_is_pci(master->dev))
		pci_disable_pasid(to_pci_dev(master->dev));
	master->pasid_bits = 0;
}
