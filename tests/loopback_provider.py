"""A provider of models on this machine, that speaks the protocols of OpenAI, Anthropic and Google and fails on request.

Used as ``with LoopbackProvider(script) as provider:`` in tests, and as a program of its own where a client is killed:

    python tests/loopback_provider.py --log FILE [--seconds 20] [--failing 0.1] [--seed 0]

It prints its port, answers every request with a module that is correct, and writes one line of JSON for each request
when it comes in and one when its answer has been sent.
"""

import argparse
import asyncio
import hashlib
import json
import math
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Way(StrEnum):
    """How a request is answered."""

    ANSWER = "answer"
    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    RESET = "reset"
    CUT = "cut"
    """The connection breaks in the middle of the answer."""
    UNFINISHED = "unfinished"
    """The stream ends in good order in the middle of the answer."""
    EMPTY = "empty"
    NO_CHOICES = "no_choices"
    ERROR_UNDER_200 = "error_under_200"
    NOT_JSON = "not_json"
    REFUSAL = "refusal"
    OVERFLOW = "overflow"
    HANG = "hang"
    UNAUTHORIZED = "unauthorized"
    UNKNOWN_MODEL = "unknown_model"
    TOO_LONG = "too_long"
    """Stopped at the limit of output tokens."""


@dataclass(frozen=True)
class Request:
    """What came in."""

    number: int
    wire: str
    model: str
    prompt: str
    """All texts of the conversation, one after the other."""
    pictures: int
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def digest(self) -> str:
        """Of model and prompt."""
        return hashlib.sha256(f"{self.model}\0{self.prompt}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Reply:
    """What goes out."""

    text: str = ""
    way: Way = Way.ANSWER
    seconds: float = 0.0
    """Before the first byte."""
    retry_after: str | None = None
    """The header's value."""
    detail: str = "the provider's own words"


Script = Callable[[Request], Reply]

_HTTP = {
    Way.RATE_LIMIT: (429, "rate_limit_exceeded"),
    Way.QUOTA: (429, "insufficient_quota"),
    Way.SERVER_ERROR: (500, "server_error"),
    Way.UNAVAILABLE: (503, "overloaded"),
    Way.OVERFLOW: (400, "context_length_exceeded"),
    Way.UNAUTHORIZED: (401, "invalid_api_key"),
    Way.UNKNOWN_MODEL: (404, "model_not_found"),
}


@dataclass
class LoopbackProvider:
    """A server in a thread. ``requests`` and ``finished`` grow while it runs."""

    script: Script
    log: Callable[[str, Request, Reply], None] = lambda event, request, reply: None
    requests: list[Request] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)
    """Numbers of the requests whose answers were sent to their end."""
    port: int = 0
    at_once: int = 0
    most_at_once: int = 0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
            self._loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def name(self, model: str = "small") -> str:
        """How Kernelwright names a model of this server."""
        return f"openai-compatible:{model}@{self.url}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (read := await _read(reader, len(self.requests))) is not None:
                self.requests.append(read)
                await self._answer(read, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # the client went away, as clients do, or the server stops
        finally:
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        reply = self.script(request)
        self.log("came", request, reply)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(reply.seconds)
        finally:
            self.at_once -= 1
        if reply.way is Way.HANG:
            await asyncio.sleep(3600)
        if reply.way is Way.RESET:
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise ConnectionResetError
        if reply.way in _HTTP:
            writer.write(_error(request, reply))
        elif reply.way is Way.ERROR_UNDER_200:
            writer.write(_whole(200, json.dumps(_error_body(request.wire, 500, "server_error", reply.detail))))
        elif reply.way is Way.NOT_JSON:
            writer.write(_whole(200, "<html><body>Bad gateway</body></html>", "text/html"))
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            async for piece in _stream(request, reply):
                data = piece.encode()
                writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                await writer.drain()
            if reply.way is Way.CUT:
                raise ConnectionResetError
            writer.write(b"0\r\n\r\n")
        self.log("sent", request, reply)  # before the last bytes go: nobody has them without a line in the log
        await writer.drain()
        self.finished.append(request.number)


async def _read(reader: asyncio.StreamReader, number: int) -> Request | None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode() if not reader.at_eof() else ""
    if not head:
        return None
    first, *lines = head.split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
    body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))) or b"{}")
    path = first.split()[1]
    if path.endswith("/chat/completions"):
        wire, model = "openai", body["model"]
    elif path.partition("?")[0].endswith("/messages"):
        wire, model = "anthropic", body["model"]
    else:
        wire, model = "google", path.rpartition("/models/")[2].partition(":")[0]
    texts, pictures = _texts(body.get("system", [])), 0
    for message in [body.get("systemInstruction"), *body.get("messages", []), *body.get("contents", [])]:
        content = (message or {}).get("content", (message or {}).get("parts", []))
        texts += _texts(content)
        pictures += sum(
            "image" in json.dumps(part)[:80] or "inlineData" in part for part in content if isinstance(part, dict)
        )
    return Request(number, wire, model, "\n".join(texts), pictures, headers, body)


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or () if isinstance(part, dict) and "text" in part]


