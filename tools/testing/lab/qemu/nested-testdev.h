/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nested-testdev: a PCI Express function that accesses memory in all the ways
 * that an IOMMU has to deal with.  Registers, for the device (in QEMU) and for
 * programs that drive it.  Constants only; no includes.
 *
 * The function has NTD_CHANNELS independent channels.  A channel moves LENGTH
 * bytes between memory at ADDR and its part of the buffer, in OUTSTANDING equal
 * pieces that are all under way at once, each an access of its own to the IOMMU.
 *
 * BAR 0 (NTD_BAR0_SIZE bytes, 64-bit, not prefetchable): registers and buffer.
 * BAR 2: MSI-X, one vector for each channel.  All registers are little-endian,
 * 32 bits unless said otherwise; those of 64 bits may be accessed in halves.
 * The capabilities are PASID (20 bits, execute, privileged), ATS and PRI; what
 * is off there is not used: the channel fails with NTD_ERR_DISABLED.
 *
 * Properties of the QEMU device: ats, pri, pasid = on|off (the capabilities),
 * can-stall=on|off: whether accesses may stall at the IOMMU, as those of
 * platform devices do (PCI Express forbids it); on Arm machines it also puts
 * "dma-can-stall" into the device tree, unless dt-can-stall=off.
 */
#ifndef NESTED_TESTDEV_H
#define NESTED_TESTDEV_H

#define NTD_VENDOR_ID		0x1234
#define NTD_DEVICE_ID		0x7e57

#define NTD_CHANNELS		8
#define NTD_MAX_OUTSTANDING	64
#define NTD_BAR0_SIZE		0x20000

/* --- Registers of the function ------------------------------------------- */

/* RO: NTD_MAGIC, so that one knows what one talks to. */
#define NTD_ID			0x000
#define NTD_MAGIC		0x7e57de51

/*
 * RW: bad behaviour, a set of NTD_BAD_*; 0 after reset.
 * ATC_SILENT:    never complete an ATS invalidation (and keep the entries)
 * ATC_KEEP:      complete it at once, but keep the entries
 * PRI_INSIST:    whatever the response to a page request says, ask again
 * PRI_CREDIT:    send page requests without regard to the allocation
 * PRI_NO_LAST:   never mark the last request of a group
 * PASID_ANY:     send PASIDs even when that is disabled
 * TRANSLATED:    say that addresses are translated when they are not
 */
#define NTD_BAD			0x004
#define NTD_BAD_ATC_SILENT	0x01
#define NTD_BAD_ATC_KEEP	0x02
#define NTD_BAD_PRI_INSIST	0x04
#define NTD_BAD_PRI_CREDIT	0x08
#define NTD_BAD_PRI_NO_LAST	0x10
#define NTD_BAD_PASID_ANY	0x20
#define NTD_BAD_TRANSLATED	0x40

/*
 * RW: nanoseconds of the machine's time from when an access may be made, or made
 * again, until it is made; 0 after reset.
 */
#define NTD_LATENCY		0x008

/* RO, counters since reset, wrapping. */
#define NTD_ATC_INVALIDATIONS	0x010	/* ATS invalidation requests received */
#define NTD_PAGE_REQUESTS	0x014	/* page request messages sent */
#define NTD_PAGE_RESPONSES	0x018	/* page request group responses received */
#define NTD_BAD_RESPONSES	0x01c	/* of those: no such group, or wrong PASID */
#define NTD_ATS_REQUESTS	0x020	/* translation requests sent */
#define NTD_STALLS		0x024	/* accesses that the IOMMU stalled */
#define NTD_ATC_ENTRIES		0x028	/* translations held now */

/* WO: 1 forgets all of the ATC, without anybody asking. */
#define NTD_ATC_FLUSH		0x030

/* WO: 1 sends a Stop Marker (PRI) for the PASID in bits 31:12. */
#define NTD_STOP_MARKER		0x034

/* --- Registers of a channel ---------------------------------------------- */

#define NTD_CHANNEL(n)		(0x1000 + (n) * 0x100)

