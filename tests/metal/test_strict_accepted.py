"""Programs that look suspicious and are legal: no rule may say anything about them.

Many are shortened from patterns of MLX, ggml and PyTorch's own kernels.
"""

import random
from pathlib import Path

import pytest

from kernelwright.metal import strict
from kernelwright.metal.language.tokens import tokenize

PROGRAMS: dict[str, str] = {
    "a pointer to a function as a parameter": """
template <typename T>
static inline T fold(device T* x, T value, T (*op)(T, T)) { return op(x[0], value); }
""",
    "a pointer to a function as a template parameter": """
struct block { half d; };
template <typename block_q, short nl, void (*dequantize)(device const block_q*, short, thread half4x4&)>
kernel void rows(device const void* src, device float* dst, uint i [[thread_position_in_grid]]) {
  half4x4 reg;
  dequantize((device const block_q*)src, 0, reg);
  dst[i] = reg[0][0];
}
""",
    "function types in typedefs and instantiations through decltype": """
template <typename T> kernel void mul(device T* x) { x[0] = 1; }
typedef decltype(mul<float>) mul_t;
template [[host_name("mul_f32")]] kernel mul_t mul<float>;
template [[host_name("mul_" "f16")]] [[kernel]] decltype(mul<half>) mul<half>;
""",
    "explicit instantiations leave the attributes out": """
template <typename T>
kernel void copy(device T* out [[buffer(0)]], constant T& x [[buffer(1)]], uint i [[thread_position_in_grid]]) {
  out[i] = x;
}
template [[host_name("copy_float")]] kernel void ::copy<float>(device float* out, constant float& x, uint i);
template [[host_name("copy_half")]] kernel void copy<half>(device half*, constant half&, uint);
""",
    "a kernel declared without attributes and defined later": """
template <typename T> kernel void scale(device T* x, constant uint2& n, uint index);
template <typename T>
kernel void scale(device T* x [[buffer(0)]], constant uint2& n [[buffer(1)]], uint index [[thread_position_in_grid]]) {
  x[index] *= n.x;
}
""",
    "arrays as parameters need no address space": """
static inline void reduce(device float* dst, float sums[4], thread float rows[4]) { dst[0] = sums[0] + rows[1]; }
kernel void f(device float* dst) { float sums[4]; float rows[4]; reduce(dst, sums, rows); }
""",
    "a reference to a pointer names the pointer's space only": """
template <typename T> void advance(const device T*& x, const device uint*& w, device T*& y) { x += 1; w += 2; y += 3; }
""",
    "references and pointers that depend on a template argument": """
template <typename T> void swap_all(T& a, T& b) { T t = a; a = b; b = t; }
template <typename P> float first(P p) { return p[0]; }
kernel void f(device float* x, constant float* y) { x[0] = first(x) + first(y); }
""",
    "auto with and without a space": """
struct M { uint n; };
kernel void f(device M* all, device float* x, uint i [[thread_position_in_grid]]) {
  device auto* m = &all[i];
  auto p = x + i;
  auto& v = *p;
  v = m->n;
}
""",
    "functions that call themselves, since Metal 2.4": """
float odd(float x);
float even(float x) { return x <= 0 ? 1 : odd(x - 1); }
float odd(float x) { return x <= 0 ? 0 : even(x - 1); }
""",
    "overloads that call each other are no recursion": """
float log1p_(float x);
float2 log1p_(float2 x) { return float2(log1p_(x.x), x.y); }
float log1p_(float x) { return metal::log(1 + x); }
float area(float x) { return x; }
struct Shape { float area() const { return ::area(2); } };
""",
    "lambdas are part of Metal 3.2": """
kernel void f(device float* x, uint i [[thread_position_in_grid]]) {
  float scale = 2;
  auto twice = [&](float v) { return v * scale; };
  auto plain = [](float v) -> float { return v; };
  x[i] = twice(plain(x[i]));
}
""",
    "double is a word in comments, and literals have no suffix": """
// double-float arithmetic: std::max, goto, new
kernel void f(device float* x) { x[0] = 0.5 + 1e-3; long n = 0xFFFFFFFFFFL; x[1] = n; }
""",
    "names that only look like types of C++": """
struct double_float { float high, low; };
float std_deviation(float x, float mean) { return x - mean; }
float free_energy(float x) { return x; }
""",
    "deleted functions, destructors and noexcept": """
struct Handle {
  int n;
  Handle() thread = default;
  Handle(int v) thread : n(v) {}
  void operator=(const thread Handle&) = delete;
  int size() const thread noexcept { return n; }
};
""",
    "constants of every spelling": """
constant float a = 1;
constexpr constant int b = 2;
static constant constexpr const short c = b * 2;
static const constant float table[4] = {1, 2, 3, 4};
constant bool flag [[function_constant(0)]];
constant int tile [[function_constant(1)]];
constant int used = is_function_constant_defined(tile) ? tile : 32;
template <typename T> constexpr constant bool is_small_v = sizeof(T) <= 2;
extern constant float elsewhere;
""",
    "values of variable templates within an initialiser": """
template <typename A, typename B>
static constexpr constant bool both_v = is_same_v<A, B> || (is_same_v<B, half> && is_convertible_v<A, B>);
template <typename A, typename B> constexpr constant int wider_v = is_same_v<A, B> ? 1 : is_same_v<B, A> == false;
constant bool a = both_v<int, half>, b = wider_v<int, half>;
""",
    "static members in the constant space": """
template <typename U> struct Limits { static const constant U max; static constexpr constant U lowest = U(0); };
template <> constant float Limits<float>::max = 3e38f;
struct Shape { static constant constexpr const int rows = 8; static constexpr int area() { return rows * rows; } };
""",
    "writes next to constants": """
struct Args { device float* out; int n; };
kernel void f(constant Args& args, constant float* x, device float* y, uint i [[thread_position_in_grid]]) {
  args.out[i] = x[i];
  x += 4;
  constant float* p = x;
  p = x + args.n;
  ++p;
  y[0] = *p;
  y[1] = x[1] == y[1];
  int n = args.n;
  n = 3;
}
""",
    "a local variable shadows a constant": """
constant int n = 4;
kernel void f(device int* x) { int n = 1; n = 2; x[0] = n; for (int table = 0; table < n; table++) x[table] = 0; }
""",
    "threadgroup memory of exactly 32 KiB, in nested scopes": """
constant constexpr int TILE = 64;
kernel void f(device float* x, uint i [[thread_index_in_threadgroup]]) {
  threadgroup float a[TILE][TILE];
  { threadgroup float4 b[TILE * TILE / 4]; b[i] = 1; }
  a[0][i] = 2;
}
""",
    "threadgroup memory whose size depends on a template argument": """
template <typename T, int N>
kernel void f(device T* x, uint i [[thread_index_in_threadgroup]]) {
  constexpr int entries = N * 1024;
  threadgroup T a[entries];
  threadgroup float b[N * 8192 * 2];
  a[i] = x[i];
  b[i] = 1;
}
""",
    "threadgroup pointers in functions that are no kernels": """
template <typename T> void sum(threadgroup T* data, threadgroup float& total, uint n) {
  threadgroup T* rows = data + n;
  total += rows[0];
}
kernel void f(device float* x, threadgroup float* shared [[threadgroup(0)]]) {
  threadgroup float total;
  sum(shared, total, 4);
  x[0] = total;
}
""",
    "overloads by address space": """
void add(thread float* x) { x[0] += 1; }
void add(device float* x) { x[0] += 1; }
void add(threadgroup float* x) { x[0] += 1; }
kernel void f(device float* x) { float y[2]; threadgroup float z[2]; add(x); add(y); add(z); add(&y[1]); }
""",
    "a value copied out of another memory": """
float twice(const thread float& x) { return 2 * x; }
kernel void f(device float* x, constant float& n) {
  float y = n;
  const thread float& z = y;
  x[0] = twice(x[1]) + twice(z);
  float w = x[2];
  thread float* p = &w;
  *p = 3;
}
""",
    "out arguments of the library in thread memory": """
kernel void f(device float* x, device atomic_uint* n, threadgroup atomic_int* m [[threadgroup(0)]]) {
  float whole;
  int exponent;
  float c[2];
  x[0] = modf(x[0], whole) + frexp(x[1], exponent) + sincos(x[2], c[0]);
  uint expected = 0;
  atomic_compare_exchange_weak_explicit(n, &expected, 1u, memory_order_relaxed, memory_order_relaxed);
  atomic_fetch_add_explicit(&m[0], 1, memory_order_relaxed);
  atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst);
}
""",
    "casts with address spaces": """
kernel void f(device void* p, constant char* c, device float* x) {
  x[0] = *(device const float*)p + *reinterpret_cast<constant float*>(c + 4);
  thread uint* bits = (thread uint*)&x;
  x[1] = (float)(*bits) * (x[2]);
  x[3] = ((device half*)p)[1];
}
""",
    "positions as scalars and vectors, in 16 and 32 bits": """
kernel void f(device float* x, uint3 group [[threadgroup_position_in_grid]],
              ushort3 local [[thread_position_in_threadgroup]], ushort3 size [[threads_per_threadgroup]],
              ushort lane [[thread_index_in_simdgroup]], ushort index [[thread_index_in_threadgroup]]) {}
kernel void g(device float* x, uint2 group [[threadgroup_position_in_grid]], unsigned i [[thread_position_in_grid]],
              metal::uint n [[threads_per_grid]], uint32_t lane [[thread_index_in_simdgroup]]) {}
typedef uint3 position;
kernel void h(position i [[thread_position_in_grid]], const uint3 n [[threads_per_grid]]) {}
""",
    "attributes on parameters of functions that are no kernels": """
struct Loader {
  threadgroup float* dst;
  const device float* src;
  METAL_FUNC Loader(const device float* src_, threadgroup float* dst_, ushort lane [[thread_index_in_simdgroup]])
      : dst(dst_ + lane), src(src_ + lane) {}
  METAL_FUNC static constexpr short2 place(ushort lane [[thread_index_in_simdgroup]]) { return short2(lane, lane / 4); }
};
""",
    "indices given twice under function constants, and buffers without an index": """
constant bool wide [[function_constant(0)]];
kernel void f(device float* a [[buffer(0), function_constant(wide)]], device half* b [[buffer(0)]],
              device float* c, constant int& n, threadgroup float* t [[threadgroup(0)]],
              threadgroup float* u [[threadgroup(1)]]) {}
""",
    "31 buffers": "kernel void f(" + ", ".join(f"device float* x{n} [[buffer({n})]]" for n in range(31)) + ") {}",
    "limits on the edge": """
template <int WM, int WN>
[[kernel, max_total_threads_per_threadgroup(WM * WN * 32)]] void f(device float* x [[buffer(0)]]) {}
[[max_total_threads_per_threadgroup(1024)]] kernel void g(device float* x) {}
kernel void h(device float* x) [[max_total_threads_per_threadgroup(32)]] {}
""",
    "conversions that vectors do make": """
kernel void f(device float* x, uint3 i [[thread_position_in_grid]], device packed_float3* p) {
  float4 a = 1;
  float3 b = p[0];
  p[1] = b;
  half4 h = half4(a);
  float2 c = a.xy;
  int2 d = int2(i.xy);
  uint n = i.x;
  float s = dot(b, b);
  half k = x[0];
  bool4 m = a < 2;
  float4 e{1, 2, 3, 4};
  a = float4(h);
}
""",
    "comparisons that look like templates": """
kernel void f(device float* x, constant int& n, uint i [[thread_position_in_grid]]) {
  int a = i, b = n, c = 2;
  if (a < b && c > (b)) x[i] = 1;
  bool d = a < b, e = b > c;
  for (int j = a < b ? a : b; j < c; j++) x[j] = d + e;
  x[0] = min(a < b, c > b);
}
""",
    "multiplications that look like declarations": """
kernel void f(device float* x) { float a = 2, b = 3; a * b; x[0] = a * b; int c = 4; c & 1; (void)c; }
""",
    "operators, conversions and constructors of a class": """
struct complex64 {
  float real, imag;
  constexpr complex64(float r, float i) : real(r), imag(i) {}
  template <typename T> constexpr complex64(T x) thread : real(x), imag(0) {}
  template <typename T> constexpr operator T() const thread { return static_cast<T>(real); }
  constexpr complex64 operator-() const { return {-real, -imag}; }
  thread complex64& operator=(const thread complex64& x) thread { real = x.real; return *this; }
  thread float& operator[](int i) { return i ? imag : real; }
  bool operator<(complex64 x) const { return real < x.real; }
  float operator()(float x) const device { return x * real; }
};
constexpr complex64 operator+(complex64 a, complex64 b) { return {a.real + b.real, a.imag + b.imag}; }
constexpr bool operator>=(complex64 a, complex64 b) { return a.real >= b.real; }
""",
    "unions, enums, bit-fields and derived classes": """
enum class Kind : int32_t { First = 0, Second };
struct Base { uint a : 3; uint b : 5; };
struct Derived : Base { float c; };
template <typename T> struct is_small : metal::bool_constant<(sizeof(T) < 4)> {};
float pun(uint x) { union { uint i; float f; } both; both.i = x; return both.f; }
""",
    "specialisations by address space": """
template <typename T> struct element {};
template <typename T> struct element<thread T*> { using type = metal::remove_cv_t<T>; };
template <typename T> struct element<device T*> { using type = metal::remove_cv_t<T>; };
template <typename T> struct element<constant T*> { using type = metal::remove_cv_t<T>; };
template <typename T> using element_t = typename element<metal::remove_cv_t<T>>::type;
""",
    "references inside of expressions": """
template <typename T> struct Frag {
  typedef metal::vec<T, 2> frag_type;
  frag_type frags[4];
  constexpr thread frag_type& at(const short i) { return frags[i]; }
  constexpr const thread frag_type& at(const short i) const { return frags[i]; }
  thread T* elements() { return reinterpret_cast<thread T*>(frags); }
  template <typename U> void load(const threadgroup U* src) { at(0) = reinterpret_cast<thread frag_type&>(frags[1]); }
};
""",
    "own types with names of features": """
struct tensor { device float* data; int rows; };
struct mesh { int n; };
kernel void f(constant tensor& a, device float* sampler, device float* out) {
  int mesh = 3;
  out[0] = sampler[mesh] * a.rows < 4;
}
""",
    "anonymous namespaces, linkage and inline namespaces": """
namespace {
template <typename T> T twice(T x) { return x + x; }
}
extern "C" { kernel void f(device float* x) { x[0] = twice(x[0]); } }
inline namespace v1 { namespace a::b { constant int n = 1; } }
namespace c = a;
""",
    "parameter packs and C's dots in a trait": """
template <typename T, typename... Args> void print(device char* p, T x, Args... rest) { print(p + 1, rest...); }
template <typename T> metal::true_type test(thread T*);
metal::false_type test(...);
""",
    "memory behind several pointers": """
struct Node { device Node* next; constant float* values; };
kernel void f(device Node* nodes, device float* out) {
  device Node* n = nodes;
  while (n != nullptr) { out[0] += n->values[0]; n = n->next; }
  const device float* rows[4] = {out, out, out, out};
  const device float* row = rows[1];
  thread const device float* thread* all = rows;
  out[1] = row[0] + all[0][0];
}
""",
    "pragmas, labels and switches": """
enum class T { A = 1, B };
int pick(T t, int n) {
  switch (t) {
    case T::A: return n < 2 ? 1 : 2;
    default: break;
  }
#pragma unroll
  for (int i = 0; i < n; ++i) { if (i > 3) continue; else n -= i; }
  do { n--; } while (n > 0);
  return n;
}
""",
    "a kernel's own function of the same shape": """
void body(device float* x, uint i) { x[i] = 1; }
kernel void a(device float* x, uint i [[thread_position_in_grid]]) { body(x, i); }
kernel void b(device float* x, uint i [[thread_position_in_grid]]) { float a = 1; body(x, i + a); }
""",
    "initialisers in conditions and loops over arrays": """
kernel void f(device float* x, uint i [[thread_position_in_grid]]) {
  if (uint n = i; n > 4) x[n] = 1;
  if (int m = i) x[m] = 2;
  float v[3] = {1, 2, 3};
  for (auto e : v) x[0] += e;
  for (thread float& e : v) e = 0;
}
""",
    "memory orders of old and matrices of simdgroups": """
template <typename T, int M, int N> struct Tile { metal::simdgroup_matrix<T, M, N> m; };
kernel void f(device half* x, threadgroup float* t [[threadgroup(0)]]) {
  simdgroup_matrix<half, 8, 8> a;
  simdgroup_float8x8 b(0);
  simdgroup_load(a, x, 8);
  simdgroup_load(b, &t[8 * 8], 8, ulong2(0), true);
  simdgroup_store(b, t + 64, 8);
}
""",
    "atomic types": """
template <typename AT> void add(device metal::atomic<AT>* x, AT v) {
  metal::atomic_fetch_add_explicit(x, v, metal::memory_order_relaxed);
}
struct Counters { metal::atomic<unsigned int> count; atomic<float> sum; atomic_ulong most; };
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_legal_program_is_accepted(name: str):
    assert [str(d) for d in strict.check(tokenize(PROGRAMS[name]))] == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_damage_to_a_program_makes_the_rules_fail(name: str):
    tokens = tokenize(PROGRAMS[name])
    draw = random.Random(name)
    for _ in range(15):
        first = draw.randrange(len(tokens))
        damaged = tokens[:first] + tokens[first + draw.randrange(1, 4) :]
        other = draw.randrange(len(tokens))
        strict.check(damaged)
        strict.check(tokens[first:])
        strict.check([*tokens[:first], tokens[other], *tokens[first:]])


def metal_headers() -> list[Path]:
    """PyTorch's headers for Metal, which Apple's compiler takes."""
    torch = pytest.importorskip("torch")
    include = Path(torch.__file__).parent / "include"
    return sorted([*include.glob("c10/metal/*.h"), *include.glob("ATen/native/mps/kernels/*.h")])


def test_headers_of_pytorch_are_accepted():
    found = {
        path.name: [str(d) for d in strict.check(tokenize(as_metal(path.read_text()), path.name))]
        for path in metal_headers()
    }
    assert {name: diagnostics for name, diagnostics in found.items() if diagnostics} == {}


def as_metal(text: str) -> str:
    """A header without the lines that only the host compiles, and with the macros that say where constants are."""
    kept: list[str] = []
    skipping: list[bool] = []
    continued = False
    for line in text.splitlines():
        word = line.split(maxsplit=2)
        if continued or line.startswith("#define"):
            continued = line.endswith("\\")
            kept.append("")
        elif line.startswith("#if"):
            skipping.append("__METAL" in line and line.startswith("#ifndef"))
            kept.append("")
        elif line.startswith(("#else", "#elif")):
            skipping[-1] = True
            kept.append("")
        elif line.startswith("#endif"):
            skipping.pop()
            kept.append("")
        else:
            kept.append("" if any(skipping) or word[:1] == ["#error"] else line)
    return "\n".join(kept).replace("C10_METAL_CONSTEXPR", "constant constexpr").replace("IF_CONSTEXPR", "constexpr")
