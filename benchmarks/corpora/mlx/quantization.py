"""quantized and fp_quantized: weights of a few bits, a scale (and a bias) for each group, and products with them."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from corpora.answers import Answer
from corpora.cases import Case, launch
from corpora.mlx.names import C_NAMES

GROUP = 64
NO_BATCH = (0,) * 8


def cases() -> Iterator[Case]:
    for bits in (2, 3, 4, 5, 6, 8):
        yield _dequantize(bits)
    for bits in (4, 6, 8):
        yield _vector("qmv_fast", bits, torch.float32, rows=64, columns=512)
    yield _vector("qmv_fast", 4, torch.float16, rows=64, columns=512)
    yield _vector("qmv_fast", 4, torch.bfloat16, rows=64, columns=512)
    yield _vector("qmv", 4, torch.float32, rows=60, columns=320)
    yield _from_the_left()
    for dtype in (torch.float32, torch.float16):
        yield _matrix("qmm_t", 4, dtype)
    yield _matrix("qmm_t", 8, torch.float32)
    yield _matrix("qmm_n", 4, torch.float32)
    for bits in (4, 8):
        yield _quantize(bits)
    for mode in ("mxfp4", "nvfp4", "mxfp8"):
        yield _float_dequantize(mode)
        yield _float_vector(mode)
        yield _float_matrix(mode)


def _unpacked(packed: torch.Tensor, bits: int) -> torch.Tensor:
    """The numbers in rows of bytes: a stream of bits, the lowest first."""
    single = (packed[..., None] >> torch.arange(8, dtype=torch.uint8)) & 1
    groups = single.flatten(-2).unflatten(-1, (-1, bits)).long()
    return (groups << torch.arange(bits)).sum(-1)


class Weights:
    """Random numbers of a few bits with their scales and biases, as kernels read them and in float64."""

    def __init__(self, rows: int, columns: int, bits: int, dtype: torch.dtype):
        self.packed = torch.randint(0, 256, (rows, columns * bits // 8), dtype=torch.uint8)
        self.scales = (torch.rand(rows, columns // GROUP) / 10 + 0.01).to(dtype)
        self.biases = torch.randn(rows, columns // GROUP).to(dtype) / 10
        scale, bias = (x.double().repeat_interleave(GROUP, -1) for x in (self.scales, self.biases))
        self.exact = _unpacked(self.packed, bits) * scale + bias


def _dequantize(bits: int) -> Case:
    kernel, rows, columns = f"affine_dequantize_float_gs_{GROUP}_b_{bits}", 6, 256
    each = 8 if bits in (3, 5) else 4 if bits == 6 else 8 // bits

    def run(library: Any) -> Iterable[Answer]:
        weights, out = Weights(rows, columns, bits, torch.float32), torch.zeros(rows, columns)
        threads = rows * columns // each
        getattr(library, kernel)(
            weights.packed, weights.scales, weights.biases, out, threads=[threads, 1], group_size=[32, 1]
        )
        yield Answer(out, weights.exact)

    return Case("quantized.metal", (kernel,), f"{rows}x{columns}", run)


def _vector(which: str, bits: int, dtype: torch.dtype, rows: int, columns: int) -> Case:
    kernel, vectors = f"affine_{which}_{C_NAMES[dtype]}_gs_{GROUP}_b_{bits}_batch_0", 2

    def run(library: Any) -> Iterable[Answer]:
        weights, x = Weights(rows, columns, bits, dtype), torch.randn(vectors, columns).to(dtype)
        out = torch.zeros(vectors, rows, dtype=dtype)
        launch(getattr(library, kernel), [vectors, -(-rows // 8), 1], [32, 2, 1], weights.packed, weights.scales,
               weights.biases, x, out, columns, rows, *NO_BATCH)  # fmt: skip
        yield Answer(out, x.double() @ weights.exact.t())

    return Case("quantized.metal", (kernel,), f"{vectors} by {rows}x{columns}", run)


def _from_the_left() -> Case:
    kernel, vectors, rows, columns = f"affine_qvm_float_gs_{GROUP}_b_4_batch_0", 2, 96, 128

    def run(library: Any) -> Iterable[Answer]:
        weights, x, out = (
            Weights(rows, columns, 4, torch.float32),
            torch.randn(vectors, rows),
            torch.zeros(vectors, columns),
        )
        launch(getattr(library, kernel), [vectors, columns // 64, 1], [32, 2, 1], weights.packed, weights.scales,
               weights.biases, x, out, rows, columns, *NO_BATCH)  # fmt: skip
        yield Answer(out, x.double() @ weights.exact)

    return Case("quantized.metal", (kernel,), f"{vectors} by {rows}x{columns}", run)


def _matrix(which: str, bits: int, dtype: torch.dtype) -> Case:
    aligned = "_alN_true" if which == "qmm_t" else ""
    kernel, m, n, k = f"affine_{which}_{C_NAMES[dtype]}_gs_{GROUP}_b_{bits}{aligned}_batch_0", 45, 64, 128

    def run(library: Any) -> Iterable[Answer]:
        rows, columns = (n, k) if which == "qmm_t" else (k, n)
        weights, x, out = (
            Weights(rows, columns, bits, dtype),
            torch.randn(m, k).to(dtype),
            torch.zeros(m, n, dtype=dtype),
        )
        launch(getattr(library, kernel), [n // 32, -(-m // 32), 1], [32, 2, 2], weights.packed, weights.scales,
               weights.biases, x, out, k, n, m, *NO_BATCH)  # fmt: skip
        exact = weights.exact.t() if which == "qmm_t" else weights.exact
        # weights are rounded to the narrow type before they are multiplied
        yield Answer(out, x.double() @ exact, 2.0)

    return Case("quantized.metal", (kernel,), f"{m}x{n}x{k}", run)


def _quantize(bits: int) -> Case:
    """There and back: no element may be off by more than half a step."""
    kernels = (f"affine_quantize_float_gs_{GROUP}_b_{bits}", f"affine_dequantize_float_gs_{GROUP}_b_{bits}")
    rows, columns, each = 5, 256, 8 // bits

    def run(library: Any) -> Iterable[Answer]:
        x, back = torch.randn(rows, columns), torch.zeros(rows, columns)
        packed = torch.zeros(rows, columns // each, dtype=torch.uint8)
        scales, biases = torch.zeros(rows, columns // GROUP), torch.zeros(rows, columns // GROUP)
        quantize, dequantize = (getattr(library, kernel) for kernel in kernels)
        quantize(x, packed, scales, biases, threads=[x.numel() // (GROUP // 32), 1], group_size=[32, 1])
        dequantize(packed, scales, biases, back, threads=[packed.numel(), 1], group_size=[32, 1])
        step = scales.abs().repeat_interleave(GROUP, -1)
        # the last step of a group may be cut: its edge is moved onto a multiple of the scale
        yield Answer((back - x).abs() <= step * 1.01, torch.ones(rows, columns, dtype=torch.bool))
        yield Answer(((back - x).abs() <= step * 0.51).float().mean() > 0.95, torch.tensor(True))

    return Case("quantized.metal", kernels, f"{rows}x{columns} and back", run)


E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""What the 4 bits below the sign stand for: OCP Microscaling Formats Specification 1.0, 5.3.3."""


