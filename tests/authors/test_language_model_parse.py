"""Answers of models: what is taken as the Candidate, and what is refused with which reason."""

import difflib
import json
import re

import pytest

from kernelwright.authors.language_model.parse import Parsed, Unparsed, parse

FILE = '''import torch
from torch import nn


class ModelNew(nn.Module):
    """Doubles."""

    def forward(self, x):
        return x * 2
'''
FENCED_DOC = '''"""How it is called:

```python
ModelNew()(x)
```
"""

import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        text = "~~~"
        return x + len(text)
'''
EXCERPT = "class ModelNew(nn.Module):\n    def forward(self, x):\n        ..."
BOUND = "import torch\nModelNew = torch.nn.Identity\n"
BROKEN = FILE.replace("x):", "x)")
METAL = """#include <metal_stdlib>
using namespace metal;
kernel void scale(device float* x, uint i [[thread_position_in_grid]]) { x[i] *= 2; }
"""
ENTITIES = FILE.replace("x * 2", 'x * len("&lt;&amp;")')
CHANGED = FILE.replace("x * 2", "x + x")
DIFF = "\n".join(
    difflib.unified_diff(FILE.splitlines(), CHANGED.splitlines(), "a/candidate.py", "b/candidate.py", lineterm="")
)
SEARCH = "<<<<<<< SEARCH\n        return x * 2\n=======\n        return x + x\n>>>>>>> REPLACE\n"
TWICE = """
<<<<<<< SEARCH
        return x * 2
=======
        pass
        pass
>>>>>>> REPLACE
<<<<<<< SEARCH
        pass
=======
        return x
>>>>>>> REPLACE
"""


def fenced(text: str, language: str = "python", fence: str = "```") -> str:
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"


TAKEN = {
    "one block": (f"I double it.\n\n{fenced(FILE)}\nDone.", FILE),
    "nothing but code": (FILE, FILE),
    "no language": (fenced(FILE, ""), FILE),
    "py": (fenced(FILE, "py"), FILE),
    "title in the info string": (fenced(FILE, 'python title="candidate.py"'), FILE),
    "tildes": (fenced(FILE, "python", "~~~"), FILE),
    "four backticks": (fenced(FILE, "python", "````"), FILE),
    "closing fence longer": (f"```python\n{FILE}`````\n", FILE),
    "fence in a docstring": (f"See:\n\n{fenced(FENCED_DOC)}\nThat is all.", FENCED_DOC),
    "fence in a docstring, no fences around": (FENCED_DOC, FENCED_DOC),
    "last of two versions": (f"First:\n{fenced(FILE)}\nBetter:\n{fenced(CHANGED)}", CHANGED),
    "kernel first, then the file": (f"{fenced(METAL, 'metal')}\n{fenced(FILE)}", FILE),
    "file, then how to use it": (f"{fenced(FILE)}\nUse:\n{fenced('model = ModelNew()')}", FILE),
    "file, then an excerpt": (
        f"{fenced(FILE)}\nIts shape:\n{fenced(EXCERPT)}", FILE,
    ),
    "complete, then cut off": (f"{fenced(FILE)}\nBetter:\n```python\nimport torch\nclass ModelNew:", FILE),
    "the reference before it": (f"{fenced(FILE.replace('ModelNew', 'Model'))}\n{fenced(FILE)}", FILE),
    "reasoning with a draft": (f"<think>\n{fenced(CHANGED)}\nNo: </think>\n{fenced(FILE)}", FILE),
    "reasoning without its opening": (f"First I\n{fenced(CHANGED)}\n</think>\n\n{fenced(FILE)}", FILE),
    "reasoning in capitals": (f"<THINKING>hm</THINKING>{FILE}", FILE),
    "reasoning in brackets": (f"[THINK]\n{fenced(CHANGED)}\n[/THINK]\n{fenced(FILE)}", FILE),
    "opening fence at the end of a line": (f"The file: ```python\n{FILE}```\n", FILE),
    "CRLF": (fenced(FILE).replace("\n", "\r\n"), FILE),
    "byte order mark": ("\ufeff" + fenced(FILE), FILE),
    "in a list": ("1. The file:\n\n" + "".join(f"   {line}\n" for line in fenced(FILE).splitlines()), FILE),
    "prose around, no fences": (f"Here is the file.\n\n{FILE}\nIt doubles the input, doesn't it?", FILE),
    "tags around": (f"<answer>\n{FILE}\n</answer>", FILE),
    "HTML entities stay": (fenced(ENTITIES), ENTITIES),
    "JSON": (json.dumps({"reasoning": "double", "code": FILE}), FILE),
    "JSON in a block": (fenced(json.dumps({"files": [{"name": "c.py", "text": FILE}]}), "json"), FILE),
    "JSON around a block": (json.dumps({"answer": f"So:\n{fenced(FILE)}"}), FILE),
    "an assignment": (fenced(BOUND), BOUND),
    "diff": (f"Add it:\n\n{fenced(DIFF, 'diff')}", CHANGED),
    "diff without a fence": (DIFF, CHANGED),
    "diff with prose before": (f"Add it to itself.\n\n{DIFF}\n", CHANGED),
    "diff with wrong lines": (fenced(DIFF.replace("@@ -5,5 +5,5 @@", "@@ -50,9 +51,9 @@"), "diff"), CHANGED),
    "diff without lines": (fenced("@@ forward @@\n-        return x * 2\n+        return x + x", "diff"), CHANGED),
    "diff whose blank lines lost their space": (fenced(DIFF.replace("\n \n", "\n\n"), "diff"), CHANGED),
    "SEARCH/REPLACE": (SEARCH, CHANGED),
    "SEARCH/REPLACE in a fence": (f"Add it.\n\n{fenced(SEARCH)}", CHANGED),
    "SEARCH/REPLACE with other spaces at the end": (SEARCH.replace("x * 2\n", "x * 2   \n"), CHANGED),
    "two SEARCH blocks": (
        SEARCH + '<<<<<<< SEARCH\n    """Doubles."""\n=======\n    """Adds."""\n>>>>>>> REPLACE',
        CHANGED.replace("Doubles", "Adds"),
    ),
    "whole file beats a change": (f"{fenced(DIFF, 'diff')}\n{fenced(FILE)}", FILE),
    "a mistake is the judge's": (fenced(BROKEN), BROKEN),
}  # fmt: skip


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_taken(case: str) -> None:
    answer, source = TAKEN[case]
    found = parse(answer, FILE)
    assert isinstance(found, Parsed), found
    assert found.source == source


