// SPDX-License-Identifier: GPL-2.0
/*
 * Shows nested translation at work on one device: a guest-owned stage 1, by which
 * the device reaches memory, on top of the stage 2 that VFIO made. Every line
 * that says "seen" is what was found in memory or came from the kernel; where it
 * is not what it should be, the program says so and stops. With --faults it shows
 * what becomes of accesses to pages that are not there yet, on a device that waits
 * for them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "capability.h"
#include "fault.h"
#include "guest.h"
#include "session.h"
#include "testdev.h"
#include "util.h"

#define STREAM		0x10
#define ASID		7
#define PASID		5
/* Input addresses of stage 1 */
#define IOVA_SOURCE	0x02000000ULL
#define IOVA_TARGET	0x02010000ULL
#define IOVA_NOTHING	0x03000000ULL

/* What the device writes, 16 bytes of it for each channel */
#define CHANNEL		1
#define SIZE		16

struct hostile {
	const char *what;
	struct vn_command command;
};

/* How each architecture calls things */
struct words {
	uint32_t backend;
	const char *id;
	const char *tables;
	const char *forget;
	const char *answer;
	struct hostile hostile[6];
};

static const struct words words[] = {
	{
		.backend = VFIO_NESTED_BACKEND_SMMUV3,
		.id = "StreamID",
		.tables = "context descriptor",
		.forget = "TLBI_NH_VA",
		.answer = "PRI_RESP",
		.hostile = {
			{ "CFGI_ALL, all entries of the host", { { 0x04, 31 } } },
			{ "TLBI_NH_ALL of another machine's VMID",
			  { { VN_CMD_TLBI_NH_ALL | VN_CMD0_VMID(1) } } },
			{ "CFGI_CD of another machine's device",
			  { { VN_CMD_CFGI_CD | VN_CMD0_SID(0x4711) } } },
			{ "RESUME of a fault that nobody reported",
			  { { 0x44 | VN_CMD0_SID(STREAM) | VN_BIT(12), 0x1234 } } },
			{ "a reserved bit, which would stop the command queue",
			  { { VN_CMD_TLBI_NH_ALL | VN_BIT(9) } } },
			{ "an opcode that does not exist", { { 0xff } } },
		},
	}, {
		.backend = VFIO_NESTED_BACKEND_VTD,
		.id = "source-id",
		.tables = "PASID directory",
		.forget = "PASID-based IOTLB invalidation",
		.answer = "page group response",
		.hostile = {
			{ "interrupt entry cache, of the host", { { 0x04 } } },
			{ "device TLB of another machine's device",
			  { { 0x03 | vn_field(0x4711, 32, 16) } } },
			{ "wait, and an interrupt of the host's", { { 0x05 | VN_BIT(4) } } },
			{ "answer to a request that nobody reported",
			  { { 0x09 | vn_field(STREAM, 16, 16), vn_field(5, 3, 9) } } },
			{ "a reserved bit, which would stop the queue",
			  { { 0x07 | vn_field(3, 4, 2) | VN_BIT(6) } } },
			{ "a type that does not exist", { { 0x0f } } },
		},
	},
};

