// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite of the contract in linux/iommu-nested.h: a backend without hardware that
 * looks whether it is called as it was promised, and a user interface that counts what
 * it gets. It uses what the core exports, so it needs the core, and no IOMMU.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/iommu-nested.h>
#include <linux/kthread.h>
#include <linux/prandom.h>

#define DEVICES		3
#define USERS		2
#define STALLS		8U
#define MAX_PENDING	16U
#define ID_BITS		16
#define COOKIES		4U

/* One device, as its IOMMU sees it */
struct model {
	struct device *dev;
	struct iommu_nested_binding *binding;
	bool in_reset, stopped;
	u32 context;
	/* Keys of the stalls that wait in the hardware */
	DECLARE_BITMAP(stalls, STALLS);
};

/* One virtual IOMMU, as its user sees it */
struct contract_user {
	struct iommu_nested_viommu *viommu;
	u32 room, held;
	bool released;
	/* Cookies of the last records; an answer is tried with any of them. */
	u64 cookies[COOKIES];
	u32 num_records;
};

struct fixture {
	struct model models[DEVICES];
	struct contract_user users[USERS];
	/* Virtual IOMMUs that are tied to the backend */
	u32 ties;
	/* What the next @viommu_init, @bind or @set_context returns */
	int fail_init, fail_bind, fail_context;
	/* Runs while a device is being bound */
	struct task_struct *contender;
};

static struct kunit *running;

static struct fixture *fixture(void)
{
	return running->priv;
}

static struct model *model_of(const struct device *dev)
{
	unsigned int i;

	for (i = 0; i < DEVICES; i++)
		if (fixture()->models[i].dev == dev)
			return &fixture()->models[i];
	return NULL;
}

static int take(int *error)
{
	int ret = *error;

	*error = 0;
	return ret;
}

/* What the core promises of every operation on a binding */
static struct model *bound(struct iommu_nested_binding *binding)
{
	struct model *model = model_of(binding->dev);

	lockdep_assert_held_write(&binding->viommu->sem);
	KUNIT_EXPECT_PTR_EQ(running, model->binding, binding);
	KUNIT_EXPECT_PTR_EQ(running, binding->backend_data, (void *)model);
	return model;
}

static bool contract_owns(struct device *dev)
{
	return model_of(dev);
}

static int contract_info(struct device *dev, const struct iommu_nested_policy *policy,
			 struct iommu_nested_info *info)
{
	info->caps = VFIO_NESTED_CAP_STALL;
	info->virtual_id_bits = ID_BITS;
	info->max_pending = MAX_PENDING;
	return 0;
}

static int contract_viommu_init(struct iommu_nested_viommu *viommu, struct device *dev)
{
	int ret = take(&fixture()->fail_init);

	lockdep_assert_held_write(&viommu->sem);
	KUNIT_EXPECT_NULL(running, viommu->backend_data);
	if (ret)
		return ret;
	viommu->backend_data = fixture();
	fixture()->ties++;
	return 0;
}

static void contract_viommu_release(struct iommu_nested_viommu *viommu)
{
	unsigned int i;

	lockdep_assert_held_write(&viommu->sem);
	KUNIT_EXPECT_PTR_EQ(running, viommu->backend_data, (void *)fixture());
	for (i = 0; i < DEVICES; i++) {
		struct iommu_nested_binding *binding = fixture()->models[i].binding;

		KUNIT_EXPECT_TRUE(running, !binding || binding->viommu != viommu);
	}
	fixture()->ties--;
}

static int contract_bind(struct iommu_nested_binding *binding)
{
	struct model *model = model_of(binding->dev);
	int ret = take(&fixture()->fail_bind);

	lockdep_assert_held_write(&binding->viommu->sem);
	KUNIT_EXPECT_NULL(running, model->binding);
	KUNIT_EXPECT_NOT_NULL(running, binding->viommu->backend_data);
	if (ret)
		return ret;
	model->binding = binding;
	binding->backend_data = model;
	if (fixture()->contender) {
		wake_up_process(fixture()->contender);
		/* It has to wait for the lock of the virtual IOMMU by then. */
		msleep(20);
	}
	return 0;
}

