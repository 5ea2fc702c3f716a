"""The ground the translation stands on: literals, brackets, attributes, integers, declarations."""

import pytest

from kernelwright.metal.language import SourceError, tokenize
from kernelwright.metal.language.attributes import Attributes
from kernelwright.metal.language.declarations import Class, Function, Instantiation, declarations
from kernelwright.metal.language.grammar import Code, spell
from kernelwright.metal.language.integers import evaluate, named_integers
from kernelwright.metal.language.literals import as_cpp


def code(source: str) -> Code:
    return Code(tokenize(source))


@pytest.mark.parametrize(
    ("metal", "cpp"),
    [
        ("1.0", "1.0f"),
        (".5", ".5f"),
        ("1.", "1.f"),
        ("1e-3", "1e-3f"),
        ("1.5F", "1.5f"),
        ("0x1.8p3", "0x1.8p3f"),
        ("1.0h", "1.0f16"),
        ("2.5H", "2.5f16"),
        ("1h", "1.0f16"),
        ("0x1p-14h", "0x1p-14f16"),
        ("1.0bf", "bfloat(1.0f)"),
        ("3BF", "bfloat(3.0f)"),
        ("7", "7"),
        ("7u", "7u"),
        ("0xff", "0xff"),
        ("0xbf", "0xbf"),
        ("0b101", "0b101"),
        ("9223372036854775807l", "9223372036854775807l"),
    ],
)
def test_literals(metal: str, cpp: str):
    assert as_cpp(metal) == cpp


def test_brackets_are_matched_and_named_when_they_are_not():
    c = code("a(b[c]{d})")
    assert c.match[1] == len(c) - 1
    assert c.enclosing[c.texts.index("c")] == c.texts.index("[")
    with pytest.raises(SourceError, match=r"program.metal:2:3: '\(' is never closed"):
        code("a\n+ (b")
    with pytest.raises(SourceError, match="closes nothing"):
        code("a } b")


def test_template_lists_and_comparisons():
    c = code("f<g<1>, (2 > 3)> x; a < b; c > d;")
    assert c.angle_close(c.texts.index("<")) == c.texts.index("x") - 1
    assert c.angle_close(c.texts.index("a") + 1) is None
    assert c.angle_open(c.texts.index("x") - 1) == 1
    for source in (
        "template <class T, enable_if_t<sizeof(T) < 8, bool> = true> f",
        "template <int N, If<N < 8> = 0> f",
    ):
        c = code(source)
        assert c.angle_close(1) == len(c) - 2


def test_split_at_commas_outside_brackets():
    c = code("map<int, 2> a, b = f(1, 2), c[g<3, 4>]")
    assert [c.spelled(*part) for part in c.split(0, len(c))] == ["map<int, 2> a", "b = f(1, 2)", "c[g<3, 4>]"]
    assert c.split(0, 0) == []


@pytest.mark.parametrize(
    ("tokens", "line"),
    [
        ("device const float *", "device const float*"),
        ("foo < half , 4 >", "foo<half, 4>"),
        ("metal :: vec < float , 4 > &", "metal::vec<float, 4>&"),
        ("f < - 1 >", "f<-1>"),
    ],
)
def test_spelling(tokens: str, line: str):
    assert spell(tokens.split()) == line


def test_attributes_leave_the_program_and_keep_their_place():
    tokens = tokenize('uint i [[thread_position_in_grid]], [[host_name("a" "b"), kernel]] void f();')
    found = Attributes(tokens)
    assert found.code.texts[:4] == ["uint", "i", ",", "void"]
    assert [a.name for a in found.by_gap[2]] == ["thread_position_in_grid"]
    assert [(a.name, a.arguments) for a in found.by_gap[3]] == [("host_name", ('"a"', '"b"')), ("kernel", ())]
    assert found.by_gap[2][0].place.column == 10
    assert [a.name for a in found.within(0, 2)] == ["thread_position_in_grid"]


def test_attributes_of_cpp_stay():
    found = Attributes(tokenize("[[maybe_unused]] int a; [[clang::noinline]] void f();"))
    assert found.by_gap == {}
    assert "maybe_unused" in found.code.texts


def test_an_attribute_list_that_never_ends():
    with pytest.raises(SourceError, match=r"'\[\[' is never closed"):
        Attributes(tokenize("void f(int a [[buffer(0)]"))


def test_integers():
    source = "enum A { X, Y = 4, Z, }; constant constexpr int N = Z * 2; enum class B : uint { W = 0x10 };"
    known = named_integers(code(source))
    assert known == {"X": 0, "Y": 4, "Z": 5, "N": 10, "W": 16}
    assert evaluate(["(", "N", "+", "2", ")", "*", "3"], known) == 36
    assert evaluate(["B", "::", "W", "|", "1u"], known) == 17
    assert evaluate(["1", "+", "2", "*", "3", "-", "1", "<<", "1"], {}) == 12
    assert evaluate(["unknown"], known) is None
    assert evaluate(["1", "+"], known) is None
    assert evaluate([], known) is None


DECLARED = """
namespace a { namespace b {
template <typename T, int N = 4> struct Foo { Foo() : x(1), y{2} { start(); } T get() const { return x; } T x, y; };
template <typename T> struct Foo<T*, 1> : Base<T> {
  T operator()(T a) const { return a; } operator T() const { return 1; }
};
}}
enum class Kind { one, two = 2 };
constant float table[2] = {1.0, 2.0};
typedef void (*callback)(int);
using other = int (*)(float);
static_assert(sizeof(int) == 4, "");
template <typename T, metal::enable_if_t<(sizeof(T) > 2), bool> = true> inline T twice(T a) { return a + a; }
template <> inline half twice<half>(half a) { return a; }
float after(float a);
template float twice<float>(float);
auto tail(int a) -> decltype(a) { return a; }
"""


def test_declarations():
    c = code(DECLARED)
    found = list(declarations(c))
    names = [
        (type(d).__name__, c.texts[d.name] if not isinstance(d, Instantiation) else "", getattr(d, "owner", ""))
        for d in found
    ]
    assert names == [
        ("Function", "Foo", "Foo"),
        ("Function", "get", "Foo"),
        ("Class", "Foo", ""),
        ("Function", "operator", "Foo"),
        ("Function", "operator", "Foo"),
        ("Function", "twice", ""),
        ("Function", "twice", ""),
        ("Function", "after", ""),
        ("Instantiation", "", ""),
        ("Function", "tail", ""),
    ]
    functions = [d for d in found if isinstance(d, Function)]
    bodies = [c.spelled(*body) if (body := f.body(c)) else None for f in functions]
    assert bodies[0] == "{ start(); }"
    assert bodies[-1] == "{ return a; }"
    assert bodies[-2] is None
    assert [f.template for f in functions] == [False, False, False, False, True, True, False, False]
    assert isinstance(found[2], Class)
