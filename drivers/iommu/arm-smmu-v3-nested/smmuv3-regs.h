/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SMMUv3 registers and the records of the event and PRI queues, as Arm IHI 0070
 * names them (chapters 6 and 7). Stream table entries are in ste.h, commands in
 * cmd.h.
 */
#ifndef _SMMUV3_REGS_H
#define _SMMUV3_REGS_H

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/sizes.h>

/* Registers of the event and PRI queues' indexes are in the second page */
#define SMMU_PAGE1			SZ_64K

#define SMMU_IDR0			0x00
#define IDR0_S2P			BIT(0)
#define IDR0_S1P			BIT(1)
#define IDR0_TTF			GENMASK(3, 2)
#define  IDR0_TTF_AARCH64		2
#define  IDR0_TTF_AARCH32_64		3
#define IDR0_COHACC			BIT(4)
#define IDR0_BTM			BIT(5)
#define IDR0_HTTU			GENMASK(7, 6)
#define IDR0_DORMHINT			BIT(8)
#define IDR0_HYP			BIT(9)
#define IDR0_ATS			BIT(10)
#define IDR0_NS1ATS			BIT(11)
#define IDR0_ASID16			BIT(12)
#define IDR0_MSI			BIT(13)
#define IDR0_SEV			BIT(14)
#define IDR0_ATOS			BIT(15)
#define IDR0_PRI			BIT(16)
#define IDR0_VMW			BIT(17)
#define IDR0_VMID16			BIT(18)
#define IDR0_CD2L			BIT(19)
#define IDR0_VATOS			BIT(20)
#define IDR0_TTENDIAN			GENMASK(22, 21)
#define  IDR0_TTENDIAN_MIXED		0
#define  IDR0_TTENDIAN_LE		2
#define IDR0_ATSRECERR			BIT(23)
#define IDR0_STALL_MODEL		GENMASK(25, 24)
#define  IDR0_STALL_MODEL_BOTH		0
#define  IDR0_STALL_MODEL_TERMINATE	1
#define  IDR0_STALL_MODEL_STALL		2
#define IDR0_TERM_MODEL			BIT(26)
#define IDR0_ST_LEVEL			GENMASK(28, 27)
#define  IDR0_ST_LEVEL_2		1

#define SMMU_IDR1			0x04
#define IDR1_SIDSIZE			GENMASK(5, 0)
#define IDR1_SSIDSIZE			GENMASK(10, 6)
#define IDR1_PRIQS			GENMASK(15, 11)
#define IDR1_EVENTQS			GENMASK(20, 16)
#define IDR1_CMDQS			GENMASK(25, 21)
#define IDR1_ATTR_PERMS_OVR		BIT(26)
#define IDR1_ATTR_TYPES_OVR		BIT(27)
#define IDR1_REL			BIT(28)
#define IDR1_QUEUES_PRESET		BIT(29)
#define IDR1_TABLES_PRESET		BIT(30)
#define IDR1_ECMDQ			BIT(31)

#define SMMU_IDR2			0x08
#define SMMU_IDR3			0x0c
#define IDR3_HAD			BIT(2)
#define IDR3_PBHA			BIT(3)
#define IDR3_XNX			BIT(4)
#define IDR3_PPS			BIT(5)
#define IDR3_MPAM			BIT(7)
#define IDR3_FWB			BIT(8)
#define IDR3_STT			BIT(9)
#define IDR3_RIL			BIT(10)
#define IDR3_BBML			GENMASK(12, 11)
#define IDR3_E0PD			BIT(13)
#define IDR3_PTWNNC			BIT(14)

#define SMMU_IDR4			0x10
#define SMMU_IDR5			0x14
#define IDR5_OAS			GENMASK(2, 0)
#define IDR5_GRAN4K			BIT(4)
#define IDR5_GRAN16K			BIT(5)
#define IDR5_GRAN64K			BIT(6)
#define IDR5_VAX			GENMASK(11, 10)
#define IDR5_STALL_MAX			GENMASK(31, 16)

