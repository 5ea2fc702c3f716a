"""Draws: inputs, what eager PyTorch answers, and the yardstick in float64, kept while memory allows."""

import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from kernelwright.judge import wire
from kernelwright.judge.accuracy import Yardstick, one_rounding_unit
from kernelwright.judge.dispatched import tensors
from kernelwright.judge.files import seal
from kernelwright.judge.gate import Gate, OpenGate
from kernelwright.judge.layout import overlaps
from kernelwright.judge.reference.relations import MOVED, Relation, relations
from kernelwright.judge.reference.sizes import FEWER_ROWS, with_fewer_rows
from kernelwright.judge.reference.wide_convolutions import WideConvolutions
from kernelwright.judge.worker.bench import change_element, copy_inputs, tensor_bytes
from kernelwright.problems import LoadedProblem
from kernelwright.problems.stress import TIES, stress, structural_zeros
from kernelwright.problems.structure import flatten, map_leaves, unflatten

NATURAL = "natural"
CHANGED = "natural, one element changed"
SMALL_BYTES = 64 << 20
KEPT_CONDITIONED_BYTES = 256 << 20
"""Outputs up to this size keep the conditioned ones too: draws that are moved need no run for them."""
_HOST_YARDSTICK_BYTES, _HOST_AFTER_MEMORY_BYTES = 4 << 30, 256 << 20


@dataclass
class Draw:
    """One set of inputs and the answers to it. Outputs are plain nests on the reference's device."""

    inputs: Any
    eager: Any
    yardstick: Yardstick
    """The right answers, in float64 where the reference can run in it."""
    yardstick_kind: str
    """What they are: ``float64``, ``float64 on cpu``, ``float64, unconditioned`` or ``eager: REASON``."""
    aliases: tuple[bool, ...]
    """For each output tensor: whether it shares memory with an input."""
    overlaps: tuple[int | None, ...]
    """For each output tensor: the first one that it has memory in common with."""
    inputs_after: Any | None
    """What the reference left in its inputs, where it changed them."""
    seconds: float
    answers: "Answers"
    _fd: int | None = None

    def file(self, gate: Gate) -> int:
        """The inputs as a sealed file, written at the first call: the very same file goes to every candidate."""
        if self._fd is None:
            with gate.shared():
                inputs = wire.to_host(self.inputs)
            self._fd = wire.pack(inputs, trusted=True, name="inputs")
            seal(self._fd)
        return self._fd

    @property
    def bytes(self) -> int:
        """Memory held: inputs, in the file too where there is one, and outputs in their own precision and float64."""
        inputs = (1 if self._fd is None else 2) * tensor_bytes(self.inputs)
        return inputs + tensor_bytes([self.eager, self.answers.right, self.answers.conditioned])

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Answers(NamedTuple):
    """What outputs are held against, and what kind of answer it is."""

    right: Any
    conditioned: Any | None
    kind: str


