"""A compiled program on an NVIDIA GPU: what ``library.py`` needs of a device. Tensors and streams are PyTorch's."""

import ctypes
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from kernelwright.metal.arguments import Binding
from kernelwright.metal.contract import KernelSignature
from kernelwright.metal.errors import NvidiaMissing
from kernelwright.metal.launch import BUFFERS, Dispatch, Order, Triple
from kernelwright.metal.nvidia.driver import DeviceAttribute, Driver, FunctionAttribute, driver
from kernelwright.metal.nvidia.ptx import PtxBuilder, architecture
from kernelwright.metal.program import Program
from kernelwright.metal.toolchain import find_for_ptx
from kernelwright.metal.work import Inspection

if TYPE_CHECKING:
    import torch

MOST_GROUPS: Triple = (2**31 - 1, 65535, 65535)
MOST_IN_GROUP: Triple = (1024, 1024, 64)
"""Of every NVIDIA GPU: CUDA C++ Programming Guide, technical specifications per compute capability."""
ALIGNMENT = 64
"""Bytes. No type of Metal needs more."""


class KwGpuLaunch(ctypes.Structure):
    """What a kernel is launched with, by value: the record in ``kw_entry_nvptx.h``."""

    _fields_ = [
        ("buffer", ctypes.c_void_p * BUFFERS),
        ("threadgroup_offset", ctypes.c_uint32 * BUFFERS),
        ("grid", ctypes.c_uint32 * 3),
    ]


class Gpu:
    """One NVIDIA GPU, with the context in which PyTorch works on it."""

    def __init__(self, driver: Driver, index: int):
        self.driver = driver
        self.index = index
        self.context = driver.primary_context(index)

    @property
    def device(self) -> "torch.device":
        import torch

        return torch.device("cuda", self.index)

    @property
    def stream(self) -> int:
        """PyTorch's current one."""
        import torch

        return torch.cuda.current_stream(self.index).cuda_stream

    def synchronize(self) -> None:
        """Waits until all that was enqueued has ended. Raises ``torch.AcceleratorError`` for what went wrong there."""
        import torch

        torch.cuda.synchronize(self.index)

    def backend(self) -> PtxBuilder:
        """Compiles for this GPU. Raises ``ValueError`` for one that is too old, ``ToolchainMissing``."""
        major, minor = (
            self.driver.attribute(self.index, which)
            for which in (DeviceAttribute.COMPUTE_CAPABILITY_MAJOR, DeviceAttribute.COMPUTE_CAPABILITY_MINOR)
        )
        return PtxBuilder(find_for_ptx(), architecture(major, minor))

    def copy(self, tensor: "torch.Tensor") -> "torch.Tensor":
        """A CPU tensor's copy here. The current stream makes it; nobody waits for that."""
        return tensor.pin_memory().to(self.device, non_blocking=True)


def gpu(device: str) -> Gpu:
    """The GPU behind ``cuda`` (PyTorch's current one) or ``cuda:N``.

    Raises ``ValueError`` for another device, ``NvidiaMissing`` where there is no such GPU or PyTorch was built without
    CUDA.
    """
    named = re.fullmatch(r"cuda(?::(\d+))?", device)
    if not named:
        raise ValueError(f"Metal kernels run on device 'cpu' or 'cuda', not on {device!r}")
    found = driver()
    count = found.device_count()
    import torch

    if not torch.cuda.is_available():
        raise NvidiaMissing(f"this PyTorch ({torch.__version__}) cannot use the NVIDIA GPU: install one built for CUDA")
    torch.cuda.init()
    index = int(named[1]) if named[1] else torch.cuda.current_device()
    if index >= count:
        raise NvidiaMissing(f"no device {device!r}: NVIDIA GPUs here: {count}")
    return _gpu(index)


@cache
def _gpu(index: int) -> Gpu:
    return Gpu(driver(), index)


class NvidiaProgram:
    """A program on one GPU. Raises ``MetalRunError`` where the driver does not accept its PTX."""

    def __init__(self, program: Program, gpu: Gpu):
        self.gpu = gpu
        self.ptx = program.library.read_text()
        self._modules: dict[int, int] = {}
        if program.kernels:
            self.module()

    @property
    def device(self) -> "torch.device":
        return self.gpu.device

    def kernel(self, signature: KernelSignature) -> "NvidiaKernel":
        return NvidiaKernel(self, signature)

    def module(self, registers: int = 0) -> int:
        """The loaded program, with at most so many registers for a thread; 0: as many as its code wants."""
        if registers not in self._modules:
            with self.gpu.driver.current(self.gpu.context):
                self._modules[registers] = self.gpu.driver.load(self.ptx, registers)
        return self._modules[registers]


