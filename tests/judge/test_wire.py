"""Tensor files: what is packed comes back, and hostile bytes never do more than raise WireError."""

import json
import os
from collections import namedtuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.judge import wire
from kernelwright.judge.files import anonymous_file, seal
from kernelwright.problems.structure import map_leaves

DTYPES = [
    torch.float32,
    torch.float64,
    torch.bfloat16,
    torch.float16,
    torch.int64,
    torch.int8,
    torch.bool,
    torch.complex64,
]


def roundtrip(value, **options):
    fd = wire.pack(value, **options)
    try:
        return wire.unpack(fd, **options)
    finally:
        os.close(fd)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (4, 5, 6)])
def test_every_dtype_and_shape_comes_back(dtype, shape):
    tensor = (torch.randn(shape) * 3).to(dtype)
    back = roundtrip({"a": [tensor, (tensor, None)]})
    assert torch.equal(back["a"][0], tensor)
    assert torch.equal(back["a"][1][0], tensor)
    assert back["a"][1][1] is None
    assert back["a"][0].dtype == dtype


@given(st.permutations(range(4)), st.lists(st.integers(1, 4), min_size=4, max_size=4))
def test_permuted_layouts_keep_values_and_strides(order, shape):
    tensor = torch.randn(shape).permute(order)
    back = roundtrip(tensor, trusted=True)
    assert torch.equal(back, tensor)
    if all(n > 1 for n in tensor.shape):
        assert back.stride() == tensor.stride()


def test_expanded_and_strided_tensors_become_dense():
    tensor = torch.arange(12.0)[::2].expand(3, 6)
    assert torch.equal(roundtrip(tensor), tensor)


def test_a_single_element_whose_stride_says_nothing():
    tensor = torch.randn(1, dtype=torch.complex64).real
    assert tensor.stride() == (2,)
    assert torch.equal(roundtrip(tensor), tensor)


def test_special_numbers():
    back = roundtrip([float("inf"), float("nan"), 1 + 2j, -0.0, True, 7, "text"])
    assert (
        back[0] == float("inf")
        and back[1] != back[1]
        and back[2] == 1 + 2j
        and back[4] is True
        and back[5:] == [7, "text"]
    )


def test_untrusted_values_lose_their_classes():
    point = namedtuple("point", "x y")
    back = roundtrip([point(1, 2), object()])
    assert back[0] == (1, 2) and type(back[0]) is tuple
    assert isinstance(back[1], wire.Foreign)


def test_pickles_come_only_from_the_judge():
    fd = wire.pack({1, 2}, trusted=True)
    try:
        assert wire.unpack(fd, trusted=True) == {1, 2}
        with pytest.raises(wire.WireError):
            wire.unpack(fd)
    finally:
        os.close(fd)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="sealing is a Linux feature")
