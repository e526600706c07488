/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DMA engines: how a kind of device is made to access memory at an address that
 * the test chooses. All that waits for a device has a timeout.
 *
 * An engine may use the first VN_ENGINE_AREA bytes of guest memory, shared by
 * all devices of one virtual machine in slots of VN_ENGINE_SLOT bytes. Stage 1
 * must map that area to itself for engines with VN_ENGINE_QUEUES: the device
 * reads its own commands from there.
 */
#ifndef VN_ENGINE_H
#define VN_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vn_device;
struct vn_pci;

#define VN_ENGINE_SLOT	0x4000

enum vn_dma {
	/* The device says that it succeeded. */
	VN_DMA_OK,
	/* The device says that the access failed. */
	VN_DMA_FAULT,
	/* It is over; the device does not say how. */
	VN_DMA_DONE,
	/* The device did not answer in time, or not in a way that makes sense. */
	VN_DMA_BROKEN,
};

/* Abilities */
/* The device can read memory: copy() works. */
#define VN_ENGINE_COPY		(1U << 0)
/* write() returns VN_DMA_OK or VN_DMA_FAULT: the device knows. */
#define VN_ENGINE_TELLS		(1U << 1)
/* A failed write() is one event record. */
#define VN_ENGINE_ONE_EVENT	(1U << 2)
/* An access takes well below a millisecond. */
#define VN_ENGINE_FAST		(1U << 3)
/* The device fetches commands from memory, at the address of the engine area. */
#define VN_ENGINE_QUEUES	(1U << 4)
/* Exists in emulators only, so the IOMMU is emulated too. */
#define VN_ENGINE_EMULATED	(1U << 5)
/* A write that starts now lands in about 100 ms: start_write() works. */
#define VN_ENGINE_DELAYED	(1U << 6)
/* Addresses above 256 MiB cannot be used. */
#define VN_ENGINE_28BIT		(1U << 7)

/**
 * struct vn_engine_ops - one kind of device
 * @name: for people
 * @caps: VN_ENGINE_* abilities
 * @write_size: bytes that write() changes
 * @copy_size: bytes that copy() moves
 * @matches: whether this engine drives the function
 * @init: prepare; the device is enabled, on stage 2 alone or on a stage 1 that
 *	maps the engine area. Called again after a reset and after a failure that
 *	stopped the device.
 * @write: the device writes write_size bytes at @iova, which is aligned to 4096
 * @wrote: whether @va holds what write() writes
 * @start_write: like write(), without waiting
 * @copy: the device reads copy_size bytes at @from and writes them at @to, both
 *	aligned to 4096
 * @copied: whether @to holds what a copy of @from leaves
 * @interrupt: the device sends its first message-signalled interrupt
 */
struct vn_engine_ops {
	const char *name;
	unsigned int caps;
	unsigned int write_size;
	unsigned int copy_size;
	bool (*matches)(const struct vn_pci *pci);
	int (*init)(struct vn_device *device);
	enum vn_dma (*write)(struct vn_device *device, uint64_t iova);
	bool (*wrote)(struct vn_device *device, const void *va);
	int (*start_write)(struct vn_device *device, uint64_t iova);
	enum vn_dma (*copy)(struct vn_device *device, uint64_t from, uint64_t to);
	bool (*copied)(struct vn_device *device, const void *from,
		       const void *to);
	int (*interrupt)(struct vn_device *device);
};

extern const struct vn_engine_ops vn_engine_edu;
extern const struct vn_engine_ops vn_engine_nested_testdev;
extern const struct vn_engine_ops vn_engine_nvme;
extern const struct vn_engine_ops vn_engine_testdev;

/* State of the engine of one device */
struct vn_engine {
	/* init() is needed before the next access. */
	bool stopped;
	/* Abilities of this very device: those of its kind, less what it lacks. */
	unsigned int caps;
	/* The device's slot of the engine area. */
	uint64_t area_ipa;
	void *area;
	/* edu, nested-testdev: the word that it writes */
	uint32_t word;
	/* nvme */
	uint32_t doorbell_stride;
	uint16_t sq_tail;
	uint16_t cq_head;
	uint16_t command_id;
	bool phase;
};

/* The engine of a function, NULL if nobody knows how to make it do DMA. */
const struct vn_engine_ops *vn_engine_find(const struct vn_pci *pci);

/* Starts a device that is stopped; the functions below do it by themselves. */
int vn_engine_revive(struct vn_device *device);
enum vn_dma vn_dma_write(struct vn_device *device, uint64_t iova);
enum vn_dma vn_dma_copy(struct vn_device *device, uint64_t from, uint64_t to);
const char *vn_dma_name(enum vn_dma dma);

#endif /* VN_ENGINE_H */
