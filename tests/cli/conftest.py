"""The real command line, authors, problems and store; only the judge is of paper, so that no candidate is run."""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import pytest
from typer.testing import CliRunner, Result

from kernelwright.cli.main import app
from kernelwright.schema import (
    Accuracy,
    BaselineTiming,
    Candidate,
    Interval,
    Isolation,
    Limits,
    Precision,
    Problem,
    Speedup,
    Status,
    Timing,
    Verdict,
)

PROBLEM = """\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x)


def get_inputs():
    return [torch.rand(4, 4)]


def get_init_inputs():
    return []
"""


def candidate_source(verdict: str) -> str:
    return f'''\
"""A candidate."""

import torch

# verdict: {verdict}


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return x.clamp(min=0)
'''


def interval(median: float) -> Interval:
    return Interval(median=median, low=median * 0.98, high=median * 1.02)


BASELINES = (
    BaselineTiming(name="eager", ms=interval(2.0)),
    BaselineTiming(name="compile", ms=interval(1.0)),
    BaselineTiming(name="onnxruntime", failure="not installed"),
)


def correct(ratio: float) -> dict[str, Any]:
    return {
        "status": Status.CORRECT,
        "speedup": Speedup(eager=interval(2 * ratio), best_baseline=interval(ratio), best_baseline_name="compile"),
        "timing": Timing(candidate_ms=interval(1 / ratio), baselines=BASELINES, blocks=8, calls=64, rechecked=4),
        "accuracy": Accuracy(
            candidate_norm=1e-7,
            candidate_worst=2e-6,
            eager_norm=1e-7,
            eager_worst=float("inf"),
            draws=3,
            stress_draws=4,
            passes=dict.fromkeys(Precision, True),
        ),
        "limits": Limits(bytes_moved=128, flops=16, byte_floor_ms=0.1, work_floor_ms=0.01, byte_share=0.2),
        "artifacts": {"output_code.py": "# generated\n"},
    }


class PaperSession:
    """Reads the verdict off a comment in the source: ``ok 1.5``, ``mismatch``, ``interrupt``."""

    problem_labels = ("constant_output",)
    eager_error = None

    def __init__(self, problem: Problem, platform: Any, settings: Any = None) -> None:
        self.problem, self.platform, self.settings = problem, platform, settings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def baselines(self) -> tuple[BaselineTiming, ...]:
        return BASELINES

    def judge(self, candidate: Candidate, *, trusted: bool = False) -> Verdict:
        print("what a compiler says on standard output")
        found = re.search(r"# verdict: (\S+) ?(\S*)", candidate.source)
        word, ratio = found.groups() if found else ("ok", "1.0")
        if word == "interrupt":
            raise KeyboardInterrupt
        said = correct(float(ratio)) if word == "ok" else {"status": Status(word), "rule": "values", "feedback": "off"}
        return Verdict(
            problem=self.problem.name,
            candidate=candidate.digest,
            platform=self.platform.name,
            device="paper",
            isolation=Isolation.BUBBLEWRAP,
            precision=self.settings.precision,
            **said,
        )


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with one problem and a home for the store."""
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relu.py").write_text(PROBLEM)
    for name, verdict in {"fast": "ok 1.5", "slow": "ok 0.5", "wrong": "mismatch", "stop": "interrupt"}.items():
        (tmp_path / f"{name}.py").write_text(candidate_source(verdict))
    return tmp_path


@pytest.fixture
def paper_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("kernelwright.judge.session"), "JudgeSession", PaperSession)


@pytest.fixture
def kernelwright(files: Path, paper_judge: None) -> Callable[..., Result]:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return invoke
