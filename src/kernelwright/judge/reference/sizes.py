"""Another size: the same inputs with fewer rows, where the reference takes them.

A kernel may be written for the shapes that a problem has, and is called with no others where it is put to use. Whether
it would be right for others is worth knowing, and is a label of the verdict: ``fixed_shapes``.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from kernelwright.problems.structure import flatten, unflatten

FEWER_ROWS = "fewer rows"


def with_fewer_rows(inputs: Sequence[Any]) -> Iterator[Any]:
    """``inputs`` with about two thirds of the rows: of all leaves that share the first one's, then of the first alone.

    An odd number of rows where there are enough, so that it is no multiple of much. Nothing where there is no batch.
    """
    leaves, structure = flatten(tuple(inputs))
    with_rows = [k for k, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor) and leaf.dim()]
    if not with_rows:
        return
    rows = leaves[with_rows[0]].shape[0]
    fewer = rows - max(1, rows // 3)
    fewer -= fewer > 2 and fewer % 2 == 0
    if fewer < 1:
        return
    together = [k for k in with_rows if leaves[k].shape[0] == rows]
    for chosen in (together, with_rows[:1]) if len(together) > 1 else (together,):
        cut = [leaf[:fewer].clone() if k in chosen else leaf for k, leaf in enumerate(leaves)]
        yield unflatten(cut, structure)