class FloatWeights:
    """Weights of 4 or 8 bits that are floating-point themselves, each group with a scale of 8 bits."""

    def __init__(self, rows: int, columns: int, mode: str):
        self.bits = 8 if mode == "mxfp8" else 4
        self.group = 16 if mode == "nvfp4" else 32
        values = torch.randn(rows, columns) * 2
        if self.bits == 8:
            eight = values.to(torch.float8_e4m3fn)
            self.packed, exact = eight.view(torch.uint8), eight.double()
        else:
            codes = torch.randint(0, 16, (rows, columns), dtype=torch.uint8)
            self.packed = codes[:, ::2] | codes[:, 1::2] << 4
            table = torch.tensor([*E2M1, *(-value for value in E2M1)], dtype=torch.float64)
            exact = table[codes.long()]
        shape = rows, columns // self.group
        if mode == "nvfp4":
            scale = (torch.rand(shape) + 0.1).to(torch.float8_e4m3fn)
            self.scales, scale = scale.view(torch.uint8), scale.double()
        else:  # a power of two: E8M0
            self.scales = torch.randint(124, 130, shape).to(torch.uint8)
            scale = 2.0 ** (self.scales.double() - 127)
        self.exact = exact * scale.repeat_interleave(self.group, -1)

    @property
    def name(self) -> str:
        return f"gs_{self.group}_b_{self.bits}"


def _parts(mode: str) -> str:
    return FloatWeights(1, 32, mode).name


def _float_dequantize(mode: str) -> Case:
    kernel, rows, columns = f"{mode}_dequantize_float_{_parts(mode)}_hgs_false", 4, 128

    def run(library: Any) -> Iterable[Answer]:
        weights, out = FloatWeights(rows, columns, mode), torch.zeros(rows, columns)
        arguments = (weights.packed, weights.scales, torch.ones(1), out)
        getattr(library, kernel)(*arguments, threads=[weights.packed.numel(), 1], group_size=[64, 1])
        yield Answer(out, weights.exact)

    return Case("fp_quantized.metal", (kernel,), f"{rows}x{columns}", run)


def _float_vector(mode: str) -> Case:
    kernel, vectors, rows, columns = f"{mode}_qmv_fast_float_{_parts(mode)}_batch_0", 2, 64, 512

    def run(library: Any) -> Iterable[Answer]:
        weights, x, out = FloatWeights(rows, columns, mode), torch.randn(vectors, columns), torch.zeros(vectors, rows)
        launch(getattr(library, kernel), [vectors, rows // 8, 1], [32, 2, 1], weights.packed, weights.scales,
               torch.ones(1), x, out, columns, rows, *NO_BATCH[:7])  # fmt: skip
        yield Answer(out, x.double() @ weights.exact.t())

    return Case("fp_quantized.metal", (kernel,), f"{vectors} by {rows}x{columns}", run)


def _float_matrix(mode: str) -> Case:
    kernel, m, n, k = f"{mode}_qmm_t_float_{_parts(mode)}_alN_true_batch_0", 45, 64, 128

    def run(library: Any) -> Iterable[Answer]:
        weights, x, out = FloatWeights(n, k, mode), torch.randn(m, k), torch.zeros(m, n)
        launch(getattr(library, kernel), [n // 32, -(-m // 32), 1], [32, 2, 2], weights.packed, weights.scales, x, out,
               k, n, m, *NO_BATCH[:7])  # fmt: skip
        yield Answer(out, x.double() @ weights.exact.t())

    return Case("fp_quantized.metal", (kernel,), f"{m}x{n}x{k}", run)
