/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Nested IOMMU translation for guests: the guest owns stage 1, the host owns
 * stage 2, the physical IOMMU walks both.
 */
#ifndef _UAPI_LINUX_VFIO_NESTED_H
#define _UAPI_LINUX_VFIO_NESTED_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General format
 *
 * There are two kinds of file. A *nested fd*, one open of /dev/vfio-nested, is
 * one virtual IOMMU of one virtual machine. A VFIO *device fd*, as VFIO hands
 * it out, joins a virtual IOMMU with an ioctl of its own that names the nested
 * fd. Closing the device fd, in whatever way, ends that binding; closing the
 * nested fd while devices are bound keeps the virtual IOMMU alive, without a
 * user interface, until the last of them is gone.
 *
 * Every ioctl takes a pointer to one structure whose first member is its size
 * in bytes, as the caller knows it. A structure may grow at its end:
 *
 *  - a size smaller than the first published form of the structure is refused;
 *    one larger than what the kernel knows is accepted as long as the bytes that
 *    the kernel does not know are zero;
 *  - zero in a member means "not there"; what an older caller does not pass is
 *    taken as zero, what it has no room for is not returned.
 *
 * All pointers are carried in 64-bit members, so that 32-bit callers on 64-bit
 * kernels need no translation. Members named *entry* or *data* that carry a
 * format of the architecture are little-endian, as the hardware reads them.
 *
 * Every ioctl can fail with these, which its own description does not repeat:
 *
 *  - EFAULT: the structure, or memory that it points to, is not accessible;
 *  - EINVAL: the size is too small, a reserved member is not zero, or a value is
 *    out of its range;
 *  - E2BIG: non-zero bytes after what this kernel knows, or a size above 4096;
 *  - EOPNOTSUPP: an unknown flag or type, or one that this IOMMU cannot do;
 *  - ENOMEM: no memory;
 *  - EINTR: a fatal signal arrived while waiting; nothing was changed;
 *  - ENOTTY: no such ioctl on this kind of file.
 *
 * An ioctl that fails changes nothing, unless its description says otherwise.
 */

/* The ioctl type is not used by any other driver. */
#define VFIO_NESTED_TYPE	0xBD

/**
 * enum vfio_nested_backend - the architecture of the physical IOMMU
 * @VFIO_NESTED_BACKEND_NONE: not known yet: no device has been bound
 * @VFIO_NESTED_BACKEND_SMMUV3: Arm SMMUv3
 * @VFIO_NESTED_BACKEND_VTD: Intel VT-d, scalable mode
 */
enum vfio_nested_backend {
	VFIO_NESTED_BACKEND_NONE = 0,
	VFIO_NESTED_BACKEND_SMMUV3 = 1,
	VFIO_NESTED_BACKEND_VTD = 2,
};

/*
 * Capability bits, struct vfio_nested_info.caps. A clear bit means that the
 * kernel, the IOMMU or the device cannot do it or may not do it here.
 */
/* A stage-1 context can be bound. */
#define VFIO_NESTED_CAP_STAGE1		0x1ULL
/* Native invalidation commands are carried to the hardware. */
#define VFIO_NESTED_CAP_INVALIDATE	0x2ULL
/* Non-recoverable faults are reported. */
#define VFIO_NESTED_CAP_EVENTS		0x4ULL
/* The guest may enable address translation services for the device. */
#define VFIO_NESTED_CAP_ATS		0x8ULL
/* More than one stage-1 table for each device. */
#define VFIO_NESTED_CAP_PASID		0x10ULL
/* Accesses can be stalled and resumed. */
#define VFIO_NESTED_CAP_STALL		0x20ULL
/* PCI page requests are reported and answered. */
#define VFIO_NESTED_CAP_PRI		0x40ULL
/* The device's DMA is coherent whatever attributes stage 1 asks for. */
#define VFIO_NESTED_CAP_COHERENT	0x80ULL
/* One page table for a device can be described generically, and invalidated so. */
#define VFIO_NESTED_CAP_TABLE		0x100ULL
/* Guest memory has to be named, see struct vfio_nested_memory. */
#define VFIO_NESTED_CAP_MEMORY		0x200ULL

/**
 * struct vfio_nested_info_smmuv3 - SMMUv3 ID registers as a guest may see them
 * @flags: zero
 * @__reserved: zero
 * @idr: SMMU_IDR0 to SMMU_IDR5. Features that cannot be given to a guest are
 *	cleared: stage 2, broadcast TLB maintenance, message-signalled
 *	interrupts of the SMMU itself, and whatever the capability bits of
 *	struct vfio_nested_info say is not there. A VMM may clear more bits, but
 *	may not set any.
 * @iidr: SMMU_IIDR
 * @aidr: SMMU_AIDR
 *
 * Arm IHI 0070, chapter 6.3.
 */
struct vfio_nested_info_smmuv3 {
	__u32 flags;
	__u32 __reserved;
	__u32 idr[6];
	__u32 iidr;
	__u32 aidr;
};

/**
 * struct vfio_nested_info_vtd - VT-d capability registers as a guest may see them
 * @flags: zero
 * @__reserved: zero
 * @cap: Capability Register. CM is set: the guest has to invalidate also what was not
 *	present before, because the host follows its tables at invalidations only.
 * @ecap: Extended Capability Register. Of the translation types there is the first
 *	stage. Features that cannot be given to a guest are cleared, as are those that a
 *	VMM emulates by itself (interrupt remapping, the offsets of registers).
 *
 * A VMM may clear more bits, but may not set any other of translation, caching or
 * faults. Intel Virtualization Technology for Directed I/O, 11.4.2 and 11.4.3.
 */
struct vfio_nested_info_vtd {
	__u32 flags;
	__u32 __reserved;
	__aligned_u64 cap;
	__aligned_u64 ecap;
};

