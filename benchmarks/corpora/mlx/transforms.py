"""fft: Fourier transforms of one threadgroup, by the radices that a size is made of."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from corpora.answers import Answer
from corpora.cases import Case

RADICES = (13, 11, 8, 7, 6, 5, 4, 3, 2)
"""In the order of the function constants from 4 on that count the steps of each."""


def cases() -> Iterator[Case]:
    yield _complex(64, {4: 3}, each=4, inverse=False)
    yield _complex(64, {4: 3}, each=4, inverse=True)
    yield _complex(1024, {8: 3, 2: 1}, each=8, inverse=False)
    yield _complex(60, {6: 1, 5: 1, 2: 1}, each=5, inverse=False)
    yield _complex(143, {13: 1, 11: 1}, each=11, inverse=False)
    yield _from_real(256, {4: 4}, each=4)
    yield _to_real(256, {4: 4}, each=4)


def _constants(n: int, steps: Mapping[int, int], each: int, inverse: bool) -> dict[str | int, bool | int]:
    """``each``: elements for a thread."""
    chosen: dict[str | int, bool | int] = {0: inverse, 1: n & (n - 1) == 0, 2: each, 3: n}
    for number, radix in enumerate(RADICES):
        chosen[4 + number] = steps.get(radix, 0)
        chosen[13 + number] = 0
    return chosen


def _launch(kernel: Any, x: torch.Tensor, out: torch.Tensor, n: int, each: int, rows: int, at_once: int) -> None:
    """``at_once``: transforms that a thread works on, two where they are real."""
    together = max(256 // n, 1)
    groups = -(-rows // (together * at_once))
    threads = -(-n // each)
    kernel(x, out, n, rows, threads=[groups, together, threads], group_size=[1, together, threads])


def _memory(n: int) -> int:
    size = 256
    while size < max(256 // n, 1) * n:
        size *= 2
    return size


def _complex(n: int, steps: Mapping[int, int], each: int, inverse: bool) -> Case:
    kernel, rows = f"fft_mem_{_memory(n)}_float2_float2", 6

    def run(library: Any) -> Iterable[Answer]:
        x = torch.randn(rows, n, dtype=torch.complex64)
        out = torch.zeros_like(x)
        _launch(getattr(library, kernel), x, out, n, each, rows, at_once=1)
        exact = x.to(torch.complex128)
        yield Answer(out, torch.fft.ifft(exact) if inverse else torch.fft.fft(exact))

    sizes = f"{rows}x{n}" + (", inverse" if inverse else "")
    return Case("fft.metal", (kernel,), sizes, run, _constants(n, steps, each, inverse))


def _from_real(n: int, steps: Mapping[int, int], each: int) -> Case:
    kernel, rows = f"fft_mem_{_memory(n)}_float_float2", 6

    def run(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(rows, n), torch.zeros(rows, n // 2 + 1, dtype=torch.complex64)
        _launch(getattr(library, kernel), x, out, n, each, rows, at_once=2)
        yield Answer(out, torch.fft.rfft(x.double()))

    return Case("fft.metal", (kernel,), f"{rows}x{n}, real", run, _constants(n, steps, each, inverse=False))


def _to_real(n: int, steps: Mapping[int, int], each: int) -> Case:
    kernel, rows = f"fft_mem_{_memory(n)}_float2_float", 6

    def run(library: Any) -> Iterable[Answer]:
        signal, out = torch.randn(rows, n).double(), torch.zeros(rows, n)
        x = torch.fft.rfft(signal).to(torch.complex64)
        _launch(getattr(library, kernel), x, out, n, each, rows, at_once=2)
        yield Answer(out, torch.fft.irfft(x.to(torch.complex128), n))

    return Case("fft.metal", (kernel,), f"{rows}x{n}, to real", run, _constants(n, steps, each, inverse=True))
