// Barriers and fences: sections 6.9.1, 6.9.2 and 6.15.3 of the Metal Shading Language Specification 3.2.
#pragma once
#ifndef __NVPTX__
#include "kw_fiber.h"
#endif

namespace metal {
enum class mem_flags : uint {
  mem_none = 0,
  mem_device = 1,
  mem_threadgroup = 2,
  mem_texture = 4,
  mem_threadgroup_imageblock = 8,
  mem_object_data = 16,
};
KW_FUNC constexpr mem_flags operator|(mem_flags a, mem_flags b) { return mem_flags(uint(a) | uint(b)); }
KW_FUNC constexpr mem_flags operator&(mem_flags a, mem_flags b) { return mem_flags(uint(a) & uint(b)); }

enum memory_order {
  memory_order_relaxed = 0,
  memory_order_acquire = 2,
  memory_order_release = 3,
  memory_order_acq_rel = 4,
  memory_order_seq_cst = 5,
};
enum thread_scope {
  thread_scope_thread,
  thread_scope_simdgroup,
  thread_scope_threadgroup,
  thread_scope_device,
};

#ifdef __NVPTX__
KW_FUNC void threadgroup_barrier(mem_flags) { __syncthreads(); }
// All threads have to come here: whoever is still apart is waited for. Those that have ended do not count.
KW_FUNC void simdgroup_barrier(mem_flags) { __nvvm_bar_warp_sync(0xffffffffu); }
KW_FUNC void atomic_thread_fence(mem_flags, memory_order order = memory_order_seq_cst,
                                 thread_scope scope = thread_scope_device) {
  if (order == memory_order_relaxed) return;
  if (scope == thread_scope_device) __nvvm_membar_gl();
  else __nvvm_membar_cta();
}
#else
KW_FUNC void threadgroup_barrier(mem_flags flags, KW_HERE) { kw_barrier(uint(flags), file, line); }
KW_FUNC void simdgroup_barrier(mem_flags flags, KW_HERE) { kw_simd_barrier(uint(flags), file, line); }
KW_FUNC void atomic_thread_fence(mem_flags flags, memory_order order = memory_order_seq_cst,
                                 thread_scope = thread_scope_device) {
  if (order == memory_order_relaxed) return;
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#ifdef KW_CHECKED
  kw_fence(uint(flags));
#endif
}
#endif
}  // namespace metal
