// SPDX-License-Identifier: GPL-2.0
/*
 * What a VMM of the soak does with records: it finds out whose they are, decides,
 * and answers in one of the three ways, sometimes more than once.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "soak_vm.h"
#include "util.h"

/* Cookies of this life, by hash: none comes twice. As many as have room. */
#define COOKIES			(1U << 17)

static uint64_t cookies[COOKIES];
static unsigned int nr_cookies;

static unsigned int age_ms(const struct vfio_nested_fault *fault)
{
	uint64_t now = soak_now_ns();

	return now > fault->timestamp ? (now - fault->timestamp) / 1000000 : 0;
}

static int remember_cookie(struct soak_vm *vm, uint64_t cookie)
{
	unsigned int at = (cookie * 0x9e3779b97f4a7c15ULL >> 32) % COOKIES;

	if (!cookie)
		return soak_fail(vm, "a fault without a cookie");
	for (; cookies[at]; at = (at + 1) % COOKIES)
		if (cookies[at] == cookie)
			return soak_fail(vm, "cookie 0x%" PRIx64 " came twice",
					 cookie);
	if (nr_cookies < COOKIES / 4 * 3) {
		cookies[at] = cookie;
		nr_cookies++;
	}
	return 0;
}

/* --- Results -------------------------------------------------------------- */

static bool before_reset(const struct soak_answer *answer)
{
	return answer->device->was_reset &&
	       answer->fault.timestamp < answer->device->reset_ns;
}

/* Page requests do not outlive the entry that lets the device make them. */
static bool before_away(const struct soak_answer *answer)
{
	return answer->fault.kind == VFIO_NESTED_FAULT_PAGE_REQUEST &&
	       answer->fault.timestamp < answer->device->away_ns;
}

static void may_fail(struct soak_answer *answer)
{
	struct soak_access *now;

	if (!answer->channel)
		return;
	now = &answer->channel->now;
	if (now->running && now->serial == answer->serial)
		now->may_fail = true;
}

static void count(struct soak_vm *vm, int ret)
{
	if (!ret)
		vm->book->count.answered++;
	else
		vm->book->count.refused++;
}

/* The first answer to a fault: is @ret what it must be? */
static int judge(struct soak_vm *vm, struct soak_answer *answer, int ret)
{
	unsigned int age = age_ms(&answer->fault);

	switch (ret) {
	case 0:
		if (!before_reset(answer))
			return 0;
		return soak_fail(vm, "an answer from before the reset was taken");
	case -ECANCELED:
		if (before_reset(answer) || before_away(answer))
			return 0;
		break;
	case -ETIMEDOUT:
		may_fail(answer);
		vm->book->count.expired++;
		if (age + 1 >= vm->book->deadline_ms)
			return 0;
		break;
	case -ESTALE:
		may_fail(answer);
		if (before_reset(answer) || before_away(answer) ||
		    age + 1 >= vm->book->deadline_ms)
			return 0;
		break;
	default:
		break;
	}
	return soak_fail(vm, "answer %u to a %s, %u ms old: %s", answer->code,
			 answer->fault.kind == VFIO_NESTED_FAULT_STALL ?
			 "stall" : "page request", age, strerror(-ret));
}

/* --- Ways to answer ------------------------------------------------------- */

static int by_ioctl(struct soak_vm *vm, struct soak_answer *answers,
		    unsigned int nr)
{
	struct vfio_nested_response list[SOAK_BATCH];
	unsigned int i, at = 0;

	for (i = 0; i < nr; i++)
		list[i] = (struct vfio_nested_response) {
			.cookie = answers[i].fault.cookie,
			.code = answers[i].code,
		};
	while (at < nr) {
		uint32_t num = nr - at;
		int ret;

		vm->book->count.answering = num;
		ret = vn_nested_respond(vm->book->fd, &list[at], &num);
		for (i = 0; i < num; i++)
			count(vm, 0);
		if (ret)
			count(vm, ret);
		vm->book->count.answering = 0;
		for (i = 0; i < num; i++)
			if (judge(vm, &answers[at + i], 0))
				return -EIO;
		at += num;
		if (!ret && at < nr)
			return soak_fail(vm, "%u answers of %u were taken, without an error",
					 num, nr - at + num);
		if (ret && judge(vm, &answers[at++], ret))
			return -EIO;
	}
	return 0;
}

