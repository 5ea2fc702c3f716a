"""Does the candidate compute the same thing? Every draw once, the first one twice."""

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kernelwright.judge.feedback import from_error
from kernelwright.judge.findings import Stopped, stop
from kernelwright.judge.metal import MetalWatch
from kernelwright.judge.nursery import Worker
from kernelwright.judge.reference.client import Reference
from kernelwright.judge.reference.relations import PERMUTED, SCALED
from kernelwright.schema import Accuracy, Candidate, Precision, Status

_random = random.SystemRandom()
LARGE_BYTES, MOST_BYTES = 64 << 20, 2 << 30
"""Outputs between these sizes get memory on the CPU beforehand, which they keep: it counts as the candidate's."""
METAMORPHIC = {
    PERMUTED: ("metamorphic_permutation", "on the first one with its rows (dimension 0) in another order"),
    SCALED: ("metamorphic_scaling", "on the first one with an input multiplied by a number"),
}
"""Draws that are the first one moved (``reference/relations.py``): the rule, and what the author is told."""


@dataclass(frozen=True)
class DrawPlan:
    """One draw that every candidate of a session is held against."""

    seed: int
    kind: str
    facts: dict[str, Any]
    """What the reference reported: sizes, which inputs are floating, which outputs share memory with inputs."""
    inputs_fd: int | None
    """The sealed file with the inputs, where the session keeps it open; large ones are asked for each time."""


@dataclass
class Checked:
    """What correctness found out about a candidate that passed, or how far it got."""

    accuracy: Accuracy | None = None
    labels: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    candidate_seconds: float = 0.0
    """Time inside the candidate: import, construction, calls."""
    reference_seconds: float = 0.0
    """Time inside the reference, where a draw had to be made anew."""


def random_change(floating: Sequence[Sequence[int]]) -> dict[str, Any] | None:
    """One element of one floating input gets another value; which one, only the system's randomness knows.

    ``floating`` holds (position among the leaves, number of elements) of each; ``None`` where there is none.
    """
    if not floating:
        return None
    leaf, count = _random.choice(floating)
    return {"input": leaf, "position": _random.randrange(count), "value": _random.uniform(0.5, 2.0)}


