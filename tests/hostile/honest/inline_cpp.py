"""C++ through ``torch.utils.cpp_extension.load_inline``.

problem: residual
target: cpp
platform: cpu
slow: yes
"""

from torch import nn
from torch.utils.cpp_extension import load_inline

SOURCE = """
#include <torch/extension.h>
#include <cmath>

torch::Tensor residual(torch::Tensor x, torch::Tensor y) {
    auto a = x.contiguous(), b = y.contiguous();
    auto out = torch::empty_like(a);
    const float *pa = a.data_ptr<float>(), *pb = b.data_ptr<float>();
    float *po = out.data_ptr<float>();
    for (int64_t i = 0; i < a.numel(); i++) po[i] = std::sin(pa[i]) * 2.0f + pa[i] * pb[i];
    return out;
}
"""

module = load_inline(name="honest_residual", cpp_sources=SOURCE, functions=["residual"])


class ModelNew(nn.Module):
    def forward(self, x, y):
        return module.residual(x, y)
