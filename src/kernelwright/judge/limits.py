"""Hardware limits: two floors under a candidate's time, and the one below which a time cannot be true.

*Byte floor*: every input and weight that the output depends on read once, every output written once, at the bandwidth
of main memory. *Work floor*: the FLOPs of the reference (matrix products, convolutions, attention) at the measured
matrix rate. Both are what the reference's own work costs at best. A candidate can be below either of them honestly:
by algebra (``less_work``), or, for the byte floor, with a working set that stays in a cache, so shares above 1 are
shown as they are.

*Hard floor*: only what no program can avoid. Inputs are new in every call, so each element of which the output
certainly depends must be read; outputs must be written. Weights do not count, since a module may fold them when it is
built. Rated at the fastest bandwidth seen on this device, caches included, and a margin on top. A time below it is a
lie.
"""

import itertools
import math
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kernelwright.schema import DeviceLimits, Limits

if TYPE_CHECKING:
    import torch

MARGIN = 1.25
"""How much faster than any rate measured here a device may turn out to be."""
_QUARTERS = 4
_SEED = 81
_GOLDEN = (math.sqrt(5) - 1) / 2
_AT_ONCE = 1 << 24
"""Elements that are shuffled by one index."""


@dataclass(frozen=True)
class DependentBytes:
    """What a call of the reference touches, in bytes. See :func:`dependent_bytes`."""

    inputs: int
    weights: int
    outputs: int
    certain: int
    """Input elements that must be read and output elements that must be written, whatever the program."""


@dataclass(frozen=True)
class ProblemCosts:
    """Bytes and FLOPs of one problem, measured once; all that the floors need besides the device."""

    input_bytes: int
    weight_bytes: int
    output_bytes: int
    certain_bytes: int
    flops: int
    dtype: str
    """The dtype whose matrix rate counts: ``float32``, ``bfloat16`` …"""


def byte_floor_ms(costs: ProblemCosts, device: DeviceLimits) -> float:
    """Milliseconds to move inputs, weights and outputs once through main memory."""
    return 1e3 * (costs.input_bytes + costs.weight_bytes + costs.output_bytes) / device.bandwidth


def work_floor_ms(costs: ProblemCosts, device: DeviceLimits) -> float:
    """Milliseconds for the reference's FLOPs; 0 where this device's rate for the dtype is not known."""
    rate = device.matmul_flops.get(costs.dtype)
    return 1e3 * costs.flops / rate if rate else 0.0


def hard_floor_ms(costs: ProblemCosts, device: DeviceLimits) -> float:
    """Milliseconds below which no program can be that computes the output from fresh inputs."""
    return 1e3 * costs.certain_bytes / (MARGIN * max(device.peak_bandwidth, device.bandwidth))


def impossible(candidate_ms: float, costs: ProblemCosts, device: DeviceLimits) -> bool:
    """Whether a time (milliseconds per call) lies below the hard floor."""
    return candidate_ms < hard_floor_ms(costs, device)


def limits(
    costs: ProblemCosts, device: DeviceLimits, candidate_ms: float | None = None, *, cold_bytes: float = math.inf
) -> Limits:
    """The verdict's record. Shares are floor / time and may exceed 1; ``None`` where the candidate was not timed.

    ``less_work`` is set below the work floor, and below the byte floor by more than the margin. ``cold_bytes``: so much
    comes from main memory whatever was called before.
    """
    certain_ms = 1e3 * costs.certain_bytes / device.bandwidth if costs.certain_bytes >= cold_bytes else None
    bytes_ms, work_ms = byte_floor_ms(costs, device), work_floor_ms(costs, device)
    return Limits(
        bytes_moved=costs.input_bytes + costs.weight_bytes + costs.output_bytes,
        flops=costs.flops,
        byte_floor_ms=bytes_ms,
        work_floor_ms=work_ms,
        byte_share=None if candidate_ms is None else bytes_ms / candidate_ms,
        work_share=None if candidate_ms is None or not work_ms else work_ms / candidate_ms,
        less_work=candidate_ms is not None and (candidate_ms < work_ms or candidate_ms * MARGIN < bytes_ms),
        certain_share=None if candidate_ms is None or certain_ms is None else certain_ms / candidate_ms,
    )


