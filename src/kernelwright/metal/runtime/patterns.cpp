#include "patterns.h"

#include <string.h>

#include "accesses.h"

namespace kw {
namespace {

// The units (words of banks, or segments) that an instruction touches, each once. Of an instruction that touches more
// than there is room for, the rest is only counted.
struct Units {
  u64 number[1024];
  u32 count;
  u64 more;

  void add(u64 unit) {
    for (u32 i = count; i-- > 0;)
      if (number[i] == unit) return;
    if (count < sizeof number / sizeof *number) number[count++] = unit;
    else more++;
  }
  u64 size() const { return count + more; }
};

void collect(const Instruction& instruction, u64 unit_bytes, Units& units) {
  units.count = 0;
  units.more = 0;
  for (u32 rest = instruction.lanes; rest; rest &= rest - 1) {
    const u32 lane = u32(__builtin_ctz(rest));
    const u64 start = instruction.start[lane], end = start + instruction.bytes[lane];
    for (u64 unit = start / unit_bytes; unit * unit_bytes < end; unit++) units.add(unit);
  }
}

// Bytes that at least one lane accesses.
u64 distinct_bytes(const Instruction& instruction) {
  u32 order[simd_width];
  u32 count = 0;
  for (u32 rest = instruction.lanes; rest; rest &= rest - 1) {
    const u32 lane = u32(__builtin_ctz(rest));
    u32 place = count++;
    for (; place && instruction.start[order[place - 1]] > instruction.start[lane]; place--) order[place] = order[place - 1];
    order[place] = lane;
  }
  u64 sum = 0, covered = 0;  // bytes below `covered` have been counted
  for (u32 i = 0; i < count; i++) {
    const u64 start = instruction.start[order[i]], end = start + instruction.bytes[order[i]];
    if (end > covered) sum += end - (start > covered ? start : covered);
    if (end > covered) covered = end;
  }
  return sum;
}

u64 in_units(u64 value, u64 unit) { return (value + unit - 1) / unit; }

// Words of the same bank are served one after the other.
u64 bank_cycles(const Units& words) {
  u64 of_bank[bank_count] = {}, most = 0;
  for (u32 i = 0; i < words.count; i++) {
    u64& cycles = of_bank[words.number[i] % bank_count];
    if (++cycles > most) most = cycles;
  }
  return most + in_units(words.more, bank_count);
}

void thin_out(Pattern& pattern) {
  for (u32 i = 1; i < kept_instructions; i++) {
    if (i % 2 == 0) pattern.kept[i / 2] = pattern.kept[i];
  }
  for (u32 i = kept_instructions / 2; i < kept_instructions; i++) pattern.kept[i].lanes = 0;
  pattern.step *= 2;
}

}  // namespace

u64 scaled(u64 value, u64 wanted, u64 have) {
  if (!have) return 0;
  return value / have * wanted + (value % have * wanted + have / 2) / have;
}

void pattern_clear(Pattern& pattern) {
  pattern.step = 1;
  memset(pattern.count, 0, sizeof pattern.count);
  for (Instruction& instruction : pattern.kept) instruction.lanes = 0;
}

u32 pattern_add(Pattern& pattern, u32 lane, u64 start, u64 bytes) {
  const u32 n = pattern.count[lane]++;
  if (n % pattern.step) return n;
  while (n / pattern.step >= kept_instructions) thin_out(pattern);
  if (n % pattern.step) return n;
  Instruction& instruction = pattern.kept[n / pattern.step];
  instruction.lanes |= 1u << lane;
  instruction.start[lane] = start;
  instruction.bytes[lane] = u32(bytes);
  return n;
}

void pattern_widen(Pattern& pattern, u32 lane, u32 n, u32 bytes) {
  if (n % pattern.step == 0 && n / pattern.step < kept_instructions) pattern.kept[n / pattern.step].bytes[lane] = bytes;
}

Matched pattern_matched(const Pattern& pattern, Spread of) {
  Matched sum = {0, 0, 0};
  u64 kept = 0;
  for (u32 count : pattern.count) sum.accesses += count;
  for (const Instruction& instruction : pattern.kept) {
    if (!instruction.lanes) continue;
    Units units;
    collect(instruction, of.banks ? bank_bytes : segment_bytes, units);
    kept += u64(__builtin_popcount(instruction.lanes));
    sum.transactions += of.banks ? bank_cycles(units) : units.size();
    sum.ideal += of.banks ? in_units(units.size(), bank_count) : in_units(distinct_bytes(instruction), segment_bytes);
  }
  sum.transactions = scaled(sum.transactions, sum.accesses, kept);
  sum.ideal = scaled(sum.ideal, sum.accesses, kept);
  return sum;
}

}  // namespace kw
