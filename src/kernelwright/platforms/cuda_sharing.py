"""Memory of an NVIDIA GPU lent from one process to another: the driver's inter-process handles, by ctypes.

PyTorch's own way (``torch.multiprocessing``) counts references in a file that both sides must live to update, and keeps
what was lent to a process that is killed. Here a lender keeps its tensor for as long as the protocol says, and the
borrower copies what it wants and closes the handle again.

Source: CUDA Driver API, section "Memory Management" (cuIpcGetMemHandle, cuIpcOpenMemHandle, cuMemGetAddressRange).
"""

import ctypes
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

_HANDLE_BYTES = 64
_LAZY_PEER_ACCESS = 1


class SharingError(RuntimeError):
    """The driver refuses: another kind of memory, another machine's rules, or a handle that is none. One line."""


class _Handle(ctypes.Structure):
    _fields_ = (("reserved", ctypes.c_ubyte * _HANDLE_BYTES),)


@cache
def _driver() -> ctypes.CDLL:
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise SharingError(f"no CUDA driver: {error}") from None
    pointer, size = ctypes.c_uint64, ctypes.c_size_t
    driver.cuMemGetAddressRange_v2.argtypes = (ctypes.POINTER(pointer), ctypes.POINTER(size), pointer)
    driver.cuIpcGetMemHandle.argtypes = (ctypes.POINTER(_Handle), pointer)
    driver.cuIpcOpenMemHandle_v2.argtypes = (ctypes.POINTER(pointer), _Handle, ctypes.c_uint)
    driver.cuIpcCloseMemHandle.argtypes = (pointer,)
    return driver


def _call(name: str, *arguments: Any) -> None:
    code = getattr(_driver(), name)(*arguments)
    if code:
        raise SharingError(f"{name} answers {code}")


def _range(pointer: int) -> tuple[int, int]:
    """Beginning and bytes of the allocation around an address."""
    base, size = ctypes.c_uint64(), ctypes.c_size_t()
    _call("cuMemGetAddressRange_v2", ctypes.byref(base), ctypes.byref(size), pointer)
    return base.value, size.value


def lend(tensor: torch.Tensor) -> tuple[bytes, int]:
    """A handle of the allocation that a CUDA tensor lies in, and how many bytes into it the tensor begins.

    The tensor must live until the borrower is done, and what fills it must be done already. Raises ``SharingError``.
    """
    base, _ = _range(tensor.data_ptr())
    handle = _Handle()
    _call("cuIpcGetMemHandle", ctypes.byref(handle), base)
    return bytes(handle.reserved), tensor.data_ptr() - base


@contextmanager
def borrowed(handle: bytes, offset: int, nbytes: int) -> Generator[torch.Tensor]:
    """Those bytes of another process's allocation, uint8, as long as the block lasts. Raises ``SharingError``.

    What was queued on them inside must be done before the end.
    """
    if len(handle) != _HANDLE_BYTES:
        raise SharingError("a handle of another length")
    torch.cuda.synchronize()  # also makes the device's context the current one
    base = ctypes.c_uint64()
    _call("cuIpcOpenMemHandle_v2", ctypes.byref(base), _Handle.from_buffer_copy(handle), _LAZY_PEER_ACCESS)
    try:
        if offset + nbytes > _range(base.value)[1]:
            raise SharingError("more bytes than the allocation has")
        yield torch.as_tensor(_Bytes(base.value + offset, nbytes), device="cuda")
    finally:
        torch.cuda.synchronize()
        _call("cuIpcCloseMemHandle", base)


class _Bytes:
    """Memory of the device at an address, as NumPy's and Numba's CUDA array interface describes it."""

    def __init__(self, address: int, nbytes: int) -> None:
        self.__cuda_array_interface__ = {
            "shape": (nbytes,), "typestr": "|u1", "data": (address, False), "strides": None, "version": 2,
        }  # fmt: skip
