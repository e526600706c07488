// SPDX-License-Identifier: GPL-2.0
/*
 * Shadows: what the guest's PASID tables said when they were read last.
 *
 * Invariants:
 *  - a shadow never changes. Another entry of the guest's becomes another shadow, and
 *    the old one is detached before it is freed;
 *  - the tables are read when the context is set and where an invalidation of the PASID
 *    cache says so, and at no other time: like hardware that caches entries until then,
 *    and in caching mode, which the guest is told of, also those that are not present;
 *  - the number of shadows is bounded, whatever the tables say;
 *  - who changes shadows goes on from any point: after an error, or if guest memory has
 *    to be faulted in first, the same is done again. What the guest has taken away goes
 *    first: an error can mean only that something is not there yet.
 *
 * All of it is called with vtd_viommu.lock held, and viommu->sem.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "vtd.h"

/* A state without shadows: VTD_MODE_STAGE2. NULL: no memory. */
struct vtd_state *vtd_state_create(void)
{
	struct vtd_state *state;

	state = kzalloc_obj(*state, GFP_KERNEL_ACCOUNT);
	if (state)
		xa_init_flags(&state->shadows, XA_FLAGS_ACCOUNT);
	return state;
}

static void destroy_shadow(struct vtd_shadow *shadow)
{
	shadow->vdev->viommu->num_shadows--;
	if (shadow->entry.kind == VTD_STAGE1)
		iommu_domain_free(shadow->domain);
	kfree(shadow);
}

/* It is in no state any more. */
static void free_shadow(struct vtd_dev *vdev, struct vtd_shadow *shadow)
{
	WARN_ON(shadow->attached);
	if (shadow->undrained)
		list_add(&shadow->node, &vdev->undrained);
	else
		destroy_shadow(shadow);
}

/* Of those that @pasid had, no handler runs any more. */
void vtd_free_drained(struct vtd_dev *vdev, u32 pasid)
{
	struct vtd_shadow *shadow, *next;

	list_for_each_entry_safe(shadow, next, &vdev->undrained, node) {
		if (shadow->pasid != pasid)
			continue;
		list_del(&shadow->node);
		destroy_shadow(shadow);
	}
}

/* Before the device leaves; handlers that may still run get time to end. */
void vtd_free_undrained(struct vtd_dev *vdev)
{
	struct vtd_shadow *shadow, *next;

	if (list_empty(&vdev->undrained))
		return;
	msleep(1000);
	list_for_each_entry_safe(shadow, next, &vdev->undrained, node) {
		list_del(&shadow->node);
		destroy_shadow(shadow);
	}
}

/* @state, of which nothing is in force, is as it was created. */
void vtd_state_clear(struct vtd_dev *vdev, struct vtd_state *state)
{
	struct vtd_shadow *shadow;
	unsigned long pasid;

	xa_for_each(&state->shadows, pasid, shadow)
		free_shadow(vdev, shadow);
	xa_destroy(&state->shadows);
	state->num_shadows = 0;
	state->mode = VTD_MODE_STAGE2;
	state->tables = false;
}

/* Nothing of @state is in force. */
void vtd_state_destroy(struct vtd_dev *vdev, struct vtd_state *state)
{
	vtd_state_clear(vdev, state);
	kfree(state);
}

static struct iommu_domain *domain_for(struct vtd_dev *vdev,
				       const struct vtd_entry *entry)
{
	int ret;

	if (entry->kind == VTD_PASSTHROUGH)
		return vdev->viommu->parent;
	ret = vtd_keeper_create(vdev);
	if (ret)
		return ERR_PTR(ret);
	return vtd_nested_alloc(vdev->viommu, vdev->dev, entry,
				vdev->pri ? vtd_fault : NULL);
}

static struct vtd_shadow *make_shadow(struct vtd_dev *vdev, u32 pasid,
				      const struct vtd_entry *entry)
{
	struct vtd_shadow *shadow;

	shadow = kzalloc_obj(*shadow, GFP_KERNEL_ACCOUNT);
	if (!shadow)
		return ERR_PTR(-ENOMEM);
	shadow->domain = domain_for(vdev, entry);
	if (IS_ERR(shadow->domain)) {
		int ret = PTR_ERR(shadow->domain);

		kfree(shadow);
		return ERR_PTR(ret);
	}
	shadow->vdev = vdev;
	shadow->pasid = pasid;
	shadow->entry = *entry;
	vdev->viommu->num_shadows++;
	return shadow;
}

static int add_shadow(struct vtd_dev *vdev, struct vtd_state *state, u32 pasid,
		      const struct vtd_entry *entry)
{
	u32 used = vdev->viommu->num_shadows;
	struct vtd_shadow *shadow;
	int ret;

	/* A state that is being built is going to take the place of the other. */
	if (state != vdev->state)
		used -= vdev->state->num_shadows;
	if (used >= VTD_MAX_SHADOWS) {
		dev_notice_ratelimited(vdev->dev, "PASID %u is not translated: the guest has %u in use, and may have no more\n",
				       pasid, VTD_MAX_SHADOWS);
		return -ENOSPC;
	}
	shadow = make_shadow(vdev, pasid, entry);
	if (IS_ERR(shadow))
		return PTR_ERR(shadow);
	ret = xa_insert(&state->shadows, pasid, shadow, GFP_KERNEL);
	if (ret)
		free_shadow(vdev, shadow);
	else
		state->num_shadows++;
	return ret;
}

