"""The registry: built-in Authors, files, and Authors of other packages."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint

import pytest
from model_author_kit import ScriptedModel

from kernelwright import authors, models
from kernelwright.authors import Author, AuthorError, Proposal, Task, registry
from kernelwright.schema import Attempt, Candidate, DeviceFacts, Problem, Target


class Stranger:
    name = "stranger"
    trusted = True
    targets = frozenset({Target.CUDA})

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | None:
        if history:
            raise RuntimeError("two\nlines")
        return Candidate(source="ModelNew = None", author="somebody else")


def broken() -> Author:
    raise ImportError("no such compiler")


@pytest.fixture
def entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("stranger", f"{__name__}:Stranger", registry.ENTRY_POINT_GROUP),
        EntryPoint("broken", f"{__name__}:broken", registry.ENTRY_POINT_GROUP),
        EntryPoint("rewriter", f"{__name__}:Stranger", registry.ENTRY_POINT_GROUP),
        EntryPoint("nothing", f"{__name__}:nothing", registry.ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)


def nothing() -> str:
    return "no Author"


def task() -> Task:
    facts = DeviceFacts(platform="cpu", name="test", memory_bytes=1, cores=1, cache_bytes=0)
    return Task(problem=Problem(name="p", format="kernelbench"), facts=facts, platform="cpu")


def test_built_in_authors_keep_the_contract() -> None:
    targets = {
        "inductor": Target.TORCH,
        "rewriter": Target.TORCH,
        "rewriter+inductor": Target.TORCH,
        "templates": Target.TRITON,
        "rewriter+templates": Target.TRITON,
        "rewriter+templates+inductor": Target.TRITON,
        "inductor-metal": Target.METAL,
    }
    assert authors.names()[: len(targets)] == tuple(targets)
    for name, target in targets.items():
        author = authors.get(name)
        assert isinstance(author, Author)
        assert (author.name, author.trusted, author.targets) == (name, True, frozenset({target}))


@pytest.mark.parametrize("name", ["", "nobody", "file:", "Rewriter"])
def test_unknown_names_are_one_line_that_lists_what_there_is(name: str) -> None:
    with pytest.raises(LookupError, match=r"inductor, rewriter, rewriter\+inductor.*file:PATH") as caught:
        authors.get(name)
    assert "\n" not in str(caught.value)


def test_default_names_follow_the_target() -> None:
    assert authors.default_names(None) == authors.default_names(Target.TORCH)
    assert authors.default_names(None) == ("rewriter", "inductor", "rewriter+inductor")
    assert authors.default_names(Target.METAL) == ("inductor-metal",)
    assert authors.default_names(Target.CUDA) == ()
    assert authors.default_names(Target.TRITON) == ("templates", "rewriter+templates", "rewriter+templates+inductor")
    on_a_gpu = authors.default_names(None, "cuda")
    assert set(authors.default_names(None)) < set(on_a_gpu)
    assert "rewriter+templates" in on_a_gpu


def test_another_package_joins_but_is_never_trusted(entry_points: None) -> None:
    assert authors.names() == (*authors.registry.BUILT_IN, "broken", "nothing", "stranger")
    stranger = authors.get("stranger")
    assert isinstance(stranger, Author) and not stranger.trusted
    assert stranger.targets == {Target.CUDA}
    candidate = stranger.propose(task(), ())
    assert isinstance(candidate, Candidate) and candidate.author == "stranger"
    assert authors.default_names(Target.CUDA) == ("stranger",)


def test_its_errors_are_author_errors_of_one_line(entry_points: None) -> None:
    stranger = authors.get("stranger")
    with pytest.raises(AuthorError, match="stranger: RuntimeError: two lines"):
        stranger.propose(task(), [None])  # type: ignore[list-item]


def test_models_are_named_by_provider_and_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def model(name: str) -> ScriptedModel:
        if not name.startswith("anthropic:"):
            raise LookupError(f"no provider in {name!r}; there is anthropic")
        return ScriptedModel(name=name)

    monkeypatch.setattr(models, "get", model, raising=False)
    author = authors.get("anthropic:claude-sonnet-4")
    assert isinstance(author, Author)
    assert (author.name, author.trusted, author.targets) == ("anthropic:claude-sonnet-4", False, frozenset(Target))
    with pytest.raises(LookupError, match="no provider in 'nobody:x'; there is anthropic"):
        authors.get("nobody:x")


def test_the_list_says_how_the_others_are_named() -> None:
    with pytest.raises(LookupError, match="file:PATH, replay:RUN, PROVIDER:MODEL"):
        authors.get("nobody")
    assert not any(":" in name for name in authors.names())


def test_a_proposal_of_another_package_is_signed_too(entry_points: None, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Proposal(Candidate(source="ModelNew = None", author="somebody else"), base=3)
    monkeypatch.setattr(Stranger, "propose", lambda self, task, history: whole)
    proposal = authors.get("stranger").propose(task(), ())
    assert isinstance(proposal, Proposal) and proposal.candidate is not None
    assert (proposal.candidate.author, proposal.base) == ("stranger", 3)
    monkeypatch.setattr(Stranger, "propose", lambda self, task, history: Proposal(None, failure="tired"))
    assert authors.get("stranger").propose(task(), ()) == Proposal(None, failure="tired")


@pytest.mark.parametrize(("name", "word"), [("broken", "no such compiler"), ("nothing", "is no Author")])
def test_an_author_that_does_not_load_says_why(entry_points: None, name: str, word: str) -> None:
    with pytest.raises(LookupError, match=word):
        authors.get(name)


def test_a_built_in_name_cannot_be_taken_over(entry_points: None) -> None:
    assert authors.get("rewriter").trusted


def test_the_registry_costs_no_torch() -> None:
    code = "import sys; from kernelwright import authors; authors.get('inductor'); authors.get('rewriter'); "
    code += (
        "authors.get('file:x.py'); authors.default_names(None); print('torch' in sys.modules, 'egglog' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
