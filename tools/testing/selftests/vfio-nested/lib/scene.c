// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "capability.h"
#include "fault.h"
#include "scene.h"
#include "util.h"

#define PAGE_BITS	12
#define VA_BITS		48
#define CD_BITS		6
/* Offset of the channel's word in the buffer */
#define WORD(channel)	((channel) * 64)

void vn_scene_init(struct vn_scene *scene, const char *name,
		   enum vfio_nested_fault_kind kind)
{
	memset(scene, 0, sizeof(*scene));
	snprintf(scene->name, sizeof(scene->name), "%s", name);
	scene->kind = kind;
	scene->vm.fd = -1;
	scene->device.fd = -1;
	scene->guest.fd = -1;
}

static bool requests(const struct vn_scene *scene)
{
	return scene->kind == VFIO_NESTED_FAULT_PAGE_REQUEST;
}

static uint32_t word(const struct vn_scene *scene, unsigned int channel)
{
	return scene->device.engine.word + (channel + 1) * 0x10000;
}

int vn_scene_enable(struct vn_scene *scene)
{
	struct vn_device *device = &scene->device;
	unsigned int i;
	int ret;

	ret = vn_engine_revive(device);
	if (!ret)
		ret = vn_device_enable_pasid(device);
	if (!ret && requests(scene))
		ret = vn_device_enable_ats(device, true);
	if (!ret && requests(scene))
		ret = vn_device_enable_pri(device, VN_SCENE_CREDITS);
	for (i = 0; i < VN_TESTDEV_CHANNELS && !ret; i++) {
		uint32_t value = word(scene, i);

		vn_testdev_buffer_write(device, WORD(i), &value, sizeof(value));
	}
	return ret;
}

static int make_tables(struct vn_scene *scene)
{
	struct vn_guest *guest = &scene->guest;
	unsigned int i;
	int ret;

	guest->ats = requests(scene);
	ret = vn_guest_stage1(guest, PAGE_BITS, VA_BITS, VN_SCENE_ASID - 1);
	if (!ret)
		ret = vn_guest_pasids(guest, CD_BITS);
	if (ret)
		return ret;
	if (guest->info.caps & VFIO_NESTED_CAP_STALL)
		vn_guest_stalls(guest);
	ret = vn_guest_space(guest, &scene->space, VN_SCENE_PASID, VN_SCENE_ASID);
	for (i = 0; i < VN_TESTDEV_CHANNELS && !ret; i++) {
		scene->pages[i] = vn_guest_page(guest);
		if (!scene->pages[i])
			ret = vn_fail(-ENOMEM, "no guest memory");
	}
	return ret;
}

int vn_scene_open(struct vn_scene *scene, int nested_fd, uint32_t ring_entries)
{
	uint64_t need = VFIO_NESTED_CAP_PASID |
			(requests(scene) ? VFIO_NESTED_CAP_PRI :
					   VFIO_NESTED_CAP_STALL);
	struct vn_guest *guest = &scene->guest;
	int ret;

	guest->fd = nested_fd;
	ret = vn_vm_open(&scene->vm);
	if (!ret)
		ret = vn_device_open(&scene->device, &scene->vm, scene->name);
	if (ret)
		return ret;
	guest->vm = &scene->vm;
	if (guest->fd < 0)
		guest->fd = vn_nested_open();
	if (guest->fd < 0)
		return guest->fd;
	ret = vn_guest_bind(guest, &scene->device, VN_SCENE_STREAM);
	if (ret)
		return ret;
	if ((guest->info.caps & need) != need)
		return vn_fail(-EOPNOTSUPP,
			       "%s: a guest has no %s with PASIDs here", scene->name,
			       need & VFIO_NESTED_CAP_STALL ? "stalls" : "page requests");
	ret = vn_ring_open(&guest->ring, guest->fd, ring_entries, -1);
	if (!ret)
		ret = make_tables(scene);
	if (!ret)
		ret = vn_guest_translate(guest, VN_SCENE_STREAM);
	if (!ret)
		ret = vn_scene_enable(scene);
	return ret;
}

void vn_scene_close(struct vn_scene *scene)
{
	vn_guest_close(&scene->guest);
	vn_device_close(&scene->device);
	vn_vm_close(&scene->vm);
}