/* The core knows of those faults that are in the hardware, and of no others. */
static void abort_all(struct model *model)
{
	u32 pos = 0;
	u64 key;

	while (iommu_nested_next_pending(model->binding, VFIO_NESTED_FAULT_STALL, &pos,
					 &key)) {
		KUNIT_EXPECT_LT(running, key, (u64)STALLS);
		KUNIT_EXPECT_TRUE(running,
				  __test_and_clear_bit(key % STALLS, model->stalls));
	}
	KUNIT_EXPECT_TRUE(running, bitmap_empty(model->stalls, STALLS));
}

static void contract_unbind(struct iommu_nested_binding *binding)
{
	struct model *model = bound(binding);

	abort_all(model);
	model->binding = NULL;
	model->in_reset = false;
	model->stopped = false;
	model->context = VFIO_NESTED_CONTEXT_CLEAR;
}

static int contract_set_context(struct iommu_nested_binding *binding,
				const struct iommu_nested_context *context)
{
	struct model *model = bound(binding);
	int ret = take(&fixture()->fail_context);

	/* The device is in reset from the first moment on. */
	if (fixture()->contender)
		KUNIT_EXPECT_TRUE(running, model->in_reset);
	if (!ret)
		model->context = context->type;
	return ret;
}

static void contract_stop(struct iommu_nested_binding *binding)
{
	struct model *model = bound(binding);

	KUNIT_EXPECT_FALSE(running, model->stopped);
	model->stopped = true;
}

static void contract_run(struct iommu_nested_binding *binding)
{
	struct model *model = bound(binding);

	KUNIT_EXPECT_TRUE(running, model->stopped);
	model->stopped = false;
}

static void contract_reset_prepare(struct iommu_nested_binding *binding)
{
	struct model *model = bound(binding);

	KUNIT_EXPECT_FALSE(running, model->in_reset);
	model->in_reset = true;
	abort_all(model);
}

static void contract_reset_done(struct iommu_nested_binding *binding)
{
	struct model *model = bound(binding);

	KUNIT_EXPECT_TRUE(running, model->in_reset);
	KUNIT_EXPECT_TRUE(running, bitmap_empty(model->stalls, STALLS));
	model->in_reset = false;
}

static void contract_set_tag(struct vfio_nested_fault *fault, u16 tag)
{
	KUNIT_EXPECT_LT(running, (u32)tag, MAX_PENDING);
}

static int contract_respond(struct iommu_nested_viommu *viommu,
			    const struct iommu_nested_answer *answers, u32 num)
{
	u32 i;

	lockdep_assert_held(&viommu->sem);
	KUNIT_EXPECT_GT(running, num, 0U);
	for (i = 0; i < num; i++) {
		struct model *model = model_of(answers[i].binding->dev);

		KUNIT_EXPECT_PTR_EQ(running, model->binding, answers[i].binding);
		KUNIT_EXPECT_FALSE(running, model->in_reset || model->stopped);
		KUNIT_EXPECT_TRUE(running, __test_and_clear_bit(answers[i].key % STALLS,
								model->stalls));
	}
	return 0;
}

static u32 contract_invalidate(struct iommu_nested_viommu *viommu, void *cmds, u32 len,
			       u32 num, bool sync, int *err)
{
	lockdep_assert_held(&viommu->sem);
	return num;
}

static struct iommu_nested_backend contract_backend = {
	.owner		= THIS_MODULE,
	.name		= "contract",
	/* That of no hardware: there may be a real one, too. */
	.type		= U32_MAX,
	.command_len	= sizeof(struct vfio_nested_command_vtd),
	.owns		= contract_owns,
	.info		= contract_info,
	.viommu_init	= contract_viommu_init,
	.viommu_release	= contract_viommu_release,
	.bind		= contract_bind,
	.unbind		= contract_unbind,
	.set_context	= contract_set_context,
	.stop		= contract_stop,
	.run		= contract_run,
	.set_tag	= contract_set_tag,
	.respond	= contract_respond,
	.reset_prepare	= contract_reset_prepare,
	.reset_done	= contract_reset_done,
	.invalidate	= contract_invalidate,
};

