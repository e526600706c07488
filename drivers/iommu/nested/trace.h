/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of nested translation. Refusals are traced as well: ret or err is
 * what the caller got. "viommu" is the number that fdinfo of the nested fd shows.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommu_nested

#if !defined(_TRACE_IOMMU_NESTED_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_IOMMU_NESTED_H

#include <linux/device.h>
#include <linux/iommu-nested.h>
#include <linux/tracepoint.h>

/* Tools that decode traces learn the values from these. */
TRACE_DEFINE_ENUM(VFIO_NESTED_CONTEXT_CLEAR);
TRACE_DEFINE_ENUM(VFIO_NESTED_CONTEXT_BYPASS);
TRACE_DEFINE_ENUM(VFIO_NESTED_CONTEXT_ABORT);
TRACE_DEFINE_ENUM(VFIO_NESTED_CONTEXT_SMMUV3);
TRACE_DEFINE_ENUM(VFIO_NESTED_CONTEXT_VTD);
TRACE_DEFINE_ENUM(VFIO_NESTED_CONTEXT_TABLE);
TRACE_DEFINE_ENUM(VFIO_NESTED_COMMAND_SMMUV3);
TRACE_DEFINE_ENUM(VFIO_NESTED_COMMAND_VTD);
TRACE_DEFINE_ENUM(VFIO_NESTED_COMMAND_GENERIC);
TRACE_DEFINE_ENUM(VFIO_NESTED_REASON_UNKNOWN);
TRACE_DEFINE_ENUM(VFIO_NESTED_REASON_STREAM);
TRACE_DEFINE_ENUM(VFIO_NESTED_REASON_CONTEXT);
TRACE_DEFINE_ENUM(VFIO_NESTED_REASON_PASID);
TRACE_DEFINE_ENUM(VFIO_NESTED_REASON_WALK);
TRACE_DEFINE_ENUM(VFIO_NESTED_REASON_TRANSLATION);
TRACE_DEFINE_ENUM(VFIO_NESTED_REASON_ADDRESS_SIZE);
TRACE_DEFINE_ENUM(VFIO_NESTED_REASON_ACCESS);
TRACE_DEFINE_ENUM(VFIO_NESTED_REASON_PERMISSION);
TRACE_DEFINE_ENUM(VFIO_NESTED_REASON_TRANSACTION);
TRACE_DEFINE_ENUM(VFIO_NESTED_REASON_CONFLICT);

TRACE_EVENT(iommu_nested_bind,
	    TP_PROTO(const struct iommu_nested_viommu *viommu,
		     const struct device *dev, u64 virtual_id, int ret),
	    TP_ARGS(viommu, dev, virtual_id, ret),

	    TP_STRUCT__entry(__field(u32, viommu)
			     __string(dev, dev_name(dev))
			     __field(u64, virtual_id)
			     __field(int, ret)),

	    TP_fast_assign(__entry->viommu = viommu->id;
			   __assign_str(dev);
			   __entry->virtual_id = virtual_id;
			   __entry->ret = ret;),

	    TP_printk("viommu=%u dev=%s virtual_id=%#llx ret=%d",
		      __entry->viommu, __get_str(dev), __entry->virtual_id,
		      __entry->ret));

DECLARE_EVENT_CLASS(iommu_nested_device,
		    TP_PROTO(const struct iommu_nested_viommu *viommu,
			     const struct device *dev, u64 virtual_id),
		    TP_ARGS(viommu, dev, virtual_id),

		    TP_STRUCT__entry(__field(u32, viommu)
				     __string(dev, dev_name(dev))
				     __field(u64, virtual_id)),

		    TP_fast_assign(__entry->viommu = viommu->id;
				   __assign_str(dev);
				   __entry->virtual_id = virtual_id;),

		    TP_printk("viommu=%u dev=%s virtual_id=%#llx",
			      __entry->viommu, __get_str(dev), __entry->virtual_id));

DEFINE_EVENT(iommu_nested_device, iommu_nested_unbind,
	     TP_PROTO(const struct iommu_nested_viommu *viommu,
		      const struct device *dev, u64 virtual_id),
	     TP_ARGS(viommu, dev, virtual_id));

DEFINE_EVENT(iommu_nested_device, iommu_nested_reset_prepare,
	     TP_PROTO(const struct iommu_nested_viommu *viommu,
		      const struct device *dev, u64 virtual_id),
	     TP_ARGS(viommu, dev, virtual_id));

DEFINE_EVENT(iommu_nested_device, iommu_nested_reset_done,
	     TP_PROTO(const struct iommu_nested_viommu *viommu,
		      const struct device *dev, u64 virtual_id),
	     TP_ARGS(viommu, dev, virtual_id));

DEFINE_EVENT(iommu_nested_device, iommu_nested_throttled,
	     TP_PROTO(const struct iommu_nested_viommu *viommu,
		      const struct device *dev, u64 virtual_id),
	     TP_ARGS(viommu, dev, virtual_id));

