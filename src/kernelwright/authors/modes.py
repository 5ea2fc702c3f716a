"""The modes of torch.compile that are worth a Candidate, by platform."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to call ``torch.compile``."""

    name: str
    options: str
    """Keyword arguments, as code."""
    explanation: str
    baseline: str
    """The baseline that shows what becomes of it: the same compilation or, for replays, the other that replays."""
    graphs: bool = False
    """Replays CUDA graphs: what a call returns is written over by the next one, so it must be cloned."""

    @property
    def call(self) -> str:
        """The decorator's expression."""
        return f"torch.compile({self.options})"


def compile_modes(platform: str) -> tuple[Mode, ...]:
    """The modes to try, in order. Shapes are fixed in all of them (``dynamic=False``)."""
    default = Mode(
        "default",
        "dynamic=False",
        "TorchInductor fuses elementwise work and writes loops for these shapes.",
        baseline="compile",
    )
    graphs = "" if platform == "cuda" else "-no-cudagraphs"
    tuned = Mode(
        "max-autotune",
        f'mode="max-autotune{graphs}", dynamic=False',
        "TorchInductor also tries several templates for each matrix product and keeps the fastest.",
        baseline="compile-max-autotune",
        graphs=platform == "cuda",
    )
    replayed = Mode(
        "reduce-overhead",
        'mode="reduce-overhead", dynamic=False',
        "TorchInductor's code, replayed as one CUDA graph: no launch costs on the host.",
        baseline="compile-max-autotune",
        graphs=True,
    )
    return (default, tuned, replayed) if platform == "cuda" else (default, tuned)
