"""The whole way of a candidate: every state of a verdict, and what the author is told."""

import json

import pytest
from torch import nn

from kernelwright import platforms, problems
from kernelwright.judge import JudgeSession, JudgeSettings, ReferenceSurvey
from kernelwright.judge import session as session_module
from kernelwright.judge.isolation import NoSandbox
from kernelwright.judge.reference.client import ReferenceFailed
from kernelwright.schema import Candidate, Isolation, Precision, Problem, Status, Target

PROBLEM = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, 24)
        self.norm = nn.LayerNorm(24)

    def forward(self, x, ids):
        y = self.norm(self.linear(x)) * ids.unsqueeze(1)
        return {"y": y, "best": y.argmax(1)}

def get_inputs():
    return [torch.randn(32, 16), torch.randint(1, 5, (32,))]

def get_init_inputs():
    return [16]
"""

HONEST = PROBLEM.split("def get_inputs", maxsplit=1)[0].replace("class Model", "class ModelNew")


def problem(source=PROBLEM):
    return Problem(name="sample", format="kernelbench", source=source)


@pytest.fixture(scope="module")
def session():
    settings = JudgeSettings(timing=False, time_limit=8.0, unsafe=True)
    with JudgeSession(problem(), platforms.get("cpu"), settings) as session:
        yield session


def judge(session, source, **fields):
    return session.judge(Candidate(source=source, author="test", **fields))


def test_an_honest_candidate_is_correct_under_every_precision(session):
    verdict = judge(session, HONEST)
    assert verdict.status is Status.CORRECT and verdict.rule is None
    assert verdict.accuracy is not None and all(verdict.accuracy.passes.values())
    assert verdict.accuracy.draws == 2 and verdict.accuracy.stress_draws >= 3
    assert verdict.labels == ("library_only", "same_operators") and verdict.warnings == ()
    assert verdict.candidate == Candidate(source=HONEST, author="x").digest
    assert {"total", "start", "candidate", "reference"} <= verdict.seconds.keys()
    assert json.loads(json.dumps(verdict.to_json()))["schema"] == "kernelwright.verdict/1"


def test_renamed_parameters_in_the_same_order_are_taken_and_said(session):
    verdict = judge(session, HONEST.replace("self.linear", "self.projection"))
    assert verdict.status is Status.CORRECT
    assert "weights_by_order" in verdict.labels and "registration order" in verdict.warnings[0]


@pytest.mark.parametrize(
    ("change", "status", "rule", "told"),
    [
        (("class ModelNew", "class ModelNew("), Status.COMPILE_FAILED, "syntax", "line"),
        (("class ModelNew", "class Modelnew"), Status.GENERATION_FAILED, "no_model_new", "ModelNew"),
        (("import torch\n", "import torch\nimport numpy\n"), Status.REJECTED, "imports", "numpy"),
        (("import torch\n", "import torch\n1 / 0\n"), Status.RUNTIME_FAILED, "import", "ZeroDivisionError"),
        (("(self, width)", "(self)"), Status.RUNTIME_FAILED, "construction", "TypeError"),
        (("nn.LayerNorm(24)", "nn.LayerNorm(24, bias=False)"), Status.RUNTIME_FAILED, "construction", "norm.bias"),
        (("self.linear(x)", "self.linear(x, 1)"), Status.RUNTIME_FAILED, "forward", ">"),
        (("self.linear(x)", "self.linear(x).relu()"), Status.MISMATCH, "norm", "float64"),
        (('"best": y.argmax(1)', '"best": y.argmin(1)'), Status.MISMATCH, "value", "integer"),
        (('"best": y.argmax(1)', '"best": y.argmax(1).int()'), Status.MISMATCH, "dtype", "int32"),
        (('"y": y,', '"y": y[:, :1],'), Status.MISMATCH, "shape", "(32, 1)"),
        (('"y": y, ', ""), Status.MISMATCH, "structure", "the outputs are"),
        (("return {", "x.mul_(2); return {"), Status.REJECTED, "input_mutation", "input 0"),
        (("return {", "import time; time.sleep(60); return {"), Status.TIMED_OUT, "time_limit", "forward"),
        (("return {", "import os; os._exit(3); return {"), Status.CRASHED, "process_ended", "3"),
        (("return {", "z = torch.empty(1 << 44); return {"), Status.OUT_OF_MEMORY, "forward", "memory"),
    ],
)  # fmt: skip
def test_every_way_to_fail_has_its_state_and_says_why(session, change, status, rule, told):
    verdict = judge(session, HONEST.replace(*change))
    assert (verdict.status, verdict.rule) == (status, rule), verdict.feedback
    assert told in verdict.feedback
    assert verdict.timing is None and verdict.speedup.eager is None


def test_the_next_candidate_is_judged_as_if_nothing_had_happened(session):
    assert judge(session, HONEST.replace("return {", "import os; os._exit(0); return {")).status is Status.CRASHED
    assert judge(session, HONEST).status is Status.CORRECT


def test_affine_parameters_that_start_at_ones_and_zeros_must_be_used(session):
    without = HONEST.replace("self.norm(self.linear(x))", "nn.functional.layer_norm(self.linear(x), (24,))")
    assert judge(session, without).status is Status.MISMATCH


def test_noise_within_accuracy_is_labelled_not_rejected(session):
    noisy = HONEST.replace("ids.unsqueeze(1)", "ids.unsqueeze(1) * (1 + 1e-7 * torch.rand(32, 1))").replace(
        "def forward(self, x, ids):", "def forward(self, x, ids):\n        torch.seed()"
    )
    verdict = judge(session, noisy)
    assert verdict.status is Status.CORRECT and "nondeterministic" in verdict.labels


def test_a_compiled_candidate_is_labelled(session):
    verdict = judge(session, HONEST + "\nif False:\n    torch.compile(None)\n")
    assert "uses_torch_compile" in verdict.labels


def test_half_precision_passes_the_published_tolerances_and_not_ours(session):
    half = HONEST.replace("self.linear(x)", "self.linear(x.bfloat16().float())")
    verdict = judge(session, half)
    assert verdict.status is Status.MISMATCH
    assert verdict.accuracy is not None and not verdict.accuracy.passes[Precision.STRICT]


def test_gimlet_precision_accepts_what_strict_does_not():
    source = PROBLEM.replace(', "best": y.argmax(1)', "")
    settings = JudgeSettings(timing=False, precision=Precision.GIMLET, draws=4, unsafe=True)
    half = (
        source.split("def get_inputs")[0]
        .replace("class Model", "class ModelNew")
        .replace("(x))", "(x.half().float()))")
    )
    with JudgeSession(problem(source), platforms.get("cpu"), settings) as session:
        verdict = judge(session, half)
    assert verdict.status is Status.CORRECT, verdict.feedback
    assert verdict.accuracy is not None and verdict.accuracy.draws == 4
    assert not verdict.accuracy.passes[Precision.STRICT]


def test_without_isolation_only_trusted_candidates_run(monkeypatch):
    monkeypatch.setattr("kernelwright.judge.session.choose", NoSandbox)
    with JudgeSession(problem(), platforms.get("cpu"), JudgeSettings(timing=False)) as session:
        refused = judge(session, HONEST)
        trusted = session.judge(Candidate(source=HONEST, author="built-in"), trusted=True)
    assert (refused.status, refused.rule) == (Status.REJECTED, "isolation")
    assert "bubblewrap" in refused.feedback
    assert trusted.status is Status.CORRECT and trusted.isolation is Isolation.NONE


def test_a_problem_that_cannot_run_is_the_problems_fault():
    broken = problem(PROBLEM.replace("self.linear(x)", "self.linear(x.T)"))
    with ReferenceSurvey(platforms.get("cpu")) as survey:
        check, fine = survey.check(broken), survey.check(problem())
    assert not check.ok and "shape" in check.reason
    assert fine.ok and fine.yardstick == "float64"
    settings = JudgeSettings(timing=False)
    with JudgeSession(broken, platforms.get("cpu"), settings) as session, pytest.raises(ReferenceFailed, match="shape"):
        judge(session, HONEST)


def test_module_problems_have_no_constructor_arguments():
    module = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    import torch

    source = (
        "import torch\nfrom torch import nn\n\nclass ModelNew(nn.Sequential):\n"
        "    def __init__(self):\n        super().__init__(nn.Linear(8, 8), nn.ReLU())\n"
    )
    found = problems.from_module(module, [torch.randn(4, 8)])
    with JudgeSession(found, platforms.get("cpu"), JudgeSettings(timing=False, unsafe=True)) as session:
        verdict = judge(session, source, target=Target.TORCH)
    assert verdict.status is Status.CORRECT, verdict.feedback


@pytest.mark.slow
def test_a_baseline_that_outlasts_its_limit_is_recorded_and_the_rest_goes_on():
    settings = JudgeSettings(baselines=("eager", "compile"), timing_budget=1.0, baseline_time_limit=0.2, unsafe=True)
    with JudgeSession(problem(), platforms.get("cpu"), settings) as session:
        eager, compiled = session.baselines()
        verdict = judge(session, HONEST)
    assert eager.ms is not None and compiled.ms is None
    assert "longer" in (compiled.failure or "")
    assert verdict.status is Status.CORRECT and verdict.speedup.best_baseline_name == "eager"


INEXACT = """
import torch
from torch import nn

