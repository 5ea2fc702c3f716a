"""What the tests of the author that asks a model are made of: a model that plays a script, and Attempts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kernelwright.authors import Proposal, Task
from kernelwright.schema import (
    Attempt,
    CallStatus,
    Candidate,
    DeviceFacts,
    Exchange,
    Interval,
    Limits,
    MetalKernel,
    MetalWork,
    ModelledTime,
    Problem,
    Prompt,
    Speedup,
    Status,
    Target,
    Timing,
    Verdict,
)

PROBLEM = Problem(
    name="scaled_rows",
    format="kernelbench",
    source='''import torch
from torch import nn


class Model(nn.Module):
    """Rows times a scale, then summed."""

    def __init__(self, features):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(features))

    def forward(self, x):
        return (x * self.scale).sum(dim=-1)


def get_inputs():
    return [torch.randn(64, 128)]


def get_init_inputs():
    return [128]
''',
)
FACTS = DeviceFacts(
    platform="cpu", name="Testcore 9", memory_bytes=8 << 30, cores=2, cache_bytes=32 << 20, details={"threads": "2"}
)


def file(marker: str = "0") -> str:
    """A Candidate's text; ``marker`` tells them apart."""
    return (
        "import torch\n\n\nclass ModelNew(torch.nn.Module):\n    def forward(self, x):\n"
        f"        marker = {marker}\n        return x @ self.scale + marker\n"
    )


def answer(marker: str = "0", said: str = "Use a matrix-vector product.") -> str:
    return f"{said}\n\n```python\n{file(marker)}```\n"


@dataclass
class ScriptedModel:
    """Plays one answer after the other; a ``CallStatus`` in its place is a call that ended so."""

    script: Sequence[str | CallStatus] = ()
    name: str = "scripted:model"
    sees_pictures: bool = False
    prompts: list[Prompt] = field(default_factory=list[Prompt])
    keys: list[str] = field(default_factory=list[str])

    def ask(self, prompt: Prompt, key: str) -> Exchange:
        turn = self.script[len(self.prompts)] if len(self.prompts) < len(self.script) else answer()
        self.prompts.append(prompt)
        self.keys.append(key)
        if isinstance(turn, CallStatus):
            return Exchange(key=key, model=self.name, prompt=prompt, status=turn, detail="as the script\nsays")
        return Exchange(key=key, model=self.name, prompt=prompt, status=CallStatus.ANSWERED, answer=turn)


def task(**fields: Any) -> Task:
    given: dict[str, Any] = {"problem": PROBLEM, "facts": FACTS, "platform": "cpu", "target": Target.TORCH}
    return Task(**(given | fields))


def attempt(number: int, verdict: Verdict, source: str | None = None, **fields: Any) -> Attempt:
    """An Attempt of the scripted model; ``source=None`` gives it one of its own."""
    text = file(str(number)) if source is None else source
    candidate = Candidate(source=text, author="scripted:model", title=f"idea {number}") if text else None
    given = {"run": "r", "number": number, "author": "scripted:model", "candidate": candidate, "verdict": verdict}
    return Attempt(**(given | {"created": ""} | fields))


def failed(
    number: int, status: Status = Status.MISMATCH, feedback: str = "output: off by one", **fields: Any
) -> Attempt:
    return attempt(number, Verdict(status=status, rule=fields.pop("rule", "norm"), feedback=feedback), **fields)


def not_written(number: int, reason: str) -> Attempt:
    return attempt(number, Verdict(status=Status.GENERATION_FAILED, rule="generation", feedback=reason), source="")


def around(value: float, noise: float = 0.02) -> Interval:
    return Interval(median=value, low=value * (1 - noise), high=value * (1 + noise))


def timed(number: int, speedup: float, noise: float = 0.02, **fields: Any) -> Attempt:
    """Correct, and so many times as fast as eager, which takes 10 ms."""
    verdict = Verdict(
        status=Status.CORRECT,
        speedup=Speedup(
            eager=around(speedup, noise),
            best_baseline=around(speedup / 1.25, noise),
            best_baseline_name="compile",
        ),
        timing=Timing(candidate_ms=around(10 / speedup, noise), baselines=(), blocks=8, calls=80, rechecked=4),
        limits=Limits(
            bytes_moved=33 << 10, flops=8192, byte_floor_ms=1.0, work_floor_ms=0.5,
            byte_share=speedup / 10, work_share=speedup / 20,
        ),
        feedback=f"Correct. {speedup:.3f}x eager.",
    )  # fmt: skip
    return attempt(number, verdict, **fields)


def counted(number: int, modelled: float, moved: int = 1 << 20, kernels: int = 1, **fields: Any) -> Attempt:
    """Correct Metal that was checked, not timed; ``modelled`` in milliseconds on the M1."""
    kernel = MetalKernel(
        name="rows", grid=(64, 1, 1), group=(32, 1, 1), launches=1, launches_watched=1, threadgroups=2,
        threadgroups_watched=2, threadgroup_memory=128, resident_threadgroups=96, buffers=(),
        threadgroup_read_bytes=0, threadgroup_written_bytes=0, barriers=2, simd_operations=4, atomics=0, flops=8192,
        accesses=(),
    )  # fmt: skip
    verdict = Verdict(
        status=Status.CORRECT,
        target=Target.METAL,
        labels=() if kernels else ("launches_no_kernel",),
        metal=MetalWork(
            note="checked on the Metal runtime (CPU), not timed", kernels=(kernel,) * kernels, device_bytes=moved,
            distinct_device_bytes=moved // 2, flops=8192, arithmetic_intensity=8192 / moved,
            modelled=(ModelledTime(gpu="M1", ms=modelled, bound="bandwidth"),),
        ),
        feedback="Correct: checked on the Metal runtime (CPU), not timed.",
    )  # fmt: skip
    return attempt(number, verdict, **fields)


def proposed(proposal: Proposal | None) -> Proposal:
    assert proposal is not None
    return proposal


def text_of(prompt: Prompt) -> str:
    """All of a prompt as one text, its messages marked."""
    return "\n\n".join([f"[system]\n{prompt.system}", *(f"[{m.role}]\n{m.text}" for m in prompt.messages)])