/**
 * struct vfio_nested_info - ioctl(VFIO_NESTED_INFO)
 * @size: sizeof(struct vfio_nested_info)
 * @flags: in: zero
 * @backend: out: enum vfio_nested_backend
 * @data_len: in: bytes of room at @data_uptr, zero to 4096; out: bytes that the
 *	kernel has for this backend, even where that is more than the room
 * @data_uptr: in: where the architecture's own structure goes:
 *	struct vfio_nested_info_smmuv3, struct vfio_nested_info_vtd. At most
 *	@data_len bytes are written; room beyond what the kernel has is set to zero.
 * @caps: out: VFIO_NESTED_CAP_* bits
 * @virtual_id_bits: out: virtual ids must be smaller than 1 << this
 * @pasid_bits: out: PASIDs must be smaller than 1 << this; 0: no PASIDs
 * @max_pending: out: recoverable faults that may be outstanding for one virtual
 *	IOMMU; 0 where there are none
 * @max_bindings: out: devices that one virtual IOMMU may have
 * @ring_entries_max: out: largest number of records of a fault ring
 * @ring_record_size: out: bytes of one record, see struct vfio_nested_fault
 * @msi_start: out: first byte of the window of bus addresses through which the
 *	device's interrupts leave. They pass stage 1, so the guest must map the
 *	window to itself, one to one.
 * @msi_size: out: bytes of that window; 0: interrupts do not pass stage 1
 * @fault_deadline_ms: out: milliseconds in which a recoverable fault of this
 *	device has to be answered; 0: any time. Only on a device fd: the
 *	administrator sets it for each device.
 * @fault_quota: out: recoverable faults of this device that may be outstanding;
 *	only on a device fd
 *
 * On a device fd: about the IOMMU behind this device, before or after binding.
 * On a nested fd: about the IOMMU of the devices bound to it; while no device is
 * bound @backend is VFIO_NESTED_BACKEND_NONE and only the limits of the fd
 * (@max_bindings, @ring_entries_max, @ring_record_size) are set.
 *
 * Errors: ENODEV: the device has no IOMMU that one of our backends drives.
 */
struct vfio_nested_info {
	__u32 size;
	__u32 flags;
	__u32 backend;
	__u32 data_len;
	__aligned_u64 data_uptr;
	__aligned_u64 caps;
	__u32 virtual_id_bits;
	__u32 pasid_bits;
	__u32 max_pending;
	__u32 max_bindings;
	__u32 ring_entries_max;
	__u32 ring_record_size;
	__aligned_u64 msi_start;
	__aligned_u64 msi_size;
	__u32 fault_deadline_ms;
	__u32 fault_quota;
};

#define VFIO_NESTED_INFO	_IO(VFIO_NESTED_TYPE, 0x00)

/**
 * struct vfio_device_nested_bind - ioctl(VFIO_DEVICE_NESTED_BIND), device fd
 * @size: sizeof(struct vfio_device_nested_bind)
 * @flags: zero
 * @nested_fd: an open of /dev/vfio-nested
 * @__reserved: zero
 * @virtual_id: the device's id in the guest: StreamID (32 bits) on SMMUv3,
 *	source-id (16 bits) on VT-d
 *
 * The device joins the virtual IOMMU. It must be attached to a container
 * (type1) or an address space (iommufd) already; that is the stage 2. Nothing
 * changes for the device's DMA until a context is set.
 *
 * All devices of one nested fd have the same physical IOMMU and the same
 * stage 2; with the last of them the virtual IOMMU lets go of both, and the next
 * device may bring others. A binding ends with VFIO_DEVICE_NESTED_UNBIND or with
 * the device fd; in both cases the device is back on stage 2 alone. It stays
 * across a reset of the device: while that lasts no access passes, and after it
 * the context that was set last is in force.
 *
 * Errors: EBADF: @nested_fd is not an open file, or not one of /dev/vfio-nested; EBUSY:
 * this device is bound already, is being reset, or VFIO has PASIDs of it attached; ENOMEM,
 * see also VFIO_NESTED_MEMORY; EEXIST: @virtual_id is taken; EXDEV: the device is behind
 * another physical IOMMU, or on another stage 2, than the devices already bound; ENODEV:
 * no IOMMU that one of our backends drives, or no stage 2 that can be nested on;
 * EOPNOTSUPP: also: this SMMU cannot nest; EPERM: the device's DMA cannot be kept
 * coherent, or, on VT-d, the device shares its IOMMU group, see the log; ENOSPC: too many
 * devices, or no VMID left, or no room for the page requests that the guest has enabled
 * before.
 */
struct vfio_device_nested_bind {
	__u32 size;
	__u32 flags;
	__s32 nested_fd;
	__u32 __reserved;
	__aligned_u64 virtual_id;
};

#define VFIO_DEVICE_NESTED_BIND	_IO(VFIO_NESTED_TYPE, 0x01)

/**
 * struct vfio_device_nested_unbind - ioctl(VFIO_DEVICE_NESTED_UNBIND), device fd
 * @size: sizeof(struct vfio_device_nested_unbind)
 * @flags: zero
 *
 * Clears the context and takes the device out of its virtual IOMMU. Records of
 * the device that are in the ring already stay there; none comes after.
 *
 * Errors: ENOENT: the device is not bound; EBUSY: it is being reset. To close the device
 * waits for that.
 */
struct vfio_device_nested_unbind {
	__u32 size;
	__u32 flags;
};

#define VFIO_DEVICE_NESTED_UNBIND	_IO(VFIO_NESTED_TYPE, 0x02)

/**
 * enum vfio_nested_context_type - what stage 1 does
 * @VFIO_NESTED_CONTEXT_CLEAR: as after binding: stage 2 alone
 * @VFIO_NESTED_CONTEXT_BYPASS: the guest's stage 1 is a bypass: stage 2 alone
 * @VFIO_NESTED_CONTEXT_ABORT: every access is refused, without a record
 * @VFIO_NESTED_CONTEXT_SMMUV3: as the guest's stream table entry says; data is
 *	struct vfio_nested_context_smmuv3
 * @VFIO_NESTED_CONTEXT_VTD: as the guest's scalable-mode context entry says; data
 *	is struct vfio_nested_context_vtd
 * @VFIO_NESTED_CONTEXT_TABLE: one page table, described generically; data is struct
 *	vfio_nested_context_table
 */
