"""Pooling and resampling of images and sequences."""

from fuzz_operators import Draw, Operator, Setting, Shape
from hypothesis import strategies as st


def _pooled(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) != 4 or min(shape[2:]) < 4:
        return None
    k = draw(st.integers(2, 3))
    s, p = draw(st.integers(1, 3)), draw(st.integers(0, k // 2))
    height, width = ((size + 2 * p - k) // s + 1 for size in shape[2:])
    return Setting((*shape[:2], height, width), {"k": k, "s": s, "p": p, "h": height, "wide": width})


def _ceiled(draw: Draw, shape: Shape) -> Setting | None:
    if len(shape) != 3 or shape[2] < 5:
        return None
    k, s = 3, 2
    length = -((k - shape[2]) // s) + 1
    return Setting((*shape[:2], length), {"missing": max(0, (length - 1) * s + k - shape[2])})


def _images(draw: Draw, shape: Shape) -> Setting | None:
    return Setting(shape[:2]) if len(shape) == 4 else None


def _doubled(draw: Draw, shape: Shape) -> Setting | None:
    return Setting((*shape[:2], 2 * shape[2], 2 * shape[3])) if len(shape) == 4 and shape[2] * shape[3] < 80 else None


_WINDOWS = """
    padded = F.pad(x, ($p,) * 4, value={fill})
    taps = [
        padded[:, :, i:, j:][:, :, : ($h - 1) * $s + 1 : $s, : ($wide - 1) * $s + 1 : $s]
        for i in range($k)
        for j in range({columns})
    ]
    return {end}
"""

OPERATORS = [
    Operator(
        "maximum pooling", _pooled, "F.max_pool2d(x, $k, $s, $p)",
        {
            "tap by tap": _WINDOWS.format(fill="-math.inf", columns="$k", end="torch.stack(taps).amax(0)"),
            "rows, then columns": "F.max_pool2d(F.max_pool2d(x, ($k, 1), ($s, 1), ($p, 0)), (1, $k), (1, $s), (0, $p))",
            "windows": """
                columns = F.unfold(F.pad(x, ($p,) * 4, value=-1e30), $k, stride=$s)
                columns = columns.reshape(*x.shape[:2], $k * $k, $h, $wide)
                return columns.amax(2)
            """,
        },
        {
            "padded with zeros": "F.max_pool2d(F.pad(x, ($p,) * 4), $k, $s)",
            "average": "F.avg_pool2d(x, $k, $s, $p)",
            "minimum": "-F.max_pool2d(-x, $k, $s, $p)",
            "last column of the window left out": _WINDOWS.format(
                fill="-math.inf", columns="$k - 1", end="torch.stack(taps).amax(0).clamp(min=-1e30)"
            ),
            "one to the right": "F.max_pool2d(x.roll(-1, -1), $k, $s, $p)",
        },
    ),
    Operator(
        "average pooling", _pooled, "F.avg_pool2d(x, $k, $s, $p)",
        {
            "tap by tap": _WINDOWS.format(fill="0", columns="$k", end="sum(taps) / ($k * $k)"),
            "depthwise convolution": """
                c = x.shape[1]
                ones = torch.full((c, 1, $k, $k), 1 / ($k * $k), dtype=x.dtype)
                return F.conv2d(x, ones, None, $s, $p, 1, c)
            """,
            "rows, then columns": "F.avg_pool2d(F.avg_pool2d(x, ($k, 1), ($s, 1), ($p, 0)), (1, $k), (1, $s), (0, $p))",
        },
        {
            "padding not counted": "F.avg_pool2d(x, $k, $s, $p, count_include_pad=False)",
            "edges repeated": 'F.avg_pool2d(F.pad(x, ($p,) * 4, mode="replicate"), $k, $s)',
            "maximum": "F.max_pool2d(x, $k, $s, $p)",
            "last column of the window left out": _WINDOWS.format(
                fill="0", columns="$k - 1", end="sum(taps) / ($k * $k)"
            ),
            "sum": "F.avg_pool2d(x, $k, $s, $p, divisor_override=1)",
            "one to the right": "F.avg_pool2d(x.roll(-1, -1), $k, $s, $p)",
        },
    ),
    Operator(
        "average pooling, rounded up", _ceiled, "F.avg_pool1d(x, 3, 2, ceil_mode=True)",
        {
            "sum by count": """
                ones = torch.ones_like(x)
                total = F.pad(x, (0, $missing)).unfold(-1, 3, 2).sum(-1)
                return total / F.pad(ones, (0, $missing)).unfold(-1, 3, 2).sum(-1)
            """,
        },
        {
            "last window padded with zeros": "F.pad(x, (0, $missing)).unfold(-1, 3, 2).mean(-1)",
            "rounded down": "F.pad(F.avg_pool1d(x, 3, 2), (0, 1 if $missing else 0))",
            "edge repeated": 'F.pad(x, (0, $missing), mode="replicate").unfold(-1, 3, 2).mean(-1)',
        },
    ),
    Operator(
        "global average", _images, "F.adaptive_avg_pool2d(x, 1).flatten(1)",
        {
            "mean": "x.mean((2, 3))",
            "rows, then columns": "x.mean(3).mean(2)",
            "product with ones": """
                flat = x.flatten(2)
                return flat @ torch.full((flat.shape[-1],), 1 / flat.shape[-1], dtype=x.dtype)
            """,
        },
        {
            "maximum": "F.adaptive_max_pool2d(x, 1).flatten(1)",
            "without the last row": "x[:, :, :-1].mean((2, 3))",
            "sum of the rows": "x.mean(3).sum(2)",
            "middle": "x[:, :, x.shape[2] // 2, x.shape[3] // 2].clone()",
        },
    ),
    Operator(
        "nearest neighbour, doubled", _doubled, 'F.interpolate(x, scale_factor=2, mode="nearest")',
        {
            "repeated": "x.repeat_interleave(2, 2).repeat_interleave(2, 3)",
            "expanded": "x[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2).flatten(4, 5).flatten(2, 3)",
        },
        {
            "tiled": "x.repeat(1, 1, 2, 2)",
            "bilinear": 'F.interpolate(x, scale_factor=2, mode="bilinear")',
            "one off": 'F.interpolate(x, scale_factor=2, mode="nearest").roll(1, 2)',
        },
        moves=True,
    ),
    Operator(
        "bilinear, doubled", _doubled, 'F.interpolate(x, scale_factor=2, mode="bilinear")',
        {
            "rows, then columns": """
                tall = F.interpolate(x, scale_factor=(2, 1), mode="bilinear")
                return F.interpolate(tall, scale_factor=(1, 2), mode="bilinear")
            """,
            "neighbours weighted": """
                for dim in (2, 3):
                    n = x.shape[dim]
                    before = x.index_select(dim, (torch.arange(n) - 1).clamp(min=0))
                    after = x.index_select(dim, (torch.arange(n) + 1).clamp(max=n - 1))
                    pair = torch.stack([0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after], dim + 1)
                    x = pair.flatten(dim, dim + 1)
                return x
            """,
        },
        {
            "corners aligned": 'F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)',
            "nearest": 'F.interpolate(x, scale_factor=2, mode="nearest")',
            "bicubic": 'F.interpolate(x, scale_factor=2, mode="bicubic")',
        },
    ),
]  # fmt: skip
