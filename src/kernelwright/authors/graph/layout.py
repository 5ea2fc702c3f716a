"""The ``__init__`` of a printed module: the reference's parameters and buffers, under the reference's names."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from kernelwright.authors.author import AuthorError
from kernelwright.authors.graph.literals import tensor_code, zeros_code

_CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias")
_CONV_T = (*_CONV[:5], "output_padding", "groups", "bias", "dilation")
_BATCH = ("num_features", "eps", "momentum", "affine", "track_running_stats")
_RNN = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")

LAYERS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("in_features", "out_features", "bias"),
    nn.Bilinear: ("in1_features", "in2_features", "out_features", "bias"),
    nn.Conv1d: _CONV,
    nn.Conv2d: _CONV,
    nn.Conv3d: _CONV,
    nn.ConvTranspose1d: _CONV_T,
    nn.ConvTranspose2d: _CONV_T,
    nn.ConvTranspose3d: _CONV_T,
    nn.BatchNorm1d: _BATCH,
    nn.BatchNorm2d: _BATCH,
    nn.BatchNorm3d: _BATCH,
    nn.InstanceNorm1d: _BATCH,
    nn.InstanceNorm2d: _BATCH,
    nn.InstanceNorm3d: _BATCH,
    nn.LayerNorm: ("normalized_shape", "eps", "elementwise_affine", "bias"),
    nn.GroupNorm: ("num_groups", "num_channels", "eps", "affine"),
    nn.RMSNorm: ("normalized_shape", "eps", "elementwise_affine"),
    nn.Embedding: ("num_embeddings", "embedding_dim", "padding_idx"),
    nn.LSTM: _RNN,
    nn.GRU: _RNN,
    nn.LSTMCell: ("input_size", "hidden_size", "bias"),
    nn.GRUCell: ("input_size", "hidden_size", "bias"),
}
"""Layers that are printed as themselves, with their constructor's parameters (each is an attribute as well)."""

INDENT = " " * 8


@dataclass
class Layout:
    """Lines of ``__init__`` after ``super().__init__()``, and how ``forward`` reaches each tensor."""

    lines: list[str] = field(default_factory=list)
    access: dict[str, str] = field(default_factory=dict)
    """Name of a weight in the Graph → expression, such as ``self.blocks[0].linear.weight``."""


@dataclass
class _Branch:
    """One module of the tree: children and own tensors by name."""

    children: "dict[str, _Branch]" = field(default_factory=dict)
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)


def lay_out(module: nn.Module, constants: Mapping[str, torch.Tensor]) -> Layout:
    """The state of ``module`` (all of it, used or not) and the Graph's other ``constants`` as constructor code.

    Raises ``AuthorError`` where a constant is too large to be written down.
    """
    state = module.state_dict(keep_vars=True)
    root = _Branch()
    for name, tensor in {**state, **constants}.items():
        *path, last = name.split(".")
        branch = root
        for part in path:
            branch = branch.children.setdefault(part, _Branch())
        branch.tensors[last] = tensor
    layout = Layout()
    _write(layout, root, module, "self", "", frozenset(constants))
    first: dict[int, str] = {}
    for name, tensor in state.items():
        original = first.setdefault(id(tensor), name)
        if original != name:
            layout.lines.append(f"{layout.access[name]} = {layout.access[original]}  # tied")
    return layout


def _write(
    layout: Layout, branch: _Branch, module: nn.Module | None, here: str, prefix: str, constants: frozenset[str]
) -> None:
    """Writes the tensors and children of the branch that ``here`` reaches."""
    for name, tensor in branch.tensors.items():
        full = prefix + name
        plain = name.isidentifier()
        layout.access[full] = f"{here}.{name}" if plain else f'self.get_buffer("{full}")'
        if full in constants:
            try:
                code = tensor_code(tensor)
            except ValueError as error:
                raise AuthorError(f"the constant {full} {error}") from None
            layout.lines.append(f'{here}.register_buffer("{name}", {code}, persistent=False)')
        elif isinstance(tensor, nn.Parameter):
            frozen = "" if tensor.requires_grad else ", requires_grad=False"
            value = f"nn.Parameter({zeros_code(tensor)}{frozen})"
            if plain:
                layout.lines.append(f"{here}.{name} = {value}")
            else:
                layout.access[full] = f'self.get_parameter("{full}")'
                layout.lines.append(f'{here}.register_parameter("{name}", {value})')
        else:
            layout.lines.append(f'{here}.register_buffer("{name}", {zeros_code(tensor)})')
    for name, child in branch.children.items():
        _write_child(layout, name, child, _submodule(module, name), here, prefix, constants)


