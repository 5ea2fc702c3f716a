"""Files of the author ``templates``: in Triton's interpreter on the CPU, and loaded as modules on a GPU."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from kernelwright.authors.graph.capture import Captured, capture
from kernelwright.authors.templates.author import Form, write

Answers = dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
Limits = Sequence[tuple[ModuleType, str, int]]
"""Constants of templates, and other values for them: sizes that the interpreter can do."""

SCRIPT = """
import importlib, sys, torch
for number in range(int(sys.argv[1])):
    state, inputs = torch.load(f"case_{number}.pt")
    model = importlib.import_module(f"case_{number}").ModelNew()
    model.load_state_dict(state)
    with torch.no_grad():
        torch.save(model(*inputs), f"answer_{number}.pt")
"""


@dataclass(frozen=True)
class Case:
    """A module, its inputs, and the limits with which its file is written."""

    module: nn.Module
    inputs: list[torch.Tensor]
    limits: Limits
    captured: Captured

    @classmethod
    def of(cls, module: nn.Module, inputs: list[torch.Tensor], limits: Limits) -> "Case":
        return cls(module, inputs, limits, capture(module, inputs))


def interpreted(
    folder: Path, cases: Mapping[str, Case], edit: Callable[[str], str] = lambda source: source, *, halves: bool = True
) -> Answers:
    """Per case what the kernels and eager compute, and the same in float64. ``halves``: for a reference in tf32.

    In a process of its own: Triton reads whether to interpret when a kernel is decorated. libdevice is a library of
    device code: where Triton has the same function, that takes its place. ``edit``: what else becomes of a file.
    """
    expected: list[tuple[torch.Tensor, torch.Tensor]] = []
    for number, case in enumerate(cases.values()):
        module, inputs = case.module, case.inputs
        with pytest.MonkeyPatch.context() as patch:
            for template, name, value in case.limits:
                patch.setattr(template, name, value)
            written = write(Form(case.captured, case.captured.graph), halves=halves)
        assert written is not None
        source = edit(written.source)
        for name in ("exp", "log"):
            source = source.replace(f"libdevice.{name}(", f"tl.{name}(")
        (folder / f"case_{number}.py").write_text(source)
        torch.save((module.state_dict(), inputs), folder / f"case_{number}.pt")
        with torch.no_grad():
            wide = (x.double() if x.is_floating_point() else x for x in inputs)
            expected.append((module(*inputs), copy.deepcopy(module).double()(*wide)))
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", SCRIPT, str(len(cases))]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = [torch.load(folder / f"answer_{number}.pt") for number in range(len(cases))]
    return {name: (a, eager, exact) for name, a, (eager, exact) in zip(cases, answers, expected, strict=True)}


def error(answer: torch.Tensor, exact: torch.Tensor) -> float:
    """The distance in the norm, as a share of the exact result's."""
    return float((answer.double() - exact).norm() / exact.norm())


def on_gpu(module: nn.Module, inputs: list[torch.Tensor], folder: Path, around: str = "") -> nn.Module:
    """The module that the author writes, with the reference's weights, on the GPU."""
    captured = capture(module, inputs)
    written = write(Form(captured, captured.graph), around=around)
    assert written is not None
    path = folder / f"written_{len(list(folder.iterdir()))}.py"
    path.write_text(written.source)
    loaded = ModuleType(path.stem)
    sys.modules[path.stem] = loaded
    loaded.__file__ = str(path)
    exec(compile(written.source, path, "exec"), loaded.__dict__)
    model = loaded.ModelNew()
    model.load_state_dict(module.state_dict())
    return model.cuda()
