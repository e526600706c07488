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

#include "table.h"

#define show_nested_flags(flags)					\
	__print_flags(flags, "|",					\
		      { VFIO_NESTED_FAULT_PASID, "pasid" },		\
		      { VFIO_NESTED_FAULT_ADDRESS, "address" },		\
		      { VFIO_NESTED_FAULT_IPA, "ipa" },			\
		      { VFIO_NESTED_FAULT_READ, "read" },		\
		      { VFIO_NESTED_FAULT_WRITE, "write" },		\
		      { VFIO_NESTED_FAULT_EXEC, "exec" },		\
		      { VFIO_NESTED_FAULT_PRIV, "priv" },		\
		      { VFIO_NESTED_FAULT_STAGE2, "stage2" },		\
		      { VFIO_NESTED_FAULT_LAST, "last" },		\
		      { VFIO_NESTED_FAULT_THROTTLED, "throttled" },	\
		      { VFIO_NESTED_FAULT_GAP, "gap" },			\
		      { VFIO_NESTED_FAULT_RESTORED, "restored" })

#define show_nested_kind(kind)						\
	__print_symbolic(kind,						\
			 { VFIO_NESTED_FAULT_STALL, "stall" },		\
			 { VFIO_NESTED_FAULT_PAGE_REQUEST, "page-request" })

/* Zero where the VMM has said nothing. */
#define show_nested_code(code)						\
	__print_symbolic(code,						\
			 { 0, "none" },					\
			 { VFIO_NESTED_RESPONSE_RETRY, "retry" },	\
			 { VFIO_NESTED_RESPONSE_ABORT, "abort" },	\
			 { VFIO_NESTED_RESPONSE_TERMINATE, "terminate" })

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
TRACE_DEFINE_ENUM(VFIO_NESTED_FAULT_STALL);
TRACE_DEFINE_ENUM(VFIO_NESTED_FAULT_PAGE_REQUEST);
TRACE_DEFINE_ENUM(VFIO_NESTED_RESPONSE_RETRY);
TRACE_DEFINE_ENUM(VFIO_NESTED_RESPONSE_ABORT);
TRACE_DEFINE_ENUM(VFIO_NESTED_RESPONSE_TERMINATE);
TRACE_DEFINE_ENUM(VFIO_NESTED_RUN);
TRACE_DEFINE_ENUM(VFIO_NESTED_STOP);
TRACE_DEFINE_ENUM(IOMMU_NESTED_ANSWERED);
TRACE_DEFINE_ENUM(IOMMU_NESTED_EXPIRED);
TRACE_DEFINE_ENUM(IOMMU_NESTED_ABORTED);
TRACE_DEFINE_ENUM(IOMMU_NESTED_MOVED);
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
		      show_nested_flags(__entry->flags),
		      __entry->pasid, __entry->address, __entry->ipa,
		      __entry->delivered ? "delivered" : "lost"));

TRACE_EVENT(iommu_nested_fault,
	    TP_PROTO(const struct iommu_nested_binding *binding,
		     const struct vfio_nested_fault *fault, bool taken),
	    TP_ARGS(binding, fault, taken),

	    TP_STRUCT__entry(__field(u32, viommu)
			     __field(u64, virtual_id)
			     __field(u64, cookie)
			     __field(u64, address)
			     __field(u32, kind)
			     __field(u32, flags)
			     __field(u32, pasid)
			     __field(u32, group)
			     __field(bool, taken)),

	    TP_fast_assign(__entry->viommu = binding->viommu->id;
			   __entry->virtual_id = binding->virtual_id;
			   __entry->cookie = fault->cookie;
			   __entry->address = fault->address;
			   __entry->kind = fault->kind;
			   __entry->flags = fault->flags;
			   __entry->pasid = fault->pasid;
			   __entry->group = fault->group;
			   __entry->taken = taken;),

	    TP_printk("viommu=%u virtual_id=%#llx kind=%s cookie=%#llx flags=%s pasid=%u address=%#llx group=%u %s",
		      __entry->viommu, __entry->virtual_id,
		      show_nested_kind(__entry->kind), __entry->cookie,
		      show_nested_flags(__entry->flags), __entry->pasid,
		      __entry->address, __entry->group,
		      __entry->taken ? "taken" : "refused"));

TRACE_EVENT(iommu_nested_fault_end,
	    TP_PROTO(const struct iommu_nested_viommu *viommu,
		     const struct vfio_nested_fault *fault, u32 end, u32 code),
	    TP_ARGS(viommu, fault, end, code),

	    TP_STRUCT__entry(__field(u32, viommu)
			     __field(u64, virtual_id)
			     __field(u64, cookie)
			     __field(u32, kind)
			     __field(u32, end)
			     __field(u32, code)),

	    TP_fast_assign(__entry->viommu = viommu->id;
			   __entry->virtual_id = fault->virtual_id;
			   __entry->cookie = fault->cookie;
			   __entry->kind = fault->kind;
			   __entry->end = end;
			   __entry->code = code;),

	    TP_printk("viommu=%u virtual_id=%#llx kind=%s cookie=%#llx %s code=%s",
		      __entry->viommu, __entry->virtual_id,
		      show_nested_kind(__entry->kind), __entry->cookie,
		      __print_symbolic(__entry->end,
				       { IOMMU_NESTED_ANSWERED, "answered" },
				       { IOMMU_NESTED_EXPIRED, "expired" },
				       { IOMMU_NESTED_ABORTED, "aborted" },
				       { IOMMU_NESTED_MOVED, "moved" }),
		      show_nested_code(__entry->code)));

TRACE_EVENT(iommu_nested_bad_answer,
	    TP_PROTO(const struct iommu_nested_viommu *viommu, u64 cookie,
		     u32 code, int err),
	    TP_ARGS(viommu, cookie, code, err),

	    TP_STRUCT__entry(__field(u32, viommu)
			     __field(u64, cookie)
			     __field(u32, code)
			     __field(int, err)),

	    TP_fast_assign(__entry->viommu = viommu->id;
			   __entry->cookie = cookie;
			   __entry->code = code;
			   __entry->err = err;),

	    TP_printk("viommu=%u cookie=%#llx code=%s err=%d", __entry->viommu,
		      __entry->cookie, show_nested_code(__entry->code),
		      __entry->err));

TRACE_EVENT(iommu_nested_set_run,
	    TP_PROTO(const struct iommu_nested_viommu *viommu, u64 virtual_id,
		     u32 state, int ret),
	    TP_ARGS(viommu, virtual_id, state, ret),

	    TP_STRUCT__entry(__field(u32, viommu)
			     __field(u64, virtual_id)
			     __field(u32, state)
			     __field(int, ret)),

	    TP_fast_assign(__entry->viommu = viommu->id;
			   __entry->virtual_id = virtual_id;
			   __entry->state = state;
			   __entry->ret = ret;),

	    TP_printk("viommu=%u virtual_id=%#llx state=%s ret=%d",
		      __entry->viommu, __entry->virtual_id,
		      __print_symbolic(__entry->state,
				       { VFIO_NESTED_RUN, "run" },
				       { VFIO_NESTED_STOP, "stop" }),
		      __entry->ret));

#endif /* _TRACE_IOMMU_NESTED_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