def _write_child(
    layout: Layout,
    name: str,
    branch: _Branch,
    module: nn.Module | None,
    here: str,
    prefix: str,
    constants: frozenset[str],
) -> None:
    there, full = f"{here}.{name}", f"{prefix}{name}."
    if not name.isidentifier():
        there = f'{here}.get_submodule("{name}")'
        layout.lines.append(f'{here}.add_module("{name}", nn.Module())')
        _write(layout, branch, module, there, full, constants)
        return
    layer = _layer_code(module, branch, full, constants)
    if layer is not None:
        layout.lines.append(f"{there} = {layer}")
        layout.access |= {full + tensor: f"{there}.{tensor}" for tensor in branch.tensors}
        return
    if not _is_list(branch):
        layout.lines.append(f"{there} = nn.Module()")
        _write(layout, branch, module, there, full, constants)
        return
    items: list[str] = []
    rest: list[int] = []
    for index in range(max(map(int, branch.children)) + 1):
        child = branch.children.get(str(index))
        if child is None:
            items.append("nn.Identity()")  # holds the place of a layer without state
            continue
        child_module, child_full = _submodule(module, str(index)), f"{full}{index}."
        layer = _layer_code(child_module, child, child_full, constants)
        items.append(layer or "nn.Module()")
        if layer is None:
            rest.append(index)
        else:
            layout.access |= {child_full + tensor: f"{there}[{index}].{tensor}" for tensor in child.tensors}
    layout.lines.append(f"{there} = nn.ModuleList(")
    layout.lines.append("    [")
    layout.lines += [f"        {item}," for item in items]
    layout.lines += ["    ]", ")"]
    for index in rest:
        child = branch.children[str(index)]
        _write(layout, child, _submodule(module, str(index)), f"{there}[{index}]", f"{full}{index}.", constants)


def _submodule(module: nn.Module | None, name: str) -> nn.Module | None:
    return None if module is None else dict(module.named_children()).get(name)


def _is_list(branch: _Branch) -> bool:
    """Children 0, 1, 2 … with few gaps, no tensors of its own: a list or a sequence."""
    indices = [int(name) for name in branch.children if name.isdecimal() and str(int(name)) == name]
    return not branch.tensors and len(indices) == len(branch.children) > 0 and max(indices) <= 4 * len(indices) + 8


def _layer_code(module: nn.Module | None, branch: _Branch, prefix: str, constants: frozenset[str]) -> str | None:
    """``nn.Linear(3, 4)`` where that constructor makes exactly this state; ``None`` elsewhere."""
    if module is None or type(module) not in LAYERS or branch.children:
        return None
    if any(prefix + name in constants for name in branch.tensors):
        return None
    arguments = _constructor_arguments(module)
    dtypes = {t.dtype for t in branch.tensors.values() if t.is_floating_point()}
    if len(dtypes) != 1:
        return None
    dtype = dtypes.pop()
    try:
        twin = type(module)(**arguments, device="meta", dtype=dtype)
    except (TypeError, ValueError):
        return None
    made = {name: (tuple(t.shape), t.dtype) for name, t in twin.state_dict().items()}
    if made != {name: (tuple(t.shape), t.dtype) for name, t in branch.tensors.items()}:
        return None
    if any(isinstance(t, nn.Parameter) and not t.requires_grad for t in branch.tensors.values()):
        return None
    return f"nn.{type(module).__name__}({_call_text(type(module), arguments, dtype)})"


def _constructor_arguments(module: nn.Module) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for name in LAYERS[type(module)]:
        value = getattr(module, name, None)
        if name == "bias":
            value = value is not None and value is not False
        if isinstance(value, tuple):
            value = value[0] if len(set(value)) == 1 else tuple(value)
        arguments[name] = value
    return arguments


def _call_text(layer: type[nn.Module], arguments: dict[str, Any], dtype: torch.dtype) -> str:
    """Required arguments by position, others by name where they differ from the default."""
    parts: list[str] = []
    parameters = inspect.signature(layer).parameters  # RNNs take *args: all of theirs are then printed by name
    for name, value in arguments.items():
        parameter = parameters.get(name)
        if parameter is not None and parameter.default is parameter.empty:
            parts.append(repr(value))
        elif parameter is None or parameter.default != value:
            if parameter is None and value == {"num_layers": 1, "bias": True}.get(
                name, False if name != "dropout" else 0.0
            ):
                continue
            parts.append(f"{name}={value!r}")
    if dtype is not torch.float32:
        parts.append(f"dtype={dtype}")
    return ", ".join(parts)
