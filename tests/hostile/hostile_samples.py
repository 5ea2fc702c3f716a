"""The samples of this folder and what their headers say.

A sample is one candidate file. Its docstring ends with lines ``key: value``:

``problem``   the problem of ``problems/`` it answers (needed)
``expect``    verdict states the judge may give, joined by ``|``; ``no_gain`` stands for a verdict ``correct`` that does
              not call the candidate faster (only with ``timing: yes``). What is no lie about numbers or time may be
              ``correct``: ``labelled`` with all of ``labels``, ``remarked`` on in a warning, or knowingly not stopped
``labels``    what the verdict must be labelled with, joined by ``|``
``passes``    how it fares without a judge on the problem's own draw: ``exact`` or ``1e-2``
``timing``    ``yes`` where only timed calls can show what it does
``limit``     time limit of its judgement in seconds
``feedback``  words that the verdict's feedback must contain
``target``    the candidate's target, ``torch`` unless told
``platform``  the only platform it makes sense on
``machine``   the only machine it was made for, as ``platform.machine()`` names it
``slow``      ``yes`` where it compiles C++ through torch
"""

import ast
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
KEYS = ("problem", "expect", "labels", "passes", "timing", "limit", "feedback", "target", "platform", "machine", "slow")


@dataclass(frozen=True)
class Sample:
    """One candidate file of this folder. ``expect`` is empty for honest ones."""

    path: Path
    problem: str
    expect: frozenset[str] = frozenset()
    passes: str = ""
    timing: bool = False
    limit: float | None = None
    feedback: str = ""
    target: str = "torch"
    platform: str | None = None
    machine: str | None = None
    labels: frozenset[str] = frozenset()
    slow: bool = False

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def source(self) -> str:
        return self.path.read_text()

    @property
    def may_be_correct(self) -> bool:
        """Whether a verdict ``correct`` is what should come of it."""
        return bool(self.expect & {"correct", "labelled", "remarked"})

    @property
    def problem_path(self) -> Path:
        return HERE / "problems" / f"{self.problem}.py"


def header(path: Path) -> dict[str, str]:
    """The ``key: value`` lines of a sample's docstring, read without parsing the code: some samples do not parse."""
    text = path.read_text()
    docstring = ast.literal_eval(text[: text.index('"""', 3) + 3])
    pairs = (line.partition(":") for line in docstring.splitlines())
    return {key: value.strip() for key, colon, value in pairs if colon and key in KEYS}


def read(path: Path) -> Sample:
    """The sample in one file; ``KeyError`` when its header names no problem."""
    words = header(path)
    return Sample(
        path=path,
        problem=words["problem"],
        expect=frozenset(filter(None, words.get("expect", "").split("|"))),
        passes=words.get("passes", ""),
        timing=words.get("timing") == "yes",
        limit=float(words["limit"]) if "limit" in words else None,
        feedback=words.get("feedback", ""),
        target=words.get("target", "torch"),
        platform=words.get("platform"),
        machine=words.get("machine"),
        labels=frozenset(filter(None, words.get("labels", "").split("|"))),
        slow=words.get("slow") == "yes",
    )


def hostile() -> list[Sample]:
    """Every hostile candidate, those of one problem together so that they share a session."""
    return sorted((read(p) for p in (HERE / "candidates").glob("*.py")), key=lambda s: (s.problem, s.name))


def honest() -> list[Sample]:
    """Every honest candidate, those of one problem together."""
    return sorted((read(p) for p in (HERE / "honest").glob("*.py")), key=lambda s: (s.problem, s.name))
