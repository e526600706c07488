// SPDX-License-Identifier: GPL-2.0
/*
 * Any NVMe drive, by its admin queue and without touching what is stored on it.
 *
 * write() is the Identify Controller command, which writes 4096 bytes. copy() is
 * Set Features followed by Get Features of the Timestamp: the drive reads eight
 * bytes and writes them back, having added the milliseconds that went by.
 *
 * A drive need not notice that a write of it was refused, since writes on PCI
 * Express are not answered. One that cannot reach its queues stops; it is started
 * again, on queues made anew, before the next access.
 *
 * NVM Express Base Specification 1.4: 3.1 registers, 4.2 and 4.6 queue entries,
 * 5.15 Identify, 5.21.1.14 Timestamp.
 */
#include <errno.h>
#include <string.h>

#include "device.h"
#include "engine.h"
#include "util.h"

#define REG_CAP			0x00
#define REG_CC			0x14
#define REG_CSTS		0x1c
#define REG_AQA			0x24
#define REG_ASQ			0x28
#define REG_ACQ			0x30
#define REG_DOORBELLS		0x1000

/* 64-byte submission and 16-byte completion entries, memory pages of 4096 */
#define CC_ENABLE		((6u << 16) | (4u << 20) | 1u)
#define CSTS_READY		(1u << 0)
#define CSTS_FATAL		(1u << 1)

#define OP_IDENTIFY		0x06
#define OP_SET_FEATURES		0x09
#define OP_GET_FEATURES		0x0a
#define IDENTIFY_CONTROLLER	1
#define FEATURE_TIMESTAMP	0x0e

#define STATUS_INVALID_OPCODE	0x01
#define STATUS_INVALID_FIELD	0x02

#define IDENTIFY_SIZE		4096
#define IDENTIFY_VENDOR		0
#define IDENTIFY_ONCS		520
#define ONCS_TIMESTAMP		(1u << 6)

#define TIMESTAMP_BITS		48
/* Nothing here takes longer between setting and getting it. */
#define TIMESTAMP_SLACK_MS	60000

#define ENTRIES			16
/* The engine's memory: both queues, and a page for what init() wants to know */
#define AREA_SQ			0x0000
#define AREA_CQ			0x1000
#define AREA_DATA		0x2000

struct submission {
	uint32_t dword0;
	uint32_t namespace;
	uint64_t reserved;
	uint64_t metadata;
	uint64_t prp1;
	uint64_t prp2;
	uint32_t dword10;
	uint32_t dword11;
	uint32_t dword12_15[4];
};

struct completion {
	uint32_t result;
	uint32_t reserved;
	uint16_t sq_head;
	uint16_t sq_id;
	uint16_t command_id;
	uint16_t status;
};

static volatile uint32_t *reg32(struct vn_device *device, unsigned int offset)
{
	return device->bar0 + offset;
}

static volatile uint64_t *reg64(struct vn_device *device, unsigned int offset)
{
	return device->bar0 + offset;
}

static bool nvme_matches(const struct vn_pci *pci)
{
	return pci->class == 0x010802;
}

static int wait_ready(struct vn_device *device, uint32_t ready)
{
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;
	uint32_t csts;

	for (;;) {
		csts = *reg32(device, REG_CSTS);
		/* A drive that is being disabled may still show its old failure. */
		if (ready && (csts & CSTS_FATAL))
			return vn_fail(-EIO, "%s: fatal controller status",
				       device->pci.name);
		if ((csts & CSTS_READY) == ready)
			return 0;
		if (vn_now_ms() > end)
			return vn_fail(-ETIMEDOUT, "%s: does not become %s",
				       device->pci.name,
				       ready ? "ready" : "idle");
		vn_sleep_ms(1);
	}
}

static int start_controller(struct vn_device *device)
{
	struct vn_engine *engine = &device->engine;
	int ret;

	*reg32(device, REG_CC) = 0;
	ret = wait_ready(device, 0);
	if (ret)
		return ret;

	memset(engine->area, 0, VN_ENGINE_SLOT);
	engine->sq_tail = 0;
	engine->cq_head = 0;
	engine->phase = true;
	engine->doorbell_stride =
		4u << vn_get_field(*reg64(device, REG_CAP), 32, 4);

	*reg32(device, REG_AQA) = (ENTRIES - 1) << 16 | (ENTRIES - 1);
	*reg64(device, REG_ASQ) = engine->area_ipa + AREA_SQ;
	*reg64(device, REG_ACQ) = engine->area_ipa + AREA_CQ;
	vn_barrier();
	*reg32(device, REG_CC) = CC_ENABLE;
	return wait_ready(device, CSTS_READY);
}

