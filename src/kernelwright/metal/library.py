"""``compile_shader``: the contract of ``torch.mps.compile_shader`` on machines without an Apple GPU.

A library object has the program's kernels as attributes. A kernel is called with tensors, numbers and lists;
``threads`` and ``group_size`` say over how many threads it runs. All of the contract is here, whatever the device;
``cpu.py`` and ``nvidia/kernel.py`` say how a program is loaded and a kernel is launched there.
"""

import operator
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kernelwright.metal import strict
from kernelwright.metal.arguments import ArgCasts, Binding, bind, reported_error
from kernelwright.metal.contract import KernelSignature
from kernelwright.metal.cpu import CpuProgram
from kernelwright.metal.errors import UnknownKernel
from kernelwright.metal.launch import MAX_THREADS, SIMD_WIDTH, Dispatch, Order, Triple
from kernelwright.metal.program import Constants, Program, build
from kernelwright.metal.work import Inspection

if TYPE_CHECKING:
    import torch

Threads = int | Sequence[int]
_MOST_IN_A_DIRECTION = (1 << 32) - 1


class LoadedKernel(Protocol):
    """One kernel on its device."""

    @property
    def max_threads(self) -> int:
        """``[[max_total_threads_per_threadgroup]]``; 0: the kernel has none."""
        ...

    @property
    def static_bytes(self) -> int:
        """Of its threadgroup variables; 0 as long as they are not known."""
        ...

    def launch(self, dispatch: Dispatch, binding: Binding) -> None:
        """Runs it, or enqueues it. Raises for what this device cannot do and for what it sees go wrong."""
        ...

    def inspect(self, dispatch: Dispatch, binding: Binding, sample: int | None) -> Inspection:
        """What ``Kernel.inspect`` answers. Raises ``RuntimeError`` where that cannot be had."""
        ...


class LoadedProgram(Protocol):
    """A compiled program on its device."""

    @property
    def device(self) -> "torch.device":
        """Where tensors have to be."""
        ...

    def kernel(self, signature: KernelSignature) -> LoadedKernel: ...


def compile_shader(
    source: str,
    *,
    device: str = "cpu",
    check: bool = False,
    includes: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    constants: Constants | None = None,
    kernels: Collection[str] | None = None,
    file: str = "program.metal",
) -> Any:
    """Compiles Metal source and returns a library whose attributes are its kernels.

    On a Mac with a GPU this is ``torch.mps.compile_shader``. Elsewhere the program runs on the CPU, on CPU tensors, or
    with ``device="cuda"`` (``cuda:1``, …) on an NVIDIA GPU, on tensors there and on PyTorch's current stream. With
    ``check=True``, on the CPU only but on a Mac too, every access to memory is watched, and a kernel that breaks a rule
    raises ``MetalCheckError`` after it ran (ten to several hundred times slower). ``includes``: folders for
    ``#include``; PyTorch's ``c10/metal`` headers are found without. ``defines``: macros. ``constants``: values of
    function constants by name or index. ``kernels``: compile these alone, which saves time where a source instantiates
    hundreds. ``file``: what diagnostics call the source.

    Raises ``MetalCompileError`` (a ``SyntaxError``, as from torch.mps), ``ToolchainMissing``, ``NvidiaMissing``, and
    ``ValueError`` for a function constant or a kernel that the program does not have and for an unknown device.
    """
    if device != "cpu":
        return _on_an_nvidia_gpu(source, device, check, includes, defines, constants, kernels, file)
    if not check and _has_apple_gpu():
        return _on_a_mac(source, includes, defines, constants, kernels)
    program = build(
        source, checked=check, includes=includes, defines=defines, constants=constants, kernels=kernels, file=file
    )
    return ShaderLibrary(program)


def _has_apple_gpu() -> bool:
    if sys.platform != "darwin":
        return False
    import torch

    return torch.backends.mps.is_available()


def _on_an_nvidia_gpu(
    source: str,
    device: str,
    check: bool,
    includes: Sequence[Path],
    defines: Mapping[str, str] | None,
    constants: Constants | None,
    kernels: Collection[str] | None,
    file: str,
) -> "ShaderLibrary":
    from kernelwright.metal.nvidia.kernel import NvidiaProgram, gpu

    if check:
        raise ValueError(f"check=True watches kernels on the CPU only, not on device {device!r}")
    where = gpu(device)
    program = build(
        source, backend=where.backend(), includes=includes, defines=defines, constants=constants, kernels=kernels,
        file=file,
    )  # fmt: skip
    return ShaderLibrary(program, NvidiaProgram(program, where))


