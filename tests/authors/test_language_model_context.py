"""What can be switched off in a prompt: it is there exactly if the Proposal says so."""

from itertools import chain, combinations

import pytest
from model_author_kit import ScriptedModel, attempt, counted, failed, proposed, task, text_of, timed

from kernelwright.authors.language_model import LanguageModelAuthor
from kernelwright.authors.language_model import pieces as bounds
from kernelwright.schema import Advice, Bottleneck, ContextPiece, Profile, Recommendation, Target, Text

REFERENCE = Text(name="scaled.cu", text="__global__ void scaled_rows() {}")
DOCS = (Text(name="warps.md", text="A warp has 32 threads."), Text(name="empty.md", text=" \n"))
PEER = timed(30, 4.0).model_copy(update={"author": "rival:model"})
ADVICE = Advice(
    about=3,
    analyst="rules",
    profile=Profile(tool="torch.profiler", platform="cpu", wall_ms=5.0),
    recommendation=Recommendation(
        bottleneck=Bottleneck.MEMORY, change="Keep the row in registers.", expected_gain=1.5, confidence=0.7
    ),
)
MARKS = {
    ContextPiece.REFERENCE: "__global__ void scaled_rows() {}",
    ContextPiece.DOCS: "A warp has 32 threads.",
    ContextPiece.PEERS: "## rival:model: It takes 2.50",
    ContextPiece.PROFILE: "Keep the row in registers.",
}
HISTORY = (failed(1), timed(3, 2.0))


def ask(history=HISTORY, **fields):
    given = {
        "reference": REFERENCE,
        "docs": DOCS,
        "peers": (PEER,),
        "advice": ADVICE,
        "context": frozenset(ContextPiece),
    }
    model = ScriptedModel()
    proposal = proposed(LanguageModelAuthor(model).propose(task(**(given | fields)), history))
    return proposal, text_of(model.prompts[0])


subsets = list(chain.from_iterable(combinations(ContextPiece, n) for n in range(5)))


@pytest.mark.parametrize("allowed", subsets, ids=lambda pieces: "+".join(pieces) or "nothing")
def test_a_piece_is_shown_if_it_is_allowed(allowed: tuple[ContextPiece, ...]):
    proposal, prompt = ask(context=frozenset(allowed))
    assert proposal.context == set(allowed)
    assert {piece for piece, mark in MARKS.items() if mark in prompt} == set(allowed)


@pytest.mark.parametrize(
    ("piece", "empty"),
    [
        (ContextPiece.REFERENCE, {"reference": None}),
        (ContextPiece.REFERENCE, {"reference": Text(name="r.cu", text="\n")}),
        (ContextPiece.DOCS, {"docs": ()}),
        (ContextPiece.DOCS, {"docs": DOCS[1:]}),
        (ContextPiece.PEERS, {"peers": ()}),
        (ContextPiece.PROFILE, {"advice": None}),
        (ContextPiece.PROFILE, {"advice": Advice(about=3, analyst="rules", failure="nothing was profiled")}),
        (ContextPiece.PROFILE, {"advice": ADVICE.model_copy(update={"about": 1})}),  # of an attempt that failed
    ],
)
def test_a_piece_with_nothing_in_it_is_not_said_to_be_there(piece: ContextPiece, empty: dict):
    proposal, prompt = ask(**empty)
    assert proposal.context == frozenset(ContextPiece) - {piece}
    assert MARKS[piece] not in prompt


def test_before_anything_works_there_is_no_profile():
    proposal, prompt = ask(history=(failed(1),))
    assert proposal.context == frozenset(ContextPiece) - {ContextPiece.PROFILE}
    assert MARKS[ContextPiece.PEERS] in prompt
    assert "Profile of this candidate" not in prompt


def test_advice_decides_between_attempts_that_noise_does_not_tell_apart():
    history = (timed(2, 2.0), timed(3, 2.01, base=2))
    assert ask(history)[0].base == 3
    assert ask(history, advice=None)[0].base == 2
    slower = (timed(2, 2.0), timed(3, 1.5, base=2))
    proposal, _ = ask(slower)
    assert (proposal.base, ContextPiece.PROFILE in proposal.context) == (2, False)


def test_a_recommendation_takes_the_place_of_general_advice():
    assert "What usually pays here" not in ask()[1]
    assert "What usually pays here" in ask(advice=None)[1]


def test_long_pieces_are_cut_and_it_is_said():
    long = Text(name="long.metal", text="kernel line\n" * 10_000)
    docs = (Text(name="one.md", text="note\n" * 7000), long, Text(name="last.md", text="never seen"))
    proposal, prompt = ask(reference=long, docs=docs)
    assert proposal.context == frozenset(ContextPiece)
    assert prompt.count("more characters left out]") == 2
    assert "```metal\nkernel line" in prompt
    assert "Left out for their length: last.md." in prompt
    assert "never seen" not in prompt
    assert len(prompt) < 30_000 + bounds.REFERENCE_CHARACTERS + bounds.DOCS_CHARACTERS


def test_peers_are_few_and_correct_ones_of_metal_are_told_by_their_work():
    peers = tuple(counted(n, 1.0 + n).model_copy(update={"author": f"rival:{n}"}) for n in range(5))
    _, prompt = ask(history=(), peers=peers, target=Target.METAL)
    assert prompt.count("## rival:") == bounds.MOST_PEERS
    assert "## rival:0: It accesses 1 MiB of device memory (512 KiB distinct)" in prompt
    silent = attempt(9, peers[0].verdict.model_copy(update={"metal": None})).model_copy(update={"author": "rival:x"})
    assert "## rival:x: correct" in ask(history=(), peers=(silent,))[1]
