// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite of the table of recoverable faults: what a cookie is good for, what
 * becomes of groups of page requests, in which order records go, and that the counters
 * add up whatever happens in which order.
 */
#include <kunit/test.h>
#include <linux/prandom.h>

/* The suite is a module of its own, and nothing of table.c is exported. */
#include "table.c"

#define SLOTS	8U
#define NEVER	U64_MAX

/* Two devices in one virtual IOMMU. */
struct fixture {
	struct iommu_nested_table table;
	struct iommu_nested_binding bindings[2];
	struct iommu_nested_pending a, b;
};

static void pending_start(struct iommu_nested_pending *pending,
			  struct iommu_nested_binding *binding, u64 virtual_id)
{
	binding->virtual_id = virtual_id;
	pending->binding = binding;
	iommu_nested_pending_init(pending);
}

static int table_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	test->priv = f;
	iommu_nested_table_init(&f->table);
	pending_start(&f->a, &f->bindings[0], 0x10);
	pending_start(&f->b, &f->bindings[1], 0x20);
	return iommu_nested_table_size(&f->table, SLOTS);
}

static void end_all(struct iommu_nested_table *table,
		    struct iommu_nested_pending *pending)
{
	struct iommu_nested_slot *slot;

	while ((slot = iommu_nested_table_expired(pending, U64_MAX)))
		iommu_nested_table_end(table, slot, IOMMU_NESTED_ABORTED);
}

static void table_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	end_all(&f->table, &f->a);
	end_all(&f->table, &f->b);
	iommu_nested_table_destroy(&f->table);
}

static struct iommu_nested_slot *
add_stall(struct fixture *f, struct iommu_nested_pending *pending, u64 address)
{
	struct vfio_nested_fault fault = {
		.kind = VFIO_NESTED_FAULT_STALL,
		.flags = VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_ADDRESS,
		.virtual_id = pending->binding->virtual_id,
		.address = address,
	};

	return iommu_nested_table_add(&f->table, pending, 0, &fault,
				      address + 1, NEVER);
}

#define REQUEST	(VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_PASID)
#define LAST	(REQUEST | VFIO_NESTED_FAULT_LAST)
#define MARKER	(VFIO_NESTED_FAULT_LAST | VFIO_NESTED_FAULT_PASID)

static struct vfio_nested_fault request(struct iommu_nested_pending *pending,
					u32 pasid, u32 group, u32 flags)
{
	return (struct vfio_nested_fault) {
		.kind = VFIO_NESTED_FAULT_PAGE_REQUEST,
		.flags = flags,
		.virtual_id = pending->binding->virtual_id,
		.pasid = pasid,
		.group = group,
	};
}

static struct iommu_nested_slot *
add_request(struct fixture *f, struct iommu_nested_pending *pending, u32 pasid,
	    u32 group, u32 flags)
{
	struct vfio_nested_fault fault = request(pending, pasid, group, flags);

	return iommu_nested_table_add(&f->table, pending, 0, &fault, 0, NEVER);
}

static struct iommu_nested_slot *first_held(struct fixture *f)
{
	return list_first_entry_or_null(&f->table.backlog,
					struct iommu_nested_slot, queue);
}

/* The user has room for @num records; how many there were. */
static u32 deliver(struct fixture *f, u32 num)
{
	struct iommu_nested_slot *slot;
	u32 i;

	for (i = 0; i < num && (slot = first_held(f)); i++)
		iommu_nested_table_delivered(&f->table, slot);
	return i;
}

static int answer(struct fixture *f, u64 cookie)
{
	struct iommu_nested_slot *slot;
	int err;

	err = iommu_nested_table_find(&f->table, cookie, &slot);
	if (!err)
		iommu_nested_table_end(&f->table, slot, IOMMU_NESTED_ANSWERED);
	return err;
}