def measure_costs(model: "torch.nn.Module", inputs: Sequence[Any]) -> ProblemCosts:
    """Runs the reference a few times on copies of ``inputs`` (positional arguments, on its own device).

    Never raises for what the reference cannot do: what cannot be found out counts as 0, which only lowers a floor.
    """
    import torch

    moved = dependent_bytes(model, inputs)
    floating = (
        str(t.dtype).removeprefix("torch.")
        for t in itertools.chain(model.parameters(), _tensors(inputs))
        if t.is_floating_point() and t.dtype is not torch.float64
    )
    return ProblemCosts(
        input_bytes=moved.inputs,
        weight_bytes=moved.weights,
        output_bytes=moved.outputs,
        certain_bytes=moved.certain,
        flops=count_flops(model, inputs),
        dtype=next(floating, "float64"),
    )


def count_flops(model: "torch.nn.Module", inputs: Sequence[Any]) -> int:
    """FLOPs of one call as ``torch.utils.flop_counter`` counts them (a multiplication and an addition are two).

    Elementwise work and reductions count as none. 0 where the counter cannot follow the model.
    """
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter:
        ran = _run(model, inputs)
    return int(counter.get_total_flops()) if ran is not None else 0


def dependent_bytes(model: "torch.nn.Module", inputs: Sequence[Any]) -> DependentBytes:
    """What the outputs depend on, by gradients, and by changing what has none.

    A floating input or weight counts with every row (last axis) in which an element has a gradient under a random
    cotangent: rows that a gather leaves out do not. *Certain* are only the elements that have one themselves. An
    integer input counts by quarters that change an output when their values are shuffled. Where the model cannot be
    differentiated (in-place work, integer outputs, no memory for it), floating inputs count as read if shuffling them
    changes an output, and never as certain; weights count in full. Outputs count once for each element of memory.
    Those that are views of an input cost nothing, neither to write nor to read; repeated slices are not certain.
    """
    before = _run(model, inputs)
    if before is None:
        return DependentBytes(0, 0, 0, 0)
    outputs, ran_on = before
    output_bytes, certain = _output_bytes(_tensors(outputs), _tensors(ran_on), model)
    buffers = dict(model.named_buffers())
    # running statistics of a normalisation have no derivative: where they stop it, they are held fixed
    gradients = _gradients(model, inputs, buffers) or _gradients(model, inputs, {})
    weights = [*model.parameters(), *buffers.values()]
    tensors = _tensors(inputs)
    read = 0
    for k, x in enumerate(tensors):
        told = gradients[k] if gradients is not None else None
        if told is not None and told.read:
            read += told.read
            certain += told.certain
        elif x.is_floating_point() or x.is_complex():
            changed = _run(model, _with_tensor(inputs, k, shuffled(x, 0, x.numel())))
            read += _memory(x) if changed is not None and not _equal(changed[0], outputs) else 0
        else:
            quarters = _quarters_read(model, inputs, k, outputs)
            read += quarters
            certain += quarters
    if gradients is None:
        weight_bytes = sum(_memory(w) for w in weights)
    else:
        told_weights = gradients[len(tensors) :]
        weight_bytes = sum(told.read for told in told_weights if told is not None)
        weight_bytes += sum(_memory(w) for w in weights[len(told_weights) :] if w.is_floating_point())
    return DependentBytes(inputs=read, weights=weight_bytes, outputs=output_bytes, certain=certain)


@dataclass(frozen=True)
class _Told:
    """What one gradient says: bytes of the rows that have any, and of the elements that have one."""

    read: int
    certain: int


