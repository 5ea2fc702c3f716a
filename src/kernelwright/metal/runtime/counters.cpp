#include "counters.h"

#include <string.h>

namespace kw {
u64 counters[KW_COUNTERS];
void counters_clear() { memset(counters, 0, sizeof counters); }
}  // namespace kw

// A counter of the last launch, see KwCounter; 0 for numbers that stand for nothing.
KW_EXPORT kw_u64 kw_counter(int which) {
  return which >= 0 && which < KW_COUNTERS ? kw::counters[which] : 0;
}
