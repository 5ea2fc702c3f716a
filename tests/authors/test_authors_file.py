"""``file:PATH``: what a person wrote, as it stands, once."""

from pathlib import Path

import pytest

from kernelwright.authors import AuthorError, Task, get
from kernelwright.schema import Attempt, Candidate, DeviceFacts, Problem, Status, Target, Verdict

INLINE = "from torch.utils.cpp_extension import load_inline\n"
CLASS = "\nclass ModelNew:\n    pass\n"
TASK = Task(
    problem=Problem(name="p", format="kernelbench"),
    facts=DeviceFacts(platform="cpu", name="test", memory_bytes=1, cores=1, cache_bytes=0),
    platform="cpu",
)


def proposed(path: Path, text: str) -> Candidate:
    path.write_text(text, encoding="utf-8")
    candidate = get(f"file:{path}").propose(TASK, ())
    assert candidate is not None
    return candidate


def test_the_file_is_proposed_word_for_word_and_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    candidate = proposed(path, '"""Why it is fast."""\n' + CLASS)
    assert candidate.source == path.read_text()
    assert (candidate.author, candidate.title) == (f"file:{path}", "mine.py")
    assert candidate.explanation == "Why it is fast."
    author = get(f"file:{path}")
    assert not author.trusted
    attempt = Attempt(
        run="r",
        number=1,
        author=author.name,
        candidate=candidate,
        verdict=Verdict(status=Status.MISMATCH),
        created="now",
    )
    assert author.propose(TASK, [attempt]) is None


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("import torch", Target.TORCH),
        ("import triton\nimport triton.language as tl", Target.TRITON),
        (
            INLINE + "m = load_inline(name='m', cpp_sources='int f();')",
            Target.CPP,
        ),
        (
            INLINE + "m = load_inline(name='m', cpp_sources='', cuda_sources='x')",
            Target.CUDA,
        ),
        (
            INLINE + "m = load_inline(name='m', cpp_sources='x', cuda_sources='')",
            Target.CPP,
        ),
        ("import ctypes, subprocess\nsubprocess.run(['g++'])", Target.CPP),
        ("import torch\nlib = torch.mps.compile_shader('kernel void f() {}')", Target.METAL),
        ("import torch\nk = torch.cuda._compile_kernel('__global__ void f() {}', 'f')", Target.CUDA),
        ("# import triton\nimport torch", Target.TORCH),
    ],
)
def test_the_target_is_read_from_the_code(tmp_path: Path, text: str, target: Target) -> None:
    assert proposed(tmp_path / "k.py", text + CLASS).target is target


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "No such file"),
        ("class Model: pass", "no ModelNew"),
        ("def f(:", "not a Python file"),
        ("def f():\n    class ModelNew: pass", "no ModelNew"),
    ],
)
def test_what_is_no_candidate_is_one_line(tmp_path: Path, text: str | None, word: str) -> None:
    path = tmp_path / "k.py"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(AuthorError, match=word) as caught:
        get(f"file:{path}").propose(TASK, ())
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_model_new_may_be_assigned_or_imported(tmp_path: Path) -> None:
    assert proposed(tmp_path / "a.py", "class Fast:\n    pass\n\nModelNew = Fast\n").target is Target.TORCH
    assert proposed(tmp_path / "b.py", "from torch.nn import Identity as ModelNew\n").target is Target.TORCH