def _on_a_mac(
    source: str,
    includes: Sequence[Path],
    defines: Mapping[str, str] | None,
    constants: Constants | None,
    kernels: Collection[str] | None,
) -> Any:
    import torch

    if includes or constants or kernels is not None:
        what = "folders for #include, function constants or a choice of kernels"
        raise RuntimeError(f"torch.mps.compile_shader does not know {what}")
    macros = "".join(f"#define {name} {value}\n" for name, value in (defines or {}).items())
    return torch.mps.compile_shader(f"{macros}#line 1\n{source}" if macros else source)


class ShaderLibrary:
    """A compiled program. Its attributes are its kernels, under their host names; ``dir()`` lists them."""

    def __init__(self, program: Program, loaded: LoadedProgram | None = None):
        self._loaded = loaded or (CpuProgram(program) if program.kernels else None)
        self._signatures = {kernel.host_name: kernel for kernel in program.kernels}
        self._kernels: dict[str, Kernel] = {}

    def __getattr__(self, name: str) -> "Kernel":
        known = self.__dict__.get("_signatures", {})
        if name not in known:
            raise UnknownKernel(name)
        if name not in self._kernels:
            assert self._loaded is not None
            self._kernels[name] = Kernel(known[name], self._loaded)
        return self._kernels[name]

    def __dir__(self) -> list[str]:
        return sorted(self._signatures)

    def __repr__(self) -> str:
        return f"<Metal library with {', '.join(dir(self)) or 'no kernels'}>"


