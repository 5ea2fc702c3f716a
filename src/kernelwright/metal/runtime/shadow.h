// Shadow memory: for each few bytes that a kernel can reach, who accessed them last.
//
// A clock ticks whenever something orders accesses: a threadgroup begins, a barrier is passed, a fence is executed. An
// access is ordered before a later one by another thread if a barrier that covers the memory, or a pair of fences, lies
// between the two. Two accesses that are not ordered, one of them a write and not both atomic, are a race. Threadgroups
// of a checked launch run one after the other, but nothing orders them: accesses by different threadgroups race.
#pragma once
#include "group.h"
#include "platform.h"
#include "worker.h"

namespace kw {

enum Access { READ, WRITE, ATOMIC_READ, ATOMIC_WRITE, ATOMIC_UPDATE };  // an update reads and writes

// Memory flags of Metal that the checks know, and the index of each in arrays of two.
constexpr u32 flag_device = 1, flag_threadgroup = 2;
constexpr u32 device_memory = 0, threadgroup_memory = 1;

extern bool watching;  // a launch with KW_CHECK_RULES or KW_CHECK_COUNTS runs

// Begins and ends a checked launch. False: not enough memory.
bool shadow_begin(const KwKernel* kernel, Worker& worker);
void shadow_end();

void shadow_begin_group(Group& group);
// `whole`: all its threads have returned.
void shadow_end_group(const Group& group, bool whole);
void shadow_barrier(Group& group, u32 flags);
void shadow_simd_barrier(SimdGroup& simd, u32 flags);
void shadow_fence(const Fiber* fiber, u32 flags);

// The fiber's thread is about to access memory; `pc`: the return address of whoever tells.
void shadow_access(Fiber* fiber, const void* address, u64 bytes, Access access, u64 pc);

}  // namespace kw
