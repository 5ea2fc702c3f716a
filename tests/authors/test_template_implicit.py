"""Implicit-GEMM convolutions in the author ``templates``: which are found, what they compute, that tensor cores do."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from compiled_kit import compiled
from hypothesis import given
from hypothesis import strategies as st
from templates_kit import Answers, Case, error, interpreted
from torch import nn
from torch.nn import functional as F

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.templates import implicit
from kernelwright.authors.templates.author import Form, Written, write
from kernelwright.authors.templates.epilogue import Epilogue
from kernelwright.authors.templates.implicit import PLACES, Implicit
from kernelwright.authors.templates.windows import Windows


class Behind(nn.Module):
    """A convolution, and what else networks have there."""

    def __init__(self, layer: nn.Module, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.layer = layer
        self.function = function
        outputs, axes = layer.weight.shape[0], layer.weight.dim() - 2
        self.shift = nn.Parameter(torch.randn(outputs, *(1,) * axes))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(self, *inputs)


Function = Callable[..., torch.Tensor]
CASES: dict[str, tuple[Callable[[], nn.Module], Function, tuple[tuple[int, ...], ...]]] = {
    "1d": (lambda: nn.Conv1d(4, 12, 5, stride=2, padding=3), lambda m, x: torch.relu(m.layer(x)), ((3, 4, 51),)),
    "2d": (lambda: nn.Conv2d(3, 16, 3), lambda m, x: F.mish(m.layer(x)) - m.shift, ((2, 3, 13, 15),)),
    "2d, no bias": (lambda: nn.Conv2d(5, 20, (3, 2), bias=False), lambda m, x: m.layer(x) * 0.5, ((2, 5, 9, 14),)),
    "strides, padding and dilation": (
        lambda: nn.Conv2d(8, 24, (3, 5), stride=(2, 3), padding=(1, 4), dilation=(1, 2)),
        lambda m, x: m.layer(x),
        ((2, 8, 14, 25),),
    ),
    "3d": (lambda: nn.Conv3d(3, 17, (2, 3, 4), padding=(1, 0, 2)), lambda m, x: m.layer(x), ((2, 3, 4, 6, 9),)),
    "several steps and blocks": (lambda: nn.Conv2d(28, 130, 3), lambda m, x: m.layer(x), ((1, 28, 12, 11),)),
    "a residual": (
        lambda: nn.Conv2d(3, 16, 3, padding=1),
        lambda m, x, y: torch.tanh(m.layer(x)) + y,
        ((2, 3, 7, 9), (2, 16, 7, 9)),
    ),
    "factors for channels of images, and for places": (
        lambda: nn.Conv2d(3, 16, 3, padding=1),
        lambda m, x, s, t: m.layer(x) * s * t,
        ((2, 3, 7, 9), (2, 16, 1, 1), (2, 1, 7, 9)),
    ),
}
ANY = [(implicit, "FEWEST_ELEMENTS", 1)]


@pytest.fixture(scope="module", params=[False, True], ids=["exact", "tf32"])
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bool, Answers]:
    """Whether in tf32, and what came out."""
    torch.manual_seed(0)
    cases: dict[str, Case] = {}
    for name, (make, function, shapes) in CASES.items():
        inputs = [torch.randn(shape) * torch.exp2(torch.randint(-9, 9, shape).float()) for shape in shapes]
        cases[name] = Case.of(Behind(make(), function), inputs, ANY)
    folder = tmp_path_factory.mktemp("implicit")
    return request.param, interpreted(folder, cases, edit=_called, halves=request.param)


ROUNDED = (
    'tl.inline_asm_elementwise("cvt.rna.tf32.f32 $0, $1;", "=r,r", [x], dtype=tl.float32, is_pure=True, pack=1)',
    "((x.to(tl.int32, bitcast=True) + 4096) & -8192).to(tl.float32, bitcast=True)",
)
"""An instruction that the interpreter lacks, and the same in others."""


def _called(source: str) -> str:
    assert "implicit_1(" in source and ROUNDED[0] in source
    return source.replace(*ROUNDED).replace("libdevice.tanh(x)", "(1.0 - 2.0 / (1.0 + tl.exp(2.0 * x)))")


@pytest.mark.parametrize("name", CASES)
def test_patches_times_filters_are_the_convolution(name: str, answers: tuple[bool, Answers]) -> None:
    tf32, (answer, eager, exact) = answers[0], answers[1][name]
    assert answer.shape == eager.shape and answer.dtype is torch.float32 and answer.is_contiguous()
    allowed = 2.0**-11 if tf32 else 2 * error(eager, exact) + 2 * torch.finfo(torch.float32).eps
    assert error(answer, exact) <= allowed
    assert not tf32 or error(answer, exact) > 2.0**-18, "operands are rounded"


def found(layer: nn.Module, *shape: int) -> int:
    return len(implicit.find(capture(Behind(layer, lambda m, x: m.layer(x)), [torch.zeros(shape)]).graph))


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (nn.Conv2d(8, 64, 3, groups=2), (1, 8, 256, 256)),
        (nn.Conv2d(8, 64, 1), (1, 8, 256, 256)),
        (nn.Conv2d(64, 64, 3), (1, 64, 256, 256)),
        (nn.ConvTranspose2d(8, 64, 3), (1, 8, 256, 256)),
        (nn.Conv2d(8, 64, 3), (1, 8, 32, 32)),
    ],
    ids=["groups", "one tap", "long sums", "transposed", "small"],
)
def test_what_is_left_to_others(layer: nn.Module, size: tuple[int, ...]) -> None:
    assert found(nn.Conv2d(8, 64, 3), 1, 8, 256, 256) == 1
    assert found(layer, *size) == 0


def written_for(module: nn.Module, *shape: int, halves: bool) -> Written:
    captured = capture(module, [torch.zeros(shape)])
    written = write(Form(captured, captured.graph), halves=halves)
    assert written is not None
    return written


def test_one_product_is_enough_where_the_reference_is_in_tf32() -> None:
    module = nn.Sequential(nn.Conv2d(8, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3))
    both = written_for(module, 1, 8, 256, 256, halves=True)
    assert both.title == "implicit-GEMM convolutions in tf32 and half convolutions"
    assert "EXACT=False" in both.source and "EXACT=True" not in both.source
    assert "EXACT=True" in written_for(module, 1, 8, 256, 256, halves=False).source


def test_each_convolution_has_a_kernel_of_its_own() -> None:
    module = nn.Sequential(nn.Conv2d(8, 64, 3), nn.ReLU(), nn.Conv2d(64, 8, 3), nn.ReLU(), nn.Conv2d(8, 200, 5))
    written = written_for(module, 1, 8, 256, 256, halves=False)
    assert written.title == "implicit-GEMM convolutions"
    assert re.findall(r"def (implicit_\d+)\(", written.source) == ["implicit_1", "implicit_2"]
    assert re.findall(r"= (implicit_\d+)\(", written.source) == ["implicit_1", "implicit_2"]
    assert written.source.count("def nearest(") == 1


@given(
    st.integers(1, 30), st.integers(1, 400), st.integers(1, 9), st.tuples(*[st.integers(1, 40)] * 3),
    st.tuples(*[st.integers(1, 5)] * 3),
)  # fmt: skip
def test_blocks_cover_every_output(
    inputs: int, outputs: int, images: int, out: tuple[int, int, int], kernel: tuple[int, int, int]
) -> None:
    size = tuple(n + k - 1 for n, k in zip(out, kernel, strict=True))
    ones, none = (1, 1, 1), (0, 0, 0)
    windows = Windows(images * outputs, outputs, size, out, kernel, ones, none, ones)  # type: ignore[arg-type]
    for exact in (True, False):
        one = Implicit(1, inputs, outputs, windows, Epilogue(1, (), ()), exact)
        programs, second = one.grid
        assert second == images
        assert programs * PLACES * one.channels >= outputs * out[0] * out[1] * out[2]
        assert one.channels >= 16 and one.channels & (one.channels - 1) == 0
        assert implicit.LONGEST % one.depth == 0


@pytest.mark.parametrize("halves", [True, False], ids=["tf32", "exact"])
@pytest.mark.parametrize("outputs", [16, 64])
def test_tensor_cores_multiply_and_nothing_is_spilt(outputs: int, halves: bool, tmp_path: Path) -> None:
    module, inputs = Behind(nn.Conv2d(8, outputs, 3), lambda m, x: torch.relu(m.layer(x))), [torch.randn(1, 8, 34, 66)]
    _, (text,) = compiled(module, inputs, ANY, tmp_path, halves=halves)
    assert "cvt.rna.tf32" in text and ".local" not in text
    assert len(re.findall(r"(wgmma|mma)\S*\.f32\.tf32\.tf32", text)) >= (5 if halves else 15)


def test_each_thread_reads_one_place(tmp_path: Path) -> None:
    """So that what it reads of it, tap after tap, is at offsets that the compiler knows."""
    module, inputs = Behind(nn.Conv2d(8, 16, 3), lambda m, x: m.layer(x)), [torch.randn(1, 8, 34, 66)]
    _, (text,) = compiled(module, inputs, ANY, tmp_path, form="ttgir", halves=True)
    layouts = set(re.findall(r"tt\.load %patches\S*.*, (#\w+)>", text))
    assert len(layouts) == 1
    assert re.search(
        rf"{layouts.pop()} = #ttg.blocked<{{sizePerThread = \[1, 1\], threadsPerWarp = \[32, 1\], "
        r"warpsPerCTA = \[4, 1\]",
        text,
    )


def test_long_exact_sums_leave_the_tensor_cores(tmp_path: Path) -> None:
    """252 products do so once: one addition more for each output of a thread."""
    module, inputs = Behind(nn.Conv2d(28, 16, 3), lambda m, x: m.layer(x)), [torch.randn(1, 28, 34, 66)]
    additions: list[int] = []
    for longest in (implicit.LONGEST, 512):
        _, (text,) = compiled(module, inputs, [*ANY, (implicit, "LONGEST", longest)], tmp_path, halves=False)
        additions.append(len(re.findall(r"\tadd(?:\.rn)?\.f32", text)))
    assert additions[0] - additions[1] == PLACES * 16 // (32 * implicit.WARPS)
