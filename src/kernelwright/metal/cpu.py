"""A compiled program on the CPU: what ``library.py`` needs of a device."""

from dataclasses import replace
from typing import TYPE_CHECKING

from kernelwright.metal import inspection, reports, strict
from kernelwright.metal.arguments import Binding
from kernelwright.metal.contract import KernelSignature
from kernelwright.metal.errors import MetalCheckError, MetalRunError
from kernelwright.metal.guarded import contents, guarded_copies
from kernelwright.metal.launch import MAX_THREADS, Check, Dispatch, LoadedProgram, Outcome
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
                outcome = runtime.launch(self._record, dispatch)
                runtime.take_reports()
            else:
                outcome = self._watched(dispatch, binding)
            self._judge(dispatch, outcome, runtime.threadgroup_bytes_used())

    def _watched(self, dispatch: Dispatch, binding: Binding) -> Outcome:
        """Runs on copies of the buffers. Raises ``MetalCheckError`` for broken rules."""
        runtime = self._loaded.runtime
        base = self._loaded.base()
        runtime.watch(base, base + reports.line_table(self._program.library).size)
        with guarded_copies(runtime, binding) as buffers:
            watched = replace(dispatch, buffers=buffers, check=Check.RULES)
            outcome = runtime.launch(self._record, watched)
            found = reports.read_reports(runtime.take_reports(), self._program.library, self._signature, buffers)
            if any(report.moved for report in found) and not self._uses_absent_lanes(watched, binding):
                found = [report for report in found if not report.moved]
        if found:
            raise MetalCheckError(self._signature.host_name, found)
        return outcome

    def _uses_absent_lanes(self, done: Dispatch, binding: Binding) -> bool:
        """Whether another run, in which lanes without a thread answer shuffles with other values, leaves anything else
        in the buffers than the one that is ``done``."""
        runtime = self._loaded.runtime
        with guarded_copies(runtime, binding, write_back=False) as buffers:
            runtime.launch(self._record, replace(done, buffers=buffers, check=Check.RULES | Check.OTHER_ABSENT))
            runtime.take_reports()
            compared = buffers.keys() - binding.pointees.keys()  # lists of addresses differ always
            return any(contents(buffers[index]) != contents(done.buffers[index]) for index in compared)

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
