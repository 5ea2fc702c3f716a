// What one operating-system thread needs to run threadgroups.
#pragma once
#include "group.h"
#include "platform.h"

namespace kw {

struct Worker {
  Group group;
  void* home;             // where the operating-system thread goes on when no fiber runs
  const KwKernel* kernel;
  const KwLaunch* launch;
  bool dynamic_memory;    // the launch gives [[threadgroup(i)]] arguments
  u32 started;            // fibers of this threadgroup
  u32 stacks;             // fibers that have a stack
  Outcome outcome;
  u64 first_group, last_group;  // to be run in rows
  Fiber* fiber[KW_MAX_THREADS];
  unsigned short order[KW_MAX_THREADS];
  u32 order_threads;      // `order` is made for so many; 0: for none
};

// A worker's record and memory, to be kept for good. Null: no memory.
Worker* new_worker();
// The worker's fiber number `index`, its stack mapped if need be. Null: no memory.
Fiber* fiber_at(Worker& worker, u32 index);

// The fiber on whose stack `address` lies, of any worker; null: on none.
Fiber* fiber_of_stack(u64 address);
// Whether `address` lies in memory that the runtime keeps for its own records of simd operations.
bool is_runtime_memory(const Worker& worker, const void* address);

// Gives up the launch from within a thread. Other workers end after the threadgroup they are at.
[[noreturn]] void stop_launch(Fiber* fiber, Outcome outcome);

}  // namespace kw
