"""The parent's side of one problem's process: start it, see how it ended, stop it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from kernelwright.judge import JudgeSettings
from kernelwright.judge.gate import seconds_in_use, uses
from kernelwright.judge.spent import spent_by
from kernelwright.schema import RunSettings
from kernelwright.store import Store, StoreError
from kernelwright.suites import keeping, recording
from kernelwright.suites.child import GRACE_SECONDS, Job
from kernelwright.suites.kernelbench import Found
from kernelwright.suites.records import ProblemRecord, Spent

PROGRAM = "kernelwright.suites.child"


class Child:
    """One problem, under way from the moment on that this is made. ``folder`` is its own."""

    def __init__(
        self,
        found: Found,
        run: RunSettings,
        judge: JudgeSettings,
        folder: Path,
        *,
        unsafe: bool,
        threads: int,
        device: str | None = None,
        seconds: float | None = None,
    ) -> None:
        """``threads``: how many its compiler may use. ``device``: the one that it sees, as CUDA numbers them.

        ``seconds``: after which it begins no further attempt.
        """
        self.device = device
        self.found = found
        self.in_company = False
        """Whether another problem was worked on at the same time."""
        self._gate = judge.gate
        self._folder = folder
        self._began = time.monotonic()
        folder.mkdir(parents=True)
        job = Job(
            level=found.level,
            number=found.number,
            run=run,
            judge=judge,
            unsafe=unsafe,
            seconds=seconds,
            store=str(folder / "store"),
            result=str(folder / "record.json"),
        )
        (folder / "job.json").write_text(job.model_dump_json(), encoding="utf-8")
        command = [sys.executable, "-m", PROGRAM, str(folder / "job.json"), str(os.getpid())]
        environment = {"TORCHINDUCTOR_COMPILE_THREADS": str(threads)} | os.environ
        if run.platform != "cpu":  # there the number of threads is part of what is timed
            environment = {"OMP_NUM_THREADS": str(threads)} | environment
        if device is not None:
            environment |= {"CUDA_VISIBLE_DEVICES": device}
        with (folder / "log").open("wb") as log:  # a session of its own: Ctrl-C comes to the parent alone
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def record(self) -> ProblemRecord:
        """What came of it, once it has ended; a process that left no record is one too."""
        result = self._folder / "record.json"
        if result.exists():
            record = ProblemRecord.model_validate_json(result.read_text(encoding="utf-8"))
        else:
            record = recording.not_judged(self.found, f"its process ended early: {self._last_words()}")
        used = seconds_in_use(uses(self._gate, self.pid)) if self._gate is not None else 0.0
        wall = time.monotonic() - self._began
        return record.model_copy(update={"wall_seconds": wall, "device_seconds": used, "spent": self._spent(record)})

    def _spent(self, record: ProblemRecord) -> Spent:
        judged = spent_by(self._gate, self.pid) if self._gate is not None else {}
        return Spent(**judged, writing=sum(attempt.write_seconds for attempt in record.attempts))

    def keep(self, record: ProblemRecord, store: Store) -> ProblemRecord:
        """Carry its run over to the user's store; the record with the run's id there, or without one."""
        return record.model_copy(update={"run": self.rescue(store)})

    def rescue(self, store: Store) -> str:
        """Carry over what there is of its run, once it has ended: answers of models were paid for. The new id."""
        made = self._folder / "store"
        try:
            return keeping.carry_over(made, store) if made.exists() else ""
        except StoreError as error:
            print(f"kernelwright: the run of {self.found.title} is not in the store: {error}", file=sys.stderr)
            return ""

    def ask_to_stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """After it was asked to: wait, then kill."""
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def _last_words(self) -> str:
        code = self._process.wait()
        if code < 0:
            return f"signal {signal.Signals(-code).name}"
        lines = (self._folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {code}"
