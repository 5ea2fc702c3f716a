#include "shadow.h"

#include <string.h>

#include "accesses.h"
#include "counters.h"
#include "footprints.h"
#include "memory.h"
#include "regions.h"
#include "reports.h"

namespace kw {

bool watching;

namespace {

// A record of an access: time (40 bits), thread in its threadgroup (10), atomic (1), place in the program (13).
constexpr u32 place_bits = 13, places = 1 << place_bits, unknown_place = places - 1;
constexpr u64 atomic_bit = 1ull << place_bits;
constexpr u32 thread_shift = place_bits + 1, time_shift = thread_shift + 10;

u64 now;                    // the clock
u64 fence_time[2][2];       // of the last fences: [kind of memory][0: the latest, 1: the latest of another thread]
u64 fence_by[2];            // thread and threadgroup of the latest
u64 place_pc[places];       // where in the program; a place is found at its hash or behind it

u64 time_of(u64 record) { return record >> time_shift; }
u32 thread_of(u64 record) { return record >> thread_shift & (KW_MAX_THREADS - 1); }

u64 place_of(u64 pc) {
  u32 place = u32(pc * 0x9e3779b97f4a7c15ull >> (64 - place_bits)) % unknown_place;
  for (u32 tries = 0; tries < 64; tries++) {
    if (place_pc[place] == pc) return place;
    if (!place_pc[place]) {
      place_pc[place] = pc;
      return place;
    }
    place = (place + 1) % unknown_place;
  }
  return unknown_place;
}

// The access that is being looked at.
struct Now {
  Fiber* fiber;
  const Group* group;
  const SimdGroup* simd;
  u32 memory;      // device_memory or threadgroup_memory
  u32 thread;
  Access access;
  u64 pc, record;
  u64 acquired;
  bool again;      // reads what it read before, see accesses.h

