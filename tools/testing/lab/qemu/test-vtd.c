// SPDX-License-Identifier: GPL-2.0
/*
 * Checks the laboratory's VT-d against the in-tree drivers: iommufd nests a
 * domain of intel-iommu, and a nested-testdev does DMA through it.
 *
 *   test-vtd 0000:bb:dd.f	the function; vfio-pci has it, unbound from others
 *
 * Prints KTAP.  Nothing here belongs to this project but the test function: what
 * passes shows that the emulated hardware is what the in-tree drivers expect.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "nested-testdev.h"

/* Newer than the headers of Debian stable */
#define ALLOC_PASID		(1 << 3)
#define ATTACH_PASID		(1 << 0)

struct attach {
	uint32_t argsz;
	uint32_t flags;
	uint32_t pt_id;
	uint32_t pasid;
};

/* The guest's memory, at the same offsets for all: intermediate addresses */
#define MEMORY		0x100000
#define PAGE		0x1000
#define TABLES		0x10000		/* first-stage tables, of RID and PASID */
#define TABLES_PASID	0x20000
#define PAGE_A		0x80000
#define PAGE_B		0x81000
#define PAGE_C		0x82000
#define VIRTUAL		0x7f1234560000ull
#define PASID		5

#define FS_PRESENT	0x1
#define FS_WRITE	0x2
#define FS_USER		0x4
#define FS_ACCESSED	0x20
#define FS_DIRTY	0x40
#define FS_TABLE	(FS_PRESENT | FS_WRITE | FS_USER)

static struct {
	int iommufd, device, fault;
	uint32_t device_id, parent, nested, nested_pasid;
	uint8_t *memory;
	volatile uint8_t *registers;
} t;

static unsigned int number, failures;

__attribute__((format(printf, 2, 3)))
static void result(bool ok, const char *format, ...)
{
	va_list arguments;

	printf("%sok %u ", ok ? "" : "not ", ++number);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
	failures += !ok;
}

