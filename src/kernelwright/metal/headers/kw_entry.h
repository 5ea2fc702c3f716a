// How a kernel is called: its parameters bound to what a launch gives. The translation writes one line for each kernel:
//   KW_KERNEL(number, "host name", &function, max_threads, waits, {kind, index}, ...)   with one pair per parameter.
// KW_KERNEL_LOCKSTEP has one more argument behind the function: its form in lockstep, see kw_lockstep.h.
#pragma once

#ifdef KW_CHECKED
// Only the kernel itself is watched, not how it is called. What is not watched is inlined only into what is not either.
#define KW_UNWATCHED __attribute__((no_sanitize("thread", "undefined")))
#define KW_CALL [[clang::noinline]]
#else
#define KW_UNWATCHED
#define KW_CALL [[clang::always_inline]]
#endif
#define KW_BIND KW_FUNC KW_UNWATCHED

namespace kw {
struct Arguments {
  KwArgumentDescription list[KW_BUFFERS + 32];
};

// ---- what Python wants to know of a parameter

template <class T> inline constexpr char code_of = 0;
template <> inline constexpr char code_of<bool> = '?';
template <> inline constexpr char code_of<char> = 'c';
template <> inline constexpr char code_of<signed char> = 'c';
template <> inline constexpr char code_of<uchar> = 'B';
template <> inline constexpr char code_of<short> = 'h';
template <> inline constexpr char code_of<ushort> = 'H';
template <> inline constexpr char code_of<int> = 'i';
template <> inline constexpr char code_of<uint> = 'I';
template <> inline constexpr char code_of<long> = 'q';
template <> inline constexpr char code_of<ulong> = 'Q';
template <> inline constexpr char code_of<half> = 'e';
template <> inline constexpr char code_of<bfloat> = 'b';
template <> inline constexpr char code_of<float> = 'f';
template <class T, auto N> inline constexpr char code_of<metal::vec<T, N>> = code_of<T>;
template <class T, auto N> inline constexpr char code_of<metal::packed_vec<T, N>> = code_of<T>;
template <class T> inline constexpr char code_of<metal::atomic<T>> = code_of<T>;

template <class A> using target_of = __remove_pointer(__remove_reference_t(A));  // what it points or refers to
template <class T> constexpr kw_u32 bytes_of() {
  if constexpr (__is_void(T)) return 1;
  else return sizeof(T);
}
template <class A> constexpr KwArgumentInfo describe(KwArgumentDescription d) {
  return {d.kind, d.index, bytes_of<target_of<A>>(), __is_const(target_of<A>), code_of<__remove_cv(target_of<A>)>};
}

// ---- one thread's place, from which all attributes follow

struct Place {
  uint grid[3], full_group[3], groups[3];  // threads of the dispatch, of a full threadgroup; number of threadgroups
  uint group[3], origin[3], size[3];       // this threadgroup: its position, its first thread's, its threads
  uint position[3], thread;                // this thread in the threadgroup
};

KW_BIND uint in_units(const uint (&size)[3], uint width) { return (size[0] * size[1] * size[2] + width - 1) / width; }

// A position or size, as the one, two or three components that the parameter has room for.
template <class A> struct Vector {
  static KW_BIND A from(uint x, uint, uint) { return A(x); }
};
template <class T> struct Vector<metal::vec<T, 2>> {
  static KW_BIND metal::vec<T, 2> from(uint x, uint y, uint) { return metal::vec<T, 2>(T(x), T(y)); }
};
template <class T> struct Vector<metal::vec<T, 3>> {
  static KW_BIND metal::vec<T, 3> from(uint x, uint y, uint z) { return metal::vec<T, 3>(T(x), T(y), T(z)); }
};

template <class A> KW_BIND A attribute(int kind, const Place& at) {
  const uint thread = at.thread;
  switch (kind) {
    case KW_THREAD_POSITION_IN_GRID:
      return Vector<A>::from(at.origin[0] + at.position[0], at.origin[1] + at.position[1], at.origin[2] + at.position[2]);
    case KW_THREAD_POSITION_IN_THREADGROUP: return Vector<A>::from(at.position[0], at.position[1], at.position[2]);
    case KW_THREADGROUP_POSITION_IN_GRID: return Vector<A>::from(at.group[0], at.group[1], at.group[2]);
    case KW_THREADS_PER_GRID: return Vector<A>::from(at.grid[0], at.grid[1], at.grid[2]);
    case KW_THREADS_PER_THREADGROUP: return Vector<A>::from(at.size[0], at.size[1], at.size[2]);
    case KW_THREADGROUPS_PER_GRID: return Vector<A>::from(at.groups[0], at.groups[1], at.groups[2]);
    case KW_DISPATCH_THREADS_PER_THREADGROUP:
      return Vector<A>::from(at.full_group[0], at.full_group[1], at.full_group[2]);
    case KW_GRID_ORIGIN: return Vector<A>::from(0, 0, 0);
    case KW_THREAD_INDEX_IN_THREADGROUP: return Vector<A>::from(thread, 0, 0);
    case KW_THREAD_INDEX_IN_SIMDGROUP: return Vector<A>::from(thread % KW_SIMD_WIDTH, 0, 0);
    case KW_SIMDGROUP_INDEX_IN_THREADGROUP: return Vector<A>::from(thread / KW_SIMD_WIDTH, 0, 0);
    case KW_THREADS_PER_SIMDGROUP: return Vector<A>::from(KW_SIMD_WIDTH, 0, 0);
    case KW_SIMDGROUPS_PER_THREADGROUP: return Vector<A>::from(in_units(at.size, KW_SIMD_WIDTH), 0, 0);
    case KW_DISPATCH_SIMDGROUPS_PER_THREADGROUP: return Vector<A>::from(in_units(at.full_group, KW_SIMD_WIDTH), 0, 0);
    case KW_THREAD_INDEX_IN_QUADGROUP: return Vector<A>::from(thread % 4, 0, 0);
    case KW_QUADGROUP_INDEX_IN_THREADGROUP: return Vector<A>::from(thread / 4, 0, 0);
    case KW_QUADGROUPS_PER_THREADGROUP: return Vector<A>::from(in_units(at.size, 4), 0, 0);
    case KW_DISPATCH_QUADGROUPS_PER_THREADGROUP: return Vector<A>::from(in_units(at.full_group, 4), 0, 0);
    case KW_THREADS_PER_QUADGROUP: return Vector<A>::from(4, 0, 0);
    default: __builtin_trap();
  }
}

// The argument for a parameter of type A; `memory`: the buffer's or threadgroup argument's.
template <class A> KW_BIND A bind(KwArgumentDescription d, void* memory, const Place& at) {
  if constexpr (__is_pointer(A)) return (A)memory;
  else if constexpr (__is_lvalue_reference(A)) return *(__remove_reference_t(A)*)memory;
  else return attribute<__remove_cv(A)>(d.kind, at);
}

KW_BIND void copy3(uint (&to)[3], const kw_u32 (&from)[3]) {
  to[0] = from[0];
  to[1] = from[1];
  to[2] = from[2];
}
}  // namespace kw

