"""From a captured reference to TorchInductor's wrapper code for ``mps``, on any machine.

The exported program is traced again with fake tensors on ``mps`` (torch.fx's ``make_fx``), so that Inductor takes the
decisions it takes on a Mac, and compiled up to the point where Inductor would load the code it wrote. While it runs,
Inductor is another one for the whole process: call it where nothing else compiles (``process.py``).
"""

import traceback
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch._inductor.codegen.mps as metal_backend
from torch._guards import TracingContext, tracing
from torch._inductor import config
from torch._inductor.codegen.common import init_backend_registration
from torch._inductor.compile_fx import compile_fx_inner
from torch._inductor.decomposition import select_decomp_table
from torch._inductor.fx_passes.joint_graph import joint_graph_passes
from torch._inductor.graph import GraphLowering
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind
from torch.fx import GraphModule, Interpreter
from torch.fx import Node as FxNode
from torch.fx import traceback as fx_traceback
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._ordered_set import OrderedSet

from kernelwright.authors.author import AuthorError
from kernelwright.authors.graph.capture import Captured

GPU_CORES = 10
"""Of the base M4 (https://support.apple.com/en-us/121552): Inductor splits reductions for the size of the GPU."""

MPS = torch.device("mps", 0)

SETTINGS: dict[str, Any] = {
    "force_disable_caches": True,
    "compile_threads": 1,
    "size_asserts": False,
    "alignment_asserts": False,
    "fallback_random": True,  # torch's own generators: the reference's numbers under the reference's seed
    "allow_buffer_reuse": False,  # one name, one value
    "layout_optimization": False,
    "joint_graph_constant_folding": False,  # it computes with real tensors
}

NOT_ON_A_MAC = frozenset({torch.float64, torch.complex64, torch.complex128})
"""Dtypes that Inductor's Metal back end has no type for."""


@dataclass(frozen=True)
class Origin:
    """An operation of the reference, and the ATen operations into which it was taken apart."""

    name: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A tensor of the wrapper code: sizes and strides in elements."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype
    hint: str = ""
    """What it holds, in a word."""

    @property
    def contiguous(self) -> bool:
        return self.strides == contiguous_strides(self.shape)


@dataclass(frozen=True)
class Argument:
    """One argument of the wrapper code: a weight by name, or a tensor input by its position among them."""

    source: str | int
    place: Place


@dataclass(frozen=True)
class Traced:
    """What Inductor wrote, and what it knew while it did."""

    code: str
    arguments: tuple[Argument, ...]
    origins: Mapping[str, tuple[Origin, ...]]
    """Per kernel."""
    places: Mapping[str, Place]
    """Per buffer that is one tensor."""


