"""The door to any server with `/v1/chat/completions` and `/v1/embeddings`: vLLM, llama.cpp, LM Studio,
Ollama's own `/v1`, OpenAI. The ports `Embedder` and `Chat` over it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from ragkit.config.sections import Config
from ragkit.i18n.messages import Message, coded
from ragkit.models.batching import ServedEmbedder
from ragkit.models.families import expectations
from ragkit.models.http.addresses import may_carry_key
from ragkit.models.http.server import Server, as_object
from ragkit.models.ollama.errors import count
from ragkit.models.ollama.json import as_base64
from ragkit.models.ollama.ports import read_notes, window_notes
from ragkit.models.tokens import Scale
from ragkit.types.answers import ChatMessage, Completion
from ragkit.types.errors import (
    BadReply,
    ConfigError,
    ContextOverflow,
    EndpointMissing,
    ModelError,
    ModelNotFound,
    ModelUnavailable,
)
from ragkit.types.model_server import Format

OPENAI_URL = "https://api.openai.com/v1"
CARRIED = ("temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty")
"""Options that go over /v1 under the same name; `num_predict` goes as the token limit."""

_IMAGE_KINDS = {b"\x89PNG": "png", b"\xff\xd8": "jpeg", b"": "webp"}  # by the first bytes

# "maximum context length is 8192 tokens. However, you requested 9000 tokens (8000 in the messages ...)"
_LIMIT = re.compile(r"(?:maximum|available) context (?:length|size)\D{0,20}(\d+)")
_ASKED = re.compile(r"(?:requested|resulted in|has|request) \(?(\d+)")


class OpenAIServer:
    """One server and its models. The key comes from the environment and goes only to https addresses
    and to this machine."""

    def __init__(self, config: Config, environ: Mapping[str, str] | None = None) -> None:
        """Connects to nothing yet. Raises ConfigError for an address that is none."""
        env = os.environ if environ is None else environ
        settings = config.openai
        self.config = config
        self.url = (settings.base_url or env.get("OPENAI_BASE_URL") or OPENAI_URL).rstrip("/")
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname:
            raise ConfigError(
                "openai.base_url is {url}; it must be an http or https address.",
                hint="Write it whole, as in http://127.0.0.1:8000/v1.",
                url=self.url,
            )
        key = env.get(settings.api_key_env, "")
        self.key_withheld = bool(key) and not may_carry_key(self.url)
        headers = {
            "Authorization": f"Bearer {key}" if key and not self.key_withheld else "",
            "OpenAI-Organization": env.get("OPENAI_ORG_ID", ""),
            "OpenAI-Project": env.get("OPENAI_PROJECT_ID", ""),
        }
        self.server = Server(
            self.url,
            "OpenAI-compatible",
            config.requests,
            lambda status, body, model: status_error(status, body, model, settings.api_key_env),
            start_hint=Message("Start it, or set openai.base_url; it usually ends in /v1."),
            headers={name: value for name, value in headers.items() if value},
        )

    def close(self) -> None:
        self.server.close()

    def models(self, timeout_s: float | None = None) -> dict[str, Mapping[str, Any]]:
        """What the server tells of each of its models, by id."""
        listed = self.server.get("/models", timeout_s).get("data") or []
        return {str(entry.get("id")): entry for entry in listed if isinstance(entry, dict)}


class OpenAIEmbedder(ServedEmbedder):
    """The `Embedder` port over `/v1/embeddings`. `digest` is "": such servers do not tell it."""

    backend = "openai"
    digest = ""

    def __init__(self, openai: OpenAIServer, model: str) -> None:
        """Asks for two test vectors. Raises ModelError."""
        self._openai = openai
        config = openai.config
        super().__init__(model, expectations(config.embedding, (model,), None), config, openai.server.abort)

    def check_unchanged(self) -> None:
        """Nothing to compare: the server does not tell which weights it has."""

    def _rows(self, texts: Sequence[str], retry: bool) -> Sequence[object]:
        body: dict[str, object] = {"model": self.model, "input": list(texts), "encoding_format": "float"}
        body |= {"dimensions": self._dimensions} if self._dimensions else {}
        reply = self._openai.server.post("/embeddings", body, retry=retry)
        data = reply.get("data")
        entries = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
        places = {entry.get("index", at): entry.get("embedding") for at, entry in enumerate(entries)}
        if sorted(places, key=str) != sorted(range(len(texts)), key=str):
            raise BadReply(
                "The model {model} gave {found} of {asked} vectors.",
                model=self.model,
                found=len(entries),
                asked=len(texts),
            )
        self._learn(texts, (reply.get("usage") or {}).get("prompt_tokens"))
        return [places[at] for at in range(len(texts))]


class OpenAIChat:
    """The `Chat` port over `/v1/chat/completions`, streamed."""

    def __init__(self, openai: OpenAIServer, model: str) -> None:
        """Asks the server for its models, to learn the window where it tells it. Raises ModelError."""
        self._openai = openai
        self._scale = Scale()
        self.model = model
        asked = openai.config.window_tokens
        told = self._told()
        self.accepts_images = _may_see(told)
        self.window_tokens = min(asked, _window(told) or asked)
        self.answer_tokens = min(openai.config.answer_tokens, self.window_tokens // 2)
        self._notes = window_notes(model, asked, self.window_tokens)
        self._refused: dict[str, Message] = {}  # fields that this model does not take

    def _told(self) -> Mapping[str, Any]:
        try:
            return self._openai.models().get(self.model, {})
        except (EndpointMissing, BadReply):
            return {}  # not every server lists its models

    def count_tokens(self, text: str) -> int:
        return self._scale.count(text)

    def stream(self, messages: Sequence[ChatMessage], form: Format = "") -> Iterator[str | Completion]:
        while True:
            try:
                yield from self._stream(messages, form)
                return
            except _FieldRefused as exc:
                if exc.field in self._refused:
                    raise
                self._refused[exc.field] = coded(
                    "field_not_taken",
                    "The model {model} does not take {field}; it was left out.",
                    model=self.model,
                    field=exc.field,
                )

    def _stream(self, messages: Sequence[ChatMessage], form: Format) -> Generator[str | Completion, None, None]:
        text: list[str] = []
        reason, usage = "", None
        try:
            with contextlib.closing(
                self._openai.server.stream("/chat/completions", self._body(messages, form))
            ) as lines:
                for part in _events(lines, self.model):
                    piece, ended, told = _delta(part)
                    reason, usage = ended or reason, told or usage
                    if piece:
                        text.append(piece)
                        yield piece
            if not reason:
                raise BadReply(
                    "The model {model} ended its answer in the middle.",
                    hint="Ask again; if it stays so, look into the server's log.",
                    model=self.model,
                )
        except ModelError as exc:
            exc.partial_text = "".join(text)
            raise
        yield self._completion(messages, "".join(text), reason, usage)

    def _body(self, messages: Sequence[ChatMessage], form: Format) -> dict[str, object]:
        options = self._openai.config.options.given()
        limit = "max_completion_tokens" if self._openai.url == OPENAI_URL else "max_tokens"
        body: dict[str, object] = {
            "model": self.model,
            "messages": [_message(message) for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            limit: self.answer_tokens,
            **{name: options[name] for name in CARRIED if name in options},
            **_response_format(form),
        }
        return {name: value for name, value in body.items() if name not in self._refused}

    def _completion(self, messages: Sequence[ChatMessage], text: str, reason: str, usage: Any) -> Completion:
        told = usage if isinstance(usage, dict) else {}
        read = count(told.get("prompt_tokens"))
        cut = (coded("cut_by_num_predict", "The answer was cut by the token limit. Raise options.num_predict."),)
        return Completion(
            text=text,
            model=self.model,
            done_reason=reason,
            prompt_eval_count=read,
            eval_count=count(told.get("completion_tokens")),
            notes=(
                *self._notes,
                *self._refused.values(),
                *(cut if reason == "length" else ()),
                *read_notes(self._scale, messages, read),
            ),
        )


def _message(message: ChatMessage) -> dict[str, object]:
    if not message.images:
        return {"role": message.role, "content": message.content}
    parts: list[dict[str, object]] = [{"type": "text", "text": message.content}]
    for image, encoded in zip(message.images, as_base64(message.images), strict=True):
        kind = next(kind for first, kind in _IMAGE_KINDS.items() if image.startswith(first))
        parts.append({"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{encoded}"}})
    return {"role": message.role, "content": parts}


def _response_format(form: Format) -> dict[str, object]:
    if isinstance(form, str):
        return {"response_format": {"type": "json_object"}} if form else {}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(form)}}}


class _FieldRefused(BadReply):
    """The model does not take one field of the request."""

    field = ""


def status_error(status: int, body: bytes, model: str, key_name: str) -> ModelError:
    """The error of an HTTP status that is not 200."""
    error = _error_of(body)
    said = str(error.get("message") or f"status {status}").strip()
    code, low, end = str(error.get("code") or error.get("type") or ""), said.casefold(), said.rstrip(".")
    if status in (401, 403):
        return ModelUnavailable(
            "The server refuses access: {said}.",
            hint="Set {key} to a valid key; it is sent only to https addresses and to this machine.",
            said=end,
            key=key_name,
        )
    if status == 404:
        if code == "model_not_found" or "model" in low:
            return ModelNotFound(
                "The server does not have the model {model}.",
                hint="Set openai.embed_model and openai.chat_model; `ragkit doctor` lists what it has.",
                model=model,
            )
        return EndpointMissing(
            "The server at this address does not know the request.",
            hint="Check openai.base_url; it usually ends in /v1.",
        )
    if code in ("context_length_exceeded", "exceed_context_size_error") or "context length" in low:
        overflow = ContextOverflow(
            "The text is too long for the model {model}: {said}.",
            hint="Set options.num_ctx to the model's real window, or lower retrieval.k.",
            model=model,
            said=end,
        )
        asked, limit = _ASKED.search(low), _LIMIT.search(low)
        overflow.prompt_tokens = count(error.get("n_prompt_tokens")) or (int(asked[1]) if asked else None)
        overflow.window_tokens = count(error.get("n_ctx")) or (int(limit[1]) if limit else None)
        return overflow
    if status == 400 and code in ("unsupported_parameter", "unsupported_value") and error.get("param"):
        refused = _FieldRefused("The server answered for {model}: {said}.", model=model, said=end)
        refused.field = str(error["param"])
        return refused
    if status == 429:
        busy = "quota" not in low
        return ModelUnavailable("The server limits requests: {said}.", hint="Try again later.", passing=busy, said=end)
    return BadReply(
        "The server answered for {model}: {said}.",
        hint="Look into the server's log; `ragkit doctor` tries the models.",
        passing=status in (500, 502, 503, 504),
        model=model or "?",
        said=end,
    )


def _error_of(body: bytes) -> dict[str, Any]:
    """The error object of a reply, however the server wraps it; {} when there is none."""
    try:
        found = orjson.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    error = found.get("error", found.get("detail", found))
    return error if isinstance(error, dict) else {"message": str(error)}


def _events(lines: Iterator[bytes], model: str) -> Iterator[dict[str, Any]]:
    """The objects of a stream of server-sent events, up to `[DONE]`."""
    for line in lines:
        name, _, value = line.strip().partition(b":")
        if name != b"data":
            continue  # a comment, or a field that means nothing here
        if value.strip() == b"[DONE]":
            return
        part = as_object(value, model)
        if part.get("error"):
            raise status_error(200, orjson.dumps(part), model, "")
        yield part


def _delta(part: Mapping[str, Any]) -> tuple[str, str, object]:
    """The text of one event, why the answer ended ("" while it goes on), and the token counts."""
    choices = part.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    delta = first.get("delta")
    text = delta.get("content") if isinstance(delta, dict) else ""
    return str(text or ""), str(first.get("finish_reason") or ""), part.get("usage")


def _may_see(entry: Mapping[str, Any]) -> bool:
    """Whether a model takes pictures; only llama.cpp tells when it does not."""
    architecture = entry.get("architecture")
    told = architecture.get("input_modalities") if isinstance(architecture, dict) else None
    return not isinstance(told, list) or "image" in told


def _window(entry: Mapping[str, Any]) -> int | None:
    """The window of a model, under the names that vLLM, LM Studio, llama.cpp and others give it."""
    names = ("max_model_len", "max_context_length", "context_length", "context_window")
    meta = entry.get("meta")
    told = [*(entry.get(name) for name in names), meta.get("n_ctx") if isinstance(meta, dict) else None]
    return next((found for value in told if (found := count(value))), None)
