"""What PTX instructions compute, on the values of all lanes at once."""

from collections.abc import Callable
from typing import Any

import numpy as np

BITS: dict[int, Any] = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}
Lanes = np.ndarray


class PtxFault(Exception):
    """Something that a GPU would not do, or would not do as meant."""


def dtype_of(kind: str) -> Any:
    """``s32``, ``f64``, ``b16``, …"""
    letter, bits = kind[0], int(kind[1:])
    return np.dtype(f"{'u' if letter == 'b' else {'s': 'i'}.get(letter, letter)}{bits // 8}")


def _shifted(x: Lanes, by: Lanes, left: bool) -> Lanes:
    bits = 8 * x.dtype.itemsize
    amount = np.minimum(by.astype(np.uint64), bits - 1).astype(x.dtype)
    found = x << amount if left else x >> amount
    return np.where(by >= bits, found >> x.dtype.type(bits - 1) if x.dtype.kind == "i" else 0, found).astype(x.dtype)


def _divided(x: Lanes, y: Lanes, rest: bool = False) -> Lanes:
    if x.dtype.kind == "f":
        return x / y
    wide = [(int(a), int(b) or 1) for a, b in zip(x, y, strict=True)]
    quotients = [(abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1) for a, b in wide]
    found = [a - q * b for (a, b), q in zip(wide, quotients, strict=True)] if rest else quotients
    return np.array(found).astype(x.dtype)


def _fused(x: Lanes, y: Lanes, z: Lanes) -> Lanes:
    wide = np.float64 if x.dtype.itemsize < 8 else np.longdouble
    return x.astype(wide) * y.astype(wide) + z.astype(wide)


def _binary(number: Any) -> str:
    return f"{int(number):0{8 * number.dtype.itemsize}b}"


COMPARISONS: dict[str, Callable[[Lanes, Lanes], Lanes]] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip
OPERATIONS: dict[str, Callable[..., Lanes]] = {
    "min": np.fmin, "max": np.fmax, "abs": np.abs, "neg": np.negative,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "not": np.invert, "div": _divided,
    "rem": lambda x, y: _divided(x, y, True), "fma": _fused, "sqrt": np.sqrt, "rcp": lambda x: 1 / x,
    "shl": lambda x, by: _shifted(x, by, True), "shr": lambda x, by: _shifted(x, by, False),
    "popc": np.bitwise_count, "brev": lambda x: np.array([int(_binary(v)[::-1], 2) for v in x], x.dtype),
    "clz": lambda x: np.array([len(_binary(v)) - int(v).bit_length() for v in x], x.dtype),
    "copysign": lambda sign, x: np.copysign(x, sign),
}  # fmt: skip
ATOMIC: dict[str, Callable[..., Any]] = {
    "add": lambda old, x: old + x, "min": min, "max": max, "exch": lambda old, x: x, "and": lambda old, x: old & x,
    "or": lambda old, x: old | x, "xor": lambda old, x: old ^ x,
    "cas": lambda old, expected, x: x if old == expected else old,
}  # fmt: skip