class Model(nn.Module):
    def forward(self, x):
        return (x * (1.001 if torch.compiler.is_compiling() else 1.0),)

def get_inputs():
    return [torch.randn(64, 64)]

def get_init_inputs():
    return []
"""


@pytest.mark.slow
def test_a_baseline_that_would_be_rejected_as_a_candidate_says_why_and_counts():
    settings = JudgeSettings(baselines=("eager", "compile", "onnxruntime"), timing_budget=1.0, unsafe=True)
    with JudgeSession(problem(INEXACT), platforms.get("cpu"), settings) as session:
        eager, compiled, onnx = session.baselines()
    assert eager.inexact is None and compiled.ms is not None
    assert "float64" in (compiled.inexact or "")
    assert onnx.ms is None or onnx.inexact is not None  # its exporter asks is_compiling() too


@pytest.mark.slow
def test_a_timed_verdict_has_every_baseline_intervals_and_limits():
    settings = JudgeSettings(timing_budget=1.5, baselines=("eager", "compile", "nothing"), unsafe=True)
    with JudgeSession(problem(), platforms.get("cpu"), settings) as session:
        verdict = judge(session, HONEST)
        kept = {"eager", verdict.speedup.best_baseline_name}
        built = {name for name in ("eager", "compile") if session._ask("built", names=[name])["all"]}
    assert built == kept, "those that are beaten hold no memory any more"
    assert verdict.status is Status.CORRECT, verdict.feedback
    assert verdict.timing is not None and verdict.limits is not None
    assert [b.name for b in verdict.timing.baselines] == ["eager", "compile", "nothing"]
    assert verdict.timing.baselines[2].ms is None and "nothing" in (verdict.timing.baselines[2].failure or "")
    assert verdict.timing.rechecked >= 2 and verdict.timing.blocks >= 3
    for interval in (verdict.speedup.eager, verdict.speedup.best_baseline, verdict.timing.candidate_ms):
        assert interval is not None and 0 < interval.low <= interval.median <= interval.high
    assert verdict.limits.bytes_moved > 0 and verdict.limits.flops == 2 * 32 * 16 * 24
    eager, compiled, nothing = (b.limits for b in verdict.timing.baselines)
    assert eager is not None and compiled is not None and nothing is None
    assert eager.byte_floor_ms == verdict.limits.byte_floor_ms and eager.certain_share is None


STEP = PROBLEM.replace(
    'y = self.norm(self.linear(x)) * ids.unsqueeze(1)\n        return {"y": y, "best": y.argmax(1)}',
    "return self.linear(x) * (x >= x.flip(0)).sum(1, keepdim=True)",
)


def test_what_happens_where_inputs_are_equal_is_not_excused_by_moving_them():
    """A comparison that is strict where the reference's is not differs only at ties."""
    assert "flip" in STEP
    candidate = STEP.split("def get_inputs", maxsplit=1)[0].replace("class Model", "class ModelNew")
    with JudgeSession(problem(STEP), platforms.get("cpu"), JudgeSettings(timing=False, unsafe=True)) as session:
        right, wrong = judge(session, candidate), judge(session, candidate.replace(">=", ">"))
    assert right.status is Status.CORRECT, right.feedback
    assert wrong.status is not Status.CORRECT


