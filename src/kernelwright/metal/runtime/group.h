// One threadgroup under way: which of its threads run, wait, or have not begun.
//
// Threads run on fibers. A fiber runs one thread after the other until one has to wait; the threads that have not begun
// then go to the next fiber, and so on. A threadgroup whose threads never wait takes a single fiber.
#pragma once
#include "arena.h"
#include "platform.h"
#include "switch.h"

namespace kw {

struct Worker;

struct SimdGroup;

struct Fiber : KwFiber {
  SimdGroup* simd;  // of the one thread that it still runs; null: until now no thread had to wait
  Worker* worker;
  u32 settled;      // turns [settled, turn) are over, and the group does not know yet
  u32 spins;        // atomic reads since it last let others run
};
static_assert(sizeof(Fiber) <= KW_FIBER_BYTES, "the record fills one line of the cache");

// The fiber that this code runs on. Only for code that kernels call.
KW_INLINE Fiber* this_fiber() {
  const u64 base = reinterpret_cast<u64>(__builtin_frame_address(0)) & ~u64(KW_STACK_BYTES - 1);
  return static_cast<Fiber*>(reinterpret_cast<KwFiber*>(KW_FIBER_AT(base)));
}

// Operations that a SIMD-group can have under way: each of 32 lanes waits for one or is reading the last one's result.
constexpr u32 exchange_slots = 2 * simd_width;

// Which runnable lane goes next. A lane that has just waited is still in the cache: threads go up, then down, ...
enum Direction : u32 { UPWARDS, DOWNWARDS, DRAWN };

struct SimdGroup {
  u32 active;            // lanes whose threads have not returned
  u32 runnable;          // lanes that could run on, without the one that runs
  u32 at_barrier;        // lanes that wait for the threadgroup
  Direction direction;
  KwExchange* joined;    // the operation that a lane joined last, if it still is open
  void* stack_of[simd_width];  // where the lanes that wait go on
  KwExchange* exchanges;       // exchange_slots of them
  u64 used, open;        // of these: with an operation under way; with one that lanes still wait for
  u64 barrier_time[2];   // when the last simdgroup_barrier was passed, for device and threadgroup memory; see shadow.h
};

struct Group : KwGroup {
  SimdGroup simd[max_simd_groups];
  u32 simd_count;
  u32 current;      // SIMD-group that runs
  u32 ready;        // SIMD-groups with runnable lanes; the current one's bit may be out of date
  Direction direction;  // in which SIMD-groups take turns
  bool rows;        // threads that cannot wait: they run in rows, no other fiber exists
  bool quiet;       // a thread was stopped after a report: what the others miss of it is not reported
  u32 unstarted;    // first turn that no fiber has; == threads: none
  u32 alive;        // threads that have not returned
  u32 arrived;      // threads at the barrier
  u32 random;
  u32 waits;        // times that a thread of it had read 64 atomics, in launches that count

  struct {
    const char* file;
    u32 line, flags, thread;
    u32 other_line, other_thread;  // somebody waits at another barrier; 0: nobody
  } barrier;                       // that `arrived` threads wait at

  u64 start_time, barrier_time[2];  // for the checks, see shadow.h
  u64 acquired[KW_MAX_THREADS][2];
  Arena arena;
  KwExchange* exchanges;            // exchange_slots for each SIMD-group
};

KW_INLINE Group* group_of(const Fiber* fiber) { return static_cast<Group*>(fiber->group); }
KW_INLINE SimdGroup& simd_of(Group& group, u32 thread) { return group.simd[thread / simd_width]; }
KW_INLINE u32 lane_bit(u32 thread) { return 1u << thread % simd_width; }

// Runs all threads of threadgroup `number` and comes back when they have returned.
void run_group(Worker& worker, u64 number);
// The same for a kernel that runs in rows; call it on a fiber of the worker.
void run_rows(Worker& worker, u64 number);
// The same for a kernel that runs in lockstep. False: nothing was done, run_group has to.
bool run_in_lockstep(Worker& worker, u64 number);

// The thread that runs on the fiber ends here: after a report that leaves it no way to go on.
[[noreturn]] void end_thread(Fiber* fiber);

}  // namespace kw
