/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nested-testdev as a device of its own: independent channels that access memory
 * with and without PASIDs, wait when the IOMMU stalls them, translate by
 * themselves (ATS) and ask for pages (PRI). Nothing here waits for the device
 * unless it says so. The engine of the same name (engine.h) uses channel 0, and
 * the first 128 bytes of the buffer.
 */
#ifndef VN_TESTDEV_H
#define VN_TESTDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"

/* Name of the engine, for struct vn_want */
#define VN_TESTDEV			"nested-testdev"

#define VN_TESTDEV_CHANNELS		8
/* Accesses of one channel that may be under way at once */
#define VN_TESTDEV_OUTSTANDING		64
/* Of all channels together */
#define VN_TESTDEV_BUFFER		0x10000
/* Page requests of one group, at most; and that it says it can have pending */
#define VN_TESTDEV_GROUP_PAGES		32
#define VN_TESTDEV_PRI_CAPACITY		256

enum vn_operation {
	/* Memory to buffer, buffer to memory */
	VN_OP_READ = 0,
	VN_OP_WRITE = 1,
	/* Fetch and add, of 4 or 8 bytes */
	VN_OP_ATOMIC = 2,
	/* Read, and throw it away */
	VN_OP_PROBE = 3,
};

/* struct vn_access.flags */
#define VN_ACCESS_PRIVILEGED	0x0010	/* with a PASID only */
#define VN_ACCESS_EXECUTE	0x0020	/* with a PASID only; reads */
#define VN_ACCESS_ATS		0x0100	/* translate first */
#define VN_ACCESS_PRI		0x0200	/* with ATS: ask for what is not there */
#define VN_ACCESS_STALL		0x0400	/* wait if the IOMMU stalls it */
#define VN_ACCESS_FLOOD		0x2000	/* again and again, until stopped */

/* struct vn_access.pasid */
#define VN_PASID(n)		(0x80000000U | (n))
#define VN_NO_PASID		0U

/**
 * struct vn_access - what a channel does
 * @op: enum vn_operation
 * @flags: VN_ACCESS_*
 * @iova: address that the device uses
 * @length: bytes, a multiple of @outstanding
 * @pasid: VN_PASID() or VN_NO_PASID
 * @buffer: offset of the channel's part of the buffer
 * @outstanding: number of accesses, of equal size, all under way at once; 0: 1
 * @operand: what an atomic operation adds
 */
struct vn_access {
	enum vn_operation op;
	uint32_t flags;
	uint64_t iova;
	uint32_t length;
	uint32_t pasid;
	uint32_t buffer;
	uint32_t outstanding;
	uint64_t operand;
};

/* The values are the device's own. */
enum vn_channel_state {
	VN_CHANNEL_IDLE = 0,
	VN_CHANNEL_RUNNING = 1,
	/* All that is not finished is stalled, */
	VN_CHANNEL_STALLED = 2,
	/* or waits for a page. */
	VN_CHANNEL_WAITING = 3,
	VN_CHANNEL_OK = 4,
	VN_CHANNEL_ERROR = 5,
};

enum vn_channel_error {
	VN_ERROR_NONE = 0,
	/* The IOMMU aborted the access, */
	VN_ERROR_ABORTED = 1,
	/* or ignored it: reads gave zero. */
	VN_ERROR_IGNORED = 2,
	/* PASID, ATS, PRI or bus mastering is not enabled. */
	VN_ERROR_DISABLED = 3,
	VN_ERROR_PARAMETER = 4,
	/* A translation without the right that was asked for */
	VN_ERROR_NO_ACCESS = 5,
	/* Translation requests: Unsupported Request, Completer Abort */
	VN_ERROR_ATS_UR = 6,
	VN_ERROR_ATS_CA = 7,
	/* Page responses: Invalid Request, Response Failure */
	VN_ERROR_PAGE_INVALID = 8,
	VN_ERROR_PAGE_FAILURE = 9,
	VN_ERROR_MEMORY = 10,
};

