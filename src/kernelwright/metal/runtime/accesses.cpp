#include "accesses.h"

#include <string.h>
#include <sys/mman.h>

#include "patterns.h"
#include "reports.h"

namespace kw {
namespace {

constexpr u32 most_places = 4096;
constexpr u32 most_patterns = 8192;  // in one threadgroup
constexpr u64 widest_access = 16;    // bytes: of a vector of four floats
constexpr u32 remembered = 4;        // accesses of each thread that a neighbouring one may belong to

// A place of the program that accesses a buffer or variable.
struct Place {
  u64 pc;  // 0: free
  Subject subject;
  u32 site;
  bool write;
  u64 accesses, bytes;           // in this threadgroup
  Pattern* pattern[max_simd_groups];
  KwAccess sum;                  // of the threadgroups that have ended
};

// What a thread accessed lately.
struct Recent {
  Place* place;  // null: nothing
  Pattern* pattern;
  u64 end, start, pc;
  u32 turn;
  u32 bytes;
};

Place places[most_places];
u32 used[most_places];  // places in use, in the order of their first access
u32 used_count;
Pattern* patterns;
u32 pattern_count;
Recent recent[KW_MAX_THREADS][remembered];
unsigned char next_recent[KW_MAX_THREADS];

// Where the program's source changes from one expression to the next; see kw_sites.
const u64* site_address;
const u32* site_number;
u64 site_count;

// The expression that the code before `pc` belongs to; 0: unknown.
u32 site_of(u64 pc) {
  const u64 address = relative(pc);
  u64 low = 0, high = site_count;  // the last one at or before the address lies in [low, high)
  if (!high || site_address[0] > address) return 0;
  while (high - low > 1) {
    const u64 middle = (low + high) / 2;
    (site_address[middle] <= address ? low : high) = middle;
  }
  return site_number[low];
}

bool is_of(const Place& place, u64 pc, const Subject& subject, bool write) {
  return place.pc == pc && place.write == write && place.subject.buffer == subject.buffer &&
         place.subject.name == subject.name;
}

// Null: there are too many of them.
Place* place_of(u64 pc, const Subject& subject, bool write) {
  u64 key = (pc * 2 + write + u64(subject.buffer) * 8191) * 0x9e3779b97f4a7c15ull;
  key ^= key >> 32;
  for (u32 tries = 0; tries < 64; tries++) {
    const u32 number = u32(key + tries) % most_places;
    Place& place = places[number];
    if (is_of(place, pc, subject, write)) return &place;
    if (place.pc) continue;
    memset(&place, 0, sizeof place);
    place.pc = pc;
    place.subject = subject;
    place.site = site_of(pc);
    place.write = write;
    place.sum.program_counter = relative(pc);
    place.sum.buffer = subject.buffer;
    place.sum.write = write;
    if (subject.name) set_text(place.sum.subject, sizeof place.sum.subject, subject.name, strlen(subject.name));
    used[used_count++] = number;
    return &place;
  }
  return nullptr;
}

// Null: the threadgroup has too many of them.
Pattern* pattern_of(Place& place, u32 simd) {
  Pattern*& pattern = place.pattern[simd];
  if (!pattern && pattern_count < most_patterns) {
    pattern = &patterns[pattern_count++];
    pattern_clear(*pattern);
  }
  return pattern;
}

// The component before this one of the same vector. The compiler writes components as accesses of their own, one after
// the other in the program, for one expression of the source; a loop would come back to the same place.
Recent* first_part(const Fiber* fiber, const Place& place, u64 offset, u64 bytes) {
  for (Recent& one : recent[fiber->thread])
    if (one.place && one.end == offset && one.pc < place.pc && one.place->site == place.site && place.site &&
        one.place->write == place.write && one.place->subject.buffer == place.subject.buffer &&
        one.place->subject.name == place.subject.name && one.bytes + bytes <= widest_access)
      return &one;
  return nullptr;
}

void add(Place& place, const Group& group) {
  const Spread of = {place.subject.buffer < 0};
  Matched sum = {0, 0, 0};
  for (u32 simd = 0; simd < group.simd_count; simd++) {
    if (!place.pattern[simd]) continue;
    const Matched matched = pattern_matched(*place.pattern[simd], of);
    sum.accesses += matched.accesses;
    sum.transactions += matched.transactions;
    sum.ideal += matched.ideal;
    place.pattern[simd] = nullptr;
  }
  place.sum.accesses += place.accesses;
  place.sum.bytes += place.bytes;
  place.sum.transactions += scaled(sum.transactions, place.accesses, sum.accesses);
  place.sum.ideal_transactions += scaled(sum.ideal, place.accesses, sum.accesses);
}

}  // namespace

bool accesses_begin() {
  for (u32 i = 0; i < used_count; i++) places[used[i]].pc = 0;
  used_count = 0;
  if (patterns) return true;
  void* memory = mmap(nullptr, most_patterns * sizeof(Pattern), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  patterns = static_cast<Pattern*>(memory);
  return true;
}

void accesses_begin_group(const Group& group) {
  pattern_count = 0;
  memset(recent, 0, sizeof *recent * group.threads);
  for (u32 i = 0; i < used_count; i++) {
    Place& place = places[used[i]];
    place.accesses = place.bytes = 0;
    memset(place.pattern, 0, sizeof place.pattern);
  }
}

void accesses_end_group(const Group& group) {
  for (u32 i = 0; i < used_count; i++)
    if (places[used[i]].accesses) add(places[used[i]], group);
}

bool accesses_note(const Fiber* fiber, const Subject& subject, u64 offset, u64 bytes, bool write, u64 pc) {
  Place* place = place_of(pc, subject, write);
  if (!place) return false;
  const u32 thread = fiber->thread;
  if (Recent* part = first_part(fiber, *place, offset, bytes)) {
    part->place->bytes += bytes;
    part->bytes += u32(bytes);
    part->end += bytes;
    part->pc = pc;
    if (part->pattern) pattern_widen(*part->pattern, thread % simd_width, part->turn, part->bytes);
    return false;
  }
  place->accesses++;
  place->bytes += bytes;
  Pattern* pattern = pattern_of(*place, thread / simd_width);
  const u32 turn = pattern ? pattern_add(*pattern, thread % simd_width, offset, bytes) : 0;
  unsigned char& next = next_recent[thread];
  const Recent& last = recent[thread][(next + remembered - 1) % remembered];
  const bool again = !write && last.place == place && last.start == offset && last.pc == pc;
  recent[thread][next] = {place, pattern, offset + bytes, offset, pc, turn, u32(bytes)};
  next = static_cast<unsigned char>((next + 1) % remembered);
  return again;
}

}  // namespace kw

using namespace kw;

// Says to which expression of the source code belongs: code from addresses[i] to the next one to that with the number
// numbers[i], 0 for none. Addresses ascend and count from where the program was loaded (see kw_module). Both arrays are
// read until the next launch has ended.
KW_EXPORT void kw_sites(const kw_u64* addresses, const kw_u32* numbers, kw_u64 count) {
  site_address = addresses;
  site_number = numbers;
  site_count = count;
}

// The accesses of the last launch with KW_CHECK_COUNTS, one for each place of the program.
KW_EXPORT int kw_access_count(void) { return int(used_count); }
KW_EXPORT const KwAccess* kw_access(int index) {
  return index >= 0 && u32(index) < used_count ? &places[used[index]].sum : nullptr;
}