enum vfio_nested_context_type {
	VFIO_NESTED_CONTEXT_CLEAR = 0,
	VFIO_NESTED_CONTEXT_BYPASS = 1,
	VFIO_NESTED_CONTEXT_ABORT = 2,
	VFIO_NESTED_CONTEXT_SMMUV3 = 3,
	VFIO_NESTED_CONTEXT_VTD = 4,
	VFIO_NESTED_CONTEXT_TABLE = 5,
};

/**
 * struct vfio_nested_context_smmuv3 - data of VFIO_NESTED_CONTEXT_SMMUV3
 * @ste: the first two 64-bit words of the guest's stream table entry. These
 *	fields are taken, all other bits must be zero:
 *	word 0: V, Config, S1Fmt, S1ContextPtr (an IPA), S1CDMax;
 *	word 1: S1DSS, S1CIR, S1COR, S1CSH, S1STALLD, EATS.
 *
 * V=0 refuses every access and reports C_BAD_STE. Config: 0b000 to 0b011 refuse
 * every access without a record, 0b100 is a bypass, 0b101 is stage 1; the others
 * name stage 2, which the guest does not own, and are refused with EINVAL.
 *
 * Arm IHI 0070, section 5.2.
 */
struct vfio_nested_context_smmuv3 {
	__aligned_le64 ste[2];
};

/**
 * struct vfio_nested_context_vtd - data of VFIO_NESTED_CONTEXT_VTD
 * @entry: the guest's scalable-mode context entry. These fields are taken, all other
 *	bits must be zero:
 *	word 0: P, FPD, DTE, PASIDE, PRE, PDTS, PASIDDIRPTR (a guest physical address).
 *	RID_PASID is zero: the guest does not have ECAP.RPS.
 *
 * P=0 refuses every access. The PASID directory and the tables that it refers to are
 * read now, in memory that has been named (struct vfio_nested_memory), and again where
 * an invalidation of the PASID cache says that they have changed. Entries for the
 * first stage and for pass-through are carried out. For a PASID with any other, with
 * one whose reserved bits are set, or that cannot be read, all accesses are refused.
 * DTE and PRE are requests: the host decides about ATS, and page requests are enabled
 * when the guest has done so in the device as well. FPD has no effect.
 *
 * Intel Virtualization Technology for Directed I/O, 9.4, 9.5 and 9.6.
 */
struct vfio_nested_context_vtd {
	__aligned_le64 entry[4];
};

/**
 * enum vfio_nested_table_format - format of a page table
 * @VFIO_NESTED_TABLE_X86_64: of 4 or 5 levels, as of the x86-64 CPU (VT-d first stage)
 */
enum vfio_nested_table_format {
	VFIO_NESTED_TABLE_X86_64 = 1,
};

/**
 * struct vfio_nested_context_table - data of VFIO_NESTED_CONTEXT_TABLE
 * @format: enum vfio_nested_table_format
 * @address_width: bits of an address that the table translates: 48 (4 levels) or 57
 *	(5 levels)
 * @table: intermediate physical address of the top level table, a multiple of 4096
 *
 * All accesses without a PASID are translated by one table, those with one are
 * refused. Its caches are invalidated by VFIO_NESTED_COMMAND_GENERIC.
 */
struct vfio_nested_context_table {
	__u32 format;
	__u32 address_width;
	__aligned_u64 table;
};

/**
 * struct vfio_nested_set_context - ioctl(VFIO_NESTED_SET_CONTEXT), nested fd
 * @size: sizeof(struct vfio_nested_set_context)
 * @flags: zero
 * @virtual_id: a bound device
 * @type: enum vfio_nested_context_type
 * @data_len: bytes at @data_uptr; zero for CLEAR, BYPASS and ABORT, else the size
 *	of the structure, as the caller knows it (see the general format)
 * @data_uptr: the structure that @type names
 *
 * Sets or replaces the stage-1 context of one device. When the call returns the
 * hardware uses the new context, and has forgotten the old one as far as a
 * configuration invalidation does that (SMMUv3: CMD_CFGI_STE); translations that
 * it has cached are the guest's to invalidate. Accesses never see a mixture of
 * the two; where the architecture cannot replace one by the other at once, those
 * in between are refused.
 *
 * Errors: ENOENT: no device with this virtual id is bound; ENODEV: VFIO has moved the
 * device to another stage 2 since it was bound: unbind it and bind it again; EINVAL: the
 * entry is not legal for this IOMMU, the log says why; EPERM: the context needs something
 * that the administrator has not allowed (EATS); ENOSPC: VT-d: the tables have more PASIDs
 * in use than one virtual IOMMU may have (1024), or no domain id is left; EFAULT: also:
 * the caller is not in the address space that has named guest memory; EBUSY: VT-d:
 * somebody else uses a PASID of the device, or four other address spaces use this nested
 * fd.
 */
struct vfio_nested_set_context {
	__u32 size;
	__u32 flags;
	__aligned_u64 virtual_id;
	__u32 type;
	__u32 data_len;
	__aligned_u64 data_uptr;
};

#define VFIO_NESTED_SET_CONTEXT	_IO(VFIO_NESTED_TYPE, 0x10)

/**
 * enum vfio_nested_command_type - format of invalidation commands
 * @VFIO_NESTED_COMMAND_SMMUV3: 16-byte commands of the SMMUv3 command queue
 * @VFIO_NESTED_COMMAND_VTD: VT-d queued-invalidation descriptors
 * @VFIO_NESTED_COMMAND_GENERIC: generic form
 */
enum vfio_nested_command_type {
	VFIO_NESTED_COMMAND_SMMUV3 = 1,
	VFIO_NESTED_COMMAND_VTD = 2,
	VFIO_NESTED_COMMAND_GENERIC = 3,
};

