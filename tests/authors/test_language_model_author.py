"""The author that asks a model: what it asks, turn by turn, and what becomes of the answers."""

from pathlib import Path

import pytest
from model_author_kit import (
    ScriptedModel,
    answer,
    attempt,
    counted,
    failed,
    file,
    not_written,
    proposed,
    task,
    text_of,
    timed,
)

from kernelwright.authors import Author, AuthorError, Proposal
from kernelwright.authors.language_model import LanguageModelAuthor
from kernelwright.models import MemoryJournal
from kernelwright.schema import CallStatus, ContextPiece, DeviceFacts, Status, Target, Text, Verdict


def ask(history=(), model=None, **fields) -> tuple[Proposal, str]:
    """The Proposal of a new author, and all of its prompt."""
    model = model or ScriptedModel()
    proposal = proposed(LanguageModelAuthor(model).propose(task(**fields), history))
    return proposal, text_of(model.prompts[-1])


def test_it_is_an_author_of_every_target_that_nobody_vouches_for():
    author = LanguageModelAuthor(ScriptedModel())
    assert isinstance(author, Author)
    assert (author.name, author.trusted, author.targets) == ("scripted:model", False, frozenset(Target))


def test_the_first_turn_shows_the_problem():
    model = ScriptedModel([answer("7")])
    proposal, prompt = ask(model=model)
    assert proposal.candidate is not None
    assert proposal.candidate.source == file("7")
    assert (proposal.candidate.author, proposal.candidate.target) == ("scripted:model", Target.TORCH)
    assert proposal.candidate.title == "Use a matrix-vector product"
    assert (proposal.base, proposal.context, proposal.final, proposal.failure) == (None, frozenset(), False, "")
    assert model.keys == ["scripted:model/1/1"]
    assert [exchange.key for exchange in proposal.exchanges] == model.keys
    assert len(model.prompts[0].messages) == 1
    for part in ("def get_inputs():", "`x: float32 [64, 128]`", "`scale: float32 [128]`", "`output: float32 [64]`"):
        assert part in prompt


def test_no_call_is_paid_for_twice():
    model, journal = ScriptedModel([answer("1"), answer("2")]), MemoryJournal()
    first = proposed(LanguageModelAuthor(model).propose(task(journal=journal), ()))
    again = proposed(LanguageModelAuthor(model).propose(task(journal=journal), ()))
    assert first == again
    assert len(model.prompts) == 1


def test_what_it_asks_follows_from_its_arguments():
    history = (failed(2), not_written(5, "the answer holds no code"), timed(7, 2.0), timed(9, 1.5, base=7))
    _, prompt = ask(history)
    assert prompt == ask(history)[1]


def test_a_failure_is_handed_back_with_its_candidate():
    model = ScriptedModel()
    proposal, _ = ask((failed(4, feedback="output[3]: candidate 1.0, PyTorch 2.0"),), model)
    opening, said, about = model.prompts[0].messages
    assert [m.role for m in (opening, said, about)] == ["user", "assistant", "user"]
    assert file("4") in said.text
    assert "**mismatch** (`norm`)" in about.text
    assert "output[3]: candidate 1.0, PyTorch 2.0" in about.text
    assert "Tried before" not in about.text
    assert model.keys == ["scripted:model/2/1"]
    assert proposal.base is None


def test_older_failures_are_one_line_each_and_the_prompt_stays_bounded():
    few = tuple(failed(n, feedback=f"error {n}\n" + 40 * "long explanation\n") for n in range(1, 4))
    many = tuple(failed(n, feedback=f"error {n}\n" + 400 * "long explanation\n") for n in range(1, 60))
    _, short = ask(few)
    _, long = ask(many, tries=100)
    assert "attempt 1 (idea 1): mismatch (norm): error 1" in short
    assert short.count("long explanation") == 40
    assert "(43 older ones left out)" in long
    assert "attempt 43 " not in long and "attempt 44 " in long
    assert len(long) < len(short) + 10_000


def test_it_gives_up_after_so_many_failures():
    author = LanguageModelAuthor(ScriptedModel())
    assert author.propose(task(tries=2), (failed(1), failed(2))) is None
    assert author.propose(task(tries=3), (failed(1), failed(2))) is not None
    assert author.propose(task(tries=1), (timed(1, 2.0), failed(2))) is not None


def test_an_answer_without_code_is_a_failure():
    proposal, _ = ask(model=ScriptedModel(["I would rather not."]))
    assert (proposal.candidate, proposal.failure, proposal.final) == (None, "the answer holds no code", False)
    assert len(proposal.exchanges) == 1


