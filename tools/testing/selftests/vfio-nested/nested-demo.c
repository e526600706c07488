// SPDX-License-Identifier: GPL-2.0
/*
 * Shows nested translation at work on one device: a guest-owned stage 1, by which
 * the device reaches memory, on top of the stage 2 that VFIO made. Every line
 * that says "seen" is what was found in memory or came from the kernel; where it
 * is not what it should be, the program says so and stops.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "guest.h"
#include "session.h"
#include "util.h"

#define STREAM		0x10
#define ASID		7
/* Input addresses of stage 1 */
#define IOVA_SOURCE	0x02000000ULL
#define IOVA_TARGET	0x02010000ULL
#define IOVA_NOTHING	0x03000000ULL

struct demo {
	struct vn_vm vm;
	struct vn_device device;
	struct vn_guest guest;
	uint64_t source;
	uint64_t page_a;
	uint64_t page_b;
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list args;

	fputs("   ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static void step(const char *title)
{
	static unsigned int number;

	printf("\n%u. %s\n", ++number, title);
	fflush(stdout);
}

/* Stops with the reason; what is open is cleaned up by the end of the process. */
static void fail(const char *what, const char *why)
{
	printf("\ndemo: failed: %s%s%s\n", what, *why ? ": " : "", why);
	exit(1);
}

static void must(int ret, const char *what)
{
	if (ret)
		fail(what, vn_reason());
}

static void must_be(bool seen, const char *what)
{
	if (!seen)
		fail(what, "this is not what was seen");
}

static uint64_t value_at(struct demo *demo, uint64_t ipa)
{
	return vn_read_once((uint64_t *)vn_vm_va(&demo->vm, ipa));
}

static void show_pages(struct demo *demo, const char *when)
{
	say("%-7s page A holds 0x%016" PRIx64 ", page B holds 0x%016" PRIx64,
	    when, value_at(demo, demo->page_a), value_at(demo, demo->page_b));
}

static bool copied_to(struct demo *demo, uint64_t ipa)
{
	return demo->device.ops->copied(&demo->device,
					vn_vm_va(&demo->vm, demo->source),
					vn_vm_va(&demo->vm, ipa));
}

/* The device reads the source and writes where IOVA_TARGET leads. */
static void copy(struct demo *demo)
{
	vn_poison(&demo->vm, demo->page_a);
	vn_poison(&demo->vm, demo->page_b);
	show_pages(demo, "before:");
	say("the device reads IOVA 0x%llx and writes IOVA 0x%llx: %s",
	    IOVA_SOURCE, IOVA_TARGET,
	    vn_dma_name(vn_dma_copy(&demo->device, IOVA_SOURCE, IOVA_TARGET)));
	show_pages(demo, "seen:");
}

/* edu first: what it moves is the same word afterwards; NVMe adds milliseconds. */
static void pick_device(char *name)
{
	static const char *const engines[] = { "edu", "nvme" };
	size_t i;

	for (i = 0; i < VN_ARRAY_SIZE(engines); i++) {
		struct vn_want want = { .engine = engines[i] };

		if (!vn_session_pick(&want, NULL, 0, name))
			return;
	}
	fail("no device", vn_reason());
}

static void open_device(struct demo *demo, const char *name)
{
	struct vn_device *device = &demo->device;
	char driver[32] = "";
	struct utsname kernel;

	step("The device");
	uname(&kernel);
	must(vn_vm_open(&demo->vm), "VFIO");
	must(vn_device_open(device, &demo->vm, name), "the device");
	if (!(device->engine.caps & VN_ENGINE_COPY))
		fail(name, "cannot read memory; choose another device");
	vn_pci_driver(name, driver, sizeof(driver));
	say("kernel %s %s", kernel.release, kernel.machine);
	say("%s (%04x:%04x, %s), IOMMU group %d, driver %s, opened by VFIO",
	    name, device->pci.vendor, device->pci.device, device->ops->name,
	    device->pci.group, driver);
	say("guest memory: %llu KiB at IPA 0x%llx, mapped by VFIO: this is stage 2",
	    VN_RAM_SIZE / 1024, VN_RAM_IPA);
	say("(this program has it at 0x%" PRIxPTR ")", (uintptr_t)demo->vm.ram);
}

static void bind_device(struct demo *demo)
{
	struct vn_guest *guest = &demo->guest;

	step("The device joins a virtual IOMMU");
	must(vn_guest_open(guest, &demo->vm), "virtual IOMMU");
	must(vn_guest_bind(guest, &demo->device, STREAM), "binding");
	must(vn_ring_open(&guest->ring, guest->fd, 64, -1), "fault ring");
	say("the guest knows it as StreamID 0x%x", STREAM);
	say("the IOMMU is an SMMUv3: addresses of %u bits, IDR0 0x%08x, IDR5 0x%08x",
	    guest->smmu.output_bits, guest->smmu.idr[0], guest->smmu.idr[5]);
	say("fault ring: %u records of %u bytes", guest->ring.setup.entries,
	    guest->ring.setup.record_size);
}

static void build_stage1(struct demo *demo)
{
	struct vn_guest *guest = &demo->guest;
	struct vn_stage1 *s1 = &guest->s1;
	uint64_t *entry;
	unsigned int level;

	step("The guest builds its tables in its own memory");
	must(vn_guest_stage1(guest, vn_guest_granule(guest), 48, ASID),
	     "stage 1");
	demo->source = vn_guest_page(guest);
	demo->page_a = vn_guest_page(guest);
	demo->page_b = vn_guest_page(guest);
	must(vn_s1_map_at(s1, IOVA_SOURCE, demo->source, VN_PROT_READ,
			  VN_S1_LAST_LEVEL), "stage 1");
	must(vn_s1_map_at(s1, IOVA_TARGET, demo->page_a, VN_PROT_RW,
			  VN_S1_LAST_LEVEL), "stage 1");
	say("page A is at IPA 0x%" PRIx64 ", page B at IPA 0x%" PRIx64,
	    demo->page_a, demo->page_b);
	say("context descriptor at IPA 0x%" PRIx64 ", ASID %u, table at IPA 0x%" PRIx64,
	    guest->cd, ASID, s1->table);
	entry = vn_s1_entry(s1, IOVA_SOURCE, &level);
	say("IOVA 0x%llx -> IPA 0x%" PRIx64 " (source), level %u entry 0x%016" PRIx64,
	    IOVA_SOURCE, demo->source, level, *entry);
	entry = vn_s1_entry(s1, IOVA_TARGET, &level);
	say("IOVA 0x%llx -> IPA 0x%" PRIx64 " (page A), level %u entry 0x%016" PRIx64,
	    IOVA_TARGET, demo->page_a, level, *entry);
}

static void show_dma(struct demo *demo)
{
	uint64_t *source = vn_vm_va(&demo->vm, demo->source);

	step("DMA by the guest's virtual addresses, in both directions");
	must(vn_guest_translate(&demo->guest, STREAM), "stage-1 context");
	*source = 0x0000123456789abcULL;
	say("the source page holds 0x%016" PRIx64 "%s", *source,
	    demo->device.engine.caps & VN_ENGINE_QUEUES ?
	    " (a drive's timestamp: it keeps the lower 48 bits)" : "");
	copy(demo);
	must_be(copied_to(demo, demo->page_a), "the value in page A");
	must_be(vn_intact(&demo->vm, demo->page_b), "page B untouched");
	say("both addresses were translated by the guest's tables");
}

static void show_invalidation(struct demo *demo)
{
	struct vn_guest *guest = &demo->guest;
	bool old;

	step("A remap, without and with an invalidation");
	must(vn_s1_map_at(&guest->s1, IOVA_TARGET, demo->page_b, VN_PROT_RW,
			  VN_S1_LAST_LEVEL), "stage 1");
	say("the guest's tables now lead IOVA 0x%llx to page B; nothing was invalidated",
	    IOVA_TARGET);
	copy(demo);
	old = copied_to(demo, demo->page_a);
	must_be(old || copied_to(demo, demo->page_b), "the value in page A or B");
	say(old ? "still the old page: the IOMMU has cached the translation" :
		  "the new page already: this IOMMU had dropped the translation by itself");

	say("the guest's command TLBI_NH_VA, ASID %u, address 0x%llx, is forwarded",
	    ASID, IOVA_TARGET);
	must(vn_nested_command(guest->fd,
			       vn_cmd_tlbi(VN_CMD_TLBI_NH_VA, ASID, IOVA_TARGET)),
	     "invalidation");
	copy(demo);
	must_be(copied_to(demo, demo->page_b), "the value in page B");
	must_be(vn_intact(&demo->vm, demo->page_a), "page A untouched");
	say("the new page");
}

static void show_fault(struct demo *demo)
{
	struct vn_guest *guest = &demo->guest;
	struct vfio_nested_fault fault;

	step("A fault reaches the guest");
	vn_ring_drain(&guest->ring, 0);
	say("nothing is mapped at IOVA 0x%llx; the device writes there: %s",
	    IOVA_NOTHING, vn_dma_name(vn_dma_write(&demo->device, IOVA_NOTHING)));
	if (!vn_ring_wait(&guest->ring, &fault, VN_TIMEOUT_MS))
		fail("a record in the fault ring", "none came");
	say("seen: event 0x%02x %s, StreamID 0x%" PRIx64 ", address 0x%" PRIx64 ", %s, stage %s",
	    vn_event_id(&fault), vn_event_name(vn_event_id(&fault)),
	    (uint64_t)fault.virtual_id, (uint64_t)fault.address,
	    fault.flags & VFIO_NESTED_FAULT_WRITE ? "write" : "read",
	    fault.flags & VFIO_NESTED_FAULT_STAGE2 ? "2" : "1");
	say("raw:  %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64,
	    (uint64_t)fault.raw[0], (uint64_t)fault.raw[1],
	    (uint64_t)fault.raw[2], (uint64_t)fault.raw[3]);
	must_be(vn_event_id(&fault) == VN_EVENT_F_TRANSLATION,
		"a translation fault");
	must_be(fault.virtual_id == STREAM && vn_event_stream(&fault) == STREAM,
		"the guest's own StreamID");
	must_be(fault.address == IOVA_NOTHING, "the address that was written");
}

struct hostile {
	const char *what;
	uint64_t word0;
	uint64_t word1;
};

static void show_refusals(struct demo *demo)
{
	static const struct hostile commands[] = {
		{ "CFGI_ALL, all entries of the host", 0x04, 31 },
		{ "TLBI_NH_ALL of another machine's VMID",
		  VN_CMD_TLBI_NH_ALL | VN_CMD0_VMID(1), 0 },
		{ "CFGI_CD of another machine's device",
		  VN_CMD_CFGI_CD | VN_CMD0_SID(0x4711), 0 },
		{ "RESUME of a fault that nobody reported",
		  0x44 | VN_CMD0_SID(STREAM) | VN_BIT(12), 0x1234 },
		{ "a reserved bit, which would stop the command queue",
		  VN_CMD_TLBI_NH_ALL | VN_BIT(9), 0 },
		{ "an opcode that does not exist", 0xff, 0 },
	};
	struct vn_guest *guest = &demo->guest;
	size_t i;

	step("A hostile guest");
	for (i = 0; i < VN_ARRAY_SIZE(commands); i++) {
		struct vfio_nested_command_smmuv3 command = {
			.cmd = { commands[i].word0, commands[i].word1 },
		};
		int ret = vn_nested_command(guest->fd, command);

		say("%-52s seen: %s", commands[i].what,
		    ret ? strerror(-ret) : "accepted");
		must_be(ret, "a refusal");
	}
	must(vn_nested_command(guest->fd,
			       vn_cmd_tlbi(VN_CMD_TLBI_NH_ALL, 0, 0)),
	     "an honest command afterwards");
	say("an honest TLBI_NH_ALL afterwards is carried out");
	copy(demo);
	must_be(copied_to(demo, demo->page_b), "the value in page B");
}

static void clean_up(struct demo *demo)
{
	struct vn_guest *guest = &demo->guest;
	struct vfio_nested_stats stats;

	step("The device leaves");
	must(vn_nested_unbind(demo->device.fd), "unbinding");
	vn_poison(&demo->vm, demo->page_a);
	say("the device writes to IPA 0x%" PRIx64 ", page A: %s", demo->page_a,
	    vn_dma_name(vn_dma_write(&demo->device, demo->page_a)));
	must_be(vn_landed(&demo->device, demo->page_a), "stage 2 alone again");
	say("seen: it is there, so stage 2 alone translates again");
	must(vn_nested_stats(guest->fd, &stats), "statistics");
	say("in all: %" PRIu64 " context changes, %" PRIu64 " commands carried out, %"
	    PRIu64 " refused, %" PRIu64 " events, %" PRIu64 " lost, %" PRIu64
	    " devices bound now",
	    (uint64_t)stats.contexts, (uint64_t)stats.commands,
	    (uint64_t)stats.commands_refused, (uint64_t)stats.events,
	    (uint64_t)stats.events_lost, (uint64_t)stats.bindings);
	must_be(!stats.bindings, "no device bound");
	vn_guest_close(guest);
	vn_device_close(&demo->device);
	vn_vm_close(&demo->vm);
}

int main(int argc, char **argv)
{
	char name[VN_PCI_NAME_LEN];
	static struct demo demo;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fprintf(stderr,
			"Usage: %s [0000:01:00.0]\n"
			"The function is bound to vfio-pci-nested, see run.sh. Without an argument it is\n"
			"chosen from the environment variable VFIO_NESTED_DEVICES.\n",
			argv[0]);
		return 2;
	}
	if (argc == 2)
		snprintf(name, sizeof(name), "%s", argv[1]);
	else
		pick_device(name);

	open_device(&demo, name);
	bind_device(&demo);
	build_stage1(&demo);
	show_dma(&demo);
	show_invalidation(&demo);
	show_fault(&demo);
	show_refusals(&demo);
	clean_up(&demo);
	printf("\ndemo: ok\n");
	return 0;
}
