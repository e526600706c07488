// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's memory, where a backend needs to know it, and one page of the caller's.
 *
 * A backend may have to read what a guest has in its memory, to hand the kernel data
 * that has to lie in the caller's memory, and to map guest memory by itself. None of
 * it may wait for a page fault with viommu->sem held (iommu-nested.h says why). So a
 * backend looks whether the memory is there right now; if not it says -EAGAIN, and who
 * has taken viommu->sem drops it, makes the memory be there, and calls again.
 *
 * Invariants:
 *  - ranges of guest memory do not overlap. They change under viommu->sem, held for
 *    writing; all but what VFIO takes away also under a lock of the user interface;
 *  - a range that is mirrored has each of its pages pinned from before the backend maps
 *    it until after the backend has unmapped it;
 *  - the backend is asked to unmap exactly what it has mapped: a driver below it may take
 *    away more than that, where it finds nothing;
 *  - a range leaves in two steps, in whatever way: first, under viommu->sem, nothing of it
 *    is mapped and it is in the list of those that leave; then its pages are unpinned;
 *  - pages are pinned and unpinned with no lock of ours held but that of the user
 *    interface: VFIO takes its own, and waits for the first step with some of them held;
 *  - from iommu_nested_memory_block() on no range comes; those that VFIO then does not
 *    take away do not stand in its way;
 *  - guest memory is read through the address space that has named it, by a caller that
 *    lives there; what is read is the kernel's copy;
 *  - the caller's page holds nothing between two calls;
 *  - what was missing in a call is known to the thread that makes it, and to no other.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "private.h"

/*
 * How often the same memory may be missing in a call after it has been faulted in, and
 * how often any may: what a guest's tables refer to is less than that.
 */
#define MAX_STUCK	64
#define MAX_TRIES	65536

/* Address spaces from which one virtual IOMMU can be used. */
#define USER_PAGES	4

/* Who unpins pages of one range at once, beside the caller: see unpin_range(). */
#define HELPERS		31

/**
 * struct memory_range - guest memory that is known
 * @node: in the list of ranges, or of those that leave; or empty
 * @ipa: first address
 * @length: bytes
 * @vaddr: where it is in @mm
 * @mm: whose memory it is; compared only, and kept from being another one
 * @leaving: it has left the list of ranges; set under viommu->sem
 * @adding: who adds it has not done so yet, and frees it if that fails; under the user
 *	interface's lock
 * @pinned: bytes that are pinned, from @ipa on; under the user interface's lock
 * @mapped: bytes that the backend has mapped, from @ipa on, not more than @pinned; under
 *	viommu->sem
 */
struct memory_range {
	struct list_head node;
	u64 ipa;
	u64 length;
	unsigned long vaddr;
	struct mm_struct *mm;
	bool leaving;
	bool adding;
	u64 pinned;
	u64 mapped;
};

/**
 * struct user_page - a page of a caller's
 * @mm: whose memory it is, or NULL; compared only, and kept from being another one
 * @address: where it is there, if it still is
 */
struct user_page {
	struct mm_struct *mm;
	unsigned long address;
};

/**
 * struct helper - unpins pages while somebody waits for it
 * @work: this
 * @viommu: of which
 */
struct helper {
	struct work_struct work;
	struct iommu_nested_viommu *viommu;
};

/**
 * struct iommu_nested_space - guest memory, and memory of the callers
 * @ranges: under viommu->sem
 * @num_ranges: likewise
 * @leaving: ranges that are mapped nowhere any more, to be unpinned; likewise
 * @nr_leaving: how many have not been unpinned completely
 * @progress: changes whenever some pages have been unpinned
 * @unpinned: of which range that is; under the user interface's lock, as the next two
 * @next: of its pages, the first that nobody has begun with
 * @helpers: work on that; NULL until something is pinned
 * @blocks: how many want that no range is added; read under viommu->sem
 * @changed: who waits for @nr_leaving or @blocks to be zero
 * @lock: guards what follows, and takes nothing
 * @pages: of the address spaces from which it is used
 * @attempts: calls that are under way
 */
