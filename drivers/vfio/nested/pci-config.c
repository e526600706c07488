// SPDX-License-Identifier: GPL-2.0
/*
 * Configuration space: vfio-pci-core's, with ATS, PRI and PASID as the guest may
 * have them laid over it (pci-overlay.c).
 *
 * Invariants:
 *  - the three capabilities are at the hardware's own offsets, and where one is not
 *    for the guest there is nothing to see or write: what the host has enabled in
 *    the hardware is not in the VMM's hands;
 *  - page requests are allowed to the device as its virtual PRI Enable says; both
 *    change under config_lock;
 *  - a reset leaves the virtual registers as it leaves the hardware's.
 */
#include <linux/iommu.h>
#include <linux/minmax.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>

#include "pci.h"

/* The bits of PRI Status that a write of 1 clears. */
#define PRI_STATUS_W1C	(PCI_PRI_STATUS_RF | PCI_PRI_STATUS_UPRGI)
#define PRI_STATUS_BITS	\
	(PRI_STATUS_W1C | PCI_PRI_STATUS_STOPPED | PCI_PRI_STATUS_PASID)

/* What the IOMMU has to offer for a guest to see each capability. */
static const struct {
	u16 id;
	u64 offered;
	const char *name;
} shown[] = {
	{ PCI_EXT_CAP_ID_ATS, VFIO_NESTED_CAP_ATS, "ATS" },
	{ PCI_EXT_CAP_ID_PRI, VFIO_NESTED_CAP_PRI, "PRI" },
	{ PCI_EXT_CAP_ID_PASID, VFIO_NESTED_CAP_PASID, "PASID" },
};

static int read_cap(struct pci_dev *pdev, struct pci_overlay_cap *cap)
{
	u32 len = pci_overlay_cap_len(cap->id), reg, value;
	int ret;

	for (reg = 0; reg < len; reg += sizeof(value)) {
		ret = pci_user_read_config_dword(pdev, cap->start + reg,
						 &value);
		if (ret)
			return ret;
		put_unaligned_le32(value, &cap->raw[reg]);
	}
	return 0;
}

/**
 * nested_pci_config_open - decide what the guest sees
 * @npdev: enabled by vfio-pci-core, and not in the user's hands yet
 *
 * Context: process.
 */
void nested_pci_config_open(struct vfio_pci_nested *npdev)
{
	struct pci_dev *pdev = npdev->core.pdev;
	struct pci_overlay_space space = {
		.bytes = npdev->core.vconfig,
		.size = pdev->cfg_size,
	};
	struct pci_overlay overlay = {};
	struct iommu_nested_info info;
	size_t i;

	vfio_nested_device_info(&npdev->nested, &info);
	for (i = 0; npdev->core.extended_caps && i < ARRAY_SIZE(shown); i++) {
		struct pci_overlay_cap cap = {
			.id = shown[i].id,
			.start = pci_find_ext_capability(pdev, shown[i].id),
			.show = info.caps & shown[i].offered,
			.is_virtfn = pdev->is_virtfn,
			.pasid_bits = info.pasid_bits,
		};

		if (!cap.start)
			continue;
		if (read_cap(pdev, &cap) ||
		    !pci_overlay_add_cap(&overlay, &space, &cap))
			pci_warn(pdev, "the %s capability at %#x makes no sense, the guest does not get it\n",
				 shown[i].name, cap.start);
	}

	mutex_lock(&npdev->config_lock);
	npdev->overlay = overlay;
	mutex_unlock(&npdev->config_lock);
}

/* One access to PRI Status, in the hardware; waits while that is being reset. */
static int pri_status(struct vfio_pci_nested *npdev,
		      const struct pci_overlay_window *window, bool is_write,
		      u16 *status)
{
	struct pci_dev *pdev = npdev->core.pdev;
	int where = window->start + PCI_PRI_STATUS;
	int ret;

	if (pm_runtime_resume_and_get(&pdev->dev))
		return -EIO;
	ret = is_write ? pci_user_write_config_word(pdev, where, *status) :
			 pci_user_read_config_word(pdev, where, status);
	pm_runtime_put(&pdev->dev);
	return ret;
}

/* Whether an access of @count bytes at @pos includes byte @reg of the PRI. */
static bool pri_includes(const struct pci_overlay_window *window, u32 pos,
			 size_t count, u32 reg)
{
	return window->id == PCI_EXT_CAP_ID_PRI &&
	       pos <= window->start + reg && window->start + reg < pos + count;
}

static bool pri_enabled(const struct pci_overlay_window *window)
{
	return window->id == PCI_EXT_CAP_ID_PRI &&
	       window->value[PCI_PRI_CTRL] & PCI_PRI_CTRL_ENABLE;
}

/*
 * Where the host has page requests enabled all the time (VT-d) they are stopped for a
 * guest that has not, once the old ones are answered (PCIe 10.5.2.2): new ones are refused.
 */
static int read_window(struct vfio_pci_nested *npdev,
		       struct pci_overlay_window *window, u32 pos, u8 *to,
		       size_t count)
{
	bool low = pri_includes(window, pos, count, PCI_PRI_STATUS);
	bool high = pri_includes(window, pos, count, PCI_PRI_STATUS + 1);
	bool stopped;
	u16 status;
	int ret;

	mutex_lock(&npdev->config_lock);
	pci_overlay_read(window, pos, to, count);
	stopped = !pri_enabled(window) &&
		  compat_pci_pri_enabled(npdev->core.pdev);
	mutex_unlock(&npdev->config_lock);
	if (!low && !high)
		return 0;

	ret = pri_status(npdev, window, false, &status);
	if (ret)
		return ret;
	status &= PRI_STATUS_BITS;
	if (stopped && !vfio_nested_device_has_page_requests(&npdev->nested))
		status |= PCI_PRI_STATUS_STOPPED;
	if (low)
		to[window->start + PCI_PRI_STATUS - pos] = status;
	if (high)
		to[window->start + PCI_PRI_STATUS + 1 - pos] = status >> 8;
	return 0;
}

