// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite of the rings: arithmetic at the places where it can go wrong, and a
 * VMM that writes what it likes into the memory that it shares with the kernel.
 */
#include <kunit/test.h>

/* The suite is a module of its own, and nothing of ring.c is exported. */
#include "ring.c"

#define ENTRIES		16U
#define FAULT_SIZE	((u32)sizeof(struct vfio_nested_fault))
#define RESPONSE_SIZE	((u32)sizeof(struct vfio_nested_response))

/* Indexes at which a count of 32 bits, or its sign, wraps. */
static const u32 corners[] = {
	0, 1, ENTRIES - 1, ENTRIES, 0x7fffffff, 0x80000000, 0xfffffff0,
	0xffffffff,
};

static void entries_valid(struct kunit *test)
{
	static const u32 good[] = { 8, 16, 4096, 8192 };
	static const u32 bad[] = {
		0, 1, 2, 4, 7, 9, 24, 8191, 8193, 16384, 0x80000000, 0xffffffff,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		KUNIT_EXPECT_TRUE(test, vfio_nested_ring_entries_valid(good[i]));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE(test, vfio_nested_ring_entries_valid(bad[i]));
}

static void full_where_it_is(struct kunit *test)
{
	size_t i;
	u32 used;

	for (i = 0; i < ARRAY_SIZE(corners); i++) {
		u32 consumer = corners[i];

		for (used = 0; used < ENTRIES; used++)
			KUNIT_EXPECT_FALSE(test, vfio_nested_ring_full(consumer + used,
								       consumer, ENTRIES));
		KUNIT_EXPECT_TRUE(test, vfio_nested_ring_full(consumer + ENTRIES,
							      consumer, ENTRIES));
	}
}

static void full_where_consumer_is_absurd(struct kunit *test)
{
	static const u32 ahead[] = { 1, 2, ENTRIES, 0x7fffffff, 0x80000000 };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(corners); i++) {
		u32 producer = corners[i];

		for (j = 0; j < ARRAY_SIZE(ahead); j++)
			KUNIT_EXPECT_TRUE(test, vfio_nested_ring_full(producer,
								      producer + ahead[j],
								      ENTRIES));
		KUNIT_EXPECT_TRUE(test, vfio_nested_ring_full(producer,
							      producer - ENTRIES - 1,
							      ENTRIES));
	}
}

static void slots_follow_each_other(struct kunit *test)
{
	u32 index, slot = vfio_nested_ring_slot(0U - 3 * ENTRIES, ENTRIES);

	for (index = 0U - 3 * ENTRIES; index != 3 * ENTRIES; index++) {
		KUNIT_EXPECT_EQ(test, vfio_nested_ring_slot(index, ENTRIES), slot);
		slot = slot == ENTRIES - 1 ? 0 : slot + 1;
	}
}

static void layout(struct kunit *test)
{
	size_t producer = offsetof(struct vfio_nested_ring_memory, producer);
	size_t consumer = offsetof(struct vfio_nested_ring_memory, consumer);
	size_t lost = offsetof(struct vfio_nested_ring_memory, lost);
	size_t held = offsetof(struct vfio_nested_ring_memory, held);
	size_t records = VFIO_NESTED_RING_RECORDS;
	u32 entries;

	KUNIT_EXPECT_GE(test, consumer, producer + 64);
	KUNIT_EXPECT_GE(test, lost, consumer + 64);
	KUNIT_EXPECT_GE(test, held, lost + sizeof(u64));
	KUNIT_EXPECT_GE(test, records, lost + 64);
	KUNIT_EXPECT_EQ(test, records,
			offsetof(struct vfio_nested_ring_memory, responses));

	for (entries = VFIO_NESTED_RING_ENTRIES_MIN;
	     entries <= VFIO_NESTED_RING_ENTRIES_MAX; entries *= 2) {
		size_t bytes = vfio_nested_ring_bytes(entries, FAULT_SIZE);
		size_t used = records +
			      entries * sizeof(struct vfio_nested_fault);

		KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(bytes));
		KUNIT_EXPECT_GE(test, bytes, used);
		KUNIT_EXPECT_LT(test, bytes, used + PAGE_SIZE);
	}
}

static bool push(struct vfio_nested_ring *ring, u64 address)
{
	struct vfio_nested_fault fault = {
		.kind = VFIO_NESTED_FAULT_EVENT,
		.address = address,
	};

	return vfio_nested_ring_push(ring, &fault);
}

static int ring_test_init(struct kunit *test)
{
	struct vfio_nested_ring *ring = vfio_nested_ring_create(ENTRIES, FAULT_SIZE, -1);

	if (IS_ERR(ring))
		return PTR_ERR(ring);
	test->priv = ring;
	return 0;
}

