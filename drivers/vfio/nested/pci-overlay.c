// SPDX-License-Identifier: GPL-2.0
/*
 * What a VMM sees of a PCI function's configuration space instead of the hardware:
 * ATS, PRI and PASID as the guest may have them.
 *
 * Invariants:
 *  - pure: nothing here touches hardware, takes a lock or allocates;
 *  - windows do not overlap, are made of whole words of 32 bits, and lie inside of
 *    extended configuration space;
 *  - a capability has a window over all of its bytes, also when it is not shown: a
 *    VMM neither reads nor writes a byte of the hardware's (unless the hardware
 *    has other capabilities at the same place, which pci_overlay_add_cap() tells);
 *  - the chain of capabilities that the VMM walks has an end where the chain
 *    without the overlay has one;
 *  - all that a write can change is zero after a reset of the function.
 *
 * Registers: PCI Express Base Specification, sections 10.5.1 (ATS), 10.5.2 (PRI) and
 * 7.8.9 (PASID).
 */
#include <linux/align.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/pci_regs.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "pci-overlay.h"

#define HEADER_BYTES	4
#define NEXT_SHIFT	20
#define NEXT_MASK	0xffc00000U

static void set16(struct pci_overlay_window *window, u32 reg, u16 value,
		  u16 writable)
{
	put_unaligned_le16(value, &window->value[reg]);
	put_unaligned_le16(writable, &window->writable[reg]);
}

static void set32(struct pci_overlay_window *window, u32 reg, u32 value,
		  u32 writable)
{
	put_unaligned_le32(value, &window->value[reg]);
	put_unaligned_le32(writable, &window->writable[reg]);
}

/*
 * The control register is the guest's word only: what is enabled in the hardware
 * follows the context. A virtual function uses the STU of its physical function.
 */
static void fill_ats(struct pci_overlay_window *window,
		     const struct pci_overlay_cap *cap)
{
	u16 stu = cap->is_virtfn ? 0 : PCI_ATS_CTRL_STU(~0);

	set16(window, PCI_ATS_CAP, get_unaligned_le16(&cap->raw[PCI_ATS_CAP]),
	      0);
	set16(window, PCI_ATS_CTRL, 0, PCI_ATS_CTRL_ENABLE | stu);
}

/* The status register is the hardware's: what is here is not read. */
static void fill_pri(struct pci_overlay_window *window,
		     const struct pci_overlay_cap *cap)
{
	set16(window, PCI_PRI_CTRL, 0, PCI_PRI_CTRL_ENABLE);
	set16(window, PCI_PRI_STATUS, 0, 0);
	set32(window, PCI_PRI_MAX_REQ,
	      get_unaligned_le32(&cap->raw[PCI_PRI_MAX_REQ]), 0);
	set32(window, PCI_PRI_ALLOC_REQ, 0, U32_MAX);
}

/* Where the device has no right to give, the guest finds none to enable. */
static void fill_pasid(struct pci_overlay_window *window,
		       const struct pci_overlay_cap *cap)
{
	u16 raw = get_unaligned_le16(&cap->raw[PCI_PASID_CAP]);
	u16 rights = raw & (PCI_PASID_CAP_EXEC | PCI_PASID_CAP_PRIV);
	u16 width = min((raw & PCI_PASID_CAP_WIDTH) >> 8, cap->pasid_bits);

	set16(window, PCI_PASID_CAP, width << 8 | rights, 0);
	/* The bits that enable a right are where the bits that offer it are. */
	set16(window, PCI_PASID_CTRL, 0, PCI_PASID_CTRL_ENABLE | rights);
}

static const struct shape {
	u16 id;
	u16 len;
	void (*fill)(struct pci_overlay_window *window,
		     const struct pci_overlay_cap *cap);
} shapes[] = {
	{ PCI_EXT_CAP_ID_ATS, PCI_EXT_CAP_ATS_SIZEOF, fill_ats },
	{ PCI_EXT_CAP_ID_PRI, PCI_EXT_CAP_PRI_SIZEOF, fill_pri },
	{ PCI_EXT_CAP_ID_PASID, PCI_EXT_CAP_PASID_SIZEOF, fill_pasid },
};

static const struct shape *find_shape(u16 id)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shapes); i++)
		if (shapes[i].id == id)
			return &shapes[i];
	return NULL;
}

/* Bytes of the capability @id; 0 if it is none that an overlay knows. */
u32 pci_overlay_cap_len(u16 id)
{
	const struct shape *shape = find_shape(id);

	return shape ? shape->len : 0;
}

static struct pci_overlay_window *add_window(struct pci_overlay *overlay,
					     u32 size, u16 start, u16 len)
{
	struct pci_overlay_window *window;
	u32 i;

	if (!IS_ALIGNED(start, 4) || start < PCI_CFG_SPACE_SIZE ||
	    start + len > size || overlay->num == PCI_OVERLAY_WINDOWS)
		return NULL;
	for (i = 0; i < overlay->num; i++) {
		window = &overlay->windows[i];
		if (start < window->start + window->len &&
		    window->start < start + len)
			return NULL;
	}

	window = &overlay->windows[overlay->num++];
	memset(window, 0, sizeof(*window));
	window->start = start;
	window->len = len;
	return window;
}

