"""The winner is never slower than the best baseline."""

from hypothesis import given
from hypothesis import strategies as st

from kernelwright.schema import (
    UNTIMED,
    Attempt,
    BaselineTiming,
    Candidate,
    Interval,
    MetalKernel,
    MetalWork,
    ModelledTime,
    Speedup,
    Status,
    Verdict,
)
from kernelwright.swarm.selection import beaten, best_against_eager, best_attempt, choose


def iv(low: float, median: float, high: float) -> Interval:
    return Interval(median=median, low=low, high=high)


def attempt(number: int, best: Interval | None, *, author: str = "a", status: Status = Status.CORRECT) -> Attempt:
    eager = None if best is None else iv(best.low * 2, best.median * 2, best.high * 2)
    return Attempt(
        run="r",
        number=number,
        author=author,
        candidate=Candidate(source=str(number), author=author),
        verdict=Verdict(status=status, speedup=Speedup(eager=eager, best_baseline=best, best_baseline_name="compile")),
        created="now",
    )


EAGER = BaselineTiming(name="eager", ms=iv(1.9, 2.0, 2.1))
COMPILE = BaselineTiming(name="compile", ms=iv(0.9, 1.0, 1.1))
TUNED = BaselineTiming(name="compile-max-autotune", failure="no GPU")
ONNX = BaselineTiming(name="onnxruntime", ms=iv(0.7, 0.8, 0.9))


def test_the_highest_median_wins() -> None:
    outcome = choose([attempt(1, iv(1.1, 1.2, 1.3)), attempt(2, iv(1.2, 1.5, 1.8))], (EAGER, COMPILE), ("x",))
    assert (outcome.winner, outcome.attempt, outcome.problem_labels) == ("attempt", 2, ("x",))
    assert outcome.speedup.best_baseline == iv(1.2, 1.5, 1.8)


def test_a_median_inside_the_noise_does_not_win() -> None:
    outcome = choose([attempt(1, iv(0.99, 5.0, 9.0))], (EAGER, COMPILE), ())
    assert (outcome.winner, outcome.attempt) == ("compile", None)


def test_fast_and_wrong_does_not_win() -> None:
    outcome = choose([attempt(1, iv(8, 9, 10), status=Status.MISMATCH)], (EAGER, COMPILE), ())
    assert outcome.winner == "compile"


def test_what_was_not_timed_does_not_win() -> None:
    assert choose([attempt(1, None)], (EAGER,), ()).winner == "eager"


def checked(number: int, ms: float, *, kernels: int = 1, status: Status = Status.CORRECT) -> Attempt:
    """An attempt that was checked on the Metal runtime."""
    kernel = MetalKernel(
        name="k", grid=(1, 1, 1), group=(1, 1, 1), launches=1, launches_watched=1, threadgroups=1,
        threadgroups_watched=1, threadgroup_memory=0, resident_threadgroups=1, buffers=(), threadgroup_read_bytes=0,
        threadgroup_written_bytes=0, barriers=0, simd_operations=0, atomics=0, flops=0, accesses=(),
    )  # fmt: skip
    work = MetalWork(
        note="checked, not timed", kernels=(kernel,) * kernels,
        device_bytes=1, distinct_device_bytes=1, flops=0, arithmetic_intensity=0.0,
        modelled=(ModelledTime(gpu="g", ms=ms, bound="bandwidth"),),
    )  # fmt: skip
    timeless = attempt(number, None)
    return timeless.model_copy(update={"verdict": Verdict(status=status, metal=work)})


def test_where_nothing_is_timed_the_least_work_is_named_and_nobody_wins() -> None:
    tried = [checked(1, 3.0), checked(2, 2.0), checked(3, 1.0, kernels=0), checked(4, 0.5, status=Status.MISMATCH)]
    outcome = choose(tried, (), ("label",))
    assert (outcome.winner, outcome.attempt, outcome.problem_labels) == (UNTIMED, 2, ("label",))
    assert choose([checked(1, 1.0, kernels=0)], (), ()).winner == "eager"
    assert choose(tried, (EAGER,), ()).winner == "eager"


def test_compile_stays_and_its_file_is_named() -> None:
    tried = [attempt(1, iv(0.9, 0.98, 1.05), author="inductor"), attempt(2, iv(0.97, 0.99, 1.01), author="inductor")]
    outcome = choose(tried, (EAGER, COMPILE, TUNED), ())
    assert (outcome.winner, outcome.attempt) == ("compile", 2)
    assert outcome.speedup == tried[1].verdict.speedup


def test_a_file_that_was_measured_slower_is_not_the_baseline() -> None:
    slower = [attempt(1, iv(0.6, 0.7, 0.8), author="inductor"), attempt(2, iv(0.99, 1.0, 1.01), author="other")]
    outcome = choose(slower, (EAGER, COMPILE), ())
    assert (outcome.winner, outcome.attempt) == ("compile", None)


def test_no_file_stands_for_onnxruntime() -> None:
    outcome = choose([attempt(1, iv(0.99, 1.0, 1.01), author="inductor")], (EAGER, COMPILE, ONNX), ())
    assert (outcome.winner, outcome.attempt) == ("onnxruntime", None)


def test_a_baselines_own_standing_is_the_widest_interval_that_fits() -> None:
    outcome = choose([], (EAGER, COMPILE), ())
    assert outcome.speedup.eager == iv(1.9 / 1.1, 2.0, 2.1 / 0.9)
    assert outcome.speedup.best_baseline == iv(1.0, 1.0, 1.0)
    assert choose([], (EAGER,), ()).speedup.eager == iv(1.0, 1.0, 1.0)


