// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"
#include "vm.h"

static const struct vn_vm_ops *const interfaces[] = {
	&vn_vm_type1,
	&vn_vm_iommufd,
};

int vn_vm_open(struct vn_vm *vm)
{
	const char *name = getenv("VFIO_NESTED_IOMMU");
	size_t i;

	memset(vm, 0, sizeof(*vm));
	vm->fd = -1;
	vm->used = VN_ENGINE_AREA;
	vm->ram_size = VN_RAM_SIZE;
	if (!name)
		name = interfaces[0]->name;
	for (i = 0; i < VN_ARRAY_SIZE(interfaces); i++)
		if (!strcmp(interfaces[i]->name, name))
			vm->ops = interfaces[i];
	if (!vm->ops)
		return vn_fail(-EINVAL,
			       "VFIO_NESTED_IOMMU is '%s', not type1 or iommufd",
			       name);
	return vm->ops->open(vm);
}

void vn_vm_close(struct vn_vm *vm)
{
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->ram)
		munmap(vm->ram, vm->ram_size);
	vm->fd = -1;
	vm->ram = NULL;
}

int vn_vm_map(struct vn_vm *vm, uint64_t ipa, void *va, uint64_t size, int prot)
{
	return vm->ops->map(vm, ipa, va, size, prot);
}

int vn_vm_unmap(struct vn_vm *vm, uint64_t ipa, uint64_t size)
{
	return vm->ops->unmap(vm, ipa, size);
}

static void *map_anonymous(size_t size, int flags)
{
	void *ram = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | flags, -1, 0);

	return ram == MAP_FAILED ? NULL : ram;
}

int vn_vm_add_ram(struct vn_vm *vm)
{
	int ret;

	if (vm->want_huge)
		vm->ram = map_anonymous(vm->ram_size, MAP_HUGETLB);
	vm->huge = vm->ram;
	if (!vm->ram)
		vm->ram = map_anonymous(vm->ram_size, 0);
	if (!vm->ram)
		return vn_fail(-errno, "no memory for a guest: %m");
	ret = vn_vm_map(vm, VN_RAM_IPA, vm->ram, vm->ram_size, VN_PROT_RW);
	if (ret) {
		munmap(vm->ram, vm->ram_size);
		vm->ram = NULL;
	}
	return ret;
}

void vn_vm_reset(struct vn_vm *vm)
{
	vm->used = VN_ENGINE_AREA;
}

uint64_t vn_vm_alloc(struct vn_vm *vm, size_t size, size_t align)
{
	size_t start = vn_align(vm->used, align);

	if (!vm->ram || start + size > vm->ram_size)
		return 0;
	vm->used = start + size;
	memset(vm->ram + start, 0, size);
	return VN_RAM_IPA + start;
}

void *vn_vm_va(struct vn_vm *vm, uint64_t ipa)
{
	if (ipa < VN_RAM_IPA || ipa - VN_RAM_IPA >= vm->ram_size)
		return NULL;
	return vm->ram + (ipa - VN_RAM_IPA);
}
