// SPDX-License-Identifier: GPL-2.0
/*
 * Tells what nested translation can do for a device, one "name: value" a line, and
 * tries to bind it. The exit status is 0 if it can be bound, and 1 if not: then the
 * last line says why.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guest.h"
#include "util.h"

static const struct {
	uint64_t bit;
	const char *name;
} cap_names[] = {
	{ VFIO_NESTED_CAP_STAGE1, "stage1" },
	{ VFIO_NESTED_CAP_INVALIDATE, "invalidate" },
	{ VFIO_NESTED_CAP_EVENTS, "events" },
	{ VFIO_NESTED_CAP_ATS, "ats" },
	{ VFIO_NESTED_CAP_PASID, "pasid" },
	{ VFIO_NESTED_CAP_STALL, "stall" },
	{ VFIO_NESTED_CAP_PRI, "pri" },
	{ VFIO_NESTED_CAP_COHERENT, "coherent" },
	{ VFIO_NESTED_CAP_TABLE, "table" },
	{ VFIO_NESTED_CAP_MEMORY, "memory" },
};

static void print_caps(uint64_t caps)
{
	size_t i;

	printf("caps:");
	for (i = 0; i < VN_ARRAY_SIZE(cap_names); i++)
		if (caps & cap_names[i].bit)
			printf(" %s", cap_names[i].name);
	putchar('\n');
}

static void print_smmuv3(const struct vfio_nested_info_smmuv3 *registers)
{
	struct vn_smmuv3 smmu;
	unsigned int i;

	vn_smmuv3_parse(&smmu, registers);
	for (i = 0; i < VN_ARRAY_SIZE(registers->idr); i++)
		printf("idr%u: 0x%08x\n", i, registers->idr[i]);
	printf("granules:");
	for (i = 12; i <= 16; i += 2)
		if (smmu.granules & (1u << i))
			printf(" %uK", 1u << (i - 10));
	printf("\noutput bits: %u\n", smmu.output_bits);
	printf("asid bits: %u\n", smmu.asid16 ? 16 : 8);
	printf("range invalidation: %s\n", smmu.range ? "yes" : "no");
}

static void print_vtd(const struct vfio_nested_info_vtd *registers)
{
	printf("cap: 0x%016" PRIx64 "\n", (uint64_t)registers->cap);
	printf("ecap: 0x%016" PRIx64 "\n", (uint64_t)registers->ecap);
}

static int print_info(const struct vn_device *device)
{
	union {
		struct vfio_nested_info_smmuv3 smmu;
		struct vfio_nested_info_vtd vtd;
	} arch;
	struct vfio_nested_info info = {
		.size = sizeof(info),
		.data_len = sizeof(arch),
		.data_uptr = (uintptr_t)&arch,
	};
	int ret;

	ret = vn_ioctl(device->fd, VFIO_NESTED_INFO, &info);
	if (ret == -ENOTTY)
		return vn_fail(ret, "the driver is not vfio-pci-nested");
	if (ret == -ENODEV)
		return vn_fail(ret, "no IOMMU that these modules drive is in front of it");
	if (ret)
		return ret;
	printf("backend: %s\n",
	       info.backend == VFIO_NESTED_BACKEND_SMMUV3 ? "smmuv3" :
	       info.backend == VFIO_NESTED_BACKEND_VTD ? "vtd" : "unknown");
	print_caps(info.caps);
	printf("virtual id bits: %u\n", info.virtual_id_bits);
	printf("pasid bits: %u\n", info.pasid_bits);
	printf("msi window: 0x%" PRIx64 " 0x%" PRIx64 "\n",
	       (uint64_t)info.msi_start, (uint64_t)info.msi_size);
	if (info.backend == VFIO_NESTED_BACKEND_SMMUV3)
		print_smmuv3(&arch.smmu);
	if (info.backend == VFIO_NESTED_BACKEND_VTD)
		print_vtd(&arch.vtd);
	if (!(info.caps & VFIO_NESTED_CAP_STAGE1))
		return vn_fail(-EOPNOTSUPP, "the IOMMU cannot nest, see the log");
	return 0;
}

static int try_to_bind(const struct vn_device *device)
{
	int fd = vn_nested_open();
	int ret;

	if (fd < 0)
		return fd;
	ret = vn_nested_bind(device->fd, fd, 0);
	if (ret == -EPERM)
		return vn_fail(ret,
			       "it is not coherent (SMMUv3), or shares its group (VT-d): see the log");
	return ret;
}

int main(int argc, char **argv)
{
	struct vn_device device;
	struct vn_vm vm;
	int ret;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "Usage: %s 0000:01:00.0\n", argv[0]);
		return 2;
	}
	ret = vn_vm_open(&vm);
	if (!ret)
		ret = vn_device_open(&device, &vm, argv[1]);
	if (!ret) {
		printf("device: %s %04x:%04x\n", argv[1], device.pci.vendor,
		       device.pci.device);
		printf("engine: %s\n", device.ops->name);
		printf("group: %d\n", device.pci.group);
		printf("reset: %s\n", device.can_reset ? "yes" : "no");
		ret = print_info(&device);
	}
	if (!ret)
		ret = try_to_bind(&device);
	if (ret)
		printf("bind: %s\n", vn_reason());
	else
		printf("bind: ok\n");
	return !!ret;
}
