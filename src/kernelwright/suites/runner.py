"""A suite from its first problem to its last: processes side by side, one results file, written after each problem."""

import hashlib
import math
import os
import shutil
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernelwright.judge import JudgeSettings
from kernelwright.judge.gate import seconds_in_use, uses
from kernelwright.schema import RunSettings
from kernelwright.store import Store
from kernelwright.suites import file, recording
from kernelwright.suites.children import Child
from kernelwright.suites.kernelbench import Found
from kernelwright.suites.records import ProblemRecord, Sitting, SuiteResults
from kernelwright.swarm.interrupts import uninterrupted

POLL_SECONDS = 0.1
TIMING_CORES = 2
"""For the processes of the one candidate that is being timed, and of its reference."""
MOST_AT_ONCE = 10
"""On one device: ``judge/memory.py`` counts their processes with a fifth of an H200's memory."""
COMPILING = 3
"""One of so many problems is taken to compile at a time: the others wait for the device or its memory, or are on it."""


@dataclass(frozen=True)
class Progress:
    """One problem is done."""

    record: ProblemRecord
    done: int
    """Problems finished in this sitting."""
    of: int
    seconds_left: float
    """Estimated from what the others took."""
    again: bool
    """It could not be judged beside others, and will be tried alone."""


@dataclass(frozen=True)
class Work:
    """What is to be done, and how."""

    plan: Sequence[Found]
    results: SuiteResults
    """What there is already; ``head`` is one of its heads, whose last sitting is this one."""
    head: int
    out: Path
    at_once: int
    """On each device."""
    devices: tuple[str | None, ...] = (None,)
    """The ones to spread over, as CUDA numbers them; ``None``: whatever is there."""
    unsafe: bool = False
    time_limit: float | None = None
    """Seconds after which no further problem begins, and no further attempt of one under way."""


