#include "parking.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <pthread.h>
#endif

namespace kw {
namespace {

constexpr u32 looks_before_sleep = 2000;  // some 20 µs: what it takes to be woken

bool changed(u32* word, u32 value) { return __atomic_load_n(word, __ATOMIC_ACQUIRE) != value; }

#if defined(__linux__)
void sleep_while(u32* word, u32 value) { syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0); }
void wake_all(u32* word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 0x7fffffff, nullptr, nullptr, 0); }
void forget() {}
#else
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
void sleep_while(u32* word, u32 value) {
  pthread_mutex_lock(&lock);
  while (!changed(word, value)) pthread_cond_wait(&woken, &lock);
  pthread_mutex_unlock(&lock);
}
void wake_all(u32*) {
  pthread_mutex_lock(&lock);
  pthread_cond_broadcast(&woken);
  pthread_mutex_unlock(&lock);
}
void forget() {
  lock = PTHREAD_MUTEX_INITIALIZER;
  woken = PTHREAD_COND_INITIALIZER;
}
#endif

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void park_while(u32* word, u32 value) {
  for (u32 looks = 0; looks < looks_before_sleep; looks++) {
    if (changed(word, value)) return;
    pause_briefly();
  }
  while (!changed(word, value)) sleep_while(word, value);
}

void unpark(u32* word) { wake_all(word); }
void forget_parked() { forget(); }

}  // namespace kw
