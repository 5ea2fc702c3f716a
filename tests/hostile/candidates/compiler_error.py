"""C++ that does not compile.

Tries: nothing; most first tries end here.
Might work: never, but the verdict must carry the compiler's first error.

problem: relu
expect: compile_failed
feedback: undeclared_function
target: cpp
platform: cpu
"""

import torch
from torch import nn
from torch.utils.cpp_extension import load_inline

SOURCE = """
torch::Tensor relu(torch::Tensor x) { return undeclared_function(x); }
"""

module = load_inline(name="hostile_compiler_error", cpp_sources=SOURCE, functions=["relu"])


class ModelNew(nn.Module):
    def forward(self, x):
        return module.relu(x)
