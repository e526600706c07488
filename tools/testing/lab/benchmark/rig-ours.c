// SPDX-License-Identifier: GPL-2.0
/* The virtual machine by /dev/vfio-nested */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "capability.h"
#include "fault.h"
#include "rig.h"
#include "util.h"

static int ours_open(struct rig *rig)
{
	return vn_vm_open(&rig->vm);
}

static int ours_make(struct rig *rig, bool faults)
{
	rig->guest.fd = vn_nested_open();
	if (rig->guest.fd < 0)
		return rig->guest.fd;
	return faults ? vn_ring_open(&rig->guest.ring, rig->guest.fd, RIG_FAULTS,
				     -1) : 0;
}

static int ours_join(struct rig *rig, unsigned int i)
{
	struct vn_device *device = &rig->devices[i];
	int ret;

	ret = vn_guest_bind(&rig->guest, device, RIG_STREAM(i));
	/* What a guest does that wants page requests; others stall. */
	if (!ret && rig->guest.ring.map && !rig->guest.arch->page_requests)
		ret = vn_device_enable_pri(device, RIG_FAULTS);
	return ret;
}

static int ours_set(struct rig *rig, unsigned int i,
		    const struct vn_context *context)
{
	return vn_nested_set_data(rig->guest.fd, RIG_STREAM(i), context->type,
				  &context->data, context->len);
}

static int ours_clear(struct rig *rig, unsigned int i)
{
	return vn_nested_set_context(rig->guest.fd, RIG_STREAM(i),
				     VFIO_NESTED_CONTEXT_CLEAR);
}

static int ours_invalidate(struct rig *rig, const struct vn_command *commands,
			   uint32_t num)
{
	uint32_t done = num;
	int ret;

	ret = vn_guest_commands(&rig->guest, commands, &done);
	return !ret && done != num ? -EIO : ret;
}

/* A VMM looks at the records where they are, and then gives the room back. */
static int ours_wait(struct rig *rig, uint64_t *faults, unsigned int max)
{
	struct pollfd wanted = { .fd = rig->guest.fd, .events = POLLIN };
	struct vn_ring *ring = &rig->guest.ring;
	unsigned int num, i;

	if (poll(&wanted, 1, VN_TIMEOUT_MS) != 1)
		return vn_fail(-ETIMEDOUT, "no fault was reported");
	num = vn_ring_pending(ring);
	if (num > max)
		num = max;
	for (i = 0; i < num; i++)
		faults[i] = vn_ring_record(ring, ring->consumer + i)->cookie;
	ring->consumer += num;
	__atomic_store_n(vn_ring_consumer(ring), ring->consumer,
			 __ATOMIC_RELEASE);
	return num;
}

static int ours_answer(struct rig *rig, const uint64_t *faults, unsigned int num,
		       bool retry)
{
	struct vfio_nested_response responses[RIG_FAULTS];
	uint32_t done = num;
	unsigned int i;

	for (i = 0; i < num; i++) {
		responses[i].cookie = faults[i];
		responses[i].result = 0;
		responses[i].code = retry ? VFIO_NESTED_RESPONSE_RETRY :
					    VFIO_NESTED_RESPONSE_ABORT;
	}
	return vn_nested_respond(rig->guest.fd, responses, &done);
}

const struct rig_driver rig_ours = {
	.name = "ours",
	.vfio_driver = "vfio-pci-nested",
	.open = ours_open,
	.make = ours_make,
	.join = ours_join,
	.set = ours_set,
	.clear = ours_clear,
	.invalidate = ours_invalidate,
	.wait = ours_wait,
	.answer = ours_answer,
};