struct iommu_nested_space {
	struct list_head ranges;
	u32 num_ranges;
	struct list_head leaving;
	atomic_t nr_leaving;
	atomic_t progress;
	struct memory_range *unpinned;
	atomic64_t next;
	struct helper *helpers;
	atomic_t blocks;
	wait_queue_head_t changed;
	spinlock_t lock; /* all that follows */
	struct user_page pages[USER_PAGES];
	struct list_head attempts;
};

struct iommu_nested_space *iommu_nested_space_create(void)
{
	struct iommu_nested_space *space;

	space = kzalloc_obj(*space, GFP_KERNEL_ACCOUNT);
	if (!space)
		return NULL;
	INIT_LIST_HEAD(&space->ranges);
	INIT_LIST_HEAD(&space->leaving);
	INIT_LIST_HEAD(&space->attempts);
	init_waitqueue_head(&space->changed);
	spin_lock_init(&space->lock);
	return space;
}

void iommu_nested_space_destroy(struct iommu_nested_space *space)
{
	u32 i;

	WARN_ON(!list_empty(&space->ranges) || !list_empty(&space->leaving) ||
		!list_empty(&space->attempts) ||
		atomic_read(&space->nr_leaving));
	for (i = 0; i < USER_PAGES; i++)
		if (space->pages[i].mm)
			mmdrop(space->pages[i].mm);
	kvfree(space->helpers);
	kfree(space);
}

/* --- The caller's memory ---------------------------------------------------- */

/* The current address space's page, or NULL. Called with space->lock held. */
static struct user_page *find_page(struct iommu_nested_space *space)
{
	u32 i;

	lockdep_assert_held(&space->lock);

	for (i = 0; i < USER_PAGES; i++)
		if (current->mm && space->pages[i].mm == current->mm)
			return &space->pages[i];
	return NULL;
}

/* Of an address space that there is not, or not any more; NULL: all are in use. */
static struct user_page *free_page_slot(struct iommu_nested_space *space)
{
	struct mm_struct *mm;
	u32 i;

	lockdep_assert_held(&space->lock);

	for (i = 0; i < USER_PAGES; i++) {
		mm = space->pages[i].mm;
		if (!mm || !atomic_read(&mm->mm_users))
			return &space->pages[i];
	}
	return NULL;
}

/* The current thread's call, or NULL. Called with space->lock held. */
static struct iommu_nested_attempt *
find_attempt(struct iommu_nested_space *space)
{
	struct iommu_nested_attempt *attempt;

	lockdep_assert_held(&space->lock);

	list_for_each_entry(attempt, &space->attempts, node)
		if (attempt->task == current)
			return attempt;
	return NULL;
}

/* What does not fit is found to be missing the next time. */
static void add_missing(struct iommu_nested_attempt *attempt,
			unsigned long address)
{
	u32 num = attempt->num_missing;

	address &= PAGE_MASK;
	if (num && attempt->missing[num - 1] == address)
		return;
	if (num < ARRAY_SIZE(attempt->missing))
		attempt->missing[attempt->num_missing++] = address;
}

static int missing(struct iommu_nested_space *space, unsigned long address)
{
	struct iommu_nested_attempt *attempt;

	spin_lock(&space->lock);
	attempt = find_attempt(space);
	if (attempt)
		add_missing(attempt, address);
	spin_unlock(&space->lock);
	return -EAGAIN;
}

/**
 * iommu_nested_user_page - a page of user memory that nobody else uses
 * @viommu: the virtual IOMMU; the caller holds its sem, in @set_context, @invalidate or
 *	@invalidate_generic of a backend that has @user_page
 * @page: set to its address, in the caller's address space
 *
 * For interfaces of the kernel that take user memory only. It is to be used with page
 * faults disabled; where that fails iommu_nested_user_page_missing() is to be returned.
 * Other threads of the caller can write to it at any time. The backend sees to it that
 * it uses the page for one thing at a time.
 *
 * Return: 0; -EAGAIN: the operation is to return this error, and is called again.
 */
