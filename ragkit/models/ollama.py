"""The door to an Ollama server: embeddings and streamed chat over its native API."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import math
import random
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from ragkit.config import OllamaConfig
from ragkit.errors import (
    BadReply,
    ContextOverflow,
    ModelError,
    ModelNotFound,
    ModelTimeout,
    ModelUnavailable,
)
from ragkit.messages import Message
from ragkit.models import tokens
from ragkit.models.families import family
from ragkit.types import ChatMessage, Completion, EmbedFault, Vector

DEFAULT_PORT = 11434
_PORTS = {"http": 80, "https": 443}
_RETRIES = 3
_RETRY_STATUSES = {502, 503}
_PASSING = ("eof", "no slots", "runner", "terminated")  # in the text of a 400 or 500: worth another try


def base_url(host: str) -> str:
    """The server's address by the rules of `OLLAMA_HOST`: no scheme is http on port 11434, a scheme
    has its own port, an empty host is 127.0.0.1, a bad port is 11434, and the addresses that only a
    server can bind (0.0.0.0, ::) become loopback."""
    text = host.strip().strip("\"'").strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest, port = "http", text, DEFAULT_PORT
        if text.partition("/")[0] == "ollama.com":
            scheme, port = "https", 443
    else:
        port = _PORTS.get(scheme, DEFAULT_PORT)
    address, _, path = rest.partition("/")
    name, found_port = _split_port(address)
    if found_port is not None:
        port = found_port
    name = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name)  # noqa: S104
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme}://{shown}:{port}" + (f"/{path.rstrip('/')}" if path.strip("/") else "")


def _split_port(address: str) -> tuple[str, int | None]:
    if address.startswith("["):
        name, _, rest = address[1:].partition("]")
        port = rest.removeprefix(":") if rest.startswith(":") else None
    elif address.count(":") > 1:
        return address, None  # a bare IPv6 address
    else:
        name, separator, after = address.partition(":")
        port = after if separator else None
    if port is None:
        return name, None
    return name, int(port) if port.isdigit() and int(port) <= 65535 else DEFAULT_PORT


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class OllamaServer:
    """One server, its timeouts and its errors; shared by the embedder and the chat."""

    def __init__(self, settings: OllamaConfig, transport: httpx.BaseTransport | None = None) -> None:
        self.settings = settings
        self.url = base_url(settings.host)
        self._http = httpx.Client(
            base_url=self.url,
            transport=transport,
            trust_env=not is_loopback(self.url),  # a proxy must not see what goes to this machine
            follow_redirects=False,
            timeout=httpx.Timeout(
                settings.first_byte_timeout_s, connect=settings.connect_timeout_s, pool=settings.first_byte_timeout_s
            ),
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, timeout_s: float) -> dict[str, Any]:
        with self._translated():
            return _object(self._http.get(path, timeout=timeout_s), "")

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """The reply to one request; passing faults are tried again. Raises ModelError."""
        model = str(body.get("model", ""))
        for attempt in range(_RETRIES + 1):
            try:
                with self._translated():
                    response = self._http.post(path, json=body)
                    return _object(response, model)
            except ModelError as exc:
                if attempt == _RETRIES or not _is_passing(exc):
                    raise
                time.sleep(random.uniform(0, 0.25 * 2**attempt))
        raise AssertionError("unreachable")

    def stream(self, path: str, body: Mapping[str, object]) -> Iterator[dict[str, Any]]:
        """The objects of a streamed reply, the one with `done` last.

        A reply that ends without it, or with an error, raises: an answer is never half an answer.
        Leaving the iterator closes the connection, which stops the server's work.
        """
        model = str(body.get("model", ""))
        with self._translated(), self._http.stream("POST", path, json=body) as response:
            if response.status_code != 200:
                response.read()
                _object(response, model)
            # The headers come with the first piece; from then on silence is measured between pieces.
            response.request.extensions["timeout"]["read"] = self.settings.idle_timeout_s
            for line in response.iter_lines():
                if not line.strip():
                    continue
                part = _line(line, model)
                if "error" in part:
                    raise _status_error(200, str(part["error"]), model)
                yield part
                if part.get("done"):
                    return
        raise BadReply(
            "The model {model} ended its answer in the middle.",
            hint="Ask again; if it stays so, look into the log of the Ollama server.",
            model=model,
        )

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectTimeout as exc:
            raise self._unavailable() from exc
        except httpx.TimeoutException as exc:
            raise ModelTimeout(
                "Ollama at {url} took too long.",
                hint="Raise ollama.first_byte_timeout_s or ollama.idle_timeout_s, or use a smaller model.",
                url=self.url,
            ) from exc
        except httpx.RemoteProtocolError as exc:
            raise BadReply(
                "Ollama at {url} broke off its reply: {why}.", hint="Ask again.", url=self.url, why=exc
            ) from exc
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise self._unavailable() from exc

    def _unavailable(self) -> ModelUnavailable:
        return ModelUnavailable(
            "No Ollama server answers at {url}.",
            hint="Start it with `ollama serve`, set OLLAMA_HOST, or use --set models.backend=embedded.",
            url=self.url,
        )


class OllamaEmbedder:
    """The `Embedder` port over `POST /api/embed`."""

    backend = "ollama"

    def __init__(self, server: OllamaServer, model: str) -> None:
        """Asks the server for the model's record and one test vector. Raises ModelError."""
        self._server = server
        self.model = model
        record = server.post("/api/show", {"model": model})
        details = record.get("details") or {}
        info = record.get("model_info") or {}
        known = family(
            model, *(str(name) for name in details.get("families") or ()), str(info.get("general.basename", ""))
        )
        self.query_prefix, self.document_prefix = known.query_prefix, known.document_prefix
        architecture = str(info.get("general.architecture", ""))
        trained = info.get(f"{architecture}.context_length")
        limit = min(known.max_tokens, trained) if isinstance(trained, int) and trained > 0 else known.max_tokens
        self._num_ctx = limit
        self.max_tokens = max(limit - tokens.count(self.document_prefix) - 8, 32)
        self.digest = _digest(server, model)
        self.dimension = 0
        probe = self._request([self.query_prefix + "ragkit"])[0]
        if isinstance(probe, EmbedFault):
            raise BadReply("The embedding model {model} gives no usable vector: {why}.", model=model, why=probe.reason)
        self.dimension = len(probe)

    def count_tokens(self, text: str) -> int:
        return tokens.count(text)

    def embed_documents(self, texts: Sequence[str]) -> list[Vector | EmbedFault]:
        size = self._server.settings.batch_texts
        found: list[Vector | EmbedFault] = []
        for at in range(0, len(texts), size):
            found += self._batch([self.document_prefix + text for text in texts[at : at + size]])
        return found

    def embed_query(self, text: str) -> Vector:
        vector = self._batch([self.query_prefix + text])[0]
        if isinstance(vector, EmbedFault):
            raise BadReply("The question has no vector: {why}.", hint="Ask in other words.", why=vector.reason)
        return vector

    def _batch(self, texts: list[str]) -> list[Vector | EmbedFault]:
        """Vectors of `texts`; a batch that the server refuses is halved until the bad text is alone."""
        try:
            return self._request(texts)
        except (ModelNotFound, ModelUnavailable, ModelTimeout):
            raise
        except ModelError as exc:
            if len(texts) == 1:
                return [EmbedFault(exc.message)]
            half = len(texts) // 2
            return self._batch(texts[:half]) + self._batch(texts[half:])

    def _request(self, texts: list[str]) -> list[Vector | EmbedFault]:
        reply = self._server.post(
            "/api/embed",
            {
                "model": self.model,
                "input": texts,
                "truncate": False,
                "keep_alive": self._server.settings.keep_alive,
                "options": {"num_ctx": self._num_ctx, "num_batch": self._num_ctx},
            },
        )
        rows = reply.get("embeddings")
        if not isinstance(rows, list) or len(rows) != len(texts):
            raise BadReply(
                "The model {model} gave {found} vectors for {asked} texts.",
                model=self.model,
                found=len(rows) if isinstance(rows, list) else 0,
                asked=len(texts),
            )
        return [_checked(row, self.dimension) for row in rows]


