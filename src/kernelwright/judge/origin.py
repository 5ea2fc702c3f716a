"""Does a candidate compute with kernels of its own? Asked last: the watched calls leave its process used up.

A candidate for ``cuda``, ``triton``, ``cpp`` or ``metal`` whose outputs come from PyTorch's operators alone, or do not
change when what its kernel wrote is spoilt, is ``rejected`` as ``no_own_kernel``: a library wrapper, a fall-back to
the reference, a decoy. For target ``torch`` the same is allowed and labelled: ``library_only``, and ``same_operators``
where it calls the reference's operators in the reference's order. How it is found out: ``worker/provenance.py``.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from kernelwright.judge.findings import Stopped, stop
from kernelwright.judge.nursery import Worker
from kernelwright.schema import Candidate, Status, Target

TRACE_SECONDS = 30.0
"""For all watched calls together."""


@dataclass(frozen=True)
class Origin:
    """What the verdict says of it."""

    labels: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    """Inside the candidate's calls."""


def origin(
    candidate: Candidate, worker: Worker, open_inputs: Callable[[], tuple[int, int]], reference: tuple[str, ...]
) -> Origin:
    """``open_inputs`` opens files with the inputs of two draws; ``reference``: its operators (empty: not known).

    Raises ``Stopped`` (``no_own_kernel``). A candidate that cannot be watched is labelled ``untraced``.
    """
    worker.extend(TRACE_SECONDS)
    with ExitStack() as stack:
        fds = open_inputs()
        for fd in fds:
            stack.callback(os.close, fd)
        try:
            reply = worker.ask("trace", fds)
        except Stopped as stopped:
            return _untraced(stopped.finding.feedback)
    if isinstance(error := reply.get("error"), dict):
        return _untraced(f"{error.get('type')}: {error.get('message')}")
    if reply.get("compiled"):
        return Origin(labels=("uses_torch_compile",))
    seconds = reply.get("seconds")
    seconds = seconds if isinstance(seconds, float) else 0.0
    if reply.get("own_kernel"):
        return Origin(seconds=seconds)
    if candidate.target is not Target.TORCH:
        raise stop(
            Status.REJECTED, "no_own_kernel",
            f"the outputs do not depend on any {candidate.target.value} kernel of the candidate: PyTorch's operators "
            "computed every value in them, or what the kernel wrote can be replaced without a change in the outputs. "
            "Use the kernel's result, or submit the file for target torch.",
        )  # fmt: skip
    found = reply.get("operators")
    same = bool(reference) and isinstance(found, list) and tuple(found) == reference
    return Origin(labels=("library_only", "same_operators") if same else ("library_only",), seconds=seconds)


def _untraced(why: str) -> Origin:
    line = " ".join(why.split())[:300]
    return Origin(("untraced",), (f"where the outputs come from could not be followed: {line}",))
