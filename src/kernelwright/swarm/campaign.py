"""Many problems at once on one device: while one run's authors wait for their models, another run's candidate is judged."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from kernelwright.schema import Run

POLL_SECONDS = 0.2
"""How long Ctrl-C may go unnoticed: Python hands it to the main thread only, which waits for the others."""


@dataclass(frozen=True)
class Shared:
    """What runs side by side share."""

    device: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever uses the device: judgements of different runs never overlap."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set, and every run ends as Ctrl-C ends it: resumably."""


Start = Callable[[Shared], Run]


def side_by_side(starts: Sequence[Start], at_once: int) -> list[Run]:
    """The finished runs, in the order of ``starts``; at most ``at_once`` under way at a time.

    Raises what the first failing run raised, and ``KeyboardInterrupt`` on Ctrl-C, after all runs have come to a stop.
    """
    shared = Shared()

    def guarded(start: Start) -> Run:
        if shared.stop.is_set():
            raise KeyboardInterrupt
        return start(shared)

    with ThreadPoolExecutor(at_once, thread_name_prefix="run") as pool:
        runs: list[Future[Run]] = [pool.submit(guarded, start) for start in starts]
        try:
            while not (done := wait(runs, POLL_SECONDS, FIRST_EXCEPTION)).not_done == set():
                if any(run.exception() is not None for run in done.done):
                    break
        finally:
            if not all(run.done() for run in runs) or any(run.exception() for run in runs):
                shared.stop.set()
    return [run.result() for run in runs]
