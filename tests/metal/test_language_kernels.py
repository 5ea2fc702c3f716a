"""Kernels: what they are called, what is bound to their arguments, and the lines that export them."""

import re

import pytest

from kernelwright.metal.contract import KernelSignature, Translation
from kernelwright.metal.language import SourceError, tokenize, translate


def translated(source: str) -> Translation:
    return translate(tokenize(source))


def only(source: str) -> KernelSignature:
    (kernel,) = translated(source).kernels
    return kernel


def exports(source: str) -> list[str]:
    """The KW_KERNEL lines."""
    return re.findall(r"KW_KERNEL\(.*\)", translated(source).text)


ADD = """kernel void add(device const float* a [[buffer(1)]], constant uint& n, threadgroup half* t [[threadgroup(0)]],
  uint2 at [[thread_position_in_grid]]) {
}"""


def test_a_kernel_and_its_arguments():
    kernel = only(ADD)
    assert (kernel.name, kernel.host_name, kernel.number, kernel.synchronises) == ("add", "add", 0, False)
    assert (kernel.place.line, kernel.place.column) == (1, 13)
    assert [(a.name, a.kind, a.index, a.type, a.address_space) for a in kernel.arguments] == [
        ("a", "buffer", 1, "device const float*", "device"),
        ("n", "buffer", 0, "constant uint&", "constant"),
        ("t", "threadgroup", 0, "threadgroup half*", "threadgroup"),
        ("at", "thread_position_in_grid", 0, "uint2", ""),
    ]


def test_the_export_names_the_function_with_its_type():
    assert exports(ADD) == [
        'KW_KERNEL(0, "add", static_cast<void (*)(const float * a , const uint & n , half * t , uint2 at)>(&add), 0, '
        "false, {KW_BUFFER, 1}, {KW_BUFFER, 0}, {KW_THREADGROUP, 0}, {KW_THREAD_POSITION_IN_GRID, 0})"
    ]


def test_lines_stay_where_they_were():
    source = "// one\n#pragma unroll\n" + ADD + "\nint last;\n"
    lines = translated(source).text.split("\n")
    assert len(lines) == source.count("\n") + 1
    assert lines[4].startswith("} KW_KERNEL(")
    assert lines[5] == "int last;"
    assert lines[1] == ""


@pytest.mark.parametrize(
    "source",
    [
        "kernel void k(device int* x) {}",
        "[[kernel]] void k(device int* x) {}",
        'extern "C" { kernel void k(device int* x) {} }',
        "namespace n { static inline [[kernel]] void k(device int* x) {} }",
        "[[kernel, max_total_threads_per_threadgroup(64)]] void k(device int* x) {}",
    ],
)
def test_ways_to_mark_a_kernel(source: str):
    kernel = only(source)
    assert kernel.name == "k"
    text = translated(source).text
    assert "kernel " not in text and "[[" not in text


def test_host_name_and_largest_threadgroup():
    kernel = only(
        'enum { most = 128 }; [[host_name("pre" "fix")]] kernel [[max_total_threads_per_threadgroup(most * 2)]] '
        "void k(device int* x) {}"
    )
    assert (kernel.name, kernel.host_name, kernel.max_threads) == ("k", "prefix", 256)


def test_the_largest_threadgroup_of_a_template():
    source = """constant int lanes = 32;
template <typename T, int M, int N = M * 2> [[kernel, max_total_threads_per_threadgroup(M * N * lanes)]]
void k(device T* x) {}
template [[host_name("a")]] kernel void k<float, 2, 3>(device float* x);
template [[host_name("b")]] kernel void k<float, 2>(device float* x);
"""
    assert [k.max_threads for k in translated(source).kernels] == [192, 256]
    assert "( 2 ) * ( 3 ) * lanes, false" in exports(source)[0]


def test_a_declaration_alone_is_no_kernel():
    result = translated("kernel void k(device int* x);")
    assert result.kernels == ()
    assert result.text == " void k( int* x);"


def test_buffers_take_the_lowest_free_numbers():
    kernel = only("""kernel void k(device int* a, device int* b [[buffer(0)]], device int* c,
                                   device int* d [[buffer(2)]], device int* e) {}""")
    assert [a.index for a in kernel.arguments] == [1, 0, 3, 2, 4]


