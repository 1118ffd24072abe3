"""The served models: their records, how long each stays loaded, and one piece of work at a time."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from ragkit import __version__
from ragkit.frontends.model_server.requests import ApiError
from ragkit.types.ports import CheckIn, LocalModels

OLLAMA_VERSION = "0.33.0"  # whose API is spoken
CHAT_WINDOW_TOKENS = 32_768
MAX_WAITING = 512
_KEEP_ALIVE_S = 300.0
_FOREVER_S = 292 * 365 * 86_400.0

T = TypeVar("T")


@dataclass(frozen=True)
class Served:
    """A model as clients see it."""

    name: str  # with its tag
    digest: str
    size_bytes: int
    family: str
    parameter_size: str
    quantization: str
    capabilities: tuple[str, ...]
    context_tokens: int
    embedding_dimension: int

    @property
    def embeds(self) -> bool:
        return "embedding" in self.capabilities

    @property
    def full_name(self) -> str:
        return f"registry.ollama.ai/library/{self.name}"

    def details(self) -> dict[str, object]:
        return {
            "parent_model": "",
            "format": "onnx",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameter_size,
            "quantization_level": self.quantization,
            "context_length": self.context_tokens,
            "embedding_length": self.embedding_dimension,
        }

    def entry(self) -> dict[str, object]:
        return {"name": self.name, "model": self.name, "size": self.size_bytes, "digest": self.digest}


@dataclass(frozen=True)
class Use:
    """What a request asks of a model beside its work."""

    model: Served
    keep_alive_s: float | None  # None: as it was, negative: for ever
    context_tokens: int


@dataclass(frozen=True)
class _Loaded:
    model: Served
    context_tokens: int
    lifetime_s: float
    until_s: float  # of a monotonic clock


class Models:
    """Both embedded models, which share their weights. Work on them takes turns."""

    def __init__(self, models: LocalModels, max_waiting: int = MAX_WAITING) -> None:
        self.models = models
        self.started = datetime.now(UTC)
        self.served = _served(models)
        self._max_waiting = max_waiting
        self._admitted = 0  # at work, or waiting for their turn
        self._turn = asyncio.Lock()
        self._ending = threading.Event()
        self._loaded: dict[str, _Loaded] = {}
        self._timer: asyncio.TimerHandle | None = None

    def find(self, name: str) -> Served | None:
        """By Ollama's rule: no tag is `latest`, case does not count, the default registry may be named."""
        bare = name.casefold().removeprefix("registry.ollama.ai/").removeprefix("library/")
        wanted = bare if ":" in bare else f"{bare}:latest"
        return next((model for model in self.served if model.name == wanted), None)

    def end(self) -> None:
        """The server ends: whatever is at work stops at its next look. Any thread may call it."""
        self._ending.set()

    # -- work ------------------------------------------------------------------------------------

    async def run(self, request: Request, use: Use, job: Callable[[CheckIn], T]) -> tuple[T, int]:
        """What `job` gives, done in a thread when its turn has come and the weights are there; and the
        nanoseconds before it began. Ends early when the client leaves. Raises ApiError, ModelError."""
        asked_ns = time.perf_counter_ns()
        left = threading.Event()
        # The body was read, so the only message that can still come is that the client is gone.
        gone = asyncio.ensure_future(request.receive())
        gone.add_done_callback(lambda _: left.set())

        def check_in() -> None:
            if self._ending.is_set():
                raise ApiError(503, "the server ends")
            if left.is_set():
                raise ApiError(499, "the client left")

        try:
            async with self._my_turn(gone):
                check_in()
                await run_in_threadpool(self.models.load)
                self._keep(use)
                waited_ns = time.perf_counter_ns() - asked_ns
                try:
                    return await run_in_threadpool(job, check_in), waited_ns
                finally:
                    self._keep(use)
        finally:
            gone.cancel()
            self._sweep()

    @asynccontextmanager
    async def _my_turn(self, gone: asyncio.Future[Any]) -> AsyncIterator[None]:
        if self._admitted > self._max_waiting:  # one of them is at work
            raise ApiError(503, "server busy, please try again.  maximum pending requests exceeded")
        self._admitted += 1
        try:
            turn = asyncio.ensure_future(self._turn.acquire())
            try:
                await asyncio.wait({turn, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not turn.done():
                    turn.cancel()
            if turn.cancelled() or not turn.done():
                raise ApiError(499, "the client left")
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._admitted -= 1

    # -- lifetime --------------------------------------------------------------------------------

    def unload(self, model: Served) -> None:
        self._loaded.pop(model.name, None)
        self._sweep()

    def running(self) -> list[dict[str, object]]:
        """The models in memory, longest remaining lifetime first."""
        now_s = time.monotonic()
        order = sorted(self._loaded.values(), key=lambda loaded: -loaded.until_s)
        return [_running(loaded, loaded.until_s - now_s) for loaded in order]

    def _keep(self, use: Use) -> None:
        """The model is in use: its lifetime begins anew; a request that names none leaves it as it was."""
        before = self._loaded.get(use.model.name)
        lifetime_s = use.keep_alive_s
        if lifetime_s is None:
            lifetime_s = before.lifetime_s if before else _KEEP_ALIVE_S
        lifetime_s = min(lifetime_s, _FOREVER_S) if lifetime_s >= 0 else _FOREVER_S
        until_s = time.monotonic() + lifetime_s
        self._loaded[use.model.name] = _Loaded(use.model, use.context_tokens, lifetime_s, until_s)

    def _sweep(self) -> None:
        """Let go of the models whose time is up, and come again when the next one's is."""
        if self._timer:
            self._timer.cancel()
        if self._admitted:
            return  # whoever has the turn sweeps after it
        now_s = time.monotonic()
        self._loaded = {name: loaded for name, loaded in self._loaded.items() if loaded.until_s > now_s}
        if not self._loaded:
            self.models.unload()
            return
        next_s = min(loaded.until_s for loaded in self._loaded.values()) - now_s
        if next_s < _FOREVER_S / 2:
            self._timer = asyncio.get_running_loop().call_later(next_s, self._sweep)


def _served(models: LocalModels) -> tuple[Served, Served]:
    chat_digest = hashlib.sha256(f"{models.digest} extractive {__version__}".encode()).hexdigest()

    def served(name: str, digest: str, family: str, capability: str, context_tokens: int) -> Served:
        return Served(
            f"{name}:latest", digest, models.weights_bytes, family, "118M", "Q4_0", (capability,),
            context_tokens, models.dimension,
        )  # fmt: skip

    return (
        served(models.embed_model, models.digest, "bert", "embedding", models.max_tokens),
        served(models.chat_model, chat_digest, "extractive", "completion", CHAT_WINDOW_TOKENS),
    )


def _running(loaded: _Loaded, left_s: float) -> dict[str, object]:
    return {
        **loaded.model.entry(),
        "details": loaded.model.details(),
        "expires_at": stamp(datetime.now(UTC) + timedelta(seconds=left_s)),
        "size_vram": 0,
        "context_length": loaded.context_tokens,
    }


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
