"""Many problems on one device: while authors of one run wait for models, a candidate of another run is judged."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from kernelwright.schema import Run
from kernelwright.swarm.swarm import SwarmInterruptedError

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


class CampaignInterruptedError(KeyboardInterrupt):
    """Ctrl-C, while runs went on side by side. Each of ``run_ids`` can be resumed."""

    def __init__(self, run_ids: Sequence[str]) -> None:
        super().__init__(f"interrupted: {len(run_ids)} runs can be resumed")
        self.run_ids = tuple(run_ids)


def side_by_side(starts: Sequence[Start], at_once: int) -> list[Run]:
    """The finished runs, in the order of ``starts``; at most ``at_once`` under way at a time.

    Where one fails the others stop, and its error is raised; on Ctrl-C all stop, and ``CampaignInterruptedError`` is
    raised. Judgements that are under way come to their end first.
    """
    shared = Shared()

    def guarded(start: Start) -> Run:
        if shared.stop.is_set():
            raise KeyboardInterrupt
        try:
            return start(shared)
        except BaseException:
            shared.stop.set()  # at once, so that no further run begins
            raise

    with ThreadPoolExecutor(at_once, thread_name_prefix="run") as pool:
        runs: list[Future[Run]] = [pool.submit(guarded, start) for start in starts]
        try:
            pending = set(runs)
            while pending:
                _, pending = wait(pending, POLL_SECONDS)
        except KeyboardInterrupt:
            shared.stop.set()
    errors = [error for run in runs if (error := run.exception()) is not None]
    for error in errors:
        if not isinstance(error, KeyboardInterrupt):
            raise error
    if errors:
        raise CampaignInterruptedError([error.run_id for error in errors if isinstance(error, SwarmInterruptedError)])
    return [run.result() for run in runs]
