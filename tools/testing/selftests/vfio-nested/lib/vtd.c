// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vtd.h"

#define TABLE_FLAGS	(VN_FS_PRESENT | VN_FS_WRITE | VN_FS_USER)
#define ADDRESS		0x000ffffffffff000ULL
#define LEVELS		4

/* --- First-stage tables ------------------------------------------------------- */

int vn_fs_init(struct vn_fs *fs, struct vn_vm *vm)
{
	fs->vm = vm;
	fs->table = vn_vm_alloc(vm, VN_VTD_PAGE, VN_VTD_PAGE);
	return fs->table ? 0 : vn_fail(-ENOMEM, "no guest memory for a table");
}

static unsigned int index_of(uint64_t iova, unsigned int level)
{
	return iova >> (12 + 9 * level) & 511;
}

/* The entry of level 0 for @iova; NULL: there is none, and none can be made. */
static uint64_t *entry_for(struct vn_fs *fs, uint64_t iova, bool make)
{
	uint64_t table = fs->table;
	unsigned int level;
	uint64_t *entry;

	for (level = LEVELS - 1; ; level--) {
		entry = (uint64_t *)vn_vm_va(fs->vm, table) +
			index_of(iova, level);
		if (!level)
			return entry;
		table = le64toh(vn_read_once(entry));
		if (!(table & VN_FS_PRESENT)) {
			if (!make)
				return NULL;
			table = vn_vm_alloc(fs->vm, VN_VTD_PAGE, VN_VTD_PAGE);
			if (!table)
				return NULL;
			vn_barrier();
			vn_write_once(entry, htole64(table | TABLE_FLAGS));
		}
		table &= ADDRESS;
	}
}

int vn_fs_map(struct vn_fs *fs, uint64_t iova, uint64_t ipa, int prot)
{
	uint64_t *entry = entry_for(fs, iova, true);

	if (!entry)
		return vn_fail(-ENOMEM, "no guest memory for a table");
	vn_write_once(entry, htole64(ipa | VN_FS_PRESENT | VN_FS_USER |
				     (prot & VN_PROT_WRITE ? VN_FS_WRITE : 0)));
	vn_barrier();
	return 0;
}

int vn_fs_map_range(struct vn_fs *fs, uint64_t iova, uint64_t ipa, uint64_t size,
		    int prot)
{
	uint64_t offset;
	int ret = 0;

	for (offset = 0; offset < size && !ret; offset += VN_VTD_PAGE)
		ret = vn_fs_map(fs, iova + offset, ipa + offset, prot);
	return ret;
}

void vn_fs_unmap(struct vn_fs *fs, uint64_t iova)
{
	uint64_t *entry = entry_for(fs, iova, false);

	if (entry)
		vn_write_once(entry, 0);
	vn_barrier();
}

/* --- The guest ----------------------------------------------------------------- */

int vn_vtd_open(struct vn_vtd *guest, struct vn_vm *vm)
{
	memset(guest, 0, sizeof(*guest));
	vn_vm_reset(vm);
	guest->vm = vm;
	guest->fd = vn_nested_open();
	return guest->fd < 0 ? guest->fd : 0;
}

void vn_vtd_close(struct vn_vtd *guest)
{
	vn_ring_close(&guest->ring);
	if (guest->fd >= 0)
		close(guest->fd);
	guest->fd = -1;
}

int vn_vtd_bind(struct vn_vtd *guest, struct vn_device *device, uint16_t id)
{
	struct vfio_nested_info *info = &guest->info;
	int ret;

	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->data_len = sizeof(guest->regs);
	info->data_uptr = (uintptr_t)&guest->regs;
	ret = vn_ioctl(device->fd, VFIO_NESTED_INFO, info);
	if (ret)
		return ret;
	if (info->backend != VFIO_NESTED_BACKEND_VTD)
		return vn_fail(-EOPNOTSUPP, "%s is not behind a VT-d",
			       device->pci.name);
	return vn_nested_bind(device->fd, guest->fd, id);
}

