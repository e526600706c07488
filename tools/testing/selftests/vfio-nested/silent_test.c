// SPDX-License-Identifier: GPL-2.0
/*
 * A device that keeps translations and does not answer when it is asked to forget
 * them: it loses the right to have any, until it is plugged in anew. The device of
 * another guest, which is asked at the same time, does not.
 */
#include "faults.h"
#include "race.h"
#include "scene.h"

/* In which the device falls silent, and is plugged in anew */
#define ROUNDS	16

static char names[2][VN_PCI_NAME_LEN];

FIXTURE(silent) {
	struct vn_scene bad;
	struct vn_scene good;
	struct vn_race race;
};

static int open_scene(struct vn_scene *scene, const char *name)
{
	int ret;

	vn_scene_init(scene, name, VFIO_NESTED_FAULT_PAGE_REQUEST);
	ret = vn_scene_open(scene, -1, RING);
	if (!ret && scene->guest.info.backend != VFIO_NESTED_BACKEND_SMMUV3)
		ret = vn_fail(-EOPNOTSUPP, "%s: not behind an SMMUv3", name);
	return ret;
}

FIXTURE_SETUP(silent)
{
	int ret = open_scene(&self->bad, names[0]);

	vn_scene_init(&self->good, names[1], VFIO_NESTED_FAULT_PAGE_REQUEST);
	if (!ret)
		ret = open_scene(&self->good, names[1]);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "%s", vn_reason());
	ASSERT_EQ(0, ret) TH_LOG("%s", vn_reason());
}

FIXTURE_TEARDOWN(silent)
{
	vn_scene_close(&self->good);
	vn_scene_close(&self->bad);
	EXPECT_OK(vn_pci_remove(names[0]));
	EXPECT_OK(vn_pci_return(names[0]));
}

/* The guest asks the device to forget what it knows of one page. */
static int ask_to_forget(struct vn_scene *scene)
{
	return vn_nested_command(scene->guest.fd,
				 vn_cmd_atc_inv(VN_SCENE_STREAM,
						VN_PASID(VN_SCENE_PASID),
						VN_SCENE_IOVA(0), 0));
}

/* Waits until the device finds its translation services off. */
static bool loses_ats(struct vn_scene *scene)
{
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;
	struct vn_channel_status status;

	do {
		vn_testdev_stop(&scene->device, 0);
		if (vn_scene_start(scene, 0))
			return false;
		vn_sleep_ms(10);
		status = vn_testdev_status(&scene->device, 0);
		if (status.error == VN_ERROR_DISABLED)
			return true;
	} while (vn_now_ms() < end);
	return false;
}

TEST_F_TIMEOUT(silent, loses_its_translations, SLOW)
{
	EXPECT_OK(ask_to_forget(&self->bad));
	vn_testdev_misbehave(&self->bad.device, VN_BAD_ATC_SILENT);
	EXPECT_EQ(-EIO, ask_to_forget(&self->bad));
	EXPECT_TRUE(loses_ats(&self->bad));
	/* There is nothing to forget any more, and nobody waits for it. */
	EXPECT_OK(ask_to_forget(&self->bad));
	vn_testdev_misbehave(&self->bad.device, 0);
	EXPECT_EQ(-EPERM, vn_guest_translate(&self->bad.guest, VN_SCENE_STREAM));
	self->bad.guest.ats = false;
	EXPECT_OK(vn_guest_translate(&self->bad.guest, VN_SCENE_STREAM));
	EXPECT_TRUE(loses_ats(&self->bad));

	EXPECT_OK(ask_to_forget(&self->good));
	EXPECT_OK(vn_scene_serve(&self->good, 0));
}

static void forget_bad(struct vn_racer *thread)
{
	FIXTURE_DATA(silent) *self = thread->data;

	EXPECTED(thread, ask_to_forget(&self->bad), -EIO);
}

static void forget_good(struct vn_racer *thread)
{
	FIXTURE_DATA(silent) *self = thread->data;

	EXPECTED(thread, ask_to_forget(&self->good));
}

/* The errors of the one come while others wait for the other. */
TEST_F_TIMEOUT(silent, harms_nobody_else, SLOW)
{
	static const vn_step steps[] = {
		forget_bad, forget_good, forget_bad, forget_good,
		forget_bad, forget_good,
	};
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_OK(vn_race_start(&self->race, self, steps,
					VN_ARRAY_SIZE(steps)));
		vn_sleep_ms(SOON_MS);
		vn_testdev_misbehave(&self->bad.device, VN_BAD_ATC_SILENT);
		vn_sleep_ms(SOON_MS);
		ASSERT_OK(vn_race_stop(&self->race));
		EXPECT_TRUE(loses_ats(&self->bad));
		EXPECT_OK(vn_scene_serve(&self->good, 0));
		ASSERT_OK(vn_scene_unmap(&self->good, 0));

		vn_scene_close(&self->bad);
		ASSERT_OK(vn_pci_remove(names[0]));
		ASSERT_OK(vn_pci_return(names[0]));
		ASSERT_OK(open_scene(&self->bad, names[0]));
	}
}

int main(int argc, char **argv)
{
	const struct vn_want want = { .engine = VN_TESTDEV };

	if (vn_session_pick(&want, names, 0, names[0]) ||
	    vn_session_pick(&want, names, 1, names[1])) {
		ksft_print_header();
		ksft_exit_skip("%s\n", vn_reason());
	}
	return test_harness_run(argc, argv);
}
