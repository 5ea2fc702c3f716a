"""A tensor subclass on the GPU that multiplies when somebody looks.

Tries: to be timed while nothing is launched.
Might work: it says ``cuda`` when asked for its device and is a ``torch.Tensor``.

problem: gpu_matmul
expect: mismatch|rejected
platform: cuda
"""

import torch
from torch import nn

class Later(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        args = [arg.now() if type(arg) is Later else arg for arg in args]
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    def now(self):
        with torch._C.DisableTorchFunctionSubclass():
            return torch.matmul(*self.operands)


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1], device=a.device).as_subclass(Later)
        out.operands = (a, b)
        return out