struct vn_channel_status {
	enum vn_channel_state state;
	enum vn_channel_error error;
	/* Accesses that are not finished */
	unsigned int pending;
};

/* Bad behaviour, a set of: */
#define VN_BAD_ATC_SILENT	0x01	/* never complete an ATS invalidation */
#define VN_BAD_ATC_KEEP		0x02	/* complete it, and keep the entries */
#define VN_BAD_PRI_INSIST	0x04	/* ask again, whatever the answer */
#define VN_BAD_PRI_CREDIT	0x08	/* ask for more than is allowed */
#define VN_BAD_PRI_NO_LAST	0x10	/* never mark the last of a group */
#define VN_BAD_PASID_ANY	0x20	/* use PASIDs although they are off */
#define VN_BAD_TRANSLATED	0x40	/* lie about addresses being translated */

/* Counters of the function, since its reset */
enum vn_testdev_counter {
	VN_COUNT_ATC_INVALIDATIONS = 0x10,
	VN_COUNT_PAGE_REQUESTS = 0x14,
	VN_COUNT_PAGE_RESPONSES = 0x18,
	VN_COUNT_BAD_RESPONSES = 0x1c,
	VN_COUNT_ATS_REQUESTS = 0x20,
	VN_COUNT_STALLS = 0x24,
	VN_COUNT_ATC_ENTRIES = 0x28,
};

bool vn_testdev_is(const struct vn_pci *pci);
/* Stops all channels and ends bad behaviour; what memory was told is forgotten. */
int vn_testdev_quiet(struct vn_device *device);
/* Starts it if a reset stopped it, then the channel; it must not be running. */
int vn_testdev_start(struct vn_device *device, unsigned int channel,
		     const struct vn_access *access);
void vn_testdev_stop(struct vn_device *device, unsigned int channel);
struct vn_channel_status vn_testdev_status(struct vn_device *device,
					   unsigned int channel);
/* It has finished what it was given, or was given nothing. */
bool vn_testdev_is_free(struct vn_device *device, unsigned int channel);
/* Waits until the channel has finished: 0, or -ETIMEDOUT. */
int vn_testdev_wait(struct vn_device *device, unsigned int channel,
		    unsigned int timeout_ms, struct vn_channel_status *status);
/* Waits until the channel is in @state. */
int vn_testdev_reach(struct vn_device *device, unsigned int channel,
		     enum vn_channel_state state, unsigned int timeout_ms);
/* Both; for accesses that nothing holds up. The channel is stopped if it hangs. */
int vn_testdev_run(struct vn_device *device, unsigned int channel,
		   const struct vn_access *access,
		   struct vn_channel_status *status);
/* How often the channel has finished, and of these with an error; they wrap. */
uint32_t vn_testdev_completed(struct vn_device *device, unsigned int channel);
uint32_t vn_testdev_errors(struct vn_device *device, unsigned int channel);
/* Where the first error of the channel was; what an atomic operation found. */
uint64_t vn_testdev_error_address(struct vn_device *device, unsigned int channel);
uint64_t vn_testdev_result(struct vn_device *device, unsigned int channel);
/* Page request group that the channel used last */
uint32_t vn_testdev_group(struct vn_device *device, unsigned int channel);

void vn_testdev_buffer_write(struct vn_device *device, uint32_t offset,
			     const void *data, size_t size);
void vn_testdev_buffer_read(struct vn_device *device, uint32_t offset,
			    void *data, size_t size);

void vn_testdev_misbehave(struct vn_device *device, uint32_t bad);
/* So much of the machine's time passes before an access is made, or made again. */
void vn_testdev_latency(struct vn_device *device, uint32_t ns);
uint32_t vn_testdev_count(struct vn_device *device, enum vn_testdev_counter which);
/* Says that no page request of this PASID will come any more. */
void vn_testdev_stop_marker(struct vn_device *device, uint32_t pasid);
void vn_testdev_atc_flush(struct vn_device *device);

const char *vn_channel_state_name(enum vn_channel_state state);
const char *vn_channel_error_name(enum vn_channel_error error);

#endif /* VN_TESTDEV_H */
