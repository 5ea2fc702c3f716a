"""``inductor``, ``rewriter`` and ``rewriter+inductor`` on whole problems."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from authors_kit import attempts, everything, task
from sketches import build
from torch import nn

from kernelwright import problems
from kernelwright.authors import AuthorError, Task, get, replaying
from kernelwright.authors.reference_source import foreign_imports, model_source
from kernelwright.authors.replaying import REPLAYED
from kernelwright.authors.rewriter import author as rewriter_author
from kernelwright.authors.rewriter import process
from kernelwright.authors.rewriter.cost import MACHINES
from kernelwright.authors.rewriter.rules import ALL
from kernelwright.authors.rewriter.saturate import Bounds
from kernelwright.schema import Candidate, Interval, Problem, Speedup, Status, Target, Timing, Verdict

ROW_SUM = '''
import math

import torch
import torch.nn as nn
import random

SCALE = math.sqrt(4.0)  # used by the model
BATCH = 8


def halved(x):
    """Used by the model."""
    return x / 2


@torch.no_grad()
def unused(x):
    return x


class Inner(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.fc = nn.Linear(features, 6)

    def forward(self, x):
        return self.fc(x)  # a comment that stays


class Model(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.inner = Inner(features)

    def forward(self, x):
        return halved(self.inner(x) * SCALE).sum(dim=1, keepdim=True)


def get_inputs():
    random.seed(0)
    return [torch.randn(BATCH, 512)]


def get_init_inputs():
    return [512]


if __name__ == "__main__":
    print(Model(*get_init_inputs()))
'''


@pytest.fixture
def row_sum(tmp_path: Path) -> Problem:
    path = tmp_path / "row_sum.py"
    path.write_text(ROW_SUM, encoding="utf-8")
    return problems.from_file(path)


def assert_same_module(candidate: Candidate, problem: Problem) -> None:
    loaded = problems.load(problem)
    reference = loaded.build(1)
    made = build_with(candidate.source, loaded.init_args())
    assert set(made.state_dict()) == set(reference.state_dict())
    made.load_state_dict(reference.state_dict())
    inputs = loaded.draw(2)
    with torch.no_grad():
        torch.testing.assert_close(made(*inputs), reference(*inputs), rtol=1e-4, atol=1e-4)


def build_with(source: str, init_args: tuple[Any, ...]) -> nn.Module:
    space: dict[str, Any] = {}
    exec(compile(source, "candidate", "exec"), space)
    return space["ModelNew"](*init_args).eval()


@pytest.fixture
def eager_compile(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """torch.compile that compiles nothing and notes how it was asked."""
    asked: list[dict[str, Any]] = []

    def compile(function: Any = None, **options: Any) -> Any:
        asked.append(options)
        return function if function is not None else lambda f: f

    monkeypatch.setattr(torch, "compile", compile)
    return asked


def test_inductor_proposes_its_modes_in_order(row_sum: Problem, eager_compile: list[dict[str, Any]]) -> None:
    found = everything("inductor", task(row_sum))
    assert [c.title for c in found] == ["torch.compile (default)", "torch.compile (max-autotune)"]
    for candidate in found:
        assert_same_module(candidate, row_sum)
    assert eager_compile == [{"dynamic": False}, {"dynamic": False, "mode": "max-autotune-no-cudagraphs"}]
    on_gpu = everything("inductor", task(row_sum, "cuda"))
    assert [c.title.split("(")[1] for c in on_gpu] == ["default)", "max-autotune)", "reduce-overhead)"]
    assert 'mode="max-autotune"' in on_gpu[1].source


def test_inductor_leaves_out_what_a_baseline_has_shown(row_sum: Problem) -> None:
    def titles(*beaten: str) -> list[str]:
        asked = replace(task(row_sum, "cuda"), beaten=frozenset(beaten))
        return [candidate.title for candidate in everything("inductor", asked)]

    modes = [f"torch.compile ({mode})" for mode in ("default", "max-autotune", "reduce-overhead")]
    assert titles() == titles("eager") == modes
    assert titles("compile") == modes[1:]
    assert titles("compile-max-autotune") == modes[:1]
    assert titles("compile", "compile-max-autotune") == []


def test_inductor_really_compiles(row_sum: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    real = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, **options: real(f, backend=backend, dynamic=False))
    candidate = get("inductor").propose(task(row_sum), ())
    assert candidate is not None
    made = build_with(candidate.source, (512,))
    assert not graphs, "compilation must wait for the first call"
    made(torch.randn(8, 512))
    assert len(graphs) == 1
    assert set(made.state_dict()) == {"inner.fc.weight", "inner.fc.bias"}


def test_the_reference_is_kept_word_for_word_without_its_inputs() -> None:
    text = model_source(ROW_SUM)
    assert "# a comment that stays" in text and "# used by the model" in text and "def halved" in text
    for gone in ("get_inputs", "get_init_inputs", "BATCH", "unused", "import random", "__main__"):
        assert gone not in text
    assert foreign_imports(text) == []
    assert foreign_imports("import numpy.linalg\nfrom einops import rearrange\nimport os, torch.nn") == [
        "einops",
        "numpy",
    ]


def test_inductor_prints_the_graph_of_a_module(eager_compile: list[dict[str, Any]]) -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    problem = problems.from_module(module, (torch.randn(5, 4),))
    candidate = get("inductor").propose(task(problem), ())
    assert candidate is not None
    assert "@torch.compile(dynamic=False)" in candidate.source
    assert_same_module(candidate, problem)


def test_rewriter_writes_less_work_and_says_why(row_sum: Problem) -> None:
    found = everything("rewriter", task(row_sum))
    assert found[0].author == "rewriter" and found[0].target is Target.TORCH
    assert "sum-into-linear" in found[0].explanation and "float64" in found[0].explanation
    assert "_fold" in found[0].source and "register_load_state_dict_post_hook" in found[0].source
    assert foreign_imports(found[0].source) == []
    assert len({c.source for c in found}) == len(found)
    for candidate in found:
        assert_same_module(candidate, row_sum)


def test_the_second_variant_keeps_the_order_of_sums(row_sum: Problem) -> None:
    bold, careful = everything("rewriter", task(row_sum))
    assert not any(name in careful.explanation for name in rewriter_author.REORDERS_SUMS)
    assert bold.source != careful.source


def test_what_may_be_spent_in_launches_is_recorded_as_a_graph(row_sum: Problem, monkeypatch: Any) -> None:
    asked = task(row_sum, "cuda")
    variants = everything("rewriter", asked)

    def last(best: int, ms: float, on: Task = asked) -> Candidate | None:
        """After all of them, where the one at this place is the fastest and takes so long."""
        history = []
        for k, candidate in enumerate(variants):
            ratio = Interval(median=2.0 + (k == best), low=1.9 + (k == best), high=2.1 + (k == best))
            time = Interval(median=ms, low=ms, high=ms)
            timing = Timing(candidate_ms=time, baselines=(), blocks=8, calls=8, rechecked=1)
            verdict = Verdict(status=Status.CORRECT, speedup=Speedup(eager=ratio), timing=timing)
            history += attempts("rewriter", candidate, verdict=verdict)
        history = [attempt.model_copy(update={"number": k + 1}) for k, attempt in enumerate(history)]
        return get("rewriter").propose(on, history)

    assert len(variants) == 2
    for place, variant in enumerate(variants):
        found = last(place, 0.05)
        assert found is not None and found.title == f"{variant.title}, {REPLAYED}"
        assert "replayed(self._graphs, self._compute" in found.source
    assert last(0, 5.0) is None
    assert last(0, 0.05, replace(asked, platform="cpu")) is None
    monkeypatch.setattr(replaying, "MOST_COPIED", 1)
    assert last(0, 0.05) is None


def test_rewriter_compiled(row_sum: Problem, eager_compile: list[dict[str, Any]]) -> None:
    found = everything("rewriter+inductor", task(row_sum))
    assert len(found) == 2
    for candidate in found:
        assert candidate.author == "rewriter+inductor"
        assert "sum-into-linear" in candidate.explanation and "compiled" in candidate.explanation
        assert_same_module(candidate, row_sum)
    assert eager_compile[0] == {"dynamic": False}


def test_rewriter_compiled_without_tuning_where_that_does_not_pay(row_sum: Problem) -> None:
    asked = replace(task(row_sum), beaten=frozenset({"compile-max-autotune"}))
    assert [candidate.title.partition("; ")[2] for candidate in everything("rewriter+inductor", asked)] == [
        "compiled (default)"
    ]


def test_nothing_to_gain_is_no_candidate() -> None:
    problem = problems.from_module(nn.Linear(8, 8), (torch.randn(4, 8),))
    assert get("rewriter").propose(task(problem), ()) is None
    assert get("rewriter+inductor").propose(task(problem), ()) is None


def test_other_targets_are_not_ours(row_sum: Problem) -> None:
    for name in ("inductor", "rewriter", "rewriter+inductor"):
        assert get(name).propose(task(row_sum, target=Target.CUDA), ()) is None


class Random(nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x) * 0.0 + 0.0


class Branches(nn.Module):
    def forward(self, x):
        return x * 2 if x.sum() > 0 else x


@pytest.mark.parametrize(("module", "word"), [(Random(), "random"), (Branches(), "torch.export")])
def test_what_cannot_be_rewritten_is_one_line_and_said_once(module: nn.Module, word: str) -> None:
    problem = problems.from_module(module, (torch.randn(3),))
    with pytest.raises(AuthorError, match=word) as caught:
        get("rewriter").propose(task(problem), ())
    assert "\n" not in str(caught.value)
    assert get("rewriter").propose(task(problem), attempts("rewriter", None)) is None


def test_a_child_that_takes_too_long_is_killed(row_sum: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.0)
    from kernelwright.authors.graph.capture import capture_problem

    graph = capture_problem(row_sum).graph
    names = [rule.name for rule in ALL]
    assert process.rewrite_in_child(graph, names, MACHINES["cpu"], Bounds(seconds=0.01)) is None


def test_a_child_that_fails_is_one_line() -> None:
    with pytest.raises(AuthorError, match="the rewriter failed: ") as caught:
        process.rewrite_in_child(None, [], MACHINES["cpu"], Bounds())  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_half_precision_keeps_the_order_of_sums() -> None:
    class HalfSum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(64, 64).half()

        def forward(self, x):
            return (self.fc(x) * 0.5).sum(1)

    problem = problems.from_module(HalfSum(), (torch.randn(4, 64).half(),))
    candidate = get("rewriter").propose(task(problem), ())
    assert candidate is not None
    assert "linear-take-scale" in candidate.explanation and "sum-into-linear" not in candidate.explanation
    assert build(candidate.source).state_dict().keys() == {"fc.weight", "fc.bias"}
