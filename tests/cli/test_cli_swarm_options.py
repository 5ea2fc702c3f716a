"""What ``optimize`` is told about the swarm: taken as it is meant, or refused in one line."""

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import Result

from kernelwright.cli import swarm_options
from kernelwright.schema import Attempt, Candidate, ContextPiece, Policy, Problem, RunSettings, Status, Target, Verdict
from kernelwright.store import Store

Invoke = Callable[..., Result]
DEFAULTS = ("independent", None, None, None, "rules", 5, 3, 8, 0)


def test_pieces_come_with_their_files(tmp_path: Path) -> None:
    (tmp_path / "kernel.cu").write_text("__global__ void k() {}")
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    (tmp_path / "notes" / "b.md").write_text("B")
    (tmp_path / "notes" / "deep" / "a.txt").write_text("A")
    (tmp_path / "notes" / "picture.png").write_bytes(b"\x89PNG")
    fields = swarm_options.settings(
        "bandit", ["peers"], str(tmp_path / "kernel.cu"), str(tmp_path / "notes"), "rules", 2, 1, 4, 7
    )
    made = RunSettings(problem=Problem(name="p", format="f"), **fields)
    assert made.policy is Policy.BANDIT
    assert made.context == {ContextPiece.PEERS, ContextPiece.REFERENCE, ContextPiece.DOCS}
    assert made.reference is not None
    assert (made.reference.name, made.reference.text) == ("kernel.cu", "__global__ void k() {}")
    assert [(note.name, note.text) for note in made.docs] == [("b.md", "B"), ("deep/a.txt", "A")]
    assert (made.tries, made.rounds, made.parallel, made.seed) == (2, 1, 4, 7)


def stored(home: Path, status: Status) -> str:
    with Store.open(home) as store:
        run = store.create_run(RunSettings(problem=Problem(name="p", format="f")))
        candidate = Candidate(source="import triton", author="a", target=Target.TRITON)
        verdict = Verdict(status=status)
        store.add_attempt(Attempt(run=run.id, number=1, author="a", candidate=candidate, verdict=verdict, created=""))
    return f"{run.id}/1"


def test_a_stored_candidate_is_a_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path))
    fields = swarm_options.settings("independent", None, stored(tmp_path, Status.CORRECT), None, "rules", 5, 3, 8, 0)
    assert fields["reference"].text == "import triton"
    assert fields["context"] == {ContextPiece.REFERENCE}
    with pytest.raises(typer.Exit):
        swarm_options.settings("independent", None, stored(tmp_path, Status.MISMATCH), None, "rules", 5, 3, 8, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "greedy"], "no policy 'greedy': there are independent, exchange, bandit"),
        (["--context", "gossip"], "no context 'gossip': there are reference, profile, peers, docs"),
        (["--context", "reference"], "--context reference needs the implementation: --reference FILE"),
        (["--context", "docs"], "--context docs needs the notes: --docs DIR"),
        (["--reference", "missing.cu"], "no such reference file: missing.cu"),
        (["--reference", "nobody/3"], "no attempt 'nobody/3' in this store"),
        (["--docs", "missing"], "no such folder of notes: missing"),
        (["--context", "profile", "--analyst", "acme:m"], "acme"),
        (["--swarm", "yesterday"], "no swarm 'yesterday'; there is seed-2025, today"),
        (["--author", "replay:nothing"], "no run 'nothing' in this store"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], said: str, kernelwright: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path))
    problem = str(Path(__file__).parents[2] / "examples/problems/level1/02_layer_norm_rows.py")
    shown = kernelwright("optimize", problem, *arguments)
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert shown.stderr.count("\n") == 1
    assert not Store.open(tmp_path).runs()
