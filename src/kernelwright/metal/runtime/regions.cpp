#include "regions.h"

#include <string.h>
#include <sys/mman.h>

#include "memory.h"

namespace kw {
namespace {

Region regions[KW_BUFFERS];
Extent extents[KW_BUFFERS];  // one for each region, empty where another one covers it
u32 region_count;
u32 last_found;
Extent arena_extent;
Region arena_region;

u64 cell_count(const Extent& extent) { return (extent.high - extent.low + extent.granule - 1) / extent.granule; }

Cell* map_cells(const Extent& extent) {
  void* memory = mmap(nullptr, cell_count(extent) * sizeof(Cell), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<Cell*>(memory);
}

void unmap_cells(Extent& extent) {
  if (extent.cells) munmap(extent.cells, cell_count(extent) * sizeof(Cell));
  extent.cells = nullptr;
}

bool is_written(const KwKernel* kernel, int buffer) {
  for (int i = 0; i < kernel->argument_count; i++) {
    const KwArgumentInfo& argument = kernel->arguments[i];
    if (argument.kind == KW_BUFFER && argument.index == buffer && argument.read_only) return false;
  }
  return true;  // also a buffer that is no argument: a table of addresses leads to it
}

bool overlap(const Extent& a, const Extent& b) { return a.low < b.high && b.low < a.high; }

void merge(Extent& into, Extent& gone) {
  into.low = gone.low < into.low ? gone.low : into.low;
  into.high = gone.high > into.high ? gone.high : into.high;
  into.granule = gone.granule > into.granule ? gone.granule : into.granule;
  for (u32 i = 0; i < region_count; i++)
    if (regions[i].extent == &gone) regions[i].extent = &into;
  gone = {};
}

// Buffers that overlap get one extent; it has cells if the kernel can write to one of them.
void join_extents() {
  for (u32 i = 0; i < region_count; i++)
    for (u32 j = 0; j < i; j++)
      if (overlap(extents[i], extents[j])) merge(extents[i], extents[j]);
}

// A cell for each byte instead of each four.
void refine(Extent& extent) {
  Extent fine = {extent.low, extent.high, 1, nullptr};
  fine.cells = map_cells(fine);
  if (!fine.cells) return;
  const u64 bytes = extent.high - extent.low;
  for (u64 i = 0; i < cell_count(extent); i++) {
    const Cell& cell = extent.cells[i];
    if (!cell.write && !cell.read[0]) continue;
    for (u64 byte = 4 * i; byte < 4 * i + 4 && byte < bytes; byte++) fine.cells[byte] = cell;
  }
  unmap_cells(extent);
  extent = fine;
}

u64 distance(const Region& region, u64 address) {
  return address < region.low ? region.low - address : address >= region.high ? address - region.high + 1 : 0;
}

}  // namespace

bool regions_begin(const KwKernel* kernel, const KwLaunch* launch, const Arena& arena) {
  region_count = last_found = 0;
  for (int i = 0; i < KW_BUFFERS; i++) {
    const u64 low = reinterpret_cast<u64>(launch->buffer[i]), high = low + launch->buffer_bytes[i];
    if (low == high) continue;
    extents[region_count] = {low, high, is_written(kernel, i) ? 4u : 0u, nullptr};
    regions[region_count] = {low, high, i, &extents[region_count]};
    region_count++;
  }
  join_extents();
  const u64 low = reinterpret_cast<u64>(arena.memory);
  arena_extent = {low, low + arena_bytes, 4, nullptr};
  arena_extent.cells = map_cells(arena_extent);
  arena_region = {low, low + arena_bytes, -1, &arena_extent};
  bool enough = arena_extent.cells != nullptr;
  for (u32 i = 0; i < region_count; i++) {
    if (!extents[i].granule) continue;
    extents[i].cells = map_cells(extents[i]);
    enough = enough && extents[i].cells;
  }
  if (!enough) regions_end();
  return enough;
}

void regions_end() {
  for (u32 i = 0; i < region_count; i++) unmap_cells(extents[i]);
  unmap_cells(arena_extent);
  region_count = 0;
}

const Region* buffer_at(u64 address) {
  if (last_found < region_count && address - regions[last_found].low < regions[last_found].high - regions[last_found].low)
    return &regions[last_found];
  for (u32 i = 0; i < region_count; i++) {
    if (address < regions[i].low || address >= regions[i].high) continue;
    last_found = i;
    return &regions[i];
  }
  return nullptr;
}

const Region* buffer_near(u64 address) {
  constexpr u64 too_far = 1ull << 36;
  const Region* nearest = nullptr;
  for (u32 i = 0; i < region_count; i++)
    if (!nearest || distance(regions[i], address) < distance(*nearest, address)) nearest = &regions[i];
  return nearest && distance(*nearest, address) < too_far ? nearest : nullptr;
}

const Region& threadgroup_region() { return arena_region; }

bool cells_of(Extent& extent, u64 address, u64 bytes, Cells* cells) {
  if (!extent.cells) return false;
  if (extent.granule != 1 && ((address - extent.low) % extent.granule || bytes % extent.granule)) refine(extent);
  const u64 first = (address - extent.low) / extent.granule;
  const u64 last = (address + bytes - 1 - extent.low) / extent.granule;
  *cells = {extent.cells + first, last - first + 1};
  return true;
}

}  // namespace kw