int iommu_nested_user_page(struct iommu_nested_viommu *viommu,
			   void __user **page)
{
	struct iommu_nested_space *space = viommu->space;
	struct user_page *mine;

	lockdep_assert_held(&viommu->sem);

	spin_lock(&space->lock);
	mine = find_page(space);
	if (mine)
		*page = (void __user *)mine->address;
	spin_unlock(&space->lock);
	return mine ? 0 : -EAGAIN;
}
EXPORT_SYMBOL_GPL(iommu_nested_user_page);

/**
 * iommu_nested_user_page_missing - the user page could not be accessed
 * @viommu: the virtual IOMMU
 *
 * Return: -EAGAIN, see iommu_nested_user_page().
 */
int iommu_nested_user_page_missing(struct iommu_nested_viommu *viommu)
{
	struct iommu_nested_space *space = viommu->space;
	struct iommu_nested_attempt *attempt;

	spin_lock(&space->lock);
	attempt = find_attempt(space);
	if (attempt)
		attempt->page_missing = true;
	spin_unlock(&space->lock);
	return -EAGAIN;
}
EXPORT_SYMBOL_GPL(iommu_nested_user_page_missing);

/* Makes @page the current address space's, unless another thread has been faster. */
static int publish_page(struct iommu_nested_space *space, unsigned long page)
{
	struct mm_struct *old = NULL;
	struct user_page *slot;
	int ret = 0;

	spin_lock(&space->lock);
	slot = free_page_slot(space);
	if (find_page(space)) {
		ret = -EEXIST;
	} else if (!slot) {
		ret = -EBUSY;
	} else {
		old = slot->mm;
		slot->mm = current->mm;
		mmgrab(current->mm);
		slot->address = page;
	}
	spin_unlock(&space->lock);
	if (old)
		mmdrop(old);
	return ret;
}

static int map_page(struct iommu_nested_space *space)
{
	unsigned long page;
	int ret;

	page = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, 0);
	/* -EAGAIN: too much of the caller's memory is locked */
	if (IS_ERR_VALUE(page))
		return page == -EINTR ? -EINTR : -ENOMEM;
	ret = publish_page(space, page);
	if (ret)
		vm_munmap(page, PAGE_SIZE);
	else
		fault_in_safe_writeable((char __user *)page, PAGE_SIZE);
	return ret == -EEXIST ? 0 : ret;
}

/* The address of the current address space's page; 0: it has none. */
static unsigned long page_address_of(struct iommu_nested_space *space)
{
	unsigned long address = 0;
	struct user_page *mine;

	spin_lock(&space->lock);
	mine = find_page(space);
	if (mine)
		address = mine->address;
	spin_unlock(&space->lock);
	return address;
}

/* The page at @address is not used any more, by whatever thread. */
static bool forget_page(struct iommu_nested_space *space, unsigned long address)
{
	struct user_page *mine;
	bool forgotten;

	spin_lock(&space->lock);
	mine = find_page(space);
	forgotten = mine && mine->address == address;
	if (forgotten)
		mine->mm = NULL;
	spin_unlock(&space->lock);
	if (forgotten)
		mmdrop(current->mm);
	return forgotten;
}

/* The caller has unmapped the page, or made it read only: then it gets another one. */
static int prepare_page(struct iommu_nested_space *space, bool page_missing)
{
	unsigned long page = page_address_of(space);

	if (page && page_missing &&
	    fault_in_safe_writeable((char __user *)page, PAGE_SIZE)) {
		forget_page(space, page);
		page = 0;
	}
	return page ? 0 : map_page(space);
}

