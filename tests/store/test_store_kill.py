"""``kill -9`` at any moment loses no acknowledged attempt."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kernelwright.schema import Problem, RunSettings
from kernelwright.store import Store

# Adds attempts as fast as it can, each with texts of its own, and names each one on stdout once the store took it.
WRITER = """
import os, sys
from pathlib import Path
from kernelwright.schema import Attempt, Candidate, Status, Verdict
from kernelwright.store import Store

store, run = Store.open(Path(sys.argv[1])), sys.argv[2]
number = store.count_attempts(run)
while True:
    number += 1
    source = f"# {number}\\n" + "x = 1\\n" * 2_000
    store.add_attempt(Attempt(
        run=run, number=number, author="writer", candidate=Candidate(source=source, author="writer"),
        verdict=Verdict(status=Status.CORRECT, artifacts={"kernel.cpp": source[::-1]}), created="now"),
        elapsed_seconds=float(number))
    os.write(1, f"{number}\\n".encode())
"""


def test_no_acknowledged_attempt_is_lost(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run = store.create_run(RunSettings(problem=Problem(name="killed", format="kernelbench", source="x"))).id
    acknowledged = 0
    for seed in range(5):
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), run], stdout=subprocess.PIPE)
        assert child.stdout is not None
        first = child.stdout.readline()  # the child is past its imports, in the middle of writing
        time.sleep(random.Random(seed).uniform(0.0, 0.15))
        child.kill()
        lines = first + child.stdout.read()
        child.stdout.close()
        assert child.wait(timeout=30) == -9
        # A line that was cut by the kill was not an acknowledgement.
        numbers = [int(line) for line in lines.splitlines(keepends=True) if line.endswith(b"\n")]
        assert numbers[0] == acknowledged + 1 or numbers[0] == acknowledged + 2
        acknowledged = numbers[-1]
        with Store.open(tmp_path) as store:
            kept = store.attempts(run)
            assert [attempt.number for attempt in kept] == list(range(1, len(kept) + 1))
            # One more may have been committed but not yet named.
            assert acknowledged <= len(kept) <= acknowledged + 1
            for attempt in kept:
                assert attempt.candidate is not None
                assert attempt.candidate.source.startswith(f"# {attempt.number}\n")
                assert attempt.verdict.artifacts["kernel.cpp"] == attempt.candidate.source[::-1]
            assert store.run(run).elapsed_seconds == float(len(kept))


def test_what_a_killed_writer_left_is_cleared_after_a_day(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        digest = store.put_text("kept")
    folder = tmp_path / "texts" / digest[:2]
    old, young = folder / ".tmp-old", folder / ".tmp-young"
    for path in (old, young):
        path.write_text("half a te")
    os.utime(old, (0, 0))
    with Store.open(tmp_path) as store:
        assert store.get_text(digest) == "kept"
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("name", ["Ünï cöde / ../..", "", "x" * 300])
def test_run_ids_are_safe_words(tmp_path: Path, name: str) -> None:
    with Store.open(tmp_path) as store:
        run = store.create_run(RunSettings(problem=Problem(name=name, format="kernelbench", source="x")))
        assert store.run(run.id).settings.problem.name == name
    assert len(run.id) < 60
    assert set(run.id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
