/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The scene of many tests: a VMM with one device, whose accesses wait for the guest
 * to map what they need. Each channel of the device writes a word of its own to a page
 * of its own, with a PASID; the page is there, but stage 1 does not map it at first.
 */
#ifndef VN_SCENE_H
#define VN_SCENE_H

#include <linux/vfio_nested.h>
#include <stdbool.h>
#include <stdint.h>

#include "guest.h"
#include "pci.h"
#include "testdev.h"

#define VN_SCENE_STREAM		0x30
#define VN_SCENE_PASID		5
#define VN_SCENE_ASID		9
#define VN_SCENE_IOVA(n)	(0x42000000ULL + (n) * 0x10000ULL)
#define VN_SCENE_CREDITS	32

struct vn_scene {
	char name[VN_PCI_NAME_LEN];
	/* VFIO_NESTED_FAULT_STALL or VFIO_NESTED_FAULT_PAGE_REQUEST */
	enum vfio_nested_fault_kind kind;
	struct vn_vm vm;
	struct vn_device device;
	struct vn_guest guest;
	struct vn_space space;
	/* IPA of the page of each channel */
	uint64_t pages[VN_TESTDEV_CHANNELS];
};

/* Nothing is open. */
void vn_scene_init(struct vn_scene *scene, const char *name,
		   enum vfio_nested_fault_kind kind);
/*
 * Opens all, up to a device that waits for pages. @nested_fd may be -1, else it is
 * taken over. -EOPNOTSUPP: the device cannot wait in this way here.
 */
int vn_scene_open(struct vn_scene *scene, int nested_fd, uint32_t ring_entries);
void vn_scene_close(struct vn_scene *scene);
/* What a guest's driver does with the device first, and after each reset */
int vn_scene_enable(struct vn_scene *scene);
/* The channel begins to write. */
int vn_scene_start(struct vn_scene *scene, unsigned int channel);
/* The same, and waits for the record. */
int vn_scene_raise(struct vn_scene *scene, unsigned int channel,
		   struct vfio_nested_fault *fault);
int vn_scene_map(struct vn_scene *scene, unsigned int channel);
/* Not mapped any more, and in no cache */
int vn_scene_unmap(struct vn_scene *scene, unsigned int channel);
/* Waits until the write is done, and looks whether it has landed. */
int vn_scene_landed(struct vn_scene *scene, unsigned int channel);
/* Waits until the write has failed, and looks whether its page is as it was. */
int vn_scene_failed(struct vn_scene *scene, unsigned int channel);
/* One fault from its beginning to its good end */
int vn_scene_serve(struct vn_scene *scene, unsigned int channel);

#endif /* VN_SCENE_H */
