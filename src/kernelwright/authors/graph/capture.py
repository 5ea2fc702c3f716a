"""From a Problem to a Graph, with everything that a printed module needs around it."""

import copy
import inspect
import logging
import math
import operator
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind, OutputKind
from torch.fx import Node as FxNode
from torch.utils import _pytree as pytree

from kernelwright.authors.author import AuthorError
from kernelwright.authors.graph.ir import Graph, Slot, TensorType
from kernelwright.authors.graph.lower import Lowering, LoweringError, lower_graph, type_of
from kernelwright.authors.graph.recurrent_shapes import one_step_a_layer
from kernelwright.authors.graph.vocabulary import MAKERS
from kernelwright.problems import LoadedProblem, load
from kernelwright.schema import Problem, ProblemError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Interface:
    """How a printed module is called, and what it returns."""

    parameters: tuple[str, ...]
    """Names of forward's positional parameters."""
    inputs: tuple[str, ...]
    """Per tensor input (the ``index`` of an ``input`` node): the expression that reaches it, such as ``xs[0]``."""
    baked: tuple[tuple[str, Any], ...]
    """Arguments that are no tensors: how each is reached, and the value that the module is written for."""
    output: Any
    """Nested tuples, lists and dicts of slots into ``Graph.outputs`` and plain values."""
    fresh: tuple[bool, ...] = ()
    """Per output slot: the reference returns a tensor of its own: no view of an input, weight or earlier output."""
    writes: tuple[tuple[str, int], ...] = ()
    """In-place effects: an expression (``self.cache``, ``x``) and the output slot that is copied into it."""


@dataclass(frozen=True)
class Captured:
    """A module as a Graph."""

    graph: Graph
    interface: Interface
    module: nn.Module
    """The reference, for names, shapes and types of its state."""
    constants: dict[str, torch.Tensor]
    """Tensors that are not in ``state_dict``: non-persistent buffers, plain attributes, literals of ``forward``."""
    program: ExportedProgram | None = None
    """What the Graph was lowered from, for authors that start from ATen; ``None`` for a Graph made by hand."""


def capture_problem(problem: Problem) -> Captured:
    """The Problem's reference as a Graph. Raises ``AuthorError`` with one line that says what stands in the way.

    Only shapes and types are needed: inputs and weights are drawn as fake tensors (``FakeTensorMode``: nothing is
    allocated), where the problem's own code runs on such. Where it looks at a value it gets real ones: first for the
    weights (tables of constants are written down), then for the inputs too.
    """
    try:
        loaded = load(problem)
    except ProblemError as error:
        raise AuthorError(error) from error
    for fake_weights in (True, False):
        try:
            return _capture_fake(loaded, fake_weights)
        except Exception as error:  # the problem's code meets tensors without values: it may fail in any way
            _log.debug("%s: not captured without values: %s", problem.name, error)
    try:
        module, inputs = loaded.build(0), loaded.draw(0)
        other = loaded.draw(1) if _plain_leaves(inputs) else ()
    except ProblemError as error:
        raise AuthorError(error) from error
    _refuse_varying(inputs, other)
    return capture(module, inputs)


