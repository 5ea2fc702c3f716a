"""The statements of ``forward``: Inductor's ``call`` with names that say something, and without its own runtime."""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from kernelwright.authors.author import AuthorError
from kernelwright.authors.graph.names import HINTS
from kernelwright.authors.graph.text import wrapped
from kernelwright.authors.inductor_metal.shader import free, kernel_name, kernel_text, plain_name
from kernelwright.authors.inductor_metal.trace import Place, Traced, contiguous_strides
from kernelwright.authors.inductor_metal.wrapper import Kernel, Wrapper

ATTENTION = "_scaled_dot_product_attention_math_for_mps"
LIBRARY = "KERNELS"


@dataclass
class Forward:
    """What was written so far."""

    traced: Traced
    wrapper: Wrapper
    names: dict[str, str]
    """The wrapper's names → expressions. Given: those of the arguments."""
    taken: set[str]
    """Names that a new variable cannot have."""
    device: str
    """An expression for the device that everything is on."""
    lines: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    kernels: dict[str, tuple[Kernel, str, str]] = field(default_factory=dict)
    """The wrapper's name → the kernel, its new name, its text."""
    calls: list[str] = field(default_factory=list)
    """Functions of torch that are called, each once."""

    def __post_init__(self) -> None:
        arguments = zip(self.wrapper.arguments, self.traced.arguments, strict=True)
        self.places = {**self.traced.places, **{name: argument.place for name, argument in arguments}}
        self.labels = {name: _label(expression) for name, expression in self.names.items()}
        self.allocated: set[str] = set()
        self.single: set[str] = set()  # results that Inductor takes for a tuple, and that are its first part here
        launches = (self._kernel(n) for s in self.wrapper.body for n in ast.walk(s) if isinstance(n, ast.Call))
        self.launches = Counter(name for name in launches if name is not None)
        self.indexed = self._indexed()

    def write(self) -> None:
        """Translates all statements. Raises ``AuthorError`` for one that has no counterpart."""
        for statement in self.wrapper.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=target)], value=value):
                    self._assign(target, value)
                case ast.Expr(value=ast.Call() as call):
                    name = self._kernel(call)
                    self.lines += wrapped(self._call(call) if name is None else self._launch(name, call))
                case ast.Return(value=ast.Tuple(elts=values)):
                    self.results = [self._expression(value) for value in values]
                case _:
                    raise AuthorError(f"TorchInductor wrote what has no counterpart: {ast.unparse(statement)}")

    def owner(self, position: int) -> str:
        """The wrapper's name of the tensor whose memory the result at this position shows."""
        returned = self.wrapper.body[-1]
        assert isinstance(returned, ast.Return) and isinstance(returned.value, ast.Tuple)
        name = next(_names(returned.value.elts[position]), "")
        return self._sources().get(name, name)

    # -- one statement ------------------------------------------------------------------------------------------

    def _assign(self, target: str, value: ast.expr) -> None:
        match value:
            case ast.Call(func=ast.Name(id=function)) if function.startswith("empty_strided"):
                self._allocate(target, value)
            case ast.Name(id=source):
                self._alias(target, source)
            case ast.Call(func=ast.Name(id="reinterpret_tensor")):
                self.labels[target] = self.labels.get(next(_names(value)), target)
                self.names[target] = self._expression(value)
            case ast.Subscript(value=ast.Name(id=source), slice=ast.Constant(value=0)) if source in self.single:
                self._alias(target, source)
            case ast.Subscript(value=ast.Name(id=source)) if source not in self.single:
                self._define(target, self._expression(value))
            case ast.Call():
                self._define(target, self._call(value))
            case _:
                raise AuthorError(f"TorchInductor wrote what has no counterpart: {target} = {ast.unparse(value)}")

    def _alias(self, target: str, source: str) -> None:
        self.names[target], self.labels[target] = self._name(source), self.labels[source]
        self.places.setdefault(target, self.places.get(source, Place((), (), torch.float32)))

    def _allocate(self, target: str, value: ast.Call) -> None:
        shape, strides = (tuple(ast.literal_eval(a)) for a in value.args[:2])
        dtype = next((k.value for k in value.keywords if k.arg == "dtype"), value.args[-1])
        self.allocated.add(target)
        sizes = (shape,) if strides == contiguous_strides(shape) else (shape, strides)
        maker = "torch.empty" if len(sizes) == 1 else "torch.empty_strided"
        shown = ", ".join(map(repr, sizes))
        self.lines += wrapped(
            f"{self._new(target)} = {maker}({shown}, dtype={ast.unparse(dtype)}, device={self.device})"
        )

    def _define(self, target: str, code: str) -> None:
        place = self.places.get(target)
        if target in self.indexed and place is not None:
            code = laid_out(code, place)
        self.lines += wrapped(f"{self._new(target)} = {code}")

    def _launch(self, name: str, call: ast.Call) -> str:
        if name not in self.kernels:
            origins = self.traced.origins.get(name, ())
            kernel = self.wrapper.kernels[name]
            new = kernel_name(origins, {new for _, new, _ in self.kernels.values()})
            labels = [self.labels.get(next(_names(a), ""), "value") for a in call.args]
            text = kernel_text(kernel, new, origins, labels if self.launches[name] == 1 else None)
            self.kernels[name] = (kernel, new, text)
        given = [self._expression(a) for a in call.args]
        given += [f"{k.arg}={self._expression(k.value)}" for k in call.keywords]
        return f"{LIBRARY}.{self.kernels[name][1]}({', '.join(given)})"

    def _call(self, call: ast.Call) -> str:
        """A call that Inductor leaves to ATen, as a plain call of torch."""
        path = ast.unparse(call.func).removeprefix("torch.ops.")
        namespace, _, rest = path.partition(".")
        name, _, overload = rest.partition(".")
        keywords = {k.arg: k.value for k in call.keywords if k.arg is not None}
        if namespace == "extern_kernels" and hasattr(torch, name):
            defaults: dict[str, Any] = {"alpha": 1, "beta": 1}
            function = f"torch.{name}"
            if name == "convolution":
                function, keywords, defaults = _convolution(keywords)
        elif namespace == "aten":
            operator = getattr(getattr(torch.ops.aten, name), overload or "default")
            defaults = {a.name: a.default_value for a in operator._schema.arguments if a.has_default_value()}
            defaults |= {"pin_memory": False, "layout": torch.strided}
            plain = hasattr(torch._C._VariableFunctions, name) and not name.startswith("_")
            function = f"torch.{name}" if plain else f"torch.ops.aten.{name}.{overload or 'default'}"
        else:
            raise AuthorError(f"TorchInductor calls {path}, which is no part of torch's public interface")
        given = [self._expression(a) for a in call.args]
        if name == ATTENTION:
            function = "F.scaled_dot_product_attention"
            given, keywords = given[:3], _attention_keywords(call)
            self.single |= _targets(self.wrapper, call)
        given += [f"{k}={self._expression(v)}" for k, v in keywords.items() if not _is_default(v, defaults, k)]
        if function not in self.calls:
            self.calls.append(function)
        return f"{function}({', '.join(given)})"

    # -- expressions --------------------------------------------------------------------------------------------

    def _expression(self, node: ast.expr) -> str:
        """The code of an operand."""
        match node:
            case ast.Name(id=name):
                return {"inf": 'float("inf")', "nan": 'float("nan")'}.get(name) or self._name(name)
            case ast.Call(func=ast.Name(id="reinterpret_tensor"), args=[base, *layout]):
                return self._view(base, *(ast.literal_eval(a) for a in layout))
            case ast.Call(func=ast.Name(id="device")) | ast.Constant(value="mps" | "mps:0"):
                return self.device
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                inner = ", ".join(map(self._expression, parts))
                comma = "," if isinstance(node, ast.Tuple) and len(parts) == 1 else ""
                return f"({inner}{comma})" if isinstance(node, ast.Tuple) else f"[{inner}]"
            case ast.Subscript(value=value, slice=ast.Constant(value=index)):
                return f"{self._expression(value)}[{index!r}]"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"-{self._expression(operand)}"
            case ast.Constant() | ast.Attribute(value=ast.Name(id="torch")):
                return ast.unparse(node)
            case _:
                raise AuthorError(f"TorchInductor wrote an operand that has no counterpart: {ast.unparse(node)}")

    def _view(self, base: ast.expr, shape: Sequence[int], strides: Sequence[int], offset: int) -> str:
        """The same memory under other sizes and strides (elements), in the plainest words there are for it."""
        shape, strides = tuple(shape), tuple(strides)
        code = self._expression(base)
        name = base.id if isinstance(base, ast.Name) else ""
        place = self.places.get(name)
        if place is not None and offset == 0:
            if (shape, strides) == (place.shape, place.strides):
                return code
            same_size = torch.Size(shape).numel() == torch.Size(place.shape).numel()
            if same_size and place.contiguous and strides == contiguous_strides(shape):
                return f"{code}.view({', '.join(map(str, shape)) or '()'})"
            order = _permutation(place, shape, strides)
            if order is not None:
                return f"{code}.t()" if order == [1, 0] else f"{code}.permute({', '.join(map(str, order))})"
        start = f", {offset}" if offset and name in self.allocated else ""
        if offset and name not in self.allocated:
            start = f", {code}.storage_offset() + {offset}"
        return f"{code}.as_strided({shape}, {strides}{start})"

    def _name(self, name: str) -> str:
        if name not in self.names:
            raise AuthorError(f"TorchInductor's code needs {name}, a constant that it keeps for itself")
        return self.names[name]

    def _new(self, target: str) -> str:
        """A new variable for the wrapper's buffer."""
        place = self.places.get(target)
        word = plain_name(place.hint) if place is not None and place.hint else "value"
        self.names[target] = self.labels[target] = free(HINTS.get(word, word), self.taken)
        return self.names[target]

    # -- facts about the whole ----------------------------------------------------------------------------------

    def _kernel(self, call: ast.Call) -> str | None:
        """The wrapper's name of the kernel that is called; before torch 2.12 it was an attribute of its library."""
        function = call.func.value if isinstance(call.func, ast.Attribute) else call.func
        known = isinstance(function, ast.Name) and function.id in self.wrapper.kernels
        return function.id if known else None

    def _sources(self) -> dict[str, str]:
        """Names that show another name's memory → the name that owns it."""
        owners: dict[str, str] = {}
        for statement in self.wrapper.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=target)], value=ast.Name(id=source)):
                    owners[target] = owners.get(source, source)
                case ast.Assign(
                    targets=[ast.Name(id=target)],
                    value=ast.Call(func=ast.Name(id="reinterpret_tensor"), args=[ast.Name(id=source), *_]),
                ):
                    owners[target] = owners.get(source, source)
                case _:
                    pass
        return owners

    def _indexed(self) -> set[str]:
        """Names whose strides matter: kernels and views count on them."""
        owners = self._sources()
        found: set[str] = set()
        for statement in self.wrapper.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Call):
                    view = isinstance(node.func, ast.Name) and node.func.id == "reinterpret_tensor"
                    if view or self._kernel(node) is not None:
                        found |= {owners.get(name, name) for a in node.args for name in _names(a)}
        return found


