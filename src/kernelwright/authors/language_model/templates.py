"""Prompts as Markdown templates: one folder a target, and ``common`` for what all targets share. Imports no torch.

``NAME.md`` is looked for in the target's folder, then in ``common``; before both of the package's, in the same two
folders of ``$KERNELWRIGHT_HOME/prompts``, where a user puts the pages that should read differently.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernelwright.authors.author import AuthorError
from kernelwright.authors.language_model import figures
from kernelwright.home import home
from kernelwright.schema import Target

if TYPE_CHECKING:
    from jinja2 import Environment

PROMPTS = Path(__file__).parent / "prompts"
COMMON = "common"


class Templates:
    """The templates of one target. ``own``: a folder whose pages come before the package's."""

    def __init__(self, target: Target, own: Path | None = None) -> None:
        self.target = target
        self._environment = _environment(target, own or home() / "prompts")

    def render(self, name: str, values: Mapping[str, Any]) -> str:
        """The page ``name`` with its values, without white space around it. In it ``page("rules")`` is another one.

        Raises ``AuthorError`` with one line (page, line, what is wrong): a user's page may hold anything.
        """
        import jinja2

        try:
            return self._page(name, values)
        except jinja2.TemplateSyntaxError as error:
            raise AuthorError(f"prompt {error.filename or name}, line {error.lineno}: {error.message}") from error
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise AuthorError(f"prompt {name}.md of target {self.target.value}: {error}") from error

    def _page(self, name: str, values: Mapping[str, Any]) -> str:
        def page(other: str) -> str:
            return self._page(other, values)

        return self._environment.get_template(f"{name}.md").render(values, page=page).strip()


def worked_example(target: Target) -> tuple[str, str]:
    """A small problem and a candidate for it that the judge called correct: the texts of two files."""
    folder = PROMPTS / target.value
    problem, candidate = folder / "example_problem.py", folder / "example_candidate.py"
    return problem.read_text(encoding="utf-8").strip(), candidate.read_text(encoding="utf-8").strip()


@lru_cache(maxsize=32)
def _environment(target: Target, own: Path) -> "Environment":
    import jinja2

    folders = [root / folder for root in (own, PROMPTS) for folder in (target.value, COMMON)]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([str(folder) for folder in folders]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown for a model, not HTML; values are never templates themselves
    )
    filters: dict[str, Callable[..., str]] = {
        "bytes": figures.size, "ms": figures.milliseconds, "interval": figures.interval, "count": figures.count,
        "percent": figures.percent, "three": figures.three, "fence": figures.fence,
    }  # fmt: skip
    environment.filters.update(filters)
    return environment
