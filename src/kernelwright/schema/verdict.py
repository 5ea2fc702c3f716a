"""The verdict: what the judge answers for one candidate.

``Verdict.to_json()`` is the documented, versioned object that ``--json`` prints (docs/verdict.md).
"""

import json
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from kernelwright.schema.base import Record
from kernelwright.schema.candidate import Target
from kernelwright.schema.metal import MetalWork

VERDICT_SCHEMA = "kernelwright.verdict/1"


class Status(StrEnum):
    """How a judgement ended. Only ``CORRECT`` candidates are timed."""

    CORRECT = "correct"
    GENERATION_FAILED = "generation_failed"
    COMPILE_FAILED = "compile_failed"
    RUNTIME_FAILED = "runtime_failed"
    MISMATCH = "mismatch"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"


class Precision(StrEnum):
    """Named accuracy rules. ``STRICT`` is ours; the others repeat what published numbers used."""

    STRICT = "strict"
    KERNELBENCH = "kernelbench"
    GIMLET = "gimlet"


class Isolation(StrEnum):
    """What stood between the candidate and this machine."""

    BUBBLEWRAP = "bubblewrap"
    SANDBOX_EXEC = "sandbox-exec"
    NONE = "none"


class IsolationLayer(StrEnum):
    """One measure of isolation that held while a candidate ran."""

    NETWORK = "no_network"
    FILES = "private_files"
    """No file is seen but interpreter, packages and compilers; none is written outside an empty directory."""
    ENVIRONMENT = "clean_environment"
    """No variable but those on a list."""
    NAMESPACES = "namespaces"
    """User, process, mount and IPC namespaces of the candidate's own."""
    CAPABILITIES = "no_capabilities"
    SECCOMP = "seccomp"
    RLIMITS = "rlimits"
    WATCHDOG = "watchdog"
    """Memory and the number of processes are watched from outside."""


class Interval(Record):
    """A median with its 95 % bootstrap interval."""

    median: float
    low: float
    high: float


class Accuracy(Record):
    """Errors against the reference in float64, over every draw; the worst draw counts.

    ``*_norm`` is ``‖x - ref64‖₂ / ‖ref64‖₂``; ``*_worst`` is the largest elementwise error over the root mean square
    of ``ref64``. ``eager_*`` is the same for PyTorch itself, the yardstick.
    """

    candidate_norm: float
    candidate_worst: float
    eager_norm: float
    eager_worst: float
    draws: int
    """Natural draws compared."""
    stress_draws: int
    """Stress draws compared (scaled, shifted, zeros and ties, large magnitude)."""
    passes: dict[Precision, bool]
    """Which of the named precisions these outputs meet, as far as this many draws can tell."""


class Limits(Record):
    """Two floors under this device's measured rates, and the share of each that a candidate or a baseline reached."""

    bytes_moved: int
    """Inputs and weights that the output depends on, plus outputs, once each."""
    flops: int
    """FLOPs of the reference (``torch.utils.flop_counter``)."""
    byte_floor_ms: float
    work_floor_ms: float
    byte_share: float | None = None
    """byte_floor / candidate time, 0..1; ``None`` when not timed."""
    work_share: float | None = None
    less_work: bool = False
    """The candidate beats a floor that a program doing the reference's own work could not: algebra."""
    certain_share: float | None = None
    """Time to read what every program must read of new inputs and to write the outputs, as a share of the time taken.
    ``None`` when not timed, and where so little is moved that a cache may hold it."""


class BaselineTiming(Record):
    """One baseline, timed or failed; never dropped silently."""

    name: str
    """``eager``, ``compile``, ``compile-max-autotune`` or ``onnxruntime``."""
    ms: Interval | None = None
    vs_eager: Interval | None = None
    """Eager's time / this baseline's, paired by round: above 1 means that the baseline is faster than eager."""
    failure: str | None = None
    """One line, where it could not be built or run."""
    inexact: str | None = None
    """One line, where its answer would be rejected as a candidate's. It counts all the same: users run it."""
    limits: Limits | None = None
    """How near it comes to the hardware's limits, where that is known."""


Call = Literal["faster", "slower", "same"]
"""What may be said of a difference: ``same`` where it cannot be told from noise. Stricter than one 95 % interval,
because sampling that stops when the interval is tight looks many times (judge/statistics.py)."""


class Speedup(Record):
    """Paired ratios baseline time / candidate time; above 1 means that the candidate is faster."""

    eager: Interval | None = None
    eager_call: Call | None = None
    best_baseline: Interval | None = None
    best_baseline_call: Call | None = None
    best_baseline_name: str | None = None

    @property
    def faster_than_eager(self) -> bool:
        """Called faster, and the whole 95 % interval lies above 1."""
        return self.eager is not None and self.eager.low > 1.0 and self.eager_call in ("faster", None)

    @property
    def faster_than_best(self) -> bool:
        """Called faster than the best baseline, and the whole 95 % interval lies above 1."""
        found = self.best_baseline
        return found is not None and found.low > 1.0 and self.best_baseline_call in ("faster", None)


class Timing(Record):
    """The candidate's own time and every baseline's, milliseconds per call."""

    candidate_ms: Interval
    baselines: tuple[BaselineTiming, ...]
    blocks: int
    """Alternating pairs of blocks measured."""
    calls: int
    """Timed calls of the candidate in all."""
    rechecked: int
    """Timed calls whose outputs were compared afterwards."""


class Verdict(Record):
    """The judge's answer for one candidate. Errors of candidates are values in here, never exceptions."""

    schema_version: Literal["kernelwright.verdict/1"] = Field(default=VERDICT_SCHEMA, alias="schema")
    status: Status
    rule: str | None = None
    """The integrity rule or the stage that failed; ``None`` when correct."""
    precision: Precision = Precision.STRICT
    target: Target = Target.TORCH
    platform: str = "cpu"
    device: str = ""
    problem: str = ""
    candidate: str = ""
    """SHA-256 of the candidate's source."""
    accuracy: Accuracy | None = None
    speedup: Speedup = Speedup()
    timing: Timing | None = None
    limits: Limits | None = None
    metal: MetalWork | None = None
    """Of a Metal candidate that was checked without an Apple GPU: counted work in the place of times."""
    not_timed: str | None = None
    """Why a correct candidate has no times: ``checked in Triton's interpreter (CPU), not timed``."""
    problem_labels: tuple[str, ...] = ()
    """Found about the problem itself: ``constant_output``, ``ignores_input:1``, ``removable:aten.relu`` …"""
    labels: tuple[str, ...] = ()
    """What it found about the candidate: ``less_work``, ``weights_by_order``, ``nondeterministic`` …"""
    warnings: tuple[str, ...] = ()
    feedback: str = ""
    """What an author gets back: the first error with its source lines, the failing shape, where the error sits."""
    isolation: Isolation = Isolation.NONE
    layers: tuple[IsolationLayer, ...] = ()
    """What the isolation consisted of. Empty where no process of the candidate was started."""
    artifacts: dict[str, str] = {}
    """Generated code found after the run (TorchInductor's output), file name to text."""
    seconds: dict[str, float] = {}
    """Where the judgement's own time went, by stage, plus ``candidate``, ``reference`` and ``total``."""

    @property
    def ok(self) -> bool:
        return self.status is Status.CORRECT

    def to_json(self) -> dict[str, Any]:
        """The documented object: plain JSON types, ``schema`` first; NaN and infinities are strings."""
        return json.loads(self.model_dump_json(by_alias=True))
