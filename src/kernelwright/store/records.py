"""Records to JSON and back, with their large texts left out and named by digest instead.

In the JSON a text that lives in a file reads ``{"$text": "<sha256>"}``, bytes read ``{"$bytes": "<sha256>"}``.
"""

import json
from typing import Any

from kernelwright.schema import Attempt, Outcome, RunSettings
from kernelwright.store.texts import Texts

Json = dict[str, Any]


def dump_settings(settings: RunSettings, texts: Texts) -> str:
    # The payload goes to its file as bytes: no detour over base64 for a module of a few hundred megabytes.
    light = settings.problem.model_copy(update={"payload": b""})
    data = _plain(settings.model_copy(update={"problem": light}))
    problem: Json = data["problem"]
    problem["source"] = {"$text": texts.put(settings.problem.source.encode())}
    problem["payload"] = {"$bytes": texts.put(settings.problem.payload)}
    return json.dumps(data)


def load_settings(stored: str, texts: Texts) -> RunSettings:
    data: Json = json.loads(stored)
    problem: Json = data["problem"]
    problem["source"] = texts.get(problem["source"]["$text"]).decode()
    problem["payload"] = texts.get(problem["payload"]["$bytes"])
    return RunSettings.model_validate(data)


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


def _plain(record: RunSettings | Attempt | Outcome) -> Json:
    return json.loads(record.model_dump_json(by_alias=True))
