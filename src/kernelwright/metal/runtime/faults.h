// Kernels that touch memory that is not there, or divide by zero, must not take the process with them.
#pragma once
#include "platform.h"

namespace kw {

// Catches the faults of kernels until catch_no_faults(). Faults of other code go where they went before.
void catch_faults();
void catch_no_faults();

// A stack for the calling thread's signal handlers: the one of a fiber may have run out. Keeps the old one in `saved`.
struct SignalStack {
  alignas(16) byte saved[64];  // a stack_t
};
bool use_signal_stack(SignalStack* saved);
void restore_signal_stack(const SignalStack* saved);

}  // namespace kw
