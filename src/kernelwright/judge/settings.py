"""How strictly and for how long to judge."""

from kernelwright.schema import Precision, Record

BASELINES = ("eager", "compile", "compile-max-autotune", "onnxruntime")


class JudgeSettings(Record):
    """One session's settings. Times in seconds, sizes in bytes."""

    precision: Precision = Precision.STRICT
    timing: bool = True
    time_limit: float = 300.0
    """Wall time of one judgement, compilation included, timing excluded."""
    memory_limit: int = 8 << 30
    """Resident memory of a candidate's processes together, beyond torch itself."""
    process_limit: int = 256
    unsafe: bool = False
    """Judge candidates that nobody vouches for although nothing isolates them."""
    timing_budget: float = 20.0
    """Wall time for the timed blocks of one candidate."""
    baselines: tuple[str, ...] = BASELINES
    baseline_time_limit: float = 600.0
    """Wall time in which one baseline must be built."""
    gate: str | None = None
    """The folder of the gate (``gate.py``) before a device that several judges use at the same time."""
    draws: int | None = None
    """Natural draws; by default what the precision's protocol asks for (2, KernelBench 5, Gimlet 100)."""

    screenshots: bool = False
    """Profiles on a Mac: let Xcode open a capture of the candidate, and take pictures. It takes over the screen."""

    @property
    def natural_draws(self) -> int:
        if self.draws is not None:
            return self.draws
        return {Precision.STRICT: 2, Precision.KERNELBENCH: 5, Precision.GIMLET: 100}[self.precision]
