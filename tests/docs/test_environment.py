"""The scripts behind ``make``: nothing is installed twice, and what is missing is named."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def project(folder: Path, python: str) -> Path:
    """A copy of what the environment script needs, with an environment whose ``python`` is the given script."""
    (folder / "scripts").mkdir()
    for name in ("scripts/environment", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    binary = folder / ".venv/bin"
    binary.mkdir(parents=True)
    (binary / "python").write_text(f"#!/bin/sh\n{python}\n")
    (binary / "python").chmod(0o755)
    return folder


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    everything = {**os.environ, **environment}
    command = [str(folder / "scripts/environment")]
    return subprocess.run(command, capture_output=True, text=True, env=everything, check=False)


def test_second_call_installs_nothing(tmp_path: Path):
    folder = project(tmp_path, 'echo "$@" >> pip-was-called')
    calls = folder / "pip-was-called"
    assert run(folder).returncode == 0
    assert "install" in calls.read_text() and "-c constraints.txt -e .[dev]" in calls.read_text()
    calls.unlink()
    assert run(folder).returncode == 0
    assert not calls.exists()


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_file_installs_again(tmp_path: Path, name: str):
    folder = project(tmp_path, 'echo "$@" >> pip-was-called')
    run(folder)
    (folder / "pip-was-called").unlink()
    with (folder / name).open("a") as file:
        file.write("# changed\n")
    assert run(folder).returncode == 0
    assert (folder / "pip-was-called").exists()


def test_a_failed_installation_is_tried_again(tmp_path: Path):
    folder = project(tmp_path, "exit 1")
    assert run(folder).returncode != 0
    assert run(folder).returncode != 0


def test_more_arguments_reach_pip(tmp_path: Path):
    folder = project(tmp_path, 'echo "$@" >> pip-was-called')
    run(folder, PIP_EXTRA="--extra-index-url https://example.org/simple")
    assert "--extra-index-url https://example.org/simple" in (folder / "pip-was-called").read_text()


def test_no_python_is_one_line(tmp_path: Path):
    folder = project(tmp_path, "exit 1")
    shutil.rmtree(folder / ".venv")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "env", "cat", "cksum", "dirname"):
        (tools / name).symlink_to(shutil.which(name) or "")
    done = run(folder, PATH=str(tools), PYTHON="")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Python 3.11 to 3.13" in done.stderr