static bool user_deliver(void *data, const struct vfio_nested_fault *fault)
{
	struct contract_user *user = data;

	if (!user->room)
		return false;
	user->room--;
	user->cookies[user->num_records++ % COOKIES] = fault->cookie;
	return true;
}

static void user_held(void *data, u32 num)
{
	struct contract_user *user = data;

	user->held = num;
}

static void user_wake(void *data)
{
}

static void user_release(void *data)
{
	struct contract_user *user = data;

	KUNIT_EXPECT_FALSE(running, user->released);
	user->released = true;
}

static const struct iommu_nested_user contract_user_ops = {
	.deliver	= user_deliver,
	.held		= user_held,
	.wake		= user_wake,
	.release	= user_release,
};

static void open_user(struct contract_user *user)
{
	*user = (struct contract_user) {
		.viommu = iommu_nested_viommu_create(&contract_user_ops, user),
		.room = U32_MAX,
	};
	KUNIT_ASSERT_NOT_ERR_OR_NULL(running, user->viommu);
}

static void close_user(struct contract_user *user)
{
	iommu_nested_viommu_close(user->viommu);
	iommu_nested_viommu_put(user->viommu);
	user->viommu = NULL;
}

static int bind(struct contract_user *user, struct model *model, u64 id, bool in_reset)
{
	static const struct iommu_nested_policy policy;

	return PTR_ERR_OR_ZERO(iommu_nested_bind(user->viommu, model->dev, id, &policy,
						 in_reset));
}

static int set_context(struct contract_user *user, u64 id, u32 type)
{
	struct iommu_nested_context context = { .type = type };

	return iommu_nested_set_context(user->viommu, id, &context);
}

/* The device meets a page that is not there; whether somebody is to answer. */
static bool stall(struct model *model, u32 key)
{
	struct vfio_nested_fault fault = {
		.kind = VFIO_NESTED_FAULT_STALL,
		.flags = VFIO_NESTED_FAULT_READ | VFIO_NESTED_FAULT_ADDRESS,
	};

	if (!iommu_nested_report_fault(model->binding, &fault, key))
		return false;
	__set_bit(key, model->stalls);
	return true;
}

static int answer(struct contract_user *user, u64 cookie, u32 code)
{
	struct vfio_nested_response response = { .cookie = cookie, .code = code };
	int ret = iommu_nested_respond(user->viommu, &response, 1, true);

	return ret < 0 ? ret : response.result;
}

static struct vfio_nested_stats stats_of(struct contract_user *user)
{
	struct vfio_nested_stats stats = {};

	iommu_nested_stats(user->viommu, &stats);
	return stats;
}

/* What has to be true whenever nothing is under way */
static void expect_books(struct contract_user *user)
{
	struct vfio_nested_stats stats = stats_of(user);
	u64 bindings = 0, stalls = 0;
	unsigned int i;

	for (i = 0; i < DEVICES; i++) {
		const struct model *model = &fixture()->models[i];

		if (!model->binding || model->binding->viommu != user->viommu)
			continue;
		bindings++;
		stalls += bitmap_weight(model->stalls, STALLS);
		KUNIT_EXPECT_EQ(running, model->binding->context.type, model->context);
	}
	KUNIT_EXPECT_EQ(running, stats.bindings, bindings);
	KUNIT_EXPECT_EQ(running, stats.faults_pending, stalls);
	KUNIT_EXPECT_EQ(running, stats.faults,
			stats.faults_answered + stats.faults_expired +
			stats.faults_aborted + stats.faults_refused +
			stats.faults_moved + stats.faults_pending);
	KUNIT_EXPECT_EQ(running, !bindings, !user->viommu->backend);
	KUNIT_EXPECT_FALSE(running, user->released);
}

