"""Who is asked next: turns, Thompson sampling, and what ends a run early."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kernelwright.authors import Task
from kernelwright.schema import (
    Attempt,
    BaselineTiming,
    Budget,
    Candidate,
    Interval,
    Limits,
    Policy,
    Problem,
    Run,
    RunSettings,
    RunState,
    Speedup,
    Status,
    Target,
    Verdict,
)
from kernelwright.swarm.ledger import Ledger
from kernelwright.swarm.policies import policy_for
from kernelwright.swarm.policies.bandit import Bandit, rewards_of
from kernelwright.swarm.supervisor import why_end, why_not_begin


class Named:
    trusted = True
    targets = frozenset({Target.TORCH})

    def __init__(self, name: str, waits: bool = True) -> None:
        self.name, self.waits = name, waits

    def propose(self, task: Task, history: Sequence[Attempt]) -> None:
        return None


def attempt(number: int, author: str, speedup: float, seconds: float = 1.0, **verdict: Any) -> Attempt:
    ratio = Interval(median=speedup, low=0.99 * speedup, high=1.01 * speedup)
    return Attempt(
        run="r",
        number=number,
        author=author,
        candidate=Candidate(source=f"{number}", author=author),
        verdict=Verdict(status=Status.CORRECT, speedup=Speedup(eager=ratio, best_baseline=ratio), **verdict),
        created="",
        write_seconds=seconds,
    )


def ledger(authors: Sequence[Named], attempts: Sequence[Attempt] = (), **settings: Any) -> Ledger:
    chosen = RunSettings(problem=Problem(name="p", format="kernelbench"), **settings)
    run = Run(id="r", created="", state=RunState.RUNNING, settings=chosen)
    return Ledger(run, tuple(attempts), authors, lambda: 0.0)


def test_turns_go_round_and_those_that_wait_begin() -> None:
    authors = [Named("compiler", waits=False), Named("a"), Named("b")]
    book = ledger(authors)
    policy = policy_for(book.run.settings, 0)
    order: list[str] = []
    while (author := policy.choose(book, book.active, book.idle)) is not None:
        order.append(author.name)
        book.asked(author)
    assert order == ["a", "b", "compiler"]
    book.answered(authors[1])
    chosen = policy.choose(book, book.active, book.idle)
    assert chosen is authors[1]


def test_the_policies_that_show_peers() -> None:
    shown = {
        name: policy_for(RunSettings(problem=Problem(name="p", format="f"), policy=name), 0).shows_peers
        for name in Policy
    }
    assert shown == {Policy.INDEPENDENT: False, Policy.EXCHANGE: True, Policy.BANDIT: True}


def test_the_bandit_asks_everybody_once_and_then_whoever_gains() -> None:
    authors = [Named("gains"), Named("stands")]
    attempts = [attempt(1, "gains", 1.5), attempt(2, "stands", 1.0)]
    assert Bandit(random.Random(0)).choose(ledger(authors, attempts[:1]), authors, authors) is authors[1]
    for number in range(3, 9):
        attempts.append(attempt(number, "gains" if number % 2 else "stands", 1.5 * number if number % 2 else 1.0))
    book = ledger(authors, attempts)
    asked = Counter(Bandit(random.Random(seed)).choose(book, authors, authors).name for seed in range(200))  # type: ignore[union-attr]
    assert asked["gains"] > 140


def test_the_bandit_waits_for_the_author_that_it_drew() -> None:
    authors = [Named("busy"), Named("idle")]
    attempts = [attempt(1, "busy", 8.0), attempt(2, "idle", 1.0), attempt(3, "busy", 64.0), attempt(4, "idle", 1.0)]
    answers = {
        Bandit(random.Random(seed)).choose(ledger(authors, attempts), authors, authors[1:]) for seed in range(40)
    }
    assert None in answers


def test_a_cheap_gain_is_worth_more_than_a_dear_one() -> None:
    rewards = rewards_of([attempt(1, "dear", 2.0, seconds=100.0), attempt(2, "cheap", 4.0, seconds=1.0)])
    assert [author for author, _, _ in rewards] == ["dear", "cheap"]
    assert math.isclose(rewards[1][1], math.log(2.0))
    assert rewards[0][1] < 0.1 * rewards[1][1]
    assert rewards[0][2] < rewards[1][2] == 1.0


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(1e-3, 1e3), st.floats(0, 1e4)), max_size=30),
    st.integers(0, 99),
    st.sets(st.sampled_from("abc")),
)
def test_a_policy_names_an_idle_author_or_nobody(
    told: list[tuple[str, float, float]], seed: int, idle: set[str]
) -> None:
    authors = [Named(name) for name in "abc"]
    attempts = [attempt(n, name, speedup, seconds) for n, (name, speedup, seconds) in enumerate(told, start=1)]
    free = [author for author in authors if author.name in idle]
    for policy in Policy:
        book = ledger(authors, attempts, policy=policy, seed=seed)
        chosen = policy_for(book.run.settings, len(attempts)).choose(book, authors, free)
        assert chosen is None or chosen in free
        if policy is not Policy.BANDIT:
            assert (chosen is None) == (not free)


@given(st.integers(1, 12), st.integers(0, 12), st.integers(0, 6), st.floats(0.5, 20.0))
def test_what_may_be_asked_never_passes_the_budget(limit: int, made: int, under_way: int, dollars: float) -> None:
    authors = [Named(f"{n}") for n in range(under_way)]
    attempts = [
        attempt(n, "x", 1.0).model_copy(update={"cost_usd": 0.5, "exchanges": ("k",)}) for n in range(1, made + 1)
    ]
    book = ledger(authors, attempts, budget=Budget(attempts=limit, dollars=dollars))
    for author in authors:
        book.asked(author)
    if made + under_way:
        within = made + under_way < limit and 0.5 * made + (0.5 * under_way if made else 0.0) < dollars
        assert book.may_ask() == within
    else:
        assert book.may_ask()


@given(
    st.sampled_from(Policy), st.integers(1, 5), st.integers(0, 10), st.integers(1, 6), st.integers(0, 99), st.randoms()
)
def test_everybody_has_a_turn_and_no_more_is_asked_than_the_budget_allows(
    name: Policy, members: int, more: int, parallel: int, seed: int, chance: random.Random
) -> None:
    """Whoever answers first, and however well."""
    authors = [Named(f"{n}") for n in range(members)]
    limit = members + more
    book = ledger(authors, policy=name, seed=seed, parallel=parallel, budget=Budget(attempts=limit))
    while True:
        while len(book.writing) < parallel and book.may_ask():
            chosen = policy_for(book.run.settings, len(book.attempts)).choose(book, book.active, book.idle)
            if chosen is None:
                break
            assert chosen not in book.writing
            book.asked(chosen)
            assert len(book.attempts) + len(book.writing) <= limit
        if not book.writing:
            break
        author = chance.choice(book.writing)
        book.answered(author)
        book.add(attempt(book.next_number, author.name, chance.uniform(0.5, 4.0), chance.uniform(0.1, 10.0)))
    assert len(book.attempts) == limit
    assert {made.author for made in book.attempts} == {author.name for author in authors}


def test_a_run_need_not_begin_where_little_is_to_be_gained() -> None:
    def baseline(name: str, ms: float, share: float | None) -> BaselineTiming:
        limits = Limits(bytes_moved=1, flops=1, byte_floor_ms=1.0, work_floor_ms=0.5, certain_share=share)
        return BaselineTiming(name=name, ms=Interval(median=ms, low=ms, high=ms), limits=limits)

    fast, slow = baseline("compile", 1.0, 0.93), baseline("eager", 2.0, 0.47)
    assert why_not_begin((slow, fast)) == "compile is at 93% of what memory allows any program"
    assert why_not_begin((baseline("eager", 1.0, 0.8), baseline("compile", 2.0, 0.93))) is None
    assert why_not_begin((baseline("eager", 1.0, None),)) is None
    assert why_not_begin((BaselineTiming(name="eager", failure="broken"),)) is None


def test_a_run_ends_where_the_hardware_ends() -> None:
    def reaching(share: float, less_work: bool = False) -> Attempt:
        limits = Limits(
            bytes_moved=1, flops=1, byte_floor_ms=1.0, work_floor_ms=0.5, byte_share=share,
            work_share=3.0 if less_work else 0.2, less_work=less_work,
        )  # fmt: skip
        return attempt(1, "a", 2.0, limits=limits)

    assert why_end(ledger([Named("a")], [reaching(0.97)])) == "attempt 1 reached 97% of the hardware's limit"
    assert why_end(ledger([Named("a")], [reaching(0.9)])) is None
    assert why_end(ledger([Named("a")], [reaching(0.5, less_work=True)])) is None
    assert why_end(ledger([Named("a")], [])) is None