#define SMMU_IIDR			0x18
#define IIDR_IMPLEMENTER		GENMASK(11, 0)
#define IIDR_REVISION			GENMASK(15, 12)
#define IIDR_VARIANT			GENMASK(19, 16)
#define IIDR_PRODUCTID			GENMASK(31, 20)
#define SMMU_AIDR			0x1c

#define SMMU_CR0			0x20
#define SMMU_CR0ACK			0x24
#define CR0_SMMUEN			BIT(0)
#define CR0_PRIQEN			BIT(1)
#define CR0_EVENTQEN			BIT(2)
#define CR0_CMDQEN			BIT(3)
#define CR0_ATSCHK			BIT(4)

#define SMMU_CR1			0x28
#define CR1_QUEUE_IC			GENMASK(1, 0)
#define CR1_QUEUE_OC			GENMASK(3, 2)
#define CR1_QUEUE_SH			GENMASK(5, 4)
#define CR1_TABLE_IC			GENMASK(7, 6)
#define CR1_TABLE_OC			GENMASK(9, 8)
#define CR1_TABLE_SH			GENMASK(11, 10)
#define  CR1_CACHE_WB			1
#define  CR1_SH_ISH			3

#define SMMU_CR2			0x2c
#define CR2_E2H				BIT(0)
#define CR2_RECINVSID			BIT(1)
#define CR2_PTM				BIT(2)

#define SMMU_GBPA			0x44
#define GBPA_ABORT			BIT(20)
#define GBPA_UPDATE			BIT(31)

#define SMMU_IRQ_CTRL			0x50
#define SMMU_IRQ_CTRLACK		0x54
#define IRQ_CTRL_GERROR_IRQEN		BIT(0)
#define IRQ_CTRL_PRIQ_IRQEN		BIT(1)
#define IRQ_CTRL_EVENTQ_IRQEN		BIT(2)

#define SMMU_GERROR			0x60
#define SMMU_GERRORN			0x64
#define GERROR_CMDQ_ERR			BIT(0)
#define GERROR_EVENTQ_ABT_ERR		BIT(2)
#define GERROR_PRIQ_ABT_ERR		BIT(3)
#define GERROR_MSI_CMDQ_ABT_ERR		BIT(4)
#define GERROR_MSI_EVENTQ_ABT_ERR	BIT(5)
#define GERROR_MSI_PRIQ_ABT_ERR		BIT(6)
#define GERROR_MSI_GERROR_ABT_ERR	BIT(7)
#define GERROR_SFM_ERR			BIT(8)
#define GERROR_ALL			(GENMASK(8, 2) | GERROR_CMDQ_ERR)

/* Three registers each: address, data, attributes */
#define SMMU_GERROR_IRQ_CFG0		0x68
#define SMMU_EVENTQ_IRQ_CFG0		0xb0
#define SMMU_PRIQ_IRQ_CFG0		0xd0
#define SMMU_IRQ_CFG1			0x08
#define SMMU_IRQ_CFG2			0x0c
#define IRQ_CFG0_ADDR			GENMASK_ULL(51, 2)
#define IRQ_CFG2_MEMATTR_DEVICE_NGNRE	1

#define SMMU_STRTAB_BASE		0x80
#define STRTAB_BASE_ADDR		GENMASK_ULL(51, 6)
#define STRTAB_BASE_RA			BIT_ULL(62)
#define SMMU_STRTAB_BASE_CFG		0x88
#define STRTAB_BASE_CFG_LOG2SIZE	GENMASK(5, 0)
#define STRTAB_BASE_CFG_SPLIT		GENMASK(10, 6)
#define STRTAB_BASE_CFG_FMT		GENMASK(17, 16)
#define  STRTAB_BASE_CFG_FMT_LINEAR	0
#define  STRTAB_BASE_CFG_FMT_2LVL	1