static int contract_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	static const char *const names[DEVICES] = { "contract-a", "contract-b", "contract-c" };
	unsigned int i;
	int ret;

	if (!f)
		return -ENOMEM;
	for (i = 0; i < DEVICES; i++) {
		f->models[i].dev = kunit_device_register(test, names[i]);
		if (IS_ERR(f->models[i].dev))
			return PTR_ERR(f->models[i].dev);
	}
	/* From the moment it is registered the backend is asked whose any device is. */
	test->priv = f;
	running = test;
	ret = iommu_nested_register_backend(&contract_backend);
	if (ret) {
		test->priv = NULL;
		return ret;
	}
	for (i = 0; i < USERS; i++)
		open_user(&f->users[i]);
	return 0;
}

static void contract_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int i;

	if (!f)
		return;
	for (i = 0; i < DEVICES; i++)
		if (f->models[i].binding)
			iommu_nested_unbind(f->models[i].binding);
	for (i = 0; i < USERS; i++) {
		if (f->users[i].viommu)
			close_user(&f->users[i]);
		KUNIT_EXPECT_TRUE(test, f->users[i].released);
	}
	KUNIT_EXPECT_EQ(test, f->ties, 0U);
	iommu_nested_unregister_backend(&contract_backend);
}

static void failed_bind_changes_nothing(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct contract_user *user = &f->users[0];
	struct model *a = &f->models[0], *b = &f->models[1];
	struct model stranger = { .dev = kunit_device_register(test, "contract-stranger") };

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, stranger.dev);
	KUNIT_EXPECT_EQ(test, bind(user, &stranger, 1, false), -ENODEV);
	f->fail_init = -ENOSPC;
	KUNIT_EXPECT_EQ(test, bind(user, a, 1, false), -ENOSPC);
	expect_books(user);
	f->fail_bind = -EPERM;
	KUNIT_EXPECT_EQ(test, bind(user, a, 1, true), -EPERM);
	KUNIT_EXPECT_EQ(test, f->ties, 0U);
	KUNIT_EXPECT_EQ(test, bind(user, a, BIT(ID_BITS), false), -EINVAL);
	KUNIT_EXPECT_EQ(test, f->ties, 0U);
	expect_books(user);

	KUNIT_EXPECT_EQ(test, bind(user, a, 1, false), 0);
	KUNIT_EXPECT_EQ(test, bind(user, b, 1, false), -EEXIST);
	f->fail_bind = -EXDEV;
	KUNIT_EXPECT_EQ(test, bind(user, b, 2, true), -EXDEV);
	/* The first one is not worse off. */
	KUNIT_EXPECT_EQ(test, f->ties, 1U);
	KUNIT_EXPECT_EQ(test, set_context(user, 1, VFIO_NESTED_CONTEXT_BYPASS), 0);
	KUNIT_EXPECT_EQ(test, set_context(user, 2, VFIO_NESTED_CONTEXT_BYPASS), -ENOENT);
	expect_books(user);
}

static void refused_context_leaves_the_old_one(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct contract_user *user = &f->users[0];

	KUNIT_EXPECT_EQ(test, bind(user, &f->models[0], 1, false), 0);
	KUNIT_EXPECT_EQ(test, set_context(user, 1, VFIO_NESTED_CONTEXT_ABORT), 0);
	f->fail_context = -EINVAL;
	KUNIT_EXPECT_EQ(test, set_context(user, 1, VFIO_NESTED_CONTEXT_BYPASS), -EINVAL);
	KUNIT_EXPECT_EQ(test, stats_of(user).contexts, 1ULL);
	expect_books(user);
}

static int set_contexts(void *data)
{
	int ret = set_context(data, 1, VFIO_NESTED_CONTEXT_BYPASS);

	while (!kthread_should_stop())
		msleep(20);
	return ret;
}

