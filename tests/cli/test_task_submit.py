"""From ``kernelwright task`` over judgements in its folder to ``kernelwright submit``."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kernelwright.authors import get
from kernelwright.authors.folder import TaskFolder
from kernelwright.cli.main import app
from kernelwright.schema import Status, Verdict
from kernelwright.store import Store

Invoke = Callable[..., Result]


def candidate_saying(verdict: str) -> str:
    head = f'"""Clamps from below."""\nimport torch\n\n# verdict: {verdict}\n'
    return head + "\n\nclass ModelNew(torch.nn.Module):\n    pass\n"


@pytest.fixture
def work(kernelwright: Invoke, files: Path) -> Path:
    result = kernelwright("task", "relu.py", "--target", "torch", "--out", "work", "--platform", "cpu")
    assert result.exit_code == 0, result.output
    return files / "work"


@pytest.fixture
def judged(kernelwright: Invoke, work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three judgements: a wrong candidate, a fast one, the fast one again."""
    monkeypatch.chdir(work)
    for verdict in ("mismatch", "ok 1.5", "ok 1.5"):
        (work / "candidate.py").write_text(candidate_saying(verdict))
        kernelwright("judge", "problem.py", "candidate.py")
    monkeypatch.chdir(work.parent)
    return work


def test_the_folder_holds_all_that_is_needed(work: Path, files: Path) -> None:
    assert (work / "problem.py").read_text() == (files / "relu.py").read_text()
    page = (work / "TASK.md").read_text()
    for part in ("kernelwright judge problem.py candidate.py", "kernelwright submit", "# What the judge demands",
                 "# The device", "takes: `x: float32 [4, 4]`", "target **torch**"):  # fmt: skip
        assert part in page
    about = json.loads((work / "task.json").read_text())
    assert (about["schema"], about["problem"], about["target"]) == ("kernelwright.task/1", "relu", "torch")
    assert about["device"]["platform"] == "cpu"
    assert "class ModelNew" in (work / "example" / "candidate.py").read_text()
    assert "class Model(" in (work / "example" / "problem.py").read_text()


def test_the_candidate_to_start_from_is_correct(work: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real judge
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(files / "home"))
    monkeypatch.chdir(work)
    result = CliRunner().invoke(app, ["judge", "problem.py", "candidate.py", "--no-timing", "--unsafe", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads((work / "attempts" / "001" / "verdict.json").read_text()) == json.loads(result.stdout)


def test_each_judgement_in_the_folder_is_kept(judged: Path) -> None:
    kept = sorted(path.name for path in (judged / "attempts").iterdir())
    assert kept == ["001", "002", "003"]
    first = json.loads((judged / "attempts" / "001" / "verdict.json").read_text())
    assert (first["status"], first["target"]) == ("mismatch", "torch")
    assert (judged / "attempts" / "002" / "candidate.py").read_text() == candidate_saying("ok 1.5")


def test_judgements_that_end_together_are_all_kept(judged: Path) -> None:
    folder = TaskFolder.open(judged)
    verdict = Verdict.model_validate_json((judged / "attempts" / "001" / "verdict.json").read_text())
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda n: folder.record(f"# {n}", verdict), range(32)))
    assert sorted(path.name for path in kept) == [f"{number:03}" for number in range(4, 36)]
    assert {(path / "candidate.py").read_text() for path in kept} == {f"# {n}" for n in range(32)}


def test_a_judgement_elsewhere_is_not_kept(kernelwright: Invoke, work: Path) -> None:
    assert kernelwright("judge", "relu.py", "work/candidate.py").exit_code == 0
    assert kernelwright("judge", "work/example/problem.py", "work/example/candidate.py").exit_code == 0
    assert not (work / "attempts").exists()


def test_submitted_candidates_become_a_run(kernelwright: Invoke, judged: Path, files: Path) -> None:
    result = kernelwright("submit", "work", "--author", "ada", "--quiet")
    assert result.exit_code == 0, result.output
    assert "agent:ada: Clamps from below." in result.stdout
    written = (files / "kernelwright-out" / "relu.py").read_text()
    assert written.endswith(candidate_saying("ok 1.5"))
    with Store.open() as store:
        (run,) = store.runs()
        attempts = store.attempts(run.id)
    assert [(a.author, a.verdict.status) for a in attempts] == [
        ("agent:ada", Status.MISMATCH), ("agent:ada", Status.CORRECT),
    ]  # fmt: skip
    assert (run.settings.problem.name, run.outcome.winner if run.outcome else "") == ("relu", "attempt")
    assert get(run.settings.authors[0]).name == "agent:ada"


def test_what_the_folder_says_of_itself_does_not_count(kernelwright: Invoke, judged: Path) -> None:
    good = (judged / "attempts" / "002" / "verdict.json").read_text()
    (judged / "attempts" / "001" / "verdict.json").write_text(good)
    (judged / "attempts" / "009").mkdir()
    (judged / "attempts" / "009" / "verdict.json").write_text(good)
    (judged / "attempts" / "010").mkdir()
    (judged / "attempts" / "010" / "candidate.py").symlink_to(judged.parent / "slow.py")
    found = json.loads(kernelwright("submit", "work", "--json").stdout)["results"][0]
    assert [attempt["status"] for attempt in found["attempts"]] == ["mismatch", "correct"]
    assert found["author"] == "agent:work"


