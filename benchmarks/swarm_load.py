"""Many models, many problems, one device: does the swarm lose time, calls or memory?

    python benchmarks/swarm_load.py [--scale 0.1] [--problems 20] [--authors 8] [--tries 5]

A provider on this machine answers after a lognormal time (median 20 s × scale), and fails one request in ten, in twelve
ways. The judge is paper: it takes 0.12 s × scale for a candidate and finds it wrong, so that every author makes all of
its tries. All problems run side by side and share the device.

The bound is what no schedule could beat: the longest chain of one author at one problem (what the provider took for
its requests, and its judgements), or all judgements one after the other, whichever is longer. Waits before repeated
requests are not in it. Prints wall time over bound (limit 1.15), calls lost and doubled (0), and the process's memory
after a quarter of the time and at the end. Exit code 0: within the limits, 1: not.
"""

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import paper_runs
from figure import machine
from kernelwright.schema import Attempt, Exchange, Problem, Run
from kernelwright.store import Store
from kernelwright.swarm.campaign import Shared, side_by_side
from loopback_provider import Request, Way, provider_process

LATENCY, JUDGE, FAILING = 20.0, 0.12, 0.1
LIMIT = 1.15
MAY_GROW = 1.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--problems", type=int, default=20)
    parser.add_argument("--authors", type=int, default=8)
    parser.add_argument("--tries", type=int, default=5)
    options = parser.parse_args()
    calls = options.problems * options.authors
    os.environ["KERNELWRIGHT_MODEL_REQUESTS_AT_ONCE"] = str(calls)
    judge_seconds = JUDGE * options.scale
    with tempfile.TemporaryDirectory() as home, Store.open(Path(home)) as store, Memory() as memory:
        log = Path(home) / "provider.log"
        with provider_process(log, "--seconds", str(LATENCY * options.scale), "--failing", str(FAILING)) as port:
            names = [f"openai-compatible:model-{n}@http://127.0.0.1:{port}/v1" for n in range(options.authors)]
            chosen = paper_runs.problems(options.problems)

            def start(shared: Shared, problem: Problem) -> Run:
                made = paper_runs.swarm(store, problem, names, judge_seconds, shared)
                return made.start(paper_runs.settings(problem, names, options.tries))

            began = time.monotonic()
            runs = side_by_side([partial(start, problem=problem) for problem in chosen], len(chosen))
            wall = time.monotonic() - began
        exchanges = {run.id: store.exchanges(run.id) for run in runs}
        attempts = {run.id: store.attempts(run.id) for run in runs}
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    served = [line for line in lines if line["event"] == "came"]
    sent = Counter(line["digest"] for line in lines if line["event"] == "sent" and line["way"] == Way.ANSWER)
    bound = least_time(served, exchanges, attempts, judge_seconds)
    lost, doubled = mismatches(sent, exchanges)
    counted = sum(exchange.requests for found in exchanges.values() for exchange in found)
    made = sum(map(len, attempts.values()))
    print(
        f"wall time {wall:.1f} s, {wall / bound:.3f} × the bound of {bound:.1f} s (limit {LIMIT}); {made} attempts, "
        f"{len(served)} requests, of them stored {counted}; answers lost {lost}, doubled {doubled}; memory "
        f"{memory.quarter >> 20} MiB after a quarter, {memory.last >> 20} MiB at the end "
        f"(scale {options.scale:g}, {options.authors} authors, {options.problems} problems, {machine()})"
    )
    right = made == calls * options.tries and counted == len(served) and not lost and not doubled
    return 0 if right and wall <= LIMIT * bound and memory.last <= MAY_GROW * memory.quarter else 1


def least_time(
    served: list[dict[str, Any]],
    exchanges: dict[str, tuple[Exchange, ...]],
    attempts: dict[str, tuple[Attempt, ...]],
    judge_seconds: float,
) -> float:
    """Seconds that no schedule could beat."""
    latency: dict[str, float] = defaultdict(float)
    for request in served:
        latency[request["digest"]] += request["seconds"]
    chains: list[float] = []
    judged = 0
    for run, found in attempts.items():
        by_author: dict[str, float] = defaultdict(float)
        for exchange in exchanges[run]:
            author = exchange.key.rsplit("/", 2)[0]
            by_author[author] += latency[prompt_digest(exchange)]
        for attempt in found:
            if attempt.candidate is not None:
                by_author[attempt.author] += judge_seconds
                judged += 1
        chains += by_author.values()
    return max(*chains, judged * judge_seconds)


def prompt_digest(exchange: Exchange) -> str:
    """As the provider names the request."""
    texts = [exchange.prompt.system, *(message.text for message in exchange.prompt.messages)]
    model = exchange.model.removeprefix("openai-compatible:").partition("@")[0]
    return Request(0, "openai", model, "\n".join(texts), 0, {}, {}).digest


def mismatches(sent: Counter[str], exchanges: dict[str, tuple[Exchange, ...]]) -> tuple[int, int]:
    """Answers that were sent and are not stored, and answers that are stored or were sent more than once."""
    stored: Counter[str] = Counter()
    for found in exchanges.values():
        for exchange in found:
            stored.update(re.findall(r"^# ([0-9a-f]{16})$", exchange.answer, flags=re.MULTILINE))
    lost = {digest for digest in sent if not stored[digest]}
    for exchange in (exchange for found in exchanges.values() for exchange in found):
        if prompt_digest(exchange) in lost:
            print(f"lost: {exchange.key}: {exchange.status}, {exchange.requests} requests, {exchange.detail}")
    return len(lost), sum(max(0, count - 1) for count in (stored | sent).values())


class Memory:
    """This process's resident memory, looked at ten times a second. Bytes."""

    def __init__(self) -> None:
        self._seen: list[int] = []
        self._stop = threading.Event()

    def __enter__(self) -> "Memory":
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.1):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self._seen.append(pages * os.sysconf("SC_PAGE_SIZE"))

    @property
    def quarter(self) -> int:
        middle = len(self._seen) // 4
        return int(statistics.median(self._seen[middle : middle + 10]))

    @property
    def last(self) -> int:
        return int(statistics.median(self._seen[-10:]))


if __name__ == "__main__":
    sys.exit(main())
