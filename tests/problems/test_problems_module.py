"""Modules with example inputs: stored by value, redrawn alike."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kernelwright.problems import Problem, ProblemError, from_module, load
from kernelwright.problems.redraw import draw_like
from kernelwright.problems.structure import flatten


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor, factor: float) -> torch.Tensor:
        return helper(self.linear(x)) * factor


def helper(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x)


def test_the_module_keeps_its_weights_and_its_inputs() -> None:
    module = Scaled().train()
    x = torch.randn(2, 4)
    problem = from_module(module, [x, 0.5])
    ready = load(problem)
    assert (problem.name, problem.format, ready.init_args()) == ("Scaled", "module", ())
    built, other = ready.build(1), ready.build(2)
    assert not built.training
    assert module.training
    assert built is not other
    assert torch.equal(built.linear.weight, module.linear.weight)
    drawn = ready.draw(0)
    assert torch.equal(drawn[0], x)
    assert drawn[1] == 0.5
    drawn[0].zero_()
    assert torch.equal(ready.draw(0)[0], x), "a caller that writes into a draw must not change the next"
    assert torch.equal(built(*ready.draw(0)), module.eval()(x, 0.5))


def test_a_compiled_module_is_stored_as_what_it_wraps() -> None:
    module = nn.Linear(2, 2)
    problem = from_module(torch.compile(module), [torch.ones(1, 2)])
    assert problem.name == "Linear"
    assert type(load(problem).build(0)) is nn.Linear


def in_another_process(problem: Problem, tmp_path: Path) -> str:
    (tmp_path / "problem.json").write_text(problem.model_dump_json())
    code = (
        "import sys; from kernelwright.problems import load, Problem; import torch; "
        f"ready = load(Problem.model_validate_json(open({str(tmp_path / 'problem.json')!r}).read())); "
        "out = ready.build(0)(*ready.draw(0)); print(type(ready.build(0)).__name__, tuple(out.shape))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    return done.stdout.strip()


def test_a_module_of_a_file_that_is_not_installed_survives(tmp_path: Path) -> None:
    # This test file is importable here and nowhere else, as a user's own project is.
    problem = from_module(Scaled(), [torch.randn(2, 4), 0.5])
    assert in_another_process(problem, tmp_path) == "Scaled (2, 3)"


def test_a_module_of_main_survives(tmp_path: Path) -> None:
    script = tmp_path / "notebook.py"
    script.write_text(
        "import torch\nfrom torch import nn\nfrom kernelwright.problems import from_module\n"
        "FACTOR = 3\n"
        "def twice(x):\n    return FACTOR * x\n"
        "class Mine(nn.Module):\n    def forward(self, x):\n        return twice(super().train(self.training) and x)\n"
        "print(from_module(Mine(), [torch.ones(2)]).model_dump_json())\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    script.unlink()
    assert in_another_process(Problem.model_validate_json(done.stdout), tmp_path) == "Mine (2,)"


def test_what_cannot_be_stored_is_said_in_one_line() -> None:
    module = nn.Linear(1, 1)
    module.lock = threading.Lock()
    with pytest.raises(ProblemError, match="Linear: the module or its inputs cannot be pickled") as caught:
        from_module(module, [torch.ones(1, 1)])
    assert "\n" not in str(caught.value)
    with pytest.raises(ProblemError, match=r"expected a torch.nn.Module, got a function"):
        from_module(helper, [])  # type: ignore[arg-type]
    with pytest.raises(ProblemError, match=r"expected a list or tuple .* got a Tensor"):
        from_module(nn.Identity(), torch.ones(1))  # type: ignore[arg-type]
    with pytest.raises(ProblemError, match="cannot be loaded"):
        load(Problem(name="broken", format="module", payload=b"nothing"))


EXAMPLE = (
    torch.randn(64, 64) * 5 + 3,
    torch.rand(64, 64),
    {
        "ids": torch.randint(3, 9, (500,)),
        "mask": torch.rand(4000) < 0.2,
        "half": torch.randn(8, 3, 4, 4).half().contiguous(memory_format=torch.channels_last),
        "wave": torch.randn(10, dtype=torch.complex64),
        "empty": torch.zeros(0, 3),
        "bytes": torch.arange(200, dtype=torch.uint8).flip(0),
    },
    [2, None, 0.5, "sum"],
)


@given(st.integers(min_value=1, max_value=2**62))
def test_redraws_keep_structure_shape_dtype_strides_and_range(seed: int) -> None:
    drawn = draw_like(EXAMPLE, seed)
    leaves, structure = flatten(drawn)
    examples, expected = flatten(EXAMPLE)
    assert structure == expected
    for new, old in zip(leaves, examples, strict=True):
        if not isinstance(old, torch.Tensor):
            assert new == old
            continue
        assert (new.shape, new.dtype, new.stride()) == (old.shape, old.dtype, old.stride())
        assert old.numel() == 0 or not torch.equal(new, old)
    normal, positive, rest, _ = drawn
    assert normal.mean() == pytest.approx(3, abs=0.5)
    assert normal.std() == pytest.approx(5, abs=0.5)
    assert bool((positive >= 0).all())
    assert set(rest["ids"].tolist()) <= set(range(3, 9))
    assert rest["mask"].float().mean() == pytest.approx(0.2, abs=0.06)
    again, _ = flatten(draw_like(EXAMPLE, seed))
    assert all(torch.equal(a, b) for a, b in zip(leaves, again, strict=True) if isinstance(a, torch.Tensor))


def test_redraws_keep_what_makes_an_input_valid() -> None:
    lower = torch.randn(8, 8).tril()
    mask = torch.zeros(8, 8).masked_fill(torch.ones(8, 8).triu(1).bool(), float("-inf"))
    offsets = torch.tensor([0, 3, 3, 9, 20])
    constant, state = torch.full((50,), 2.0), torch.zeros(50)
    extremes = torch.tensor([2**63 - 1, -(2**63)])
    shared = torch.randn(3)
    drawn = draw_like((lower, mask, offsets, constant, state, extremes, shared, shared), 7)
    assert torch.equal(drawn[0] == 0, lower == 0)
    assert torch.equal(torch.isinf(drawn[1]), torch.isinf(mask))
    assert not torch.isnan(drawn[1]).any()
    assert (drawn[2][0], drawn[2][-1]) == (0, 20)
    assert bool((drawn[2].diff() >= 0).all())
    assert drawn[3].std() > 0.3
    assert drawn[4].std() > 0.5
    assert drawn[5].dtype == torch.int64
    assert drawn[6] is drawn[7]
