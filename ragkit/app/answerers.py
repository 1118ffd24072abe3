"""Picks who answers: a language model where one is configured and reachable, else the embedded one, which quotes."""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING

from ragkit.app.models import ChosenModels, embedded_embedder
from ragkit.store.index_folder import IndexFolder
from ragkit.store.sidecars import evidence_cache
from ragkit.store.vectors.stored import StoredVectors
from ragkit.types.answers import Answer
from ragkit.types.bundle import BundledModel
from ragkit.types.documents import Generation
from ragkit.types.errors import ModelError, ModelUnavailable
from ragkit.types.ports import Answerer, Embedder, Filler
from ragkit.types.search import EvidenceThreshold

if TYPE_CHECKING:
    from ragkit.answering.extractive.answerer import ExtractiveAnswerer
    from ragkit.config.sections import Config


class Answerers:
    """Makes the answerer of an index when the first question comes, and keeps it until `forget`."""

    def __init__(self, index: IndexFolder, chosen: ChosenModels, config: Config) -> None:
        self._index = index
        self._chosen = chosen
        self._config = config
        self._answerer: Answerer | None = None
        self._making = threading.Lock()

    def forget(self) -> None:
        self._answerer = None

    def answerer(self, active: Generation | None) -> Answerer:
        """`active`: the generation that the index is searched by; None for an empty index. Raises ModelError."""
        with self._making:
            if self._answerer is None:
                chat = self._chosen.language_model()
                if chat is None:
                    self._answerer = self._extractive(active)
                else:
                    from ragkit.answering.ask import PromptedAnswerer

                    self._answerer = PromptedAnswerer(chat, ask_again=self._config.models.ask_again)
            return self._answerer

    def filler(self, active: Generation | None) -> Filler:
        """Returns what fills in forms. Raises ModelError."""
        chat = self._chosen.language_model()
        if chat is not None:
            from ragkit.answering.structured.ask import PromptedFiller

            return PromptedFiller(chat, ask_again=self._config.models.ask_again)
        from ragkit.answering.structured.extractive import ExtractiveFiller

        return ExtractiveFiller(self._extractive(active))

    def bundled_models(self, answer: Answer, active: Generation | None) -> list[BundledModel]:
        """Returns the models that had a part in `answer`, with the digests of their weights."""
        found = [BundledModel("embedding", active.model, active.backend, active.digest)] if active else []
        backend = "embedded" if answer.mode == "extractive" else self._config.models.backend
        backend = "ollama" if backend == "auto" else backend  # with a language model, `auto` means Ollama
        return [*found, BundledModel("answer", answer.model, backend, self._digest(backend))]

    def _digest(self, backend: str) -> str:
        """Returns the digest of the answering model's weights, or "" when it cannot be told."""
        if backend == "embedded":
            from ragkit.models.embedded.e5 import WEIGHTS_SHA256

            return WEIGHTS_SHA256
        with contextlib.suppress(ModelError):
            chat_model = self._config.ollama.chat_model
            entry = self._chosen.ollama.installed(chat_model) if backend == "ollama" else None
            return entry.digest if entry else ""
        return ""

    def _extractive(self, active: Generation | None) -> ExtractiveAnswerer:
        """Quotes by the embedded model, whichever model made the index; without it, by the index's own model."""
        from ragkit.answering.extractive.answerer import ExtractiveAnswerer

        embedder = self._chosen.embedder(active, to_index=False) if active is not None else None
        if embedder is None or embedder.backend != "embedded":
            try:
                embedder = embedded_embedder()
            except ModelUnavailable:
                if embedder is None:
                    raise
        return ExtractiveAnswerer(
            embedder, f"extractive ({embedder.model})", partial(self._threshold, embedder), self._index.dense().ordinary
        )

    def _threshold(self, embedder: Embedder) -> EvidenceThreshold:
        """Returns how much evidence an answer from this index needs, measured once for each state of the index."""
        from ragkit.answering.extractive import evidence
        from ragkit.answering.extractive.answerer import measure_threshold

        catalog = self._index.reader()
        stored = StoredVectors(catalog)
        key = f"{embedder.model} {catalog.active_id()} {stored.count()}"
        threshold = evidence_cache.load(self._index.directory, key)
        if threshold is None:
            with catalog.snapshot():
                names, vectors = stored.sample(evidence.SAMPLE)
                chunks = catalog.chunks(names)
            threshold = measure_threshold(embedder, [chunks[name].text for name in names], vectors)
            evidence_cache.save(self._index.directory, key, threshold)
        return threshold