/* Waits for the completion that is next; false if none comes. */
static bool wait_completion(struct vn_device *device, uint16_t *status)
{
	struct vn_engine *engine = &device->engine;
	struct completion *cq = engine->area + AREA_CQ;
	struct completion *entry = &cq[engine->cq_head];
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS / 5;

	while ((vn_read_once(&entry->status) & 1) != engine->phase) {
		if (*reg32(device, REG_CSTS) & CSTS_FATAL)
			return false;
		if (vn_now_ms() > end)
			return false;
	}
	vn_barrier();
	*status = entry->status >> 1;
	if (++engine->cq_head == ENTRIES) {
		engine->cq_head = 0;
		engine->phase = !engine->phase;
	}
	*reg32(device, REG_DOORBELLS + engine->doorbell_stride) =
		engine->cq_head;
	return true;
}

static enum vn_dma run(struct vn_device *device, const struct submission *command)
{
	struct vn_engine *engine = &device->engine;
	struct submission *sq = engine->area + AREA_SQ;
	uint16_t status;

	sq[engine->sq_tail] = *command;
	sq[engine->sq_tail].dword0 |= (uint32_t)engine->command_id++ << 16;
	engine->sq_tail = (engine->sq_tail + 1) % ENTRIES;
	vn_barrier();
	*reg32(device, REG_DOORBELLS) = engine->sq_tail;

	if (!wait_completion(device, &status)) {
		engine->stopped = true;
		return VN_DMA_FAULT;
	}
	switch (status & 0x7ff) {
	case 0:
		return VN_DMA_DONE;
	case STATUS_INVALID_OPCODE:
	case STATUS_INVALID_FIELD:
		return VN_DMA_BROKEN;
	default:
		return VN_DMA_FAULT;
	}
}

static enum vn_dma identify(struct vn_device *device, uint64_t iova)
{
	const struct submission command = {
		.dword0 = OP_IDENTIFY,
		.prp1 = iova,
		.dword10 = IDENTIFY_CONTROLLER,
	};

	return run(device, &command);
}

static enum vn_dma timestamp(struct vn_device *device, uint32_t opcode,
			     uint64_t iova)
{
	const struct submission command = {
		.dword0 = opcode,
		.prp1 = iova,
		.dword10 = FEATURE_TIMESTAMP,
	};

	return run(device, &command);
}

static int nvme_init(struct vn_device *device)
{
	struct vn_engine *engine = &device->engine;
	uint16_t oncs;
	int ret;

	ret = start_controller(device);
	if (ret)
		return ret;
	if (identify(device, engine->area_ipa + AREA_DATA) != VN_DMA_DONE)
		return vn_fail(-EIO, "%s: does not identify itself",
			       device->pci.name);
	memcpy(&oncs, engine->area + AREA_DATA + IDENTIFY_ONCS, sizeof(oncs));
	if (!(oncs & ONCS_TIMESTAMP))
		engine->caps &= ~VN_ENGINE_COPY;
	return 0;
}

static bool nvme_wrote(struct vn_device *device, const void *va)
{
	return vn_read_once((const uint16_t *)(va + IDENTIFY_VENDOR)) ==
	       device->pci.vendor;
}

static enum vn_dma nvme_copy(struct vn_device *device, uint64_t from, uint64_t to)
{
	enum vn_dma dma;

	dma = timestamp(device, OP_SET_FEATURES, from);
	if (dma != VN_DMA_DONE)
		return dma;
	return timestamp(device, OP_GET_FEATURES, to);
}

static bool nvme_copied(struct vn_device *device, const void *from, const void *to)
{
	uint64_t set = vn_get_field(vn_read_once((const uint64_t *)from), 0,
				    TIMESTAMP_BITS);
	uint64_t got = vn_get_field(vn_read_once((const uint64_t *)to), 0,
				    TIMESTAMP_BITS);

	return got - set < TIMESTAMP_SLACK_MS;
}

const struct vn_engine_ops vn_engine_nvme = {
	.name = "nvme",
	.caps = VN_ENGINE_COPY | VN_ENGINE_FAST | VN_ENGINE_QUEUES,
	.write_size = IDENTIFY_SIZE,
	.copy_size = sizeof(uint64_t),
	.matches = nvme_matches,
	.init = nvme_init,
	.write = identify,
	.wrote = nvme_wrote,
	.copy = nvme_copy,
	.copied = nvme_copied,
};
