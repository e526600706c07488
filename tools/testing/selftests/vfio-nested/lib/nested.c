// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nested.h"
#include "util.h"

int vn_nested_open(void)
{
	int fd = open(VN_NESTED_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return vn_fail(-errno, "cannot open " VN_NESTED_PATH
			       ": %m (modprobe vfio-nested)");
	return fd;
}

int vn_ioctl(int fd, unsigned long request, void *argument)
{
	if (ioctl(fd, request, argument) < 0)
		return vn_fail(-errno, "ioctl 0x%lx: %m", request);
	return 0;
}

int vn_nested_registers(int fd, struct vfio_nested_info *info, void *registers,
			uint32_t len)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->data_len = len;
	info->data_uptr = (uintptr_t)registers;
	return vn_ioctl(fd, VFIO_NESTED_INFO, info);
}

int vn_nested_info(int fd, struct vfio_nested_info *info,
		   struct vfio_nested_info_smmuv3 *smmu)
{
	return vn_nested_registers(fd, info, smmu, smmu ? sizeof(*smmu) : 0);
}

int vn_nested_bind(int device_fd, int nested_fd, uint64_t virtual_id)
{
	struct vfio_device_nested_bind bind = {
		.size = sizeof(bind),
		.nested_fd = nested_fd,
		.virtual_id = virtual_id,
	};

	return vn_ioctl(device_fd, VFIO_DEVICE_NESTED_BIND, &bind);
}

int vn_nested_unbind(int device_fd)
{
	struct vfio_device_nested_unbind unbind = { .size = sizeof(unbind) };

	return vn_ioctl(device_fd, VFIO_DEVICE_NESTED_UNBIND, &unbind);
}

int vn_nested_set_context(int nested_fd, uint64_t virtual_id, uint32_t type)
{
	struct vfio_nested_set_context context = {
		.size = sizeof(context),
		.virtual_id = virtual_id,
		.type = type,
	};

	return vn_ioctl(nested_fd, VFIO_NESTED_SET_CONTEXT, &context);
}

int vn_nested_set_data(int nested_fd, uint64_t virtual_id, uint32_t type,
		       const void *data, uint32_t len)
{
	struct vfio_nested_set_context context = {
		.size = sizeof(context),
		.virtual_id = virtual_id,
		.type = type,
		.data_len = len,
		.data_uptr = (uintptr_t)data,
	};

	return vn_ioctl(nested_fd, VFIO_NESTED_SET_CONTEXT, &context);
}

int vn_nested_set_ste(int nested_fd, uint64_t virtual_id, const uint64_t ste[2])
{
	const struct vfio_nested_context_smmuv3 data = {
		.ste = { htole64(ste[0]), htole64(ste[1]) },
	};

	return vn_nested_set_data(nested_fd, virtual_id, VFIO_NESTED_CONTEXT_SMMUV3,
				  &data, sizeof(data));
}

int vn_nested_commands(int nested_fd, uint32_t type, const void *commands,
		       uint32_t len, uint32_t *num)
{
	struct vfio_nested_invalidate invalidate = {
		.size = sizeof(invalidate),
		.type = type,
		.entry_len = len,
		.entry_num = *num,
		.entries_uptr = (uintptr_t)commands,
	};
	int ret;

	ret = vn_ioctl(nested_fd, VFIO_NESTED_INVALIDATE, &invalidate);
	*num = invalidate.entry_num;
	return ret;
}

int vn_nested_invalidate(int nested_fd,
			 const struct vfio_nested_command_smmuv3 *commands,
			 uint32_t *num)
{
	return vn_nested_commands(nested_fd, VFIO_NESTED_COMMAND_SMMUV3, commands,
				  sizeof(*commands), num);
}

int vn_nested_command(int nested_fd, struct vfio_nested_command_smmuv3 command)
{
	uint32_t num = 1;

	return vn_nested_invalidate(nested_fd, &command, &num);
}

