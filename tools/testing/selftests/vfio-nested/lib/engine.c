// SPDX-License-Identifier: GPL-2.0
#include "device.h"
#include "engine.h"
#include "util.h"

static const struct vn_engine_ops *const engines[] = {
	&vn_engine_testdev,
	&vn_engine_nested_testdev,
	&vn_engine_nvme,
	&vn_engine_edu,
};

const struct vn_engine_ops *vn_engine_find(const struct vn_pci *pci)
{
	size_t i;

	for (i = 0; i < VN_ARRAY_SIZE(engines); i++)
		if (engines[i]->matches(pci))
			return engines[i];
	return NULL;
}

int vn_engine_revive(struct vn_device *device)
{
	int ret;

	if (!device->engine.stopped)
		return 0;
	ret = vn_device_enable(device);
	if (!ret)
		ret = device->ops->init(device);
	if (!ret)
		device->engine.stopped = false;
	return ret;
}

/* A device that cannot be started does not reach what it needs for that. */
enum vn_dma vn_dma_write(struct vn_device *device, uint64_t iova)
{
	if (vn_engine_revive(device))
		return VN_DMA_FAULT;
	return device->ops->write(device, iova);
}

enum vn_dma vn_dma_copy(struct vn_device *device, uint64_t from, uint64_t to)
{
	if (vn_engine_revive(device))
		return VN_DMA_FAULT;
	return device->ops->copy(device, from, to);
}

const char *vn_dma_name(enum vn_dma dma)
{
	static const char *const names[] = {
		[VN_DMA_OK] = "done",
		[VN_DMA_FAULT] = "refused",
		[VN_DMA_DONE] = "over (the device does not say how)",
		[VN_DMA_BROKEN] = "no answer from the device",
	};

	return names[dma];
}
