"""``compile_shader``: the contract of ``torch.mps.compile_shader`` on machines without an Apple GPU.

A library object has the program's kernels as attributes. A kernel is called with tensors, numbers and lists;
``threads`` and ``group_size`` say over how many threads it runs.
"""

import operator
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kernelwright.metal import reports, strict
from kernelwright.metal.arguments import ArgCasts, Binding, bind, reported_error
from kernelwright.metal.contract import KernelSignature
from kernelwright.metal.errors import MetalCheckError, MetalRunError, UnknownKernel
from kernelwright.metal.guarded import guarded_copies
from kernelwright.metal.launch import (
    MAX_THREADS,
    SIMD_WIDTH,
    Check,
    Dispatch,
    Extent,
    LoadedProgram,
    Order,
    Outcome,
    Runtime,
    Triple,
)
from kernelwright.metal.program import Constants, Program, build

Threads = int | Sequence[int]
_MOST_IN_A_DIRECTION = (1 << 32) - 1


def compile_shader(
    source: str,
    *,
    check: bool = False,
    includes: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    constants: Constants | None = None,
    kernels: Collection[str] | None = None,
    file: str = "program.metal",
) -> Any:
    """Compiles Metal source and returns a library whose attributes are its kernels.

    On a Mac this is ``torch.mps.compile_shader``. Elsewhere the program runs on the CPU, on CPU tensors; with
    ``check=True`` every access to memory is watched, and a kernel that breaks a rule raises ``MetalCheckError`` after
    it ran (ten to several hundred times slower). ``includes``: folders for ``#include``; PyTorch's ``c10/metal``
    headers are found without. ``defines``: macros. ``constants``: values of function constants by name or index.
    ``kernels``: compile these alone, which saves time where a source instantiates hundreds. ``file``: what diagnostics
    call the source.

    Raises ``MetalCompileError`` (a ``SyntaxError``, as from torch.mps), ``ToolchainMissing``, and ``ValueError`` for a
    function constant or a kernel that the program does not have.
    """
    if sys.platform == "darwin" and not check:
        return _on_a_mac(source, includes, defines, constants)
    program = build(
        source, checked=check, includes=includes, defines=defines, constants=constants, kernels=kernels, file=file
    )
    return ShaderLibrary(program)


def _on_a_mac(
    source: str, includes: Sequence[Path], defines: Mapping[str, str] | None, constants: Constants | None
) -> Any:
    import torch

    if includes or constants:
        raise RuntimeError("torch.mps.compile_shader knows neither folders for #include nor function constants")
    macros = "".join(f"#define {name} {value}\n" for name, value in (defines or {}).items())
    return torch.mps.compile_shader(f"{macros}#line 1\n{source}" if macros else source)


class ShaderLibrary:
    """A compiled program. Its attributes are its kernels, under their host names; ``dir()`` lists them."""

    def __init__(self, program: Program):
        self._program = program
        self._loaded = LoadedProgram(program.library, program.toolchain) if program.kernels else None
        self._signatures = {kernel.host_name: kernel for kernel in program.kernels}
        self._kernels: dict[str, Kernel] = {}

    def __getattr__(self, name: str) -> "Kernel":
        known = self.__dict__.get("_signatures", {})
        if name not in known:
            raise UnknownKernel(name)
        if name not in self._kernels:
            assert self._loaded is not None
            self._kernels[name] = Kernel(self._program, self._loaded, known[name])
        return self._kernels[name]

    def __dir__(self) -> list[str]:
        return sorted(self._signatures)

    def __repr__(self) -> str:
        return f"<Metal library with {', '.join(dir(self)) or 'no kernels'}>"


