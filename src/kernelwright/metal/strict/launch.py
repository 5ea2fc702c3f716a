"""Limits of one dispatch on every Apple GPU family."""

from math import prod

from kernelwright.metal.contract import KernelSignature
from kernelwright.metal.strict.kernels import MOST_THREADS
from kernelwright.metal.strict.spaces import MOST_THREADGROUP_BYTES


def check_launch(kernel: KernelSignature, group: tuple[int, int, int], threadgroup_bytes: int) -> str | None:
    """Why a kernel cannot be dispatched in threadgroups of ``group`` threads; ``None`` if it can.

    ``threadgroup_bytes``: threadgroup memory of one threadgroup, variables of the kernel and arguments together.
    The answer is one line. Limits: Apple's Metal Feature Set Tables (1024 threads, 32 KiB), and what the kernel itself
    says with ``[[max_total_threads_per_threadgroup(n)]]``.
    """
    size = " × ".join(str(n) for n in group)
    threads = prod(group)
    if min(group) < 1:
        return f"{kernel.host_name}: a threadgroup of {size} threads has no thread in one of its dimensions"
    if threads > MOST_THREADS:
        return (
            f"{kernel.host_name}: a threadgroup of {size} = {threads} threads; Apple GPUs take {MOST_THREADS} at most"
        )
    if kernel.max_threads and threads > kernel.max_threads:
        limit = f"max_total_threads_per_threadgroup({kernel.max_threads})"
        return f"{kernel.host_name}: a threadgroup of {size} = {threads} threads; the kernel allows {limit}"
    if threadgroup_bytes > MOST_THREADGROUP_BYTES:
        needed = f"{threadgroup_bytes} bytes of threadgroup memory"
        return f"{kernel.host_name}: a threadgroup needs {needed}; Apple GPUs have {MOST_THREADGROUP_BYTES}"
    return None
