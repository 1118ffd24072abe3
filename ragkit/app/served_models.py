"""The embedded models under the names that they are served by."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ragkit.answering.extractive.chat import ExtractiveChat
from ragkit.models.embedded.e5 import WEIGHTS_BYTES, WEIGHTS_SHA256
from ragkit.models.embedded.embedder import EMBED_DIMENSION, EMBED_TOKENS, MODEL, EmbeddedEmbedder
from ragkit.types.answers import ChatMessage, Completion
from ragkit.types.documents import Vector
from ragkit.types.ports import CheckIn


class EmbeddedModels:
    """Both models under the names that they are served by. Loaded when first used."""

    embed_model = MODEL
    chat_model = ExtractiveChat.model
    digest = WEIGHTS_SHA256
    dimension = EMBED_DIMENSION
    max_tokens = EMBED_TOKENS
    weights_bytes = WEIGHTS_BYTES

    def __init__(self) -> None:
        self._embedder: EmbeddedEmbedder | None = None
        self._lock = threading.Lock()

    def _loaded(self) -> EmbeddedEmbedder:
        with self._lock:
            if self._embedder is None:
                self._embedder = EmbeddedEmbedder()
            return self._embedder

    def load(self) -> None:
        """Raises ModelUnavailable when the weights are not installed."""
        self._loaded()

    def unload(self) -> None:
        with self._lock:
            self._embedder = None

    def count_tokens(self, text: str) -> int:
        return self._loaded().count_tokens(text)

    def embed(self, texts: Sequence[str], most_tokens: int) -> list[Vector]:
        return self._loaded().embed_truncated(texts, most_tokens)

    def reply(self, messages: Sequence[ChatMessage], check_in: CheckIn) -> Completion:
        return ExtractiveChat(self._loaded()).reply(messages, check_in)
