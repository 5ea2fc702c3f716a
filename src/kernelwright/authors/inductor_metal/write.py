"""From a Problem to the text of the Candidate."""

import ast
import keyword
from collections.abc import Sequence

from kernelwright.authors.author import AuthorError
from kernelwright.authors.graph.capture import Captured, capture_problem
from kernelwright.authors.graph.layout import Layout, lay_out
from kernelwright.authors.graph.literals import value_code
from kernelwright.authors.graph.printer import output_code
from kernelwright.authors.graph.text import wrapped
from kernelwright.authors.inductor_metal.process import Written
from kernelwright.authors.inductor_metal.shader import buffers, free, program_text
from kernelwright.authors.inductor_metal.statements import LIBRARY, Forward, laid_out
from kernelwright.authors.inductor_metal.trace import Traced, trace
from kernelwright.authors.inductor_metal.wrapper import Wrapper, read
from kernelwright.metal.strict.kernels import MOST_BUFFERS
from kernelwright.schema import Problem

LAID_OUT = '''

def laid_out(tensor, dtype, shape, strides=None):
    """The tensor as the kernels index it (row by row, or with these strides): copied only where it lies otherwise."""
    if tensor.shape != shape or tensor.dtype != dtype:
        raise ValueError(f"written for {dtype} {shape}, not for {tensor.dtype} {tuple(tensor.shape)}")
    if strides is None:
        return tensor.contiguous()
    if all(size == 1 or a == b for size, a, b in zip(shape, tensor.stride(), strides)):
        return tensor
    return torch.empty_strided(shape, strides, dtype=dtype, device=tensor.device).copy_(tensor)
'''


def write(problem: Problem) -> Written:
    """The Candidate for this Problem. Raises ``AuthorError``."""
    captured = capture_problem(problem)
    return print_traced(captured, trace(captured))


def print_traced(captured: Captured, traced: Traced) -> Written:
    """Inductor's code as a file that defines ``ModelNew``. Raises ``AuthorError`` where it has no kernel."""
    wrapper = read(traced.code)
    if not wrapper.kernels:
        raise AuthorError("TorchInductor leaves all of the work to ATen: there is no kernel to write")
    most = max(map(buffers, wrapper.kernels.values()))
    if most > MOST_BUFFERS:
        raise AuthorError(f"one of TorchInductor's kernels takes {most} buffers: Metal has {MOST_BUFFERS}")
    weights = {a.source for a in traced.arguments}
    layout = lay_out(captured.module, {name: t for name, t in captured.constants.items() if name in weights})
    forward, entry = _enter(captured, traced, wrapper, layout)
    forward.write()
    body = [*entry, *forward.lines, *_exit(captured, layout, forward)]
    kernels = tuple(name for _, name, _ in forward.kernels.values())
    written = Written("", kernels, tuple(forward.calls))
    metal = program_text((kernel, text) for kernel, _, text in forward.kernels.values())
    return Written(_file(written, metal, layout.lines, captured, body), kernels, written.calls)


def _enter(captured: Captured, traced: Traced, wrapper: Wrapper, layout: Layout) -> tuple[Forward, list[str]]:
    """Names for the arguments, and the statements that bring inputs into the layout that was traced."""
    interface = captured.interface
    used = {n.id for s in wrapper.body for n in ast.walk(s) if isinstance(n, ast.Name)}
    written = {target for target, _ in interface.writes}
    taken = {*keyword.kwlist, *interface.parameters, "self", "torch", "nn", "F", "device", "laid_out", LIBRARY}
    names: dict[str, str] = {}
    lines: list[str] = []
    for access, value in interface.baked:
        lines.append(f"if {access} {'is not' if value is None else '!='} {value_code(value)}:")
        lines.append(f"    raise ValueError({value_code(f'written for {access} = {value!r}')})")
    for name, argument in zip(wrapper.arguments, traced.arguments, strict=True):
        if isinstance(argument.source, str):
            names[name] = layout.access[argument.source]
            continue
        access = interface.inputs[argument.source]
        if name not in used:
            names[name] = access
            continue
        own = access.isidentifier() and access not in written
        names[name] = access if own else free("".join(c for c in access if c.isalnum() or c == "_") + "_laid", taken)
        lines += wrapped(f"{names[name]} = {laid_out(access, argument.place)}")
    if not names:
        raise AuthorError("the reference has neither inputs nor weights: nothing says on which device it works")
    first = interface.inputs[0] if interface.inputs else next(iter(names.values()))
    return Forward(traced, wrapper, names, taken, "device"), [*lines, f"device = {first}.device"]


def _exit(captured: Captured, layout: Layout, forward: Forward) -> list[str]:
    """In-place effects, then the return."""
    interface = captured.interface
    shown = list(forward.results)
    owners: set[str] = set()
    for position, fresh in enumerate(interface.fresh):
        owner = forward.owner(position)
        if fresh and (owner in forward.wrapper.arguments or owner in owners):
            shown[position] += ".clone()"
        owners.add(owner)
    lines: list[str] = []
    for target, slot in interface.writes:
        reached = layout.access.get(target.removeprefix("self."), target)
        lines.append(f"{reached}.copy_({shown[slot]})")
    return [*lines, *wrapped(f"return {output_code(interface.output, shown)}")]


def _file(written: Written, metal: str, layout: Sequence[str], captured: Captured, body: Sequence[str]) -> str:
    functional = any("F." in line for line in body)
    text = f'"""TorchInductor\'s kernels for Apple GPUs, without Inductor: {written.summary}."""\n\n'
    text += "import torch\n" + ("import torch.nn.functional as F\n" if functional else "") + "from torch import nn\n\n"
    raw = "r" if "\\" in metal else ""
    text += f'METAL = {raw}"""\n{metal}"""\n\n'
    text += f"{LIBRARY} = torch.mps.compile_shader(METAL)\n"
    text += LAID_OUT if any("laid_out(" in line for line in body) else ""
    text += "\n\nclass ModelNew(nn.Module):\n"
    text += "    def __init__(self, *args, **kwargs):\n"
    text += "        # Sizes are those of the reference as it was constructed; values come with load_state_dict.\n"
    text += "        super().__init__()\n"
    text += "".join(f"        {line}\n" for line in layout)
    text += "\n    @torch.no_grad()\n"
    text += f"    def forward({', '.join(('self', *captured.interface.parameters))}):\n"
    return text + "".join(f"        {line}\n" for line in body)