def _gradients(
    model: "torch.nn.Module", inputs: Sequence[Any], buffers: Mapping[str, "torch.Tensor"]
) -> list[_Told | None] | None:
    """For the tensors among the inputs, the parameters and ``buffers``; ``None`` for no gradient, or none at all."""
    import torch
    from torch.func import functional_call

    tensors = _tensors(inputs)
    weights: dict[str, torch.Tensor] = {**dict(model.named_parameters()), **buffers}
    try:
        with torch.enable_grad(), _seeded(), _saving_at_most(_room(tensors, weights)), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            leaves = [_leaf(t) for t in tensors]
            named = {name: _leaf(w) for name, w in weights.items()}
            given: Sequence[Any] = inputs
            for k, leaf in enumerate(leaves):
                # a copy for the model, so that work in place does not meet a leaf
                given = _with_tensor(given, k, leaf.clone())
            found = functional_call(model, named, tuple(given))
            held = {t.untyped_storage().data_ptr() for t in (*_tensors(given), *named.values())}
            outputs = [t for t in _tensors(found) if t.requires_grad and t.untyped_storage().data_ptr() not in held]
            cotangents = [torch.randn_like(t) for t in outputs]
            wanted = [*leaves, *named.values()]
            asked = [t for t in wanted if t.requires_grad]
            if not outputs or not asked:
                return None
            answers = iter(torch.autograd.grad(outputs, asked, cotangents, allow_unused=True))
    except Exception:  # the model is anybody's code, and not every operator has a derivative
        return None
    products = (o.detach().abs() * c.abs() for o, c in zip(outputs, cotangents, strict=True))
    scale = math.sqrt(sum(float(product.square().sum()) for product in products))
    originals = [*tensors, *weights.values()]
    found = (next(answers) if leaf.requires_grad else None for leaf in wanted)
    return [_tell(t.detach(), gradient, scale) for t, gradient in zip(originals, found, strict=True)]


def _tell(x: "torch.Tensor", gradient: "torch.Tensor | None", scale: float) -> _Told | None:
    """Gradients that are rounding noise, against their own largest or against the outputs, are none."""
    import torch

    if gradient is None or not x.numel():
        return None
    size = gradient.detach().abs()
    values = x.abs().to(size.dtype)
    # of values that are all zero nothing is known about their usual size
    effect = float(size.square().sum().sqrt()) * (float(values.square().mean().sqrt()) or 1.0)
    if not effect > 8 * torch.finfo(size.dtype).eps * scale:
        return _Told(0, 0)
    has = size > torch.finfo(size.dtype).eps * size.amax()
    width = x.element_size()
    row = x.shape[-1] if x.dim() else 1
    rows = int(has.any(-1).sum()) if x.dim() else 1
    most = _memory(x)
    return _Told(read=min(rows * row * width, most), certain=min(int(has.sum()) * width, most))


