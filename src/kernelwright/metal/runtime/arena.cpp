#include "arena.h"

#include <string.h>

#include "worker.h"

namespace kw {

void arena_clear(Arena& arena) {
  arena.count = 0;
  arena.next = 0;
  arena.bytes = 0;
}

byte* arena_add(Arena& arena, const void* key, u64 bytes, const char* name) {
  const u64 start = rounded_up(arena.next, 64);
  if (arena.count == arena_variables || start + bytes > arena_bytes) return nullptr;
  byte* data = arena.memory + start;
  memset(data, 0xff, bytes);
  arena.variable[arena.count++] = {key, name, data, bytes};
  arena.next = start + bytes + arena.gap;
  arena.bytes += rounded_up(bytes, 16);
  if (arena.bytes > arena.most_bytes) arena.most_bytes = arena.bytes;
  return data;
}

const Variable* arena_find(const Arena& arena, const void* address, u64 bytes, bool near) {
  const byte* first = static_cast<const byte*>(address);
  for (u32 i = 0; i < arena.count; i++) {
    const Variable& variable = arena.variable[i];
    const byte* end = variable.data + variable.bytes;
    if (first >= variable.data && first + bytes <= end) return &variable;
    // half of the gap on either side belongs to it
    if (near && first + arena.gap / 2 >= variable.data && first < end + arena.gap / 2) return &variable;
  }
  return nullptr;
}

}  // namespace kw

void* kw_threadgroup(const void* key, kw_u64 bytes, const char* name) {
  using namespace kw;
  Fiber* fiber = this_fiber();
  Arena& arena = group_of(fiber)->arena;
  for (u32 i = 0; i < arena.count; i++)
    if (arena.variable[i].key == key) return arena.variable[i].data;
  byte* data = arena_add(arena, key, bytes, name);
  if (!data) stop_launch(fiber, FAR_ACCESS);
  return data;
}