def test_numbers_that_are_shared_with_the_host():
    kernel = only("enum Index { first = 3, second }; kernel void k(device int* a [[buffer(Index::second)]]) {}")
    assert kernel.arguments[0].index == 4


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("uint i", r"'i' needs an attribute such as \[\[thread_position_in_grid\]\]"),
        ("texture2d<float> t [[texture(0)]]", r"\[\[texture\]\] is not supported"),
        ("Vertex v [[stage_in]]", r"\[\[stage_in\]\] is not supported"),
        ("device int* x [[buffer(unknown)]]", r"the index of \[\[buffer\(unknown\)\]\] is not an integer"),
    ],
)
def test_arguments_that_nothing_can_be_bound_to(argument: str, message: str):
    with pytest.raises(SourceError, match=message):
        translated(f"kernel void k({argument}) {{}}")


def test_kernels_return_nothing():
    with pytest.raises(SourceError, match="kernel 'k' must return void"):
        translated("kernel int k(device int* x) { return 0; }")


def test_arguments_of_all_shapes():
    kernel = only(
        "kernel void k(constant int shape[4], threadgroup float (&tile)[32] [[threadgroup(0)]],"
        " device Node<float, 2>& n, ushort lane [[thread_index_in_simdgroup]], uint w [[thread_execution_width]]) {}"
    )
    assert [(a.name, a.kind) for a in kernel.arguments] == [
        ("shape", "buffer"),
        ("tile", "threadgroup"),
        ("n", "buffer"),
        ("lane", "thread_index_in_simdgroup"),
        ("w", "threads_per_simdgroup"),
    ]


TEMPLATE = """template <typename T, int N>
[[kernel]] void scale(device T* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {}
"""


@pytest.mark.parametrize(
    ("instantiation", "pointer"),
    [
        (
            'template [[host_name("scale_f")]] kernel void scale<float, 2>(device float* x, uint i);',
            "static_cast<void (*)(float * x , uint i)>(&scale < float , 2 >)",
        ),
        (
            'template [[host_name("scale_f")]] [[kernel]] decltype(scale<float, 2>) scale<float, 2>;',
            "(&scale < float , 2 >)",
        ),
        (
            "typedef decltype(scale<float, 2>) scale_t; "
            'template [[host_name("scale_f")]] kernel scale_t scale<float, 2>;',
            "(&scale < float , 2 >)",
        ),
    ],
)
def test_instantiations(instantiation: str, pointer: str):
    source = TEMPLATE + instantiation
    kernel = only(source)
    assert (kernel.name, kernel.host_name) == ("scale<float, 2>", "scale_f")
    assert [a.kind for a in kernel.arguments] == ["buffer", "thread_position_in_grid"]
    assert exports(source) == [
        f'KW_KERNEL(0, "scale_f", {pointer}, 0, false, {{KW_BUFFER, 0}}, {{KW_THREAD_POSITION_IN_GRID, 0}})'
    ]
    assert "template [[" not in translated(source).text


def test_an_instantiation_before_the_definition_and_from_outside():
    source = """namespace a { namespace b {
template <typename T> kernel void f(device T* x, uint i);
}}
template [[host_name("f_half")]] kernel void ::a::b::f<half>(device half * x, uint i);
namespace a { namespace b {
template <typename T> kernel void f(device T* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {}
}}
"""
    kernel = only(source)
    assert kernel.name == "::a::b::f<half>"
    assert "(&:: a :: b :: f < half >)" in translated(source).text
    assert [a.kind for a in kernel.arguments] == ["buffer", "thread_position_in_grid"]


def test_a_template_without_instantiations_exports_nothing():
    assert translated(TEMPLATE).kernels == ()


def test_without_a_host_name_the_instantiation_is_called_what_it_is():
    assert only(TEMPLATE + "template [[kernel]] decltype(scale<half, 1>) scale<half, 1>;").host_name == "scale<half, 1>"


def test_other_instantiations_stay():
    text = translated("template <class T> T f(T a) { return a; }\ntemplate float f<float>(float);").text
    assert "template float f<float>(float);" in text


def test_an_instantiation_of_nothing():
    with pytest.raises(SourceError, match="no kernel template 'f' is defined"):
        translated('template [[host_name("x")]] kernel void f<float>(device float* x);')


def test_kernels_are_numbered_in_the_order_of_the_program():
    more = """
template [[host_name("a")]] [[kernel]] decltype(scale<float, 1>) scale<float, 1>;
kernel void b(device int* x) {}
template [[host_name("c")]] [[kernel]] decltype(scale<float, 3>) scale<float, 3>;
"""
    assert [(k.host_name, k.number) for k in translated(TEMPLATE + more).kernels] == [("a", 0), ("b", 1), ("c", 2)]