int vn_nested_memory(int nested_fd, uint32_t op, uint64_t ipa, uint64_t length,
		     void *va)
{
	struct vfio_nested_memory memory = {
		.size = sizeof(memory),
		.op = op,
		.ipa = ipa,
		.length = length,
		.vaddr = (uintptr_t)va,
	};

	return vn_ioctl(nested_fd, VFIO_NESTED_MEMORY, &memory);
}

int vn_nested_stats(int nested_fd, struct vfio_nested_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->size = sizeof(*stats);
	return vn_ioctl(nested_fd, VFIO_NESTED_STATS, stats);
}

int vn_nested_setup_ring(int nested_fd, struct vfio_nested_setup_ring *setup,
			 void **map)
{
	int ret;

	*map = NULL;
	setup->size = sizeof(*setup);
	ret = vn_ioctl(nested_fd, VFIO_NESTED_SETUP_RING, setup);
	if (ret)
		return ret;
	*map = mmap(NULL, setup->mmap_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    nested_fd, setup->mmap_offset);
	if (*map == MAP_FAILED) {
		*map = NULL;
		return vn_fail(-errno, "mmap of ring %u: %m", setup->type);
	}
	return 0;
}

int vn_ring_open(struct vn_ring *ring, int nested_fd, uint32_t entries,
		 int eventfd)
{
	memset(ring, 0, sizeof(*ring));
	ring->setup.type = VFIO_NESTED_RING_FAULT;
	ring->setup.entries = entries;
	ring->setup.eventfd = eventfd;
	return vn_nested_setup_ring(nested_fd, &ring->setup, &ring->map);
}

void vn_ring_close(struct vn_ring *ring)
{
	if (ring->map)
		munmap(ring->map, ring->setup.mmap_size);
	ring->map = NULL;
}

uint32_t *vn_ring_producer(const struct vn_ring *ring)
{
	return ring->map + ring->setup.producer_offset;
}

uint32_t *vn_ring_consumer(const struct vn_ring *ring)
{
	return ring->map + ring->setup.consumer_offset;
}

struct vfio_nested_fault *vn_ring_record(const struct vn_ring *ring,
					 uint32_t index)
{
	return ring->map + ring->setup.records_offset +
	       (index & (ring->setup.entries - 1)) *
		       (size_t)ring->setup.record_size;
}

uint64_t vn_ring_lost(const struct vn_ring *ring)
{
	return vn_read_once((uint64_t *)(ring->map + ring->setup.lost_offset));
}

uint32_t vn_ring_pending(const struct vn_ring *ring)
{
	uint32_t producer = __atomic_load_n(vn_ring_producer(ring),
					    __ATOMIC_ACQUIRE);

	return producer - ring->consumer;
}

int vn_ring_get(struct vn_ring *ring, struct vfio_nested_fault *fault)
{
	if (!vn_ring_pending(ring))
		return 0;
	memset(fault, 0, sizeof(*fault));
	memcpy(fault, vn_ring_record(ring, ring->consumer),
	       ring->setup.record_size < sizeof(*fault) ?
	       ring->setup.record_size : sizeof(*fault));
	ring->consumer++;
	__atomic_store_n(vn_ring_consumer(ring), ring->consumer,
			 __ATOMIC_RELEASE);
	return 1;
}

int vn_ring_wait(struct vn_ring *ring, struct vfio_nested_fault *fault,
		 unsigned int timeout_ms)
{
	uint64_t end = vn_now_ms() + timeout_ms;

	while (!vn_ring_pending(ring)) {
		if (vn_now_ms() >= end)
			return 0;
		vn_sleep_ms(1);
	}
	return vn_ring_get(ring, fault);
}

unsigned int vn_ring_drain(struct vn_ring *ring, unsigned int quiet_ms)
{
	struct vfio_nested_fault fault;
	unsigned int n = 0;

	while (vn_ring_wait(ring, &fault, quiet_ms))
		n++;
	return n;
}
