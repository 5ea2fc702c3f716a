"""The baselines a candidate is measured against, each as a callable over the same positional arguments."""

import importlib.util
import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from kernelwright.problems.structure import flatten

Call = Callable[..., Any]


class BaselineError(RuntimeError):
    """A baseline could not be built; the message is one line for the report."""


def eager(model: torch.nn.Module, inputs: Any, device: str) -> Call:
    """The reference as it is."""
    del inputs, device
    return model


def compiled(model: torch.nn.Module, inputs: Any, device: str) -> Call:
    """``torch.compile`` with default settings."""
    del inputs, device
    return torch.compile(model, dynamic=False)


def compiled_max_autotune(model: torch.nn.Module, inputs: Any, device: str) -> Call:
    """``torch.compile(mode="max-autotune")``: with CUDA graphs on NVIDIA GPUs, as a user would get it."""
    del inputs
    mode = "max-autotune" if device == "cuda" else "max-autotune-no-cudagraphs"
    run = torch.compile(model, dynamic=False, mode=mode)
    if device != "cuda":
        return run

    def step(*args: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()  # outputs of the last call may be overwritten: we are done with them
        return run(*args)

    return step


def onnxruntime(model: torch.nn.Module, inputs: Any, device: str) -> Call:
    """ONNX Runtime through the dynamo exporter, with as many threads as torch; CPU only."""
    if device != "cpu":
        raise BaselineError("onnxruntime is measured on the CPU only")
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("onnxscript") is None:
        raise BaselineError("onnxruntime is not installed (pip install 'kernelwright[onnx]')")
    program = torch.onnx.export(model, tuple(inputs), dynamo=True, verbose=False)
    if program is None:
        raise BaselineError("torch.onnx.export gave nothing")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.onnx"
        program.save(path)
        session = _session(path)
    names = [i.name for i in session.get_inputs()]
    tensors = [leaf for leaf in flatten(inputs)[0] if isinstance(leaf, torch.Tensor)]
    if len(names) != len(tensors):
        raise BaselineError(f"the exported graph takes {len(names)} inputs, the module {len(tensors)}")

    def run(*args: Any) -> Any:
        leaves = [leaf for leaf in flatten(args)[0] if isinstance(leaf, torch.Tensor)]
        feeds = {name: leaf.contiguous().numpy() for name, leaf in zip(names, leaves, strict=True)}
        return tuple(torch.from_numpy(array) for array in session.run(None, feeds))

    return run


def _session(path: Path) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


BUILDERS: dict[str, Callable[[torch.nn.Module, Any, str], Call]] = {
    "eager": eager,
    "compile": compiled,
    "compile-max-autotune": compiled_max_autotune,
    "onnxruntime": onnxruntime,
}


def build(
    name: str,
    model: torch.nn.Module,
    inputs: Any,
    device: str,
    first_call: AbstractContextManager[object] | None = None,
) -> Call:
    """Build and call once, inside ``first_call``, so that compilation is over.

    Raises ``BaselineError`` (one line), and ``torch.OutOfMemoryError`` as it comes: there may be room another time.
    """
    if name not in BUILDERS:
        raise BaselineError(f"no baseline {name!r}: there are {', '.join(BUILDERS)}")
    try:
        with torch.no_grad():
            call = BUILDERS[name](model, inputs, device)
            with first_call or nullcontext():
                call(*inputs)
    except (BaselineError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a compiler's failure is a result to record, whatever it is
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise BaselineError(f"{type(error).__name__}: {text}"[:300]) from None
    return call


def use_cache(directory: str) -> None:
    """Keep compiled baselines between sessions, apart by torch's version and number of threads.

    TorchInductor writes the number of threads into the code for CPUs and does not look at it when it finds that code
    again: a baseline compiled for one thread would come back slow on many.
    """
    kind = f"torch-{torch.__version__}-{torch.get_num_threads()}-threads"
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(directory) / kind))