/* RW.  They are taken when the channel starts; changes while it runs wait. */
#define NTD_CH_ADDR		0x00	/* 64 bits: address in memory */
#define NTD_CH_LENGTH		0x08	/* bytes, 1 to NTD_BUFFER_SIZE; atomic: 4 or 8 */
#define NTD_CH_PASID		0x0c	/* NTD_PASID_VALID | 20 bits */
#define NTD_CH_FLAGS		0x10	/* NTD_OP_* | NTD_FLAG_* */
#define NTD_CH_BUFFER		0x14	/* offset of the channel's part of the buffer */
#define NTD_CH_OPERAND		0x18	/* 64 bits: what an atomic operation adds */
#define NTD_CH_OUTSTANDING	0x20	/* pieces at once: 1 to 64, 0 means 1 */

#define NTD_PASID_VALID		0x80000000

#define NTD_OP_READ		0	/* memory to buffer */
#define NTD_OP_WRITE		1	/* buffer to memory */
#define NTD_OP_ATOMIC		2	/* fetch and add; naturally aligned */
#define NTD_OP_PROBE		3	/* read, and throw it away */
#define NTD_OP_MASK		3

#define NTD_FLAG_PRIVILEGED	0x0010	/* only with a PASID */
#define NTD_FLAG_EXECUTE	0x0020	/* only with a PASID; reads */
#define NTD_FLAG_ATS		0x0100	/* translate first, access translated */
#define NTD_FLAG_PRI		0x0200	/* with ATS: ask for pages that are not there */
#define NTD_FLAG_STALL		0x0400	/* wait if the IOMMU stalls the access */
#define NTD_FLAG_IRQ		0x1000	/* interrupt when done: vector = channel */
#define NTD_FLAG_FLOOD		0x2000	/* done or not, start again, until stopped */

/* WO: NTD_CONTROL_*. */
#define NTD_CH_CONTROL		0x24
#define NTD_CONTROL_START	1	/* ignored while the channel runs */
#define NTD_CONTROL_STOP	2	/* give up; returns to NTD_STATE_IDLE at once */

/*
 * RO: state in bits 7:0, the error in bits 15:8, and in bits 31:16 how many
 * pieces are not finished.
 */
#define NTD_CH_STATUS		0x28
#define NTD_STATUS_STATE(x)	((x) & 0xff)
#define NTD_STATUS_ERROR(x)	(((x) >> 8) & 0xff)
#define NTD_STATUS_PENDING(x)	((x) >> 16)

#define NTD_STATE_IDLE		0	/* never started, or stopped */
#define NTD_STATE_RUNNING	1
#define NTD_STATE_STALLED	2	/* all pieces that are not finished are stalled */
#define NTD_STATE_WAITING	3	/* ... and some wait for a page */
#define NTD_STATE_OK		4	/* finished, all pieces without error */
#define NTD_STATE_ERROR		5	/* finished; the error is that of the first one */

#define NTD_ERR_NONE		0
#define NTD_ERR_ABORTED		1	/* the IOMMU aborted the access */
#define NTD_ERR_IGNORED		2	/* the IOMMU ignored it (reads as zero) */
#define NTD_ERR_DISABLED	3	/* PASID, ATS, PRI or bus mastering is off */
#define NTD_ERR_PARAMETER	4	/* the registers make no sense */
#define NTD_ERR_NO_ACCESS	5	/* a translation without the right asked for */
#define NTD_ERR_ATS_UR		6	/* translation request: Unsupported Request */
#define NTD_ERR_ATS_CA		7	/* translation request: Completer Abort */
#define NTD_ERR_PAGE_INVALID	8	/* page response: Invalid Request */
#define NTD_ERR_PAGE_FAILURE	9	/* page response: Response Failure */
#define NTD_ERR_MEMORY		10	/* nothing is at the physical address */

/* RO. */
#define NTD_CH_COMPLETED	0x2c	/* how often the channel finished; wraps */
#define NTD_CH_ERRORS		0x30	/* ... with an error */
#define NTD_CH_RESULT		0x38	/* 64 bits: what an atomic operation found */
#define NTD_CH_ERROR_ADDR	0x40	/* 64 bits: where the first error was */
#define NTD_CH_GROUP		0x48	/* page request group used last */

/* --- The buffer, of all channels together --------------------------------- */

#define NTD_BUFFER		0x10000
#define NTD_BUFFER_SIZE		0x10000

#endif
