"""Nested inputs and outputs as a flat list of leaves and a structure that can be compared, printed and filled again.

Containers are lists, tuples (named tuples and torch's ``return_types`` count as tuples), dicts and other mappings that
can be built from a dict, and dataclasses. Everything else is a leaf: tensors, numbers, strings, ``None``.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

Kind = Literal["tuple", "list", "dict", "object", "tensor", "none", "number", "other"]
_LEAVES: frozenset[str] = frozenset({"tensor", "none", "number", "other"})


@dataclass(frozen=True)
class Structure:
    """The shape of a nest, without its values.

    Two are equal when they have the same containers, the same keys (in any order) and the same kinds of leaves. What a
    leaf looked like (a tensor's shape and dtype) and a container's exact class are kept for printing and refilling
    only: the judge compares them with messages of their own.
    """

    kind: Kind
    keys: tuple[Any, ...] = ()
    """A dict's keys, a dataclass's fields: ordered as ``children``."""
    children: tuple["Structure", ...] = ()
    described: str = field(default="", compare=False)
    made_by: Callable[[list[Any]], Any] | None = field(default=None, compare=False, repr=False)
    """How to refill a container whose class is not the plain one."""

    @property
    def leaf_count(self) -> int:
        return 1 if self.kind in _LEAVES else sum(child.leaf_count for child in self.children)

    def __str__(self) -> str:
        """One line, for example ``(Tensor[8, 4] float32, {'h': Tensor[2, 8] float32})``."""
        parts = [str(child) for child in self.children]
        match self.kind:
            case "tuple":
                return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
            case "list":
                return f"[{', '.join(parts)}]"
            case "dict":
                return "{" + ", ".join(f"{key!r}: {part}" for key, part in zip(self.keys, parts, strict=True)) + "}"
            case "object":
                fields = ", ".join(f"{key}={part}" for key, part in zip(self.keys, parts, strict=True))
                return f"{self.described}({fields})"
            case _:
                return self.described


def flatten(obj: Any) -> tuple[list[Any], Structure]:
    """The leaves of ``obj`` from left to right (a dict's in the order of its sorted keys) and its structure.

    ``unflatten(*flatten(obj))`` rebuilds an equal nest. Raises ``RecursionError`` for a nest that contains itself.
    """
    leaves: list[Any] = []
    return leaves, _flatten_into(obj, leaves)


def unflatten(leaves: Sequence[Any], structure: Structure) -> Any:
    """The nest with these leaves. Raises ``ValueError`` where their number does not fit."""
    if len(leaves) != structure.leaf_count:
        raise ValueError(f"{structure} takes {structure.leaf_count} leaves, got {len(leaves)}")
    return _fill(iter(leaves), structure)


def map_leaves(function: Callable[[Any], Any], obj: Any) -> Any:
    """The same nest with ``function`` applied to every leaf; a leaf that appears twice is mapped once."""
    leaves, structure = flatten(obj)
    mapped: dict[int, Any] = {}
    for leaf in leaves:
        if id(leaf) not in mapped:
            mapped[id(leaf)] = function(leaf)
    return unflatten([mapped[id(leaf)] for leaf in leaves], structure)


def to_device(obj: Any, device: str, copy: bool = False) -> Any:
    """The same nest with every tensor on ``device``; ``copy`` makes new tensors even of those that are there already.

    Copies keep their strides (channels-last for example) and are cut off from autograd.
    """

    def move(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        return leaf.detach().to(device, copy=True) if copy else leaf.to(device)

    return map_leaves(move, obj)


def describe(leaf: Any) -> str:
    """``Tensor[8, 4] float32`` for a tensor, the type's name for anything else, ``None`` for ``None``."""
    if isinstance(leaf, torch.Tensor):
        return f"Tensor{list(leaf.shape)} {str(leaf.dtype).removeprefix('torch.')}"
    return "None" if leaf is None else type(leaf).__name__


def _flatten_into(obj: Any, leaves: list[Any]) -> Structure:
    if isinstance(obj, tuple | list):
        children = tuple(_flatten_into(part, leaves) for part in obj)
        return Structure("tuple" if isinstance(obj, tuple) else "list", (), children, made_by=_sequence_maker(obj))
    if isinstance(obj, Mapping):
        keys = tuple(sorted(obj, key=_sort_key))
        children = tuple(_flatten_into(obj[key], leaves) for key in keys)
        return Structure("dict", keys, children, made_by=_mapping_maker(obj, keys))
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        keys = tuple(f.name for f in dataclasses.fields(obj))
        children = tuple(_flatten_into(getattr(obj, key), leaves) for key in keys)
        return Structure("object", keys, children, type(obj).__name__, made_by=_dataclass_maker(type(obj), keys))
    leaves.append(obj)
    return Structure(_leaf_kind(obj), described=describe(obj))


def _sort_key(key: Any) -> tuple[str, str]:
    """Keys of different types cannot be compared with each other; their names can."""
    return type(key).__name__, repr(key)


def _leaf_kind(leaf: Any) -> Kind:
    if isinstance(leaf, torch.Tensor):
        return "tensor"
    if leaf is None:
        return "none"
    return "number" if isinstance(leaf, int | float | complex) else "other"


def _sequence_maker(obj: Any) -> Callable[[list[Any]], Any] | None:
    if type(obj) in (tuple, list):
        return None
    # A named tuple takes its fields one by one; torch's return types and other subclasses take one sequence.
    return getattr(type(obj), "_make", type(obj))


def _mapping_maker(obj: Mapping[Any, Any], keys: tuple[Any, ...]) -> Callable[[list[Any]], Any]:
    order = list(obj)  # the original order of insertion, for code that iterates
    container: Any = type(obj)

    def make(values: list[Any]) -> Any:
        by_key = dict(zip(keys, values, strict=True))
        rebuilt = {key: by_key[key] for key in order}
        return rebuilt if container is dict else container(rebuilt)

    return make


def _dataclass_maker(cls: type, keys: tuple[str, ...]) -> Callable[[list[Any]], Any]:
    def make(values: list[Any]) -> Any:
        rebuilt = object.__new__(cls)  # as copy does: __init__ may compute, and frozen classes refuse assignment
        for key, value in zip(keys, values, strict=True):
            object.__setattr__(rebuilt, key, value)
        return rebuilt

    return make


def _fill(leaves: Iterator[Any], structure: Structure) -> Any:
    if structure.kind in _LEAVES:
        return next(leaves)
    parts = [_fill(leaves, child) for child in structure.children]
    if structure.made_by is not None:
        return structure.made_by(parts)
    return tuple(parts) if structure.kind == "tuple" else parts