/* --- Reading the guest's tables ----------------------------------------------- */

static int read_guest(void *data, u64 address, void *to, size_t len)
{
	struct vtd_viommu *viommu = data;

	if (fatal_signal_pending(current))
		return -EINTR;
	return iommu_nested_read(viommu->core, address, to, len);
}

static struct vtd_memory guest_memory(struct vtd_dev *vdev)
{
	return (struct vtd_memory){
		.read = read_guest,
		.data = vdev->viommu,
	};
}

/**
 * struct build - a state that is being made
 * @vdev: for which device
 * @state: has no shadow of what has not been visited
 */
struct build {
	struct vtd_dev *vdev;
	struct vtd_state *state;
};

static int build_shadow(void *data, u32 pasid, const struct vtd_entry *entry)
{
	struct build *build = data;

	return add_shadow(build->vdev, build->state, pasid, entry);
}

/**
 * struct look - which of the guest's tables are in memory
 * @viommu: whose guest
 * @missing: some of them are not
 */
struct look {
	struct vtd_viommu *viommu;
	bool missing;
};

static int look_at(void *data, u64 address, void *to, size_t len)
{
	struct look *look = data;
	int ret;

	ret = read_guest(look->viommu, address, to, len);
	if (ret != -EAGAIN)
		return ret;
	look->missing = true;
	return -ENXIO;
}

static int visit_nothing(void *data, u32 pasid, const struct vtd_entry *entry)
{
	return 0;
}

/* -EAGAIN: not all tables are in memory; the core knows now of those that are not. */
static int look_for_tables(struct vtd_dev *vdev, const struct vtd_state *state)
{
	struct look look = { vdev->viommu };
	struct vtd_memory memory = { look_at, &look };
	struct vtd_visitor visitor = { visit_nothing };
	int ret;

	ret = vtd_pasid_walk(&memory, &state->context, &vdev->limits, &visitor);
	if (!ret && look.missing)
		return -EAGAIN;
	return ret;
}

/* What is built when something is missing is built again, when all of that is there. */
static int build_from_tables(struct vtd_dev *vdev, struct vtd_state *state)
{
	struct vtd_memory memory = guest_memory(vdev);
	struct build build = { vdev, state };
	struct vtd_visitor visitor = { build_shadow, &build };
	int ret;

	ret = vtd_pasid_walk(&memory, &state->context, &vdev->limits, &visitor);
	return ret == -EAGAIN ? look_for_tables(vdev, state) ?: ret : ret;
}

static int build_vtd(struct vtd_dev *vdev, struct vtd_state *state,
		     const struct vfio_nested_context_vtd *data)
{
	const char *why;
	int ret;

	ret = vtd_context_check(data->entry, &vdev->limits, &state->context,
				&why);
	if (ret) {
		dev_notice_ratelimited(vdev->dev, "refused context entry 0x%016llx 0x%016llx: %s\n",
				       le64_to_cpu(data->entry[0]),
				       le64_to_cpu(data->entry[1]), why);
		return ret;
	}
	if (!state->context.present) {
		state->mode = VTD_MODE_ABORT;
		return 0;
	}
	state->mode = VTD_MODE_SHADOWS;
	state->tables = true;
	return build_from_tables(vdev, state);
}

static int build_table(struct vtd_dev *vdev, struct vtd_state *state,
		       const struct vfio_nested_context_table *data)
{
	const struct vtd_limits *limits = &vdev->limits;
	struct vtd_entry entry;
	__le64 words[PTE_WORDS] = {};
	u64 levels = PTE_FSPM_4LEVEL;
	const char *why;

	if (data->format != VFIO_NESTED_TABLE_X86_64)
		return -EOPNOTSUPP;
	if (data->table & ~PTE2_FSPTPTR)
		return -EINVAL;
	if (data->address_width == 57)
		levels = PTE_FSPM_5LEVEL;
	else if (data->address_width != 48)
		return -EINVAL;

	/* As if the guest had an entry for it, which is looked at in the same way. */
	words[0] = cpu_to_le64(PTE0_P | FIELD_PREP(PTE0_PGTT, PTE_PGTT_FIRST));
	words[2] = cpu_to_le64(data->table | FIELD_PREP(PTE2_FSPM, levels));
	if (vtd_entry_check(words, limits, &entry, &why)) {
		dev_notice_ratelimited(vdev->dev, "refused table 0x%016llx of %u bits: %s\n",
				       data->table, data->address_width, why);
		return -EINVAL;
	}
	state->mode = VTD_MODE_SHADOWS;
	return add_shadow(vdev, state, VTD_RID_PASID, &entry);
}

