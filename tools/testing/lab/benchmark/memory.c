// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "util.h"

#define TRACING		"/sys/kernel/tracing/"
#define MAX_LIVE	4096
#define PAGE_BYTES	4096

/* An object or, by its number, a page */
struct allocation {
	bool page;
	uint64_t where;
	uint64_t bytes;
};

static struct allocation live[MAX_LIVE];
static unsigned int nr_live;
static int tracing_on;

/* Each says where, and those that allocate also how much. */
static const struct event {
	const char *name;
	const char *where;
	const char *bytes;
	bool page;
} events[] = {
	{ "kmalloc", "ptr=", "bytes_alloc=" },
	{ "kmem_cache_alloc", "ptr=", "bytes_alloc=" },
	{ "kfree", "ptr=" },
	{ "kmem_cache_free", "ptr=" },
	{ "mm_page_alloc", "pfn=", "order=", true },
	{ "mm_page_free", "pfn=", NULL, true },
};

/*
 * Pages that are counted otherwise: as objects, which is what the slab allocator makes of
 * them (it wants no warning, or compound pages, as page tables do), or not at all.
 */
static const char *const other_pages[] = {
	"__GFP_COMP", "__GFP_NORETRY", "GFP_HIGHUSER", "__GFP_MOVABLE",
};

static int enable(const char *text)
{
	char path[128];
	unsigned int i;
	int ret = 0;

	for (i = 0; i < VN_ARRAY_SIZE(events) && !ret; i++) {
		snprintf(path, sizeof(path), TRACING "events/kmem/%s/enable",
			 events[i].name);
		ret = vn_write_text(path, text);
	}
	return ret;
}

static bool is_other_page(const char *line)
{
	unsigned int i;

	for (i = 0; i < VN_ARRAY_SIZE(other_pages); i++)
		if (strstr(line, other_pages[i]))
			return true;
	return false;
}

static int number_after(const char *line, const char *name, int base,
			uint64_t *value)
{
	const char *found = strstr(line, name);

	if (!found)
		return vn_fail(-EPROTO, "no %s in: %s", name, line);
	*value = strtoull(found + strlen(name), NULL, base);
	return 0;
}

/* What was there before is not known, and does not count. */
static void take_free(const struct event *event, uint64_t where)
{
	unsigned int i;

	for (i = nr_live; i--;) {
		if (live[i].page == event->page && live[i].where == where) {
			live[i] = live[--nr_live];
			return;
		}
	}
}

static int take_alloc(const struct event *event, const char *line, uint64_t where)
{
	uint64_t bytes;
	int ret;

	if (event->page && is_other_page(line))
		return 0;
	/* An object that two functions report, since one has called the other */
	take_free(event, where);
	if (nr_live == MAX_LIVE)
		return vn_fail(-ENOSPC, "more than %u allocations", MAX_LIVE);
	ret = number_after(line, event->bytes, 10, &bytes);
	if (ret)
		return ret;
	live[nr_live++] = (struct allocation){
		.page = event->page,
		.where = where,
		.bytes = event->page ? PAGE_BYTES << bytes : bytes,
	};
	return 0;
}

/* TASK-PID [CPU] FLAGS TIME: EVENT: ... */
static int take_line(const char *line)
{
	const struct event *event = NULL;
	char wanted[32];
	uint64_t where;
	unsigned int i;
	int ret;

	for (i = 0; i < VN_ARRAY_SIZE(events) && !event; i++) {
		snprintf(wanted, sizeof(wanted), ": %s: ", events[i].name);
		if (strstr(line, wanted))
			event = &events[i];
	}
	if (!event)
		return 0;
	ret = number_after(line, event->where, 16, &where);
	if (ret)
		return ret;
	if (event->bytes)
		return take_alloc(event, line, where);
	take_free(event, where);
	return 0;
}

/* "# entries-in-buffer/entries-written: N/N   #P:N": if all are there */
static int check_complete(const char *line)
{
	unsigned long there, written;

	if (sscanf(line, "# entries-in-buffer/entries-written: %lu/%lu", &there,
		   &written) == 2 && there != written)
		return vn_fail(-ENOSPC, "the trace has only %lu of %lu events",
			       there, written);
	return 0;
}

static int read_trace(void)
{
	char line[512];
	FILE *trace;
	int ret = 0;

	trace = fopen(TRACING "trace", "r");
	if (!trace)
		return vn_fail(-errno, TRACING "trace: %m");
	while (!ret && fgets(line, sizeof(line), trace))
		ret = line[0] == '#' ? check_complete(line) : take_line(line);
	fclose(trace);
	return ret;
}

/* To truncate it is to forget what there was. */
static int forget_trace(void)
{
	FILE *trace = fopen(TRACING "trace", "w");

	return !trace || fclose(trace) ? vn_fail(-errno, TRACING "trace: %m") : 0;
}

/* One write to a file that is open: to open it would be seen in the trace. */
static int record(const char *text)
{
	return write(tracing_on, text, 1) == 1 ?
		       0 : vn_fail(-errno, TRACING "tracing_on: %m");
}

int memory_start(void)
{
	int ret;

	tracing_on = open(TRACING "tracing_on", O_WRONLY | O_CLOEXEC);
	if (tracing_on < 0)
		return vn_fail(-errno, TRACING "tracing_on: %m");
	ret = record("0");
	if (!ret)
		ret = vn_write_text(TRACING "options/hash-ptr", "0");
	if (!ret)
		ret = enable("1");
	if (!ret)
		ret = forget_trace();
	return ret ? ret : record("1");
}

int memory_stop(uint64_t *bytes)
{
	unsigned int i;
	int ret;

	ret = record("0");
	close(tracing_on);
	nr_live = 0;
	if (!ret)
		ret = read_trace();
	*bytes = 0;
	for (i = 0; i < nr_live; i++)
		*bytes += live[i].bytes;
	return ret ? ret : enable("0");
}
