"""What compilers say comes back with the candidate's own lines: GCC, nvcc, NVRTC, ptxas, Triton, MLIR.

The texts in ``compiler_output`` are what the compilers wrote (g++ 12 and nvcc 13.0 through ``load_inline``, NVRTC 13.0
through ``torch.cuda._compile_kernel`` of torch 2.13), with paths shortened.
"""

import shutil
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

from kernelwright.judge import diagnostics
from kernelwright.judge.diagnostics import Place
from kernelwright.judge.diagnostics.literals import literals
from kernelwright.judge.feedback import from_error, source_line
from kernelwright.judge.worker.harness import MAX_TEXT, describe_error
from kernelwright.schema import Status

SAID = Path(__file__).parent / "compiler_output"

GCC = '''\
from torch.utils.cpp_extension import load_inline
S = r"""
#include <cmath>
float helper(float x) {
  float y = undeclared(x) + 1;
  return yy;
}
extern "C" void scale(float *x, long n) {
  for (long i = 0; i < n; i++) x[i] = helper(x[i])
}
"""
load_inline("broken", cpp_sources=S, no_implicit_headers=True, is_python_module=False)
'''
CUDA = '''\
from torch.utils.cpp_extension import load_inline
SOURCE = """
__global__ void gelu_kernel(const float *x, float *y, long n) {
    long i = blockIdx.x * 256L + threadIdx.x;
    if (i < n) y[i] = 0.5f * x[i] * (1.0f + erf_(x[i] * 0.70710678118654752f));
}
void gelu(float *x, long n) {
    gelu_kernel<<<1, 256>>>(x, x, m);
}
"""
load_inline("brokencuda", cpp_sources="void gelu(float *x, long n);", cuda_sources=SOURCE)
'''
NVRTC = '''\
import torch
SOURCE = r"""
extern "C" __global__ void gelu(const float *x, float *y, int n) {
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n) y[i] = 0.5f * x[i] * (1.0f + erff_(x[i] * 0.70710678118654752f));
    float z = x[i]
}
"""
kernel = torch.cuda._compile_kernel(SOURCE, "gelu")
'''
OVERLOAD = """\
import torch
SOURCE = (
    "__device__ float pick(float a, int b); __device__ float pick(int a, float *b);\\n"
    'extern "C" __global__ void gelu(float *y) { y[0] = pick(y, y, y); }'
)
kernel = torch.cuda._compile_kernel(SOURCE, "gelu")
"""


def told(output, source, kind="RuntimeError", causes=(), printed="", line=None):
    """The feedback for an error whose message is ``output``; it must be ``compile_failed``."""
    error = {"type": kind, "message": output, "causes": list(causes), "line": line, "traceback": ""}
    finding = from_error(error, "import", source, printed).finding
    assert finding.status is Status.COMPILE_FAILED, finding
    assert finding.feedback.startswith("compilation failed during import:\n")
    return finding.feedback.splitlines()[1:]


def said(name):
    return (SAID / f"{name}.txt").read_text()


def test_gcc_through_load_inline():
    assert told(said("load_inline_gcc"), GCC) == [
        "‘undeclared’ was not declared in this scope",
        "line 5 of the candidate (line 4 of main.cpp):",
        "     4 | float helper(float x) {",
        ">    5 |   float y = undeclared(x) + 1;",
        "       |             ^",
        "     6 |   return yy;",
        "also line 6 of the candidate (line 5 of main.cpp): ‘yy’ was not declared in this scope; did you mean ‘y’?",
        "also line 9 of the candidate (line 8 of main.cpp): expected ‘;’ before ‘}’ token",
    ]


def test_nvcc_through_load_inline():
    lines = told(said("load_inline_nvcc"), CUDA)
    assert lines[:2] == ['identifier "erf_" is undefined', "line 5 of the candidate (line 4 of cuda.cu):"]
    assert lines[3].startswith(">    5 |     if (i < n)")
    assert lines[4].index("^") == lines[3].index("erf_")
    assert lines[6:] == ['also line 8 of the candidate (line 7 of cuda.cu): identifier "m" is undefined']


def test_nvrtc():
    lines = told(said("nvrtc_undefined"), NVRTC, line=9)
    assert lines[:2] == ['identifier "erff_" is undefined', "line 5 of the candidate (line 4 of gelu.cu):"]
    assert lines[4].index("^") == lines[3].index("erff_")
    assert lines[6] == 'also line 7 of the candidate (line 6 of gelu.cu): expected a ";"'


