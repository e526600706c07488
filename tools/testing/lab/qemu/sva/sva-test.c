// SPDX-License-Identifier: GPL-2.0
/*
 * Checks nested-testdev and the emulated IOMMU by the kernel's own SVA: the
 * function works in this program's address space, and faults of its accesses
 * are handled like those of the program.  KTAP on stdout.
 *
 *   sva-test stall|pri|pinned
 *
 * says how faults reach the kernel: the IOMMU stalls the access, the function
 * asks for pages, or not at all (the kernel maps nothing for it then).
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "nested-testdev.h"

#define PAGE		4096
#define PATTERN		0x5a

static volatile uint8_t *bar;
static uint32_t pasid, fault_flags;
static int tests, failures;

static uint32_t rd(uint32_t reg)
{
	return *(volatile uint32_t *)(bar + reg);
}

static void wr(uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)(bar + reg) = value;
}

static void wr64(uint32_t reg, uint64_t value)
{
	wr(reg, (uint32_t)value);
	wr(reg + 4, (uint32_t)(value >> 32));
}

static void result(const char *name, bool ok)
{
	printf("%sok %d %s\n", ok ? "" : "not ", ++tests, name);
	failures += !ok;
}

struct job {
	const void *address;
	uint32_t length, flags, outstanding, channel;
	uint32_t pasid;
};

static void start(const struct job *job)
{
	uint32_t ch = NTD_CHANNEL(job->channel);

	wr64(ch + NTD_CH_ADDR, (uintptr_t)job->address);
	wr(ch + NTD_CH_LENGTH, job->length);
	wr(ch + NTD_CH_PASID, job->pasid);
	wr(ch + NTD_CH_FLAGS, job->flags);
	wr(ch + NTD_CH_BUFFER, 0);
	wr(ch + NTD_CH_OUTSTANDING, job->outstanding);
	wr(ch + NTD_CH_CONTROL, NTD_CONTROL_START);
}

/* The status when the channel has finished, or after five seconds. */
static uint32_t finish(uint32_t channel)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	uint32_t status = 0;
	int i;

	for (i = 0; i < 5000; i++) {
		status = rd(NTD_CHANNEL(channel) + NTD_CH_STATUS);
		if (NTD_STATUS_STATE(status) == NTD_STATE_OK ||
		    NTD_STATUS_STATE(status) == NTD_STATE_ERROR)
			return status;
		nanosleep(&pause, NULL);
	}
	printf("# not finished: status 0x%x\n", status);
	return status;
}

static uint32_t run(const void *address, uint32_t length, uint32_t flags)
{
	struct job job = {
		.address = address, .length = length, .flags = flags | fault_flags,
		.pasid = NTD_PASID_VALID | pasid,
	};

	start(&job);
	return finish(0);
}

static bool succeeded(uint32_t status)
{
	if (NTD_STATUS_STATE(status) == NTD_STATE_OK)
		return true;
	printf("# status 0x%x, error %u\n", status, NTD_STATUS_ERROR(status));
	return false;
}

static bool failed_with(uint32_t status, uint32_t error)
{
	if (NTD_STATUS_STATE(status) == NTD_STATE_ERROR && NTD_STATUS_ERROR(status) == error)
		return true;
	printf("# status 0x%x, error %u, expected error %u\n", status,
	       NTD_STATUS_ERROR(status), error);
	return false;
}

static void *fresh(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static bool all(const uint8_t *data, uint8_t value, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (data[i] != value) {
			printf("# byte %zu is 0x%x, not 0x%x\n", i, data[i], value);
			return false;
		}
	}
	return true;
}

static void fill_buffer(uint8_t value, size_t size)
{
	size_t i;

	for (i = 0; i < size; i += 4)
		wr(NTD_BUFFER + i, value * 0x01010101u);
}

static bool buffer_is(uint8_t value, size_t size)
{
	size_t i;

	for (i = 0; i < size; i += 4) {
		if (rd(NTD_BUFFER + i) != value * 0x01010101u)
			return false;
	}
	return true;
}

/* --- Tests ---------------------------------------------------------------- */

static void test_present(void)
{
	uint8_t *data = fresh(PAGE);

	memset(data, PATTERN, PAGE);
	fill_buffer(0, PAGE);
	result("read.present", succeeded(run(data, PAGE, NTD_OP_READ)) &&
	       buffer_is(PATTERN, PAGE));
	fill_buffer(0x33, PAGE);
	result("write.present", succeeded(run(data, PAGE, NTD_OP_WRITE)) &&
	       all(data, 0x33, PAGE));
	munmap(data, PAGE);
}

static void test_faulting(void)
{
	uint32_t stalls = rd(NTD_STALLS), requests = rd(NTD_PAGE_REQUESTS);
	uint8_t *data = fresh(8 * PAGE);

	fill_buffer(0x44, 8 * PAGE);
	result("write.faulting", succeeded(run(data, 8 * PAGE, NTD_OP_WRITE)) &&
	       all(data, 0x44, 8 * PAGE));
	result("write.faulting.was_reported",
	       rd(NTD_STALLS) != stalls || rd(NTD_PAGE_REQUESTS) != requests);
	munmap(data, 8 * PAGE);
}