static int by_ring(struct soak_vm *vm, struct soak_answer *answers, unsigned int nr)
{
	struct vn_response_ring *ring = &vm->book->responses;
	uint32_t first = ring->producer, taken = 0;
	unsigned int i;
	int ret;

	vm->book->count.answering = nr;
	for (i = 0; i < nr; i++)
		if (!vn_response_ring_put(ring, answers[i].fault.cookie,
					  answers[i].code))
			return soak_fail(vm, "the response ring is full");
	ret = vn_nested_kick(vm->book->fd, &taken, NULL);
	for (i = 0; i < taken; i++)
		count(vm, vn_response_ring_record(ring, first + i)->result);
	vm->book->count.answering = 0;
	if (ret || taken != nr)
		return soak_fail(vm, "%u answers in the ring, %u taken: %s", nr, taken,
				 strerror(-ret));
	for (i = 0; i < nr; i++)
		if (judge(vm, &answers[i],
			  vn_response_ring_record(ring, first + i)->result))
			return -EIO;
	return 0;
}

/*
 * As the guest's own commands. A tag may name another fault by now if this one has
 * expired, so only young ones are answered in this way.
 */
static int by_command(struct soak_vm *vm, struct soak_answer *answers,
		      unsigned int nr)
{
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++) {
		if (before_reset(&answers[i]) || before_away(&answers[i]) ||
		    age_ms(&answers[i].fault) > vm->book->deadline_ms / 4) {
			if (by_ioctl(vm, &answers[i], 1))
				return -EIO;
			continue;
		}
		vm->book->count.answering = 1;
		ret = vn_guest_answer(&answers[i].device->guest, &answers[i].fault,
				      answers[i].code);
		count(vm, ret);
		vm->book->count.answering = 0;
		if (judge(vm, &answers[i], ret))
			return -EIO;
	}
	return 0;
}

/* An answer that is refused, whatever it is */
static int refused(struct soak_vm *vm, uint64_t cookie, uint32_t code, int want,
		   int or)
{
	int ret;

	vm->book->count.answering = 1;
	ret = vn_respond(vm->book->fd, cookie, code);
	count(vm, ret);
	vm->book->count.answering = 0;
	if (ret == want || ret == or)
		return 0;
	return soak_fail(vm, "cookie 0x%" PRIx64 ", code %u: %s, not %s", cookie, code,
			 strerror(-ret), strerror(-want));
}

/* What a VMM has no right to */
static int misbehave(struct soak_vm *vm, const struct soak_answer *answer)
{
	static const uint32_t bad_codes[] = { 0, 4, 0x10001, ~0U };
	uint64_t tag = (soak_random(&vm->rng) | 1ULL << 44) & ~((1ULL << 44) - 1);

	switch (soak_choose(&vm->rng, 4)) {
	case 0:
		return refused(vm, answer->fault.cookie ^ tag, answer->code, -ENOENT, 0);
	case 1:
		return refused(vm, 0, answer->code, -ENOENT, -ENOENT);
	case 2:
		return refused(vm, answer->fault.cookie | 0xfff, answer->code,
			       -ENOENT, -ENOENT);
	default:
		/* Where it is over already that is what is said. */
		if (age_ms(&answer->fault) > vm->book->deadline_ms / 4 ||
		    before_reset(answer) || before_away(answer))
			return 0;
		return refused(vm, answer->fault.cookie,
			       bad_codes[soak_choose(&vm->rng, 4)], -EINVAL, -EINVAL);
	}
}

static int answer_batch(struct soak_vm *vm)
{
	static int (*const ways[])(struct soak_vm *, struct soak_answer *,
				   unsigned int) = {
		by_ioctl, by_ring, by_command,
	};
	unsigned int nr = vm->nr_batch;
	struct soak_answer *some;
	int ret;

	if (!nr)
		return 0;
	vm->nr_batch = 0;
	some = &vm->batch[soak_choose(&vm->rng, nr)];
	if (!vm->book->calm && soak_maybe(&vm->rng, 10) && misbehave(vm, some))
		return -EIO;
	ret = ways[soak_choose(&vm->rng, VN_ARRAY_SIZE(ways))](vm, vm->batch, nr);
	if (ret || vm->book->calm || !soak_maybe(&vm->rng, 10))
		return ret;
	/* Twice: now it is over, however it came to that. */
	if (before_reset(some) || before_away(some) ||
	    age_ms(&some->fault) + 1 >= vm->book->deadline_ms)
		return 0;
	return refused(vm, some->fault.cookie, some->code, -EALREADY, -ESTALE);
}

