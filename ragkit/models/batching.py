"""Many texts to a served embedding model: requests of a bounded time, bad texts found and left alone.

What a server returns is never trusted: the number of vectors, their dimension, finite numbers and a
length above zero are checked, and every vector is brought to unit length.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import cast

from ragkit.config.sections import Config, RequestsConfig
from ragkit.i18n.messages import coded
from ragkit.models.families import Expectations
from ragkit.models.tokens import SAMPLES, Scale
from ragkit.types.documents import EmbedFault, Vector
from ragkit.types.errors import (
    BadReply,
    ContextOverflow,
    EndpointMissing,
    ModelError,
    ModelNotFound,
    ModelTimeout,
    ModelUnable,
    ModelUnavailable,
)

_PARALLEL = 2  # requests at once: one is computed while the next one travels
_MAX_TEXTS = 64  # in one request; slow servers get fewer
_FIRST_TEXTS = 8  # in the first request, when the server's speed is not known yet
_BATCH_S = 8.0  # that a request should take at the most, well under any timeout
_HOPELESS = (ModelNotFound, ModelUnavailable, ModelTimeout, ModelUnable, EndpointMissing)
_TINY = 1e-12  # a shorter vector has no direction
_KNOWN_GOOD = "ragkit"

Rows = Callable[[Sequence[str], bool], Sequence[object]]
"""Vectors of texts as the server gives them, each a list of numbers; the flag: try again what may pass."""


class Batches:
    """Embeds any number of texts through `rows`. `abort` ends requests that other threads wait in."""

    def __init__(self, rows: Rows, model: str, settings: RequestsConfig, abort: Callable[[], None]) -> None:
        self._rows = rows
        self._model = model
        self._settings = settings
        self._abort = abort
        self.dimension = 0  # 0: not known yet, any will do
        self._batch_texts = _FIRST_TEXTS
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> list[Vector | EmbedFault]:
        """A vector of unit length for each text, or why there is none.

        Raises ModelError when it is the server or the model that fails, and not a text.
        """
        if len(texts) <= self._batch_texts:
            return self._timed(texts) if texts else []
        found: list[Vector | EmbedFault] = []
        waiting: list[Future[list[Vector | EmbedFault]]] = []
        at = 0
        with ThreadPoolExecutor(_PARALLEL, "ragkit-embed") as pool:
            try:
                while at < len(texts) or waiting:
                    while at < len(texts) and len(waiting) < _PARALLEL:
                        size = self._batch_texts
                        waiting.append(pool.submit(self._timed, texts[at : at + size]))
                        at += size
                    found += waiting.pop(0).result()
            except BaseException:
                for future in waiting:
                    future.cancel()
                self._abort()
                raise
        return found

    def one(self, text: str) -> Vector:
        """The vector of one text that must have one. Raises ModelError."""
        [vector] = self.embed([text])
        if isinstance(vector, EmbedFault):
            raise BadReply("The question has no vector: {why}.", hint="Ask in other words.", why=vector.reason)
        return vector

    def abort(self) -> None:
        """End the requests that other threads are waiting in."""
        self._abort()

    def _timed(self, texts: Sequence[str]) -> list[Vector | EmbedFault]:
        """One batch; teaches the size of the next ones."""
        started = time.monotonic()
        found = self._halved(texts, retry=True)
        seconds = max(time.monotonic() - started, 1e-4)
        limit_s = min(_BATCH_S, self._settings.first_byte_timeout_s / 4)
        fitting = int(len(texts) * limit_s / seconds)
        with self._lock:
            grown = min(fitting, 4 * self._batch_texts, _MAX_TEXTS)
            if len(texts) >= self._batch_texts or fitting < self._batch_texts:
                self._batch_texts = max(grown, 1)
        return found

    def _halved(self, texts: Sequence[str], *, retry: bool) -> list[Vector | EmbedFault]:
        """Vectors of `texts`; a batch that is refused is halved until the bad text is alone."""
        try:
            found = [self._checked(row) for row in self._rows(texts, retry)]
        except _HOPELESS:
            raise
        except ModelError as exc:
            if len(texts) > 1:
                half = len(texts) // 2
                return self._halved(texts[:half], retry=False) + self._halved(texts[half:], retry=False)
            return [self._fault(texts[0], exc)]
        if len(texts) > 1:
            for at, vector in enumerate(found):
                if isinstance(vector, EmbedFault):  # it may have been the batch's fault
                    found[at : at + 1] = self._halved(texts[at : at + 1], retry=False)
        return found

    def _fault(self, text: str, exc: ModelError) -> EmbedFault:
        """The fault of one text; raises instead when the model cannot embed anything any more."""
        if not isinstance(exc, ContextOverflow) and text != _KNOWN_GOOD:
            self._rows([_KNOWN_GOOD], True)
        return EmbedFault(exc.message)

    def first(self, text: str) -> Vector:
        """One vector; fixes the dimension that all others must have. Raises ModelError."""
        [row] = self._rows([text], True)
        vector = self._checked(row)
        if isinstance(vector, EmbedFault):
            raise BadReply(
                "The embedding model {model} gives no usable vector: {why}.",
                hint="Load it anew or use another model; `ragkit doctor` tries it.",
                model=self._model,
                why=vector.reason,
            )
        self.dimension = len(vector)
        return vector

    def _checked(self, row: object) -> Vector | EmbedFault:
        """A row of numbers as a vector of unit length, or what is wrong with it."""
        import numpy

        try:
            numbers = numpy.frombuffer(array("d", cast("list[float]", row)), numpy.float64)
        except (TypeError, OverflowError):
            return EmbedFault(coded("vector_not_numbers", "the vector holds something that is not a number"))
        if self.dimension and len(numbers) != self.dimension:
            return EmbedFault(
                coded(
                    "vector_wrong_size",
                    "the vector has {found} numbers, not {wanted}",
                    found=len(numbers),
                    wanted=self.dimension,
                )
            )
        length = float(numpy.sqrt(numbers @ numbers)) if len(numbers) else 0.0
        if not numpy.isfinite(length) or length < _TINY:
            return EmbedFault(coded("vector_zero", "the vector is zero or not finite"))
        return array("f", (numbers / length).astype(numpy.float32).tobytes())


class ServedEmbedder(ABC):
    """What the `Embedder` ports over a server share: prefixes, counting, batches."""

    digest: str

    def __init__(self, model: str, expected: Expectations, config: Config, abort: Callable[[], None]) -> None:
        """Asks for the vectors of two samples, to learn the dimension and how the model counts."""
        self.model = model
        self.query_prefix, self.document_prefix = expected.query_prefix, expected.document_prefix
        self._dimensions = config.embedding.dimensions
        self._scale = Scale()
        self._batches = Batches(self._rows, model, config.requests, abort)
        for sample in SAMPLES:
            self._batches.first(sample)
        self.dimension = self._batches.dimension
        self.max_tokens = max(expected.max_tokens - self._scale.count(self.document_prefix) - 8, 32)

    @abstractmethod
    def _rows(self, texts: Sequence[str], retry: bool) -> Sequence[object]:
        """See `Rows`."""

    def count_tokens(self, text: str) -> int:
        return self._scale.count(text)

    def embed_documents(self, texts: Sequence[str]) -> list[Vector | EmbedFault]:
        return self._batches.embed([self.document_prefix + text for text in texts])

    def embed_query(self, text: str) -> Vector:
        return self._batches.one(self.query_prefix + text)

    def abort(self) -> None:
        self._batches.abort()

    def _learn(self, texts: Sequence[str], counted: object) -> None:
        """The server read `texts` as `counted` tokens, if it tells; samples teach the scale."""
        if len(texts) == 1 and texts[0] in SAMPLES and isinstance(counted, int):
            self._scale.learn(texts[0], counted)
