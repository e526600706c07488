/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a guest's VT-d driver and the hardware exchange: bits of registers, table
 * entries and descriptors. Constants only.
 *
 * Section numbers are those of "Intel Virtualization Technology for Directed I/O",
 * revision 4.1.
 */
#ifndef _VTD_REGS_H
#define _VTD_REGS_H

#include <linux/bits.h>

/* 11.4.2 Capability Register */
#define CAP_ND			GENMASK_ULL(2, 0)
#define CAP_CM			BIT_ULL(7)
#define CAP_SAGAW		GENMASK_ULL(12, 8)
#define CAP_MGAW		GENMASK_ULL(21, 16)
#define CAP_PSI			BIT_ULL(39)
#define CAP_MAMV		GENMASK_ULL(53, 48)
#define CAP_DWD			BIT_ULL(54)
#define CAP_DRD			BIT_ULL(55)
#define CAP_FS1GP		BIT_ULL(56)
#define CAP_FS5LP		BIT_ULL(60)

/* 11.4.3 Extended Capability Register */
#define ECAP_C			BIT_ULL(0)
#define ECAP_QI			BIT_ULL(1)
#define ECAP_DT			BIT_ULL(2)
#define ECAP_PT			BIT_ULL(6)
#define ECAP_SC			BIT_ULL(7)
#define ECAP_NEST		BIT_ULL(26)
#define ECAP_PRS		BIT_ULL(29)
#define ECAP_SRS		BIT_ULL(31)
#define ECAP_NWFS		BIT_ULL(33)
#define ECAP_EAFS		BIT_ULL(34)
#define ECAP_PSS		GENMASK_ULL(39, 35)
#define ECAP_PASID		BIT_ULL(40)
#define ECAP_SMTS		BIT_ULL(43)
#define ECAP_SSTS		BIT_ULL(46)
#define ECAP_FSTS		BIT_ULL(47)
#define ECAP_SMPWC		BIT_ULL(48)

/* 9.4 Scalable-mode context entry, 256 bits */
#define CTX0_P			BIT_ULL(0)
#define CTX0_FPD		BIT_ULL(1)
#define CTX0_DTE		BIT_ULL(2)
#define CTX0_PASIDE		BIT_ULL(3)
#define CTX0_PRE		BIT_ULL(4)
#define CTX0_PDTS		GENMASK_ULL(11, 9)
#define CTX0_PASIDDIRPTR	GENMASK_ULL(63, 12)
#define CTX_WORDS		4

/* 9.5 Scalable-mode PASID directory entry, 64 bits */
#define PDE_P			BIT_ULL(0)
#define PDE_FPD			BIT_ULL(1)
#define PDE_SMPTBLPTR		GENMASK_ULL(63, 12)
#define PDE_SIZE		8

/* 9.6 Scalable-mode PASID table entry, 512 bits */
#define PTE0_P			BIT_ULL(0)
#define PTE0_FPD		BIT_ULL(1)
#define PTE0_AW			GENMASK_ULL(4, 2)
#define PTE0_PGTT		GENMASK_ULL(8, 6)
#define PTE_PGTT_FIRST		1
#define PTE_PGTT_PASSTHROUGH	4
#define PTE0_SSADE		BIT_ULL(9)
#define PTE0_SSPTPTR		GENMASK_ULL(63, 12)
#define PTE1_DID		GENMASK_ULL(15, 0)
#define PTE1_PWSNP		BIT_ULL(23)
#define PTE1_PGSNP		BIT_ULL(24)
#define PTE2_SRE		BIT_ULL(0)
#define PTE2_FSPM		GENMASK_ULL(3, 2)
#define PTE_FSPM_4LEVEL		0
#define PTE_FSPM_5LEVEL		1
#define PTE2_WPE		BIT_ULL(4)
#define PTE2_EAFE		BIT_ULL(7)
#define PTE2_FSPTPTR		GENMASK_ULL(63, 12)
#define PTE_WORDS		8
#define PTE_SIZE		64

/* A table of entries fills a page, a directory entry refers to one. */
#define PASIDS_PER_TABLE	64
#define PASID_TABLE_SHIFT	6

/* 6.5.2 Queued invalidation: descriptors of 128 or 256 bits */
#define QI_WORDS		4
#define QI_WORDS_SHORT		2
#define QI0_TYPE_LOW		GENMASK_ULL(3, 0)
#define QI0_TYPE_HIGH		GENMASK_ULL(11, 9)
#define QI_CONTEXT		0x1
#define QI_IOTLB		0x2
#define QI_DEVTLB		0x3
#define QI_INTERRUPT		0x4
#define QI_WAIT			0x5
#define QI_PASID_IOTLB		0x6
#define QI_PASID_CACHE		0x7
#define QI_PASID_DEVTLB		0x8
#define QI_GROUP_RESPONSE	0x9

