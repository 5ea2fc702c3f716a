"""Clang's errors in the user's terms, and the limits of a dispatch."""

from kernelwright.metal import strict
from kernelwright.metal.contract import KernelSignature, Severity
from kernelwright.metal.language.tokens import Place
from kernelwright.metal.strict.explain import MOST_ERRORS, in_users_terms

CONVERSION = """\
program.metal:12:9: error: no viable conversion from 'metal::vec<float, 4>' to 'metal::half4' (aka 'vec<_Float16, 4>')
   12 |   half4 y = x;
      |         ^   ~
/site/kernelwright/metal/headers/kw_vector.h:40:3: note: candidate constructor not viable: no known conversion from \
'metal::vec<float, 4>' to '_Float16' for 1st argument
   40 |   KW_FUNC vec(T x)
      |           ^
/site/kernelwright/metal/headers/kw_vector.h:52:3: note: candidate template ignored: substitution failure
   52 |   KW_FUNC explicit vec(vec<U, 4> v)
      |           ^
1 error generated.
"""


def test_an_error_keeps_its_place_and_line_and_speaks_of_metals_types():
    (error,) = strict.explain(CONVERSION)  # candidates in our own headers help nobody
    assert error.severity is Severity.ERROR
    assert error.message == "no viable conversion from 'float4' to 'half4'"
    assert (error.place, error.text) == (Place("program.metal", 12, 9), "  half4 y = x;")


def test_a_function_of_the_library_that_does_not_fit_says_why_once():
    note = "/x/headers/kw_geometric.h:{}:3: note: candidate template ignored: disabled by 'enable_if' [with A = {}]\n"
    found = strict.explain(
        "a.metal:3:5: error: no matching function for call to 'dot'\n"
        + note.format(10, "float") + note.format(20, "float") + note.format(30, "_Float16")
        + "/x/headers/kw_geometric.h:40:1: note: candidate function\n"
        + "/x/headers/kw_geometric.h:41:1: note: candidate function template not viable: "
        "no known conversion from 'int' to 'const char *' for 2nd argument\n"
    )  # fmt: skip
    assert [d.message for d in found[1:]] == [
        "candidate template ignored: disabled by 'enable_if' [with A = float]",
        "candidate template ignored: disabled by 'enable_if' [with A = half]",
    ]
    assert {d.place for d in found} == {Place("a.metal", 3, 5)}


def test_errors_that_only_our_headers_show_follow_from_others():
    inner = "/x/headers/kw_types.h:83:10: error: size of '__builtin_bit_cast' source type differs\n"
    outer = "a.metal:4:7: error: static assertion failed due to requirement 'sizeof(T) == 4': as_type needs 4 bytes\n"
    assert [d.message for d in strict.explain(outer + inner)] == ["as_type needs 4 bytes"]
    assert len(strict.explain(inner)) == 1


def test_an_error_inside_our_headers_is_placed_where_the_user_led_to_it():
    found = strict.explain(
        "/x/headers/kw_math.h:9:3: error: static assertion failed: simd_sum takes no 64-bit type\n"
        "    9 |   static_assert(\n"
        "program.metal:4:10: note: in instantiation of function template specialization "
        "'metal::simd_sum<unsigned long>' requested here\n"
        "    4 |   x[0] = simd_sum(n);\n"
    )
    assert [str(d.place) for d in found] == ["program.metal:4:10"]
    assert found[0].text == "  x[0] = simd_sum(n);"
    assert "64-bit" in found[0].message


def test_notes_of_the_user_follow_their_error():
    found = strict.explain(
        "a.metal:9:3: error: redefinition of 'f'\na.metal:5:6: note: previous definition is at fault\nvoid f() {}\n"
        "a.metal:10:3: error: use of undeclared identifier 'y'\n  y = 1;\n  ^\n"
    )
    assert [(d.severity, d.place.line) for d in found] == [
        (Severity.ERROR, 9), (Severity.NOTE, 5), (Severity.ERROR, 10),
    ]  # fmt: skip
    assert [d.text for d in found] == ["", "void f() {}", "  y = 1;"]


def test_at_most_twenty_errors_are_kept():
    lines = [f"a.metal:{n}:1: error: unknown type name 'T{n}'" for n in range(1, 40)]
    found = strict.explain("\n".join([*lines, "fatal error: too many errors emitted, stopping now [-ferror-limit=]"]))
    assert len(found) == MOST_ERRORS
    assert found[-1].place.line == 20


def test_a_header_of_the_standard_library_is_named_with_its_section():
    missing = "a.metal:1:10: fatal error: 'vector' file not found\n    1 | #include <vector>\n"
    (found,) = strict.explain(missing)
    assert found.section == "1.5.4 Restrictions"
    assert "standard library" in found.message
    (own,) = strict.explain("a.metal:1:10: fatal error: 'sizes/mine.h' file not found\n")
    assert own.section == ""
    assert own.message == "there is no header <sizes/mine.h> here"


def test_closed_headers_of_apple_are_refused_by_name():
    name = "MetalPerformancePrimitives/MetalPerformancePrimitives.h"
    (found,) = strict.explain(f"a.metal:1:10: fatal error: '{name}' file not found\n")
    assert found.message.startswith("refused: this program uses Apple's MetalPerformancePrimitives")


def test_an_error_without_a_place_is_still_an_error():
    (found,) = strict.explain("ld.lld: error: undefined symbol: air_thing\n")
    assert found.message == "undefined symbol: air_thing"
    assert found.severity is Severity.ERROR


def test_no_errors_are_no_diagnostics():
    assert strict.explain("") == ()
    assert strict.explain("2 errors generated.\n") == ()


def test_internal_names_become_metals():
    said = in_users_terms(
        "cannot convert 'kw::bfloat' and 'metal::packed_vec<float, 3>' to 'metal::matrix<float, 4, 4>' "
        "or 'simdgroup_matrix<_Float16, 8, 8>' in c10::metal::max of 'unsigned int'"
    )
    assert said == (
        "cannot convert 'bfloat' and 'packed_float3' to 'float4x4' or 'simdgroup_half8x8' in c10::metal::max of 'uint'"
    )


def signature(max_threads: int = 0) -> KernelSignature:
    return KernelSignature("f<float>", "f_float", 0, (), True, Place("a.metal", 3, 1), max_threads)


def test_a_dispatch_within_the_limits_is_allowed():
    assert strict.check_launch(signature(), (32, 32, 1), 32768) is None
    assert strict.check_launch(signature(256), (256, 1, 1), 0) is None


def test_a_dispatch_beyond_a_limit_is_named_in_one_line():
    for group, limit, memory, words in (
        ((32, 33, 1), 0, 0, "32 × 33 × 1 = 1056 threads"),
        ((16, 17, 1), 256, 0, "max_total_threads_per_threadgroup(256)"),
        ((0, 1, 1), 0, 0, "no thread"),
        ((32, 1, 1), 0, 32769, "32769 bytes"),
    ):
        objection = strict.check_launch(signature(limit), group, memory)
        assert objection is not None
        assert objection.startswith("f_float: ")
        assert words in objection
        assert "\n" not in objection
