"""``kernelwright profile``: the command line is real, judge and profiler are of paper."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from kernelwright.cli.objects import ProfileObject
from kernelwright.schema import (
    Advice,
    Bottleneck,
    Candidate,
    DeviceFacts,
    MetalWork,
    Operation,
    Picture,
    Profile,
    Recommendation,
    Roofline,
)  # fmt: skip
from kernelwright.store import Store

Invoke = Callable[..., Result]
PROFILE = Profile(
    tool="torch.profiler",
    platform="cpu",
    device="paper",
    wall_ms=8.0,
    device_ms=7.5,
    operations=(
        Operation(name="aten::mul", launches=1.0, host_ms=4.0),
        Operation(name="aten::add", launches=2.0, host_ms=3.5, flops=10**9),
        Operation(name="(outside operators)", launches=1.0, host_ms=0.5),
    ),
    counters={"page_faults": 12.0},
    roofline=Roofline(flops=0, bytes_moved=10**6, bandwidth=1e9, flop_rate=1e12, time_ms=8.0),
    pictures=(Picture(name="timeline", png=b"\x89PNG1"), Picture(name="roofline", png=b"\x89PNG2")),
    notes=("a note",),
)


@pytest.fixture
def profiled(paper_judge: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the paper session answers; a test may put another profile in its place."""
    session = import_module("kernelwright.judge.session").JudgeSession
    answer: dict[str, Any] = {"profile": PROFILE, "asked": []}

    def profile(self: Any, candidate: Candidate, *, trusted: bool = False) -> Profile | None:
        print("what a compiler says on standard output")
        answer["asked"].append(candidate)
        return answer["profile"]

    facts = DeviceFacts(platform="cpu", name="paper", memory_bytes=1, cores=2, cache_bytes=1 << 20)
    monkeypatch.setattr(session, "profile", profile, raising=False)
    monkeypatch.setattr(session, "device", facts, raising=False)
    return answer


@pytest.fixture
def command(kernelwright: Invoke, profiled: dict[str, Any]) -> Invoke:
    return lambda *arguments: kernelwright("profile", *arguments)


def test_operations_roofline_and_recommendation_are_shown(command: Invoke) -> None:
    result = command("relu.py", "fast.py")
    assert result.exit_code == 0, result.stderr
    for part in (
        "correct", "8 ms, 7.5 ms of it in operators", "aten::mul", "1 MB to move", "1 GB/s", "12 %", "page_faults 12",
        "note: a note", "rules: memory", "expected 2.00×, confidence 55 %", "mul 50 %",
    ):  # fmt: skip
        assert part in result.stdout, part
    assert "occupancy" not in result.stdout and "not correct" not in result.stdout  # of which nothing is known


def test_pictures_are_written_where_asked(command: Invoke, files: Path) -> None:
    assert command("relu.py", "fast.py", "--out", "pictures/here").exit_code == 0
    found = {path.name: path.read_bytes() for path in (files / "pictures" / "here").iterdir()}
    assert found == {"timeline.png": b"\x89PNG1", "roofline.png": b"\x89PNG2"}
    assert "cannot write to relu.py" in command("relu.py", "fast.py", "--out", "relu.py").stderr


def test_json_is_one_object_without_the_pictures(command: Invoke) -> None:
    result = command("relu.py", "fast.py", "--json", "--out", "p", "--target", "cpp")
    found = json.loads(result.stdout)
    assert result.exit_code == 0 and found["schema"] == "kernelwright.profile/1"
    assert (found["status"], found["target"], found["analyst"], found["failure"]) == ("correct", "cpp", "rules", "")
    assert found["profile"]["pictures"] == [] and found["files"] == ["p/timeline.png", "p/roofline.png"]
    assert found["recommendation"]["bottleneck"] == "memory"
    assert ProfileObject.model_validate(found).profile == PROFILE.model_copy(update={"pictures": ()})


def test_a_candidate_that_is_not_correct_is_profiled_and_said_to_be(command: Invoke) -> None:
    result = command("relu.py", "wrong.py")
    assert result.exit_code == 0
    assert "mismatch" in result.stdout and "not correct, so its times say little: off" in result.stdout
    assert "aten::mul" in result.stdout


@pytest.mark.parametrize(
    "profile", [None, Profile(tool="torch.profiler", platform="cpu", notes=("crashed: it ended",))]
)
def test_without_a_profile_the_exit_code_is_1(
    command: Invoke, profiled: dict[str, Any], profile: Profile | None
) -> None:
    profiled["profile"] = profile
    result = command("relu.py", "fast.py")
    assert result.exit_code == 1
    assert ("nothing here can tell" if profile is None else "crashed: it ended") in result.stdout
    found = json.loads(command("relu.py", "fast.py", "--json").stdout)
    assert (found["profile"] is None) == (profile is None) and (found["recommendation"] is None) == (profile is None)


def test_counted_metal_work_is_shown_as_such(command: Invoke, profiled: dict[str, Any]) -> None:
    work = MetalWork(
        note="checked on the Metal runtime (CPU), not timed", kernels=(), device_bytes=0, distinct_device_bytes=0,
        flops=0, arithmetic_intensity=None, modelled=(),
    )  # fmt: skip
    operations = (Operation(name="k", launches=1.0, occupancy=0.5),)
    profiled["profile"] = Profile(tool="metal-runtime", platform="cpu", operations=operations, metal=work)
    shown = command("relu.py", "fast.py").stdout
    assert "not timed" in shown and "one call" not in shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("none.py", "fast.py"), "no such problem file"),
        (("relu.py", "none.py"), "no such candidate file"),
        (("relu.py", "fast.py", "--analyst", "nobody"), "no analyst 'nobody': there are rules, and PROVIDER:MODEL"),
        (("relu.py", "fast.py", "--target", "fortran"), "no target 'fortran'"),
        (("relu.py", "fast.py", "--platform", "abacus"), "abacus"),
        (("relu.py", "fast.py", "--platform", "cpu", "--screenshots"), "needs Xcode"),
    ],
)
def test_wrong_input_is_one_line(
    command: Invoke, profiled: dict[str, Any], arguments: tuple[str, ...], told: str
) -> None:
    result = command(*arguments)
    assert result.exit_code == 2 and told in result.stderr and result.stderr.count("\n") == 1
    assert profiled["asked"] == []


def test_an_interrupt_is_told_apart(command: Invoke) -> None:
    assert command("relu.py", "stop.py").exit_code == 130


def test_a_run_whose_attempts_followed_advice_ends_with_the_analysts_scores(kernelwright: Invoke) -> None:
    kernelwright("optimize", "relu.py", "--author", "file:slow.py", "--author", "file:fast.py", "--quiet")
    with Store.open() as store:
        run, *_ = store.runs()
        assert "Brier" not in kernelwright("show", run.id).stdout
        first, second = store.attempts(run.id)
        advised = Recommendation(bottleneck=Bottleneck.MEMORY, change="fuse", expected_gain=6.0, confidence=0.9)
        store.add_advice(run.id, Advice(about=1, analyst="openai:gpt-4o", recommendation=advised))
        changed = {"number": 3, "base": 1, "recommendation": advised}
        store.add_attempt(second.model_copy(update=changed))
    shown = kernelwright("show", run.id).stdout
    assert first.verdict.speedup.eager is not None and first.verdict.speedup.eager.median == 1.0
    for part in ("Brier", "openai:gpt-4o", "0.010", "2.00× (2.00–2.00)"):  # three times as fast, six were promised
        assert part in shown, part
