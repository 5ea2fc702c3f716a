"""The loop around one candidate, inside its cell: import it, build ``ModelNew``, call it, hand over what came out."""

import importlib.util
import linecache
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import torch

from kernelwright import platforms
from kernelwright.judge import wire
from kernelwright.judge.channel import Channel, ChannelClosed
from kernelwright.judge.dispatched import place, tensors
from kernelwright.judge.first_call import FirstCall
from kernelwright.judge.gate import SPARE_BYTES, Visitor, WaitingTime
from kernelwright.judge.layout import overlaps
from kernelwright.judge.worker import built
from kernelwright.judge.worker.bench import Bench, change_element, copy_inputs, tensor_bytes
from kernelwright.judge.worker.counters import HardwareCounters
from kernelwright.judge.worker.device import Device, PlatformDevice, StandInDevice
from kernelwright.platforms import cuda_sharing
from kernelwright.problems.structure import flatten, map_leaves, unflatten

T = TypeVar("T")
MAX_TEXT = 20_000
MAX_CAUSES = 4
MAX_ARTIFACT = 400_000
LATE_BYTES = 1 << 30
"""Inputs beyond this size are not laid out a second time."""


def describe_error(error: BaseException, source_name: str) -> dict[str, Any]:
    """Type, message, traceback and the last line of the candidate's own source that the error passed through."""
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == source_name:
            line = frame.lineno
    text = "".join(traceback.format_exception(error, limit=-6))
    causes: list[str] = []
    cause = error.__cause__
    while cause is not None and len(causes) < MAX_CAUSES:
        causes.append(_shortened(str(cause)))
        cause = cause.__cause__
    return {
        "type": type(error).__name__,
        "message": _shortened(str(error)),
        "causes": causes,
        "traceback": text[-MAX_TEXT:],
        "line": line,
    }


def _shortened(text: str) -> str:
    """At most ``MAX_TEXT`` characters of a message: its end, or all that fits from a compiler's first error on."""
    if len(text) <= MAX_TEXT:
        return text
    first = re.search(r"^.*\berror\s*:", text, re.MULTILINE)
    begin = min(first.start() if first else len(text), len(text) - MAX_TEXT)
    return text[begin : begin + MAX_TEXT]


def describe_tensors(value: Any, inputs: Any, device: Device) -> list[dict[str, Any]]:
    """For each tensor leaf in order: is it a plain tensor, on which device, with what does it share memory."""
    given = {place(tensor) for tensor in tensors(inputs)}
    found: list[dict[str, Any]] = []
    leaves = tensors(wire.plain(value))
    kinds = [type(leaf) is torch.Tensor or type(leaf) is torch.nn.Parameter for leaf in leaves]
    overlapping = overlaps(leaves) if all(kinds) else [None] * len(leaves)
    for leaf, plain, overlap in zip(leaves, kinds, overlapping, strict=True):
        record: dict[str, Any] = {"plain": plain, "type": type(leaf).__name__, "device": device.type_of(leaf)}
        record["overlaps"] = overlap
        if plain and leaf.layout is torch.strided:
            record["aliases_input"] = place(leaf) in given
        found.append(record)
    return found


def write_over(old: Any, new: Any) -> Any:
    """``old`` with the values of ``new`` in it: the same tensor objects at the same addresses, where they fit."""
    before, structure = flatten(old)
    after, other = flatten(new)
    if structure != other:
        return new
    merged: list[Any] = []
    for a, b in zip(before, after, strict=True):
        fits = isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and a.shape == b.shape and a.dtype == b.dtype
        merged.append(a.copy_(b) if fits else b)
    return unflatten(merged, structure)