def laid_out(code: str, place: Place) -> str:
    """A call of the file's own ``laid_out``."""
    strides = "" if place.contiguous else f", {place.strides}"
    return f"laid_out({code}, {place.dtype}, {place.shape}{strides})"


def _label(expression: str) -> str:
    """``linear_weight`` for ``self.linear.weight``: a name that a kernel's argument can have."""
    kept = "".join(c if c.isalnum() else "_" for c in expression.removeprefix("self."))
    return "_".join(part for part in kept.split("_") if part)


def _names(node: ast.expr) -> Iterator[str]:
    """Names of tensors in an operand."""
    known = {"reinterpret_tensor", "torch", "device", "inf", "nan"}
    return (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n.id not in known)


def _targets(wrapper: Wrapper, call: ast.Call) -> set[str]:
    """What the call is assigned to."""
    return {
        target.id
        for statement in wrapper.body
        if isinstance(statement, ast.Assign) and statement.value is call
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _attention_keywords(call: ast.Call) -> dict[str, ast.expr]:
    """Arguments of the Mac's attention operator under the names of the public function."""
    given = dict(zip(("attn_mask", "dropout_p", "is_causal"), call.args[3:], strict=False))
    given |= {k.arg: k.value for k in call.keywords if k.arg in ("attn_mask", "dropout_p", "is_causal", "scale")}
    off = ("None", "0.0", "False")
    return {name: value for name, value in given.items() if ast.unparse(value) not in off}


def _convolution(keywords: dict[str, ast.expr]) -> tuple[str, dict[str, ast.expr], dict[str, Any]]:
    """``F.conv2d`` and its like for ATen's one operator: function, arguments by name, and their defaults."""
    axes = len(ast.literal_eval(keywords["padding"]))
    transposed = ast.literal_eval(keywords["transposed"])
    ones, zeros = (1,) * axes, (0,) * axes
    defaults = {"bias": None, "stride": ones, "padding": zeros, "dilation": ones, "groups": 1, "output_padding": zeros}
    function = f"F.conv{'_transpose' if transposed else ''}{axes}d"
    return function, {k: v for k, v in keywords.items() if k != "transposed"}, defaults


def _is_default(value: ast.expr, defaults: dict[str, Any], name: str) -> bool:
    if name not in defaults or isinstance(value, ast.Name):
        return False
    return ast.unparse(value) == repr(defaults[name])


def _permutation(place: Place, shape: tuple[int, ...], strides: tuple[int, ...]) -> list[int] | None:
    """The order of the base's axes that gives this view, if it is one."""
    left = list(enumerate(zip(place.shape, place.strides, strict=True)))
    order: list[int] = []
    for wanted in zip(shape, strides, strict=True):
        found = next((pair for pair in left if pair[1] == wanted), None)
        if found is None:
            return None
        left.remove(found)
        order.append(found[0])
    return None if left else order
