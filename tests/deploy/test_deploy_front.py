"""The two functions of the package: ``kernelwright.judge`` and ``kernelwright.optimize``."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import kernelwright
from kernelwright.judge.settings import JudgeSettings
from kernelwright.schema import ProblemError, Status, Target, Verdict
from kernelwright.store import Store

SOURCE = """
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x.clamp(min=0)
"""


class Relu(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x)


def test_judge_stays_a_function_after_its_room_was_imported() -> None:
    code = """
import kernelwright
assert callable(kernelwright.judge)
from kernelwright.judge import JudgeSession
assert callable(kernelwright.judge)
from kernelwright import judge
assert callable(judge)
import kernelwright.judge.settings as settings
assert settings.JudgeSettings().timing
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""


class PaperSession:
    seen: tuple[Any, ...] = ()

    def __init__(self, problem: Any, platform: Any, settings: Any) -> None:
        type(self).seen = (problem, platform.name, settings)

    def __enter__(self) -> "PaperSession":
        return self

    def __exit__(self, *_: object) -> None: ...

    def judge(self, candidate: Any, *, trusted: bool = False) -> Verdict:
        type(self).seen += (candidate, trusted)
        return Verdict(status=Status.CORRECT)


@pytest.fixture
def paper_judge(monkeypatch: pytest.MonkeyPatch) -> type[PaperSession]:
    monkeypatch.setattr(import_module("kernelwright.judge.session"), "JudgeSession", PaperSession)
    return PaperSession


Judge = Callable[..., Verdict]


@pytest.fixture
def judge() -> Judge:
    from kernelwright.deploy import judge

    return judge


def test_judge_takes_a_module_a_path_or_a_problem(
    paper_judge: type[PaperSession], judge: Judge, tmp_path: Path
) -> None:
    file = tmp_path / "relu.py"
    lines = ["import torch", "class Model(torch.nn.Module):", "    def forward(self, x): return x"]
    lines += ["def get_inputs(): return [torch.rand(2)]", "def get_init_inputs(): return []"]
    file.write_text("\n".join(lines))
    for problem in ((Relu(), [torch.rand(2)]), file, str(file), kernelwright.problems.from_file(file)):
        assert judge(problem, SOURCE, platform="cpu").ok
    problem, platform, settings, candidate, trusted = paper_judge.seen
    assert (problem.name, platform, settings.timing, settings.unsafe) == ("relu", "cpu", True, False)
    assert (candidate.source, candidate.target, trusted) == (SOURCE, Target.TORCH, False)


def test_judge_passes_on_what_it_was_given(paper_judge: type[PaperSession], judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "c.py").write_text("import triton\n" + SOURCE)
    given = (Relu(), [torch.rand(2)])
    judge(given, tmp_path / "c.py", precision="gimlet", timing=False, unsafe=True, platform="cpu")
    _, _, settings, candidate, _ = paper_judge.seen
    assert (settings.precision.value, settings.timing, settings.unsafe) == ("gimlet", False, True)
    assert candidate.target is Target.TRITON
    judge(given, SOURCE, "cpp", platform="cpu")
    assert paper_judge.seen[3].target is Target.CPP
    judge(given, "not ( python", platform="cpu")
    assert paper_judge.seen[3].target is Target.TORCH


def test_judge_says_what_is_wrong(paper_judge: type[PaperSession], judge: Judge, tmp_path: Path) -> None:
    with pytest.raises(ProblemError):
        judge(tmp_path / "gone.py", SOURCE)
    with pytest.raises(ValueError, match="sloppy"):
        judge((Relu(), [torch.rand(2)]), SOURCE, precision="sloppy")
    with pytest.raises(LookupError, match="abacus"):
        judge((Relu(), [torch.rand(2)]), SOURCE, platform="abacus")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"budget": "soon"}, ValueError),
        ({"precision": "sloppy"}, ValueError),
        ({"target": "cobol"}, ValueError),
        ({"authors": ["nobody"]}, LookupError),
    ],
)
def test_optimize_says_what_is_wrong(given: dict[str, Any], error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error):
        kernelwright.optimize(Relu(), [torch.rand(2)], store=tmp_path, **{"authors": ["file:x.py"], **given})
    with Store.open(tmp_path) as store:
        assert store.runs() == ()


@pytest.mark.slow
def test_a_module_is_made_faster_and_stays_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real judge, which is spared the compiled baselines."""
    eager_only = partial(JudgeSettings, baselines=("eager",))
    monkeypatch.setattr(import_module("kernelwright.judge"), "JudgeSettings", eager_only)

    class RowSum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(512, 1024)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x).sum(dim=1, keepdim=True)

    (tmp_path / "folded.py").write_text("""
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(512, 1024)

    def forward(self, x):
        return x @ self.linear.weight.sum(0)[:, None] + self.linear.bias.sum()
""")
    module, x = RowSum().eval(), torch.randn(512, 512)
    author = f"file:{tmp_path / 'folded.py'}"
    optimized = kernelwright.optimize(module, x, budget="2,1m", authors=[author], store=tmp_path / "home")
    with torch.no_grad():
        torch.testing.assert_close(optimized(x), module(x), rtol=1e-3, atol=1e-3)
        module.linear.weight.mul_(2)
        torch.testing.assert_close(optimized(x), module(x), rtol=1e-3, atol=1e-3)
    with Store.open(tmp_path / "home") as store:
        run = store.runs()[0]
    assert optimized.run.id == run.id
    if optimized.attempt is None:  # without isolation the file is refused; on a busy machine nothing may be called
        assert optimized.calls.winner == 0
    else:
        assert optimized.verdict is not None and optimized.verdict.ok
        assert optimized.calls.winner == 2
        assert author in optimized.explain()
