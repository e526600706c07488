// SPDX-License-Identifier: GPL-2.0
/*
 * Answers to recoverable faults, by cookie or in the guest's own words.
 *
 * Invariants:
 *  - who finds a pending fault under the table's lock takes it out there and then: of
 *    two answers, or an answer and a deadline, one wins and the other is told so;
 *  - an answer that is refused reaches no hardware and changes nothing but a counter;
 *  - viommu->sem is held from there until the hardware has been told, so that no unbind
 *    or reset comes between.
 */
#include "private.h"
#include "trace.h"

static bool code_valid(u32 code)
{
	return code == VFIO_NESTED_RESPONSE_RETRY ||
	       code == VFIO_NESTED_RESPONSE_ABORT ||
	       code == VFIO_NESTED_RESPONSE_TERMINATE;
}

/* @err is what the search for @slot has said. Under the table's lock. */
static int claim(struct iommu_nested_table *table,
		 struct iommu_nested_slot *slot, int err, u32 code,
		 struct iommu_nested_answer *answer)
{
	if (!code_valid(code))
		err = -EINVAL;
	else if (!err && slot->owner->stopped)
		err = -EBUSY;
	if (err) {
		table->bad_answers++;
		return err;
	}
	iommu_nested_end_slot(table, slot, IOMMU_NESTED_ANSWERED, code, answer);
	return 0;
}

static int claim_cookie(struct iommu_nested_table *table, u64 cookie, u32 code,
			struct iommu_nested_answer *answer)
{
	struct iommu_nested_slot *slot = NULL;
	int err;

	err = iommu_nested_table_find(table, cookie, &slot);
	err = claim(table, slot, err, code, answer);
	if (err)
		trace_iommu_nested_bad_answer(table->viommu, cookie, code, err);
	return err;
}

/**
 * struct answering - one batch of answers
 * @responses: as the user gave them; those that were looked at have a result
 * @num: number of @responses
 * @stop_on_error: look at none after the first bad one
 * @looked_at: number of @responses that were looked at
 * @answers: what the hardware is to be told
 * @num_answers: number of @answers
 */
struct answering {
	struct vfio_nested_response *responses;
	u32 num;
	bool stop_on_error;
	u32 looked_at;
	struct iommu_nested_answer answers[IOMMU_NESTED_ANSWER_BATCH];
	u32 num_answers;
};

static void claim_all(struct iommu_nested_table *table, struct answering *batch)
{
	struct vfio_nested_response *response = batch->responses;
	int err = 0;

	spin_lock_irq(&table->lock);
	while (batch->looked_at < batch->num &&
	       !(err && batch->stop_on_error)) {
		err = claim_cookie(table, response->cookie, response->code,
				   &batch->answers[batch->num_answers]);
		if (!err)
			batch->num_answers++;
		response++->result = err;
		batch->looked_at++;
	}
	spin_unlock_irq(&table->lock);
}

/* The hardware has not taken the answers: none of them is certain. */
static void fail_all(struct answering *batch, int err)
{
	u32 i;

	for (i = 0; i < batch->looked_at; i++)
		if (!batch->responses[i].result)
			batch->responses[i].result = err;
}

static u32 count_good(const struct answering *batch)
{
	u32 i;

	for (i = 0; i < batch->looked_at; i++)
		if (batch->responses[i].result)
			break;
	return i;
}

static int respond(struct iommu_nested_viommu *viommu, struct answering *batch)
{
	int err;

	lockdep_assert_held(&viommu->sem);

	if (!viommu->backend)
		return -ENODEV;
	claim_all(viommu->table, batch);
	if (batch->num_answers) {
		err = viommu->backend->respond(viommu, batch->answers,
					       batch->num_answers);
		if (err)
			fail_all(batch, err);
	}
	return batch->stop_on_error ? count_good(batch) : batch->num;
}

/**
 * iommu_nested_respond - carry out the VMM's answers
 * @viommu: the virtual IOMMU
 * @responses: the answers, in kernel memory; the result of each is filled in
 * @num: their number, at most IOMMU_NESTED_ANSWER_BATCH
 * @stop_on_error: carry out none after the first bad one
 *
 * Context: process; takes @viommu->sem, the table's lock and the backend's locks.
 * Return: with @stop_on_error the number of answers that were carried out; if it is
 * less than @num, the next has the error as its result. Without, @num. -ENODEV: no
 * device is bound; -EINTR: a fatal signal arrived; -EINVAL: @num is too large: no
 * answer has been looked at.
 */
