// Kernels as PTX entry points: the same parameters, bound to what an NVIDIA GPU knows of a thread.
#pragma once

// What a PTX kernel is launched with, by value. Its grid counts threadgroups: KwLaunch's rounded up.
struct KwGpuLaunch {
  void* buffer[KW_BUFFERS];
  kw_u32 threadgroup_offset[KW_BUFFERS];  // of each [[threadgroup(i)]] argument in the dynamic shared memory
  kw_u32 grid[3];
};

namespace kw {
extern __attribute__((address_space(3), aligned(64))) unsigned char dynamic_memory[];

// False: there is no such thread, because the grid ends inside its threadgroup.
//
// A threadgroup at the grid's edge has fewer threads. Its SIMD-groups are counted over those, as in Metal, so that its
// threads are the first ones of the hardware's warps whatever their positions are.
KW_FUNC bool place_of_thread(const KwGpuLaunch& launch, Place& at) {
  const uint tid[3] = {uint(__nvvm_read_ptx_sreg_tid_x()), uint(__nvvm_read_ptx_sreg_tid_y()),
                       uint(__nvvm_read_ptx_sreg_tid_z())};
  const uint size[3] = {uint(__nvvm_read_ptx_sreg_ntid_x()), uint(__nvvm_read_ptx_sreg_ntid_y()),
                        uint(__nvvm_read_ptx_sreg_ntid_z())};
  const uint group[3] = {uint(__nvvm_read_ptx_sreg_ctaid_x()), uint(__nvvm_read_ptx_sreg_ctaid_y()),
                         uint(__nvvm_read_ptx_sreg_ctaid_z())};
  const uint groups[3] = {uint(__nvvm_read_ptx_sreg_nctaid_x()), uint(__nvvm_read_ptx_sreg_nctaid_y()),
                          uint(__nvvm_read_ptx_sreg_nctaid_z())};
  for (int i = 0; i < 3; i++) {
    at.grid[i] = launch.grid[i];
    at.full_group[i] = size[i];
    at.groups[i] = groups[i];
    at.group[i] = group[i];
    at.origin[i] = group[i] * size[i];
    const uint left = launch.grid[i] - at.origin[i];
    at.size[i] = left < size[i] ? left : size[i];
    at.position[i] = tid[i];
  }
  at.thread = tid[0] + size[0] * (tid[1] + size[1] * tid[2]);
  if (at.size[0] == size[0] && at.size[1] == size[1]) return tid[2] < at.size[2];
  at.position[0] = at.thread % at.size[0];
  at.position[1] = at.thread / at.size[0] % at.size[1];
  at.position[2] = at.thread / at.size[0] / at.size[1];
  return at.position[2] < at.size[2];
}

KW_FUNC void* gpu_memory_of(KwArgumentDescription d, const KwGpuLaunch& launch) {
  // through global memory's own address space, so that loads and stores need not find out where they go
  if (d.kind == KW_BUFFER) return (void*)(__attribute__((address_space(1))) void*)launch.buffer[d.index];
  if (d.kind == KW_THREADGROUP) return (void*)(dynamic_memory + launch.threadgroup_offset[d.index]);
  return nullptr;
}

template <auto Function, const Arguments& Given, class... A, size_t... I>
KW_FUNC void run_gpu_thread(const KwGpuLaunch& launch, void (*)(A...), metal::integer_sequence<size_t, I...>) {
  Place at;
  if (!place_of_thread(launch, at)) {
    asm volatile("exit;");  // at once: one that waited to return together with the others would miss their barriers
    return;
  }
  Function(bind<A>(Given.list[I], gpu_memory_of(Given.list[I], launch), at)...);
}

template <class Type> struct Parameters;
template <class... A> struct Parameters<void (*)(A...)> {
  typedef metal::make_index_sequence<sizeof...(A)> indices;
};
}  // namespace kw

// A program's functions are its own: what is inlined everywhere leaves no copy behind. The entry points are not.
#define KW_OWN_FUNCTIONS _Pragma("clang attribute push(__attribute__((internal_linkage)), apply_to = function)")
#define KW_OWN_FUNCTIONS_END _Pragma("clang attribute pop")

#define KW_KERNEL(number, host_name, function, max_threads, waits, ...)                                                \
  KW_OWN_FUNCTIONS_END                                                                                                 \
  static constexpr ::kw::Arguments kw_arguments_##number = {{__VA_ARGS__}};                                            \
  static constexpr auto kw_function_##number = function;                                                              \
  extern "C" { extern __attribute__((used)) const kw_u32 kw_max_threads_##number = max_threads; }                     \
  extern "C" __attribute__((nvptx_kernel, used)) void kw_kernel_##number(KwGpuLaunch launch) {                         \
    ::kw::run_gpu_thread<kw_function_##number, kw_arguments_##number>(                                                 \
        launch, kw_function_##number,                                                                                  \
        typename ::kw::Parameters<decltype(+kw_function_##number)>::indices{});                                        \
  }                                                                                                                    \
  KW_OWN_FUNCTIONS