/* What has to be true whenever the lock is free. */
static void expect_consistent(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct iommu_nested_table *table = &f->table;
	u64 ended = 0, used, pending = 0, held = 0;
	u32 i;

	for (i = 0; i < IOMMU_NESTED_ENDS; i++)
		ended += table->ended[i];
	KUNIT_EXPECT_EQ(test, table->faults,
			table->pending + table->refused + ended);

	for (i = 0; i < table->num_slots; i++) {
		const struct iommu_nested_slot *slot = &table->slots[i];

		if (!slot->owner)
			continue;
		if (slot->held)
			held++;
		if (iommu_nested_slot_answerable(slot))
			pending++;
		else
			KUNIT_EXPECT_TRUE(test, slot->held);
	}
	KUNIT_EXPECT_EQ(test, table->pending, pending);
	KUNIT_EXPECT_EQ(test, held, table->num_backlog +
				    list_count_nodes(&f->a.parked) +
				    list_count_nodes(&f->b.parked));
	KUNIT_EXPECT_EQ(test, table->num_backlog,
			list_count_nodes(&table->backlog));

	used = f->a.num + f->b.num;
	KUNIT_EXPECT_EQ(test, used + list_count_nodes(&table->free),
			table->num_slots);
	KUNIT_EXPECT_EQ(test, f->a.num, list_count_nodes(&f->a.stalls) +
					list_count_nodes(&f->a.requests));
	KUNIT_EXPECT_EQ(test, f->b.num, list_count_nodes(&f->b.stalls) +
					list_count_nodes(&f->b.requests));
}

static void cookie_works_once(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct iommu_nested_slot *slot = add_stall(f, &f->a, 0x1000);
	u64 cookie;

	KUNIT_ASSERT_NOT_NULL(test, slot);
	cookie = slot->record.cookie;
	KUNIT_EXPECT_NE(test, cookie >> 44, 0);
	KUNIT_EXPECT_EQ(test, slot->key, 0x1001);
	expect_consistent(test);

	/* A guess, before the VMM can know it. */
	KUNIT_EXPECT_EQ(test, answer(f, cookie), -ENOENT);
	KUNIT_EXPECT_EQ(test, deliver(f, 1), 1);
	expect_consistent(test);
	KUNIT_EXPECT_EQ(test, answer(f, cookie), 0);
	expect_consistent(test);
	KUNIT_EXPECT_EQ(test, answer(f, cookie), -EALREADY);
	KUNIT_EXPECT_EQ(test, f->table.ended[IOMMU_NESTED_ANSWERED], 1);
	KUNIT_EXPECT_EQ(test, f->table.delivered, 1);
}