def test_the_start_is_nobodys_candidate(kernelwright: Invoke, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    assert kernelwright("judge", "problem.py", "candidate.py").exit_code == 0
    monkeypatch.chdir(work.parent)
    assert "there is nothing to submit" in kernelwright("submit", "work").stderr
    (work / "candidate.py").write_text(candidate_saying("ok 1.5"))
    found = json.loads(kernelwright("submit", "work", "--json").stdout)["results"][0]
    assert [attempt["title"] for attempt in found["attempts"]] == ["Clamps from below."]


def test_strict_is_an_answer_of_its_own(kernelwright: Invoke) -> None:
    made = kernelwright(
        "task", "relu.py", "--target", "torch", "--precision", "kernelbench", "--out", "work", "--platform", "cpu"
    )
    assert made.exit_code == 0, made.output
    assert kernelwright("judge", "work/problem.py", "fast.py").exit_code == 0
    asked = kernelwright("judge", "work/problem.py", "fast.py", "--precision", "strict")
    assert (asked.exit_code, "this task is for target torch, precision kernelbench" in asked.stderr) == (2, True)


def test_many_failures_do_not_hide_the_candidate_after_them(kernelwright: Invoke, work: Path) -> None:
    for number in range(7):
        (work / "attempts" / f"{number + 1:03}").mkdir(parents=True)
        text = candidate_saying("mismatch") + f"# {number}\n"
        (work / "attempts" / f"{number + 1:03}" / "candidate.py").write_text(text)
    (work / "candidate.py").write_text(candidate_saying("ok 1.5"))
    found = json.loads(kernelwright("submit", "work", "--author", "ada", "--json").stdout)["results"][0]
    assert [attempt["status"] for attempt in found["attempts"]] == ["mismatch"] * 7 + ["correct"]


def test_an_interrupted_submission_goes_on(kernelwright: Invoke, judged: Path) -> None:
    (judged / "candidate.py").write_text(candidate_saying("interrupt"))
    assert kernelwright("submit", "work", "--author", "ada").exit_code == 130
    with Store.open() as store:
        (run,) = store.runs()
    (judged / "candidate.py").write_text(candidate_saying("ok 2.0"))
    found = json.loads(kernelwright("optimize", "--resume", run.id, "--json").stdout)["results"][0]
    assert [attempt["status"] for attempt in found["attempts"]] == ["mismatch", "correct", "correct"]
    again = json.loads(kernelwright("optimize", "relu.py", "--author", f"replay:{run.id}", "--json").stdout)
    assert [attempt["status"] for attempt in again["results"][0]["attempts"]] == ["mismatch", "correct", "correct"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["task", "gone.py", "--target", "torch", "--out", "new"], "no such problem file: gone.py"),
        (["task", "relu.py", "--target", "cobol", "--out", "new"], "no target 'cobol'"),
        (["task", "relu.py", "--target", "torch", "--out", "work"], "work is not empty"),
        (["task", "relu.py", "--target", "torch", "--out", "relu.py"], "cannot write to relu.py"),
        (["task", "relu.py", "--target", "cuda", "--out", "new", "--platform", "cpu"], "needs an NVIDIA GPU"),
        (["submit", "gone"], "no such folder: gone"),
        (["submit", "home"], "home is not the folder of a task"),
        (["submit", "work"], "there is nothing to submit"),
        (["submit", "work", "--author", "a b"], "no name for an author: 'a b'"),
        (["judge", "work/problem.py", "fast.py", "--target", "triton"], "this task is for target torch"),
        (["optimize", "relu.py", "--author", "agent:ada"], "write agent:NAME@DIR"),
        (["optimize", "relu.py", "--author", "agent:ada@gone"], "no such folder: gone"),
    ],
)
def test_wrong_use_is_one_line(kernelwright: Invoke, work: Path, files: Path, arguments: list[str], said: str) -> None:
    (files / "home").mkdir(exist_ok=True)
    result = kernelwright(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr


@pytest.mark.parametrize("command", [["submit", "work"], ["judge", "work/problem.py", "fast.py"]])
def test_another_problem_or_a_damaged_task_is_noticed(kernelwright: Invoke, work: Path, command: list[str]) -> None:
    original = (work / "problem.py").read_text()
    (work / "problem.py").write_text(original.replace("relu", "sigmoid"))
    changed = kernelwright(*command)
    assert (changed.exit_code, "has changed since the task was made" in changed.stderr) == (2, True)
    (work / "problem.py").write_text("Model = None")
    assert "bring back the problem" in kernelwright(*command).stderr
    (work / "problem.py").write_text(original)
    (work / "task.json").write_text('{"schema": "kernelwright.task/1"}')
    damaged = kernelwright(*command)
    assert damaged.exit_code == 2
    assert "task.json is damaged: problem: Field required" in damaged.stderr
    assert len(damaged.stderr.splitlines()) == 1
