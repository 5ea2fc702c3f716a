"""Address spaces, threadgroup variables and function constants in C++."""

import pytest

from kernelwright.metal.language import tokenize, translate


def cpp(source: str, **options: object) -> str:
    text = " ".join(translate(tokenize(source), **options).text.split())  # type: ignore[arg-type]
    return text.replace(" ;", ";")


@pytest.mark.parametrize(
    ("metal", "expected"),
    [
        ("device float* f(thread int& x);", "float* f( int& x);"),
        ("constant float table[2] = {1, 2};", "const float table[2] = {1, 2};"),
        ("static constexpr constant int n = 3;", "static constexpr const int n = 3;"),
        ("void f(constant const int* p, const constant int& q);", "void f( const int* p, const int& q);"),
        ("void f() { auto p = (device uchar*)q; auto r = reinterpret_cast<threadgroup T*>(p); }",
         "void f() { auto p = ( uchar*)q; auto r = reinterpret_cast< T*>(p); }"),
        ("struct S { int get() const device { return 1; } };", "struct S { int get() const { return 1; } };"),
        ("struct S { int get() constant { return 1; } };", "struct S { int get() const { return 1; } };"),
        ("struct S { S(int a) constant : x(a) {} int x; };", "struct S { S(int a) : x(a) {} int x; };"),
        ("void f(coherent(device) device int* p);", "void f( int* p);"),
    ],
)  # fmt: skip
def test_address_spaces_vanish(metal: str, expected: str):
    assert cpp(metal) == expected


def conditions(source: str) -> list[int]:
    """The numbers in the conditions of switched-off overloads, in order."""
    parts = cpp(source).split("enable_if(")[1:]
    return [int(part.split()[0]) for part in parts]


def test_overloads_by_address_space_alone():
    source = "int f(device int* p) { return 1; } int f(threadgroup int* p) { return 1; } int f(thread int* q);"
    assert conditions(source) == [1, 2]
    assert '__attribute__((enable_if(1 < 0, "an overload for another address space"))) { return 1; }' in cpp(source)


@pytest.mark.parametrize(
    "source",
    [
        "int f(device int* p); int f(constant int* p);",  # const is a difference in C++ too
        "int f(device int* p); int f(device int* p) { return 1; }",  # a declaration and its definition
        "int f(device int* p); int f(device float* p); int f(device int* p, int n);",
        "struct A { int f(device int* p); }; struct B { int f(thread int* p); };",
        "template <int N> int f(device int* p); template <class T> int f(thread int* p);",
    ],
)
def test_overloads_that_differ_otherwise(source: str):
    assert conditions(source) == []


def test_declarations_of_overloads_keep_their_numbers():
    source = "int f(device int* p); int f(thread int* p); int f(thread int* p) { return 1; } int f(device int*) {}"
    assert conditions(source) == [1, 1]


def test_const_and_constant_are_one():
    assert conditions("int f(device const int* p); int f(constant int* p);") == [1]
    assert conditions("int f(device T const* p); int f(constant T* p);") == [1]


def test_methods_and_constructors_by_address_space():
    source = """struct S {
  S() thread = default; S() device = default;
  template <class T> S(T x) thread : v(x) {} template <class T> S(T x) constant : v(x) {}
  operator int() const thread { return v; } operator int() const constant { return v; }
  int v;
};"""
    assert conditions(source) == [1, 1, 1]


def test_specialisations_by_address_space():
    text = cpp("template <class T> struct P; template <class T> struct P<device T*> { int a; }; "
               "template <class T> struct P<threadgroup T*> { int b; }; int after;")  # fmt: skip
    assert "int a" in text and "int b" not in text and text.endswith("int after;")


@pytest.mark.parametrize(
    ("metal", "expected"),
    [
        ("threadgroup float a;", "KW_THREADGROUP(float, , a);"),
        ("threadgroup float a[4][N + 1];", "KW_THREADGROUP(float, [4][N + 1], a);"),
        ("threadgroup float a[4], b[5];", "KW_THREADGROUP(float, [4], a); KW_THREADGROUP(float, [5], b);"),
        ("threadgroup unsigned int a[2];", "KW_THREADGROUP(unsigned int, [2], a);"),
        ("threadgroup atomic_uint a;", "KW_THREADGROUP(atomic_uint, , a);"),
        ("alignas(16) threadgroup half a[8];", "KW_THREADGROUP(half, [8], a);"),
        ("threadgroup alignas(16) half a[8];", "KW_THREADGROUP(half, [8], a);"),
        ("volatile threadgroup int a[8];", "KW_THREADGROUP(volatile int, [8], a);"),
        ("threadgroup int a = 0;", "KW_THREADGROUP(int, , a);"),
        ("threadgroup array<half, 4> a[f<1, 2>()];",
         "KW_THREADGROUP(KW_TYPE(array < half , 4 >), [(f < 1 , 2 > ( ))], a);"),
        ("threadgroup typename L::T a[L::size];", "KW_THREADGROUP(typename L :: T, [L :: size], a);"),
    ],
)  # fmt: skip
def test_threadgroup_variables(metal: str, expected: str):
    assert cpp(f"kernel void k(device int* x) {{ {metal} }}").split("{", 1)[1].startswith(f" {expected} }}")


