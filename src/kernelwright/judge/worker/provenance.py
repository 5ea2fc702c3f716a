"""Where do a candidate's outputs come from: from PyTorch's own operators, or from a kernel of its own?

PyTorch dispatches every operator, those that C++ calls too, so whatever wrote a tensor and was not dispatched is
foreign: a Triton or CUDA launch, a C function, a compiled extension's own loop. Three calls are watched:

1. on one draw, to learn the memory that was there before and stays as it is: weights, constants, packed weights;
2. on another, following which tensors hold foreign values and what was computed from them;
3. on that one again, where foreign values are *spoilt* before the first operator reads them: outputs that do not change
   did not depend on them, so that a decoy kernel shows, and so does one whose result is multiplied by zero.

All of it runs in the candidate's own process, so a program that sets its mind to it can lie. What there is to gain by
that is a label, never a speed: see docs/integrity.md.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any, cast
from unittest.mock import patch

import torch

from kernelwright.judge.dispatched import DispatchWatch, is_view, place, tensors, written
from kernelwright.judge.worker.bench import copy_inputs

SAMPLED = 1 << 16
"""Bytes of a storage that its fingerprint looks at: all of a small one, evenly spaced ones of a large one."""
MAX_OPERATORS = 5_000
"""A call with more than these is not followed: it would take too long."""
CHANGED = 1e-3
"""By how much of its size an output must change to count as changed: kernels with atomics change by less anyway."""
_NAMESPACES = frozenset({"aten", "prim", "prims"})
_OVERWRITES = frozenset({"copy_", "fill_", "zero_", "uniform_", "normal_", "random_", "bernoulli_", "exponential_"})
"""Operators in place that do not read what was there."""
_WRITES_NO_VALUES = frozenset({"set_", "resize_", "t_", "transpose_", "squeeze_", "unsqueeze_", "as_strided_"})
"""Operators in place that change where a tensor looks, and nothing there."""
_COMPUTE_NOTHING = frozenset({"detach", "detach_", "lift_fresh", "lift", "_unsafe_view"})
"""Left out of the list of operators, with views and allocations."""


class Untraceable(RuntimeError):
    """The call has more operators than are followed, or replays what was recorded before."""


class _Writer(Enum):
    """Who wrote a storage last."""

    OPERATOR = "operator"
    NOBODY_SEEN = "nobody_seen"
    GIVEN = "given"
    """An input of the call, or memory that was there before and never changes."""


@dataclass
class _Memory:
    """What is known of one storage."""

    writer: _Writer
    tainted: bool
    """It holds values that nobody was seen writing, or values computed from such."""
    fingerprint: int | None = None
    """As it was left; ``None``: allocated, not written by an operator."""
    spoilt: bool = False


@dataclass(frozen=True)
class Traced:
    """What was found out about a candidate."""

    operators: tuple[str, ...]
    """PyTorch's operators in the order of the call, those that compute nothing left out."""
    own_kernel: bool
    """Some output depends on values that none of these operators wrote."""
    seconds: float = 0.0
    """Inside the calls, without what watching them took."""


