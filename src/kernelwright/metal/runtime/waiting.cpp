// Barriers and simd operations: threads that wait for each other.
#include <string.h>

#include "counters.h"
#include "reports.h"
#include "schedule.h"
#include "shadow.h"

namespace kw {
namespace {

constexpr char simd_barrier_name[] = "simdgroup_barrier";

u32 line_of(const KwExchange& exchange) { return exchange.line & KW_MEET_LINE; }
// In the order of the source: lines, and columns within a line.
u32 place_of(const KwExchange& exchange) { return line_of(exchange) << 10 | (exchange.line >> 20 & 0x3ff); }
u32 index_of(const Group& group, const SimdGroup& simd) { return u32(&simd - group.simd); }
u32 lanes_expected(const SimdGroup& simd, const KwExchange& exchange) { return simd.active & exchange.scope; }
u64 slot_bit(const SimdGroup& simd, const KwExchange* exchange) { return 1ull << (exchange - simd.exchanges); }
u32 lowest(u64 slots) { return u32(__builtin_ctzll(slots)); }

// Whether a lane can join the operation.
KW_INLINE bool is_for(const KwExchange& exchange, u32 lane, u32 line, const char* file, const char* name) {
  return exchange.line == line && exchange.name == name && exchange.file == file &&
         (exchange.scope & ~exchange.lanes) >> lane & 1;
}

// The operation that waits for this lane, or a new one.
KW_NOINLINE KwExchange* open_exchange(SimdGroup& simd, u32 lane, u32 line, const char* file, const char* name) {
  for (u64 rest = simd.open; rest; rest &= rest - 1) {
    KwExchange* exchange = &simd.exchanges[lowest(rest)];
    if (is_for(*exchange, lane, line, file, name)) return simd.joined = exchange;
  }
  const u32 slot = lowest(~simd.used);
  simd.used |= 1ull << slot;
  simd.open |= 1ull << slot;
  KwExchange* exchange = &simd.exchanges[slot];
  exchange->lanes = 0;
  exchange->scope = line & KW_MEET_QUAD ? 0xfu << (lane & ~3u) : ~0u;
  exchange->line = line;
  exchange->file = file;
  exchange->name = name;
  return simd.joined = exchange;
}

// All lanes that will come have come; those that `waited` may go on and read. What they brought to earlier operations
// is not needed any more: who has come here has read there.
KW_NOINLINE void complete(Group& group, SimdGroup& simd, KwExchange* exchange, u32 waited) {
  const u64 slot = slot_bit(simd, exchange);
  simd.joined = nullptr;
  simd.open &= ~slot;
  for (u64 done = simd.used & ~simd.open & ~slot; done; done &= done - 1)
    if (!(simd.exchanges[lowest(done)].lanes & simd.active & ~exchange->lanes)) simd.used &= ~(done & -done);
  exchange->reduced = 0;
  make_runnable(group, simd, waited);
  if (KW_LIKELY(!group.launch->check)) return;
  count(KW_COUNT_SIMD_OPERATIONS);
  if (exchange->name != simd_barrier_name) return;
  u32 flags = 0;
  for (u32 rest = exchange->lanes; rest; rest &= rest - 1) {
    u32 of_lane;
    memcpy(&of_lane, exchange->value + 4 * __builtin_ctz(rest), 4);
    flags |= of_lane;
  }
  shadow_simd_barrier(simd, flags);
}

template <class Store>
KW_INLINE KwMeeting meet(u32 line, const char* file, const char* name, Store store) {
  Fiber* fiber = this_fiber();
  Group& group = *group_of(fiber);
  if (KW_UNLIKELY(!fiber->simd)) {
    if (group.rows) stop_launch(fiber, DEADLOCK);
    wait_for_the_first_time(fiber, group);
  }
  SimdGroup& simd = *fiber->simd;
  const u32 lane = fiber->thread % simd_width, bit = 1u << lane;
  KwExchange* exchange = simd.joined;
  if (KW_UNLIKELY(!exchange || !is_for(*exchange, lane, line, file, name)))
    exchange = open_exchange(simd, lane, line, file, name);
  store(*exchange, lane);
  exchange->lanes |= bit;
  if (KW_UNLIKELY(exchange->lanes == lanes_expected(simd, *exchange)))
    complete(group, simd, exchange, exchange->lanes & ~bit);
  else
    wait_here(fiber, group, simd);
  return {exchange, lane};
}

void thread_returned(Group& group, u32 thread) {
  SimdGroup& simd = simd_of(group, thread);
  simd.active &= ~lane_bit(thread);
  group.alive--;
  for (u64 rest = simd.open; rest; rest &= rest - 1) {
    KwExchange* exchange = &simd.exchanges[lowest(rest)];
    if (exchange->lanes == lanes_expected(simd, *exchange)) complete(group, simd, exchange, exchange->lanes);
  }
}

// Where a lane of the SIMD-group waits that takes no part in `exchange`: a line, 0 if unknown.
u32 other_place(const Group& group, const SimdGroup& simd, const KwExchange& exchange, u32* thread) {
  const u32 absent = lanes_expected(simd, exchange) & ~exchange.lanes;
  if (!absent) return 0;
  const u32 lane = u32(__builtin_ctz(absent));
  *thread = index_of(group, simd) * simd_width + lane;
  if (simd.at_barrier >> lane & 1) return group.barrier.line & KW_MEET_LINE;
  for (u64 rest = simd.open; rest; rest &= rest - 1) {
    const KwExchange& other = simd.exchanges[lowest(rest)];
    if (other.lanes >> lane & 1) return line_of(other);
  }
  return 0;
}

// All threads wait, and not all of them for the same. The operation that comes first in the source goes on with the
// lanes that are there, as on a GPU. False: no operation is under way.
bool complete_partly(Group& group) {
  for (u32 i = 0; i < group.simd_count; i++) {
    SimdGroup& simd = group.simd[i];
    if (!simd.open) continue;
    KwExchange* first = &simd.exchanges[lowest(simd.open)];
    for (u64 rest = simd.open; rest; rest &= rest - 1) {
      KwExchange* other = &simd.exchanges[lowest(rest)];
      if (place_of(*other) < place_of(*first)) first = other;
    }
    if (!(first->line & KW_MEET_ACTIVE) && !group.quiet && (group.launch->check & KW_CHECK_RULES)) {
      u32 absent = 0;
      const u32 other_line = other_place(group, simd, *first, &absent);
      report_divergence(group, first->file, first->name, line_of(*first), other_line,
                        i * simd_width + u32(__builtin_ctz(first->lanes)), absent);
    }
    complete(group, simd, first, first->lanes);
    simd.used = simd.open | slot_bit(simd, first);  // nobody runs: everybody has read
    return true;
  }
  return false;
}

}  // namespace

u32 drawn_lane(Group& group, u32 lanes) {
  group.random = group.random * 1664525u + 1013904223u;
  const u32 from = group.random >> 27;
  const u32 turned = lanes >> from | (from ? lanes << (32 - from) : 0);
  return (u32(__builtin_ctz(turned)) + from) % simd_width;
}

KW_NOINLINE void* next_stack_elsewhere(Group& group, Worker& worker) {
  for (;;) {
    if (group.unstarted < group.threads) return start_fiber(group, worker);
    if (!group.simd[group.current].runnable) group.ready &= ~(1u << group.current);
    if (group.ready) {
      const u32 lower = group.ready & ((1u << group.current) - 1), upper = group.ready & ~((2u << group.current) - 1);
      const bool down = group.direction == DOWNWARDS;
      const u32 chosen = down ? (lower ? lower : group.ready) : (upper ? upper : group.ready);
      group.current = down ? 31 - u32(__builtin_clz(chosen)) : u32(__builtin_ctz(chosen));
      if (group.simd[group.current].runnable) return take(group, group.simd[group.current]);
      continue;
    }
    if (!group.alive) return nullptr;
    if (group.arrived == group.alive) {
      barrier_reached_by_all(group);
    } else if (!complete_partly(group)) {
      worker.outcome = DEADLOCK;
      return nullptr;
    }
  }
}

// For a thread that goes round a loop until another one has done something: each of the others gets its turn.
void* next_stack_after(const Fiber* fiber, Group& group, Worker& worker) {
  if (group.unstarted < group.threads) return start_fiber(group, worker);
  for (u32 step = 1; step <= group.threads; step++) {
    const u32 thread = (fiber->thread + step) % group.threads;
    SimdGroup& simd = simd_of(group, thread);
    if (!(simd.runnable & lane_bit(thread))) continue;
    simd.runnable &= ~lane_bit(thread);
    group.current = thread / simd_width;
    return simd.stack_of[thread % simd_width];
  }
  return nullptr;
}

KW_NOINLINE void settle_turns(Fiber* fiber, Group& group) {
  if (fiber->turn == group.threads && fiber->settled == 0 && group.alive == group.threads) {
    group.alive = 0;  // a single fiber has run all threads
    fiber->settled = fiber->turn;
  }
  for (; fiber->settled < fiber->turn; fiber->settled++)
    thread_returned(group, group.order ? group.order[fiber->settled] : fiber->settled);
}

KW_NOINLINE void barrier_reached_by_all(Group& group) {
  if (KW_UNLIKELY(group.launch->check)) {
    count(KW_COUNT_BARRIERS);
    shadow_barrier(group, group.barrier.flags);
    if (!group.quiet && (group.launch->check & KW_CHECK_RULES) &&
        (group.barrier.other_line || group.arrived < group.threads))
      report_divergence(group, group.barrier.file, "threadgroup_barrier", group.barrier.line & KW_MEET_LINE,
                        group.barrier.other_line & KW_MEET_LINE,
                        group.barrier.thread, group.barrier.other_thread);
  }
  group.arrived = 0;
  group.barrier.flags = group.barrier.other_line = 0;
  for (u32 i = 0; i < group.simd_count; i++) {
    SimdGroup& simd = group.simd[i];
    if (simd.at_barrier) make_runnable(group, simd, simd.at_barrier);
    simd.at_barrier = 0;
  }
  if (group.direction != DRAWN) group.direction = group.direction == UPWARDS ? DOWNWARDS : UPWARDS;
}

}  // namespace kw

