"""mul_mv, mul_mm, get_rows, set_rows, cpy: products with matrices, quantized ones too, and rows of them."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from corpora.answers import Answer
from corpora.cases import Case, ints, launch
from corpora.ggml.arguments import Arguments, Value, layout

FILE = "ggml-metal.metal"
BLOCK = 32
"""Numbers that share a scale in q4_0 and q8_0."""

NARROW = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def cases(arguments: Arguments) -> Iterator[Case]:
    for kind in NARROW:
        yield _vector(arguments, kind, columns=256, suffix="_4")
    yield _vector(arguments, "f16", columns=255, suffix="")
    for kind in ("q4_0", "q8_0"):
        yield _quantized_vector(arguments, kind)
        yield _get_rows(arguments, kind)
        yield _from_blocks(arguments, kind)
        yield _to_blocks(arguments, kind)
    for kind in ("f32", "f16", "q4_0", "q8_0"):
        yield _matrix(arguments, kind)
    yield _get_rows(arguments, "f16")
    yield _set_rows(arguments)
    for target in ("f16", "bf16"):
        yield _copy(arguments, target)


class Matrix:
    """A random matrix as ggml stores it, and in float64.

    q4_0: a half and 16 bytes with two numbers each, the first 16 of a block in the lower halves, 8 meaning 0. q8_0: a
    half and 32 signed bytes.
    """

    def __init__(self, kind: str, rows: int, columns: int):
        self.rows, self.columns = rows, columns
        if kind in NARROW:
            self.stored = torch.randn(rows, columns).to(NARROW[kind])
            self.exact = self.stored.double()
            return
        blocks = rows, columns // BLOCK
        scale = (torch.rand(*blocks, 1) / 10 + 0.01).half()
        if kind == "q4_0":
            numbers = torch.randint(0, 16, (*blocks, BLOCK), dtype=torch.uint8)
            packed = numbers[..., :16] | numbers[..., 16:] << 4
            self.exact = (numbers.double() - 8) * scale.double()
        else:
            signed = torch.randint(-127, 128, (*blocks, BLOCK), dtype=torch.int8)
            packed, self.exact = signed.view(torch.uint8), signed.double() * scale.double()
        self.stored = torch.cat([scale.view(torch.uint8), packed], -1).flatten(1).contiguous()
        self.exact = self.exact.flatten(1)

    @property
    def layout(self) -> dict[str, Value]:
        """As the kernel's first operand."""
        return layout(src0=self.stored) | {"ne00": self.columns}


def _dequantized(kind: str, stored: torch.Tensor) -> torch.Tensor:
    """Blocks of bytes as numbers, in float64."""
    size = 2 + (16 if kind == "q4_0" else 32)
    blocks = stored.unflatten(-1, (-1, size))
    scale, packed = blocks[..., :2].contiguous().view(torch.float16).double(), blocks[..., 2:].contiguous()
    if kind == "q4_0":
        return ((torch.cat([packed & 15, packed >> 4], -1).double() - 8) * scale).flatten(-2)
    return (packed.view(torch.int8).double() * scale).flatten(-2)


