import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from kernelwright.cli import checks
from kernelwright.cli.checks import Check, DeviceCheck
from kernelwright.models import PROVIDERS
from kernelwright.schema import DeviceFacts

Invoke = Callable[..., Result]
SECRET = "sk-this-must-never-be-printed"


def test_one_object_that_names_every_section(kernelwright: Invoke) -> None:
    found = json.loads(kernelwright("doctor", "--json").stdout)
    assert found["schema"] == "kernelwright.doctor/1"
    assert {device["platform"] for device in found["devices"]} >= {"cpu", "cuda", "mps"}
    assert next(d for d in found["devices"] if d["platform"] == "cpu")["facts"]["cores"] >= 1
    assert {check["name"] for check in found["compilers"]} == {"g++", "clang", "nvcc", "ninja"}
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
    found = {check.name: check for check in checks.compilers()}
    assert not any(check.available for check in found.values())
    assert found["ninja"].fix == "pip install ninja"
    assert "g++" in found["g++"].fix


def test_targets_follow_from_tools_and_devices() -> None:
    tools = ("g++", "clang", "nvcc", "ninja", "triton", "metal toolchain")
    yes = [Check(name=name, available=True, detail=name) for name in tools]
    facts = DeviceFacts(platform="cuda", name="GPU", memory_bytes=1, cores=1, cache_bytes=1)
    gpu = DeviceCheck(platform="cuda", available=True, facts=facts)
    everything = {check.name: check for check in checks.targets(tuple(yes[:4]), tuple(yes[4:]), (gpu,))}
    assert {name for name, check in everything.items() if check.available} == {
        "torch", "cpp", "cuda", "triton", "metal",
    }  # fmt: skip
    assert "not timed" in everything["metal"].detail
    no_nvcc = [c.model_copy(update={"available": False, "fix": "get nvcc"}) if c.name == "nvcc" else c for c in yes]
    without = {check.name: check for check in checks.targets(tuple(no_nvcc[:4]), tuple(no_nvcc[4:]), (gpu,))}
    assert not without["cuda"].available
    assert without["cuda"].fix == "get nvcc"
    assert without["triton"].available


def test_metal_needs_a_mac_or_a_compiler_for_it() -> None:
    tools = [Check(name=name, available=True) for name in ("g++", "clang", "nvcc", "ninja")]
    missing = Check(name="metal toolchain", available=False, detail="no compiler for Metal", fix="get one")
    extras = (Check(name="triton", available=True), missing)
    facts = DeviceFacts(platform="mps", name="M4", memory_bytes=1, cores=1, cache_bytes=1)
    mac = DeviceCheck(platform="mps", available=True, facts=facts)
    here = {check.name: check for check in checks.targets(tuple(tools), extras, ())}
    there = {check.name: check for check in checks.targets(tuple(tools), extras, (mac,))}
    assert (here["metal"].available, here["metal"].fix) == (False, "get one")
    assert there["metal"].available and "not timed" not in there["metal"].detail
