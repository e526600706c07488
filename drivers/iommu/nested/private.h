/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the core share with each other and with nobody else.
 */
#ifndef _IOMMU_NESTED_PRIVATE_H
#define _IOMMU_NESTED_PRIVATE_H

#include <linux/iommu-nested.h>

#include "table.h"

extern struct workqueue_struct *iommu_nested_workqueue;
extern struct workqueue_struct *iommu_nested_unpin_workqueue;

const struct iommu_nested_backend *
iommu_nested_backend_get(struct device *dev);
void iommu_nested_backend_put(const struct iommu_nested_backend *backend);

int iommu_nested_viommu_tie(struct iommu_nested_viommu *viommu,
			    const struct iommu_nested_backend *backend,
			    const struct iommu_nested_binding *binding);
void iommu_nested_viommu_untie(struct iommu_nested_viommu *viommu);

struct iommu_nested_space *iommu_nested_space_create(void);
void iommu_nested_space_destroy(struct iommu_nested_space *space);
void iommu_nested_space_close(struct iommu_nested_space *space);
void iommu_nested_space_untie(struct iommu_nested_viommu *viommu);

/* Pages that one try of a call may find to be missing. */
#define IOMMU_NESTED_MISSING	64

/**
 * struct iommu_nested_attempt - a call that needs memory which may be missing
 * @viommu: of which
 * @node: in the list of calls, under the space's lock
 * @task: whose call
 * @tried: once, without looking whether anything is missing
 * @tries: how many there have been after that
 * @stuck: how many of them in a row have found the same to be missing first
 * @last: what that was
 * @page_missing: it was the caller's page
 * @num_missing: how many addresses
 * @missing: these
 *
 * The last three are written with viommu->sem held and read without, by @task only.
 */
struct iommu_nested_attempt {
	struct iommu_nested_viommu *viommu;
	struct list_head node;
	struct task_struct *task;
	bool tried;
	u32 tries;
	u32 stuck;
	unsigned long last;
	bool page_missing;
	u32 num_missing;
	unsigned long missing[IOMMU_NESTED_MISSING];
};

int iommu_nested_attempt_provide(struct iommu_nested_attempt *attempt);
int iommu_nested_attempt_lock(struct iommu_nested_attempt *attempt);
void iommu_nested_attempt_unlist(struct iommu_nested_attempt *attempt);

/* Part of the call has been carried out: for the rest the counting begins again. */
static inline void
iommu_nested_attempt_progress(struct iommu_nested_attempt *attempt)
{
	attempt->tries = 0;
	attempt->stuck = 0;
	attempt->last = 0;
}

/*
 * A call in which memory may be missing begins: the current thread has no other. What
 * is said of it lives until iommu_nested_attempt_end(). Of @missing nothing is read that
 * has not been written.
 */
static inline void iommu_nested_attempt_begin(struct iommu_nested_attempt *attempt,
					      struct iommu_nested_viommu *viommu)
{
	attempt->viommu = viommu;
	attempt->task = current;
	attempt->tried = false;
	attempt->num_missing = 0;
	attempt->page_missing = false;
	INIT_LIST_HEAD(&attempt->node);
	iommu_nested_attempt_progress(attempt);
}

static inline void iommu_nested_attempt_end(struct iommu_nested_attempt *attempt)
{
	if (!list_empty(&attempt->node))
		iommu_nested_attempt_unlist(attempt);
}

/*
 * To be called before each try to do something with viommu->sem held; those after the
 * first are for -EAGAIN. Most backends need no memory, and for the others it is mostly
 * there: the first try is the one that finds out.
 */
static inline int
iommu_nested_attempt_prepare(struct iommu_nested_attempt *attempt)
{
	if (!attempt->tried) {
		attempt->tried = true;
		return 0;
	}
	return READ_ONCE(attempt->viommu->user_page) ?
		       iommu_nested_attempt_provide(attempt) : 0;
}

int iommu_nested_binding_set_context(struct iommu_nested_binding *binding,
				     const struct iommu_nested_context *context);
int iommu_nested_binding_set_page_requests(struct iommu_nested_binding *binding,
					   u32 credits);

struct iommu_nested_table *
iommu_nested_faults_create(struct iommu_nested_viommu *viommu);
void iommu_nested_faults_destroy(struct iommu_nested_table *table);
u64 iommu_nested_expiry(const struct iommu_nested_binding *binding, u64 now);
u32 iommu_nested_faults_flush(struct iommu_nested_table *table);
void iommu_nested_faults_open(struct iommu_nested_binding *binding);
void iommu_nested_faults_close(struct iommu_nested_binding *binding);
void iommu_nested_faults_end(struct iommu_nested_binding *binding);
void iommu_nested_end_slot(struct iommu_nested_table *table,
			   struct iommu_nested_slot *slot,
			   enum iommu_nested_end end, u32 code,
			   struct iommu_nested_answer *answer);

void iommu_nested_deadline_init(struct iommu_nested_pending *pending);
void iommu_nested_deadline_destroy(struct iommu_nested_pending *pending);
void iommu_nested_deadline_arm(struct iommu_nested_pending *pending);

#endif /* _IOMMU_NESTED_PRIVATE_H */
