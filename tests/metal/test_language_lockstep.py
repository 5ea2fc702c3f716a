"""Which kernels get a second form in lockstep. Where it is not certain that they may, they do not."""

import re

import pytest

from kernelwright.metal.language import tokenize, translate

PARAMETERS = (
    "device float* out [[buffer(0)]], device const float* in [[buffer(1)]], constant uint& n [[buffer(2)]], "
    "uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]], "
    "uint lane [[thread_index_in_simdgroup]], uint simd [[simdgroup_index_in_threadgroup]], "
    "uint g [[threadgroup_position_in_grid]]"
)
BARRIER = "threadgroup_barrier(mem_flags::mem_threadgroup);"
BEFORE = f"threadgroup float part[1024]; part[t] = in[i]; {BARRIER}"


def lockstep(body: str, before: str = "") -> bool:
    """Whether a kernel with this body is given the form."""
    source = f"#include <metal_stdlib>\nusing namespace metal;\n{before}\nkernel void f({PARAMETERS}) {{ {body} }}"
    translation = translate(tokenize(re.sub("#include.*", "", source)), lockstep=True)
    found = 'KW_KERNEL_LOCKSTEP(0, "f"' in translation.text
    assert set(translation.lockstep) == ({"f"} if found else set())
    return found


FIT = {
    "a barrier between two statements": f"{BEFORE} out[i] = part[t ^ 1];",
    "a reduction": "float x = in[i]; x = simd_sum(x); out[i] = x;",
    "two operations in one expression": "out[i] = simd_sum(in[i]) + simd_max(in[i]);",
    "an operation in an operation": "out[i] = simd_max(simd_sum(in[i]) * in[i]);",
    "a namespace": "out[i] = metal::simd_sum(in[i]);",
    "shuffles": "out[i] = simd_shuffle_xor(in[i], 1) + simd_broadcast(in[i], ushort(n & 31));",
    "a loop with a common limit": f"{BEFORE} for (uint k = 0; k < n; k++) {{ out[i] += part[k]; {BARRIER} }}",
    "a loop that halves": f"{BEFORE} for (uint k = 9; k; k /= 2) {{ if (t < k) part[t] += part[t + k]; {BARRIER} }}",
    "a loop with its own counter": f"{BEFORE} uint k = n; while (k > 1) {{ out[i] += part[k]; k /= 2; {BARRIER} }}",
    "a branch for the threadgroup": f"if (g % 2 == 0) {{ {BEFORE} out[i] = part[t ^ 1]; }} else out[i] = 0;",
    "a break for the threadgroup": f"{BEFORE} for (uint k = 0; ; k++) {{ if (k == n) break; {BARRIER} part[t] += 1; }}",
    "a return for the threadgroup": f"if (g >= n) return; {BEFORE} out[i] = part[t ^ 1];",
    "a branch for a SIMD-group": "float x = in[i]; if (simd == 0) x = simd_sum(x); out[i] = x;",
    "a loop for a SIMD-group": "for (uint k = simd; k < n; k += 4) { float x = simd_sum(in[k]); out[k] = x; }",
    "an answer as a condition": "float x = in[i]; if (simd_any(x > 0)) x = simd_max(x); out[i] = x;",
    "a sum of answers": "float x = 0; for (uint k = 0; k < n; k++) { x += simd_sum(in[k + lane]); } out[i] = x;",
    "a function of numbers": f"if (twice(n) > 8) {{ {BEFORE} out[i] = part[t ^ 1] + twice(t) + simd_sum(in[i]); }}",
    "code for all threads": f"uint k = 0; if (n > 3) k = 2; for (uint j = 0; j < n; j++) k += j; if (k > 2) {BARRIER}",
    "a pointer that is moved": f"in += g * n; out += g * n; {BEFORE} out[t] = part[t ^ 1] + in[t];",
    "a pointer that each thread moves": f"in += t; {BEFORE} out[i] = part[t ^ 1] + in[0];",
    "a return at the end": "float x = simd_sum(in[i]); if (lane != 0) return; out[simd] = x;",
    "a return at the beginning": "if (i >= n) return; out[i] = simd_sum(in[i]);",
    "a type deduced": f"auto x = in[i] * 2; {BEFORE} out[i] = x + part[t ^ 1];",
    "arrays": f"float x[4] = {{1, 2, 3, 4}}; {BEFORE} out[i] = x[t & 3] + part[t ^ 1];",
    "a switch between barriers": f"{BEFORE} switch (t & 1) {{ case 0: out[i] = part[t]; break; default: out[i] = 0; }}",
    "atomics without an answer": (
        "threadgroup atomic_uint c; if (t == 0) atomic_store_explicit(&c, 0u, memory_order_relaxed); "
        f"{BARRIER} for (uint k = 0; k < 3; k++) atomic_fetch_add_explicit(&c, 1u, memory_order_relaxed); {BARRIER}"
    ),
}

