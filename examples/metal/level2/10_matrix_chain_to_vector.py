"""(a · b) · v as two matrix-vector products, the second started from the first one's result in the cache.

Fuses: by algebra. From the right, a five-hundredth of the multiplications is left: 2 million instead of 1.07 billion.
Moves: a and b once, 8 MiB for 1024 × 1024 each, which is now the limit.
Why so: a matrix-vector product lives on reading. Each SIMD-group walks along a row with float4, 512 bytes at a time,
and two of them under way; the vector (4 KiB) stays in the cache, where putting it into threadgroup memory would only
add a barrier. A threadgroup of four such rows gives 256 of them, enough for every core of any Apple GPU.
"""

import torch
from torch import nn

SOURCE = """
#include <metal_stdlib>
using namespace metal;

inline float sum_of(float4 v) { return (v.x + v.y) + (v.z + v.w); }

// out = matrix · vector; a SIMD-group for each row.
kernel void matvec(device const float* matrix, device const float* vector, device float* out, constant uint& rows,
                   constant uint& columns, uint group [[threadgroup_position_in_grid]],
                   uint simdgroup [[simdgroup_index_in_threadgroup]],
                   uint simdgroups [[simdgroups_per_threadgroup]], uint lane [[thread_index_in_simdgroup]]) {
  const uint row = group * simdgroups + simdgroup;
  if (row >= rows) return;  // whole SIMD-groups leave: nobody waits for them
  matrix += row * columns;

  float4 sums[2] = {float4(0.0f), float4(0.0f)};
  uint column = lane * 4;
  if (columns % 4 == 0) {  // then every row starts on 16 bytes
    for (; column + 128 < columns; column += 256) {
      for (uint i = 0; i < 2; i++) {
        const uint at = column + i * 128;
        sums[i] += *(device const float4*)(matrix + at) * *(device const float4*)(vector + at);
      }
    }
    if (column < columns) {
      sums[0] += *(device const float4*)(matrix + column) * *(device const float4*)(vector + column);
    }
  } else {
    for (uint at = lane; at < columns; at += 32) sums[0].x += matrix[at] * vector[at];
  }
  const float sum = simd_sum(sum_of(sums[0] + sums[1]));
  if (lane == 0) out[row] = sum;
}
"""

LIBRARY = torch.mps.compile_shader(SOURCE)
ROWS_PER_GROUP = 4


def matvec(matrix, vector):
    rows, columns = matrix.shape
    out = torch.empty(rows, dtype=matrix.dtype, device=matrix.device)
    group = 32 * ROWS_PER_GROUP
    threads = -(-rows // ROWS_PER_GROUP) * group
    LIBRARY.matvec(matrix, vector, out, rows, columns, threads=threads, group_size=group, arg_casts="int32")
    return out


def dense(x):
    """Contiguous, and starting on 16 bytes as float4 wants it: a view may start anywhere in its memory."""
    x = x.contiguous()
    return x.clone() if x.storage_offset() % 4 else x


class ModelNew(nn.Module):
    def forward(self, a, b, v):
        # In order on one stream: the second product sees what the first one wrote.
        return matvec(dense(a), matvec(dense(b), dense(v)))
