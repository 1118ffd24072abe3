"""The routes of the OpenAI API."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ragkit.frontends.model_server.answers import Answer, answer, limits_of
from ragkit.frontends.model_server.ollama_routes import NO_EMBEDDINGS, json_response
from ragkit.frontends.model_server.requests import ApiError, body_of, field
from ragkit.frontends.model_server.vectors import Floats, embedded, shortened
from ragkit.frontends.model_server.work import Models, Served, Use
from ragkit.types.answers import ChatMessage

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}


def routes(models: Models) -> list[Route]:
    api = _OpenAI(models)
    return [
        Route("/v1/models", api.models, methods=["GET"]),
        Route("/v1/models/{name}", api.model, methods=["GET"]),
        Route("/v1/embeddings", api.embeddings, methods=["POST"]),
        Route("/v1/chat/completions", api.chat, methods=["POST"]),
    ]


def error_response(error: ApiError) -> Response:
    kind = {400: "invalid_request_error", 404: "not_found_error"}.get(error.status, "api_error")
    detail = {"message": error.text, "type": kind, "param": None, "code": None}
    return json_response({"error": detail}, error.status)


class _OpenAI:
    def __init__(self, models: Models) -> None:
        self._models = models

    def _entry(self, model: Served) -> dict[str, object]:
        created = int(self._models.started.timestamp())
        return {"id": model.name, "object": "model", "created": created, "owned_by": "library"}

    async def models(self, request: Request) -> Response:
        return json_response({"object": "list", "data": [self._entry(model) for model in self._models.served]})

    async def model(self, request: Request) -> Response:
        return json_response(self._entry(self._found(request.path_params["name"])))

    def _found(self, name: str) -> Served:
        model = self._models.find(name)
        if model is None:
            raise ApiError(404, f"model '{name}' not found")
        return model

    async def embeddings(self, request: Request) -> Response:
        body = await body_of(request)
        given = body.get("input")
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise ApiError(400, "invalid input")
        form = field(body, "encoding_format", str, "float")
        if form not in ("float", "base64"):
            raise ApiError(400, f"Invalid value for 'encoding_format' = {form}. Supported values: ['float', 'base64'].")
        dimensions = field(body, "dimensions", int, 0)
        name = field(body, "model", str, "")
        model = self._models.find(name)
        if model is None:
            raise ApiError(404, f'model "{name}" not found, try pulling it first' if name else "model '' not found")
        if not model.embeds:
            raise ApiError(501, NO_EMBEDDINGS)
        work = embedded(self._models.models, texts, model.context_tokens, None)
        made, _ = await self._models.run(request, Use(model, None, model.context_tokens), work)
        data = [
            {"object": "embedding", "index": at, "embedding": _encoded(shortened(vector, dimensions), form)}
            for at, vector in enumerate(made.vectors)
        ]
        usage = {"prompt_tokens": made.tokens, "total_tokens": made.tokens}
        return json_response({"object": "list", "data": data, "model": name, "usage": usage})

    async def chat(self, request: Request) -> Response:
        body = await body_of(request)
        name = field(body, "model", str, "")
        messages = [_message(item) for item in field(body, "messages", list, [])]
        if not messages:
            raise ApiError(400, "[] is too short - 'messages'")
        if not 0 <= field(body, "top_logprobs", int, 0) <= 20:
            raise ApiError(400, "top_logprobs must be between 0 and 20")
        if not name:
            raise ApiError(400, "model is required")
        model = self._found(name)
        _check_able(model, name, body)
        limits = limits_of(model.context_tokens, _options(body), as_json=_wants_json(body))
        use, work = Use(model, None, model.context_tokens), self._models.models
        made, _ = await self._models.run(request, use, lambda check_in: answer(work, messages, limits, check_in))
        common = {
            "id": f"chatcmpl-{secrets.token_hex(4)}",
            "created": int(time.time()),
            "model": name,
            "system_fingerprint": "fp_ollama",
        }
        if field(body, "stream", bool, False):
            with_usage = bool(field(body, "stream_options", dict, {}).get("include_usage"))
            return StreamingResponse(_events(common, made, with_usage), media_type="text/event-stream")
        message = {"role": "assistant", "content": made.text}
        choice = {"index": 0, "message": message, "finish_reason": made.done_reason}
        return json_response({**common, "object": "chat.completion", "choices": [choice], "usage": _usage(made)})


async def _events(common: Mapping[str, object], made: Answer, with_usage: bool) -> AsyncIterator[bytes]:
    def event(choices: list[dict[str, object]], **more: object) -> bytes:
        value = {**common, "object": "chat.completion.chunk", "choices": choices, **more}
        return b"data: " + orjson.dumps(value) + b"\n\n"

    for piece in made.pieces:
        yield event([{"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": None}])
    yield event([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": made.done_reason}])
    if with_usage:
        yield event([], usage=_usage(made))
    yield b"data: [DONE]\n\n"


def _usage(made: Answer) -> dict[str, int]:
    total = made.prompt_tokens + made.answer_tokens
    return {"prompt_tokens": made.prompt_tokens, "completion_tokens": made.answer_tokens, "total_tokens": total}


def _message(item: object) -> ChatMessage:
    """A message whose content is a text or a list of parts."""
    if not isinstance(item, dict):
        raise ApiError(400, "json: cannot unmarshal into field messages of type object")
    role = _ROLES.get(str(item.get("role", "")).lower())
    if role is None:
        raise ApiError(400, f'invalid role: "{item.get("role", "")}"')
    content = item.get("content")
    if isinstance(content, list):
        if any(not isinstance(part, dict) or part.get("type") != "text" for part in content):
            raise ApiError(400, "this model reads text only")
        content = "\n".join(str(part.get("text", "")) for part in content)
    if content is not None and not isinstance(content, str):
        raise ApiError(400, f"invalid message content type: {type(content).__name__}")
    return ChatMessage(role, content or "")  # type: ignore[arg-type]


def _check_able(model: Served, name: str, body: Mapping[str, Any]) -> None:
    """Refuse what the model cannot do, before any work. Raises ApiError."""
    if model.embeds:
        raise ApiError(400, f'"{name}" does not support chat')
    if field(body, "tools", list, []):
        raise ApiError(400, f"{model.full_name} does not support tools")
    effort = field(body, "reasoning_effort", str) or field(body, "reasoning", dict, {}).get("effort")
    if effort not in (None, "none"):
        raise ApiError(400, f'"{name}" does not support thinking')


def _wants_json(body: Mapping[str, Any]) -> bool:
    kind = field(body, "response_format", dict, {}).get("type", "text")
    if kind == "json_schema":
        raise ApiError(400, "this model quotes: it cannot fill a JSON schema")
    return bool(kind == "json_object")


def _options(body: Mapping[str, Any]) -> dict[str, Any]:
    """Limits under the names of the native API."""
    limit = field(body, "max_completion_tokens", int, 0) or field(body, "max_tokens", int, 0)
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else stop
    if stops is not None and not (isinstance(stops, list) and all(isinstance(item, str) for item in stops)):
        raise ApiError(400, "invalid type for 'stop' field: expected a string or a list of strings")
    return {"num_predict": limit, "stop": stops or []}


def _encoded(vector: Floats, form: str) -> Floats | str:
    if form == "float":
        return vector
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
