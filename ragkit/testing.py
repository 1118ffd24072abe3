"""Public fakes: a deterministic embedder and a scripted Ollama server on a real socket."""

from __future__ import annotations

import hashlib
import json
import math
import sys
import threading
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from ragkit.terms import document_terms
from ragkit.types import EmbedFault, Vector

DIMENSION = 64


def hash_vector(text: str, dimension: int = DIMENSION) -> Vector:
    """A unit vector that depends only on the words of `text`: texts that share words are near."""
    values = [0.0] * dimension
    for term in document_terms(text):
        digest = hashlib.sha256(term.encode()).digest()
        values[int.from_bytes(digest[:4], "little") % dimension] += 1.0 if digest[4] & 1 else -1.0
    values[0] += 0.01  # never zero
    length = math.sqrt(math.fsum(value * value for value in values))
    return array("f", [value / length for value in values])


@dataclass
class HashEmbedder:
    """The `Embedder` port without a model. `calls` counts embedded texts; `refuse` names texts, by a
    part of them, that get a fault instead of a vector."""

    model: str = "hash"
    backend: str = "embedded"
    digest: str = "0"
    dimension: int = DIMENSION
    query_prefix: str = ""
    document_prefix: str = ""
    max_tokens: int = 10_000
    calls: int = 0
    refuse: str = ""

    def count_tokens(self, text: str) -> int:
        return len(text) // 4 + 1

    def embed_documents(self, texts: Sequence[str]) -> list[Vector | EmbedFault]:
        from ragkit.messages import Message

        self.calls += len(texts)
        return [
            EmbedFault(Message("refused by the test"))
            if self.refuse and self.refuse in text
            else hash_vector(text, self.dimension)
            for text in texts
        ]

    def embed_query(self, text: str) -> Vector:
        return hash_vector(text, self.dimension)

    def check_unchanged(self) -> None:
        """It never changes."""


@dataclass(frozen=True)
class Scripted:
    """One scripted reply: a status and a body, sent in the given pieces, or a refusal to go on."""

    status: int = 200
    pieces: Sequence[bytes] = ()
    content_type: str = "application/json; charset=utf-8"
    pause_s: float = 0.0  # before each piece
    cut: bool = False  # the connection ends without the end of the reply


def json_reply(value: object, status: int = 200) -> Scripted:
    return Scripted(status, (json.dumps(value).encode(),))


def stream_reply(parts: Sequence[Mapping[str, object]], *, cut: bool = False, pause_s: float = 0.0) -> Scripted:
    """NDJSON as `/api/chat` streams it."""
    lines = tuple(json.dumps(part).encode() + b"\n" for part in parts)
    return Scripted(200, lines, "application/x-ndjson", pause_s, cut)


def chat_reply(text: str, **final: object) -> Scripted:
    """A streamed answer, a word a line, ended as Ollama ends it."""
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1].rstrip(" ")
    parts: list[dict[str, object]] = [
        {"model": "m", "message": {"role": "assistant", "content": word}, "done": False} for word in words
    ]
    last = {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
    return stream_reply([*parts, {**last, **final}])


Behaviour = Callable[[str, dict[str, Any]], Scripted | None]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet about clients that left; anything else is a fault of the script."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@dataclass
class ScriptedOllama:
    """An Ollama server on loopback that does as it is told and records every request.

    By default it has the models `embed` and `chat`, embeds by `hash_vector` and answers with
    `answer`. A `behaviour` sees (path, body) first and may return another reply.
    """

    models: Sequence[str] = ("embed:latest", "chat:latest")
    answer: str = "The documents do not say."
    behaviour: Behaviour | None = None
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __enter__(self) -> ScriptedOllama:
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def texts_embedded(self) -> int:
        """How many texts were sent to be embedded."""
        return sum(len(body.get("input", ())) for path, body in self.requests if path == "/api/embed")

    def reply(self, path: str, body: dict[str, Any]) -> Scripted:
        """What the server says to one request."""
        self.requests.append((path, body))
        if self.behaviour is not None:
            special = self.behaviour(path, body)
            if special is not None:
                return special
        name = str(body.get("model", ""))
        if "model" in body and name not in self.models and f"{name}:latest" not in self.models:
            return json_reply({"error": f"model '{name}' not found"}, 404)
        if path == "/api/version":
            return json_reply({"version": "0.33.0"})
        if path == "/api/tags":
            return json_reply({"models": [{"name": model, "digest": "d" * 64} for model in self.models]})
        if path == "/api/show":
            return json_reply({"details": {}, "model_info": {}, "capabilities": ["completion", "embedding"]})
        if path == "/api/embed":
            texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
            return json_reply({"model": name, "embeddings": [list(hash_vector(text)) for text in texts]})
        if path == "/api/chat":
            return chat_reply(self.answer, prompt_eval_count=400)
        return Scripted(404, (b"404 page not found",), "text/plain")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._send(script.reply(self.path, {}))

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._send(script.reply(self.path, json.loads(raw or b"{}")))

            def _send(self, reply: Scripted) -> None:
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                try:
                    for piece in reply.pieces:
                        if reply.pause_s:
                            time.sleep(reply.pause_s)
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                        self.wfile.flush()
                    if reply.cut:
                        self.close_connection = True
                    else:
                        self.wfile.write(b"0\r\n\r\n")
                except OSError:
                    self.close_connection = True  # the client left

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: tests read `requests`."""

        return Handler
