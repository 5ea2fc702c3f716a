"""Shapes of recurrent layers without their steps.

torch works out what ``lstm`` and ``gru`` return for tensors without values by going through every step of every layer
(``torch._decomp``), three times in an export: half a minute for six layers of 512 steps. All steps have one shape.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from torch._decomp import decompositions
from torch._subclasses.fake_tensor import FakeTensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode

LAYERS = ("one_layer_lstm", "one_layer_rnn")
"""What computes one layer in ``torch._decomp.decompositions`` of torch 2.13, looked up there by name."""
_LOCK = threading.Lock()


@contextmanager
def one_step_a_layer() -> Generator[None]:
    """While this lasts, this thread computes one step of each recurrent layer on tensors without values.

    Where torch has other functions than these, nothing changes.
    """
    known = {name: getattr(decompositions, name) for name in LAYERS if hasattr(decompositions, name)}
    with _LOCK:
        try:
            for name, layer in known.items():
                setattr(decompositions, name, _one_step(layer, threading.get_ident()))
            yield
        finally:
            for name, layer in known.items():
                setattr(decompositions, name, layer)


def _one_step(layer: Callable[..., Any], thread: int) -> Callable[..., Any]:
    def short(inputs: Any, hidden: Any, *args: Any, **kwargs: Any) -> Any:
        # where operations are recorded, the steps themselves are wanted
        recorded = get_proxy_mode() is not None or threading.get_ident() != thread
        if recorded or not isinstance(inputs, FakeTensor) or inputs.shape[0] < 2:
            return layer(inputs, hidden, *args, **kwargs)
        step, last = layer(inputs[:1], hidden, *args, **kwargs)
        return step.new_empty((inputs.shape[0], *step.shape[1:])), last

    return short