def trace(captured: Captured) -> Traced:
    """The wrapper code of a reference. Raises ``AuthorError`` with the reason why Inductor cannot write one."""
    program = captured.program
    assert program is not None
    sources, arguments, baked = _arguments(program)
    fake = FakeTensorMode()
    with fake:
        examples = [
            torch.empty_strided(a.place.shape, a.place.strides, dtype=a.place.dtype, device=MPS) for a in arguments
        ]

    def run(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        given = iter(tensors)
        results = _OnMps(program.graph_module).run(*(baked.get(n) if n in baked else next(given) for n in sources))
        return tuple(r for r in results if isinstance(r, torch.Tensor))

    try:
        with fake, torch.no_grad(), fx_traceback.preserve_node_meta():  # what is made from nothing is fake, too
            module = make_fx(run, decomposition_table=select_decomp_table())(*examples)
    except Exception as error:  # meta functions fail in as many ways as there are operators
        raise AuthorError(f"the reference cannot be traced for mps: {_first_line(error)}") from error
    _refuse_dtypes(module)
    init_backend_registration()
    code, graph, origins = _lower(module, examples, fake, _operations(program))
    return Traced(code, tuple(arguments), origins, _places(graph, _operations(program)))


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """As ``torch.empty`` gives them: axes of size 0 count as 1."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def _arguments(program: ExportedProgram) -> tuple[list[str], list[Argument], dict[str, Any]]:
    """Names of all placeholders; those that stay arguments; values of those that are no tensors."""
    specs = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    names: list[str] = []
    arguments: list[Argument] = []
    baked: dict[str, Any] = {}
    inputs = 0
    for node in program.graph.nodes:
        if node.op != "placeholder":
            continue
        names.append(node.name)
        spec, value = specs[node.name], node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            baked[node.name] = spec.arg.value if isinstance(spec.arg, ConstantArgument) else value
            continue
        shape = tuple(value.shape)
        dense = _is_dense(shape, tuple(value.stride()))
        source: str | int
        if spec.kind is InputKind.USER_INPUT:
            source, inputs = inputs, inputs + 1
            strides = tuple(value.stride()) if dense else contiguous_strides(shape)
        else:
            assert spec.target is not None
            source, strides = spec.target, contiguous_strides(shape)  # as the printed constructor makes it
        arguments.append(Argument(source, Place(shape, strides, value.dtype)))
    return names, arguments, baked


def _is_dense(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether each element has a place of its own, and there are no others: some order of the axes is contiguous."""
    axes = sorted((stride, size) for size, stride in zip(shape, strides, strict=True) if size != 1)
    step = 1
    for stride, size in axes:
        if stride != step:
            return False
        step *= size
    return True


class _OnMps(Interpreter):
    """Runs an exported program on fake ``mps`` tensors, wherever it was exported."""

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        args = tuple(MPS if isinstance(a, torch.device) else a for a in args)
        kwargs = {k: MPS if isinstance(a, torch.device) else a for k, a in kwargs.items()}
        if target is torch.ops.aten.scaled_dot_product_attention.default:
            return _attention(*args, **kwargs)
        return super().call_function(target, args, kwargs)


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """What ``scaled_dot_product_attention`` dispatches to on a Mac; its dispatcher is not in builds for Linux."""
    if enable_gqa:
        key, value = (t.repeat_interleave(query.shape[-3] // t.shape[-3], -3) for t in (key, value))
    attend = torch.ops.aten._scaled_dot_product_attention_math_for_mps.default
    return attend(query, key, value, attn_mask, dropout_p, is_causal, scale=scale)[0]


def _refuse_dtypes(module: GraphModule) -> None:
    for node in module.graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and value.dtype in NOT_ON_A_MAC:
            what = f"{node.name} is" if node.op == "placeholder" else f"{_base(node)} gives"
            raise AuthorError(f"{what} {str(value.dtype).removeprefix('torch.')}, which Metal kernels do not have")


class _Written(BaseException):
    """Inductor has written its code and is about to load it. Passes through handlers of ``Exception``."""


def _lower(
    module: GraphModule, examples: Sequence[torch.Tensor], fake: FakeTensorMode, operations: Mapping[str, str]
) -> tuple[str, GraphLowering, dict[str, tuple[Origin, ...]]]:
    """Inductor's wrapper code, its graph, and the origins of each kernel."""
    outputs = module.graph.output_node()
    values = [a.meta["val"] for a in outputs.args[0] if isinstance(a, FxNode)]  # type: ignore[union-attr]
    outputs.meta["user_visible_output_idxs"] = list(range(len(values)))
    outputs.meta["original_output_strides"] = [tuple(v.stride()) for v in values]
    origins: dict[str, tuple[Origin, ...]] = {}
    found: list[tuple[str, GraphLowering]] = []
    define = metal_backend.MetalScheduling.define_kernel

    def define_kernel(self: Any, source: str, schedule: Any, kernel: Any) -> str:
        name = define(self, source, schedule, kernel)
        nodes = {o for s in schedule for o in getattr(getattr(s, "node", None), "origins", ())}
        origins[name] = _origins(nodes, operations)
        return name

    def stop(self: GraphLowering) -> None:
        code, _ = self.codegen()
        found.append((code if isinstance(code, str) else code.value, self))
        raise _Written

    try:
        with ExitStack() as stack:
            stack.enter_context(_replaced(metal_backend.MetalScheduling, "define_kernel", define_kernel))
            stack.enter_context(_replaced(metal_backend.MetalKernel, "headers", OrderedSet(["utils"])))
            stack.enter_context(_replaced(GraphLowering, "compile_to_module", stop))
            stack.enter_context(_replaced(torch.backends.mps, "get_core_count", lambda: GPU_CORES))
            stack.enter_context(config.patch(SETTINGS))
            stack.enter_context(tracing(TracingContext(fake)))
            stack.enter_context(torch.no_grad())
            joint_graph_passes(module)
            compile_fx_inner(module, list(examples))
    except _Written:
        code, graph = found[0]
        return code, graph, origins
    except Exception as error:  # Inductor wraps whatever happens in an error of its own
        if (missing := _missing_operation(error)) is not None:
            raise AuthorError(f"TorchInductor's Metal back end has no {missing}") from error
        raise AuthorError(f"TorchInductor cannot lower the reference for mps: {_first_line(error)}") from error
    raise AuthorError("TorchInductor wrote no code: the reference computes nothing")


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Generator[None]:
    """Another value for an attribute that the owner has itself (``headers`` is shared by all kernels of a class)."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _origins(nodes: Iterable[FxNode], operations: Mapping[str, str]) -> tuple[Origin, ...]:
    """The nodes by the operation of the reference that they stem from, in the order of the graph."""
    called = {n for n in nodes if n.op == "call_function"}
    if not called:
        return ()
    parts: dict[tuple[str, str], list[str]] = {}
    for node in next(iter(called)).graph.nodes:
        if node in called:
            parts.setdefault(_source(node, operations), []).append(_base(node))
    return tuple(Origin(operation, tuple(dict.fromkeys(p))) for (operation, _), p in parts.items())


def _source(node: FxNode, operations: Mapping[str, str]) -> tuple[str, str]:
    """The operation of the reference that a node stems from, and the name of its place there."""
    for step in reversed(node.meta.get("from_node") or []):
        if step.name in operations:
            return operations[step.name], step.name
    original = node.meta.get("original_aten")
    name = str(original).split(".")[1] if original is not None else _base(node)
    return name.strip("_"), node.name


def _operations(program: ExportedProgram) -> dict[str, str]:
    """Name of each node of the exported program → what it calls, such as ``softmax``."""
    return {node.name: _base(node).strip("_") for node in program.graph.nodes if node.op == "call_function"}


def _base(node: FxNode) -> str:
    """``relu`` for ``aten.relu.default``."""
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        return target._schema.name.split("::")[-1]
    return getattr(target, "__name__", str(target))


def _places(graph: GraphLowering, operations: Mapping[str, str]) -> dict[str, Place]:
    """Sizes and strides of all buffers, with a name for what each holds."""
    places: dict[str, Place] = {}
    for name, buffer in graph.name_to_buffer.items():
        try:
            shape, strides = map(tuple, ([int(n) for n in buffer.get_size()], [int(n) for n in buffer.get_stride()]))
            dtype = buffer.get_dtype()
        except (NotImplementedError, AttributeError, TypeError):
            continue  # several tensors, or none: its parts are buffers of their own
        node = buffer.get_origin_node()
        places[name] = Place(shape, strides, dtype, "" if node is None else _hint(node, operations))
    return places


def _hint(node: FxNode, operations: Mapping[str, str]) -> str:
    """``softmax`` for what softmax returns, ``softmax_amax`` for what it needs on the way."""
    operation, place = _source(node, operations)
    last = all(_source(user, operations)[1] != place for user in node.users)
    return operation if last else f"{operation}_{_base(node).strip('_')}"


def _missing_operation(error: BaseException) -> str | None:
    """The operation that the back end does not implement: it says so without a word, in a method of that name."""
    step: BaseException | None = error
    while step is not None and not (isinstance(step, NotImplementedError) and not str(step)):
        step = step.__cause__ or step.__context__
    frames = traceback.extract_tb(step.__traceback__) if step is not None else []
    return frames[-1].name if frames else None


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
