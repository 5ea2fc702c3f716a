import json
import re
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

from kernelwright.schema import RunState
from kernelwright.store import Store

Invoke = Callable[..., Result]


def test_the_winner_is_written_with_its_papers(kernelwright: Invoke, files: Path) -> None:
    result = kernelwright("optimize", "relu.py", "--author", "file:slow.py", "--author", "file:fast.py")
    assert result.exit_code == 0, result.output
    written = (files / "kernelwright-out" / "relu.py").read_text()
    run = Store.open().runs()[0]
    assert written.endswith((files / "fast.py").read_text())
    assert f"# run {run.id}, attempt 2: kernelwright show {run.id}/2\n" in written
    assert "# 3.00× (2.94–3.06) vs eager, 1.50× (1.47–1.53) vs torch.compile" in written
    assert "# repeat: kernelwright judge relu.py kernelwright-out/relu.py" in written
    assert "on cpu: paper" in written
    compile(written, "relu.py", "exec")
    assert "kernelwright-out/relu.py" in result.stdout
    assert "1.50×" in result.stdout


def test_progress_goes_to_standard_error_and_quiet_silences_it(kernelwright: Invoke) -> None:
    loud = kernelwright("optimize", "relu.py", "--author", "file:fast.py")
    assert "baseline eager: 2 ms" in loud.stderr
    assert "1 file:fast.py · fast.py · correct" in loud.stderr
    assert "best so far" in loud.stderr
    quiet = kernelwright("optimize", "relu.py", "--author", "file:fast.py", "--quiet")
    assert quiet.stderr == ""
    assert "Results" in quiet.stdout


def test_a_baseline_that_stays_is_said_and_no_file_is_written(kernelwright: Invoke, files: Path) -> None:
    result = kernelwright("optimize", "relu.py", "--author", "file:slow.py", "--quiet")
    assert result.exit_code == 0
    assert "torch.compile stays" in result.stdout
    assert "relu: no file, torch.compile stays" in result.stdout
    assert list((files / "kernelwright-out").iterdir()) == []


def test_several_problems_of_one_name_get_files_of_their_own(kernelwright: Invoke, files: Path) -> None:
    (files / "other").mkdir()
    (files / "other" / "relu.py").write_text((files / "relu.py").read_text() + "\n")
    result = kernelwright("optimize", "relu.py", "other/relu.py", "--author", "file:fast.py", "--out", "here", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["results"]
    assert [entry["file"] for entry in found] == ["here/relu.py", "here/relu-2.py"]
    assert [entry["path"] for entry in found] == ["relu.py", "other/relu.py"]


def test_json_is_one_object_and_nothing_else(kernelwright: Invoke) -> None:
    result = kernelwright("optimize", "relu.py", "--author", "file:wrong.py", "--author", "file:fast.py", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["schema"] == "kernelwright.optimize/1"
    entry = found["results"][0]
    assert entry["winner"] == "attempt"
    assert entry["attempt"] == f"{entry['run']}/2"
    assert entry["author"] == "file:fast.py"
    assert entry["speedup"]["best_baseline"]["median"] == 1.5
    assert [attempt["status"] for attempt in entry["attempts"]] == ["mismatch", "correct"]
    assert entry["problem_labels"] == ["constant_output"]
    assert "what a compiler says" in result.stderr


def test_ctrl_c_and_resume(kernelwright: Invoke, files: Path) -> None:
    authors = ("--author", "file:fast.py", "--author", "file:stop.py")
    stopped = kernelwright("optimize", "relu.py", *authors, "--unsafe")
    assert stopped.exit_code == 130
    line = stopped.stderr.splitlines()[-1]
    match = re.search(r"kernelwright optimize --resume (\S+) --unsafe$", line)
    assert match is not None
    run_id = match.group(1)
    assert Store.open().run(run_id).state is RunState.INTERRUPTED
    assert len(Store.open().attempts(run_id)) == 1

    (files / "stop.py").write_text((files / "fast.py").read_text().replace("1.5", "1.8"))
    resumed = kernelwright("optimize", "--resume", run_id, "--json")
    assert resumed.exit_code == 0, resumed.output
    entry = json.loads(resumed.stdout)["results"][0]
    assert (entry["run"], entry["state"]) == (run_id, "finished")
    assert [attempt["author"] for attempt in entry["attempts"]] == ["file:fast.py", "file:stop.py"]
    assert entry["attempt"] == f"{run_id}/2"


def test_a_finished_run_is_shown_again_and_a_new_budget_goes_on(kernelwright: Invoke) -> None:
    first = kernelwright(
        "optimize", "relu.py", "--author", "file:slow.py", "--author", "file:fast.py", "--budget", "1", "--json"
    )
    entry = json.loads(first.stdout)["results"][0]
    assert len(entry["attempts"]) == 1
    again = json.loads(kernelwright("optimize", "--resume", entry["run"], "--json").stdout)["results"][0]
    assert again["attempts"] == entry["attempts"]
    more = json.loads(kernelwright("optimize", "--resume", entry["run"], "--budget", "9", "--json").stdout)
    assert [attempt["number"] for attempt in more["results"][0]["attempts"]] == [1, 2]
    assert more["results"][0]["winner"] == "attempt"
