"""Residual and RMS norm in one pass over memory: each row is read once and written once.

Fuses: addition, squares, mean, rsqrt, both products. Eager writes and reads back a tensor between any two of them.
Moves: 12 bytes per element, the least there is. The row (4 kB) stays in the first-level cache between the two loops.
Threads: ATen's own (at::parallel_for), whole rows each. Vectors: `omp simd`, whose reduction keeps many partial sums,
so it is as accurate as a tree; the compiler adds the loop for a tail that fills no vector.
"""

import torch
from torch import nn
from torch.utils.cpp_extension import load_inline

SOURCE = r"""
#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/Exceptions.h>
#include <torch/csrc/utils/pybind.h>

#include <cmath>

at::Tensor add_rms_norm(at::Tensor x, at::Tensor residual, at::Tensor weight, double epsilon) {
  const int64_t columns = x.size(-1);
  TORCH_CHECK(x.scalar_type() == at::kFloat, "float32 expected, got ", x.scalar_type());
  TORCH_CHECK(x.sizes() == residual.sizes() && weight.numel() == columns, "the shapes do not fit");
  TORCH_CHECK(x.is_contiguous() && residual.is_contiguous() && weight.is_contiguous(), "dense tensors expected");
  at::Tensor out = at::empty_like(x);
  const int64_t rows = columns ? x.numel() / columns : 0;
  const float* const x_data = x.const_data_ptr<float>();
  const float* const residual_data = residual.const_data_ptr<float>();
  const float* const w = weight.const_data_ptr<float>();
  float* const out_data = out.mutable_data_ptr<float>();

  // A task should be worth starting a thread for: about 16384 elements at least.
  const int64_t rows_per_task = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, columns));
  at::parallel_for(0, rows, rows_per_task, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* const a = x_data + row * columns;
      const float* const b = residual_data + row * columns;
      float* const y = out_data + row * columns;
      float squares = 0.0f;
#pragma omp simd reduction(+ : squares)
      for (int64_t i = 0; i < columns; i++) {
        y[i] = a[i] + b[i];
        squares += y[i] * y[i];
      }
      const float scale = 1.0f / std::sqrt(squares / columns + static_cast<float>(epsilon));
#pragma omp simd
      for (int64_t i = 0; i < columns; i++) y[i] = y[i] * scale * w[i];
    }
  });
  return out;
}
"""

# Compiled once, when this file is imported. No -ffast-math: it would change what NaN and infinity do. Without the
# implicit <torch/extension.h>, which is most of the compiler's work, the headers above are all it needs.
kernels = load_inline(
    name="add_rms_norm",
    cpp_sources=SOURCE,
    functions=["add_rms_norm"],
    no_implicit_headers=True,
    extra_cflags=["-O3", "-march=native", "-fopenmp"],
    extra_ldflags=["-fopenmp"],
)


class ModelNew(nn.Module):
    def __init__(self, features, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.epsilon = epsilon

    def forward(self, x, residual):
        return kernels.add_rms_norm(x.contiguous(), residual.contiguous(), self.weight, self.epsilon)
