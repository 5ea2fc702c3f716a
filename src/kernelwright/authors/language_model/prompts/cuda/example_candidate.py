"""cuBLAS makes the product; bias, GELU and residual follow in one kernel, in place on its result.

Fuses: bias + GELU + residual. Eager writes and reads the whole tensor once for each.
Moves: 12 bytes per element (product and x read, result written).
Why not the product too: cuBLAS is near the card's limit, and TF32 or bfloat16 would not be accurate enough.
Threads: one for each pair of neighbours (float2: 256 bytes a warp and load), in a grid-stride loop; an odd number of
features takes single floats.
"""

import torch
from torch import nn
from torch.utils.cpp_extension import load_inline

DECLARATION = "void bias_gelu_residual_(torch::Tensor product, torch::Tensor bias, torch::Tensor x);"

SOURCE = r"""
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

__device__ float epilogue(float product, float bias, float x) {
  const float h = product + bias;
  return x + 0.5f * h * (1.0f + erff(h * 0.70710678118654752f));
}
__device__ float2 epilogue(float2 product, float2 bias, float2 x) {
  return make_float2(epilogue(product.x, bias.x, x.x), epilogue(product.y, bias.y, x.y));
}

// Item: float, or float2 where rows hold an even number. `count` and `columns` are counted in items.
template <typename Item>
__global__ void bias_gelu_residual(Item* product, const Item* __restrict__ bias, const Item* __restrict__ x,
                                   int64_t count, int64_t columns) {
  const int64_t step = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step)
    product[i] = epilogue(product[i], bias[i % columns], x[i]);
}

template <typename Item>
void launch(torch::Tensor& product, const torch::Tensor& bias, const torch::Tensor& x) {
  const int64_t width = sizeof(Item) / sizeof(float), count = product.numel() / width;
  const int64_t blocks = std::min<int64_t>((count + 255) / 256, 8192);  // the loop does the rest
  bias_gelu_residual<Item><<<blocks, 256, 0, c10::cuda::getCurrentCUDAStream()>>>(
      reinterpret_cast<Item*>(product.mutable_data_ptr<float>()),
      reinterpret_cast<const Item*>(bias.const_data_ptr<float>()),
      reinterpret_cast<const Item*>(x.const_data_ptr<float>()), count, bias.numel() / width);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

void bias_gelu_residual_(torch::Tensor product, torch::Tensor bias, torch::Tensor x) {
  TORCH_CHECK(product.is_cuda() && product.scalar_type() == torch::kFloat, "float32 on the GPU expected");
  TORCH_CHECK(product.sizes() == x.sizes() && product.size(-1) == bias.numel(), "the shapes do not fit");
  TORCH_CHECK(product.is_contiguous() && bias.is_contiguous() && x.is_contiguous(), "dense tensors expected");
  const c10::cuda::CUDAGuard device(product.device());
  if (product.numel() == 0) return;
  auto pairs = [](const torch::Tensor& t) { return reinterpret_cast<uintptr_t>(t.const_data_ptr()) % 8 == 0; };
  if (bias.numel() % 2 == 0 && pairs(product) && pairs(bias) && pairs(x)) launch<float2>(product, bias, x);
  else launch<float>(product, bias, x);
}
"""

# Compiled once, when this file is imported.
kernels = load_inline(
    name="bias_gelu_residual", cpp_sources=DECLARATION, cuda_sources=SOURCE, functions=["bias_gelu_residual_"]
)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, features)

    def forward(self, x):
        x = x.contiguous()
        out = torch.matmul(x, self.linear.weight.t())
        kernels.bias_gelu_residual_(out, self.linear.bias, x)
        return out