REFUSED = {
    "nothing": ("", "is empty"),
    "blank": (" \n\t\n", "is empty"),
    "only reasoning": (f"<think>\n{fenced(FILE)}\nand then", "inside of its reasoning"),
    "reasoning, then nothing": (f"<think>{FILE}</think>\n", "is empty"),
    "half of a character": (fenced(FILE + "# \ud83d"), "lone surrogates"),
    "half of a character in JSON": ('{"code": "class ModelNew: ... # \\ud83d"}', "lone surrogates"),
    "prose": ("I cannot help with that.", "holds no code"),
    "cut off": (f"```python\n{FILE}", "begins in line 1 of the answer never ends"),
    "cut off in the middle": (f"So:\n\n```python\n{FILE[:60]}", "begins in line 3"),
    "cut off, no fences": (FILE.replace("x * 2", "x * ("), "its text is not Python: .* in line 9"),
    "cut off after the model, no fences": (f"{FILE}\n\ndef helper(x:", "its text is not Python: .* in line 12"),
    "Metal only": (fenced(METAL, "metal"), "a Metal kernel, but no Python file"),
    "Metal only, no fences": (METAL, "a Metal kernel, but no Python file"),
    "CUDA only": (fenced("__global__ void f(float* x) {}", "cuda"), "a CUDA kernel, but no Python file"),
    "Triton only": (
        fenced("import triton\n@triton.jit\ndef f(x):\n    pass"), "a Triton kernel, but no Python file",
    ),
    "Model": (fenced(FILE.replace("ModelNew", "Model")), "defines Model, not ModelNew"),
    "other names": (fenced("def fast(x):\n    return x"), r"defines ModelNew \(it defines fast\)"),
    "an excerpt": (
        fenced(EXCERPT), "is an excerpt",
    ),
    "an excerpt, bare": (EXCERPT, "is an excerpt"),
    "an excerpt in JSON": (json.dumps({"code": EXCERPT}), "is an excerpt"),
    "code and prose in one": (
        "class ModelNew(nn.Module):\n    def forward(self, x): return x it's", "its text is not Python",
    ),
    "diff that does not fit": (
        fenced("@@ -1,2 +1,2 @@\n import numpy\n-x = 1\n+x = 2", "diff"), "hunk 1 does not fit .*'import numpy'",
    ),
    "diff that fits twice": (fenced("@@ @@\n-\n+pass", "diff"), "hunk 1 fits the last candidate in 4 places"),
    "diff that says not where": (fenced("@@ @@\n+pass", "diff"), "does not say where"),
    "diff cut off": (f"```diff\n{DIFF}", "never ends"),
    "diff that takes ModelNew away": (
        fenced("@@ @@\n-class ModelNew(nn.Module):\n+class Fast(nn.Module):", "diff"), "defines no ModelNew",
    ),
    "SEARCH that is not there": (SEARCH.replace("x * 2", "x * 3"), "SEARCH block 1 is not in the last candidate"),
    "SEARCH that is empty": (
        "<<<<<<< SEARCH\n\n\n=======\n@cache\n>>>>>>> REPLACE", "SEARCH block 1 is empty",
    ),
    "SEARCH that is there twice": (TWICE, "SEARCH block 2 is in the last candidate 2 times: add lines to 'pass'"),
    "SEARCH without an end": (SEARCH.replace(">>>>>>> REPLACE\n", ""), "no line >>>>>>> REPLACE: the answer was cut"),
    "SEARCH without a middle": ("<<<<<<< SEARCH\nimport torch\n", "no line =======: the answer was cut"),
    "JSON without code": (json.dumps({"answer": "no"}), "holds no code"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    answer, reason = REFUSED[case]
    found = parse(answer, FILE)
    assert isinstance(found, Unparsed), found
    assert "\n" not in found.reason
    assert re.search(reason, found.reason), found.reason


@pytest.mark.parametrize("answer", [SEARCH, fenced(DIFF, "diff"), DIFF])
def test_a_change_needs_something_to_change(answer: str) -> None:
    assert parse(answer) == Unparsed("the answer changes a candidate, and there is none yet: write the complete file")


def test_prose_is_what_stands_beside_the_code() -> None:
    found = parse(f"Doubles by addition.\n\n{fenced(FILE)}\nNo more.")
    assert isinstance(found, Parsed)
    assert found.prose == "Doubles by addition.\n\n\nNo more."
    changed = parse(f"Adds.\n\n{SEARCH}", FILE)
    assert isinstance(changed, Parsed)
    assert changed.prose == "Adds."
