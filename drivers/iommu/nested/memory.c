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
 *    writing, and under a lock of the user interface that serialises all changes;
 *  - a range that is mirrored has each of its pages pinned from before the backend maps
 *    it until after the backend has unmapped it, or until the virtual IOMMU is not tied
 *    any more, so that nothing is mapped;
 *  - a range leaves in two steps, in whatever way: first, under viommu->sem, nothing of it
 *    is mapped and it is in the list of those that leave; then its pages are unpinned;
 *  - pages are pinned and unpinned with no lock of ours held: VFIO takes its own, and
 *    waits for the first step with some of them held;
 *  - guest memory is read through the address space that has named it, by a caller that
 *    lives there; what is read is the kernel's copy;
 *  - the caller's page holds nothing between two calls.
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

/* How often a call may find that memory is not there before it is given up. */
#define MAX_TRIES	4096

/* ... and how often its address may turn out to be of another caller. */
#define FAULT_TRIES	16

/* Address spaces from which one virtual IOMMU is used in turn. */
#define USER_PAGES	4

/**
 * struct memory_range - guest memory that is known
 * @node: in the list of ranges, or of those that leave
 * @ipa: first address
 * @length: bytes
 * @vaddr: where it is in @mm
 * @mm: whose memory it is; compared only, and kept from being another one
 * @leaving: it is in the list of those that leave; under viommu->sem
 * @pinned: bytes that are pinned; under the user interface's lock
 */
struct memory_range {
	struct list_head node;
	u64 ipa;
	u64 length;
	unsigned long vaddr;
	struct mm_struct *mm;
	bool leaving;
	u64 pinned;
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
 * struct iommu_nested_space - guest memory, and memory of the callers
 * @ranges: under viommu->sem
 * @num_ranges: likewise
 * @leaving: ranges that are mapped nowhere any more, to be unpinned; likewise
 * @nr_leaving: how many have not been unpinned completely
 * @progress: changes whenever some pages have been unpinned
 * @left: who waits for @nr_leaving to be zero
 * @lock: guards what follows, and takes nothing
 * @pages: of the address spaces that have called last
 * @next_page: which of them is given up next
 * @missing: address that a backend has not found; may be stale, or anybody's
 */
struct iommu_nested_space {
	struct list_head ranges;
	u32 num_ranges;
	struct list_head leaving;
	atomic_t nr_leaving;
	atomic_t progress;
	wait_queue_head_t left;
	spinlock_t lock; /* all that follows */
	struct user_page pages[USER_PAGES];
	u32 next_page;
	unsigned long missing;
};

struct iommu_nested_space *iommu_nested_space_create(void)
{
	struct iommu_nested_space *space;

