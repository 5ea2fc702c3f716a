"""Runs of some threadgroups only: which ones, what is scaled, and kernels whose threadgroups wait for each other."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from metal_programs import ADD, SOFTMAX

from kernelwright import metal
from kernelwright.metal import Inspection, ReportKind
from kernelwright.metal.inspection import chosen_groups

HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
pytestmark = pytest.mark.usefixtures("toolchain")


def test_the_first_the_last_and_others_in_between():
    for seed in range(20):
        chosen = chosen_groups(1000, 6, seed)
        assert chosen == chosen_groups(1000, 6, seed)
        assert (chosen[0], chosen[-1]) == (0, 999)
        edges = [1 + 998 * part // 4 for part in range(5)]
        assert all(low <= group < high for group, (low, high) in zip(chosen[1:-1], pairwise(edges), strict=True))
    assert len({tuple(chosen_groups(1000, 6, seed)) for seed in range(20)}) > 10


@pytest.mark.parametrize(("groups", "sample"), [(7, 1), (7, 2), (7, 3), (7, 6), (2, 1), (100, 99)])
def test_as_many_as_asked_for_and_none_twice(groups: int, sample: int):
    chosen = chosen_groups(groups, sample, seed=3)
    assert len(set(chosen)) == sample
    assert sorted(chosen) == chosen
    assert set(chosen) <= set(range(groups))


def test_a_uniform_kernel_scales_to_the_exact_figures():
    softmax = metal.compile_shader(SOFTMAX, check=True).softmax
    x = torch.randn(24, 512)
    call: dict[str, Any] = {"threads": 24 * 128, "group_size": 128, "arg_casts": "int32"}
    whole = softmax.inspect(x, torch.zeros_like(x), 512, **call).work
    part = softmax.inspect(x, torch.zeros_like(x), 512, sample=5, **call).work
    assert (whole.groups_run, part.groups_run, part.groups) == (24, 5, 24)
    assert replace(part, groups_run=24) == whole


def test_a_sample_of_all_is_all():
    tensors = torch.ones(1000), torch.ones(1000), torch.zeros(1000)
    work = metal.compile_shader(ADD, check=True).add.inspect(*tensors, threads=1000, group_size=64, sample=100).work
    assert (work.groups_run, work.flops) == (16, 1000)


def test_calls_after_a_sample_run_everything():
    add = metal.compile_shader(ADD, check=True).add
    a, out = torch.ones(1000), torch.zeros(1000)
    assert add.inspect(a, a, out, threads=1000, group_size=10, sample=3).work.groups_run == 3
    add(a, a, out, threads=1000, group_size=10)
    assert out.tolist() == [2.0] * 1000


def test_a_bug_in_the_last_threadgroup_is_found():
    out, x = torch.zeros(1000), torch.ones(1000)
    source = f"{HEAD}kernel void k(device float* out, device const float* x, uint i [[thread_position_in_grid]]) {{\n"
    kernel = metal.compile_shader(f"{source}  out[i] = x[i];\n}}\n", check=True).k
    (first, *_) = kernel.inspect(out, x, threads=1024, group_size=64, sample=2).reports
    assert (first.kind, first.line, first.threadgroup) == (ReportKind.OUT_OF_BOUNDS, 4, (15, 0, 0))


def test_a_bug_in_every_threadgroup_is_found_in_those_that_run():
    source = f"""{HEAD}
kernel void k(device float* out, uint2 g [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
              uint t [[thread_index_in_threadgroup]]) {{
  threadgroup float tile[64];
  tile[t] = t;
  out[(g.y * groups.x + g.x) * 64 + t] = tile[63 - t];
}}
"""
    kernel = metal.compile_shader(source, check=True).k
    inspection = kernel.inspect(torch.zeros(64 * 40), threads=(512, 5), group_size=(64, 1), sample=4, seed=1)
    assert inspection.work.groups == 40
    races = [report for report in inspection.reports if report.kind is ReportKind.RACE]
    assert races
    assert {frozenset((race.line, race.other_line)) for race in races} == {frozenset((7, 8))}


def test_a_sample_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        metal.compile_shader(ADD, check=True).add.inspect(torch.ones(4), torch.ones(4), torch.ones(4), sample=0)


CHAIN = f"""{HEAD}
kernel void k(device atomic_uint* done, device float* out, uint g [[threadgroup_position_in_grid]],
              uint t [[thread_position_in_threadgroup]]) {{
  if (t == 0) {{
    while (atomic_load_explicit(done, memory_order_relaxed) WAITS) {{
    }}
    atomic_fetch_add_explicit(done, 1u, memory_order_relaxed);
  }}
  threadgroup_barrier(mem_flags::mem_device);
  out[g * 32 + t] = 1;
}}
"""


def chain(waits: str, sample: int | None) -> Inspection:
    kernel = metal.compile_shader(CHAIN.replace("WAITS", waits), check=True).k
    counter = torch.zeros(1, dtype=torch.int32)
    return kernel.inspect(counter, torch.zeros(8 * 32), threads=8 * 32, group_size=32, sample=sample)


def test_waiting_for_a_threadgroup_that_ran_is_fine():
    inspection = chain("< g", None)
    assert (inspection.reports, inspection.gave_up, inspection.work.groups_run) == ((), False, 8)


def test_waiting_for_a_threadgroup_that_does_not_run_ends():
    inspection = chain("< g", 2)
    assert (inspection.reports, inspection.gave_up) == ((), True)
    assert (inspection.work.groups_run, inspection.work.groups) == (1, 8)
    # what the second one did until then is not counted: of 8 as of the first, one addition and 32 floats
    assert inspection.work.buffers[0].written_bytes == 8 * 4
    assert inspection.work.buffers[1].written_bytes == 8 * 32 * 4
    assert (inspection.work.barriers, inspection.work.atomics) == (8, 8 * 2)


def test_where_no_threadgroup_ends_nothing_is_counted():
    inspection = chain("== 0", None)
    assert (inspection.reports, inspection.gave_up, inspection.work.groups_run) == ((), True, 0)
    assert (inspection.work.device_bytes, inspection.work.atomics, inspection.work.accesses) == (0, 0, ())


def test_waiting_without_atomics_ends_too():
    source = (
        f"{HEAD}kernel void k(device volatile uint* flag, device float* out, uint i [[thread_position_in_grid]]) {{\n"
    )
    kernel = metal.compile_shader(f"{source}  while (flag[0] == 0) {{\n  }}\n  out[i] = 1;\n}}\n", check=True).k
    inspection = kernel.inspect(torch.zeros(1, dtype=torch.int32), torch.zeros(64), threads=64, group_size=32)
    assert (inspection.reports, inspection.gave_up, inspection.work.groups_run) == ((), True, 0)


def test_the_next_launch_after_giving_up_is_as_good_as_any():
    assert chain("== 0", None).gave_up
    assert chain("< g", None).work.groups_run == 8
