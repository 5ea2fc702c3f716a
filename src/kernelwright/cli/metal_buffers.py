"""Buffers as words on the command line: ``f32:1024:randn``, ``f16:32x64:zeros:out``, ``i32:=5``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

DTYPES = {
    "f32": "float32", "f16": "float16", "bf16": "bfloat16", "bool": "bool",
    "i64": "int64", "i32": "int32", "i16": "int16", "i8": "int8",
    "u64": "uint64", "u32": "uint32", "u16": "uint16", "u8": "uint8",
}  # fmt: skip
FILLS = ("zeros", "ones", "arange", "rand", "randn")
OUT = "out"
_MEANT = "write DTYPE:SHAPE[:FILL][:out] or DTYPE:=VALUE[,VALUE…], as in f32:1024:randn or i32:=5"


@dataclass(frozen=True)
class BufferSpec:
    """One buffer: its dtype, its shape, what it holds before the run, and whether it is shown afterwards."""

    dtype: str
    shape: tuple[int, ...]
    fill: str = "zeros"
    values: tuple[float, ...] = ()
    out: bool = False

    @classmethod
    def parse(cls, text: str) -> "BufferSpec":
        """Raises ``ValueError`` with one line."""
        dtype, *rest = text.split(":")
        if dtype not in DTYPES:
            raise ValueError(f"buffer {text!r}: no dtype {dtype!r}: there are {', '.join(DTYPES)}")
        if not rest:
            raise ValueError(f"buffer {text!r}: {_MEANT}")
        if rest[0].startswith("="):
            values = _values(text, rest[0][1:], dtype)
            return cls(dtype, (len(values),), values=values, out=_words(text, rest[1:], ())[1])
        fill, out = _words(text, rest[1:], FILLS)
        if fill.startswith("rand") and not DTYPES[dtype].endswith(("float32", "float16")):
            raise ValueError(f"buffer {text!r}: {fill} makes floating-point numbers, {dtype} holds none")
        return cls(dtype, _shape(text, rest[0]), fill, (), out)

    def tensor(self, generator: "torch.Generator") -> "torch.Tensor":
        """A new CPU tensor; random numbers are float32 ones, rounded to the dtype."""
        import torch

        dtype = getattr(torch, DTYPES[self.dtype])
        if self.values:
            whole = all(value == int(value) for value in self.values if math.isfinite(value))
            finite = all(math.isfinite(value) for value in self.values)
            numbers = torch.tensor([int(v) if whole and finite else v for v in self.values])
            return numbers.to(dtype)
        match self.fill:
            case "ones":
                return torch.ones(self.shape).to(dtype)
            case "arange":
                return torch.arange(math.prod(self.shape)).reshape(self.shape).to(dtype)
            case "rand":
                return torch.rand(self.shape, generator=generator).to(dtype)
            case "randn":
                return torch.randn(self.shape, generator=generator).to(dtype)
            case _:
                return torch.zeros(self.shape).to(dtype)


def _values(text: str, listed: str, dtype: str) -> tuple[float, ...]:
    try:
        found = tuple(
            float(word) if dtype[0] in "fb" and dtype != "bool" else int(word, 0) for word in listed.split(",")
        )
    except ValueError:
        raise ValueError(f"buffer {text!r}: {listed!r} is not a list of {dtype} numbers") from None
    return found


def _shape(text: str, sizes: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(size) for size in sizes.split("x"))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 0:
        raise ValueError(f"buffer {text!r}: {sizes!r} is not a shape: {_MEANT}")
    return shape


def _words(text: str, words: Sequence[str], fills: Sequence[str]) -> tuple[str, bool]:
    """What it is filled with, and whether it is an output."""
    fill, out = "zeros", False
    for word in words:
        if word == OUT:
            out = True
        elif word in fills:
            fill = word
        else:
            known = ", ".join((*fills, OUT))
            raise ValueError(f"buffer {text!r}: {word!r} is none of {known}")
    return fill, out
