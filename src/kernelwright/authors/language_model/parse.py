"""From a model's answer to the text of a Candidate, or to one line that says why there is none. Imports no torch.

Answers come with reasoning around the code, several blocks of it, none at all, changes to the last candidate, JSON, a
kernel without Python. The rules, in order:

1. Reasoning (``<think>…</think>``) is taken off; what is left of it, if it never ends, is no answer.
2. The last complete block that is a Python file with ``ModelNew`` is the Candidate.
3. Else SEARCH/REPLACE blocks and unified diffs are applied to the last candidate.
4. Else JSON strings, and then code without fences, are looked through.
5. Else a complete block that would define ``ModelNew`` but is not valid Python goes to the judge, whose feedback names
   the line.

Nothing is repaired: HTML entities stay, and a block that the answer ends inside of is refused, since nobody knows what
is missing.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from kernelwright.authors.language_model import blocks, edits
from kernelwright.authors.language_model.blocks import Block

_TAG = "(think|thinking|reasoning|thought)"
_THOUGHT = re.compile(rf"\A\s*(?:<{_TAG}>.*?</\1>|\[THINK\].*?\[/THINK\])", re.DOTALL | re.IGNORECASE)
_OPEN_THOUGHT = re.compile(rf"\A\s*(?:<{_TAG}>|\[THINK\])", re.IGNORECASE)
_END_OF_THOUGHT = re.compile(rf"^[^\n]*(?:</{_TAG}>|\[/THINK\])[ \t]*$", re.MULTILINE | re.IGNORECASE)
_CODE_START = re.compile(r"^(?:import |from |class |def |@|#|\"\"\"|'''|r\"\"\"|[A-Za-z_]\w* *(?:: *\w+ *)?= *)")
_NOT_TEXT = re.compile("[\ud800-\udfff]")
_GOES_ON = re.compile(r"^(?:\s|def |class |@|import |from \S+ import |if __name__)")
_MOST_STARTS, _MOST_ENDS = 12, 60
_KERNELS = (
    (re.compile(r"\bkernel\s+void\b|\[\[\s*kernel\s*\]\]|#include\s*<metal_stdlib>"), "Metal"),
    (re.compile(r"\b__global__\b"), "CUDA"),
    (re.compile(r"@triton\.jit\b"), "Triton"),
    (re.compile(r"#include\s*<(?:torch/extension|ATen/)"), "C++"),
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The text of a Candidate, with one newline at its end."""

    source: str
    prose: str = ""
    """What the answer says beside the code."""


@dataclass(frozen=True, slots=True)
class Unparsed:
    """No Candidate. ``reason`` is one line that its author can act upon."""

    reason: str


def parse(answer: str, last: str | None = None) -> Parsed | Unparsed:
    """The Candidate in an answer. ``last``: the source that changes (diffs, SEARCH/REPLACE) are changes to.

    Never raises, whatever the answer holds.
    """
    text = answer.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text, unfinished = _without_reasoning(text)
    if unfinished:
        return Unparsed("the answer ends inside of its reasoning: there is no code after it")
    if not text.strip():
        return Unparsed("the answer is empty")
    if _NOT_TEXT.search(text):
        return Unparsed("the answer holds halves of characters (lone surrogates), which no file can hold")
    bare = blocks.is_candidate(text)
    if bare and not blocks.is_excerpt(text):  # before fences are looked for: a docstring may hold some
        return _complete(text, "")
    found, prose = blocks.split(text)
    closed = [block for block in found if block.closed]
    files = [block.text for block in closed if blocks.is_candidate(block.text)]
    whole = [file for file in files if not blocks.is_excerpt(file)]
    if whole:
        return _complete(whole[-1], prose)
    return (
        _edited(text, found, prose, last)
        or _from_json(text, closed, last)
        or _unfenced(prose)
        or _for_the_judge(closed, prose)
        or Unparsed(_why_not(text, found, bare or bool(files)))
    )


def _complete(source: str, prose: str) -> Parsed:
    return Parsed(source.strip("\n") + "\n", prose.strip())


def _without_reasoning(text: str) -> tuple[str, bool]:
    """The answer proper, and whether its reasoning never ends. Some servers leave the opening tag out."""
    thought = _THOUGHT.match(text)
    if thought is not None:
        return text[thought.end() :], False
    if _OPEN_THOUGHT.match(text):
        return "", True
    end = None if blocks.is_candidate(text) else _END_OF_THOUGHT.search(text)
    return (text if end is None else text[end.end() :]), False


