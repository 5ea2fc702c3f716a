"""Operations among the threads of a SIMD-group or a quad against numpy."""

from typing import Any

import numpy as np
import pytest
import torch

from kernelwright import metal

pytestmark = pytest.mark.usefixtures("toolchain")
HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
CHECKED = pytest.mark.parametrize("check", [False, True], ids=["fast", "checked"])


def run(expression: str, x: np.ndarray, *, check: bool = False, out: str = "float", dtype: str = "float") -> Any:
    """``expression`` of ``v`` (an element), ``lane`` and ``i`` for each element of ``x``."""
    source = (
        f"{HEAD}kernel void k(device {out}* out, device const {dtype}* in, uint i [[thread_position_in_grid]],\n"
        f"                    ushort lane [[thread_index_in_simdgroup]]) {{\n"
        f"  const {dtype} v = in[i];\n  out[i] = {expression};\n}}\n"
    )
    library = metal.compile_shader(source, check=check)
    result = torch.zeros(len(x), dtype=getattr(torch, {"float": "float32", "uint": "uint32", "int": "int32"}[out]))
    library.k(result, torch.from_numpy(x), threads=len(x), group_size=len(x))
    return result.numpy()


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).standard_normal(64).astype(np.float32)


@CHECKED
@pytest.mark.parametrize(("name", "of"), [("sum", np.sum), ("product", np.prod), ("min", np.min), ("max", np.max)])
@pytest.mark.parametrize(("group", "width"), [("simd", 32), ("quad", 4)])
def test_reductions(name: str, of: Any, group: str, width: int, check: bool, x: np.ndarray) -> None:
    expected = np.repeat(of(x.reshape(-1, width), axis=1), width)
    np.testing.assert_allclose(run(f"{group}_{name}(v)", x, check=check), expected, rtol=1e-5)


@pytest.mark.parametrize(("name", "of"), [("and", np.bitwise_and), ("or", np.bitwise_or), ("xor", np.bitwise_xor)])
@pytest.mark.parametrize(("group", "width"), [("simd", 32), ("quad", 4)])
def test_bitwise_reductions(name: str, of: Any, group: str, width: int) -> None:
    x = np.random.default_rng(2).integers(0, 1 << 31, 64, dtype=np.int32)
    expected = np.repeat(of.reduce(x.reshape(-1, width), axis=1), width)
    np.testing.assert_array_equal(run(f"{group}_{name}(v)", x, out="int", dtype="int"), expected)


@CHECKED
@pytest.mark.parametrize(("group", "width"), [("simd", 32), ("quad", 4)])
def test_prefixes(group: str, width: int, check: bool, x: np.ndarray) -> None:
    rows = x.reshape(-1, width)
    sums, products = np.cumsum(rows, axis=1), np.cumprod(rows, axis=1)
    for name, expected in (
        ("inclusive_sum", sums),
        ("exclusive_sum", np.concatenate([0 * rows[:, :1], sums[:, :-1]], axis=1)),
        ("inclusive_product", products),
        ("exclusive_product", np.concatenate([0 * rows[:, :1] + 1, products[:, :-1]], axis=1)),
    ):
        got = run(f"{group}_prefix_{name}(v)", x, check=check)
        np.testing.assert_allclose(got, expected.reshape(-1), rtol=1e-4, atol=1e-6)


