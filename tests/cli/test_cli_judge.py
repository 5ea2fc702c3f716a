import json
from collections.abc import Callable

from typer.testing import Result

Invoke = Callable[..., Result]


def test_exit_codes_tell_correct_from_everything_else(kernelwright: Invoke) -> None:
    assert kernelwright("judge", "relu.py", "fast.py").exit_code == 0
    wrong = kernelwright("judge", "relu.py", "wrong.py")
    assert wrong.exit_code == 1
    assert "mismatch" in wrong.stdout
    assert kernelwright("judge", "relu.py", "stop.py").exit_code == 130


def test_json_is_the_verdict_and_nothing_else(kernelwright: Invoke) -> None:
    result = kernelwright("judge", "relu.py", "fast.py", "--json", "--precision", "gimlet", "--target", "cpp")
    verdict = json.loads(result.stdout)
    assert result.exit_code == 0
    assert verdict["schema"] == "kernelwright.verdict/1"
    wanted = {"status", "rule", "precision", "accuracy", "speedup", "warnings", "feedback", "isolation"}
    assert wanted <= verdict.keys()
    assert verdict["precision"] == "gimlet"
    assert verdict["accuracy"]["eager_worst"] == "Infinity"
    assert set(verdict["speedup"]["eager"]) == {"median", "low", "high"}


def test_the_verdict_is_shown_in_full(kernelwright: Invoke) -> None:
    shown = kernelwright("judge", "relu.py", "fast.py").stdout
    for part in ("correct", "1.50×", "vs torch.compile", "float64", "8 paired blocks", "bubblewrap", "20 %"):
        assert part in shown
    assert "off" in kernelwright("judge", "relu.py", "wrong.py").stdout
