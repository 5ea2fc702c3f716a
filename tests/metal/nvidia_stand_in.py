"""``nvidia_stand_in.c`` from Python: a machine with NVIDIA GPUs, without one."""

import ctypes
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kernelwright.metal.build import system_libraries
from kernelwright.metal.library import ShaderLibrary
from kernelwright.metal.nvidia.driver import Driver
from kernelwright.metal.nvidia.kernel import Gpu, KwGpuLaunch, NvidiaProgram
from kernelwright.metal.program import build
from kernelwright.metal.toolchain import Toolchain

SOURCE = Path(__file__).with_suffix(".c")
STREAM = 0x5EED
ILLEGAL_ADDRESS = 700


class _Launch(ctypes.Structure):
    _fields_ = [
        ("ptx", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("parameter", ctypes.c_void_p),
        ("parameter_bytes", ctypes.c_uint),
        ("groups", ctypes.c_uint * 3),
        ("group", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
    ]


_RUN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Launch))


@dataclass(frozen=True)
class Launched:
    """What the driver was asked to run."""

    ptx: str
    name: str
    parameter: bytes
    groups: tuple[int, ...]
    group: tuple[int, ...]
    shared_bytes: int

    @property
    def record(self) -> KwGpuLaunch:
        return KwGpuLaunch.from_buffer_copy(self.parameter)


def compile_stand_in(toolchain: Toolchain, folder: Path) -> Path:
    """The library, as a file."""
    code, library = folder / "stand_in.o", folder / "libcuda.so.1"
    flags = ("-O1", "-fPIC", "-fvisibility=hidden", "-Wall", "-Werror", *toolchain.system_headers)
    subprocess.run([*toolchain.clang, *flags, "-c", str(SOURCE), "-o", str(code)], check=True)
    libraries = system_libraries("libc.so.6")
    subprocess.run([*toolchain.linker, "-shared", "-o", str(library), str(code), *libraries], check=True)
    return library


class StandIn:
    """The machine. Each has memory of its own: the library is loaded under another name every time."""

    def __init__(self, library: Path, name: str):
        self.path = library.with_name(f"{name}.so")
        self.path.write_bytes(library.read_bytes())
        self.library = ctypes.CDLL(str(self.path))
        self._kept: list[Any] = []
        self.raised: Exception | None = None

    def driver(self) -> Driver:
        return Driver(str(self.path))

    def set(self, name: str, value: int) -> None:
        ctypes.c_int.in_dll(self.library, f"stand_in_{name}").value = value

    def fail(self, function: str, code: int) -> None:
        """The next call of ``function`` fails."""
        ctypes.memmove(ctypes.addressof(ctypes.c_char.in_dll(self.library, "stand_in_failing")), function.encode(), 63)
        self.set("failure", code)

    def calls(self) -> list[str]:
        """What was called since the last time."""
        text = (ctypes.c_char * (1 << 16)).in_dll(self.library, "stand_in_log")
        found = text.value.decode().splitlines()
        text.value = b""
        return found

    def depth(self) -> int:
        """Contexts that were pushed and not popped again."""
        return self.library.stand_in_depth()

    def on_launch(self, run: Callable[[Launched], int]) -> None:
        """``run`` gets each launch and answers with a ``CUresult``. What it raises fails the launch and is kept."""

        def call(pointer: Any) -> int:
            found = pointer.contents
            parameter = ctypes.string_at(found.parameter, found.parameter_bytes)
            sizes = tuple(found.groups), tuple(found.group)
            launched = Launched(found.ptx.decode(), found.name.decode(), parameter, *sizes, found.shared_bytes)
            try:
                return run(launched)
            except Exception as error:  # it cannot pass through C
                self.raised = error
                return ILLEGAL_ADDRESS

        self._kept.append(_RUN(call))
        ctypes.c_void_p.in_dll(self.library, "stand_in_run").value = ctypes.cast(self._kept[-1], ctypes.c_void_p).value

    def gpu(self, index: int = 0) -> "HostGpu":
        return HostGpu(self, index)


class HostGpu(Gpu):
    """The stand-in's GPU: its memory is the host's, so its tensors are CPU tensors."""

    def __init__(self, machine: StandIn, index: int):
        super().__init__(machine.driver(), index)
        self.machine = machine
        self.copies: list[torch.Tensor] = []
        self.synchronized = False

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def stream(self) -> int:
        return STREAM

    def synchronize(self) -> None:
        self.synchronized = True

    def copy(self, tensor: torch.Tensor) -> torch.Tensor:
        self.copies.append(tensor.clone())
        return self.copies[-1]

    def library(self, source: str, **options: Any) -> ShaderLibrary:
        """What ``compile_shader(source, device="cuda")`` gives on a machine with this GPU."""
        program = build(source, backend=self.backend(), **options)
        return ShaderLibrary(program, NvidiaProgram(program, self))
