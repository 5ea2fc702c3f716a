"""What is known of every element of a term, from its operation and what is known of its arguments. Imports no torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from kernelwright.authors.graph.ir import Node, TensorType


@dataclass(frozen=True, slots=True)
class Facts:
    """Known about one tensor. Bounds hold for finite arguments; ``lower`` and ``upper`` speak of the last two axes."""

    weight_only: bool = False
    """No input below it: computed once per load."""
    low: float = -inf
    high: float = inf
    """Every element lies in [low, high]."""
    lower: int | None = None
    """Elements above this diagonal (column - row > lower) are zero."""
    upper: int | None = None
    """Elements below this diagonal (column - row < upper) are zero."""

    @property
    def value(self) -> float | None:
        """The one value of all elements, where that is known."""
        return self.low if self.low == self.high else None

    def meet(self, other: "Facts") -> "Facts":
        """Both hold, for two forms of the same value."""
        return Facts(
            self.weight_only or other.weight_only,
            max(self.low, other.low),
            min(self.high, other.high),
            _closest(min, self.lower, other.lower),
            _closest(max, self.upper, other.upper),
        )


def _closest(choose: Callable[..., int], *bounds: int | None) -> int | None:
    return choose((b for b in bounds if b is not None), default=None)


NOTHING = Facts()
KEEPS_BOUNDS = frozenset({"reshape", "permute", "expand", "amax", "amin", "mean", "max_pool"})
ZERO_TO_ZERO = frozenset({"relu", "abs", "neg", "tanh", "erf", "leaky_relu", "gelu", "silu", "mish", "hardswish"})
"""Elementwise operations that keep zeros, and with them a triangle."""

RANGES: dict[str, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "erf": (-1.0, 1.0),
    "exp": (0.0, inf),
    "sqrt": (0.0, inf),
    "rsqrt": (0.0, inf),
    "log_softmax": (-inf, 0.0),
    "softplus": (0.0, inf),
    "hardsigmoid": (0.0, 1.0),
    "var": (0.0, inf),
}
"""Bounds that hold whatever the argument, in floating point too."""


GATED = {"gelu": -0.1701, "silu": -0.2785, "mish": -0.3089, "hardswish": -0.3751}
"""x times a share in [0, 1] that grows with x: at least this, at most x where x is positive."""


def facts_of(node: Node, args: Sequence[Facts]) -> Facts:
    """What follows for ``node`` from what is known of its arguments."""
    weight_only = node.op != "input" and not node.attr.get("impure") and all(a.weight_only for a in args)
    low, high = _bounds(node, args)
    lower, upper = _triangle(node, args)
    return Facts(weight_only, low, high, lower, upper)


def _bounds(node: Node, args: Sequence[Facts]) -> tuple[float, float]:
    op = node.op
    if op in ("const", "full"):
        return float(node.attr["value"]), float(node.attr["value"])
    if op in RANGES:
        return RANGES[op]
    if op in KEEPS_BOUNDS:
        return args[0].low, args[0].high
    if op in GATED:
        return (0.0 if args[0].low >= 0 else GATED[op]), max(0.0, args[0].high)
    if op == "power" and node.attr["exponent"] in (2, 4):
        return 0.0, inf
    if op == "avg_pool" and not any(node.attr["padding"]):
        return args[0].low, args[0].high
    if op in ("relu", "abs"):
        a = args[0]
        low = max(0.0, a.low) if op == "relu" else max(0.0, a.low, -a.high)
        return low, max(0.0, a.high) if op == "relu" else max(abs(a.low), abs(a.high))
    if op == "clamp":
        floor, ceiling = (node.attr[side] for side in ("min", "max"))
        low = args[0].low if floor is None else max(args[0].low, floor)
        high = args[0].high if ceiling is None else min(max(args[0].high, low), ceiling)
        return (min(low, ceiling) if ceiling is not None else low), high
    if op in BINARY and args[0].value is not None and args[1].value is not None:
        exact = _compute(op, args[0].value, args[1].value)
        return (-inf, inf) if exact is None else (exact, exact)
    if op in ("maximum", "minimum"):
        pick = max if op == "maximum" else min
        return pick(args[0].low, args[1].low), pick(args[0].high, args[1].high)
    if op == "sum" and args[0].low >= 0:
        return 0.0, inf
    return -inf, inf


BINARY = frozenset({"add", "sub", "mul", "div"})


def _compute(op: str, a: float, b: float) -> float | None:
    """Arithmetic on two known numbers; ``None`` where it has no finite result."""
    if op == "div" and b == 0:
        return None
    result = {"add": a + b, "sub": a - b, "mul": a * b}[op] if op != "div" else a / b
    if not isfinite(result):
        return None
    whole = float(round(result))
    return whole if abs(result - whole) <= ROUNDING * abs(whole) else result


ROUNDING = 4e-16
"""n times 1/n is 1, whatever its last bit says: a result this close to a whole number is that number."""


def _triangle(node: Node, args: Sequence[Facts]) -> tuple[int | None, int | None]:
    op = node.op
    if not isinstance(node.type, TensorType) or node.type.rank < 2 or not args:
        return None, None
    a = args[0]
    if op == "diag":
        return 0, 0
    if op in ("tril", "triu"):
        k = node.attr["diagonal"]
        return (_closest(min, a.lower, k), a.upper) if op == "tril" else (a.lower, _closest(max, a.upper, k))
    if op == "matmul":
        return _sum(a.lower, args[1].lower), _sum(a.upper, args[1].upper)
    if op == "linear" and len(args) == 2:
        return _sum(a.lower, _minus(args[1].upper)), _sum(a.upper, _minus(args[1].lower))
    if op == "permute" and node.attr["dims"][-2:] == (node.type.rank - 1, node.type.rank - 2):
        return _minus(a.upper), _minus(a.lower)
    if op in ZERO_TO_ZERO:
        return a.lower, a.upper
    if op in ("add", "sub") and all(b.lower is not None or b.upper is not None for b in args):
        return _both(max, *(b.lower for b in args)), _both(min, *(b.upper for b in args))
    if op == "mul" and args[1].value is not None:
        return a.lower, a.upper
    return None, None


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def _both(choose: Callable[..., int], *bounds: int | None) -> int | None:
    return None if any(b is None for b in bounds) else choose(bounds)


def _minus(a: int | None) -> int | None:
    return None if a is None else -a
