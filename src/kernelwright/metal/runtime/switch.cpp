// The second half of a switch as a piece of code of its own; see switch.h.
#include "switch.h"

#if defined(__APPLE__)
#define KW_HEAD ".text\n.globl " KW_RESUME "\n.private_extern " KW_RESUME "\n.p2align 4\n" KW_RESUME ":\n"
#else
#define KW_HEAD ".text\n.globl " KW_RESUME "\n.hidden " KW_RESUME "\n.p2align 4\n" KW_RESUME ":\n"
#endif

#if defined(__x86_64__)
asm(KW_HEAD
    "  popq %rax\n"   // where the stack goes on
    "  popq %rbp\n"   // its frame pointer
    "  jmpq *%rax\n");
#elif defined(__aarch64__)
asm(KW_HEAD
    "  ldr x9, [sp]\n"
    "  ldp x29, x30, [sp, #16]\n"
    "  br x9\n");
#endif