/* The window that starts at @start, NULL without one. */
static struct pci_overlay_window *window_at(struct pci_overlay *overlay,
					    u16 start)
{
	u32 i;

	for (i = 0; i < overlay->num; i++)
		if (overlay->windows[i].start == start)
			return &overlay->windows[i];
	return NULL;
}

static u32 header_at(struct pci_overlay *overlay,
		     const struct pci_overlay_space *space, u16 pos)
{
	struct pci_overlay_window *window = window_at(overlay, pos);

	return get_unaligned_le32(window ? window->value : &space->bytes[pos]);
}

/*
 * Walk the chain. Returns whether it comes by @wanted; sets *@tail to the last
 * header, or to 0 if the chain has no end.
 */
static bool walk(struct pci_overlay *overlay,
		 const struct pci_overlay_space *space, u16 wanted, u16 *tail)
{
	u32 steps = (space->size - PCI_CFG_SPACE_SIZE) / HEADER_BYTES;
	u16 pos = PCI_CFG_SPACE_SIZE;
	bool found = false;

	while (steps--) {
		u16 next = PCI_EXT_CAP_NEXT(header_at(overlay, space, pos));

		found |= pos == wanted;
		*tail = pos;
		if (next < PCI_CFG_SPACE_SIZE ||
		    next + HEADER_BYTES > space->size)
			return found;
		pos = next;
	}
	*tail = 0;
	return found;
}

static void set_next(struct pci_overlay_window *window, u16 next)
{
	u32 header = get_unaligned_le32(window->value);

	header = (header & ~NEXT_MASK) | (u32)next << NEXT_SHIFT;
	put_unaligned_le32(header, window->value);
}

/* Let the header at @tail, the end of the chain, point to @next. */
static bool link_behind(struct pci_overlay *overlay,
			const struct pci_overlay_space *space, u16 tail,
			u16 next)
{
	struct pci_overlay_window *window = window_at(overlay, tail);

	if (!window) {
		window = add_window(overlay, space->size, tail, HEADER_BYTES);
		if (!window)
			return false;
		memcpy(window->value, &space->bytes[tail], HEADER_BYTES);
	}
	set_next(window, next);
	return true;
}

/*
 * Put a window over @cap. What is not to be shown but is in the chain becomes a
 * Null Extended Capability (id 0, which has a header only); what is to be shown but
 * is not in the chain gets to its end. Returns false where the hardware makes no
 * sense: the capability lies over another one or does not fit into configuration
 * space, and then has no window; or the chain is a loop, and then it is not shown.
 */
bool pci_overlay_add_cap(struct pci_overlay *overlay,
			 const struct pci_overlay_space *space,
			 const struct pci_overlay_cap *cap)
{
	const struct shape *shape = find_shape(cap->id);
	struct pci_overlay_window *window;
	bool linked;
	u16 tail;
	u32 next;

	if (!shape)
		return false;
	linked = walk(overlay, space, cap->start, &tail);
	next = linked ? PCI_EXT_CAP_NEXT(header_at(overlay, space, cap->start)) : 0;

	window = add_window(overlay, space->size, cap->start, shape->len);
	if (!window)
		return false;
	set_next(window, next);
	if (!cap->show)
		return true;
	if (!linked && (!tail || !link_behind(overlay, space, tail, cap->start)))
		return false;

	memcpy(window->value, cap->raw, HEADER_BYTES);
	set_next(window, next);
	shape->fill(window, cap);
	window->id = cap->id;
	return true;
}

/*
 * The window at @pos, or NULL where the hardware is. Shortens *@count to what is of
 * one kind from there.
 */
struct pci_overlay_window *
pci_overlay_piece(struct pci_overlay *overlay, u64 pos, size_t *count)
{
	struct pci_overlay_window *window;
	u32 i;

	for (i = 0; i < overlay->num; i++) {
		window = &overlay->windows[i];
		if (pos < window->start) {
			*count = min_t(u64, *count, window->start - pos);
		} else if (pos < window->start + window->len) {
			*count = min_t(u64, *count,
				       window->start + window->len - pos);
			return window;
		}
	}
	return NULL;
}

/* @pos and @count as pci_overlay_piece() has made them. */
void pci_overlay_read(const struct pci_overlay_window *window, u32 pos,
		      u8 *to, size_t count)
{
	memcpy(to, &window->value[pos - window->start], count);
}

/* @pos and @count as pci_overlay_piece() has made them. */
void pci_overlay_write(struct pci_overlay_window *window, u32 pos,
		       const u8 *from, size_t count)
{
	const u8 *writable = &window->writable[pos - window->start];
	u8 *value = &window->value[pos - window->start];
	size_t i;

	for (i = 0; i < count; i++)
		value[i] = (value[i] & ~writable[i]) | (from[i] & writable[i]);
}

/* The function has been reset. */
void pci_overlay_reset(struct pci_overlay *overlay)
{
	struct pci_overlay_window *window;
	u32 i, byte;

	for (i = 0; i < overlay->num; i++) {
		window = &overlay->windows[i];
		for (byte = 0; byte < window->len; byte++)
			window->value[byte] &= ~window->writable[byte];
	}
}
