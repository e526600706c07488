/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of vfio-nested share with each other and with nobody else.
 */
#ifndef _VFIO_NESTED_PRIVATE_H
#define _VFIO_NESTED_PRIVATE_H

#include <linux/fs.h>
#include <linux/iommu-nested.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct vfio_nested_ring;

/* Nothing that a user passes by size is larger; bounds what is read of it. */
#define VFIO_NESTED_MAX_USER_SIZE	4096

/* Types of rings. */
#define VFIO_NESTED_RINGS	(VFIO_NESTED_RING_RESPONSE + 1)

/**
 * struct vfio_nested - what a nested fd stands for
 * @viommu: holds the reference of the user interface until the file is closed
 * @rings: by enum vfio_nested_ring_type, or NULL; set once (release) and then constant
 * @kick: who reads the response ring. Taken outside of the locks of iommu-nested; nobody
 *	touches user memory under it.
 * @memory_lock: serialises what concerns guest memory, see memory.c, and binding and
 *	unbinding. Taken outside of vfio_nested_device.lock.
 * @devices: that are bound, under @memory_lock
 * @reap: unpins memory; has a reference to @viommu while it is queued or runs
 * @unmap_unseen: VFIO has unmapped memory in a way that cannot be followed, see memory.c;
 *	then nothing is named any more
 * @wait: who polls the nested fd
 * @woken: they have been woken since one of them looked last
 *
 * Lives until the virtual IOMMU is gone, which may be long after the file.
 */
struct vfio_nested {
	struct iommu_nested_viommu *viommu;
	struct vfio_nested_ring *rings[VFIO_NESTED_RINGS];
	struct mutex kick; /* the response ring's index */
	struct mutex memory_lock; /* the virtual IOMMU's memory, and the list */
	struct list_head devices;
	struct work_struct reap;
	bool unmap_unseen;
	struct wait_queue_head wait;
	bool woken;
};

static inline struct vfio_nested_ring *
vfio_nested_get_ring(struct vfio_nested *nested, u32 type)
{
	/* Pairs with whoever sets it: what is in the ring comes with it. */
	return smp_load_acquire(&nested->rings[type]);
}

struct vfio_nested *vfio_nested_from_file(struct file *file);

struct vfio_nested_device;

extern struct workqueue_struct *vfio_nested_workqueue;

void vfio_nested_memory_init(struct vfio_nested *nested);
int vfio_nested_pin(void *data, u64 ipa, u32 num, int prot,
		    struct page **pages);
void vfio_nested_unpin(void *data, u64 ipa, u32 num);
void vfio_nested_relax(void *data);
struct vfio_nested *vfio_nested_lock_memory(struct vfio_nested_device *ndev);
void vfio_nested_unlock_memory(struct vfio_nested *nested);
bool vfio_nested_device_unmaps(struct vfio_nested_device *ndev);
int vfio_nested_device_wait_unmaps(struct vfio_nested_device *ndev);

/**
 * struct vfio_nested_call - one ioctl, its structure copied from the user
 * @cmd: the structure in kernel memory, what the caller left out is zero
 * @uarg: the structure in user memory
 * @size: bytes that both the user and the kernel know
 */
struct vfio_nested_call {
	void *cmd;
	void __user *uarg;
	size_t size;
};

/**
 * struct vfio_nested_ioctl - how one ioctl is carried out
 * @cmd: its number
 * @min_size: bytes of the first published form of its structure
 * @size: bytes of its structure
 * @handler: carries it out; @object is what the table is for
 */
struct vfio_nested_ioctl {
	unsigned int cmd;
	u32 min_size;
	u32 size;
	int (*handler)(void *object, struct vfio_nested_call *call);
};

/* An entry of a table; @last is the last member that was published first. */
#define VFIO_NESTED_IOCTL(_cmd, _struct, _last, _handler)		\
	{								\
		.cmd = (_cmd),						\
		.min_size = offsetofend(_struct, _last),		\
		.size = sizeof(_struct),				\
		.handler = (_handler),					\
	}

long vfio_nested_dispatch(const struct vfio_nested_ioctl *table, size_t num,
			  void *object, unsigned int cmd, unsigned long arg);
int vfio_nested_respond(const struct vfio_nested_call *call);
int vfio_nested_respond_info(const struct vfio_nested_call *call,
			     const struct iommu_nested_info *info, u32 type);
void vfio_nested_policy_init(struct iommu_nested_policy *policy);

int vfio_nested_ioctl_memory(void *object, struct vfio_nested_call *call);
int vfio_nested_ioctl_respond(void *object, struct vfio_nested_call *call);
int vfio_nested_ioctl_kick(void *object, struct vfio_nested_call *call);
int vfio_nested_ioctl_set_run(void *object, struct vfio_nested_call *call);
int vfio_nested_ioctl_save(void *object, struct vfio_nested_call *call);
int vfio_nested_ioctl_restore(void *object, struct vfio_nested_call *call);

#endif /* _VFIO_NESTED_PRIVATE_H */
