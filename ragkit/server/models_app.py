"""The embedded models behind the Ollama and OpenAI APIs, as an application and as a running server."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ragkit.errors import ModelError
from ragkit.ports import LocalModels
from ragkit.server import native, openai_routes
from ragkit.server.requests import ApiError
from ragkit.server.serving import Models

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LOCAL_NAMES = (".localhost", ".local", ".internal")
_ORIGINS = re.compile(
    r"https?://(localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(:\d+)?|(app|file|tauri|vscode-webview|vscode-file)://.*"
)
_STOP_S = 3  # that open replies get to end


def models_app(models: LocalModels, *, only_local: bool = True, environ: Mapping[str, str] | None = None) -> App:
    """The application. `only_local`: take no request that was sent to a public name (the checks that
    Ollama makes when it listens on loopback). OLLAMA_ORIGINS may allow more pages to call it."""
    served = Models(models)
    app = Starlette(
        routes=[*native.routes(served), *openai_routes.routes(served)],
        exception_handlers={
            ApiError: _refused,  # type: ignore[dict-item]
            ModelError: _failed,  # type: ignore[dict-item]
            HTTPException: _unknown,  # type: ignore[dict-item]
        },
    )
    origins = (os.environ if environ is None else environ).get("OLLAMA_ORIGINS", "").split(",")
    return _Guard(app, only_local=only_local, origins=[origin.strip() for origin in origins if origin.strip()])


class _Guard:
    """Stands before everything: requests of foreign pages and to foreign names get 403, no body."""

    def __init__(self, app: App, *, only_local: bool, origins: Sequence[str]) -> None:
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
        if origin and not (_ORIGINS.fullmatch(origin) or {origin, "*"} & set(self._origins)):
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
    return address.is_loopback or address.is_private or address.is_unspecified


async def _refused(request: Request, error: ApiError) -> Response:
    if request.url.path.startswith("/v1/"):
        return openai_routes.error_response(error)
    return native.json_response({"error": error.text}, error.status)


async def _failed(request: Request, error: ModelError) -> Response:
    return await _refused(request, ApiError(500, f"{error.message} {error.hint}".strip()))


async def _unknown(request: Request, error: HTTPException) -> Response:
    words = {404: "404 page not found", 405: "405 method not allowed"}
    return PlainTextResponse(words.get(error.status_code, error.detail), error.status_code)


def serve(app: App, listener: socket.socket) -> None:
    """Serve on a socket that listens already, until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_STOP_S,
    )
    uvicorn.Server(config).run(sockets=[listener])
