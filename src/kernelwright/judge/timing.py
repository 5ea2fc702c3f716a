"""Candidate against baselines in short alternating blocks, on the judge's own clock.

Each subject (the candidate in its process, baselines in the reference's) runs a block of calls in turn, in a random
order, so that drift of a shared machine hits all of them alike. A subject stamps each call itself; the judge times the
whole block from outside, and the two must agree. The ratio of a candidate to a baseline is made of blocks from the same
round only.
"""

import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kernelwright.judge import statistics
from kernelwright.judge.correctness import DrawPlan
from kernelwright.judge.feedback import from_error
from kernelwright.judge.findings import stop
from kernelwright.judge.nursery import Worker
from kernelwright.judge.reference.client import Reference
from kernelwright.schema import Call, Candidate, Interval, Precision, Status

BLOCK_MS = 60.0
MAX_CALLS = 256
MAX_COPIES = 64
COPY_BYTES = 512 << 20
MAX_ROUNDS = 64
CLOCK_SHARE = 0.05
"""How much of a block's time the stamps may leave out, beyond what a baseline's stamps leave out."""
CLOCK_MS = 1.0
"""Hand-over between the processes, milliseconds per block."""
BACKGROUND_SHARE = 0.10
"""CPU time that a candidate may burn while a baseline runs, as a share of that time: thread pools spin for a moment."""


@dataclass(frozen=True)
class Block:
    """One timed block, milliseconds."""

    per_call: float
    stamped: float
    outside: float
    calls: int
    kept: tuple[int, ...]

    @property
    def unstamped(self) -> float:
        """What passed on the judge's clock outside the stamped calls."""
        return self.outside - self.stamped


class Subject(Protocol):
    """Something that can be timed."""

    name: str

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]: ...


class BaselineSubject:
    """A baseline in the reference's process."""

    def __init__(self, reference: Reference, name: str):
        self.name = name
        self._reference = reference

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        return self._reference.ask(op, subject=self.name, **arguments)


class CandidateSubject:
    """The candidate in its own process. Its errors end the judgement."""

    name = "candidate"

    def __init__(self, worker: Worker, candidate: Candidate):
        self.worker = worker
        self._candidate = candidate

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        reply = self.worker.ask(op, **arguments)
        if isinstance(reply.get("error"), dict):
            raise from_error(reply["error"], "timing", self._candidate.source, self.worker.printed())
        return reply


@dataclass
class Samples:
    """Milliseconds per call of each subject, one entry a round."""

    by_subject: dict[str, list[float]]
    calls: dict[str, int]
    rechecked: int = 0
    excess: list[float] = field(default_factory=list[float])
    background: float = 0.0
    baseline_wall: float = 0.0

    @property
    def rounds(self) -> int:
        return min(len(values) for values in self.by_subject.values())

    def ms(self, name: str) -> Interval:
        return statistics.interval_of_median(self.by_subject[name])

    def ratio(self, baseline: str, subject: str = "candidate") -> Interval:
        """Time of ``baseline`` over time of ``subject``, paired by round."""
        return statistics.paired_ratio(self.by_subject[baseline], self.by_subject[subject])

    def call(self, baseline: str) -> Call:
        """Whether the candidate may be called faster or slower than ``baseline``."""
        return statistics.call(self.by_subject[baseline], self.by_subject["candidate"]).value

    def tight(self, baselines: Sequence[str]) -> bool:
        """Whether no ratio needs more rounds: looked at only where ``statistics.LOOKS`` allows it."""
        if self.rounds not in statistics.LOOKS:
            return False
        subject = "candidate" if "candidate" in self.by_subject else baselines[0]
        return all(statistics.tight_enough(self.ratio(name, subject)) for name in baselines)