/* Most backends need no memory, and their calls no lock for it. */
static void list_attempt(struct iommu_nested_attempt *attempt)
{
	struct iommu_nested_space *space = attempt->viommu->space;

	if (!list_empty(&attempt->node))
		return;
	spin_lock(&space->lock);
	list_add(&attempt->node, &space->attempts);
	spin_unlock(&space->lock);
}

/* It is in the list. */
void iommu_nested_attempt_unlist(struct iommu_nested_attempt *attempt)
{
	struct iommu_nested_space *space = attempt->viommu->space;

	spin_lock(&space->lock);
	list_del(&attempt->node);
	spin_unlock(&space->lock);
}

/* Whether to try again: where nothing has changed a limited number of times. */
static bool may_try(struct iommu_nested_attempt *attempt)
{
	unsigned long first = attempt->num_missing ? attempt->missing[0] : 0;

	if (!attempt->tries++)
		return true;
	attempt->stuck = first == attempt->last ? attempt->stuck + 1 : 0;
	attempt->last = first;
	return attempt->stuck < MAX_STUCK && attempt->tries < MAX_TRIES;
}

/**
 * iommu_nested_attempt_provide - make memory be there
 * @attempt: the call
 *
 * For iommu_nested_attempt_prepare().
 *
 * Context: process, no lock held that a page fault takes.
 * Return: 0; -EFAULT: it is not there at all; -EINTR; -ENOMEM; -EBUSY: too many address
 * spaces use the virtual IOMMU.
 */
int iommu_nested_attempt_provide(struct iommu_nested_attempt *attempt)
{
	struct iommu_nested_viommu *viommu = attempt->viommu;
	bool page_missing = attempt->page_missing;
	u32 i, num = attempt->num_missing;
	int ret;

	if (!READ_ONCE(viommu->user_page) || !current->mm)
		return 0;
	if (fatal_signal_pending(current))
		return -EINTR;
	if (!may_try(attempt))
		return -EFAULT;
	list_attempt(attempt);
	attempt->page_missing = false;
	attempt->num_missing = 0;

	cond_resched();
	ret = prepare_page(viommu->space, page_missing);
	for (i = 0; i < num && !ret; i++)
		if (fault_in_readable((char __user *)attempt->missing[i], 1))
			ret = -EFAULT;
	return ret;
}

/* Prepared, and with viommu->sem held for writing; the same errors. */
int iommu_nested_attempt_lock(struct iommu_nested_attempt *attempt)
{
	return iommu_nested_attempt_prepare(attempt) ?:
	       down_write_killable(&attempt->viommu->sem);
}

/* The user interface lets go; the caller may or may not be who has the page. */
void iommu_nested_space_close(struct iommu_nested_space *space)
{
	unsigned long page = page_address_of(space);

	if (page && forget_page(space, page))
		vm_munmap(page, PAGE_SIZE);
}

/* --- The guest's memory ------------------------------------------------------ */

static struct memory_range *find_range(struct iommu_nested_space *space,
				       u64 ipa, u64 length)
{
	struct memory_range *range;

	list_for_each_entry(range, &space->ranges, node)
		if (ipa - range->ipa < range->length ||
		    range->ipa - ipa < length)
			return range;
	return NULL;
}

/**
 * iommu_nested_read - read guest memory
 * @viommu: the virtual IOMMU; the caller holds its sem
 * @ipa: where
 * @to: where to
 * @len: bytes, which do not cross a page
 *
 * Return: 0; -ENXIO: no such memory is known; -EFAULT: the caller is not in the address
 * space that has named it; -EAGAIN: the operation is to return this error, and is called
 * again, see iommu_nested_user_page(). It may read on before: what is missing is faulted
 * in together, up to IOMMU_NESTED_MISSING pages at a time.
 */
