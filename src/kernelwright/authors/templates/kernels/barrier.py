"""Waiting for all programs of a launch that run at once."""

import triton
import triton.language as tl


@triton.jit
def wait_for_all(arrived, expected):
    """Returns once so many have come here; what they stored before can then be read.

    Only in a cooperative launch: CUDA then runs all programs at once, or refuses to start any.
    """
    tl.debug_barrier()  # the stores of all threads come before the arrival of the first
    seen = tl.atomic_add(arrived, 1, sem="acq_rel") + 1
    while seen < expected:
        seen = tl.atomic_add(arrived, 0, sem="acquire")
    tl.debug_barrier()
