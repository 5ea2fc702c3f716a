"""CUDA C++ through ``load_inline``.

problem: gpu_gelu
target: cuda
platform: cuda
slow: yes
"""

from torch import nn
from torch.utils.cpp_extension import load_inline

SOURCE = """
__global__ void gelu_kernel(const float *x, float *y, long n) {
    long i = blockIdx.x * 256L + threadIdx.x;
    if (i < n) y[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678118654752f));
}
torch::Tensor gelu(torch::Tensor x) {
    auto y = torch::empty_like(x);
    gelu_kernel<<<(x.numel() + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.numel());
    return y;
}
"""
EXTENSION = load_inline(
    "gpu_inline_cuda", cpp_sources="torch::Tensor gelu(torch::Tensor x);", cuda_sources=SOURCE, functions=["gelu"]
)


class ModelNew(nn.Module):
    def forward(self, x):
        return EXTENSION.gelu(x.contiguous())
