// Counted work of the last checked launch; one worker runs those.
#pragma once
#include "platform.h"

namespace kw {
extern u64 counters[KW_COUNTERS];
inline void count(u32 which, u64 by = 1) { counters[which] += by; }
void counters_clear();

// What a threadgroup counts is kept once it has ended; of one that never does, nothing is.
void counters_begin_group();
void counters_end_group();
void counters_forget_group();
}  // namespace kw

// Floating-point operations so far. Checked programs add to it (see flops.py).
KW_EXPORT kw_u64 kw_flops;
