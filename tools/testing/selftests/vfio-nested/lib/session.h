/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices of a test program. Opening a device resets it, which takes longer
 * than most tests; so a program opens its devices once, and its tests, children
 * of the program, share them through inherited file descriptors and memory.
 *
 * VFIO_NESTED_DEVICES names the functions that may be used, separated by spaces.
 * They are bound to vfio-pci-nested and are not used by anything else.
 */
#ifndef VN_SESSION_H
#define VN_SESSION_H

#include "device.h"
#include "vm.h"

#define VN_SESSION_DEVICES	16
#define VN_SESSION_VMS		4

enum vn_wish {
	VN_EITHER,
	VN_YES,
	VN_NO,
};

/* A device that a program would like to have. */
struct vn_want {
	/* Number of the virtual machine that it belongs to */
	unsigned int vm;
	/* Abilities that it must have */
	unsigned int caps;
	/* Name of the engine, or NULL for any */
	const char *engine;
	/* Firmware says of it that the IOMMU may stall its accesses, or does not. */
	enum vn_wish can_stall;
	/* Bytes of the machine's memory; 0: VN_RAM_SIZE */
	size_t ram_size;
	/* The machine's memory is to be of large pages, see struct vn_vm. */
	bool huge;
};

struct vn_session {
	struct vn_vm vms[VN_SESSION_VMS];
	/* In the order of the wishes; one that could not be had has fd -1 ... */
	struct vn_device devices[VN_SESSION_DEVICES];
	/* ... and this is why */
	char missing[VN_SESSION_DEVICES][256];
	unsigned int nr_devices;
};

/* In memory shared with children; NULL before vn_session_open(). */
extern struct vn_session *vn_session;

/* Names of the functions in the environment; their number, or an error. */
int vn_session_names(char names[][VN_PCI_NAME_LEN], unsigned int max);
/* Finds a function that is not among the first @nr_taken of @taken. */
int vn_session_pick(const struct vn_want *want, char taken[][VN_PCI_NAME_LEN],
		    unsigned int nr_taken, char *name);
/* Fails only if not one device could be opened. */
int vn_session_open(const struct vn_want *wants, unsigned int num);
void vn_session_close(void);

#endif /* VN_SESSION_H */