def test_a_baseline_is_beaten_by_one_that_could_be_a_file() -> None:
    tuned = BaselineTiming(name="compile-max-autotune", ms=iv(1.0, 1.1, 1.2))
    assert beaten((EAGER, COMPILE, tuned), ()) == {"eager", "compile-max-autotune"}
    assert beaten((EAGER, COMPILE, TUNED, ONNX), ()) == {"eager"}
    slow = BaselineTiming(name="compile", ms=iv(2.9, 3.0, 3.1))
    assert beaten((EAGER, slow), ()) == {"compile"}
    assert beaten((), ()) == frozenset()


def test_all_baselines_are_beaten_by_an_attempt_that_wins() -> None:
    assert beaten((EAGER, COMPILE, TUNED), [attempt(1, iv(0.99, 1.5, 1.8))]) == {"eager"}
    assert beaten((EAGER, COMPILE, TUNED), [attempt(1, iv(1.4, 1.5, 1.8))]) == {"eager", "compile"}


def test_no_baseline_at_all_leaves_eager() -> None:
    outcome = choose([], (TUNED,), ())
    assert (outcome.winner, outcome.speedup.eager) == ("eager", None)


def test_against_eager_alone() -> None:
    tried = [attempt(1, iv(0.4, 0.5, 0.6)), attempt(2, iv(0.7, 0.8, 0.9)), attempt(3, iv(0.1, 0.9, 1.0))]
    chosen = best_against_eager(tried)
    assert chosen is not None
    assert chosen.number == 2


intervals = st.tuples(*[st.floats(0.05, 20.0)] * 3).map(lambda t: iv(*sorted(t)))


@given(st.lists(st.tuples(intervals, st.sampled_from(Status), st.sampled_from(["inductor", "a"])), max_size=8))
def test_a_winner_is_always_beyond_noise(drawn: list[tuple[Interval, Status, str]]) -> None:
    attempts = [attempt(n, best, author=who, status=status) for n, (best, status, who) in enumerate(drawn, 1)]
    outcome = choose(attempts, (EAGER, COMPILE), ())
    best = best_attempt(attempts)
    assert (outcome.winner == "attempt") == (best is not None)
    if outcome.attempt is not None:
        chosen = attempts[outcome.attempt - 1].verdict
        assert chosen.ok
        assert chosen.speedup.best_baseline is not None
        assert chosen.speedup.best_baseline.high >= 1.0
    if best is not None:
        beaten = [a.verdict.speedup for a in attempts if a.verdict.ok and a.verdict.speedup.faster_than_best]
        assert all(s.best_baseline and s.best_baseline.median <= outcome.speedup.best_baseline.median for s in beaten)


def test_eager_stays_where_a_baseline_is_better_only_within_the_noise() -> None:
    close = BaselineTiming(name="compile", ms=iv(1.8, 1.95, 2.0))
    outcome = choose([], (EAGER, close, ONNX.model_copy(update={"ms": None, "failure": "not exported"})), ())
    assert outcome.winner == "eager"
    assert outcome.speedup.eager == iv(1.0, 1.0, 1.0)


def test_what_was_slower_than_eager_beside_it_does_not_win() -> None:
    lucky = attempt(1, iv(1.1, 1.2, 1.3))
    speedup = lucky.verdict.speedup.model_copy(update={"eager": iv(0.8, 0.9, 0.95), "eager_call": "slower"})
    beaten = lucky.model_copy(update={"verdict": lucky.verdict.model_copy(update={"speedup": speedup})})
    assert choose([beaten], (EAGER, COMPILE), ()).winner == "compile"


def test_a_compiled_file_that_was_slower_than_eager_is_not_offered() -> None:
    tried = attempt(1, iv(0.97, 0.99, 1.01), author="inductor")
    speedup = tried.verdict.speedup.model_copy(update={"eager": iv(0.7, 0.8, 0.9), "eager_call": "slower"})
    slower = tried.model_copy(update={"verdict": tried.verdict.model_copy(update={"speedup": speedup})})
    outcome = choose([slower], (EAGER, COMPILE), ())
    assert (outcome.winner, outcome.attempt) == ("compile", None)


def test_the_paired_ratio_decides_between_eager_and_a_baseline() -> None:
    """Intervals of times overlap where a machine drifts; what was measured side by side does not."""
    drifting = COMPILE.model_copy(update={"ms": iv(0.9, 1.0, 2.5), "vs_eager": iv(1.5, 1.9, 2.1)})
    outcome = choose([], (EAGER, drifting), ())
    assert outcome.winner == "compile"
    assert outcome.speedup.eager == iv(1.5, 1.9, 2.1)
    lucky = COMPILE.model_copy(update={"vs_eager": iv(0.8, 1.1, 1.3)})
    assert choose([], (EAGER, lucky), ()).winner == "eager"


def test_a_baseline_that_is_surely_faster_stays_before_one_that_may_be() -> None:
    maybe = BaselineTiming(name="compile", ms=iv(0.8, 1.0, 2.2), vs_eager=iv(0.6, 1.1, 2.0))
    surely = BaselineTiming(name="onnxruntime", ms=iv(1.0, 1.1, 1.2), vs_eager=iv(1.3, 1.5, 1.7))
    slower = BaselineTiming(name="compile-max-autotune", ms=iv(1.2, 1.3, 1.4), vs_eager=iv(1.1, 1.2, 1.3))
    assert choose([], (EAGER, maybe, surely, slower), ()).winner == "onnxruntime"
