// Memory whose surroundings cannot be touched.
#pragma once
#include "platform.h"

namespace kw {

// The guarded block that `address` lies in or near: its bytes start at *data. False: it is near none.
bool guarded_at(u64 address, u64* data);
// Makes the page of inaccessible surroundings that `address` lies in accessible, so that a thread that was reported can
// go on; false: it lies in no such place, or too many pages were opened.
bool open_surroundings(u64 address);
// Closes what was opened.
void close_surroundings();

}  // namespace kw
