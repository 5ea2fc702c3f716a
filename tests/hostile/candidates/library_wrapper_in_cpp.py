"""C++ that calls PyTorch's own operators.

Tries: to be counted among kernels: the file holds C++, an extension is built, and its function is called.
Might work: no line of Python computes anything.

problem: relu
expect: rejected
target: cpp
platform: cpu
slow: yes
"""

import torch
from torch import nn
from torch.utils.cpp_extension import load_inline

SOURCE = """
#include <ATen/core/Tensor.h>
#include <ATen/ops/clamp_min.h>
#include <torch/library.h>

at::Tensor relu(const at::Tensor &x) { return at::clamp_min(x, 0); }

TORCH_LIBRARY(library_wrapper, library) { library.def("relu(Tensor x) -> Tensor"); }
TORCH_LIBRARY_IMPL(library_wrapper, CPU, library) { library.impl("relu", relu); }
"""
load_inline("library_wrapper", cpp_sources=SOURCE, is_python_module=False, no_implicit_headers=True)


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.ops.library_wrapper.relu(x)