static void cookie_is_checked_in_all_parts(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 cookie = add_stall(f, &f->a, 0)->record.cookie;
	u32 bit;

	deliver(f, 1);
	for (bit = 0; bit < 64; bit++)
		KUNIT_EXPECT_EQ_MSG(test, answer(f, cookie ^ BIT_ULL(bit)),
				    -ENOENT, "bit %u", bit);
	KUNIT_EXPECT_EQ(test, answer(f, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, answer(f, U64_MAX), -ENOENT);
	KUNIT_EXPECT_EQ(test, answer(f, cookie), 0);
}

static void cookie_of_empty_table(struct kunit *test)
{
	struct iommu_nested_table table = {};
	struct iommu_nested_slot *slot;
	struct fixture *f = test->priv;
	struct vfio_nested_fault fault = {
		.kind = VFIO_NESTED_FAULT_STALL,
	};

	iommu_nested_table_init(&table);
	KUNIT_EXPECT_EQ(test, iommu_nested_table_find(&table, (u64)table.tag << 44 | 1 << 12,
						      &slot), -ENOENT);
	KUNIT_EXPECT_EQ(test, iommu_nested_table_find_stall(&table, &f->a, 0, &slot),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, iommu_nested_table_find_group(&table, &f->a, 0, &slot),
			-ENOENT);
	KUNIT_EXPECT_NULL(test, iommu_nested_table_add(&table, &f->a, 0, &fault, 0,
						       NEVER));
	KUNIT_EXPECT_EQ(test, table.faults, 1);
	KUNIT_EXPECT_EQ(test, table.refused, 1);
	iommu_nested_table_destroy(&table);
}

static void fates_are_remembered(struct kunit *test)
{
	static const struct {
		enum iommu_nested_end end;
		int err;
	} fates[] = {
		{ IOMMU_NESTED_ANSWERED, -EALREADY },
		{ IOMMU_NESTED_EXPIRED, -ETIMEDOUT },
		{ IOMMU_NESTED_ABORTED, -ECANCELED },
		{ IOMMU_NESTED_MOVED, -ECANCELED },
	};
	struct fixture *f = test->priv;
	u64 cookies[ARRAY_SIZE(fates)];
	struct iommu_nested_slot *slot;
	size_t i;
	u32 n;

	for (i = 0; i < ARRAY_SIZE(fates); i++) {
		slot = add_stall(f, &f->a, i);
		deliver(f, 1);
		cookies[i] = slot->record.cookie;
		iommu_nested_table_end(&f->table, slot, fates[i].end);
		KUNIT_EXPECT_EQ(test, f->table.ended[fates[i].end], 1);
		expect_consistent(test);
	}
	for (i = 0; i < ARRAY_SIZE(fates); i++)
		KUNIT_EXPECT_EQ(test, answer(f, cookies[i]), fates[i].err);

	/* All slots are used before one is used again. */
	for (n = 0; n < SLOTS - ARRAY_SIZE(fates); n++)
		add_stall(f, &f->a, n);
	for (i = 0; i < ARRAY_SIZE(fates); i++)
		KUNIT_EXPECT_EQ(test, answer(f, cookies[i]), fates[i].err);
	for (i = 0; i < ARRAY_SIZE(fates); i++) {
		add_stall(f, &f->a, n);
		KUNIT_EXPECT_EQ(test, answer(f, cookies[i]), -ESTALE);
	}
	expect_consistent(test);
}

static void fates_outlive_a_larger_table(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 cookie = add_stall(f, &f->a, 0)->record.cookie, other;

	end_all(&f->table, &f->a);
	KUNIT_ASSERT_EQ(test, iommu_nested_table_size(&f->table, 2 * SLOTS), 0);
	KUNIT_EXPECT_EQ(test, answer(f, cookie), -ECANCELED);
	expect_consistent(test);

	other = add_stall(f, &f->a, 0)->record.cookie;
	KUNIT_EXPECT_NE(test, other, cookie);
	deliver(f, 1);
	KUNIT_EXPECT_EQ(test, answer(f, other), 0);
	KUNIT_EXPECT_EQ(test, answer(f, cookie), -ESTALE);

	KUNIT_EXPECT_EQ(test, iommu_nested_table_size(&f->table,
						      IOMMU_NESTED_MAX_PENDING + 1),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, iommu_nested_table_size(&f->table, 2), 0);
	KUNIT_EXPECT_NOT_NULL(test, add_stall(f, &f->a, 0));
	KUNIT_EXPECT_NOT_NULL(test, add_stall(f, &f->a, 0));
	KUNIT_EXPECT_NULL(test, add_stall(f, &f->a, 0));
}

static void generation_wraps(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct iommu_nested_slot *slot;
	u64 before, after;
	u32 i;

	for (i = 0; i < SLOTS; i++)
		f->table.slots[i].generation = U32_MAX - 1;
	slot = add_stall(f, &f->a, 0);
	before = slot->record.cookie;
	KUNIT_EXPECT_EQ(test, slot->generation, U32_MAX);
	end_all(&f->table, &f->a);

	for (i = 0; i < SLOTS; i++)
		slot = add_stall(f, &f->a, 0);
	after = slot->record.cookie;
	KUNIT_EXPECT_EQ(test, slot->generation, 1);
	deliver(f, SLOTS);
	KUNIT_EXPECT_EQ(test, answer(f, before), -ENOENT);
	KUNIT_EXPECT_EQ(test, answer(f, after), 0);
	/* Its tag is what it was: generations do not run into it. */
	KUNIT_EXPECT_EQ(test, before >> 44, after >> 44);
}

static void tag_is_the_guests(struct kunit *test)
{
	struct iommu_nested_slot *found, *a, *b;
	struct fixture *f = test->priv;
	u32 index_a, index_b;

	a = add_stall(f, &f->a, 1);
	b = add_stall(f, &f->b, 2);
	index_a = iommu_nested_slot_index(&f->table, a);
	index_b = iommu_nested_slot_index(&f->table, b);
	KUNIT_EXPECT_EQ(test, iommu_nested_table_find_stall(&f->table, &f->a, index_a,
							    &found), -ENOENT);
	deliver(f, 2);
	KUNIT_EXPECT_EQ(test, iommu_nested_table_find_stall(&f->table, &f->a, index_a,
							    &found), 0);
	KUNIT_EXPECT_PTR_EQ(test, found, a);

	/* The stall of another device of the same guest is not this one's. */
	KUNIT_EXPECT_EQ(test, iommu_nested_table_find_stall(&f->table, &f->a, index_b,
							    &found), -ENOENT);
	KUNIT_EXPECT_EQ(test, iommu_nested_table_find_stall(&f->table, &f->b, SLOTS,
							    &found), -ENOENT);
	KUNIT_EXPECT_EQ(test, iommu_nested_table_find_stall(&f->table, &f->b, 0xffff,
							    &found), -ENOENT);

	iommu_nested_table_end(&f->table, a, IOMMU_NESTED_EXPIRED);
	KUNIT_EXPECT_EQ(test, iommu_nested_table_find_stall(&f->table, &f->a, index_a,
							    &found), -ETIMEDOUT);
}

static void groups_are_keyed(struct kunit *test)
{
	struct iommu_nested_slot *found, *slots[4];
	struct fixture *f = test->priv;
	static const struct {
		u32 pasid, group, flags;
	} groups[] = {
		{ 5, 7, LAST },
		{ 6, 7, LAST },
		{ 5, 8, LAST },
		{ 0, 7, LAST & ~VFIO_NESTED_FAULT_PASID },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(groups); i++) {
		slots[i] = add_request(f, &f->a, groups[i].pasid,
				       groups[i].group, groups[i].flags);
		KUNIT_ASSERT_NOT_NULL(test, slots[i]);
	}
	deliver(f, SLOTS);
	for (i = 0; i < ARRAY_SIZE(groups); i++) {
		bool pasid = groups[i].flags & VFIO_NESTED_FAULT_PASID;
		u64 key = iommu_nested_group_key(pasid, groups[i].pasid,
						 groups[i].group);

		KUNIT_EXPECT_EQ(test, slots[i]->key, key);
		KUNIT_EXPECT_EQ(test, iommu_nested_key_has_pasid(key), pasid);
		KUNIT_EXPECT_EQ(test, iommu_nested_key_pasid(key),
				groups[i].pasid);
		KUNIT_EXPECT_EQ(test, iommu_nested_key_group(key),
				groups[i].group);
		KUNIT_EXPECT_EQ(test, iommu_nested_table_find_group(&f->table, &f->a, key,
								    &found), 0);
		KUNIT_EXPECT_PTR_EQ(test, found, slots[i]);
		KUNIT_EXPECT_EQ(test, iommu_nested_table_find_group(&f->table, &f->b, key,
								    &found), -ENOENT);
	}
	KUNIT_EXPECT_EQ(test, f->table.page_requests, ARRAY_SIZE(groups));
	KUNIT_EXPECT_EQ(test, f->table.faults, ARRAY_SIZE(groups));
}

static void group_is_over_before_it_comes_again(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct iommu_nested_slot *slot = add_request(f, &f->a, 5, 7, LAST);

	deliver(f, 1);
	KUNIT_EXPECT_NULL(test, add_request(f, &f->a, 5, 7, LAST));
	/* It is the device's mistake in any of its requests, and stays one group. */
	KUNIT_EXPECT_NULL(test, add_request(f, &f->a, 5, 7, REQUEST));
	KUNIT_EXPECT_NULL(test, add_request(f, &f->a, 5, 7, LAST));
	KUNIT_EXPECT_EQ(test, f->table.refused, 2);
	KUNIT_EXPECT_NOT_NULL(test, add_request(f, &f->b, 5, 7, LAST));

	KUNIT_EXPECT_EQ(test, answer(f, slot->record.cookie), 0);
	KUNIT_EXPECT_NOT_NULL(test, add_request(f, &f->a, 5, 7, LAST));
	expect_consistent(test);
}

static void requests_need_no_slot_for_long(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	for (i = 0; i < 3 * SLOTS; i++) {
		KUNIT_EXPECT_NOT_NULL(test, add_request(f, &f->a, 1, 2, REQUEST));
		KUNIT_EXPECT_EQ(test, deliver(f, 1), 1);
		expect_consistent(test);
	}
	KUNIT_EXPECT_EQ(test, f->table.page_requests, 3 * SLOTS);
	KUNIT_EXPECT_EQ(test, f->table.faults, 0);
	KUNIT_EXPECT_EQ(test, f->table.delivered, 0);
}

static void poisoned_group_is_refused(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct iommu_nested_slot *slot;
	u32 i;

	/* The ring is full, and so is the table. */
	for (i = 0; i < SLOTS; i++)
		KUNIT_EXPECT_NOT_NULL(test, add_request(f, &f->a, 1, 2, REQUEST));
	KUNIT_EXPECT_NULL(test, add_request(f, &f->a, 1, 3, REQUEST));
	KUNIT_EXPECT_EQ(test, f->table.refused, 0);
	deliver(f, SLOTS);

	/* There is room, but the guest has not got the whole group. */
	KUNIT_EXPECT_NULL(test, add_request(f, &f->a, 1, 3, REQUEST));
	KUNIT_EXPECT_NULL(test, add_request(f, &f->a, 1, 3, LAST));
	KUNIT_EXPECT_EQ(test, f->table.refused, 1);
	/* Once. The next of this name is another group, and tells of the gap. */
	slot = add_request(f, &f->a, 1, 3, LAST);
	KUNIT_ASSERT_NOT_NULL(test, slot);
	KUNIT_EXPECT_TRUE(test, slot->record.flags & VFIO_NESTED_FAULT_GAP);
	slot = add_request(f, &f->a, 1, 2, LAST);
	KUNIT_ASSERT_NOT_NULL(test, slot);
	KUNIT_EXPECT_FALSE(test, slot->record.flags & VFIO_NESTED_FAULT_GAP);
	expect_consistent(test);
}

static void stop_marker_is_no_fault(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct iommu_nested_slot *slot;

	/* It has the name of a group by chance only. */
	KUNIT_ASSERT_NOT_NULL(test, add_request(f, &f->a, 1, 0, LAST));
	__set_bit(0, f->a.poisoned);
	slot = add_request(f, &f->a, 1, 0, MARKER);
	KUNIT_ASSERT_NOT_NULL(test, slot);
	KUNIT_EXPECT_EQ(test, slot->record.cookie, 0);
	KUNIT_EXPECT_TRUE(test, test_bit(0, f->a.poisoned));
	KUNIT_EXPECT_EQ(test, f->table.page_requests, 1);
	KUNIT_EXPECT_EQ(test, f->table.faults, 1);
	deliver(f, 2);
	KUNIT_EXPECT_EQ(test, f->a.num, 1);
	KUNIT_EXPECT_EQ(test, f->table.delivered, 1);
	expect_consistent(test);
}

static void records_keep_their_order(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct iommu_nested_slot *slot;
	u32 i;

	for (i = 0; i < SLOTS; i++)
		add_stall(f, i % 3 ? &f->a : &f->b, i);
	/* What is over meanwhile does not come at all. */
	slot = list_first_entry(&f->b.stalls, struct iommu_nested_slot, siblings);
	iommu_nested_table_end(&f->table, slot, IOMMU_NESTED_EXPIRED);
	for (i = 1; i < SLOTS; i++) {
		slot = first_held(f);
		KUNIT_ASSERT_NOT_NULL(test, slot);
		KUNIT_EXPECT_EQ(test, slot->record.address, i);
		deliver(f, 1);
	}
	KUNIT_EXPECT_NULL(test, first_held(f));
	expect_consistent(test);
}

static void quota_is_kept(struct kunit *test)
{
	struct vfio_nested_fault fault = { .kind = VFIO_NESTED_FAULT_STALL };
	struct fixture *f = test->priv;
	u32 i;

	for (i = 0; i < 5; i++) {
		bool taken = iommu_nested_table_add(&f->table, &f->a, 3, &fault, 0,
						    NEVER);

		KUNIT_EXPECT_EQ(test, taken, i < 3);
	}
	KUNIT_EXPECT_EQ(test, f->table.refused, 2);
	KUNIT_EXPECT_NOT_NULL(test, add_stall(f, &f->b, 0));
	end_all(&f->table, &f->a);
	KUNIT_EXPECT_NOT_NULL(test, iommu_nested_table_add(&f->table, &f->a, 3, &fault,
							   0, NEVER));
	expect_consistent(test);
}

static void closed_and_orphaned_take_nothing(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->a.closed = true;
	KUNIT_EXPECT_NULL(test, add_stall(f, &f->a, 0));
	KUNIT_EXPECT_NULL(test, add_request(f, &f->a, 0, 0, LAST));
	KUNIT_EXPECT_NULL(test, add_request(f, &f->a, 0, 0, MARKER));
	f->a.closed = false;
	KUNIT_EXPECT_NOT_NULL(test, add_stall(f, &f->a, 0));
	f->table.orphan = true;
	KUNIT_EXPECT_NULL(test, add_stall(f, &f->a, 0));
	KUNIT_EXPECT_NULL(test, add_stall(f, &f->b, 0));
	KUNIT_EXPECT_EQ(test, f->table.refused, 4);
	expect_consistent(test);
}

static struct iommu_nested_slot *
add_until(struct fixture *f, struct vfio_nested_fault fault, u64 expires)
{
	return iommu_nested_table_add(&f->table, &f->a, 0, &fault, 0, expires);
}

static void the_oldest_expires_first(struct kunit *test)
{
	struct vfio_nested_fault stall = { .kind = VFIO_NESTED_FAULT_STALL };
	struct iommu_nested_slot *slots[3];
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, iommu_nested_table_earliest(&f->a), NEVER);
	KUNIT_EXPECT_NULL(test, iommu_nested_table_expired(&f->a, NEVER));
	slots[0] = add_until(f, request(&f->a, 1, 1, LAST), 10);
	slots[1] = add_until(f, stall, 20);
	slots[2] = add_until(f, request(&f->a, 1, 2, LAST), 30);
	KUNIT_EXPECT_EQ(test, iommu_nested_table_earliest(&f->a), 10);

	KUNIT_EXPECT_NULL(test, iommu_nested_table_expired(&f->a, 9));
	KUNIT_EXPECT_PTR_EQ(test, iommu_nested_table_expired(&f->a, 10), slots[0]);
	iommu_nested_table_end(&f->table, slots[0], IOMMU_NESTED_EXPIRED);
	KUNIT_EXPECT_EQ(test, iommu_nested_table_earliest(&f->a), 20);
	KUNIT_EXPECT_NULL(test, iommu_nested_table_expired(&f->a, 19));
	KUNIT_EXPECT_PTR_EQ(test, iommu_nested_table_expired(&f->a, 29), slots[1]);
	iommu_nested_table_end(&f->table, slots[1], IOMMU_NESTED_EXPIRED);
	KUNIT_EXPECT_PTR_EQ(test, iommu_nested_table_expired(&f->a, 30), slots[2]);
}

