/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest with a virtual VT-d, as its VMM plays it: first-stage tables, the PASID
 * directory and its tables in guest memory, a nested fd, devices that joined.
 *
 * Intel Virtualization Technology for Directed I/O: 9.4 to 9.9 entries and tables, 6.5.2
 * invalidation descriptors, 7.4 and 7.7 page requests.
 */
#ifndef VN_VTD_H
#define VN_VTD_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "nested.h"
#include "util.h"
#include "vm.h"

#define VN_VTD_PAGE		4096
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

/* Entries of first-stage tables are those of the CPU. */
#define VN_FS_PRESENT		VN_BIT(0)
#define VN_FS_WRITE		VN_BIT(1)
#define VN_FS_USER		VN_BIT(2)

/* A first-stage table of four levels; maps pages of 4096 bytes. */
struct vn_fs {
	struct vn_vm *vm;
	uint64_t table;
};

int vn_fs_init(struct vn_fs *fs, struct vn_vm *vm);
/* Does not tell the IOMMU. */
int vn_fs_map(struct vn_fs *fs, uint64_t iova, uint64_t ipa, int prot);
int vn_fs_map_range(struct vn_fs *fs, uint64_t iova, uint64_t ipa, uint64_t size,
		    int prot);
void vn_fs_unmap(struct vn_fs *fs, uint64_t iova);

struct vn_vtd {
	struct vn_vm *vm;
	int fd;
	struct vfio_nested_info info;
	struct vfio_nested_info_vtd regs;
	struct vn_ring ring;
	/* IPA of the PASID directory, of 1 << (pdts + 7) entries */
	uint64_t directory;
	unsigned int pdts;
	/* For accesses without PASID: maps the engine area to itself */
	struct vn_fs fs;
	/* Guest memory is known to the kernel. */
	bool named;
};

/* Takes back all guest memory of @vm and opens a nested fd. */
int vn_vtd_open(struct vn_vtd *guest, struct vn_vm *vm);
void vn_vtd_close(struct vn_vtd *guest);
int vn_vtd_bind(struct vn_vtd *guest, struct vn_device *device, uint16_t id);
/* Names all of the machine's memory. */
int vn_vtd_name_memory(struct vn_vtd *guest);
/* An empty directory, and an empty table for accesses without PASID. */
int vn_vtd_tables(struct vn_vtd *guest, unsigned int pdts);

void vn_pte_first(uint64_t words[VN_VTD_ENTRY_WORDS], uint64_t table, uint16_t did);
void vn_pte_passthrough(uint64_t words[VN_VTD_ENTRY_WORDS], uint16_t did);
/*
 * Where the entry of @pasid is; makes its table if there is none. NULL: no memory, or
 * beyond the directory.
 */
uint64_t *vn_vtd_entry(struct vn_vtd *guest, uint32_t pasid);
/* Writes an entry so that P changes last; NULL clears it. Does not tell the IOMMU. */
int vn_vtd_set_entry(struct vn_vtd *guest, uint32_t pasid,
		     const uint64_t *words);

/* The context entry for the guest's tables, with all that it may have */
uint64_t vn_vtd_context(const struct vn_vtd *guest);
int vn_vtd_set_context(struct vn_vtd *guest, uint16_t id, const uint64_t entry[4]);
/* Makes the guest's tables those of device @id. */
int vn_vtd_translate(struct vn_vtd *guest, uint16_t id);

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

/* On return *@num is the number of descriptors consumed. */
int vn_vtd_commands(int nested_fd, const struct vfio_nested_command_vtd *commands,
		    uint32_t *num);
int vn_vtd_command(int nested_fd, struct vfio_nested_command_vtd command);

int vn_nested_memory(int nested_fd, uint32_t op, uint64_t ipa, uint64_t length,
		     void *va);

#endif /* VN_VTD_H */
