// SPDX-License-Identifier: GPL-2.0
/*
 * Invariant: a register of the device is accessed here only, by 32-bit accesses;
 * data that the device is to move is in its buffer before the channel starts.
 */
#include <errno.h>
#include <string.h>

#include "testdev.h"
#include "util.h"

#define VENDOR			0x1234
#define DEVICE			0x7e57

/* Registers of the function */
#define ID			0x000
#define MAGIC			0x7e57de51
#define BAD			0x004
#define LATENCY			0x008
#define ATC_FLUSH		0x030
#define STOP_MARKER		0x034

/* Registers of a channel */
#define CHANNEL(n)		(0x1000 + (n) * 0x100)
#define CH_ADDR			0x00
#define CH_LENGTH		0x08
#define CH_PASID		0x0c
#define CH_FLAGS		0x10
#define CH_BUFFER		0x14
#define CH_OPERAND		0x18
#define CH_OUTSTANDING		0x20
#define CH_CONTROL		0x24
#define CONTROL_START		1
#define CONTROL_STOP		2
#define CH_STATUS		0x28
#define CH_COMPLETED		0x2c
#define CH_ERRORS		0x30
#define CH_RESULT		0x38
#define CH_ERROR_ADDR		0x40
#define CH_GROUP		0x48

#define BUFFER			0x10000

/*
 * The device's own header says the same. A kernel tree may have the tests without
 * the laboratory.
 */
#if __has_include("../../../lab/qemu/nested-testdev.h")
#include "../../../lab/qemu/nested-testdev.h"

#define SAME(a, b)		_Static_assert((a) == (b), "differs from " #b)

