"""The device ``mps`` where there is none: tensors of the host that say they are on it.

On a host without a GPU of its own the memory is the CPU's, and which of its tensors count as being on ``mps`` is
remembered with their storage, so that views and parameters keep it. On an NVIDIA GPU it is every tensor there. What a
Mac refuses is refused: operands on two devices, float64, ``numpy()`` of a tensor on the GPU. Fresh memory is filled
with NaN (integers: the largest value), as nobody on a Mac may count on what it holds.

Works as a mode of ``torch.overrides`` (https://docs.pytorch.org/docs/stable/torch.overrides.html): it sees what
Python code asks of torch in this thread, and hands it on with the host's name in the place of ``mps``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, cast

import torch
from torch.overrides import TorchFunctionMode

Host = Literal["cpu", "cuda"]

MPS = torch.device("mps", 0)
_torch: Any = torch  # its descriptors and inner functions have no types
_MARK = "_kernelwright_mps"

_FRESH = frozenset({
    _torch.empty, _torch.empty_like, _torch.empty_strided, _torch.Tensor.new_empty, _torch.Tensor.new_empty_strided,
})  # fmt: skip
"""What hands out memory without values."""
_COPIES = frozenset({_torch.Tensor.to, _torch.Tensor.cpu})
_ABOUT_DEVICES = frozenset({_torch.device, _torch._C._nn._parse_to})
"""What only reads a device's name."""
_TAKES_BOTH = frozenset({
    _torch.Tensor.copy_, _torch.Tensor.data.__set__, _torch.Tensor.grad.__set__, _torch.Tensor.__getitem__,
    _torch.Tensor.__setitem__, _torch._has_compatible_shallow_copy_type,
})  # fmt: skip
"""Operations whose operands may lie on two devices: copies, and indices in the CPU's memory."""


class MpsDevice(TorchFunctionMode):
    """The mode. ``holds`` says what is on the device, ``adopt`` puts it there without a copy."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host: Host = host
        self._answers: dict[Any, Callable[[torch.Tensor], Any]] = {
            _torch.Tensor.device.__get__: lambda t: MPS if self.holds(t) else t.device,
            _torch.Tensor.is_mps.__get__: self.holds,
            _torch.Tensor.is_cpu.__get__: lambda t: t.is_cpu and not self.holds(t),
            _torch.Tensor.is_cuda.__get__: lambda t: t.is_cuda and not self.holds(t),
            torch.Tensor.get_device: lambda t: 0 if self.holds(t) else t.get_device(),
            torch.Tensor.numpy: self._numpy,
        }

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether the tensor counts as being on ``mps``."""
        with outside():
            if self.host == "cuda":
                return tensor.is_cuda
            return tensor.layout is torch.strided and hasattr(tensor.untyped_storage(), _MARK)

    def adopt(self, tensor: torch.Tensor) -> torch.Tensor:
        """The same tensor, from now on one of the device. Raises ``TypeError`` for what a Mac does not have."""
        with outside():
            if tensor.dtype in (torch.float64, torch.complex128):
                raise TypeError(
                    "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64. "
                    "Please use float32 instead."
                )
            if self.host == "cpu" and tensor.layout is torch.strided:
                setattr(tensor.untyped_storage(), _MARK, True)
        return tensor

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        if func in _ABOUT_DEVICES:
            return func(*args, **named)
        answer = self._answers.get(func)
        if answer is not None:
            return answer(args[0])
        wanted = self._device_named(func, args, named)
        given = list(_tensors((args, named)))
        if wanted is None:
            self._refuse_two_devices(func, given)
            wanted = any(self.holds(t) for t in given)
        result = func(*map(self._on_host, args), **{name: self._on_host(value) for name, value in named.items()})
        if func in _COPIES and args[0].untyped_storage().data_ptr() == result.untyped_storage().data_ptr():
            if wanted == self.holds(args[0]):
                return result
            result = result.clone()  # between two devices there is no sharing of memory
        if wanted:
            self._adopt_results(func, result, given)
        return result

    def _adopt_results(self, func: Any, result: Any, given: Sequence[torch.Tensor]) -> None:
        foreign = {t.untyped_storage().data_ptr() for t in given if _is_dense(t) and not self.holds(t)} - {0}
        for tensor in _tensors(result):
            if not _is_dense(tensor) or tensor.untyped_storage().data_ptr() in foreign:
                continue  # a copy into the CPU's memory stays there
            self.adopt(tensor)
            if func in _FRESH:
                _fill(tensor)

    def _device_named(self, func: Any, args: Sequence[Any], named: Mapping[str, Any]) -> bool | None:
        """Whether the call asks for ``mps`` (true) or another device (false); ``None`` where it names none."""
        if func is torch.Tensor.cpu:
            return False
        if func is torch.Tensor.to and len(args) > 1 and isinstance(args[1], torch.Tensor):
            return self.holds(args[1])
        device = named.get("device")
        if device is None:
            positional = (a for a in args if isinstance(a, torch.device) or (func is torch.Tensor.to and _names(a)))
            device = next(positional, None)
        return None if device is None else torch.device(device).type == "mps"

    def _on_host(self, value: Any) -> Any:
        """The host's name for ``mps`` in an argument."""
        if isinstance(value, torch.device):
            return torch.device(self.host) if value.type == "mps" else value
        return self.host if isinstance(value, str) and value.split(":")[0] == "mps" else value

    def _refuse_two_devices(self, func: Any, given: Sequence[torch.Tensor]) -> None:
        """Scalars may come from anywhere, as on a Mac."""
        if func in _TAKES_BOTH:
            return
        places = {self.holds(t) for t in given if t.dim()}
        if len(places) > 1:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, mps:0 and cpu!"
            )

    def _numpy(self, tensor: torch.Tensor) -> Any:
        if self.holds(tensor):
            raise TypeError(
                "can't convert mps:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
                "first."
            )
        return tensor.numpy()


def outside() -> AbstractContextManager[None]:
    """Code in here is not seen by the mode: to it all tensors are the host's own."""
    return _torch._C.DisableTorchFunction()


def _names(value: Any) -> bool:
    return isinstance(value, str) and value.split(":")[0] in ("cpu", "cuda", "mps")


def _is_dense(tensor: torch.Tensor) -> bool:
    return tensor.layout is torch.strided


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """All tensors in arguments or results, nested ones too."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for part in cast(Iterable[Any], value.values() if isinstance(value, dict) else value):
            yield from _tensors(part)


def _fill(tensor: torch.Tensor) -> None:
    with torch.no_grad():
        if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
            tensor.fill_(float("nan"))
        elif tensor.dtype is not torch.bool:
            tensor.fill_(torch.iinfo(tensor.dtype).max)