__attribute__((format(printf, 1, 2), noreturn))
static void bail(const char *format, ...)
{
	va_list arguments;

	printf("Bail out! ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf(": %s\n", strerror(errno));
	exit(1);
}

/* --- The test function --------------------------------------------------- */

static uint32_t get(unsigned int offset)
{
	return *(volatile uint32_t *)(t.registers + offset);
}

static void put(unsigned int offset, uint32_t value)
{
	*(volatile uint32_t *)(t.registers + offset) = value;
}

static void start(unsigned int channel, uint64_t address, uint32_t pasid, uint32_t flags)
{
	unsigned int base = NTD_CHANNEL(channel);

	put(base + NTD_CH_ADDR, address);
	put(base + NTD_CH_ADDR + 4, address >> 32);
	put(base + NTD_CH_LENGTH, 64);
	put(base + NTD_CH_PASID, pasid);
	put(base + NTD_CH_FLAGS, flags);
	put(base + NTD_CH_BUFFER, channel * 64);
	put(base + NTD_CH_OUTSTANDING, 1);
	put(base + NTD_CH_CONTROL, NTD_CONTROL_START);
}

static uint32_t status(unsigned int channel)
{
	return get(NTD_CHANNEL(channel) + NTD_CH_STATUS);
}

/* Waits up to two seconds until the channel is not in @state. */
static uint32_t leave(unsigned int channel, unsigned int state)
{
	for (int i = 0; i < 2000; i++) {
		if (NTD_STATUS_STATE(status(channel)) != state)
			break;
		usleep(1000);
	}
	return status(channel);
}

/* One transfer from its start to its end; the channel's status. */
static uint32_t transfer(uint64_t address, uint32_t pasid, uint32_t flags)
{
	start(0, address, pasid, flags);
	return leave(0, NTD_STATE_RUNNING);
}

static void fill_buffer(unsigned int channel, uint32_t value)
{
	for (int i = 0; i < 64; i += 4)
		put(NTD_BUFFER + channel * 64 + i, value);
}

static uint32_t word(unsigned int page)
{
	return *(volatile uint32_t *)(t.memory + page);
}

/* Writes @value by DMA; does it land in the page at @where? */
static bool lands(uint64_t address, uint32_t pasid, uint32_t flags, unsigned int where,
		  uint32_t value)
{
	uint32_t end;

	fill_buffer(0, value);
	end = transfer(address, pasid, NTD_OP_WRITE | flags);
	if (NTD_STATUS_STATE(end) != NTD_STATE_OK)
		printf("# channel status %08x\n", end);
	return NTD_STATUS_STATE(end) == NTD_STATE_OK && word(where) == value;
}

/* --- The guest's first stage ---------------------------------------------- */

static uint64_t *entry_of(unsigned int tables, uint64_t address, int level)
{
	unsigned int index = address >> (12 + 9 * (level - 1)) & 511;

	return (uint64_t *)(t.memory + tables + (4 - level) * PAGE) + index;
}

/* One path of four tables that follow each other */
static void map(unsigned int tables, uint64_t address, uint64_t leaf)
{
	for (int level = 4; level > 1; level--)
		*entry_of(tables, address, level) = (tables + (5 - level) * PAGE) | FS_TABLE;
	*(volatile uint64_t *)entry_of(tables, address, 1) = leaf;
}

static uint64_t leaf(uint64_t address)
{
	return *(volatile uint64_t *)entry_of(TABLES, address, 1);
}

/* --- The kernel's interfaces ------------------------------------------------- */

static void open_iommufd_device(const char *name)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	char path[300];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", name);
	directory = opendir(path);
	if (!directory)
		bail("%s is not bound to vfio-pci", name);
	while ((entry = readdir(directory)) && strncmp(entry->d_name, "vfio", 4))
		;
	if (!entry)
		bail("%s has no VFIO character device", name);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
	closedir(directory);
	t.device = open(path, O_RDWR);
	if (t.device < 0)
		bail("%s", path);
	t.iommufd = open("/dev/iommu", O_RDWR);
	if (t.iommufd < 0)
		bail("/dev/iommu");
	bind.iommufd = t.iommufd;
	if (ioctl(t.device, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		bail("VFIO_DEVICE_BIND_IOMMUFD");
	t.device_id = bind.out_devid;
}

static void map_registers(void)
{
	struct vfio_region_info bar = {
		.argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	struct vfio_region_info config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command;

	if (ioctl(t.device, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    ioctl(t.device, VFIO_DEVICE_GET_REGION_INFO, &config))
		bail("VFIO_DEVICE_GET_REGION_INFO");
	if (pread(t.device, &command, 2, config.offset + PCI_COMMAND) != 2)
		bail("reading the configuration space");
	command |= PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	if (pwrite(t.device, &command, 2, config.offset + PCI_COMMAND) != 2)
		bail("enabling bus mastering");
	t.registers = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, t.device,
			   bar.offset);
	if (t.registers == MAP_FAILED)
		bail("mapping BAR 0");
	if (get(NTD_ID) != NTD_MAGIC)
		bail("this is no nested-testdev");
}

static uint32_t alloc_hwpt(uint32_t parent, uint32_t flags, uint32_t fault, uint64_t tables)
{
	struct iommu_hwpt_vtd_s1 s1 = { .pgtbl_addr = tables, .addr_width = 48 };
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc), .dev_id = t.device_id, .pt_id = parent, .flags = flags,
	};

	if (tables) {
		alloc.data_type = IOMMU_HWPT_DATA_VTD_S1;
		alloc.data_len = sizeof(s1);
		alloc.data_uptr = (uintptr_t)&s1;
	}
	if (fault) {
		alloc.flags |= IOMMU_HWPT_FAULT_ID_VALID;
		alloc.fault_id = fault;
	}
	return ioctl(t.iommufd, IOMMU_HWPT_ALLOC, &alloc) ? 0 : alloc.out_hwpt_id;
}

/* The second stage: all of the guest's memory, from address 0 on */
static void make_parent(void)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.length = MEMORY,
	};

	t.memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t.memory == MAP_FAILED)
		bail("memory");
	map.user_va = (uintptr_t)t.memory;
	if (ioctl(t.iommufd, IOMMU_IOAS_ALLOC, &ioas))
		bail("IOMMU_IOAS_ALLOC");
	map.ioas_id = ioas.out_ioas_id;
	if (ioctl(t.iommufd, IOMMU_IOAS_MAP, &map))
		bail("IOMMU_IOAS_MAP");
	t.parent = alloc_hwpt(ioas.out_ioas_id, IOMMU_HWPT_ALLOC_NEST_PARENT | ALLOC_PASID, 0, 0);
	if (!t.parent)
		bail("IOMMU_HWPT_ALLOC of a parent");
}

