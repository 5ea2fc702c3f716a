"""Wrong input: one line on standard error, exit code 2, nothing on standard output."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import Result

from kernelwright.cli.main import main
from kernelwright.store import Store

Invoke = Callable[..., Result]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["optimize", "gone.py"], "no such problem file: gone.py"),
        (["optimize", "fast.py"], "Model"),
        (["optimize", "."], "cannot read problem file"),
        (["optimize"], "at least one PROBLEM"),
        (["optimize", "relu.py", "--resume", "x"], "at least one PROBLEM"),
        (["optimize", "relu.py", "--budget", "soon"], "budget 'soon' is no budget"),
        (["optimize", "relu.py", "--author", "shakespeare"], "no author 'shakespeare'"),
        (["optimize", "relu.py", "--author", "file:gone.py"], "no such candidate file: gone.py"),
        (
            ["optimize", "relu.py", "--precision", "sloppy"],
            "no precision 'sloppy': there are strict, kernelbench, gimlet",
        ),
        (["optimize", "relu.py", "--target", "cobol"], "no target 'cobol'"),
        (["optimize", "relu.py", "--platform", "abacus"], "no platform 'abacus'"),
        (["optimize", "relu.py", "--platform", "mps"], "platform mps is not available here"),
        (["optimize", "relu.py", "--out", "relu.py"], "cannot write to relu.py"),
        (["optimize", "--resume", "20200101-nothing-0000"], "no run '20200101-nothing-0000'"),
        (["optimize", "--resume", "x", "--author", "inductor"], "a resumed run keeps its own"),
        (["judge", "relu.py", "gone.py"], "no such candidate file: gone.py"),
        (["judge", "gone.py", "fast.py"], "no such problem file: gone.py"),
        (["judge", "fast.py", "fast.py"], "Model"),
        (["show", "nothing"], "no run 'nothing'"),
        (["show", "nothing/1"], "no attempt 'nothing/1'"),
        (["show", "nothing/one"], "write RUN/NUMBER"),
        (["show", "nothing", "--artifact", "a"], "--artifact needs an attempt"),
    ],
)
def test_one_line_and_exit_code_2(kernelwright: Invoke, arguments: list[str], said: str) -> None:
    for more in ([], ["--json"]):
        result = kernelwright(*arguments, *more)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert len(result.stderr.splitlines()) == 1
        if not (more and "--artifact" in arguments):
            assert said in result.stderr


def test_nothing_is_started_when_one_of_several_problems_is_bad(kernelwright: Invoke) -> None:
    assert kernelwright("optimize", "relu.py", "gone.py").exit_code == 2
    assert Store.open().runs() == ()


def test_a_store_of_a_newer_version(kernelwright: Invoke, files: Path) -> None:
    with Store.open() as store, store._engine.begin() as connection:
        connection.execute(text("UPDATE store_meta SET value = '99'"))
    result = kernelwright("runs")
    assert result.exit_code == 2
    assert "newer Kernelwright" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["judge", "only-one"], ["nonsense"], ["optimize", "--nonsense"], ["show"]])
def test_typers_own_complaints_are_one_line_too(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("kernelwright: ")
    assert len(err.splitlines()) == 1


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in ("optimize", "judge", "doctor", "runs", "show"))
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip()[0].isdigit()
