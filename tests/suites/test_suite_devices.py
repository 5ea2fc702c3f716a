"""One suite over several devices: each problem sees one, and each device has a gate of its own."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from suite_kit import RELU, ROW_SUMS, checkout
from typer.testing import CliRunner

from kernelwright.cli.main import app
from kernelwright.suites import children, kernelbench, runner
from kernelwright.suites.records import Sitting


class NoProcess:
    """What would have been started; it has ended, and left no record."""

    pid = 4_000_000
    returncode = 1

    def __init__(self, started: list["NoProcess"], folder: Path, env: dict[str, str]) -> None:
        self.job = json.loads((folder / "job.json").read_text())
        self.env = env
        started.append(self)

    def poll(self) -> int:
        return 1

    wait = poll


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[NoProcess]:
    found: list[NoProcess] = []

    def popen(command: list[str], *, env: dict[str, str], **_: Any) -> NoProcess:
        return NoProcess(found, Path(command[3]).parent, env)

    monkeypatch.setattr(children.subprocess, "Popen", popen)
    return found


def test_each_problem_has_the_idlest_device(tmp_path: Path, started: list[NoProcess]) -> None:
    from kernelwright import platforms
    from kernelwright.schema import Budget, Precision
    from kernelwright.store import Store
    from kernelwright.suites import heads
    from kernelwright.suites.records import SuiteSettings

    files = {f"level1/{k}_Problem.py": RELU if k % 2 else ROW_SUMS for k in range(1, 7)}
    plan = kernelbench.find(checkout(tmp_path, files), [1], None, ())
    settings = SuiteSettings(
        suite="kernelbench", authors=("inductor",), target=None, budget=Budget(attempts=1), precision=Precision.STRICT,
        platform="cpu", baselines=("eager",),
    )  # fmt: skip
    sitting = Sitting(began="2026-01-01", command="kernelwright", at_once=2, devices=2)
    results, head = heads.begin(None, heads.head_here(settings, platforms.get("cpu")), sitting)
    with Store.open(tmp_path / "store") as store:
        work = runner.Work(plan, results, head, tmp_path / "out.json", 2, ("4", "7"))
        made = runner.Runner(work, store, lambda _: None)
        for found in plan[:4]:
            made._begin(found, made._free(2)[0])
        assert not made._free(2)
        assert made._free(3) == [0, 1]
        made._children = made._children[1:]
        assert made._free(2) == [0]
        made._children.clear()
        made.run()
    assert [one.env["CUDA_VISIBLE_DEVICES"] for one in started[:4]] == ["4", "7", "4", "7"]
    gates = {one.env["CUDA_VISIBLE_DEVICES"]: one.job["judge"]["gate"] for one in started}
    assert len(set(gates.values())) == 2
    assert all(one.job["judge"]["gate"] == gates[one.env["CUDA_VISIBLE_DEVICES"]] for one in started)


@pytest.mark.parametrize(
    ("names", "visible", "count", "found"),
    [
        (["A", "A", "A"], None, 2, ("0", "1")),
        (["A", "A"], "3,GPU-5", 2, ("3", "GPU-5")),
        (["A", "A"], None, 3, "this machine shows 2"),
        (["A", "B"], None, 2, "they differ (A, B)"),
    ],
)
def test_which_devices(
    monkeypatch: pytest.MonkeyPatch, names: list[str], visible: str | None, count: int, found: tuple[str, ...] | str
) -> None:
    from kernelwright.cli import suite_options

    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
    monkeypatch.setattr(torch.cuda, "get_device_name", names.__getitem__)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    said: list[str] = []

    def fail(line: str) -> None:
        said.append(line)
        raise SystemExit(2)

    monkeypatch.setattr(suite_options, "fail", fail)
    if isinstance(found, tuple):
        assert suite_options.devices("cuda", count) == found
    else:
        with pytest.raises(SystemExit):
            suite_options.devices("cuda", count)
        assert found in said[0]


def test_one_line_where_there_are_no_gpus(tmp_path: Path) -> None:
    kb = checkout(tmp_path, {"level1/1_Relu.py": RELU})
    arguments = [
        "suite",
        "run",
        "kernelbench",
        "--path",
        str(kb),
        "--levels",
        "1",
        "--platform",
        "cpu",
        "--devices",
        "2",
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert "--devices spreads problems over NVIDIA GPUs" in done.output


def test_alike_neighbours_do_not_come_together(tmp_path: Path) -> None:
    files = {f"level{level}/{k}_Problem.py": RELU for level in (1, 2) for k in range(1, 33)}
    plan = kernelbench.find(checkout(tmp_path, files), [1, 2], None, ())
    order = runner.mixed(plan)
    assert sorted(order, key=plan.index) == plan
    assert order == runner.mixed(plan[::-1])
    assert {found.level for found in order[:16]} == {1, 2}
    places = [order.index(found) for found in plan[:8]]
    assert max(places) - min(places) > 16
