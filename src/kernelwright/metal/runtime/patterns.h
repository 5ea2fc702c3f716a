// What the lanes of one SIMD-group access at one place of a program, time after time; see accesses.h.
#pragma once
#include "platform.h"

namespace kw {

constexpr u32 kept_instructions = 32;

// What the lanes access the n-th time.
struct Instruction {
  u32 lanes;  // that came so often
  u64 start[simd_width];
  u32 bytes[simd_width];
};

struct Pattern {
  u32 step;               // of the instructions 0, step, 2 * step, ... are kept
  u32 count[simd_width];  // how often each lane came
  Instruction kept[kept_instructions];
};

// Whether units are banks of threadgroup memory or segments of device memory.
struct Spread {
  bool banks;
};

struct Matched {
  u64 accesses, transactions, ideal;
};

// value * wanted / have, rounded; 0 where nothing is had.
u64 scaled(u64 value, u64 wanted, u64 have);

void pattern_clear(Pattern& pattern);
// The lane accesses [start, start + bytes). Returns how often it was here before.
u32 pattern_add(Pattern& pattern, u32 lane, u64 start, u64 bytes);
// What the lane accessed the n-th time has now so many bytes.
void pattern_widen(Pattern& pattern, u32 lane, u32 n, u32 bytes);
// All of it, scaled to the number of accesses.
Matched pattern_matched(const Pattern& pattern, Spread of);

}  // namespace kw
