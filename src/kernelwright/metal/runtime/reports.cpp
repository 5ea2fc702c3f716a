#include "reports.h"

#include <string.h>

namespace kw {
namespace {

constexpr u32 most_reports = 256;
constexpr u32 most_places = 4 * most_reports;

KwReport reports[most_reports];
u32 report_count;

struct Place {
  u64 key;  // of a report that is kept; 0: of none
  u32 report;
};
Place places[most_places];  // each where its key asks for, or behind

u64 program_low, program_high;

u64 mixed(u64 key, u64 value) {
  key = (key ^ value) * 0x9e3779b97f4a7c15ull;
  return key ^ key >> 32;
}

u64 key_of(const KwReport& report) {
  u64 key = mixed(1, u64(report.kind));
  key = mixed(key, report.program_counter);
  key = mixed(key, report.other_program_counter);
  key = mixed(key, u64(report.line) << 32 | report.other_line);
  for (const char* text = report.file; *text; text++) key = mixed(key, u64(*text));
  for (const char* text = report.subject; *text; text++) key = mixed(key, u64(*text));
  return key ? key : 1;
}

// The place where the report with this key is or would be noted.
u32 place_of(u64 key) {
  u32 place = u32(key % most_places);
  while (places[place].key && places[place].key != key) place = (place + 1) % most_places;
  return place;
}

// Of what happens to many threads of a threadgroup, the first of them is named.
bool names_better(const KwReport& report, const KwReport& kept) {
  return report.thread < kept.thread &&
         memcmp(report.threadgroup, kept.threadgroup, sizeof kept.threadgroup) == 0;
}

}  // namespace

void keep(const KwReport& report) {
  const u64 key = key_of(report);
  Place& place = places[place_of(key)];
  if (place.key) {
    if (names_better(report, reports[place.report])) reports[place.report] = report;
  } else if (report_count < most_reports) {
    place = {key, report_count};
    reports[report_count++] = report;
  }
}

void set_text(char* to, u64 room, const char* from, u64 length) {
  if (length >= room) length = room - 1;
  memcpy(to, from, length);
  to[length] = 0;
}

KwReport report_about(KwReportKind kind, const KwGroup& group, u32 thread) {
  KwReport report;
  memset(&report, 0, sizeof report);
  report.kind = kind;
  report.buffer = -1;
  report.thread = thread;
  memcpy(report.threadgroup, group.position, sizeof report.threadgroup);
  return report;
}

void report_divergence(const Group& group, const char* file, const char* operation, u32 line, u32 other_line, u32 thread,
                       u32 other_thread) {
  KwReport report = report_about(KW_DIVERGENCE, group, thread);
  report.thread = thread;
  report.other_thread = other_thread;
  report.line = line;
  report.other_line = other_line;
  set_text(report.file, sizeof report.file, file, strlen(file));
  set_text(report.subject, sizeof report.subject, operation, strlen(operation));
  keep(report);
}

void report_shuffle(const Fiber* fiber, u32 lane, u32 line, const char* file, const char* operation) {
  KwReport report = report_about(KW_SHUFFLE, *fiber->group, fiber->thread);
  report.offset = long(int(lane));
  report.line = line;
  set_text(report.file, sizeof report.file, file, strlen(file));
  set_text(report.subject, sizeof report.subject, operation, strlen(operation));
  keep(report);
}

void report_access(KwReportKind kind, const Fiber* fiber, const Spot& spot, u32 bytes, bool write, u64 pc) {
  KwReport report = report_about(kind, *fiber->group, fiber->thread);
  report.write = write;
  report.bytes = bytes;
  report.buffer = spot.buffer;
  report.offset = spot.offset;
  report.program_counter = relative(pc);
  if (spot.subject) set_text(report.subject, sizeof report.subject, spot.subject, strlen(spot.subject));
  keep(report);
}

u64 relative(u64 pc) { return pc - program_low - 1; }
bool in_program(u64 address) { return address >= program_low && address < program_high; }

}  // namespace kw

using namespace kw;

KW_EXPORT int kw_report_count(void) { return int(report_count); }

KW_EXPORT const KwReport* kw_report(int index) {
  return index >= 0 && u32(index) < report_count ? &reports[index] : nullptr;
}

KW_EXPORT void kw_reports_clear(void) {
  report_count = 0;
  memset(places, 0, sizeof places);
}

// Says where the checked program was loaded: program counters count from `low`, and its own constants are no buffer.
KW_EXPORT void kw_module(kw_u64 low, kw_u64 high) {
  program_low = low;
  program_high = high;
}