static void stop_keeps_everything(struct kunit *test)
{
	struct vfio_nested_fault stall = { .kind = VFIO_NESTED_FAULT_STALL };
	struct iommu_nested_slot *first, *second, *other;
	struct fixture *f = test->priv;

	first = add_until(f, stall, 100);
	deliver(f, 1);
	second = add_until(f, stall, 110);
	other = add_stall(f, &f->b, 0);

	iommu_nested_table_park(&f->table, &f->a, 50);
	expect_consistent(test);
	KUNIT_EXPECT_EQ(test, f->table.num_backlog, 1);
	KUNIT_EXPECT_PTR_EQ(test, first_held(f), other);
	KUNIT_EXPECT_NULL(test, add_stall(f, &f->a, 0));
	KUNIT_EXPECT_EQ(test, answer(f, second->record.cookie), -ENOENT);
	deliver(f, SLOTS);
	KUNIT_EXPECT_TRUE(test, second->held);

	/* A deadline is as far away as it was. */
	iommu_nested_table_unpark(&f->table, &f->a, 1050);
	expect_consistent(test);
	KUNIT_EXPECT_EQ(test, first->expires, 1100);
	KUNIT_EXPECT_EQ(test, second->expires, 1110);
	KUNIT_EXPECT_PTR_EQ(test, first_held(f), second);
	KUNIT_EXPECT_NOT_NULL(test, add_stall(f, &f->a, 0));
	KUNIT_EXPECT_EQ(test, answer(f, first->record.cookie), 0);
}

