"""What a model server can do wrong, as data: each row spoils a healthy reply in one way."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from ragkit.testing.wire import Request, Scripted, json_reply

SILENCE_S = 3600.0
_ANSWERS = ("/api/embed", "/api/chat", "/api/generate", "/v1/")
_EMBED = ("/api/embed",)
_STREAMS = ("/api/chat", "/api/generate")


@dataclass(frozen=True)
class Fault:
    """One way to misbehave. `reply` gets the request and the healthy reply and returns what is sent
    instead; `on` are the beginnings of the paths that it befalls by default."""

    name: str
    description: str
    reply: Callable[[Request, Scripted], Scripted]
    on: tuple[str, ...] = _ANSWERS
    refused: bool = False  # nothing listens at all


def _body(reply: Scripted) -> bytes:
    return b"".join(reply.pieces)


def _instead(status: int, value: object, headers: Mapping[str, str] | None = None) -> Callable[..., Scripted]:
    """Another reply whatever was asked: JSON, or text as it stands."""
    if isinstance(value, str):
        return lambda request, normal: Scripted(status, (value.encode(),), "text/html", headers=headers or {})
    return lambda request, normal: replace(json_reply(value, status), headers=headers or {})


def _error(status: int, text: str, **headers: str) -> Callable[..., Scripted]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _instead(status, {"error": text}, named)


def _rows(change: Callable[[list[Any]], list[Any]]) -> Callable[[Request, Scripted], Scripted]:
    """The vectors of an embedding reply, changed; requests for none stay healthy."""

    def spoil(request: Request, normal: Scripted) -> Scripted:
        reply = json.loads(_body(normal))
        if not reply.get("embeddings"):
            return normal
        reply["embeddings"] = change(reply["embeddings"])
        return Scripted(200, (json.dumps(reply).replace('"1e999"', "1e999").encode(),))

    return spoil


def _last_row(change: Callable[[list[Any]], list[Any]]) -> Callable[[Request, Scripted], Scripted]:
    """One vector spoilt, of the text that holds "POISON"; the last one where no text does."""

    def spoil(request: Request, normal: Scripted) -> Scripted:
        texts = request.body.get("input")
        at = next((n for n, text in enumerate(texts or []) if "POISON" in text), None)
        if at is None:
            return normal
        return _rows(lambda rows: [*rows[:at], change(rows[at]), *rows[at + 1 :]])(request, normal)

    return spoil


def _poisoned(reply: Callable[[Request, Scripted], Scripted]) -> Callable[[Request, Scripted], Scripted]:
    """Only for requests with a text that holds "POISON"."""
    return lambda request, normal: reply(request, normal) if b"POISON" in request.raw else normal


def _half(reply: Scripted) -> bytes:
    body = _body(reply)
    return body[: max(len(body) // 2, 1)]


def _without_done(request: Request, normal: Scripted) -> Scripted:
    return replace(normal, pieces=tuple(piece for piece in normal.pieces if b'"done": true' not in piece))


def _error_in_stream(request: Request, normal: Scripted) -> Scripted:
    error = b'{"error": "an error was encountered while running the model: CUDA error"}\n'
    return replace(_without_done(request, normal), pieces=(*_without_done(request, normal).pieces[:2], error))


def _invalid_utf8(request: Request, normal: Scripted) -> Scripted:
    return replace(normal, pieces=(_body(normal).replace(b'"model"', b'"mod\xff\xfeel"', 1),))


def _cut_prompt(request: Request, normal: Scripted) -> Scripted:
    lines = [json.loads(piece) for piece in normal.pieces]
    lines[-1]["prompt_eval_count"] = 40
    return replace(normal, pieces=tuple(json.dumps(line).encode() + b"\n" for line in lines))


def _changing_digest() -> Callable[[Request, Scripted], Scripted]:
    calls = iter(range(10**9))

    def spoil(request: Request, normal: Scripted) -> Scripted:
        reply = json.loads(_body(normal))
        digest = f"{next(calls):064x}"
        for entry in reply.get("models", []):
            entry["digest"] = digest
        return json_reply(reply)

    return spoil


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    """A gigabyte of spaces as a megabyte of gzip: one block that was flushed whole, again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * 1023


_NESTED = json.dumps(
    {
        "error": {
            "code": 400,
            "message": "request (7901 tokens) exceeds the available context size (4096 tokens), try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 7901,
            "n_ctx": 4096,
        }
    }
)
_NAN = "embedding contains NaN or Inf values"
_BUSY = "server busy, please try again.  maximum pending requests exceeded"
_NO_EMBEDDINGS = "this server does not support embeddings. Start it with `--embeddings`"
_CRASH = "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error"

