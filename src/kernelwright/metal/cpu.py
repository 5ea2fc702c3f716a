"""A compiled program on the CPU: what ``library.py`` needs of a device."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from kernelwright.metal import inspection, reports, strict
from kernelwright.metal.arguments import Binding
from kernelwright.metal.contract import KernelSignature
from kernelwright.metal.errors import MetalCheckError, MetalRunError
from kernelwright.metal.guarded import guarded_copies
from kernelwright.metal.launch import MAX_THREADS, Check, Dispatch, Extent, LoadedProgram, Outcome
from kernelwright.metal.program import Program
from kernelwright.metal.work import Inspection

if TYPE_CHECKING:
    import torch


class CpuProgram:
    """A program of this process. Raises ``OSError`` for a library that cannot be loaded."""

    def __init__(self, program: Program):
        self.program = program
        self.loaded = LoadedProgram(program.library, program.toolchain)

    @property
    def device(self) -> "torch.device":
        import torch

        return torch.device("cpu")

    def kernel(self, signature: KernelSignature) -> "CpuKernel":
        return CpuKernel(self, signature)


class CpuKernel:
    """One kernel, which runs to its end when it is launched."""

    def __init__(self, owner: CpuProgram, signature: KernelSignature):
        self._program, self._loaded = owner.program, owner.loaded
        self._signature = signature
        self._record = owner.loaded.kernel(signature.number)
        self._static_bytes = 0

    @property
    def max_threads(self) -> int:
        return self._record.max_threads

    @property
    def static_bytes(self) -> int:
        """Known from the first launch on; 0 before."""
        return self._static_bytes

    def launch(self, dispatch: Dispatch, binding: Binding) -> None:
        """Raises ``MetalCheckError`` for broken rules, ``MetalRunError`` for a kernel that broke off."""
        runtime = self._loaded.runtime
        with runtime.lock:
            if not self._program.checked:
                self._finish(dispatch, runtime.launch(self._record, dispatch), dispatch.buffers)
                return
            dispatch = replace(dispatch, check=Check.RULES)
            table = reports.line_table(self._program.library)
            base = self._loaded.base()
            runtime.watch(base, base + table.size)
            with guarded_copies(runtime, binding) as buffers:
                outcome = runtime.launch(self._record, replace(dispatch, buffers=buffers))
            self._finish(dispatch, outcome, buffers)

    def inspect(self, dispatch: Dispatch, binding: Binding, sample: int | None) -> Inspection:
        """Raises ``RuntimeError`` for a program compiled without checks, ``MetalRunError`` for a kernel that broke off
        without a report."""
        if not self._program.checked:
            name = self._signature.host_name
            raise RuntimeError(f"kernel {name} cannot be inspected: compile its library with check=True")
        if 0 in dispatch.grid:
            return Inspection((), inspection.no_work(self._signature, dispatch))
        found = inspection.inspect(
            self._program, self._loaded, self._signature, self._record, dispatch, binding, sample
        )
        if not found.reports and found.outcome is not Outcome.GAVE_UP:
            self._judge(dispatch, found.outcome, found.work.threadgroup_memory)
        return Inspection(found.reports, found.work, found.outcome is Outcome.GAVE_UP)

    def _finish(self, dispatch: Dispatch, outcome: Outcome, buffers: Mapping[int, Extent]) -> None:
        runtime = self._loaded.runtime
        used = runtime.threadgroup_bytes_used()
        found = reports.read_reports(runtime.take_reports(), self._program.library, self._signature, buffers)
        if found and self._program.checked:
            raise MetalCheckError(self._signature.host_name, found)
        self._judge(dispatch, outcome, used)

    def _judge(self, dispatch: Dispatch, outcome: Outcome, used: int) -> None:
        """Raises for a launch that broke off, or that used more threadgroup memory (bytes) than a Mac has."""
        name = self._signature.host_name
        match outcome:
            case Outcome.TOO_MANY_THREADS:
                raise ValueError(f"Threadgroup size exceeds {MAX_THREADS} limit")
            case Outcome.FAR_ACCESS:
                what = "memory that belongs to no buffer, or a vector that is not aligned as its type"
                raise MetalRunError(f"kernel {name} was stopped: it accessed {what}; check=True says where")
            case Outcome.DEADLOCK:
                raise MetalRunError(f"kernel {name} was stopped: its threads wait for each other at different places")
            case Outcome.GAVE_UP:
                raise MetalRunError(f"kernel {name} was stopped: a threadgroup waits for another one that does not run")
            case Outcome.DONE:
                self._static_bytes = used - sum(dispatch.threadgroup_bytes.values())
                if objection := strict.check_launch(self._signature, dispatch.group, used):
                    raise RuntimeError(objection)