@pytest.mark.parametrize("status", [status for status in CallStatus if status is not CallStatus.ANSWERED])
def test_calls_that_fail(status: CallStatus):
    proposal, _ = ask(model=ScriptedModel([status]))
    assert proposal.candidate is None
    assert proposal.failure == f"{status.value}: as the script says"
    assert proposal.final == (status in ("unauthorized", "out_of_credit", "invalid_request"))


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("the answer holds no code", True),
        ("cut_off: the answer reached its limit of tokens", True),
        ("rate_limited: try again in 20 s", False),
        ("timed_out: no answer in 600 s", False),
    ],
)
def test_it_is_told_of_its_own_faults_alone(reason: str, told: bool):
    model = ScriptedModel()
    ask((failed(1), not_written(2, reason)), model)
    _, said, about = model.prompts[0].messages
    assert file("1") in said.text  # the last candidate there is
    assert (f"Your last answer could not be used: {reason}." in about.text) == told
    _, prompt = ask((not_written(1, reason),))
    assert (reason in prompt) == told


def test_a_change_is_a_change_to_the_candidate_shown():
    edit = "Adds.\n\n<<<<<<< SEARCH\n        marker = 1\n=======\n        marker = 99\n>>>>>>> REPLACE"
    proposal, _ = ask((failed(1), not_written(2, "the answer is empty")), ScriptedModel([edit]))
    assert proposal.candidate is not None
    assert proposal.candidate.source == file("99")
    assert proposal.candidate.title == "Adds"


# --- the optimisation pass ---


def test_it_sets_out_from_its_best():
    history = (failed(1), timed(3, 2.0), timed(4, 3.0, base=3), timed(6, 2.5, base=4), failed(8, base=4))
    model = ScriptedModel()
    proposal, prompt = ask(history, model)
    _, said, about = model.prompts[0].messages
    assert proposal.base == 4
    assert file("4") in said.text
    assert "your best one that is correct (attempt 3)" in about.text
    assert "It takes 3.33 [3.27, 3.40] ms a call, 3.00 [2.94, 3.06] × as fast as eager" in about.text
    assert "2.40 [2.35, 2.45] × as fast as the best baseline, compile" in about.text
    assert "it reaches 30 % of that limit" in about.text
    assert "attempt 3 (idea 4) ran 1.50 [1.46, 1.54] × as fast as attempt 2 (measured): faster, kept." in prompt
    assert "attempt 4 (idea 6) ran 0.833 [0.810, 0.857] × as fast as attempt 3 (measured): slower, not kept." in prompt


def test_less_work_than_the_reference_does_is_said_in_words():
    fast = timed(1, 2.0)
    assert fast.verdict.limits is not None
    limits = fast.verdict.limits.model_copy(update={"work_floor_ms": 60.0, "work_share": 12.0})
    _, prompt = ask((fast.model_copy(update={"verdict": fast.verdict.model_copy(update={"limits": limits})}),))
    assert "is faster than the reference's FLOPs allow (60 ms): it does less work." in prompt
    assert "1200 %" not in prompt


def test_it_is_shown_what_the_last_change_did():
    _, prompt = ask((timed(1, 2.0), timed(2, 2.01, base=1)))
    assert (
        "Attempt 2 ran 1.00 [0.977, 1.03] × as fast as attempt 1 (measured): the same within noise, not kept." in prompt
    )
    assert "-        marker = 1\n+        marker = 2\n" in prompt
    _, kept = ask((timed(1, 2.0), timed(2, 3.0, base=1)))
    assert "faster, kept. It is the candidate above." in kept
    assert "+        marker = 2" not in kept
    _, broken = ask((timed(1, 2.0), failed(2, Status.COMPILE_FAILED, "line 3: no such name", base=1)))
    assert "Attempt 2 failed: compile_failed (norm)." in broken
    assert "line 3: no such name" in broken
    assert "What the last change did" not in ask((timed(1, 2.0),))[1]


def test_noise_does_not_move_the_base():
    history = (timed(1, 2.0), timed(2, 2.02, base=1), timed(3, 2.03, base=1))
    assert ask(history)[0].base == 1