/* PRI Enable has changed. Where it cannot be, it is not set. */
static void set_page_requests(struct vfio_pci_nested *npdev,
			      struct pci_overlay_window *window)
{
	u32 credits = get_unaligned_le32(&window->value[PCI_PRI_ALLOC_REQ]);
	bool enable = pri_enabled(window);
	int ret;

	lockdep_assert_held(&npdev->config_lock);

	ret = vfio_nested_device_set_page_requests(&npdev->nested,
						   enable ? credits : 0);
	if (ret && enable) {
		pci_dbg(npdev->core.pdev, "no page requests: %d\n", ret);
		window->value[PCI_PRI_CTRL] &= ~PCI_PRI_CTRL_ENABLE;
	}
}

static int write_window(struct vfio_pci_nested *npdev,
			struct pci_overlay_window *window, u32 pos,
			const u8 *from, size_t count)
{
	u16 clear = 0;
	bool enabled;
	int ret;

	if (pri_includes(window, pos, count, PCI_PRI_STATUS))
		clear = from[window->start + PCI_PRI_STATUS - pos] &
			PRI_STATUS_W1C;
	if (clear) {
		ret = pri_status(npdev, window, true, &clear);
		if (ret)
			return ret;
	}

	mutex_lock(&npdev->config_lock);
	if (!npdev->in_reset) {
		enabled = pri_enabled(window);
		pci_overlay_write(window, pos, from, count);
		if (pri_enabled(window) != enabled)
			set_page_requests(npdev, window);
	}
	mutex_unlock(&npdev->config_lock);
	return 0;
}

static ssize_t window_rw(struct vfio_pci_nested *npdev,
			 struct pci_overlay_window *window, char __user *buf,
			 size_t count, u32 pos, bool is_write)
{
	u8 bytes[PCI_OVERLAY_BYTES];
	int ret;

	if (is_write) {
		if (copy_from_user(bytes, buf, count))
			return -EFAULT;
		ret = write_window(npdev, window, pos, bytes, count);
	} else {
		ret = read_window(npdev, window, pos, bytes, count);
		if (!ret && copy_to_user(buf, bytes, count))
			ret = -EFAULT;
	}
	return ret ?: count;
}

static ssize_t core_rw(struct vfio_pci_nested *npdev, char __user *buf,
		       size_t count, loff_t pos, bool is_write)
{
	struct vfio_device *vdev = &npdev->core.vdev;

	return is_write ? vfio_pci_core_write(vdev, buf, count, &pos) :
			  vfio_pci_core_read(vdev, buf, count, &pos);
}

/**
 * nested_pci_config_rw - the user reads or writes configuration space
 * @npdev: open
 * @buf: the user's memory
 * @count: bytes, any number
 * @ppos: file position, in the region of configuration space, of any alignment
 * @is_write: whether the user writes
 *
 * Like vfio_pci_core_read() and vfio_pci_core_write(): an access that fails
 * somewhere fails, and has taken effect up to there.
 *
 * Context: process.
 * Return: @count, with *@ppos advanced; -EFAULT: the user's memory is not
 * accessible, or the access goes beyond the end; -EIO: the device does not wake up;
 * any error of an access to the hardware.
 */
ssize_t nested_pci_config_rw(struct vfio_pci_nested *npdev, char __user *buf,
			     size_t count, loff_t *ppos, bool is_write)
{
	u64 pos = *ppos & VFIO_PCI_OFFSET_MASK;
	struct pci_overlay_window *window;
	size_t done, num;
	ssize_t ret;

	for (done = 0; done < count; done += num) {
		num = count - done;
		window = pci_overlay_piece(&npdev->overlay, pos + done, &num);
		ret = window ? window_rw(npdev, window, buf + done, num,
					 pos + done, is_write) :
			       core_rw(npdev, buf + done, num, *ppos + done,
				       is_write);
		if (ret < 0)
			return ret;
		num = ret;
	}
	*ppos += done;
	return done;
}

/**
 * nested_pci_config_reset_prepare - the function is about to be reset
 * @npdev: open or not
 *
 * Context: process, with the device lock held and user accesses to configuration
 * space blocked.
 */
void nested_pci_config_reset_prepare(struct vfio_pci_nested *npdev)
{
	mutex_lock(&npdev->config_lock);
	npdev->in_reset = true;
	pci_overlay_reset(&npdev->overlay);
	vfio_nested_device_reset_prepare(&npdev->nested);
	mutex_unlock(&npdev->config_lock);
}

/**
 * nested_pci_config_reset_done - the function has been reset
 * @npdev: as for nested_pci_config_reset_prepare(), and called after it
 *
 * Context: as nested_pci_config_reset_prepare().
 */
void nested_pci_config_reset_done(struct vfio_pci_nested *npdev)
{
	mutex_lock(&npdev->config_lock);
	vfio_nested_device_reset_done(&npdev->nested);
	npdev->in_reset = false;
	mutex_unlock(&npdev->config_lock);
}
