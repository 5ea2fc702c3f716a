"""Degenerate problems: what is odd about a problem itself, found by running its reference twice or three times.

============================ ==================================================================================
label                        found when
============================ ==================================================================================
``constant_output``          two draws give the same outputs (up to rounding)
``ignores_input:K``          the outputs stay bitwise the same when only leaf K of the inputs is redrawn
``removable:OP``             an operator gives back its first argument, bit by bit, on both draws
``constant_intermediate:OP`` an operator makes one and the same value of all elements of a varying input, on both draws
============================ ==================================================================================

None of them is the fault of a candidate: one that makes use of it is right, and fast. Scores are given with and without
such problems. The operators are those that PyTorch dispatches (``aten.relu``), in the reference's own forward pass.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from kernelwright.judge.dispatched import DispatchWatch, is_view, place, tensors, written
from kernelwright.problems import LoadedProblem
from kernelwright.problems.structure import flatten, unflatten

LARGEST_CHECKED = 512 << 20
"""Bytes of an operator's result beyond which it is not compared."""
_PASSES_ON = frozenset(
    {
        "clone",
        "_to_copy",
        "copy",
        "copy_",
        "detach",
        "alias",
        "lift_fresh",
        "contiguous",
        "_unsafe_view",
        "_reshape_copy",
    }
    | {
        "expand_copy",
        "fill_",
        "zero_",
        "native_dropout",
        "dropout",
        "cat",
        "stack",
        "repeat",
        "index_put",
        "index_put_",
    }
    | {
        "slice_scatter",
        "select_scatter",
        "ones_like",
        "zeros_like",
        "full_like",
        "empty_like",
        "rand_like",
        "randn_like",
    }
)
"""Operators that are there to hand values on: giving them back says nothing."""
_ESCAPES = frozenset({"_local_scalar_dense", "is_nonzero", "equal"})
"""Operators whose result is a Python value, in which dependence cannot be followed."""


def problem_labels(
    problem: LoadedProblem, model: torch.nn.Module, seeds: Sequence[int], device: str
) -> tuple[str, ...]:
    """The labels of a loaded problem; ``model`` is its reference on ``device``, the first two ``seeds`` are drawn.

    At most three forward passes. Raises whatever the reference raises.
    """
    first, second = (*seeds, seeds[0] + 1)[:2]
    return degenerate_labels(model, lambda seed: problem.draw(seed, device), (first, second))


def degenerate_labels(
    model: torch.nn.Module, draw: Callable[[int], Sequence[Any]], seeds: tuple[int, int]
) -> tuple[str, ...]:
    """The labels of any module; ``draw(seed)`` makes fresh positional arguments, the same for the same seed.

    With more than two inputs that vary, the third pass changes one of them against the rest: an input that is used in
    the computation and yet never matters may then stay unnoticed.
    """
    watches = [_watch(model, draw(seed), seed=0) for seed in seeds]
    a, b = watches
    labels: list[str] = []
    if _constant(a.outputs, b.outputs):
        labels.append("constant_output")
    labels += [f"ignores_input:{k}" for k in _ignored(model, draw, seeds, a, b)]
    labels += [f"removable:{name}" for number, name in a.removable.items() if b.removable.get(number) == name]
    for number, (name, value) in a.constants.items():
        if b.constants.get(number) == (name, value):
            labels.append(f"constant_intermediate:{name}")
    return tuple(dict.fromkeys(labels))


