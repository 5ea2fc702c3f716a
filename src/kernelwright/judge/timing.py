"""Candidate against baselines in short alternating blocks, on the judge's own clock.

Each subject (the candidate in its process, baselines in the reference's) runs a block of calls in turn, in a random
order, so that drift of a shared machine hits all of them alike. A subject stamps each call itself; the judge times the
whole block from outside, and the two must agree. The ratio of a candidate to a baseline is made of blocks from the same
round only.
"""

import math
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from kernelwright.judge import statistics
from kernelwright.judge.conduct import CLOCK_SHARE, Allowance, Conduct
from kernelwright.judge.correctness import DrawPlan, random_change
from kernelwright.judge.feedback import from_error
from kernelwright.judge.findings import stop
from kernelwright.judge.gate import Gate, OpenGate
from kernelwright.judge.nursery import Worker
from kernelwright.judge.reference.client import Reference
from kernelwright.schema import Call, Candidate, Interval, Precision, Status

BLOCK_MS = 60.0
BLOCKS_MS = {"cuda": 30.0}
"""Where blocks are shorter: an NVIDIA GPU stamps events itself, and there is no scheduler's noise to average over."""
MAX_CALLS = 1024
COPY_BYTES = 128 << 20
HANDED_OVER = 8
HANDED_OVER_BYTES = 32 << 20
FINAL_SHARE = 0.25
"""Of the budget, that calls before the final looks may take."""
CALIBRATION_CALLS = 5
OVERLONG = 16.0
"""A block that takes so many times its intended length on the judge's clock is made of fewer calls from the next round
on: its calls are slower than they were when they were counted, or their stamps are not true."""
PATIENCE = 4.0
"""How far the budget may be overdrawn, as a factor, while nothing can be said."""
LARGE_RATIO = 1.1
MAX_ROUNDS = 64


@dataclass(frozen=True)
class Looks:
    """When outputs of timed calls are handed over, and one of them compared."""

    first: int
    """In so many rounds from the first one on."""
    later: float
    """In this share of the others, at random."""
    final: int
    """In so many blocks after the last round."""
    calls: int
    """The candidate's calls before those, as far as ``FINAL_SHARE`` allows it: who answers rightly up to some call and
    cheats from there on must begin that late to stay unseen."""
    hidden: float = CLOCK_SHARE
    """Of a block's stamped time, how much may pass outside the stamps."""


STRANGERS = Looks(first=6, later=0.2, final=4, calls=200)
VOUCHED = Looks(first=2, later=0.1, final=1, calls=0, hidden=0.5)
"""For built-in authors. What a compiler gets wrong in a timed call (a race, a graph that reads what is gone) it gets
wrong in any of them; cheating is not looked for. Nor is time hidden in bits: a call that nobody waited for would leave
out all of it, while beside nine other problems a block of 30 ms was seen to take 1.7 ms more than its stamps say."""


@dataclass(frozen=True)
class Block:
    """One timed block, milliseconds."""

    per_call: float
    stamped: float
    outside: float
    calls: int
    kept: tuple[int, ...]
    hand_over: float = 0.0
    """For each output that was handed over afterwards, on the judge's clock."""
    handed_over: int = 0

    @property
    def unstamped(self) -> float:
        """What passed on the judge's clock outside the stamped calls."""
        return self.outside - self.stamped


class Subject(Protocol):
    """Something that can be timed."""

    name: str

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]: ...

    def outputs(self, calls: Sequence[int], *, lend: bool) -> tuple[bool, int]:
        """Outputs of timed calls in one file (the caller closes it), and whether they are plain tensors.

        ``lend``: the file says where they lie on the device.
        """
        ...


class BaselineSubject:
    """A baseline in the reference's process."""

    def __init__(self, reference: Reference, name: str):
        self.name = name
        self._reference = reference

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        return self._reference.ask(op, subject=self.name, **arguments)

    def outputs(self, calls: Sequence[int], *, lend: bool) -> tuple[bool, int]:
        _, fds = self._reference.request("outputs", calls=list(calls), lend=lend)
        return True, fds[0]


class CandidateSubject:
    """The candidate in its own process. Its errors end the judgement."""

    name = "candidate"

    def __init__(self, worker: Worker, candidate: Candidate, looks: Looks = STRANGERS):
        self.worker = worker
        self.looks = looks
        self._candidate = candidate

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        reply = self.worker.ask(op, **arguments)
        if isinstance(reply.get("error"), dict):
            raise from_error(reply["error"], "timing", self._candidate.source, self.worker.printed())
        return reply

    def outputs(self, calls: Sequence[int], *, lend: bool) -> tuple[bool, int]:
        reply, fds = self.worker.request("outputs", calls=list(calls), lend=lend)
        if len(fds) != 1:
            for fd in fds:
                os.close(fd)
            raise stop(Status.REJECTED, "timed_output", "the outputs of timed calls could not be handed over")
        tensors = reply.get("tensors")
        return isinstance(tensors, list) and all(isinstance(t, dict) and t.get("plain") for t in tensors), fds[0]


