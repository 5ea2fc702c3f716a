"""How numbers and states are written, everywhere the same."""

from collections.abc import Sequence

from rich.text import Text

from kernelwright.schema import Attempt, Budget, Call, Interval, Speedup, Status

BASELINE_NAMES = {
    "eager": "eager",
    "compile": "torch.compile",
    "compile-max-autotune": "torch.compile max-autotune",
    "onnxruntime": "ONNX Runtime",
}


def baseline_name(name: str | None) -> str:
    return BASELINE_NAMES.get(name or "", name or "")


def times(interval: Interval | None, call: Call | None = None) -> Text:
    """``1.52× (1.48–1.56)``: green for what was called faster, red for slower; without a call, by the interval."""
    if interval is None:
        return Text("–", style="dim")
    call = call or ("faster" if interval.low > 1.0 else "slower" if interval.high < 1.0 else "same")
    text = Text(f"{_ratio(interval.median)}×", style={"faster": "bold green", "slower": "red", "same": ""}[call])
    return text.append(f" ({_ratio(interval.low)}–{_ratio(interval.high)})", style="dim")


def vs_eager(speedup: Speedup) -> Text:
    return times(speedup.eager, speedup.eager_call)


def vs_best(speedup: Speedup) -> Text:
    return times(speedup.best_baseline, speedup.best_baseline_call)


def times_plain(interval: Interval | None) -> str:
    return "–" if interval is None else f"{_ratio(interval.median)}× ({_ratio(interval.low)}–{_ratio(interval.high)})"


def milliseconds(interval: Interval | None) -> str:
    return "–" if interval is None else f"{_three(interval.median)} ms"


def status(value: Status, rule: str | None = None) -> Text:
    text = Text(value.value, style="green" if value is Status.CORRECT else "yellow" if value in _OWN_FAULT else "red")
    return text.append(f" {rule}", style="dim") if rule else text


def seconds(value: float) -> str:
    """``63 ms``, ``8.4 s``, ``2:05``, ``1:02:05``."""
    if value < 1:
        return f"{1e3 * value:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def spent(budget: Budget, elapsed: float, attempts: int) -> str:
    """``1:05 of 5:00 · 3 of 20 attempts``."""
    time = seconds(elapsed) + (f" of {seconds(budget.seconds)}" if budget.seconds is not None else "")
    number = str(attempts) + (f" of {budget.attempts}" if budget.attempts is not None else "")
    return f"{time} · {number} attempt{'s' if number != '1' else ''}"


def cost(dollars: float | None) -> str:
    """``$0.0123``; ``cost unknown`` where a model has no published price."""
    return "cost unknown" if dollars is None else f"${dollars:.4f}" if dollars < 1 else f"${dollars:.2f}"


def spent_on_models(budget: Budget, attempts: Sequence[Attempt]) -> str:
    """`` · $0.12 of $2.00``, empty where no model was asked."""
    calls = [attempt for attempt in attempts if attempt.exchanges]
    if not calls:
        return ""
    unknown = sum(attempt.cost_usd is None for attempt in calls)
    text = f" · {cost(sum(attempt.cost_usd or 0.0 for attempt in calls))}"
    text += f" of {cost(budget.dollars)}" if budget.dollars is not None else ""
    return text + (f" and {unknown} of unknown cost" if unknown else "")


def versus(speedup: Speedup) -> str:
    return f"vs {baseline_name(speedup.best_baseline_name) or 'best baseline'}"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def scientific(value: float) -> str:
    return f"{value:.2e}" if value else "0"


_OWN_FAULT = frozenset({Status.GENERATION_FAILED, Status.COMPILE_FAILED, Status.RUNTIME_FAILED, Status.MISMATCH})


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _three(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
