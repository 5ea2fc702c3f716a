"""Convolutions in float64 tap by tap: PyTorch's own answers, whatever the attributes."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kernelwright.judge.reference import wide_convolutions
from kernelwright.judge.reference.wide_convolutions import WideConvolutions, by_taps, transposed_by_taps

FORWARD = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@st.composite
def layers(draw: st.DrawFn) -> dict[str, tuple[int, ...] | int]:
    axes = draw(st.integers(1, 3))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    taps, dilation, stride = each(1, 3), each(1, 2), each(1, 3)
    return {
        "groups": draw(st.sampled_from([1, 1, 2, 3])),
        "inner": draw(st.integers(1, 3)),
        "outer": draw(st.integers(1, 3)),
        "images": draw(st.integers(1, 3)),
        "taps": taps,
        "dilation": dilation,
        "stride": stride,
        "padding": tuple(draw(st.integers(0, d * (k - 1))) for d, k in zip(dilation, taps, strict=True)),
        "more": tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)),
        "size": tuple(d * (k - 1) + 1 + draw(st.integers(0, 4)) for d, k in zip(dilation, taps, strict=True)),
    }


@settings(deadline=None, max_examples=80)
@given(layers())
def test_like_pytorch(layer: dict) -> None:
    axes, groups = len(layer["taps"]), layer["groups"]
    x = torch.randn(layer["images"], groups * layer["inner"], *layer["size"], dtype=torch.float64)
    weight = torch.randn(groups * layer["outer"], layer["inner"], *layer["taps"], dtype=torch.float64)
    where = (layer["stride"], layer["padding"], layer["dilation"])
    expected = FORWARD[axes](x, weight, None, *where, groups)
    torch.testing.assert_close(by_taps(x, weight, *where, groups), expected, rtol=1e-12, atol=1e-12)
    weight = torch.randn(groups * layer["inner"], layer["outer"], *layer["taps"], dtype=torch.float64)
    stride, padding, dilation = where
    expected = TRANSPOSED[axes](x, weight, None, stride, padding, layer["more"], groups, dilation)
    found = transposed_by_taps(x, weight, *where, layer["more"], groups)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_every_convolution_of_a_module_goes_this_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide_convolutions, "TEMPORARY_BYTES", 1)  # one image at a time
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding="same"), nn.ReLU(), nn.Conv2d(6, 6, (1, 3), groups=6, stride=2),
        nn.ConvTranspose2d(6, 4, 3, stride=2, output_padding=1), nn.Flatten(2), nn.Conv1d(4, 2, 5, dilation=2),
    ).double()  # fmt: skip
    x = torch.randn(3, 3, 9, 11, dtype=torch.float64)
    calls: list[int] = []
    for name in ("by_taps", "transposed_by_taps"):
        way = getattr(wide_convolutions, name)
        monkeypatch.setattr(wide_convolutions, name, lambda *a, way=way: calls.append(1) or way(*a))
    with torch.no_grad():
        expected = module(x)
        assert calls == []
        with WideConvolutions():
            found = module(x)
            module.float()(x.float())
    assert len(calls) == 12, "four layers for each of three images, and none in float32"
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
