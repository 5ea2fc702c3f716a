// How the lanes of a SIMD-group access memory together, for launches that count: memory segments and bank cycles.
//
// On a GPU the lanes of a SIMD-group execute an access at once; here they run one after the other. What one lane does
// the n-th time that it comes to a place of the program is taken to be one instruction with what the other lanes do
// their n-th time there. For each place and SIMD-group a bounded number of such instructions is kept, evenly spread
// over all of them, and the result is scaled to the number of accesses.
#pragma once
#include "group.h"
#include "platform.h"

namespace kw {

// A model: the cache line of Apple GPUs, and the banks that most GPUs' shared memory has. Sources: work.py.
constexpr u64 segment_bytes = 128;
constexpr u64 bank_count = 32, bank_bytes = 4;

// What is accessed: a buffer, or a threadgroup variable.
struct Subject {
  int buffer;        // -1: threadgroup memory
  const char* name;  // of the variable, or null
};

// Begins a launch that counts. False: not enough memory.
bool accesses_begin();
// Before and after each threadgroup: of one that does not end, nothing is counted.
void accesses_begin_group(const Group& group);
void accesses_end_group(const Group& group);

// A thread accesses [offset, offset + bytes) of the subject; `pc`: see shadow_access. Returns whether it reads just what
// it read last, in the same place of the program: a loop that waits for another thread does that.
bool accesses_note(const Fiber* fiber, const Subject& subject, u64 offset, u64 bytes, bool write, u64 pc);

}  // namespace kw
