"""What MLX calls dtypes in the names of kernels."""

import torch

NAMES = {
    torch.bool: "bool_", torch.uint8: "uint8", torch.int8: "int8", torch.int16: "int16", torch.int32: "int32",
    torch.uint32: "uint32", torch.int64: "int64", torch.float16: "float16", torch.bfloat16: "bfloat16",
    torch.float32: "float32", torch.complex64: "complex64",
}  # fmt: skip

C_NAMES = {torch.float32: "float", torch.float16: "float16_t", torch.bfloat16: "bfloat16_t"}
"""What the attention and quantized kernels call them."""

FLOATS = (torch.float32, torch.float16, torch.bfloat16)

SIMD = 32
"""Threads in a simdgroup."""


def rounded_up(n: int, unit: int) -> int:
    """The smallest multiple of ``unit`` that is not less than ``n``."""
    return -(-n // unit) * unit