def test_nvrtc_says_more_before_it_shows_the_line():
    lines = told(said("nvrtc_overload"), OVERLOAD)
    assert lines[0] == (
        'no instance of overloaded function "pick" matches the argument list '
        "argument types are: (float *, float *, float *)"
    )
    assert lines[1] == "line 4 of the candidate (line 2 of gelu.cu):"
    assert lines[4].index("^") == lines[3].index("pick(y, y, y)")


def test_errors_without_a_line_of_the_source():
    assert "the name of the kernel that was asked for" in told(said("nvrtc_kernel_name"), NVRTC)[0]
    assert told(said("nvrtc_shared_memory"), NVRTC) == [
        "ptxas error   : Entry function 'gelu' uses too much shared data (0x40000 bytes, 0xc000 max)"
    ]
    ptx = "ptxas /tmp/tmpxft_0000_6_bad.ptx, line 26; error   : Not a name of any known instruction: 'bogus'"
    assert told(f"Error building extension 'x': \n{ptx}", CUDA) == [ptx]
    fatal = "nvcc fatal   : Unsupported gpu architecture 'compute_20'"
    assert told(f"Error building extension 'x': FAILED: cuda.cuda.o\n{fatal}", CUDA) == [fatal]


def test_a_header_that_is_not_there():
    source = 'K = """\n#include <vector>\nextern "C" __global__ void k(float *y) {}\n"""\n'
    lines = told(said("nvrtc_header"), source)
    assert lines[:2] == ['cannot open source file "vector"', "line 2 of the candidate (line 1 of gelu.cu):"]


HEADERS = '''\
from torch.utils.cpp_extension import load_inline
SOURCE = """
__global__ void a(float *x) {
    wrong(x);
}
__global__ void b(float *x) {
    wrong(x);
}
"""
load_inline("k", cpp_sources="void a();", cuda_sources=SOURCE, functions=["a"])
'''


@pytest.mark.parametrize(("line", "row"), [(6, 4), (9, 7)])
def test_lines_that_load_inline_adds_are_taken_off(line, row):
    """Three of them before CUDA, and the string begins with an empty line."""
    shown = f'/tmp/k/cuda.cu({line}): error: identifier "wrong" is undefined\n      wrong(x);\n      ^\n'
    (diagnostic,) = diagnostics.read(shown)
    assert diagnostics.find(diagnostic, HEADERS) == Place(row, 4)
    bare = HEADERS.replace("functions=", "no_implicit_headers=True, functions=")
    (diagnostic,) = diagnostics.read(shown.replace(f"({line})", f"({line - 3})"))
    assert diagnostics.find(diagnostic, bare) == Place(row, 4)


@pytest.mark.parametrize("form", ["cuda.cu(6): error: it is wrong", "cuda.cu:6:5: error: it is wrong",
                                  "cuda.cu:6: error: it is wrong"])  # fmt: skip
def test_without_the_line_its_number_decides(form):
    (diagnostic,) = diagnostics.read(form)
    assert (diagnostic.message, diagnostic.text) == ("it is wrong", "")
    assert diagnostics.find(diagnostic, HEADERS) == Place(3 + 1, None)


def test_a_number_without_a_file_is_a_place_too():
    (diagnostic,) = diagnostics.read('(3): error: identifier "x" is undefined')
    assert (diagnostic.file, diagnostic.line) == ("", 3)
    assert diagnostics.find(diagnostic, 'S = """\nvoid f() {\n  x;\n}\n"""\n') == Place(3, None)


def test_a_line_that_is_nowhere_in_the_file_is_shown_as_the_compiler_does():
    shown = "/usr/include/c++/12/vector:7:9: error: no member\n    7 |     std::thing y;\n      |         ^~~~~\n"
    assert told(f"Error building extension 'x'\n{shown}", HEADERS) == ["no member", "line 7 of vector: std::thing y;"]


def test_nothing_that_a_compiler_would_say_falls_back_to_the_text():
    assert told("ninja: build stopped: disk full", HEADERS, line=10)[0] == "ninja: build stopped: disk full"


@pytest.mark.parametrize(
    ("source", "rows"),
    [
        ('x = 1\ns = """a\nb\nc"""\n', (2, 3, 4)),
        ('s = """\\\na\nb"""\n', (2, 3)),
        ('s = "a\\nb\\nc"\n', (1, 1, 1)),
        ('s = ("a\\n"\n     "b\\n"\n     "c")\n', (1, 2, 3)),
        ('s = r"""a\\n\nb"""\n', (1, 2)),
        ('s = "é" + f(r"""a\nb""")\n', (1, 2)),
    ],
)
def test_rows_of_a_string(source, rows):
    assert literals(source)[-1].rows == rows


