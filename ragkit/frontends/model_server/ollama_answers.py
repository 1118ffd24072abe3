"""The routes of Ollama's own API that answer: generate and chat, whole or as a stream of lines."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ragkit.frontends.model_server.answers import Answer, answer, limits_of
from ragkit.frontends.model_server.ollama_routes import counted, json_response
from ragkit.frontends.model_server.requests import (
    ApiError,
    body_of,
    field,
    keep_alive_s,
    options_of,
    wants_json,
    window_of,
)
from ragkit.frontends.model_server.work import Models, Served, Use, stamp
from ragkit.types.answers import ChatMessage

_EFFORTS = ("low", "medium", "high", "max")
_ROLES = ("system", "user", "assistant", "tool")

Part = Callable[[str], dict[str, object]]


def routes(models: Models) -> list[Route]:
    api = _Answers(models)
    return [
        Route("/api/generate", api.generate, methods=["POST"]),
        Route("/api/chat", api.chat, methods=["POST"]),
    ]


class _Answers:
    def __init__(self, models: Models) -> None:
        self._models = models

    async def generate(self, request: Request) -> Response:
        body = await body_of(request)
        name, prompt = field(body, "model", str, ""), field(body, "prompt", str, "")
        system, template = field(body, "system", str, ""), field(body, "template", str, "")
        suffix, images = field(body, "suffix", str, ""), field(body, "images", list, [])
        raw = field(body, "raw", bool, False)
        seconds = keep_alive_s(body)
        _check_top_logprobs(body)
        model = self._found(name)
        if not prompt and seconds == 0:
            return self._unloaded(model, name, _response)
        if raw and (system or template or body.get("context")):
            raise ApiError(400, "raw mode does not support template, system, or context")
        _check_able(model, name, body, "generate")
        if suffix:
            raise ApiError(400, f"{model.full_name} does not support insert")
        if images and prompt:
            raise ApiError(400, f"{model.full_name} does not support images")
        messages = [ChatMessage("system", system)] if system else []
        messages += [ChatMessage("user", prompt)] if prompt else []
        return await self._reply(request, body, model, messages if prompt else [], _response)

    async def chat(self, request: Request) -> Response:
        body = await body_of(request)
        name = field(body, "model", str, "")
        messages = [_message(item) for item in field(body, "messages", list, [])]
        tools = field(body, "tools", list, [])
        seconds = keep_alive_s(body)
        _check_top_logprobs(body)
        if not name:
            raise ApiError(400, "model is required")
        model = self._found(name)
        if not messages and seconds == 0:
            return self._unloaded(model, name, _spoken)
        _check_able(model, name, body, "chat")
        if tools:
            raise ApiError(400, f"{model.full_name} does not support tools")
        if any(item.get("images") for item in body.get("messages") or ()):
            raise ApiError(400, f"{model.full_name} does not support images")
        return await self._reply(request, body, model, messages, _spoken)

    def _found(self, name: str) -> Served:
        model = self._models.find(name)
        if model is None:
            raise ApiError(404, f"model '{name}' not found")
        return model

    def _unloaded(self, model: Served, name: str, part: Part) -> Response:
        self._models.unload(model)
        return json_response(_whole(name, part(""), "unload"))

    async def _reply(
        self, request: Request, body: Mapping[str, Any], model: Served, messages: Sequence[ChatMessage], part: Part
    ) -> Response:
        """The answer to the messages; with none, the model is only loaded."""
        started_ns = time.perf_counter_ns()
        options = options_of(body)
        limits = limits_of(window_of(options, model.context_tokens), options, as_json=wants_json(body))
        use = Use(model, keep_alive_s(body), limits.window_tokens)
        if not messages:
            await self._models.run(request, use, lambda check_in: check_in())
            return json_response(_whole(body["model"], part(""), "load"))
        work = self._models.models
        made, waited_ns = await self._models.run(request, use, lambda check: answer(work, messages, limits, check))
        metrics = counted(
            total_duration=time.perf_counter_ns() - started_ns,
            load_duration=waited_ns,
            prompt_eval_count=made.prompt_tokens,
            prompt_eval_duration=made.prompt_ns,
            eval_count=made.answer_tokens,
            eval_duration=made.answer_ns,
        )
        if field(body, "stream", bool, True):
            return StreamingResponse(_lines(body["model"], made, metrics, part), media_type="application/x-ndjson")
        return json_response({**_whole(body["model"], part(made.text), made.done_reason), **metrics})


async def _lines(name: str, made: Answer, metrics: Mapping[str, int], part: Part) -> AsyncIterator[bytes]:
    for piece in made.pieces:
        yield orjson.dumps({"model": name, "created_at": _now(), **part(piece), "done": False}) + b"\n"
    yield orjson.dumps({**_whole(name, part(""), made.done_reason), **metrics}) + b"\n"


def _whole(name: str, part: Mapping[str, object], reason: str) -> dict[str, object]:
    return {"model": name, "created_at": _now(), **part, "done": True, "done_reason": reason}


def _response(text: str) -> dict[str, object]:
    return {"response": text}


def _spoken(text: str) -> dict[str, object]:
    return {"message": {"role": "assistant", "content": text}}


def _check_top_logprobs(body: Mapping[str, Any]) -> None:
    if not 0 <= field(body, "top_logprobs", int, 0) <= 20:
        raise ApiError(400, "top_logprobs must be between 0 and 20")


def _check_able(model: Served, name: str, body: Mapping[str, Any], what: str) -> None:
    """Refuse what the model cannot do, before any work. Raises ApiError."""
    if model.embeds:
        raise ApiError(400, f'"{name}" does not support {what}')
    think = body.get("think")
    if isinstance(think, str) and think not in _EFFORTS:
        efforts = ", ".join(f'"{effort}"' for effort in reversed(_EFFORTS))
        raise ApiError(400, f'invalid think value: "{think}" (must be {efforts}, true, or false)')
    if think is not None and not isinstance(think, bool | str):
        raise ApiError(400, "think must be a boolean or string")
    if think:
        raise ApiError(400, f'"{name}" does not support thinking')


def _message(item: object) -> ChatMessage:
    if not isinstance(item, dict):
        raise ApiError(400, "json: cannot unmarshal into field messages of type object")
    role = field(item, "role", str, "").lower()
    if role not in _ROLES:
        raise ApiError(400, f'invalid role: "{role}"')
    return ChatMessage(role, field(item, "content", str, ""))


def _now() -> str:
    return stamp(datetime.now(UTC))