static void test_outstanding(void)
{
	struct job job = {
		.address = fresh(64 * 1024), .length = 64 * 1024, .outstanding = 16,
		.flags = NTD_OP_WRITE | fault_flags, .pasid = NTD_PASID_VALID | pasid,
	};

	fill_buffer(0x55, 64 * 1024);
	start(&job);
	result("write.faulting.16_outstanding", succeeded(finish(0)) &&
	       all(job.address, 0x55, 64 * 1024));
	munmap((void *)job.address, 64 * 1024);
}

static void test_atomic(void)
{
	uint64_t *word = fresh(PAGE);

	*word = 41;
	wr64(NTD_CHANNEL(0) + NTD_CH_OPERAND, 1);
	result("atomic", succeeded(run(word, 8, NTD_OP_ATOMIC)) && *word == 42 &&
	       rd(NTD_CHANNEL(0) + NTD_CH_RESULT) == 41);
	munmap(word, PAGE);
}

/* After munmap() the function must not reach the page, and no cache either. */
static void test_unmapped(uint32_t denied)
{
	uint8_t *data = fresh(PAGE);
	bool before;

	memset(data, PATTERN, PAGE);
	before = succeeded(run(data, PAGE, NTD_OP_READ));
	munmap(data, PAGE);
	result("read.unmapped", before && failed_with(run(data, PAGE, NTD_OP_READ), denied));
}

static void test_readonly(uint32_t denied)
{
	uint8_t *data = fresh(PAGE);

	memset(data, PATTERN, PAGE);
	mprotect(data, PAGE, PROT_READ);
	result("read.readonly", succeeded(run(data, PAGE, NTD_OP_READ)));
	result("write.readonly", failed_with(run(data, PAGE, NTD_OP_WRITE), denied) &&
	       all(data, PATTERN, PAGE));
	munmap(data, PAGE);
}

static void test_other_pasid(uint32_t denied)
{
	uint8_t *data = fresh(PAGE);
	struct job job = {
		.address = data, .length = 4, .flags = NTD_OP_READ | fault_flags,
		.pasid = NTD_PASID_VALID | (pasid + 1),
	};

	data[0] = 1;
	start(&job);
	result("read.other_pasid", failed_with(finish(0), denied));
	munmap(data, PAGE);
}

static void test_execute(uint32_t denied)
{
	uint8_t *data = fresh(PAGE);

	data[0] = 1;
	result("execute.not_executable",
	       failed_with(run(data, 4, NTD_OP_READ | NTD_FLAG_EXECUTE), denied));
	munmap(data, PAGE);
}

/*
 * A program ends while the function waits for one of its pages: the binding goes
 * with it, and the function is not left waiting.
 */
static void test_exit(void)
{
	struct job job = {
		.address = fresh(64 * 1024), .length = 64 * 1024, .outstanding = 64,
		.flags = NTD_OP_WRITE | NTD_FLAG_FLOOD | fault_flags, .channel = 1,
	};
	pid_t child = fork();
	int i, other, status = 0;

	if (!child) {
		other = open("/dev/nested-testdev", O_RDWR);
		if (other < 0 || read(other, &job.pasid, 4) != 4)
			_exit(1);
		job.pasid |= NTD_PASID_VALID;
		job.address = fresh(64 * 1024);
		start(&job);
		_exit(0);
	}
	waitpid(child, &status, 0);
	wr(NTD_CHANNEL(1) + NTD_CH_FLAGS, 0);
	for (i = 0; i < 2000; i++) {
		uint32_t state = NTD_STATUS_STATE(rd(NTD_CHANNEL(1) + NTD_CH_STATUS));

		if (state != NTD_STATE_STALLED && state != NTD_STATE_WAITING)
			break;
		usleep(1000);
	}
	result("exit.while_faulting", child > 0 && !status && i < 2000);
	wr(NTD_CHANNEL(1) + NTD_CH_CONTROL, NTD_CONTROL_STOP);
	test_present();
}

int main(int argc, char **argv)
{
	bool pri = argc > 1 && !strcmp(argv[1], "pri");
	bool stall = argc > 1 && !strcmp(argv[1], "stall");
	uint32_t denied = pri ? NTD_ERR_PAGE_INVALID : NTD_ERR_ABORTED;
	int fd = open("/dev/nested-testdev", O_RDWR);

	setbuf(stdout, NULL);
	printf("TAP version 13\n");
	if (fd < 0 || read(fd, &pasid, sizeof(pasid)) != sizeof(pasid)) {
		perror("Bail out! /dev/nested-testdev");
		return 1;
	}
	bar = mmap(NULL, NTD_BAR0_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED || rd(NTD_ID) != NTD_MAGIC) {
		printf("Bail out! BAR 0 is not that of nested-testdev\n");
		return 1;
	}
	fault_flags = pri ? NTD_FLAG_ATS | NTD_FLAG_PRI : stall ? NTD_FLAG_STALL : 0;
	printf("# PASID %u\n", pasid);

	test_present();
	if (pri || stall) {
		test_faulting();
		test_outstanding();
	}
	test_atomic();
	test_unmapped(denied);
	test_readonly(denied);
	test_other_pasid(pri ? NTD_ERR_ATS_CA : NTD_ERR_ABORTED);
	test_execute(denied);
	if (pri || stall)
		test_exit();
	printf("1..%d\n", tests);
	return failures ? 1 : 0;
}