class NvidiaKernel:
    """One kernel. Launching enqueues it on PyTorch's current stream."""

    def __init__(self, program: NvidiaProgram, signature: KernelSignature):
        self._program = program
        self._signature = signature
        self._driver = program.gpu.driver
        self._functions: dict[int, int] = {}
        limit = re.search(rf"\bkw_max_threads_{signature.number} = (\d+);", program.ptx)
        self.max_threads = int(limit[1]) if limit else 0
        self.static_bytes = self._attribute(FunctionAttribute.SHARED_SIZE_BYTES)
        self._most_threads = self._attribute(FunctionAttribute.MAX_THREADS_PER_BLOCK)

    def launch(self, dispatch: Dispatch, binding: Binding) -> None:
        """Raises ``ValueError`` for an order of threads, ``RuntimeError`` for more threadgroups than the GPU takes and
        ``MetalRunError`` for what the driver says. What goes wrong in the kernel itself PyTorch raises at the next
        synchronisation."""
        self._refuse(dispatch)
        gpu = self._program.gpu
        record = KwGpuLaunch()
        for index, extent in dispatch.buffers.items():
            record.buffer[index] = extent.address
        made = _Upload(binding.made, gpu) if binding.made else None
        for index, address in (made.addresses if made else {}).items():
            record.buffer[index] = address
        offsets, memory = _offsets(dispatch.threadgroup_bytes)
        for index, offset in offsets.items():
            record.threadgroup_offset[index] = offset
        record.grid[:] = dispatch.grid
        function = self._fitting(dispatch.group)
        with self._driver.current(gpu.context):
            self._driver.launch(function, dispatch.groups, dispatch.group, memory, gpu.stream, record)
        # From here on the tensors may go: PyTorch hands their memory on to later work of the same stream only.
        if made and binding.error_buffer is not None:
            made.read_back(binding.error_buffer)

    def inspect(self, dispatch: Dispatch, binding: Binding, sample: int | None) -> Inspection:
        """Raises ``RuntimeError``: nobody counts there."""
        name = self._signature.host_name
        raise RuntimeError(f"kernel {name} cannot be inspected on {self._program.device}: compile it for the CPU")

    def _refuse(self, dispatch: Dispatch) -> None:
        name = self._signature.host_name
        if dispatch.order is not Order.ASCENDING:
            raise ValueError(f"kernel {name}: an NVIDIA GPU runs threads in its own order, not {dispatch.order.name}")
        if any(n > most for n, most in zip(dispatch.groups, MOST_GROUPS, strict=True)):
            raise RuntimeError(
                f"kernel {name}: {_sizes(dispatch.groups)} threadgroups; NVIDIA GPUs take {_sizes(MOST_GROUPS)} at most"
            )
        if any(n > most for n, most in zip(dispatch.group, MOST_IN_GROUP, strict=True)):
            raise RuntimeError(
                f"kernel {name}: a threadgroup of {_sizes(dispatch.group)} threads; NVIDIA GPUs take "
                f"{_sizes(MOST_IN_GROUP)} at most"
            )

    def _fitting(self, group: Triple) -> int:
        """The kernel with so few registers that a threadgroup of this size finds room on the GPU."""
        threads = group[0] * group[1] * group[2]
        if threads <= self._most_threads:
            return self._function(0)
        warps = -(-threads // 32)
        registers = self._program.gpu.driver.attribute(self._program.gpu.index, DeviceAttribute.MAX_REGISTERS_PER_BLOCK)
        return self._function(registers // (32 * warps) // 8 * 8)  # they are handed out in eights

    def _function(self, registers: int) -> int:
        if registers not in self._functions:
            module = self._program.module(registers)
            with self._driver.current(self._program.gpu.context):
                found = self._driver.function(module, f"kw_kernel_{self._signature.number}")
            self._functions[registers] = found
        return self._functions[registers]

    def _attribute(self, which: FunctionAttribute) -> int:
        """Of the kernel with as many registers as it wants."""
        function = self._function(0)
        with self._driver.current(self._program.gpu.context):
            return self._driver.function_attribute(function, which)


class _Upload:
    """Numbers, lists and the buffer for errors of one call, sent to the GPU as one piece."""

    def __init__(self, made: Mapping[int, "torch.Tensor"], gpu: Gpu):
        import torch

        self._places, size = _offsets({index: tensor.nbytes for index, tensor in made.items()}, ALIGNMENT)
        packed = torch.zeros(size, dtype=torch.uint8)
        for index, tensor in made.items():
            start = self._places[index]
            packed[start : start + tensor.nbytes] = tensor.view(-1).view(torch.uint8)
        self._copy = gpu.copy(packed)
        self._made = made

    @property
    def addresses(self) -> dict[int, int]:
        return {index: self._copy.data_ptr() + place for index, place in self._places.items()}

    def read_back(self, tensor: "torch.Tensor") -> None:
        """Waits for the kernel and takes over what it wrote in place of this one."""
        for index, sent in self._made.items():
            if sent is tensor:
                start = self._places[index]
                tensor.copy_(self._copy[start : start + tensor.nbytes])


def _offsets(sizes: Mapping[int, int], alignment: int = ALIGNMENT) -> tuple[dict[int, int], int]:
    """Where parts of these sizes lie one behind the other, and how long the whole is."""
    places: dict[int, int] = {}
    end = 0
    for index, size in sorted(sizes.items()):
        places[index] = -(-end // alignment) * alignment
        end = places[index] + size
    return places, end


def _sizes(sizes: Triple) -> str:
    return " × ".join(map(str, sizes))
