// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <linux/pci_regs.h>

#include "capability.h"
#include "util.h"

unsigned int vn_extended_capability(struct vn_device *device, uint16_t id)
{
	unsigned int at = PCI_CFG_SPACE_SIZE, i;
	uint32_t header;

	/* As many as have room: the list may not end. */
	for (i = 0; i < (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8; i++) {
		if (vn_device_config_read(device, at, &header, sizeof(header)))
			return 0;
		if (PCI_EXT_CAP_ID(header) == id)
			return at;
		at = PCI_EXT_CAP_NEXT(header);
		if (at < PCI_CFG_SPACE_SIZE)
			return 0;
	}
	return 0;
}

static int find(struct vn_device *device, uint16_t id, const char *name,
		unsigned int *at)
{
	*at = vn_extended_capability(device, id);
	if (!*at)
		return vn_fail(-EOPNOTSUPP, "%s shows no %s capability",
			       device->pci.name, name);
	return 0;
}

static int write16(struct vn_device *device, unsigned int at, uint16_t value)
{
	return vn_device_config_write(device, at, &value, sizeof(value));
}

int vn_device_enable_pasid(struct vn_device *device)
{
	uint16_t can, control = PCI_PASID_CTRL_ENABLE;
	unsigned int at;
	int ret;

	ret = find(device, PCI_EXT_CAP_ID_PASID, "PASID", &at);
	if (!ret)
		ret = vn_device_config_read(device, at + PCI_PASID_CAP, &can,
					    sizeof(can));
	if (ret)
		return ret;
	if (can & PCI_PASID_CAP_EXEC)
		control |= PCI_PASID_CTRL_EXEC;
	if (can & PCI_PASID_CAP_PRIV)
		control |= PCI_PASID_CTRL_PRIV;
	return write16(device, at + PCI_PASID_CTRL, control);
}

int vn_device_enable_ats(struct vn_device *device, bool on)
{
	unsigned int at;
	int ret;

	ret = find(device, PCI_EXT_CAP_ID_ATS, "ATS", &at);
	if (ret)
		return ret;
	return write16(device, at + PCI_ATS_CTRL, on ? PCI_ATS_CTRL_ENABLE : 0);
}

int vn_device_enable_pri(struct vn_device *device, uint32_t credits)
{
	unsigned int at;
	int ret;

	ret = find(device, PCI_EXT_CAP_ID_PRI, "page request", &at);
	if (ret)
		return ret;
	ret = write16(device, at + PCI_PRI_CTRL, 0);
	if (ret || !credits)
		return ret;
	ret = vn_device_config_write(device, at + PCI_PRI_ALLOC_REQ, &credits,
				     sizeof(credits));
	if (ret)
		return ret;
	return write16(device, at + PCI_PRI_CTRL, PCI_PRI_CTRL_ENABLE);
}

bool vn_device_has_pri(struct vn_device *device)
{
	uint16_t control;
	unsigned int at;

	return !find(device, PCI_EXT_CAP_ID_PRI, "page request", &at) &&
	       !vn_device_config_read(device, at + PCI_PRI_CTRL, &control,
				      sizeof(control)) &&
	       control & PCI_PRI_CTRL_ENABLE;
}

int vn_device_pri_status(struct vn_device *device, uint16_t *status)
{
	unsigned int at;
	int ret;

	ret = find(device, PCI_EXT_CAP_ID_PRI, "page request", &at);
	if (ret)
		return ret;
	return vn_device_config_read(device, at + PCI_PRI_STATUS, status,
				     sizeof(*status));
}
