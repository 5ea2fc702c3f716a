"""Run ids: short, readable, and new."""

import re
import secrets
from datetime import datetime

_LONGEST_PROBLEM = 40


def run_id(problem: str, now: datetime) -> str:
    """``20261122-matmul-3f9a``: the day, the problem, four random hex digits (against runs of the same day)."""
    word = re.sub(r"[^a-z0-9]+", "-", problem.lower()).strip("-")[:_LONGEST_PROBLEM].rstrip("-") or "problem"
    return f"{now:%Y%m%d}-{word}-{secrets.token_hex(2)}"