#define QI0_GRANULARITY		GENMASK_ULL(5, 4)
#define QI0_DID			GENMASK_ULL(31, 16)
#define QI0_PASID		GENMASK_ULL(51, 32)
/* Address and size of what is invalidated */
#define QI1_AM			GENMASK_ULL(5, 0)
#define QI1_IH			BIT_ULL(6)
#define QI1_ADDR		GENMASK_ULL(63, 12)

/* Context cache: source-id and function mask */
#define QI0_CONTEXT_SID		GENMASK_ULL(47, 32)
#define QI0_CONTEXT_FM		GENMASK_ULL(49, 48)
#define QI_CONTEXT_GLOBAL	1
#define QI_CONTEXT_DOMAIN	2
#define QI_CONTEXT_DEVICE	3

/* PASID cache */
#define QI_PASID_CACHE_DOMAIN	0
#define QI_PASID_CACHE_PASID	1
#define QI_PASID_CACHE_GLOBAL	3

/* IOTLB: drain writes, drain reads */
#define QI0_IOTLB_DW		BIT_ULL(6)
#define QI0_IOTLB_DR		BIT_ULL(7)
#define QI_IOTLB_GLOBAL		1
#define QI_IOTLB_DOMAIN		2
#define QI_IOTLB_PAGE		3

/* PASID-based IOTLB */
#define QI_PASID_IOTLB_ALL	2
#define QI_PASID_IOTLB_PAGE	3

/* Device TLB; the PFSID lies in two parts */
#define QI0_DEVTLB_PFSID	(GENMASK_ULL(15, 12) | GENMASK_ULL(63, 52))
#define QI0_DEVTLB_MIP		GENMASK_ULL(20, 16)
#define QI0_DEVTLB_SID		GENMASK_ULL(47, 32)
#define QI1_DEVTLB_SIZE		BIT_ULL(0)

/* PASID-based device TLB */
#define QI0_PASID_DEVTLB_MIP	GENMASK_ULL(8, 4)
#define QI0_PASID_DEVTLB_SID	GENMASK_ULL(31, 16)
#define QI1_PASID_DEVTLB_GLOBAL	BIT_ULL(0)
#define QI1_PASID_DEVTLB_SIZE	BIT_ULL(11)

/* Wait: completion signals, fence, drain page requests */
#define QI0_WAIT_IF		BIT_ULL(4)
#define QI0_WAIT_SW		BIT_ULL(5)
#define QI0_WAIT_FN		BIT_ULL(6)
#define QI0_WAIT_PD		BIT_ULL(7)
#define QI0_WAIT_STATUS		GENMASK_ULL(63, 32)
#define QI1_WAIT_ADDR		GENMASK_ULL(63, 2)

/* 7.7.1 Page group response */
#define QI0_RESPONSE_PP		BIT_ULL(4)
#define QI0_RESPONSE_CODE	GENMASK_ULL(15, 12)
#define QI_RESPONSE_SUCCESS	0x0
#define QI_RESPONSE_INVALID	0x1
#define QI_RESPONSE_FAILURE	0xf
#define QI0_RESPONSE_SID	GENMASK_ULL(31, 16)
/* Last page in group: only in earlier revisions, but drivers go on to set it. */
#define QI1_RESPONSE_LPIG	BIT_ULL(2)
#define QI1_RESPONSE_GROUP	GENMASK_ULL(11, 3)

/* 7.4.1 Page request descriptor, 256 bits */
#define PRQ_WORDS		4
#define PRQ_TYPE		0x1ULL
#define PRQ0_TYPE		GENMASK_ULL(7, 0)
#define PRQ0_PP			BIT_ULL(8)
#define PRQ0_SID		GENMASK_ULL(31, 16)
#define PRQ0_PASID		GENMASK_ULL(51, 32)
#define PRQ0_EXEC		BIT_ULL(52)
#define PRQ0_PRIV		BIT_ULL(53)
#define PRQ1_READ		BIT_ULL(0)
#define PRQ1_WRITE		BIT_ULL(1)
#define PRQ1_LAST		BIT_ULL(2)
#define PRQ1_GROUP		GENMASK_ULL(11, 3)
#define PRQ1_ADDR		GENMASK_ULL(63, 12)

#endif /* _VTD_REGS_H */
