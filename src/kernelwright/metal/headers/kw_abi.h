// What a compiled Metal program, the runtime and Python agree on. Plain C layout; no pointer is owned by the receiver.
#pragma once

#define KW_ABI 1
#define KW_BUFFERS 64            // buffer and threadgroup arguments a kernel can have (Metal: 31 each)
#define KW_SIMD_WIDTH 32
#define KW_MAX_THREADS 1024      // threads in a threadgroup, on every Apple GPU family
#define KW_STACK_BYTES (1u << 17)
#define KW_KEPT_BYTES (1ul << 26)  // for 64 variables of 1 KiB of each thread

typedef unsigned int kw_u32;
typedef unsigned long kw_u64;

// One dispatch, filled by Python.
struct KwLaunch {
  void* buffer[KW_BUFFERS];
  kw_u64 buffer_bytes[KW_BUFFERS];
  kw_u32 threadgroup_bytes[KW_BUFFERS];  // of each [[threadgroup(i)]] argument
  kw_u32 grid[3];                        // threads in the whole dispatch
  kw_u32 group[3];                       // threads in a full threadgroup
  kw_u32 groups[3];                      // threadgroups
  kw_u32 order;                          // KwOrder
  kw_u32 seed;
  kw_u32 check;                          // KwCheck bits
  kw_u32 workers;                        // OS threads to use; 0: one for each core
};

enum KwOrder { KW_ORDER_ASCENDING = 0, KW_ORDER_DESCENDING = 1, KW_ORDER_SHUFFLED = 2 };
// KW_CHECK_OTHER_ABSENT: lanes without a thread answer shuffles with other values than usual, so that two runs differ
// where such a value is used.
enum KwCheck { KW_CHECK_NONE = 0, KW_CHECK_RULES = 1, KW_CHECK_COUNTS = 2, KW_CHECK_OTHER_ABSENT = 4 };

// Where an argument of a kernel comes from.
enum KwArgumentKind {
  KW_BUFFER = 0,
  KW_THREADGROUP,
  KW_THREAD_POSITION_IN_GRID,
  KW_THREAD_POSITION_IN_THREADGROUP,
  KW_THREADGROUP_POSITION_IN_GRID,
  KW_THREADS_PER_GRID,
  KW_THREADS_PER_THREADGROUP,
  KW_THREADGROUPS_PER_GRID,
  KW_DISPATCH_THREADS_PER_THREADGROUP,
  KW_GRID_ORIGIN,
  KW_THREAD_INDEX_IN_THREADGROUP,
  KW_THREAD_INDEX_IN_SIMDGROUP,
  KW_SIMDGROUP_INDEX_IN_THREADGROUP,
  KW_THREADS_PER_SIMDGROUP,
  KW_SIMDGROUPS_PER_THREADGROUP,
  KW_DISPATCH_SIMDGROUPS_PER_THREADGROUP,
  KW_THREAD_INDEX_IN_QUADGROUP,
  KW_QUADGROUP_INDEX_IN_THREADGROUP,
  KW_QUADGROUPS_PER_THREADGROUP,
  KW_DISPATCH_QUADGROUPS_PER_THREADGROUP,
  KW_THREADS_PER_QUADGROUP,
};

struct KwArgumentDescription { int kind, index; };

struct KwArgumentInfo {
  int kind, index;
  kw_u32 element_bytes;  // of what a pointer or reference points to; 1 for void
  int read_only;         // const or constant
  char code;             // of the element, a vector's component or an atomic's value: ? bool, c char, B uchar, h H short, i I int, q Q long,
                         // e half, b bfloat, f float; 0: a structure
};

// Threads first to last - 1 of a row of a threadgroup: they differ in their x position only.
struct KwRow {
  kw_u32 group[3];       // position of the threadgroup in the grid
  kw_u32 size[3];        // its threads; fewer than KwLaunch.group at the edge of the grid
  kw_u32 first, last, y, z;
};

struct KwFiber;

// One kernel of a compiled program: exported as kw_kernel_0, kw_kernel_1, ...
struct KwKernel {
  const char* name;
  // Runs threads of one threadgroup, from the fiber's first on, until one of them has to wait for others.
  void (*run_threads)(struct KwFiber*);
  // Runs one row of a threadgroup, for kernels whose threads never wait for each other; else null.
  void (*run_row)(const struct KwLaunch*, const struct KwRow*);
  // Runs all threads of a threadgroup in lockstep, in ascending order; null: cannot be done. Returns 0 where this
  // threadgroup has to run on fibers: it has not begun then.
  int (*run_lockstep)(struct KwFiber*);
  const struct KwArgumentInfo* arguments;
  int argument_count;
  kw_u32 max_threads;    // [[max_total_threads_per_threadgroup(n)]], 0: not given
};

// One thing the checker saw, read by Python after the launch.
enum KwReportKind {
  KW_OUT_OF_BOUNDS = 0, KW_UNINITIALIZED, KW_RACE, KW_DIVERGENCE, KW_SHUFFLE, KW_MISALIGNED, KW_DIVISION,
};

struct KwReport {
  int kind;
  int write;                  // the access was a write
  kw_u32 bytes;               // 0: an index outside an array; offset is the index then
  int buffer;                 // index of the buffer nearby, -1: none (threadgroup or thread memory)
  long offset;                // byte offset into it, may be negative
  kw_u64 program_counter;     // of the access, relative to the program's load address; 0: file and line are known
  kw_u64 other_program_counter;
  kw_u32 line, other_line;    // 0: to be looked up from the program counters
  kw_u32 threadgroup[3];
  kw_u32 thread, other_thread;  // index in the threadgroup
  char file[256];
  char subject[96];           // name of the threadgroup or thread variable, empty for buffers
};

// What kw_counter() can be asked for after a launch with KW_CHECK_COUNTS. Bytes need a checked build.
enum KwCounter {
  KW_COUNT_BARRIERS = 0,             // threadgroup barriers, once for each threadgroup that passed one
  KW_COUNT_SIMD_OPERATIONS = 1,      // simd, quad and simdgroup_matrix operations, once for each SIMD-group
  KW_COUNT_THREADGROUP_READ = 2,     // bytes
  KW_COUNT_THREADGROUP_WRITTEN = 3,
  KW_COUNT_ATOMICS = 4,              // atomic operations, once for each thread
  KW_COUNT_FLOPS = 5,                // floating-point operations, see flops.py
  KW_COUNT_GROUPS = 6,               // threadgroups that ran to their end: the others count for nothing
  KW_COUNT_BUFFER_READ = 64,         // + index of the buffer: bytes, each access counted
  KW_COUNT_BUFFER_WRITTEN = 128,
  KW_COUNT_BUFFER_BYTES_READ = 192,  // bytes of the buffer that were read at all
  KW_COUNT_BUFFER_BYTES_WRITTEN = 256,
  KW_COUNTERS = 320,
};

// How one place of a program accessed one buffer or threadgroup variable in a launch with KW_CHECK_COUNTS.
struct KwAccess {
  kw_u64 program_counter;     // as in KwReport
  int buffer;                 // -1: threadgroup memory
  int write;
  kw_u64 accesses, bytes;     // by all threads
  kw_u64 transactions;        // memory segments or bank cycles, summed over instructions of SIMD-groups
  kw_u64 ideal_transactions;  // the fewest that the bytes accessed could do with
  char subject[96];           // name of the threadgroup variable, empty for buffers
};
