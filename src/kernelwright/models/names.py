"""How models are named: ``PROVIDER:MODEL``, and ``openai-compatible:MODEL@URL`` for any other server."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from kernelwright.models.providers import COMPATIBLE, PROVIDERS, Provider

FORMS = "PROVIDER:MODEL with one of the providers " + ", ".join(PROVIDERS) + "; or openai-compatible:MODEL@URL"


@dataclass(frozen=True, slots=True)
class ModelName:
    """A name, read."""

    provider: Provider
    model: str
    url: str
    """Where the provider's API is, without a slash at the end; empty: where its library looks."""

    def __str__(self) -> str:
        return f"{self.provider.name}:{self.model}" + (f"@{self.url}" if self.provider is COMPATIBLE else "")


def is_model_name(text: str) -> bool:
    """Whether the text begins as the name of a model does."""
    return text.partition(":")[0] in PROVIDERS and ":" in text


def parse(text: str) -> ModelName:
    """Raises ``LookupError`` with one line for what is no name of a model."""
    prefix, _, rest = text.partition(":")
    provider = PROVIDERS.get(prefix)
    if provider is None or not rest:
        raise LookupError(f"{text!r} names no model: write {FORMS}")
    if provider is not COMPATIBLE:
        return ModelName(provider, rest, provider.url())
    model, url = next(((rest[:at], rest[at + 1 :]) for at in _marks(rest)), ("", ""))
    parts = urlsplit(url)
    if not model or not parts.hostname:
        form = "openai-compatible:MODEL@URL, as in openai-compatible:llama@http://127.0.0.1:8080/v1"
        raise LookupError(f"a model of a server of your own is named {form}")
    if parts.username or parts.password:
        raise LookupError(f"the address of a model holds no password: put it in {provider.key_names[0]}")
    return ModelName(provider, model, url.rstrip("/"))


def _marks(rest: str) -> list[int]:
    """Where an ``@`` stands before a URL."""
    return [at for at in range(len(rest)) if rest.startswith(("@http://", "@https://"), at)]
