"""What was said between an author and its model."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.rule import Rule
from rich.text import Text

from kernelwright.report import words
from kernelwright.schema import Exchange, Usage


def tokens(usage: Usage) -> str:
    """``1234 tokens in, 567 out``; what a provider does not count is unknown."""
    if usage.input_tokens is None and usage.output_tokens is None:
        return "tokens unknown"
    return f"{usage.input_tokens or 0} tokens in, {usage.output_tokens or 0} out"


def transcript_view(exchanges: Sequence[Exchange]) -> RenderableType:
    """Each call in full: what the model was shown, and what it answered."""
    parts: list[RenderableType] = []
    for exchange in exchanges:
        facts = [exchange.status.value, exchange.detail, tokens(exchange.usage), words.cost(exchange.cost_usd)]
        facts += [words.seconds(exchange.seconds), f"{exchange.requests} requests" if exchange.requests > 1 else ""]
        parts.append(Rule(escape(f"{exchange.model} · {exchange.key}"), style="bold"))
        parts.append(Text(" · ".join(filter(None, facts)), style="dim"))
        said = [("system", exchange.prompt.system), *((m.role, m.text) for m in exchange.prompt.messages)]
        for role, text in [*said, ("answer", exchange.answer)]:
            parts += [Rule(role, align="left", style="dim"), Text(text)]
    return Group(*parts)