class Kernel:
    """One kernel of a library, to be called."""

    def __init__(self, signature: KernelSignature, program: LoadedProgram):
        self._signature = signature
        self._device = program.device
        self._loaded = program.kernel(signature)
        self._buffers = {a.index: a.name for a in signature.arguments if a.kind == "buffer"}
        self._dynamic = {a.index: a.name for a in signature.arguments if a.kind == "threadgroup"}

    def __repr__(self) -> str:
        return f"<Metal kernel {self._signature.host_name}>"

    @property
    def max_threads_per_threadgroup(self) -> int:
        """``[[max_total_threads_per_threadgroup]]`` where the kernel has it, else what every Apple GPU can: 1024."""
        return self._loaded.max_threads or MAX_THREADS

    @property
    def thread_execution_width(self) -> int:
        """Threads in a simdgroup: 32."""
        return SIMD_WIDTH

    @property
    def static_thread_group_memory_length(self) -> int:
        """Bytes of the kernel's threadgroup variables. On the CPU known from the first call on; 0 before."""
        return self._loaded.static_bytes

    def __call__(
        self,
        *args: Any,
        threads: Threads | None = None,
        group_size: Threads | None = None,
        arg_casts: ArgCasts = None,
        error_buf_idx: int | None = None,
        threadgroup_bytes: Mapping[int, int] | None = None,
        order: str = "ascending",
        seed: int = 0,
    ) -> None:
        """Runs the kernel over ``threads`` (1 to 3 numbers; by default one for each element of the first
        tensor) in threadgroups of ``group_size``.

        ``arg_casts``: ``fp16``, ``bf16``, ``int32``, ``int16``, ``int8`` or ``uint8`` for numbers, one for all or by
        position. ``error_buf_idx``: the buffer of ``c10::metal::ErrorMessages``; what the kernel reports there is
        raised. Beyond torch.mps: ``threadgroup_bytes``, the sizes of ``[[threadgroup(i)]]`` arguments, and ``order``,
        in which the threads of a threadgroup run between barriers: ``ascending``, ``descending`` or ``shuffled``
        (by ``seed``); a kernel whose result depends on it has a race. On the CPU a call returns when the kernel has
        ended; on a GPU it is enqueued.

        Raises what torch.mps raises: ``RuntimeError`` for arguments, ``ValueError`` for too large a threadgroup,
        ``torch.AcceleratorError`` for what the kernel reports. In a library compiled with ``check=True`` also
        ``MetalCheckError``.
        """
        binding = bind(args, arg_casts, error_buf_idx, self._device)
        dispatch = self._dispatch(binding, threads, group_size, threadgroup_bytes, order, seed)
        if 0 in dispatch.grid:
            return
        self._loaded.launch(dispatch, binding)
        said = reported_error(binding)
        if said is not None:
            raise _accelerator_error()(said)

    def inspect(
        self,
        *args: Any,
        threads: Threads | None = None,
        group_size: Threads | None = None,
        arg_casts: ArgCasts = None,
        error_buf_idx: int | None = None,
        threadgroup_bytes: Mapping[int, int] | None = None,
        order: str = "ascending",
        seed: int = 0,
        sample: int | None = None,
    ) -> Inspection:
        """Runs the kernel as a call does, on copies of its buffers, with all checks and counters on. Nothing is written
        to the caller's tensors.

        ``sample``: run at most so many threadgroups, the first, the last, and others drawn by ``seed`` from equal parts
        of those in between; counts are scaled up to all. A threadgroup that waits for another one which does not run
        ends the run after a bounded number of attempts: the answer then covers what ran before. What the kernel reports
        with ``error_buf_idx`` is lost with the copies.

        A broken rule does not raise, it is in ``reports``. Raises what a call raises for its arguments and for a kernel
        that breaks off without a report; ``RuntimeError`` for a library compiled without ``check=True``;
        ``ValueError`` for a sample of no threadgroup.
        """
        if sample is not None and sample < 1:
            name = self._signature.host_name
            raise ValueError(f"kernel {name}: a sample of {sample} threadgroups; it takes at least 1")
        binding = bind(args, arg_casts, error_buf_idx, self._device)
        dispatch = self._dispatch(binding, threads, group_size, threadgroup_bytes, order, seed)
        return self._loaded.inspect(dispatch, binding, sample)

    def _dispatch(
        self,
        binding: Binding,
        threads: Threads | None,
        group_size: Threads | None,
        threadgroup_bytes: Mapping[int, int] | None,
        order: str,
        seed: int,
    ) -> Dispatch:
        """What a call asks for. Raises for what cannot be launched."""
        given, group = _sizes(threads), _sizes(group_size)
        if given is None and binding.elements is not None:
            given = (binding.elements,)
        if given is None:
            raise RuntimeError("Number of threads is undefined or has wrong dimension")
        size = self._group(given, group)
        memory = dict(threadgroup_bytes or {})
        self._refuse(binding, size, memory)
        return Dispatch(binding.buffers, memory, _triple(given), size, Order[order.upper()], seed)

    def _group(self, threads: tuple[int, ...], group: tuple[int, ...] | None) -> Triple:
        """The threadgroup's size, chosen and checked as torch.mps does."""
        most = self.max_threads_per_threadgroup
        if group is None:
            group = (max(1, min(threads[0], most)),) if len(threads) == 1 else (most, *(1 for _ in threads[1:]))
        if len(group) != len(threads):
            raise RuntimeError("size and group_size must have same number of dimensions")
        size = _triple(group)
        if size[0] * size[1] * size[2] > most:
            raise ValueError(f"Threadgroup size exceeds {most} limit")
        if 0 in size:
            raise ValueError("Threadgroup size must be positive")
        return size

    def _refuse(self, binding: Binding, group: Triple, memory: Mapping[int, int]) -> None:
        """Raises for a call that a Mac could not carry out, or whose buffers are missing."""
        name = self._signature.host_name
        for index, argument in self._buffers.items():
            if index not in binding.buffers:
                raise RuntimeError(f"kernel {name}: buffer {index} ({argument}) was not given")
        for index, argument in self._dynamic.items():
            if not memory.get(index):
                raise RuntimeError(
                    f"kernel {name}: threadgroup memory {index} ({argument}) has no size: torch.mps cannot give it "
                    "one, declare a threadgroup variable in the kernel instead (here also: threadgroup_bytes)"
                )
        if objection := strict.check_launch(self._signature, group, self._loaded.static_bytes + sum(memory.values())):
            raise RuntimeError(objection)


def _sizes(given: Threads | None) -> tuple[int, ...] | None:
    """A number of threads for each direction; the errors are those of torch.mps."""
    if given is None:
        return None
    try:
        sizes = (operator.index(given),) if not isinstance(given, Sequence) else tuple(map(operator.index, given))
    except TypeError:
        raise RuntimeError(f"Unable to cast {given!r} to a list of sizes") from None
    if not 0 < len(sizes) < 4:
        raise RuntimeError("Number of threads is undefined or has wrong dimension")
    if not all(0 <= size <= _MOST_IN_A_DIRECTION for size in sizes):
        raise RuntimeError(f"Unable to cast {given!r} to a list of sizes")
    return sizes


def _triple(sizes: tuple[int, ...]) -> Triple:
    x, y, z = (*sizes, 1, 1)[:3]
    return x, y, z


def _accelerator_error() -> type[Exception]:
    import torch

    return torch.AcceleratorError
