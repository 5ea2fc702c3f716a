"""The structs that ggml's kernels are called with, as its own header declares them."""

import re
import struct
from pathlib import Path

import torch

from corpora.cases import record

HEADER = "ggml-metal-impl.h"

_STRUCT = re.compile(r"typedef struct\s*\{([^}]*)\}\s*(\w+);")
_FIELD = re.compile(r"\b(\w+)\s+(\w+)(?:\[(\d+)\])?;")
_DEFINE = re.compile(r"^#define\s+(\w+)\s+(\d+)", re.MULTILINE)
_CODES = {
    "bool": "?", "int16_t": "h", "int32_t": "i", "int": "i", "int64_t": "q", "uint64_t": "Q", "size_t": "Q",
    "float": "f",
}  # fmt: skip

Value = bool | int | float | list[int]


class Arguments:
    """Packs structs by the names of their fields, and knows the numbers that the header defines."""

    def __init__(self, header: Path):
        text = re.sub(r"//[^\n]*", "", header.read_text())
        self._structs = {name: _FIELD.findall(body) for body, name in _STRUCT.findall(text)}
        self._numbers = {name: int(value) for name, value in _DEFINE.findall(text)}

    def number(self, name: str) -> int:
        """What a macro of the header stands for."""
        return self._numbers[name]

    def pack(self, name: str, **values: Value) -> torch.Tensor:
        """``ggml_metal_kargs_<name>``. Values that it has no field for are left out; ``KeyError`` for a missing one."""
        codes, fields = "", []
        for kind, field, count in self._structs[f"ggml_metal_kargs_{name}"]:
            codes += f"{count}{_CODES[kind]}"
            value = values[field]
            fields += value if isinstance(value, list) else [value]
        return record(struct.pack(f"@{codes}0Q", *fields))


def layout(**tensors: torch.Tensor) -> dict[str, Value]:
    """Sizes and distances in bytes as ggml names them, the innermost axis first: ``ne00`` and ``nb00`` of ``src0``,
    ``ne10`` of ``src1``, ``ne0`` of ``dst``."""
    found: dict[str, Value] = {}
    for name, tensor in tensors.items():
        which = {"src0": "0", "src1": "1", "src2": "2", "dst": ""}[name]
        sizes, strides = list(tensor.shape)[::-1], list(tensor.stride())[::-1]
        while len(sizes) < 4:
            strides.append(sizes[-1] * strides[-1])
            sizes.append(1)
        for axis in range(4):
            found[f"ne{which}{axis}"] = sizes[axis]
            found[f"nb{which}{axis}"] = strides[axis] * tensor.element_size()
    return found
