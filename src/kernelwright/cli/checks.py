"""What this machine can do: facts for ``kernelwright doctor``, with the one command that brings what is missing."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kernelwright.schema import DeviceFacts, Record, Target

if TYPE_CHECKING:
    from kernelwright.models.providers import Provider

VERSION_SECONDS = 10.0
CONNECT_SECONDS = 0.3

LAYERS = {
    "no_network": "no network but an empty one",
    "private_files": "interpreter, packages and compilers, read-only; writes in an empty directory that goes away",
    "clean_environment": "variables from a list only: no keys",
    "namespaces": "its own user, processes, mounts and IPC",
    "no_capabilities": "none, and no program that is started brings one back",
    "seccomp": "debugging, mounts, keys, BPF, performance events, io_uring … are refused",
    "rlimits": "file sizes, CPU time, open files, tasks; no core dumps",
    "watchdog": "memory and processes are counted from outside, every 50 ms",
}
"""What each layer of isolation means, for the reader."""


class Check(Record):
    """One thing that is there or not."""

    name: str
    available: bool
    detail: str = ""
    fix: str = ""
    """The one command that brings it; empty when it is there, or when no command can."""


class DeviceCheck(Record):
    """One platform of this machine."""

    platform: str
    available: bool
    why_not: str | None = None
    facts: DeviceFacts | None = None


def devices() -> tuple[DeviceCheck, ...]:
    from kernelwright import platforms

    found: list[DeviceCheck] = []
    for name in platforms.names():
        try:
            platform = platforms.get(name)
            why_not = platform.why_not()
            facts = platform.facts() if why_not is None else None
        except (LookupError, RuntimeError) as error:  # another package's platform, or a driver that breaks off
            why_not, facts = " ".join(str(error).split()), None
        found.append(DeviceCheck(platform=name, available=facts is not None, why_not=why_not, facts=facts))
    return tuple(found)


def compilers() -> tuple[Check, ...]:
    return (
        _program("g++", _system("g++", "xcode-select --install")),
        _program("clang", _system("clang", "xcode-select --install")),
        _nvcc(),
        _nvrtc(),
        _program("ninja", "pip install ninja"),
    )


def isolation() -> tuple[Check, ...]:
    """The sandbox, then every layer of it, each tried."""
    from kernelwright.judge.isolation import choose, describe, trial
    from kernelwright.schema import IsolationLayer

    kinds = [
        Check(name=name, available=available, detail=detail, fix="" if available else fix)
        for name, available, detail, fix in describe()
    ]
    held, refused = trial.layers(choose())
    why_not = refused or "not on this system"
    layers = [
        Check(
            name=layer.value.replace("_", " "),
            available=layer in held,
            detail=LAYERS[layer] if layer in held else why_not,
        )
        for layer in IsolationLayer
    ]
    return (*kinds, *layers)


def extras() -> tuple[Check, ...]:
    return (
        _package("egglog", "pip install 'kernelwright[rewrite]'"),
        _package("onnxruntime", "pip install 'kernelwright[onnx]'"),
        _package("triton", "pip install 'kernelwright[triton]'" if sys.platform == "linux" else ""),
        _package("pydantic_ai", "pip install 'kernelwright[llm]'", "pydantic-ai-slim"),
        _package("matplotlib", "pip install 'kernelwright[profile]'"),
        _metal_toolchain(),
    )


def authors() -> tuple[Check, ...]:
    from kernelwright import authors as registry

    found: list[Check] = []
    for name in registry.names():
        try:
            languages = ", ".join(sorted(registry.get(name).targets))
            found.append(Check(name=name, available=True, detail=f"writes {languages}"))
        except (LookupError, ImportError) as error:
            found.append(Check(name=name, available=False, detail=" ".join(str(error).split())))
    return (*found, Check(name="file:PATH", available=True, detail="a candidate that you wrote"))


def targets(tools: tuple[Check, ...], packages: tuple[Check, ...], found: tuple[DeviceCheck, ...]) -> tuple[Check, ...]:
    """Which languages can be built and run here, given the compilers, extras and devices."""
    by_name = {check.name: check for check in (*tools, *packages)}
    has = {device.platform for device in found if device.available}
    compiler = by_name["g++"] if by_name["g++"].available or not by_name["clang"].available else by_name["clang"]
    triton = by_name["triton"]
    gpu = Check(name="GPU", available="cuda" in has, detail="no NVIDIA GPU")
    mac = Check(name="Mac", available="mps" in has, detail="no Apple GPU")
    runtime = by_name["metal toolchain"]
    inline = (by_name["nvcc"], by_name["ninja"], compiler)
    needs: dict[Target, tuple[Check, ...]] = {
        Target.TORCH: (),
        Target.CPP: (compiler, by_name["ninja"]),
        Target.TRITON: (triton,),
        Target.CUDA: (gpu, *_cuda_builders(by_name["NVRTC"], inline)),
        Target.METAL: (mac if mac.available else runtime,),
    }
    found_targets = {target: _target(target, parts) for target, parts in needs.items()}
    if found_targets[Target.METAL].available and not mac.available:
        note = {"detail": f"checked on the Metal runtime with {runtime.detail}, not timed: no Apple GPU"}
        found_targets[Target.METAL] = found_targets[Target.METAL].model_copy(update=note)
    if triton.available and not gpu.available:
        note = {"detail": "checked in Triton's interpreter, not timed: no NVIDIA GPU"}
        found_targets[Target.TRITON] = found_targets[Target.TRITON].model_copy(update=note)
    if found_targets[Target.CUDA].available:
        note = {"detail": _how_cuda_is_built(by_name["NVRTC"], inline)}
        found_targets[Target.CUDA] = found_targets[Target.CUDA].model_copy(update=note)
    return tuple(found_targets.values())


def _cuda_builders(nvrtc: Check, inline: tuple[Check, ...]) -> tuple[Check, ...]:
    """What is needed to build CUDA: one of two ways is enough."""
    return () if nvrtc.available or all(check.available for check in inline) else (nvrtc, *inline)


def _how_cuda_is_built(nvrtc: Check, inline: tuple[Check, ...]) -> str:
    missing = [check for check in inline if not check.available]
    if missing:
        return f"through NVRTC; not through load_inline: {missing[0].detail or missing[0].name + ' is missing'}"
    return "" if nvrtc.available else f"through load_inline; not through NVRTC: {nvrtc.detail}"


def providers() -> tuple[Check, ...]:
    """Which language models could be asked. Names of variables only: what they hold is nobody's business."""
    from kernelwright.models import PROVIDERS

    return tuple(_provider(provider) for provider in PROVIDERS.values() if provider.default_url)


