"""What a problem's reference takes, holds and returns: names, shapes and dtypes, without any data."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from kernelwright.authors import forms
from kernelwright.problems import load
from kernelwright.schema import Problem

MOST_WEIGHTS = 60
"""Parameters and buffers that are listed; a deep network has hundreds."""
MOST_KEPT = 64
"""Problems whose lines, or text, are kept: the problem itself may hold gigabytes of weights, and is not."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Each line names one thing: ``x: float32 [256, 32768]``. Empty where it could not be found out."""

    inputs: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    more_weights: int = 0
    """How many are left out of ``weights``."""
    outputs: tuple[str, ...] = ()


_INTERFACES: forms.Once[Interface] = forms.Once(MOST_KEPT)
_TEXTS: forms.Once[str] = forms.Once(MOST_KEPT)


def interface_of(problem: Problem) -> Interface:
    """Found out with tensors that hold no data where the problem is a file. Empty where its code does not allow it.

    Runs the problem's own code in this process; a problem is its user's, not a stranger's.
    """
    return _INTERFACES.get(problem.digest, lambda: _interface(problem))


def written_out(problem: Problem) -> str:
    """The reference as PyTorch code, from its graph: for problems whose text is not a Python file.

    Raises ``AuthorError`` where it cannot be written as a graph.
    """
    return _TEXTS.get(problem.digest, lambda: _written_out(problem))


def _written_out(problem: Problem) -> str:
    from kernelwright.authors.graph.printer import print_module

    return print_module(forms.captured(problem), doc=["The reference as a graph."])


def _interface(problem: Problem) -> Interface:
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    fake = FakeTensorMode(allow_non_fake_inputs=True)
    try:
        with forms.BUILDING, torch.no_grad(), fake if problem.source else nullcontext():
            loaded = load(problem)
            module, inputs = loaded.build(0), loaded.draw(0)
            state = [_line(name, tensor) for name, tensor in module.state_dict().items()]
            found = Interface(
                inputs=tuple(_lines(_named(module, inputs))),
                weights=tuple(state[:MOST_WEIGHTS]),
                more_weights=max(0, len(state) - MOST_WEIGHTS),
            )
    except Exception:  # the problem's code, under tensors it does not expect: the prompt then has its source alone
        return Interface()
    try:
        with torch.no_grad(), fake:
            outputs = module(*(_faked(argument, fake) for argument in inputs))
            return replace(found, outputs=tuple(_lines({"output": outputs})))
    except Exception:  # as above: what was found so far is true without the outputs
        return found


def _named(module: Any, inputs: tuple[Any, ...]) -> dict[str, Any]:
    """The arguments of ``forward`` by the names that it gives them."""
    import inspect

    try:
        names = list(inspect.signature(module.forward).bind(*inputs).arguments)
    except (TypeError, ValueError):
        names = []
    if len(names) != len(inputs):  # *args, or a signature that cannot be read
        names = [f"inputs[{n}]" for n in range(len(inputs))]
    return dict(zip(names, inputs, strict=True))


def _lines(values: dict[str, Any]) -> Iterator[str]:
    from torch.utils import _pytree as pytree

    for name, value in values.items():
        for path, leaf in pytree.tree_flatten_with_path(value)[0]:
            yield _line(name + pytree.keystr(path), leaf)


def _line(name: str, value: Any) -> str:
    import torch

    if not isinstance(value, torch.Tensor):
        return f"{name}: {type(value).__name__} {value!r}"[:200]
    line = f"{name}: {str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    if value.layout is not torch.strided:
        return f"{line}, {value.layout}"
    return line if value.is_contiguous() else f"{line}, strides {list(value.stride())}"


def _faked(argument: Any, mode: Any) -> Any:
    import torch
    from torch._subclasses.fake_tensor import FakeTensor
    from torch.utils import _pytree as pytree

    def convert(leaf: Any) -> Any:
        plain = isinstance(leaf, torch.Tensor) and not isinstance(leaf, FakeTensor)
        return mode.from_tensor(leaf) if plain else leaf

    return pytree.tree_map(convert, argument)