SAME(VENDOR, NTD_VENDOR_ID);
SAME(DEVICE, NTD_DEVICE_ID);
SAME(MAGIC, NTD_MAGIC);
SAME(ID, NTD_ID);
SAME(BAD, NTD_BAD);
SAME(LATENCY, NTD_LATENCY);
SAME(ATC_FLUSH, NTD_ATC_FLUSH);
SAME(STOP_MARKER, NTD_STOP_MARKER);
SAME(CHANNEL(3), NTD_CHANNEL(3));
SAME(CH_ADDR, NTD_CH_ADDR);
SAME(CH_LENGTH, NTD_CH_LENGTH);
SAME(CH_PASID, NTD_CH_PASID);
SAME(CH_FLAGS, NTD_CH_FLAGS);
SAME(CH_BUFFER, NTD_CH_BUFFER);
SAME(CH_OPERAND, NTD_CH_OPERAND);
SAME(CH_OUTSTANDING, NTD_CH_OUTSTANDING);
SAME(CH_CONTROL, NTD_CH_CONTROL);
SAME(CONTROL_START, NTD_CONTROL_START);
SAME(CONTROL_STOP, NTD_CONTROL_STOP);
SAME(CH_STATUS, NTD_CH_STATUS);
SAME(CH_COMPLETED, NTD_CH_COMPLETED);
SAME(CH_ERRORS, NTD_CH_ERRORS);
SAME(CH_RESULT, NTD_CH_RESULT);
SAME(CH_ERROR_ADDR, NTD_CH_ERROR_ADDR);
SAME(CH_GROUP, NTD_CH_GROUP);
SAME(BUFFER, NTD_BUFFER);
SAME(VN_TESTDEV_CHANNELS, NTD_CHANNELS);
SAME(VN_TESTDEV_OUTSTANDING, NTD_MAX_OUTSTANDING);
SAME(VN_TESTDEV_BUFFER, NTD_BUFFER_SIZE);
SAME(VN_OP_READ, NTD_OP_READ);
SAME(VN_OP_WRITE, NTD_OP_WRITE);
SAME(VN_OP_ATOMIC, NTD_OP_ATOMIC);
SAME(VN_OP_PROBE, NTD_OP_PROBE);
SAME(VN_PASID(0), NTD_PASID_VALID);
SAME(VN_ACCESS_PRIVILEGED, NTD_FLAG_PRIVILEGED);
SAME(VN_ACCESS_EXECUTE, NTD_FLAG_EXECUTE);
SAME(VN_ACCESS_ATS, NTD_FLAG_ATS);
SAME(VN_ACCESS_PRI, NTD_FLAG_PRI);
SAME(VN_ACCESS_STALL, NTD_FLAG_STALL);
SAME(VN_ACCESS_FLOOD, NTD_FLAG_FLOOD);
SAME(VN_CHANNEL_IDLE, NTD_STATE_IDLE);
SAME(VN_CHANNEL_RUNNING, NTD_STATE_RUNNING);
SAME(VN_CHANNEL_STALLED, NTD_STATE_STALLED);
SAME(VN_CHANNEL_WAITING, NTD_STATE_WAITING);
SAME(VN_CHANNEL_OK, NTD_STATE_OK);
SAME(VN_CHANNEL_ERROR, NTD_STATE_ERROR);
SAME(VN_ERROR_ABORTED, NTD_ERR_ABORTED);
SAME(VN_ERROR_IGNORED, NTD_ERR_IGNORED);
SAME(VN_ERROR_DISABLED, NTD_ERR_DISABLED);
SAME(VN_ERROR_PARAMETER, NTD_ERR_PARAMETER);
SAME(VN_ERROR_NO_ACCESS, NTD_ERR_NO_ACCESS);
SAME(VN_ERROR_ATS_UR, NTD_ERR_ATS_UR);
SAME(VN_ERROR_ATS_CA, NTD_ERR_ATS_CA);
SAME(VN_ERROR_PAGE_INVALID, NTD_ERR_PAGE_INVALID);
SAME(VN_ERROR_PAGE_FAILURE, NTD_ERR_PAGE_FAILURE);
SAME(VN_ERROR_MEMORY, NTD_ERR_MEMORY);
SAME(VN_BAD_ATC_SILENT, NTD_BAD_ATC_SILENT);
SAME(VN_BAD_ATC_KEEP, NTD_BAD_ATC_KEEP);
SAME(VN_BAD_PRI_INSIST, NTD_BAD_PRI_INSIST);
SAME(VN_BAD_PRI_CREDIT, NTD_BAD_PRI_CREDIT);
SAME(VN_BAD_PRI_NO_LAST, NTD_BAD_PRI_NO_LAST);
SAME(VN_BAD_PASID_ANY, NTD_BAD_PASID_ANY);
SAME(VN_BAD_TRANSLATED, NTD_BAD_TRANSLATED);
SAME(VN_COUNT_ATC_INVALIDATIONS, NTD_ATC_INVALIDATIONS);
SAME(VN_COUNT_PAGE_REQUESTS, NTD_PAGE_REQUESTS);
SAME(VN_COUNT_PAGE_RESPONSES, NTD_PAGE_RESPONSES);
SAME(VN_COUNT_BAD_RESPONSES, NTD_BAD_RESPONSES);
SAME(VN_COUNT_ATS_REQUESTS, NTD_ATS_REQUESTS);
SAME(VN_COUNT_STALLS, NTD_STALLS);
SAME(VN_COUNT_ATC_ENTRIES, NTD_ATC_ENTRIES);
#endif

static volatile uint32_t *reg(struct vn_device *device, unsigned int offset)
{
	return device->bar0 + offset;
}

static volatile uint32_t *channel_reg(struct vn_device *device,
				      unsigned int channel, unsigned int offset)
{
	return reg(device, CHANNEL(channel) + offset);
}

static uint64_t channel_reg64(struct vn_device *device, unsigned int channel,
			      unsigned int offset)
{
	uint64_t low = *channel_reg(device, channel, offset);

	return low | (uint64_t)*channel_reg(device, channel, offset + 4) << 32;
}

bool vn_testdev_is(const struct vn_pci *pci)
{
	return pci->vendor == VENDOR && pci->device == DEVICE;
}

int vn_testdev_quiet(struct vn_device *device)
{
	unsigned int i;

	if (*reg(device, ID) != MAGIC)
		return vn_fail(-ENODEV, "%s: not the nested-testdev that is known",
			       device->pci.name);
	for (i = 0; i < VN_TESTDEV_CHANNELS; i++)
		vn_testdev_stop(device, i);
	*reg(device, BAD) = 0;
	*reg(device, LATENCY) = 0;
	*reg(device, ATC_FLUSH) = 1;
	return 0;
}