def test_sealed_files_cannot_be_changed():
    fd = wire.pack(torch.ones(4), trusted=True)
    seal(fd)
    try:
        with pytest.raises(OSError):
            os.pwrite(fd, b"x", 0)
        with pytest.raises(OSError):
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def forged(header, data=b"\0" * 64):
    fd = anonymous_file("forged")
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    os.pwrite(fd, wire.MAGIC + len(text).to_bytes(8, "little") + text, 0)
    os.pwrite(fd, data, -(-(16 + len(text)) // 64) * 64)
    return fd


GOOD = {"dtype": "float32", "shape": [2], "order": None, "offset": 0, "nbytes": 8}
FORGERIES = [
    b"", b"[]", b"{", b"[" * 100_000,
    {"tree": {"t": 0}, "tensors": []},
    {"tree": {"t": 0}, "tensors": None},
    {"tree": {"t": True}, "tensors": [GOOD]},
    {"tree": {"t": -1}, "tensors": [GOOD]},
    {"tree": {"l": [{"t": 0}, {"t": 0}]}, "tensors": [GOOD]},
    {"tree": {"t": 0}, "tensors": [GOOD | {"nbytes": 1 << 40}]},
    {"tree": {"t": 0}, "tensors": [GOOD | {"shape": [1 << 40], "nbytes": 1 << 42}]},
    {"tree": {"t": 0}, "tensors": [GOOD | {"shape": [1 << 40, 1 << 40]}]},
    {"tree": {"t": 0}, "tensors": [GOOD | {"shape": [-2]}]},
    {"tree": {"t": 0}, "tensors": [GOOD | {"offset": 1 << 30}]},
    {"tree": {"t": 0}, "tensors": [GOOD | {"dtype": "object"}]},
    {"tree": {"t": 0}, "tensors": [GOOD | {"order": [0, 0]}]},
    {"tree": {"t": 0}, "tensors": [GOOD | {"order": "x"}]},
    {"tree": {"p": "gASVAAAA"}, "tensors": []},
    {"tree": {"d": [1]}, "tensors": []},
    {"tree": {"c": ["x", 1]}, "tensors": []},
    {"tree": {"v": {}}, "tensors": []},
    {"tree": {"v": 1, "t": 0}, "tensors": [GOOD]},
]  # fmt: skip


@pytest.mark.parametrize("header", FORGERIES, ids=range(len(FORGERIES)))
def test_forged_files_raise_wire_error(header):
    fd = forged(header)
    try:
        with pytest.raises(wire.WireError):
            wire.unpack(fd)
    finally:
        os.close(fd)


@given(st.binary(max_size=400))
def test_random_bytes_raise_wire_error(data):
    fd = anonymous_file("random")
    try:
        os.pwrite(fd, data, 0)
        with pytest.raises(wire.WireError):
            wire.unpack(fd)
    finally:
        os.close(fd)


def test_a_file_cut_short_raises_instead_of_killing_the_reader():
    fd = wire.pack(torch.ones(1 << 16))
    try:
        os.ftruncate(fd, os.fstat(fd).st_size - 4)
        with pytest.raises(wire.WireError):
            wire.unpack(fd)
    finally:
        os.close(fd)


@given(st.permutations(range(4)), st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_a_room_holds_what_a_file_of_its_own_would(order, shape):
    tensor = torch.randn(shape, dtype=torch.complex64).permute(order)
    value = {"a": tensor.conj(), "b": [tensor.real[..., :1], 3, (tensor.imag.bfloat16(), torch.tensor(True))]}
    room = wire.Room(1 << 16)
    copied = map_leaves(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, value)
    first, second = wire.pack(value, room=room), wire.pack(copied)  # what comes from a device is a copy
    found, other = (wire.unpack(fd) for fd in (first, second))
    assert os.fstat(first).st_ino == os.fstat(room.fd).st_ino
    for a, b in zip(
        (found["a"], found["b"][0], *found["b"][2]), (other["a"], other["b"][0], *other["b"][2]), strict=True
    ):
        assert torch.equal(a, b)
        assert a.stride() == b.stride()
        assert a.dtype == b.dtype
    assert found["b"][1] == 3
    for fd in (first, second):
        os.close(fd)
    room.close()


def test_a_room_is_used_again_and_what_does_not_fit_gets_a_file_of_its_own():
    room = wire.Room(4096)
    for value in ([torch.arange(100.0)], [torch.ones(3), torch.zeros(2, 0)], [torch.arange(9.0), torch.arange(2000.0)]):
        fd = wire.pack(value, room=room)
        back = wire.unpack(fd)
        assert all(torch.equal(a, b) for a, b in zip(back, value, strict=True))
        assert (os.fstat(fd).st_ino == os.fstat(room.fd).st_ino) == (value[-1].numel() < 2000)
        os.close(fd)
    room.close()


def test_a_mapped_file_stays_as_it_is():
    value = (torch.arange(10_000.0), torch.randn(300, 50, dtype=torch.bfloat16).t(), torch.tensor(2), torch.ones(0, 2))
    fd = wire.pack(value, trusted=True)
    seal(fd)
    mapped = wire.unpack(fd, trusted=True, mapped=True)
    for a, b in zip(mapped, value, strict=True):
        assert torch.equal(a, b)
        assert a.stride() == b.stride()
    mapped[0].zero_()
    assert torch.equal(wire.unpack(fd, trusted=True)[0], value[0])
    os.close(fd)


def test_large_tensors_are_read_by_several_threads(monkeypatch):
    monkeypatch.setattr(wire, "LARGE_BYTES", 1000)
    tensor = torch.randn(10_007)
    fd = wire.pack(tensor)
    assert torch.equal(wire.unpack(fd), tensor)
    os.close(fd)