def _quarters_read(model: "torch.nn.Module", inputs: Sequence[Any], k: int, outputs: Any) -> int:
    x = _tensors(inputs)[k]
    edges = [x.numel() * q // _QUARTERS for q in range(_QUARTERS + 1)]
    read = 0
    for start, stop in itertools.pairwise(edges):
        if start < stop:
            changed = _run(model, _with_tensor(inputs, k, shuffled(x, start, stop)))
            if changed is not None and not _equal(changed[0], outputs):
                read += (stop - start) * x.element_size()
    return min(read, _memory(x))


def shuffled(x: "torch.Tensor", start: int, stop: int) -> "torch.Tensor":
    """A copy whose elements ``start`` to ``stop`` are others of its own values, so valid ones; bools are negated.

    One at most keeps its own: element k gets the value of number 1 + k · step, step being near the golden section of
    their number. A random permutation of 2e9 elements takes minutes on the CPU, and 16 GB.
    """
    import torch

    values = x.detach().reshape(-1)
    flat = values.clone()
    if x.dtype is torch.bool:
        flat[start:stop] = ~values[start:stop]
        return flat.reshape(x.shape)
    step = _coprime(round(flat.numel() * _GOLDEN), flat.numel())
    for first in range(start, stop, _AT_ONCE):
        last = min(first + _AT_ONCE, stop)
        order = torch.arange(first, last, device=x.device).mul_(step).add_(1).remainder_(flat.numel())
        flat[first:last] = values[order]
    return flat.reshape(x.shape)


def _coprime(near: int, size: int) -> int:
    """The first number from ``near`` on whose multiples pass through every remainder of ``size``."""
    return next(step for step in itertools.count(max(1, near)) if math.gcd(step, size) == 1)


def _output_bytes(
    outputs: list["torch.Tensor"], inputs: list["torch.Tensor"], model: "torch.nn.Module"
) -> tuple[int, int]:
    """Bytes written, and bytes that must be: without repeated slices, which an expanded tensor need not hold."""
    held = {t.untyped_storage().data_ptr() for t in (*inputs, *model.parameters(), *model.buffers())}
    written = certain = 0
    for output in outputs:
        place = output.untyped_storage().data_ptr()
        if place in held:
            continue
        held.add(place)
        written += _memory(output)
        certain += min(_memory(output), _distinct(output) * output.element_size())
    return written, certain


def _distinct(x: "torch.Tensor") -> int:
    """Elements left when every axis along which all slices are equal is cut to one."""
    for axis in range(x.dim()):
        one = x.narrow(axis, 0, min(1, x.shape[axis]))
        # the second slice usually settles it
        if x.shape[axis] > 1 and bool((one == x.narrow(axis, 1, 1)).all()) and bool((one == x).all()):
            x = one
    return x.numel()


def _run(model: "torch.nn.Module", inputs: Sequence[Any]) -> tuple[Any, Sequence[Any]] | None:
    """Outputs, and the copies of the inputs they were computed from; ``None`` where the model raises."""
    import torch

    given: Sequence[Any] = inputs
    for k, t in enumerate(_tensors(inputs)):
        given = _with_tensor(given, k, t.detach().clone())
    try:
        with torch.no_grad(), _seeded():
            return model(*given), given
    except Exception:  # shuffled values need not be valid ones for anybody's model
        return None


def _equal(a: Any, b: Any) -> bool:
    import torch

    pairs = list(zip(_tensors(a), _tensors(b), strict=False))
    return all(x.shape == y.shape and torch.equal(x.nan_to_num(), y.nan_to_num()) for x, y in pairs)


def _memory(x: "torch.Tensor") -> int:
    """Bytes of distinct memory: an expanded tensor has less than its elements say."""
    numel = math.prod(size for size, stride in zip(x.shape, x.stride(), strict=True) if stride)
    return min(numel * x.element_size(), x.untyped_storage().nbytes())


def _tensors(value: Any) -> list["torch.Tensor"]:
    import torch

    from kernelwright.problems.structure import flatten

    return [leaf for leaf in flatten(value)[0] if isinstance(leaf, torch.Tensor)]


def _with_tensor(inputs: Sequence[Any], k: int, new: "torch.Tensor") -> Sequence[Any]:
    """The same arguments with the k-th tensor among them replaced."""
    import torch

    from kernelwright.problems.structure import flatten, unflatten

    leaves, structure = flatten(tuple(inputs))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
    leaves = list(leaves)
    leaves[places[k]] = new
    return unflatten(leaves, structure)


def _leaf(x: "torch.Tensor") -> "torch.Tensor":
    return x.detach().clone().requires_grad_(x.is_floating_point() or x.is_complex())


@contextmanager
def _seeded() -> Generator[None]:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        yield


def _room(tensors: list["torch.Tensor"], weights: Mapping[str, "torch.Tensor"]) -> int:
    """Bytes that the forward pass may keep for the backward pass: a third of what is free on the device."""
    from kernelwright.platforms import get

    device = next((t.device.type for t in (*tensors, *weights.values())), "cpu")
    return get(device).memory_available() // 3


@contextmanager
def _saving_at_most(room: int) -> Generator[None]:
    """Raises ``MemoryError`` in the forward pass that keeps more, before the system runs out."""
    import torch

    kept: dict[int, int] = {}
    total = 0

    def keep(x: torch.Tensor) -> torch.Tensor:
        nonlocal total
        place, size = x.untyped_storage().data_ptr(), x.untyped_storage().nbytes()
        if place not in kept:
            kept[place] = size
            total += size
            if total > room:
                raise MemoryError(f"a backward pass would keep more than {room} bytes")
        return x

    unpack: Callable[[torch.Tensor], torch.Tensor] = lambda x: x  # noqa: E731
    with torch.autograd.graph.saved_tensors_hooks(keep, unpack):
        yield
