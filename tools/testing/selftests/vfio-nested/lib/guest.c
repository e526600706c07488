// SPDX-License-Identifier: GPL-2.0
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
	guest->cd = vn_vm_alloc(guest->vm, VN_CD_SIZE, VN_PAGE);
	if (!guest->cd)
		return vn_fail(-ENOMEM, "no guest memory for a context descriptor");
	vn_cd_fill(cd, s1, &guest->smmu, asid);
	vn_cd_write(vn_vm_va(guest->vm, guest->cd), cd);
	return 0;
}

int vn_guest_translate(struct vn_guest *guest, uint64_t stream)
{
	uint64_t ste[2];

	vn_ste_s1(ste, guest->cd);
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