def to_float64(value: Any, device: str) -> Any:
    """Copies on ``device`` with every floating tensor in float64 (complex ones in complex128)."""

    def convert(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        if leaf.is_floating_point():
            return leaf.detach().to(device, torch.float64, copy=True)
        if leaf.is_complex():
            return leaf.detach().to(device, torch.complex128, copy=True)
        return leaf.detach().to(device, copy=True)

    return map_leaves(convert, value)


class Draws:
    """Makes draws on demand and keeps the first ones, up to ``budget`` bytes, and the last one.

    Every candidate asks for all of them in the same order: of what does not fit, the recent ones would be gone before
    each is asked for again.

    ``gate``: the one to pass before the device is used, asked for each time.
    """

    def __init__(
        self,
        problem: LoadedProblem,
        model: torch.nn.Module,
        platform: Any,
        budget: int,
        gate: Callable[[], Gate] = OpenGate,
    ):
        self._gate = gate
        self.problem = problem
        self.model = model
        self.platform = platform
        self.budget = budget
        self.keep_zeros: frozenset[int] | None = None
        self.impossible_ways: dict[str, str] = {}
        """Ways to a yardstick that failed once, with the reason: they are not tried again."""
        self.relations: dict[str, Relation] = {}
        """What the problem keeps, by the kind of the draws that are made with it."""
        self._kept: dict[tuple[int, str], Draw] = {}

    def get(self, seed: int, kind: str) -> Draw:
        """The draw under ``seed``; raises whatever the reference raises on it."""
        key = (seed, kind)
        if key in self._kept:
            return self._kept[key]
        likely = max((d.bytes for d in self._kept.values()), default=0)
        while self._kept and sum(d.bytes for d in self._kept.values()) + likely > self.budget:
            self._kept.popitem()[1].close()  # before the next one is made: large ones do not lie side by side
        with self._gate().shared():
            draw = self._new(seed, kind)
        self._kept[key] = draw
        while len(self._kept) > 1 and sum(d.bytes for d in self._kept.values()) > self.budget:
            self._kept.pop([*self._kept][-2]).close()
        return draw

    def _new(self, seed: int, kind: str) -> Draw:
        if kind in MOVED:
            if kind not in self.relations:  # this process stands in for one that was lost
                self.find_relations(seed)
            return self._moved(seed, kind)
        if kind == FEWER_ROWS:
            return self._with_fewer_rows(seed)
        return self._make(self._inputs(seed, kind), seed, kind)

    def sizes(self, seed: int) -> dict[str, int]:
        """Bytes of a natural draw's inputs, of eager's outputs, and of both and all in between at their peak."""
        inputs = self.problem.draw(seed, self.platform.device)
        torch.cuda.reset_peak_memory_stats()
        with torch.no_grad():
            outputs = self.model(*inputs)
        peak = torch.cuda.max_memory_allocated()
        return {"inputs": tensor_bytes(inputs), "outputs": tensor_bytes(wire.plain(outputs)), "peak": peak}

    def clear(self) -> None:
        """Forget every draw."""
        while self._kept:
            self._kept.popitem()[1].close()

    def _inputs(self, seed: int, kind: str) -> Any:
        inputs = self.problem.draw(seed, self.platform.device)
        if kind == NATURAL:
            return inputs
        if self.keep_zeros is None:
            self.keep_zeros = structural_zeros([inputs, self.problem.draw(seed + 1, self.platform.device)])
        return stress(inputs, kind, keep_zeros=self.keep_zeros)

    def _with_fewer_rows(self, seed: int) -> Draw:
        """A natural draw of another size. Raises what the reference raises on the last size that was tried."""
        refused: Exception = ValueError("there is no batch")
        for inputs in with_fewer_rows(self.get(seed, NATURAL).inputs):
            try:
                return self._make(inputs, seed, FEWER_ROWS)
            except Exception as error:  # anybody's module: it may want its two inputs to fit
                refused = error
        raise refused

    def find_relations(self, seed: int) -> tuple[str, ...]:
        """What the problem keeps on the natural draw under ``seed``: the kinds of draws that can now be asked for.

        None where there is no float64, or where the reference changes its inputs. At most six runs in float64.
        """
        base = self.get(seed, NATURAL)
        place = {"float64": self.platform.device, "float64 on cpu": "cpu"}.get(base.yardstick_kind)
        if place is None or base.inputs_after is not None:
            return ()
        wide = to_float64(base.inputs, place)

        def run(given: Any) -> Any:
            return self._run(given, seed, place, torch.float64, moved=False)

        generator = torch.Generator().manual_seed(seed)
        self.relations = {r.kind: r for r in relations(run, wide, base.answers.right, generator)}
        return tuple(self.relations)

    def _moved(self, seed: int, kind: str) -> Draw:
        """A natural draw carried through a relation, answers and all: the reference does not run."""
        began = time.perf_counter()
        base, relation = self.get(seed, NATURAL), self.relations[kind]
        carried = [
            None if value is None else relation.of_outputs(value)
            for value in (base.eager, base.answers.right, base.answers.conditioned)
        ]
        with few_threads(tensor_bytes(base.eager)):
            yardstick = Yardstick(*carried, draw=kind, stress=True)
        answers = Answers(carried[1], carried[2], base.answers.kind)
        seconds = time.perf_counter() - began
        inputs = relation.of_inputs(base.inputs)
        return Draw(inputs, carried[0], yardstick, answers.kind, base.aliases, base.overlaps, None, seconds, answers)

    def run_moved(self, seed: int, kind: str) -> Draw:
        """The same draw by a run of the reference; not kept, the caller closes it."""
        return self._make(copy_inputs(self.get(seed, kind).inputs), seed, kind)

    def changed(self, seed: int, change: dict[str, Any]) -> Draw:
        """A natural draw with one element changed; not kept, the caller closes it."""
        inputs = copy_inputs(self.get(seed, NATURAL).inputs)
        change_element(inputs, change)
        return self._make(inputs, seed, CHANGED)

    def eager_on_changed(self, seed: int, change: dict[str, Any]) -> Any:
        """Only eager's answer to a natural draw with one element changed."""
        given = copy_inputs(self.get(seed, NATURAL).inputs)
        change_element(given, change)
        with torch.no_grad():
            torch.manual_seed(seed)
            eager = wire.plain(self.model(*given))
        self.platform.synchronize()
        return self._detached(eager, given)

    def _make(self, inputs: Any, seed: int, kind: str) -> Draw:
        began = time.perf_counter()
        given = copy_inputs(inputs)
        with torch.no_grad():
            torch.manual_seed(seed)
            eager = wire.plain(self.model(*given))
        self.platform.synchronize()
        aliases, overlapping = shares_memory(eager, given), tuple(overlaps(tensors(eager)))
        eager = self._detached(eager, given)
        after = given if self._differs(given, inputs) else None
        del given  # large inputs: what follows needs the room
        answers = self._answers(inputs, eager, seed)
        stressed = kind not in (NATURAL, CHANGED)
        with few_threads(tensor_bytes(eager)):
            yardstick = Yardstick(eager, answers.right, answers.conditioned, draw=kind, stress=stressed)
            if kind == TIES and yardstick.leaps:  # these inputs are exact, and so are the ties among them
                answers = answers._replace(conditioned=None)
                yardstick = Yardstick(eager, answers.right, draw=kind, stress=stressed)
        if kind != NATURAL or tensor_bytes(eager) > KEPT_CONDITIONED_BYTES:
            answers = answers._replace(conditioned=None)
        self.platform.synchronize()
        seconds = time.perf_counter() - began
        return Draw(inputs, eager, yardstick, answers.kind, aliases, overlapping, after, seconds, answers)

    def _detached(self, outputs: Any, inputs: Any) -> Any:
        """Outputs that share no memory with the inputs: an output that is a view would change with them."""
        held = storages(inputs)

        def cut(leaf: Any) -> Any:
            return leaf.clone() if isinstance(leaf, torch.Tensor) and _storage(leaf) in held else leaf

        return map_leaves(cut, outputs)

    def _differs(self, after: Any, before: Any) -> bool:
        pairs = zip(flatten(after)[0], flatten(before)[0], strict=True)
        return any(isinstance(a, torch.Tensor) and not bitwise_equal(a, b) for a, b in pairs)

    def _answers(self, inputs: Any, eager: Any, seed: int) -> Answers:
        """The reference in float64: on its own device, or without the conditioned run, or on the CPU, or not at all.

        Whatever the reference raises in float64, the next way is tried; eager's own answers are the last one.
        """
        device = self.platform.device
        ways = [(device, True, "float64"), (device, False, "float64, unconditioned")] if device != "mps" else []
        if device != "cpu" and tensor_bytes(inputs) < _HOST_YARDSTICK_BYTES:
            ways.append(("cpu", True, "float64 on cpu"))
        for place, conditioned, name in ways:
            if name in self.impossible_ways or (place == "cpu" and self._too_long_on_the_host(inputs, eager)):
                continue
            try:
                right = self._run(inputs, seed, place, torch.float64, moved=False)
                moved = self._run(inputs, seed, place, torch.float64, moved=True) if conditioned else None
                return Answers(right, moved, name)
            except Exception as error:  # the reference is anybody's code
                if isinstance(error, torch.OutOfMemoryError) and self._gate().in_company:
                    raise  # others have the memory: no reason to do with less, or to take the CPU
                self.impossible_ways[name] = one_line(error)
                self.platform.reset_memory()
        reason = next(iter(self.impossible_ways.values()), "no float64 on this device")
        try:
            return Answers(eager, self._run(inputs, seed, device, None, moved=True), f"eager: {reason}")
        except Exception as error:
            self.platform.reset_memory()
            return Answers(eager, None, f"eager: {reason}; {one_line(error)}")

    def _too_long_on_the_host(self, inputs: Any, eager: Any) -> bool:
        """What the device has no memory for takes the CPU minutes."""
        lacked_memory = any(reason.startswith("OutOfMemoryError") for reason in self.impossible_ways.values())
        return lacked_memory and tensor_bytes([inputs, eager]) > _HOST_AFTER_MEMORY_BYTES

    def _run(self, inputs: Any, seed: int, place: str, dtype: torch.dtype | None, *, moved: bool) -> Any:
        """Outputs in ``dtype`` (``None``: its own); ``moved``: inputs and weights moved by one rounding unit each."""
        default = torch.get_default_dtype()
        try:
            if dtype is not None:
                torch.set_default_dtype(dtype)  # for tensors that forward makes itself
            model = deepcopy(self.model).to(place)
            given = to_float64(inputs, place) if dtype is not None else copy_inputs(inputs)
            if moved:
                given = self._move(model, given, inputs, seed, wide=dtype is not None)
            if dtype is not None:
                model = model.double()
            wide_on_gpu = place == "cuda" and dtype is torch.float64
            with torch.no_grad(), WideConvolutions() if wide_on_gpu else nullcontext():
                torch.manual_seed(seed)
                return wire.plain(model(*given))
        finally:
            torch.set_default_dtype(default)

    def _move(self, model: torch.nn.Module, given: Any, inputs: Any, seed: int, *, wide: bool) -> Any:
        leaves, structure = flatten(given)
        originals = flatten(inputs)[0]
        with torch.no_grad():
            for k, parameter in enumerate(model.parameters()):
                if parameter.is_floating_point():
                    moved_weight = one_rounding_unit(parameter.detach(), seed + 1000 + k)
                    parameter.data = moved_weight if wide else moved_weight.to(parameter.dtype)
        moved: list[Any] = []
        for k, (leaf, original) in enumerate(zip(leaves, originals, strict=True)):
            if isinstance(leaf, torch.Tensor) and leaf.is_floating_point():
                moved.append(one_rounding_unit(leaf, seed + k, original.dtype).to(leaf.dtype))
            else:
                moved.append(leaf)
        return unflatten(moved, structure)


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def storages(value: Any) -> frozenset[int]:
    """Addresses of the memory behind every tensor in ``value``."""
    return frozenset(_storage(leaf) for leaf in flatten(value)[0] if isinstance(leaf, torch.Tensor) and leaf.numel())


def shares_memory(outputs: Any, inputs: Any) -> tuple[bool, ...]:
    """For each tensor in ``outputs``, from left to right: does it share memory with one in ``inputs``?"""
    held = storages(inputs)
    return tuple(_storage(leaf) in held for leaf in flatten(outputs)[0] if isinstance(leaf, torch.Tensor))


@contextmanager
def few_threads(size: int) -> Generator[None]:
    """One thread for comparing up to ``SMALL_BYTES``: waiting for a pool's slowest thread costs more than it brings."""
    threads = torch.get_num_threads()
    try:
        if size <= SMALL_BYTES:
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(threads)


def one_line(error: BaseException) -> str:
    """Type and first line of an error."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text}"[:500]


def bitwise_equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Same shape, dtype and values, where NaN equals a NaN of the same bits."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.numel() == 0 or torch.equal(a, b):
        return True
    widths = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    if a.is_complex():
        a, b = torch.view_as_real(a), torch.view_as_real(b)
    as_bits = widths[a.element_size()]
    return torch.equal(a.contiguous().view(as_bits), b.contiguous().view(as_bits))
