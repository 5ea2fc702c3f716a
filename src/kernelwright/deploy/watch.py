"""Noticing that a module is no longer what it was when the winner got its weights.

A winner holds copies of the weights and has everything else (constants, structure) written into its source. Changed
weights can be copied again; any other change means that the winner computes something else.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size, tuple)


class _Weight(NamedTuple):
    """One registered tensor, as it was."""

    name: str
    held_by: Mapping[str, torch.Tensor | None]
    key: str
    tensor: torch.Tensor
    version: int
    address: int
    dtype: torch.dtype
    device: torch.device
    shape: torch.Size
    loadable: bool
    """Part of the state that a winner is given; a buffer that is not persistent is not."""

    def same_values(self) -> bool:
        held = self.held_by.get(self.key) is self.tensor
        return held and _version(self.tensor) == self.version and self.tensor.data_ptr() == self.address

    def same_kind(self) -> bool:
        now = self.held_by.get(self.key)
        return now is not None and (now.dtype, now.device, now.shape) == (self.dtype, self.device, self.shape)


class ModuleWatch:
    """A snapshot of ``module`` to compare it with, a microsecond or so for each of its parts.

    Not noticed: values written through ``tensor.data`` in place, which PyTorch itself does not count as a change.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._parts = [(name, part) for name, part in module.named_modules()]
        self._children = [(part._modules, tuple(part._modules.items())) for _, part in self._parts]
        self._plain = [(name, part, _plain_attributes(part)) for name, part in self._parts]
        self._sizes = [
            (part._parameters, len(part._parameters), part._buffers, len(part._buffers)) for _, part in self._parts
        ]
        self._forward = [(part, getattr(part.forward, "__func__", None)) for _, part in self._parts]
        self._weights = self._snapshot()

    def complaint(self) -> str | None:
        """Why the winner cannot stand for the module as it is now; ``None`` when at most weights changed."""
        for check in (self._mode, self._structure, self._constants):
            said = check()
            if said is not None:
                return said
        for weight in self._weights:
            if not weight.same_kind():
                return f"{weight.name} has another shape, dtype or device than was verified"
            if not weight.loadable and not weight.same_values():
                return f"{weight.name} changed, and is not part of the module's state"
        return None

    def weights_changed(self) -> bool:
        return not all(weight.same_values() for weight in self._weights)

    def accept(self) -> None:
        """The weights as they are now are the ones that the winner has."""
        self._weights = self._snapshot()

    def needs_gradients(self) -> bool:
        return any(weight.tensor.requires_grad for weight in self._weights)

    def _mode(self) -> str | None:
        return "training mode" if any(part.training for _, part in self._parts) else None

    def _structure(self) -> str | None:
        for now, children in self._children:
            if len(now) != len(children) or any(now.get(key) is not child for key, child in children):
                return "a part of the module was replaced"
        if any(len(p) != n or len(b) != m for p, n, b, m in self._sizes):
            return "a parameter or buffer was added or removed"
        for part, forward in self._forward:
            if forward is not None and getattr(part.forward, "__func__", None) is not forward:
                return "a forward method was replaced"
        for name, part in self._parts:
            if part._forward_hooks or part._forward_pre_hooks:
                return f"{name or 'the module'} has forward hooks"
        return None

    def _constants(self) -> str | None:
        for name, part, attributes in self._plain:
            now = part.__dict__
            for key, value, version in attributes:
                held = now.get(key)
                if held is value and (version is None or _version(value) == version):
                    continue
                if version is not None or held != value:
                    return f"{'.'.join(filter(None, (name, key)))} changed"
        return None

    def _snapshot(self) -> list[_Weight]:
        found: list[_Weight] = []
        for name, part in self._parts:
            for held_by in (part._parameters, part._buffers):
                for key, tensor in held_by.items():
                    if tensor is not None:
                        full = ".".join(filter(None, (name, key)))
                        loadable = key not in part._non_persistent_buffers_set
                        kind = (tensor.dtype, tensor.device, tensor.shape)
                        held = (full, held_by, key, tensor, _version(tensor), tensor.data_ptr())
                        found.append(_Weight(*held, *kind, loadable))
        return found


def _plain_attributes(part: nn.Module) -> list[tuple[str, Any, int | None]]:
    """Numbers, strings and the like, and tensors that are not registered (with their version)."""
    found: list[tuple[str, Any, int | None]] = []
    for key, value in part.__dict__.items():
        if key == "training" or (key.startswith("_") and key in _OF_EVERY_MODULE):
            continue
        if isinstance(value, torch.Tensor):
            found.append((key, value, _version(value)))
        elif isinstance(value, _PLAIN):
            found.append((key, value, None))
    return found


def _version(tensor: torch.Tensor) -> int:
    # Inference tensors count no versions; they cannot be changed in place outside inference mode either.
    return -1 if tensor.is_inference() else tensor._version


_OF_EVERY_MODULE = frozenset(nn.Module().__dict__)