class Watch(DispatchWatch):
    """One call. ``constants``: fingerprints of memory that an earlier call met; ``spoil``: foreign values."""

    def __init__(self, inputs: Any, constants: frozenset[int] = frozenset(), *, spoil: bool = False) -> None:
        super().__init__()
        self.operators: list[str] = []
        self.not_spoilt = False
        """Foreign values were read that must not be spoilt: integers may be indices."""
        self.looking = 0.0
        """Seconds spent on fingerprints."""
        self.seconds = 0.0
        """Of the call, without those."""
        self._constants, self._spoil = constants, spoil
        self._memory = {place(tensor): _Memory(_Writer.GIVEN, tainted=False) for tensor in tensors(inputs)}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = kwargs or {}
        if func.namespace not in _NAMESPACES and (inside := _kernel_of(func, (args, kwargs))) is not None:
            with self:  # what a registered operator calls is followed, as if it were called directly
                return inside(*args, **kwargs)
        name = func.overloadpacket.__name__
        given, targets = tensors((args, kwargs)), written(func, args, kwargs)
        if name in _WRITES_NO_VALUES:
            targets = []
        whole = [
            t for t in targets if _covers(t) and (name in _OVERWRITES or func._schema.overload_name.endswith("out"))
        ]
        read = [t for t in given if not any(t is target for target in whole)]
        taints = [self.tainted(tensor) for tensor in read]  # each is looked at, and spoilt
        result = func(*args, **kwargs)
        taint = any(taints) or func.namespace not in _NAMESPACES
        for target in targets:
            self._left(target, tainted=taint)
        places = {place(tensor) for tensor in given}
        allocates = name.removeprefix("new_").startswith("empty")
        for tensor in tensors(result):
            if place(tensor) not in places and name not in _WRITES_NO_VALUES:
                self._left(tensor, tainted=taint or allocates, allocated=allocates)
        if not (allocates or name in _COMPUTE_NOTHING | _WRITES_NO_VALUES or is_view(func)):
            self.operators.append(str(func))
            if len(self.operators) > MAX_OPERATORS:
                raise Untraceable(f"the call has more than {MAX_OPERATORS} operators")
        return result

    def tainted(self, tensor: torch.Tensor) -> bool:
        """Whether what this tensor holds now comes from values that nobody was seen writing. May spoil them."""
        if not _followed(tensor):
            return False
        memory = self._look(tensor)
        if memory.writer is _Writer.NOBODY_SEEN and self._spoil and not memory.spoilt:
            self.not_spoilt |= not _spoil(tensor)
            memory.fingerprint, memory.spoilt = self._fingerprint(tensor), True
        return memory.tainted

    def direct(self, tensor: torch.Tensor) -> bool:
        """Whether nobody was seen writing this tensor itself."""
        return _followed(tensor) and self._look(tensor).writer is _Writer.NOBODY_SEEN

    def fingerprints(self) -> frozenset[int]:
        """Of everything that was met or written."""
        return frozenset(m.fingerprint for m in self._memory.values() if m.fingerprint is not None)

    def _look(self, tensor: torch.Tensor) -> _Memory:
        memory = self._memory.get(place(tensor))
        if memory is not None and memory.writer is _Writer.GIVEN:
            return memory
        now = self._fingerprint(tensor)
        if memory is None:
            constant = now in self._constants
            memory = _Memory(_Writer.GIVEN if constant else _Writer.NOBODY_SEEN, not constant, now)
            self._memory[place(tensor)] = memory
        elif memory.fingerprint != now:
            memory.writer, memory.tainted, memory.fingerprint, memory.spoilt = _Writer.NOBODY_SEEN, True, now, False
        return memory

    def _left(self, tensor: torch.Tensor, *, tainted: bool, allocated: bool = False) -> None:
        if not _followed(tensor):
            return
        if allocated:
            self._memory[place(tensor)] = _Memory(_Writer.NOBODY_SEEN, tainted=True)
        else:
            self._memory[place(tensor)] = _Memory(_Writer.OPERATOR, tainted, self._fingerprint(tensor))

    def _fingerprint(self, tensor: torch.Tensor) -> int:
        began = time.perf_counter()
        found = _fingerprint(tensor)
        self.looking += time.perf_counter() - began
        return found


def trace(model: Callable[..., Any], first: Sequence[Any], second: Sequence[Any], settle: Callable[[], None]) -> Traced:
    """Call ``model`` up to three times on copies of two draws' inputs; ``settle`` waits for the device.

    Raises whatever the model raises in the first two calls, and ``Untraceable``.
    """
    _, before = _watched(model, first, settle)
    constants = before.fingerprints()
    outputs, watch = _watched(model, second, settle, constants)
    traced = Traced(tuple(watch.operators), own_kernel=True, seconds=before.seconds + watch.seconds)
    if not any(watch.tainted(tensor) for tensor in tensors(outputs)):
        return replace(traced, own_kernel=False)
    if any(watch.direct(tensor) for tensor in tensors(outputs)):
        return traced
    expected = copy_inputs(outputs)
    try:
        spoilt, last = _watched(model, second, settle, constants, spoil=True)
    except Exception:  # spoilt values reached an index or a branch: the outputs depend on them
        return traced
    depends = last.not_spoilt or _differ(expected, spoilt)
    return replace(traced, own_kernel=depends, seconds=traced.seconds + last.seconds)


