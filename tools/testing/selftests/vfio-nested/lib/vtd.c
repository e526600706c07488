// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "util.h"
#include "vtd.h"

#define ADDRESS		0x000ffffffffff000ULL

/* --- Tables -------------------------------------------------------------------- */

void vn_pte_first(uint64_t words[VN_VTD_ENTRY_WORDS], uint64_t table, uint16_t did)
{
	memset(words, 0, VN_VTD_ENTRY_WORDS * sizeof(*words));
	words[0] = VN_PTE_P | VN_PTE_PGTT(VN_PGTT_FIRST);
	words[1] = did;
	words[2] = table;
}

void vn_pte_passthrough(uint64_t words[VN_VTD_ENTRY_WORDS], uint16_t did)
{
	memset(words, 0, VN_VTD_ENTRY_WORDS * sizeof(*words));
	words[0] = VN_PTE_P | VN_PTE_PGTT(VN_PGTT_PASSTHROUGH);
	words[1] = did;
}

uint64_t *vn_vtd_entry(struct vn_guest *guest, uint32_t pasid)
{
	uint64_t *directory = vn_vm_va(guest->vm, guest->cd);
	uint32_t index = pasid / VN_VTD_PASIDS_PER_TABLE;
	uint64_t table;

	if (index >= 1U << (guest->pdts + 7))
		return NULL;
	table = le64toh(directory[index]);
	if (!(table & 1)) {
		table = vn_vm_alloc(guest->vm, VN_PAGE, VN_PAGE);
		if (!table)
			return NULL;
		vn_write_once(&directory[index], htole64(table | 1));
	}
	return (uint64_t *)vn_vm_va(guest->vm, table & ADDRESS) +
	       pasid % VN_VTD_PASIDS_PER_TABLE * VN_VTD_ENTRY_WORDS;
}

int vn_vtd_set_entry(struct vn_guest *guest, uint32_t pasid,
		     const uint64_t *words)
{
	uint64_t *entry = vn_vtd_entry(guest, pasid);
	unsigned int i;

	if (!entry)
		return vn_fail(-ENOMEM, "no guest memory for a PASID table");
	vn_write_once(&entry[0], 0);
	vn_barrier();
	if (!words)
		return 0;
	for (i = VN_VTD_ENTRY_WORDS - 1; i > 0; i--)
		vn_write_once(&entry[i], htole64(words[i]));
	vn_barrier();
	vn_write_once(&entry[0], htole64(words[0]));
	vn_barrier();
	return 0;
}

uint64_t vn_vtd_context(const struct vn_guest *guest)
{
	uint64_t ecap = guest->vtd.ecap;

	return guest->cd | VN_CTX_P | VN_CTX_PDTS(guest->pdts) |
	       (ecap & VN_ECAP_DT ? VN_CTX_DTE : 0) |
	       (ecap & VN_ECAP_PASID ? VN_CTX_PASIDE : 0) |
	       (ecap & VN_ECAP_PRS ? VN_CTX_PRE : 0);
}

int vn_vtd_set_context(const struct vn_guest *guest, uint16_t id,
		       const uint64_t entry[4])
{
	struct vfio_nested_context_vtd data;
	unsigned int i;

	for (i = 0; i < 4; i++)
		data.entry[i] = htole64(entry[i]);
	return vn_nested_set_data(guest->fd, id, VFIO_NESTED_CONTEXT_VTD, &data,
				  sizeof(data));
}

int vn_vtd_translate(const struct vn_guest *guest, uint16_t id)
{
	const uint64_t entry[4] = { vn_vtd_context(guest) };

	return vn_vtd_set_context(guest, id, entry);
}

/* --- Descriptors ----------------------------------------------------------------- */

struct vfio_nested_command_vtd vn_qi(uint64_t qw0, uint64_t qw1)
{
	return (struct vfio_nested_command_vtd){
		.qw = { htole64(qw0), htole64(qw1) },
	};
}

struct vfio_nested_command_vtd vn_qi_context(void)
{
	return vn_qi(0x1 | vn_field(1, 4, 2), 0);
}

struct vfio_nested_command_vtd vn_qi_pasid_cache(uint16_t did, uint32_t pasid)
{
	return vn_qi(0x7 | vn_field(1, 4, 2) | vn_field(did, 16, 16) |
		     vn_field(pasid, 32, 20), 0);
}

struct vfio_nested_command_vtd vn_qi_pasid_cache_all(void)
{
	return vn_qi(0x7 | vn_field(3, 4, 2), 0);
}

struct vfio_nested_command_vtd vn_qi_piotlb(uint16_t did, uint32_t pasid,
					    uint64_t iova, unsigned int mask)
{
	return vn_qi(0x6 | vn_field(3, 4, 2) | vn_field(did, 16, 16) |
		     vn_field(pasid, 32, 20), iova | mask);
}

struct vfio_nested_command_vtd vn_qi_piotlb_all(uint16_t did, uint32_t pasid)
{
	return vn_qi(0x6 | vn_field(2, 4, 2) | vn_field(did, 16, 16) |
		     vn_field(pasid, 32, 20), 0);
}

struct vfio_nested_command_vtd vn_qi_iotlb_domain(uint16_t did)
{
	return vn_qi(0x2 | vn_field(2, 4, 2) | vn_field(did, 16, 16), 0);
}

struct vfio_nested_command_vtd vn_qi_iotlb_global(void)
{
	return vn_qi(0x2 | vn_field(1, 4, 2), 0);
}

struct vfio_nested_command_vtd vn_qi_devtlb(uint16_t id, uint64_t iova)
{
	return vn_qi(0x3 | vn_field(id, 32, 16), iova);
}

struct vfio_nested_command_vtd vn_qi_wait(void)
{
	return vn_qi(0x5 | vn_field(1, 6, 1), 0);
}

struct vfio_nested_command_vtd vn_qi_response(uint16_t id, bool pasid_valid,
					      uint32_t pasid, uint32_t group,
					      unsigned int code)
{
	return vn_qi(0x9 | vn_field(pasid_valid, 4, 1) | vn_field(code, 12, 4) |
		     vn_field(id, 16, 16) | vn_field(pasid, 32, 20),
		     vn_field(group, 3, 9));
}

int vn_vtd_command(int nested_fd, struct vfio_nested_command_vtd command)
{
	uint32_t num = 1;

	return vn_nested_commands(nested_fd, VFIO_NESTED_COMMAND_VTD, &command,
				  sizeof(command), &num);
}
