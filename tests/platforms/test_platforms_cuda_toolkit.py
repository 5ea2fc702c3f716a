"""Where a CUDA toolkit is, and how a process is told."""

import os
from pathlib import Path

import pytest

from kernelwright.judge.nursery import worker_environment
from kernelwright.platforms import cuda_toolkit


def toolkit(place: Path, *, nvcc: bool = True) -> Path:
    (place / "include").mkdir(parents=True)
    (place / "include" / "cuda_runtime.h").touch()
    (place / "bin").mkdir()
    if nvcc:
        (place / "bin" / "nvcc").write_text("#!/bin/sh\n")
        (place / "bin" / "nvcc").chmod(0o755)
    return place


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any."""
    monkeypatch.setattr(cuda_toolkit, "SYSTEM", ())
    monkeypatch.setattr(cuda_toolkit, "_packages", list)


def test_nothing_is_said_where_there_is_nothing(nowhere: None, tmp_path: Path):
    given = {"PATH": str(tmp_path), "CUDA_HOME": str(tmp_path / "removed")}
    assert cuda_toolkit.home(given) is None and cuda_toolkit.nvcc(given) is None
    assert cuda_toolkit.environment(given) == {}


def test_what_the_environment_names_comes_first(nowhere: None, tmp_path: Path):
    named, found = toolkit(tmp_path / "named"), toolkit(tmp_path / "found")
    given = {"PATH": str(found / "bin")}
    assert cuda_toolkit.home(given) == found
    assert cuda_toolkit.home(given | {"CUDA_PATH": str(named)}) == named
    assert cuda_toolkit.nvcc(given | {"CUDA_HOME": str(named)}) == named / "bin" / "nvcc"


def test_a_script_that_starts_nvcc_is_no_toolkit(nowhere: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """PyTorch would take the folder above it for one."""
    real = toolkit(tmp_path / "cuda")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "nvcc"
    script.write_text(f'#!/bin/sh\nexec {real}/bin/nvcc "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(cuda_toolkit, "SYSTEM", (str(real),))
    assert cuda_toolkit.home({"PATH": str(tmp_path / "bin")}) == real


@pytest.mark.parametrize("name", ["cu13", "cuda_runtime"])
def test_python_packages_are_a_toolkit_too(name: str, nowhere: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = toolkit(tmp_path / name, nvcc=False)
    library = tmp_path / ("cu13" if name == "cu13" else "cuda_nvrtc") / "lib"
    library.mkdir(parents=True)
    (library / f"libnvrtc.so.{13 if name == 'cu13' else 12}").touch()
    (library / "libnvrtc.alt.so.13").touch()
    monkeypatch.setattr(cuda_toolkit, "_packages", lambda: [tmp_path])
    assert cuda_toolkit.environment({"PATH": "", "LD_LIBRARY_PATH": "/mine"}) == {
        "CUDA_HOME": str(place), "LD_LIBRARY_PATH": os.pathsep.join(["/mine", str(library)]),
    }  # fmt: skip
    assert cuda_toolkit.nvcc({"PATH": ""}) is None


def test_candidates_are_told(nowhere: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CUDA_HOME", raising=False)
    monkeypatch.setattr(cuda_toolkit, "SYSTEM", (str(toolkit(tmp_path / "cuda")),))
    monkeypatch.setenv("PATH", "/nothing")
    assert worker_environment("/tmp")["CUDA_HOME"] == str(tmp_path / "cuda")


def test_a_trial_without_the_library_says_which_one_is_missing(nowhere: None):
    works, said = cuda_toolkit.nvrtc_trial("0.1")
    assert not works and "libnvrtc.so.0" in said


@pytest.mark.cuda
def test_nvrtc_compiles_here():
    import torch

    if torch.version.cuda is None or not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    works, said = cuda_toolkit.nvrtc_trial(torch.version.cuda)
    assert works and said.startswith("NVRTC "), said
