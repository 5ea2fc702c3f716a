"""The reference's process: ``python -m kernelwright.judge.reference.server FD JUDGE WAITING``.

Answers one request at a time. A request that fails answers with ``error``; only the judge decides what that means.
"""

import dataclasses
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Generator
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import Any

import torch

from kernelwright import platforms, problems
from kernelwright.judge import wire
from kernelwright.judge.accuracy import AccuracyRecord, DrawComparison
from kernelwright.judge.channel import Channel, ChannelClosed
from kernelwright.judge.degenerate import problem_labels
from kernelwright.judge.files import seal
from kernelwright.judge.first_call import FirstCall
from kernelwright.judge.gate import SPARE_BYTES, DeviceGate, Gate, OpenGate, WaitingTime, gate_at
from kernelwright.judge.limits import ProblemCosts, measure_costs
from kernelwright.judge.memory import lacks_memory
from kernelwright.judge.reference import baselines
from kernelwright.judge.reference.client import SHARED_THROUGHOUT
from kernelwright.judge.reference.draws import NATURAL, Draw, Draws, bitwise_equal, few_threads, one_line
from kernelwright.judge.reference.relations import MOVED
from kernelwright.judge.worker.bench import Bench, copy_inputs, tensor_bytes
from kernelwright.judge.worker.provenance import operators
from kernelwright.platforms import cuda_sharing
from kernelwright.problems.stress_plan import stress_kinds
from kernelwright.problems.structure import flatten, unflatten
from kernelwright.problems.weights import randomise_constants
from kernelwright.schema import Precision, Problem

MAX_SHOWN = 400
OTHER_WEIGHTS = 0x5EED
"""Turns the seed of construction into another one."""
Reply = tuple[dict[str, Any], tuple[int, ...]]