class OllamaChat:
    """The `Chat` port over `POST /api/chat`."""

    def __init__(self, server: OllamaServer, model: str) -> None:
        self._server = server
        self.model = model
        self.window_tokens = server.settings.num_ctx
        self.answer_tokens = server.settings.num_predict

    def count_tokens(self, text: str) -> int:
        return tokens.count(text)

    def stream(self, messages: Sequence[ChatMessage]) -> Iterator[str | Completion]:
        settings = self._server.settings
        body = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "stream": True,
            "think": False,
            "truncate": False,
            "shift": False,
            "keep_alive": settings.keep_alive,
            "options": {
                "num_ctx": settings.num_ctx,
                "num_predict": settings.num_predict,
                "temperature": settings.temperature,
            },
        }
        text: list[str] = []
        for part in self._server.stream("/api/chat", body):
            message = part.get("message")
            piece = message.get("content", "") if isinstance(message, dict) else ""
            if piece:
                text.append(piece)
                yield piece
            if part.get("done"):
                yield Completion(
                    text="".join(text),
                    model=self.model,
                    done_reason=str(part.get("done_reason") or "stop"),
                    prompt_eval_count=_count(part.get("prompt_eval_count")),
                    eval_count=_count(part.get("eval_count")),
                    notes=_cut_notes(messages, _count(part.get("prompt_eval_count"))),
                )


