// What checked programs call. They are compiled with -fsanitize=thread, which announces each access to memory, and
// -fsanitize=array-bounds,integer-divide-by-zero,alignment, which announce violations; the runtimes that usually answer
// are not linked, this file is. The first set of names and meanings is that of LLVM's ThreadSanitizer pass, the second
// that of clang's CodeGen (ubsan_handlers.h in compiler-rt).
#include <string.h>

#include "counters.h"
#include "regions.h"
#include "reports.h"
#include "shadow.h"

using namespace kw;

namespace {

KW_INLINE void access(const volatile void* address, u64 bytes, Access kind, u64 pc) {
  if (KW_LIKELY(watching)) shadow_access(this_fiber(), const_cast<const void*>(address), bytes, kind, pc);
}

#define KW_PC reinterpret_cast<u64>(__builtin_return_address(0))

#define KW_HOOKS(bytes)                                                                                       \
  KW_EXPORT void __tsan_read##bytes(void* p) { access(p, bytes, READ, KW_PC); }                               \
  KW_EXPORT void __tsan_write##bytes(void* p) { access(p, bytes, WRITE, KW_PC); }                             \
  KW_EXPORT void __tsan_unaligned_read##bytes(void* p) { access(p, bytes, READ, KW_PC); }                     \
  KW_EXPORT void __tsan_unaligned_write##bytes(void* p) { access(p, bytes, WRITE, KW_PC); }                   \
  KW_EXPORT void __tsan_volatile_read##bytes(void* p) { access(p, bytes, READ, KW_PC); }                      \
  KW_EXPORT void __tsan_volatile_write##bytes(void* p) { access(p, bytes, WRITE, KW_PC); }                    \
  KW_EXPORT void __tsan_unaligned_volatile_read##bytes(void* p) { access(p, bytes, READ, KW_PC); }            \
  KW_EXPORT void __tsan_unaligned_volatile_write##bytes(void* p) { access(p, bytes, WRITE, KW_PC); }          \
  KW_EXPORT void __tsan_read_write##bytes(void* p) {                                                          \
    access(p, bytes, READ, KW_PC);                                                                            \
    access(p, bytes, WRITE, KW_PC);                                                                           \
  }                                                                                                           \
  KW_EXPORT void __tsan_unaligned_read_write##bytes(void* p) {                                                \
    access(p, bytes, READ, KW_PC);                                                                            \
    access(p, bytes, WRITE, KW_PC);                                                                           \
  }

}  // namespace

KW_HOOKS(1)
KW_HOOKS(2)
KW_HOOKS(4)
KW_HOOKS(8)
KW_HOOKS(16)

KW_EXPORT void __tsan_init(void) {}
KW_EXPORT void __tsan_func_entry(void*) {}
KW_EXPORT void __tsan_func_exit(void) {}
KW_EXPORT void __tsan_vptr_update(void**, void*) {}
KW_EXPORT void __tsan_vptr_read(void**) {}
KW_EXPORT void __tsan_read_range(void* p, u64 bytes) { access(p, bytes, READ, KW_PC); }
KW_EXPORT void __tsan_write_range(void* p, u64 bytes) { access(p, bytes, WRITE, KW_PC); }
KW_EXPORT void* __tsan_memcpy(void* to, const void* from, u64 bytes) {
  access(from, bytes, READ, KW_PC);
  access(to, bytes, WRITE, KW_PC);
  return memcpy(to, from, bytes);
}
KW_EXPORT void* __tsan_memmove(void* to, const void* from, u64 bytes) {
  access(from, bytes, READ, KW_PC);
  access(to, bytes, WRITE, KW_PC);
  return memmove(to, from, bytes);
}
KW_EXPORT void* __tsan_memset(void* to, int value, u64 bytes) {
  access(to, bytes, WRITE, KW_PC);
  return memset(to, value, bytes);
}

void kw_atomic_access(const volatile void* address, kw_u32 bytes, kw_u32 kind) {
  if (watching && this_fiber()->group->launch->check & KW_CHECK_COUNTS) count(KW_COUNT_ATOMICS);
  access(address, bytes, Access(ATOMIC_READ + kind), KW_PC);
}

void kw_fence(kw_u32 flags) {
  if (watching) shadow_fence(this_fiber(), flags);
}

// ---- violations that the compiled code finds itself

