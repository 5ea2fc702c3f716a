"""Which outputs have memory in common: against what writing to them shows."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.judge.layout import overlaps

sizes = st.integers(1, 4)


@st.composite
def views(draw):
    """A strided view of a buffer of 64 elements."""
    shape = draw(st.lists(sizes, min_size=1, max_size=3))
    strides = draw(st.lists(st.integers(0, 6), min_size=len(shape), max_size=len(shape)))
    offset = draw(st.integers(0, 5))
    return shape, strides, offset


def elements(buffer, view):
    """The places in the buffer that each element of a view stands for."""
    return torch.arange(len(buffer)).as_strided(*view).flatten().tolist()


@given(views(), views(), st.sampled_from([torch.float32, torch.float16, torch.int64]))
def test_overlap_is_having_an_element_in_common(a, b, dtype):
    buffer = torch.zeros(64, dtype=dtype)
    first, second = elements(buffer, a), elements(buffer, b)
    twice = [len(set(places)) < len(places) for places in (first, second)]
    found = overlaps([buffer.as_strided(*a), buffer.as_strided(*b)])
    assert found[0] == (0 if twice[0] else None)
    expected = 0 if set(first) & set(second) else 1 if twice[1] else None
    assert found[1] == expected


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (lambda y: [y[:, :4], y[:, 4:]], [None, None]),
        (lambda y: [y, y], [None, 0]),
        (lambda y: [y, y.view(-1)[8:]], [None, 0]),
        (lambda y: [y.t(), y.clone()], [None, None]),
        (lambda y: [y[:1].expand(8, 8)], [0]),
        (lambda y: [y[:0], y[:0]], [None, None]),
        (lambda y: [y.to_sparse(), y], [None, None]),
    ],
)
def test_outputs_as_modules_return_them(outputs, expected):
    assert overlaps(outputs(torch.ones(8, 8))) == expected
