"""Operators that are sums of products: matrix products, convolutions, and modules around them."""

import math

import torch
from torch.nn import functional as F

from accuracy.operators import Operator, Tensors, Way
from accuracy.rounding import bf16, fp16, plain, running_sum, split_product, tanh_gelu, tf32


def split_k(product: Way, number: int) -> Way:
    """The inner dimension in ``number`` pieces, their partial results added at the end."""

    def run(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        pieces = zip(a.chunk(number, -1), b.chunk(number, -2), strict=True)
        return torch.stack([product(x, y) for x, y in pieces]).sum(0)

    return run


def stepwise(step: int, to: Way = plain) -> Way:
    """A matrix product whose accumulator goes once over the inner dimension, rounded by ``to`` every ``step`` terms."""

    def run(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor | None = None
        for x, y in zip(a.split(step, -1), b.split(step, -2), strict=True):
            total = to(x @ y) if total is None else to(total + x @ y)
        assert total is not None
        return total

    return run


def strassen(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """One level of Strassen's seven products (even sizes)."""
    (a11, a12), (a21, a22) = (h.chunk(2, -1) for h in a.chunk(2, -2))
    (b11, b12), (b21, b22) = (h.chunk(2, -1) for h in b.chunk(2, -2))
    m1, m2, m3 = (a11 + a22) @ (b11 + b22), (a21 + a22) @ b11, a11 @ (b12 - b22)
    m4, m5, m6, m7 = a22 @ (b21 - b11), (a11 + a12) @ b22, (a21 - a11) @ (b11 + b12), (a12 - a22) @ (b21 + b22)
    return torch.cat([torch.cat([m1 + m4 - m5 + m7, m3 + m5], -1), torch.cat([m2 + m4, m1 - m2 + m3 + m6], -1)], -2)


def without_last(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a[..., :-1] @ b[..., :-1, :]


def tile_missing(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The inner dimension only up to the last full tile of 32 (a size that divides loses its last tile)."""
    end = (a.shape[-1] - 1) // 32 * 32
    return a[..., :end] @ b[..., :end, :]


MATMUL_WAYS: dict[str, Way] = {
    "split-K 8": split_k(torch.matmul, 8),
    "tiles of 16 in turn": stepwise(16),
    "transposed": lambda a, b: (b.mT @ a.mT).mT,
    "tf32x3": split_product(torch.matmul, 2, tf32),
    "bf16 in six products": split_product(torch.matmul, 3, bf16),
    "columns in halves": lambda a, b: torch.cat([a @ h for h in b.chunk(2, -1)], -1),
}
MATMUL_STRUCTURE: dict[str, Way] = {"last term left out": without_last, "last tile left out": tile_missing}
MATMUL_ACCUMULATORS: dict[str, Way] = {
    "bfloat16 accumulator": stepwise(16, bf16),
    "float16 accumulator": stepwise(16, fp16),
    "tf32 accumulator": stepwise(16, tf32),
}


def as_linear(way: Way) -> Way:
    return lambda x, w, b: way(x, w.mT) + b


def linear(name: str, after: Way, *, approximations: dict[str, tuple[float, Way]] | None = None) -> Operator:
    """A fused linear layer with an epilogue."""
    return Operator(
        name=name,
        family="product",
        sizes=((64, 256, 96), (33, 1000, 40)),
        inputs=lambda m, k, n, g: (g(m, k),),
        weights=lambda m, k, n, g: (g(n, k) / math.sqrt(k), g(n) * 0.1),
        reference=lambda x, w, b: after(F.linear(x, w, b)),
        honest={
            f"{n}, fused": lambda x, w, b, way=way: after(as_linear(way)(x, w, b)) for n, way in MATMUL_WAYS.items()
        }
        | {"bias in the accumulator": lambda x, w, b: after(torch.addmm(b, x, w.mT))},
        unfused={
            "product, bias, epilogue": lambda x, w, b: after(x @ w.mT + b),
            "split-K 4, partial sums rounded": lambda x, w, b: after(as_linear(split_k(torch.matmul, 4))(x, w, b)),
        },
        structure={n: lambda x, w, b, way=way: after(as_linear(way)(x, w, b)) for n, way in MATMUL_STRUCTURE.items()},
        accumulators={
            n: lambda x, w, b, way=way: after(as_linear(way)(x, w, b)) for n, way in MATMUL_ACCUMULATORS.items()
        },
        approximations=approximations or {},
    )


def im2col(x: torch.Tensor, w: torch.Tensor, product: Way = torch.matmul) -> torch.Tensor:
    """A 3×3 convolution with padding 1 as a matrix product."""
    columns = F.unfold(x, 3, padding=1)
    return product(w.flatten(1).expand(len(x), -1, -1), columns).unflatten(-1, x.shape[2:])


def winograd(m: int) -> Way:
    """Convolution F(m×m, 3×3) after Lavin and Gray (2016, arXiv:1509.09308), tiles of m + 2; m = 2 or 4."""
    if m == 2:
        b = [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]
        g = [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]
        a = [[1, 1, 1, 0], [0, 1, -1, -1]]
    else:
        b = [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
        g = [
            [1 / 4, 0, 0],
            [-1 / 6, -1 / 6, -1 / 6],
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [0, 0, 1],
        ]
        a = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    bt, gm, at = (torch.tensor(t, dtype=torch.float32) for t in (b, g, a))

    def run(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2:]
        rows, columns = -(-height // m), -(-width // m)
        padded = F.pad(x, (1, columns * m + 1 - width, 1, rows * m + 1 - height))
        tiles = padded.unfold(2, m + 2, m).unfold(3, m + 2, m)
        tiles = bt @ tiles @ bt.T
        kernels = gm @ w @ gm.T
        products = torch.einsum("nchwij,ocij->nohwij", tiles, kernels)
        back = at @ products @ at.T
        return back.permute(0, 1, 2, 4, 3, 5).flatten(4, 5).flatten(2, 3)[..., :height, :width]

    return run


def by_fft(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """The 3×3 convolution through a two-dimensional FFT."""
    height, width = x.shape[2:]
    size = (height + 2, width + 2)
    spectrum = torch.einsum("nchw,ochw->nohw", torch.fft.rfft2(x, s=size), torch.fft.rfft2(w.flip(2, 3), s=size))
    return torch.fft.irfft2(spectrum, s=size)[..., 1 : height + 1, 1 : width + 1]


def shifted(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """The 3×3 convolution as nine products with one tap each."""
    padded = F.pad(x, (1, 1, 1, 1))
    height, width = x.shape[2:]
    taps = [
        torch.einsum("nchw,oc->nohw", padded[..., i : i + height, j : j + width], w[..., i, j])
        for i in range(3)
        for j in range(3)
    ]
    return torch.stack(taps).sum(0)


def _conv(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return F.conv2d(x, w, padding=1)


def _tap_missing(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    cut = w.clone()
    cut[..., 2, 2] = 0
    return _conv(x, cut)


def _images(n: int, c: int, o: int, h: int, g: Way) -> Tensors:
    return (g(n, c, h, h),)


def _depthwise_by_taps(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    padded, size = F.pad(x, (1, 1, 1, 1)), x.shape[2:]
    total = torch.zeros_like(x)
    for i in range(3):
        for j in range(3):
            total = total + padded[..., i : i + size[0], j : j + size[1]] * w[:, 0, i, j, None, None]
    return total


def _transposed_by_scatter(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    n, _, h, _ = x.shape
    columns = torch.matmul(w.flatten(1).mT, x.flatten(2))
    return F.fold(columns, (2 * h + 1, 2 * h + 1), 3, stride=2).reshape(n, w.shape[1], 2 * h + 1, 2 * h + 1)


PRODUCTS = (
    Operator(
        "matmul",
        "product",
        sizes=((64, 512, 48), (32, 4096, 16), (96, 64, 96)),
        inputs=lambda m, k, n, g: (g(m, k), g(k, n)),
        reference=torch.matmul,
        honest=MATMUL_WAYS | {"Strassen, one level": strassen},
        unfused={"split-K 8, partial sums rounded": split_k(torch.matmul, 8)},
        structure=MATMUL_STRUCTURE,
        accumulators=MATMUL_ACCUMULATORS,
    ),
    Operator(
        "matmul of positives",
        "product",
        sizes=((64, 512, 48), (32, 4096, 16)),
        inputs=lambda m, k, n, g: (g(m, k).abs(), g(k, n).abs()),
        reference=torch.matmul,
        honest=MATMUL_WAYS,
        structure=MATMUL_STRUCTURE,
        accumulators=MATMUL_ACCUMULATORS,
    ),
    Operator(
        "batched matmul",
        "product",
        sizes=((8, 32, 128, 24), (3, 17, 300, 33)),
        inputs=lambda b, m, k, n, g: (g(b, m, k), g(b, k, n)),
        reference=torch.bmm,
        honest=MATMUL_WAYS,
        structure=MATMUL_STRUCTURE,
        accumulators=MATMUL_ACCUMULATORS,
    ),
    Operator(
        "matrix times vector",
        "product",
        sizes=((256, 1024), (64, 5000)),
        inputs=lambda m, k, g: (g(m, k), g(k)),
        reference=torch.mv,
        honest={
            "products, then sum": lambda a, v: (a * v).sum(1),
            "eight lanes": lambda a, v: running_sum(a * v, 1, plain),
            "tf32x3": lambda a, v: split_product(torch.matmul, 2, tf32)(a, v[:, None])[:, 0],
        },
        structure={"last term left out": lambda a, v: torch.mv(a[:, :-1], v[:-1])},
        accumulators={
            "bfloat16 accumulator": lambda a, v: running_sum(a * v, 1, bf16),
            "float16 accumulator": lambda a, v: running_sum(a * v, 1, fp16),
        },
    ),
    Operator(
        "Gram matrix",
        "product",
        sizes=((48, 256), (20, 2000)),
        inputs=lambda m, k, g: (g(m, k),),
        reference=lambda a: a @ a.T,
        honest={name: lambda a, way=way: way(a, a.T) for name, way in MATMUL_WAYS.items()},
        structure={name: lambda a, way=way: way(a, a.T) for name, way in MATMUL_STRUCTURE.items()},
        accumulators={name: lambda a, way=way: way(a, a.T) for name, way in MATMUL_ACCUMULATORS.items()},
    ),
    linear("linear", plain),
    linear("linear, ReLU", F.relu),
    linear("linear, GELU", F.gelu, approximations={"tanh GELU": (1.0, lambda x, w, b: tanh_gelu(F.linear(x, w, b)))}),
    Operator(
        "conv2d 3×3",
        "convolution",
        sizes=((4, 8, 16, 20), (2, 32, 8, 17)),
        inputs=_images,
        weights=lambda n, c, o, h, g: (g(o, c, 3, 3) / math.sqrt(9 * c),),
        reference=_conv,
        honest={
            "im2col": im2col,
            "im2col in tf32x3": lambda x, w: im2col(x, w, split_product(torch.matmul, 2, tf32)),
            "im2col, split-K 4": lambda x, w: im2col(x, w, split_k(torch.matmul, 4)),
            "Winograd F(2×2)": winograd(2),
            "Winograd F(4×4)": winograd(4),
            "FFT": by_fft,
            "nine shifted products": shifted,
        },
        unfused={"nine shifted products, each rounded": shifted},
        structure={"one tap left out": _tap_missing, "last channel left out": lambda x, w: _conv(x[:, :-1], w[:, :-1])},
        accumulators={
            "bfloat16 accumulator": lambda x, w: im2col(x, w, stepwise(9, bf16)),
            "float16 accumulator": lambda x, w: im2col(x, w, stepwise(9, fp16)),
        },
    ),
    Operator(
        "conv1d, dilated",
        "convolution",
        sizes=((4, 16, 12, 200), (2, 40, 24, 131)),
        inputs=lambda n, c, o, t, g: (g(n, c, t),),
        weights=lambda n, c, o, t, g: (g(o, c, 3) / math.sqrt(3 * c), g(o)),
        reference=lambda x, w, b: F.conv1d(x, w, b, dilation=2),
        honest={
            "three shifted products": lambda x, w, b: (
                sum(torch.einsum("nct,oc->not", x[..., 2 * k : x.shape[2] - 4 + 2 * k], w[..., k]) for k in range(3))
                + b[:, None]
            ),
            "channels in two halves": lambda x, w, b: (
                F.conv1d(x.chunk(2, 1)[0], w.chunk(2, 1)[0], dilation=2)
                + F.conv1d(x.chunk(2, 1)[1], w.chunk(2, 1)[1], b, dilation=2)
            ),
        },
        structure={"last channel left out": lambda x, w, b: F.conv1d(x[:, :-1], w[:, :-1], b, dilation=2)},
    ),
    Operator(
        "depthwise conv2d",
        "convolution",
        sizes=((2, 24, 24, 20), (1, 64, 64, 15)),
        inputs=_images,
        weights=lambda n, c, o, h, g: (g(c, 1, 3, 3) / 3,),
        reference=lambda x, w: F.conv2d(x, w, padding=1, groups=x.shape[1]),
        honest={"nine taps in turn": _depthwise_by_taps},
        structure={
            "corner taps left out": lambda x, w: _depthwise_by_taps(
                x, w * torch.tensor([[1.0, 1, 1], [1, 1, 1], [1, 1, 0]])
            )
        },
        accumulators={"bfloat16 sum of taps": lambda x, w: bf16(_depthwise_by_taps(x, w))},
    ),
    Operator(
        "conv_transpose2d",
        "convolution",
        sizes=((2, 16, 12, 10), (1, 48, 8, 9)),
        inputs=_images,
        weights=lambda n, c, o, h, g: (g(c, o, 3, 3) / math.sqrt(3 * c),),
        reference=lambda x, w: F.conv_transpose2d(x, w, stride=2),
        honest={"product, then scatter": _transposed_by_scatter},
        structure={
            "last channel left out": lambda x, w: F.conv_transpose2d(x[:, :-1], w[:-1], stride=2),
        },
    ),
    Operator(
        "conv3d",
        "convolution",
        sizes=((1, 6, 8, 9), (2, 12, 4, 7)),
        inputs=lambda n, c, o, h, g: (g(n, c, h, h, h),),
        weights=lambda n, c, o, h, g: (g(o, c, 3, 3, 3) / math.sqrt(27 * c),),
        reference=F.conv3d,
        honest={
            "three planes": lambda x, w: torch.stack(
                [
                    torch.stack([F.conv2d(x[:, :, d + k], w[:, :, k]) for k in range(3)]).sum(0)
                    for d in range(x.shape[2] - 2)
                ],
                2,
            )
        },
        structure={"last channel left out": lambda x, w: F.conv3d(x[:, :-1], w[:, :-1])},
    ),
)
