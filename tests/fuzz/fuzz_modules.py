"""Random modules, as the text of KernelBench problems, and candidates for them.

A module is a graph without cycles: each step applies one operator to a value that is there, an input or the result of
an earlier step. What no step reads is returned, so every step reaches the output.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fuzz_activations
import fuzz_arithmetic
import fuzz_moves
import fuzz_norms
import fuzz_pooling
import fuzz_products
import fuzz_reductions
import fuzz_scans
from fuzz_operators import Draw, Operator, Setting, Shape, function
from hypothesis import assume
from hypothesis import strategies as st

CATALOGUES = (
    fuzz_activations, fuzz_arithmetic, fuzz_reductions, fuzz_scans, fuzz_norms, fuzz_products, fuzz_pooling, fuzz_moves,
)  # fmt: skip
OPERATORS: dict[str, Operator] = {
    operator.name: operator for catalogue in CATALOGUES for operator in catalogue.OPERATORS
}
_STEPS = (1, 2, 3, 3, 4, 4, 5, 5, 6)
MOST_GROWING = 2
"""Values must stay far from the largest float32 on inputs times 1,000."""
MOST_OUTPUTS = 4
_TRIES = 5
"""Operators drawn for a step before it is given up: not every operator fits every shape."""
LARGEST = 6000
"""Elements of one value: a judgement should take milliseconds."""
_DRAWN = (
    "torch.randn($)",
    "torch.randn($) * 2 + 0.5",
    "torch.rand($)",
    "torch.rand($) * 4 - 2",
    "torch.randn($) * 0.5",
)
_HEAD = "import math\n\nimport torch\nfrom torch import nn\nfrom torch.nn import functional as F"


@dataclass(frozen=True)
class Given:
    """One input: its name in ``forward`` and the expression that draws it."""

    name: str
    shape: Shape
    drawn: str


@dataclass(frozen=True)
class Step:
    """One operator on named values; the result is called ``result``."""

    operator: Operator
    setting: Setting
    values: tuple[str, ...]
    result: str


@dataclass(frozen=True)
class Form:
    """Which form of its operator a step of a candidate takes: ``kind`` is ``honest`` or ``mutant``."""

    kind: str
    name: str


@dataclass(frozen=True)
class Module:
    """A random module."""

    inputs: tuple[Given, ...]
    steps: tuple[Step, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        read = {value for step in self.steps for value in step.values}
        return tuple(step.result for step in self.steps if step.result not in read)

    @property
    def problem(self) -> str:
        """The text of the KernelBench file."""
        drawn = ", ".join(given.drawn for given in self.inputs)
        return (
            f"{_HEAD}\n\n\n{self._written('Model', {})}\n\n\n"
            f"def get_inputs():\n    return [{drawn}]\n\n\ndef get_init_inputs():\n    return []\n"
        )

    @property
    def digest(self) -> str:
        """Of the text, short: modules with the same one are the same."""
        return hashlib.sha256(self.problem.encode()).hexdigest()[:12]

    def candidate(self, forms: Mapping[int, Form]) -> str:
        """The text of a candidate whose steps take the given forms; all others are as the problem has them."""
        return f"{_HEAD}\n\n\n{self._written('ModelNew', forms)}\n"

    def forms(self, kind: str) -> list[tuple[int, Form]]:
        """Every form of a kind that one of the steps could take."""
        return [(k, Form(kind, name)) for k, step in enumerate(self.steps) for name in step.operator.forms(kind)]

    def described(self, forms: Mapping[int, Form]) -> str:
        """One line: which steps take which forms."""
        return "; ".join(f"{self.steps[k].operator.name}: {form.name}" for k, form in sorted(forms.items()))

    def _written(self, name: str, forms: Mapping[int, Form]) -> str:
        functions = [text for k, step in enumerate(self.steps) for text in _functions(k, step, forms.get(k))]
        made = [
            weight.assignment(f"{own}{k}")
            for k, step in enumerate(self.steps)
            for own, weight in step.setting.weights.items()
        ]
        calls = [
            f"{step.result} = step{k}({', '.join((*step.values, *(f'self.{own}{k}' for own in step.setting.weights)))})"
            for k, step in enumerate(self.steps)
        ]
        body = [
            f"class {name}(nn.Module):",
            "    def __init__(self):",
            "        super().__init__()",
            *(f"        {line}" for line in made),
            "",
            f"    def forward(self, {', '.join(given.name for given in self.inputs)}):",
            *(f"        {line}" for line in calls),
            f"        return {', '.join(self.outputs)}",
        ]
        return "\n\n\n".join([*functions, "\n".join(body)])


def _functions(k: int, step: Step, form: Form | None) -> list[str]:
    """The functions of one step: its form, and the plain one where the form calls it."""
    operator = step.operator
    operands = [*operator.arguments, *(["i"] if step.setting.index else [])]
    arguments = [*operands, *step.setting.weights]
    words = {
        **step.setting.words,
        "plain": f"plain{k}",
        "operands": ", ".join(arguments),
        "row_operands": ", ".join(map(str, range(len(operands)))),
    }
    if form is None:
        return [function(f"step{k}", arguments, operator.plain, words)]
    body = operator.forms(form.kind)[form.name]
    changed = function(f"step{k}", arguments, body, words)
    return [function(f"plain{k}", arguments, operator.plain, words), changed] if "$plain" in body else [changed]


@st.composite
def modules(draw: Draw, names: Sequence[str] = tuple(OPERATORS), steps: int = _STEPS[-1]) -> Module:
    """Modules of at most ``steps`` operators from ``names``."""
    builder = _Builder(draw, names)
    builder.value("x", draw(_shapes()))
    for _ in range(draw(st.sampled_from([count for count in _STEPS if count <= steps]))):
        for _ in range(_TRIES):
            if builder.step():
                break
    return builder.module()


@st.composite
def rewritings(draw: Draw, module: Module) -> dict[int, Form]:
    """Honest forms for some of the steps, one at least."""
    chosen = draw(st.sets(st.sampled_from(range(len(module.steps))), min_size=1))
    return {k: Form("honest", draw(st.sampled_from(list(module.steps[k].operator.forms("honest"))))) for k in chosen}


@st.composite
def mutations(draw: Draw, module: Module) -> dict[int, Form]:
    """One step made wrong, in a way of its operator or (a third of the time) in one that every operator has."""
    k = draw(st.sampled_from(range(len(module.steps))))
    operator = module.steps[k].operator
    shared = [name for name in operator.forms("mutant") if name not in operator.mutants]
    names = list(operator.mutants) if draw(st.integers(0, 2)) else shared
    return {k: Form("mutant", draw(st.sampled_from(names)))}


@st.composite
def _shapes(draw: Draw) -> Shape:
    rank = draw(st.integers(2, 4))
    if rank == 2:
        return draw(st.integers(2, 6)), draw(st.integers(4, 40))
    if rank == 3:
        return draw(st.integers(2, 4)), draw(st.integers(3, 10)), draw(st.integers(4, 16))
    return (
        draw(st.integers(2, 3)),
        draw(st.sampled_from([2, 3, 4, 6, 8])),
        draw(st.integers(5, 9)),
        draw(st.integers(5, 9)),
    )


class _Builder:
    """A module that is being drawn, step by step."""

    def __init__(self, draw: Draw, names: Sequence[str]):
        self._draw = draw
        self._names = names
        self._inputs: list[Given] = []
        self._steps: list[Step] = []
        self._shapes: dict[str, Shape] = {}
        """Of the floating values, in order."""

    def value(self, letter: str, shape: Shape, below: int = 0) -> str:
        """A new input: floating, or integers from zero to ``below``."""
        name = f"{letter}{sum(given.name.startswith(letter) for given in self._inputs)}"
        size = ", ".join(map(str, shape))
        drawn = (
            f"torch.randint(0, {below}, ({size},))" if below else self._draw(st.sampled_from(_DRAWN)).replace("$", size)
        )
        self._inputs.append(Given(name, shape, drawn))
        if not below:
            self._shapes[name] = shape
        return name

    def step(self) -> bool:
        """One operator more. ``False``: the one that was drawn does not fit."""
        operator = OPERATORS[self._draw(st.sampled_from(self._names))]
        if operator.grows and sum(step.operator.grows for step in self._steps) >= MOST_GROWING:
            return False
        raw = {given.name for given in self._inputs}
        there = [name for name in self._shapes if name in raw] if operator.jumps else list(self._shapes)
        first = there[-1] if self._draw(st.integers(0, 3)) else self._draw(st.sampled_from(there))
        shape = self._shapes[first]
        setting = operator.setting(self._draw, shape)
        if setting is None or _elements(setting.shape) > LARGEST or min(setting.shape, default=1) < 1:
            return False
        values = [first]
        if operator.second:
            alike = [name for name in there if self._shapes[name] == shape and name != first]
            fresh = not alike or self._draw(st.booleans())
            values.append(self.value("x", shape) if fresh else self._draw(st.sampled_from(alike)))
        if setting.index:
            values.append(self.value("i", *setting.index))
        result = f"v{len(self._steps)}"
        self._steps.append(Step(operator, setting, tuple(values), result))
        self._shapes[result] = setting.shape
        return True

    def module(self) -> Module:
        assume(self._steps)
        module = Module(tuple(self._inputs), tuple(self._steps))
        used = {value for step in module.steps for value in step.values}
        assume(all(given.name in used for given in module.inputs) and len(module.outputs) <= MOST_OUTPUTS)
        return module


def _elements(shape: Shape) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def sourced(module: Module, forms: Mapping[int, Form]) -> dict[str, Any]:
    """What is needed to see a case again: both texts, and what was done."""
    return {"what": module.described(forms), "problem": module.problem, "candidate": module.candidate(forms)}
