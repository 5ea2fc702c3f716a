"""copy and random: memory moved and converted, bits drawn."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

from corpora.answers import Answer
from corpora.cases import Case, ints, longs
from corpora.mlx.names import NAMES

COUNT = 1003

CONVERSIONS = (
    (torch.float32, torch.float16), (torch.float32, torch.bfloat16), (torch.float16, torch.float32),
    (torch.bfloat16, torch.float16), (torch.int32, torch.float32), (torch.float32, torch.int32),
    (torch.uint8, torch.int64), (torch.float32, torch.bool), (torch.float32, torch.complex64),
    (torch.float32, torch.float32),
)  # fmt: skip


def cases() -> Iterator[Case]:
    for source, target in CONVERSIONS:
        yield _vector(source, target)
    yield from _shapes()
    yield _random()


def _draw(dtype: torch.dtype) -> torch.Tensor:
    if dtype.is_floating_point:
        return (torch.randn(COUNT) * 100).to(dtype)
    return torch.randint(0, 200, (COUNT,)).to(dtype)


def _vector(source: torch.dtype, target: torch.dtype) -> Case:
    kernel = f"v_copy{NAMES[source]}{NAMES[target]}"

    def run(library: Any) -> Iterable[Answer]:
        x, out = _draw(source), torch.zeros(COUNT, dtype=target)
        getattr(library, kernel)(x, out, COUNT, threads=COUNT, group_size=128)
        yield Answer(out, x.to(target))

    return Case("copy.metal", (kernel,), str(COUNT), run)


def _shapes() -> Iterator[Case]:
    """A source, or source and target, with strides of their own. Buffers that a kernel does not have get a 0."""

    def fill(library: Any) -> Iterable[Answer]:
        x, out = torch.tensor([2.5]), torch.zeros(COUNT)
        library.s_copyfloat32float32(x, out, COUNT, threads=COUNT, group_size=128)
        yield Answer(out, torch.full((COUNT,), 2.5).double())

    def transposed(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(33, 14).t(), torch.zeros(14, 33)
        library.g2_copyfloat32float32(x, out, 0, longs(*x.stride()), threads=[33, 14], group_size=[32, 1])
        yield Answer(out, x.double())

    def general(library: Any) -> Iterable[Answer]:
        x = torch.randn(3, 5, 4, 7).permute(2, 0, 3, 1)
        out = torch.zeros(x.shape)
        shape, strides = ints(*x.shape), longs(*x.stride())
        # two neighbours of a row for each thread
        library.gn2_copyfloat32float32(x, out, shape, strides, 0, 4, threads=[3, 7, 12], group_size=[3, 7, 1])
        yield Answer(out, x.double())

    def both(library: Any) -> Iterable[Answer]:
        x, out = torch.randn(12, 9).t(), torch.zeros(20, 9).t()[:, :12]
        strides = (longs(*x.stride()), longs(*out.stride()))
        library.gg2_copyfloat32float32(x, out, 0, *strides, threads=[12, 9], group_size=[12, 1])
        yield Answer(out.contiguous(), x.double())

    yield Case("copy.metal", ("s_copyfloat32float32",), f"one number to {COUNT}", fill)
    yield Case("copy.metal", ("g2_copyfloat32float32",), "14x33 transposed", transposed)
    yield Case("copy.metal", ("gn2_copyfloat32float32",), "4x3x7x5 permuted", general)
    yield Case("copy.metal", ("gg2_copyfloat32float32",), "9x12 both transposed", both)


def _random() -> Case:
    def run(library: Any) -> Iterable[Answer]:
        rows, words = 5, 6  # two words for each thread: the counters i and i + 3
        keys = torch.randint(0, 1 << 31, (rows, 2)).to(torch.uint32)
        out = torch.zeros(rows, words * 4, dtype=torch.uint8)
        library.rbitsc(keys, out, 0, words * 4, threads=[rows, words // 2], group_size=[rows, 1])
        want = np.zeros((rows, words), dtype=np.uint32)
        for row, key in enumerate(keys.numpy()):
            for i in range(words // 2):
                want[row, i], want[row, i + words // 2] = threefry(key, (i, i + words // 2))
        yield Answer(out, want.view(np.uint8))

    return Case("random.metal", ("rbitsc",), "5 keys, 6 words each", run)


ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry(key: np.ndarray, counter: tuple[int, int]) -> tuple[int, int]:
    """Threefry-2x32 with 20 rounds: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011."""
    mask = 0xFFFFFFFF
    schedule = (int(key[0]), int(key[1]), int(key[0]) ^ int(key[1]) ^ 0x1BD11BDA)
    a, b = (counter[0] + schedule[0]) & mask, (counter[1] + schedule[1]) & mask
    for block in range(5):
        for rotation in ROTATIONS[block % 2]:
            a = (a + b) & mask
            b = ((b << rotation | b >> (32 - rotation)) & mask) ^ a
        a = (a + schedule[(block + 1) % 3]) & mask
        b = (b + schedule[(block + 2) % 3] + block + 1) & mask
    return a, b
