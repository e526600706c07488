// SPDX-License-Identifier: GPL-2.0
/*
 * nested-testdev as far as any device can do what it does: one channel, no PASID,
 * no translation service, no waiting for pages. For the rest see testdev.h.
 */
#include "device.h"
#include "engine.h"
#include "testdev.h"
#include "util.h"

#define CHANNEL		0
#define WORD_AT		0
#define COPY_AT		64
#define COPY_SIZE	sizeof(uint64_t)

static int nested_testdev_init(struct vn_device *device)
{
	struct vn_engine *engine = &device->engine;
	int ret;

	ret = vn_testdev_quiet(device);
	if (ret)
		return ret;
	engine->word = 0x7e000000 | (engine->area_ipa & 0xffffff);
	vn_testdev_buffer_write(device, WORD_AT, &engine->word,
				sizeof(engine->word));
	return 0;
}

static enum vn_dma result(struct vn_device *device,
			  struct vn_channel_status status)
{
	if (status.state == VN_CHANNEL_OK)
		return VN_DMA_OK;
	switch (status.error) {
	case VN_ERROR_ABORTED:
	case VN_ERROR_IGNORED:
	case VN_ERROR_MEMORY:
		return VN_DMA_FAULT;
	default:
		vn_fail(-1, "%s: %s", device->pci.name,
			vn_channel_error_name(status.error));
		return VN_DMA_BROKEN;
	}
}

static enum vn_dma move(struct vn_device *device, enum vn_operation op,
			uint64_t iova, uint32_t buffer, uint32_t length)
{
	const struct vn_access access = {
		.op = op, .iova = iova, .buffer = buffer, .length = length,
	};
	struct vn_channel_status status;

	if (vn_testdev_run(device, CHANNEL, &access, &status))
		return VN_DMA_BROKEN;
	return result(device, status);
}

static enum vn_dma nested_testdev_write(struct vn_device *device, uint64_t iova)
{
	return move(device, VN_OP_WRITE, iova, WORD_AT, sizeof(uint32_t));
}

static bool nested_testdev_wrote(struct vn_device *device, const void *va)
{
	return vn_read_once((const uint32_t *)va) == device->engine.word;
}

static enum vn_dma nested_testdev_copy(struct vn_device *device, uint64_t from,
				       uint64_t to)
{
	enum vn_dma dma = move(device, VN_OP_READ, from, COPY_AT, COPY_SIZE);

	if (dma != VN_DMA_OK)
		return dma;
	return move(device, VN_OP_WRITE, to, COPY_AT, COPY_SIZE);
}

static bool nested_testdev_copied(struct vn_device *device, const void *from,
				  const void *to)
{
	return vn_read_once((const uint64_t *)from) ==
	       vn_read_once((const uint64_t *)to);
}

const struct vn_engine_ops vn_engine_nested_testdev = {
	.name = VN_TESTDEV,
	.caps = VN_ENGINE_COPY | VN_ENGINE_TELLS | VN_ENGINE_ONE_EVENT |
		VN_ENGINE_FAST | VN_ENGINE_EMULATED,
	.write_size = sizeof(uint32_t),
	.copy_size = COPY_SIZE,
	.matches = vn_testdev_is,
	.init = nested_testdev_init,
	.write = nested_testdev_write,
	.wrote = nested_testdev_wrote,
	.copy = nested_testdev_copy,
	.copied = nested_testdev_copied,
};
