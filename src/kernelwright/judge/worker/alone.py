"""One candidate in a process of its own that another program can start: ``ncu``, or a capture of Metal's commands.

``python -m kernelwright.judge.worker.alone`` reads what to run from standard input, builds the candidate as a judgement
does, warms it up, and calls it inside the range that the outer tool looks at. An error ends it with a traceback.
"""

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from kernelwright.judge.channel import Channel
from kernelwright.judge.files import anonymous_file, write_all
from kernelwright.judge.worker import cell

WARM_CALLS = 3


@contextmanager
def cuda_range(_trace: str) -> Generator[None]:
    """From ``cudaProfilerStart`` to ``cudaProfilerStop``: with ``--profile-from-start off`` ncu sees only that."""
    import torch

    torch.cuda.synchronize()
    torch.cuda.profiler.start()
    try:
        yield
        torch.cuda.synchronize()
    finally:
        torch.cuda.profiler.stop()


@contextmanager
def metal_range(trace: str) -> Generator[None]:
    """Metal's commands go into a ``.gputrace`` document; the process needs ``MTL_CAPTURE_ENABLED=1`` from its start."""
    from torch.mps import profiler

    if not profiler.is_metal_capture_enabled():
        raise RuntimeError("Metal capture is off: MTL_CAPTURE_ENABLED=1 did not reach this process")
    with profiler.metal_capture(trace):
        yield


@contextmanager
def no_range(_trace: str) -> Generator[None]:
    yield


RANGES = {"cuda": cuda_range, "metal": metal_range, "none": no_range}


def read(stream: BinaryIO) -> tuple[dict[str, Any], list[int]]:
    """The order, and one anonymous file for each of its parts. See ``kernelwright.judge.profiling.alone``."""
    order = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    files: list[int] = []
    for size in order["sizes"]:
        fd = anonymous_file("part")
        write_all(fd, stream.read(size), 0)
        files.append(fd)
    return order, files


def main() -> None:
    from kernelwright.judge.worker.harness import Harness

    order, (construction, inputs) = read(sys.stdin.buffer)
    cell.set_limits(order["file_bytes"], order["cpu_seconds"])
    if sys.platform == "linux":
        with suppress(OSError):  # a kernel without filters: the judgement says so, a profile need not
            cell.filter_system_calls()
    channel, other_end = Channel.pair()
    harness = Harness(channel, order["platform"], os.environ["TMPDIR"])
    harness.on_load({"source": order["source"], "name": order["name"], "seed": order["seed"]}, [])
    harness.on_construct({"seed": order["seed"]}, [construction])
    harness.on_store({"slot": 0}, [inputs])
    harness.on_warm({"slot": 0, "calls": WARM_CALLS}, [])
    with RANGES[order["range"]](order["trace"]):
        harness.on_warm({"slot": 0, "calls": order["calls"]}, [])
    other_end.close()


if __name__ == "__main__":
    main()
