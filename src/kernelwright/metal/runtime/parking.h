// Threads that wait for a number to change.
#pragma once
#include "platform.h"

namespace kw {

// Returns once *word differs from `value`: after a few microseconds of looking, the thread sleeps.
void park_while(u32* word, u32 value);
// Wakes all that sleep because of *word, which has been changed.
void unpark(u32* word);
// In a forked child: those that slept are gone.
void forget_parked();

}  // namespace kw