/**
 * struct vfio_nested_command_smmuv3 - one guest command
 * @cmd: as the guest wrote it (Arm IHI 0070, chapter 4)
 *
 * Accepted: TLBI_NH_ALL, TLBI_NH_ASID, TLBI_NH_VA, TLBI_NH_VAA, TLBI_NSNH_ALL,
 * CFGI_CD, CFGI_CD_ALL, ATC_INV (for a device whose context has EATS), and two
 * that have no effect here: PREFETCH_CONFIG and PREFETCH_ADDR, which are hints,
 * and SYNC without a completion signal, since every call waits for completion.
 *
 * The guest's answers to recoverable faults can come in the same way, between the
 * others: RESUME, with the STAG of the raw record; PRI_RESP; and STALL_TERM, which
 * aborts all that the device has stalled. They are answers like those of
 * VFIO_NESTED_RESPOND, and fail like them where no such fault is pending.
 *
 * Any other opcode gives EOPNOTSUPP, any bit that its command does not define,
 * or that this SMMU does not implement, EINVAL, a StreamID that is not bound
 * ENOENT. The VMID field must be zero, the hardware gets the virtual IOMMU's.
 */
struct vfio_nested_command_smmuv3 {
	__aligned_le64 cmd[2];
};

/**
 * struct vfio_nested_command_vtd - one guest descriptor
 * @qw: as the guest wrote it. Of a queue with 128-bit descriptors (IQA.DW=0) there are
 *	two words, and struct vfio_nested_invalidate.entry_len is 16.
 *
 * Accepted: context-cache, PASID-cache, IOTLB, PASID-based IOTLB, device-TLB and
 * PASID-based device-TLB invalidation, page group response, and wait without a
 * completion signal (IF and SW clear), which has no effect because every call waits for
 * completion. Interrupt remapping is the VMM's own: its descriptor gives EOPNOTSUPP.
 *
 * A PASID-cache invalidation makes the kernel read what it names in the guest's PASID
 * tables. A context-cache invalidation has no effect: the VMM sets the context.
 * Where the kernel cannot be as precise as the descriptor it invalidates more, and
 * counts that (struct vfio_nested_stats.commands_widened).
 *
 * A wait may ask for page requests to be drained (PD). When the call has returned none is
 * under way for what was invalidated before; before it tells the guest that the wait is
 * complete, the VMM hands on what is in the fault ring, and what is held back until there
 * is room in it.
 *
 * Errors: EOPNOTSUPP: an unknown type; EINVAL: a bit or a value that its descriptor does
 * not define, or whose feature the guest does not have; ENOENT: a source-id that is not
 * bound; of a page group response those of struct vfio_nested_response; of a PASID-cache
 * invalidation also EFAULT, ENOSPC and EBUSY, as of VFIO_NESTED_SET_CONTEXT, and EBUSY
 * where the kernel resets the device.
 */
struct vfio_nested_command_vtd {
	__aligned_le64 qw[4];
};

/**
 * enum vfio_nested_generic_op - what a generic command invalidates
 * @VFIO_NESTED_GENERIC_ALL: every translation of the device
 * @VFIO_NESTED_GENERIC_RANGE: those of a range of addresses
 */
enum vfio_nested_generic_op {
	VFIO_NESTED_GENERIC_ALL = 1,
	VFIO_NESTED_GENERIC_RANGE = 2,
};

/* Only entries that map pages have changed, none that refers to another table. */
#define VFIO_NESTED_GENERIC_LEAF	0x1U

/**
 * struct vfio_nested_command_generic - invalidation in terms of no architecture
 * @op: enum vfio_nested_generic_op
 * @flags: VFIO_NESTED_GENERIC_LEAF
 * @virtual_id: a bound device, whose context is VFIO_NESTED_CONTEXT_TABLE
 * @address: RANGE: first address, a multiple of 4096; else zero
 * @length: RANGE: bytes, a multiple of 4096, not zero; else zero
 */
struct vfio_nested_command_generic {
	__u32 op;
	__u32 flags;
	__aligned_u64 virtual_id;
	__aligned_u64 address;
	__aligned_u64 length;
};

/**
 * struct vfio_nested_invalidate - ioctl(VFIO_NESTED_INVALIDATE), nested fd
 * @size: sizeof(struct vfio_nested_invalidate)
 * @flags: zero
 * @type: enum vfio_nested_command_type
 * @entry_len: bytes of one command: 16 for VFIO_NESTED_COMMAND_SMMUV3, 32 or 16 for
 *	VFIO_NESTED_COMMAND_VTD, 32 for VFIO_NESTED_COMMAND_GENERIC
 * @entry_num: in: commands at @entries_uptr; out: commands that were consumed,
 *	also on error. Zero commands succeed and do nothing.
 * @__reserved: zero
 * @entries_uptr: the commands, an array without gaps
 *
 * Carries the guest's commands to the hardware in their order, and waits until
 * the hardware has done what they ask. Commands before the first bad one take
 * effect, none after it; the error is that of the first bad one, which
 * @entry_num tells. While no device is bound there is nothing to invalidate,
 * and not even the kind of command is known: a VMM then completes the guest's
 * commands by itself.
 *
 * Errors: ENODEV: no device is bound; ENOENT, EOPNOTSUPP, EINVAL: of the first bad
 * command; EFAULT: the first bad command cannot be read, or @entry_num cannot be written;
 * EIO: the hardware did not answer, and what @entry_num counts may not have taken effect;
 * EBUSY: VT-d: four other address spaces use this nested fd; EINTR: a fatal signal arrived
 * between commands.
 */
struct vfio_nested_invalidate {
	__u32 size;
	__u32 flags;
	__u32 type;
	__u32 entry_len;
	__u32 entry_num;
	__u32 __reserved;
	__aligned_u64 entries_uptr;
};

#define VFIO_NESTED_INVALIDATE	_IO(VFIO_NESTED_TYPE, 0x11)

