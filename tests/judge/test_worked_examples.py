"""The worked examples that language models are shown: each is correct, by the judge that will judge theirs."""

import ast
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

import kernelwright
from kernelwright import platforms
from kernelwright.authors.file import detect_target
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.judge import interpreter as triton_interpreter
from kernelwright.judge.findings import Stopped
from kernelwright.problems import from_file
from kernelwright.schema import Candidate, Problem, Status, Target, Verdict

PROMPTS = Path(kernelwright.__file__).parent / "authors" / "language_model" / "prompts"
NOTE = "checked in Triton's interpreter (CPU), not timed"
WRONG_TAIL = """\
import torch
import triton
import triton.language as tl


@triton.jit
def double(x, y, size, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, 2 * tl.load(x + at, mask=at < size), mask=at < size - 1)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        y = torch.zeros_like(x)
        double[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), BLOCK=64)
        return y
"""
DOUBLE = """\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return 2 * x


def get_inputs():
    return [torch.randn(100)]


def get_init_inputs():
    return []
"""
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")


def source_of(target: Target) -> str:
    return (PROMPTS / target / "example_candidate.py").read_text()


def judge(problem: Problem, source: str, target: Target) -> Verdict:
    candidate = Candidate(source=source, author="test", target=target)
    with JudgeSession(problem, platforms.get("cpu"), JudgeSettings(timing=False, unsafe=True)) as session:
        return session.judge(candidate)


@pytest.mark.parametrize("target", list(Target))
def test_an_example_is_short_says_what_it_does_and_shows_its_own_target(target: Target) -> None:
    source = source_of(target)
    tree = ast.parse(source)
    assert detect_target(tree) is target
    assert len(source.splitlines()) < 90
    assert (ast.get_docstring(tree) or "").count("\n") >= 3
    assert from_file(PROMPTS / target / "example_problem.py").source


@pytest.fixture(scope="module")
def judged(request: pytest.FixtureRequest) -> Iterator[dict[Target, Future[Verdict]]]:
    """Those that are asked for, side by side: most of the time is the start of processes, and one compiler's."""
    tests = {item.name for item in request.session.items}
    asked = [t for t in Target if f"test_an_example_that_runs_on_a_cpu_is_correct[{t.value}]" in tests]
    problems = {target: from_file(PROMPTS / target / "example_problem.py") for target in asked}
    with ThreadPoolExecutor() as pool:
        yield {target: pool.submit(judge, problems[target], source_of(target), target) for target in asked}


@pytest.mark.parametrize(
    "target", [Target.TORCH, Target.METAL, pytest.param(Target.CPP, marks=[pytest.mark.slow, pytest.mark.thorough]),
               pytest.param(Target.TRITON, marks=needs_triton)],
)  # fmt: skip
def test_an_example_that_runs_on_a_cpu_is_correct(
    target: Target, judged: dict[Target, Future[Verdict]], request: pytest.FixtureRequest
) -> None:
    if target is Target.METAL:
        request.getfixturevalue("toolchain")
    verdict = judged[target].result()
    assert verdict.status is Status.CORRECT, verdict.feedback
    said = {Target.METAL: "checked on the Metal runtime (CPU), not timed", Target.TRITON: NOTE}
    assert verdict.not_timed == said.get(target)
    assert verdict.accuracy is not None and all(verdict.accuracy.passes.values())


@pytest.fixture(scope="module")
def doubling() -> Iterator[JudgeSession]:
    """With times asked for."""
    problem = Problem(name="double", format="kernelbench", source=DOUBLE)
    with JudgeSession(problem, platforms.get("cpu"), JudgeSettings(unsafe=True)) as session:
        yield session


@needs_triton
def test_the_interpreter_sees_a_tail_that_is_masked_wrongly(doubling: JudgeSession) -> None:
    verdict = doubling.judge(Candidate(source=WRONG_TAIL, author="test", target=Target.TRITON))
    assert verdict.status is Status.MISMATCH
    assert verdict.not_timed is None


@needs_triton
def test_on_a_cpu_triton_is_checked_although_times_were_asked_for(doubling: JudgeSession) -> None:
    source = WRONG_TAIL.replace("size - 1", "size")
    verdict = doubling.judge(Candidate(source=source, author="test", target=Target.TRITON))
    assert verdict.ok, verdict.feedback
    assert (verdict.not_timed, verdict.timing, verdict.speedup.eager) == (NOTE, None, None)
    assert verdict.feedback == f"Correct: {NOTE}."


def test_without_triton_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_interpreter, "find_spec", lambda name: None)
    candidate = Candidate(source=WRONG_TAIL, author="test", target=Target.TRITON)
    with pytest.raises(Stopped) as stopped:
        triton_interpreter.interpreted(candidate, "cpu")
    assert (stopped.value.finding.status, stopped.value.finding.rule) == (Status.REJECTED, "toolchain")
    assert "pip install 'kernelwright[triton]'" in stopped.value.finding.feedback
    assert not triton_interpreter.interpreted(candidate, "cuda")


@pytest.mark.parametrize(
    ("target", "platform", "expected"),
    [(Target.METAL, "mps", True), (Target.METAL, "cuda", False), (Target.METAL, "cpu", False),
     (Target.TRITON, "cuda", True), (Target.TRITON, "cpu", False), (Target.TORCH, "cpu", True), (None, "cpu", True)],
)  # fmt: skip
def test_only_a_real_device_is_timed(target: Target | None, platform: str, expected: bool) -> None:
    assert triton_interpreter.timed(target, platform) is expected
