"""Watching what PyTorch dispatches: every operator, and which memory it reads and writes."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kernelwright.problems.structure import flatten


class DispatchWatch(TorchDispatchMode):
    """A mode that is used outside of ``torch.compile`` only, and does without the second that importing Dynamo takes.

    ``TorchDispatchMode`` (torch 2.9 to 2.13) has its subclasses imported by Dynamo at the first operator, so that
    compiled code leaves them alone, unless this says no.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


def place(tensor: torch.Tensor) -> int:
    """The address of the memory behind a tensor; views share it."""
    return tensor.untyped_storage().data_ptr()


def tensors(value: Any) -> list[torch.Tensor]:
    """The tensors in a nest, in order."""
    return [leaf for leaf in flatten(value)[0] if isinstance(leaf, torch.Tensor)]


def is_view(func: Any) -> bool:
    """Whether a result of this operator is a view of an argument."""
    return any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)


def written(func: Any, args: Any, kwargs: Any) -> list[torch.Tensor]:
    """The arguments that this call writes to: in place, or as ``out``."""
    found: list[torch.Tensor] = []
    for k, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            found += tensors(args[k] if k < len(args) else kwargs.get(argument.name))
    return found
