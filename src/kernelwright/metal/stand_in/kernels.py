"""``torch.mps.compile_shader`` of the stand-in: libraries whose kernels run on this machine and are watched."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch

from kernelwright.metal.errors import MetalCheckError
from kernelwright.metal.library import ShaderLibrary, compile_shader
from kernelwright.metal.stand_in.device import MpsDevice, outside
from kernelwright.metal.stand_in.journal import Journal, Launches
from kernelwright.metal.work import Inspection

Threads = int | Sequence[int]


class StandInLibrary:
    """A compiled program; its attributes are its kernels. The checked build is made when a launch is watched first."""

    def __init__(self, source: str, device: MpsDevice, journal: Journal) -> None:
        self._source = source
        self._digest = hashlib.sha256(source.encode()).hexdigest()
        self._device = device
        self._journal = journal
        with outside():
            self._fast: ShaderLibrary = compile_shader(source, device=device.host)
        self._checked: ShaderLibrary | None = None

    def __getattr__(self, name: str) -> "StandInKernel":
        self.kernel(name)
        return StandInKernel(self, name)

    def kernel(self, name: str) -> Any:
        """The kernel as this machine runs it. Raises ``UnknownKernel``."""
        return getattr(self._fast, name)

    def __dir__(self) -> list[str]:
        return dir(self._fast)

    def checked(self) -> ShaderLibrary:
        if self._checked is None:
            self._checked = compile_shader(self._source, check=True)
        assert self._checked is not None
        return self._checked

    def launch(self, name: str, args: Sequence[Any], sizes: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Watches the launch where the journal asks for it, then carries it out.

        Raises ``MetalCheckError`` for a broken rule, before anything was written.
        """
        self._refuse_other_devices(args)
        journal = self._journal
        with outside():
            launches = journal.launched((name, self._digest, *map(repr, sizes.values()), _elements(args)))
            if journal.inspecting:
                self._watch(name, args, launches, {**sizes, **options})
            turns = {"order": journal.order, "seed": journal.seed} if self._device.host == "cpu" else {}
            getattr(self._fast, name)(*args, **sizes, **options, **turns)

    def _watch(self, name: str, args: Sequence[Any], launches: Launches, options: Mapping[str, Any]) -> None:
        kernel = getattr(self.checked(), name)
        host_args = [_on_cpu(argument) for argument in args]

        def inspect(sample: int) -> Inspection:
            return kernel.inspect(*host_args, **options, sample=sample, seed=self._journal.seed)

        reports = self._journal.watch(launches, inspect, self._source)
        if reports:
            raise MetalCheckError(name, reports)

    def _refuse_other_devices(self, args: Sequence[Any]) -> None:
        for index, argument in enumerate(args):
            for tensor in _tensors_of(argument):
                if tensor.dim() and not self._device.holds(tensor):
                    raise RuntimeError(
                        f"argument {index} is on device {tensor.device}: kernels run on tensors on mps; move it there "
                        'with .to("mps"), or allocate it with device=x.device'
                    )


class StandInKernel:
    """One kernel of a library, with the calling convention of ``torch.mps``."""

    def __init__(self, library: StandInLibrary, name: str) -> None:
        self._library = library
        self._name = name

    def __call__(
        self,
        *args: Any,
        threads: Threads | None = None,
        group_size: Threads | None = None,
        arg_casts: Any = None,
        error_buf_idx: int | None = None,
    ) -> None:
        """As ``torch.mps`` documents it. Raises what it raises, and ``MetalCheckError`` while launches are watched."""
        sizes = {"threads": threads, "group_size": group_size}
        self._library.launch(self._name, args, sizes, {"arg_casts": arg_casts, "error_buf_idx": error_buf_idx})

    def __getattr__(self, name: str) -> Any:
        """``max_threads_per_threadgroup`` and its like."""
        return getattr(self._library.kernel(self._name), name)


def _tensors_of(argument: Any) -> Sequence[torch.Tensor]:
    if isinstance(argument, torch.Tensor):
        return (argument,)
    return [part for part in argument if isinstance(part, torch.Tensor)] if isinstance(argument, (list, tuple)) else ()


def _elements(args: Sequence[Any]) -> int:
    """Of the first tensor: how many threads there are where nobody says."""
    return next((argument.numel() for argument in args if isinstance(argument, torch.Tensor)), 0)


def _on_cpu(argument: Any) -> Any:
    """The checks run on the CPU whatever carries out the launch."""
    if isinstance(argument, torch.Tensor):
        return argument.detach().cpu()
    if isinstance(argument, (list, tuple)):
        return [_on_cpu(part) for part in cast(Sequence[Any], argument)]
    return argument
