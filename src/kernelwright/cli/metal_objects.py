"""The object that ``kernelwright metal … --json`` prints. Documented field by field in docs/metal.md."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from kernelwright.cli.objects import JsonObject
from kernelwright.schema import Record

if TYPE_CHECKING:
    import torch

    from kernelwright.metal import Diagnostic, KernelSignature, Report


class MetalDiagnostic(Record):
    """One error, warning or note about the source."""

    severity: str
    message: str
    file: str
    line: int
    column: int
    section: str
    text: str

    @classmethod
    def of(cls, found: "Diagnostic") -> Self:
        place = found.place
        return cls(
            severity=found.severity,
            message=found.message,
            file=place.file,
            line=place.line,
            column=place.column,
            section=found.section,
            text=found.text,
        )


class MetalArgument(Record):
    """One parameter of a kernel."""

    name: str
    kind: str
    index: int
    type: str


class MetalKernel(Record):
    """One kernel of the program."""

    name: str
    line: int
    synchronises: bool
    max_threads: int
    arguments: tuple[MetalArgument, ...]

    @classmethod
    def of(cls, found: "KernelSignature") -> Self:
        arguments = tuple(MetalArgument(name=a.name, kind=a.kind, index=a.index, type=a.type) for a in found.arguments)
        return cls(
            name=found.host_name,
            line=found.place.line,
            synchronises=found.synchronises,
            max_threads=found.max_threads,
            arguments=arguments,
        )


class MetalReport(Record):
    """One broken rule that the checks saw."""

    kind: str
    message: str
    file: str
    line: int
    other_line: int
    buffer: int | None
    argument: str
    thread: int
    other_thread: int | None
    threadgroup: tuple[int, int, int]

    @classmethod
    def of(cls, found: "Report") -> Self:
        return cls(**vars(found))


class MetalOutput(Record):
    """One buffer after the run."""

    buffer: int
    dtype: str
    shape: tuple[int, ...]
    smallest: float | None
    largest: float | None
    values: tuple[float, ...]

    @classmethod
    def of(cls, buffer: int, dtype: str, tensor: "torch.Tensor", shown: int) -> Self:
        numbers = tensor.double().reshape(-1)
        return cls(
            buffer=buffer,
            dtype=dtype,
            shape=tuple(tensor.shape),
            smallest=float(numbers.min()) if len(numbers) else None,
            largest=float(numbers.max()) if len(numbers) else None,
            values=tuple(numbers[:shown].tolist()),
        )


class MetalObject(JsonObject):
    """``kernelwright metal run --json`` and ``kernelwright metal check --json``."""

    schema_version: Literal["kernelwright.metal/1"] = Field(default="kernelwright.metal/1", alias="schema")
    command: Literal["run", "check"]
    file: str
    ok: bool
    kernel: str | None
    threads: tuple[int, ...]
    group_size: tuple[int, ...]
    device: Literal["cpu", "cuda"]
    kernels: tuple[MetalKernel, ...]
    diagnostics: tuple[MetalDiagnostic, ...]
    reports: tuple[MetalReport, ...]
    error: str
    outputs: tuple[MetalOutput, ...]
    note: str