#ifdef __NVPTX__
#include "kw_entry_nvptx.h"
#else

namespace kw {
KW_BIND void place_launch(Place& at, const KwLaunch* launch) {
  copy3(at.grid, launch->grid);
  copy3(at.full_group, launch->group);
  copy3(at.groups, launch->groups);
}

KW_BIND void* memory_of(KwArgumentDescription d, const KwGroup* group) {
  if (d.kind == KW_BUFFER) return group->launch->buffer[d.index];
  if (d.kind == KW_THREADGROUP) return group->memory[d.index];
  return nullptr;
}

// Moves on to the thread of the fiber's next turn; false: it has had its last.
KW_BIND bool next_turn(KwFiber* fiber) {
  if (++fiber->turn >= fiber->last_turn) return false;
  const KwGroup* group = fiber->group;
  if (group->order) {
    kw_next_in_order(fiber);
    return true;
  }
  ++fiber->thread;
  if (++fiber->position[0] < group->size[0]) return true;
  fiber->position[0] = 0;
  if (++fiber->position[1] < group->size[1]) return true;
  fiber->position[1] = 0;
  ++fiber->position[2];
  return true;
}

template <auto Function, const Arguments& Given, class Type, class Indices> struct Entry;

template <auto Function, const Arguments& Given, class... A, size_t... I>
struct Entry<Function, Given, void (*)(A...), metal::integer_sequence<size_t, I...>> {
  static constexpr int count = sizeof...(A);
  static constexpr KwArgumentInfo described[count + 1] = {describe<A>(Given.list[I])..., {}};

