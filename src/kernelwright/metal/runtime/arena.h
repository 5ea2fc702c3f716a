// Threadgroup memory: one block for each worker, shared out to the variables of the threadgroup that it runs.
#pragma once
#include "platform.h"

namespace kw {

constexpr u64 arena_bytes = 64ul << 20;
constexpr u32 arena_variables = 128;

struct Variable {
  const void* key;
  const char* name;
  byte* data;
  u64 bytes;
};

struct Arena {
  byte* memory;
  u64 next;       // first free byte
  u64 gap;        // between variables: wide in checked launches, so that an overrun hits nothing
  u64 bytes;      // as Metal counts them: multiples of 16 for each variable
  u64 most_bytes; // of all threadgroups since the launch began
  u32 count;
  Variable variable[arena_variables];
};

// Forgets the variables of the last threadgroup.
void arena_clear(Arena& arena);
// Memory for a variable, filled with 0xff: NaN for every floating-point type, and no index of anything. Null: full.
byte* arena_add(Arena& arena, const void* key, u64 bytes, const char* name);
// The variable whose memory [address, address + bytes) is or, if `near`, lies next to; null: none.
const Variable* arena_find(const Arena& arena, const void* address, u64 bytes, bool near);

}  // namespace kw