@dataclass
class Samples:
    """Milliseconds per call of each subject, one entry a round."""

    by_subject: dict[str, list[float]]
    calls: dict[str, int]
    """In the next block of each subject."""
    rechecked: int = 0
    made: int = 0
    """Calls of the candidate in all rounds."""

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

    def patience(self, baselines: Sequence[str]) -> float:
        """How many times the budget more rounds are worth: more than one where nothing can be said yet, because there
        were too few of them, or because a large difference drowns in the noise of a busy machine.
        """
        if self.rounds < statistics.LOOKS[0]:
            return PATIENCE
        return PATIENCE if "candidate" in self.by_subject and any(map(self._looks_different, baselines)) else 1.0

    def _looks_different(self, baseline: str) -> bool:
        """A ratio that would be called if it were certain, and is not."""
        return abs(math.log(self.ratio(baseline).median)) > math.log(LARGE_RATIO) and self.call(baseline) == "same"

    def tight(self, baselines: Sequence[str]) -> bool:
        """Whether no ratio needs more rounds: looked at only where ``statistics.LOOKS`` allows it."""
        if self.rounds not in statistics.LOOKS:
            return False
        subject = "candidate" if "candidate" in self.by_subject else baselines[0]
        return all(statistics.tight_enough(self.ratio(name, subject)) for name in baselines)


