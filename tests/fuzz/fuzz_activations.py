"""Functions of one value."""

from fuzz_operators import Draw, Operator, Setting, Shape
from hypothesis import strategies as st


def as_it_is(draw: Draw, shape: Shape) -> Setting:
    """Nothing to draw."""
    return Setting(shape)


def eighths(low: int, high: int) -> st.SearchStrategy[float]:
    """Numbers in eighths, between ``low`` and ``high`` eighths."""
    return st.integers(low, high).map(lambda k: k / 8)


def slope(draw: Draw, shape: Shape) -> Setting:
    """A number ``a`` between 0 and 1."""
    return Setting(shape, {"a": draw(eighths(1, 6))})


def bounds(draw: Draw, shape: Shape) -> Setting:
    """Two numbers, ``low`` below zero and ``high`` above it."""
    return Setting(shape, {"low": -draw(eighths(2, 10)), "high": draw(eighths(2, 10))})


OPERATORS = [
    Operator(
        "relu", as_it_is, "F.relu(x)",
        {
            "clamp": "x.clamp(min=0)",
            "where": "torch.where(x > 0, x, torch.zeros_like(x))",
            "half of the sum with its magnitude": "(x + x.abs()) * 0.5",
            "in place on a copy": "out = x.clone()\nout[out < 0] = 0\nreturn out",
        },
        {
            "leaky": "F.leaky_relu(x, 0.01)",
            "six at most": "F.relu6(x)",
            "magnitude": "x.abs()",
            "elu": "F.elu(x)",
            "gelu": "F.gelu(x)",
            "identity": "x.clone()",
        },
    ),
    Operator(
        "sigmoid", as_it_is, "torch.sigmoid(x)",
        {
            "reciprocal": "1 / (1 + torch.exp(-x))",
            "by sign": "e = torch.exp(-x.abs())\nreturn torch.where(x >= 0, 1 / (1 + e), e / (1 + e))",
            "exp2": "1 / (1 + torch.exp2(x * (-1 / math.log(2))))",
        },
        {
            "hard": "F.hardsigmoid(x)",
            "tanh without the half": "0.5 * (1 + torch.tanh(x))",
            "rational": "0.5 + 0.5 * x / (1 + x.abs())",
            "of the negative": "torch.sigmoid(-x)",
            "cut off at four": "torch.sigmoid(x.clamp(-4, 4))",
        },
    ),
    Operator(
        "tanh", as_it_is, "torch.tanh(x)",
        {
            "expm1": "t = torch.expm1(-2 * x.abs())\nreturn -t / (t + 2) * torch.sign(x)",
            "expm1 of both signs": "t = torch.expm1(2 * x.clamp(-20, 20))\nreturn t / (t + 2)",
        },
        {
            "hard": "F.hardtanh(x)",
            "softsign": "F.softsign(x)",
            "rational": "x * (27 + x * x) / (27 + 9 * x * x)",
            "cut off at two": "torch.tanh(x.clamp(-2, 2))",
            "arctangent": "torch.atan(x)",
            "identity": "x.clone()",
        },
    ),
    Operator(
        "gelu", as_it_is, "F.gelu(x)",
        {
            "erf": "0.5 * x * (1 + torch.erf(x / math.sqrt(2)))",
            "erfc": "0.5 * x * torch.erfc(x * -math.sqrt(0.5))",
            "in place": "out = x * math.sqrt(0.5)\nout.erf_().add_(1).mul_(x).mul_(0.5)\nreturn out",
        },
        {
            "tanh formula": 'F.gelu(x, approximate="tanh")',
            "quick": "x * torch.sigmoid(1.702 * x)",
            "silu": "F.silu(x)",
            "relu": "F.relu(x)",
        },
    ),
    Operator(
        "tanh gelu", as_it_is, 'F.gelu(x, approximate="tanh")',
        {
            "written out": "0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))",
            "sigmoid": "x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))",
        },
        {
            "erf": "F.gelu(x)",
            "without the cube": "0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * x))",
            "another constant": "0.5 * x * (1 + torch.tanh(0.8 * (x + 0.044715 * x * x * x)))",
        },
    ),
    Operator(
        "silu", as_it_is, "F.silu(x)",
        {
            "product": "x * torch.sigmoid(x)",
            "quotient": "x / (1 + torch.exp(-x))",
            "by sign": "e = torch.exp(-x.abs())\nreturn x * torch.where(x >= 0, torch.ones_like(x), e) / (1 + e)",
        },
        {
            "hard": "F.hardswish(x)",
            "mish": "F.mish(x)",
            "gelu": "F.gelu(x)",
            "another slope": "x * torch.sigmoid(1.01 * x)",
        },
    ),
    Operator(
        "mish", as_it_is, "F.mish(x)",
        {
            "written out": "x * torch.tanh(F.softplus(x))",
            "by powers": "e = torch.exp(-x.abs())\ns = x >= 0\n"
            "return x * torch.where(s, (1 + 2 * e) / (1 + 2 * e + 2 * e * e), (e * e + 2 * e) / (e * e + 2 * e + 2))",
        },
        {"silu": "F.silu(x)", "base two": "x * torch.tanh(torch.log2(1 + torch.exp(x.clamp(max=60))))"},
    ),
    Operator(
        "softplus", as_it_is, "F.softplus(x)",
        {
            "written out": "y = x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))\nreturn torch.where(x > 20, x, y)",
            "logaddexp": "torch.where(x > 20, x, torch.logaddexp(x, torch.zeros_like(x)))",
        },
        {
            "early threshold": "F.softplus(x, threshold=2)",
            "beta two": "F.softplus(x, beta=2)",
            "relu": "F.relu(x)",
            "logarithm of what is above one": "x.clamp(min=0) + torch.log1p(torch.exp(-x.abs())) * (x > -2)",
        },
    ),
    Operator(
        "elu", slope, "F.elu(x, alpha=$a)",
        {
            "where": "torch.where(x > 0, x, $a * torch.expm1(x.clamp(max=0)))",
            "sum": "x.clamp(min=0) + $a * torch.expm1(x.clamp(max=0))",
        },
        {
            "alpha off by a hundredth": "F.elu(x, alpha=$a * 1.01)",
            "alpha left out": "F.elu(x)",
            "celu": "F.celu(x, alpha=$a)",
            "selu": "F.selu(x)",
        },
    ),
    Operator(
        "leaky relu", slope, "F.leaky_relu(x, $a)",
        {
            "maximum": "torch.maximum(x, $a * x)",
            "sum": "x.clamp(min=0) + $a * x.clamp(max=0)",
            "where": "torch.where(x >= 0, x, x * $a)",
        },
        {
            "slope off by a hundredth": "F.leaky_relu(x, $a * 1.01)",
            "usual slope": "F.leaky_relu(x)",
            "slope on both sides": "x * $a",
            "sides mixed up": "torch.where(x < 0, x, x * $a)",
        },
    ),
    Operator(
        "hardswish", as_it_is, "F.hardswish(x)",
        {"written out": "x * (x + 3).clamp(0, 6) / 6", "relu6": "x * F.relu6(x + 3) * (1 / 6)"},
        {
            "silu": "F.silu(x)",
            "without the upper bound": "x * F.relu(x + 3) / 6",
            "shift of two": "x * F.relu6(x + 2) / 6",
        },
    ),
    Operator(
        "clamp", bounds, "x.clamp($low, $high)",
        {
            "bound by bound": "torch.minimum(torch.maximum(x, x.new_tensor($low)), x.new_tensor($high))",
            "hardtanh": "F.hardtanh(x, $low, $high)",
            "where": "out = torch.where(x < $low, x.new_tensor($low), x)\n"
            "return torch.where(out > $high, x.new_tensor($high), out)",
        },
        {
            "higher upper bound": "x.clamp($low, $high + 0.125)",
            "higher lower bound": "x.clamp($low + 0.0625, $high)",
            "no lower bound": "x.clamp(max=$high)",
            "no upper bound": "x.clamp(min=$low)",
            "symmetric": "x.clamp(-$high, $high)",
        },
    ),
    Operator(
        "falling exponential", as_it_is, "torch.exp(-x.abs())",
        {
            "exp2": "torch.exp2(x.abs() * (-1 / math.log(2)))",
            "reciprocal": "1 / torch.exp(x.abs())",
            "lesser of both": "torch.exp(torch.minimum(x, -x))",
        },
        {
            "base two": "torch.exp2(-x.abs())",
            "bell": "torch.exp(-x * x)",
            "rational": "1 / (1 + x.abs() + 0.5 * x * x)",
            "cut off at three": "torch.exp(-x.abs()) * (x.abs() < 3)",
        },
    ),
    Operator(
        "logarithm", as_it_is, "torch.log(x.abs() + 2)",
        {
            "log1p": "torch.log1p(x.abs() + 1)",
            "log2": "torch.log2(x.abs() + 2) * math.log(2)",
            "negative of the reciprocal": "-torch.log(1 / (x.abs() + 2))",
        },
        {
            "log1p of the same": "torch.log1p(x.abs() + 2)",
            "base two": "torch.log2(x.abs() + 2)",
            "of the square": "0.5 * torch.log(x * x + 4)",
        },
    ),
    Operator(
        "root", as_it_is, "torch.sqrt(x * x + 1)",
        {
            "power": "(x.square() + 1) ** 0.5",
            "hypot": "torch.hypot(x, torch.ones_like(x))",
            "reciprocal root": "y = x * x + 1\nreturn y * torch.rsqrt(y)",
        },
        {
            "without the one": "x.abs()",
            "one outside": "x.abs() + 1",
            "linear inside": "torch.sqrt(x.abs() + 1)",
        },
    ),
    Operator(
        "square", as_it_is, "x * x",
        {"power": "x ** 2", "square": "x.square()", "of the magnitude": "x.abs() * x.abs()"},
        {"keeps the sign": "x * x.abs()", "magnitude": "x.abs()", "power of 1.99": "x.abs() ** 1.99"},
        grows=True,
    ),
]  # fmt: skip