static uint32_t make_fault_queue(void)
{
	struct iommu_fault_alloc fault = { .size = sizeof(fault) };

	if (ioctl(t.iommufd, IOMMU_FAULT_QUEUE_ALLOC, &fault))
		bail("IOMMU_FAULT_QUEUE_ALLOC");
	t.fault = fault.out_fault_fd;
	return fault.out_fault_id;
}

static bool attach(uint32_t hwpt, uint32_t flags, uint32_t pasid)
{
	struct attach attach = {
		.argsz = flags ? sizeof(attach) : offsetof(struct attach, pasid),
		.flags = flags, .pt_id = hwpt, .pasid = pasid,
	};

	return !ioctl(t.device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

static bool invalidate(uint32_t hwpt, uint64_t address)
{
	struct iommu_hwpt_vtd_s1_invalidate entry = { .addr = address, .npages = 1 };
	struct iommu_hwpt_invalidate invalidate = {
		.size = sizeof(invalidate), .hwpt_id = hwpt,
		.data_type = IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
		.data_uptr = (uintptr_t)&entry, .entry_len = sizeof(entry), .entry_num = 1,
	};

	return !ioctl(t.iommufd, IOMMU_HWPT_INVALIDATE, &invalidate);
}

static bool take_fault(struct iommu_hwpt_pgfault *fault)
{
	struct pollfd poller = { .fd = t.fault, .events = POLLIN };

	return poll(&poller, 1, 5000) == 1 &&
	       read(t.fault, fault, sizeof(*fault)) == sizeof(*fault);
}

static bool respond(uint32_t cookie, uint32_t code)
{
	struct iommu_hwpt_page_response response = { .cookie = cookie, .code = code };

	return write(t.fault, &response, sizeof(response)) == sizeof(response);
}

/* --- What is to be shown --------------------------------------------------- */

static void test_translation(void)
{
	map(TABLES, VIRTUAL, PAGE_A | FS_TABLE);
	result(lands(VIRTUAL, 0, 0, PAGE_A, 0x11111111), "DMA goes through both stages");
	result(leaf(VIRTUAL) == (PAGE_A | FS_TABLE | FS_ACCESSED | FS_DIRTY),
	       "accessed and dirty flags are set in the first stage");
	result(NTD_STATUS_STATE(transfer(VIRTUAL + PAGE, 0, NTD_OP_READ)) == NTD_STATE_ERROR,
	       "an address that the first stage lacks is refused");
	map(TABLES, VIRTUAL + PAGE, (uint64_t)MEMORY | FS_TABLE);
	result(NTD_STATUS_STATE(transfer(VIRTUAL + PAGE, 0, NTD_OP_READ)) == NTD_STATE_ERROR,
	       "an address that the second stage lacks is refused");
	map(TABLES, VIRTUAL + 2 * PAGE, PAGE_C | FS_PRESENT | FS_USER);
	result(NTD_STATUS_STATE(transfer(VIRTUAL + 2 * PAGE, 0, NTD_OP_WRITE)) == NTD_STATE_ERROR &&
	       NTD_STATUS_STATE(transfer(VIRTUAL + 2 * PAGE, 0, NTD_OP_READ)) == NTD_STATE_OK,
	       "a read-only page is read-only");
}

static void test_invalidation(void)
{
	map(TABLES, VIRTUAL, PAGE_B | FS_TABLE);
	result(lands(VIRTUAL, 0, 0, PAGE_A, 0x22222222) && word(PAGE_B) == 0,
	       "without an invalidation DMA goes where it went");
	result(invalidate(t.nested, VIRTUAL), "the kernel takes the invalidation");
	result(lands(VIRTUAL, 0, 0, PAGE_B, 0x33333333) && word(PAGE_A) == 0x22222222,
	       "after it DMA goes to the new page");
}

static void test_device_tlb(void)
{
	uint32_t before = get(NTD_ATC_INVALIDATIONS);

	result(lands(VIRTUAL, 0, NTD_FLAG_ATS, PAGE_B, 0x44444444) && get(NTD_ATC_ENTRIES),
	       "the function translates by ATS, and keeps the translation");
	map(TABLES, VIRTUAL, PAGE_A | FS_TABLE);
	invalidate(t.nested, VIRTUAL);
	result(get(NTD_ATC_INVALIDATIONS) > before, "the function is told to forget it");
	result(lands(VIRTUAL, 0, NTD_FLAG_ATS, PAGE_A, 0x55555555), "and asks anew");
}

/* A page request from @pasid (0: without one), answered with success or not */
static void test_page_request(uint32_t pasid, uint64_t address, unsigned int tables,
			      uint32_t hwpt)
{
	uint32_t prefix = pasid ? NTD_PASID_VALID | pasid : 0;
	const char *whose = pasid ? "with a PASID" : "without a PASID";
	struct iommu_hwpt_pgfault fault = { };
	uint32_t end;

	map(tables, address, 0);
	start(0, address, prefix, NTD_OP_READ | NTD_FLAG_ATS | NTD_FLAG_PRI);
	result(take_fault(&fault) && fault.addr == address && fault.dev_id == t.device_id &&
	       fault.pasid == pasid && fault.flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE &&
	       fault.perm & IOMMU_PGFAULT_PERM_READ,
	       "a page request %s reaches the fault queue", whose);
	result(NTD_STATUS_STATE(status(0)) == NTD_STATE_WAITING, "and the function waits");
	*(uint32_t *)(t.memory + PAGE_C) = 0xcafe0001;
	map(tables, address, PAGE_C | FS_TABLE);
	invalidate(hwpt, address);
	respond(fault.cookie, IOMMUFD_PAGE_RESP_SUCCESS);
	end = leave(0, NTD_STATE_WAITING);
	if (NTD_STATUS_STATE(end) == NTD_STATE_RUNNING)
		end = leave(0, NTD_STATE_RUNNING);
	result(NTD_STATUS_STATE(end) == NTD_STATE_OK && get(NTD_BUFFER) == 0xcafe0001,
	       "after a response it reads the page (status %08x)", end);

	map(tables, address + PAGE, 0);
	start(0, address + PAGE, prefix, NTD_OP_READ | NTD_FLAG_ATS | NTD_FLAG_PRI);
	result(take_fault(&fault) && respond(fault.cookie, IOMMUFD_PAGE_RESP_INVALID),
	       "another one is answered with \"invalid\"");
	end = leave(0, NTD_STATE_WAITING);
	if (NTD_STATUS_STATE(end) == NTD_STATE_RUNNING)
		end = leave(0, NTD_STATE_RUNNING);
	result(NTD_STATUS_ERROR(end) == NTD_ERR_PAGE_INVALID,
	       "and the function hears that (status %08x)", end);
}

static void test_pasid(uint32_t fault)
{
	t.nested_pasid = alloc_hwpt(t.parent, ALLOC_PASID, fault, TABLES_PASID);
	result(t.nested_pasid && attach(t.nested_pasid, ATTACH_PASID, PASID),
	       "a nested domain is attached to a PASID");
	map(TABLES, VIRTUAL, PAGE_A | FS_TABLE);
	invalidate(t.nested, VIRTUAL);
	map(TABLES_PASID, VIRTUAL, PAGE_B | FS_TABLE);
	result(lands(VIRTUAL, NTD_PASID_VALID | PASID, 0, PAGE_B, 0x66666666) &&
	       lands(VIRTUAL, 0, 0, PAGE_A, 0x77777777) && word(PAGE_B) == 0x66666666,
	       "DMA with it goes through its tables, and without it through the others");
	result(NTD_STATUS_STATE(transfer(VIRTUAL, NTD_PASID_VALID | (PASID + 1), NTD_OP_READ)) ==
	       NTD_STATE_ERROR, "a PASID that nothing is attached to is refused");
	test_page_request(PASID, VIRTUAL + 0x10000, TABLES_PASID, t.nested_pasid);
}

int main(int argc, char **argv)
{
	uint32_t fault;

	if (argc != 2) {
		fprintf(stderr, "usage: test-vtd 0000:bb:dd.f\n");
		return 2;
	}
	printf("TAP version 13\n");
	open_iommufd_device(argv[1]);
	map_registers();
	make_parent();
	fault = make_fault_queue();
	t.nested = alloc_hwpt(t.parent, ALLOC_PASID, fault, TABLES);
	if (!t.nested)
		bail("IOMMU_HWPT_ALLOC of a nested domain");
	result(true, "a domain is nested on a parent");
	if (!attach(t.nested, 0, 0))
		bail("VFIO_DEVICE_ATTACH_IOMMUFD_PT");
	result(true, "it is attached to a function");
	test_translation();
	test_invalidation();
	test_device_tlb();
	test_page_request(0, VIRTUAL + 0x10000, TABLES, t.nested);
	test_pasid(fault);
	printf("1..%u\n", number);
	return failures != 0;
}