namespace {

struct SourceLocation {
  const char* file;
  u32 line, column;
};

struct TypeDescriptor {
  unsigned short kind, info;  // kind 0: an integer; info: bit 0 signed, the rest log2 of its bits
  char name[1];               // in quotes; for a typedef: 'name' (aka 'type')
};

bool watching_rules() { return watching && this_fiber()->group->launch->check & KW_CHECK_RULES; }

// Our headers are included by name: a place in them says nothing to the user, the program counter leads to his line.
bool is_header(const char* file) {
  const char* slash = strrchr(file, '/');
  return strncmp(slash ? slash + 1 : file, "kw_", 3) == 0;
}

void set_place(KwReport& report, const SourceLocation& place, u64 pc) {
  if (!place.file || is_header(place.file)) {
    report.program_counter = relative(pc);
    return;
  }
  report.line = place.line;
  set_text(report.file, sizeof report.file, place.file, strlen(place.file));
}

// The variable where the type is that of a threadgroup variable (see KW_THREADGROUP), else the type.
void set_subject(KwReport& report, const TypeDescriptor& type) {
  constexpr char prefix[] = "kw_type_";
  const char* start = type.name + (type.name[0] == '\'');
  if (strncmp(start, prefix, sizeof prefix - 1) == 0) start += sizeof prefix - 1;
  const char* end = strchr(start, '\'');
  set_text(report.subject, sizeof report.subject, start, end ? u64(end - start) : strlen(start));
}

long integer(u64 value, const TypeDescriptor& type) {
  const u32 bits = 1u << (type.info >> 1);
  if (bits > 64) return 0;
  const u32 unused = 64 - bits;
  return type.info & 1 ? long(value << unused) >> unused : long(value << unused >> unused);
}

}  // namespace

struct OutOfBounds {
  SourceLocation place;
  const TypeDescriptor& array;
  const TypeDescriptor& index;
};

// An index outside an array. The access would follow, perhaps to the thread's own stack: the thread ends.
KW_EXPORT void __ubsan_handle_out_of_bounds(const OutOfBounds* what, u64 index) {
  if (!watching_rules()) return;
  Fiber* fiber = this_fiber();
  KwReport report = report_about(KW_OUT_OF_BOUNDS, *fiber->group, fiber->thread);
  report.offset = integer(index, what->index);
  set_place(report, what->place, KW_PC);
  set_subject(report, what->array);
  keep(report);
  end_thread(fiber);
}

struct DivisionOverflow {
  SourceLocation place;
  const TypeDescriptor& type;
};

// An integer division by zero. The result is undefined in Metal; here it is 0 (see faults.cpp).
KW_EXPORT void __ubsan_handle_divrem_overflow(const DivisionOverflow* what, u64, u64) {
  if (!watching_rules()) return;
  const Fiber* fiber = this_fiber();
  KwReport report = report_about(KW_DIVISION, *fiber->group, fiber->thread);
  set_place(report, what->place, KW_PC);
  keep(report);
}

struct TypeMismatch {
  SourceLocation place;
  const TypeDescriptor& type;
  unsigned char log2_alignment, kind;  // kind: 0 load, 1 store, others: of a member, a reference, ...
};

// A pointer that its type does not allow. The access that follows may be an instruction that faults: the thread ends.
KW_EXPORT void __ubsan_handle_type_mismatch_v1(const TypeMismatch* what, u64 pointer) {
  Fiber* fiber = this_fiber();
  const bool own_stack = (pointer & ~u64(KW_STACK_BYTES - 1)) == (reinterpret_cast<u64>(fiber) & ~u64(KW_STACK_BYTES - 1));
  if (!watching_rules() || own_stack) return;
  KwReport report = report_about(KW_MISALIGNED, *fiber->group, fiber->thread);
  report.write = what->kind == 1;
  report.bytes = 1u << what->log2_alignment;
  if (const Region* region = buffer_at(pointer)) {
    report.buffer = region->buffer;
    report.offset = long(pointer - region->low);
  } else if (const Variable* variable = arena_find(group_of(fiber)->arena, reinterpret_cast<void*>(pointer), 1, true)) {
    report.offset = long(pointer - reinterpret_cast<u64>(variable->data));
    set_text(report.subject, sizeof report.subject, variable->name, strlen(variable->name));
  }
  set_place(report, what->place, KW_PC);
  keep(report);
  end_thread(fiber);
}
