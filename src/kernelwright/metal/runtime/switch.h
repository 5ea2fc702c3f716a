// Going from one stack to another.
//
// A stack that waits keeps on its top: where it goes on, and the caller's frame pointer. All other registers are listed
// as overwritten, so that the compiler saves those, and only those, that it still needs. The code stands where it is
// used: as a function of its own it would leave the processor's prediction of returns one call out of step, and each
// return after a switch would be mispredicted.
#pragma once
#include "platform.h"

// Goes on with the stack that the stack pointer stands on: the second half of switch_stack, for those who come from
// elsewhere, as a signal handler does by setting the program counter to it.
extern "C" void kw_resume();
#if defined(__APPLE__)
#define KW_RESUME "_kw_resume"
#else
#define KW_RESUME "kw_resume"
#endif

// A register as others are on Linux; on Apple's systems programs leave it alone.
#if defined(__APPLE__)
#define KW_PLATFORM_REGISTER
#else
#define KW_PLATFORM_REGISTER "x18",
#endif

namespace kw {

// Leaves the stack that runs now, noting in *from where it goes on, and goes on with `to`, noted so before.
KW_INLINE void switch_stack(void** from, void* to) {
#if defined(__x86_64__)
  asm volatile(
      "leaq -128(%%rsp), %%rsp\n\t"  // the 128 bytes below the stack pointer may be in use
      "pushq %%rbp\n\t"
      "leaq 1f(%%rip), %%rax\n\t"
      "pushq %%rax\n\t"
      "movq %%rsp, (%%rdi)\n\t"
      "movq %%rsi, %%rsp\n\t"
      "popq %%rax\n\t"
      "popq %%rbp\n\t"
      "jmpq *%%rax\n"
      "1:\n\t"
      "leaq 128(%%rsp), %%rsp"
      : "+D"(from), "+S"(to)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2",
        "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
        "memory", "cc");
#elif defined(__aarch64__)
  register void** x0 asm("x0") = from;
  register void* x1 asm("x1") = to;
  asm volatile(
      "sub sp, sp, #160\n\t"  // Apple's systems allow 128 bytes below the stack pointer to be in use
      "stp x29, x30, [sp, #16]\n\t"
      "adr x9, 1f\n\t"
      "str x9, [sp]\n\t"
      "mov x10, sp\n\t"
      "str x10, [x0]\n\t"
      "mov sp, x1\n\t"
      "ldr x9, [sp]\n\t"
      "ldp x29, x30, [sp, #16]\n\t"
      "br x9\n"
      "1:\n\t"
      "add sp, sp, #160"
      : "+r"(x0), "+r"(x1)
      :
      : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x19",
        "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",
        "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23",
        "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", KW_PLATFORM_REGISTER "memory", "cc");
#else
#error "no stack switch for this processor"
#endif
}

// Leaves the stack that runs now for good.
[[noreturn]] KW_INLINE void leave_stack(void* to) {
#if defined(__x86_64__)
  asm volatile("movq %0, %%rsp\n\tjmp " KW_RESUME : : "r"(to) : "memory");
#elif defined(__aarch64__)
  asm volatile("mov sp, %0\n\tb " KW_RESUME : : "r"(to) : "memory");
#endif
  __builtin_unreachable();
}

// What a stack whose highest usable address is `top` (a multiple of 64) has to note to start with `entry`.
inline void* fresh_stack(void* top, void (*entry)()) {
  void** words = static_cast<void**>(top);
#if defined(__x86_64__)
  // entry finds the stack as if called from nowhere: address 0 to return to
  words[-1] = nullptr;
  words[-2] = nullptr;  // frame pointer
  words[-3] = reinterpret_cast<void*>(entry);
  return words - 3;
#else
  words[-8] = reinterpret_cast<void*>(entry);
  words[-6] = nullptr;  // frame pointer
  words[-5] = nullptr;  // address to return to
  return words - 8;
#endif
}

}  // namespace kw