def test_files_that_do_not_parse_have_no_strings():
    assert literals("def f(:\n") == ()
    assert literals('s = """') == ()


def test_the_caret_stands_below_its_column_behind_tabs():
    lines = source_line("a\n\tb = c\nd\n", 2, 5).splitlines()
    assert lines[1].index("c") == lines[2].index("^") and "\t" in lines[2]


def test_the_first_error_survives_a_flood():
    flood = "x.cu(1): warning: w\n" * 3000 + "x.cu(2): error: first\n" + "x.cu(3): warning: w\n" * 3000
    report = describe_error(RuntimeError(flood), "")
    assert len(report["message"]) <= MAX_TEXT and report["message"].startswith("x.cu(2): error: first")
    assert describe_error(RuntimeError("y" * 30_000), "")["message"] == "y" * MAX_TEXT


def test_out_of_resources_is_a_matter_of_compiling():
    text = (
        "out of resource: shared memory, Required: 262144, Hardware limit: 232448. "
        "Reducing block sizes or `num_stages` may help."
    )
    lines = told(text, NVRTC, kind="OutOfResources", line=9)
    assert "Required: 262144, Hardware limit: 232448" in lines[0]
    assert lines[2].startswith(">    9 |")


def test_mlir_names_the_candidates_own_lines():
    printed = "/tmp/candidate_0123.py:4:11: error: 'tt.dot' op expected the last dimension\n    y = tl.dot(a, b)\n"
    lines = told("PassManager::run failed", "import triton\n\n\n    y = tl.dot(a, b)\n", printed=printed)
    assert lines[1] == "line 4 of the candidate:"


TRITON = """
import triton
import triton.language as tl


@triton.jit
def helper(x):
    return x + undefined_name


@triton.autotune([triton.Config({})], key=[])
@triton.jit
def calls(x, n, B: tl.constexpr):
    at = tl.arange(0, B)
    tl.store(x + at,
             helper(tl.load(x + at)))


@triton.jit
def shapes(x, n, B: tl.constexpr):
    at = tl.arange(0, B)
    tl.store(x + at, at + tl.arange(0, 2 * B))


@triton.jit
def asserts(x, n, B: tl.constexpr):
    tl.static_assert(B > 1000, "B too small")


@triton.jit
def unsupported(x, n, B: tl.constexpr):
    xs = [i for i in range(4)]
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")
@pytest.mark.parametrize(
    ("function", "message", "line", "place"),
    [
        ("calls", "undefined_name is not defined", "    return x + undefined_name", "undefined_name"),
        ("shapes", "incompatible dimensions", "    tl.store(x + at, at + tl.arange(0, 2 * B))", "at + tl"),
        ("asserts", "B too small", '    tl.static_assert(B > 1000, "B too small")', "tl.static"),
        ("unsupported", "comprehension", "    xs = [i for i in range(4)]", "[i for"),
    ],
)
def test_triton(function, message, line, place, tmp_path):
    """Triton compiles for a GPU without one, as far as these errors."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    path = tmp_path / "triton_kernels.py"
    path.write_text(TRITON)
    space: dict[str, object] = {"__name__": "triton_kernels"}
    exec(compile(TRITON, str(path), "exec"), space)
    kernel = space[function]
    kernel = getattr(kernel, "fn", kernel) if function == "calls" else kernel
    source = ASTSource(fn=kernel, signature={"x": "*fp32", "n": "i32", "B": "constexpr"}, constexprs={(2,): 64})
    with pytest.raises(Exception) as raised:
        triton.compile(source, target=GPUTarget("cuda", 90, 32))
    report = describe_error(raised.value, str(path))
    lines = told(report["message"], TRITON, kind=report["type"], causes=report["causes"])
    assert message in lines[0]
    row = TRITON.splitlines().index(line) + 1
    assert lines[1].startswith(f"line {row} of the candidate")
    assert lines[3] == f"> {row:4} | {line}"
    assert lines[4].index("^") == lines[3].index(place)


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
def test_the_compiler_of_this_machine(tmp_path):
    import subprocess

    kernel = textwrap.dedent("""
        #include <cmath>
        float scale(float x) {
            return missing(x);
        }
    """)
    path = tmp_path / "main.cpp"
    path.write_text("#include <cstddef>\n" + kernel)
    command = ["g++", "-c", str(path), "-o", str(tmp_path / "o")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    source = f'x = 1\nSOURCE = """{kernel}"""\n'
    lines = told(f"Error building extension 'k': {ended.stderr}", source)
    assert "missing" in lines[0]
    assert lines[3] == ">    5 |     return missing(x);"
    assert lines[4].index("^") == lines[3].index("missing")
