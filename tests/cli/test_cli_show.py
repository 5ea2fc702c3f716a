import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from kernelwright.store import Store

Invoke = Callable[..., Result]


@pytest.fixture
def run_id(kernelwright: Invoke) -> str:
    kernelwright("optimize", "relu.py", "--author", "file:wrong.py", "--author", "file:fast.py", "--quiet")
    return Store.open().runs()[0].id


def test_runs_are_listed(kernelwright: Invoke, run_id: str) -> None:
    shown = kernelwright("runs").stdout
    assert run_id in shown
    assert "finished" in shown
    found = json.loads(kernelwright("runs", "--json").stdout)
    assert found["schema"] == "kernelwright.runs/1"
    assert found["runs"][0]["id"] == run_id
    assert found["runs"][0]["attempts"] == 2


def test_no_runs_yet(kernelwright: Invoke) -> None:
    assert "no runs yet" in kernelwright("runs").stdout
    assert json.loads(kernelwright("runs", "--json").stdout)["runs"] == []


def test_a_run(kernelwright: Invoke, run_id: str) -> None:
    shown = kernelwright("show", run_id).stdout
    for part in (run_id, "mismatch", "file:fast.py", "1.50×", "constant_output"):
        assert part in shown
    found = json.loads(kernelwright("show", run_id, "--json").stdout)
    assert found["schema"] == "kernelwright.run/1"
    assert found["outcome"]["winner"] == "attempt"
    assert [attempt["status"] for attempt in found["attempts"]] == ["mismatch", "correct"]


def test_an_attempt(kernelwright: Invoke, run_id: str) -> None:
    shown = kernelwright("show", f"{run_id}/2").stdout
    for part in ("x.clamp(min=0)", "-        return torch.relu(x)", "+        return x.clamp(min=0)", "output_code.py"):
        assert part in shown
    found = json.loads(kernelwright("show", f"{run_id}/2", "--json").stdout)
    assert found["schema"] == "kernelwright.attempt/1"
    assert found["verdict"]["status"] == "correct"
    assert "ModelNew" in found["candidate"]["source"]
    assert "+        return x.clamp(min=0)" in found["diff"].splitlines()


def test_an_artifact(kernelwright: Invoke, run_id: str) -> None:
    result = kernelwright("show", f"{run_id}/2", "--artifact", "output_code.py")
    assert result.stdout == "# generated\n"
    missing = kernelwright("show", f"{run_id}/2", "--artifact", "nope")
    assert missing.exit_code == 2
    assert "there are output_code.py" in missing.stderr