UNFIT = {
    "no barrier at all": "out[i] = in[i];",
    "a barrier in a branch of some threads": f"if (t < 16) {{ {BEFORE} }}",
    "a barrier in a branch of a SIMD-group": f"if (simd == 0) {{ {BEFORE} }}",
    "a barrier in a loop of some threads": f"for (uint k = 0; k < t; k++) {BARRIER}",
    "a barrier in a loop that some threads leave": f"for (uint k = 0; k < n; k++) {{ {BARRIER} if (t == k) break; }}",
    "a barrier under a condition from memory": f"if (in[0] > 0) {BARRIER}",
    "a barrier under what a pointer shows": f"if (*in > 0) {BARRIER}",
    "a barrier under a count that threads change": f"uint k = 0; if (t == 3) k = 1; if (k == 0) {BARRIER}",
    "a barrier under what a function changed": f"uint k = 0; change(k); if (k == 0) {BARRIER}",
    "a barrier under what a function says": f"if (get(n) == 0) {BARRIER}",
    "a barrier under a count of its own in a step": f"uint k = 0; for (uint j = 0; j < t; j++) k++; if (k) {BARRIER}",
    "a barrier under what threadgroup memory says": f"if (seen(n) == 0) {BARRIER}",
    "a barrier under what a template says": f"if (of(n) == 0) {BARRIER}",
    "a barrier under an answer": f"if (simd_any(in[i] > 0)) {BARRIER}",
    "a barrier in do": f"uint k = 0; do {{ {BARRIER} k++; }} while (k < n);",
    "a barrier in switch": f"switch (n) {{ case 0: {BARRIER} break; default: break; }}",
    "a barrier in a lambda": f"auto f = [&]() {{ {BARRIER} }}; f();",
    "a barrier in a function": "wait(); out[i] = in[i];",
    "a barrier beside others": "out[i] = 0, threadgroup_barrier(mem_flags::mem_none);",
    "an operation in a branch of some threads": "float x = in[i]; if (t < 16) x = simd_sum(x); out[i] = x;",
    "an operation in a loop of some threads": "float x = 0; for (uint k = 0; k < t; k++) x = simd_sum(x); out[i] = x;",
    "an operation that is not always reached": "out[i] = n > 3 ? simd_sum(in[i]) : 0.0f;",
    "an operation behind and": "if (n > 3 && simd_any(in[i] > 0)) out[i] = 1;",
    "an operation in a loop's condition": "uint k = 0; while (simd_any(k < t)) k++; out[i] = k;",
    "an operation beside a change": "float x = in[i]; out[i] = x++ + simd_sum(x);",
    "an operation beside a function": "float x = in[i]; out[i] = get(n) + simd_sum(x);",
    "an operation on the active threads": "out[i] = float(ulong(simd_active_threads_mask()));",
    "an operation on quads": "out[i] = quad_sum(in[i]);",
    "an operation of the program": "out[i] = simd_sum(uint2(t, t)).x;",
    "an operation in braces": "float2 x{simd_sum(in[i]), 0}; out[i] = x.x;",
    "a matrix": "simdgroup_float8x8 m; simdgroup_load(m, in); simdgroup_store(m, out);",
    "a return of some threads in the middle": f"{BEFORE} if (t > 3) return; {BARRIER} out[i] = 1;",
    "a return of some threads after a write": "out[i] = 0; if (i >= n) return; out[i] = simd_sum(in[i]);",
    "a return of a SIMD-group": f"if (simd == 1) {{ out[i] = simd_sum(in[i]); return; }} {BEFORE}",
    "a thread that waits for another one": (
        "threadgroup atomic_uint c; if (t == 0) atomic_store_explicit(&c, 1u, memory_order_relaxed); "
        f"{BARRIER} while (atomic_exchange_explicit(&c, 0u, memory_order_relaxed) == 0) {{}}"
    ),
    "a thread that waits in a loop without braces": (
        f"device atomic_uint* c = (device atomic_uint*)out; {BARRIER} "
        "for (;;) if ((int)atomic_load_explicit(c, memory_order_relaxed) == 1) break;"
    ),
    "a pointer to a variable": f"float x = 1; thread float* p = &x; {BEFORE} out[i] = *p;",
    "an address beyond a barrier": f"float x = 1; set(&x); {BEFORE} out[i] = x;",
    "a reference beyond a barrier": f"float x = 1; thread float& r = x; {BEFORE} out[i] = r;",
    "a lambda beyond a barrier": f"float x = 1; auto f = [&]() {{ return x; }}; {BEFORE} out[i] = f();",
    "an attribute that is modified": f"t += 1; {BEFORE} out[i] = part[t];",
    "goto": f"{BEFORE} goto end; end: out[i] = part[t];",
}

