"""Windows over planes: what depthwise convolutions and pools share. Sizes are by depth, height and width."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from kernelwright.authors.graph.ir import Graph, TensorType

MOST_TAPS = 128
"""Taps are unrolled: with more, compiling takes longer than the kernel saves."""
FEWEST_ELEMENTS = 1 << 16
"""Elements that are read. Below this, a call of PyTorch's costs no more than the launch itself."""
FURTHEST = 1 << 31
"""Rows, and offsets within a plane, are 32-bit integers."""
OUTPUTS = 1024
"""Outputs of one program. With 4 warps that is 8 for each thread: enough loads in flight to hide the way to memory,
and 31 to 92 registers (as compiled for an H100), so that 5 to 16 programs share a multiprocessor."""
WIDTHS = (128, 64, 32)
"""Columns of a tile: whole lines of 128 bytes. Lower and wider tiles would read more rows twice, in the halo of the
windows; with one row there is no such row."""
SPILL = 8
"""A tile of one plane may hang over its lower edge by an eighth; from there on, planes share tiles."""

Three = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Windows:
    """One window for each output of each plane."""

    planes: int
    """Of the output: images times channels."""
    channels: int
    size: Three
    out: Three
    kernel: Three
    stride: Three
    padding: Three
    dilation: Three

    @property
    def rows(self) -> int:
        return self.out[0] * self.out[1]

    @property
    def fits(self) -> bool:
        """Few taps, and offsets that 32 bits hold."""
        near = self.planes * self.rows < FURTHEST and max(prod(self.size), prod(self.out)) < FURTHEST
        return prod(self.kernel) <= MOST_TAPS and near and min(self.out) > 0

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of outputs of one program, powers of two."""
        width = self.out[2]
        if self.rows == 1 and width > OUTPUTS // 2:
            columns = OUTPUTS
        elif width > WIDTHS[-1]:
            columns = min(WIDTHS, key=lambda c: -(-width // c) * c)
        else:
            columns = 1 << (width - 1).bit_length()
        return OUTPUTS // columns, columns

    @property
    def alone(self) -> bool:
        """Does a tile stay within one plane?"""
        rows = self.tile[0]
        return SPILL * (-(-self.rows // rows) * rows - self.rows) <= self.rows

    @property
    def grid(self) -> tuple[int, int]:
        rows, columns = self.tile
        down = self.planes * -(-self.rows // rows) if self.alone else -(-self.planes * self.rows // rows)
        return down, -(-self.out[2] // columns)

    def sizes(self) -> list[str]:
        """Those of planes and windows as lines of a kernel's call."""
        groups = (
            (("D", "H", "W"), self.size),
            (("OD", "OH", "OW"), self.out),
            (("KD", "KH", "KW"), self.kernel),
            (("SD", "SH", "SW"), self.stride),
            (("PD", "PH", "PW"), self.padding),
            (("DD", "DH", "DW"), self.dilation),
        )
        parts = [", ".join(f"{n}={v}" for n, v in zip(names, values, strict=True)) for names, values in groups]
        return [f"{a}, {b}," for a, b in zip(parts[::2], parts[1::2], strict=True)]

    def constants(self) -> list[str]:
        """The kernel's constants as lines of its call."""
        rows, columns = self.tile
        return [*self.sizes(), f"ROWS={rows}, COLUMNS={columns}, ALONE={self.alone}, num_warps=4,"]


def windows_of(graph: Graph, position: int, kernel: Sequence[int], **sizes: Sequence[int]) -> Windows:
    """The windows of the node at ``position`` over its first argument; axes that are not there have size one."""
    node = graph.nodes[position]
    given, out = graph.nodes[node.args[0]].type, node.type
    assert isinstance(given, TensorType) and isinstance(out, TensorType)
    axes = len(kernel)

    def three(values: Sequence[int], neutral: int) -> Three:
        first, second, third = (*(neutral,) * (3 - axes), *values)
        return first, second, third

    return Windows(
        planes=prod(out.shape[:-axes]), channels=out.shape[-axes - 1], size=three(given.shape[-axes:], 1),
        out=three(out.shape[-axes:], 1), kernel=three(kernel, 1), stride=three(sizes["stride"], 1),
        padding=three(sizes["padding"], 0), dilation=three(sizes.get("dilation", (1,) * axes), 1),
    )  # fmt: skip


def per_channel(out: tuple[int, ...], shape: tuple[int, ...], name: str) -> str | None:
    """How a tile reads one value for each channel, or for each channel of each image."""
    places = (1,) * (len(out) - 2)
    if shape == (1, *out[1:2], *places):
        return f"tl.load({name} + plane % CHANNELS)"
    if shape == (*out[:2], *places):
        return f"tl.load({name} + plane)"
    return None


def launcher(
    name: str, title: str, windows: Windows, shape: tuple[int, ...], given: Sequence[str], constants: Sequence[str]
) -> str:
    """The function that calls the kernel of that name: ``given`` are its tensors, the source first."""
    (first, second), (rows, columns) = windows.grid, windows.tile
    tensors = "".join(f"{tensor}.contiguous(), " for tensor in given)
    lines = [
        f"def {name}({', '.join(given)}):",
        f'    """{title}, {rows} x {columns} outputs a program."""',
        f"    out = torch.empty({shape}, dtype=torch.float32, device={given[0]}.device)",
        f"    {name}_kernel[({first}, {second})](",
        f"        {tensors}out,",
        *(f"        {line}" for line in constants),
        *(f"        {line}" for line in windows.constants()),
        "    )",
        "    return out",
    ]
    return "\n".join(lines)
