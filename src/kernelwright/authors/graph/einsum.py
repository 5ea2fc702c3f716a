"""Einstein sums: equations such as ``bclhn,bhcl->bclh``, their types, their work and their steps. Imports no torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from kernelwright.authors.graph.ir import Node, TensorType, attributes


@dataclass(frozen=True, slots=True)
class Equation:
    """One letter for each axis of each operand and of the result; a letter that the result lacks is summed."""

    operands: tuple[str, ...]
    result: str

    @classmethod
    def parse(cls, text: str) -> "Equation":
        """``TypeError`` for diagonals, ellipses, a result that is left out, or one with letters of no operand."""
        left, arrow, result = text.replace(" ", "").partition("->")
        operands = tuple(left.split(","))
        terms = (*operands, result)
        plain = all(set(term) <= set("".join(operands)) and len(set(term)) == len(term) for term in terms)
        if not arrow or not plain or not "".join(terms).isalpha():
            raise TypeError(f"no plain Einstein sum: {text}")
        return cls(operands, result)

    def __str__(self) -> str:
        return f"{','.join(self.operands)}->{self.result}"

    def sizes(self, types: Sequence[TensorType]) -> dict[str, int]:
        """Size per letter. ``TypeError`` where operands do not fit; an axis of one element is not spread."""
        found: dict[str, int] = {}
        for letters, type_ in zip(self.operands, types, strict=True):
            if len(letters) != type_.rank or any(found.setdefault(a, n) != n for a, n in zip(letters, type_.shape)):  # noqa: B905
                raise TypeError(f"{self} of {[t.shape for t in types]}")
        return found


def result_shape(attrs: Mapping[str, Any], types: Sequence[TensorType]) -> tuple[int, ...]:
    """The shape that the sum has."""
    equation = Equation.parse(attrs["equation"])
    if len(equation.operands) != len(types):
        raise TypeError(f"{equation} of {len(types)} operands")
    sizes = equation.sizes(types)
    return tuple(sizes[a] for a in equation.result)


def flops(attrs: Mapping[str, Any], types: Sequence[TensorType], out: TensorType) -> int:
    """Of a sum over one or two operands, which PyTorch computes as one product or one pass."""
    sizes = Equation.parse(attrs["equation"]).sizes(types)
    return 2 * prod(sizes.values())


def steps(node: Node, types: Sequence[TensorType]) -> Iterator[tuple[Node, tuple[TensorType, TensorType]]]:
    """The sums over two operands that a longer one consists of: PyTorch goes from left to right.

    https://docs.pytorch.org/docs/stable/generated/torch.einsum.html
    """
    assert isinstance(node.type, TensorType)
    equation = Equation.parse(node.attr["equation"])
    sizes = equation.sizes(types)
    letters, left = equation.operands[0], types[0]
    for k, right in enumerate(types[1:], start=1):
        later = set("".join(equation.operands[k + 1 :]) + equation.result)
        last = k == len(types) - 1
        kept = (
            equation.result if last else "".join(a for a in dict.fromkeys(letters + equation.operands[k]) if a in later)
        )
        made = TensorType(tuple(sizes[a] for a in kept), node.type.dtype)
        step = str(Equation((letters, equation.operands[k]), kept))
        yield Node("einsum", (), attributes(equation=step), made), (left, right)
        letters, left = kept, made
