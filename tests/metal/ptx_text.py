"""PTX, read: instructions, variables, and where branches meet again. What ``ptx_machine.py`` runs."""

import re
from dataclasses import dataclass, field

_VARIABLE = re.compile(
    r"^\s*(?:\.visible |\.extern )*\.(shared|global|local|const)\s+(?:\.align \d+\s+)?\.(\w)(\d+)\s+([\w$]+)"
    r"(\[(\d*)\])?(?: = (.*?))?;$",
    re.MULTILINE,
)
_ENTRY = re.compile(r"\.entry (\w+)\(\s*\.param \.align \d+ \.b8 (\w+)\[(\d+)\]\s*\)[^{;]*\{(.*?)\n\}", re.DOTALL)
_LINE = re.compile(r"^(?:@(!?)(%p\d+)\s+)?([a-z][\w.]*)\s*(.*);$")


@dataclass(frozen=True)
class Instruction:
    """One line: ``@%p1 add.s32 %r1, %r2, 4;``."""

    operation: tuple[str, ...]
    operands: tuple[str, ...]
    guard: str = ""
    negated: bool = False

    @property
    def name(self) -> str:
        return self.operation[0]


@dataclass(frozen=True)
class Variable:
    """A named piece of memory."""

    space: str
    bytes: int
    values: bytes = b""


@dataclass
class Kernel:
    """One entry point."""

    name: str
    parameter: str
    parameter_bytes: int
    code: list[Instruction]
    labels: dict[str, int]
    variables: dict[str, Variable]
    meets: dict[int, int] = field(default_factory=dict)
    """For a conditional branch: the first instruction that every way from it comes to; none where the ways end."""


def read(text: str, name: str) -> Kernel:
    """The kernel of this name."""
    entry = next(found for found in _ENTRY.finditer(text) if found[1] == name)
    code: list[Instruction] = []
    labels: dict[str, int] = {}
    for raw in entry[4].splitlines():
        line = raw.split("//")[0].strip()
        if label := re.fullmatch(r"(\$\w+):", line):
            labels[label[1]] = len(code)
        elif line and not line.startswith("."):
            code.append(_instruction(line))
    kernel = Kernel(name, entry[2], int(entry[3]), code, labels, _variables(text))
    kernel.meets = _meeting_points(code, labels)
    return kernel


def _instruction(line: str) -> Instruction:
    found = _LINE.match(line)
    assert found, line
    operands = tuple(part.strip() for part in re.split(r",(?![^{\[]*[}\]])", found[4]) if part.strip())
    return Instruction(tuple(found[3].split(".")), operands, found[2] or "", bool(found[1]))


def _variables(text: str) -> dict[str, Variable]:
    found: dict[str, Variable] = {}
    for space, _, bits, name, is_array, count, values in _VARIABLE.findall(text):
        size = int(bits) // 8
        numbers = [int(word, 0) for word in re.findall(r"-?\w+", values or "")]
        data = b"".join((number % (1 << 8 * size)).to_bytes(size, "little") for number in numbers)
        found[name] = Variable(space, size * (int(count or 0) if is_array else 1), data)
    return found


def _meeting_points(code: list[Instruction], labels: dict[str, int]) -> dict[int, int]:
    """Immediate post-dominators of the branches, by the plain data-flow equations over instructions."""
    end = len(code)
    following: list[list[int]] = []
    for i, instruction in enumerate(code):
        after = [] if instruction.name in ("bra", "ret", "exit") and not instruction.guard else [i + 1]
        if instruction.name == "bra":
            after.append(labels[instruction.operands[0]])
        following.append(after or [end])
    every = (1 << (end + 1)) - 1
    behind = [every] * end + [1 << end]  # as sets of bits: what every way to the end passes
    changed = True
    while changed:
        changed = False
        for i in range(end - 1, -1, -1):
            common = every
            for after in following[i]:
                common &= behind[after]
            common |= 1 << i
            changed |= common != behind[i]
            behind[i] = common
    meets: dict[int, int] = {}
    for i, instruction in enumerate(code):
        if instruction.name == "bra" and instruction.guard:
            others = [j for j in range(end) if j != i and behind[i] >> j & 1]
            # the nearest one is passed by all the others' ways last: it has all of them behind itself
            nearest = [j for j in others if all(behind[j] >> k & 1 for k in others)]
            if nearest:
                meets[i] = nearest[0]
    return meets