int vn_testdev_start(struct vn_device *device, unsigned int channel,
		     const struct vn_access *access)
{
	int ret;

	ret = vn_engine_revive(device);
	if (ret)
		return ret;
	if (!vn_testdev_is_free(device, channel))
		return vn_fail(-EBUSY, "%s: channel %u runs already",
			       device->pci.name, channel);
	*channel_reg(device, channel, CH_ADDR) = (uint32_t)access->iova;
	*channel_reg(device, channel, CH_ADDR + 4) = access->iova >> 32;
	*channel_reg(device, channel, CH_LENGTH) = access->length;
	*channel_reg(device, channel, CH_PASID) = access->pasid;
	*channel_reg(device, channel, CH_FLAGS) = access->op | access->flags;
	*channel_reg(device, channel, CH_BUFFER) = access->buffer;
	*channel_reg(device, channel, CH_OPERAND) = (uint32_t)access->operand;
	*channel_reg(device, channel, CH_OPERAND + 4) = access->operand >> 32;
	*channel_reg(device, channel, CH_OUTSTANDING) = access->outstanding;
	vn_barrier();
	*channel_reg(device, channel, CH_CONTROL) = CONTROL_START;
	return 0;
}

void vn_testdev_stop(struct vn_device *device, unsigned int channel)
{
	*channel_reg(device, channel, CH_CONTROL) = CONTROL_STOP;
	vn_barrier();
}

struct vn_channel_status vn_testdev_status(struct vn_device *device,
					   unsigned int channel)
{
	uint32_t word = *channel_reg(device, channel, CH_STATUS);
	struct vn_channel_status status = {
		.state = vn_get_field(word, 0, 8),
		.error = vn_get_field(word, 8, 8),
		.pending = vn_get_field(word, 16, 16),
	};

	vn_barrier();
	return status;
}

uint32_t vn_testdev_completed(struct vn_device *device, unsigned int channel)
{
	return *channel_reg(device, channel, CH_COMPLETED);
}

uint32_t vn_testdev_errors(struct vn_device *device, unsigned int channel)
{
	return *channel_reg(device, channel, CH_ERRORS);
}

uint64_t vn_testdev_error_address(struct vn_device *device, unsigned int channel)
{
	return channel_reg64(device, channel, CH_ERROR_ADDR);
}

uint64_t vn_testdev_result(struct vn_device *device, unsigned int channel)
{
	return channel_reg64(device, channel, CH_RESULT);
}

uint32_t vn_testdev_group(struct vn_device *device, unsigned int channel)
{
	return *channel_reg(device, channel, CH_GROUP);
}

static volatile uint8_t *buffer(struct vn_device *device, uint32_t offset)
{
	return device->bar0 + BUFFER + offset;
}

void vn_testdev_buffer_write(struct vn_device *device, uint32_t offset,
			     const void *data, size_t size)
{
	const uint8_t *from = data;

	for (; size && offset % 4; offset++, from++, size--)
		*buffer(device, offset) = *from;
	for (; size >= 4; offset += 4, from += 4, size -= 4) {
		uint32_t word;

		memcpy(&word, from, sizeof(word));
		*(volatile uint32_t *)buffer(device, offset) = word;
	}
	for (; size; offset++, from++, size--)
		*buffer(device, offset) = *from;
	vn_barrier();
}

void vn_testdev_buffer_read(struct vn_device *device, uint32_t offset,
			    void *data, size_t size)
{
	uint8_t *to = data;

	vn_barrier();
	for (; size && offset % 4; offset++, to++, size--)
		*to = *buffer(device, offset);
	for (; size >= 4; offset += 4, to += 4, size -= 4) {
		uint32_t word = *(volatile uint32_t *)buffer(device, offset);

		memcpy(to, &word, sizeof(word));
	}
	for (; size; offset++, to++, size--)
		*to = *buffer(device, offset);
}

void vn_testdev_misbehave(struct vn_device *device, uint32_t bad)
{
	*reg(device, BAD) = bad;
	vn_barrier();
}

void vn_testdev_latency(struct vn_device *device, uint32_t ns)
{
	*reg(device, LATENCY) = ns;
	vn_barrier();
}

