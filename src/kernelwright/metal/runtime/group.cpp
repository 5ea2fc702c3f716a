// One threadgroup from its first thread to its last: the order of turns, and which fiber runs when one has to wait.
#include "group.h"

#include <sched.h>

#include "schedule.h"
#include "shadow.h"
#include "worker.h"

namespace kw {
namespace {

constexpr u32 spins_before_others = 64;
constexpr u32 most_waits = 1u << 18;  // of one threadgroup, before what it waits for is taken never to come

u32 next_random(u32& state) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

template <class T> void shuffle(T* items, u32 count, u32& random) {
  for (u32 i = count; i > 1; i--) {
    const u32 other = next_random(random) % i;
    const T item = items[i - 1];
    items[i - 1] = items[other];
    items[other] = item;
  }
}

// Which thread has which turn. SIMD-groups stay together: threads of one of them run at the same time on a GPU.
const unsigned short* order_of(Worker& worker, u32 threads, u64 number) {
  const u32 kind = worker.launch->order;
  if (kind == KW_ORDER_ASCENDING) return nullptr;
  if (kind == KW_ORDER_DESCENDING && worker.order_threads == threads) return worker.order;
  worker.order_threads = kind == KW_ORDER_DESCENDING ? threads : 0;
  u32 random = worker.launch->seed * 2654435761u + u32(number) * 40503u + 1;
  if (!random) random = 1;
  const u32 simd_count = (threads + simd_width - 1) / simd_width;
  u32 simd[max_simd_groups];
  for (u32 i = 0; i < simd_count; i++) simd[i] = simd_count - 1 - i;
  if (kind == KW_ORDER_SHUFFLED) shuffle(simd, simd_count, random);
  u32 turn = 0;
  for (u32 i = 0; i < simd_count; i++) {
    const u32 first = simd[i] * simd_width, left = threads - first, lanes = left < simd_width ? left : simd_width;
    for (u32 lane = lanes; lane-- > 0;) worker.order[turn++] = static_cast<unsigned short>(first + lane);
    if (kind == KW_ORDER_SHUFFLED) shuffle(worker.order + turn - lanes, lanes, random);
  }
  return worker.order;
}

// The threadgroup's place in the grid and its size; no thread has begun.
void set_up(Worker& worker, u64 number) {
  Group& group = worker.group;
  const KwLaunch* launch = worker.launch;
  group.launch = launch;
  const u64 plane = u64(launch->groups[0]) * launch->groups[1];
  const u64 rest = number % plane;
  group.position[0] = u32(rest % launch->groups[0]);
  group.position[1] = u32(rest / launch->groups[0]);
  group.position[2] = u32(number / plane);
  group.threads = 1;
  for (int i = 0; i < 3; i++) {
    group.origin[i] = group.position[i] * launch->group[i];
    const u32 left = launch->grid[i] - group.origin[i];
    group.size[i] = left < launch->group[i] ? left : launch->group[i];
    group.threads *= group.size[i];
  }
  group.order = order_of(worker, group.threads, number);
  group.quiet = false;
  group.waits = 0;
  arena_clear(group.arena);
  for (u32 i = 0; worker.dynamic_memory && i < KW_BUFFERS; i++) {
    const u32 bytes = launch->threadgroup_bytes[i];
    if (bytes) group.memory[i] = arena_add(group.arena, &launch->threadgroup_bytes[i], bytes, "");
  }
  if (launch->check) shadow_begin_group(group);
}

void set_up_threads(Worker& worker, u64 number) {
  Group& group = worker.group;
  const u32 order = worker.launch->order;
  const Direction direction =
      order == KW_ORDER_SHUFFLED ? DRAWN : order == KW_ORDER_DESCENDING ? DOWNWARDS : UPWARDS;
  group.simd_count = (group.threads + simd_width - 1) / simd_width;
  for (u32 i = 0; i < group.simd_count; i++) {
    const u32 left = group.threads - i * simd_width;
    SimdGroup& simd = group.simd[i];
    simd.active = left < simd_width ? (1u << left) - 1 : ~0u;
    simd.runnable = simd.at_barrier = 0;
    simd.used = simd.open = 0;
    simd.direction = direction;
    simd.joined = nullptr;
    simd.exchanges = group.exchanges + i * exchange_slots;
  }
  group.rows = false;
  group.current = group.ready = 0;
  group.direction = direction;
  group.random = worker.launch->seed + u32(number) * 2246822519u;
  if (!group.random) group.random = 1;
  group.alive = group.threads;
  group.arrived = 0;
  group.barrier = {};
  group.unstarted = 0;
}

// Puts the fiber at the thread of its turn.
void place(Fiber* fiber, const Group& group) {
  const u32 thread = group.order ? group.order[fiber->turn] : fiber->turn;
  fiber->thread = thread;
  const bool one_row = group.size[1] * group.size[2] == 1;  // a division costs as much as a switch
  const u32 row = one_row ? 0 : thread / group.size[0];
  fiber->position[0] = thread - row * group.size[0];
  fiber->position[1] = one_row ? 0 : row % group.size[1];
  fiber->position[2] = one_row ? 0 : row / group.size[1];
}

// What a fiber begins with.
void run_fiber() {
  Fiber* fiber = this_fiber();
  fiber->worker->kernel->run_threads(fiber);
  Group& group = *group_of(fiber);
  settle(fiber, group);
  run_others(group, *fiber->worker);
}

// The calling fiber's thread lets all others run, and goes on.
void yield(Fiber* fiber, Group& group) {
  if (!fiber->simd) wait_for_the_first_time(fiber, group);
  void* next = next_stack_after(fiber, group, *fiber->worker);
  if (!next) {  // what it waits for can only come from another threadgroup
    sched_yield();
    return;
  }
  fiber->simd->runnable |= lane_bit(fiber->thread);
  group.ready |= 1u << fiber->thread / simd_width;
  switch_stack(&fiber->simd->stack_of[fiber->thread % simd_width], next);
}

}  // namespace

void* start_fiber(Group& group, Worker& worker) {
  Fiber* fiber = fiber_at(worker, worker.started);
  if (KW_UNLIKELY(!fiber)) {
    worker.outcome = FAR_ACCESS;
    return nullptr;
  }
  worker.started++;
  fiber->simd = nullptr;
  fiber->turn = fiber->settled = group.unstarted;
  fiber->last_turn = group.threads;
  fiber->spins = 0;
  group.unstarted = group.threads;
  place(fiber, group);
  group.current = fiber->thread / simd_width;
  return fresh_stack(fiber, run_fiber);
}

void wait_for_the_first_time(Fiber* fiber, Group& group) {
  settle(fiber, group);
  if (fiber->last_turn != fiber->turn + 1) group.unstarted = fiber->turn + 1;  // the next fiber's
  fiber->last_turn = fiber->turn + 1;
  fiber->simd = &simd_of(group, fiber->thread);
}

void run_group(Worker& worker, u64 number) {
  set_up(worker, number);
  set_up_threads(worker, number);
  worker.started = 0;
  void* first = start_fiber(worker.group, worker);
  if (first) switch_stack(&worker.home, first);
  if (worker.launch->check) shadow_end_group(worker.group, worker.outcome == DONE);
}

void run_rows(Worker& worker, u64 number) {
  set_up(worker, number);
  Group& group = worker.group;
  group.rows = true;
  KwRow row;
  for (int i = 0; i < 3; i++) {
    row.group[i] = group.position[i];
    row.size[i] = group.size[i];
  }
  if (!group.order) {
    row.first = 0;
    row.last = group.size[0];
    for (row.z = 0; row.z < group.size[2]; row.z++)
      for (row.y = 0; row.y < group.size[1]; row.y++) worker.kernel->run_row(worker.launch, &row);
    return;
  }
  for (u32 turn = 0; turn < group.threads; turn++) {
    const u32 thread = group.order[turn], line = thread / group.size[0];
    row.first = thread % group.size[0];
    row.last = row.first + 1;
    row.y = line % group.size[1];
    row.z = line / group.size[1];
    worker.kernel->run_row(worker.launch, &row);
  }
}

bool run_in_lockstep(Worker& worker, u64 number) {
  set_up(worker, number);
  worker.group.rows = true;
  return worker.kernel->run_lockstep(this_fiber());
}

void end_thread(Fiber* fiber) {
  Group& group = *group_of(fiber);
  group.quiet = true;
  if (!fiber->simd) wait_for_the_first_time(fiber, group);
  fiber->turn++;
  settle(fiber, group);
  run_others(group, *fiber->worker);
}

}  // namespace kw

void kw_next_in_order(KwFiber* fiber) {
  using namespace kw;
  place(static_cast<Fiber*>(fiber), *group_of(static_cast<Fiber*>(fiber)));
}

void kw_spin(void) {
  using namespace kw;
  Fiber* fiber = this_fiber();
  if (KW_LIKELY(++fiber->spins < spins_before_others)) return;
  fiber->spins = 0;
  Group& group = *group_of(fiber);
  // threadgroups of a checked launch run one after the other, and perhaps not all of them: nobody may be there to wait for
  if (KW_UNLIKELY(group.launch->check & KW_CHECK_COUNTS) && ++group.waits == most_waits) stop_launch(fiber, GAVE_UP);
  if (group.rows) sched_yield();
  else yield(fiber, group);
}