class Kernel:
    """One kernel of a library, to be called."""

    def __init__(self, program: Program, loaded: LoadedProgram, signature: KernelSignature):
        self._program = program
        self._signature = signature
        self._loaded = loaded
        self._record = loaded.kernel(signature.number)
        self._buffers = {a.index: a.name for a in signature.arguments if a.kind == "buffer"}
        self._dynamic = {a.index: a.name for a in signature.arguments if a.kind == "threadgroup"}
        self._static_bytes = 0

    def __repr__(self) -> str:
        return f"<Metal kernel {self._signature.host_name}>"

    @property
    def max_threads_per_threadgroup(self) -> int:
        """``[[max_total_threads_per_threadgroup]]`` where the kernel has it, else what every Apple GPU can: 1024."""
        return self._record.max_threads or MAX_THREADS

    @property
    def thread_execution_width(self) -> int:
        """Threads in a simdgroup: 32."""
        return SIMD_WIDTH

    @property
    def static_thread_group_memory_length(self) -> int:
        """Bytes of the kernel's threadgroup variables. Known from the first call on; 0 before."""
        return self._static_bytes

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
        """Runs the kernel to its end over ``threads`` (1 to 3 numbers; by default one for each element of the first
        tensor) in threadgroups of ``group_size``.

        ``arg_casts``: ``fp16``, ``bf16``, ``int32``, ``int16``, ``int8`` or ``uint8`` for numbers, one for all or by
        position. ``error_buf_idx``: the buffer of ``c10::metal::ErrorMessages``; what the kernel reports there is
        raised. Beyond torch.mps: ``threadgroup_bytes``, the sizes of ``[[threadgroup(i)]]`` arguments, and ``order``,
        in which the threads of a threadgroup run between barriers: ``ascending``, ``descending`` or ``shuffled``
        (by ``seed``); a kernel whose result depends on it has a race.

        Raises what torch.mps raises: ``RuntimeError`` for arguments, ``ValueError`` for too large a threadgroup,
        ``torch.AcceleratorError`` for what the kernel reports. In a library compiled with ``check=True`` also
        ``MetalCheckError``.
        """
        given, group = _sizes(threads), _sizes(group_size)
        binding = bind(args, arg_casts, error_buf_idx)
        if given is None and binding.elements is not None:
            given = (binding.elements,)
        if given is None:
            raise RuntimeError("Number of threads is undefined or has wrong dimension")
        size = self._group(given, group)
        memory = dict(threadgroup_bytes or {})
        self._refuse(binding, size, memory)
        if 0 in given:
            return
        watched = Check.RULES if self._program.checked else Check.NONE
        dispatch = Dispatch(binding.buffers, memory, _triple(given), size, Order[order.upper()], seed, watched)
        device = self._loaded.runtime
        with device.lock:
            self._launch(device, dispatch, binding)
        said = reported_error(binding)
        if said is not None:
            raise _accelerator_error()(said)

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
        self._limits(group, sum(memory.values()))

    def _limits(self, group: Triple, memory: int) -> None:
        objection = strict.check_launch(self._signature, group, memory)
        if objection:
            raise RuntimeError(objection)

    def _launch(self, device: Runtime, dispatch: Dispatch, binding: Binding) -> None:
        if not self._program.checked:
            self._finish(device, dispatch, device.launch(self._record, dispatch), dispatch.buffers)
            return
        table = reports.line_table(self._program.library)
        base = self._loaded.base()
        device.watch(base, base + table.size)
        with guarded_copies(device, binding) as buffers:
            outcome = device.launch(self._record, replace(dispatch, buffers=buffers))
        self._finish(device, dispatch, outcome, buffers)

    def _finish(self, device: Runtime, dispatch: Dispatch, outcome: Outcome, buffers: Mapping[int, Extent]) -> None:
        used = device.threadgroup_bytes_used()
        records = device.take_reports()
        found = reports.read_reports(records, self._program.library, self._signature, buffers)
        if found and self._program.checked:
            raise MetalCheckError(self._signature.host_name, found)
        name = self._signature.host_name
        match outcome:
            case Outcome.TOO_MANY_THREADS:
                raise ValueError(f"Threadgroup size exceeds {MAX_THREADS} limit")
            case Outcome.FAR_ACCESS:
                raise MetalRunError(f"kernel {name} was stopped: it accessed memory that belongs to no buffer")
            case Outcome.DEADLOCK:
                raise MetalRunError(f"kernel {name} was stopped: its threads wait for each other at different places")
            case Outcome.DONE:
                self._static_bytes = used - sum(dispatch.threadgroup_bytes.values())
                self._limits(dispatch.group, used)


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
