"""One request to a provider, through pydantic-ai: a streamed answer, so that one that breaks off is seen to.

Only here are pydantic-ai and the providers' libraries known. Their own retries are off: each would be a request that
nobody counts, and some would be paid for.
"""

import asyncio
from typing import Any

from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from kernelwright.models.failures import one_line, outcome_of
from kernelwright.models.limits import Limits
from kernelwright.models.masked_errors import unmask
from kernelwright.models.names import ModelName
from kernelwright.models.outcome import RequestOutcome
from kernelwright.schema import CallStatus, Message, Prompt, Usage

_FINISHED = {
    "length": (CallStatus.CUT_OFF, "the answer reached the limit of output tokens"),
    "content_filter": (CallStatus.REFUSED, "the model or its provider's filter declined"),
    "error": (CallStatus.MALFORMED, "the provider ended the answer with an error"),
}


async def request(model: Model, prompt: Prompt, limits: Limits, answer_tokens: int | None = None) -> RequestOutcome:
    """Sends one request, no matter what comes of it. Raises ``CancelledError`` only."""
    parts: list[str] = []
    try:
        async with (
            asyncio.timeout(limits.call),
            model_request_stream(model, _messages(prompt), model_settings=_settings(limits, answer_tokens)) as stream,
        ):
            async for _ in stream:
                parts[:] = [_text(stream.get())]
            return _read(stream.get(), _usage(stream.usage))
    except asyncio.CancelledError:
        raise
    except TimeoutError:
        said = f"no complete answer within {limits.call:g} s"
        return RequestOutcome(CallStatus.TIMED_OUT, "".join(parts), said)
    except Exception as error:  # whatever a provider's library raises is the outcome of this request
        return outcome_of(error, "".join(parts))


def connected(name: ModelName, key: str | None, limits: Limits) -> Model:
    """A model of pydantic-ai for this name. Its clients belong to the event loop that uses them first."""
    match name.provider.wire:
        case "openai":
            return _openai(name, key, limits)
        case "anthropic":
            return _anthropic(name, key, limits)
        case "google":
            return _google(name, key)


def _openai(name: ModelName, key: str | None, limits: Limits) -> Model:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    client = AsyncOpenAI(
        api_key=key or "none needed",
        base_url=name.url,
        max_retries=0,
        timeout=limits.silence,
        http_client=DefaultAsyncHttpxClient(event_hooks={"response": [unmask]}),
    )
    if name.provider.name == "openai":
        return OpenAIChatModel(name.model, provider=OpenAIProvider(openai_client=client))
    provider = OpenAICompatibleProvider(name.provider.name, openai_client=client)
    return OpenAIChatModel(name.model, provider=provider)


def _anthropic(name: ModelName, key: str | None, limits: Limits) -> Model:
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    client = AsyncAnthropic(
        api_key=key,
        base_url=name.url,
        max_retries=0,
        timeout=limits.silence,
        http_client=DefaultAsyncHttpxClient(event_hooks={"response": [unmask]}),
    )
    return AnthropicModel(name.model, provider=AnthropicProvider(anthropic_client=client))


def _google(name: ModelName, key: str | None) -> Model:
    from google.genai.types import HttpRetryOptions
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    provider = GoogleProvider(api_key=key, base_url=name.url, retry_options=HttpRetryOptions(attempts=1))
    return GoogleModel(name.model, provider=provider)


def _settings(limits: Limits, answer_tokens: int | None) -> ModelSettings:
    settings = ModelSettings(timeout=limits.silence)
    if answer_tokens is not None:
        settings["max_tokens"] = answer_tokens
    return settings


def _messages(prompt: Prompt) -> list[ModelMessage]:
    found: list[ModelMessage] = []
    for place, message in enumerate(prompt.messages):
        system = [SystemPromptPart(prompt.system)] if place == 0 and prompt.system else []
        if message.role == "user":
            found.append(ModelRequest([*system, UserPromptPart(_content(message))]))
        else:
            found.append(ModelResponse([TextPart(message.text)]))
    return found


def _content(message: Message) -> str | list[UserContent]:
    if not message.pictures:
        return message.text
    parts: list[UserContent] = [message.text]
    for picture in message.pictures:
        parts += [picture.caption or picture.name, BinaryContent(picture.png, media_type="image/png")]
    return parts


def _text(response: ModelResponse) -> str:
    """What the model said; its reasoning is left out."""
    return "".join(part.content for part in response.parts if isinstance(part, TextPart))


def _read(response: ModelResponse, usage: Usage) -> RequestOutcome:
    """A stream that has ended: pydantic-ai calls one without a finish reason finished, and it is not."""
    answer = _text(response)
    details = response.provider_details or {}
    if response.finish_reason in _FINISHED:
        status, said = _FINISHED[response.finish_reason]
        said = one_line(str(details.get("refusal") or said))
        return RequestOutcome(status, answer, said, usage)
    if not details.get("finish_reason"):
        if answer:
            return RequestOutcome(CallStatus.CUT_OFF, answer, "the stream ended in the middle of the answer", usage)
        return RequestOutcome(CallStatus.MALFORMED, "", "the provider sent no answer that could be read", usage)
    if not answer.strip():
        return RequestOutcome(CallStatus.EMPTY, "", "the model finished without a word", usage)
    return RequestOutcome(CallStatus.ANSWERED, answer, usage=usage)


def _usage(counted: Any) -> Usage:
    """Tokens; all unknown where the provider sent no counts."""
    if counted.unmeasured_requests or not (counted.input_tokens or counted.output_tokens):
        return Usage()
    return Usage(
        input_tokens=counted.input_tokens,
        cached_tokens=counted.cache_read_tokens,
        output_tokens=counted.output_tokens,
        reasoning_tokens=counted.details.get("reasoning_tokens"),
    )