def operators(model: Callable[..., Any], inputs: Sequence[Any]) -> tuple[str, ...]:
    """PyTorch's operators in one call, as ``Traced.operators`` has them. Raises what it raises, and ``Untraceable``."""
    return tuple(_watched(model, inputs, lambda: None)[1].operators)


def _watched(
    model: Callable[..., Any],
    inputs: Sequence[Any],
    settle: Callable[[], None],
    constants: frozenset[int] = frozenset(),
    *,
    spoil: bool = False,
) -> tuple[Any, Watch]:
    given = copy_inputs(inputs)
    watch = Watch(given, constants, spoil=spoil)
    torch.manual_seed(0)
    began = time.perf_counter()
    with torch.no_grad(), patch.object(torch.cuda.CUDAGraph, "replay", _refuse_replay), watch:
        outputs = model(*given)
    settle()
    watch.seconds = time.perf_counter() - began - watch.looking
    return outputs, watch


def _refuse_replay(_graph: Any) -> None:
    """A CUDA graph's kernels may be anybody's, PyTorch's too: where one is replayed, nothing can be said."""
    raise Untraceable("the call replays a CUDA graph")


def _kernel_of(func: Any, arguments: Any) -> Callable[..., Any] | None:
    """What a registered operator runs on these tensors' device, without another dispatch of the operator itself."""
    device = next((tensor.device.type for tensor in tensors(arguments)), None)
    c = cast(Any, torch)._C
    key = {"cpu": c.DispatchKey.CPU, "cuda": c.DispatchKey.CUDA}.get(device or "")
    if key is None or not c._dispatch_has_kernel_for_dispatch_key(func.name(), key):
        return None
    return partial(func._op_dk, key)


def _followed(tensor: torch.Tensor) -> bool:
    return tensor.layout is torch.strided and tensor.device.type != "meta" and tensor.numel() > 0


def _covers(tensor: torch.Tensor) -> bool:
    return tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(tensor.untyped_storage())


def _fingerprint(tensor: torch.Tensor) -> int:
    content = _bytes(tensor)
    step = max(1, content.numel() // SAMPLED) | 1  # odd, so that every byte of a number has its turn
    sample = content[::step].to(torch.int64)
    weights = torch.arange(1, sample.numel() + 1, device=sample.device)
    return hash((content.numel(), int((sample * weights).sum())))


def _spoil(tensor: torch.Tensor) -> bool:
    """Other values, finite and of the same size, in the whole storage; ``False`` for what is not floating point.

    In other places too, each time in others: a normalisation takes away a shift and a factor, and twice a negative one
    is positive.
    """
    if not tensor.is_floating_point():
        return False
    content = _bytes(tensor)
    usable = content.numel() - content.numel() % tensor.element_size()
    values = content[:usable].view(tensor.dtype)
    values.nan_to_num_(0.0, 0.0, 0.0).mul_(-1.5).add_(0.5)
    values.copy_(values.roll(values.numel() // 3 + 1))
    return True


def _differ(expected: Any, found: Any) -> bool:
    pairs = list(zip(tensors(expected), tensors(found), strict=False))
    return any(_changed(a, b) for a, b in pairs)


def _changed(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return True
    if not a.is_floating_point():
        return not torch.equal(a, b)
    finite = torch.isfinite(a)
    if not torch.equal(finite, torch.isfinite(b)):
        return True
    x, y = a[finite].double(), b[finite].double()
    return bool((x - y).norm() > CHANGED * x.norm())
