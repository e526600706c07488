/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a guest with a virtual VT-d writes: its context entry, the PASID directory and
 * its tables in guest memory, invalidation descriptors and page group responses.
 *
 * Intel Virtualization Technology for Directed I/O: 9.4 to 9.9 entries and tables, 6.5.2
 * invalidation descriptors, 7.4 and 7.7 page requests.
 */
#ifndef VN_VTD_H
#define VN_VTD_H

#include <stdbool.h>
#include <stdint.h>

#include "guest.h"

#define VN_VTD_ENTRY_WORDS	8
#define VN_VTD_PASIDS_PER_TABLE	64

/* Registers: 11.4.2, 11.4.3 */
#define VN_CAP_CM		VN_BIT(7)
#define VN_CAP_MAMV(cap)	vn_get_field(cap, 48, 6)
#define VN_ECAP_DT		VN_BIT(2)
#define VN_ECAP_PRS		VN_BIT(29)
#define VN_ECAP_PASID		VN_BIT(40)
#define VN_ECAP_SMTS		VN_BIT(43)

/* Context entry, word 0 */
#define VN_CTX_P		VN_BIT(0)
#define VN_CTX_DTE		VN_BIT(2)
#define VN_CTX_PASIDE		VN_BIT(3)
#define VN_CTX_PRE		VN_BIT(4)
#define VN_CTX_PDTS(x)		vn_field(x, 9, 3)

/* PASID table entry */
#define VN_PTE_P		VN_BIT(0)
#define VN_PTE_PGTT(x)		vn_field(x, 6, 3)
#define VN_PGTT_FIRST		1
#define VN_PGTT_SECOND		2
#define VN_PGTT_PASSTHROUGH	4

void vn_pte_first(uint64_t words[VN_VTD_ENTRY_WORDS], uint64_t table, uint16_t did);
void vn_pte_passthrough(uint64_t words[VN_VTD_ENTRY_WORDS], uint16_t did);
/*
 * Where the entry of @pasid is; makes its table if there is none. NULL: no memory, or
 * beyond the directory.
 */
uint64_t *vn_vtd_entry(struct vn_guest *guest, uint32_t pasid);
/* Writes an entry so that P changes last; NULL clears it. Does not tell the IOMMU. */
int vn_vtd_set_entry(struct vn_guest *guest, uint32_t pasid,
		     const uint64_t *words);

/* The context entry for the guest's tables, with all that it may have */
uint64_t vn_vtd_context(const struct vn_guest *guest);
int vn_vtd_set_context(const struct vn_guest *guest, uint16_t id,
		       const uint64_t entry[4]);
/* Makes that the entry of device @id. */
int vn_vtd_translate(const struct vn_guest *guest, uint16_t id);

/* Descriptors */
struct vfio_nested_command_vtd vn_qi(uint64_t qw0, uint64_t qw1);
struct vfio_nested_command_vtd vn_qi_context(void);
struct vfio_nested_command_vtd vn_qi_pasid_cache(uint16_t did, uint32_t pasid);
struct vfio_nested_command_vtd vn_qi_pasid_cache_all(void);
/* 1 << @mask pages from @iova on, which is aligned to that */
struct vfio_nested_command_vtd vn_qi_piotlb(uint16_t did, uint32_t pasid,
					    uint64_t iova, unsigned int mask);
struct vfio_nested_command_vtd vn_qi_piotlb_all(uint16_t did, uint32_t pasid);
struct vfio_nested_command_vtd vn_qi_iotlb_domain(uint16_t did);
struct vfio_nested_command_vtd vn_qi_iotlb_global(void);
struct vfio_nested_command_vtd vn_qi_devtlb(uint16_t id, uint64_t iova);
struct vfio_nested_command_vtd vn_qi_wait(void);
struct vfio_nested_command_vtd vn_qi_response(uint16_t id, bool pasid_valid,
					      uint32_t pasid, uint32_t group,
					      unsigned int code);

int vn_vtd_command(int nested_fd, struct vfio_nested_command_vtd command);

#endif /* VN_VTD_H */