static void restore_is_all_or_nothing(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vfio_nested_fault last = request(&f->a, 1, 1, LAST);
	struct vfio_nested_fault more = request(&f->a, 1, 2, REQUEST);
	struct iommu_nested_slot *slot;

	iommu_nested_table_park(&f->table, &f->a, 50);
	slot = iommu_nested_table_restore(&f->table, &f->a, 0, &last, 100);
	KUNIT_ASSERT_FALSE(test, IS_ERR(slot));
	KUNIT_EXPECT_EQ(test, PTR_ERR(iommu_nested_table_restore(&f->table, &f->a, 0,
								 &last, 100)), -EINVAL);
	KUNIT_EXPECT_FALSE(test, IS_ERR(iommu_nested_table_restore(&f->table, &f->a, 0,
								   &more, 100)));
	KUNIT_EXPECT_EQ(test, PTR_ERR(iommu_nested_table_restore(&f->table, &f->a, 2,
								 &more, 100)), -ENOSPC);
	expect_consistent(test);
	KUNIT_EXPECT_EQ(test, f->table.faults, 1);
	KUNIT_EXPECT_EQ(test, f->table.page_requests, 2);

	iommu_nested_table_unrestore(&f->table, &f->a);
	expect_consistent(test);
	KUNIT_EXPECT_EQ(test, f->a.num, 0);
	KUNIT_EXPECT_EQ(test, f->table.faults, 0);
	KUNIT_EXPECT_EQ(test, f->table.page_requests, 0);

	slot = iommu_nested_table_restore(&f->table, &f->a, 0, &last, 100);
	KUNIT_ASSERT_FALSE(test, IS_ERR(slot));
	iommu_nested_table_unpark(&f->table, &f->a, 50);
	KUNIT_EXPECT_EQ(test, deliver(f, SLOTS), 1);
	KUNIT_EXPECT_EQ(test, answer(f, slot->record.cookie), 0);
	expect_consistent(test);
}

