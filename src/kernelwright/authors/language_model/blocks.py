"""Fenced code blocks of an answer, and whether a text is a Candidate. Imports no torch.

Fences are CommonMark's (https://spec.commonmark.org/0.31.2/#fenced-code-blocks), with one difference: a block of
Python ends at the first closing fence that leaves valid Python behind. In a valid file a line of backticks can only
stand inside of a string, and up to there the file does not parse; so a docstring with a fence does not end the block.
"""

import ast
import re
import warnings
from dataclasses import dataclass

from kernelwright.authors.file import defines_model_new

_OPENING = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_MENTIONS_MODEL = re.compile(r"^(?:class[ \t]+ModelNew\b|ModelNew[ \t]*=)", re.MULTILINE)
_MOST_CLOSINGS = 60
"""Closing fences that are tried for one block: each costs a parse of the text up to it."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    language: str
    """First word of the info string, lower case; empty where there is none."""
    text: str
    line: int
    """Of the opening fence, counted from 1."""
    closed: bool
    """Or else the answer ends inside of it."""


def split(answer: str) -> tuple[tuple[Block, ...], str]:
    """The fenced blocks of an answer, and what stands outside of them."""
    lines = answer.split("\n")
    blocks: list[Block] = []
    outside: list[str] = []
    at = 0
    while at < len(lines):
        opening = _OPENING.match(lines[at])
        if opening is None:
            outside.append(lines[at])
            at += 1
            continue
        indent, fence, info = opening[1], opening[2], opening[3].strip()
        end = _end(lines, at + 1, indent, fence)
        content = [_outdented(line, len(indent)) for line in lines[at + 1 : end]]
        word = re.match(r"[\w+#.-]*", info.lower())
        blocks.append(Block(word[0] if word else "", "\n".join(content), at + 1, closed=end < len(lines)))
        at = end + 1
    return tuple(blocks), "\n".join(outside)


def is_candidate(text: str) -> bool:
    """It is valid Python that defines ``ModelNew`` at module level."""
    tree = parsed(text)
    return tree is not None and defines_model_new(tree)


def mentions_model(text: str) -> bool:
    """It has a line that would define ``ModelNew``, valid Python or not."""
    return bool(_MENTIONS_MODEL.search(text))


def is_excerpt(text: str) -> bool:
    """Its ``ModelNew`` leaves something out with ``...``, as people do who show a part of a file."""
    tree = parsed(text)
    models = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "ModelNew"] if tree else []
    return any(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...
        for model in models
        for node in ast.walk(model)
    )


def parsed(text: str) -> ast.Module | None:
    """The syntax tree; ``None`` where the text is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stray escape in a string is the judge's business
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _end(lines: list[str], start: int, indent: str, fence: str) -> int:
    """Index of the line that closes the block; ``len(lines)`` where none does."""
    closing = re.compile(rf"^[ \t]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$")
    ends = [n for n in range(start, len(lines)) if closing.match(lines[n])]
    for end in ends[:_MOST_CLOSINGS]:
        if is_candidate("\n".join(_outdented(line, len(indent)) for line in lines[start:end])):
            return end
    return ends[0] if ends else len(lines)


def _outdented(line: str, width: int) -> str:
    """A block in a list is indented as a whole: its lines lose as much as the fence has."""
    return line[min(width, len(line) - len(line.lstrip(" \t"))) :] if width else line
