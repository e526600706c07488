// SPDX-License-Identifier: GPL-2.0
/*
 * The laboratory's own nested-testdev, as far as any device can do what it does:
 * one channel, no PASID, no translation service, no waiting for pages.
 */
#include <errno.h>

#include "device.h"
#include "engine.h"
#include "util.h"

/* A kernel tree may have the tests without the laboratory. */
#if __has_include("../../../lab/qemu/nested-testdev.h")
#include "../../../lab/qemu/nested-testdev.h"

#define WORD_AT		0
#define COPY_AT		64
#define COPY_SIZE	sizeof(uint64_t)

static volatile uint32_t *reg32(struct vn_device *device, unsigned int offset)
{
	return device->bar0 + offset;
}

static volatile uint32_t *channel(struct vn_device *device, unsigned int offset)
{
	return reg32(device, NTD_CHANNEL(0) + offset);
}

static bool nested_testdev_matches(const struct vn_pci *pci)
{
	return pci->vendor == NTD_VENDOR_ID && pci->device == NTD_DEVICE_ID;
}

static int nested_testdev_init(struct vn_device *device)
{
	struct vn_engine *engine = &device->engine;

	if (*reg32(device, NTD_ID) != NTD_MAGIC)
		return vn_fail(-ENODEV, "%s: not the nested-testdev that is known",
			       device->pci.name);
	*channel(device, NTD_CH_CONTROL) = NTD_CONTROL_STOP;
	engine->word = 0x7e000000 | (engine->area_ipa & 0xffffff);
	*reg32(device, NTD_BUFFER + WORD_AT) = engine->word;
	return 0;
}

static enum vn_dma result(struct vn_device *device, uint32_t status)
{
	if (NTD_STATUS_STATE(status) == NTD_STATE_OK)
		return VN_DMA_OK;
	switch (NTD_STATUS_ERROR(status)) {
	case NTD_ERR_ABORTED:
	case NTD_ERR_IGNORED:
	case NTD_ERR_MEMORY:
		return VN_DMA_FAULT;
	default:
		vn_fail(-EIO, "%s: error %u", device->pci.name,
			NTD_STATUS_ERROR(status));
		return VN_DMA_BROKEN;
	}
}

static enum vn_dma move(struct vn_device *device, uint32_t operation,
			uint64_t iova, uint32_t buffer, uint32_t length)
{
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;
	uint32_t status;

	*channel(device, NTD_CH_ADDR) = (uint32_t)iova;
	*channel(device, NTD_CH_ADDR + 4) = iova >> 32;
	*channel(device, NTD_CH_LENGTH) = length;
	*channel(device, NTD_CH_PASID) = 0;
	*channel(device, NTD_CH_FLAGS) = operation;
	*channel(device, NTD_CH_BUFFER) = buffer;
	*channel(device, NTD_CH_OUTSTANDING) = 1;
	vn_barrier();
	*channel(device, NTD_CH_CONTROL) = NTD_CONTROL_START;
	do {
		status = *channel(device, NTD_CH_STATUS);
		if (NTD_STATUS_STATE(status) == NTD_STATE_OK ||
		    NTD_STATUS_STATE(status) == NTD_STATE_ERROR) {
			vn_barrier();
			return result(device, status);
		}
	} while (vn_now_ms() < end);
	*channel(device, NTD_CH_CONTROL) = NTD_CONTROL_STOP;
	return VN_DMA_BROKEN;
}

static enum vn_dma nested_testdev_write(struct vn_device *device, uint64_t iova)
{
	return move(device, NTD_OP_WRITE, iova, WORD_AT, sizeof(uint32_t));
}

static bool nested_testdev_wrote(struct vn_device *device, const void *va)
{
	return vn_read_once((const uint32_t *)va) == device->engine.word;
}

static enum vn_dma nested_testdev_copy(struct vn_device *device, uint64_t from,
				       uint64_t to)
{
	enum vn_dma dma = move(device, NTD_OP_READ, from, COPY_AT, COPY_SIZE);

	if (dma != VN_DMA_OK)
		return dma;
	return move(device, NTD_OP_WRITE, to, COPY_AT, COPY_SIZE);
}

static bool nested_testdev_copied(struct vn_device *device, const void *from,
				  const void *to)
{
	return vn_read_once((const uint64_t *)from) ==
	       vn_read_once((const uint64_t *)to);
}

#else

static bool nested_testdev_matches(const struct vn_pci *pci)
{
	return false;
}

#define nested_testdev_init	NULL
#define nested_testdev_write	NULL
#define nested_testdev_wrote	NULL
#define nested_testdev_copy	NULL
#define nested_testdev_copied	NULL
#define COPY_SIZE		sizeof(uint64_t)

#endif

const struct vn_engine_ops vn_engine_nested_testdev = {
	.name = "nested-testdev",
	.caps = VN_ENGINE_COPY | VN_ENGINE_TELLS | VN_ENGINE_ONE_EVENT |
		VN_ENGINE_FAST | VN_ENGINE_EMULATED,
	.write_size = sizeof(uint32_t),
	.copy_size = COPY_SIZE,
	.matches = nested_testdev_matches,
	.init = nested_testdev_init,
	.write = nested_testdev_write,
	.wrote = nested_testdev_wrote,
	.copy = nested_testdev_copy,
	.copied = nested_testdev_copied,
};
