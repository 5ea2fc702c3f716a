// Memory for the buffers of checked launches. Each block ends at an inaccessible page and has far more inaccessible
// address space around it than a 32-bit index can cross: an access that misses its buffer hits no other one.
#include "memory.h"

#include <pthread.h>
#include <sys/mman.h>

namespace kw {
namespace {

constexpr u64 widest_margin = 32ul << 30;   // 2^31 elements of 16 bytes
constexpr u64 narrowest_margin = 64ul << 10;
constexpr u64 alignment = 32;               // of the strictest type, long4
constexpr u32 most_blocks = 512;
constexpr u32 most_opened = 4096;

struct Block {
  u64 low, high;              // all address space of the block
  u64 first_page, last_page;  // [first_page, last_page) is accessible
  u64 data;
};

Block blocks[most_blocks];  // data 0: free
u64 opened[most_opened];    // pages of surroundings that are accessible at the moment
u32 opened_count;
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

Block* block_around(u64 address) {
  for (Block& block : blocks)
    if (block.data && address >= block.low && address < block.high) return &block;
  return nullptr;
}

// Address space with as wide a margin on both sides as can be had.
u64 reserve(u64 bytes, u64* margin) {
  for (*margin = widest_margin; *margin >= narrowest_margin; *margin /= 8) {
    void* found = mmap(nullptr, 2 * *margin + bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found != MAP_FAILED) return reinterpret_cast<u64>(found);
  }
  return 0;
}

u64 allocate(u64 bytes) {
  Block* block = nullptr;
  for (Block& candidate : blocks)
    if (!candidate.data && !block) block = &candidate;
  if (!block) return 0;
  const u64 used = rounded_up(bytes ? bytes : 1, alignment), pages = rounded_up(used, narrowest_margin);
  u64 margin;
  const u64 low = reserve(pages, &margin);
  if (!low) return 0;
  const u64 first = low + margin;
  if (mprotect(reinterpret_cast<void*>(first), pages, PROT_READ | PROT_WRITE) != 0) {
    munmap(reinterpret_cast<void*>(low), 2 * margin + pages);
    return 0;
  }
  *block = {low, low + 2 * margin + pages, first, first + pages, first + pages - used};
  return block->data;
}

}  // namespace

bool guarded_at(u64 address, u64* data) {
  const Block* block = block_around(address);
  if (block) *data = block->data;
  return block != nullptr;
}

bool open_surroundings(u64 address) {
  const Block* block = block_around(address);
  if (!block || opened_count == most_opened) return false;
  const u64 page = block->low + (address - block->low) / narrowest_margin * narrowest_margin;
  if (page >= block->first_page && page < block->last_page) return false;
  if (mprotect(reinterpret_cast<void*>(page), narrowest_margin, PROT_READ | PROT_WRITE) != 0) return false;
  opened[opened_count++] = page;
  return true;
}

void close_surroundings() {
  for (u32 i = 0; i < opened_count; i++)  // a fresh mapping: what was written there is forgotten
    mmap(reinterpret_cast<void*>(opened[i]), narrowest_margin, PROT_NONE,
         MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  opened_count = 0;
}

}  // namespace kw

using namespace kw;

// Zeroed memory that ends less than 32 bytes before an inaccessible page. Null: none left.
KW_EXPORT void* kw_guarded(kw_u64 bytes) {
  pthread_mutex_lock(&lock);
  const u64 data = allocate(bytes);
  pthread_mutex_unlock(&lock);
  return reinterpret_cast<void*>(data);
}

// Gives back what kw_guarded returned.
KW_EXPORT void kw_guarded_free(void* data, kw_u64) {
  pthread_mutex_lock(&lock);
  for (Block& block : blocks) {
    if (!data || block.data != reinterpret_cast<u64>(data)) continue;
    munmap(reinterpret_cast<void*>(block.low), block.high - block.low);
    block.data = 0;
  }
  pthread_mutex_unlock(&lock);
}
