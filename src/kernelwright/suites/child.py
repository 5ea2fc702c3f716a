"""One problem in a process of its own: ``python -m kernelwright.suites.child JOB.json PARENT``.

Writes the problem's record, and nothing else is expected of it: whatever ends it early is the parent's to record.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

from kernelwright.judge import JudgeSettings, ReferenceFailed
from kernelwright.schema import Budget, ProblemError, Record, Run, RunSettings
from kernelwright.store import Store
from kernelwright.suites import recording
from kernelwright.suites.kernelbench import Found
from kernelwright.suites.records import ProblemRecord
from kernelwright.swarm.start import start_run

POLL_SECONDS = 0.5
GRACE_SECONDS = 10.0
"""How long everything may take to end in order."""


class Job(Record):
    """What the process is given."""

    level: int
    number: int
    run: RunSettings
    judge: JudgeSettings
    unsafe: bool
    seconds: float | None = None
    """After which no further attempt begins, whatever the run's budget says."""
    store: str
    """The folder of the store that the run is made in."""
    result: str
    """The file that the record is written to."""


def work(job: Job) -> ProblemRecord:
    """Raises what nobody foresaw."""
    found = Found(job.level, job.number, job.run.problem)
    settings, seconds = job.run, job.seconds
    own = settings.budget.seconds
    if seconds is not None and (own is None or seconds < own):
        settings = settings.model_copy(update={"budget": settings.budget.model_copy(update={"seconds": seconds})})
    with Store.open(Path(job.store)) as store:
        try:
            run = start_run(settings, store, unsafe=job.unsafe, judge=job.judge)
        except (ReferenceFailed, ProblemError) as error:
            return recording.not_judged(found, str(error))
        record = recording.of_run(found, run, store.attempts(run.id))
        return record.model_copy(update={"cut_short": _cut_short(run, job.run.budget, len(record.attempts))})


def _cut_short(run: Run, budget: Budget, attempts: int) -> bool:
    """Whether its time was up before it had spent its budget."""
    seconds = run.settings.budget.seconds
    if seconds is None or seconds == budget.seconds or run.elapsed_seconds < seconds:
        return False
    return budget.attempts is None or attempts < budget.attempts


def _end_with(parent: int) -> None:
    """When the parent is gone nobody reads the record: end, in order where that goes."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    signal.signal(signal.SIGTERM, _interrupt)
    threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True).start()
    job = Job.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with contextlib.suppress(KeyboardInterrupt):
        record = work(job)
        partial = Path(job.result).with_suffix(".part")
        partial.write_text(record.model_dump_json(by_alias=True), encoding="utf-8")
        partial.replace(job.result)


if __name__ == "__main__":
    main()
