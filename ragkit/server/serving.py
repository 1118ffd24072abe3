"""The served models: their records, how long each stays loaded, and one piece of work at a time."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from starlette.concurrency import run_in_threadpool

from ragkit import __version__
from ragkit.ports import LocalModels
from ragkit.server.requests import ApiError

OLLAMA_VERSION = "0.33.0"  # whose API is spoken
DEFAULT_KEEP_ALIVE_S = 300.0
FOREVER_S = 292 * 365 * 86_400.0
CHAT_WINDOW_TOKENS = 32_768
_MAX_WAITING = 512
_EMBED_AT_ONCE = 32  # texts between two looks at whether the client is still there

T = TypeVar("T")
Floats = npt.NDArray[np.float32]


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

    def details(self) -> dict[str, object]:
        return {
            "parent_model": "",
            "format": "onnx",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameter_size,
            "quantization_level": self.quantization,
        }

    def entry(self) -> dict[str, object]:
        return {"name": self.name, "model": self.name, "size": self.size_bytes, "digest": self.digest}


@dataclass
class Loaded:
    until_s: float  # of a monotonic clock
    context_tokens: int


@dataclass
class Models:
    """Both embedded models. Work on them takes turns; more than `_MAX_WAITING` requests are refused."""

    models: LocalModels
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._loaded: dict[str, Loaded] = {}
        embed_digest = self.models.digest
        chat_digest = hashlib.sha256(f"{embed_digest} extractive {__version__}".encode()).hexdigest()
        dimension, size = self.models.dimension, self.models.weights_bytes
        self.served = (
            Served(
                f"{self.models.embed_model}:latest", embed_digest, size, "bert", "118M", "Q4_0", ("embedding",),
                self.models.max_tokens, dimension,
            ),
            Served(
                f"{self.models.chat_model}:latest", chat_digest, size, "extractive", "118M", "Q4_0", ("completion",),
                CHAT_WINDOW_TOKENS, dimension,
            ),
        )  # fmt: skip

    def find(self, name: str) -> Served | None:
        """By Ollama's rule: no tag is `latest`, case does not count, the default registry may be named."""
        bare = name.casefold().removeprefix("registry.ollama.ai/").removeprefix("library/")
        wanted = bare if ":" in bare else f"{bare}:latest"
        return next((model for model in self.served if model.name == wanted), None)

    # -- lifetime --------------------------------------------------------------------------------

    def keep(self, model: Served, seconds: float, context_tokens: int | None = None) -> None:
        """`model` was used: it stays for `seconds` (negative: for ever), 0 lets go of it."""
        if seconds == 0:
            self._loaded.pop(model.name, None)
        else:
            until_s = time.monotonic() + (seconds if seconds > 0 else FOREVER_S)
            self._loaded[model.name] = Loaded(until_s, context_tokens or model.context_tokens)
        if not self._loaded:
            self.models.unload()

    def running(self) -> list[dict[str, object]]:
        """The models in memory, longest remaining lifetime first."""
        now = time.monotonic()
        for name in [name for name, loaded in self._loaded.items() if loaded.until_s <= now]:
            del self._loaded[name]
        if not self._loaded and not self._turn.locked():
            self.models.unload()
        order = sorted(self._loaded.items(), key=lambda item: -item[1].until_s)
        return [self._running(name, loaded, now) for name, loaded in order]

    def _running(self, name: str, loaded: Loaded, now: float) -> dict[str, object]:
        model = self.find(name)
        assert model is not None
        expires = datetime.now(UTC) + timedelta(seconds=loaded.until_s - now)
        return {
            **model.entry(),
            "details": model.details(),
            "expires_at": stamp(expires),
            "size_vram": 0,
            "context_length": loaded.context_tokens,
        }

    # -- work ------------------------------------------------------------------------------------

    async def vectors(self, texts: Sequence[str], gone: Callable[[], Any] | None = None) -> tuple[list[Floats], int]:
        """A vector for each text as it stands, and the tokens read. Stops when the client is gone."""
        found: list[Floats] = []
        async with self._my_turn():
            counts = await run_in_threadpool(lambda: [self.models.count_tokens(text) for text in texts])
            for at in range(0, len(texts), _EMBED_AT_ONCE):
                if gone is not None and await gone():
                    raise ApiError(499, "the client left")
                part = texts[at : at + _EMBED_AT_ONCE]
                embedded = await run_in_threadpool(self.models.embed, part)
                found += [np.frombuffer(vector, np.float32) for vector in embedded]
        return found, sum(counts)

    async def work(self, what: Callable[[], T]) -> T:
        """`what` in a thread, when its turn has come."""
        async with self._my_turn():
            return await run_in_threadpool(what)

    @asynccontextmanager
    async def _my_turn(self) -> AsyncIterator[None]:
        if self._waiting >= _MAX_WAITING:
            raise ApiError(503, "server busy, please try again.  maximum pending requests exceeded")
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def shortened(vector: Floats, dimensions: int) -> Floats:
    """The first `dimensions` numbers, brought to unit length again; 0 or too many: the whole vector."""
    if not 0 < dimensions < len(vector):
        return vector
    part = vector[:dimensions]
    return part / (np.linalg.norm(part) or 1.0)
