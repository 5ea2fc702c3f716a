"""Properties of the parser: whatever file stands in an answer comes back, and every generated diff gives its text."""

import ast
import difflib
import json

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernelwright.authors.language_model.edits import apply_diff
from kernelwright.authors.language_model.parse import Parsed, Unparsed, parse

WORDS = ["this", "doubles", "each", "row,", "and", "(as", "before)", "writes", "3", "x", "it's", "50%", "faster"]
PIECES = ["a", "Ω", " ", "\n", "```", "~~~", "```python\n", "\n```\n", "\n~~~\n", "\n@@ -1 +1 @@\n", "{", "#"]
LINES = [
    "x = 1", "x = 2", "", "    y = 3", "-- z", "++ z", "- a", "+ b", " c", "@@ -1 +1 @@", "--- a", "+++ b", "\\ d", "#",
]  # fmt: skip
FILE = "import torch\n\n\nclass ModelNew(torch.nn.Module):\n    def forward(self, x):\n        return x\n"

prose = st.lists(st.sampled_from(WORDS)).map(" ".join)
strings = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
fences = st.sampled_from(["```", "~~~", "````"])
words = st.sampled_from(["python", "py", "", "Python"])


@st.composite
def files(draw: st.DrawFn) -> str:
    """Valid Python with ModelNew, with strings over several lines in which anything may stand."""
    doc, text = draw(strings), draw(strings)
    source = f'"""{doc}"""\n\nimport torch\n\nSOURCE = r"""{text}"""\n\n\nclass ModelNew(torch.nn.Module):\n'
    source += "    def forward(self, x):\n        return x\n"
    source += "".join(f"\n\ndef helper{n}(x):\n    return x + {n}\n" for n in range(draw(st.integers(0, 3))))
    return source


@given(files(), prose, prose, fences, words)
def test_any_file_comes_back_from_a_fenced_answer(source: str, before: str, after: str, fence: str, word: str) -> None:
    ast.parse(source)
    found = parse(f"{before}\n\n{fence}{word}\n{source}{fence}\n\n{after}")
    assert isinstance(found, Parsed)
    assert found.source == source


@given(files(), st.booleans())
def test_any_file_comes_back_bare_and_from_json(source: str, crlf: bool) -> None:
    bare = parse(source.replace("\n", "\r\n") if crlf else source)
    assert isinstance(bare, Parsed)
    assert bare.source == source
    wrapped = parse(json.dumps({"code": source}))
    assert isinstance(wrapped, Parsed)
    assert wrapped.source == source


@settings(max_examples=400)
@given(st.lists(st.sampled_from(LINES), max_size=14), st.lists(st.sampled_from(LINES), max_size=14), st.integers(0, 4))
def test_a_generated_diff_gives_the_other_text(old: list[str], new: list[str], context: int) -> None:
    assume(old != new)
    diff = "\n".join(difflib.unified_diff(old, new, "a", "b", lineterm="", n=context))
    assert apply_diff("\n".join([*old, ""]), diff) == "\n".join([*new, ""])


@settings(max_examples=300)
@given(st.text(st.sampled_from(list("`~ \n@-+<>=aM\"'#:()")), max_size=80), st.one_of(st.none(), files()))
def test_no_answer_raises(answer: str, last: str | None) -> None:
    found = parse(answer, last)
    assert isinstance(found, Parsed | Unparsed)
    assert not isinstance(found, Unparsed) or (found.reason and "\n" not in found.reason)


@given(st.integers(0, len(FILE)))
def test_a_block_that_never_ends_is_never_taken(length: int) -> None:
    assert isinstance(parse(f"So:\n\n```python\n{FILE[:length]}"), Unparsed)
