"""An embedding model that needs no model: texts that share words are near."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from ragkit.i18n.messages import Message
from ragkit.text.terms import document_terms
from ragkit.types.documents import EmbedFault, Vector

DIMENSION = 64


def hash_vector(text: str, dimension: int = DIMENSION) -> Vector:
    """A unit vector that depends only on the words of `text`: texts that share words are near."""
    values = [0.0] * dimension
    for term in document_terms(text):
        digest = hashlib.sha256(term.encode()).digest()
        values[int.from_bytes(digest[:4], "little") % dimension] += 1.0 if digest[4] & 1 else -1.0
    values[0] += 0.01  # never zero
    length = math.sqrt(math.fsum(value * value for value in values))
    return array("f", [value / length for value in values])


@dataclass
class HashEmbedder:
    """The `Embedder` port without a model. `calls` counts embedded texts; `refuse` names texts, by a
    part of them, that get a fault instead of a vector."""

    model: str = "hash"
    backend: str = "embedded"
    digest: str = "0"
    dimension: int = DIMENSION
    query_prefix: str = ""
    document_prefix: str = ""
    max_tokens: int = 10_000
    calls: int = 0
    refuse: str = ""

    def count_tokens(self, text: str) -> int:
        return len(text) // 4 + 1

    def embed_documents(self, texts: Sequence[str]) -> list[Vector | EmbedFault]:
        self.calls += len(texts)
        return [
            EmbedFault(Message("refused by the test"))
            if self.refuse and self.refuse in text
            else hash_vector(text, self.dimension)
            for text in texts
        ]

    def embed_query(self, text: str) -> Vector:
        return hash_vector(text, self.dimension)

    def abort(self) -> None:
        """It makes no requests."""

    def check_unchanged(self) -> None:
        """It never changes."""