/* --- Decisions ------------------------------------------------------------ */

static int answer_later(struct soak_vm *vm, const struct soak_answer *answer)
{
	struct soak_late *late = &vm->late[vm->nr_late++];

	late->answer = *answer;
	late->answer.code = VFIO_NESTED_RESPONSE_ABORT;
	late->due_ms = vm->clock_ms +
		       soak_choose(&vm->rng, 2 * vm->book->deadline_ms);
	answer->channel->now.may_fail = true;
	return 0;
}

static int answer_right(struct soak_vm *vm, const struct soak_answer *answer)
{
	const struct soak_access *now = &answer->channel->now;
	uint64_t end = now->access.iova + now->access.length;
	unsigned int pages = 1;

	/* All the rest: the last request of a group tells where it ends, not begins. */
	if (answer->fault.kind == VFIO_NESTED_FAULT_PAGE_REQUEST)
		return soak_map(vm, answer->device, answer->channel,
				now->access.iova, now->pages);
	if (soak_maybe(&vm->rng, 30))
		pages = (end - answer->fault.address + VN_PAGE - 1) / VN_PAGE;
	return soak_map(vm, answer->device, answer->channel, answer->fault.address,
			pages);
}

/* Response Failure is for the whole function: nobody gets a page any more. */
static void fail_requests(struct soak_device *device)
{
	unsigned int i;

	device->failed = true;
	for (i = 0; i < SOAK_CHANNELS; i++)
		device->channels[i].now.disturbed = true;
}

/* What is said to a fault of an access that is under way */
static int decide(struct soak_vm *vm, struct soak_answer *answer)
{
	bool asks = answer->fault.kind == VFIO_NESTED_FAULT_PAGE_REQUEST;
	bool right = vm->book->calm || vm->ending;
	unsigned int dice = right ? 99 : soak_choose(&vm->rng, 100);

	answer->code = VFIO_NESTED_RESPONSE_RETRY;
	if (dice < 6) {
		/* It will be back. */
		vm->batch[vm->nr_batch++] = *answer;
		return 0;
	}
	if (dice < 11 && vm->nr_late < SOAK_LATE)
		return answer_later(vm, answer);
	if (dice < 18) {
		answer->code = VFIO_NESTED_RESPONSE_ABORT;
		may_fail(answer);
	} else if (dice < 21 && (!asks || dice == 20)) {
		answer->code = VFIO_NESTED_RESPONSE_TERMINATE;
		may_fail(answer);
		if (asks)
			fail_requests(answer->device);
	} else if (answer_right(vm, answer)) {
		return -EIO;
	}
	vm->batch[vm->nr_batch++] = *answer;
	return 0;
}

/* --- Records -------------------------------------------------------------- */

static struct soak_device *device_of(struct soak_vm *vm,
				     const struct vfio_nested_fault *fault)
{
	unsigned int i;

	for (i = 0; i < vm->nr_devices; i++)
		if (vm->devices[i].stream == fault->virtual_id)
			return &vm->devices[i];
	return NULL;
}

/* The channel in whose window the address is */
static struct soak_channel *channel_of(struct soak_vm *vm,
				       struct soak_device *device, uint64_t address)
{
	unsigned int i;

	for (i = 0; i < SOAK_CHANNELS; i++)
		if (address - soak_window(vm, device, i) < SOAK_WINDOW * VN_PAGE)
			return &device->channels[i];
	return NULL;
}

static bool names_access(const struct soak_device *device,
			 const struct soak_access *now,
			 const struct vfio_nested_fault *fault)
{
	const struct vn_access *access = &now->access;
	uint64_t first = access->iova & ~(VN_PAGE - 1ULL);
	bool asks = fault->kind == VFIO_NESTED_FAULT_PAGE_REQUEST;
	uint32_t right = access->op == VN_OP_PROBE ? VFIO_NESTED_FAULT_READ :
						 VFIO_NESTED_FAULT_WRITE;

	if (!now->running || !!(access->flags & VN_ACCESS_PRI) != asks)
		return false;
	if (fault->address < first ||
	    fault->address >= access->iova + access->length)
		return false;
	if (!(fault->flags & VFIO_NESTED_FAULT_PASID) ||
	    VN_PASID(fault->pasid) != access->pasid || !(fault->flags & right))
		return false;
	return asks || (vn_event_stall(fault) &&
			vn_event_pasid(fault) == access->pasid &&
			vn_event_stream(fault) == device->stream);
}

