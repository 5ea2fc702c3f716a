"""Which calls a winner was verified for."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from kernelwright.problems import LoadedProblem
from kernelwright.problems.structure import Structure, flatten

_ALIGNMENT = 16
"""Bytes. PyTorch's allocators give at least this much; a view into the middle of a tensor may not have it."""


class VerifiedCalls:
    """Shapes, dtypes, strides, devices and plain arguments of the draws that the judge compared.

    A floating argument whose infinite entries the draws keep in place (an additive mask) must have them in the same
    places, and an argument that the draws do not change at all must have the same values: a kernel may rely on both.
    """

    def __init__(self, first: Sequence[Any], second: Sequence[Any]) -> None:
        """Two draws under different seeds, as the module will see them."""
        leaves, self._structure = flatten(tuple(first))
        others, _ = flatten(tuple(second))
        self._leaves = [
            _Tensor(a, b) if isinstance(a, torch.Tensor) else a for a, b in zip(leaves, others, strict=True)
        ]

    @classmethod
    def of(cls, problem: LoadedProblem, device: str) -> "VerifiedCalls":
        return cls(problem.draw(1, device), problem.draw(2, device))

    def complaint(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
        """Why this call was not verified, in a few words; ``None`` when it was."""
        if kwargs:
            return "keyword arguments were not verified"
        leaves, structure = flatten(tuple(args))
        if len(leaves) != len(self._leaves) or not _same(structure, self._structure):
            return f"arguments are {structure}, verified were {self._structure}"
        for place, (leaf, verified) in enumerate(zip(leaves, self._leaves, strict=True)):
            said = verified.complaint(leaf) if isinstance(verified, _Tensor) else _other(leaf, verified)
            if said is not None:
                return f"argument {place}: {said}"
        return None


class _Tensor:
    def __init__(self, first: torch.Tensor, second: torch.Tensor) -> None:
        self.shape, self.dtype, self.device = first.shape, first.dtype, first.device
        self.strides = first.stride()
        self.fixed = first if torch.equal(first, second) and first.numel() > 0 else None
        self.infinite: torch.Tensor | None = None
        if first.is_floating_point() and self.fixed is None:
            infinite = ~torch.isfinite(first)
            self.infinite = infinite if bool(infinite.any()) else None

    def complaint(self, leaf: Any) -> str | None:
        if type(leaf) is not torch.Tensor and type(leaf) is not torch.nn.Parameter:
            return f"is a {type(leaf).__name__}, verified was a plain tensor"
        if (leaf.shape, leaf.dtype, leaf.device.type) != (self.shape, self.dtype, self.device.type):
            return f"{_described(leaf)}, verified was {_described(self)}"
        if leaf.layout is not torch.strided or leaf.stride() != self.strides:
            return "another memory layout than was verified"
        if leaf.is_conj() or leaf.is_neg() or leaf.data_ptr() % _ALIGNMENT:
            return "a view that was not verified"
        return self._values(leaf)

    def _values(self, leaf: torch.Tensor) -> str | None:
        if self.fixed is not None and not torch.equal(leaf, self.fixed.to(leaf.device)):
            return "other values than the only ones that were verified"
        if self.infinite is not None and not torch.equal(~torch.isfinite(leaf), self.infinite.to(leaf.device)):
            return "infinite entries in other places than were verified"
        return None


def _described(tensor: "torch.Tensor | _Tensor") -> str:
    return f"{list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')} on {tensor.device.type}"


def _other(leaf: Any, verified: Any) -> str | None:
    if isinstance(leaf, torch.Tensor):
        return f"is a tensor, verified was {verified!r}"
    if type(leaf) is not type(verified) or (leaf is not verified and not bool(leaf == verified)):
        return f"is {leaf!r}, verified was {verified!r}"
    return None


def _same(a: Structure, b: Structure) -> bool:
    """Containers and keys only: what the leaves are is compared one by one, with a better message."""
    if a.keys != b.keys or len(a.children) != len(b.children):
        return False
    if bool(a.children) and a.kind != b.kind:
        return False
    return all(_same(x, y) for x, y in zip(a.children, b.children, strict=True))
