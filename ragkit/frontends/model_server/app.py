"""The embedded models behind the Ollama and OpenAI APIs, as an application and as a running server."""

from __future__ import annotations

import fnmatch
import ipaddress
import logging
import os
import re
import socket
import types
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ragkit.frontends.model_server import ollama_answers, ollama_routes, openai_routes
from ragkit.frontends.model_server.requests import ApiError
from ragkit.frontends.model_server.work import MAX_WAITING, Models
from ragkit.types.errors import ModelError
from ragkit.types.ports import LocalModels

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LOCAL_NAMES = (".localhost", ".local", ".internal")
_ORIGINS = r"https?://(localhost|127\.0\.0\.1|0\.0\.0\.0)(:\d+)?|(app|file|tauri|vscode-webview|vscode-file)://.*"
_PRIVATE = [ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
_STOP_S = 3  # that open replies get to end


class ModelsApp:
    """The application: an ASGI callable."""

    def __init__(
        self, models: LocalModels, *, only_local: bool = True, environ: Mapping[str, str] | None = None
    ) -> None:
        """`only_local`: take no request that was sent to a public name (the checks that Ollama makes when it
        listens on loopback). OLLAMA_ORIGINS lets more pages call it; OLLAMA_MAX_QUEUE bounds the queue."""
        env = os.environ if environ is None else environ
        queue = env.get("OLLAMA_MAX_QUEUE", "")
        self._models = Models(models, int(queue) if queue.isdecimal() else MAX_WAITING)
        origins = _allowed_origins(env.get("OLLAMA_ORIGINS", ""))
        self._app = _Guard(_answering_pages(_routed(self._models), origins), origins, only_local=only_local)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def end(self) -> None:
        """Let go of the work in hand. Any thread may call it."""
        self._models.end()


def _routed(models: Models) -> App:
    return Starlette(
        routes=[*ollama_routes.routes(models), *ollama_answers.routes(models), *openai_routes.routes(models)],
        exception_handlers={
            ApiError: _refused,  # type: ignore[dict-item]
            ModelError: _failed,  # type: ignore[dict-item]
            HTTPException: _unknown,  # type: ignore[dict-item]
            Exception: _broken,
        },
    )


def _allowed_origins(more: str) -> re.Pattern[str]:
    """The pages that may call, with those of a list in which `*` stands for anything."""
    patterns = [fnmatch.translate(origin.strip()) for origin in more.split(",") if origin.strip()]
    return re.compile("|".join([_ORIGINS, *patterns]))


def _answering_pages(app: App, origins: re.Pattern[str]) -> App:
    """Browsers ask first, and want to be told that the page may read the answer."""
    return CORSMiddleware(
        app, allow_origin_regex=origins.pattern, allow_methods=["GET", "HEAD", "POST"], allow_headers=["*"]
    )


class _Guard:
    """Stands before everything: requests of foreign pages and to foreign names get 403, no body."""

    def __init__(self, app: App, origins: re.Pattern[str], *, only_local: bool) -> None:
        self._app = app
        self._only_local = only_local
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._allowed(dict(scope["headers"])):
            await Response(status_code=403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _allowed(self, headers: Mapping[bytes, bytes]) -> bool:
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and not self._origins.fullmatch(origin):
            return False
        return not self._only_local or _is_local(headers.get(b"host", b"").decode("latin-1"))


def _is_local(host: str) -> bool:
    """Whether a Host header names this machine or its own network."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    name = name.strip("[]").casefold()
    if name in ("", "localhost", socket.gethostname().casefold()) or name.endswith(_LOCAL_NAMES):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified or any(address in net for net in _PRIVATE)


async def _refused(request: Request, error: ApiError) -> Response:
    if request.url.path.startswith("/v1/"):
        return openai_routes.error_response(error)
    return ollama_routes.json_response({"error": error.text}, error.status)


async def _failed(request: Request, error: ModelError) -> Response:
    return await _refused(request, ApiError(500, f"{error.message} {error.hint}".strip()))


async def _unknown(request: Request, error: HTTPException) -> Response:
    words = {404: "404 page not found", 405: "405 method not allowed"}
    return PlainTextResponse(words.get(error.status_code, error.detail), error.status_code)


async def _broken(request: Request, error: Exception) -> Response:
    return Response(status_code=500)


class _Server(uvicorn.Server):
    """Lets go of its work as soon as it is asked to end; what is cut off then is no error."""

    def handle_exit(self, sig: int, frame: types.FrameType | None) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        app = self.config.app
        assert isinstance(app, ModelsApp)
        app.end()
        super().handle_exit(sig, frame)


def serve(app: ModelsApp, listener: socket.socket) -> None:
    """Serve on a socket that listens already, until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_STOP_S,
    )
    _Server(config).run(sockets=[listener])
