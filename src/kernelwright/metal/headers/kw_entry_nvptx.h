// Kernels as PTX entry points: the same parameters, bound to what an NVIDIA GPU knows of a thread.
#pragma once

// What a PTX kernel is launched with, by value. Its grid counts threadgroups: KwLaunch's rounded up.
struct KwGpuLaunch {
  void* buffer[KW_BUFFERS];
  kw_u32 threadgroup_offset[KW_BUFFERS];  // of each [[threadgroup(i)]] argument in the dynamic shared memory
  kw_u32 grid[3];
};

namespace kw {
extern __attribute__((address_space(3))) unsigned char dynamic_memory[];

KW_FUNC Place place_of_thread(const KwGpuLaunch& launch) {
  Place at;
  const uint thread[3] = {__nvvm_read_ptx_sreg_tid_x(), __nvvm_read_ptx_sreg_tid_y(), __nvvm_read_ptx_sreg_tid_z()};
  const uint size[3] = {__nvvm_read_ptx_sreg_ntid_x(), __nvvm_read_ptx_sreg_ntid_y(), __nvvm_read_ptx_sreg_ntid_z()};
  const uint group[3] = {__nvvm_read_ptx_sreg_ctaid_x(), __nvvm_read_ptx_sreg_ctaid_y(), __nvvm_read_ptx_sreg_ctaid_z()};
  const uint groups[3] = {__nvvm_read_ptx_sreg_nctaid_x(), __nvvm_read_ptx_sreg_nctaid_y(), __nvvm_read_ptx_sreg_nctaid_z()};
  for (int i = 0; i < 3; i++) {
    at.grid[i] = launch.grid[i];
    at.full_group[i] = size[i];
    at.groups[i] = groups[i];
    at.group[i] = group[i];
    at.origin[i] = group[i] * size[i];
    const uint left = launch.grid[i] - at.origin[i];
    at.size[i] = left < size[i] ? left : size[i];
    at.position[i] = thread[i];
  }
  at.thread = thread[0] + size[0] * (thread[1] + size[1] * thread[2]);
  return at;
}

KW_FUNC void* gpu_memory_of(KwArgumentDescription d, const KwGpuLaunch& launch) {
  // through global memory's own address space, so that loads and stores need not find out where they go
  if (d.kind == KW_BUFFER) return (void*)(__attribute__((address_space(1))) void*)launch.buffer[d.index];
  if (d.kind == KW_THREADGROUP) return (void*)(dynamic_memory + launch.threadgroup_offset[d.index]);
  return nullptr;
}

template <auto Function, const Arguments& Given, class... A, size_t... I>
KW_FUNC void run_gpu_thread(const KwGpuLaunch& launch, void (*)(A...), metal::integer_sequence<size_t, I...>) {
  const Place at = place_of_thread(launch);
  // the grid is rounded up to whole threadgroups
  if (at.position[0] >= at.size[0] || at.position[1] >= at.size[1] || at.position[2] >= at.size[2]) return;
  Function(bind<A>(Given.list[I], gpu_memory_of(Given.list[I], launch), at)...);
}

template <class Type> struct Parameters;
template <class... A> struct Parameters<void (*)(A...)> {
  typedef metal::make_index_sequence<sizeof...(A)> indices;
};
}  // namespace kw

#define KW_KERNEL(number, host_name, function, max_threads, waits, ...)                                                \
  static constexpr ::kw::Arguments kw_arguments_##number = {{__VA_ARGS__}};                                            \
  static constexpr auto kw_function_##number = function;                                                              \
  extern "C" __attribute__((nvptx_kernel, used)) void kw_kernel_##number(KwGpuLaunch launch) {                         \
    ::kw::run_gpu_thread<kw_function_##number, kw_arguments_##number>(                                                 \
        launch, kw_function_##number,                                                                                  \
        typename ::kw::Parameters<decltype(+kw_function_##number)>::indices{});                                        \
  }
