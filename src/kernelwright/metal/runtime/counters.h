// Counted work of the last checked launch; one worker runs those.
#pragma once
#include "platform.h"

namespace kw {
extern u64 counters[KW_COUNTERS];
inline void count(u32 which, u64 by = 1) { counters[which] += by; }
void counters_clear();
}  // namespace kw
