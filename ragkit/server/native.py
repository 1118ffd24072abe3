"""The routes of Ollama's own API."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ragkit.server.answers import Answer, answer
from ragkit.server.requests import ApiError, body_of, field, keep_alive_s, options_of, wants_json
from ragkit.server.serving import DEFAULT_KEEP_ALIVE_S, OLLAMA_VERSION, Models, Served, shortened, stamp
from ragkit.types import ChatMessage

_NO_EMBEDDINGS = "this server does not support embeddings. Start it with `--embeddings`"
_EFFORTS = ("low", "medium", "high", "max")
_ROLES = ("system", "user", "assistant", "tool")


def routes(models: Models) -> list[Route]:
    api = _Native(models)
    return [
        Route("/", api.root, methods=["GET", "HEAD"]),
        Route("/api/version", api.version, methods=["GET", "HEAD"]),
        Route("/api/tags", api.tags, methods=["GET", "HEAD"]),
        Route("/api/ps", api.ps, methods=["GET"]),
        Route("/api/show", api.show, methods=["POST"]),
        Route("/api/embed", api.embed, methods=["POST"]),
        Route("/api/embeddings", api.embeddings, methods=["POST"]),
        Route("/api/generate", api.generate, methods=["POST"]),
        Route("/api/chat", api.chat, methods=["POST"]),
    ]


def json_response(value: object, status: int = 200) -> Response:
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)  # float32 in its shortest form
    return Response(body, status, media_type="application/json; charset=utf-8")


class _Native:
    def __init__(self, models: Models) -> None:
        self._models = models

    async def root(self, request: Request) -> Response:
        return PlainTextResponse("Ollama is running")

    async def version(self, request: Request) -> Response:
        return json_response({"version": OLLAMA_VERSION})

    async def tags(self, request: Request) -> Response:
        entries = [
            {
                **model.entry(),
                "modified_at": stamp(self._models.started),
                "details": model.details(),
                "capabilities": list(model.capabilities),
            }
            for model in self._models.served
        ]
        return json_response({"models": entries})

    async def ps(self, request: Request) -> Response:
        return json_response({"models": self._models.running()})

    async def show(self, request: Request) -> Response:
        body = await body_of(request)
        name = field(body, "model", str, "") or field(body, "name", str, "")
        if not name:
            raise ApiError(400, "model is required")
        model = self._models.find(name)
        if model is None:
            raise ApiError(404, f"model '{name if ':' in name else name + ':latest'}' not found")
        info = {
            "general.architecture": model.family,
            "general.basename": model.name.partition(":")[0],
            f"{model.family}.context_length": model.context_tokens,
            f"{model.family}.embedding_length": model.embedding_dimension,
        }
        record = {"details": model.details(), "model_info": info, "capabilities": list(model.capabilities)}
        return json_response({**record, "modified_at": stamp(self._models.started), "template": "{{ .Prompt }}"})

    # -- embeddings ------------------------------------------------------------------------------

    async def embed(self, request: Request) -> Response:
        started = time.perf_counter_ns()
        body = await body_of(request)
        name = field(body, "model", str, "")
        texts = _inputs(body.get("input"))
        truncate, dimensions = field(body, "truncate", bool, True), int(field(body, "dimensions", int, 0))
        options_of(body)
        seconds = keep_alive_s(body, DEFAULT_KEEP_ALIVE_S)
        model = self._embedding_model(name, f"model '{name}' not found" if not name else "")
        if not model.embeds:
            raise ApiError(501, _NO_EMBEDDINGS)
        if not truncate:
            await self._models.work(lambda: self._refuse_long(texts, model))
        vectors, tokens = await self._models.vectors(texts, request.is_disconnected)
        await self._models.work(self._models.models.load)
        self._models.keep(model, seconds)
        reply: dict[str, object] = {"model": name, "embeddings": [shortened(vector, dimensions) for vector in vectors]}
        if texts:
            reply |= {"total_duration": time.perf_counter_ns() - started, "prompt_eval_count": tokens}
        return json_response(reply)

    async def embeddings(self, request: Request) -> Response:
        body = await body_of(request)
        name, prompt = field(body, "model", str, ""), field(body, "prompt", str, "")
        options_of(body)
        seconds = keep_alive_s(body, DEFAULT_KEEP_ALIVE_S)
        if not name:
            raise ApiError(400, "model is required")
        model = self._embedding_model(name, "")
        if not model.embeds:
            raise ApiError(500, _NO_EMBEDDINGS)
        vectors, _ = await self._models.vectors([prompt] if prompt else [], request.is_disconnected)
        self._models.keep(model, seconds)
        return json_response({"embedding": [float(value) for value in vectors[0]] if vectors else []})

    def _embedding_model(self, name: str, missing: str) -> Served:
        model = self._models.find(name)
        if model is None:
            raise ApiError(404, missing or f'model "{name}" not found, try pulling it first')
        return model

    def _refuse_long(self, texts: list[str], model: Served) -> None:
        if any(self._models.models.count_tokens(text) + 2 > model.context_tokens for text in texts):
            raise ApiError(400, "the input length exceeds the context length")

    # -- answers ---------------------------------------------------------------------------------

    async def generate(self, request: Request) -> Response:
        started = time.perf_counter_ns()
        body = await body_of(request)
        name, prompt = field(body, "model", str, ""), field(body, "prompt", str, "")
        system, template = field(body, "system", str, ""), field(body, "template", str, "")
        options, seconds = options_of(body), keep_alive_s(body, DEFAULT_KEEP_ALIVE_S)
        model = self._models.find(name)
        if model is None:
            raise ApiError(404, f"model '{name}' not found")
        if not prompt and seconds == 0:
            return self._loaded(model, name, 0.0, {"response": ""}, "unload", options)
        self._check_able(model, name, body, "generate")
        if field(body, "raw", bool, False) and (system or template or body.get("context")):
            raise ApiError(400, "raw mode does not support template, system, or context")
        if field(body, "suffix", str, ""):
            raise ApiError(400, f"{_full(model)} does not support insert")
        if not prompt:
            await self._models.work(self._models.models.load)
            return self._loaded(model, name, seconds, {"response": ""}, "load", options)
        messages = [ChatMessage("system", system)] if system else []
        messages.append(ChatMessage("user", prompt))
        made = await self._answered(model, messages, body, options, seconds)
        return _sent(body, name, made, started, lambda text: {"response": text})

    async def chat(self, request: Request) -> Response:
        started = time.perf_counter_ns()
        body = await body_of(request)
        name = field(body, "model", str, "")
        if not name:
            raise ApiError(400, "model is required")
        options, seconds = options_of(body), keep_alive_s(body, DEFAULT_KEEP_ALIVE_S)
        messages = [_message(item) for item in field(body, "messages", list, [])]
        model = self._models.find(name)
        if model is None:
            raise ApiError(404, f"model '{name}' not found")
        empty: dict[str, object] = {"message": {"role": "assistant", "content": ""}}
        if not messages and seconds == 0:
            return self._loaded(model, name, 0.0, empty, "unload", options)
        self._check_able(model, name, body, "chat")
        if not messages:
            await self._models.work(self._models.models.load)
            return self._loaded(model, name, seconds, empty, "load", options)
        if any(isinstance(item, dict) and item.get("images") for item in body["messages"]):
            raise ApiError(400, f"{_full(model)} does not support images")
        made = await self._answered(model, messages, body, options, seconds)
        return _sent(body, name, made, started, lambda text: {"message": {"role": "assistant", "content": text}})

    def _check_able(self, model: Served, name: str, body: Mapping[str, Any], what: str) -> None:
        """Refuse what the model cannot do, before any work. Raises ApiError."""
        if model.embeds:
            raise ApiError(400, f'"{name}" does not support {what}')
        if field(body, "tools", list, []):
            raise ApiError(400, f"{_full(model)} does not support tools")
        if what == "generate" and body.get("prompt") and field(body, "images", list, []):
            raise ApiError(400, f"{_full(model)} does not support images")
        think = body.get("think")
        if isinstance(think, str) and think not in _EFFORTS:
            raise ApiError(400, f'invalid think value: "{think}" (must be "high", "medium", "low", true, or false)')
        if think:
            raise ApiError(400, f'"{name}" does not support thinking')
        if not 0 <= int(field(body, "top_logprobs", int, 0)) <= 20:
            raise ApiError(400, "top_logprobs must be between 0 and 20")
        wants_json(body)

    async def _answered(
        self,
        model: Served,
        messages: list[ChatMessage],
        body: Mapping[str, Any],
        options: Mapping[str, Any],
        seconds: float,
    ) -> Answer:
        as_json = wants_json(body)
        made = await self._models.work(lambda: answer(self._models, messages, options, as_json=as_json))
        self._models.keep(model, seconds, _window(model, options))
        return made

    def _loaded(
        self, model: Served, name: str, seconds: float, part: dict[str, object], reason: str, options: Mapping[str, Any]
    ) -> Response:
        self._models.keep(model, seconds, _window(model, options))
        return json_response({"model": name, "created_at": _now(), **part, "done": True, "done_reason": reason})


def _sent(
    body: Mapping[str, Any], name: str, made: Answer, started: int, part: Callable[[str], dict[str, object]]
) -> Response:
    """The answer as one object, or as a stream of lines."""

    def last(text: str) -> dict[str, object]:
        metrics = {
            "total_duration": time.perf_counter_ns() - started,
            "prompt_eval_count": made.prompt_tokens,
            "prompt_eval_duration": made.prompt_ns,
            "eval_count": made.answer_tokens,
            "eval_duration": made.answer_ns,
        }
        counted = {key: value for key, value in metrics.items() if value}
        head = {"model": name, "created_at": _now(), **part(text), "done": True, "done_reason": made.done_reason}
        return {**head, **counted}

    async def lines() -> AsyncIterator[bytes]:
        for piece in made.pieces:
            yield orjson.dumps({"model": name, "created_at": _now(), **part(piece), "done": False}) + b"\n"
        yield orjson.dumps(last("")) + b"\n"

    if field(body, "stream", bool, True):
        return StreamingResponse(lines(), media_type="application/x-ndjson")
    return json_response(last(made.text))


def _inputs(value: object) -> list[str]:
    if value is None or value == "":
        return []
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "invalid input type")
    return texts


def _message(item: object) -> ChatMessage:
    if not isinstance(item, dict):
        raise ApiError(400, "json: cannot unmarshal into field messages of type object")
    role = str(field(item, "role", str, "")).lower()
    if role not in _ROLES:
        raise ApiError(400, f'invalid role: "{role}"')
    return ChatMessage(role, field(item, "content", str, ""))  # type: ignore[arg-type]


def _window(model: Served, options: Mapping[str, Any]) -> int:
    return min(max(int(options.get("num_ctx") or model.context_tokens), 4), model.context_tokens)


def _full(model: Served) -> str:
    return f"registry.ollama.ai/library/{model.name}"


def _now() -> str:
    return stamp(datetime.now(UTC))