int iommu_nested_read(struct iommu_nested_viommu *viommu, u64 ipa, void *to,
		      size_t len)
{
	struct iommu_nested_space *space = viommu->space;
	struct memory_range *range;
	unsigned long from, left;

	lockdep_assert_held(&viommu->sem);

	range = find_range(space, ipa, 1);
	if (!range)
		return -ENXIO;
	if (range->mm != current->mm)
		return -EFAULT;
	from = range->vaddr + (ipa - range->ipa);

	pagefault_disable();
	left = __copy_from_user_inatomic(to, (void __user *)from, len);
	pagefault_enable();
	return left ? missing(space, from) : 0;
}
EXPORT_SYMBOL_GPL(iommu_nested_read);

static void free_range(struct memory_range *range)
{
	mmdrop(range->mm);
	kfree(range);
}

static void unpin_batches(struct iommu_nested_viommu *viommu)
{
	struct iommu_nested_space *space = viommu->space;
	u64 ipa = space->unpinned->ipa;
	u64 pages = space->unpinned->pinned >> PAGE_SHIFT;
	u64 page;

	while ((page = atomic64_fetch_add(IOMMU_NESTED_PIN_BATCH,
					  &space->next)) < pages) {
		viommu->user->unpin(viommu->user_data, ipa + (page << PAGE_SHIFT),
				    min_t(u64, pages - page,
					  IOMMU_NESTED_PIN_BATCH));
		atomic_inc(&space->progress);
		cond_resched();
	}
}

static void unpin_work(struct work_struct *work)
{
	unpin_batches(container_of(work, struct helper, work)->viommu);
}

/* Before anything is pinned: to unpin it must not fail. */
static int make_helpers(struct iommu_nested_viommu *viommu)
{
	struct iommu_nested_space *space = viommu->space;
	u32 i;

	if (space->helpers)
		return 0;
	space->helpers = kvzalloc_objs(*space->helpers, HELPERS,
				       GFP_KERNEL_ACCOUNT);
	if (!space->helpers)
		return -ENOMEM;
	for (i = 0; i < HELPERS; i++) {
		INIT_WORK(&space->helpers[i].work, unpin_work);
		space->helpers[i].viommu = viommu;
	}
	return 0;
}

/*
 * VFIO takes a lock for each batch, and threads that unmap memory may come in between each
 * time. They can do so a limited number of times only, and many who stand in the line
 * together get it one after the other.
 */
static void unpin_range(struct iommu_nested_viommu *viommu,
			struct memory_range *range)
{
	const u64 batch = IOMMU_NESTED_PIN_BATCH * PAGE_SIZE;
	struct iommu_nested_space *space = viommu->space;
	u32 i, num = min_t(u64, range->pinned / batch, HELPERS);

	space->unpinned = range;
	atomic64_set(&space->next, 0);
	for (i = 0; i < num; i++)
		queue_work(iommu_nested_unpin_workqueue, &space->helpers[i].work);
	unpin_batches(viommu);
	for (i = 0; i < num; i++)
		cancel_work_sync(&space->helpers[i].work);
	range->pinned = 0;
}

/* Called with viommu->sem held for writing. */
static void take_range(struct iommu_nested_viommu *viommu,
		       struct memory_range *range)
{
	if (range->mapped)
		viommu->backend->memory_unmap(viommu, range->ipa, range->mapped);
	range->mapped = 0;
	list_move(&range->node, &viommu->space->leaving);
	viommu->space->num_ranges--;
	WRITE_ONCE(range->leaving, true);
	atomic_inc(&viommu->space->nr_leaving);
}

/* Called with viommu->sem held for writing. */
static int insert_range(struct iommu_nested_viommu *viommu,
			struct memory_range *range)
{
	struct iommu_nested_space *space = viommu->space;

	if (!viommu->backend)
		return -ENODEV;
	if (atomic_read(&space->blocks))
		return -EAGAIN;
	if (find_range(space, range->ipa, range->length))
		return -EEXIST;
	if (space->num_ranges == IOMMU_NESTED_MAX_RANGES)
		return -ENOSPC;
	list_add(&range->node, &space->ranges);
	space->num_ranges++;
	return 0;
}

