"""The command as users start it: processes, exit codes, what is loaded, what reaches which stream."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kernelwright.schema import RunState
from kernelwright.store import Store


def kernelwright(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KERNELWRIGHT_HOME": str(cwd / "home"), "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "kernelwright", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=300, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["judge", "gone.py", "fast.py"],
        ["judge", "relu.py", "fast.py", "--precision", "none"],
        ["optimize", "relu.py", "--budget", "0"],
        ["optimize", "relu.py", "--author", "nobody", "--json"],
        ["optimize", "--resume", "nothing", "--json"],
        ["show", "nothing", "--json"],
        ["show"],
        ["nonsense"],
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(files: Path, arguments: list[str]) -> None:
    done = kernelwright(*arguments, cwd=files)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("kernelwright: ")
    assert "Traceback" not in done.stderr


def test_one_object_on_standard_output(files: Path) -> None:
    for command in ("runs", "doctor"):
        done = kernelwright(command, "--json", cwd=files)
        assert done.returncode == 0
        assert json.loads(done.stdout)["schema"] == f"kernelwright.{command}/1"


HEAVY = ("torch", "numpy", "scipy", "sqlalchemy", "pydantic", "rich", "egglog")


@pytest.mark.parametrize(
    "code",
    ["import kernelwright", "from kernelwright.cli.main import main; main(['--help'])"],
    ids=["import", "help"],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(code: str) -> None:
    script = f"import sys\n{code}\nprint([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.slow
def test_a_verdict_from_the_real_judge(files: Path) -> None:
    noisy = "import os\nos.write(1, b'{}')\nprint('{}')\n" + (files / "fast.py").read_text()
    (files / "noisy.py").write_text(noisy)
    (files / "wrong.py").write_text(noisy.replace("min=0", "min=0.5"))
    for name, code, status in (("noisy.py", 0, "correct"), ("wrong.py", 1, "mismatch")):
        done = kernelwright("judge", "relu.py", name, "--no-timing", "--unsafe", "--json", cwd=files)
        assert done.returncode == code, done.stderr
        assert json.loads(done.stdout)["status"] == status


@pytest.mark.slow
def test_a_problem_that_does_not_run_is_one_line(files: Path) -> None:
    broken = (files / "relu.py").read_text().replace("torch.relu(x)", "torch.relu(x) @ x[:1, :1]")
    (files / "broken.py").write_text(broken)
    done = kernelwright("judge", "broken.py", "fast.py", "--no-timing", "--unsafe", cwd=files)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.thorough
def test_a_run_that_is_interrupted_goes_on_where_it_was(
    files: Path, device_limits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second author's candidate hangs; Ctrl-C comes while it is being judged."""
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")  # baselines are not the point: none is compiled
    (files / "home").mkdir()
    (files / "home" / "limits").symlink_to(device_limits)
    (files / "hangs.py").write_text("import time\ntime.sleep(600)\n" + (files / "fast.py").read_text())
    environment = {**os.environ, "KERNELWRIGHT_HOME": str(files / "home"), "OMP_NUM_THREADS": "1"}
    authors = ["--author", "file:fast.py", "--author", "file:hangs.py"]
    command = [sys.executable, "-m", "kernelwright", "optimize", "relu.py", *authors, "--unsafe", "--budget", "2m"]
    child = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        cwd=files,
        env=environment,
        # started in the background, a shell's children ignore Ctrl-C, and so would theirs
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert child.stderr is not None
    lines: list[str] = []
    for line in child.stderr:
        lines.append(line)
        if "1 file:fast.py" in line:
            break
    assert "1 file:fast.py" in lines[-1], lines  # otherwise it ended by itself
    child.send_signal(signal.SIGINT)
    lines += child.stderr.readlines()
    child.stderr.close()
    code = child.wait(timeout=60)
    assert "Traceback" not in "".join(lines)
    with Store.open(files / "home") as store:
        run = store.runs()[0]
        assert store.count_attempts(run.id) == 1
        kept = store.attempts(run.id)[0]
    assert code == 130
    assert run.state is RunState.INTERRUPTED
    assert lines[-1].endswith(f"go on with: kernelwright optimize --resume {run.id} --unsafe\n")
    (files / "hangs.py").write_text((files / "fast.py").read_text().replace("verdict", "another"))
    done = kernelwright("optimize", "--resume", run.id, "--unsafe", "--json", cwd=files)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["results"][0]
    assert result["state"] == "finished"
    assert [attempt["author"] for attempt in result["attempts"]] == ["file:fast.py", "file:hangs.py"]
    with Store.open(files / "home") as store:
        assert store.attempts(run.id)[0] == kept
    assert result["elapsed_seconds"] > run.elapsed_seconds