uint32_t vn_testdev_count(struct vn_device *device, enum vn_testdev_counter which)
{
	return *reg(device, which);
}

void vn_testdev_stop_marker(struct vn_device *device, uint32_t pasid)
{
	*reg(device, STOP_MARKER) = (pasid & 0xfffff) << 12 | 1;
	vn_barrier();
}

void vn_testdev_atc_flush(struct vn_device *device)
{
	*reg(device, ATC_FLUSH) = 1;
	vn_barrier();
}

static bool finished(struct vn_channel_status status)
{
	return status.state == VN_CHANNEL_OK || status.state == VN_CHANNEL_ERROR;
}

bool vn_testdev_is_free(struct vn_device *device, unsigned int channel)
{
	struct vn_channel_status status = vn_testdev_status(device, channel);

	return status.state == VN_CHANNEL_IDLE || finished(status);
}

int vn_testdev_wait(struct vn_device *device, unsigned int channel,
		    unsigned int timeout_ms, struct vn_channel_status *status)
{
	uint64_t end = vn_now_ms() + timeout_ms;
	struct vn_channel_status now;

	for (;;) {
		now = vn_testdev_status(device, channel);
		if (status)
			*status = now;
		if (finished(now))
			return 0;
		if (vn_now_ms() >= end)
			return vn_fail(-ETIMEDOUT,
				       "%s: channel %u is %s after %u ms, %u accesses left",
				       device->pci.name, channel,
				       vn_channel_state_name(now.state),
				       timeout_ms, now.pending);
	}
}

int vn_testdev_reach(struct vn_device *device, unsigned int channel,
		     enum vn_channel_state state, unsigned int timeout_ms)
{
	uint64_t end = vn_now_ms() + timeout_ms;
	struct vn_channel_status now;

	for (;;) {
		now = vn_testdev_status(device, channel);
		if (now.state == state)
			return 0;
		if (finished(now) || vn_now_ms() >= end)
			return vn_fail(-ETIMEDOUT,
				       "%s: channel %u is %s (%s), not %s",
				       device->pci.name, channel,
				       vn_channel_state_name(now.state),
				       vn_channel_error_name(now.error),
				       vn_channel_state_name(state));
	}
}

int vn_testdev_run(struct vn_device *device, unsigned int channel,
		   const struct vn_access *access,
		   struct vn_channel_status *status)
{
	int ret;

	ret = vn_testdev_start(device, channel, access);
	if (ret)
		return ret;
	ret = vn_testdev_wait(device, channel, VN_TIMEOUT_MS, status);
	if (ret)
		vn_testdev_stop(device, channel);
	return ret;
}

const char *vn_channel_state_name(enum vn_channel_state state)
{
	static const char *const names[] = {
		[VN_CHANNEL_IDLE] = "idle",
		[VN_CHANNEL_RUNNING] = "running",
		[VN_CHANNEL_STALLED] = "stalled",
		[VN_CHANNEL_WAITING] = "waiting for a page",
		[VN_CHANNEL_OK] = "done",
		[VN_CHANNEL_ERROR] = "failed",
	};

	return state < VN_ARRAY_SIZE(names) ? names[state] : "in no known state";
}

const char *vn_channel_error_name(enum vn_channel_error error)
{
	static const char *const names[] = {
		[VN_ERROR_NONE] = "no error",
		[VN_ERROR_ABORTED] = "aborted",
		[VN_ERROR_IGNORED] = "ignored",
		[VN_ERROR_DISABLED] = "something is not enabled",
		[VN_ERROR_PARAMETER] = "bad parameter",
		[VN_ERROR_NO_ACCESS] = "translation without the right",
		[VN_ERROR_ATS_UR] = "translation: Unsupported Request",
		[VN_ERROR_ATS_CA] = "translation: Completer Abort",
		[VN_ERROR_PAGE_INVALID] = "page request: Invalid Request",
		[VN_ERROR_PAGE_FAILURE] = "page request: Response Failure",
		[VN_ERROR_MEMORY] = "nothing at the physical address",
	};

	return error < VN_ARRAY_SIZE(names) ? names[error] : "no known error";
}