def load_weights(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> str:
    """Copy the reference's weights: by name, or else by registration order where every shape and dtype agrees.

    Returns ``by_name`` or ``by_order``. Raises ``RuntimeError`` that lists both sides where neither fits.
    """
    own = model.state_dict()
    if own.keys() == weights.keys():
        model.load_state_dict(weights)
        return "by_name"
    mine, theirs = list(own.items()), list(weights.items())
    if len(mine) == len(theirs) and all(
        a.shape == b.shape and a.dtype == b.dtype for (_, a), (_, b) in zip(mine, theirs, strict=True)
    ):
        model.load_state_dict({name: value for (name, _), (_, value) in zip(mine, theirs, strict=True)})
        return "by_order"

    def lines(items: list[tuple[str, torch.Tensor]]) -> str:
        return ", ".join(f"{name} {list(value.shape)}" for name, value in items[:20]) or "none"

    raise RuntimeError(
        "the weights of ModelNew match the reference's neither by name nor by registration order.\n"
        f"reference: {lines(theirs)}\nModelNew: {lines(mine)}\n"
        "Keep the names of Model's parameters and buffers; register derived tensors with persistent=False."
    )


def compiled_by_dynamo() -> bool:
    """Whether anything in this process went through ``torch.compile``, whatever name it was called by."""
    frames = sys.modules.get("torch._dynamo.convert_frame")
    return frames is not None and bool(getattr(frames, "FRAME_COUNTER", 0))


class Harness:
    """Answers the judge's requests for one candidate. Every failure of the candidate becomes an ``error`` reply."""

    def __init__(self, channel: Channel, platform: str, directory: str, hardware: HardwareCounters | None = None):
        self.channel = channel
        self.platform = platforms.get(platform)
        self.directory = Path(directory)
        self.device: Device = PlatformDevice(self.platform.device)
        self.bench = Bench(self.platform)
        self.module: Any = None
        self.model: Callable[..., Any] | None = None
        self.file = ""
        self.last_inputs: Any = None
        self.kept_outputs: Any = None
        self.hardware = hardware
        self.counters: Any = None
        self.builds = self.directory
        """Below it lies what is compiled in this process."""
        self.builds_found: frozenset[tuple[str, int, int]] = frozenset()
        built.point_at(self.builds)
        self.visitor: Visitor | None = None
        """Passes the gate, where this process was handed it; else the judge passes it around requests."""
        self.names_compile = False
        self.room: wire.Room | None = None
        self.lent: tuple[torch.Tensor, ...] = ()
        """What the judge was lent last: it reads it before it asks for anything else."""

    def serve(self) -> None:
        while True:
            try:
                message, fds = self.channel.receive()
            except ChannelClosed:
                return
            handler = getattr(self, "on_" + message["op"])
            self.lent = ()
            try:
                reply, out = handler(message, fds)
            except BaseException as error:  # SystemExit and KeyboardInterrupt of a candidate are answers too
                reply, out = {"error": describe_error(error, self.file), "metal": self.device.record()}, ()
            for fd in fds:
                os.close(fd)
            reply["id"] = message["id"]
            self.channel.send(reply, out)
            for fd in out:
                os.close(fd)

    def on_lend(self, _message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """A tensor to try it with."""
        return {}, (self._handed_over(torch.arange(wire.TRIED, device=self.platform.device), lend=True),)

    def on_borrow(self, _message: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Whether what the reference lent can be read."""
        return {"same": bool((self._read(fds[0]).cpu() == torch.arange(wire.TRIED)).all())}, ()

    def on_hello(self, _message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        return {}, ()

    def on_gate(self, _message: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Room and turnstile of the gate, which this process passes itself from now on, and where it says it waits."""
        room, turnstile, waiting = map(os.dup, fds)
        self.visitor = Visitor(room, turnstile, WaitingTime(waiting))
        self.platform.memory_available()  # makes the device's context, which takes long: not inside
        return {}, ()

    def _on_the_device(self, work: Callable[[], T]) -> T:
        """``work`` inside the gate, beside others; where these leave too little memory, once more without them.

        What compiles there lets others have the device alone. What is cached is given back afterwards.
        """
        if self.visitor is None:
            return self._sparing(work)
        compiles = self.names_compile or "torch._dynamo" in sys.modules
        for _ in range(2):  # what has compiled by now is not compiled again, alone least of all
            try:
                with FirstCall(self.visitor, compiles=compiles):
                    return self._sparing(work)
            except torch.OutOfMemoryError:
                pass  # only here is what the failed try held let go of
            self.visitor.enter("alone")  # once everybody has left, what they needed for a moment is free
            self.visitor.leave()
        self.visitor.enter("alone")
        try:
            return self._sparing(work)
        finally:
            self.visitor.leave()

    def _sparing(self, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            self.platform.reset_memory(at_least=SPARE_BYTES)

    @property
    def _waited(self) -> float:
        """Seconds before the gate so far."""
        return self.visitor.waited if self.visitor is not None else 0.0

    def on_load(self, message: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Import the candidate from a real file: Triton and tracebacks need one.

        ``mac``: what stands in for a Mac. ``interpret``: Triton kernels run in its interpreter. ``builds``: what is
        compiled will be kept; a file holds what an earlier process of the same text compiled.
        """
        if (builds := message.get("builds")) is not None:
            self._take_builds(builds["directory"], fds)
        if message.get("interpret"):
            os.environ["TRITON_INTERPRET"] = "1"
        if (mac := message.get("mac")) is not None:
            self.device = StandInDevice(mac)
        path = self.directory / f"{message['name']}.py"
        path.write_text(message["source"])
        self.names_compile = "torch.compile" in message["source"]
        self.file = str(path)
        linecache.checkcache(self.file)
        began = time.perf_counter()
        spec = importlib.util.spec_from_file_location(message["name"], path)
        assert spec is not None and spec.loader is not None
        self.module = importlib.util.module_from_spec(spec)
        sys.modules[message["name"]] = self.module
        torch.manual_seed(message["seed"])
        with self.device.active():
            spec.loader.exec_module(self.module)
        return {"seconds": time.perf_counter() - began, "has_model": hasattr(self.module, "ModelNew")}, ()

    def _take_builds(self, directory: str | None, fds: list[int]) -> None:
        if directory is not None:
            self.builds = Path(directory)
            built.point_at(self.builds)
        try:
            for fd in fds:
                built.unpack(fd, self.builds)
        except (built.Unreadable, OSError):  # no fault of the candidate, which can be built as well
            built.clear(self.builds)
        self.builds_found = built.state(self.builds)

    def on_built(self, _message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Everything that was compiled in this process; no file where there is nothing, or nothing new."""
        if built.state(self.builds) == self.builds_found:
            return {}, ()
        fd = built.pack(self.builds)
        return {}, () if fd is None else (fd,)

    def on_construct(self, message: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Build ``ModelNew`` with the reference's constructor arguments, give it the reference's weights."""
        given = wire.unpack(fds[0], trusted=True)
        began = time.perf_counter()
        torch.manual_seed(message["seed"])
        with self.device.active():
            model = self.module.ModelNew(*given["args"], **given["kwargs"])
            model.eval()
            how = load_weights(model, given["weights"])
        waited = self._waited
        self._on_the_device(lambda: self._settle(model))
        return {"seconds": time.perf_counter() - began - (self._waited - waited), "weights": how}, ()

    def _settle(self, model: torch.nn.Module) -> None:
        with self.device.active():
            self.model = model.to(self.device.name)
        self.platform.synchronize()

    def on_run(self, message: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """One call on one draw; outputs and, where asked, the inputs as the call left them.

        With ``reuse`` the values are written into the very tensors of the call before.
        """
        return self._on_the_device(lambda: self._run(message, self._read(fds[0])))

    def on_room(self, message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Memory on the CPU for ``bytes`` of outputs, so that nobody waits for it while the device is held."""
        if self.room is not None:
            if self.room.size >= message["bytes"]:
                return {}, ()
            self.room.close()
            self.room = None
        with suppress(OSError):  # then they are copied into fresh memory
            self.room = wire.Room(message["bytes"])
        return {}, ()

    def _read(self, fd: int) -> Any:
        """Inputs from the judge's file, on the platform's device."""
        device = self.platform.device
        lender = cuda_sharing if self.platform.name == "cuda" else None
        return wire.unpack(fd, trusted=True, mapped=device != "cpu", device=device, lender=lender)

    def _handed_over(self, value: Any, *, lend: bool) -> int:
        """A file with tensors for the judge; with ``lend`` one that says where copies of them lie on the device."""
        with self.platform.callers_stream():  # as the caller's next operator would read them: no wait for other streams
            if not lend:
                return wire.pack(value, room=self.room)
            lent = wire.lend(value, cuda_sharing, copies=True)
        self.lent = lent.tensors
        self.platform.synchronize()
        return lent.fd

    def _run(self, message: dict[str, Any], values: Any) -> tuple[dict[str, Any], tuple[int, ...]]:
        change_element(values, message["change"])
        self.platform.synchronize()
        inputs = self.last_inputs = self.device.take(self._late(values, self.last_inputs if message["reuse"] else None))
        self.device.watch(message.get("watch"))
        torch.manual_seed(message["seed"])
        assert self.model is not None
        with torch.no_grad(), self.device.active():
            began, waited = time.perf_counter(), self._waited
            outputs = self.model(*inputs)
            seconds = time.perf_counter() - began - (self._waited - waited)
        if message["keep"]:
            self.kept_outputs = outputs
        found = describe_tensors(outputs, inputs, self.device)
        answer: dict[str, Any] = {"outputs": outputs, "inputs": inputs if message["return_inputs"] else None}
        fd = self._handed_over(answer, lend=message["lend"])
        began = time.perf_counter()
        self.platform.synchronize()
        seconds += time.perf_counter() - began
        return {"seconds": seconds, "tensors": found, "metal": self.device.record()}, (fd,)

    def _late(self, values: Any, old: Any | None) -> Any:
        """Tensors that get their values a while from now, in the order of the caller's stream.

        In ``old``, where it is given and fits; else in memory that held something else, unless there is much of it.
        """
        if not self.platform.flush_between_calls:  # no queue: everything happens at once
            return values if old is None else write_over(old, values)
        if old is None:
            if tensor_bytes(values) > LATE_BYTES:
                return values
            old = map_leaves(lambda leaf: torch.empty_like(leaf) if isinstance(leaf, torch.Tensor) else leaf, values)
        self.platform.stall()
        return write_over(old, values)

    def on_again(self, message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Outputs of an earlier call that were kept: later calls must not have touched them."""
        kept = {"outputs": self.kept_outputs, "inputs": None}
        return {}, (self._on_the_device(lambda: self._handed_over(kept, lend=message["lend"])),)

    def on_store(self, message: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Keep an input set for timed blocks. Whatever was kept for looking at calls is done with."""
        self.last_inputs = self.kept_outputs = None
        self.bench.inputs[message["slot"]] = self._on_the_device(lambda: self._read(fds[0]))
        return {}, ()

    def on_warm(self, message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Untimed calls before timing: compilers and allocators settle."""
        assert self.model is not None
        began = time.perf_counter()
        with torch.no_grad():
            for _ in range(message["calls"]):
                self.model(*copy_inputs(self.bench.inputs[message["slot"]]))
        self.platform.synchronize()
        return {"seconds": time.perf_counter() - began}, ()

    def on_prepare(self, message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        assert self.model is not None
        self.bench.prepare(self.model, message["slots"], message["changes"])
        return {}, ()

    def on_go(self, _message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        return self.bench.go(), ()

    def on_outputs(self, message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        outputs = self.bench.outputs(message["calls"])
        found = describe_tensors(outputs, None, self.device)
        return {"tensors": found}, (self._handed_over(outputs, lend=True) if message["lend"] else wire.pack(outputs),)

    def on_clear(self, _message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        self.bench.clear()
        return {}, ()

    def on_count(self, message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Begin to count what this process uses, or answer with what it used since."""
        from kernelwright.judge.worker.watching import UsageCounters

        if message["begin"]:
            assert self.hardware is not None, "this process was started without counters"
            self.counters = UsageCounters(self.hardware)
            self.counters.start()
            return {}, ()
        return self.counters.stop(), ()

    def on_watch(self, message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Calls under the profiler; their events."""
        from kernelwright.judge.worker.watching import watch

        assert self.model is not None
        inputs = [copy_inputs(self.bench.inputs[message["slot"]]) for _ in range(message["calls"])]
        return watch(self.model, inputs, self.platform), ()

    def on_trace(self, _message: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Where the outputs come from, on two draws: PyTorch's operators, or a kernel of the candidate's own."""
        from kernelwright.judge.worker.provenance import Traced, trace

        assert self.model is not None
        if compiled_by_dynamo():  # a watched call would be compiled anew
            return {"compiled": True}, ()

        def call(*inputs: Any) -> Any:
            assert self.model is not None
            adopted = self.device.take(inputs)
            with self.device.active():
                return self.model(*adopted)

        self.bench.forget()

        def traced_call() -> Traced:
            first, second = map(self._read, fds)
            return trace(call, first, second, self.platform.synchronize)

        traced = self._on_the_device(traced_call)
        found = {"operators": list(traced.operators), "own_kernel": traced.own_kernel, "seconds": traced.seconds}
        return {"compiled": False, **found}, ()

    def on_artifacts(self, _message: dict[str, Any], _fds: list[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """The code that TorchInductor generated in this process: the modules that hold a ``call`` function."""
        files: dict[str, str] = {}
        room = MAX_ARTIFACT
        for path in sorted(Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]).glob("**/*.py")):
            if path.is_symlink() or not path.is_file() or path.stat().st_size > room:
                continue
            text = path.read_text(errors="replace")
            if "def call(" in text and len(text) <= room:
                files[f"inductor_{len(files)}.py"] = text
                room -= len(text)
        return {"files": files}, ()
