"""Counted work of a Metal candidate that was checked without an Apple GPU."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kernelwright.schema import MetalKernel, MetalWork

_LINES = 8
"""Lines of the source that are shown: those that move the most beyond what they would have to."""


def metal_view(work: MetalWork) -> RenderableType:
    """One row a kernel, the lines whose memory accesses cost the most, modelled times, and what all this is not."""
    parts: list[RenderableType] = [Text(work.note, style="bold"), _kernels(work)]
    lines = _lines(work)
    if lines is not None:
        parts.append(lines)
    if work.modelled:
        parts.append(_modelled(work))
    intensity = "–" if work.arithmetic_intensity is None else f"{work.arithmetic_intensity:.3g} FLOP/byte"
    moved = f"{_bytes(work.device_bytes)} of device memory accessed, {_bytes(work.distinct_device_bytes)} distinct"
    total = f"{moved}, {work.flops / 1e9:.4g} GFLOP, {intensity}"
    parts.append(Text(f"{total}; counted, not measured on a Mac", style="dim"))
    return Group(*parts)


def _kernels(work: MetalWork) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("kernel", "launches", "read", "written", "threadgroup", "barriers", "simd", "watched"):
        table.add_column(name)
    for kernel in work.kernels:
        device = [buffer for buffer in kernel.buffers if buffer.space == "device"]
        read, written = sum(b.read_bytes for b in device), sum(b.written_bytes for b in device)
        table.add_row(
            kernel.name,
            str(kernel.launches),
            _bytes(read),
            _bytes(written),
            _bytes(kernel.threadgroup_read_bytes + kernel.threadgroup_written_bytes),
            f"{kernel.barriers:,}",
            f"{kernel.simd_operations:,}",
            f"{kernel.threadgroups_watched:,} of {kernel.threadgroups:,} threadgroups",
        )
    return table


def _lines(work: MetalWork) -> Table | None:
    """Uncoalesced accesses and bank conflicts; ``None`` where there are none."""
    found = [(kernel, access) for kernel in work.kernels for access in kernel.accesses]
    wasteful = [(kernel, access) for kernel, access in found if access.transactions > access.ideal_transactions]
    if not wasteful:
        return None
    table = Table(box=None, pad_edge=False)
    for name in ("line", "memory", "access", "beyond the fewest transactions"):
        table.add_column(name)
    wasteful.sort(key=lambda pair: pair[1].ideal_transactions - pair[1].transactions)
    for kernel, access in wasteful[:_LINES]:
        ratio = access.transactions / max(1, access.ideal_transactions)
        what = "bank conflicts" if access.space == "threadgroup" else "uncoalesced"
        name = f"{'write to' if access.write else 'read of'} {access.name}"
        table.add_row(_place(work, kernel, access.line), access.space, name, f"{ratio:.3g} × ({what})")
    return table


def _place(work: MetalWork, kernel: MetalKernel, line: int) -> str:
    return str(line) if len(work.kernels) == 1 else f"{kernel.name}:{line}"


def _modelled(work: MetalWork) -> RenderableType:
    plain = [time for time in work.modelled if " " not in time.gpu] or work.modelled  # without Pro, Max and Ultra
    times = "  ".join(f"{time.gpu} {_ms(time.ms)}" for time in plain)
    return Text(f"roofline model, no measurement: {times}", style="dim")


def _ms(value: float) -> str:
    return f"{value:.3g} ms"


def _bytes(value: int) -> str:
    return f"{value / 1e6:.4g} MB" if value >= 1e5 else f"{value / 1e3:.4g} kB"
