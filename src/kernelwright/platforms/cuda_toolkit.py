"""What of NVIDIA's CUDA toolkit is on this machine, and where candidates find it. Imports no torch.

PyTorch looks for a toolkit under ``CUDA_HOME``, beside ``nvcc``, and in ``/usr/local/cuda``; without one neither
``load_inline`` nor, from 2.10 on, ``torch.cuda._compile_kernel`` works, although NVRTC and the headers are there: they
come with PyTorch's own CUDA wheels, as packages below ``nvidia`` (https://pypi.org/project/nvidia-cuda-runtime).
"""

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SYSTEM = ("/usr/local/cuda", "/opt/cuda", "/usr")
"""Where toolkits are installed: NVIDIA's packages, Arch's, Debian's."""
PACKAGES = ("cu13", "cu12", "cuda_runtime")
"""Folders of the packages with headers: one for each release since CUDA 13, one for each part before."""
TRIAL_SECONDS = 60.0
_TRIAL_KERNEL = b'extern "C" __global__ void k(float *x) { x[threadIdx.x] = 0.0f; }'
_TRIAL_OPTION = b"--gpu-architecture=compute_80"
_TRIAL = "import sys; from kernelwright.platforms import cuda_toolkit as c; print(c.nvrtc_version(sys.argv[1]))"


def home(given: Mapping[str, str] | None = None) -> Path | None:
    """The root of a toolkit that holds ``include/cuda_runtime.h``; ``None`` where there is none.

    What the environment names comes first, then what lies around ``nvcc``, then usual places, then Python packages.
    """
    named = os.environ if given is None else given
    program = shutil.which("nvcc", path=named.get("PATH"))
    places = [
        *(Path(named[name]) for name in ("CUDA_HOME", "CUDA_PATH") if named.get(name)),
        *([Path(program).resolve().parents[1]] if program else []),
        *map(Path, SYSTEM),
        *(folder / name for folder in _packages() for name in PACKAGES),
    ]
    return next((place for place in places if (place / "include" / "cuda_runtime.h").is_file()), None)


def nvcc(given: Mapping[str, str] | None = None) -> Path | None:
    """The compiler that ``load_inline`` starts, which is the toolkit's own; ``None`` where there is none."""
    place = home(given)
    return place / "bin" / "nvcc" if place is not None and (place / "bin" / "nvcc").is_file() else None


def nvrtc_folders() -> list[Path]:
    """Where Python packages hold NVRTC, which the system's loader does not search by itself."""
    found = (library.parent for folder in _packages() for library in sorted(folder.glob("*/lib/libnvrtc.so.*")))
    return list(dict.fromkeys(found))


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The variables by which a process with the environment ``given`` finds the toolkit, and NVRTC by its name."""
    found: dict[str, str] = {}
    if (place := home(given)) is not None:
        found["CUDA_HOME"] = str(place)
    if folders := nvrtc_folders():
        searched = [given["LD_LIBRARY_PATH"]] if given.get("LD_LIBRARY_PATH") else []
        found["LD_LIBRARY_PATH"] = os.pathsep.join([*searched, *map(str, folders)])
    return found


def nvrtc_trial(cuda: str) -> tuple[bool, str]:
    """Whether NVRTC compiles a kernel in a process as candidates have it, and its version or what is wrong.

    ``cuda``: the CUDA version that PyTorch was built for, as ``torch.version.cuda`` gives it.
    """
    command = [sys.executable, "-c", _TRIAL, cuda]
    variables = {**os.environ, **environment(os.environ), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        ended = subprocess.run(
            command, env=variables, capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"NVRTC did not compile a kernel within {TRIAL_SECONDS:.0f} s"
    said = (ended.stdout if ended.returncode == 0 else ended.stderr).strip().splitlines()
    return ended.returncode == 0, said[-1] if said else f"exit status {ended.returncode}"


def nvrtc_version(cuda: str) -> str:
    """Load NVRTC by the names that PyTorch tries, compile a kernel, say which version did it.

    Functions and numbers are those of https://docs.nvidia.com/cuda/nvrtc. Raises ``OSError`` where there is no
    library, ``RuntimeError`` with its log where it compiles nothing.
    """
    major = cuda.partition(".")[0]
    library = _load(f"libnvrtc.so.{major}", "libnvrtc.so")
    version = (ctypes.c_int * 2)()
    library.nvrtcVersion(ctypes.byref(version), ctypes.byref(version, ctypes.sizeof(ctypes.c_int)))
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), _TRIAL_KERNEL, b"k.cu", 0, None, None)
    options = (ctypes.c_char_p * 1)(_TRIAL_OPTION)
    if library.nvrtcCompileProgram(program, 1, options) != 0:
        size = ctypes.c_size_t()
        library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        library.nvrtcGetProgramLog(program, log)
        raise RuntimeError(" ".join(log.value.decode(errors="replace").split()))
    return f"NVRTC {version[0]}.{version[1]}"


def _load(*names: str) -> ctypes.CDLL:
    problems: list[str] = []
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            problems.append(str(error))
    raise OSError(problems[0])


def _packages() -> list[Path]:
    """The folders of the ``nvidia`` packages of this environment."""
    try:
        spec = importlib.util.find_spec("nvidia")
    except (ImportError, ValueError):
        return []
    return [Path(place) for place in (spec.submodule_search_locations or [])] if spec is not None else []