int vn_scene_start(struct vn_scene *scene, unsigned int channel)
{
	const struct vn_access access = {
		.op = VN_OP_WRITE,
		.flags = requests(scene) ? VN_ACCESS_ATS | VN_ACCESS_PRI :
					   VN_ACCESS_STALL,
		.iova = VN_SCENE_IOVA(channel),
		.length = sizeof(uint32_t),
		.pasid = VN_PASID(VN_SCENE_PASID),
		.buffer = WORD(channel),
	};

	vn_poison(&scene->vm, scene->pages[channel]);
	return vn_testdev_start(&scene->device, channel, &access);
}

int vn_scene_raise(struct vn_scene *scene, unsigned int channel,
		   struct vfio_nested_fault *fault)
{
	int ret;

	ret = vn_scene_start(scene, channel);
	if (ret)
		return ret;
	if (!vn_ring_wait(&scene->guest.ring, fault, VN_TIMEOUT_MS))
		return vn_fail(-ETIMEDOUT, "no record of channel %u, which is %s",
			       channel,
			       vn_channel_state_name(vn_testdev_status(&scene->device,
								       channel).state));
	if (fault->kind != scene->kind || !fault->cookie ||
	    fault->virtual_id != VN_SCENE_STREAM ||
	    (fault->address & ~0xfffULL) != VN_SCENE_IOVA(channel))
		return vn_fail(-EPROTO,
			       "not the record of channel %u: kind %u, cookie 0x%" PRIx64
			       ", stream 0x%" PRIx64 ", address 0x%" PRIx64, channel,
			       fault->kind, (uint64_t)fault->cookie,
			       (uint64_t)fault->virtual_id,
			       (uint64_t)fault->address);
	return 0;
}

int vn_scene_map(struct vn_scene *scene, unsigned int channel)
{
	return vn_s1_map_at(&scene->space.s1, VN_SCENE_IOVA(channel),
			    scene->pages[channel], VN_PROT_RW, VN_S1_LAST_LEVEL);
}

int vn_scene_unmap(struct vn_scene *scene, unsigned int channel)
{
	const struct vn_arch *arch = scene->guest.arch;
	uint64_t iova = VN_SCENE_IOVA(channel);
	const struct vn_command list[] = {
		arch->of_page(VN_SCENE_PASID, VN_SCENE_ASID, iova),
		arch->of_device(VN_SCENE_STREAM, VN_PASID(VN_SCENE_PASID), iova, 0),
	};
	uint32_t num = requests(scene) ? 2 : 1;

	vn_s1_unmap(&scene->space.s1, iova);
	return vn_guest_commands(&scene->guest, list, &num);
}

int vn_scene_landed(struct vn_scene *scene, unsigned int channel)
{
	uint32_t *memory = vn_vm_va(&scene->vm, scene->pages[channel]);
	struct vn_channel_status status;
	int ret;

	ret = vn_testdev_wait(&scene->device, channel, VN_TIMEOUT_MS, &status);
	if (ret)
		return ret;
	if (status.state != VN_CHANNEL_OK)
		return vn_fail(-EIO, "channel %u: %s", channel,
			       vn_channel_error_name(status.error));
	if (vn_read_once(memory) != word(scene, channel))
		return vn_fail(-EIO, "channel %u has written 0x%x, not 0x%x", channel,
			       vn_read_once(memory), word(scene, channel));
	return 0;
}

int vn_scene_failed(struct vn_scene *scene, unsigned int channel)
{
	struct vn_channel_status status;
	int ret;

	ret = vn_testdev_wait(&scene->device, channel, VN_TIMEOUT_MS, &status);
	if (ret)
		return ret;
	if (status.state != VN_CHANNEL_ERROR)
		return vn_fail(-EIO, "channel %u did not fail", channel);
	if (!vn_intact(&scene->vm, scene->pages[channel]))
		return vn_fail(-EIO, "channel %u failed, and wrote", channel);
	return 0;
}

int vn_scene_serve(struct vn_scene *scene, unsigned int channel)
{
	struct vfio_nested_fault fault;
	int ret;

	ret = vn_scene_raise(scene, channel, &fault);
	if (!ret)
		ret = vn_scene_map(scene, channel);
	if (!ret)
		ret = vn_respond(scene->guest.fd, fault.cookie,
				 VFIO_NESTED_RESPONSE_RETRY);
	if (!ret)
		ret = vn_scene_landed(scene, channel);
	if (!ret)
		ret = vn_scene_unmap(scene, channel);
	return ret;
}
