#include "faults.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>

#include "memory.h"
#include "reports.h"
#include "shadow.h"
#include "worker.h"

namespace kw {
namespace {

constexpr int faults[] = {SIGSEGV, SIGBUS, SIGFPE};
constexpr u32 fault_count = sizeof faults / sizeof *faults;
struct sigaction before[fault_count];

// The registers of the interrupted code that matter.
struct Registers {
  ucontext_t* context;
#if defined(__x86_64__) && defined(__linux__)
  u64 get(int which) const { return u64(context->uc_mcontext.gregs[which]); }
  void set(int which, u64 value) { context->uc_mcontext.gregs[which] = greg_t(value); }
  u64 pc() const { return get(REG_RIP); }
  u64 stack() const { return get(REG_RSP); }
  void go(u64 pc, u64 stack) {
    set(REG_RIP, pc);
    set(REG_RSP, stack);
  }
#elif defined(__aarch64__) && defined(__linux__)
  u64 pc() const { return context->uc_mcontext.pc; }
  u64 stack() const { return context->uc_mcontext.sp; }
  void go(u64 pc, u64 stack) {
    context->uc_mcontext.pc = pc;
    context->uc_mcontext.sp = stack;
  }
#elif defined(__x86_64__) && defined(__APPLE__)
  u64 pc() const { return context->uc_mcontext->__ss.__rip; }
  u64 stack() const { return context->uc_mcontext->__ss.__rsp; }
  void go(u64 pc, u64 stack) {
    context->uc_mcontext->__ss.__rip = pc;
    context->uc_mcontext->__ss.__rsp = stack;
  }
#elif defined(__aarch64__) && defined(__APPLE__)
  u64 pc() const { return context->uc_mcontext->__ss.__pc; }
  u64 stack() const { return context->uc_mcontext->__ss.__sp; }
  void go(u64 pc, u64 stack) {
    context->uc_mcontext->__ss.__pc = pc;
    context->uc_mcontext->__ss.__sp = stack;
  }
#endif
};

#if defined(__x86_64__) && defined(__linux__)
// Steps over an integer division that faulted, as if the processor were a GPU or an ARM: by zero gives 0, the remainder
// is the dividend; the smallest integer by -1 gives itself. False: the instruction is none of those known.
bool step_over_division(Registers& registers) {
  const byte* code = reinterpret_cast<const byte*>(registers.pc());
  const byte* at = code;
  bool half = false, wide = false;
  u32 extension = 0;
  for (; *at == 0x66; at++) half = true;
  if ((*at & 0xf0) == 0x40) {  // REX
    wide = *at & 8;
    extension = *at & 1;
    at++;
  }
  if (*at != 0xf7) return false;  // divisions of bytes are made in 32 bits
  const byte modrm = at[1];
  const u32 mode = modrm >> 6, operation = modrm >> 3 & 7, operand = modrm & 7;
  if (operation != 6 && operation != 7) return false;
  const bool scaled = mode != 3 && operand == 4;
  u64 length = 2 + scaled;
  if (mode == 1) length += 1;
  else if (mode == 2 || (mode == 0 && (operand == 5 || (scaled && (at[2] & 7) == 5)))) length += 4;

  const u32 bits = wide ? 64 : half ? 16 : 32;
  const u64 mask = bits == 64 ? ~0ull : (1ull << bits) - 1;
  const u64 dividend = registers.get(REG_RAX) & mask;
  bool overflow = operation == 7 && dividend == 1ull << (bits - 1);
  if (overflow && mode == 3) {  // by -1, or by zero?
    constexpr int numbers[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                               REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    overflow = (registers.get(numbers[operand + 8 * extension]) & mask) != 0;
  }
  const u64 kept = bits == 16 ? ~mask : 0;  // writing 32 bits clears the upper half
  registers.set(REG_RAX, (registers.get(REG_RAX) & kept) | (overflow ? dividend : 0));
  registers.set(REG_RDX, (registers.get(REG_RDX) & kept) | (overflow ? 0 : dividend));
  registers.set(REG_RIP, u64(at) + length);
  return true;
}
#else
bool step_over_division(Registers&) { return false; }
#endif

void pass_on(int signal, siginfo_t* info, void* context) {
  u32 which = 0;
  while (faults[which] != signal) which++;
  const struct sigaction& old = before[which];
  if (old.sa_flags & SA_SIGINFO) old.sa_sigaction(signal, info, context);
  else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN) old.sa_handler(signal);
  else sigaction(signal, &old, nullptr);  // happens again, and ends the process
}

void on_fault(int signal, siginfo_t* info, void* context) {
  Registers registers = {static_cast<ucontext_t*>(context)};
  Fiber* fiber = fiber_of_stack(registers.stack());
  if (!fiber) {
    pass_on(signal, info, context);
    return;
  }
  if (signal == SIGFPE && step_over_division(registers)) return;
  const u64 address = reinterpret_cast<u64>(info->si_addr);
  if (watching && signal != SIGFPE && open_surroundings(address)) return;  // was reported before it happened
  if (watching && fiber_of_stack(address) == fiber)
    report_access(KW_OUT_OF_BOUNDS, fiber, {-1, 0, "the thread's stack"}, 0, true, registers.pc() + 1);
  fiber->worker->outcome = FAR_ACCESS;
  registers.go(reinterpret_cast<u64>(&kw_resume), reinterpret_cast<u64>(fiber->worker->home));
}

}  // namespace

void catch_faults() {
  struct sigaction ours;
  memset(&ours, 0, sizeof ours);
  ours.sa_sigaction = on_fault;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&ours.sa_mask);
  for (u32 i = 0; i < fault_count; i++) sigaction(faults[i], &ours, &before[i]);
}

void catch_no_faults() {
  for (u32 i = 0; i < fault_count; i++) sigaction(faults[i], &before[i], nullptr);
}

bool use_signal_stack(SignalStack* saved) {
  static_assert(sizeof(stack_t) <= sizeof saved->saved, "room for a stack_t");
  constexpr u64 bytes = 64ul << 10;
  static __thread void* memory;  // one for each thread that launches or works, kept
  if (!memory) {
    void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return false;
    memory = mapped;
  }
  stack_t ours;
  memset(&ours, 0, sizeof ours);
  ours.ss_sp = memory;
  ours.ss_size = bytes;
  return sigaltstack(&ours, reinterpret_cast<stack_t*>(saved->saved)) == 0;
}

void restore_signal_stack(const SignalStack* saved) { sigaltstack(reinterpret_cast<const stack_t*>(saved->saved), nullptr); }

}  // namespace kw
