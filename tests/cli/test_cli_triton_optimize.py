"""Triton candidates from the command line where there is no GPU; judge and interpreter are the real ones."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kernelwright.cli.main import app

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")

CANDIDATE = """\
import torch
import triton
import triton.language as tl


@triton.jit
def relu(x, y, size, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    tl.store(y + at, tl.maximum(tl.load(x + at, mask=inside), 0.0), mask=inside)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        y = torch.empty_like(x)
        relu[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), BLOCK=64)
        return y
"""


def test_a_run_ends_untimed_with_the_first_correct_candidate_as_a_file(files: Path) -> None:
    (files / "right.py").write_text(CANDIDATE)
    (files / "minimum.py").write_text(CANDIDATE.replace("maximum", "minimum"))
    authors = ("--author", "file:minimum.py", "--author", "file:right.py")
    shared = ("--target", "triton", "--platform", "cpu", "--unsafe")
    result = CliRunner().invoke(app, ["optimize", "relu.py", *shared, *authors, "--json"])
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["results"]
    assert (found["winner"], found["author"], found["baselines"]) == ("untimed", "file:right.py", [])
    assert [attempt["status"] for attempt in found["attempts"]] == ["mismatch", "correct"]
    written = (files / found["file"]).read_text()
    assert "# checked in Triton's interpreter (CPU), not timed\n" in written
    assert written.endswith(CANDIDATE)
    assert "nothing was timed, correct: attempt 2" in result.stderr
