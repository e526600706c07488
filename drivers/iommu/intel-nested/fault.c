// SPDX-License-Identifier: GPL-2.0
/*
 * Page requests, and their answers.
 *
 * intel-iommu takes page requests from the hardware and hands them, in groups that are
 * complete, to the handler of the domain that is attached. They become records of the
 * core, which keeps what is pending; the group itself is of no use any more then.
 *
 * Invariants:
 *  - each group is answered once: here, if the core does not take it, and else when the
 *    core, or vtd_end_faults(), says so;
 *  - nobody but us answers it: it is taken off the list of what intel-iommu ends by
 *    itself when the last handler of a device goes;
 *  - when a domain is freed, no handler runs for it (keeper.c);
 *  - Response Failure reaches no function: the in-tree driver has no correct encoding for
 *    it, and a function may share its page request interface.
 */
#include <linux/iommu.h>
#include <linux/pci.h>

#include "prq.h"
#include "vtd.h"

static u64 key_of(const struct iommu_fault_page_request *request)
{
	return iommu_nested_group_key(request->flags &
				      IOMMU_FAULT_PAGE_REQUEST_PASID_VALID,
				      request->pasid, request->grpid);
}

/* Report the requests of a group in their order; whether the last one is taken. */
static bool report_group(struct vtd_dev *vdev, struct iopf_group *group)
{
	struct iommu_nested_binding *binding = vdev->binding;
	struct vfio_nested_fault fault;
	struct iopf_fault *iopf;
	bool taken = false;

	list_for_each_entry(iopf, &group->faults, list) {
		vtd_prq_to_fault(&iopf->fault.prm, binding->virtual_id, &fault);
		taken = iommu_nested_report_fault(binding, &fault,
						  key_of(&iopf->fault.prm));
	}
	return taken;
}

/**
 * vtd_fault - the handler of nested domains
 * @group: a group of page requests that is complete
 *
 * Context: the thread of intel-iommu's page request queue, with locks of it held.
 * Return: 0: the group is not the caller's any more.
 */
int vtd_fault(struct iopf_group *group)
{
	struct vtd_shadow *shadow = container_of(group->attach_handle,
						 struct vtd_shadow, handle);
	struct vtd_dev *vdev = shadow->vdev;

	iopf_group_dequeue(group);
	if (!READ_ONCE(vdev->credits) || !READ_ONCE(vdev->may_request) ||
	    !report_group(vdev, group))
		iopf_group_response(group, IOMMU_PAGE_RESP_INVALID);
	iopf_free_group(group);
	return 0;
}

static void answer_group(struct vtd_dev *vdev, u64 key, u32 status)
{
	bool has_pasid = iommu_nested_key_has_pasid(key);
	struct iopf_fault fault = {
		.fault = {
			.type = IOMMU_FAULT_PAGE_REQ,
			.prm = {
				.flags = IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE |
					 (has_pasid ?
					  IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
					  IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID :
					  0),
				.pasid = iommu_nested_key_pasid(key),
				.grpid = iommu_nested_key_group(key),
			},
		},
	};
	struct iommu_page_response response = {
		.pasid = fault.fault.prm.pasid,
		.grpid = fault.fault.prm.grpid,
		.code = status,
	};

	vdev->viommu->ops->page_response(vdev->dev, &fault, &response);
}

/**
 * vtd_end_faults - end what is pending, because the device leaves or is reset
 * @vdev: the device, from which no domain can report any more
 *
 * What has been saved is somebody else's to answer.
 *
 * Context: with viommu->sem held for writing.
 */
void vtd_end_faults(struct vtd_dev *vdev)
{
	struct iommu_nested_binding *binding = vdev->binding;
	u32 pos = 0;
	u64 key;

	if (binding->saved)
		return;
	while (iommu_nested_next_pending(binding,
					 VFIO_NESTED_FAULT_PAGE_REQUEST, &pos,
					 &key))
		answer_group(vdev, key, IOMMU_PAGE_RESP_INVALID);
}

/* The backend's @respond */
int vtd_respond(struct iommu_nested_viommu *core,
		const struct iommu_nested_answer *answers, u32 num)
{
	u32 i;

	for (i = 0; i < num; i++)
		answer_group(answers[i].binding->backend_data, answers[i].key,
			     answers[i].code == VFIO_NESTED_RESPONSE_RETRY ?
			     IOMMU_PAGE_RESP_SUCCESS : IOMMU_PAGE_RESP_INVALID);
	return 0;
}

/*
 * The backend's @set_page_requests. The in-tree driver has enabled them in the function,
 * with credits of its own; until the guest does so, and when it has taken them away, new
 * ones are refused. Those that are pending stay so.
 */
int vtd_set_page_requests(struct iommu_nested_binding *binding, u32 credits)
{
	struct vtd_dev *vdev = binding->backend_data;

	if (credits && !vdev->pri)
		return -EOPNOTSUPP;
	WRITE_ONCE(vdev->credits, credits);
	return 0;
}

/* The backend's @restore_request */
int vtd_restore_request(struct iommu_nested_binding *binding,
			struct vfio_nested_fault *fault)
{
	struct vtd_dev *vdev = binding->backend_data;

	if (!vdev->pri || fault->group >= IOMMU_NESTED_GROUPS ||
	    fault->address & ~PRQ1_ADDR)
		return -EINVAL;
	if (fault->flags & VFIO_NESTED_FAULT_PASID &&
	    fault->pasid >> vdev->limits.pasid_bits)
		return -EINVAL;
	vtd_prq_fill_raw(fault, binding->virtual_id);
	return 0;
}