/*
 * Batches begin at multiples of their size, so that large pages stay large. And so that one
 * has not more than one table of the last level: older intel-iommu leaves entries behind
 * where it finds no memory for the second.
 */
static u32 next_batch(const struct memory_range *range)
{
	static_assert(IOMMU_NESTED_PIN_BATCH * sizeof(u64) <= PAGE_SIZE);
	u64 page = (range->ipa + range->pinned) >> PAGE_SHIFT;
	u64 left = (range->length - range->pinned) >> PAGE_SHIFT;
	u32 room = IOMMU_NESTED_PIN_BATCH - page % IOMMU_NESTED_PIN_BATCH;

	return min_t(u64, left, room);
}

static int map_batch(struct iommu_nested_viommu *viommu,
		     struct memory_range *range, struct page **pages, u32 num)
{
	u64 ipa = range->ipa + range->mapped;
	int ret;

	/* As if VFIO had unmapped it before it was to be pinned */
	if (range->leaving)
		return -EINVAL;
	ret = viommu->backend->memory_map(viommu, ipa, pages, num,
					  IOMMU_READ | IOMMU_WRITE);
	if (!ret)
		range->mapped += (u64)num << PAGE_SHIFT;
	return ret;
}

/*
 * What VFIO has mapped for reading only is refused: intel-iommu does not map it either
 * where it is to be nested on, because of an erratum.
 */
static int mirror_batch(struct iommu_nested_viommu *viommu,
			struct memory_range *range, struct page **pages)
{
	u32 num = next_batch(range);
	int ret;

	/* There may be no device any more through which to pin. */
	if (READ_ONCE(range->leaving))
		return -EINVAL;
	ret = viommu->user->pin(viommu->user_data, range->ipa + range->pinned,
				num, IOMMU_READ | IOMMU_WRITE, pages);
	if (ret)
		return ret;
	range->pinned += (u64)num << PAGE_SHIFT;

	down_read(&viommu->sem);
	ret = map_batch(viommu, range, pages, num);
	up_read(&viommu->sem);
	return ret;
}

/* Anything may happen to the range between two batches. */
static int mirror_range(struct iommu_nested_viommu *viommu,
			struct memory_range *range)
{
	struct page **pages;
	int ret;

	pages = kvmalloc_array(IOMMU_NESTED_PIN_BATCH, sizeof(*pages),
			       GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	for (;;) {
		ret = mirror_batch(viommu, range, pages);
		if (ret || range->pinned == range->length)
			break;
		viommu->user->relax(viommu->user_data);
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
	}
	kvfree(pages);
	return ret;
}

/* The opposite of insert_range(), unless that has been done; frees @range. */
static void drop_range(struct iommu_nested_viommu *viommu,
		       struct memory_range *range)
{
	down_write(&viommu->sem);
	if (!range->leaving)
		take_range(viommu, range);
	up_write(&viommu->sem);

	range->adding = false;
	if (list_empty(&range->node))
		free_range(range);
	iommu_nested_memory_reap(viommu);
}

static int name_range(struct iommu_nested_viommu *viommu,
		      struct memory_range *range)
{
	int ret;