class Stopwatch:
    """Times subjects on the draws of one problem."""

    def __init__(
        self,
        reference: Reference,
        plan: Sequence[DrawPlan],
        precision: Precision,
        allowance: Allowance,
        gate: Gate | None = None,
        block_ms: float = BLOCK_MS,
    ):
        self.reference = reference
        self.plan = plan
        self.precision = precision
        self.allowance = allowance
        self.block_ms = block_ms
        self._gate = gate or OpenGate()
        self._random = random.SystemRandom()
        for slot, draw in enumerate(plan):
            reference.ask("store", slot=slot, seed=draw.seed)

    def give_inputs(self, worker: Worker) -> None:
        """Store the same input sets in the candidate's process, after it was imported and built."""
        for slot, draw in enumerate(self.plan):
            fd, _ = self.reference.draw(draw.seed, draw.kind, lend=worker.lends)
            try:
                worker.ask("store", (fd,), slot=slot)
            finally:
                os.close(fd)

    def measure(self, baselines: Sequence[str], budget: float, candidate: CandidateSubject | None = None) -> Samples:
        """Rounds of one block for each subject until the ratios are tight, or ``budget`` (seconds) or rounds are spent.

        Nobody else uses the device meanwhile; waiting for that is not part of the budget. Raises ``Stopped`` when the
        candidate fails, answers wrongly in a timed call, hides time from its stamps, or works while a baseline is being
        timed.
        """
        with self._gate.alone():
            return self._measure(baselines, budget, candidate)

    def _measure(self, baselines: Sequence[str], budget: float, candidate: CandidateSubject | None) -> Samples:
        began = time.monotonic()
        subjects: list[Subject] = [BaselineSubject(self.reference, name) for name in baselines]
        if candidate is not None:
            subjects.append(candidate)
        most = {subject.name: self._calibrate(subject) for subject in subjects}
        calls = dict(most)
        samples = Samples({subject.name: [] for subject in subjects}, calls)
        conduct = Conduct(
            self.allowance if candidate is None else replace(self.allowance, share=candidate.looks.hidden)
        )
        while samples.rounds < MAX_ROUNDS:
            self._random.shuffle(subjects)
            blocks: dict[str, Block] = {}
            look = candidate is not None and self._looks_now(candidate.looks, samples.rounds)
            for subject in subjects:
                blocks[subject.name] = self._block(subject, calls[subject.name], samples, conduct, candidate, look=look)
                samples.by_subject[subject.name].append(blocks[subject.name].per_call)
                calls[subject.name] = fitting(blocks[subject.name], most[subject.name], self.block_ms)
            if candidate is not None:
                samples.made += blocks[candidate.name].calls
                _take_evidence(conduct, blocks.pop(candidate.name), list(blocks.values()))
            spent = time.monotonic() - began
            patience = PATIENCE if conduct.unsettled else samples.patience(baselines)
            if (samples.tight(baselines) and not conduct.unsettled) or spent > budget * patience:
                break
        conduct.out_of_time = conduct.unsettled
        if candidate is not None:
            final = self._final_calls(samples, budget, candidate.looks)
            for _ in range(candidate.looks.final):
                self._block(candidate, final, samples, conduct, candidate, look=True)
        conduct.judge()
        return samples

    def _looks_now(self, looks: Looks, rounds: int) -> bool:
        return rounds < looks.first or self._random.random() < looks.later

    def _final_calls(self, samples: Samples, budget: float, looks: Looks) -> int:
        """Calls in each of the blocks after the last round: what was right so far must still be right in them."""
        block = samples.calls["candidate"]
        affordable = FINAL_SHARE * budget * 1e3 / samples.ms("candidate").median
        more = min(max(0, looks.calls - samples.made), affordable) / looks.final
        return min(max(block, math.ceil(more)), self._room)

    def _calibrate(self, subject: Subject) -> int:
        """Calls in a block: enough for the hand-over not to count, by the fastest of a few warm single calls."""
        subject.ask("warm", slot=0, calls=2)
        fastest, spent = math.inf, 0.0
        for _ in range(CALIBRATION_CALLS):
            subject.ask("prepare", slots=[0], changes=[None])
            ms = max(float(subject.ask("go")["inside_ms"]), 1e-3)
            fastest, spent = min(fastest, ms), spent + ms
            if spent > 2 * CALIBRATION_CALLS * self.block_ms:
                break
        return max(1, min(round(self.block_ms / fastest), self._room))

    @property
    def _room(self) -> int:
        """The most calls whose inputs can lie side by side."""
        return max(1, min(MAX_CALLS, COPY_BYTES // max(1, self.plan[0].facts["input_bytes"])))

    def _block(
        self,
        subject: Subject,
        calls: int,
        samples: Samples,
        conduct: Conduct,
        candidate: CandidateSubject | None,
        *,
        look: bool,
    ) -> Block:
        """One block of one subject; with ``look`` some of its outputs are handed over, and the candidate's compared."""
        slots = [self._random.randrange(len(self.plan)) for _ in range(calls)]
        # every call sees values that no call saw before: an answer that was kept from one of them is wrong
        changes = [random_change(self.plan[0].facts["floating"]) for _ in range(calls)]
        subject.ask("prepare", slots=slots, changes=changes)
        watched = candidate.worker if candidate is not None and subject is not candidate else None
        before = watched.cpu_seconds() if watched else 0.0
        start = time.monotonic()
        reply = subject.ask("go")
        outside = (time.monotonic() - start) * 1e3
        if watched:
            conduct.saw_background(watched.cpu_seconds() - before, outside / 1e3)
        block = _read_block(reply, calls, outside)
        if look and block.kept:
            lend = candidate is not None and candidate.worker.lends
            block = self._look(subject, block, slots, changes, samples, lend=lend)
        subject.ask("clear")
        return block

    def _look(
        self,
        subject: Subject,
        block: Block,
        slots: Sequence[int],
        changes: Sequence[dict[str, Any] | None],
        samples: Samples,
        *,
        lend: bool,
    ) -> Block:
        """Have outputs of random timed calls handed over, on the judge's clock; compare one of the candidate's."""
        most = max(1, min(HANDED_OVER, HANDED_OVER_BYTES // max(1, self.plan[0].facts["output_bytes"])))
        chosen = self._random.sample(block.kept, min(most, len(block.kept)))
        start = time.monotonic()
        plain, fd = subject.outputs(chosen, lend=lend)
        took = (time.monotonic() - start) * 1e3
        try:
            if isinstance(subject, CandidateSubject):
                at = self._random.randrange(len(chosen))
                draw = self.plan[slots[chosen[at]]]
                precision = self.precision.value
                check = self.reference.ask(
                    "check_timed", (fd,), seed=draw.seed, change=changes[chosen[at]], at=at, lent=lend,
                    precision=precision,
                )  # fmt: skip
                failure = {"text": check["broken"]} if check.get("broken") else check["failures"].get(precision)
                if failure or not plain:
                    text = failure["text"] if failure else "an output is no plain torch.Tensor"
                    raise stop(Status.REJECTED, "timed_output", f"a timed call answered wrongly: {text}")
                samples.rechecked += 1
        finally:
            os.close(fd)
        return replace(block, hand_over=took / len(chosen), handed_over=len(chosen))


def fitting(block: Block, most: int, block_ms: float = BLOCK_MS) -> int:
    """Calls for the subject's next block: ``most``, as calibrated, until a block turns out far too long for that; then
    what the judge's clock said of the last one, so that a subject that becomes fast again gets its long blocks back.
    """
    if block.calls == most and block.outside <= OVERLONG * block_ms:
        return most
    return max(1, min(most, round(block.calls * block_ms / max(block.outside, 1e-3))))


def _take_evidence(conduct: Conduct, mine: Block, others: list[Block]) -> None:
    """Hold the candidate's block against the baselines' of the same round, at their most generous."""
    conduct.saw_block(mine.calls, mine.stamped, mine.unstamped, max(b.unstamped / b.calls for b in others))
    theirs = [b.hand_over for b in others if b.handed_over]
    if mine.handed_over and theirs:
        conduct.saw_hand_over(mine.handed_over, mine.hand_over, max(theirs), mine.per_call)


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