/**
 * vtd_state_build - what a context asks for
 * @vdev: the device
 * @state: new; on error to be destroyed as well
 * @context: not checked yet
 *
 * Return: 0; -EINVAL: not legal; -EOPNOTSUPP: of another architecture; -ENOMEM; -ENOSPC:
 * too many PASIDs; -EFAULT, -EAGAIN: of iommu_nested_read(); -EINTR; errors of
 * intel-iommu.
 */
int vtd_state_build(struct vtd_dev *vdev, struct vtd_state *state,
		    const struct iommu_nested_context *context)
{
	switch (context->type) {
	case VFIO_NESTED_CONTEXT_CLEAR:
	case VFIO_NESTED_CONTEXT_BYPASS:
		state->mode = VTD_MODE_STAGE2;
		return 0;
	case VFIO_NESTED_CONTEXT_ABORT:
		state->mode = VTD_MODE_ABORT;
		return 0;
	case VFIO_NESTED_CONTEXT_VTD:
		return build_vtd(vdev, state, &context->data.vtd);
	case VFIO_NESTED_CONTEXT_TABLE:
		return build_table(vdev, state, &context->data.table);
	}
	return -EOPNOTSUPP;
}

/* --- Following the guest's tables ---------------------------------------------- */

static void remove_shadow(struct vtd_dev *vdev, struct vtd_shadow *shadow)
{
	vtd_detach_shadow(vdev, shadow);
	xa_erase(&vdev->state->shadows, shadow->pasid);
	vdev->state->num_shadows--;
	free_shadow(vdev, shadow);
}

/* What could not be put in force is not there: the same entry is tried again then. */
static int attach_or_remove(struct vtd_dev *vdev, u32 pasid)
{
	struct vtd_shadow *shadow;
	int ret;

	ret = vtd_attach_pasid(vdev, pasid);
	shadow = ret ? xa_load(&vdev->state->shadows, pasid) : NULL;
	if (shadow)
		remove_shadow(vdev, shadow);
	return ret;
}

/* What the guest has taken away is not in force any more, whatever happens to others. */
static int sync_removed(struct vtd_dev *vdev)
{
	struct vtd_memory memory = guest_memory(vdev);
	struct vtd_shadow *shadow;
	struct vtd_entry entry;
	unsigned long pasid;
	const char *why;
	int err, ret = 0;

	xa_for_each(&vdev->state->shadows, pasid, shadow) {
		err = vtd_pasid_read(&memory, &vdev->state->context,
				     &vdev->limits, pasid, &entry, &why);
		if (err == -EINTR)
			return err;
		ret = ret ?: err;
		if (!err && !vtd_entry_equal(&shadow->entry, &entry))
			remove_shadow(vdev, shadow);
	}
	return ret;
}

/* Make the shadow of @pasid what @entry says. */
static int sync_entry(struct vtd_dev *vdev, u32 pasid,
		      const struct vtd_entry *entry)
{
	struct vtd_shadow *old = xa_load(&vdev->state->shadows, pasid);
	int ret;

	if (old && vtd_entry_equal(&old->entry, entry))
		return 0;
	if (old)
		remove_shadow(vdev, old);
	if (entry->kind != VTD_BLOCKED) {
		ret = add_shadow(vdev, vdev->state, pasid, entry);
		if (ret)
			return ret;
	}
	return attach_or_remove(vdev, pasid);
}

/**
 * vtd_sync_pasid - the guest's entry of one PASID may have changed
 * @vdev: the device
 * @pasid: any number
 *
 * On error the PASID is not translated, or as it was.
 *
 * Return: 0; -ENOMEM, -ENOSPC, -EFAULT, -EAGAIN, -EINTR: see vtd_state_build(); -EBUSY: see
 * vtd_attach_pasid().
 */
int vtd_sync_pasid(struct vtd_dev *vdev, u32 pasid)
{
	struct vtd_memory memory = guest_memory(vdev);
	struct vtd_entry entry;
	const char *why;
	int ret;

	if (!vdev->state->tables)
		return 0;
	ret = vtd_pasid_read(&memory, &vdev->state->context, &vdev->limits,
			     pasid, &entry, &why);
	if (ret)
		return ret;
	if (why)
		dev_notice_ratelimited(vdev->dev, "the guest's entry of PASID %u is not legal: %s\n",
				       pasid, why);
	return sync_entry(vdev, pasid, &entry);
}

static int sync_visit(void *data, u32 pasid, const struct vtd_entry *entry)
{
	return sync_entry(data, pasid, entry);
}

/**
 * vtd_sync_all - any of the guest's entries may have changed
 * @vdev: the device
 *
 * Return: as vtd_sync_pasid().
 */
int vtd_sync_all(struct vtd_dev *vdev)
{
	struct vtd_memory memory = guest_memory(vdev);
	struct vtd_visitor visitor = { sync_visit, vdev };
	int ret;

	if (!vdev->state->tables)
		return 0;
	ret = sync_removed(vdev);
	if (!ret)
		ret = look_for_tables(vdev, vdev->state);
	return ret ?: vtd_pasid_walk(&memory, &vdev->state->context,
				     &vdev->limits, &visitor);
}
