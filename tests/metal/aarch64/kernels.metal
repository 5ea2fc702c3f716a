// What the processor matters for: turns of threads, simd operations, matrices, atomics, types; and what the checks see.
#include <metal_stdlib>
using namespace metal;

// Each threadgroup reverses its part by way of threadgroup memory, twice.
kernel void reverse(device const int* in [[buffer(0)]], device int* out [[buffer(1)]],
                    uint i [[thread_position_in_grid]], uint local [[thread_position_in_threadgroup]],
                    uint size [[threads_per_threadgroup]]) {
  threadgroup int shared[1024];
  int value = in[i];
  for (int round = 0; round < 3; round++) {
    shared[local] = value + round;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    value = shared[size - 1 - local];
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  out[i] = value;
}

// Keeps many values in registers while it waits.
kernel void registers(device const float* in [[buffer(0)]], device float* out [[buffer(1)]],
                      uint i [[thread_position_in_grid]]) {
  const float x = in[i];
  float4 a = x + float4(1, 2, 3, 4), b = x * float4(5, 6, 7, 8), c = x - float4(9, 10, 11, 12), d = a * b;
  ulong m = i * 3, n = i * 5, o = i * 7, p = i * 11, q = i * 13, r = i * 17, s = i * 19, t = i * 23;
  float sum = simd_sum(x);
  for (int round = 0; round < 4; round++) {
    a += b; b -= c; c += d; d *= 0.5f;
    m += n; n ^= o; o += p; p ^= q; q += r; r ^= s; s += t; t ^= m;
    sum += simd_shuffle_xor(x + round, 1);
    threadgroup_barrier(mem_flags::mem_none);
  }
  const ulong whole = m + n + o + p + q + r + s + t;
  out[3 * i] = sum;
  out[3 * i + 1] = dot(a + b + c + d, float4(1));
  out[3 * i + 2] = float(whole % 65536);
}

kernel void product(device const half* a [[buffer(0)]], device const half* b [[buffer(1)]],
                   device float* c [[buffer(2)]]) {
  simdgroup_half8x8 x, y;
  simdgroup_float8x8 z(1.0f);
  simdgroup_load(x, a);
  simdgroup_load(y, b);
  simdgroup_multiply_accumulate(z, x, y, z);
  simdgroup_store(z, c);
}

// Threads take turns through a number that each of them waits for.
kernel void turns(device atomic_uint* turn [[buffer(0)]], device uint* out [[buffer(1)]],
                  uint i [[thread_position_in_grid]], uint size [[threads_per_grid]]) {
  while (atomic_load_explicit(&turn[0], memory_order_relaxed) != size - 1 - i) {}
  out[i] = atomic_fetch_add_explicit(&turn[1], 1u, memory_order_relaxed);
  atomic_store_explicit(&turn[0], size - i, memory_order_relaxed);
}

// Where processors differ: plain char, division by zero, halves.
kernel void types(device const int* in [[buffer(0)]], device int* out [[buffer(1)]]) {
  const char letter = char(in[0]);
  out[0] = letter;
  out[1] = in[0] / in[1];
  out[2] = in[0] % in[1];
  out[3] = as_type<ushort>(half(in[0]) / half(3));
}

kernel void past_end(device int* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  out[i < 63 ? i : 100000000] = 1;
}

kernel void race(device int* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  out[0] = int(i);
}

kernel void divergence(device int* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  if (i < 40) threadgroup_barrier(mem_flags::mem_none);
  out[i] = 1;
}

// Uses up its stack.
static int deeper(thread int* above, int depth) {
  int here[64];
  for (int j = 0; j < 64; j++) here[j] = above[j] + depth;
  return depth == 0 ? here[above[0] & 63] : deeper(here, depth - 1) + here[5];
}
kernel void stack(device int* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  int first[64] = {};
  out[i] = deeper(first, out[i]);
}
