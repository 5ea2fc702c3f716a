"""Which kernels may wait for other threads."""

import pytest

from kernelwright.metal.language import tokenize, translate


def waits(source: str) -> bool:
    (kernel,) = translate(tokenize(source)).kernels
    return kernel.synchronises


def body(text: str) -> str:
    return f"kernel void k(device float* x, uint simd_lane [[thread_index_in_simdgroup]]) {{ {text} }}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x[0] = simd_lane + 1;", False),
        ("x[0] = simd_sum(x[0]);", True),
        ("x[0] = metal::simd_shuffle_down(x[0], 1);", True),
        ("x[0] = quad_sum<float>(x[0]);", True),
        ("threadgroup_barrier(mem_flags::mem_threadgroup);", True),
        ("simdgroup_float8x8 m; simdgroup_multiply(m, m, m);", True),
        ("atomic_fetch_add_explicit(p, 1, memory_order_relaxed);", False),
        ("while (atomic_load_explicit(p, memory_order_relaxed) == 0) {}", True),
        ("do { v = atomic_load_explicit(p, memory_order_relaxed); } while (!v);", True),
        ("for (;;) { if (v) { v = atomic_load_explicit(p, memory_order_relaxed); } }", True),
        ("auto old = atomic_load_explicit(p, memory_order_relaxed); do { } while (!try_(old));", False),
    ],
)
def test_by_itself(text: str, expected: bool):
    assert waits(body(text)) is expected


@pytest.mark.parametrize(
    ("before", "call", "expected"),
    [
        ("float f(float a) { return simd_max(a); }", "x[0] = f(1);", True),
        ("float g(float a) { return simd_max(a); } float f(float a) { return g(a); }", "x[0] = f(1);", True),
        ("float f(float a); float g(float a) { return f(a); } float f(float a) { return simd_max(a); }", "g(1);", True),
        ("float g(float a) { return simd_max(a); } float f(float a) { return a; }", "x[0] = f(1);", False),
        ("struct Sum { float operator()(float a) { return simd_sum(a); } };", "x[0] = Sum{}(1);", True),
        ("struct Sum { Sum() { threadgroup_barrier(mem_flags::mem_none); } };", "Sum s;", True),
        ("struct Sum { float all(float a) { return simd_sum(a); } };", "Sum s; x[0] = s.all(1);", True),
        ("struct Sum { float one(float a) { return a; } float all(float a) { return simd_sum(a); } };",
         "Sum s; x[0] = s.one(1);", False),
    ],
)  # fmt: skip
def test_through_names(before: str, call: str, expected: bool):
    assert waits(before + body(call)) is expected


def test_through_template_arguments():
    template = (
        "struct Sum { float operator()(float a) { return simd_sum(a); } };"
        "struct Same { float operator()(float a) { return a; } };"
        "template <class F> [[kernel]] void k(device float* x) { F f; x[0] = f(x[0]); }"
    )
    assert waits(template + "template [[kernel]] decltype(k<Sum>) k<Sum>;")
    assert not waits(template + "template [[kernel]] decltype(k<Same>) k<Same>;")


def test_the_export_says_it():
    source = body("threadgroup_barrier(mem_flags::mem_none);")
    assert ", 0, true, {KW_BUFFER, 0}" in translate(tokenize(source)).text
