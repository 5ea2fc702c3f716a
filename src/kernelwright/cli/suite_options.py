"""What ``suite run`` is told, checked before the first problem begins."""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kernelwright.cli.usage import fail, usage_errors

if TYPE_CHECKING:
    from kernelwright.suites.kernelbench import Found

SUITES = ("kernelbench",)


def suite(name: str) -> str:
    if name not in SUITES:
        fail(f"no suite {name!r}: there is {', '.join(SUITES)}")
    return name


def levels(text: str) -> list[int]:
    """``1,2,3``."""
    if not re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)*", text):
        fail(f"--levels {text!r} names no levels: write 1 or 1,2,3")
    return [int(part) for part in text.split(",")]


def numbers(text: str | None) -> tuple[int, int] | None:
    """``1-20`` or ``7``, both ends included."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", text)
    if match is None:
        fail(f"--range {text!r} is no range of numbers: write 1-20 or 7")
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        fail(f"--range {text!r} is empty: {last} comes before {first}")
    return first, last


def plan(path: str, in_levels: str, in_range: str | None, only: Sequence[str]) -> "list[Found]":
    from kernelwright.suites import kernelbench
    from kernelwright.suites.kernelbench import SuiteError

    chosen, within = levels(in_levels), numbers(in_range)
    with usage_errors(SuiteError):
        return kernelbench.find(Path(path).expanduser(), chosen, within, only)


def baselines(names: Sequence[str]) -> tuple[str, ...]:
    """Eager is always among them: everything else is measured against it."""
    from kernelwright.judge.settings import BASELINES

    for name in names:
        if name not in BASELINES:
            fail(f"no baseline {name!r}: there are {', '.join(BASELINES)}")
    return tuple(name for name in BASELINES if name == "eager" or name in names) if names else BASELINES


def against(names: Sequence[str]) -> tuple[str, ...]:
    """Nothing where nothing was named."""
    from kernelwright.judge.settings import BASELINES
    from kernelwright.suites.records import BEST

    for name in names:
        if name not in (*BASELINES, BEST):
            fail(f"nothing called {name!r} to score against: there are {', '.join((*BASELINES, BEST))}")
    return tuple(dict.fromkeys(names))


def time_limit(text: str | None) -> float | None:
    """Seconds, from ``9m``."""
    from kernelwright.schema import Budget

    if text is None:
        return None
    form = f"--time-limit {text!r} is no time: write 90s, 9m or 2h"
    try:
        limit = Budget.parse(text)
    except ValueError:
        fail(form)
    if limit.seconds is None or limit.attempts is not None or limit.dollars is not None:
        fail(form)
    return limit.seconds


def devices(platform: str, count: int) -> tuple[str | None, ...]:
    """The first ``count`` GPUs, as CUDA numbers them; for one, whatever is there."""
    if count == 1:
        return (None,)
    if platform != "cuda":
        fail("--devices spreads problems over NVIDIA GPUs: it needs --platform cuda")
    import torch

    there = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    if count > len(there):
        fail(f"--devices {count}: this machine shows {len(there)}")
    if len(set(there[:count])) > 1:
        fail(f"--devices {count}: they differ ({', '.join(there[:count])}), and results are of one kind of device")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(visible.split(",")[:count]) if visible else tuple(map(str, range(count)))


def command(name: str, given: dict[str, object]) -> str:
    """The command as it can be typed again: options that were given, in order."""
    words = ["kernelwright", "suite", "run", name]
    for option, value in given.items():
        if value is True:
            words.append(option)
        elif isinstance(value, (list, tuple)):
            words += [word for one in value for word in (option, str(one))]
        elif value is not None and value is not False:
            words += [option, str(value)]
    return shlex.join(words)
