// Workers and the stacks of their fibers.
#include <sys/mman.h>

#include "worker.h"

namespace kw {
namespace {

constexpr u32 block_stacks = 32;  // stacks are mapped in blocks of 4 MiB
constexpr u32 most_blocks = 256 * (KW_MAX_THREADS / block_stacks);

// All blocks of all workers, for finding out whose stack an address belongs to.
u64 blocks[most_blocks];
u32 block_count;

void* map(u64 bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

constexpr u64 exchange_bytes = sizeof(KwExchange) * exchange_slots * max_simd_groups;

// Maps the stacks of the next 32 fibers, aligned to their size. The lowest page of each cannot be accessed, so that a
// thread that needs too much is stopped before it reaches another one's memory.
bool map_block(Worker& worker) {
  const u64 size = u64(block_stacks) * KW_STACK_BYTES;
  const u64 start = reinterpret_cast<u64>(map(size + KW_STACK_BYTES));
  const u32 number = __atomic_fetch_add(&block_count, 1, __ATOMIC_RELAXED);
  if (!start || number >= most_blocks) return false;
  const u64 first = rounded_up(start, KW_STACK_BYTES);
  __atomic_store_n(&blocks[number], first, __ATOMIC_RELEASE);
  for (u32 i = 0; i < block_stacks; i++) {
    const u64 base = first + u64(i) * KW_STACK_BYTES;
    mprotect(reinterpret_cast<void*>(base), page_bytes, PROT_NONE);  // without it all works, only less safely
    Fiber* fiber = static_cast<Fiber*>(reinterpret_cast<KwFiber*>(KW_FIBER_AT(base)));
    fiber->worker = &worker;
    fiber->group = &worker.group;
    worker.fiber[worker.stacks++] = fiber;
  }
  return true;
}

}  // namespace

Worker* new_worker() {
  Worker* worker = static_cast<Worker*>(map(sizeof(Worker)));  // all zero
  if (!worker) return nullptr;
  worker->group.arena.memory = static_cast<byte*>(map(arena_bytes));
  worker->group.exchanges = static_cast<KwExchange*>(map(exchange_bytes));
  worker->group.kept = static_cast<byte*>(map(KW_KEPT_BYTES));
  return worker->group.arena.memory && worker->group.exchanges && worker->group.kept && map_block(*worker) ? worker : nullptr;
}

Fiber* fiber_at(Worker& worker, u32 index) {
  if (KW_UNLIKELY(index >= worker.stacks) && !map_block(worker)) return nullptr;
  return worker.fiber[index];
}

Fiber* fiber_of_stack(u64 address) {
  const u64 base = address & ~u64(KW_STACK_BYTES - 1);
  u32 count = __atomic_load_n(&block_count, __ATOMIC_RELAXED);
  if (count > most_blocks) count = most_blocks;
  for (u32 i = 0; i < count; i++) {
    const u64 first = __atomic_load_n(&blocks[i], __ATOMIC_ACQUIRE);
    if (first && base >= first && base < first + u64(block_stacks) * KW_STACK_BYTES)
      return static_cast<Fiber*>(reinterpret_cast<KwFiber*>(KW_FIBER_AT(base)));
  }
  return nullptr;
}

bool is_runtime_memory(const Worker& worker, const void* address) {
  const u64 offset = reinterpret_cast<u64>(address) - reinterpret_cast<u64>(worker.group.exchanges);
  return offset < exchange_bytes;
}

void stop_launch(Fiber* fiber, Outcome outcome) {
  fiber->worker->outcome = outcome;
  leave_stack(fiber->worker->home);
}

}  // namespace kw
