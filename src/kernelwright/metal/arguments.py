"""What a kernel is called with, as memory: tensors stay where they are, numbers and lists become small buffers.

The rules and the messages are those of ``torch.mps.compile_shader``: a Python int is 64 bits, a float 32, a bool an
int; ``arg_casts`` makes them smaller; a list of tensors becomes a list of their addresses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kernelwright.metal.launch import BUFFERS, Extent

if TYPE_CHECKING:
    import torch

ArgCasts = Mapping[int, str] | str | None

CASTS = {
    "fp16": "float16", "bf16": "bfloat16", "int32": "int32", "int16": "int16", "int8": "int8", "uint8": "uint8",
}  # fmt: skip
"""Names that ``arg_casts`` knows, and the dtypes they stand for."""

ERROR_BUFFER_BYTES = 16384
"""``c10::metal::ErrorMessages``: a count, and 30 messages of 512 bytes."""


@dataclass
class Binding:
    """The buffers of one call."""

    buffers: dict[int, Extent] = field(default_factory=dict)
    pointees: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """For a buffer that is a list of addresses: under which numbers the tensors behind them stand in ``buffers``."""
    kept: list["torch.Tensor"] = field(default_factory=list)
    """What must live until the kernel has ended."""
    elements: int | None = None
    """Of the first tensor: how many threads there are when the caller does not say."""
    error_buffer: "torch.Tensor | None" = None
    made: dict[int, "torch.Tensor"] = field(default_factory=dict)
    """The buffers that were made of numbers and lists, and the one for errors: they lie in the CPU's memory, as do
    tensors there without a dimension, which are numbers for a GPU."""


def bind(
    arguments: Sequence[Any], casts: Any = None, error_buffer: int | None = None, device: "torch.device | None" = None
) -> Binding:
    """The buffers for positional arguments. ``casts``: ``ArgCasts``. ``device``: of the tensors; by default the CPU.

    Raises ``RuntimeError`` and ``TypeError`` as ``torch.mps`` does.
    """
    import torch

    if not (casts is None or isinstance(casts, (str, Mapping))):
        raise RuntimeError(f"Unexpected caster arg type {type(casts).__name__}")
    device = device or torch.device("cpu")
    binding = Binding()
    for index, argument in enumerate(arguments):
        if isinstance(argument, torch.Tensor):
            _bind_tensor(binding, index, argument, device)
            if binding.elements is None:
                binding.elements = argument.numel()
        elif isinstance(argument, (list, tuple)) and argument and isinstance(argument[0], torch.Tensor):
            _bind_list(binding, index, argument, device)
        else:
            cast = casts if isinstance(casts, str) else (casts or {}).get(index)
            _bind_made(binding, index, _numbers(argument, cast))
    if error_buffer is not None:
        binding.error_buffer = torch.zeros(ERROR_BUFFER_BYTES, dtype=torch.uint8)
        _bind_made(binding, error_buffer, binding.error_buffer)
    return binding


def reported_error(binding: Binding) -> str | None:
    """What the kernel wrote with ``TORCH_REPORT_ERROR``: its first message."""
    if binding.error_buffer is None:
        return None
    data = bytes(binding.error_buffer.numpy())
    if not int.from_bytes(data[:4], "little"):
        return None
    return data[4 + 256 : 4 + 256 + 250].split(b"\0")[0].decode(errors="replace")


def extent_of(tensor: "torch.Tensor") -> Extent:
    """From its first element to the last one that its shape and strides reach."""
    if not tensor.numel():
        return Extent(0, 0)
    size = tensor.element_size()
    last = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return Extent(tensor.data_ptr(), (last + 1) * size, int(tensor.storage_offset()) * size)


def _bind_tensor(binding: Binding, index: int, tensor: "torch.Tensor", device: "torch.device") -> None:
    if not tensor.dim() and tensor.device.type == "cpu" and device.type != "cpu":
        _bind_made(binding, index, _narrow(tensor, index).detach())
        return
    _refuse_other_devices(tensor, index, device)
    ours = _narrow(tensor, index)
    binding.kept.append(ours)
    binding.buffers[index] = extent_of(ours)


def _bind_made(binding: Binding, index: int, tensor: "torch.Tensor") -> None:
    binding.kept.append(tensor)
    binding.made[index] = tensor
    binding.buffers[index] = extent_of(tensor)


def _refuse_other_devices(tensor: "torch.Tensor", index: int, device: "torch.device") -> None:
    if tensor.device.type != device.type or device.index not in (None, tensor.device.index):
        where = "on this machine Metal kernels run on CPU tensors"
        if device.type != "cpu":
            where = f"this library's kernels run on {device} tensors"
        raise RuntimeError(f"argument {index} is on device {tensor.device}: {where}")


def _narrow(tensor: "torch.Tensor", index: int) -> "torch.Tensor":
    """The tensor as kernels can read it: a Mac has no float64 but takes such scalars as float32."""
    import torch

    narrow = {torch.float64: torch.float32, torch.complex128: torch.complex64}.get(tensor.dtype)
    if narrow is None:
        return tensor
    if tensor.dim():
        raise TypeError(f"argument {index} is {tensor.dtype}: the MPS framework doesn't support float64")
    return tensor.detach().to(narrow)


def _bind_list(binding: Binding, index: int, tensors: Sequence["torch.Tensor"], device: "torch.device") -> None:
    import torch

    slots: list[int] = []
    for tensor in tensors:
        free = next((n for n in range(BUFFERS - 1, len(tensors), -1) if n not in binding.buffers), None)
        if free is None:
            raise RuntimeError(f"argument {index}: more than {BUFFERS} tensors and buffers in one call")
        _bind_tensor(binding, free, tensor, device)
        slots.append(free)
    addresses = [binding.buffers[slot].address for slot in slots]
    _bind_made(binding, index, torch.tensor(addresses, dtype=torch.int64))
    binding.pointees[index] = tuple(slots)


def _numbers(value: Any, cast: str | None) -> "torch.Tensor":
    import torch

    values: Any = value
    if isinstance(value, (list, tuple)):
        if not value:
            raise RuntimeError("Empty list/tuple can not be an argument to metal kernel")
        first = value[0]
    else:
        first, values = value, [value]
    if isinstance(first, int):
        dtype = torch.int64
        if not all(isinstance(v, int) for v in values):
            raise RuntimeError(f"Unable to cast Python instance of type {type(value)} to a list of ints")
    elif isinstance(first, float):
        dtype = torch.float32
        if not all(isinstance(v, (int, float)) for v in values):
            raise RuntimeError(f"Unable to cast Python instance of type {type(value)} to a list of floats")
    else:
        raise RuntimeError("Unexpected argument types" if first is not value else "Unsupported argument type")
    numbers = torch.tensor(values, dtype=dtype)
    if cast is None:
        return numbers
    if cast not in CASTS:
        raise RuntimeError(f"Unsupported cast instruction {cast}")
    return numbers.to(getattr(torch, CASTS[cast]))
