"""A rewriting names the rules that led to it, whatever they were followed by."""

import pytest
from sketches import Sketch

from kernelwright.authors.rewriter.cost import MACHINES
from kernelwright.authors.rewriter.rules import ALL
from kernelwright.authors.rewriter.saturate import rewrite


@pytest.mark.parametrize("after", ["gelu", "tanh", "exp"])
def test_a_value_that_became_known_is_explained_by_what_made_it_known(after: str) -> None:
    sketch = Sketch()
    x = sketch.input(8, 1)
    zero = sketch.make("sub", x, sketch.make("mean", x, dims=(1,), keepdim=True))
    last = sketch.make(after, zero, **({"approximate": "none"} if after == "gelu" else {}))
    found = rewrite(sketch.graph(last), ALL, MACHINES["cuda"])
    assert found.cost < found.cost_before
    assert "cancel-difference" in found.applied