@pytest.mark.parametrize(
    ("metal", "expected"),
    [
        ("threadgroup float* p = a;", "float* p = a;"),
        ("threadgroup float& r = a[0];", "float& r = a[0];"),
        ("threadgroup auto* p = a;", "auto* p = a;"),
        ("const threadgroup T* p = a;", "const T* p = a;"),
        ("f<threadgroup float*>(a);", "f< float*>(a);"),
        ("threadgroup float (*p)[4] = a;", "float (*p)[4] = a;"),
    ],
)
def test_pointers_to_threadgroup_memory_stay(metal: str, expected: str):
    text = cpp(f"kernel void k(device int* x) {{ {metal} }}")
    assert expected in text and "KW_THREADGROUP(" not in text.split("KW_KERNEL")[0]


@pytest.mark.parametrize(
    ("metal", "expected"),
    [
        ("c ? x : 0", "c ? x : decltype(kw::beside((x)))(0)"),
        ("c ? -1 : x[i]", "c ? decltype(kw::beside((x [ i ])))(-1) : x[i]"),
        ("f(c ? x : 0x10, 2)", "f(c ? x : decltype(kw::beside((x)))(0x10), 2)"),
        ("c ? *(device T*)p : 0", "c ? *( T*)p : decltype(kw::beside((* ( T * ) p)))(0)"),
        ("c ? 1 : 2", "c ? 1 : 2"),
        ("c ? x : 0u", "c ? x : 0u"),
        ("c ? x : 1 + y", "c ? x : 1 + y"),
        ("c ? x : 0.0", "c ? x : 0.0f"),
    ],
)
def test_integers_as_answers(metal: str, expected: str):
    assert cpp(f"void f(bfloat x) {{ auto r = {metal}; }}") == f"void f(bfloat x) {{ auto r = {expected}; }}"
    assert cpp("int f(int x) { return x ? x : 0; }") == "int f(int x) { return x ? x : 0; }"


def test_an_answer_that_is_a_choice_itself():
    text = cpp("bfloat f(bfloat x) { return a ? 2 : b ? x : 1; }")
    inner = "b ? x : decltype(kw::beside((x)))(1)"
    assert text.endswith(f": {inner}; }}")
    assert f"decltype(kw::beside(({inner})))(2)" in text


def test_choices_in_sizes_of_threadgroup_variables_are_integers_already():
    source = "kernel void f() { threadgroup bfloat a[N == 0 ? 1 : N]; }"
    assert "KW_THREADGROUP(bfloat, [N == 0 ? 1 : N], a); }" in cpp(source)


CONSTANTS = """constant bool causal [[function_constant(3)]];
constant float scale [[function_constant(4)]]; constant uint2 shape [[function_constant(5)]];
constant bool both = is_function_constant_defined(causal) && causal;
"""


def test_function_constants_without_values():
    assert cpp(CONSTANTS) == (
        "static constexpr bool kw_defined_causal = false; static constexpr const bool causal = static_cast<bool>(0); "
        "static constexpr bool kw_defined_scale = false; static constexpr const float scale = static_cast<float>(0); "
        "static constexpr bool kw_defined_shape = false; static constexpr const uint2 shape = static_cast<uint2>(0); "
        "const bool both = kw_defined_causal && causal;"
    )


def test_function_constants_by_name_and_index():
    text = cpp(CONSTANTS, constants={"causal": True, 4: 0.5})
    assert "kw_defined_causal = true; static constexpr const bool causal = static_cast<bool>(true);" in text
    assert "kw_defined_scale = true; static constexpr const float scale = static_cast<float>(0.5f);" in text
    assert "kw_defined_shape = false" in text


def test_infinite_and_unknown_values():
    text = cpp(CONSTANTS, constants={4: float("-inf")})
    assert "static_cast<float>(__builtin_bit_cast(float, 4286578688u))" in text
    with pytest.raises(ValueError, match="no function constant 9, 'missing'"):
        cpp(CONSTANTS, constants={"missing": 1, 9: 2})


def test_arguments_that_depend_on_a_function_constant():
    argument = "device int* x [[buffer(0), function_constant(m)]]"
    source = f"constant bool m [[function_constant(0)]]; kernel void k({argument}) {{}}"
    (kernel,) = translate(tokenize(source)).kernels
    assert kernel.arguments[0].kind == "buffer"
