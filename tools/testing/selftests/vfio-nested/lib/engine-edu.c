// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's edu device: moves up to 4096 bytes between memory and a buffer of its
 * own, about 100 ms after it is told to, and says nothing of errors.
 *
 * write() sends the first word of the buffer, which init() has filled with a
 * word of this device; copy() goes through another part of the buffer.
 */
#include <errno.h>

#include "device.h"
#include "engine.h"
#include "util.h"

#define REG_INTERRUPT_STATUS	0x24
#define REG_INTERRUPT_RAISE	0x60
#define REG_INTERRUPT_ACK	0x64
#define REG_SOURCE		0x80
#define REG_DESTINATION		0x88
#define REG_COUNT		0x90
#define REG_COMMAND		0x98
#define COMMAND_RUN		(1U << 0)
#define COMMAND_TO_MEMORY	(1U << 1)

#define BUFFER			0x40000u
#define BUFFER_WORD		(BUFFER + 0)
#define BUFFER_COPY		(BUFFER + 64)

#define COPY_SIZE		sizeof(uint64_t)

static volatile uint32_t *reg32(struct vn_device *device, unsigned int offset)
{
	return device->bar0 + offset;
}

static volatile uint64_t *reg64(struct vn_device *device, unsigned int offset)
{
	return device->bar0 + offset;
}

static void start(struct vn_device *device, uint64_t from, uint64_t to,
		  uint32_t count, uint32_t command)
{
	vn_barrier();
	*reg64(device, REG_SOURCE) = from;
	*reg64(device, REG_DESTINATION) = to;
	*reg64(device, REG_COUNT) = count;
	*reg64(device, REG_COMMAND) = COMMAND_RUN | command;
}

static enum vn_dma wait_idle(struct vn_device *device)
{
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;

	while (*reg64(device, REG_COMMAND) & COMMAND_RUN) {
		if (vn_now_ms() > end)
			return VN_DMA_BROKEN;
		vn_sleep_ms(2);
	}
	vn_barrier();
	return VN_DMA_DONE;
}

static bool edu_matches(const struct vn_pci *pci)
{
	return pci->vendor == 0x1234 && pci->device == 0x11e8;
}

/* Loads the word. Nothing can tell here whether it got through. */
static int edu_init(struct vn_device *device)
{
	struct vn_engine *engine = &device->engine;

	if (engine->word)
		return 0;
	/* Different devices write different words. */
	engine->word = 0xed000000 | (engine->area_ipa & 0xffffff);
	*(uint32_t *)engine->area = engine->word;
	start(device, engine->area_ipa, BUFFER_WORD, sizeof(engine->word), 0);
	if (wait_idle(device) == VN_DMA_BROKEN)
		return vn_fail(-ETIMEDOUT, "%s: edu does not finish a transfer",
			       device->pci.name);
	return 0;
}

static int edu_start_write(struct vn_device *device, uint64_t iova)
{
	start(device, BUFFER_WORD, iova, sizeof(uint32_t), COMMAND_TO_MEMORY);
	return 0;
}

static enum vn_dma edu_write(struct vn_device *device, uint64_t iova)
{
	edu_start_write(device, iova);
	return wait_idle(device);
}

static bool edu_wrote(struct vn_device *device, const void *va)
{
	return vn_read_once((const uint32_t *)va) == device->engine.word;
}

static enum vn_dma edu_copy(struct vn_device *device, uint64_t from, uint64_t to)
{
	start(device, from, BUFFER_COPY, COPY_SIZE, 0);
	if (wait_idle(device) == VN_DMA_BROKEN)
		return VN_DMA_BROKEN;
	start(device, BUFFER_COPY, to, COPY_SIZE, COMMAND_TO_MEMORY);
	return wait_idle(device);
}

static bool edu_copied(struct vn_device *device, const void *from, const void *to)
{
	return vn_read_once((const uint64_t *)from) ==
	       vn_read_once((const uint64_t *)to);
}

static int edu_interrupt(struct vn_device *device)
{
	*reg32(device, REG_INTERRUPT_RAISE) = 1;
	*reg32(device, REG_INTERRUPT_ACK) = *reg32(device, REG_INTERRUPT_STATUS);
	return 0;
}

const struct vn_engine_ops vn_engine_edu = {
	.name = "edu",
	.caps = VN_ENGINE_COPY | VN_ENGINE_ONE_EVENT | VN_ENGINE_EMULATED |
		VN_ENGINE_DELAYED | VN_ENGINE_28BIT,
	.write_size = sizeof(uint32_t),
	.copy_size = COPY_SIZE,
	.matches = edu_matches,
	.init = edu_init,
	.write = edu_write,
	.wrote = edu_wrote,
	.start_write = edu_start_write,
	.copy = edu_copy,
	.copied = edu_copied,
	.interrupt = edu_interrupt,
};
