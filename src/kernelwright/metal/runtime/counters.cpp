#include "counters.h"

#include <string.h>

kw_u64 kw_flops;

namespace kw {
namespace {
u64 before_group[KW_COUNTERS];
}

u64 counters[KW_COUNTERS];

void counters_clear() { memset(counters, 0, sizeof counters); }

void counters_begin_group() {
  memcpy(before_group, counters, sizeof counters);
  kw_flops = 0;
}

void counters_end_group() {
  count(KW_COUNT_FLOPS, kw_flops);
  count(KW_COUNT_GROUPS);
}

void counters_forget_group() { memcpy(counters, before_group, sizeof counters); }
}  // namespace kw

// A counter of the last launch, see KwCounter; 0 for numbers that stand for nothing.
KW_EXPORT kw_u64 kw_counter(int which) {
  return which >= 0 && which < KW_COUNTERS ? kw::counters[which] : 0;
}