static void bound_during_a_reset_is_in_reset(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct contract_user *user = &f->users[0];
	struct model *a = &f->models[0];

	f->contender = kthread_create(set_contexts, user, "contract");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->contender);
	KUNIT_EXPECT_EQ(test, bind(user, a, 1, true), 0);
	KUNIT_EXPECT_TRUE(test, a->in_reset);
	KUNIT_EXPECT_EQ(test, kthread_stop(f->contender), 0);
	f->contender = NULL;
	KUNIT_EXPECT_EQ(test, a->context, (u32)VFIO_NESTED_CONTEXT_BYPASS);

	KUNIT_EXPECT_FALSE(test, stall(a, 0));
	iommu_nested_reset_done(a->binding);
	KUNIT_EXPECT_TRUE(test, stall(a, 0));
	expect_books(user);
}

static void end_of_binding_ends_faults(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct contract_user *user = &f->users[0];
	struct model *a = &f->models[0], *b = &f->models[1];
	struct vfio_nested_stats stats;

	KUNIT_EXPECT_EQ(test, bind(user, a, 1, false), 0);
	KUNIT_EXPECT_EQ(test, bind(user, b, 2, false), 0);
	KUNIT_EXPECT_TRUE(test, stall(a, 0) && stall(a, 1) && stall(a, 2) && stall(b, 3));
	KUNIT_EXPECT_EQ(test, answer(user, user->cookies[1], VFIO_NESTED_RESPONSE_RETRY), 0);
	KUNIT_EXPECT_EQ(test, answer(user, user->cookies[1], VFIO_NESTED_RESPONSE_RETRY),
			-EALREADY);
	iommu_nested_unbind(a->binding);
	KUNIT_EXPECT_EQ(test, answer(user, user->cookies[0], VFIO_NESTED_RESPONSE_RETRY),
			-ECANCELED);
	KUNIT_EXPECT_EQ(test, answer(user, user->cookies[3], VFIO_NESTED_RESPONSE_ABORT), 0);
	stats = stats_of(user);
	KUNIT_EXPECT_EQ(test, stats.faults_answered, 2ULL);
	KUNIT_EXPECT_EQ(test, stats.faults_aborted, 2ULL);
	expect_books(user);
	iommu_nested_unbind(b->binding);
	KUNIT_EXPECT_EQ(test, answer(user, user->cookies[0], VFIO_NESTED_RESPONSE_RETRY),
			-ENODEV);
}

static void stopped_keeps_faults(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct contract_user *user = &f->users[0];
	struct model *a = &f->models[0];

	KUNIT_EXPECT_EQ(test, bind(user, a, 1, false), 0);
	KUNIT_EXPECT_TRUE(test, stall(a, 0));
	KUNIT_EXPECT_EQ(test, iommu_nested_set_run(user->viommu, 1, VFIO_NESTED_STOP), 0);
	/* Once is enough. */
	KUNIT_EXPECT_EQ(test, iommu_nested_set_run(user->viommu, 1, VFIO_NESTED_STOP), 0);
	KUNIT_EXPECT_EQ(test, answer(user, user->cookies[0], VFIO_NESTED_RESPONSE_RETRY),
			-EBUSY);
	expect_books(user);
	KUNIT_EXPECT_EQ(test, iommu_nested_set_run(user->viommu, 1, VFIO_NESTED_RUN), 0);
	KUNIT_EXPECT_EQ(test, answer(user, user->cookies[0], VFIO_NESTED_RESPONSE_RETRY), 0);
	expect_books(user);
}

static void without_room_all_wait(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct contract_user *user = &f->users[0];
	struct model *a = &f->models[0];

	KUNIT_EXPECT_EQ(test, bind(user, a, 1, false), 0);
	user->room = 1;
	KUNIT_EXPECT_TRUE(test, stall(a, 0) && stall(a, 1) && stall(a, 2));
	KUNIT_EXPECT_EQ(test, user->num_records, 1U);
	KUNIT_EXPECT_EQ(test, user->held, 2U);
	user->room = 2;
	iommu_nested_flush(user->viommu);
	KUNIT_EXPECT_EQ(test, user->num_records, 3U);
	KUNIT_EXPECT_EQ(test, user->held, 0U);
	expect_books(user);
}

