"""The providers: how each is spoken to, and which environment variables hold its key and address."""

import os
from dataclasses import dataclass
from typing import Literal

Wire = Literal["openai", "anthropic", "google"]


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider of models."""

    name: str
    wire: Wire
    """The protocol: OpenAI's chat completions, Anthropic's messages, Google's generateContent."""
    key_names: tuple[str, ...]
    """Environment variables that may hold the key; the first that is set counts."""
    default_url: str = ""
    needs_key: bool = True
    pictures: bool = True
    """Whether its models are shown pictures."""
    answer_tokens: int | None = None
    """How long an answer may get; ``None`` leaves it to the provider. Anthropic wants a number, and a server of one's
    own would let a small model ramble until its memory is full."""

    @property
    def url_name(self) -> str:
        """The environment variable that moves the provider to another address: a proxy, a gateway, a test."""
        return f"{self.name.upper().replace('-', '_')}_BASE_URL"

    def key(self) -> str | None:
        return next((os.environ[name] for name in self.key_names if os.environ.get(name)), None)

    def url(self) -> str:
        return os.environ.get(self.url_name, self.default_url).rstrip("/")


COMPATIBLE = Provider(
    "openai-compatible", "openai", ("OPENAI_COMPATIBLE_API_KEY",), needs_key=False, pictures=False, answer_tokens=16_384
)

PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        Provider("openai", "openai", ("OPENAI_API_KEY",), "https://api.openai.com/v1"),
        Provider("anthropic", "anthropic", ("ANTHROPIC_API_KEY",), "https://api.anthropic.com", answer_tokens=32_000),
        Provider("deepseek", "openai", ("DEEPSEEK_API_KEY",), "https://api.deepseek.com", pictures=False),
        Provider("google", "google", ("GOOGLE_API_KEY", "GEMINI_API_KEY"), "https://generativelanguage.googleapis.com"),
        Provider("openrouter", "openai", ("OPENROUTER_API_KEY",), "https://openrouter.ai/api/v1"),
        Provider(
            "ollama",
            "openai",
            ("OLLAMA_API_KEY",),
            "http://127.0.0.1:11434/v1",
            needs_key=False,
            pictures=False,
            answer_tokens=16_384,
        ),
        COMPATIBLE,
    )
}
