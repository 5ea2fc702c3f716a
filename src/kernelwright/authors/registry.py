"""The registry of Authors. Other packages join through the entry point group ``kernelwright.authors``.

Built-in ones have a name, a person's file is ``file:PATH``, a language model ``PROVIDER:MODEL``, what somebody
left in a task's folder ``agent:NAME@DIR``, and what the Authors of a stored Run wrote ``replay:RUN``.

An entry point's value is ``module:factory``; the factory takes no argument and returns an ``Author``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from kernelwright.authors.author import Author, AuthorError, Proposal, Task, waits
from kernelwright.schema import Attempt, Candidate, Target

ENTRY_POINT_GROUP = "kernelwright.authors"
FILE_PREFIX = "file:"
REPLAY_PREFIX = "replay:"
AGENT_PREFIX = "agent:"
NAMED_BY_FORM = ("agent:NAME@DIR", "file:PATH", "replay:RUN", "PROVIDER:MODEL (such as anthropic:claude-sonnet-4)")
"""How Authors are named that are too many to list."""

BUILT_IN: dict[str, str] = {
    "inductor": "kernelwright.authors.inductor:InductorAuthor",
    "rewriter": "kernelwright.authors.rewriter.author:RewriterAuthor",
    "rewriter+inductor": "kernelwright.authors.rewriter.author:CompiledRewriterAuthor",
    "templates": "kernelwright.authors.templates.author:alone",
    "rewriter+templates": "kernelwright.authors.templates.author:after_rewriter",
    "rewriter+templates+inductor": "kernelwright.authors.templates.author:inside_inductor",
    "inductor-metal": "kernelwright.authors.inductor_metal.author:InductorMetalAuthor",
}


CHEAPEST_FIRST = ("rewriter", "inductor", "rewriter+inductor")
"""The order in which the built-in Authors are asked: a small budget should see algebra before compilers."""
ON_CUDA = ("rewriter+templates", "rewriter+templates+inductor", "rewriter", "inductor", "rewriter+inductor")
"""The order there. Templates win most often, so they are asked first: by the records of 50 problems of KernelBench on
an H200, six attempts in this order would have lost 0.2 % against the eight that were made, by cost 1.3 %."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """An Author of another package: passed through, but never trusted, whatever it says of itself."""

    name: str
    author: Author
    trusted: bool = False

    @property
    def targets(self) -> frozenset[Target]:
        return frozenset(self.author.targets)

    @property
    def waits(self) -> bool:
        return waits(self.author)

    def propose(self, task: Task, history: Sequence[Attempt]) -> Candidate | Proposal | None:
        """The Author's own proposal, signed with the name it is registered under. Its errors become ``AuthorError``."""
        try:
            proposal = self.author.propose(task, history)
        except AuthorError:
            raise
        except Exception as error:
            raise AuthorError(f"{self.name}: {type(error).__name__}: {error}") from error
        if isinstance(proposal, Proposal):
            return replace(proposal, candidate=self._signed(proposal.candidate))
        return self._signed(proposal)

    def _signed(self, candidate: object) -> Candidate | None:
        if candidate is not None and not isinstance(candidate, Candidate):
            raise AuthorError(f"{self.name}: propose returned {type(candidate).__name__}, not a Candidate")
        return None if candidate is None else candidate.model_copy(update={"author": self.name})


def get(name: str) -> Author:
    """The Author of that name: a built-in one, ``file:PATH``, one that another package registered, or a language model.

    Raises ``LookupError`` with one line that lists what there is; for a model, which providers there are.
    """
    if name.startswith(FILE_PREFIX) and len(name) > len(FILE_PREFIX):
        from kernelwright.authors.file import FileAuthor

        return FileAuthor(name.removeprefix(FILE_PREFIX))
    if name.startswith(AGENT_PREFIX):
        from kernelwright.authors.folder import submitted

        return submitted(name)
    if name.startswith(REPLAY_PREFIX):
        from kernelwright.authors.replay import replayed

        return replayed(name)
    if name in BUILT_IN:
        module, _, factory = BUILT_IN[name].partition(":")
        return getattr(import_module(module), factory)()
    for point in _registered():
        if point.name == name:
            return _load(point)
    provider, _, model = name.partition(":")
    if provider and model:
        from kernelwright import models
        from kernelwright.authors.language_model import LanguageModelAuthor

        return LanguageModelAuthor(models.get(name))
    raise LookupError(f"no author {name!r}; there is {', '.join((*names(), *NAMED_BY_FORM))}")


def names() -> tuple[str, ...]:
    """Names of the built-in Authors, then of those that other packages registered; see also ``NAMED_BY_FORM``."""
    return (*BUILT_IN, *(point.name for point in _registered()))


def default_names(target: Target | None, platform: str = "cpu") -> tuple[str, ...]:
    """Who is asked when nobody was named: the built-in Authors for plain PyTorch, else whoever writes that Target.

    Where no language was asked for and the platform is ``cuda``, those that write Triton join in.
    """
    if target is None and platform == "cuda":
        return ON_CUDA
    if target in (None, Target.TORCH):
        return CHEAPEST_FIRST
    built_in = (name for name in BUILT_IN if target in get(name).targets)
    return (*built_in, *(point.name for point in _registered() if target in _targets(point)))


def _registered() -> tuple[EntryPoint, ...]:
    """Entry points by name; a built-in name cannot be taken over, and the first of two equal names stands."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name not in BUILT_IN and not point.name.startswith(FILE_PREFIX):
            found.setdefault(point.name, point)
    return tuple(found[name] for name in sorted(found))


def _load(point: EntryPoint) -> Foreign:
    try:
        factory: Callable[[], Author] = point.load()
        author = factory()
    except Exception as error:  # a stranger's package may fail in any way
        raise LookupError(f"author {point.name!r} ({point.value}) does not load: {error}") from error
    if not isinstance(author, Author):
        raise LookupError(
            f"author {point.name!r} ({point.value}) is no Author: it needs name, trusted, targets, propose"
        )
    return Foreign(point.name, author)


def _targets(point: EntryPoint) -> frozenset[Target]:
    try:
        return _load(point).targets
    except LookupError:
        return frozenset()  # named in full by get(); a broken package must not break the default
