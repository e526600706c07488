// SPDX-License-Identifier: GPL-2.0
/*
 * Keepers: they let domains go for which there may be page requests.
 *
 * intel-iommu looks up which domain a request is for, and calls its handler some time later.
 * When a domain is detached it waits for the requests that it is handing out, and then
 * forgets the handle of the attachment: what comes in between still finds it. And when the
 * last domain that has a handler goes, it does not wait at all.
 *
 * A keeper is a domain of a device's in which nothing is mapped, and which refuses all
 * requests. As long as the device has other domains with a handler it is attached to a
 * PASID that no guest has, so that intel-iommu waits whenever one of those is detached. And
 * when one has been, it is attached in the same place and detached again: that waits once
 * more, and now nobody can have the old handle (vtd_drain()). Any other domain does as well,
 * where there is time until that is detached (block_rid()).
 *
 * Invariants:
 *  - the handler touches nothing that is ours;
 *  - the handles of the keeper have that gap as well, and nothing tells when the last thread
 *    that has found one has called the handler. In between it waits for no more than a few
 *    bytes of memory. So a keeper, which needs neither the device nor the guest's memory,
 *    stays for a second after its device has left, and so does the module.
 */
#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "vtd.h"

#define GRACE_MS	1000

/**
 * struct vtd_keeper - see above
 * @domain: nothing is mapped in it, constant
 * @pasid: where it is attached, constant
 * @handle: of that attachment
 * @attached: it is
 * @drain: handle of another attachment, which is over soon
 * @node: in the list of those whose device has left
 * @since: when that was, in jiffies
 */
struct vtd_keeper {
	struct iommu_domain *domain;
	u32 pasid;
	struct iommu_attach_handle handle;
	bool attached;
	struct iommu_attach_handle drain;
	struct list_head node;
	unsigned long since;
};

static DEFINE_MUTEX(retired_lock); /* the list; taken inside of vtd_viommu.lock */
static LIST_HEAD(retired);

static int refuse(struct iopf_group *group)
{
	iopf_group_dequeue(group);
	iopf_group_response(group, IOMMU_PAGE_RESP_INVALID);
	iopf_free_group(group);
	return 0;
}

/**
 * vtd_keeper_create - before the first domain with a handler is made
 * @vdev: for which device
 *
 * Context: with vtd_viommu.lock held.
 * Return: 0, also if there is one, or none is needed; -ENOMEM; errors of intel-iommu.
 */
int vtd_keeper_create(struct vtd_dev *vdev)
{
	const u32 half = vdev->dev->iommu->max_pasids / 2;
	struct vtd_keeper *keeper;
	int ret;

	if (!vdev->pri || vdev->keeper)
		return 0;
	keeper = kzalloc_obj(*keeper, GFP_KERNEL_ACCOUNT);
	if (!keeper)
		return -ENOMEM;
	keeper->domain = iommu_paging_domain_alloc(vdev->dev);
	if (IS_ERR(keeper->domain)) {
		ret = PTR_ERR(keeper->domain);
		kfree(keeper);
		return ret;
	}
	keeper->domain->iopf_handler = refuse;
	keeper->pasid = half + get_random_u32_below(half);
	vdev->keeper = keeper;
	return 0;
}

/**
 * vtd_keeper_attach - before the first domain with a handler is attached
 * @vdev: to which device
 *
 * Context: with vtd_viommu.lock held.
 * Return: 0, also if it is attached, or none is needed; errors of the IOMMU core and of
 * intel-iommu.
 */
int vtd_keeper_attach(struct vtd_dev *vdev)
{
	struct vtd_keeper *keeper = vdev->keeper;
	int ret;

	if (!keeper || keeper->attached)
		return 0;
	ret = iommu_attach_device_pasid(keeper->domain, vdev->dev,
					keeper->pasid, &keeper->handle);
	keeper->attached = !ret;
	return ret;
}

/**
 * vtd_keeper_detach - after the last domain with a handler has been detached
 * @vdev: from which device
 *
 * Context: with vtd_viommu.lock held.
 */
void vtd_keeper_detach(struct vtd_dev *vdev)
{
	struct vtd_keeper *keeper = vdev->keeper;

	if (!keeper || !keeper->attached)
		return;
	iommu_detach_device_pasid(keeper->domain, vdev->dev, keeper->pasid);
	keeper->attached = false;
}

/* Those that nobody can know any more */
static void free_retired(void)
{
	struct vtd_keeper *keeper, *next;

	list_for_each_entry_safe(keeper, next, &retired, node) {
		if (time_before(jiffies, keeper->since + msecs_to_jiffies(GRACE_MS)))
			break;
		list_del(&keeper->node);
		iommu_domain_free(keeper->domain);
		kfree(keeper);
	}
}

/**
 * vtd_keeper_retire - no domain with a handler will be made any more
 * @vdev: of the device, with the keeper detached
 *
 * It is freed when another one retires, or by vtd_keepers_exit().
 *
 * Context: with vtd_viommu.lock held.
 */
void vtd_keeper_retire(struct vtd_dev *vdev)
{
	struct vtd_keeper *keeper = vdev->keeper;

	if (!keeper)
		return;
	vdev->keeper = NULL;
	mutex_lock(&retired_lock);
	free_retired();
	keeper->since = jiffies;
	list_add_tail(&keeper->node, &retired);
	mutex_unlock(&retired_lock);
}

/* The module goes: no device is left. */
void vtd_keepers_exit(void)
{
	if (list_empty(&retired))
		return;
	msleep(GRACE_MS);
	free_retired();
}

/**
 * vtd_keeper_waits - whether intel-iommu waits for page requests of what is detached
 * @vdev: from which device
 *
 * Context: with vtd_viommu.lock held.
 */
bool vtd_keeper_waits(const struct vtd_dev *vdev)
{
	return vdev->keeper && vdev->keeper->attached;
}

/**
 * vtd_drain - wait until a domain's handler does not run any more
 * @vdev: the device
 * @pasid: from which the domain has been detached
 *
 * Context: with vtd_viommu.lock held.
 * Return: whether that could be done, or nothing had to be; if not, the domain and the
 * handle of its attachment have to stay for now.
 */
bool vtd_drain(struct vtd_dev *vdev, u32 pasid)
{
	struct vtd_keeper *keeper = vdev->keeper;

	if (!vdev->pri)
		return true;
	if (!vtd_keeper_waits(vdev))
		return false;
	if (pasid == VTD_RID_PASID) {
		if (iommu_attach_group_handle(keeper->domain, vdev->group,
					      &keeper->drain))
			return false;
		iommu_detach_group_handle(keeper->domain, vdev->group);
		return true;
	}
	if (iommu_attach_device_pasid(keeper->domain, vdev->dev, pasid,
				      &keeper->drain))
		return false;
	iommu_detach_device_pasid(keeper->domain, vdev->dev, pasid);
	return true;
}
