"""The reference's process: ``python -m kernelwright.judge.reference.server FD``.

Answers one request at a time. A request that fails answers with ``error``; only the judge decides what that means.
"""

import dataclasses
import os
import signal
import socket
import sys
import time
import traceback
from typing import Any

import torch

from kernelwright import platforms, problems
from kernelwright.judge import wire
from kernelwright.judge.accuracy import AccuracyRecord, DrawComparison
from kernelwright.judge.channel import Channel, ChannelClosed
from kernelwright.judge.degenerate import problem_labels
from kernelwright.judge.files import seal
from kernelwright.judge.limits import ProblemCosts, measure_costs
from kernelwright.judge.reference import baselines
from kernelwright.judge.reference.draws import NATURAL, Draw, Draws, bitwise_equal
from kernelwright.judge.worker.bench import Bench, copy_inputs, tensor_bytes
from kernelwright.problems.structure import flatten
from kernelwright.problems.weights import randomise_constants
from kernelwright.schema import Precision, Problem

Reply = tuple[dict[str, Any], tuple[int, ...]]


class Server:
    """Holds one problem. Requests are methods named ``on_<request>``."""

    def __init__(self, channel: Channel):
        self.channel = channel
        self.record = AccuracyRecord()
        self.calls: dict[str, baselines.Call] = {}
        self.kept_answers: dict[int, Any] = {}

    def serve(self) -> None:
        while True:
            try:
                message, fds = self.channel.receive()
            except ChannelClosed:
                return
            try:
                reply, out = getattr(self, "on_" + message["op"])(message, fds)
            except Exception as error:  # the problem's own code may raise anything
                reply, out = {"error": _one_line(error), "traceback": traceback.format_exc(limit=-8)[-8000:]}, ()
            for fd in fds:
                os.close(fd)
            self.channel.send(reply, out)
            for fd in out:
                os.close(fd)

    def on_open(self, message: dict[str, Any], fds: list[int]) -> Reply:
        """Load the problem, build the reference, make constants in its weights non-constant."""
        self.platform = platforms.get(message["platform"])
        payload = os.pread(fds[0], os.fstat(fds[0]).st_size, 0)
        problem = Problem.model_validate(message["problem"]).model_copy(update={"payload": payload})
        self.problem = problems.load(problem)
        baselines.use_cache(message["cache"])
        model = self.problem.build(message["seed"])
        randomised = randomise_constants(model, message["seed"])
        self.host_model = model
        self.model = model.to(self.platform.device)
        budget = int(min(message["draw_bytes"], self.platform.memory_available() / 4))
        self.draws = Draws(self.problem, self.model, self.platform, budget)
        self.bench = Bench(self.platform)
        return {"randomised": randomised}, ()

    def on_construction(self, _message: dict[str, Any], _fds: list[int]) -> Reply:
        """What a candidate's ``ModelNew`` is built from: constructor arguments and weights, sealed."""
        weights = {name: value.detach().cpu() for name, value in self.model.state_dict().items()}
        given = {"args": self.problem.init_args(), "kwargs": {}, "weights": weights}
        fd = wire.pack(given, trusted=True, name="construction")
        seal(fd)
        return {}, (fd,)

    def on_plan(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """Make one draw for the first time: its inputs, and what the judge has to know about it."""
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
            "any_finite": _any_finite(draw.eager),
            "yardstick_failure": self.draws.yardstick_failure,
        }
        return facts, (os.dup(draw.inputs_fd),)

    def on_draw(self, message: dict[str, Any], _fds: list[int]) -> Reply:
        """The inputs of a draw, and how long the reference took to make it again, where it had been forgotten."""
        began = time.perf_counter()
        draw = self.draws.get(message["seed"], message["kind"])
        return {"seconds": time.perf_counter() - began}, (os.dup(draw.inputs_fd),)

    def on_begin(self, _message: dict[str, Any], _fds: list[int]) -> Reply:
        """A new candidate: forget what was recorded for the last one."""
        self.record = AccuracyRecord()
        self.kept_answers.clear()
        return {}, ()

    def on_check(self, message: dict[str, Any], fds: list[int]) -> Reply:
        """Hold a candidate's outputs (untrusted bytes) against one draw, add the result to the record."""
        draw = self.draws.get(message["seed"], message["kind"])
        try:
            answer = wire.unpack(fds[0], device=self.platform.device)
            outputs, inputs = answer["outputs"], answer["inputs"]
        except (wire.WireError, KeyError, TypeError) as error:
            return {"broken": f"{error}"}, ()
        comparison = draw.yardstick.compare(outputs)
        self.record.add(comparison)
        reply = _failures(comparison)
        if inputs is not None:
            reply["changed_inputs"] = self._changed_inputs(inputs, draw)
        if message.get("remember"):
            self.kept_answers[0] = outputs
        return reply, ()

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

    def on_check_changed(self, message: dict[str, Any], fds: list[int]) -> Reply:
        """Outputs of a timed call whose inputs had one element changed."""
        draw = self.draws.changed(message["seed"], message["change"])
        try:
            outputs = wire.unpack(fds[0], device=self.platform.device)["outputs"]
        except (wire.WireError, KeyError, TypeError) as error:
            return {"broken": f"{error}"}, ()
        finally:
            draw.close()
        return _failures(draw.yardstick.compare(outputs)), ()

    def on_check_repeat(self, _message: dict[str, Any], fds: list[int]) -> Reply:
        """Whether the same inputs, given a second time, brought bitwise the same outputs."""
        try:
            outputs = wire.unpack(fds[0], device=self.platform.device)["outputs"]
        except (wire.WireError, KeyError, TypeError) as error:
            return {"broken": f"{error}"}, ()
        before, now = flatten(self.kept_answers[0])[0], flatten(outputs)[0]
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
        inputs = copy_inputs(self.draws.get(message["seed"], NATURAL).inputs)
        try:
            self.calls[message["name"]] = baselines.build(message["name"], self.model, inputs, self.platform.device)
        except baselines.BaselineError as error:
            return {"failure": str(error)}, ()
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
        self.bench.prepare(call, message["calls"], message["copies"], message["slots"], message["change"])
        return {}, ()

    def on_go(self, _message: dict[str, Any], _fds: list[int]) -> Reply:
        return self.bench.go(), ()

    def on_clear(self, _message: dict[str, Any], _fds: list[int]) -> Reply:
        self.bench.clear()
        return {}, ()


def _one_line(error: BaseException) -> str:
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text}"[:500]


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


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the judge, which ends this process
    Server(Channel(socket.socket(fileno=int(sys.argv[1])))).serve()


if __name__ == "__main__":
    main()
