"""How good the analysts' predictions were, as a table."""

import math
from collections.abc import Sequence

from rich.table import Table

from kernelwright.analysis.score import Score
from kernelwright.schema import Interval


def scores_table(scores: Sequence[Score]) -> Table:
    """One row an analyst. Brier: 0 is perfect, below the rate's own it knows something; factors: 1 is right."""
    table = Table(box=None, pad_edge=False)
    for name in ("analyst", "predictions", "faster", "Brier", "of the rate", "gain off by", "promised / came"):
        table.add_column(name)
    for score in scores:
        table.add_row(
            score.analyst,
            str(score.predictions),
            str(score.faster),
            _shown(score.brier),
            f"{score.brier_of_rate:.3f}",
            _factor(score.log_error),
            _factor(score.log_bias),
        )
    return table


def _shown(interval: Interval) -> str:
    return f"{interval.median:.3f} ({interval.low:.3f}–{interval.high:.3f})"


def _factor(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    middle, low, high = (math.exp(value) for value in (interval.median, interval.low, interval.high))
    return f"{middle:.2f}× ({low:.2f}–{high:.2f})"
