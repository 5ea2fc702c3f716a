"""The view of a program that rules are written against."""

import pytest

from kernelwright.metal.language.tokens import tokenize
from kernelwright.metal.strict.operands import calls, operand
from kernelwright.metal.strict.reader import read
from kernelwright.metal.strict.stream import Unreadable
from kernelwright.metal.strict.types import canonical
from kernelwright.metal.strict.view import Program, Role


def program(text: str) -> Program:
    return read(tokenize(text))


def at(found: Program, text: str, number: int = 0) -> int:
    """The position of the word that occurs for the so-manyth time."""
    return [i for i, word in enumerate(found.stream.texts) if word == text][number]


def test_functions_have_parameters_bodies_and_attributes():
    found = program("""
template <typename T, int N = 4>
[[host_name("f_" "x"), max_total_threads_per_threadgroup(N * 32)]] kernel void f(
    const device metal::vec<T, 4>* x [[buffer(0)]], constant uint& n [[buffer(1)]], threadgroup T* t,
    uint2 i [[thread_position_in_grid]]) { x[0]; }
struct Foo : Bar<int> {
  int a, *b, c[2][3];
  Foo(int v = f(1, 2)) thread : a(v), b{nullptr} { a = 1; }
  ~Foo() {}
  template <typename U> operator U() const thread { return a; }
  thread float& operator[](int i) thread { return c[0][i]; }
  static constexpr bool less(float x, float y = 1 < 2) { return x < y; }
};
""")
    names = ["f", "Foo", "~Foo", "operatorU", "operator[]", "less"]
    assert [f.name for f in found.functions] == names
    assert all(f.body for f in found.functions)
    kernel = found.functions[0]
    assert kernel.kernel
    assert kernel.templates == {"T", "N"}
    assert [a.name for a in kernel.attributes] == ["host_name", "max_total_threads_per_threadgroup"]
    assert [(p.name, p.spaces, p.pointers, p.reference) for p in kernel.parameters] == [
        ("x", ("device",), 1, False), ("n", ("constant",), 0, True), ("t", ("threadgroup",), 1, False),
        ("i", (), 0, False),
    ]  # fmt: skip
    assert [a.name for p in kernel.parameters for a in p.attributes] == ["buffer", "buffer", "thread_position_in_grid"]
    assert "".join(kernel.parameters[0].words) == "metal::vec<T,4>"
    record = found.record("Foo")
    assert record is not None
    assert [(m.name, m.pointers, len(m.dimensions)) for m in found.members(record)] == [
        ("a", 0, 0), ("b", 1, 0), ("c", 0, 2),
    ]  # fmt: skip


def test_a_name_means_the_innermost_variable_that_is_declared_before_it():
    found = program("""
constant int n = 1;
void f(float n) {
  n;
  { uint n = 2; n; }
  for (int n = 0; n < 3; n++) n;
  auto g = [](half n) { return n; };
  n;
}
void h() { n; }
""")

    def type_at(number: int) -> str | None:
        i = at(found, "n", number)
        variable = found.variable("n", i)
        return None if variable is None else found.type_of(variable)

    assert [type_at(k) for k in (2, 4, 6, 8, 10, 11, 12)] == ["float", "uint", "int", "int", "half", "float", "int"]


def test_constant_expressions_have_values_where_their_parts_have():
    found = program("""
constant constexpr int N = 4, M = N * 2 + 1;
constant int given [[function_constant(0)]];
template <int T> void f() {
  constexpr uint k = sizeof(float4) * M;
  int a[k], b[T], c[given], d[N > 3 ? (1 << N) : 0], e[int(N) % 3], g[M >> 1], h[0x10u], i[sizeof(T)], j[N / 0];
}
""")
    sizes = {v.name: found.value(v.dimensions[0]) for v in found.variables if v.dimensions}
    assert sizes == {
        "a": 144, "b": None, "c": None, "d": 16, "e": 1, "g": 4, "h": 16, "i": None, "j": None,
    }  # fmt: skip


def test_types_have_one_name():
    for words, name in (
        ("unsigned int", "uint"), ("unsigned", "uint"), ("uint32_t", "uint"), ("metal :: uint", "uint"),
        ("unsigned long int", "ulong"), ("size_t", "ulong"), ("signed char", "char"), ("void", "void"),
        ("metal :: vec < float , 4 >", "float4"), ("packed_vec < uint8_t , 3 >", "packed_uchar3"),
        ("matrix < half , 2 , 4 >", "half2x4"), ("atomic < unsigned int >", "atomic_uint"),
        ("double", None), ("long long", None), ("vec < T , 4 >", None), ("Foo", None), ("", None),
    ):  # fmt: skip
        assert canonical(tuple(words.split())) == name


def test_an_alias_stands_for_its_type_where_there_is_only_one():
    found = program("""
struct P { float x; };
using real = float; typedef real number; typedef device float* pointer;
struct A { using type = int; }; struct B { using type = uint; };
template <typename T> using same = T;
void f() { number a; P b; A::type c; type d; pointer e; same<int> g; metal::float2 h; }
""")
    known = {v.name: found.type_of(v) for v in found.variables if v.role is Role.LOCAL}
    assert known == {
        "a": "float", "b": "struct P", "c": None, "d": None, "e": None, "g": None, "h": "float2",
    }  # fmt: skip


def test_short_expressions_have_address_spaces():
    found = program("""
void f(device float* d, constant float4& c, thread float a[2][3]) {
  threadgroup half t[4]; float x; device float* p[2]; auto y = d;
  g(d, d + 4, d[1], &d[1], *d, c, &c, a, a[0], &a[0][1], t, t[x], &x, x, p, p[0], y, d ? d : d, -x, d - d);
}
""")
    (call,) = [c for c in calls(found) if c.name == "g"]
    spaces = []
    for span in call.arguments:
        known = operand(found, span)
        spaces.append(None if known is None else (known.space, known.pointer))
    device = ("device", True)
    assert spaces == [
        device, device, ("device", False), device, ("device", False), ("constant", False), ("constant", True),
        ("thread", True), ("thread", True), ("thread", True), ("threadgroup", True), ("threadgroup", False),
        ("thread", True), ("thread", False), None, device, None, None, None, device,
    ]  # fmt: skip


def test_brackets_must_match():
    for text in ("f(", "f)", "f(]", "(" * 300 + ")" * 300):
        with pytest.raises(Unreadable):
            program(text)
