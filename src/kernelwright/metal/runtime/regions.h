// The memory that a checked kernel may touch, as regions with shadow cells.
#pragma once
#include "platform.h"
#include "worker.h"

namespace kw {

// Who accessed a granule last. Each entry is a record (see shadow.cpp), 0: nobody. Two readers that are different
// threads are as good as all of them: no third thread can be both.
struct Cell {
  u64 write, read[2];
};

// Memory with one array of cells. Buffers that overlap share it.
struct Extent {
  u64 low, high;
  u32 granule;  // bytes that a cell stands for: 4, or 1 once smaller accesses were seen
  Cell* cells;  // null: only ever read
};

struct Region {
  u64 low, high;
  int buffer;  // -1: threadgroup memory
  Extent* extent;
};

// Collects the regions of a launch. False: not enough memory.
bool regions_begin(const KwKernel* kernel, const KwLaunch* launch, const Arena& arena);
void regions_end();

// The buffer that `address` lies in; null: in none.
const Region* buffer_at(u64 address);
// The buffer that an address outside of all of them was meant for: the nearest one. Null: there is none.
const Region* buffer_near(u64 address);
const Region& threadgroup_region();

// The cells of [address, address + bytes), which lie in the extent. False: there are none.
struct Cells {
  Cell* first;
  u64 count;
};
bool cells_of(Extent& extent, u64 address, u64 bytes, Cells* cells);

}  // namespace kw
