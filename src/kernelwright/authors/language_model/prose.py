"""A title and an explanation for the Candidate, out of what its author said beside the code. Imports no torch."""

import ast
import re

TITLE_CHARACTERS = 80
EXPLANATION_CHARACTERS = 600

_MARKUP = re.compile(
    r"^\s*(?:#{1,6}\s+|[-*+]\s+|\d+[.)]\s+|>\s*)|(?<!\w)[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}(?!\w)", re.MULTILINE
)
_SENTENCE = re.compile(r"(.+?[.!?:])(?:\s|$)", re.DOTALL)
_LEAD_IN = re.compile(
    r"^(?:sure|certainly|of course|okay|ok|great|here(?:'s| is| are)\b.*|below\b.*"
    r"|the (?:complete|full|corrected|code)\b.*"
    r"|let me\b.*|i(?:'ll| will| have|'ve)\b.*|title|explanation|answer|solution|approach)[\s,!.:]*$",
    re.IGNORECASE | re.DOTALL,
)
"""Sentences that say nothing of the change."""


def title_and_explanation(prose: str, source: str) -> tuple[str, str]:
    """The first sentence that says something, and the first paragraphs. Where there is none, the file's docstring."""
    documented = _plain(_docstring(source))
    said = _plain(prose) or documented
    title = _first_sentence(said) or _first_sentence(documented)
    return _cut(title, TITLE_CHARACTERS), _cut(said, EXPLANATION_CHARACTERS)


def _first_sentence(text: str) -> str:
    """The first one that says something, on one line; all of a text that ends no sentence."""
    sentences = [found[1].strip() for found in _SENTENCE.finditer(text + "\n")] or [text]
    telling = next((sentence for sentence in sentences if not _LEAD_IN.match(sentence)), "")
    return " ".join(telling.split()).rstrip(".:")


def _plain(text: str) -> str:
    """Without Markdown's marks and tags, paragraphs apart."""
    text = re.sub(r"</?[A-Za-z][\w-]*>", "", _MARKUP.sub("", text))
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    return "\n\n".join(part for part in paragraphs if part)


def _docstring(source: str) -> str:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    models = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "ModelNew"]
    said = ast.get_docstring(tree) or next((ast.get_docstring(model) for model in models), None)
    return said or ""


def _cut(text: str, characters: int) -> str:
    """Cut at a word, with an ellipsis."""
    if len(text) <= characters:
        return text
    kept = text[: characters - 1]
    return (kept.rpartition(" ")[0] or kept).rstrip(" ,;:") + "…"
