"""The fastest tile for a product on this device: measured once, kept for every process, looked up from then on."""

import contextlib
import fcntl
import importlib.util
import json
import logging
import os
import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kernelwright.authors.templates.kernels import definitions
from kernelwright.authors.templates.tiles import CANDIDATES, WIDE, Lie, Shape, Tile, cut, filled, shallow, tile_for
from kernelwright.home import home
from kernelwright.judge.gate import Gate, OpenGate

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

CALLS = 5


class Built(Protocol):
    """A product that is compiled for one tile. Both raise what Triton raises for a tile that is too much."""

    def once(self) -> None:
        """Load it and call it."""
        ...

    def milliseconds(self) -> float:
        """Of one call, the best of a few."""
        ...


Build = Callable[[Shape, Lie, Tile], Built]
"""Compiles, which needs no device. Raises what Triton raises for a tile that is too much."""


class Tuner:
    """Chooses tiles by measurement. ``gate``: passed once they are compiled, alone while they are timed.

    What was found is kept in ``$KERNELWRIGHT_HOME/cache/templates``, one JSON file for each device and version of
    Triton. A tile that does not compile or does not fit is left out; where none is left, or where there is no device,
    the choice is the one that ``tile_for`` makes.
    """

    def __init__(self, path: Path, build: Build, gate: Gate | None = None, processors: int | None = None) -> None:
        self._path = path
        self._build = build
        self._gate = gate or OpenGate()
        self._processors = processors

    def __call__(self, shape: Shape, lie: Lie) -> Tile:
        """The tile for products of this shape, whose operands lie so in memory."""
        default = tile_for(shape) if self._processors is None else tile_for(shape, self._processors)
        key = f"{shape} {lie.value}"
        found = self._known().get(key)
        if found is None:
            found = self._fastest(shape, lie, default)
            self._keep(key, found)
        return found

    def _fastest(self, shape: Shape, lie: Lie, default: Tile) -> Tile:
        built: dict[Tile, Built] = {}
        for tile in dict.fromkeys((default, *CANDIDATES, *cut(shape, CANDIDATES), *shallow(shape))):
            with _left_out(tile, shape):
                built[tile] = self._build(shape, lie, tile)
        ran: dict[Tile, Built] = {}
        with self._gate.shared():
            for tile, product in built.items():
                with _left_out(tile, shape):
                    product.once()
                    ran[tile] = product
        with self._gate.alone():
            times = {tile: product.milliseconds() for tile, product in ran.items()}
        return min(times, key=times.__getitem__, default=default)

    def _known(self) -> dict[str, Tile]:
        try:
            return {key: Tile(*values) for key, values in json.loads(self._path.read_text()).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError) as error:
            _log.warning("%s cannot be read, measuring again: %s", self._path, error)
            return {}

    def _keep(self, key: str, tile: Tile) -> None:
        """Whole or not at all, and without losing what another process found meanwhile."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self._path.with_suffix(".lock")):
                known = self._known() | {key: tile}
                with tempfile.NamedTemporaryFile("w", dir=self._path.parent, suffix=".tmp", delete=False) as file:
                    json.dump({k: t.values for k, t in sorted(known.items())}, file, indent=1)
                Path(file.name).replace(self._path)
        except OSError as error:
            _log.warning("the fastest tile cannot be kept in %s: %s", self._path, error)


@contextlib.contextmanager
def _left_out(tile: Tile, shape: Shape) -> Generator[None]:
    """A tile that is too much is no candidate."""
    try:
        yield
    except Exception as error:  # Triton's and CUDA's errors have no common type
        _log.info("%s on %s: %s", tile, shape, " ".join(str(error).split())[:200])


@contextlib.contextmanager
def _locked(path: Path) -> Generator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def on_this_device(gate: Gate) -> Callable[[Shape, Lie], Tile]:
    """A tuner for the current NVIDIA GPU; ``tile_for`` where there is none."""
    import torch

    if not torch.cuda.is_available():
        return lambda shape, lie: tile_for(shape)
    import triton

    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    slug = "".join(c if c.isalnum() else "-" for c in f"{properties.name} triton {triton.__version__}".lower())
    path = home() / "cache" / "templates" / f"products-{slug}.json"
    return Tuner(path, _Stand().build, gate, properties.multi_processor_count)


class _Stand:
    """Compiles the bare kernel, and runs it on random operands."""

    def __init__(self) -> None:
        self._kernel: Any = None

    def build(self, shape: Shape, lie: Lie, tile: Tile) -> "_Product":
        self._kernel = self._kernel or _load()
        product = _Product(self._kernel, shape, lie, tile)
        product.compile()
        return product


@dataclass(frozen=True)
class _Product:
    kernel: Any
    shape: Shape
    lie: Lie
    tile: Tile

    def compile(self) -> None:
        """For operands that are there by their dtypes only."""
        import torch

        half, single = torch.float16, torch.float32
        numbers, grid, options = _launch(self.shape, self.lie, self.tile)
        self.kernel.warmup(half, half, single, half, half, single, single, *numbers, grid=grid, **options)

    def once(self) -> None:
        import torch

        numbers, grid, options = _launch(self.shape, self.lie, self.tile)
        self.kernel[grid](*self._tensors(), *numbers, **options)
        torch.cuda.synchronize()

    def milliseconds(self) -> float:
        """By CUDA events."""
        import torch

        tensors = self._tensors()
        numbers, grid, options = _launch(self.shape, self.lie, self.tile)
        times: list[float] = []
        for _ in range(CALLS):
            began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            began.record()
            self.kernel[grid](*tensors, *numbers, **options)
            ended.record()
            torch.cuda.synchronize()
            times.append(began.elapsed_time(ended))
        return min(times)

    def _tensors(self) -> "Sequence[torch.Tensor]":
        """Made for each run: operands of all tiles together would not fit."""
        import torch

        shape = self.shape
        rows, columns = filled(shape.rows, WIDE), filled(shape.columns, WIDE)
        a = torch.randn(shape.batch, rows, shape.depth, device="cuda").half()
        b = torch.randn(shape.batch, columns, shape.depth, device="cuda").half()
        unit_a, unit_b = (torch.ones(shape.batch, n, device="cuda") for n in (shape.rows, shape.columns))
        out = torch.empty(shape.batch * self.tile.splits, shape.rows, shape.columns, device="cuda")
        return a, a, unit_a, b, b, unit_b, out


def _load() -> Any:
    """The kernel's module needs a file: Triton reads the source of what it compiles."""
    folder = Path(tempfile.mkdtemp(prefix="kernelwright-tuning-"))
    path = folder / "bare_product.py"
    path.write_text(f"import triton\nimport triton.language as tl\n\n\n{definitions('product')}\n")
    spec = importlib.util.spec_from_file_location("bare_product", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.product_kernel


def _launch(shape: Shape, lie: Lie, tile: Tile) -> tuple[Sequence[int], tuple[int, int], dict[str, Any]]:
    """Sizes and strides, grid and options as a candidate's launcher gives them."""
    batch, depth = shape.batch * tile.splits, shape.depth // tile.splits
    rows, columns = filled(shape.rows, WIDE), filled(shape.columns, WIDE)
    a_row, a_inner = (shape.depth, 1) if lie.a_by_rows else (1, rows)
    b_column, b_inner = (shape.depth, 1) if lie.b_by_rows else (1, columns)
    one = tile.splits == 1
    numbers = (
        shape.rows, shape.columns, depth,
        rows * shape.depth if one else depth * a_inner, a_row, a_inner,
        columns * shape.depth if one else depth * b_inner, b_inner, b_column,
        shape.rows if one else 0, shape.columns if one else 0,
    )  # fmt: skip
    blocks = -(-shape.rows // tile.rows) * -(-shape.columns // tile.columns)
    options = {
        "BM": tile.rows, "BN": tile.columns, "BK": tile.depth, "GROUP": 8, "EVEN": depth % tile.depth == 0,
        "num_warps": tile.warps, "num_stages": tile.stages,
    }  # fmt: skip
    return numbers, (blocks, batch), options
