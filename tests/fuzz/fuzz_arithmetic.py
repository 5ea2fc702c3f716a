"""Arithmetic with numbers, with weights by column and with a second operand, and comparisons."""

from collections.abc import Callable

from fuzz_activations import as_it_is, bounds, eighths, slope
from fuzz_operators import Draw, Operator, Setting, Shape, Weight


def _two_numbers(draw: Draw, shape: Shape) -> Setting:
    return Setting(shape, {"a": draw(eighths(5, 14)), "c": draw(eighths(2, 14))})


def _column(kind: str) -> Callable[[Draw, Shape], Setting]:
    def setting(draw: Draw, shape: Shape) -> Setting:
        return Setting(shape, weights={"w": Weight(kind, shape[-1:])})

    return setting


ARITHMETIC = [
    Operator(
        "scale and shift", _two_numbers, "x * $a + $c",
        {
            "added to the number": "torch.add(x.new_tensor($c), x, alpha=$a)",
            "in place": "return x.mul($a).add_($c)",
            "quotient": "x / (1 / $a) + $c",
        },
        {
            "shift first": "(x + $c) * $a",
            "shift subtracted": "x * $a - $c",
            "shift left out": "x * $a",
            "scale off by a thousandth": "x * ($a * 1.001) + $c",
        },
    ),
    Operator(
        "chain of numbers", _two_numbers, "((x - $c) * $a + 1) / 3",
        {
            "folded": "x * ($a / 3) + (1 - $a * $c) / 3",
            "reciprocal": "((x - $c) * $a + 1) * (1 / 3)",
            "two steps": "x * ($a / 3) - ($c * $a / 3 - 1 / 3)",
        },
        {
            "one added last": "(x - $c) * $a / 3 + 1",
            "quarter": "((x - $c) * $a + 1) / 4",
            "scaled first": "(x * $a - $c + 1) / 3",
        },
    ),
    Operator(
        "column weights", _column("scale"), "x * w",
        {
            "reordered": "w * x",
            "einsum": 'torch.einsum("...k,k->...k", x, w)',
            "in place": "return x.clone().mul_(w)",
        },
        {
            "one column off": "x * w.roll(1)",
            "added": "x + w",
            "left out": "x.clone()",
            "quotient": "x / w",
            "reversed": "x * w.flip(0)",
        },
    ),
    Operator(
        "column shifts", _column("shift"), "x + w",
        {"expanded": "x + w.expand_as(x)", "from the weight": "torch.add(w, x)", "subtracted negative": "x - (-w)"},
        {
            "one column off": "x + w.roll(1)",
            "subtracted": "x - w",
            "left out": "x.clone()",
            "last one left out": "x + torch.cat([w[:-1], torch.zeros_like(w[:1])])",
        },
    ),
    Operator(
        "weighted sum", _two_numbers, "x + $a * y",
        {
            "alpha": "torch.add(x, y, alpha=$a)",
            "product first": "y * $a + x",
            "in place": "return x.clone().add_(y, alpha=$a)",
        },
        {
            "difference": "x - $a * y",
            "operands swapped": "y + $a * x",
            "factor left out": "x + y",
            "second left out": "x.clone()",
        },
        second=True,
    ),
    Operator(
        "difference", as_it_is, "x - y",
        {"negative added": "x + (-y)", "alpha": "torch.add(x, y, alpha=-1)", "negative of the other": "-(y - x)"},
        {"operands swapped": "y - x", "magnitude": "(x - y).abs()", "sum": "x + y"},
        second=True,
    ),
    Operator(
        "product", as_it_is, "x * y",
        {"reordered": "y * x", "einsum": 'torch.einsum("...,...->...", x, y)'},
        {"sum": "x + y", "first squared": "x * x", "magnitude": "(x * y).abs()", "quotient": "x / (1 + y.abs())"},
        second=True, grows=True,
    ),
    Operator(
        "guarded quotient", as_it_is, "x / (1 + y.abs())",
        {"reciprocal": "x * (1 + y.abs()).reciprocal()", "in place": "return x.div(y.abs().add_(1))"},
        {
            "operands swapped": "y / (1 + x.abs())",
            "another guard": "x / (1.001 + y.abs())",
            "square below": "x / (1 + y * y)",
            "sign of the divisor": "x / (1 + y.clamp(min=0))",
        },
        second=True,
    ),
    Operator(
        "gate", as_it_is, "x * torch.sigmoid(y)",
        {
            "quotient": "x / (1 + torch.exp(-y))",
            "by sign": "e = torch.exp(-y.abs())\nreturn x * (torch.where(y >= 0, torch.ones_like(y), e) / (1 + e))",
        },
        {
            "operands swapped": "y * torch.sigmoid(x)",
            "tanh": "x * torch.tanh(y)",
            "hard": "x * F.hardsigmoid(y)",
            "silu": "x * F.silu(y)",
        },
        second=True,
    ),
    Operator(
        "larger of two", as_it_is, "torch.maximum(x, y)",
        {
            "where": "torch.where(x > y, x, y)",
            "negatives": "-torch.minimum(-x, -y)",
            "stacked": "torch.stack([x, y]).amax(0)",
        },
        {
            "smaller": "torch.minimum(x, y)",
            "first": "x.clone()",
            "by magnitude": "torch.where(x.abs() > y.abs(), x, y)",
        },
        second=True,
    ),
    Operator(
        "interpolation", slope, "torch.lerp(x, y, $a)",
        {"weighted": "(1 - $a) * x + $a * y", "difference": "x + $a * (y - x)"},
        {
            "operands swapped": "torch.lerp(y, x, $a)",
            "another weight": "torch.lerp(x, y, $a * 1.01)",
            "sum": "x + $a * y",
        },
        second=True,
    ),
]  # fmt: skip

