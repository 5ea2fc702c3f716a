"""Stands in for the process of one problem: what it does is written in the problem's text. Judges nothing."""

import os
import signal
import sys
import time
from pathlib import Path

from kernelwright.judge.gate import DeviceGate
from kernelwright.schema import Status
from kernelwright.suites import recording
from kernelwright.suites.child import Job
from kernelwright.suites.kernelbench import Found
from kernelwright.suites.records import AttemptShort


def main() -> None:
    job = Job.model_validate_json(Path(sys.argv[1]).read_text())
    source = job.run.problem.source
    with Path("begun.txt").open("a") as file:
        file.write(f"{job.run.problem.name}\n")
    assert job.judge.gate is not None
    with DeviceGate(job.judge.gate).alone():
        time.sleep(0.05)
    if "# hangs" in source:
        time.sleep(600)
    if "# killed" in source:
        os.kill(os.getpid(), signal.SIGKILL)
    if "# raises" in source:
        raise RuntimeError("what nobody foresaw")
    found = Found(job.level, job.number, job.run.problem)
    record = recording.not_judged(found, "one line\nis enough") if "# fails" in source else None
    record = record or recording.not_judged(found, "").model_copy(update={"stays": "eager"})
    record = record.model_copy(update={"cut_short": "# long" in source and job.seconds is not None})
    if "# crowded" in source and Path("begun.txt").read_text().count(job.run.problem.name) == 1:
        lacks = AttemptShort(number=1, author="rewriter", status=Status.OUT_OF_MEMORY)
        record = record.model_copy(update={"attempts": (lacks,)})
    Path(job.result).write_text(record.model_dump_json())


if __name__ == "__main__":
    main()
