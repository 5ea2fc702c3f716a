"""Calls and operands as text."""


def call(function: str, *parts: str, **keywords: str | None) -> str:
    """A call; keywords that are ``None`` are left out."""
    named = (f"{k}={bare(v)}" for k, v in keywords.items() if v is not None)
    return f"{function}({', '.join([*map(bare, parts), *named])})"


def bare(code: str) -> str:
    """The expression without parentheses around the whole of it, which an argument does not need."""
    depth = 0
    for position, sign in enumerate(code):
        depth += (sign in "([{") - (sign in ")]}")
        whole = depth == 0 and position == len(code) - 1 and code.startswith("(")
        if (depth == 0 and not whole) or (depth == 1 and sign == ","):
            return code
    return code[1:-1] if code else code


def grouped(code: str) -> str:
    """The expression as an operand: in parentheses where it is an operation written with a sign."""
    depth = 0
    for sign in code:
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and sign == " ":
            return f"({code})"
    return f"({code})" if code.startswith("-") else code