static int take_fault(struct soak_vm *vm, const struct vfio_nested_fault *fault)
{
	bool last = fault->flags & VFIO_NESTED_FAULT_LAST;
	struct soak_answer answer = {
		.device = device_of(vm, fault),
		.fault = *fault,
		.code = VFIO_NESTED_RESPONSE_ABORT,
	};

	if (!answer.device)
		return soak_fail(vm, "a fault of stream 0x%llx, which is not here",
				 (unsigned long long)fault->virtual_id);
	if (fault->flags & VFIO_NESTED_FAULT_GAP && !answer.device->away_ns &&
	    !answer.device->was_reset)
		return soak_fail(vm, "page requests were lost");
	if (fault->kind == VFIO_NESTED_FAULT_PAGE_REQUEST && !last)
		return fault->cookie ? soak_fail(vm, "a cookie without LAST") : 0;
	if (remember_cookie(vm, fault->cookie))
		return -EIO;
	answer.channel = channel_of(vm, answer.device, fault->address);
	if (!answer.channel)
		return soak_fail(vm, "a fault at 0x%llx, which nobody accesses",
				 (unsigned long long)fault->address);
	answer.serial = answer.channel->now.serial;
	/* Perhaps over already, and then its access may be over too. */
	if (before_reset(&answer) || before_away(&answer) ||
	    age_ms(fault) + 1 >= vm->book->deadline_ms) {
		may_fail(&answer);
		vm->batch[vm->nr_batch++] = answer;
		return 0;
	}
	if (!names_access(answer.device, &answer.channel->now, fault) &&
	    !answer.channel->now.disturbed)
		return soak_fail(vm,
				 "a record of no access (kind %u, flags 0x%x, PASID %u, 0x%llx)",
				 fault->kind, fault->flags, fault->pasid,
				 (unsigned long long)fault->address);
	if (!answer.channel->now.running) {
		vm->batch[vm->nr_batch++] = answer;
		return 0;
	}
	return decide(vm, &answer);
}

static int take_record(struct soak_vm *vm, const struct vfio_nested_fault *fault)
{
	struct soak_count *count = &vm->book->count;

	switch (fault->kind) {
	case VFIO_NESTED_FAULT_STALL:
		count->stalls++;
		break;
	case VFIO_NESTED_FAULT_PAGE_REQUEST:
		count->requests++;
		if (fault->flags & VFIO_NESTED_FAULT_LAST)
			count->groups++;
		break;
	case VFIO_NESTED_FAULT_EVENT:
		count->events++;
		break;
	default:
		return soak_fail(vm, "a record of kind %u", fault->kind);
	}
	count->reading = 0;
	if (fault->kind != VFIO_NESTED_FAULT_EVENT)
		return take_fault(vm, fault);
	if (vm->book->disturbed)
		return 0;
	return soak_fail(vm, "an event: %s at 0x%llx",
			 vn_event_name(vn_event_id(fault)),
			 (unsigned long long)fault->address);
}

int soak_read(struct soak_vm *vm)
{
	struct vfio_nested_fault fault;
	unsigned int num = 0;

	for (;;) {
		vm->book->count.reading = 1;
		if (!vn_ring_get(&vm->book->ring, &fault))
			break;
		num++;
		if (take_record(vm, &fault))
			return -EIO;
		if (vm->nr_batch == SOAK_BATCH && answer_batch(vm))
			return -EIO;
	}
	vm->book->count.reading = 0;
	return answer_batch(vm) ?: (int)num;
}

int soak_answer_late(struct soak_vm *vm)
{
	unsigned int i = 0;

	while (i < vm->nr_late) {
		struct soak_late late = vm->late[i];

		if (!vm->ending && vm->clock_ms < late.due_ms) {
			i++;
			continue;
		}
		vm->late[i] = vm->late[--vm->nr_late];
		if (by_ioctl(vm, &late.answer, 1))
			return -EIO;
	}
	return 0;
}
