"""kill -9 at random moments, resume: is the store as if nothing had happened, and is no answer paid for twice?

    python benchmarks/swarm_crash.py [--kills 20] [--seed 0]

A run of four models with four tries each goes on in a process of its own, against a provider in another process
(median latency 0.4 s) and a judge of paper that takes 0.4 s too, so that answers wait on disk for their verdict. It is
killed after a random time and resumed, once for each of ``--kills`` stores; each must end with the same attempts,
author by author, as a run that nobody disturbed. The answers that are stored at the kill are read from the store, and
the provider's log says which of them were asked for again. Prints the figures, and how many answers were stored at a
kill without a verdict, since only those can be lost; exit code 0: all held and there were some, 1: not.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import paper_runs
from figure import machine
from kernelwright.schema import RunState
from kernelwright.store import Store
from kernelwright.swarm.campaign import Shared
from loopback_provider import provider_process

AUTHORS, TRIES, LATENCY, JUDGE = 4, 4, 0.4, 0.4

History = dict[str, list[tuple[str | None, str]]]
"""By author: candidate and status of each attempt, in order."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", metavar="HOME", help=argparse.SUPPRESS)
    parser.add_argument("--port", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(Path(options.work), options.port)
        return 0
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "provider.log"
        with provider_process(log, "--seconds", str(LATENCY)) as port:
            undisturbed = Path(folder) / "undisturbed"
            began = time.monotonic()
            worker(undisturbed, port).wait()
            length = time.monotonic() - began
            expected = history(undisturbed)
            differing = repeated = waiting = 0
            for number in range(options.kills):
                home = Path(folder) / f"killed-{number}"
                log.write_text("")
                kill(worker(home, port), draw.uniform(0.1, 1.0) * length)
                kept, judged = answers(home)
                waiting += len(kept) - judged
                log.write_text("")  # what comes now is asked by the resumed run
                worker(home, port).wait()
                differing += history(home) != expected
                repeated += asked_again(log, kept)
    print(
        f"{options.kills} runs killed and resumed: {differing} ended with other attempts than the undisturbed one, "
        f"{repeated} stored answers were asked for again; {waiting} answers were stored without a verdict at a kill "
        f"({AUTHORS} authors, {TRIES} tries, {machine()})"
    )
    return 0 if not differing and not repeated and waiting else 1


def worker(home: Path, port: int) -> "subprocess.Popen[bytes]":
    """A process that begins the run in this store, or goes on with the one that is there."""
    command = [sys.executable, __file__, "--work", str(home), "--port", str(port)]
    return subprocess.Popen(command, start_new_session=True)


def work(home: Path, port: str) -> None:
    (problem,) = paper_runs.problems(1)
    names = [f"openai-compatible:model-{n}@http://127.0.0.1:{port}/v1" for n in range(AUTHORS)]
    with Store.open(home) as store:
        swarm = paper_runs.swarm(store, problem, names, JUDGE, Shared())
        unfinished = [run.id for run in store.summaries() if run.state is not RunState.FINISHED]
        if unfinished:
            swarm.resume(unfinished[0])
        elif not store.summaries():
            swarm.start(paper_runs.settings(problem, names, TRIES))


def kill(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def answers(home: Path) -> tuple[set[str], int]:
    """Digests of the requests whose answers are stored, and how many of them have their attempt."""
    with Store.open(home) as store:
        runs = [run.id for run in store.runs()]
        texts = [exchange.answer for run in runs for exchange in store.exchanges(run)]
        judged = sum(bool(attempt.exchanges) for run in runs for attempt in store.attempts(run))
    return {digest for text in texts for digest in re.findall(r"^# ([0-9a-f]{16})$", text, flags=re.MULTILINE)}, judged


def history(home: Path) -> History:
    found: History = {}
    with Store.open(home) as store:
        (run,) = store.runs()
        assert run.state is RunState.FINISHED
        for attempt in store.attempts(run.id):
            digest = attempt.candidate.digest if attempt.candidate else None
            found.setdefault(attempt.author, []).append((digest, attempt.verdict.status.value))
    return found


def asked_again(log: Path, kept: set[str]) -> int:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return sum(line["event"] == "came" and line["digest"] in kept for line in lines)


if __name__ == "__main__":
    sys.exit(main())
