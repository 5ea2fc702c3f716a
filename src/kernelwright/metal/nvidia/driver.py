"""The CUDA driver through ctypes: the few calls that load PTX and launch it. Imports no torch.

``libcuda.so.1`` comes with the GPU's driver, not with a toolkit. Functions and numbers are those of the CUDA Driver API
reference (https://docs.nvidia.com/cuda/cuda-driver-api).
"""

import ctypes
from collections.abc import Generator
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from typing import Any

from kernelwright.metal.errors import MetalRunError, NvidiaMissing
from kernelwright.metal.launch import Triple

LIBRARY = "libcuda.so.1"
LOG_BYTES = 8192

_Handle = ctypes.c_void_p
_Out = ctypes.POINTER(ctypes.c_void_p)
_OutInt = ctypes.POINTER(ctypes.c_int)
_CALLS: dict[str, tuple[Any, ...]] = {
    "cuInit": (ctypes.c_uint,),
    "cuGetErrorName": (ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)),
    "cuGetErrorString": (ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)),
    "cuDeviceGetCount": (_OutInt,),
    "cuDeviceGet": (_OutInt, ctypes.c_int),
    "cuDeviceGetName": (ctypes.c_char_p, ctypes.c_int, ctypes.c_int),
    "cuDeviceGetAttribute": (_OutInt, ctypes.c_int, ctypes.c_int),
    "cuDevicePrimaryCtxRetain": (_Out, ctypes.c_int),
    "cuCtxPushCurrent_v2": (_Handle,),
    "cuCtxPopCurrent_v2": (_Out,),
    "cuModuleLoadDataEx": (_Out, ctypes.c_char_p, ctypes.c_uint, _OutInt, _Out),
    "cuModuleGetFunction": (_Out, _Handle, ctypes.c_char_p),
    "cuFuncGetAttribute": (_OutInt, ctypes.c_int, _Handle),
    "cuLaunchKernel": (_Handle, *(ctypes.c_uint,) * 7, _Handle, _Out, _Out),
}


class DeviceAttribute(IntEnum):
    """``CUdevice_attribute``."""

    MAX_REGISTERS_PER_BLOCK = 12
    COMPUTE_CAPABILITY_MAJOR = 75
    COMPUTE_CAPABILITY_MINOR = 76


class FunctionAttribute(IntEnum):
    """``CUfunction_attribute``."""

    MAX_THREADS_PER_BLOCK = 0
    SHARED_SIZE_BYTES = 1


class JitOption(IntEnum):
    """``CUjit_option``."""

    MAX_REGISTERS = 0
    ERROR_LOG_BUFFER = 5
    ERROR_LOG_BUFFER_SIZE_BYTES = 6


class CudaError(MetalRunError):
    """A call of the driver failed; ``code`` is its ``CUresult``."""

    def __init__(self, call: str, code: int, name: str, meaning: str):
        self.code = code
        super().__init__(f"the NVIDIA driver's {call} failed: {name} ({meaning})")


class Driver:
    """The loaded and initialised driver library. Raises ``NvidiaMissing`` without it, or without a GPU."""

    def __init__(self, library: str = LIBRARY):
        try:
            loaded = ctypes.CDLL(library)
            self._functions = {name: _function(loaded, name, types) for name, types in _CALLS.items()}
        except (OSError, AttributeError) as error:
            raise NvidiaMissing(f"no NVIDIA GPU here: {library} cannot be loaded ({error})") from None
        try:
            self._call("cuInit", 0)
        except CudaError as error:
            raise NvidiaMissing(f"no NVIDIA GPU here: {error}") from None

    def device_count(self) -> int:
        """GPUs that this process may use (``CUDA_VISIBLE_DEVICES``)."""
        return self._integer("cuDeviceGetCount")

    def name(self, device: int) -> str:
        text = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", text, len(text), self._device(device))
        return text.value.decode(errors="replace")

    def attribute(self, device: int, which: DeviceAttribute) -> int:
        return self._integer("cuDeviceGetAttribute", which, self._device(device))

    def primary_context(self, device: int) -> int:
        """The context that PyTorch uses too. It is kept to the end of the process."""
        return self._handle("cuDevicePrimaryCtxRetain", self._device(device))

    @contextmanager
    def current(self, context: int) -> Generator[None]:
        """Inside, ``context`` is this thread's; afterwards the one before it again."""
        self._call("cuCtxPushCurrent_v2", context)
        try:
            yield
        finally:
            self._handle("cuCtxPopCurrent_v2")

    def load(self, ptx: str, registers: int = 0) -> int:
        """A module of the current context, which stays loaded. ``registers``: the most that a thread may have; 0: as
        many as its code wants.

        Raises ``MetalRunError`` with what the driver's compiler says about PTX that it does not accept.
        """
        log = ctypes.create_string_buffer(LOG_BYTES)
        options: list[tuple[JitOption, int]] = [
            (JitOption.ERROR_LOG_BUFFER, ctypes.addressof(log)),
            (JitOption.ERROR_LOG_BUFFER_SIZE_BYTES, len(log)),
        ]
        if registers:
            options.append((JitOption.MAX_REGISTERS, registers))
        names = (ctypes.c_int * len(options))(*(name for name, _ in options))
        values = (ctypes.c_void_p * len(options))(*(value for _, value in options))
        try:
            return self._handle("cuModuleLoadDataEx", ptx.encode(), len(options), names, values)
        except CudaError as error:
            said = " ".join(log.value.decode(errors="replace").split())
            raise MetalRunError(f"{error}{': ' if said else ''}{said}") from None

    def function(self, module: int, name: str) -> int:
        return self._handle("cuModuleGetFunction", module, name.encode())

    def function_attribute(self, function: int, which: FunctionAttribute) -> int:
        return self._integer("cuFuncGetAttribute", which, function)

    def launch(
        self, function: int, groups: Triple, group: Triple, shared_bytes: int, stream: int, argument: ctypes.Structure
    ) -> None:
        """Enqueues a kernel that takes ``argument`` by value; it is copied before this returns."""
        arguments = (ctypes.c_void_p * 1)(ctypes.addressof(argument))
        self._call("cuLaunchKernel", function, *groups, *group, shared_bytes, stream, arguments, None)

    def _device(self, index: int) -> int:
        return self._integer("cuDeviceGet", index)

    def _integer(self, call: str, *arguments: Any) -> int:
        found = ctypes.c_int()
        self._call(call, ctypes.byref(found), *arguments)
        return found.value

    def _handle(self, call: str, *arguments: Any) -> int:
        found = ctypes.c_void_p()
        self._call(call, ctypes.byref(found), *arguments)
        return found.value or 0

    def _call(self, name: str, *arguments: Any) -> None:
        code = self._functions[name](*arguments)
        if code:
            raise CudaError(name, code, self._text("cuGetErrorName", code), self._text("cuGetErrorString", code))

    def _text(self, call: str, code: int) -> str:
        text = ctypes.c_char_p()
        known = self._functions[call](code, ctypes.byref(text)) == 0 and text.value
        return known.decode() if known else f"error {code}"


def _function(library: ctypes.CDLL, name: str, types: tuple[Any, ...]) -> Any:
    function = library[name]
    function.restype, function.argtypes = ctypes.c_int, list(types)
    return function


@cache
def driver() -> Driver:
    """The driver of this machine. Raises ``NvidiaMissing``."""
    return Driver()
