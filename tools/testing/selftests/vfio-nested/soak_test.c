// SPDX-License-Identifier: GPL-2.0
/*
 * Three virtual machines with four devices between them, which stall and request
 * pages under eight PASIDs each, all the time. Their VMMs answer at random: rightly,
 * wrongly, twice, late, not at all; devices are reset, contexts taken away; VMMs are
 * killed, frozen, stopped, and the next one gets the devices. After each life the
 * kernel's counters must say that every fault came to exactly one end, and what the
 * VMM has counted must fit; at the end every device works and nothing is left.
 *
 * VFIO_NESTED_SOAK is how many stalls and how many page requests there are at least
 * (each; 2000 without it, the long form is 100000), VFIO_NESTED_SEED starts the
 * random numbers. A line tells of the progress every few seconds.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"

#include "session.h"
#include "soak.h"
#include "testdev.h"
#include "util.h"

#define DEFAULT_FAULTS		2000
#define RING			256
#define RESPONSES		64
/* Short, so that many faults end by it; an answer at once is well before it. */
#define DEADLINE_MS		400
#define LIFE_MS_MIN		300
#define LIFE_MS_MAX		2500
#define PROGRESS_MS		5000
/* A VMM opens devices, which resets them, or brings everything to its end. */
#define PATIENCE_MS		60000
/* What a run must have had, however short it is */
#define KILLS_MIN		6
#define RESETS_MIN		6

enum end_of_life {
	END_KILLED,
	END_SETTLED,
	ENDS,
};

static const char *const end_names[ENDS] = {
	[END_KILLED] = "killed",
	[END_SETTLED] = "settled",
};

/* A virtual machine: a sequence of lives */
struct machine {
	/* In shared memory */
	struct soak_book *book;
	pid_t pid;
	uint64_t end_ms;
	/* Frozen until then, if not 0 */
	uint64_t frozen_ms;
	/* Indexes of its devices */
	unsigned int devices[SOAK_VM_DEVICES];
};

/* All lives together */
struct totals {
	struct vfio_nested_stats stats;
	struct soak_count count;
	unsigned int lives;
	unsigned int ends[ENDS];
	unsigned int freezes;
};

static struct machine machines[SOAK_VMS];
static char devices[SOAK_DEVICES][VN_PCI_NAME_LEN];
static bool taken[SOAK_DEVICES];
/* Some of them may stall; else all of it is about page requests. */
static bool stall;
static struct totals totals;
static struct soak_random rng;
static uint64_t seed, target, started_ms;
static char failure[512];

__attribute__((format(printf, 1, 2)))
static bool fail(const char *format, ...)
{
	va_list args;

	if (failure[0])
		return false;
	va_start(args, format);
	vsnprintf(failure, sizeof(failure), format, args);
	va_end(args);
	return false;
}

/* --- The beginning of a life ---------------------------------------------- */

static unsigned int take_device(void)
{
	unsigned int i;

	do {
		i = soak_choose(&rng, SOAK_DEVICES);
	} while (taken[i]);
	taken[i] = true;
	return i;
}

static unsigned int free_devices(void)
{
	unsigned int i, num = 0;

	for (i = 0; i < SOAK_DEVICES; i++)
		num += !taken[i];
	return num;
}

static unsigned int waiting_machines(void)
{
	unsigned int i, num = 0;

	for (i = 0; i < SOAK_VMS; i++)
		num += !machines[i].pid;
	return num;
}

static int open_files(struct soak_book *book)
{
	int ret;

	book->fd = vn_nested_open();
	if (book->fd < 0)
		return book->fd;
	ret = vn_ring_open(&book->ring, book->fd, RING, -1);
	if (!ret)
		ret = vn_response_ring_open(&book->responses, book->fd, RESPONSES);
	return ret;
}

static void close_files(struct soak_book *book)
{
	vn_response_ring_close(&book->responses);
	vn_ring_close(&book->ring);
	if (book->fd >= 0)
		close(book->fd);
	book->fd = -1;
}

/* What is inherited from other machines must not keep them alive. */
static void forget_others(const struct machine *me)
{
	unsigned int i;

	for (i = 0; i < SOAK_VMS; i++)
		if (&machines[i] != me && machines[i].pid)
			close_files(&(struct soak_book) {
				.fd = machines[i].book->fd,
				.ring = machines[i].book->ring,
				.responses = machines[i].book->responses,
			});
}

