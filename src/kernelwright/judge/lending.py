"""Whether tensors can stay on the device between a candidate that is vouched for and the reference.

Through files, an output of a gigabyte takes a second to be seen by the judge; lent, it takes a millisecond. What is
asked and how it is compared is the same either way. Strangers always hand over files: a lent handle opens memory of
another process for writing too.
"""

import os
from contextlib import ExitStack

from kernelwright.judge.nursery import Worker
from kernelwright.judge.reference.client import Reference, ReferenceFailed


def can_lend(worker: Worker, reference: Reference) -> bool:
    """Tried both ways: the driver may not allow it, or an allocator may have memory of another kind."""
    return reference.device_type == "cuda" and _lends(worker, reference) and _borrows(worker, reference)


def _lends(worker: Worker, reference: Reference) -> bool:
    reply, fds = worker.request("lend")
    with ExitStack() as stack:
        for fd in fds:
            stack.callback(os.close, fd)
        try:
            return "error" not in reply and reference.ask("borrow", tuple(fds))["same"] is True
        except ReferenceFailed:
            return False


def _borrows(worker: Worker, reference: Reference) -> bool:
    try:
        _, fds = reference.request("lend")
    except ReferenceFailed:
        return False
    with ExitStack() as stack:
        for fd in fds:
            stack.callback(os.close, fd)
        return worker.ask("borrow", tuple(fds)).get("same") is True