def installed_models(server: OllamaServer, timeout_s: float) -> list[str]:
    """Names with tags of the server's models. Raises ModelUnavailable when none answers in time."""
    listed = server.get("/api/tags", timeout_s).get("models")
    return [str(entry["name"]) for entry in listed or [] if isinstance(entry, dict) and entry.get("name")]


def has_model(installed: Sequence[str], model: str) -> bool:
    """Whether `model` is installed, by Ollama's rule: no tag is `latest`, case does not count."""
    wanted = (model if ":" in model.rpartition("/")[2] else f"{model}:latest").casefold()
    return any(name.casefold() == wanted for name in installed)


def _digest(server: OllamaServer, model: str) -> str:
    listed = server.get("/api/tags", server.settings.first_byte_timeout_s).get("models") or []
    for entry in listed:
        if isinstance(entry, dict) and has_model([str(entry.get("name", ""))], model):
            return str(entry.get("digest", ""))
    return ""


def _checked(row: object, dimension: int) -> Vector | EmbedFault:
    """A row of numbers as a vector of unit length, or what is wrong with it."""
    if not isinstance(row, list) or not all(isinstance(value, int | float) for value in row):
        return EmbedFault(Message("the vector holds something that is not a number"))
    if dimension and len(row) != dimension:
        return EmbedFault(
            Message("the vector has {found} numbers, not {wanted}", {"found": len(row), "wanted": dimension})
        )
    length = math.sqrt(math.fsum(value * value for value in row))
    if not math.isfinite(length) or length < 1e-12:
        return EmbedFault(Message("the vector is zero or not finite"))
    return array("f", [value / length for value in row])


def _object(response: httpx.Response, model: str) -> dict[str, Any]:
    """The JSON object of a good reply; an error status raises what it means."""
    if response.status_code != 200:
        raise _status_error(response.status_code, _error_text(response), model)
    return _line(response.text, model)


def _line(text: str, model: str) -> dict[str, Any]:
    try:
        part = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadReply(
            "The reply for the model {model} is not JSON.",
            hint="Is this address an Ollama server? `ragkit doctor` looks.",
            model=model,
        ) from exc
    if not isinstance(part, dict):
        raise BadReply("The reply for the model {model} is not an object.", model=model)
    return part


def _error_text(response: httpx.Response) -> str:
    try:
        found = response.json().get("error", "")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return found if isinstance(found, str) else json.dumps(found)


def _status_error(status: int, text: str, model: str) -> ModelError:
    """The error of ours for a status and the server's text, which may hold JSON once more."""
    nested: dict[str, Any] = {}
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        inner = json.loads(text)
        nested = inner.get("error", {}) if isinstance(inner.get("error"), dict) else {}
    said = str(nested.get("message", text)).strip() or f"status {status}"
    low = said.casefold()
    if status == 404 or "not found" in low:
        return ModelNotFound("Ollama does not have the model {model}.", hint="Run: ollama pull {model}", model=model)
    if nested.get("type") == "exceed_context_size_error" or "prompt is longer than the context" in low:
        return ContextOverflow(
            "The prompt is too long for the model {model}: {said}.",
            hint="Raise ollama.num_ctx, or lower retrieval.k.",
            prompt_tokens=_count(nested.get("n_prompt_tokens")),
            window_tokens=_count(nested.get("n_ctx")),
            model=model,
            said=said.rstrip("."),
        )
    if status == 503:
        return ModelUnavailable("Ollama is busy: {said}.", hint="Try again in a moment.", said=said.rstrip("."))
    if status in (401, 403):
        return ModelUnavailable(
            "Ollama refuses access (status {status}).",
            hint="Check OLLAMA_HOST and, for a remote server, its credentials.",
            status=status,
        )
    return BadReply("Ollama answered for {model}: {said}.", model=model, said=said.rstrip("."))


def _is_passing(exc: ModelError) -> bool:
    if isinstance(exc, ModelUnavailable):
        return "busy" in str(exc)
    return isinstance(exc, BadReply) and any(word in str(exc).casefold() for word in _PASSING)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _cut_notes(messages: Sequence[ChatMessage], prompt_eval_count: int | None) -> tuple[Message, ...]:
    """A warning when the server read far fewer tokens than it was sent (older servers cut silently)."""
    if prompt_eval_count is None:
        return ()
    sent = sum(tokens.count(message.content) for message in messages)
    if sent < 200 or prompt_eval_count >= sent * 0.4:
        return ()
    return (
        Message(
            "The server read {read} tokens of about {sent}: it may have cut the context.",
            {"read": prompt_eval_count, "sent": sent},
        ),
    )