using namespace kw;

KW_WAITS void kw_barrier(kw_u32 flags, const char* file, kw_u32 line) {
  Fiber* fiber = this_fiber();
  Group& group = *group_of(fiber);
  if (KW_UNLIKELY(!fiber->simd)) {
    if (group.rows) stop_launch(fiber, DEADLOCK);
    wait_for_the_first_time(fiber, group);
  }
  SimdGroup& simd = *fiber->simd;
  if (KW_UNLIKELY(group.arrived == 0)) {
    group.barrier.file = file;
    group.barrier.line = line;
    group.barrier.thread = fiber->thread;
  } else if (KW_UNLIKELY(line != group.barrier.line || file != group.barrier.file)) {
    group.barrier.other_line = line;
    group.barrier.other_thread = fiber->thread;
  }
  group.barrier.flags |= flags;
  if (KW_UNLIKELY(++group.arrived == group.alive)) {
    barrier_reached_by_all(group);
    return;
  }
  simd.at_barrier |= lane_bit(fiber->thread);
  wait_here(fiber, group, simd);
}

KW_WAITS void kw_simd_barrier(kw_u32 flags, const char* file, kw_u32 line) {
  meet(line, file, simd_barrier_name,
       [flags](KwExchange& exchange, u32 lane) { memcpy(exchange.value + 4 * lane, &flags, 4); });
}

