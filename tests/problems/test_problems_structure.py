"""Nests: flat and back, equality, one-liners."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.problems.structure import flatten, map_leaves, to_device, unflatten

Pair = namedtuple("Pair", "left right")


@dataclass(frozen=True)
class Out:
    scores: Any
    extra: Any = None


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3))
NESTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=2), st.integers(0, 3)), inner, max_size=3),
        st.dictionaries(st.text(max_size=2), inner, max_size=3).map(OrderedDict),
        st.tuples(inner, inner).map(lambda pair: Pair(*pair)),
        st.tuples(inner, inner).map(lambda pair: Out(*pair)),
    ),
    max_leaves=12,
)


@given(NESTS)
def test_there_and_back_again(nest: Any) -> None:
    leaves, structure = flatten(nest)
    rebuilt = unflatten(leaves, structure)
    assert rebuilt == nest
    assert type(rebuilt) is type(nest)
    assert structure.leaf_count == len(leaves)
    assert "\n" not in str(structure)
    assert flatten(rebuilt)[1] == structure


@given(NESTS, NESTS)
def test_equal_nests_have_equal_structures(one: Any, two: Any) -> None:
    same = flatten(one)[1] == flatten(two)[1]
    assert same or one != two


def test_the_one_liner() -> None:
    nest = (torch.zeros(8, 4), {"h": torch.zeros(2, dtype=torch.int64), "a": [1, None, True]}, (torch.zeros(()),))
    assert (
        str(flatten(nest)[1])
        == "(Tensor[8, 4] float32, {'a': [int, None, bool], 'h': Tensor[2] int64}, (Tensor[] float32,))"
    )
    assert str(flatten(Out(torch.zeros(1), "s"))[1]) == "Out(scores=Tensor[1] float32, extra=str)"


def test_what_counts_as_equal() -> None:
    def structure(nest: Any) -> Any:
        return flatten(nest)[1]

    a, b = torch.zeros(2), torch.zeros(3, dtype=torch.float64)
    assert structure((a, b)) == structure((b, a)), "shapes and dtypes are compared elsewhere"
    assert structure({"x": a, "y": b}) == structure({"y": a, "x": b})
    assert structure((a, b)) == structure(Pair(a, b)) == structure(torch.max(torch.ones(2, 2), dim=0))
    assert structure((a, b)) != structure([a, b])
    assert structure((a,)) != structure(a)
    assert structure((a, None)) != structure((a, b))
    assert structure({"x": a}) != structure({"y": a})
    assert structure((a, 1)) != structure((a, a))


def test_torch_return_types_come_back() -> None:
    result = torch.max(torch.tensor([[1.0, 5.0]]), dim=1)
    rebuilt = unflatten(*flatten(result))
    assert type(rebuilt) is type(result)
    assert rebuilt.values.item() == 5.0


def test_a_wrong_number_of_leaves() -> None:
    _, structure = flatten((1, 2))
    with pytest.raises(ValueError, match=r"\(int, int\) takes 2 leaves, got 1"):
        unflatten([1], structure)


def test_shared_leaves_stay_shared() -> None:
    x = torch.ones(2)
    left, right = map_leaves(lambda leaf: leaf + 1, (x, x))
    assert left is right
    (moved,) = to_device((x,), "meta")
    assert moved.device.type == "meta"
    (same,), (copied,) = to_device((x,), "cpu"), to_device((x,), "cpu", copy=True)
    assert same is x
    assert copied is not x
    assert torch.equal(copied, x)