@CHECKED
def test_shuffles(check: bool, x: np.ndarray) -> None:
    lane = np.arange(64) % 32
    first = np.arange(64) - lane
    for expression, source in (
        ("simd_shuffle(v, ushort(31 - lane))", 31 - lane),
        ("simd_shuffle_xor(v, 5)", lane ^ 5),
        ("simd_broadcast(v, 7)", 0 * lane + 7),
        ("simd_broadcast_first(v)", 0 * lane),
        ("simd_shuffle_up(v, 3)", np.where(lane >= 3, lane - 3, lane)),
        ("simd_shuffle_down(v, 3)", np.where(lane + 3 < 32, lane + 3, lane)),
        ("simd_shuffle_rotate_up(v, 9)", (lane - 9) % 32),
        ("simd_shuffle_rotate_down(v, 9)", (lane + 9) % 32),
        ("quad_shuffle(v, ushort(3 - lane % 4))", lane // 4 * 4 + 3 - lane % 4),
        ("quad_shuffle_xor(v, 2)", lane ^ 2),
        ("quad_broadcast(v, 1)", lane // 4 * 4 + 1),
        ("quad_shuffle_up(v, 1)", np.where(lane % 4 >= 1, lane - 1, lane)),
        ("quad_shuffle_down(v, 1)", np.where(lane % 4 < 3, lane + 1, lane)),
        ("quad_shuffle_rotate_up(v, 1)", lane // 4 * 4 + (lane - 1) % 4),
    ):
        np.testing.assert_array_equal(run(expression, x, check=check), x[first + source], err_msg=expression)


def test_shuffles_that_fill(x: np.ndarray) -> None:
    lane = np.arange(64) % 32
    first = np.arange(64) - lane
    other = 10 * x
    for expression, place, width, down in (
        ("simd_shuffle_and_fill_down(v, 10 * v, 5)", lane, 32, 5),
        ("simd_shuffle_and_fill_up(v, 10 * v, 5)", lane, 32, -5),
        ("simd_shuffle_and_fill_down(v, 10 * v, 3, 8)", lane % 8, 8, 3),
        ("simd_shuffle_and_fill_up(v, 10 * v, 3, 8)", lane % 8, 8, -3),
        ("quad_shuffle_and_fill_up(v, 10 * v, 1)", lane % 4, 4, -1),
    ):
        source = first + lane - place + (place + down) % width
        inside = (place + down >= 0) & (place + down < width)
        expected = np.where(inside, x[source], other[source])
        np.testing.assert_allclose(run(expression, x), expected, err_msg=expression)


@pytest.mark.parametrize("group", ["simd", "quad"])
def test_a_lane_without_a_thread_answers_zero(group: str) -> None:
    width = {"simd": 32, "quad": 4}[group]
    source = (
        f"{HEAD}kernel void k(device float2* out, uint i [[thread_position_in_grid]]) {{\n"
        f"  out[i].x = {group}_shuffle_down(float(i + 1), 1);\n"
        f"  out[i].y = {group}_shuffle_and_fill_down(float(i + 1), -1.0f, {width - 1});\n}}\n"
    )
    out = torch.full((3, 2), 9.0)
    metal.compile_shader(source).k(out, threads=3, group_size=3)
    assert out[:, 0].tolist() == [2, 3, 0]
    assert out[:, 1].tolist() == [0, -1, -1]


def test_votes() -> None:
    x = np.arange(64, dtype=np.int32)
    even = 0x55555555
    for expression, expected in (
        ("uint((ulong)simd_ballot(v % 2 == 0))", np.full(64, even)),
        ("uint((ulong)quad_ballot(v % 2 == 0))", np.full(64, 5)),
        ("simd_any(v == 40) ? 1 : 0", np.arange(64) >= 32),
        ("simd_all(v < 40) ? 1 : 0", np.arange(64) < 32),
        ("quad_any(v == 6) ? 1 : 0", np.arange(64) // 4 == 1),
        ("quad_all(v < 6) ? 1 : 0", np.arange(64) < 4),
        ("simd_is_first() ? 1 : 0", np.arange(64) % 32 == 0),
        ("quad_is_first() ? 1 : 0", np.arange(64) % 4 == 0),
        ("simd_ballot(true).all() ? 1 : 0", np.ones(64)),
        ("(simd_ballot(v % 2 == 0) & simd_ballot(v % 2 == 1)).any() ? 1 : 0", np.zeros(64)),
        ("(~simd_ballot(v % 2 == 0) == simd_ballot(v % 2 == 1)) ? 1 : 0", np.ones(64)),
        ("uint((ulong)simd_active_threads_mask())", np.full(64, 0xFFFFFFFF)),
        ("uint((ulong)quad_active_threads_mask())", np.full(64, 15)),
    ):
        got = run(expression, x, out="uint", dtype="int")
        np.testing.assert_array_equal(got, expected.astype(np.uint32), err_msg=expression)


@pytest.mark.parametrize("dtype", ["half", "bfloat", "float4", "half3", "short", "uchar", "int2", "long"])
def test_types(dtype: str) -> None:
    source = (
        f"{HEAD}kernel void k(device {dtype}* out, uint i [[thread_position_in_grid]]) {{\n"
        f"  const {dtype} v = {dtype}(i % 7);\n"
        "  out[3 * i] = simd_sum(v);\n  out[3 * i + 1] = simd_shuffle_xor(v, 1);\n  out[3 * i + 2] = simd_max(v);\n}\n"
    )
    sizes = {"half": 2, "bfloat": 2, "float4": 16, "half3": 8, "short": 2, "uchar": 1, "int2": 8, "long": 8}
    types = {"half": "float16", "bfloat": "bfloat16", "float4": "float32", "half3": "float16", "short": "int16",
             "uchar": "uint8", "int2": "int32", "long": "int64"}  # fmt: skip
    raw = torch.zeros(3 * 32 * sizes[dtype], dtype=torch.uint8)
    metal.compile_shader(source).k(raw, threads=32, group_size=32)
    got = raw.view(getattr(torch, types[dtype])).double().reshape(32, 3, -1)[:, :, 0]
    values = np.arange(32) % 7
    np.testing.assert_allclose(got[:, 0], values.sum())
    np.testing.assert_allclose(got[:, 1], values[np.arange(32) ^ 1])
    np.testing.assert_allclose(got[:, 2], 6)


def test_operations_in_branches_work_among_those_who_are_there(x: np.ndarray) -> None:
    got = run("lane < 10 ? simd_sum(v) : simd_max(v)", x)
    rows = x.reshape(2, 32)
    np.testing.assert_allclose(
        got.reshape(2, 32)[:, :10], np.repeat(rows[:, :10].sum(1, keepdims=True), 10, 1), rtol=1e-5
    )
    np.testing.assert_array_equal(got.reshape(2, 32)[:, 10:], np.repeat(rows[:, 10:].max(1, keepdims=True), 22, 1))


def test_sums_do_not_depend_on_the_order_of_threads(x: np.ndarray) -> None:
    source = f"{HEAD}kernel void k(device float* o, device const float* x, uint i [[thread_position_in_grid]]) {{\n"
    library = metal.compile_shader(f"{source}  o[i] = simd_sum(x[i]) + simd_prefix_inclusive_sum(x[i]);\n}}\n")
    results = []
    for order in ("ascending", "descending", "shuffled"):
        out = torch.zeros(64)
        library.k(out, torch.from_numpy(x), group_size=64, order=order, seed=3)
        results.append(out)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_operations_on_one_line_are_told_apart(x: np.ndarray) -> None:
    """Lanes that skip the first one must not meet the others there, and wait for them at the second."""
    expected = np.repeat(np.sum(x.reshape(-1, 32), axis=1), 32)
    for some in ("lane < 16", "lane >= 16"):
        both = f"({some} ? simd_sum(v) * 0 : 0) + simd_sum(v)"
        np.testing.assert_allclose(run(both, x), expected, rtol=1e-5, err_msg=both)
