"""Profiles: what the candidate's process hands over is data, what comes out is the judge's."""

import ctypes
import math
import random
import sys
from dataclasses import replace
from importlib import import_module

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kernelwright import platforms
from kernelwright.judge import JudgeSession, JudgeSettings
from kernelwright.judge.limits import ProblemCosts
from kernelwright.judge.profiling import draw, operations, remembered, rooflines
from kernelwright.judge.profiling.events import UnreadableError, clean, read_counts, read_trace
from kernelwright.judge.profiling.marks import (
    CALL,
    COPY,
    EXTENSION,
    KERNEL,
    MAX_EVENTS,
    OPERATOR,
    OUR_MARK,
    RUNTIME,
)  # fmt: skip
from kernelwright.judge.worker import counters, watching
from kernelwright.schema import (
    Candidate,
    DeviceLimits,
    Interval,
    Problem,
    Profile,
    Roofline,
    Status,
    Target,
    Timing,
)  # fmt: skip

PROBLEM = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, 96)

    def forward(self, x):
        return torch.softmax(self.linear(x), dim=1)

def get_inputs():
    return [torch.randn(64, 128)]

def get_init_inputs():
    return [128]
"""
HONEST = PROBLEM.split("def get_inputs", maxsplit=1)[0].replace("class Model", "class ModelNew")

FORGED = """
import importlib
theirs = importlib.import_module("kernelwright.judge.worker.watching")
theirs.watch = lambda *a: {"names": ["x"], "events": [[7, 1, 0, 0, 1, 0]], "dropped": 0}
"""
CLOCK = """
import importlib
importlib.import_module("kernelwright.judge.worker.bench").Bench.go = lambda self: {"ms": ["x"]}
"""


@pytest.fixture(scope="module")
def session():
    settings = JudgeSettings(timing=False, time_limit=20.0, unsafe=True)
    problem = Problem(name="sample", format="kernelbench", source=PROBLEM)
    with JudgeSession(problem, platforms.get("cpu"), settings) as session:
        yield session


def profile(session, source: str, target: Target = Target.TORCH) -> Profile:
    found = session.profile(Candidate(source=source, author="test", title="a try", target=target))
    assert found is not None
    return found


@pytest.mark.slow
def test_a_profile_says_where_the_time_of_a_call_goes(session) -> None:
    found = profile(session, HONEST)
    assert (found.tool, found.platform) == ("torch.profiler", "cpu") and found.device
    by_name = {operation.name: operation for operation in found.operations}
    assert by_name["aten::addmm"].launches == 1 and by_name["aten::addmm"].flops == 2 * 64 * 128 * 96
    assert by_name["aten::_softmax"].host_ms is not None and operations.OUTSIDE in by_name
    times = [operations.milliseconds(operation) for operation in found.operations]
    assert times == sorted(times, reverse=True)
    assert found.wall_ms is not None and found.device_ms is not None and 0 < found.device_ms <= found.wall_ms
    assert {"cpu_ms", "page_faults", "context_switches", "threads_busy"} <= found.counters.keys()
    assert found.roofline is not None and found.roofline.flops == 2 * 64 * 128 * 96
    assert found.roofline.bytes_moved == 4 * (64 * 128 + 128 * 96 + 96 + 64 * 96)
    assert found.roofline.time_ms == found.wall_ms
    assert [picture.name for picture in found.pictures] == ["timeline", "roofline"]
    assert all(picture.png.startswith(b"\x89PNG") for picture in found.pictures)
    assert Profile.model_validate_json(found.model_dump_json()) == found


@pytest.mark.slow
def test_what_a_candidate_does_wrong_is_a_note(session) -> None:
    ends = profile(session, HONEST.replace("return", "import os; os._exit(3); return"))
    assert ends.operations == () and "crashed" in ends.notes[0]
    raises = profile(session, HONEST.replace("return", "1 / 0; return"))
    assert "ZeroDivisionError" in raises.notes[0]
    assert "compile_failed" in profile(session, "class ModelNew(").notes[0]
    assert profile(session, HONEST).operations  # the session goes on


@pytest.mark.slow
def test_events_that_are_none_end_the_profile_not_the_judge(session) -> None:
    found = profile(session, HONEST + FORGED)
    assert found.operations == () and "rejected" in found.notes[0] and "table" in found.notes[0]
    assert "not times" in profile(session, HONEST + CLOCK).notes[0]


def test_the_profile_of_a_metal_candidate_is_its_counted_work(toolchain, monkeypatch) -> None:
    sample = import_module("test_metal_judging")
    problem = Problem(name="sample", format="kernelbench", source=sample.PROBLEM)
    candidate = Candidate(source=sample.CANDIDATE, author="test", target=Target.METAL)
    with JudgeSession(problem, platforms.get("cpu"), JudgeSettings(time_limit=60.0, unsafe=True)) as session:
        verdict = session.judge(candidate)
        monkeypatch.setattr(session, "judge", lambda *_, **__: pytest.fail("judged twice"))
        found = session.profile(candidate)
    assert verdict.status is Status.CORRECT and found is not None
    assert found.tool == "metal-runtime" and found.metal == verdict.metal and found.wall_ms is None
    (kernel,) = found.operations
    assert (kernel.name, kernel.launches, kernel.host_ms, kernel.device_ms) == ("softmax", 1.0, None, None)
    assert kernel.bytes_moved == verdict.metal.device_bytes and kernel.shared_bytes == 16
    assert found.counters["barriers"] == 48 and found.counters["modelled_ms M1"] > 0
    assert 0 < found.counters["coalescing"] <= 1
    assert found.roofline is not None and found.roofline.time_ms is None
    assert [picture.name for picture in found.pictures] == ["roofline"]
    assert "not timed" in found.notes[0]


# --- events -----------------------------------------------------------------------------------------------------------


def trace(*events: tuple[str, int, int, int, int, int], calls: int = 1, length: int = 1000):
    names = [OUR_MARK, *dict.fromkeys(event[0] for event in events)]
    raw = [[0, CALL, 1, n * length, length, 0] for n in range(calls)]
    raw += [[names.index(name), *rest] for name, *rest in events]
    return read_trace({"id": 3, "names": names, "events": raw, "dropped": 0})


def test_own_time_is_what_no_inner_operator_took() -> None:
    seen = operations.look(
        trace(
            ("linear", OPERATOR, 1, 100, 500, 0),
            ("addmm", OPERATOR, 1, 150, 400, 64),
            ("copy", OPERATOR, 1, 160, 100, 0),
            ("fast.kernel", EXTENSION, 1, 700, 200, 0),
        ),
        device=False,
    )
    own = {operation.name: round(1e6 * (operation.host_ms or 0)) for operation in seen.operations}
    assert own == {"linear": 100, "addmm": 300, "copy": 100, "fast.kernel": 200, operations.OUTSIDE: 300}
    assert round(1e6 * seen.busy_ms) == 700 and round(1e6 * seen.watched_ms) == 1000


def test_overlapping_kernels_of_two_streams_count_once_as_busy_time() -> None:
    seen = operations.look(
        trace(
            ("cudaLaunchKernel", RUNTIME, 1, 0, 100, 0),
            ("gemm", KERNEL, 7, 200, 400, 0),
            ("gemm", KERNEL, 7, 650, 50, 0),
            ("Memcpy HtoD", COPY, 9, 400, 300, 0),
        ),
        device=True,
    )
    assert round(1e6 * seen.busy_ms) == 500
    first = seen.operations[1]  # after the time outside of operators
    assert (first.name, first.launches, first.host_ms) == ("gemm", 2.0, None) and round(1e6 * first.device_ms) == 450


def test_counts_are_for_one_call_and_what_lies_outside_of_calls_is_left_out() -> None:
    seen = operations.look(
        trace(
            *(("add", OPERATOR, 1, 1000 * n + 10, 20, 8) for n in range(4)), ("late", OPERATOR, 1, 9000, 5, 0), calls=4
        ),
        device=False,
    )
    assert [operation.name for operation in seen.operations] == [operations.OUTSIDE, "add"]
    assert (seen.operations[1].launches, seen.operations[1].flops) == (1.0, 8)


def test_the_short_ones_of_very_many_operations_become_one() -> None:
    seen = operations.look(trace(*((f"op{n}", OPERATOR, 1, 3 * n, 2, 0) for n in range(300))), device=False)
    assert len(seen.operations) == operations.MOST_OPERATIONS + 1 and seen.operations[-1].name == "(241 others)"


@pytest.mark.parametrize(
    "reply",
    [
        None,
        {},
        {"names": [], "events": [], "dropped": 0},
        {"names": ["x"], "events": [[0, CALL, 0, 0, -1, 0]], "dropped": 0},
        {"names": ["x"], "events": [[0, CALL, 0, 0, 1e30, 0]], "dropped": 0},
        {"names": ["x"], "events": [[0, 99, 0, 0, 1, 0]], "dropped": 0},
        {"names": ["x"], "events": [[-1, CALL, 0, 0, 1, 0]], "dropped": 0},
        {"names": ["x"], "events": [[1, CALL, 0, 0, 1, 0]], "dropped": 0},
        {"names": ["x"], "events": [[0, CALL, 0, 0, 1, 0]] * 300, "dropped": 0},
        {"names": ["x"], "events": [[0, CALL, 0, 0, 1, 0]] * (MAX_EVENTS + 1), "dropped": 0},
        {"names": ["x" * 5000], "events": [[0, CALL, 0, 0, 1, 0]], "dropped": 0},
    ],
)
def test_what_is_no_list_of_events_is_refused_in_one_line(reply) -> None:
    with pytest.raises(UnreadableError) as told:
        read_trace(reply)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("reply", [None, {"counts": {"a": -1.0}}, {"counts": {"a": float("nan")}}, {"counts": []}])
def test_what_are_no_counts_is_refused(reply) -> None:
    with pytest.raises(UnreadableError):
        read_counts(reply)


def test_names_of_candidates_are_one_short_printable_line() -> None:
    assert clean("a\nb\x1b[31m\u202ec  d") == "a b [31m c d"
    assert len(clean("x" * 900)) == 120


EVENT = st.tuples(
    st.sampled_from(["a", "b", "$x^2_", "漢字", "void k<int>(float)"]),
    st.sampled_from([OPERATOR, EXTENSION, RUNTIME, KERNEL, COPY, CALL]),
    st.integers(0, 2),
    st.integers(0, 3000),
    st.integers(0, 2000),
    st.integers(0, 9),
)


@given(st.lists(EVENT, max_size=30), st.booleans())
@example([("a", 1, 0, 0, 0, 0)] * 4 + [("a", 1, 0, 0, 1, 0), ("a", 0, 0, 0, 1, 0)], False)
@example([("a", 1, 0, 0, 0, 0), ("a", 0, 0, 0, 0, 0), ("a", 0, 0, 0, 0, 0)], False)
def test_no_events_break_the_sums(events, device) -> None:
    found = trace(*events)
    seen = operations.look(found, device=device)
    assert seen.busy_ms >= 0 and all(operations.milliseconds(operation) >= 0 for operation in seen.operations)
    shuffled = list(events)
    random.Random(3).shuffle(shuffled)
    assert operations.look(trace(*shuffled), device=device).busy_ms == pytest.approx(seen.busy_ms)


def test_pictures_are_drawn_from_any_names(monkeypatch) -> None:
    found = trace(("$\\frac{1}{$", OPERATOR, 1, 0, 500, 0), ("漢" * 200, KERNEL, 7, 100, 600, 0))
    roofline = Roofline(flops=0, bytes_moved=10, bandwidth=1e9, flop_rate=1e9, time_ms=0.1)
    drawn, notes = draw.pictures(found, roofline, "a $title")
    assert len(drawn) == 2 and notes == ()
    for picture in drawn:
        assert int.from_bytes(picture.png[16:20]) == 1000  # the width, of the PNG's header
    monkeypatch.setattr(draw, "_can_draw", lambda: False)
    assert draw.pictures(found, roofline, "a") == ((), (draw.MISSING,))


def test_the_roofline_of_float32_is_that_of_three_tf32_products_where_these_are_faster() -> None:
    costs = ProblemCosts(100, 20, 3, 0, 10**6, "float32")
    rates = {"float32": 5e13, "tfloat32": 4.5e14, "bfloat16": 9e14}
    device = DeviceLimits(bandwidth=3e12, peak_bandwidth=5e12, matmul_flops=rates, launch_seconds=1e-6)
    found = rooflines.of_reference(costs, device, 0.5)
    assert found == Roofline(flops=10**6, bytes_moved=123, bandwidth=3e12, flop_rate=1.5e14, time_ms=0.5)
    half = rooflines.of_reference(replace(costs, dtype="bfloat16"), device, None)
    assert half is not None and half.flop_rate == 9e14
    unknown = device.model_copy(update={"matmul_flops": {}})
    assert rooflines.of_reference(costs, unknown, 0.5) is None


def test_judgements_are_remembered_by_candidate_and_the_oldest_forgotten() -> None:
    kept = remembered.Remembered()
    candidates = [Candidate(source=str(n), author="a") for n in range(remembered.MOST + 1)]
    ms = Interval(median=2.5, low=2.0, high=3.0)
    for candidate in candidates:
        kept.keep(candidate, Timing(candidate_ms=ms, baselines=(), blocks=1, calls=1, rechecked=1), None)
    assert kept.ms(candidates[0]) is None and kept.ms(candidates[-1]) == 2.5 and kept.work(candidates[-1]) is None


# --- in the worker ----------------------------------------------------------------------------------------------------


def test_compiled_extensions_are_told_from_what_python_and_torch_bring() -> None:
    class Extension:
        __module__ = "fast_kernels"

    assert watching._is_extension(Extension)
    assert not any(watching._is_extension(f) for f in (torch.relu, math.sqrt, len, [].append, ctypes.CDLL))


def test_functions_of_extensions_are_events_beside_the_operators(monkeypatch) -> None:
    monkeypatch.setattr(watching, "_OURS", watching._OURS - {"math"})

    def model(x):
        for _ in range(2):
            math.sqrt(2.0)
        return torch.relu(x)

    found = read_trace(watching.watch(model, [(torch.ones(4),)] * 3, platforms.get("cpu")))
    assert len(found.calls) == 3 and found.dropped == 0
    extensions = [event for event in found.events if event.kind == EXTENSION]
    assert [event.name for event in extensions] == ["math.sqrt"] * 6
    operators = {event.name for event in found.events if event.kind == OPERATOR}
    assert "aten::relu" in operators and not any(event.on_device for event in found.events)


def test_an_error_of_the_module_leaves_no_hook_behind() -> None:
    def model() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        watching.watch(model, [()], platforms.get("cpu"))
    assert sys.getprofile() is None


def test_more_events_than_fit_are_counted_and_calls_are_kept(monkeypatch) -> None:
    monkeypatch.setattr(watching, "MAX_EVENTS", 5)
    found = read_trace(watching.watch(torch.relu, [(torch.ones(4),)] * 4, platforms.get("cpu")))
    assert len(found.calls) == 4 and len(found.events) == 5 and found.dropped > 0


def test_hardware_counters_count_or_say_why_not() -> None:
    found = counters.HardwareCounters()
    found.start()
    sum(range(10_000))
    counted = found.stop()
    assert (counted == {}) == bool(found.missing)
    if counted:
        assert counted["instructions"] > 10_000
    assert found.stop() == {}


def test_a_system_that_grants_no_counters_is_a_reason(monkeypatch) -> None:
    def refused(*_: int) -> int:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(counters, "_open", refused)
    found = counters.HardwareCounters()
    found.start()
    assert "Permission denied" in found.missing and found.stop() == {}