/* One of the things that can happen, to one of the devices. */
static void step(struct fixture *f, struct rnd_state *rnd)
{
	u32 what = prandom_u32_state(rnd), group = what >> 8 & 3;
	struct iommu_nested_pending *pending = what & 0x80 ? &f->a : &f->b;
	struct iommu_nested_slot *slot;

	switch (what & 15) {
	case 0 ... 2:
		add_stall(f, pending, what);
		break;
	case 3 ... 4:
		add_request(f, pending, 1, group, REQUEST);
		break;
	case 5 ... 6:
		add_request(f, pending, 1, group, LAST);
		break;
	case 7:
		add_request(f, pending, 1, group, MARKER);
		break;
	case 8 ... 10:
		deliver(f, what >> 16 & 7);
		break;
	case 11 ... 12:
		slot = &f->table.slots[what >> 16 & 7];
		if (!slot->owner || !slot->owner->stopped)
			answer(f, slot->record.cookie);
		break;
	case 13:
		slot = iommu_nested_table_expired(pending, NEVER);
		if (slot)
			iommu_nested_table_end(&f->table, slot,
					       IOMMU_NESTED_EXPIRED);
		break;
	case 14:
		if (pending->stopped)
			iommu_nested_table_unpark(&f->table, pending, 0);
		else
			iommu_nested_table_park(&f->table, pending, 0);
		break;
	case 15:
		if (what >> 16 & 7)
			break;
		end_all(&f->table, pending);
		iommu_nested_table_forget(pending);
		break;
	}
}