class Stopwatch:
    """Times subjects on the draws of one problem."""

    def __init__(self, reference: Reference, plan: Sequence[DrawPlan], precision: Precision, *, launch_slack_ms: float):
        self.reference = reference
        self.plan = plan
        self.precision = precision
        self.launch_slack_ms = launch_slack_ms
        """What one call's launch may hide from device events, milliseconds: 0 where calls are synchronous."""
        self._random = random.SystemRandom()
        for slot, draw in enumerate(plan):
            reference.ask("store", slot=slot, seed=draw.seed)

    def give_inputs(self, worker: Worker) -> None:
        """Store the same input sets in the candidate's process, after it was imported and built."""
        for slot, draw in enumerate(self.plan):
            _, fds = self.reference.request("draw", seed=draw.seed, kind=draw.kind)
            try:
                worker.ask("store", (fds[0],), slot=slot)
            finally:
                os.close(fds[0])

    def measure(self, baselines: Sequence[str], budget: float, candidate: CandidateSubject | None = None) -> Samples:
        """Rounds of one block for each subject until the ratios are tight, or ``budget`` (seconds) or rounds are spent.

        Raises ``Stopped`` when the candidate fails, answers wrongly in a timed call, hides time from its stamps, or
        works while a baseline is being timed.
        """
        began = time.monotonic()
        subjects: list[Subject] = [BaselineSubject(self.reference, name) for name in baselines]
        if candidate is not None:
            subjects.append(candidate)
        calls = {subject.name: self._calibrate(subject) for subject in subjects}
        samples = Samples({subject.name: [] for subject in subjects}, calls)
        while samples.rounds < MAX_ROUNDS:
            self._random.shuffle(subjects)
            unstamped: list[float] = []
            mine: Block | None = None
            for subject in subjects:
                block = self._block(subject, calls[subject.name], samples, candidate)
                samples.by_subject[subject.name].append(block.per_call)
                if subject is candidate:
                    mine = block
                else:
                    unstamped.append(block.unstamped / block.calls)
            if mine is not None:
                self._compare_clocks(mine, max(unstamped, default=0.0), samples)
            spent = time.monotonic() - began > budget and samples.rounds >= 3
            if spent or samples.tight(baselines):
                break
        self._judge_conduct(samples)
        return samples

    def _calibrate(self, subject: Subject) -> int:
        """Calls in a block: enough for the hand-over not to count, from one warm single call."""
        subject.ask("warm", slot=0, calls=2)
        subject.ask("prepare", calls=1, copies=1, slots=[0], change=None)
        reply = subject.ask("go")
        ms = max(float(reply["inside_ms"]), 1e-3)
        return max(1, min(MAX_CALLS, round(BLOCK_MS / ms)))

    def _block(self, subject: Subject, calls: int, samples: Samples, candidate: CandidateSubject | None) -> Block:
        size = max(1, self.plan[0].facts["input_bytes"])
        copies = max(1, min(calls, MAX_COPIES, COPY_BYTES // size))
        slots = [self._random.randrange(len(self.plan)) for _ in range(copies)]
        change = self._change(copies)
        subject.ask("prepare", calls=calls, copies=copies, slots=slots, change=change)
        watched = candidate is not None and subject is not candidate
        before = candidate.worker.cpu_seconds() if watched and candidate else 0.0
        start = time.monotonic()
        reply = subject.ask("go")
        outside = (time.monotonic() - start) * 1e3
        if watched and candidate:
            samples.background += candidate.worker.cpu_seconds() - before
            samples.baseline_wall += outside / 1e3
        block = _read_block(reply, calls, outside)
        if candidate is not None and subject is candidate and block.kept:
            self._recheck(candidate, block, slots, change, samples)
        subject.ask("clear")
        return block

    def _change(self, copies: int) -> dict[str, Any] | None:
        """One element of one call's inputs gets another value: a result that was kept from before is then wrong."""
        floating = self.plan[0].facts["floating"]
        if not floating:
            return None
        leaf, count = self._random.choice(floating)
        return {
            "call": self._random.randrange(copies),
            "input": leaf,
            "position": self._random.randrange(count),
            "value": self._random.uniform(0.5, 2.0),
        }

    def _recheck(
        self,
        candidate: CandidateSubject,
        block: Block,
        slots: Sequence[int],
        change: dict[str, Any] | None,
        samples: Samples,
    ) -> None:
        """In the first rounds, and at random later, compare the output of one timed call."""
        if samples.rechecked >= 2 and self._random.random() > 0.2:
            return
        changed = change is not None and change["call"] in block.kept and self._random.random() < 0.5
        call = change["call"] if changed and change is not None else self._random.choice(block.kept)
        reply, fds = candidate.worker.request("output", call=call)
        if len(fds) != 1:
            for fd in fds:
                os.close(fd)
            raise stop(Status.REJECTED, "timed_output", "the output of a timed call could not be handed over")
        draw = self.plan[slots[call % len(slots)]]
        try:
            if change is not None and call == change["call"]:
                check = self.reference.ask("check_changed", (fds[0],), seed=draw.seed, change=change)
            else:
                check = self.reference.ask("check", (fds[0],), seed=draw.seed, kind=draw.kind)
        finally:
            os.close(fds[0])
        samples.rechecked += 1
        failure = {"text": check["broken"]} if check.get("broken") else check["failures"].get(self.precision.value)
        plain = all(t.get("plain") for t in reply.get("tensors") or [])
        if failure or not plain:
            text = failure["text"] if failure else "an output is no plain torch.Tensor"
            raise stop(Status.REJECTED, "timed_output", f"a timed call answered wrongly: {text}")

    def _compare_clocks(self, mine: Block, unstamped_per_call: float, samples: Samples) -> None:
        """How far this block's stamps fall short of the judge's clock, in units of what is allowed."""
        excess = mine.unstamped - mine.calls * max(0.0, unstamped_per_call)
        allowed = CLOCK_MS + CLOCK_SHARE * mine.stamped + mine.calls * self.launch_slack_ms
        samples.excess.append(excess / allowed)

    def _judge_conduct(self, samples: Samples) -> None:
        if samples.excess and sorted(samples.excess)[len(samples.excess) // 2] > 1.0:
            raise stop(
                Status.REJECTED, "clock_disagreement",
                "the time stamps of the calls leave out time that passed on the judge's clock: work was done outside "
                "the timed calls, on another stream or thread, or the stamps were tampered with",
            )  # fmt: skip
        if samples.background > 0.05 and samples.background > BACKGROUND_SHARE * samples.baseline_wall:
            raise stop(
                Status.REJECTED, "background_work",
                f"the candidate's processes used {samples.background:.2f} s of CPU time while baselines were timed "
                f"({samples.baseline_wall:.2f} s): it works in the background or slows the baselines down",
            )  # fmt: skip


def _read_block(reply: dict[str, Any], calls: int, outside: float) -> Block:
    stamps: list[Any] = reply["ms"] if isinstance(reply.get("ms"), list) else []
    kept: list[Any] = reply["kept"] if isinstance(reply.get("kept"), list) else []
    readable = (
        len(stamps) == calls
        and all(isinstance(ms, int | float) and 0.0 <= ms < 1e9 for ms in stamps)
        and all(isinstance(i, int) and 0 <= i < calls for i in kept)
    )
    if not readable:
        raise stop(Status.REJECTED, "clock_disagreement", "the time stamps of a block are not times")
    stamped = float(sum(stamps))
    return Block(max(stamped / calls, 1e-6), stamped, outside, calls, tuple(kept))
