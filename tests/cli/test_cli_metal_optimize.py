"""Metal candidates from the command line where there is no Apple GPU; the judge is the real one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kernelwright.cli.main import app

Invoke = Callable[..., Result]

CANDIDATE = '''\
import torch

SOURCE = """
kernel void relu(device const float* x, device float* y, uint i [[thread_position_in_grid]]) {
  y[i] = x[i] > 0 ? x[i] : 0;
}
"""


class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.library = torch.mps.compile_shader(SOURCE)

    def forward(self, x):
        y = torch.empty_like(x)
        self.library.relu(x, y)
        return y
'''


@pytest.fixture
def here(files: Path, toolchain: object) -> Path:
    (files / "metal.py").write_text(CANDIDATE)
    (files / "wrong.py").write_text(CANDIDATE.replace("y[i] =", "y[i + 1] ="))
    return files


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_a_candidate_is_judged_and_its_work_shown(here: Path) -> None:
    result = invoke("judge", "relu.py", "metal.py", "--unsafe")
    assert result.exit_code == 0, result.output
    assert "checked on the Metal runtime (CPU), not timed" in result.stdout
    assert "1 of 1 threadgroups" in result.stdout


def test_a_broken_rule_names_the_line_of_the_metal_source(here: Path) -> None:
    result = invoke("judge", "relu.py", "wrong.py", "--unsafe", "--json")
    assert result.exit_code == 1
    verdict = json.loads(result.stdout)
    assert (verdict["status"], verdict["rule"]) == ("runtime_failed", "metal_out_of_bounds")
    assert "y[i + 1] = x[i] > 0 ? x[i] : 0;" in verdict["feedback"]


def test_a_run_ends_untimed_with_the_candidate_as_a_file(here: Path) -> None:
    authors = ("--author", "file:wrong.py", "--author", "file:metal.py")
    result = invoke("optimize", "relu.py", "--target", "metal", *authors, "--unsafe", "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["results"]
    assert (found["winner"], found["author"], found["baselines"]) == ("untimed", "file:metal.py", [])
    assert [attempt["status"] for attempt in found["attempts"]] == ["runtime_failed", "correct"]
    written = (here / found["file"]).read_text()
    assert "# checked on the Metal runtime (CPU), not timed\n" in written
    assert written.endswith(CANDIDATE)
    assert "nothing was timed, least work: attempt 2" in result.stderr
    shown = invoke("optimize", "--resume", found["run"], "--unsafe")  # there is nothing left to judge
    assert "checked, not timed" in " ".join(shown.stdout.split())
