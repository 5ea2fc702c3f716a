"""What random modules are made of: operators, each written plainly, rewritten honestly, and made wrong.

A *form* is the body of a Python function of the operands ``x``, ``y`` and of the weights by their names; a single
expression stands for its ``return``. ``$word`` is replaced by a word of the operator's setting (an axis, a stride).
Every form of an operator returns a tensor of its own, never a view of an operand: what shares memory with what is not
the subject here.
"""

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import Template
from typing import Any

Shape = tuple[int, ...]
Draw = Callable[..., Any]
"""What ``st.composite`` hands to a function: draws one value from a strategy."""

_WEIGHTS = {
    "matrix": "nn.Parameter(torch.randn($shape) * $fan ** -0.5)",
    "scale": "nn.Parameter(1 + 0.3 * torch.randn($shape))",
    "shift": "nn.Parameter(0.5 * torch.randn($shape))",
    "table": "nn.Parameter(torch.randn($shape))",
}
_BUFFERS = {"mean": "0.5 * torch.randn($shape)", "variance": "0.5 + torch.rand($shape)"}


@dataclass(frozen=True)
class Weight:
    """One parameter or buffer. ``fan`` is how many terms a product with a ``matrix`` adds up."""

    kind: str
    shape: Shape
    fan: int = 1

    def assignment(self, name: str) -> str:
        """The line of ``__init__`` that makes it, under a name that no other weight of the module has."""
        words = {"shape": ", ".join(map(str, self.shape)), "fan": self.fan}
        if self.kind in _BUFFERS:
            return f'self.register_buffer("{name}", {Template(_BUFFERS[self.kind]).substitute(words)})'
        return f"self.{name} = {Template(_WEIGHTS[self.kind]).substitute(words)}"


@dataclass(frozen=True)
class Setting:
    """How an operator is used in one place: the shape of its result, its words, its weights, its integer operand."""

    shape: Shape
    words: Mapping[str, object] = field(default_factory=dict)
    weights: Mapping[str, Weight] = field(default_factory=dict)
    index: tuple[Shape, int] | None = None
    """Shape and exclusive upper bound of the operand ``i``, where there is one."""


@dataclass(frozen=True)
class Operator:
    """An operator over floating tensors.

    ``setting`` draws how it is used on an operand of a shape, or returns ``None`` where it does not fit. ``jumps``
    marks results that change by leaps: such an operator is used on the module's inputs only, where no rounding error
    can decide. ``grows``: values grow faster than in proportion; few of these stand in one module. ``rows``: entries
    of dimension 0 do not depend on each other. ``moves``: it only moves values about, so precision means nothing.
    """

    name: str
    setting: Callable[[Draw, Shape], Setting | None]
    plain: str
    honest: Mapping[str, str]
    mutants: Mapping[str, str]
    second: bool = False
    """There is an operand ``y`` of the shape of ``x``."""
    jumps: bool = False
    grows: bool = False
    rows: bool = True
    moves: bool = False

    def forms(self, kind: str) -> dict[str, str]:
        """The operator's own forms of a kind (``honest`` or ``mutant``), then those that every operator has."""
        own, shared = (self.honest, _SHARED_HONEST) if kind == "honest" else (self.mutants, _SHARED_MUTANTS)
        chosen = {name: body for name, (applies, body) in shared.items() if applies(self)}
        return {**own, **chosen}

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("x", "y") if self.second else ("x",)


def function(name: str, arguments: list[str], body: str, words: Mapping[str, object]) -> str:
    """A form as the text of a function."""
    text = Template(textwrap.dedent(body).strip()).substitute(words)
    if "return " not in text:
        text = f"return {text}"
    return f"def {name}({', '.join(arguments)}):\n{textwrap.indent(text, '    ')}"


def _all(_: Operator) -> bool:
    return True


def _computes(operator: Operator) -> bool:
    return not operator.moves


_WIDE = "$plain(*[t.double() if t.is_floating_point() else t for t in ($operands,)]).to(x.dtype)"
_CHUNKS = """
parts = range(0, x.shape[0], 2)
rows = [[t[k : k + 2] if n in ($row_operands,) else t for n, t in enumerate(($operands,))] for k in parts]
return torch.cat([$plain(*row) for row in rows])
"""
_TF32 = """
def rounded(t):
    mantissa, exponent = torch.frexp(t)
    return torch.ldexp((mantissa * 2048).round() / 2048, exponent)
return $plain(*[rounded(t) if t.is_floating_point() else t for t in ($operands,)])
"""
_CAST = "$plain(*[t.{0}().to(t.dtype) if t.is_floating_point() else t for t in ($operands,)])"

_SHARED_HONEST: dict[str, tuple[Callable[[Operator], bool], str]] = {
    "in float64": (_computes, _WIDE),
    "rows in chunks of two": (lambda operator: operator.rows, _CHUNKS),
}
_SHARED_MUTANTS: dict[str, tuple[Callable[[Operator], bool], str]] = {
    "operands in bfloat16": (_computes, _CAST.format("bfloat16")),
    "operands in float16": (_computes, _CAST.format("half")),
    "operands in tf32": (_computes, _TF32),
    "result in bfloat16": (_computes, "$plain($operands).bfloat16().to(x.dtype)"),
    "last row not written": (_all, "out = $plain($operands).clone()\nout[-1] = 0\nreturn out"),
    "last column not written": (_all, "out = $plain($operands).clone()\nout[..., -1] = 0\nreturn out"),
    "last row is the one before": (_all, "out = $plain($operands).clone()\nout[-1] = out[-2]\nreturn out"),
    "one column further": (_all, "$plain($operands).roll(1, -1)"),
}