def _capture_fake(loaded: LoadedProblem, fake_weights: bool) -> Captured:
    """The capture from inputs without values; ``fake_weights``: from a module without values, too."""
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with _quiet(), one_step_a_layer(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fake if fake_weights else nullcontext():
            module = loaded.build(0)
        with fake:
            inputs = loaded.draw(0)
            other = loaded.draw(1) if _plain_leaves(inputs) else ()
        _refuse_varying(inputs, other)
        return _lower(_export(module, inputs), module, inputs)


@contextmanager
def _quiet() -> Generator[None]:
    """Without torch's own report of an operation that fails on fake tensors: here that is an answer, not a mistake."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def _refuse_varying(first: Sequence[Any], second: Sequence[Any]) -> None:
    """Raises ``AuthorError`` where arguments that are no tensors differ between two draws."""
    plain = _plain_leaves(first)
    if plain and plain != _plain_leaves(second):
        raise AuthorError("an argument that is no tensor changes from draw to draw")


def capture(module: nn.Module, inputs: Sequence[Any]) -> Captured:
    """A module in eval mode as a Graph, traced with these positional inputs. Raises ``AuthorError``."""
    try:
        program = _export(copy.deepcopy(module).eval(), tuple(inputs))
        return _lower(program, module, tuple(inputs))
    except (LoweringError, KeyError) as error:
        raise AuthorError(f"the module cannot be written as a graph: {error}") from error


def _export(module: nn.Module, inputs: tuple[Any, ...]) -> ExportedProgram:
    """Exported and functionalised, but not decomposed: ``linear`` stays ``linear``."""
    failures: list[str] = []
    for strict in (False, True):
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")
                exported = torch.export.export(module, inputs, strict=strict)
                # torch 2.13 crashes on decomposing a program with such a constant, and it could not be written down
                if any(isinstance(constant, FakeTensor) for constant in exported.constants.values()):
                    raise AuthorError("a constant has no value")
                return exported.run_decompositions({})
        except AuthorError:
            raise
        except Exception as error:  # export runs the user's code, and fails in as many ways
            failures.append(f"{type(error).__name__}: {error}".splitlines()[0])
    raise AuthorError(f"torch.export cannot capture the module: {failures[0]}")


def _lower(program: ExportedProgram, module: nn.Module, inputs: tuple[Any, ...]) -> Captured:
    parameters, reached = _forward_names(module, inputs)
    specs = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    leaves = iter(reached)
    inputs_found: list[str] = []
    baked: list[tuple[str, Any]] = []
    reached_by: dict[str, str] = {}
    constants: dict[str, torch.Tensor] = {}

    def place(low: Lowering, node: FxNode) -> None:
        spec = specs[node.name]
        if spec.kind is InputKind.USER_INPUT:
            access, value = next(leaves)
            reached_by[node.name] = access
            if isinstance(spec.arg, ConstantArgument) or not isinstance(value, torch.Tensor):
                low.baked[node] = value
                baked.append((access, value))
                return
            type_ = _tensor_type(node)
            low.place[node] = low.leaf("input", type_, index=len(inputs_found))
            inputs_found.append(access)
        elif spec.kind in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR):
            assert spec.target is not None
            if spec.kind is InputKind.CONSTANT_TENSOR or spec.persistent is False:
                constant = program.constants[spec.target]
                if not isinstance(constant, torch.Tensor):
                    raise LoweringError(f"the constant {spec.target} is no tensor")
                constants[spec.target] = constant
                value = _uniform(constant)
                if value is not None:
                    low.place[node] = low.leaf("full", _tensor_type(node), value=value)
                    return
            low.place[node] = low.leaf("weight", _tensor_type(node), name=spec.target)
        else:
            raise LoweringError(f"an input of kind {spec.kind.name}")

    nodes = list(program.graph.nodes)
    graph, results = lower_graph(nodes, place, MAKERS)
    fresh = _fresh(nodes[-1], results)
    user: list[Any] = []
    writes: list[tuple[str, int]] = []
    for spec, result in zip(program.graph_signature.output_specs, results, strict=True):
        if spec.kind is OutputKind.USER_OUTPUT:
            user.append(result)
        elif spec.kind in (OutputKind.BUFFER_MUTATION, OutputKind.USER_INPUT_MUTATION):
            assert spec.target is not None and isinstance(result, Slot)
            buffer = spec.kind is OutputKind.BUFFER_MUTATION
            writes.append((f"self.{spec.target}" if buffer else reached_by[spec.target], result.position))
        else:
            raise LoweringError(f"an output of kind {spec.kind.name}")
    out_spec = program.call_spec.out_spec
    assert out_spec is not None
    output = pytree.tree_unflatten(user, out_spec)
    _check_plain(output)
    interface = Interface(parameters, tuple(inputs_found), tuple(baked), output, fresh, tuple(writes))
    return Captured(graph, interface, module, constants, program)


def _uniform(constant: torch.Tensor) -> float | None:
    """The value of all elements of a floating-point constant, where they are one finite number."""
    if not constant.is_floating_point() or constant.numel() == 0:
        return None
    low, high = float(constant.min()), float(constant.max())
    return low if low == high and math.isfinite(low) else None


def _fresh(output: FxNode, results: Sequence[Any]) -> tuple[bool, ...]:
    """Per output slot: is its storage neither a placeholder's nor an earlier output's?"""
    fresh: list[bool] = []
    owners: set[FxNode] = set()
    for value, result in zip(output.args[0], results, strict=True):  # type: ignore[arg-type]
        if isinstance(result, Slot):
            owner = _owner(value)  # type: ignore[arg-type]
            fresh.append(owner.op != "placeholder" and owner not in owners)
            owners.add(owner)
    return tuple(fresh)


def _owner(node: FxNode) -> FxNode:
    """The node whose storage this one shows."""
    while True:
        source = node.args[0] if node.target is operator.getitem else node
        target = source.target if isinstance(source, FxNode) else None
        views = isinstance(target, torch._ops.OpOverload) and any(r.alias_info for r in target._schema.returns)
        if not views or not source.all_input_nodes:  # type: ignore[union-attr]
            return node
        node = source.all_input_nodes[0]  # type: ignore[union-attr]


def _tensor_type(node: FxNode) -> TensorType:
    type_ = type_of(node.meta["val"])
    assert isinstance(type_, TensorType)
    return type_


def _forward_names(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[tuple[str, ...], list[tuple[str, Any]]]:
    """Parameter names of ``forward`` for these inputs, and each leaf of the inputs with how to reach it."""
    names: list[str] = []
    for parameter in inspect.signature(module.forward).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}_{k}" for k in range(len(names), len(inputs))]
    names = names[: len(inputs)]
    reached: list[tuple[str, Any]] = []
    for name, value in zip(names, inputs, strict=True):
        for path, leaf in pytree.tree_flatten_with_path(value)[0]:
            reached.append((name + pytree.keystr(path), leaf))
    return tuple(names), reached


def _check_plain(output: Any) -> None:
    """Outputs are printed as literals: only tuples, lists and dicts with plain keys can be."""
    if type(output) in (tuple, list):
        for part in output:
            _check_plain(part)
    elif type(output) is dict:
        for key, part in output.items():
            if not isinstance(key, str | int):
                raise LoweringError(f"the output is a dict with the key {key!r}")
            _check_plain(part)
    elif not (output is None or isinstance(output, Slot | bool | int | float | str)):
        raise LoweringError(f"the output is a {type(output).__name__}")


def _plain_leaves(inputs: Sequence[Any]) -> list[Any]:
    return [leaf for leaf in pytree.tree_leaves(list(inputs)) if not isinstance(leaf, torch.Tensor)]
