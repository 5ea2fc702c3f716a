"""Convolutions and pools of the templates (docs/templates.md) beside eager and torch.compile: milliseconds and errors.

    python benchmarks/layer_templates.py [--calls 20] [--only NAME]

On an NVIDIA GPU. Each template by itself, with what it takes along of the work behind the layer; medians by CUDA
events, each call by itself. Errors are norms of the difference to the module in float64, over the norm of that.
"""

import argparse
import copy
import sys
from collections.abc import Callable

import torch
from torch import nn

from kernelwright.authors.graph.capture import capture
from kernelwright.authors.templates.author import Form, write
from split_products import milliseconds, module_of

IMPLICIT, TF32 = "implicit-GEMM convolutions", "implicit-GEMM convolutions in tf32"
HALF, THREEFOLD = "half convolutions", "threefold convolutions"
POOLS, DEPTHWISE = "pools", "depthwise convolutions"
LAYERS: dict[str, tuple[nn.Module, tuple[int, ...], tuple[str, ...]]] = {
    "8 to 64 channels, 3 x 3, Mish": (
        nn.Sequential(nn.Conv2d(8, 64, 3), nn.Mish()),
        (128, 8, 256, 256),
        (IMPLICIT, TF32, HALF, THREEFOLD),
    ),
    "16 to 64 channels, 3 x 3, Tanh": (
        nn.Sequential(nn.Conv2d(16, 64, 3), nn.Tanh()),
        (64, 16, 256, 256),
        (IMPLICIT, TF32, HALF, THREEFOLD),
    ),
    "3 to 16 channels, 3 x 3 x 3, ReLU": (
        nn.Sequential(nn.Conv3d(3, 16, 3), nn.ReLU()),
        (128, 3, 16, 64, 64),
        (IMPLICIT, TF32, HALF, THREEFOLD),
    ),
    "3 to 64 channels, 7 x 7, strides": (
        nn.Sequential(nn.Conv2d(3, 64, 7, stride=2, padding=3), nn.ReLU()),
        (64, 3, 224, 224),
        (IMPLICIT, TF32, HALF, THREEFOLD),
    ),
    "largest of 3 x 3 x 3, dilated, strides": (
        nn.MaxPool3d(3, stride=2, padding=1, dilation=3),
        (16, 32, 128, 128, 128),
        (POOLS,),
    ),
    "mean of 3 x 3 x 3, strides": (nn.AvgPool3d(3, stride=2, padding=1), (16, 32, 64, 128, 256), (POOLS,)),
    "largest of 4 x 4": (nn.MaxPool2d(4, stride=1, padding=1), (32, 64, 512, 512), (POOLS,)),
    "depthwise 3 x 3, strides": (nn.Conv2d(128, 128, 3, stride=2, groups=128), (32, 128, 257, 257), (DEPTHWISE,)),
}
"""A layer, the shape of its input, and the templates that it is tried with."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--only", default="", metavar="NAME", help="layers with this in their name")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("needs an NVIDIA GPU", file=sys.stderr)
        return 2
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    print("| layer | way | ms | error |")
    print("|---|---|---:|---:|")
    for name, (layer, shape, titles) in LAYERS.items():
        if options.only in name:
            torch.manual_seed(0)
            compare(name, layer.cuda(), torch.randn(shape, device="cuda"), titles, options.calls)
    return 0


@torch.no_grad()
def compare(name: str, layer: nn.Module, x: torch.Tensor, titles: tuple[str, ...], calls: int) -> None:
    """One line for each way."""
    few = x[:4]
    exact = copy.deepcopy(layer).double()(few.double())
    ways: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"eager": layer, "torch.compile": torch.compile(layer)}
    for title in titles:
        if (model := written(layer, x, title)) is not None:
            ways[title] = model
    for way, call in ways.items():
        error = float((call(x)[:4].double() - exact).norm() / exact.norm())
        print(f"| {name} | {way} | {milliseconds(lambda: call(x), calls):.3f} | {error:.1e} |", flush=True)  # noqa: B023


def written(layer: nn.Module, x: torch.Tensor, title: str) -> nn.Module | None:
    """The layer as the author writes it with this template alone; ``None`` where that does not fit."""
    captured = capture(copy.deepcopy(layer).cpu(), [torch.empty(x.shape)])
    file = write(Form(captured, captured.graph), halves=title in (TF32, HALF), only={title})
    if file is None:
        return None
    model = module_of(file.source).ModelNew()
    model.load_state_dict(layer.state_dict())
    return model.cuda()


if __name__ == "__main__":
    sys.exit(main())