/**
 * enum vfio_nested_ring_type - rings of a nested fd
 * @VFIO_NESTED_RING_FAULT: kernel to VMM: struct vfio_nested_fault
 * @VFIO_NESTED_RING_RESPONSE: VMM to kernel: answers to recoverable faults
 */
enum vfio_nested_ring_type {
	VFIO_NESTED_RING_FAULT = 0,
	VFIO_NESTED_RING_RESPONSE = 1,
};

/**
 * struct vfio_nested_setup_ring - ioctl(VFIO_NESTED_SETUP_RING), nested fd
 * @size: sizeof(struct vfio_nested_setup_ring)
 * @flags: zero
 * @type: enum vfio_nested_ring_type
 * @entries: records that the ring holds: a power of two, 8 to
 *	struct vfio_nested_info.ring_entries_max
 * @eventfd: an eventfd that is signalled after records were added, or -1; -1 for
 *	VFIO_NESTED_RING_RESPONSE
 * @record_size: out: bytes from one record to the next
 * @mmap_offset: out: offset for mmap() on the nested fd
 * @mmap_size: out: length for mmap()
 * @producer_offset: out: where in the mapping the producer index is, a __u32
 *	that the producer writes (store-release) and the consumer reads
 *	(load-acquire)
 * @consumer_offset: out: where the consumer index is, a __u32 that the consumer
 *	writes (store-release) and the producer reads (load-acquire)
 * @lost_offset: out: where the number of records lost since set-up is, a __u64
 *	that the kernel writes; zero for VFIO_NESTED_RING_RESPONSE
 * @records_offset: out: where the first record is
 * @held_offset: out: where the number of records is that the kernel holds back
 *	because the ring was full, a __u32 that the kernel writes; zero for
 *	VFIO_NESTED_RING_RESPONSE
 * @__reserved: zero
 *
 * In the fault ring the kernel is the producer and the VMM the consumer; in the
 * response ring it is the other way round.
 *
 * Makes the ring; there is one of a type for the life of the nested fd. It is
 * mapped as a whole: MAP_SHARED, at @mmap_offset, @mmap_size bytes, readable and
 * writable but not executable. A mapping keeps the nested fd open. poll() says
 * that the nested fd is readable while there are records in the fault ring. The
 * indexes count records since set-up and wrap at 1 << 32: the record of index i
 * is number i % @entries, the ring is empty where producer == consumer and full
 * where producer - consumer == @entries. The kernel keeps its own producer index
 * and does not read back what it wrote; a consumer index that is ahead of the
 * producer, or more than @entries behind it, counts as a full ring.
 *
 * A non-recoverable record for which there is no room is dropped and counted.
 * Before the ring exists all of them are dropped and counted in the statistics.
 * A recoverable one is never dropped: it is held back, in order, until there is
 * room. A VMM that finds @held_offset not zero after it has made room says so with
 * VFIO_NESTED_KICK, or by poll(); else it gets the records a little later.
 *
 * The response ring holds struct vfio_nested_response. The kernel looks at it
 * during VFIO_NESTED_KICK only, reads each record once and writes its result into
 * it before the consumer index passes it.
 *
 * Errors: EEXIST: this ring exists; EBADF: @eventfd is not an open file; EINVAL:
 * it is not an eventfd, or @entries is out of range.
 */
struct vfio_nested_setup_ring {
	__u32 size;
	__u32 flags;
	__u32 type;
	__u32 entries;
	__s32 eventfd;
	__u32 record_size;
	__aligned_u64 mmap_offset;
	__aligned_u64 mmap_size;
	__u32 producer_offset;
	__u32 consumer_offset;
	__u32 lost_offset;
	__u32 records_offset;
	__u32 held_offset;
	__u32 __reserved;
};

#define VFIO_NESTED_SETUP_RING	_IO(VFIO_NESTED_TYPE, 0x12)

/**
 * enum vfio_nested_fault_kind - what a record is
 * @VFIO_NESTED_FAULT_EVENT: an access, or the configuration for it, failed. The
 *	access is over; nothing is to be answered.
 * @VFIO_NESTED_FAULT_STALL: an access waits for an answer
 * @VFIO_NESTED_FAULT_PAGE_REQUEST: the device asks for pages and waits
 */
enum vfio_nested_fault_kind {
	VFIO_NESTED_FAULT_EVENT = 1,
	VFIO_NESTED_FAULT_STALL = 2,
	VFIO_NESTED_FAULT_PAGE_REQUEST = 3,
};

/**
 * enum vfio_nested_fault_reason - why, in terms of no architecture
 * @VFIO_NESTED_REASON_UNKNOWN: see the raw record
 * @VFIO_NESTED_REASON_STREAM: the device's entry (STE, context entry) is bad
 * @VFIO_NESTED_REASON_CONTEXT: the PASID's entry (CD, PASID entry) is bad, or
 *	cannot be read
 * @VFIO_NESTED_REASON_PASID: the PASID is out of range or not allowed
 * @VFIO_NESTED_REASON_WALK: a page table cannot be read
 * @VFIO_NESTED_REASON_TRANSLATION: nothing is mapped there
 * @VFIO_NESTED_REASON_ADDRESS_SIZE: an address is out of range
 * @VFIO_NESTED_REASON_ACCESS: the access flag is clear
 * @VFIO_NESTED_REASON_PERMISSION: mapped, but not for this kind of access
 * @VFIO_NESTED_REASON_TRANSACTION: this kind of access is not supported
 * @VFIO_NESTED_REASON_CONFLICT: translations or configurations contradict each
 *	other in a cache
 */
enum vfio_nested_fault_reason {
	VFIO_NESTED_REASON_UNKNOWN = 0,
	VFIO_NESTED_REASON_STREAM = 1,
	VFIO_NESTED_REASON_CONTEXT = 2,
	VFIO_NESTED_REASON_PASID = 3,
	VFIO_NESTED_REASON_WALK = 4,
	VFIO_NESTED_REASON_TRANSLATION = 5,
	VFIO_NESTED_REASON_ADDRESS_SIZE = 6,
	VFIO_NESTED_REASON_ACCESS = 7,
	VFIO_NESTED_REASON_PERMISSION = 8,
	VFIO_NESTED_REASON_TRANSACTION = 9,
	VFIO_NESTED_REASON_CONFLICT = 10,
};

