"""A winner's source as a live module."""

import hashlib
import importlib.util
import linecache
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from kernelwright.judge.worker.harness import load_weights


class WinnerError(Exception):
    """The verified source does not work in this process; the message is one line."""


def build(source: str, init_args: Sequence[Any], original: nn.Module, device: torch.device | str) -> nn.Module:
    """``ModelNew`` from ``source``, in eval mode on ``device``, with a copy of ``original``'s weights.

    Runs the source in this process: it must have been judged correct before. The caller's random state stays as it is.
    Raises ``WinnerError``.
    """
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            model = execute(source).ModelNew(*init_args)
            model.eval()
            load_weights(model, original.state_dict())
            return model.to(device)
    except Exception as error:
        raise WinnerError(f"{type(error).__name__}: {' '.join(str(error).split())}") from error


def execute(source: str) -> Any:
    """``source`` as a fresh module. Tracebacks and ``inspect.getsource`` (Triton's compiler) find its lines."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    name = f"kernelwright_winner_{digest}"
    file = f"<{name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    spec = importlib.util.spec_from_loader(name, loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = file
    # Registered, because dataclasses and pickle look a class's module up by name.
    sys.modules[name] = module
    exec(compile(source, file, "exec"), module.__dict__)
    return module
