import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import Result

from kernelwright.cli import checks
from kernelwright.cli.checks import Check, DeviceCheck
from kernelwright.models import PROVIDERS
from kernelwright.platforms import cuda_toolkit
from kernelwright.schema import DeviceFacts

Invoke = Callable[..., Result]
SECRET = "sk-this-must-never-be-printed"


def test_one_object_that_names_every_section(kernelwright: Invoke) -> None:
    found = json.loads(kernelwright("doctor", "--json").stdout)
    assert found["schema"] == "kernelwright.doctor/1"
    assert {device["platform"] for device in found["devices"]} >= {"cpu", "cuda", "mps"}
    assert next(d for d in found["devices"] if d["platform"] == "cpu")["facts"]["cores"] >= 1
    assert {check["name"] for check in found["compilers"]} == {"g++", "clang", "nvcc", "NVRTC", "ninja"}
    assert {check["name"] for check in found["targets"]} == {"torch", "cpp", "triton", "cuda", "metal"}
    assert {check["name"] for check in found["authors"]} >= {"inductor", "rewriter", "rewriter+inductor", "file:PATH"}
    assert len(found["isolation"]) >= 1
    for section in ("compilers", "extras", "providers", "isolation"):
        assert all(bool(check["fix"]) != check["available"] for check in found[section])


def test_the_page_says_the_same(kernelwright: Invoke) -> None:
    shown = kernelwright("doctor").stdout
    for part in ("devices", "compilers", "isolation", "targets", "authors", "extras", "providers", "file:PATH"):
        assert part in shown


def test_keys_are_seen_and_never_shown(kernelwright: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS.values():
        for variable in provider.key_names:
            monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:1/v1")  # where nothing answers
    monkeypatch.setenv("GEMINI_API_KEY", SECRET)
    shown = kernelwright("doctor", "--json")
    providers = {check["name"]: check for check in json.loads(shown.stdout)["providers"]}
    assert [name for name, check in providers.items() if check["available"]] == ["google"]
    assert providers["google"]["detail"] == "GEMINI_API_KEY is set"
    assert SECRET not in shown.output + kernelwright("doctor").output


def test_what_is_missing_names_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(cuda_toolkit, "home", lambda given=None: None)
    found = {check.name: check for check in checks.compilers()}
    assert not any(check.available for check in found.values())
    assert found["nvcc"].detail == "no CUDA toolkit: load_inline cannot build CUDA"
    assert found["ninja"].fix == "pip install ninja"
    assert "g++" in found["g++"].fix


TOOLS = ("g++", "clang", "nvcc", "NVRTC", "ninja")


def targets_without(*missing: str, gpu: bool = True) -> dict[str, Check]:
    def found(*names: str) -> tuple[Check, ...]:
        return tuple(
            Check(name=name, available=False, detail=f"no {name}", fix=f"get {name}")
            if name in missing
            else Check(name=name, available=True, detail=name)
            for name in names
        )

    facts = DeviceFacts(platform="cuda", name="GPU", memory_bytes=1, cores=1, cache_bytes=1)
    devices = (DeviceCheck(platform="cuda", available=True, facts=facts),) if gpu else ()
    return {check.name: check for check in checks.targets(found(*TOOLS), found("triton", "metal toolchain"), devices)}


def test_targets_follow_from_tools_and_devices() -> None:
    everything = targets_without()
    assert {name for name, check in everything.items() if check.available} == {
        "torch", "cpp", "cuda", "triton", "metal",
    }  # fmt: skip
    assert "not timed" in everything["metal"].detail
    assert not targets_without(gpu=False)["cuda"].available


def test_cuda_is_built_in_one_of_two_ways() -> None:
    assert targets_without()["cuda"].detail == ""
    without = targets_without("nvcc")["cuda"]
    assert without.available and without.detail == "through NVRTC; not through load_inline: no nvcc"
    without = targets_without("NVRTC")["cuda"]
    assert without.available and without.detail == "through load_inline; not through NVRTC: no NVRTC"
    without = targets_without("NVRTC", "nvcc")
    assert not without["cuda"].available and without["cuda"].fix == "get NVRTC"
    assert without["cuda"].detail == "no NVRTC; no nvcc"
    assert without["triton"].available


@pytest.mark.parametrize(
    ("trial", "headers", "available", "told", "fix"),
    [
        ((True, "NVRTC 13.0"), "/usr/local/cuda", True, "NVRTC 13.0, headers in /usr/local/cuda", ""),
        ((True, "NVRTC 13.0"), None, False, "no CUDA headers", "pip install nvidia-cuda-runtime"),
        ((False, "OSError: no such file"), None, False, "OSError", "pip install nvidia-cuda-nvrtc"),
    ],
)
def test_nvrtc_needs_the_library_and_headers(
    monkeypatch: pytest.MonkeyPatch, trial: tuple[bool, str], headers: str | None, available: bool, told: str, fix: str
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(cuda_toolkit, "nvrtc_trial", lambda cuda: trial)
    monkeypatch.setattr(cuda_toolkit, "home", lambda given=None: headers and Path(headers))
    found = {check.name: check for check in checks.compilers()}["NVRTC"]
    assert (found.available, found.fix) == (available, fix)
    assert told in found.detail


def test_metal_needs_a_mac_or_a_compiler_for_it() -> None:
    tools = [Check(name=name, available=True) for name in TOOLS]
    missing = Check(name="metal toolchain", available=False, detail="no compiler for Metal", fix="get one")
    extras = (Check(name="triton", available=True), missing)
    facts = DeviceFacts(platform="mps", name="M4", memory_bytes=1, cores=1, cache_bytes=1)
    mac = DeviceCheck(platform="mps", available=True, facts=facts)
    here = {check.name: check for check in checks.targets(tuple(tools), extras, ())}
    there = {check.name: check for check in checks.targets(tuple(tools), extras, (mac,))}
    assert (here["metal"].available, here["metal"].fix) == (False, "get one")
    assert there["metal"].available and "not timed" not in there["metal"].detail
