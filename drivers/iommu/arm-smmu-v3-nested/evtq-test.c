// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of taking records out of a queue. The registers are memory, and the hardware
 * is whoever writes to it: also while records are handled.
 */
#include <kunit/test-bug.h>
#include <kunit/test.h>

/* Depends on nothing but registers. */
#include "evtq.c"

#define SLOTS		8
#define OVERFLOW	BIT(31)

/**
 * struct fixture - a queue, and the hardware behind it
 * @smmu: for messages
 * @evtq: the queue
 * @prod: register: index, wrap bit and overflow flag of the hardware
 * @cons: register: the same of the driver
 * @slots: the records: the first word says which one it is
 * @written: records so far
 * @taken: of these, handled
 * @late: records that come while others are handled
 * @slow: the record that the interrupt handler must leave to its thread
 */
struct fixture {
	struct smmu_device smmu;
	struct smmu_evtq evtq;
	u32 prod;
	u32 cons;
	__le64 slots[SLOTS * EVT_DWORDS];
	u64 written;
	u64 taken;
	u64 late;
	u64 slow;
};

static void hardware_writes(struct fixture *f)
{
	f->slots[f->written % SLOTS * EVT_DWORDS] = cpu_to_le64(f->written);
	f->written++;
	f->prod = (f->prod & OVERFLOW) | f->written % (2 * SLOTS);
}

/* Also what comes while the queue has others, without an interrupt */
static void take(struct smmu_device *smmu, const u64 *record)
{
	struct fixture *f = container_of(smmu, struct fixture, smmu);

	KUNIT_EXPECT_EQ(kunit_get_current_test(), record[0], f->taken);
	f->taken++;
	if (f->late) {
		f->late--;
		hardware_writes(f);
	}
}

static bool take_quick(struct smmu_device *smmu, const u64 *record)
{
	struct fixture *f = container_of(smmu, struct fixture, smmu);

	if (record[0] == f->slow)
		return false;
	take(smmu, record);
	return true;
}

static int evtq_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	f->slow = U64_MAX;
	f->evtq.name = "test";
	f->evtq.handle = take;
	f->evtq.quick = take_quick;
	f->evtq.q.base = f->slots;
	f->evtq.q.slots = SLOTS;
	f->evtq.q.dwords = EVT_DWORDS;
	f->evtq.q.prod = (void __iomem __force *)&f->prod;
	f->evtq.q.cons = (void __iomem __force *)&f->cons;
	mutex_init(&f->evtq.lock);
	spin_lock_init(&f->evtq.claim);
	test->priv = f;
	return 0;
}

static void expect_all_taken(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, f->taken, f->written);
	KUNIT_EXPECT_EQ(test, f->cons, f->prod);
}

static bool quick(struct fixture *f)
{
	unsigned long flags;
	bool done;

	local_irq_save(flags);
	done = smmu_evtq_process_quick(&f->smmu, &f->evtq);
	local_irq_restore(flags);
	return done;
}

/* Through all positions, and the wrap bit */
static void records_come_once_and_in_order(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 num, i;

	for (num = 0; num <= SLOTS; num++) {
		for (i = 0; i < num; i++)
			hardware_writes(f);
		KUNIT_EXPECT_TRUE(test, smmu_evtq_process(&f->smmu, &f->evtq));
		expect_all_taken(test);
		for (i = 0; i < num; i++)
			hardware_writes(f);
		KUNIT_EXPECT_TRUE(test, quick(f));
		expect_all_taken(test);
	}
}

static void thread_goes_on_until_empty(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->late = 2;
	hardware_writes(f);
	KUNIT_EXPECT_FALSE(test, smmu_evtq_process(&f->smmu, &f->evtq));
	KUNIT_EXPECT_EQ(test, f->taken, 1);
	KUNIT_EXPECT_FALSE(test, smmu_evtq_process(&f->smmu, &f->evtq));
	KUNIT_EXPECT_TRUE(test, smmu_evtq_process(&f->smmu, &f->evtq));
	expect_all_taken(test);
}

static void handler_goes_on_until_empty(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->late = SLOTS;
	hardware_writes(f);
	KUNIT_EXPECT_TRUE(test, quick(f));
	KUNIT_EXPECT_EQ(test, f->taken, SLOTS + 1);
	expect_all_taken(test);
}

/* A device that never stops does not keep the CPU. */
static void handler_gives_up(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->late = U64_MAX;
	hardware_writes(f);
	KUNIT_EXPECT_FALSE(test, quick(f));
	KUNIT_EXPECT_LE(test, f->taken, SMMU_EVTQ_QUICK);
	f->late = 0;
	KUNIT_EXPECT_TRUE(test, smmu_evtq_process(&f->smmu, &f->evtq));
	expect_all_taken(test);
}

static void handler_leaves_what_is_slow(struct kunit *test)
{
	struct fixture *f = test->priv;

	hardware_writes(f);
	hardware_writes(f);
	hardware_writes(f);
	f->slow = 1;
	KUNIT_EXPECT_FALSE(test, quick(f));
	KUNIT_EXPECT_EQ(test, f->taken, 1);
	KUNIT_EXPECT_EQ(test, f->cons, 1);
	KUNIT_EXPECT_TRUE(test, smmu_evtq_process(&f->smmu, &f->evtq));
	expect_all_taken(test);
}

static void handler_keeps_off(struct kunit *test)
{
	struct fixture *f = test->priv;

	hardware_writes(f);
	smmu_evtq_lock(&f->evtq);
	KUNIT_EXPECT_FALSE(test, quick(f));
	KUNIT_EXPECT_EQ(test, f->taken, 0);
	smmu_evtq_unlock(&f->evtq);
	KUNIT_EXPECT_TRUE(test, quick(f));
	expect_all_taken(test);
}

static void overflow_is_acknowledged(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	for (i = 0; i < SLOTS; i++)
		hardware_writes(f);
	f->prod ^= OVERFLOW;
	KUNIT_EXPECT_FALSE(test, quick(f));
	KUNIT_EXPECT_EQ(test, f->taken, 0);
	KUNIT_EXPECT_TRUE(test, smmu_evtq_process(&f->smmu, &f->evtq));
	KUNIT_EXPECT_EQ(test, f->evtq.overflows, 1);
	expect_all_taken(test);

	hardware_writes(f);
	KUNIT_EXPECT_TRUE(test, quick(f));
	KUNIT_EXPECT_EQ(test, f->evtq.overflows, 1);
	expect_all_taken(test);
}

static struct kunit_case evtq_cases[] = {
	KUNIT_CASE(records_come_once_and_in_order),
	KUNIT_CASE(thread_goes_on_until_empty),
	KUNIT_CASE(handler_goes_on_until_empty),
	KUNIT_CASE(handler_gives_up),
	KUNIT_CASE(handler_leaves_what_is_slow),
	KUNIT_CASE(handler_keeps_off),
	KUNIT_CASE(overflow_is_acknowledged),
	{}
};

static struct kunit_suite evtq_suite = {
	.name = "smmuv3-nested-evtq",
	.init = evtq_test_init,
	.test_cases = evtq_cases,
};

kunit_test_suite(evtq_suite);
