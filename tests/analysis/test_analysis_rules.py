"""Each rule on figures that call for it, and on any figures at all: exactly one recommendation."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.analysis import Subject
from kernelwright.analysis.rules import RULES, RulesAnalyst, recommend
from kernelwright.analysis.rules.reading import Reading
from kernelwright.analysis.rules.rule import amdahl, bounded
from kernelwright.judge.profiling.operations import OUTSIDE
from kernelwright.models import MemoryJournal
from kernelwright.schema import (
    Attempt,
    Bottleneck,
    DeviceFacts,
    Operation,
    Profile,
    Recommendation,
    Roofline,
    Status,
    Target,
    Verdict,
)  # fmt: skip
from kernelwright.schema.metal import MetalAccess, MetalBuffer, MetalKernel, MetalWork, ModelledTime

MB = 10**6


def facts(threads: int = 8) -> DeviceFacts:
    details = {"threads": str(threads)}
    return DeviceFacts(platform="cpu", name="x", memory_bytes=1, cores=threads, cache_bytes=0, details=details)


def host(name: str, ms: float, launches: float = 1.0) -> Operation:
    return Operation(name=name, launches=launches, host_ms=ms)


def kernel(name: str, ms: float, launches: float = 1.0, **more: Any) -> Operation:
    return Operation(name=name, launches=launches, device_ms=ms, **more)


def roof(memory_ms: float, compute_ms: float = 0.0) -> Roofline:
    return Roofline(flops=int(compute_ms * 1e9), bytes_moved=int(memory_ms * MB), bandwidth=1e9, flop_rate=1e12)


def cpu(wall: float, roofline: Roofline, *operations: Operation, **counters: float) -> Profile:
    return Profile(
        tool="torch.profiler", platform="cpu", wall_ms=wall, device_ms=wall, operations=operations, counters=counters,
        roofline=roofline,
    )  # fmt: skip


def gpu(wall: float, busy: float, roofline: Roofline, *operations: Operation, **counters: float) -> Profile:
    return cpu(wall, roofline, *operations, **counters).model_copy(update={"platform": "cuda", "device_ms": busy})


def buffer(read: int, distinct: int) -> MetalBuffer:
    return MetalBuffer(
        index=0, name="x", space="device", read_bytes=read, written_bytes=0, distinct_read_bytes=distinct,
        distinct_written_bytes=0,
    )  # fmt: skip


def metal_kernel(name: str = "k", read: int = MB, distinct: int = MB, **more: Any) -> MetalKernel:
    fields: dict[str, Any] = {
        "grid": (65536, 1, 1), "group": (256, 1, 1), "launches": 1, "launches_watched": 1, "threadgroups": 256,
        "threadgroups_watched": 256, "threadgroup_memory": 0, "resident_threadgroups": 12,
        "threadgroup_read_bytes": 0, "threadgroup_written_bytes": 0, "barriers": 0, "simd_operations": 0, "atomics": 0,
        "flops": MB, "accesses": (),
    }  # fmt: skip
    return MetalKernel(name=name, buffers=(buffer(read, distinct),), **(fields | more))


def metal(
    *kernels: MetalKernel, modelled: float = 1.0, bound: Any = "bandwidth", occupancy: float = 1.0, **counters: float
) -> Profile:
    asked = sum(b.read_bytes for k in kernels for b in k.buffers)
    distinct = sum(b.distinct_read_bytes for k in kernels for b in k.buffers)
    work = MetalWork(
        note="checked", kernels=kernels, device_bytes=asked, distinct_device_bytes=distinct, flops=MB,
        arithmetic_intensity=1.0, modelled=(ModelledTime(gpu="M1", ms=modelled, bound=bound),),
    )  # fmt: skip
    operations = tuple(Operation(name=k.name, launches=k.launches, occupancy=occupancy) for k in kernels)
    return Profile(
        tool="metal-runtime", platform="cpu", operations=operations, counters=counters, metal=work, roofline=roof(1.0)
    )


def access(space: str, transactions: int, ideal: int) -> MetalAccess:
    return MetalAccess(
        line=7, space=space, write=False, name="x", accesses=32, bytes=128, transactions=transactions,
        ideal_transactions=ideal,
    )  # fmt: skip


MANY = tuple(kernel(f"void at::k{n}<float>(float*)", 0.005, 2.0) for n in range(5))
CASES: list[tuple[str, Bottleneck, Profile, float, str]] = [
    ("at the limit", Bottleneck.AT_THE_LIMIT, cpu(1.1, roof(1.0), host("aten::mul", 1.1)), 1.1, "Stop"),
    ("launch bound", Bottleneck.LAUNCHES, gpu(0.2, 0.05, roof(0.01), *MANY), 1 / (0.25 + 0.075), "k0, k1"),
    (
        "launch bound (Metal)",
        Bottleneck.LAUNCHES,
        metal(*(metal_kernel(f"k{n}") for n in range(4)), modelled=0.01),
        0.03 / 0.015,
        "4 dispatches",
    ),
    ("host bound", Bottleneck.HOST, cpu(1.0, roof(0.1), host(OUTSIDE, 0.6), host("aten::add", 0.4)), 1 / 0.52, "host"),
    (
        "host bound",
        Bottleneck.HOST,
        gpu(1.0, 0.5, roof(0.1), kernel("big", 0.5), host("cudaDeviceSynchronize", 0.5)),
        amdahl(0.5, 5),
        "wait",
    ),
    (
        "uncoalesced access",
        Bottleneck.COALESCING,
        metal(metal_kernel(accesses=(access("device", 320, 40),)), coalescing=0.125),
        amdahl(0.8, 8),
        "line 7",
    ),
    (
        "bank conflicts",
        Bottleneck.BANK_CONFLICTS,
        metal(metal_kernel(accesses=(access("threadgroup", 320, 40),)), bank_efficiency=0.125, threadgroup_bytes=4 * MB,
              device_bytes=1 * MB),
        amdahl(0.5, 8),
        "pad",
    ),
    (
        "too little parallelism",
        Bottleneck.OCCUPANCY,
        cpu(4.0, roof(0.5), host("aten::cumsum", 4.0), threads_busy=1.0),
        6.4,
        "8 threads",
    ),
    (
        "too little parallelism",
        Bottleneck.OCCUPANCY,
        gpu(1.0, 1.0, roof(0.2), kernel("reduce", 1.0), waves=0.1),
        amdahl(0.8, 8),
        "split-K",
    ),
    (
        "too little parallelism",
        Bottleneck.OCCUPANCY,
        metal(metal_kernel(threadgroups=4, group=(1024, 1, 1))),
        4.0,
        "4 of them",
    ),
    (
        "operands one by one (Metal)",
        Bottleneck.COMPUTE,
        metal(metal_kernel(flops=800 * MB, threadgroup_read_bytes=1600 * MB), bound="arithmetic"),
        800 / 450,
        "simdgroup_matrix in k",
    ),
    (
        "low occupancy",
        Bottleneck.OCCUPANCY,
        gpu(1.0, 1.0, roof(0.2), kernel("gemm", 1.0, occupancy=0.125, registers=255, shared_bytes=1024)),
        2.0,
        "255 registers",
    ),
    (
        "low occupancy",
        Bottleneck.OCCUPANCY,
        metal(metal_kernel(threadgroup_memory=32768), occupancy=0.25),
        amdahl(0.6, 2),
        "",
    ),
    (
        "divergence",
        Bottleneck.DIVERGENCE,
        gpu(1.0, 1.0, roof(0.2), kernel("scan", 1.0), lanes_active=0.5),
        amdahl(0.6, 2),
        "warp",
    ),
    (
        "too many barriers",
        Bottleneck.SYNCHRONISATION,
        gpu(1.0, 1.0, roof(0.2), kernel("scan", 1.0), barrier_stall=0.5),
        1 / 0.75,
        "barriers",
    ),
    (
        "too many barriers",
        Bottleneck.SYNCHRONISATION,
        metal(metal_kernel(group=(32, 1, 1), barriers=256)),
        1.1,
        "simdgroup_barrier",
    ),
    ("too many barriers", Bottleneck.SYNCHRONISATION, metal(metal_kernel(barriers=256 * 20)), 1.3, "simd_sum"),
    (
        "memory bound, several passes",
        Bottleneck.MEMORY,
        cpu(8.0, roof(1.0), host("aten::mul", 4.0), host("aten::add", 2.0), host("aten::sum", 2.0)),
        2.0,
        "mul 50 %, add 25 %",
    ),
    (
        "memory bound, several passes (Metal)",
        Bottleneck.MEMORY,
        metal(metal_kernel("a"), metal_kernel("b"), modelled=1.0),
        2.0,
        "a, b",
    ),
    (
        "memory read again and again (Metal)",
        Bottleneck.MEMORY,
        metal(metal_kernel(read=9 * MB, distinct=MB)),
        3.0,
        "9 times",
    ),
    ("every byte once (Metal)", Bottleneck.AT_THE_LIMIT, metal(metal_kernel()), 1.0, "Stop saving bytes in k"),
    (
        "passes around the products",
        Bottleneck.MEMORY,
        cpu(10.0, roof(0.1, 2.0), host("aten::addmm", 4.0), host("aten::copy_", 3.0), host("aten::_softmax", 3.0)),
        amdahl(0.6, 4),
        "copy_ 30 %",
    ),
    ("memory bound, one operation", Bottleneck.MEMORY, cpu(9.0, roof(1.0), host("aten::cumsum", 9.0)), 3.0, "cumsum"),
    (
        "compute bound below the peak",
        Bottleneck.COMPUTE,
        cpu(10.0, roof(0.1, 1.0), host("aten::mm", 10.0)),
        4.0,
        "vectors",
    ),
    (
        "one operation dominates",
        Bottleneck.COMPUTE,
        cpu(1.3, roof(1.0), host("aten::sort", 1.0), host("aten::mul", 0.3)),
        amdahl(1 / 1.3, 1.5),
        "sort",
    ),
    ("nothing stands out", Bottleneck.UNKNOWN, Profile(tool="x", platform="cpu", notes=("it crashed",)), 1.05, ""),
]  # fmt: skip


def advised(profile: Profile, target: Target = Target.TORCH) -> Recommendation:
    verdict = Verdict(status=Status.CORRECT, target=target)
    return recommend(Reading(profile, verdict, facts()))


@pytest.mark.parametrize(("rule", "bottleneck", "profile", "gain", "said"), CASES, ids=[case[0] for case in CASES])
def test_figures_that_call_for_a_rule(rule: str, bottleneck: Bottleneck, profile: Profile, gain: float, said: str):
    found = advised(profile)
    assert found.evidence.startswith(f"{rule}: ") and found.bottleneck is bottleneck, found
    assert found.expected_gain == pytest.approx(gain, rel=1e-3)
    assert said in found.change
    assert found.confidence == next(r for r in RULES if r.name == rule).confidence


def test_every_rule_has_a_case_and_a_reason() -> None:
    assert {case[0] for case in CASES} == {rule.name for rule in RULES}
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.gain_because.endswith(".") and 0 < rule.confidence < 1 for rule in RULES)


def test_native_code_that_the_profiler_cannot_see_is_not_called_host_bound() -> None:
    unseen = cpu(1.0, roof(0.1), host(OUTSIDE, 0.9), host("aten::empty", 0.1))
    assert advised(unseen, Target.TORCH).bottleneck is Bottleneck.HOST
    assert advised(unseen, Target.CPP).bottleneck is not Bottleneck.HOST


def test_what_the_profiler_itself_takes_is_not_called_host_bound() -> None:
    operations = (host(OUTSIDE, 6.0), host("aten::add", 2.0))
    assert advised(cpu(7.9, roof(0.1), *operations, watched_ms=8.0)).bottleneck is Bottleneck.HOST
    assert advised(cpu(2.1, roof(0.1), *operations, watched_ms=8.0)).bottleneck is not Bottleneck.HOST


def test_a_little_less_than_the_bound_is_at_the_limit_without_a_gain() -> None:
    found = advised(cpu(0.95, roof(1.0), host("aten::mm", 0.95)))
    assert (found.bottleneck, found.expected_gain) == (Bottleneck.AT_THE_LIMIT, 1.0)


def test_a_bound_that_is_beaten_by_far_says_nothing() -> None:
    found = advised(cpu(0.001, roof(1.0), host("aten::mm", 0.001)))
    assert found.bottleneck is not Bottleneck.AT_THE_LIMIT


def test_the_analyst_answers_with_advice_about_the_attempt() -> None:
    verdict = Verdict(status=Status.CORRECT)
    attempt = Attempt(run="r", number=4, author="a", candidate=None, verdict=verdict, created="")
    profile = cpu(9.0, roof(1.0), host("aten::cumsum", 9.0))
    journal = MemoryJournal()
    advice = RulesAnalyst().advise(Subject(attempt, profile, facts(), "a/4/advice"), journal)
    assert (advice.about, advice.analyst, advice.failure, advice.exchanges) == (4, "rules", "", ())
    assert advice.profile == profile and advice.recommendation == advised(profile)
    assert journal.exchanges == {}


@pytest.mark.parametrize("gain", [math.nan, math.inf, -math.inf, -3.0, 0.0, 1e9])
def test_a_gain_is_a_number_and_never_a_loss(gain: float) -> None:
    assert 1.0 <= bounded(gain) <= 1000.0


def test_amdahl() -> None:
    assert amdahl(0.5, 2.0) == pytest.approx(4 / 3) and amdahl(0.0, 9.0) == 1.0
    assert amdahl(1.0, math.inf) == 1000.0 and amdahl(7.0, 2.0) == 2.0 and amdahl(0.5, 0.0) == 1.0


# --- any figures ------------------------------------------------------------------------------------------------------

MS = st.one_of(st.none(), st.floats(0, 1e6), st.sampled_from([0.0, 1e-300, 1e300]))
SHARE = st.one_of(st.none(), st.floats(0, 1))
COUNT = st.integers(0, 10**15)
OPERATIONS = st.builds(
    Operation,
    name=st.sampled_from(["aten::mm", "aten::copy_", OUTSIDE, "void k<4>(float*)", "", "cudaLaunchKernel"]),
    launches=st.floats(0, 1e6),
    device_ms=MS,
    host_ms=MS,
    occupancy=SHARE,
    registers=st.one_of(st.none(), st.integers(0, 255)),
    shared_bytes=st.one_of(st.none(), COUNT),
)
ROOFLINES = st.builds(
    Roofline,
    flops=COUNT,
    bytes_moved=COUNT,
    bandwidth=st.floats(0, 1e15),
    flop_rate=st.floats(0, 1e18),
    time_ms=MS,
)
COUNTERS = st.dictionaries(
    st.sampled_from(
        ["threads_busy", "waves", "coalescing", "bank_efficiency", "lanes_active", "barrier_stall", "device_bytes",
         "threadgroup_bytes", "watched_ms"]
    ),
    st.one_of(st.floats(0, 2), st.floats(allow_nan=True, allow_infinity=True)),
)  # fmt: skip
METAL_KERNELS = st.builds(
    metal_kernel,
    name=st.sampled_from(["a", "b"]),
    read=COUNT,
    distinct=COUNT,
    group=st.sampled_from([(0, 1, 1), (32, 1, 1), (16, 16, 1), (1024, 1, 1)]),
    launches=st.integers(1, 10**6),
    launches_watched=st.integers(0, 8),
    threadgroups=st.integers(0, 10**6),
    barriers=st.integers(0, 10**9),
    flops=COUNT,
    threadgroup_read_bytes=COUNT,
    accesses=st.lists(
        st.builds(access, st.sampled_from(["device", "threadgroup", "constant"]), COUNT, COUNT), max_size=3
    ).map(tuple),
)
PROFILES = st.one_of(
    st.builds(
        Profile,
        tool=st.just("torch.profiler"),
        platform=st.sampled_from(["cpu", "cuda", "mps"]),
        wall_ms=MS,
        device_ms=MS,
        operations=st.lists(OPERATIONS, max_size=6).map(tuple),
        counters=COUNTERS,
        roofline=st.one_of(st.none(), ROOFLINES),
    ),
    st.builds(
        lambda kernels, modelled, bound, counters: metal(*kernels, modelled=modelled, bound=bound, **counters),
        st.lists(METAL_KERNELS, max_size=5),
        st.floats(0, 1e6),
        st.sampled_from(["bandwidth", "arithmetic"]),
        COUNTERS,
    ),
)


@given(PROFILES, st.sampled_from(list(Target)), st.integers(0, 64))
def test_any_figures_give_exactly_one_recommendation(profile: Profile, target: Target, threads: int) -> None:
    reading = Reading(profile, Verdict(status=Status.CORRECT, target=target), facts(threads))
    found = recommend(reading)
    assert 1.0 <= found.expected_gain <= 1000.0 and not math.isnan(found.expected_gain)
    assert 0.0 <= found.confidence <= 1.0
    assert found.change and "nan" not in found.change.split() and found.evidence
    assert Recommendation.model_validate_json(found.model_dump_json()) == found
    assert recommend(reading) == found
