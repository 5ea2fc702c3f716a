// What every file of the runtime needs: the interfaces to kernels and Python, and names for compiler features. Of the
// C++ library nothing is used: a machine may have none.
#pragma once
#include <stddef.h>
#include <stdint.h>

// What kernels call is visible to them; all else is compiled with -fvisibility=hidden.
#pragma GCC visibility push(default)
#include "kw_fiber.h"
#pragma GCC visibility pop

#define KW_EXPORT extern "C" __attribute__((visibility("default")))
#define KW_NOINLINE __attribute__((noinline))
#define KW_INLINE inline __attribute__((always_inline))
#define KW_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define KW_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

namespace kw {
typedef kw_u32 u32;
typedef kw_u64 u64;
typedef unsigned char byte;

constexpr u32 simd_width = KW_SIMD_WIDTH;
constexpr u32 max_simd_groups = KW_MAX_THREADS / KW_SIMD_WIDTH;
// Where pages are larger, of 16 or 64 KiB, mprotect takes the whole of one. What is given out is a multiple of 64 KiB.
constexpr u64 page_bytes = 4096;

constexpr u64 rounded_up(u64 value, u64 unit) { return (value + unit - 1) / unit * unit; }

// What kw_launch answers; ordinary numbers in Python.
enum Outcome { DONE = 0, TOO_MANY_THREADS = 1, FAR_ACCESS = 2, DEADLOCK = 3, GAVE_UP = 4 };
}  // namespace kw