def _edited(text: str, found: tuple[Block, ...], prose: str, last: str | None) -> Parsed | Unparsed | None:
    """The last candidate with the answer's changes; ``None`` where the answer holds no changes."""
    searches = edits.has_search_blocks(text)
    diffs = [b for b in found if edits.has_hunks(b.text)] if not searches else []
    bare = not searches and not diffs and edits.has_hunks(prose)
    if not (searches or diffs or bare):
        return None
    if any(not block.closed for block in diffs):
        return Unparsed(_cut_off(diffs[-1]))
    if last is None:
        return Unparsed("the answer changes a candidate, and there is none yet: write the complete file")
    try:
        if searches:
            changed = edits.apply_search_blocks(last, text)
        else:
            changed = last
            for diff in [block.text for block in diffs] or [prose]:
                changed = edits.apply_diff(changed, diff)
    except edits.EditError as error:
        return Unparsed(str(error))
    if not blocks.mentions_model(changed) and not blocks.is_candidate(changed):
        return Unparsed("after the change the file defines no ModelNew")
    return _complete(changed, edits.prose_before(prose))


def _from_json(text: str, closed: list[Block], last: str | None) -> Parsed | Unparsed | None:
    """A string in a JSON object that holds an answer, or the file itself; ``None`` where none speaks of ModelNew."""
    refused: Unparsed | None = None
    for part in (text, *(block.text for block in reversed(closed) if block.language in ("json", "json5", ""))):
        try:
            value = json.loads(part, strict=False)
        except (ValueError, RecursionError):
            continue
        for string in reversed(list(_strings(value))):
            if string == text or "ModelNew" not in string:
                continue
            inner = parse(string, last)
            if isinstance(inner, Parsed):
                return inner
            refused = refused or inner
    return refused


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for part in cast(list[Any], list(value.values()) if isinstance(value, dict) else value):
            yield from _strings(part)


def _unfenced(prose: str) -> Parsed | None:
    """The longest stretch of lines, from one that looks like code on, that is a file with ``ModelNew``."""
    if not blocks.mentions_model(prose):
        return None
    lines = prose.split("\n")
    model = next(n for n, line in enumerate(lines) if blocks.mentions_model(line))
    starts = [n for n in range(model + 1) if _CODE_START.match(lines[n])][:_MOST_STARTS]
    ends = [n for n in range(len(lines), model, -1) if n == len(lines) or not lines[n].strip()][:_MOST_ENDS]
    for start in starts:
        for end in ends:
            part = "\n".join(lines[start:end])
            rest = next((line for line in lines[end:] if line.strip()), "")
            if _GOES_ON.match(rest):  # code that is not valid, cut off perhaps: not to be left out silently
                continue
            if blocks.is_candidate(part) and not blocks.is_excerpt(part):
                return _complete(part, "\n".join([*lines[:start], *lines[end:]]))
    return None


def _for_the_judge(closed: list[Block], prose: str) -> Parsed | None:
    """A file with a mistake in its Python: the judge says in which line."""
    files = [block.text for block in closed if blocks.mentions_model(block.text) and not blocks.parsed(block.text)]
    return _complete(files[-1], prose) if files else None


def _why_not(text: str, found: tuple[Block, ...], excerpt: bool) -> str:
    if excerpt:
        return "ModelNew in the answer is an excerpt (it has '...' for a body): write the complete file"
    if found and not found[-1].closed:
        return _cut_off(found[-1])
    code = "\n".join(block.text for block in found) or text
    defined = [name for block in found for name in _defined(block.text)]
    if "Model" in defined:
        return "the code defines Model, not ModelNew: the class must be called ModelNew"
    kernels = [name for pattern, name in _KERNELS if pattern.search(code)]
    if kernels:
        return (
            f"the answer holds a {kernels[0]} kernel, but no Python file with ModelNew around it: write one file in "
            "which the kernel stands and ModelNew calls it"
        )
    if blocks.mentions_model(text):
        return f"the answer has no fenced block, and its text is not Python: {_first_error(text)}"
    if found:
        names = f" (it defines {', '.join(defined[:5])})" if defined else ""
        return f"no code block of the answer defines ModelNew{names}"
    return "the answer holds no code"


def _cut_off(block: Block) -> str:
    return (
        f"the code block that begins in line {block.line} of the answer never ends: the answer was cut off, or the "
        "closing fence is missing"
    )


def _defined(text: str) -> list[str]:
    tree = blocks.parsed(text)
    return [node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))] if tree else []


def _first_error(text: str) -> str:
    lines = text.split("\n")
    start = next((n for n, line in enumerate(lines) if _CODE_START.match(line)), 0)
    try:
        ast.parse("\n".join(lines[start:]))
    except SyntaxError as error:
        return f"{error.msg} in line {start + (error.lineno or 1)}"
    except (ValueError, RecursionError, MemoryError) as error:
        return type(error).__name__
    return "code and prose are mixed"
