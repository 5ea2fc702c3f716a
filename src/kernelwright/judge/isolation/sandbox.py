"""Choosing a sandbox, and the case of none."""

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol

from kernelwright.schema import Isolation, IsolationLayer


class Support(NamedTuple):
    """One kind of isolation on this machine: for ``kernelwright doctor``."""

    name: str
    available: bool
    detail: str
    fix: str
    """The one command that brings it; empty where nothing can."""


class Sandbox(Protocol):
    """How to start the warm parent so that nothing in it can harm the machine."""

    kind: Isolation
    layers: tuple[IsolationLayer, ...]
    """What the sandbox itself brings; the cells inside add theirs."""
    namespaces: bool
    """Whether each candidate can get namespaces of its own inside; otherwise the sandbox serves one candidate only."""

    def command(
        self, argv: Sequence[str], environment: Mapping[str, str], *, gpu: bool, dies_with_parent: bool = False
    ) -> list[str]:
        """The command line that runs ``argv`` inside, with exactly this environment.

        ``dies_with_parent``: nothing in it outlives the thread that started it.
        """
        ...

    def scratch(self, fallback: Path) -> str:
        """The writable directory as the candidate sees it."""
        ...


class NoSandbox:
    """No isolation: only for candidates of built-in authors, or where the user said ``--unsafe``."""

    kind = Isolation.NONE
    layers: tuple[IsolationLayer, ...] = ()
    namespaces = False

    def command(
        self, argv: Sequence[str], environment: Mapping[str, str], *, gpu: bool, dies_with_parent: bool = False
    ) -> list[str]:
        del environment, gpu, dies_with_parent
        return list(argv)

    def scratch(self, fallback: Path) -> str:
        return str(fallback)


def cell_layers(*, namespaces: bool, seccomp: bool) -> tuple[IsolationLayer, ...]:
    """What each candidate's process gets besides, given what ``cell.tried`` found."""
    if sys.platform != "linux":
        return (IsolationLayer.RLIMITS,)
    always = (IsolationLayer.CAPABILITIES, IsolationLayer.RLIMITS, IsolationLayer.WATCHDOG)
    return (
        *([IsolationLayer.NAMESPACES] if namespaces else []),
        *([IsolationLayer.SECCOMP] if seccomp else []),
        *always,
    )


@cache
def choose() -> Sandbox:
    """The strongest isolation that works here, tried once."""
    from kernelwright.judge.isolation import bubblewrap, seatbelt

    if sys.platform == "linux" and bubblewrap.support().available:
        return bubblewrap.Bubblewrap()
    if sys.platform == "darwin" and seatbelt.support().available:
        return seatbelt.Seatbelt()
    return NoSandbox()


def describe() -> list[Support]:
    """Every kind of isolation that this operating system could have."""
    from kernelwright.judge.isolation import bubblewrap, seatbelt

    return [seatbelt.support()] if sys.platform == "darwin" else [bubblewrap.support()]
