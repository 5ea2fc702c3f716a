"""What the README shows exists: its files parse, its problem loads, its commands, options and links are there."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kernelwright import problems

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BLOCKS = dict(re.findall(r'^```python title="([^"]+)"\n(.*?)^```$', README, re.MULTILINE | re.DOTALL))


def commands(text: str) -> list[list[str]]:
    """Every line of a page that starts with ``kernelwright``: only code blocks have such lines."""
    lines = re.findall(r"^kernelwright .*$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_every_python_block_parses():
    assert set(BLOCKS) == {"my_problem.py", "optimize_module.py", "judge_candidate.py"}
    for text in BLOCKS.values():
        ast.parse(text)


def test_the_problem_loads(tmp_path: Path):
    path = tmp_path / "my_problem.py"
    path.write_text(BLOCKS["my_problem.py"])
    loaded = problems.load(problems.from_file(path))
    (x,) = loaded.draw(1)
    assert loaded.build(2)(x).shape == (1024, 1)


def test_commands_and_options_exist():
    found = commands(README)
    assert {words[1] for words in found} == {"optimize", "judge", "metal", "task", "submit", "suite"}
    for words in found:
        command = words[1:3] if words[1] in ("metal", "suite") else words[1:2]
        program = [str(Path(sys.executable).with_name("kernelwright")), *command, "--help"]
        shown = subprocess.run(program, capture_output=True, text=True, check=True).stdout
        for option in (word for word in words if word.startswith("--")):
            assert option in shown


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    for link in links:
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_benchmarks_named_exist():
    named = set(re.findall(r"benchmarks/(\w+\.py)", README))
    assert named
    assert all((ROOT / "benchmarks" / name).exists() for name in named)