_ROWS = (
    Fault("refused", "nothing listens at the address", lambda request, normal: normal, refused=True),
    Fault("accept-then-silence", "no byte ever comes", lambda r, n: replace(n, silence_s=SILENCE_S)),
    Fault("headers-then-silence", "the headers come, then nothing", lambda r, n: replace(n, pause_s=SILENCE_S)),
    Fault(
        "one-byte-a-second",
        "a valid reply at that pace",
        lambda r, n: replace(n, pieces=[bytes([byte]) for byte in _body(n)], pause_s=1.0),
    ),
    Fault("reset-before-headers", "the connection is reset at once", lambda r, n: Scripted(0, reset=True)),
    Fault(
        "reset-in-body",
        "the connection is reset after half the reply",
        lambda r, n: replace(n, pieces=(_half(n),), reset=True),
    ),
    Fault(
        "reset-mid-line",
        "the stream is cut inside a line",
        lambda r, n: replace(n, pieces=(*n.pieces[:1], n.pieces[-1][:9]), cut=True),
    ),
    Fault("no-done", "the stream ends in good order without done", _without_done, _STREAMS),
    Fault(
        "done-twice", "the last line comes twice", lambda r, n: replace(n, pieces=(*n.pieces, n.pieces[-1])), _STREAMS
    ),
    Fault("error-in-stream", "an error object after some text, status 200", _error_in_stream, _STREAMS),
    Fault("500-json", "status 500 with a JSON error", _error(500, "something went wrong")),
    Fault("500-html", "status 500 with a web page", _instead(500, "<html><body>Internal Server Error</body></html>")),
    Fault("503-retry-after", "status 503 that asks to wait a second", _error(503, _BUSY, Retry_After="1")),
    Fault("503", "status 503", _error(503, "service unavailable")),
    Fault("queue-full", "the waiting queue is full", _error(503, _BUSY)),
    Fault("404-model", "the model is not there", _error(404, "model 'gone' not found")),
    Fault("400-too-long", "the prompt does not fit, as nested JSON", _error(400, _NESTED)),
    Fault("400-nan", "not-a-number for every text", _error(400, _NAN), _EMBED),
    Fault("bad-text", "not-a-number for a batch with a POISON text", _poisoned(_error(400, _NAN)), _EMBED),
    Fault("nan-in-vector", "NaN in a POISON text's vector", _last_row(lambda row: [float("nan"), *row[1:]]), _EMBED),
    Fault("null-in-vector", "null in a POISON text's vector", _last_row(lambda row: [None, *row[1:]]), _EMBED),
    Fault("string-in-vector", "a text in a POISON text's vector", _last_row(lambda row: ["0.1", *row[1:]]), _EMBED),
    Fault("wrong-dimension", "a POISON text's vector is shorter", _last_row(lambda row: row[:-1]), _EMBED),
    Fault("zero-vector", "a POISON text's vector is zero", _last_row(lambda row: [0.0] * len(row)), _EMBED),
    Fault("infinite-vector", "1e999 in a POISON text's vector", _last_row(lambda row: ["1e999", *row[1:]]), _EMBED),
    Fault(
        "fewer-vectors",
        "one vector too few for a batch with a POISON text",
        _poisoned(_rows(lambda rows: rows[:-1])),
        _EMBED,
    ),
    Fault(
        "gzip-bomb",
        "a gigabyte, compressed, though nobody asked",
        lambda r, n: Scripted(200, (_bomb(),), headers={"Content-Encoding": "gzip"}),
    ),
    Fault("redirect", "sent on to another host", _instead(302, "", {"Location": "http://example.invalid/"})),
    Fault("invalid-utf8", "bytes that are no text", _invalid_utf8),
    Fault("trailing-garbage", "bytes after the end", lambda r, n: replace(n, pieces=(*n.pieces, b"}}} garbage"))),
    Fault("digest-change", "another digest at each look", _changing_digest(), ("/api/tags",)),
    Fault("cut-prompt", "the prompt is cut without a word", _cut_prompt, ("/api/chat",)),
    Fault("slow-load", "half a minute of silence while it loads", lambda r, n: replace(n, silence_s=30.0)),
    Fault("501-no-embeddings", "the model cannot embed", _error(501, _NO_EMBEDDINGS), _EMBED),
    Fault("crash", "the engine dies on a POISON text", _poisoned(_error(500, _CRASH)), _EMBED),
)
FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _ROWS}
