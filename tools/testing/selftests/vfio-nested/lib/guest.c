// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "util.h"

#define POISON	0xa5

int vn_guest_open(struct vn_guest *guest, struct vn_vm *vm)
{
	memset(guest, 0, sizeof(*guest));
	vn_vm_reset(vm);
	guest->vm = vm;
	guest->fd = vn_nested_open();
	return guest->fd < 0 ? guest->fd : 0;
}

void vn_guest_close(struct vn_guest *guest)
{
	vn_ring_close(&guest->ring);
	if (guest->fd >= 0)
		close(guest->fd);
	guest->fd = -1;
}

int vn_guest_bind(struct vn_guest *guest, struct vn_device *device,
		  uint64_t stream)
{
	struct vfio_nested_info_smmuv3 smmu = {};
	int ret;

	ret = vn_nested_info(device->fd, &guest->info, &smmu);
	if (ret == -ENOTTY) {
		char driver[32] = "";

		vn_pci_driver(device->pci.name, driver, sizeof(driver));
		return vn_fail(ret, "%s is bound to %s: bind it to vfio-pci-nested",
			       device->pci.name, driver);
	}
	if (ret)
		return ret;
	if (guest->info.backend != VFIO_NESTED_BACKEND_SMMUV3)
		return vn_fail(-EOPNOTSUPP, "%s is not behind an SMMUv3",
			       device->pci.name);
	vn_smmuv3_parse(&guest->smmu, &smmu);
	return vn_nested_bind(device->fd, guest->fd, stream);
}

static void fill(const struct vn_guest *guest, uint64_t cd[VN_CD_WORDS],
		 const struct vn_stage1 *s1, uint16_t asid)
{
	vn_cd_fill(cd, s1, &guest->smmu, asid);
	cd[0] |= guest->cd_flags;
}

int vn_guest_stage1(struct vn_guest *guest, unsigned int granule,
		    unsigned int va_bits, uint16_t asid)
{
	struct vfio_nested_info *info = &guest->info;
	struct vn_stage1 *s1 = &guest->s1;
	uint64_t cd[VN_CD_WORDS];
	uint64_t page = 1ULL << granule;
	int ret;

	ret = vn_s1_init(s1, guest->vm, granule, va_bits);
	if (ret)
		return ret;
	ret = vn_s1_map(s1, VN_RAM_IPA, VN_RAM_IPA, VN_ENGINE_AREA, VN_PROT_RW);
	if (ret)
		return ret;
	if (info->msi_size) {
		uint64_t start = info->msi_start & ~(page - 1);
		uint64_t end = vn_align(info->msi_start + info->msi_size, page);

		ret = vn_s1_map(s1, start, start, end - start, VN_PROT_RW);
		if (ret)
			return ret;
	}

	guest->asid = asid;
	memset(&guest->cds, 0, sizeof(guest->cds));
	guest->cd = vn_vm_alloc(guest->vm, VN_CD_SIZE, VN_PAGE);
	if (!guest->cd)
		return vn_fail(-ENOMEM, "no guest memory for a context descriptor");
	fill(guest, cd, s1, asid);
	vn_cd_write(vn_vm_va(guest->vm, guest->cd), cd);
	return 0;
}

int vn_guest_pasids(struct vn_guest *guest, enum vn_cdtable_format format,
		    unsigned int cdmax)
{
	uint64_t cd[VN_CD_WORDS];
	int ret;

	ret = vn_cdtable_init(&guest->cds, guest->vm, format, cdmax);
	if (ret)
		return ret;
	if (guest->cd) {
		fill(guest, cd, &guest->s1, guest->asid);
		ret = vn_cdtable_set(&guest->cds, 0, cd);
		if (ret)
			return ret;
	}
	guest->cd = guest->cds.table;
	guest->s1dss = VN_S1DSS_SSID0;
	return 0;
}

int vn_guest_space(struct vn_guest *guest, struct vn_space *space, uint32_t pasid,
		   uint16_t asid)
{
	uint64_t cd[VN_CD_WORDS];
	int ret;

	space->pasid = pasid;
	space->asid = asid;
	ret = vn_s1_init(&space->s1, guest->vm, guest->s1.granule,
			 guest->s1.va_bits);
	if (ret)
		return ret;
	fill(guest, cd, &space->s1, asid);
	return vn_cdtable_set(&guest->cds, pasid, cd);
}

void vn_guest_stalls(struct vn_guest *guest)
{
	uint64_t *cd = guest->cds.vm ? vn_cdtable_cd(&guest->cds, 0) :
				       vn_vm_va(guest->vm, guest->cd);

	guest->cd_flags |= VN_CD0_S;
	vn_write_once(&cd[0], cd[0] | htole64(VN_CD0_S));
	vn_barrier();
}

void vn_guest_ste(const struct vn_guest *guest, uint64_t ste[2])
{
	vn_ste_s1(ste, guest->cd);
	ste[0] |= VN_STE0_S1FMT(guest->cds.format) |
		  VN_STE0_S1CDMAX(guest->cds.cdmax);
	ste[1] |= VN_STE1_S1DSS(guest->s1dss) |
		  VN_STE1_EATS(guest->ats ? VN_EATS_FULL : 0);
}

int vn_guest_translate(struct vn_guest *guest, uint64_t stream)
{
	uint64_t ste[2];

	vn_guest_ste(guest, ste);
	return vn_nested_set_ste(guest->fd, stream, ste);
}

unsigned int vn_guest_granule(const struct vn_guest *guest)
{
	return __builtin_ctz(guest->smmu.granules);
}

uint64_t vn_guest_page(struct vn_guest *guest)
{
	size_t size = (size_t)1 << guest->s1.granule;
	uint64_t ipa = vn_vm_alloc(guest->vm, size, size);

	if (ipa)
		vn_poison(guest->vm, ipa);
	return ipa;
}

void vn_poison(struct vn_vm *vm, uint64_t ipa)
{
	memset(vn_vm_va(vm, ipa), POISON, VN_PAGE);
	vn_barrier();
}

static bool poisoned(const uint8_t *va, unsigned int from)
{
	unsigned int i;

	for (i = from; i < VN_PAGE; i++)
		if (vn_read_once(&va[i]) != POISON)
			return false;
	return true;
}

bool vn_intact(struct vn_vm *vm, uint64_t ipa)
{
	return poisoned(vn_vm_va(vm, ipa), 0);
}

bool vn_landed(struct vn_device *device, uint64_t ipa)
{
	const void *va = vn_vm_va(device->vm, ipa);

	return device->ops->wrote(device, va) &&
	       poisoned(va, device->ops->write_size);
}