class Correctness:
    """One candidate against all draws. ``run`` raises ``Stopped`` at the first thing that is wrong."""

    def __init__(
        self,
        candidate: Candidate,
        worker: Worker,
        reference: Reference,
        precision: Precision,
        seed: int,
        metal: MetalWatch | None = None,
        *,
        interpret: bool = False,
    ):
        self.candidate = candidate
        self.worker = worker
        self.reference = reference
        self.precision = precision
        self.seed = seed
        self.metal = metal
        """Where the candidate is Metal and this machine has no Apple GPU."""
        self.interpret = interpret
        """Triton's interpreter runs the candidate's kernels."""
        self.checked = Checked()

    def run(self, construction_fd: int, plan: Sequence[DrawPlan]) -> None:
        """Import, build, compare. Fills ``checked`` as it goes, so that a failure keeps what was known."""
        self.reference.ask("begin")
        self._load()
        self._construct(construction_fd)
        try:
            looked_at = {0, _random.randrange(len(plan))}  # whether inputs came back unchanged: the first, and any one
            # every other draw comes in the tensors of the one before: a cache by identity or address is then wrong.
            # Where outputs are views of inputs, the first ones must not be written over: they are looked at again.
            odd = 0 if any(plan[0].facts["aliases"]) else 1
            for number, draw in enumerate(plan):
                look = number in looked_at
                self._one(draw, first=number == 0, look_at_inputs=look, reuse=number > 0 and number % 2 == odd)
            self._one_element_changed(plan[0])
            self._first_outputs_again()
            self._repeat(plan[0])
        finally:
            self.checked.accuracy = self._accuracy()

    def on_another_size(self, draw: DrawPlan) -> str:
        """What goes wrong on inputs of another size, in one line; empty where it is as right there. Asked last."""
        try:
            self._one(draw, first=False, look_at_inputs=False, reuse=False)
        except Stopped as stopped:
            return " ".join(f"{stopped.finding.status.value}: {stopped.finding.feedback}".split())[:300]
        return ""

    def _one(self, draw: DrawPlan, *, first: bool, look_at_inputs: bool, reuse: bool) -> None:
        fd = self._call(draw, look_at_inputs=look_at_inputs, reuse=reuse, keep=first)
        try:
            check = self._check("check", fd, seed=draw.seed, kind=draw.kind, remember=first)
        finally:
            os.close(fd)
        _raise_for(check, self.precision, METAMORPHIC.get(draw.kind))
        if check.get("changed_inputs"):
            raise stop(Status.REJECTED, "input_mutation", f"{check['changed_inputs']}; the reference leaves it alone")

    def _check(self, op: str, fd: int, **arguments: Any) -> dict[str, Any]:
        return self.reference.ask(op, (fd,), lent=self.worker.lends, **arguments)

    def _accuracy(self) -> Accuracy | None:
        accuracy = Accuracy.model_validate(self.reference.ask("accuracy")["accuracy"])
        return accuracy if accuracy.draws + accuracy.stress_draws else None

    def _ask(
        self, stage: str, op: str, fds: tuple[int, ...] = (), **arguments: Any
    ) -> tuple[dict[str, Any], list[int]]:
        reply, out = self.worker.request(op, fds, **arguments)
        if self.metal is not None and op == "run":
            self.metal.saw(reply.get("metal"))
        if isinstance(reply.get("error"), dict):
            raise from_error(reply["error"], stage, self.candidate.source, self.worker.printed())
        seconds = reply.get("seconds")
        self.checked.candidate_seconds += seconds if isinstance(seconds, float) else 0.0
        return reply, out

    def _load(self) -> None:
        # named by its content: same-named modules and kernels must never run each other's code
        name = f"candidate_{self.candidate.digest[:16]}"
        mac = self.metal.host if self.metal else None
        arguments, fds = self.worker.load(
            self.candidate.source, name=name, seed=self.seed, mac=mac, interpret=self.interpret
        )
        reply, _ = self._ask("import", "load", fds, **arguments)
        if not reply.get("has_model"):
            raise stop(Status.GENERATION_FAILED, "no_model_new", "after import the module has no ModelNew")

    def _construct(self, construction_fd: int) -> None:
        reply, _ = self._ask("construction", "construct", (construction_fd,), seed=self.seed)
        if reply.get("weights") == "by_order":
            self.checked.labels += ("weights_by_order",)
            self.checked.warnings += (
                "weights were matched by registration order: their names differ from the reference's",
            )

    def _inputs(self, draw: DrawPlan) -> int:
        """The file with a draw's inputs; the caller closes it."""
        if draw.inputs_fd is not None and not self.worker.lends:
            return os.dup(draw.inputs_fd)
        fd, seconds = self.reference.draw(draw.seed, draw.kind, lend=self.worker.lends)
        self.checked.reference_seconds += seconds
        return fd

    def _one_element_changed(self, draw: DrawPlan) -> None:
        """A draw that was seen, with one element changed: an answer remembered by a checksum is then wrong."""
        change = random_change(draw.facts["floating"])
        if change is None:
            return
        fd = self._call(draw, look_at_inputs=False, reuse=True, change=change)
        try:
            rule = self.precision.value
            check = self._check("check_timed", fd, seed=draw.seed, change=change, at=None, precision=rule)
            self.checked.reference_seconds += check.get("seconds", 0.0)
        finally:
            os.close(fd)
        _raise_for(check, self.precision)

    def _first_outputs_again(self) -> None:
        """The first call's outputs, handed over once more: later calls must not have written into them."""
        _, out = self._ask("forward", "again", lend=self.worker.lends)
        if len(out) != 1:
            raise stop(Status.REJECTED, "protocol", "the candidate's process handed over no outputs")
        try:
            same = self._check("check_repeat", out[0]).get("same")
        finally:
            os.close(out[0])
        if not same:
            raise stop(
                Status.REJECTED, "outputs_reused", "a later call changed the outputs that the first call returned"
            )

    def _call(
        self,
        draw: DrawPlan,
        *,
        look_at_inputs: bool,
        reuse: bool = False,
        keep: bool = False,
        change: dict[str, Any] | None = None,
    ) -> int:
        """Run the candidate on a draw, look at what kind of thing came back; returns the file with the outputs."""
        inputs_fd = self._inputs(draw)
        try:
            self._make_room(draw, look_at_inputs=look_at_inputs)
            report, out = self._ask(
                "forward", "run", (inputs_fd,), seed=draw.seed, return_inputs=look_at_inputs, reuse=reuse, keep=keep,
                change=change, lend=self.worker.lends, watch=self.metal.request() if self.metal else None,
            )  # fmt: skip
        finally:
            os.close(inputs_fd)
        try:
            if len(out) != 1:
                raise stop(Status.REJECTED, "protocol", "the candidate's process handed over no outputs")
            self._look_at_tensors(report, draw)
        except Stopped:
            for fd in out:
                os.close(fd)
            raise
        return out[0]

    def _make_room(self, draw: DrawPlan, *, look_at_inputs: bool) -> None:
        """Have memory taken for large outputs of a device before it is used."""
        expected = draw.facts["output_bytes"] + (draw.facts["input_bytes"] if look_at_inputs else 0)
        if self.reference.device_type != "cpu" and not self.worker.lends and LARGE_BYTES < expected <= MOST_BYTES:
            self._ask("forward", "room", bytes=expected)

    def _look_at_tensors(self, report: dict[str, Any], draw: DrawPlan) -> None:
        """Rules on what kind of thing came back. The report is the candidate's own word: lies harm itself only."""
        tensors = report.get("tensors")
        if not isinstance(tensors, list) or not all(isinstance(t, dict) for t in tensors):
            raise stop(Status.REJECTED, "protocol", "the report on the outputs is unreadable")
        allowed: list[bool] = draw.facts["aliases"]
        shared: list[int | None] = draw.facts["overlaps"]
        device = "mps" if self.metal else self.reference.device_type
        for k, tensor in enumerate(tensors):
            if not tensor.get("plain"):
                raise stop(
                    Status.REJECTED,
                    "plain_tensor",
                    f"output tensor {k} is a {tensor.get('type')}: only plain torch.Tensor counts",
                )
            if tensor.get("device") != device:
                raise stop(
                    Status.MISMATCH, "device", f"output tensor {k} is on {tensor.get('device')}, expected {device}"
                )
            if tensor.get("aliases_input") and not (k < len(allowed) and allowed[k]):
                raise stop(
                    Status.MISMATCH,
                    "aliasing",
                    f"output tensor {k} shares memory with an input; the reference's is a tensor of its own",
                )
            other = tensor.get("overlaps")
            if other is not None and not (k < len(shared) and shared[k] is not None):
                with_what = "itself: several of its elements are one" if other == k else f"output tensor {other}"
                raise stop(
                    Status.MISMATCH,
                    "overlapping_outputs",
                    f"output tensor {k} has memory in common with {with_what}; writing to one would change the other, "
                    "and the reference's do not overlap. Return a clone.",
                )

    def _repeat(self, draw: DrawPlan) -> None:
        """The same inputs at other addresses, after other values were seen: the answer must be the same."""
        fd = self._call(draw, look_at_inputs=False)
        try:
            if self._check("check_repeat", fd).get("same"):
                return
            check = self._check("check", fd, seed=draw.seed, kind=draw.kind)
        finally:
            os.close(fd)
        failure = check.get("broken") or check["failures"].get(self.precision.value)
        if failure:
            text = failure if isinstance(failure, str) else failure["text"]
            raise stop(
                Status.REJECTED,
                "nondeterministic",
                f"the same inputs gave another, wrong answer the second time: {text}",
            )
        self.checked.labels += ("nondeterministic",)
        self.checked.warnings += ("the same inputs gave bitwise different (but accurate) outputs the second time",)


def _raise_for(check: dict[str, Any], precision: Precision, metamorphic: tuple[str, str] | None = None) -> None:
    if check.get("broken"):
        raise stop(Status.REJECTED, "protocol", f"the outputs are unreadable: {check['broken']}")
    failure = check["failures"].get(precision.value)
    if failure and metamorphic:
        rule, what = metamorphic
        raise stop(Status.MISMATCH, rule, f"right on every draw, but not {what}: {failure['text']}")
    if failure:
        raise stop(Status.MISMATCH, failure["rule"], failure["text"])
