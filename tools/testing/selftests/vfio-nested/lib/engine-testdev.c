// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's iommu-testdev: reading its first register makes it write one word to an
 * I/O address, and then compare what it finds at a physical address. That second
 * address means nothing here: only the outcome of the write is looked at.
 */
#include <errno.h>

#include "device.h"
#include "engine.h"
#include "util.h"

enum {
	TRIGGER	= 0x00 / 4,
	IOVA_LO	= 0x04 / 4,
	IOVA_HI	= 0x08 / 4,
	LENGTH	= 0x0c / 4,
	RESULT	= 0x10 / 4,
	ARM	= 0x14 / 4,
};

#define RESULT_SAME		0u
#define RESULT_WRITE_FAILED	0xdead0002u
#define RESULT_READ_FAILED	0xdead0003u
#define RESULT_DIFFERENT	0xdead0004u

#define WORD			0x12345678u

static bool testdev_matches(const struct vn_pci *pci)
{
	return pci->vendor == 0x1b36 && pci->device == 0x0005;
}

static int testdev_init(struct vn_device *device)
{
	return 0;
}

static enum vn_dma testdev_write(struct vn_device *device, uint64_t iova)
{
	volatile uint32_t *reg = device->bar0;

	vn_barrier();
	reg[IOVA_LO] = (uint32_t)iova;
	reg[IOVA_HI] = iova >> 32;
	reg[LENGTH] = sizeof(uint32_t);
	reg[ARM] = 1;
	(void)reg[TRIGGER];
	vn_barrier();

	switch (reg[RESULT]) {
	case RESULT_WRITE_FAILED:
		return VN_DMA_FAULT;
	case RESULT_SAME:
	case RESULT_READ_FAILED:
	case RESULT_DIFFERENT:
		return VN_DMA_OK;
	default:
		return VN_DMA_BROKEN;
	}
}

static bool testdev_wrote(struct vn_device *device, const void *va)
{
	return vn_read_once((const uint32_t *)va) == WORD;
}

const struct vn_engine_ops vn_engine_testdev = {
	.name = "iommu-testdev",
	.caps = VN_ENGINE_TELLS | VN_ENGINE_ONE_EVENT | VN_ENGINE_FAST |
		VN_ENGINE_EMULATED,
	.write_size = sizeof(uint32_t),
	.matches = testdev_matches,
	.init = testdev_init,
	.write = testdev_write,
	.wrote = testdev_wrote,
};
