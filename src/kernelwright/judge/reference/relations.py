"""Metamorphic relations: what a problem's outputs must do when its inputs are moved in a known way.

Found once per problem, on the reference alone and in float64: whether another order of the rows (dimension 0 of the
inputs that share the batch size) gives the same rows in that order, and whether the outputs scale with one floating
input (homogeneous of degree 1). Where a relation holds, the known answers to a draw, carried through it, are the
answers to the moved draw: the reference does not run again for the candidates. The idea is that of metamorphic testing
(Chen, Cheung and Yiu 1998, https://arxiv.org/abs/2002.12543).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from kernelwright.problems.structure import flatten, unflatten

PERMUTED, SCALED = "rows permuted", "one input scaled"
MOVED = (PERMUTED, SCALED)
"""Kinds of draws that are another draw moved."""
_CLOSE = 1e-9
"""Relative distance in float64 up to which a relation holds: rounding of long sums, and nothing else."""
_TRIED = 3
"""Floating inputs that are tried for scaling."""


@dataclass(frozen=True)
class Permutation:
    """Row ``order[i]`` of the leaves ``inputs`` becomes row i; so do those of the leaves ``outputs``."""

    inputs: frozenset[int]
    outputs: frozenset[int]
    order: torch.Tensor
    kind: str = PERMUTED

    def of_inputs(self, inputs: Any) -> Any:
        return _changed(inputs, self.inputs, self._rows)

    def of_outputs(self, outputs: Any) -> Any:
        return _changed(outputs, self.outputs, self._rows)

    def _rows(self, x: torch.Tensor) -> torch.Tensor:
        moved = torch.empty_like(x)  # keeps strides, channels-last for example
        return moved.copy_(x.index_select(0, self.order.to(x.device)))


@dataclass(frozen=True)
class Scaling:
    """The input leaf times ``factor`` multiplies every floating output by it."""

    input: int
    factor: float
    kind: str = SCALED

    def of_inputs(self, inputs: Any) -> Any:
        return _changed(inputs, frozenset({self.input}), self._times)

    def of_outputs(self, outputs: Any) -> Any:
        return _changed(outputs, frozenset(range(len(flatten(outputs)[0]))), self._times)

    def _times(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor if x.is_floating_point() or x.is_complex() else x


Relation = Permutation | Scaling


def relations(
    run: Callable[[Any], Any], inputs: Sequence[Any], right: Any, generator: torch.Generator
) -> Iterator[Relation]:
    """The relations that hold on ``inputs`` (in float64), where ``right`` is the answer ``run(inputs)``.

    ``run`` must not change what it is given. At most six further runs. ``generator`` (on the CPU) chooses order and
    factor; a problem that raises on moved inputs has no such relation.
    """
    permutation = next(filter(None, (_permutation(run, inputs, right, c) for c in _orders(inputs, generator))), None)
    if permutation is not None:
        yield permutation
    scaling = _scaling(run, inputs, right, generator)
    if scaling is not None:
        yield scaling


def _orders(inputs: Sequence[Any], generator: torch.Generator) -> Iterator[tuple[frozenset[int], torch.Tensor]]:
    """Sets of leaves that may be rows of one batch, with an order in which no row keeps its place."""
    leaves = flatten(tuple(inputs))[0]
    with_rows = [k for k, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor) and leaf.dim()]
    if not with_rows:
        return
    first = with_rows[0]
    size = leaves[first].shape[0]
    if size < 2:
        return
    cycle = torch.randperm(size, generator=generator)
    order = torch.empty_like(cycle)
    order[cycle] = cycle.roll(1)
    together = frozenset(k for k in with_rows if leaves[k].shape[0] == size)
    yield together, order
    if len(together) > 1:  # rows of a square matrix product: the second factor's are no batch
        yield frozenset({first}), order


def _permutation(
    run: Callable[[Any], Any], inputs: Sequence[Any], right: Any, choice: tuple[frozenset[int], torch.Tensor]
) -> Permutation | None:
    moved, order = choice
    try:
        answer = run(Permutation(moved, frozenset(), order).of_inputs(inputs))
    except Exception:  # anybody's module: it may well refuse what it never gets
        return None
    found, known = flatten(answer), flatten(right)
    if found[1] != known[1]:
        return None
    follow: set[int] = set()
    for k, (now, then) in enumerate(zip(found[0], known[0], strict=True)):
        if not isinstance(then, torch.Tensor):
            if now != then:
                return None
        elif then.dim() and then.shape[0] == len(order) and _same(now, then.index_select(0, order.to(then.device))):
            follow.add(k)
        elif not _same(now, then):
            return None
    return Permutation(moved, frozenset(follow), order)


def _scaling(
    run: Callable[[Any], Any], inputs: Sequence[Any], right: Any, generator: torch.Generator
) -> Scaling | None:
    """The first floating input in which the outputs are homogeneous; a negative factor where that works too."""
    leaves = flatten(tuple(inputs))[0]
    size = 1.1 + 0.8 * float(torch.rand((), generator=generator, dtype=torch.float64))  # between powers of two
    floating = [k for k, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
    for k in floating[:_TRIED]:
        for factor in (size, -size):
            one = Scaling(k, factor)
            if not _scales(run, inputs, right, one):
                break
        else:
            return one
        if factor < 0:
            return Scaling(k, size)
    return None


def _scales(run: Callable[[Any], Any], inputs: Sequence[Any], right: Any, scaling: Scaling) -> bool:
    try:
        answer = run(scaling.of_inputs(inputs))
    except Exception:  # as above
        return False
    found, known = flatten(answer), flatten(scaling.of_outputs(right))
    tensors = [x for x in known[0] if isinstance(x, torch.Tensor) and x.is_floating_point()]
    return (
        found[1] == known[1]
        and any(bool((x != 0).any()) for x in tensors)
        and all(
            _same(now, then) if isinstance(then, torch.Tensor) else now == then
            for now, then in zip(found[0], known[0], strict=True)
        )
    )


def _same(a: Any, b: torch.Tensor) -> bool:
    """Equal up to rounding in float64, with NaN and infinities in the same places; integers are equal."""
    if not isinstance(a, torch.Tensor) or a.shape != b.shape or a.dtype != b.dtype:
        return False
    if not (b.is_floating_point() or b.is_complex()):
        return torch.equal(a, b)
    finite = torch.isfinite(b)
    if not torch.equal(finite, torch.isfinite(a)):
        return False
    a, b = a.masked_fill(~finite, 0), b.masked_fill(~finite, 0)
    scale = float(torch.linalg.vector_norm(b))
    return math.isfinite(scale) and float(torch.linalg.vector_norm(a - b)) <= _CLOSE * scale


def _changed(value: Any, which: frozenset[int], change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """A copy with ``change`` applied to the tensors at these places; one tensor in two places stays one."""
    leaves, structure = flatten(value)
    done: dict[int, Any] = {}
    for k in which:
        leaf = leaves[k]
        if isinstance(leaf, torch.Tensor) and id(leaf) not in done:
            done[id(leaf)] = change(leaf)
    return unflatten([done.get(id(leaf), leaf) if k in which else leaf for k, leaf in enumerate(leaves)], structure)
