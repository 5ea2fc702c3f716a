"""The registry: built-in formats, formats of other packages, and broken ones."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from kernelwright.problems import Problem, ProblemError, from_file, load
from kernelwright.problems import formats as registry


class Loaded:
    name = "numbers"


class NumbersFormat:
    """A format that another package might bring: one number a line."""

    name = "numbers"

    def recognises(self, source: str) -> bool:
        return source.strip().isdigit()

    def check(self, source: str, path: str) -> None:
        if int(source) == 0:
            raise ProblemError(f"{path}: zero")

    def load(self, problem: Problem) -> Loaded:
        return Loaded()


NUMBERS = NumbersFormat()
NOT_A_FORMAT = object()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "absent": "no_such_package:FORMAT",
        "hollow": f"{__name__}:NOT_A_FORMAT",
        "kernelbench": f"{__name__}:NUMBERS",
        "numbers": f"{__name__}:NUMBERS",
    }
    entries = [EntryPoint(name, value, registry.GROUP) for name, value in values.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries)


def test_built_in_formats() -> None:
    assert registry.names()[:2] == ("kernelbench", "module")
    with pytest.raises(ProblemError, match="no problem format 'nothing': there are kernelbench, module"):
        registry.get("nothing")


@pytest.mark.usefixtures("installed")
def test_a_package_joins_and_broken_ones_do_not_block_it(tmp_path: Path) -> None:
    (tmp_path / "seven.txt").write_text("7")
    with pytest.warns(UserWarning, match=r"'absent' .* cannot be loaded|'hollow' .* lacks one of"):
        problem = from_file(tmp_path / "seven.txt")
    assert problem.format == "numbers"
    assert load(problem).name == "numbers"
    assert registry.names() == ("kernelbench", "module", "absent", "hollow", "numbers")
    assert registry.get("kernelbench").name == "kernelbench"


@pytest.mark.usefixtures("installed")
def test_a_broken_package_is_named_when_asked_for() -> None:
    with pytest.raises(
        ProblemError, match=r"'absent' \(no_such_package:FORMAT\) cannot be loaded: ModuleNotFoundError"
    ):
        registry.get("absent")
    with pytest.raises(ProblemError, match=r"'hollow' .* lacks one of name, recognises, check, load"):
        registry.get("hollow")


@pytest.mark.usefixtures("installed")
def test_the_chosen_format_checks_the_file(tmp_path: Path) -> None:
    (tmp_path / "zero.txt").write_text("0")
    with pytest.raises(ProblemError, match=r"zero\.txt: zero"):
        from_file(tmp_path / "zero.txt", format="numbers")
    with pytest.raises(ProblemError, match="no class Model and no function get_inputs"):
        from_file(tmp_path / "zero.txt", format="kernelbench")
    with pytest.raises(ProblemError, match="from_module"):
        from_file(tmp_path / "zero.txt", format="module")
