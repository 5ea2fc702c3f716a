// Who runs next in a threadgroup. Inline: this is what a barrier or simd operation costs.
#pragma once
#include "group.h"
#include "worker.h"

namespace kw {

// Everything seldom. A stack to go on with is null when all threads have returned, or the launch was given up.
void* start_fiber(Group& group, Worker& worker);
void* next_stack_elsewhere(Group& group, Worker& worker);
void* next_stack_after(const Fiber* fiber, Group& group, Worker& worker);
u32 drawn_lane(Group& group, u32 lanes);
void settle_turns(Fiber* fiber, Group& group);
void wait_for_the_first_time(Fiber* fiber, Group& group);
void barrier_reached_by_all(Group& group);

// The stack of a lane of the current SIMD-group, which can run.
KW_INLINE void* take(Group& group, SimdGroup& simd) {
  u32 lane;
  if (simd.direction == UPWARDS) lane = u32(__builtin_ctz(simd.runnable));
  else if (KW_LIKELY(simd.direction == DOWNWARDS)) lane = 31 - u32(__builtin_clz(simd.runnable));
  else lane = drawn_lane(group, simd.runnable);
  simd.runnable &= ~(1u << lane);
  return simd.stack_of[lane];
}

// What runs on when a thread has ended. Never comes back.
[[noreturn]] KW_INLINE void run_others(Group& group, Worker& worker) {
  SimdGroup& simd = group.simd[group.current];
  void* next = simd.runnable ? take(group, simd) : next_stack_elsewhere(group, worker);
  leave_stack(next ? next : worker.home);
}

// Tells the group of threads that returned since the fiber last called.
KW_INLINE void settle(Fiber* fiber, Group& group) {
  if (KW_UNLIKELY(fiber->settled != fiber->turn)) settle_turns(fiber, group);
}

// Stands for the stack that runs now, in place of one that waits.
inline void* const this_stack = reinterpret_cast<void*>(1);

// A thread that has been noted as waiting: runs others until somebody made it runnable and its time has come.
KW_INLINE void wait_here(Fiber* fiber, Group& group, SimdGroup& simd) {
  void** stack = &simd.stack_of[fiber->thread % simd_width];
  void* next;
  if (KW_LIKELY(simd.runnable)) {
    next = take(group, simd);
  } else {
    *stack = this_stack;
    next = next_stack_elsewhere(group, *fiber->worker);
    if (next == this_stack) return;
    if (!next) next = fiber->worker->home;
  }
  switch_stack(stack, next);
}

inline void make_runnable(Group& group, SimdGroup& simd, u32 lanes) {
  simd.runnable |= lanes;
  group.ready |= 1u << (&simd - group.simd);
  if (simd.direction != DRAWN) simd.direction = simd.direction == UPWARDS ? DOWNWARDS : UPWARDS;
}

}  // namespace kw
