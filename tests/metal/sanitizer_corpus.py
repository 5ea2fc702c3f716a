"""The Metal files of ``bugs`` and ``clean``: what their header comments say about how to run them and what to expect.

// kernel: rotate_left
// buffer 0: float 128 zero          dtype, number of elements, and zero, ramp (0, 1, 2, …), random or value V
// threadgroup 0: 1024               bytes of a [[threadgroup(0)]] argument
// threads: 128                      one to three numbers
// group: 64
// expect: race line 15 other 16 buffer 0 thread 3 threadgroup 0 0 0      all but kind and line may be left out
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kernelwright import metal

FOLDER = Path(__file__).parent
_DTYPES = {
    "float": torch.float32, "half": torch.float16, "bfloat": torch.bfloat16, "int": torch.int32, "uint": torch.uint32,
    "long": torch.int64, "uchar": torch.uint8, "bool": torch.bool,
}  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """One report. ``None``: not said."""

    kind: str
    line: int
    other: int | None = None
    buffer: int | None = None
    thread: int | None = None
    threadgroup: tuple[int, ...] | None = None

    def matches(self, report: Any) -> bool:
        """Whether the report is the one meant."""
        return (
            (self.kind, self.line) == (report.kind, report.line)
            and self.other in (None, report.other_line)
            and self.buffer in (None, report.buffer)
            and self.thread in (None, report.thread)
            and self.threadgroup in (None, report.threadgroup)
        )


@dataclass(frozen=True)
class Case:
    """One file."""

    path: Path
    kernel: str
    buffers: tuple[tuple[str, int, str], ...]
    threads: tuple[int, ...]
    group: tuple[int, ...]
    memory: dict[int, int]
    expected: tuple[Expected, ...]

    @property
    def source(self) -> str:
        return self.path.read_text()

    def tensors(self) -> list[torch.Tensor]:
        """Fresh buffers, the same each time."""
        return [_filled(*buffer) for buffer in self.buffers]

    def run(self, library: Any, tensors: list[torch.Tensor], **options: Any) -> None:
        """Calls the kernel of a library compiled from the source."""
        memory = self.memory or None
        getattr(library, self.kernel)(
            *tensors, threads=self.threads, group_size=self.group, threadgroup_bytes=memory, **options
        )

    def reports(self) -> tuple[Any, ...]:
        """What the checks say."""
        library = metal.compile_shader(self.source, check=True, file=self.path.name)
        try:
            self.run(library, self.tensors())
        except metal.MetalCheckError as error:
            return error.reports
        return ()


def cases(folder: str) -> list[Case]:
    """All files of ``bugs`` or ``clean``."""
    return [_read(path) for path in sorted((FOLDER / folder).glob("*.metal"))]


def _read(path: Path) -> Case:
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r"^// (\w+(?: \d+)?): (.*)$", path.read_text(), re.MULTILINE):
        fields.setdefault(name, []).append(value)
    buffers: list[tuple[str, int, str]] = []
    while values := fields.get(f"buffer {len(buffers)}"):
        dtype, count, fill = values[0].split(maxsplit=2)
        buffers.append((dtype, int(count), fill))
    memory = {int(name.split()[1]): int(v[0]) for name, v in fields.items() if name.startswith("threadgroup ")}
    return Case(
        path,
        fields["kernel"][0],
        tuple(buffers),
        tuple(map(int, fields["threads"][0].split())),
        tuple(map(int, fields["group"][0].split())),
        memory,
        tuple(_expected(text) for text in fields.get("expect", [])),
    )


def _expected(text: str) -> Expected:
    kind, *rest = text.split()
    found: dict[str, Any] = {}
    for name, values in re.findall(r"([a-z]+)((?: \d+)+)", " ".join(rest)):
        numbers = tuple(map(int, values.split()))
        found[name] = numbers if name == "threadgroup" else numbers[0]
    return Expected(kind, **found)


def _filled(dtype: str, count: int, fill: str) -> torch.Tensor:
    if fill == "zero":
        return torch.zeros(count, dtype=_DTYPES[dtype])
    if fill == "random":
        generator = torch.Generator().manual_seed(count)
        values = torch.randn(count, generator=generator)
        return (values if _DTYPES[dtype].is_floating_point else 100 * values).to(_DTYPES[dtype])
    if fill == "ramp":
        return torch.arange(count).to(_DTYPES[dtype])
    word, value = fill.split()
    assert word == "value", fill
    return torch.full((count,), float(value)).to(_DTYPES[dtype])
