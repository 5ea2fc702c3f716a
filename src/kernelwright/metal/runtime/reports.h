// What the checks saw, kept for Python. Checked launches run on one worker: nothing here is locked.
#pragma once
#include "group.h"
#include "platform.h"

namespace kw {

// Where in memory something happened, in the user's terms.
struct Spot {
  int buffer;           // -1: none
  long offset;          // bytes
  const char* subject;  // threadgroup variable, or null
};

// Keeps a report, unless there is one of the same kind about the same places in the program.
void keep(const KwReport& report);
// A report about a thread, to be filled in.
KwReport report_about(KwReportKind kind, const KwGroup& group, u32 thread);
void set_text(char* to, u64 room, const char* from, u64 length);

void report_divergence(const Group& group, const char* file, const char* operation, u32 line, u32 other_line, u32 thread,
                       u32 other_thread);
void report_shuffle(const Fiber* fiber, u32 lane, u32 line, const char* file, const char* operation);
// `pc`: a return address in the program, after the access.
void report_access(KwReportKind kind, const Fiber* fiber, const Spot& spot, u32 bytes, bool write, u64 pc);
// The address just behind an instruction, as an offset into the program that lies inside the instruction.
u64 relative(u64 pc);
bool in_program(u64 address);

}  // namespace kw
