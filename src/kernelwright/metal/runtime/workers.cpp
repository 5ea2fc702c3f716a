// Launches: threadgroups shared out to one operating-system thread for each core.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "faults.h"
#include "parking.h"
#include "shadow.h"
#include "worker.h"

#if defined(__GLIBC__)
// What pthread_atfork is made of. That itself lies in an archive that a compiler driver would link.
extern "C" int __register_atfork(void (*before)(), void (*parent)(), void (*child)(), void* library);
#endif

namespace kw {
namespace {

constexpr u32 most_workers = 256;

struct Job {
  const KwKernel* kernel;
  const KwLaunch* launch;
  u64 groups;   // threadgroups to be run
  const u64* chosen;  // which ones; null: all
  u64 chunk;    // that a worker takes at a time
  u64 next;     // first threadgroup that nobody has taken
  u32 workers;  // that take part
  u32 outcome;
};

Worker* workers[most_workers];  // number 0 works on the thread that calls kw_launch
Job job;
u32 threads;        // workers with a thread of their own: numbers 1 to `threads`
u32 job_number;     // changes when there is a job
u32 busy;           // threads that have not finished it
u64 threadgroup_bytes;
const u64* chosen;  // threadgroups that the next launches are to run; null: all
u64 chosen_count;
pthread_mutex_t launching = PTHREAD_MUTEX_INITIALIZER;

// Threads in lockstep take their turns in ascending order, and tell nobody what they do.
bool in_lockstep(const Job& job) {
  return job.kernel->run_lockstep && !job.launch->check && job.launch->order == KW_ORDER_ASCENDING;
}

// The fiber on which a worker runs threadgroups whose threads never leave it, up to one that needs fibers of its own.
void run_chunk() {
  Worker& worker = *this_fiber()->worker;
  for (; worker.first_group < worker.last_group; worker.first_group++) {
    if (worker.kernel->run_row) run_rows(worker, worker.first_group);
    else if (!run_in_lockstep(worker, worker.first_group)) break;
  }
  leave_stack(worker.home);
}

// Returns the threadgroup that needs fibers, `last` where there is none.
u64 run_on_fiber(Worker& worker, u64 first, u64 last) {
  Fiber* fiber = fiber_at(worker, 0);
  worker.first_group = first;
  worker.last_group = last;
  fiber->thread = 0;
  fiber->simd = nullptr;
  fiber->spins = 0;
  switch_stack(&worker.home, fresh_stack(fiber, run_chunk));
  return worker.first_group;
}

void begin(Worker& worker) {
  worker.kernel = job.kernel;
  worker.launch = job.launch;
  worker.outcome = DONE;
  worker.order_threads = 0;
  worker.dynamic_memory = false;
  for (u32 bytes : job.launch->threadgroup_bytes) worker.dynamic_memory |= bytes != 0;
  // one variable's overrun must not hit the next one
  worker.group.arena.gap = job.launch->check ? 64ul << 10 : 0;
  worker.group.arena.most_bytes = 0;
}

void work(Worker& worker) {
  begin(worker);
  while (!__atomic_load_n(&job.outcome, __ATOMIC_RELAXED)) {
    const u64 first = __atomic_fetch_add(&job.next, job.chunk, __ATOMIC_RELAXED);
    if (first >= job.groups) break;
    const u64 last = first + job.chunk < job.groups ? first + job.chunk : job.groups;
    if (job.kernel->run_row || in_lockstep(job)) {
      for (u64 i = first; (i = run_on_fiber(worker, i, last)) < last && !worker.outcome; i++) run_group(worker, i);
    } else {
      for (u64 i = first; i < last && !worker.outcome; i++) run_group(worker, job.chosen ? job.chosen[i] : i);
    }
    if (worker.outcome) __atomic_store_n(&job.outcome, u32(worker.outcome), __ATOMIC_RELAXED);
  }
}

// `start`: the worker's number, and above it the last job that is not for it.
void* run_worker(void* start) {
  const u32 number = u32(reinterpret_cast<u64>(start)) % most_workers;
  u32 seen = u32(reinterpret_cast<u64>(start) / most_workers);
  SignalStack saved;
  use_signal_stack(&saved);
  for (;;) {
    park_while(&job_number, seen);
    seen = __atomic_load_n(&job_number, __ATOMIC_ACQUIRE);
    if (number < job.workers) work(*workers[number]);
    if (__atomic_sub_fetch(&busy, 1, __ATOMIC_ACQ_REL) == 0) unpark(&busy);
  }
  return nullptr;
}

u32 cores() {
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    const u32 count = u32(CPU_COUNT(&allowed));
    if (count) return count;
  }
#endif
  const long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? u32(count) : 1;
}

// In a forked child the other threads are gone, and whoever held the lock with them.
void after_fork() {
  threads = 0;
  busy = 0;
  job_number = 0;
  launching = PTHREAD_MUTEX_INITIALIZER;
  forget_parked();
}

bool call_after_fork(void (*function)()) {
#if defined(__GLIBC__)
  return __register_atfork(nullptr, nullptr, function, nullptr) == 0;
#else
  return pthread_atfork(nullptr, nullptr, function) == 0;
#endif
}

// Starts threads until `wanted` workers can take part; signals are for others. Returns how many can.
u32 hire(u32 wanted) {
  static bool fork_is_handled;
  if (!fork_is_handled) fork_is_handled = call_after_fork(after_fork);
  if (wanted > most_workers) wanted = most_workers;
  sigset_t all, old;
  sigfillset(&all);
  sigdelset(&all, SIGSEGV);
  sigdelset(&all, SIGBUS);
  sigdelset(&all, SIGFPE);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  while (threads + 1 < wanted) {
    const u32 number = threads + 1;
    if (!workers[number]) workers[number] = new_worker();
    pthread_t thread;
    void* start = reinterpret_cast<void*>(u64(job_number) * most_workers + number);
    if (!workers[number] || pthread_create(&thread, nullptr, run_worker, start)) break;
    pthread_detach(thread);
    threads = number;
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  return threads + 1 < wanted ? threads + 1 : wanted;
}

void run_job() {
  if (job.workers > 1) {
    __atomic_store_n(&busy, threads, __ATOMIC_RELAXED);
    __atomic_add_fetch(&job_number, 1, __ATOMIC_RELEASE);
    unpark(&job_number);
    work(*workers[0]);
    for (u32 left; (left = __atomic_load_n(&busy, __ATOMIC_ACQUIRE)) != 0;) park_while(&busy, left);
  } else {
    work(*workers[0]);
  }
  threadgroup_bytes = 0;
  for (u32 i = 0; i < job.workers; i++)
    if (workers[i]->group.arena.most_bytes > threadgroup_bytes) threadgroup_bytes = workers[i]->group.arena.most_bytes;
}

Outcome launch(const KwKernel* kernel, const KwLaunch* what) {
  if (u64(what->group[0]) * what->group[1] * what->group[2] > KW_MAX_THREADS) return TOO_MANY_THREADS;
  const u64* const list = what->check ? chosen : nullptr;
  const u64 groups = list ? chosen_count : u64(what->groups[0]) * what->groups[1] * what->groups[2];
  if (!groups) return DONE;
  if (!workers[0]) workers[0] = new_worker();
  if (!workers[0]) return FAR_ACCESS;
  u32 wanted = what->check ? 1 : what->workers ? what->workers : cores();
  if (wanted > groups) wanted = u32(groups);
  const u32 count = wanted > 1 ? hire(wanted) : 1;
  u64 chunk = groups / (u64(count) * 8);
  if (chunk < 1) chunk = 1;
  job = {kernel, what, groups, list, chunk, 0, count, DONE};
  workers[0]->launch = what;
  if (what->check && !shadow_begin(kernel, *workers[0])) return FAR_ACCESS;
  SignalStack saved;
  const bool signal_stack = use_signal_stack(&saved);
  catch_faults();
  run_job();
  catch_no_faults();
  if (signal_stack) restore_signal_stack(&saved);
  shadow_end();
  return Outcome(job.outcome);
}

}  // namespace
}  // namespace kw

// Runs a kernel to its end. Launches of several threads run one after the other. Returns an Outcome.
KW_EXPORT int kw_launch(const KwKernel* kernel, const KwLaunch* what) {
  pthread_mutex_lock(&kw::launching);
  const int outcome = kw::launch(kernel, what);
  pthread_mutex_unlock(&kw::launching);
  return outcome;
}

// Lets checked launches run these threadgroups only, in this order: numbers count along x, then y, then z. The list is
// read until the last such launch has ended; null: all of them again.
KW_EXPORT void kw_choose_groups(const kw_u64* numbers, kw_u64 count) {
  kw::chosen = count ? numbers : nullptr;
  kw::chosen_count = count;
}

// Threadgroup memory of one threadgroup of the last launch, the largest; bytes, in multiples of 16 for each variable.
KW_EXPORT kw_u64 kw_threadgroup_bytes_used(void) { return kw::threadgroup_bytes; }