static void anything_goes(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct rnd_state rnd;
	u32 i;

	prandom_seed_state(&rnd, 0x1234567);
	for (i = 0; i < 20000; i++) {
		step(f, &rnd);
		expect_consistent(test);
	}
	KUNIT_EXPECT_GT(test, f->table.refused, 0);
	KUNIT_EXPECT_GT(test, f->table.ended[IOMMU_NESTED_ANSWERED], 0);
	KUNIT_EXPECT_GT(test, f->table.ended[IOMMU_NESTED_EXPIRED], 0);
	KUNIT_EXPECT_GT(test, f->table.ended[IOMMU_NESTED_ABORTED], 0);
}

static struct kunit_case table_test_cases[] = {
	KUNIT_CASE(cookie_works_once),
	KUNIT_CASE(cookie_is_checked_in_all_parts),
	KUNIT_CASE(cookie_of_empty_table),
	KUNIT_CASE(fates_are_remembered),
	KUNIT_CASE(fates_outlive_a_larger_table),
	KUNIT_CASE(generation_wraps),
	KUNIT_CASE(tag_is_the_guests),
	KUNIT_CASE(groups_are_keyed),
	KUNIT_CASE(group_is_over_before_it_comes_again),
	KUNIT_CASE(requests_need_no_slot_for_long),
	KUNIT_CASE(poisoned_group_is_refused),
	KUNIT_CASE(stop_marker_is_no_fault),
	KUNIT_CASE(records_keep_their_order),
	KUNIT_CASE(quota_is_kept),
	KUNIT_CASE(closed_and_orphaned_take_nothing),
	KUNIT_CASE(the_oldest_expires_first),
	KUNIT_CASE(stop_keeps_everything),
	KUNIT_CASE(restore_is_all_or_nothing),
	KUNIT_CASE(anything_goes),
	{}
};

static struct kunit_suite table_test_suite = {
	.name = "iommu-nested-table",
	.init = table_test_init,
	.exit = table_test_exit,
	.test_cases = table_test_cases,
};

kunit_test_suite(table_test_suite);

MODULE_DESCRIPTION("KUnit suite of the table of recoverable faults");
MODULE_LICENSE("GPL");