/* Starts a life with @nr devices that are free; returns when the VMM runs. */
static bool begin(struct machine *machine, unsigned int nr, bool calm)
{
	struct soak_book *book = machine->book;
	unsigned int i;

	memset(book, 0, sizeof(*book));
	book->life = ++totals.lives;
	book->seed = soak_random(&rng);
	book->deadline_ms = DEADLINE_MS;
	book->calm = calm;
	book->nr_devices = nr;
	for (i = 0; i < nr; i++) {
		machine->devices[i] = take_device();
		memcpy(book->devices[i], devices[machine->devices[i]],
		       VN_PCI_NAME_LEN);
	}
	if (open_files(book))
		return fail("%s", vn_reason());
	machine->end_ms = vn_now_ms() + LIFE_MS_MIN +
			  soak_choose(&rng, LIFE_MS_MAX - LIFE_MS_MIN);
	machine->frozen_ms = 0;
	fflush(NULL);
	machine->pid = fork();
	if (machine->pid < 0)
		return fail("fork: %m");
	if (!machine->pid) {
		/* Nobody is left behind when the director is stopped. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		forget_others(machine);
		_exit(!!soak_live(book));
	}
	return true;
}

/* --- Its end: the books --------------------------------------------------- */

static bool settle_bindings(int fd, struct vfio_nested_stats *stats)
{
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;

	do {
		if (vn_nested_stats(fd, stats))
			return fail("%s", vn_reason());
		if (!stats->bindings)
			return true;
		vn_sleep_ms(1);
	} while (vn_now_ms() < end);
	return fail("%" PRIu64 " devices are bound although their VMM is gone",
		    (uint64_t)stats->bindings);
}

/* @value is @least, or up to @slack more. */
static bool within(uint64_t value, uint64_t least, uint64_t slack)
{
	return value >= least && value - least <= slack;
}

/* What the kernel says must be consistent by itself, */
static bool check_kernel(const struct vfio_nested_stats *s)
{
	uint64_t over = s->faults_answered + s->faults_expired + s->faults_aborted +
			s->faults_refused + s->faults_moved;

	if (s->faults_pending)
		return fail("%" PRIu64 " faults are pending without a device",
			    (uint64_t)s->faults_pending);
	if (s->faults != over)
		return fail("%" PRIu64 " faults, and %" PRIu64 " came to an end",
			    (uint64_t)s->faults, over);
	if (s->events != s->events_delivered + s->events_lost)
		return fail("%" PRIu64 " events, %" PRIu64 " delivered, %" PRIu64 " lost",
			    (uint64_t)s->events, (uint64_t)s->events_delivered,
			    (uint64_t)s->events_lost);
	if (s->faults_delivered > s->faults - s->faults_refused ||
	    s->faults_answered > s->faults_delivered)
		return fail("%" PRIu64 " faults, %" PRIu64 " refused, %" PRIu64
			    " delivered, %" PRIu64 " answered",
			    (uint64_t)s->faults, (uint64_t)s->faults_refused,
			    (uint64_t)s->faults_delivered,
			    (uint64_t)s->faults_answered);
	return true;
}

/*
 * and fit what the VMM says. Records that it has not read are still in the ring: they
 * are of its devices as well.
 */
static bool check_books(struct soak_book *book, const struct vfio_nested_stats *s)
{
	struct soak_count *count = &book->count;
	uint64_t slack = count->answering, unread = count->reading;
	struct vfio_nested_fault fault;
	uint64_t records;

	if (!within(s->faults_answered, count->answered, slack))
		return fail("%" PRIu64 " answers counted by the kernel, %" PRIu64
			    " by the VMM, %" PRIu64 " under way",
			    (uint64_t)s->faults_answered, count->answered, slack);
	if (!within(s->responses_refused, count->refused, slack))
		return fail("%" PRIu64 " answers refused by the kernel, the VMM counted %"
			    PRIu64 ", %" PRIu64 " under way",
			    (uint64_t)s->responses_refused, count->refused, slack);
	if (s->events && !book->disturbed)
		return fail("%" PRIu64 " events without a reason",
			    (uint64_t)s->events);
	book->ring.consumer = *vn_ring_consumer(&book->ring);
	while (vn_ring_get(&book->ring, &fault)) {
		unread++;
		if (fault.kind != VFIO_NESTED_FAULT_EVENT &&
		    fault.address >> 32 != book->life)
			return fail("a record at 0x%llx, in the ring of life %u",
				    (unsigned long long)fault.address, book->life);
	}
	records = count->stalls + count->requests + count->events;
	if (!within(book->ring.consumer, records, unread))
		return fail("%u records in the ring, %" PRIu64 " read, %" PRIu64 " not",
			    book->ring.consumer, records, unread);
	if (!within(s->faults_delivered, count->stalls + count->groups, unread))
		return fail("%" PRIu64 " faults delivered, %" PRIu64 " read, %" PRIu64
			    " not", (uint64_t)s->faults_delivered,
			    count->stalls + count->groups, unread);
	if (count->unexplained > s->faults_refused)
		return fail("%" PRIu64 " accesses failed and nobody said so",
			    count->unexplained - (uint64_t)s->faults_refused);
	return true;
}

/* Who has settled has read and answered everything. */
static bool check_settled(const struct soak_book *book,
			  const struct vfio_nested_stats *s)
{
	const struct soak_count *count = &book->count;

	if (count->answered != s->faults_answered ||
	    count->refused != s->responses_refused ||
	    count->stalls + count->groups != s->faults_delivered ||
	    count->events != s->events_delivered)
		return fail("the VMM has settled, and its books do not fit");
	if (!book->calm)
		return true;
	if (s->faults != s->faults_answered || s->responses_refused || count->failed)
		return fail("in a calm life: %" PRIu64 " faults, %" PRIu64
			    " answered; %" PRIu64 " accesses failed",
			    (uint64_t)s->faults, (uint64_t)s->faults_answered,
			    count->failed);
	return true;
}

/* Structures of 64-bit counters, after what does not count */
static void add_counters(void *to, const void *from, size_t skip, size_t size)
{
	size_t at;

	for (at = skip; at < size; at += sizeof(uint64_t))
		*(uint64_t *)(to + at) += *(const uint64_t *)(from + at);
}

/* Compares, and gives back all that the life had. */
static bool bury(struct machine *machine, enum end_of_life how)
{
	struct soak_book *book = machine->book;
	struct vfio_nested_stats stats;
	unsigned int i;
	bool good;

	machine->pid = 0;
	good = settle_bindings(book->fd, &stats) && check_kernel(&stats) &&
	       check_books(book, &stats) &&
	       (how != END_SETTLED || check_settled(book, &stats));
	close_files(book);
	for (i = 0; i < book->nr_devices; i++)
		taken[machine->devices[i]] = false;
	if (!good) {
		size_t len = strlen(failure);

		snprintf(failure + len, sizeof(failure) - len, " (life %u, %s)",
			 book->life, end_names[how]);
		return false;
	}
	add_counters(&totals.stats, &stats,
		     offsetof(struct vfio_nested_stats, bindings), sizeof(stats));
	add_counters(&totals.count, &book->count, 0, sizeof(book->count));
	totals.ends[how]++;
	return true;
}

static bool kill_machine(struct machine *machine)
{
	int status;

	kill(machine->pid, SIGKILL);
	if (waitpid(machine->pid, &status, 0) != machine->pid)
		return fail("waitpid: %m");
	/* It may have failed just before. */
	if (machine->book->failure[0])
		return fail("life %u: %s", machine->book->life,
			    machine->book->failure);
	return bury(machine, END_KILLED);
}

/* Waits until it has ended by itself. */
static bool settle_machine(struct machine *machine)
{
	uint64_t end = vn_now_ms() + PATIENCE_MS;
	int status;

	machine->book->stop = true;
	kill(machine->pid, SIGCONT);
	while (!waitpid(machine->pid, &status, WNOHANG)) {
		if (vn_now_ms() > end) {
			kill(machine->pid, SIGKILL);
			waitpid(machine->pid, &status, 0);
			machine->pid = 0;
			return fail("life %u does not come to its end",
				    machine->book->life);
		}
		vn_sleep_ms(1);
	}
	if (machine->book->failure[0] || machine->book->state != SOAK_SETTLED) {
		machine->pid = 0;
		return fail("life %u: %s", machine->book->life,
			    machine->book->failure[0] ? machine->book->failure :
						  "it ended by itself");
	}
	return bury(machine, END_SETTLED);
}

/* --- The director --------------------------------------------------------- */

static uint64_t stalls_now(void)
{
	uint64_t sum = totals.count.stalls;
	unsigned int i;

	for (i = 0; i < SOAK_VMS; i++)
		if (machines[i].pid)
			sum += machines[i].book->count.stalls;
	return sum;
}

static uint64_t requests_now(void)
{
	uint64_t sum = totals.count.requests;
	unsigned int i;

	for (i = 0; i < SOAK_VMS; i++)
		if (machines[i].pid)
			sum += machines[i].book->count.requests;
	return sum;
}

static bool enough(void)
{
	return (!stall || stalls_now() >= target) && requests_now() >= target &&
	       totals.ends[END_KILLED] >= KILLS_MIN &&
	       totals.count.resets >= RESETS_MIN && totals.freezes;
}

static void progress(void)
{
	static uint64_t last_ms;
	uint64_t now = vn_now_ms();

	if (now - last_ms < PROGRESS_MS)
		return;
	last_ms = now;
	ksft_print_msg("%3" PRIu64 " s: %" PRIu64 " stalls, %" PRIu64
		       " page requests, %u lives, %u killed, %" PRIu64 " resets\n",
		       (now - started_ms) / 1000, stalls_now(), requests_now(),
		       totals.lives, totals.ends[END_KILLED], totals.count.resets);
	fflush(stdout);
}

/* A little longer than a deadline */
static bool freeze(struct machine *machine, uint64_t now)
{
	if (kill(machine->pid, SIGSTOP))
		return fail("SIGSTOP: %m");
	machine->frozen_ms = now + DEADLINE_MS + DEADLINE_MS / 2;
	machine->end_ms += 2 * DEADLINE_MS;
	totals.freezes++;
	return true;
}

/* One look at one machine; false when something is wrong. */
static bool direct(struct machine *machine, uint64_t now)
{
	struct soak_book *book = machine->book;
	int status;

	if (!machine->pid) {
		unsigned int spare = free_devices() - waiting_machines();

		return begin(machine, 1 + (spare && soak_maybe(&rng, 70)), false);
	}
	if (waitpid(machine->pid, &status, WNOHANG)) {
		machine->pid = 0;
		return fail("life %u: %s", book->life, book->failure[0] ?
			    book->failure : "it ended by itself");
	}
	if (machine->frozen_ms) {
		if (now < machine->frozen_ms)
			return true;
		kill(machine->pid, SIGCONT);
		machine->frozen_ms = 0;
	}
	/* Some do not come to the world, but mostly a life begins when it is. */
	if (book->state == SOAK_BIRTH) {
		if (soak_maybe(&rng, 99) || now < machine->end_ms) {
			if (now < machine->end_ms + PATIENCE_MS)
				return true;
			return fail("life %u does not begin", book->life);
		}
	}
	/* Some time, and once at least, also where a life takes long to begin */
	if (now < machine->end_ms || !totals.freezes) {
		if (soak_choose(&rng, totals.freezes ? 300 : 10) == 0)
			return freeze(machine, now);
		return true;
	}
	return soak_maybe(&rng, 60) ? kill_machine(machine) :
				      settle_machine(machine);
}

/* Until there has been enough of everything. */
static bool soak(void)
{
	/* A fault takes below a millisecond; this is for what hangs. */
	uint64_t limit = 120000 + target * 30;
	unsigned int i;

	while (!enough()) {
		uint64_t now = vn_now_ms();

		for (i = 0; i < SOAK_VMS; i++)
			if (!direct(&machines[i], now))
				return false;
		progress();
		if (now - started_ms > limit)
			return fail("not enough happens in %" PRIu64 " s", limit / 1000);
		vn_sleep_ms(10);
	}
	for (i = 0; i < SOAK_VMS; i++)
		if (machines[i].pid && !settle_machine(&machines[i]))
			return false;
	return true;
}

/* Nothing of all that is left in any device. */
static bool calm(void)
{
	unsigned int i;

	for (i = 0; i < SOAK_DEVICES; i += 2) {
		struct machine *machine = &machines[0];

		if (!begin(machine, 2, true))
			return false;
		/* The devices are taken at random: keep these, and take the others. */
		while (machine->book->state == SOAK_BIRTH &&
		       kill(machine->pid, 0) == 0 && !machine->book->failure[0])
			vn_sleep_ms(1);
		vn_sleep_ms(500);
		if (!settle_machine(machine))
			return false;
		taken[machine->devices[0]] = true;
		taken[machine->devices[1]] = true;
	}
	return true;
}

static void kill_all(void)
{
	unsigned int i;

	for (i = 0; i < SOAK_VMS; i++) {
		if (!machines[i].pid)
			continue;
		kill(machines[i].pid, SIGKILL);
		waitpid(machines[i].pid, NULL, 0);
		close_files(machines[i].book);
		machines[i].pid = 0;
	}
}

/* --- Setting up ----------------------------------------------------------- */

static int set_deadlines(unsigned int ms)
{
	char text[16];
	unsigned int i;
	int ret = 0;

	snprintf(text, sizeof(text), "%u", ms);
	for (i = 0; i < SOAK_DEVICES && !ret; i++)
		ret = vn_pci_policy(devices[i], "fault_deadline_ms", text);
	return ret;
}

/* Devices of the one kind that can do all this */
static int find_devices(void)
{
	struct vn_want want = { .engine = VN_TESTDEV };
	unsigned int i;
	int ret = 0;

	for (i = 0; i < SOAK_DEVICES && !ret; i++) {
		ret = vn_session_pick(&want, devices, i, devices[i]);
		stall |= !ret && vn_pci_can_stall(devices[i]);
	}
	return ret;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void summary(void)
{
	const struct vfio_nested_stats *s = &totals.stats;

	ksft_print_msg("seed %" PRIu64 ": %u lives (%u killed, %u settled), %u freezes, %"
		       PRIu64 " resets, %" PRIu64 " contexts\n", seed, totals.lives,
		       totals.ends[END_KILLED], totals.ends[END_SETTLED],
		       totals.freezes, totals.count.resets, totals.count.contexts);
	ksft_print_msg("%" PRIu64 " faults = %" PRIu64 " answered + %" PRIu64
		       " expired + %" PRIu64 " aborted + %" PRIu64 " refused; %" PRIu64
		       " page requests; %" PRIu64 " bad answers\n",
		       (uint64_t)s->faults, (uint64_t)s->faults_answered,
		       (uint64_t)s->faults_expired, (uint64_t)s->faults_aborted,
		       (uint64_t)s->faults_refused, (uint64_t)s->page_requests,
		       (uint64_t)s->responses_refused);
}

int main(int argc, char **argv)
{
	struct soak_book *books;
	unsigned int i;
	bool good;

	ksft_print_header();
	if (find_devices())
		ksft_exit_skip("%s\n", vn_reason());
	if (set_deadlines(DEADLINE_MS))
		ksft_exit_skip("%s\n", vn_reason());
	books = mmap(NULL, SOAK_VMS * sizeof(*books), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (books == MAP_FAILED)
		ksft_exit_fail_msg("no memory: %s\n", strerror(errno));
	for (i = 0; i < SOAK_VMS; i++)
		machines[i].book = &books[i];

	started_ms = vn_now_ms();
	seed = number("VFIO_NESTED_SEED", started_ms);
	target = number("VFIO_NESTED_SOAK", DEFAULT_FAULTS);
	soak_seed(&rng, seed);
	ksft_set_plan(2);
	ksft_print_msg("seed %" PRIu64 ", %" PRIu64 " faults of each kind\n", seed,
		       target);

	good = soak();
	kill_all();
	summary();
	ksft_test_result(good, "every fault comes to one end%s%s\n",
			 good ? "" : ": ", failure);
	failure[0] = '\0';
	memset(taken, 0, sizeof(taken));
	good = good && calm();
	kill_all();
	ksft_test_result(good, "every device works afterwards%s%s\n",
			 good ? "" : ": ", failure);
	set_deadlines(10000);
	ksft_finished();
}
