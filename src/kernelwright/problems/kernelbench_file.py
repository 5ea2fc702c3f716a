"""A KernelBench file that has been run: its reference, its constructor arguments, its draws."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from kernelwright.problems.reading import line_within, one_line
from kernelwright.problems.seeds import seeded
from kernelwright.problems.source_module import run_source
from kernelwright.problems.structure import to_device
from kernelwright.schema import Problem, ProblemError

_INIT_SEED = 0


class KernelBenchFile:
    """See :class:`~kernelwright.problems.contract.LoadedProblem`. Nothing is built or drawn before a call asks."""

    def __init__(self, problem: Problem) -> None:
        self.name = problem.name
        self._where = problem.path or problem.name
        module = run_source(problem)
        self._filename = module.__file__ or ""
        self._model = self._checked_model(getattr(module, "Model", None))
        self._get_inputs = self._checked_function("get_inputs", getattr(module, "get_inputs", None))
        get_init_inputs = getattr(module, "get_init_inputs", None)
        self._get_init_inputs = (
            None if get_init_inputs is None else self._checked_function("get_init_inputs", get_init_inputs)
        )
        self._init_args: tuple[Any, ...] | None = None

    def build(self, seed: int) -> nn.Module:
        """``Model(*init_args())`` on the CPU under ``seed``, in eval mode. Raises ``ProblemError`` where it fails."""
        args = self.init_args()
        with seeded(seed), torch.device("cpu"):
            model = self._call("Model", lambda: self._model(*args))
        return model.eval()

    def init_args(self) -> tuple[Any, ...]:
        """What ``get_init_inputs`` returns, as positional arguments; empty where the file has no such function.

        A dict is laid out along the signature of ``Model``, with its defaults filled in, so that ``ModelNew`` can be
        built by position whatever the file returned; a keyword-only parameter cannot be, and raises ``ProblemError``.
        """
        if self._init_args is None:
            self._init_args = self._positional(self._returned_init_inputs())
        return copy.deepcopy(self._init_args)

    def draw(self, seed: int, device: str = "cpu") -> tuple[Any, ...]:
        """``get_inputs()`` under ``seed``, made on ``device`` where its code allows, else made on the CPU and moved.

        Raises ``ProblemError`` where ``get_inputs`` fails or returns anything but a list or tuple; the error it failed
        with (``torch.OutOfMemoryError`` for example) is the ``__cause__``.
        """
        try:
            inputs = self._drawn_on(seed, device)
        except ProblemError as error:
            # Tensors made when the file was run, or a CPU generator, cannot be mixed with tensors of another device.
            if torch.device(device).type == "cpu" or isinstance(error.__cause__, torch.OutOfMemoryError):
                raise
            inputs = self._drawn_on(seed, "cpu")
        if not isinstance(inputs, list | tuple):
            raise ProblemError(
                f"{self._where}: get_inputs returned a {type(inputs).__name__}: "
                "it must return a list of the positional arguments of forward"
            )
        return tuple(to_device(argument, device) for argument in inputs)

    def _drawn_on(self, seed: int, device: str) -> Any:
        with seeded(seed, device), torch.device(device):
            return self._call("get_inputs", self._get_inputs)

    def _returned_init_inputs(self) -> Any:
        if self._get_init_inputs is None:
            return []
        with seeded(_INIT_SEED), torch.device("cpu"):
            return self._call("get_init_inputs", self._get_init_inputs)

    def _positional(self, returned: Any) -> tuple[Any, ...]:
        if isinstance(returned, list | tuple):
            return tuple(returned)
        if not isinstance(returned, dict):
            raise ProblemError(
                f"{self._where}: get_init_inputs returned a {type(returned).__name__}: "
                "it must return a list of the positional constructor arguments (or a dict of keyword arguments)"
            )
        try:
            bound = inspect.signature(self._model).bind(**returned)
        except TypeError as error:
            raise ProblemError(f"{self._where}: get_init_inputs does not fit Model.__init__: {error}") from error
        bound.apply_defaults()
        if bound.kwargs:
            raise ProblemError(
                f"{self._where}: Model.__init__ takes keyword-only arguments ({', '.join(bound.kwargs)}): "
                "every constructor argument must be positional"
            )
        return bound.args

    def _call(self, function: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (Exception, SystemExit) as error:
            line = line_within(error, self._filename)
            raise ProblemError(f"{self._where}: {function} failed{line}: {one_line(error)}") from error

    def _checked_model(self, model: Any) -> type[nn.Module]:
        if model is None:
            raise ProblemError(f"{self._where}: no class Model at the top level")
        if not (isinstance(model, type) and issubclass(model, nn.Module)):
            raise ProblemError(f"{self._where}: Model is not a subclass of torch.nn.Module")
        if model.forward is nn.Module.forward:
            raise ProblemError(f"{self._where}: class Model has no forward")
        return model

    def _checked_function(self, name: str, function: Any) -> Callable[[], Any]:
        if not callable(function):
            raise ProblemError(f"{self._where}: no function {name} at the top level")
        try:
            inspect.signature(function).bind()
        except TypeError as error:
            raise ProblemError(f"{self._where}: {name} must take no arguments: {error}") from error
        except ValueError:
            return function  # written in C without a signature: the call will tell
        return function