def _vector(arguments: Arguments, kind: str, columns: int, suffix: str) -> Case:
    kernel, rows, vectors, simdgroups = f"kernel_mul_mv_{kind}_f32{suffix}", 37, 3, 2

    def run(library: Any) -> Iterable[Answer]:
        matrix, x, out = Matrix(kind, rows, columns), torch.randn(vectors, columns), torch.zeros(vectors, rows)
        parameters = arguments.pack("mul_mv", **matrix.layout, **_of(x, out), nr0=2, r2=1, r3=1)
        launch(getattr(library, kernel), [-(-rows // 2), vectors, 1], [32, simdgroups, 1], parameters, matrix.stored,
               x, out, threadgroup_bytes={0: 32 * 4 * 2})  # fmt: skip
        yield Answer(out, x.double() @ matrix.exact.t())

    return Case(FILE, (kernel,), f"{rows}x{columns}, {vectors} vectors", run, _vector_constants(simdgroups))


def _of(x: torch.Tensor, out: torch.Tensor) -> dict[str, Value]:
    """The second operand and the answer."""
    return layout(src1=x, dst=out)


def _vector_constants(simdgroups: int) -> dict[str | int, bool | int | float]:
    return {"FC_mul_mv_nsg": simdgroups, "FC_mul_mv_ne12": 1, "FC_mul_mv_r2": 1, "FC_mul_mv_r3": 1}


def _quantized_vector(arguments: Arguments, kind: str) -> Case:
    kernel, rows, columns, vectors = f"kernel_mul_mv_{kind}_f32", 24, 320, 2
    each, simdgroups = (arguments.number(f"N_{what}_{kind.upper()}") for what in ("R0", "SG"))

    def run(library: Any) -> Iterable[Answer]:
        matrix, x, out = Matrix(kind, rows, columns), torch.randn(vectors, columns), torch.zeros(vectors, rows)
        parameters = arguments.pack("mul_mv", **matrix.layout, **_of(x, out), nr0=each, r2=1, r3=1)
        # the simdgroups of q8_0 share rows, those of q4_0 have rows of their own
        together = each if kind == "q8_0" else each * simdgroups
        launch(getattr(library, kernel), [-(-rows // together), vectors, 1], [32, simdgroups, 1], parameters,
               matrix.stored, x, out, threadgroup_bytes={0: 32 * 4 * each})  # fmt: skip
        yield Answer(out, x.double() @ matrix.exact.t())

    return Case(FILE, (kernel,), f"{rows}x{columns}, {vectors} vectors", run, _vector_constants(simdgroups))


def _matrix(arguments: Arguments, kind: str) -> Case:
    """In blocks of 64 rows and 32 vectors; operands are rounded to half on the way, those of f32 too.

    The number of rows is a multiple of 4: the kernel stores float4 at the start of each of the answer's rows.
    """
    kernel, rows, columns, vectors = f"kernel_mul_mm_{kind}_f32", 68, 96, 45

    def run(library: Any) -> Iterable[Answer]:
        matrix, x, out = Matrix(kind, rows, columns), torch.randn(vectors, columns), torch.zeros(vectors, rows)
        x = x.half().float()
        parameters = arguments.pack("mul_mm", **matrix.layout, **_of(x, out), r2=1, r3=1)
        launch(getattr(library, kernel), [-(-vectors // 32), -(-rows // 64), 1], [32, 4, 1], parameters, matrix.stored,
               x, out, threadgroup_bytes={0: 8192})  # fmt: skip
        yield Answer(out, x.double() @ matrix.exact.half().double().t())

    constants = {
        "FC_mul_mm_bc_inp": columns % 32 != 0, "FC_mul_mm_bc_out": True, "FC_mul_mm_ne12": 1, "FC_mul_mm_ne13": 1,
        "FC_mul_mm_r2": 1, "FC_mul_mm_r3": 1,
    }  # fmt: skip
    return Case(FILE, (kernel,), f"{rows}x{columns}, {vectors} vectors", run, constants)


def _get_rows(arguments: Arguments, kind: str) -> Case:
    kernel, rows, columns = f"kernel_get_rows_{kind}", 20, 128

    def run(library: Any) -> Iterable[Answer]:
        matrix, which = Matrix(kind, rows, columns), ints(3, 19, 0, 3, 7)
        out = torch.zeros(len(which), columns)
        each = columns if kind in NARROW else columns // 16
        parameters = arguments.pack("get_rows", **matrix.layout, **_of(which, out), ne00t=each)
        launch(getattr(library, kernel), [len(which), 1, 1], [each, 1, 1], parameters, matrix.stored, which, out)
        yield Answer(out, matrix.exact[which.long()])

    return Case(FILE, (kernel,), f"5 of {rows}x{columns}", run)


def _set_rows(arguments: Arguments) -> Case:
    kernel, rows, columns = "kernel_set_rows_f32_i32_f16", 20, 48

    def run(library: Any) -> Iterable[Answer]:
        x, which, out = torch.randn(4, columns), ints(3, 19, 0, 7), torch.zeros(rows, columns).half()
        known = layout(src0=x, src1=which, dst=out)
        parameters = arguments.pack("set_rows", **known, nk0=columns)
        launch(getattr(library, kernel), [4, 1, 1], [columns, 1, 1], parameters, x, which, out)
        want = torch.zeros(rows, columns).double()
        want[which.long()] = x.double()
        yield Answer(out, want)

    return Case(FILE, (kernel,), f"4 of {rows}x{columns}", run)


def _copy(arguments: Arguments, target: str) -> Case:
    kernel = f"kernel_cpy_f32_{target}"

    def run(library: Any) -> Iterable[Answer]:
        x = torch.randn(6, 50).t()
        out = torch.zeros(50, 6, dtype=NARROW[target])
        parameters = arguments.pack("cpy", **layout(src0=x, dst=out), nk0=6)
        launch(getattr(library, kernel), [50, 1, 1], [6, 1, 1], parameters, x, out)
        yield Answer(out, x.double())

    return Case(FILE, (kernel,), "50x6 transposed", run)


def _from_blocks(arguments: Arguments, kind: str) -> Case:
    kernel, rows, columns = f"kernel_cpy_{kind}_f32", 5, 128

    def run(library: Any) -> Iterable[Answer]:
        matrix, out = Matrix(kind, rows, columns), torch.zeros(rows, columns)
        each = columns // 16
        parameters = arguments.pack("cpy", **matrix.layout | layout(dst=out), nk0=each)
        launch(getattr(library, kernel), [rows, 1, 1], [each, 1, 1], parameters, matrix.stored, out)
        yield Answer(out, matrix.exact)

    return Case(FILE, (kernel,), f"{rows}x{columns}", run)


def _to_blocks(arguments: Arguments, kind: str) -> Case:
    """No element may be off by more than half a step, and by what the step lost when it became a half: 2^-11 of up to
    127 steps. q4_0 cuts the largest one off by up to a whole step."""
    kernel, rows, columns = f"kernel_cpy_f32_{kind}", 5, 128

    def run(library: Any) -> Iterable[Answer]:
        x, blocks = torch.randn(rows, columns), columns // BLOCK
        out = torch.zeros(rows, blocks * (34 if kind == "q8_0" else 18), dtype=torch.uint8)
        known = layout(src0=x, dst=out) | {"ne0": columns}
        parameters = arguments.pack("cpy", **known, nk0=blocks)
        launch(getattr(library, kernel), [rows, 1, 1], [blocks, 1, 1], parameters, x, out)
        largest = x.unflatten(-1, (-1, BLOCK)).abs().amax(-1, keepdim=True)
        step = (largest / (127 if kind == "q8_0" else 8)).expand(-1, -1, BLOCK).flatten(-2).double()
        errors = (_dequantized(kind, out) - x.double()).abs()
        yield Answer(errors <= step * (0.57 if kind == "q8_0" else 1.01), torch.ones(rows, columns, dtype=torch.bool))
        yield Answer((errors <= step * 0.51).double().mean() > 0.95, torch.tensor(True))

    return Case(FILE, (kernel,), f"{rows}x{columns} and back", run)