static void binding_outlives_its_user(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct contract_user *user = &f->users[0];
	struct model *a = &f->models[0];

	KUNIT_EXPECT_EQ(test, bind(user, a, 1, false), 0);
	close_user(user);
	KUNIT_EXPECT_FALSE(test, user->released);
	KUNIT_EXPECT_FALSE(test, stall(a, 0));
	iommu_nested_unbind(a->binding);
	KUNIT_EXPECT_TRUE(test, user->released);
}

static void some_fault(struct model *model, u32 key)
{
	if (!model->binding || test_bit(key, model->stalls) || model->stopped)
		return;
	if (model->in_reset)
		KUNIT_EXPECT_FALSE(running, stall(model, key));
	else
		stall(model, key);
}

static void some_reset(struct model *model)
{
	if (!model->binding)
		return;
	if (model->in_reset)
		iommu_nested_reset_done(model->binding);
	else
		iommu_nested_reset_prepare(model->binding);
}

static void step(struct rnd_state *rnd)
{
	struct fixture *f = fixture();
	u32 what = prandom_u32_state(rnd), some = what >> 16;
	struct model *model = &f->models[what / 16 % DEVICES];
	struct contract_user *user = &f->users[what / 64 % USERS];
	u64 id = some % 3;

	/* What is not needed must not stay for the next one. */
	f->fail_init = some & 0xc00 ? 0 : -ENOMEM;
	f->fail_bind = some & 0x3000 ? 0 : -EXDEV;
	f->fail_context = some & 0x3000 ? 0 : -EINVAL;
	switch (what % 16) {
	case 0 ... 2:
		if (!model->binding)
			bind(user, model, id, some & 0x100);
		break;
	case 3:
		if (model->binding)
			iommu_nested_unbind(model->binding);
		break;
	case 4 ... 8:
		some_fault(model, some % STALLS);
		break;
	case 9 ... 11:
		answer(user, user->cookies[some % COOKIES], some / 256 % 4);
		break;
	case 12:
		some_reset(model);
		break;
	case 13:
		iommu_nested_set_run(user->viommu, id, some & 0x100 ? VFIO_NESTED_STOP :
								   VFIO_NESTED_RUN);
		break;
	case 14:
		set_context(user, id, some / 256 % 3);
		break;
	case 15:
		/* Sometimes there is none, sometimes more than enough. */
		user->room = some & 0x100 ? U32_MAX : some % 4;
		iommu_nested_flush(user->viommu);
		break;
	}
}

static void anything_goes(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vfio_nested_stats stats;
	struct rnd_state rnd;
	u32 i, k;

	prandom_seed_state(&rnd, 0x7654321);
	for (i = 0; i < 20000; i++) {
		step(&rnd);
		for (k = 0; k < USERS; k++)
			expect_books(&f->users[k]);
	}
	for (k = 0; k < USERS; k++) {
		stats = stats_of(&f->users[k]);
		KUNIT_EXPECT_GT(test, stats.faults_answered, 50ULL);
		KUNIT_EXPECT_GT(test, stats.faults_aborted, 50ULL);
		KUNIT_EXPECT_GT(test, stats.faults_refused, 50ULL);
		KUNIT_EXPECT_GT(test, stats.contexts, 50ULL);
	}
}

static struct kunit_case contract_test_cases[] = {
	KUNIT_CASE(failed_bind_changes_nothing),
	KUNIT_CASE(refused_context_leaves_the_old_one),
	KUNIT_CASE(bound_during_a_reset_is_in_reset),
	KUNIT_CASE(end_of_binding_ends_faults),
	KUNIT_CASE(stopped_keeps_faults),
	KUNIT_CASE(without_room_all_wait),
	KUNIT_CASE(binding_outlives_its_user),
	KUNIT_CASE(anything_goes),
	{}
};

static struct kunit_suite contract_test_suite = {
	.name = "iommu-nested-contract",
	.init = contract_test_init,
	.exit = contract_test_exit,
	.test_cases = contract_test_cases,
};

kunit_test_suite(contract_test_suite);

MODULE_DESCRIPTION("KUnit suite of the contract between the core and its backends");
MODULE_LICENSE("GPL");