static void ring_test_exit(struct kunit *test)
{
	if (test->priv)
		vfio_nested_ring_destroy(test->priv);
}

/* Let the ring have been in use for as long as it takes to reach @index. */
static void start_at(struct vfio_nested_ring *ring, u32 index)
{
	ring->index = index;
	ring->memory->producer = index;
	ring->memory->consumer = index;
}

static void push_fills_and_loses(struct kunit *test)
{
	struct vfio_nested_ring *ring = test->priv;
	struct vfio_nested_ring_memory *memory = ring->memory;
	size_t i;
	u32 n;

	for (i = 0; i < ARRAY_SIZE(corners); i++) {
		u64 lost = memory->lost;
		u32 first = corners[i];

		start_at(ring, first);
		KUNIT_EXPECT_TRUE(test, vfio_nested_ring_empty(ring));
		for (n = 0; n < ENTRIES; n++) {
			KUNIT_EXPECT_TRUE(test, push(ring, n));
			KUNIT_EXPECT_EQ(test, memory->producer, first + n + 1);
			KUNIT_EXPECT_FALSE(test, vfio_nested_ring_empty(ring));
		}
		KUNIT_EXPECT_FALSE(test, push(ring, 1000));
		KUNIT_EXPECT_FALSE(test, push(ring, 1001));
		KUNIT_EXPECT_EQ(test, memory->lost, lost + 2);
		KUNIT_EXPECT_EQ(test, memory->producer, first + ENTRIES);

		for (n = 0; n < ENTRIES; n++) {
			u32 slot = (first + n) % ENTRIES;

			KUNIT_EXPECT_EQ(test, memory->faults[slot].address, n);
		}

		/* One record read makes room for one. */
		memory->consumer++;
		KUNIT_EXPECT_TRUE(test, push(ring, 2000));
		KUNIT_EXPECT_EQ(test, memory->faults[first % ENTRIES].address,
				2000);
		KUNIT_EXPECT_FALSE(test, push(ring, 2001));
	}
}

static void push_trusts_nothing(struct kunit *test)
{
	struct vfio_nested_ring *ring = test->priv;
	struct vfio_nested_ring_memory *memory = ring->memory;
	u32 n;

	for (n = 0; n < 5; n++)
		KUNIT_EXPECT_TRUE(test, push(ring, n));

	/* The VMM writes over everything, its own index included. */
	memset(memory, 0xa5, ring->size);
	KUNIT_EXPECT_FALSE(test, push(ring, 5));
	KUNIT_EXPECT_EQ(test, memory->lost, 1);

	/* With a consumer index that makes sense all goes on as if it had not. */
	memory->consumer = 5;
	KUNIT_EXPECT_TRUE(test, push(ring, 6));
	KUNIT_EXPECT_EQ(test, memory->producer, 6);
	KUNIT_EXPECT_EQ(test, memory->faults[5].address, 6);
	KUNIT_EXPECT_EQ(test, memory->lost, 1);
}

static bool push_stall(struct vfio_nested_ring *ring)
{
	struct vfio_nested_fault fault = { .kind = VFIO_NESTED_FAULT_STALL };

	return vfio_nested_ring_push(ring, &fault);
}

static void push_loses_only_events(struct kunit *test)
{
	struct vfio_nested_ring *ring = test->priv;
	struct vfio_nested_ring_memory *memory = ring->memory;
	u32 n;

	for (n = 0; n < ENTRIES; n++)
		KUNIT_EXPECT_TRUE(test, push_stall(ring));
	KUNIT_EXPECT_FALSE(test, push_stall(ring));
	KUNIT_EXPECT_EQ(test, memory->lost, 0);
	KUNIT_EXPECT_FALSE(test, push(ring, 0));
	KUNIT_EXPECT_EQ(test, memory->lost, 1);
	KUNIT_EXPECT_EQ(test, memory->producer, ENTRIES);

	vfio_nested_ring_set_held(ring, 3);
	KUNIT_EXPECT_EQ(test, memory->held, 3);
}

static struct vfio_nested_ring *response_ring(struct kunit *test)
{
	struct vfio_nested_ring *ring =
		vfio_nested_ring_create(ENTRIES, RESPONSE_SIZE, -1);

	KUNIT_ASSERT_FALSE(test, IS_ERR(ring));
	return ring;
}

/* As the VMM does it. */
static void put_response(struct vfio_nested_ring *ring, u64 cookie)
{
	struct vfio_nested_ring_memory *memory = ring->memory;
	u32 slot = vfio_nested_ring_slot(memory->producer, ENTRIES);

	memory->responses[slot] = (struct vfio_nested_response) {
		.cookie = cookie,
		.code = VFIO_NESTED_RESPONSE_ABORT,
		.result = 0x5a5a5a5a,
	};
	memory->producer++;
}