def _provider(provider: "Provider") -> Check:
    if not provider.needs_key:
        url = provider.url()
        there = _listens(url)
        detail = f"{'answers' if there else 'nothing answers'} at {url}"
        return Check(name=provider.name, available=there, detail=detail, fix="" if there else "ollama serve")
    variables = provider.key_names
    present = [variable for variable in variables if os.environ.get(variable)]
    detail = f"{present[0]} is set" if present else f"{' or '.join(variables)} is not set"
    fix = "" if present else f"export {variables[0]}=…"
    return Check(name=provider.name, available=bool(present), detail=detail, fix=fix)


def _listens(url: str) -> bool:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


def package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _target(target: Target, needs: tuple[Check, ...]) -> Check:
    missing = [check for check in needs if not check.available]
    detail = "; ".join(check.detail or f"{check.name} is missing" for check in missing)
    return Check(
        name=target.value, available=not missing, detail=detail, fix=next((c.fix for c in missing if c.fix), "")
    )


def _nvcc() -> Check:
    """The toolkit's own, which is what PyTorch starts; one that lies elsewhere on the PATH does not help it."""
    from kernelwright.platforms import cuda_toolkit

    fix = _system("nvidia-cuda-toolkit", "")
    found, home = cuda_toolkit.nvcc(), cuda_toolkit.home()
    if found is not None:
        return _program("nvcc", fix, str(found))
    where = "no CUDA toolkit" if home is None else f"no nvcc in {home / 'bin'}"
    return Check(name="nvcc", available=False, detail=f"{where}: load_inline cannot build CUDA", fix=fix)


def _nvrtc() -> Check:
    """The library that compiles CUDA without a toolkit, tried as candidates have it."""
    import torch

    from kernelwright.platforms import cuda_toolkit

    cuda = torch.version.cuda
    if cuda is None:
        fix = "pip install torch --index-url https://download.pytorch.org/whl/cu130"
        return Check(name="NVRTC", available=False, detail=f"torch {torch.__version__} was built without CUDA", fix=fix)
    works, said = cuda_toolkit.nvrtc_trial(cuda)
    suffix = "-cu12" if cuda.startswith("12.") else ""
    if not works:
        return Check(name="NVRTC", available=False, detail=said, fix=f"pip install nvidia-cuda-nvrtc{suffix}")
    if cuda_toolkit.home() is None:
        detail = f"{said}, but no CUDA headers, which PyTorch looks for first"
        return Check(name="NVRTC", available=False, detail=detail, fix=f"pip install nvidia-cuda-runtime{suffix}")
    return Check(name="NVRTC", available=True, detail=f"{said}, headers in {cuda_toolkit.home()}")


def _program(name: str, fix: str, path: str | None = None) -> Check:
    path = path or shutil.which(name)
    if path is None:
        return Check(name=name, available=False, detail=f"{name} is not on the PATH", fix=fix)
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name=name, available=False, detail=f"{path} does not run: {type(error).__name__}", fix=fix)
    lines = [line for line in said.splitlines() if line.strip()]
    release = next((line for line in lines if "release" in line), lines[0] if lines else "")  # nvcc says it in line 4
    return Check(name=name, available=True, detail=f"{path}: {release.strip()}")


def _package(name: str, fix: str, distribution: str = "") -> Check:
    if importlib.util.find_spec(name) is None:
        return Check(name=name, available=False, detail=f"{name} is not installed", fix=fix)
    return Check(name=name, available=True, detail=package_version(distribution or name) or "")


def _metal_toolchain() -> Check:
    from kernelwright.metal.errors import ToolchainMissing
    from kernelwright.metal.toolchain import INSTALL, find

    try:
        return Check(name="metal toolchain", available=True, detail=find().name)
    except ToolchainMissing as error:
        return Check(name="metal toolchain", available=False, detail=str(error), fix=INSTALL)


def _system(debian: str, mac: str) -> str:
    return mac if sys.platform == "darwin" else f"sudo apt-get install -y {debian}"