#define SMMU_CMDQ_BASE			0x90
#define SMMU_CMDQ_PROD			0x98
#define SMMU_CMDQ_CONS			0x9c
#define CMDQ_CONS_ERR			GENMASK(30, 24)
#define  CERROR_NONE			0
#define  CERROR_ILL			1
#define  CERROR_ABT			2
#define  CERROR_ATC_INV_SYNC		3

#define SMMU_EVENTQ_BASE		0xa0
#define SMMU_EVENTQ_PROD		0xa8
#define SMMU_EVENTQ_CONS		0xac
#define SMMU_PRIQ_BASE			0xc0
#define SMMU_PRIQ_PROD			0xc8
#define SMMU_PRIQ_CONS			0xcc

/* Queue base registers, all three */
#define Q_BASE_LOG2SIZE			GENMASK_ULL(4, 0)
#define Q_BASE_ADDR			GENMASK_ULL(51, 5)
#define Q_BASE_ALLOC_HINT		BIT_ULL(62)
/* Producer and consumer registers of the event and PRI queues */
#define Q_OVFLG				BIT(31)

/* Level-1 descriptor of a two-level stream table, section 5.1 */
#define STRTAB_L1_SPAN			GENMASK_ULL(4, 0)
#define STRTAB_L1_L2PTR			GENMASK_ULL(51, 6)

/* Event records, section 7.3 */
#define EVT_DWORDS			4
#define EVT0_ID				GENMASK_ULL(7, 0)
#define EVT0_SSV			BIT_ULL(11)
#define EVT0_SSID			GENMASK_ULL(31, 12)
#define EVT0_SID			GENMASK_ULL(63, 32)
#define EVT1_STAG			GENMASK_ULL(15, 0)
#define EVT1_STALL			BIT_ULL(31)
#define EVT1_PNU			BIT_ULL(33)
#define EVT1_IND			BIT_ULL(34)
#define EVT1_RNW			BIT_ULL(35)
#define EVT1_S2				BIT_ULL(39)
#define EVT1_CLASS			GENMASK_ULL(41, 40)
#define EVT3_IPA			GENMASK_ULL(51, 12)

#define EVT_F_UUT			0x01
#define EVT_C_BAD_STREAMID		0x02
#define EVT_F_STE_FETCH			0x03
#define EVT_C_BAD_STE			0x04
#define EVT_F_BAD_ATS_TREQ		0x05
#define EVT_F_STREAM_DISABLED		0x06
#define EVT_F_TRANSL_FORBIDDEN		0x07
#define EVT_C_BAD_SUBSTREAMID		0x08
#define EVT_F_CD_FETCH			0x09
#define EVT_C_BAD_CD			0x0a
#define EVT_F_WALK_EABT			0x0b
#define EVT_F_TRANSLATION		0x10
#define EVT_F_ADDR_SIZE			0x11
#define EVT_F_ACCESS			0x12
#define EVT_F_PERMISSION		0x13
#define EVT_F_TLB_CONFLICT		0x20
#define EVT_F_CFG_CONFLICT		0x21
#define EVT_E_PAGE_REQUEST		0x24
#define EVT_F_VMS_FETCH			0x25

/* PRI queue records, section 8.2 */
#define PRI_DWORDS			2
#define PRI0_SID			GENMASK_ULL(31, 0)
#define PRI0_SSID			GENMASK_ULL(51, 32)
#define PRI0_PRIV			BIT_ULL(58)
#define PRI0_EXEC			BIT_ULL(59)
#define PRI0_READ			BIT_ULL(60)
#define PRI0_WRITE			BIT_ULL(61)
#define PRI0_LAST			BIT_ULL(62)
#define PRI0_SSV			BIT_ULL(63)
#define PRI1_GRPID			GENMASK_ULL(8, 0)
#define PRI1_ADDR			GENMASK_ULL(63, 12)

#endif /* _SMMUV3_REGS_H */
