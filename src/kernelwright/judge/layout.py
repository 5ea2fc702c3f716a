"""How output tensors lie in memory: whether a caller who writes to one element changes another."""

from collections.abc import Sequence

import torch


def overlaps(outputs: Sequence[torch.Tensor]) -> list[int | None]:
    """For each tensor: the first one, itself included, that it has memory in common with; ``None`` where there is none.

    Tensors that lie in one buffer and touch different elements of it have nothing in common. Exact for strided tensors;
    what has no strides has no overlap.
    """
    found: list[int | None] = []
    for k, tensor in enumerate(outputs):
        earlier = (j for j in range(k) if _same_buffer(outputs[j], tensor) and _touch(outputs[j], tensor))
        found.append(next(earlier, k if _touches_itself(tensor) else None))
    return found


def _same_buffer(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a.layout is not torch.strided or b.layout is not torch.strided or not a.numel() or not b.numel():
        return False
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def _marked(tensor: torch.Tensor, marks: torch.Tensor) -> torch.Tensor:
    """The view of ``marks`` (one byte for each of the buffer's) that begins each of the tensor's elements."""
    size = tensor.element_size()
    strides = [stride * size for stride in tensor.stride()]
    return marks.as_strided(tensor.shape, strides, tensor.storage_offset() * size)


def _marks(tensor: torch.Tensor) -> torch.Tensor:
    return torch.zeros(tensor.untyped_storage().nbytes(), dtype=torch.bool)


def _touch(a: torch.Tensor, b: torch.Tensor) -> bool:
    marks = _marks(a)
    _marked(a, marks).fill_(True)
    return bool(_marked(b, marks).any())


def _touches_itself(tensor: torch.Tensor) -> bool:
    if tensor.layout is not torch.strided or tensor.numel() < 2:
        return False
    order = sorted(range(tensor.dim()), key=lambda d: (-tensor.stride(d), -tensor.size(d)))
    if tensor.permute(order).is_contiguous():
        return False
    if any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True)):
        return True
    marks = _marks(tensor)
    _marked(tensor, marks).fill_(True)
    return int(marks.sum()) < tensor.numel()