int vn_nested_memory(int nested_fd, uint32_t op, uint64_t ipa, uint64_t length,
		     void *va)
{
	struct vfio_nested_memory memory = {
		.size = sizeof(memory),
		.op = op,
		.ipa = ipa,
		.length = length,
		.vaddr = (uintptr_t)va,
	};

	return vn_ioctl(nested_fd, VFIO_NESTED_MEMORY, &memory);
}

int vn_vtd_name_memory(struct vn_vtd *guest)
{
	struct vn_vm *vm = guest->vm;

	return vn_nested_memory(guest->fd, VFIO_NESTED_MEMORY_NAME, VN_RAM_IPA,
				vm->ram_size, vm->ram);
}

int vn_vtd_tables(struct vn_vtd *guest, unsigned int pdts)
{
	size_t size = 8UL << (pdts + 7);
	int ret;

	guest->pdts = pdts;
	guest->directory = vn_vm_alloc(guest->vm, size, VN_VTD_PAGE);
	if (!guest->directory)
		return vn_fail(-ENOMEM, "no guest memory for a PASID directory");
	ret = vn_fs_init(&guest->fs, guest->vm);
	if (ret)
		return ret;
	return vn_fs_map_range(&guest->fs, VN_RAM_IPA, VN_RAM_IPA,
			       VN_ENGINE_AREA, VN_PROT_RW);
}

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

uint64_t *vn_vtd_entry(struct vn_vtd *guest, uint32_t pasid)
{
	uint64_t *directory = vn_vm_va(guest->vm, guest->directory);
	uint32_t index = pasid / VN_VTD_PASIDS_PER_TABLE;
	uint64_t table;

	if (index >= 1U << (guest->pdts + 7))
		return NULL;
	table = le64toh(directory[index]);
	if (!(table & 1)) {
		table = vn_vm_alloc(guest->vm, VN_VTD_PAGE, VN_VTD_PAGE);
		if (!table)
			return NULL;
		vn_write_once(&directory[index], htole64(table | 1));
	}
	return (uint64_t *)vn_vm_va(guest->vm, table & ADDRESS) +
	       pasid % VN_VTD_PASIDS_PER_TABLE * VN_VTD_ENTRY_WORDS;
}

int vn_vtd_set_entry(struct vn_vtd *guest, uint32_t pasid,
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

uint64_t vn_vtd_context(const struct vn_vtd *guest)
{
	uint64_t ecap = guest->regs.ecap;

	return guest->directory | VN_CTX_P | VN_CTX_PDTS(guest->pdts) |
	       (ecap & VN_ECAP_DT ? VN_CTX_DTE : 0) |
	       (ecap & VN_ECAP_PASID ? VN_CTX_PASIDE : 0) |
	       (ecap & VN_ECAP_PRS ? VN_CTX_PRE : 0);
}

int vn_vtd_set_context(struct vn_vtd *guest, uint16_t id, const uint64_t entry[4])
{
	struct vfio_nested_context_vtd data;
	struct vfio_nested_set_context context = {
		.size = sizeof(context),
		.virtual_id = id,
		.type = VFIO_NESTED_CONTEXT_VTD,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};
	unsigned int i;

	for (i = 0; i < 4; i++)
		data.entry[i] = htole64(entry[i]);
	return vn_ioctl(guest->fd, VFIO_NESTED_SET_CONTEXT, &context);
}

int vn_vtd_translate(struct vn_vtd *guest, uint16_t id)
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

int vn_vtd_commands(int nested_fd, const struct vfio_nested_command_vtd *commands,
		    uint32_t *num)
{
	struct vfio_nested_invalidate invalidate = {
		.size = sizeof(invalidate),
		.type = VFIO_NESTED_COMMAND_VTD,
		.entry_len = sizeof(*commands),
		.entry_num = *num,
		.entries_uptr = (uintptr_t)commands,
	};
	int ret;

	ret = vn_ioctl(nested_fd, VFIO_NESTED_INVALIDATE, &invalidate);
	*num = invalidate.entry_num;
	return ret;
}

int vn_vtd_command(int nested_fd, struct vfio_nested_command_vtd command)
{
	uint32_t num = 1;

	return vn_vtd_commands(nested_fd, &command, &num);
}
