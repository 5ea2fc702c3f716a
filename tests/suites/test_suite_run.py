"""``kernelwright suite run`` with processes that judge nothing: order, resumption, crashes, what stays in the file."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from suite_kit import RELU, ROW_SUMS, checkout
from typer.testing import CliRunner, Result

from kernelwright.cli import suite as cli
from kernelwright.cli.main import app
from kernelwright.suites import children, file
from kernelwright.suites.records import ProblemRecord
from kernelwright.suites.runner import Progress

Invoke = Callable[..., Result]
NAMES = ("1_first", "2_second", "10_tenth")


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))))
    monkeypatch.setattr(children, "PROGRAM", "paper_child")
    checkout(tmp_path / "kb", {f"level1/{name}.py": f"{RELU}# {name}\n" for name in NAMES})
    checkout(tmp_path / "kb", {"level2/1_other.py": ROW_SUMS, "level2/notes.py": "", "level2/README.md": ""})

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["suite", "run", "kernelbench", "--path", "kb", "--platform", "cpu", *arguments])

    return invoke


def change(name: str, text: str) -> None:
    Path(f"kb/KernelBench/{name}.py").write_text(text)


def records(path: str = "results/kernelbench-cpu.json") -> list[ProblemRecord]:
    return list(file.read(Path(path)).problems)


def begun() -> list[str]:
    return Path("begun.txt").read_text().split()


def test_in_natural_order_one_line_each(suite: Invoke) -> None:
    done = suite("--levels", "1,2")
    assert done.exit_code == 0, done.output
    assert begun() == [*NAMES, "1_other"]
    assert [(r.level, r.number, r.name) for r in records()] == [
        (1, 1, "1_first"), (1, 2, "2_second"), (1, 10, "10_tenth"), (2, 1, "1_other"),
    ]  # fmt: skip
    lines = done.stderr.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [f"[{k}/4]", f"{title}:"]
        for k, title in enumerate(("level1/1_first", "level1/2_second", "level1/10_tenth", "level2/1_other"), 1)
    ]
    assert "about" in lines[0]
    assert "about" not in lines[-1]
    [head] = file.read(Path("results/kernelbench-cpu.json")).heads
    [sitting] = head.sittings
    assert (sitting.problems, sitting.at_once) == (4, 1)
    assert 0.2 <= sitting.device_seconds <= sitting.wall_seconds
    assert all(0.05 <= r.device_seconds <= r.wall_seconds for r in records())
    assert "--levels 1,2" in sitting.command


def test_the_inner_folder_ranges_and_names(suite: Invoke) -> None:
    assert suite("--path", "kb/KernelBench", "--levels", "1", "--range", "2-10", "--out", "a.json").exit_code == 0
    assert [r.number for r in records("a.json")] == [2, 10]
    assert suite("--levels", "1,2", "--only", "SECOND", "--only", "level2/", "--out", "b.json").exit_code == 0
    assert [r.name for r in records("b.json")] == ["2_second", "1_other"]


def test_going_on_skips_what_is_there_unless_its_text_is_another(suite: Invoke) -> None:
    assert suite("--levels", "1", "--range", "1-2").exit_code == 0
    kept = records()
    refused = suite("--levels", "1")
    assert refused.exit_code == 2
    assert "--resume" in refused.stderr
    change("level1/2_second", f"{RELU}# again\n")
    done = suite("--levels", "1", "--resume", "--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["schema"] == "kernelwright.suite-run/1"
    assert (summary["finished"], summary["skipped"], summary["left"]) == (2, 1, [])
    assert begun() == ["1_first", "2_second", "2_second", "10_tenth"]
    assert records()[0] == kept[0]
    assert records()[1].digest != kept[1].digest
    [head] = file.read(Path("results/kernelbench-cpu.json")).heads
    assert [sitting.problems for sitting in head.sittings] == [2, 2]


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--budget", "7s"), "budget"), (("--author", "inductor"), "authors"), (("--precision", "gimlet"), "precision"),
     (("--baseline", "compile"), "baselines")],
)  # fmt: skip
def test_other_settings_are_refused(suite: Invoke, options: tuple[str, ...], said: str) -> None:
    assert suite("--levels", "2").exit_code == 0
    before = Path("results/kernelbench-cpu.json").read_text()
    refused = suite("--levels", "1", "--resume", *options)
    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1
    assert said in refused.stderr
    assert Path("results/kernelbench-cpu.json").read_text() == before


def test_another_device_is_refused(suite: Invoke) -> None:
    assert suite("--levels", "2").exit_code == 0
    path = Path("results/kernelbench-cpu.json")
    results = file.read(path)
    [head] = results.heads
    file.write(path, results.model_copy(update={"heads": (head.model_copy(update={"torch": "2.0.1"}),)}))
    refused = suite("--levels", "1", "--resume")
    assert refused.exit_code == 2
    assert "torch 2.0.1" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_what_ends_early_is_a_record_and_the_others_go_on(suite: Invoke) -> None:
    change("level1/1_first", f"{RELU}# killed\n")
    change("level1/2_second", f"{RELU}# raises\n")
    change("level2/1_other", f"{ROW_SUMS}# fails\n")
    change("level2/2_broken", "class Model:\n")
    done = suite("--levels", "1,2", "--json")
    assert done.exit_code == 0, done.output
    assert [(r.name, r.failure) for r in records()][:4] == [
        ("1_first", "its process ended early: signal SIGKILL"),
        ("2_second", "its process ended early: RuntimeError: what nobody foresaw"),
        ("10_tenth", ""),
        ("1_other", "one line is enough"),
    ]
    assert "2_broken" in records()[4].failure
    assert json.loads(done.stdout)["not_judged"] == [
        "level1/1_first", "level1/2_second", "level2/1_other", "level2/2_broken",
    ]  # fmt: skip

    change("level1/1_first", f"{RELU}# killed no more\n".replace("killed", "quiet"))
    assert suite("--levels", "1,2", "--resume").exit_code == 0
    assert begun().count("2_second") == 1
    assert suite("--levels", "1,2", "--resume", "--again").exit_code == 0
    assert begun().count("2_second") == 2
    assert begun().count("10_tenth") == 1


def test_what_failed_beside_others_is_tried_once_more_alone(suite: Invoke) -> None:
    change("level1/10_tenth", f"{RELU}# killed\n")
    done = suite("--levels", "1", "--at-once", "2")
    assert done.exit_code == 0, done.output
    assert begun()[-1] == "10_tenth"
    assert begun().count("10_tenth") == 2
    assert "tried again, alone" in done.stderr
    assert [r.failure != "" for r in records()] == [False, False, True]


def test_a_candidate_that_found_no_memory_beside_others_is_tried_once_more_alone(suite: Invoke) -> None:
    change("level1/10_tenth", f"{RELU}# crowded\n")
    done = suite("--levels", "1", "--at-once", "2")
    assert done.exit_code == 0, done.output
    assert begun().count("10_tenth") == 2 and begun()[-1] == "10_tenth"
    assert "10_tenth: eager stays · cut short (to be tried again, alone)" in done.stderr
    assert [(r.cut_short, r.lacked_memory) for r in records()] == [(False, False)] * 3


def test_alone_the_want_of_memory_is_the_candidates_own(suite: Invoke) -> None:
    change("level1/10_tenth", f"{RELU}# crowded\n")
    assert suite("--levels", "1", "--only", "tenth").exit_code == 0
    assert begun() == ["10_tenth"]
    assert [(r.cut_short, r.lacked_memory) for r in records()] == [(False, True)]


def test_no_problem_begins_after_the_time_limit(suite: Invoke) -> None:
    done = suite("--levels", "1", "--time-limit", "0.05s")
    assert done.exit_code == 0, done.output
    assert len(records()) < 3
    assert "level1/10_tenth" in done.stderr
    assert "--resume" in done.stderr
    assert suite("--levels", "1", "--resume").exit_code == 0
    assert len(records()) == 3


def test_what_the_time_limit_cut_short_is_done_again_after_the_rest(suite: Invoke) -> None:
    change("level1/1_first", f"{RELU}# long\n")
    done = suite("--levels", "1", "--only", "first", "--time-limit", "1h")
    assert done.exit_code == 0, done.output
    assert "1_first: eager stays · cut short" in done.stderr
    assert "cut 1 of them short" in " ".join(done.stdout.split())
    assert [r.cut_short for r in records()] == [True]
    assert suite("--levels", "1", "--resume").exit_code == 0
    assert begun() == ["1_first", "2_second", "10_tenth", "1_first"]
    assert [r.cut_short for r in records()] == [False, False, False]
    assert suite("--levels", "1", "--resume").exit_code == 0
    assert len(begun()) == 4


def test_ctrl_c_ends_in_order(suite: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another problem hangs."""
    change("level1/10_tenth", f"{RELU}# hangs\n")

    def interrupt(_progress: Progress) -> None:
        deadline = time.monotonic() + 60
        while "10_tenth" not in begun() and time.monotonic() < deadline:
            time.sleep(0.02)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_say", interrupt)
    done = suite("--levels", "1", "--at-once", "2")
    assert done.exit_code == 130, done.output
    assert [r.name for r in records()] == ["1_first"]
    assert "level1/10_tenth was stopped" in done.stderr
    assert "--resume" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--path", "nowhere"),
        ("--path", "home"),
        ("--levels", "7"),
        ("--levels", "one"),
        ("--range", "20-1"),
        ("--range", "a"),
        ("--range", "77"),
        ("--only", "no such name"),
        ("--author", "nobody"),
        ("--budget", "0"),
        ("--precision", "none"),
        ("--baseline", "numpy"),
        ("--time-limit", "5"),
        ("--swarm", "nobody"),
        ("--swarm", "gone.toml"),
        ("--again",),
        ("--out", "kb/KernelBench/level1/1_first.py/r.json"),
    ],
)
def test_wrong_usage_is_one_line(suite: Invoke, tmp_path: Path, wrong: tuple[str, ...]) -> None:
    (tmp_path / "home").mkdir()
    done = suite("--levels", "1", *wrong)
    assert done.exit_code == 2, done.output
    assert len(done.stderr.splitlines()) == 1
    assert not Path("begun.txt").exists()
    assert not Path("results").exists()