  bool writes() const { return access != READ && access != ATOMIC_READ; }
  bool reads() const { return access != WRITE && access != ATOMIC_WRITE; }
  bool atomic() const { return access >= ATOMIC_READ; }
};

// Whether the recorded access comes before this one in the order that barriers and fences give.
bool ordered(u64 record, const Now& at) {
  const u64 time = time_of(record);
  if (time < at.acquired) return true;
  if (time < at.group->start_time) return false;  // by another threadgroup
  const u32 thread = thread_of(record);
  if (thread == at.thread || time < at.group->barrier_time[at.memory]) return true;
  return thread / simd_width == at.thread / simd_width && time < at.simd->barrier_time[at.memory];
}

bool conflicts(u64 record, const Now& at) {
  return record && !(at.atomic() && record & atomic_bit) && !ordered(record, at);
}

void report_race(const Now& at, const Spot& spot, u64 bytes, u64 record) {
  KwReport report = report_about(KW_RACE, *at.group, at.thread);
  report.write = at.writes();
  report.bytes = u32(bytes);
  report.buffer = spot.buffer;
  report.offset = spot.offset;
  report.program_counter = relative(at.pc);
  const u64 other = record & (places - 1);
  if (other != unknown_place) report.other_program_counter = relative(place_pc[other]);
  report.other_thread = thread_of(record);
  if (spot.subject) set_text(report.subject, sizeof report.subject, spot.subject, strlen(spot.subject));
  keep(report);
}

// The recorded access that this one races with; 0: none.
u64 racing(const Cell& cell, const Now& at) {
  if (conflicts(cell.write, at)) return cell.write;
  if (!at.writes()) return 0;
  if (conflicts(cell.read[0], at)) return cell.read[0];
  return conflicts(cell.read[1], at) ? cell.read[1] : 0;
}

void record(Cell& cell, const Now& at) {
  if (at.writes()) {
    cell.write = at.record;
    if (!at.atomic()) cell.read[0] = cell.read[1] = 0;
    return;
  }
  for (u64& read : cell.read) {
    if (read && !ordered(read, at)) continue;
    read = at.record;
    return;
  }
}

bool reports_rules(const Group& group) { return group.launch->check & KW_CHECK_RULES; }
bool counts(const Group& group) { return group.launch->check & KW_CHECK_COUNTS; }

void count_access(Now& at, const Region& region, u64 offset, u64 bytes) {
  const u32 buffer = u32(region.buffer);
  if (at.reads()) {
    count(KW_COUNT_BUFFER_READ + buffer, bytes);
    footprints_note(buffer, offset, bytes, false);
  }
  if (at.writes()) {
    count(KW_COUNT_BUFFER_WRITTEN + buffer, bytes);
    footprints_note(buffer, offset, bytes, true);
  }
  at.again = accesses_note(at.fiber, {region.buffer, nullptr}, offset, bytes, at.writes(), at.pc);
}

void count_access(Now& at, const Variable& variable, u64 offset, u64 bytes) {
  if (at.reads()) count(KW_COUNT_THREADGROUP_READ, bytes);
  if (at.writes()) count(KW_COUNT_THREADGROUP_WRITTEN, bytes);
  at.again = accesses_note(at.fiber, {-1, variable.name}, offset, bytes, at.writes(), at.pc);
}

void device_access(Now& at, const Region& region, u64 address, u64 bytes) {
  if (counts(*at.group)) count_access(at, region, address - region.low, bytes);
  Cells cells;
  if (!reports_rules(*at.group) || !cells_of(*region.extent, address, bytes, &cells)) return;
  u64 other = 0;
  for (u64 i = 0; i < cells.count; i++) {
    if (!other) other = racing(cells.first[i], at);
    record(cells.first[i], at);
  }
  if (other) report_race(at, {region.buffer, long(address - region.low), nullptr}, bytes, other);
}

void threadgroup_access(Now& at, u64 address, u64 bytes) {
  const void* pointer = reinterpret_cast<void*>(address);
  const Arena& arena = at.group->arena;
  const Variable* variable = arena_find(arena, pointer, bytes, false);
  if (variable && counts(*at.group)) count_access(at, *variable, address - reinterpret_cast<u64>(variable->data), bytes);
  if (!reports_rules(*at.group)) return;
  if (!variable) {
    const Variable* near = arena_find(arena, pointer, bytes, true);
    Spot spot = {-1, 0, ""};
    if (near) spot = {-1, long(address - reinterpret_cast<u64>(near->data)), near->name};
    report_access(KW_OUT_OF_BOUNDS, at.fiber, spot, u32(bytes), at.writes(), at.pc);
    return;
  }
  const Spot spot = {-1, long(address - reinterpret_cast<u64>(variable->data)), variable->name};
  Cells cells;
  if (!cells_of(*threadgroup_region().extent, address, bytes, &cells)) return;
  bool fresh = false;
  u64 other = 0;
  for (u64 i = 0; i < cells.count; i++) {
    Cell& cell = cells.first[i];
    // what other threadgroups did here is history: the memory was not theirs alone
    if (time_of(cell.write) < at.group->start_time) cell.write = 0;
    if (time_of(cell.read[0]) < at.group->start_time) cell.read[0] = 0;
    if (time_of(cell.read[1]) < at.group->start_time) cell.read[1] = 0;
    if (!cell.write && at.reads()) fresh = true;
    if (!other) other = racing(cell, at);
    record(cell, at);
  }
  if (fresh && !at.group->quiet) report_access(KW_UNINITIALIZED, at.fiber, spot, u32(bytes), at.writes(), at.pc);
  if (other) report_race(at, spot, bytes, other);
}

// An access to memory that is neither a buffer's nor the threadgroup's nor the thread's own.
void stray_access(Now& at, u64 address, u64 bytes) {
  Spot spot = {-1, 0, nullptr};
  if (const Region* near = buffer_near(address)) spot = {near->buffer, long(address - near->low), nullptr};
  if (reports_rules(*at.group)) report_access(KW_OUT_OF_BOUNDS, at.fiber, spot, u32(bytes), at.writes(), at.pc);
  u64 data;
  if (!guarded_at(address, &data)) end_thread(at.fiber);  // whose memory this is, nobody knows
}

}  // namespace

bool shadow_begin(const KwKernel* kernel, Worker& worker) {
  if (!regions_begin(kernel, worker.launch, worker.group.arena)) return false;
  if (worker.launch->check & KW_CHECK_COUNTS && !(accesses_begin() && footprints_begin(worker.launch))) {
    regions_end();
    return false;
  }
  now = 1;
  memset(fence_time, 0, sizeof fence_time);
  memset(fence_by, 0, sizeof fence_by);
  counters_clear();
  watching = true;
  return true;
}

void shadow_end() {
  if (!watching) return;
  watching = false;
  footprints_end();
  regions_end();
  close_surroundings();
}

void shadow_begin_group(Group& group) {
  group.start_time = ++now;
  group.barrier_time[0] = group.barrier_time[1] = 0;
  for (SimdGroup& simd : group.simd) simd.barrier_time[0] = simd.barrier_time[1] = 0;
  memset(group.acquired, 0, sizeof group.acquired);
  counters_begin_group();
  if (counts(group)) accesses_begin_group(group);
}

void shadow_end_group(const Group& group, bool whole) {
  if (!whole) {
    counters_forget_group();
    return;
  }
  counters_end_group();
  if (counts(group)) accesses_end_group(group);
}

void shadow_barrier(Group& group, u32 flags) {
  ++now;
  if (flags & flag_device) group.barrier_time[device_memory] = now;
  if (flags & flag_threadgroup) group.barrier_time[threadgroup_memory] = now;
}

void shadow_simd_barrier(SimdGroup& simd, u32 flags) {
  ++now;
  if (flags & flag_device) simd.barrier_time[device_memory] = now;
  if (flags & flag_threadgroup) simd.barrier_time[threadgroup_memory] = now;
}

// A fence takes over what other threads did before their last fences. Which of their accesses the atomics in between
// really publish is not followed: races between threads that both use fences may go unseen, none is invented.
void shadow_fence(const Fiber* fiber, u32 flags) {
  Group& group = *group_of(fiber);
  const u64 self = group.start_time * KW_MAX_THREADS + fiber->thread;
  ++now;
  for (u32 memory = 0; memory < 2; memory++) {
    if (!(flags & (memory == device_memory ? flag_device : flag_threadgroup))) continue;
    u64* latest = fence_time[memory];
    if (fence_by[memory] != self) latest[1] = latest[0];
    group.acquired[fiber->thread][memory] = latest[1];
    latest[0] = now;
    fence_by[memory] = self;
  }
}

void shadow_access(Fiber* fiber, const void* pointer, u64 bytes, Access access, u64 pc) {
  const u64 address = reinterpret_cast<u64>(pointer);
  const u64 stack = reinterpret_cast<u64>(fiber) & ~u64(KW_STACK_BYTES - 1);
  if (address - stack < KW_STACK_BYTES || !bytes) return;  // the thread's own variables
  if (is_runtime_memory(*fiber->worker, pointer)) return;
  const Group* group = group_of(fiber);
  Now at = {fiber, group, &group->simd[fiber->thread / simd_width], device_memory, fiber->thread, access, pc, 0, 0, false};
  at.record = now << time_shift | u64(at.thread) << thread_shift | (at.atomic() ? atomic_bit : 0) | place_of(pc);
  const u64 arena = reinterpret_cast<u64>(group->arena.memory);
  if (address - arena < arena_bytes) {
    at.memory = threadgroup_memory;
    at.acquired = group->acquired[at.thread][threadgroup_memory];
    threadgroup_access(at, address, bytes);
    if (KW_UNLIKELY(at.again)) kw_spin();
    return;
  }
  at.acquired = group->acquired[at.thread][device_memory];
  const Region* region = buffer_at(address);
  if (region && bytes <= region->high - address) {
    device_access(at, *region, address, bytes);
  } else if (region || !in_program(address)) {
    stray_access(at, address, bytes);
  }
  if (KW_UNLIKELY(at.again)) kw_spin();  // last: other threads may run meanwhile
}

}  // namespace kw
