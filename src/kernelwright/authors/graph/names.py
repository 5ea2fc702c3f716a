"""Names of variables and folded tensors. Imports no torch."""

from collections.abc import Sequence
from keyword import iskeyword

from kernelwright.authors.graph.ir import Node
from kernelwright.authors.graph.text import HELPERS

LETTERS = "yzhuvwabcdeg"

HINTS = {
    "linear": "projected",
    "matmul": "product",
    "conv": "features",
    "sum": "total",
    "mean": "mean",
    "amax": "largest",
    "amin": "smallest",
    "softmax": "probabilities",
    "log_softmax": "log_probabilities",
    "window_sums": "windows",
    "max_pool": "pooled",
    "avg_pool": "pooled",
    "channels_last": "laid_out",
    "group_norm": "normalised",
    "instance_norm": "normalised",
    "layer_norm": "normalised",
    "batch_norm": "normalised",
    "add": "shifted",
    "sub": "difference",
    "mul": "scaled",
    "div": "quotient",
    "reshape": "shaped",
    "permute": "turned",
    "relu": "activated",
}


def hint(node: Node) -> str:
    """A name for what the operation makes."""
    if node.op == "call":
        return node.attr["function"]
    if node.op == "opaque":
        return node.attr["target"].split(".")[1].strip("_")
    return HINTS.get(node.op, node.op)


def role_of(consumer: Node, place: int) -> str:
    """What a folded tensor is to the operation that takes it."""
    if consumer.op in ("linear", "conv"):
        return ("input", "weight", "bias")[place]
    return {"mul": "scale", "div": "divisor", "add": "shift", "sub": "shift", "matmul": "factor"}.get(
        consumer.op, "table"
    )


class Names:
    """Variable names that are free."""

    def __init__(self, reserved: Sequence[str]) -> None:
        self.taken = {*reserved, "torch", "nn", "F", "self", *HELPERS}

    def new(self, hint: str) -> str:
        name = f"layer_{hint}" if hint[:1].isdigit() else f"{hint}_" if iskeyword(hint) else hint
        number = 1
        while (name if number == 1 else f"{name}_{number}") in self.taken:
            number += 1
        chosen = name if number == 1 else f"{name}_{number}"
        self.taken.add(chosen)
        return chosen

    def letter(self) -> str:
        """A neutral name, for values that later statements may overwrite."""
        return next((self.new(name) for name in LETTERS if name not in self.taken), None) or self.new("value")

    def release(self, name: str) -> None:
        self.taken.discard(name)
