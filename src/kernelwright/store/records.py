"""Records to JSON and back, with their large texts left out and named by digest instead.

In the JSON a text that lives in a file reads ``{"$text": "<sha256>"}``, bytes read ``{"$bytes": "<sha256>"}``.
"""

import json
from typing import Any

from kernelwright.schema import Advice, Attempt, Exchange, Outcome, RunSettings
from kernelwright.store.texts import Texts

Json = dict[str, Any]


def dump_settings(settings: RunSettings, texts: Texts) -> str:
    # The payload goes to its file as bytes: no detour over base64 for a module of a few hundred megabytes.
    light = settings.problem.model_copy(update={"payload": b""})
    data = _plain(settings.model_copy(update={"problem": light}))
    problem: Json = data["problem"]
    problem["source"] = {"$text": texts.put(settings.problem.source.encode())}
    problem["payload"] = {"$bytes": texts.put(settings.problem.payload)}
    for given in _given(data):
        given["text"] = {"$text": texts.put(given["text"].encode())}
    return json.dumps(data)


def load_settings(stored: str, texts: Texts) -> RunSettings:
    data: Json = json.loads(stored)
    problem: Json = data["problem"]
    problem["source"] = texts.get(problem["source"]["$text"]).decode()
    problem["payload"] = texts.get(problem["payload"]["$bytes"])
    for given in _given(data):
        given["text"] = texts.get(given["text"]["$text"]).decode()
    return RunSettings.model_validate(data)


def _given(settings: Json) -> list[Json]:
    """The texts that a run was given: its reference implementation and its notes."""
    reference = settings.get("reference")
    return [*([reference] if reference else []), *settings.get("docs", [])]


def dump_attempt(attempt: Attempt, texts: Texts) -> str:
    data = _plain(attempt)
    if attempt.candidate is not None:
        data["candidate"]["source"] = {"$text": texts.put(attempt.candidate.source.encode())}
    artifacts = attempt.verdict.artifacts
    data["verdict"]["artifacts"] = {name: {"$text": texts.put(text.encode())} for name, text in artifacts.items()}
    return json.dumps(data)


def load_attempt(stored: str, texts: Texts) -> Attempt:
    data: Json = json.loads(stored)
    if data["candidate"] is not None:
        data["candidate"]["source"] = texts.get(data["candidate"]["source"]["$text"]).decode()
    artifacts: Json = data["verdict"]["artifacts"]
    data["verdict"]["artifacts"] = {name: texts.get(text["$text"]).decode() for name, text in artifacts.items()}
    return Attempt.model_validate(data)


def dump_outcome(outcome: Outcome) -> str:
    return json.dumps(_plain(outcome))


def load_outcome(stored: str | None) -> Outcome | None:
    return None if stored is None else Outcome.model_validate(json.loads(stored))


def dump_exchange(exchange: Exchange, texts: Texts) -> str:
    """Each message is a file of its own: the calls of a run repeat most of their prompts."""
    data = _plain(exchange)
    data["answer"] = {"$text": texts.put(exchange.answer.encode())}
    data["prompt"]["system"] = {"$text": texts.put(exchange.prompt.system.encode())}
    for stored, message in zip(data["prompt"]["messages"], exchange.prompt.messages, strict=True):
        stored["text"] = {"$text": texts.put(message.text.encode())}
        _pictures_out(stored["pictures"], [picture.png for picture in message.pictures], texts)
    return json.dumps(data)


def load_exchange(stored: str, texts: Texts) -> Exchange:
    data: Json = json.loads(stored)
    data["answer"] = texts.get(data["answer"]["$text"]).decode()
    data["prompt"]["system"] = texts.get(data["prompt"]["system"]["$text"]).decode()
    for message in data["prompt"]["messages"]:
        message["text"] = texts.get(message["text"]["$text"]).decode()
        _pictures_in(message["pictures"], texts)
    return Exchange.model_validate(data)


def dump_advice(advice: Advice, texts: Texts) -> str:
    data = _plain(advice)
    if advice.profile is not None:
        _pictures_out(data["profile"]["pictures"], [picture.png for picture in advice.profile.pictures], texts)
    return json.dumps(data)


def load_advice(stored: str, texts: Texts) -> Advice:
    data: Json = json.loads(stored)
    if data["profile"] is not None:
        _pictures_in(data["profile"]["pictures"], texts)
    return Advice.model_validate(data)


def _pictures_out(stored: list[Json], contents: list[bytes], texts: Texts) -> None:
    for picture, png in zip(stored, contents, strict=True):
        picture["png"] = {"$bytes": texts.put(png)}


def _pictures_in(stored: list[Json], texts: Texts) -> None:
    for picture in stored:
        picture["png"] = texts.get(picture["png"]["$bytes"])


def _plain(record: RunSettings | Attempt | Outcome | Exchange | Advice) -> Json:
    return json.loads(record.model_dump_json(by_alias=True))
