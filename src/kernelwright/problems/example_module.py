"""An ``nn.Module`` and example inputs as a problem: stored by value, built and drawn from."""

import io
import pickle
import sys
import sysconfig
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import torch
from torch import nn

from kernelwright.problems.reading import one_line
from kernelwright.problems.redraw import draw_like
from kernelwright.problems.seeds import seeded
from kernelwright.problems.structure import to_device
from kernelwright.schema import Problem, ProblemError


def problem_from_module(module: nn.Module, inputs: Sequence[Any], name: str | None = None) -> Problem:
    """See :func:`kernelwright.problems.from_module`. A ``torch.compile`` wrapper is taken off first."""
    if not isinstance(module, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ProblemError(f"expected a torch.nn.Module, got a {type(module).__name__}")
    if not isinstance(inputs, list | tuple):
        raise ProblemError(
            f"expected a list or tuple of the positional arguments of forward, got a {type(inputs).__name__}"
        )
    module = getattr(module, "_orig_mod", module)
    name = name or type(module).__name__
    try:
        parts = (_pickle_module(module), _dumps(tuple(inputs)))
    except Exception as error:
        raise ProblemError(f"{name}: the module or its inputs cannot be pickled: {one_line(error)}") from error
    return Problem(name=name, format="module", payload=pickle.dumps(parts))


class ExampleModule:
    """See :class:`~kernelwright.problems.contract.LoadedProblem`. Weights are the module's own, whatever the seed."""

    def __init__(self, problem: Problem) -> None:
        self.name = problem.name
        self._module, inputs = self._loads(problem.payload)
        self._example: tuple[Any, ...] = self._loads(inputs)

    def build(self, seed: int) -> nn.Module:
        """A new copy of the module on the CPU, in eval mode."""
        with seeded(seed), torch.device("cpu"):
            return self._loads(self._module).eval()

    def init_args(self) -> tuple[Any, ...]:
        """Empty: ``ModelNew()`` takes no arguments, and gets the module's weights."""
        return ()

    def draw(self, seed: int, device: str = "cpu") -> tuple[Any, ...]:
        """Seed 0 gives copies of the example inputs; every other seed new values like them (see ``redraw``)."""
        if seed == 0:
            return to_device(self._example, device, copy=True)
        with torch.no_grad():
            return draw_like(self._example, seed, device)

    def _loads(self, data: bytes) -> Any:
        try:
            return pickle.loads(data)
        except Exception as error:
            raise ProblemError(f"{self.name}: the stored module cannot be loaded: {one_line(error)}") from error


class _CpuPickler(cloudpickle.Pickler):
    """Pickles by value what cannot be imported elsewhere, and tensors of any device as tensors of the CPU."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, torch.storage.TypedStorage | torch.UntypedStorage):
            buffer = io.BytesIO()
            torch.save(obj, buffer)
            return _load_storage, (buffer.getvalue(),)
        return super().reducer_override(obj)


def _load_storage(data: bytes) -> Any:
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=False)


def _dumps(obj: Any) -> bytes:
    buffer = io.BytesIO()
    _CpuPickler(buffer).dump(obj)
    return buffer.getvalue()


def _pickle_module(module: nn.Module) -> bytes:
    with _by_value(_packages_not_installed(module)):
        try:
            return _dumps(module)
        except Exception as error:
            by_value_error = error
    # Some packages cannot be taken by value (they hold locks, handles); by name they load wherever they are importable.
    try:
        return _dumps(module)
    except Exception:
        raise by_value_error from None


def _packages_not_installed(module: nn.Module) -> list[ModuleType]:
    """Top-level packages of the classes in use that another process may not find: everything but installed ones."""
    tops = {type(part).__module__.partition(".")[0] for part in module.modules()} - {"__main__", "kernelwright"}
    found = [sys.modules[top] for top in sorted(tops) if top in sys.modules]
    return [package for package in found if not _is_installed(package)]


def _is_installed(package: ModuleType) -> bool:
    if package.__name__ in sys.stdlib_module_names:
        return True
    places = [package.__file__] if package.__file__ else list(getattr(package, "__path__", []))
    roots = [Path(sysconfig.get_path(key)) for key in ("purelib", "platlib")]
    roots.append(Path(torch.__file__).parent.parent)
    return any(Path(place).is_relative_to(root) for place in places for root in roots)


@contextmanager
def _by_value(packages: list[ModuleType]) -> Generator[None]:
    already = cloudpickle.list_registry_pickle_by_value()
    added = [package for package in packages if package.__name__ not in already]
    for package in added:
        cloudpickle.register_pickle_by_value(package)
    try:
        yield
    finally:
        for package in added:
            cloudpickle.unregister_pickle_by_value(package)