KW_WAITS KwMeeting kw_meet4(kw_u32 value, kw_u32 line, const char* file, const char* name) {
  return meet(line, file, name,
              [value](KwExchange& exchange, u32 lane) { memcpy(exchange.value + 4 * lane, &value, 4); });
}

KW_WAITS KwMeeting kw_meet8(kw_u64 value, kw_u32 line, const char* file, const char* name) {
  return meet(line, file, name,
              [value](KwExchange& exchange, u32 lane) { memcpy(exchange.value + 8 * lane, &value, 8); });
}

KW_WAITS KwMeeting kw_meet_bytes(const void* value, kw_u32 bytes, kw_u32 line, const char* file, const char* name) {
  return meet(line, file, name,
              [=](KwExchange& exchange, u32 lane) { memcpy(exchange.value + bytes * lane, value, bytes); });
}

KW_WAITS KwMeeting kw_meet_result(const void* result, kw_u32 bytes, kw_u32 line, const char* file, const char* name) {
  return meet(line, file, name, [=](KwExchange& exchange, u32) {
    if (result) memcpy(exchange.result, result, bytes);
  });
}

kw_u32 kw_bad_shuffle(kw_u32 lane, kw_u32 line, const char* file, const char* name) {
  Fiber* fiber = this_fiber();
  const Group& group = *group_of(fiber);
  if (!group.quiet && (group.launch->check & KW_CHECK_RULES)) report_shuffle(fiber, lane, line & KW_MEET_LINE, file, name);
  return group.launch->check & KW_CHECK_OTHER_ABSENT ? 0x40 : 0;  // 3.0 as a float
}