def default_at_once(platform: str, devices: int = 1) -> int:
    """On the CPU, problems side by side would disturb each other; on a GPU it takes some to keep it busy."""
    return 1 if platform == "cpu" else max(1, min(MOST_AT_ONCE, 2 * _cores() // (3 * devices)))


def compile_threads(at_once: int, devices: int = 1) -> int:
    """For each problem's compiler, such that whoever is timed meanwhile finds a core: launching kernels takes one."""
    return max(1, COMPILING * (_cores() - TIMING_CORES * devices) // (at_once * devices))


def mixed(plan: Sequence[Found]) -> list[Found]:
    """The problems in an order that is the same each time and does not follow the numbers.

    Neighbours in a suite are alike: those whose tensors fill the device's memory would wait for each other, while those
    that leave room for others come all together at another time.
    """
    return sorted(plan, key=lambda found: hashlib.sha256(found.title.encode()).digest())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Runner:
    """``run`` works through the plan. What is done stays in the file, whatever ends it."""

    def __init__(self, work: Work, store: Store, said: Callable[[Progress], None]) -> None:
        self.work = work
        self.results = work.results
        self._store = store
        self._said = said
        self._folder = Path(tempfile.mkdtemp(prefix="kernelwright-suite-"))
        self._gates = [self._folder / f"gate-{place}" for place in range(len(work.devices))]
        self._children: list[Child] = []
        self._started = 0
        self._finished = 0
        self._began = time.monotonic()

    def run(self) -> list[Found]:
        """The problems that were left for want of time. Raises ``KeyboardInterrupt``, and ``SuiteError`` where the
        results cannot be written.
        """
        again: list[Found] = []
        try:
            plan = self._new_ones_first(mixed(self.work.plan) if self.work.at_once > 1 else self.work.plan)
            left = self._all(deque(plan), self.work.at_once, again)
            # what failed beside others may have wanted the memory that they had
            return left + self._all(deque(again), 1, None)
        finally:
            self._stop()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _new_ones_first(self, plan: Sequence[Found]) -> list[Found]:
        cut_short = {record.key for record in self.results.problems if record.cut_short}
        return sorted(plan, key=lambda found: found.key in cut_short)

    def _all(self, queue: deque[Found], at_once: int, again: list[Found] | None) -> list[Found]:
        while True:
            while queue and not self._late() and (free := self._free(at_once)):
                self._begin(queue.popleft(), free[0])
            if not self._children:
                if not queue or self._late():
                    return list(queue)
                continue
            ended = [child for child in self._children if child.ended]
            for child in ended:
                self._take(child, again, len(queue))
            if not ended:
                time.sleep(POLL_SECONDS)

    def _free(self, at_once: int) -> list[int]:
        """Places of devices with less to do than they may have, the idlest first."""
        busy = Counter(child.device for child in self._children)
        loads = [(busy[device], place) for place, device in enumerate(self.work.devices)]
        return [place for load, place in sorted(loads) if load < at_once]

    def _late(self) -> bool:
        return self._seconds_left == 0.0

    @property
    def _seconds_left(self) -> float | None:
        limit = self.work.time_limit
        return None if limit is None else max(0.0, self._began + limit - time.monotonic())

    def _begin(self, found: Found, place: int) -> None:
        if found.failure:
            self._keep(recording.not_judged(found, found.failure))
            return
        settings = self.results.heads[self.work.head].settings
        run = RunSettings(
            problem=found.problem,
            target=settings.target,
            authors=settings.authors,
            budget=settings.budget,
            precision=settings.precision,
            platform=settings.platform,
        )
        side_by_side = self.work.at_once
        judge = JudgeSettings(baselines=settings.baselines, gate=str(self._gates[place]))
        # building a baseline waits for the others' timing
        judge = judge.model_copy(update={"baseline_time_limit": judge.baseline_time_limit * side_by_side})
        self._started += 1
        threads = compile_threads(side_by_side, len(self.work.devices))
        folder, device = self._folder / str(self._started), self.work.devices[place]
        child = Child(
            found,
            run,
            judge,
            folder,
            unsafe=self.work.unsafe,
            threads=threads,
            device=device,
            seconds=self._seconds_left,
        )
        self._children.append(child)
        beside = [other for other in self._children if other.device == device]
        if len(beside) > 1:
            for other in beside:
                other.in_company = True

    def _take(self, child: Child, again: list[Found] | None, queued: int) -> None:
        self._children.remove(child)
        record = child.record()
        crowded = child.in_company and record.lacked_memory
        once_more = again is not None and (crowded or bool(child.in_company and record.failure))
        if again is not None and once_more:
            again.append(child.found)
        if crowded:
            record = record.model_copy(update={"cut_short": True})
        with uninterrupted():
            self._keep(child.keep(record, self._store), queued, once_more=once_more)

    def _keep(self, record: ProblemRecord, queued: int = 0, *, once_more: bool = False) -> None:
        """Into the file, in the place of an earlier record of the same problem and place."""
        heads = list(self.results.heads)
        head = heads[self.work.head]
        record = record.model_copy(update={"head": self.work.head})
        rest = (r for r in self.results.problems if (r.key, heads[r.head].place) != (record.key, head.place))
        problems = tuple(sorted((*rest, record), key=lambda r: (r.key, r.head)))
        self._finished += not once_more
        heads[self.work.head] = head.model_copy(
            update={"sittings": (*head.sittings[:-1], self._sitting(head.sittings[-1]))}
        )
        self.results = SuiteResults(heads=tuple(heads), problems=problems)
        file.write(self.work.out, self.results)
        elapsed, left = time.monotonic() - self._began, len(self.work.plan) - self._finished
        estimate = elapsed / max(1, self._finished) * left
        self._said(Progress(record, self._finished, len(self.work.plan), estimate, once_more))

    def _sitting(self, so_far: Sitting) -> Sitting:
        return so_far.model_copy(
            update={
                "problems": self._finished,
                "wall_seconds": time.monotonic() - self._began,
                "device_seconds": math.fsum(seconds_in_use(uses(gate)) for gate in self._gates),
            }
        )

    def _stop(self) -> None:
        for child in self._children:
            child.ask_to_stop()
        for child in self._children:
            child.stop()
            run = child.rescue(self._store)
            kept = f", run {run} is stored" if run else ""
            print(f"kernelwright: {child.found.title} was stopped and is not in the results{kept}", file=sys.stderr)
        self._children.clear()
