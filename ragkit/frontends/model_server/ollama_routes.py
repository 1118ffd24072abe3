"""The routes of Ollama's own API that tell of models and embed. `native_answers` has those that answer."""

from __future__ import annotations

import time

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ragkit.frontends.model_server.requests import ApiError, body_of, field, keep_alive_s, options_of, window_of
from ragkit.frontends.model_server.vectors import embedded, shortened
from ragkit.frontends.model_server.work import OLLAMA_VERSION, Models, Served, Use, stamp
from ragkit.types.errors import ModelError, ModelUnavailable

NO_EMBEDDINGS = "this server does not support embeddings. Start it with `--embeddings`"


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
    ]


def json_response(value: object, status: int = 200) -> Response:
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)  # float32 in its shortest form
    return Response(body, status, media_type="application/json; charset=utf-8")


def counted(**metrics: int) -> dict[str, int]:
    """Those that are not zero."""
    return {name: value for name, value in metrics.items() if value}


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
                "capabilities": model.capabilities,
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
        record = {"details": model.details(), "model_info": info, "capabilities": model.capabilities}
        return json_response({**record, "modified_at": stamp(self._models.started), "template": "{{ .Prompt }}"})

    async def embed(self, request: Request) -> Response:
        started_ns = time.perf_counter_ns()
        body = await body_of(request)
        name, truncate = field(body, "model", str, ""), field(body, "truncate", bool, True)
        dimensions, seconds = field(body, "dimensions", int, 0), keep_alive_s(body)
        texts = _inputs(body.get("input"))
        model = self._embedding_model(name, f"model '{name}' not found" if not name else "", 501)
        window = window_of(options_of(body), model.context_tokens)
        work = embedded(self._models.models, texts, window, None if truncate else _too_long)
        try:
            made, waited_ns = await self._models.run(request, Use(model, seconds, window), work)
        except ModelUnavailable:
            raise
        except ModelError as exc:  # this route has 400 for whatever goes wrong in the model
            raise ApiError(400, str(exc)) from exc
        reply = {"model": name, "embeddings": [shortened(vector, dimensions) for vector in made.vectors]}
        total_ns = time.perf_counter_ns() - started_ns
        metrics = counted(total_duration=total_ns, load_duration=waited_ns, prompt_eval_count=made.tokens)
        return json_response({**reply, **(metrics if texts else {})})

    async def embeddings(self, request: Request) -> Response:
        body = await body_of(request)
        name, prompt = field(body, "model", str, ""), field(body, "prompt", str, "")
        seconds = keep_alive_s(body)
        if not name:
            raise ApiError(400, "model is required")
        model = self._embedding_model(name, "", 500)
        window = window_of(options_of(body), model.context_tokens)
        work = embedded(
            self._models.models, [prompt] if prompt else [], window, lambda tokens: _too_large(tokens, window)
        )
        made, _ = await self._models.run(request, Use(model, seconds, window), work)
        return json_response({"embedding": [float(value) for vector in made.vectors for value in vector]})

    def _embedding_model(self, name: str, missing: str, unable_status: int) -> Served:
        model = self._models.find(name)
        if model is None:
            raise ApiError(404, missing or f'model "{name}" not found, try pulling it first')
        if not model.embeds:
            raise ApiError(unable_status, NO_EMBEDDINGS)
        return model


def _too_long(tokens: int) -> ApiError:
    return ApiError(400, "the input length exceeds the context length")


def _too_large(tokens: int, window: int) -> ApiError:
    return ApiError(
        500,
        f"input ({tokens} tokens) is too large to process. increase the physical batch size "
        f"(current batch size: {window})",
    )


def _inputs(value: object) -> list[str]:
    if value is None or value == "":
        return []
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "invalid input type")
    return texts