JUMPS = [
    Operator(
        "choice by sign", as_it_is, "torch.where(x > 0, x + 1, x - 1)",
        {
            "mask": "x + (2 * (x > 0).to(x.dtype) - 1)",
            "other way round": "torch.where(x <= 0, x - 1, x + 1)",
        },
        {
            "not strict": "torch.where(x >= 0, x + 1, x - 1)",
            "sign": "x + torch.sign(x)",
            "branches swapped": "torch.where(x > 0, x - 1, x + 1)",
        },
        jumps=True,
    ),
    Operator(
        "gate by comparison", as_it_is, "x * (x >= y)",
        {"where": "torch.where(x >= y, x, torch.zeros_like(x))", "negated": "x.masked_fill(x < y, 0)"},
        {
            "strict": "x * (x > y)",
            "operands swapped": "x * (y >= x)",
            "with a margin": "x * (x >= y + 0.01)",
        },
        second=True, jumps=True,
    ),
    Operator(
        "threshold", bounds, "F.threshold(x, $high, $low)",
        {"where": "torch.where(x > $high, x, x.new_tensor($low))", "fill": "x.masked_fill(x <= $high, $low)"},
        {
            "not strict": "torch.where(x >= $high, x, x.new_tensor($low))",
            "wrong bound": "F.threshold(x, $high + 0.0625, $low)",
            "wrong value": "F.threshold(x, $high, $low * 1.01)",
            "clamp": "x.clamp(min=$high)",
        },
        jumps=True,
    ),
    Operator(
        "rounding", as_it_is, "torch.floor(x * 2) / 2",
        {"remainder": "(x * 2 - torch.remainder(x * 2, 1)) * 0.5", "negative of ceil": "-torch.ceil(-x * 2) * 0.5"},
        {
            "nearest": "torch.round(x * 2) / 2",
            "towards zero": "torch.trunc(x * 2) / 2",
            "ceil": "torch.ceil(x * 2) / 2",
        },
        jumps=True,
    ),
]  # fmt: skip

OPERATORS = [*ARITHMETIC, *JUMPS]