async def _stream(request: Request, reply: Reply) -> AsyncGenerator[str]:
    """Server-sent events of the wire's protocol."""
    middle = len(reply.text) // 2
    pieces = [] if reply.way in (Way.EMPTY, Way.REFUSAL, Way.NO_CHOICES) else [reply.text[:middle], reply.text[middle:]]
    if reply.way in (Way.CUT, Way.UNFINISHED):
        pieces = pieces[:1]
    tokens_in, tokens_out = len(request.prompt) // 4 + 1, len(reply.text) // 4 + 1
    make = {"openai": _openai, "anthropic": _anthropic, "google": _google}[request.wire]
    for event in make(request.model, pieces, reply, tokens_in, tokens_out):
        yield event
        await asyncio.sleep(0)


def _openai(model: str, pieces: list[str], reply: Reply, tokens_in: int, tokens_out: int) -> list[str]:
    def chunk(choices: list[dict[str, Any]], **more: Any) -> str:
        base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model}
        return f"data: {json.dumps(base | {'choices': choices} | more)}\n\n"

    events = [chunk([{"index": 0, "delta": {"role": "assistant", "content": piece}}]) for piece in pieces]
    if reply.way in (Way.CUT, Way.UNFINISHED):
        return events
    if reply.way is Way.REFUSAL:
        events.append(chunk([{"index": 0, "delta": {"refusal": reply.detail}}]))
    if reply.way is not Way.NO_CHOICES:
        reason = "length" if reply.way is Way.TOO_LONG else "stop"
        events.append(chunk([{"index": 0, "delta": {}, "finish_reason": reason}]))
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    return [*events, chunk([], usage=usage), "data: [DONE]\n\n"]


def _anthropic(model: str, pieces: list[str], reply: Reply, tokens_in: int, tokens_out: int) -> list[str]:
    def event(kind: str, **more: Any) -> str:
        return f"event: {kind}\ndata: {json.dumps({'type': kind} | more)}\n\n"

    message = {
        "id": "m1", "type": "message", "role": "assistant", "model": model, "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {"input_tokens": tokens_in, "output_tokens": 1},
    }  # fmt: skip
    events = [event("message_start", message=message)]
    if pieces:
        events.append(event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
        events += [
            event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece}) for piece in pieces
        ]
    if reply.way in (Way.CUT, Way.UNFINISHED):
        return events
    if pieces:
        events.append(event("content_block_stop", index=0))
    reason = {Way.REFUSAL: "refusal", Way.TOO_LONG: "max_tokens"}.get(reply.way, "end_turn")
    if reply.way is not Way.NO_CHOICES:
        delta = {"stop_reason": reason, "stop_sequence": None}
        events.append(event("message_delta", delta=delta, usage={"output_tokens": tokens_out}))
    return [*events, event("message_stop")]


def _google(model: str, pieces: list[str], reply: Reply, tokens_in: int, tokens_out: int) -> list[str]:
    def event(candidate: dict[str, Any] | None, **more: Any) -> str:
        body = {"modelVersion": model, "responseId": "r1"} | ({"candidates": [candidate]} if candidate else {}) | more
        return f"data: {json.dumps(body)}\r\n\r\n"

    events = [event({"content": {"role": "model", "parts": [{"text": piece}]}, "index": 0}) for piece in pieces]
    if reply.way in (Way.CUT, Way.UNFINISHED):
        return events
    reason = {Way.REFUSAL: "SAFETY", Way.TOO_LONG: "MAX_TOKENS"}.get(reply.way, "STOP")
    usage = {
        "promptTokenCount": tokens_in, "candidatesTokenCount": tokens_out, "totalTokenCount": tokens_in + tokens_out
    }  # fmt: skip
    last = None if reply.way is Way.NO_CHOICES else {"finishReason": reason, "index": 0}
    return [*events, event(last, usageMetadata=usage)]


