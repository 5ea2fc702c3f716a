"""The way of a candidate that is profiled: build it as a judgement does, call it, count, watch, and make a Profile.

Everything that comes from the candidate's process is read as data. Its own limits and the clock are the judge's.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from kernelwright.judge import source
from kernelwright.judge.correctness import DrawPlan
from kernelwright.judge.feedback import from_error
from kernelwright.judge.findings import Stopped, stop
from kernelwright.judge.interpreter import NOTE, interpreted
from kernelwright.judge.isolation import Sandbox
from kernelwright.judge.limits import ProblemCosts
from kernelwright.judge.nursery import Worker
from kernelwright.judge.profiling import alone, draw, metal, ncu, operations, rooflines
from kernelwright.judge.profiling.events import Counts, Trace, UnreadableError, clean, read_counts, read_trace
from kernelwright.judge.profiling.remembered import Remembered
from kernelwright.judge.reference.client import Reference, ReferenceFailed
from kernelwright.platforms import mac_capture
from kernelwright.schema import Candidate, DeviceLimits, Profile, Status, Target, Verdict

TOOL = "torch.profiler"
WARM_CALLS, TIMED_CALLS, WATCHED_CALLS = 3, 50, 8
TIMED_SECONDS, WATCHED_SECONDS = 1.0, 4.0
COPY_BYTES = 128 << 20
CAPTURED_CALLS = 1
RANGES = {"cuda": "cuda", "mps": "metal"}
"""What an outer tool looks at."""
NCU_FIX = "apt-get install -y nsight-compute"
NO_PERMISSION = (
    "the driver lets only administrators read counters, and the sandbox is none: set "
    "NVreg_RestrictProfilingToAdminUsers=0 for the module nvidia"
)
SLOWED_DOWN = 1.25
"""From this factor on the reader is told how much the profiler slows the calls down."""
DISTURBED = 0.1
"""From this share on the reader is told that threads waited for other programs."""
HIDDEN = 1.5
"""From this factor on the reader is told that the candidate's time stamps leave out time of the judge's clock."""


@dataclass(frozen=True)
class Kit:
    """What a session gives: its facts, and how to get at the rest when it is needed."""

    platform: str
    device: str
    draw: DrawPlan
    seed: int
    construction_fd: int
    reference: Reference
    sandbox: Sandbox
    screenshots: bool
    remembered: Remembered
    spawn: Callable[[], Worker]
    judge: Callable[[], Verdict]
    costs: Callable[[], ProblemCosts]
    limits: Callable[[], DeviceLimits]


def profile(candidate: Candidate, kit: Kit) -> Profile | None:
    """See ``JudgeSession.profile``."""
    if candidate.target is Target.METAL and kit.platform != "mps":
        work = kit.remembered.work(candidate) or kit.judge().metal
        return metal.profile_of(work, kit.platform) if work is not None and work.kernels else None
    worker = None
    try:
        source.read(candidate)
        if interpreted(candidate, kit.platform):
            return _failed(kit, f"{NOTE}: there are no times to look at")
        worker = kit.spawn()
        return _Profiler(candidate, worker, kit).run()
    except Stopped as stopped:
        return _failed(kit, f"{stopped.finding.status}: {stopped.finding.feedback.splitlines()[0]}")
    except ReferenceFailed as error:
        return _failed(kit, f"the reference could not be asked: {error}")
    finally:
        if worker is not None:
            worker.close()


def _failed(kit: Kit, reason: str) -> Profile:
    """A profile that holds only why there is none."""
    return Profile(tool=TOOL, platform=kit.platform, device=kit.device, notes=(reason,))


def _noted(made: Profile, note: str) -> Profile:
    return made.model_copy(update={"notes": (*made.notes, note)})


class _Profiler:
    """One candidate in one fresh process. ``run`` raises ``Stopped`` for what the candidate does."""

    def __init__(self, candidate: Candidate, worker: Worker, kit: Kit):
        self._candidate = candidate
        self._worker = worker
        self._kit = kit
        self._name = f"candidate_{candidate.digest[:16]}"

    def run(self) -> Profile:
        self._build()
        timed, counts = self._timed()
        try:
            watched = read_trace(self._ask("watch", slot=0, calls=self._calls(WATCHED_CALLS, WATCHED_SECONDS, timed)))
        except UnreadableError as error:
            raise stop(Status.REJECTED, "protocol", str(error)) from None
        # the time of a judgement, where there was one, is better measured than the one taken here
        made = self._profile(self._kit.remembered.ms(self._candidate) or timed.ms, timed, counts, watched)
        if self._kit.platform == "cuda":
            return self._counted_by_ncu(made)
        return self._captured(made) if self._kit.screenshots else made

    # --- in the candidate's process -----------------------------------------------------------------------------------

    def _build(self) -> None:
        """Import, construct with the reference's weights, hand over the inputs."""
        seed = self._kit.seed
        arguments, fds = self._worker.load(self._candidate.source, name=self._name, seed=seed)
        loaded = self._ask("load", fds, **arguments)
        if not loaded.get("has_model"):
            raise stop(Status.GENERATION_FAILED, "no_model_new", "after import the module has no ModelNew")
        self._ask("construct", (self._kit.construction_fd,), seed=seed)
        drawn = self._kit.draw
        fd, _ = self._kit.reference.draw(drawn.seed, drawn.kind)
        try:
            self._ask("store", (fd,), slot=0)
        finally:
            os.close(fd)

    def _timed(self) -> "tuple[_Timed, Counts]":
        """Calls without a profiler: the judge's clock around them, the device's stamps, what the process used."""
        self._ask("warm", slot=0, calls=WARM_CALLS)
        one = self._block(1)
        calls = self._calls(TIMED_CALLS, TIMED_SECONDS, one)
        self._ask("prepare", slots=[0] * calls, changes=[None] * calls)
        self._ask("count", begin=True)
        timed = self._go(calls)
        return timed, self._counts()

    def _counts(self) -> Counts:
        reply = self._ask("count", begin=False)
        try:
            return read_counts(reply)
        except UnreadableError as error:
            raise stop(Status.REJECTED, "protocol", str(error)) from None

    def _block(self, calls: int) -> "_Timed":
        self._ask("prepare", slots=[0] * calls, changes=[None] * calls)
        return self._go(calls)

    def _go(self, calls: int) -> "_Timed":
        began = time.monotonic()
        reply = self._ask("go")
        outside = 1e3 * (time.monotonic() - began)
        stamps: list[Any] = reply["ms"] if isinstance(reply.get("ms"), list) else []
        if len(stamps) != calls or not all(isinstance(ms, float | int) and 0 <= ms < 1e9 for ms in stamps):
            raise stop(Status.REJECTED, "clock_disagreement", "the time stamps of a block are not times")
        return _Timed(max(float(median(stamps)), 1e-6), float(sum(stamps)), outside, calls)

    def _calls(self, most: int, seconds: float, timed: "_Timed") -> int:
        """As many as fit into that time and into memory side by side."""
        by_time = seconds * 1e3 / max(timed.outside / timed.calls, 1e-3)
        by_memory = COPY_BYTES / max(1, self._kit.draw.facts["input_bytes"])
        return max(1, min(most, int(by_time), int(by_memory)))

    def _ask(self, op: str, fds: tuple[int, ...] = (), **arguments: Any) -> dict[str, Any]:
        reply = self._worker.ask(op, fds, **arguments)
        if isinstance(reply.get("error"), dict):
            raise from_error(reply["error"], "profiling", self._candidate.source, self._worker.printed())
        return reply

    def _counted_by_ncu(self, made: Profile) -> Profile:
        """With the GPU's own counters, where there is ``ncu`` and the driver lets it read them."""
        program = ncu.find()
        if program is None:
            return _noted(made, f"no ncu here ({NCU_FIX}): occupancy, registers and traffic are not known")
        self._ask("clear")
        done = self._alone(ncu.command(program), {"LC_ALL": "C"}, ncu.CALLS, ncu.SECONDS)
        launches = ncu.parse(done.output)
        if launches:
            return ncu.merged(made, launches)
        refused = "ERR_NVGPUCTRPERM" in done.output + done.errors
        return _noted(made, f"ncu counted nothing: {NO_PERMISSION if refused else clean(done.last_words)}")

    def _captured(self, made: Profile) -> Profile:
        """With screenshots of Xcode, which opens a capture of the candidate's Metal commands."""
        try:
            with alone.private_directory(self._kit.sandbox) as directory:
                trace = directory / "candidate.gputrace"
                variables = {mac_capture.ENABLED: "1"}
                done = self._alone((), variables, CAPTURED_CALLS, mac_capture.SECONDS, directory, str(trace))
                if done.status != 0 or not trace.exists():
                    return _noted(made, f"no capture of Metal's commands: {clean(done.last_words)}")
                taken = mac_capture.screenshots(trace, directory)
        except mac_capture.CaptureError as error:
            return _noted(made, str(error))
        return made.model_copy(update={"pictures": (*made.pictures, *taken)})

    def _alone(
        self,
        tool: Sequence[str],
        environment: Mapping[str, str],
        calls: int,
        seconds: float,
        directory: Path | None = None,
        trace: str = "",
    ) -> alone.Finished:
        """The candidate once more, in a process of its own below ``tool``."""
        kit = self._kit
        if directory is None:
            with alone.private_directory(kit.sandbox) as made:
                return self._alone(tool, environment, calls, seconds, made, trace)
        order = alone.Order(
            source=self._candidate.source, name=self._name, seed=kit.seed, platform=kit.platform,
            range=RANGES.get(kit.platform, "none"), calls=calls, trace=trace,
        )  # fmt: skip
        fd, _ = kit.reference.draw(kit.draw.seed, kit.draw.kind)
        try:
            return alone.run(
                order, (kit.construction_fd, fd), kit.sandbox, directory, tool=tool, environment=environment,
                seconds=seconds,
            )  # fmt: skip
        finally:
            os.close(fd)

    # --- on the judge's side ------------------------------------------------------------------------------------------

    def _profile(self, ms: float, timed: "_Timed", counts: Counts, watched: Trace) -> Profile:
        kit = self._kit
        on_device = kit.platform == "cuda"
        seen = operations.look(watched, device=on_device)
        share = ms / seen.watched_ms if seen.watched_ms else 1.0
        roofline = rooflines.of_reference(kit.costs(), kit.limits(), ms)
        pictures, picture_notes = draw.pictures(watched, roofline, title=f"{self._candidate.title or 'candidate'}")
        return Profile(
            tool=TOOL,
            platform=kit.platform,
            device=kit.device,
            wall_ms=ms,
            # the device is not slowed down by a watched host; on the CPU both are one, and the share is what is left
            device_ms=min(seen.busy_ms, ms) if on_device else seen.busy_ms * share,
            operations=seen.operations,
            counters=self._counters(timed, counts) | {"watched_ms": seen.watched_ms},
            roofline=roofline,
            pictures=pictures,
            notes=(*self._notes(ms, timed, counts, watched, seen), *picture_notes),
        )

    def _counters(self, timed: "_Timed", counts: Counts) -> dict[str, float]:
        """For one call. On a GPU the host's counts hold the flushes between calls too, so they are left out there.

        ``threads_busy``: threads that ran, or would have run if another program had not had their CPU.
        """
        if self._kit.platform != "cpu":
            return {}
        counters = {name: total / timed.calls for name, total in counts.counts.items()}
        if "cpu_ms" in counters and timed.outside:
            ready = counts.counts["cpu_ms"] + counts.counts.get("waiting_ms", 0.0)
            counters["threads_busy"] = ready / timed.outside
        return counters

    def _notes(
        self, ms: float, timed: "_Timed", counts: Counts, watched: Trace, seen: operations.Seen
    ) -> tuple[str, ...]:
        notes: list[str] = []
        slower = seen.watched_ms / ms if ms else 1.0
        if slower > SLOWED_DOWN:
            notes.append(f"the profiler made calls {slower:.1f} × slower: times of short operations are too long")
        if self._kit.platform == "cpu" and timed.outside > HIDDEN * timed.stamped + 1.0:
            notes.append(f"stamped calls took {timed.stamped:.4g} ms, the judge's clock says {timed.outside:.4g} ms")
        waiting = counts.counts.get("waiting_ms", 0.0)
        if self._kit.platform == "cpu" and waiting > DISTURBED * timed.outside:
            notes.append(f"other programs had the CPU: threads waited {waiting / timed.calls:.3g} ms in each call")
        if counts.missing and self._kit.platform == "cpu":
            notes.append(counts.missing)
        if watched.dropped:
            notes.append(f"{watched.dropped} events of the profiler did not fit and are missing")
        if self._kit.platform == "mps":
            notes.append("torch.profiler sees no kernels of Apple GPUs: times are those of the host")
        return tuple(notes)


@dataclass(frozen=True)
class _Timed:
    """A block of calls, milliseconds."""

    ms: float
    """The median call, as stamped."""
    stamped: float
    """All calls together, as stamped."""
    outside: float
    """The block on the judge's clock."""
    calls: int