	space = kzalloc_obj(*space, GFP_KERNEL_ACCOUNT);
	if (!space)
		return NULL;
	INIT_LIST_HEAD(&space->ranges);
	INIT_LIST_HEAD(&space->leaving);
	atomic_set(&space->nr_leaving, 0);
	atomic_set(&space->progress, 0);
	init_waitqueue_head(&space->left);
	spin_lock_init(&space->lock);
	return space;
}

void iommu_nested_space_destroy(struct iommu_nested_space *space)
{
	u32 i;

	WARN_ON(!list_empty(&space->ranges) || !list_empty(&space->leaving) ||
		atomic_read(&space->nr_leaving));
	for (i = 0; i < USER_PAGES; i++)
		if (space->pages[i].mm)
			mmdrop(space->pages[i].mm);
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

static int missing(struct iommu_nested_space *space, unsigned long address)
{
	spin_lock(&space->lock);
	space->missing = address;
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
	struct user_page *mine;

	spin_lock(&space->lock);
	mine = find_page(space);
	if (mine)
		space->missing = mine->address;
	spin_unlock(&space->lock);
	return -EAGAIN;
}
EXPORT_SYMBOL_GPL(iommu_nested_user_page_missing);

static int map_user_page(struct iommu_nested_space *space)
{
	struct mm_struct *old = NULL;
	unsigned long page, unused = 0;

	page = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(page))
		return page;

	spin_lock(&space->lock);
	if (find_page(space)) {
		/* Another thread has been faster. */
		unused = page;
	} else {
		old = space->pages[space->next_page].mm;
		space->pages[space->next_page].mm = current->mm;
		mmgrab(current->mm);
		space->pages[space->next_page].address = page;
		space->next_page = (space->next_page + 1) % USER_PAGES;
		space->missing = page;
	}
	spin_unlock(&space->lock);
	if (old)
		mmdrop(old);
	if (unused)
		vm_munmap(unused, PAGE_SIZE);
	return 0;
}

/*
 * Before the first try to do something with viommu->sem held, and after each that has
 * returned -EAGAIN: makes memory be there. The caller holds nothing.
 * Errors: EFAULT: it is not there at all; EINTR; ENOMEM.
 */
int iommu_nested_space_prepare(struct iommu_nested_viommu *viommu, u32 try)
{
	struct iommu_nested_space *space = viommu->space;
	struct user_page *mine;
	bool has_page, forget;
	unsigned long address;
	int ret = 0;

	if (!READ_ONCE(viommu->user_page) || !current->mm)
		return 0;
	if (try == MAX_TRIES)
		return -EFAULT;
	if (fatal_signal_pending(current))
		return -EINTR;

	spin_lock(&space->lock);
	has_page = find_page(space);
	spin_unlock(&space->lock);
	if (!has_page)
		ret = map_user_page(space);
	else if (!try)
		return 0;
	if (ret)
		return ret;

	spin_lock(&space->lock);
	address = space->missing;
	mine = find_page(space);
	has_page = mine && mine->address == address;
	/* A page that the caller has unmapped is not missed any longer. */
	forget = has_page && try > 1;
	if (forget)
		mine->mm = NULL;
	spin_unlock(&space->lock);
	if (forget)
		mmdrop(current->mm);

	cond_resched();
	if (has_page)
		fault_in_safe_writeable((char __user *)address, PAGE_SIZE);
	else if (fault_in_readable((char __user *)address, 1) &&
		 try > FAULT_TRIES)
		return -EFAULT;
	return 0;
}

/* The user interface lets go; the caller may or may not be who has the page. */
void iommu_nested_space_close(struct iommu_nested_space *space)
{
	struct user_page *mine;
	unsigned long page = 0;

	spin_lock(&space->lock);
	mine = find_page(space);
	if (mine) {
		page = mine->address;
		mine->mm = NULL;
	}
	spin_unlock(&space->lock);
	if (!page)
		return;
	vm_munmap(page, PAGE_SIZE);
	mmdrop(current->mm);
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
 * again, see iommu_nested_user_page().
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

static void unpin_range(struct iommu_nested_viommu *viommu,
			struct memory_range *range)
{
	u64 left = range->pinned >> PAGE_SHIFT;
	u64 ipa = range->ipa;

	while (left) {
		u32 num = min_t(u64, left, IOMMU_NESTED_PIN_BATCH);

		viommu->user->unpin(viommu->user_data, ipa, num);
		atomic_inc(&viommu->space->progress);
		ipa += (u64)num << PAGE_SHIFT;
		left -= num;
		cond_resched();
	}
}

/* Called with viommu->sem held for writing; nothing of @range is mapped any more. */
static void add_leaving(struct iommu_nested_space *space,
			struct memory_range *range)
{
	list_move(&range->node, &space->leaving);
	space->num_ranges--;
	range->leaving = true;
	atomic_inc(&space->nr_leaving);
}

/* Called with viommu->sem held for writing. */
static void take_range(struct iommu_nested_viommu *viommu,
		       struct memory_range *range)
{
	if (viommu->mirror)
		viommu->backend->memory_unmap(viommu, range->ipa, range->length);
	add_leaving(viommu->space, range);
}

/* Called with viommu->sem held for writing. */
static int insert_range(struct iommu_nested_viommu *viommu,
			struct memory_range *range)
{
	struct iommu_nested_space *space = viommu->space;

	if (!viommu->backend)
		return -ENODEV;
	if (find_range(space, range->ipa, range->length))
		return -EEXIST;
	if (space->num_ranges == IOMMU_NESTED_MAX_RANGES)
		return -ENOSPC;
	list_add(&range->node, &space->ranges);
	space->num_ranges++;
	return 0;
}

/* Batches begin at multiples of their size, so that large pages stay large. */
static u32 next_batch(const struct memory_range *range)
{
	u64 page = (range->ipa + range->pinned) >> PAGE_SHIFT;
	u64 left = (range->length - range->pinned) >> PAGE_SHIFT;
	u32 room = IOMMU_NESTED_PIN_BATCH - page % IOMMU_NESTED_PIN_BATCH;

	return min_t(u64, left, room);
}

static int mirror_batch(struct iommu_nested_viommu *viommu,
			struct memory_range *range, struct page **pages)
{
	u64 ipa = range->ipa + range->pinned;
	int prot = IOMMU_READ | IOMMU_WRITE;
	u32 num = next_batch(range);
	int ret;

	ret = viommu->user->pin(viommu->user_data, ipa, num, prot, pages);
	if (ret == -EPERM) {
		prot = IOMMU_READ;
		ret = viommu->user->pin(viommu->user_data, ipa, num, prot, pages);
	}
	if (ret)
		return ret;
	range->pinned += (u64)num << PAGE_SHIFT;

	down_read(&viommu->sem);
	/* As if VFIO had unmapped it before it was to be pinned */
	ret = range->leaving ? -EINVAL :
	      viommu->backend->memory_map(viommu, ipa, pages, num, prot);
	up_read(&viommu->sem);
	return ret;
}

/*
 * VFIO may take the range out meanwhile, but nobody unpins it, or ends the tie: that is
 * serialised by the user interface.
 */
static int mirror_range(struct iommu_nested_viommu *viommu,
			struct memory_range *range)
{
	struct page **pages;
	int ret = 0;

	pages = kvmalloc_array(IOMMU_NESTED_PIN_BATCH, sizeof(*pages),
			       GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	while (!ret && range->pinned < range->length) {
		ret = mirror_batch(viommu, range, pages);
		cond_resched();
		if (fatal_signal_pending(current))
			ret = -EINTR;
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
 * viommu->sem, and calls @pin and @unpin of the user without it.
 * Return: 0; -EINVAL: not aligned, empty or too large, or VFIO has unmapped it meanwhile;
 * -ENODEV: no device is bound; -EEXIST: some of it is known; -ENOSPC: too many ranges;
 * -ENOMEM; -EINTR; errors of the user's @pin.
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
		mmdrop(range->mm);
		kfree(range);
		return ret;
	}
	if (!viommu->mirror)
		return 0;
	ret = mirror_range(viommu, range);
	if (ret)
		drop_range(viommu, range);
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

/* The virtual IOMMU is not tied any more. viommu->sem is held for writing. */
void iommu_nested_space_untie(struct iommu_nested_space *space)
{
	struct memory_range *range, *next;

	list_for_each_entry_safe(range, next, &space->ranges, node)
		add_leaving(space, range);
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
		list_del(&range->node);
		mmdrop(range->mm);
		kfree(range);
		if (atomic_dec_and_test(&space->nr_leaving))
			wake_up_all(&space->left);
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
		if (wait_event_timeout(space->left,
				       !atomic_read(&space->nr_leaving),
				       timeout))
			return true;
	} while (timeout && progress != atomic_read(&space->progress));
	return false;
}
EXPORT_SYMBOL_GPL(iommu_nested_memory_wait);