static void responses_pass_once(struct kunit *test)
{
	struct vfio_nested_ring *ring = response_ring(test);
	struct vfio_nested_ring_memory *memory = ring->memory;
	struct vfio_nested_response got[ENTRIES];
	size_t i;
	u32 n;

	for (i = 0; i < ARRAY_SIZE(corners); i++) {
		u32 first = corners[i];

		ring->index = first;
		memory->producer = first;
		memory->consumer = first;
		KUNIT_EXPECT_EQ(test, vfio_nested_ring_available(ring), 0);
		for (n = 0; n < ENTRIES; n++) {
			put_response(ring, 100 + n);
			KUNIT_EXPECT_EQ(test, vfio_nested_ring_available(ring),
					n + 1);
		}

		vfio_nested_ring_read(ring, got, 5);
		for (n = 0; n < 5; n++) {
			KUNIT_EXPECT_EQ(test, got[n].cookie, 100 + n);
			KUNIT_EXPECT_EQ(test, got[n].code,
					VFIO_NESTED_RESPONSE_ABORT);
			KUNIT_EXPECT_EQ(test, got[n].result, 0);
			got[n].result = -(int)n;
		}
		vfio_nested_ring_consume(ring, got, 5);
		KUNIT_EXPECT_EQ(test, memory->consumer, first + 5);
		KUNIT_EXPECT_EQ(test, vfio_nested_ring_available(ring),
				ENTRIES - 5);
		for (n = 0; n < 5; n++) {
			u32 slot = (first + n) % ENTRIES;

			KUNIT_EXPECT_EQ(test, memory->responses[slot].result,
					-(int)n);
		}

		vfio_nested_ring_read(ring, got, 1);
		KUNIT_EXPECT_EQ(test, got[0].cookie, 105);
	}
	vfio_nested_ring_destroy(ring);
}

static void responses_are_not_trusted(struct kunit *test)
{
	static const u32 absurd[] = {
		ENTRIES + 1, 2 * ENTRIES, 0x7fffffff, 0x80000000, 0xffffffff,
	};
	struct vfio_nested_ring *ring = response_ring(test);
	struct vfio_nested_ring_memory *memory = ring->memory;
	struct vfio_nested_response got[3];
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(corners); i++) {
		ring->index = corners[i];
		memory->consumer = corners[i];
		for (j = 0; j < ARRAY_SIZE(absurd); j++) {
			memory->producer = corners[i] + absurd[j];
			KUNIT_EXPECT_EQ(test, vfio_nested_ring_available(ring),
					-EINVAL);
			KUNIT_EXPECT_EQ(test, memory->consumer, corners[i]);
		}
	}

	/* The VMM writes over the kernel's own index: it is not read. */
	ring->index = 7;
	memset(memory, 0xa5, ring->size);
	memory->producer = 10;
	KUNIT_EXPECT_EQ(test, vfio_nested_ring_available(ring), 3);
	vfio_nested_ring_read(ring, got, 3);
	vfio_nested_ring_consume(ring, got, 3);
	KUNIT_EXPECT_EQ(test, memory->consumer, 10);
	KUNIT_EXPECT_EQ(test, vfio_nested_ring_available(ring), 0);
	vfio_nested_ring_destroy(ring);
}

static void create_refuses(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, PTR_ERR(vfio_nested_ring_create(12, FAULT_SIZE, -1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(vfio_nested_ring_create(8, FAULT_SIZE, -2)), -EBADF);
}

static struct kunit_case ring_test_cases[] = {
	KUNIT_CASE(entries_valid),
	KUNIT_CASE(full_where_it_is),
	KUNIT_CASE(full_where_consumer_is_absurd),
	KUNIT_CASE(slots_follow_each_other),
	KUNIT_CASE(layout),
	KUNIT_CASE(push_fills_and_loses),
	KUNIT_CASE(push_trusts_nothing),
	KUNIT_CASE(push_loses_only_events),
	KUNIT_CASE(responses_pass_once),
	KUNIT_CASE(responses_are_not_trusted),
	KUNIT_CASE(create_refuses),
	{}
};

static struct kunit_suite ring_test_suite = {
	.name = "vfio-nested-ring",
	.init = ring_test_init,
	.exit = ring_test_exit,
	.test_cases = ring_test_cases,
};

kunit_test_suite(ring_test_suite);

MODULE_DESCRIPTION("KUnit suite of the rings of vfio-nested");
MODULE_LICENSE("GPL");
