"""A profile in words: the figures that a model is shown beside the pictures, or in their place."""

from kernelwright.analysis.analyst import Subject
from kernelwright.schema import MetalWork, Profile, Verdict

MOST_OPERATIONS = 24
MOST_SOURCE = 24_000
MOST_LINES = 12


def describe(subject: Subject) -> str:
    """Device, times, roofline, operations, counters and notes of the profile; the candidate's source at the end."""
    profile, verdict, facts = subject.profile, subject.attempt.verdict, subject.facts
    candidate = subject.attempt.candidate
    parts = [
        f"Problem: {verdict.problem or 'unnamed'}. Candidate for {verdict.target.value}, profiled with {profile.tool} "
        f"on {profile.platform}: {profile.device or facts.name}; {facts.cores} cores, {facts.cache_bytes >> 20} MiB of "
        "last-level cache.",
        *_times(profile, verdict),
        *_roofline(profile),
        *_operations(profile),
    ]
    if profile.metal is not None:
        parts += _metal(profile.metal)
    if profile.counters:
        parts.append("Counters for one call: " + ", ".join(f"{k} {v:.4g}" for k, v in profile.counters.items()))
    parts += [f"Note: {note}" for note in profile.notes]
    if candidate is not None:
        source = candidate.source[:MOST_SOURCE]
        cut = "" if len(candidate.source) <= MOST_SOURCE else "\n(the rest is left out)"
        parts.append(f"Source of the candidate:\n\n```python\n{source}\n```{cut}")
    return "\n\n".join(parts)


def _times(profile: Profile, verdict: Verdict) -> list[str]:
    said: list[str] = []
    if profile.wall_ms is not None:
        busy = f", the device worked {profile.device_ms:.4g} ms of it" if profile.device_ms is not None else ""
        said.append(f"One call takes {profile.wall_ms:.4g} ms{busy}.")
    if verdict.speedup.eager is not None:
        said.append(f"It is {verdict.speedup.eager.median:.3g} times as fast as PyTorch in eager mode.")
    if verdict.speedup.best_baseline is not None:
        best = verdict.speedup
        said.append(f"It is {best.best_baseline.median:.3g} times as fast as {best.best_baseline_name}.")  # type: ignore[union-attr]
    return [" ".join(said)] if said else []


def _roofline(profile: Profile) -> list[str]:
    found = profile.roofline
    if found is None or found.bandwidth <= 0 or found.flop_rate <= 0:
        return []
    memory, compute = 1e3 * found.bytes_moved / found.bandwidth, 1e3 * found.flops / found.flop_rate
    text = (
        f"Roofline: {found.bytes_moved / 1e6:.4g} MB must move at {found.bandwidth / 1e9:.4g} GB/s: {memory:.4g} ms. "
        f"{found.flops / 1e9:.4g} GFLOP at {found.flop_rate / 1e9:.4g} GFLOP/s: {compute:.4g} ms."
    )
    if found.time_ms:
        text += f" The call reaches {100 * max(memory, compute) / found.time_ms:.3g} % of this bound."
    return [text]


def _operations(profile: Profile) -> list[str]:
    if not profile.operations:
        return []
    rows = ["| operation | launches | device ms | host ms | MB | GFLOP | occupancy | registers | shared bytes |"]
    rows.append("|---|---|---|---|---|---|---|---|---|")
    for op in profile.operations[:MOST_OPERATIONS]:
        moved = None if op.bytes_moved is None else op.bytes_moved / 1e6
        flops = None if op.flops is None else op.flops / 1e9
        cells = (op.launches, op.device_ms, op.host_ms, moved, flops, op.occupancy, op.registers, op.shared_bytes)
        rows.append(f"| {op.name.replace('|', '/')} | " + " | ".join(_cell(value) for value in cells) + " |")
    return ["Operations in one call (own time, longest first; – is not known):\n\n" + "\n".join(rows)]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _metal(work: MetalWork) -> list[str]:
    """What was counted: kernels and the lines whose memory accesses cost the most."""
    kernels = [
        f"{k.name}: grid {k.grid}, threadgroup {k.group}, {k.launches} launches, {k.barriers} barriers, "
        f"{k.simd_operations} SIMD operations, {k.atomics} atomics, {k.flops} FLOPs, threadgroup memory "
        f"{k.threadgroup_memory} bytes, {k.threadgroup_read_bytes + k.threadgroup_written_bytes} bytes through it; "
        + "; ".join(
            f"{b.name or b.index} ({b.space}) read {b.read_bytes} bytes, {b.distinct_read_bytes} distinct, written "
            f"{b.written_bytes}"
            for b in k.buffers
        )
        for k in work.kernels
    ]
    wasted = sorted(
        ((k.name, a) for k in work.kernels for a in k.accesses if a.transactions > a.ideal_transactions),
        key=lambda pair: pair[1].ideal_transactions - pair[1].transactions,
    )
    lines = [
        f"{name}, line {a.line} of the Metal source: {'write' if a.write else 'read'} of {a.name} ({a.space}): "
        f"{a.transactions} transactions where {a.ideal_transactions} would do"
        for name, a in wasted[:MOST_LINES]
    ]
    times = ", ".join(f"{t.gpu} {t.ms:.4g} ms ({t.bound})" for t in work.modelled[:6])
    parts = [f"Metal kernels ({work.note}):\n" + "\n".join(kernels)]
    if lines:
        parts.append("Accesses beyond the fewest transactions:\n" + "\n".join(lines))
    if times:
        parts.append(f"A roofline model of Apple GPUs, no measurement: {times}")
    return parts