def _error(request: Request, reply: Reply) -> bytes:
    status, code = _HTTP[reply.way]
    header = f"Retry-After: {reply.retry_after}\r\n" if reply.retry_after is not None else ""
    return _whole(status, json.dumps(_error_body(request.wire, status, code, reply.detail)), header=header)


def _error_body(wire: str, status: int, code: str, detail: str) -> Any:
    if wire == "anthropic":
        kinds = {
            429: "rate_limit_error", 401: "authentication_error", 400: "invalid_request_error",
            404: "not_found_error", 503: "overloaded_error",
        }  # fmt: skip
        kind = "billing_error" if code == "insufficient_quota" else kinds.get(status, "api_error")
        said = f"prompt is too long: {detail}" if code == "context_length_exceeded" else detail
        return {"type": "error", "error": {"type": kind, "message": said}}
    if wire == "google":
        states = {429: "RESOURCE_EXHAUSTED", 401: "UNAUTHENTICATED", 400: "INVALID_ARGUMENT", 404: "NOT_FOUND",
                  503: "UNAVAILABLE"}  # fmt: skip
        said = f"The input token count exceeds the maximum number of tokens allowed. {detail}"
        said = said if code == "context_length_exceeded" else detail
        quota = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "RequestsPerDay"}]}
        details = [quota] if code == "insufficient_quota" else []
        return {
            "error": {"code": status, "message": said, "status": states.get(status, "INTERNAL"), "details": details}
        }
    return {"error": {"message": detail, "type": code, "code": code, "param": None}}


def _whole(status: int, body: str, kind: str = "application/json", header: str = "") -> bytes:
    data = body.encode()
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{header}Content-Length: {len(data)}\r\n\r\n".encode() + data


FAILING = (
    Way.RATE_LIMIT, Way.SERVER_ERROR, Way.UNAVAILABLE, Way.RESET, Way.CUT, Way.EMPTY, Way.NO_CHOICES,
    Way.ERROR_UNDER_200, Way.NOT_JSON, Way.REFUSAL, Way.OVERFLOW, Way.TOO_LONG,
)  # fmt: skip
"""Twelve ways to fail that leave the provider alive."""


def busy_script(seconds: float, failing: float, seed: int) -> Script:
    """Answers with the reference in the prompt, renamed and numbered, after a lognormal time with this median.

    ``failing``: the share of requests that fail, in turn in each of the ``FAILING`` ways.
    """
    draw = random.Random(seed)
    failed = 0

    def script(request: Request) -> Reply:
        nonlocal failed
        wait = seconds * math.exp(draw.gauss(0.0, 0.4))
        if draw.random() < failing:
            failed += 1
            return Reply("half an answer", FAILING[failed % len(FAILING)], wait * 0.5, retry_after="0")
        return Reply(module_answer(request), seconds=wait)

    return script


def module_answer(request: Request) -> str:
    """A correct answer: the prompt's reference as ``ModelNew``, with the request's digest as a comment."""
    found = re.findall(r"```python\n(.*?)```", request.prompt, re.DOTALL)
    source = next((text for text in reversed(found) if re.search(r"\bclass Model\b", text)), "")  # others are examples
    return f"Renamed.\n\n```python\n# {request.digest}\n{re.sub(r'Model', 'ModelNew', source)}\n```\n"


@contextmanager
def provider_process(log: Path, *options: str) -> Generator[int]:
    """The provider as a process of its own; its port."""
    command = [sys.executable, __file__, "--log", str(log), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--failing", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with options.log.open("a") as log:  # appended to: whoever reads it may empty it

        def write(event: str, request: Request, reply: Reply) -> None:
            line = {"event": event, "number": request.number, "model": request.model, "digest": request.digest,
                    "way": reply.way, "seconds": reply.seconds, "at": time.time()}  # fmt: skip
            log.write(json.dumps(line) + "\n")
            log.flush()

        with LoopbackProvider(busy_script(options.seconds, options.failing, options.seed), write) as provider:
            print(provider.port, flush=True)
            threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