def test_another_suite_is_none(suite: Invoke) -> None:
    done = CliRunner().invoke(app, ["suite", "run", "solbench", "--path", "kb"])
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert "kernelbench" in done.stderr


def test_a_swarm_of_a_file(suite: Invoke) -> None:
    Path("swarm.toml").write_text('[mine]\nmodels = ["ollama:a", "ollama:b"]\n')
    assert suite("--levels", "2", "--swarm", "swarm.toml").exit_code == 0
    [head] = file.read(Path("results/kernelbench-cpu.json")).heads
    assert head.settings.authors == ("ollama:a", "ollama:b")


def test_merge_and_score(suite: Invoke) -> None:
    assert suite("--levels", "1", "--out", "a.json").exit_code == 0
    assert suite("--levels", "1,2", "--range", "1", "--out", "b.json").exit_code == 0
    done = CliRunner().invoke(app, ["suite", "merge", "a.json", "b.json", "--out", "ab.json"])
    assert done.exit_code == 0, done.output
    assert "level1/1_first is there twice" in done.stderr
    assert [r.name for r in records("ab.json")] == [*NAMES, "1_other"]
    assert records("ab.json")[0].finished == records("b.json")[0].finished
    printed = CliRunner().invoke(app, ["suite", "score", "ab.json", "--json"])
    assert printed.stdout == CliRunner().invoke(app, ["suite", "score", "a.json", "b.json", "--json"]).stdout
    found = json.loads(printed.stdout)
    assert found["schema"] == "kernelwright.suite-score/1"
    assert found["places"][0]["groups"][-1]["problems"] == 4
    page = CliRunner().invoke(app, ["suite", "score", "ab.json", "--markdown", "--against", "eager"])
    assert "against eager" in page.stdout
    assert "max-autotune" not in page.stdout
    for wrong in (["ab.json", "--against", "numpy"], ["gone.json"], ["ab.json", "--json", "--markdown"]):
        refused = CliRunner().invoke(app, ["suite", "score", *wrong])
        assert (refused.exit_code, len(refused.stderr.splitlines())) == (2, 1)
