/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a VMM sees of a PCI function's configuration space instead of the hardware.
 */
#ifndef _VFIO_NESTED_PCI_OVERLAY_H
#define _VFIO_NESTED_PCI_OVERLAY_H

#include <linux/types.h>

/* The longest of the capabilities, PRI. */
#define PCI_OVERLAY_BYTES	16
/* ATS, PRI, PASID, and a header in front of each that was not linked. */
#define PCI_OVERLAY_WINDOWS	6

/**
 * struct pci_overlay_window - bytes that are not the hardware's
 * @start: offset of the first one, a multiple of four
 * @len: number of them, a multiple of four
 * @id: PCI_EXT_CAP_ID_* of the capability that is shown, 0: none, only a header
 * @value: what a read returns, little-endian like all of configuration space
 * @writable: bits that a write changes and a reset clears
 */
struct pci_overlay_window {
	u16 start;
	u16 len;
	u16 id;
	u8 value[PCI_OVERLAY_BYTES];
	u8 writable[PCI_OVERLAY_BYTES];
};

/**
 * struct pci_overlay - all windows of one function
 * @num: number of them
 * @windows: in no order; no two overlap
 */
struct pci_overlay {
	u32 num;
	struct pci_overlay_window windows[PCI_OVERLAY_WINDOWS];
};

/**
 * struct pci_overlay_space - configuration space as it is without the overlay
 * @bytes: all of it; only headers of extended capabilities are looked at
 * @size: number of bytes, more than 256, up to 4096
 */
struct pci_overlay_space {
	const u8 *bytes;
	u32 size;
};

/**
 * struct pci_overlay_cap - one capability of the hardware
 * @id: PCI_EXT_CAP_ID_ATS, _PRI or _PASID
 * @start: its offset
 * @show: let the guest see it; else nobody sees or reaches it
 * @is_virtfn: of a virtual function
 * @pasid_bits: largest width of PASIDs to show
 * @raw: its bytes, as the hardware has them
 */
struct pci_overlay_cap {
	u16 id;
	u16 start;
	bool show;
	bool is_virtfn;
	u8 pasid_bits;
	u8 raw[PCI_OVERLAY_BYTES];
};

u32 pci_overlay_cap_len(u16 id);
bool pci_overlay_add_cap(struct pci_overlay *overlay,
			 const struct pci_overlay_space *space,
			 const struct pci_overlay_cap *cap);
struct pci_overlay_window *
pci_overlay_piece(struct pci_overlay *overlay, u64 pos, size_t *count);
void pci_overlay_read(const struct pci_overlay_window *window, u32 pos,
		      u8 *to, size_t count);
void pci_overlay_write(struct pci_overlay_window *window, u32 pos,
		       const u8 *from, size_t count);
void pci_overlay_reset(struct pci_overlay *overlay);

#endif /* _VFIO_NESTED_PCI_OVERLAY_H */
