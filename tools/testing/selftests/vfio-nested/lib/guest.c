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

/* Does nothing where memory has no names. */
static int change_memory(struct vn_guest *guest, int nested_fd, uint32_t op,
			 uint64_t ipa, void *va, uint64_t size)
{
	if (!(guest->info.caps & VFIO_NESTED_CAP_MEMORY))
		return 0;
	return vn_nested_memory(nested_fd, op, ipa, size, va);
}

int vn_guest_name(struct vn_guest *guest, uint64_t ipa, void *va, uint64_t size)
{
	return change_memory(guest, guest->fd, VFIO_NESTED_MEMORY_NAME, ipa, va, size);
}

int vn_guest_unname(struct vn_guest *guest, uint64_t ipa, uint64_t size)
{
	int ret = change_memory(guest, guest->fd, VFIO_NESTED_MEMORY_FORGET, ipa,
				NULL, size);

	return ret == -ENOENT ? 0 : ret;
}

/* All that is not named yet; it is forgotten with the last device. */
static int name_ram(struct vn_guest *guest, int nested_fd)
{
	int ret = change_memory(guest, nested_fd, VFIO_NESTED_MEMORY_NAME, VN_RAM_IPA,
				guest->vm->ram, guest->vm->ram_size);

	return ret == -EEXIST ? 0 : ret;
}

/* What the IOMMU behind @device is, before it is bound to anything */
static int look(struct vn_guest *guest, struct vn_device *device)
{
	char driver[32] = "";
	int ret;

	ret = vn_nested_info(device->fd, &guest->info, NULL);
	if (ret == -ENOTTY) {
		vn_pci_driver(device->pci.name, driver, sizeof(driver));
		return vn_fail(ret, "%s is bound to %s: bind it to vfio-pci-nested",
			       device->pci.name, driver);
	}
	if (ret)
		return ret;
	guest->arch = vn_arch_of(guest->info.backend);
	if (!guest->arch)
		return vn_fail(-EOPNOTSUPP, "%s is behind an IOMMU of an unknown kind (%u)",
			       device->pci.name, guest->info.backend);
	return guest->arch->registers(guest, device->fd);
}

int vn_guest_bind(struct vn_guest *guest, struct vn_device *device,
		  uint64_t stream)
{
	int ret = look(guest, device);

	if (!ret)
		ret = vn_nested_bind(device->fd, guest->fd, stream);
	return ret ?: name_ram(guest, guest->fd);
}

int vn_guest_stage1(struct vn_guest *guest, unsigned int granule,
		    unsigned int va_bits, uint16_t asid)
{
	struct vfio_nested_info *info = &guest->info;
	struct vn_stage1 *s1 = &guest->s1;
	uint64_t page = 1ULL << granule;
	int ret;

	ret = vn_s1_init(s1, guest->vm, guest->arch->format, granule, va_bits);
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
	return guest->arch->stage1(guest);
}

int vn_guest_pasids(struct vn_guest *guest, unsigned int bits)
{
	return guest->arch->pasids(guest, bits);
}

int vn_guest_space(struct vn_guest *guest, struct vn_space *space, uint32_t pasid,
		   uint16_t asid)
{
	int ret;

	space->pasid = pasid;
	space->asid = asid;
	ret = vn_s1_init(&space->s1, guest->vm, guest->arch->format,
			 guest->s1.granule, guest->s1.va_bits);
	return ret ?: guest->arch->space(guest, space);
}

void vn_guest_forget_space(struct vn_guest *guest, uint32_t pasid)
{
	guest->arch->forget_space(guest, pasid);
}

/* Whoever has bound the device may have done so with the nested fd alone. */
int vn_guest_translate_by(struct vn_guest *guest, int nested_fd, uint64_t stream)
{
	struct vn_context context = {};
	int ret;

	ret = name_ram(guest, nested_fd);
	if (ret)
		return ret;
	guest->arch->context(guest, &context);
	return vn_nested_set_data(nested_fd, stream, context.type, &context.data,
				  context.len);
}

int vn_guest_translate(struct vn_guest *guest, uint64_t stream)
{
	return vn_guest_translate_by(guest, guest->fd, stream);
}

unsigned int vn_guest_granule(const struct vn_guest *guest)
{
	return __builtin_ctz(guest->arch->granules(guest));
}

int vn_guest_commands(const struct vn_guest *guest, const struct vn_command *commands,
		      uint32_t *num)
{
	return vn_nested_commands(guest->fd, guest->arch->command_type, commands,
				  sizeof(*commands), num);
}

int vn_guest_command(const struct vn_guest *guest, struct vn_command command)
{
	uint32_t num = 1;

	return vn_guest_commands(guest, &command, &num);
}

int vn_guest_answer(const struct vn_guest *guest, const struct vfio_nested_fault *fault,
		    uint32_t code)
{
	return vn_guest_command(guest, guest->arch->answer(fault, code));
}

int vn_guest_forget(const struct vn_guest *guest)
{
	return vn_guest_command(guest, guest->arch->all());
}

int vn_guest_forget_page(const struct vn_guest *guest, uint64_t iova)
{
	return vn_guest_command(guest, guest->arch->of_page(0, guest->asid, iova));
}

int vn_space_forget_page(const struct vn_guest *guest, const struct vn_space *space,
			 uint64_t iova)
{
	return vn_guest_command(guest, guest->arch->of_page(space->pasid,
							    space->asid, iova));
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