struct demo {
	const struct words *words;
	struct vn_vm vm;
	struct vn_device device;
	struct vn_guest guest;
	uint64_t source;
	uint64_t page_a;
	uint64_t page_b;
	/* The stage 1 of accesses with a PASID */
	struct vn_space space;
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
static void pick_device(char *name, bool faults)
{
	static const struct vn_want stalls = {
		.engine = VN_TESTDEV, .can_stall = VN_YES,
	}, waits = { .engine = VN_TESTDEV };
	static const char *const engines[] = { "edu", "nvme" };
	size_t i;

	if (faults) {
		if (vn_session_pick(&stalls, NULL, 0, name))
			must(vn_session_pick(&waits, NULL, 0, name), "no device");
		return;
	}

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
	demo->words = words;
	while (demo->words->backend != guest->arch->backend)
		demo->words++;
	say("the guest knows it as %s 0x%x", demo->words->id, STREAM);
	if (guest->arch == &vn_arch_smmuv3)
		say("the IOMMU is an SMMUv3: addresses of %u bits, IDR0 0x%08x, IDR5 0x%08x",
		    guest->smmu.output_bits, guest->smmu.idr[0], guest->smmu.idr[5]);
	else
		say("the IOMMU is a VT-d: CAP 0x%016llx, ECAP 0x%016llx",
		    (unsigned long long)guest->vtd.cap,
		    (unsigned long long)guest->vtd.ecap);
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
	say("%s at IPA 0x%" PRIx64 ", table at IPA 0x%" PRIx64, demo->words->tables,
	    guest->cd, s1->table);
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

	say("the guest's command %s, address 0x%llx, is forwarded",
	    demo->words->forget, IOVA_TARGET);
	must(vn_guest_forget_page(guest, IOVA_TARGET), "invalidation");
	copy(demo);
	must_be(copied_to(demo, demo->page_b), "the value in page B");
	must_be(vn_intact(&demo->vm, demo->page_a), "page A untouched");
	say("the new page");
}

static void show_fault(struct demo *demo)
{
	struct vn_guest *guest = &demo->guest;
	struct vfio_nested_fault fault;

	if (!(guest->info.caps & VFIO_NESTED_CAP_EVENTS))
		return;
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

static void show_refusals(struct demo *demo)
{
	struct vn_guest *guest = &demo->guest;
	size_t i;

	step("A hostile guest");
	for (i = 0; i < VN_ARRAY_SIZE(demo->words->hostile); i++) {
		const struct hostile *hostile = &demo->words->hostile[i];
		int ret = vn_guest_command(guest, hostile->command);

		say("%-52s seen: %s", hostile->what,
		    ret ? strerror(-ret) : "accepted");
		must_be(ret, "a refusal");
	}
	must(vn_guest_forget(guest), "an honest command afterwards");
	say("an honest command afterwards is carried out");
	copy(demo);
	must_be(copied_to(demo, demo->page_b), "the value in page B");
}

/* --- Pages that are not there yet ------------------------------------------- */

static bool stalls(const struct demo *demo)
{
	return demo->guest.info.caps & VFIO_NESTED_CAP_STALL;
}

static void enable_requests(struct demo *demo)
{
	must(vn_device_enable_pasid(&demo->device), "PASID capability");
	must(vn_device_enable_ats(&demo->device, true), "ATS capability");
	must(vn_device_enable_pri(&demo->device, 32), "PRI capability");
	say("the guest enables PASIDs, ATS and PRI in the device's configuration space");
}

static void build_spaces(struct demo *demo)
{
	struct vn_guest *guest = &demo->guest;
	struct vfio_nested_info *info = &guest->info;

	step("The guest builds two stage 1: for accesses without and with a PASID");
	if (!(info->caps & (VFIO_NESTED_CAP_STALL | VFIO_NESTED_CAP_PRI)))
		fail(demo->device.pci.name, "it cannot wait here");
	if (!(info->caps & VFIO_NESTED_CAP_PASID))
		fail(demo->device.pci.name, "it has no PASIDs");
	must(vn_guest_stage1(guest, vn_guest_granule(guest), 48, ASID),
	     "stage 1");
	if (guest->smmu.cd2l)
		guest->cd_format = VN_CDTABLE_4K;
	must(vn_guest_pasids(guest, 8), "table of descriptors");
	must(vn_guest_space(guest, &demo->space, PASID, ASID + 1), "stage 1");
	if (stalls(demo))
		vn_guest_stalls(guest);
	guest->ats = info->caps & VFIO_NESTED_CAP_ATS;
	say("%s at IPA 0x%" PRIx64 ", with PASID %u", demo->words->tables, guest->cd,
	    PASID);
	say(stalls(demo) ?
	    "an access that stage 1 does not translate is stalled: the device waits" :
	    "the device asks for pages that stage 1 does not translate, and waits");
	must(vn_guest_translate(guest, STREAM), "stage-1 context");
	if (!stalls(demo))
		enable_requests(demo);
}

static void show_channel(struct demo *demo)
{
	struct vn_channel_status status;

	status = vn_testdev_status(&demo->device, CHANNEL);
	say("seen: the access of the device: %s%s%s",
	    vn_channel_state_name(status.state),
	    status.state == VN_CHANNEL_ERROR ? ": " : "",
	    status.state == VN_CHANNEL_ERROR ?
	    vn_channel_error_name(status.error) : "");
}

/* Starts a write of SIZE bytes to IOVA_NOTHING, and shows what the guest is told. */
static struct vfio_nested_fault raise_fault(struct demo *demo, const char *data,
					    uint32_t pasid, uint32_t flags,
					    enum vfio_nested_fault_kind kind)
{
	const struct vn_access access = {
		.op = VN_OP_WRITE, .flags = flags, .iova = IOVA_NOTHING,
		.length = SIZE, .buffer = VN_PAGE, .pasid = pasid,
	};
	struct vfio_nested_fault fault;

	vn_ring_drain(&demo->guest.ring, 0);
	vn_testdev_buffer_write(&demo->device, VN_PAGE, data, SIZE);
	say("the device writes \"%.16s\" to IOVA 0x%llx%s; nothing is mapped there",
	    data, IOVA_NOTHING, pasid ? ", PASID 5" : "");
	must(vn_testdev_start(&demo->device, CHANNEL, &access), "the device");
	if (!vn_fault_wait(&demo->guest.ring, kind, &fault, VN_TIMEOUT_MS))
		fail("a record in the fault ring", "none came");
	show_channel(demo);
	say("the guest is told: %s, %s 0x%" PRIx64 ", address 0x%" PRIx64 ", %s",
	    kind == VFIO_NESTED_FAULT_STALL ?
	    vn_event_name(vn_event_id(&fault)) : "page request", demo->words->id,
	    (uint64_t)fault.virtual_id, (uint64_t)fault.address,
	    fault.flags & VFIO_NESTED_FAULT_WRITE ? "write" : "read");
	must_be(fault.virtual_id == STREAM, "the guest's own number of the device");
	must_be(fault.address == IOVA_NOTHING, "the address that was written");
	must_be(fault.cookie, "a fault that waits for an answer");
	return fault;
}

static uint64_t map_nothing(struct demo *demo, struct vn_stage1 *s1)
{
	uint64_t ipa = vn_guest_page(&demo->guest);

	must(vn_s1_map_at(s1, IOVA_NOTHING, ipa, VN_PROT_RW, VN_S1_LAST_LEVEL),
	     "stage 1");
	say("the guest maps IOVA 0x%llx to a page at IPA 0x%" PRIx64, IOVA_NOTHING,
	    ipa);
	return ipa;
}

static void finish(struct demo *demo, enum vn_channel_error want)
{
	struct vn_channel_status status;

	must(vn_testdev_wait(&demo->device, CHANNEL, VN_TIMEOUT_MS, &status),
	     "the end of the access");
	show_channel(demo);
	must_be(status.error == want, "the end that was asked for");
}

static void show_data(struct demo *demo, uint64_t ipa, const char *data)
{
	const char *va = vn_vm_va(&demo->vm, ipa);

	must_be(!memcmp(va, data, SIZE), "the data in the page");
	say("seen: the page holds \"%.16s\"", va);
}

/* An access without PASID, to a page that is not there */
static struct vfio_nested_fault wait_for_page(struct demo *demo, const char *data)
{
	if (stalls(demo))
		return raise_fault(demo, data, VN_NO_PASID, VN_ACCESS_STALL,
				   VFIO_NESTED_FAULT_STALL);
	return raise_fault(demo, data, VN_NO_PASID, VN_ACCESS_ATS | VN_ACCESS_PRI,
			   VFIO_NESTED_FAULT_PAGE_REQUEST);
}

static void show_wait(struct demo *demo)
{
	static const char data[SIZE] = "after a wait   ";
	struct vfio_nested_fault fault;
	uint64_t ipa;

	step("An access that waits: the guest maps the page, and it goes on");
	fault = wait_for_page(demo, data);
	ipa = map_nothing(demo, &demo->guest.s1);
	say("and answers, by the cookie 0x%016" PRIx64 ": retry",
	    (uint64_t)fault.cookie);
	must(vn_respond(demo->guest.fd, fault.cookie, VFIO_NESTED_RESPONSE_RETRY),
	     "the answer");
	finish(demo, VN_ERROR_NONE);
	show_data(demo, ipa, data);
	say("the same answer once more, seen: %s",
	    strerror(-vn_respond(demo->guest.fd, fault.cookie,
				 VFIO_NESTED_RESPONSE_RETRY)));
	vn_s1_unmap(&demo->guest.s1, IOVA_NOTHING);
	must(vn_guest_forget_page(&demo->guest, IOVA_NOTHING), "invalidation");
	if (!stalls(demo))
		must(vn_guest_command(&demo->guest,
				      demo->guest.arch->of_device(STREAM, VN_NO_PASID,
								  IOVA_NOTHING, 0)),
		     "invalidation");
}

static void show_abort(struct demo *demo)
{
	static const char data[SIZE] = "never to arrive";
	struct vfio_nested_fault fault;

	step("An access that the guest does not want");
	fault = wait_for_page(demo, data);
	if (stalls(demo))
		say("the guest answers with a command of its own: RESUME, abort, STAG %u",
		    vn_event_stag(&fault));
	else
		say("the guest answers with a command of its own: %s, invalid, group %u",
		    demo->words->answer, fault.group);
	must(vn_guest_answer(&demo->guest, &fault, VFIO_NESTED_RESPONSE_ABORT),
	     "the answer");
	finish(demo, stalls(demo) ? VN_ERROR_ABORTED : VN_ERROR_PAGE_INVALID);
}

static void show_page_request(struct demo *demo)
{
	static const char data[SIZE] = "after a request";
	struct vfio_nested_fault fault;
	uint64_t ipa;

	step("A page request with a PASID: the device asks before it accesses");
	if (!(demo->guest.info.caps & VFIO_NESTED_CAP_PRI))
		fail(demo->device.pci.name,
		     "no page requests: load smmuv3-nested with guest_ats=1");
	if (stalls(demo))
		enable_requests(demo);
	fault = raise_fault(demo, data, VN_PASID(PASID), VN_ACCESS_ATS | VN_ACCESS_PRI,
			    VFIO_NESTED_FAULT_PAGE_REQUEST);
	ipa = map_nothing(demo, &demo->space.s1);
	say("and answers with a command of its own: %s, success, group %u",
	    demo->words->answer, fault.group);
	must(vn_guest_answer(&demo->guest, &fault, VFIO_NESTED_RESPONSE_RETRY),
	     "the answer");
	finish(demo, VN_ERROR_NONE);
	show_data(demo, ipa, data);
}

static void leave(struct demo *demo)
{
	struct vfio_nested_stats stats;

	step("The device leaves");
	must(vn_nested_unbind(demo->device.fd), "unbinding");
	must(vn_faults_balance(demo->guest.fd, &stats), "accounts");
	say("in all: %" PRIu64 " faults, %" PRIu64 " answered, %" PRIu64
	    " expired, %" PRIu64 " aborted, %" PRIu64 " refused, %" PRIu64
	    " pending", (uint64_t)stats.faults, (uint64_t)stats.faults_answered,
	    (uint64_t)stats.faults_expired, (uint64_t)stats.faults_aborted,
	    (uint64_t)stats.faults_refused, (uint64_t)stats.faults_pending);
	must_be(stats.faults == 3 && stats.faults_answered == 3,
		"three faults, each answered once");
	vn_guest_close(&demo->guest);
	vn_device_close(&demo->device);
	vn_vm_close(&demo->vm);
}

static void show_faults(struct demo *demo)
{
	build_spaces(demo);
	show_wait(demo);
	show_abort(demo);
	show_page_request(demo);
	leave(demo);
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

static void show_translation(struct demo *demo)
{
	build_stage1(demo);
	show_dma(demo);
	show_invalidation(demo);
	show_fault(demo);
	show_refusals(demo);
	clean_up(demo);
}

int main(int argc, char **argv)
{
	bool faults = argc > 1 && !strcmp(argv[1], "--faults");
	char name[VN_PCI_NAME_LEN];
	static struct demo demo;

	argc -= faults;
	argv += faults;
	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fprintf(stderr,
			"Usage: nested-demo [--faults] [0000:01:00.0]\n"
			"The function is bound to vfio-pci-nested, see run.sh. Without an argument it is\n"
			"chosen from the environment variable VFIO_NESTED_DEVICES. For --faults it is one\n"
			"of the laboratory's.\n");
		return 2;
	}
	if (argc == 2)
		snprintf(name, sizeof(name), "%s", argv[1]);
	else
		pick_device(name, faults);

	open_device(&demo, name);
	bind_device(&demo);
	if (faults)
		show_faults(&demo);
	else
		show_translation(&demo);
	printf("\ndemo: ok\n");
	return 0;
}
