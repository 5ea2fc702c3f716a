"""Cross entropies in the author ``templates``: which are found, and what their kernels compute."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from compiled_kit import compiled
from templates_kit import Answers, Case, error, interpreted
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.templates import entropies, rows


class Module(nn.Module):
    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


Function = Callable[..., torch.Tensor]
CASES: dict[str, tuple[Function, tuple[int, ...]]] = {
    "mean": (F.cross_entropy, (9, 301)),
    "sum": (lambda x, t: F.cross_entropy(x * 3.0, t, reduction="sum"), (9, 301)),
    "each": (lambda x, t: F.cross_entropy(x, t, reduction="none"), (9, 301)),
    "some left out": (lambda x, t: F.cross_entropy(x, t, ignore_index=7), (40, 10)),
    "images": (lambda x, t: F.cross_entropy(torch.relu(x), t), (3, 10, 5, 7)),
    "each of images": (lambda x, t: F.cross_entropy(x, t, reduction="none", ignore_index=3), (2, 10, 6, 6)),
    "long rows": (F.cross_entropy, (5, 9001)),
}
ANY = [(entropies, "FEWEST_ELEMENTS", 1)]


def drawn(shape: tuple[int, ...]) -> list[torch.Tensor]:
    return [5.0 * torch.randn(shape), torch.randint(0, shape[1], (shape[0], *shape[2:]))]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    torch.manual_seed(0)
    cases = {name: Case.of(Module(function), drawn(shape), ANY) for name, (function, shape) in CASES.items()}
    x, t = drawn((6, 50))
    x[torch.arange(4), torch.tensor([3, 5, 7, 9])] = torch.tensor([float("nan"), float("inf"), float("-inf"), 1e30])
    x[4] = float("-inf")
    cases["spoilt"] = Case.of(Module(CASES["each"][0]), [x, t], ANY)
    nothing = [x[5:].clone(), torch.tensor([-100])]
    cases["nothing counts"] = Case.of(Module(CASES["mean"][0]), nothing, ANY)
    return interpreted(tmp_path_factory.mktemp("entropies"), cases)


@pytest.mark.parametrize("name", CASES)
def test_cross_entropies_are_as_exact_as_eager(name: str, answers: Answers) -> None:
    answer, eager, exact = answers[name]
    assert answer.shape == eager.shape and answer.dtype is torch.float32
    assert error(answer, exact) <= max(2 * error(eager, exact), torch.finfo(torch.float32).eps)


@pytest.mark.parametrize("name", ["spoilt", "nothing counts"])
def test_what_is_not_finite_is_as_eager_has_it(name: str, answers: Answers) -> None:
    answer, eager, _ = answers[name]
    torch.testing.assert_close(answer, eager, equal_nan=True)


def test_what_is_found() -> None:
    def found(function: Function, *inputs: torch.Tensor) -> Any:
        return entropies.find(capture(Module(function), list(inputs)).graph)

    x, t = torch.zeros(512, 4096), torch.zeros(512, dtype=torch.int64)
    (entropy,) = found(lambda x, t: F.cross_entropy(torch.tanh(x / 2.0), t), x, t)
    assert len(entropy.before) == 2 and entropy.rows.sizes == (512, 4096, 1)
    assert found(lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1), x, t) == []
    assert found(lambda x, t: F.cross_entropy(x, t, weight=x[0]), x, t) == []
    assert found(lambda x, t: F.cross_entropy(x, t.softmax(1)), x, x) == []
    assert found(F.cross_entropy, x[:8], t[:8]) == []


@pytest.mark.parametrize("step", [4096, 1024])
def test_logits_are_read_once_and_16_bytes_at_a_time(step: int, tmp_path: Path) -> None:
    inputs = [torch.zeros(300, 4096), torch.zeros(300, dtype=torch.int64)]
    _, (text, joined) = compiled(Module(CASES["mean"][0]), inputs, [(rows, "STEP", step)], tmp_path)
    reads = [line for line in text.splitlines() if "ld.global" in line]
    assert sum(".v4." in line for line in reads) == len(reads) - 1
    assert "atom" not in text + joined