int iommu_nested_respond(struct iommu_nested_viommu *viommu,
			 struct vfio_nested_response *responses, u32 num,
			 bool stop_on_error)
{
	struct answering batch __uninitialized;
	int ret;

	if (WARN_ON_ONCE(num > IOMMU_NESTED_ANSWER_BATCH))
		return -EINVAL;
	batch.responses = responses;
	batch.num = num;
	batch.stop_on_error = stop_on_error;
	batch.looked_at = 0;
	batch.num_answers = 0;

	ret = down_read_killable(&viommu->sem);
	if (ret)
		return ret;
	ret = respond(viommu, &batch);
	up_read(&viommu->sem);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_nested_respond);

/* How the table finds what the guest calls @name among the faults of one device. */
typedef int (*find_t)(struct iommu_nested_table *table,
		      struct iommu_nested_pending *pending, u64 name,
		      struct iommu_nested_slot **found);

static int claim_named(struct iommu_nested_binding *binding, find_t find,
		       u64 name, u32 code, struct iommu_nested_answer *answer)
{
	struct iommu_nested_table *table = binding->viommu->table;
	struct iommu_nested_slot *slot = NULL;
	int err;

	lockdep_assert_held(&binding->viommu->sem);

	spin_lock_irq(&table->lock);
	err = find(table, binding->pending, name, &slot);
	err = claim(table, slot, err, code, answer);
	spin_unlock_irq(&table->lock);
	return err;
}

/**
 * iommu_nested_claim_stall - the guest has answered a stall by its tag
 * @binding: of the device that the guest has named
 * @tag: as the backend's @set_tag was told
 * @code: enum vfio_nested_response_code
 * @answer: what the backend is to tell the hardware
 *
 * For the backend's @invalidate, which carries out @answer by itself.
 *
 * Context: viommu->sem is held for reading.
 * Return: 0: the fault is answered; else nothing has changed, and it is an error of
 * struct vfio_nested_response.
 */
int iommu_nested_claim_stall(struct iommu_nested_binding *binding, u16 tag,
			     u32 code, struct iommu_nested_answer *answer)
{
	return claim_named(binding, iommu_nested_table_find_stall, tag, code,
			   answer);
}
EXPORT_SYMBOL_GPL(iommu_nested_claim_stall);

/**
 * iommu_nested_claim_group - the guest has answered a group of page requests
 * @binding: of the device that the guest has named
 * @pasid_valid: the group has a PASID
 * @pasid: the PASID, if it has
 * @group: index of the group; only its lowest 9 bits are looked at
 * @code: enum vfio_nested_response_code
 * @answer: what the backend is to tell the hardware
 *
 * Context: as iommu_nested_claim_stall().
 * Return: as iommu_nested_claim_stall(); of groups that are over nothing is remembered:
 * -ENOENT.
 */
int iommu_nested_claim_group(struct iommu_nested_binding *binding,
			     bool pasid_valid, u32 pasid, u32 group, u32 code,
			     struct iommu_nested_answer *answer)
{
	u64 key = iommu_nested_group_key(pasid_valid, pasid, group);

	return claim_named(binding, iommu_nested_table_find_group, key, code,
			   answer);
}
EXPORT_SYMBOL_GPL(iommu_nested_claim_group);

/**
 * iommu_nested_claim_any_stall - the guest answers all stalls, whatever their tags
 * @binding: of the device that the guest has named
 * @code: enum vfio_nested_response_code, a legal one
 * @answer: what the backend is to tell the hardware
 *
 * Also one that the guest has not been told of yet, and which it is never told of then.
 *
 * Context: as iommu_nested_claim_stall().
 * Return: true: one is answered; false: there is none, or the device is stopped.
 */
bool iommu_nested_claim_any_stall(struct iommu_nested_binding *binding,
				  u32 code, struct iommu_nested_answer *answer)
{
	struct iommu_nested_table *table = binding->viommu->table;
	struct iommu_nested_pending *pending = binding->pending;
	struct iommu_nested_slot *slot;
	bool found;

	lockdep_assert_held(&binding->viommu->sem);

	spin_lock_irq(&table->lock);
	slot = list_first_entry_or_null(&pending->stalls,
					struct iommu_nested_slot, siblings);
	found = slot && !claim(table, slot, 0, code, answer);
	spin_unlock_irq(&table->lock);
	return found;
}
EXPORT_SYMBOL_GPL(iommu_nested_claim_any_stall);
