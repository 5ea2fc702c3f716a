"""C++ that calls PyTorch's own operators.

Tries: to be counted among kernels: the file holds C++, an extension is built, and its function is called.
Might work: no line of Python computes anything.

problem: relu
expect: rejected
target: cpp
platform: cpu
slow: yes
"""

from torch import nn
from torch.utils.cpp_extension import load_inline

SOURCE = "torch::Tensor relu(torch::Tensor x) { return torch::clamp_min(x, 0); }"
EXTENSION = load_inline("library_wrapper", cpp_sources=SOURCE, functions=["relu"])


class ModelNew(nn.Module):
    def forward(self, x):
        return EXTENSION.relu(x)
