// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "fault.h"
#include "util.h"

int vn_nested_respond(int nested_fd, const struct vfio_nested_response *responses,
		      uint32_t *num)
{
	struct vfio_nested_respond respond = {
		.size = sizeof(respond),
		.entry_len = sizeof(*responses),
		.entry_num = *num,
		.entries_uptr = (uintptr_t)responses,
	};
	int ret;

	ret = vn_ioctl(nested_fd, VFIO_NESTED_RESPOND, &respond);
	*num = respond.entry_num;
	return ret;
}

int vn_respond(int nested_fd, uint64_t cookie, uint32_t code)
{
	const struct vfio_nested_response response = {
		.cookie = cookie, .code = code,
	};
	uint32_t num = 1;

	return vn_nested_respond(nested_fd, &response, &num);
}

int vn_nested_kick(int nested_fd, uint32_t *responses, uint32_t *delivered)
{
	struct vfio_nested_kick kick = { .size = sizeof(kick) };
	int ret;

	ret = vn_ioctl(nested_fd, VFIO_NESTED_KICK, &kick);
	if (responses)
		*responses = kick.responses;
	if (delivered)
		*delivered = kick.delivered;
	return ret;
}

int vn_nested_set_run(int nested_fd, uint64_t virtual_id,
		      enum vfio_nested_run_state state)
{
	struct vfio_nested_run run = {
		.size = sizeof(run),
		.virtual_id = virtual_id,
		.state = state,
	};

	return vn_ioctl(nested_fd, VFIO_NESTED_SET_RUN, &run);
}

int vn_nested_save(int nested_fd, uint64_t virtual_id, void *data, uint32_t *len)
{
	struct vfio_nested_migrate migrate = {
		.size = sizeof(migrate),
		.virtual_id = virtual_id,
		.data_uptr = (uintptr_t)data,
		.data_len = *len,
	};
	int ret;

	ret = vn_ioctl(nested_fd, VFIO_NESTED_SAVE, &migrate);
	*len = migrate.data_len;
	return ret;
}

int vn_nested_restore(int nested_fd, uint64_t virtual_id, const void *data,
		      uint32_t len)
{
	struct vfio_nested_migrate migrate = {
		.size = sizeof(migrate),
		.virtual_id = virtual_id,
		.data_uptr = (uintptr_t)data,
		.data_len = len,
	};

	return vn_ioctl(nested_fd, VFIO_NESTED_RESTORE, &migrate);
}

int vn_response_ring_open(struct vn_response_ring *ring, int nested_fd, uint32_t entries)
{
	memset(ring, 0, sizeof(*ring));
	ring->setup.type = VFIO_NESTED_RING_RESPONSE;
	ring->setup.entries = entries;
	ring->setup.eventfd = -1;
	return vn_nested_setup_ring(nested_fd, &ring->setup, &ring->map);
}

void vn_response_ring_close(struct vn_response_ring *ring)
{
	if (ring->map)
		munmap(ring->map, ring->setup.mmap_size);
	ring->map = NULL;
}

uint32_t *vn_response_ring_producer(const struct vn_response_ring *ring)
{
	return ring->map + ring->setup.producer_offset;
}

uint32_t *vn_response_ring_consumer(const struct vn_response_ring *ring)
{
	return ring->map + ring->setup.consumer_offset;
}

struct vfio_nested_response *vn_response_ring_record(const struct vn_response_ring *ring,
						     uint32_t index)
{
	return ring->map + ring->setup.records_offset +
	       (index & (ring->setup.entries - 1)) *
		       (size_t)ring->setup.record_size;
}

bool vn_response_ring_put(struct vn_response_ring *ring, uint64_t cookie, uint32_t code)
{
	uint32_t consumer = __atomic_load_n(vn_response_ring_consumer(ring),
					    __ATOMIC_ACQUIRE);
	struct vfio_nested_response *record;

	if (ring->producer - consumer >= ring->setup.entries)
		return false;
	record = vn_response_ring_record(ring, ring->producer);
	memset(record, 0, sizeof(*record));
	record->cookie = cookie;
	record->code = code;
	ring->producer++;
	__atomic_store_n(vn_response_ring_producer(ring), ring->producer,
			 __ATOMIC_RELEASE);
	return true;
}

uint32_t vn_ring_held(const struct vn_ring *ring)
{
	return __atomic_load_n((uint32_t *)(ring->map + ring->setup.held_offset),
			       __ATOMIC_ACQUIRE);
}

int vn_fault_wait(struct vn_ring *ring, enum vfio_nested_fault_kind kind,
		  struct vfio_nested_fault *fault, unsigned int timeout_ms)
{
	uint64_t end = vn_now_ms() + timeout_ms, now;

	do {
		now = vn_now_ms();
		if (!vn_ring_wait(ring, fault, now < end ? end - now : 0))
			return 0;
	} while (fault->kind != kind);
	return 1;
}

static bool balanced(const struct vfio_nested_stats *stats)
{
	return stats->faults == stats->faults_answered + stats->faults_expired +
				stats->faults_aborted + stats->faults_refused +
				stats->faults_moved + stats->faults_pending &&
	       stats->events == stats->events_delivered + stats->events_lost;
}

/* Counters are read one after the other, while they change. */
int vn_faults_balance(int nested_fd, struct vfio_nested_stats *stats)
{
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;
	int ret;

	do {
		ret = vn_nested_stats(nested_fd, stats);
		if (ret)
			return ret;
		if (balanced(stats))
			return 0;
		vn_sleep_ms(5);
	} while (vn_now_ms() < end);
	return vn_fail(-EPROTO,
		       "%" PRIu64 " faults are not %" PRIu64 " answered + %" PRIu64
		       " expired + %" PRIu64 " aborted + %" PRIu64
		       " refused + %" PRIu64 " moved + %" PRIu64
		       " pending; %" PRIu64 " events, %" PRIu64
		       " delivered + %" PRIu64 " lost",
		       (uint64_t)stats->faults, (uint64_t)stats->faults_answered,
		       (uint64_t)stats->faults_expired,
		       (uint64_t)stats->faults_aborted,
		       (uint64_t)stats->faults_refused,
		       (uint64_t)stats->faults_moved,
		       (uint64_t)stats->faults_pending, (uint64_t)stats->events,
		       (uint64_t)stats->events_delivered,
		       (uint64_t)stats->events_lost);
}
