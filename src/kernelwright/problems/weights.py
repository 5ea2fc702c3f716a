"""Random values for parameters and buffers that start at a constant.

A new batch norm is the identity up to epsilon, a new bias adds nothing, a new layer norm's scale multiplies by one:
code that leaves them out agrees with the reference until somebody trains the module. Before reference and candidate
are compared, such constants get values that show whether they are used.
"""

import hashlib

import torch
from torch import nn
from torch.nn.parameter import is_lazy

_ZERO_SPREAD = 0.1


def randomise_constants(module: nn.Module, seed: int) -> tuple[str, ...]:
    """Make every constant floating parameter and persistent buffer of ``module`` non-constant, in place.

    Zeros become normal values of standard deviation 0.1. Any other constant ``c`` becomes ``c`` times values uniform in
    [0.5, 1.5): a running variance stays positive, a scale keeps its magnitude. Each tensor's values depend on ``seed``
    and its name alone, so the same module gets the same values in another process. Left alone: integer, boolean and
    complex tensors, non-persistent buffers (they are not part of the state that a candidate is given), constants that
    are infinite or NaN, empty and uninitialised tensors.

    Returns the names of the tensors that were changed, in the module's own order; a tensor under two names once.
    """
    persistent = module.state_dict().keys()
    tensors = dict(module.named_parameters())
    tensors |= {name: buffer for name, buffer in module.named_buffers() if name in persistent}
    changed: list[str] = []
    with torch.no_grad():
        for name, tensor in tensors.items():
            constant = _constant_of(tensor)
            if constant is None:
                continue
            _assign(tensor, _values(tensor, constant, _generator(seed, name)))
            changed.append(name)
    return tuple(changed)


def _constant_of(tensor: torch.Tensor) -> float | None:
    if is_lazy(tensor) or not tensor.is_floating_point() or tensor.numel() == 0 or tensor.is_meta:
        return None
    values = tensor.detach().double() if tensor.device.type != "mps" else tensor.detach().float()
    low, high = float(values.min()), float(values.max())
    return low if low == high and low not in (float("inf"), float("-inf")) else None


def _generator(seed: int, name: str) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def _values(tensor: torch.Tensor, constant: float, generator: torch.Generator) -> torch.Tensor:
    if constant == 0.0:
        return torch.randn(tensor.shape, generator=generator) * _ZERO_SPREAD
    return constant * (0.5 + torch.rand(tensor.shape, generator=generator))


def _assign(tensor: torch.Tensor, values: torch.Tensor) -> None:
    if any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True)):
        # An expanded tensor has one number for many places: it needs storage of its own first.
        tensor.data = values.to(device=tensor.device, dtype=tensor.dtype)
    else:
        tensor.copy_(values)
