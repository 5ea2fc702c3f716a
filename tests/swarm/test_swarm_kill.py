"""``kill -9`` while models answer: resumed, the run ends as if nothing had happened, and pays for no answer twice."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kernelwright.schema import RunState
from kernelwright.store import Store
from loopback_provider import LoopbackProvider, Reply, module_answer

TRIES, ON_DISK = 3, 3
"""Of each author; and answers that are there when the judge hangs with the second one: one judged, one in its hands,
and the next one of the author whose first was judged."""
# Begins the run of two models in the store of its first argument, or goes on with the one that is there. Where the
# second argument says so, the judge hangs with the second candidate.
WORKER = f"""
import sys
import time
from pathlib import Path
from kernelwright import authors
from kernelwright.authors import Task
from kernelwright.schema import DeviceFacts, Problem, RunSettings, Status, Target, Verdict
from kernelwright.store import Store
from kernelwright.swarm import Swarm

class Refusing:
    problem_labels = ()
    eager_error = None
    def baselines(self):
        return ()
    def profile(self, candidate, *, trusted=False):
        return None
    def judge(self, candidate, *, trusted=False):
        self.judged = getattr(self, "judged", 0) + 1
        if hangs and self.judged == 2:
            time.sleep(600)
        return Verdict(status=Status.MISMATCH, feedback="off by one", candidate=candidate.digest)

home, hangs, *names = sys.argv[1], sys.argv[2] == "hangs", *sys.argv[3:]
problem = Problem(name="paper", format="kernelbench", source=Path(home, "problem.py").read_text())
facts = DeviceFacts(platform="cpu", name="paper", memory_bytes=1, cores=1, cache_bytes=1)
settings = RunSettings(problem=problem, authors=names, target=Target.TORCH, tries={TRIES})
with Store.open(Path(home)) as store:
    task = Task(problem=problem, facts=facts, platform="cpu", target=Target.TORCH)
    swarm = Swarm(store, Refusing(), [authors.get(name) for name in names], task)
    runs = store.runs()
    swarm.resume(runs[0].id) if runs else swarm.start(settings)
"""
PROBLEM = """
import torch
class Model(torch.nn.Module):
    def forward(self, x):
        return x + 1
def get_inputs():
    return [torch.ones(3)]
def get_init_inputs():
    return []
"""

History = dict[str, list[tuple[str | None, str]]]


def worker(home: Path, names: list[str], judge: str = "answers") -> "subprocess.Popen[bytes]":
    home.mkdir(exist_ok=True)
    (home / "problem.py").write_text(PROBLEM)
    environment = {**os.environ, "KERNELWRIGHT_HOME": str(home)}
    return subprocess.Popen([sys.executable, "-c", WORKER, str(home), judge, *names], env=environment)


def undisturbed(home: Path, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole run, in this process."""
    home.mkdir()
    (home / "problem.py").write_text(PROBLEM)
    with monkeypatch.context() as patch:
        patch.setenv("KERNELWRIGHT_HOME", str(home))
        patch.setattr(sys, "argv", ["-c", str(home), "answers", *names])
        exec(WORKER, {"__name__": "worker"})


def history(home: Path) -> History:
    """By author, for their order between authors is chance."""
    found: History = {}
    with Store.open(home) as store:
        (run,) = store.runs()
        assert run.state is RunState.FINISHED
        for attempt in store.attempts(run.id):
            digest = attempt.candidate.digest if attempt.candidate else None
            found.setdefault(attempt.author, []).append((digest, attempt.verdict.status.value))
    return found


def answers_on_disk(home: Path) -> set[str]:
    """Digests of the requests that they answer."""
    with Store.open(home) as store:
        texts = [exchange.answer for run in store.runs() for exchange in store.exchanges(run.id)]
    return set(re.findall(r"^# ([0-9a-f]{16})$", "\n".join(texts), flags=re.MULTILINE))


def attempts_on_disk(home: Path) -> int:
    with Store.open(home) as store:
        return sum(store.count_attempts(run.id) for run in store.runs())


@pytest.mark.slow
@pytest.mark.thorough
def test_kill_9_costs_no_answer_that_had_arrived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with LoopbackProvider(lambda request: Reply(module_answer(request))) as provider:
        names = [provider.name("one"), provider.name("two")]
        undisturbed(tmp_path / "undisturbed", names, monkeypatch)
        killed = tmp_path / "killed"
        process = worker(killed, names, "hangs")
        deadline = time.monotonic() + 60
        while len(answers_on_disk(killed)) < ON_DISK and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
        kept, sent = answers_on_disk(killed), len(provider.requests)
        assert len(kept) == ON_DISK
        assert attempts_on_disk(killed) == 1
        assert worker(killed, names).wait(timeout=60) == 0
        again = [request.digest for request in provider.requests[sent:]]
    assert len(again) == 2 * TRIES - ON_DISK
    assert not kept & set(again)
    assert history(killed) == history(tmp_path / "undisturbed")
    assert [len(made) for made in history(killed).values()] == [TRIES, TRIES]
