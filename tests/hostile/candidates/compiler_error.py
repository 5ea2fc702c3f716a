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

# without torch's headers, which take g++ half a minute before it comes to this line
SOURCE = """
extern "C" float relu(float x) { return undeclared_function(x); }
"""

load_inline(
    name="hostile_compiler_error", cpp_sources=SOURCE, no_implicit_headers=True, is_python_module=False
)


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.relu(x)