TRACE_EVENT(iommu_nested_set_context,
	    TP_PROTO(const struct iommu_nested_viommu *viommu, u64 virtual_id,
		     u32 type, int ret),
	    TP_ARGS(viommu, virtual_id, type, ret),

	    TP_STRUCT__entry(__field(u32, viommu)
			     __field(u64, virtual_id)
			     __field(u32, type)
			     __field(int, ret)),

	    TP_fast_assign(__entry->viommu = viommu->id;
			   __entry->virtual_id = virtual_id;
			   __entry->type = type;
			   __entry->ret = ret;),

	    TP_printk("viommu=%u virtual_id=%#llx type=%s ret=%d",
		      __entry->viommu, __entry->virtual_id,
		      __print_symbolic(__entry->type,
				       { VFIO_NESTED_CONTEXT_CLEAR, "clear" },
				       { VFIO_NESTED_CONTEXT_BYPASS, "bypass" },
				       { VFIO_NESTED_CONTEXT_ABORT, "abort" },
				       { VFIO_NESTED_CONTEXT_SMMUV3, "smmuv3" },
				       { VFIO_NESTED_CONTEXT_VTD, "vtd" },
				       { VFIO_NESTED_CONTEXT_TABLE, "table" }),
		      __entry->ret));

TRACE_EVENT(iommu_nested_invalidate,
	    TP_PROTO(const struct iommu_nested_viommu *viommu, u32 type, u32 num,
		     u32 consumed, bool sync, int err),
	    TP_ARGS(viommu, type, num, consumed, sync, err),

	    TP_STRUCT__entry(__field(u32, viommu)
			     __field(u32, type)
			     __field(u32, num)
			     __field(u32, consumed)
			     __field(bool, sync)
			     __field(int, err)),

	    TP_fast_assign(__entry->viommu = viommu->id;
			   __entry->type = type;
			   __entry->num = num;
			   __entry->consumed = consumed;
			   __entry->sync = sync;
			   __entry->err = err;),

	    TP_printk("viommu=%u type=%s num=%u consumed=%u sync=%d err=%d",
		      __entry->viommu,
		      __print_symbolic(__entry->type,
				       { VFIO_NESTED_COMMAND_SMMUV3, "smmuv3" },
				       { VFIO_NESTED_COMMAND_VTD, "vtd" },
				       { VFIO_NESTED_COMMAND_GENERIC, "generic" }),
		      __entry->num, __entry->consumed, __entry->sync,
		      __entry->err));

TRACE_EVENT(iommu_nested_event,
	    TP_PROTO(const struct iommu_nested_viommu *viommu,
		     const struct vfio_nested_fault *fault, bool delivered),
	    TP_ARGS(viommu, fault, delivered),

	    TP_STRUCT__entry(__field(u32, viommu)
			     __field(u64, virtual_id)
			     __field(u32, reason)
			     __field(u32, flags)
			     __field(u32, pasid)
			     __field(u64, address)
			     __field(u64, ipa)
			     __field(bool, delivered)),

	    TP_fast_assign(__entry->viommu = viommu->id;
			   __entry->virtual_id = fault->virtual_id;
			   __entry->reason = fault->reason;
			   __entry->flags = fault->flags;
			   __entry->pasid = fault->pasid;
			   __entry->address = fault->address;
			   __entry->ipa = fault->ipa;
			   __entry->delivered = delivered;),

	    TP_printk("viommu=%u virtual_id=%#llx reason=%s flags=%s pasid=%u address=%#llx ipa=%#llx %s",
		      __entry->viommu, __entry->virtual_id,
		      __print_symbolic(__entry->reason,
				       { VFIO_NESTED_REASON_UNKNOWN, "unknown" },
				       { VFIO_NESTED_REASON_STREAM, "stream" },
				       { VFIO_NESTED_REASON_CONTEXT, "context" },
				       { VFIO_NESTED_REASON_PASID, "pasid" },
				       { VFIO_NESTED_REASON_WALK, "walk" },
				       { VFIO_NESTED_REASON_TRANSLATION, "translation" },
				       { VFIO_NESTED_REASON_ADDRESS_SIZE, "address-size" },
				       { VFIO_NESTED_REASON_ACCESS, "access" },
				       { VFIO_NESTED_REASON_PERMISSION, "permission" },
				       { VFIO_NESTED_REASON_TRANSACTION, "transaction" },
				       { VFIO_NESTED_REASON_CONFLICT, "conflict" }),
		      __print_flags(__entry->flags, "|",
				    { VFIO_NESTED_FAULT_PASID, "pasid" },
				    { VFIO_NESTED_FAULT_ADDRESS, "address" },
				    { VFIO_NESTED_FAULT_IPA, "ipa" },
				    { VFIO_NESTED_FAULT_READ, "read" },
				    { VFIO_NESTED_FAULT_WRITE, "write" },
				    { VFIO_NESTED_FAULT_EXEC, "exec" },
				    { VFIO_NESTED_FAULT_PRIV, "priv" },
				    { VFIO_NESTED_FAULT_STAGE2, "stage2" },
				    { VFIO_NESTED_FAULT_LAST, "last" },
				    { VFIO_NESTED_FAULT_THROTTLED, "throttled" }),
		      __entry->pasid, __entry->address, __entry->ipa,
		      __entry->delivered ? "delivered" : "lost"));

#endif /* _TRACE_IOMMU_NESTED_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
