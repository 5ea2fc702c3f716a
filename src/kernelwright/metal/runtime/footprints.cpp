#include "footprints.h"

#include <sys/mman.h>

#include "counters.h"

namespace kw {
namespace {

// One bit for each byte. Null: not a buffer of the launch.
struct Footprint {
  u64* bits[2];  // of bytes read, and written
  u64 words;
};
Footprint footprints[KW_BUFFERS];

u64* map_words(u64 words) {
  void* memory =
      mmap(nullptr, words * sizeof(u64), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<u64*>(memory);
}

u64 bits_from(u64 first, u64 count) { return (count < 64 ? (1ull << count) - 1 : ~0ull) << first; }

u64 set_bits(const u64* words, u64 count) {
  u64 sum = 0;
  for (u64 i = 0; i < count; i++) sum += u64(__builtin_popcountll(words[i]));
  return sum;
}

void unmap() {
  for (Footprint& footprint : footprints) {
    for (u64*& bits : footprint.bits) {
      if (bits) munmap(bits, footprint.words * sizeof(u64));
      bits = nullptr;
    }
  }
}

}  // namespace

bool footprints_begin(const KwLaunch* launch) {
  for (u32 i = 0; i < KW_BUFFERS; i++) {
    Footprint& footprint = footprints[i];
    footprint.words = (launch->buffer_bytes[i] + 63) / 64;
    for (u64*& bits : footprint.bits) {
      if (!footprint.words) continue;
      bits = map_words(footprint.words);
      if (!bits) {
        unmap();
        return false;
      }
    }
  }
  return true;
}

void footprints_end() {
  for (u32 i = 0; i < KW_BUFFERS; i++) {
    if (!footprints[i].bits[0]) continue;
    count(KW_COUNT_BUFFER_BYTES_READ + i, set_bits(footprints[i].bits[0], footprints[i].words));
    count(KW_COUNT_BUFFER_BYTES_WRITTEN + i, set_bits(footprints[i].bits[1], footprints[i].words));
  }
  unmap();
}

void footprints_note(u32 buffer, u64 offset, u64 bytes, bool write) {
  u64* words = footprints[buffer].bits[write];
  if (!words) return;
  for (u64 end = offset + bytes; offset < end;) {
    const u64 first = offset % 64, here = end - offset < 64 - first ? end - offset : 64 - first;
    words[offset / 64] |= bits_from(first, here);
    offset += here;
  }
}

}  // namespace kw