/* struct vfio_nested_fault.flags */
#define VFIO_NESTED_FAULT_PASID		0x001U	/* @pasid is valid */
#define VFIO_NESTED_FAULT_ADDRESS	0x002U	/* @address is valid */
#define VFIO_NESTED_FAULT_IPA		0x004U	/* @ipa is valid */
#define VFIO_NESTED_FAULT_READ		0x008U
#define VFIO_NESTED_FAULT_WRITE		0x010U
#define VFIO_NESTED_FAULT_EXEC		0x020U
#define VFIO_NESTED_FAULT_PRIV		0x040U
/* Stage 2, the VMM's own mapping, refused it; the guest has no part in it. */
#define VFIO_NESTED_FAULT_STAGE2	0x080U
/* The last page request of its group. */
#define VFIO_NESTED_FAULT_LAST		0x100U
/* The device reported more than its quota; its records are off until a new
 * context is set.
 */
#define VFIO_NESTED_FAULT_THROTTLED	0x200U
/* Page requests before this one were lost or refused. They have been answered, the
 * device may ask again: groups whose last request has not been seen are over.
 */
#define VFIO_NESTED_FAULT_GAP		0x400U
/* Restored by VFIO_NESTED_RESTORE, and reported before the state was saved. */
#define VFIO_NESTED_FAULT_RESTORED	0x800U

/**
 * struct vfio_nested_fault - one record of the fault ring
 * @kind: enum vfio_nested_fault_kind
 * @reason: enum vfio_nested_fault_reason
 * @flags: VFIO_NESTED_FAULT_* bits
 * @pasid: PASID of the access
 * @virtual_id: the device, as the guest numbers it
 * @cookie: names the fault in the answer; zero where none is expected: events,
 *	page requests without VFIO_NESTED_FAULT_LAST, and stop markers, which are
 *	page requests with VFIO_NESTED_FAULT_LAST that ask for no access
 * @address: address that the device used (stage-1 input)
 * @ipa: address that failed stage 2
 * @group: page request group index
 * @raw_len: bytes of @raw that are valid: 32 for an SMMUv3 event record, 16 for an
 *	SMMUv3 page request, 32 for a VT-d page request descriptor
 * @raw: the hardware's record, little-endian, with ids in the guest's namespace:
 *	StreamID or source-id, and STAG, which names the stall in the guest's own
 *	CMD_RESUME
 * @timestamp: CLOCK_MONOTONIC nanoseconds at which the kernel read the record
 * @__reserved: zero
 */
struct vfio_nested_fault {
	__u32 kind;
	__u32 reason;
	__u32 flags;
	__u32 pasid;
	__aligned_u64 virtual_id;
	__aligned_u64 cookie;
	__aligned_u64 address;
	__aligned_u64 ipa;
	__u32 group;
	__u32 raw_len;
	__aligned_le64 raw[4];
	__aligned_u64 timestamp;
	__aligned_u64 __reserved[4];
};

/**
 * struct vfio_nested_stats - ioctl(VFIO_NESTED_STATS), nested fd
 * @size: sizeof(struct vfio_nested_stats)
 * @flags: zero
 * @bindings: devices bound now
 * @contexts: contexts set, replaced or cleared
 * @invalidate_calls: VFIO_NESTED_INVALIDATE calls with commands
 * @commands: commands consumed
 * @commands_refused: commands refused
 * @events: non-recoverable events that the hardware reported for the devices
 * @events_delivered: of these, written to the ring
 * @events_lost: of these, dropped: no ring, or no room in it
 * @events_throttled: times that a device's records were switched off for flooding
 * @faults: recoverable faults raised: stalls, and groups of page requests
 * @faults_answered: of these, answered by the VMM
 * @faults_expired: of these, aborted at their deadline
 * @faults_aborted: of these, aborted by reset, unbind or close
 * @faults_refused: of these, aborted at once: over the quota, or from a device
 *	that may not raise them
 * @faults_pending: of these, not over yet
 * @faults_delivered: of these, written to the ring
 * @faults_moved: of these, saved by VFIO_NESTED_SAVE and then unbound
 * @page_requests: page requests raised, each of a group, without stop markers
 * @responses_refused: answers that named no pending fault, or were not legal
 * @commands_widened: commands for which more was invalidated than they asked for
 *
 * Counters since the nested fd was opened. @events is always @events_delivered
 * plus @events_lost; @faults is always @faults_answered plus @faults_expired plus
 * @faults_aborted plus @faults_refused plus @faults_moved plus @faults_pending.
 */
struct vfio_nested_stats {
	__u32 size;
	__u32 flags;
	__aligned_u64 bindings;
	__aligned_u64 contexts;
	__aligned_u64 invalidate_calls;
	__aligned_u64 commands;
	__aligned_u64 commands_refused;
	__aligned_u64 events;
	__aligned_u64 events_delivered;
	__aligned_u64 events_lost;
	__aligned_u64 events_throttled;
	__aligned_u64 faults;
	__aligned_u64 faults_answered;
	__aligned_u64 faults_expired;
	__aligned_u64 faults_aborted;
	__aligned_u64 faults_refused;
	__aligned_u64 faults_pending;
	__aligned_u64 faults_delivered;
	__aligned_u64 faults_moved;
	__aligned_u64 page_requests;
	__aligned_u64 responses_refused;
	__aligned_u64 commands_widened;
};

#define VFIO_NESTED_STATS	_IO(VFIO_NESTED_TYPE, 0x13)