	ret = down_write_killable(&viommu->sem);
	if (ret)
		return ret;
	ret = insert_range(viommu, range);
	up_write(&viommu->sem);
	return ret;
}

static int check_range(u64 ipa, u64 length)
{
	if (!length || !PAGE_ALIGNED(ipa) || !PAGE_ALIGNED(length) ||
	    ipa + length - 1 < ipa)
		return -EINVAL;
	return 0;
}

/**
 * iommu_nested_memory_add - make guest memory known
 * @viommu: the virtual IOMMU
 * @ipa: first address in the guest, a multiple of the page size
 * @length: bytes, likewise, not zero
 * @vaddr: where it is in the caller's address space, likewise
 *
 * If no backend wants to know, nothing is done.
 *
 * Context: process, in that address space, with a lock of the user interface for
 * @viommu that serialises this function, iommu_nested_memory_remove(),
 * iommu_nested_memory_reap(), iommu_nested_bind() and iommu_nested_unbind(); takes
 * viommu->sem, and calls @pin, @unpin and @relax of the user without it.
 * Return: 0; -EINVAL: not aligned, empty or too large, or it is taken away meanwhile, or
 * the pages are not those that VFIO has mapped; -ENODEV: no device is bound; -EEXIST: some
 * of it is known; -ENOSPC: too many ranges; -EAGAIN: somebody has called
 * iommu_nested_memory_block(); -ENOMEM; -EINTR; errors of the user's @pin.
 */
int iommu_nested_memory_add(struct iommu_nested_viommu *viommu, u64 ipa,
			    u64 length, unsigned long vaddr)
{
	struct memory_range *range;
	int ret;

	ret = check_range(ipa, length);
	if (ret)
		return ret;
	if (!PAGE_ALIGNED(vaddr) || !access_ok((void __user *)vaddr, length))
		return -EINVAL;
	if (!READ_ONCE(viommu->backend))
		return -ENODEV;
	if (!READ_ONCE(viommu->user_page))
		return 0;

	range = kzalloc_obj(*range, GFP_KERNEL_ACCOUNT);
	if (!range)
		return -ENOMEM;
	range->ipa = ipa;
	range->length = length;
	range->vaddr = vaddr;
	range->mm = current->mm;
	mmgrab(range->mm);

	ret = name_range(viommu, range);
	if (ret) {
		free_range(range);
		return ret;
	}
	if (!viommu->mirror)
		return 0;
	range->adding = true;
	ret = make_helpers(viommu) ?: mirror_range(viommu, range);
	if (ret)
		drop_range(viommu, range);
	else
		range->adding = false;
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_nested_memory_add);

/**
 * iommu_nested_memory_remove - forget a range of guest memory
 * @viommu: the virtual IOMMU
 * @ipa: as it was added
 * @length: as it was added
 *
 * Context: as iommu_nested_memory_add(), in any address space.
 * Return: 0; -EINVAL: not aligned, empty or too large; -ENODEV: no device is bound;
 * -ENOENT: no such range; -EINTR.
 */
int iommu_nested_memory_remove(struct iommu_nested_viommu *viommu, u64 ipa,
			       u64 length)
{
	struct memory_range *range;
	int ret;

	ret = check_range(ipa, length);
	if (ret)
		return ret;
	ret = down_write_killable(&viommu->sem);
	if (ret)
		return ret;
	if (!viommu->backend) {
		ret = -ENODEV;
	} else if (viommu->user_page) {
		range = find_range(viommu->space, ipa, length);
		if (range && range->ipa == ipa && range->length == length)
			take_range(viommu, range);
		else
			ret = -ENOENT;
	}
	up_write(&viommu->sem);
	iommu_nested_memory_reap(viommu);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_nested_memory_remove);

/**
 * iommu_nested_memory_unmapped - VFIO is about to let go of memory
 * @viommu: the virtual IOMMU
 * @ipa: first address
 * @length: bytes
 *
 * When it returns none of that memory is mapped for @viommu. Its pages are still pinned:
 * iommu_nested_memory_reap() has to follow, by whomever.
 *
 * Context: process; takes viommu->sem.
 */
void iommu_nested_memory_unmapped(struct iommu_nested_viommu *viommu, u64 ipa,
				  u64 length)
{
	struct memory_range *range;

	down_write(&viommu->sem);
	while (viommu->mirror &&
	       (range = find_range(viommu->space, ipa, length)))
		take_range(viommu, range);
	up_write(&viommu->sem);
}
EXPORT_SYMBOL_GPL(iommu_nested_memory_unmapped);

/* Nothing is bound any more, and the tie is about to end. Called with viommu->sem held. */
void iommu_nested_space_untie(struct iommu_nested_viommu *viommu)
{
	struct memory_range *range, *next;

	list_for_each_entry_safe(range, next, &viommu->space->ranges, node) {
		take_range(viommu, range);
		cond_resched();
	}
}

/**
 * iommu_nested_memory_reap - unpin the memory that is to leave
 * @viommu: the virtual IOMMU
 *
 * To be called after iommu_nested_memory_unmapped() and iommu_nested_unbind(), and after
 * an iommu_nested_bind() that has failed, as long as VFIO still holds the pages.
 *
 * Context: process, with the lock of iommu_nested_memory_add(); takes viommu->sem, and
 * calls @unpin of the user without it.
 */
void iommu_nested_memory_reap(struct iommu_nested_viommu *viommu)
{
	struct iommu_nested_space *space = viommu->space;
	struct memory_range *range, *next;
	LIST_HEAD(list);

	down_write(&viommu->sem);
	list_splice_init(&space->leaving, &list);
	up_write(&viommu->sem);

	list_for_each_entry_safe(range, next, &list, node) {
		unpin_range(viommu, range);
		list_del_init(&range->node);
		if (!range->adding)
			free_range(range);
		if (atomic_dec_and_test(&space->nr_leaving))
			wake_up_all(&space->changed);
	}
}
EXPORT_SYMBOL_GPL(iommu_nested_memory_reap);

/**
 * iommu_nested_memory_wait - until no memory is leaving
 * @viommu: the virtual IOMMU
 * @timeout: in jiffies: so long nothing may have been unpinned; 0: only look
 *
 * Context: process, without the lock of iommu_nested_memory_add().
 * Return: whether all memory that was to leave has been unpinned.
 */
bool iommu_nested_memory_wait(struct iommu_nested_viommu *viommu, long timeout)
{
	struct iommu_nested_space *space = viommu->space;
	int progress;

	do {
		progress = atomic_read(&space->progress);
		if (wait_event_timeout(space->changed,
				       !atomic_read(&space->nr_leaving),
				       timeout))
			return true;
	} while (timeout && progress != atomic_read(&space->progress));
	return false;
}
EXPORT_SYMBOL_GPL(iommu_nested_memory_wait);

/**
 * iommu_nested_memory_block - no memory is to be added
 * @viommu: the virtual IOMMU
 *
 * When an iommu_nested_memory_unmapped() that comes afterwards has returned, no page is
 * pinned of what was not known before, until iommu_nested_memory_unblock().
 *
 * Context: any.
 */
void iommu_nested_memory_block(struct iommu_nested_viommu *viommu)
{
	atomic_inc(&viommu->space->blocks);
}
EXPORT_SYMBOL_GPL(iommu_nested_memory_block);

/**
 * iommu_nested_memory_unblock - the opposite of iommu_nested_memory_block()
 * @viommu: the virtual IOMMU
 *
 * Context: any.
 */
void iommu_nested_memory_unblock(struct iommu_nested_viommu *viommu)
{
	if (atomic_dec_and_test(&viommu->space->blocks))
		wake_up_all(&viommu->space->changed);
}
EXPORT_SYMBOL_GPL(iommu_nested_memory_unblock);

/**
 * iommu_nested_memory_wait_unblocked - until memory can be added
 * @viommu: the virtual IOMMU
 *
 * Context: process, without the lock of iommu_nested_memory_add().
 * Return: 0; -EINTR: a fatal signal arrived.
 */
int iommu_nested_memory_wait_unblocked(struct iommu_nested_viommu *viommu)
{
	struct iommu_nested_space *space = viommu->space;

	wait_event_killable(space->changed, !atomic_read(&space->blocks));
	return fatal_signal_pending(current) ? -EINTR : 0;
}
EXPORT_SYMBOL_GPL(iommu_nested_memory_wait_unblocked);
