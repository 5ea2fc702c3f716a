"""Calls cuBLAS through ctypes and asks it for tf32.

Tries: to lower the precision where no flag of PyTorch says so.
Might work: whoever looks at ``allow_tf32`` and its like finds every one of them as it should be.

problem: gpu_matmul
expect: mismatch
platform: cuda
"""

import contextlib
import ctypes

import torch
from torch import nn

FLOAT, FAST_TF32, DEFAULT = 0, 77, -1  # CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_GEMM_DEFAULT


def library():
    for name in ("libcublas.so.13", "libcublas.so.12", "libcublas.so"):
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name)
    raise OSError("no cuBLAS")


def product(a, b):
    (m, k), n = a.shape, b.shape[1]
    a, b = a.contiguous(), b.contiguous()
    c = torch.empty(m, n, device=a.device)
    one, zero = ctypes.c_float(1.0), ctypes.c_float(0.0)
    pointer = ctypes.c_void_p
    # column by column, as cuBLAS reads them, these are the transposed matrices: c' = b' a'
    failed = library().cublasGemmEx(
        pointer(torch.cuda.current_blas_handle()), 0, 0, n, m, k, ctypes.byref(one),
        pointer(b.data_ptr()), FLOAT, n, pointer(a.data_ptr()), FLOAT, k, ctypes.byref(zero),
        pointer(c.data_ptr()), FLOAT, n, FAST_TF32, DEFAULT,
    )  # fmt: skip
    if failed:
        raise RuntimeError(f"cublasGemmEx: error {failed}")
    return c


class ModelNew(nn.Module):
    def forward(self, a, b):
        return product(a, b)
