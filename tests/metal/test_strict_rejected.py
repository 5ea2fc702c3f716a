"""Programs that Apple's compiler rejects: which rule says so, on which line, from which section."""

from dataclasses import dataclass

import pytest

from kernelwright.metal import strict
from kernelwright.metal.contract import Severity
from kernelwright.metal.language.tokens import tokenize
from kernelwright.metal.strict.reader import read
from kernelwright.metal.strict.rules import broken, rules

HERE = "// here"
"""Marks the line that breaks the rule."""


@dataclass(frozen=True)
class Case:
    rule: str
    section: str
    program: str
    version: int = 320

    @property
    def line(self) -> int:
        return next(number for number, line in enumerate(self.program.splitlines(), 1) if HERE in line)


def kernel(body: str, parameters: str = "device float* out", before: str = "") -> str:
    """A program with one kernel around some statements."""
    return f"""#include <metal_stdlib>
using namespace metal;
{before}
kernel void f({parameters}, uint i [[thread_position_in_grid]]) {{
{body}
}}
"""


def arguments(parameters: str, before: str = "") -> str:
    """A program with a kernel of these parameters, one on each line."""
    return f"""using namespace metal;
{before}
kernel void f(
{parameters}
) {{}}
"""


CASES = [
    # what Metal leaves out of C++
    Case("goto", "1.5.4", kernel("  if (i > 3) goto end; // here\n  out[i] = 1;\nend:\n  return;")),
    Case("dynamic-cast", "1.5.4", kernel("  thread B* b = dynamic_cast<thread B*>(a); // here", before="struct B {};")),
    Case("type-identification", "1.5.4", kernel("  bool same = &typeid(out) == &typeid(i); // here")),
    Case("new-delete", "1.5.4", kernel("  thread float* p = new float[4]; // here")),
    Case("new-delete", "1.5.4", kernel("  delete out; // here")),
    Case("allocation", "1.5.4", kernel("  auto p = (thread float*)malloc(16); // here")),
    Case("allocation", "1.5.4", kernel("  out[i] = 1;\n  free(out); // here")),
    Case("exceptions", "1.5.4", kernel("  if (i > 4) throw 1; // here")),
    Case("exceptions", "1.5.4", kernel("  try { out[i] = 1; } // here\n  catch (int e) {}")),
    Case("virtual", "1.5.4", "struct Shape {\n  virtual float area() const; // here\n};"),
    Case("noexcept-operator", "1.5.4", kernel("  constexpr bool safe = noexcept(out[i]); // here")),
    Case("storage-class", "5.3", kernel("  register float x = 1; // here")),
    Case("storage-class", "5.3", kernel("  thread_local float x = 1; // here")),
    Case("double", "2.1", kernel("  double x = out[i]; // here")),
    Case("double", "2.1", kernel("  out[i] = (double)i; // here")),
    Case("double", "2.1", kernel("  out[i] = i;", "device long double* x, // here\ndevice float* out")),
    Case("double", "2.1", kernel("  unsigned long long n = i; // here")),
    Case("double", "2.1", kernel("  double4 x; // here")),
    Case("standard-library", "1.5.4", kernel("  out[i] = std::max(out[i], 0.0f); // here")),
    Case("standard-library", "1.5.4", "using namespace std; // here"),
    Case("standard-library", "1.5.4", kernel('  printf("%d", i); // here')),
    Case("function-main", "1.5.4", "using namespace metal;\nkernel void main(device float* x) {} // here"),
    Case("lambda", "1.5.4", kernel("  auto f = [&](float x) { return x + out[i]; }; // here"), version=310),
    Case("recursion", "1.5.4", "int fact(int n) {\n  return n < 2 ? 1 : n * fact(n - 1); // here\n}", version=230),
    Case(
        "recursion", "1.5.4",
        "int odd(int n);\nint even(int n) { return n == 0; }\nint deep(int n) { return n; }\n"
        "int up(int n) {\n  return n > 9 ? n : up(deep(n) + 1); // here\n}",
        version=230,
    ),
    Case(
        "recursion", "1.5.4",
        "int odd(int n);\nint use(int n) { return odd(n); }\n"
        "int even(int n) { return n ? odd(n - 1) : 1; } int odd(int n) { return n ? even(n - 1) : 0; } // here",
        version=230,
    ),
    Case("function-pointer", "5.1.4", kernel("  float (*g)(float) = i > 2 ? sin : cos; // here")),
    Case("function-pointer", "5.1.4", "struct Op {\n  float (*apply)(float, float); // here\n};"),
    Case("assembly", "1.5", kernel('  __asm__ volatile("nop"); // here')),
    Case("variadic-function", "1.5", "int sum(int n, ...) { return n; } // here"),
    # address spaces
    Case("missing-address-space", "4 ", kernel("  float* p = out; // here")),
    Case("missing-address-space", "4 ", "float first(float* values) { return values[0]; } // here"),
    Case("missing-address-space", "4 ", "void scale(const float& factor, thread float& x) { x *= factor; } // here"),
    Case("missing-address-space", "4 ", "struct P { float x; };\nvoid move(P& p) { p.x = 1; } // here"),
    Case("missing-address-space", "4 ", "struct P {\n  float* data; // here\n};"),
    Case("missing-address-space", "4 ", arguments("  float* out [[buffer(0)]] // here")),
    Case("missing-address-space", "4 ", "template <typename T>\nkernel void f(const T* x) {} // here"),
    Case("missing-address-space", "4 ", "template <typename T> void f(thread T& n, metal::vec<T, 4>& x) {} // here"),
    Case("missing-address-space", "4 ", "struct A {\n  using t = metal::atomic<int>;\n  void add(t* x) {} // here\n};"),
    Case("cast-address-space", "4 ", kernel("  auto p = reinterpret_cast<metal::atomic<unsigned int>*>(out); // here")),
    Case("missing-address-space", "4 ", kernel('  const char* s = "x"; // here')),
    Case("missing-address-space", "4 ", "template <typename T> T f(T x, int* n) { return x; } // here"),
    Case("missing-address-space", "4 ", kernel("  auto f = [](float* x) { return x[0]; }; // here")),
    Case("missing-address-space", "4 ", "using real = float;\nvoid f(real* x) {} // here"),
    Case("missing-address-space", "4 ", "float total(float (*rows)[4]) { return rows[0][0]; } // here"),
    Case("return-address-space", "4 ", "struct P { float x; };\nP& self(thread P& p) { return p; } // here"),
    Case("cast-address-space", "4 ", kernel("  out[i] = *(float*)out; // here")),
    Case("cast-address-space", "4 ", kernel("  auto p = reinterpret_cast<const uint*>(out); // here")),
    Case("program-scope", "4.2", "int counter = 0; // here"),
    Case("program-scope", "4.2", "constexpr int TILE = 16; // here"),
    Case("program-scope", "4.2", "namespace sizes {\nstatic const float table[2] = {1, 2}; // here\n}"),
    Case("program-scope", "4.2", "threadgroup float tile[32]; // here"),
    Case("static-member", "4.2", "struct S {\n  static constexpr int n = 4; // here\n};"),
    Case("constant-uninitialised", "4.2", "constant int rows; // here"),
    Case("constant-write", "4.2", kernel("  n[0] = 1; // here", "device float* out, constant float* n")),
    Case("constant-write", "4.2", kernel("  n += 1; // here", "device float* out, constant float& n")),
    Case("constant-write", "4.2", kernel("  *n = 1; // here", "device float* out, constant float* n")),
    Case("constant-write", "4.2", kernel("  n.x = 1; // here", "device float* out, constant float4& n")),
    Case("constant-write", "4.2", kernel("  ++n; // here", "device float* out, constant int& n")),
    Case(
        "constant-write", "4.2",
        kernel("  p->rows = 2; // here", "device float* out, constant P* p", "struct P { int rows; };"),
    ),
    Case("constant-write", "4.2", kernel("  table[1] = 2; // here", before="constant float table[2] = {0, 1};")),
    Case("variable-address-space", "4.1", kernel("  device float x = 1; // here")),
    Case("variable-address-space", "4.1", "float twice(device float x) { return 2 * x; } // here"),
    Case("variable-address-space", "4.1", "struct Tile {\n  threadgroup float data[32]; // here\n};"),
    Case("variable-address-space", "4.1", arguments("  constant uint n [[buffer(0)]] // here")),
    Case("threadgroup-scope", "4.4", "void f(thread float& x) {\n  threadgroup float tile[32]; // here\n}"),
    Case("threadgroup-initialiser", "4.4", kernel("  threadgroup float total = 0; // here")),
    Case("threadgroup-memory", "4.4", kernel("  threadgroup float a[4096];\n  threadgroup float4 b[1025]; // here")),
    Case(
        "threadgroup-memory", "4.4",
        kernel("  threadgroup half a[N][N + 1]; // here", before="constant constexpr int N = 1 << 7;"),
    ),
    Case("static-local", "5.3", kernel("  static int calls = 0; // here")),
    # conversions
    Case("pointer-conversion", "4 ", kernel("  threadgroup float a[4];\n  device float* p = a; // here")),
    Case("pointer-conversion", "4 ", kernel("  thread float* p;\n  p = out + i; // here")),
    Case("pointer-conversion", "4 ", kernel("  float x = 1;\n  device float* p = &x; // here")),
    Case("reference-binding", "4 ", kernel("  thread float& x = out[i]; // here")),
    Case(
        "argument-address-space", "4 ",
        kernel("  add(out); // here", before="void add(thread float* x) { x[0] += 1; }"),
    ),
    Case(
        "argument-address-space", "4 ",
        kernel("  add(out[i]); // here", before="void add(thread float& x) { x += 1; }"),
    ),
    Case(
        "argument-address-space", "4 ",
        kernel("  float x[2];\n  out[i] = sum(x, 2); // here", before="""
template <typename T> T sum(const device T* x, int n) { return x[0]; }
template <typename T> T sum(const threadgroup T* x, int n) { return x[0]; }"""),
    ),
    Case("argument-address-space", "4 ", kernel("  out[i] = modf(1.5f, out[i]); // here")),
    Case(
        "argument-address-space", "4 ",
        kernel("  atomic_int n;\n  atomic_fetch_add_explicit(&n, 1, memory_order_relaxed); // here"),
    ),
    Case("vector-conversion", "Type Conv", kernel("  float4 x = 1;\n  half4 y = x; // here")),
    Case("vector-conversion", "Type Conv", kernel("  float3 x = float4(1); // here")),
    Case("vector-conversion", "Type Conv", kernel("  int2 a = 1;\n  uint2 b = 2;\n  a = b; // here")),
    Case("vector-conversion", "Type Conv", kernel("  uint2 a = 1;\n  uint n = a; // here")),
    Case("bfloat-conversion", "Type Conv", kernel("  half h = 1;\n  bfloat b = h; // here")),
    # kernels
    Case("kernel-return", "5.1.3", "kernel float f(device float* x) { return x[0]; } // here"),
    Case("kernel-return", "5.1.3", "[[kernel]] int f(device float* x) { return 1; } // here"),
    Case("kernel-call", "5.1", kernel("  g(out); // here", before="kernel void g(device float* x) { x[0] = 1; }")),
    Case("kernel-argument", "5.2.1", arguments("  device float* out,\n  uint n // here")),
    Case("kernel-argument", "5.2.1", arguments("  uint i [[thread_position_in_gird]] // here")),
    Case("kernel-argument", "5.2.1", arguments("  int n [[buffer(1)]] // here")),
    Case("kernel-argument", "5.2.1", arguments("  Sizes sizes // here", "struct Sizes { int rows, columns; };")),
    Case("kernel-argument", "5.2.1", arguments("  float (*f)(float) // here")),
    Case("kernel-argument-space", "5.2.1", arguments("  thread float* x [[buffer(0)]] // here")),
    Case("kernel-argument-space", "5.2.1", arguments("  threadgroup float* x [[buffer(0)]] // here")),
    Case("kernel-argument-space", "5.2.1", arguments("  device float* x [[threadgroup(0)]] // here")),
    Case("argument-index", "5.2.1", arguments("  device float* x [[buffer(31)]] // here")),
    Case("argument-index", "5.2.1", arguments("  threadgroup float* x [[threadgroup(40)]] // here")),
    Case(
        "duplicate-index", "5.2.1",
        arguments("  device float* x [[buffer(0)]],\n  device float* y [[buffer(0)]] // here"),
    ),
    Case(
        "duplicate-index", "5.2.1",
        arguments("  device float* x [[buffer(1)]],\n  device float* y [[buffer(N + 0)]] // here",
                  "constant constexpr int N = 1;"),
    ),
    Case(
        "argument-count", "5.2.1",
        arguments(",\n".join(f"  device float* x{n}" for n in range(32)) + " // here"),
    ),
    Case("input-type", "5.2.3.6", arguments("  int i [[thread_position_in_grid]] // here")),
    Case("input-type", "5.2.3.6", arguments("  ulong i [[thread_position_in_grid]] // here")),
    Case("input-type", "5.2.3.6", arguments("  uint4 i [[threads_per_grid]] // here")),
    Case("input-type", "5.2.3.6", arguments("  uint3 i [[thread_index_in_simdgroup]] // here")),
    Case("input-type", "5.2.3.6", arguments("  float i [[simdgroup_index_in_threadgroup]] // here")),
    Case(
        "input-agreement", "5.2.3.6",
        arguments("  uint2 i [[thread_position_in_grid]],\n  ushort2 n [[threads_per_grid]] // here"),
    ),
    Case(
        "input-agreement", "5.2.3.6",
        arguments("  uint2 i [[thread_position_in_grid]],\n  uint3 n [[threadgroup_position_in_grid]] // here"),
    ),
    Case(
        "input-agreement", "5.2.3.6",
        arguments("  uint2 i [[thread_position_in_threadgroup]],\n  ushort n [[thread_index_in_threadgroup]] // here"),
    ),
    Case(
        "thread-limit", "5.1.3",
        "[[max_total_threads_per_threadgroup(2048)]] // here\nkernel void f(device float* x) {}",
    ),
    Case("thread-limit", "5.1.3", "[[kernel, max_total_threads_per_threadgroup(0)]] void f(device int* x) {} // here"),
    Case("function-constant", "5.8", "constant int n [[function_constant(0)]] = 3; // here"),
    Case("function-constant", "5.8", "constant int n [[function_constant(70000)]]; // here"),
    Case("function-constant", "5.8", kernel("  constant bool b [[function_constant(0)]]; // here")),
    # types and functions of the library
    Case("atomic-type", "2.6", kernel("  out[i] = 1;", "device metal::atomic<half>* a, // here\ndevice float* out")),
    Case(
        "atomic-order", "6.15",
        kernel("  atomic_store_explicit(n, 1, memory_order_release); // here", "device atomic_int* n"),
    ),
    Case("simdgroup-matrix", "2.4", kernel("  simdgroup_matrix<float, 16, 8> m; // here")),
    Case("simdgroup-matrix", "2.4", kernel("  metal::simdgroup_matrix<int, 8, 8> m; // here")),
    # what cannot be run here
    Case("textures", "2.9", arguments("  texture2d<float, access::read> image [[texture(0)]] // here")),
    Case("textures", "2.9", arguments("  array<metal::texture1d_array<half>, 4> images // here")),
    Case("samplers", "2.10", "using namespace metal;\nconstexpr sampler nearest(filter::nearest); // here"),
    Case("imageblocks", "2.11", arguments("  imageblock<Pixel> block // here")),
    Case("pixel-types", "2.7", arguments("  device rgba8unorm<half4>* pixels // here")),
    Case("ray-tracing", "Ray-Tracing", "using namespace metal;\nstruct R { raytracing::ray r; }; // here"),
    Case("visible-functions", "5.1.4", "[[visible]] float twice(float x) { return 2 * x; } // here"),
    Case("mesh-shaders", "Mesh", "[[mesh]] void f() {} // here"),
    Case("vertex-functions", "5.1.1", "vertex float4 f(uint i [[vertex_id]]) { return float4(i); } // here"),
    Case("fragment-functions", "5.1.2", "[[fragment]] float4 f() { return 1; } // here"),
    Case("stage-in", "5.2.4", arguments("  In in [[stage_in]] // here", "struct In { float4 x [[attribute(0)]]; };")),
    Case("command-buffers", "Indirect", "struct A {\n  command_buffer commands; // here\n};"),
    Case("tensors", "Tensor", arguments("  tensor<device half, dextents<int, 2>> x // here")),
    Case("performance-primitives", "MetalPerf", kernel("  mpp::tensor_ops::matmul2d_descriptor d(8, 8); // here")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case.rule}" for n, case in enumerate(CASES)])
def test_a_program_that_metal_rejects_is_rejected_where_it_breaks_the_rule(case: Case):
    tokens = tokenize(case.program)
    program = read(tokens)
    found = [(rule, finding.where(program).line) for rule, finding in broken(program, case.version)]
    assert {(rule.name, line) for rule, line in found} == {(case.rule, case.line)}
    assert all(rule.section.startswith(case.section) for rule, _ in found)
    diagnostics = strict.check(tokens, version=case.version)
    assert [(d.place.line, d.severity) for d in diagnostics] == [(line, rule.severity) for rule, line in found]
    assert all(d.text == case.program.splitlines()[case.line - 1].rstrip() for d in diagnostics)


def test_every_rule_has_a_program_that_breaks_it():
    assert {case.rule for case in CASES} == {rule.name for rule in rules()}


def test_a_refused_feature_is_named_once():
    program = arguments("  texture2d<float> a [[texture(0)]],\n  texture2d<half> b [[texture(1)]]")
    diagnostics = strict.check(tokenize(program))
    assert [d.message for d in diagnostics] == [
        "refused: this program uses textures, which are not supported here (MSL 2.9)"
    ]


def test_diagnostics_come_in_the_order_of_the_text_with_the_users_lines():
    program = '# 7 "mine.metal"\nint a = 1;\nkernel int f(float* x) { goto y; y: return 1; }\n'
    found = strict.check(tokenize(program))
    assert [(str(d.place), d.severity) for d in found] == [
        ("mine.metal:7:5", Severity.ERROR), ("mine.metal:8:12", Severity.ERROR), ("mine.metal:8:21", Severity.ERROR),
        ("mine.metal:8:26", Severity.ERROR),
    ]  # fmt: skip
    assert str(found[0]).endswith("  int a = 1;\n      ^")


def test_what_the_brackets_of_a_program_do_not_close_is_left_to_the_compiler():
    assert strict.check(tokenize("kernel void f(device float* x { goto y; }")) == ()
