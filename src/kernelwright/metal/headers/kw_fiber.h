// What a compiled kernel and the runtime library share while a threadgroup runs on the CPU. Plain C layout.
#pragma once
#include "kw_abi.h"

// A threadgroup under way. The runtime's own record begins with this one.
struct KwGroup {
  const struct KwLaunch* launch;
  unsigned char* memory[KW_BUFFERS];  // of the [[threadgroup(i)]] arguments
  kw_u32 position[3];                 // in the grid, counted in threadgroups
  kw_u32 origin[3];                   // position of its first thread in the grid
  kw_u32 size[3];                     // its threads; fewer than KwLaunch.group at the edge of the grid
  kw_u32 threads;
  const unsigned short* order;        // which thread has the n-th turn; null: thread n
  unsigned char* kept;                // KW_KEPT_BYTES for what threads in lockstep keep, see kw_lockstep.h
};

// A fiber is a stack on which threads of one threadgroup run, one after the other until one has to wait. Its record
// lies at the top of that stack: whoever runs on the stack finds it from the stack pointer alone.
struct KwFiber {
  struct KwGroup* group;
  kw_u32 turn, last_turn;  // it runs the threads of turns [turn, last_turn)
  kw_u32 thread;           // index in the threadgroup of the one that runs now
  kw_u32 position[3];      // of the same, in the threadgroup
};

// Stacks are aligned to their size. Were the records at equal offsets, all of them would compete for the same few
// lines of the first-level cache: each stack of 64 neighbours begins 320 bytes (5 lines) lower than the one before.
#define KW_FIBER_BYTES 64
#define KW_STACK_COLOUR(base) ((((base) >> 17) & 63) * 320)
#define KW_FIBER_AT(base) ((base) + KW_STACK_BYTES - KW_FIBER_BYTES - KW_STACK_COLOUR(base))

#define KW_LANE_BYTES 32  // of the widest value a thread can bring to a simd operation: long4

// What the threads of a SIMD-group brought to one operation, readable once all of them are there.
struct KwExchange {
  kw_u32 lanes;        // that take part
  kw_u32 reduced;      // `result` has been computed: the first thread that needs it does it for all
  kw_u32 scope;        // lanes among which the operation works: all, or a quad
  kw_u32 line;         // with the KW_MEET bits
  const char* file;
  const char* name;    // of the operation
  alignas(64) unsigned char value[KW_SIMD_WIDTH * KW_LANE_BYTES];   // one after the other, 4 bytes apart at least
  alignas(64) unsigned char result[KW_SIMD_WIDTH * KW_LANE_BYTES];
};

struct KwMeeting {
  struct KwExchange* exchange;
  kw_u64 lane;  // of the thread that asks
};

// Bits of `line` in a meeting.
enum KwMeet {
  KW_MEET_QUAD = 1 << 31,    // among the four threads of a quad
  KW_MEET_ACTIVE = 1 << 30,  // asks for the active threads: made for code that not all threads reach
  KW_MEET_LINE = (1 << 20) - 1,  // above it 10 bits of the column, see KW_HERE
};

enum KwAtomicAccess { KW_ATOMIC_READ = 0, KW_ATOMIC_WRITE = 1, KW_ATOMIC_UPDATE = 2 };

// How the functions that may wait are called: nobody saves registers but who needs them after the call. A thread that
// waits leaves its stack, and whoever runs meanwhile uses all of them anyway.
#if defined(__has_attribute)
#if __has_attribute(preserve_none) && (defined(__x86_64__) || defined(__aarch64__))
#define KW_WAITS __attribute__((preserve_none))
#endif
#endif
#ifndef KW_WAITS
#define KW_WAITS
#endif

#ifdef __cplusplus
extern "C" {
#endif
// Waits for all threads of the threadgroup. `flags`: metal::mem_flags.
KW_WAITS void kw_barrier(kw_u32 flags, const char* file, kw_u32 line);
// Waits for all threads of the SIMD-group. `flags`: metal::mem_flags.
KW_WAITS void kw_simd_barrier(kw_u32 flags, const char* file, kw_u32 line);
void kw_fence(kw_u32 flags);
// Brings a value to the operation `name` at file:line and waits for the other threads of the SIMD-group (or quad).
KW_WAITS struct KwMeeting kw_meet4(kw_u32 value, kw_u32 line, const char* file, const char* name);
KW_WAITS struct KwMeeting kw_meet8(kw_u64 value, kw_u32 line, const char* file, const char* name);
KW_WAITS struct KwMeeting kw_meet_bytes(const void* value, kw_u32 bytes, kw_u32 line, const char* file, const char* name);
// The same for an operation in which one thread gives all others the answer: it passes it, the others pass null.
KW_WAITS struct KwMeeting kw_meet_result(const void* result, kw_u32 bytes, kw_u32 line, const char* file, const char* name);
// Storage of a threadgroup variable, the same for all threads of a threadgroup; `key` tells variables apart.
void* kw_threadgroup(const void* key, kw_u64 bytes, const char* name);
// Moves the fiber on to its next turn where threads have an order of their own.
void kw_next_in_order(struct KwFiber* fiber);
// An atomic read may be one of a loop that waits for another thread: lets others run now and then.
void kw_spin(void);
// An atomic operation is about to touch memory; `access`: KwAtomicAccess. Checked programs only.
void kw_atomic_access(const volatile void* address, kw_u32 bytes, kw_u32 access);
// A thread asks for the value of a lane that does not take part: the byte that all of the answer consists of.
kw_u32 kw_bad_shuffle(kw_u32 lane, kw_u32 line, const char* file, const char* name);
#ifdef __cplusplus
}
#endif