  // A call of its own for each thread: see lane().
  static __attribute__((noinline)) KW_UNWATCHED void run_thread(KwFiber* fiber) {
    const KwGroup* group = fiber->group;
    Place at;
    place_launch(at, group->launch);
    copy3(at.group, group->position);
    copy3(at.origin, group->origin);
    copy3(at.size, group->size);
    copy3(at.position, fiber->position);
    at.thread = fiber->thread;
    KW_CALL Function(bind<A>(Given.list[I], memory_of(Given.list[I], group), at)...);
  }

  static KW_UNWATCHED void run_threads(KwFiber* fiber) {
    do run_thread(fiber);
    while (next_turn(fiber));
  }

  // Threads that never wait: one after the other, or several at once where the compiler finds a way. They do not touch
  // each other's memory, or it is a race, but the compiler must find that out itself: told so (assume_safety), it takes
  // a variable in memory, an array with a computed index, for one of all threads.
  static void run_row(const KwLaunch* launch, const KwRow* row) {
    const KwGroup* group = this_fiber()->group;
    void* const memory[count + 1] = {memory_of(Given.list[I], group)..., nullptr};
    Place at;
    place_launch(at, launch);
    copy3(at.group, row->group);
    copy3(at.size, row->size);
    for (int i = 0; i < 3; i++) at.origin[i] = row->group[i] * launch->group[i];
    at.position[1] = row->y;
    at.position[2] = row->z;
    const uint before = (row->z * row->size[1] + row->y) * row->size[0];
    const uint first = row->first, last = row->last;
#pragma clang loop vectorize(enable)
    for (uint x = first; x < last; x++) {
      at.position[0] = x;
      at.thread = before + x;
      KW_CALL Function(bind<A>(Given.list[I], memory[I], at)...);
    }
  }
};

template <class Type> struct Parameters;
template <class... A> struct Parameters<void (*)(A...)> {
  typedef metal::make_index_sequence<sizeof...(A)> indices;
};

template <auto Function, const Arguments& Given>
using EntryOf = Entry<Function, Given, decltype(Function), typename Parameters<decltype(Function)>::indices>;

// Which of the two ways a kernel takes; only that one is compiled.
template <class E, bool waits>
constexpr KwKernel kernel_record(const char* name, kw_u32 max_threads, int (*run_lockstep)(KwFiber*) = nullptr) {
#ifdef KW_CHECKED
  constexpr bool fibers = true;
#else
  constexpr bool fibers = waits;
#endif
  if constexpr (fibers) return {name, &E::run_threads, nullptr, run_lockstep, E::described, E::count, max_threads};
  else return {name, nullptr, &E::run_row, nullptr, E::described, E::count, max_threads};
}
}  // namespace kw

#define KW_KERNEL(number, host_name, function, max_threads, waits, ...)                                                \
  static constexpr ::kw::Arguments kw_arguments_##number = {{__VA_ARGS__}};                                            \
  static constexpr auto kw_function_##number = function;                                                              \
  extern "C" __attribute__((visibility("default"), used)) KwKernel kw_kernel_##number =                                \
      ::kw::kernel_record<::kw::EntryOf<kw_function_##number, kw_arguments_##number>, waits>(host_name, max_threads);
#define KW_KERNEL_LOCKSTEP(number, host_name, function, lockstep, max_threads, waits, ...)                             \
  static constexpr ::kw::Arguments kw_arguments_##number = {{__VA_ARGS__}};                                            \
  static constexpr auto kw_function_##number = function;                                                              \
  static constexpr auto kw_lockstep_##number = lockstep;                                                              \
  extern "C" __attribute__((visibility("default"), used)) KwKernel kw_kernel_##number =                                \
      ::kw::kernel_record<::kw::EntryOf<kw_function_##number, kw_arguments_##number>, waits>(                           \
          host_name, max_threads, &::kw::LockstepOf<kw_lockstep_##number, kw_arguments_##number>::run);
#endif