/**
 * enum vfio_nested_response_code - what becomes of the access
 * @VFIO_NESTED_RESPONSE_RETRY: the guest has mapped the page: a stalled access is
 *	translated again; page requests succeed
 * @VFIO_NESTED_RESPONSE_ABORT: a stalled access is aborted, the device is told;
 *	page requests get Invalid Request
 * @VFIO_NESTED_RESPONSE_TERMINATE: a stalled access ends without effect, reads
 *	return zero (where the SMMU cannot do that, IDR0.TERM_MODEL=1, it is
 *	aborted); page requests get Response Failure, after which the function
 *	asks no more until it is reset. A function that shares its page request
 *	interface with others (SR-IOV) gets Invalid Request instead.
 *
 * Arm IHI 0070, sections 4.6.1 and 4.5.2; PCIe, section 10.4.2.1.
 */
enum vfio_nested_response_code {
	VFIO_NESTED_RESPONSE_RETRY = 1,
	VFIO_NESTED_RESPONSE_ABORT = 2,
	VFIO_NESTED_RESPONSE_TERMINATE = 3,
};

/**
 * struct vfio_nested_response - the answer to one recoverable fault
 * @cookie: of the record
 * @code: enum vfio_nested_response_code
 * @result: in: any; out, in the response ring only: zero, or a negative errno
 *
 * A cookie is good for one answer. Errors: ENOENT: there was never such a fault in
 * this virtual IOMMU, or its record is still held back; EALREADY: it has been
 * answered; ETIMEDOUT: its deadline was over first; ECANCELED: a reset, an unbind or
 * the end of the binding was first; ESTALE: it was over, so long ago that the kernel
 * does not know how; EINVAL: @code is none of the enum; EBUSY: the device is stopped.
 * Where there is an error no hardware was touched.
 */
struct vfio_nested_response {
	__aligned_u64 cookie;
	__u32 code;
	__s32 result;
};

/**
 * struct vfio_nested_respond - ioctl(VFIO_NESTED_RESPOND), nested fd
 * @size: sizeof(struct vfio_nested_respond)
 * @flags: zero
 * @entry_len: bytes of one answer: sizeof(struct vfio_nested_response)
 * @entry_num: in: answers at @entries_uptr; out: answers that were carried out, also
 *	on error. Zero answers succeed and do nothing.
 * @entries_uptr: the answers, an array without gaps; it is only read
 *
 * Answers recoverable faults in the order of the array, up to the first bad one,
 * whose error is returned. An answer does not wait for invalidations: what stage 1
 * needs of them must be complete before (VFIO_NESTED_INVALIDATE returns when it is).
 *
 * Errors: those of struct vfio_nested_response, of the first bad answer; ENODEV: no device
 * is bound; EFAULT: the first bad answer cannot be read, or @entry_num cannot be written;
 * EIO: the hardware does not take commands; EINTR: a fatal signal arrived between answers.
 */
struct vfio_nested_respond {
	__u32 size;
	__u32 flags;
	__u32 entry_len;
	__u32 entry_num;
	__aligned_u64 entries_uptr;
};

#define VFIO_NESTED_RESPOND	_IO(VFIO_NESTED_TYPE, 0x14)

/**
 * struct vfio_nested_kick - ioctl(VFIO_NESTED_KICK), nested fd
 * @size: sizeof(struct vfio_nested_kick)
 * @flags: zero
 * @responses: out: answers taken from the response ring
 * @delivered: out: records that had been held back, and are in the fault ring now
 *
 * Carries out all answers that are in the response ring, and delivers what is held
 * back, as far as there is room. Each answer has a result of its own in its record;
 * a bad one does not keep the next from being carried out; while no device is bound
 * each of them gets ENODEV. At most as many answers are taken as the ring holds. It
 * works with any ring missing.
 *
 * Errors: EINVAL: the producer index of the response ring is more than its size
 * ahead of the consumer index: nothing was taken; EINTR: a fatal signal arrived
 * between answers.
 */
struct vfio_nested_kick {
	__u32 size;
	__u32 flags;
	__u32 responses;
	__u32 delivered;
};

#define VFIO_NESTED_KICK	_IO(VFIO_NESTED_TYPE, 0x15)

/**
 * enum vfio_nested_run_state - whether a bound device runs
 * @VFIO_NESTED_RUN: it does, as after binding
 * @VFIO_NESTED_STOP: no access passes, no new fault is reported, answers are
 *	refused with EBUSY and deadlines do not run
 */
enum vfio_nested_run_state {
	VFIO_NESTED_RUN = 0,
	VFIO_NESTED_STOP = 1,
};

/**
 * struct vfio_nested_run - ioctl(VFIO_NESTED_SET_RUN), nested fd
 * @size: sizeof(struct vfio_nested_run)
 * @flags: zero
 * @virtual_id: a bound device
 * @state: enum vfio_nested_run_state
 * @__reserved: zero
 *
 * The VMM has quiesced the device first, by means of its own: an access that comes
 * while it is stopped is refused without a record. Setting the state that is there
 * succeeds.
 *
 * Errors: ENOENT: no device with this virtual id is bound; EOPNOTSUPP: the backend
 * cannot stop a device.
 */
struct vfio_nested_run {
	__u32 size;
	__u32 flags;
	__aligned_u64 virtual_id;
	__u32 state;
	__u32 __reserved;
};

#define VFIO_NESTED_SET_RUN	_IO(VFIO_NESTED_TYPE, 0x16)

/**
 * struct vfio_nested_state - what is saved of one device
 * @size: bytes of this structure
 * @flags: zero
 * @backend: enum vfio_nested_backend
 * @context_type: enum vfio_nested_context_type
 * @context_len: bytes of @context that are valid
 * @fault_len: bytes of one record: sizeof(struct vfio_nested_fault)
 * @fault_num: number of records
 * @page_requests: the guest has page requests enabled: the credits that it gave
 *	the function, or 0
 * @context: the data of the context
 *
 * The records follow the structure: page requests that were not answered, oldest
 * first. In each, VFIO_NESTED_FAULT_RESTORED says whether it was in the ring
 * already; virtual ids, cookies and times are of no meaning to another nested fd.
 */