VIEW = PROBLEM.replace(
    'y = self.norm(self.linear(x)) * ids.unsqueeze(1)\n        return {"y": y, "best": y.argmax(1)}',
    "return self.norm(self.linear(x)) * ids.unsqueeze(1), x.transpose(0, 1)",
)


def test_an_output_that_is_a_view_of_an_input_may_change_with_it():
    """Where the reference's is one too: the judge itself writes over inputs that it gave before."""
    assert "transpose" in VIEW
    candidate = VIEW.split("def get_inputs", maxsplit=1)[0].replace("class Model", "class ModelNew")
    with JudgeSession(problem(VIEW), platforms.get("cpu"), JudgeSettings(timing=False, unsafe=True)) as session:
        verdict = judge(session, candidate)
    assert verdict.status is Status.CORRECT, verdict.feedback


@pytest.mark.parametrize(
    ("room", "draws"), [(1 << 30, 2), (2 * (32 * 16 * 4 + 32 * 8 + 3 * (32 * 24 * 4 + 32 * 8)) - 1, 1)]
)
def test_what_is_timed_on_fits_side_by_side(monkeypatch, room, draws):
    """An output that is looked at is held against its draw: to make that anew costs more than the call."""
    monkeypatch.setattr(session_module, "DRAW_BYTES", room)
    settings = JudgeSettings(timing_budget=0.2, baselines=("eager",), unsafe=True)
    with JudgeSession(problem(), platforms.get("cpu"), settings) as session:
        verdict = judge(session, HONEST)
        assert verdict.status is not Status.MISMATCH, verdict.feedback
        assert session._stopwatch is not None
        assert len(session._stopwatch.plan) == draws
