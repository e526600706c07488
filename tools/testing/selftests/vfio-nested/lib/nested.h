/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interface under test: one function for each ioctl, which returns 0 or the
 * negative errno, and the reader of the fault ring.
 */
#ifndef VN_NESTED_H
#define VN_NESTED_H

#include <linux/vfio_nested.h>
#include <stddef.h>
#include <stdint.h>

#define VN_NESTED_PATH	"/dev/vfio-nested"

int vn_nested_open(void);
int vn_ioctl(int fd, unsigned long request, void *argument);

/* Also the ID registers of the architecture, into @len bytes at @registers */
int vn_nested_registers(int fd, struct vfio_nested_info *info, void *registers,
			uint32_t len);
int vn_nested_info(int fd, struct vfio_nested_info *info,
		   struct vfio_nested_info_smmuv3 *smmu);
int vn_nested_bind(int device_fd, int nested_fd, uint64_t virtual_id);
int vn_nested_unbind(int device_fd);
int vn_nested_set_context(int nested_fd, uint64_t virtual_id, uint32_t type);
/* @data is that of a context of @type. */
int vn_nested_set_data(int nested_fd, uint64_t virtual_id, uint32_t type,
		       const void *data, uint32_t len);
int vn_nested_set_ste(int nested_fd, uint64_t virtual_id, const uint64_t ste[2]);
/* On return *@num is the number of commands consumed. */
int vn_nested_commands(int nested_fd, uint32_t type, const void *commands,
		       uint32_t len, uint32_t *num);
int vn_nested_invalidate(int nested_fd,
			 const struct vfio_nested_command_smmuv3 *commands,
			 uint32_t *num);
int vn_nested_command(int nested_fd, struct vfio_nested_command_smmuv3 command);
int vn_nested_memory(int nested_fd, uint32_t op, uint64_t ipa, uint64_t length,
		     void *va);
int vn_nested_stats(int nested_fd, struct vfio_nested_stats *stats);

/* The reader's end of a fault ring */
struct vn_ring {
	struct vfio_nested_setup_ring setup;
	void *map;
	uint32_t consumer;
};

/* Sets up and maps a ring, of which @setup says type, entries and eventfd. */
int vn_nested_setup_ring(int nested_fd, struct vfio_nested_setup_ring *setup,
			 void **map);
/* Sets up and maps; @eventfd may be -1. */
int vn_ring_open(struct vn_ring *ring, int nested_fd, uint32_t entries,
		 int eventfd);
void vn_ring_close(struct vn_ring *ring);
/* Records that wait to be read. */
uint32_t vn_ring_pending(const struct vn_ring *ring);
uint64_t vn_ring_lost(const struct vn_ring *ring);
/* Takes one record: 1, or 0 if there is none. */
int vn_ring_get(struct vn_ring *ring, struct vfio_nested_fault *fault);
/* The same, but waits for it up to @timeout_ms. */
int vn_ring_wait(struct vn_ring *ring, struct vfio_nested_fault *fault,
		 unsigned int timeout_ms);
/* Reads until nothing has come for @quiet_ms; returns the number of records. */
unsigned int vn_ring_drain(struct vn_ring *ring, unsigned int quiet_ms);

/* The indexes where the kernel and the reader exchange them */
uint32_t *vn_ring_producer(const struct vn_ring *ring);
uint32_t *vn_ring_consumer(const struct vn_ring *ring);
struct vfio_nested_fault *vn_ring_record(const struct vn_ring *ring,
					 uint32_t index);

#endif /* VN_NESTED_H */