struct vfio_nested_state {
	__u32 size;
	__u32 flags;
	__u32 backend;
	__u32 context_type;
	__u32 context_len;
	__u32 fault_len;
	__u32 fault_num;
	__u32 page_requests;
	__u8 context[64];
};

/**
 * struct vfio_nested_migrate - ioctl(VFIO_NESTED_SAVE), ioctl(VFIO_NESTED_RESTORE),
 *	nested fd
 * @size: sizeof(struct vfio_nested_migrate)
 * @flags: zero
 * @virtual_id: a bound device that is stopped
 * @data_uptr: struct vfio_nested_state and the records
 * @data_len: in: bytes of room, or of data, at @data_uptr; out, after SAVE: bytes of
 *	data, also where that is more than the room
 * @__reserved: zero
 *
 * SAVE reads the binding's state and leaves it as it is, but from then on an unbind
 * leaves pending page requests unanswered, because somebody else will answer them.
 * RESTORE puts the state into a device that has been bound and stopped and has no
 * context yet, of the same nested fd or of another one: the same device after its
 * VMM has been replaced, or one that VFIO has migrated. The device goes on with
 * VFIO_NESTED_RUN; then its pending records are reported again, with cookies of
 * their own, and their deadlines begin anew.
 *
 * A stalled access is in the SMMU itself and cannot be moved.
 *
 * Errors: ENOENT: no device with this virtual id is bound; EBUSY: the device is not
 * stopped; SAVE: a stall is pending, to be answered before the device is stopped; RESTORE:
 * the device has a context or pending faults, or is in reset; ENOSPC: SAVE: @data_len is
 * too small, and has been set to what is needed; RESTORE: more records than may be
 * pending, or no room for page requests; EINVAL: RESTORE: the data is not consistent;
 * EOPNOTSUPP: it is of another backend; RESTORE: also those of VFIO_NESTED_SET_CONTEXT.
 */
struct vfio_nested_migrate {
	__u32 size;
	__u32 flags;
	__aligned_u64 virtual_id;
	__aligned_u64 data_uptr;
	__u32 data_len;
	__u32 __reserved;
};

#define VFIO_NESTED_SAVE	_IO(VFIO_NESTED_TYPE, 0x17)
#define VFIO_NESTED_RESTORE	_IO(VFIO_NESTED_TYPE, 0x18)

/**
 * enum vfio_nested_memory_op - what VFIO_NESTED_MEMORY does
 * @VFIO_NESTED_MEMORY_NAME: make a range of guest memory known
 * @VFIO_NESTED_MEMORY_FORGET: the opposite
 */
enum vfio_nested_memory_op {
	VFIO_NESTED_MEMORY_NAME = 0,
	VFIO_NESTED_MEMORY_FORGET = 1,
};

/**
 * struct vfio_nested_memory - ioctl(VFIO_NESTED_MEMORY), nested fd
 * @size: sizeof(struct vfio_nested_memory)
 * @flags: zero
 * @op: enum vfio_nested_memory_op
 * @__reserved: zero
 * @ipa: first guest physical address, a multiple of the page size
 * @length: bytes, a multiple of the page size, not zero
 * @vaddr: NAME: where this memory is in the caller's address space, a multiple of the
 *	page size; FORGET: zero
 *
 * Needed where VFIO_NESTED_CAP_MEMORY is set; elsewhere it does nothing. The kernel
 * reads the guest's PASID tables through @vaddr. Where VFIO has a type1 container, it
 * also maps the range for accesses that pass stage 1, which see no other memory: then
 * VFIO must have mapped all of it before, for reading and writing, and still to the pages
 * that are at the mapping's address now. The pages are held by VFIO's container, which
 * has been charged for them; what comes on top is about 1.6% of the memory's size. A
 * range of which VFIO unmaps any part is forgotten as a whole, before VFIO lets go of the
 * pages. So name each mapping of VFIO's by itself. As long as a thread is in
 * VFIO_IOMMU_UNMAP_DMA of memory that was named, NAME waits, and so does
 * VFIO_DEVICE_NESTED_BIND.
 *
 * When the last device is unbound all is forgotten. The calls that read guest memory,
 * VFIO_NESTED_SET_CONTEXT, VFIO_NESTED_INVALIDATE and VFIO_NESTED_RESTORE, come from the
 * address space that has named it. They keep one page there that is mapped by the
 * kernel, until that address space closes the nested fd; the VMM must not map anything
 * else in its place. Four address spaces can have such a page at a time.
 *
 * Naming memory changes what VFIO's type1 can do with it. The limits are listed in
 * Documentation/userspace-api/vfio-nested.rst.
 *
 * Errors: ENODEV: no device is bound; EEXIST: some of the range is known already; ENOENT:
 * FORGET: this is not one of the ranges that are known; ENOSPC: more than 1024 ranges;
 * EINTR: a fatal signal arrived; NAME with type1: EINVAL: VFIO has not mapped all of it,
 * or has mapped other pages, or unmaps it at this time; EPERM: VFIO has mapped it for
 * reading only, which hardware cannot nest on; EBUSY: addresses of the container are not
 * valid (VFIO_DMA_UNMAP_FLAG_VADDR); EACCES: the container is a VFIO_TYPE1_IOMMU, not
 * VFIO_TYPE1v2_IOMMU; ENOMEM: also: VFIO has unmapped named memory while the kernel had
 * none, or no file, left to follow that with. Then nothing is named by this nested fd any
 * more, and its devices cannot be bound until they are closed.
 */
struct vfio_nested_memory {
	__u32 size;
	__u32 flags;
	__u32 op;
	__u32 __reserved;
	__aligned_u64 ipa;
	__aligned_u64 length;
	__aligned_u64 vaddr;
};

#define VFIO_NESTED_MEMORY	_IO(VFIO_NESTED_TYPE, 0x19)

#endif /* _UAPI_LINUX_VFIO_NESTED_H */
