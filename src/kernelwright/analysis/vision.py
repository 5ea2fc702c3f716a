"""The analyst that is a language model: pictures and figures in, one recommendation out.

A model that sees no pictures is shown the figures alone.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from kernelwright.analysis.analyst import Subject
from kernelwright.analysis.figures import describe
from kernelwright.models import Journal, LanguageModel, asked
from kernelwright.schema import Advice, Bottleneck, Message, Prompt, Recommendation

MOST_PICTURES = 6
MOST_GAIN = 1000.0
MOST_TEXT = 2_000
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class UnusableAnswerError(ValueError):
    """An answer that holds no recommendation. One line."""


@dataclass(frozen=True)
class VisionAnalyst:
    """Asks one model, once for each attempt: the answer is kept under the subject's key."""

    model: LanguageModel

    @property
    def name(self) -> str:
        return self.model.name

    def advise(self, subject: Subject, journal: Journal) -> Advice:
        about = Advice(
            about=subject.attempt.number, analyst=self.name, profile=subject.profile, exchanges=(subject.key,)
        )
        exchange = asked(self.model, prompt_for(subject, self.model.sees_pictures), subject.key, journal)
        if not exchange.ok:
            reason = f"{self.name}: {exchange.status}" + (f": {exchange.detail}" if exchange.detail else "")
            return about.model_copy(update={"failure": " ".join(reason.split())})
        try:
            return about.model_copy(update={"recommendation": read_answer(exchange.answer)})
        except UnusableAnswerError as error:
            return about.model_copy(update={"failure": f"{self.name}: {error}"})


def prompt_for(subject: Subject, sees_pictures: bool) -> Prompt:
    """The instructions as system prompt; figures and pictures as one message."""
    pictures = subject.profile.pictures[:MOST_PICTURES] if sees_pictures else ()
    text = describe(subject)
    if pictures:
        shown = "\n".join(f"{n}. {picture.name}: {picture.caption}" for n, picture in enumerate(pictures, 1))
        text = f"{text}\n\nThe pictures, in this order:\n{shown}"
    return Prompt(system=_instructions(), messages=(Message(role="user", text=text, pictures=pictures),))


@cache
def _instructions() -> str:
    template = Path(__file__).with_name("vision.md").read_text(encoding="utf-8")
    return Template(template).substitute(bottlenecks=", ".join(Bottleneck))


def read_answer(answer: str) -> Recommendation:
    """The last JSON object in the answer that names a change, whatever stands around it.

    A gain of ``"1.4x"`` or ``"40 %"`` (faster) and a confidence of ``"70 %"`` are understood; values outside of their
    range become the nearest inside. Raises ``UnusableAnswerError``.
    """
    objects = [found for found in _objects(answer) if "change" in found]
    if not objects:
        raise UnusableAnswerError("the answer holds no JSON object with a change")
    found = objects[-1]
    change = _text(found.get("change"))
    if not change:
        raise UnusableAnswerError("the answer recommends no change")
    return Recommendation(
        bottleneck=_bottleneck(found.get("bottleneck")),
        change=change,
        expected_gain=min(max(_gain(found.get("expected_gain")), 1.0), MOST_GAIN),
        confidence=min(max(_probability(found.get("confidence")), 0.0), 1.0),
        evidence=_text(found.get("evidence")),
    )


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object that begins somewhere in the text and is not part of another."""
    decoder = json.JSONDecoder(strict=False)  # models write line breaks into strings
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if isinstance(value, dict):
                yield value
        at = text.find("{", end)


def _text(value: Any) -> str:
    lines = [str(part) for part in value] if isinstance(value, list) else [value] if isinstance(value, str) else []
    return " ".join(" ".join(lines).split())[:MOST_TEXT]


def _bottleneck(value: Any) -> Bottleneck:
    words = re.sub(r"[^a-z]+", "_", str(value).lower()).strip("_")
    return next((kind for kind in Bottleneck if kind.value == words), Bottleneck.UNKNOWN)


def _gain(value: Any) -> float:
    """A factor, or a percentage by which it becomes faster."""
    number, percent = _number(value, "expected_gain")
    return 1.0 + number / 100 if percent else number


def _probability(value: Any) -> float:
    number, percent = _number(value, "confidence")
    return number / 100 if percent or 1.0 < number <= 100.0 else number


def _number(value: Any, what: str) -> tuple[float, bool]:
    """A number, and whether it is a percentage. Raises ``UnusableAnswerError``."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value), False
    text = value if isinstance(value, str) else ""
    match = _NUMBER.search(text)
    if match is None:
        raise UnusableAnswerError(f"the answer's {what} is no number")
    return float(match.group()), "%" in text
