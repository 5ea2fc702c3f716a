// Which bytes of each buffer a launch touches, for launches that count.
#pragma once
#include "platform.h"

namespace kw {

// Begins and ends a launch that counts. At the end the bytes that were touched are counted. False: not enough memory.
bool footprints_begin(const KwLaunch* launch);
void footprints_end();

// [offset, offset + bytes) of the buffer is read or written; it lies inside.
void footprints_note(u32 buffer, u64 offset, u64 bytes, bool write);

}  // namespace kw