def test_metal_without_a_mac_is_compared_by_modelled_time():
    history = (counted(1, 2.0), counted(2, 1.0, base=1), counted(3, 1.5, base=2))
    proposal, prompt = ask(history, target=Target.METAL)
    assert proposal.base == 2
    assert "Modelled at best: M1 1 ms (bandwidth)." in prompt
    assert "ran 2.00 × as fast as attempt 1 (by modelled time): faster, kept." in prompt
    assert "0.667 × as fast as attempt 2 (by modelled time): slower, not kept." in prompt
    same_model = (counted(1, 1.0, moved=2 << 20), counted(2, 1.0, moved=1 << 20, base=1))
    assert ask(same_model, target=Target.METAL)[0].base == 2


def test_where_nothing_can_be_compared_the_first_that_works_is_the_last():
    interpreted = attempt(2, Verdict(status=Status.CORRECT, target=Target.TRITON, feedback="Correct."))
    author = LanguageModelAuthor(ScriptedModel())
    assert author.propose(task(target=Target.TRITON), (failed(1), interpreted)) is None
    assert author.propose(task(target=Target.TRITON), (failed(1),)) is not None


def test_metal_that_launches_nothing_does_not_count():
    proposal, prompt = ask((counted(1, 0.0, kernels=0),), target=Target.METAL)
    assert proposal.base is None
    assert "It launches no Metal kernel" in prompt
    assert ask((counted(1, 0.0, kernels=0), counted(2, 1.0)), target=Target.METAL)[0].base == 2


# --- what can be switched off ---


def test_cuda_needs_an_nvidia_gpu_and_nobody_is_asked():
    model = ScriptedModel()
    proposal = proposed(LanguageModelAuthor(model).propose(task(target=Target.CUDA), ()))
    assert proposal.final and "platform cuda" in proposal.failure
    assert not model.prompts


@pytest.mark.parametrize(("platform", "target"), [("cpu", "C++ on the CPU"), ("cuda", "Triton"), ("mps", "Metal")])
def test_where_nobody_names_a_language_the_device_does(platform: str, target: str):
    facts = DeviceFacts(platform=platform, name="d", memory_bytes=1, cores=0, cache_bytes=0)
    proposal, prompt = ask(target=None, platform=platform, facts=facts)
    assert f"# Target: {target}" in prompt
    assert proposal.candidate is not None and proposal.candidate.target is Target.TORCH  # what it turned out to be


def test_a_prompt_that_was_too_long_gets_shorter():
    docs = (Text(name="notes.md", text="a line of notes\n" * 2000),)
    given = {"docs": docs, "context": frozenset({ContextPiece.DOCS})}
    overflow = not_written(1, "context_overflow: 300000 tokens")
    full, half = ask(**given)[1], ask((overflow,), **given)[1]
    quarter = ask((overflow, not_written(2, "context_overflow: 200000 tokens")), **given)[1]
    assert full.count("a line of notes") == 2000
    assert 1200 < half.count("a line of notes") < 1300
    assert 600 < quarter.count("a line of notes") < 650
    later = ask((overflow, not_written(2, "the answer holds no code")), **given)[1]
    assert later.count("a line of notes") == half.count("a line of notes")
    assert "context_overflow" not in half


# --- templates of the user ---


def test_a_page_of_the_user_takes_the_place_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "prompts" / "torch").mkdir(parents=True)
    (tmp_path / "prompts" / "common").mkdir()
    (tmp_path / "prompts" / "torch" / "target.md").write_text("Write haiku for {{ target }}.")
    (tmp_path / "prompts" / "common" / "answer.md").write_text("Answer in verse.")
    monkeypatch.setenv("KERNELWRIGHT_HOME", str(tmp_path))
    _, prompt = ask()
    assert "Write haiku for torch." in prompt and "Answer in verse." in prompt
    assert "What the judge demands" in prompt
    assert "haiku" not in ask(target=Target.CPP)[1]


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("{% if %}", r"prompt .*target\.md, line 1: "),
        ("{{ nobody }}", "'nobody' is undefined"),
        ("{{ 1 / 0 }}", "zero"),
    ],
)
def test_a_broken_page_is_said_in_one_line(tmp_path: Path, page: str, message: str):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "target.md").write_text(page)
    with pytest.raises(AuthorError, match=message) as caught:
        LanguageModelAuthor(ScriptedModel(), prompts=tmp_path).propose(task(), ())
    assert "\n" not in str(caught.value)


def test_code_with_braces_is_no_template():
    _, prompt = ask((attempt(1, failed(1).verdict, source="ModelNew = '{{ x }} {% y %}'\n"),))
    assert "ModelNew = '{{ x }} {% y %}'" in prompt