class _Watch(DispatchWatch):
    """Follows from which inputs each piece of memory was computed, and compares results with arguments."""

    def __init__(self, inputs: Sequence[Any]):
        super().__init__()
        self.removable: dict[int, str] = {}
        self.constants: dict[int, tuple[str, float]] = {}
        self.escaped: set[int] = set()
        self.outputs: list[Any] = []
        self.used: set[int] = set()
        self._number = 0
        self._sources: dict[int, frozenset[int]] = {}
        for k, leaf in enumerate(flatten(tuple(inputs))[0]):
            if isinstance(leaf, torch.Tensor):
                where = place(leaf)
                self._sources[where] = self._sources.get(where, frozenset()) | {k}

    def sources(self, x: torch.Tensor) -> frozenset[int]:
        return self._sources.get(place(x), frozenset())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = tensors((args, kwargs or {}))
        sources = frozenset[int]().union(*map(self.sources, given))
        name = func.overloadpacket.__name__
        first = args[0] if args and isinstance(args[0], torch.Tensor) else None
        compared = first is not None and bool(self.sources(first)) and name not in _PASSES_ON and _affordable(first)
        # an operator in place leaves nothing to compare with
        before = first.clone() if compared and first is not None and func._schema.is_mutable else first
        result = func(*args, **(kwargs or {}))
        if name in _ESCAPES:
            self.escaped |= sources
        places = {place(t) for t in given}
        made = tensors(result)
        for x in made:
            # memory that was freed and given out again must not keep its old sources
            old = self.sources(x) if place(x) in places else frozenset[int]()
            self._sources[place(x)] = old | sources
        if func._schema.is_mutable:
            for x in written(func, args, kwargs or {}):
                self._sources[place(x)] = self.sources(x) | sources
        if compared and before is not None and isinstance(result, torch.Tensor) and not is_view(func):
            self._compare(f"{func.namespace}.{name.removesuffix('_')}", before, result)
        self._number += 1
        return result

    def _compare(self, name: str, before: torch.Tensor, result: torch.Tensor) -> None:
        if not result.numel() or not _affordable(result):
            return
        if before.shape == result.shape and before.dtype == result.dtype and _bitwise_equal(before, result):
            self.removable[self._number] = name
        elif result.is_floating_point() and before.numel() > 1 and _one_value(result) and not _one_value(before):
            self.constants[self._number] = (name, float(result[(0,) * result.dim()]))


def _watch(model: torch.nn.Module, inputs: Sequence[Any], seed: int) -> _Watch:
    watch = _Watch(inputs)
    torch.manual_seed(seed)
    with torch.no_grad(), watch:
        output = model(*inputs)
    watch.outputs = list(flatten(output)[0])
    watch.used = set(watch.escaped).union(*map(watch.sources, tensors(watch.outputs)))
    return watch


def _ignored(
    model: torch.nn.Module, draw: Callable[[int], Sequence[Any]], seeds: tuple[int, int], a: _Watch, b: _Watch
) -> list[int]:
    """Leaves of the inputs that vary between draws and do not matter."""
    (leaves, structure), (others, _) = flatten(tuple(draw(seeds[0]))), flatten(tuple(draw(seeds[1])))
    varying = [
        k
        for k, (x, y) in enumerate(zip(leaves, others, strict=True))
        if isinstance(x, torch.Tensor) and x.shape == y.shape and x.numel() and not _bitwise_equal(x, y)
    ]
    ignored = [k for k in varying if k not in a.used | b.used]
    reaching = [k for k in varying if k not in ignored]
    if _bitwise_outputs(a.outputs, b.outputs):
        return varying
    if len(reaching) > 1:
        mixed = list(others)
        mixed[reaching[0]] = leaves[reaching[0]]
        torch.manual_seed(0)
        with torch.no_grad():
            outputs = flatten(model(*unflatten(mixed, structure)))[0]
        if _bitwise_outputs(outputs, b.outputs):
            ignored.append(reaching[0])
        if _bitwise_outputs(outputs, a.outputs):
            ignored += reaching[1:]
    return sorted(ignored)


def _constant(a: list[Any], b: list[Any]) -> bool:
    """Equal up to rounding: no output that depends on random inputs comes as close."""
    pairs = [(x, y) for x, y in zip(a, b, strict=False) if isinstance(x, torch.Tensor)]
    return bool(pairs) and len(a) == len(b) and all(_close(x, y) for x, y in pairs)


def _close(x: torch.Tensor, y: torch.Tensor) -> bool:
    if x.shape != y.shape or not x.is_floating_point():
        return x.shape == y.shape and torch.equal(x, y)
    few_ulps = 4 * torch.finfo(x.dtype).eps
    return torch.allclose(x, y, rtol=few_ulps, atol=0.0, equal_nan=True)


def _bitwise_outputs(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(
        _bitwise_equal(x, y) if isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor) else x == y
        for x, y in zip(a, b, strict=True)
    )


def _bitwise_equal(x: torch.Tensor, y: torch.Tensor) -> bool:
    """Same values in the same places; the first ones usually settle it. NaN differs from NaN."""
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    if x.dim() and x.shape[0] > 1 and not torch.equal(x[0], y[0]):
        return False
    return torch.equal(x, y)


def _one_value(x: torch.Tensor) -> bool:
    corner = x[(0,) * x.dim()]
    return bool(corner == x[(-1,) * x.dim()]) and bool((x == corner).all())


def _affordable(x: torch.Tensor) -> bool:
    return x.numel() * x.element_size() <= LARGEST_CHECKED
