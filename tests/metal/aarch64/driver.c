// Launches one kernel of a program that was linked with this file and the runtime, and says what came of it.
//
//   driver KERNEL GRID GROUP ORDER CHECK WORKERS [BUFFER...]
//
// KERNEL is a number, ORDER one of KwOrder, CHECK 0 or 1; GRID and GROUP are threads in the first direction. Each BUFFER
// is a file: it is read into memory of its own, and written back afterwards. Prints the outcome of kw_launch, then a line
// for each report: kind, buffer, line (0: unknown), the place in the program, thread, other thread.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kw_abi.h"

#define KERNELS(each) each(0) each(1) each(2) each(3) each(4) each(5) each(6) each(7) each(8) each(9)
#define DECLARED(n) extern const struct KwKernel kw_kernel_##n __attribute__((weak));
#define ADDRESS(n) &kw_kernel_##n,

KERNELS(DECLARED)
static const struct KwKernel* const kernels[] = {KERNELS(ADDRESS)};

int kw_launch(const struct KwKernel*, const struct KwLaunch*);
int kw_report_count(void);
const struct KwReport* kw_report(int);
void kw_module(kw_u64 low, kw_u64 high);
void* kw_guarded(kw_u64 bytes);

extern char end[];  // of the program, which is linked to fixed addresses

static void give_up(const char* what) {
  perror(what);
  exit(2);
}

int main(int count, char** words) {
  static struct KwLaunch launch;
  if (count < 7) return 2;
  launch.grid[0] = (kw_u32)atoi(words[2]);
  launch.group[0] = (kw_u32)atoi(words[3]);
  launch.groups[0] = (launch.grid[0] + launch.group[0] - 1) / launch.group[0];
  for (int i = 1; i < 3; i++) launch.grid[i] = launch.group[i] = launch.groups[i] = 1;
  launch.order = (kw_u32)atoi(words[4]);
  launch.seed = 7;
  launch.check = (kw_u32)atoi(words[5]);
  launch.workers = (kw_u32)atoi(words[6]);
  for (int i = 7; i < count; i++) {
    FILE* file = fopen(words[i], "rb");
    if (!file || fseek(file, 0, SEEK_END)) give_up(words[i]);
    const size_t bytes = (size_t)ftell(file);
    rewind(file);
    launch.buffer_bytes[i - 7] = bytes;
    launch.buffer[i - 7] = kw_guarded(bytes);
    if (!launch.buffer[i - 7] || fread(launch.buffer[i - 7], 1, bytes, file) != bytes) give_up(words[i]);
    fclose(file);
  }

  kw_module(0, (kw_u64)end);
  printf("%d\n", kw_launch(kernels[atoi(words[1])], &launch));
  for (int i = 0; i < kw_report_count(); i++) {
    const struct KwReport* report = kw_report(i);
    printf("%d %d %u %lu %u %u\n", report->kind, report->buffer, report->line, report->program_counter, report->thread,
           report->other_thread);
  }

  for (int i = 7; i < count; i++) {
    FILE* file = fopen(words[i], "wb");
    if (!file || fwrite(launch.buffer[i - 7], 1, launch.buffer_bytes[i - 7], file) != launch.buffer_bytes[i - 7])
      give_up(words[i]);
    fclose(file);
  }
  return 0;
}