FUNCTIONS = """
void change(thread uint& k) { k++; }
void set(thread float* x) { *x = 1; }
uint get(constant uint& k) { return k; }
uint twice(uint k) { return 2 * k; }
uint seen(uint k) { threadgroup uint last; return last; }
template <class T> uint of(T k) { return k; }
void wait() { threadgroup_barrier(mem_flags::mem_none); }
"""


@pytest.mark.parametrize("body", FIT.values(), ids=FIT)
def test_fits(body: str) -> None:
    assert lockstep(body, FUNCTIONS)


@pytest.mark.parametrize("body", UNFIT.values(), ids=UNFIT)
def test_does_not_fit(body: str) -> None:
    own = "uint2 simd_sum(uint2 x) { return x; }" if "uint2" in body else ""
    assert not lockstep(body, FUNCTIONS + own)
    assert "kw_lockstep" not in translate(tokenize(f"kernel void f({PARAMETERS}) {{ {body} }}")).text


def test_names_are_those_of_their_blocks() -> None:
    """The inner ``k`` is each thread's, the outer one all threads'."""
    inner = "for (uint k = t; k < n; k++) out[k] = 1;"
    assert lockstep(f"{BEFORE} for (uint k = 0; k < n; k++) {{ {BARRIER} {{ {inner} }} }}")
    assert not lockstep(f"{BEFORE} uint k = 0; {{ k = t; }} for (; k < n; k++) {{ {BARRIER} }}")


def test_a_specialisation_is_another_kernel() -> None:
    source = """
        template <typename T> kernel void f(device T* x, uint i [[thread_position_in_grid]]) { x[i] = simd_sum(x[i]); }
        template <> kernel void f<int>(device int* x, uint i [[thread_position_in_grid]]) { x[i] = -simd_sum(x[i]); }
        template [[host_name("f")]] kernel void f<int>(device int*, uint);
    """
    assert "LOCKSTEP" not in translate(tokenize(source), lockstep=True).text


def test_variants_of_a_template_have_variants_in_lockstep() -> None:
    source = """
        template <typename T, int N> kernel void f(device T* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {
          T y = x[i]; for (int k = 0; k < N; k++) y = simd_max(y + T(k)); x[i] = y;
        }
        template [[host_name("a")]] kernel void f<float, 4>(device float*, uint);
        template [[host_name("b")]] [[kernel]] decltype(f<half, 2>) f<half, 2>;
    """
    text = translate(tokenize(source), lockstep=True).text
    assert "template < typename T , int N > bool kw_lockstep_f(kw::Team& kw_team, T * x, uint)" in text
    assert "static_cast<bool (*)(kw::Team&, float * , uint)>(&kw_lockstep_f < float , 4 >)" in text
    assert '(1, "b", (&f < half , 2 >), (&kw_lockstep_f < half , 2 >), 0, true' in text
