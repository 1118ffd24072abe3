"""From chunks found to documents ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ragkit.types import Answer, Document, ScoredChunk


class Kit(Protocol):
    """The index that is measured; `RagKit` is one."""

    def search(self, question: str, k: int = 8) -> list[ScoredChunk]: ...
    def ask(self, question: str) -> Answer: ...
    def document(self, source: str) -> Document | None: ...


def documents(hits: Sequence[ScoredChunk], names: Mapping[str, str]) -> list[str]:
    """The documents of the chunks, each where its best chunk stands."""
    return list(dict.fromkeys(names.get(hit.chunk.source, hit.chunk.source) for hit in hits))