class Server:
    """Holds one problem. Requests are methods named ``on_<request>``."""

    platform: platforms.Platform
    problem: problems.LoadedProblem
    model: torch.nn.Module
    draws: Draws
    bench: Bench
    gate: Gate
    """What the request in hand passes before it uses the device: always open where the judge has passed it."""

    def __init__(self, channel: Channel, waiting: WaitingTime):
        self.channel = channel
        self.waiting = waiting
        self.closed: Gate = OpenGate()
        """The one before the device."""
        self.record = AccuracyRecord()
        self.calls: dict[str, baselines.Call] = {}
        self.first_answer: Any = None
        self.lent: tuple[torch.Tensor, ...] = ()
        """What a candidate was lent last: it reads it before the judge asks for anything else."""

    def serve(self) -> None:
        while True:
            try:
                message, fds = self.channel.receive()
            except ChannelClosed:
                return
            self.gate = self.closed if message["gated"] else OpenGate()
            if not message.get("beside"):
                self.lent = ()
            try:
                reply, out = self._gated(message, fds) if message["gated"] else self._handled(message, fds)
            except Exception as error:  # the problem's own code may raise anything
                trace = traceback.format_exc(limit=-8)[-8000:]
                reply, out = {"error": one_line(error), "traceback": trace, "lacks_memory": lacks_memory(error)}, ()
            for fd in fds:
                os.close(fd)
            self.channel.send(reply, out)
            for fd in out:
                os.close(fd)

    def _handled(self, message: dict[str, Any], fds: list[int]) -> Reply:
        return getattr(self, "on_" + message["op"])(message, fds)

    def _gated(self, message: dict[str, Any], fds: list[int]) -> Reply:
        """Beside others; where these leave too little memory, once more without them.

        What is cached is given back afterwards: several processes that keep their peaks would fill any device.
        """
        try:
            with self.gate.shared() if message["op"] in SHARED_THROUGHOUT else nullcontext():
                return self._handled(message, fds)
        except Exception as error:
            if not lacks_memory(error):
                raise
        finally:  # only here is what the failed try held let go of
            self._give_back()
        try:
            with self.gate.alone():  # now what others needed for a moment is free
                if message["op"] != "build":
                    return self._handled(message, fds)
            return self._handled(message, fds)  # it may compile for long: not alone
        finally:
            self._give_back()

    def _give_back(self) -> None:
        if "platform" in self.__dict__:
            self.platform.reset_memory(at_least=SPARE_BYTES)

    def on_open(self, message: dict[str, Any], fds: list[int]) -> Reply:
        """Load the problem, build the reference, make its constant weights vary. Replaces the problem before."""
        self.platform = platforms.get(message["platform"])
        if isinstance(self.closed, OpenGate):  # a second problem comes through the same one, perhaps from inside
            self.closed = gate_at(message["gate"], journal=False, waiting=self.waiting)
        self.gate = self.closed if message["gated"] else OpenGate()
        self._forget()
        payload = os.pread(fds[0], os.fstat(fds[0]).st_size, 0)
        problem = Problem.model_validate(message["problem"]).model_copy(update={"payload": payload})
        self.problem = problems.load(problem)
        baselines.use_cache(message["cache"])
        model = self._build(message["seed"])
        randomised = randomise_constants(model, message["seed"])
        with self.gate.shared():
            self.model = model.to(self.platform.device)
        budget = int(min(message["draw_bytes"], self.platform.memory_available() / 4))
        self.draws = Draws(self.problem, self.model, self.platform, budget, lambda: self.gate)
        self.bench = Bench(self.platform)
        return {"randomised": randomised}, ()

    def _build(self, seed: int) -> torch.nn.Module:
        """The reference, built under the seed that candidates are built under, with weights of another seed.

        What both make in their constructors without registering it is then the same, and whoever keeps the weights of
        its constructor has other ones.
        """
        model = self.problem.build(seed)
        model.load_state_dict(self.problem.build(seed ^ OTHER_WEIGHTS).state_dict())
        return model

    def _forget(self) -> None:
        """Give back what the problem before held, on the device too."""
        if "draws" in self.__dict__:
            self.draws.clear()
            del self.problem, self.model, self.draws, self.bench
        self.calls.clear()
        self.first_answer = None
        self.platform.reset_memory()

    def on_construction(self, _message: dict[str, Any], _fds: list[int]) -> Reply:
        """What a candidate's ``ModelNew`` is built from: constructor arguments and weights, sealed."""
        with self.gate.shared():
            weights = {name: value.detach().cpu() for name, value in self.model.state_dict().items()}
        given = {"args": self.problem.init_args(), "kwargs": {}, "weights": weights}
        fd = wire.pack(given, trusted=True, name="construction")
        seal(fd)
        return {}, (fd,)

    def on_plan(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """Make one draw for the first time: what the judge has to know, and the inputs, up to ``kept`` bytes."""
        draw = self.draws.get(message["seed"], message["kind"])
        floating = [
            [k, leaf.numel()]
            for k, leaf in enumerate(flatten(draw.inputs)[0])
            if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and leaf.numel()
        ]
        facts = {
            "seconds": draw.seconds,
            "input_bytes": tensor_bytes(draw.inputs),
            "output_bytes": tensor_bytes(draw.eager),
            "floating": floating,
            "aliases": draw.aliases,
            "overlaps": draw.overlaps,
            "yardstick": draw.yardstick_kind,
            "eager_error": draw.yardstick.eager_error if draw.yardstick_kind.startswith("float64") else None,
        }
        with self.gate.shared():
            facts["any_finite"] = _any_finite(draw.eager)
        return facts, () if facts["input_bytes"] > message["kept"] else (os.dup(draw.file(self.gate)),)

    def on_sizes(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """Bytes of inputs and outputs, and the most that the device held during one call; nothing is kept."""
        return self.draws.sizes(message["seed"]), ()

    def on_try(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """Run the reference on one draw and say what it can be held against; nothing is handed over."""
        draw = self.draws.get(message["seed"], NATURAL)
        return {"seconds": draw.seconds, "yardstick": draw.yardstick_kind}, ()

    def on_draw(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """The inputs of a draw, and how long the reference took to make it again, where it had been forgotten."""
        began, waited = time.perf_counter(), self.gate.waited
        draw = self.draws.get(message["seed"], message["kind"])
        seconds = time.perf_counter() - began - (self.gate.waited - waited)
        if not message["lend"]:
            return {"seconds": seconds}, (os.dup(draw.file(self.gate)),)
        lent = wire.lend(draw.inputs, cuda_sharing, trusted=True)
        self.lent = (*self.lent, *lent.tensors) if message["beside"] else lent.tensors
        return {"seconds": seconds}, (lent.fd,)

    def on_lend(self, _message: dict[str, Any], _fds: list[int]) -> Reply:
        """A tensor to try it with."""
        lent = wire.lend(torch.arange(wire.TRIED, device=self.platform.device), cuda_sharing, copies=True)
        self.platform.synchronize()
        self.lent = lent.tensors
        return {}, (lent.fd,)

    def on_borrow(self, _message: dict[str, Any], fds: list[int]) -> Reply:
        """Whether what a candidate lent can be read."""
        found = wire.unpack(fds[0], device=self.platform.device, lender=cuda_sharing)
        return {"same": bool((found.cpu() == torch.arange(wire.TRIED)).all())}, ()

    def _answered(self, message: dict[str, Any], fd: int) -> Any:
        """What a candidate handed over. Raises ``WireError``.

        A file is read without the device, and its tensors are on the CPU then; what was lent is copied on the device.
        """
        if not message["lent"]:
            return wire.unpack(fd)
        with self.gate.shared():
            return wire.unpack(fd, device=self.platform.device, lender=cuda_sharing)

    def on_begin(self, _message: dict[str, Any], _fds: list[int]) -> Reply:
        """A new candidate: forget what was recorded for the last one."""
        self.record = AccuracyRecord()
        self.first_answer = None
        return {}, ()

    def on_check(self, message: dict[str, Any], fds: list[int]) -> Reply:
        """Hold a candidate's outputs (untrusted bytes) against one draw, add the result to the record."""
        try:
            answer = self._answered(message, fds[0])
            found = [answer["outputs"], answer["inputs"]]
        except (wire.WireError, KeyError, TypeError) as error:
            return {"broken": f"{error}"}, ()
        with self.gate.shared():
            return self._check(message, found)

    def _check(self, message: dict[str, Any], found: list[Any]) -> Reply:
        draw = self.draws.get(message["seed"], message["kind"])
        try:
            outputs, inputs = wire.to_device(found, self.platform.device)
        except wire.WireError as error:
            return self._broken(error)
        comparison, reply = _compare(draw, outputs)
        if reply["failures"] and message["kind"] in MOVED:  # nothing is refused without a run of its own
            whole = self.draws.run_moved(message["seed"], message["kind"])
            comparison, reply = _compare(whole, outputs)
            whole.close()
        if comparison is not None:
            self.record.add(comparison)
        if inputs is not None:
            reply["changed_inputs"] = self._changed_inputs(inputs, draw)
        if message.get("remember"):
            self.first_answer = outputs
        return reply, ()

    def _broken(self, error: wire.WireError) -> Reply:
        """What cannot be put on the device; nobody is blamed for memory that others may have."""
        if self.gate.in_company and lacks_memory(error):
            raise error
        return {"broken": f"{error}"}, ()

    def _changed_inputs(self, inputs: Any, draw: Draw) -> str | None:
        """What a candidate did to its inputs beyond what the reference does to them: one line, or ``None``."""
        expected = flatten(draw.inputs if draw.inputs_after is None else draw.inputs_after)[0]
        found = flatten(inputs)[0]
        if len(found) != len(expected):
            return "the inputs that came back are not the ones that were given"
        for k, (now, then) in enumerate(zip(found, expected, strict=True)):
            if not isinstance(then, torch.Tensor):
                continue
            if not isinstance(now, torch.Tensor) or now.shape != then.shape or now.dtype != then.dtype:
                return f"input {k} came back with another shape or dtype"
            if draw.inputs_after is None and not bitwise_equal(now, then):
                where = (now != then).reshape(-1).nonzero()
                return f"input {k} was changed in place ({where.numel()} of {now.numel()} elements)"
        return None

    def on_check_timed(self, message: dict[str, Any], fds: list[int]) -> Reply:
        """Outputs of a call whose inputs had one element changed; ``at`` picks one of several in the file."""
        try:
            outputs = self._answered(message, fds[0])
            outputs = outputs["outputs"] if message["at"] is None else outputs[message["at"]]
        except (wire.WireError, KeyError, TypeError, IndexError) as error:
            return {"broken": f"{error}"}, ()
        with self.gate.shared():
            return self._check_timed(message, outputs)

    def _check_timed(self, message: dict[str, Any], outputs: Any) -> Reply:
        try:
            outputs = wire.to_device(outputs, self.platform.device)
        except wire.WireError as error:
            return self._broken(error)
        seed, change = message["seed"], message["change"]
        if change is None:
            return _compare(self.draws.get(seed, NATURAL), outputs)[1] | {"seconds": 0.0}, ()
        began = time.perf_counter()
        eager = self.draws.eager_on_changed(seed, change)
        seconds = time.perf_counter() - began
        if _passes_near(self.draws.get(seed, NATURAL), eager, outputs, message["precision"]):
            return {"failures": {}, "seconds": seconds}, ()
        draw = self.draws.changed(seed, change)  # nothing is refused without the whole yardstick
        return _compare(draw, outputs)[1] | {"seconds": seconds + draw.seconds}, ()

    def on_check_repeat(self, message: dict[str, Any], fds: list[int]) -> Reply:
        """Whether the same inputs, given a second time, brought bitwise the same outputs."""
        try:
            outputs = self._answered(message, fds[0])["outputs"]
        except (wire.WireError, KeyError, TypeError) as error:
            return {"broken": f"{error}"}, ()
        with self.gate.shared():
            return self._check_repeat(outputs)

    def _check_repeat(self, outputs: Any) -> Reply:
        try:
            outputs = wire.to_device(outputs, self.platform.device)
        except wire.WireError as error:
            return self._broken(error)
        before, now = flatten(self.first_answer)[0], flatten(outputs)[0]
        same = len(before) == len(now) and all(
            bitwise_equal(a, b)
            if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)
            else a == b or (a != a and b != b)  # noqa: PLR0124 - NaN
            for a, b in zip(before, now, strict=True)
        )
        return {"same": same}, ()

    def on_accuracy(self, _message: dict[str, Any], _fds: list[int]) -> Reply:
        return {"accuracy": self.record.accuracy().model_dump(mode="json")}, ()

    def on_labels(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """What is degenerate about the problem itself."""
        return {"labels": list(problem_labels(self.problem, self.model, message["seeds"], self.platform.device))}, ()

    def on_operators(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """PyTorch's operators in one call of the reference, in order."""
        draw = self.draws.get(message["seed"], NATURAL)
        return {"operators": list(operators(self.model, draw.inputs))}, ()

    def on_relations(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """Kinds of draws that are this one moved, their answers known."""
        return {"kinds": list(self.draws.find_relations(message["seed"]))}, ()

    def on_stress_kinds(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """The stress draws that suit the operators of the reference."""
        draw = self.draws.get(message["seed"], NATURAL)
        names = (name.rpartition(".")[0] for name in operators(self.model, draw.inputs))  # without the overload
        return {"kinds": list(stress_kinds(frozenset(names)))}, ()

    def on_costs(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """Bytes and FLOPs of the reference."""
        draw = self.draws.get(message["seed"], NATURAL)
        costs: ProblemCosts = measure_costs(self.model, copy_inputs(draw.inputs))
        return {"costs": dataclasses.asdict(costs)}, ()

    def on_device(self, _message: dict[str, Any], _fds: list[int]) -> Reply:
        return {"facts": self.platform.facts().model_dump(mode="json")}, ()

    def on_limits(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        return {"limits": self.platform.limits(refresh=message["refresh"]).model_dump(mode="json")}, ()

    def on_build(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """Build one baseline."""
        name = message["name"]
        with self.gate.shared():
            inputs = copy_inputs(self.draws.get(message["seed"], NATURAL).inputs)
        try:
            with self._first_call(compiles=name.startswith("compile")) as first_call:
                self.calls[name] = baselines.build(name, self.model, inputs, self.platform.device, first_call)
        except baselines.BaselineError as error:
            return {"failure": str(error)}, ()
        return {}, ()

    def on_check_baseline(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """Why a baseline's answer would be rejected as a candidate's; ``None`` where it would not."""
        draw = self.draws.get(message["seed"], NATURAL)
        with self.gate.shared():
            with torch.no_grad():
                outputs = wire.plain(self.calls[message["name"]](*copy_inputs(draw.inputs)))
            self.platform.synchronize()
            leaves, expected = flatten(outputs)[0], flatten(draw.eager)
            if len(leaves) == len(expected[0]):  # ONNX Runtime knows no nests
                outputs = unflatten(leaves, expected[1])
            failure = _compare(draw, outputs)[1]["failures"].get(message["precision"])
        return {"inexact": failure["text"] if failure else None}, ()

    @contextmanager
    def _first_call(self, *, compiles: bool) -> Generator[FirstCall | None]:
        if not isinstance(self.gate, DeviceGate) or self.gate.inside:
            yield None
            return
        with closing(self.gate.visitor()) as visitor:
            yield FirstCall(visitor, compiles=compiles)

    def on_built(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        return {"all": all(name in self.calls for name in message["names"])}, ()

    def on_forget(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """Baselines that will not be called any more, and the memory of their CUDA graphs."""
        for name in message["names"]:
            self.calls.pop(name, None)
        trees = sys.modules.get("torch._inductor.cudagraph_trees")
        if trees is not None and "compile-max-autotune" not in self.calls:
            with suppress(Exception):  # TorchInductor's own affair: where it will not, the memory stays taken
                trees.reset_cudagraph_trees()
        self.platform.reset_memory()
        return {}, ()

    def on_store(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        self.bench.inputs[message["slot"]] = self.draws.get(message["seed"], NATURAL).inputs
        return {}, ()

    def on_warm(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        began = time.perf_counter()
        with torch.no_grad():
            for _ in range(message["calls"]):
                self.calls[message["subject"]](*copy_inputs(self.bench.inputs[message["slot"]]))
        self.platform.synchronize()
        return {"seconds": time.perf_counter() - began}, ()

    def on_prepare(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        call = self.calls[message["subject"]]
        self.bench.prepare(call, message["slots"], message["changes"])
        return {}, ()

    def on_go(self, _message: dict[str, Any], _fds: list[int]) -> Reply:
        return self.bench.go(), ()

    def on_outputs(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """The same hand-over that a candidate makes: what it costs here is what it may cost there."""
        outputs = self.bench.outputs(message["calls"])
        if not message["lend"]:
            return {}, (wire.pack(outputs),)
        with self.platform.callers_stream():
            lent = wire.lend(outputs, cuda_sharing, copies=True)
        self.platform.synchronize()
        return {}, (lent.fd,)

    def on_clear(self, _message: dict[str, Any], _fds: list[int]) -> Reply:
        self.bench.clear()
        return {}, ()


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]} …"


def _compare(draw: Draw, outputs: Any) -> tuple[DrawComparison | None, dict[str, Any]]:
    """Outputs against a draw's yardstick, and the failures as the judge reads them."""
    expected, found = flatten(draw.eager)[1], flatten(outputs)[1]
    if expected != found:
        failure = {
            "rule": "structure",
            "text": f"the outputs are {_short(found)}, the reference's are {_short(expected)}",
        }
        return None, {"failures": dict.fromkeys((p.value for p in Precision), failure)}
    with few_threads(tensor_bytes(outputs)):
        comparison = draw.yardstick.compare(outputs)
    return comparison, _failures(comparison)


def _passes_near(draw: Draw, eager: Any, outputs: Any, precision: str) -> bool:
    """Whether outputs surely pass on inputs that differ from the draw's in one element, by eager's answer to them.

    Under one rule: what is right by it need not be so by another, and would be computed in float64 each time.
    """
    if flatten(eager)[1] != flatten(outputs)[1]:
        return False
    with few_threads(tensor_bytes(outputs)):
        yardstick = draw.yardstick.near(eager)
        return yardstick is not None and precision not in _failures(yardstick.compare(outputs))["failures"]


def _failures(comparison: DrawComparison) -> dict[str, Any]:
    """For each precision that is not met, the rule and the sentence that says why."""
    failures: dict[str, Any] = {}
    for precision in Precision:
        mismatch = comparison.failure(precision)
        if mismatch is not None:
            failures[precision.value] = {"rule": mismatch.rule, "text": str(mismatch)}
    return {"failures": failures}


def _any_finite(outputs: Any) -> bool:
    """Whether there is anything to compare: at least one finite element in every floating output."""
    tensors = [leaf for leaf in flatten(outputs)[0] if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
    return all(bool(torch.isfinite(t).any()) for t in tensors if t.numel())


def _end_with(parent: int) -> None:
    """End this process when the judge is gone, even in the middle of a long run, even before this was asked."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the judge, which ends this process
    threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True).start()
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    Server(channel, WaitingTime(int(sys.argv[3]))).serve()


if __name__ == "__main__":
    main()
